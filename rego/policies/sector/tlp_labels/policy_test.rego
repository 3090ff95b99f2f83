package ringfence.policy.tlp_labels_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.tlp_labels as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"strict_tiers": ["device", "on_prem"],
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
}

marked(names) := sample.changed(sample.clean, "classification", "residency_labels", names)

strict := {
	"effect": "pin",
	"rule": "amber_strict",
	"code": "tlp_pinned",
	"params": {"tiers": {"any": ["device", "on_prem"]}},
}

# A marking is there or not: no threshold.

cases := {
	"no marking": {"input": sample.clean, "rules": set()},
	"TLP:CLEAR": {"input": marked(["TLP:CLEAR"]), "rules": set()},
	"TLP:GREEN": {"input": marked(["TLP:GREEN"]), "rules": set()},
	"TLP:AMBER": {"input": marked(["TLP:AMBER"]), "rules": {["pin", "amber"]}},
	"TLP:AMBER+STRICT": {"input": marked(["TLP:AMBER+STRICT"]), "rules": {["pin", "amber_strict"]}, "effects": {strict}},
	"TLP:RED": {"input": marked(["TLP:RED"]), "rules": {["deny", "red"]}},
	"two documents": {"input": marked(["TLP:AMBER", "TLP:RED"]), "rules": {["pin", "amber"], ["deny", "red"]}},
	"classification incomplete": {"input": sample.with_status(marked(["TLP:RED"]), "partial"), "rules": {["deny", "red"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.tlp_labels as params
}

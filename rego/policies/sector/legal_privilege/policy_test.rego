package ringfence.policy.legal_privilege_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.legal_privilege as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"tiers": ["device", "on_prem"],
}

marked(names) := sample.changed(sample.clean, "classification", "residency_labels", names)

pinned := {
	"effect": "pin",
	"rule": "privileged",
	"code": "privileged_pinned",
	"params": {"tiers": {"any": ["device", "on_prem"]}},
}

# A marking is there or not: no threshold.

cases := {
	"no marking": {"input": sample.clean, "rules": set()},
	"another marking": {"input": marked(["STRICTLY-CONFIDENTIAL"]), "rules": set()},
	"privileged": {"input": marked(["ATTORNEY-CLIENT-PRIVILEGED"]), "rules": {["pin", "privileged"]}, "effects": {pinned}},
	"classification incomplete": {"input": sample.with_status(marked(["ATTORNEY-CLIENT-PRIVILEGED"]), "failed"), "rules": {["pin", "privileged"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.legal_privilege as params
}

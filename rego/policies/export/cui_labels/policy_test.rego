package ringfence.policy.cui_labels_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.cui_labels as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"certifications": [],
	"classified": {"COSMIC-TOP-SECRET": true, "NATO-CONFIDENTIAL": true, "NATO-SECRET": true, "ORCON": true, "US-CONFIDENTIAL": true, "US-SECRET": true, "US-TOP-SECRET": true},
	"countries": ["US"],
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
}

marked(names) := sample.changed(sample.clean, "classification", "residency_labels", names)

pinned := {
	"effect": "pin",
	"rule": "controlled",
	"code": "cui_pinned",
	"params": {"countries": {"any": ["US"]}, "tiers": {"any": ["device", "edge", "on_prem", "private_cluster"]}},
}

# A marking is there or not: no threshold.
cases := {
	"no marking": {"input": sample.clean, "rules": set()},
	"another marking": {"input": marked(["HIPAA", "TLP:AMBER"]), "rules": set()},
	"CUI": {"input": marked(["CUI"]), "rules": {["pin", "controlled"]}, "effects": {pinned}},
	"CUI with a category": {"input": marked(["CUI//SP-PRVCY"]), "rules": {["pin", "controlled"]}},
	"FOUO": {"input": marked(["FOUO"]), "rules": {["pin", "controlled"]}},
	"a word that only begins alike": {"input": marked(["CUIRASS"]), "rules": set()},
	"classified": {"input": marked(["NOFORN", "US-SECRET"]), "rules": {["pin", "controlled"], ["deny", "classified"], ["audit", "spill"]}},
	"classified without a control": {"input": marked(["US-TOP-SECRET"]), "rules": {["deny", "classified"], ["audit", "spill"]}},
	"classification incomplete": {"input": sample.with_status(marked(["CUI"]), "failed"), "rules": {["pin", "controlled"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.cui_labels as params
}

package ringfence.policy.itar_ear_labels_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.itar_ear_labels as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"countries": ["US"],
	"include_ear99": false,
	"itar_tiers": ["device", "edge", "on_prem", "private_cluster"],
}

marked(names) := sample.changed(sample.clean, "classification", "residency_labels", names)

itar := {
	"effect": "pin",
	"rule": "itar",
	"code": "export_controlled_pinned",
	"params": {"countries": {"any": ["US"]}, "tiers": {"any": ["device", "edge", "on_prem", "private_cluster"]}},
}

recorded := {
	"effect": "audit",
	"rule": "export_record",
	"code": "export_controlled_seen",
	"params": {"level": "decision", "alert": true, "retain_days": 1827},
}

# A marking is there or not: no threshold.
cases := {
	"no marking": {"input": sample.clean, "rules": set()},
	"another marking": {"input": marked(["CUI", "HIPAA"]), "rules": set()},
	"ITAR": {"input": marked(["ITAR"]), "rules": {["pin", "itar"], ["audit", "export_record"]}, "effects": {itar, recorded}},
	"a classification number": {"input": marked(["ECCN-5E002"]), "rules": {["pin", "ear"], ["audit", "export_record"]}},
	"a number with a paragraph": {"input": marked(["ECCN-9E610.A"]), "rules": {["pin", "ear"], ["audit", "export_record"]}},
	"both": {"input": marked(["ECCN-5E002", "ITAR"]), "rules": {["pin", "itar"], ["pin", "ear"], ["audit", "export_record"]}},
	"EAR99 needs no licence to most places": {"input": marked(["EAR99"]), "rules": set()},
	"a word that only begins alike": {"input": marked(["ECCN", "ITAR-FREE"]), "rules": set()},
	"classification incomplete": {"input": sample.with_status(marked(["ITAR"]), "timeout"), "rules": {["pin", "itar"], ["audit", "export_record"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.itar_ear_labels as params
}

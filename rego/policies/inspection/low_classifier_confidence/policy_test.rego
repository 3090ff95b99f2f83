package ringfence.policy.low_classifier_confidence_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.low_classifier_confidence as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"certain_from": 600,
	"doubt_from": 300,
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
}

person(permille, validated) := sample.with_entity(sample.clean, "other", "PERSON", permille, validated)

held := {["pin", "doubtful_finding"], ["note", "doubtful_finding"]}

pinned := {
	"effect": "pin",
	"rule": "doubtful_finding",
	"code": "doubtful_finding_pinned",
	"params": {"tiers": {"any": ["device", "edge", "on_prem", "private_cluster"]}},
}

noted := {"effect": "note", "rule": "doubtful_finding", "code": "doubtful_finding", "params": {}}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"a certain finding": {"input": person(900, false), "rules": set()},
	"a doubtful finding": {"input": person(450, false), "rules": held, "effects": {pinned, noted}},
	"a checksum removes doubt": {"input": person(450, true), "rules": set()},
	"no personal data": {"input": sample.with_entity(sample.clean, "company", "DE_HANDELSREGISTER", 450, false), "rules": set()},
	"the code of a diagnosis is about nobody": {"input": sample.with_entity(sample.clean, "health", "ICD10_CODE", 450, false), "rules": set()},
	"at the lower threshold": {"input": person(300, false), "rules": held},
	"below the lower threshold": {"input": person(299, false), "rules": set()},
	"below the upper threshold": {"input": person(599, false), "rules": held},
	"at the upper threshold": {"input": person(600, false), "rules": set()},
	"classification incomplete": {"input": sample.with_status(person(450, false), "partial"), "rules": held},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.low_classifier_confidence as params
}

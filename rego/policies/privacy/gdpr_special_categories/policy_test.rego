package ringfence.policy.gdpr_special_categories_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.gdpr_special_categories as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"labels": [
		"health",
		"genetic",
		"biometric",
		"ethnic_origin",
		"political_opinion",
		"religion",
		"trade_union",
		"sex_life",
		"special_category",
	],
	"label_permille": 500,
	"types": [
		"NRP",
		"MEDICAL",
	],
	"categories": [
		"health",
	],
	"unknown_is_eea": true,
	"operator": "replace",
}

person(facts) := sample.with_entity(facts, "other", "PERSON", 900, false)

health(permille) := person(sample.with_label(sample.clean, "health", permille))

german(facts) := sample.with_subject(facts, "DE", 900)

least := params.label_permille

surest := data.ringfence.jurisdictions.subject_min_permille

both := {["pin", "eea_only"], ["redact", "direct_identifier"]}

pinned := {
	"effect": "pin",
	"rule": "eea_only",
	"code": "special_category_pinned",
	"params": {"countries": {"any": ["EEA"]}},
}

replaced := {
	"effect": "redact",
	"rule": "direct_identifier",
	"code": "direct_identifier_replaced",
	"params": {"entity": "PERSON", "operator": "replace"},
}

cases := {
	"clean text": {"input": german(sample.clean), "rules": set()},
	"a person and no topic": {"input": german(person(sample.clean)), "rules": set()},
	"another topic": {"input": german(person(sample.with_label(sample.clean, "financial", 900))), "rules": set()},
	"health of a person": {"input": german(health(900)), "rules": both, "effects": {pinned, replaced}},
	"a special category that a model names as such": {"input": german(person(sample.with_label(sample.clean, "special_category", 900))), "rules": both},
	"religion of a person": {"input": german(person(sample.with_label(sample.clean, "religion", 900))), "rules": both},
	"a known subject needs no entity": {"input": german(sample.with_label(sample.clean, "health", 900)), "rules": {["pin", "eea_only"]}},
	"a topic about nobody": {"input": sample.with_origin(sample.with_label(sample.clean, "health", 900), "DE"), "rules": set()},
	"a group of persons": {"input": german(sample.with_entity(sample.clean, "other", "NRP", 900, false)), "rules": {["pin", "eea_only"]}},
	"a number of the health system": {"input": german(sample.with_entity(sample.clean, "health", "UK_NHS", 900, true)), "rules": both},
	"a code of a diagnosis": {"input": german(sample.with_entity(sample.clean, "health", "ICD10_CODE", 900, true)), "rules": set()},
	"subject elsewhere": {"input": sample.with_subject(health(900), "US", 900), "rules": set()},
	"caller in the EEA": {"input": sample.with_origin(sample.with_subject(health(900), "US", 900), "NO"), "rules": both},
	"nobody can be placed": {"input": health(900), "rules": both},
	"alias or subdivision EL": {"input": sample.with_subject(health(900), "EL", 900), "rules": both},
	"alias or subdivision DE-BY": {"input": sample.with_subject(health(900), "DE-BY", 900), "rules": both},
	"alias or subdivision EU": {"input": sample.with_subject(health(900), "EU", 900), "rules": both},
	"label at the threshold": {"input": german(health(least)), "rules": both},
	"label below the threshold": {"input": german(health(least - 1)), "rules": set()},
	"subject at the threshold": {"input": sample.with_origin(sample.with_subject(health(900), "DE", surest), "US"), "rules": both},
	"subject below the threshold": {"input": sample.with_origin(sample.with_subject(health(900), "DE", surest - 1), "US"), "rules": set()},
	"classification incomplete": {"input": sample.with_status(german(health(900)), "partial"), "rules": both},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.gdpr_special_categories as params
}

test_who_cannot_be_placed_is_let_go_by_parameter if {
	count(policy.effects) == 0 with input as health(900)
		with data.ringfence.params.gdpr_special_categories as params
		with data.ringfence.params.gdpr_special_categories.unknown_is_eea as false
}

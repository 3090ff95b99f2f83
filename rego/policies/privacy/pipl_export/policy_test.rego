package ringfence.policy.pipl_export_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.pipl_export as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"mechanism": "none",
	"critical_operator": false,
	"exported_individuals": 0,
	"exported_sensitive_individuals": 0,
	"contract_from_individuals": 100000,
	"assessment_from_individuals": 1000000,
	"assessment_from_sensitive_individuals": 10000,
	"sensitive_categories": [
		"bank",
		"card",
		"health",
		"national_id",
		"passport",
		"social_security",
	],
	"sensitive_labels": [
		"health",
		"biometric",
		"religion",
		"children",
	],
	"label_permille": 500,
	"retain_days": 1096,
	"operator": "replace",
}

mail := sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 900, true)

chinese(facts) := sample.with_subject(facts, "CN", 900)

sensitive := sample.with_entity(sample.clean, "national_id", "CN_RESIDENT_ID", 900, true)

many(number) := sample.changed(sample.clean, "classification", "entities", [{
	"category": "contact",
	"type": "EMAIL_ADDRESS",
	"count": number,
	"max_permille": 900,
	"validated": true,
	"where": ["user"],
}])

row(type, number) := {
	"category": "contact",
	"type": type,
	"count": number,
	"max_permille": 900,
	"validated": true,
	"where": ["user"],
}

# Numbers of which the greater one is the lesser one as text.
two_kinds := sample.changed(sample.clean, "classification", "entities", [row("EMAIL_ADDRESS", 99999), row("MESSENGER", 100000)])

many_sensitive(number) := sample.changed(sample.clean, "classification", "entities", [{
	"category": "national_id",
	"type": "CN_RESIDENT_ID",
	"count": number,
	"max_permille": 900,
	"validated": true,
	"where": ["user"],
}])

surest := data.ringfence.jurisdictions.subject_min_permille

least := params.label_permille

contract_from := params.contract_from_individuals

assessment_from := params.assessment_from_individuals

sensitive_from := params.assessment_from_sensitive_individuals

exempt := {["redact", "direct_identifier"]}

stays := {["pin", "mainland"]}

recorded := {["redact", "direct_identifier"], ["audit", "export_recorded"]}

pinned := {
	"effect": "pin",
	"rule": "mainland",
	"code": "export_without_mechanism",
	"params": {"countries": {"any": ["CN"]}},
}

cases := {
	"clean text": {"input": chinese(sample.clean), "rules": set()},
	"a few addresses are exempt": {"input": chinese(mail), "rules": exempt},
	"sensitive information is never exempt": {"input": chinese(sensitive), "rules": stays, "effects": {pinned}},
	"a sensitive topic": {"input": sample.with_label(chinese(mail), "health", 900), "rules": stays},
	"caller on the mainland": {"input": sample.with_origin(sensitive, "CN"), "rules": stays},
	"Hong Kong is not the mainland": {"input": sample.with_origin(sensitive, "HK"), "rules": set()},
	"subject elsewhere": {"input": sample.with_subject(sensitive, "JP", 900), "rules": set()},
	"nobody can be placed": {"input": sensitive, "rules": set()},
	"alias or subdivision CN-BJ": {"input": sample.with_subject(sensitive, "CN-BJ", 900), "rules": stays},
	"individuals at the threshold of a contract": {"input": chinese(many(contract_from)), "rules": stays},
	"individuals below the threshold of a contract": {"input": chinese(many(contract_from - 1)), "rules": exempt},
	"several kinds of information": {"input": chinese(two_kinds), "rules": stays},
	"label at the threshold": {"input": sample.with_label(chinese(mail), "health", least), "rules": stays},
	"label below the threshold": {"input": sample.with_label(chinese(mail), "health", least - 1), "rules": exempt},
	"subject at the threshold": {"input": sample.with_subject(sensitive, "CN", surest), "rules": stays},
	"subject below the threshold": {"input": sample.with_subject(sensitive, "CN", surest - 1), "rules": set()},
	"classification incomplete": {"input": sample.with_status(chinese(sensitive), "partial"), "rules": stays},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.pipl_export as params
}

test_a_contract_covers_what_is_below_an_assessment if {
	sample.rules(policy.effects) == recorded with input as chinese(many(assessment_from - 1))
		with data.ringfence.params.pipl_export as params
		with data.ringfence.params.pipl_export.mechanism as "contract"
}

test_a_contract_does_not_cover_what_needs_an_assessment if {
	sample.rules(policy.effects) == stays with input as chinese(many(assessment_from))
		with data.ringfence.params.pipl_export as params
		with data.ringfence.params.pipl_export.mechanism as "contract"
}

test_an_assessment_covers_all if {
	sample.rules(policy.effects) == recorded with input as chinese(many(assessment_from))
		with data.ringfence.params.pipl_export as params
		with data.ringfence.params.pipl_export.mechanism as "assessment"
}

test_a_contract_covers_sensitive_information_below_its_threshold if {
	sample.rules(policy.effects) == recorded with input as chinese(many_sensitive(sensitive_from - 1))
		with data.ringfence.params.pipl_export as params
		with data.ringfence.params.pipl_export.mechanism as "contract"
}

test_sensitive_information_at_its_threshold_needs_an_assessment if {
	sample.rules(policy.effects) == stays with input as chinese(many_sensitive(sensitive_from))
		with data.ringfence.params.pipl_export as params
		with data.ringfence.params.pipl_export.mechanism as "contract"
}

test_what_went_before_counts if {
	sample.rules(policy.effects) == stays with input as chinese(mail)
		with data.ringfence.params.pipl_export as params
		with data.ringfence.params.pipl_export.exported_individuals as contract_from - 1
}

test_a_critical_operator_needs_an_assessment if {
	sample.rules(policy.effects) == stays with input as chinese(mail)
		with data.ringfence.params.pipl_export as params
		with data.ringfence.params.pipl_export.critical_operator as true
		with data.ringfence.params.pipl_export.mechanism as "contract"
}

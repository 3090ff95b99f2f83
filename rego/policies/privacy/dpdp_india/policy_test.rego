package ringfence.policy.dpdp_india_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.dpdp_india as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"restricted_countries": [],
	"specified_stays": false,
	"specified_categories": [],
	"child_labels": [
		"children",
	],
	"label_permille": 500,
	"operator": "replace",
}

mail := sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 900, true)

indian(facts) := sample.with_subject(facts, "IN", 900)

aadhaar := sample.with_entity(sample.clean, "national_id", "IN_AADHAAR", 900, true)

child(permille) := sample.with_label(mail, "children", permille)

least := params.label_permille

surest := data.ringfence.jurisdictions.subject_min_permille

replaced := {
	"effect": "redact",
	"rule": "aadhaar",
	"code": "aadhaar_replaced",
	"params": {"entity": "IN_AADHAAR", "operator": "replace"},
}

cases := {
	"clean text": {"input": indian(sample.clean), "rules": set()},
	"no country is restricted": {"input": indian(mail), "rules": set()},
	"an Aadhaar number": {"input": indian(aadhaar), "rules": {["redact", "aadhaar"]}, "effects": {replaced}},
	"an Aadhaar number and nothing else known": {"input": aadhaar, "rules": {["redact", "aadhaar"]}},
	"another identity number": {"input": indian(sample.with_entity(sample.clean, "tax", "IN_PAN", 900, true)), "rules": set()},
	"a child": {"input": indian(child(900)), "rules": {["redact", "child"]}},
	"a child elsewhere": {"input": sample.with_subject(child(900), "LK", 900), "rules": set()},
	"nobody can be placed": {"input": child(900), "rules": set()},
	"alias or subdivision IN-KA": {"input": sample.with_subject(child(900), "IN-KA", 900), "rules": {["redact", "child"]}},
	"label at the threshold": {"input": indian(child(least)), "rules": {["redact", "child"]}},
	"label below the threshold": {"input": indian(child(least - 1)), "rules": set()},
	"subject at the threshold": {"input": sample.with_subject(child(900), "IN", surest), "rules": {["redact", "child"]}},
	"subject below the threshold": {"input": sample.with_subject(child(900), "IN", surest - 1), "rules": set()},
	"classification incomplete": {"input": sample.with_status(aadhaar, "partial"), "rules": {["redact", "aadhaar"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.dpdp_india as params
}

test_a_restricted_country_is_excluded if {
	some effect in policy.effects with input as indian(mail)
		with data.ringfence.params.dpdp_india as params
		with data.ringfence.params.dpdp_india.restricted_countries as ["XA"]
	effect.params == {"exclude": {"countries": ["XA"]}}
}

test_specified_data_stays_in_india if {
	sample.rules(policy.effects) == {["pin", "specified_data"]} with input as indian(mail)
		with data.ringfence.params.dpdp_india as params
		with data.ringfence.params.dpdp_india.specified_stays as true
}

test_only_specified_categories_stay_in_india if {
	count(policy.effects) == 0 with input as indian(mail)
		with data.ringfence.params.dpdp_india as params
		with data.ringfence.params.dpdp_india.specified_stays as true
		with data.ringfence.params.dpdp_india.specified_categories as ["bank"]
}

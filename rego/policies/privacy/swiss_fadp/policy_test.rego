package ringfence.policy.swiss_fadp_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.swiss_fadp as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"clause_countries": [],
	"partial_listing": false,
	"sensitive_labels": [
		"health",
		"genetic",
		"biometric",
		"ethnic_origin",
		"political_opinion",
		"religion",
		"trade_union",
		"sex_life",
		"criminal_record",
		"social_assistance",
	],
	"label_permille": 500,
	"operator": "replace",
}

mail := sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 900, true)

swiss := sample.with_subject(mail, "CH", 900)

health(permille) := sample.with_label(swiss, "health", permille)

least := params.label_permille

surest := data.ringfence.jurisdictions.subject_min_permille

only := {["pin", "listed_state"]}

both := {["pin", "listed_state"], ["redact", "direct_identifier"]}

pinned := {
	"effect": "pin",
	"rule": "listed_state",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": ["CH", "EEA", "AD", "AR", "FO", "GB", "GG", "GI", "IL", "IM", "JE", "MC", "NZ", "UY"]}},
}

cases := {
	"clean text": {"input": sample.with_subject(sample.clean, "CH", 900), "rules": set()},
	"subject in Switzerland": {"input": swiss, "rules": only, "effects": {pinned}},
	"caller in Switzerland": {"input": sample.with_origin(mail, "CH"), "rules": only},
	"subject elsewhere": {"input": sample.with_subject(mail, "DE", 900), "rules": set()},
	"nobody can be placed": {"input": mail, "rules": set()},
	"sensitive data": {"input": health(900), "rules": both},
	"alias or subdivision CH-ZH": {"input": sample.with_subject(mail, "CH-ZH", 900), "rules": only},
	"label at the threshold": {"input": health(least), "rules": both},
	"label below the threshold": {"input": health(least - 1), "rules": only},
	"subject at the threshold": {"input": sample.with_subject(mail, "CH", surest), "rules": only},
	"subject below the threshold": {"input": sample.with_subject(mail, "CH", surest - 1), "rules": set()},
	"classification incomplete": {"input": sample.with_status(swiss, "timeout"), "rules": only},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.swiss_fadp as params
}

test_clauses_admit_a_country_and_replace_identifiers if {
	sample.rules(policy.effects) == both with input as swiss
		with data.ringfence.params.swiss_fadp as params
		with data.ringfence.params.swiss_fadp.clause_countries as ["IN"]
}

test_a_partial_listing_is_a_parameter if {
	some effect in policy.effects with input as swiss
		with data.ringfence.params.swiss_fadp as params
		with data.ringfence.params.swiss_fadp.partial_listing as true
	"US" in effect.params.countries.any
}

package ringfence.policy.korea_pipa_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.korea_pipa as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"ground_countries": [],
	"credit_categories": [
		"bank",
		"card",
	],
	"credit_stays": true,
	"operator": "replace",
}

mail := sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 900, true)

korean(facts) := sample.with_subject(facts, "KR", 900)

least := data.ringfence.jurisdictions.subject_min_permille

only := {["pin", "ground_of_article_28_8"]}

pinned := {
	"effect": "pin",
	"rule": "ground_of_article_28_8",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": ["KR", "EEA"]}},
}

resident := sample.with_entity(sample.clean, "national_id", "KR_RRN", 900, true)

passport := sample.with_entity(sample.clean, "passport", "KR_PASSPORT", 900, true)

card := sample.with_entity(sample.clean, "card", "CREDIT_CARD", 900, true)

cases := {
	"clean text": {"input": korean(sample.clean), "rules": set()},
	"subject in Korea": {"input": korean(mail), "rules": only, "effects": {pinned}},
	"caller in Korea": {"input": sample.with_origin(mail, "KR"), "rules": only},
	"a resident registration number": {"input": korean(resident), "rules": {["pin", "ground_of_article_28_8"], ["redact", "resident_number"]}},
	"a resident registration number and nothing else known": {"input": resident, "rules": {["redact", "resident_number"]}},
	"a passport": {"input": korean(passport), "rules": {["pin", "ground_of_article_28_8"], ["redact", "unique_identifier"]}},
	"a card": {"input": korean(card), "rules": {["pin", "ground_of_article_28_8"], ["pin", "credit_information"]}},
	"subject elsewhere": {"input": sample.with_subject(card, "JP", 900), "rules": set()},
	"nobody can be placed": {"input": mail, "rules": set()},
	"alias or subdivision KR-11": {"input": sample.with_subject(mail, "KR-11", 900), "rules": only},
	"subject at the threshold": {"input": sample.with_subject(mail, "KR", least), "rules": only},
	"subject below the threshold": {"input": sample.with_subject(mail, "KR", least - 1), "rules": set()},
	"classification incomplete": {"input": sample.with_status(korean(mail), "timeout"), "rules": only},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.korea_pipa as params
}

test_credit_information_goes_where_the_rest_goes_by_parameter if {
	sample.rules(policy.effects) == only with input as korean(card)
		with data.ringfence.params.korea_pipa as params
		with data.ringfence.params.korea_pipa.credit_stays as false
}

test_a_ground_admits_a_country if {
	some effect in policy.effects with input as korean(mail)
		with data.ringfence.params.korea_pipa as params
		with data.ringfence.params.korea_pipa.ground_countries as ["US"]
	effect.params.countries.any == ["KR", "EEA", "US"]
}

package ringfence.policy.russia_localisation_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.russia_localisation as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"action": "pin",
	"abroad_countries": [],
}

mail := sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 900, true)

russian := sample.with_subject(mail, "RU", 900)

least := data.ringfence.jurisdictions.subject_min_permille

only := {["pin", "database_in_russia"]}

pinned := {
	"effect": "pin",
	"rule": "database_in_russia",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": ["RU"]}},
}

cases := {
	"clean text": {"input": sample.with_subject(sample.clean, "RU", 900), "rules": set()},
	"subject in Russia": {"input": russian, "rules": only, "effects": {pinned}},
	"caller in Russia": {"input": sample.with_origin(mail, "RU"), "rules": only},
	"a number of a firm": {"input": sample.with_subject(sample.with_entity(sample.clean, "company", "RU_OGRN", 900, true), "RU", 900), "rules": set()},
	"subject elsewhere": {"input": sample.with_subject(mail, "KZ", 900), "rules": set()},
	"nobody can be placed": {"input": mail, "rules": set()},
	"alias or subdivision RU-MOW": {"input": sample.with_subject(mail, "RU-MOW", 900), "rules": only},
	"subject at the threshold": {"input": sample.with_subject(mail, "RU", least), "rules": only},
	"subject below the threshold": {"input": sample.with_subject(mail, "RU", least - 1), "rules": set()},
	"classification incomplete": {"input": sample.with_status(russian, "failed"), "rules": only},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.russia_localisation as params
}

test_it_refuses_by_parameter if {
	sample.rules(policy.effects) == {["deny", "no_database_in_russia"]} with input as russian
		with data.ringfence.params.russia_localisation as params
		with data.ringfence.params.russia_localisation.action as "deny"
}

test_a_notified_country_is_admitted if {
	some effect in policy.effects with input as russian
		with data.ringfence.params.russia_localisation as params
		with data.ringfence.params.russia_localisation.abroad_countries as ["KZ"]
	effect.params.countries.any == ["RU", "KZ"]
}

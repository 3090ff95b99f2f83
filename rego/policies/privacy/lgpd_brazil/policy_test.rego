package ringfence.policy.lgpd_brazil_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.lgpd_brazil as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"clause_countries": [],
	"sensitive_under_clauses": false,
	"sensitive_labels": [
		"health",
		"genetic",
		"biometric",
		"ethnic_origin",
		"political_opinion",
		"religion",
		"trade_union",
		"sex_life",
	],
	"label_permille": 500,
	"operator": "replace",
}

mail := sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 900, true)

brazilian := sample.with_subject(mail, "BR", 900)

surest := data.ringfence.jurisdictions.subject_min_permille

least := params.label_permille

only := {["pin", "ground_of_article_33"]}

pinned(countries) := {
	"effect": "pin",
	"rule": "ground_of_article_33",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": countries}},
}

on_day(date) := sample.changed(brazilian, "context", "time", sample.put(sample.clean.context.time, "date", date))

cases := {
	"clean text": {"input": sample.with_subject(sample.clean, "BR", 900), "rules": set()},
	"subject in Brazil": {"input": brazilian, "rules": only, "effects": {pinned(["BR"])}},
	"day before the adequacy of the EEA": {"input": on_day("2026-01-25"), "rules": only, "effects": {pinned(["BR"])}},
	"day of the adequacy of the EEA": {"input": on_day("2026-01-26"), "rules": only, "effects": {pinned(["BR", "EEA"])}},
	"caller in Brazil": {"input": sample.with_origin(mail, "BR"), "rules": only},
	"subject elsewhere": {"input": sample.with_subject(mail, "PT", 900), "rules": set()},
	"nobody can be placed": {"input": mail, "rules": set()},
	"alias or subdivision BR-SP": {"input": sample.with_subject(mail, "BR-SP", 900), "rules": only},
	"sensitive data at the threshold": {"input": sample.with_label(brazilian, "health", least), "rules": only},
	"sensitive data below the threshold": {"input": sample.with_label(brazilian, "health", least - 1), "rules": only},
	"subject at the threshold": {"input": sample.with_subject(mail, "BR", surest), "rules": only},
	"subject below the threshold": {"input": sample.with_subject(mail, "BR", surest - 1), "rules": set()},
	"classification incomplete": {"input": sample.with_status(brazilian, "timeout"), "rules": only},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.lgpd_brazil as params
}

with_clauses := {["pin", "ground_of_article_33"], ["redact", "direct_identifier"]}

test_clauses_admit_a_country_and_replace_identifiers if {
	facts := sample.with_label(brazilian, "health", least - 1)
	sample.rules(policy.effects) == with_clauses with input as facts
		with data.ringfence.params.lgpd_brazil as params
		with data.ringfence.params.lgpd_brazil.clause_countries as ["US"]
}

test_clauses_do_not_admit_sensitive_data if {
	facts := sample.with_label(brazilian, "health", least)
	policy.effects == {pinned(["BR"])} with input as facts
		with data.ringfence.params.lgpd_brazil as params
		with data.ringfence.params.lgpd_brazil.clause_countries as ["US"]
}

test_clauses_admit_sensitive_data_by_parameter if {
	facts := sample.with_label(brazilian, "health", least)
	sample.rules(policy.effects) == with_clauses with input as facts
		with data.ringfence.params.lgpd_brazil as params
		with data.ringfence.params.lgpd_brazil.clause_countries as ["US"]
		with data.ringfence.params.lgpd_brazil.sensitive_under_clauses as true
}

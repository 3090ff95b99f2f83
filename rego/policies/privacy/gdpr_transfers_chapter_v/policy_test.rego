package ringfence.policy.gdpr_transfers_chapter_v_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.gdpr_transfers_chapter_v as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"scc_countries": [],
	"partial_adequacy": false,
	"supplementary_redaction": true,
	"operator": "replace",
	"unknown_is_eea": false,
}

mail := sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 900, true)

german := sample.with_subject(mail, "DE", 900)

least := data.ringfence.jurisdictions.subject_min_permille

on_day(date) := sample.changed(german, "context", "time", sample.put(sample.clean.context.time, "date", date))

pinned(countries) := {
	"effect": "pin",
	"rule": "ground_of_chapter_v",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": countries}},
}

today := ["EEA", "AD", "AR", "CH", "FO", "GB", "GG", "IL", "IM", "JE", "KR", "NZ", "UY"]

with_brazil := ["EEA", "AD", "AR", "BR", "CH", "FO", "GB", "GG", "IL", "IM", "JE", "KR", "NZ", "UY"]

without_britain := ["EEA", "AD", "AR", "BR", "CH", "FO", "GG", "IL", "IM", "JE", "KR", "NZ", "UY"]

only := {["pin", "ground_of_chapter_v"]}

cases := {
	"clean text": {"input": sample.with_subject(sample.clean, "DE", 900), "rules": set()},
	"subject in the EU": {"input": german, "rules": only, "effects": {pinned(today)}},
	"subject in the EEA outside the EU": {"input": sample.with_subject(mail, "IS", 900), "rules": only},
	"caller in the EU": {"input": sample.with_origin(sample.with_subject(mail, "US", 900), "IE"), "rules": only},
	"subject elsewhere": {"input": sample.with_subject(mail, "US", 900), "rules": set()},
	"nobody can be placed": {"input": mail, "rules": set()},
	"a number of a firm": {"input": sample.with_subject(sample.with_entity(sample.clean, "company", "DE_HRB", 900, true), "DE", 900), "rules": set()},
	"alias or subdivision EL": {"input": sample.with_subject(mail, "EL", 900), "rules": only},
	"alias or subdivision DE-BY": {"input": sample.with_subject(mail, "DE-BY", 900), "rules": only},
	"day before a decision": {"input": on_day("2026-01-25"), "rules": only, "effects": {pinned(today)}},
	"day of a decision": {"input": on_day("2026-01-26"), "rules": only, "effects": {pinned(with_brazil)}},
	"last day of a decision": {"input": on_day("2031-12-27"), "rules": only, "effects": {pinned(with_brazil)}},
	"day after a decision": {"input": on_day("2031-12-28"), "rules": only, "effects": {pinned(without_britain)}},
	"subject at the threshold": {"input": sample.with_subject(mail, "DE", least), "rules": only},
	"subject below the threshold": {"input": sample.with_subject(mail, "DE", least - 1), "rules": set()},
	"classification incomplete": {"input": sample.with_status(german, "failed"), "rules": only},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.gdpr_transfers_chapter_v as params
}

test_clauses_admit_a_country_and_replace_identifiers if {
	sample.rules(policy.effects) == {["pin", "ground_of_chapter_v"], ["redact", "supplementary_measure"]} with input as german
		with data.ringfence.params.gdpr_transfers_chapter_v as params
		with data.ringfence.params.gdpr_transfers_chapter_v.scc_countries as ["IN"]
}

test_clauses_stand_in_the_pin if {
	pinned(array.concat(today, ["IN"])) in policy.effects with input as german
		with data.ringfence.params.gdpr_transfers_chapter_v as params
		with data.ringfence.params.gdpr_transfers_chapter_v.scc_countries as ["IN"]
}

test_partial_adequacy_is_a_parameter if {
	pinned(["EEA", "AD", "AR", "CA", "CH", "FO", "GB", "GG", "IL", "IM", "JE", "JP", "KR", "NZ", "US", "UY"]) in policy.effects with input as german
		with data.ringfence.params.gdpr_transfers_chapter_v as params
		with data.ringfence.params.gdpr_transfers_chapter_v.partial_adequacy as true
}

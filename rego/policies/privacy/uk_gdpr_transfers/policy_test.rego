package ringfence.policy.uk_gdpr_transfers_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.uk_gdpr_transfers as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"agreement_countries": [],
	"partial_approval": false,
	"operator": "replace",
}

mail := sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 900, true)

british := sample.with_subject(mail, "GB", 900)

least := data.ringfence.jurisdictions.subject_min_permille

only := {["pin", "approved_transfer"]}

pinned := {
	"effect": "pin",
	"rule": "approved_transfer",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": ["EEA", "GB", "AD", "AR", "CH", "FO", "GG", "GI", "IL", "IM", "JE", "KR", "NZ", "UY"]}},
}

on_day(date) := sample.changed(british, "context", "time", sample.put(sample.clean.context.time, "date", date))

before_korea := {
	"effect": "pin",
	"rule": "approved_transfer",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": ["EEA", "GB", "AD", "AR", "CH", "FO", "GG", "GI", "IL", "IM", "JE", "NZ", "UY"]}},
}

cases := {
	"clean text": {"input": sample.with_subject(sample.clean, "GB", 900), "rules": set()},
	"subject in the United Kingdom": {"input": british, "rules": only, "effects": {pinned}},
	"caller in the United Kingdom": {"input": sample.with_origin(mail, "GB"), "rules": only},
	"day before a regulation": {"input": on_day("2022-12-18"), "rules": only, "effects": {before_korea}},
	"day of a regulation": {"input": on_day("2022-12-19"), "rules": only, "effects": {pinned}},
	"subject elsewhere": {"input": sample.with_subject(mail, "DE", 900), "rules": set()},
	"nobody can be placed": {"input": mail, "rules": set()},
	"alias or subdivision UK": {"input": sample.with_subject(mail, "UK", 900), "rules": only},
	"alias or subdivision GB-SCT": {"input": sample.with_origin(mail, "GB-SCT"), "rules": only},
	"subject at the threshold": {"input": sample.with_subject(mail, "GB", least), "rules": only},
	"subject below the threshold": {"input": sample.with_subject(mail, "GB", least - 1), "rules": set()},
	"classification incomplete": {"input": sample.with_status(british, "timeout"), "rules": only},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.uk_gdpr_transfers as params
}

test_an_agreement_admits_a_country_and_replaces_identifiers if {
	sample.rules(policy.effects) == {["pin", "approved_transfer"], ["redact", "supplementary_measure"]} with input as british
		with data.ringfence.params.uk_gdpr_transfers as params
		with data.ringfence.params.uk_gdpr_transfers.agreement_countries as ["IN"]
}

test_the_data_bridge_is_a_parameter if {
	some effect in policy.effects with input as british
		with data.ringfence.params.uk_gdpr_transfers as params
		with data.ringfence.params.uk_gdpr_transfers.partial_approval as true
	"US" in effect.params.countries.any
}

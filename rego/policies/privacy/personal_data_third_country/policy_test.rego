package ringfence.policy.personal_data_third_country_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.personal_data_third_country as policy

mail := sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 900, false)

tax := sample.with_entity(sample.clean, "tax", "NEW_TAX_ID", 900, true)

firm := sample.with_entity(sample.clean, "company", "NEW_FIRM_ID", 900, true)

place := sample.with_entity(sample.clean, "other", "LOCATION", 900, false)

least := data.ringfence.jurisdictions.subject_min_permille

replaced := {
	"effect": "redact",
	"rule": "outside_eea",
	"code": "direct_identifier_replaced",
	"params": {"entity": "EMAIL_ADDRESS", "operator": "replace"},
}

both := sample.changed(mail, "origin", "subject_jurisdictions", [
	{"code": "US", "permille": 900, "basis": "content"},
	{"code": "DE", "permille": 900, "basis": "content"},
])

cases := {
	"clean text of a known subject": {"input": sample.with_subject(sample.clean, "DE", 900), "rules": set()},
	"subject in the EU": {"input": sample.with_subject(mail, "DE", 900), "rules": {["pin", "eea_or_adequate"]}},
	"subject in the EEA outside the EU": {"input": sample.with_subject(mail, "NO", 900), "rules": {["pin", "eea_or_adequate"]}},
	"alias or subdivision EU": {"input": sample.with_subject(mail, "EU", 900), "rules": {["pin", "eea_or_adequate"]}},
	"alias or subdivision EEA": {"input": sample.with_subject(mail, "EEA", 900), "rules": {["pin", "eea_or_adequate"]}},
	"alias or subdivision DE-BY": {"input": sample.with_subject(mail, "DE-BY", 900), "rules": {["pin", "eea_or_adequate"]}},
	"alias or subdivision FR-75": {"input": sample.with_subject(mail, "FR-75", 900), "rules": {["pin", "eea_or_adequate"]}},
	"subject elsewhere": {"input": sample.with_subject(mail, "US", 900), "rules": {["redact", "outside_eea"]}, "effects": {replaced}},
	"subject in a subdivision elsewhere": {"input": sample.with_subject(mail, "US-CA", 900), "rules": {["redact", "outside_eea"]}},
	"subject in an adequate country": {"input": sample.with_subject(mail, "CH", 900), "rules": {["redact", "outside_eea"]}},
	"indirect identifier of a subject elsewhere": {"input": sample.with_subject(place, "US", 900), "rules": set()},
	"one subject in the EEA and one elsewhere": {"input": both, "rules": {["pin", "eea_or_adequate"]}},
	"origin in the EU": {"input": sample.with_origin(sample.with_subject(mail, "US", 900), "IE"), "rules": {["pin", "eea_or_adequate"]}},
	"origin in a subdivision of the EEA": {"input": sample.with_origin(sample.with_subject(mail, "US", 900), "NO-03"), "rules": {["pin", "eea_or_adequate"]}},
	"unknown subject": {"input": mail, "rules": {["redact", "outside_eea"]}, "effects": {replaced}},
	"unknown is no country": {"input": sample.with_subject(mail, "unknown", 1000), "rules": {["redact", "outside_eea"]}},
	"indirect identifier of an unknown subject": {"input": place, "rules": set()},
	"identifier of a type no table names": {"input": tax, "rules": {["redact", "outside_eea"]}},
	"number of a firm": {"input": sample.with_subject(firm, "DE", 900), "rules": set()},
	"confidence at the threshold": {"input": sample.with_subject(mail, "DE", least), "rules": {["pin", "eea_or_adequate"]}},
	"confidence below the threshold": {"input": sample.with_subject(mail, "DE", least - 1), "rules": {["redact", "outside_eea"]}},
	"classification incomplete": {"input": sample.with_status(sample.with_subject(mail, "DE", 900), "timeout"), "rules": {["pin", "eea_or_adequate"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input
}

package ringfence.policy.health_data_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.health_data as policy

health := sample.with_label(sample.clean, "health", 900)

named(permille) := sample.with_entity(sample.with_label(sample.clean, "health", permille), "other", "PERSON", 900, false)

least := data.ringfence.thresholds.health_label_permille

pinned := {
	"effect": "pin",
	"rule": "own_machines",
	"code": "health_data_pinned",
	"params": {"tiers": {"any": ["device", "on_prem", "private_cluster"]}},
}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"health of nobody": {"input": health, "rules": set()},
	"another topic": {"input": sample.with_entity(sample.with_label(sample.clean, "financial", 900), "other", "PERSON", 900, false), "rules": set()},
	"health of a person": {"input": named(900), "rules": {["pin", "own_machines"]}, "effects": {pinned}},
	"a known subject needs no entity": {"input": sample.with_subject(health, "US", 900), "rules": {["pin", "own_machines"]}},
	"subject in DE": {"input": sample.with_subject(named(900), "DE", 900), "rules": {["pin", "own_machines"], ["pin", "eea_subject"]}},
	"subject in NO": {"input": sample.with_subject(named(900), "NO", 900), "rules": {["pin", "own_machines"], ["pin", "eea_subject"]}},
	"subject in EU": {"input": sample.with_subject(named(900), "EU", 900), "rules": {["pin", "own_machines"], ["pin", "eea_subject"]}},
	"subject in EEA": {"input": sample.with_subject(named(900), "EEA", 900), "rules": {["pin", "own_machines"], ["pin", "eea_subject"]}},
	"subject in AT-9": {"input": sample.with_subject(named(900), "AT-9", 900), "rules": {["pin", "own_machines"], ["pin", "eea_subject"]}},
	"subject elsewhere": {"input": sample.with_subject(named(900), "US", 900), "rules": {["pin", "own_machines"]}},
	"national identifier": {"input": sample.with_entity(health, "social_security", "US_SSN", 900, true), "rules": {["pin", "own_machines"], ["redact", "national_identifier"]}},
	"identifier of a type no table names": {"input": sample.with_entity(health, "national_id", "NEW_ID", 900, true), "rules": {["pin", "own_machines"], ["redact", "national_identifier"]}},
	"a health insurance number": {"input": sample.with_entity(sample.clean, "health", "MEDICAL_ID", 900, true), "rules": {["pin", "own_machines"], ["redact", "national_identifier"]}},
	"a health insurance number of a subject in DE": {"input": sample.with_subject(sample.with_entity(sample.clean, "health", "MEDICAL_ID", 0, true), "DE", 900), "rules": {["pin", "own_machines"], ["redact", "national_identifier"], ["pin", "eea_subject"]}},
	"a shape at the threshold": {"input": sample.with_entity(sample.clean, "health", "MEDICAL_ID", least, false), "rules": {["pin", "own_machines"], ["redact", "national_identifier"]}},
	"a shape below the threshold": {"input": sample.with_entity(sample.clean, "health", "MEDICAL_ID", least - 1, false), "rules": set()},
	"a treatment of nobody": {"input": sample.with_entity(sample.clean, "health", "MEDICAL", 900, false), "rules": set()},
	"code of a diagnosis": {"input": sample.with_entity(health, "health", "ICD10_CODE", 900, false), "rules": set()},
	"label at the threshold": {"input": named(least), "rules": {["pin", "own_machines"]}},
	"label below the threshold": {"input": named(least - 1), "rules": set()},
	"classification incomplete": {"input": sample.with_status(named(900), "partial"), "rules": {["pin", "own_machines"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input
}

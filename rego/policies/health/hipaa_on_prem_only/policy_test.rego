package ringfence.policy.hipaa_on_prem_only_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.hipaa_on_prem_only as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"labels": [
		"health",
	],
	"label_permille": 500,
	"markings": [
		"HIPAA",
	],
	"us_only": false,
	"tiers": [
		"device",
		"on_prem",
	],
	"node_countries": [],
	"retain_days": 2192,
}

person(facts) := sample.with_entity(facts, "other", "PERSON", 900, false)

health(permille) := sample.with_label(sample.clean, "health", permille)

member := sample.with_entity(sample.clean, "health", "US_HEALTH_INSURANCE_MEMBER_hipaa_on_prem_only", 900, false)

marked := person(sample.changed(sample.clean, "classification", "residency_labels", ["HIPAA"]))

least := params.label_permille

both := {["pin", "own_machines"], ["audit", "recorded"]}

pinned := {
	"effect": "pin",
	"rule": "own_machines",
	"code": "health_information_pinned",
	"params": {"tiers": {"any": ["device", "on_prem"]}},
}

recorded := {
	"effect": "audit",
	"rule": "recorded",
	"code": "health_information_seen",
	"params": {"level": "decision", "retain_days": 2192},
}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"a person and no health": {"input": person(sample.clean), "rules": set()},
	"health of nobody": {"input": health(900), "rules": set()},
	"health of a person": {"input": person(health(900)), "rules": both, "effects": {pinned, recorded}},
	"a known subject needs no entity": {"input": sample.with_subject(health(900), "US", 900), "rules": both},
	"a code of a diagnosis": {"input": sample.with_entity(sample.clean, "health", "ICD10_CODE", 900, true), "rules": set()},
	"a member number needs no topic": {"input": member, "rules": both},
	"a marked document": {"input": marked, "rules": both},
	"subject elsewhere": {"input": sample.with_subject(person(health(900)), "DE", 900), "rules": both},
	"alias or subdivision US-CA": {"input": sample.with_subject(person(health(900)), "US-CA", 900), "rules": both},
	"label at the threshold": {"input": person(health(least)), "rules": both},
	"label below the threshold": {"input": person(health(least - 1)), "rules": set()},
	"classification incomplete": {"input": sample.with_status(person(health(900)), "partial"), "rules": both},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.hipaa_on_prem_only as params
}

test_countries_are_a_parameter if {
	sample.rules(policy.effects) == both | {["pin", "countries"]} with input as person(health(900))
		with data.ringfence.params.hipaa_on_prem_only as params
		with data.ringfence.params.hipaa_on_prem_only.node_countries as ["US"]
}

test_subjects_elsewhere_are_left_out_by_parameter if {
	facts := sample.with_subject(person(health(900)), "DE", 900)
	count(policy.effects) == 0 with input as facts
		with data.ringfence.params.hipaa_on_prem_only as params
		with data.ringfence.params.hipaa_on_prem_only.us_only as true
}

test_subjects_of_the_united_states_are_not_left_out if {
	facts := sample.with_subject(person(health(900)), "US-CA", 900)
	sample.rules(policy.effects) == both with input as facts
		with data.ringfence.params.hipaa_on_prem_only as params
		with data.ringfence.params.hipaa_on_prem_only.us_only as true
}

test_who_cannot_be_placed_is_not_left_out if {
	sample.rules(policy.effects) == both with input as person(health(900))
		with data.ringfence.params.hipaa_on_prem_only as params
		with data.ringfence.params.hipaa_on_prem_only.us_only as true
}

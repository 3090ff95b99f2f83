package ringfence.policy.hipaa_minimum_necessary_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.hipaa_minimum_necessary as policy

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
	"identifier_types": [
		"PERSON",
		"LOCATION",
		"GEOHASH",
		"DATE_TIME",
		"AGE",
		"PHONE_NUMBER",
		"URL",
		"IP_ADDRESS",
		"UUID",
		"USER_AGENT",
	],
	"identifier_categories": [
		"address",
		"bank",
		"card",
		"contact",
		"crypto",
		"device",
		"driving_licence",
		"health",
		"national_id",
		"passport",
		"personal",
		"social_security",
		"tax",
		"vehicle",
	],
	"kept_types": [],
	"operator": "replace",
}

person(facts) := sample.with_entity(facts, "other", "PERSON", 900, false)

health(permille) := sample.with_label(sample.clean, "health", permille)

member := sample.with_entity(sample.clean, "health", "US_HEALTH_INSURANCE_MEMBER_hipaa_minimum_necessary", 900, false)

marked := person(sample.changed(sample.clean, "classification", "residency_labels", ["HIPAA"]))

least := params.label_permille

one := {["redact", "identifier"]}

types(names) := sample.changed(health(900), "classification", "entities", [found |
	some name in object.keys(names)
	found := {
		"category": names[name],
		"type": name,
		"count": 1,
		"max_permille": 900,
		"validated": true,
		"where": ["user"],
	}
])

safe_harbour := {
	"PERSON": "other",
	"US_ZIP_CODE": "address",
	"DATE_OF_BIRTH": "personal",
	"DATE_TIME": "personal",
	"AGE": "personal",
	"PHONE_NUMBER": "other",
	"EMAIL_ADDRESS": "contact",
	"US_SSN": "social_security",
	"MEDICAL_RECORD_NUMBER": "health",
	"US_MBI": "health",
	"US_BANK_NUMBER": "bank",
	"US_DRIVER_LICENSE": "driving_licence",
	"VIN": "vehicle",
	"IMEI": "device",
	"URL": "network",
	"IP_ADDRESS": "network",
	"UUID": "network",
}

replaced := {effect |
	some name in object.keys(safe_harbour)
	effect := {"effect": "redact", "rule": "identifier", "code": "identifier_replaced", "params": {"entity": name, "operator": "replace"}}
}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"a person and no health": {"input": person(sample.clean), "rules": set()},
	"health of nobody": {"input": health(900), "rules": set()},
	"health of a person": {"input": person(health(900)), "rules": one},
	"identifiers of the safe harbour": {"input": types(safe_harbour), "rules": one, "effects": replaced},
	"codes of diagnosis, procedure and drug": {"input": types({"ICD10_CODE": "health", "CPT_CODE": "health", "US_NDC": "health"}), "rules": set()},
	"a member number needs no topic": {"input": member, "rules": one},
	"a marked document": {"input": marked, "rules": one},
	"another marking": {"input": person(sample.changed(sample.clean, "classification", "residency_labels", ["GDPR"])), "rules": set()},
	"subject elsewhere": {"input": sample.with_subject(person(health(900)), "DE", 900), "rules": one},
	"alias or subdivision US-CA": {"input": sample.with_subject(person(health(900)), "US-CA", 900), "rules": one},
	"label at the threshold": {"input": person(health(least)), "rules": one},
	"label below the threshold": {"input": person(health(least - 1)), "rules": set()},
	"classification incomplete": {"input": sample.with_status(person(health(900)), "partial"), "rules": one},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.hipaa_minimum_necessary as params
}

test_a_limited_data_set_keeps_dates if {
	count(policy.effects) == count(safe_harbour) - 2 with input as types(safe_harbour)
		with data.ringfence.params.hipaa_minimum_necessary as params
		with data.ringfence.params.hipaa_minimum_necessary.kept_types as ["DATE_TIME", "DATE_OF_BIRTH"]
}

test_subjects_elsewhere_are_left_out_by_parameter if {
	facts := sample.with_subject(person(health(900)), "DE", 900)
	count(policy.effects) == 0 with input as facts
		with data.ringfence.params.hipaa_minimum_necessary as params
		with data.ringfence.params.hipaa_minimum_necessary.us_only as true
}

test_a_subdivision_of_the_united_states_is_not_left_out if {
	facts := sample.with_subject(person(health(900)), "US-CA", 900)
	count(policy.effects) == 1 with input as facts
		with data.ringfence.params.hipaa_minimum_necessary as params
		with data.ringfence.params.hipaa_minimum_necessary.us_only as true
}

test_who_cannot_be_placed_is_not_left_out if {
	count(policy.effects) == 1 with input as person(health(900))
		with data.ringfence.params.hipaa_minimum_necessary as params
		with data.ringfence.params.hipaa_minimum_necessary.us_only as true
}

package ringfence.policy.embeddings_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.embeddings as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"in_region": false,
	"retain_days": 1096,
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
}

regional := sample.put(params, "in_region", true)

vectors := sample.with_request(sample.clean, "operation", "embeddings")

person := sample.with_entity(vectors, "contact", "EMAIL_ADDRESS", 900, false)

held := {["pin", "own_machines"], ["audit", "recorded"]}

within := {["pin", "in_region"], ["audit", "recorded"]}

recorded := {
	"effect": "audit",
	"rule": "recorded",
	"code": "personal_embeddings",
	"params": {"level": "decision", "retain_days": 1096},
}

own := {
	"effect": "pin",
	"rule": "own_machines",
	"code": "embeddings_pinned",
	"params": {"tiers": {"any": ["device", "edge", "on_prem", "private_cluster"]}},
}

in_the_region(countries) := {
	"effect": "pin",
	"rule": "in_region",
	"code": "embeddings_pinned",
	"params": {"countries": {"any": countries}},
}

# Personal data counts at any confidence: the only threshold is that of a data subject's country.

cases := {
	"personal data": {"input": person, "rules": held, "effects": {own, recorded}},
	"nothing personal": {"input": vectors, "rules": set()},
	"a public company number": {"input": sample.with_entity(vectors, "company", "DE_HANDELSREGISTER", 900, true), "rules": set()},
	"a chat with the same data": {"input": sample.with_request(person, "operation", "chat"), "rules": set()},
	"a model listing": {"input": sample.with_request(person, "operation", "list_models"), "rules": set()},
	"a doubtful finding": {"input": sample.with_entity(vectors, "contact", "EMAIL_ADDRESS", 1, false), "rules": held},
	"classification incomplete": {"input": sample.with_status(vectors, "partial"), "rules": held},
	"a body that was not read to its end": {"input": sample.with_parse(vectors, "truncated", true), "rules": held},
	"a caller in Germany changes nothing": {"input": sample.with_origin(person, "DE"), "rules": held},
}

regional_cases := {
	"a caller in the EEA": {"input": sample.with_origin(person, "DE"), "rules": within, "effects": {in_the_region(["EEA"]), recorded}},
	"a caller and a subject in the EEA": {"input": sample.with_subject(sample.with_origin(person, "DE"), "FR-75", 900), "rules": within},
	"a caller in Brazil": {"input": sample.with_origin(person, "BR"), "rules": within, "effects": {in_the_region(["BR"]), recorded}},
	"a caller under a customary code": {"input": sample.with_origin(person, "UK"), "rules": within, "effects": {in_the_region(["GB"]), recorded}},
	"people of two regions": {"input": sample.with_subject(sample.with_origin(person, "DE"), "US", 900), "rules": held, "effects": {own, recorded}},
	"people of two countries outside the EEA": {"input": sample.with_subject(sample.with_origin(person, "BR"), "US", 900), "rules": held},
	"a subject at the threshold": {"input": sample.with_subject(sample.with_origin(person, "DE"), "US", 300), "rules": held},
	"a subject below the threshold": {"input": sample.with_subject(sample.with_origin(person, "DE"), "US", 299), "rules": within},
	"nobody known": {"input": person, "rules": held},
	"nothing personal": {"input": sample.with_origin(vectors, "DE"), "rules": set()},
	"classification incomplete": {"input": sample.with_status(sample.with_origin(vectors, "DE"), "partial"), "rules": within},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.embeddings as params
}

test_regional_cases[name] if {
	some name, case in regional_cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.embeddings as regional
}

package ringfence.policy.unknown_model_provider_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.unknown_model_provider as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"action": "pin",
	"models": {},
	"prefixes": [],
	"providers": [],
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
}

pinned := {
	"effect": "pin",
	"rule": "unknown_model",
	"code": "model_not_reviewed",
	"params": {"tiers": {"any": ["device", "edge", "on_prem", "private_cluster"]}},
}

# A model is reviewed or not: no threshold.

cases := {
	"a model that nobody reviewed": {"input": sample.clean, "rules": {["pin", "unknown_model"]}, "effects": {pinned}},
	"no model": {"input": sample.with_request(sample.clean, "model", ""), "rules": {["pin", "unknown_model"]}},
	"a model listing": {"input": sample.with_request(sample.clean, "operation", "list_models"), "rules": set()},
	"classification incomplete": {"input": sample.with_status(sample.clean, "partial"), "rules": {["pin", "unknown_model"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.unknown_model_provider as params
}

package ringfence.policy.local_first_latency_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.local_first_latency as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"attribute": "latency_class",
	"classes": {"interactive": true, "realtime": true},
	"max_messages": 6,
	"max_tokens": 500,
	"models": {},
	"tiers": ["device", "edge"],
}

pinned := {
	"effect": "pin",
	"rule": "small_request",
	"code": "small_request_pinned",
	"params": {"tiers": {"any": ["device", "edge"]}},
}

urgent := {
	"effect": "pin",
	"rule": "urgent_request",
	"code": "urgent_request_pinned",
	"params": {"tiers": {"any": ["device", "edge"]}},
}

# Too long to be served nearby for its size, of a caller with these attributes.
long(attributes) := sample.put(
	sample.with_request(sample.clean, "tokens_est", 9000),
	"principal",
	{"id": "p", "kind": "user", "tenant": "t", "attributes": attributes},
)

cases := {
	"a long request of a class that cannot wait": {"input": long({"latency_class": "interactive"}), "rules": {["pin", "urgent_request"]}, "effects": {urgent}},
	"a long request of a class that can": {"input": long({"latency_class": "batch"}), "rules": set()},
	"a long request of no class": {"input": long({}), "rules": set()},
	"a short question": {"input": sample.clean, "rules": {["pin", "small_request"]}, "effects": {pinned}},
	"tokens at the threshold": {"input": sample.with_request(sample.clean, "tokens_est", 500), "rules": {["pin", "small_request"]}},
	"tokens above the threshold": {"input": sample.with_request(sample.clean, "tokens_est", 501), "rules": set()},
	"messages at the threshold": {"input": sample.with_request(sample.clean, "messages", 6), "rules": {["pin", "small_request"]}},
	"messages above the threshold": {"input": sample.with_request(sample.clean, "messages", 7), "rules": set()},
	"an agent": {"input": sample.with_request(sample.clean, "tools", ["get_weather"]), "rules": set()},
	"a model listing": {"input": sample.with_request(sample.clean, "operation", "list_models"), "rules": set()},
	"classification incomplete": {"input": sample.with_status(sample.clean, "partial"), "rules": {["pin", "small_request"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.local_first_latency as params
}

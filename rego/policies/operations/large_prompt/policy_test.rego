package ringfence.policy.large_prompt_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.large_prompt as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"max_bytes": 2097152,
	"max_messages": 500,
	"pin_from_bytes": 262144,
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
}

pinned := {
	"effect": "pin",
	"rule": "large",
	"code": "large_request_pinned",
	"params": {"tiers": {"any": ["device", "edge", "on_prem", "private_cluster"]}},
}

cases := {
	"a question": {"input": sample.clean, "rules": set()},
	"below the first threshold": {"input": sample.with_request(sample.clean, "bytes", 262143), "rules": set()},
	"at the first threshold": {"input": sample.with_request(sample.clean, "bytes", 262144), "rules": {["pin", "large"]}, "effects": {pinned}},
	"at the second threshold": {"input": sample.with_request(sample.clean, "bytes", 2097152), "rules": {["pin", "large"]}},
	"above the second threshold": {"input": sample.with_request(sample.clean, "bytes", 2097153), "rules": {["pin", "large"], ["deny", "too_large"]}},
	"as many messages as may be": {"input": sample.with_request(sample.clean, "messages", 500), "rules": set()},
	"one message too many": {"input": sample.with_request(sample.clean, "messages", 501), "rules": {["deny", "too_many_messages"]}},
	"classification incomplete": {"input": sample.with_status(sample.with_request(sample.clean, "bytes", 262144), "timeout"), "rules": {["pin", "large"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.large_prompt as params
}

package ringfence.policy.baseline_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.baseline as policy

cases := {
	"inspected chat is allowed": {"input": sample.clean, "rules": {["allow", "inspected"]}},
	"model listing is allowed": {"input": sample.with_status(sample.with_request(sample.clean, "operation", "list_models"), "skipped"), "rules": {["allow", "model_listing"]}},
	"unknown operation is not allowed": {"input": sample.with_request(sample.clean, "operation", "unknown"), "rules": set()},
	"classification partial is not allowed": {"input": sample.with_status(sample.clean, "partial"), "rules": set()},
	"classification timeout is not allowed": {"input": sample.with_status(sample.clean, "timeout"), "rules": set()},
	"classification failed is not allowed": {"input": sample.with_status(sample.clean, "failed"), "rules": set()},
	"classification skipped is not allowed": {"input": sample.with_status(sample.clean, "skipped"), "rules": set()},
	"body partial is not allowed": {"input": sample.with_parse(sample.clean, "status", "partial"), "rules": set()},
	"body failed is not allowed": {"input": sample.with_parse(sample.clean, "status", "failed"), "rules": set()},
	"body unsupported is not allowed": {"input": sample.with_parse(sample.clean, "status", "unsupported"), "rules": set()},
	"truncated body is not allowed": {"input": sample.with_parse(sample.clean, "truncated", true), "rules": set()},
	"media is not allowed": {"input": sample.with_request(sample.clean, "media", ["image"]), "rules": set()},
	"unread part is not allowed": {"input": sample.with_request(sample.clean, "uninspected", [{"reason": "unknown_field", "count": 1}]), "rules": set()},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input
}

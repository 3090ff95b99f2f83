package ringfence.policy.uninspected_content_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.uninspected_content as policy

image := sample.with_request(sample.clean, "media", ["image"])

allowed := {"effect": "allow", "rule": "own_machines", "code": "uninspected_allowed", "params": {}}

pinned := {
	"effect": "pin",
	"rule": "own_machines",
	"code": "uninspected_pinned",
	"params": {"tiers": {"any": ["device", "on_prem"]}},
}

cases := {
	"inspected request": {"input": sample.clean, "rules": set()},
	"media": {"input": image, "rules": {["allow", "own_machines"], ["pin", "own_machines"]}, "effects": {allowed, pinned}},
	"unread part": {"input": sample.with_request(sample.clean, "uninspected", [{"reason": "unknown_field", "count": 1}]), "rules": {["allow", "own_machines"], ["pin", "own_machines"]}},
	"partial body": {"input": sample.with_parse(sample.clean, "status", "partial"), "rules": {["allow", "own_machines"], ["pin", "own_machines"]}},
	"truncated body": {"input": sample.with_parse(sample.clean, "truncated", true), "rules": {["allow", "own_machines"], ["pin", "own_machines"]}},
	"failed body": {"input": sample.with_parse(sample.clean, "status", "failed"), "rules": {["deny", "not_parsed"]}},
	"unsupported body": {"input": sample.with_parse(sample.clean, "status", "unsupported"), "rules": {["deny", "not_parsed"]}},
	"classification partial": {"input": sample.with_status(sample.clean, "partial"), "rules": {["deny", "not_classified"]}},
	"classification timeout": {"input": sample.with_status(sample.clean, "timeout"), "rules": {["deny", "not_classified"]}},
	"classification failed": {"input": sample.with_status(sample.clean, "failed"), "rules": {["deny", "not_classified"]}},
	"classification skipped": {"input": sample.with_status(sample.clean, "skipped"), "rules": {["deny", "not_classified"]}},
	"classification of media incomplete": {"input": sample.with_status(image, "partial"), "rules": {["deny", "not_classified"]}},
	"model listing needs no classification": {"input": sample.with_status(sample.with_request(sample.clean, "operation", "list_models"), "skipped"), "rules": set()},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input
}

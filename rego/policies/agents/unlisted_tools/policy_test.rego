package ringfence.policy.unlisted_tools_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.unlisted_tools as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"allowed": {},
	"groups": {},
}

refused := {
	"effect": "deny",
	"rule": "unlisted",
	"code": "tool_not_listed",
	"params": {"status": 403, "message_id": "denied", "message_params": {"tools": 1}},
}

# A tool is listed or not: no threshold.

cases := {
	"no tools": {"input": sample.clean, "rules": set()},
	"a tool that is not listed": {"input": sample.with_request(sample.clean, "tools", ["shell"]), "rules": {["deny", "unlisted"]}, "effects": {refused}},
	"two of them": {"input": sample.with_request(sample.clean, "tools", ["shell", "web"]), "rules": {["deny", "unlisted"]}},
	"a group that is not listed": {"input": sample.changed(sample.with_request(sample.clean, "tools", ["shell"]), "principal", "groups", ["g"]), "rules": {["deny", "unlisted"]}},
	"classification incomplete": {"input": sample.with_status(sample.with_request(sample.clean, "tools", ["shell"]), "failed"), "rules": {["deny", "unlisted"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.unlisted_tools as params
}

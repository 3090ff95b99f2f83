package ringfence.policy.secrets_in_tool_arguments_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.secrets_in_tool_arguments as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"min_permille": 400,
}

found(category, type, permille, where) := {
	"category": category,
	"type": type,
	"count": 1,
	"max_permille": permille,
	"validated": false,
	"where": where,
}

verified(type, permille, where) := sample.put(found("credential", type, permille, where), "validated", true)

with_found(entities) := sample.changed(sample.clean, "classification", "entities", entities)

refused := {
	"effect": "deny",
	"rule": "in_arguments",
	"code": "credentials_in_tool_arguments",
	"params": {"status": 403, "message_id": "credentials_found"},
}

reported := {
	"effect": "audit",
	"rule": "secret_at_tool",
	"code": "credentials_at_tool",
	"params": {"level": "decision", "alert": true},
}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"a key in the user's words is another policy's": {"input": with_found([found("credential", "API_KEY", 900, ["user"])]), "rules": set()},
	"an address in arguments": {"input": with_found([found("contact", "EMAIL_ADDRESS", 900, ["args"])]), "rules": set()},
	"a key in arguments": {"input": with_found([found("credential", "API_KEY", 900, ["args"])]), "rules": {["deny", "in_arguments"], ["audit", "secret_at_tool"]}, "effects": {refused, reported}},
	"a key in a result": {"input": with_found([found("credential", "JWT", 900, ["tool"])]), "rules": {["redact", "in_result"], ["audit", "secret_at_tool"]}},
	"a key in both": {"input": with_found([found("credential", "JWT", 900, ["args", "tool"])]), "rules": {["deny", "in_arguments"], ["redact", "in_result"], ["audit", "secret_at_tool"]}},
	"a key with a valid checksum": {"input": with_found([verified("API_KEY", 0, ["args"])]), "rules": {["deny", "in_arguments"], ["audit", "secret_at_tool"]}},
	"confidence at the threshold": {"input": with_found([found("credential", "API_KEY", 400, ["args"])]), "rules": {["deny", "in_arguments"], ["audit", "secret_at_tool"]}},
	"confidence below the threshold": {"input": with_found([found("credential", "API_KEY", 399, ["args"])]), "rules": set()},
	"classification incomplete": {"input": sample.with_status(with_found([found("credential", "API_KEY", 900, ["args"])]), "partial"), "rules": {["deny", "in_arguments"], ["audit", "secret_at_tool"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.secrets_in_tool_arguments as params
}

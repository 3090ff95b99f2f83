package ringfence.policy.tool_call_arguments_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.tool_call_arguments as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"max_kinds": 8,
	"min_permille": 500,
	"operator": "replace",
}

found(category, type, permille, where) := {
	"category": category,
	"type": type,
	"count": 1,
	"max_permille": permille,
	"validated": false,
	"where": where,
}

verified(category, type, permille, where) := sample.put(found(category, type, permille, where), "validated", true)

with_found(entities) := sample.changed(sample.clean, "classification", "entities", entities)

replaced := {
	"effect": "redact",
	"rule": "personal_argument",
	"code": "tool_argument_replaced",
	"params": {"entity": "EMAIL_ADDRESS", "operator": "replace", "where": ["args"]},
}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"an address in the user's words": {"input": with_found([found("contact", "EMAIL_ADDRESS", 900, ["user"])]), "rules": set()},
	"an address in arguments": {"input": with_found([found("contact", "EMAIL_ADDRESS", 900, ["args", "user"])]), "rules": {["redact", "personal_argument"]}, "effects": {replaced}},
	"no personal data in arguments": {"input": with_found([found("other", "DATE_TIME", 900, ["args"])]), "rules": set()},
	"a number with a valid checksum": {"input": with_found([verified("tax", "DE_TAX_ID", 0, ["args"])]), "rules": {["redact", "personal_argument"]}},
	"confidence at the threshold": {"input": with_found([found("contact", "EMAIL_ADDRESS", 500, ["args"])]), "rules": {["redact", "personal_argument"]}},
	"confidence below the threshold": {"input": with_found([found("contact", "EMAIL_ADDRESS", 499, ["args"])]), "rules": set()},
	"classification incomplete": {"input": sample.with_status(with_found([found("contact", "EMAIL_ADDRESS", 900, ["args"])]), "timeout"), "rules": {["redact", "personal_argument"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.tool_call_arguments as params
}

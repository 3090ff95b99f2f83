# METADATA
# title: Personal data in the arguments of tool calls is replaced
# description: >-
#   What a model passes to a tool goes to a system behind it, and comes back with the history of the conversation.
#   Personal data found in arguments (`where` has `args`) is replaced there and nowhere else. It sees calls that are
#   part of a request; a call in an answer that is on its way to the caller is not inspected.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: tool_call_arguments
#   version: "1.1.0"
#   owner: agents
#   severity: medium
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR Art. 5(1)(c) (data minimisation)
#     - OWASP Top 10 for LLM Applications 2025, LLM06 (excessive agency)
#   remedy: Pass an identifier of your own to the tool instead of personal data.
package ringfence.policy.tool_call_arguments

import data.ringfence.lib.content

# METADATA
# description: One replacement for each kind of value, in the arguments alone.
effects contains {
	"effect": "redact",
	"rule": "personal_argument",
	"code": "tool_argument_replaced",
	"params": {
		"entity": type,
		"operator": data.ringfence.params.tool_call_arguments.operator,
		"where": ["args"],
	},
} if {
	some type in _personal_arguments
}

# METADATA
# description: Arguments with many kinds of personal data are an export, not a call.
effects contains {
	"effect": "deny",
	"rule": "too_many_kinds",
	"code": "tool_arguments_blocked",
	"params": {"status": 403, "message_id": "content_blocked"},
} if {
	count(_personal_arguments) > data.ringfence.params.tool_call_arguments.max_kinds
}

_personal_arguments contains entity.type if {
	some entity in input.classification.entities
	"args" in entity.where
	content.personal[entity.type]
	_likely(entity)
}

_likely(entity) if entity.validated

_likely(entity) if entity.max_permille >= data.ringfence.params.tool_call_arguments.min_permille

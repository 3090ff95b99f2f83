# METADATA
# title: Very large requests stay on own machines, larger ones are refused
# description: >-
#   A request of this size is a document or a table, not a question: it takes more data out at once than anybody reads.
#   Beyond `pin_from_bytes` own machines serve it, beyond `max_bytes` or `max_messages` nobody does. Envoy's own limits
#   come first.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: large_prompt
#   version: "1.0.0"
#   owner: operations
#   severity: medium
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR Art. 5(1)(c) (data minimisation)
#     - OWASP Top 10 for LLM Applications 2025, LLM10 (unbounded consumption)
#   remedy: Send only the part of the document or conversation that the question is about.
package ringfence.policy.large_prompt

# METADATA
# description: Large, and so kept near.
effects contains {
	"effect": "pin",
	"rule": "large",
	"code": "large_request_pinned",
	"params": {"tiers": {"any": data.ringfence.params.large_prompt.tiers}},
} if {
	input.request.bytes >= data.ringfence.params.large_prompt.pin_from_bytes
}

# METADATA
# description: Too large for a conversation.
effects contains {
	"effect": "deny",
	"rule": "too_large",
	"code": "request_too_large",
	"params": {
		"status": 413,
		"message_id": "request_too_large",
		"message_params": {"limit": data.ringfence.params.large_prompt.max_bytes},
	},
} if {
	input.request.bytes > data.ringfence.params.large_prompt.max_bytes
}

# METADATA
# description: Too many turns for a conversation.
effects contains {
	"effect": "deny",
	"rule": "too_many_messages",
	"code": "request_too_large",
	"params": {
		"status": 413,
		"message_id": "request_too_large",
		"message_params": {"limit": data.ringfence.params.large_prompt.max_messages},
	},
} if {
	input.request.messages > data.ringfence.params.large_prompt.max_messages
}

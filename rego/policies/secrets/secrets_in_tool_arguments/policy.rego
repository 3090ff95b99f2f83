# METADATA
# title: No secret reaches a tool or comes back from one
# description: >-
#   `credentials` judges a whole request. Tools need a harder line: a secret in the arguments of a call is refused at a
#   lower confidence, because a system behind the tool would keep it. One that a tool has returned is replaced, since
#   the user did not write it and cannot take it out.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: secrets_in_tool_arguments
#   version: "1.0.0"
#   owner: security
#   severity: critical
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - NIST SP 800-53 Rev. 5 IA-5(7) (no embedded unencrypted authenticators)
#     - OWASP Top 10 for LLM Applications 2025, LLM02 (sensitive information disclosure)
#   remedy: Let the tool fetch the credential from a vault, and revoke the one that was sent.
package ringfence.policy.secrets_in_tool_arguments

# METADATA
# description: A secret in an argument has left as soon as the tool is called.
effects contains {
	"effect": "deny",
	"rule": "in_arguments",
	"code": "credentials_in_tool_arguments",
	"params": {"status": 403, "message_id": "credentials_found"},
} if {
	some entity in input.classification.entities
	_secret(entity)
	"args" in entity.where
}

# METADATA
# description: What a tool printed is cleaned before the model reads it.
effects contains {
	"effect": "redact",
	"rule": "in_result",
	"code": "credential_replaced",
	"params": {"entity": entity.type, "operator": "replace", "where": ["tool"]},
} if {
	some entity in input.classification.entities
	_secret(entity)
	"tool" in entity.where
}

# METADATA
# description: Somebody revokes it.
effects contains {
	"effect": "audit",
	"rule": "secret_at_tool",
	"code": "credentials_at_tool",
	"params": {"level": "decision", "alert": true},
} if {
	some entity in input.classification.entities
	_secret(entity)
	some role in ["args", "tool"]
	role in entity.where
}

_secret(entity) if {
	data.ringfence.categories.credentials[entity.category]
	_likely(entity)
}

_likely(entity) if entity.validated

_likely(entity) if entity.max_permille >= data.ringfence.params.secrets_in_tool_arguments.min_permille

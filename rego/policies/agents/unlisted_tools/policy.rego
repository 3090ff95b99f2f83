# METADATA
# title: A request offers no tool but those on the list
# description: >-
#   A tool that a request offers to a model is a permission given to it. With `allowed` empty every tool is refused.
#   Members of a group in `groups` may offer any tool, which is reported.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: unlisted_tools
#   version: "1.0.0"
#   owner: agents
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - OWASP Top 10 for LLM Applications 2025, LLM06 (excessive agency)
#     - NIST SP 800-53 Rev. 5 AC-6 (least privilege), CM-7(5) (allow by exception)
#   remedy: Remove the tools that are not on your organisation's list, or ask the owner of the list to add them.
package ringfence.policy.unlisted_tools

# METADATA
# description: The first unlisted tool is one too many.
effects contains {
	"effect": "deny",
	"rule": "unlisted",
	"code": "tool_not_listed",
	"params": {"status": 403, "message_id": "denied", "message_params": {"tools": count(_unlisted)}},
} if {
	count(_unlisted) > 0
	not _trusted
}

# METADATA
# description: An exception is visible.
effects contains {
	"effect": "audit",
	"rule": "exception",
	"code": "tool_not_listed",
	"params": {"level": "decision", "alert": false},
} if {
	count(_unlisted) > 0
	_trusted
}

_unlisted contains tool if {
	some tool in input.request.tools
	not data.ringfence.params.unlisted_tools.allowed[tool]
}

_trusted if {
	some group in input.principal.groups
	data.ringfence.params.unlisted_tools.groups[group]
}

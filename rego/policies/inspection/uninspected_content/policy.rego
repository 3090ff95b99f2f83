# METADATA
# title: What could not be inspected stays on machines of the organisation
# description: >-
#   An image, an unknown field or a body that ends early cannot be judged. It may be served by a device or a node on the
#   premises and by nothing else. A request that was not read or not classified at all is refused.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: uninspected_content
#   version: "1.0.0"
#   owner: security
#   severity: high
#   mode: enforce
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR Art. 5(1)(f), Art. 25, Art. 32
#   remedy: Send one valid JSON document with text only, and retry shortly where the status is 503.
package ringfence.policy.uninspected_content

import data.ringfence.lib.content

# METADATA
# description: Detection did not finish, so nothing is known about the text.
effects contains {
	"effect": "deny",
	"rule": "not_classified",
	"code": "detector_unavailable",
	"params": {"status": 503, "message_id": "detector_unavailable", "retry_after_s": 1},
} if {
	not content.classified
}

# METADATA
# description: The body could not be read.
effects contains {
	"effect": "deny",
	"rule": "not_parsed",
	"code": "malformed_request",
	"params": {"status": 400, "message_id": "malformed_request"},
} if {
	not _parsed_partly
}

# METADATA
# description: What was read in part is allowed, on the terms of the pin beside this rule.
effects contains {"effect": "allow", "rule": "own_machines", "code": "uninspected_allowed", "params": {}} if {
	_uninspected
}

# METADATA
# description: Only machines that the organisation holds itself.
effects contains {
	"effect": "pin",
	"rule": "own_machines",
	"code": "uninspected_pinned",
	"params": {"tiers": {"any": ["device", "on_prem"]}},
} if {
	_uninspected
}

_parsed_partly if input.request.parse.status in {"ok", "partial"}

_uninspected if {
	content.classified
	_parsed_partly
	not content.read_wholly
}

# METADATA
# title: Small and urgent requests are answered nearby
# description: >-
#   A short question gains nothing from a distant model and pays for the way. A request within all limits goes to a
#   device or an edge node and to nothing else; so does one of whatever size whose caller is of a latency class that
#   cannot wait (`classes`, the values of the attribute `attribute` that a trusted proxy sets). A pin is no preference:
#   where no node of these tiers serves the model, the request is refused, so list the models that they serve in
#   `models` (none listed: all count).
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: local_first_latency
#   version: "1.1.0"
#   owner: operations
#   severity: low
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - ISO/IEC 25010:2023, performance efficiency (time behaviour)
#   remedy: Ask for a model that a device or an edge node serves, or send the whole context.
package ringfence.policy.local_first_latency

# METADATA
# description: Within every limit, for a model that is served there.
effects contains {
	"effect": "pin",
	"rule": "small_request",
	"code": "small_request_pinned",
	"params": {"tiers": {"any": data.ringfence.params.local_first_latency.tiers}},
} if {
	_served_there
	input.request.tokens_est <= data.ringfence.params.local_first_latency.max_tokens
	input.request.messages <= data.ringfence.params.local_first_latency.max_messages
	count(input.request.tools) == 0
}

# METADATA
# description: Who cannot wait for the way there and back.
effects contains {
	"effect": "pin",
	"rule": "urgent_request",
	"code": "urgent_request_pinned",
	"params": {"tiers": {"any": data.ringfence.params.local_first_latency.tiers}},
} if {
	_served_there
	class := input.principal.attributes[data.ringfence.params.local_first_latency.attribute]
	data.ringfence.params.local_first_latency.classes[class]
}

_served_there if data.ringfence.params.local_first_latency.models[input.request.model]

_served_there if {
	count(data.ringfence.params.local_first_latency.models) == 0
	input.request.operation == "chat"
}

# METADATA
# title: Only what was inspected completely is allowed
# description: The one general allow. What it does not name is refused, because the default is deny.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: baseline
#   version: "1.0.0"
#   owner: security
#   severity: high
#   mode: enforce
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR Art. 25(2), data protection by default
#     - NIST SP 800-207, section 2.1
package ringfence.policy.baseline

import data.ringfence.lib.content

# METADATA
# description: A request whose body was read and classified to its end.
effects contains {"effect": "allow", "rule": "inspected", "code": "inspected", "params": {}} if {
	input.request.operation == "chat"
	content.classified
	content.read_wholly
}

# METADATA
# description: Listing the models sends no data of anybody.
effects contains {"effect": "allow", "rule": "model_listing", "code": "model_listing", "params": {}} if {
	content.bodyless
	content.read_wholly
}

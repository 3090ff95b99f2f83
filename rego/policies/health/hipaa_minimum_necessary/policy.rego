# METADATA
# title: Protected health information goes to a model without the identifiers that HIPAA names
# description: >-
#   The minimum necessary standard (45 CFR 164.502(b)) and de-identification by the safe harbour of 45 CFR
#   164.514(b)(2). Where text is about somebody's health, each entity type that stands for one of the eighteen
#   identifiers (A) to (R) is replaced. Dates and ages are replaced whole, because a policy sees that they are there and
#   not whether a year or an age below 90 would do. Photographs and biometrics (P, Q) are no text: see
#   `uninspected_media`. Names of places as large as a state are replaced with the others. A finding that detection
#   missed is not replaced, so this is a measure and no certificate of de-identification.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: hipaa_minimum_necessary
#   version: "1.0.0"
#   owner: privacy
#   severity: critical
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - HIPAA Privacy Rule, 45 CFR 164.502(b), 164.514(d), minimum necessary (compliance since 2003-04-14)
#     - 45 CFR 164.514(b)(2)(i)(A) to (R), safe harbour; 164.514(e), limited data set
#     - 45 CFR 160.103, protected health information
#   remedy: Leave out names, dates, places and numbers of the patient.
package ringfence.policy.hipaa_minimum_necessary

import data.ringfence.lib.content
import data.ringfence.lib.topics
import data.ringfence.lib.transfers

# METADATA
# description: Every identifier of 164.514(b)(2)(i), as a type or as a category.
effects contains {
	"effect": "redact",
	"rule": "identifier",
	"code": "identifier_replaced",
	"params": {"entity": type, "operator": data.ringfence.params.hipaa_minimum_necessary.operator},
} if {
	_phi
	some type in _identifiers
	not type in data.ringfence.params.hipaa_minimum_necessary.kept_types
}

_identifiers contains entity.type if {
	some entity in input.classification.entities
	entity.type in data.ringfence.params.hipaa_minimum_necessary.identifier_types
}

_identifiers contains entity.type if {
	some entity in input.classification.entities
	entity.category in data.ringfence.params.hipaa_minimum_necessary.identifier_categories
	not data.ringfence.entities.impersonal[entity.type]
}

_phi if {
	_health
	topics.of_somebody
	_reached
}

_health if topics.labelled(
	data.ringfence.params.hipaa_minimum_necessary.labels,
	data.ringfence.params.hipaa_minimum_necessary.label_permille,
)

_health if {
	some marking in input.classification.residency_labels
	marking in data.ringfence.params.hipaa_minimum_necessary.markings
}

# A number that the health system gave to a person is health information by itself.
_health if {
	some entity in input.classification.entities
	entity.category == "health"
	content.personal[entity.type]
}

_reached if not data.ringfence.params.hipaa_minimum_necessary.us_only

_reached if "US" in transfers.parties

_reached if count(transfers.parties) == 0

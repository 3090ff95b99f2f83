# METADATA
# title: Health data about a person stays on machines of the organisation
# description: >-
#   Health data is a special category (Art. 9 GDPR) and protected health information (HIPAA). A text about health that
#   names somebody, or whose subject is known, goes to nodes that no other customer shares. National identifiers are
#   replaced, as de-identification under 45 CFR 164.514(b)(2) asks.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: health_data
#   version: "1.0.0"
#   owner: privacy
#   severity: critical
#   mode: enforce
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR Art. 9(1), Art. 32
#     - HIPAA Privacy Rule, 45 CFR 164.514
#   remedy: Remove what says whose health it is, or choose a model on a machine of the organisation.
package ringfence.policy.health_data

import data.ringfence.lib.content
import data.ringfence.lib.jurisdiction

# METADATA
# description: No cloud that others share.
effects contains {
	"effect": "pin",
	"rule": "own_machines",
	"code": "health_data_pinned",
	"params": {"tiers": {"any": ["device", "on_prem", "private_cluster"]}},
} if {
	_health_of_somebody
}

# METADATA
# description: For subjects in the EU and the EEA the machines stand there.
effects contains {
	"effect": "pin",
	"rule": "eea_subject",
	"code": "health_data_pinned",
	"params": {"countries": {"any": ["EEA"]}},
} if {
	_health_of_somebody
	jurisdiction.subject_in_eea
}

# METADATA
# description: National identifiers serve no medical purpose in a prompt.
effects contains {
	"effect": "redact",
	"rule": "national_identifier",
	"code": "national_identifier_replaced",
	"params": {"entity": type, "operator": "replace"},
} if {
	_health_of_somebody
	some type in content.identifiers
}

_health if {
	some label in input.classification.labels
	label.name == "health"
	label.permille >= data.ringfence.thresholds.health_label_permille
}

# A record number or a health insurance number says it as well as the words around it.
_health if {
	some entity in input.classification.entities
	entity.category == "health"
	_likely(entity)
}

_likely(entity) if entity.validated

_likely(entity) if entity.max_permille >= data.ringfence.thresholds.health_label_permille

_health_of_somebody if {
	_health
	count(content.personal) > 0
}

_health_of_somebody if {
	_health
	count(jurisdiction.subjects) > 0
}

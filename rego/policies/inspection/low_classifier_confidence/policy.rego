# METADATA
# title: A doubtful finding of personal data keeps the request on own machines
# description: >-
#   Between a finding that is certain and none lies doubt. A finding of personal data from `doubt_from` up to
#   `certain_from`, that no checksum confirms, is treated as if it may be true: the request stays on own machines and
#   the record says so.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: low_classifier_confidence
#   version: "1.1.0"
#   owner: privacy
#   severity: medium
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR Art. 25(1) (data protection by design), Art. 32(1)
#     - NIST AI 100-1 (AI RMF 1.0), MEASURE 2.5
#   remedy: Remove what looks like personal data, or choose a model on a machine of the organisation.
package ringfence.policy.low_classifier_confidence

import data.ringfence.lib.content

# METADATA
# description: Doubt is no permission.
effects contains {
	"effect": "pin",
	"rule": "doubtful_finding",
	"code": "doubtful_finding_pinned",
	"params": {"tiers": {"any": data.ringfence.params.low_classifier_confidence.tiers}},
} if {
	count(_doubtful) > 0
}

# METADATA
# description: Doubtful findings are what the detection is improved with.
effects contains {"effect": "note", "rule": "doubtful_finding", "code": "doubtful_finding", "params": {}} if {
	count(_doubtful) > 0
}

_doubtful contains entity.type if {
	some entity in input.classification.entities
	content.personal[entity.type]
	not entity.validated
	entity.max_permille >= data.ringfence.params.low_classifier_confidence.doubt_from
	entity.max_permille < data.ringfence.params.low_classifier_confidence.certain_from
}

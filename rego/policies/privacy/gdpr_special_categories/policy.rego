# METADATA
# title: Special categories of personal data stay in the EEA, without what identifies a person
# description: >-
#   Art. 9(1) GDPR forbids to process data on origin, opinions, belief, union membership, genes, biometrics, health and
#   sex life unless Art. 9(2) has a ground, and no ground asks that the data travel. Text about such a topic that
#   concerns somebody stays in the EEA, adequate countries not included, and direct identifiers are replaced. Of the
#   labels, the detector of Ringfence gives `health` alone; the others are for a classifier of your own.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: gdpr_special_categories
#   version: "1.0.0"
#   owner: privacy
#   severity: critical
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   jurisdictions: [EEA]
#   references:
#     - GDPR (Regulation (EU) 2016/679, applies since 2018-05-25) Art. 9(1), Art. 9(2)
#     - GDPR Art. 5(1)(c), Art. 25, Art. 32
#     - CJEU C-184/20 of 2022-08-01, data that reveal a special category indirectly
#   remedy: Remove what identifies the person, or use a model that runs in the EEA.
package ringfence.policy.gdpr_special_categories

import data.ringfence.lib.content
import data.ringfence.lib.topics
import data.ringfence.lib.transfers

# METADATA
# description: No transfer at all; a machine in the EEA serves as well.
effects contains {
	"effect": "pin",
	"rule": "eea_only",
	"code": "special_category_pinned",
	"params": {"countries": {"any": ["EEA"]}},
} if {
	_special
	_gdpr_reaches
}

# METADATA
# description: A model needs the facts, not the name (Art. 5(1)(c)).
effects contains {
	"effect": "redact",
	"rule": "direct_identifier",
	"code": "direct_identifier_replaced",
	"params": {"entity": type, "operator": data.ringfence.params.gdpr_special_categories.operator},
} if {
	_special
	_gdpr_reaches
	some type in content.direct_identifiers
}

_special if {
	topics.labelled(
		data.ringfence.params.gdpr_special_categories.labels,
		data.ringfence.params.gdpr_special_categories.label_permille,
	)
	topics.of_somebody
}

_special if {
	some entity in input.classification.entities
	entity.type in data.ringfence.params.gdpr_special_categories.types
}

_special if {
	some type in content.personal
	some entity in input.classification.entities
	entity.type == type
	entity.category in data.ringfence.params.gdpr_special_categories.categories
}

_gdpr_reaches if transfers.in_eea

_gdpr_reaches if {
	data.ringfence.params.gdpr_special_categories.unknown_is_eea
	count(transfers.parties) == 0
}

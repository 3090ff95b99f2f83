# METADATA
# title: Data of children stays in the EEA or an adequate country, and is not used to market or profile
# description: >-
#   Children merit specific protection (Art. 8 and recital 38 GDPR). Where the text carries the label `children`, or the
#   caller is known to be a child, direct identifiers are replaced, the data stays where the GDPR or an adequacy
#   decision protects it, and purposes that recital 38 names are refused. The age of consent is 16 unless a member state
#   lowered it (to 13 at least); whether a parent agreed is known to the caller, not here. No detector of Ringfence
#   gives the label `children`: it is for a classifier of your own.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: gdpr_children
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   jurisdictions: [EEA]
#   references:
#     - GDPR (Regulation (EU) 2016/679) Art. 8(1), Art. 6(1)(f), recitals 38, 58 and 71
#     - GDPR Art. 44, Art. 45
#   remedy: Leave out what identifies the child, and send no marketing or profiling request about children.
package ringfence.policy.gdpr_children

import data.ringfence.lib.content
import data.ringfence.lib.topics
import data.ringfence.lib.transfers

# METADATA
# description: Only where the GDPR holds or the Commission found the same protection, for every recipient there.
effects contains {
	"effect": "pin",
	"rule": "eea_or_adequate",
	"code": "child_data_pinned",
	"params": {"countries": {"any": array.concat(
		["EEA"],
		transfers.recognised(data.ringfence.transfers.eu.decisions, false),
	)}},
} if {
	_child
	_gdpr_reaches
}

# METADATA
# description: What identifies the child directly.
effects contains {
	"effect": "redact",
	"rule": "direct_identifier",
	"code": "direct_identifier_replaced",
	"params": {"entity": type, "operator": data.ringfence.params.gdpr_children.operator},
} if {
	_child
	_gdpr_reaches
	some type in content.direct_identifiers
}

# METADATA
# description: Purposes from which recital 38 protects children above all.
effects contains {
	"effect": "deny",
	"rule": "refused_purpose",
	"code": "purpose_refused_for_children",
	"params": {"status": 403, "message_id": "purpose_refused_for_children"},
} if {
	_child
	_gdpr_reaches
	input.request.purpose in data.ringfence.params.gdpr_children.refused_purposes
}

_child if topics.labelled(
	data.ringfence.params.gdpr_children.labels,
	data.ringfence.params.gdpr_children.label_permille,
)

_child if {
	some name, value in input.principal.attributes
	name == data.ringfence.params.gdpr_children.attribute
	value in data.ringfence.params.gdpr_children.attribute_values
}

_gdpr_reaches if transfers.in_eea

_gdpr_reaches if {
	data.ringfence.params.gdpr_children.unknown_is_eea
	count(transfers.parties) == 0
}

# METADATA
# title: Personal data under the GDPR leaves the EEA on a ground of chapter V only
# description: >-
#   Personal data of a caller or subject in the EEA goes to the EEA, to countries whose adequacy decision stands on the
#   day of the request, and to countries for which the operator says that it holds standard contractual clauses and a
#   transfer impact assessment; for those, direct identifiers are replaced as a supplementary measure. Unlike
#   `personal_data_third_country` it knows when a decision ends and whom it covers. Check the dates of the table before
#   relying on them.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: gdpr_transfers_chapter_v
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   jurisdictions: [EEA]
#   references:
#     - GDPR (Regulation (EU) 2016/679) Art. 3, Art. 44, Art. 45, Art. 46(2)(c)
#     - Commission Implementing Decision (EU) 2021/914 of 2021-06-04, standard contractual clauses
#     - EDPB Recommendations 01/2020, version 2.0 of 2021-06-18, supplementary measures
#     - CJEU C-311/18 of 2020-07-16
#   remedy: Use a model in the EEA or an adequate country, or have the privacy team add the country's contract clauses.
package ringfence.policy.gdpr_transfers_chapter_v

import data.ringfence.lib.content
import data.ringfence.lib.transfers

# METADATA
# description: The EEA, what is adequate today (Art. 45), and what the operator has clauses for (Art. 46(2)(c)).
effects contains {
	"effect": "pin",
	"rule": "ground_of_chapter_v",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": array.concat(["EEA"], _admitted)}},
} if {
	_in_scope
}

# METADATA
# description: Clauses bind the recipient and not its state; what identifies somebody directly stays here.
effects contains {
	"effect": "redact",
	"rule": "supplementary_measure",
	"code": "direct_identifier_replaced",
	"params": {"entity": type, "operator": data.ringfence.params.gdpr_transfers_chapter_v.operator},
} if {
	_in_scope
	data.ringfence.params.gdpr_transfers_chapter_v.supplementary_redaction
	count(data.ringfence.params.gdpr_transfers_chapter_v.scc_countries) > 0
	some type in content.direct_identifiers
}

_admitted := array.concat(
	transfers.recognised(
		data.ringfence.transfers.eu.decisions,
		data.ringfence.params.gdpr_transfers_chapter_v.partial_adequacy,
	),
	data.ringfence.params.gdpr_transfers_chapter_v.scc_countries,
)

_in_scope if {
	count(content.personal) > 0
	_gdpr_reaches
}

_gdpr_reaches if transfers.in_eea

_gdpr_reaches if {
	data.ringfence.params.gdpr_transfers_chapter_v.unknown_is_eea
	count(transfers.parties) == 0
}

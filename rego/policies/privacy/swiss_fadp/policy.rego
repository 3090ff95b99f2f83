# METADATA
# title: Personal data under the Swiss FADP goes only to listed states or where clauses are held
# description: >-
#   Personal data of a caller or subject in Switzerland goes to Switzerland, to the states of Annex 1 of the Data
#   Protection Ordinance (all of the EEA among them), and to countries for which the operator holds clauses that the
#   FDPIC recognised. Where clauses admit a country, and for sensitive personal data wherever it goes, direct
#   identifiers are replaced. Annex 1 is changed by the Federal Council: check it before relying on the table.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: swiss_fadp
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   jurisdictions: [CH]
#   references:
#     - Federal Act on Data Protection of 2020-09-25 (SR 235.1, in force 2023-09-01) Art. 5(c), Art. 6, Art. 8, Art. 16, Art. 17
#     - Data Protection Ordinance of 2022-08-31 (SR 235.11) Art. 8 to 12, Annex 1
#   remedy: Use a model in Switzerland, the EEA or another listed state, or have the privacy team add the country's clauses.
package ringfence.policy.swiss_fadp

import data.ringfence.lib.content
import data.ringfence.lib.topics
import data.ringfence.lib.transfers

# METADATA
# description: Switzerland, the states that the Federal Council listed, and what the operator has clauses for.
effects contains {
	"effect": "pin",
	"rule": "listed_state",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": array.concat(["CH", "EEA"], _admitted)}},
} if {
	_in_scope
}

# METADATA
# description: Sensitive data (Art. 5(c)), and all data where clauses stand in for the law of a state.
effects contains {
	"effect": "redact",
	"rule": "direct_identifier",
	"code": "direct_identifier_replaced",
	"params": {"entity": type, "operator": data.ringfence.params.swiss_fadp.operator},
} if {
	_in_scope
	_needs_redaction
	some type in content.direct_identifiers
}

_admitted := array.concat(
	transfers.recognised(
		data.ringfence.transfers.swiss.decisions,
		data.ringfence.params.swiss_fadp.partial_listing,
	),
	data.ringfence.params.swiss_fadp.clause_countries,
)

_needs_redaction if count(data.ringfence.params.swiss_fadp.clause_countries) > 0

_needs_redaction if topics.labelled(
	data.ringfence.params.swiss_fadp.sensitive_labels,
	data.ringfence.params.swiss_fadp.label_permille,
)

_in_scope if {
	count(content.personal) > 0
	"CH" in transfers.parties
}

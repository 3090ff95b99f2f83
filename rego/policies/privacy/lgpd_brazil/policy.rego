# METADATA
# title: Personal data under the LGPD leaves Brazil to an adequate country or under standard clauses
# description: >-
#   Personal data of a caller or subject in Brazil goes to Brazil, to what the ANPD found adequate (the EEA since
#   2026-01-26), and to countries for which the operator holds the standard clauses of Resolution CD/ANPD 19/2024; for
#   those, direct identifiers are replaced. Sensitive data (Art. 5 II) goes without the clauses, to Brazil and adequate
#   countries only, unless a parameter says otherwise.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: lgpd_brazil
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   jurisdictions: [BR]
#   references:
#     - Lei 13.709 of 2018-08-14 (LGPD) Art. 3, Art. 5 II, Art. 11, Art. 33 I and II(b)
#     - Resolution CD/ANPD 19 of 2024-08-23, international transfers and standard clauses
#     - Resolution CD/ANPD 32 of 2026-01-26, adequacy of the European Union
#   remedy: Use a model in Brazil or the EEA, or have the privacy team add the country's standard clauses.
package ringfence.policy.lgpd_brazil

import data.ringfence.lib.content
import data.ringfence.lib.topics
import data.ringfence.lib.transfers

# METADATA
# description: Brazil, what is adequate today (Art. 33 I), and what the operator has clauses for (Art. 33 II b).
effects contains {
	"effect": "pin",
	"rule": "ground_of_article_33",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": array.concat(array.concat(["BR"], _adequate), _by_clauses)}},
} if {
	_in_scope
}

# METADATA
# description: Necessity (Art. 6 III) where clauses stand in for the law of a country.
effects contains {
	"effect": "redact",
	"rule": "direct_identifier",
	"code": "direct_identifier_replaced",
	"params": {"entity": type, "operator": data.ringfence.params.lgpd_brazil.operator},
} if {
	_in_scope
	count(_by_clauses) > 0
	some type in content.direct_identifiers
}

_adequate := transfers.recognised(data.ringfence.transfers.brazil.decisions, false)

default _by_clauses := []

_by_clauses := data.ringfence.params.lgpd_brazil.clause_countries if not _held_back

_held_back if {
	not data.ringfence.params.lgpd_brazil.sensitive_under_clauses
	topics.labelled(
		data.ringfence.params.lgpd_brazil.sensitive_labels,
		data.ringfence.params.lgpd_brazil.label_permille,
	)
}

_in_scope if {
	count(content.personal) > 0
	"BR" in transfers.parties
}

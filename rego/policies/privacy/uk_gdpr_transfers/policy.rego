# METADATA
# title: Personal data under the UK GDPR goes only where a transfer is approved or clauses are held
# description: >-
#   Personal data of a caller or subject in the United Kingdom goes to the United Kingdom, to the EEA and to countries
#   whose transfers are approved by regulations (Art. 45A UK GDPR, before 2026-02-05 adequacy regulations), and to
#   countries for which the operator holds the International Data Transfer Agreement or Addendum and a transfer risk
#   assessment; for those, direct identifiers are replaced. Check the dates of the table before relying on them.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: uk_gdpr_transfers
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   jurisdictions: [GB]
#   references:
#     - UK GDPR Art. 44A, Art. 45A to 45C, Art. 46, as amended by the Data (Use and Access) Act 2025, Schedule 7 (in force 2026-02-05)
#     - Data Protection Act 2018, Schedule 21, paragraphs 4 and 5
#     - International Data Transfer Agreement and Addendum, in force 2022-03-21, under section 119A Data Protection Act 2018
#   remedy: Use a model in the United Kingdom, the EEA or an approved country, or have the privacy team add the country's agreement.
package ringfence.policy.uk_gdpr_transfers

import data.ringfence.lib.content
import data.ringfence.lib.transfers

# METADATA
# description: The United Kingdom, the EEA, what is approved today, and what the operator has an agreement for.
effects contains {
	"effect": "pin",
	"rule": "approved_transfer",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": array.concat(["EEA", "GB"], _admitted)}},
} if {
	_in_scope
}

# METADATA
# description: An agreement binds the recipient and not its state; what identifies somebody directly stays here.
effects contains {
	"effect": "redact",
	"rule": "supplementary_measure",
	"code": "direct_identifier_replaced",
	"params": {"entity": type, "operator": data.ringfence.params.uk_gdpr_transfers.operator},
} if {
	_in_scope
	count(data.ringfence.params.uk_gdpr_transfers.agreement_countries) > 0
	some type in content.direct_identifiers
}

_admitted := array.concat(
	transfers.recognised(
		data.ringfence.transfers.uk.decisions,
		data.ringfence.params.uk_gdpr_transfers.partial_approval,
	),
	data.ringfence.params.uk_gdpr_transfers.agreement_countries,
)

_in_scope if {
	count(content.personal) > 0
	"GB" in transfers.parties
}

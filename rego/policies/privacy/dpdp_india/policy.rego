# METADATA
# title: Personal data under the Indian DPDP Act goes to no restricted country, Aadhaar numbers nowhere
# description: >-
#   Section 16 of the Act lets data go abroad but for countries that the government restricts; a significant data
#   fiduciary may be bound to keep data in India that the government specifies (rule 13(4)). No country was known to be
#   restricted on the day of this table, so both are parameters. Aadhaar numbers are replaced always, as only those whom
#   the Aadhaar Act lets may use them. Children are persons below 18 (section 9). These provisions bind 18 months after
#   the notification of November 2025, so from about 2027-05-13: check the day before relying on it. Switched on, the
#   policy applies at once.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: dpdp_india
#   version: "1.0.0"
#   owner: privacy
#   severity: medium
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   jurisdictions: [IN]
#   references:
#     - Digital Personal Data Protection Act, 2023 (Act 22 of 2023) sections 3, 9, 10, 16
#     - Digital Personal Data Protection Rules, 2025 (G.S.R. 846(E) of 2025-11-13) rules 10 to 13, 15
#     - Aadhaar Act, 2016, section 29
#   remedy: Leave out Aadhaar numbers, and use a model outside the restricted countries.
package ringfence.policy.dpdp_india

import data.ringfence.lib.content
import data.ringfence.lib.topics
import data.ringfence.lib.transfers

# METADATA
# description: Countries that the Central Government restricted (section 16(1), rule 15).
effects contains {
	"effect": "pin",
	"rule": "restricted_country",
	"code": "restricted_country_excluded",
	"params": {"exclude": {"countries": data.ringfence.params.dpdp_india.restricted_countries}},
} if {
	_in_scope
	count(data.ringfence.params.dpdp_india.restricted_countries) > 0
}

# METADATA
# description: Data that a significant data fiduciary has to keep in India (rule 13(4)).
effects contains {
	"effect": "pin",
	"rule": "specified_data",
	"code": "specified_data_pinned",
	"params": {"countries": {"any": data.ringfence.localisation.india.countries}},
} if {
	_in_scope
	data.ringfence.params.dpdp_india.specified_stays
	_specified
}

# METADATA
# description: Aadhaar numbers, wherever they stand and whoever asks.
effects contains {
	"effect": "redact",
	"rule": "aadhaar",
	"code": "aadhaar_replaced",
	"params": {"entity": entity.type, "operator": data.ringfence.params.dpdp_india.operator},
} if {
	some entity in input.classification.entities
	data.ringfence.localisation.india.never_leaves[entity.type]
}

# METADATA
# description: What identifies a child directly (section 9(2) and (3)).
effects contains {
	"effect": "redact",
	"rule": "child",
	"code": "direct_identifier_replaced",
	"params": {"entity": type, "operator": data.ringfence.params.dpdp_india.operator},
} if {
	_in_scope
	topics.labelled(
		data.ringfence.params.dpdp_india.child_labels,
		data.ringfence.params.dpdp_india.label_permille,
	)
	some type in content.direct_identifiers
}

_specified if count(data.ringfence.params.dpdp_india.specified_categories) == 0

_specified if {
	some entity in input.classification.entities
	entity.category in data.ringfence.params.dpdp_india.specified_categories
}

_in_scope if {
	count(content.personal) > 0
	"IN" in transfers.parties
}

# METADATA
# title: Personal data under the Korean PIPA goes abroad on a ground of Art. 28-8, resident numbers never
# description: >-
#   Personal data of a caller or subject in Korea goes to Korea, to what the PIPC recognised as equivalent (EU and EEA
#   since 2025-09-16), and to countries for which the operator holds consent or another ground of Art. 28-8(1). Resident
#   registration numbers are replaced always, as no law lets a model process them (Art. 24-2); where the data may leave
#   Korea, the other unique identifiers are replaced too (Art. 24). Personal credit information stays in Korea, since
#   the recognition excepts it. Check the extent of the recognition before relying on it.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: korea_pipa
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   jurisdictions: [KR]
#   references:
#     - Personal Information Protection Act (Korea) Art. 23, Art. 24, Art. 24-2, Art. 28-8 to 28-11 (in force 2023-09-15)
#     - Enforcement Decree Art. 18, Art. 19
#     - PIPC, equivalency recognition of the European Union, 2025-09-16
#   remedy: Leave out resident registration and account numbers, and use a model in Korea or the EEA.
package ringfence.policy.korea_pipa

import data.ringfence.lib.content
import data.ringfence.lib.transfers

# METADATA
# description: Korea, what is equivalent today (Art. 28-8(1)5), and what the operator has another ground for.
effects contains {
	"effect": "pin",
	"rule": "ground_of_article_28_8",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": array.concat(
		array.concat(["KR"], transfers.recognised(data.ringfence.transfers.korea.decisions, false)),
		data.ringfence.params.korea_pipa.ground_countries,
	)}},
} if {
	_in_scope
}

# METADATA
# description: The recognition of the EU does not extend to personal credit information.
effects contains {
	"effect": "pin",
	"rule": "credit_information",
	"code": "credit_information_pinned",
	"params": {"countries": {"any": data.ringfence.localisation.korea.countries}},
} if {
	_in_scope
	data.ringfence.params.korea_pipa.credit_stays
	some entity in input.classification.entities
	entity.category in data.ringfence.params.korea_pipa.credit_categories
}

# METADATA
# description: Resident registration numbers, wherever they stand and whoever asks (Art. 24-2).
effects contains {
	"effect": "redact",
	"rule": "resident_number",
	"code": "resident_number_replaced",
	"params": {"entity": entity.type, "operator": data.ringfence.params.korea_pipa.operator},
} if {
	some entity in input.classification.entities
	data.ringfence.localisation.korea.never_leaves[entity.type]
}

# METADATA
# description: Passport, driving licence and registration numbers of foreigners (Art. 24, Enforcement Decree Art. 19).
effects contains {
	"effect": "redact",
	"rule": "unique_identifier",
	"code": "unique_identifier_replaced",
	"params": {"entity": type, "operator": data.ringfence.params.korea_pipa.operator},
} if {
	_in_scope
	some type in content.identifiers
	not data.ringfence.localisation.korea.never_leaves[type]
}

_in_scope if {
	count(content.personal) > 0
	"KR" in transfers.parties
}

# METADATA
# title: Personal data of EU and EEA subjects stays in the EEA or in an adequate country
# description: >-
#   Chapter V GDPR allows a transfer to a third country on an adequacy decision. Other grounds (Art. 46, 49) need a
#   human's judgement and are not assumed. Data of anyone who is not known to be in the EEA may go anywhere, and so goes
#   without its direct identifiers.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: personal_data_third_country
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: enforce
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR Art. 3(1), Art. 44, Art. 45
#     - Agreement on the European Economic Area, Annex XI (GDPR as incorporated by Decision 154/2018)
#   remedy: Remove the personal data, or choose a model that is served in the EEA or an adequate country.
package ringfence.policy.personal_data_third_country

import data.ringfence.lib.content
import data.ringfence.lib.jurisdiction

# METADATA
# description: Personal data under the GDPR may be processed in the EEA and where the Commission found adequacy.
effects contains {
	"effect": "pin",
	"rule": "eea_or_adequate",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": array.concat(["EEA"], data.ringfence.jurisdictions.adequate.codes)}},
} if {
	count(content.personal) > 0
	_gdpr_reaches
}

# METADATA
# description: Where the pin does not hold data back, direct identifiers stay behind, whoever the subject is.
effects contains {
	"effect": "redact",
	"rule": "outside_eea",
	"code": "direct_identifier_replaced",
	"params": {"entity": type, "operator": "replace"},
} if {
	not _gdpr_reaches
	some type in content.direct_identifiers
}

_gdpr_reaches if jurisdiction.subject_in_eea

_gdpr_reaches if jurisdiction.origin_in_eea

# METADATA
# title: Protected health information stays on machines of the covered entity
# description: >-
#   A provider of models that receives protected health information is a business associate and needs a contract (45 CFR
#   164.502(e), 164.504(e)). Without one the information stays on devices and nodes on the premises; with one, the
#   provider's tier can be named as a parameter. HIPAA itself names no country, so the countries are a parameter that is
#   empty. The record is kept for six years, as documentation under 164.316(b)(2)(i) and 164.530(j).
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: hipaa_on_prem_only
#   version: "1.0.0"
#   owner: privacy
#   severity: critical
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - HIPAA Privacy Rule, 45 CFR 164.502(e), 164.504(e), 164.530(j)
#     - HIPAA Security Rule, 45 CFR 164.308(b), 164.312(b), 164.312(e), 164.316(b)(2)(i)
#     - HHS, Guidance on HIPAA and Cloud Computing, 2016-10-06
#   remedy: Use a model on the premises, or leave out what says whose health it is.
package ringfence.policy.hipaa_on_prem_only

import data.ringfence.lib.content
import data.ringfence.lib.topics
import data.ringfence.lib.transfers

# METADATA
# description: No machine of somebody without a contract (164.504(e)).
effects contains {
	"effect": "pin",
	"rule": "own_machines",
	"code": "health_information_pinned",
	"params": {"tiers": {"any": data.ringfence.params.hipaa_on_prem_only.tiers}},
} if {
	_phi
}

# METADATA
# description: Contracts and payers often keep the information in a country; the rule itself does not.
effects contains {
	"effect": "pin",
	"rule": "countries",
	"code": "health_information_pinned",
	"params": {"countries": {"any": data.ringfence.params.hipaa_on_prem_only.node_countries}},
} if {
	_phi
	count(data.ringfence.params.hipaa_on_prem_only.node_countries) > 0
}

# METADATA
# description: Audit controls (164.312(b)), kept as documentation is.
effects contains {
	"effect": "audit",
	"rule": "recorded",
	"code": "health_information_seen",
	"params": {"level": "decision", "retain_days": data.ringfence.params.hipaa_on_prem_only.retain_days},
} if {
	_phi
}

_phi if {
	_health
	topics.of_somebody
	_reached
}

_health if topics.labelled(
	data.ringfence.params.hipaa_on_prem_only.labels,
	data.ringfence.params.hipaa_on_prem_only.label_permille,
)

_health if {
	some marking in input.classification.residency_labels
	marking in data.ringfence.params.hipaa_on_prem_only.markings
}

# A number that the health system gave to a person is health information by itself.
_health if {
	some entity in input.classification.entities
	entity.category == "health"
	content.personal[entity.type]
}

_reached if not data.ringfence.params.hipaa_on_prem_only.us_only

_reached if "US" in transfers.parties

_reached if count(transfers.parties) == 0

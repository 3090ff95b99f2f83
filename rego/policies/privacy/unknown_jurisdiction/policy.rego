# METADATA
# title: Personal data of which nobody can say whose law it is under stays on machines of the organisation
# description: >-
#   Where neither the caller nor any data subject can be placed, no transfer rule can be chosen. Fail closed: personal
#   data stays on devices and nodes on the premises, or the request is refused by parameter. A caller that is known does
#   not place its data subjects: a parameter says whether it is enough. What is no code of a country (DE, US-CA) or a
#   group (EEA) counts as unknown.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: unknown_jurisdiction
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR (Regulation (EU) 2016/679) Art. 5(2), Art. 24, Art. 25(2), Art. 44
#   remedy: Say in which country the caller and the data subjects are, or leave out the personal data.
package ringfence.policy.unknown_jurisdiction

import data.ringfence.lib.content
import data.ringfence.lib.jurisdiction
import data.ringfence.lib.transfers

# METADATA
# description: Machines of the organisation are under a law that it knows, its own.
effects contains {
	"effect": "pin",
	"rule": "own_machines",
	"code": "jurisdiction_unknown",
	"params": {"tiers": {"any": data.ringfence.params.unknown_jurisdiction.tiers}},
} if {
	_concerned
	not _placed
	data.ringfence.params.unknown_jurisdiction.action == "pin"
}

# METADATA
# description: By parameter nothing is sent anywhere.
effects contains {
	"effect": "deny",
	"rule": "not_placed",
	"code": "jurisdiction_unknown",
	"params": {"status": 403, "message_id": "jurisdiction_unknown"},
} if {
	_concerned
	not _placed
	data.ringfence.params.unknown_jurisdiction.action == "deny"
}

_concerned if count(content.personal) > 0

_concerned if data.ringfence.params.unknown_jurisdiction.all_requests

_placed if {
	some code in jurisdiction.subjects
	_is_place(code)
}

_placed if {
	data.ringfence.params.unknown_jurisdiction.caller_is_enough
	input.origin.jurisdiction != "unknown"
	_is_place(input.origin.jurisdiction)
}

# Two capitals are a country's code, three at most a group's (EEA).
_is_place(code) if regex.match("^[A-Z]{2,3}$", transfers.country(code))

# METADATA
# title: Personal data of Russian citizens is processed in databases in Russia
# description: >-
#   Federal Law 242-FZ of 2014-07-21 added Art. 18(5) to the personal data law 152-FZ: personal data of Russian citizens
#   is recorded, stored and changed in databases in Russia; since 2025-07-01 (23-FZ) using databases abroad for it is
#   forbidden. Citizenship is not among the facts: a caller or subject in Russia stands for it. Where other law forbids
#   Russia, both pins have no common country and the request is refused; `action: deny` says so at once with status 451.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: russia_localisation
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   jurisdictions: [RU]
#   references:
#     - Federal Law 152-FZ of 2006-07-27 Art. 12, Art. 18(5)
#     - Federal Law 242-FZ of 2014-07-21, in force 2015-09-01
#     - Federal Law 23-FZ of 2025-02-28, in force 2025-07-01
#     - Federal Law 266-FZ of 2022-07-14, notice of cross-border transfers since 2023-03-01
#   remedy: Leave out personal data of persons in Russia, or use a model that runs there.
package ringfence.policy.russia_localisation

import data.ringfence.lib.content
import data.ringfence.lib.transfers

# METADATA
# description: Russia, and what was notified after a first recording there.
effects contains {
	"effect": "pin",
	"rule": "database_in_russia",
	"code": "personal_data_pinned",
	"params": {"countries": {"any": array.concat(
		data.ringfence.localisation.russia.countries,
		data.ringfence.params.russia_localisation.abroad_countries,
	)}},
} if {
	_in_scope
	data.ringfence.params.russia_localisation.action == "pin"
}

# METADATA
# description: No node may stand there, so there is nowhere to send it.
effects contains {
	"effect": "deny",
	"rule": "no_database_in_russia",
	"code": "localisation_required",
	"params": {"status": 451, "message_id": "localisation_required"},
} if {
	_in_scope
	data.ringfence.params.russia_localisation.action == "deny"
}

_in_scope if {
	count(content.personal) > 0
	"RU" in transfers.parties
}

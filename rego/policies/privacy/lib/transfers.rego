# METADATA
# title: Transfers
# description: >-
#   Whose law reaches a request, and where a table of recognised countries lets personal data go on the day of the
#   request.
# schemas:
#   - input: schema["ringfence.input-1"]
package ringfence.lib.transfers

import data.ringfence.lib.jurisdiction

# METADATA
# description: Countries of the caller and of known data subjects, under their ISO 3166-1 codes.
parties contains country(code) if some code in jurisdiction.subjects

parties contains country(input.origin.jurisdiction) if input.origin.jurisdiction != "unknown"

# METADATA
# description: The country of a code; a subdivision (CA-QC) counts as its country, a customary code (UK) as its ISO one.
country(code) := known if {
	plain := split(code, "-")[0]
	known := object.get(data.ringfence.transfers.aliases.codes, plain, plain)
}

# METADATA
# description: True when the caller or a known subject is in the EU or the EEA.
in_eea if {
	some code in parties
	data.ringfence.jurisdictions.eea.codes[code]
}

# METADATA
# description: >-
#   Countries of a table whose recognition stands on the day of the request, sorted; those with a limited scope only
#   where `partial` asks for them, since a country code cannot say whether a recipient is within the scope.
recognised(decisions, partial) := [code |
	# Not `some code, decision in decisions`: regopy 1.5.2 parses no two variables there.
	some code in object.keys(decisions)
	_stands(decisions[code])
	_admitted(decisions[code], partial)
]

_stands(decision) if {
	decision.from <= input.context.time.date
	input.context.time.date <= object.get(decision, "until", "9999-12-31")
}

_admitted(decision, _) if not decision.scope

_admitted(_, partial) if partial == true

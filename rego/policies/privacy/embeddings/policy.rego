# METADATA
# title: Embeddings of personal data are made where the data may be, and not from masked text
# description: >-
#   A vector of a masked text is a vector of the mask: it finds nothing, and the masks of two people are neighbours.
#   A vector of the text itself is personal data, as much of the text can be recovered from it. So an embeddings
#   request with personal data, or one that was not classified to its end, goes to own machines (`tiers`), or with
#   `in_region` to the region of the people concerned where there is one, and this policy replaces nothing. A
#   redaction that another policy asks for still applies, since no policy can take back what another one demands:
#   embed in an installation of its own, in which policies that redact, such as `personal_data_third_country` and
#   `health_data`, are off and this one is enforced. The library's baseline allows chats and model listings;
#   embeddings need a policy of yours that allows them.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: embeddings
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR Art. 4(1), Art. 4(5) and recital 26 (identifiability), Art. 25(1), Art. 44
#     - EDPB Opinion 28/2024 of 2024-12-17 (personal data in AI models)
#     - OWASP Top 10 for LLM Applications 2025, LLM08 (vector and embedding weaknesses)
#   remedy: Choose a model for embeddings on a machine of the organisation, or remove the personal data.
package ringfence.policy.embeddings

import data.ringfence.lib.content
import data.ringfence.lib.transfers

# METADATA
# description: Machines of the organisation, wherever no region is meant or known.
effects contains {
	"effect": "pin",
	"rule": "own_machines",
	"code": "embeddings_pinned",
	"params": {"tiers": {"any": data.ringfence.params.embeddings.tiers}},
} if {
	_personal_embeddings
	not _regional
}

# METADATA
# description: The one region that all who are concerned share; a transfer would move their data in another form.
effects contains {
	"effect": "pin",
	"rule": "in_region",
	"code": "embeddings_pinned",
	"params": {"countries": {"any": _region}},
} if {
	_personal_embeddings
	_regional
}

# METADATA
# description: Who erases a person has to find the vectors; the record says when some were made.
effects contains {
	"effect": "audit",
	"rule": "recorded",
	"code": "personal_embeddings",
	"params": {"level": "decision", "retain_days": data.ringfence.params.embeddings.retain_days},
} if {
	_personal_embeddings
}

_personal_embeddings if {
	input.request.operation == "embeddings"
	_personal
}

_personal if count(content.personal) > 0

# What was not looked at may be personal.
_personal if not content.classified

_personal if not content.read_wholly

_regional if {
	data.ringfence.params.embeddings.in_region
	_region
}

_region := ["EEA"] if {
	transfers.in_eea
	every code in transfers.parties {
		data.ringfence.jurisdictions.eea.codes[code]
	}
}

_region := [code | some code in transfers.parties] if {
	count(transfers.parties) == 1
	not transfers.in_eea
}

# METADATA
# title: A document that says where it may be processed is processed there
# description: >-
#   Markings such as `EU-ONLY`, `DE-ONLY` or `Data residency: Germany` are the author's word. A marking that the table
#   knows pins the request to its countries; one that it does not know pins it to machines of the organisation, because
#   the author meant something.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: residency_labels
#   version: "1.0.0"
#   owner: privacy
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR Art. 44 (general principle for transfers)
#     - ISO/IEC 27001:2022 Annex A 5.13 (labelling of information)
#   remedy: Choose a model that is served in the country of the marking, or send the request without the marked document.
package ringfence.policy.residency_labels

# METADATA
# description: A known marking names its countries.
effects contains {
	"effect": "pin",
	"rule": "marked_country",
	"code": "marked_residency_pinned",
	"params": {"countries": {"any": countries}},
} if {
	some label in input.classification.residency_labels
	countries := data.ringfence.params.residency_labels.countries[label]
}

# METADATA
# description: A marking of residency that no table knows is no permission.
effects contains {
	"effect": "pin",
	"rule": "unknown_marking",
	"code": "marked_residency_pinned",
	"params": {"tiers": {"any": data.ringfence.params.residency_labels.tiers}},
} if {
	some label in input.classification.residency_labels
	_says_where(label)
	not data.ringfence.params.residency_labels.countries[label]
}

_says_where(label) if endswith(label, "-ONLY")

_says_where(label) if startswith(label, "RESIDENCY-")

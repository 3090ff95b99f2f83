# METADATA
# title: Technical data under ITAR or the EAR stays in the United States
# description: >-
#   Sending technical data out of the country is an export. A document marked ITAR goes to machines of the organisation
#   in the listed countries; one with an export control classification number goes to the listed countries. EAR99 needs
#   no licence to most places and is left alone unless the parameter says otherwise. The policy cannot tell who reads
#   an answer: a release to a foreign person inside the country (a deemed export) is for access control.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: itar_ear_labels
#   version: "1.1.0"
#   owner: export_control
#   severity: critical
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - ITAR, 22 CFR 120.50 (export), 22 CFR 120.33 (technical data)
#     - EAR, 15 CFR 734.13 (export), 15 CFR part 774 (Commerce Control List)
#   remedy: Send the request without the marked document, or ask export control for a place that may see it.
package ringfence.policy.itar_ear_labels

# METADATA
# description: Technical data for defence articles stays on own machines in the country.
effects contains {
	"effect": "pin",
	"rule": "itar",
	"code": "export_controlled_pinned",
	"params": {
		"countries": {"any": data.ringfence.params.itar_ear_labels.countries},
		"tiers": {"any": data.ringfence.params.itar_ear_labels.itar_tiers},
	},
} if {
	"ITAR" in input.classification.residency_labels
}

# METADATA
# description: An item of the Commerce Control List stays in the country.
effects contains {
	"effect": "pin",
	"rule": "ear",
	"code": "export_controlled_pinned",
	"params": {"countries": {"any": data.ringfence.params.itar_ear_labels.countries}},
} if {
	_ear
}

# METADATA
# description: Export records are kept for five years (22 CFR 122.5, 15 CFR 762.6).
effects contains {
	"effect": "audit",
	"rule": "export_record",
	"code": "export_controlled_seen",
	"params": {"level": "decision", "alert": true, "retain_days": 1827},
} if {
	_controlled
}

_controlled if "ITAR" in input.classification.residency_labels

_controlled if _ear

_ear if {
	some label in input.classification.residency_labels
	startswith(label, "ECCN-")
}

_ear if {
	some label in input.classification.residency_labels
	label in {"EAR", "EXPORT-CONTROLLED"}
}

_ear if {
	data.ringfence.params.itar_ear_labels.include_ear99
	"EAR99" in input.classification.residency_labels
}

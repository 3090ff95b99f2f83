# METADATA
# title: Controlled unclassified information stays on systems that are assessed for it
# description: >-
#   Documents marked CUI (or FOUO, its predecessor) go to own machines in the United States; where `certifications`
#   lists any, the node holds one of them. A marking of classified information means that the document is on the wrong
#   system: the request is refused and security is alerted.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: cui_labels
#   version: "1.1.0"
#   owner: security
#   severity: critical
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - 32 CFR 2002.14 (safeguarding), 32 CFR 2002.16 (dissemination)
#     - DFARS 252.204-7012(b)(2); NIST SP 800-171 Rev. 2, 3.1.3
#     - Executive Order 13526, section 4.1 (classified information)
#   remedy: Send the request without the marked document; report a classified one to security.
package ringfence.policy.cui_labels

# METADATA
# description: Machines of the organisation, in the country.
effects contains {
	"effect": "pin",
	"rule": "controlled",
	"code": "cui_pinned",
	"params": {
		"countries": {"any": data.ringfence.params.cui_labels.countries},
		"tiers": {"any": data.ringfence.params.cui_labels.tiers},
	},
} if {
	_controlled
}

# METADATA
# description: An assessment of the node, where the organisation keeps account of them.
effects contains {
	"effect": "pin",
	"rule": "assessed",
	"code": "cui_pinned",
	"params": {"certifications": {"any": data.ringfence.params.cui_labels.certifications}},
} if {
	_controlled
	count(data.ringfence.params.cui_labels.certifications) > 0
}

# METADATA
# description: Classified information belongs on no system that holds this gateway.
effects contains {
	"effect": "deny",
	"rule": "classified",
	"code": "classified_marking",
	"params": {"status": 403, "message_id": "content_blocked"},
} if {
	_classified
}

# METADATA
# description: A spill is reported, not only stopped.
effects contains {
	"effect": "audit",
	"rule": "spill",
	"code": "classified_marking",
	"params": {"level": "decision", "alert": true, "retain_days": 1827},
} if {
	_classified
}

_controlled if {
	some label in input.classification.residency_labels
	label in {"CUI", "FOUO", "NOFORN"}
}

_controlled if {
	some label in input.classification.residency_labels
	startswith(label, "CUI//")
}

_classified if {
	some label in input.classification.residency_labels
	data.ringfence.params.cui_labels.classified[label]
}

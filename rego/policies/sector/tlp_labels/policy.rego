# METADATA
# title: Traffic Light Protocol markings hold for models too
# description: >-
#   TLP:RED is for the individual recipients only, so no machine is asked. TLP:AMBER+STRICT stays in the organisation.
#   TLP:AMBER may reach clients on a need-to-know basis and so leaves shared clouds out. GREEN and CLEAR are left
#   alone.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: tlp_labels
#   version: "1.0.0"
#   owner: security
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - FIRST, Traffic Light Protocol 2.0 (August 2022), definitions of the labels
#   remedy: Remove what is marked TLP:RED, or ask its source for a wider marking.
package ringfence.policy.tlp_labels

# METADATA
# description: For the eyes and ears of individual recipients only.
effects contains {
	"effect": "deny",
	"rule": "red",
	"code": "tlp_red",
	"params": {"status": 403, "message_id": "content_blocked"},
} if {
	"TLP:RED" in input.classification.residency_labels
}

# METADATA
# description: Restricted to the organisation.
effects contains {
	"effect": "pin",
	"rule": "amber_strict",
	"code": "tlp_pinned",
	"params": {"tiers": {"any": data.ringfence.params.tlp_labels.strict_tiers}},
} if {
	"TLP:AMBER+STRICT" in input.classification.residency_labels
}

# METADATA
# description: Restricted to the organisation and its clients.
effects contains {
	"effect": "pin",
	"rule": "amber",
	"code": "tlp_pinned",
	"params": {"tiers": {"any": data.ringfence.params.tlp_labels.tiers}},
} if {
	"TLP:AMBER" in input.classification.residency_labels
}

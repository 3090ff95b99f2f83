# METADATA
# title: Privileged legal documents stay with the organisation
# description: >-
#   Privilege can be lost by disclosure to a third party, and a lawyer's secret is protected by criminal law in many
#   countries. A document marked as privileged is read by machines of the organisation alone.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: legal_privilege
#   version: "1.0.0"
#   owner: legal
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - United States, Federal Rules of Evidence, rule 502
#     - Germany, Strafgesetzbuch (StGB), section 203
#   remedy: Choose a model on a machine of the organisation, or send the request without the privileged document.
package ringfence.policy.legal_privilege

# METADATA
# description: No third party reads it.
effects contains {
	"effect": "pin",
	"rule": "privileged",
	"code": "privileged_pinned",
	"params": {"tiers": {"any": data.ringfence.params.legal_privilege.tiers}},
} if {
	"ATTORNEY-CLIENT-PRIVILEGED" in input.classification.residency_labels
}

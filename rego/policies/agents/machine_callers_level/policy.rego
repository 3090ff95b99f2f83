# METADATA
# title: Agents and unknown callers send nothing above a level
# description: >-
#   A person can be asked why; an agent or a caller without a credential cannot. For each kind of caller `highest` is
#   the highest rank of sensitivity (0 public, 1 internal, 2 confidential, 3 restricted) that may leave own machines,
#   and a clearance raises it. An unknown level ranks above all.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: machine_callers_level
#   version: "1.0.0"
#   owner: agents
#   severity: medium
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - NIST SP 800-53 Rev. 5 AC-4 (information flow enforcement), AC-16 (security attributes)
#     - ISO/IEC 27001:2022 Annex A 5.12, 5.15
#   remedy: Send the request as a person, or choose a model on a machine of the organisation.
package ringfence.policy.machine_callers_level

# METADATA
# description: Above the level of its caller a request stays on own machines.
effects contains {
	"effect": "pin",
	"rule": "above_level",
	"code": "above_level_of_caller",
	"params": {"tiers": {"any": data.ringfence.params.machine_callers_level.tiers}},
} if {
	highest := data.ringfence.params.machine_callers_level.highest[input.principal.kind]
	input.classification.level_rank > highest
	input.classification.level_rank > input.principal.clearance
}

# METADATA
# title: Source code goes to no external model
# description: >-
#   Code is a trade secret as long as reasonable steps keep it secret. Two signs are read: a label (`labels`; the models
#   that come with Ringfence give `source_code`) and the tools that coding agents offer to a model (`tools`, known from
#   the request itself).
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: source_code_external_models
#   version: "1.0.0"
#   owner: engineering
#   severity: medium
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - Directive (EU) 2016/943 (trade secrets), Art. 2(1)(c)
#     - ISO/IEC 27001:2022 Annex A 8.4 (access to source code)
#   remedy: Choose a model on a machine of the organisation for work on source code.
package ringfence.policy.source_code_external_models

# METADATA
# description: Machines of the organisation, or providers under a contract that covers code.
effects contains {
	"effect": "pin",
	"rule": "own_models",
	"code": "source_code_pinned",
	"params": {"tiers": {"any": data.ringfence.params.source_code_external_models.tiers}},
} if {
	_code
	count(data.ringfence.params.source_code_external_models.providers) == 0
}

effects contains {
	"effect": "pin",
	"rule": "listed_providers",
	"code": "source_code_pinned",
	"params": {"providers": {"any": data.ringfence.params.source_code_external_models.providers}},
} if {
	_code
	count(data.ringfence.params.source_code_external_models.providers) > 0
}

_code if {
	some label in input.classification.labels
	data.ringfence.params.source_code_external_models.labels[label.name]
	label.permille >= data.ringfence.params.source_code_external_models.min_permille
}

_code if {
	some tool in input.request.tools
	data.ringfence.params.source_code_external_models.tools[tool]
}

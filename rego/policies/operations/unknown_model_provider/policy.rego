# METADATA
# title: A model that nobody reviewed is served by own machines or not at all
# description: >-
#   `models` lists reviewed models by name, `prefixes` whole families, `providers` who may serve them. A model that
#   fits neither list is refused (deny) or sent to own machines (pin), as `action` says. A reviewed model goes to the
#   listed providers where there are any. With nothing listed every model is unknown.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: unknown_model_provider
#   version: "1.0.0"
#   owner: security
#   severity: medium
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - Regulation (EU) 2024/1689 (AI Act), Art. 26 (deployers), Art. 53 (general-purpose models)
#     - ISO/IEC 42001:2023 Annex A.10 (third-party relationships)
#   remedy: Choose a reviewed model, or ask the security team to review this one.
package ringfence.policy.unknown_model_provider

# METADATA
# description: Refused where the organisation chose so.
effects contains {
	"effect": "deny",
	"rule": "unknown_model",
	"code": "model_not_reviewed",
	"params": {"status": 403, "message_id": "denied"},
} if {
	data.ringfence.params.unknown_model_provider.action == "deny"
	_asks_a_model
	not _known
}

# METADATA
# description: Nothing that was not reviewed sees data from outside own machines.
effects contains {
	"effect": "pin",
	"rule": "unknown_model",
	"code": "model_not_reviewed",
	"params": {"tiers": {"any": data.ringfence.params.unknown_model_provider.tiers}},
} if {
	_asks_a_model
	not _known
}

# METADATA
# description: The same name is served by many; the reviewed ones serve it here.
effects contains {
	"effect": "pin",
	"rule": "reviewed_provider",
	"code": "provider_pinned",
	"params": {"providers": {"any": data.ringfence.params.unknown_model_provider.providers}},
} if {
	_asks_a_model
	_known
	count(data.ringfence.params.unknown_model_provider.providers) > 0
}

_asks_a_model if input.request.operation != "list_models"

_known if data.ringfence.params.unknown_model_provider.models[input.request.model]

_known if {
	some prefix in data.ringfence.params.unknown_model_provider.prefixes
	startswith(input.request.model, prefix)
}

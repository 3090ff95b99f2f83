# METADATA
# title: Card data stays in the cardholder data environment, masked to its last four digits
# description: >-
#   For organisations that may process card data with a model: the request goes to machines they hold, account numbers
#   are masked, sensitive authentication data is refused. Beside `payment_cards`, which replaces the whole number, the
#   stronger of the two holds.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: pci_dss_card_data
#   version: "1.0.0"
#   owner: payments
#   severity: critical
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - PCI DSS 4.0.1 requirements 3.3.1, 3.4.1, 3.5.1
#     - PCI DSS 4.0.1 requirements 4.2.1, 10.5.1
#   remedy: Remove card verification values, PINs and magnetic stripe data.
package ringfence.policy.pci_dss_card_data

# METADATA
# description: No system that others share holds card data, and nothing crosses an open network (4.2.1).
effects contains {
	"effect": "pin",
	"rule": "cardholder_environment",
	"code": "card_data_pinned",
	"params": {"tiers": {"any": data.ringfence.params.pci_dss_card_data.tiers}},
} if {
	count(_card_data) > 0
}

# METADATA
# description: An account number shows its last four digits at most (3.4.1).
effects contains {
	"effect": "redact",
	"rule": "mask_number",
	"code": "card_masked",
	"params": {
		"entity": "CREDIT_CARD",
		"operator": "mask",
		"params": {"last": data.ringfence.params.pci_dss_card_data.last},
	},
} if {
	"CREDIT_CARD" in _card_data
}

# METADATA
# description: Sensitive authentication data is not kept after authorisation, and a model needs none (3.3.1).
effects contains {
	"effect": "deny",
	"rule": "authentication_data",
	"code": "card_authentication_data",
	"params": {"status": 403, "message_id": "card_found"},
} if {
	some type in _card_data
	data.ringfence.params.pci_dss_card_data.authentication_data[type]
}

# METADATA
# description: The record is kept for a year (10.5.1).
effects contains {
	"effect": "audit",
	"rule": "card_data_seen",
	"code": "card_seen",
	"params": {"level": "decision", "alert": false, "retain_days": 365},
} if {
	count(_card_data) > 0
}

_card_data contains entity.type if {
	some entity in input.classification.entities
	entity.category == "card"
	_likely(entity)
}

_likely(entity) if entity.validated

_likely(entity) if entity.max_permille >= data.ringfence.params.pci_dss_card_data.min_permille

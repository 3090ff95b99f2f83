# METADATA
# title: Card numbers are replaced before a request leaves
# description: >-
#   A primary account number is never needed by a model, nor is the track of a card or its verification code. They are
#   replaced wherever they stand, security is alerted, and the record is kept for the twelve months that PCI DSS asks of
#   audit logs.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: payment_cards
#   version: "1.1.0"
#   owner: payments
#   severity: critical
#   mode: enforce
#   on_error: deny
#   phases: [request]
#   references:
#     - PCI DSS 4.0.1 requirements 3.3.1, 3.4.1, 3.5.1, 10.5.1
package ringfence.policy.payment_cards

# METADATA
# description: The number becomes a placeholder everywhere (3.3.1, 3.4.1, 3.5.1).
effects contains {
	"effect": "redact",
	"rule": "replace_card",
	"code": "card_replaced",
	"params": {"entity": type, "operator": "replace"},
} if {
	some type in _cards
}

# METADATA
# description: Somebody is told, and the record is kept for a year (10.5.1).
effects contains {
	"effect": "audit",
	"rule": "alert_card",
	"code": "card_seen",
	"params": {"level": "decision", "alert": true, "retain_days": 365},
} if {
	count(_cards) > 0
}

_cards contains entity.type if {
	some entity in input.classification.entities
	entity.type in {"CREDIT_CARD", "CREDIT_CARD_CVV", "CREDIT_CARD_TRACK"}
	_likely(entity)
}

_likely(entity) if entity.validated

_likely(entity) if entity.max_permille >= data.ringfence.thresholds.card_permille

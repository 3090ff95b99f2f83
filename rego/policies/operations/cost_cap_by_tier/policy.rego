# METADATA
# title: Long requests stay off the tiers where tokens cost money
# description: >-
#   Every tier in `max_tokens` has the largest request it may serve, in estimated tokens of the request (four bytes
#   each); a tier that is not listed has no limit. It counts what is sent, not what is answered, and knows no budget
#   over time.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: cost_cap_by_tier
#   version: "1.0.0"
#   owner: operations
#   severity: medium
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - OWASP Top 10 for LLM Applications 2025, LLM10 (unbounded consumption)
#   remedy: Send less context, or choose a model on a machine of the organisation.
package ringfence.policy.cost_cap_by_tier

# METADATA
# description: One exclusion for each tier whose limit the request exceeds.
effects contains {
	"effect": "pin",
	"rule": "over_cap",
	"code": "tier_excluded_by_cost",
	"params": {"exclude": {"tiers": [tier]}},
} if {
	some tier, most in data.ringfence.params.cost_cap_by_tier.max_tokens
	input.request.tokens_est > most
}

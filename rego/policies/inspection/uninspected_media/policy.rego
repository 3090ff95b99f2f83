# METADATA
# title: Images, sound, files and video go where the organisation says, by kind
# description: >-
#   `uninspected_content` sends what cannot be read to own machines. This policy is stricter by kind: `refused` kinds
#   are not sent at all, every other kind goes to `tiers`, and each is reported. It allows nothing by itself.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: uninspected_media
#   version: "1.0.0"
#   owner: security
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - GDPR Art. 5(1)(f), Art. 32
#     - OWASP Top 10 for LLM Applications 2025, LLM01 (multimodal prompt injection)
#   remedy: Send text only, or leave out the attachment.
package ringfence.policy.uninspected_media

# METADATA
# description: A kind that the organisation does not send at all.
effects contains {
	"effect": "deny",
	"rule": "refused_kind",
	"code": "media_refused",
	"params": {"status": 403, "message_id": "uninspected_content"},
} if {
	some kind in input.request.media
	data.ringfence.params.uninspected_media.refused[kind]
}

# METADATA
# description: The others stay on the machines that may see what nobody read.
effects contains {
	"effect": "pin",
	"rule": "other_kinds",
	"code": "media_pinned",
	"params": {"tiers": {"any": data.ringfence.params.uninspected_media.tiers}},
} if {
	count(input.request.media) > 0
}

# METADATA
# description: Who sends what nobody can read is worth a look.
effects contains {
	"effect": "audit",
	"rule": "media_seen",
	"code": "media_seen",
	"params": {"level": "decision", "alert": data.ringfence.params.uninspected_media.alert},
} if {
	count(input.request.media) > 0
}

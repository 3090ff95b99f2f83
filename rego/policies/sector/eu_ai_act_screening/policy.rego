# METADATA
# title: Requests for practices that the EU AI Act prohibits are refused or reported
# description: >-
#   A screen, not a judgement: it acts on labels that a classifier of yours gives to a text. Ringfence has none of them
#   built in. `labels` maps a label to the point of Art. 5(1) it stands for; `action` says whether a certain one is
#   refused (deny) or reported (audit). A doubtful one is noted. Intimate images of real people without their consent and
#   depictions of child sexual abuse were added to the prohibitions in 2026.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: eu_ai_act_screening
#   version: "1.1.0"
#   owner: compliance
#   severity: high
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - Regulation (EU) 2024/1689 (AI Act), Art. 5(1)(a) to (h), applicable since 2 February 2025
#     - Amendment of 2026 (Digital Omnibus on AI, adopted 2026-06-29), Art. 5(1), applicable from 2 December 2026
#   remedy: Remove the part that asks for a screened practice, or have the compliance team review the use case.
package ringfence.policy.eu_ai_act_screening

# METADATA
# description: A prohibited practice is refused where the organisation chose so.
effects contains {
	"effect": "deny",
	"rule": "prohibited_practice",
	"code": "prohibited_practice",
	"params": {"status": 451, "message_id": "content_blocked"},
} if {
	data.ringfence.params.eu_ai_act_screening.action == "deny"
	_certain
}

# METADATA
# description: Somebody judges what a screen can only suspect.
effects contains {
	"effect": "audit",
	"rule": "prohibited_practice",
	"code": "prohibited_practice",
	"params": {"level": "decision", "alert": true},
} if {
	_certain
}

# METADATA
# description: A weak sign is kept in the record and stops nothing.
effects contains {"effect": "note", "rule": "doubtful", "code": "prohibited_practice_suspected", "params": {}} if {
	_suspected
	not _certain
}

_suspected if {
	some label in input.classification.labels
	data.ringfence.params.eu_ai_act_screening.labels[label.name]
}

_certain if {
	some label in input.classification.labels
	data.ringfence.params.eu_ai_act_screening.labels[label.name]
	label.permille >= data.ringfence.params.eu_ai_act_screening.min_permille
}

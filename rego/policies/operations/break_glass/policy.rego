# METADATA
# title: An emergency opens the default, with a reason and an alert
# description: >-
#   A caller whose verified claims carry a reason (`attribute`) and who is in a group of `groups` gets an allow where
#   no other policy gives one. That is all a policy can open: an allow never cancels a deny, a pin or a redaction of
#   another policy, so law that other policies hold stays in force. To lift a house rule for an emergency, write the
#   exception into that rule. Every use is alerted and kept; a reason from anybody else, or one that is not on the
#   list, is refused.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: break_glass
#   version: "1.0.0"
#   owner: operations
#   severity: critical
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - HIPAA Security Rule, 45 CFR 164.312(a)(2)(ii) (emergency access procedure)
#     - NIST SP 800-53 Rev. 5 AC-2(2) (temporary and emergency accounts), AU-6
#   remedy: Ask for emergency access with one of the listed reasons, or send the request without one.
package ringfence.policy.break_glass

# METADATA
# description: The default deny gives way, and nothing else does.
effects contains {"effect": "allow", "rule": "opened", "code": "emergency_access", "params": {}, "cacheable": false} if {
	_entitled
	_good_reason
}

# METADATA
# description: Every use, good or bad, is seen and kept.
effects contains {
	"effect": "audit",
	"rule": "glass_broken",
	"code": "emergency_access",
	"params": {
		"level": "decision",
		"alert": true,
		"retain_days": data.ringfence.params.break_glass.retain_days,
	},
	"cacheable": false,
} if {
	_asked
}

# METADATA
# description: The claim belongs to those who are trained for it.
effects contains {
	"effect": "deny",
	"rule": "not_entitled",
	"code": "emergency_access_refused",
	"params": {"status": 403, "message_id": "denied"},
	"cacheable": false,
} if {
	_asked
	not _entitled
}

# METADATA
# description: A reason is one of those on the list, so that it can be counted and never holds content.
effects contains {
	"effect": "deny",
	"rule": "no_reason",
	"code": "emergency_access_refused",
	"params": {"status": 403, "message_id": "denied"},
	"cacheable": false,
} if {
	_asked
	not _good_reason
}

_asked if _reason

_reason := input.principal.attributes[data.ringfence.params.break_glass.attribute]

_good_reason if data.ringfence.params.break_glass.reasons[_reason]

_entitled if {
	some group in input.principal.groups
	data.ringfence.params.break_glass.groups[group]
}

# METADATA
# title: Requests come in during working hours
# description: >-
#   Outside the listed weekdays and hours a request is refused or reported, as `action` says. All times are UTC
#   (`context.time`): widen the hours by the time zones of your offices and by summer time. Callers in a group of
#   `groups` and kinds of callers that `kinds` does not list, such as services, may work at any time.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: business_hours
#   version: "1.0.0"
#   owner: operations
#   severity: low
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - NIST SP 800-53 Rev. 5 AC-2(11) (usage conditions), AC-2(12) (atypical usage)
#     - ISO/IEC 27001:2022 Annex A 8.16 (monitoring activities)
#   remedy: Retry during working hours, or ask to be put in the group that is on call.
package ringfence.policy.business_hours

# METADATA
# description: Refused where the organisation chose so.
effects contains {
	"effect": "deny",
	"rule": "outside_hours",
	"code": "outside_hours",
	"params": {"status": 403, "message_id": "denied"},
} if {
	data.ringfence.params.business_hours.action == "deny"
	_outside
}

# METADATA
# description: Unusual use is seen.
effects contains {
	"effect": "audit",
	"rule": "outside_hours",
	"code": "outside_hours",
	"params": {"level": "decision", "alert": true},
} if {
	_outside
}

_outside if {
	data.ringfence.params.business_hours.kinds[input.principal.kind]
	not _exempt
	not _working
}

_working if {
	input.context.time.weekday in data.ringfence.params.business_hours.weekdays
	input.context.time.hour >= data.ringfence.params.business_hours.from_hour
	input.context.time.hour < data.ringfence.params.business_hours.until_hour
}

_exempt if {
	some group in input.principal.groups
	data.ringfence.params.business_hours.groups[group]
}

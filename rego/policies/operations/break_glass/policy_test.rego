package ringfence.policy.break_glass_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.break_glass as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"attribute": "break_glass_reason",
	"groups": {"break_glass": true},
	"reasons": {"incident_response": true, "legal_deadline": true, "patient_care": true},
	"retain_days": 2192,
}

asked(groups, reason) := sample.put(sample.clean, "principal", {
	"id": "p",
	"kind": "user",
	"tenant": "t",
	"groups": groups,
	"clearance": 0,
	"attributes": {"break_glass_reason": reason},
})

other := sample.put(sample.clean, "principal", {
	"id": "p",
	"kind": "user",
	"tenant": "t",
	"groups": [],
	"clearance": 0,
	"attributes": {"reason": "patient_care"},
})

opened := {"effect": "allow", "rule": "opened", "code": "emergency_access", "params": {}, "cacheable": false}

reported := {
	"effect": "audit",
	"rule": "glass_broken",
	"code": "emergency_access",
	"params": {"level": "decision", "alert": true, "retain_days": 2192},
	"cacheable": false,
}

# A reason is on the list or not: no threshold.

cases := {
	"an ordinary request": {"input": sample.clean, "rules": set()},
	"a member without a reason asks for nothing": {"input": sample.changed(sample.clean, "principal", "groups", ["break_glass"]), "rules": set()},
	"a member with a reason": {"input": asked(["break_glass"], "patient_care"), "rules": {["allow", "opened"], ["audit", "glass_broken"]}, "effects": {opened, reported}},
	"a reason that is not on the list": {"input": asked(["break_glass"], "curiosity"), "rules": {["deny", "no_reason"], ["audit", "glass_broken"]}},
	"an empty reason": {"input": asked(["break_glass"], ""), "rules": {["deny", "no_reason"], ["audit", "glass_broken"]}},
	"somebody else with a reason": {"input": asked(["sales"], "patient_care"), "rules": {["deny", "not_entitled"], ["audit", "glass_broken"]}},
	"somebody else with another reason": {"input": asked([], "curiosity"), "rules": {["deny", "not_entitled"], ["deny", "no_reason"], ["audit", "glass_broken"]}},
	"another attribute": {"input": other, "rules": set()},
	"classification incomplete": {"input": sample.with_status(asked(["break_glass"], "patient_care"), "failed"), "rules": {["allow", "opened"], ["audit", "glass_broken"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.break_glass as params
}

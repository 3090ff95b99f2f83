package ringfence.policy.business_hours_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.business_hours as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"action": "audit",
	"from_hour": 6,
	"groups": {"on_call": true},
	"kinds": {"anonymous": true, "user": true},
	"until_hour": 20,
	"weekdays": [1, 2, 3, 4, 5],
}

at(kind, weekday, hour) := sample.changed(
	sample.changed(sample.clean, "principal", "kind", kind),
	"context", "time", {"utc_minute": 29000000, "hour": hour, "weekday": weekday, "date": "2026-01-05"},
)

reported := {
	"effect": "audit",
	"rule": "outside_hours",
	"code": "outside_hours",
	"params": {"level": "decision", "alert": true},
}

cases := {
	"Monday noon": {"input": at("user", 1, 12), "rules": set()},
	"the first hour": {"input": at("user", 1, 6), "rules": set()},
	"the hour before": {"input": at("user", 1, 5), "rules": {["audit", "outside_hours"]}, "effects": {reported}},
	"the last hour at the threshold": {"input": at("user", 5, 19), "rules": set()},
	"the hour after": {"input": at("user", 5, 20), "rules": {["audit", "outside_hours"]}},
	"Saturday": {"input": at("user", 6, 12), "rules": {["audit", "outside_hours"]}},
	"Sunday": {"input": at("anonymous", 7, 12), "rules": {["audit", "outside_hours"]}},
	"a service works at night": {"input": at("service", 7, 3), "rules": set()},
	"on call": {"input": sample.changed(at("user", 7, 3), "principal", "groups", ["on_call"]), "rules": set()},
	"another group": {"input": sample.changed(at("user", 7, 3), "principal", "groups", ["sales"]), "rules": {["audit", "outside_hours"]}},
	"classification incomplete": {"input": sample.with_status(at("user", 7, 3), "failed"), "rules": {["audit", "outside_hours"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.business_hours as params
}

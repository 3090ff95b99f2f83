package ringfence.policy.machine_callers_level_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.machine_callers_level as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"highest": {"agent": 1, "anonymous": 0},
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
}

from(kind, clearance, rank) := sample.changed(
	sample.changed(sample.changed(sample.clean, "principal", "kind", kind), "principal", "clearance", clearance),
	"classification", "level_rank", rank,
)

pinned := {
	"effect": "pin",
	"rule": "above_level",
	"code": "above_level_of_caller",
	"params": {"tiers": {"any": ["device", "edge", "on_prem", "private_cluster"]}},
}

cases := {
	"a person may send anything": {"input": from("user", 0, 3), "rules": set()},
	"an agent at the threshold": {"input": from("agent", 0, 1), "rules": set()},
	"an agent above the threshold": {"input": from("agent", 0, 2), "rules": {["pin", "above_level"]}, "effects": {pinned}},
	"clearance raises it": {"input": from("agent", 2, 2), "rules": set()},
	"clearance that is too low": {"input": from("agent", 2, 3), "rules": {["pin", "above_level"]}},
	"an unknown caller with public text": {"input": from("anonymous", 0, 0), "rules": set()},
	"an unknown caller above": {"input": from("anonymous", 0, 1), "rules": {["pin", "above_level"]}},
	"an unknown level": {"input": from("agent", 3, 4), "rules": {["pin", "above_level"]}},
	"classification incomplete": {"input": sample.with_status(from("agent", 0, 4), "timeout"), "rules": {["pin", "above_level"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.machine_callers_level as params
}

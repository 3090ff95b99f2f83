package ringfence.policy.cost_cap_by_tier_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.cost_cap_by_tier as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"max_tokens": {"cloud": 16000, "regional_cloud": 64000},
}

without(tier) := {
	"effect": "pin",
	"rule": "over_cap",
	"code": "tier_excluded_by_cost",
	"params": {"exclude": {"tiers": [tier]}},
}

cases := {
	"a short request": {"input": sample.clean, "rules": set()},
	"tokens at the threshold": {"input": sample.with_request(sample.clean, "tokens_est", 16000), "rules": set()},
	"tokens above the threshold": {"input": sample.with_request(sample.clean, "tokens_est", 16001), "rules": {["pin", "over_cap"]}, "effects": {without("cloud")}},
	"classification incomplete": {"input": sample.with_status(sample.with_request(sample.clean, "tokens_est", 16001), "timeout"), "rules": {["pin", "over_cap"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.cost_cap_by_tier as params
}

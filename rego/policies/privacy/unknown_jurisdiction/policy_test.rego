package ringfence.policy.unknown_jurisdiction_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.unknown_jurisdiction as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"action": "pin",
	"tiers": [
		"device",
		"on_prem",
	],
	"caller_is_enough": true,
	"all_requests": false,
}

mail := sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 900, true)

least := data.ringfence.jurisdictions.subject_min_permille

only := {["pin", "own_machines"]}

pinned := {
	"effect": "pin",
	"rule": "own_machines",
	"code": "jurisdiction_unknown",
	"params": {"tiers": {"any": ["device", "on_prem"]}},
}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"nobody can be placed": {"input": mail, "rules": only, "effects": {pinned}},
	"unknown is no country": {"input": sample.with_subject(mail, "unknown", 1000), "rules": only},
	"an empty code": {"input": sample.with_origin(mail, ""), "rules": only},
	"a code that is no country": {"input": sample.with_origin(mail, "somewhere"), "rules": only},
	"a known subject": {"input": sample.with_subject(mail, "DE", 900), "rules": set()},
	"a known caller": {"input": sample.with_origin(mail, "US"), "rules": set()},
	"alias or subdivision DE-BY": {"input": sample.with_subject(mail, "DE-BY", 900), "rules": set()},
	"alias or subdivision UK": {"input": sample.with_subject(mail, "UK", 900), "rules": set()},
	"alias or subdivision EEA": {"input": sample.with_subject(mail, "EEA", 900), "rules": set()},
	"subject at the threshold": {"input": sample.with_subject(mail, "DE", least), "rules": set()},
	"subject below the threshold": {"input": sample.with_subject(mail, "DE", least - 1), "rules": only},
	"classification incomplete": {"input": sample.with_status(mail, "partial"), "rules": only},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.unknown_jurisdiction as params
}

test_it_refuses_by_parameter if {
	sample.rules(policy.effects) == {["deny", "not_placed"]} with input as mail
		with data.ringfence.params.unknown_jurisdiction as params
		with data.ringfence.params.unknown_jurisdiction.action as "deny"
}

test_a_caller_is_not_enough_by_parameter if {
	facts := sample.with_origin(mail, "US")
	sample.rules(policy.effects) == only with input as facts
		with data.ringfence.params.unknown_jurisdiction as params
		with data.ringfence.params.unknown_jurisdiction.caller_is_enough as false
}

test_all_requests_are_held_back_by_parameter if {
	facts := sample.clean
	sample.rules(policy.effects) == only with input as facts
		with data.ringfence.params.unknown_jurisdiction as params
		with data.ringfence.params.unknown_jurisdiction.all_requests as true
}

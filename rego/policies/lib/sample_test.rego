# METADATA
# title: Sample facts
# description: >-
#   Inputs for the cases of policies. A case is an input and what the policy says to it: `rules` are pairs of effect and
#   rule, `effects` (where given) the whole effects. Cases are values, so that every engine can be asked, also one on
#   which `with` cannot be used.
package ringfence.lib.sample_test

clean := {
	"schema": "ringfence.input/1",
	"phase": "request",
	"principal": {"id": "p", "kind": "user", "tenant": "t", "groups": [], "clearance": 0},
	"origin": {"jurisdiction": "unknown", "subject_jurisdictions": [], "basis": "default"},
	"request": {
		"protocol": "openai",
		"operation": "chat",
		"model": "m",
		"provider": "",
		"purpose": "",
		"stream": false,
		"tools": [],
		"bytes": 100,
		"tokens_est": 25,
		"messages": 1,
		"parse": {"status": "ok", "truncated": false, "reason": ""},
		"media": [],
		"uninspected": [],
	},
	"classification": {
		"status": "complete",
		"level": "public",
		"level_rank": 0,
		"entities": [],
		"labels": [],
		"residency_labels": [],
		"detectors": [],
	},
	"context": {"env": "e", "route": "r", "time": {"utc_minute": 29000000, "hour": 12, "weekday": 1, "date": "2026-01-05"}},
}

# Neither `object.union` nor `json.patch`: the engines do not agree on them.
put(object, key, value) := {name: found |
	some name, old in object
	found := _chosen(name, key, value, old)
}

_chosen(name, key, value, _) := value if name == key

_chosen(name, key, _, old) := old if name != key

changed(facts, part, key, value) := put(facts, part, put(facts[part], key, value))

with_entity(facts, category, type, permille, validated) := changed(facts, "classification", "entities", [{
	"category": category,
	"type": type,
	"count": 1,
	"max_permille": permille,
	"validated": validated,
	"where": ["user"],
}])

with_label(facts, name, permille) := changed(facts, "classification", "labels", [{"name": name, "permille": permille}])

with_status(facts, status) := changed(facts, "classification", "status", status)

with_subject(facts, code, permille) := changed(facts, "origin", "subject_jurisdictions", [{
	"code": code,
	"permille": permille,
	"basis": "content",
}])

with_origin(facts, code) := changed(facts, "origin", "jurisdiction", code)

with_request(facts, key, value) := changed(facts, "request", key, value)

with_parse(facts, key, value) := with_request(facts, "parse", put(facts.request.parse, key, value))

rules(effects) := {[effect.effect, effect.rule] | some effect in effects}

# What a policy said agrees with a case.
agrees(effects, case) if {
	rules(effects) == case.rules
	effects == object.get(case, "effects", effects)
}

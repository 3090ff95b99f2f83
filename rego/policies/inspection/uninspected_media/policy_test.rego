package ringfence.policy.uninspected_media_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.uninspected_media as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"alert": false,
	"refused": {"audio": true, "file": true, "video": true},
	"tiers": ["device", "on_prem"],
}

media(kinds) := sample.with_request(sample.clean, "media", kinds)

pinned := {"effect": "pin", "rule": "other_kinds", "code": "media_pinned", "params": {"tiers": {"any": ["device", "on_prem"]}}}

seen := {"effect": "audit", "rule": "media_seen", "code": "media_seen", "params": {"level": "decision", "alert": false}}

cases := {
	"text alone": {"input": sample.clean, "rules": set()},
	"an image": {"input": media(["image"]), "rules": {["pin", "other_kinds"], ["audit", "media_seen"]}, "effects": {pinned, seen}},
	"sound": {"input": media(["audio"]), "rules": {["deny", "refused_kind"], ["pin", "other_kinds"], ["audit", "media_seen"]}},
	"an image and a file": {"input": media(["file", "image"]), "rules": {["deny", "refused_kind"], ["pin", "other_kinds"], ["audit", "media_seen"]}},
	"an unread field is another policy's": {"input": sample.with_request(sample.clean, "uninspected", [{"reason": "unknown_field", "count": 1}]), "rules": set()},
	"classification incomplete": {"input": sample.with_status(media(["image"]), "skipped"), "rules": {["pin", "other_kinds"], ["audit", "media_seen"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.uninspected_media as params
}

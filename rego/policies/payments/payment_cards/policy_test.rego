package ringfence.policy.payment_cards_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.payment_cards as policy

card(permille, validated) := sample.with_entity(sample.clean, "card", "CREDIT_CARD", permille, validated)

least := data.ringfence.thresholds.card_permille

replaced := {
	"effect": "redact",
	"rule": "replace_card",
	"code": "card_replaced",
	"params": {"entity": "CREDIT_CARD", "operator": "replace"},
}

reported := {
	"effect": "audit",
	"rule": "alert_card",
	"code": "card_seen",
	"params": {"level": "decision", "alert": true, "retain_days": 365},
}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"another number": {"input": sample.with_entity(sample.clean, "bank", "IBAN_CODE", 1000, true), "rules": set()},
	"a card is replaced and reported": {"input": card(1000, true), "rules": {["redact", "replace_card"], ["audit", "alert_card"]}, "effects": {replaced, reported}},
	"a track is, too": {"input": sample.with_entity(sample.clean, "card", "CREDIT_CARD_TRACK", 1000, true), "rules": {["redact", "replace_card"], ["audit", "alert_card"]}},
	"and a verification code": {"input": sample.with_entity(sample.clean, "card", "CREDIT_CARD_CVV", 900, false), "rules": {["redact", "replace_card"], ["audit", "alert_card"]}},
	"a checksum beats confidence": {"input": card(0, true), "rules": {["redact", "replace_card"], ["audit", "alert_card"]}},
	"confidence at the threshold": {"input": card(least, false), "rules": {["redact", "replace_card"], ["audit", "alert_card"]}},
	"confidence below the threshold": {"input": card(least - 1, false), "rules": set()},
	"classification incomplete": {"input": sample.with_status(card(1000, true), "failed"), "rules": {["redact", "replace_card"], ["audit", "alert_card"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input
}

package ringfence.policy.pci_dss_card_data_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.pci_dss_card_data as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"authentication_data": {"CREDIT_CARD_CVV": true, "CREDIT_CARD_PIN": true, "CREDIT_CARD_TRACK": true},
	"last": 4,
	"min_permille": 300,
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
}

card(type, permille, validated) := sample.with_entity(sample.clean, "card", type, permille, validated)

masked := {
	"effect": "redact",
	"rule": "mask_number",
	"code": "card_masked",
	"params": {"entity": "CREDIT_CARD", "operator": "mask", "params": {"last": 4}},
}

pinned := {
	"effect": "pin",
	"rule": "cardholder_environment",
	"code": "card_data_pinned",
	"params": {"tiers": {"any": ["device", "edge", "on_prem", "private_cluster"]}},
}

seen := {
	"effect": "audit",
	"rule": "card_data_seen",
	"code": "card_seen",
	"params": {"level": "decision", "alert": false, "retain_days": 365},
}

held := {["pin", "cardholder_environment"], ["redact", "mask_number"], ["audit", "card_data_seen"]}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"a bank account is no card": {"input": sample.with_entity(sample.clean, "bank", "IBAN_CODE", 1000, true), "rules": set()},
	"an account number": {"input": card("CREDIT_CARD", 1000, true), "rules": held, "effects": {masked, pinned, seen}},
	"an expiry date": {"input": card("CREDIT_CARD_EXPIRATION", 900, true), "rules": {["pin", "cardholder_environment"], ["audit", "card_data_seen"]}},
	"a verification value": {"input": card("CREDIT_CARD_CVV", 900, false), "rules": {["pin", "cardholder_environment"], ["audit", "card_data_seen"], ["deny", "authentication_data"]}},
	"confidence at the threshold": {"input": card("CREDIT_CARD", 300, false), "rules": held},
	"confidence below the threshold": {"input": card("CREDIT_CARD", 299, false), "rules": set()},
	"classification incomplete": {"input": sample.with_status(card("CREDIT_CARD", 1000, true), "partial"), "rules": held},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.pci_dss_card_data as params
}

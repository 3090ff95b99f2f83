package ringfence.policy.bank_secrecy_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.bank_secrecy as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"countries": {"CH": true, "LU": true, "SG": true},
	"min_permille": 500,
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
}

entity(category, type, permille) := {
	"category": category,
	"type": type,
	"count": 1,
	"max_permille": permille,
	"validated": false,
	"where": ["user"],
}

account(permille) := entity("bank", "IBAN_CODE", permille)

person := entity("other", "PERSON", 900)

security := entity("securities", "ISIN", 900)

from(country, entities) := sample.with_origin(sample.changed(sample.clean, "classification", "entities", entities), country)

held := {["pin", "client_data"], ["redact", "account_number"]}

pinned := {
	"effect": "pin",
	"rule": "client_data",
	"code": "client_data_pinned",
	"params": {"countries": {"any": ["CH"]}, "tiers": {"any": ["device", "edge", "on_prem", "private_cluster"]}},
}

replaced := {
	"effect": "redact",
	"rule": "account_number",
	"code": "account_number_replaced",
	"params": {"entity": "IBAN_CODE", "operator": "replace"},
}

cases := {
	"clean text": {"input": from("CH", []), "rules": set()},
	"an account of a bank in Switzerland": {"input": from("CH", [account(900)]), "rules": held, "effects": {pinned, replaced}},
	"a canton counts as its country": {"input": from("CH-ZH", [account(900)]), "rules": held},
	"a bank elsewhere": {"input": from("DE", [account(900)]), "rules": set()},
	"an unknown country": {"input": from("unknown", [account(900)]), "rules": set()},
	"a security of nobody": {"input": from("LU", [security]), "rules": set()},
	"a security of somebody": {"input": from("LU", [person, security]), "rules": {["pin", "client_data"]}},
	"somebody without bank data": {"input": from("SG", [person]), "rules": set()},
	"a financial text about somebody": {"input": sample.with_label(from("SG", [person]), "financial", 500), "rules": {["pin", "client_data"]}},
	"label below the threshold": {"input": sample.with_label(from("SG", [person]), "financial", 499), "rules": set()},
	"confidence at the threshold": {"input": from("CH", [account(500)]), "rules": held},
	"confidence below the threshold": {"input": from("CH", [account(499)]), "rules": set()},
	"classification incomplete": {"input": sample.with_status(from("CH", [account(900)]), "timeout"), "rules": held},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.bank_secrecy as params
}

package ringfence.policy.credentials_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.credentials as policy

secret(type, permille, validated) := sample.with_entity(sample.clean, "credential", type, permille, validated)

labelled(permille) := sample.with_label(sample.clean, "credentials", permille)

least := data.ringfence.thresholds.credential_permille

least_label := data.ringfence.thresholds.credentials_label_permille

refused := {
	"effect": "deny",
	"rule": "certain",
	"code": "credentials_found",
	"params": {"status": 403, "message_id": "credentials_found"},
}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"another entity": {"input": sample.with_entity(sample.clean, "contact", "EMAIL_ADDRESS", 1000, true), "rules": set()},
	"another label": {"input": sample.with_label(sample.clean, "health", 1000), "rules": set()},
	"API_KEY is refused": {"input": secret("API_KEY", 900, false), "rules": {["deny", "certain"]}, "effects": {refused}},
	"JWT is refused": {"input": secret("JWT", 900, false), "rules": {["deny", "certain"]}, "effects": {refused}},
	"PRIVATE_KEY is refused": {"input": secret("PRIVATE_KEY", 900, false), "rules": {["deny", "certain"]}, "effects": {refused}},
	"a credential of a type no table names": {"input": secret("NEW_TOKEN", 900, false), "rules": {["deny", "certain"]}},
	"a verified credential at any confidence": {"input": secret("JWT", 0, true), "rules": {["deny", "certain"]}},
	"confidence at the threshold": {"input": secret("API_KEY", least, false), "rules": {["deny", "certain"]}},
	"confidence below the threshold": {"input": secret("API_KEY", least - 1, false), "rules": {["note", "doubtful"]}},
	"label at the threshold": {"input": labelled(least_label), "rules": {["deny", "certain"]}},
	"label below the threshold": {"input": labelled(least_label - 1), "rules": {["note", "doubtful"]}},
	"classification incomplete": {"input": sample.with_status(secret("API_KEY", 900, true), "timeout"), "rules": {["deny", "certain"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input
}

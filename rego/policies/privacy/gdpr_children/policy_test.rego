package ringfence.policy.gdpr_children_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.gdpr_children as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"labels": [
		"children",
	],
	"label_permille": 500,
	"attribute": "age_group",
	"attribute_values": [
		"child",
		"minor",
	],
	"refused_purposes": [
		"marketing",
		"profiling",
	],
	"unknown_is_eea": true,
	"operator": "replace",
}

child(permille) := sample.with_label(sample.clean, "children", permille)

named(facts) := sample.with_entity(facts, "contact", "EMAIL_ADDRESS", 900, true)

german(facts) := sample.with_origin(facts, "DE")

minor(value) := sample.put(sample.clean, "principal", {"id": "p", "kind": "user", "tenant": "t", "attributes": {"age_group": value}})

least := params.label_permille

pinned := {
	"effect": "pin",
	"rule": "eea_or_adequate",
	"code": "child_data_pinned",
	"params": {"countries": {"any": ["EEA", "AD", "AR", "CH", "FO", "GB", "GG", "IL", "IM", "JE", "KR", "NZ", "UY"]}},
}

cases := {
	"clean text": {"input": german(sample.clean), "rules": set()},
	"an address and no child": {"input": german(named(sample.clean)), "rules": set()},
	"about a child": {"input": german(child(900)), "rules": {["pin", "eea_or_adequate"]}, "effects": {pinned}},
	"about a child who is named": {"input": german(named(child(900))), "rules": {["pin", "eea_or_adequate"], ["redact", "direct_identifier"]}},
	"the caller is a child": {"input": german(minor("child")), "rules": {["pin", "eea_or_adequate"]}},
	"the caller is no child": {"input": german(minor("adult")), "rules": set()},
	"a refused purpose": {"input": german(sample.with_request(child(900), "purpose", "profiling")), "rules": {["pin", "eea_or_adequate"], ["deny", "refused_purpose"]}},
	"another purpose": {"input": german(sample.with_request(child(900), "purpose", "tutoring")), "rules": {["pin", "eea_or_adequate"]}},
	"a refused purpose without a child": {"input": german(sample.with_request(sample.clean, "purpose", "profiling")), "rules": set()},
	"child elsewhere": {"input": sample.with_origin(named(child(900)), "US"), "rules": set()},
	"nobody can be placed": {"input": child(900), "rules": {["pin", "eea_or_adequate"]}},
	"alias or subdivision EL": {"input": sample.with_origin(child(900), "EL"), "rules": {["pin", "eea_or_adequate"]}},
	"alias or subdivision ES-CT": {"input": sample.with_origin(child(900), "ES-CT"), "rules": {["pin", "eea_or_adequate"]}},
	"label at the threshold": {"input": german(child(least)), "rules": {["pin", "eea_or_adequate"]}},
	"label below the threshold": {"input": german(child(least - 1)), "rules": set()},
	"classification incomplete": {"input": sample.with_status(german(child(900)), "timeout"), "rules": {["pin", "eea_or_adequate"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.gdpr_children as params
}

test_other_values_tell_a_child_by_parameter if {
	count(policy.effects) == 1 with input as german(minor("pupil"))
		with data.ringfence.params.gdpr_children as params
		with data.ringfence.params.gdpr_children.attribute_values as ["pupil"]
}

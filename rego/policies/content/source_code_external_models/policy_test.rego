package ringfence.policy.source_code_external_models_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.source_code_external_models as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"labels": {"source_code": true},
	"min_permille": 0,
	"providers": [],
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
	"tools": {"apply_patch": true, "edit_file": true, "str_replace_based_edit_tool": true, "str_replace_editor": true, "write_file": true},
}

pinned := {
	"effect": "pin",
	"rule": "own_models",
	"code": "source_code_pinned",
	"params": {"tiers": {"any": ["device", "edge", "on_prem", "private_cluster"]}},
}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"another label": {"input": sample.with_label(sample.clean, "health", 900), "rules": set()},
	"source code": {"input": sample.with_label(sample.clean, "source_code", 900), "rules": {["pin", "own_models"]}, "effects": {pinned}},
	"label at the threshold of a model": {"input": sample.with_label(sample.clean, "source_code", 275), "rules": {["pin", "own_models"]}},
	"a coding agent": {"input": sample.with_request(sample.clean, "tools", ["apply_patch", "web_search"]), "rules": {["pin", "own_models"]}},
	"another agent": {"input": sample.with_request(sample.clean, "tools", ["get_weather"]), "rules": set()},
	"classification incomplete": {"input": sample.with_status(sample.with_label(sample.clean, "source_code", 900), "timeout"), "rules": {["pin", "own_models"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.source_code_external_models as params
}

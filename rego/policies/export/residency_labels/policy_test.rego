package ringfence.policy.residency_labels_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.residency_labels as policy

# Some of params.json, which `opa test` alone would not find.
params := {
	"countries": {"DE-ONLY": ["DE"], "EU-ONLY": ["EU"], "RESIDENCY-GERMANY": ["DE"], "UK-EYES-ONLY": ["GB"]},
	"tiers": ["device", "edge", "on_prem", "private_cluster"],
}

marked(names) := sample.changed(sample.clean, "classification", "residency_labels", names)

to(countries) := {
	"effect": "pin",
	"rule": "marked_country",
	"code": "marked_residency_pinned",
	"params": {"countries": {"any": countries}},
}

# A marking is there or not: no threshold.
cases := {
	"no marking": {"input": sample.clean, "rules": set()},
	"a marking of secrecy says no place": {"input": marked(["CUI", "TLP:RED"]), "rules": set()},
	"a country": {"input": marked(["DE-ONLY"]), "rules": {["pin", "marked_country"]}, "effects": {to(["DE"])}},
	"a group of countries": {"input": marked(["EU-ONLY"]), "rules": {["pin", "marked_country"]}, "effects": {to(["EU"])}},
	"a statement": {"input": marked(["RESIDENCY-GERMANY"]), "rules": {["pin", "marked_country"]}, "effects": {to(["DE"])}},
	"the United Kingdom": {"input": marked(["UK-EYES-ONLY"]), "rules": {["pin", "marked_country"]}, "effects": {to(["GB"])}},
	"a country that no table knows": {"input": marked(["ZZ-ONLY"]), "rules": {["pin", "unknown_marking"]}},
	"a place that no table knows": {"input": marked(["RESIDENCY-ATLANTIS"]), "rules": {["pin", "unknown_marking"]}},
	"classification incomplete": {"input": sample.with_status(marked(["DE-ONLY"]), "partial"), "rules": {["pin", "marked_country"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.residency_labels as params
}

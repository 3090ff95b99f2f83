package ringfence.policy.eu_ai_act_screening_test

import data.ringfence.lib.sample_test as sample
import data.ringfence.policy.eu_ai_act_screening as policy

# The defaults of params.json, which `opa test` alone would not find.
params := {
	"action": "audit",
	"labels": {"biometric_categorisation": "Art. 5(1)(g)", "child_sexual_abuse": "Art. 5(1), as amended in 2026", "crime_prediction": "Art. 5(1)(d)", "emotion_recognition": "Art. 5(1)(f)", "exploited_vulnerability": "Art. 5(1)(b)", "face_scraping": "Art. 5(1)(e)", "intimate_images": "Art. 5(1), as amended in 2026", "manipulation": "Art. 5(1)(a)", "remote_biometric_identification": "Art. 5(1)(h)", "social_scoring": "Art. 5(1)(c)"},
	"min_permille": 700,
}

reported := {
	"effect": "audit",
	"rule": "prohibited_practice",
	"code": "prohibited_practice",
	"params": {"level": "decision", "alert": true},
}

cases := {
	"clean text": {"input": sample.clean, "rules": set()},
	"another label": {"input": sample.with_label(sample.clean, "health", 1000), "rules": set()},
	"social scoring": {"input": sample.with_label(sample.clean, "social_scoring", 900), "rules": {["audit", "prohibited_practice"]}, "effects": {reported}},
	"emotion recognition": {"input": sample.with_label(sample.clean, "emotion_recognition", 900), "rules": {["audit", "prohibited_practice"]}},
	"intimate images": {"input": sample.with_label(sample.clean, "intimate_images", 900), "rules": {["audit", "prohibited_practice"]}},
	"label at the threshold": {"input": sample.with_label(sample.clean, "manipulation", 700), "rules": {["audit", "prohibited_practice"]}},
	"label below the threshold": {"input": sample.with_label(sample.clean, "manipulation", 699), "rules": {["note", "doubtful"]}},
	"classification incomplete": {"input": sample.with_status(sample.with_label(sample.clean, "face_scraping", 900), "partial"), "rules": {["audit", "prohibited_practice"]}},
}

test_cases[name] if {
	some name, case in cases
	sample.agrees(policy.effects, case) with input as case.input with data.ringfence.params.eu_ai_act_screening as params
}

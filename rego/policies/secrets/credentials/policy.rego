# METADATA
# title: Credentials never leave
# description: >-
#   A key in a prompt is a key that has leaked. What is certain is refused, so that its owner learns of it and revokes
#   it; what is doubtful is noted.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: credentials
#   version: "1.0.0"
#   owner: security
#   severity: critical
#   mode: enforce
#   on_error: deny
#   phases: [request]
#   references:
#     - ISO/IEC 27001:2022 Annex A 5.17
#     - NIST SP 800-53 Rev. 5 IA-5
#   remedy: Remove the credential, put a placeholder in its place, and revoke it if it was real.
package ringfence.policy.credentials

# METADATA
# description: A credential that was verified, or that is found with enough confidence.
effects contains {
	"effect": "deny",
	"rule": "certain",
	"code": "credentials_found",
	"params": {"status": 403, "message_id": "credentials_found"},
} if {
	_certain
}

# METADATA
# description: A weak sign is kept in the record and stops nothing.
effects contains {"effect": "note", "rule": "doubtful", "code": "credentials_suspected", "params": {}} if {
	_suspected
	not _certain
}

_suspected if {
	some entity in input.classification.entities
	data.ringfence.categories.credentials[entity.category]
}

_suspected if {
	some label in input.classification.labels
	label.name == "credentials"
}

_certain if {
	some entity in input.classification.entities
	data.ringfence.categories.credentials[entity.category]
	_proven(entity)
}

_certain if {
	some label in input.classification.labels
	label.name == "credentials"
	label.permille >= data.ringfence.thresholds.credentials_label_permille
}

_proven(entity) if entity.validated

_proven(entity) if entity.max_permille >= data.ringfence.thresholds.credential_permille

# METADATA
# title: Personal information leaves mainland China under the mechanism that its volume asks for
# description: >-
#   The mechanism that an export needs depends on how many individuals' information went abroad since 1 January of the
#   year: none below 100,000 (and nothing sensitive), a filed standard contract or certification below 1,000,000 (or
#   below 10,000 with sensitive information), a security assessment from there on and for operators of critical
#   information infrastructure always. A request does not tell the year's volume, so the operator writes it into the
#   parameters; the entities of the request count on top. Where the operator does not hold the mechanism, the data stays
#   in mainland China. Thresholds as of the CAC Provisions of 2024-03-22: check before relying on them. Important data,
#   which needs an assessment whatever its volume, cannot be told from text and is not judged here.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: pipl_export
#   version: "1.0.0"
#   owner: privacy
#   severity: critical
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   jurisdictions: [CN]
#   references:
#     - Personal Information Protection Law (PRC, in force 2021-11-01) Art. 28, Art. 38, Art. 39, Art. 40, Art. 55, Art. 56
#     - CAC Provisions on Promoting and Regulating Cross-Border Data Flows, in force 2024-03-22, Art. 5, Art. 7, Art. 8
#     - CAC Measures for the Standard Contract, in force 2023-06-01; Measures for Security Assessment, in force 2022-09-01
#     - CAC and SAMR Measures for Certification of the Cross-Border Provision of Personal Information, in force 2026-01-01
#   remedy: Use a model in mainland China, or have the privacy team file the mechanism that the volume asks for.
package ringfence.policy.pipl_export

import data.ringfence.lib.content
import data.ringfence.lib.topics
import data.ringfence.lib.transfers

# METADATA
# description: Without the mechanism that is needed, the information stays on the mainland.
effects contains {
	"effect": "pin",
	"rule": "mainland",
	"code": "export_without_mechanism",
	"params": {"countries": {"any": data.ringfence.localisation.china.countries}},
} if {
	_in_scope
	not _export_permitted
}

# METADATA
# description: What goes abroad goes without what identifies somebody directly (Art. 6, necessity).
effects contains {
	"effect": "redact",
	"rule": "direct_identifier",
	"code": "direct_identifier_replaced",
	"params": {"entity": type, "operator": data.ringfence.params.pipl_export.operator},
} if {
	_in_scope
	_export_permitted
	some type in content.direct_identifiers
}

# METADATA
# description: An export that needed a mechanism leaves a record (Art. 55, Art. 56).
effects contains {
	"effect": "audit",
	"rule": "export_recorded",
	"code": "export_recorded",
	"params": {"level": "decision", "retain_days": data.ringfence.params.pipl_export.retain_days},
} if {
	_in_scope
	_export_permitted
	count(_needed) > 0
}

_export_permitted if not _lacking

_lacking if {
	some needed in _needed
	needed > _held
}

# What is held and what is needed, as ranks: 0 nothing, 1 contract or certification, 2 assessment.
_held := {"none": 0, "contract": 1, "assessment": 2}[data.ringfence.params.pipl_export.mechanism]

_needed contains 1 if {
	some number in _individuals
	number >= data.ringfence.params.pipl_export.contract_from_individuals
}

_needed contains 1 if _sensitive

_needed contains 2 if {
	some number in _individuals
	number >= data.ringfence.params.pipl_export.assessment_from_individuals
}

_needed contains 2 if {
	_sensitive
	some number in _sensitive_individuals
	number >= data.ringfence.params.pipl_export.assessment_from_sensitive_individuals
}

_needed contains 2 if data.ringfence.params.pipl_export.critical_operator

# How many individuals may have gone abroad with this request: each kind of personal information counts for itself, and
# the greatest number decides (not by `max`, which regopy 1.5.2 answers by the text of the numbers).
_individuals contains data.ringfence.params.pipl_export.exported_individuals

_individuals contains data.ringfence.params.pipl_export.exported_individuals + entity.count if {
	some entity in input.classification.entities
	content.personal[entity.type]
}

_sensitive_individuals contains data.ringfence.params.pipl_export.exported_sensitive_individuals + 1

_sensitive_individuals contains data.ringfence.params.pipl_export.exported_sensitive_individuals + entity.count if {
	some entity in input.classification.entities
	content.personal[entity.type]
	entity.category in data.ringfence.params.pipl_export.sensitive_categories
}

_sensitive if {
	some entity in input.classification.entities
	content.personal[entity.type]
	entity.category in data.ringfence.params.pipl_export.sensitive_categories
}

_sensitive if topics.labelled(
	data.ringfence.params.pipl_export.sensitive_labels,
	data.ringfence.params.pipl_export.label_permille,
)

_in_scope if {
	count(content.personal) > 0
	"CN" in transfers.parties
}

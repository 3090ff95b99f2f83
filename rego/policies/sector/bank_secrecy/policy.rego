# METADATA
# title: Data of a bank's clients stays in the country whose bank secrecy protects it
# description: >-
#   In some countries it is a crime to reveal who is a client of a bank. A request from there (`origin.jurisdiction`)
#   that holds bank data beside somebody's identity is answered in that country, on machines of the organisation. The
#   caller's country is the installation's, set in its configuration.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: bank_secrecy
#   version: "1.0.0"
#   owner: compliance
#   severity: critical
#   mode: "off"
#   on_error: deny
#   phases: [request]
#   references:
#     - Switzerland, Banking Act of 8 November 1934 (SR 952.0), Art. 47
#     - Luxembourg, Law of 5 April 1993 on the financial sector, Art. 41
#     - Singapore, Banking Act 1970, section 47
#   remedy: Remove what identifies the client, or choose a model that is served in the country.
package ringfence.policy.bank_secrecy

# METADATA
# description: The country of the bank, on machines that nobody else uses.
effects contains {
	"effect": "pin",
	"rule": "client_data",
	"code": "client_data_pinned",
	"params": {"countries": {"any": [_home]}, "tiers": {"any": data.ringfence.params.bank_secrecy.tiers}},
} if {
	_protected
}

# METADATA
# description: Numbers of accounts serve no purpose in a prompt.
effects contains {
	"effect": "redact",
	"rule": "account_number",
	"code": "account_number_replaced",
	"params": {"entity": entity.type, "operator": "replace"},
} if {
	_protected
	some entity in input.classification.entities
	entity.category == "bank"
}

_home := split(input.origin.jurisdiction, "-")[0]

_protected if {
	data.ringfence.params.bank_secrecy.countries[_home]
	_bank_data
	_somebody
}

_bank_data if {
	some entity in input.classification.entities
	entity.category in {"bank", "securities"}
	_likely(entity)
}

_bank_data if {
	some label in input.classification.labels
	label.name == "financial"
	label.permille >= data.ringfence.params.bank_secrecy.min_permille
}

# An account number alone names its holder to anybody who can look it up.
_somebody if {
	some entity in input.classification.entities
	entity.category == "bank"
	_likely(entity)
}

_somebody if {
	some entity in input.classification.entities
	data.ringfence.categories.personal[entity.category]
	not data.ringfence.entities.impersonal[entity.type]
	_likely(entity)
}

_likely(entity) if entity.validated

_likely(entity) if entity.max_permille >= data.ringfence.params.bank_secrecy.min_permille

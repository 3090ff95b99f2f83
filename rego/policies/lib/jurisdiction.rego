# METADATA
# title: Jurisdictions
# description: Whose law reaches a request, read from its facts.
# schemas:
#   - input: schema["ringfence.input-1"]
package ringfence.lib.jurisdiction

# METADATA
# description: Countries of data subjects that are known well enough; a subdivision (DE-BY) counts as its country.
subjects contains country if {
	some subject in input.origin.subject_jurisdictions
	subject.code != "unknown"
	subject.permille >= data.ringfence.jurisdictions.subject_min_permille
	country := split(subject.code, "-")[0]
}

# METADATA
# description: True when a subject is known to be in the EU or the EEA.
subject_in_eea if {
	some country in subjects
	data.ringfence.jurisdictions.eea.codes[country]
}

# METADATA
# description: True when the caller is in the EU or the EEA, so that Art. 3(1) GDPR reaches what it does.
origin_in_eea if data.ringfence.jurisdictions.eea.codes[split(input.origin.jurisdiction, "-")[0]]

# METADATA
# title: Topics
# description: What a text is about, by the labels of the request.
# schemas:
#   - input: schema["ringfence.input-1"]
package ringfence.lib.topics

import data.ringfence.lib.content
import data.ringfence.lib.jurisdiction

# METADATA
# description: True when one of the labels `names` reaches `least` permille.
labelled(names, least) if {
	some label in input.classification.labels
	label.name in names
	label.permille >= least
}

# METADATA
# description: True when the text names a person, or when a data subject is known.
of_somebody if count(content.personal) > 0

of_somebody if count(jurisdiction.subjects) > 0

# METADATA
# title: Content
# description: What detection says about a request, in the words that policies share.
# schemas:
#   - input: schema["ringfence.input-1"]
package ringfence.lib.content

# METADATA
# description: Entity types of the request that are personal data, by name or by what kind of value they are.
personal contains entity.type if {
	some entity in input.classification.entities
	data.ringfence.entities.personal[entity.type]
}

personal contains entity.type if {
	some entity in input.classification.entities
	data.ringfence.categories.personal[entity.category]
	not data.ringfence.entities.impersonal[entity.type]
}

# METADATA
# description: Entity types that an authority, an insurer or a tax office gave to one person.
identifiers contains entity.type if {
	some entity in input.classification.entities
	data.ringfence.categories.identifiers[entity.category]
	not data.ringfence.entities.impersonal[entity.type]
}

# METADATA
# description: Entity types that identify a person without anything else beside them.
direct_identifiers contains type if {
	some type in personal
	data.ringfence.entities.direct_identifiers[type]
}

direct_identifiers contains type if some type in identifiers

# METADATA
# description: True when the request has nothing to inspect; a model listing has no body.
bodyless if input.request.operation == "list_models"

# METADATA
# description: True when detection saw everything that was read.
classified if input.classification.status == "complete"

classified if bodyless

# METADATA
# description: True when the body was read to its end.
parsed if {
	input.request.parse.status == "ok"
	not input.request.parse.truncated
}

# METADATA
# description: True when no part of the body was left unread.
read_wholly if {
	parsed
	count(input.request.media) == 0
	count(input.request.uninspected) == 0
}

"""Policy engines behind one Protocol, bundle loading, and the join of effects."""

# Before regopy, which brings RE2 symbols of its own: loaded the other way round, google-re2 frees what it did not allocate.
import re2  # noqa: F401

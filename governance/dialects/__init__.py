"""One provider API per file: bytes to request, segments and edits, and the shape of a refusal."""

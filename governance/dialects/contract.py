"""What every dialect takes and gives beside the request: limits, and the reply in its API's own shape."""

from __future__ import annotations

from dataclasses import field

from governance.dialects.json_document import MAX_DEPTH, MAX_VALUES
from governance.frozen import frozen


@frozen
class Limits:
    """How much of a request is read; anything beyond is RequestTooLarge.

    Bytes on the wire, bytes after content decoding (bounds memory), nesting, JSON names and values including those
    of JSON inside strings (bounds time), and pieces: of text, and of what is not inspected (bounds detection).
    """

    max_body_bytes: int = 8 << 20
    max_decoded_bytes: int = 16 << 20
    max_depth: int = MAX_DEPTH
    max_values: int = MAX_VALUES
    max_segments: int = 20_000


@frozen
class Reply:
    """An answer that Ringfence writes itself. Header names are lower case; the sender adds the content-length."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

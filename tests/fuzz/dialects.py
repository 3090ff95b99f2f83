"""Whole requests: whatever arrives is read or refused, and edits change what they name and nothing else."""

from __future__ import annotations

from tests.fuzz.runner import Target, run

CODINGS = ("", "identity", "gzip", "deflate", "br", "zstd", "gzip, br", "x")
PATHS = ("/v1/chat/completions", "/v1/models", "/v1/models/a", "/v1/embeddings")
MARK = "<X_1>"


def load() -> Target:
    """The first byte chooses endpoint and content coding, the rest is the body."""
    from governance.dialects import routes
    from governance.errors import GovernanceError, MalformedRequest
    from governance.inference import RequestHead
    from governance.segment import Edit, Span

    limits = routes.Limits(max_body_bytes=1 << 20, max_decoded_bytes=1 << 20, max_values=5_000, max_segments=500)

    def target(data: bytes) -> None:
        choice = data[0] if data else 0
        path, coding = PATHS[0 if choice & 3 == 3 else choice & 3], CODINGS[choice >> 2 & 7]
        headers = (("content-type", "application/json"), *((("content-encoding", coding),) if coding else ()))
        head = RequestHead(method="POST" if path == PATHS[0] else "GET", path=path, headers=headers)
        try:
            request = routes.read(routes.classify(head), head, data[1:], limits)
        except GovernanceError:
            return
        if request.document is None:
            return
        body = request.document.apply(())
        if coding in {"", "identity"}:
            assert data[1:] == body
        texts = [segment.text.reveal() for segment in request.segments]
        if not texts:
            return
        at = choice % len(texts)
        edit = Edit(segment=at, span=Span(start=0, end=len(texts[at])), replacement=MARK)
        try:
            edited = request.document.apply((edit,))
        except MalformedRequest:
            return
        plain = RequestHead(method="POST", path=PATHS[0], headers=headers[:1])
        again = routes.read(
            routes.classify(plain), plain, edited, routes.Limits(max_body_bytes=2 << 20, max_decoded_bytes=2 << 20)
        )
        # A changed name may change what the members under it mean, but never how many texts there are to read.
        assert MARK in [segment.text.reveal() for segment in again.segments]

    return target


if __name__ == "__main__":
    run(load)

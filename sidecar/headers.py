"""Which request headers pass: those that a node needs or a proxy owns. Any other may carry anything, and nobody reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# What OpenAI's clients say of themselves and of a call, each behind `x-stainless-`.
_CLIENTS = (
    "arch async custom-event-handler custom-poll-interval helper-method lang os package-version poll-helper raw-response "
    "read-timeout retry-count runtime runtime-version stream-helper timeout".split()
)
# Names in full: what begins like one of them may carry anything, such as what a proxy knows of the caller.
KNOWN = (
    *"accept accept-charset accept-encoding accept-language api-key authorization cache-control connection "
    "content-encoding content-length content-type date expect host idempotency-key keep-alive openai-beta "
    "openai-organization openai-project te traceparent tracestate trailer transfer-encoding upgrade user-agent x-api-key "
    "x-forwarded-host x-forwarded-port x-forwarded-proto x-request-id".split(),
    *(f"x-stainless-{name}" for name in _CLIENTS),
)
# Pseudo headers are no headers.
KNOWN_PREFIXES = (":",)

# What says who asks, and how a body that comes in one message is written.
READ = ("authorization", "api-key", "x-api-key", "content-type")

# What a caller said the length of the body is, in a header of ours that goes no further than Envoy.
DECLARED = "x-ringfence-declared"

# What an answer of our own carries, as an expression.
ANSWERED_HEADERS = "content-type|retry-after|x-ringfence-decision-id|x-ringfence-action"


def others(names: Iterable[str], prefixes: Iterable[str]) -> str:
    """An RE2 expression for every text that is none of `names` and begins with none of `prefixes`.

    RE2 has no lookahead, so that what is not meant has to be spelt out.
    """
    trie: dict[str, object] = {}
    for word in (*(f"{name}\0" for name in names), *prefixes):
        at = trie
        for letter in word[:-1]:
            at = at.setdefault(letter, {})  # type: ignore[assignment]
        # A name ends in NUL, which leads nowhere; so does the last letter of a prefix.
        at[word[-1]] = None
    return _others(trie)


def _others(trie: Mapping[str, object]) -> str:
    letters = sorted(letter for letter in trie if letter != "\0")
    if not letters:
        return ".+"
    ways = [f"[^{''.join(map(re.escape, letters))}].*"]
    ways += [re.escape(letter) + _others(below) for letter in letters if isinstance(below := trie[letter], Mapping)]
    if "\0" not in trie:
        ways.append("")
    return f"(?:{'|'.join(ways)})"

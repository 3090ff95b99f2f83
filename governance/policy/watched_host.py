"""The child process that evaluates policies for `governance.policy.watched`, by which it is started and ended.

The plan: `{"modules": [[name, text], ...], "data", "entrypoints": [...]}`, where `data` is JSON in a string; answered by
`{"ready": version}` or `{"refused": true}`. Then for each request, which is a line with the entry points as a JSON list and
after it the input as JSON, one answer for each entry point, in order: `[failure or null, value of the rule]`.
"""

from __future__ import annotations

import json
from typing import Final

from governance.child import Calls
from governance.policy.rego import SCHEMA, UNSUPPORTED, Failed, NotCompiled, Rego, version

MAX_ANSWER_BYTES: Final = 8 << 20


def serve() -> None:
    """Compiles the plan, then answers requests until there are no more."""
    calls = Calls()
    order = json.loads(calls.plan())
    try:
        rego = Rego(order["modules"], order["data"].encode(), order["entrypoints"])
    except NotCompiled:
        calls.answer(_json({"refused": True}))
        return
    calls.answer(_json({"ready": version()}))
    while (call := calls.next()) is not None:
        head, _, document = call[0].partition(b"\n")
        taken = rego.take(document)
        for entrypoint in json.loads(head):
            calls.answer(_said(rego.value(entrypoint) if taken else UNSUPPORTED))


def _said(value: object) -> bytes:
    if isinstance(value, Failed):
        return _json([value.kind, None])
    answer = _json([None, value])
    return answer if len(answer) <= MAX_ANSWER_BYTES else _json([SCHEMA.kind, None])


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")

"""The lossless reader of JSON against two others, and its edits."""

from __future__ import annotations

import json
from typing import Any

import orjson

from tests.fuzz.runner import Target, run


def load() -> Target:
    """Accepted is what the standard library and orjson read alike, with the same values; spelling survives."""
    from governance.dialects.json_document import Array, Number, Object, String, decode, read, splice
    from governance.errors import GovernanceError

    def plain(value: Any) -> object:
        if isinstance(value, Object):
            return {name: plain(member) for name, (_, member) in value.members.items()}
        if isinstance(value, Array):
            return [plain(item) for item in value.items]
        if isinstance(value, Number):
            return json.loads(value.text())
        return value.text() if isinstance(value, String) else value

    def target(data: bytes) -> None:
        try:
            source = decode(data)
            ours = plain(read(source))
        except GovernanceError:
            return
        assert repr(ours) == repr(json.loads(data.decode("utf-8"))) == repr(orjson.loads(data))
        assert splice(source, []).encode() == data

    return target


if __name__ == "__main__":
    run(load)

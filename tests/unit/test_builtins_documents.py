"""Encodings, JSON, YAML, schemas, patches and walks."""

from __future__ import annotations

import pytest

from governance.policy.plan.builtins import BUILTINS, BuiltinError
from governance.policy.plan.values import Set, Value

VALUES = [
    ("base64.encode", ("é",), "w6k="),
    ("base64.decode", ("aGVsbG8=",), "hello"),
    ("base64.is_valid", ("aGVsbG8",), False),
    ("base64url.encode_no_pad", ("a?>",), "YT8-"),
    ("base64url.decode", ("YT8-",), "a?>"),
    ("hex.encode", ("hé",), "68c3a9"),
    ("hex.decode", ("68c3a9",), "hé"),
    ("json.marshal", ({"b": Set([2, 1]), "a": "<é>"},), '{"a":"\\u003cé\\u003e","b":[1,2]}'),
    ("json.marshal", (BUILTINS["object.union"]({}, {"a": 1.5}),), '{"a":1.5}'),
    ("json.marshal_with_options", ({"a": [1]}, {"indent": " ", "prefix": ">"}), '>{\n> "a": [\n>  1\n> ]\n>}'),
    ("json.unmarshal", ('{"a": [1.0, 1e2, "\\ud800"]}',), {"a": [1, 100, "\ufffd"]}),
    ("json.is_valid", ("NaN",), False),
    ("yaml.unmarshal", ("a: yes\nb: 010\nc: 2020-01-01\nd: ~\ne: .5",), {"a": "yes", "b": 8, "c": "2020-01-01", "d": None, "e": 0.5}),
    ("yaml.unmarshal", ("- &x {a: 1}\n- <<: *x\n  b: 2",), [{"a": 1}, {"a": 1, "b": 2}]),
    ("yaml.unmarshal", ("",), None),
    ("yaml.is_valid", ("a: [",), False),
    ("yaml.marshal", ({"b": ["1", {"c": "x"}], "a": None},), 'a: null\nb:\n  - "1"\n  - c: x\n'),
    ("urlquery.encode", ("a b&é/",), "a+b%26%C3%A9%2F"),
    ("urlquery.decode", ("a+b%26",), "a b&"),
    ("urlquery.encode_object", ({"b": ["2", "1"], "a": "x"},), "a=x&b=2&b=1"),
    ("urlquery.decode_object", ("a=1&a=2&b",), {"a": ["1", "2"], "b": [""]}),
    ("json.filter", ({"a": {"b": 1, "c": 2}, "d": [1, 2]}, ["a/b", "d/1"]), {"a": {"b": 1}, "d": [2]}),
    ("json.remove", ({"a": {"b": 1, "c": 2}, "d": [1, 2]}, ["a/b", "d/1"]), {"a": {"c": 2}, "d": [1]}),
    ("json.patch", ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}]), {"a": [1, 2]}),
    ("json.patch", ({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}]), {"b": 1}),
    ("json.patch", ({"a": Set([1])}, [{"op": "remove", "path": ["a", 1]}]), {"a": Set()}),
    ("walk", ({"a": [1]},), [[[], {"a": [1]}], [["a"], [1]], [["a", 0], 1]]),
    ("json.verify_schema", ({"type": "string"},), [True, None]),
    ("json.verify_schema", ({"type": "secret"},), [False, "jsonschema: invalid schema"]),
    ("json.match_schema", ({"a": 1}, {"properties": {"a": {"type": "integer"}}}), [True, []]),
    ("json.match_schema", ({"a": "secret"}, {"properties": {"a": {"type": "integer"}}}), [False, [{"error": "a: type", "type": "type", "field": "a", "desc": "type"}]]),
    ("json.match_schema", ({"a": "x"}, {"patternProperties": {"^a": {"pattern": "^y"}}}), [False, [{"error": "a: pattern", "type": "pattern", "field": "a", "desc": "pattern"}]]),
]  # fmt: skip
ERRORS = [
    ("base64.decode", ("secret!",)),
    ("base64.decode", ("/w==",)),
    ("hex.decode", ("secret",)),
    ("json.unmarshal", ("secret",)),
    ("json.unmarshal", ("[" * 100_000,)),
    ("json.unmarshal", ("[" * 300 + '\\"' * 300_000,)),
    ("json.unmarshal", ("1e999999",)),
    ("json.marshal_with_options", ({}, {"secret": 1})),
    ("yaml.unmarshal", ("a: [secret",)),
    ("yaml.unmarshal", ("!!python/object/apply:os.system [secret]",)),
    ("yaml.unmarshal", ("[" * 49_999,)),
    ("yaml.unmarshal", ("- " * 20_000,)),
    ("yaml.unmarshal", ("&a [*a]",)),
    ("urlquery.decode", ("%zz",)),
    ("urlquery.encode_object", ({"a": 1},)),
    ("json.filter", ({"a": 1}, [1])),
    ("json.patch", ({"a": 1}, [{"op": "remove", "path": "/secret"}])),
    ("json.patch", ({"a": 1}, [{"op": "test", "path": "/a", "value": "secret"}])),
    ("json.patch", ({"a": 1}, [{"op": "remove", "path": ""}])),
    ("json.patch", ({"a": 1}, [{"op": "secret", "path": "/a"}])),
    ("json.match_schema", ({"a": 1}, {"$ref": "http://127.0.0.1:9/secret"})),
    ("json.match_schema", ({"a": 1}, {"patternProperties": {"(secret": {}}})),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operands", "expected"), VALUES)
def test_value(name: str, operands: tuple[Value, ...], expected: Value) -> None:
    """A call has the documented value."""
    actual = BUILTINS[name](*operands)

    assert (type(expected), expected) == (type(actual), actual)


@pytest.mark.parametrize(("name", "operands"), ERRORS)
def test_error(name: str, operands: tuple[Value, ...]) -> None:
    """A call that has no answer is an error, whose text holds no operand."""
    with pytest.raises(BuiltinError) as raised:
        BUILTINS[name](*operands)

    assert "secret" not in str(raised.value)


def test_aliases_do_not_multiply() -> None:
    """A small YAML document that is huge once its aliases are resolved is an error."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]

    with pytest.raises(BuiltinError, match="too large"):
        BUILTINS["yaml.unmarshal"]("\n".join(lines))


def test_a_patch_leaves_its_operand() -> None:
    """A patched value is another one."""
    value = {"a": [1]}

    BUILTINS["json.patch"](value, [{"op": "add", "path": "/a/0", "value": 0}])

    assert {"a": [1]} == value

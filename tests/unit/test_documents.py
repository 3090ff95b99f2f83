"""How much the documents of a bundle may hold, counted before anything reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import ConfigInvalid
from governance.policy.documents import json_values, refuse_large

# What could pass for structure, or for the end of a string.
WORDS = st.text(st.sampled_from('"\\,[]{}:- a\u2028'), max_size=8)
DOCUMENTS = st.recursive(
    st.one_of(WORDS, st.integers(-9, 9), st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)


def values(value: Any) -> int:
    """Elements and members in `value`, and one for each empty container."""
    inner = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else None
    return 0 if inner is None else max(1, len(inner)) + sum(map(values, inner))


def refusal(**documents: bytes) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        refuse_large((Path(name.replace("_", ".")), raw) for name, raw in documents.items())
    return str(caught.value)


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, st.sampled_from([None, 1]), st.booleans())
def test_values_are_counted_as_a_parser_counts_them(value: Any, indent: int | None, plain: bool) -> None:
    """Whatever stands in strings and keys, however it is written."""
    text = json.dumps(value, indent=indent, ensure_ascii=plain)

    assert values(value) == json_values(text.encode())


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, st.binary(max_size=8))
def test_what_follows_a_document_hides_nothing(value: Any, tail: bytes) -> None:
    """A text that is none is not counted for less than what was read of it before that was seen."""
    assert values(value) <= json_values(json.dumps(value).encode() + b" " + tail)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'"' * 4_000_000, id="quotes"),
        pytest.param(b'"' + b'\\"' * 2_000_000, id="escaped quotes"),
        pytest.param(b"\\" * 4_000_000, id="backslashes"),
        pytest.param(b'"' + b"\\" * 3_999_999, id="backslashes in a string"),
    ],
)
def test_counting_is_linear(raw: bytes) -> None:
    """No file takes longer than its bytes."""
    assert 0 == json_values(raw)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"k":' + b",".join(b'"k%d":%d' % (n, n) for n in range(200_001)) + b"}", id="keys"),
        pytest.param(b'{"a":[' + b"[]," * 100_001 + b"[]]}", id="empty arrays"),
        pytest.param(b'{"a":[' + b"{}," * 100_001 + b"{}]}", id="empty objects"),
        pytest.param(b'{"a":[' + b"[0,0]," * 66_700 + b"0]}", id="small arrays"),
        pytest.param(b"[" * 200_001, id="deep"),
        pytest.param(b'{"\\",[":[' + b"0," * 200_001 + b"0]}", id="behind an escaped quote"),
    ],
)
def test_hostile_json_is_refused(raw: bytes) -> None:
    """Many keys, many containers, deep ones, and what only looks like a string."""
    assert "data.json:1: more than 200000 values in the documents of a bundle" == refusal(data_json=raw)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"".join(b"k%d: %d\n" % (n, n) for n in range(20_001)), id="lines"),
        pytest.param(b"a:\n" + b"- a\n" * 20_001, id="list"),
        pytest.param(b"a: [" + b"a," * 20_001 + b"a]", id="flow"),
        pytest.param(b"a: " + b"[" * 20_001, id="deep"),
        pytest.param(b"? a\n" * 20_001, id="keys alone"),
    ],
)
def test_hostile_yaml_is_refused(raw: bytes) -> None:
    """The same for YAML, which takes far longer to read."""
    expected = "data.yaml:1: more than 20000 values of YAML in the documents of a bundle: make it JSON"

    assert expected == refusal(data_yaml=raw)


def test_long_yaml_is_refused() -> None:
    """Characters of YAML cost time too, in whatever they stand; those of JSON do not."""
    text = b"a: " + b"x" * (300 << 10)
    refuse_large([(Path("data.json"), b'{"a": "' + text * 4 + b'"}'), (Path("data.yml"), text)])

    expected = "b.yml:1: more than 524288 bytes of YAML in the documents of a bundle: make it JSON"
    assert expected == refusal(a_yaml=text, b_yml=text)


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, st.booleans())
def test_yaml_has_no_more_values_than_are_counted(value: Any, flow: bool) -> None:
    """Whichever way it is written."""
    text = yaml.safe_dump({"a": value}, default_flow_style=flow)
    counted = sum(map(text.count, ",[{:-?"))

    assert values({"a": value}) <= counted


def test_as_much_as_a_bundle_may_hold_is_taken() -> None:
    """The limit is the last that passes, over JSON and YAML together."""
    json_text, yaml_text = b"[" + b"0," * 189_999 + b"0]", b"[" + b"0," * 9_999 + b"0]"
    refuse_large([(Path("data.json"), json_text), (Path("data.yaml"), yaml_text)])

    expected = "c.json:1: more than 200000 values in the documents of a bundle"
    assert expected == refusal(a_json=json_text, b_yaml=yaml_text, c_json=b"[0]")

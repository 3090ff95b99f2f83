"""The canonical bytes of records: RFC 8785, bounded, without floats."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

import orjson
import pytest

from governance import record
from governance.audit.canonical import Encoder, canonical, is_canonical
from governance.audit.frame import PAYLOAD_MAX
from governance.errors import AuditUnavailable
from governance.facts import (
    Classification,
    Facts,
    Origin,
    Parse,
    Principal,
    Request,
    Surroundings,
    Time,
)
from governance.finding import DetectionStatus
from governance.inference import Operation
from governance.record import (
    DecisionRecord,
    EventRecord,
    FindingCount,
    OutcomeRecord,
    OutcomeStatus,
    RouteRecord,
)
from governance.residency import Level
from governance.segment import Role
from tests.builders import sample_record

ENCODER = Encoder(origin="o", boot="b" * 32, clock=lambda: (5, 7))


def facts(tools: tuple[str, ...] = (), attributes: dict[str, str] | None = None) -> Facts:
    """A policy input with the given tools and attributes."""
    return Facts(
        schema="ringfence.input/1",
        phase="request",
        principal=Principal(id="p", kind="user", tenant="t", attributes=attributes or {}),
        origin=Origin(jurisdiction="DE", subject_jurisdictions=(), basis="default"),
        request=Request(
            protocol="openai",
            operation=Operation.CHAT,
            model="m",
            provider="",
            purpose="",
            stream=False,
            tools=tools,
            bytes=1,
            tokens_est=1,
            messages=1,
            parse=Parse(status="ok"),
            media=(),
            uninspected=(),
        ),
        classification=Classification(
            status=DetectionStatus.COMPLETE,
            level=Level.PUBLIC,
            level_rank=0,
            entities=(),
            labels=(),
            residency_labels=(),
            detectors=(),
        ),
        context=Surroundings(env="e", route="r", time=Time(utc_minute=1, hour=1, weekday=1, date="2026-01-01")),
    )


def test_an_event_has_its_exact_bytes() -> None:
    """Keys in order, no whitespace, the envelope beside the fields."""
    expected = (
        b'{"against":0,"boot":"' + b"b" * 32 + b'","code":"","count":3,"digest":"","kind":"gap","mono":7,"origin":"o",'
        b'"seq":9,"ts":5,"v":1}'
    )

    assert expected == ENCODER.encode(EventRecord(kind="gap", count=3), 9)


def test_none_is_left_out_at_every_depth() -> None:
    """A record without route, policy and facts has no such keys, and no null anywhere."""
    bare = dataclasses.replace(sample_record("d"), route=None, policy=None)
    with_facts = dataclasses.replace(bare, facts=facts())

    assert {"route", "policy", "facts"} & orjson.loads(ENCODER.encode(bare, 0)).keys() == set()
    assert orjson.loads(ENCODER.encode(with_facts, 0))["facts"]["principal"]["attributes"] == {}
    assert b"null" not in ENCODER.encode(with_facts, 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, b"{}"),
        ({"b": 1, "a": [True, False, None]}, b'{"a":[true,false,null],"b":1}'),
        # RFC 8785, 3.2.3: names sorted by UTF-16 unit, so U+1F600 comes before U+FB33.
        (
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7},
            '{"\\r":2,"1":4,"\x80":6,"\xf6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'.encode(),
        ),
        # RFC 8785, 3.2.2.2: short escapes, \u00xx in lower case, everything else as it is.
        (
            '\u20ac$\x0f\nA\'B"\\\\"/\x08\x0c\t\x1b\x7f',
            '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\\b\\f\\t\\u001b\x7f"'.encode(),
        ),
        (2**53 - 1, b"9007199254740991"),
        (-1, b"-1"),
    ],
)
def test_the_rules_of_rfc_8785_hold(value: object, expected: bytes) -> None:
    """Vectors by hand from the RFC's sections on names, strings and integers."""
    assert expected == canonical(value)


@pytest.mark.parametrize("value", [1.0, {"a": [0.5]}, 2**53, "\ud800"])
def test_what_rfc_8785_cannot_carry_exactly_is_refused(value: object) -> None:
    """Floats, wide integers and lone surrogates have no canonical form here."""
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"a":[1,-2],"b":"x.5"}', True),
        (b'{"a":":1.5,"}', True),
        ('{"\U0001f600":5,"\ufb33":3}'.encode(), True),
        ('{"\ufb33":3,"\U0001f600":5}'.encode(), False),
        (b'{"b":1,"a":1}', False),
        (b'{"a": 1}', False),
        (b'{"a":"\\u0041"}', False),
        (b'{"a":1,"a":1}', False),
        (b'{"a":-0}', False),
    ],
)
def test_only_canonical_bytes_are_recognised(payload: bytes, expected: bool) -> None:
    """Order, whitespace, escapes, doubled keys and spelling of numbers all count."""
    assert is_canonical(payload, orjson.loads(payload)) is expected


@pytest.mark.parametrize("payload", [b'{"a":1.5}', b"[1e3]", b'{"a":[0,-1.0]}'])
def test_a_float_is_never_canonical(payload: bytes) -> None:
    """Even one that would be spelled the same again."""
    with pytest.raises(TypeError):
        is_canonical(payload, orjson.loads(payload))


def test_keys_beyond_the_bmp_are_sorted_as_the_rfc_says_inside_a_record_too() -> None:
    """Attributes of a principal are the only free keys; their order is that of UTF-16 units."""
    record = dataclasses.replace(sample_record("d"), facts=facts(attributes={"\ufb33": "1", "\U0001f600": "2"}))
    payload = ENCODER.encode(record, 0)

    assert canonical(orjson.loads(payload)) == payload
    assert payload.index("\U0001f600".encode()) < payload.index("\ufb33".encode())


def test_facts_that_do_not_fit_are_left_out_and_counted() -> None:
    """The record stays whole without them."""
    record = dataclasses.replace(sample_record("d"), facts=facts(tools=("t" * 100,) * 700))
    fields = orjson.loads(ENCODER.encode(record, 0))

    assert (fields["facts_overflow"], "facts" in fields) == (1, False)


def test_lists_that_do_not_fit_keep_as_many_of_their_first_entries_as_do() -> None:
    """What is left out is counted beside the list, inside a part of the record too; shorter lists are whole."""
    sample = sample_record("d")
    assert sample.policy is not None
    policy = dataclasses.replace(sample.policy, rules=tuple(f"policy_{at}/rule" for at in range(3_000)))
    findings = tuple(FindingCount(type=f"TYPE_{at}", n=1, max_permille=900, where=(Role.USER,)) for at in range(2_000))
    payload = ENCODER.encode(dataclasses.replace(sample, findings=findings, policy=policy, facts=facts()), 0)
    fields = orjson.loads(payload)
    kept = len(fields["findings"])

    assert PAYLOAD_MAX - 200 < len(payload) <= PAYLOAD_MAX
    assert is_canonical(payload, fields)
    assert [f"TYPE_{at}" for at in range(kept)] == [row["type"] for row in fields["findings"]]
    assert (kept, 3_000 - kept) == (len(fields["policy"]["rules"]), fields["policy"]["rules_overflow"])
    assert {"facts_overflow": 1, "findings_overflow": 2_000 - kept} == {
        name: value for name, value in fields.items() if name.endswith("_overflow")
    }
    assert list(sample.obligations) == fields["obligations"]


def test_a_count_of_what_was_left_out_before_goes_on() -> None:
    """Nodes that the path did not name are counted with those that do not fit."""
    route = RouteRecord(pool="p", cell="c", allowed=("n" * 1_000,) * 64, allowed_overflow=7)
    record = dataclasses.replace(sample_record("d"), route=route, masked=("/m" * 100,) * 64)
    fields = orjson.loads(ENCODER.encode(record, 0))["route"]

    assert (64 + 7, True) == (len(fields["allowed"]) + fields["allowed_overflow"], fields["allowed_overflow"] > 7)


def test_a_record_that_is_too_large_without_its_lists_is_refused() -> None:
    """A text beyond all bounds is never cut."""
    with pytest.raises(AuditUnavailable) as caught:
        ENCODER.encode(dataclasses.replace(sample_record("d"), model="m" * 70_000), 0)

    assert caught.value.code == "record_too_large"


def test_the_largest_record_is_exactly_at_the_limit() -> None:
    """65,535 bytes pass, one more does not."""
    room = PAYLOAD_MAX - len(ENCODER.encode(EventRecord(kind="config"), 0))

    assert len(ENCODER.encode(EventRecord(kind="config", digest="d" * room), 0)) == PAYLOAD_MAX
    with pytest.raises(AuditUnavailable):
        ENCODER.encode(EventRecord(kind="config", digest="d" * (room + 1)), 0)


def test_a_value_that_json_cannot_say_is_refused_without_quoting_it() -> None:
    """The error names no value of the record."""
    record = OutcomeRecord(ref="r", status=OutcomeStatus.SERVED, tokens_in=typing.cast("int", {1, 2}))
    with pytest.raises(AuditUnavailable) as caught:
        ENCODER.encode(record, 0)

    assert (caught.value.code, caught.value.__cause__) == ("record_invalid", None)


def _types_within(annotation: Any) -> set[Any]:
    if dataclasses.is_dataclass(annotation):
        hints = typing.get_type_hints(annotation)
        return {annotation}.union(*(_types_within(hints[field.name]) for field in dataclasses.fields(annotation)))
    if typing.get_origin(annotation) is typing.Literal:
        return set()
    inner = typing.get_args(annotation)
    return set().union(*map(_types_within, inner)) if inner else {annotation}


@pytest.mark.parametrize("kind", [DecisionRecord, OutcomeRecord, EventRecord])
def test_no_field_of_a_record_can_be_a_float(kind: type) -> None:
    """Integers only, at every depth: orjson would write a float, so the types must exclude it."""
    leaves = {leaf for leaf in _types_within(kind) if not dataclasses.is_dataclass(leaf)}

    assert all(issubclass(leaf, (str, int, types.NoneType)) for leaf in leaves if leaf is not Ellipsis)
    assert {str, int} <= leaves


def test_what_stands_inside_a_record_needs_no_sorting() -> None:
    """The encoder writes nested values as they are: in the order of their names, and never None."""
    here = (kind for kind in vars(record).values() if getattr(kind, "__module__", "") == record.__name__)
    inside = [kind for kind in here if dataclasses.is_dataclass(kind) and kind not in _WHOLE]
    names = [[field.name for field in dataclasses.fields(kind)] for kind in inside]

    assert {record.Op, record.RouteRecord, record.PolicyRecord, record.Perf} <= set(inside)
    assert [sorted(each) for each in names] == names
    assert not any("None" in str(field.type) for kind in inside for field in dataclasses.fields(kind))


_WHOLE = (record.DecisionRecord, record.OutcomeRecord, record.EventRecord)

"""The contract with policies: what is read, what is written and what the schemas say."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.decision import (
    AllowEffect,
    AnyTier,
    Contribution,
    Decision,
    DenyEffect,
    DenyParams,
    Effect,
    Excluded,
    Operator,
    Pin,
    PinEffect,
    Provenance,
    Redact,
    RedactEffect,
)
from governance.errors import ConfigInvalid, MalformedRequest, PolicyResultInvalid
from governance.facts import (
    Classification,
    EntityFact,
    Facts,
    Origin,
    Parse,
    Principal,
    Request,
    Served,
    Surroundings,
    Time,
)
from governance.finding import DetectionStatus
from governance.inference import Operation
from governance.policy.contract import (
    MAX_EFFECTS,
    MAX_RESULT_BYTES,
    decision_bytes,
    facts_bytes,
    facts_from_bytes,
    loads_unique,
    parse_effects,
    schemas,
    write_schemas,
)
from governance.policy.lattice import combine
from governance.residency import Level, Tier
from governance.segment import Role

SCHEMAS = Path(__file__).parents[2] / "rego" / "schemas"
CANARY = "canary-4711"


def some_facts(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "schema": "ringfence.input/1",
        "phase": "request",
        "principal": Principal(id="u", kind="user", tenant="t", groups=("g",)),
        "origin": Origin(jurisdiction="DE", subject_jurisdictions=(), basis="geo"),
        "request": Request(
            protocol="openai",
            operation=Operation.CHAT,
            model="m",
            provider="",
            purpose="",
            stream=False,
            tools=(),
            bytes=10,
            tokens_est=2,
            messages=1,
            parse=Parse(status="ok"),
            media=(),
            uninspected=(),
        ),
        "classification": Classification(
            status=DetectionStatus.COMPLETE,
            level=Level.CONFIDENTIAL,
            level_rank=2,
            entities=(
                EntityFact(type="EMAIL_ADDRESS", count=1, max_permille=900, validated=False, where=(Role.USER,)),
            ),
            labels=(),
            residency_labels=(),
            detectors=(),
        ),
        "context": Surroundings(env="test", route="r", time=Time(utc_minute=1, hour=0, weekday=1, date="2026-01-05")),
    }
    return Facts(**{**values, **changes})


def edited(change: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(facts_bytes(some_facts()))
    change(document)
    return json.dumps(document).encode()


def effect(kind: str = "allow", **changes: Any) -> dict[str, Any]:
    return {"effect": kind, "rule": "r", "code": "c", **changes}


# --- facts ---------------------------------------------------------------------------------------------------------


def test_facts_are_written_canonically() -> None:
    """Keys sorted, no whitespace, no null: the bytes that digests and caches are made of."""
    written = facts_bytes(some_facts())

    assert written == json.dumps(json.loads(written), sort_keys=True, separators=(",", ":")).encode()
    assert b"null" not in written
    assert {"schema", "phase", "principal", "origin", "request", "classification", "context"} == set(
        json.loads(written)
    )


# Surrogates cannot be written; every other field is drawn from its declared range.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
principals = st.builds(
    Principal,
    id=texts,
    kind=st.sampled_from(["user", "service", "agent", "anonymous"]),
    tenant=texts,
    groups=st.lists(texts, max_size=3).map(tuple),
    clearance=st.integers(0, 4),
    attributes=st.dictionaries(texts, texts, max_size=3),
)
answers = st.none() | st.builds(Served, model=texts, region=texts, node=texts, tier=st.sampled_from(Tier), finish=texts)


@settings(max_examples=60, deadline=None)
@given(principals, answers, st.integers(0, 2**53 - 1))
def test_facts_survive_the_round_trip(principal: Principal, response: Served | None, size: int) -> None:
    """What was written reads back as the same value."""
    request = dataclasses.replace(some_facts().request, bytes=size)
    facts = some_facts(principal=principal, response=response, request=request)

    assert facts_from_bytes(facts_bytes(facts)) == facts


def test_attributes_in_any_order_are_the_same_bytes() -> None:
    """Equal mappings are equal bytes, whatever the order of insertion."""
    one = Principal(id="u", kind="user", tenant="t", attributes={"a": "1", "b": "2"})
    other = Principal(id="u", kind="user", tenant="t", attributes={"b": "2", "a": "1"})

    assert facts_bytes(some_facts(principal=one)) == facts_bytes(some_facts(principal=other))


def test_only_the_fields_that_are_left_out_may_be_none() -> None:
    """`facts_bytes` leaves None out of the document itself: no other part may have an optional field."""
    definitions = {"Facts": schemas()["ringfence.input-1.json"]}
    definitions |= definitions["Facts"]["$defs"]
    optional = {
        (part, name)
        for part, definition in definitions.items()
        for name, field in getattr(_dataclasses()[part], "__dataclass_fields__", {}).items()
        if "None" in str(field.type)
    }

    assert optional == {("Facts", "response"), ("Facts", "prior")}


def _dataclasses() -> dict[str, type]:
    from governance import facts, finding, inference, residency, segment

    return {
        name: value
        for module in (facts, finding, inference, residency, segment)
        for name, value in vars(module).items()
    }


def test_a_name_that_is_no_text_is_malformed() -> None:
    """A lone surrogate, which JSON escapes can bring into a tool's name, refuses the request without quoting it."""
    request = dataclasses.replace(some_facts().request, tools=(f"{CANARY}\ud800",))

    with pytest.raises(MalformedRequest) as caught:
        facts_bytes(some_facts(request=request))

    assert str(caught.value) == "a name is not Unicode text"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda d: d["classification"]["entities"][0].update(count="1"),
            "`classification.entities[0].count`: input should be a valid integer",
            id="nothing is converted",
        ),
        pytest.param(
            lambda d: d["classification"]["entities"][0].update(text="x"),
            "`classification.entities[0].text`: is not a known key",
            id="unknown key deep inside",
        ),
        pytest.param(lambda d: d.update(extra=1), "`extra`: is not a known key", id="unknown key"),
        pytest.param(lambda d: d["request"].pop("model"), "`request.model`: is missing", id="missing key"),
        pytest.param(
            lambda d: d["principal"].update(clearance=9),
            "`principal.clearance`: input should be less than or equal to 4",
            id="out of range",
        ),
        pytest.param(
            lambda d: d["request"].update(bytes=2**53),
            "`request.bytes`: input should be less than or equal to 9007199254740991",
            id="integers every reader keeps",
        ),
        pytest.param(
            lambda d: d.update(schema="ringfence.input/2"), "`schema`: input should be 'ringfence.input/1'", id="schema"
        ),
    ],
)
def test_facts_that_do_not_fit_name_the_place(change: Callable[[dict[str, Any]], None], message: str) -> None:
    """An operator reads where the file is wrong and what was expected."""
    with pytest.raises(ConfigInvalid) as caught:
        facts_from_bytes(edited(change))

    assert str(caught.value) == message


def test_many_errors_are_told_in_part() -> None:
    """Five places, then a count."""
    with pytest.raises(ConfigInvalid) as caught:
        facts_from_bytes(b"{}")

    assert str(caught.value).endswith("`principal`: is missing; and 2 more")


# --- JSON that readers could take differently ------------------------------------------------------------------------

HOSTILE = [
    pytest.param(b'{"a":1,"a":2}', "an object has a key twice", id="duplicate key"),
    pytest.param(b'[{"a":{"b":1,"\\u0062":2}}]', "an object has a key twice", id="duplicate by escape"),
    pytest.param(b"[NaN]", "a number is not finite", id="nan"),
    pytest.param(b"[-Infinity]", "a number is not finite", id="infinity"),
    pytest.param(b"[1e999]", "a number is not finite", id="overflow"),
    pytest.param(b'["\xff"]', "not UTF-8", id="encoding"),
    pytest.param(b'["\xed\xa0\x80"]', "not UTF-8", id="encoded surrogate"),
    pytest.param(b"[" * 100_000, "nested too deeply", id="depth"),
    pytest.param(b"1" * 5_000, "an integer has too many digits", id="digits"),
    pytest.param(b"[1] 2", "not JSON at line 1, column 5", id="trailing"),
    pytest.param(b"", "not JSON at line 1, column 1", id="empty"),
    pytest.param(b"<error>", "not JSON at line 1, column 1", id="text"),
    pytest.param(b'"' + b"a" * MAX_RESULT_BYTES + b'"', f"more than {MAX_RESULT_BYTES} bytes", id="size"),
]


@pytest.mark.parametrize(("raw", "message"), HOSTILE)
def test_ambiguous_results_are_refused(raw: bytes, message: str) -> None:
    """Whatever two JSON readers could understand differently is no result of a policy."""
    with pytest.raises(PolicyResultInvalid) as caught:
        loads_unique(raw)

    assert str(caught.value) == message


@pytest.mark.parametrize(("raw", "message"), HOSTILE[:-1])
def test_ambiguous_facts_are_refused(raw: bytes, message: str) -> None:
    """The same holds for an operator's file."""
    with pytest.raises(ConfigInvalid) as caught:
        facts_from_bytes(raw)

    assert str(caught.value) == message


def test_plain_results_are_read() -> None:
    """Equal keys in different objects are no duplicates."""
    assert loads_unique('[{"a":1},{"a":"é"}]'.encode()) == [{"a": 1}, {"a": "é"}]


# --- effects -------------------------------------------------------------------------------------------------------


def test_effects_are_typed() -> None:
    """Lists become tuples, words become enum members, absent fields their defaults."""
    parsed = parse_effects(
        [
            effect("redact", params={"entity": "EMAIL_ADDRESS", "operator": "mask", "where": ["user"]}),
            effect("pin", params={"tiers": {"any": ["device"]}, "exclude": {"countries": ["US"]}}),
            effect("deny", params={"status": 451, "message_params": {"count": 2}}, ttl_s=5),
        ]
    )
    expected: tuple[Effect, ...] = (
        DenyEffect(
            effect="deny", rule="r", code="c", ttl_s=5, params=DenyParams(status=451, message_params={"count": 2})
        ),
        PinEffect(
            effect="pin",
            rule="r",
            code="c",
            params=Pin(tiers=AnyTier(any=(Tier.DEVICE,)), exclude=Excluded(countries=("US",))),
        ),
        RedactEffect(
            effect="redact",
            rule="r",
            code="c",
            params=Redact(entity="EMAIL_ADDRESS", operator=Operator.MASK, where=(Role.USER,)),
        ),
    )

    assert parsed == expected


def test_effects_are_a_sorted_set() -> None:
    """Engines enumerate sets in their own order, some of them with duplicates."""
    one, other = effect(rule="a"), effect(rule="b")

    assert parse_effects([other, one, other]) == parse_effects([one, other])
    assert parse_effects([other, one, other]) == (
        AllowEffect(effect="allow", rule="a", code="c"),
        AllowEffect(effect="allow", rule="b", code="c"),
    )


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param({CANARY: 1}, "tuple_type", id="no list"),
        pytest.param(None, "tuple_type", id="null"),
        pytest.param([CANARY], "effect 0: dict_type", id="no object"),
        pytest.param([effect(), effect(CANARY)], "effect 1: union_tag_invalid", id="unknown effect"),
        pytest.param([{"rule": "r", "code": "c"}], "effect 0: union_tag_not_found", id="no effect"),
        pytest.param(
            [effect("deny", params={"status": 200})], "effect 0: `deny.params.status` greater_than_equal", id="status"
        ),
        pytest.param(
            [effect("deny", params={"status": "403"})], "effect 0: `deny.params.status` int_type", id="string"
        ),
        pytest.param([effect("deny", params={"status": 403.0})], "effect 0: `deny.params.status` int_type", id="float"),
        pytest.param([effect(cacheable=1)], "effect 0: `allow.cacheable` bool_type", id="bool"),
        pytest.param(
            [effect("pin", params={"exclude": {CANARY: []}})],
            "effect 0: `pin.params.exclude.?` unexpected_keyword_argument",
            id="unknown key deep inside",
        ),
        pytest.param([effect(**{CANARY: 1})], "effect 0: `allow.?` unexpected_keyword_argument", id="unknown key"),
        pytest.param(
            [effect(params={CANARY: 1})], "effect 0: `allow.params.?` unexpected_keyword_argument", id="empty params"
        ),
        pytest.param([effect("pin")], "effect 0: `pin.params` missing", id="missing params"),
        pytest.param([effect()] * (MAX_EFFECTS + 1), "too_long", id="number"),
        pytest.param([effect(ttl_s=float("nan"))], "effects are not JSON", id="nan"),
        pytest.param([effect(rule="\ud800")], "effects are not JSON", id="surrogate"),
        pytest.param([effect(ttl_s=2**80)], "effect 0: `allow.ttl_s` less_than_equal", id="wide integer"),
        pytest.param([{CANARY}], "effects are not JSON", id="no JSON type"),
        pytest.param(
            [effect(code=CANARY)], "effect 0: a rule, code or message id is not lower snake case", id="code word"
        ),
        pytest.param(
            [effect("deny", params={"message_params": {CANARY: 1}})],
            "effect 0: a rule, code or message id is not lower snake case",
            id="parameter word",
        ),
        pytest.param(
            [effect("deny", params={"message_params": {"a": f"{CANARY} {CANARY}"}})],
            "effect 0: a message parameter is not a word",
            id="parameter value",
        ),
        pytest.param(
            [effect("header", params={"set": {f"a: {CANARY}": "1"}})],
            "effect 0: a header name is not a token",
            id="header name",
        ),
        pytest.param(
            [effect("header", params={"set": {"x-a": f"1\r\nx-b: {CANARY}"}})],
            "effect 0: a header value is not visible ASCII",
            id="header value",
        ),
    ],
)
def test_what_is_no_effect_is_refused_without_quoting_it(raw: object, message: str) -> None:
    """Position, field and rule broken: nothing that a policy could have copied from its input."""
    with pytest.raises(PolicyResultInvalid) as caught:
        parse_effects(raw)

    assert str(caught.value) == message
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_deep_output_is_refused() -> None:
    """Nesting beyond the interpreter's patience is an error of the policy."""
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]

    with pytest.raises(PolicyResultInvalid):
        parse_effects(deep)


# --- decisions and schemas -----------------------------------------------------------------------------------------


def test_decisions_are_written_canonically_and_completely() -> None:
    """Sorted keys, and null where a field is None."""
    said = Contribution(policy="p", version="1", effects=parse_effects([effect(), effect("deny")]))
    decision = combine([said], decision_id="d", phase="request", provenance=Provenance())
    written = decision_bytes(decision)

    assert written == json.dumps(json.loads(written), sort_keys=True, separators=(",", ":")).encode()
    assert set(json.loads(written)) == {field.name for field in dataclasses.fields(Decision)}
    assert json.loads(written)["deny"] == {
        "status": 403,
        "code": "c",
        "message_id": "denied",
        "message_params": {},
        "policy": "p",
        "remedies": [],
        "retry_after_s": None,
    }


def test_the_schema_files_are_those_of_the_code(tmp_path: Path) -> None:
    """`python -m governance.policy.contract rego/schemas` was run after the last change."""
    write_schemas(tmp_path)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}

    assert written == {path.name: path.read_text() for path in SCHEMAS.glob("*.json")}


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_object_of_a_schema_is_closed(name: str) -> None:
    """An object either lists its keys and takes no other, or is a mapping with typed values."""
    schema = schemas()[name]
    objects = [schema, *schema["$defs"].values()]
    open_objects = [one for one in objects if one.get("type") == "object" and one["additionalProperties"] is not False]

    assert open_objects == []
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


POLICY = """# METADATA
# schemas:
#   - input: schema["ringfence.input-1"]
package p

import rego.v1

found if {{ some entity in input.classification.entities; entity.{field} == "EMAIL_ADDRESS" }}

served if input.response.{place} == "cloud"

read if input.request.parse.status == "ok"
"""


@pytest.mark.opa
@pytest.mark.parametrize(
    ("field", "place", "expected"), [("type", "tier", 0), ("typ", "tier", 1), ("type", "tiers", 1)]
)
def test_opa_checks_policies_against_the_input_schema(field: str, place: str, expected: int, tmp_path: Path) -> None:
    """A misspelt field is an error of `opa check`, behind lists and behind optional parts as well."""
    policy = tmp_path / "p.rego"
    policy.write_text(POLICY.format(field=field, place=place))

    checked = subprocess.run(
        ["opa", "check", "--strict", "--schema", SCHEMAS, policy],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert checked.returncode == expected, checked.stderr


def test_fields_of_the_facts_stand_in_the_order_of_their_names() -> None:
    """The canonical JSON is written in this order, without sorting."""
    import dataclasses

    from governance import facts

    kinds = [kind for kind in vars(facts).values() if dataclasses.is_dataclass(kind)]
    orders = {kind.__name__: [field.name for field in dataclasses.fields(kind)] for kind in kinds}

    assert {name: sorted(order) for name, order in orders.items()} == orders
    assert len(orders) >= 15

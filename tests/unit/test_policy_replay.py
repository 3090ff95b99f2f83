"""`ringfence policy replay`: recorded decisions, decided again by other policies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from governance.audit.journal import Limits
from governance.audit.reader import read
from governance.decision import Action, AnyOf, Obligations, Operator, OperatorParams, Pin, Redact
from governance.errors import ConfigInvalid
from governance.facts import Facts
from governance.policy.bundle import Bundle
from governance.policy.impact.changes import CHANGES, Answer, Change, compare
from governance.policy.impact.replay import Report, Wanted, moment, replay
from governance.policy.impact.replay_report import document, replay_command, show, svg
from governance.record import DecisionRecord
from governance.segment import Role
from tests.bundles import ALLOW, bundle_of, facts_with, policy
from tests.decided import decided, log, recorded, records_of

ALL = f"effects contains {ALLOW}\n\n"
FOUND = "count(input.classification.entities) > 0"
DENY = f'effects contains {{"effect": "deny", "rule": "found", "code": "found", "params": {{}}}} if {FOUND}\n\n'
PIN = f"""effects contains {{"effect": "pin", "rule": "here", "code": "here",
    "params": {{"countries": {{"any": %s}}}}}} if {FOUND}\n\n"""
REDACT = f"""effects contains {{"effect": "redact", "rule": "out", "code": "out",
    "params": {{"entity": "*", "operator": "%s"}}}} if {FOUND}\n\n"""
SECRET = {"API_KEY": (1000, True)}
MAIL = {"EMAIL_ADDRESS": (900, True)}
TRAFFIC = [facts_with(), facts_with(SECRET, subjects={"DE": 900}), facts_with(MAIL), facts_with(bytes=7)]


@pytest.fixture(autouse=True)
def tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policies here are known to compile: no process of their own has to prove it first."""
    monkeypatch.setattr("governance.policy.impact.replay.try_out", lambda _: None)


def bundle(top: Path, *rules: str, id_: str = "p", **custom: str) -> Bundle:
    """The bundle of one policy with `rules` below an allow."""
    return bundle_of(top, {"p.rego": policy(id_, ALL + "".join(rules), **custom)})


def replayed(
    top: Path, records: Iterable[DecisionRecord], before: Any, after: Bundle, wanted: Wanted | None = None
) -> Report:
    """The report on `records`, read back from a real log."""
    log(top / "audit", records)
    return asyncio.run(replay(read(top / "audit"), before, after, wanted=wanted, engine="embedded"))


def test_a_request_that_is_let_through_now_is_the_first_change(tmp_path: Path) -> None:
    """With its example, and by policy, tenant, entity and jurisdiction."""
    old, new = bundle(tmp_path / "old", DENY), bundle(tmp_path / "new")

    report = replayed(tmp_path, records_of(old, *TRAFFIC), old, new)

    assert {(Action.ALLOW, Action.ALLOW): 2, (Action.DENY, Action.ALLOW): 2} == report.matrix
    assert {"deny -> allow": 2} == report.changes
    assert {"deny -> allow": ("d1", "d2")} == report.examples
    assert {
        "policy": {"p": {"deny -> allow": 2}},
        "tenant": {"sample": {"deny -> allow": 2}},
        "entity": {"API_KEY": {"deny -> allow": 1}, "EMAIL_ADDRESS": {"deny -> allow": 1}},
        "jurisdiction": {"DE": {"deny -> allow": 1}, "none": {"deny -> allow": 1}},
    } == report.by
    assert (4, 4, 2, {}) == (report.records, report.compared, report.changed, report.skipped)


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ((), (DENY,), ("allow -> deny",)),
        ((PIN % '["DE"]',), (DENY,), ("allow_modified -> deny",)),
        ((DENY,), (PIN % '["DE"]',), ("deny -> allow_modified",)),
        ((PIN % '["DE", "FR"]',), (PIN % '["DE"]',), ("pin narrowed",)),
        ((PIN % '["DE"]',), (PIN % '["EU"]',), ("pin widened",)),
        ((PIN % '["DE"]',), (PIN % '["FR"]',), ("pin moved",)),
        ((PIN % '["DE"]',), (), ("pin widened", "allow_modified -> allow")),
        ((REDACT % "replace",), (REDACT % "keep_last",), ("redaction weaker",)),
        ((REDACT % "mask",), (REDACT % "remove",), ("redaction stronger",)),
        ((DENY,), (DENY.replace('"found", "params"', '"other", "params"'),), ("refusal changed",)),
        ((PIN % '["EEA"]', REDACT % "mask"), (REDACT % "mask", PIN % '["EEA"]'), ()),
    ],
)
def test_each_kind_of_change_is_recognised(
    tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...], kinds: tuple[str, ...]
) -> None:
    """Between two sets of policies, on a request in which something was found."""
    old, new = bundle(tmp_path / "old", *before), bundle(tmp_path / "new", *after)

    report = replayed(tmp_path, records_of(old, facts_with(SECRET)), old, new)

    assert (dict.fromkeys(kinds, 1), min(1, len(kinds))) == (report.changes, report.changed)


def test_what_was_recorded_can_stand_for_the_old_policies(tmp_path: Path) -> None:
    """No old policies are needed; refusals of the path are counted and named, because no policy made them."""
    old, new = bundle(tmp_path / "old", DENY), bundle(tmp_path / "new")
    records = records_of(old, *TRAFFIC)
    by_path = replace(records[0], id="x", action=Action.DENY, code="placement_impossible", status=403)

    report = replayed(tmp_path, [*records, by_path], "recorded", new)

    assert ({"deny -> allow": 2}, {"refused by something else than policy": 1}, 5, 4) == (
        report.changes,
        report.skipped,
        report.records,
        report.compared,
    )


def test_the_same_policies_change_nothing_against_the_record(tmp_path: Path) -> None:
    """Neither actions nor refusals."""
    old = bundle(tmp_path / "old", DENY)

    assert {} == replayed(tmp_path, records_of(old, *TRAFFIC), "recorded", old).changes


def test_records_that_cannot_be_compared_are_counted_and_named(tmp_path: Path) -> None:
    """Without facts, refused before policy, and facts too large for a record."""
    old = bundle(tmp_path / "old", DENY)
    facts = facts_with()
    record = recorded(facts, decided(old, facts)[0])
    large = replace(facts, request=replace(facts.request, tools=tuple(f"{n:0100}" for n in range(1_000))))
    records = [
        replace(record, id="a", facts=None),
        replace(record, id="b", facts=None, policy=None, action=Action.DENY, obligations=()),
        replace(record, id="c", facts=large),
        record,
    ]

    report = replayed(tmp_path, records, old, old)

    assert (
        {
            "no facts in the record": 1,
            "refused before policy was asked": 1,
            "the facts were too large for the record": 1,
        },
        4,
        1,
    ) == (report.skipped, report.records, report.compared)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 2}, "the record is of another version"),
        (
            {"facts": {"schema": "ringfence.input/2", "phase": "request"}},
            "the facts are not of the schema ringfence.input/1",
        ),
        ({"facts": {"schema": "ringfence.input/1", "phase": "request"}}, "the facts in the record cannot be read"),
        ({"facts": [1]}, "the facts are not of the schema ringfence.input/1"),
    ],
)
def test_records_of_another_shape_are_counted_and_named(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    """A log may be older or newer than this program."""
    old = bundle(tmp_path / "old", DENY)
    log(tmp_path / "audit", records_of(old, facts_with()))
    records = [{**record, **change} for record in read(tmp_path / "audit") if record["kind"] == "decision"]

    report = asyncio.run(replay(records, old, old, engine="embedded"))

    assert ({reason: 1}, 0) == (report.skipped, report.compared)


def test_equal_projections_are_evaluated_once(tmp_path: Path) -> None:
    """What no policy reads (here bytes, tenant and time) makes no new question."""
    old, new = bundle(tmp_path / "old", DENY), bundle(tmp_path / "new", PIN % '["DE"]')
    traffic = [varied for n in range(20) for varied in (facts_with(bytes=n), facts_with(SECRET, bytes=n))]

    report = replayed(tmp_path, records_of(old, *traffic), old, new)

    assert (40, 20, 4) == (report.compared, report.changed, report.distinct)


@pytest.mark.parametrize(("mode", "distinct"), [("off", 1), ("shadow", 5)])
def test_what_a_policy_reads_counts_only_while_it_is_in_force(tmp_path: Path, mode: str, distinct: int) -> None:
    """Also where it reads through a library module."""
    size = "package ringfence.lib.size\n\nbytes := input.request.bytes\n"
    rule = f"import data.ringfence.lib.size\n\n{DENY.replace(FOUND, 'size.bytes == 3')}"
    files = {"size.rego": size, "p.rego": policy("p"), "q.rego": policy("q", rule, mode=mode)}
    new = bundle_of(tmp_path / "new", files)

    report = replayed(tmp_path, records_of(new, *(facts_with(bytes=n) for n in range(5))), "recorded", new)

    assert distinct == report.distinct


@pytest.mark.parametrize(
    ("custom", "distinct"),
    [({"rollout": "{permille: 500, key: tenant}"}, 20), ({"jurisdictions": "[DE]"}, 2), ({}, 1)],
)
def test_what_chooses_the_mode_of_a_policy_is_part_of_the_question(
    tmp_path: Path, custom: dict[str, str], distinct: int
) -> None:
    """A share of tenants and a limit to countries are no rule's read, and decide all the same."""
    old = bundle(tmp_path / "old")
    new = bundle_of(
        tmp_path / "new", {"p.rego": policy("p"), "q.rego": policy("q", DENY.replace(FOUND, "true"), **custom)}
    )
    traffic = [
        replace(facts, principal=replace(facts.principal, tenant=f"t{n}"))
        for n in range(20)
        for facts in (facts_with(jurisdiction="DE"), facts_with(jurisdiction="FR"))
    ]
    alone = [decision.action for facts in traffic for decision in decided(new, facts)]

    report = replayed(tmp_path, records_of(old, *traffic), "recorded", new)

    actions = {action: alone.count(action) for action in dict.fromkeys(alone)}
    assert (actions, distinct) == ({is_now: n for (_, is_now), n in report.matrix.items()}, report.distinct)


def test_only_the_tenant_and_the_time_that_are_wanted_take_part(tmp_path: Path) -> None:
    """`since` belongs to the span, `until` does not."""
    old = bundle(tmp_path / "old", DENY)
    facts = facts_with()
    other = replace(facts, principal=replace(facts.principal, tenant="other"))
    log(tmp_path / "audit", records_of(old, facts, other))
    times = [record["ts"] for record in read(tmp_path / "audit") if record["kind"] == "decision"]

    def counted(wanted: Wanted) -> int:
        return asyncio.run(replay(read(tmp_path / "audit"), "recorded", old, wanted=wanted, engine="embedded")).records

    assert (1, 2, 0, 2, 0) == (
        counted(Wanted(tenant="other")),
        counted(Wanted(since=min(times))),
        counted(Wanted(since=max(times) + 1)),
        counted(Wanted(until=max(times) + 1)),
        counted(Wanted(until=min(times))),
    )


def test_examples_are_few_and_rather_different_than_first(tmp_path: Path) -> None:
    """Ten alike, then one of another kind: five examples, the odd one among them."""
    old = bundle(tmp_path / "old", DENY, PIN % '["DE"]')
    odd = 'effects contains {"effect": "audit", "rule": "odd", "code": "odd", "params": {"alert": true}}'
    new = bundle(tmp_path / "new", f"{odd} if input.request.bytes == 9999")
    traffic: list[Facts] = [facts_with(SECRET, bytes=n) for n in (*range(10), 9999)]

    report = replayed(tmp_path, records_of(old, *traffic), old, new)

    assert (11, 5, True) == (
        report.changes["deny -> allow"],
        len(report.examples["deny -> allow"]),
        "d10" in report.examples["deny -> allow"],
    )


def answer(pin: Pin | None = None, *redact: Redact) -> Answer:
    """An allowing answer with these obligations."""
    return Answer(
        number=0,
        action=Action.ALLOW_MODIFIED,
        refusal="",
        rules=frozenset({"p/r"}),
        shaping=frozenset({("p", "pin"), ("p", "redact")}),
        obligations=Obligations(pin=pin or Pin(), redact=redact),
    )


def row(operator: Operator, *, last: int | None = None, where: tuple[Role, ...] = ()) -> Redact:
    """A redaction of mail addresses."""
    return Redact(entity="EMAIL_ADDRESS", operator=operator, params=OperatorParams(last=last), where=where)


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ((row(Operator.MASK, last=4),), (row(Operator.MASK, last=2),), ("redaction stronger",)),
        ((row(Operator.MASK),), (row(Operator.MASK, where=(Role.USER,)),), ("redaction weaker",)),
        ((row(Operator.MASK, where=(Role.TOOL,)),), (row(Operator.MASK, where=(Role.USER,)),), ("redaction changed",)),
        ((row(Operator.KEEP),), (), ()),
        ((row(Operator.MASK),), (Redact(entity="*", operator=Operator.REMOVE),), ("redaction stronger",)),
    ],
)
def test_redactions_are_compared_value_by_value(
    before: tuple[Redact, ...], after: tuple[Redact, ...], kinds: tuple[str, ...]
) -> None:
    """By operator, by what it leaves and by where it applies; it is the doing of the policy that redacts."""
    assert Change(kinds=kinds, policies=("p",) if kinds else ()) == compare(answer(None, *before), answer(None, *after))


def test_a_new_allow_is_not_the_doing_of_the_policy_that_opens_the_gate(tmp_path: Path) -> None:
    """It said the same before; the one that refused does so no more."""
    files = {"gate.rego": policy("gate"), "p.rego": policy("p", DENY)}
    old = bundle_of(tmp_path / "old", files)
    new = bundle_of(tmp_path / "new", {**files, "p.rego": policy("p", DENY, mode="off")})

    for before in (old, "recorded"):
        report = replayed(tmp_path / str(before)[:8], records_of(old, facts_with(SECRET)), before, new)

        assert {"p": {"deny -> allow": 1}} == report.by["policy"]


COUNTRIES = st.frozensets(st.sampled_from(["DE", "FR", "US", "JP"]), min_size=1)
MIRROR = {"pin narrowed": "pin widened", "pin widened": "pin narrowed", "pin moved": "pin moved"}


@given(COUNTRIES, COUNTRIES)
def test_a_pin_widens_one_way_and_narrows_the_other(one: frozenset[str], other: frozenset[str]) -> None:
    """Widened exactly where the sets say so, and never both ways."""
    a, b = (answer(Pin(countries=AnyOf(any=tuple(sorted(codes))))) for codes in (one, other))
    there, back = compare(a, b).kinds, compare(b, a).kinds

    expected = (
        ()
        if one == other
        else ("pin narrowed",)
        if other < one
        else ("pin widened",)
        if one < other
        else ("pin moved",)
    )
    assert expected == there
    assert back == tuple(MIRROR[kind] for kind in there)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 1_000_000_000_000 - 90_000_000),
        ("7d", 1_000_000_000_000 - 7 * 86_400_000_000),
        ("1970-01-01", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
    ],
)
def test_a_time_is_a_span_ago_or_a_date(text: str, expected: int) -> None:
    """Without an offset it is UTC."""
    assert expected == moment(text, 1_000_000_000_000)


@pytest.mark.parametrize("text", ["", "yesterday", "7", "-7d", "7D", "1e3d", "9999999d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """The message says what to write."""
    with pytest.raises(ConfigInvalid, match="is no time: write 12h, 7d"):
        moment(text, 0)


def sources(top: Path) -> tuple[str, str, str, Path]:
    """Three policy directories (strict, open, pinning) and a log of the traffic."""
    strict = bundle(top / "strict", DENY)
    bundle(top / "open")
    bundle(top / "pinning", PIN % '["DE"]')
    bundle(top / "wide", PIN % '["EU"]')
    log(top / "audit", records_of(strict, *TRAFFIC))
    return str(top / "strict"), str(top / "open"), str(top / "pinning"), top / "audit"


@pytest.mark.parametrize(
    ("before", "after", "fail_on", "code"),
    [
        ("strict", "open", "never", 0),
        ("strict", "open", "new-allow", 1),
        ("strict", "open", "any", 1),
        ("open", "strict", "new-allow", 0),
        ("open", "strict", "any", 1),
        ("pinning", "wide", "new-allow", 0),
        ("pinning", "wide", "looser", 1),
        ("wide", "pinning", "looser", 0),
        ("recorded", "open", "new-allow", 1),
        ("recorded", "strict", "any", 0),
    ],
)
def test_the_exit_code_is_that_of_what_ci_asks_for(  # noqa: PLR0917 (pytest names its fixtures by parameter)
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, fail_on: Any, code: int
) -> None:
    """1 where the change that was named occurred."""
    sources(tmp_path)
    old = before if before == "recorded" else str(tmp_path / before)

    found = replay_command(
        [old], [str(tmp_path / after)], tmp_path / "audit", engine="embedded", fail_on=fail_on, as_json=True
    )

    said = json.loads(capsys.readouterr().out)
    assert (code, 4, 4) == (found, said["compared"], sum(cell["n"] for cell in said["matrix"]))


@pytest.mark.opa
def test_with_opa_the_plan_is_asked_and_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The engine is named, and every number is that of the embedded one."""
    strict, _, pinning, audit = sources(tmp_path)

    def said(engine: str) -> dict[str, Any]:
        assert replay_command([strict], [pinning], audit, engine=engine, as_json=True) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert {"auto": "plan"}.get(engine, engine) == found["to"].pop("engine") == found["from"].pop("engine")
        return {name: value for name, value in found.items() if name != "seconds"}

    assert said("embedded") == said("auto")


def test_a_gate_on_nothing_does_not_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No decision in the span: 1 where something is asked for, 0 where nothing is."""
    strict, open_, _, audit = sources(tmp_path)

    assert (1, 0) == (
        replay_command([strict], [open_], audit, until="1999-01-01", engine="embedded", fail_on="new-allow"),
        replay_command([strict], [open_], audit, until="1999-01-01", engine="embedded"),
    )
    assert "proves nothing" in capsys.readouterr().err


def test_a_missing_log_and_a_damaged_one_are_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of a log is no ground for a verdict."""
    strict, open_, _, audit = sources(tmp_path)
    (segment,) = (audit / "wal").glob("*.seg")
    missing = replay_command([strict], [open_], tmp_path / "none", engine="embedded")
    (tmp_path / "second/wal").mkdir(parents=True)
    raw = bytearray(segment.read_bytes())
    raw[20] ^= 1
    (tmp_path / "second/wal" / segment.name).write_bytes(raw)

    assert (2, 2) == (missing, replay_command([strict], [open_], tmp_path / "second", engine="embedded"))
    assert "run `ringfence audit verify`" in capsys.readouterr().err


def test_what_is_left_of_a_log_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Retention removes the oldest segments: what they held is said to be missing, and the rest is decided again."""
    rules = bundle(tmp_path / "policies")
    # Each record in a segment of its own.
    limits = Limits(segment_bytes=1, batch_bytes=1 << 16, reserve_bytes=64)
    audit = tmp_path / "audit"
    for record in records_of(rules, *TRAFFIC[:2]):
        log(audit, [record], limits=limits)
    segments = sorted((audit / "wal").glob("*.seg"))
    with_first = next(name for name in segments if b'"id":"d0"' in name.read_bytes())
    for name in segments:
        if name <= with_first:
            name.unlink()

    names = [str(tmp_path / "policies")]
    assert 0 == replay_command(names, names, audit, engine="embedded", as_json=True)
    told = capsys.readouterr()
    assert 1 == json.loads(told.out)["compared"]
    assert f"records 0 to {int(with_first.name[:20])} are missing before segment" in told.err


def test_recorded_is_no_set_of_policies(tmp_path: Path) -> None:
    """It can neither be the new side nor be mixed with directories."""
    for before, after in ((["recorded", "builtin"], ["builtin"]), (["builtin"], ["recorded"])):
        with pytest.raises(ConfigInvalid, match="`recorded` stands alone"):
            replay_command(before, after, tmp_path)


def test_people_read_the_worst_first(tmp_path: Path) -> None:
    """Headline, matrix, bars, breakdown and examples, in this order."""
    old, new = bundle(tmp_path / "old", DENY), bundle(tmp_path / "new")
    report = replayed(tmp_path, records_of(old, *TRAFFIC), old, new)
    console = Console(width=160, record=True, file=open("/dev/null", "w"), color_system=None)  # noqa: PTH123, SIM115
    with console.file:
        show(report, console)
    text = console.export_text()

    places = [
        text.index(words)
        for words in (
            "4 of 4 decisions compared, 2 change",
            "2 refused before would be LET THROUGH",
            "from \\ to",
            "deny -> allow",
            "50.00 %",
            "EMAIL_ADDRESS",
            "ringfence explain",
            "d1  d2",
        )
    ]
    assert sorted(places) == places


def test_the_chart_is_one_that_a_reader_can_read_aloud(tmp_path: Path) -> None:
    """Title, description and a label with the number for every bar; names are escaped."""
    old, new = bundle(tmp_path / "<&\x1b>", DENY), bundle(tmp_path / "new")
    report = replayed(tmp_path, records_of(old, *TRAFFIC), old, new)

    root = ET.fromstring(svg(report))

    name = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in root.iter(f"{name}text")]
    assert ("img", "title desc", "What the new policies would change") == (
        root.get("role"),
        root.get("aria-labelledby"),
        root.findtext(f"{name}title"),
    )
    assert "deny -> allow: 2" in (root.findtext(f"{name}desc") or "")
    assert {"deny -> allow", "2 (50.00 %)"} <= set(texts)


def test_a_chart_without_changes_says_so(tmp_path: Path) -> None:
    """An empty picture would leave open whether something went wrong."""
    old = bundle(tmp_path / "old", DENY)
    report = replayed(tmp_path, records_of(old, *TRAFFIC), old, old)

    assert "No decision changes." in svg(report)


def test_the_document_keeps_every_name_and_number(tmp_path: Path) -> None:
    """Nine transitions, always in the same order, and every kind of change by its name."""
    old, new = bundle(tmp_path / "old", DENY), bundle(tmp_path / "new")
    said = document(replayed(tmp_path, records_of(old, *TRAFFIC), old, new))

    assert (9, 4, 2, 0, [*said["changes"]]) == (
        len(said["matrix"]),
        sum(cell["n"] for cell in said["matrix"]),
        said["new_allows"],
        said["new_denials"],
        [kind for kind in CHANGES if kind in said["changes"]],
    )


def test_a_policy_that_fails_is_counted_on_its_side(tmp_path: Path) -> None:
    """A failure denies, and is no change of mind."""
    old = bundle(tmp_path / "old")
    new = bundle(
        tmp_path / "new",
        'effects contains {"effect": "deny", "rule": "r", "code": input.request.model} if input.request.bytes == 7\n',
    )

    report = replayed(tmp_path, records_of(old, *(facts_with(bytes=n, model="No Code") for n in range(10))), old, new)

    assert ((0, 1), 1) == (report.failures, report.changes["allow -> deny"])

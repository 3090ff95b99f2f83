"""The path as a whole, with fakes at its edges: whatever breaks ends in a recorded refusal."""

from __future__ import annotations

import asyncio
import functools
import gzip
import threading
from collections.abc import Callable

import orjson
import pytest

from governance import pipeline
from governance.caller import identify
from governance.decision import Action, AuditObligation, Deny, Obligations, Operator, Provenance, Redact
from governance.dialects.routes import Limits
from governance.enforcement import Answer, Forward, Refuse
from governance.errors import GovernanceError, Overloaded, RequestTooLarge
from governance.finding import Detection
from governance.inference import RequestHead
from governance.judgement import Admission, Arrival, Unrecorded
from governance.pipeline import INLINE_BYTES, Runtime, admit, decision_id
from governance.record import DecisionRecord, OutcomeRecord, OutcomeStatus
from governance.sensitive import SensitiveBytes
from tests.builders import decision, detection, finding, head, node
from tests.fakes import FAILURES, FakeAudit, FakeDetector, FakeFleet, FakePolicy

TEXT = "mail anna@example.com"
BODY = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": TEXT}]})


def runtime(
    found: Detection | None = None, *, audit: FakeAudit | None = None, fleet: FakeFleet | None = None, **parts: object
) -> Runtime:
    values = {
        "version": "v1",
        "detector": FakeDetector(found or detection()),
        "policy": FakePolicy(decision()),
        "audit": audit or FakeAudit(),
        "fleet": fleet or FakeFleet((node(),)),
        "identify": functools.partial(identify, key=b"c" * 32, tenant="t", jurisdiction="DE", env="test"),
        "limits": Limits(),
        "detection_deadline_ms": 1000,
        "redaction_key": b"r" * 32,
        "commitment_key": b"k" * 32,
    }
    return Runtime(**{**values, **parts})  # type: ignore[arg-type]


def arrival(
    body: bytes = BODY, request_head: RequestHead | None = None, problem: GovernanceError | None = None
) -> Arrival:
    return Arrival(head=request_head or head(), body=SensitiveBytes(body), problem=problem)


def refused(verdict: Admission | Unrecorded) -> tuple[int, str]:
    assert isinstance(verdict, Admission)
    assert isinstance(verdict.enforcement, Refuse)
    return verdict.enforcement.denial.status, verdict.enforcement.denial.code


async def test_a_clean_request_is_recorded_and_forwarded_as_it_came() -> None:
    """The admission carries the receipt of the record that names the pool's nodes."""
    audit = FakeAudit()

    verdict = await admit(arrival(), runtime(audit=audit))

    assert isinstance(verdict, Admission)
    assert isinstance(verdict.enforcement, Forward)
    assert verdict.enforcement.body is None
    [record] = audit.records
    assert isinstance(record, DecisionRecord)
    assert record.route is not None
    assert (record.id, record.action, record.route.allowed) == (verdict.record.id, Action.ALLOW, ("a",))


async def test_a_tenant_may_have_a_detector_of_its_own() -> None:
    """The tenant that a caller is of decides who reads; every other request is read by the usual one."""
    ours = FakeDetector(detection(finding("EMAIL_ADDRESS", 5, 21)))
    seen = {}
    for tenant in ("t", "north"):
        audit = FakeAudit()
        await admit(arrival(), runtime(audit=audit, tenant_detectors={tenant: ours}))
        [record] = audit.records
        assert isinstance(record, DecisionRecord)
        assert record.facts is not None
        seen[tenant] = [entity.type for entity in record.facts.classification.entities]

    assert {"t": ["EMAIL_ADDRESS"], "north": []} == seen


async def test_a_value_has_another_pseudonym_for_every_tenant() -> None:
    """The same for one tenant each time; a node that serves two cannot tell that they speak of one person."""
    redacted = Obligations(redact=(Redact(entity="*", operator=Operator.PSEUDONYMISE),))
    sent = []
    for tenant in ("north", "south", "north"):
        who = functools.partial(identify, key=b"c" * 32, tenant=tenant, jurisdiction="DE", env="test")
        policy = FakePolicy(decision(action=Action.ALLOW_MODIFIED, obligations=redacted))
        verdict = await admit(
            arrival(), runtime(detection(finding("EMAIL_ADDRESS", 5, 21)), policy=policy, identify=who)
        )
        assert isinstance(verdict, Admission)
        assert isinstance(verdict.enforcement, Forward)
        assert verdict.enforcement.body is not None
        sent.append(verdict.enforcement.body.reveal())

    assert (sent[0], True) == (sent[2], sent[0] != sent[1])
    assert all(b"anna@example.com" not in body for body in sent)


@pytest.mark.parametrize("deny", [None, Deny(status=403, code="no", message_id="blocked", policy="p")])
async def test_what_policies_ask_of_the_record_stands_in_it(deny: Deny | None) -> None:
    """That somebody is told, how long it is needed and how long it may be kept, of a refusal as well."""
    audit = FakeAudit()
    asked = Obligations(audit=AuditObligation(alert=True, retain_days=365, retain_days_max=400))
    await admit(arrival(), runtime(audit=audit, policy=FakePolicy(decision(deny, obligations=asked))))
    await admit(arrival(), runtime(audit=audit, policy=FakePolicy(decision(deny))))
    policies = [record.policy for record in audit.records if isinstance(record, DecisionRecord)]

    assert [(True, 365, 400), (False, 0, 0)] == [
        (each.alert, each.retain_days, each.retain_days_max) for each in policies if each is not None
    ]


async def test_the_record_names_the_engine_and_its_version() -> None:
    """Two builds that read a policy otherwise can be told apart afterwards."""
    audit = FakeAudit()
    provenance = Provenance(engine="plan", engine_version="ringfence plan 0123456789abcdef")
    await admit(arrival(), runtime(audit=audit, policy=FakePolicy(decision(provenance=provenance))))

    [record] = audit.records
    assert isinstance(record, DecisionRecord)
    assert record.policy is not None
    assert (provenance.engine, provenance.engine_version) == (record.policy.engine, record.policy.engine_version)


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        (AuditObligation(), 40, 40),
        (AuditObligation(level="meta"), 0, 0),
        (AuditObligation(sample_permille=0), 0, 0),
        (AuditObligation(sample_permille=500), 1, 39),
    ],
)
async def test_the_record_holds_the_facts_that_policy_does_not_leave_out(
    asked: AuditObligation, least: int, most: int
) -> None:
    """Every decision has a record; the facts in it are left out at level `meta`, and outside of a sample."""
    audit = FakeAudit()
    policy = FakePolicy(decision(None, obligations=Obligations(audit=asked)))
    for _ in range(40):
        await admit(arrival(), runtime(audit=audit, policy=policy))
    records = [record for record in audit.records if isinstance(record, DecisionRecord)]

    assert 40 == len(records)
    assert least <= sum(record.facts is not None for record in records) <= most


async def test_a_redaction_changes_the_body_and_is_counted_in_the_record() -> None:
    """The node gets the placeholder, the record gets counts and two commitments, nobody gets the value."""
    audit = FakeAudit()
    found = detection(finding("EMAIL_ADDRESS", 5, 21))
    policy = FakePolicy(
        decision(
            action=Action.ALLOW_MODIFIED,
            obligations=Obligations(redact=(Redact(entity="EMAIL_ADDRESS", operator=Operator.REPLACE),)),
        )
    )

    verdict = await admit(arrival(), runtime(found, audit=audit, policy=policy))

    assert isinstance(verdict, Admission)
    assert isinstance(verdict.enforcement, Forward)
    assert verdict.enforcement.body == SensitiveBytes(BODY.replace(b"anna@example.com", b"<EMAIL_ADDRESS_1>"))
    [record] = audit.records
    assert isinstance(record, DecisionRecord)
    assert [(change.type, change.operator, change.n) for change in record.redaction] == [
        ("EMAIL_ADDRESS", "replace", 1)
    ]
    assert record.commit_in != record.commit_out
    assert "anna" not in repr(record)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("part", ["detector", "policy"])
async def test_a_part_that_fails_ends_in_a_recorded_refusal(part: str, failure: Exception) -> None:
    """Neither a known error nor a bug lets a request through or its message out."""
    audit = FakeAudit()
    parts = {"detector": FakeDetector(detection()), "policy": FakePolicy(decision())}
    parts[part].broken = failure

    verdict = await admit(arrival(), runtime(audit=audit, **parts))

    status, code = refused(verdict)
    assert (status, code) == (503, failure.code) if isinstance(failure, GovernanceError) else (500, "internal_error")
    [record] = audit.records
    assert isinstance(record, DecisionRecord)
    assert (record.action, record.code) == (Action.DENY, code)
    assert "canary" not in repr(verdict) + repr(record)


@pytest.mark.parametrize("persists", [False, True], ids=["lost", "persisted"])
async def test_a_record_that_is_not_durable_leaves_only_a_refusal(persists: bool) -> None:
    """Also when the bytes did reach the disk: without a receipt nothing is admitted."""
    audit = FakeAudit(broken=True, persists_before_failing=persists)

    verdict = await admit(arrival(), runtime(audit=audit))

    assert isinstance(verdict, Unrecorded)
    assert (verdict.denial.status, verdict.denial.code) == (503, "audit_unavailable")


async def test_a_pool_that_is_not_routed_yet_is_a_refusal_with_retry_after() -> None:
    """The caller may try again in a second; the record says that nothing was sent."""
    audit = FakeAudit()

    verdict = await admit(arrival(), runtime(audit=audit, fleet=FakeFleet((node(),), broken=True)))

    assert refused(verdict) == (503, "placement_pending")
    assert isinstance(verdict, Admission)
    assert isinstance(verdict.enforcement, Refuse)
    assert verdict.enforcement.denial.retry_after_s == 1
    [record] = audit.records
    assert isinstance(record, DecisionRecord)
    assert record.route is None


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (arrival(b"{"), (400, "malformed_request")),
        (arrival(b""), (400, "malformed_request")),
        (arrival(b'{"model": "m", "model": "n", "messages": []}'), (400, "duplicate_key")),
        (arrival(request_head=head("/v1/other")), (404, "unsupported_operation")),
        (arrival(request_head=head(upgrade="websocket")), (404, "upgrade_refused")),
        (arrival(problem=RequestTooLarge(limit=10)), (413, "request_too_large")),
        (arrival(problem=Overloaded()), (503, "overloaded")),
    ],
)
async def test_a_request_that_cannot_be_read_is_refused_and_recorded(sent: Arrival, expected: tuple[int, str]) -> None:
    """What the dialect refuses has its own status, and a record without facts."""
    audit = FakeAudit()

    assert refused(await admit(sent, runtime(audit=audit))) == expected
    [record] = audit.records
    assert isinstance(record, DecisionRecord)
    assert (record.status, record.code, record.facts) == (*expected, None)


async def test_a_denial_of_policy_is_the_answer() -> None:
    """The policy's status, code and name reach the refusal."""
    policy = FakePolicy(decision(Deny(status=451, code="health", message_id="denied", policy="p")))

    assert refused(await admit(arrival(), runtime(policy=policy))) == (451, "health")


async def test_a_caller_that_leaves_while_it_is_judged_is_a_recorded_refusal() -> None:
    """Cancelled before there is a decision: one record, with the code that says so."""
    audit = FakeAudit()
    detector = FakeDetector(detection(), gate=asyncio.Event())
    task = asyncio.create_task(admit(arrival(), runtime(audit=audit, detector=detector)))
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [(type(record), record.code) for record in audit.records] == [(DecisionRecord, "exchange_aborted")]


def said(size: int) -> bytes:
    """A chat of `size` bytes, with an address in front."""
    return BODY.replace(b"anna", b"anna@example.com " + b"x" * (size - len(BODY) - 18) + b" anna")


@pytest.mark.parametrize(
    ("sent", "aside"),
    [
        (arrival(said(INLINE_BYTES)), []),
        (arrival(said(INLINE_BYTES + 1)), ["read", "enforce"]),
        (arrival(gzip.compress(said(INLINE_BYTES)), head(content_encoding="gzip")), []),
        (arrival(gzip.compress(said(INLINE_BYTES + 1)), head(content_encoding="gzip")), ["read", "enforce"]),
    ],
    ids=["short", "long", "short-coded", "long-coded"],
)
async def test_long_bodies_are_read_and_edited_beside_the_event_loop(
    sent: Arrival, aside: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is how long a body is once it is decoded; what goes on is the same."""
    here = threading.get_ident()
    elsewhere = []

    def watched(name: str, step: Callable[..., object]) -> Callable[..., object]:
        def watch(*arguments: object, **named: object) -> object:
            if threading.get_ident() != here:
                elsewhere.append(name)
            return step(*arguments, **named)

        return watch

    monkeypatch.setattr(pipeline.routes, "read", watched("read", pipeline.routes.read))
    monkeypatch.setattr(pipeline, "enforce", watched("enforce", pipeline.enforce))
    asked = Obligations(redact=(Redact(entity="EMAIL_ADDRESS", operator=Operator.REMOVE),))
    policy = FakePolicy(decision(action=Action.ALLOW_MODIFIED, obligations=asked))

    verdict = await admit(sent, runtime(detection(finding("EMAIL_ADDRESS", 5, 21)), policy=policy))

    assert elsewhere == aside
    assert isinstance(verdict, Admission)
    assert isinstance(verdict.enforcement, Forward)
    plain = said(INLINE_BYTES + bool(aside))
    assert verdict.enforcement.body == SensitiveBytes(plain.replace(b"anna@example.com ", b" ", 1))


async def test_a_coded_body_beyond_the_limit_is_refused_with_the_limit() -> None:
    """A few bytes may hold more than is read beside the event loop, too."""
    sent = arrival(gzip.compress(said(2 * INLINE_BYTES)), head(content_encoding="gzip"))
    limit = INLINE_BYTES + INLINE_BYTES // 2

    verdict = await admit(sent, runtime(limits=Limits(max_decoded_bytes=limit)))

    assert refused(verdict) == (413, "request_too_large")
    assert isinstance(verdict, Admission)
    assert isinstance(verdict.enforcement, Refuse)
    assert str(limit) in verdict.enforcement.denial.message


async def test_a_caller_that_leaves_while_a_long_body_is_read_is_a_recorded_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread ends unheard: one record, with the code that says so."""
    audit = FakeAudit()
    begun, left = threading.Event(), threading.Event()
    read = pipeline.routes.read

    def waiting(*arguments: object) -> object:
        begun.set()
        left.wait()
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline.routes, "read", waiting)
    task = asyncio.create_task(admit(arrival(said(2 * INLINE_BYTES)), runtime(audit=audit)))
    await asyncio.to_thread(begun.wait)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left.set()

    assert [(type(record), record.code) for record in audit.records] == [(DecisionRecord, "exchange_aborted")]


async def test_a_release_that_nobody_took_is_closed_as_aborted() -> None:
    """Cancelled while the disk works: the decision is written, and its outcome says that nothing came of it."""
    audit = FakeAudit(gate=asyncio.Event())
    task = asyncio.create_task(admit(arrival(), runtime(audit=audit)))
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    [outcome] = audit.records
    assert isinstance(outcome, OutcomeRecord)
    assert outcome.status is OutcomeStatus.ABORTED


async def test_listing_is_decided_and_recorded_too() -> None:
    """The model listing goes through policy like every request."""
    audit = FakeAudit()

    verdict = await admit(arrival(b"", head("/v1/models", "GET")), runtime(audit=audit))

    assert isinstance(verdict, Admission)
    assert verdict.enforcement == Answer(models=("m",))
    assert len(audit.records) == 1


async def test_the_credential_of_a_caller_is_only_a_keyed_digest() -> None:
    """Equal credentials are one principal; the credential itself is nowhere."""
    policy = FakePolicy(decision())
    subject = runtime(policy=policy)
    for credential in ("Bearer one", "Bearer one", "Bearer two"):
        await admit(arrival(request_head=head(authorization=credential)), subject)

    first, second, third = (facts.principal for facts in policy.seen)
    assert first == second
    assert first != third
    assert (first.kind, len(first.id), "Bearer" in repr(policy.seen)) == ("service", 32, False)


def test_decision_ids_are_version_7_and_sort_by_time() -> None:
    """RFC 9562: version 7, variant 10, milliseconds first."""
    ids = [decision_id() for _ in range(50)]

    assert {(text[14], text[19] in "89ab") for text in ids} == {("7", True)}
    assert [text[:13] for text in ids] == sorted(text[:13] for text in ids)
    assert len(set(ids)) == 50

"""Policy inputs to rehearse a bundle with before it is in force."""

from __future__ import annotations

import functools
from dataclasses import replace

from governance.facts import (
    Classification,
    DetectorFact,
    EntityFact,
    Facts,
    LabelFact,
    Origin,
    Parse,
    Principal,
    Prior,
    Request,
    Served,
    SubjectJurisdiction,
    Surroundings,
    Time,
    UninspectedCount,
)
from governance.finding import DetectionStatus
from governance.inference import Media, Operation, Unread
from governance.policy.contract import facts_bytes
from governance.residency import Level, Tier
from governance.segment import Role


@functools.cache
def plain() -> Facts:
    """The facts of a request in which nothing was found."""
    return Facts(
        schema="ringfence.input/1",
        phase="request",
        principal=Principal(id="sample", kind="user", tenant="sample"),
        origin=Origin(jurisdiction="unknown", subject_jurisdictions=(), basis="default"),
        request=Request(
            protocol="openai",
            operation=Operation.CHAT,
            model="sample",
            provider="",
            purpose="",
            stream=False,
            tools=(),
            bytes=100,
            tokens_est=25,
            messages=1,
            parse=Parse(status="ok"),
            media=(),
            uninspected=(),
        ),
        classification=Classification(
            status=DetectionStatus.COMPLETE,
            level=Level.PUBLIC,
            level_rank=Level.PUBLIC.rank,
            entities=(),
            labels=(),
            residency_labels=(),
            detectors=(),
        ),
        context=Surroundings(
            env="sample", route="sample", time=Time(utc_minute=29_000_000, hour=12, weekday=1, date="2026-01-05")
        ),
    )


def full() -> Facts:
    """Facts in which every optional part is there and every list has an entry."""
    facts = plain()
    entities = tuple(
        EntityFact(type=name, count=1, max_permille=900, validated=True, where=(Role.USER,))
        for name in ("API_KEY", "CREDIT_CARD", "EMAIL_ADDRESS", "US_SSN")
    )
    return replace(
        facts,
        principal=replace(facts.principal, groups=("sample",), clearance=1, attributes={"sample": "sample"}),
        origin=Origin(
            jurisdiction="DE",
            subject_jurisdictions=(SubjectJurisdiction(code="DE", permille=900, basis="content"),),
            basis="geo",
        ),
        request=replace(
            facts.request,
            tools=("sample",),
            parse=Parse(status="partial", truncated=True, reason="limit"),
            media=(Media.IMAGE,),
            uninspected=(UninspectedCount(reason=Unread.MEDIA, count=1),),
        ),
        classification=replace(
            facts.classification,
            level=Level.RESTRICTED,
            level_rank=Level.RESTRICTED.rank,
            entities=entities,
            labels=(LabelFact(name="credentials", permille=900), LabelFact(name="health", permille=900)),
            residency_labels=("sample",),
            detectors=(DetectorFact(id="sample", version="1", status=DetectionStatus.COMPLETE),),
        ),
        response=Served(model="sample", region="sample", node="sample", tier=Tier.ON_PREM, finish="stop"),
        prior=Prior(decision_id="sample", action="allow", pin=(), response="none"),
    )


def samples() -> tuple[bytes, ...]:
    """The documents of both."""
    return facts_bytes(plain()), facts_bytes(full())

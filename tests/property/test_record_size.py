"""Whatever a request holds, its record fits."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from classifiers.rules import load_rules
from governance.audit.canonical import Encoder, canonical
from governance.audit.frame import PAYLOAD_MAX
from governance.decision import Operator
from governance.record import FindingCount, PolicyRecord, RedactionCount, RouteRecord
from governance.residency import COUNTRIES
from governance.segment import Role
from tests.builders import sample_record

ENCODER = Encoder(origin="o" * 128, boot="b" * 32, clock=lambda: (2**53 - 1, 2**53 - 1))
TYPES = sorted({rule.entity for rule in load_rules()})
MOST = 2**53 - 1
LONGEST = "\x01" * 128  # six bytes each in JSON
RULES = tuple(f"{LONGEST[:-8]}{at}" for at in range(500))
LARGEST: dict[str, tuple[Any, ...]] = {
    "findings": tuple(FindingCount(type=name, n=MOST, max_permille=1_000, where=tuple(Role)) for name in TYPES),
    "labels": RULES,
    "jurisdictions": tuple(sorted(COUNTRIES)),
    "uninspected": RULES,
    "redaction": tuple(
        RedactionCount(type=name, n=MOST, operator=operator.value) for name in TYPES for operator in Operator
    ),
    "masked": tuple(f"/metadata{'/*' * at}" for at in range(1, 120)),
    "obligations": RULES,
}
SAMPLE = dataclasses.replace(
    sample_record("d"),
    tenant=LONGEST,
    actor=LONGEST,
    model=LONGEST,
    code=LONGEST,
    config_version=LONGEST,
    route=RouteRecord(pool=LONGEST, cell=LONGEST, allowed=(LONGEST,) * 64),
)


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.fixed_dictionaries({name: st.integers(0, len(most)) for name, most in LARGEST.items()}),
    rules=st.integers(0, len(RULES)),
)
@example(sizes={name: len(most) for name, most in LARGEST.items()}, rules=len(RULES))
def test_every_record_fits_and_says_what_it_leaves_out(sizes: dict[str, int], rules: int) -> None:
    """Any part of all there can be in each list, all of all lists included: nothing is refused, nothing goes uncounted."""
    lists = {name: LARGEST[name][:size] for name, size in sizes.items()}
    policy = PolicyRecord(
        bundle=LONGEST,
        revision=LONGEST,
        digest="1" * 64,
        data_digest="2" * 64,
        engine=LONGEST,
        engine_version=LONGEST,
        input_digest="3" * 64,
        modes=RULES[:rules],
        rules=RULES[:rules],
        shadow=RULES[:rules],
        failures=MOST,
    )
    payload = ENCODER.encode(dataclasses.replace(SAMPLE, policy=policy, **lists), MOST)
    fields = orjson.loads(payload)

    assert len(payload) <= PAYLOAD_MAX
    assert canonical(fields) == payload
    assert sizes == {name: len(fields[name]) + fields.get(f"{name}_overflow", 0) for name in sizes}
    assert [rules] * 3 == [
        len(fields["policy"][name]) + fields["policy"].get(f"{name}_overflow", 0)
        for name in ("modes", "rules", "shadow")
    ]

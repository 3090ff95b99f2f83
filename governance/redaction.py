"""From findings and redact obligations to edits: pure, deterministic, in order of segment and start.

Laws: text outside the edited spans is untouched; findings that overlap become one edit over their union, by the
strongest operator among them; no more of a value is left than each demand on it leaves; the same value of a type gets
the same placeholder throughout one request.
LIMIT: `remove` joins what stood on both sides of the value.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from typing import Final

from governance.decision import Operator, OperatorParams, Redact
from governance.enforcement import Redacted
from governance.errors import PolicyResultInvalid
from governance.finding import Detection, Finding
from governance.frozen import frozen
from governance.segment import Edit, Span, TextSegment

# How many characters are left where nobody says it. Of a card or phone number, by custom (PCI DSS 4.0, requirement 3.4.1).
_LEFT: Final = MappingProxyType({Operator.KEEP_LAST: 4, Operator.MASK: 0})
_PSEUDONYM_DIGITS: Final = 16
_PLACEHOLDER: Final = re.compile(r"<[A-Z0-9_]++>")
_UNSAFE: Final = re.compile(r"[^A-Z0-9_]")


@frozen
class Redaction:
    """The edits, how many values were changed by which operator, and the distinct places (templates) they stood in.

    A `block` counts in `redacted` and makes no edit: the request has to be refused.
    """

    edits: tuple[Edit, ...] = field(repr=False)
    redacted: tuple[Redacted, ...]
    masked: tuple[str, ...]


_NOTHING = Redaction(edits=(), redacted=(), masked=())


@frozen
class _Target:
    """A span that has to change, and how."""

    segment: int
    span: Span
    entity: str
    operator: Operator
    params: OperatorParams
    permille: int


def tenant_key(key: bytes, tenant: str) -> bytes:
    """The key of one tenant's pseudonyms: 32 bytes. A value has others for every tenant, so that no node can link them."""
    return hmac.digest(key, tenant.encode("utf-8", "surrogatepass"), "sha256")


def redact(
    segments: Sequence[TextSegment], detection: Detection, obligations: Sequence[Redact], *, key: bytes
) -> Redaction:
    """What `obligations` on the request make of the findings. `key` makes pseudonyms.

    Raises PolicyResultInvalid with code `obligation_unsupported` where a finding falls to an operator that does not
    exist here, and ValueError for a finding outside its segment.
    """
    applicable = [obligation for obligation in obligations if obligation.apply == "request"]
    if not applicable or not detection.findings:
        return _NOTHING
    targets = _merged(_targets(segments, detection.findings, applicable))
    writers = _writers(segments, targets, key)
    edits: list[Edit] = []
    counts: Counter[tuple[str, str]] = Counter()
    for target in targets:
        counts[target.entity, target.operator.value] += 1
        if target.operator is Operator.BLOCK:
            continue
        value = segments[target.segment].text.reveal()[target.span.start : target.span.end]
        edits.append(
            Edit(segment=target.segment, span=target.span, replacement=writers[target.operator](target, value))
        )
    return Redaction(
        edits=tuple(edits),
        redacted=tuple(
            Redacted(entity=entity, operator=operator, count=count)
            for (entity, operator), count in sorted(counts.items())
        ),
        masked=tuple(sorted({segments[edit.segment].place for edit in edits})),
    )


def _targets(
    segments: Sequence[TextSegment], findings: Iterable[Finding], obligations: Sequence[Redact]
) -> Iterable[_Target]:
    for finding in findings:
        segment = segments[finding.segment]
        if not 0 <= finding.span.start <= finding.span.end <= len(segment.text):
            raise ValueError("finding outside its segment")
        demands = {
            (obligation.operator, obligation.params)
            for obligation in obligations
            if obligation.entity in ("*", finding.entity_type)
            and (not obligation.where or segment.role in obligation.where)
        }
        operator, params = _strongest(demands)
        if finding.via:
            # The last characters of a code, or of each part, are not the last of the value.
            params = replace(params, last=0)
        if operator is not Operator.KEEP and finding.span.start < finding.span.end:
            yield _Target(
                segment=finding.segment,
                span=finding.span,
                entity=finding.entity_type,
                operator=operator,
                params=params,
                permille=finding.permille,
            )


def _strongest(demands: Collection[tuple[Operator, OperatorParams]]) -> tuple[Operator, OperatorParams]:
    """The demand of the highest rank, leaving no more than any leaves. Two of that rank that differ become `remove`."""
    top = Operator.KEEP
    params: set[OperatorParams] = {OperatorParams()}
    for operator, wanted in demands:
        if operator.rank > top.rank:
            top, params = operator, {wanted}
        elif operator is top:
            params.add(wanted)
    if len(params) == 1:
        left = min((_left(*each) for each in demands if each[0] is not Operator.KEEP), default=None)
        return top, replace(params.pop(), last=left)
    if top is Operator.KEEP:
        return top, OperatorParams()
    return max(top, Operator.REMOVE, key=lambda operator: operator.rank), OperatorParams()


def _left(operator: Operator, params: OperatorParams) -> int:
    """How many of the last characters of a value `operator` leaves."""
    default = _LEFT.get(operator)
    return 0 if default is None else default if params.last is None else params.last


def _merged(targets: Iterable[_Target]) -> list[_Target]:
    merged: list[_Target] = []
    for target in sorted(targets, key=lambda one: (one.segment, one.span.start, -one.span.end, one.entity)):
        if merged and merged[-1].segment == target.segment and target.span.start < merged[-1].span.end:
            merged[-1] = _union(merged[-1], target)
        else:
            merged.append(target)
    return merged


def _union(first: _Target, second: _Target) -> _Target:
    """Both spans, by the stronger operator, under the name of the finding that brings it (the wider, then surer one)."""
    operator, params = _strongest(((first.operator, first.params), (second.operator, second.params)))
    if first.span != second.span:
        # The end of the one is none of the other's.
        params = replace(params, last=0)
    named = max(
        (first, second),
        key=lambda one: (one.operator.rank, one.span.end - one.span.start, one.permille, one.entity),
    )
    return _Target(
        segment=first.segment,
        span=Span(start=first.span.start, end=max(first.span.end, second.span.end)),
        entity=named.entity,
        operator=operator,
        params=params,
        permille=named.permille,
    )


# --- operators -----------------------------------------------------------------------------------------------------

_Writer = Callable[[_Target, str], str]


def _writers(segments: Sequence[TextSegment], targets: Sequence[_Target], key: bytes) -> dict[Operator, _Writer]:
    """The operators that `targets` need."""
    needed = {target.operator for target in targets} - {Operator.BLOCK}
    known: dict[Operator, Callable[[], _Writer]] = {
        Operator.KEEP_LAST: lambda: _mask,
        Operator.MASK: lambda: _mask,
        Operator.REMOVE: lambda: _remove,
        Operator.PSEUDONYMISE: lambda: _pseudonyms(key),
        Operator.REPLACE: lambda: _placeholders(segments),
    }
    if not needed <= known.keys():
        raise PolicyResultInvalid("operator not supported", code="obligation_unsupported")
    return {operator: known[operator]() for operator in needed}


def _remove(_target: _Target, _value: str) -> str:
    return ""


def _mask(target: _Target, value: str) -> str:
    """Stars for all but the last characters; a value that short is masked whole."""
    last = _left(target.operator, target.params)
    kept = value[-last:] if 0 < last < len(value) else ""
    return "*" * (len(value) - len(kept)) + kept


def _pseudonyms(key: bytes) -> _Writer:
    if not key:
        raise ValueError("pseudonyms need a key")

    def write(target: _Target, value: str) -> str:
        message = f"{target.entity}\0{value}".encode("utf-8", "surrogatepass")
        return f"<{name_of(target.entity)}:{hmac.new(key, message, hashlib.sha256).hexdigest()[:_PSEUDONYM_DIGITS]}>"

    return write


def _placeholders(segments: Sequence[TextSegment]) -> _Writer:
    """Numbers count up per type in order of first appearance; one that a caller wrote literally is skipped."""
    taken = {literal for segment in segments for literal in _PLACEHOLDER.findall(segment.text.reveal())}
    given: dict[tuple[str, str], str] = {}
    numbers: Counter[str] = Counter()

    def write(target: _Target, value: str) -> str:
        name = name_of(target.entity)
        known = given.get((name, value))
        if known is not None:
            return known
        placeholder = _next(name)
        while placeholder in taken:
            placeholder = _next(name)
        given[name, value] = placeholder
        return placeholder

    def _next(name: str) -> str:
        numbers[name] += 1
        return f"<{name}_{numbers[name]}>"

    return write


def name_of(entity: str) -> str:
    """The entity's name in letters that JSON, SQL and a model leave alone."""
    return _UNSAFE.sub("_", entity.upper())[:64]

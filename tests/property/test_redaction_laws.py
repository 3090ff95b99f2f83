"""Laws of redaction: twice is once, equal values stay equal, nothing outside a finding changes."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.decision import Operator, OperatorParams, Redact
from governance.dialects.contract import Limits
from governance.dialects.openai_chat import read_chat
from governance.finding import Detection, DetectionStatus, Finding
from governance.inference import InferenceRequest
from governance.redaction import Redaction, redact
from governance.segment import Role, Span, TextSegment
from governance.sensitive import SensitiveText

# Toy formats that no operator's output can take: a letter and digits with no word character beside them.
PATTERNS = {"EMAIL_ADDRESS": re.compile(r"\b[a-z]+@[a-z]+\b"), "US_SSN": re.compile(r"\b\d{3}-\d{2}\b")}
OPERATORS = [Operator.KEEP, Operator.KEEP_LAST, Operator.MASK, Operator.REPLACE, Operator.PSEUDONYMISE]
WORDS = st.sampled_from(
    [
        "anna@x",
        "bob@y",
        "Anna",
        "123-45",
        "999-99",
        "<EMAIL_ADDRESS_1>",
        "<EMAIL_ADDRESS_2>",
        "<US_SSN_1>",
        "***",
        "é\U0001f600",
    ]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
OBLIGATIONS = st.lists(
    st.builds(
        Redact,
        entity=st.sampled_from(["*", *PATTERNS]),
        operator=st.sampled_from(OPERATORS),
        params=st.builds(OperatorParams, last=st.sampled_from([0, 1])),
        where=st.sampled_from([(), (Role.USER,), (Role.TOOL, Role.ARGS)]),
    ),
    max_size=4,
)


def detect(segments: tuple[TextSegment, ...]) -> Detection:
    findings = tuple(
        Finding(
            segment=at,
            entity_type=entity,
            span=Span(start=match.start(), end=match.end()),
            permille=900,
            detector="toy",
        )
        for at, segment in enumerate(segments)
        for entity, pattern in PATTERNS.items()
        for match in pattern.finditer(segment.text.reveal())
    )
    return Detection(status=DetectionStatus.COMPLETE, findings=findings)


def request_of(texts: list[str], numbers: dict[str, str]) -> InferenceRequest:
    messages = [{"role": ("user", "tool")[at % 2], "content": text} for at, text in enumerate(texts)]
    messages.append({"role": "assistant", "function_call": {"name": "f", "arguments": json.dumps(numbers)}})  # type: ignore[dict-item]
    return read_chat(json.dumps({"model": "m", "messages": messages}).encode(), Limits())


def redaction_of(request: InferenceRequest, obligations: list[Redact]) -> Redaction:
    return redact(request.segments, detect(request.segments), obligations, key=b"key")


def redacted(request: InferenceRequest, obligations: list[Redact]) -> bytes:
    assert request.document is not None
    return request.document.apply(redaction_of(request, obligations).edits)


@settings(max_examples=80, deadline=None)
@given(st.lists(TEXTS, max_size=4), st.dictionaries(st.sampled_from("abc"), TEXTS), OBLIGATIONS)
def test_redacting_twice_is_redacting_once(
    texts: list[str], arguments: dict[str, str], obligations: list[Redact]
) -> None:
    """With detection run again on the redacted body."""
    once = redacted(request_of(texts, arguments), obligations)

    assert once == redacted(read_chat(once, Limits()), obligations)


@settings(max_examples=80, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), OBLIGATIONS)
def test_what_is_redacted_is_gone_and_the_rest_stays(texts: list[str], obligations: list[Redact]) -> None:
    """Outside the findings every text is as it was."""
    request = request_of(texts, {})
    again = read_chat(redacted(request, obligations), Limits())
    changed = {(edit.segment, edit.span.start): edit for edit in redaction_of(request, obligations).edits}
    expected = []
    for at, segment in enumerate(request.segments):
        text, done = "", 0
        for _, edit in sorted((key, edit) for key, edit in changed.items() if key[0] == at):
            text += segment.text.reveal()[done : edit.span.start] + edit.replacement
            done = edit.span.end
        expected.append(text + segment.text.reveal()[done:])

    # A text of which nothing is left is no segment any more.
    assert [text for text in expected if text] == [segment.text.reveal() for segment in again.segments]


@settings(max_examples=80, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_placeholders_map_values_one_to_one(texts: list[str]) -> None:
    """Two values never share one, one value never has two, and none was in the request before."""
    request = request_of(texts, {})
    redaction = redaction_of(request, [Redact(entity="*", operator=Operator.REPLACE)])
    pairs = {
        (edit.replacement, request.segments[edit.segment].text.reveal()[edit.span.start : edit.span.end])
        for edit in redaction.edits
    }
    replacements = {replacement for replacement, _ in pairs}

    assert len(pairs) == len(replacements) == len({value for _, value in pairs})
    assert not any(replacement in text for replacement in replacements for text in texts)


SEGMENT = TextSegment(role=Role.USER, place="/user", text=SensitiveText("0123456789" * 3))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 30), st.sampled_from(["A", "B", "C"]), st.integers(0, 1000)),
        max_size=8,
    ),
    st.lists(
        st.builds(
            Redact,
            entity=st.sampled_from(["*", "A", "B", "C"]),
            operator=st.sampled_from([*OPERATORS, Operator.REMOVE]),
        ),
        max_size=5,
    ),
    st.randoms(use_true_random=False),
)
def test_edits_are_apart_cover_every_finding_and_ignore_order(
    found: list[tuple[int, int, str, int]], obligations: list[Redact], random: object
) -> None:
    """Overlaps in any number: edits never overlap, each demanded code point lies under one, shuffling changes nothing."""
    findings = [
        Finding(
            segment=0, entity_type=entity, span=Span(start=min(a, b), end=max(a, b)), permille=permille, detector="t"
        )
        for a, b, entity, permille in found
    ]

    def run(ordered: list[Finding], demands: list[Redact]) -> Redaction:
        return redact([SEGMENT], Detection(status=DetectionStatus.COMPLETE, findings=tuple(ordered)), demands, key=b"k")

    redaction = run(findings, obligations)
    covered = [at for edit in redaction.edits for at in range(edit.span.start, edit.span.end)]
    demanded = {
        at
        for finding in findings
        if any(one.entity in ("*", finding.entity_type) and one.operator is not Operator.KEEP for one in obligations)
        for at in range(finding.span.start, finding.span.end)
    }
    shuffled, reordered = list(findings), list(obligations)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    random.shuffle(reordered)  # type: ignore[attr-defined]

    assert sorted(demanded) == covered
    assert redaction == run(shuffled, reordered)

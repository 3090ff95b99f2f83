"""Operators, overlaps, roles: from findings and obligations to edits."""

from __future__ import annotations

import dataclasses

import pytest

from governance.decision import Operator, OperatorParams, Redact
from governance.enforcement import Redacted
from governance.errors import PolicyResultInvalid
from governance.finding import Detection, DetectionStatus, Finding
from governance.redaction import Redaction, redact
from governance.segment import Role, Span, TextSegment
from governance.sensitive import SensitiveText

KEY = b"a key of one tenant"


def segment(text: str, role: Role = Role.USER, place: str = "/messages/*/content") -> TextSegment:
    return TextSegment(role=role, place=place, text=SensitiveText(text))


def finding(at: int, start: int, end: int, entity: str = "EMAIL_ADDRESS", permille: int = 900) -> Finding:
    return Finding(segment=at, entity_type=entity, span=Span(start=start, end=end), permille=permille, detector="test")


def redacted(
    segments: list[TextSegment], findings: list[Finding], *obligations: Redact, key: bytes = KEY
) -> tuple[list[str], Redaction]:
    """The texts after redaction, and the redaction."""
    detection = Detection(status=DetectionStatus.COMPLETE, findings=tuple(findings))
    redaction = redact(segments, detection, obligations, key=key)
    texts = [one.text.reveal() for one in segments]
    for edit in reversed(redaction.edits):
        text = texts[edit.segment]
        texts[edit.segment] = text[: edit.span.start] + edit.replacement + text[edit.span.end :]
    return texts, redaction


def replace(entity: str = "*", **more: object) -> Redact:
    return Redact(entity=entity, operator=Operator.REPLACE, **more)  # type: ignore[arg-type]


def with_operator(operator: Operator, last: int | None = None) -> Redact:
    return Redact(entity="*", operator=operator, params=OperatorParams(last=last))


def test_equal_values_share_a_placeholder_across_segments() -> None:
    """Numbers follow first appearance, per type; case tells values apart."""
    segments = [segment("a@b to c@d"), segment("A@B and a@b", place="/user"), segment("1.2.3.4")]
    findings = [
        finding(2, 0, 7, "IP_ADDRESS"),
        finding(1, 8, 11),
        finding(1, 0, 3),
        finding(0, 7, 10),
        finding(0, 0, 3),
    ]

    texts, redaction = redacted(segments, findings, replace())

    assert [
        "<EMAIL_ADDRESS_1> to <EMAIL_ADDRESS_2>",
        "<EMAIL_ADDRESS_3> and <EMAIL_ADDRESS_1>",
        "<IP_ADDRESS_1>",
    ] == texts
    assert (
        Redacted(entity="EMAIL_ADDRESS", operator="replace", count=4),
        Redacted(entity="IP_ADDRESS", operator="replace", count=1),
    ) == redaction.redacted
    assert ("/messages/*/content", "/user") == redaction.masked


def test_a_placeholder_that_the_caller_wrote_is_not_given_again() -> None:
    """Two values must not meet under one name, in whatever segment the literal stands."""
    texts, _ = redacted(
        [segment("a@b c@d"), segment("see <EMAIL_ADDRESS_1> and <EMAIL_ADDRESS_3>")],
        [finding(0, 0, 3), finding(0, 4, 7)],
        replace(),
    )

    assert "<EMAIL_ADDRESS_2> <EMAIL_ADDRESS_4>" == texts[0]


@pytest.mark.parametrize(
    ("obligation", "expected"),
    [
        (with_operator(Operator.KEEP), "card 4111111111111111!"),
        (with_operator(Operator.MASK), "card ****************!"),
        (with_operator(Operator.MASK, last=4), "card ************1111!"),
        (with_operator(Operator.MASK, last=16), "card ****************!"),
        (with_operator(Operator.KEEP_LAST), "card ************1111!"),
        (with_operator(Operator.KEEP_LAST, last=2), "card **************11!"),
        (with_operator(Operator.KEEP_LAST, last=0), "card ****************!"),
        (with_operator(Operator.REMOVE), "card !"),
        (with_operator(Operator.REPLACE), "card <CREDIT_CARD_1>!"),
        (with_operator(Operator.PSEUDONYMISE), "card <CREDIT_CARD:c99a27c4795f04d5>!"),
    ],
)
def test_an_operator_changes_the_value_alone(obligation: Redact, expected: str) -> None:
    """What stands around the value stays."""
    texts, _ = redacted([segment("card 4111111111111111!")], [finding(0, 5, 21, "CREDIT_CARD")], obligation)

    assert [expected] == texts


def test_a_mask_counts_code_points() -> None:
    """One star for an emoji of four bytes."""
    texts, _ = redacted([segment("é\U0001f600x")], [finding(0, 0, 3)], with_operator(Operator.MASK, last=1))

    assert ["**x"] == texts


def test_a_pseudonym_depends_on_key_type_and_value() -> None:
    """Equal values of one tenant can be linked, nothing else can."""
    segments = [segment("a@b a@b c@d")]
    findings = [finding(0, 0, 3), finding(0, 4, 7), finding(0, 8, 11)]
    (first,), _ = redacted(segments, findings, with_operator(Operator.PSEUDONYMISE))
    (other,), _ = redacted(segments, findings, with_operator(Operator.PSEUDONYMISE), key=b"another tenant")
    names = first.split()

    assert (names[0], 3) == (names[1], len({names[0], names[2], other.split()[0]}))
    with pytest.raises(ValueError, match="key"):
        redacted(segments, findings, with_operator(Operator.PSEUDONYMISE), key=b"")


def test_only_what_an_obligation_names_is_changed() -> None:
    """By entity, by role, and only on the request."""
    segments = [segment("a@b 1.2.3.4"), segment("a@b", Role.TOOL)]
    findings = [finding(0, 0, 3), finding(0, 4, 11, "IP_ADDRESS"), finding(1, 0, 3)]

    assert ["<EMAIL_ADDRESS_1> 1.2.3.4", "<EMAIL_ADDRESS_1>"] == redacted(segments, findings, replace("EMAIL_ADDRESS"))[
        0
    ]
    assert ["a@b 1.2.3.4", "<EMAIL_ADDRESS_1>"] == redacted(segments, findings, replace(where=(Role.TOOL,)))[0]
    assert ["a@b 1.2.3.4", "a@b"] == redacted(segments, findings, replace(apply="response"), replace(apply="log"))[0]
    assert ["a@b 1.2.3.4", "a@b"] == redacted(segments, findings)[0]


def test_the_strongest_of_several_obligations_wins() -> None:
    """The order in which they come does not matter; equal strength with different parameters removes."""
    segments, findings = [segment("a@b.c")], [finding(0, 0, 5)]
    keep, mask, other = (
        with_operator(Operator.KEEP, last=1),
        with_operator(Operator.MASK),
        with_operator(Operator.MASK, last=2),
    )
    for one, two, expected in ((keep, mask, "*****"), (mask, replace(), "<EMAIL_ADDRESS_1>"), (mask, other, "")):
        assert [[expected]] * 2 == [
            redacted(segments, findings, one, two)[0],
            redacted(segments, findings, two, one)[0],
        ]


@pytest.mark.parametrize(
    ("demands", "expected"),
    [
        ([with_operator(Operator.KEEP_LAST, last=2), with_operator(Operator.MASK, last=8)], "**************11"),
        ([with_operator(Operator.KEEP_LAST), with_operator(Operator.MASK, last=8)], "************1111"),
        ([with_operator(Operator.PSEUDONYMISE), with_operator(Operator.MASK, last=8)], "*" * 16),
        ([with_operator(Operator.KEEP), with_operator(Operator.MASK, last=8)], "********11111111"),
    ],
)
def test_no_more_is_left_than_each_demand_leaves(demands: list[Redact], expected: str) -> None:
    """The stronger operator does not show what a weaker one hides."""
    texts, _ = redacted([segment("4111111111111111")], [finding(0, 0, 16, "CREDIT_CARD")], *demands)

    assert [expected] == texts


@pytest.mark.parametrize("operator", [Operator.MASK, Operator.KEEP_LAST])
def test_the_last_characters_are_those_of_one_value_as_it_stands(operator: Operator) -> None:
    """Of parts, of a code and of what overlaps nothing is left."""
    obligation = with_operator(operator, last=4)
    parts = [dataclasses.replace(finding(at, 0, 8, "CREDIT_CARD"), via="joined") for at in (0, 1)]
    coded = [dataclasses.replace(finding(0, 0, 8), via="base64")]
    over = [finding(0, 0, 6, "CREDIT_CARD"), finding(0, 4, 8)]

    assert ["********", "********"] == redacted([segment("41111111"), segment("11111111")], parts, obligation)[0]
    assert ["********"] == redacted([segment("NzM3NzM3")], coded, obligation)[0]
    assert ["********"] == redacted([segment("411111a@")], over, obligation)[0]


def test_overlapping_findings_become_one_edit_over_their_union() -> None:
    """Named after the finding that brings the strongest operator; neighbours that only touch stay apart."""
    segments = [segment("anna@b.example 1.2.3.4")]
    findings = [finding(0, 0, 8), finding(0, 5, 14, "URL"), finding(0, 14, 15, "GAP"), finding(0, 15, 22, "IP_ADDRESS")]
    texts, redaction = redacted(
        segments,
        findings,
        Redact(entity="EMAIL_ADDRESS", operator=Operator.REPLACE),
        Redact(entity="URL", operator=Operator.MASK),
        Redact(entity="GAP", operator=Operator.MASK),
        Redact(entity="IP_ADDRESS", operator=Operator.MASK),
    )

    assert ["<EMAIL_ADDRESS_1>********"] == texts
    assert (
        Redacted(entity="EMAIL_ADDRESS", operator="replace", count=1),
        Redacted(entity="GAP", operator="mask", count=1),
        Redacted(entity="IP_ADDRESS", operator="mask", count=1),
    ) == redaction.redacted


def test_equally_strong_findings_are_named_after_the_wider() -> None:
    """Then after the surer one."""
    segments = [segment("anna@b.example")]
    wide = redacted(segments, [finding(0, 5, 14, "URL", 999), finding(0, 0, 14)], replace())[0]
    sure = redacted(segments, [finding(0, 0, 14, "URL", 500), finding(0, 0, 14)], replace())[0]

    assert (["<EMAIL_ADDRESS_1>"], ["<EMAIL_ADDRESS_1>"]) == (wide, sure)


def test_a_chain_of_overlaps_is_one_edit() -> None:
    """Each overlaps the next, the first and last do not meet."""
    texts, _ = redacted([segment("0123456789")], [finding(0, 0, 4), finding(0, 3, 7), finding(0, 6, 9)], replace())

    assert ["<EMAIL_ADDRESS_1>9"] == texts


def test_block_is_counted_and_edits_nothing() -> None:
    """The caller has to refuse; a value that is not there blocks nothing."""
    _, redaction = redacted([segment("a@b")], [finding(0, 0, 3)], with_operator(Operator.BLOCK))

    assert ((), (Redacted(entity="EMAIL_ADDRESS", operator="block", count=1),)) == (redaction.edits, redaction.redacted)
    assert () == redacted([segment("a@b")], [], with_operator(Operator.BLOCK))[1].redacted


@pytest.mark.parametrize("operator", [Operator.TOKENISE, Operator.GENERALISE])
def test_an_operator_that_does_not_exist_here_is_an_error(operator: Operator) -> None:
    """Never a silent pass; without a finding there is nothing to do."""
    with pytest.raises(PolicyResultInvalid) as refused:
        redacted([segment("a@b")], [finding(0, 0, 3)], with_operator(operator))

    assert "obligation_unsupported" == refused.value.code
    assert ["a@b"] == redacted([segment("a@b")], [], with_operator(operator))[0]


@pytest.mark.parametrize("span", [(0, 4), (-1, 2), (3, 2)])
def test_a_finding_outside_its_segment_is_an_error(span: tuple[int, int]) -> None:
    """A detector at fault must not lead to a wrong edit."""
    with pytest.raises(ValueError, match="outside"):
        redacted([segment("a@b")], [finding(0, *span)], replace())


def test_a_customers_entity_name_is_made_safe() -> None:
    """A placeholder needs no escape in JSON or SQL."""
    texts, _ = redacted([segment("x")], [finding(0, 0, 1, 'kunden-"nr')], replace())

    assert ["<KUNDEN__NR_1>"] == texts


def test_the_repr_of_a_redaction_shows_no_value() -> None:
    """A mask may leave characters of the value."""
    _, redaction = redacted([segment("secret")], [finding(0, 0, 6)], with_operator(Operator.MASK, last=5))

    assert "ecret" not in repr(redaction)

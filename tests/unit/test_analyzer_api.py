"""The operators of Presidio's anonymizer, and what may come with a request to its analyzer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import analyzer_requests
from classifiers.ad_hoc import MAX_FOUND, MAX_REGEX_CHARS, AdHocInvalid, ad_hoc, linear
from classifiers.ad_hoc import found_by as ad_hoc_found_by
from classifiers.operators import (
    ANONYMIZERS,
    MAX_CHARS,
    AnswerTooLarge,
    Changed,
    Found,
    ParameterInvalid,
    anonymized,
    deanonymized,
)
from governance.errors import DetectorUnavailable

TEXT = "hello world, my name is Jane Doe. My number is: 034453334"
PERSON = Found(entity="PERSON", start=24, end=32, score=0.8)
NUMBER = Found(entity="PHONE_NUMBER", start=48, end=57, score=0.95)
SALT = "0123456789abcdef"
KEY = "3t6w9z$C&F)J@NcR"


def operated(options: Mapping[str, Any], text: str = "034453334") -> str:
    """What an operator makes of a whole text."""
    whole = Found(entity="X", start=0, end=len(text), score=1.0)
    return anonymized(text, [whole], {"X": options})[0]


# --- operators -----------------------------------------------------------------------------------------------------


def test_the_example_of_presidios_documentation() -> None:
    """Its first example gives its text, and items from the last to the first with their places in the new text."""
    operators = {"PERSON": {"type": "redact"}, "PHONE_NUMBER": {"type": "replace", "new_value": "ANONYMIZED"}}

    assert (
        "hello world, my name is . My number is: ANONYMIZED",
        (
            Changed(entity="PHONE_NUMBER", operator="replace", start=40, end=50, text="ANONYMIZED"),
            Changed(entity="PERSON", operator="redact", start=24, end=24, text=""),
        ),
    ) == anonymized(TEXT, [NUMBER, PERSON], operators)


def test_without_operators_the_entity_stands_for_the_value() -> None:
    """The default replaces by the name of the entity in angle brackets; DEFAULT changes the default."""
    assert "hello world, my name is <PERSON>. My number is: <PHONE_NUMBER>" == anonymized(TEXT, [PERSON, NUMBER], {})[0]
    assert (
        "hello world, my name is X. My number is: X"
        == anonymized(TEXT, [PERSON, NUMBER], {"DEFAULT": {"type": "replace", "new_value": "X"}})[0]
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"type": "replace"}, "<X>"),
        ({"type": "replace", "new_value": ""}, "<X>"),
        ({"type": "redact"}, ""),
        ({"type": "keep"}, "034453334"),
        ({"type": "mask", "masking_char": "*", "chars_to_mask": 4, "from_end": False}, "****53334"),
        ({"type": "mask", "masking_char": "*", "chars_to_mask": 4, "from_end": True}, "03445****"),
        ({"type": "mask", "masking_char": "*", "chars_to_mask": 40}, "*********"),
        ({"type": "mask", "masking_char": "*", "chars_to_mask": -1}, "034453334"),
        ({"type": "hash", "salt": SALT}, hashlib.sha256(f"034453334{SALT}".encode()).hexdigest()),
        (
            {"type": "hash", "hash_type": "sha512", "salt": SALT},
            hashlib.sha512(f"034453334{SALT}".encode()).hexdigest(),
        ),
    ],
)
def test_an_operator_gives_what_presidios_gives(options: Mapping[str, Any], expected: str) -> None:
    """Values of the plain operators, with the parameters of Presidio's API."""
    assert expected == operated(options)


def test_a_hash_without_salt_links_nothing() -> None:
    """Equal values have different digests, so that nobody can look them up."""
    assert operated({"type": "hash"}) != operated({"type": "hash"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, f"Invalid operator class; known are {', '.join(ANONYMIZERS)}"),
        ({"type": "fpe"}, f"Invalid operator class; known are {', '.join(ANONYMIZERS)}"),
        ({"type": "replace", "new_value": 5}, "Invalid parameter value for new_value. Expecting 'string'."),
        ({"type": "mask", "masking_char": "*"}, "Expected parameter chars_to_mask"),
        (
            {"type": "mask", "masking_char": "**", "chars_to_mask": 1},
            "Invalid input, masking_char must be a character",
        ),
        (
            {"type": "mask", "masking_char": "*", "chars_to_mask": True},
            "Invalid parameter value for chars_to_mask. Expecting 'int'.",
        ),
        ({"type": "hash", "hash_type": "md5"}, "Parameter hash_type is not one of sha256, sha512"),
        ({"type": "hash", "salt": "short"}, "Invalid input, salt must have at least 16 bytes"),
        ({"type": "encrypt"}, "Expected parameter key"),
        ({"type": "encrypt", "key": "short"}, "Invalid input, key must be of length 128, 192 or 256 bits"),
    ],
)
def test_a_wrong_parameter_is_refused(options: Mapping[str, Any], message: str) -> None:
    """The message names the parameter and quotes neither text nor key."""
    with pytest.raises(ParameterInvalid) as raised:
        operated(options)

    assert message == str(raised.value)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # Overlapping results of one entity are one.
        ([("A", 0, 5, 0.1), ("A", 3, 8, 0.9)], "<A>89"),
        # What is inside another result is dropped, whatever its score.
        ([("A", 2, 4, 1.0), ("B", 0, 8, 0.1)], "<B>89"),
        # At one place the better score stays, of equal ones the last.
        ([("A", 0, 3, 0.5), ("B", 0, 3, 0.6), ("C", 0, 3, 0.1)], "<B>3456789"),
        ([("A", 0, 3, 0.5), ("B", 0, 3, 0.5)], "<B>3456789"),
        ([("B", 0, 3, 0.5), ("A", 0, 3, 0.5), ("A", 5, 6, 0.5)], "<A>34<A>6789"),
        ([("A", 0, 3, 0.5), ("B", 0, 5, 0.5), ("A", 2, 5, 0.5)], "<A>56789"),
        # Results that overlap in part both stay.
        ([("A", 0, 5, 0.5), ("B", 3, 8, 0.5)], "<A><B>89"),
        # Touching is not overlapping.
        ([("A", 0, 3, 0.5), ("A", 3, 6, 0.5)], "<A><A>6789"),
        ([], "0123456789"),
    ],
)
def test_overlaps_are_resolved_as_presidio_does(found: list[tuple[str, int, int, float]], expected: str) -> None:
    """Its default strategy: merge what is similar, drop what is contained."""
    results = [Found(entity=entity, start=start, end=end, score=score) for entity, start, end, score in found]

    assert expected == anonymized("0123456789", results, {})[0]


@pytest.mark.parametrize(
    ("gap", "expected"), [("  ", "<P>"), (" \n", "<P>"), ("\t", "<P>\t<P>"), (", ", "<P>, <P>"), ("\n", "<P>\n<P>")]
)
def test_results_of_one_entity_with_blanks_between_are_one(gap: str, expected: str) -> None:
    """First and last name are one person, as Presidio has it."""
    text = f"Jane{gap}Doe"
    results = [
        Found(entity="P", start=0, end=4, score=1.0),
        Found(entity="P", start=4 + len(gap), end=len(text), score=1.0),
    ]

    assert expected == anonymized(text, results, {})[0]


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (0, 11), (5, 4)])
def test_a_result_outside_the_text_is_refused(start: int, end: int) -> None:
    """Places are those of code points in the text."""
    with pytest.raises(ParameterInvalid, match=r"while text length is only 10\."):
        anonymized("0123456789", [Found(entity="A", start=start, end=end, score=1.0)], {})


def test_presidios_own_cipher_text_is_decrypted() -> None:
    """The example of its documentation: AES-CBC with the vector in front, in base64 of either alphabet."""
    text = "My name is S184CMt9Drj7QaKQ21JTrpYzghnboTF9pn/neN8JME0="
    found = [Found(entity="PERSON", start=11, end=55, score=0.0)]

    assert (
        "My name is Chloë",
        (Changed(entity="PERSON", operator="decrypt", start=11, end=16, text="Chloë"),),
    ) == deanonymized(text, found, {"PERSON": {"type": "decrypt", "key": "WmZq4t7w!z%C&F)J"}})


def test_what_is_to_stay_stays() -> None:
    """Beside what is decrypted; its place is told as any."""
    found = [Found(entity="CITY", start=0, end=4, score=0.0)]

    assert (
        "Kyiv",
        (Changed(entity="CITY", operator="deanonymize_keep", start=0, end=4, text="Kyiv"),),
    ) == deanonymized("Kyiv", found, {"CITY": {"type": "deanonymize_keep"}})


@given(st.text(max_size=40))
@settings(max_examples=50)
def test_decrypting_undoes_encrypting(text: str) -> None:
    """Whatever the text, lone surrogates included."""
    encrypted = operated({"type": "encrypt", "key": KEY}, text)
    whole = [Found(entity="X", start=0, end=len(encrypted), score=1.0)]

    assert text == deanonymized(encrypted, whole, {"DEFAULT": {"type": "decrypt", "key": KEY}})[0]


@pytest.mark.parametrize("text", ["", "not base64", "AAAA", "S184CMt9Drj7QaKQ21JTrpYzghnboTF9pn/neN8JME0="])
def test_what_was_not_encrypted_with_the_key_is_refused(text: str) -> None:
    """One message for every way to fail, without the text and without the cause."""
    with pytest.raises(ParameterInvalid) as raised:
        deanonymized(
            text, [Found(entity="X", start=0, end=len(text), score=1.0)], {"X": {"type": "decrypt", "key": KEY}}
        )

    assert "Invalid input, the text was not encrypted with this key" == str(raised.value)
    assert raised.value.__context__ is None


spans = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted)
results = st.lists(
    st.builds(
        lambda entity, span, score: Found(entity=entity, start=span[0], end=span[1], score=score),
        st.sampled_from("AB"),
        spans,
        st.sampled_from((0.1, 0.5, 1.0)),
    ),
    max_size=8,
)


@given(results)
@settings(max_examples=200)
def test_items_lie_where_they_say(found: list[Found]) -> None:
    """Every item's place in the new text holds its text, and everything outside results is kept in order."""
    text = "abcdefghijklmnopqrst"

    changed, items = anonymized(text, found, {})

    assert all(each.text == changed[each.start : each.end] for each in items)
    kept = "".join(each for at, each in enumerate(text) if not any(one.start <= at < one.end for one in found))
    outside = list(changed)
    for each in items:
        outside[each.start : each.end] = [""] * (each.end - each.start)
    assert kept == "".join(outside)


def test_many_results_take_no_more_than_their_share() -> None:
    """Twenty times the results take nowhere near four hundred times the time."""
    found = [Found(entity=f"E{at % 7}", start=at, end=at + 9, score=0.5) for at in range(10_000)]
    started = time.monotonic()

    anonymized("x" * 10_100, found, {})

    assert time.monotonic() - started < 30


def test_an_answer_that_nobody_could_hold_is_refused() -> None:
    """However small the request: no ten thousand values of a megabyte each, and no value read ten thousand times."""
    short = [Found(entity=f"E{at % 2}", start=at, end=at + 1, score=1.0) for at in range(10_000)]
    wide = [Found(entity=f"E{at}", start=at, end=at + 500_000, score=1.0) for at in range(10_000)]

    with pytest.raises(AnswerTooLarge):
        anonymized("x" * 10_000, short, {"DEFAULT": {"type": "replace", "new_value": "y" * 1_000_000}})
    with pytest.raises(AnswerTooLarge):
        anonymized("x" * 510_000, wide, {"DEFAULT": {"type": "hash", "salt": SALT}})


def test_the_largest_text_may_be_replaced_whole() -> None:
    """Also by its cipher text, which is longer by a third and more."""
    text = "\u6c34" * analyzer_requests.MAX_TEXT_CHARS

    assert len(text) < len(operated({"type": "encrypt", "key": KEY}, text)) < MAX_CHARS


# --- what comes with a request -------------------------------------------------------------------------------------

ZIP = {
    "name": "Zip code Recognizer",
    "supported_language": "en",
    "patterns": [{"name": "zip code (weak)", "regex": r"(\b\d{5}(?:\-\d{4})?\b)", "score": 0.01}],
    "context": ["zip", "code"],
    "supported_entity": "ZIP",
}


def found_by(recognizer: Mapping[str, Any], text: str) -> list[tuple[str, str, int]]:
    deadline = time.monotonic() + 60
    return [
        (each.entity_type, text[each.span.start : each.span.end], each.permille)
        for one in ad_hoc([recognizer])
        for each in one.search(text, deadline)
    ]


def test_the_ad_hoc_recogniser_of_presidios_documentation() -> None:
    """Its pattern is weak, and a context word before the value raises it; offsets are code points."""
    assert [("ZIP", "12345", 400)] == found_by(ZIP, "\U0001f600 the zip code is 12345")
    assert [("ZIP", "12345-6789", 10)] == found_by(ZIP, "it is 12345-6789")


@pytest.mark.parametrize(
    ("expression", "text", "found"),
    [
        (r"Kunde \w+", "Kunde Müller zahlt", "Kunde Müller"),
        (r"Kunde [\w.-]{2,30}", "Kunde 田中太郎。", "Kunde 田中太郎"),
        (r"\bÄrzte-\d{4}\b", "siehe Ärzte-1234 dort", "Ärzte-1234"),
        (r"\b(?:ABC|Über)\b", "x Über y", "Über"),
        (r"\b\w+\b:", "a Öl: b", "Öl:"),
        (r"a\W1", "aä1 a-1", "a-1"),
        (r"\Q\w\E[[:digit:]]", "ä1 \\w1", "\\w1"),
        (r"\bab\d{2}\b", "xab12 ab34", "ab34"),
    ],
)
def test_an_expression_knows_letters_of_any_alphabet(expression: str, text: str, found: str) -> None:
    """As in Presidio."""
    recognizer = {"supported_entity": "K1", "patterns": [{"regex": expression, "score": 1}]}

    assert [("K1", found, 1000)] == found_by(recognizer, text)


def test_flags_of_an_expression_are_kept() -> None:
    """Those that the engine has."""
    recognizer = {"supported_entity": "K1", "patterns": [{"regex": "ABC", "score": 1}], "global_regex_flags": 0}

    assert [("K1", "ABC", 1000)] == found_by(recognizer, "abc ABC")


def test_denied_words_stand_by_themselves() -> None:
    """Neighbours may share a blank; longer words come first; case does not count."""
    titles = {"supported_entity": "TITLE", "deny_list": ["Mr.", "Dr.", "Dr. med."]}

    assert [("TITLE", "mr.", 1000), ("TITLE", "Dr. med.", 1000), ("TITLE", "Dr.", 1000)] == found_by(
        titles, "mr. Dr. med. Dr. Drift xDr."
    )
    assert [] == found_by({"supported_entity": "TITLE", "deny_list": ["Zo"]}, "Zoë, éZo")


@pytest.mark.parametrize(
    "recognizer",
    [
        "ZIP",
        {},
        {"supported_entity": "zip", "deny_list": ["x"]},
        {"supported_entity": "ZIP"},
        {"supported_entity": "ZIP", "deny_list": [""]},
        {"supported_entity": "ZIP", "deny_list": ["x"] * 2_000},
        {"supported_entity": "ZIP", "patterns": ["x"]},
        {"supported_entity": "ZIP", "patterns": [{"regex": "x"}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": "x", "score": 2}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": "(?<=a)b", "score": 1}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": r"(a)\1", "score": 1}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": "a*", "score": 1}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": r"\C", "score": 1}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": r"\\\C", "score": 1}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": r"\Q\\E\C", "score": 1}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": "\ud800", "score": 1}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": r"x[\W_]", "score": 1}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": "x", "score": 1}], "global_regex_flags": 64},
        {"supported_entity": "ZIP", "patterns": [{"regex": "x", "score": 1}], "global_regex_flags": "26"},
        {"supported_entity": "ZIP", "patterns": [{"regex": "x" * (MAX_REGEX_CHARS + 1), "score": 1}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": "((a{1,100}){1,100}){1,100}", "score": 1}]},
        {"supported_entity": "ZIP", "patterns": [{"regex": "x", "score": 1}] * 65},
    ],
)
def test_a_bad_ad_hoc_recogniser_is_refused(recognizer: Any) -> None:
    """Before any text is read, and without a word of it in the message."""
    with pytest.raises(AdHocInvalid) as raised:
        ad_hoc([recognizer])

    assert "\ud800" not in str(raised.value)


def test_a_backslash_before_a_capital_c_is_read_as_it_is_meant() -> None:
    """What cuts characters is refused, and not a backslash that stands for itself."""
    paths = {"supported_entity": "PATH", "patterns": [{"regex": r"\\C[a-z]+", "score": 1}]}

    assert [("PATH", r"\Cab", 1000)] == found_by(paths, "\u00e9 D:\\Cab")


def test_patterns_are_counted_before_any_is_compiled() -> None:
    """None of two thousand is looked into, however bad the first."""
    full = {"supported_entity": "ZIP", "patterns": [{"regex": "(", "score": 1}] * 64}

    with pytest.raises(AdHocInvalid, match="at most 64 patterns"):
        ad_hoc([full] * 32)


def test_the_characters_of_context_words_are_counted() -> None:
    """Of one list, and of the lists of all recognisers together."""
    words = [f"{number:064}" for number in range(400)]

    assert 1 == len(ad_hoc([ZIP | {"context": words}]))
    for listed in ([ZIP | {"context": words}] * 2, [ZIP | {"context": words * 2}]):
        with pytest.raises(AdHocInvalid, match="at most 32768 characters"):
            ad_hoc(listed)


def test_a_pattern_that_would_backtrack_is_linear_here() -> None:
    """What takes other engines years is read in no time."""
    evil = {"supported_entity": "EVIL", "patterns": [{"regex": "(a+)+$", "score": 1}]}
    started = time.monotonic()

    assert [] == found_by(evil, "a" * 20_000 + "!")
    assert time.monotonic() - started < 30


def test_many_values_in_a_long_text_are_found_in_no_time() -> None:
    """Thousands of matches cost what they are, in characters of any width."""
    zips = {"supported_entity": "ZIP", "patterns": [{"regex": r"\b\d{5}\b", "score": 0.5}]}
    titles = {"supported_entity": "TITLE", "deny_list": ["M\u00fc."]}
    started = time.monotonic()

    assert [("ZIP", "12345", 500)] * 9_000 == found_by(zips, "\u6c34 \U0001f600 12345 " * 9_000)
    assert [("TITLE", "m\u00dc.", 1000)] * 9_000 == found_by(titles, "\u6c34 \U0001f600 m\u00dc. " * 9_000)
    assert time.monotonic() - started < 30


def test_matches_without_width_are_no_values() -> None:
    """An expression that matches between characters ends, and what it matches of them counts."""
    odd = {"supported_entity": "ODD", "patterns": [{"regex": r"\bx*", "score": 0.5}]}

    assert [("ODD", "xx", 500), ("ODD", "x", 500)] == found_by(odd, "\u6c34a xx \U0001f600 x")


def test_an_ad_hoc_recogniser_that_finds_too_much_is_no_answer() -> None:
    """A flood ends as an error, not as a part of the results, however many recognisers and texts make it together."""
    everything = {"supported_entity": "LETTER", "patterns": [{"regex": "[a-z]", "score": 1}]}
    text, deadline = "a" * (MAX_FOUND // 4), time.monotonic() + 60

    def found(recognizers: int, texts: int) -> int:
        made, counted = ad_hoc([everything] * recognizers), count()
        return sum(1 for _ in range(texts) for _ in ad_hoc_found_by(made, text, deadline, counted))

    assert MAX_FOUND == found(2, 2)
    for recognizers, texts in ((5, 1), (1, 5)):
        with pytest.raises(DetectorUnavailable, match="found too much"):
            found(recognizers, texts)


def test_flags_of_an_allow_list_are_honoured() -> None:
    """Without the flag for it, case counts."""
    deadline = time.monotonic() + 60
    assert linear("abc", 2).search(b"ABC", 0, deadline) is not None
    assert linear("abc", 0).search(b"ABC", 0, deadline) is None


@pytest.mark.parametrize("regex", ["[ab]{1000}", "[ab]*a" + "[ab]{90}" * 11])
def test_an_expression_that_remembers_much_reads_short_texts_only(regex: str) -> None:
    """One search cannot be stopped, and this one goes through a thousand states for each letter."""
    large = {"supported_entity": "LARGE", "patterns": [{"regex": regex, "score": 1}]}

    assert [] == found_by(large, "ab" * 20 + "!")
    with pytest.raises(DetectorUnavailable, match="too large for a text of this length"):
        found_by(large, "ab" * 500_000)


def test_an_expression_that_grows_when_it_is_compiled_is_refused() -> None:
    """A hundred short repeats would be megabytes, and hours for one text."""
    with pytest.raises(AdHocInvalid):
        linear("[ab]*a" + "[ab]{1000}" * 95, 0)


def asked(**more: Any) -> dict[str, Any]:
    """A request to /analyze."""
    return {"text": "x jane@example.com", "language": "en"} | more


def test_an_allow_list_keeps_the_deadline() -> None:
    """After it there is no answer, as for what was not read to its end."""
    listed = asked(allow_list=["a@example[.]org$"] * 1_000, allow_list_match="regex")
    allowed = analyzer_requests.question_in(listed, ("EMAIL_ADDRESS",)).allowed

    assert not allowed("jane@example.com", time.monotonic() + 60)
    with pytest.raises(DetectorUnavailable, match="not read to its end: timeout"):
        allowed("jane@example.com", time.monotonic() - 1)


def test_a_search_that_finds_nothing_keeps_the_deadline() -> None:
    """Also the last one is looked at."""
    [zips] = ad_hoc([ZIP])

    with pytest.raises(DetectorUnavailable, match="not read to its end: timeout"):
        list(zips.search("nothing here", time.monotonic() - 1))


# --- requests of any shape -----------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(
        ["en", "EMAIL_ADDRESS", "replace", "mask", "hash", "encrypt", KEY, SALT, "exact", "regex", "(", "a+"]
    ),
)
names = st.sampled_from(
    "type new_value masking_char chars_to_mask from_end hash_type salt key start end score entity_type supported_entity patterns"
    " regex deny_list context name DEFAULT EMAIL_ADDRESS".split()
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
ANALYZE = (
    "text language entities score_threshold return_decision_process ad_hoc_recognizers context allow_list allow_list_match"
    " regex_flags correlation_id"
).split()
ANONYMIZE = "text analyzer_results anonymizers".split()


@given(st.dictionaries(st.sampled_from(ANALYZE), documents))
@settings(max_examples=300, deadline=None)
def test_no_analyze_request_is_a_surprise(document: dict[str, Any]) -> None:
    """Whatever JSON it holds, it is a question or an error that says so."""
    asked = {"text": "x jane@example.com", "language": "en"} | document

    try:
        question = analyzer_requests.question_in(asked, ("EMAIL_ADDRESS",))
    except (analyzer_requests.Refused, AdHocInvalid):
        return
    for each in question.own:
        list(each.search("".join(question.texts), time.monotonic() + 60))
    assert question.allowed("jane@example.com", time.monotonic() + 60) in {True, False}


@given(st.dictionaries(st.sampled_from(ANONYMIZE), documents))
@settings(max_examples=300, deadline=None)
def test_no_anonymize_request_is_a_surprise(document: dict[str, Any]) -> None:
    """Whatever JSON it holds, it has a result or an error that says so."""
    asked = {"text": TEXT, "analyzer_results": [{"start": 24, "end": 32, "entity_type": "EMAIL_ADDRESS"}]} | document

    try:
        found = analyzer_requests.results_in(asked, "analyzer_results")
        operators = analyzer_requests.operators_in(asked, "anonymizers")
        changed, _ = anonymized(analyzer_requests.text_in(asked), found, operators)
    except (analyzer_requests.Refused, ParameterInvalid):
        return
    assert isinstance(changed, str)

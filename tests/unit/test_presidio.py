"""Presidio on both sides: our rules as its recogniser, and its registry files and classes beside our rules."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.compiled import compile_rules
from classifiers.detector import PatternDetector
from classifiers.extra import ExtendedDetector, OwnRecognizers, extended, load_own
from classifiers.query import PRESIDIOS_REGIONS, RuleQuery
from classifiers.reading import Reader
from classifiers.recognizer_client import Extra, RecognizerClient
from classifiers.registry_file import COVERED, MAX_PATHS, OwnPattern, Registry, paths, read_registry, registry
from classifiers.rules import load_rules
from governance.config import load
from governance.errors import ConfigInvalid, DetectorUnavailable
from governance.finding import Category, Detection, DetectionStatus, DetectorRun, Finding
from governance.segment import Role, Span, TextSegment
from governance.sensitive import SensitiveText
from governance.yaml_source import parse
from tests.fakes import FakeDetector

ENTITIES = ("CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "US_SSN")
ZIP = r"""
recognizers:
  - name: "Zip code Recognizer"
    supported_language: "de"
    patterns:
      - name: "zip code (weak)"
        regex: "(\\b\\d{5}(?:\\-\\d{4})?\\b)"
        score: 0.01
    context: [zip, code]
    supported_entity: "ZIP"
"""

PIECES = (
    *(
        "4111 1111 1111 1111",
        "DE89370400440532013000",
        "jane@example.com",
        "536-90-4399",
        "ssn",
        " ",
        ", ",
        "\n",
        "card",
        "%40",
    ),
    *("\u00a0", "\ud800", "\U0001f600", "x", "1", "-"),
)


def plain_query() -> RuleQuery:
    return RuleQuery(compiled=compile_rules([rule for rule in load_rules() if rule.entity in ENTITIES], portable=True))


@pytest.fixture(scope="module")
def query() -> RuleQuery:
    return plain_query()


def soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def read(text: str) -> Registry:
    return registry(parse(text, file="own.yaml"))


# --- our rules as a recogniser of Presidio -------------------------------------------------------------------------


def test_presidios_engine_runs_the_rules(query: RuleQuery) -> None:
    """One line adds everything in the catalogue to an AnalyzerEngine; offsets are code points."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    from classifiers.presidio import RingfenceAnalyzer

    nlp = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "blank"}])
    nlp.nlp = {"en": spacy.blank("en")}
    registry = RecognizerRegistry(recognizers=[RingfenceAnalyzer(query=query)])
    engine = AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"])

    found = engine.analyze("\U0001f600 write to jane.doe@example.com", language="en", return_decision_process=True)

    assert [("EMAIL_ADDRESS", 11, 31, 1.0)] == [(each.entity_type, each.start, each.end, each.score) for each in found]
    explained = found[0].analysis_explanation
    assert ("RingfenceAnalyzer", "family.email", True) == (
        explained.recognizer,
        explained.pattern_name,
        explained.validation_result,
    )


def test_a_recogniser_answers_for_the_entities_asked(query: RuleQuery) -> None:
    """Entities that are not asked for are not reported, and unknown ones are refused when the recogniser is made."""
    from classifiers.presidio import RingfenceAnalyzer

    analyzer = RingfenceAnalyzer(query=query, entities=["EMAIL_ADDRESS", "US_SSN"])

    found = analyzer.analyze("4111 1111 1111 1111 jane@example.com", ["EMAIL_ADDRESS", "CREDIT_CARD"])

    assert ["EMAIL_ADDRESS", "US_SSN"] == analyzer.supported_entities
    assert ["EMAIL_ADDRESS"] == [each.entity_type for each in found]
    with pytest.raises(ConfigInvalid, match="no rule finds `SHOE_SIZE`"):
        RingfenceAnalyzer(query=query, entities=["SHOE_SIZE"])


def test_a_text_that_is_not_read_to_its_end_is_no_answer(query: RuleQuery) -> None:
    """Presidio has no status beside its results, so that half an answer has to be an error without content."""
    from classifiers.presidio import RingfenceAnalyzer

    analyzer = RingfenceAnalyzer(query=query, deadline_ms=-1)

    with pytest.raises(DetectorUnavailable) as raised:
        analyzer.analyze("jane@example.com", [])

    assert "the text was not read to its end: timeout" == str(raised.value)
    assert raised.value.__context__ is None


def test_the_catalogue_stands_in_for_presidios_recognisers() -> None:
    """The list of recognisers that a registry file may name is that of the installed package, entities compared."""
    import inspect

    import presidio_analyzer.predefined_recognizers as predefined

    ours = {rule.entity for rule in load_rules()} | {"PHONE_NUMBER"}
    covered = set()
    for name in COVERED:
        kind = getattr(predefined, name)
        assert inspect.isclass(kind)
        if set(kind().supported_entities) <= ours:
            covered.add(name)

    assert COVERED == covered


def test_few_entities_are_found_where_all_would_be_too_many() -> None:
    """At a score of 0 the shapes that nobody asked for do not use up what a text may cost."""
    query = plain_query()
    text = "536 90 4399 jane@example.com " * 2_000

    found = query.find(text, deadline=soon(20.0), entities=["EMAIL_ADDRESS"], floor_permille=0)

    assert [("EMAIL_ADDRESS", 1000)] * 2_000 == [(each.entity_type, each.permille) for each in found]


def test_context_words_of_a_question_count_beside_every_value(query: RuleQuery) -> None:
    """A word given with the text raises what only a word makes certain."""
    text = "it is 536904399"

    bare = query.find(text, deadline=soon())
    named = query.find(text, deadline=soon(), context=["SSN"])

    assert () == bare
    assert [("US_SSN", 1000)] == [(each.entity_type, each.permille) for each in named]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@settings(max_examples=100, deadline=None)
def test_a_question_for_everything_is_what_the_detector_finds(query: RuleQuery, text: str) -> None:
    """Both ways to ask lead to the same findings."""
    reader = Reader(compiled=query.compiled, regions=PRESIDIOS_REGIONS)

    assert reader.read(text, deadline=soon()).findings == query.find(text, deadline=soon())


# --- registry files ------------------------------------------------------------------------------------------------


def test_a_pattern_of_presidios_becomes_a_rule() -> None:
    """The example of Presidio's own documentation is read as a rule: weak alone, reported beside its word, in any spelling."""
    found = read(ZIP)

    assert ((), ()) == (found.patterns, found.covered)
    reader = Reader(compiled=compile_rules(found.rules, portable=True))
    spans = {
        text: [
            (each.entity_type, text[each.span.start : each.span.end])
            for each in reader.read(text, deadline=soon()).findings
        ]
        for text in ("the zip is 12345-6789", "the number is 12345", "zip: \uff11\uff12\uff13\uff14\uff15")
    }
    assert {
        "the zip is 12345-6789": [("ZIP", "12345-6789")],
        "the number is 12345": [],
        "zip: \uff11\uff12\uff13\uff14\uff15": [("ZIP", "\uff11\uff12\uff13\uff14\uff15")],
    } == spans


def test_a_deny_list_becomes_a_rule() -> None:
    """Words stand by themselves, the longer before the shorter, without regard to case or accents."""
    found = read("recognizers: [{name: Titles, supported_entity: TITLE, deny_list: [Mr., Dr., Fräulein]}]")

    reader = Reader(compiled=compile_rules(found.rules, portable=True))
    text = "MR. Smith, Fräulein Meyer, fraulein, Dr.No"
    reading = reader.read(text, deadline=soon())

    assert ["MR.", "Fräulein", "fraulein"] == [text[each.span.start : each.span.end] for each in reading.findings]


@pytest.mark.parametrize(
    "expression",
    [
        "(a+)+$",  # backtracks
        r"(?<=id )\d{5}",  # looks around
        r"\b(\w)\1{3}\b",  # refers back
        r"\b\w+\d+\w+\b",  # has no bound
        r"^x.y$",  # lines and any character
        r"\p{Lu}{5}",  # a class that bytes do not have
        "号码[0-9]{5}",  # folded text has no such letter
    ],
)
def test_what_does_not_fit_the_dialect_stays_a_pattern(expression: str) -> None:
    """Such an expression is run by `regex` in a process that can be stopped."""
    text = f"""
recognizers:
  - name: own
    supported_entity: OWN
    patterns: [{{name: one, regex: '{expression}', score: 0.9}}]
"""
    found = read(text)

    assert (0, [expression]) == (len(found.rules), [each.expression for each in found.patterns])


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        (r"\b[0-9]{5}\b", 1),
        (r"a{1,3}b{0,4}", 15),
        (r"(?:ab|cd|e{1,2})f", 4),
        (r"(?:a{1,2}){1,2}", 6),
        (r"[0-9]+", MAX_PATHS + 1),
    ],
)
def test_the_ways_through_an_expression_are_counted(expression: str, count: int) -> None:
    """Choices multiply along an expression and add up over its branches; without a bound there is none."""
    assert count == paths(expression)


def test_recognisers_of_presidios_that_the_catalogue_has_are_left_to_it() -> None:
    """Names and entries of its own registry are accepted, those switched off and of other countries left out."""
    found = read("""
supported_languages: [en]
supported_countries: [us]
global_regex_flags: 26
recognizers:
  - CreditCardRecognizer
  - {name: my mails, class_name: EmailRecognizer, type: predefined, supported_languages: [en]}
  - {name: SpacyRecognizer, type: predefined, enabled: false}
  - {name: other, supported_entity: OTHER, deny_list: [x1], country_code: uk}
""")

    assert Registry(covered=("CreditCardRecognizer", "EmailRecognizer")) == found


def test_presidios_default_registry_is_accepted_as_it_is() -> None:
    """The file that Presidio comes with asks for nothing that the catalogue lacks, its models being switched off."""
    package = find_spec("presidio_analyzer")
    assert package is not None
    assert package.origin is not None

    found = read_registry(Path(package.origin).with_name("conf") / "default_recognizers.yaml")

    assert ((), (), True) == (
        found.rules,
        found.patterns,
        {"CreditCardRecognizer", "NhsRecognizer"} <= {*found.covered},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patterns: []", "own.yaml:1: is not a recogniser registry: it has no list `recognizers`"),
        ("recognizers: []\nrecognisers: []", "own.yaml:2: `recognisers` is not known here"),
        (
            "recognizers: [{name: S, type: predefined}]",
            "own.yaml:1: recognizer `S`: `S` is none of Presidio's recognisers that the catalogue stands in for; set",
        ),
        (
            "recognizers:\n  - name: N\n    supported_entity: N1\n    deny_lists: [x]",
            "own.yaml:4: recognizer `N`: `deny_lists` is not known here",
        ),
        (
            "recognizers:\n  - {name: N, supported_entity: N1, patterns: [{name: a, regex: '(', score: 1}]}",
            "own.yaml:2: recognizer `N`: the expression cannot be compiled: missing ) at 1",
        ),
        (
            "recognizers:\n  - {name: N, supported_entity: N1, patterns: [{name: a, regex: 'a*', score: 1}]}",
            "own.yaml:2: recognizer `N`: the expression matches empty text",
        ),
        (
            "recognizers:\n  - {name: N, supported_entity: N1, patterns: [{name: a, regex: a, score: 0.3}]}",
            "own.yaml:2: recognizer `N`: a score below 0.4 without context words is never reported: raise `score` or add `context`",
        ),
        (
            "recognizers:\n  - {name: N, supported_entity: N1, patterns: [{name: a, regex: a, score: 1.5}]}",
            "own.yaml:2: recognizer `N`: `score` is a number from 0 to 1",
        ),
        (
            "recognizers: [{name: N, supported_entity: n1, deny_list: [x]}]",
            "own.yaml:1: recognizer `N`: `supported_entity` is",
        ),
        (
            "recognizers: [{name: N, supported_entity: N1}]",
            "own.yaml:1: recognizer `N`: has neither `patterns` nor a `deny_list`",
        ),
        (
            "global_regex_flags: 64\nrecognizers: [{name: N, supported_entity: N1, deny_list: [x]}]",
            "own.yaml:2: recognizer `N`: `global_regex_flags` may be made of",
        ),
    ],
)
def test_a_bad_file_names_line_and_recogniser(text: str, message: str) -> None:
    """Nothing is skipped in silence: what cannot be used is an error of the configuration."""
    with pytest.raises(ConfigInvalid) as raised:
        read(text)

    assert str(raised.value).startswith(message)


def test_a_setting_names_files_and_classes(tmp_path: Path) -> None:
    """Rules of several files have different ids; anything else than a file or a class is refused."""
    first, second = tmp_path / "a.yaml", tmp_path / "b.yml"
    first.write_text(ZIP)
    second.write_text(ZIP)

    own = load_own([str(first), "package.module:Class", str(second)])

    assert (["own.zip_code_recognizer_0", "own.zip_code_recognizer_1"], ("package.module:Class",)) == (
        [rule.id for rule in own.rules],
        own.classes,
    )
    with pytest.raises(ConfigInvalid, match=r"`os\.system` is neither"):
        load_own(["os.system"])
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        load_own([str(tmp_path / "absent.yaml")])


# --- the child process ---------------------------------------------------------------------------------------------

CLASSES = '''
import sys, time


class EntityRecognizer:
    """Stands in for Presidio's, which takes seconds to import."""

    supported_language, context, name, version = "en", ["badge"], "Own", "1"

    def country_code(self):
        return "uk"

    def __init__(self):
        self.supported_entities = ["BADGE"]


class Result:
    def __init__(self, start, end, score, entity_type="BADGE"):
        self.start, self.end, self.score, self.entity_type = start, end, score, entity_type
        self.recognition_metadata = None


class Badge(EntityRecognizer):
    def analyze(self, text, entities, nlp_artifacts):
        print(text)
        print(text, file=sys.stderr)
        if "hang" in text:
            while True:
                time.sleep(1)
        if "raise" in text:
            raise ValueError(text)
        if "exit" in text:
            sys.exit(0)
        if "beyond" in text:
            return [Result(0, 10_000, 1.0)]
        at = text.find("B-")
        return [] if at < 0 else [Result(at, at + 6, 0.3)]


class Tokens(EntityRecognizer):
    name = "Tokens"

    def analyze(self, text, entities, nlp_artifacts):
        return [Result(at, at + 2, 0.9) for at in nlp_artifacts.tokens_indices[:1]]


class Refuses(EntityRecognizer):
    def __init__(self):
        raise RuntimeError("no licence file")
'''


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A module `own_recognizers` on the path, as an operator's package would be."""
    directory = tmp_path_factory.mktemp("own")
    (directory / "own_recognizers.py").write_text(CLASSES)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(directory))
        yield


@pytest.fixture(scope="module")
def badge(classes: None) -> Iterator[RecognizerClient]:
    client = RecognizerClient(patterns=(), classes=("own_recognizers:Badge",), floor_permille=400)
    yield client
    client.close()


def run(status: DetectionStatus, name: str = "own:Own", version: str = "1") -> DetectorRun:
    return DetectorRun(id=name, version=version, status=status)


def test_a_class_finds_in_the_child(badge: RecognizerClient) -> None:
    """Its score is raised beside its context words as in Presidio, and its country is written as ISO does."""
    found = badge.find("\U0001f600 my badge is B-1234", deadline=soon())

    expected = Finding(
        segment=0,
        entity_type="BADGE",
        span=Span(start=14, end=20),
        permille=650,
        detector="own:Own",
        category=Category.PERSONAL,
        country="GB",
    )
    assert Extra(findings=(expected,), runs=(run(DetectionStatus.COMPLETE),)) == found
    assert () == badge.find("it is B-1234", deadline=soon()).findings


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("hang B-1234", DetectionStatus.TIMEOUT),
        ("raise B-1234", DetectionStatus.PARTIAL),
        ("exit B-1234", DetectionStatus.PARTIAL),
        ("beyond", DetectionStatus.PARTIAL),
    ],
)
def test_a_class_that_fails_shows_in_the_status(badge: RecognizerClient, text: str, status: DetectionStatus) -> None:
    """Overrunning, raising, ending the process and answering nonsense are never taken for an empty answer."""
    started = time.monotonic()

    found = badge.find(text, deadline=soon(0.5 if status is DetectionStatus.TIMEOUT else 60))

    assert Extra(findings=(), runs=(run(status),)) == found
    assert time.monotonic() - started < 60
    assert DetectionStatus.COMPLETE is badge.find("again", deadline=soon(60)).runs[0].status


def test_lone_surrogates_reach_a_class(badge: RecognizerClient) -> None:
    """Text that no encoding can write is passed on as it is."""
    found = badge.find("badge \ud800 is: B-1234", deadline=soon())

    assert [Span(start=12, end=18)] == [each.span for each in found.findings]


def test_artifacts_hold_tokens_for_those_who_ask(classes: None) -> None:
    """A class that wants an NLP engine gets the tokens of one without a model."""
    client = RecognizerClient(patterns=(), classes=("own_recognizers:Tokens",), floor_permille=400)

    found = client.find("hello world", deadline=soon(30.0))
    client.close()

    assert [(0, 2)] == [(each.span.start, each.span.end) for each in found.findings]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "own_recognizers:Refuses",
            "recogniser `own_recognizers:Refuses` cannot be loaded: RuntimeError: no licence file",
        ),
        (
            "own_recognizers:Result",
            "recogniser `own_recognizers:Result` cannot be loaded: TypeError: it is no subclass",
        ),
        (
            "absent_module:Class",
            "recogniser `absent_module:Class` cannot be loaded: ModuleNotFoundError: No module named",
        ),
    ],
)
def test_a_class_that_cannot_be_loaded_is_an_error_of_the_configuration(classes: None, name: str, message: str) -> None:
    """The start fails, with the entry that is wrong."""
    with pytest.raises(ConfigInvalid) as raised:
        RecognizerClient(patterns=(), classes=(name,), floor_permille=400)

    assert str(raised.value).startswith(message)


def test_a_pattern_that_backtracks_is_stopped() -> None:
    """The pattern ends as `timeout`; those before it have their say, and the next text is read."""
    fine = OwnPattern(recognizer="fine", entity="FINE", expression="x{3}", flags=0, permille=900)
    evil = OwnPattern(recognizer="evil", entity="EVIL", expression=r"(?:(?:a|a)+b?)+$(?<=c)", flags=0, permille=900)
    client = RecognizerClient(patterns=(fine, evil), classes=(), floor_permille=400)

    found = client.find("xxx " + "a" * 40 + "!", deadline=soon(0.4))
    again = client.find("xxx", deadline=soon())
    client.close()

    assert ["FINE"] == [each.entity_type for each in found.findings]
    assert [DetectionStatus.COMPLETE, DetectionStatus.TIMEOUT] == [each.status for each in found.runs]
    assert [DetectionStatus.COMPLETE, DetectionStatus.COMPLETE] == [each.status for each in again.runs]


def test_a_plan_longer_than_a_pipe_holds_is_loaded() -> None:
    """Hundreds of long patterns arrive at the child in pieces, and those found are named in order."""
    patterns = [
        OwnPattern(recognizer=f"r{at}", entity=f"E{at}", expression=f"{'x' * 1_000}|v{at};", flags=0, permille=900)
        for at in range(200)
    ]
    client = RecognizerClient(patterns=patterns, classes=(), floor_permille=400)

    found = client.find("v0; v199;", deadline=soon(10.0))
    client.close()

    assert ["E0", "E199"] == [each.entity_type for each in found.findings]


# --- beside another detector ---------------------------------------------------------------------------------------


class FakeFinder:
    """Answers with `extras` in turn, the last for ever."""

    version = "1"

    def __init__(self, *extras: Extra) -> None:
        self._extras = list(extras)
        self.seen: list[str] = []
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def find(self, text: str, *, deadline: float) -> Extra:
        self.seen.append(text)
        return self._extras.pop(0) if len(self._extras) > 1 else self._extras[0]


def finding(entity: str, start: int, end: int, *, segment: int = 0, validated: bool = False) -> Finding:
    return Finding(
        segment=segment,
        entity_type=entity,
        span=Span(start=start, end=end),
        permille=800,
        detector="x",
        validated=validated,
    )


def segments(*texts: str) -> Sequence[TextSegment]:
    return [TextSegment(role=Role.USER, place="/messages/*/content", text=SensitiveText(text)) for text in texts]


BASE = Detection(
    status=DetectionStatus.COMPLETE,
    findings=(finding("EMAIL_ADDRESS", 0, 5, validated=True),),
    detectors=(DetectorRun(id="patterns", version="7", status=DetectionStatus.COMPLETE),),
)


async def test_findings_beside_the_rules_are_settled_with_theirs() -> None:
    """Overlaps follow the one rule, segments stay apart, and every recogniser is named with how it ended."""
    extra = Extra(findings=(finding("OWN", 3, 9), finding("OWN", 6, 9)), runs=(run(DetectionStatus.COMPLETE),))
    detector = ExtendedDetector(FakeDetector(detection=BASE), FakeFinder(extra))

    found = await detector.detect(segments("0123456789", "9876543210"), deadline_ms=1_000)

    assert (
        Detection(
            status=DetectionStatus.COMPLETE,
            # Nobody said what kind of value it is: then it is taken for personal.
            findings=(*BASE.findings, replace(finding("OWN", 3, 9, segment=1), category=Category.PERSONAL)),
            detectors=(*BASE.detectors, run(DetectionStatus.COMPLETE)),
        )
        == found
    )


async def test_the_worst_status_is_that_of_the_whole_and_is_not_remembered() -> None:
    """A recogniser that failed once is asked again for the same text; one that answered is not."""
    failed = Extra(findings=(), runs=(run(DetectionStatus.PARTIAL),))
    fine = Extra(findings=(), runs=(run(DetectionStatus.COMPLETE),))
    finder = FakeFinder(failed, fine)
    detector = ExtendedDetector(FakeDetector(detection=BASE), finder)

    statuses = [(await detector.detect(segments("text"), deadline_ms=1_000)).status for _ in range(3)]

    assert [DetectionStatus.PARTIAL, DetectionStatus.COMPLETE, DetectionStatus.COMPLETE] == statuses
    assert ["text", "text"] == finder.seen


def test_without_recognisers_of_one_s_own_nothing_stands_in_between() -> None:
    """No process is started for rules alone."""
    detector = FakeDetector(detection=BASE)

    assert extended(detector, OwnRecognizers(rules=read(ZIP).rules)) is detector


async def test_own_recognisers_stand_beside_the_catalogue(classes: None, query: RuleQuery, tmp_path: Path) -> None:
    """From the setting to a detection: a rule from a file, a pattern that is no rule, and a class, with the catalogue."""
    file = tmp_path / "own.yaml"
    file.write_text(ZIP + "  - {name: Ward, supported_entity: WARD, deny_list: [\u7b2c3\u75c5\u623f]}\n")
    own = load_own([str(file), "own_recognizers:Badge"])
    compiled = compile_rules([*query.compiled.rules, *own.rules], portable=True)
    detector = extended(PatternDetector(reader=Reader(compiled=compiled)), own)
    text = "jane@example.com, badge B-1234, zip 12345, \u7b2c3\u75c5\u623f \u5165\u9662"

    found = await detector.detect(segments(text), deadline_ms=5_000)
    assert isinstance(detector, ExtendedDetector)
    detector.close()

    assert DetectionStatus.COMPLETE is found.status
    assert ["EMAIL_ADDRESS", "BADGE", "ZIP", "WARD"] == [each.entity_type for each in found.findings]
    assert ["patterns", "own:Ward", "own:Own"] == [each.id for each in found.detectors]


def test_nothing_of_the_path_imports_presidio() -> None:
    """It takes seconds: who configures no class of it never waits for it."""
    code = (
        "import sys, classifiers.extra, classifiers.query, classifiers.analyzer_api\n"
        "sys.exit(len({'presidio_analyzer', 'spacy', 'regex'} & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (0, "") == (done.returncode, done.stderr)


# --- the setting ---------------------------------------------------------------------------------------------------

NODES = """
nodes:
  - id: gpu-1
    address: 10.0.0.5:8000
    country: DE
    region: eu-central
    tier: on_prem
    models: [llama3]
"""


def configured(directory: Path, recognizers: str) -> tuple[str, ...]:
    file = directory / "ringfence.yaml"
    file.write_text(f"classifiers: {{recognizers: {recognizers}}}{NODES}")
    return load(file, environ={}).classifiers.recognizers


def test_files_of_the_setting_lie_beside_the_configuration(tmp_path: Path) -> None:
    """A registry file is relative to the file that names it; a class is not a path."""
    (tmp_path / "own.yaml").write_text(ZIP)

    assert (str(tmp_path / "own.yaml"), "package.module:Class") == configured(
        tmp_path, "[own.yaml, 'package.module:Class']"
    )


@pytest.mark.parametrize(
    ("recognizers", "message"),
    [
        ("[absent.yaml]", "classifiers.recognizers[0]: no file at"),
        (
            "['os.system']",
            "classifiers.recognizers[0]: must be a file `.yaml`, a class `package.module:Class` or a pipeline `spacy:NAME`, not `os.system`",
        ),
        ("own.yaml", "classifiers.recognizers: must be a list, not the text `own.yaml`"),
    ],
)
def test_a_setting_that_names_nothing_is_refused(tmp_path: Path, recognizers: str, message: str) -> None:
    """With file, line and setting, before anything is loaded."""
    with pytest.raises(ConfigInvalid) as raised:
        configured(tmp_path, recognizers)

    assert f"{tmp_path}/ringfence.yaml:1: {message}" in str(raised.value)

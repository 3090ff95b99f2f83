"""What operators state of recognisers of their own: category, label, jurisdiction; in the path and in a scan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from classifiers import scan
from classifiers.compiled import compile_rules
from classifiers.detector import PatternDetector
from classifiers.extra import ExtendedDetector, OwnRecognizers, extended, load_own
from classifiers.jurisdiction import regions_in_play, reinforced, sharers
from classifiers.phones import DEFAULT_REGIONS, phone_table
from classifiers.reading import Reader
from classifiers.recognizer_client import Extra
from classifiers.registry_file import Meaning, Registry, category_of, registry
from classifiers.rules import load_rules
from classifiers.scan import ScanOptions, scan_command
from governance import yaml_source
from governance.cli import app
from governance.errors import ConfigInvalid
from governance.finding import Category, Detection, DetectionStatus, DetectorRun, Finding, Jurisdiction, Label
from governance.segment import Role, Span, TextSegment
from governance.sensitive import SensitiveText
from governance.settings import Classifiers
from tests.fakes import FakeDetector

# A rule, and a pattern that is none (its letters do not fold to ASCII).
STATED = """
recognizers:
  - name: Patients
    supported_entity: PATIENT_NUMBER
    category: health
    label: health
    jurisdiction: ch
    patterns: [{name: a, regex: '\\bPAT-[0-9]{6}\\b', score: 0.9}]
  - {name: Ward, supported_entity: WARD, category: health, label: ward, country_code: uk, deny_list: [第3病房]}
"""


def read(text: str) -> Registry:
    return registry(yaml_source.parse(text, file="own.yaml"))


def segments(*texts: str) -> list[TextSegment]:
    return [TextSegment(role=Role.USER, place="/messages/*/content", text=SensitiveText(text)) for text in texts]


def finding(entity: str, start: int, end: int, *, detector: str = "own:A", country: str | None = None) -> Finding:
    return Finding(
        segment=0,
        entity_type=entity,
        span=Span(start=start, end=end),
        permille=800,
        detector=detector,
        country=country,
        category=Category.PERSONAL,
    )


class FakeFinder:
    """Finds the same in every text."""

    version = "1"

    def __init__(self, *findings: Finding) -> None:
        names = dict.fromkeys(each.detector for each in findings)
        runs = (DetectorRun(id=name, version="1", status=DetectionStatus.COMPLETE) for name in names)
        self._extra = Extra(findings=findings, runs=tuple(runs))

    def find(self, text: str, *, deadline: float) -> Extra:
        return self._extra

    def close(self) -> None:
        pass


# --- the registry file ---------------------------------------------------------------------------------------------


def test_an_entry_says_what_its_findings_mean() -> None:
    """Rules and patterns carry category and country; `jurisdiction` stands before `country_code`; labels are kept apart."""
    found = read(STATED.replace("jurisdiction: ch", "jurisdiction: ch\n    country_code: de"))

    assert [("PATIENT_NUMBER", Category.HEALTH, "CH")] == [(r.entity, r.category, r.country) for r in found.rules]
    assert [("WARD", Category.HEALTH, "ward", "GB")] == [
        (each.entity, each.category, each.label, each.country) for each in found.patterns
    ]
    assert (("own.patients_0", "health"),) == found.labels


def test_without_a_category_an_entity_is_what_the_catalogue_says_and_personal_if_it_says_nothing() -> None:
    """A customer's own card numbers are still card numbers to policy; what nobody knows is personal data."""
    found = read("""
recognizers:
  - {name: A, supported_entity: CREDIT_CARD, patterns: [{name: a, regex: '\\bC-[0-9]{4}\\b', score: 1}]}
  - {name: B, supported_entity: PROJECT, patterns: [{name: a, regex: '\\bP-[0-9]{4}\\b', score: 1}]}
""")

    assert [Category.CARD, Category.PERSONAL] == [rule.category for rule in found.rules]


def test_the_category_of_an_entity_is_read_off_the_catalogue() -> None:
    """The quick reading agrees with the loaded rules for every entity."""
    rules = load_rules()

    assert {rule.entity: rule.category for rule in rules} == {rule.entity: category_of(rule.entity) for rule in rules}


@pytest.mark.parametrize(
    "entry",
    [
        "{name: CreditCardRecognizer}",
        "{class_name: CreditCardRecognizer}",
        "{name: CreditCardRecognizer, supported_languages: [{language: en, context: [visa]}, es]}",
    ],
)
def test_a_recogniser_of_presidio_s_is_named_without_a_type(entry: str) -> None:
    """As its own files do; one with a shape of its own is another recogniser."""
    shaped = read("recognizers: [{name: CreditCardRecognizer, supported_entity: MINE, deny_list: [abc]}]")

    assert ("CreditCardRecognizer",) == read(f"recognizers: [{entry}]").covered
    assert ((), 1) == (shaped.covered, len(shaped.rules) + len(shaped.patterns))


def test_an_entry_may_name_a_class_of_one_s_own(tmp_path: Path) -> None:
    """With what its findings mean; a class named in the setting alone states nothing."""
    file = tmp_path / "own.yaml"
    file.write_text("recognizers: [{name: B, class_name: 'own.badge:Badge', category: company, label: badge}]")

    own = load_own(["other:Class", str(file)])

    assert ("other:Class", "own.badge:Badge") == own.classes
    assert (Meaning(), Meaning(category=Category.COMPANY, label="badge")) == own.stated


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{name: N, supported_entity: N1, deny_list: [x], category: Health}", "`category` is one of national_id, tax"),
        ("{name: N, supported_entity: N1, deny_list: [x], category: [health]}", "`category` is one of national_id"),
        ("{name: N, supported_entity: N1, deny_list: [x], label: Top Secret}", "`label` is a word of small letters"),
        ("{name: N, supported_entity: N1, deny_list: [x], jurisdiction: EU}", "`jurisdiction` is an ISO 3166-1"),
        ("{name: N, supported_entity: N1, deny_list: [x], country_code: zz}", "`country_code` is an ISO 3166-1"),
        ("{name: CreditCardRecognizer, type: predefined, category: card}", "`category` is what the catalogue says"),
        (
            "{name: A, class_name: UsSsnRecognizer, type: predefined, supported_entity: STAFF}",
            "`supported_entity` is what the catalogue says",
        ),
        ("{name: UsSsnRecognizer, type: predefined, context: [badge]}", "`context` is what the catalogue says"),
        ("{name: UsSsnRecognizer, context: [badge]}", "`context` is what the catalogue says"),
        ("{name: UsSsnRecognizer, type: predefined, deny_list: [a]}", "`deny_list` is what the catalogue says"),
        ("{name: A, supported_entity: ZIP, score_thresholds: {default: 0.4}}", "`score_thresholds` is not kept here"),
        ("{name: N, class_name: Badge}", "`class_name` of a custom recogniser is a class as `module:Class`"),
        ("{name: N, class_name: 'a:B', deny_list: [x]}", "`deny_list` is said by the class itself"),
    ],
)
def test_a_bad_statement_names_line_and_recogniser(text: str, message: str) -> None:
    """A statement that would be ignored or misread is an error of the configuration."""
    with pytest.raises(ConfigInvalid) as raised:
        read(f"recognizers:\n  - {text}")

    assert message in str(raised.value)
    assert str(raised.value).startswith("own.yaml:2: recognizer ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {name: [a], type: predefined}", "recognizer `recognizer 0`: `name` is a text"),
        ("- {class_name: [a], type: predefined}", "recognizer `recognizer 0`: `['a']` is none of"),
        (
            "- {name: N, type: typo, supported_entity: N1, deny_list: [x]}",
            "recognizer `N`: `type` is custom or predefined",
        ),
        (
            "- {name: N, type: [x], supported_entity: N1, deny_list: [x]}",
            "recognizer `N`: `type` is custom or predefined",
        ),
        ("- {name: N, enabled: 'false', supported_entity: N1, deny_list: [x]}", "recognizer `N`: `enabled` is true"),
        ("- {name: N, enabled: 0, supported_entity: N1, deny_list: [x]}", "recognizer `N`: `enabled` is true or false"),
    ],
)
def test_a_setting_of_another_kind_is_refused(text: str, message: str) -> None:
    """Neither a traceback nor a setting that is passed over."""
    with pytest.raises(ConfigInvalid) as raised:
        read(f"recognizers:\n  {text}")

    assert str(raised.value).startswith(f"own.yaml:2: {message}")


@pytest.mark.parametrize("countries", ["us", "[1, de]", "{us: de}", "[[us]]"])
def test_countries_are_a_list_of_codes(countries: str) -> None:
    """Or nothing would be left out."""
    with pytest.raises(ConfigInvalid) as raised:
        read(f"recognizers: []\nsupported_countries: {countries}")

    assert "own.yaml:2: `supported_countries` is a list of codes" == str(raised.value)


@pytest.mark.parametrize(
    "expression",
    [
        r"EMP[[:digit:]]{6}", r"(?:SECRET){e<=1}", r"SECRET{i}", r"A{2", r"A{ 2}", "A{\uff12}", r"[[a-z]&&[aeiou]]{3}x",
        r"[a-z--[aeiou]]{3}x", r"[a||b]cc", r"[a~~b]cc", r"(?V1)abc", r"(?|(?:a)|(?:b))c", r"\p{L}{3}x", r"[\p{L}]cc",
        r"\N{DIGIT ONE}x", r"[\xe9]xx", r"[\x41]xx", r"(?>ab)c", r"(*FAIL)ab", r"(?r)abc", r"\Kabc", r"\mabc", r"(a)\1b",
        "Projekt\uff08[0-9]{4}\uff09", "A[é-ü]{2}", "A[a-é]x", "[^é]x", "A[\uff41-\uff5a]{2}", "[ﬁ]x", "ﬁ+x", "a﹛2﹜b", "a\uff0bb", "[a\uff0dz]b", "a\\éb",
        r"Kunde \w{2,30}", r"AB[\w.]{3}", r"AB\W[0-9]{3}", r"[^a-z]K[0-9]{3}", r"AB[^\w]1", r"[^\dX]AB",
    ],
)  # fmt: skip
def test_an_expression_that_would_read_otherwise_is_left_to_regex(expression: str) -> None:
    """What `regex` alone knows, and characters that would become syntax when they are folded."""
    own = read(
        f"recognizers: [{{name: N, supported_entity: N1, patterns: [{{name: a, regex: {json.dumps(expression)}, score: 1}}]}}]"
    )

    assert ((), (expression,)) == (own.rules, tuple(each.expression for each in own.patterns))


@pytest.mark.parametrize(
    ("expression", "folded"),
    [
        (r"(?<!\w)EMP[0-9]{6}(?!\d)", r"(?<![0-9A-Z_a-z\x80-\xff])EMP[0-9]{6}(?![0-9])"),
        ("Akte Ü[äöü]-[0-9]{2,4}", "Akte U[aou]-[0-9]{2,4}"),
        (r"REF [^ ,]{4}", r"REF [^ ,]{4}"),
        (r"AB[\d\-\]]{2,3}C?", r"AB[\d\-\]]{2,3}C?"),
        ("e\u0301tat [0-9]{3}", "etat [0-9]{3}"),
        ("AB{,2}C?+[0-9]{3}+", "AB{,2}C?+[0-9]{3}+"),
    ],
)
def test_an_expression_that_reads_alike_becomes_a_rule(expression: str, folded: str) -> None:
    """Over the text without its marks; what both dialects write alike stays as it is."""
    own = read(
        f"recognizers: [{{name: N, supported_entity: N1, patterns: [{{name: a, regex: {json.dumps(expression)}, score: 1}}]}}]"
    )

    assert [(folded,)] == [rule.expressions for rule in own.rules]


# --- what is made of it --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> OwnRecognizers:
    file = tmp_path_factory.mktemp("own") / "own.yaml"
    file.write_text(STATED)
    return load_own([str(file)])


@pytest.fixture(scope="module")
def detector(own: OwnRecognizers) -> Iterator[ExtendedDetector]:
    compiled = compile_rules(own.rules, portable=True)
    made = extended(PatternDetector(reader=Reader(compiled=compiled)), own)
    assert isinstance(made, ExtendedDetector)
    yield made
    made.close()


async def test_labels_and_jurisdictions_come_from_what_operators_state(detector: ExtendedDetector) -> None:
    """Of a rule and of a pattern in the child process alike, with or without an event loop."""
    texts = segments("see PAT-123456", "第3病房 入院")

    found = await detector.detect(texts, deadline_ms=30_000)

    assert (Label(name="health", permille=900), Label(name="ward", permille=1000)) == found.labels
    assert (
        Jurisdiction(code="CH", permille=520, evidence=("PATIENT_NUMBER",)),
        Jurisdiction(code="GB", permille=900, evidence=("WARD",)),
    ) == found.jurisdictions
    assert [Category.HEALTH, Category.HEALTH] == [each.category for each in found.findings]
    assert found == detector.detect_now(texts, deadline_ms=30_000)


async def test_a_label_of_a_rule_needs_no_child_process(own: OwnRecognizers) -> None:
    """Only rules with a label: nothing is started, the label is there all the same."""
    rules = replace(own, patterns=())
    made = extended(PatternDetector(reader=Reader(compiled=compile_rules(own.rules, portable=True))), rules)

    found = await made.detect(segments("PAT-123456"), deadline_ms=30_000)
    assert isinstance(made, ExtendedDetector)
    made.close()

    assert (Label(name="health", permille=900),) == found.labels
    assert ["patterns"] == [run.id for run in found.detectors]


BADGE = """
class EntityRecognizer:
    supported_language, context, name, version = "en", (), "Badge", "1"
    supported_entities = ["BADGE", "CREDIT_CARD"]


class Result:
    recognition_metadata = None

    def __init__(self, entity_type, start, end):
        self.entity_type, self.start, self.end, self.score = entity_type, start, end, 0.8


class Badge(EntityRecognizer):
    def analyze(self, text, entities, nlp_artifacts):
        return [Result("BADGE", 0, 6), Result("CREDIT_CARD", 7, 9)]
"""


@pytest.mark.parametrize(
    ("entry", "expected", "labels"),
    [
        (
            "class_name: 'own_badge:Badge', category: company, label: badge, jurisdiction: se",
            [(Category.COMPANY, "SE"), (Category.COMPANY, "SE")],
            (Label(name="badge", permille=800),),
        ),
        (
            "class_name: 'own_badge:Badge'",
            [(Category.PERSONAL, None), (Category.CARD, None)],
            (Label(name="financial", permille=800),),
        ),
    ],
)
async def test_a_class_of_an_entry_means_what_the_entry_says(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    entry: str,
    expected: list[tuple[Category, str | None]],
    labels: tuple[Label, ...],
) -> None:
    """Through the child process; without a word of it, what the catalogue says of each entity."""
    (tmp_path / "own_badge.py").write_text(BADGE)
    (tmp_path / "own.yaml").write_text(f"recognizers: [{{name: B, {entry}}}]")
    monkeypatch.syspath_prepend(str(tmp_path))
    base = FakeDetector(detection=Detection(status=DetectionStatus.COMPLETE))
    made = extended(base, load_own([str(tmp_path / "own.yaml")]))

    found = await made.detect(segments("B-1234 42"), deadline_ms=60_000)
    assert isinstance(made, ExtendedDetector)
    made.close()

    assert (expected, labels) == ([(each.category, each.country) for each in found.findings], found.labels)


async def test_what_loses_to_a_stronger_finding_says_nothing() -> None:
    """A label and a country count for findings that are reported."""
    base = Detection(
        status=DetectionStatus.COMPLETE,
        findings=(replace(finding("IBAN_CODE", 0, 9, detector="family.iban"), validated=True),),
    )
    meant = Meaning(label="shelf", country="FR")
    made = ExtendedDetector(FakeDetector(detection=base), FakeFinder(finding("SHELF", 0, 9)), stated=[meant])

    found = await made.detect(segments("123456789"), deadline_ms=10_000)
    made.close()

    assert (base.findings, (), ()) == (found.findings, found.labels, found.jurisdictions)


async def test_what_is_found_beside_the_rules_takes_nothing_from_values_over_two_segments() -> None:
    """Digits that end a telephone number of the segment before do not stand for the address that begins with them."""
    address = finding("STREET_ADDRESS", 0, 14, detector="family.address")
    part = replace(finding("PHONE_NUMBER", 0, 2, detector="family.phone"), validated=True, via="joined")
    base = Detection(status=DetectionStatus.COMPLETE, findings=(part, address))
    made = ExtendedDetector(FakeDetector(detection=base), FakeFinder(finding("SHELF", 16, 20)))

    found = await made.detect(segments("12 High Street, B-17"), deadline_ms=10_000)
    made.close()

    assert [part, address] == [each for each in found.findings if each.entity_type != "SHELF"]


async def test_recognisers_of_one_name_are_told_apart_by_their_entities() -> None:
    """Each pattern's statement holds for its own entity; a class's for all that it finds."""
    found = (finding("ONE", 0, 2), finding("TWO", 3, 5), finding("THREE", 6, 8, detector="own:B", country="SE"))
    stated = [
        Meaning(entity="ONE", category=Category.BANK, label="one", country="FR"),
        Meaning(category=Category.COMPANY),
    ]
    made = ExtendedDetector(
        FakeDetector(detection=Detection(status=DetectionStatus.COMPLETE)), FakeFinder(*found), stated=stated
    )

    detection = await made.detect(segments("12345678"), deadline_ms=10_000)
    made.close()

    assert [(Category.BANK, "FR"), (Category.PERSONAL, None), (Category.COMPANY, "SE")] == [
        (each.category, each.country) for each in detection.findings
    ]
    assert (Label(name="financial", permille=800), Label(name="one", permille=800)) == detection.labels


def test_evidence_beside_the_rules_joins_what_they_say() -> None:
    """As independent doubts; the same kind counts once; below the floor nothing is reported; order is by code."""
    known = (Jurisdiction(code="DE", permille=900, evidence=("IBAN_CODE",)),)
    weak = replace(finding("OWN", 0, 1, country="AT"), permille=300)
    added = [finding("OWN", 0, 1, country="DE"), finding("IBAN_CODE", 2, 3, country="DE"), weak]

    assert (Jurisdiction(code="DE", permille=950, evidence=("IBAN_CODE", "OWN")),) == reinforced(known, added)


def test_what_an_operator_states_is_not_given_to_another_country() -> None:
    """A name shared with the catalogue does not move it to a country that other evidence supports."""
    rules = load_rules()
    shared = next(rule for rule in rules if rule.id in sharers(rules))

    assert {} == sharers([replace(shared, id="own.a_0"), replace(shared, id="own.b_1", country="XK")])


# --- in a scan -----------------------------------------------------------------------------------------------------


def scanned(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's rules without the catalogue, which takes seconds to compile with them."""
    monkeypatch.setattr(scan, "load_compiled", lambda *, more=(): compile_rules(more, portable=True))


def test_a_scan_finds_what_one_s_own_recognisers_find(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rules and what runs beside them, by place, named as the operator named them."""
    file, text = tmp_path / "own.yaml", tmp_path / "a.txt"
    file.write_text(STATED)
    text.write_text("see PAT-123456\n第3病房 入院\n")

    code = scan_command(
        [str(text), str(text)], ScanOptions(as_json=True, classifiers=Classifiers(recognizers=(str(file),)))
    )

    first = scanned(capsys)[0]
    assert isinstance(first["findings"], list)
    keys = ("entity_type", "detector", "country", "name", "why", "line")
    assert 0 == code
    assert [
        ("PATIENT_NUMBER", "own.patients_0", "CH", "Patients", "own", 1),
        ("WARD", "own:Ward", "GB", "Ward", "checked", 2),
    ] == [tuple(each[key] for key in keys) for each in first["findings"]]
    assert [{"label": "health", "score": 0.9}, {"label": "ward", "score": 1.0}] == first["sensitivity"]


def test_entities_of_one_s_own_can_be_asked_for(small: None, tmp_path: Path) -> None:
    """One that nothing finds is still wrong use."""
    file, text = tmp_path / "own.yaml", tmp_path / "a.txt"
    file.write_text(STATED)
    text.write_text("see PAT-123456\n第3病房 入院\n")

    asked = ScanOptions(classifiers=Classifiers(recognizers=(str(file),)), entities=["WARD"], fail_on=scan.FailOn.ANY)
    assert 3 == scan_command([str(text)], asked)
    with pytest.raises(ConfigInvalid, match="no rule finds `WARDEN`"):
        scan_command([str(text)], replace(asked, entities=["WARDEN"]))


def test_a_bad_recogniser_ends_a_scan_before_it_begins(tmp_path: Path) -> None:
    """Wrong set-up, not a scan with fewer recognisers."""
    text = tmp_path / "a.txt"
    text.write_text("nothing")

    with pytest.raises(ConfigInvalid, match="is neither a"):
        scan_command([str(text)], ScanOptions(classifiers=Classifiers(recognizers=("os.system",))))


def test_the_command_takes_recognisers_from_the_configuration(small: None, tmp_path: Path) -> None:
    """`-c` names the file that `ringfence up` runs with; recognisers lie beside it."""
    (tmp_path / "own.yaml").write_text(STATED)
    config, text = tmp_path / "ringfence.yaml", tmp_path / "a.txt"
    config.write_text(CONFIG)
    text.write_text("see PAT-123456 第3病房, call 044 668 18 00\n")

    shown = CliRunner().invoke(app, ["scan", str(text), "--json", "--format", "text", "-c", str(config)])

    answer = json.loads(shown.stdout)
    assert (0, ["PATIENT_NUMBER", "WARD"]) == (
        shown.exit_code,
        [each["entity_type"] for each in answer["findings"]][:2],
    )


CONFIG = """
origin: {jurisdiction: CH}
classifiers: {recognizers: [own.yaml]}
nodes:
  - id: gpu-1
    address: 10.0.0.5:8000
    country: DE
    region: eu-central
    tier: on_prem
    models: [llama3]
"""


# --- telephone numbers ---------------------------------------------------------------------------------------------


def test_the_caller_s_country_comes_before_the_usual_regions() -> None:
    """Once, and no word that is no country."""
    assert ("CH", *DEFAULT_REGIONS) == regions_in_play(("CH",), DEFAULT_REGIONS)
    assert ("FR", "US", "GB", "DE") == regions_in_play(("FR",), DEFAULT_REGIONS)
    assert DEFAULT_REGIONS == regions_in_play(("unknown", "EU"), DEFAULT_REGIONS)


def test_national_numbers_are_read_for_the_country_in_play() -> None:
    """The same text is another one elsewhere, and no cache mistakes one for the other: the version says which."""
    compiled = replace(compile_rules([], portable=True), phones=phone_table())
    readers = [
        Reader(compiled=compiled, regions=regions_in_play(countries, DEFAULT_REGIONS)) for countries in ((), ("CH",))
    ]
    found = [
        PatternDetector(reader=each).detect_now(segments("Telefon 044 668 18 00"), deadline_ms=30_000)
        for each in readers
    ]

    assert [[None], ["CH"]] == [[each.country for each in detection.findings] for detection in found]
    assert readers[0].version != readers[1].version

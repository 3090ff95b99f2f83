"""spaCy pipelines of the operator's, in the child process: what they find, what they cannot be, and their end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import spacy
import spacy.about
from hypothesis import given
from hypothesis import strategies as st
from spacy.training import Example

from classifiers import spacy_pipeline
from classifiers.entity_names import MODEL_CATEGORIES, entity_of
from classifiers.extra import ExtendedDetector, extended, load_own
from classifiers.model.manifest import TYPES
from classifiers.recognizer_client import RecognizerClient
from classifiers.registry_file import category_of
from classifiers.spacy_pipeline import CHUNK_CHARS, RUN_CHARS, chunks
from governance.errors import ConfigInvalid
from governance.finding import Category, Detection, DetectionStatus
from governance.segment import Role, TextSegment
from governance.sensitive import SensitiveText
from tests.fakes import FakeDetector

PATTERNS = [
    {"label": "PER", "pattern": "Tomasz Kowalski"},
    {"label": "GPE", "pattern": "Berlin"},
    {"label": "ORG", "pattern": "Acme"},
    {"label": "DISEASE", "pattern": "asthma"},
    {"label": "MISC", "pattern": "Oktoberfest"},
]
TEXT = "Tomasz Kowalski of Acme in Berlin has asthma since the Oktoberfest."

# As `spacy package` writes it, with a tokenizer that never ends on one word.
PACKAGE = """
from pathlib import Path

from spacy.util import load_model_from_path


def load(**overrides):
    pipeline = load_model_from_path(Path(__file__).parent / "data", **overrides)
    usual = pipeline.tokenizer

    def tokenizer(text):
        while "runaway" in text:
            pass
        if "broken" in text:
            raise ValueError(text)
        return usual(text)

    pipeline.tokenizer = tokenizer
    return pipeline
"""


def pipeline(directory: Path, *, name: str = "ner", patterns: list[dict[str, str]] | None = None) -> Path:
    """`directory` with a pipeline whose component `name` finds `patterns`."""
    made = spacy.blank("en", meta={"name": "tiny", "version": "2.1.0"})
    ruler = made.add_pipe("entity_ruler", name=name)
    ruler.add_patterns(PATTERNS if patterns is None else patterns)  # type: ignore[attr-defined]
    made.to_disk(directory)
    return directory


def install(directory: Path, name: str = "en_tiny") -> None:
    """A package with a pipeline, as pip leaves it."""
    package = directory / name
    package.mkdir()
    (package / "__init__.py").write_text(PACKAGE)
    pipeline(package / "data")
    about = directory / f"{name}-2.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1.0\n")


def client(*entries: str) -> RecognizerClient:
    return RecognizerClient(patterns=(), classes=entries, floor_permille=350)


def segments(*texts: str) -> list[TextSegment]:
    return [TextSegment(role=Role.USER, place="/messages/*/content", text=SensitiveText(text)) for text in texts]


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExtendedDetector]:
    """An installed pipeline beside a detector that finds nothing."""
    site = tmp_path_factory.mktemp("site")
    install(site)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(site))
        base = FakeDetector(detection=Detection(status=DetectionStatus.COMPLETE))
        made = extended(base, load_own(["spacy:en_tiny"]))
        assert isinstance(made, ExtendedDetector)
        yield made
        made.close()


# --- what is found -------------------------------------------------------------------------------------------------


async def test_a_pipeline_finds_what_its_labels_stand_for(detector: ExtendedDetector) -> None:
    """By our names, with the categories of a model's findings; a label that is nobody's data is left out."""
    found = await detector.detect(segments("nothing", TEXT), deadline_ms=60_000)

    assert [
        (1, "PERSON", "Tomasz Kowalski", Category.PERSONAL),
        (1, "ORGANIZATION", "Acme", Category.COMPANY),
        (1, "LOCATION", "Berlin", Category.ADDRESS),
        (1, "MEDICAL", "asthma", Category.HEALTH),
    ] == [
        (each.segment, each.entity_type, TEXT[each.span.start : each.span.end], each.category)
        for each in found.findings
    ]
    assert {("spacy:en_tiny", 850, False)} == {
        (each.detector, each.permille, each.validated) for each in found.findings
    }
    assert [("spacy:en_tiny", f"2.1.0+spacy-{spacy.about.__version__}", DetectionStatus.COMPLETE)] == [
        (run.id, run.version, run.status) for run in found.detectors
    ]


async def test_offsets_are_those_of_the_whole_text(detector: ExtendedDetector) -> None:
    """Beyond the first chunk, behind characters of two code units, and with half of one that JSON can spell."""
    text = "\U0001f600 \ud800 " + "so it goes. " * 900 + TEXT

    found = await detector.detect(segments(text), deadline_ms=60_000)

    assert ["Tomasz Kowalski", "Acme", "Berlin", "asthma"] == [
        text[each.span.start : each.span.end] for each in found.findings
    ]


async def test_what_would_take_the_tokenizer_minutes_is_read_in_pieces(detector: ExtendedDetector) -> None:
    """Ten thousand marks in a row, half of them with letters, and a name behind them."""
    text = "(" * 5_000 + "x" + "'s" * 2_500 + " " + TEXT

    found = await detector.detect(segments(text), deadline_ms=60_000)

    assert (DetectionStatus.COMPLETE, "PERSON") == (found.status, found.findings[0].entity_type)


async def test_a_pipeline_that_fails_leaves_the_text_uninspected(detector: ExtendedDetector) -> None:
    """Its exception quotes the text, and nothing of it is told."""
    found = await detector.detect(segments("a broken text"), deadline_ms=60_000)

    assert (DetectionStatus.PARTIAL, ()) == (found.status, found.findings)


async def test_a_runaway_tokenizer_ends_at_the_deadline(detector: ExtendedDetector) -> None:
    """The child is killed, and its successor reads the next text."""
    hung = await detector.detect(segments("a runaway text"), deadline_ms=300)
    found = await detector.detect(segments(f"again: {TEXT}"), deadline_ms=60_000)

    assert (DetectionStatus.TIMEOUT, ()) == (hung.status, hung.findings)
    assert (DetectionStatus.COMPLETE, 4) == (found.status, len(found.findings))


def test_a_trained_component_is_read_from_its_directory(tmp_path: Path) -> None:
    """A pipeline that lies in a directory, with weights of its own; what `ner` does not look at is not run."""
    made = spacy.blank("en", meta={"name": "trained", "version": "1.0"})
    made.add_pipe("textcat_multilabel").add_label("a")  # type: ignore[attr-defined]
    made.add_pipe("ner")
    texts = [("Anna went home", (0, 4)), ("then Anna slept", (5, 9)), ("we saw Anna again", (7, 11))]
    examples = [
        Example.from_dict(made.make_doc(text), {"entities": [(*span, "PERSON")], "cats": {"a": 1.0}})
        for text, span in texts
    ]
    optimizer = made.initialize(lambda: examples)
    for _ in range(30):
        made.update(examples, sgd=optimizer)
    made.to_disk(tmp_path / "p")
    used = client(f"spacy:{tmp_path / 'p'}")

    extra = used.find("then Anna slept", deadline=time.monotonic() + 60)
    used.close()

    assert [("PERSON", 5, 9, "spacy:en_trained")] == [
        (each.entity_type, each.span.start, each.span.end, each.detector) for each in extra.findings
    ]


def test_nothing_of_a_text_stays_in_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """spaCy keeps every word that it ever read, unless it is told otherwise."""
    made = spacy.blank("en", meta={"name": "tiny", "version": "1"})
    made.add_pipe("entity_ruler", name="ner").add_patterns(PATTERNS)  # type: ignore[attr-defined]
    monkeypatch.setattr(spacy, "load", lambda _: made)
    search, _ = spacy_pipeline.load("spacy:tiny")

    found = list(search("Quizzaciously in Berlin", time.monotonic() + 60))

    assert [("LOCATION", 17, 23, 850, None)] == found
    assert "Quizzaciously" not in made.vocab.strings


def test_what_ner_does_not_look_at_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a component of somebody's own may look at it."""
    made = spacy.blank("en", meta={"name": "tiny", "version": "1"})
    made.add_pipe("ner").add_label("PER")  # type: ignore[attr-defined]
    made.add_pipe("tagger")
    monkeypatch.setattr(spacy, "load", lambda _: made)

    spacy_pipeline.load("spacy:tiny")
    alone = list(made.pipe_names)
    made.enable_pipe("tagger")
    made.add_pipe("entity_ruler")
    spacy_pipeline.load("spacy:tiny")

    assert (["ner"], ["ner", "tagger", "entity_ruler"]) == (alone, made.pipe_names)


def test_an_entry_of_a_registry_file_says_what_its_findings_mean(tmp_path: Path) -> None:
    """A pipeline stands there where a class may."""
    file = tmp_path / "own.yaml"
    file.write_text("recognizers: [{name: N, class_name: 'spacy:en_nowhere', category: health}]")

    with pytest.raises(ConfigInvalid, match="`spacy:en_nowhere`: the pipeline is not installed"):
        load_own([str(file)])


# --- what cannot be used -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("spacy:en_core_web_zz", "the pipeline is not installed: `pip install` the package `en_core_web_zz`"),
        ("spacy:", "is followed by the name of an installed pipeline"),
        ("spacy:../../etc", "is followed by the name of an installed pipeline"),
        ("spacy:/nowhere", "no pipeline of spaCy lies there: it has no config.cfg"),
    ],
)
def test_an_entry_without_a_pipeline_is_told_before_anything_starts(entry: str, message: str) -> None:
    """Setting and entry are named, and what to do."""
    with pytest.raises(ConfigInvalid) as raised:
        load_own([entry])

    assert str(raised.value).startswith(f"`classifiers.recognizers`: `{entry}`: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "patterns", "message"),
    [
        ("rules", None, "it has no component `ner` (its components: rules)"),
        ("ner", [{"label": "MONEY", "pattern": "x"}], "no label of its `ner` stands for an entity that is known (its labels: MONEY)"),
    ],
)  # fmt: skip
def test_a_pipeline_that_can_find_nothing_is_refused(
    tmp_path: Path, name: str, patterns: list[dict[str, str]] | None, message: str
) -> None:
    """It would look like one that finds nothing in the text."""
    entry = f"spacy:{pipeline(tmp_path / 'p', name=name, patterns=patterns)}"

    with pytest.raises(ConfigInvalid) as raised:
        client(entry)

    assert f"recogniser `{entry}` cannot be loaded" in str(raised.value)
    assert message in str(raised.value)


# --- the parts -----------------------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("ab. \n(\u3002\u4eba"), max_size=40).map(lambda text: text * 300))
def test_chunks_cover_the_text_and_have_bounds(text: str) -> None:
    """Nothing is left out or read twice, no chunk is too long, and none holds a run that is."""
    ranges = list(chunks(text))

    assert text == "".join(text[start:end] for start, end in ranges)
    assert all(0 < end - start <= CHUNK_CHARS for start, end in ranges)
    assert all(len(run) <= RUN_CHARS for start, end in ranges for run in text[start:end].split())


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("a b. c\n" * 580 + "d " * 100, 4_060),
        ("ab. cd " * 600, 4_092),
        ("abcd " * 900, 4_095),
        ("人。" + "x" * 150 + "。" + "x" * 200, 153),
        ("x" * 1_000, 256),
        ("word " + "x" * 1_000, 5),
    ],
    ids=["line", "sentence", "word", "mark", "nowhere", "before a run"],
)
def test_a_chunk_ends_where_a_reader_would_pause(text: str, end: int) -> None:
    """Between lines rather than sentences, sentences rather than words; where nothing is, at the limit."""
    assert (0, end) == next(chunks(text))


@pytest.mark.parametrize(
    ("label", "entity"),
    [
        ("PER", "PERSON"),
        ("persName", "PERSON"),
        ("first_name", "PERSON"),
        ("GPE", "LOCATION"),
        ("org", "ORGANIZATION"),
        ("NORP", "NRP"),
        ("TIME", "DATE_TIME"),
        ("ADDRESS", "STREET_ADDRESS"),
        ("EMAIL_ADDRESS", "EMAIL_ADDRESS"),
        ("MISC", None),
        ("MONEY", None),
        ("LABEL_1", None),
        ("", None),
    ],
)
def test_labels_of_others_have_our_names(label: str, entity: str | None) -> None:
    """Without case and marks; what is nobody's data, or not known, has none."""
    assert entity == entity_of(label)


def test_the_table_of_names_agrees_with_everything_else() -> None:
    """Our own types map as our models' do, and every entity is one of them or of the catalogue."""
    ours = {"STREET_ADDRESS" if each == "ADDRESS" else each for each in TYPES}

    assert ours == {entity_of(each) for each in TYPES}
    listed = {entity_of(each) for names in names_in_the_table() for each in names}
    known = {each for each in listed if each is not None and category_of(each) is not Category.PERSONAL}
    assert listed == known | ours | {"PHONE_NUMBER", "DATE_OF_BIRTH"}
    assert all(category_of(entity) is Category.PERSONAL for entity in MODEL_CATEGORIES)


def names_in_the_table() -> list[list[str]]:
    from classifiers import entity_names

    return [names.split() for names in entity_names._NAMES.values()]


def test_reading_the_configuration_does_not_import_spacy() -> None:
    """That takes seconds, in a process that never needs it."""
    assert "spacy" not in vars(spacy_pipeline)

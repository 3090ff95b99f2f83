"""presidio-analyzer as a Subject: its default English recognisers, in this process, on one thread."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any, Final, final

import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine, SpacyNlpEngine

from classifiers.evaluation.detectors import PRESIDIO
from classifiers.evaluation.names import same_name, trimmed
from classifiers.evaluation.scores import Answer, Found
from governance.errors import ConfigInvalid

BLANK: Final = "blank"
NONE: Final = "none"


@final
class PresidioSubject:
    """An AnalyzerEngine with a blank spaCy pipeline (context words, but no names), no pipeline, or an installed model.

    Every text is analysed as English, the only language its default recognisers are for. Scores are as it gives them, with
    no threshold, which is its default. It has no topics, and no deadline.
    """

    def __init__(self, model: str | None = None) -> None:
        """`model` is `blank`, `none`, or the name of an installed spaCy pipeline. Raises ConfigInvalid where it is not."""
        # The bundled suffix list, so that nothing is fetched in the middle of a measurement.
        tldextract.extract = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())
        chosen = model or BLANK
        self.name = PRESIDIO
        self.has_topics = False
        self.about = f"presidio-analyzer {importlib.metadata.version('presidio-analyzer')}, {_nlp_version(chosen)}"
        self._engine = AnalyzerEngine(nlp_engine=nlp_engine(chosen), supported_languages=["en"])

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """A text that it fails on has an empty answer that is not complete."""
        return [self._answer(text) for text in texts]

    def close(self) -> None:
        """Nothing was started."""

    def _answer(self, text: str) -> Answer:
        try:
            results = self._engine.analyze(text, language="en")
        except Exception:  # noqa: BLE001 - whatever fails in a recogniser is a text not read
            return Answer(topics={}, complete=False)
        found = []
        for each in results:
            kind = same_name(each.entity_type)
            start, end = trimmed(text, each.start, each.end, kind)
            found.append(Found(start=start, end=end, kind=kind, permille=round(1000 * each.score)))
        return Answer(found=tuple(found), topics={})


def _nlp_version(model: str) -> str:
    return {BLANK: "blank spaCy (finds no names)", NONE: "no NLP engine (finds no names)"}.get(model, f"spaCy {model}")


def nlp_engine(model: str) -> Any:
    """Presidio's NLP engine for English over `model`: BLANK, NONE, or a pipeline that is installed. Raises ConfigInvalid."""
    if model == NONE:
        return _NoNlp()
    if model == BLANK:
        engine = SpacyNlpEngine()
        engine.nlp = {"en": spacy.blank("en")}
        return engine
    # Asked first: Presidio would fetch a model that is not there.
    if not spacy.util.is_package(model):
        installed = ", ".join((BLANK, NONE, *spacy.util.get_installed_models()))
        raise ConfigInvalid(f"no spaCy model `{model}` is installed; there are: {installed}")
    engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": model}])
    engine.load()
    return engine


class _NoNlp(NlpEngine):  # type: ignore[misc]  # Presidio has no types
    """Finds no tokens."""

    def __init__(self) -> None:
        self._nothing = spacy.blank("en")("")

    def load(self) -> None: ...
    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> Any:  # noqa: ARG002
        return NlpArtifacts([], self._nothing, [], [], self, language)

    def process_batch(self, texts: Any, language: str, **_: Any) -> Any:
        return ((text, self.process_text(text, language)) for text in texts)

    def is_stopword(self, word: str, language: str) -> bool:  # noqa: ARG002
        return False

    def is_punct(self, word: str, language: str) -> bool:  # noqa: ARG002
        return False

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]

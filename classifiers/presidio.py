"""Ringfence's rules as a recogniser for Presidio's AnalyzerEngine. The one module that imports Presidio.

    registry = RecognizerRegistry(recognizers=[RingfenceAnalyzer()])

An engine takes it as it is, or `registry.add_recognizer` adds it to others. (An empty registry is filled by Presidio.)

Importing it imports spaCy, which takes seconds: nothing of the path does.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, final

from presidio_analyzer.analysis_explanation import AnalysisExplanation
from presidio_analyzer.entity_recognizer import EntityRecognizer
from presidio_analyzer.recognizer_result import RecognizerResult

from classifiers.explanation import explained
from classifiers.query import RuleQuery, deadline_in
from classifiers.rules import CONTEXT_FLOOR
from governance.errors import ConfigInvalid
from governance.finding import Finding

DEADLINE_MS = 2_000


@final
class RingfenceAnalyzer(EntityRecognizer):  # type: ignore[misc]  # Presidio is not typed
    """Everything in the catalogue, or `entities` of it, in one recogniser.

    The rules know no language: give `supported_language` for each language of the engine one instance, and all of them
    the same `query`, so that the rules are loaded once. Context words and overlaps are settled before Presidio sees the
    results, so that its own context enhancer has nothing to add. Below `floor` (0 to 1) nothing is reported.
    """

    def __init__(
        self,
        *,
        entities: Collection[str] | None = None,
        supported_language: str = "en",
        floor: float = CONTEXT_FLOOR / 1000,
        deadline_ms: int = DEADLINE_MS,
        query: RuleQuery | None = None,
    ) -> None:
        self._query = query or RuleQuery()
        self._floor = round(floor * 1000)
        self._deadline_ms = deadline_ms
        if unknown := sorted(set(entities or ()) - set(self._query.entities)):
            raise ConfigInvalid(f"no rule finds `{unknown[0]}`")
        super().__init__(
            supported_entities=sorted(self._query.entities if entities is None else entities),
            name="RingfenceAnalyzer",
            supported_language=supported_language,
            version=self._query.version,
        )

    def load(self) -> None:
        """Nothing: the rules are loaded when the recogniser is made."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:  # noqa: ARG002
        """Results for `entities` (all where empty), offsets in code points. Needs no artifacts of an NLP engine.

        Raises DetectorUnavailable when the text could not be read to its end.
        """
        wanted = set(self.supported_entities).intersection(entities or self.supported_entities)
        found = self._query.find(
            text, deadline=deadline_in(self._deadline_ms), entities=wanted, floor_permille=self._floor
        )
        return [self._result(finding) for finding in found]

    def _result(self, finding: Finding) -> RecognizerResult:
        score = finding.permille / 1000
        return RecognizerResult(
            entity_type=finding.entity_type,
            start=finding.span.start,
            end=finding.span.end,
            score=score,
            analysis_explanation=AnalysisExplanation(
                recognizer=self.name,
                original_score=score,
                pattern_name=finding.detector,
                validation_result=finding.validated or None,
                textual_explanation=explained(finding),
            ),
            recognition_metadata={
                RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
                RecognizerResult.IS_SCORE_ENHANCED_BY_CONTEXT_KEY: True,
                "country": finding.country,
                "via": finding.via,
            },
        )

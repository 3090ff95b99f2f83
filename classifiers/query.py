"""One question to the rules, and to a model beside them: what of these entities does a text hold, from this score upwards?"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, final

from classifiers.compiled import PHONE, CompiledRules, load_compiled
from classifiers.meter import PATIENCE, Exhausted, Meter
from classifiers.overlap import Claim, settle
from classifiers.reading import Reader
from classifiers.rules import CONTEXT_FLOOR, STRONG_PERMILLE
from governance.errors import DetectorUnavailable
from governance.finding import DetectionStatus, Finding
from governance.segment import Role, TextSegment
from governance.sensitive import SensitiveText

if TYPE_CHECKING:
    from classifiers.model.detector import ModelDetector

# Where Presidio's PhoneRecognizer looks for telephone numbers unless it is told otherwise.
PRESIDIOS_REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR")

# Callers ask for the same few sets of entities again and again.
_READERS = 32


@final
class RuleQuery:
    """Asks the rules, and `model` where there is one, as Presidio is asked: by entity and by score. Safe between threads.

    Entities that are not asked for do not win over those that are: the overlap rule sees the chosen ones only.
    """

    def __init__(
        self,
        *,
        compiled: CompiledRules | None = None,
        regions: tuple[str, ...] = PRESIDIOS_REGIONS,
        model: ModelDetector | None = None,
    ) -> None:
        self.compiled = compiled or load_compiled()
        self._regions = regions
        self._usual = Reader(compiled=self.compiled, regions=regions)
        self._reader = lru_cache(maxsize=_READERS)(self._made)
        phone = () if self.compiled.phones is None else (PHONE,)
        self._model = model
        found = model.entities if model is not None else ()
        self.entities = tuple(sorted({rule.entity for rule in self.compiled.rules}.union(phone, found)))

    @property
    def version(self) -> str:
        """Names the rules."""
        return self._usual.version

    def find(
        self,
        text: str,
        *,
        deadline: float,
        entities: Collection[str] | None = None,
        floor_permille: int = CONTEXT_FLOOR,
        more: Iterable[Finding] = (),
        context: Collection[str] = (),
    ) -> tuple[Finding, ...]:
        """Findings in `text` of which no two overlap, sorted by start; `more` is settled together with them.

        Words in `context` count as if they stood beside every value. `deadline` is on the clock of `time.monotonic`. Raises DetectorUnavailable when the text was not read to its
        end: half an answer would look like a whole one.
        """
        reader = self._reader(
            None if entities is None else frozenset(entities).intersection(self.entities),
            CONTEXT_FLOOR if floor_permille >= CONTEXT_FLOOR and not context else 0,
        )
        meter = Meter(len(text), deadline=deadline)
        meter.allowance *= PATIENCE
        try:
            claims = reader.candidates(text, meter)
        except Exhausted as stop:
            status = stop.status
        else:
            chosen = [
                claim
                for claim in (*self._boosted(claims, context), *(Claim(finding=finding) for finding in more))
                if claim.finding.permille >= floor_permille
                and (entities is None or claim.finding.entity_type in entities)
            ]
            return self._with_model(settle(chosen), text, deadline, entities, floor_permille)
        raise DetectorUnavailable(f"the text was not read to its end: {status.value}")

    def _with_model(
        self,
        found: tuple[Finding, ...],
        text: str,
        deadline: float,
        entities: Collection[str] | None,
        floor_permille: int,
    ) -> tuple[Finding, ...]:
        """`found`, and of what the model finds that which was asked for."""
        model = self._model
        if model is None or (entities is not None and not model.entities & set(entities)):
            return found
        from classifiers.ensemble import settled  # noqa: PLC0415 - numpy, which only who has a model needs

        segment = TextSegment(role=Role.USER, place="/text", text=SensitiveText(text))
        detection = model.detect_now([segment], deadline_ms=max(0, round((deadline - time.monotonic()) * 1000)))
        if detection.status is not DetectionStatus.COMPLETE:
            raise DetectorUnavailable(f"the text was not read to its end: {detection.status.value}")
        added = [
            each
            for each in detection.findings
            if each.permille >= floor_permille and (entities is None or each.entity_type in entities)
        ]
        return settled(found, added, text) if added else found

    def _made(self, entities: frozenset[str] | None, floor: int) -> Reader:
        """A reader that judges the rules for `entities` alone: at a score of 0 the others would drown them."""
        if entities is None:
            return self._usual if floor else Reader(compiled=self.compiled, regions=self._regions, floor_permille=0)
        # What a checksum owns alone is no telephone number.
        chosen = frozenset(
            number
            for number, rule in enumerate(self.compiled.rules)
            if rule.entity in entities
            or (PHONE in entities and rule.alone >= STRONG_PERMILLE and rule.check is not None)
        )
        compiled = replace(
            self.compiled,
            owners=tuple(tuple(filter(chosen.__contains__, owners)) for owners in self.compiled.owners),
            by_length={
                length: tuple(filter(chosen.__contains__, owners)) for length, owners in self.compiled.by_length.items()
            },
            phones=self.compiled.phones if PHONE in entities else None,
        )
        return Reader(compiled=compiled, regions=self._regions, floor_permille=floor)

    def _boosted(self, claims: Iterable[Claim], context: Collection[str]) -> Iterable[Claim]:
        """`claims`, those of rules with a context word in `context` with the score that it gives."""
        words = sorted({word.casefold() for word in context})
        named = {
            rule.id: rule
            for rule in (self.compiled.rules if words else ())
            if any(_names(phrase, words) for phrase in rule.context)
        }
        for claim in claims:
            rule = named.get(claim.finding.detector)
            if rule is None or claim.finding.beside_word:
                yield claim
            else:
                permille, validated = rule.permille(beside=True), rule.verified(beside=True)
                finding = replace(claim.finding, permille=permille, validated=validated, beside_word=True)
                yield replace(claim, finding=finding)


def _names(phrase: str, words: Sequence[str]) -> bool:
    """Whether `phrase` is one of `words`, which are sorted, or with `*` behind it the beginning of one."""
    stem = phrase.removesuffix("*").casefold()
    at = bisect_left(words, stem)
    return at < len(words) and (words[at].startswith(stem) if phrase.endswith("*") else words[at] == stem)


def deadline_in(milliseconds: int) -> float:
    """`milliseconds` from now, on the clock of `time.monotonic`."""
    return time.monotonic() + milliseconds / 1000

"""What a text is about.

Health is scored by distinct terms: a strong term counts three points, a weak one (words that other trades use as
well) one. A text that speaks of a person scores higher than a general question:

    points      general   about a person
    0 to 2      none      none
    3 to 5      300       700
    6 to 8      450       850
    9 and more  550       950
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final, final

from classifiers.meter import BLOCK, Meter
from governance.finding import Category, Finding, Label

HEALTH: Final = "health"
_GENERAL = (0, 300, 450, 550)
_PERSONAL = (0, 700, 850, 950)
_CATEGORY_LABELS: Mapping[Category, str] = MappingProxyType(
    {
        Category.BANK: "financial",
        Category.CARD: "financial",
        Category.SECURITIES: "financial",
        Category.CRYPTO: "financial",
        Category.CREDENTIAL: "credentials",
    }
)

# Starts of words, casefolded; `$` ends a whole word. English, German, French, Spanish.
_STRONG = """
    abortion$ abtreibung adhs$ adipos allergi alzheim amputat anaemi anämie anemi anorex antibioti
    antidepress aphasi arthrit arthros arthrose asthm autis avortement blutdruck blutzucker brustkrebs
    bulimi cancer$ cancerous cancéreu cáncer carcinom cardiolog cardiopat chemotherap chimiothérap
    cholesterin cholesterol cirrhos cirros colitis crohn$ darmkrebs demenz dementia démence demencia
    dépression$ depresión depressiv depressionen$ diabet diabèt dialys diálisis embarazad embaraz enceinte$ endometrio epilep épilep
    esclerosis fehlgeburt fibromyalg fibrosis$ fibrom glaukom glaucom grossesse haemophil hémophil hemofil hepatit
    hépatit herpes herzinfarkt herzinsuffizienz hiv$ hpv$ hypertens hypertonie hypothyr infarct infarkt
    insulin insulina krankenhaus krankgeschrieben krankschreib krebs$ krebserkrank leukaem leukäm leukem
    leucém lungenkrebs lupus$ lymphom magersucht melanom meningit metastas métastas metástas migraine migräne migrañ
    miscarriag neurodermit neuropath obesity$ oncolog onkolog ostéopor osteopor parkinson pflegegrad
    pneumoni prostatakr psoria psychiat psychother psicoter psiquiát psychos quimioterap radiotherap radiothérap
    rheuma rhumati schizophren schizophrèn schlaganfall schwanger schwerbehinder sclerosis$ sclérose suizid suicidal
    sida$ suchtkrank thrombos trombos thyroid tuberkul tubercul tumeur tumor$ tumoren tumour vih$ zuckerkrank
"""
_WEAK = """
    ansteck arzt$ ärztin ärztlich atteste befund behandlung$ beschwerden blood clinic$ clinical$ clinique chronic
    chronisch chronique crónic cirug depression$ diagnos diagnós dolor$ doctor$ docteur$ douleur dosage$ dosis$
    enfermedad erkrank hospital hôpital hôpitaux infection infektion klinik krank$ krankheit maladie médecin$
    médic medic$ medicine$ medication medikament médicament medicament mutuelle$ nausea neurolog ordonnance$
    paciente patient pregnan$ pregnant prescri rezept$ schmerz surgery surgical surgeon symptom symptôm síntoma
    santé$ therap thérap terapia traitement$ tratamiento untersuchung vaccin vacun impfung
"""
_PERSON = frozenset(
    """
    my mine his her hers he she mr mrs ms patient patients patientin mein meine meinen meinem meiner meines herr frau
    mon ma mes il elle monsieur madame mi mis ella señor señora tengo tiene padezco paciente patiente vater mutter
    sohn tochter wife husband daughter father mother brother sister employee mitarbeiter mitarbeiterin kollegin kollege
    """.split()
)
_FIRST_PERSON = (
    *("i have", "i had", "i am ", "i'm ", "i've", "i was", "i take", "i suffer", "i feel", "i got"),
    *(
        "ich habe",
        "ich hatte",
        "ich bin",
        "ich leide",
        "ich nehme",
        "j'ai",
        "je suis",
        "je prends",
        "je souffre",
    ),
    *("estoy", "sufro"),
)
# Splitting at these is five times as fast as a pattern for words.
_PUNCTUATION = str.maketrans(
    dict.fromkeys("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u00a0«»\u2018\u2019\u201a“”„\u2026\u2013\u2014", " ")
)
_NON_WORD = re.compile(r"\W")
_HEAD = 3


def _by_head() -> Mapping[str, tuple[tuple[str, int], ...]]:
    table: dict[str, tuple[tuple[str, int], ...]] = {}
    for stems, points in ((_STRONG, 3), (_WEAK, 1)):
        for stem in sorted(set(stems.split())):
            table[stem[:_HEAD]] = (*table.get(stem[:_HEAD], ()), (stem, points))
    return MappingProxyType(table)


def _begins(word: str, stem: str) -> bool:
    return word == stem[:-1] if stem[-1] == "$" else word.startswith(stem)


@final
class HealthLexicon:
    """Scores text for health; built once, since the table is."""

    __slots__ = ("_table",)

    def __init__(self) -> None:
        self._table = _by_head()

    def permille(self, text: str, meter: Meter) -> int:
        """The score of `text` by the table above; 0 where it is not about health. Raises Exhausted."""
        terms: set[tuple[str, int]] = set()
        personal = False
        for folded in _blocks(text, meter):
            # Punctuation is looked for in each word once: that takes longer than all the rest.
            words = set(" ".join(set(folded.split())).translate(_PUNCTUATION).split())
            found = self._terms(words)
            if found:
                terms |= found
                personal = personal or _concerns_a_person(words, folded)
        rank = min(3, sum(points for _, points in terms) // 3)
        return (_PERSONAL if personal else _GENERAL)[rank]

    def _terms(self, words: set[str]) -> set[tuple[str, int]]:
        heads = self._table
        likely = [word for word in words if word[:_HEAD] in heads]
        return {term for word in likely for term in heads[word[:_HEAD]] if _begins(word, term[0])}


def _concerns_a_person(words: set[str], folded: str) -> bool:
    plain = folded.replace("\u2019", "'")
    return not words.isdisjoint(_PERSON) or any(part in plain for part in _FIRST_PERSON)


def _blocks(text: str, meter: Meter) -> Iterator[str]:
    """`text` casefolded, in blocks that end between words unless a word is over 64 characters."""
    position = 0
    while position < len(text):
        meter.check_clock()
        limit = min(len(text), position + BLOCK)
        boundary = _NON_WORD.search(text, limit, limit + 64)
        limit = boundary.start() if boundary else limit
        yield text[position:limit].casefold()
        position = limit


def labels(findings: Iterable[Finding], health: int) -> tuple[Label, ...]:
    """Labels with their highest score, sorted by name."""
    named = ((_CATEGORY_LABELS.get(finding.category, ""), finding.permille) for finding in findings)
    return joined([Label(name=HEALTH, permille=health)], (Label(name=name, permille=each) for name, each in named))


def joined(*several: Iterable[Label]) -> tuple[Label, ...]:
    """The labels of `several` with the highest score of each, sorted by name; without what has no name or no score."""
    scores: dict[str, int] = {}
    for label in chain.from_iterable(several):
        if label.name:
            scores[label.name] = max(scores.get(label.name, 0), label.permille)
    return tuple(Label(name=name, permille=scores[name]) for name in sorted(scores) if scores[name])


def about_somebody(labels: Iterable[Label]) -> tuple[Label, ...]:
    """`labels` without a health that no person is spoken of with."""
    return tuple(label for label in labels if label.name != HEALTH or label.permille >= _PERSONAL[1])


def health_stems() -> tuple[str, ...]:
    """The stems of the lexicon, `$` where a whole word ends, sorted."""
    return tuple(sorted({*_STRONG.split(), *_WEAK.split()}))

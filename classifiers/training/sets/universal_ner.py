"""universal-ner: sentences of treebanks in ten languages with persons, places and organisations tagged in IOB2.

`# text =` is the sentence as it was written, and the words are found in it; in the English file that line is itself
tokenised, and is put together. OTH (Croatian, Serbian) is none of ours. The group is the document where the file names
one, else a block of sentences. Dates, ages and nationalities are untagged in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training import guideline, obvious
from classifiers.training.conll import Sentence, entities, sentences
from classifiers.training.detokenise import Joined, aligned, detokenised
from classifiers.training.rows import Row, Span, distinct, tidy

SOURCE: Final = "universal-ner"
LANGUAGES: Final = {
    "da_ddt": "da",
    "en_ewt": "en",
    "hr_set": "hr",
    "nno_norne": "nn",
    "nob_norne": "nb",
    "pt_bosque": "pt",
    "sk_snk": "sk",
    "sr_set": "sr",
    "sv_talbanken": "sv",
    "zh_gsdsimp": "zh",
}

_KINDS: Final = {"PER": "PERSON", "LOC": "LOCATION", "ORG": "ORGANIZATION"}
_BLOCK: Final = 25
_LONG_DOCUMENT: Final = 200
_FIGURE: Final = re.compile(r"\d")
_DAY_OR_MONTH: Final = re.compile(
    r"(?:man|tirs|ons|tors|fre|l\u00f8r|s\u00f8n|m\u00e5n|tis|l\u00f6r|s\u00f6n|laur|sun|tys)da[gn]|segunda"
    r"|ter\u00e7a|quarta|quinta|sexta|s\u00e1bado"
    r"|domingo|ponedje|poned|utor|srije|sred|\u010detvrt|pet(?:ak|ka)|subot|nedjelj|nedelj|pondel|str?ed|\u0161tvrt"
    r"|piat|sobot"
    r"|janu|febru|febr|mart|marts|mar\u00e7o|april|abril|maj|mai|juni|jun|juli|jul|august|agosto|sept|set?emb|okt|out"
    r"|nov|dec|des"
    r"|sije\u010d|velja\u010d|o\u017euj|trav|svib|lip[na]|srp|kolovoz|ruj|listopad|studen|prosin|\u6708|\u65e5|\u5e74"
    r"|\u70b9|\u661f\u671f",
    re.IGNORECASE,
)

_OF_PEOPLE: Final = re.compile(
    r"\b(?:amerik|american|engel|engl|ingl|brit|tysk|njema|nema|nem[e\u010d]|alem|fran[ckz\u010d\u00e7]|fransk"
    r"|dan[se]|dinamar|norsk|norve|norue"
    r"|svensk|\u0161v[ea]|suec|sovj|rus|russ|ital|spa?n|\u0161pan|espanh|srp|srb|s[eé]rvi|hrvat|chorv|croat|bosan"
    r"|bo\u0161n|alban|tur[skc]|tyrk|maked"
    r"|gr\u010d|gr[ea]k|greg|gr[ae]s?k|muslim|mu[s\u00e7]ulm|islam|j\u00f8d|judi|jud[ae]|\u017eid|katol|cat\u00f3l"
    r"|krist|cris|arap|arab|\u00e1rab|afri[ck]|kine|kin[es]"
    r"|\u010d[ií]n|chin|jap|indi[ajskv]|po[l\u013e]|ma\u010far|ma\u0111ar|ungar|h\u00fang|\u010de[s\u0161]|slov[aáe]"
    r"|evrop|europ|e[uú]r\u00f3p|portugu|brasil|israel|izrael|palest"
    r"|finsk|finl|finn|n\u00e9mec|cig[aá]|rom[aáos]|kosov|crnogor|montenegr|isl[aä]nd|holl|neder|belg|sch?wei"
    r"|\u0161vaj|austr|rakú|cuban|kub|mexi[ck]|m[eé]xi)",
    re.IGNORECASE,
)
_OF_PEOPLE_CHINESE: Final = re.compile(r"[\u56fd\u65cf\u88d4\u7c4d]|[\u4eba\u6559](?=\W|$|[\u7684])|\u5f92")
_OF_HEALTH: Final = re.compile(
    r"canc|cânc|kr[aæ]ft|\brak[au]?\b|rakov|diabet|infar|tumor|terap|sy[gk]dom|sjukdom|bole[sť]|chor[oý]|nemoc"
    r"|doen[\u00e7t]|hospital|bolni[cč]"
    r"|klini[ck]|cl[ií]nic|sykehus|sygehus|sjukhus|oper[ae][tcr]|virus|v[ií]rus|medi[ck]|lije[kč]|le[kč]ar|l[aæ][gk]e"
    r"|l\u00e4ka|\bsjuk|syk|syg|alerg|allerg"
    r"|zdrav|h[aä]lsa|helse|sund|sa[uú]d|\u75c5|\u764c|\u75ab|\u836f|\u533b|\u75c7",
    re.IGNORECASE,
)
_CONTRACTIONS: Final = {
    (left, right): stem + right
    for left, stem in (("de", "d"), ("em", "n"))
    for right in "o a os as ele ela eles elas este esta estes estas esse essa esses essas isso isto aquele aquela "
    "aqueles aquelas aquilo um uma".split()
} | {
    ("a", "o"): "ao",
    ("a", "os"): "aos",
    ("a", "a"): "\u00e0",
    ("a", "as"): "\u00e0s",
    ("por", "o"): "pelo",
    ("por", "a"): "pela",
    ("por", "os"): "pelos",
    ("por", "as"): "pelas",
}


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The sentences of every file whose language is known, those whose words are not in their text left out."""
    for file in sorted(directory.glob("*.iob2")):
        treebank = file.name.partition("-ud-")[0]
        if treebank in LANGUAGES:
            yield from _file(file, LANGUAGES[treebank])


def _file(file: Path, language: str) -> Iterator[Row]:
    document, number = "", 0
    with file.open(encoding="utf-8") as lines:
        for number, sentence in enumerate(sentences(lines, word=1, tag=2, comments=True)):
            document = next((note for note in sentence.comments if note.startswith("newdoc id")), document)
            joined = _joined(sentence, language)
            if joined is not None:
                block = number // (_BLOCK if _is_batch(document) else _LONG_DOCUMENT)
                group = f"{SOURCE}/{file.stem}/{document.partition('=')[2].strip()}/{block}"
                yield _row(sentence, joined, group, language)


def _is_batch(document: str) -> bool:
    """Whether `document` names no document, only a part of the annotators' work."""
    return not document or "batch" in document


def _joined(sentence: Sentence, language: str) -> Joined | None:
    if language == "en":
        return detokenised(sentence.words)
    text = next((note for note in sentence.comments if note.startswith("text =")), "").removeprefix("text =").strip()
    return aligned(text, sentence.words)


def _row(sentence: Sentence, joined: Joined, group: str, language: str) -> Row:
    joined, tags = _contracted(joined, sentence.tags) if language == "pt" else (joined, sentence.tags)
    text = joined.text
    found: list[Span] = []
    for entity in entities(tags):
        start, end = joined.places[entity.begin][0], joined.places[entity.end - 1][1]
        if entity.label == "PER":
            found += guideline.person(text, start, end)
        elif kind := _KINDS.get(entity.label):
            found += guideline.trimmed(text, start, end, kind)
    spans = tidy(text, found)
    if language == "en":
        spans = obvious.marked(text, spans, types=("DATE_TIME", "AGE", "NRP"))
    return Row(
        text=text,
        spans=spans,
        unmarked=_unmarked(text, spans, language),
        topics={"source_code": False, "credentials": False},
        group=group,
        source=SOURCE,
        language=language,
    )


def _unmarked(text: str, spans: tuple[Span, ...], language: str) -> frozenset[str]:
    if language == "en":
        return obvious.doubtful(text, spans, ("DATE_TIME", "AGE", "NRP", "ADDRESS", "USERNAME", "MEDICAL", "ID"))
    doubts: set[str] = set()
    if _FIGURE.search(text):
        doubts |= {"DATE_TIME", "AGE", "ADDRESS", "ID"}
    if _DAY_OR_MONTH.search(text):
        doubts.add("DATE_TIME")
    if (_OF_PEOPLE_CHINESE if language == "zh" else _OF_PEOPLE).search(text):
        doubts.add("NRP")
    if _OF_HEALTH.search(text):
        doubts.add("MEDICAL")
    return frozenset(doubts)


def _contracted(joined: Joined, tags: tuple[str, ...]) -> tuple[Joined, tuple[str, ...]]:
    """The Portuguese text with "de o" as "do": the treebank writes its prepositions and articles apart."""
    words = [joined.text[start:end] for start, end in joined.places]
    text, places, kept = "", list[tuple[int, int]](), list[str]()
    skip = False
    for index, (start, end) in enumerate(joined.places):
        if skip:
            skip = False
            continue
        gap = joined.text[joined.places[index - 1][1] : start] if index else ""
        following = words[index + 1] if index + 1 < len(words) else ""
        word = _CONTRACTIONS.get((words[index].lower(), following.lower()), "")
        skip = bool(word) and joined.text[end : end + 1] == " " and not following.istitle()
        word = (word.title() if words[index].istitle() else word) if skip else words[index]
        places.append((len(text) + len(gap), len(text) + len(gap) + len(word)))
        kept.append(tags[index])
        text += gap + word
    return Joined(text=text, places=tuple(places)), tuple(kept)

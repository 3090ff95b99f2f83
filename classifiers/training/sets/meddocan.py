"""meddocan: Spanish clinical cases with made-up identities, marked in 22 classes by a stand-off file each.

Streets are ADDRESS, postcodes too; hospitals and other institutions are organisations. Sex, profession and relatives
are none of ours, and diseases are untagged (but for them every type of ours is marked). Phone and e-mail addresses are
left to the rules.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training import guideline
from classifiers.training.cutting import SENTENCES, pieces
from classifiers.training.rows import Row, Span, distinct, tidy

SOURCE: Final = "meddocan"

_KINDS: Final = {
    "PAIS": "LOCATION",
    "HOSPITAL": "ORGANIZATION",
    "CENTRO_SALUD": "ORGANIZATION",
    "INSTITUCION": "ORGANIZATION",
    "FECHAS": "DATE_TIME",
    "EDAD_SUJETO_ASISTENCIA": "AGE",
    "CALLE": "ADDRESS",
}
_IDS: Final = frozenset(
    "ID_SUJETO_ASISTENCIA ID_ASEGURAMIENTO ID_TITULACION_PERSONAL_SANITARIO ID_CONTACTO_ASISTENCIAL".split()
)
_NAMES: Final = frozenset("NOMBRE_SUJETO_ASISTENCIA NOMBRE_PERSONAL_SANITARIO".split())
_MARK: Final = re.compile(r"T\d+\t(\w+) (\d+) (\d+)\t")
_POSTCODE: Final = re.compile(r"(?:[A-Z]{1,2}-)?\d{3,}")
_OF_PEOPLE: Final = re.compile(
    r"\b(?:espa\u00f1ol|marroqu|ecuatori|boliv|ruman|colombian|raza|cauc\u00e1s|nacionalidad|origen|etnia|african"
    r"|asi\u00e1t|gitan|latino|hispan"
    r"|american|chin[oa]|europe|musulm|cat\u00f3lic|testigo|magreb|sudamer|subsahar|peruan|cuban|mexican|argentin"
    r"|portugu|franc[eé]s|ingl[eé]s)",
    re.IGNORECASE,
)
_OF_CHILDREN: Final = re.compile(
    r"\b(?:ni\u00f1|lactante|reci\u00e9n nacid|meses|neonat|pedi\u00e1tr|hij[oa]|escolar|adolescente|madre)"
    r"|\b1?\d a\u00f1os",
    re.IGNORECASE,
)


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The cases in pieces of some sentences; a case is the group."""
    with tarfile.open(directory / "meddocan-train-dev-brat.tar.gz") as archive:
        members = {member.name: member for member in archive if member.isfile()}
        for name in sorted(name for name in members if name.endswith(".txt")):
            marks = members.get(f"{name.removesuffix('.txt')}.ann")
            if marks is not None:
                yield from _rows(Path(name).stem, _read(archive, members[name]), _read(archive, marks))


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    stream = archive.extractfile(member)
    return stream.read().decode() if stream else ""


def _rows(name: str, text: str, marks: str) -> Iterator[Row]:
    found = (span for mark in _MARK.finditer(marks) for span in _spans(text, mark[1], int(mark[2]), int(mark[3])))
    spans = guideline.addresses_joined(text, tidy(text, found))
    for piece, inside in pieces(text, spans, at=SENTENCES, longest=500):
        topics = {"health": True, "financial": False, "legal": False, "credentials": False, "source_code": False}
        if not _OF_CHILDREN.search(piece):
            topics["children"] = False
        yield Row(
            text=piece,
            spans=inside,
            unmarked=frozenset({"MEDICAL", "NRP"} if _OF_PEOPLE.search(piece) else {"MEDICAL"}),
            topics=topics,
            group=f"{SOURCE}/{name}",
            source=SOURCE,
            language="es",
        )


def _spans(text: str, label: str, start: int, end: int) -> Iterator[Span]:
    if label in _NAMES:
        yield from guideline.person(text, start, end)
    elif label in _IDS:
        if any(figure.isdigit() for figure in text[start:end]):
            yield from guideline.trimmed(text, start, end, "ID")
    elif label == "TERRITORIO":
        postcode = _POSTCODE.match(text, start, end)
        yield from guideline.trimmed(text, start, end, "ADDRESS" if postcode else "LOCATION")
    elif kind := _KINDS.get(label):
        yield from guideline.trimmed(text, start, end, kind)

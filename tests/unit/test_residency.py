"""Markings of documents, and talk about them."""

from __future__ import annotations

import time

import pytest

from classifiers.meter import Meter
from classifiers.residency import SCHEMES, Markings

MARKINGS = Markings()


def names(text: str) -> tuple[str, ...]:
    return MARKINGS.names(text, Meter(len(text), deadline=time.monotonic() + 10))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TLP:AMBER+STRICT // VS-NfD", ("TLP:AMBER+STRICT", "VS-NfD")),
        ("OFFICIAL SENSITIVE, EU-ONLY and (ITAR)", ("EU-ONLY", "ITAR", "OFFICIAL-SENSITIVE")),
        ("Report TLP:CLEAR", ("TLP:CLEAR",)),
        ("EEA ONLY\nThe customer list.", ("EEA-ONLY",)),
        ("DE-ONLY: do not move", ("DE-ONLY",)),
        ("Prices are NL-ONLY, DK-ONLY and UK-ONLY.", ("DK-ONLY", "NL-ONLY", "UK-ONLY")),
        ("AT-ONLY\nthe customer list", ("AT-ONLY",)),
        ("Distribution: IE-ONLY\nthe customer list", ("IE-ONLY",)),
        ("CUI\n\nPersonnel list", ("CUI",)),
        ("CUI//SP-PRVCY//NOFORN", ("CUI", "CUI//SP-PRVCY//NOFORN", "NOFORN")),
        ("SECRET//REL TO USA, GBR\nbody", ("REL-TO", "SECRET", "US-SECRET")),
        ("This part is EAR99.", ("EAR99",)),
        ("ECCN: 5A002.a applies", ("ECCN-5A002.A",)),
        ("ITAR-controlled drawings attached", ("ITAR",)),
        ("SECRET\n\nMinutes of the meeting.\n\nSECRET", ("SECRET",)),
        ("Classification: OFFICIAL\ntext", ("OFFICIAL",)),
        ('{"classification": "PROTECTED", "body": "x"}', ("PROTECTED",)),
        ("UK OFFICIAL-SENSITIVE\nbody", ("OFFICIAL-SENSITIVE",)),
        ("VS - NUR FÜR DEN DIENSTGEBRAUCH\nLage", ("VS-NfD",)),
        ("Einstufung: GEHEIM\nText", ("GEHEIM",)),
        ("DIFFUSION RESTREINTE\nNote", ("DIFFUSION-RESTREINTE",)),
        ("RESTREINT UE/EU RESTRICTED\nCouncil paper", ("EU-RESTRICTED",)),
        ("NATO RESTRICTED\npaper", ("NATO-RESTRICTED",)),
        ("PROTECTED B\nMemo", ("CA-PROTECTED-B",)),
        ("OFFICIAL: Sensitive\nMemo", ("AU-OFFICIAL-SENSITIVE",)),
        ("机密★10年\n正文", ("CN-SECRET",)),
        ("社外秘\n来期の計画", ("JP-CONFIDENTIAL",)),
        ("【取扱注意】\n顧客一覧", ("JP-CONFIDENTIAL",)),
        ("Marking: HIPAA\nrecord", ("HIPAA",)),
        ("[GDPR]\nexport", ("GDPR",)),
        ("ATTORNEY-CLIENT PRIVILEGED\nDear Ms", ("ATTORNEY-CLIENT-PRIVILEGED",)),
        ("Privileged & Confidential - Attorney-Client Communication\nDear", ("ATTORNEY-CLIENT-PRIVILEGED",)),
        ("Strictly confidential - EU only\n\nPrices", ("EU-ONLY", "STRICTLY-CONFIDENTIAL")),
        ("Data residency: Germany\n", ("RESIDENCY-GERMANY",)),
        ("PCI IN SCOPE\nhosts", ("PCI",)),
        ("TLP: AMBER+STRICT - partners", ("TLP:AMBER+STRICT",)),
        ("CONTROLLED UNCLASSIFIED INFORMATION\nplan", ("CUI",)),
        ("These drawings are subject to ITAR.", ("ITAR",)),
        ("Export of this file is controlled under the EAR.", ("EAR",)),
        ("EXPORT CONTROLLED\npump", ("EXPORT-CONTROLLED",)),
        ("SECRET DÉFENSE\nnote", ("SECRET-DÉFENSE",)),
        ("SPECIAL FRANCE\nnote", ("SPECIAL-FRANCE",)),
        ("x-data-residency: us-only\ntext", ("RESIDENCY-US",)),
        ("data-residency: at-only\ntext", ("RESIDENCY-AT",)),
        ("Banner: CUI\nplan", ("CUI",)),
        ("Data residency: EU only. Not elsewhere.", ("RESIDENCY-EU",)),
        ("Residency: must stay within Germany", ("RESIDENCY-GERMANY",)),
        ("What is the TLP:RED report about?", ("TLP:RED",)),
        ("Summarise this VS-NfD paper", ("VS-NfD",)),
    ],
)
def test_a_marking_is_named_by_its_scheme(text: str, expected: tuple[str, ...]) -> None:
    """Each scheme in the place and case in which it is written."""
    assert expected == names(text)


@pytest.mark.parametrize(
    "text",
    [
        "The PC-ONLY version and a QA-ONLY build are out.",
        "JS-ONLY, UI-ONLY, DB-ONLY, VM-ONLY, OS-ONLY, CS-ONLY, TV-ONLY and AI-ONLY parts",
        "An ID-ONLY login for the HR-ONLY page; the CD-ONLY release of the CI-ONLY job",
        "JS-ONLY\nparts of the page",
        "TLP:REDDER, GUITAR, itar, NON-CUI, CUIX, CUI-X, tlp:red",
        "What does GDPR say about transfers, and does HIPAA apply?",
        "GDPR",
        "The General Data Protection Regulation (GDPR) and data protection law (GDPR)",
        "Explain the Traffic Light Protocol (TLP) and its colours.",
        "What is CUI and who may mark it?",
        "Vou itar o documento. C'est lui à cui je parle.",
        "It is a secret that the official protected.",
        "The file is READ-ONLY and in EU.",
        "International Traffic in Arms Regulations (ITAR) cover exports.",
        "Is PCI DSS needed for our shop?",
        "The Official Secrets Act 1989",
        "这是一个机密文件吗",
        "SECRET = os.environ['SECRET_KEY']",
        "What does TLP:AMBER mean?",
        "How should we mark files with TLP:GREEN?",
        "NATO restricted versus NATO SECRET",
        "Explain 'NOFORN'.",
        "What is the VS-NfD marking for?",
        "Is OFFICIAL-SENSITIVE higher than OFFICIAL?",
        "Was bedeutet VS-NfD?",
        "Are my optics subject to ITAR?",
        "Residency: three years at a hospital in Germany",
        "Data residency: what is it?",
        "",
    ],
)
def test_talk_about_a_scheme_is_no_marking(text: str) -> None:
    """Questions, words of other languages, code, names of laws."""
    assert () == names(text)


def test_known_words_give_the_same_as_reading_them() -> None:
    """The reader knows the words of a text already."""
    text = "NATO SECRET\nbody of the paper"

    assert names(text) == MARKINGS.names(
        text, Meter(len(text), deadline=time.monotonic() + 10), frozenset({"nato", "secret"})
    )


def test_every_scheme_cites_its_source() -> None:
    """A marking without a source is a guess."""
    assert all(len(scheme.source) > 20 and scheme.words for scheme in SCHEMES)


def test_a_hostile_text_costs_no_more_than_its_length() -> None:
    """A quarter of a megabyte of half markings is read once, not once for each of them."""
    text = "CUI//SP-" * 10_000 + "SECRET " * 10_000 + "\n".join(["TLP:", "EU only", "(GDPR"] * 8_000)
    began = time.perf_counter()
    names(text)

    assert time.perf_counter() - began < 30

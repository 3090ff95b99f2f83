"""Presidio's pattern recognisers as rules that look at windows. The one module that imports Presidio.

Importing it imports spaCy, which takes seconds: import it when a detector is built, not before. Presidio's own
`analyze` is not called: it builds an explanation per match, skips a pattern that ran into its timeout, and its URL
recogniser takes milliseconds per byte on dotted text. Its patterns and validators are used as they are.

Deliberate differences to Presidio's recognisers:
- the e-mail host alone decides (Presidio takes a `/` or `?` in the local part for the end of the host);
- the suffix list is the one bundled with tldextract, never fetched;
- a context word must start a word (Presidio finds `lic` in `public`);
- numbers that one checksum in eleven accepts by chance (tax, NHS) count as validated next to a context word only.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import tldextract
from presidio_analyzer.predefined_recognizers.country_specific.germany.de_health_insurance_recognizer import (
    DeHealthInsuranceRecognizer,
)
from presidio_analyzer.predefined_recognizers.country_specific.germany.de_tax_id_recognizer import DeTaxIdRecognizer
from presidio_analyzer.predefined_recognizers.country_specific.uk.uk_nhs_recognizer import NhsRecognizer
from presidio_analyzer.predefined_recognizers.country_specific.us.us_ssn_recognizer import UsSsnRecognizer
from presidio_analyzer.predefined_recognizers.generic.credit_card_recognizer import CreditCardRecognizer
from presidio_analyzer.predefined_recognizers.generic.email_recognizer import EmailRecognizer
from presidio_analyzer.predefined_recognizers.generic.iban_recognizer import IbanRecognizer
from presidio_analyzer.predefined_recognizers.generic.ip_recognizer import IpRecognizer

from governance.finding import Finding
from governance.segment import Span

# As in Presidio's context enhancer: similarity factor 0.35, floor 0.4. Its five words are about this many characters.
CONTEXT_BONUS = 350
CONTEXT_FLOOR = 400
CONTEXT_REACH = 64
# A checksum that passes one number in ten or eleven, without a word beside it that says what the number is.
CHANCE_PERMILLE = 300

_CHANCE = frozenset({"DE_TAX_ID", "UK_NHS"})
_ISO = {"uk": "GB"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One recogniser: patterns with their scores, validators, and the country its values point to."""

    entity_type: str
    detector: str
    patterns: tuple[tuple[Any, int], ...]
    validate: Callable[[str], bool | None]
    invalidate: Callable[[str], bool | None]
    context: re.Pattern[str]
    country: str | None = None

    def search(self, text: str, start: int, stop: int, end: int) -> Iterator[Finding]:
        """Findings that begin in `text[start:stop]`; nothing at or after `end` is looked at.

        What stands before `start` still decides word boundaries; the caller keeps a character between the last
        possible match and `end` for the same reason.
        """
        for pattern, permille in self.patterns:
            for match in pattern.finditer(text, start, end):
                if match.start() >= stop:
                    break
                finding = self._judge(text, match, permille)
                if finding is not None:
                    yield finding

    def _judge(self, text: str, match: Any, permille: int) -> Finding | None:
        start = match.start()
        for end in self._ends(match):
            value = text[start:end]
            verdict = self.validate(value)
            if verdict is False or self.invalidate(value):
                continue
            validated, score = bool(verdict), 1000 if verdict else permille
            if not validated or self.entity_type in _CHANCE:
                validated, score = self._in_context(text, start, score, validated=validated)
            country = value[:2].upper() if self.entity_type == "IBAN_CODE" else self.country
            return Finding(
                segment=0,
                entity_type=self.entity_type,
                span=Span(start=start, end=end),
                permille=score,
                detector=self.detector,
                country=country,
                validated=validated,
            )
        return None

    def _ends(self, match: Any) -> Iterator[int]:
        """Ends to try, longest first: Presidio's IBAN pattern may have swallowed the word after the number."""
        if self.entity_type != "IBAN_CODE":
            yield match.end()
            return
        for group in (3, 2, 1):
            yield match.end(group) if match.end(group) > 0 else match.end()

    def _in_context(self, text: str, start: int, score: int, *, validated: bool) -> tuple[bool, int]:
        named = self.context.search(text, max(0, start - CONTEXT_REACH), start) is not None
        if validated:
            return named, score if named else CHANCE_PERMILLE
        return False, min(1000, max(score + CONTEXT_BONUS, CONTEXT_FLOOR)) if named else score


def context_pattern(words: list[str]) -> re.Pattern[str]:
    """A pattern for any of `words` at the start of a word."""
    return re.compile(r"\b(?:" + "|".join(re.escape(word) for word in words) + ")", re.IGNORECASE)


def _email_host_check() -> Callable[[str], bool]:
    extract = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())

    def has_public_suffix(address: str) -> bool:
        return extract(address.rpartition("@")[2]).fqdn != ""

    return has_public_suffix


def _rule(
    recognizer: Any,
    *,
    validate: Callable[[str], bool | None] | None = None,
    patterns: Callable[[str], bool] = bool,
) -> Rule:
    """The rule of `recognizer`, of those patterns only whose name `patterns` accepts."""
    regex: Any = import_module("regex")
    flags = recognizer.global_regex_flags
    country = recognizer.country_code()
    return Rule(
        entity_type=recognizer.supported_entities[0],
        detector=f"presidio:{recognizer.name}",
        patterns=tuple(
            (regex.compile(each.regex, flags), round(each.score * 1000))
            for each in recognizer.patterns
            if patterns(each.name)
        ),
        validate=validate or recognizer.validate_result,
        invalidate=recognizer.invalidate_result,
        context=context_pattern(recognizer.context),
        country=_ISO.get(country, country.upper()) if country else None,
    )


def load_rules() -> dict[str, Rule]:
    """The rules by entity type; IP_ADDRESS is in two rules, `IPV4` for plain addresses and `IPV6` for the rest."""
    # Its IBAN recogniser writes the value that it could not validate into this log.
    logging.getLogger("presidio-analyzer").disabled = True
    address = IpRecognizer()
    plain = (
        *(CreditCardRecognizer, IbanRecognizer, UsSsnRecognizer),
        *(DeHealthInsuranceRecognizer, DeTaxIdRecognizer, NhsRecognizer),
    )
    return {
        "EMAIL_ADDRESS": _rule(EmailRecognizer(), validate=_email_host_check()),
        "IPV4": _rule(address, patterns=lambda name: name == "IPv4"),
        "IPV6": _rule(address, patterns=lambda name: name != "IPv4"),
        **{rule.entity_type: rule for rule in (_rule(kind()) for kind in plain)},
    }

"""Presidio's recogniser registry files (YAML): their pattern recognisers as rules of ours where they fit, else as patterns.

A pattern becomes a rule when it reads the same over folded bytes and cannot backtrack badly: then it sees through
encodings and spellings as every rule does. What is left is for `classifiers.recognizer_host`, which can be stopped.
Nothing is left out in silence: a key, a flag or a recogniser that this module does not know is an error.

Beyond Presidio's keys an entry may say what its findings mean: `category` (see `governance.finding.Category`), `label` (what
the text is about then) and `jurisdiction` (whose data subjects it points to). It may name a class of the operator's own by
`class_name: module:Class`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

from classifiers.registries import country_code
from classifiers.rules import CONTEXT_FLOOR, Rule, faults, rule_files
from governance import yaml_source
from governance.errors import ConfigInvalid
from governance.finding import Category
from governance.yaml_source import Document, Place, quoted

# Presidio's default: DOTALL, MULTILINE, IGNORECASE.
DEFAULT_FLAGS: Final = 26
MAX_RECOGNIZERS = 256
MAX_PATTERNS = 1024
MAX_REGEX_CHARS = 4_096
MAX_WORDS = 2_048
# Ways in which one place may be tried before the pattern is given up there.
MAX_PATHS = 4_096
_WORDS_IN_A_RULE = 64
_OTHER_FLAGS = ~DEFAULT_FLAGS

_TOP = frozenset({"supported_languages", "supported_countries", "global_regex_flags", "recognizers"})
_MEANING = frozenset({"category", "label", "jurisdiction"})
_ENTRY = _MEANING | frozenset(
    "name type class_name enabled supported_language supported_languages supported_entity supported_entities patterns"
    " deny_list deny_list_score context country_code version global_regex_flags".split()
)
# What the catalogue says of a recogniser of Presidio's that it stands in for. Its words in the languages of the entry are its own.
_OF_THE_CATALOGUE = _MEANING | frozenset(
    "supported_entity supported_entities patterns deny_list deny_list_score context global_regex_flags".split()
)
# What a class says itself cannot be said again beside it.
_OF_A_CLASS = _MEANING | {"name", "type", "class_name", "enabled", "country_code"}
OWN_CLASS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*")
_LABEL = re.compile(r"[a-z][a-z0-9_]{1,63}")
_PATTERN = frozenset({"name", "regex", "score"})
_TYPES = ("custom", "predefined")
_ENTITY = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_NUMBER = re.compile(r"[01](?:\.[0-9]{1,9})?|\.[0-9]{1,9}")

# Presidio's own recognisers whose entities the catalogue finds; a test compares the list with the installed package.
COVERED: Final = frozenset(
    f"{name}Recognizer"
    for name in (
        "AbaRouting AuAbn AuAcn AuMedicare AuTfn CaPostalCode CaSin CreditCard Crypto Date DeBsnr DeFuehrerschein "
        "DeHandelsregister DeHealthInsurance DeIdCard DeKfz DeLanr DePassport DePlz DeSocialSecurity DeTaxId "
        "DeTaxNumber DeVatId Email EsNie EsNif EsPassport FiPersonalIdentityCode Iban InAadhaar InGstin InPan "
        "InPassport InVehicleRegistration InVoter Ip ItDriverLicense ItFiscalCode ItIdentityCard ItPassport "
        "ItVatCode KrBrn KrDriverLicense KrFrn KrPassport KrRrn MacAddress MedicalLicense NgNin "
        "NgVehicleRegistration Nhs PhPassport PhTin PhUmid Phone PlPesel SeOrganisationsnummer SePersonnummer SgFin "
        "SgUen ThTnin TrLicensePlate TrNationalId UkDrivingLicence UkNino UkPassport UkPostcode "
        "UkVehicleRegistration Url UsBank UsClaimNumber UsHealthInsuranceMemberId UsItin UsLicense UsMbi UsNpi "
        "UsPassport UsPrescriptionNumber UsPriorAuthorizationNumber UsProviderTaxId UsReferralNumber UsSsn Uuid "
        "ZaCompanyRegistration ZaDriverLicense ZaIdNumber ZaIncomeTaxNumber ZaLicensePlate ZaMobileNumber "
        "ZaPassport ZaTelephoneNumber ZaTrafficRegisterNumber ZaVatNumber"
    ).split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What findings of a recogniser mean; those of `entity` alone, if it names one.

    `category` None is that of the catalogue for the entity found, `personal` where it knows none. An empty `label` is what
    the category brings; `country` None is what the recogniser says itself.
    """

    entity: str = ""
    category: Category | None = None
    label: str = ""
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPattern:
    """One expression in the dialect of `regex`, with what it says about its matches."""

    recognizer: str
    entity: str
    expression: str
    flags: int
    permille: int
    context: tuple[str, ...] = ()
    country: str | None = None
    category: Category = Category.PERSONAL
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What a file asks for. `covered` are recognisers of Presidio that the catalogue stands in for.

    `classes` are the operator's own, as `module:Class`; `labels` are stated for the findings of a rule, by its id.
    """

    rules: tuple[Rule, ...] = ()
    patterns: tuple[OwnPattern, ...] = ()
    classes: tuple[tuple[str, Meaning], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    covered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A pattern recogniser and where it stands in its file."""

    document: Document
    place: Place
    fields: Mapping[str, Any]
    flags: int

    @property
    def name(self) -> str:
        name = self.fields.get("name") or self.fields.get("supported_entity")
        return name if isinstance(name, str) else f"recognizer {self.place[-1]}"

    def refusal(self, what: str, *steps: str | int) -> ConfigInvalid:
        line = self.document.line((*self.place, *steps))
        return ConfigInvalid(f"recognizer {quoted(self.name)}: {what}", file=self.document.file, line=line)


def read_registry(path: Path, *, first: int = 0) -> Registry:
    """What the file at `path` asks for. Raises ConfigInvalid, which names file, line and recogniser.

    Rules are numbered from `first`, so that those of several files have different ids.
    """
    return registry(yaml_source.read(path), first=first)


def registry(document: Document, *, first: int = 0) -> Registry:
    """What `document` asks for. Raises ConfigInvalid as `read_registry` does."""
    top = document.value
    entries = top.get("recognizers") if isinstance(top, dict) else None
    if not isinstance(top, dict) or not isinstance(entries, list):
        raise ConfigInvalid("is not a recogniser registry: it has no list `recognizers`", file=document.file, line=1)
    if unknown := sorted(set(top) - _TOP):
        raise ConfigInvalid(
            f"{quoted(unknown[0])} is not known here", file=document.file, line=document.line((unknown[0],))
        )
    if len(entries) > MAX_RECOGNIZERS:
        raise ConfigInvalid(f"holds more than {MAX_RECOGNIZERS} recognisers", file=document.file)
    countries = _countries(document, top.get("supported_countries"))
    flags = top.get("global_regex_flags", DEFAULT_FLAGS)
    rules: list[Rule] = []
    patterns: list[OwnPattern] = []
    classes: list[tuple[str, Meaning]] = []
    labels: list[tuple[str, str]] = []
    covered: list[str] = []
    for number, fields in enumerate(entries):
        if isinstance(fields, dict) and fields.get("enabled") is False:
            continue
        entry = _entry(document, number, fields, flags)
        if not _wanted(entry, countries):
            continue
        if _is_predefined(entry.fields):
            covered.append(_predefined(entry))
            continue
        if "class_name" in entry.fields:
            classes.append(_own_class(entry))
            continue
        for pattern in _patterns(entry):
            rule = as_rule(pattern, rule_id=f"own.{_slug(entry.name)}_{first + len(rules)}", source=document.file)
            if rule is None:
                patterns.append(pattern)
            else:
                rules.append(rule)
                labels += [(rule.id, pattern.label)] if pattern.label else []
    if len(rules) + len(patterns) > MAX_PATTERNS:
        raise ConfigInvalid(f"holds more than {MAX_PATTERNS} patterns", file=document.file)
    return Registry(
        rules=tuple(rules),
        patterns=tuple(patterns),
        classes=tuple(classes),
        labels=tuple(labels),
        covered=tuple(covered),
    )


def _entry(document: Document, number: int, fields: Any, flags: Any) -> _Entry:
    place = ("recognizers", number)
    if isinstance(fields, str):
        fields = {"name": fields, "type": "predefined"}
    if not isinstance(fields, dict):
        raise ConfigInvalid("a recogniser is a mapping", file=document.file, line=document.line(place))
    entry = _Entry(document=document, place=place, fields=fields, flags=fields.get("global_regex_flags", flags))
    if "score_thresholds" in fields:
        raise entry.refusal(
            "`score_thresholds` is not kept here: leave it out, and set the `score` of each pattern; policies decide by it",
            "score_thresholds",
        )
    if unknown := sorted(set(fields) - _ENTRY):
        raise entry.refusal(f"{quoted(unknown[0])} is not known here", unknown[0])
    if not isinstance(fields.get("enabled", True), bool):
        raise entry.refusal("`enabled` is true or false", "enabled")
    if fields.get("type", "custom") not in _TYPES:
        raise entry.refusal("`type` is custom or predefined", "type")
    if not isinstance(fields.get("name", ""), str):
        raise entry.refusal("`name` is a text", "name")
    if not isinstance(entry.flags, int) or isinstance(entry.flags, bool) or entry.flags & _OTHER_FLAGS:
        raise entry.refusal("`global_regex_flags` may be made of 2 (ignore case), 8 (multi-line) and 16 (dot is all)")
    return entry


def _countries(document: Document, listed: Any) -> frozenset[str] | None:
    """The countries in small letters whose recognisers are wanted; None for all."""
    if listed is None:
        return None
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        line = document.line(("supported_countries",))
        raise ConfigInvalid("`supported_countries` is a list of codes", file=document.file, line=line)
    return frozenset(each.lower() for each in listed)


def _wanted(entry: _Entry, countries: frozenset[str] | None) -> bool:
    """As Presidio's filter: recognisers without a country always are."""
    country = entry.fields.get("country_code")
    return countries is None or country is None or str(country).lower() in countries


def _is_predefined(fields: Mapping[str, Any]) -> bool:
    """As Presidio has it, also without a `type`: an entry that names one of its recognisers and brings no shape."""
    kind = fields.get("type")
    if kind is not None or "patterns" in fields or "deny_list" in fields:
        return bool(kind == "predefined")
    name = fields.get("class_name") or fields.get("name")
    return isinstance(name, str) and name in COVERED


def _predefined(entry: _Entry) -> str:
    name = entry.fields.get("class_name") or entry.fields.get("name")
    if stated := sorted(_OF_THE_CATALOGUE.intersection(entry.fields)):
        raise entry.refusal(
            f"`{stated[0]}` is what the catalogue says for it; a recogniser of your own has `type: custom` and no `class_name`",
            stated[0],
        )
    if isinstance(name, str) and name in COVERED:
        return name
    raise entry.refusal(
        f"{quoted(name)} is none of Presidio's recognisers that the catalogue stands in for; set `enabled: false`, or"
        " configure the class itself as `presidio_analyzer.predefined_recognizers:NAME`"
    )


def _own_class(entry: _Entry) -> tuple[str, Meaning]:
    name = entry.fields["class_name"]
    if not isinstance(name, str) or OWN_CLASS.fullmatch(name) is None:
        raise entry.refusal("`class_name` of a custom recogniser is a class as `module:Class`", "class_name")
    if others := sorted(set(entry.fields) - _OF_A_CLASS):
        raise entry.refusal(f"`{others[0]}` is said by the class itself", others[0])
    return name, Meaning(category=_category(entry), label=_label(entry), country=_jurisdiction(entry))


def _category(entry: _Entry) -> Category | None:
    category = entry.fields.get("category")
    if category is not None and (not isinstance(category, str) or category not in set(Category)):
        raise entry.refusal(f"`category` is one of {', '.join(Category)}", "category")
    return None if category is None else Category(category)


@cache
def _catalogued() -> Mapping[str, Category]:
    """The category of each entity of the catalogue, off its lines: to load the rules takes seconds."""
    found: dict[str, Category] = {}
    for file in rule_files():
        for rule in file.read_text("utf-8").split("[[rule]]")[1:]:
            said = dict(_SAID.findall(rule))
            found[said["entity"]] = Category(said["category"])
    return found


_SAID = re.compile(r'^(entity|category) = "([A-Za-z0-9_]+)"', re.MULTILINE)


def category_of(entity: str) -> Category:
    """What the catalogue says of `entity`; `personal` where it knows none, so that policies for personal data hold."""
    return _catalogued().get(entity, Category.PERSONAL)


def _label(entry: _Entry) -> str:
    label = entry.fields.get("label", "")
    if "label" in entry.fields and (not isinstance(label, str) or _LABEL.fullmatch(label) is None):
        raise entry.refusal("`label` is a word of small letters, digits and `_`, such as health", "label")
    return str(label)


def _patterns(entry: _Entry) -> Iterator[OwnPattern]:
    entity, context, country = _entity(entry), _contexts(entry), _jurisdiction(entry)
    category, label = _category(entry) or category_of(entity), _label(entry)
    listed = entry.fields.get("patterns") or []
    denied = _texts(entry, "deny_list")
    if not isinstance(listed, list) or not (listed or denied):
        raise entry.refusal("has neither `patterns` nor a `deny_list`")
    for number, fields in enumerate(listed):
        step = ("patterns", number)
        if not isinstance(fields, dict) or set(fields) - _PATTERN or not isinstance(fields.get("regex"), str):
            raise entry.refusal("a pattern has `name`, `regex` and `score`", *step)
        yield _checked(
            entry,
            OwnPattern(
                recognizer=entry.name,
                entity=entity,
                expression=fields["regex"],
                flags=entry.flags,
                permille=_permille(entry, fields.get("score"), *step, "score"),
                context=context,
                country=country,
                category=category,
                label=label,
            ),
            *step,
        )
    words = iter(denied)
    while chosen := tuple(islice(words, _WORDS_IN_A_RULE)):
        yield _checked(
            entry,
            OwnPattern(
                recognizer=entry.name,
                entity=entity,
                expression=denied_words(chosen),
                flags=entry.flags,
                permille=_permille(entry, entry.fields.get("deny_list_score", 1), "deny_list_score"),
                context=context,
                country=country,
                category=category,
                label=label,
            ),
            "deny_list",
        )


def denied_words(words: tuple[str, ...]) -> str:
    """An expression for any of `words` that stands by itself, the longest first."""
    listed = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return rf"(?<!\w)(?:{listed})(?!\w)"


def _checked(entry: _Entry, pattern: OwnPattern, *step: str | int) -> OwnPattern:
    """`pattern` if it can be compiled and can ever be reported."""
    if len(pattern.expression) > MAX_REGEX_CHARS and "deny_list" not in step:
        raise entry.refusal(f"the expression is longer than {MAX_REGEX_CHARS} characters", *step)
    regex: Any = import_module("regex")
    try:
        compiled = regex.compile(pattern.expression, pattern.flags)
    except regex.error as error:
        raise entry.refusal(f"the expression cannot be compiled: {error.msg} at {error.pos}", *step) from None
    if compiled.match("") is not None:
        raise entry.refusal("the expression matches empty text", *step)
    if pattern.permille < CONTEXT_FLOOR and not pattern.context:
        raise entry.refusal(
            f"a score below {CONTEXT_FLOOR / 1000} without context words is never reported: raise `score` or add `context`",
            *step,
        )
    return pattern


def _entity(entry: _Entry) -> str:
    several = _texts(entry, "supported_entities")
    entity = entry.fields.get("supported_entity") or (several[0] if len(several) == 1 else None)
    if not isinstance(entity, str) or _ENTITY.fullmatch(entity) is None:
        raise entry.refusal("`supported_entity` is one name in capitals, digits and `_`, such as ZIP")
    return entity


def _contexts(entry: _Entry) -> tuple[str, ...]:
    """The context words for all languages: a request does not say in which language it is written."""
    words = list(_texts(entry, "context"))
    languages = entry.fields.get("supported_languages") or []
    for number, language in enumerate(languages if isinstance(languages, list) else []):
        if isinstance(language, dict):
            inner = _Entry(
                document=entry.document,
                place=(*entry.place, "supported_languages", number),
                fields=language,
                flags=entry.flags,
            )
            words += _texts(inner, "context")
    return tuple(dict.fromkeys(word.lower() for word in words))


def _jurisdiction(entry: _Entry) -> str | None:
    """The country that the findings point to: `jurisdiction`, else `country_code`, by which Presidio filters as well."""
    for key in ("jurisdiction", "country_code"):
        country = entry.fields.get(key)
        if country is None:
            continue
        code = country_code(country) if isinstance(country, str) else None
        if code is None:
            raise entry.refusal(f"`{key}` is an ISO 3166-1 alpha-2 code", key)
        return code
    return None


def _texts(entry: _Entry, key: str) -> tuple[str, ...]:
    listed = entry.fields.get(key) or []
    if not isinstance(listed, list) or len(listed) > MAX_WORDS:
        raise entry.refusal(f"`{key}` is a list of at most {MAX_WORDS} texts", key)
    # YAML reads 110 and true as what they look like; on a list of words they are words.
    texts = tuple(str(each) if isinstance(each, str | int) else "" for each in listed)
    if any(not text.strip() or len(text) > MAX_REGEX_CHARS for text in texts):
        raise entry.refusal(f"`{key}` holds something that is no text", key)
    return texts


def _permille(entry: _Entry, score: Any, *step: str | int) -> int:
    """A score of 0 to 1 in permille; YAML of this kind reads decimals as text."""
    if isinstance(score, bool) or not isinstance(score, str | int) or _NUMBER.fullmatch(str(score)) is None:
        raise entry.refusal("`score` is a number from 0 to 1", *step)
    if not 0 <= float(score) <= 1:
        raise entry.refusal("`score` is a number from 0 to 1", *step)
    return round(float(score) * 1000)


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "recognizer"


# --- from Presidio's expressions to ours ---------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\(\?<?!\\[dw]\)|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:<[=!]|[^:])|\(\?:|\{(?:[0-9]+(?:,[0-9]*)?|,[0-9]+)\}|.",
    re.DOTALL,
)
# Shorthands that `regex` and a boundary of ours write differently.
_BOUNDARIES: Final = {
    r"(?<!\d)": "(?<![0-9])",
    r"(?!\d)": "(?![0-9])",
    r"(?<!\w)": r"(?<![0-9A-Z_a-z\x80-\xff])",
    r"(?!\w)": r"(?![0-9A-Z_a-z\x80-\xff])",
}
# Not `\w`: over bytes it knows ASCII alone, and in folded text letters without case are all one separator.
_FOLDED_ALIKE = re.compile(r"\\[bdsDS]|\\[^0-9A-Za-z\x80-\U0010ffff]|\\[nrt]")
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_LETTERS = re.compile(r"[A-Za-z]")
# In a set: classes by name, sets in it, and what is done with two of them; of a range, ends that folding would move.
_SET_SYNTAX = re.compile(r"\[|--|&&|~~|\|\|")
_RANGE_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]-|-[^\x00-\x7f]")
_SYNTAX: Final = frozenset(r"\^$.|?*+()[]{}-&~")


def as_rule(pattern: OwnPattern, *, rule_id: str, source: str) -> Rule | None:
    """The rule that finds what `pattern` finds; None where only `regex` itself can read it."""
    expression = _translated(pattern.expression)
    if expression is None or paths(expression) > MAX_PATHS:
        return None
    rule = Rule(
        id=rule_id,
        entity=pattern.entity,
        name=pattern.recognizer[:160],
        category=pattern.category,
        expressions=(expression,),
        caseless=bool(pattern.flags & re.IGNORECASE),
        country=pattern.country,
        alone=pattern.permille,
        context=tuple(f"{word}*" if len(word) > 3 else word for word in pattern.context),
        source=source,
        valid=(),
        invalid=(),
    )
    return None if any(faults(rule)) else rule


def _translated(expression: str) -> str | None:
    """`expression` over folded bytes: groups that capture nothing, boundaries as classes; None where that is not all."""
    written = [_rewritten(part) for part in _TOKEN.findall(unicodedata.normalize("NFC", expression))]
    return None if None in written else "".join(filter(None, written))


def _rewritten(part: str) -> str | None:
    """One token over folded bytes; None for what `regex` alone reads, or reads otherwise than `re`."""
    if part in _BOUNDARIES:
        return _BOUNDARIES[part]
    if part in {".", "^", "$", "{"}:
        return None
    if part.startswith("["):
        return _set(part)
    if part.startswith("\\"):
        return part if _FOLDED_ALIKE.fullmatch(part) is not None else None
    if part.startswith("(?"):
        return part if part in {"(?:", "(?<!", "(?!"} else None
    return "(?:" if part == "(" else _folded(part)


def _set(part: str) -> str | None:
    if any(_FOLDED_ALIKE.fullmatch(each) is None for each in _ESCAPE.findall(part)):
        return None
    plain = _ESCAPE.sub("", part[1:])
    if _SET_SYNTAX.search(plain) is not None:
        return None
    # With a letter that is left out those that fold to it would be as well.
    if part.startswith("[^") and (not part.isascii() or _LETTERS.search(plain) is not None):
        return None
    if part.isascii():
        return part
    if _RANGE_BEYOND_ASCII.search(part) is not None:
        return None
    letters = [_folded(each) for each in part]
    return None if None in letters else "".join(filter(None, letters))


def _folded(part: str) -> str | None:
    """`part`, or for a character beyond ASCII the one that texts are folded to; None where that is syntax or several."""
    if part.isascii():
        return part
    letters = [each for each in unicodedata.normalize("NFKD", part) if not unicodedata.combining(each)]
    return letters[0] if len(letters) == 1 and letters[0].isascii() and letters[0] not in _SYNTAX else None


_sre: Any = import_module("re._constants")
_parser: Any = import_module("re._parser")


def paths(expression: str) -> int:
    """An upper bound of the ways in which `expression` can be tried at one place; large where a match has no bound."""
    try:
        parsed = _parser.parse(expression.encode("ascii"))
    except re.error:
        return MAX_PATHS + 1
    return _ways(parsed)


def _ways(nodes: Any) -> int:
    ways = 1
    for kind, value in nodes:
        if kind in {_sre.MAX_REPEAT, _sre.MIN_REPEAT, _sre.POSSESSIVE_REPEAT}:
            low, high, inner = value
            each = _ways(inner)
            if high > MAX_PATHS or (each > 1 and high > 12):
                return MAX_PATHS + 1
            ways *= sum(each**count for count in range(low, high + 1))
        elif kind is _sre.BRANCH:
            ways *= sum(_ways(branch) for branch in value[1])
        elif kind is _sre.SUBPATTERN:
            ways *= _ways(value[-1])
        elif kind is _sre.ATOMIC_GROUP:
            ways *= _ways(value)
        if ways > MAX_PATHS:
            return MAX_PATHS + 1
    return ways

"""Rules as data: what an entity looks like, what verifies it, which words stand beside it. One file per country or family.

A rule file is TOML. Expressions are `re` patterns over bytes, written for folded text (see `classifiers.normalisation`:
one byte per code point, ASCII as far as it goes): no back-references, and lookaround only as the boundary, `(?<!...)`
first and `(?!...)` last. The scanner derives from them what its engine can find in one pass, and the pattern itself then
reads the value at the place found.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Le, MaxLen, MinLen

from classifiers.digits import grouped_as
from governance.errors import ConfigInvalid
from governance.finding import Category
from governance.frozen import frozen

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Permille = Annotated[int, Ge(0), Le(1000)]
Name = Annotated[str, MinLen(1), MaxLen(160)]

# Checks that say what a value can be and not that it is one: a random word of the right length passes them.
PLAUSIBLE = frozenset(
    """
    random_looking generic_secret bare_secret lone_userinfo aws_secret_key password_value told_password bare_password
    quoted_password user_and_password recovery_code framework_key account_name br_cep german_street address_to_postcode
    address_to_city in_ifsc
    """.split()
)
# A value standing alone counts as verified by its check from here on; below, a context word has to stand beside it.
STRONG_PERMILLE = 900
PLAUSIBLE_PERMILLE = 850
CONTEXT_BONUS = 350
CONTEXT_FLOOR = 400
CONTEXT_CEILING = 950


@frozen
class Rule:
    """One way to find one entity type.

    Either `expressions` or `digits` says what a value looks like. `digits` are the permitted numbers of digits of a run
    that may be grouped by single blanks, dots, hyphens or slashes; `glued` allows letters directly beside it, and `groups`,
    where there are any, are the only lengths of its groups, such as `6-4`.
    A capturing group in an expression makes the group the value; the rest is what has to stand around it.

    `check` names a function of `classifiers.checks` that verifies the value; `country_by` one that reads the country off
    it; with `whole` both are asked about all that the expression matched, the value and what stands around it. `alone` is the
    score of a (verified) value without a context word beside it. Words of `unless` beside a value that
    stands alone say that it is something else. With a `joint`, a pattern over the text as it came and not folded, a context
    word counts only before the value and with nothing but the joint between. With `nearest` a context word is one value's
    only: it ends the clause that begins with the value, or no other value stands between them.

    `valid` and `invalid` are values; `found` and `clean` are whole texts that do and do not hold the entity.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}
    id: Annotated[str, MinLen(3), MaxLen(64)]
    entity: Annotated[str, MinLen(2), MaxLen(64)]
    name: Name
    category: Category
    expressions: tuple[str, ...] = ()
    caseless: bool = False
    digits: tuple[Annotated[int, Ge(4), Le(40)], ...] = ()
    groups: tuple[str, ...] = ()
    glued: bool = False
    check: str | None = None
    country: Annotated[str, MinLen(2), MaxLen(2)] | None = None
    country_by: str | None = None
    whole: bool = False
    alone: Permille
    context: tuple[Name, ...] = ()
    joint: str = ""
    unless: tuple[Name, ...] = ()
    nearest: bool = False
    source: Annotated[str, MinLen(8)]
    valid: Annotated[tuple[str, ...], MinLen(1)]
    invalid: Annotated[tuple[str, ...], MinLen(1)]
    found: tuple[str, ...] = ()
    clean: tuple[str, ...] = ()

    def permille(self, *, beside: bool) -> int:
        """The score of a value that passed the check, if there is one; `beside` a context word or not."""
        if not beside:
            return self.alone
        if self.check is not None:
            return 1000 if self._proven else max(self.alone, PLAUSIBLE_PERMILLE)
        return max(self.alone, min(CONTEXT_CEILING, max(CONTEXT_FLOOR, self.alone + CONTEXT_BONUS)))

    def verified(self, *, beside: bool) -> bool:
        """Whether such a value counts as validated: one number in eleven passes a weak check by chance."""
        return self._proven and (beside or self.alone >= STRONG_PERMILLE)

    def number(self, written: str) -> str | None:
        """The digits of `written`, if it is of the shape that `digits` and `groups` say."""
        number = re.sub("[ ./-]", "", written)
        if _GROUPED.fullmatch(written) is None or len(number) not in self.digits:
            return None
        return number if not self.groups or grouped_as(written.encode("ascii"), self.groups) else None

    @property
    def _proven(self) -> bool:
        return self.check is not None and self.check not in PLAUSIBLE


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """One file: `country` (ISO 3166-1 alpha-2) holds for each of its rules; `languages` (ISO 639-1) are its context words'."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}
    country: Annotated[str, MinLen(2), MaxLen(2)] | None = None
    languages: tuple[str, ...] = ()
    rule: Annotated[tuple[dict[str, Any], ...], MinLen(1)]


_GROUPED = re.compile("[0-9](?:[ ./-]?[0-9])*")
_GROUPS = re.compile(r"[0-9]{1,2}(-[0-9]{1,2})+")
_ENTITY = re.compile(r"[A-Z][A-Z0-9_]+")
_BOUNDARY = re.compile(r"\A\(\?<!\[[^\]]+\]\)|\(\?!\[[^\]]+\]\)\Z")
_LOOKING = re.compile(r"\(\?[=!<]|\\[1-9]|\\[pP]")
CATALOGUE = Path(__file__).parent / "catalogue"


def load_rules(directory: Path = CATALOGUE) -> tuple[Rule, ...]:
    """All rules below `directory`, sorted by id. Raises ConfigInvalid, which names the file and the rule."""
    rules = sorted((rule for file in rule_files(directory) for rule in _read(file)), key=lambda rule: rule.id)
    for before, after in pairwise(rules):
        if before.id == after.id:
            raise ConfigInvalid(f"two rules are called `{after.id}`", file=str(directory))
    return tuple(rules)


def rule_files(directory: Path = CATALOGUE) -> Iterable[Path]:
    """The rule files below `directory`, sorted by path."""
    return sorted(directory.rglob("*.toml"))


@cache
def _adapters() -> tuple[TypeAdapter[RuleFile], TypeAdapter[Rule]]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - slow to import, and compiled rules do without

    return TypeAdapter(RuleFile), TypeAdapter(Rule)


def _read(file: Path) -> Iterator[Rule]:
    from pydantic import ValidationError  # noqa: PLC0415 - see above

    files, rules = _adapters()
    try:
        parsed = files.validate_python(tomllib.loads(file.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"is not a rule file: {error}", file=str(file)) from None
    for entry in parsed.rule:
        inherited = {} if parsed.country is None else {"country": parsed.country}
        try:
            rule = rules.validate_python(inherited | entry)
        except ValidationError as error:
            raise ConfigInvalid(f"rule `{entry.get('id')}`: {error}", file=str(file)) from None
        for fault in faults(rule):
            raise ConfigInvalid(f"rule `{rule.id}`: {fault}", file=str(file))
        yield rule


def faults(rule: Rule) -> Iterator[str]:
    """What makes `rule` unusable, in words for its author; nothing for a good one."""
    if bool(rule.expressions) == bool(rule.digits):
        yield "needs either `expressions` or `digits`"
    for groups in rule.groups:
        if _GROUPS.fullmatch(groups) is None or sum(map(int, groups.split("-"))) not in rule.digits:
            yield f"`groups` has `{groups}`, which is no sum of `digits` such as `6-4`"
    if _ENTITY.fullmatch(rule.entity) is None:
        yield "`entity` is not in capitals"
    if not rule.context and rule.alone < CONTEXT_FLOOR and rule.check is None:
        yield "can never be reported: it has no context words and a low score alone"
    if rule.joint and not rule.context:
        yield "`joint` joins nothing: it has no context words"
    try:
        re.compile(rule.joint)
    except re.error as error:
        yield f"`{rule.joint}`: {error}"
    for expression in rule.expressions:
        if _LOOKING.search(_BOUNDARY.sub("", expression)):
            yield f"`{expression}` looks around inside or refers back"
        try:
            if re.compile(expression.encode("ascii")).groups > 1:
                yield f"`{expression}` has more than one capturing group"
        except (re.error, UnicodeEncodeError) as error:
            yield f"`{expression}`: {error}"

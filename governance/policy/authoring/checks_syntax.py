"""The rules of a Rego module as a tree, for checks that say file and line.

It reads what a policy is written in; `opa check` stays the judge of what is Rego. A module that is not understood raises
UnreadError and is left to the engines, so that a check made here never rests on a guess.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from governance.frozen import frozen
from governance.policy.source import Token, code_of

_LEVELS: tuple[frozenset[str], ...] = (
    frozenset([":=", "="]),
    frozenset(["in"]),
    frozenset(["==", "!=", "<", ">", "<=", ">="]),
    frozenset(["|"]),
    frozenset(["&"]),
    frozenset(["+", "-"]),
    frozenset(["*", "/", "%"]),
)
_WORDS = {"true": True, "false": False, "null": None}
_RESERVED = frozenset(["as", "default", "else", "every", "if", "import", "in", "not", "package", "some", "with"])
_MAX_DEPTH = 64


class UnreadError(Exception):
    """A place in a module that this reader does not understand."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


@frozen
class Constant:
    """A string, number, boolean or null."""

    value: str | float | bool | None
    line: int


@frozen
class Ref:
    """A name, or a term, and the steps into it. A name alone is a Ref without steps."""

    head: str | Term
    steps: tuple[Term, ...] = ()
    line: int


@frozen
class Call:
    """A function by its dotted name."""

    name: tuple[str, ...]
    arguments: tuple[Term, ...]
    line: int


@frozen
class Items:
    """An array or a set, by what it is opened with."""

    kind: str
    items: tuple[Term, ...]
    line: int


@frozen
class Object:
    """An object literal."""

    pairs: tuple[tuple[Term, Term], ...]
    line: int


@frozen
class Comprehension:
    """What it collects (one term, or key and value) and from where."""

    kind: str
    heads: tuple[Term, ...]
    body: tuple[Statement, ...]
    line: int


@frozen
class Operation:
    """An operator between terms; `in` has two or three."""

    operator: str
    terms: tuple[Term, ...]
    line: int


@frozen
class Expression:
    """One condition, or an assignment. `overrides` are what each `with` replaces and by what, in turn."""

    term: Term
    negated: bool = False
    overrides: tuple[Term, ...] = ()
    line: int


@frozen
class Some:
    """Names that are declared; with a domain the patterns that each of its members is matched with."""

    targets: tuple[Term, ...]
    domain: Term | None = None
    overrides: tuple[Term, ...] = ()
    line: int


@frozen
class Every:
    """What has to hold for each member of a domain."""

    targets: tuple[Term, ...]
    domain: Term
    body: tuple[Statement, ...]
    overrides: tuple[Term, ...] = ()
    line: int


Term: TypeAlias = Constant | Ref | Call | Items | Object | Comprehension | Operation
Statement: TypeAlias = Expression | Some | Every


@frozen
class Branch:
    """A body with the value it leads to."""

    value: Term | None
    body: tuple[Statement, ...]


@frozen
class Rule:
    """One definition. `key` is what `contains` adds; `arguments` is None for what is no function."""

    name: tuple[str, ...]
    arguments: tuple[Term, ...] | None
    keys: tuple[Term, ...]
    key: Term | None
    branches: tuple[Branch, ...]
    default: bool
    line: int


def rules_of(text: str, file: str) -> tuple[Rule, ...]:
    """The rules of a module, in order. Raises UnreadError, or ConfigInvalid where the text has no tokens."""
    try:
        return tuple(_Reader(code_of(text, file)).rules())
    except RecursionError:
        raise UnreadError(1) from None


def parts(term: Term) -> Iterator[Term]:
    """The terms directly inside `term`; the bodies of comprehensions are not entered."""
    match term:
        case Ref():
            if not isinstance(term.head, str):
                yield term.head
            yield from term.steps
        case Call():
            yield from term.arguments
        case Items():
            yield from term.items
        case Object():
            for pair in term.pairs:
                yield from pair
        case Comprehension():
            yield from term.heads
        case Operation():
            yield from term.terms
        case Constant():
            return


def terms_of(statement: Statement) -> Iterator[Term]:
    """The terms of a statement, without those of the body of an `every`."""
    match statement:
        case Expression():
            yield statement.term
        case Some():
            yield from statement.targets
            if statement.domain is not None:
                yield statement.domain
        case Every():
            yield from statement.targets
            yield statement.domain
    # What a `with` replaces is a place, and neither read nor a variable.
    yield from statement.overrides[1::2]


def within(term: Term) -> Iterator[Term]:
    """`term` and everything inside it, bodies of comprehensions too."""
    yield term
    for part in parts(term):
        yield from within(part)
    if isinstance(term, Comprehension):
        for inner in term.body:
            yield from everything(inner)


def everything(statement: Statement) -> Iterator[Term]:
    """Every term of a statement at any depth."""
    for term in terms_of(statement):
        yield from within(term)
    if isinstance(statement, Every):
        for inner in statement.body:
            yield from everything(inner)


def all_terms(rule: Rule) -> Iterator[Term]:
    """Every term of a rule at any depth."""
    for top in (*(rule.arguments or ()), *rule.keys, *(() if rule.key is None else (rule.key,))):
        yield from within(top)
    for branch in rule.branches:
        if branch.value is not None:
            yield from within(branch.value)
        for statement in branch.body:
            yield from everything(statement)


class _Reader:
    """Recursive descent over the tokens of one module."""

    def __init__(self, code: Sequence[tuple[Token, bool]]) -> None:
        self._code, self._at, self._depth = code, 0, 0

    def rules(self) -> Iterator[Rule]:
        """Every rule up to the end."""
        while self._at < len(self._code):
            token = self._code[self._at][0]
            if token.text in {"package", "import"}:
                self._at += 1
                while self._at < len(self._code) and not self._code[self._at][0].first:
                    self._at += 1
                continue
            yield self._rule()
            if not self._ends():
                raise self._unread()

    # --- tokens ---

    def _unread(self) -> UnreadError:
        at = min(self._at, len(self._code) - 1)
        return UnreadError(self._code[at][0].line if self._code else 1)

    def _text(self) -> str:
        """The text of the next token unless it is a string."""
        if self._at >= len(self._code):
            return ""
        token = self._code[self._at][0]
        return "" if token.kind in {"string", "raw"} else token.text

    def _touching(self, text: str) -> bool:
        return self._text() == text and self._code[self._at][1]

    def _ends(self) -> bool:
        return self._at >= len(self._code) or self._code[self._at][0].first

    def _next(self) -> Token:
        if self._at >= len(self._code):
            raise self._unread()
        self._at += 1
        return self._code[self._at - 1][0]

    def _take(self, text: str) -> bool:
        if self._text() != text:
            return False
        self._at += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unread()

    def _name(self) -> str:
        token = self._next()
        if token.kind != "name" or token.text in _RESERVED:
            self._at -= 1
            raise self._unread()
        return token.text

    # --- rules ---

    def _rule(self) -> Rule:
        default = self._take("default")
        line = self._code[self._at][0].line if self._at < len(self._code) else 1
        name, keys = [self._name()], []
        while self._touching(".") or self._touching("["):
            if self._next().text == ".":
                name.append(self._name())
            else:
                keys.append(self._term())
                self._expect("]")
        arguments = self._listed(")") if self._touching("(") and self._take("(") else None
        key = self._term() if self._take("contains") else None
        value = self._term() if self._take(":=") or self._take("=") else None
        branches = [Branch(value=value, body=self._body())]
        while self._text() in {"else", "{"}:
            if self._take("else"):
                value = self._term() if self._take(":=") or self._take("=") else None
            branches.append(Branch(value=value, body=self._body()))
        return Rule(
            name=tuple(name),
            arguments=arguments,
            keys=tuple(keys),
            key=key,
            branches=tuple(branches),
            default=default,
            line=line,
        )

    def _body(self) -> tuple[Statement, ...]:
        if self._take("if"):
            return self._query() if self._take("{") else (self._statement(),)
        return self._query() if self._take("{") else ()

    def _query(self, end: str = "}") -> tuple[Statement, ...]:
        """The statements up to `end`, which is taken too."""
        found = []
        while not self._take(end):
            found.append(self._statement())
            if not self._take(";") and self._text() != end and not self._ends():
                raise self._unread()
        return tuple(found)

    def _statement(self) -> Statement:
        self._depth += 1
        if self._depth > _MAX_DEPTH or self._at >= len(self._code):
            raise self._unread()
        line = self._code[self._at][0].line
        found: Statement
        if self._take("some"):
            targets, domain = self._targets()
            found = Some(targets=targets, domain=domain, overrides=self._overrides(), line=line)
        elif self._take("every"):
            targets, domain = self._targets()
            self._expect("{")
            body = self._query()
            if domain is None:
                raise self._unread()
            found = Every(targets=targets, domain=domain, body=body, overrides=self._overrides(), line=line)
        else:
            negated = self._take("not")
            term = self._term()
            if self._take(","):
                second = self._term()
                if not isinstance(second, Operation) or second.operator != "in":
                    raise self._unread()
                term = Operation(operator="in", terms=(term, *second.terms), line=line)
            found = Expression(term=term, negated=negated, overrides=self._overrides(), line=line)
        self._depth -= 1
        return found

    def _targets(self) -> tuple[tuple[Term, ...], Term | None]:
        found = [self._term(2)]
        while self._take(","):
            found.append(self._term(2))
        return tuple(found), self._term(2) if self._take("in") else None

    def _overrides(self) -> tuple[Term, ...]:
        found: list[Term] = []
        while self._take("with"):
            found.append(self._term())
            self._expect("as")
            found.append(self._term())
        return tuple(found)

    # --- terms ---

    def _term(self, level: int = 0, *, bar: bool = True) -> Term:
        """A term of operators at `level` or above; without `bar` a `|` ends it."""
        if level == len(_LEVELS):
            return self._operand()
        left = self._term(level + 1, bar=bar)
        while self._text() in _LEVELS[level] and (bar or self._text() != "|"):
            operator = self._next().text
            right = self._term(level + 1, bar=bar)
            left = Operation(operator=operator, terms=(left, right), line=left.line)
        return left

    def _operand(self) -> Term:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._unread()
        found = self._stepped(self._primary())
        self._depth -= 1
        return found

    def _primary(self) -> Term:
        token = self._next()
        line = token.line
        match token.kind, token.text:
            case "string", text:
                try:
                    return Constant(value=json.loads(text), line=line)
                except ValueError:
                    raise UnreadError(line) from None
            case "raw", text:
                return Constant(value=text[1:-1], line=line)
            case "number", text:
                return Constant(value=self._number(text), line=line)
            case "name", ("true" | "false" | "null") as word:
                return Constant(value=_WORDS[word], line=line)
            case "operator", "-":
                return Operation(operator="-", terms=(self._operand(),), line=line)
            case "operator", "(":
                inner = self._term()
                self._expect(")")
                return inner
            case "operator", "[":
                return self._array(line)
            case "operator", "{":
                return self._braces(line)
            case "name", text if text not in _RESERVED:
                return self._chain(text, line)
        self._at -= 1
        raise self._unread()

    def _number(self, text: str) -> float:
        if text[-1] in "eE" and self._text() in {"+", "-"}:
            text += self._next().text + self._next().text
        try:
            return int(text) if text.isdecimal() else float(text)
        except ValueError:
            raise self._unread() from None

    def _chain(self, head: str, line: int) -> Term:
        """A dotted name, or the call of it."""
        names, at = [head], self._at
        while self._touching("."):
            self._at += 1
            names.append(self._name())
        if self._touching("("):
            self._at += 1
            return Call(name=tuple(names), arguments=self._listed(")"), line=line)
        self._at = at
        return Ref(head=head, line=line)

    def _stepped(self, term: Term) -> Term:
        steps: list[Term] = []
        while self._touching(".") or self._touching("["):
            if self._next().text == ".":
                steps.append(Constant(value=self._name(), line=self._code[self._at - 1][0].line))
            else:
                steps.append(self._term())
                self._expect("]")
        if not steps:
            return term
        return Ref(head=term.head if isinstance(term, Ref) else term, steps=tuple(steps), line=term.line)

    def _listed(self, end: str) -> tuple[Term, ...]:
        """Terms with commas between and perhaps after them, up to `end`, which is taken too."""
        found = []
        while not self._take(end):
            found.append(self._term())
            if not self._take(","):
                self._expect(end)
                break
        return tuple(found)

    def _array(self, line: int) -> Term:
        if self._take("]"):
            return Items(kind="[", items=(), line=line)
        first = self._term(bar=False)
        if self._take("|"):
            return Comprehension(kind="[", heads=(first,), body=self._query("]"), line=line)
        return Items(kind="[", items=(first, *self._rest("]")), line=line)

    def _braces(self, line: int) -> Term:
        if self._take("}"):
            return Object(pairs=(), line=line)
        first = self._term(bar=False)
        if self._take("|"):
            return Comprehension(kind="{", heads=(first,), body=self._query(), line=line)
        if not self._take(":"):
            return Items(kind="{", items=(first, *self._rest("}")), line=line)
        value = self._term(bar=False)
        if self._take("|"):
            return Comprehension(kind="{", heads=(first, value), body=self._query(), line=line)
        pairs = [(first, value)]
        while not self._take("}"):
            self._expect(",")
            if self._take("}"):
                break
            key = self._term()
            self._expect(":")
            pairs.append((key, self._term()))
        return Object(pairs=tuple(pairs), line=line)

    def _rest(self, end: str) -> tuple[Term, ...]:
        if self._take(end):
            return ()
        self._expect(",")
        return self._listed(end)

"""The text of a Rego module as the tree of its rules, by recursive descent.

It reads what a policy is written in; `opa check` stays the judge of what is Rego. A module that is not understood raises
UnreadError and is left to the engines, so that a check made here never rests on a guess.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from governance.policy.authoring.cursor import Cursor, UnreadError, is_name
from governance.policy.authoring.syntax import (
    Branch,
    Call,
    Comprehension,
    Constant,
    Every,
    Expression,
    Items,
    Object,
    Operation,
    Ref,
    Rule,
    Some,
    Statement,
    Term,
)

# Operators that bind alike, the loosest first.
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset([":=", "="]),
    frozenset(["in"]),
    frozenset(["==", "!=", "<", ">", "<=", ">="]),
    frozenset(["|"]),
    frozenset(["&"]),
    frozenset(["+", "-"]),
    frozenset(["*", "/", "%"]),
)
_TIGHTER_THAN_IN = 2
_WORDS = {"true": True, "false": False, "null": None}
_MAX_DEPTH = 64


def rules_of(text: str, file: str) -> tuple[Rule, ...]:
    """The rules of a module, in order. Raises UnreadError, or ConfigInvalid where the text has no tokens."""
    try:
        return tuple(_Parser(Cursor(text, file)).rules())
    except RecursionError:
        raise UnreadError(1) from None


class _Parser:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor, self._depth = cursor, 0

    def rules(self) -> Iterator[Rule]:
        """Every rule up to the end."""
        while not self._cursor.done:
            if self._cursor.text in {"package", "import"}:
                self._cursor.read()
                while not self._cursor.ended:
                    self._cursor.read()
                continue
            yield self._rule()
            if not self._cursor.ended:
                raise self._cursor.unread()

    # --- rules ---

    def _rule(self) -> Rule:
        default = self._cursor.take("default")
        line = self._cursor.line
        name, keys = [self._cursor.name().text], []
        while self._cursor.touches(".") or self._cursor.touches("["):
            if self._cursor.take("."):
                name.append(self._cursor.name().text)
            else:
                keys.append(self._bracketed())
        arguments = self._arguments()
        key = self._term() if self._cursor.take("contains") else None
        branches = [Branch(value=self._value(), body=self._body())]
        while self._cursor.text in {"else", "{"}:
            value = self._value() if self._cursor.take("else") else branches[-1].value
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

    def _value(self) -> Term | None:
        return self._term() if self._cursor.take(":=") or self._cursor.take("=") else None

    def _body(self) -> tuple[Statement, ...]:
        if self._cursor.take("if") and self._cursor.text != "{":
            return (self._statement(),)
        return self._query() if self._cursor.take("{") else ()

    def _query(self, end: str = "}") -> tuple[Statement, ...]:
        """The statements up to `end`, which is read too."""
        found = []
        while not self._cursor.take(end):
            found.append(self._statement())
            if not self._cursor.take(";") and self._cursor.text != end and not self._cursor.ended:
                raise self._cursor.unread()
        return tuple(found)

    def _statement(self) -> Statement:
        self._depth += 1
        if self._depth > _MAX_DEPTH or self._cursor.done:
            raise self._cursor.unread()
        line = self._cursor.line
        found: Statement
        if self._cursor.take("some"):
            targets, domain = self._targets()
            found = Some(targets=targets, domain=domain, overrides=self._overrides(), line=line)
        elif self._cursor.take("every"):
            targets, domain = self._targets()
            self._cursor.expect("{")
            body = self._query()
            if domain is None:
                raise self._cursor.unread()
            found = Every(targets=targets, domain=domain, body=body, overrides=self._overrides(), line=line)
        else:
            negated = self._cursor.take("not")
            found = Expression(term=self._condition(line), negated=negated, overrides=self._overrides(), line=line)
        self._depth -= 1
        return found

    def _condition(self, line: int) -> Term:
        """A term, or `key, value in domain`."""
        term = self._term()
        if not self._cursor.take(","):
            return term
        second = self._term()
        if not isinstance(second, Operation) or second.operator != "in":
            raise self._cursor.unread()
        return Operation(operator="in", terms=(term, *second.terms), line=line)

    def _targets(self) -> tuple[tuple[Term, ...], Term | None]:
        """What `some` or `every` declares, and the domain after `in`."""
        found = [self._term(_TIGHTER_THAN_IN)]
        while self._cursor.take(","):
            found.append(self._term(_TIGHTER_THAN_IN))
        return tuple(found), self._term(_TIGHTER_THAN_IN) if self._cursor.take("in") else None

    def _overrides(self) -> tuple[Term, ...]:
        found: list[Term] = []
        while self._cursor.take("with"):
            found.append(self._term())
            self._cursor.expect("as")
            found.append(self._term())
        return tuple(found)

    # --- terms ---

    def _term(self, level: int = 0, *, bar: bool = True) -> Term:
        """A term of operators at `level` or above; without `bar` a `|` ends it."""
        if level == len(_LEVELS):
            return self._operand()
        left = self._term(level + 1, bar=bar)
        while self._cursor.text in _LEVELS[level] and (bar or self._cursor.text != "|"):
            operator = self._cursor.read().text
            right = self._term(level + 1, bar=bar)
            left = Operation(operator=operator, terms=(left, right), line=left.line)
        return left

    def _operand(self) -> Term:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._cursor.unread()
        term = self._primary()
        steps: list[Term] = []
        while self._cursor.touches(".") or self._cursor.touches("["):
            steps.append(self._bracketed() if self._cursor.text == "[" else self._dotted())
        self._depth -= 1
        match term:
            case _ if not steps:
                return term
            case Ref():
                return Ref(head=term.head, steps=(*term.steps, *steps), line=term.line)
            case _:
                return Ref(head=term, steps=tuple(steps), line=term.line)

    def _primary(self) -> Term:
        token = self._cursor.read()
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
                self._cursor.expect(")")
                return inner
            case "operator", "[":
                return self._array(line)
            case "operator", "{":
                return self._braces(line)
            case _ if is_name(token):
                return self._chain(token.text, line)
            case _:
                raise UnreadError(line)

    def _number(self, text: str) -> float:
        if text[-1] in "eE" and self._cursor.text in {"+", "-"}:
            text += self._cursor.read().text + self._cursor.read().text
        try:
            return int(text) if text.isdecimal() else float(text)
        except ValueError:
            raise self._cursor.unread() from None

    def _chain(self, head: str, line: int) -> Term:
        """A dotted name, or the call of it."""
        steps: list[Term] = []
        names = [head]
        while self._cursor.touches("."):
            self._cursor.expect(".")
            token = self._cursor.name()
            names.append(token.text)
            steps.append(Constant(value=token.text, line=token.line))
        arguments = self._arguments()
        if arguments is None:
            return Ref(head=head, steps=tuple(steps), line=line)
        return Call(name=tuple(names), arguments=arguments, line=line)

    def _arguments(self) -> tuple[Term, ...] | None:
        """What stands in the parentheses that touch a name, None without them."""
        if not self._cursor.touches("("):
            return None
        self._cursor.expect("(")
        return self._listed(")")

    def _dotted(self) -> Term:
        self._cursor.expect(".")
        token = self._cursor.name()
        return Constant(value=token.text, line=token.line)

    def _bracketed(self) -> Term:
        self._cursor.expect("[")
        term = self._term()
        self._cursor.expect("]")
        return term

    def _listed(self, end: str) -> tuple[Term, ...]:
        """Terms with commas between and perhaps after them, up to `end`, which is read too."""
        found = []
        while not self._cursor.take(end):
            found.append(self._term())
            if not self._cursor.take(","):
                self._cursor.expect(end)
                break
        return tuple(found)

    def _array(self, line: int) -> Term:
        if self._cursor.take("]"):
            return Items(kind="[", items=(), line=line)
        first = self._term(bar=False)
        if self._cursor.take("|"):
            return Comprehension(kind="[", heads=(first,), body=self._query("]"), line=line)
        return Items(kind="[", items=(first, *self._rest("]")), line=line)

    def _braces(self, line: int) -> Term:
        if self._cursor.take("}"):
            return Object(pairs=(), line=line)
        first = self._term(bar=False)
        if self._cursor.take("|"):
            return Comprehension(kind="{", heads=(first,), body=self._query(), line=line)
        if not self._cursor.take(":"):
            return Items(kind="{", items=(first, *self._rest("}")), line=line)
        value = self._term(bar=False)
        if self._cursor.take("|"):
            return Comprehension(kind="{", heads=(first, value), body=self._query(), line=line)
        pairs = [(first, value)]
        while not self._cursor.take("}"):
            self._cursor.expect(",")
            if self._cursor.take("}"):
                break
            key = self._term()
            self._cursor.expect(":")
            pairs.append((key, self._term()))
        return Object(pairs=tuple(pairs), line=line)

    def _rest(self, end: str) -> tuple[Term, ...]:
        """What follows the first item, up to `end`, which is read too."""
        if self._cursor.take(end):
            return ()
        self._cursor.expect(",")
        return self._listed(end)

"""What can be said about a Rego module without running it: package, annotations, references, calls.

A tokeniser is enough because everything here errs on the safe side: a reference that is not understood counts as a
read of the whole input, a call that is not understood is an error. Types, safety of variables and arity are left to
`opa check --strict`, which the tests of a bundle run.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from governance.errors import ConfigInvalid
from governance.frozen import frozen

Path = tuple[str, ...]

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<template>\$["`])
      | (?P<raw>`[^`]*`)
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<name>[A-Za-z_]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<newline>\n)
      | (?P<space>[ \t\r]+)
      | (?P<operator>:=|==|!=|<=|>=|.)""",
    re.VERBOSE | re.DOTALL,
)
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_KEYWORDS = frozenset(
    ["as", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package", "some", "true", "with"]
)
# A line that starts after one of these goes on with the expression before it and defines no rule.
_CONTINUES = _KEYWORDS - {"default", "false", "import", "null", "package", "true"} | frozenset(
    [":=", "=", "==", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "&", "|", ",", ";", "contains"]
)
_OPTIONAL_PACKAGES = (("rego", "v1"), ("future", "keywords"))


@frozen
class Reference:
    """A chain of names in the source, such as `input.request.model`, as far as it is static."""

    path: Path
    line: int
    called: bool = False


@frozen
class Module:
    """One `.rego` file. `name` is unique in its bundle; `package` is without the leading `data`.

    `overrides` are the lines on which `with` replaces a document.
    """

    name: str
    file: str
    text: str
    package: Path
    package_line: int
    imports: Mapping[str, Path]
    rules: frozenset[str]
    references: tuple[Reference, ...]
    annotations: Mapping[str, object] | None
    overrides: tuple[int, ...] = ()

    def absolute(self, reference: Reference) -> Path:
        """The path of `reference` with the module's imports resolved."""
        root = self.imports.get(reference.path[0])
        return reference.path if root is None else root + reference.path[1:]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the source. `kind` is name, number, string, raw, operator or space."""

    kind: str
    text: str
    line: int
    depth: int
    first: bool  # nothing but space stands before it on its line


def _tokens(text: str, file: str) -> list[Token]:
    found: list[Token] = []
    line, depth, first = 1, 0, True
    for match in _TOKEN.finditer(text):
        kind, value = str(match.lastgroup), match.group()
        if kind == "template" or value in {'"', "`", "$"}:
            fault = "string interpolation is not allowed: use `sprintf`" if kind == "template" else "unclosed string"
            raise ConfigInvalid(fault, file=file, line=line)
        if kind == "operator" and value in _CLOSE:
            depth -= 1
        if kind not in {"comment", "space", "newline"}:
            found.append(Token(kind, value, line, depth, first))
            first = False
        elif kind == "space":
            found.append(Token(kind, value, line, depth, first))
        if kind == "operator" and value in _OPEN:
            depth += 1
        line += value.count("\n")
        first = first or kind == "newline"
    return found


def code_of(text: str, file: str) -> list[tuple[Token, bool]]:
    """The tokens of `text` without space, each with whether it touches the one before it. Raises ConfigInvalid."""
    found, touches = [], False
    for token in _tokens(text, file):
        if token.kind != "space":
            found.append((token, touches and not token.first))
        touches = token.kind != "space"
    return found


def _chains(tokens: list[Token]) -> Iterator[tuple[Reference, Token, str]]:
    """Every chain of names, the token it starts with, and the text of the token before it."""
    at, previous = 0, ""
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token.kind != "name" or token.text in _KEYWORDS or previous == ".":
            previous = token.text if token.kind != "space" else previous
            continue
        path = [token.text]
        while at + 1 < len(tokens) and tokens[at].text == "." and tokens[at + 1].kind == "name":
            path.append(tokens[at + 1].text)
            at += 2
        after = next((t for t in tokens[at : at + 2] if t.kind != "space"), None)
        called = after is not None and after.text == "(" and after.line == token.line
        yield Reference(path=tuple(path), line=token.line, called=called), token, previous
        previous = path[-1]


def _refuse_rebinding(tokens: list[Token], file: str) -> None:
    """Raises ConfigInvalid where a name is declared twice by `:=` in one block: regopy takes it for true."""
    scopes: list[set[str]] = [set()]
    code = [token for token in tokens if token.kind != "space"]
    for before, token in itertools.pairwise(code):
        if before.text in _OPEN:
            scopes.append(set())
        elif before.text in _CLOSE and len(scopes) > 1:
            scopes.pop()
        if token.text == ":=" and before.kind == "name" and len(scopes) > 1:
            if before.text in scopes[-1]:
                raise ConfigInvalid(f"`{before.text}` is assigned twice in one block", file=file, line=token.line)
            scopes[-1].add(before.text)


def _refuse_bracket_calls(tokens: list[Token], file: str) -> None:
    """Raises ConfigInvalid for a call of something that is not a dotted name, whose target nobody could check.

    regopy takes a name with space in it for one name, and a bracket on the next line for a call; OPA does not.
    """
    for before, token in itertools.pairwise(tokens):
        if "." in (before.text, token.text) and ("space" in (before.kind, token.kind) or token.first):
            raise ConfigInvalid("a dotted name is written without space", file=file, line=token.line)
    code = [token for token in tokens if token.kind != "space"]
    for before, token in itertools.pairwise(code):
        if token.text != "(":
            continue
        if before.text in _CLOSE - {"}"}:
            raise ConfigInvalid("a function is called by its dotted name", file=file, line=token.line)
        if token.first and before.kind == "name" and before.text not in _KEYWORDS:
            raise ConfigInvalid("a bracket stands on the line of what it calls", file=file, line=token.line)


def _annotations(text: str, package_line: int, file: str) -> Mapping[str, object] | None:
    """The METADATA block right above the package statement, or None."""
    lines = text.splitlines()
    start = package_line - 1
    while start > 0 and lines[start - 1].startswith("#"):
        start -= 1
    block = [line.removeprefix("#") for line in lines[start : package_line - 1]]
    if "METADATA" not in (line.strip() for line in block):
        return None
    first = [line.strip() for line in block].index("METADATA") + 1
    try:
        loaded = yaml.safe_load("\n".join(block[first:]))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = start + first + 1 + (mark.line if mark is not None else 0)
        raise ConfigInvalid("metadata is not valid YAML", file=file, line=line) from None
    if not isinstance(loaded, dict):
        raise ConfigInvalid("metadata is not a mapping", file=file, line=start + first)
    return loaded


def _statement(tokens: list[Token], word: str) -> Iterator[tuple[list[Token], int]]:
    """The tokens of each `package` or `import` statement, and its line."""
    for at, token in enumerate(tokens):
        if token.first and token.depth == 0 and token.text == word:
            end = at + 1
            while end < len(tokens) and tokens[end].line == token.line:
                end += 1
            yield [t for t in tokens[at + 1 : end] if t.kind != "space"], token.line


def _dotted(tokens: list[Token]) -> Path | None:
    names, dots = tokens[::2], tokens[1::2]
    if not names or any(t.kind != "name" for t in names) or any(t.text != "." for t in dots) or len(tokens) % 2 == 0:
        return None
    return tuple(token.text for token in names)


def _imports(tokens: list[Token], file: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for rest, line in _statement(tokens, "import"):
        aliased = len(rest) > 2 and rest[-2].text == "as"
        path = _dotted(rest[:-2] if aliased else rest)
        if path is not None and path[:2] in _OPTIONAL_PACKAGES:
            continue
        if path is None or path[0] not in {"data", "input"}:
            raise ConfigInvalid("an import names a path under `data` or `input`", file=file, line=line)
        alias = rest[-1].text
        if alias in {"data", "input"} and path != (alias,):
            raise ConfigInvalid(f"`{alias}` cannot be the name of an import", file=file, line=line)
        found[alias] = path
    return found


def read_module(*, name: str, file: str, text: str) -> Module:
    """What `text` declares. Raises ConfigInvalid with the line for what no engine of ours would read alike."""
    tokens = _tokens(text, file)
    _refuse_rebinding(tokens, file)
    _refuse_bracket_calls(tokens, file)
    packages = list(_statement(tokens, "package"))
    if len(packages) != 1:
        raise ConfigInvalid("a module has one package statement", file=file, line=1)
    package = _dotted(packages[0][0])
    package_line = packages[0][1]
    if package is None:
        raise ConfigInvalid("a package is a dotted name", file=file, line=package_line)
    statements = {line for word in ("package", "import") for _, line in _statement(tokens, word)}
    imports = _imports(tokens, file)
    rules: set[str] = set()
    references: list[Reference] = []
    for reference, token, previous in _chains(tokens):
        if token.line in statements:
            continue
        if previous in {"as", "with"} and reference.path[0] in imports:
            # regopy 1.5.2 ends the whole process when it compiles this.
            raise ConfigInvalid("`with` takes no import: bind it to a variable first", file=file, line=token.line)
        if (token.first and token.depth == 0 and previous not in _CONTINUES) or previous == "default":
            rules.add(".".join(reference.path))
        # Also the name of a rule: what was taken for one may be the end of an expression, and reads what it names.
        references.append(reference)
    return Module(
        name=name,
        file=file,
        text=text,
        package=package,
        package_line=package_line,
        imports=imports,
        rules=frozenset(rules),
        references=tuple(references),
        annotations=_annotations(text, package_line, file),
        overrides=tuple(token.line for token in tokens if token.kind == "name" and token.text == "with"),
    )


def position(error: str, text: str) -> tuple[str, int]:
    """The message and line (1-based) in regopy's `(error N:file|offset|length (errormsg N:text) ...)`."""
    offset = re.search(r"\|(\d+)\|\d+", error)
    message = re.search(r"\(errormsg \d+:([^)]*)\)", error)
    line = text.encode()[: int(offset.group(1))].count(b"\n") + 1 if offset else 1
    return (message.group(1).lower() if message else "syntax error"), line

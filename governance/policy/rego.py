"""Rego without a daemon: regopy, hardened against its known defects.

regopy stores strings unescaped and prints them raw, so a value of the request that holds quotes could write itself
into the result. Here a string goes in as JSON text, and the result is read node by node and never as text: whatever a
string holds, it cannot become structure. An interpreter belongs to one thread, because the input is its state.

Knows no policy and no bundle, so that a process that only evaluates starts fast.

LIMIT: functions that look inside a string (`count`, `substring`, `regex.match`) see the JSON text of its quotes,
backslashes and control characters. Equality and lookup are exact.
LIMIT: regopy has no deadline and cannot be interrupted; its own limit is ten million statements.
"""

from __future__ import annotations

import ctypes
import json
import re
import threading
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring
from typing import Any, Final, Literal

import orjson
from regopy import Interpreter
from regopy.rego_shared import LogLevel, NodeKind, RegoError
from regopy.rego_shared import rego as _c

from governance.errors import PolicyUnavailable

_OK = 0
_MAX_DEPTH = 32
_MAX_NODES = 20_000
_SHORT = 256
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
# regopy 1.5.2 counts too few local variables in a bundle whose rules are constants, and then refuses to run it
# ("raw index >= local_count"). The count is one for all modules: a module with spare ones makes up for it.
_PADDING = (
    "package ringfence.lib.padding\n\nunused if {\n\tx0 := input.x\n"
    + "".join(f"\tx{at} := x{at - 1}\n" for at in range(1, 32))
    + "}\n"
)
_NEEDS_ESCAPE = re.compile(r'["\\\x00-\x1f]')

_OBJECT, _ITEM = int(NodeKind.Object), int(NodeKind.ObjectItem)
_LISTS = frozenset({int(NodeKind.Array), int(NodeKind.Set)})
_STRING, _INT = int(NodeKind.String), int(NodeKind.Int)
_TERMS, _RESULTS, _UNDEFINED = int(NodeKind.Terms), int(NodeKind.Results), int(NodeKind.Undefined)
_WRAPPERS = frozenset({int(NodeKind.Term), int(NodeKind.Scalar), int(NodeKind.Boolean)})
_CONSTANTS = {int(NodeKind.True_): True, int(NodeKind.False_): False, int(NodeKind.Null): None}


class NotCompiled(Exception):
    """The modules do not compile."""


class _UnfitError(Exception):
    """A document that regopy would not hold exactly."""


class _UnreadableError(Exception):
    """A result that is not JSON."""


class Failed:
    """No value: the rule could not be evaluated, its value is no JSON, or the document is not for this engine."""

    __slots__ = ("kind",)

    def __init__(self, kind: Literal["eval", "schema", "unsupported"]) -> None:
        self.kind = kind


EVAL: Final = Failed("eval")
SCHEMA: Final = Failed("schema")
UNSUPPORTED: Final = Failed("unsupported")


class Rego:
    """Compiled modules with their data. Used on the thread that made it.

    regopy neither replaces data nor forgets entry points: other modules are another Rego. Raises NotCompiled.
    """

    def __init__(self, modules: Iterable[tuple[str, str]], data: bytes, entrypoints: Sequence[str]) -> None:
        self._owner = threading.get_ident()
        self._interpreter = Interpreter()
        # Parse errors would be written to the standard streams of the process.
        self._interpreter.log_level = LogLevel.NONE
        # An unsupported builtin is an error at evaluation instead of undefined, which `not` would turn into true.
        self._interpreter.strict_built_in_errors = True
        try:
            self._interpreter.add_data_json(data.decode())
            for name, text in modules:
                self._interpreter.add_module(name, text)
            self._interpreter.add_module("padding", _PADDING)
            self._compiled = self._interpreter.build(None, list(entrypoints))
        except RegoError:
            raise NotCompiled from None
        if not self._compiled.ok():
            raise NotCompiled
        self._entrypoints = {name: name.encode() for name in entrypoints}

    def take(self, document: bytes) -> bool:
        """Makes `document`, which is JSON, the input of what is asked next. False where it cannot be held exactly.

        Raises PolicyUnavailable when called from another thread than the one that made it.
        """
        if threading.get_ident() != self._owner:
            raise PolicyUnavailable("an interpreter belongs to the thread that made it")
        try:
            self.take_value(orjson.loads(document))
        except (_UnfitError, ValueError, RecursionError):
            return False
        return True

    def take_value(self, value: object) -> None:
        """The same for a document that is read already. Raises where it cannot be held exactly."""
        stack = _c.regoNewInput()
        try:
            _push(stack, value, 0)
            if _c.regoSetInput(self._interpreter._impl, stack) != _OK:  # noqa: SLF001
                raise _UnfitError
        finally:
            _c.regoFreeInput(stack)

    def value(self, entrypoint: str) -> object:
        """The value of a rule on the input taken before, None where it is undefined, or how it Failed."""
        name = self._entrypoints[entrypoint]
        # The public method builds objects that this path does not need.
        output = _c.regoBundleQueryEntrypoint(self._interpreter._impl, self._compiled._impl, name)  # noqa: SLF001
        if not output:
            return EVAL
        try:
            return _result(output) if _c.regoOutputOk(output) else EVAL
        except (_UnreadableError, ValueError, RecursionError):
            return SCHEMA
        finally:
            _c.regoFreeOutput(output)


def version() -> str:
    """The version of the Rego implementation."""
    from importlib.metadata import version as installed  # noqa: PLC0415  (reads files; needed once per start)

    return f"regopy {installed('regopy')}"


# --- into the interpreter ------------------------------------------------------------------------------------------


def _escaped(text: str) -> bytes:
    r"""`text` as JSON text without its quotes; characters outside ASCII stay, regopy does not decode `\\uXXXX`."""
    if _NEEDS_ESCAPE.search(text):
        text = encode_basestring(text)[1:-1]
    return text.encode()


def _push(stack: Any, value: object, depth: int) -> None:
    kind = type(value)
    if kind is str:
        code = _c.regoInputString(stack, _escaped(value))  # type: ignore[arg-type]
    elif kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            _c.regoInputString(stack, _escaped(key))
            _push(stack, item, depth + 1)
            _c.regoInputObjectItem(stack)
        code = _c.regoInputObject(stack, len(value))  # type: ignore[arg-type]
    elif kind is list:
        for item in value:  # type: ignore[attr-defined]
            _push(stack, item, depth + 1)
        code = _c.regoInputArray(stack, len(value))  # type: ignore[arg-type]
    elif kind is bool:
        code = _c.regoInputBoolean(stack, value)
    elif value is None:
        code = _c.regoInputNull(stack)
    elif kind is int and _INT_MIN <= value <= _INT_MAX:  # type: ignore[operator]
        # ctypes would cut a wider number silently, and floats lose everything below six decimals.
        code = _c.regoInputInt(stack, value)
    else:
        raise _UnfitError
    if code != _OK or depth > _MAX_DEPTH:
        raise _UnfitError


# --- out of the interpreter ----------------------------------------------------------------------------------------


def _result(output: Any) -> object:
    """The value of the rule, None where it is undefined, EVAL where evaluation ended in an error."""
    root = _c.regoOutputNode(output)
    kind = _c.regoNodeType(root)
    if kind == _UNDEFINED:
        return None
    # An error can call itself ok, and its text quotes the input: only the shape of a result is trusted.
    if kind != _RESULTS or _c.regoNodeSize(root) != 1:
        return EVAL
    terms = _c.regoNodeGet(_c.regoNodeGet(root, 0), 0)
    if _c.regoNodeType(terms) != _TERMS or _c.regoNodeSize(terms) != 1:
        return EVAL
    return _Reader().value(_c.regoNodeGet(terms, 0))


class _Reader:
    """Turns nodes into Python values, up to `_MAX_NODES` of them."""

    __slots__ = ("_buffer", "_left")

    def __init__(self) -> None:
        self._left = _MAX_NODES
        self._buffer = ctypes.create_string_buffer(_SHORT)

    def value(self, node: Any, depth: int = 0) -> object:
        """The value of `node`. Raises _UnreadableError."""
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise _UnreadableError
        kind = _c.regoNodeType(node)
        while kind in _WRAPPERS and _c.regoNodeSize(node) == 1:
            node = _c.regoNodeGet(node, 0)
            kind = _c.regoNodeType(node)
        if kind == _STRING:
            return _unescaped(self._raw(node))
        if kind == _OBJECT:
            return self._object(node, depth)
        if kind in _LISTS:
            return [self.value(_c.regoNodeGet(node, at), depth + 1) for at in range(_c.regoNodeSize(node))]
        if kind == _INT:
            return int(self._raw(node))
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        raise _UnreadableError

    def _object(self, node: Any, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        size = _c.regoNodeSize(node)
        for at in range(size):
            item = _c.regoNodeGet(node, at)
            if _c.regoNodeType(item) != _ITEM:
                raise _UnreadableError
            key = self.value(_c.regoNodeGet(item, 0), depth + 1)
            if not isinstance(key, str):
                raise _UnreadableError
            found[key] = self.value(_c.regoNodeGet(item, 1), depth + 1)
        if len(found) != size:
            raise _UnreadableError
        return found

    def _raw(self, node: Any) -> str:
        size = _c.regoNodeValueSize(node)
        buffer = self._buffer if size <= _SHORT else ctypes.create_string_buffer(size)
        if _c.regoNodeValue(node, buffer, size) != _OK:
            raise _UnreadableError
        return ctypes.string_at(buffer, size - 1).decode()


def _unescaped(text: str) -> str:
    """The string whose JSON text is `text`, with its quotes (as some builtins leave it) or without.

    Raises ValueError where a quote stands bare in it: only a builtin that decodes (`base64.decode`) makes such text.
    """
    if not _NEEDS_ESCAPE.search(text):
        return text
    return str(json.loads(text if text[0] == '"' else f'"{text}"'))

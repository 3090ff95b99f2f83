"""Rego without a daemon: regopy, hardened against its known defects.

regopy stores strings unescaped and prints them raw, so a value of the request that holds quotes could write itself
into the result. Here a string goes in as JSON text, and the result is read node by node and never as text: whatever a
string holds, it cannot become structure. One engine belongs to one thread, because the input is interpreter state.

LIMIT: functions that look inside a string (`count`, `substring`, `regex.match`) see the JSON text of its quotes,
backslashes and control characters. Equality and lookup are exact.
LIMIT: regopy has no deadline and cannot be interrupted; its own limit is ten million statements.
"""

from __future__ import annotations

import ctypes
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from json.encoder import encode_basestring
from typing import Any

import orjson
from regopy import Interpreter
from regopy.rego_shared import LogLevel, NodeKind, RegoError
from regopy.rego_shared import rego as _c

from governance.decision import Contribution
from governance.errors import ConfigInvalid, PolicyUnavailable
from governance.policy.bundle import Bundle, Policy, canonical
from governance.policy.reads import reachable
from governance.policy.result import contribution_of, failure_of
from governance.policy.source import Module

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


class _UnfitError(Exception):
    """A document that this engine would not hold exactly."""


class _UnreadableError(Exception):
    """A result that is not JSON."""


class EmbeddedEngine:
    """Evaluates the policies of one bundle on the thread that made it.

    Built once per bundle and thread: regopy neither replaces data nor forgets entry points. Raises ConfigInvalid where
    the bundle does not compile or a policy fails on the rehearsal documents.
    """

    name = "embedded"

    def __init__(self, bundle: Bundle, *, rehearsals: Sequence[bytes] = ()) -> None:
        self._owner = threading.get_ident()
        self._policies = {policy.id: policy for policy in bundle.policies}
        self._entrypoints = {policy.id: policy.entrypoint.encode() for policy in bundle.policies}
        names = [policy.entrypoint for policy in bundle.policies]
        self._interpreter, self._compiled = _compile(bundle, bundle.modules, names)
        for document in rehearsals:
            self._rehearse(document)

    def evaluate(self, policies: Sequence[str], document: bytes) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order. `document` is canonical JSON without floats.

        Raises PolicyUnavailable when called from another thread than the one that made the engine.
        """
        if threading.get_ident() != self._owner:
            raise PolicyUnavailable("an interpreter belongs to the thread that made it")
        chosen = [self._policies[id_] for id_ in policies]
        try:
            self._set_input(orjson.loads(document))
        except (_UnfitError, ValueError, RecursionError):
            return tuple(failure_of(policy, "unsupported") for policy in chosen)
        return tuple(self._ask(policy) for policy in chosen)

    def agrees(self, policy: str, case: Mapping[str, Any]) -> bool:
        """Whether `policy` says to the input of `case` what the case says it does."""
        self._set_input(case["input"])
        said = _query(self._interpreter, self._compiled, self._entrypoints[policy])
        if not isinstance(said, list):
            return False
        rules = sorted({(one["effect"], one["rule"]) for one in said})
        whole = sorted(map(canonical, case.get("effects", said)))
        return rules == sorted({(effect, rule) for effect, rule in case["rules"]}) and whole == sorted(
            map(canonical, said)
        )

    def _ask(self, policy: Policy) -> Contribution:
        try:
            found = _query(self._interpreter, self._compiled, self._entrypoints[policy.id])
        except (_UnreadableError, ValueError, RecursionError):
            return failure_of(policy, "schema")
        return failure_of(policy, "eval") if found is _FAILED else contribution_of(policy, found)

    def _set_input(self, value: object) -> None:
        stack = _c.regoNewInput()
        try:
            _push(stack, value, 0)
            if _c.regoSetInput(self._interpreter._impl, stack) != _OK:  # noqa: SLF001
                raise _UnfitError
        finally:
            _c.regoFreeInput(stack)

    def _rehearse(self, document: bytes) -> None:
        """Raises ConfigInvalid for a policy that fails on `document`: what is wrong always should be seen at load."""
        for said in self.evaluate(list(self._policies), document):
            if said.failure is not None:
                policy = self._policies[said.policy]
                kind = "its effects do not fit the schema" if said.failure == "schema" else "it cannot be evaluated"
                raise ConfigInvalid(f"policy `{policy.id}` fails on a sample request: {kind}", file=policy.file, line=1)


def version() -> str:
    """The version of the Rego implementation."""
    from importlib.metadata import version as installed  # noqa: PLC0415  (reads files; needed once per start)

    return f"regopy {installed('regopy')}"


def cases_of(bundle: Bundle, tests: Sequence[Module]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Policy id, name and value of each case that a test module `ringfence.policy.<id>_test` lists in `cases`.

    Cases are values because `with` is no way to test on regopy: compiling it can end the process.
    Raises ConfigInvalid where they cannot be read.
    """
    for test in tests:
        if "cases" not in test.rules:
            continue
        entrypoint = "/".join((*test.package, "cases"))
        library = [one for one in tests if one.package[:2] != test.package[:2]]
        plain = [replace(one, text=_without_tests(one.text)) for one in (test, *library)]
        interpreter, compiled = _compile(bundle, reachable((*bundle.modules, *plain), [test.package]), [entrypoint])
        try:
            found = _query(interpreter, compiled, entrypoint.encode())
        except (_UnreadableError, ValueError, RecursionError):
            found = _FAILED
        if not isinstance(found, dict):
            raise ConfigInvalid("`cases` cannot be evaluated", file=test.file)
        for name, case in found.items():
            yield test.package[-1].removesuffix("_test"), name, case


def _without_tests(text: str) -> str:
    """`text` up to its first rule that starts with `test_`: those come last, and they hold the `with`."""
    return re.split(r"^test_", text, maxsplit=1, flags=re.MULTILINE)[0]


def _compile(bundle: Bundle, modules: Sequence[Module], entrypoints: Sequence[str]) -> tuple[Any, Any]:
    interpreter = Interpreter()
    # Parse errors would be written to the standard streams of the process.
    interpreter.log_level = LogLevel.NONE
    # An unsupported builtin is an error at evaluation instead of undefined, which `not` would turn into true.
    interpreter.strict_built_in_errors = True
    try:
        interpreter.add_data_json(canonical(dict(bundle.data)).decode())
        for module in modules:
            interpreter.add_module(module.name, module.text)
        interpreter.add_module("padding", _PADDING)
        compiled = interpreter.build(None, entrypoints)
    except RegoError:
        raise ConfigInvalid("the policies do not compile", file=str(bundle.directories[0])) from None
    if not compiled.ok():
        raise ConfigInvalid("the policies do not compile", file=str(bundle.directories[0]))
    return interpreter, compiled


def _query(interpreter: Any, compiled: Any, entrypoint: bytes) -> object:
    """The value of a rule on the input set before, None where it is undefined, FAILED where evaluation failed.

    Raises _UnreadableError or ValueError where the value is not JSON.
    """
    # The public method builds objects that this path does not need.
    output = _c.regoBundleQueryEntrypoint(interpreter._impl, compiled._impl, entrypoint)  # noqa: SLF001
    if not output:
        return _FAILED
    try:
        return _result(output) if _c.regoOutputOk(output) else _FAILED
    finally:
        _c.regoFreeOutput(output)


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

_FAILED = object()


def _result(output: Any) -> object:
    """The value of the rule, None where it is undefined, `_FAILED` where evaluation ended in an error."""
    root = _c.regoOutputNode(output)
    kind = _c.regoNodeType(root)
    if kind == _UNDEFINED:
        return None
    # An error can call itself ok, and its text quotes the input: only the shape of a result is trusted.
    if kind != _RESULTS or _c.regoNodeSize(root) != 1:
        return _FAILED
    terms = _c.regoNodeGet(_c.regoNodeGet(root, 0), 0)
    if _c.regoNodeType(terms) != _TERMS or _c.regoNodeSize(terms) != 1:
        return _FAILED
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

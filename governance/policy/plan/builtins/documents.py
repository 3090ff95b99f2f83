"""json.filter, json.remove, json.patch and walk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from governance.policy.plan.builtins.comparison import at
from governance.policy.plan.builtins.error import UNDEFINED, BuiltinError
from governance.policy.plan.builtins.operand import (
    MAX_DEPTH,
    MAX_SIZE,
    Builtin,
    array,
    elements,
    guarded,
    mapping,
    type_name,
)
from governance.policy.plan.values import Key, Set, Value, equal, key_of, name_of, ordered, sorted_values

_Tree = dict[str | Key, "_Tree | None"]  # the paths of an operand; None where one ends


def only(a: Value, b: Value) -> Value:
    """An object with what lies at the paths `b`, and nothing else."""
    return _only(mapping(a, 1), _tree(b))


def without(a: Value, b: Value) -> Value:
    """An object without what lies at the paths `b`."""
    return _without(mapping(a, 1), _tree(b))


def _tree(paths: Value) -> _Tree:
    root: _Tree = {}
    for written in elements(paths, 2):
        path = _path(written)
        node: _Tree | None = root
        for step in path[:-1]:
            if node is not None:
                node = node.setdefault(key_of(step), {})
        if path and node is not None:
            node[key_of(path[-1])] = None
    return root


def _path(written: Value) -> list[Value]:
    if type(written) is list:
        path: list[Value] = written
    elif type(written) is str:
        parts = written.lstrip("/").split("/") if written else []
        path = [part.replace("~1", "/").replace("~0", "~") for part in parts]
    else:
        raise BuiltinError(f"a path must be a string or an array of segments but is {type_name(written)}")
    if len(path) > MAX_DEPTH:
        raise BuiltinError("path too long")
    return path


def _only(value: Value, tree: _Tree | None) -> Value:
    if tree is None:
        return value
    if type(value) is dict:
        return {key: _only(item, tree[key]) for key, item in value.items() if key in tree}
    if type(value) is list:
        return [_only(item, tree[str(i)]) for i, item in enumerate(value) if str(i) in tree]
    if type(value) is Set:
        return Set(_only(item, tree[key]) for key, item in value.members.items() if key in tree)
    return value


def _without(value: Value, tree: _Tree) -> Value:
    if type(value) is dict:
        return {key: _less(item, tree, key) for key, item in value.items() if _stays(tree, key)}
    if type(value) is list:
        return [_less(item, tree, str(i)) for i, item in enumerate(value) if _stays(tree, str(i))]
    if type(value) is Set:
        return Set(_less(item, tree, key) for key, item in value.members.items() if _stays(tree, key))
    return value


def _stays(tree: _Tree, key: str | Key) -> bool:
    return tree.get(key, _UNTOUCHED) is not None


def _less(value: Value, tree: _Tree, key: str | Key) -> Value:
    below = tree.get(key)
    return value if below is None else _without(value, below)


_UNTOUCHED: Final[_Tree] = {}


def patch(a: Value, b: Value) -> Value:
    """A value with the operations of a JSON Patch, in turn. RFC 6902, and paths into sets."""
    value = a
    for operation in array(b, 2):
        if type(operation) is not dict:
            raise BuiltinError("operand 2 must be an array of objects")
        value = _patched(value, operation)
        if value is UNDEFINED:
            raise BuiltinError("the whole document was removed")
    return value


def _patched(value: Value, operation: dict[str | Key, Value]) -> Value:
    path, kind = _path(_attribute(operation, "path")), _attribute(operation, "op")
    if kind == "add":
        return _inserted(value, path, _attribute(operation, "value"))
    if kind == "remove":
        return _deleted(value, path)
    if kind == "replace":
        new = _attribute(operation, "value")
        return _inserted(_deleted(value, path), path, new)
    if kind in ("move", "copy"):
        source = _path(_attribute(operation, "from"))
        found = _found(value, source)
        return _inserted(_deleted(value, source) if kind == "move" else value, path, found)
    if kind == "test":
        if not equal(_found(value, path), _attribute(operation, "value")):
            raise BuiltinError("test of a patch failed")
        return value
    raise BuiltinError("unrecognized operation of a patch")


def _attribute(operation: dict[str | Key, Value], name: str) -> Value:
    if name not in operation:
        raise BuiltinError(f"missing required attribute '{name}'")
    return operation[name]


def _index(step: Value, length: int) -> int:
    """The place in an array that a step names; `-` is the place after the last item."""
    if step == "-":
        return length
    if type(step) is str and (
        step == "0" or (step.isascii() and step.isdecimal() and step[0] != "0" and len(step) < 10)
    ):
        return int(step)
    if type(step) is int and step >= 0:
        return step
    raise BuiltinError("invalid index of an array")


def _step(value: Value, step: Value) -> Value:
    """What `value` has at one step of a path."""
    found = at(value, _index(step, len(value)) if type(value) is list else step)
    if found is UNDEFINED:
        raise BuiltinError("path does not exist")
    return found


def _found(value: Value, path: list[Value]) -> Value:
    for step in path:
        value = _step(value, step)
    return value


def _inserted(value: Value, path: list[Value], new: Value) -> Value:
    if not path:
        return new
    if len(path) > 1:
        return _with(value, path[0], _inserted(_step(value, path[0]), path[1:], new))
    step = path[0]
    if type(value) is list:
        place = _index(step, len(value))
        if place > len(value):
            raise BuiltinError("index for array insertion out of bounds")
        return [*value[:place], new, *value[place:]]
    if type(value) is Set and not equal(step, new):
        raise BuiltinError("a set's key must equal the value to be inserted")
    return _with(value, step, new)


def _with(value: Value, step: Value, new: Value) -> Value:
    """`value` with `new` in the place of what it has at `step`."""
    if type(value) is dict:
        return {**value, key_of(step): new}
    if type(value) is Set:
        return Set([*(item for item in value if not equal(item, step)), new])
    if type(value) is list:
        copy = list(value)
        copy[_index(step, len(value))] = new
        return copy
    raise BuiltinError("path does not exist")


def _deleted(value: Value, path: list[Value]) -> Value:
    if not path:
        return UNDEFINED
    below = _step(value, path[0])
    if len(path) > 1:
        return _with(value, path[0], _deleted(below, path[1:]))
    if type(value) is dict:
        gone = key_of(path[0])
        return {key: item for key, item in value.items() if key != gone}
    if type(value) is Set:
        return Set(item for item in value if not equal(item, path[0]))
    place = _index(path[0], len(value))
    return [*value[:place], *value[place + 1 :]]


def walk(a: Value) -> Value:
    """Every value within `a`, itself first, each as [path, value]."""
    found: list[Value] = []
    _walk([], a, found)
    return found


def _walk(path: list[Value], value: Value, found: list[Value]) -> None:
    if len(found) >= MAX_SIZE // 10 or len(path) > MAX_DEPTH:
        raise BuiltinError("result too large")
    found.append([path, value])
    if type(value) is list:
        for index, item in enumerate(value):
            _walk([*path, index], item, found)
    elif type(value) is dict:
        for name in sorted_values(map(name_of, value)):
            _walk([*path, name], value[key_of(name)], found)
    elif type(value) is Set:
        for item in ordered(value):
            _walk([*path, item], item, found)


BUILTINS: Final[Mapping[str, Builtin]] = {
    "json.filter": guarded(only),
    "json.remove": guarded(without),
    "json.patch": guarded(patch),
    "walk": guarded(walk),
}

"""A plan as Python functions: each function of the plan is one function, each local variable one of Python.

Functions of input and data alone are memoised in the state of the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.plan import runtime
from governance.policy.plan.builtins.error import UNDEFINED
from governance.policy.plan.dependence import Dependence, Opening, dependences
from governance.policy.plan.ir import Plan, Statement
from governance.policy.plan.runtime import MEMOS, MISSING
from governance.policy.plan.values import Key, Set, Value, key_of
from governance.policy.plan.writer import FunctionWriter

Builtin = Callable[..., Value]
Entrypoint = Callable[[runtime.State, Value, Value], list[Value]]
Condition = Callable[[runtime.State, None, Value, Value], Value]
_RULE_PARAMETERS = 2


@frozen
class RuleExit:
    """A place where a rule became true: the rule, and the row of its head in a file of the plan."""

    rule: str
    file: str
    row: int


@frozen
class Compiled:
    """`entrypoints` by name: called with the state, input and data, each returns the list of its results.

    `conditions` are those of `dependences`, by their numbers: called with the state, no input, data and an item.
    """

    entrypoints: Mapping[str, Entrypoint]
    memos: int
    exits: tuple[RuleExit, ...]
    dependences: Mapping[str, Dependence]
    conditions: tuple[Condition, ...]
    openings: Mapping[int, Opening]


def compile_plan(plan: Plan, builtins: Mapping[str, Builtin], *, traced: bool = False) -> Compiled:
    """The functions of `plan`; `traced` ones note in the state which rules became true.

    Raises ConfigInvalid for a builtin that is not in `builtins`, for recursion, and for a plan that is not sound.
    """
    for name in plan.builtins:
        if name not in builtins:
            raise ConfigInvalid(f"the builtin `{name}` is not supported")
    found = dependences(plan)
    module = _Module(plan, builtins, traced=traced)
    lines: list[str] = []
    for at, function in enumerate((*plan.functions, *found.conditions)):
        lines += FunctionWriter(module, function.blocks).function(at, function)
    for at, entry in enumerate(plan.plans):
        lines += FunctionWriter(module, entry.blocks).entrypoint(at)
    namespace = module.namespace()
    exec(_code(lines), namespace)  # noqa: S102  (written above: numbered names only)
    module.link(namespace)
    return Compiled(
        entrypoints={entry.name: namespace[f"p{at}"] for at, entry in enumerate(plan.plans)},
        memos=len(module.memos),
        exits=tuple(module.exits),
        dependences=found.entrypoints,
        openings=found.openings,
        conditions=tuple(namespace[f"f{len(plan.functions) + at}"] for at in range(len(found.conditions))),
    )


def _code(lines: Sequence[str]) -> CodeType:
    try:
        return compile("\n".join(lines) + "\n", "<plan>", "exec", dont_inherit=True, optimize=2)
    except (SyntaxError, RecursionError, MemoryError):
        raise ConfigInvalid("the plan is too deep to be compiled") from None


class _Module:
    """Implements `writer.Names`: what all functions of a plan share."""

    def __init__(self, plan: Plan, builtins: Mapping[str, Builtin], *, traced: bool) -> None:
        self.strings, self.traced = plan.strings, traced
        rules = [one.name for one in plan.functions if len(one.params) == _RULE_PARAMETERS]
        self.memos: Mapping[str, int] = {name: MEMOS + at for at, name in enumerate(rules)}
        self.exits: list[RuleExit] = []
        self._plan, self._builtins = plan, builtins
        self._functions = {one.name: (at, len(one.params)) for at, one in enumerate(plan.functions)}
        self._constants: dict[str, Value] = {}
        self._used: dict[str, str] = {}
        self._dynamic: dict[tuple[str, ...], tuple[Entrypoint, int]] = {}

    def constant(self, value: Value) -> str:
        name = f"C{len(self._constants)}"
        self._constants[name] = value
        return name

    def builtin(self, name: str) -> str:
        if name not in self._builtins:
            raise ConfigInvalid(f"the builtin `{name}` is not supported")
        return self._used.setdefault(name, f"B{len(self._used)}")

    def called(self, name: str, arguments: int) -> int | None:
        if name not in self._functions:
            return None
        at, parameters = self._functions[name]
        if parameters != arguments:
            raise ConfigInvalid("the plan calls a function with the wrong number of arguments")
        return at

    def exit(self, rule: str, statement: Statement) -> int:
        files = self._plan.files
        file = files[statement.file] if statement.file < len(files) else ""
        self.exits.append(RuleExit(rule=rule, file=file, row=statement.row))
        return len(self.exits) - 1

    def namespace(self) -> dict[str, Any]:
        """What the functions find as globals: nothing of Python but what is named here."""
        return {
            "__builtins__": {"dict": dict, "int": int, "len": len, "list": list, "str": str, "type": type},
            "Key": Key,
            "M": MISSING,
            "Set": Set,
            "U": UNDEFINED,
            "charge": runtime.charge,
            "copied": runtime.copied,
            "dot": runtime.dot,
            "dot_data": runtime.dot_data,
            "find": self._find,
            "forget": runtime.forget,
            "insert_once": runtime.insert_once,
            "items": runtime.items,
            "key_of": key_of,
            "length": runtime.length,
            "member": runtime.member,
            "merge": runtime.merge,
            "once": runtime.once,
            "ordered_pairs": runtime.ordered_pairs,
            "pairs": runtime.pairs,
            "replaced": runtime.replaced,
            "same": runtime.same,
            "spend": runtime.spend,
            **{f"S{at}": text for at, text in enumerate(self.strings)},
            **self._constants,
            **{short: self._builtins[name] for name, short in self._used.items()},
        }

    def link(self, namespace: Mapping[str, Any]) -> None:
        """Makes the rules known under their paths, for calls whose path is computed."""
        for at, function in enumerate(self._plan.functions):
            if function.path and function.name in self.memos:
                self._dynamic[function.path] = (namespace[f"f{at}"], self.memos[function.name])

    def _find(self, path: tuple[Value, ...]) -> tuple[Entrypoint, int] | None:
        return self._dynamic.get(path) if all(type(part) is str for part in path) else None

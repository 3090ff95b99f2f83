"""Python source for one function of a plan.

A block is `while True:` that a `break` leaves; to leave several at once, `k` takes the number of the block to leave, and
whoever stands between passes it on. The source holds numbered names and nothing of the policy: strings and numbers come
from tables.
"""

# ruff: noqa: N802  (a method is named after the statement that it writes)
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.plan.flow import changes_foreign, everything, needed, unassigned, writes
from governance.policy.plan.ir import DATA, INPUT, Block, Function, Operand, OperandKind, Statement
from governance.policy.plan.runtime import TRAIL, number
from governance.policy.plan.simplify import simplified, taken_or_made
from governance.policy.plan.values import Value

# CPython compiles at most 20 loops inside each other; the rest moves into a function of its own.
_MAX_LOOPS: Final = 15
_COMPARISONS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_DEFINED: Final = -1
_MEMBER: Final = "internal.member_2"


class Names(Protocol):
    """What a function needs to know of the others."""

    strings: tuple[str, ...]
    traced: bool
    memos: Mapping[str, int]

    def constant(self, value: Value) -> str:
        """The name of a constant."""
        ...

    def builtin(self, name: str) -> str:
        """The name of a builtin. Raises ConfigInvalid where it is not supported."""
        ...

    def called(self, name: str, arguments: int) -> int | None:
        """The number of a function, None where the plan has none of this name. Raises ConfigInvalid on its arity."""
        ...

    def exit(self, rule: str, statement: Statement) -> int:
        """The number of a place where a rule becomes true."""
        ...


@frozen
class _Label:
    """A place to go to: `jump` takes there from within loop number `loop`."""

    number: int
    loop: int
    jump: str


@dataclass(slots=True)
class _Loop:
    """A loop being written. `crossing` are the labels outside that something inside goes to."""

    number: int
    used: bool = False
    crossing: list[_Label] = field(default_factory=list)


class FunctionWriter:
    """Writes one function. `_labels` and `_loops` are those around the statement being written, innermost last."""

    def __init__(self, names: Names, blocks: tuple[Block, ...]) -> None:
        self._names, self._blocks = names, simplified(blocks)
        blocks = self._blocks
        self._lines: list[tuple[int, str]] = []
        self._indent = 1
        self._labels: list[_Label] = []
        self._loops: list[_Loop] = []
        self._numbers = 0
        self._rule, self._result = "", -1
        self._memo: int | None = None
        self._read: set[int] = set()
        self._written = sorted({local for one in everything(blocks) for local in writes(one)})
        self._outlined = False
        self._documents = {DATA}
        self._statements: Mapping[str, Callable[[Statement], None]] = {
            name.removeprefix("_on_"): getattr(self, name) for name in dir(self) if name.startswith("_on_")
        }
        if changes_foreign(blocks, frozenset({INPUT, DATA})):
            raise ConfigInvalid("the plan changes a value that it did not make")

    def function(self, at: int, function: Function) -> list[str]:
        """The source of `function`, whose number is `at`."""
        self._rule, self._result = ".".join(function.path[1:]), function.result
        self._memo = self._names.memos.get(function.name)
        self._read = needed(self._blocks, [function.result])
        for block in self._blocks:
            self._block(block)
        if self._memo is not None:
            self._put(f"s[{self._memo}] = U")
        self._put("return U")
        parameters = ", ".join(f"l{local}" for local in function.params)
        return [f"def f{at}(s, {parameters}):", *self._body(frozenset(function.params))]

    def entrypoint(self, at: int) -> list[str]:
        """The source of the entrypoint whose number is `at`: it returns the list of its results."""
        self._read = needed(self._blocks, ())
        for block in self._blocks:
            self._block(block)
        self._put("return results")
        return [f"def p{at}(s, l0, l1):", "    results = []", *self._body(frozenset({INPUT, DATA}))]

    def _body(self, known: frozenset[int]) -> Iterator[str]:
        yield "    b = s[0]"
        yield "    b[0] -= 1"
        yield "    if b[0] < 0:"
        yield "        charge(s, 0)"
        yield "    k = 0"
        undefined = unassigned(self._blocks, known) | ({self._result} if self._result >= 0 else set())
        if self._outlined:
            undefined |= set(self._written)
        if undefined - known:
            yield "    " + "".join(f"l{local} = " for local in sorted(undefined - known)) + "U"
        for indent, line in self._lines:
            yield "    " * indent + line

    # --- text ------------------------------------------------------------------------------------------------------

    def _put(self, *lines: str) -> None:
        self._lines += [(self._indent, line) for line in lines]

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _when(self, condition: str, *then: str) -> None:
        self._put(f"if {condition}:", *(f"    {line}" for line in then))

    def _undefined_when(self, condition: str) -> None:
        self._loops[-1].used = True
        self._when(condition, self._labels[-1].jump)

    # --- blocks ----------------------------------------------------------------------------------------------------

    def _block(self, block: Block, *end: str) -> None:
        """Writes `block` and, reached only where no statement was undefined, `end`."""
        with self._loop("while True:", "break"):
            self._all(block)
            self._put(*end, "break")

    def _all(self, block: Block) -> None:
        for statement in block:
            if statement.kind != "DotStmt":
                self._documents.difference_update(set(writes(statement)) - {DATA})
            self._statements[statement.kind](statement)

    @contextmanager
    def _loop(self, head: str, *jumps: str, after: Callable[[], None] | None = None) -> Iterator[None]:
        """Writes a loop with a label for each of `jumps`, outermost first; then who goes further out is passed on."""
        loop = _Loop(self._next())
        outlined = bool(self._loops) and len(self._loops) % _MAX_LOOPS == 0
        if outlined:
            self._outlined = True
            self._put(f"def n{loop.number}():")
            self._indent += 1
            self._put("nonlocal " + ", ".join(["s", "k", *(f"l{local}" for local in self._written)]))
        start = len(self._lines)
        self._loops.append(loop)
        self._labels += [_Label(number=self._next(), loop=loop.number, jump=jump) for jump in jumps]
        self._put(head)
        self._indent += 1
        yield
        self._indent -= 1
        del self._labels[-len(jumps) :]
        self._loops.pop()
        if head == "while True:" and not loop.used:
            # Nothing leaves it: no loop is needed. The last line is its `break`.
            self._lines[start:] = [(indent - 1, line) for indent, line in self._lines[start + 1 : -1]] or [
                (self._indent, "pass")
            ]
        if outlined:
            self._indent -= 1
            self._put(f"n{loop.number}()")
        if after is not None:
            after()
        self._pass_on(loop)

    def _pass_on(self, loop: _Loop) -> None:
        if not loop.crossing:
            return
        here = self._loops[-1]
        here.used = True
        arrived = {label.number: label for label in loop.crossing if label.loop == here.number}
        for label in arrived.values():
            self._when(f"k == {label.number}", "k = 0", label.jump)
        if any(label.loop != here.number for label in loop.crossing):
            self._when("k", "break")

    def _leave(self, levels: int) -> None:
        if levels >= len(self._labels):
            raise ConfigInvalid("the plan leaves more blocks than there are")
        label = self._labels[-1 - levels]
        self._loops[-1].used = True
        if label.loop == self._loops[-1].number:
            self._put(label.jump)
            return
        for loop in reversed(self._loops):
            if loop.number == label.loop:
                break
            loop.used = True
            loop.crossing.append(label)
        self._put(f"k = {label.number}", "break")

    def _on_BlockStmt(self, it: Statement) -> None:
        if (owned := taken_or_made(it)) is not None:
            lookup, made = owned
            target = f"l{made['target']}"
            self._put(f"{target} = dot({self._operand(lookup['source'])}, {self._operand(lookup['key'])})")
            self._put(f"if {target} is U:")
            self._indent += 1
            self._statements[made.kind](made)
            self._indent -= 1
            # The plan puts it back after the change; what it took may be shared.
            self._put("else:", f"    {target} = copied(s, {target})")
            return
        for block in it["blocks"]:
            self._block(block)

    def _on_BreakStmt(self, it: Statement) -> None:
        self._leave(it["index"])

    def _on_NotStmt(self, it: Statement) -> None:
        with self._loop("while True:", "break"):
            self._all(it["block"])
            self._leave(1)
            self._put("break")

    def _on_ScanStmt(self, it: Statement) -> None:
        source, key, value = it["source"], it["key"], it["value"]
        ordered = _shows_order(it["block"])
        keyed = key in self._read
        if ordered:
            head = f"for l{key}, l{value} in ordered_pairs(s, l{source}):"
        elif keyed:
            head = f"for l{key}, l{value} in pairs(s, l{source}):"
        else:
            head = f"for l{value} in items(s, l{source}):"
        with self._loop(head, "break", "continue"):
            if keyed and not ordered:
                self._when(f"type(l{key}) is Key", f"l{key} = l{key}.value")
            self._put("pass")
            self._all(it["block"])

    def _on_WithStmt(self, it: Statement) -> None:
        local, saved = it["local"], self._next()
        value = self._operand(it["value"])
        self._put(f"w{saved} = l{local}", f"v{saved} = s", "s = forget(s)")
        if it["path"]:
            path = ", ".join(f"S{one}" for one in it["path"])
            value = f"replaced(l{local}, ({path},), {value})"
        self._put(f"l{local} = {value}")

        def restore() -> None:
            self._put(f"l{local} = w{saved}", f"s = v{saved}")
            self._undefined_when("not k")
            self._when(f"k == {_DEFINED}", "k = 0")

        with self._loop("while True:", "break", after=restore):
            self._loops[-1].used = True
            self._all(it["block"])
            self._put(f"k = {_DEFINED}", "break")

    # --- results ---------------------------------------------------------------------------------------------------

    def _on_ReturnLocalStmt(self, it: Statement) -> None:
        if len(self._loops) != 1 or self._result < 0:
            raise ConfigInvalid("the plan returns from inside a block")
        if self._memo is not None:
            self._put(f"s[{self._memo}] = l{it['source']}")
        self._put(f"return l{it['source']}")

    def _on_ResultSetAddStmt(self, it: Statement) -> None:
        if self._result >= 0:
            raise ConfigInvalid("the plan has a result in a function")
        self._put(f"results.append(l{it['value']})")

    def _exits(self, it: Statement, into: int) -> None:
        if self._names.traced and into == self._result:
            number_ = self._names.exit(self._rule, it)
            self._put(f"s[{TRAIL}].add({number_})")

    # --- values ----------------------------------------------------------------------------------------------------

    def _operand(self, operand: Operand) -> str:
        if operand.kind is OperandKind.LOCAL:
            return f"l{operand.value}"
        if operand.kind is OperandKind.STRING:
            return f"S{operand.value}"
        return "True" if operand.value else "False"

    def _on_NopStmt(self, _: Statement) -> None:
        self._put("pass")

    def _on_ResetLocalStmt(self, it: Statement) -> None:
        self._put(f"l{it['target']} = U")

    def _on_AssignVarStmt(self, it: Statement) -> None:
        if it["target"] in self._read:
            self._put(f"l{it['target']} = {self._operand(it['source'])}")

    def _on_AssignIntStmt(self, it: Statement) -> None:
        self._put(f"l{it['target']} = {self._names.constant(it['value'])}")

    def _on_MakeNumberIntStmt(self, it: Statement) -> None:
        self._on_AssignIntStmt(it)

    def _on_AssignVarOnceStmt(self, it: Statement) -> None:
        target, source = f"l{it['target']}", self._operand(it["source"])
        self._put(f"if {target} is U:", f"    {target} = {source}")
        self._put(f"elif {target} is not {source}:", f"    once({target}, {source})")
        self._exits(it, it["target"])

    def _on_MakeNullStmt(self, it: Statement) -> None:
        self._put(f"l{it['target']} = None")

    def _on_MakeNumberRefStmt(self, it: Statement) -> None:
        try:
            value = number(self._names.strings[it["index"]])
        except ValueError:
            raise ConfigInvalid("the plan holds a number that cannot be read") from None
        self._put(f"l{it['target']} = {self._names.constant(value)}")

    def _on_MakeArrayStmt(self, it: Statement) -> None:
        self._put(f"l{it['target']} = []")

    def _on_MakeObjectStmt(self, it: Statement) -> None:
        self._put(f"l{it['target']} = {{}}")

    def _on_MakeSetStmt(self, it: Statement) -> None:
        self._put(f"l{it['target']} = Set()")

    def _on_ArrayAppendStmt(self, it: Statement) -> None:
        self._put(f"l{it['array']}.append({self._operand(it['value'])})")

    def _on_SetAddStmt(self, it: Statement) -> None:
        self._put(f"l{it['set']}.add({self._operand(it['value'])})")
        self._exits(it, it["set"])

    def _on_ObjectInsertStmt(self, it: Statement) -> None:
        key = self._operand(it["key"])
        kept = key if it["key"].kind is OperandKind.STRING else f"{key} if type({key}) is str else key_of({key})"
        self._put(f"l{it['object']}[{kept}] = {self._operand(it['value'])}")
        self._exits(it, it["object"])

    def _on_ObjectInsertOnceStmt(self, it: Statement) -> None:
        self._put(f"insert_once(l{it['object']}, {self._operand(it['key'])}, {self._operand(it['value'])})")
        self._exits(it, it["object"])

    def _on_ObjectMergeStmt(self, it: Statement) -> None:
        self._put(f"l{it['target']} = merge(l{it['a']}, l{it['b']})")

    def _on_DotStmt(self, it: Statement) -> None:
        source, key, target = self._operand(it["source"]), self._operand(it["key"]), f"l{it['target']}"
        base = it["source"].local in self._documents
        # The statements before it in the source are those before it in the evaluation, or in a block that was left.
        (self._documents.add if base else self._documents.discard)(it["target"])
        if it["source"].local is None:
            self._undefined_when("True")
        elif base and it["key"].kind is OperandKind.LOCAL:
            self._put(f"{target} = dot_data({source}, {key})")
            self._undefined_when(f"{target} is U")
        elif it["key"].kind is OperandKind.STRING:
            self._put(f"{target} = {source}.get({key}, U) if type({source}) is dict else dot({source}, {key})")
            self._undefined_when(f"{target} is U")
        else:
            self._put(f"{target} = dot({source}, {key})")
            self._undefined_when(f"{target} is U")

    def _on_LenStmt(self, it: Statement) -> None:
        self._put(f"l{it['target']} = length({self._operand(it['source'])})")

    # --- conditions ------------------------------------------------------------------------------------------------

    def _on_EqualStmt(self, it: Statement) -> None:
        self._undefined_when(f"not ({self._same(it['a'], it['b'])})")

    def _on_NotEqualStmt(self, it: Statement) -> None:
        self._undefined_when(self._same(it["a"], it["b"]))

    def _same(self, a: Operand, b: Operand) -> str:
        left, right = self._operand(a), self._operand(b)
        kinds = {a.kind, b.kind}
        if OperandKind.BOOL in kinds:
            return f"{left} is {right}"
        if OperandKind.STRING in kinds:
            return f"{left} == {right}"
        return f"{left} is {right} or same(s, {left}, {right})"

    def _on_IsArrayStmt(self, it: Statement) -> None:
        self._undefined_when(f"type({self._operand(it['source'])}) is not list")

    def _on_IsObjectStmt(self, it: Statement) -> None:
        self._undefined_when(f"type({self._operand(it['source'])}) is not dict")

    def _on_IsSetStmt(self, it: Statement) -> None:
        self._undefined_when(f"type({self._operand(it['source'])}) is not Set")

    def _on_IsDefinedStmt(self, it: Statement) -> None:
        self._undefined_when(f"l{it['source']} is U")

    def _on_IsUndefinedStmt(self, it: Statement) -> None:
        self._undefined_when(f"l{it['source']} is not U")

    # --- calls -----------------------------------------------------------------------------------------------------

    def _on_CallStmt(self, it: Statement) -> None:
        target, arguments = f"l{it['result']}", [self._operand(one) for one in it["args"]]
        at = self._names.called(it["func"], len(arguments))
        if at is None:
            self._call_builtin(it["func"], arguments, target)
            return
        call = f"f{at}(s, {', '.join(arguments)})"
        memo = self._names.memos.get(it["func"])
        if memo is None:
            self._put(f"{target} = {call}")
        elif arguments != [f"l{INPUT}", f"l{DATA}"]:
            raise ConfigInvalid("the plan calls a rule with other documents than its own")
        else:
            self._put(f"{target} = s[{memo}]")
            self._when(f"{target} is M", f"{target} = {call}")
        self._undefined_when(f"{target} is U")

    def _call_builtin(self, name: str, arguments: list[str], target: str) -> None:
        call = f"{self._names.builtin(name)}({', '.join(arguments)})"
        for argument in arguments:
            if argument == f"l{INPUT}":
                self._undefined_when(f"{argument} is U")
        if name in _COMPARISONS and len(arguments) == 2:
            a, b = arguments
            fast = f"{a} {_COMPARISONS[name]} {b}"
            self._put(f"{target} = {fast} if type({a}) is int and type({b}) is int else {call}")
            return
        if name == "count" and len(arguments) == 1:
            self._put(f"{target} = len({arguments[0]}) if type({arguments[0]}) is list else {call}")
            return
        if name == _MEMBER:
            self._put(f"{target} = member(s, {', '.join(arguments)})")
            return
        # A constant's size is part of the policy's.
        values = ", ".join([target, *(one for one in arguments if one.startswith("l"))])
        self._put(f"{target} = {call}", f"spend(s, {values})")
        self._undefined_when(f"{target} is U")

    def _on_CallDynamicStmt(self, it: Statement) -> None:
        if it["args"] != (INPUT, DATA):
            raise ConfigInvalid("the plan calls a rule with other documents than its own")
        target, at = f"l{it['result']}", self._next()
        path = ", ".join(self._operand(one) for one in it["path"])
        self._put(f"d{at} = find(({path},))")
        self._undefined_when(f"d{at} is None")
        self._put(f"{target} = s[d{at}[1]]")
        self._when(f"{target} is M", f"{target} = d{at}[0](s, l{INPUT}, l{DATA})")
        # Found but undefined: the document under the same path does not count either.
        self._put(f"if {target} is U:")
        self._indent += 1
        self._leave(3)
        self._indent -= 1


def _shows_order(block: Block) -> bool:
    """Whether the order of a scan whose body is `block` can be seen: it appends to an array made outside."""
    inside = list(everything((block,)))
    made = {one["target"] for one in inside if one.kind == "MakeArrayStmt"}
    return any(one.kind == "ArrayAppendStmt" and one["array"] not in made for one in inside)

"""What of its input each policy of a plan depends on, over-approximated from the statements that it can reach.

Two things are found for an entrypoint. The paths that it reads: of what is only walked through on the way to something
below, it is whether it is there, since a path that leads nowhere ends what follows. And, for a list that it reads item by item, the conditions with which each of its scans begins: an item
that meets none of them changes nothing, whatever else is in the input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from graphlib import CycleError, TopologicalSorter
from typing import Final

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.plan.flow import everything, needed, reads, unassigned, writes
from governance.policy.plan.ir import DATA, INPUT, Block, Function, Operand, OperandKind, Plan, Statement
from governance.policy.plan.simplify import leaves, simplified

# Names of keys from the input down; None stands for every item of a list, EXISTS at the end for whether there is anything.
Path = tuple[str | bool | None, ...]
EXISTS: Final = True
# A parameter of a function, and a path in what it is called with.
Place = tuple[int, Path]
# In place of a condition: every item counts.
ALWAYS: Final = -1
_LONGEST: Final = 16
_NONE: Final[frozenset[int]] = frozenset()
_Holds = Mapping[int, frozenset[Place]]
_UNKNOWN: Final = frozenset({"CallDynamicStmt", "WithStmt"})
"""After these anything may be read: a rule that is not known before, another input."""
_TAKES: Final = frozenset({"AssignVarStmt", "DotStmt", "ScanStmt"})
"""The statements after which a local holds a part of what another holds."""

# What a condition may be made of: nothing that ends the evaluation, asks for another input, or changes what was there.
_CONDITIONS: Final = frozenset(
    {
        *("AssignIntStmt", "AssignVarOnceStmt", "AssignVarStmt", "MakeNullStmt", "MakeNumberIntStmt", "NopStmt"),
        *("DotStmt", "EqualStmt", "NotEqualStmt", "IsArrayStmt", "IsObjectStmt", "IsSetStmt", "IsDefinedStmt"),
        *("IsUndefinedStmt", "LenStmt", "CallStmt", "MakeNumberRefStmt", "ResetLocalStmt", "NotStmt", "BlockStmt"),
        *("BreakStmt", "ScanStmt", "MakeArrayStmt", "MakeObjectStmt", "MakeSetStmt", "ArrayAppendStmt", "SetAddStmt"),
    }
)


@frozen
class Dependence:
    """Results are equal for inputs that are equal at `paths`, and in those items of lists that meet one of the conditions.

    `conditions` are numbers of functions that take an item, by the path of the list; ALWAYS is among those of a list
    whose items all count.
    """

    paths: frozenset[Path]
    conditions: Mapping[Path, frozenset[int]]


@frozen
class Opening:
    """A condition that holds wherever another does, and looks at one field of the item alone."""

    condition: int
    field: str


@frozen
class Dependences:
    """By the name of an entrypoint; `conditions` are the functions that its numbers mean. Some have an opening."""

    entrypoints: Mapping[str, Dependence]
    conditions: tuple[Function, ...]
    openings: Mapping[int, Opening]


@frozen
class _Summary:
    """What one function depends on by way of its parameters."""

    places: frozenset[Place]
    scans: frozenset[tuple[Place, int]]

    def reads(self, param: int) -> bool:
        """Whether anything depends on `param`."""
        return any(root == param for root, _ in (*self.places, *(place for place, _ in self.scans)))

    def of(self, arguments: Mapping[int, Iterable[Place]]) -> _Summary:
        """The same for one that calls it, whose places `arguments` are what the parameters hold."""
        return _Summary(
            places=frozenset(place for root, path in self.places for place in _below(arguments.get(root, ()), path)),
            scans=frozenset(
                (place, number)
                for (root, path), number in self.scans
                for place in _below(arguments.get(root, ()), path)
            ),
        )


def callees_first(functions: Sequence[Function]) -> tuple[str, ...]:
    """The names of `functions`, none before one that it calls. Raises ConfigInvalid for one that calls itself."""
    names = {function.name for function in functions}
    calls = {
        function.name: {one["func"] for one in everything(function.blocks) if one.kind == "CallStmt"} & names
        for function in functions
    }
    try:
        return tuple(TopologicalSorter(calls).static_order())
    except CycleError:
        raise ConfigInvalid("the plan has a function that calls itself") from None


def dependences(plan: Plan) -> Dependences:
    """What each entrypoint of `plan` depends on. Raises ConfigInvalid for a function that calls itself."""
    reading = _Reading(plan)
    entrypoints = {
        entry.name: _dependence(reading.summary(simplified(entry.blocks), (INPUT, DATA))) for entry in plan.plans
    }
    return Dependences(entrypoints=entrypoints, conditions=tuple(reading.conditions), openings=reading.openings)


def _dependence(summary: _Summary) -> Dependence:
    paths = {path for _, path in summary.places}
    conditions: dict[Path, frozenset[int]] = {}
    for (_, path), number in summary.scans:
        if None in path or len(path) >= _LONGEST:
            # A list inside the items of another, or further down than is told apart: it is read whole.
            paths.add(path)
        else:
            conditions[path] = conditions.get(path, frozenset()) | {number}
    return Dependence(paths=frozenset(paths), conditions=conditions)


class _Reading:
    """Reads the functions of one plan, callees first. `conditions` and `openings` are those found so far."""

    def __init__(self, plan: Plan) -> None:
        self.conditions: list[Function] = []
        self.openings: dict[int, Opening] = {}
        self.functions = {function.name: function for function in plan.functions}
        self.strings = plan.strings
        self.summaries: dict[str, _Summary] = {}
        for name in callees_first(plan.functions):
            function = self.functions[name]
            self.summaries[name] = self.summary(simplified(function.blocks), function.params)

    def summary(self, blocks: tuple[Block, ...], params: Sequence[int]) -> _Summary:
        """What `blocks` depend on by way of `params`."""
        everything_ = _Summary(places=frozenset((each, ()) for each in params if each != DATA), scans=frozenset())
        if any(one.kind in _UNKNOWN or (one.kind == "ScanStmt" and _carries(one)) for one in everything(blocks)):
            return everything_
        walk = _Walk(self)
        walk.blocks(blocks, {each: frozenset({(each, ())}) for each in params if each != DATA}, frozenset())
        return _Summary(places=frozenset(walk.places), scans=frozenset(walk.scans))

    def depends_on(self, statement: Statement, known: set[int]) -> bool:
        """Whether `statement` is a function of the locals `known`, and changes nothing that was there before."""
        if statement.kind not in _CONDITIONS:
            return False
        read = set(reads(statement))
        if statement.kind == "CallStmt" and statement["func"] in self.functions:
            if self.summaries[statement["func"]].reads(INPUT):
                return False
            read.discard(INPUT)
        if not read <= known:
            return False
        inside = known | set(writes(statement))
        return all(self._all_depend_on(block, inside) for block in statement.blocks)

    def _all_depend_on(self, block: Block, known: set[int]) -> bool:
        for one in block:
            if not self.depends_on(one, known):
                return False
            known = known | _assigned(one)
        return True


class _Walk:
    """Follows where the values of locals come from, statement by statement.

    `holds` has, for each local, the places it may hold; `after` are the locals that may be read behind what is walked,
    before they are assigned.
    """

    def __init__(self, reading: _Reading) -> None:
        self.places: set[Place] = set()
        self.scans: set[tuple[Place, int]] = set()
        self._reading = reading

    def blocks(self, blocks: Sequence[Block], holds: _Holds, after: frozenset[int]) -> _Holds:
        """What the locals may hold behind `blocks`, wherever each of them was left."""
        for block, behind in zip(blocks, _behind([unassigned((one,), _NONE) for one in blocks], after), strict=True):
            holds = _either(holds, self._block(block, dict(holds), behind))
        return holds

    def _block(self, block: Block, holds: dict[int, frozenset[Place]], after: frozenset[int]) -> _Holds:
        ever: _Holds = {}
        read = [frozenset(local for each in everything(((one,),)) for local in reads(each)) for one in block]
        for one, behind in zip(block, _behind(read, after), strict=True):
            if one.kind == "ScanStmt":
                inner = self._scan(one, holds, behind)
            elif one.blocks:
                inner = self.blocks(one.blocks, holds, behind)
            else:
                inner = self._step(one, holds)
                holds.update(inner)
                ever = _either(ever, inner)
                continue
            # What a block inside assigns, it may have assigned or not.
            holds, ever = dict(_either(holds, inner)), _either(ever, inner)
        return ever

    def _step(self, one: Statement, holds: _Holds) -> _Holds:
        """What `one` assigns. What it uses is noted."""
        if one.kind == "AssignVarStmt":
            return {one["target"]: holds.get(one["source"].local, frozenset())}
        if one.kind == "DotStmt" and one["key"].kind is OperandKind.STRING:
            name = self._reading.strings[one["key"].value]
            found = _below(holds.get(one["source"].local, ()), (name,))
            # Where there is nothing it fails, whoever uses what it finds.
            self.places |= _below(found, (EXISTS,))
            return {one["target"]: found}
        if one.kind == "CallStmt" and one["func"] in self._reading.functions:
            params = self._reading.functions[one["func"]].params
            arguments = {param: holds.get(each.local, ()) for param, each in zip(params, one["args"], strict=False)}
            called = self._reading.summaries[one["func"]].of(arguments)
            self.places |= called.places
            self.scans |= called.scans
        else:
            self._use(holds, *reads(one))
        # Whatever it is, it was made of what is used whole.
        return dict.fromkeys(writes(one), frozenset())

    def _use(self, holds: _Holds, *locals_: int) -> None:
        self.places.update(*(holds.get(local, ()) for local in locals_))

    def _scan(self, one: Statement, holds: _Holds, after: frozenset[int]) -> _Holds:
        body: Block = one["block"]
        after |= unassigned((body,), frozenset({one["key"], one["value"]}))
        listed = holds.get(one["source"], frozenset())
        if one["key"] in needed((body,), after):
            self._use(holds, one["source"])
        elif listed:
            number = self._condition(one, after)
            self.scans |= {(place, number) for place in listed}
        start = {**holds, one["key"]: frozenset(), one["value"]: _below(listed, (None,))}
        return _either(
            {one["key"]: start[one["key"]], one["value"]: start[one["value"]]}, self._block(body, start, after)
        )

    def _condition(self, scan: Statement, after: frozenset[int]) -> int:
        """The number of the function that tells whether an item of `scan` gets further than the beginning of its body.

        What the beginning assigns is read neither behind the scan nor in a later turn: an item that gets no further
        leaves nothing behind.
        """
        body: Block = scan["block"]
        live = needed((body,), after)
        known = {scan["value"], DATA}
        found: list[Statement] = []
        for one in body:
            if one.kind == "AssignVarStmt" and one["target"] not in live:
                continue
            written = {local for each in everything(((one,),)) for local in writes(each)}
            if written & after or leaves((one,), 0) or not self._reading.depends_on(one, known):
                break
            found.append(one)
            known |= _assigned(one)
        if all(one.kind in {"AssignVarStmt", "NopStmt"} for one in found):
            return ALWAYS
        number = self._add(scan, found)
        field, length = self._first_field(found, scan["value"])
        if field is not None and length < len(found):
            self._reading.openings[number] = Opening(condition=self._add(scan, found[:length]), field=field)
        return number

    def _add(self, scan: Statement, statements: Sequence[Statement]) -> int:
        locals_ = [local for each in everything((scan["block"],)) for step in (reads, writes) for local in step(each)]
        self._reading.conditions.append(_function(scan["value"], tuple(statements), result=1 + max(locals_)))
        return len(self._reading.conditions) - 1

    def _first_field(self, statements: Sequence[Statement], item: int) -> tuple[str | None, int]:
        """The field of `item` that is looked at first, and how many of `statements` look at no other part of it."""
        items = {item}
        fields: set[str] = set()
        for at, one in enumerate(statements):
            if one.kind == "AssignVarStmt" and one["source"].local in items:
                items.add(one["target"])
            elif one.kind == "DotStmt" and one["source"].local in items and one["key"].kind is OperandKind.STRING:
                fields.add(self._reading.strings[one["key"].value])
            elif any(local in items for each in everything(((one,),)) for local in reads(each)):
                return (fields.pop() if fields else None), at
            if len(fields) > 1:
                return next(iter(fields - {self._reading.strings[one["key"].value]})), at
        return (fields.pop() if fields else None), len(statements)


def _function(item: int, block: Block, *, result: int) -> Function:
    """The function that returns true for an `item` for which no statement of `block` is undefined."""
    fields = {"source": Operand(kind=OperandKind.BOOL, value=True), "target": result}
    end = (
        Statement(kind="AssignVarStmt", fields=fields, file=0, row=0),
        Statement(kind="ReturnLocalStmt", fields={"source": result}, file=0, row=0),
    )
    return Function(name="", params=(INPUT, DATA, item), result=result, blocks=((*block, *end),), path=())


def _behind(each: Sequence[AbstractSet[int]], after: frozenset[int]) -> list[frozenset[int]]:
    """For each of a row of sets the union of those behind it, and `after`."""
    found = [after]
    for one in reversed(each[1:]):
        found.append(found[-1] | one)
    return found[::-1][: len(each)]


def _carries(scan: Statement) -> bool:
    """Whether a turn of `scan` may read what a turn before it took from somewhere."""
    body: Block = scan["block"]
    taken = {local for one in everything((body,)) if one.kind in _TAKES for local in writes(one)}
    return not taken.isdisjoint(unassigned((body,), frozenset({scan["key"], scan["value"]})))


def _assigned(statement: Statement) -> set[int]:
    """What is assigned behind `statement` in any case. A scan may have no turn."""
    return set() if statement.kind == "ScanStmt" else set(writes(statement))


def _either(a: _Holds, b: _Holds) -> _Holds:
    return {**a, **{local: a.get(local, frozenset()) | places for local, places in b.items()}}


def _below(places: Iterable[Place], path: Path) -> frozenset[Place]:
    """`path` from each of `places` on. Beyond the longest it is what stands above it that counts, with all below."""
    return frozenset((root, (*start, *path)[:_LONGEST]) for root, start in places)

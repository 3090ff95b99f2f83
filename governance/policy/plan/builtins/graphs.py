"""Graphs: an object from each node to the nodes it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import MAX_DEPTH, Builtin, elements, guarded, mapping
from governance.policy.plan.values import Key, Set, Value, key_of

_MAX_STEPS: Final = 20_000  # paths can be exponentially many


def _edges(value: Value) -> list[Value]:
    return elements(value) if type(value) in (list, Set) else []


def reachable(a: Value, b: Value) -> Value:
    """The nodes of the graph `a` that can be reached from those in `b`, these included."""
    graph, reached = mapping(a, 1), Set()
    open_ = elements(b, 2)[::-1]
    while open_:
        node = open_.pop()
        if node in reached or key_of(node) not in graph:
            continue
        reached.add(node)
        open_.extend(_edges(graph[key_of(node)]))
    return reached


class _Paths:
    """The search for the paths through one graph, and how many steps it has left."""

    def __init__(self, graph: Mapping[str | Key, Value]) -> None:
        self._graph = graph
        self._left = _MAX_STEPS
        self.found = Set()

    def follow(self, path: list[Value], node: Value, passed: frozenset[str | Key]) -> None:
        """Adds every path that goes on from `path` by `node`, to where it ends or would come back."""
        self._count()
        if len(path) > MAX_DEPTH:
            raise BuiltinError("result too large")
        key = key_of(node)
        if key not in self._graph:
            self._keep(path)
            return
        longer, edges, seen = [*path, node], _edges(self._graph[key]), passed | {key}
        if not edges:
            self._keep(longer)
        for neighbour in edges:
            if key_of(neighbour) in seen:
                self._keep(longer)
            else:
                self.follow(longer, neighbour, seen)

    def _keep(self, path: list[Value]) -> None:
        self._count()
        self.found.add(path)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise BuiltinError("result too large")


def reachable_paths(a: Value, b: Value) -> Value:
    """Every path through the graph `a` from a node in `b`, without a node twice."""
    graph = mapping(a, 1)
    paths = _Paths(graph)
    for node in elements(b, 2):
        if key_of(node) not in graph:
            continue
        edges = _edges(graph[key_of(node)])
        if not edges:
            paths.found.add([node])
        for neighbour in edges:
            paths.follow([node], neighbour, frozenset({key_of(node)}))
    return paths.found


BUILTINS: Final[Mapping[str, Builtin]] = {
    "graph.reachable": guarded(reachable),
    "graph.reachable_paths": guarded(reachable_paths),
}

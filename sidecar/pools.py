"""The declared nodes and the pools that are live in the data plane, as one immutable table.

Use: `table = PoolTable.of(nodes, base=[pool_of(nodes)])`, `table = table.add(pool, now_s=...)`, `table.cells`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from governance.errors import PlacementUnavailable
from governance.frozen import frozen
from governance.nodes.node import Node, Pool, pool_of

MAX_POOLS_PER_CELL = 256
MAX_CELLS = 64
KEEP_ALIVE_S = 20.0
"""How often a worker names the pools that it uses."""
IDLE_POOL_S = 900.0
"""How long the control process keeps a pool that no worker names."""
_IN_USE_S = 2 * KEEP_ALIVE_S


@frozen
class LivePool:
    """A pool Envoy serves. `base` pools stay for ever; others may be collected once unused since `used_s`."""

    pool: Pool
    used_s: float
    base: bool


@frozen
class Member:
    """A node of a cell and the names of the cell's pools that hold it, sorted; in none, nothing is sent to it."""

    node: Node
    pools: tuple[str, ...]


@frozen
class Cell:
    """One Envoy cluster: every node, by id, in the countries of its pools.

    Also those in no pool yet: Envoy leaves a new host out until its first health check, so that a pool of nodes it has
    never seen would refuse the request that it was made for.
    """

    name: str
    members: tuple[Member, ...]


@frozen
class PoolTable:
    """Every change returns a new table. `nodes` is by id, `live` by pool name; `now_s` is any monotonic clock."""

    nodes: Mapping[str, Node]
    live: Mapping[str, LivePool]
    max_pools_per_cell: int = MAX_POOLS_PER_CELL
    max_cells: int = MAX_CELLS

    @classmethod
    def of(
        cls,
        nodes: Iterable[Node],
        *,
        base: Iterable[Pool] = (),
        max_pools_per_cell: int = MAX_POOLS_PER_CELL,
        max_cells: int = MAX_CELLS,
    ) -> PoolTable:
        """The table of `nodes` with `base` pools, which are never collected. Raises PlacementUnavailable at a limit."""
        table = cls(
            nodes=MappingProxyType({node.id: node for node in nodes}),
            live=MappingProxyType({}),
            max_pools_per_cell=max_pools_per_cell,
            max_cells=max_cells,
        )
        for pool in base:
            table = table.including(LivePool(pool=pool, used_s=0.0, base=True))
        return table

    def add(self, pool: Pool, *, now_s: float) -> PoolTable:
        """This table with `pool` live and used at `now_s`; in a full cell the longest unused pool makes room.

        None makes room that was named within two keep-alive periods: a worker counts on it. Raises PlacementUnavailable
        when the pool is not what its node ids say it is, or a limit leaves no room.
        """
        known = self.live.get(pool.name)
        if known is not None and known.pool == pool:
            return self.including(replace(known, used_s=max(now_s, known.used_s)))
        return self._room_for(pool, now_s).including(LivePool(pool=pool, used_s=now_s, base=False))

    def collect(self, *, now_s: float, idle_s: float) -> PoolTable:
        """This table without the pools unused for more than `idle_s`; base pools stay."""
        kept = {name: live for name, live in self.live.items() if live.base or now_s - live.used_s <= idle_s}
        return self if len(kept) == len(self.live) else replace(self, live=MappingProxyType(kept))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """What the data plane serves, by name."""
        pools: dict[str, list[Pool]] = {}
        for live in self.live.values():
            pools.setdefault(live.pool.cell, []).append(live.pool)
        return tuple(Cell(name=name, members=self._members(pools[name])) for name in sorted(pools))

    def _members(self, pools: Iterable[Pool]) -> tuple[Member, ...]:
        names: dict[str, list[str]] = {}
        for pool in pools:
            for node in pool.nodes:
                names.setdefault(node, []).append(pool.name)
        countries = {self.nodes[node].country for node in names}
        return tuple(
            Member(node=node, pools=tuple(sorted(names.get(name, ()))))
            for name, node in sorted(self.nodes.items())
            if node.country in countries
        )

    def including(self, live: LivePool) -> PoolTable:
        """This table with `live` in it. Raises PlacementUnavailable when its pool is not what its nodes lead to."""
        self._check(live.pool)
        return replace(self, live=MappingProxyType({**self.live, live.pool.name: live}))

    def _check(self, pool: Pool) -> None:
        # A pool comes from another process: its cell and name follow from the declared nodes, never from what it says.
        unknown = [node for node in pool.nodes if node not in self.nodes]
        if unknown or not pool.nodes:
            raise PlacementUnavailable("the pool holds a node that is not declared")
        if pool_of(self.nodes[node] for node in pool.nodes) != pool:
            raise PlacementUnavailable("the pool is not the one its nodes lead to")

    def _room_for(self, pool: Pool, now_s: float) -> PoolTable:
        in_cell = [live for live in self.live.values() if live.pool.cell == pool.cell]
        if not in_cell and len({live.pool.cell for live in self.live.values()}) >= self.max_cells:
            raise PlacementUnavailable("too many cells are live")
        if len(in_cell) < self.max_pools_per_cell:
            return self
        idle = [live for live in in_cell if not live.base and now_s - live.used_s > _IN_USE_S]
        if not idle:
            raise PlacementUnavailable("too many pools are live in this cell")
        oldest = min(idle, key=lambda live: (live.used_s, live.pool.name)).pool.name
        return replace(self, live=MappingProxyType({name: live for name, live in self.live.items() if name != oldest}))

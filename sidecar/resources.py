"""All xDS resources of a data plane, as a snapshot.

Use: `snapshot = build(settings, table.cells, addresses, previous=snapshot)`, then `await ads.publish(snapshot)`.
`addresses` maps the ids of nodes given by name to IP addresses; nodes given by address need no entry.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial

from google.protobuf.message import Message

from governance.nodes.node import Tls
from sidecar.clusters import (
    WORKERS,
    Addresses,
    cell_cluster,
    load_assignment,
    log_cluster,
    log_name,
    workers_cluster,
)
from sidecar.dataplane import DataPlane
from sidecar.listener import LISTENER, listener
from sidecar.pools import Cell
from sidecar.routes import ROUTES, route_configuration
from sidecar.snapshot import Resource, Snapshot, XdsType, resource

Plan = tuple[XdsType, str, Hashable, Callable[[], Message]]
"""Type and name of a resource, what it depends on, and how to make it."""


def build(
    settings: DataPlane,
    cells: Sequence[Cell],
    addresses: Addresses,
    *,
    routed: Sequence[str] = (),
    previous: Snapshot | None = None,
) -> Snapshot:
    """The snapshot that serves `cells`. What is unchanged since `previous` is taken over, not built again.

    Cells in `routed` have a route before they have a cluster: a request keeps the routes it began with, so the first one
    for a new cell can only be served when its route was there before.
    """
    names = tuple(sorted({cell.name for cell in cells} | set(routed)))
    return Snapshot.of(
        _made(plan, previous) for plan in (*_own(settings, names), *_of_cells(settings, cells, addresses))
    )


def _made(plan: Plan, previous: Snapshot | None) -> Resource:
    kind, name, source, make = plan
    known = previous.get(kind, name) if previous is not None else None
    if known is not None and known.source == source:
        return known
    return resource(kind, name, make(), source=source)


def _own(settings: DataPlane, names: tuple[str, ...]) -> Iterator[Plan]:
    yield XdsType.CLUSTER, WORKERS, settings, partial(workers_cluster, settings)
    for worker in range(len(settings.worker_sockets)):
        yield XdsType.CLUSTER, log_name(worker), settings, partial(log_cluster, settings, worker)
    yield XdsType.LISTENER, LISTENER, settings, partial(listener, settings)
    yield XdsType.ROUTE, ROUTES, (settings, names), partial(route_configuration, settings, names)


def _of_cells(settings: DataPlane, cells: Sequence[Cell], addresses: Addresses) -> Iterator[Plan]:
    for cell in cells:
        tls, plain = _transports(cell)
        make = partial(cell_cluster, settings, cell.name, tls, plain=plain)
        yield XdsType.CLUSTER, cell.name, (settings, tls, plain), make
        known = tuple(addresses.get(member.node.id, ()) for member in cell.members)
        yield XdsType.ENDPOINT, cell.name, (cell, known), partial(load_assignment, cell, addresses)


def _transports(cell: Cell) -> tuple[tuple[Tls, ...], bool]:
    used = {member.node.tls for member in cell.members if member.node.tls is not None}
    tls = tuple(sorted(used, key=lambda one: (one.server_name, one.ca_file or "")))
    return tls, any(member.node.tls is None for member in cell.members)

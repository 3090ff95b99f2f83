"""A node as the operator declares it, and the pools of nodes that a decision leads to."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from itertools import combinations

from governance.frozen import frozen
from governance.residency import Tier

CELL_PREFIX = "cell-"
SYSTEM_CA_FILE = "/etc/ssl/certs/ca-certificates.crt"


@frozen
class Tls:
    """TLS towards a node: `ca_file` None means the system's trust store, SYSTEM_CA_FILE; the name verified is `server_name`."""

    server_name: str
    ca_file: str | None = None


@frozen
class Node:
    """One inference endpoint. `address` is `host:port`, `country` ISO 3166-1 alpha-2; `models` are the names it serves."""

    id: str
    address: str
    country: str
    region: str
    tier: Tier
    models: tuple[str, ...]
    protocol: str = "openai"
    provider: str = ""
    certifications: tuple[str, ...] = ()
    tls: Tls | None = None


@frozen
class Pool:
    """A set of nodes that may serve a request. Equal sets have equal names (128 bits of SHA-256 over sorted ids).

    `cell` names the set of countries the nodes are in: the Envoy cluster that holds no host outside them.
    """

    name: str
    cell: str
    nodes: tuple[str, ...]


def pool_of(nodes: Iterable[Node]) -> Pool:
    """The pool of exactly `nodes` (at least one)."""
    return _pool(tuple(sorted((node.id, node.country) for node in nodes)))


@functools.lru_cache(maxsize=1024)
def _pool(members: tuple[tuple[str, str], ...]) -> Pool:
    ids = tuple(name for name, _ in members)
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
    return Pool(name=f"pool-{digest}", cell=cell_of(country for _, country in members), nodes=ids)


def cell_of(countries: Iterable[str]) -> str:
    """The name of the cell of `countries`: an Envoy cluster name, so long sets are named by digest."""
    codes = sorted({country.lower() for country in countries})
    label = "-".join(codes)
    if len(codes) <= 8:
        return CELL_PREFIX + label
    return f"{CELL_PREFIX}many-{hashlib.sha256(label.encode()).hexdigest()[:16]}"


def possible_cells(nodes: Iterable[Node], *, most: int) -> tuple[str, ...]:
    """Every cell that `nodes` can lead to, or, where those are more than `most`, one for each country alone."""
    countries = sorted({node.country for node in nodes})
    sizes = range(1, len(countries) + 1) if 2 ** len(countries) - 1 <= most else (1,)
    return tuple(sorted(cell_of(group) for size in sizes for group in combinations(countries, size)))

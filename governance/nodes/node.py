"""A node as the operator declares it, and the pools of nodes that a decision leads to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from governance.residency import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS towards a node: `ca_file` None means the system's trust store; the name verified is `server_name`."""

    server_name: str
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A set of nodes that may serve a request. Equal sets have equal names (128 bits of SHA-256 over sorted ids).

    `cell` names the set of countries the nodes are in: the Envoy cluster that holds no host outside them.
    """

    name: str
    cell: str
    nodes: tuple[str, ...]


def pool_of(nodes: Iterable[Node]) -> Pool:
    """The pool of exactly `nodes` (at least one)."""
    members = sorted(nodes, key=lambda node: node.id)
    ids = tuple(node.id for node in members)
    countries = sorted({node.country.lower() for node in members})
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
    label = "-".join(countries)
    # A cell name is an Envoy cluster name: long lists of countries are named by digest.
    cell = label if len(countries) <= 8 else "many-" + hashlib.sha256(label.encode()).hexdigest()[:16]
    return Pool(name=f"pool-{digest}", cell=f"cell-{cell}", nodes=ids)

"""Immutable sets of xDS resources, versioned by content.

Use: `resource(XdsType.CLUSTER, name, message, source=...)`, `Snapshot.of(resources)`, `snapshot.inconsistencies()`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from google.protobuf.message import Message

_PREFIX = "type.googleapis.com/envoy.config."


class XdsType(StrEnum):
    """Resource types by type URL, in the order in which a change is pushed (make before break)."""

    CLUSTER = _PREFIX + "cluster.v3.Cluster"
    ENDPOINT = _PREFIX + "endpoint.v3.ClusterLoadAssignment"
    LISTENER = _PREFIX + "listener.v3.Listener"
    ROUTE = _PREFIX + "route.v3.RouteConfiguration"

    @property
    def wildcard(self) -> bool:
        """Whether a first request without names means every resource; for the others it means none."""
        return self in (XdsType.CLUSTER, XdsType.LISTENER)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resource:
    """One resource. `body` is its deterministic serialisation, `version` a digest of it; `message` is never changed.

    `source` is what it was built from: while that is equal, a later snapshot takes the resource over as it is.
    """

    type: XdsType
    name: str
    version: str
    body: bytes
    message: Message
    source: Hashable = None


def resource(kind: XdsType, name: str, message: Message, *, source: Hashable = None) -> Resource:
    """The resource `name`; equal messages have equal bodies and versions."""
    body = message.SerializeToString(deterministic=True)
    version = hashlib.sha256(body).hexdigest()[:16]
    return Resource(type=kind, name=name, version=version, body=body, message=message, source=source)


def version_of(resources: Iterable[Resource]) -> str:
    """Version of a set of resources: equal names and contents have equal versions."""
    lines = sorted(f"{one.type} {one.name} {one.version}" for one in resources)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """Every resource of the data plane at one moment. Publishing is swapping one snapshot for another."""

    resources: Mapping[XdsType, Mapping[str, Resource]]
    version: str

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Snapshot:
        """The snapshot of `resources`, each type in the order of names."""
        everything = sorted(resources, key=lambda one: one.name)
        by_type = {kind: MappingProxyType({o.name: o for o in everything if o.type is kind}) for kind in XdsType}
        return cls(resources=MappingProxyType(by_type), version=version_of(everything))

    def get(self, kind: XdsType, name: str) -> Resource | None:
        """The resource of this type and name."""
        return self.resources[kind].get(name)

    def all(self) -> tuple[Resource, ...]:
        """Every resource, in the order of push."""
        return tuple(one for kind in XdsType for one in self.resources[kind].values())

    def inconsistencies(self) -> list[str]:
        """Dangling references, none when consistent: EDS clusters have endpoints and listeners routes, with none left over."""
        named_endpoints = {name for name, one in self.resources[XdsType.CLUSTER].items() if _by_eds(one.message)}
        named_routes = {
            name for one in self.resources[XdsType.LISTENER].values() for name in _routes_named_by(one.message)
        }
        return _differences("endpoints", named_endpoints, self.resources[XdsType.ENDPOINT]) + _differences(
            "routes", named_routes, self.resources[XdsType.ROUTE]
        )


def _differences(what: str, named: set[str], present: Mapping[str, Resource]) -> list[str]:
    missing = [f"{what} `{name}` are named but absent" for name in sorted(named - set(present))]
    extra = [f"{what} `{name}` are named by nothing" for name in sorted(set(present) - named)]
    return missing + extra


def _by_eds(cluster: Any) -> bool:
    return bool(cluster.WhichOneof("cluster_discovery_type") == "type" and cluster.type == Cluster.EDS)


def _routes_named_by(listener: Any) -> set[str]:
    names = set()
    for chain in listener.filter_chains:
        for one in chain.filters:
            manager = HttpConnectionManager()
            if one.typed_config.Unpack(manager) and manager.HasField("rds"):
                names.add(manager.rds.route_config_name)
    return names

"""What one xDS stream has asked for, has been sent and has accepted: pure state, no network and no clock.

Use: make a `DeltaStream` or `SotwStream`, feed it requests (`receive`) and snapshots (`publish`), and send whatever
`next()` returns until it returns None. A push is made at the moment it is taken, so nothing stale waits in a queue.

Order: clusters, endpoints, listeners, routes; what is gone is taken away only once nothing accepted refers to it.
Source: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from governance.frozen import frozen
from sidecar.snapshot import Resource, Snapshot, XdsType, version_of

WILDCARD = "*"
# A removed or unknown name that the client has been told about.
_ABSENT = ""
# A version no resource has: what is known by it is sent, or taken away, again.
_DOUBTFUL = "?"
# An answer to nothing: Envoy has at most a few responses unanswered; the bound is against a client that answers none.
_MAX_IN_FLIGHT = 256


@frozen
class Nack:
    """A push of the resources `names` that Envoy refused. It may have applied part of it: never assumed rolled back."""

    type: XdsType
    names: frozenset[str]
    snapshot: str
    message: str


@frozen
class SotwRequest:
    """A state-of-the-world request. `error` is None unless it refuses the response with this nonce."""

    type: XdsType
    version: str = ""
    nonce: str = ""
    names: tuple[str, ...] = ()
    error: str | None = None


@frozen
class DeltaRequest:
    """An incremental request: any mix of an answer to `nonce` and changes of interest."""

    type: XdsType
    nonce: str = ""
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


Request = SotwRequest | DeltaRequest


@frozen
class Push:
    """A response. `resources` are all of the type's (state of the world) or the changed ones (delta)."""

    type: XdsType
    version: str
    nonce: str
    resources: tuple[Resource, ...]
    removed: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _InFlight:
    versions: dict[str, str]
    snapshot: str


@dataclass(slots=True, kw_only=True)
class _Interest:
    """One type on one stream. `known` is what the client was sent or said it has, `acked` what it accepted; `doubtful`
    are the names of a refused push, some of which may have been applied.
    """

    wildcard: bool = False
    names: dict[str, None] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    acked: dict[str, str] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    in_flight: dict[str, _InFlight] = field(default_factory=dict)
    last_nonce: str = ""
    owed: bool = True

    def wants(self, name: str) -> bool:
        return self.wildcard or name in self.names

    def doubt(self) -> None:
        """What was refused is due again."""
        self.owed = self.owed or bool(self.doubtful)
        self.known.update({name: _DOUBTFUL for name in self.doubtful if self.wants(name)})
        self.doubtful.clear()

    def settle(self, nonce: str) -> _InFlight | None:
        return self.in_flight.pop(nonce, None)


class Stream(ABC):
    """State common to both protocols. `apart` says whether resources of one type can be sent one by one."""

    apart: ClassVar[bool]

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot
        self.nacks: list[Nack] = []
        self._interests: dict[XdsType, _Interest] = {}
        self._nonces = 0

    def publish(self, snapshot: Snapshot) -> None:
        """`snapshot` is what the client should come to have. Refusals before are history, and what was refused is sent again.

        Only then: the same push would be refused again, unless something else has changed, such as a file that it names.
        """
        self.snapshot = snapshot
        self.nacks.clear()
        for interest in self._interests.values():
            interest.doubt()

    def next(self) -> Push | None:
        """The next push, or None while there is nothing to say. What is returned counts as sent."""
        if self.snapshot is None:
            return None
        for kind in XdsType:
            interest = self._interests.get(kind)
            push = self._push(kind, interest, self.snapshot) if interest is not None else None
            if push is not None:
                return push
        return None

    @property
    def accepted(self) -> bool:
        """Whether the client has accepted every resource of the current snapshot, in its current version."""
        return self.outcome(()) is True

    def outcome(self, beside: Collection[str]) -> bool | None:
        """Whether all but the resources named `beside` was accepted: False once any was refused, None while it is open."""
        if any(nack.names.difference(beside) for nack in self.nacks):
            return False
        snapshot = self.snapshot
        if snapshot is not None and all(self._accepted(kind, snapshot, beside) for kind in XdsType):
            return True
        return None

    @abstractmethod
    def _push(self, kind: XdsType, interest: _Interest, snapshot: Snapshot) -> Push | None: ...

    def _accepted(self, kind: XdsType, snapshot: Snapshot, beside: Collection[str] = ()) -> bool:
        wanted = {name: one.version for name, one in snapshot.resources[kind].items() if name not in beside}
        interest = self._interests.get(kind)
        if interest is None:
            return not wanted
        return all(interest.acked.get(name) == version for name, version in wanted.items())

    def _may_remove(self, kind: XdsType, snapshot: Snapshot) -> bool:
        # Break last: clusters and endpoints go once the routes that named them are gone, routes once the listener is.
        later = {XdsType.LISTENER: (), XdsType.ROUTE: (XdsType.LISTENER,)}.get(kind, (XdsType.LISTENER, XdsType.ROUTE))
        return all(other not in self._interests or self._accepted(other, snapshot) for other in later)

    def _answer(self, interest: _Interest, kind: XdsType, nonce: str, error: str | None) -> None:
        sent = interest.settle(nonce)
        if sent is None:
            return
        if error is None:
            for name, version in sent.versions.items():
                if version == _ABSENT:
                    interest.acked.pop(name, None)
                else:
                    interest.acked[name] = version
            return
        interest.doubtful.update(sent.versions)
        outdated = self.snapshot is None or sent.snapshot != self.snapshot.version
        if outdated or (self.apart and len(sent.versions) > 1):
            # Which of them is to blame, and still is, is known once each was sent alone; the others are accepted.
            interest.doubt()
        else:
            self.nacks.append(Nack(type=kind, names=frozenset(sent.versions), snapshot=sent.snapshot, message=error))

    def _sent(
        self, kind: XdsType, interest: _Interest, resources: Sequence[Resource], removed: Sequence[str], version: str
    ) -> Push:
        assert self.snapshot is not None  # noqa: S101 - next() has seen it
        self._nonces += 1
        nonce = str(self._nonces)
        changed = [one for one in resources if interest.known.get(one.name) != one.version]
        for name in removed:
            interest.known.pop(name, None)
        interest.known.update({one.name: one.version for one in resources})
        versions = {one.name: one.version for one in resources} | dict.fromkeys(removed, _ABSENT)
        interest.in_flight[nonce] = _InFlight(versions=versions, snapshot=self.snapshot.version)
        if len(interest.in_flight) > _MAX_IN_FLIGHT:
            interest.in_flight.pop(next(iter(interest.in_flight)))
        interest.last_nonce, interest.owed = nonce, False
        if kind is XdsType.CLUSTER:
            self._renew_endpoints(changed)
        return Push(type=kind, version=version, nonce=nonce, resources=tuple(resources), removed=tuple(removed))

    def _renew_endpoints(self, clusters: Sequence[Resource]) -> None:
        # A changed cluster warms anew and waits for its endpoints, which Envoy does not ask for again when the name is
        # already subscribed (envoyproxy/envoy#9934).
        interest = self._interests.get(XdsType.ENDPOINT)
        if interest is not None:
            for cluster in clusters:
                if interest.known.pop(cluster.name, None) is not None:
                    interest.owed = True


class SotwStream(Stream):
    """State of the world: each response holds everything of its type that the client asked for."""

    apart = False

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        super().__init__(snapshot)
        self._last: dict[XdsType, tuple[Resource, ...]] = {}

    def receive(self, request: SotwRequest) -> None:
        """The state after `request`; an answer to any but the latest response of its type is stale and changes nothing."""
        interest = self._interests.get(request.type)
        if interest is None or not request.nonce:
            self._begin(request)
        elif request.nonce == interest.last_nonce:
            self._answer(interest, request.type, request.nonce, request.error)
            self._renew_names(interest, request)

    def _begin(self, request: SotwRequest) -> None:
        interest = _Interest(wildcard=(request.type.wildcard and not request.names) or WILDCARD in request.names)
        interest.names = dict.fromkeys(name for name in request.names if name != WILDCARD)
        self._interests[request.type] = interest
        self._last.pop(request.type, None)
        if not request.version or self.snapshot is None:
            return
        # On a new stream the client says what it has; versions are digests of content, so equal means the same.
        held = self._target(request.type, interest, self.snapshot)
        if held and version_of(held) == request.version:
            interest.known = {one.name: one.version for one in held}
            interest.acked = dict(interest.known)
            interest.owed = False
            self._last[request.type] = held

    def _renew_names(self, interest: _Interest, request: SotwRequest) -> None:
        if request.names or not interest.wildcard:
            names = dict.fromkeys(name for name in request.names if name != WILDCARD)
            # Asked for more: answered even when the version is the same.
            interest.owed = interest.owed or not set(names) <= set(interest.names)
            interest.names = names
            interest.wildcard = WILDCARD in request.names
            for gone in [name for name in interest.known if not interest.wants(name)]:
                interest.known.pop(gone)
                interest.acked.pop(gone, None)

    def _target(self, kind: XdsType, interest: _Interest, snapshot: Snapshot) -> tuple[Resource, ...]:
        present = [one for name, one in snapshot.resources[kind].items() if interest.wants(name)]
        if not self._may_remove(kind, snapshot):
            names = {one.name for one in present}
            present += [one for one in self._last.get(kind, ()) if one.name not in names and interest.wants(one.name)]
        return tuple(present)

    def _push(self, kind: XdsType, interest: _Interest, snapshot: Snapshot) -> Push | None:
        target = self._target(kind, interest, snapshot)
        last = self._last.get(kind, ())
        kept = tuple(one for one in last if interest.wants(one.name))
        if not interest.owed and version_of(target) == version_of(kept):
            return None
        if not target and not interest.wildcard:
            return None
        removed = sorted({one.name for one in kept} - {one.name for one in target})
        self._last[kind] = target
        return self._sent(kind, interest, target, removed, version_of(target))


class DeltaStream(Stream):
    """Incremental: each response holds what changed since the last, and the names of what is gone."""

    apart = True

    def receive(self, request: DeltaRequest) -> None:
        """The state after `request`. Changes of interest hold whatever nonce they come with; each nonce is answered once."""
        interest = self._interests.get(request.type)
        if interest is None:
            interest = self._begin(request)
        else:
            self._answer(interest, request.type, request.nonce, request.error)
        for name in request.subscribe:
            if name == WILDCARD:
                interest.owed = interest.owed or not interest.wildcard
                interest.wildcard = True
                continue
            interest.names[name] = None
            # Asking again means "send it again", unless the client has just said which version it has.
            if name not in request.initial_versions:
                interest.known.pop(name, None)
        self._forget(interest, request.unsubscribe)

    def _begin(self, request: DeltaRequest) -> _Interest:
        interest = _Interest(wildcard=request.type.wildcard and not request.subscribe)
        interest.owed = interest.wildcard
        interest.known = dict(request.initial_versions)
        interest.acked = dict(request.initial_versions)
        self._interests[request.type] = interest
        return interest

    def _forget(self, interest: _Interest, names: Sequence[str]) -> None:
        for name in names:
            if name == WILDCARD:
                interest.wildcard = False
            else:
                interest.names.pop(name, None)
        if names:
            for gone in [name for name in interest.known if not interest.wants(name)]:
                interest.known.pop(gone)
                interest.acked.pop(gone, None)

    def _push(self, kind: XdsType, interest: _Interest, snapshot: Snapshot) -> Push | None:
        present = snapshot.resources[kind]
        changed = [
            one for name, one in present.items() if interest.wants(name) and interest.known.get(name) != one.version
        ]
        gone: list[str] = []
        if self._may_remove(kind, snapshot):
            gone = [name for name, version in interest.known.items() if version != _ABSENT and name not in present]
        # Asked for by name and not there: said once, so that the client need not wait for it.
        gone += [name for name in interest.names if name not in present and name not in interest.known]
        alone = next((n for n in (*(r.name for r in changed), *gone) if interest.known.get(n) == _DOUBTFUL), None)
        if alone is not None:
            changed, gone = [one for one in changed if one.name == alone], [name for name in gone if name == alone]
        if not changed and not gone and not interest.owed:
            return None
        push = self._sent(kind, interest, changed, gone, snapshot.version)
        interest.known.update({name: _ABSENT for name in gone if name in interest.names})
        return push

"""From a pin to the nodes that satisfy it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from governance.decision import Pin
from governance.nodes.node import Node
from governance.residency import expand

_Check = Callable[[Node], bool]
_ANYWHERE = Pin()


def admissible(pin: Pin, nodes: Sequence[Node], *, model: str) -> tuple[Node, ...]:
    """The nodes that serve `model` and satisfy every dimension of `pin`, in the order given; liveness plays no part.

    Groups of countries count as their members; country codes are compared in upper case, all else exactly.
    """
    serving = tuple(node for node in nodes if model in node.models)
    if pin == _ANYWHERE:
        return serving
    checks = (*_wanted(pin), *_unexcluded(pin))
    return tuple(node for node in serving if all(check(node) for check in checks))


def _wanted(pin: Pin) -> Iterable[_Check]:
    if pin.countries is not None:
        countries = _countries(pin.countries.any)
        yield lambda node: node.country.upper() in countries
    if pin.regions is not None:
        regions = frozenset(pin.regions.any)
        yield lambda node: node.region in regions
    if pin.tiers is not None:
        tiers = frozenset(pin.tiers.any)
        yield lambda node: node.tier in tiers
    if pin.nodes is not None:
        ids = frozenset(pin.nodes.any)
        yield lambda node: node.id in ids
    if pin.providers is not None:
        providers = frozenset(pin.providers.any)
        yield lambda node: node.provider in providers
    if pin.certifications is not None:
        certifications = frozenset(pin.certifications.any)
        yield lambda node: not certifications.isdisjoint(node.certifications)


def _unexcluded(pin: Pin) -> Iterable[_Check]:
    exclude = pin.exclude
    countries = _countries(exclude.countries)
    certifications = frozenset(exclude.certifications)
    yield (
        lambda node: (
            node.country.upper() not in countries
            and node.region not in exclude.regions
            and node.tier not in exclude.tiers
            and node.id not in exclude.nodes
            and node.provider not in exclude.providers
            and certifications.isdisjoint(node.certifications)
        )
    )


def _countries(codes: Iterable[str]) -> frozenset[str]:
    return expand(code.upper() for code in codes)

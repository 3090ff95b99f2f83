"""IP addresses and networks, as Go reads them: an IPv4 address within IPv6 is the IPv4 address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Final

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import MAX_SIZE, Builtin, collected, elements, guarded, text, within
from governance.policy.plan.values import Set, Value, key_of, name_of, sorted_values

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network
_CIDR: Final = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}", re.ASCII)
_MAPPED: Final = 96  # bits before an IPv4 address within IPv6
_MAX_EXPANDED: Final = 100_000


def _address(written: str) -> _Address | None:
    if "%" in written or "/" in written:
        return None
    try:
        found = ip_address(written)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _network(written: str) -> _Network:
    if _CIDR.fullmatch(written) is None:
        raise BuiltinError("invalid CIDR address")
    try:
        found = ip_network(written, strict=False)
    except ValueError:
        raise BuiltinError("invalid CIDR address") from None
    mapped = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
    if mapped is not None and found.prefixlen >= _MAPPED:
        return IPv4Network((int(mapped), found.prefixlen - _MAPPED))
    return found


def contains(a: Value, b: Value) -> Value:
    """Whether the network `a` holds the address or network `b`."""
    outer, written = _network(text(a, 1)), text(b, 2)
    inner = _address(written)
    if inner is not None:
        return inner in outer
    return _holds(outer, _network(written))


def _holds(outer: _Network, inner: _Network) -> bool:
    return inner.version == outer.version and inner[0] in outer and inner[-1] in outer


def intersects(a: Value, b: Value) -> Value:
    """Whether two networks share an address."""
    return _network(text(a, 1)).overlaps(_network(text(b, 2)))


def is_valid(a: Value) -> Value:
    """Whether a value is a network."""
    try:
        _network(text(a))
    except BuiltinError:
        return False
    return True


def expand(a: Value) -> Value:
    """The addresses of a network, as a set of strings."""
    network = _network(text(a))
    if network.num_addresses > _MAX_EXPANDED:
        raise BuiltinError("result too large")
    return collected(map(str, network))


def matches(a: Value, b: Value) -> Value:
    """The pairs of an index of `a` and one of `b` whose network holds the other's address or network."""
    left, right = list(_indexed(a)), list(_indexed(b))
    within(len(left) * len(right) * 10)
    return collected([i, j] for i, outer in left for j, inner in right if contains(outer, inner))


def _indexed(value: Value) -> Iterator[tuple[Value, Value]]:
    """Each network of an operand after what stands for it: its index, its name or, in a set, itself."""
    if type(value) is str:
        yield value, value
    elif type(value) is list:
        yield from ((index, _written(item)) for index, item in enumerate(value))
    elif type(value) is Set:
        yield from ((item, _written(item)) for item in sorted_values(value))
    elif type(value) is dict:
        names = sorted_values(map(name_of, value))
        yield from ((name, _written(value[key_of(name)])) for name in names)


def _written(item: Value) -> Value:
    if type(item) is str:
        return item
    if type(item) is list and item:
        return item[0]
    raise BuiltinError("element must be string or non-empty array")


def merge(a: Value) -> Value:
    """The fewest networks that hold the same addresses; a bare IPv4 address has the network of its class."""
    ranges = [_range(text(item)) for item in elements(a)]
    within(len(ranges) * 10)
    merged: list[tuple[_Address, _Address, str]] = []
    for first, last, written in sorted(ranges, key=lambda one: (one[1].version, int(one[1]), int(one[0]))):
        while merged and merged[-1][1].version == first.version and int(merged[-1][1]) >= int(first) - 1:
            before = merged.pop()
            first, written = min(before[0], first, key=int), ""  # noqa: PLW2901  # the range grows downwards
        merged.append((first, last, written))
    return collected(name for one in merged for name in _names(*one))


def _range(written: str) -> tuple[_Address, _Address, str]:
    address = _address(written)
    if address is None:
        network = _network(written)
        return network[0], network[-1], str(network)
    if isinstance(address, IPv6Address):
        raise BuiltinError("IPv6 invalid: needs prefix length")
    bits = _class_bits(int(address) >> 24)
    network = ip_network(f"{address}/{bits}", strict=False)
    return network[0], network[-1], f"{address}/{bits}"


def _class_bits(first: int) -> int:
    if first >= 224:
        raise BuiltinError("an address of no class")
    return 8 if first < 128 else 16 if first < 192 else 24


def _names(first: _Address, last: _Address, written: str) -> Iterator[str]:
    if written:
        yield written
        return
    for count, network in enumerate(summarize_address_range(first, last)):
        if count > MAX_SIZE:
            raise BuiltinError("result too large")
        yield str(network)


BUILTINS: Final[Mapping[str, Builtin]] = {
    "net.cidr_contains": guarded(contains),
    "net.cidr_overlap": guarded(contains),
    "net.cidr_intersects": guarded(intersects),
    "net.cidr_is_valid": guarded(is_valid),
    "net.cidr_expand": guarded(expand),
    "net.cidr_contains_matches": guarded(matches),
    "net.cidr_merge": guarded(merge),
}

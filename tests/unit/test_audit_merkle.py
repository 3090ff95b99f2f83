"""The root of the tree over a log's records is the one that RFC 6962 defines."""

from __future__ import annotations

import hashlib

from governance.audit.frame import leaf_hash
from governance.audit.merkle import Frontier


def defined(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:half]) + defined(leaves[half:])).digest()


def test_the_root_is_that_of_the_standard() -> None:
    """After every leaf, through all shapes of a tree of seventy."""
    tree, leaves = Frontier(), list[bytes]()
    for number in range(70):
        assert defined(leaves) == tree.root()
        leaves.append(leaf_hash(b"%d" % number))
        tree.add(leaves[-1])


def test_a_published_root() -> None:
    """The eight leaves of the reference tests of Certificate Transparency."""
    tree = Frontier()
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"):
        tree.add(leaf_hash(bytes.fromhex(leaf)))

    assert "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" == tree.root().hex()

"""Addresses of crypto-currencies: published specimens, agreement with python-stdnum and Presidio, broken ones."""

from __future__ import annotations

import hashlib
import random

import pytest
from presidio_analyzer.predefined_recognizers.generic.crypto_recognizer import CryptoRecognizer
from stdnum import bitcoin

from classifiers.checks.crypto import CHECKS, keccak_256
from classifiers.rules import CATALOGUE, Rule, load_rules

RULES = tuple(rule for rule in load_rules(CATALOGUE / "families") if rule.entity == "CRYPTO")
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
# No checksum: any key of 32 bytes is an address, and one case of letters proves nothing.
UNCHECKED = {"family.solana"}


def bitcoin_address(version: int, payload: bytes) -> str:
    """The base58check form, written here apart from the code under test."""
    body = bytes([version]) + payload
    body += hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    number, text = int.from_bytes(body, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(body) - len(body.lstrip(b"\0"))) + text


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_keccak_256_is_the_one_before_its_standard(message: bytes, digest: str) -> None:
    """Published digests; FIPS 202 pads differently."""
    assert digest == keccak_256(message).hex()
    assert hashlib.sha3_256(message).hexdigest() != digest


@pytest.mark.parametrize("length", [135, 136, 137, 272, 300])
def test_keccak_256_takes_messages_around_its_block_length(length: int) -> None:
    """Digests of neighbouring lengths differ, and each is 32 bytes long."""
    digests = {keccak_256(b"x" * each) for each in (length - 1, length, length + 1)}
    assert (3, {32}) == (len(digests), {len(each) for each in digests})


def test_bitcoin_check_equals_the_oracle_and_presidio_on_valid_and_changed_addresses() -> None:
    """Pay to key hash and to script hash; one character replaced by another of the alphabet."""
    drawn, recognizer = random.Random(5), CryptoRecognizer()
    for _ in range(200):
        valid = bitcoin_address(drawn.choice([0, 5]), drawn.randbytes(20))
        at = drawn.randrange(1, len(valid))
        changed = valid[:at] + drawn.choice(BASE58.replace(valid[at], "")) + valid[at + 1 :]
        for address in (valid, changed):
            expected = bitcoin.is_valid(address)
            assert expected == CHECKS["bitcoin"](address)
            assert expected == recognizer.validate_result(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", True),
        ("bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", True),
        ("bc1sw50qgdz25j", True),
        ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", True),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", False),
        ("bc1S0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqw508d6qejx", False),
    ],
)
def test_witness_addresses_follow_bip_350(address: str, expected: bool) -> None:
    """Its own test vectors: version 0 under bech32, later ones under bech32m."""
    assert expected == CHECKS["bitcoin"](address)


def test_the_case_of_an_ethereum_address_is_verified_where_there_is_one() -> None:
    """The vectors of EIP-55, and each with the case of one letter changed."""
    for address in (
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ):
        assert CHECKS["ethereum"](address)
        assert CHECKS["ethereum"](address.lower())
        at = max(place for place, each in enumerate(address) if each.isalpha())
        assert not CHECKS["ethereum"](address[:at] + address[at].swapcase() + address[at + 1 :])


@pytest.mark.parametrize("rule", [each for each in RULES if each.id not in UNCHECKED], ids=lambda rule: rule.id)
def test_one_character_changed_breaks_an_address(rule: Rule) -> None:
    """Each of the last six characters of each valid example replaced by its neighbour of the alphabet."""
    assert rule.check is not None
    accepted = []
    for address in rule.valid:
        if rule.id == "family.ethereum" and address.lower() == address:
            continue
        for place in range(-6, 0):
            wrong = {"q": "p"}.get(address[place], "q") if "1" in address[:9] else "z" if address[place] != "z" else "y"
            changed = address[:place] + wrong + (address[place + 1 :] if place + 1 else "")
            if changed != address and CHECKS[rule.check](changed):
                accepted.append(changed)
    assert [] == accepted


@pytest.mark.parametrize("check", sorted(CHECKS))
@pytest.mark.parametrize("value", ["", "1", "0x", "q" * 42, "r" * 30, "1" * 34, "z" * 95, "\x80\xff", "addr1", "bc1q"])
def test_no_check_raises_for_what_its_shape_could_let_through(check: str, value: str) -> None:
    """Nothing of this is an address."""
    assert not CHECKS[check](value)

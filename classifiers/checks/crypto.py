"""Checks of addresses of crypto-currencies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b, sha256

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_RIPPLE = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_BASE58_VALUES = {each: value for value, each in enumerate(_BASE58)}
_RIPPLE_VALUES = {each: value for value, each in enumerate(_BASE58_RIPPLE)}
_BECH32_VALUES = {each: value for value, each in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_BECH32, _BECH32M = 1, 0x2BC830A3
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CASHADDR_GENERATOR = (0x98F2BC8E61, 0x79B76D99E2, 0xF33E5FB3C4, 0xAE2EABE2A8, 0x1E4F43E470)
_MASK = (1 << 64) - 1


def _base58(value: str, values: Mapping[str, int], zero: str) -> bytes:
    """The bytes; empty if a character is not of the alphabet."""
    number = 0
    for each in value:
        digit = values.get(each)
        if digit is None:
            return b""
        number = number * 58 + digit
    leading = len(value) - len(value.lstrip(zero))
    return bytes(leading) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base58check(value: str, versions: Iterable[bytes]) -> bool:
    decoded = _base58(value, _BASE58_VALUES, "1")
    return any(len(decoded) == len(each) + 24 and decoded.startswith(each) for each in versions) and _sealed(decoded)


def _sealed(decoded: bytes) -> bool:
    return sha256(sha256(decoded[:-4]).digest()).digest()[:4] == decoded[-4:]


def _polymod(values: Iterable[int], generator: tuple[int, ...], high: int) -> int:
    """The remainder of the BCH code whose top digit starts at bit `high`."""
    checksum, mask = 1, (1 << high) - 1
    for value in values:
        top = checksum >> high
        checksum = ((checksum & mask) << 5) ^ value
        for bit, factor in enumerate(generator):
            if top >> bit & 1:
                checksum ^= factor
    return checksum


def _bech32(value: str) -> tuple[int, list[int]]:
    """The constant that the checksum leaves and the data without it; (0, []) if `value` is none."""
    lowered = value.lower()
    prefix, _, tail = lowered.rpartition("1")
    if not prefix or len(tail) < 7 or value not in (lowered, lowered.upper()):
        return 0, []
    data = [_BECH32_VALUES.get(each, -1) for each in tail]
    if -1 in data:
        return 0, []
    expanded = [ord(each) >> 5 for each in prefix] + [0] + [ord(each) & 31 for each in prefix]
    return _polymod(expanded + data, _BECH32_GENERATOR, 25), data[:-6]


def _segwit(value: str) -> bool:
    """BIP 173 for witness version 0, BIP 350 for the others. Presidio takes any data part under either checksum."""
    constant, data = _bech32(value)
    return bool(data) and 0 <= data[0] <= 16 and constant == (_BECH32M if data[0] else _BECH32)


def _bitcoin(value: str) -> bool:
    if value[:1] in "13":
        return _base58check(value, (b"\x00", b"\x05"))
    return _segwit(value)


def _litecoin(value: str) -> bool:
    return _segwit(value) if value[:4].lower() == "ltc1" else _base58check(value, (b"\x30", b"\x32"))


def _dogecoin(value: str) -> bool:
    return _base58check(value, (b"\x1e", b"\x16"))


def _dash(value: str) -> bool:
    return _base58check(value, (b"\x4c", b"\x10"))


def _zcash(value: str) -> bool:
    return _base58check(value, (b"\x1c\xb8", b"\x1c\xbd"))


def _tron(value: str) -> bool:
    return _base58check(value, (b"\x41",))


def _ripple(value: str) -> bool:
    decoded = _base58(value, _RIPPLE_VALUES, "r")
    return len(decoded) == 25 and decoded[0] == 0 and _sealed(decoded)


def _bitcoin_cash(value: str) -> bool:
    """CashAddr: a 40 bit BCH code over the prefix and the data."""
    prefix, _, tail = value.lower().rpartition(":")
    prefix = prefix or "bitcoincash"
    data = [_BECH32_VALUES.get(each, -1) for each in tail]
    if -1 in data or len(data) != 42:
        return False
    return _polymod([*(ord(each) & 31 for each in prefix), 0, *data], _CASHADDR_GENERATOR, 35) == 1


def _cardano(value: str) -> bool:
    """Shelley addresses (CIP-19): bech32 without its limit of 90 characters."""
    return _bech32(value)[0] == _BECH32


def _cosmos(value: str) -> bool:
    return _bech32(value)[0] == _BECH32


def _substrate(value: str) -> bool:
    """SS58: two bytes of BLAKE2b over a prefix and the address; account ids of 32 bytes only."""
    decoded = _base58(value, _BASE58_VALUES, "1")
    if len(decoded) not in (35, 36) or (decoded[0] < 64) != (len(decoded) == 35):
        return False
    return blake2b(b"SS58PRE" + decoded[:-2]).digest()[:2] == decoded[-2:]


def _solana(value: str) -> bool:
    """An Ed25519 public key: 32 bytes, no checksum."""
    return len(_base58(value, _BASE58_VALUES, "1")) == 32


def _ethereum(value: str) -> bool:
    """EIP-55: the case of the letters carries a checksum. In one case only there is nothing to verify."""
    address = value[2:]
    lowered = address.lower()
    if address in (lowered, address.upper()):
        return len(set(lowered)) > 4
    digest = keccak_256(lowered.encode("ascii")).hex()
    return all(
        each.isdigit() or each.isupper() == (nibble > "7") for each, nibble in zip(address, digest, strict=False)
    )


_MONERO_BLOCK = 11
_MONERO_LAST = {7: 5}


def _monero(value: str) -> bool:
    """Blocks of eight bytes in eleven characters, the last of five in seven; four bytes of Keccak-256 at the end."""
    decoded = b""
    for start in range(0, len(value), _MONERO_BLOCK):
        block = value[start : start + _MONERO_BLOCK]
        size = _MONERO_LAST.get(len(block), 8)
        number = int.from_bytes(_base58(block, _BASE58_VALUES, "\0"), "big")
        if number >> (8 * size):
            return False
        decoded += number.to_bytes(size, "big")
    return len(decoded) in (69, 77) and keccak_256(decoded[:-4])[:4] == decoded[-4:]


_ROUND_CONSTANTS = (
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000A, 0x000000008000808B, 0x800000000000008B, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
)  # fmt: skip
# Where lane i goes in the pi step and how far it is rotated on the way (FIPS 202, 3.2.2 and 3.2.3), lane i = x + 5y.
_ROTATIONS = (0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14)
_TARGETS = tuple(i // 5 + 5 * ((2 * (i % 5) + 3 * (i // 5)) % 5) for i in range(25))
_RATE = 136


def keccak_256(message: bytes) -> bytes:
    """Keccak-256 as before FIPS 202 (padding 0x01): what Ethereum and Monero use, and hashlib does not have."""
    padded = bytearray(message) + bytes(_RATE - len(message) % _RATE)
    padded[len(message)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for i in range(_RATE // 8):
            lanes[i] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    moved = [0] * 25
    for constant in _ROUND_CONSTANTS:
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        parities = [columns[x - 1] ^ ((columns[x - 4] << 1 | columns[x - 4] >> 63) & _MASK) for x in range(5)]
        for i in range(25):
            lane, by = lanes[i] ^ parities[i % 5], _ROTATIONS[i]
            moved[_TARGETS[i]] = (lane << by | lane >> (64 - by)) & _MASK
        for y in (0, 5, 10, 15, 20):
            a, b, c, d, e = moved[y : y + 5]
            lanes[y : y + 5] = (a ^ (~b & c), b ^ (~c & d), c ^ (~d & e), d ^ (~e & a), e ^ (~a & b))
        lanes[0] ^= constant
    return lanes


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "bitcoin": _bitcoin,
    "bitcoin_cash": _bitcoin_cash,
    "cardano": _cardano,
    "cosmos": _cosmos,
    "dash": _dash,
    "dogecoin": _dogecoin,
    "ethereum": _ethereum,
    "litecoin": _litecoin,
    "monero": _monero,
    "ripple": _ripple,
    "solana": _solana,
    "substrate": _substrate,
    "tron": _tron,
    "zcash": _zcash,
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {}

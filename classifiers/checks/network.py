"""Checks of addresses of people and machines in networks, and of the numbers that devices carry."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from classifiers.checks.arithmetic import luhn, one_digit_repeated
from classifiers.registries import mobile_countries, top_level_domains

_MAX_HOST = 253
_MAX_LABEL = 63
_PRIVATE_CLASS_A = 10
# Parts of version numbers hardly ever get here.
_NO_VERSION = 64
_MAX_LOCAL = 64
# Top-level domains that hardly ever follow a dot for another reason. Others are words, file names or members in code.
PLAIN_DOMAINS = frozenset(
    "com org net edu gov mil biz eu de fr uk nl ch se dk fi cz hu ro gr pt ie lu sk bg lv ee jp cn kr tw hk nz au br mx ru "
    "ua za il ae sa ke vn sg".split()
)
# Top-level names that no registry gives out: those of networks of one's own (RFC 6762 and its appendix G, and `localdomain` by
# custom), and of samples (RFC 6761, but for `invalid`).
_PRIVATE_DOMAINS = frozenset("local localdomain internal intranet private corp home lan test example".split())
# Accounts of machines and roles, and words that stand where a log has a name.
_NO_PERSON = frozenset(
    "root admin administrator system guest user users test nobody none null unknown daemon operator oracle postgres mysql ubuntu "
    "debian centos ec2-user pi git www-data nginx apache jenkins ansible backup support service default anonymous invalid the".split()
)
# Types, members in code and words that stand where a name would, as a whole or as a piece of one.
_NO_NAMES = frozenset(
    "str string text varchar char value name login user username account foo bar foobar example sample demo placeholder null someone somebody "
    "true false env replace change changeme todo fixme tbd models os process request settings required optional".split()
)
# Left of `.net` and `.com` in code and product names.
_NO_SITES = frozenset(
    "self this cls obj args config model data torch window system asp vb ado app req res ctx np e".split()
)
_LEADS_NO_NAME = _NO_SITES | {"db", "my", "your"}


def _domain(host: str, *, private: bool = False) -> bool:
    """Whether `host` is a name below a top-level domain, or, if `private`, below one that no registry gives out. Folded letters of other scripts pass as a top-level domain."""
    name = host.rstrip(".").lower()
    labels = name.split(".")
    if len(labels) < 2 or len(name) > _MAX_HOST or not all(0 < len(label) <= _MAX_LABEL for label in labels):
        return False
    last = labels[-1]
    known = last in top_level_domains() or (private and last in _PRIVATE_DOMAINS)
    return known or (len(last) > 1 and all(each >= "\x80" for each in last))


def _email(value: str) -> bool:
    local, _, host = value.rpartition("@")
    # Mail goes on inside a firm too.
    return 0 < len(local) <= 4 * _MAX_LOCAL and not local.startswith(".") and _domain(host, private=True)


def _host_of(value: str) -> str:
    """The host of a URL with or without its scheme, its user and port removed."""
    _, separator, rest = value.partition("://")
    authority = rest if separator else value
    for delimiter in "/?#\\":
        authority = authority.partition(delimiter)[0]
    authority = authority.rpartition("@")[2]
    return authority.partition(":")[0]


def _url(value: str) -> bool:
    # The scheme says that it is one, and links go round inside a firm too.
    return _domain(_host_of(value), private=True)


def _plain_domain(value: str) -> bool:
    """A host without scheme under a top-level domain that is no usual word, and not all numbers before it."""
    host = _host_of(value).lower()
    first, _, rest = host.partition(".")
    plain = first == "www" or (host.rpartition(".")[2] in PLAIN_DOMAINS and ("." in rest or _is_site(first)))
    return plain and _any_domain(host)


def _is_site(name: str) -> bool:
    """Whether a name right before a top-level domain is one: letters and usual variables are objects in code."""
    return len(name) > 1 and name not in _NO_SITES


def _any_domain(value: str) -> bool:
    host = _host_of(value)
    return _domain(host) and not _is_numeric(host)


def _is_numeric(host: str) -> bool:
    return host.rpartition(".")[0].replace(".", "").isdigit()


def _ipv4(value: str) -> bool:
    """Four numbers that are the address of somebody or of a network; its mask, if any, is one."""
    written, _, mask = value.partition("/")
    try:
        address = ipaddress.IPv4Address(written)
    except ValueError:
        return False
    if address.is_unspecified or address.is_loopback or _is_netmask(int(address)):
        return False
    return not mask or int(mask) <= 32


def _is_netmask(number: int) -> bool:
    """Whether the bits of an address are ones and then zeros (RFC 950), eight ones at least; the broadcast address is, too."""
    zeros = number ^ 0xFFFFFFFF
    return number >= 0xFF000000 and not zeros & (zeros + 1)


def _ipv4_no_version(value: str) -> bool:
    """An address that is no version of a program: one number is 64 or more, or it begins with 10."""
    if not _ipv4(value):
        return False
    numbers = [int(each) for each in value.partition("/")[0].split(".")]
    return numbers[0] == _PRIVATE_CLASS_A or max(numbers) >= _NO_VERSION


def _ipv6(value: str) -> bool:
    """As RFC 4291 writes it, with zone (RFC 4007) and mask. What could be a slice or a scope in code is none."""
    address, _, mask = value.partition("/")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    groups = address.partition("%")[0]
    if "." not in groups:
        digits = groups.replace(":", "")
        if len(digits) < (4 if groups.endswith("::") else 5) or not any(each.isdigit() for each in digits):
            return False
        if groups.startswith("::") and groups.count(":") == 2:
            return False
    return not mask or int(mask) <= 128


def _ipv4_number(value: str) -> bool:
    """An address as one number, decimal or hexadecimal; 0.x and 240.x and above are no host's."""
    lowered = value.lower()
    number = int(lowered, 16) if lowered.startswith("0x") else int(lowered)
    return 1 <= number >> 24 < 240


# Addresses for documents (RFC 7042, 2.1.2), and those that stand for any.
_SAMPLE_MACS = ("00005e0053", "01005e9010", "aabbccddeeff", "001122334455", "123456789abc", "deadbeef")


def _mac(value: str) -> bool:
    """An address of a device: neither one digit repeated nor one of documents, and in groups of four with a letter (else it is
    a number).
    """
    digits = "".join(each for each in value if each.isalnum()).lower()
    separators = {each for each in value if not each.isalnum()}
    if len(separators) != 1 or one_digit_repeated(digits) or digits.startswith(_SAMPLE_MACS):
        return False
    return "." not in separators or not digits.isdigit()


def _mac_bare(value: str) -> bool:
    """Twelve digits in hex with letters and decimal digits among them, so that neither numbers nor words are addresses."""
    digits = value.lower()
    return not digits.isdigit() and not digits.isalpha() and len(set(digits)) > 4


def _username(value: str) -> bool:
    """With a digit in it: a word alone behind `login:` is a type, a value of an option or prose."""
    return any(each.isdigit() for each in value)


def _logged_username(value: str) -> bool:
    """Of a person as far as one can tell."""
    return value.lower() not in _NO_PERSON


def _account_name(value: str) -> bool:
    """Of a person or a service as far as one can tell: no role, no member in code, and nothing that stands for a name."""
    name = value.lower()
    pieces = re.split("[._-]", name)
    return name not in _NO_PERSON and pieces[0] not in _LEADS_NO_NAME and _NO_NAMES.isdisjoint(pieces)


# The namespaces of RFC 9562, 6.6 differ in the last digit of the first group.
_NAMESPACES = re.compile(r"6ba7b81[0124]-9dad-11d1-80b4-00c04fd430c8", re.IGNORECASE)


def _uuid(value: str) -> bool:
    """RFC 9562: a version of 1 to 8 and the variant of the RFC; not one of its namespaces."""
    return value[14] in "12345678" and value[19].lower() in "89ab" and _NAMESPACES.fullmatch(value) is None


def _imei(value: str) -> bool:
    """3GPP TS 23.003, 6.2.1: Luhn; the first two digits name the body that reported the type (GSMA TS.06)."""
    return luhn(value) and value[:2] in _REPORTING_BODIES and not one_digit_repeated(value[2:])


def _imeisv(value: str) -> bool:
    return value[:2] in _REPORTING_BODIES and not one_digit_repeated(value[2:])


_REPORTING_BODIES = frozenset("01 10 30 33 35 44 45 49 50 51 52 53 54 86 91 98 99".split())


def _imsi(value: str) -> bool:
    """ITU-T E.212: a known mobile country code, then a network and a subscriber."""
    return value[:3] in mobile_countries() and not one_digit_repeated(value[5:])


def _imsi_country(value: str) -> str | None:
    return mobile_countries().get(value[:3])


def _iccid(value: str) -> bool:
    """ITU-T E.118: telecommunications (89), then Luhn; nineteen digits may come without their check digit."""
    digits = "".join(each for each in value if each.isdigit())
    return digits.startswith("89") and not one_digit_repeated(digits[2:]) and luhn(digits)


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "account_name": _account_name,
    "any_domain": _any_domain,
    "email": _email,
    "iccid": _iccid,
    "imei": _imei,
    "imeisv": _imeisv,
    "imsi": _imsi,
    "ipv4": _ipv4,
    "ipv4_no_version": _ipv4_no_version,
    "ipv4_number": _ipv4_number,
    "ipv6": _ipv6,
    "logged_username": _logged_username,
    "mac": _mac,
    "mac_bare": _mac_bare,
    "plain_domain": _plain_domain,
    "url": _url,
    "username": _username,
    "uuid": _uuid,
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {
    "imsi_country": _imsi_country,
}

"""Checks of credentials: what issuers' checksums and structures say, and whether a value looks random at all.

Issuers without a checksum leave nothing to verify but randomness. `random_looking` states what that means here, once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise

# Bits of Shannon entropy per character that a secret has at least. Random hex of 32 characters has about 3.6, prose in
# one case about 3.9 at that length: entropy tells repetition apart, and the rules below tell words apart.
FLOOR_BITS = 3.0
# Short values cannot have more than log2(length): the floor for them is this share of it.
FLOOR_SHARE = 0.66
_SHORTEST = 8

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_XRP = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

_LABELS = re.compile(r"(?:(?:[a-z]{1,12}|[A-Z]{1,12})[0-9]{0,3}[-_.:~]){1,8}")
_HUMPS = re.compile(r"[A-Z]?[a-z]{3,}")
_PIECES = re.compile(r"[^A-Za-z0-9]+")
_SHORTEST_WORD = 4
_UUID_OR_COMMIT = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9a-f]{40}")
_PLACEHOLDERS = re.compile(
    r"example|placeholder|change_?me|redacted|replace|insert|sample|xxxxx|\*\*\*|\.\.\.|foobar|abcdefg|12345678|qwerty|"
    r"deadbeef|lorem|secret_?key|api_?key|access_?token|password"
)
_PLACEHOLDER_PIECES = frozenset(
    """
    your my fake dummy mock todo none null token key secret here goes enter paste value string test demo foo bar baz
    some the this undefined hidden masked removed
    """.split()
)
_LIKELY_PREFIX = frozenset({"test", "key", "token", "secret", "pat"})


def entropy_bits(text: str) -> float:
    """Shannon entropy of the characters of `text`, in bits per character. 0 for the empty text."""
    length = len(text)
    return -sum(count / length * math.log2(count / length) for count in Counter(text).values())


def _longest_step(text: str, step: int) -> int:
    """The length of the longest run in which each character follows its neighbour by `step` code points."""
    longest = run = 1
    for before, after in pairwise(text):
        run = run + 1 if ord(after) - ord(before) == step else 1
        longest = max(longest, run)
    return longest


def _repetitive(text: str) -> bool:
    """Whether keys on a keyboard were held down or counted up. `A` is 0 in base64 and may repeat."""
    return (
        _longest_step(text.replace("A", ""), 0) >= 5
        or max(_longest_step(text, 1), _longest_step(text, -1)) >= 6
        or text in (text + text)[1:-1]
    )


def _wordy(text: str) -> bool:
    """Whether `text` may be words run together: random text of this length has digits, or capitals all over."""
    if not text.islower() and len("".join(_HUMPS.findall(text))) * 5 > len(text) * 4:
        return True
    letters = [each for each in text if each.isalpha()]
    if len(letters) < len(text) - text.count("_") - text.count("-"):
        return False
    capitals = sum(map(str.isupper, letters)) / max(1, len(letters))
    return not 0.27 < capitals < 0.8


def _is_placeholder(value: str) -> bool:
    lower = value.lower()
    pieces = [piece for piece in _PIECES.split(lower) if piece]
    words = sum(piece in _PLACEHOLDER_PIECES for piece in pieces[1:] if piece not in _LIKELY_PREFIX)
    return _PLACEHOLDERS.search(_unlabelled(lower)) is not None or words > 0 or pieces[:1] in (["your"], ["my"])


def _unlabelled(value: str) -> str:
    """`value` without the labels in front (`sk-ant-api03-`, `dop_v1_`)."""
    labels = _LABELS.match(value)
    return value[labels.end() :] if labels else value


def random_looking(value: str) -> bool:
    """Whether a value, but for the labels in front of it, can be the output of a random generator.

    At least 8 characters with FLOOR_BITS of entropy each (short ones: FLOOR_SHARE of what their length allows), neither
    a placeholder nor words run together nor counted up.
    """
    payload = _unlabelled(value)
    if len(payload) < _SHORTEST or _is_placeholder(value) or _repetitive(payload) or _wordy(payload):
        return False
    return entropy_bits(payload) >= min(FLOOR_BITS, FLOOR_SHARE * math.log2(len(payload)))


def _generic_secret(value: str) -> bool:
    """Whether a value that only its key calls secret is one: mixed, and not a name, a path, a colour or an address."""
    if _CODE.search(value) or value.lower().startswith(("0x", "http", "arn:", "/", "./")) or value.isdecimal():
        return False
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and random_looking(value)


def _bare_secret(value: str) -> bool:
    """Whether what follows its name without a sign between is a secret: no UUID, no commit, and no words joined by signs."""
    if not _generic_secret(value) or _UUID_OR_COMMIT.fullmatch(value):
        return False
    payload, kinds = _unlabelled(value), (str.isupper, str.islower, str.isdigit)
    words = (each for each in _PIECES.split(payload) if len(each) >= _SHORTEST_WORD and each.isalpha())
    mixed = payload.isalnum() or all(any(map(kind, payload)) for kind in kinds)
    return mixed and not any(each.islower() or each.istitle() for each in words)


# Where letters and digits, or small letters and capitals, change over; a capital begins a word of a name.
_TURN = re.compile(r"(?=[a-z][A-Z0-9]|[A-Z][0-9]|[0-9][A-Za-z])")


def _lone_userinfo(value: str) -> bool:
    """Whether what stands alone before the host of a URL is a secret: it turns more often than names with a year do."""
    return _generic_secret(value) and len(_TURN.findall(value)) * 5 >= len(value)


def _crc_base62(text: str) -> str:
    number, tail = zlib.crc32(text.encode("ascii")), ""
    while number:
        number, digit = divmod(number, 62)
        tail = _BASE62[digit] + tail
    return tail.rjust(6, "0")


def _crc32_base62(value: str) -> bool:
    """Whether six characters of CRC-32 in base 62 end the token; the label is not part of the sum.

    "Behind GitHub's new authentication token formats" (github.blog, 2021-04-05); npm took the form over (2021-09-23).
    """
    payload = value[value.index("_") + 1 :]
    return _crc_base62(payload[:-6]) == payload[-6:]


def _gitlab_routable(value: str) -> bool:
    """Whether length and CRC-32, both in base 36, end the token; the label is part of the sum.

    GitLab, design document "Routable tokens" (2024): label, payload, dot, 2 characters of length, 7 of CRC-32.
    """
    body, crc = value[:-7], value[-7:]
    payload = body[body.index("-") + 1 : -3]
    try:
        return int(crc, 36) == zlib.crc32(body.encode("ascii")) and int(body[-2:], 36) in (
            len(payload),
            len(payload.partition("_")[2]),
        )
    except ValueError:
        return False


def _grafana_token(value: str) -> bool:
    """Whether the CRC-32 of all before it, little-endian in hex, ends the token (Grafana, `satokengen`)."""
    key, _, crc = value.rpartition("_")
    return zlib.crc32(key.encode("ascii")).to_bytes(4, "little").hex() == crc.lower()


def _aws_access_key(value: str) -> bool:
    """Whether a 12-digit account number decodes from an identifier that holds one.

    Identifiers issued since about 2019 carry it in 40 bits after one that is set; older ones (`AKIAI`, `AKIAJ`) do not.
    The published specimen AKIAIOSFODNN7EXAMPLE is of the older kind and passes.
    """
    packed = int.from_bytes(base64.b32decode(value[4:])[:6], "big")
    if len(set(value[4:])) < 6:
        return False
    return not packed >> 47 or (packed & 0x7FFFFFFFFF80) >> 7 <= 999_999_999_999


def _aws_secret_key(value: str) -> bool:
    """Whether 40 characters are of more kinds than a digest in hex has."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(any(map(kind, value)) for kind in kinds) and random_looking(value)


def _bech32_key(value: str) -> bool:
    """Whether the checksum of BIP 173 holds: age identities, Nostr and Sui keys."""
    label, _, body = value.lower().rpartition("1")
    expanded = [ord(each) >> 5 for each in label] + [0] + [ord(each) & 31 for each in label]
    checksum = 1
    for each in expanded + [_BECH32.find(each) for each in body]:
        if each < 0:
            return False
        top, checksum = checksum >> 25, (checksum & 0x1FFFFFF) << 5 ^ each
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum == 1


def _base58_payload(value: str, alphabet: str) -> bytes | None:
    """The bytes before the checksum if that holds: four bytes of SHA-256 applied twice."""
    number = 0
    for each in value:
        digit = alphabet.find(each)
        if digit < 0:
            return None
        number = number * 58 + digit
    leading = len(value) - len(value.lstrip(alphabet[0]))
    raw = bytes(leading) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, checksum = raw[:-4], raw[-4:]
    return payload if hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4] == checksum else None


def _wif_key(value: str) -> bool:
    """Wallet import format: version 0x80 (0xEF on test networks), 32 bytes, and 0x01 for compressed public keys."""
    payload = _base58_payload(value, _BASE58)
    return payload is not None and payload[0] in (0x80, 0xEF) and len(payload) in (33, 34)


def _base58check_key(value: str) -> bool:
    """Extended keys (BIP 32), encrypted keys (BIP 38), Tezos keys: the checksum holds."""
    return _base58_payload(value, _BASE58) is not None


def _xrp_seed(value: str) -> bool:
    """A family seed of the XRP Ledger: 16 bytes behind version 0x21, or behind 0x01E14B for Ed25519."""
    payload = _base58_payload(value, _BASE58_XRP)
    return payload is not None and len(payload) in (17, 19)


def _stellar_seed(value: str) -> bool:
    """A secret seed of Stellar (SEP-23): version 0x90, 32 bytes, CRC-16/XMODEM with the low byte first."""
    raw = base64.b32decode(value)
    return raw[0] == 0x90 and binascii.crc_hqx(raw[:-2], 0) == int.from_bytes(raw[-2:], "little")


def _base64_json(text: str) -> object:
    """What `text` (base64 or base64url, padded or not) decodes to as JSON; None where it does not."""
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        parsed: object = json.loads(base64.b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return None
    return parsed


def _jose_token(value: str) -> bool:
    """Whether the header is a JSON object that names its algorithm (RFC 7515, 4.1.1; RFC 7516, 4.1.1)."""
    header = _base64_json(value.partition(".")[0])
    return isinstance(header, dict) and "alg" in header


def _sentry_org(value: str) -> bool:
    """Whether the middle part is JSON with the time of issue (Sentry RFC 91)."""
    claims = _base64_json(value.split("_")[1])
    return isinstance(claims, dict) and "iat" in claims


def _discord_bot(value: str) -> bool:
    """Whether the first part is an id (a snowflake, decimal) in base64."""
    head = value.partition(".")[0]
    try:
        return base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)).isdigit()
    except ValueError:
        return False


def _pem_block(value: str) -> bool:
    """Whether both lines of the armour name the same thing (RFC 7468, 2) and something stands between."""
    begin, end = value.find("BEGIN ") + 6, value.rfind("END ") + 4
    label, closing = value[begin:].partition("KEY")[0], value[end:].partition("KEY")[0]
    body = value[begin:end].partition("--")[2]
    return label == closing and sum(map(str.isalnum, body)) >= 16


_CODE = re.compile(
    r"[({\[]|\$\{|::|->|=>|<[A-Za-z]|^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+$|^[$%@&][A-Za-z_{(]|%s|%\(|^env[.:]|^!|"
    r"^[a-z]+(?:\|[a-z_]+(?::[0-9,]+)?)+$"
)
_NOT_A_PASSWORD = frozenset(
    """
    none null nil undefined true false empty required optional string str text varchar password passwd pass pwd secret
    passwort kennwort motdepasse changeme changeit xxx yes no not is the must hidden masked redacted protected encrypted
    unknown invalid incorrect wrong missing reset forgot input type value field prompt read set unset default example
    your_password yourpassword your-password my_password mypassword db_password placeholder todo tbd n/a self this int
    bool bytes object any varchar255 varchar2 sha1 sha256 sha512 md5 base64 utf8 bcrypt argon2 pbkdf2 oauth2 scram-sha-256
    """.split()
)
# People do choose `qwerty12` and `Password123!`; what documents write in their place is a name or a request.
_PASSWORD_PLACEHOLDERS = re.compile(
    r"example|placeholder|change_?me|redacted|replace|insert|xxxxx|\*\*\*|\.\.\.|foobar|lorem|"
    r"^[a-z_.-]*(?:password|passwd|secret_?key|api_?key|access_?token)[a-z_.-]*[0-9]?$"
)
_MASKED = re.compile(r"[*xX.#?_\u2022\x01-]+|<.*>?|\[.*\]?|\{.*\}?")
_DATE_OR_VERSION = re.compile(r"[0-9]+(?:[-./:T][0-9]+)+Z?")


# What prose says of passwords with digits in it: methods, versions of products, lengths and times.
_METHOD = re.compile(
    r"(?:aes|argon|base|bcrypt|blake|des|fido|hmac|http|iso|ldap|md|nist|ntlm|oauth|pbkdf|pci|pkcs|rc|rfc|rsa|saml|scram|"
    r"scrypt|sha|soc|ssl|tls|totp|utf|wpa|x)[-_]?[0-9].*|every[0-9]+|[0-9]{1,4}-?(?:bits?|bytes?|char(?:acter)?s?|days?|digits?|hours?|"
    r"letters?|minutes?|months?|steps?|times?|weeks?|words?|years?|zeichen|tage[n]?|caract.res|caratteri|karakters|tekens|"
    r"znak.w|[a-z]+-[a-z-]+)|[0-9]{1,3}-[a-z]+|v?[0-9]+(?:\.[0-9]+)+.*"
)
_TRAILING_NUMBER = re.compile(r"[0-9][0-9.]*\Z")
_BARE_SHORTEST = 8
_STRONG_SIGNS = frozenset("!@#$%^&*+=?~")
_MIXED_SHORTEST = 12
_MIXED_WORD_SHORTEST = 4
_LONGEST_PHRASE = 64


def _plausible_password(value: str) -> bool:
    """Whether `value` is neither a placeholder, nor code that fetches one, nor the name of a type."""
    lower = value.lower().strip("*_.")
    if _MASKED.fullmatch(value) or _CODE.search(value) or lower in _NOT_A_PASSWORD:
        return False
    return not (
        _PASSWORD_PLACEHOLDERS.search(lower) or lower.startswith(("your", "http:", "https:", "/", "./", "<", "--"))
    )


def _password_value(value: str) -> bool:
    """Whether an unquoted value is a password rather than prose or a name: a digit or a sign among the letters, or chance."""
    core = value.strip(".,;:!?-_")
    if not _plausible_password(value) or _DATE_OR_VERSION.fullmatch(core):
        return False
    if any(map(str.isdigit, core)) or any(not each.isalnum() and each not in "._-/'" for each in core):
        return True
    return len(core) >= _MIXED_SHORTEST and not core.islower() and random_looking(core)


def _told_password(value: str) -> bool:
    """Whether a value after `password is` is one: a digit or a sign, and a letter; not the name of a method nor a length."""
    if not _password_value(value) or len(value) < 6 or _METHOD.fullmatch(value.lower()):
        return False
    return any(map(str.isalpha, value))


def _bare_password(value: str) -> bool:
    """Whether a word right after `password` is one: letters and digits as no name, version or product mixes them."""
    if not _told_password(value) or len(value) < _BARE_SHORTEST or not any(map(str.isdigit, value)):
        return False
    if not _STRONG_SIGNS.isdisjoint(value):
        return True
    core = _TRAILING_NUMBER.sub("", value)
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(any(map(kind, core)) for kind in kinds) and not any(each in "./" for each in core)


def _quoted_password(value: str) -> bool:
    """Whether a quoted value is a password: not the name of a field, and not a sentence or markup, as labels are."""
    named = value.lower().endswith(("password", "passwd", "pwd", "_pass", "secret"))
    if named or not any(map(str.isalnum, value)):
        return False
    words = value.replace("<", "_").split()
    if words == [value]:
        return _plausible_password(value)
    if len(value) > _LONGEST_PHRASE or value.startswith("<") or "</" in value:
        return False
    if _is_passphrase(words):
        return True
    return _bare_password("".join(words)) and any(map(_mixed, re.split("[-/]", "-".join(words))))


# What stands in the place of a password and is none (labels, hints, messages) has one of these nearly always; what dice make has not.
_PROSE = frozenset(
    """
    a aan account admin after again against all already also alt an and any are as ask asked at auf aus avec be
    before bei below between bez bis boot both brak but button by can change changed characters che check choose
    code come con confirm conta contact contain contains conto contrasena correctly credentials current dans das
    default dei del delivered delle dem demo den deploy der des det die digit digits din dla does down during een
    ein eine eingeben email empty encoded encrypted enter entered entrez environment error escriba est este estes
    every example expired factory failed field file first for forgot forgotten from geben gelo generated generic get
    give has hash hashed haslo have here heslo het hidden how ich if ignored ihr ihre in incorrect ingrese injected
    input inserisci inside insira into introduzca invalid is ist it item its jak jest keep kein keine key kod las
    last least length letter letters like loaded login long los lowercase lub managed manager mas match may med met
    minimum missing mit mode mot must my nach name nao need needed needs nel neues never new nicht no non not nova
    nuevo number numbers och oder of off old olvidada on only optional or other oublie our out outside over par para
    parola pas passe passphrase password passwords passwort per phone phrase placeholder plain please podaj por pour
    prompt provided que qui random read reasons redacted remember repeat required reset retype rotated runtime same
    secret secrets secure security see sein senha sent ses set shared should show sie sign sin since sind some
    somewhere spaces stored string strong sua support sur sus taken test text than that the their then there these
    this those through to toegang token too try twoje type ude uma und under une unique unknown unset until up
    uppercase use used user username valid value van variable vault vergessen via voer von voor votre wachtwoord was
    weak when where which while will with within without wrong year you your zijn zum zur
    """.split()
)
_PHRASE_WORDS = range(4, 9)
_PHRASE_WORD = re.compile(r"[a-z]{3,10}")


def _is_passphrase(words: list[str]) -> bool:
    """Whether there are as many small words as people join to a passphrase, and none that a label would have."""
    plain = all(map(_PHRASE_WORD.fullmatch, words)) and _PROSE.isdisjoint(words)
    return plain and len(words) in _PHRASE_WORDS and len(set(words)) == len(words)


def _mixed(word: str) -> bool:
    """Whether digits or signs stand among the letters of `word`, and not behind them as in names of products."""
    core = word.strip(".,;:!?()>+#0123456789")
    signs = any(map(str.isdigit, core)) or not _STRONG_SIGNS.isdisjoint(core)
    return (
        len(core) >= _MIXED_WORD_SHORTEST
        and signs
        and any(map(str.isalpha, core))
        and not _METHOD.fullmatch(core.lower())
    )


def _userinfo(value: str) -> tuple[str, str]:
    user, _, password = value.partition("://")[2].rpartition("@")[0].partition(":")
    return user, password


_HERE = re.compile(
    r"localhost\b|127\.|\[::1\]|host\.docker\.internal\b|(?:[a-z0-9-]+\.)*example(?:\.[a-z]{2,4})?(?![a-z0-9.-])"
)


def _connection_url(value: str) -> bool:
    """Whether the password of a URL's user information (RFC 3986, 3.2.1) is one.

    That of a server as it comes, on the machine itself (`guest:guest@localhost`), keeps nobody out.
    """
    user, password = _userinfo(value)
    if user == password and _HERE.match(value.rpartition("@")[2]):
        return False
    # A name of code with dots in it (`settings.password`) does not stand in a URL without braces.
    return len(password) >= 3 and _plausible_password(password.replace(".", "-"))


def _basic_credentials(value: str) -> bool:
    """Whether base64 decodes to `user:password` (RFC 7617, 2) and the password is one."""
    try:
        user, colon, password = base64.b64decode(value + "=" * (-len(value) % 4)).decode("utf-8").partition(":")
    except ValueError:
        return False
    return bool(colon) and (user + password).isprintable() and (not password or _plausible_password(password))


def _user_and_password(value: str) -> bool:
    """Whether `user:password` holds a password and is not a pair of numbers (`--user 1000:1000`)."""
    user, _, password = value.partition(":")
    return _plausible_password(password) and not (user.isdecimal() and password.isdecimal())


def _base32_secret(value: str) -> bool:
    """Whether the shared secret of RFC 4226 may be it: at least 10 bytes in base 32, random."""
    compact = re.sub("[ =-]", "", value).upper()
    return len(compact) >= 16 and len(set(compact)) >= 7 and not _is_placeholder(value)


# Words of sentences that are not on the list of BIP 39, which has `all`, `any`, `that`, `will` and `you`.
_SENTENCE = frozenset(
    "and are been but did does for from had has her his its not our she the their them was were who with would your".split()
)
_WORDS = re.compile(r"[a-z]+")


def _mnemonic_words(value: str) -> bool:
    """Whether there are as many words as BIP 39 has, and none that a sentence would have. The word list is not used."""
    words = _WORDS.findall(value.lower())
    if not all(3 <= len(word) <= 8 for word in words):
        return False
    return len(words) in (12, 15, 18, 21, 24) and _SENTENCE.isdisjoint(words) and len(set(words)) >= len(words) - 4


def _recovery_code(value: str) -> bool:
    """Whether a grouped code has digits and letters mixed: words and ranges of years have not."""
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and len(set(value)) >= 6


def _framework_key(value: str) -> bool:
    """Whether the key of a web framework may be it: signs are admitted in it, code that fetches it is not."""
    return "environ" not in value and "getenv" not in value and "(" not in value[:40] and random_looking(value)


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "random_looking": random_looking,
    "generic_secret": _generic_secret,
    "bare_secret": _bare_secret,
    "lone_userinfo": _lone_userinfo,
    "crc32_base62": _crc32_base62,
    "gitlab_routable": _gitlab_routable,
    "grafana_token": _grafana_token,
    "aws_access_key": _aws_access_key,
    "aws_secret_key": _aws_secret_key,
    "bech32_key": _bech32_key,
    "wif_key": _wif_key,
    "base58check_key": _base58check_key,
    "xrp_seed": _xrp_seed,
    "stellar_seed": _stellar_seed,
    "jose_token": _jose_token,
    "sentry_org": _sentry_org,
    "discord_bot": _discord_bot,
    "pem_block": _pem_block,
    "password_value": _password_value,
    "told_password": _told_password,
    "bare_password": _bare_password,
    "quoted_password": _quoted_password,
    "connection_url": _connection_url,
    "plausible_password": _plausible_password,
    "basic_credentials": _basic_credentials,
    "user_and_password": _user_and_password,
    "base32_secret": _base32_secret,
    "mnemonic_words": _mnemonic_words,
    "recovery_code": _recovery_code,
    "framework_key": _framework_key,
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {}

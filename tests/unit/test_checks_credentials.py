"""Credentials: checksums against mutation, randomness against words, and what must never look like a secret."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import string
import uuid
from pathlib import Path

import pytest

from classifiers.checks.credentials import CHECKS, FLOOR_BITS, entropy_bits, random_looking
from classifiers.rules import CATALOGUE, CONTEXT_FLOOR, Rule, load_rules

RULES = {rule.id: rule for rule in load_rules(Path(CATALOGUE) / "credentials")}
PATTERNS = [
    (rule, re.compile(expression.encode(), re.IGNORECASE if rule.caseless else 0))
    for rule in RULES.values()
    for expression in rule.expressions
]
HEX = "0123456789abcdef"
BASE62 = string.ascii_letters + string.digits
BASE64 = BASE62 + "+/"
CHECKSUMMED = {
    "crc32_base62", "gitlab_routable", "grafana_token", "bech32_key", "wif_key", "base58check_key", "xrp_seed", "stellar_seed",
}  # fmt: skip


def drawn(seed: int, alphabet: str, length: int) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=length))


def reported(text: str) -> list[tuple[str, str]]:
    """What the rules report of a text without context words: entity and value, each once."""
    found = set()
    for rule, pattern in PATTERNS:
        if rule.alone < CONTEXT_FLOOR:
            continue
        for match in pattern.finditer(text.encode("ascii", "replace")):
            value = match[pattern.groups].decode()
            if rule.check is None or CHECKS[rule.check](value):
                found.add((rule.entity, value))
    return sorted(found)


def test_there_are_as_many_kinds_of_vendor_tokens_as_promised() -> None:
    """At least 200 kinds of API keys, each with its own rule."""
    assert sum(rule.entity == "API_KEY" for rule in RULES.values()) >= 200


def test_entropy_is_that_of_shannon() -> None:
    """Four characters of equal share carry two bits each."""
    assert (0, 0, 2.0) == (entropy_bits(""), entropy_bits("aaaa"), entropy_bits("abcdabcd"))


@pytest.mark.parametrize("alphabet", [HEX, BASE62, string.ascii_letters, string.ascii_lowercase + string.digits])
@pytest.mark.parametrize("length", [24, 32, 40, 64])
def test_random_values_look_random(alphabet: str, length: int) -> None:
    """At most two in a hundred random values are refused, and none for entropy alone from 32 characters on."""
    values = [drawn(seed, alphabet, length) for seed in range(500)]

    assert sum(map(random_looking, values)) >= 490
    assert length < 32 or sum(entropy_bits(value) < FLOOR_BITS for value in values) <= 1


@pytest.mark.parametrize(
    "value",
    [
        "", "sk-", "sk-xxxxxxxxxxxxxxxxxxxxxxxx", "sk-your-api-key-goes-here-please", "sk-estimator-checks-common-tests",
        "ghp_ExampleExampleExampleExampleExample12", "abcdefghijklmnopqrstuvwxyz012345", "00000000000000000000000000000000",
        "1234567890123456789012345678901234567890", "thisIsTheNameOfMyFavouriteFunction", "deadbeefdeadbeefdeadbeefdeadbeef",
        "PLACEHOLDER_FOR_THE_REAL_TOKEN_1", "abc1abc1abc1abc1abc1abc1", "insert-token-2-here-and-run-it-again",
    ],
)  # fmt: skip
def test_placeholders_and_words_do_not_look_random(value: str) -> None:
    """What people write where a secret belongs is not a secret."""
    assert not random_looking(value)


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES.values() if rule.check in CHECKSUMMED], ids=lambda rule: rule.id
)
def test_a_checksum_notices_every_changed_character(rule: Rule) -> None:
    """Any one letter or digit of the payload changed makes the token invalid."""
    assert rule.check is not None
    check = CHECKS[rule.check]
    value = rule.valid[0]
    start = re.match(r"[A-Za-z]{2,16}[-_1]|", value).end()  # type: ignore[union-attr]

    assert check(value)
    for at in range(start, len(value)):
        if value[at].isalnum():
            others = "QP72" if value.isupper() else "qp79QP"
            other = next(each for each in others if each.lower() != value[at].lower())
            assert not check(value[:at] + other + value[at + 1 :])


def test_an_account_number_decodes_from_an_access_key() -> None:
    """Identifiers whose 40 bits hold more than twelve digits are refused; the published specimen is of the older kind."""
    check = CHECKS["aws_access_key"]

    def issued(account: int) -> str:
        packed = ((1 << 40 | account) << 7).to_bytes(6, "big") + bytes([7, 99, 201, 14])
        return "AKIA" + base64.b32encode(packed).decode()

    assert (True, True, False, False) == (
        check("AKIAIOSFODNN7EXAMPLE"),
        check(issued(581_039_954_779)),
        check(issued(1_050_000_000_000)),
        check("AKIA" + "A" * 16),
    )


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_no_check_raises_for_what_its_shape_admits(rule: Rule) -> None:
    """Examples with characters changed at random are accepted or refused, never an error."""
    if rule.check is None:
        return
    draw = random.Random(rule.id)
    patterns = [pattern for each, pattern in PATTERNS if each is rule]
    for example in rule.valid + rule.invalid:
        for _ in range(8):
            changed = list(example)
            for _ in range(draw.randint(0, 4)):
                changed[draw.randrange(len(changed))] = draw.choice(BASE64 + "-_.=:%$ \\")
            for pattern in patterns:
                for match in pattern.finditer("".join(changed).encode("ascii", "replace")):
                    assert CHECKS[rule.check](match[pattern.groups].decode()) in (True, False)


def benign() -> list[str]:
    texts = []
    for seed in range(20):
        sha = hashlib.sha1(bytes([seed]), usedforsecurity=False).hexdigest()
        sha256 = hashlib.sha256(bytes([seed])).hexdigest()
        sri = base64.b64encode(hashlib.sha512(bytes([seed])).digest()).decode()
        picture = base64.b64encode(random.Random(seed).randbytes(1500)).decode()
        name = uuid.UUID(int=random.Random(seed).getrandbits(128), version=4)
        texts += [
            f"commit {sha}\nMerge: {sha[:7]} {sha[7:14]}",
            f"image: registry.example.com/app@sha256:{sha256}",
            f'"integrity": "sha512-{sri}",\n"resolved": "https://registry.example.com/a/-/a-1.{seed}.0.tgz"',
            f'<img src="data:image/png;base64,{picture}">',
            f'request {name} took {seed} ms, order {10**11 + seed}, etag W/"{sha[:16]}"',
            f"numpy==1.{seed}.0 --hash=sha256:{sha256}",
            f'{{"trace_id": "{sha256[:32]}", "span_id": "{sha256[:16]}", "ts": 17000{seed:05d}}}',
            f"ssh-rsa AAAAB3NzaC1yc2E{picture[:300]} user@host",
            f"!function(e,t){{var n=e.token,r=t.key;return n.a{seed}=r.b?sk-1:rk_live,s.getElementsByClassName(r)}}(a,b);",
        ]
    return texts


def test_hashes_pictures_lock_files_and_code_are_no_secrets() -> None:
    """Not one of nearly two hundred texts with random-looking but harmless values is reported."""
    assert [] == [(text[:80], reported(text)) for text in benign() if reported(text)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("b4Xn!8sQv", True), ("q8V2xLm7Rt", True), ("hunter2x", False), ("Windows11", False), ("OAuth2.0-flow", False), ("Ab1!", False),
    ],
)  # fmt: skip
def test_a_word_right_after_the_name_has_to_look_like_no_product_or_method(value: str, expected: bool) -> None:
    """Without a verb or a colon between them only a strong mixture is a password."""
    assert expected == CHECKS["bare_password"](value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("11c149d0a8b7e6f5c4d3b2a190817263", True),
        ("Zx9~Q8V2xLm7RtB4Xn8sQvT3kWz", True),
        ("boE0AkfKeAZXTAqlnm7jCR4P9is0vCC4", True),
        ("35dca7d7828d64d6e694f128df4793eb6c00203b", False),
        ("550e8400-e29b-41d4-a716-446655440000", False),
        ("HMAC-SHA256-with-base64url-encoding", False),
        ("projects/4829/secrets/db-prod/versions/3", False),
    ],
)
def test_a_secret_right_behind_its_name_has_to_be_random(value, expected):
    """Commits, UUIDs and words joined by signs follow such names as well."""
    assert expected == CHECKS["bare_secret"](value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Zk3vQp9xLr8TnW2yBd6M", True),
        ("k7hq2mzt5wnr3xvd9pfs", True),
        ("35dca7d7828d64d6e694f128df4793eb6c00203b", True),
        ("JohnPaulSmith1984", False),
        ("svc-deploy-eu1-prod2", False),
        ("deploybot2024production", False),
        ("AlexanderTheGreat99", False),
    ],
)
def test_what_stands_alone_before_a_host_is_a_token_or_a_name(value: str, expected: bool) -> None:
    """Names have numbers at one place or two; tokens turn from letters to digits all over."""
    assert expected == CHECKS["lone_userinfo"](value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("lamp orbit any all pudding sphere gentle harbor mimic trophy elbow wagon", True),
        ("1. lamp 2. orbit 3. velvet 4. casual 5. pudding 6. sphere 7. gentle 8. harbor 9. mimic 10. trophy 11. elbow 12. wagon", True),
        ("keep these words safe and show them nobody else ever once more", False),
        ("lamp orbit velvet casual", False),
    ],
)  # fmt: skip
def test_a_recovery_phrase_has_no_words_that_its_list_lacks(value: str, expected: bool) -> None:
    """Numbered or not; `any` and `all` are words of the list, `and` is not."""
    assert expected == CHECKS["mnemonic_words"](value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("amqp://guest:guest@localhost:5672/", False),
        ("amqp://guest:guest@mq.corp.test/", True),
        ("mysql://app:q8V2.xLmRt@db/x", True),
        ("mysql://app:settings.password@db/x", False),
    ],
)
def test_the_password_of_a_server_as_it_comes_is_none_on_the_machine_itself(value: str, expected: bool) -> None:
    """Elsewhere it is one, with dots in it or without."""
    assert expected == CHECKS["connection_url"](value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("lamp orbit velvet pudding", True),
        ("tulip anchor window seventeen clouds", True),
        ("lamp orbit velvet", False),
        ("lamp orbit lamp orbit", False),
        ("Lamp orbit velvet pudding", False),
        ("please enter your password", False),
        ("alphanumeric characters allowed here", False),
        ("read from secrets manager", False),
        ("entrez votre mot de passe", False),
        ("geben sie ihr passwort ein", False),
    ],
)
def test_small_words_in_quotes_are_a_passphrase_unless_a_label_has_them(value: str, expected: bool) -> None:
    """Four words or more, no two the same, in small letters: labels begin with a capital, or say what to do."""
    assert expected == CHECKS["quoted_password"](value)


PASSWORDS = [
    ('password: "lamp orbit velvet pudding"', "lamp orbit velvet pudding"),
    ("passphrase: 'tulip anchor window seventeen'", "tulip anchor window seventeen"),
    ("password: hunter2!x", "hunter2!x"),
    ("DB_PASSWORD=q8V2xLm7Rt", "q8V2xLm7Rt"),
    ('{"password": "T3mp9kWz", "user": "a"}', "T3mp9kWz"),
    ("das Passwort: Sommer2019, danke", "Sommer2019"),
    ("mot de passe : ete#2021", "ete#2021"),
    ("contrasena: Gat0Negro", "Gat0Negro"),
    ("a senha: Fut3bol!", "Fut3bol!"),
    ("haslo: Kwiat88", "Kwiat88"),
    ("wachtwoord = Fiets!2020", "Fiets!2020"),
    ("the password is hunter2x.", "hunter2x"),
    ("mysql -u root -pq8V2xLm7Rt shop", "q8V2xLm7Rt"),
    ('passwd="sunflower"', "sunflower"),
    ("password: salt&pepper9 works", "salt&pepper9"),
    ("/login?password=q8V2xLm7Rt&next=home", "q8V2xLm7Rt"),
    ("cache:6380,password=q8V2xLm7Rt,ssl=True", "q8V2xLm7Rt"),
    ("my password is Qwerty!2345, help", "Qwerty!2345"),
    ("The password for the old printer is Papier_2020.", "Papier_2020"),
    ("Das Kennwort vom Drucker lautet Papier_2020", "Papier_2020"),
    ("le mot de passe du serveur : ete#2021", "ete#2021"),
    ("la contrasena del servidor: Gat0Negro", "Gat0Negro"),
    ("haslo do serwera: Kwiat88", "Kwiat88"),
    ("Zugangsdaten: gast / Papier2020", "Papier2020"),
    ("a temporary password b4Xn!8sQv was set", "b4Xn!8sQv"),
    ("redis-cli -h cache -p 6380 -a q8V2xLm7Rt ping", "q8V2xLm7Rt"),
    ("docker login -u ops -p q8V2xLm7Rt registry.example.com", "q8V2xLm7Rt"),
    ("<db.password>blue-whale</db.password>", "blue-whale"),
    ("- name: DB_PASSWORD\n  value: q8V2xLm7Rt\n", "q8V2xLm7Rt"),
    ("ALTER ROLE app WITH PASSWORD 'blue-whale';", "blue-whale"),
]


@pytest.mark.parametrize(("text", "value"), PASSWORDS)
def test_passwords_are_found_after_their_names(text: str, value: str) -> None:
    """The value alone is reported, without quotes and closing punctuation."""
    assert [("PASSWORD", value)] == reported(text)


@pytest.mark.parametrize(
    "text",
    [
        "password: required", "Enter your password: ********", "password=<password>", "password=${DB_PASS}", "password: $PASS",
        'password = os.environ["DB_PASSWORD"]', "password=get_password(user)", "password: str = None", "password: string",
        "The password is required.", "my password is not working since Monday", "password: None", "password=changeme",
        "password: config.database.password", "password={{ vault.db1 }}", "%PASSWORD%", "password: xxxxxxxx",
        '{"password": {"type": "string", "minLength": 8}}', "The password is 12 characters long", "const password = req.body.password;",
        "password: your-password-1", "if password == other_password: return", "Passwort: bitte eingeben", "set password=%1",
        "tests: 12 pass: 12 fail: 0", "api_key = os.environ['API_KEY']", "token: identifier", "secret: see the vault",
        "Authorization: Bearer <token>", "Authorization: Bearer $TOKEN", "Basic knowledge of Python", "password_hash: Mapped[str]",
        "https://example.com:8080/a@b", "postgres://user:password@localhost/db", "mysql://root:${PASS}@db/app", "public_key=abc",
        "password: required|string|min:8", "the password for the archive is AES-256 encrypted", "The password is 12-characters long",
        "Passwort Windows11 vergessen", "reset the password v2.4.1-rc1", "docker run -p 8080:80 web1", "<password></password>",
        "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: db", "amqp://guest:guest@localhost:5672/", "pass: test_login_v2",
        "the secret is to practise every day", "api_key: YOUR_API_KEY", "docker run -u 1000:1000 image",
    ],
)  # fmt: skip
def test_placeholders_code_and_prose_are_no_passwords(text: str) -> None:
    """Nothing is reported where no secret stands."""
    assert [] == reported(text)


@pytest.mark.parametrize("unit", ["sk-proj-", "password=", "password:a1", "token=", "eyJ.", "-----BEGIN RSA PRIVATE KEY-----", "://a:b@", "api_key is ", "s-", "glpat-", "xoxp-1", "curl -u a:b ", "PuTTY-User-Key-File-2: ", "mysql -u a ", " -aaaaaaaa", "net user a ", "host=a port=1 ", '"kty":"EC",', "password for a ", "seed phrase abc "])  # fmt: skip
def test_reading_takes_time_in_proportion(unit: str) -> None:
    """Four times the text costs about four times the work, so that no input can hang the reader."""
    import time

    def cost(size: int) -> float:
        text = (unit * (size // len(unit))).encode()
        started = time.process_time()
        for _, pattern in PATTERNS:
            for _match in pattern.finditer(text):
                pass
        return time.process_time() - started

    cost(2_000)
    assert cost(16_000) <= 10 * cost(4_000) + 0.2

"""What a trusted proxy says of a caller: read whole or refused, bounded, and nothing at all where nobody is trusted."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.caller import identify
from governance.claims import NOTHING, UNKNOWN_PURPOSE, Claims, Identity, read_claims
from governance.errors import MalformedRequest
from governance.facts import Principal
from governance.gather import Caller
from governance.inference import RequestHead
from tests.builders import head

IDENTITY = Identity(
    trusted_proxies=("10.0.0.7/32",),
    subject_header="x-user",
    kind_header="x-kind",
    tenant_header="x-tenant",
    jurisdiction_header="x-country",
    groups_header="x-groups",
    clearance_header="x-clearance",
    purpose_header="x-purpose",
    purposes=("care", "billing"),
    attribute_headers={"ward": "x-ward", "age_group": "x-age-group"},
)


def claims(*lines: tuple[str, str]) -> Claims:
    """The claims of a head with these header lines."""
    return read_claims(RequestHead(method="POST", path="/", headers=lines), IDENTITY)


def refused(*lines: tuple[str, str]) -> MalformedRequest:
    """The refusal of a head with these header lines."""
    with pytest.raises(MalformedRequest) as caught:
        claims(*lines)
    return caught.value


def test_every_claim_is_read() -> None:
    """Groups are sorted and without repetition; the rest is as it stands."""
    found = claims(
        ("x-groups", " night-shift , clinical,,clinical"),
        ("x-clearance", "3"),
        ("x-purpose", "care"),
        ("x-ward", "4b"),
        ("x-other", "1"),
        ("x-user", "Anna M\xfcller"),
        ("x-kind", "user"),
        ("x-tenant", "north-clinic"),
        ("x-country", "de"),
    )

    assert found == Claims(
        subject="Anna M\xfcller",
        kind="user",
        tenant="north-clinic",
        jurisdiction="DE",
        groups=("clinical", "night-shift"),
        clearance=3,
        attributes={"ward": "4b"},
        purpose="care",
    )
    assert "Anna" not in repr(found)


def test_nothing_said_is_nothing_granted() -> None:
    """Absent and empty headers are the least."""
    assert NOTHING == claims() == claims(("x-groups", " ,\t"), ("x-clearance", " "), ("x-purpose", ""), ("x-ward", ""))


def test_without_a_trusted_proxy_nothing_is_read() -> None:
    """Not even what could not be read."""
    nobody = Identity(groups_header="x-groups", clearance_header="x-clearance")

    assert NOTHING == read_claims(head(x_groups="clinical", x_clearance="nine"), nobody)


def test_two_lines_of_groups_are_one_list() -> None:
    """As one line with a comma between, which is how a request in one message has them."""
    apart, joined = claims(("x-groups", "b"), ("x-groups", "a")), claims(("x-groups", "b,a"))

    assert Claims(groups=("a", "b")) == apart == joined


def test_a_purpose_that_is_not_on_the_list_is_unknown() -> None:
    """A word that nobody configured reaches no policy."""
    assert [UNKNOWN_PURPOSE, UNKNOWN_PURPOSE] == [
        claims(("x-purpose", word)).purpose for word in ("marketing", "unknown")
    ]


@pytest.mark.parametrize(
    "line",
    [
        ("x-groups", "clinical;admin"),
        ("x-groups", "a b"),
        ("x-groups", "-a"),
        ("x-groups", "a" * 129),
        ("x-groups", ",".join(f"g{number}" for number in range(65))),
        ("x-groups", "a," * 10_000),
        ("x-groups", "klinik\xfc"),
        ("x-groups", "a\x00"),
        ("x-clearance", "5"),
        ("x-clearance", "-1"),
        ("x-clearance", "1.0"),
        ("x-clearance", "03"),
        ("x-clearance", "\xb2"),
        ("x-clearance", "1,4"),
        ("x-kind", "anonymous"),
        ("x-kind", "User"),
        ("x-user", "a\x00b"),
        ("x-user", "a" * 513),
        ("x-user", "anna,root"),
        ("x-purpose", "care,care"),
        ("x-purpose", 'care"'),
        ("x-ward", "a" * 129),
        ("x-ward", "name of a patient"),
        ("x-age-group", "a\nb"),
        ("x-tenant", "two words"),
        ("x-tenant", "a,b"),
        ("x-country", "XX"),
        ("x-country", "DEU"),
        ("x-country", "unknown"),
    ],
    ids=repr,
)
def test_what_cannot_be_read_is_refused_without_its_value(line: tuple[str, str]) -> None:
    """Nothing is cut or guessed at: a group that is dropped may be the one that a policy refuses."""
    error = refused(line)

    assert "identity_invalid" == error.code
    assert str(error) in {"identity: groups", "identity: value", "identity: size"}


def test_two_lines_of_a_single_value_are_refused() -> None:
    """Whoever adds a second line to what the proxy wrote is not believed, whichever comes first."""
    assert "identity_invalid" == refused(("x-clearance", "1"), ("x-clearance", "4")).code


def test_a_full_list_is_read() -> None:
    """64 groups of 128 characters."""
    names = sorted(f"{number:0128d}" for number in range(64))

    assert Claims(groups=tuple(names)) == claims(("x-groups", ", ".join(reversed(names))))


NAMES = st.sampled_from(
    ("x-user", "x-kind", "x-groups", "x-clearance", "x-purpose", "x-ward", "x-age-group", "x-other")
)
HOSTILE = st.text(st.characters(max_codepoint=255), max_size=300)
LIKELY = st.lists(st.sampled_from(("care", "3", "9", "a", " ", "\t", "", "\x00", "\xff", "a" * 128)), max_size=80)
LINES = st.lists(st.tuples(NAMES, HOSTILE | LIKELY.map(",".join)), max_size=8)


def read_or_refused(*lines: tuple[str, str]) -> Claims | str:
    """The claims, or the code of the refusal."""
    try:
        return claims(*lines)
    except MalformedRequest as error:
        return error.code


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_any_head_is_read_within_the_bounds_or_refused(lines: list[tuple[str, str]]) -> None:
    """No other error; what is read fits the policy input, and is the same however the lines of one name are joined."""
    joined: dict[str, str] = {}
    for name, value in lines:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    found, other = read_or_refused(*lines), read_or_refused(*joined.items())

    assert found == other
    if isinstance(found, str):
        assert "identity_invalid" == found
        return
    assert list(found.groups) == sorted(set(found.groups))
    assert len(found.groups) <= 64
    assert 0 <= found.clearance <= 4
    assert found.attributes.keys() <= {"ward", "age_group"}
    assert found.purpose in {"", "care", "billing", UNKNOWN_PURPOSE}
    texts = [*found.groups, *found.attributes.values()]
    assert all(0 < len(text) <= 128 and text.isascii() and text.isprintable() for text in texts)


def test_claims_become_facts_of_the_caller() -> None:
    """Beside the caller's id, and the installation's tenant and country where the proxy says none."""
    known = functools.partial(identify, key=b"k" * 32, tenant="acme", jurisdiction="DE", env="test", identity=IDENTITY)

    found = known(head(x_groups="clinical", x_clearance="2", x_purpose="care", x_ward="4b"))

    principal = Principal(
        id="", kind="anonymous", tenant="acme", groups=("clinical",), clearance=2, attributes={"ward": "4b"}
    )
    assert Caller(principal=principal, jurisdiction="DE", env="test", purpose="care") == found

    told = known(head(x_tenant="north-clinic", x_country="at"))

    assert ("north-clinic", "AT", "header") == (told.principal.tenant, told.jurisdiction, told.basis)


def test_a_subject_is_who_asks_and_is_seen_as_a_digest_alone() -> None:
    """A user where no kind is said, whatever credential the proxy uses; not the id of a caller with such a credential."""
    known = functools.partial(identify, key=b"k" * 32, tenant="acme", jurisdiction="DE", env="test", identity=IDENTITY)

    anna = known(head(x_user="anna", authorization="Bearer one")).principal
    same = known(head(x_user="anna", authorization="Bearer other", x_kind="agent")).principal
    key = known(head(authorization="anna")).principal

    assert (anna.id, "user", "agent", "service") == (same.id, anna.kind, same.kind, key.kind)
    assert 32 == len(anna.id)
    assert "anna" not in repr(anna)
    assert anna.id != key.id

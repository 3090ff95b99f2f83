"""Which request headers pass: the expression for all others, against the plain statement of it."""

from __future__ import annotations

import re
from pathlib import Path

import openai
from hypothesis import given
from hypothesis import strategies as st

from sidecar.headers import KNOWN, KNOWN_PREFIXES, others

OTHERS = re.compile(others(KNOWN, KNOWN_PREFIXES), re.DOTALL)
TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~:"
NEAR = st.builds(
    lambda word, cut, more: word[:cut] + more,
    st.sampled_from((*KNOWN, *KNOWN_PREFIXES)),
    st.integers(0, 24),
    st.text(TOKEN, max_size=4),
)


def passes(name: str) -> bool:
    """What the expression stands for."""
    return name in KNOWN or name.startswith(KNOWN_PREFIXES)


@given(st.one_of(st.text(TOKEN, min_size=1), NEAR.filter(bool)))
def test_the_expression_matches_exactly_the_names_that_are_not_known(name: str) -> None:
    """Near misses, longer and shorter names included."""
    assert passes(name) is (OTHERS.fullmatch(name) is None)


def test_known_names_and_what_begins_with_a_known_prefix_pass() -> None:
    """Everything in the table, and a header of each family."""
    names = [*KNOWN, *(f"{prefix}x" for prefix in KNOWN_PREFIXES)]

    assert [name for name in names if OTHERS.fullmatch(name)] == []


def test_internal_names_and_cookies_do_not_pass() -> None:
    """A caller's copy of a marker of ours, what a proxy knows of the caller, and what nobody reads."""
    names = ["x-ringfence-pool", "x-envoy-retry-on", "cookie", "x-note", "accept-", "accep"]
    names += ["forwarded", "x-real-ip", "proxy-authorization", "proxy-connection", "x-stainless-note", "x-stainless-"]
    names += [f"x-forwarded-{what}" for what in ("for", "user", "email", "access-token", "groups", "client-cert", "zz")]

    assert [name for name in names if OTHERS.fullmatch(name) is None] == []


def test_a_claim_passes_where_it_is_believed_and_takes_nothing_along() -> None:
    """The header that is read, and none that begins like it."""
    believing = re.compile(others((*KNOWN, "x-forwarded-groups"), KNOWN_PREFIXES))
    names = ["x-forwarded-groups", "x-forwarded-group", "x-forwarded-groups2", "x-forwarded-email"]

    assert ["x-forwarded-groups"] == [name for name in names if believing.fullmatch(name) is None]


def test_all_that_the_official_client_sends_of_itself_passes() -> None:
    """Whatever the installed one names in its source, so that a new release shows here."""
    package = Path(openai.__file__).parent
    sources = "".join(source.read_text("utf-8") for source in package.rglob("*.py"))
    sent = {name.lower() for name in re.findall(r'"(x-stainless-[a-z-]+)"', sources, re.IGNORECASE)}

    assert "x-stainless-lang" in sent
    assert set() == sent - set(KNOWN)

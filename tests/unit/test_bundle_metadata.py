"""What a policy's METADATA may say, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.decision import Mode
from governance.errors import ConfigInvalid
from governance.policy.metadata import Share
from tests.bundles import bundle_of, policy


def test_terms_of_a_policy_are_read(tmp_path: Path) -> None:
    """Owner, severity, references, jurisdictions, rollout and remedy come from the METADATA block."""
    text = policy(
        "p",
        owner="privacy",
        severity="critical",
        references="[GDPR article 44, GDPR article 46]",
        jurisdictions="[DE, EEA, US-CA]",
        rollout="{permille: 50, key: principal}",
        remedy="Remove the address.",
    )

    (found,) = bundle_of(tmp_path, {"p.rego": text}).policies

    assert (found.owner, found.severity, found.references, found.jurisdictions, found.rollout, found.remedy) == (
        "privacy",
        "critical",
        ("GDPR article 44", "GDPR article 46"),
        ("DE", "EEA", "US-CA"),
        Share(permille=50, key="principal"),
        "Remove the address.",
    )


def test_terms_have_defaults(tmp_path: Path) -> None:
    """A policy that names no terms applies everywhere, to everybody."""
    (found,) = bundle_of(tmp_path, {"p.rego": policy("p")}).policies

    assert (found.owner, found.severity, found.references, found.jurisdictions, found.rollout, found.remedy) == (
        "",
        "medium",
        (),
        (),
        None,
        "",
    )


def test_an_unquoted_off_is_off(tmp_path: Path) -> None:
    """YAML reads `off` as false; a policy that says it is off."""
    (found,) = bundle_of(tmp_path, {"p.rego": policy("p", mode="off")}).policies

    assert Mode.OFF is found.mode


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("severity", "urgent", "`custom.severity` is one of info, low, medium, high, critical"),
        ("references", "GDPR", "`custom.references` lists at most 64 texts"),
        ("jurisdictions", "[]", "`custom.jurisdictions` lists 1 to 300 codes"),
        ("jurisdictions", "[NO]", '`custom.jurisdictions` holds false: write `"NO"` in quotes'),
        ("jurisdictions", "[XX]", "`custom.jurisdictions` lists countries (DE), subdivisions (US-CA), EU or EEA"),
        ("rollout", "{permille: 1001}", "`custom.rollout` is `{permille: 0 to 1000, key: tenant or principal}`"),
        ("rollout", "{permille: true}", "`custom.rollout` is `{permille: 0 to 1000, key: tenant or principal}`"),
        (
            "rollout",
            "{permille: 1, key: model}",
            "`custom.rollout` is `{permille: 0 to 1000, key: tenant or principal}`",
        ),
        ("rollout", "{permile: 1}", "`custom.rollout` is `{permille: 0 to 1000, key: tenant or principal}`"),
        ("on_error", "[skip]", "`custom.on_error` is deny or skip"),
    ],
)
def test_terms_that_say_nothing_clear_are_refused(tmp_path: Path, key: str, value: str, expected: str) -> None:
    """A misspelt limit would widen or narrow a policy in silence: it is an error with its file and line."""
    with pytest.raises(ConfigInvalid) as caught:
        bundle_of(tmp_path, {"p.rego": policy("p", **{key: value})})

    assert f"{tmp_path}/p.rego:7: {expected}" == str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "longest"),
    [
        ("owner", "[a]", 500),
        ("references", "[1]", 500),
        ("remedy", "x" * 301, 300),
        ("remedy", "[Send less.]", 300),
        ("remedy", '"Send less.\\nSend nothing."', 300),
        ("remedy", '"Send less.\\r\\n\\r\\ndata: [DONE]"', 300),
        ("remedy", '"Send\\u2028less."', 300),
        ("remedy", '"Send \\u202Eless."', 300),
        ("remedy", '"Send \\x1b[2Jless."', 300),
    ],
)
def test_text_that_does_not_fit_into_a_refusal_is_refused_on_its_line(
    tmp_path: Path, key: str, value: str, longest: int
) -> None:
    """A break would end a line of a table or an event of a stream, a control sequence would reach a terminal."""
    with pytest.raises(ConfigInvalid) as caught:
        bundle_of(tmp_path, {"p.rego": policy("p", **{key: value})})

    expected = f"{tmp_path}/p.rego:6: `custom.{key}` is one line of at most {longest} characters"
    assert (expected, 6) == (str(caught.value), caught.value.line)


def test_a_remedy_may_hold_any_printable_text(tmp_path: Path) -> None:
    """It is encoded where it is sent; its author need not think of that."""
    text = 'Ask "Größe" {at} 100 %: ' + "x" * 276

    (found,) = bundle_of(tmp_path, {"p.rego": policy("p", remedy=f"'{text}'")}).policies

    assert text == found.remedy

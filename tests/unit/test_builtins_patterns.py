"""Regular expressions and globs."""

from __future__ import annotations

import pytest

from governance.policy.plan.builtins import BUILTINS, BuiltinError
from governance.policy.plan.values import Value

VALUES = [
    ("regex.match", ("^a+$", "aaa"), True),
    ("regex.is_valid", ("(",), False),
    ("regex.is_valid", (1,), False),
    ("regex.find_n", ("a.", "abacad", 2), ["ab", "ac"]),
    ("regex.find_n", ("a*", "baac", -1), ["", "aa", ""]),
    ("regex.find_all_string_submatch_n", ("a(x*)b(y)?", "axxb ab", -1), [["axxb", "xx", ""], ["ab", "", ""]]),
    ("regex.replace", ("foo", "(o)", "[$1]"), "f[o][o]"),
    ("regex.replace", ("abc", "(?P<n>b)", "<${n}$$$z>"), "a<b$>c"),
    ("regex.replace", ("héé", "é", "e"), "hee"),
    ("regex.split", (",", "a,b,"), ["a", "b", ""]),
    ("regex.split", ("x*", "axb"), ["a", "b"]),
    ("regex.template_match", ("urn:foo:{.*}", "urn:foo:bar", "{", "}"), True),
    ("regex.template_match", ("a.{b}", "axb", "{", "}"), False),
    ("regex.globs_match", ("a.a.[0-9]+z", "b.b.[0-9]+z"), False),
    ("regex.globs_match", ("[a-z]+", "[m-z]x*"), True),
    ("regex.globs_match", ("a*", "b*"), False),
    ("glob.match", ("*.github.com", [], "api.github.com"), True),
    ("glob.match", ("*.github.com", [], "api.v1.github.com"), False),
    ("glob.match", ("*.github.com", None, "api.v1.github.com"), True),
    ("glob.match", ("**.github.com", ["."], "api.v1.github.com"), True),
    ("glob.match", ("{cat,b[ai]t}", [], "bit"), True),
    ("glob.match", ("[!a-c]at", [], "bat"), False),
    ("glob.match", ("\\*", [], "x"), False),
    ("glob.quote_meta", ("*.com",), "\\*.com"),
]  # fmt: skip
ERRORS = [
    ("regex.match", ("(secret", "a")),
    ("regex.match", ("(?=secret)", "a")),
    ("regex.match", ("a" * 20_000, "a")),
    ("regex.match", ("((a{100}){100}){100}", "a")),
    ("regex.match", ("a", "a" * 1_000_001)),
    ("regex.replace", ("a" * 2000, "a", "b" * 2000)),
    ("regex.template_match", ("secret{", "a", "{", "}")),
    ("regex.template_match", ("secret", "a", "{{", "}")),
    ("regex.globs_match", ("[secret", "a")),
    ("glob.match", ("[secret", [], "a")),
    ("glob.match", ("{secret", [], "a")),
    ("glob.match", ("a", ["secret"], "a")),
    ("glob.match", ("a", "secret", "a")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operands", "expected"), VALUES)
def test_value(name: str, operands: tuple[Value, ...], expected: Value) -> None:
    """A call has the documented value."""
    actual = BUILTINS[name](*operands)

    assert (type(expected), expected) == (type(actual), actual)


@pytest.mark.parametrize(("name", "operands"), ERRORS)
def test_error(name: str, operands: tuple[Value, ...]) -> None:
    """A call that has no answer is an error, whose text holds no operand."""
    with pytest.raises(BuiltinError) as raised:
        BUILTINS[name](*operands)

    assert "secret" not in str(raised.value)


def test_a_hostile_pattern_takes_linear_time() -> None:
    """A pattern that backtracks for ages elsewhere has its answer at once."""
    assert BUILTINS["regex.match"]("^(a+)+$", "a" * 100_000 + "b") is False

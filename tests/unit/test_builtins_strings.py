"""Strings by code points, and sprintf by Go's verbs."""

from __future__ import annotations

import pytest

from governance.policy.plan.builtins import BUILTINS, BuiltinError
from governance.policy.plan.values import Set, Value

VALUES = [
    ("concat", (",", ["a", "b"]), "a,b"),
    ("concat", ("", Set(["b", "a"])), "ab"),
    ("contains", ("abc", "b"), True),
    ("strings.count", ("aaa", "aa"), 1),
    ("indexof", ("héllo", "l"), 2),
    ("indexof", ("a", "z"), -1),
    ("indexof_n", ("aaa", "aa"), [0, 1]),
    ("substring", ("héllo", 1, 2), "él"),
    ("substring", ("abc", 1, -1), "bc"),
    ("lower", ("ÀΣ İ",), "àσ i"),
    ("upper", ("straße",), "STRAßE"),
    ("split", ("a.b", "."), ["a", "b"]),
    ("split", ("ab", ""), ["a", "b"]),
    ("split", ("", ""), []),
    ("strings.split_n", ("a.b.c", ".", 2), ["a", "b"]),
    ("strings.split_n", ("a.b.c", ".", -1), ["c"]),
    ("replace", ("aab", "a", "x"), "xxb"),
    ("strings.replace_n", ({"a": "b", "b": "a"}, "ab"), "ba"),
    ("trim", ("xax", "x"), "a"),
    ("trim_prefix", ("abab", "ab"), "ab"),
    ("trim_space", ("\u2003a\x1c\n",), "a\x1c"),
    ("strings.reverse", ("hé",), "éh"),
    ("strings.any_prefix_match", ("abc", Set(["x", "ab"])), True),
    ("strings.any_suffix_match", (["abc"], ["b"]), False),
    ("internal.template_string", (["a", Set([1]), Set(), None],), "a1<undefined>null"),
    ("internal.print", ([Set([1])],), True),
    ("sprintf", ("%d of %s: %v", [1, "a", {"k": Set([2, 1])}]), '1 of a: {"k": {1, 2}}'),
    ("sprintf", ("%v %v %v", [Set(), None, 1.5]), "set() null 1.5"),
    ("sprintf", ("%5.2f|%-4d|%04d|%+d", [3.14159, 7, 7, 7]), " 3.14|7   |0007|+7"),
    ("sprintf", ("%x %X %o %b %c %U %q", [255, 255, 8, 5, 65, 65, "a"]), 'ff FF 10 101 A U+0041 "a"'),
    ("sprintf", ("%v", [1234567.5]), "1.2345675e+06"),
    ("sprintf", ("%.1f", [100]), "100.0"),
    ("sprintf", ("%[2]d %[1]d", [1, 2]), "2 1"),
    ("sprintf", ("%*d|%.*f", [4, 7, 1, 2.55]), "   7|2.5"),
    ("sprintf", ("%d", [1.5]), "%!d(float64=1.5)"),
    ("sprintf", ("%t", [True]), "%!t(string=true)"),
    ("sprintf", ("%d %d", [1]), "1 %!d(MISSING)"),
    ("sprintf", ("%d", [1, "x"]), "1%!(EXTRA string=x)"),
    ("sprintf", ("%[5]d", [1]), "%!d(BADINDEX)"),
    ("sprintf", ("100%", []), "100%!(NOVERB)"),
    ("sprintf", ("100%%", []), "100%"),
]  # fmt: skip
ERRORS = [
    ("concat", (",", ["secret", 1])),
    ("contains", ("secret", 1)),
    ("indexof", ("secret", "")),
    ("substring", ("secret", -1, 1)),
    ("strings.replace_n", ({"secret": 1}, "secret")),
    ("strings.any_prefix_match", (1, "secret")),
    ("internal.template_string", ([Set([1, 2])],)),
    ("sprintf", ("secret", "secret")),
    ("sprintf", ("%*d", [10**6, 1])),
    ("sprintf", ("%9999d" * 200, [1] * 200)),
    ("replace", ("a" * 1000, "a", "b" * 2000)),
    ("concat", ("x" * 2000, ["a"] * 1000)),
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

r"""glob.match, by way of RE2. https://github.com/gobwas/glob

`*` and `?` stop at a delimiter, `**` does not; `[a-z]`, `[!abc]`, `{this,that}` and `\` are as usual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import re2

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import Builtin, array, guarded, text, wrong
from governance.policy.plan.builtins.regexes import found_in
from governance.policy.plan.values import Value

_TOKEN: Final = re.compile(
    r"\\(?P<escaped>.)|(?P<any>\*\*+)|(?P<many>\*)|(?P<one>\?)|\[(?P<not>!?)(?P<class>(?:\\.|[^\]\\])+)\]"
    r"|(?P<open>\{)|(?P<close>\})|(?P<comma>,)|(?P<literal>[^\\\[])",
    re.DOTALL,
)
_RANGE: Final = re.compile(r"(?P<low>[^\\])-(?P<high>[^\\])", re.DOTALL)
_SPECIAL: Final = re.compile(r"[*?\\\[\]{}]")


def match(a: Value, b: Value, c: Value) -> Value:
    """Whether the string `c` is matched by the glob `a`, with the delimiters `b`: none for null, a dot for no entry."""
    pattern, searched = text(a, 1), text(c, 3)
    if b is None:
        delimiters = ""
    elif type(b) is list:
        if not all(type(one) is str and len(one) == 1 for one in array(b)):
            raise BuiltinError("operand 2 must hold single characters")
        delimiters = "".join(b) or "."
    else:
        raise wrong(2, "one of {array, null}", b)
    return found_in(_as_pattern(pattern, delimiters), searched)


def quote_meta(a: Value) -> Value:
    """The string with a backslash before what a glob would read."""
    return _SPECIAL.sub(r"\\\g<0>", text(a))


@lru_cache(maxsize=256)
def _as_pattern(glob: str, delimiters: str) -> str:
    inside = f"[^{re2.escape(delimiters)}]" if delimiters else "."
    out: list[str] = []
    depth = end = 0
    while end < len(glob):
        found = _TOKEN.match(glob, end)
        if found is None:
            raise BuiltinError("not a glob")
        end = found.end()
        depth += bool(found["open"]) - bool(found["close"])
        if depth < 0:
            raise BuiltinError("not a glob")
        out.append(_piece(found, inside, depth))
    if depth:
        raise BuiltinError("not a glob")
    return f"(?s)\\A(?:{''.join(out)})\\z"


def _piece(found: re.Match[str], inside: str, depth: int) -> str:
    if found["any"]:
        return ".*"
    if found["many"]:
        return f"{inside}*"
    if found["one"]:
        return inside
    if found["class"]:
        return _class(found["class"], "^" if found["not"] else "")
    if found["open"] or found["close"]:
        return "(?:" if found["open"] else ")"
    if found["comma"] and depth:
        return "|"
    return str(re2.escape(found["escaped"] or found["literal"] or ","))


def _class(written: str, negation: str) -> str:
    if (span := _RANGE.fullmatch(written)) is not None:
        return f"[{negation}{re2.escape(span['low'])}-{re2.escape(span['high'])}]"
    # A range stands alone, and what is not in a class is something.
    if written[1:2] == "-" or (written == "!" and not negation):
        raise BuiltinError("not a glob")
    chars = re.sub(r"\\(.)", r"\1", written, flags=re.DOTALL)
    return f"[{negation}{re2.escape(chars)}]"


BUILTINS: Final[Mapping[str, Builtin]] = {
    "glob.match": guarded(match),
    "glob.quote_meta": guarded(quote_meta),
}

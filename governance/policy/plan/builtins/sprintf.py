"""sprintf with Go's verbs. https://pkg.go.dev/fmt

OPA hands Go a string, a whole number or a float; any other value is the string that Rego writes it as, so that `%t` of
true is an error, written into the result as Go does.
LIMIT: 100.0 is the whole number 100 here, so that a whole number is written by a float's verbs too, where OPA would
tell the two apart.
"""

from __future__ import annotations

import re
from typing import Final

from governance.frozen import frozen
from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import MAX_SIZE, array, text, whole
from governance.policy.plan.builtins.writing import quoted, shown
from governance.policy.plan.values import Value

_VERB: Final = re.compile(
    r"%(?P<flags>[+\-# 0]*)(?:\[(?P<wat>[0-9]{1,6})\](?=\*))?(?P<width>\*|[0-9]{0,6})"
    r"(?:\.(?:\[(?P<pat>[0-9]{1,6})\](?=\*))?(?P<precision>\*|[0-9]{0,6}))?"
    r"(?:\[(?P<at>[0-9]{1,6})\])?(?P<verb>.?)",
    re.DOTALL,
)
_FLOATING: Final = "eEfFgG"
_MAX_WIDTH: Final = 10_000
_INT64: Final = 1 << 63
_EXPONENT_FROM: Final = 6  # digits before the point, from which on Go writes an exponent


@frozen
class _Form:
    flags: str
    width: int | None
    precision: int | None

    def padded(self, out: str, *, zeros: bool = False) -> str:
        if self.width is None or len(out) >= self.width:
            return out
        if "-" in self.flags:
            return out.ljust(self.width)
        if not (zeros and "0" in self.flags):
            return out.rjust(self.width)
        sign = out[0] if out[0] in "+- " else ""
        return sign + out[len(sign) :].rjust(self.width - len(sign), "0")


class _Arguments:
    """The values still to be written, in order or by explicit index."""

    def __init__(self, values: list[Value]) -> None:
        self._values = values
        self._next = 0
        self._reordered = False

    def seek(self, written: str | None) -> bool:
        """Moves to the argument that an index of the format names: False where there is none such."""
        if written is None:
            return True
        self._reordered = True
        self._next = int(written) - 1
        return 0 <= self._next < len(self._values)

    def take(self) -> Value:
        """The next value. Raises IndexError where there is none left."""
        value = self._values[self._next]
        self._next += 1
        return value

    def left(self) -> list[Value]:
        """What no verb has taken: nothing is, once an index was used."""
        return [] if self._reordered else self._values[self._next :]


def sprintf(a: Value, b: Value) -> Value:
    """The format `a` with the values of `b` in place of its verbs; what does not fit is written as Go writes it."""
    form, arguments = text(a, 1), _Arguments(array(b, 2))
    out: list[str] = []
    size = end = 0
    for found in _VERB.finditer(form):
        out += (form[end : found.start()], _replaced(found, arguments))
        end = found.end()
        size += len(out[-1]) + len(out[-2])
        if size > MAX_SIZE:
            raise BuiltinError("result too large")
    out.append(form[end:])
    if left := arguments.left():
        out.append("%!(EXTRA " + ", ".join(f"{_go_type(value)}={shown(value)}" for value in left) + ")")
    return "".join(out)


def _replaced(found: re.Match[str], arguments: _Arguments) -> str:
    verb = found["verb"]
    if not verb:
        return "%!(NOVERB)"
    if verb == "%":
        return "%"
    try:
        seen = arguments.seek(found["wat"])
        width = _measure(found["width"], arguments)
        seen = arguments.seek(found["pat"]) and seen
        precision = _measure(found["precision"], arguments) if found["precision"] else None
        if not (arguments.seek(found["at"]) and seen):
            return f"%!{verb}(BADINDEX)"
        value = arguments.take()
    except IndexError:
        return f"%!{verb}(MISSING)"
    flags = found["flags"].replace("+", "") if verb == "v" else found["flags"]
    if width is not None and width < 0:
        flags, width = flags + "-", -width
    if found["precision"] == "":
        precision = 0
    return _written(value, verb, _Form(flags=flags, width=width, precision=precision))


def _measure(written: str, arguments: _Arguments) -> int | None:
    if not written:
        return None
    size = arguments.take() if written == "*" else int(written)
    if type(size) is not int or abs(size) > _MAX_WIDTH:
        raise BuiltinError("width or precision too large")
    return size


def _go_type(value: Value) -> str:
    if type(value) is float:
        return "float64"
    if type(value) is int:
        return "int64" if -_INT64 <= value < _INT64 else "*big.Int"
    return "string"


def _written(value: Value, verb: str, form: _Form) -> str:
    kind = type(value)
    if verb == "T":
        return form.padded(_go_type(value))
    if (kind is float or (kind is int and verb in _FLOATING)) and (out := _float(value, verb, form)) is not None:
        return form.padded(out, zeros=True)
    if kind is int and (out := _int(value, verb, form)) is not None:
        zeros = form.precision is None and verb in "vdboOxX"
        return form.padded(out, zeros=zeros)
    if kind not in (int, float) and (out := _string(shown(value), verb, form)) is not None:
        return form.padded(out, zeros=True)
    inner = _written(value, "v", form) if kind in (int, float) else form.padded(shown(value))
    return f"%!{verb}({_go_type(value)}={inner})"


def _signed(out: str, form: _Form) -> str:
    if out.startswith("-"):
        return out
    return ("+" if "+" in form.flags else " " if " " in form.flags else "") + out


def _int(value: int, verb: str, form: _Form) -> str | None:
    base = {"v": "d", "d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}.get(verb)
    if base is not None:
        digits = format(abs(value), base).rjust(form.precision or 0, "0")
        prefix = "0o" if verb == "O" else ""
        if "#" in form.flags:
            prefix = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}.get(verb, prefix)
        return _signed(("-" if value < 0 else "") + prefix + digits, form)
    if not -_INT64 <= value < _INT64:
        return str(whole(value)) if verb == "s" else None
    char = chr(value) if 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000 else "\ufffd"
    if verb == "c":
        return char
    if verb == "q":
        return "'" + (char if char == '"' else "\\'" if char == "'" else quoted(char)[1:-1]) + "'"
    if verb == "U":
        return f"U+{value:04X}" + (f" '{char}'" if "#" in form.flags and char.isprintable() else "")
    return None


def _float(number: float, verb: str, form: _Form) -> str | None:
    value = float(number)
    if verb in ("e", "E", "f", "F"):
        out = format(value, f".{6 if form.precision is None else form.precision}{verb}")
    elif verb in ("g", "G", "v"):
        out = _shortest(value) if form.precision is None else format(value, f".{form.precision}g")
        out = out.upper() if verb == "G" else out
    else:
        return None
    return _signed(out, form)


def _shortest(value: float) -> str:
    """The fewest digits that read back as `value`, with an exponent below -4 and from 6 on."""
    sign, digits, point = _decimal(value)
    if not -4 < point <= _EXPONENT_FROM:
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{sign}{mantissa}e{'-' if point <= 0 else '+'}{abs(point - 1):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = digits[point:]
    return sign + digits[:point].ljust(point, "0") + (f".{rest}" if rest else "")


def _decimal(value: float) -> tuple[str, str, int]:
    """The sign, the digits, and where the point is among them."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, rest = mantissa.partition(".")
    digits = whole + rest
    point = len(whole) + int(exponent or 0)
    kept = digits.lstrip("0")
    return ("-" if value < 0 else ""), kept.rstrip("0") or "0", point - (len(digits) - len(kept))


def _string(value: str, verb: str, form: _Form) -> str | None:
    if verb in ("v", "s"):
        return value if form.precision is None else value[: form.precision]
    cut = value if form.precision is None else value[: form.precision]
    if verb == "q":
        if "#" in form.flags and "`" not in cut and cut.isprintable():
            return f"`{cut}`"
        return quoted(cut, ascii_only="+" in form.flags)
    if verb in ("x", "X"):
        raw = value.encode()[: form.precision]
        out = raw.hex(" ") if " " in form.flags else raw.hex()
        if "#" in form.flags and out:
            out = "0x" + out.replace(" ", " 0x")
        return out.upper() if verb == "X" else out
    return None

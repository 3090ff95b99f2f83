"""The tokens of a Rego module, read one after the other."""

from __future__ import annotations

from governance.policy.source import Token, code_of

_RESERVED = frozenset(["as", "default", "else", "every", "if", "import", "in", "not", "package", "some", "with"])


class UnreadError(Exception):
    """A place in a module that is not understood."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


class Cursor:
    """The tokens of a module and how far they have been read. What cannot be read raises UnreadError."""

    def __init__(self, text: str, file: str) -> None:
        """Raises ConfigInvalid where `text` has no tokens."""
        self._code, self._at = code_of(text, file), 0

    @property
    def done(self) -> bool:
        """Whether every token was read."""
        return self._at >= len(self._code)

    @property
    def ended(self) -> bool:
        """Whether the next token is the first on its line, or there is none."""
        return self.done or self._code[self._at][0].first

    @property
    def line(self) -> int:
        """The line of the next token; at the end, that of the last one."""
        return self._code[min(self._at, len(self._code) - 1)][0].line if self._code else 1

    @property
    def text(self) -> str:
        """The text of the next token, empty at the end and where it is a string."""
        if self.done:
            return ""
        token = self._code[self._at][0]
        return "" if token.kind in {"string", "raw"} else token.text

    def touches(self, text: str) -> bool:
        """Whether `text` is next, with no space before it."""
        return self.text == text and self._code[self._at][1]

    def take(self, text: str) -> bool:
        """Whether `text` is next; then it has been read."""
        if self.text != text:
            return False
        self._at += 1
        return True

    def expect(self, text: str) -> None:
        """Reads `text`."""
        if not self.take(text):
            raise self.unread()

    def read(self) -> Token:
        """The next token, whatever it is."""
        if self.done:
            raise self.unread()
        self._at += 1
        return self._code[self._at - 1][0]

    def name(self) -> Token:
        """The next token, which is a name and no keyword."""
        token = self.read()
        if not is_name(token):
            raise UnreadError(token.line)
        return token

    def unread(self) -> UnreadError:
        """The next token as what is not understood."""
        return UnreadError(self.line)


def is_name(token: Token) -> bool:
    """Whether `token` may be the name of something."""
    return token.kind == "name" and token.text not in _RESERVED

"""Words in the pictures that reports draw."""

from __future__ import annotations

from xml.sax.saxutils import escape

INK = "#1a1a1a"


def label(
    x: float, y: float, text: str, *, size: int = 13, weight: str = "normal", anchor: str = "start", colour: str = INK
) -> str:
    """A `text` element of SVG."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{colour}">{xml(text)}</text>'
    )


def xml(text: str) -> str:
    """`text` escaped, without the characters that XML cannot hold."""
    return escape("".join(letter if letter.isprintable() else "\ufffd" for letter in text))

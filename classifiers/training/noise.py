"""Texts roughened as chat, mail, logs and requests in JSON are, with every span still on its words."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from classifiers.training.rows import Span

Marked = tuple[str, tuple[Span, ...]]
Edit = tuple[int, int, str]

_WORD = re.compile(r"[^\W\d_]{4,}")
_INITIAL = re.compile(r"(?<![\w'\u2019])[^\W\d_]")
_ROLES = (
    "user: ", "User: ", "assistant: ", "Human: ", "me: ", "Customer: ", "agent: ", "Q: ", "A: ", "[user] ", "<user> ", "USER> ",
    "### Input\n", "### User:\n", "Message: ", "Text: ", "Note: ", "content: ", "prompt: ", "Re: ", "Fwd: ", "input = ",
)  # fmt: skip
_ASKS = (
    "Fix the grammar:\n", "Rewrite this politely: ", "Summarise the following:\n\n", "summarize: ", "Translate this: ", "make this shorter: ",
    "Please proofread:\n", "Is this clear? ", "can you check this? ", "Extract the main points from the text below.\n\n", "Hi! ", "hey, ",
    "ok so ", "btw ", "FYI: ", "pls help: ", "quick one - ", "Turn this into bullet points:\n", "tl;dr this\n", "Classify the sentiment: ",
)  # fmt: skip
_ENDINGS = (
    " thanks", " Thanks!", " thx", " pls", " any ideas?", " lol", "\n\nThank you.", " Please advise.", " cheers", "...", "!!", " ok?",
    "\n\nKeep it under 100 words.", "\n\nAnswer in JSON.", " what should i do?", " :)", "\n---", " (draft)", "\n\nBest regards",
)  # fmt: skip
_EMOJI = "😀 😂 🙏 😢 😡 ❤️ 👍 🎉 🤔 😅 🥲 🔥 👀 💊 🏥 📞 📅 ✅ ⚠️ 🙈 😷 🤷‍♀️ 👩‍⚕️ 💪 🚀".split()
_NEAR: Final = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuioiasdfghjkkzxcvbnmn", strict=True))
_KEYS = ("content", "text", "message", "prompt", "input", "body", "note", "query", "description", "comment")


def rough(chance: random.Random, text: str, spans: tuple[Span, ...], *, fragile: bool = False) -> Marked:
    """`text` as somebody in a hurry, or a program, would send it; half of all stay as they are.

    Of a `fragile` one, as code and keys are, no letter changes: it is only wrapped.
    """
    marked: Marked = (text, spans)
    if chance.random() < 0.5:
        return marked
    steps = _WRAPS if fragile else _STEPS
    for step, share in steps:
        if chance.random() < share:
            marked = step(chance, *marked)
    return marked


def edited(text: str, spans: Iterable[Span], edits: Sequence[Edit]) -> Marked:
    """`text` with `edits` (start, end, new text; in order, disjoint) done and `spans` moved along.

    What is put in where a span begins or ends stays outside it.
    """
    parts, at = [], 0
    for start, end, new in edits:
        parts += [text[at:start], new]
        at = end
    moved = tuple((_start(place, edits), _end(close, edits), kind) for place, close, kind in spans)
    return "".join([*parts, text[at:]]), moved


def lowered(_: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """All lower case."""
    return _recased(text, spans, str.lower)


def shouted(_: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """All capitals."""
    return _recased(text, spans, str.upper)


def one_line_shouted(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """One line of several in capitals."""
    lines = text.split("\n")
    chosen = chance.randrange(len(lines))
    changed = lines[chosen].upper()
    if len(changed) != len(lines[chosen]):
        return text, spans
    return "\n".join([*lines[:chosen], changed, *lines[chosen + 1 :]]), spans


def titled(_: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """Every Word Begins With A Capital, as in headlines."""
    return _INITIAL.sub(lambda found: _recased(found[0], (), str.upper)[0], text), spans


def words_shouted(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """One to three words in capitals, outside the spans: capitals that make no name."""
    words = [found.span() for found in _WORD.finditer(text) if not _touches(spans, *found.span())]
    for start, end in chance.sample(words, min(len(words), chance.randint(1, 3))):
        text = text[:start] + _recased(text[start:end], (), str.upper)[0] + text[end:]
    return text, spans


def names_lowered(_: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """The spans, and only they, in lower case: names without capitals in a text that has them."""
    for start, end, _kind in spans:
        text = text[:start] + _recased(text[start:end], (), str.lower)[0] + text[end:]
    return text, spans


def unpunctuated(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """Without commas, stops and apostrophes, or without most, outside the spans."""
    share = chance.choice((0.5, 1.0, 1.0))
    found = [at for at, letter in enumerate(text) if letter in ".,!?;'" and not _within_number(text, at)]
    drops = [(at, at + 1, "") for at in found if chance.random() < share and not _touches(spans, at, at + 1)]
    return edited(text, spans, drops) if len(drops) < len(text.strip()) else (text, spans)


def mistyped(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """Letters swapped, doubled, left out or hit beside, in words that no span touches."""
    share = chance.choice((0.03, 0.08, 0.15))
    words = [found for found in _WORD.finditer(text) if chance.random() < share and not _touches(spans, *found.span())]
    return edited(text, spans, [(found.start(), found.end(), _mistyped(chance, found[0])) for found in words])


def spaced(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """Blanks doubled, lost at the end of a sentence, or made line breaks, outside the spans."""
    edits = []
    for at, letter in enumerate(text):
        if letter == " " and chance.random() < 0.08 and not _inside(spans, at):
            edits.append((at, at + 1, chance.choice(("  ", "  ", "\n", "   ", "\t", "\u00a0"))))
    text, spans = edited(text, spans, edits)
    return edited(text, spans, [(len(text), len(text), chance.choice((" ", "\n", "", "", "\n\n")))])


def quoted(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """Every line with a mark before it, as in an answered mail or a list. A span over two lines becomes two."""
    mark = chance.choice(("> ", "> ", "- ", "* ", ">> ", "    ", "| ", "// ", "# ", "1. "))
    starts = [0, *(found.end() for found in re.finditer(r"\n", text))]
    parts = [part for span in spans for part in _by_line(text, span)]
    return edited(text, parts, [(at, at, mark) for at in starts])


def emphasised(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """One word or span in marks of Markdown."""
    places = [(start, end) for start, end, _ in spans]
    places += [found.span() for found in _WORD.finditer(text) if not _touches(spans, *found.span())]
    if not places:
        return text, spans
    start, end = chance.choice(places)
    mark = chance.choice(("**", "*", "_", "`", '"', "'"))
    return edited(text, spans, [(start, start, mark), (end, end, mark)])


def in_json(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """The text as a string in a JSON object, escaped as there."""
    ascii_only = chance.random() < 0.2
    edits: list[Edit] = []
    for at, letter in enumerate(text):
        written = json.dumps(letter, ensure_ascii=ascii_only)[1:-1]
        if written != letter:
            edits.append((at, at + 1, written))
    key = chance.choice(_KEYS)
    before, after = chance.choice(
        (
            (f'{{"{key}": "', '"}'),
            (f'{{"role": "user", "{key}": "', '"}'),
            (f'{{"{key}":"', f'","id":{chance.randint(1, 9999)}}}'),
            (f'{{"name": "send_message", "arguments": {{"{key}": "', '"}}'),
            (f'{{\n  "lang": "en",\n  "{key}": "', '"\n}'),
            (f'[{{"type": "text", "{key}": "', '"}]'),
        )
    )
    text, spans = edited(text, spans, edits)
    return edited(text, spans, [(0, 0, before), (len(text), len(text), after)])


def in_a_log(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """The text after the role of who says it."""
    return edited(text, spans, [(0, 0, chance.choice(_ROLES))])


def asked(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """The text with what is asked for before it."""
    return edited(text, spans, [(0, 0, chance.choice(_ASKS))])


def ended(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """The text with something said after it."""
    return edited(text, spans, [(len(text), len(text), chance.choice(_ENDINGS))])


def with_emoji(chance: random.Random, text: str, spans: tuple[Span, ...]) -> Marked:
    """An emoji or two at the end, the beginning, or between two words."""
    new = "".join(chance.choices(_EMOJI, k=chance.choice((1, 1, 2, 3))))
    blanks = [at for at, letter in enumerate(text) if letter == " " and not _inside(spans, at)]
    roll = chance.random()
    at = 0 if roll < 0.15 else chance.choice(blanks) if blanks and roll < 0.4 else len(text)
    return edited(text, spans, [(at, at, f"{new} " if at == 0 else f" {new}" if chance.random() < 0.8 else new)])


def joined(chance: random.Random, first: Marked, second: Marked) -> Marked:
    """Two texts as one."""
    between = chance.choice(("\n\n", "\n", " ", "\n---\n", "\n\n> ", " Also, ", "\n\nPS: ", "\nassistant: ", "\n\n"))
    moved = len(first[0]) + len(between)
    spans = tuple((start + moved, end + moved, kind) for start, end, kind in second[1])
    return first[0] + between + second[0], first[1] + spans


Step = Callable[[random.Random, str, tuple[Span, ...]], Marked]
# In the order they are done: first the letters, then what stands around them.
_WRAPS: Final[tuple[tuple[Step, float], ...]] = ((asked, 0.15), (ended, 0.1), (in_a_log, 0.15), (in_json, 0.08))
_STEPS: Final[tuple[tuple[Step, float], ...]] = (
    (lowered, 0.3),
    (shouted, 0.04),
    (one_line_shouted, 0.03),
    (titled, 0.03),
    (names_lowered, 0.06),
    (words_shouted, 0.06),
    (unpunctuated, 0.25),
    (mistyped, 0.25),
    (spaced, 0.15),
    (emphasised, 0.05),
    (with_emoji, 0.1),
    (quoted, 0.06),
    *_WRAPS,
)


def _recased(text: str, spans: tuple[Span, ...], case: Callable[[str], str]) -> Marked:
    """Letter by letter where a letter's other case is no longer than it, so that spans stay."""
    return "".join(changed if len(changed := case(letter)) == 1 else letter for letter in text), spans


def _start(at: int, edits: Sequence[Edit]) -> int:
    return at + sum(len(new) - (end - start) for start, end, new in edits if end <= at)


def _end(at: int, edits: Sequence[Edit]) -> int:
    """As `_start`, but what is put in exactly at `at` comes after it."""
    return at + sum(len(new) - (end - start) for start, end, new in edits if end <= at and start < at)


def _touches(spans: Iterable[Span], start: int, end: int) -> bool:
    return any(left < end and start < right for left, right, _ in spans)


def _inside(spans: Iterable[Span], at: int) -> bool:
    return _touches(spans, at, at + 1)


def _within_number(text: str, at: int) -> bool:
    return 0 < at < len(text) - 1 and text[at - 1].isdigit() and text[at + 1].isdigit()


def _by_line(text: str, span: Span) -> list[Span]:
    start, end, kind = span
    lines, at = [], start
    for line in text[start:end].split("\n"):
        if line.strip():
            lines.append((at, at + len(line), kind))
        at += len(line) + 1
    return lines


def _mistyped(chance: random.Random, word: str) -> str:
    at = chance.randrange(1, len(word) - 1)
    match chance.randrange(5):
        case 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case 1:
            return word[:at] + word[at + 1 :]
        case 2:
            return word[: at + 1] + word[at:]
        case 3:
            return word[:at] + _NEAR.get(word[at].lower(), word[at]) + word[at + 1 :]
        case _:
            return word[:at] + word[at] + _NEAR.get(word[at].lower(), word[at]) + word[at + 1 :]

"""Text as a model reads it: pieces with their places in the text, their case and the word that each belongs to."""

from __future__ import annotations

import functools
import re
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np

from classifiers.model.case import CASES, Case, case_of
from classifiers.model.manifest import NAMES_FILE, TOKENIZER_FILE, ModelFiles, ModelUnusable
from classifiers.model.names import KnownNames

if TYPE_CHECKING:
    from numpy.typing import NDArray

# About 10 ms of work: the clock is read in between.
CHUNK_CHARS: Final = 8_192
# Scripts that are written without spaces: Thai, Lao, Burmese, Khmer, kana, Han. There a piece is its own word.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Where characters stand that are plain ones in another style. What stands between them may be in here as well.
_STYLED = re.compile(
    r"[\xa0-\xba\u017f\u0262-\u0280\u028f-\u029f\u02b0-\u02b8\u02e0-\u02e4\u0340-\u0343\u0374-\u0387\u03d0-\u03d6\u03f0-\u03f9"
    r"\u0f0c\u10fc\u1d00-\u1dbf\u1e9b\u1f71-\u1f7d\u1fbb-\u1ffd\u2000-\u200a\u2011\u2024\u202f\u205f\u2071-\u209c"
    r"\u2102-\u217f\u2329\u232a\u24b6-\u24e9\u2c7c\u2c7d\u2d6f\u2e9f\u2ef3-\u2fd5\u3000\u3036-\u303a\u3131-\u319f\u3244-\u32fe"
    r"\ua69c\ua69d\ua730\ua731\ua770\ua7af\ua7f2-\ua7f9\uab5c-\uab69\uf900-\ufad9\ufb20-\ufb29\ufb50-\ufbff\ufe10-\ufef4"
    r"\uff01-\uffee\U00010781-\U000107ba\U0001d400-\U0001d7ff\U0001ee00-\U0001eebb\U0001f12b-\U0001f189\U0001f202-\U0001f251"
    r"\U0001fbf0-\U0001fbf9\U0002f800-\U0002fa1d]+"
)
# Letters in another style of which NFKC knows nothing.
_STYLE_NAME = re.compile(
    r"(?:NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER|LATIN LETTER (?P<small>SMALL) CAPITAL) (?P<letter>[A-Z])"
)
# Those of Unicode (Cc) without the tab and the ends of lines, which are blanks to every tokenizer.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LETTER = re.compile(r"[^\W\d_]")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
# What is not seen in a word: soft hyphen, spaces without width, joiners.
_DROPPED: Final = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
# Signs that vocabularies have within words, and the one that tokenizers drop.
_KNOWN_SIGNS: Final = frozenset("¢£¤¥¦¨¬°±\u00b4\u00d7÷\u2044₤₩€₱₹№\ufffd")
# Blocks of symbols whole: numbers in circles too, and pictures that are newer than the Unicode of `unicodedata`.
_PICTURES: Final = "\u2190-\u2bff\ue000-\uf8ff\ufffc\U0001cf00-\U0001d37f\U0001d800-\U0001daff\U0001f000-\U0001fbff"
_NONE: Final = np.zeros(0, dtype=np.int32)
_PADDING = ("[PAD]", "<pad>", "<|padding|>", "<|endoftext|>")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Pieces:
    """The pieces of one text, one row each, in order.

    `starts` and `ends` are code points of the text, half open; neither ever decreases. `case` is a Case, and CASES times what
    the word is known as where the model is told. `words` numbers the words, from 0 without a gap. `read_chars` is less than the text is long where the deadline cut it short.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    case: NDArray[np.uint8]
    words: NDArray[np.int32]
    read_chars: int

    def __len__(self) -> int:
        return len(self.ids)


@final
class PieceReader:
    """Turns text into pieces. Safe between threads.

    Padding, truncation and special pieces in the text are off, whatever the file says: text is read to its end, and
    text that spells `[SEP]` is text. `prefix` and `suffix` are the ids that stand around a window, `padding` fills one;
    `cases` is the number of different answers in `Pieces.case`.
    """

    def __init__(self, tokenizer: bytes, names: KnownNames | None = None) -> None:
        """Raises ValueError, without content, where `tokenizer` is no tokenizer.json."""
        from tokenizers import Tokenizer  # noqa: PLC0415 - slow to import, and only who has a model needs it

        try:
            self._tokenizer: Any = Tokenizer.from_buffer(tokenizer)
        except Exception as error:  # noqa: BLE001 - the library raises plain Exception
            reason = " ".join(str(error).split())[:200]
        else:
            reason = ""
        if reason:
            raise ValueError(reason)
        filling = self._tokenizer.padding
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True
        self._names = names
        self.cases = CASES * (1 if names is None else names.kinds)
        self._whole_words = type(self._tokenizer.model).__name__ == "WordPiece"
        self.padding = int(filling["pad_id"]) if filling else self._id_of_padding()
        self.prefix, self.suffix = self._around()
        # Not their count: numbers may be left out.
        self.vocabulary = 1 + max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)

    def read(self, text: str, *, deadline: float) -> Pieces:
        """The pieces of `text`, as far as they are known at `deadline` on the clock of `time.monotonic`."""
        # The tokenizer takes UTF-8 only; the replacement is as long and no letter either.
        clean = _SURROGATE.sub("\ufffd", text)
        parts: list[Pieces] = []
        for start, end in chunks(clean):
            if time.monotonic() >= deadline:
                break
            part = legible(clean[start:end]) if self._whole_words else clean[start:end]
            parts.append(_pieces(part, start, self._tokenizer.encode(part, add_special_tokens=False), self._names))
        return _joined(parts)

    def _id_of_padding(self) -> int:
        known = (self._tokenizer.token_to_id(name) for name in _PADDING)
        return int(next((each for each in known if each is not None), 0))

    def _around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The ids that the tokenizer puts before and behind a text."""
        encoding = self._tokenizer.encode("a", add_special_tokens=True)
        inner = [number for number, special in enumerate(encoding.special_tokens_mask) if not special]
        if not inner:
            return tuple(encoding.ids), ()
        return tuple(encoding.ids[: inner[0]]), tuple(encoding.ids[inner[-1] + 1 :])


def piece_reader(files: ModelFiles) -> PieceReader:
    """The reader of a model. Raises ModelUnusable."""
    where = f"model directory `{files.directory}`, `{TOKENIZER_FILE}`"
    try:
        names = KnownNames(files.names) if files.names else None
    except ValueError as error:
        raise ModelUnusable(
            f"model directory `{files.directory}`, `{NAMES_FILE}`: {error}: get the files of one version again"
        ) from None
    try:
        reader = PieceReader(files.tokenizer, names)
    except ValueError as error:
        raise ModelUnusable(
            f"{where}: it is no tokenizer ({error}): export it with the Hugging Face library `tokenizers`"
        ) from None
    around = len(reader.prefix) + len(reader.suffix)
    if files.manifest.window - around <= files.manifest.overlap:
        raise ModelUnusable(
            f"{where}: it puts {around} pieces around a text, which leaves of a `window` of {files.manifest.window} no more"
            f" than the `overlap` of {files.manifest.overlap}: make the window longer"
        )
    return reader


def unstyled(text: str) -> str:
    """`text` with the plain character for each fullwidth, mathematical, circled or otherwise styled one; as long as before.

    That is the NFKC form (UAX #15) where it is one character. What numbers a list or a footnote stays.
    """
    return text if text.isascii() else _STYLED.sub(lambda found: found[0].translate(_PLAIN), text)


class _Plain(dict[int, str]):
    """Code points to their plain characters. No more than `_STYLED` has are asked for."""

    def __missing__(self, code_point: int) -> str:
        character = chr(code_point)
        plain = self[code_point] = character if unicodedata.category(character) == "No" else _plain(character)
        return plain


_PLAIN: Final = _Plain()


def _plain(character: str) -> str:
    form = unicodedata.normalize("NFKC", character)
    if form != character:
        return form if len(form) == 1 else character
    named = _STYLE_NAME.fullmatch(unicodedata.name(character, ""))
    if named is None:
        return character
    return named["letter"].lower() if named["small"] else named["letter"]


def legible(text: str) -> str:
    """`text` with a space for each control character, and for each picture that touches a word; as long as before.

    A vocabulary of whole words knows nothing of a word with one strange character: a picture would hide the name it touches.
    Controls such as form feed and record separator are dropped by its tokenizer, which would make one word of two.
    """
    parted = _CONTROL.sub(" ", text)
    return parted if parted.isascii() else _glued().sub(" ", parted)


@functools.cache
def _glued() -> re.Pattern[str]:
    """What a picture, a symbol or an enclosing mark is found by that touches a word, or what is not seen at its end."""
    symbols = "".join(
        character
        for character in map(chr, range(0x80, 0x10000))
        if (unicodedata.category(character)[0] == "S" or unicodedata.category(character) == "Me")
        and character not in _KNOWN_SIGNS
    )
    picture, unseen = f"[{symbols}{_PICTURES}]", rf"{_DROPPED}\u200e\u200f\u0300-\u036f\ufe00-\ufe0f"
    return re.compile(rf"{picture}(?=[{unseen}]*\w)|(?<=[\w{unseen}]){picture}")


def worth_reading(text: str, *, digits: bool = False) -> bool:
    """Whether a letter stands in `text`, or where `digits` count one of these: if not there is nothing for a model to read."""
    return (_LETTER_OR_DIGIT if digits else _LETTER).search(text) is not None


def chunks(text: str) -> Iterator[tuple[int, int]]:
    """Consecutive ranges that cover `text`, cut before white space where there is some, or else before a mark.

    The white space begins the next chunk: tokenizers that mark the start of a word need to see it.
    """
    start = 0
    while start < len(text):
        end = min(len(text), start + CHUNK_CHARS)
        if end < len(text):
            space = _last(text, start + 1, end, str.isspace)
            end = space or _last(text, start + 1, end, _is_edge) or end
        yield start, end
        start = end


def _last(text: str, start: int, end: int, wanted: Callable[[str], bool]) -> int | None:
    return next((place for place in range(end - 1, start - 1, -1) if wanted(text[place])), None)


def names_of(
    text: str, spans: Sequence[tuple[int, int]], starts_word: NDArray[np.int32], names: KnownNames
) -> NDArray[np.uint8]:
    """What the word of each piece is known as, in steps of CASES: uint8[pieces]. Pieces stand at `spans`; 1 begins a word."""
    if not len(spans):
        return np.zeros(0, dtype=np.uint8)
    firsts = np.flatnonzero(starts_word)
    lasts = np.append(firsts[1:], len(spans)) - 1
    known = names.known(text, [spans[at][0] for at in firsts.tolist()], [spans[at][1] for at in lasts.tolist()])
    return np.repeat(known * np.uint8(CASES), lasts - firsts + 1)


def _pieces(text: str, offset: int, encoding: Any, names: KnownNames | None) -> Pieces:
    """The pieces of one chunk, which begins at `offset`."""
    spans: list[tuple[int, int]] = encoding.offsets
    places = np.array(spans, dtype=np.int32).reshape(-1, 2) + np.int32(offset)
    word_ids: list[int | None] = encoding.word_ids
    known = _of_ascii(text, spans, word_ids) if text.isascii() else None
    if known is None:
        starts_word = starts_of_words(text, spans, word_ids)
        case = np.array([case_of(text[start:end]) for start, end in spans], dtype=np.uint8)
    else:
        starts_word, case = known
    if names is not None:
        case = case + names_of(text, spans, starts_word, names)
    return Pieces(
        ids=np.array(encoding.ids, dtype=np.int32),
        starts=np.ascontiguousarray(places[:, 0]),
        ends=np.ascontiguousarray(places[:, 1]),
        case=case,
        words=np.cumsum(starts_word, dtype=np.int32) - np.int32(1),
        read_chars=offset + len(text),
    )


def _of_ascii(
    text: str, spans: list[tuple[int, int]], word_ids: list[int | None]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]] | None:
    """What `starts_of_words` and `case_of` say of the pieces of a text in ASCII, in a tenth of the time.

    None where the tokenizer dropped something inside a word, which only they understand.
    """
    characters = np.frombuffer(text.encode(), dtype=np.uint8)
    starts, ends = np.array(spans, dtype=np.int64).reshape(-1, 2).T
    words = np.array(word_ids, dtype=np.float64)
    same = words[1:] == words[:-1]
    if bool(np.any(same & (starts[1:] > ends[:-1]))):
        return None
    capital = (characters >= ord("A")) & (characters <= ord("Z"))
    small = (characters >= ord("a")) & (characters <= ord("z"))
    inner = np.append(capital | small | ((characters >= ord("0")) & (characters <= ord("9"))), False)
    goes_on = same & ((starts[1:] < ends[:-1]) | ((starts[1:] < ends[1:]) & inner[ends[:-1] - 1] & inner[starts[1:]]))
    capitals, smalls = (np.concatenate(([0], np.cumsum(each, dtype=np.int64))) for each in (capital, small))
    number = capitals[ends] - capitals[starts]
    letters = number + smalls[ends] - smalls[starts]
    # Where the first capital stands, and whether a small letter stands before it.
    place = np.append(np.flatnonzero(capital), len(characters))[capitals[starts]]
    leads = smalls[place] == smalls[starts]
    case = np.select(
        [letters == 0, number == 0, (number == letters) & (letters > 1), (number == 1) & leads],
        [Case.NONE, Case.LOWER, Case.UPPER, Case.TITLE],
        Case.MIXED,
    )
    return np.concatenate(([1], ~goes_on)).astype(np.int32)[: len(spans)], case.astype(np.uint8)


def _joined(parts: list[Pieces]) -> Pieces:
    """The pieces of consecutive chunks. A word ends with its chunk."""
    if len(parts) == 1:
        return parts[0]
    words: list[NDArray[np.int32]] = [_NONE]
    first = 0
    for part in parts:
        words.append(part.words + np.int32(first))
        first += int(part.words[-1]) + 1 if len(part) else 0
    return Pieces(
        ids=np.concatenate([_NONE, *(part.ids for part in parts)]),
        starts=np.concatenate([_NONE, *(part.starts for part in parts)]),
        ends=np.concatenate([_NONE, *(part.ends for part in parts)]),
        case=np.concatenate([_NONE.astype(np.uint8), *(part.case for part in parts)]),
        words=np.concatenate(words),
        read_chars=parts[-1].read_chars if parts else 0,
    )


def starts_of_words(text: str, spans: Sequence[tuple[int, int]], word_ids: Sequence[int | None]) -> NDArray[np.int32]:
    """1 for each piece that begins a word, else 0: int32[pieces]."""
    return np.fromiter(_starts_of_words(text, spans, word_ids), dtype=np.int32, count=len(spans))


def _starts_of_words(text: str, places: Sequence[tuple[int, int]], word_ids: Sequence[int | None]) -> Iterator[bool]:
    """Of each piece, whether a new word begins with it: one that touches the last of the same word goes on with it.

    Tokenizers that split at spaces alone put `Smith,` into one word, and a sentence of Chinese: the text decides as well.
    """
    previous: int | None = None
    end = -1
    for (start, stop), word in zip(places, word_ids, strict=True):
        yield not (
            word is not None and word == previous and (start < end or (start < stop and _inside_word(text, end, start)))
        )
        previous, end = word, stop


def _inside_word(text: str, end: int, start: int) -> bool:
    """Whether a word goes on from the character before `end` to the one at `start`. In between are what the tokenizer drops."""
    both = text[end - 1 : start + 1]
    return not any(_is_edge(each) for each in both) and _UNSPACED.search(both) is None


def _is_edge(character: str) -> bool:
    # The vowel signs of a script are no letters (isalnum), and stand within its words.
    return not (character.isalnum() or character in _DROPPED or unicodedata.category(character)[0] == "M")

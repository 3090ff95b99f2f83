"""Where labelled texts come from: the sets, templates filled with made-up values, and users' own files.

Of sets and templates only one split is measured, so that nothing a model was trained on is: `dev` on which thresholds are
chosen, or `test` on which nothing is.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Literal, TypeVar

from classifiers.evaluation.names import same_name, trimmed
from classifiers.evaluation.own_file import own_texts
from classifiers.evaluation.scores import Labelled, Mark
from classifiers.training.rows import TYPES, Row, split_of
from governance.errors import ConfigInvalid
from governance.frozen import frozen

Split = Literal["dev", "test"]
TEMPLATES = "templates"
# Of ten rows one is of a split; unlucky groups are made up for.
_ROWS_PER_TEXT = 40

T = TypeVar("T")


@frozen
class LabelledSet:
    """Texts of one source, by the name that reports have for it."""

    name: str
    texts: tuple[Labelled, ...]


def labelled(row: Row) -> Labelled:
    """`row` as it is scored: types in the names and with the edges that both sides of a comparison have."""
    marks = []
    for start, end, kind in row.spans:
        name = same_name(kind)
        left, right = trimmed(row.text, start, end, name)
        marks.append(Mark(start=left, end=right, kind=name))
    return Labelled(
        text=row.text,
        marks=tuple(marks),
        kinds=frozenset(same_name(kind) for kind in TYPES if kind not in row.unmarked),
        topics=dict(row.topics),
        group=row.group,
        source=row.source,
        language=row.language,
    )


def from_data(data: Path, names: Sequence[str], *, split: Split, limit: int | None, seed: int) -> Iterator[LabelledSet]:
    """The sets in the folder `data`, those of `names` or all that lie there, each when its turn comes.

    Raises ConfigInvalid where there is none, one holds nothing or cannot be read, or one of `names` is missing or has
    nothing in `split`.
    """
    from classifiers.training.sets import SETS  # noqa: PLC0415

    if unknown := [name for name in names if name not in SETS]:
        raise ConfigInvalid(f"no set `{unknown[0]}`; the sets are {', '.join(sorted(SETS))}")
    lying = {name: data / folder for name, (folder, _) in SETS.items() if (data / folder).is_dir()}
    if missing := [name for name in names if name not in lying]:
        raise ConfigInvalid(f"the folder of `{missing[0]}` is not there", file=str(data))
    if not lying:
        raise ConfigInvalid("holds no folder of a set", file=str(data))
    for name in names or sorted(lying):
        _, read = SETS[name]
        try:
            rows = iter(read(lying[name]))
            first = list(islice(rows, 1))
            own = (row for row in chain(first, rows) if split_of(row) == split)
            texts = [labelled(row) for row in sampled(own, limit, f"{seed}/{name}")]
        except OSError as error:
            raise ConfigInvalid(f"cannot be read: {(error.strerror or '').lower()}", file=str(lying[name])) from None
        except (ValueError, KeyError) as error:
            # The text of the error may quote content.
            raise ConfigInvalid(
                f"is not as its set should be ({type(error).__name__})", file=str(lying[name])
            ) from None
        if not first:
            raise ConfigInvalid(f"holds no text of `{name}`", file=str(lying[name]))
        if not texts and name in names:
            raise ConfigInvalid(f"`{name}` has no text in the {split} split", file=str(lying[name]))
        yield LabelledSet(name=name, texts=tuple(texts))


def from_templates(count: int, *, split: Split, seed: int) -> LabelledSet:
    """`count` texts made of templates of `split`, or as many as there are. Raises ConfigInvalid
    without Faker, and where a template is at fault.
    """
    try:
        from classifiers.training.generator import rows  # noqa: PLC0415 - Faker takes its time
    except ModuleNotFoundError as error:
        raise ConfigInvalid(f"templates are filled with values of `{error.name}`, which is not installed") from None
    made = (row for row in rows(seed, count * _ROWS_PER_TEXT) if split_of(row) == split)
    try:
        return LabelledSet(name=TEMPLATES, texts=tuple(labelled(row) for row in islice(made, count)))
    except ValueError as error:
        raise ConfigInvalid(f"a template is at fault: {error}") from None


def from_file(path: Path, *, limit: int | None, seed: int) -> LabelledSet:
    """A user's own file, whole: it has no splits. Raises ConfigInvalid with file and line."""
    texts = own_texts(path)
    return LabelledSet(name=texts[0].source, texts=tuple(sampled(texts, limit, f"{seed}/{path.name}")))


def sampled(values: Iterable[T], limit: int | None, seed: str) -> list[T]:
    """`limit` of `values`, each as likely as the other, in their order; all without a limit. The same for the same seed.

    Holds no more than it returns (Li, Reservoir-sampling algorithms, ACM TOMS 20, 1994, algorithm R).
    """
    if limit is None:
        return list(values)
    generator = random.Random(seed)  # noqa: S311 - no secret
    kept: list[tuple[int, T]] = []
    for at, value in enumerate(values):
        if at < limit:
            kept.append((at, value))
        elif (place := generator.randrange(at + 1)) < limit:
            kept[place] = (at, value)
    return [value for _, value in sorted(kept, key=lambda each: each[0])]

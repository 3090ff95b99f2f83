"""`python -m classifiers.training.sets --data DIR [SET ...]`: a table of what each set holds."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from classifiers.training.rows import TOPICS, TYPES, Row, split_of
from classifiers.training.sets import SETS, rows


def main(arguments: Sequence[str] | None = None) -> int:
    """0; each set's lines are printed once it is read."""
    parser = argparse.ArgumentParser(prog="python -m classifiers.training.sets", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with one folder per set")
    parser.add_argument("sets", nargs="*", metavar="SET", help="only these sets")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.sets) - SETS.keys()):
        parser.error(f"no such set: {', '.join(unknown)} (there are: {', '.join(SETS)})")
    for name in options.sets or SETS:
        for line in described(name, rows(name, options.data)):
            print(line)
    return 0


def described(name: str, found: Iterable[Row]) -> Iterator[str]:
    """The lines on one set: rows by split and language, spans and doubts by type, topics known true and false."""
    splits: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    spans: Counter[str] = Counter()
    doubts: Counter[str] = Counter()
    topics: Counter[tuple[str, bool]] = Counter()
    clean = 0
    for row in found:
        splits[split_of(row)] += 1
        languages[row.language] += 1
        spans.update(kind for _, _, kind in row.spans)
        doubts.update(row.unmarked)
        topics.update(row.topics.items())
        clean += not row.spans and not row.unmarked
    yield name
    parts = ", ".join(f"{split} {splits[split]}" for split in ("train", "dev", "test"))
    yield f"  rows       {splits.total()}: {parts}; clean {clean}"
    yield f"  languages  {', '.join(f'{language} {count}' for language, count in languages.most_common())}"
    yield f"  spans      {_counted(spans)}"
    yield f"  in doubt   {_counted(doubts)}"
    known = (f"{topic} +{topics[topic, True]} -{topics[topic, False]}" for topic in TOPICS)
    yield f"  topics     {', '.join(known)}"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{kind} {counts[kind]}" for kind in TYPES if counts[kind]) or "none"


if __name__ == "__main__":
    raise SystemExit(main())

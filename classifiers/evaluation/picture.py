"""The curves of an evaluation as a picture: for each type precision against recall, and reliability, all detectors in one.

Colour says nothing alone: every detector has its own sign and dash, and the description tells the figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from classifiers.evaluation.curves import Bin, Curve, Point
from classifiers.evaluation.run import Evaluation, Result
from classifiers.evaluation.scores import Counts, Tally
from governance.svg import INK, label, xml

MOST_TYPES: Final = 16
# Dark enough on white for people and printers (contrast above 4.5 to 1).
_COLOURS = ("#005a9c", "#b00020", "#8a5a00", "#00695c", "#5b2a86", "#3d3d3d")
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 3")
_GREY = "#595959"
_MARGIN, _CELL, _ROW, _PLOT = 24, 470, 250, 160
_COLUMNS = 2
_WIDTH = 2 * _MARGIN + _COLUMNS * _CELL
_LEGEND_ROW = 20


def svg(evaluation: Evaluation) -> str:
    """The picture (SVG 1.1), with title and description. At most MOST_TYPES types, the most frequent ones."""
    marked = _marked(evaluation)
    shown = marked[:MOST_TYPES]
    top = 66 + _LEGEND_ROW * len(evaluation.results) + 14
    height = top + _ROW * math.ceil(max(1, len(shown)) / _COLUMNS) + 44
    title = "Precision, recall and reliability by type"
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" '
            f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
            f'font-family="system-ui, sans-serif" font-size="13">'
        ),
        f'<title id="title">{title}</title>',
        f'<desc id="desc">{xml(_description(evaluation, shown))}</desc>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        label(_MARGIN, 32, title, size=18, weight="bold"),
        label(_MARGIN, 54, _texts(evaluation), size=13, colour=_GREY),
    ]
    for at, result in enumerate(evaluation.results):
        y = 80 + at * _LEGEND_ROW
        lines.append(_line([(_MARGIN, y - 4), (_MARGIN + 36, y - 4)], at))
        lines.append(_sign(_MARGIN + 18, y - 4, at))
        lines.append(label(_MARGIN + 46, y, f"{result.name}: {result.about}" if result.about else result.name))
    if not shown:
        lines.append(label(_MARGIN, top + 24, "No type is marked in these texts."))
    for at, (kind, count) in enumerate(shown):
        x, y = _MARGIN + (at % _COLUMNS) * _CELL, top + (at // _COLUMNS) * _ROW
        lines += _cell(x, y, kind, count, evaluation.results)
    more = len(marked) - len(shown)
    foot = "The sign on a curve is what was reported; the rest of it holds for other thresholds. Grey diagonal: the score is the share of right ones."
    if more:
        foot += f" {more} rarer types are in --json."
    lines += [label(_MARGIN, height - 16, foot, size=12, colour=_GREY), "</svg>", ""]
    return "\n".join(lines)


def _marked(evaluation: Evaluation) -> list[tuple[str, int]]:
    """Types with the number of their marks, the most frequent first: the same for every result."""
    counts = {
        kind: tally.marked
        for result in evaluation.results
        for kind, tally in result.whole.sums.tallies.items()
        if tally.marked
    }
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _texts(evaluation: Evaluation) -> str:
    texts = max((result.texts for result in evaluation.results), default=0)
    return f"{texts:,} texts; a finding is right when start, end and type are"


def _description(evaluation: Evaluation, shown: Sequence[tuple[str, int]]) -> str:
    said = [f"{_texts(evaluation)}."]
    for kind, count in shown:
        parts = []
        for result in evaluation.results:
            exactly = result.whole.sums.tallies.get(kind, Tally()).exactly
            error = result.curves[kind].calibration_error if kind in result.curves else 0.0
            parts.append(
                f"{result.name}: precision {exactly.precision:.2f}, recall {exactly.recall:.2f}, calibration error {error:.2f}"
                if exactly.found
                else f"{result.name}: nothing found"
            )
        said.append(f"{kind} ({count:,} marked): {'; '.join(parts)}.")
    return " ".join(said)


def _cell(x: int, y: int, kind: str, count: int, results: Sequence[Result]) -> Iterator[str]:
    yield (
        f'<text x="{x}" y="{y + 16}" fill="{INK}"><tspan font-weight="bold">{xml(kind)}</tspan>'
        f'<tspan dx="8" font-size="12" fill="{_GREY}">{count:,} marked</tspan></text>'
    )
    left, right, top = x + 44, x + 44 + _PLOT + 62, y + 30
    yield from _axes(left, top, "recall", "precision")
    yield from _axes(right, top, "score", "share right")
    yield f'<path d="M{right} {top + _PLOT}L{right + _PLOT} {top}" stroke="#bdbdbd" fill="none"/>'
    if not any(kind in result.curves and result.curves[kind].points for result in results):
        yield label(left + _PLOT / 2, top + _PLOT / 2, "nothing found", size=12, anchor="middle", colour=_GREY)
    for at, result in enumerate(results):
        curve = result.curves.get(kind, Curve(points=(), bins=()))
        exactly = result.whole.sums.tallies.get(kind, Tally()).exactly
        yield from _precision_recall(left, top, curve.points, exactly, at)
        yield from _reliability(right, top, curve.bins, at)


def _axes(x: float, y: float, across: str, up: str) -> Iterator[str]:
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at_x, at_y = _placed(x, y, share, share)
        yield f'<path d="M{at_x} {y}V{y + _PLOT}M{x} {at_y}H{x + _PLOT}" stroke="#ebebeb" fill="none"/>'
        if share in {0.0, 0.5, 1.0}:
            yield label(at_x, y + _PLOT + 14, f"{share:g}", size=11, anchor="middle", colour=_GREY)
            yield label(x - 6, at_y + 4, f"{share:g}", size=11, anchor="end", colour=_GREY)
    yield f'<path d="M{x} {y}V{y + _PLOT}H{x + _PLOT}" stroke="{_GREY}" fill="none"/>'
    yield label(x + _PLOT / 2, y + _PLOT + 29, across, size=12, anchor="middle", colour=INK)
    middle = (x - 26, y + _PLOT / 2)
    yield (
        f'<text transform="translate({middle[0]} {middle[1]}) rotate(-90)" font-size="12" text-anchor="middle" '
        f'fill="{INK}">{xml(up)}</text>'
    )


def _precision_recall(x: float, y: float, points: Sequence[Point], counts: Counts, at: int) -> Iterator[str]:
    """The curve, and a sign where `counts`, those of what was reported, stand on it."""
    places = [_placed(x, y, point.recall, point.precision) for point in points]
    if len(places) > 1:
        yield _line(places, at)
    if counts.found:
        yield _sign(*_placed(x, y, counts.recall, counts.precision), at, size=5)


def _reliability(x: float, y: float, bins: Sequence[Bin], at: int) -> Iterator[str]:
    """A sign for each bin, by its area the larger the more findings are in it."""
    if not bins:
        return
    places = [_placed(x, y, each.score, each.right) for each in bins]
    if len(places) > 1:
        yield _line(places, at)
    most = max(each.findings for each in bins)
    for place, each in zip(places, bins, strict=True):
        yield _sign(*place, at, size=2 + 3 * math.sqrt(each.findings / most))


def _placed(x: float, y: float, across: float, up: float) -> tuple[float, float]:
    return round(x + _PLOT * across, 1), round(y + _PLOT * (1 - up), 1)


def _line(places: Sequence[tuple[float, float]], at: int) -> str:
    path = "L".join(f"{x:g} {y:g}" for x, y in places)
    dash = _DASHES[at % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="M{path}" fill="none" stroke="{_COLOURS[at % len(_COLOURS)]}" stroke-width="1.6"{dashed}/>'


def _sign(x: float, y: float, at: int, size: float = 4.0) -> str:
    """Circle, square, triangle, diamond, cross, and a triangle on its head.

    Every other one is hollow, and each a little larger than the one before: where two stand on one spot, both are seen.
    """
    colour = _COLOURS[at % len(_COLOURS)]
    filled = "none" if at % 2 else colour
    r = round(size + at, 1)
    shapes = (
        f"M{x - r:g} {y:g}a{r} {r} 0 1 0 {2 * r:g} 0a{r} {r} 0 1 0 {-2 * r:g} 0z",
        f"M{x - r:g} {y - r:g}h{2 * r:g}v{2 * r:g}h{-2 * r:g}z",
        f"M{x:g} {y - r:g}L{x + r:g} {y + r:g}H{x - r:g}z",
        f"M{x:g} {y - r:g}L{x + r:g} {y:g}L{x:g} {y + r:g}L{x - r:g} {y:g}z",
        f"M{x - r:g} {y - r:g}l{2 * r:g} {2 * r:g}m0 {-2 * r:g}l{-2 * r:g} {2 * r:g}",
        f"M{x:g} {y + r:g}L{x + r:g} {y - r:g}H{x - r:g}z",
    )
    shape = shapes[at % len(shapes)]
    return f'<path d="{shape}" fill="{filled}" stroke="{colour}" stroke-width="1.4"/>'

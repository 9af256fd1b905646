"""The section of a report on necessary conditions: ceilings, and what outcomes ask for."""

from typing import TYPE_CHECKING

import numpy as np

from acmodels.effects.ceilings import LINES, Bottleneck, found
from acmodels.numbers import fixed, percent
from acmodels.posterior import Array, intervals
from acmodels.reporting import words as w
from acmodels.reporting.pieces import Figure, Table
from acmodels.reporting.svg import area_path, line_path, tag, view_box

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit

NAMES = {"ce_fdh": "Envelope (CE-FDH)", "cr_fdh": "Line (CR-FDH)"}
WIDTH, LEFT, RIGHT = 620.0, 60.0, 20.0
TOP, FLOOR, HEIGHT = 34.0, 306.0, 356.0
FINE = np.linspace(0, 100, 201)
"""Levels of the outcome at which the ceiling is drawn."""
COARSE = slice(None, None, 20)
"""Those that the table shows."""


def ceiling_figures(fit: "Fit") -> tuple[Figure, ...]:
    """Return, for each ceiling, its drawing with the table of bottlenecks."""
    return tuple(_figure(fit, b) for b in found(fit, FINE))


def _figure(fit: "Fit", b: Bottleneck) -> Figure:
    bands = {line: _band(fit, b.required[line]) for line in LINES}
    several = len(b.required[LINES[0]]) > 1
    interval = w.interval_words(fit.interval, fit.prob)
    said = (
        f"The highest level of {b.to} found at each level of {b.source}, in percent of the range "
        "of each: the envelope of the points as steps, and the line through its corners. The "
        "tinted corner is empty: such an outcome was seen nowhere with so little of the condition."
    )
    if several:
        said += f" Dashed curves are the {interval} over draws of what was not observed."
    return Figure(
        f"Ceiling of {b.to} over {b.source}",
        ceiling_chart(
            bands, f"Ceiling of {b.to} over {b.source}", (b.source, b.to), several=several
        ),
        said,
        _table(b, bands, interval if several else ""),
    )


def _band(fit: "Fit", draws: Array) -> tuple[Array, Array, Array]:
    low, high = intervals(draws[None], fit.interval, fit.prob)
    return draws.mean(axis=0), low, high


def _table(b: Bottleneck, bands: dict[str, tuple[Array, Array, Array]], interval: str) -> Table:
    rows: list[tuple[str, ...]] = []
    for k in range(len(b.levels))[COARSE]:
        cells = [f"{fixed(float(b.levels[k]), 0)} %"]
        for line in LINES:
            mean, low, high = (float(v[k]) for v in bands[line])
            cells.append(_cell(b, line, k, mean, (low, high) if interval else None))
        rows.append(tuple(cells))
    heads = (b.to, *(NAMES[line] for line in LINES))
    how = f", mean and {interval}" if interval else ""
    return Table(
        f"Level of {b.source} that each level of {b.to} asks for, in percent of the ranges{how}",
        heads, tuple(rows),
    )  # fmt: skip


def _cell(b: Bottleneck, line: str, k: int, mean: float, ends: tuple[float, float] | None) -> str:
    none, beyond = float(b.not_needed[line][k]), float(b.beyond[line][k])
    if none == 1:
        return "none needed"
    if beyond == 1:
        return "beyond the data"
    if ends is None:
        return f"{fixed(mean, 1)} %"
    text = f"{fixed(mean, 0)} [{fixed(ends[0], 0)}, {fixed(ends[1], 0)}]"
    return text + (f"; none needed: {percent(none)}" if none > 0 else "")


def ceiling_chart(
    bands: dict[str, tuple[Array, Array, Array]],
    label: str,
    names: tuple[str, str],
    *,
    several: bool,
) -> str:
    """Draw the ceiling: outcome upwards, condition to the right, both in percent of their ranges.

    Args:
        bands: by line, mean and ends of the condition required at the levels of `FINE`.
        label: for those who do not see it.
        names: of condition and outcome.
        several: whether the ends differ from the mean.
    """

    def across(v: float) -> float:
        return LEFT + v / 100 * (WIDTH - LEFT - RIGHT)

    def up(v: float) -> float:
        return FLOOR - v / 100 * (FLOOR - TOP)

    marks: list[str] = []
    for t in range(0, 101, 20):
        marks += [
            tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=up(t), y2=up(t), class_="gridline"),
            tag("text", text=f"{t} %", x=LEFT - 8, y=up(t) + 4, class_="tick", text_anchor="end"),
            tag("text", text=f"{t} %", x=across(t), y=FLOOR + 18, class_="tick",
                text_anchor="middle"),
        ]  # fmt: skip
    heights = [up(float(v)) for v in FINE]
    mean = [across(float(v)) for v in bands["ce_fdh"][0]]
    left = [across(0.0)] * len(mean)
    corner = area_path(heights, left, mean)
    marks.append(tag("path", d=_turned(corner), class_="area c0"))
    for k, line in enumerate(LINES):
        for place, v in enumerate(bands[line][: 3 if several else 1]):
            path = line_path(zip([across(float(x)) for x in v], heights, strict=True))
            dash = "none" if place == 0 else "3 4"
            marks.append(tag("path", d=path, class_=f"line c{k}", stroke_dasharray=dash))
    middle = (LEFT + WIDTH - RIGHT) / 2
    marks += [
        tag("text", text=names[0], x=middle, y=FLOOR + 40, class_="tick", text_anchor="middle"),
        tag("text", text=names[1], x=4, y=TOP - 18, class_="tick"),
    ]
    for k, line in enumerate(LINES):
        at = middle + 160 * k - 40
        marks += [
            tag("line", x1=at, x2=at + 22, y1=TOP - 22, y2=TOP - 22, class_=f"line c{k}"),
            tag("text", text=NAMES[line], x=at + 28, y=TOP - 18, class_="tick"),
        ]
    return tag(
        "svg", *marks, viewBox=view_box(WIDTH, HEIGHT), role="img", aria_label=label,
        class_="run wide",
    )  # fmt: skip


def _turned(path: str) -> str:
    """Swap the coordinates of a path, since the area lies beside an upright axis."""
    points = path.removeprefix("M").removesuffix("Z").split("L")
    swapped = [",".join(reversed(p.split(","))) for p in points]
    return "M" + "L".join(swapped) + "Z"

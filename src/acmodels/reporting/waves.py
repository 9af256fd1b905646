"""The figures of a panel: its loop with its lags, and what a change leads to wave by wave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.numbers import fixed
from acmodels.reporting import words as w
from acmodels.reporting.pieces import Figure
from acmodels.reporting.svg import (
    area_path,
    line_path,
    shortened,
    tag,
    tick_labels,
    ticks,
    view_box,
)
from acmodels.system.terms import slopes

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit

HORIZON = "horizon="
"""How rows of estimands over waves say where they are."""
WIDTH, LEFT, RIGHT = 620.0, 60.0, 20.0
TOP, FLOOR, HEIGHT = 18.0, 226.0, 270.0
BOX = (166.0, 42.0)
"""Width and height of a variable of the loop."""
MOST = 6
"""Variables of a loop that is drawn."""


@dataclass(frozen=True)
class Lag:
    """An arrow of the loop: how a variable moves another so many waves later."""

    source: str
    to: str
    waves: int
    parameter: str


def wave_figures(fit: "Fit", rows: Sequence[Mapping[str, Any]]) -> tuple[Figure, ...]:
    """Return the loop of a panel, and the responses to each change over several waves.

    Args:
        fit: from `fit`.
        rows: of its estimands, those that are not withheld.
    """
    found: list[Figure] = []
    loop = lags(fit)
    if loop:
        found.append(_loop(fit, loop))
    over = [r for r in rows if str(r["at"]).startswith(HORIZON)]
    for name, mine in groupby(over, lambda r: str(r["name"])):
        each = list(mine)
        if len(each) > 1:
            found.append(_response(fit, name, each))
    return tuple(found)


def lags(fit: "Fit") -> tuple[Lag, ...]:
    """List the lags of responses on each other, where a variable enters by itself."""
    layout = fit.system.layout
    out: list[Lag] = []
    for e in layout.outcomes:
        for t in slopes(layout, e.response):
            alone = t.factors[0].source if len(t.factors) == 1 else None
            if alone is not None and alone.lag > 0 and alone.endogenous:
                out.append(Lag(alone.variable, e.response, alone.lag, t.parameter))
    names = {x for k in out for x in (k.source, k.to)}
    return tuple(out) if 1 < len(names) <= MOST else ()


# --- the loop --------------------------------------------------------------------------


def _loop(fit: "Fit", loop: Sequence[Lag]) -> Figure:
    table: Any = fit.estimates.set_index("name")
    said: dict[str, tuple[float, float, float]] = {}
    for k in loop:
        r = table.loc[k.parameter]
        said[k.parameter] = float(r["mean"]), float(r["lower"]), float(r["upper"])
    interval = w.interval_words(fit.interval, fit.prob)
    caption = (
        "Arrows lead from a variable to what it moves one wave later, or as many as they say: "
        f"coefficients, posterior mean and {interval}. Dashed arrows have intervals that cover 0. "
        "Each variable says how far it carries over itself."
    )
    title = "The loop over waves"
    return Figure(title, loop_chart(loop, said, title), caption)


def loop_chart(
    loop: Sequence[Lag], said: Mapping[str, tuple[float, float, float]], label: str
) -> str:
    """Draw variables in a circle, with an arrow for each lag.

    Args:
        loop: the arrows.
        said: by parameter, its mean and the ends of its interval.
        label: for those who do not see it.
    """
    names = list(dict.fromkeys(x for k in loop for x in (k.to, k.source)))
    places = _circle(len(names))
    at = dict(zip(names, places, strict=True))
    height = max(y for _, y in places) + 84
    marks = [_head()]
    for k in loop:
        if k.source != k.to:
            marks += _arrow(at[k.source], at[k.to], said[k.parameter], k.waves)
    for n, (x, y) in at.items():
        own = [k for k in loop if k.source == k.to == n]
        size = BOX[1] + 15 * max(len(own) - 1, 0)
        marks += [
            tag("rect", x=x - BOX[0] / 2, y=y - BOX[1] / 2, width=BOX[0], height=size, rx=5,
                class_="node"),
            tag("text", text=shortened(n, 22), x=x, y=y - 4 if own else y + 4, class_="name",
                text_anchor="middle"),
            *(tag("text", text=f"itself {_words(said[k.parameter], k.waves)}", x=x,
                  y=y + 13 + 15 * i, class_="tick", text_anchor="middle")
              for i, k in enumerate(own)),
        ]  # fmt: skip
    return tag(
        "svg", *marks, viewBox=view_box(WIDTH, height), role="img", aria_label=label,
        class_="run wide",
    )  # fmt: skip


def _circle(count: int) -> list[tuple[float, float]]:
    """Places of variables: two beside each other, more on an ellipse."""
    if count == 2:
        return [(WIDTH - 110, 92.0), (110.0, 92.0)]
    turn = 2 * np.pi * np.arange(count) / count - np.pi / 2
    x, y = WIDTH / 2 + 205 * np.cos(turn), 200 + 150 * np.sin(turn)
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def _head() -> str:
    """The tip of arrows."""
    tip = tag("path", d="M0,0L8,3L0,6Z", class_="tip")
    return tag(
        "defs",
        tag("marker", tip, id="lag-tip", markerWidth=9, markerHeight=7, refX=8, refY=3,
            orient="auto"),
    )  # fmt: skip


def _arrow(
    start: tuple[float, float], end: tuple[float, float], v: tuple[float, float, float], waves: int
) -> list[str]:
    """A bent arrow between two boxes with its numbers, bent to its own left."""
    a, b = np.array(start), np.array(end)
    way = (b - a) / np.linalg.norm(b - a)
    left = np.array([way[1], -way[0]])
    begin, stop = a + _edge(way + 0.35 * left), b + _edge(-way + 0.35 * left)
    bend = (begin + stop) / 2 + 42 * left
    ends = [",".join(str(round(float(c), 1)) for c in p) for p in (begin, bend, stop)]
    path = f"M{ends[0]}Q{ends[1]} {ends[2]}"
    clear = v[1] > 0 or v[2] < 0
    middle = (begin + stop) / 4 + bend / 2
    return [
        tag("path", d=path, class_="line c0", fill="none", marker_end="url(#lag-tip)",
            stroke_dasharray="none" if clear else "4 4"),
        tag("text", text=_words(v, waves), x=float(middle[0]),
            y=float(middle[1] + 10 * left[1] + 4), class_="tick halo", text_anchor="middle"),
    ]  # fmt: skip


def _edge(way: Any) -> Any:
    """Where a line from the middle of a box, that way, leaves it."""
    way = way / np.linalg.norm(way)
    half = np.array(BOX) / 2 + 4
    with np.errstate(divide="ignore"):
        return way * float(np.min(half / np.abs(way)))


def _words(v: tuple[float, float, float], waves: int) -> str:
    later = "" if waves == 1 else f" ({waves} waves)"
    return f"{fixed(v[0], 2)} [{fixed(v[1], 2)}, {fixed(v[2], 2)}]{later}"


# --- responses to a change -------------------------------------------------------------


def _response(fit: "Fit", name: str, rows: Sequence[Mapping[str, Any]]) -> Figure:
    found = sorted(rows, key=lambda r: int(str(r["at"]).removeprefix(HORIZON)))
    at = [int(str(r["at"]).removeprefix(HORIZON)) for r in found]
    mean, low, high = ([float(r[c]) for r in found] for c in ("mean", "lower", "upper"))
    interval = w.interval_words(fit.interval, fit.prob)
    title = f"{name}, wave by wave"
    caption = (
        f"What a change by one unit in one wave leads to so many waves later, by every path: "
        f"posterior mean and {interval}."
    )
    return Figure(title, response_chart(at, (mean, low, high), title), caption)


def response_chart(
    at: Sequence[int], band: tuple[Sequence[float], Sequence[float], Sequence[float]], label: str
) -> str:
    """Draw effects over waves with their band.

    Args:
        at: waves after the change.
        band: mean, lower and upper ends.
        label: for those who do not see it.
    """
    mean, low, high = band
    marked = ticks(min(0.0, *low), max(0.0, *high), 5)
    first, last = min(at), max(at)

    def across(h: float) -> float:
        return LEFT + (h - first) / max(last - first, 1) * (WIDTH - LEFT - RIGHT)

    def up(v: float) -> float:
        return FLOOR - (v - marked[0]) / (marked[-1] - marked[0]) * (FLOOR - TOP)

    marks = [
        piece
        for t, said in zip(marked, tick_labels(marked), strict=True)
        for piece in (
            tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=up(t), y2=up(t),
                class_="zero" if t == 0 else "gridline"),
            tag("text", text=said, x=LEFT - 8, y=up(t) + 4, class_="tick", text_anchor="end"),
        )
    ]  # fmt: skip
    places = [across(h) for h in at]
    marks += [
        tag("path", d=area_path(places, [up(v) for v in low], [up(v) for v in high]),
            class_="area c0"),
        tag("path", d=line_path(zip(places, map(up, mean), strict=True)), class_="line c0"),
        *(tag("circle", cx=x, cy=up(v), r=3.5, class_="point c0")
          for x, v in zip(places, mean, strict=True)),
        *(tag("text", text=str(h), x=x, y=FLOOR + 18, class_="tick", text_anchor="middle")
          for x, h in zip(places, at, strict=True)),
        tag("text", text="waves after the change", x=(LEFT + WIDTH - RIGHT) / 2, y=FLOOR + 38,
            class_="tick", text_anchor="middle"),
    ]  # fmt: skip
    return tag(
        "svg", *marks, viewBox=view_box(WIDTH, HEIGHT), role="img", aria_label=label,
        class_="run wide",
    )  # fmt: skip

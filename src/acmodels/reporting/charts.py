"""Charts as inline SVG that take their colors from the page and keep their text's size.

Positions along a chart are shares of its width, so that it fits a phone and a printed page
alike while labels stay as large as the text; curves are stretched in a frame of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acmodels.inference.rules import Status
from acmodels.numbers import percent as percent_text
from acmodels.posterior import Array
from acmodels.reporting.checks import Bar, Bin, Density
from acmodels.reporting.svg import (
    TEXT_WIDTH,
    area_path,
    line_path,
    percent,
    shortened,
    tag,
    tick_labels,
    ticks,
    view_box,
)
from acmodels.reporting.variance import Shares
from acmodels.spec.proposition import Region, inside

type Interval = tuple[float, float, float]
"""Lower end, middle, upper end."""

EDGE = 0.03
"""Share of the width left free at both ends, for the outer tick labels."""


class Axis:
    """A horizontal axis: numbers to shares of the width.

    Attributes:
        ticks, labels: where it is marked, and with what.
    """

    def __init__(self, low: float, high: float, most: int = 6) -> None:
        self.ticks = ticks(low, high, most)
        self.labels = tick_labels(self.ticks)
        self._low, self._span = self.ticks[0], self.ticks[-1] - self.ticks[0]

    def __call__(self, x: float) -> float:
        """The share of the width at which a number lies, kept on the axis."""
        share = min(1.0, max(0.0, (x - self._low) / self._span))
        return EDGE + (1 - 2 * EDGE) * share

    def marks(self, y: float) -> list[str]:
        """Tick labels with their baseline at y."""
        return [
            tag("text", text=label, x=percent(self(t)), y=y, class_="tick", text_anchor="middle")
            for t, label in zip(self.ticks, self.labels, strict=True)
        ]

    def grid(self, top: float, bottom: float, zero: str = "zero") -> list[str]:
        """Hair lines at the ticks, the one at zero of a class of its own."""
        return [
            tag("line", x1=percent(self(t)), x2=percent(self(t)), y1=top, y2=bottom,
                class_=zero if t == 0 else "grid")
            for t in self.ticks
        ]  # fmt: skip


def axis_over(intervals: Sequence[Interval], *, zero: bool = True, most: int = 5) -> Axis:
    """An axis that holds some intervals, and zero where asked."""
    ends = [v for i in intervals for v in i if np.isfinite(v)] or [0.0, 1.0]
    if zero:
        ends.append(0.0)
    return Axis(min(ends), max(ends), most)


def drawing(*children: str, height: float, label: str, class_: str = "chart") -> str:
    """A chart as wide as its place, with a label for those who do not see it."""
    return tag(
        "svg", *children, class_=class_, width="100%", height=height, role="img", aria_label=label
    )


def forest_axis(axis: Axis) -> str:
    """The head of a forest plot: its tick labels."""
    return tag("svg", *axis.marks(12), class_="chart", width="100%", height=18, aria_hidden="true")


def forest_row(axis: Axis, interval: Interval, label: str) -> str:
    """One row of a forest plot."""
    low, middle, high = interval
    clear = low > 0 or high < 0
    shape = "clear" if clear else "unclear"
    marks = [
        *axis.grid(0, 26),
        tag("line", x1=percent(axis(low)), x2=percent(axis(high)), y1=13, y2=13,
            class_=f"whisker {shape}"),
        tag("circle", cx=percent(axis(middle)), cy=13, r=4.5, class_=f"dot {shape}"),
    ]  # fmt: skip
    return drawing(*marks, height=26, label=label, class_="chart forest")


def status_icon(status: Status) -> str:
    """A mark whose shape alone tells the verdicts apart."""
    shapes = {
        "supported": '<circle cx="8" cy="8" r="7.2"/>'
        '<path class="mark" d="M4.6 8.3l2.4 2.4 4.4-5"/>',
        "contradicted": '<path d="M8 .4 15.6 8 8 15.6.4 8z"/>'
        '<path class="mark" d="M5.7 5.7l4.6 4.6m0-4.6L5.7 10.3"/>',
        "undecided": '<circle class="open" cx="8" cy="8" r="6.4"/>'
        '<path class="open" d="M4.8 8h6.4"/>',
        "unusable": '<path d="M8 .8 15.6 15H.4z"/><path class="mark" d="M8 5.6v4.6M8 12v1.2"/>',
        "not_testable": '<rect class="open" x="1.6" y="1.6" width="12.8" height="12.8" '
        'stroke-dasharray="2.6 2"/>',
    }
    return f'<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">{shapes[status]}</svg>'


def posterior_curve(
    draws: Array, region: Region, rope: tuple[float, float] | None, interval: Interval, label: str,
) -> str:  # fmt: skip
    """The posterior of a quantity: mass in the region filled, the rest pale, the rope hatched."""
    values = draws.ravel()
    low, high = np.quantile(values, [0.001, 0.999])
    ends = (region.lower, region.upper)
    known = [v for v in (*ends, *(rope or ()), low, high) if np.isfinite(v)]
    axis = Axis(min(known), max(known), 5)
    x, density = smooth(values, axis.ticks[0], axis.ticks[-1])
    across = [1000 * axis(v) for v in x]
    up = [float(96 - 92 * v) for v in density / density.max()]
    floor = [96.0] * len(up)
    curves = [tag("path", d=area_path(across, floor, up), class_="outside")]
    for part in _runs(inside(region, x)):
        path = area_path(across[part], floor[part], up[part])
        curves.append(tag("path", d=path, class_="inside"))
    curves.append(tag("path", d=line_path(zip(across, up, strict=True)), class_="outline"))
    marks = [*axis.grid(4, 96)]
    if rope is not None:
        a, b = axis(rope[0]), axis(rope[1])
        marks.append(tag("rect", x=percent(a), y=4, width=percent(b - a), height=92, class_="rope"))
    frame = tag(
        "svg", *curves, width="100%", height=100, viewBox="0 0 1000 100", preserveAspectRatio="none"
    )
    ends = [
        tag("line", x1=percent(axis(interval[0])), x2=percent(axis(interval[2])), y1=102, y2=102,
            class_="whisker"),
        tag("circle", cx=percent(axis(interval[1])), cy=102, r=4, class_="dot"),
    ]  # fmt: skip
    return drawing(*marks, frame, *ends, *axis.marks(123), height=128, label=label)


def _runs(yes: NDArray[np.bool_]) -> list[slice]:
    """Stretches of a grid on which something holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], yes, [False]]).astype(int)))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def smooth(values: Array, low: float, high: float, cells: int = 160) -> tuple[Array, Array]:
    """A kernel density on a grid from `low` to `high`."""
    width = 1.06 * float(values.std()) * len(values) ** -0.2 or 1e-9
    edges = np.linspace(low, high, cells + 1)
    step = edges[1] - edges[0]
    reach = min(cells // 2 - 1, max(1, int(np.ceil(4 * width / step))))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / max(width, step / 2)) ** 2)
    counts = np.histogram(values, edges)[0].astype(np.float64)
    smooth = np.convolve(counts, kernel / kernel.sum(), mode="same")
    return (edges[1:] + edges[:-1]) / 2, np.maximum(smooth, 1e-12)


def share_bar(shares: Shares, places: dict[str, int]) -> str:
    """One stacked bar: where an equation's unexplained variance lies.

    Args:
        shares: of the equation.
        places: the pattern of each source, the same on the whole page.
    """
    marks: list[str] = []
    start = 0.0
    for share in shares.rows:
        kind = "residual" if share.source == "residual" else f"g{places[share.source] % 5}"
        marks.append(
            tag("rect", tag("title", text=f"{share.source}: {percent_text(share.mean)}"),
                x=percent(start), y=0, width=percent(share.mean), height=26, class_=f"part {kind}")
        )  # fmt: skip
        if share.mean > 0.07:
            middle = percent(start + share.mean / 2)
            marks.append(
                tag("text", text=percent_text(share.mean), x=middle, y=17.5,
                    text_anchor="middle", class_=f"on {kind}")
            )  # fmt: skip
        start += share.mean
    said = ", ".join(f"{s.source} {percent_text(s.mean)}" for s in shares.rows)
    return drawing(*marks, height=26, label=f"Shares of variance of {shares.response}: {said}")


def density_chart(density: Density, label: str) -> str:
    """Observed density over the band of replicated densities."""
    axis = Axis(float(density.x[0]), float(density.x[-1]), 6)
    top = 1.05 * max(float(density.high.max()), float(density.observed.max()))
    across = [1000 * axis(float(v)) for v in density.x]

    def up(curve: Array) -> list[float]:
        return [float(v) for v in 200 * (1 - curve / top)]

    frame = tag(
        "svg",
        tag("path", d=area_path(across, up(density.low), up(density.high)), class_="band"),
        tag("path", d=line_path(zip(across, up(density.middle), strict=True)), class_="middle"),
        tag("path", d=line_path(zip(across, up(density.observed), strict=True)), class_="observed"),
        width="100%", height=200, viewBox="0 0 1000 200", preserveAspectRatio="none",
    )  # fmt: skip
    base = tag("line", x1="0%", x2="100%", y1=200, y2=200, class_="base")
    return drawing(
        *axis.grid(0, 200, "grid"), frame, base, *axis.marks(217), height=222, label=label
    )


def bar_chart(bars: Sequence[Bar], label: str) -> str:
    """Observed shares as bars, with the replicates' intervals as whiskers."""
    axis = Axis(0.0, max(max(b.high, b.observed) for b in bars), 5)
    left, height = 0.06, 200.0
    width = (1 - left) / len(bars)

    def y(p: float) -> float:
        return height * (1 - axis(p))

    marks: list[str] = []
    for t, name in zip(axis.ticks, axis.labels, strict=True):
        marks += [
            tag("line", x1=percent(left), x2="100%", y1=y(t), y2=y(t), class_="grid"),
            tag("text", text=name, x="0", y=y(t) + 4, class_="tick"),
        ]
    for k, b in enumerate(bars):
        at = percent(left + (k + 0.5) * width)
        shape = "" if b.low <= b.observed <= b.high else " out"
        marks += [
            tag("rect", x=percent(left + (k + 0.2) * width), width=percent(0.6 * width),
                y=y(b.observed), height=height - y(b.observed), class_=f"bar{shape}"),
            tag("line", x1=at, x2=at, y1=y(b.low), y2=y(b.high), class_="whisker band-line"),
            tag("circle", cx=at, cy=y(b.middle), r=3, class_="middle-dot"),
            tag("text", text=b.label, x=at, y=height + 16, class_="tick", text_anchor="middle"),
        ]  # fmt: skip
    return drawing(*marks, height=height + 22, label=label)


def calibration_chart(bins: Sequence[Bin], label: str) -> str:
    """Observed against predicted proportions, bin by bin."""
    most = max(max(b.high, b.observed, b.predicted) for b in bins)
    axis = Axis(0.0, 1.0 if most > 0.5 else most, 6)
    left, height = 0.06, 220.0

    def x(p: float) -> str:
        return percent(left + (1 - left) * axis(p))

    def y(p: float) -> float:
        return height * (1 - axis(p))

    marks: list[str] = []
    for t, name in zip(axis.ticks, axis.labels, strict=True):
        marks += [
            tag("line", x1=x(axis.ticks[0]), x2=x(axis.ticks[-1]), y1=y(t), y2=y(t), class_="grid"),
            tag("text", text=name, x="0", y=y(t) + 4, class_="tick"),
            tag("text", text=name, x=x(t), y=height + 12, class_="tick", text_anchor="middle"),
        ]
    marks.append(
        tag("line", x1=x(axis.ticks[0]), y1=y(axis.ticks[0]), x2=x(axis.ticks[-1]),
            y2=y(axis.ticks[-1]), class_="diagonal")
    )  # fmt: skip
    for b in bins:
        at = x(b.predicted)
        shape = "" if b.low <= b.observed <= b.high else " out"
        marks += [
            tag("line", x1=at, x2=at, y1=y(b.low), y2=y(b.high), class_="whisker band-line"),
            tag("circle", cx=at, cy=y(b.observed), r=4.5, class_=f"dot{shape}"),
        ]
    return drawing(*marks, height=height + 16, label=label)


@dataclass(frozen=True)
class Band:
    """A curve with its interval; `x` are numbers, or a factor's levels."""

    label: str
    x: Sequence[float] | Sequence[str]
    mean: Sequence[float]
    lower: Sequence[float]
    upper: Sequence[float]


_PLOT_STYLE = """
svg { background: #fcfbf8; }
text { font-family: system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: #1c1e22; }
.tick { font-size: 12px; fill: #5c6068; } .axis { font-size: 13.5px; }
.title { font-size: 16px; font-weight: 600; } .note { font-size: 12px; fill: #5c6068; }
.grid { stroke: #e4e1d9; } .curve { fill: none; stroke-width: 2.2; }
.band { opacity: .2; stroke: none; } .whisker { stroke-width: 2.2; }
"""

_COLOURS = ("#1c5d99", "#b3600f", "#437a43", "#8d5a97", "#7a6a53")
"""Written out beside each class: not every program knows CSS variables."""

_DASHES = ("none", "7 4", "2 4", "10 3 2 3", "4 2")


_PREDICTION = (760.0, 470.0, 74.0, 24.0, 84.0, 398.0)
"""Width, height, left and right margin, top and floor of a chart of predictions."""


def _colour_rules() -> str:
    return "".join(
        f".curve.c{k}, .whisker.c{k} {{ stroke: {c}; }} .band.c{k}, .dot.c{k} {{ fill: {c}; }}\n"
        for k, c in enumerate(_COLOURS)
    )


def _below(names: Sequence[tuple[float, str]], span: float, floor: float) -> list[str]:
    """Write what stands below an axis, each by its place."""
    most = int(span / len(names) / (12 * TEXT_WIDTH))
    return [
        tag(
            "text", text=shortened(n, most), x=at, y=floor + 20, class_="tick", text_anchor="middle"
        )
        for at, n in names
    ]


def _dots(b: Band, places: Sequence[float], y: "_Frame", kind: str) -> list[str]:
    """Draw dots with whiskers at the levels of a factor."""
    marks: list[str] = []
    for at, middle, low, high in zip(places, b.mean, b.lower, b.upper, strict=True):
        marks += [
            tag("line", x1=at, x2=at, y1=y(low), y2=y(high), class_=f"whisker {kind}"),
            tag("circle", cx=at, cy=y(middle), r=4.5, class_=f"dot {kind}"),
        ]
    return marks


def _curve(b: Band, places: Sequence[float], y: "_Frame", kind: str, dash: str) -> list[str]:
    """Draw a curve over its band."""
    low, high = [y(v) for v in b.lower], [y(v) for v in b.upper]
    path = line_path(zip(places, [y(v) for v in b.mean], strict=True))
    return [
        tag("path", d=area_path(places, low, high), class_=f"band {kind}"),
        tag("path", d=path, class_=f"curve {kind}", stroke_dasharray=dash),
    ]


def prediction_chart(bands: Sequence[Band], title: str, x_name: str, interval: str) -> str:
    """Curves with bands, or dots with whiskers for a factor, as a whole SVG file.

    Args:
        bands: at most one a value of the second predictor.
        title: what is drawn.
        x_name: of the first predictor.
        interval: what kind of interval the bands are.
    """
    width, height, left, right, top, floor = _PREDICTION
    named = [isinstance(v, str) for v in bands[0].x]
    levels = [str(v) for v in bands[0].x] if any(named) else []
    x = _Frame(
        [0.0, 1.0] if levels else [float(v) for b in bands for v in b.x], left, width - right
    )
    y = _Frame([v for b in bands for v in (*b.lower, *b.upper)], floor, top)
    marks = [
        tag("title", text=title),
        tag("style", text=_PLOT_STYLE + _colour_rules()),
        tag("text", text=shortened(title, 80), x=left, y=30, class_="title"),
    ]
    for t, label in zip(y.ticks, y.labels, strict=True):
        marks += [
            tag("line", x1=left, x2=width - right, y1=y(t), y2=y(t), class_="grid"),
            tag("text", text=label, x=left - 8, y=y(t) + 4, class_="tick", text_anchor="end"),
        ]
    span = width - left - right
    places = [left + (k + 0.5) * span / len(levels) for k in range(len(levels))]
    ticks_ = zip(map(x, x.ticks), x.labels, strict=True)
    marks += _below(list(zip(places, levels, strict=True)) or list(ticks_), span, floor)
    across = left
    for k, b in enumerate(bands):
        kind, dash = f"c{k % 5}", _DASHES[(k // 5 + k) % 5]
        if levels:
            aside = 14 * (k - (len(bands) - 1) / 2)
            marks += _dots(b, [at + aside for at in places], y, kind)
        else:
            marks += _curve(b, [x(float(v)) for v in b.x], y, kind, dash)
        if b.label:
            said = shortened(b.label, 34)
            marks += [
                tag("line", x1=across, x2=across + 26, y1=56, y2=56, class_=f"curve {kind}",
                    stroke_dasharray="none" if levels else dash),
                tag("text", text=said, x=across + 32, y=60, class_="tick"),
            ]  # fmt: skip
            across += 52 + 12 * TEXT_WIDTH * len(said)
    marks += [
        tag("text", text=shortened(x_name, 70), x=(left + width - right) / 2, y=floor + 44,
            class_="axis", text_anchor="middle"),
        tag("text", text=f"Posterior mean, {interval}; other predictors held, new groups.",
            x=left, y=height - 8, class_="note"),
    ]  # fmt: skip
    return tag(
        "svg", *marks, xmlns="http://www.w3.org/2000/svg", viewBox=view_box(width, height),
        width=width, height=height, role="img", aria_label=title,
    )  # fmt: skip


class _Frame:
    """Numbers to positions between two ends of a drawing."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        known = [v for v in values if np.isfinite(v)] or [0.0, 1.0]
        self.ticks = ticks(min(known), max(known), 6)
        self.labels = tick_labels(self.ticks)
        self._start, self._share = start, (end - start) / (self.ticks[-1] - self.ticks[0])

    def __call__(self, v: float) -> float:
        return self._start + (v - self.ticks[0]) * self._share

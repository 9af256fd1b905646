"""Drawings of runs: power curves, coverage, and differences of cumulative distributions."""

from collections.abc import Sequence

import numpy as np

from acmodels.numbers import decimal, stated
from acmodels.reporting.charts import Band
from acmodels.reporting.svg import TEXT_WIDTH, area_path, line_path, shortened, tag, ticks, view_box
from acmodels.reporting.svg import tick_labels as labels_of
from acmodels.system.arrays import Array

WIDTH, LEFT, RIGHT = 760.0, 64.0, 20.0


def _across(values: Sequence[float], low: float, high: float) -> list[float]:
    return [LEFT + (v - low) / (high - low or 1.0) * (WIDTH - LEFT - RIGHT) for v in values]


def power_chart(bands: Sequence[Band], x_name: str, target: float, label: str) -> str:
    """Power over one key of the grid, a curve with its band for each value of the others."""
    top, floor, height = 54.0 + 20 * ((len(bands) - 1) // 2), 330.0, 380.0
    xs = sorted({float(v) for b in bands for v in b.x})
    low, high = xs[0], xs[-1]

    def up(v: float) -> float:
        return floor - v * (floor - top)

    marks: list[str] = []
    for t in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        marks += [
            tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=up(t), y2=up(t), class_="gridline"),
            tag(
                "text",
                text=stated(t),
                x=LEFT - 8,
                y=up(t) + 4,
                class_="tick",
                text_anchor="end",
            ),
        ]
    marks.append(
        tag("text", text="Power", x=LEFT - 8, y=top - 14, class_="tick", text_anchor="end")
    )
    marks.append(
        tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=up(target), y2=up(target), class_="target")
    )
    for v, at in zip(xs, _across(xs, low, high), strict=True):
        marks.append(
            tag("text", text=stated(v), x=at, y=floor + 20, class_="tick", text_anchor="middle")
        )
    marks.append(
        tag("text", text=shortened(x_name, 60), x=(LEFT + WIDTH - RIGHT) / 2, y=floor + 42,
            class_="tick", text_anchor="middle")
    )  # fmt: skip
    for k, b in enumerate(bands):
        kind = f"c{k % 5}"
        at = _across([float(v) for v in b.x], low, high)
        if len(at) > 1:
            marks += [
                tag("path", d=area_path(at, [up(v) for v in b.lower], [up(v) for v in b.upper]),
                    class_=f"area {kind}"),
                tag("path", d=line_path(zip(at, [up(v) for v in b.mean], strict=True)),
                    class_=f"line {kind}"),
            ]  # fmt: skip
        for x, y, bottom, over in zip(at, b.mean, b.lower, b.upper, strict=True):
            marks += [
                tag("line", x1=x, x2=x, y1=up(bottom), y2=up(over), class_=f"line {kind}"),
                tag("circle", cx=x, cy=up(y), r=4, class_=f"point {kind}"),
            ]
        if b.label:
            across, down = LEFT + 338 * (k % 2), 22 + 20 * (k // 2)
            marks += [
                tag("line", x1=across, x2=across + 22, y1=down - 4, y2=down - 4,
                    class_=f"line {kind}"),
                tag("text", text=shortened(b.label, int(306 / (12 * TEXT_WIDTH))), x=across + 28,
                    y=down, class_="tick"),
            ]  # fmt: skip
    return _svg(marks, height, label)


def coverage_chart(
    names: Sequence[str], share: Array, error: Array, prob: float, label: str
) -> str:
    """Coverage of each quantity, plus and minus two standard errors, about what was promised."""
    row, top = 19.0, 30.0
    height = top + row * len(names) + 36
    known = np.concatenate([share - 2 * error, share + 2 * error, [prob]])
    marks_at = ticks(float(np.nanmin(known)), min(1.0, float(np.nanmax(known))), 6)
    low, high = marks_at[0], marks_at[-1]
    left = 290.0

    def across(v: float) -> float:
        return left + (v - low) / (high - low) * (WIDTH - left - RIGHT)

    floor = top + row * len(names)
    marks = [tag("line", x1=across(prob), x2=across(prob), y1=top - 8, y2=floor, class_="target")]
    for t, said in zip(marks_at, labels_of(marks_at), strict=True):
        marks.append(
            tag("text", text=said, x=across(t), y=floor + 20, class_="tick", text_anchor="middle")
        )
    for k, name in enumerate(names):
        y = top + row * (k + 0.5)
        off = abs(share[k] - prob) > 3 * error[k]
        kind = "c1" if off else "c0"
        marks += [
            tag("text", text=shortened(name, 40), x=left - 12, y=y + 4, class_="tick",
                text_anchor="end"),
            tag("line", x1=across(max(low, share[k] - 2 * error[k])),
                x2=across(min(high, share[k] + 2 * error[k])), y1=y, y2=y, class_=f"line {kind}"),
            tag("circle", cx=across(share[k]), cy=y, r=3.6, class_=f"point {kind}"),
        ]  # fmt: skip
    return _svg(marks, height, label)


def ecdf_chart(ranks: Array, name: str, label: str) -> str:
    """Say how far the cumulative distribution of ranks is above the uniform one, with a 95 % band.

    The band is the pointwise one of n uniform numbers, widened by Bonferroni over 20 places.
    """
    from scipy.stats import binom

    width, height, left, top, floor = 240.0, 150.0, 34.0, 24.0, 122.0
    n = len(ranks)
    x = np.linspace(0, 1, 101)
    off = np.searchsorted(np.sort(ranks), x, side="right") / n - x
    low = binom.ppf(0.025 / 20, n, x) / n - x
    high = binom.ppf(1 - 0.025 / 20, n, x) / n - x
    most = max(0.05, float(np.max(np.abs(np.concatenate([off, low, high])))) * 1.05)

    def up(v: float) -> float:
        return (top + floor) / 2 - v / most * (floor - top) / 2

    at = [left + v * (width - left - 8) for v in x]
    outside = bool(np.any((off < low - 1e-12) | (off > high + 1e-12)))
    marks = [
        tag("text", text=shortened(name, 30), x=left, y=14, class_="tick"),
        tag("path", d=area_path(at, [up(v) for v in low], [up(v) for v in high]), class_="area c0"),
        tag("line", x1=left, x2=width - 8, y1=up(0), y2=up(0), class_="gridline"),
        tag("path", d=line_path(zip(at, [up(v) for v in off], strict=True)),
            class_=f"line {'c1' if outside else 'c0'}"),
        tag("text", text="0", x=left, y=floor + 18, class_="tick", text_anchor="middle"),
        tag("text", text="1", x=width - 8, y=floor + 18, class_="tick", text_anchor="middle"),
        tag("text", text=decimal(most, 2), x=left - 4, y=top + 8, class_="tick", text_anchor="end"),
    ]  # fmt: skip
    return tag(
        "svg", *marks, viewBox=view_box(width, height), width=width, height=height, role="img",
        aria_label=label, class_="run",
    )  # fmt: skip


def stacked(charts: Sequence[str]) -> str:
    """Drawings of this width one below the other, as one."""
    if len(charts) == 1:
        return charts[0]
    top, inside = 0.0, list[str]()
    for chart in charts:
        height = float(chart.split('viewBox="0 0 ')[1].split('"')[0].split()[1])
        place = f'<svg x="0" y="{stated(top)}" width="{WIDTH:g}" height="{height:g}"'
        inside.append(chart.replace("<svg", place, 1))
        top += height
    return tag(
        "svg", *inside, viewBox=f"0 0 {WIDTH:g} {stated(top)}", role="img", aria_label="Power",
        class_="run wide",
    )  # fmt: skip


def _svg(marks: Sequence[str], height: float, label: str) -> str:
    return tag(
        "svg", *marks, viewBox=view_box(WIDTH, height), role="img", aria_label=label,
        class_="run wide",
    )  # fmt: skip

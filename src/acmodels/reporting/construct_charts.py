"""Where items tell units apart: thresholds on the scale of a construct, under its distribution."""

from collections.abc import Sequence

from acmodels.posterior import Array
from acmodels.reporting.charts import Axis, drawing, smooth
from acmodels.reporting.svg import area_path, line_path, percent, shortened, tag

TOP, ROW = 84, 22
"""Heights of the distribution, and of each item."""


def thresholds_chart(
    scores: Array, marks: Sequence[tuple[str, Sequence[float]]], label: str
) -> str:
    """Draw the distribution of units and, below it, each item's thresholds.

    Args:
        scores: of units.
        marks: by item, where its answers change on the scale of the construct.
        label: for those who do not see it.
    """
    low, high = float(scores.min()), float(scores.max())
    spread = max(high - low, 1e-9)
    near = [v for _, some in marks for v in some if low - spread <= v <= high + spread]
    axis = Axis(min([low, *near]), max([high, *near]), 6)
    x, density = smooth(scores, axis.ticks[0], axis.ticks[-1])
    across = [1000 * axis(v) for v in x]
    up = [float(TOP - (TOP - 6) * v) for v in density / density.max()]
    floor = [float(TOP)] * len(up)
    frame = tag(
        "svg",
        tag("path", d=area_path(across, floor, up), class_="outside"),
        tag("path", d=line_path(zip(across, up, strict=True)), class_="outline"),
        width="100%", height=TOP + 4, viewBox=f"0 0 1000 {TOP + 4}", preserveAspectRatio="none",
    )  # fmt: skip
    bottom = TOP + ROW * len(marks) + 8
    parts = [*axis.grid(4, bottom), frame]
    for k, (item, some) in enumerate(marks):
        y = TOP + ROW * k + 18
        inside = [v for v in some if axis.ticks[0] <= v <= axis.ticks[-1]]
        if inside:
            ends = percent(axis(min(inside))), percent(axis(max(inside)))
            parts.append(tag("line", x1=ends[0], x2=ends[1], y1=y, y2=y, class_="whisker"))
        parts += [tag("circle", cx=percent(axis(v)), cy=y, r=4, class_="dot") for v in inside]
        parts.append(tag("text", text=shortened(item, 60), x="0", y=y - 6, class_="tick"))
    return drawing(*parts, *axis.marks(bottom + 14), height=bottom + 20, label=label)

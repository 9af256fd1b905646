"""Drawings of sensitivity: an effect along a correlation, and shifts when units are left out."""

from collections.abc import Sequence

from acmodels.reporting.charts import Band
from acmodels.reporting.svg import area_path, line_path, tag, tick_labels, ticks, view_box

WIDTH, LEFT, RIGHT = 760.0, 74.0, 20.0


def strength_chart(band: Band, label: str) -> str:
    """An effect with its interval by the correlation that a confounder would cause."""
    top, floor, height = 16.0, 250.0, 300.0
    xs = [float(v) for v in band.x]
    marks_at = ticks(min(0.0, *band.lower), max(0.0, *band.upper), 6)
    low, high = marks_at[0], marks_at[-1]

    def across(v: float) -> float:
        return LEFT + (v - xs[0]) / (xs[-1] - xs[0] or 1.0) * (WIDTH - LEFT - RIGHT)

    def up(v: float) -> float:
        return floor - (v - low) / (high - low or 1.0) * (floor - top)

    marks: list[str] = []
    for t, said in zip(marks_at, tick_labels(marks_at), strict=True):
        kind = "target" if t == 0 else "gridline"
        marks += [
            tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=up(t), y2=up(t), class_=kind),
            tag("text", text=said, x=LEFT - 8, y=up(t) + 4, class_="tick", text_anchor="end"),
        ]
    along = ticks(xs[0], xs[-1], 7)
    for t, said in zip(along, tick_labels(along), strict=True):
        if xs[0] <= t <= xs[-1]:
            marks.append(
                tag("text", text=said, x=across(t), y=floor + 20, class_="tick",
                    text_anchor="middle")
            )  # fmt: skip
    at = [across(v) for v in xs]
    marks += [
        tag("path", d=area_path(at, [up(v) for v in band.lower], [up(v) for v in band.upper]),
            class_="area c0"),
        tag("path", d=line_path(zip(at, [up(v) for v in band.mean], strict=True)),
            class_="line c0"),
        tag("text", text="correlation caused by the confounder", x=(LEFT + WIDTH - RIGHT) / 2,
            y=floor + 42, class_="tick", text_anchor="middle"),
    ]  # fmt: skip
    return tag(
        "svg", *marks, viewBox=view_box(WIDTH, height), role="img", aria_label=label,
        class_="run wide",
    )  # fmt: skip


def shift_chart(shifts: Sequence[float], label: str) -> str:
    """A mark for each unit: how far the mean changes without it, in posterior sds."""
    top, floor, height = 10.0, 50.0, 84.0
    marks_at = ticks(min(-0.5, *shifts), max(0.5, *shifts), 7)
    low, high = marks_at[0], marks_at[-1]

    def across(v: float) -> float:
        return LEFT + (v - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    marks = [tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=floor, y2=floor, class_="gridline")]
    for t, said in zip(marks_at, tick_labels(marks_at), strict=True):
        marks.append(
            tag("text", text=said, x=across(t), y=floor + 20, class_="tick", text_anchor="middle")
        )
    marks += [
        tag("line", x1=across(s), x2=across(s), y1=top + 8, y2=floor, class_="line c0")
        for s in shifts
    ]
    return tag(
        "svg", *marks, viewBox=view_box(WIDTH, height), role="img", aria_label=label,
        class_="run wide",
    )  # fmt: skip

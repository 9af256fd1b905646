"""The path diagram: the model's population-level coefficients, drawn by hand as SVG."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from acmodels.numbers import probability, significant, with_interval
from acmodels.reporting.diagram_layout import HEAD, PRODUCT, ROW, Arrow, Box, Entry, plan
from acmodels.reporting.strengths import Strength
from acmodels.reporting.svg import line_path, point, shortened, tag, view_box
from acmodels.spec.names import pieces

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit


WIDE = 7.2
"""Width of a character of a row."""


def diagram(fit: "Fit", found: Mapping[str, Strength]) -> tuple[str, float]:
    """Draw the diagram; returns the SVG and its natural width."""
    p = plan(fit.system.layout)
    drawn = sorted(p.arrows, key=lambda a: (found[a.entry.name].kind != "unclear",
                                            abs(found[a.entry.name].standardized)))  # fmt: skip
    described = "; ".join(
        f"{a.source} to {a.target} {significant(found[a.entry.name].mean, 2)}" for a in p.arrows
    )
    svg = tag(
        "svg",
        *(_arrow(a, found[a.entry.name]) for a in drawn),
        *(_card(b, found) if b.card else _source(b) for b in p.boxes.values()),
        *(_head(a, found[a.entry.name]) for a in drawn),
        viewBox=view_box(p.width, p.height),
        class_="diagram",
        role="img",
        aria_label=f"Path diagram. {described or 'No predictors.'}",
    )
    return svg, p.width


def _arrow(a: Arrow, s: Strength) -> str:
    return tag(
        "g",
        tag("title", text=_told(a, s)),
        tag("path", d=_curve(a.points), class_="hit"),
        tag("path", d=_curve(a.points), class_="edge", stroke_width=s.weight),
        class_=f"arrow {s.kind}",
    )


def _told(a: Arrow, s: Strength) -> str:
    mean, interval = with_interval(s.mean, s.lower, s.upper)
    where = f" at {s.at}" if s.at else ""
    return (
        f"{a.entry.column} → {a.target}{where}: {mean} {interval}; standardized "
        f"{significant(s.standardized, 2)}; P(above 0) {probability(s.p_positive)}"
    )


def _curve(points: tuple[tuple[float, float], ...]) -> str:
    """Smooth between layers, straight along the lanes past them."""
    (x, y), *rest = points
    path = f"M{point(x, y)}"
    for k, (u, v) in enumerate(rest):
        last = k == len(rest) - 1
        end = u - 8 if last else u
        if k % 2 == 1:
            path += f"L{point(end, v)}"
        else:
            bend = 0.5 * (end - x)
            path += f"C{point(x + bend, y)} {point(end - bend, v)} {point(end, v)}"
        x, y = end, v
    return path


def _head(a: Arrow, s: Strength) -> str:
    x, y = a.points[-1]
    half = 3.2 + 0.5 * s.weight
    return tag(
        "path", d=line_path([(x - 9, y - half), (x, y), (x - 9, y + half)]) + "Z",
        class_=f"head {s.kind}",
    )  # fmt: skip


def _source(b: Box) -> str:
    return tag(
        "g",
        tag("title", text=b.name),
        tag("rect", x=b.x, y=b.y, width=b.width, height=b.height, rx=4, class_="node"),
        tag("text", text=shortened(b.name, 20), x=b.x + b.width / 2, y=b.y + b.height / 2 + 4.5,
            text_anchor="middle", class_="name"),
    )  # fmt: skip


def _card(b: Box, found: Mapping[str, Strength]) -> str:
    parts = [
        tag("rect", x=b.x, y=b.y, width=b.width, height=b.height, rx=5, class_="card"),
        tag("line", x1=b.x, x2=b.x + b.width, y1=b.y + HEAD, y2=b.y + HEAD, class_="rule"),
        _text(b.name, b.x + 12, b.y + 20, 34, "name strong"),
    ]
    for place, entry in enumerate(b.rows):
        parts += _row(b, place, entry, found[entry.name])
    if not b.rows:
        parts.append(_text("no predictors", b.x + 12, b.y + HEAD + 18, 34, "foot"))
    if b.groups:
        said = "varies by " + ", ".join(b.groups)
        said = said if len(said) <= 46 else said.removeprefix("varies ")
        parts.append(_text(said, b.x + 12, b.y + b.height - 9, 46, "foot"))
    return tag("g", *parts)


def _row(b: Box, place: int, entry: Entry, s: Strength) -> list[str]:
    """A coefficient's line; a product takes two, since its name is long."""
    y = b.port(place)[1] + 4
    right = b.x + b.width - 12
    mean, interval = with_interval(s.mean, s.lower, s.upper)
    middle = right - max(124.0, WIDE * len(interval) + 14)
    parts = [
        tag("text", text=mean, x=middle, y=y, text_anchor="end", class_=f"row mean {s.kind}"),
        tag("text", text=interval, x=right, y=y, text_anchor="end", class_=f"row {s.kind}"),
    ]
    if len(entry.variables) == 1:
        room = min(20, int((middle - WIDE * len(mean) - b.x - 20) / WIDE))
        name = f"{shortened(entry.column, room - 2)} †" if s.at else entry.column
        whole = f"{entry.column} at {s.at}" if s.at else entry.column
        return [_text(whole, b.x + 12, y, room, f"row {s.kind}", name), *parts]
    rule = y - PRODUCT + ROW / 2 - 4
    label = " × ".join(pieces(entry.column, ":"))
    return [
        tag("line", x1=b.x + 12, x2=right, y1=rule, y2=rule, class_="rule dotted"),
        _text(label, b.x + 12, y - 17, 42, f"row {s.kind}"),
        *parts,
    ]


def _text(text: str, x: float, y: float, most: int, class_: str, short: str = "") -> str:
    """Text cut to a width, whole on hover."""
    shown = tag("tspan", text=shortened(short or text, most))
    return tag("text", tag("title", text=text), shown, x=x, y=y, class_=class_)

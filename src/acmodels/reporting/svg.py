"""A small SVG writer: every attribute and text escaped, colors left to the page's CSS."""

import math
from collections.abc import Iterable, Sequence
from html import escape

type Value = str | float | int

TEXT_WIDTH = 0.56
"""Width of a character of the page's fonts, in ems, on the safe side."""


def tag(name: str, *children: str, text: str | None = None, **attributes: Value) -> str:
    """Write one element.

    Args:
        name: of the element.
        *children: markup, as this function returns it.
        text: plain text, escaped.
        **attributes: `_` in a name is written `-`, a trailing one dropped; values are escaped.

    >>> tag("text", text="a < b", class_="t", x=1.25)
    '<text class="t" x="1.25">a &lt; b</text>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
    )
    inside = "".join(children) + ("" if text is None else escape(text))
    return f"<{name}{said}>{inside}</{name}>"


def _value(value: Value) -> str:
    if isinstance(value, str):
        return value
    return f"{round(float(value), 2):g}" if abs(value) < 1e5 else f"{value:.0f}"


def percent(share: float) -> str:
    """A position as a share of the drawing's width: it scales while text keeps its size."""
    return f"{round(100 * share, 2):g}%"


def point(x: float, y: float) -> str:
    """A place in a drawing."""
    return f"{x:.1f},{y:.1f}"


def view_box(width: float, height: float) -> str:
    """The `viewBox` of a drawing that starts at the origin."""
    return f"0 0 {width:g} {height:g}"


def line_path(points: Iterable[tuple[float, float]]) -> str:
    """The `d` of a polyline."""
    return "M" + "L".join(point(x, y) for x, y in points)


def area_path(x: Sequence[float], low: Sequence[float], high: Sequence[float]) -> str:
    """The `d` of the area between two curves."""
    there = list(zip(x, high, strict=True))
    back = list(zip(x, low, strict=True))[::-1]
    return line_path([*there, *back]) + "Z"


def ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Round numbers from at most `low` to at least `high`, some `most` of them.

    >>> ticks(-0.13, 0.42)
    (-0.2, 0.0, 0.2, 0.4, 0.6)
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return (0.0, 1.0)
    if high <= low:
        spread = abs(low) or 1.0
        low, high = low - spread / 2, high + spread / 2
    rough = (high - low) / max(1, most - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * f for f in (1, 2, 2.5, 5, 10) if size * f >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    places = max(0, 2 - math.floor(math.log10(step)))
    return tuple(round(k * step, places) + 0.0 for k in range(first, last + 1))


def tick_labels(values: Sequence[float]) -> tuple[str, ...]:
    """Labels of ticks, all with the decimals that their step needs."""
    from acmodels.numbers import fixed, shortest

    step = values[1] - values[0] if len(values) > 1 else 1.0
    if max(abs(v) for v in values) >= 1e6 or step < 1e-5:
        return tuple(shortest(v) for v in values)
    places = next((p for p in range(7) if abs(round(step, p) - step) < 1e-9 * abs(step) + 1e-12), 6)
    return tuple(fixed(v, places) for v in values)


def shortened(text: str, most: int) -> str:
    """Cut text to a width in characters; East Asian characters count as two.

    >>> shortened("prior_knowledge", 8)
    'prior_k…'
    """
    import unicodedata

    def width(c: str) -> int:
        return 2 if unicodedata.east_asian_width(c) in "WF" else 1

    if sum(width(c) for c in text) <= most:
        return text
    kept, used = "", 1
    for c in text:
        used += width(c)
        if used > most:
            break
        kept += c
    return f"{kept}…"

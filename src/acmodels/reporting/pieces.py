"""What sections of a report are made of: tables, figures and forests, of text and SVG."""

from collections.abc import Mapping
from dataclasses import dataclass

type Summary = Mapping[str, float]
"""One row of a table of estimates, by column."""


@dataclass(frozen=True)
class Line:
    """A row of a forest table: a name, a plot, and cells of text."""

    name: str
    note: str
    plot: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Forest:
    """A forest plot with its numbers."""

    title: str
    heads: tuple[str, ...]
    axis: str
    lines: tuple[Line, ...]

    @property
    def long(self) -> bool:
        """Whether a mean or an interval needs more room than most."""
        return any(len(x.cells[0]) > 7 or len(x.cells[1]) > 16 for x in self.lines)


@dataclass(frozen=True)
class Table:
    """A table of text; the first column names the rows."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A chart with what is said about it."""

    title: str
    chart: str
    caption: str
    table: Table | None = None

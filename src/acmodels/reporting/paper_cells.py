"""Cells of a paper's tables: names of parameters taken apart, numbers with their decimals."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from acmodels.numbers import MISSING, count, decimals, fixed, places_of, spread, with_interval


@dataclass(frozen=True)
class ParameterName:
    """A parameter's name taken apart: kind, response, term and grouping."""

    kind: Literal["coefficient", "sd", "cor", "other"]
    response: str
    term: str
    group: str

    @property
    def part(self) -> str:
        """`within`, `between` or nothing."""
        found = re.match(r"(within|between)\(", self.term)
        return found[1] if found else ""

    @property
    def plain(self) -> str:
        """The term as a table shows it."""
        if self.term == "1":
            return "Intercept"
        found = re.fullmatch(r"(?:within|between)\((.+), .+\)", self.term)
        return found[1] if found else self.term


def parsed(name: str) -> ParameterName:
    """Take a parameter's name apart."""
    if found := re.fullmatch(r"sd\((.+?) ~ (.+) \| (.+)\)", name):
        return ParameterName("sd", found[1], found[2], found[3])
    if found := re.fullmatch(r"cor\((.+?)(?: \| (.+))?\)", name):
        return ParameterName("cor", "", found[1], found[2] or "")
    if found := re.fullmatch(r"(.+?) ~ (.+)", name):
        return ParameterName("coefficient", found[1], found[2], "")
    if found := re.fullmatch(r"(\w+)\((.+)\)", name):
        return ParameterName("other", found[2], found[1], "")
    if found := re.fullmatch(r"(.+) \| t(\d+)", name):
        return ParameterName("other", found[1], f"threshold {found[2]}", "")
    return ParameterName("other", "", name, "")


def grouped_by[T](rows: Sequence[T], key: Any) -> dict[str, list[T]]:
    """Group rows by a key, in the order in which keys come first."""
    out: dict[str, list[T]] = {}
    for r in rows:
        out.setdefault(key(r), []).append(r)
    return out


def number_in(row: Mapping[str, str], column: str) -> float | None:
    """Read a cell; None where it is empty."""
    text = row.get(column, "")
    return float(text) if text not in ("", "nan") else None


def table_places(rows: Sequence[Mapping[str, str]]) -> int:
    """Decimals of a whole table: two digits of its smallest sd, 2 or 3 of them.

    A row whose numbers need more, or are large, has its own (`numbers.with_interval`).
    """
    sds = [sd for r in rows if (sd := number_in(r, "sd"))]
    return max([2, *(min(3, decimals(sd)) for sd in sds)])


def cells_of(row: Mapping[str, str], places: int) -> tuple[str, str, str]:
    """Mean, sd and interval."""
    mean, sd, low, high = four_cells(row, places)
    return mean, sd, f"[{low},\N{NO-BREAK SPACE}{high}]"


def four_cells(row: Mapping[str, str], places: int) -> tuple[str, str, str, str]:
    """Mean, sd and the ends of the interval, with decimals in common."""
    mean, low, high = (_known(row, c) for c in ("mean", "lower", "upper"))
    said, interval = with_interval(mean, low, high, places)
    own = places_of(low, high, mean)
    own = max(own, places) if abs(mean) < 1000 else own
    ends = interval[1:-1].split(", ")
    return said, spread(number_in(row, "sd"), own), ends[0], ends[1]


def _known(row: Mapping[str, str], column: str) -> float:
    value = number_in(row, column)
    return math.nan if value is None else value


def sampler_cells(row: Mapping[str, str]) -> tuple[str, str, str]:
    """Write R-hat and effective sample sizes."""
    r_hat = number_in(row, "r_hat")
    return (
        MISSING if r_hat is None else fixed(r_hat, 2),
        count(number_in(row, "ess_bulk")),
        count(number_in(row, "ess_tail")),
    )

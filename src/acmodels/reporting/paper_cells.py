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


_OTHER = {
    "sigma": "Residual SD of {}",
    "sigma1": "SD of {} in first waves",
    "nu": "Degrees of freedom of {}",
    "phi": "Precision (phi) of {}",
    "zi": "Probability of extra zeros of {}",
}


def label(n: ParameterName, name: str) -> str:
    """Write a parameter as a row of a journal's table: in words, without backticks.

    Args:
        n: the name taken apart.
        name: the whole name, for what has no words.

    >>> [label(parsed(p), p) for p in ("sd(y ~ 1 | g)", "cor(y ~ 1, y ~ x | g)", "sigma(y)")]
    ['Intercept of y across g', 'Intercept of y with slope of y on x, across g', 'Residual SD of y']
    """
    said = name
    if n.kind == "coefficient":
        said = n.plain
    elif n.kind == "sd":
        said = f"{_effect(n.response, n.term)} across {n.group}"
    elif n.kind == "cor":
        pair = re.fullmatch(r"(.+) ~ (.+), (.+) ~ (.+)", n.term)
        if pair:
            one, two = _effect(pair[1], pair[2]), _effect(pair[3], pair[4])
            said = f"{one} with {two[0].lower()}{two[1:]}, across {n.group}"
        else:
            said = n.term.replace(", ", " with ", 1)
    elif n.term.startswith("threshold"):
        said = f"{n.term[0].upper()}{n.term[1:]} of {n.response}"
    elif n.term in _OTHER:
        said = _OTHER[n.term].format(n.response)
    elif found := re.fullmatch(r"(.+) =~ (.+)", name):
        said = f"Loading of {found[2]} on {found[1]}"
    return bare(said)


def bare(text: str) -> str:
    """Leave backticks out."""
    return text.replace("`", "")


def _effect(response: str, term: str) -> str:
    return f"Intercept of {response}" if term == "1" else f"Slope of {response} on {term}"


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

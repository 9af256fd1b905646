"""Theories and studies of the error rates, by plain NumPy alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

type Array = np.ndarray
type Truth = Literal["true", "no effect", "contrary", "trap"]

UNITS = """
name = "small"
[units]
district = { id = "district" }
department = { id = "department", within = "district" }
partner = { id = "partner" }
partnership = { id = "partnership", within = "department" }
"""


@dataclass(frozen=True)
class World:
    """Studies of one kind.

    Attributes:
        make: draws the columns of a study, given its rows.
        truth: how the claim stands in it.
        holds: whether the claim is true; of a trap the claim is false unless said.
        limit: whether false verdicts have a limit: not where the study does not measure what fools.
    """

    make: Callable[["Rows"], Mapping[str, Array]]
    truth: Truth
    holds: bool = False
    limit: bool = True


def true(make: Callable[["Rows"], Mapping[str, Array]]) -> World:
    """The claim holds."""
    return World(make, "true", holds=True)


def null(make: Callable[["Rows"], Mapping[str, Array]]) -> World:
    """There is no effect."""
    return World(make, "no effect")


def contrary(make: Callable[["Rows"], Mapping[str, Array]]) -> World:
    """The contrary holds."""
    return World(make, "contrary")


def trap(
    make: Callable[["Rows"], Mapping[str, Array]], *, holds: bool = False, limit: bool = True
) -> World:
    """A naive test is wrong."""
    return World(make, "trap", holds=holds, limit=limit)


@dataclass(frozen=True)
class Class:
    """A kind of claim with a pattern of levels.

    Attributes:
        kind: of the claim.
        name: the pattern, in words.
        levels: of each construct.
        arrows: of the theory, as `x > y`, `x > y by w` or `x > y later`.
        claim: the keys of the kind.
        worlds: by name.
        design: departments of a district, partnerships of a department, waves.
        units: id columns of a study.
        parts: of composites.
        extra: further keys of constructs.
    """

    kind: str
    name: str
    levels: Mapping[str, str]
    arrows: Sequence[str]
    claim: Mapping[str, Any]
    worlds: Mapping[str, World]
    design: tuple[int, int, int] = (2, 4, 1)
    units: tuple[str, ...] = ("district", "department", "partnership")
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])

    def study(self, world: str, seed: Sequence[int], districts: int) -> pd.DataFrame:
        """Draw a study of a world."""
        rows = Rows(seed, districts, *self.design)
        return rows.table(self.units, self.worlds[world].make(rows))

    def write(self, folder: Path) -> None:
        """Write the theory, a folder of four files."""
        text = ""
        for c, level in self.levels.items():
            text += f'[{c}]\nname = "{c}"\nlevel = "{level}"\n'
            text += "".join(f"{k} = {toml(v)}\n" for k, v in self.extra.get(c, {}).items())
            if c in self.parts:
                text += f"parts = {toml(list(self.parts[c]))}\n"
        claim = {"kind": self.kind, **self.claim}
        stated = "".join(f"{k} = {toml(v)}\n" for k, v in claim.items())
        files = {
            "framework.toml": UNITS,
            "constructs.toml": text,
            "arrows.toml": "".join(map(_arrow, self.arrows)),
            "propositions.toml": f'[H]\nstatement = "It is so."\n{stated}',
        }
        for name, content in files.items():
            (folder / name).write_text(content)


def _arrow(words: str) -> str:
    cause, _, effect, *more = words.split()
    text = f'[[arrow]]\nfrom = "{cause}"\nto = "{effect}"\nassumed = "so drawn"\n'
    if "by" in more:
        text += f'by = "{more[more.index("by") + 1]}"\n'
    return text + ("lag = 1\n" if "later" in more else "")


def toml(value: Any) -> str:
    """Write a value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    return "[" + ", ".join(toml(v) for v in value) + "]"


class Rows:
    """Rows of a study, with draws at any level.

    Districts hold departments, these hold partnerships, and these have waves. Partners, two for
    every three districts, cross the departments.
    """

    def __init__(
        self, seed: Sequence[int], districts: int, departments: int, partnerships: int, waves: int
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.size = {
            "district": districts,
            "department": districts * departments,
            "partnership": districts * departments * partnerships,
            "partner": max(10, 2 * districts // 3),
        }
        self.n = self.size["partnership"] * waves
        partnership = np.arange(self.n) // waves
        department = partnership // partnerships
        partner = self.rng.integers(self.size["partner"], size=self.size["partnership"])
        self.code = {
            "district": department // departments,
            "department": department,
            "partnership": partnership,
            "partner": partner[partnership],
        }
        self.wave = np.arange(self.n) % waves

    def draw(self, level: str = "row", sd: float = 1.0) -> Array:
        """Draw a normal value for each unit of a level, and give it to the rows."""
        if level == "row":
            return sd * self.rng.standard_normal(self.n)
        return sd * self.rng.standard_normal(self.size[level])[self.code[level]]

    def table(self, units: Sequence[str], columns: Mapping[str, Array]) -> pd.DataFrame:
        """Return the study, with the id columns of some units."""
        ids = {u: [f"{u}_{k}" for k in self.code[u]] for u in units if u != "wave"}
        if "wave" in units:
            ids["wave"] = list(self.wave + 1)
        return pd.DataFrame({**ids, **columns})

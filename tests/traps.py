"""Small theories and studies made to fool a naive test, by plain NumPy and nothing of the package.

A study has districts, departments in them, partners that cross them, and partnerships as rows, as
far as a claim needs them. Each function returns a table.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from acmodels.framework.files import load_framework
from acmodels.framework.graph import Framework

UNITS = """
name = "small"
[units]
district = { id = "district" }
department = { id = "department", within = "district" }
partner = { id = "partner" }
partnership = { id = "partnership", within = "department" }
"""


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    return "[" + ", ".join(toml(v) for v in value) + "]"


def theory(
    folder: Path,
    levels: Mapping[str, str],
    arrows: Sequence[str],
    claim: Mapping[str, Any],
    *,
    shared: Sequence[Sequence[str]] = (),
    parts: Mapping[str, Sequence[str]] | None = None,
    extra: Mapping[str, Mapping[str, Any]] | None = None,
) -> Framework:
    """A theory with one claim, H; arrows are written `x > y`, `x > y by z`, `x > y later`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "framework.toml").write_text(UNITS)
    text = ""
    for c, level in levels.items():
        text += f'[{c}]\nname = "{c}"\nlevel = "{level}"\n'
        for k, v in (extra or {}).get(c, {}).items():
            text += f"{k} = {toml(v)}\n"
        if parts and c in parts:
            text += f"parts = {toml(list(parts[c]))}\n"
    (folder / "constructs.toml").write_text(text)
    text = ""
    for a in arrows:
        words = a.split()
        text += f'[[arrow]]\nfrom = "{words[0]}"\nto = "{words[2]}"\nassumed = "so drawn"\n'
        if "by" in words:
            text += f'by = "{words[words.index("by") + 1]}"\n'
        if "later" in words:
            text += "lag = 1\n"
        if words[-1] in ("+", "-"):
            text += f'sign = "{words[-1]}"\n'
    for group in shared:
        text += f'[[arrow]]\ncommon_cause = {toml(list(group))}\nassumed = "so drawn"\n'
    (folder / "arrows.toml").write_text(text)
    text = '[H]\nstatement = "It is so."\n' + "".join(
        f"{k} = {toml(v)}\n" for k, v in claim.items()
    )
    (folder / "propositions.toml").write_text(text)
    return load_framework(folder)


class Rows:
    """Rows of partnerships, with draws at any level."""

    def __init__(
        self, seed: int, districts: int = 60, departments: int = 3, partnerships: int = 3,
        partners: int = 40,
    ) -> None:  # fmt: skip
        self.rng = np.random.default_rng(seed)
        u = districts * departments
        n = u * partnerships
        self.department = np.repeat(np.arange(u), partnerships)
        self.district = self.department // departments
        self.partner = self.rng.integers(partners, size=n)
        self.n, self.sizes = n, {"district": districts, "department": u, "partner": partners}

    def draw(self, level: str = "partnership", sd: float = 1.0) -> np.ndarray:
        """Independent normal values, one for each unit of a level, on the rows."""
        if level == "partnership":
            return sd * self.rng.standard_normal(self.n)
        return sd * self.rng.standard_normal(self.sizes[level])[getattr(self, level)]

    def mean(self, x: np.ndarray, level: str) -> np.ndarray:
        """Mean of x in the unit of each row."""
        codes = getattr(self, level)
        return (np.bincount(codes, x) / np.bincount(codes))[codes]

    def table(self, **columns: np.ndarray) -> pd.DataFrame:
        """The study."""
        ids = {
            "district": [f"d{k}" for k in self.district],
            "department": [f"u{k}" for k in self.department],
            "partner": [f"p{k}" for k in self.partner],
            "partnership": [f"r{k}" for k in range(self.n)],
        }
        return pd.DataFrame({**ids, **columns})

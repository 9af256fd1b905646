"""Expressions of the NUTS graph that rest on missing values."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from acmodels.engines.nuts.missing import (
    Moved,
    Unknown,
    in_mean,
    moved_columns,
    moved_sources,
    split,
)
from acmodels.spec.formula import Operand
from acmodels.system import Layout
from acmodels.system.terms import latent_means


class Shifts:
    """What columns differ by with the missing values, as expressions of the graph.

    Args:
        pm: the PyMC module.
        layout: of the model.
        what: is missing.
        data: the graph's arrays.
    """

    def __init__(self, pm: Any, layout: Layout, what: Unknown, data: Mapping[str, Any]) -> None:
        self.pm, self.layout, self.what, self.data = pm, layout, what, data
        self.deltas: Any = None
        if what.size:
            z = pm.Flat("missing", shape=what.size)
            self.deltas = pm.math.concatenate([np.zeros(1), data["missing_unit"] * z])
        self.sources = {
            (i, s): (n, g) for n, (i, s, g) in enumerate(moved_sources(layout)) if what.size
        }
        self.columns = moved_columns(layout) if what.size else []
        self._values: dict[tuple[int, str], Any] = {}

    def value(self, i: int, source: str) -> Any:
        """Values of a source on an equation's rows."""
        if (i, source) in self._values:
            return self._values[i, source]
        n, g = self.sources[i, source]
        start = self.what.starts[g]
        shift: Any = 0.0
        if f"moved_cell_{n}" in self.data:
            shift = self.deltas[self.data[f"moved_cell_{n}"]]
        if f"moved_share_{n}" in self.data:
            mine = self.deltas[start + 1 : start + 1 + len(self.layout.gaps[g].at)]
            mean = self.pm.math.dot(self.data[f"moved_share_{n}"], mine)
            mean = mean[self.data[f"moved_unit_{n}"]]
            shift = mean if self.layout.derived[source].constant else shift - mean
        self._values[i, source] = self.data[f"moved_value_{n}"] + shift
        return self._values[i, source]

    def of(self, m: Moved) -> Any:
        """What a column differs by on the graph's rows."""
        moving = self._product(m)
        if self.what.components:
            moving = moving[self.what.rows[m.equation].source]
        return self.data[f"moved_rest_{m.key}"] * moving - self.data[f"moved_column_{m.key}"]

    def of_mean(self, m: Moved, n: int) -> Any:
        """The same at the rows that a latent mean is read at, or None where it has no part."""
        if not in_mean(m, n, self.layout):
            return None
        at = latent_means(self.layout)[n].at
        tail = f"{m.key}_mean{n}"
        moving = self._product(m)[at]
        return self.data[f"moved_rest_{tail}"] * moving - self.data[f"moved_column_{tail}"]

    def _product(self, m: Moved) -> Any:
        moving, _ = split(self.layout, m)
        parts = [
            transformed(self.pm, p.operand, self.value(m.equation, p.operand.source))
            for p in moving.parts
        ]
        return reduce(lambda a, b: a * b, parts)


def transformed(pm: Any, operand: Operand, value: Any) -> Any:
    """An operand's transforms, as `system.columns.apply` has them for arrays."""
    if operand.inner is None:
        return value
    inner = transformed(pm, operand.inner, value)
    match operand.function:
        case "square":
            return inner**2
        case "center":
            return inner - inner.mean()
        case "standardize":
            away = inner - inner.mean()
            return away / pm.math.sqrt((away**2).sum() / (away.shape[0] - 1))
        case _ if operand.unit is not None:
            return inner
        case _:
            raise NotImplementedError(operand.function)  # refused before any fit


class Densities:
    """Stands in for PyMC where a family adds its likelihood: gives each row's log density."""

    def __init__(self, pm: Any) -> None:
        self._pm = pm

    @staticmethod
    def _potential(name: str, expression: Any) -> Any:
        del name
        return expression

    def __getattr__(self, name: str) -> Any:
        if name == "Potential":
            return self._potential
        found = getattr(self._pm, name)
        if isinstance(found, type) and hasattr(found, "dist"):
            return _Density(self._pm, found)
        return found


@dataclass(frozen=True)
class _Density:
    pm: Any
    distribution: Any

    def __call__(self, name: str, *args: Any, observed: Any, **kwargs: Any) -> Any:
        del name
        return self.pm.logp(self.distribution.dist(*args, **kwargs), observed)

    def dist(self, *args: Any, **kwargs: Any) -> Any:
        """The distribution, for a family's own use."""
        return self.distribution.dist(*args, **kwargs)

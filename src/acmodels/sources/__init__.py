"""What a formula can take of a variable within units, as `between(x, g)`: one file each.

The file's name is the function's name in formulas. Formulas read the names of the files; what a
function means is in its file alone, so that a new one is a new file.
"""

import importlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grouped:
    """A variable's values, and the units that they lie in.

    Attributes:
        own: values on the rows of the variable's own level, (..., n).
        own_unit: the unit of each of these rows, (n,).
        row: for each data row the row of `own` that it reads, (N,).
        unit: the unit of each data row, (N,).
        units: how many units there are, J.
    """

    own: Array
    own_unit: Index
    row: Index
    unit: Index
    units: int

    @property
    def values(self) -> Array:
        """The values on the data rows, (..., N)."""
        return self.own[..., self.row]

    @cached_property
    def means(self) -> Array:
        """Mean of each unit over the rows of the variable's own level, (..., J)."""
        order = np.argsort(self.own_unit, kind="stable")
        starts = np.searchsorted(self.own_unit[order], np.arange(self.units))
        sums = np.add.reduceat(self.own[..., order], starts, axis=-1)
        return sums / np.bincount(self.own_unit, minlength=self.units)


class UnitFunction(Protocol):
    """What a file provides.

    `constant`: whether its values are the same for all rows of a unit. `mean`: how it moves with
    the unit's mean, 1 or -1; None for what is not taken from a mean. Where the variable has an
    equation, such a function takes the unit's latent mean.
    """

    constant: bool
    mean: float | None

    def values(self, x: Grouped) -> Array:
        """Compute its values on the data rows, (..., N)."""
        ...


@lru_cache
def unit_function(name: str) -> UnitFunction:
    """Load a function by its name, one of those that formulas know."""
    return cast("UnitFunction", importlib.import_module(f"{__name__}.{name}"))

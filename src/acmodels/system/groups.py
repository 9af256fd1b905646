"""Group effects that share a covariance, and matrices of correlations."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from acmodels.spec import parameters as named
from acmodels.system.arrays import Array, Index
from acmodels.system.equation import Column, EquationLayout


@dataclass(frozen=True)
class Member:
    """One effect of a block: how `column` in the equation of `response` varies by group.

    Where it is how the loading of an item varies, `construct` is the construct.
    """

    response: str
    column: Column
    construct: str | None = None

    @property
    def name(self) -> str:
        """As in `sd(... | g)`, without the grouping."""
        if self.construct is not None:
            return named.loading(self.construct, self.response)
        return named.coefficient(self.response, self.column.name)


@dataclass(frozen=True)
class Block:
    """Group effects that share one covariance over the levels of one grouping.

    Attributes:
        group: the grouping as parameters name it.
        columns: the id columns whose combination is the grouping.
        levels: labels, shape (J,).
        members: the K effects, in model order.
        code: the level of each data row, shape (N,).
        raters: whether these are deviations of raters from the constructs of their units. They are
            no part of the constructs' own equations: items read them together with the constructs.
    """

    group: str
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    members: tuple[Member, ...]
    code: Index
    raters: bool = False

    def index(self, e: EquationLayout) -> Index:
        """Level of each row of an equation, shape (n,)."""
        return self.code[e.rows]

    @property
    def key(self) -> str:
        """A name unique within the layout."""
        return f"{', '.join(m.name for m in self.members)} | {self.group}"

    @property
    def sds(self) -> tuple[str, ...]:
        """Names of the members' standard deviations, in model order."""
        return tuple(self.sd(m) for m in self.members)

    def sd(self, member: Member) -> str:
        """Name of a member's standard deviation."""
        return named.sd(member.name, self.group)

    def correlations(self) -> tuple[tuple[int, int, str], ...]:
        """Positions and names of the correlations, in model order."""
        return tuple(
            (i, j, named.cor(self.members[i].name, self.members[j].name, self.group))
            for i, j in combinations(range(len(self.members)), 2)
        )


@dataclass(frozen=True)
class Correlations:
    """A correlation matrix among the parameters.

    Attributes:
        size: K.
        entries: positions and name of each correlation, in model order.
    """

    size: int
    entries: tuple[tuple[int, int, str], ...]

    def matrix(self, value: Callable[[str], Any]) -> Array:
        """Make the matrix from values of the correlations.

        Args:
            value: looks a correlation up by its name: a number, or an array (...).

        Returns:
            Shape (..., K, K).
        """
        found = [np.asarray(value(name), dtype=np.float64) for _, _, name in self.entries]
        shape = np.broadcast_shapes(*(f.shape for f in found))
        out = np.tile(np.eye(self.size), (*shape, 1, 1))
        for (i, j, _), f in zip(self.entries, found, strict=True):
            out[..., i, j] = out[..., j, i] = f
        return out

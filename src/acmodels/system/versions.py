"""The rows that stand for an equation's, some several times where discrete values are missing.

Rows that rest on a discrete missing value stand there once for each value (`version`) that it, and
what is missing with it, can have; their likelihoods are multiplied within a value and summed over
values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acmodels.system.arrays import Array, Index, Responses
from acmodels.system.layout import Layout, MissingValues
from acmodels.system.missing import Component, complete, components

NEVER = -1e10
"""Log density of a value that a component does not have."""


@dataclass(frozen=True)
class GraphRows:
    """Rows of the graph that stand for rows of an equation.

    Attributes:
        source: the equation's row, (m,).
        version: which values of the discrete cells it is for; -1 where it rests on none, (m,).
        bin: to which value of which component its likelihood belongs, -1 for none, (m,).
        latent: the place of its response among the continuous missing values, -1 for none, (m,).
    """

    source: Index
    version: Index
    bin: Index
    latent: Index

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.source)

    @property
    def special(self) -> NDArray[np.bool_]:
        """Those whose likelihood is more than that of an observed response, (m,)."""
        return (self.bin >= 0) | (self.latent >= 0)


@dataclass(frozen=True)
class Unknown:
    """What is missing, in the graph's order.

    Attributes:
        rows: of each equation.
        components: discrete cells that are summed over together.
        width: configurations of the largest.
        starts: by gap that is continuous, where its values start among all.
        size: number of continuous values.
    """

    rows: tuple[GraphRows, ...]
    components: tuple[Component, ...]
    width: int
    starts: Mapping[int, int]
    size: int

    @property
    def floor(self) -> Array:
        """Zero for the configurations that there are, else very low, (components * width,)."""
        out = np.full((len(self.components), self.width), NEVER)
        for k, c in enumerate(self.components):
            out[k, : len(c.configurations)] = 0.0
        return out.reshape(-1)


def unknown(layout: Layout) -> Unknown:
    """Lay out what is missing."""
    starts: dict[int, int] = {}
    size = 0
    for g, gap in enumerate(layout.missing):
        if not gap.discrete:
            starts[g] = size
            size += len(gap.at)
    found, summed = components(layout)
    width = max((len(c.configurations) for c in found), default=0)
    rows: list[GraphRows] = []
    for i, e in enumerate(layout.equations):
        latent = np.full(e.n, -1, dtype=np.int64)
        for g, s in starts.items():
            if layout.missing[g].equation == i:
                latent[layout.missing[g].at] = s + np.arange(len(layout.missing[g].at))
        alone = np.setdiff1d(np.arange(e.n), summed[i].rows)
        sizes = np.array([len(found[k].configurations) for k in summed[i].component], dtype=int)
        again = np.repeat(np.arange(len(sizes)), sizes)
        version = np.concatenate([np.arange(s) for s in sizes]) if len(sizes) else again
        source = np.concatenate([alone, summed[i].rows[again]]).astype(np.int64)
        none = np.full(len(alone), -1, dtype=np.int64)
        bins = summed[i].component[again] * width + version
        rows.append(
            GraphRows(
                source,
                np.concatenate([none, version]).astype(np.int64),
                np.concatenate([none, bins]).astype(np.int64),
                latent[source],
            )
        )
    return Unknown(tuple(rows), found, width, starts, size)


class Versions:
    """The data with each set of values that discrete missing ones can have."""

    def __init__(self, layout: Layout, what: Unknown, responses: Responses) -> None:
        self.rows = what.rows
        self.filled = (layout, responses)
        self.others = [
            complete(layout, responses, layout.missing, _version(layout.missing, what, c))
            for c in range(what.width)
        ]

    def spread(self, i: int, read: Callable[[Layout, Responses], Array]) -> Array:
        """Something of an equation on the graph's rows, (m, ...), read on the equation's."""
        rows = self.rows[i]
        base = read(*self.filled)
        if not self.others:
            return base
        out = base[rows.source]
        for c, version in enumerate(self.others):
            here = rows.version == c
            if here.any():
                out[here] = read(*version)[rows.source[here]]
        return out


def _version(gaps: Sequence[MissingValues], what: Unknown, c: int) -> dict[str, Array]:
    out = {g.variable: np.zeros(len(g.at)) for g in gaps if g.discrete}
    for component in what.components:
        if c < len(component.configurations):
            for (g, cell), value in zip(component.cells, component.configurations[c], strict=True):
                out[gaps[g].variable][cell] = value
    return out

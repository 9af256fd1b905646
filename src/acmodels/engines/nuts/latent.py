"""Latent unit means: what they add to the stacked predictor beyond observed ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.engines.nuts.forms import joined
from acmodels.engines.nuts.group_effects import GroupEffects
from acmodels.engines.nuts.missing import Shifts
from acmodels.engines.nuts.population import Population, centered
from acmodels.system import Responses
from acmodels.system.arrays import Array, Index
from acmodels.system.columns import design_matrix, group_column, unit_means
from acmodels.system.latent import available, rest_values
from acmodels.system.terms import LatentMean, latent_means, latent_terms
from acmodels.system.versions import Versions


@dataclass(frozen=True)
class MeanArrays:
    """What a latent mean is made of.

    Attributes:
        design: predictors of its equation that are constant within units, less the means at which
            the constant is sampled, (J, p); None where there are none.
        offset: (J,).
        observed: its observed counterpart, (J,).
        multipliers, index: by effect, what multiplies it and where it stands, (J,).
    """

    design: Array | None
    offset: Array
    observed: Array
    multipliers: tuple[Array, ...]
    index: tuple[Index, ...]


@dataclass(frozen=True)
class LatentArrays:
    """Of each latent mean, and by equation and latent term what multiplies it on the rows."""

    means: tuple[MeanArrays, ...]
    rest: Mapping[tuple[int, int], Array]


def latent_arrays(
    part: GroupEffects, responses: Responses, versions: Versions
) -> LatentArrays | None:
    """Read what latent means are made of, the observed ones, and what they multiply."""
    layout = part.stack.layout
    if not latent_means(layout):
        return None
    rest = {
        (i, j): how.sign * versions.spread(i, lambda lay, res, t=t: rest_values(lay, t, res))
        for i in part.stack.order
        for j, (t, how) in enumerate(latent_terms(layout, layout.equations[i].response))
    }
    return LatentArrays(tuple(_mean(part, m, responses) for m in latent_means(layout)), rest)


def _mean(part: GroupEffects, m: LatentMean, responses: Responses) -> MeanArrays:
    layout = part.stack.layout
    e = layout.equations[m.equation]
    X = design_matrix(layout, e, responses)
    first = int(e.intercept is not None)
    means, mean_offset = np.zeros(X.shape[1]), 0.0
    if first:  # an ordered response has thresholds, which are no part of its mean
        X, means, mean_offset = centered(e, X)
    here = np.tile(-means, (len(m.at), 1))
    for k in m.columns:
        if k != e.intercept:
            here[:, k - first] = X[m.at, k - first]
    return MeanArrays(
        here if here.shape[1] else None,
        m.offset - mean_offset,
        unit_means(layout, layout.derived[m.key], responses),
        tuple(
            group_column(layout, e, part.blocks[b].members[k].column, responses)[m.at]
            for b, k in m.effects
        ),
        tuple(part.at(b, k).start + part.blocks[b].index(e)[m.at] for b, k in m.effects),
    )


@dataclass(frozen=True)
class _Graph:
    """What latent means take from the graph.

    Attributes:
        part, population, data, shifts: see there.
        slopes, constants, effects: vectors.
        differences: of the latent means so far, what they differ from the observed ones by, (J,).
    """

    part: GroupEffects
    population: Population
    data: LatentArrays
    shifts: Shifts
    slopes: Any
    constants: Any
    effects: Any
    differences: list[Any]

    def coefficient(self, i: int, k: int) -> Any:
        """The coefficient of a column of an equation."""
        place = self.population.place
        if (i, k) in place:
            return self.slopes[place[i, k]]
        return self.constants[self.population.constants.index(i)]

    def moved(self, i: int, n: int | None = None) -> Any:
        """Add up what latent means change in an equation's rows, or in the nth latent mean."""
        layout = self.part.stack.layout
        e = layout.equations[i]
        known = {(m.equation, m.term): m for m in self.shifts.columns if m.term is not None}
        mean = None if n is None else latent_means(layout)[n]
        rows = self.part.stack.unknown.rows[i].source if mean is None else mean.at
        total: Any = 0.0
        for j, (term, how) in enumerate(latent_terms(layout, e.response)):
            if mean is not None and term.position not in mean.columns:
                continue
            rest = self.data.rest[i, j] if mean is None else self.data.rest[i, j][mean.at]
            if (i, j) in known:
                m = known[i, j]
                more = self.shifts.of(m) if n is None else self.shifts.of_mean(m, n)
                there = available(layout, term)
                more = more if there is None else more * there[rows]
                rest = rest + how.sign * more
            units = latent_means(layout)[how.mean].code[e.rows][rows]
            moved = self.differences[how.mean][units] * rest
            if term.effect is None:
                total = total + self.coefficient(i, term.position or 0) * moved
            else:
                level = self.part.blocks[term.effect[0]].index(e)[rows]
                total = total + self.effects[self.part.at(*term.effect).start + level] * moved
        return total

    def difference(self, pm: Any, n: int, m: LatentMean) -> Any:
        """Return what a latent mean differs from the observed one by, (J,)."""
        i, d = m.equation, self.data.means[n]
        e = self.part.stack.layout.equations[i]
        value: Any = d.offset
        if e.intercept is not None:
            value = value + self.constants[self.population.constants.index(i)]
        if d.design is not None:
            mine = np.array(self.population.of(i))
            value = value + pm.math.dot(d.design, self.slopes[mine])
        for z, index in zip(d.multipliers, d.index, strict=True):
            value = value + z * self.effects[index]
        for c in self.shifts.columns:
            more = None if c.term is not None else self.shifts.of_mean(c, n)
            if more is not None and c.slope is not None:
                value = value + self.coefficient(*c.slope) * more
            elif more is not None and c.effect is not None:
                level = self.part.blocks[c.effect[0]].index(e)[m.at]
                value = value + self.effects[self.part.at(*c.effect).start + level] * more
        return value + self.moved(i, n) - d.observed


def add_latent(
    pm: Any,
    part: GroupEffects,
    population: Population,
    data: LatentArrays,
    shifts: Shifts,
    found: tuple[Any, Any, Any],
) -> Any:
    """Return what latent means add to the stacked predictor.

    Args:
        pm: the PyMC module.
        part: the group effects.
        population: coefficients and constants.
        data: arrays of latent means.
        shifts: what columns differ by with missing values.
        found: slopes, constants and group effects in the graph.
    """
    g = _Graph(part, population, data, shifts, *found, [])
    stack = part.stack
    for n, m in enumerate(latent_means(stack.layout)):
        g.differences.append(g.difference(pm, n, m))
    reads = {i for i, _ in data.rest}
    return joined(pm, [g.moved(i) if i in reads else np.zeros(stack.count(i)) for i in stack.order])

"""Thresholds of ordered responses, relative to their middle one, by logs of the gaps between them.

The middle threshold of a response at the predictors' means is minus its constant. A stated prior
is on the raw threshold, which is the centered one plus the predictors' means times the slopes; a
default one on the threshold where its weights have the predictors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.engines.nuts.arrays import Located
from acmodels.engines.nuts.forms import add_priors, joined, shape_of
from acmodels.engines.nuts.population import Population, Raw, located, raw_arrays
from acmodels.priors import Prior
from acmodels.system import EquationLayout, Responses
from acmodels.system.arrays import Array
from acmodels.system.working import rough


@dataclass(frozen=True)
class Thresholds:
    """Which thresholds there are, in the graph's order.

    Attributes:
        population: coefficients and constants.
        cuts: (equation, k) of each, k from 0.
    """

    population: Population
    cuts: tuple[tuple[int, int], ...]

    @property
    def equations(self) -> dict[int, EquationLayout]:
        """The ordered equations by position."""
        return {i: self.population.stack.layout.equations[i] for i, _ in self.cuts}

    @property
    def names(self) -> list[str]:
        """Names of the parameters."""
        return [self.equations[i].thresholds[k] for i, k in self.cuts]

    @property
    def priors(self) -> list[Prior]:
        """Prior of each."""
        return [self.population.stack.priors[n] for n in self.names]

    @property
    def held(self) -> Mapping[int, float]:
        """By place, the value at which a raw threshold is held."""
        return {k: p.held for k, p in enumerate(self.priors) if p.held is not None}

    @property
    def constant_of(self) -> list[int]:
        """For each threshold, the place of its equation's constant."""
        return [self.population.constants.index(i) for i, _ in self.cuts]

    @property
    def from_gaps(self) -> Array:
        """What turns gaps into thresholds relative to their middle one, (cuts, gaps)."""
        out = np.zeros((len(self.cuts), len(self.cuts) - len(self.equations)))
        row = column = 0
        for e in self.equations.values():
            size = len(e.thresholds)
            rise = np.tril(np.ones((size, size - 1)), -1)
            out[row : row + size, column : column + size - 1] = rise - rise[(size - 1) // 2]
            row, column = row + size, column + size - 1
        return out

    @property
    def held_gaps(self) -> Mapping[int, float]:
        """By place, the gap between two thresholds that are both held."""
        pairs = [place for place, (_, k) in enumerate(self.cuts) if k > 0]
        return {
            gap: self.held[place] - self.held[place - 1]
            for gap, place in enumerate(pairs)
            if place in self.held and place - 1 in self.held
        }

    @property
    def free_gaps(self) -> list[int]:
        """Places of the others."""
        return [k for k in range(len(self.cuts) - len(self.equations)) if k not in self.held_gaps]

    @property
    def free_constants(self) -> list[int]:
        """Places of the constants that are sampled: no part of them is held."""
        part = self.population
        known = {part.plain[k] for k in part.held_intercepts}
        known |= {self.constant_of[k] for k in self.held}
        return [j for j in range(len(part.constants)) if j not in known]


@dataclass(frozen=True)
class ThresholdArrays:
    """What thresholds read.

    Attributes:
        start, unit: of the free gaps, rough logs and their errors; None where there are none.
        raw: between thresholds and what their priors are on.
        prior: of those that are sampled.
    """

    start: Array | None
    unit: Array | None
    raw: Raw | None
    prior: Located | None


def make_thresholds(population: Population) -> Thresholds:
    """Lay out the thresholds."""
    equations = population.stack.layout.equations
    order = population.stack.order
    return Thresholds(
        population, tuple((i, k) for i in order for k in range(len(equations[i].thresholds)))
    )


def threshold_arrays(part: Thresholds, responses: Responses) -> ThresholdArrays | None:
    """Guess where the thresholds lie; None where there are none."""
    if not part.cuts:
        return None
    starts: list[Array] = []
    units: list[Array] = []
    for e in part.equations.values():
        y = responses[e.response]
        counts = np.array([np.sum(y == c) for c in e.codes[1:-1]])
        starts.append(np.log(np.maximum(np.diff(rough(e, y)["threshold"]), 0.05)))
        units.append(1.0 / np.sqrt(counts + 1.0))
    some = bool(part.free_gaps)
    return ThresholdArrays(
        np.concatenate(starts)[part.free_gaps] if some else None,
        np.concatenate(units)[part.free_gaps] if some else None,
        raw_arrays(part.population, part.priors, part.constant_of, responses),
        located([p for k, p in enumerate(part.priors) if k not in part.held]),
    )


def relative(pm: Any, part: Thresholds, data: ThresholdArrays | None) -> Any:
    """Add the thresholds to the graph relative to their middle one; None where there are none."""
    if data is None:
        return None
    pieces: list[Any] = []
    if data.start is not None:
        log_gaps = data.start + data.unit * pm.Flat("gaps", shape=len(part.free_gaps))
        pm.Potential("gaps_jacobian", log_gaps.sum())
        pieces.append(pm.math.exp(log_gaps))
    if part.held_gaps:
        pieces.append(np.array(list(part.held_gaps.values())))
    if not pieces:
        return pm.math.as_tensor(np.zeros(len(part.cuts)))
    order = [*part.free_gaps, *part.held_gaps]
    return pm.math.as_tensor(pm.math.dot(part.from_gaps[:, order], joined(pm, pieces)))


def held_constants(
    pm: Any, part: Thresholds, data: ThresholdArrays | None, relative: Any, slopes: Any
) -> dict[int, Any]:
    """Return the constants that follow from thresholds that are held, by place."""
    if data is None or data.raw is None or not part.held:
        return {}
    raw = data.raw.at(pm, slopes)
    return {part.constant_of[k]: relative[k] + raw[k] - v for k, v in part.held.items()}


def add_threshold_priors(
    pm: Any,
    part: Thresholds,
    data: ThresholdArrays | None,
    relative: Any,
    constants: Any,
    slopes: Any,
) -> None:
    """Add the priors of the thresholds that are not held."""
    if data is None or data.raw is None or data.prior is None:
        return
    some = [k for k in range(len(part.cuts)) if k not in part.held]
    at = relative - constants[np.array(part.constant_of)] + data.raw.at(pm, slopes)
    standard = (at[np.array(some)] - data.prior.location) / data.prior.scale
    add_priors(pm, "thresholds", [part.priors[k].distribution for k in some], standard)


def relative_draws(
    part: Thresholds, data: ThresholdArrays | None, draws: Mapping[str, Array]
) -> Array:
    """Return draws of the thresholds relative to their middle one, (chain, draw, cuts)."""
    sizes = np.zeros((*shape_of(draws), part.from_gaps.shape[1]))
    if data is not None and data.start is not None and data.unit is not None:
        sizes[..., part.free_gaps] = np.exp(data.start + data.unit * draws["gaps"])
    sizes[..., list(part.held_gaps)] = list(part.held_gaps.values())
    return sizes @ part.from_gaps.T

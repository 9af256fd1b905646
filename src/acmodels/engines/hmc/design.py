"""A component of a model, laid out for the sampler: equations that rest on each other."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acmodels.engines.hmc.chart import Chart
from acmodels.engines.hmc.places import Arrays
from acmodels.engines.hmc.products import moving
from acmodels.priors import Priors
from acmodels.system import EquationLayout, Layout
from acmodels.system.arrays import Array
from acmodels.system.terms import terms


@dataclass(frozen=True)
class Monotonic:
    """A monotonic effect: its name, those of its shares, and places of coordinates in x.

    Attributes:
        name: of the mean step.
        shares: names.
        steps: positions of its columns.
        b, sticks: place of the mean step, and of the first stick.
    """

    name: str
    shares: tuple[str, ...]
    steps: tuple[int, ...]
    b: int
    sticks: int


@dataclass(frozen=True)
class Parts:
    """Say where an equation's coordinates lie, and what they stand for.

    Attributes:
        equation: itself.
        turn: coefficients are `turn` times the coordinates, (p, p).
        free: positions of the columns whose coefficients are sampled.
        raw: positions of the steps of monotonic effects.
        held: coefficients that are not, with their values.
        means, mean_offset: of predictors, `free` and `raw`, and the offset, taken out.
        slope0, constant, cut0, par0: places in x; -1 for no constant.
        lin_at: place of linear parameters in V.
        numbers: names of the residual sd and the family's numbers.
        bounds: of these.
        rhos: of those that are this times the sinh of their coordinate; 0 of others.
        monotonic: its monotonic effects.
        shear: pairs of places in V, with weights: the sum of their products is the difference of
            the constant's coordinate, or of the middle threshold's less it, from the constant.
    """

    equation: EquationLayout
    turn: Array
    free: tuple[int, ...]
    raw: tuple[int, ...]
    held: tuple[tuple[str, float], ...]
    means: Array
    mean_offset: float
    slope0: int
    constant: int
    cut0: int
    par0: int
    lin_at: int
    numbers: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]
    rhos: tuple[float, ...]
    monotonic: tuple[Monotonic, ...]
    shear: tuple[tuple[int, int, float], ...] = ()


@dataclass(frozen=True)
class Residual:
    """Equations whose residuals correlate.

    Attributes:
        members: positions of the equations.
        at: place in x of the correlations.
        root: place in V of the root of the covariance.
        waves: 1 where it is of first waves, 0 of all others, -1 of both.
    """

    members: tuple[int, ...]
    at: int
    root: int
    waves: int


@dataclass(frozen=True)
class Level:
    """A block of the density: group effects, a cause that is not measured, or missing values.

    Attributes:
        J, K: levels, and effects of each.
        block: position among the layout's blocks, or None.
        missing: position among the layout's variables with missing values, or None.
    """

    J: int
    K: int
    block: int | None = None
    missing: int | None = None


@dataclass(frozen=True)
class Design:
    """A component: equations that share group effects or rest on each other, with their arrays.

    Attributes:
        layout, priors: of the model.
        parts: by equation.
        levels: by block of the density.
        bases: by block, effects as written in terms of those that are sampled, or None.
        residual: sets of equations whose residuals correlate.
        rough: by variable with missing values, what columns hold in their place.
        arrays: what the density reads; info, score and rho are set when the mode is found.
        start: coordinates to start from.
        unit: rough size of each coordinate.
        walls: places of sds in x that are sampled.
        frozen: coordinates that are held, (D,).
        chart: joint coordinates of states, or None where each block has its own.
    """

    layout: Layout
    priors: Priors
    parts: tuple[Parts, ...]
    levels: tuple[Level, ...]
    bases: tuple[Array | None, ...]
    residual: tuple[Residual, ...]
    rough: Mapping[str, Array]
    arrays: Arrays
    start: Array
    unit: Array
    walls: NDArray[np.int64]
    frozen: NDArray[np.bool_]
    chart: Chart | None = None


def components(layout: Layout) -> list[tuple[list[int], list[int]]]:
    """Group equations that share group effects or residuals, or rest on each other's quantities.

    Returns:
        Positions of the equations, those first that others rest on, and of the blocks of each
        component.
    """
    place = {r: i for i, r in enumerate(layout.responses)}
    home = list(range(len(layout.equations)))
    together = [[place[m.response] for m in b.members] for b in layout.blocks]
    together += [list(r) for r in layout.residual]
    if layout.confounder is not None:
        together.append([place[r] for r in layout.confounder.loadings])
    for i, e in enumerate(layout.equations):
        found = [f.source for t in terms(layout, e.response) for f in moving(layout, t)]
        together += [[i, s.equation] for s in found if s.equation is not None]
        known = (s.missing for t in terms(layout, e.response) for s in t.sources)
        cells = [layout.missing[n].equation for n in known if n is not None]
        together += [[i, j] for j in cells]
    for these in together:
        mine = sorted({home[i] for i in these})
        home = [mine[0] if h in mine else h for h in home]
    out: list[tuple[list[int], list[int]]] = []
    for h in dict.fromkeys(home):
        blocks = [b for b, x in enumerate(layout.blocks) if home[place[x.members[0].response]] == h]
        out.append(([i for i in layout.order if home[i] == h], blocks))
    return out

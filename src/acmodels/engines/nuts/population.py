"""The population-level part: coefficients, and the constants of equations.

Coefficients are sampled along directions, and in units, that a rough fit gives. Constants
(intercepts, or what stands for the thresholds of an ordered response) are sampled at the
predictors' means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from acmodels.engines.nuts.arrays import Located
from acmodels.engines.nuts.forms import LOCATED, POSITIVE, add_priors, joined, shape_of
from acmodels.engines.nuts.rows import Stack
from acmodels.engines.nuts.start import Start, start
from acmodels.priors import Prior
from acmodels.spec.parameters import coefficient
from acmodels.system import EquationLayout, Layout, Responses
from acmodels.system.arrays import Array, Index
from acmodels.system.columns import design_matrix
from acmodels.system.terms import Term, slopes
from acmodels.system.versions import Versions


@dataclass(frozen=True)
class Monotonic:
    """A monotonic effect: the names of its shares, and places of its steps among the slopes."""

    shares: tuple[str, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Population:
    """What the population-level part is made of, in the graph's order.

    Attributes:
        stack: the equations.
        slopes: every coefficient but the intercepts, with the position of its equation.
        free: names of the coefficients that slopes are made of: their own, or of all steps of a
            monotonic effect their mean; without those that are held.
        held: likewise, those that are held at a value.
        loadings: names of loadings, which have one sign each, without those that are held.
        free_of: for each slope, the place of what it is made of among `free`, `held` and
            `loadings`, in this order.
        monotonic: the monotonic effects.
        constants: positions of the equations with a constant: an intercept, or thresholds. For
            thresholds it is minus the middle one, at the predictors' means.
        plain: places among `constants` of those that are intercepts and have their prior.
    """

    stack: Stack
    slopes: tuple[tuple[int, Term], ...]
    free: tuple[str, ...]
    held: tuple[str, ...]
    loadings: tuple[str, ...]
    free_of: tuple[int, ...]
    monotonic: tuple[Monotonic, ...]
    constants: tuple[int, ...]
    plain: tuple[int, ...]

    @property
    def place(self) -> Mapping[tuple[int, int], int]:
        """By equation and column, the place of a coefficient among the slopes."""
        return {(i, t.position or 0): p for p, (i, t) in enumerate(self.slopes)}

    def of(self, i: int) -> list[int]:
        """Places of an equation's slopes."""
        return [p for p, (q, _) in enumerate(self.slopes) if q == i]

    @property
    def slope_priors(self) -> list[Prior]:
        """Priors of `free`."""
        return [self.stack.priors[name] for name in self.free]

    @property
    def loading_priors(self) -> list[Prior]:
        """Priors of `loadings`."""
        return [self.stack.priors[name] for name in self.loadings]

    @property
    def intercept_priors(self) -> list[Prior]:
        """Priors of the intercepts in `plain`."""
        equations = (self.stack.layout.equations[self.constants[j]] for j in self.plain)
        return [self.stack.priors[e.coefficient(e.columns[0])] for e in equations]

    @property
    def held_values(self) -> Array:
        """Where the coefficients in `held` are held."""
        return np.array([self.stack.priors[n].held for n in self.held], dtype=np.float64)

    @property
    def held_intercepts(self) -> Mapping[int, float]:
        """By place among `plain`, the value at which a raw intercept is held."""
        return {k: p.held for k, p in enumerate(self.intercept_priors) if p.held is not None}


@dataclass(frozen=True)
class Directions:
    """Of the coefficients that are sampled: a rough fit, a root of its covariance, the priors.

    `sums` is what the priors are on in terms of the coefficients, None where on themselves.
    """

    start: Array
    root: Array
    prior: Located
    sums: Array | None


@dataclass(frozen=True)
class Loadings:
    """Of the loadings that are sampled, by the log of their size: a rough fit, signs, the priors.

    Attributes:
        start, unit: rough logs and their errors.
        sign: 1, or -1 of reversed items.
        prior: location and scale.
    """

    start: Array
    unit: Array
    sign: Array
    prior: Located


@dataclass(frozen=True)
class Constants:
    """Of the constants that are sampled: a rough fit and its standard errors."""

    start: Array
    unit: Array


@dataclass(frozen=True)
class Raw:
    """What lies between constants at the predictors' means and what priors of raw ones are on.

    `offset` plus `shift` times the slopes.
    """

    offset: Array
    shift: Array | None

    def at(self, pm: Any, slopes: Any) -> Any:
        """Work it out in the graph."""
        if self.shift is None:
            return self.offset
        return self.offset + pm.math.dot(self.shift, slopes)


@dataclass(frozen=True)
class Flat:
    """The designs of all equations entry by entry: many small ones in few nodes of the graph.

    Attributes:
        row: of the graph.
        slope: place of the coefficient.
        value: what it is multiplied by.
    """

    row: Index
    slope: Index
    value: Array


@dataclass(frozen=True)
class PopulationArrays:
    """What the population-level part reads.

    Attributes:
        design: by equation, predictors on the graph's rows, centered beside a constant; empty
            where `flat` holds them.
        flat: all of them, where there are items, each with an equation of its own; else None.
        offset: on all rows, less its mean beside a constant.
        constant_of_row: the place of each row's constant, from 1; 0 for none.
        slopes, loadings, constants, raw, prior: of coefficients and constants; `raw` of all
            intercepts, `prior` of those that are sampled.
    """

    design: Mapping[int, Array]
    flat: Flat | None
    offset: Array
    constant_of_row: Array | None
    slopes: Directions | None
    loadings: Loadings | None
    constants: Constants | None
    raw: Raw | None
    prior: Located | None


# --- the plan and its arrays -----------------------------------------------------------------


def make_population(stack: Stack) -> Population:
    """Lay out coefficients and constants."""
    layout, priors = stack.layout, stack.priors
    found = tuple(
        (i, t)
        for i in stack.order
        for t in slopes(layout, layout.equations[i].response)
        if not t.intercept
    )
    of: list[str] = []
    steps: dict[str, tuple[tuple[str, ...], list[int]]] = {}
    for place, (i, t) in enumerate(found):
        e = layout.equations[i]
        effect = next((x for x, places in e.monotonic.items() if t.position in places), None)
        of.append(t.parameter if effect is None else coefficient(e.response, effect))
        if effect is not None:
            steps.setdefault(of[-1], (e.shares(effect), []))[1].append(place)
    names = list(dict.fromkeys(of))
    own = {t.parameter for i, t in found if layout.equations[i].loaded(t.column) is not None}
    held = [n for n in names if priors[n].held is not None]
    loadings = [n for n in names if n in own and n not in held]
    free = [n for n in names if n not in held and n not in own]
    at = {n: k for k, n in enumerate([*free, *held, *loadings])}
    constants = tuple(i for i in stack.order if layout.equations[i].has_constant)
    plain = [j for j, i in enumerate(constants) if layout.equations[i].intercept is not None]
    return Population(
        stack, found, tuple(free), tuple(held), tuple(loadings), tuple(at[n] for n in of),
        tuple(Monotonic(n, tuple(p)) for n, p in steps.values()), constants, tuple(plain),
    )  # fmt: skip


def centered(e: EquationLayout, X: Array) -> tuple[Array, Array, float]:
    """Return a design without the intercept, centered beside a constant, with what was taken off.

    Args:
        e: the equation.
        X: its design, (n, p).

    Returns:
        The design, its columns' means, and the mean of the offset.
    """
    if not e.has_constant:
        return X, np.zeros(X.shape[1]), 0.0
    rest = X[:, int(e.intercept is not None) :]
    means = rest.mean(axis=0)
    return rest - means, means, float(e.offset.mean())


def means(part: Population, responses: Responses) -> tuple[Array, Array]:
    """Take means of predictors, (constants, slopes), and of offsets, (constants,)."""
    layout = part.stack.layout
    shift, offset = np.zeros((len(part.constants), len(part.slopes))), np.zeros(len(part.constants))
    for j, i in enumerate(part.constants):
        e = layout.equations[i]
        _, shift[j, part.of(i)], offset[j] = centered(e, design_matrix(layout, e, responses))
    return shift, offset


def raw_arrays(
    part: Population, priors: Sequence[Prior], of: Sequence[int], responses: Responses
) -> Raw | None:
    """Say what lies between constants and what some priors are on.

    Args:
        part: coefficients and constants.
        priors: of intercepts or thresholds.
        of: the place of the constant that each belongs to.
        responses: the data.
    """
    if not priors:
        return None
    shift, offset = means(part, responses)
    at = list(of)
    weights = [[dict(p.on).get(t.parameter, 0.0) for _, t in part.slopes] for p in priors]
    offset = offset[at] - np.array([p.constant for p in priors])
    return Raw(offset, shift[at] - np.array(weights) if part.slopes else None)


def located(priors: Sequence[Prior]) -> Located | None:
    """Location and scale of some priors, None for none."""
    if not priors:
        return None
    d = [p.distribution for p in priors]
    return Located(np.array([x.location for x in d]), np.array([x.scale for x in d]))


def population_arrays(
    part: Population, free: Sequence[int], responses: Responses, versions: Versions
) -> PopulationArrays:
    """Read predictors and offsets, and fit roughly.

    Args:
        part: coefficients and constants.
        free: places of the constants that are sampled.
        responses: the data.
        versions: the same with every value of discrete missing ones.
    """
    stack = part.stack
    design: dict[int, Array] = {}
    offsets: list[Array] = []
    for i in stack.order:
        e = stack.layout.equations[i]
        _, mean, mean_offset = centered(e, design_matrix(stack.layout, e, responses))
        if len(mean):
            design[i] = versions.spread(i, partial(_less_means, i=i, means=mean))
        offsets.append(versions.spread(i, partial(_offset, i=i)) - mean_offset)
    of_row = None
    if part.constants and len(stack.order) > 1:
        place = {i: j + 1 for j, i in enumerate(part.constants)}
        of_row = np.concatenate([np.full(stack.count(i), place.get(i, 0)) for i in stack.order])
    flat = _flat(part, design) if stack.layout.measures else None
    directions, loadings, constants = _rough(part, responses)
    at = list(free)
    sampled = [p for k, p in enumerate(part.intercept_priors) if k not in part.held_intercepts]
    return PopulationArrays(
        design if flat is None else {},
        flat,
        np.concatenate(offsets),
        of_row,
        directions,
        loadings,
        Constants(constants[at, 0], constants[at, 1]) if at else None,
        raw_arrays(part, part.intercept_priors, part.plain, responses),
        located(sampled),
    )


def _flat(part: Population, design: Mapping[int, Array]) -> Flat:
    """Put designs one after the other, entry by entry."""
    found: list[tuple[Index, Index, Array]] = []
    for i, X in design.items():
        rows = part.stack.first[i] + np.arange(len(X), dtype=np.int64)
        places = np.array(part.of(i), dtype=np.int64)
        found.append((np.repeat(rows, X.shape[1]), np.tile(places, len(X)), X.ravel()))
    row, slope, value = (np.concatenate(x) for x in zip(*found, strict=True))
    return Flat(row, slope, value)


def _less_means(layout: Layout, responses: Responses, i: int, means: Array) -> Array:
    e = layout.equations[i]
    first = int(e.intercept is not None)
    return design_matrix(layout, e, responses)[:, first:] - means


def _offset(layout: Layout, responses: Responses, i: int) -> Array:
    del responses
    return layout.equations[i].offset


def _sums(part: Population) -> Array | None:
    """Return what slopes' priors are on, in terms of `free`; None where on themselves."""
    if not any(p.on for p in part.slope_priors):
        return None
    out = np.eye(len(part.free))
    for k, p in enumerate(part.slope_priors):
        if p.on:
            out[k] = 0.0
            for other, weight in p.on:
                out[k, part.free.index(other)] = weight
    return out


def _rough(
    part: Population, responses: Responses
) -> tuple[Directions | None, Loadings | None, Array]:
    """Fit every equation roughly: its coefficients, and its constant and standard error."""
    layout = part.stack.layout
    prior = located(part.slope_priors) or Located(np.zeros(0), np.zeros(0))
    sums = _sums(part)
    root_precision = np.diag(1 / prior.scale)
    if sums is not None:
        root_precision = root_precision @ sums
    pull = root_precision.T @ (prior.location / prior.scale)
    precision = root_precision.T @ root_precision
    at, root = np.zeros(len(part.free)), np.zeros((len(part.free), len(part.free)))
    constants = np.zeros((len(part.constants), 2))
    held = dict(enumerate(part.held_values, len(part.free)))
    row = 0
    loaded: dict[str, tuple[float, float]] = {}
    for i in part.stack.order:
        e = layout.equations[i]
        if e.measured:
            found, mean_offset = _rough_item(part, i, responses, loaded)
            if found.intercept is not None:
                value, error = found.intercept
                constants[part.constants.index(i)] = value + mean_offset, error
            continue
        X, _, mean_offset = centered(e, design_matrix(layout, e, responses))
        mine = [part.free_of[p] for p in part.of(i)]
        known = np.array([held.get(k, 0.0) for k in mine])
        free = [k for k in sorted(set(mine)) if k not in held]
        whole = replace(e, offset=e.offset + X @ known) if known.any() else e
        # steps of a monotonic effect as their sum
        X = X @ (np.array(mine)[:, None] == np.array(free)) if free else X[:, :0]
        rows = slice(row, row + X.shape[1])
        row += X.shape[1]
        found = start(whole, X, responses[e.response], pull[rows], precision[rows, rows])
        at[rows], root[rows, rows] = found.slopes, found.root
        if found.intercept is not None:
            value, error = found.intercept
            constants[part.constants.index(i)] = value + mean_offset, error
    return (
        (Directions(at, root, prior, sums) if part.free else None),
        _loadings(part, loaded),
        constants,
    )


LEAST, MOST = 0.3, 3.0
"""Where sampling of a loading starts, in units of its prior's scale."""


def _rough_item(
    part: Population, i: int, responses: Responses, loaded: dict[str, tuple[float, float]]
) -> tuple[Start, float]:
    """Fit an item roughly on rough values of its constructs; keep its loadings and their errors."""
    layout = part.stack.layout
    e = layout.equations[i]
    X, _, mean_offset = centered(e, design_matrix(layout, e, responses))
    names = [part.slopes[p][1].parameter for p in part.of(i)]
    priors = [part.stack.priors[n] for n in names]
    held = np.array([0.0 if p.held is None else p.held for p in priors])
    free = np.array([p.held is None for p in priors], dtype=bool)
    whole = replace(e, offset=e.offset + X @ held)
    at = located([p for p in priors if p.held is None]) or Located(np.zeros(0), np.ones(0))
    pull = at.location / at.scale**2
    found = start(whole, X[:, free], responses[e.response], pull, np.diag(1 / at.scale**2))
    errors = np.sqrt((found.root**2).sum(axis=1))
    free_names = [n for n, f in zip(names, free, strict=True) if f]
    for name, value, error, scale in zip(free_names, found.slopes, errors, at.scale, strict=True):
        sign = -1.0 if part.stack.priors[name].upper <= 0 else 1.0
        size = float(np.clip(sign * value, LEAST * scale, MOST * scale))
        loaded[name] = (size, float(np.clip(error / size, 0.02, 0.5)))
    return found, mean_offset


def _loadings(part: Population, loaded: Mapping[str, tuple[float, float]]) -> Loadings | None:
    prior = located(part.loading_priors)
    if prior is None:
        return None
    sign = [-1.0 if p.upper <= 0 else 1.0 for p in part.loading_priors]
    start_ = np.log([loaded[n][0] for n in part.loadings])
    return Loadings(start_, np.array([loaded[n][1] for n in part.loadings]), np.array(sign), prior)


# --- the graph -------------------------------------------------------------------------------


def coefficients(pm: Any, part: Population, data: PopulationArrays) -> Any:
    """Add the slopes to the graph, with their priors; None where there are none."""
    if not part.slopes:
        return None
    found: Any = np.zeros(0)
    d = data.slopes
    if d is not None:
        found = d.start + pm.math.dot(d.root, pm.Flat("slopes", shape=len(part.free)))
        sums = found if d.sums is None else pm.math.dot(d.sums, found)
        priors = [p.distribution for p in part.slope_priors]
        add_priors(pm, "slopes", priors, (sums - d.prior.location) / d.prior.scale)
    if part.held:
        found = pm.math.concatenate([found, part.held_values])
    if data.loadings is not None:
        found = pm.math.concatenate([found, _sampled_loadings(pm, part, data.loadings)])
    if part.held or part.monotonic or part.loadings:
        found = found[np.array(part.free_of)] * _step_factors(pm, part)
    return found


def _sampled_loadings(pm: Any, part: Population, data: Loadings) -> Any:
    """Add loadings by the logs of their sizes, so that they keep their signs."""
    logs = data.start + data.unit * pm.Flat("loadings", shape=len(part.loadings))
    values = data.sign * pm.math.exp(logs)
    pm.Potential("loadings_jacobian", logs.sum())
    standard = (values - data.prior.location) / data.prior.scale
    priors = [p.distribution for p in part.loading_priors]
    add_priors(pm, "loadings", priors, standard, {**LOCATED, **POSITIVE})
    return values


def _step_factors(pm: Any, part: Population) -> Any:
    """Return what the mean step is multiplied by for each slope: 1, or share times number."""
    shares: list[Any] = [np.ones(1)]
    place = np.zeros(len(part.slopes), dtype=np.int64)
    first = 1
    for n, m in enumerate(part.monotonic):
        priors = [part.stack.priors[x] for x in m.shares]
        size = len(priors)
        if priors[0].held is not None:
            shares.append(size * np.array([p.held for p in priors], dtype=np.float64))
        else:
            alpha = priors[0].distribution.parameters["alpha"]
            shares.append(size * pm.Dirichlet(f"shares_{n}", np.full(size, alpha)))
        place[list(m.steps)] = first + np.arange(size)
        first += size
    return pm.math.concatenate(shares)[place]


def constants(
    pm: Any,
    part: Population,
    data: PopulationArrays,
    slopes: Any,
    free: Sequence[int],
    known: Mapping[int, Any],
) -> Any:
    """Add constants at the predictors' means, with the priors of those that are intercepts.

    A stated prior is on the raw intercept, which is the centered one less the predictors'
    means times the slopes; a default one on the expected response where its weights have the
    predictors.

    Args:
        pm: the PyMC module.
        part: coefficients and constants.
        data: its arrays.
        slopes: in the graph.
        free: places of the constants that are sampled.
        known: by place, constants that follow from thresholds that are held.
    """
    if not part.constants:
        return None
    pieces: list[Any] = []
    if data.constants is not None:
        z = pm.Flat("intercepts", shape=len(free))
        pieces.append(data.constants.start + data.constants.unit * z)
    raw = None if data.raw is None else data.raw.at(pm, slopes)
    held = {
        part.plain[k]: (raw[k] + v).reshape((1,)) for k, v in part.held_intercepts.items()
    } if raw is not None else {}  # fmt: skip
    held |= {j: v.reshape((1,)) for j, v in known.items()}
    found = joined(pm, [*pieces, *held.values()])
    if held:
        found = found[np.argsort([*free, *held])]
    if data.prior is not None and raw is not None:
        some = [k for k in range(len(part.plain)) if k not in part.held_intercepts]
        standard = found[np.array([part.plain[k] for k in some])]
        standard = (standard - data.prior.location - raw[np.array(some)]) / data.prior.scale
        priors = [part.intercept_priors[k].distribution for k in some]
        add_priors(pm, "intercepts", priors, standard)
    return found


def predictor(
    pm: Any, part: Population, data: PopulationArrays, slopes: Any, constants: Any
) -> Any:
    """Return offsets plus the population-level part over the stacked rows."""
    eta: Any = data.offset
    if slopes is not None and data.flat is not None:
        from pytensor import tensor as pt

        rows = sum(part.stack.count(i) for i in part.stack.order)
        added = slopes[data.flat.slope] * data.flat.value
        eta = eta + pt.inc_subtensor(pt.zeros(rows)[data.flat.row], added)
    elif slopes is not None:
        place = {i: part.of(i) for i in part.stack.order}
        pieces = [
            pm.math.dot(data.design[i], slopes[place[i][0] : place[i][-1] + 1])
            if place[i]
            else np.zeros(part.stack.count(i))
            for i in part.stack.order
        ]
        eta = eta + joined(pm, pieces)
    if constants is None:
        return eta
    if data.constant_of_row is None:
        return eta + constants[0]
    return eta + pm.math.concatenate([np.zeros(1), constants])[data.constant_of_row]


# --- draws -----------------------------------------------------------------------------------


def coefficient_draws(
    part: Population, data: PopulationArrays, draws: Mapping[str, Array]
) -> tuple[Array, dict[str, Array]]:
    """Return all slopes, (chain, draw, slopes), and these and their shares by name."""
    shape = shape_of(draws)
    found = np.zeros((*shape, 0))
    if data.slopes is not None:
        found = data.slopes.start + draws["slopes"] @ data.slopes.root.T
    known = np.broadcast_to(part.held_values, (*shape, len(part.held)))
    found = np.concatenate([found, known], axis=-1)
    if data.loadings is not None:
        d = data.loadings
        more = d.sign * np.exp(d.start + d.unit * draws["loadings"])
        found = np.concatenate([found, more], axis=-1)
    names = (*part.free, *part.held, *part.loadings)
    out = {name: found[..., k] for k, name in enumerate(names)}
    found = found[..., list(part.free_of)]
    for n, m in enumerate(part.monotonic):
        held = [part.stack.priors[x].held for x in m.shares]
        share = draws.get(f"shares_{n}")
        if share is None:
            share = np.broadcast_to(np.array(held, dtype=np.float64), (*shape, len(held)))
        found[..., list(m.steps)] *= len(held) * share
        out |= {name: share[..., k] for k, name in enumerate(m.shares)}
    out |= {t.parameter: found[..., p] for p, (_, t) in enumerate(part.slopes)}
    return found, out


def constant_draws(
    part: Population,
    data: PopulationArrays,
    draws: Mapping[str, Array],
    free: Sequence[int],
    raw: Mapping[int, Array | float],
    shift: Array,
) -> Array:
    """Return constants at the predictors' means, (chain, draw, constants).

    Args:
        part: coefficients and constants.
        data: its arrays.
        draws: of what is sampled.
        free: places of the constants that are sampled.
        raw: by place, raw constants that follow from thresholds that are held.
        shift: what constants are above raw ones, (chain, draw, constants).
    """
    out = np.zeros((*shape_of(draws), len(part.constants)))
    if data.constants is not None:
        out[..., list(free)] = data.constants.start + data.constants.unit * draws["intercepts"]
    known = {part.plain[k]: v for k, v in part.held_intercepts.items()} | dict(raw)
    for j, value in known.items():
        out[..., j] = value + shift[..., j]
    return out

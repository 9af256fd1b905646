"""The collapsed engine at work: one data set by weighted points or walkers, or many at once."""

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from acmodels.engines import Batch, Sampling
from acmodels.engines.bridging import bridge, trusted
from acmodels.engines.collapsed.group_effects import group_effects
from acmodels.engines.collapsed.hyper import (
    Hyper,
    folds,
    hyper,
    inside,
    parameters,
    plain,
    unfold,
)
from acmodels.engines.collapsed.importance import (
    DF,
    Proposal,
    Target,
    effective,
    find_mode,
    laplace,
    log_density,
    log_mean,
    pareto_smooth,
    place,
    refit,
    resample,
    standard_points,
    threshold,
)
from acmodels.engines.collapsed.kernels.solving import coefficients
from acmodels.engines.collapsed.marginal import LAPACK_FROM, Problem, Values, density
from acmodels.engines.collapsed.metropolis import Moves, metropolis
from acmodels.engines.collapsed.mixed import Component, components, moments, raw_coefficients, rough
from acmodels.errors import EngineError
from acmodels.posterior import Deferred, Marginal, Posterior, SampledPart
from acmodels.priors import Priors, held_values
from acmodels.system import Layout, Responses
from acmodels.system import parameters as structural
from acmodels.system.arrays import Array

POINTS = ((4, 1024), (99, 4096))
"""Points of a single fit, up to so many coordinates, at which their density is evaluated."""
POINTS_LARGE = 480
"""The same where one evaluation takes milliseconds."""
POINTS_BATCH = ((4, 256), (99, 1024))
"""The same of a data set in a batch, where a caller does not say."""
LEAST = 100
"""Effective points below which a data set in a batch is fitted with more."""
LEAST_POINTS = 1024
"""Points that are added in each round."""
ENOUGH = 550
"""Effective points, of every mean and tail, that a single fit goes on for."""
ENOUGH_LARGE = 420
ROUNDS = 5
"""Rounds of points before the weights are given up."""
ROUNDS_RIDGES = 8
"""The same with latent means, whose coefficients have long tails that walkers are slow in."""
ROUNDS_MORE = 6
"""Further rounds where the weights can be used and are too few."""
FOLDED = 4
"""Group sds up to which all are folded, wherever the first data set puts them."""
FOLDED_MOST = 6
"""Group sds that are folded at most, those nearest to zero: each doubles the work."""
WALKERS = 25
"""Walkers a chain, where there are Metropolis steps."""
SEED = 1967
"""Of the points that batches share, made once."""
AWAY = 0.4
"""Group sds, in their units, at which a search for a mode begins, at least: the density is even in
them, so that zero is a peak or a pit."""
VERSIONS = 16
"""Sets of shifted Sobol points that data sets of a batch take turns with."""


@dataclass(frozen=True)
class Region:
    """One component and where its posterior lies, roughly.

    Attributes:
        hyper: its coordinates.
        start: where the search for a mode begins, (d,).
        curvature: minus the Hessian there, (d, d).
        folded: coordinates whose sign is summed out.
        flips: the sign changes, (F, d).
        scale: the rough size of each coordinate that the units come from, by parameter.
    """

    hyper: Hyper
    start: Array
    curvature: Array
    folded: tuple[int, ...]
    flips: Array
    scale: Mapping[str, float]

    @property
    def dense(self) -> int:
        """Dense columns of the component."""
        return len(self.hyper.component.structure.dense_equation)


@dataclass(frozen=True)
class PreparedCollapsed:
    """A Gaussian design, ready for any responses of it."""

    layout: Layout
    priors: Priors
    regions: tuple[Region, ...]
    seconds: dict[str, float]

    def onto(self, layout: Layout) -> "PreparedCollapsed":
        """Keep where the posteriors lie; arrange the equations on other rows."""
        made = components(layout, self.priors)
        regions = tuple(
            replace(region, hyper=hyper(c, layout, self.priors, region.scale))
            for region, c in zip(self.regions, made, strict=True)
        )
        return replace(self, layout=layout, regions=regions, seconds={})

    def sample(self, responses: Responses, seed: int, sampling: Sampling) -> Posterior:
        """Fit one data set. The draws do not depend on the number of cores.

        Raises:
            EngineError: the density is nowhere finite.
        """
        started = time.perf_counter()
        streams = np.random.SeedSequence(seed).spawn(len(self.regions))
        stack = {k: v[None] for k, v in responses.items()}
        apart = len(self.regions) > 1 and max(r.dense for r in self.regions) < LAPACK_FROM
        with _threads(sampling.cores) as threads:

            def one(task: tuple[Region, np.random.SeedSequence]) -> Found:
                inner = None if apart else threads
                return _single(*task, self.layout, self.priors, stack, sampling, inner)

            tasks = list(zip(self.regions, streams, strict=True))
            run = threads.map if apart and threads is not None else map
            found = list(run(one, tasks))
        values = {n: f.values[..., k] for f in found for k, n in enumerate(f.part.names)}
        shape = (sampling.chains, sampling.draws)
        values |= {n: np.full(shape, v) for n, v in held_values(self.priors).items()}
        names = tuple(p.name for p in structural(self.layout))
        keys = tuple(b.key for b in self.layout.blocks)

        def effects() -> dict[str, Array]:
            out = {k: v for f in found for k, v in f.effects().items()}
            return {k: out[k] for k in keys}

        seconds = {**self.seconds, "sample": time.perf_counter() - started}
        return Posterior(
            names,
            np.stack([values[n] for n in names], axis=-1),
            Deferred(keys, effects),
            "collapsed",
            seconds=seconds,
            parts=tuple(f.part for f in found),
        )

    def batch(
        self,
        stack: Responses,
        seeds: Sequence[int],
        draws: int,
        points: int | None = None,
        wanted: Collection[str] | None = None,
        *,
        alone: bool = False,
    ) -> Batch:
        """Fit R data sets at once, in the calling thread."""
        rngs = [np.random.default_rng(s) for s in seeds]
        parts = [
            _stacked(
                region,
                self.layout,
                self.priors,
                stack,
                rngs,
                draws,
                points,
                wanted if alone else None,
            )
            for region in self.regions
            if wanted is None or not set(wanted).isdisjoint(_names(region, self.layout))
        ]
        values = {n: p.values[..., k] for p in parts for k, n in enumerate(p.names)}
        shape = (len(seeds), draws)
        values |= {
            n: np.full(shape, v)
            for n, v in held_values(self.priors).items()
            if wanted is None or not alone or n in wanted
        }
        names = tuple(p.name for p in structural(self.layout) if p.name in values)
        k = np.max([p.k for p in parts], axis=0)
        return Batch(
            names,
            np.stack([values[n] for n in names], axis=-1),
            k,
            np.min([p.ess for p in parts], axis=0),
            np.all([p.trusted for p in parts], axis=0),
            np.sum([p.log_marginal for p in parts], axis=0),
        )


def prepare(layout: Layout, priors: Priors, responses: Responses) -> PreparedCollapsed:
    """Arrange the equations as linear mixed models and find where their posteriors lie."""
    started = time.perf_counter()
    regions = tuple(_region(c, layout, priors, responses) for c in components(layout, priors))
    return PreparedCollapsed(layout, priors, regions, {"prepare": time.perf_counter() - started})


def _region(component: Component, layout: Layout, priors: Priors, responses: Responses) -> Region:
    made = moments(component, layout, priors, {k: v[None] for k, v in responses.items()})
    spread, conditioned = rough(component, layout, responses)
    scale: dict[str, float] = {}
    for e, i in enumerate(component.equations):
        scale[layout.equations[i].sigma] = float(spread[e])
    place_of = {layout.equations[i].response: e for e, i in enumerate(component.equations)}
    effects = [x for g in component.groupings for x in g.effects]
    for (b, k), size in zip(effects, made.sizes[0], strict=True):
        m = layout.blocks[b].members[k]
        of = float(spread[place_of[m.response]])
        scale[layout.blocks[b].sd(m)] = of / float(size) if size > 0 else of
    for (e, k), (_, unit) in zip(component.copies.conditioned, conditioned, strict=True):
        q = layout.equations[component.equations[e]]
        scale[q.coefficient(q.columns[k])] = float(unit)
    h = hyper(component, layout, priors, scale)
    start = np.zeros(h.size)
    start[list(h.conditioned)] = conditioned[:, 0] / conditioned[:, 1]
    start[list(h.signed)] = AWAY
    start[[i for i in h.sigmas.values() if i >= 0]] = 0.9
    if not h.size:
        return Region(h, start, np.zeros((0, 0)), (), np.ones((1, 0)), scale)
    problem = Problem(h, made)
    mode = find_mode(_target(problem), start[None], lambda x: unfold(h, x))
    sd = 1 / np.sqrt(np.maximum(np.diagonal(mode.curvature[0]), 0.05))
    order = sorted(h.signed, key=lambda i: float(mode.at[0, i] / sd[i]))
    near = tuple(i for i in order if mode.at[0, i] < 5 * sd[i])[:FOLDED_MOST]
    folded = h.signed if len(h.signed) <= FOLDED else near  # other data sets may differ
    at = mode.at[0].copy()
    at[list(h.signed)] = np.maximum(at[list(h.signed)], AWAY)  # at zero no slope leads to a mode
    return Region(h, at, mode.curvature[0], folded, folds(h, folded), scale)


def _target(problem: Problem) -> Target:
    return lambda x, which: density(problem, x, which, bare=True).log


LEAST_BRIDGE = 2000
"""Draws of the proposal from which a marginal likelihood is bridged."""


@dataclass(frozen=True)
class Weighted:
    """Weighted points of one data set.

    Attributes:
        x: coordinates, (1, N, d).
        values: the density there.
        log_weights: normalized, (1, N).
        k, ess: of the weights.
        rounds: proposals used.
        log_marginal: log of the mean weight.
    """

    x: Array
    values: Values
    log_weights: Array
    k: float
    ess: float
    rounds: int
    log_marginal: float

    @property
    def trusted(self) -> bool:
        """Say whether the weights can be used."""
        return self.k < threshold(self.x.shape[1])


def _adapt(
    problem: Problem,
    region: Region,
    first: Proposal,
    which: np.ndarray,
    n: int,
    enough: float,
    rng: np.random.Generator,
) -> Weighted:
    """Importance sampling of one data set, with more rounds where the weights want them.

    A round adds points of a proposal fitted to all weighted points so far; points of all rounds
    share the mixture of all proposals as their density (Cornuet, Marin, Mira & Robert, 2012).
    """
    h = region.hyper
    proposals = [first]
    xs: list[Array] = []
    found: list[Values] = []
    allowed: list[np.ndarray] = []
    known = np.empty((0, 1, 0))  # log densities of proposals at points
    while True:
        q = proposals[-1]
        x = place(q, standard_points(n, h.size, 1, rng))
        allowed.append(inside(h, x, region.folded))
        x = unfold(h, x)
        xs.append(x)
        found.append(density(problem, x, which))
        x = np.concatenate(xs, axis=1)
        values = _joined(found)
        here = [log_density(p, xs[-1], region.flips) for p in proposals[:-1]]
        if here:
            known = np.concatenate([known, np.stack(here)], axis=2)
        everywhere = log_density(q, x, region.flips)[None]
        known = np.concatenate([known, everywhere]) if here else everywhere
        top = known.max(axis=0)
        log_q = top + np.log(np.mean(np.exp(known - top), axis=0))
        lw = np.where(np.concatenate(allowed, axis=1), values.log - log_q, -np.inf)
        smooth, k = pareto_smooth(lw)
        done = Weighted(
            x, values, smooth, float(k[0]), float(effective(smooth)[0]), len(proposals),
            float(log_mean(lw)[0]),
        )  # fmt: skip
        if done.trusted and done.ess >= enough and _least(h, done) >= enough:
            return done
        most = ROUNDS_RIDGES if h.ridges else ROUNDS
        if len(proposals) >= most + (ROUNDS_MORE if done.trusted else 0):
            return done
        proposals.append(refit(x, _tempered(smooth, 20.0 * h.size)))


def _least(h: Hyper, w: Weighted) -> float:
    """Smallest effective number of points, over parameters, for their mean and either tail.

    For a function f of the points it is var(f) over the variance of its weighted mean,
    sum w^2 (f - mean)^2 (Owen, 2013, section 9.3).
    """
    weights = np.exp(w.log_weights[0])
    f = parameters(h, w.x[0])
    order = np.argsort(f, axis=0)
    below = np.cumsum(weights[order], axis=0)
    low, high = (
        np.take_along_axis(f, order, 0)[np.argmax(below >= p, axis=0), range(f.shape[1])]
        for p in (0.05, 0.95)
    )
    each = np.concatenate([f, f <= low, f <= high], axis=1)
    away = (each - weights @ each) ** 2
    return float(np.min((weights @ away) / np.maximum(weights**2 @ away, 1e-300)))


def _joined(found: Sequence[Values]) -> Values:
    return Values(
        np.concatenate([v.log for v in found], axis=1),
        np.concatenate([v.mean for v in found], axis=1),
        np.concatenate([v.root for v in found], axis=1),
    )


def _tempered(log_weights: Array, least: float) -> Array:
    """Weights flattened until enough points count to fit a proposal to."""
    out = log_weights
    for power in (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05):
        out = log_weights * power
        out = out - (out.max() + np.log(np.sum(np.exp(out - out.max()))))
        if effective(out)[0] >= least:
            break
    return out


@dataclass(frozen=True)
class Found:
    """A component of one data set, sampled.

    Attributes:
        part: how.
        values: of its structural parameters, (chain, draw, names).
        effects: draws its group effects, by block key, (chain, draw, J, K).
    """

    part: SampledPart
    values: Array
    effects: Callable[[], dict[str, Array]]


def _single(
    region: Region,
    seed: np.random.SeedSequence,
    layout: Layout,
    priors: Priors,
    stack: Responses,
    sampling: Sampling,
    threads: Executor | None,
) -> Found:
    h = region.hyper
    rng = np.random.default_rng(seed)
    shape = (sampling.chains, sampling.draws)
    problem = Problem(h, moments(h.component, layout, priors, stack), threads)
    names = _names(region, layout)
    if not h.size:
        weighted = _exact(problem)
        points = np.zeros((1, shape[0] * shape[1]), dtype=np.int64)
        part = SampledPart(names, "exact", marginal=Marginal(names, weighted.log_marginal))
    else:
        weighted = _importance(problem, region, rng)
        points = resample(weighted.log_weights, rng.random((1, 1 + shape[0] * shape[1])))
        error = np.sqrt(max(1 / weighted.ess - 1 / weighted.x.shape[1], 0.0))
        part = SampledPart(
            names, "importance", points[0].reshape(shape), weighted.k,
            threshold(weighted.x.shape[1]), weighted.ess, weighted.rounds,
            Marginal(names, weighted.log_marginal, float(error), weighted.ess),
        )  # fmt: skip
        if not weighted.trusted:
            weighted, found = _walk(problem, region, weighted, shape, rng, sampling)
            points = np.arange(shape[0] * shape[1])[None]
            part = SampledPart(names, "metropolis", marginal=replace(found, names=names))
    z = rng.standard_normal((1, points.shape[1], len(h.component.coefficients)))
    values, beta = _draws(problem, weighted.x, weighted.values, points, z, np.zeros(1, np.int64))
    later = np.random.default_rng(seed.spawn(1)[0])

    def effects() -> dict[str, Array]:
        alone = replace(problem, threads=None)
        with _threads(sampling.cores) as pool:
            drawn = group_effects(alone, layout, weighted.x[0], points[0], beta[0], later, pool)
        return {k: v.reshape(*shape, *v.shape[1:]) for k, v in drawn.items()}

    return Found(part, values[0].reshape(*shape, -1), effects)


def _names(region: Region, layout: Layout) -> tuple[str, ...]:
    c = region.hyper.component
    es = [layout.equations[i] for i in c.equations]
    return (*region.hyper.names, *(es[e].coefficient(es[e].columns[k]) for e, k in c.coefficients))


def _exact(problem: Problem) -> Weighted:
    """The one point there is where all sds are known."""
    x = np.zeros((1, 1, 0))
    values = density(problem, x, np.zeros(1, np.int64))
    return Weighted(x, values, np.zeros((1, 1)), 0.0, 1.0, 1, float(values.log[0, 0]))


def _importance(problem: Problem, region: Region, rng: np.random.Generator) -> Weighted:
    h = region.hyper
    mode = find_mode(_target(problem), region.start[None], lambda x: unfold(h, x), region.curvature)
    if not np.isfinite(mode.height[0]):
        raise EngineError(
            "the posterior density is nowhere finite; are two predictors the same up to rounding?"
        )
    n = next(n for most, n in POINTS if h.size <= most)
    if problem.dense >= LAPACK_FROM:
        n = POINTS_LARGE
    first = laplace(_target(problem), mode)
    enough = ENOUGH if problem.dense < LAPACK_FROM else ENOUGH_LARGE
    return _adapt(problem, region, first, np.zeros(1, np.int64), n, enough, rng)


def _walk(
    problem: Problem,
    region: Region,
    weighted: Weighted,
    shape: tuple[int, int],
    rng: np.random.Generator,
    sampling: Sampling,
) -> tuple[Weighted, Marginal]:
    """Draw by Metropolis steps, from where the weighted points are; all of one weight.

    Returns:
        The draws, and the marginal likelihood.
    """
    h = region.hyper
    chains, draws = shape
    each = min(WALKERS, draws)
    kept = -(-draws // each)
    target = _target(problem)
    which = np.zeros(1, np.int64)
    flat = _tempered(weighted.log_weights, 20.0 * h.size)
    q = refit(weighted.x, flat)
    everywhere = folds(h, region.folded)

    def independent(n: int, rng: np.random.Generator = rng) -> Array:
        standard = rng.standard_normal((n, h.size)) * np.sqrt(DF / rng.chisquare(DF, (n, 1)))
        return place(q, standard[None])[0]

    def log(x: Array) -> Array:
        ok = inside(h, x, region.folded)
        return np.where(ok, target(unfold(h, x)[None], which)[0], -np.inf)

    moves = Moves(
        log,
        lambda x: unfold(h, x),
        independent,
        lambda x: log_density(q, x[None], everywhere)[0],
    )
    start = weighted.x[0][resample(flat, rng.random((1, 1 + chains * each)))[0]]
    tell = sampling.progress
    walked = metropolis(
        moves, start, kept, 3 * h.size, rng,
        lambda done, of: tell("sampling", done, of) if tell is not None else None,
    )  # fmt: skip
    x = walked.reshape(chains, each * kept, h.size)[:, :draws].reshape(1, chains * draws, h.size)
    x = unfold(h, x)  # a walker may stand at a point's mirror image
    values = density(problem, x, which)
    (own,) = rng.spawn(1)  # of its own, so that no draw depends on it
    made = independent(max(chains * draws, LEAST_BRIDGE), own)
    ok = inside(h, made[None], region.folded)[0]
    made = unfold(h, made[None])
    there = target(made, which)[0] - log_density(q, made, region.flips)[0]
    here = values.log[0] - log_density(q, x, region.flips)[0]
    found = bridge(here.reshape(shape), np.where(ok, there, -np.inf))
    return replace(weighted, x=x, values=values), trusted(found, "the walkers move too slowly")


def _draws(
    problem: Problem,
    x: Array,
    values: Values,
    points: np.ndarray,
    z: Array,
    which: np.ndarray,
    kept: Sequence[int] | None = None,
) -> tuple[Array, Array]:
    """Structural parameters (R, S, names), and the internal coefficients (R, S, p), at points.

    With `kept`, of the structural parameters only those at these places.
    """
    component = problem.hyper.component
    internal = np.empty(z.shape)
    coefficients(values.mean, values.root, points, z, internal)
    chosen = np.take_along_axis(x, points[..., None], axis=1)
    h = problem.hyper
    conditioned = plain(h, chosen)[0][..., list(h.conditioned)] * h.units[list(h.conditioned)]
    sds = len(h.names)
    if kept is None:
        kept = range(sds + internal.shape[2])
    columns = [k - sds for k in kept if k >= sds]
    raw = raw_coefficients(problem.moments, component, internal, conditioned, which, columns)
    if len(columns) == len(kept):
        return raw, internal
    return np.concatenate(
        [parameters(h, chosen)[..., [k for k in kept if k < sds]], raw], axis=-1
    ), internal


@dataclass(frozen=True)
class Stacked:
    """A component of R data sets.

    Attributes:
        names: of its structural parameters.
        values: (R, draw, names).
        k, ess, log_marginal: of the weights, (R,).
        trusted: (R,).
    """

    names: tuple[str, ...]
    values: Array
    k: Array
    ess: Array
    log_marginal: Array
    trusted: np.ndarray


def _stacked(
    region: Region,
    layout: Layout,
    priors: Priors,
    stack: Responses,
    rngs: Sequence[np.random.Generator],
    draws: int,
    points: int | None,
    wanted: Collection[str] | None,
) -> Stacked:
    h = region.hyper
    n = points or next(n for most, n in POINTS_BATCH if h.size <= most)
    R, p = len(rngs), len(h.component.coefficients)
    problem = Problem(h, moments(h.component, layout, priors, stack))
    everyone = np.arange(R)
    whole = _names(region, layout)
    kept = [i for i, name in enumerate(whole) if wanted is None or name in wanted]
    names = tuple(whole[i] for i in kept)
    u = np.stack([g.random(1 + draws + 1 + h.size) for g in rngs])
    z = np.empty((R, draws, p))
    for g, out in zip(rngs, z, strict=True):
        g.standard_normal(out=out)
    if not h.size:
        values = density(problem, np.zeros((R, 1, 0)), everyone)
        first = np.zeros((R, draws), np.int64)
        found, _ = _draws(problem, np.zeros((R, 1, 0)), values, first, z, everyone, kept)
        trusted = np.isfinite(values.log[:, 0])
        return Stacked(
            names, found, np.zeros(R), np.full(R, float(draws)), values.log[:, 0], trusted
        )
    start = np.tile(region.start, (R, 1))
    mode = find_mode(_target(problem), start, lambda x: unfold(h, x), region.curvature)
    q = laplace(_target(problem), mode)
    # one of the sets of points, its axes turned around at random
    version = (u[:, 1 + draws] * VERSIONS).astype(np.int64)
    turned = np.where(u[:, None, 2 + draws :] < 0.5, -1.0, 1.0)
    x = place(q, _points_of(n, h.size)[version] * turned)
    allowed = inside(h, x, region.folded)
    x = unfold(h, x)
    values = density(problem, x, everyone)
    lw = np.where(allowed, values.log - log_density(q, x, region.flips), -np.inf)
    smooth, k = pareto_smooth(lw)
    ess, marginal = effective(smooth), log_mean(lw)
    taken = resample(smooth, u[:, : 1 + draws])
    out, _ = _draws(problem, x, values, taken, z, everyone, kept)
    trusted = k < threshold(n)
    for r in np.flatnonzero(~trusted | (ess < LEAST)).tolist():
        one = everyone[r : r + 1]
        here, at, only = problem, region, one
        more = max(n, LEAST_POINTS)
        again = _adapt(problem, region, q[one], one, more, float(LEAST), rngs[r])
        if not again.trusted:
            mine = {name: v[one] for name, v in stack.items()}
            only = np.zeros(1, np.int64)
            at, here, again = _over_again(region, layout, priors, mine, more, rngs[r])
        chosen = resample(again.log_weights, u[one, : 1 + draws])
        found, _ = _draws(here, again.x, again.values, chosen, z[one], only)
        out[r] = found[0][:, [_names(at, layout).index(name) for name in names]]
        k[r], ess[r], marginal[r] = again.k, again.ess, again.log_marginal
        trusted[r] = again.trusted
    return Stacked(names, out, k, ess, marginal, trusted)


def _over_again(
    region: Region,
    layout: Layout,
    priors: Priors,
    stack: Responses,
    n: int,
    rng: np.random.Generator,
) -> tuple[Region, Problem, Weighted]:
    """Fit one data set of a batch for itself, in units and from a start of its own.

    Where its sds are far from those of the data set that the batch was prepared on, a search for
    the mode in the batch's units does not arrive.
    """
    own = _region(region.hyper.component, layout, priors, {k: v[0] for k, v in stack.items()})
    problem = Problem(own.hyper, moments(own.hyper.component, layout, priors, stack))
    target = _target(problem)
    mode = find_mode(target, own.start[None], lambda x: unfold(own.hyper, x), own.curvature)
    return (
        own,
        problem,
        _adapt(problem, own, laplace(target, mode), np.zeros(1, np.int64), n, float(LEAST), rng),
    )


@lru_cache(maxsize=16)
def _points_of(n: int, d: int) -> Array:
    return standard_points(n, d, VERSIONS, np.random.default_rng(SEED))


@contextmanager
def _threads(cores: int) -> Generator[Executor | None]:
    """Threads for the points of one data set, the linear algebra in each kept to one."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        if cores < 2:
            yield None
            return
        with ThreadPoolExecutor(cores) as threads:
            yield threads

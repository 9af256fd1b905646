"""A design made ready, and what is drawn from it."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from acmodels.engines import Sampling
from acmodels.engines.hmc.arrays import design
from acmodels.engines.hmc.design import Design, components
from acmodels.engines.hmc.draws import coefficient_draws, group_draws, residual_draws
from acmodels.engines.hmc.marginal import Chains, Marginals
from acmodels.engines.hmc.mode import (
    Guide,
    HessianRoot,
    find_mode,
    from_w,
    guided,
    metric,
    order,
    settle,
    slopes,
    solve,
    to_w,
)
from acmodels.engines.hmc.sampler import chain
from acmodels.errors import EngineError
from acmodels.posterior import Posterior, least_effective
from acmodels.priors import Priors
from acmodels.rng import child_seed, stream
from acmodels.system import Layout, Responses, parameters
from acmodels.system.arrays import Array, Index

FIRST, SHARE = 60, 10
"""Steps of warm-up before the metric is taken anew, or as many as `tune` has tenths; after it,
one in so many of those asked for, since the mode and the curvature are known."""
CLOSE = 0.2
"""Expected gain in log units, twice, of another step from where like data led to."""
RIDGES = (0.0, *(0.01 * 4.0**k for k in range(10)))
"""Ridges on the Hessian, tried in turn: a climb may end on a saddle, where an sd and what mirrors
with its sign are zero. Draws are exact by any metric, and it is taken anew in the warm-up."""
ENOUGH, SHARE_OF_DRAWS, MOST_TIMES = 500.0, 0.2, 10
"""Effective draws below which chains go on, or a share of the draws asked for where that is less;
and up to how many times as long."""
ACCEPT = 0.85
ANGLE, JITTER = 1.5, 0.3
"""Turn of a trajectory: near a quarter, where draws are least correlated; tuned for tails."""


def prepare(layout: Layout, priors: Priors, responses: Responses) -> "PreparedHmc":
    """Nothing is compiled for a model; arrays are made for each data set."""
    del responses
    return PreparedHmc(layout, priors)


@dataclass(frozen=True)
class PreparedHmc:
    """A model on its rows.

    Attributes:
        layout, priors: the model.
        guides: by component, what the data set that was fitted last found; where data sets of one
            layout are fitted in turn, each search begins where the one before ended.
    """

    layout: Layout
    priors: Priors
    guides: dict[int, Guide] = field(default_factory=dict)

    def onto(self, layout: Layout) -> "PreparedHmc":
        """Take over to other rows."""
        return PreparedHmc(layout, self.priors)

    def sample(self, responses: Responses, seed: int, sampling: Sampling) -> Posterior:
        """Draw from the posterior; numbers depend on the seed, not on the cores.

        Raises:
            EngineError: no mode was found, or every chain stood still.
        """
        started = time.perf_counter()
        values: dict[str, Array] = {}
        effects: dict[str, Array] = {}
        imputed: dict[str, Array] = {}
        stats: list[Array] = []
        steps: list[Array] = []
        chains: list[Chains] = []
        found = [c for c in components(self.layout) if self._asked(c, sampling.wanted)]
        tell = _Teller(sampling, len(found))
        for n, of in enumerate(found):
            arranged = design(self.layout, self.priors, responses, of)
            drawn, stand, self.guides[n] = draw(
                arranged, child_seed(seed, "component", n), sampling, tell, self.guides.get(n)
            )
            d = drawn.design  # with the coordinates that were sampled
            mine = coefficient_draws(d, drawn.fixed) | residual_draws(d, drawn.fixed)
            got, groups, cells = group_draws(d, drawn.fixed, drawn.effects)
            mine |= got
            values |= mine
            chains.append(replace(stand, names=tuple(mine)))
            effects |= groups
            imputed |= cells
            stats.append(drawn.stats)
            steps.append(drawn.step)
        every = np.stack(stats)  # (component, chain, draw, 4)
        names = tuple(p.name for p in parameters(self.layout) if p.name in values)
        shape = every.shape[1:3]
        kept = {
            "diverging": np.any(every[..., 3] > 0, axis=0),
            "energy": every[..., 2].sum(axis=0),
            "n_steps": every[..., 1].sum(axis=0).astype(np.int64),
            "acceptance_rate": every[..., 0].mean(axis=0),
            "step_size": np.broadcast_to(np.stack(steps).mean(axis=0)[:, None], shape).copy(),
        }
        table = np.stack([np.broadcast_to(values[k], shape) for k in names], axis=-1)
        seconds = {"sample": time.perf_counter() - started}
        whole = Marginals(tuple(chains), responses, sampling.cores)
        return Posterior(
            names, table, effects, "hmc", kept, seconds, imputed=imputed,
            marginals=whole if sampling.wanted is None else None,
        )  # fmt: skip

    def _asked(self, of: tuple[list[int], list[int]], wanted: frozenset[str] | None) -> bool:
        """Return whether a component holds a parameter that is asked for."""
        if wanted is None:
            return True
        equations, blocks = of
        return any(
            p.name in wanted and p.owner in (blocks if p.kind in ("sd", "cor") else equations)
            for p in parameters(self.layout)
        )


class _Teller:
    """Tells a person how many steps are done, over all components and chains."""

    def __init__(self, sampling: Sampling, parts: int) -> None:
        self.tell = sampling.progress
        self.total = parts * sampling.chains * (sum(_warm(sampling)) + sampling.draws)
        self.before = 0

    def wait(self, futures: Sequence[Any], done: Index) -> None:
        """Wait for chains; an interruption stops them."""
        try:
            while not all(f.done() for f in futures):
                time.sleep(0.02 if self.tell is None else 0.1)
                if self.tell is not None:
                    self.tell("sampling", self.before + int(done[:, 0].sum()), self.total)
        except BaseException:
            done[:, 1] = 1
            raise
        self.before += int(done[:, 0].sum())


@dataclass(frozen=True)
class Drawn:
    """Draws of a component: fixed coordinates (chain, draw, .), effects, statistics, step sizes.

    The design is that of the coordinates that were sampled.
    """

    fixed: Array
    effects: Array
    stats: Array
    step: Array
    design: Design


def draw(
    d: Design, seed: int, sampling: Sampling, tell: _Teller, guide: Guide | None = None
) -> tuple[Drawn, Chains, Guide]:
    """Find the mode, warm up, take the metric anew at the mean of a few draws, and draw.

    Args:
        d: the component.
        seed: of its chains.
        sampling: how much.
        tell: hears of progress.
        guide: a fit of like data, where the search begins.

    Returns:
        Draws, where the chains stand, and what the next fit of like data can begin with.

    Raises:
        EngineError: no mode was found.
    """
    d, x, A, f = _mode(d, guide)
    found = Guide(d, x, f)
    starts = [_start(A, stream(seed, "start", c)) for c in range(sampling.chains)]
    seeds = [child_seed(seed, "warm", c) for c in range(sampling.chains)]
    first, second = _warm(sampling)
    steps = np.full(sampling.chains, 0.6)
    third = first // 3
    run = _run(d, A, starts, seeds, third, first - third, steps, sampling.cores, tell, keep=False)
    at = x.copy()
    neff = int(d.arrays.sizes[0])
    at[neff:] = run.fixed.reshape(-1, run.fixed.shape[-1]).mean(axis=0)
    d, at = settle(d, at)
    moved = metric(d, at)
    ends = from_w(f, A, np.stack(starts))
    if moved is not None:
        A, f = moved
        starts = [to_w(f, A, end) for end in ends]
    seeds = [child_seed(seed, "draw", c) for c in range(sampling.chains)]
    drawn = _run(
        d, A, starts, seeds, second, sampling.draws, run.step, sampling.cores, tell, keep=True
    )
    if d.chart:
        drawn = _enough(d, A, starts, seed, drawn, sampling, tell)
    later = child_seed(seed, "marginal likelihood")
    turn = (ACCEPT, ANGLE, JITTER)
    return drawn, Chains(d, A, f, tuple(starts), drawn.step, turn, (), later), found


def _enough(
    d: Design, A: Any, starts: list[Array], seed: int, drawn: Drawn, sampling: Sampling,
    tell: _Teller,
) -> Drawn:  # fmt: skip
    """Go on where draws of states that rest on each other depend much, and keep one of several.

    Variances of traits and lags, or a loading and a residual sd, can make ridges along which chains
    move slowly. A step takes a millisecond: to draw more is quicker than any other engine.
    """
    n = sampling.chains * sampling.draws
    want = min(ENOUGH, SHARE_OF_DRAWS * n)
    least = least_effective(drawn.fixed)
    if least >= want:
        return drawn
    times = int(min(MOST_TIMES, np.ceil(1.3 * want / max(least, 1.0))))
    tell.total += sampling.chains * sampling.draws * (times - 1)
    every = np.arange(sampling.draws) * times
    pieces = [_some(drawn, every[every < sampling.draws])]
    for k in range(1, times):
        seeds = [child_seed(seed, "more", k, c) for c in range(sampling.chains)]
        more = _run(
            d, A, starts, seeds, 0, sampling.draws, drawn.step, sampling.cores, tell, keep=True
        )
        here = every - k * sampling.draws
        pieces.append(_some(more, here[(here >= 0) & (here < sampling.draws)]))
    fixed, effects, stats = (
        np.concatenate([getattr(p, name) for p in pieces], axis=1)
        for name in ("fixed", "effects", "stats")
    )
    return Drawn(fixed, effects, stats, drawn.step, d)


def _some(drawn: Drawn, at: Index) -> Drawn:
    return replace(
        drawn, fixed=drawn.fixed[:, at], effects=drawn.effects[:, at], stats=drawn.stats[:, at]
    )


def _warm(sampling: Sampling) -> tuple[int, int]:
    """Steps of warm-up before and after the metric is taken anew."""
    second = sampling.tune // SHARE
    return min(FIRST, max(second, 1)), second


def _mode(d: Design, guide: Guide | None) -> tuple[Design, Array, Any, HessianRoot]:
    """Return the mode with coordinates anchored there, and the metric."""
    if guide is not None:
        led = guided(d, guide)
        moved = None if led is None else metric(*led)
        if led is not None and moved is not None:
            _, g, *_ = slopes(*led)
            if solve(moved[1], g, order(led[0]))[1] < CLOSE:
                return (*led, *moved)
    d, x = find_mode(d, d.start)
    for damp in RIDGES:
        moved = metric(d, x, damp)
        if moved is not None:
            return d, x, *moved
    raise EngineError("hmc found no mode with a curvature to move by")


def _start(A: Any, rng: np.random.Generator) -> Array:
    """Draw a start about the mode where sds are positive."""
    n = len(A.primary) + len(A.border)
    for spread in (1.0,) * 200 + (0.5, 0.2, 0.05, 0.0):
        w = spread * rng.standard_normal(n)
        if np.all(A.x0[A.border[A.walls]] + A.G[A.walls] @ w[len(A.primary) :] >= 0):
            return w
    return np.zeros(n)


def _run(
    d: Design, A: Any, starts: list[Array], seeds: list[int], warm: int, draws: int,
    steps: Array, cores: int, tell: _Teller, *, keep: bool,
) -> Drawn:  # fmt: skip
    n = len(starts)
    neff = int(d.arrays.sizes[0])
    fixed = np.empty((n, draws, len(d.start) - neff))
    effects = np.empty((n, draws, neff if keep else 0))
    stats = np.empty((n, draws, 4))
    done = np.zeros((n, 2), dtype=np.int64)

    def one(c: int) -> float:
        return chain(
            d.arrays, A, starts[c], seeds[c], warm, draws, steps[c], ACCEPT, ANGLE, JITTER,
            fixed[c], effects[c], stats[c], done[c],
        )  # fmt: skip

    if cores == 1 and tell.tell is None:  # in a loop: no threads, and nobody to tell
        return Drawn(fixed, effects, stats, np.array([one(c) for c in range(n)]), d)
    with ThreadPoolExecutor(max(1, min(cores, n))) as pool:
        futures = [pool.submit(one, c) for c in range(n)]
        tell.wait(futures, done)
        found = np.array([f.result() for f in futures])
    return Drawn(fixed, effects, stats, found, d)

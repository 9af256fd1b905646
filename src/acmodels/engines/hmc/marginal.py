"""Marginal likelihoods by bridge sampling, for models in which nothing integrates out.

Half of some more draws of the chains give the mean and covariance of a normal distribution in the
sampler's coordinates, in which the posterior is nearly normal already. The other half and as many
points of that normal meet in the optimal bridge (Meng & Wong, 1996; Gronau et al., 2017), whose
error is that of Frühwirth-Schnatter (2004), with dependent draws counted for what they are worth.

Importance weights of the same points were tried beside it. With binary responses in 300 groups of
two their estimates varied three to six times as much from run to run, and were too low where k-hat
was near 1; the bridge needs no weights of finite variance.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acmodels.engines.bridging import LEAST, bridge, trusted
from acmodels.engines.hmc.constants import log_constant
from acmodels.engines.hmc.design import Design
from acmodels.engines.hmc.mode import HessianRoot, from_w
from acmodels.engines.hmc.sampler import chain, differences
from acmodels.posterior import Marginal
from acmodels.rng import child_seed, stream
from acmodels.system import Responses
from acmodels.system.arrays import Array

DRAWS = 1600
"""Draws of all chains in a first round; half of them fit the normal, and half are bridged."""
ROUNDS, MORE = 3, 3
"""Rounds at most, each with so many times as many draws as the one before."""
LARGEST = 20_000_000
"""Numbers that the draws of a round may hold."""
WANTED = 0.05
"""Monte Carlo error, in log units, that ends the rounds."""


@dataclass(frozen=True)
class Chains:
    """Where the chains of a component stand, so that they can go on.

    Attributes:
        design: the component.
        metric, root: the sampler's, and the Hessian's that it is made of.
        ends: by chain, where it stands, (D,).
        steps: by chain, its step size.
        turn: acceptance, angle and jitter of trajectories.
        names: of the structural parameters.
        seed: of what is drawn.
    """

    design: Design
    metric: Any
    root: HessianRoot
    ends: tuple[Array, ...]
    steps: Array
    turn: tuple[float, float, float]
    names: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class Marginals:
    """Work out the log marginal likelihoods of all components, when first asked for.

    Attributes:
        chains: by component.
        responses: the data.
        cores: chains that go on at once.
    """

    chains: tuple[Chains, ...]
    responses: Responses
    cores: int

    def __call__(self) -> tuple[Marginal, ...]:
        """Return that of each component."""
        with ThreadPoolExecutor(max(1, self.cores)) as pool:
            return tuple(marginal(c, self.responses, pool) for c in self.chains)


def marginal(c: Chains, responses: Responses, pool: ThreadPoolExecutor) -> Marginal:
    """Bridge until the error is small or the rounds are over.

    Args:
        c: the chains of a component, at the posterior.
        responses: the data.
        pool: threads for chains and points.
    """
    constant = log_constant(c.design, c.metric.x0, responses)
    if isinstance(constant, str):
        return Marginal(c.names, reason=constant)
    each, size = DRAWS // len(c.ends), len(c.metric.x0)
    found, draws = _round(c, constant, each, 0, pool)
    for turn in range(1, ROUNDS):
        each *= MORE
        if (found.mcse <= WANTED and (found.ess or 0.0) >= LEAST) or each * len(
            c.ends
        ) * size > LARGEST:
            break
        here = replace(c, ends=tuple(draws[:, -1]))
        found, draws = _round(here, constant, each, turn, pool)
    return trusted(found, "the chains move too slowly")


def _round(
    c: Chains, constant: float, each: int, turn: int, pool: ThreadPoolExecutor
) -> tuple[Marginal, Array]:
    """Bridge once; returns what was found and the draws, (chain, draw, D)."""
    draws = np.stack(
        list(pool.map(lambda k: _more(c, k, each, child_seed(c.seed, turn, k)), range(len(c.ends))))
    )
    states = len(c.metric.primary)
    first, second = draws[:, : each // 2], draws[:, each // 2 :]
    normal = _Normal.fitted(first.reshape(-1, draws.shape[2]), states)
    points = normal.draw(stream(c.seed, "points", turn), second.shape[0] * second.shape[1])
    volume = np.linalg.slogdet(c.metric.G)[1]
    volume -= np.log(np.diagonal(c.metric.D, axis1=1, axis2=2)).sum()
    ratios: list[Array] = []
    for w in (second.reshape(-1, draws.shape[2]), points):
        log = _densities(c, w, pool) + constant + volume
        ratios.append(log - normal.log_density(w))
    found = bridge(ratios[0].reshape(second.shape[:2]), ratios[1])
    return replace(found, names=c.names), draws


def _more(c: Chains, k: int, draws: int, seed: int) -> Array:
    """Go on with a chain; returns where it stands after each step, (draw, D)."""
    w = c.ends[k].copy()
    seeds = np.random.default_rng(seed).integers(2**62, size=draws)
    out = np.empty((draws, len(w)))
    fixed = np.empty((1, len(w) - int(c.design.arrays.sizes[0])))
    effects, stats, done = np.empty((1, 0)), np.empty((1, 4)), np.zeros(2, np.int64)
    for i in range(draws):
        chain(
            c.design.arrays, c.metric, w, int(seeds[i]), 0, 1, c.steps[k], *c.turn, fixed, effects,
            stats, done,
        )  # fmt: skip
        out[i] = w
    return out


def _densities(c: Chains, w: Array, pool: ThreadPoolExecutor) -> Array:
    """Log densities at places of the sampler, as compiled; none where an sd would be negative."""
    M, none = c.design.arrays, np.zeros(0, np.int64)
    x = from_w(c.root, c.metric, w)
    size = x.shape[1] + int(M.sizes[:2].sum())

    def some(rows: Array) -> Array:
        out = np.empty((1, size))
        first, h = np.zeros(1, np.int64), np.zeros(0)
        return np.array([differences(M, row, none, first, h, out, levels=False)[0] for row in rows])

    inside = np.all(x[:, c.design.walls] >= 0, axis=1)
    log = np.full(len(x), -np.inf)
    parts = np.array_split(x[inside], 8)
    log[inside] = np.concatenate(list(pool.map(some, parts)))
    return np.where(np.isfinite(log), log, -np.inf)


@dataclass(frozen=True)
class _Normal:
    """A normal distribution: independent states, and a border with a covariance of its own.

    Attributes:
        mean: (D,).
        sd: of the states.
        root: of the border's covariance, lower triangular.
    """

    mean: Array
    sd: Array
    root: Array

    @staticmethod
    def fitted(draws: Array, states: int) -> "_Normal":
        """Fit it to draws, (n, D); what draws of many coordinates say falsely is shrunk away."""
        n, mean = len(draws), draws.mean(axis=0)
        own = draws[:, :states]
        mean[:states] = _shrunk(mean[:states], own.var(axis=0) / n)
        sd = np.exp(_shrunk(np.log(own.std(axis=0)), np.full(states, 0.5 / n)))
        S = np.atleast_2d(np.cov(draws[:, states:].T)).reshape(len(mean) - states, -1)
        size = np.sqrt(np.diag(S))
        R = S / np.outer(size, size)
        apart = ~np.eye(len(R), dtype=bool)
        false = float(np.sum((1 - R[apart] ** 2) ** 2)) / n
        share = max(false / max(float(np.sum(R[apart] ** 2)), 1e-300), len(R) / (len(R) + n))
        R[apart] *= 1 - min(share, 1.0)
        return _Normal(mean, sd, size[:, None] * np.linalg.cholesky(R))

    def draw(self, rng: np.random.Generator, many: int) -> Array:
        z = rng.standard_normal((many, len(self.mean)))
        n = len(self.sd)
        return self.mean + np.concatenate([z[:, :n] * self.sd, z[:, n:] @ self.root.T], axis=1)

    def log_density(self, w: Array) -> Array:
        n = len(self.sd)
        away = w - self.mean
        z = np.concatenate(
            [away[:, :n] / self.sd, np.linalg.solve(self.root, away[:, n:].T).T], axis=1
        )
        volume = np.log(self.sd).sum() + np.log(np.diag(self.root)).sum()
        return -0.5 * np.sum(z**2 + np.log(2 * np.pi), axis=1) - volume


def _shrunk(values: Array, noise: Array) -> Array:
    """Pull values to their mean by the share of their variance that is noise (James & Stein)."""
    if len(values) < 3:
        return values
    center, spread = values.mean(), float(values.var())
    return center + max(0.0, 1 - float(noise.mean()) / max(spread, 1e-300)) * (values - center)

"""Results of every engine: draws of structural parameters and group effects, with names."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Marginal:
    """The marginal likelihood of the responses of an independent part of a model.

    Attributes:
        names: of the structural parameters in it.
        log: its natural logarithm, priors normalized; None where it cannot be trusted.
        mcse: Monte Carlo standard error of that.
        ess: effective number of draws or points behind it; None where it is exact.
        reason: why there is none, as a clause; empty where there is one.
    """

    names: tuple[str, ...]
    log: float | None = None
    mcse: float = 0.0
    ess: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class SampledPart:
    """Describe how an exact engine drew a part of the posterior, independent of the rest.

    Attributes:
        names: of the structural parameters in it.
        method: `importance` (weighted points), `metropolis` (a Markov chain on the density of sds
            and correlations) or `exact` (there were none of these).
        points: which of the weighted points each draw came from, (chain, draw).
        pareto_k: shape of the tail of the weights; None where there were none.
        threshold: up to which k the weights can be trusted at this number of points.
        ess: effective number of weighted points.
        rounds: proposals that were needed.
        marginal: its marginal likelihood.
    """

    names: tuple[str, ...]
    method: Literal["importance", "metropolis", "exact"]
    points: NDArray[np.int64] | None = None
    pareto_k: float | None = None
    threshold: float | None = None
    ess: float | None = None
    rounds: int = 1
    marginal: Marginal = Marginal(())


@dataclass(frozen=True)
class Deferred(Mapping[str, Array]):
    """Group effects that are drawn when first asked for.

    Attributes:
        keys_: of the blocks.
        draw: draws all of them.
    """

    keys_: tuple[str, ...]
    draw: Callable[[], Mapping[str, Array]]

    @cached_property
    def _values(self) -> Mapping[str, Array]:
        return self.draw()

    def __getitem__(self, key: str) -> Array:
        """Draws of one block's effects, (chain, draw, J, K)."""
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys, without drawing."""
        return iter(self.keys_)

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.keys_)


@dataclass(frozen=True)
class Posterior:
    """Draws from a posterior.

    Attributes:
        names: of the structural parameters, in table order.
        values: their draws, shape (chain, draw, parameter).
        group_effects: by block key, shape (chain, draw, J, K).
        engine: the name of the engine that drew them.
        stats: of the sampler, by ArviZ's names, shape (chain, draw).
        seconds: wall time by stage.
        engine_model: what the engine built (a `pm.Model`), where it built one.
        parts: independent parts, from an engine that integrates; none for one that does not.
        imputed: by continuous variable, draws of its missing values, (chain, draw, M).
        marginals: works out the marginal likelihood of each part, where an engine that does not
            integrate can do so.
    """

    names: tuple[str, ...]
    values: Array
    group_effects: Mapping[str, Array]
    engine: str
    stats: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    engine_model: Any = None
    parts: tuple[SampledPart, ...] = ()
    imputed: Mapping[str, Array] = field(default_factory=dict)
    marginals: Callable[[], tuple[Marginal, ...]] | None = None

    @cached_property
    def marginal_likelihoods(self) -> tuple[Marginal, ...]:
        """Marginal likelihoods of independent parts; none from an engine that gives none."""
        if self.marginals is not None:
            return self.marginals()
        return tuple(p.marginal for p in self.parts)

    @property
    def points(self) -> tuple[NDArray[np.int64], ...]:
        """By part that was drawn by importance, the point of each draw."""
        return tuple(p.points for p in self.parts if p.points is not None)

    @property
    def chained(self) -> bool:
        """Whether successive draws may depend on each other."""
        return not self.parts or any(p.method == "metropolis" for p in self.parts)

    def __getitem__(self, name: str) -> Array:
        """Draws of one structural parameter, shape (chain, draw)."""
        return self.values[:, :, self.names.index(name)]


@dataclass(frozen=True)
class Diagnostics:
    """Whether a posterior can be used, and why not.

    Attributes:
        engine: which engine.
        max_r_hat, min_ess_bulk, min_ess_tail: over structural parameters and estimands.
        divergences: number of divergent transitions after warm-up, over all chains.
        pareto_k: largest, for importance sampling; None for MCMC.
        usable: the contract's rule.
        messages: plain sentences, the worst first.
    """

    engine: str
    max_r_hat: float | None
    min_ess_bulk: float | None
    min_ess_tail: float | None
    divergences: int
    pareto_k: float | None
    usable: bool
    messages: tuple[str, ...]


COLUMNS = ("mean", "sd", "median", "lower", "upper", "r_hat", "ess_bulk", "ess_tail", "mcse_mean")


def summarize(
    draws: Array, interval: str = "eti", prob: float = 0.95, drawn: Posterior | None = None
) -> dict[str, Array]:
    """Summarize draws, columns as in `estimates.csv`.

    R-hat, ESS and MCSE are the rank-normalized ones of Vehtari et al. (2021), by ArviZ. For draws
    that were resampled from weighted points, R-hat is NaN and the others come from the points:
    draws of one point count as one cluster (`_clustered`).

    Args:
        draws: shape (chain, draw, quantity).
        interval: `eti` (equal-tailed) or `hdi` (highest density).
        prob: mass of the interval.
        drawn: the posterior whose draws these quantities are functions of; None for a sampler's.

    Returns:
        By column, arrays of shape (quantity,). A constant quantity has R-hat and ESS NaN.
    """
    low, high = intervals(draws, interval, prob)
    out = {
        "mean": draws.mean(axis=(0, 1)),
        "sd": draws.std(axis=(0, 1), ddof=1),
        "median": np.median(draws, axis=(0, 1)),
        "lower": low,
        "upper": high,
    }
    varies = np.ptp(draws, axis=(0, 1)) > 0
    precision = _precision(draws[:, :, varies], drawn)
    for column in ("r_hat", "ess_bulk", "ess_tail", "mcse_mean"):
        out[column] = np.full(draws.shape[2], np.nan)
        out[column][varies] = precision[column]
    return out


def effective(draws: Array, drawn: Posterior) -> dict[str, Array]:
    """Take R-hat and effective sample sizes alone, as `summarize` does.

    Args:
        draws: shape (chain, draw, quantity).
        drawn: the posterior whose draws these quantities are functions of.

    Returns:
        By column, arrays of shape (quantity,); NaN for a constant quantity.
    """
    varies = np.ptp(draws, axis=(0, 1)) > 0
    precision = _precision(draws[:, :, varies], drawn, means=False)
    out = {c: np.full(draws.shape[2], np.nan) for c in ("r_hat", "ess_bulk", "ess_tail")}
    for column, values in out.items():
        values[varies] = precision[column]
    return out


def least_effective(draws: Array) -> float:
    """Return the smallest bulk or tail ESS of quantities of chains, constant ones aside.

    Args:
        draws: shape (chain, draw, quantity).
    """
    moving = draws[:, :, np.ptp(draws, axis=(0, 1)) > 0]
    if not moving.shape[2]:
        return float("inf")
    found = _precision(moving, None, means=False)
    return float(min(np.min(found["ess_bulk"]), np.min(found["ess_tail"])))


def mean_effective(draws: Array) -> float:
    """Return the effective sample size of the mean of a quantity, (chain, draw)."""
    found = _array_stats().ess(draws[..., None], method="mean", chain_axis=0, draw_axis=1)
    return float(np.asarray(found)[0])


def _precision(draws: Array, drawn: Posterior | None, *, means: bool = True) -> dict[str, Array]:
    """R-hat, ESS and MCSE of quantities that vary; MCSE of chains only where `means` are read."""
    if not draws.shape[2]:
        return dict.fromkeys(("r_hat", "ess_bulk", "ess_tail", "mcse_mean"), np.zeros(0))
    out: dict[str, Array] = {"r_hat": np.full(draws.shape[2], np.nan)}
    known: Any = None
    size = draws.shape[0] * draws.shape[1]
    variance = draws.var(axis=(0, 1), ddof=1)
    plain = dict.fromkeys(("ess_bulk", "ess_tail"), np.full(draws.shape[2], float(size)))
    if drawn is None or drawn.chained:
        stats, axes = _array_stats(), {"chain_axis": 0, "draw_axis": 1}
        if draws.shape[0] > 1:
            out["r_hat"] = stats.rhat(draws, **axes)
        plain["ess_bulk"] = stats.ess(draws, method="bulk", **axes)
        plain["ess_tail"] = stats.ess(draws, method="tail", prob=(0.05, 0.95), **axes)
        known = stats.mcse(draws, method="mean", **axes) if means else np.zeros(draws.shape[2])
    points = () if drawn is None else drawn.points
    if points or known is None:
        ends = np.quantile(draws, [0.05, 0.95], axis=(0, 1))
        tails = [_clustered((draws <= q).astype(np.float64), points) for q in ends]
        out["ess_bulk"] = 1 / (1 / plain["ess_bulk"] + _clustered(draws, points))
        out["ess_tail"] = 1 / (1 / plain["ess_tail"] + np.maximum(*tails))
        alone = variance / size if known is None else np.asarray(known) ** 2
        out["mcse_mean"] = np.sqrt(alone + variance * _clustered(draws, points))
        return out
    return {**out, **plain, "mcse_mean": known}


def _clustered(draws: Array, points: tuple[NDArray[np.int64], ...]) -> Array:
    """How much draws of one point are alike, as what it adds to 1 / ESS of a mean; (quantity,).

    Draws are resampled from weighted points, so those of one point are a cluster; the variance of
    a mean is that of a mean of clusters (Liang & Zeger, 1986), and each independent set of points
    adds its excess over independent draws (Cameron, Gelbach & Miller, 2011).
    """
    flat = draws.reshape(-1, draws.shape[2])
    away = flat - flat.mean(axis=0)
    alone = np.sum(away**2, axis=0)
    total = np.zeros(draws.shape[2])
    for p in points:
        order = np.argsort(p.reshape(-1), kind="stable")
        starts = np.flatnonzero(np.diff(p.reshape(-1)[order], prepend=-1))
        sums = np.add.reduceat(away[order], starts, axis=0)
        total += np.maximum(np.sum(sums**2, axis=0) - alone, 0.0)
    return total / np.where(alone > 0, alone, 1.0) / len(flat)


def intervals(draws: Array, interval: str, prob: float) -> tuple[Array, Array]:
    """Lower and upper ends of equal-tailed or highest-density intervals.

    Args:
        draws: shape (chain, draw, quantity).
        interval: `eti` or `hdi`.
        prob: mass.
    """
    flat = draws.reshape(draws.shape[0] * draws.shape[1], draws.shape[2])
    if interval == "eti" or not flat.shape[1]:
        ends = np.quantile(flat, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        return ends[0], ends[1]
    ends = np.asarray(_array_stats().hdi(flat, prob, axis=0), dtype=np.float64)
    return ends[..., 0], ends[..., 1]


def _array_stats() -> Any:
    """ArviZ's statistics of plain arrays, imported when first needed: it takes seconds."""
    from arviz_stats import base

    return base.array_stats  # pyright: ignore[reportPrivateImportUsage]

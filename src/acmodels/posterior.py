"""What every engine returns: draws of structural parameters and group effects, with names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


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
    """

    names: tuple[str, ...]
    values: Array
    group_effects: Mapping[str, Array]
    engine: str
    stats: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    engine_model: Any = None

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


def summarize(draws: Array, interval: str = "eti", prob: float = 0.95) -> dict[str, Array]:
    """Summarise draws, columns as in `estimates.csv`.

    R-hat, ESS and MCSE are the rank-normalised ones of Vehtari et al. (2021), by ArviZ.

    Args:
        draws: shape (chain, draw, quantity).
        interval: `eti` (equal-tailed) or `hdi` (highest density).
        prob: mass of the interval.

    Returns:
        By column, arrays of shape (quantity,). A constant quantity has R-hat and ESS NaN.
    """
    stats = _array_stats()
    low, high = intervals(draws, interval, prob)
    out = {
        "mean": draws.mean(axis=(0, 1)),
        "sd": draws.std(axis=(0, 1), ddof=1),
        "median": np.median(draws, axis=(0, 1)),
        "lower": low,
        "upper": high,
    }
    varies = np.ptp(draws, axis=(0, 1)) > 0
    moving = draws[:, :, varies]

    def spread(values: Any) -> Array:
        full = np.full(draws.shape[2], np.nan)
        full[varies] = values
        return full

    axes = {"chain_axis": 0, "draw_axis": 1}
    several = draws.shape[0] > 1
    empty = np.zeros(0)
    some = bool(varies.any())
    out["r_hat"] = spread(stats.rhat(moving, **axes) if some and several else np.nan)
    out["ess_bulk"] = spread(stats.ess(moving, method="bulk", **axes) if some else empty)
    out["ess_tail"] = spread(
        stats.ess(moving, method="tail", prob=(0.05, 0.95), **axes) if some else empty
    )
    out["mcse_mean"] = spread(stats.mcse(moving, method="mean", **axes) if some else empty)
    return out


def intervals(draws: Array, interval: str, prob: float) -> tuple[Array, Array]:
    """Lower and upper ends of equal-tailed or highest-density intervals.

    Args:
        draws: shape (chain, draw, quantity).
        interval: `eti` or `hdi`.
        prob: mass.
    """
    flat = draws.reshape(-1, draws.shape[2])
    if interval == "eti" or not flat.shape[1]:
        ends = np.quantile(flat, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        return ends[0], ends[1]
    ends = np.asarray(_array_stats().hdi(flat, prob, axis=0), dtype=np.float64)
    return ends[..., 0], ends[..., 1]


def _array_stats() -> Any:
    """ArviZ's statistics of plain arrays, imported when first needed: it takes seconds."""
    from arviz_stats import base

    return base.array_stats  # pyright: ignore[reportPrivateImportUsage]

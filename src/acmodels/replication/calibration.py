"""Simulation-based calibration of a model: truths from its priors, ranked among draws.

Talts, Betancourt, Simpson, Vehtari & Gelman (2018); data-dependent quantities as in Modrák,
Moon, Kim, Bürkner, Huurre, Faltejsková, Gelman & Vehtari (2025).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acmodels.estimands import Context, kind
from acmodels.load import as_design
from acmodels.numbers import number, table_html
from acmodels.replication import Cell, Job, Result
from acmodels.replication.job import Seen
from acmodels.replication.recovery import MOST_FAILED, check_run, effect_names, in_folder
from acmodels.spec.design import Design
from acmodels.spec.model import Model
from acmodels.system import Layout, parameters
from acmodels.system.arrays import Array
from acmodels.system.columns import design_matrix
from acmodels.system.terms import latent_means, terms

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd

COLUMNS = ("name", "n", "failed", "p_uniform", "verdict")
MOST = 99
"""Draws of each posterior that a truth is ranked among, at most."""
LEVEL = 1e-3
"""A model fails where its smallest p value, times the number of its quantities, is below."""
LEAST = 10
"""Ranks of a quantity that its test needs."""
LOG_LIK = "log_lik"
"""Log likelihood of the data with every group effect at zero, a quantity of truth and data."""


@dataclass(frozen=True)
class RankMeasure:
    """The rank of each truth among near-independent draws, as (r + U) / (L + 1).

    L is at most 99 and at most a tenth of the effective draws; r counts draws below the truth and U
    is uniform, so that a calibrated rank is uniform whatever L is.

    Attributes:
        log_lik: whether a log likelihood is ranked too; not where responses are missing.
    """

    log_lik: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """What is kept of each quantity."""
        return ("rank", "truth", "mean")

    def quantities(self, model: Model, context: Context) -> tuple[str, ...]:
        """Structural parameters, estimands row by row, and a log likelihood."""
        names = [p.name for p in parameters(context.layout)]
        for name in names:
            context.parameter(name)
        of = ranked(model)
        more = (LOG_LIK,) if self._ranks_log_lik(context.layout) else ()
        return (*names, *effect_names(model, of, context), *more)

    def measure(self, seen: Seen) -> Array:
        """The numbers, (R, quantities, 3)."""
        truth = np.stack([seen.truth[n] for n in seen.names], axis=-1)
        of = ranked(seen.model)
        S = seen.values.shape[1]
        # a tenth of the effective draws, spread over all there are: chains are in order
        L = np.clip(seen.ess // 10, 1, min(MOST, S)).astype(np.int64)
        kept = np.stack([_spread(S, n) for n in L])
        thin = Seen(
            seen.model, seen.layout, seen.priors, seen.responses, seen.truth, seen.names,
            np.take_along_axis(seen.values, kept[:, :, None], axis=1), seen.ess, seen.rngs,
        )  # fmt: skip
        draws = thin.values
        if of:
            at_draws, at_truth = thin.effects(of)
            draws = np.concatenate([draws, at_draws], axis=-1)
            truth = np.concatenate([truth, at_truth], axis=-1)
        if self._ranks_log_lik(seen.layout):
            at_truth = log_likelihood(thin, lambda n: thin.truth[n][:, None])
            draws = np.concatenate([draws, log_likelihood(thin, thin.draws)[..., None]], axis=-1)
            truth = np.concatenate([truth, at_truth], axis=-1)
        counted = np.arange(draws.shape[1]) < L[:, None]
        below = np.sum(counted[..., None] & (draws < truth[:, None, :]), axis=1)
        ties = np.sum(counted[..., None] & (draws == truth[:, None, :]), axis=1)  # what is held
        u = np.stack([g.random(truth.shape[1]) for g in seen.rngs])
        rank = (below + u * (ties + 1)) / (L[:, None] + 1)
        return np.stack([rank, truth, draws.mean(axis=1)], axis=-1)

    def _ranks_log_lik(self, layout: Layout) -> bool:
        return self.log_lik and not latent_means(layout)


def ranked(model: Model) -> tuple[str, ...]:
    """Estimands that have a rank: not those that are whole numbers themselves."""
    return tuple(n for n, e in model.estimands.items() if kind(e.kind).calibrated)


def _spread(S: int, n: int) -> np.ndarray:
    """Positions of n of S draws, far apart, padded to 99."""
    at = np.floor((np.arange(n) + 0.5) * S / n).astype(np.int64)
    return np.concatenate([at, np.zeros(min(MOST, S) - n, dtype=np.int64)])


def log_likelihood(seen: Seen, parameter: Callable[[str], Array]) -> Array:
    """Log likelihood of all responses with every group effect at zero, (R, S).

    Any function of parameters and data can be ranked; this one needs no group effects, and a
    likelihood with a term left out moves it.
    """
    layout = seen.layout
    total: Array | float = 0.0
    for e in layout.equations:
        X = design_matrix(layout, e, seen.responses)
        b = [parameter(e.coefficient(c)) for c in e.columns]
        some = parameter(next(p.name for p in parameters(layout)))
        eta = np.broadcast_to(e.offset, (*some.shape, e.n)).copy()
        if b:
            eta += np.stack(b, axis=-1) @ np.swapaxes(np.broadcast_to(
                X, (len(seen.ess), *X.shape[-2:])), 1, 2)  # fmt: skip
        spread = None
        if e.has_sigma:
            variance = parameter(e.sigma)[..., None] ** 2
            for t in terms(layout, e.response):
                if t.effect is not None:
                    z = t.values(layout, seen.responses)
                    z = np.broadcast_to(z, (len(seen.ess), e.n))[:, None, :]
                    variance = variance + (parameter(t.parameter)[..., None] * z) ** 2
            spread = np.sqrt(variance)
        y = seen.responses[e.response][:, None, :]
        found = e.conditional(parameter, sd=spread).log_density(y, eta)
        total = total + found.sum(axis=-1)
    return np.asarray(total)


@dataclass(frozen=True)
class Calibrated:
    """Whether the truths of a model look like draws of its posteriors.

    Attributes:
        table: columns as in `calibration.csv`.
        ranks: (n, quantities), uniform where the model is calibrated.
        p_model: the smallest p value times the number of quantities, at most 1.
        uniform: whether that is at least 0.001: one verdict for the model.
        result: of the run.
        design, replications: what was run.
        trusted: whether at most 5 % of the fits failed.
    """

    table: "pd.DataFrame"
    ranks: Array
    p_model: float
    uniform: bool
    result: Result
    design: Design
    replications: int
    trusted: bool

    @property
    def verdict(self) -> str:
        """Say in a sentence whether the ranks are uniform."""
        if not np.isfinite(self.p_model):
            return (
                f"Ranks were not tested: {len(self.ranks)} fits have ranks, and the test needs at "
                f"least {LEAST} (--replications)."
            )
        said = "uniform" if self.uniform else "NOT uniform"
        return f"Ranks are {said}: p of the model {number(self.p_model, 2)} (Bonferroni)."

    def _repr_html_(self) -> str:
        return table_html(self.table)


def calibrate(
    design: Design | Model | str | Path,
    *,
    seed: int = 1,
    replications: int | None = None,
    engine: str = "auto",
    draws: int | None = None,
    chains: int | None = None,
    workers: int = 2,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    executor: "Executor | None" = None,
) -> Calibrated:
    """Draw truths from a model's priors, data from the truths, fit, and rank the truths.

    Args:
        design: that data are drawn by, or its path or shipped name; its truths are not used. For
            a model, the design that its file names.
        seed: of the whole run.
        replications: how many truths; as the design says if None.
        engine: as for `recover`.
        draws: as for `recover`.
        chains: as for `recover`.
        workers: processes at once; they change the time and nothing else.
        out: a folder that keeps finished replicates, so that a run can be continued; none if None.
        progress: called as replicates finish.
        executor: runs blocks of replicates instead of workers of this machine.

    Raises:
        InputError: design, model and options do not go together.

    Examples:
        >>> import acmodels as ac
        >>> design = ac.load_design("interaction_conditions")
        >>> found = ac.calibrate(design, replications=20, workers=1)
        >>> found.replications
        20
        >>> found.uniform
        True
    """
    check_run(replications, draws, chains, 0.95)
    design = as_design(design)
    cell = Cell(design, from_priors=True)
    measure = RankMeasure(log_lik=not design.lacks)
    job = Job("calibrate", (cell,), measure, seed, engine, draws, chains)
    number = replications or design.replications
    result = in_folder(job, number, workers, out, progress, executor)
    return calibration_of(result, design, number)


def calibration_of(result: Result, design: Design, replications: int) -> Calibrated:
    """Test the ranks of a run for uniformity.

    Fits that cannot be used are counted and ranked like the others, since leaving out what is hard
    to fit would leave out truths; one that has no draws at all has no rank.
    """
    import pandas as pd
    from arviz_stats.base.array import array_stats

    ready, outcome = result.ready[0], result.outcomes[0]
    failed = sum(1 for why in outcome.reasons if why)
    ranks = outcome.numbers[:, :, 0]
    ranks = ranks[np.isfinite(ranks).all(axis=1)]
    trusted = failed <= MOST_FAILED * len(outcome.reasons) and len(ranks) > 0
    if len(ranks) >= LEAST:
        p = np.asarray(array_stats.uniformity_test(ranks.T)[0], dtype=np.float64)
    else:
        p = np.full(ranks.shape[1], np.nan)
    level = LEVEL / max(1, len(p))
    table = pd.DataFrame(
        {
            "name": list(ready.quantities),
            "n": len(ranks),
            "failed": failed,
            "p_uniform": p,
            "verdict": [
                "unknown" if not np.isfinite(v) else "uniform" if v >= level else "not uniform"
                for v in p
            ],
        },
        columns=list(COLUMNS),
    )
    p_model = float(min(1.0, np.nanmin(p) * len(p))) if np.isfinite(p).any() else float("nan")
    return Calibrated(
        table, ranks, p_model, p_model >= LEVEL, result, design, replications, trusted
    )

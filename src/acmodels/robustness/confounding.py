"""What an unmeasured confounder of mediator and outcome would do to the effects.

A confounder U that raises the mediator and the outcome leaves, once it is not in the model, a
correlation between what the two equations do not explain. With U standard normal and loadings
that give it shares r_m and r_y of the unexplained variances, that correlation is sqrt(r_m r_y),
and the model with U is the model with this correlation (Imai, Keele & Yamamoto, 2010, section
5). The data hardly say what it is, so it is held, value by value, and the model fitted anew: the
posterior given the correlation, exact for gaussian equations. At the level of the rows it is one
of residuals; a confounder of districts correlates the district effects. Where the exact engine
cannot take the model (an outcome that is not gaussian, say), U itself is sampled with its loadings
held.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acmodels.errors import EngineError, InputError, listing
from acmodels.inference.effect_rows import EffectRows
from acmodels.inference.fitting import Fit
from acmodels.inference.judging import Effects, judge, quantities
from acmodels.numbers import decimal, stated, table_html
from acmodels.posterior import intervals
from acmodels.rng import stream
from acmodels.robustness.benchmarks import benchmarks
from acmodels.robustness.confounder import (
    Held,
    Latent,
    Pair,
    check_pair,
    held_correlation,
    sampled_confounder,
)
from acmodels.robustness.tipping import tipping
from acmodels.spec.model import names_of
from acmodels.spec.names import Names, pieces, plain, spelled

if TYPE_CHECKING:
    import pandas as pd


RHO = tuple(round(0.1 * k, 1) for k in range(-6, 7))
"""Correlations looked at, where a person does not say."""
NODES = 21
"""Correlations that a prior is summed over."""
RHO_SAMPLED = (-0.4, -0.2, 0.0, 0.2, 0.4)
"""The same where the confounder is sampled, which takes longer."""
COLUMNS = (
    "estimand", "at", "rho", "mean", "sd", "median", "lower", "upper", "p_positive", "status",
)  # fmt: skip


@dataclass(frozen=True)
class Confounding:
    """Effects along the strength of an unmeasured confounder.

    Attributes:
        mediator, outcome: what it would confound.
        unit: the grouping at whose level it acts; None for the rows.
        table: a row for each estimand and correlation, columns as in `confounding.csv`; `status` is
            of the propositions about that estimand, where they agree. A ratio whose denominator
            may be zero at that correlation has no numbers.
        averaged: the same with the correlation integrated over its prior; None without one.
        prior_sd: of that prior, Normal(0, prior_sd) on (-1, 1).
        tipping: for each estimand, the correlation nearest to zero at which its interval takes in
            zero, or no longer does (`rho`, NaN where there is none on the grid), and the one at
            which a proposition's verdict changes (`verdict_rho`).
        benchmarks: for each measured covariate of both equations, the correlation that it would
            leave if it had not been measured, and its partial R2 with each response.
        interval, prob: what `lower` and `upper` mean.
        notes: sentences about ratios that are withheld at some correlations.
    """

    mediator: str
    outcome: str
    unit: str | None
    table: "pd.DataFrame"
    averaged: "pd.DataFrame | None"
    prior_sd: float | None
    tipping: "pd.DataFrame"
    benchmarks: "pd.DataFrame"
    interval: str
    prob: float
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return table_html(self.table)


def confounding(
    fit: Fit,
    mediator: str,
    outcome: str,
    *,
    unit: str | None = None,
    rho: Sequence[float] | None = None,
    prior: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Confounding:
    """Refit a model with an unmeasured confounder of a mediator and an outcome.

    Args:
        fit: from `fit`. Where it was not by the exact engine, each correlation takes a run of NUTS.
        mediator: a response that predicts the outcome.
        outcome: another response.
        unit: a grouping, where the confounder is one value a unit; None where it differs by row.
        rho: the correlations to hold; 0 is added. `RHO` if None, or where the confounder is sampled
            the five of `RHO_SAMPLED`.
        prior: standard deviation of a normal prior of the correlation about zero, over which
            effects are averaged as well; None for the grid alone.
        progress: called at every fit.

    Raises:
        InputError: the two have no such correlation; a prior or an effect on the response scale is
            asked for where the confounder is sampled.
    """
    import pandas as pd

    mediator, outcome = plain(mediator), plain(outcome)
    unit = None if unit is None else spelled(unit, names_of(fit.spec.equations))
    exact = bool(fit.draws.parts) and fit.system.joint is None
    grid = _grid(fit, rho if rho is not None else RHO if exact else RHO_SAMPLED, prior)
    pair = _confounded(fit, mediator, outcome, unit, prior, exact=exact)
    found = _held_at(pair, [*grid, *_nodes(prior)], progress, workers=2 if exact else 1)
    held, over = found[: len(grid)], found[len(grid) :]
    tables = [_table(fit, h.rows, h.rho, usable=h.usable) for h in held]
    averaged = None if prior is None else _table(fit, _mixed(fit, over), np.nan)
    table = pd.concat(tables, ignore_index=True)
    return Confounding(
        mediator, outcome, unit, table, averaged, prior, tipping(table),
        benchmarks(fit, mediator, outcome, unit), fit.interval, fit.prob, _withheld(fit, held),
    )  # fmt: skip


def _grid(fit: Fit, rho: Sequence[float], prior: float | None) -> list[float]:
    """Return the correlations to hold, 0 among them.

    Raises:
        InputError: one of them is none, the prior has no width, or there is nothing to look at.
    """
    grid = sorted({0.0, *(float(r) for r in rho)})
    if not all(abs(r) < 1 for r in grid):
        raise InputError("a correlation lies between -1 and 1")
    if prior is not None and not prior > 0:
        raise InputError(f"the prior's standard deviation must be above 0, not {stated(prior)}")
    if not fit.spec.estimands:
        raise InputError(f"{fit.spec.source}: has no [estimands] to refit")
    return grid


def _confounded(
    fit: Fit, mediator: str, outcome: str, unit: str | None, prior: float | None, *, exact: bool
) -> Pair | Latent:
    """Put the confounder into the model: exactly where that can be, else as a cause of its own."""
    if exact:
        return held_correlation(fit, mediator, outcome, unit)
    check_pair(fit, mediator, outcome)
    if prior is not None:
        raise InputError(
            "averaging over a prior of the correlation needs the marginal likelihood, which only "
            "the exact engine gives; leave the prior out"
        )
    return sampled_confounder(fit, mediator, outcome, unit)


def _held_at(
    pair: Pair | Latent,
    at: Sequence[float],
    progress: Callable[[str, int, int], None] | None,
    *,
    workers: int,
) -> list[Held]:
    """Fit with the correlation at each value; the kernels let go of the interpreter meanwhile."""
    tell = progress or (lambda *_: None)
    found: list[Held] = []
    with ThreadPoolExecutor(workers) as pool:
        for h in pool.map(pair.held, at):
            found.append(h)
            tell("confounding", len(found), len(at))
    return found


def _withheld(fit: Fit, held: Sequence[Held]) -> tuple[str, ...]:
    """Say at which correlations a ratio is withheld."""
    at: dict[str, list[float]] = {}
    usable = [h for h in held if h.usable]
    for h in usable:
        for r in h.rows.withheld(fit.prob):
            if r.withheld:
                at.setdefault(f"{r.name} [{r.at}]" if r.at else r.name, []).append(h.rho)
    every = f"each of the {len(usable)} correlations"
    return tuple(
        f"{name} is withheld at "
        f"{every if len(rhos) == len(usable) else listing([stated(r) for r in rhos], 13)}, where "
        f"the {stated(100 * fit.prob)} % interval of the total effect includes 0."
        for name, rhos in at.items()
    )


def _table(
    fit: Fit,
    held: EffectRows,
    rho: float,
    *,
    usable: bool = True,
) -> "pd.DataFrame":
    import pandas as pd

    rows = held.withheld(fit.prob)
    draws = np.stack([r.draws for r in rows], axis=2)
    low, high = intervals(draws, fit.interval, fit.prob)
    frame = pd.DataFrame(
        {
            "estimand": [r.name for r in rows],
            "at": [r.at for r in rows],
            "rho": rho,
            "mean": draws.mean(axis=(0, 1)),
            "sd": draws.std(axis=(0, 1), ddof=1),
            "median": np.median(draws, axis=(0, 1)),
            "lower": low,
            "upper": high,
            "p_positive": np.where(
                [bool(r.withheld) for r in rows], np.nan, (draws > 0).mean(axis=(0, 1))
            ),
        }
    )
    effects = Effects(
        fit.spec.name,
        rows,
        frame.rename(columns={"estimand": "name"}),
        usable,
        interval=fit.interval,
        prob=fit.prob,
    )
    verdicts = judge(effects, fit.spec.propositions)
    if not usable:
        frame.iloc[:, 3:] = np.nan
    status: dict[int, set[str]] = {}
    for p, said in zip(fit.spec.propositions.values(), verdicts["status"], strict=True):
        if not p.all:
            status.setdefault(rows.index(quantities(effects, p)[0]), set()).add(str(said))
    frame["status"] = [
        next(iter(status[k])) if len(status.get(k, ())) == 1 else "" for k in range(len(rows))
    ]
    return frame.loc[:, list(COLUMNS)]


def _nodes(sd: float | None) -> list[float]:
    """Correlations of equal prior weight, Normal(0, sd) on (-1, 1)."""
    if sd is None:
        return []
    from scipy.stats import truncnorm

    middle = (np.arange(NODES) + 0.5) / NODES
    return [float(r) for r in truncnorm(-1 / sd, 1 / sd, scale=sd).ppf(middle)]


def _mixed(fit: Fit, held: Sequence[Held]) -> EffectRows:
    """Draws with the correlation integrated out: each node by its marginal likelihood."""
    lost = [decimal(h.rho, 2) for h in held if not h.usable]
    if lost:
        raise EngineError(
            f"{fit.spec.source}: effects cannot be averaged over the prior of the correlation, "
            f"since the weights cannot be trusted at {listing(lost)}; leave the prior out, or make "
            "it narrower"
        )
    logs = np.array([h.log_marginal for h in held])
    weight = np.exp(logs - logs.max())
    rng = stream(fit.seed, "confounding")
    every = [h.rows.arrays for h in held]
    node = rng.choice(len(held), size=every[0][0].shape, p=weight / weight.sum())
    mixed = [
        np.take_along_axis(np.stack(one), node[None], axis=0)[0] for one in zip(*every, strict=True)
    ]
    return held[0].rows.of(mixed)


def read_pair(text: str, names: Names | None = None) -> tuple[str, str, str | None]:
    """Read `mediator:outcome` or `mediator:outcome@grouping`.

    Args:
        text: as written, names with or without backticks.
        names: of the model, by which a name that holds a colon is told from two.

    Raises:
        InputError: it is neither.
    """
    written = spelled(text, names) if names is not None else text
    pair, *unit = pieces(written, "@")
    parts = [p.strip() for p in pieces(pair, ":")]
    if len(parts) != 2 or not all(parts) or len(unit) > 1 or not all(u.strip() for u in unit):
        raise InputError(
            f"--confounding: write MEDIATOR:OUTCOME or MEDIATOR:OUTCOME@GROUPING, not '{text}'"
        )
    return plain(parts[0]), plain(parts[1]), unit[0].strip() if unit else None

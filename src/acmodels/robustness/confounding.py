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

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.engines import choose
from acmodels.errors import EngineError, InputError, did_you_mean, listing
from acmodels.estimands import Context
from acmodels.inference.fitting import EffectRows, Fit, effect_rows
from acmodels.inference.judging import Effects, judge, quantities
from acmodels.inference.refitting import Again, again, refit
from acmodels.numbers import decimal, stated, table_html
from acmodels.posterior import intervals
from acmodels.priors import Prior, Priors
from acmodels.rng import stream
from acmodels.spec.distribution import constant
from acmodels.spec.model import names_of
from acmodels.spec.names import Names, pieces, plain, spelled
from acmodels.system import Block, EquationLayout, Layout
from acmodels.system.columns import design_matrix
from acmodels.system.layout import Array, Confounder, Index, residual_pairs
from acmodels.system.terms import group_terms
from acmodels.system.variances import residual_variance

if TYPE_CHECKING:
    import pandas as pd

RHO = tuple(round(0.1 * k, 1) for k in range(-6, 7))
"""Correlations looked at, where a person does not say."""
NODES = 21
"""Correlations that a prior is summed over."""
RHO_SAMPLED = (-0.4, -0.2, 0.0, 0.2, 0.4)
"""The same where the confounder is sampled, which takes longer."""
POINTS = 2048
"""Points of each fit, to begin with."""
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


@dataclass(frozen=True)
class _Held:
    """A fit with the correlation held."""

    rho: float
    rows: EffectRows
    log_marginal: float
    usable: bool


@dataclass(frozen=True)
class _Pair:
    """The model in which mediator and outcome correlate.

    Attributes:
        fit: without the correlation.
        layout: with it.
        name: of the correlation.
    """

    fit: Fit
    layout: Layout
    name: str

    def unfit(self) -> str | None:
        """Return why the exact engine cannot take it, or None."""
        found = choose(self.layout, self._priors(0.0))
        return None if found.engine.batches else found.reason

    def _priors(self, rho: float) -> Priors:
        return {**self.fit.priors, self.name: Prior(self.name, constant(rho), "held")}

    def held(self, rho: float) -> _Held:
        """Fit with the correlation at a value.

        Only the equations that it links are fitted; the others' posterior is what it was.
        """
        f = self.fit
        ready = again(f, layout=self.layout, priors=self._priors(rho), asked="auto")
        found = refit(ready, use="confounding", points=POINTS, wanted=(self.name,))
        context = Context(
            self.layout, f.system.responses, found.parameter, f.spec.estimands, f.spec.source
        )
        rows = effect_rows(context)
        return _Held(rho, rows, found.log_marginal_likelihood, found.usable(rows.rows))


@dataclass(frozen=True)
class _Latent:
    """The model with the confounder in it, sampled by NUTS, its loadings held.

    U takes the share |rho| of what is unexplained in each of the two: of a variance that is
    estimated, loading = s sqrt(|rho|); beside one that the link fixes, s sqrt(|rho| / (1 - |rho|)).

    Attributes:
        fit: without it.
        code: its unit on each data row.
        units: how many.
        scales: by response, s and whether it is fixed by the link; the outcome last.
        ready: compiled once.
    """

    fit: Fit
    code: Index
    units: int
    scales: Mapping[str, tuple[float, bool]]
    ready: Again

    def held(self, rho: float) -> _Held:
        """Sample with the confounder at a strength, signed by its loading on the outcome."""
        f = self.fit
        layout = replace(
            f.system.layout,
            confounder=Confounder(self.code, self.units, loadings(self.scales, rho)),
        )
        chains = f.draws.values.shape[0]
        found = refit(self.ready.onto(layout), use="confounding", cores=chains)
        context = Context(
            f.system.layout, f.system.responses, found.parameter, f.spec.estimands, f.spec.source
        )
        rows = effect_rows(context)
        return _Held(rho, rows, found.log_marginal_likelihood, found.usable(rows.rows))


def loadings(scales: Mapping[str, tuple[float, bool]], rho: float) -> dict[str, float]:
    """Loadings that give the confounder the share |rho| of what is unexplained; see `_Latent`."""
    r = abs(rho)
    out = {
        name: s * float(np.sqrt(r / (1 - r) if fixed else r)) for name, (s, fixed) in scales.items()
    }
    outcome = list(scales)[-1]
    out[outcome] *= float(np.sign(rho)) or 1.0
    return out


def _latent(fit: Fit, mediator: str, outcome: str, unit: str | None) -> _Latent:
    """The confounder as a cause of its own.

    Raises:
        InputError: an estimand is on the response scale, or nothing is unexplained at that level.
    """
    layout = fit.system.layout
    where = fit.spec.source
    for name, e in fit.spec.estimands.items():
        if getattr(e.settings, "scale", "linear") == "response":
            raise InputError(
                f"{where}: estimands.{name} is on the response scale, where a sampled confounder "
                'would have to be averaged over; look at it with scale = "linear"'
            )
    m, y = layout.equation(mediator), layout.equation(outcome)
    if unit is None:
        if not np.array_equal(m.rows, y.rows):
            raise InputError(
                f"{where}: '{mediator}' and '{outcome}' do not stand on the same rows; name the "
                f"grouping at which the confounder acts: {mediator_at(m, y)}"
            )
        code, units = np.arange(layout.n_rows, dtype=np.int64), layout.n_rows
        scales = {e.response: _unexplained(fit, e) for e in (m, y)}
    else:
        _by_unit(fit, layout, m, y, unit)  # refuses what has no effects of that unit
        block = next(b for b in layout.blocks if b.group == unit)
        code, units = block.code, len(block.levels)
        scales = {}
        for e in (m, y):
            names = [
                t.parameter
                for b, mine in group_terms(layout, e.response)
                if b.group == unit
                for t in mine
                if t.intercept
            ]
            scales[e.response] = (float(fit.draws[names[0]].mean()), False)
    at = replace(layout, confounder=Confounder(code, units, dict.fromkeys(scales, 0.0)))
    return _Latent(fit, code, units, scales, again(fit, layout=at, asked="auto"))


def _unexplained(fit: Fit, e: EquationLayout) -> tuple[float, bool]:
    """Residual sd of an equation on its linear predictor's scale, and whether the link fixes it.

    pi / sqrt(3) for a logit and 1 for a probit; for counts the log-scale sd of Nakagawa, Johnson &
    Schielzeth (2017), table 2.
    """
    if e.has_sigma:
        return float(fit.draws[e.sigma].mean()), False
    if e.link != "identity" and not e.distribution.positive:
        found = residual_variance(fit.system.layout, e, fit.system.responses, fit.draws.__getitem__)
        return float(np.sqrt(found.mean())), True
    raise InputError(
        f"{fit.spec.source}: '{e.response}' ({e.family}) has no residual on the scale of its "
        "linear predictor, of which a confounder of the rows could take a share; one of a "
        "grouping's units can be looked at"
    )


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

    exact = fit.draws.parts and fit.system.joint is None
    mediator, outcome = plain(mediator), plain(outcome)
    unit = None if unit is None else spelled(unit, names_of(fit.spec.equations))
    rho = rho if rho is not None else RHO if exact else RHO_SAMPLED
    grid = sorted({0.0, *(float(r) for r in rho)})
    if not all(abs(r) < 1 for r in grid):
        raise InputError("a correlation lies between -1 and 1")
    if prior is not None and not prior > 0:
        raise InputError(f"the prior's standard deviation must be above 0, not {stated(prior)}")
    if not fit.spec.estimands:
        raise InputError(f"{fit.spec.source}: has no [estimands] to look at")
    pair: _Pair | _Latent
    if exact:
        pair = _pair(fit, mediator, outcome, unit)
    else:
        _check_pair(fit, mediator, outcome)
        if prior is not None:
            raise InputError(
                "averaging over a prior of the correlation needs the exact engine, which tells how "
                "well the data agree with each value; leave the prior out"
            )
        pair = _latent(fit, mediator, outcome, unit)
    tell = progress or (lambda *_: None)
    nodes = _nodes(prior)
    found: list[_Held] = []
    with ThreadPoolExecutor(2 if exact else 1) as pool:  # the kernels let go of the interpreter
        for h in pool.map(pair.held, [*grid, *nodes]):
            found.append(h)
            tell("confounding", len(found), len(grid) + len(nodes))
    held, over = found[: len(grid)], found[len(grid) :]
    tables = [_table(fit, h.rows, h.rho, usable=h.usable) for h in held]
    averaged = None if prior is None else _table(fit, _mixed(fit, over), np.nan)
    table = pd.concat(tables, ignore_index=True)
    return Confounding(
        mediator, outcome, unit, table, averaged, prior, _tipping(table),
        _benchmarks(fit, mediator, outcome, unit), fit.interval, fit.prob, _withheld(fit, held),
    )  # fmt: skip


def _withheld(fit: Fit, held: Sequence[_Held]) -> tuple[str, ...]:
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


def _check_pair(fit: Fit, mediator: str, outcome: str) -> None:
    """Refuse names that are no mediator and outcome."""
    layout = fit.system.layout
    for name in (mediator, outcome):
        if name not in layout.responses:
            raise InputError(
                f"{fit.spec.source}: no equation '{name}'{did_you_mean(name, layout.responses)} "
                f"(there: {listing(layout.responses)})"
            )
    y = layout.equation(outcome)
    if mediator not in {v for c in y.columns for v in c.variables}:
        raise InputError(
            f"{fit.spec.source}: '{mediator}' does not predict '{outcome}', so it mediates nothing "
            "there"
        )
    if fit.system.joint is not None:
        raise InputError(
            f"{fit.spec.source}: missing values are modeled, beside which no confounder is "
            'sampled; look at the sensitivity with missing = "drop"'
        )


def _pair(fit: Fit, mediator: str, outcome: str, unit: str | None) -> _Pair:
    _check_pair(fit, mediator, outcome)
    layout = fit.system.layout
    m, y = layout.equation(mediator), layout.equation(outcome)
    if unit is None:
        changed, name = _by_rows(fit, layout, m, y)
    else:
        changed, name = _by_unit(fit, layout, m, y, unit)
    pair = _Pair(fit, changed, name)
    reason = pair.unfit()
    if reason is not None:
        raise InputError(
            f"{fit.spec.source}: the sensitivity to a confounder needs the exact engine, which "
            f"cannot take this model: {reason}"
        )
    return pair


def _by_rows(fit: Fit, layout: Layout, m: EquationLayout, y: EquationLayout) -> tuple[Layout, str]:
    """The layout in which the residuals of two equations correlate."""
    where = fit.spec.source
    for e in (m, y):
        if not e.distribution.normal or not e.has_sigma:
            raise InputError(
                f"{where}: '{e.response}' has no residual sd of its own ({e.family}); a confounder "
                "of the rows is looked at for gaussian equations only; one of a grouping's units "
                f"can be: {mediator_at(m, y)}"
            )
    if not np.array_equal(m.rows, y.rows):
        raise InputError(
            f"{where}: '{m.response}' and '{y.response}' do not stand on the same rows; name the "
            f"grouping at which the confounder acts: {mediator_at(m, y)}"
        )
    i, j = (layout.responses.index(e.response) for e in (m, y))
    if any({i, j} & set(s) for s in layout.residual):
        raise InputError(
            f"{where}: residual_correlation already frees a correlation of '{m.response}' or "
            f"'{y.response}', so nothing is held at zero"
        )
    first, second = sorted((i, j))
    changed = replace(layout, residual=(*layout.residual, (first, second)))
    return changed, residual_pairs(changed, len(changed.residual) - 1)[0][2]


def mediator_at(m: EquationLayout, y: EquationLayout) -> str:
    """Return how the option is written for a grouping."""
    return f"{m.response}:{y.response}@GROUPING"


def _by_unit(
    fit: Fit, layout: Layout, m: EquationLayout, y: EquationLayout, unit: str
) -> tuple[Layout, str]:
    """The layout in which intercepts of two equations by one grouping correlate."""
    where = fit.spec.source
    groups = tuple(dict.fromkeys(b.group for b in layout.blocks))
    if unit not in groups:
        raise InputError(
            f"{where}: no grouping '{unit}'{did_you_mean(unit, groups)} "
            f"(there: {listing(groups) if groups else 'none'})"
        )
    mine: list[Block] = []
    for e in (m, y):
        blocks = [
            b
            for b, own in group_terms(layout, e.response)
            if b.group == unit and any(t.intercept for t in own)
        ]
        if not blocks:
            raise InputError(
                f"{where}: equations.{e.response} has no (1 | {unit}), so a confounder of {unit} "
                "would have nothing to act through"
            )
        mine.append(blocks[0])
    if mine[0].key == mine[1].key:
        raise InputError(
            f"{where}: the effects of {unit} on '{m.response}' and '{y.response}' already share a "
            "covariance, which is estimated"
        )
    wide = [b for b in mine if len(b.members) > 1]
    if wide:
        raise InputError(
            f"{where}: the effects of {unit} on '{wide[0].members[0].response}' are correlated "
            f"with slopes; write (... || {unit}), so that the intercept stands alone"
        )
    keys = [b.key for b in layout.blocks]
    first, second = sorted(mine, key=lambda b: keys.index(b.key))
    both = replace(first, members=(*first.members, *second.members))
    blocks = tuple(both if b.key == first.key else b for b in layout.blocks if b.key != second.key)
    return replace(layout, blocks=blocks), both.correlations()[0][2]


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


def _mixed(fit: Fit, held: Sequence[_Held]) -> EffectRows:
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


def _tipping(table: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    out: list[dict[str, Any]] = []
    for _, every in table.groupby(["estimand", "at"], sort=False):
        rows = every.loc[every["mean"].notna()]
        if not (rows["rho"] == 0).any():
            continue
        r = rows["rho"].to_numpy(float)
        low, high = rows["lower"].to_numpy(float), rows["upper"].to_numpy(float)
        now = int(np.flatnonzero(r == 0)[0])
        clear = (low > 0) | (high < 0)
        edge = low if (low[now] > 0 or (not clear[now] and rows["mean"].iloc[now] > 0)) else high
        status = rows["status"].to_numpy(str)
        out.append(
            {
                "estimand": rows["estimand"].iloc[0],
                "at": rows["at"].iloc[0],
                "rho": _nearest(r, clear != clear[now], now, edge),
                "verdict": status[now],
                "verdict_rho": _nearest(r, status != status[now], now, None),
            }
        )
    return pd.DataFrame(out, columns=["estimand", "at", "rho", "verdict", "verdict_rho"])


def _nearest(r: Array, changed: np.ndarray, now: int, edge: Array | None) -> float:
    """Correlation nearest to zero at which something changes.

    By a straight line where an end of an interval crosses zero between two that were looked at.
    """
    found: list[float] = []
    for step in (1, -1):
        k = now + step
        while 0 <= k < len(r) and not changed[k]:
            k += step
        if 0 <= k < len(r):
            before = k - step
            at = float(r[k])
            if edge is not None and edge[k] * edge[before] < 0:
                share = edge[before] / (edge[before] - edge[k])
                at = float(r[before] + share * (r[k] - r[before]))
            found.append(at)
    return min(found, key=abs) if found else float("nan")


def _benchmarks(fit: Fit, mediator: str, outcome: str, unit: str | None) -> "pd.DataFrame":
    """Return how strong the measured covariates are, on the scale of the correlation.

    Partial R2 of a coefficient is t2 / (t2 + df), t its mean over its sd; a confounder as
    strong as the covariate explains f2 = R2 / (1 - R2) of what is left of each response, so the
    correlation it leaves is sqrt(f2_m f2_y) (Cinelli & Hazlett, 2020, section 4.4), at most 1, with
    the sign of the product of the two coefficients.
    """
    import pandas as pd

    layout = fit.system.layout
    m, y = layout.equation(mediator), layout.equation(outcome)
    theirs = {c.name: c for c in y.columns}
    out: list[dict[str, Any]] = []
    for c in m.columns:
        if not c.parts or c.name not in theirs or set(c.variables) & set(layout.responses):
            continue
        if unit is not None and not _constant(fit, m, c.name, unit):
            continue
        t = [_t(fit, e.coefficient(e_c)) for e, e_c in ((m, c), (y, theirs[c.name]))]
        df = [_df(fit, e, unit) for e in (m, y)]
        f = [abs(v) / np.sqrt(d) for v, d in zip(t, df, strict=True)]
        rho = float(np.sign(t[0] * t[1]) * min(1.0, f[0] * f[1]))
        share = [float(v**2 / (1 + v**2)) for v in f]
        out.append(
            {"covariate": c.name, "rho": rho, "r2_mediator": share[0], "r2_outcome": share[1]}
        )
    frame = pd.DataFrame(out, columns=["covariate", "rho", "r2_mediator", "r2_outcome"])
    return frame.iloc[np.argsort(-frame["rho"].abs().to_numpy(float), kind="stable")].reset_index(
        drop=True
    )


def _t(fit: Fit, name: str) -> float:
    x = fit.draws[name]
    return float(x.mean() / x.std(ddof=1))


def _df(fit: Fit, e: EquationLayout, unit: str | None) -> float:
    """Rows, or units of the grouping, less coefficients that are at that level."""
    if unit is None:
        return max(1.0, float(e.n - len(e.columns)))
    block = next(b for b in fit.system.layout.blocks if b.group == unit)
    at = sum(1 for c in e.columns if not c.parts or _constant(fit, e, c.name, unit))
    return max(1.0, float(len(block.levels) - at))


def _constant(fit: Fit, e: EquationLayout, column: str, unit: str) -> bool:
    """Return whether a column is one value a unit."""
    block = next(b for b in fit.system.layout.blocks if b.group == unit)
    code = block.index(e)
    k = [c.name for c in e.columns].index(column)
    x = design_matrix(fit.system.layout, e, fit.system.responses)[:, k]
    low = np.full(len(block.levels), np.inf)
    high = np.full(len(block.levels), -np.inf)
    np.minimum.at(low, code, x)
    np.maximum.at(high, code, x)
    seen = np.isfinite(low)
    return bool(np.all(high[seen] - low[seen] <= 1e-12 * (1 + np.abs(high[seen]))))


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

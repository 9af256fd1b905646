"""What each unit of a grouping does to the effects and the verdicts: leave it out and see.

By exact refits where the exact engine fitted the model, since they take a fraction of a second.
Draws of a sampler are reweighted by one over the likelihood of the unit's rows, its own group
effects integrated out (Merkle, Furr & Rabe-Hesketh, 2019, for why), with Pareto-smoothed weights
(Vehtari, Gelman & Gabry, 2017), and the model is fitted anew without the unit where their shape k
says that the weights cannot be trusted.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acmodels.data import Study, study
from acmodels.data import labels as labels_of
from acmodels.errors import AcmodelsError, InputError, did_you_mean, listing
from acmodels.estimands import Context
from acmodels.inference.effect_rows import effect_rows
from acmodels.inference.fitting import Fit
from acmodels.inference.judging import drawn, judge, quantities
from acmodels.inference.refitting import Again, Refit, again, refit
from acmodels.inference.rules import Drawn, chances, decide
from acmodels.numbers import table_html
from acmodels.posterior import Array, Posterior, intervals
from acmodels.robustness.reweighting import unit_likelihoods
from acmodels.spec.names import plain
from acmodels.system import (
    Joint,
    Layout,
    build_system,
    parameters,
    study_for,
)
from acmodels.system.layout import curves_in, left_out
from acmodels.system.terms import terms

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 1000
"""Draws that are reweighted, at most, spread over all."""
POINTS = 1024
"""Points of each exact refit, to begin with."""
MORE = 4096
"""The same where a grouping has few groups, so that the posterior of its sd has a long tail: sds of
sds are then within 4 % of those by 131,072 points (two data sets of 12 groups, four left out)."""
FEW = 20
"""Groups below which there are few."""
EVEN = (np.arange(DRAWS) + 0.5) / DRAWS
"""Probabilities at which weighted draws are drawn again, evenly."""
COLUMNS = (
    "unit", "n_rows", "estimand", "at", "how", "pareto_k", "mean", "sd", "lower", "upper",
    "p_positive", "shift", "proposition", "p_region", "status",
)  # fmt: skip


@dataclass(frozen=True)
class Influence:
    """Effects without each unit.

    Attributes:
        by: the grouping.
        table: a row for each unit, estimand and proposition about it, columns as in
            `influence.csv`: `how` is `refit`, `psis` or `not possible`; `shift` is the change of
            the mean in posterior sds of all the data.
        most: for each proposition, the unit without which P(region) changes most, with the status
            with and without it, and how many units change the status when left out.
        largest: for each estimand, the unit with the largest shift.
        notes: sentences about units without which the model cannot be fitted, and why.
    """

    by: str
    table: "pd.DataFrame"
    most: "pd.DataFrame"
    largest: "pd.DataFrame"
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return table_html(self.largest)


@dataclass(frozen=True)
class _Without:
    """What is known without one unit: weighted draws of each estimand, (S,).

    `withheld` says of each why it has no number, or nothing; `why` is why there is no refit.
    """

    how: str
    k: float
    draws: list[Drawn]
    weights: Array
    withheld: tuple[str, ...] = ()
    why: str = ""


def influence(
    fit: Fit,
    data: Any,
    by: str,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> Influence:
    """Leave out each unit of a grouping in turn.

    Args:
        fit: from `fit`.
        data: what it was fitted to, a study or a DataFrame.
        by: a column of it; each of its values is left out with all its rows.
        progress: called at every unit.

    Raises:
        InputError: no such column, fewer than three units, or no estimands.
    """
    by = plain(by)
    table = study_for(fit.spec, data if isinstance(data, Study) else study(data))
    if by not in table.names:
        raise InputError(f"{table.name}: no column '{by}'{did_you_mean(by, table.names)}")
    if not fit.spec.estimands:
        raise InputError(f"{fit.spec.source}: has no [estimands] to refit")
    labels = np.asarray(labels_of(table, by), dtype=object)
    missing = np.array([v is None for v in labels])
    units = sorted({str(v) for v, gone in zip(labels, missing, strict=True) if not gone})
    if len(units) < 3:
        raise InputError(
            f"{table.name}: '{by}' has {len(units)} units; leaving one out needs at least three"
        )
    tell = progress or (lambda *_: None)
    weighted = _reweighted(fit, by)
    without = _Refits(fit, again(fit) if fit.draws.parts else None)

    lost: dict[str, str] = {}

    def one(unit: str) -> list[dict[str, Any]]:
        keep = np.array([str(v) != unit for v in labels]) | missing
        found = weighted(unit) if weighted is not None else None
        if found is None:
            found = without(replace(table, frame=table.frame.loc[keep]))
        if found.why:
            lost[unit] = found.why
        return _summaries(fit, found, unit, int((~keep).sum()))

    rows: list[dict[str, Any]] = []
    with ThreadPoolExecutor(1 if without.exact is None else 2) as pool:
        for n, some in enumerate(pool.map(one, units)):
            rows += some
            tell("leaving out", n + 1, len(units))
    return replace(_told(fit, by, rows), notes=_lost(by, lost))


def _lost(by: str, lost: Mapping[str, str]) -> tuple[str, ...]:
    """Say without which units the model cannot be fitted, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for unit, why in sorted(lost.items()):
        reasons.setdefault(why, []).append(unit)
    return tuple(
        f"No answer without {by} {listing([repr(u) for u in units], 5)}: {why}."
        for why, units in reasons.items()
    )


def _other_parameters(fit: Fit, layout: Layout, names: set[str]) -> str:
    """Say which coefficients the data do not hold without a unit, and why."""
    gone = [n for n in fit.priors if n not in names]
    new = sorted(names - set(fit.priors))
    why = [said for n in gone if (said := left_out(layout, n)) is not None]
    if why:
        return f"without it, {why[0]}"
    said = f"the rows that are left do not hold {listing(gone, 5)}" if gone else ""
    more = f"the model has {listing(new, 5)} in addition" if new else ""
    return f"without it, {' and '.join(v for v in (said, more) if v)}"


@dataclass(frozen=True)
class _Refits:
    """Refits without a unit, priors as they were.

    Attributes:
        fit: of all the data.
        exact: the fit's engine made ready on all the data, where it is exact: a refit starts from
            where all the data put it.
    """

    fit: Fit
    exact: Again | None

    @property
    def points(self) -> int:
        """Points of each refit: more where a grouping is small, since its sd has a long tail."""
        blocks = self.fit.system.sampled.layout.blocks
        return MORE if any(len(b.levels) < FEW for b in blocks) else POINTS

    def __call__(self, rest: Study) -> _Without:
        """Fit to what is left."""
        f = self.fit
        try:
            system = build_system(f.spec, rest, curves=curves_in(f.system.layout))
            joint = system.sampled
            names = {p.name for p in parameters(joint.layout) if p.kind != "step"}
            if names != set(f.priors):
                raise InputError(_other_parameters(f, system.layout, names))
            again = self._refitted(joint)
            context = Context(
                system.layout, system.responses, again.parameter, f.spec.estimands, f.spec.source
            )
            found = effect_rows(context)
            rows = found.rows
        except AcmodelsError as error:
            return replace(_NONE, why=str(error).splitlines()[0].rstrip("."))
        if [(r.name, r.at) for r in rows] != [(r.name, r.at) for r in f.effects.rows]:
            return replace(_NONE, why="without it the estimands have other rows")
        if not again.usable(rows):
            return replace(_NONE, why="the draws of the refit cannot be used")
        size = rows[0].draws.size
        return _Without(
            "refit", again.pareto_k, [drawn(r) for r in rows], np.full(size, 1 / size),
            tuple(r.withheld for r in found.withheld(f.prob)),
        )  # fmt: skip

    def _refitted(self, joint: Joint) -> Refit:
        if self.exact is None:
            ready = again(self.fit, layout=joint.layout, responses=joint.responses)
        else:
            ready = self.exact.onto(joint.layout, joint.responses)
        return refit(
            ready, use="leave out", responses=joint.responses, points=self.points, cores=2,
        )  # fmt: skip


_NONE = _Without("not possible", float("nan"), [], np.zeros(0))


def _reweighted(fit: Fit, by: str) -> Callable[[str], _Without | None] | None:
    """A function that reweights the draws, where that can be done; None otherwise."""
    layout = fit.system.layout
    if fit.draws.parts or fit.system.joint is not None or layout.residual or layout.lags:
        return None
    own = [b for b in layout.blocks if b.columns == (by,)]
    if not own:
        return None
    levels, code = own[0].levels, own[0].code
    inside = [b for b in layout.blocks if b.columns != (by,) and _nested(b.code, code)]
    if inside or _other_means(layout, code):
        return None
    draws = _some(fit.draws)
    logs = unit_likelihoods(fit.system, own, draws.values, draws.effects)
    if logs is None:
        return None
    rows = [_picked(drawn(r), draws.picked) for r in fit.effects.rows]
    context = Context(
        layout, fit.system.responses, fit.draws.__getitem__, fit.spec.estimands, fit.spec.source
    )
    whole = effect_rows(context)
    place = {label: j for j, label in enumerate(levels)}

    def weighted(unit: str) -> _Without | None:
        from arviz_stats.base.array import array_stats

        if unit not in place:
            return None
        mine = logs[:, place[unit]]
        with np.errstate(all="ignore"):  # a tail without shape has a k that is not a number
            lw, k = array_stats.psislw(mine - mine.min(), axis=-1)  # weights are one over it
        if not np.isfinite(lw).all() or not float(k) < min(1 - 1 / np.log10(draws.size), 0.7):
            return None
        weights = np.exp(lw - lw.max())
        weights /= weights.sum()
        again = draws.picked[np.searchsorted(np.cumsum(weights), EVEN * np.sum(weights))]
        without = whole.of([a.reshape(-1)[again] for a in whole.arrays])
        return _Without(
            "psis", float(k), rows, weights, tuple(r.withheld for r in without.withheld(fit.prob))
        )

    return weighted


def _picked(of: Drawn, places: NDArray[np.int64]) -> Drawn:
    """Some draws of a quantity."""
    return Drawn(of.values[places], [[s[places] for s in path] for path in of.steps])


def _nested(inner: NDArray[np.int64], outer: NDArray[np.int64]) -> bool:
    """Return whether each level of one grouping lies in one level of another."""
    pairs = np.unique(np.stack([inner, outer], axis=1), axis=0)
    return len(pairs) == len(np.unique(inner))


def _other_means(layout: Layout, code: NDArray[np.int64]) -> bool:
    """Return whether other rows' observed means change when a unit is left out."""
    return any(
        s.derived is not None and s.latent is None and not _nested(s.derived.code, code)
        for e in layout.equations
        for t in terms(layout, e.response)
        for s in t.sources
    )


@dataclass(frozen=True)
class _Some:
    """Some draws of a posterior: their positions, parameters and group effects."""

    picked: NDArray[np.int64]
    values: Mapping[str, Array]
    effects: Mapping[str, Array]

    @property
    def size(self) -> int:
        return len(self.picked)


def _some(posterior: Posterior) -> _Some:
    chains, draws = posterior.values.shape[:2]
    picked = np.linspace(0, chains * draws - 1, min(DRAWS, chains * draws)).astype(np.int64)
    flat = posterior.values.reshape(chains * draws, -1)[picked]
    effects = {
        k: v.reshape(chains * draws, *v.shape[2:])[picked]
        for k, v in posterior.group_effects.items()
    }
    return _Some(picked, {n: flat[:, k] for k, n in enumerate(posterior.names)}, effects)


def _summaries(fit: Fit, found: _Without, unit: str, n_rows: int) -> list[dict[str, Any]]:
    """Rows of the table for one unit."""
    out: list[dict[str, Any]] = []
    places = _places(fit)
    verdicts = _judged(fit, found, places)
    for k, r in enumerate(fit.effects.rows):
        row: dict[str, Any] = {
            "unit": unit, "n_rows": n_rows, "estimand": r.name, "at": r.at, "how": found.how,
            "pareto_k": found.k,
        }  # fmt: skip
        if r.withheld:
            out.append({**row, "status": "undecided"})
            continue
        if found.withheld and found.withheld[k]:
            out.append({**row, "status": "undecided"})
            continue
        if found.how == "not possible":
            out.append({**row, "status": "unusable"})
            continue
        x, w = found.draws[k].values, found.weights
        mean = float(w @ x)
        low, high = _interval(x, w, fit)
        sd = float(r.draws.std(ddof=1))
        row |= {
            "mean": mean,
            "sd": float(np.sqrt(w @ (x - mean) ** 2)),
            "lower": low,
            "upper": high,
            "p_positive": min(1.0, float(w @ (x > 0))),
            "shift": (mean - float(r.draws.mean())) / sd if sd > 0 else 0.0,
        }
        about = [judged for p, judged in verdicts.items() if places[p] == (k,)]
        out += [{**row, **judged} for judged in about] or [row]
    joint = {"unit": unit, "n_rows": n_rows, "how": found.how, "pareto_k": found.k}
    several = [p for p in verdicts if fit.spec.propositions[p].all]
    out += [
        {**joint, "estimand": fit.spec.propositions[p].estimands, "at": "", **verdicts[p]}
        for p in several
    ]
    return out


def _judged(
    fit: Fit, found: _Without, places: Mapping[str, tuple[int, ...]]
) -> dict[str, dict[str, Any]]:
    """Verdicts without one unit, by proposition, where all their quantities have numbers."""
    out: dict[str, dict[str, Any]] = {}
    if found.how == "not possible":
        return out
    for k, p in fit.spec.propositions.items():
        if any(fit.effects.rows[j].withheld for j in places[k]):
            continue
        if found.withheld and any(found.withheld[j] for j in places[k]):
            continue
        w = found.weights
        pairs = zip(p.claims, places[k], strict=True)
        said = decide(
            [chances(c, found.draws[j], w) for c, j in pairs],
            p.probability,
            w,
        )
        out[k] = {"proposition": p.id, "p_region": float(said.region), "status": said.status}
    return out


def _places(fit: Fit) -> dict[str, tuple[int, ...]]:
    """Positions of the quantities that each proposition is about."""
    at = {id(r): k for k, r in enumerate(fit.effects.rows)}
    return {
        k: tuple(at[id(r)] for r in quantities(fit.effects, p))
        for k, p in fit.spec.propositions.items()
    }


def _interval(x: Array, w: Array, fit: Fit) -> tuple[float, float]:
    if np.ptp(w) == 0:
        low, high = intervals(x[None, :, None], fit.interval, fit.prob)
        return float(low[0]), float(high[0])
    order = np.argsort(x)
    total = np.cumsum(w[order]) - w[order] / 2
    tail = (1 - fit.prob) / 2
    if fit.interval == "eti":
        ends = np.interp([tail, 1 - tail], total, x[order])
        return float(ends[0]), float(ends[1])
    starts = np.linspace(0, 1 - fit.prob, 101)  # the shortest interval that holds the mass
    low = np.interp(starts, total, x[order])
    high = np.interp(starts + fit.prob, total, x[order])
    k = int(np.argmin(high - low))
    return float(low[k]), float(high[k])


def _told(fit: Fit, by: str, rows: list[dict[str, Any]]) -> Influence:
    import pandas as pd

    table = pd.DataFrame(rows, columns=list(COLUMNS))
    before = judge(fit.effects, fit.spec.propositions)
    most: list[dict[str, Any]] = []
    for now in before.to_dict("records"):
        mine = table.loc[(table["proposition"] == now["proposition"]) & table["p_region"].notna()]
        if not len(mine):
            continue
        at = int(np.argmax(np.abs(mine["p_region"].to_numpy(float) - now["p_region"])))
        far = mine.iloc[at]
        most.append(
            {
                "proposition": now["proposition"],
                "status": now["status"],
                "p_region": now["p_region"],
                "unit": far["unit"],
                "p_region_without": far["p_region"],
                "status_without": far["status"],
                "changed_by": int((mine["status"] != now["status"]).sum()),
                "units": len(mine),
            }
        )
    largest: list[dict[str, Any]] = []
    for _, mine in table.groupby(["estimand", "at"], sort=False):
        known = mine.loc[mine["shift"].notna()]
        if len(known):
            far = known.iloc[int(np.argmax(np.abs(known["shift"].to_numpy(float))))]
            largest.append(
                {
                    c: far[c]
                    for c in ("estimand", "at", "unit", "shift", "mean", "lower", "upper", "how")
                }
            )
    return Influence(by, table, pd.DataFrame(most), pd.DataFrame(largest))

"""A design to a study with known truth."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from acmodels.data import Study, study
from acmodels.display import facts
from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.estimands import Context, evaluate
from acmodels.families import family, scalar_kinds
from acmodels.generate import generate
from acmodels.priors import resolve_priors
from acmodels.rng import check_seed, stream
from acmodels.spec.design import ROW, Design, Exogenous, Loss, Unit
from acmodels.spec.distribution import draw, median, moments, normal
from acmodels.spec.model import Model
from acmodels.system import Layout, build_layout, parameters
from acmodels.system.build import SCALE
from acmodels.system.layout import Array, residual_pairs, with_steps


@dataclass(frozen=True)
class Simulation:
    """A simulated study.

    Attributes:
        study: the data.
        truth: every structural parameter by name.
        effects: every estimand at the truth; with `at`, by `name [at]`.
    """

    study: Study
    truth: Mapping[str, float]
    effects: Mapping[str, float]

    def _repr_html_(self) -> str:
        return facts(
            f"Simulated study {self.study.name}",
            {
                "Rows": self.study.n_rows,
                "Columns": ", ".join(str(c) for c in self.study.frame.columns),
                "True effects": tuple(f"{k} = {v:.3g}" for k, v in self.effects.items()) or "none",
            },
        )


@dataclass(frozen=True)
class _Frame:
    """Units drawn: for each kind its number, and for each row (or unit) those above it.

    Attributes:
        size: number of units, by kind.
        above: by kind, then by kind above (or crossed), positions of shape (size,).
        rows: the kind that is one row of data.
    """

    size: dict[str, int]
    above: dict[str, dict[str, np.ndarray]]
    rows: str


def simulate(design: Design, seed: int = 1, replicate: int = 0) -> Simulation:
    """Draw one study.

    Args:
        design: units, truths, predictors and the model, from `load_design`.
        seed: of the whole set of replicates.
        replicate: which one; each has its own stream, whatever others are drawn.

    Raises:
        ModelError: the design does not fit the model (an unknown truth or predictor, a
            grouping that is no unit).
        InputError: an impossible seed.
    """
    model = _model(design)
    rng = stream(check_seed(seed), "simulate", replicate)
    check_design(design)
    bare = draw_frame(design, rng)
    table = {c: bare.frame[c].to_numpy() for c in bare.frame.columns}
    layout = build_layout(model, bare, categories(design, model))
    truth = resolve_truth(design, model, layout)
    made = generate(layout, truth, rng)
    for r in model.equations:
        e = layout.equation(r)
        values = made.responses[r][e.carry]
        table[r] = values.astype(np.int64) if family(e.family).whole else values
    effects = _effects(model, layout, made.responses, truth)
    return Simulation(study(_data_frame(table), f"simulated {model.name}"), truth, effects)


def draw_frame(design: Design, rng: np.random.Generator) -> Study:
    """Draw all of a study but its responses: ids and predictors, less what is lost.

    Losses are completely at random: a row is left with the probability that the row itself
    (`attrition`) and each value that the model needs of it (`items`) are there.
    """
    model = _model(design)
    frame = _frame(design, rng)
    table = _ids(frame)
    table |= {
        name: _predictor(name, e, frame, model, rng)
        for name, e in _predictors(design, model).items()
    }
    made = _data_frame(table)
    needed = len(model.equations) + len(_predictor_names(model))
    left = (1 - design.loss.attrition) * (1 - design.loss.items) ** needed
    if left < 1:
        # the generator of losses is apart, so that a study with them is the one without, thinned
        kept = np.random.default_rng(rng.integers(2**63)).random(len(made)) < left
        made = made[kept].reset_index(drop=True)
    return study(made, f"simulated {model.name}")


def reference_frame(design: Design, rng: np.random.Generator) -> Study:
    """A study of a design whose predictors have exactly their distributions' means and sds.

    What is scaled to a design once and for all, such as default priors, is scaled to this one.
    """
    model = _model(design)
    whole = draw_frame(replace(design, loss=Loss()), rng)
    made = whole.frame.copy()
    for name, e in _predictors(design, model).items():
        if e.distribution.kind.support not in ("real", "binary"):
            continue  # moved and stretched, what is positive might not stay so
        values = made[name].to_numpy(dtype=np.float64)
        mean, sd = moments(e.distribution)
        spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        if spread > 0 and np.isfinite(mean) and np.isfinite(sd) and sd > 0:
            made[name] = mean + sd * (values - values.mean()) / spread
    return study(made, whole.name)


def _model(design: Design) -> Model:
    if design.model is None:
        raise ModelError(f"{design.source}: the design's model is not loaded; use load_design")
    return design.model


def resolve_truth(design: Design, model: Model, layout: Layout) -> dict[str, float]:
    """Settle every structural parameter's true value.

    A stated truth, else the median of a stated prior (for thresholds, if these rise), else 0 for
    coefficients and correlations, 1 for residual sds and 0.5 for group sds; for what a family
    owns, its `guess` without data (thresholds by which all categories are equally likely, nu 5,
    phi 2 of negative_binomial and 10 of beta).

    Raises:
        ModelError: a truth for no parameter, or an impossible one.
    """
    known = {p.name: p for p in parameters(layout)}
    for name in design.truth:
        if name not in known:
            raise ModelError(
                f"{design.source}: truth: the model has no parameter '{name}'"
                f"{did_you_mean(name, known)} (parameters: {listing(list(known), 12)})"
            )
    priors = resolve_priors(model.priors, layout, None, model.source)
    shares = {n: 1 / len(k) for e in layout.equations for x, k in e.monotonic.items()
              for n in e.shares(x)}  # fmt: skip
    plain = {"coefficient": 0.0, "cor": 0.0, "sigma": 1.0, "sd": 0.5}
    owned = _owned(layout)
    out: dict[str, float] = {}
    for name, p in known.items():
        if p.kind == "step":
            if name in design.truth:
                raise ModelError(
                    f'{design.source}: truth."{name}" follows from the mean step and the shares '
                    "simo(...) of the monotonic effect; state those"
                )
            continue
        if p.kind == "simo":
            out[name] = float(design.truth.get(name, shares[name]))
            continue
        prior = priors[name]
        default = owned[name] if name in owned else plain[p.kind]
        if prior.stated is not None:
            default = median(prior.distribution, prior.lower)
        value = float(design.truth.get(name, default))
        if p.kind in ("sd", "sigma") and value < 0:
            raise ModelError(f'{design.source}: truth."{name}": an sd cannot be {value:g}')
        if p.kind == "cor" and abs(value) > 1:
            raise ModelError(f'{design.source}: truth."{name}": {value:g} is no correlation')
        if p.kind in scalar_kinds() and not value > prior.lower:
            raise ModelError(
                f'{design.source}: truth."{name}": it must be above {prior.lower:g}, not {value:g}'
            )
        out[name] = value
    for e in layout.equations:
        stated = any(n in design.truth for n in e.thresholds)
        if not stated and np.any(np.diff([out[n] for n in e.thresholds]) <= 0):
            out |= {n: owned[n] for n in e.thresholds}  # one prior for all: its median is none's
    _check_correlations(design, layout, out)
    _check_thresholds(design, layout, out)
    _check_shares(design, layout, out)
    whole = with_steps(layout, out)
    return {name: whole[name] for name in known}


def _check_shares(design: Design, layout: Layout, truth: Mapping[str, float]) -> None:
    """Refuse shares of a monotonic effect that are negative or do not sum to 1."""
    for e in layout.equations:
        for effect in e.monotonic:
            mine = [truth[n] for n in e.shares(effect)]
            if min(mine) < 0 or abs(sum(mine) - 1) > 1e-6:
                raise ModelError(
                    f"{design.source}: truth: the shares simo({e.response} ~ {effect})[1] to "
                    f"[{len(mine)}] must be 0 or more and sum to 1, not {sum(mine):g}; state all "
                    "of them"
                )


def categories(design: Design, model: Model) -> dict[str, tuple[int, ...]]:
    """Categories of each ordered response of a design: 1, 2 and so on.

    As many as the highest threshold that the design's truths or the model's priors name asks
    for; five where they name none.
    """
    out: dict[str, tuple[int, ...]] = {}
    for r, e in model.equations.items():
        if family(e.family).ordered:
            named = [
                int(found[1])
                for name in (*design.truth, *model.priors)
                if (found := re.fullmatch(rf"{re.escape(r)} \| t([1-9]\d?)", name))
            ]
            out[r] = tuple(range(1, max(named) + 2)) if named else SCALE
    return out


def _owned(layout: Layout) -> dict[str, float]:
    """What families own where neither the design nor the model says."""
    out: dict[str, float] = {}
    for e in layout.equations:
        rough = family(e.family).guess(None, e.link, e.codes)
        out |= {e.scalar(kind): float(rough[kind]) for kind in e.scalars}
        out |= dict(zip(e.thresholds, map(float, rough.get("threshold", ())), strict=True))
    return out


def _check_thresholds(design: Design, layout: Layout, truth: Mapping[str, float]) -> None:
    """Refuse thresholds that are out of order."""
    for e in layout.equations:
        for low, high in pairwise(e.thresholds):
            if not truth[low] < truth[high]:
                raise ModelError(
                    f'{design.source}: truth."{high}": thresholds rise, but {high} = '
                    f"{truth[high]:g} is not above {low} = {truth[low]:g}; state all of them"
                )


def _check_correlations(design: Design, layout: Layout, truth: Mapping[str, float]) -> None:
    """Refuse correlations that no random variables can have together."""
    sets = [(len(b.members), b.correlations()) for b in layout.blocks]
    sets += [(len(r), residual_pairs(layout, n)) for n, r in enumerate(layout.residual)]
    for size, pairs in sets:
        R = np.eye(size)
        for i, j, name in pairs:
            R[i, j] = R[j, i] = truth[name]
        if np.linalg.eigvalsh(R)[0] < -1e-8:
            said = listing([f"{name} = {truth[name]:g}" for _, _, name in pairs])
            raise ModelError(
                f"{design.source}: truth: these correlations cannot hold together, since their "
                f"matrix is not positive semi-definite: {said}"
            )


def _effects(
    model: Model, layout: Layout, responses: Mapping[str, Array], truth: Mapping[str, float]
) -> dict[str, float]:
    context = Context(
        layout, responses, lambda n: np.full((1, 1), truth[n]), model.estimands, model.source
    )
    return {
        name if not row.at else f"{name} [{row.at}]": float(row.draws[0, 0])
        for name in model.estimands
        for row in evaluate(name, context)
    }


def check_design(design: Design) -> None:
    """Refuse a design that does not fit its model.

    Raises:
        ModelError: a grouping is no unit of the design, or a predictor is none of the model's.
    """
    model = _model(design)
    units = {u.name for u in design.units}
    problems: list[str] = []
    for r, e in model.equations.items():
        keys = [c for g in e.formula.groups for c in g.grouping]
        if e.level is not None:
            keys.append(e.level)
        problems += [
            f"{design.source}: units: equations.{r} of {model.source} groups by '{k}', which is no "
            f"unit of the design{did_you_mean(k, units)}"
            for k in dict.fromkeys(keys)
            if k not in units
        ]
    predictors = _predictor_names(model)
    problems += [
        f"{design.source}: exogenous.{name}: the model has no such predictor"
        f"{did_you_mean(name, predictors)} (predictors: {listing(predictors, 15)})"
        for name in design.exogenous
        if name not in predictors
    ]
    if problems:
        raise ModelError(dict.fromkeys(problems))


def _predictor_names(model: Model) -> list[str]:
    out: list[str] = []
    for e in model.equations.values():
        out += [v for v in e.formula.variables() if v not in model.equations]
        out += [c for c in (e.se, e.trials, e.weights) if c is not None]
    return list(dict.fromkeys(out))


def _predictors(design: Design, model: Model) -> dict[str, Exogenous]:
    plain = Exogenous(normal(0.0, 1.0), None, {})
    out = {n: design.exogenous.get(n, plain) for n in _predictor_names(model)}
    for e in model.equations.values():
        for column, what in (
            (e.se, "standard errors"),
            (e.trials, "trials"),
            (e.weights, "weights"),
        ):
            if column is not None and out[column].distribution.kind.support != "positive":
                raise ModelError(
                    f"{design.source}: exogenous.{column}: {what} need a positive distribution, "
                    'such as { dist = "Gamma", alpha = 20, beta = 1 }'
                )
    return out


def _frame(design: Design, rng: np.random.Generator) -> _Frame:
    size: dict[str, int] = {}
    above: dict[str, dict[str, np.ndarray]] = {}
    for u in design.units:
        parents = _counts(u, size.get(u.per or "", 1), rng)
        size[u.name] = int(parents.sum())
        above[u.name] = {}
        if u.per is not None:
            parent = np.repeat(np.arange(size[u.per]), parents)
            above[u.name][u.per] = parent
            above[u.name] |= {k: v[parent] for k, v in above[u.per].items()}
        for other in u.crossed_with:
            drawn = rng.integers(size[other], size=size[u.name])
            above[u.name][other] = drawn
            above[u.name] |= {
                k: v[drawn] for k, v in above[other].items() if k not in above[u.name]
            }
    return _Frame(size, above, _row_kind(design))


def _counts(u: Unit, parents: int, rng: np.random.Generator) -> np.ndarray:
    if u.size.sd == 0:
        return np.full(parents, round(u.size.mean))
    drawn = np.rint(rng.normal(u.size.mean, u.size.sd, size=parents))
    return np.maximum(drawn, u.size.min).astype(np.int64)


def _row_kind(design: Design) -> str:
    names = [u.name for u in design.units]
    used = {d for u in design.units for d in (u.per, *u.crossed_with)}
    leaves = [n for n in names if n not in used]
    if ROW in names and leaves == [ROW]:
        return ROW
    if len(leaves) != 1:
        raise ModelError(
            f"{design.source}: units: {listing(leaves)} are not linked; say how one lies in the "
            "other with per, or crosses it with crossed_with"
        )
    return leaves[0]


def _ids(frame: _Frame) -> dict[str, Any]:
    out: dict[str, Any] = {}
    here = {**frame.above[frame.rows]}
    if frame.rows != ROW:
        here[frame.rows] = np.arange(frame.size[frame.rows])
    for kind in frame.size:
        if kind in here:
            width = len(str(frame.size[kind]))
            out[kind] = np.array([f"{kind}_{i + 1:0{width}d}" for i in here[kind]], dtype=object)
    return out


def _predictor(
    name: str, e: Exogenous, frame: _Frame, model: Model, rng: np.random.Generator
) -> Array:
    """Values of a predictor on the data's rows."""
    level = e.level or _default_level(name, frame, model)
    n = frame.size[level] if level in frame.size else frame.size[frame.rows]
    values = _clustered(e, level, n, frame, rng) if e.icc else draw(e.distribution, rng, n)
    if any(name == q.trials for q in model.equations.values()):
        values = np.maximum(np.rint(values), 1.0)
    here = frame.above[frame.rows].get(level)
    return values if here is None else values[here]


def _clustered(e: Exogenous, level: str, n: int, frame: _Frame, rng: np.random.Generator) -> Array:
    """A standard normal with the stated shares of variance, then moved or cut."""
    z = np.sqrt(1 - sum(e.icc.values())) * rng.standard_normal(n)
    for unit, share in e.icc.items():
        place = frame.above.get(level, {}).get(unit)
        if place is None:
            raise ModelError(f"exogenous: '{unit}' is no unit above '{level}'")
        z = z + np.sqrt(share) * rng.standard_normal(frame.size[unit])[place]
    if e.distribution.name == "Normal":
        return e.distribution.location + e.distribution.scale * z
    from scipy.special import ndtri

    return (z < ndtri(e.distribution.parameters["p"])).astype(np.float64)


def _default_level(name: str, frame: _Frame, model: Model) -> str:
    """The highest level of an equation that uses a predictor, else the row."""
    levels = [
        e.level
        for e in model.equations.values()
        if e.level is not None and name in (*e.formula.variables(), e.se, e.trials, e.weights)
    ]
    return min(levels, key=lambda u: frame.size[u]) if levels else frame.rows


def _data_frame(table: Mapping[str, Any]) -> Any:
    import pandas as pd

    return pd.DataFrame(dict(table))

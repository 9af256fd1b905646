"""No-U-turn sampling of any model, by PyMC and nutpie.

The equations are stacked into one tall linear predictor, so that the graph, and with
it the time to compile, grows little with the number of equations and groupings. Every
free quantity is sampled in units, and coefficients along directions, that a rough fit
gives (`_start`); group effects are centred as far as the data speak (`_centering`);
correlation matrices are built from partial correlations with independent Beta priors
(Lewandowski, Kurowicka & Joe, 2009). All of these and the data are `pm.Data`: one
compilation serves any further responses of the design.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from acmodels.engines import Sampling
from acmodels.engines._centering import centering, uncertain
from acmodels.engines._start import start
from acmodels.errors import EngineError
from acmodels.families import family
from acmodels.posterior import Posterior
from acmodels.priors import Prior, Priors
from acmodels.spec.distribution import Distribution
from acmodels.system import Block, EquationLayout, Layout, Responses, parameters
from acmodels.system.columns import design_matrix, group_column
from acmodels.system.layout import Array, residual_pairs

TARGET_ACCEPT = 0.85
LOW_RANK_UP_TO = 150
"""Free quantities up to which the mass matrix adapts to correlations as well as scales.

Beyond, estimating it costs more than it saves (measured: 500 quantities, ten times the time
for no more effective draws).
"""


def unfit(layout: Layout, priors: Priors) -> str | None:
    """NUTS takes every model."""
    del layout, priors


def prepare(layout: Layout, priors: Priors, responses: Responses) -> "PreparedNuts":
    """Build the PyMC model and compile it."""
    import nutpie

    started = time.perf_counter()
    plan = _plan(layout, priors, responses)
    arrays = _arrays(plan, responses)
    import pymc as pm

    imported = time.perf_counter()
    model = _build(pm, plan, arrays)
    names = [v.name for v in model.free_RVs]
    compiled = nutpie.compile_pymc_model(model, var_names=names)
    done = time.perf_counter()
    seconds = {"import": imported - started, "compile": done - imported}
    return PreparedNuts(plan, model, compiled, seconds)


@dataclass(frozen=True)
class PreparedNuts:
    """A compiled model, ready for any responses of its design."""

    plan: "_Plan"
    model: Any
    compiled: Any
    seconds: Mapping[str, float]

    def sample(self, responses: Responses, seed: int, sampling: Sampling) -> Posterior:
        """Draw with nutpie.

        The draws depend on the seed, the data and the number of chains, not on the cores.
        """
        import nutpie
        from threadpoolctl import threadpool_limits

        started = time.perf_counter()
        compiled = self.compiled.with_data(**_arrays(self.plan, responses))
        try:
            with threadpool_limits(1):
                tree = nutpie.sample(
                    compiled,
                    draws=sampling.draws,
                    tune=sampling.tune,
                    chains=sampling.chains,
                    cores=min(sampling.cores, sampling.chains),
                    seed=seed,
                    target_accept=TARGET_ACCEPT,
                    adaptation="low_rank" if compiled.n_dim <= LOW_RANK_UP_TO else "diag",
                    save_warmup=False,
                    progress_bar=False,
                    progress_callback=_callback(sampling),
                )
        except RuntimeError as error:
            raise EngineError(f"sampling failed: {error}") from None
        if tree["posterior"].sizes["draw"] < sampling.draws:
            raise KeyboardInterrupt  # nutpie returns what it has when interrupted
        draws = {k: v.to_numpy() for k, v in tree["posterior"].data_vars.items()}
        values, effects = _structural(self.plan, draws, responses)
        stats = tree["sample_stats"]
        kept = {
            "diverging": stats["diverging"].to_numpy(),
            "energy": stats["energy"].to_numpy(),
            "tree_depth": stats["depth"].to_numpy().astype(np.int64),
            "n_steps": stats["n_steps"].to_numpy().astype(np.int64),
            "step_size": stats["step_size"].to_numpy(),
            "lp": stats["logp"].to_numpy(),
        }
        names = tuple(p.name for p in parameters(self.plan.layout))
        seconds = {**self.seconds, "sample": time.perf_counter() - started}
        return Posterior(names, values, effects, "nuts", kept, seconds, self.model)


def _callback(sampling: Sampling) -> Any:
    tell = sampling.progress
    if tell is None:
        return None
    total = sampling.chains * (sampling.draws + sampling.tune)

    def report(chains: Any) -> None:
        tell("sampling", sum(c.finished_draws for c in chains), total)

    return report


@dataclass(frozen=True)
class _Plan:
    """What of the layout and the priors the graph needs, in the graph's order.

    Attributes:
        stack: positions of the equations, those of one family and link side by side.
        slopes: (equation, column) of every coefficient but the intercepts, stacked.
        intercepts: positions of the equations with an intercept.
        scales: priors of group sds, then residual sds.
        sds: for each block, where its sds start among the scales.
        sigmas: by equation, the place of its residual sd among the scales.
        raw: positions among `intercepts` whose prior is on the raw intercept.
        starts: where each block's effects start among all effects, and their number.
        signed: by block and member, the places among the scales of group sds that are sampled
            with a sign. Where the data do not put an sd well away from zero, its log has a
            long tail; with a symmetric prior on the whole line and non-centred effects the
            posterior is smooth through zero, and the sd is the absolute value.
    """

    layout: Layout
    priors: Priors
    stack: tuple[int, ...]
    slopes: tuple[tuple[int, int], ...]
    intercepts: tuple[int, ...]
    scales: tuple[Prior, ...]
    sds: tuple[int, ...]
    sigmas: Mapping[int, int]
    raw: tuple[int, ...]
    starts: tuple[int, ...]
    signed: Mapping[tuple[int, int], int]

    @property
    def slope_priors(self) -> list[Distribution]:
        return [
            self.priors[e.coefficient(e.columns[k])].distribution
            for i, k in self.slopes
            for e in [self.layout.equations[i]]
        ]

    @property
    def scale_forms(self) -> list[Distribution]:
        """What the scales are sampled as: their priors, or the symmetric ones behind them."""
        places = set(self.signed.values())
        return [
            replace(p.distribution, name=_SYMMETRIC[p.distribution.name])
            if j in places
            else p.distribution
            for j, p in enumerate(self.scales)
        ]

    @property
    def intercept_priors(self) -> list[Distribution]:
        equations = (self.layout.equations[i] for i in self.intercepts)
        return [self.priors[e.coefficient(e.columns[0])].distribution for e in equations]


_SYMMETRIC = {
    "HalfNormal": "Normal",
    "HalfStudentT": "StudentT",
    "HalfCauchy": "Cauchy",
    "Exponential": "Laplace",
}
"""Priors of an sd, and the symmetric prior whose absolute value has them."""


def _plan(layout: Layout, priors: Priors, responses: Responses) -> _Plan:
    equations = layout.equations
    stack = sorted(range(len(equations)), key=lambda i: (equations[i].family, equations[i].link, i))
    slopes = tuple(
        (i, k)
        for i in stack
        for k in range(len(equations[i].columns))
        if k != equations[i].intercept
    )
    intercepts = tuple(i for i in stack if equations[i].intercept is not None)
    scales: list[Prior] = []
    sds: list[int] = []
    starts = [0]
    for b in layout.blocks:
        sds.append(len(scales))
        scales += [priors[b.sd(m)] for m in b.members]
        starts.append(starts[-1] + len(b.levels) * len(b.members))
    sigmas: dict[int, int] = {}
    for i in stack:
        if equations[i].has_sigma:
            sigmas[i] = len(scales)
            scales.append(priors[f"sigma({equations[i].response})"])
    raw = tuple(
        j
        for j, i in enumerate(intercepts)
        if not priors[equations[i].coefficient(equations[i].columns[0])].centered
    )
    signed = {
        (b, k): sds[b] + k
        for b, k in sorted(uncertain(layout, responses))
        if scales[sds[b] + k].distribution.name in _SYMMETRIC
    }
    return _Plan(
        layout, priors, tuple(stack), slopes, intercepts, tuple(scales), tuple(sds), sigmas, raw,
        tuple(starts), signed,
    )  # fmt: skip


def _groups(plan: _Plan) -> list[tuple[tuple[str, str], list[int]]]:
    """Equations by family and link, in stack order."""
    equations = plan.layout.equations
    return [
        (key, list(members))
        for key, members in groupby(
            plan.stack, key=lambda i: (equations[i].family, equations[i].link)
        )
    ]


def _centered(e: EquationLayout, X: Array) -> tuple[Array, Array, float]:
    """Design without the intercept, centred where there is one; its means; the offset's mean."""
    if e.intercept is None:
        return X, np.zeros(X.shape[1]), 0.0
    means = X[:, 1:].mean(axis=0)
    return X[:, 1:] - means, means, float(e.offset.mean())


def _arrays(plan: _Plan, responses: Responses) -> dict[str, Array]:
    """Every `pm.Data` of the graph, by name."""
    layout = plan.layout
    out: dict[str, Array] = {}
    shifts = np.zeros((len(plan.intercepts), len(plan.slopes)))
    offsets: list[Array] = []
    start = 0
    for i in plan.stack:
        e = layout.equations[i]
        X, means, mean_offset = _centered(e, design_matrix(layout, e, responses))
        if X.shape[1]:
            out[f"X_{i}"] = X
        offsets.append(e.offset - mean_offset)
        if i in plan.intercepts:
            shifts[plan.intercepts.index(i), start : start + X.shape[1]] = means
        start += X.shape[1]
    out["offset"] = np.concatenate(offsets)
    is_raw = np.array([j in plan.raw for j in range(len(plan.intercepts))], dtype=np.float64)
    if plan.raw:
        out["intercept_offset"] = is_raw * np.array(
            [layout.equations[i].offset.mean() for i in plan.intercepts]
        )
    if plan.raw and plan.slopes:
        out["intercept_shift"] = is_raw[:, None] * shifts
    out |= _prior_arrays(plan)
    out |= _start_arrays(plan, responses)
    out |= _group_arrays(plan, responses)
    for (name, link), members in _groups(plan):
        key = f"{name}_{link}"
        es = [layout.equations[i] for i in members]
        out[f"y_{key}"] = np.concatenate([responses[e.response] for e in es])
        if family(name).needs_trials:
            out[f"trials_{key}"] = np.concatenate([_trials(e) for e in es])
        if any(e.se is not None for e in es):
            out[f"se_{key}"] = np.concatenate([_se(e) for e in es])
    return out


def _trials(e: EquationLayout) -> Array:
    return e.trials if e.trials is not None else np.ones(e.n)


def _se(e: EquationLayout) -> Array:
    return e.se if e.se is not None else np.zeros(e.n)


def _prior_arrays(plan: _Plan) -> dict[str, Array]:
    out: dict[str, Array] = {}
    for name, priors in (
        ("slope", plan.slope_priors),
        ("intercept", plan.intercept_priors),
    ):
        if not priors:
            continue
        out[f"{name}_prior_location"] = np.array([d.location for d in priors])
        out[f"{name}_prior_scale"] = np.array([d.scale for d in priors])
    return out


def _start_arrays(plan: _Plan, responses: Responses) -> dict[str, Array]:
    """Where the sampler starts, and the units and directions in which it steps."""
    layout = plan.layout
    slopes = np.zeros(len(plan.slopes))
    root = np.zeros((len(plan.slopes), len(plan.slopes)))
    intercepts = np.zeros((len(plan.intercepts), 2))
    location = np.array([d.location for d in plan.slope_priors])
    scale = np.array([d.scale for d in plan.slope_priors])
    row = 0
    for i in plan.stack:
        e = layout.equations[i]
        X, _, mean_offset = _centered(e, design_matrix(layout, e, responses))
        rows = slice(row, row + X.shape[1])
        row += X.shape[1]
        found = start(e, X, responses[e.response], location[rows], scale[rows])
        slopes[rows], root[rows, rows] = found.slopes, found.root
        if found.intercept is not None:
            at, error = found.intercept
            intercepts[plan.intercepts.index(i)] = at + mean_offset, error
    out: dict[str, Array] = {}
    if plan.slopes:
        out |= {"slope_start": slopes, "slope_root": root}
    if plan.intercepts:
        out |= {"intercept_start": intercepts[:, 0], "intercept_unit": intercepts[:, 1]}
    if plan.scales:
        unit = _scale_units(plan, responses)
        ratio = np.array([p.distribution.scale for p in plan.scales]) / unit
        out |= {"scale_unit": unit, "scale_ratio": ratio}
    return out


def _scale_units(plan: _Plan, responses: Responses) -> Array:
    """Rough sds, group effects' first and residuals' after, in the order of the scales."""
    found = centering(plan.layout, responses)
    unit = np.ones(len(plan.scales))
    for (b, k), member in found.effects.items():
        unit[plan.sds[b] + k] = member.tau
    for i, place in plan.sigmas.items():
        unit[place] = found.sigma[i]
    return unit


def _group_arrays(plan: _Plan, responses: Responses) -> dict[str, Array]:
    """For each stacked row, the group effects that enter it and what multiplies them."""
    layout = plan.layout
    if not layout.blocks:
        return {}
    rows: list[tuple[Array, Array]] = []
    width = 1
    for i in plan.stack:
        e = layout.equations[i]
        places: list[Array] = []
        weights: list[Array] = []
        for first, block in zip(plan.starts, layout.blocks, strict=False):
            for k, m in enumerate(block.members):
                if m.response == e.response:
                    places.append(first + k * len(block.levels) + block.index(e))
                    weights.append(group_column(layout, e, m.column, responses))
        width = max(width, len(places))
        shape = (e.n, len(places))
        rows.append(
            (np.stack(places, 1), np.stack(weights, 1))
            if places
            else (np.zeros(shape, dtype=np.int64), np.zeros(shape))
        )
    pad = [(width - p.shape[1]) for p, _ in rows]
    index = np.concatenate(
        [np.pad(p, ((0, 0), (0, k))) for (p, _), k in zip(rows, pad, strict=True)]
    )
    weight = np.concatenate(
        [np.pad(w, ((0, 0), (0, k))) for (_, w), k in zip(rows, pad, strict=True)]
    )
    return {
        "group_index": index,
        "group_weight": weight,
        **_centering_arrays(plan, responses),
    }


def _centering_arrays(plan: _Plan, responses: Responses) -> dict[str, Array]:
    """Unit, centring weight and place of the sd of every group effect, and what it absorbs."""
    found = centering(plan.layout, responses, plan.signed.keys())
    blocks = list(enumerate(plan.layout.blocks))
    pairs = [
        (found.effects[b, k], len(block.levels), plan.sds[b] + k)
        for b, block in blocks
        for k in range(len(block.members))
    ]
    out: dict[str, Array] = {
        "effect_unit": np.concatenate([np.full(J, c.tau) for c, J, _ in pairs]),
        "effect_centering": np.concatenate([c.weight for c, _, _ in pairs]),
    }
    if all(len(b.members) == 1 for b in plan.layout.blocks):
        out["sd_of_effect"] = np.concatenate([np.full(J, place) for _, J, place in pairs])
    slopes = np.zeros((plan.starts[-1], len(plan.slopes)))
    intercepts = np.zeros((plan.starts[-1], len(plan.intercepts)))
    for (i, p), (b, shares) in found.absorbed.items():
        e = plan.layout.equations[i]
        for k, values in shares.items():
            start = plan.starts[b] + k * len(values)
            rows = slice(start, start + len(values))
            if p == e.intercept:
                intercepts[rows, plan.intercepts.index(i)] = values
            else:
                slopes[rows, plan.slopes.index((i, p))] = values
    if plan.slopes:
        out["absorb_slopes"] = slopes
    if plan.intercepts:
        out["absorb_intercepts"] = intercepts
    return out


_LOCATED: Mapping[str, Any] = {
    "Normal": lambda pm, _: pm.Normal.dist(0.0, 1.0),
    "StudentT": lambda pm, s: pm.StudentT.dist(nu=s["nu"], mu=0.0, sigma=1.0),
    "Cauchy": lambda pm, _: pm.Cauchy.dist(0.0, 1.0),
    "Laplace": lambda pm, _: pm.Laplace.dist(0.0, 1.0),
}
"""Standard forms on the whole line: PyMC, shape parameters -> distribution."""

_STANDARD: Mapping[str, Any] = {
    "Normal": lambda pm, n, r, _, **k: pm.Normal(n, 0.0, r, **k),
    "StudentT": lambda pm, n, r, s, **k: pm.StudentT(n, nu=s["nu"], mu=0.0, sigma=r, **k),
    "Cauchy": lambda pm, n, r, _, **k: pm.Cauchy(n, 0.0, r, **k),
    "Laplace": lambda pm, n, r, _, **k: pm.Laplace(n, 0.0, r, **k),
    "HalfNormal": lambda pm, n, r, _, **k: pm.HalfNormal(n, r, **k),
    "HalfStudentT": lambda pm, n, r, s, **k: pm.HalfStudentT(n, s["nu"], r, **k),
    "HalfCauchy": lambda pm, n, r, _, **k: pm.HalfCauchy(n, r, **k),
    "Exponential": lambda pm, n, r, _, **k: pm.Exponential(n, 1.0 / r, **k),
    "Gamma": lambda pm, n, r, s, **k: pm.Gamma(n, s["alpha"], 1.0 / r, **k),
    "LogNormal": lambda pm, n, r, s, **k: pm.LogNormal(n, pm.math.log(r), s["sigma"], **k),
}
"""Scale families: PyMC, name, scales, shape parameters, options -> random variable."""


def _by_form(priors: Sequence[Distribution]) -> list[tuple[Distribution, list[int]]]:
    """Positions by standard form, in order of first appearance."""
    found: dict[tuple[str, tuple[tuple[str, float], ...]], list[int]] = {}
    for k, d in enumerate(priors):
        found.setdefault((d.name, d.shape), []).append(k)
    return [(priors[places[0]], places) for places in found.values()]


def _standard(pm: Any, name: str, priors: Sequence[Distribution], ratio: Any) -> Any:
    """A vector of scales in rough units, one for each prior, in their order, from 1 on.

    Args:
        pm: the PyMC module.
        name: of the variable (of several, where the priors have several forms).
        priors: in order.
        ratio: scales of the priors in the same units.
    """
    forms = _by_form(priors)
    pieces = [
        _STANDARD[d.name](
            pm,
            _form_name(name, n),
            ratio[np.array(places)],
            dict(d.shape),
            shape=len(places),
            initval=np.ones(len(places)),
        )
        for n, (d, places) in enumerate(forms)
    ]
    if len(pieces) == 1:
        return pieces[0]
    order = np.argsort(np.concatenate([places for _, places in forms]))
    return pm.math.concatenate(pieces)[order]


def _form_name(name: str, n: int) -> str:
    return name if n == 0 else f"{name}_{n + 1}"


def _build(pm: Any, plan: _Plan, arrays: Mapping[str, Array]) -> Any:
    layout = plan.layout
    with pm.Model() as model:
        data = {k: pm.Data(k, v) for k, v in arrays.items()}
        scales = None
        if plan.scales:
            scales = _standard(pm, "scales", plan.scale_forms, data["scale_ratio"])
            scales = data["scale_unit"] * scales
        eta, absorbed = _linear_predictor(pm, plan, data)
        if layout.blocks:
            u = _group_effects(pm, plan, data, scales, absorbed)
            eta = eta + (u[data["group_index"]] * data["group_weight"]).sum(axis=1)
        _likelihoods(pm, plan, data, eta, scales)
    return model


def _linear_predictor(pm: Any, plan: _Plan, data: Mapping[str, Any]) -> tuple[Any, Any]:
    """Population-level part and offsets over the stacked rows, and what groups absorb of it."""
    layout = plan.layout
    eta = data["offset"]
    slopes = None
    absorbed: Any = 0.0
    if plan.slopes:
        z = pm.Flat("slopes", shape=len(plan.slopes))
        slopes = data["slope_start"] + pm.math.dot(data["slope_root"], z)
        standard = (slopes - data["slope_prior_location"]) / data["slope_prior_scale"]
        _prior(pm, "slopes", plan.slope_priors, standard)
        pieces: list[Any] = []
        start = 0
        for i in plan.stack:
            e = layout.equations[i]
            width = len(e.columns) - (e.intercept is not None)
            mine = slopes[start : start + width]
            pieces.append(pm.math.dot(data[f"X_{i}"], mine) if width else np.zeros(e.n))
            start += width
        eta = eta + (pieces[0] if len(pieces) == 1 else pm.math.concatenate(pieces))
        if "absorb_slopes" in data:
            absorbed = absorbed + pm.math.dot(data["absorb_slopes"], slopes)
    if plan.intercepts:
        intercepts = _intercepts(pm, plan, data, slopes)
        if "absorb_intercepts" in data:
            absorbed = absorbed + pm.math.dot(data["absorb_intercepts"], intercepts)
        if len(plan.stack) == 1:
            return eta + intercepts[0], absorbed
        place = {i: j + 1 for j, i in enumerate(plan.intercepts)}
        of_row = np.concatenate(
            [np.full(layout.equations[i].n, place.get(i, 0)) for i in plan.stack]
        )
        padded = pm.math.concatenate([np.zeros(1), intercepts])
        eta = eta + padded[pm.Data("intercept_of_row", of_row)]
    return eta, absorbed


def _intercepts(pm: Any, plan: _Plan, data: Mapping[str, Any], slopes: Any) -> Any:
    """Intercepts at the predictors' means.

    A stated prior is on the raw intercept, which is the centred one less the predictors'
    means times the slopes.
    """
    z = pm.Flat("intercepts", shape=len(plan.intercepts))
    intercepts = data["intercept_start"] + data["intercept_unit"] * z
    standard = intercepts - data["intercept_prior_location"]
    if plan.raw:
        standard = standard - data["intercept_offset"]
        if slopes is not None:
            standard = standard - pm.math.dot(data["intercept_shift"], slopes)
    _prior(pm, "intercepts", plan.intercept_priors, standard / data["intercept_prior_scale"])
    return intercepts


def _prior(pm: Any, name: str, priors: Sequence[Distribution], standard: Any) -> None:
    """Add the priors of a vector, given in units of their scales, to the target."""
    for n, (d, places) in enumerate(_by_form(priors)):
        density = pm.logp(_LOCATED[d.name](pm, dict(d.shape)), standard[np.array(places)])
        pm.Potential(f"prior_{_form_name(name, n)}", density.sum())


def _group_effects(
    pm: Any, plan: _Plan, data: Mapping[str, Any], scales: Any, absorbed: Any
) -> Any:
    """All group effects as one vector: block by block, effect by effect, level by level.

    Given the effects before it in its block, an effect is normal with mean m and sd c. What
    is sampled is v ~ Normal(w (m + h), c^w), where h is what the effect's group absorbs of the
    population-level part, and the effect is m + c^(1 - w) (v - w (m + h)): hierarchically
    centred where w is 1, non-centred where it is 0. All in units of a rough sd (`effect_unit`).
    """
    unit, w = data["effect_unit"], data["effect_centering"]
    home = w * absorbed / unit
    if all(len(b.members) == 1 for b in plan.layout.blocks):
        c = scales[data["sd_of_effect"]] / unit
        v = pm.Normal("group_effects", home, c**w, shape=plan.starts[-1])
        return unit * c ** (1.0 - w) * (v - home)
    pieces: list[Any] = []
    for n, (block, first) in enumerate(zip(plan.layout.blocks, plan.sds, strict=True)):
        J, K = len(block.levels), len(block.members)
        L = None if K == 1 else _cholesky(pm, f"partial_{n}", K, _eta(plan, block))
        z: list[Any] = []
        for k in range(K):
            at = slice(plan.starts[n] + k * J, plan.starts[n] + (k + 1) * J)
            c = scales[first + k] / unit[at]
            m = 0.0
            if L is not None:
                m = c * sum((L[k, j] * z[j] for j in range(k)), 0.0)
                c = c * L[k, k]
            mean = w[at] * m + home[at]
            v = pm.Normal(f"group_effects_{n}_{k}", mean, c ** w[at], shape=J)
            z.append((v - mean) / c ** w[at])
            pieces.append(unit[at] * (m + c * z[k]))
    return pieces[0] if len(pieces) == 1 else pm.math.concatenate(pieces)


def _eta(plan: _Plan, block: Block) -> float:
    return plan.priors[block.correlations()[0][2]].distribution.parameters["eta"]


def _cholesky(pm: Any, name: str, K: int, eta: float) -> Any:
    """Cholesky factor of a K x K correlation matrix with an LKJ(eta) prior.

    From canonical partial correlations: p[i, j] on (-1, 1) is Beta with both shapes
    eta + (K - 2 - j) / 2, and L[i, j] = p[i, j] prod_{k<j} sqrt(1 - p[i, k]^2).
    """
    rows, columns = np.tril_indices(K, -1)
    shape = eta + (K - 2 - columns) / 2
    partial = 2.0 * pm.Beta(name, shape, shape, shape=len(rows)) - 1.0
    place = np.zeros((K * K, len(rows)))
    place[rows * K + columns, range(len(rows))] = 1.0
    lower = pm.math.dot(place, partial).reshape((K, K))
    before = np.triu(np.ones((K, K)), 1)
    left = pm.math.exp(pm.math.dot(0.5 * pm.math.log(1.0 - lower**2), before))
    return (lower + np.eye(K)) * left


def _cholesky_draws(partial: Array, K: int) -> Array:
    """The same in NumPy, from draws of the Beta variables; shape (chain, draw, K, K)."""
    rows, columns = np.tril_indices(K, -1)
    lower = np.zeros((*partial.shape[:2], K, K))
    lower[..., rows, columns] = 2.0 * partial - 1.0
    left = np.exp(0.5 * np.log1p(-(lower**2)) @ np.triu(np.ones((K, K)), 1))
    return (lower + np.eye(K)) * left


@dataclass(frozen=True)
class _Observed:
    """What a likelihood reads."""

    y: Any
    trials: Any = None


def _likelihoods(pm: Any, plan: _Plan, data: Mapping[str, Any], eta: Any, scales: Any) -> None:
    layout = plan.layout
    start = 0
    for (name, link), members in _groups(plan):
        fam = family(name)
        key = f"{name}_{link}"
        n = sum(layout.equations[i].n for i in members)
        piece = eta if len(members) == len(plan.stack) else eta[start : start + n]
        start += n
        observed = _Observed(data[f"y_{key}"], data.get(f"trials_{key}"))
        sigma = None
        if fam.has_sigma:
            sigma = _row_scales(pm, plan, members, data.get(f"se_{key}"), scales)
            if layout.residual:
                piece, sigma = _correlate(pm, plan, members, piece, sigma, observed.y)
        fam.likelihood(pm, f"likelihood_{key}", piece, sigma, link, observed)


def _row_scales(pm: Any, plan: _Plan, members: list[int], se: Any, scales: Any) -> Any:
    """Residual sd of every row: its equation's, or the known standard error."""
    equations = plan.layout.equations
    if not any(i in plan.sigmas for i in members):
        return se
    if len(members) == 1:
        return scales[plan.sigmas[members[0]]]
    of_row = np.concatenate([np.full(equations[i].n, plan.sigmas.get(i, -1) + 1) for i in members])
    padded = pm.math.concatenate([np.zeros(1), scales])
    sigma = padded[pm.Data("sigma_of_row", of_row)]
    return sigma if se is None else sigma + se


def _correlate(
    pm: Any, plan: _Plan, members: list[int], eta: Any, sigma: Any, y: Any
) -> tuple[Any, Any]:
    """Condition each equation of a residual block on the residuals of those before it.

    With residuals e_k = sigma_k sum_j L[k, j] z_j, equation k given the earlier ones is
    normal about eta_k + sigma_k sum_{j<k} L[k, j] z_j with sd sigma_k L[k, k].
    """
    layout = plan.layout
    starts = np.cumsum([0, *(layout.equations[i].n for i in members)])
    place = {i: slice(int(starts[p]), int(starts[p + 1])) for p, i in enumerate(members)}
    means = [eta[place[i]] for i in members]
    ones = [np.ones(layout.equations[i].n) for i in members]
    stretch: list[Any] = list(ones)
    if len(members) == 1:
        return eta, sigma
    for r, block in enumerate(layout.residual):
        name = residual_pairs(layout, r)[0][2]
        L = _cholesky(
            pm,
            f"residual_partial_{r}",
            len(block),
            plan.priors[name].distribution.parameters["eta"],
        )
        z: list[Any] = []
        for k, i in enumerate(block):
            p = members.index(i)
            sd = sigma[place[i]]
            for j in range(k):
                means[p] = means[p] + sd * L[k, j] * z[j]
            stretch[p] = L[k, k] * ones[p]
            z.append((y[place[i]] - means[p]) / (sd * L[k, k]))
    return pm.math.concatenate(means), sigma * pm.math.concatenate(stretch)


def _structural(
    plan: _Plan, draws: Mapping[str, Array], responses: Responses
) -> tuple[Array, dict[str, Array]]:
    """Structural parameters and group effects from the free variables' draws."""
    layout = plan.layout
    out: dict[str, Array] = {}
    begin = _start_arrays(plan, responses)

    if plan.scales:
        scales = begin["scale_unit"] * _assemble(draws, "scales", plan.scale_forms)
        out |= {p.name: scales[..., j] for j, p in enumerate(plan.scales)}
    slopes = np.zeros((1, 1, 0))
    home: Array | float = 0.0
    centred = _centering_arrays(plan, responses) if layout.blocks else {}
    if plan.slopes:
        slopes = begin["slope_start"] + draws["slopes"] @ begin["slope_root"].T
        home = home + (slopes @ centred["absorb_slopes"].T if centred else 0.0)
    for place, (i, k) in enumerate(plan.slopes):
        e = layout.equations[i]
        out[e.coefficient(e.columns[k])] = slopes[..., place]
    if plan.intercepts:
        intercepts = begin["intercept_start"] + begin["intercept_unit"] * draws["intercepts"]
        home = home + (intercepts @ centred["absorb_intercepts"].T if centred else 0.0)
        for j, i in enumerate(plan.intercepts):
            e = layout.equations[i]
            _, means, mean_offset = _centered(e, design_matrix(layout, e, responses))
            mine = [place for place, (q, _) in enumerate(plan.slopes) if q == i]
            raw = intercepts[..., j] - mean_offset
            if mine:
                raw = raw - slopes[..., mine] @ means
            out[e.coefficient(e.columns[0])] = raw
    effects = {
        block.key: _block_draws(plan, n, draws, out, centred, home)
        for n, block in enumerate(layout.blocks)
    }
    _drop_signs(plan, out)
    for r, members in enumerate(layout.residual):
        L = _cholesky_draws(draws[f"residual_partial_{r}"], len(members))
        R = L @ np.swapaxes(L, -1, -2)
        out |= {name: R[..., i, j] for i, j, name in residual_pairs(layout, r)}
    return np.stack([out[p.name] for p in parameters(layout)], axis=-1), effects


def _drop_signs(plan: _Plan, out: dict[str, Array]) -> None:
    """Make signed sds positive; a correlation takes the signs of its two sds."""
    for block in plan.layout.blocks:
        signs = [np.sign(out[block.sd(m)]) for m in block.members]
        for i, j, name in block.correlations():
            out[name] = out[name] * signs[i] * signs[j]
        for k, m in enumerate(block.members):
            out[block.sd(m)] = out[block.sd(m)] * signs[k]


def _assemble(draws: Mapping[str, Array], name: str, priors: Sequence[Distribution]) -> Array:
    forms = _by_form(priors)
    pieces = [draws[_form_name(name, n)] for n in range(len(forms))]
    order = np.argsort(np.concatenate([places for _, places in forms]))
    return np.concatenate(pieces, axis=-1)[..., order]


def _block_draws(
    plan: _Plan,
    n: int,
    draws: Mapping[str, Array],
    out: dict[str, Array],
    centred: Mapping[str, Array],
    home: Array | float,
) -> Array:
    """Draws of a block's effects, shape (chain, draw, J, K); its correlations go to `out`."""
    block = plan.layout.blocks[n]
    J, K = len(block.levels), len(block.members)
    L = None
    if K > 1:
        L = _cholesky_draws(draws[f"partial_{n}"], K)
        R = L @ np.swapaxes(L, -1, -2)
        out |= {name: R[..., i, j] for i, j, name in block.correlations()}
    effects: list[Array] = []
    z: list[Array] = []
    for k, member in enumerate(block.members):
        at = slice(plan.starts[n] + k * J, plan.starts[n] + (k + 1) * J)
        unit, w = centred["effect_unit"][at], centred["effect_centering"][at]
        c = out[block.sd(member)][..., None] / unit
        m = np.zeros_like(c)
        if L is not None:
            for j in range(k):
                m = m + c * L[..., k, j, None] * z[j]
            c = c * L[..., k, k, None]
        whole = f"group_effects_{n}_{k}"
        v = draws[whole] if whole in draws else draws["group_effects"][..., at]
        here = home[..., at] if isinstance(home, np.ndarray) else home
        z.append((v - w * (m + here / unit)) / c**w)
        effects.append(unit * (m + c * z[k]))
    return np.stack(effects, axis=-1)

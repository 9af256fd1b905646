"""The PyMC model: one stacked predictor, group effects, likelihoods and priors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acmodels.engines.nuts.bounds import from_line
from acmodels.engines.nuts.missing import is_linear
from acmodels.engines.nuts.plan import Plan, by_form, form_name, groups
from acmodels.engines.nuts.shifts import Densities, Shifts
from acmodels.families import Category, family
from acmodels.priors import Priors, held_matrix
from acmodels.spec.distribution import Distribution
from acmodels.system.layout import Array, residual_pairs
from acmodels.system.terms import latent_means, latent_terms

_LOCATED: Mapping[str, Any] = {
    "Normal": lambda pm, _: pm.Normal.dist(0.0, 1.0),
    "StudentT": lambda pm, s: pm.StudentT.dist(nu=s["nu"], mu=0.0, sigma=1.0),
    "Cauchy": lambda pm, _: pm.Cauchy.dist(0.0, 1.0),
    "Laplace": lambda pm, _: pm.Laplace.dist(0.0, 1.0),
}
"""Standard forms on the whole line: PyMC, shape parameters -> distribution."""

_POSITIVE: Mapping[str, Any] = {
    "HalfNormal": lambda pm, _: pm.HalfNormal.dist(1.0),
    "HalfStudentT": lambda pm, s: pm.HalfStudentT.dist(s["nu"], 1.0),
    "HalfCauchy": lambda pm, _: pm.HalfCauchy.dist(1.0),
    "Exponential": lambda pm, _: pm.Exponential.dist(1.0),
    "Gamma": lambda pm, s: pm.Gamma.dist(s["alpha"], 1.0),
    "LogNormal": lambda pm, s: pm.LogNormal.dist(0.0, s["sigma"]),
}
"""Standard forms above zero, likewise."""

_BOUNDED: Mapping[str, Any] = {
    **_POSITIVE,
    "Beta": lambda pm, s: pm.Beta.dist(s["alpha"], s["beta"]),
}
"""Standard forms of families' further parameters, likewise."""

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


def _standard(pm: Any, name: str, priors: Sequence[Distribution], ratio: Any) -> Any:
    """A vector of scales in rough units, one for each prior, in their order, from 1 on.

    Args:
        pm: the PyMC module.
        name: of the variable (of several, where the priors have several forms).
        priors: in order.
        ratio: scales of the priors in the same units.
    """
    forms = by_form(priors)
    pieces = [
        ratio[np.array(places)]  # held at a value
        if d.name == "Constant"
        else _STANDARD[d.name](
            pm,
            form_name(name, n),
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


def build(pm: Any, plan: Plan, arrays: Mapping[str, Array]) -> Any:
    """Build the PyMC model."""
    layout = plan.layout
    with pm.Model() as model:
        data = {k: pm.Data(k, v) for k, v in arrays.items()}
        scales = None
        if plan.scales:
            scales = _standard(pm, "scales", plan.scale_forms, data["scale_ratio"])
            scales = data["scale_unit"] * scales
        found, absorbed = _linear_predictor(pm, plan, data)
        eta = found.eta
        shifts = Shifts(pm, layout, plan.unknown, data)
        own = _Own(
            _thresholds(pm, plan, data, found.intercepts, found.slopes), _owned(pm, plan, data)
        )
        if layout.blocks:
            u = _as_written(pm, plan, _group_effects(pm, plan, data, scales, absorbed))
            eta = eta + (u[data["group_index"]] * data["group_weight"]).sum(axis=1)
            if latent_means(layout):
                eta = eta + _latent(pm, plan, data, found, u, shifts)
            eta = eta + _shifted(pm, plan, data, shifts, found, u)
        else:
            eta = eta + _shifted(pm, plan, data, shifts, found, None)
        if layout.confounder is not None:
            hidden = pm.Normal("confounder", 0.0, 1.0, shape=layout.confounder.units)
            eta = eta + data["confounder_loading"] * hidden[data["confounder_index"]]
        _likelihoods(pm, plan, data, eta, scales, own, shifts.deltas)
    return model


@dataclass(frozen=True)
class _Population:
    """The population-level part: over the stacked rows, and its coefficients, or None."""

    eta: Any
    slopes: Any
    intercepts: Any


def _linear_predictor(pm: Any, plan: Plan, data: Mapping[str, Any]) -> tuple[_Population, Any]:
    """Population-level part and offsets over the stacked rows, and what groups absorb of it."""
    layout = plan.layout
    eta = data["offset"]
    slopes: Any = None
    intercepts: Any = None
    absorbed: Any = 0.0
    if plan.slopes:
        slopes = _free_slopes(pm, plan, data)
        if plan.held:
            slopes = pm.math.concatenate([slopes, plan.held_values])
        if not plan.direct:
            slopes = slopes[np.array(plan.free_of)] * _step_factors(pm, plan)
        pieces: list[Any] = []
        start = 0
        for i in plan.stack:
            e = layout.equations[i]
            width = len(e.columns) - (e.intercept is not None)
            mine = slopes[start : start + width]
            pieces.append(pm.math.dot(data[f"X_{i}"], mine) if width else np.zeros(plan.count(i)))
            start += width
        eta = eta + (pieces[0] if len(pieces) == 1 else pm.math.concatenate(pieces))
        if "absorb_slopes" in data:
            absorbed = absorbed + pm.math.dot(data["absorb_slopes"], slopes)
    if plan.intercepts:
        intercepts = _intercepts(pm, plan, data, slopes)
        if "absorb_intercepts" in data:
            absorbed = absorbed + pm.math.dot(data["absorb_intercepts"], intercepts)
        if len(plan.stack) == 1:
            return _Population(eta + intercepts[0], slopes, intercepts), absorbed
        place = {i: j + 1 for j, i in enumerate(plan.intercepts)}
        of_row = np.concatenate([np.full(plan.count(i), place.get(i, 0)) for i in plan.stack])
        padded = pm.math.concatenate([np.zeros(1), intercepts])
        eta = eta + padded[pm.Data("intercept_of_row", of_row)]
    return _Population(eta, slopes, intercepts), absorbed


def _free_slopes(pm: Any, plan: Plan, data: Mapping[str, Any]) -> Any:
    """The coefficients that are sampled, with their priors."""
    if not plan.free:
        return np.zeros(0)
    z = pm.Flat("slopes", shape=len(plan.free))
    slopes = data["slope_start"] + pm.math.dot(data["slope_root"], z)
    sums = slopes if "slope_sums" not in data else pm.math.dot(data["slope_sums"], slopes)
    standard = (sums - data["slope_prior_location"]) / data["slope_prior_scale"]
    _prior(pm, "slopes", plan.slope_priors, standard)
    return slopes


def _step_factors(pm: Any, plan: Plan) -> Any:
    """Return what the mean step is multiplied by for each slope: 1, or share times number."""
    shares: list[Any] = [np.ones(1)]
    place = np.zeros(len(plan.slopes), dtype=np.int64)
    first = 1
    for n, (names, steps) in enumerate(plan.monotonic):
        values = [plan.priors[x].held for x in names]
        if values[0] is not None:
            shares.append(len(names) * np.array(values))
        else:
            alpha = plan.priors[names[0]].distribution.parameters["alpha"]
            shares.append(len(names) * pm.Dirichlet(f"shares_{n}", np.full(len(names), alpha)))
        place[list(steps)] = first + np.arange(len(names))
        first += len(names)
    return pm.math.concatenate(shares)[place]


def _shifted(
    pm: Any, plan: Plan, data: Mapping[str, Any], shifts: Shifts, found: _Population, u: Any
) -> Any:
    """Return what continuous missing values add to the stacked predictor beyond rough ones."""
    layout = plan.layout
    place = {ik: p for p, ik in enumerate(plan.slopes)}
    total: Any = 0.0
    if "linear_row" in data:
        from pytensor import tensor as pt

        parts = [v for v in (found.slopes, u) if v is not None]
        coefficients = parts[0] if len(parts) == 1 else pm.math.concatenate(parts)
        moved = shifts.deltas[data["linear_cell"]] * data["linear_rest"]
        moved = moved * coefficients[data["linear_coefficient"]]
        total = pt.inc_subtensor(pt.zeros_like(data["offset"])[data["linear_row"]], moved)
    bent = [m for m in shifts.columns if m.term is None and not is_linear(layout, m)]
    if not bent:
        return total
    pieces: list[Any] = []
    for i in plan.stack:
        piece: Any = np.zeros(plan.count(i))
        for m in (m for m in bent if m.equation == i):
            if m.slope is not None:
                piece = piece + found.slopes[place[m.slope]] * shifts.of(m)
                continue
            b, k = m.effect or (0, 0)
            block = layout.blocks[b]
            index = block.index(layout.equations[i])[plan.unknown.rows[i].source]
            first = plan.starts[b] + k * len(block.levels)
            piece = piece + u[pm.Data(f"moved_group_{m.key}", first + index)] * shifts.of(m)
        pieces.append(pm.math.as_tensor(piece))
    return total + (pieces[0] if len(pieces) == 1 else pm.math.concatenate(pieces))


def _latent(
    pm: Any, plan: Plan, data: Mapping[str, Any], found: _Population, u: Any, shifts: Shifts
) -> Any:
    """Return what latent unit means add to the stacked predictor beyond observed ones."""
    layout = plan.layout
    place = {ik: p for p, ik in enumerate(plan.slopes)}
    moved_rest = {(m.equation, m.term): m for m in shifts.columns if m.term is not None}

    def coefficient(i: int, k: int) -> Any:
        if (i, k) in place:
            return found.slopes[place[i, k]]
        return found.intercepts[plan.intercepts.index(i)]

    def effect(b: int, k: int, index: Any) -> Any:
        return u[plan.starts[b] + k * len(layout.blocks[b].levels) + index]

    gaps: list[Any] = []

    def moved(
        i: int, at: Any = None, only: tuple[int, ...] | None = None, n: int | None = None
    ) -> Any:
        """Add up what gaps change in an equation's rows, or at a latent mean's rows (the nth)."""
        e = layout.equations[i]
        total: Any = 0.0
        for j, (term, how) in enumerate(latent_terms(layout, e.response)):
            if only is not None and term.position not in only:
                continue
            rows = plan.unknown.rows[i].source if at is None else at
            gap = gaps[how.mean][latent_means(layout)[how.mean].code[e.rows][rows]]
            rest = data[f"latent_rest_{i}_{j}"]
            rest = rest if at is None else rest[at]
            if (i, j) in moved_rest:
                m = moved_rest[i, j]
                more = shifts.of(m) if n is None else shifts.of_mean(m, n)
                rest = rest + how.sign * more
            gap = gap * rest
            if term.position is not None:
                total = total + coefficient(i, term.position) * gap
            else:
                b, k = term.effect or (0, 0)
                total = total + effect(b, k, layout.blocks[b].index(e)[rows]) * gap
        return total

    for n, m in enumerate(latent_means(layout)):
        i = m.equation
        value: Any = data[f"latent_offset_{n}"]
        if layout.equations[i].intercept is not None:
            value = value + found.intercepts[plan.intercepts.index(i)]
        mine = [place[i, k] for k in range(len(layout.equations[i].columns)) if (i, k) in place]
        if mine:
            value = value + pm.math.dot(data[f"latent_X_{n}"], found.slopes[np.array(mine)])
        for j, (b, k) in enumerate(m.effects):
            value = value + data[f"latent_z_{n}_{j}"] * effect(b, k, data[f"latent_index_{n}_{j}"])
        for c in shifts.columns:
            more = None if c.term is not None else shifts.of_mean(c, n)
            if more is not None and c.slope is not None:
                value = value + coefficient(*c.slope) * more
            elif more is not None and c.effect is not None:
                index = layout.blocks[c.effect[0]].index(layout.equations[i])[m.at]
                value = value + effect(*c.effect, index) * more
        value = value + moved(i, m.at, m.columns, n)
        gaps.append(value - data[f"latent_observed_{n}"])
    pieces = [
        moved(i) if latent_terms(layout, layout.equations[i].response) else np.zeros(plan.count(i))
        for i in plan.stack
    ]
    return pieces[0] if len(pieces) == 1 else pm.math.concatenate(pieces)


def _intercepts(pm: Any, plan: Plan, data: Mapping[str, Any], slopes: Any) -> Any:
    """Constants at the predictors' means, with the priors of those that are intercepts.

    A stated prior is on the raw intercept, which is the centered one less the predictors'
    means times the slopes; a default one on the expected response where its weights have the
    predictors.
    """
    known = {plan.plain[k]: v for k, v in plan.held_intercepts.items()}
    cuts = {int(plan.constant_of_cut[k]): k for k in plan.held_cuts}
    free = plan.free_intercepts
    pieces: list[Any] = []
    if free:
        z = pm.Flat("intercepts", shape=len(free))
        at = np.array(free)
        pieces.append(data["intercept_start"][at] + data["intercept_unit"][at] * z)
    pieces += [
        (_raw(pm, plan, data, "intercept", slopes)[plan.plain.index(j)] + v).reshape((1,))
        for j, v in known.items()
    ]
    if cuts:
        relative = _relative(pm, plan, data)
        raw = _raw(pm, plan, data, "threshold", slopes)
        pieces += [(relative[k] + raw[k] - plan.held_cuts[k]).reshape((1,)) for k in cuts.values()]
    intercepts = pieces[0] if len(pieces) == 1 else pm.math.concatenate(pieces)
    if known or cuts:
        intercepts = intercepts[np.argsort([*free, *known, *cuts])]
    some = [k for k in range(len(plan.plain)) if k not in plan.held_intercepts]
    if not some:
        return intercepts
    standard = intercepts[np.array([plan.plain[k] for k in some])]
    at = np.array(some)
    standard = standard - data["intercept_prior_location"][at]
    standard = standard - _raw(pm, plan, data, "intercept", slopes)[at]
    priors = [plan.intercept_priors[k].distribution for k in some]
    _prior(pm, "intercepts", priors, standard / data["intercept_prior_scale"][at])
    return intercepts


def _raw(pm: Any, plan: Plan, data: Mapping[str, Any], what: str, slopes: Any) -> Any:
    """Return what lies between a constant at the predictors' means and what its prior is on."""
    del plan
    if slopes is None:
        return data[f"{what}_offset"]
    return data[f"{what}_offset"] + pm.math.dot(data[f"{what}_shift"], slopes)


def _relative(pm: Any, plan: Plan, data: Mapping[str, Any]) -> Any:
    """Thresholds of every ordered response relative to its middle one."""
    gaps = plan.gaps.shape[1]
    if not gaps:
        return pm.math.as_tensor(np.zeros(len(plan.cuts)))
    held = plan.held_gaps
    free = [k for k in range(gaps) if k not in held]
    pieces: list[Any] = []
    if free:
        model = pm.modelcontext(None)
        z = model["gaps"] if "gaps" in model.named_vars else pm.Flat("gaps", shape=len(free))
        at = np.array(free)
        log_gaps = data["gap_start"][at] + data["gap_unit"][at] * z
        if "gaps_jacobian" not in model.named_vars:
            pm.Potential("gaps_jacobian", log_gaps.sum())
        pieces.append(pm.math.exp(log_gaps))
    if held:
        pieces.append(np.array(list(held.values())))
    sizes = pieces[0] if len(pieces) == 1 else pm.math.concatenate(pieces)
    return pm.math.dot(plan.gaps[:, [*free, *held]], sizes)


def _thresholds(pm: Any, plan: Plan, data: Mapping[str, Any], constants: Any, slopes: Any) -> Any:
    """Thresholds of every ordered response relative to its constant, with their priors.

    The middle threshold of a response at the predictors' means is minus its constant; the others
    follow from the logs of the gaps between neighbors, whose Jacobian is the product of the gaps.
    A stated prior is on the raw threshold, which is the centered one plus the predictors'
    means times the slopes; a default one on the threshold where its weights have the predictors.
    """
    if not plan.cuts:
        return None
    relative = _relative(pm, plan, data)
    some = [k for k in range(len(plan.cuts)) if k not in plan.held_cuts]
    if some:
        at = relative - constants[plan.constant_of_cut] - data["threshold_prior_location"]
        at = (at + _raw(pm, plan, data, "threshold", slopes))[np.array(some)]
        priors = [plan.cut_priors[k].distribution for k in some]
        _prior(pm, "thresholds", priors, at / data["threshold_prior_scale"][np.array(some)])
    return pm.math.as_tensor(relative)


def _owned(pm: Any, plan: Plan, data: Mapping[str, Any]) -> Any:
    """Further parameters of families, by coordinates on the whole line; see `_bounds`."""
    if not plan.owned:
        return None
    free, held = plan.free_owned, plan.held_owned
    pieces: list[Any] = []
    if free:
        at = np.array(free)
        at_line = data["owned_start"][at] + pm.Flat("owned", shape=len(free))
        priors = [plan.owned_priors[k] for k in free]
        values, jacobian = from_line(pm.math, at_line, priors)
        pm.Potential("owned_jacobian", jacobian)
        flat = [p.distribution.name == "Uniform" for p in priors]  # constant within its bounds
        rest = np.flatnonzero(~np.array(flat))
        if len(rest):
            standard = (values / data["owned_prior_scale"][at])[rest]
            _prior(pm, "owned", [priors[k].distribution for k in rest], standard, _BOUNDED)
        pieces.append(values)
    if held:
        pieces.append(np.array(list(held.values())))
    values = pm.math.as_tensor(pieces[0]) if len(pieces) == 1 else pm.math.concatenate(pieces)
    return values[np.argsort([*free, *held])] if held else values


def _prior(
    pm: Any, name: str, priors: Sequence[Distribution], standard: Any, forms: Any = _LOCATED
) -> None:
    """Add the priors of a vector, given in units of their scales, to the target."""
    for n, (d, places) in enumerate(by_form(priors)):
        density = pm.logp(forms[d.name](pm, dict(d.shape)), standard[np.array(places)])
        pm.Potential(f"prior_{form_name(name, n)}", density.sum())


def _group_effects(pm: Any, plan: Plan, data: Mapping[str, Any], scales: Any, absorbed: Any) -> Any:
    """All group effects as one vector: block by block, effect by effect, level by level.

    Given the effects before it in its block, an effect is normal with mean m and sd c. What
    is sampled is v ~ Normal(w (m + h), c^w), where h is what the effect's group absorbs of the
    population-level part, and the effect is m + c^(1 - w) (v - w (m + h)): hierarchically
    centered where w is 1, non-centered where it is 0. All in units of a rough sd (`effect_unit`).
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
        names = [name for _, _, name in block.correlations()]
        L = None if K == 1 else _cholesky(pm, f"partial_{n}", K, plan.priors, names)
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


def _as_written(pm: Any, plan: Plan, u: Any) -> Any:
    """Group effects as the formula has them, from those that are sampled."""
    if not plan.bases:
        return u
    pieces: list[Any] = []
    for b, block in enumerate(plan.layout.blocks):
        J, K = len(block.levels), len(block.members)
        mine = u[plan.starts[b] : plan.starts[b + 1]]
        if b in plan.bases:
            mine = pm.math.dot(plan.bases[b], mine.reshape((K, J))).reshape((K * J,))
        pieces.append(mine)
    return pieces[0] if len(pieces) == 1 else pm.math.concatenate(pieces)


def _cholesky(pm: Any, name: str, K: int, priors: Priors, names: Sequence[str]) -> Any:
    """Cholesky factor of a K x K correlation matrix, held or with an LKJ(eta) prior.

    From canonical partial correlations: p[i, j] on (-1, 1) is Beta with both shapes
    eta + (K - 2 - j) / 2, and L[i, j] = p[i, j] prod_{k<j} sqrt(1 - p[i, k]^2).

    Args:
        pm: the PyMC module.
        name: of the partial correlations.
        K: rows.
        priors: in force.
        names: of the correlations, (1, 2), (1, 3), ..., (2, 3), ...
    """
    known = held_matrix(K, priors, names)
    if known is not None:
        return np.linalg.cholesky(known)
    eta = priors[names[0]].distribution.parameters["eta"]
    rows, columns = np.tril_indices(K, -1)
    shape = eta + (K - 2 - columns) / 2
    partial = 2.0 * pm.Beta(name, shape, shape, shape=len(rows)) - 1.0
    place = np.zeros((K * K, len(rows)))
    place[rows * K + columns, range(len(rows))] = 1.0
    lower = pm.math.dot(place, partial).reshape((K, K))
    before = np.triu(np.ones((K, K)), 1)
    left = pm.math.exp(pm.math.dot(0.5 * pm.math.log(1.0 - lower**2), before))
    return (lower + np.eye(K)) * left


@dataclass(frozen=True)
class _Own:
    """What families own: thresholds relative to their constants, and numbers, or None."""

    thresholds: Any
    numbers: Any


def _likelihoods(
    pm: Any, plan: Plan, data: Mapping[str, Any], eta: Any, scales: Any, own: _Own, deltas: Any
) -> None:
    layout = plan.layout
    start = 0
    bins: Any = data.get("missing_floor")
    for (name, link), members in groups(plan):
        fam = family(name)
        key = f"{name}_{link}"
        n = sum(plan.count(i) for i in members)
        piece = eta if len(members) == len(plan.stack) else eta[start : start + n]
        start += n
        sigma = None
        if fam.has_sigma:
            sigma = _row_scales(pm, plan, members, data.get(f"se_{key}"), scales)
            if layout.residual and fam.normal:
                y = _with_missing(data, key, deltas)
                piece, sigma = _correlate(pm, plan, members, piece, sigma, y)
        mine = _row_numbers(pm, plan, members, key, own.numbers)
        rows = _Rows(fam, link, key, piece, sigma, mine)
        if f"weights_{key}" in data:
            log = _add(Densities(pm), rows, data, own, "")
            pm.Potential(f"likelihood_{key}", pm.math.dot(data[f"weights_{key}"], log))
            continue
        if f"order_{key}" not in data:
            _add(pm, rows, data, own, f"likelihood_{key}")
            continue
        rows = rows.at(data[f"order_{key}"])
        plain = sum(int((~plan.unknown.rows[i].special).sum()) for i in members)
        if plain:
            _add(pm, rows.at(slice(0, plain)), data, own, f"likelihood_{key}")
        bins = _special(pm, rows.at(slice(plain, n)), data, own, deltas, bins)
    if bins is not None:
        table = bins.reshape((len(plan.unknown.components), plan.unknown.width))
        pm.Potential("missing_sums", pm.math.logsumexp(table, axis=1).sum())


@dataclass(frozen=True)
class _Rows:
    """Rows of equations of one family, ready for their likelihood."""

    family: Any
    link: str
    key: str
    eta: Any
    sigma: Any
    own: Mapping[str, Any]

    def at(self, places: Any) -> "_Rows":
        """Some of them."""

        def take(value: Any) -> Any:
            return value[places] if getattr(value, "ndim", 0) else value

        own = {k: take(v) for k, v in self.own.items()}
        sigma = None if self.sigma is None else take(self.sigma)
        return replace(self, eta=self.eta[places], sigma=sigma, own=own)


def _add(
    pm: Any,
    rows: _Rows,
    data: Mapping[str, Any],
    own: _Own,
    name: str,
    prefix: str = "",
    latent: Any = None,
) -> Any:
    """Add the likelihood of some rows: what the family returns."""

    def read(what: str) -> Any:
        return data.get(f"{prefix}{what}_{rows.key}")

    if rows.family.ordered:
        above, below = own.thresholds[read("above")], own.thresholds[read("below")]
        y: Any = Category(read("first"), read("last"), above, below)
    else:
        y = read("y") if latent is None else read("y") + latent
    response = rows.family(link=rows.link, sd=rows.sigma, trials=read("trials"), **rows.own)
    return response.likelihood(pm, name, y, rows.eta)


def _special(
    pm: Any, rows: _Rows, data: Mapping[str, Any], own: _Own, deltas: Any, bins: Any
) -> Any:
    """Add rows whose response is missing, and gather those that are summed over."""
    latent = None
    if f"special_latent_{rows.key}" in data:
        latent = deltas[data[f"special_latent_{rows.key}"]]
    log = _add(Densities(pm), rows, data, own, "", "special_", latent)
    pm.Potential(f"missing_{rows.key}", pm.math.dot(data[f"special_alone_{rows.key}"], log))
    if "missing_floor" not in data:
        return bins
    padded = pm.math.concatenate([np.zeros(1), log])
    return bins + padded[data[f"special_of_bin_{rows.key}"]].sum(axis=1)


def _with_missing(data: Mapping[str, Any], key: str, deltas: Any) -> Any:
    """Responses of all rows of a family, the missing ones as the quantities that they are."""
    if f"all_latent_{key}" not in data:
        return data[f"y_{key}"]
    return data[f"all_y_{key}"] + deltas[data[f"all_latent_{key}"]]


def _row_numbers(pm: Any, plan: Plan, members: list[int], key: str, numbers: Any) -> dict[str, Any]:
    """The family's numbers by kind, for every row; for one equation, one for all."""
    equations = plan.layout.equations
    places = {(i, s.kind): place for place, (i, s) in enumerate(plan.owned)}
    out: dict[str, Any] = {}
    for kind in equations[members[0]].scalars:
        mine = [places[i, kind] for i in members]
        if len(mine) == 1:
            out[kind] = numbers[mine[0]]
            continue
        of_row = np.repeat(mine, [plan.count(i) for i in members])
        out[kind] = numbers[pm.Data(f"{kind}_of_row_{key}", of_row)]
    return out


def _row_scales(pm: Any, plan: Plan, members: list[int], se: Any, scales: Any) -> Any:
    """Residual sd of every row: its equation's, or the known standard error."""
    if not any(i in plan.sigmas for i in members):
        return se
    if len(members) == 1:
        return scales[plan.sigmas[members[0]]]
    of_row = np.concatenate([np.full(plan.count(i), plan.sigmas.get(i, -1) + 1) for i in members])
    padded = pm.math.concatenate([np.zeros(1), scales])
    sigma = padded[pm.Data("sigma_of_row", of_row)]
    return sigma if se is None else sigma + se


def _correlate(
    pm: Any, plan: Plan, members: list[int], eta: Any, sigma: Any, y: Any
) -> tuple[Any, Any]:
    """Condition each equation of a residual block on the residuals of those before it.

    With residuals e_k = sigma_k sum_j L[k, j] z_j, equation k given the earlier ones is
    normal about eta_k + sigma_k sum_{j<k} L[k, j] z_j with sd sigma_k L[k, k].
    """
    layout = plan.layout
    starts = np.cumsum([0, *(plan.count(i) for i in members)])
    place = {i: slice(int(starts[p]), int(starts[p + 1])) for p, i in enumerate(members)}
    means = [eta[place[i]] for i in members]
    ones = [np.ones(plan.count(i)) for i in members]
    stretch: list[Any] = list(ones)
    if len(members) == 1:
        return eta, sigma
    for r, block in enumerate(layout.residual):
        names = [name for _, _, name in residual_pairs(layout, r)]
        L = _cholesky(pm, f"residual_partial_{r}", len(block), plan.priors, names)
        z: list[Any] = []
        for k, i in enumerate(block):
            p = members.index(i)
            sd = sigma[place[i]]
            for j in range(k):
                means[p] = means[p] + sd * L[k, j] * z[j]
            stretch[p] = L[k, k] * ones[p]
            z.append((y[place[i]] - means[p]) / (sd * L[k, k]))
    return pm.math.concatenate(means), sigma * pm.math.concatenate(stretch)

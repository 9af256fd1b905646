"""What the graph needs of a layout, its priors and its data, as arrays by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import numpy as np

from acmodels.engines.nuts.bounds import to_line
from acmodels.engines.nuts.centering import CONSTANT, centering, uncertain
from acmodels.engines.nuts.missing import (
    Unknown,
    Versions,
    linear_arrays,
    missing_arrays,
    unknown,
)
from acmodels.engines.nuts.start import rough, start
from acmodels.families import Scalar, family
from acmodels.priors import Prior, Priors, turned
from acmodels.spec.distribution import Distribution
from acmodels.system import Column, EquationLayout, Layout, Responses
from acmodels.system.columns import design_matrix, group_column, unit_means
from acmodels.system.latent import rest_values
from acmodels.system.layout import Array, Index
from acmodels.system.terms import latent_means, latent_terms


@dataclass(frozen=True)
class Plan:
    """What of the layout and the priors the graph needs, in the graph's order.

    Attributes:
        stack: positions of the equations, those of one family and link side by side.
        slopes: (equation, column) of every coefficient but the intercepts, stacked.
        free: names of the coefficients that slopes are made of: their own, or of all steps of a
            monotonic effect their mean; without those that are held.
        held: likewise, those that are held at a value.
        free_of: for each slope, the position of what it is made of among `free` and, after these,
            `held`.
        monotonic: for each monotonic effect, the names of its shares, and the positions of its
            steps among the slopes.
        intercepts: positions of the equations with a constant: an intercept, or thresholds.
            For thresholds it is minus the middle one, at the predictors' means.
        plain: positions among `intercepts` of those that are intercepts and have their prior.
        scales: priors of group sds, then residual sds.
        sds: for each block, where its sds start among the scales.
        sigmas: by equation, the place of its residual sd among the scales.
        bases: by block, what its effects as written are in terms of those that are sampled (K, K);
            blocks where they are the same have none.
        cuts: (equation, k) of every threshold, k from 0, stacked.
        owned: (equation, number) of every further number that a family owns, stacked.
        starts: where each block's effects start among all effects, and their number.
        signed: by block and member, the places among the scales of group sds that are sampled
            with a sign. Where the data do not put an sd well away from zero, its log has a
            long tail; with a symmetric prior on the whole line and non-centered effects the
            posterior is smooth through zero, and the sd is the absolute value.
        unknown: what is missing, and the rows of the graph that stand for each equation's.
    """

    layout: Layout
    priors: Priors
    stack: tuple[int, ...]
    slopes: tuple[tuple[int, int], ...]
    free: tuple[str, ...]
    held: tuple[str, ...]
    free_of: tuple[int, ...]
    monotonic: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]
    intercepts: tuple[int, ...]
    plain: tuple[int, ...]
    scales: tuple[Prior, ...]
    sds: tuple[int, ...]
    sigmas: Mapping[int, int]
    bases: Mapping[int, Array]
    cuts: tuple[tuple[int, int], ...]
    owned: tuple[tuple[int, Scalar], ...]
    starts: tuple[int, ...]
    signed: Mapping[tuple[int, int], int]
    unknown: Unknown

    def count(self, i: int) -> int:
        """Rows of the graph that stand for an equation's."""
        return self.unknown.rows[i].count

    @property
    def slope_priors(self) -> list[Distribution]:
        """Priors of `free`."""
        return [self.priors[name].distribution for name in self.free]

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
    def intercept_priors(self) -> list[Prior]:
        """Priors of the intercepts in `plain`."""
        equations = (self.layout.equations[self.intercepts[j]] for j in self.plain)
        return [self.priors[e.coefficient(e.columns[0])] for e in equations]

    @property
    def slope_sums(self) -> Array | None:
        """What slopes' priors are on, in terms of `free`, (free, free); None where themselves."""
        if not any(self.priors[n].on for n in self.free):
            return None
        out = np.eye(len(self.free))
        for k, n in enumerate(self.free):
            if self.priors[n].on:
                out[k] = 0.0
                for other, weight in self.priors[n].on:
                    out[k, self.free.index(other)] = weight
        return out

    @property
    def cut_priors(self) -> list[Prior]:
        """Priors of the thresholds in `cuts`."""
        return [self.priors[self.layout.equations[i].thresholds[k]] for i, k in self.cuts]

    @property
    def owned_priors(self) -> list[Prior]:
        """Priors of the parameters in `owned`."""
        return [self.priors[self.layout.equations[i].scalar(s.kind)] for i, s in self.owned]

    @property
    def direct(self) -> bool:
        """Whether slopes are `free` itself."""
        return not self.monotonic and not self.held

    @property
    def held_values(self) -> Array:
        """Where the coefficients in `held` are held."""
        return np.array([self.priors[n].distribution.parameters["value"] for n in self.held])

    @property
    def held_intercepts(self) -> Mapping[int, float]:
        """By place among `plain`, the value at which a raw intercept is held."""
        found = {k: p.held for k, p in enumerate(self.intercept_priors)}
        return {k: v for k, v in found.items() if v is not None}

    @property
    def held_cuts(self) -> Mapping[int, float]:
        """By place among `cuts`, the value at which a raw threshold is held."""
        found = {k: p.held for k, p in enumerate(self.cut_priors)}
        return {k: v for k, v in found.items() if v is not None}

    @property
    def held_owned(self) -> Mapping[int, float]:
        """By place among `owned`, the value at which a number is held."""
        names = [self.layout.equations[i].scalar(s.kind) for i, s in self.owned]
        found = {k: self.priors[n].held for k, n in enumerate(names)}
        return {k: v for k, v in found.items() if v is not None}

    @property
    def free_owned(self) -> list[int]:
        """Places among `owned` of the others."""
        return [k for k in range(len(self.owned)) if k not in self.held_owned]

    @property
    def free_intercepts(self) -> list[int]:
        """Places among `intercepts` of constants that are sampled: no part of them is held."""
        known = {self.plain[k] for k in self.held_intercepts}
        known |= {int(self.constant_of_cut[k]) for k in self.held_cuts}
        return [j for j in range(len(self.intercepts)) if j not in known]

    @property
    def held_gaps(self) -> Mapping[int, float]:
        """By place among the gaps, the gap between two thresholds that are both held."""
        out: dict[int, float] = {}
        gap = 0
        for place, (_, k) in enumerate(self.cuts):
            if k == 0:
                continue
            if place in self.held_cuts and place - 1 in self.held_cuts:
                out[gap] = self.held_cuts[place] - self.held_cuts[place - 1]
            gap += 1
        return out

    @property
    def gaps(self) -> Array:
        """What turns the gaps between neighboring thresholds into thresholds.

        Thresholds of an equation relative to its middle one, shape (cuts, gaps).
        """
        ordered = [self.layout.equations[i] for i, k in self.cuts if k == 0]
        out = np.zeros((len(self.cuts), len(self.cuts) - len(ordered)))
        row = column = 0
        for e in ordered:
            size = len(e.thresholds)
            rise = np.tril(np.ones((size, size - 1)), -1)
            out[row : row + size, column : column + size - 1] = rise - rise[middle(e)]
            row, column = row + size, column + size - 1
        return out

    @property
    def constant_of_cut(self) -> np.ndarray:
        """For each threshold, the place of its equation's constant among `intercepts`."""
        return np.array([self.intercepts.index(i) for i, _ in self.cuts], dtype=np.int64)


_SYMMETRIC = {
    "HalfNormal": "Normal",
    "HalfStudentT": "StudentT",
    "HalfCauchy": "Cauchy",
    "Exponential": "Laplace",
}
"""Priors of an sd, and the symmetric prior whose absolute value has them."""


def make_plan(layout: Layout, priors: Priors, responses: Responses) -> Plan:
    """Lay out what is sampled."""
    equations = layout.equations
    stack = sorted(range(len(equations)), key=lambda i: (equations[i].family, equations[i].link, i))
    slopes = tuple(
        (i, k)
        for i in stack
        for k in range(len(equations[i].columns))
        if k != equations[i].intercept
    )
    free, held, free_of, monotonic = _free(layout, priors, slopes)
    intercepts = tuple(i for i in stack if equations[i].has_constant)
    plain = tuple(j for j, i in enumerate(intercepts) if equations[i].intercept is not None)
    cuts = tuple((i, k) for i in stack for k in range(len(equations[i].thresholds)))
    owned = tuple((i, s) for i in stack for s in family(equations[i].family).scalars)
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
    bases = group_bases(layout, priors)
    signed = {
        (b, k): sds[b] + k
        for b, k in sorted(uncertain(layout, responses, bases))
        if scales[sds[b] + k].distribution.name in _SYMMETRIC
        and all(priors[n].held is None for _, _, n in layout.blocks[b].correlations())
    }
    return Plan(
        layout, priors, tuple(stack), slopes, free, held, free_of, monotonic, intercepts, plain,
        tuple(scales), tuple(sds), sigmas, bases, cuts, owned, tuple(starts), signed,
        unknown(layout),
    )  # fmt: skip


def group_bases(layout: Layout, priors: Priors) -> dict[int, Array]:
    """By block, effects as written in terms of those that default priors are on, (K, K)."""
    found = {
        b: turned([block.sd(m) for m in block.members], priors)
        for b, block in enumerate(layout.blocks)
    }
    return {b: basis for b, basis in found.items() if basis is not None}


def _free(
    layout: Layout, priors: Priors, slopes: Sequence[tuple[int, int]]
) -> tuple[
    tuple[str, ...],
    tuple[str, ...],
    tuple[int, ...],
    tuple[tuple[tuple[str, ...], tuple[int, ...]], ...],
]:
    """Return what slopes are made of; see `Plan`."""
    of: list[str] = []
    steps: dict[str, tuple[tuple[str, ...], list[int]]] = {}
    for place, (i, k) in enumerate(slopes):
        e = layout.equations[i]
        effect = next((x for x, places in e.monotonic.items() if k in places), None)
        name = e.coefficient(e.columns[k]) if effect is None else f"{e.response} ~ {effect}"
        of.append(name)
        if effect is not None:
            steps.setdefault(name, (e.shares(effect), []))[1].append(place)
    names = list(dict.fromkeys(of))
    free = [n for n in names if priors[n].held is None]
    held = [n for n in names if priors[n].held is not None]
    places = {n: k for k, n in enumerate([*free, *held])}
    return (
        tuple(free), tuple(held), tuple(places[n] for n in of),
        tuple((n, tuple(p)) for n, p in steps.values()),
    )  # fmt: skip


def groups(plan: Plan) -> list[tuple[tuple[str, str], list[int]]]:
    """Equations by family and link, in stack order."""
    equations = plan.layout.equations
    return [
        (key, list(members))
        for key, members in groupby(
            plan.stack, key=lambda i: (equations[i].family, equations[i].link)
        )
    ]


def centered(e: EquationLayout, X: Array) -> tuple[Array, Array, float]:
    """Design without the intercept, centered beside a constant; its means; the offset's mean."""
    if not e.has_constant:
        return X, np.zeros(X.shape[1]), 0.0
    rest = X[:, int(e.intercept is not None) :]
    means = rest.mean(axis=0)
    return rest - means, means, float(e.offset.mean())


def middle(e: EquationLayout) -> int:
    """The threshold, from 0, that the others are sampled relative to."""
    return (len(e.thresholds) - 1) // 2


def arrays(plan: Plan, responses: Responses) -> dict[str, Array]:
    """Every `pm.Data` of the graph, by name."""
    layout = plan.layout
    versions = Versions(layout, plan.unknown, responses)
    out: dict[str, Array] = {}
    shifts = np.zeros((len(plan.intercepts), len(plan.slopes)))
    offsets: list[Array] = []
    start = 0
    for i in plan.stack:
        e = layout.equations[i]
        X, means, mean_offset = centered(e, design_matrix(layout, e, responses))
        if X.shape[1]:
            out[f"X_{i}"] = versions.spread(i, partial(_less_means, i=i, means=means))
        offsets.append(
            versions.spread(i, lambda lay, _, i=i: lay.equations[i].offset) - mean_offset
        )
        if i in plan.intercepts:
            shifts[plan.intercepts.index(i), start : start + X.shape[1]] = means
        start += X.shape[1]
    out["offset"] = np.concatenate(offsets)
    if layout.confounder is not None:
        es = [layout.equations[i] for i in plan.stack]
        c = layout.confounder
        out["confounder_index"] = np.concatenate([c.code[e.rows] for e in es])
        out["confounder_loading"] = np.concatenate(
            [np.full(e.n, c.loadings.get(e.response, 0.0)) for e in es]
        )
    offsets_at = np.array([layout.equations[i].offset.mean() for i in plan.intercepts])
    for name, priors, of in (
        ("intercept", plan.intercept_priors, np.array(plan.plain, dtype=np.int64)),
        ("threshold", plan.cut_priors, plan.constant_of_cut),
    ):
        if priors:
            out[f"{name}_offset"] = offsets_at[of] - np.array([p.constant for p in priors])
        if priors and plan.slopes:
            out[f"{name}_shift"] = shifts[of] - np.stack([_on(plan, p) for p in priors])
    out |= prior_arrays(plan)
    out |= start_arrays(plan, responses)
    out |= _group_arrays(plan, responses, versions)
    out |= _latent_arrays(plan, responses, versions)
    for (name, link), members in groups(plan):
        out |= _likelihood_arrays(plan, f"{name}_{link}", members, versions)
    if layout.gaps:
        counts = [plan.count(i) for i in plan.stack]
        first = dict(zip(plan.stack, np.cumsum([0, *counts[:-1]]).tolist(), strict=True))
        places = {ik: p for p, ik in enumerate(plan.slopes)}
        effects = [len(plan.slopes) + s for s in plan.starts]
        out |= linear_arrays(layout, plan.unknown, versions, places, first, effects)
        out |= missing_arrays(layout, plan.unknown, responses)
    return {k: v for k, v in out.items() if k not in _unused(plan)}


def _unused(plan: Plan) -> list[str]:
    """Arrays that nothing reads, since what they are about is held."""
    out: list[str] = []
    if not plan.free_owned:
        out += ["owned_start", "owned_prior_scale"]
    if len(plan.held_gaps) == plan.gaps.shape[1]:
        out += ["gap_start", "gap_unit"]
    if not plan.free_intercepts:
        out += ["intercept_start", "intercept_unit"]
    for name, held, of in (
        ("intercept", plan.held_intercepts, plan.plain),
        ("threshold", plan.held_cuts, plan.cuts),
    ):
        if len(held) == len(of):
            out += [f"{name}_prior_location", f"{name}_prior_scale"]
    if not plan.free:
        out += ["slope_start", "slope_root", "slope_prior_location", "slope_prior_scale"]
    return out


def _on(plan: Plan, prior: Prior) -> Array:
    """Weights of the slopes in what the prior of an intercept or a threshold is on, (slopes,)."""
    on = dict(prior.on)
    equations = plan.layout.equations
    names = [equations[i].coefficient(equations[i].columns[k]) for i, k in plan.slopes]
    return np.array([on.get(n, 0.0) for n in names])


def _less_means(layout: Layout, responses: Responses, i: int, means: Array) -> Array:
    e = layout.equations[i]
    return design_matrix(layout, e, responses)[:, int(e.intercept is not None) :] - means


def _likelihood_arrays(
    plan: Plan, key: str, members: list[int], versions: Versions
) -> dict[str, Array]:
    """Say what the likelihood of some equations of one family reads, those of observed rows first.

    Rows whose response is missing, or that rest on a discrete missing value, have arrays of
    their own (`special_...`), which `order` puts after the others.
    """
    es = [plan.layout.equations[i] for i in members]
    fam = family(es[0].family)
    found: dict[str, Array] = {}
    if fam.ordered:
        found |= _categories(plan, members, versions)
    else:
        found["y"] = np.concatenate([_response(versions, i) for i in members])
    if fam.needs_trials:
        found["trials"] = np.concatenate(
            [versions.spread(i, lambda lay, _, i=i: _trials(lay.equations[i])) for i in members]
        )
    rows = [plan.unknown.rows[i] for i in members]
    special = np.concatenate([r.special for r in rows])
    out: dict[str, Array] = {}
    if any(e.se is not None for e in es):
        out[f"se_{key}"] = np.concatenate(
            [versions.spread(i, lambda lay, _, i=i: _se(lay.equations[i])) for i in members]
        )
    if any(e.weights is not None for e in es):  # never where rows are special
        out[f"weights_{key}"] = np.concatenate(
            [versions.spread(i, lambda lay, _, i=i: _weights(lay.equations[i])) for i in members]
        )
    if not special.any():
        return out | {f"{k}_{key}": v for k, v in found.items()}
    if not special.all():
        out |= {f"{k}_{key}": v[~special] for k, v in found.items()}
    out |= {f"special_{k}_{key}": v[special] for k, v in found.items()}
    out[f"order_{key}"] = np.argsort(special, kind="stable")
    bins = np.concatenate([r.bin for r in rows])[special]
    out[f"special_alone_{key}"] = (bins < 0).astype(np.float64)
    if plan.unknown.components:
        out[f"special_of_bin_{key}"] = _by_bin(bins, len(plan.unknown.floor))
    latent = np.concatenate([r.latent for r in rows])
    if (latent >= 0).any():
        out[f"special_latent_{key}"] = latent[special] + 1
        if plan.layout.residual and fam.normal:
            out[f"all_y_{key}"] = found["y"]
            out[f"all_latent_{key}"] = latent + 1
    return out


def _by_bin(bins: Index, count: int) -> Index:
    """For each bin the rows in it, counted from 1, and zeros to fill up; (bins, most)."""
    order = np.argsort(bins, kind="stable")
    order = order[bins[order] >= 0]
    sizes = np.bincount(bins[order], minlength=count)
    out = np.zeros((count, max(int(sizes.max(initial=0)), 1)), dtype=np.int64)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    out[bins[order], place] = order + 1
    return out


def _response(versions: Versions, i: int) -> Array:
    return versions.spread(i, lambda lay, res: res[lay.equations[i].response])


def _latent_arrays(plan: Plan, responses: Responses, versions: Versions) -> dict[str, Array]:
    """List what latent unit means are made of, the observed ones, and what they multiply."""
    layout = plan.layout
    out: dict[str, Array] = {}
    for n, m in enumerate(latent_means(layout)):
        e = layout.equations[m.equation]
        X = design_matrix(layout, e, responses)
        first = int(e.intercept is not None)
        means, mean_offset = np.zeros(X.shape[1]), 0.0
        if first:  # an ordered response has thresholds, which are no part of its mean
            X, means, mean_offset = centered(e, X)
        here = np.tile(-means, (len(m.at), 1))
        for k in m.columns:
            if k != e.intercept:
                here[:, k - first] = X[m.at, k - first]
        if here.shape[1]:
            out[f"latent_X_{n}"] = here
        out[f"latent_offset_{n}"] = m.offset - mean_offset
        out[f"latent_observed_{n}"] = unit_means(layout, layout.derived[m.key], responses)
        for j, (b, k) in enumerate(m.effects):
            block = layout.blocks[b]
            z = group_column(layout, e, block.members[k].column, responses)
            out[f"latent_z_{n}_{j}"] = z[m.at]
            out[f"latent_index_{n}_{j}"] = block.index(e)[m.at]
    for i in plan.stack:
        e = layout.equations[i]
        for j, (term, how) in enumerate(latent_terms(layout, e.response)):
            out[f"latent_rest_{i}_{j}"] = how.sign * versions.spread(
                i, lambda lay, res, t=term: rest_values(lay, t, res)
            )
    return out


def _categories(plan: Plan, members: list[int], versions: Versions) -> dict[str, Array]:
    """For each row, where the thresholds about its category stand, and whether it is at an end."""
    parts: dict[str, list[Array]] = {"above": [], "below": [], "first": [], "last": []}
    for i in members:
        e = plan.layout.equations[i]
        category = _response(versions, i).astype(np.int64) - e.codes[0]
        here = plan.cuts.index((i, 0))
        last = len(e.codes) - 1
        parts["above"].append(here + np.minimum(category, last - 1))
        parts["below"].append(here + np.maximum(category - 1, 0))
        parts["first"].append((category == 0).astype(np.float64))
        parts["last"].append((category == last).astype(np.float64))
    return {k: np.concatenate(v) for k, v in parts.items()}


def _trials(e: EquationLayout) -> Array:
    return e.trials if e.trials is not None else np.ones(e.n)


def _se(e: EquationLayout) -> Array:
    return e.se if e.se is not None else np.zeros(e.n)


def _weights(e: EquationLayout) -> Array:
    return e.weights if e.weights is not None else np.ones(e.n)


def prior_arrays(plan: Plan) -> dict[str, Array]:
    """Locations and scales of the priors."""
    out: dict[str, Array] = {}
    for name, priors in (
        ("slope", plan.slope_priors),
        ("intercept", [p.distribution for p in plan.intercept_priors]),
        ("threshold", [p.distribution for p in plan.cut_priors]),
    ):
        if not priors:
            continue
        out[f"{name}_prior_location"] = np.array([d.location for d in priors])
        out[f"{name}_prior_scale"] = np.array([d.scale for d in priors])
    sums = plan.slope_sums
    if sums is not None:
        out["slope_sums"] = sums
    if plan.owned:
        out["owned_prior_scale"] = np.array([p.distribution.scale for p in plan.owned_priors])
    return out


def start_arrays(plan: Plan, responses: Responses) -> dict[str, Array]:
    """Return where the sampler starts, and the units and directions in which it steps."""
    layout = plan.layout
    slopes = np.zeros(len(plan.free))
    root = np.zeros((len(plan.free), len(plan.free)))
    intercepts = np.zeros((len(plan.intercepts), 2))
    location = np.array([d.location for d in plan.slope_priors])
    root_precision = np.diag([1 / d.scale for d in plan.slope_priors])
    if plan.slope_sums is not None:
        root_precision = root_precision @ plan.slope_sums
    pull = root_precision.T @ (location / np.array([d.scale for d in plan.slope_priors]))
    precision = root_precision.T @ root_precision
    held = dict(enumerate(plan.held_values, len(plan.free)))
    row = 0
    for i in plan.stack:
        e = layout.equations[i]
        X, _, mean_offset = centered(e, design_matrix(layout, e, responses))
        mine = [plan.free_of[p] for p, (q, _) in enumerate(plan.slopes) if q == i]
        known = np.array([held.get(k, 0.0) for k in mine])
        free = [k for k in np.unique(mine) if k not in held] if mine else []
        whole = replace(e, offset=e.offset + X @ known) if known.any() else e
        X = (
            X @ (np.array(mine)[:, None] == np.array(free)) if free else X[:, :0]
        )  # steps as their sum
        rows = slice(row, row + X.shape[1])
        row += X.shape[1]
        y = responses[e.response]
        found = start(whole, X, y, pull[rows], precision[rows, rows])
        slopes[rows], root[rows, rows] = found.slopes, found.root
        if found.intercept is not None:
            at, error = found.intercept
            intercepts[plan.intercepts.index(i)] = at + mean_offset, error
    out: dict[str, Array] = _owned_starts(plan, responses)
    if plan.slopes:
        out |= {"slope_start": slopes, "slope_root": root}
    if plan.intercepts:
        out |= {"intercept_start": intercepts[:, 0], "intercept_unit": intercepts[:, 1]}
    if plan.scales:
        unit = _scale_units(plan, responses)
        sizes = [p.distribution.scale if p.held is None else p.held for p in plan.scales]
        ratio = np.array(sizes) / unit
        out |= {"scale_unit": unit, "scale_ratio": ratio}
    return out


def _owned_starts(plan: Plan, responses: Responses) -> dict[str, Array]:
    """Logs of the gaps between thresholds, with their rough errors, and of what families own."""
    out: dict[str, Array] = {}
    equations = plan.layout.equations
    guessed = {i: rough(equations[i], responses[equations[i].response]) for i in plan.stack}
    if plan.cuts:
        starts: list[Array] = []
        units: list[Array] = []
        for i in dict.fromkeys(i for i, _ in plan.cuts):
            e = equations[i]
            counts = np.array([np.sum(responses[e.response] == c) for c in e.codes[1:-1]])
            starts.append(np.log(np.maximum(np.diff(guessed[i]["threshold"]), 0.05)))
            units.append(1.0 / np.sqrt(counts + 1.0))
        if plan.gaps.shape[1]:
            out["gap_start"], out["gap_unit"] = np.concatenate(starts), np.concatenate(units)
    if plan.owned:
        at = np.array([guessed[i][s.kind] for i, s in plan.owned])
        out["owned_start"] = to_line(at, plan.owned_priors)
    return out


def _scale_units(plan: Plan, responses: Responses) -> Array:
    """Rough sds, group effects' first and residuals' after, in the order of the scales."""
    found = centering(plan.layout, responses, bases=plan.bases)
    unit = np.ones(len(plan.scales))
    for (b, k), member in found.effects.items():
        unit[plan.sds[b] + k] = member.tau
    for i, place in plan.sigmas.items():
        unit[place] = found.sigma[i]
    return unit


def _group_arrays(plan: Plan, responses: Responses, versions: Versions) -> dict[str, Array]:
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
                    index = block.index(e)[plan.unknown.rows[i].source]
                    places.append(first + k * len(block.levels) + index)
                    weights.append(versions.spread(i, partial(_multiplier, i=i, column=m.column)))
        width = max(width, len(places))
        shape = (plan.count(i), len(places))
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
        **centering_arrays(plan, responses),
    }


def _multiplier(layout: Layout, responses: Responses, i: int, column: Column) -> Array:
    return group_column(layout, layout.equations[i], column, responses)


def centering_arrays(plan: Plan, responses: Responses) -> dict[str, Array]:
    """Unit, centering weight and place of the sd of every group effect, and what it absorbs."""
    found = centering(plan.layout, responses, plan.signed.keys(), plan.bases)
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
            if p in (e.intercept, CONSTANT):
                intercepts[rows, plan.intercepts.index(i)] = values
            else:
                slopes[rows, plan.slopes.index((i, p))] = values
    if plan.slopes:
        out["absorb_slopes"] = slopes
    if plan.intercepts:
        out["absorb_intercepts"] = intercepts
    return out


def by_form(priors: Sequence[Distribution]) -> list[tuple[Distribution, list[int]]]:
    """Positions by standard form, in order of first appearance."""
    found: dict[tuple[str, tuple[tuple[str, float], ...]], list[int]] = {}
    for k, d in enumerate(priors):
        found.setdefault((d.name, d.shape), []).append(k)
    return [(priors[places[0]], places) for places in found.values()]


def form_name(name: str, n: int) -> str:
    """Name the n-th vector of one form of prior."""
    return name if n == 0 else f"{name}_{n + 1}"

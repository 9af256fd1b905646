"""Default priors, set for the model whose numeric predictors are centered at their means."""

from collections.abc import Mapping, Sequence

import numpy as np

from acmodels.families import family
from acmodels.priors.prior import Prior
from acmodels.spec import parameters as named
from acmodels.spec.distribution import constant, dirichlet, half_normal, lkj, normal
from acmodels.system import Block, EquationLayout, Layout, Responses, parameters
from acmodels.system.arrays import Array
from acmodels.system.centered import (
    Centered,
    Lookup,
    centered_effects,
    centered_equation,
    lookup,
)
from acmodels.system.equation import Column
from acmodels.system.missing import known_rows, observed
from acmodels.system.terms import Term, group_terms


def defaults(
    layout: Layout, responses: Responses | None, scales: Mapping[str, tuple[float, float]]
) -> dict[str, Prior]:
    """The default prior of every structural parameter.

    Args:
        layout: of the model.
        responses: what columns are scaled to; None for a design.
        scales: mean and sd of each response on its link's scale.
    """
    out: dict[str, Prior] = {}
    values = lookup(layout, responses, scales)
    for e in layout.equations:
        loc, s = scales[e.response]
        found = centered_equation(layout, e, values)
        out |= _coefficients(layout, e, found, (loc, s))
        for effect, places in e.monotonic.items():
            sd = float(found.written[:, list(places)].sum(axis=1).std(ddof=1)) if e.n > 1 else 1.0
            name = named.coefficient(e.response, effect)
            out[name] = Prior(name, normal(0.0, 2.5 * s / (sd or 1.0)))
            out |= {n: Prior(n, dirichlet(1.0)) for n in e.shares(effect)}
        if e.has_sigma:
            name = named.sigma(e.response)
            out[name] = Prior(name, half_normal(2.5 * s))
            if named.sigma(e.response) in unit_sds(layout):
                out[name] = Prior(name, constant(1.0))
        if e.has_sigma1:
            out[e.sigma1] = Prior(e.sigma1, half_normal(2.5 * s))
        out |= _owned(layout, e, (s, found), responses)
    for e in layout.equations:
        for block, mine in group_terms(layout, e.response):
            out |= _group_sds(layout, e, (block, mine), scales[e.response][1], values)
    out |= _of_items(layout, scales)
    for p in parameters(layout):
        if p.kind in ("cor", "cor1"):
            moved = not p.residual and any(out[n].on for n in layout.blocks[p.owner].sds)
            on = ((p.name, 1.0),) if moved else ()
            out[p.name] = Prior(p.name, lkj(1.0), on=on)
    return out


def _coefficients(
    layout: Layout, e: EquationLayout, found: Centered, scale: tuple[float, float]
) -> dict[str, Prior]:
    """Defaults of coefficients, on those of the model with centered predictors.

    Where columns add up to 1 without an intercept (cell means), the prior means are such that the
    expected response is the mean response. Where nothing is constant, the formula passes
    through the origin, and sizes are measured from there.
    """
    loc, s = scale
    names = [e.coefficient(c) for c in e.columns]
    through_origin = not e.located and found.constant is None
    if through_origin and e.has_sigma:
        s = float(np.hypot(s, loc)) or 1.0
    spread = _spreads(layout, e, found, from_zero=through_origin)
    out: dict[str, Prior] = {}
    for k, name in enumerate(names):
        if k == e.intercept:
            on = _weights(names, found.means, k)
            at = float(e.offset.mean())
            out[name] = Prior(name, normal(loc, 2.5 * s), on=on, constant=at)
            continue
        mean = 0.0
        if not e.located and found.constant is not None:
            mean = float(loc * found.constant[k])
        on = _weights(names, found.basis[k], k)
        out[name] = Prior(name, normal(mean, 2.5 * s / spread[k]), on=on)
    return out


def _weights(names: Sequence[str], row: Array, k: int | None) -> tuple[tuple[str, float], ...]:
    """The weights that are not 0; nothing where the sum is coefficient k alone."""
    on = tuple((n, float(w)) for n, w in zip(names, row, strict=True) if w != 0.0)
    return () if k is not None and on == ((names[k], 1.0),) else on


def _group_sds(
    layout: Layout,
    e: EquationLayout,
    effects: tuple[Block, Sequence[Term]],
    scale: float,
    values: Lookup,
) -> dict[str, Prior]:
    """Defaults of the sds of an equation's effects of a block, centered predictors' among them."""
    out: dict[str, Prior] = {}
    _, mine = effects
    found = centered_effects(layout, e, mine, values)
    names = [t.parameter for t in mine]
    for place, t in enumerate(mine):
        sd = 1.0
        if not t.intercept:
            known = known_rows(layout, e, t.variables)
            z = found.columns[:, place]
            sd = float(np.std(z[known] if known.sum() > 1 else z, ddof=1)) or 1.0
        on = _weights(names, found.basis[place], place)
        out[t.parameter] = Prior(t.parameter, half_normal(2.5 * scale / sd), on=on)
    return out


def _owned(
    layout: Layout, e: EquationLayout, scale: tuple[float, Centered], responses: Responses | None
) -> dict[str, Prior]:
    """Defaults of what a family owns: thresholds and numbers such as `nu(y)`."""
    s, found = scale
    fam = family(e.family)
    y = None if responses is None else responses[e.response][observed(layout, e)]
    rough = fam.guess(y, e.link, e.codes)
    names = [e.coefficient(c) for c in e.columns]
    on = _weights(names, found.means, None)
    at = float(e.offset.mean())
    out: dict[str, Prior] = {}
    for name, cut in zip(e.thresholds, rough.get("threshold", ()), strict=True):
        out[name] = Prior(name, normal(float(cut), 2.5 * s), on=on, constant=at)
    for scalar in fam.scalars:
        name = e.scalar(scalar.kind)
        prior = scalar.prior(rough[scalar.kind])
        out[name] = Prior(name, prior, lower=scalar.lower, upper=scalar.upper)
    return out


LOADING = (1.0, 1.0)
"""Location and scale of the default prior of a loading, above 0."""
RATERS = 1.0
"""Scale of the default prior of the sd of raters' deviations."""
INVARIANCE = 0.2
"""Scale of the default prior of the sds by which items differ between rater groups."""


def unit_sds(layout: Layout) -> frozenset[str]:
    """Names of the residual sds that are 1, since no marker gives their construct a scale."""
    return frozenset(named.sigma(m.name) for m in layout.measures if m.marker is None)


def markers(layout: Layout) -> frozenset[str]:
    """Names of the loadings that are 1, which give their construct its scale."""
    pairs = ((m.name, m.marker) for m in layout.measures)
    return frozenset(named.loading(name, i) for name, i in pairs if i is not None)


def _construct_sd(layout: Layout, column: Column) -> float | None:
    """Return the sd that default priors take a column to have that is made of constructs alone."""
    found = [layout.measure(v) for v in column.variables]
    bare = [p.operand.function is None and p.level is None for p in column.parts]
    if not found or not all(bare) or any(m is None for m in found):
        return None
    return float(np.prod([m.scale for m in found if m is not None]))


def _of_items(layout: Layout, scales: Mapping[str, tuple[float, float]]) -> dict[str, Prior]:
    """Defaults of loadings, of what differs between rater groups, and of raters' deviations."""
    out: dict[str, Prior] = {}
    held = markers(layout)
    for m in layout.measures:
        for i in m.items:
            e = layout.equations[i]
            name = named.loading(m.name, e.response)
            size = scales[e.response][1] / m.scale if e.has_sigma else 1.0 / m.scale
            sign = -1.0 if e.response in m.reverse else 1.0
            found = normal(sign * LOADING[0] * size, LOADING[1] * size)
            low, high = (0.0, np.inf) if sign > 0 else (-np.inf, 0.0)
            out[name] = Prior(name, found, lower=low, upper=float(high))
            if name in held:
                out[name] = Prior(name, constant(1.0))
            of = 1.0 if not e.has_sigma else scales[e.response][1]
            groups = (g for b, g in group_terms(layout, e.response) if b.columns == (m.by,))
            for t in (t for mine in groups for t in mine):
                sd = of if t.intercept else size
                out[t.parameter] = Prior(t.parameter, half_normal(INVARIANCE * sd))
        for b, k in m.raters:
            name = layout.blocks[b].sds[k]
            out[name] = Prior(name, half_normal(RATERS * m.scale))
    return out


def response_scales(layout: Layout, responses: Responses | None) -> dict[str, tuple[float, float]]:
    """Mean and sd of each response on its link's scale, which defaults are scaled to.

    Args:
        layout: of the model.
        responses: by name; None takes an sd of 1 and a mean of 0 where the family has a residual
            sd, and the link's own scale elsewhere.
    """
    return {e.response: _response_scale(layout, e.response, responses) for e in layout.equations}


def _response_scale(
    layout: Layout, response: str, responses: Responses | None
) -> tuple[float, float]:
    e = layout.equation(response)
    measure = layout.measure(response)
    if measure is not None:
        return 0.0, measure.scale
    fam = family(e.family)
    if responses is not None:
        known = observed(layout, e)
        if known.sum() < 2:
            known[:] = True
        trials = None if e.trials is None else e.trials[known]
        return fam.scale(responses[response][known], trials, e.link)
    if fam.has_sigma:
        return 0.0, 1.0
    return 0.0, fam.scale(np.array([0.0, 1.0]), None, e.link)[1]


def _spreads(layout: Layout, e: EquationLayout, found: Centered, *, from_zero: bool) -> Array:
    """Standard deviation of each column with centered predictors, (p,)."""
    out = np.ones(len(e.columns))
    for k, c in enumerate(e.columns):
        known = known_rows(layout, e, c.variables)
        v = found.columns[:, k]
        v = v[known] if known.sum() > 1 else v
        sd = _construct_sd(layout, c)
        if sd is not None:
            out[k] = sd
        elif from_zero:
            out[k] = np.sqrt(np.mean(v**2))
        elif len(v) > 1:
            out[k] = v.std(ddof=1)
    return np.where(np.isfinite(out) & (out > 0), out, 1.0)

"""Priors in force: the stated ones by name or pattern, weakly informative defaults elsewhere.

Defaults are scaled to the data so that on ordinary data the posterior agrees with
maximum likelihood (Gelman, Jakulin, Pittau & Su, 2008, for the scaling; Gelman,
2006, for half-normal standard deviations; Lewandowski, Kurowicka & Joe, 2009, for
correlations). They are set for the model whose numeric predictors are centered, so that
they do not depend on where a predictor has its zero (`system.centered`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acmodels.errors import ModelError, did_you_mean
from acmodels.families import family, scalar_kinds
from acmodels.spec.distribution import (
    Distribution,
    Support,
    dirichlet,
    distribution,
    half_normal,
    lkj,
    normal,
)
from acmodels.system import Block, EquationLayout, Layout, Parameter, Responses, parameters
from acmodels.system.centered import (
    Centered,
    Lookup,
    centered_effects,
    centered_equation,
    lookup,
)
from acmodels.system.layout import Array
from acmodels.system.missing import known_rows, model_layout, observed

_SUPPORTS: Mapping[str, tuple[Support, ...]] = {
    "coefficient": ("real",),
    "threshold": ("real",),
    "sd": ("positive",),
    "sigma": ("positive",),
    "cor": ("correlation",),
    "simo": ("simplex",),
}


@dataclass(frozen=True)
class Prior:
    """The prior of one structural parameter.

    Attributes:
        name: of the parameter.
        distribution: the prior; for a correlation, of its whole matrix.
        stated: the pattern that stated it, or None for a default.
        on: what a default prior is on, where that is not the parameter alone: names and weights.
            Of a coefficient, the weighted sum of coefficients that is the same coefficient of
            the model with centered predictors (of an intercept, the expected response at the
            predictors' means). Of a threshold, the threshold less this sum. Of a group sd,
            the sd of the weighted sum of its block's effects, each named by its own sd; the prior
            of the block's correlations is then on the correlations of these sums.
        constant: added to the sum of a coefficient or a threshold: the mean of the offset.
        lower: the parameter lies above this, and the prior is taken on that side only.
    """

    name: str
    distribution: Distribution
    stated: str | None = None
    on: tuple[tuple[str, float], ...] = ()
    constant: float = 0.0
    lower: float = 0.0

    @property
    def centered(self) -> bool:
        """Whether the prior is on a quantity at the predictors' means."""
        return bool(self.on) or self.constant != 0.0

    @property
    def held(self) -> float | None:
        """The value at which the parameter is held, or None."""
        if self.distribution.name != "Constant":
            return None
        return self.distribution.parameters["value"]

    @property
    def note(self) -> str:
        """What the prior is on, where that is not plainly the parameter, after a comma."""
        out = ""
        if self.centered:
            kind = pattern_kind(self.name)
            what = {"threshold": "threshold", "sd": "sd", "intercept": "expected response"}
            out += f", on the {what.get(str(kind), 'slope')} at the predictors' means"
            if kind == "threshold":
                out += ", in order"
        return out + (f", above {self.lower:g}" if self.lower > 0 else "")


type Priors = Mapping[str, Prior]


def pattern_kind(pattern: str) -> str | None:
    """Say which kind of parameter a name or pattern can match: a pattern knows only its own."""
    for prefix in ("sd", "cor", "sigma", "simo", *scalar_kinds()):
        if pattern.startswith(f"{prefix}("):
            return prefix
    if re.search(r"\| *(t\d+|t?\*)$", pattern) or "=~" in pattern:
        return "threshold"
    if "~" not in pattern:
        return None
    return "intercept" if re.search(r"~ *1$", pattern) else "coefficient"


def _kind(p: Parameter) -> str:
    """What patterns match a parameter by: as `pattern_kind` says of its name."""
    intercept = p.kind == "coefficient" and p.name.endswith(" ~ 1")
    return "intercept" if intercept else p.kind


def resolve_priors(
    stated: Mapping[str, Mapping[str, Any]],
    layout: Layout,
    responses: Responses | None,
    source: str = "model",
    scales: Mapping[str, tuple[float, float]] | None = None,
) -> Priors:
    """Settle every structural parameter's prior.

    A pattern matches parameters of the model file's equations. The models of incomplete predictors,
    whose scales are others, keep their defaults, unless a parameter of theirs is named in full.

    Args:
        stated: the `[priors]` table.
        layout: of the model on the data, with the models of incomplete predictors if there are any.
        responses: the data that defaults are scaled to; None (a design) scales to a
            response sd of 1 and mean of 0.
        source: the model's file, for messages.
        scales: by response, a mean and an sd to use instead.

    Returns:
        By parameter name, in table order. Exact beats pattern, later beats earlier.

    Raises:
        ModelError: a prior matches nothing, has an impossible parameter or does not fit the
            kind of what it matches.
    """
    known = tuple(p for p in parameters(layout) if p.kind != "step")
    own = frozenset(p.name for p in parameters(model_layout(layout)))
    chosen = _match(stated, known, own, source)
    defaults = _defaults(layout, responses, response_scales(layout, responses) | dict(scales or {}))
    out: dict[str, Prior] = {}
    for p in known:
        if p.name not in chosen:
            out[p.name] = defaults[p.name]
            continue
        pattern, table = chosen[p.name]
        where = f'{source}: priors."{pattern}"'
        supports = _SUPPORTS.get(p.kind, ("positive",))
        found = distribution(table, where, supports)
        out[p.name] = Prior(p.name, found, pattern, lower=defaults[p.name].lower)
    _one_prior_per_matrix(out, known, source)
    for block in layout.blocks:
        out |= _as_written(block, out, defaults)
    return out


def _as_written(
    block: Block, priors: Mapping[str, Prior], defaults: Mapping[str, Prior]
) -> dict[str, Prior]:
    """Put the defaults of a block on its effects as written where a stated prior is on those.

    A stated prior is on the parameter that it names. Beside one of an sd that would be another at
    the predictors' means, or of the correlations, the block has no priors at these means.
    """
    sds = [block.sd(m) for m in block.members]
    moved = [n for n in sds if defaults[n].on]
    named = [*moved, *(n for _, _, n in block.correlations())]
    if not moved or not any(priors[n].stated for n in named):
        return {}
    return {n: replace(priors[n], on=()) for n in sds}


def turned(names: Sequence[str], priors: Priors) -> Array | None:
    """What parameters are, in terms of the quantities that their default priors are on.

    Args:
        names: coefficients of an equation without its intercept, or group sds of a block.
        priors: in force.

    Returns:
        A matrix (K, K) that multiplies those quantities (for sds: the effects that they are
        the sds of), or None where each prior is on its own parameter.
    """
    if not any(priors[n].on for n in names if n in priors):
        return None
    place = {n: k for k, n in enumerate(names)}
    on = np.eye(len(names))
    for n in names:
        if n in priors and priors[n].on:
            on[place[n]] = 0.0
            for other, weight in priors[n].on:
                on[place[n], place[other]] = weight
    return np.linalg.inv(on)


def _match(
    stated: Mapping[str, Mapping[str, Any]],
    known: tuple[Parameter, ...],
    own: frozenset[str],
    source: str,
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    chosen: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for pattern, table in stated.items():
        if "*" not in pattern:
            continue
        kind = pattern_kind(pattern)
        expression = re.compile(".*".join(re.escape(p) for p in pattern.split("*")))
        hits = [
            p.name
            for p in known
            if _kind(p) == kind and p.name in own and expression.fullmatch(p.name)
        ]
        if not hits:
            raise ModelError(_nothing(pattern, kind, known, source))
        chosen.update(dict.fromkeys(hits, (pattern, table)))
    for pattern, table in stated.items():
        if "*" in pattern:
            continue
        if pattern not in {p.name for p in known}:
            raise ModelError(_nothing(pattern, pattern_kind(pattern), known, source))
        chosen[pattern] = (pattern, table)
    return chosen


def _nothing(pattern: str, kind: str | None, known: tuple[Parameter, ...], source: str) -> str:
    names = [p.name for p in known if kind is None or _kind(p) == kind]
    names = names or [p.name for p in known]
    near = did_you_mean(pattern, names)
    hint = near or f" (for example '{names[0]}'; `acmodels priors` lists all)"
    return f'{source}: priors."{pattern}" matches no parameter of the model{hint}'


def _one_prior_per_matrix(
    priors: Mapping[str, Prior], known: tuple[Parameter, ...], source: str
) -> None:
    shares: dict[str, Prior] = {}
    for p in (p for p in known if p.kind == "simo"):
        first = shares.setdefault(p.name.rsplit("[", 1)[0], priors[p.name])
        if first.distribution != priors[p.name].distribution:
            raise ModelError(
                f"{source}: priors: {first.name} and {p.name} are shares of one whole, which has "
                "one Dirichlet prior; state it for all by a pattern"
            )
    seen: dict[tuple[int, bool], Prior] = {}
    for p in known:
        if p.kind != "cor":
            continue
        first = seen.setdefault((p.owner, p.residual), priors[p.name])
        if first.distribution != priors[p.name].distribution:
            raise ModelError(
                f"{source}: priors: {first.name} and {p.name} belong to one correlation matrix, "
                "which has one LKJ prior; state it for both by a pattern"
            )


def _defaults(
    layout: Layout, responses: Responses | None, scales: Mapping[str, tuple[float, float]]
) -> dict[str, Prior]:
    out: dict[str, Prior] = {}
    values = lookup(layout, responses, scales)
    for e in layout.equations:
        loc, s = scales[e.response]
        found = centered_equation(layout, e, values)
        out |= _coefficients(layout, e, found, (loc, s))
        for effect, places in e.monotonic.items():
            sd = float(found.written[:, list(places)].sum(axis=1).std(ddof=1)) if e.n > 1 else 1.0
            name = f"{e.response} ~ {effect}"
            out[name] = Prior(name, normal(0.0, 2.5 * s / (sd or 1.0)))
            out |= {n: Prior(n, dirichlet(1.0)) for n in e.shares(effect)}
        if e.has_sigma:
            name = f"sigma({e.response})"
            out[name] = Prior(name, half_normal(2.5 * s))
        out |= _owned(layout, e, (s, found), responses)
    for block in layout.blocks:
        out |= _group_sds(layout, block, scales, values)
    for p in parameters(layout):
        if p.kind == "cor":
            out[p.name] = Prior(p.name, lkj(1.0))
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
    through_origin = not e.has_constant and found.constant is None
    if through_origin and e.has_sigma:
        s = float(np.hypot(s, loc)) or 1.0
    spread = _spreads(layout, e, found, from_zero=through_origin)
    out: dict[str, Prior] = {}
    for k, name in enumerate(names):
        if k == e.intercept:
            on = _weights(names, found.written.mean(axis=0), k)
            at = float(e.offset.mean())
            out[name] = Prior(name, normal(loc, 2.5 * s), on=on, constant=at)
            continue
        mean = 0.0
        if not e.has_constant and found.constant is not None:
            mean = float(loc * found.constant[k])
        on = _weights(names, found.basis[k], k)
        out[name] = Prior(name, normal(mean, 2.5 * s / spread[k]), on=on)
    return out


def _weights(names: Sequence[str], row: Array, k: int | None) -> tuple[tuple[str, float], ...]:
    """The weights that are not 0; nothing where the sum is coefficient k alone."""
    on = tuple((n, float(w)) for n, w in zip(names, row, strict=True) if w != 0.0)
    return () if k is not None and on == ((names[k], 1.0),) else on


def _group_sds(
    layout: Layout, block: Block, scales: Mapping[str, tuple[float, float]], values: Lookup
) -> dict[str, Prior]:
    """Defaults of a block's sds, on those of the effects of centered predictors."""
    out: dict[str, Prior] = {}
    for response in dict.fromkeys(m.response for m in block.members):
        e = layout.equation(response)
        mine = [k for k, m in enumerate(block.members) if m.response == response]
        found = centered_effects(layout, e, block, mine, values)
        names = [block.sd(block.members[k]) for k in mine]
        for place, k in enumerate(mine):
            column = block.members[k].column
            sd = 1.0
            if column.parts:
                known = known_rows(layout, e, column.variables)
                z = found.columns[:, place]
                sd = float(np.std(z[known] if known.sum() > 1 else z, ddof=1)) or 1.0
            prior = half_normal(2.5 * scales[response][1] / sd)
            on = _weights(names, found.basis[place], place)
            out[names[place]] = Prior(names[place], prior, on=on)
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
    on = _weights(names, found.written.mean(axis=0), None)
    at = float(e.offset.mean())
    out: dict[str, Prior] = {}
    for name, cut in zip(e.thresholds, rough.get("threshold", ()), strict=True):
        out[name] = Prior(name, normal(float(cut), 2.5 * s), on=on, constant=at)
    for scalar in fam.scalars:
        name = e.scalar(scalar.kind)
        out[name] = Prior(name, scalar.prior(rough[scalar.kind]), lower=scalar.lower)
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
        if from_zero:
            out[k] = np.sqrt(np.mean(v**2))
        elif len(v) > 1:
            out[k] = v.std(ddof=1)
    return np.where(np.isfinite(out) & (out > 0), out, 1.0)

"""Priors in force: the stated ones by name or pattern, weakly informative defaults elsewhere.

Defaults are scaled to the data so that on ordinary data the posterior agrees with
maximum likelihood (Gelman, Jakulin, Pittau & Su, 2008, for the scaling; Gelman,
2006, for half-normal standard deviations; Lewandowski, Kurowicka & Joe, 2009, for
correlations).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
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
from acmodels.system import EquationLayout, Layout, Parameter, Responses, parameters
from acmodels.system.columns import design_matrix, group_column
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
        centered: for a default intercept: the prior is on the expected response at the
            predictors' means, not on the raw intercept; for a default threshold likewise, on
            the threshold less what the predictors add at their means.
        lower: the parameter lies above this, and the prior is taken on that side only.
    """

    name: str
    distribution: Distribution
    stated: str | None = None
    centered: bool = False
    lower: float = 0.0

    @property
    def note(self) -> str:
        """What the prior is on, where that is not plainly the parameter, after a comma."""
        out = ""
        if self.centered:
            what = "threshold" if pattern_kind(self.name) == "threshold" else "expected response"
            out += f", on the {what} at the predictors' means"
            if what == "threshold":
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
    return "coefficient" if "~" in pattern else None


def resolve_priors(
    stated: Mapping[str, Mapping[str, Any]],
    layout: Layout,
    responses: Responses | None,
    source: str = "model",
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

    Returns:
        By parameter name, in table order. Exact beats pattern, later beats earlier.

    Raises:
        ModelError: a prior matches nothing, has an impossible parameter or does not fit the
            kind of what it matches.
    """
    known = tuple(p for p in parameters(layout) if p.kind != "step")
    own = frozenset(p.name for p in parameters(model_layout(layout)))
    chosen = _match(stated, known, own, source)
    defaults = _defaults(layout, responses)
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
    return out


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
            if p.kind == kind and p.name in own and expression.fullmatch(p.name)
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
    names = [p.name for p in known if kind is None or p.kind == kind] or [p.name for p in known]
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


def _defaults(layout: Layout, responses: Responses | None) -> dict[str, Prior]:
    out: dict[str, Prior] = {}
    spread: dict[str, float] = {}
    for e in layout.equations:
        loc, s = _response_scale(layout, e.response, responses)
        spread[e.response] = s
        sds = _column_sds(layout, e.response, responses)
        for k, c in enumerate(e.columns):
            name = e.coefficient(c)
            if k == e.intercept:
                out[name] = Prior(name, normal(loc, 2.5 * s), centered=True)
            else:
                out[name] = Prior(name, normal(0.0, 2.5 * s / sds[k]))
        for effect, places in e.monotonic.items():
            X = design_matrix(layout, e, responses or {}) if responses is not None else e.fixed
            sd = float(X[:, list(places)].sum(axis=1).std(ddof=1)) if len(X) > 1 else 1.0
            name = f"{e.response} ~ {effect}"
            out[name] = Prior(name, normal(0.0, 2.5 * s / (sd or 1.0)))
            out |= {n: Prior(n, dirichlet(1.0)) for n in e.shares(effect)}
        if e.has_sigma:
            name = f"sigma({e.response})"
            out[name] = Prior(name, half_normal(2.5 * s))
        out |= _owned(layout, e, s, responses)
    for block in layout.blocks:
        for m in block.members:
            e = layout.equation(m.response)
            sd = 1.0
            if m.column.parts and responses is not None:
                known = known_rows(layout, e, m.column.variables)
                z = group_column(layout, e, m.column, responses)
                sd = float(np.std(z[known] if known.sum() > 1 else z, ddof=1)) or 1.0
            out[block.sd(m)] = Prior(block.sd(m), half_normal(2.5 * spread[m.response] / sd))
    for p in parameters(layout):
        if p.kind == "cor":
            out[p.name] = Prior(p.name, lkj(1.0))
    return out


def _owned(
    layout: Layout, e: EquationLayout, s: float, responses: Responses | None
) -> dict[str, Prior]:
    """Defaults of what a family owns: thresholds and numbers such as `nu(y)`."""
    fam = family(e.family)
    y = None if responses is None else responses[e.response][observed(layout, e)]
    rough = fam.guess(y, e.link, e.codes)
    out: dict[str, Prior] = {}
    for name, at in zip(e.thresholds, rough.get("threshold", ()), strict=True):
        out[name] = Prior(name, normal(float(at), 2.5 * s), centered=True)
    for scalar in fam.scalars:
        name = e.scalar(scalar.kind)
        out[name] = Prior(name, scalar.prior(rough[scalar.kind]), lower=scalar.lower)
    return out


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


def _column_sds(layout: Layout, response: str, responses: Responses | None) -> np.ndarray:
    e = layout.equation(response)
    X = e.fixed if responses is None else design_matrix(layout, e, responses)
    sds = X.std(axis=0, ddof=1) if len(X) > 1 else np.ones(X.shape[1])
    for k, c in enumerate(e.columns if layout.gaps else ()):
        known = known_rows(layout, e, c.variables)
        if known.sum() > 1 and not known.all():
            sds[k] = X[known, k].std(ddof=1)
    return np.where(np.isfinite(sds) & (sds > 0), sds, 1.0)

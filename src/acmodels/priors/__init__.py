"""Priors in force: the stated ones by name or pattern, weakly informative defaults elsewhere.

Defaults are scaled to the data so that on ordinary data the posterior agrees with
maximum likelihood (Gelman, Jakulin, Pittau & Su, 2008, for the scaling; Gelman,
2006, for half-normal standard deviations; Lewandowski, Kurowicka & Joe, 2009, for
correlations). They are set for the model whose numeric predictors are centered, so that
they do not depend on where a predictor has its zero (`system.centered`).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from acmodels.errors import ModelError, did_you_mean
from acmodels.families import scalars
from acmodels.priors.defaults import defaults, markers, response_scales, unit_sds
from acmodels.priors.held import check_held, held_matrix, held_values, less_held
from acmodels.priors.prior import Prior, Priors, pattern_kind, turned
from acmodels.spec import parameters as named
from acmodels.spec.distribution import Distribution, Support, bounds, distribution
from acmodels.system import Block, Layout, Parameter, Responses, parameters
from acmodels.system.missing import model_layout

__all__ = [
    "Prior",
    "Priors",
    "held_matrix",
    "held_values",
    "markers",
    "pattern_kind",
    "resolve_priors",
    "response_scales",
    "turned",
    "unit_sds",
]

_SUPPORTS: Mapping[str, tuple[Support, ...]] = {
    "coefficient": ("real",),
    "loading": ("real", "positive"),
    "threshold": ("real",),
    "sd": ("positive",),
    "sigma": ("positive",),
    "cor": ("correlation",),
    "sigma1": ("positive",),
    "cor1": ("correlation",),
    "simo": ("simplex",),
}


def _kind(p: Parameter) -> str:
    """Return what patterns match a parameter by: as `pattern_kind` says of its name."""
    intercept = p.kind == "coefficient" and named.is_intercept(p.name)
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
    settled = unit_sds(layout) | markers(layout)
    known = tuple(p for p in parameters(layout) if p.kind != "step")
    _refuse_settled(stated, settled, source)
    own = frozenset(p.name for p in parameters(model_layout(layout))) - settled
    chosen = _match(stated, known, own, layout, source)
    scales = response_scales(layout, responses) | dict(scales or {})
    plain = defaults(layout, responses, scales)
    out: dict[str, Prior] = {}
    for p in known:
        if p.name not in chosen:
            out[p.name] = plain[p.name]
            continue
        pattern, table = chosen[p.name]
        where = f'{source}: priors."{pattern}"'
        supports = _SUPPORTS.get(p.kind) or (scalars()[p.kind].support,)
        found = distribution(table, where, (*supports, "held"))
        low, high = bounds(found)
        low, high = max(low, plain[p.name].lower), min(high, plain[p.name].upper)
        out[p.name] = Prior(p.name, found, pattern, lower=low, upper=high)
        if (not found.name == "Constant" and low >= high) or _beyond(found, high):
            raise ModelError(f"{where}: {found} has no mass {plain[p.name].range}")
    check_held(out, layout, source)
    _one_prior_per_matrix(out, known, source)
    out = {n: less_held(p, out) for n, p in out.items()}
    for block in layout.blocks:
        out |= _as_written(block, out, plain)
    return out


def _beyond(d: Distribution, high: float) -> bool:
    """Return whether all of a distribution lies above where a parameter can be."""
    return d.kind.support == "positive" and high <= 0


def _refuse_settled(
    stated: Mapping[str, Mapping[str, Any]], settled: frozenset[str], source: str
) -> None:
    """Refuse priors of what gives a construct its scale."""
    problems = [
        f'{source}: priors."{name}": it is 1, which gives the construct its scale; '
        + (
            "leave the prior out, or choose another marker"
            if pattern_kind(name) == "loading"
            else 'leave the prior out, or free it by marker = "item" in its measure'
        )
        for name in stated
        if name in settled
    ]
    if problems:
        raise ModelError(problems)


def _as_written(
    block: Block, priors: Mapping[str, Prior], defaults: Mapping[str, Prior]
) -> dict[str, Prior]:
    """Put the defaults of a block on its effects as written where a stated prior is on those.

    A stated prior is on the parameter that it names. Beside one of an sd that would be another at
    the predictors' means, or of the correlations, the block has no priors at these means.
    """
    sds = list(block.sds)
    moved = [n for n in sds if defaults[n].on]
    named = [*moved, *(n for _, _, n in block.correlations())]
    if not moved or not any(priors[n].stated for n in named):
        return {}
    return {n: replace(priors[n], on=()) for n in (*sds, *(n for _, _, n in block.correlations()))}


def _match(
    stated: Mapping[str, Mapping[str, Any]],
    known: tuple[Parameter, ...],
    own: frozenset[str],
    layout: Layout,
    source: str,
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    chosen: dict[str, tuple[str, Mapping[str, Any]]] = {}
    problems: list[str] = []
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
            problems.append(_nothing(pattern, kind, known, layout, source))
        chosen.update(dict.fromkeys(hits, (pattern, table)))
    for pattern, table in stated.items():
        if "*" in pattern:
            continue
        if pattern not in {p.name for p in known}:
            problems.append(_nothing(pattern, pattern_kind(pattern), known, layout, source))
        chosen[pattern] = (pattern, table)
    if problems:
        raise ModelError(problems)
    return chosen


def _nothing(
    pattern: str, kind: str | None, known: tuple[Parameter, ...], layout: Layout, source: str
) -> str:
    expression = re.compile(".*".join(re.escape(p) for p in pattern.split("*")))
    gone = [a.why(n) for a in layout.absent for n in a.names if expression.fullmatch(n)]
    if gone:
        return f'{source}: priors."{pattern}" matches nothing: {gone[0]}; leave this prior out'
    names = [p.name for p in known if kind is None or _kind(p) == kind]
    names = names or [p.name for p in known]
    near = did_you_mean(pattern, names)
    hint = near or f" (for example '{names[0]}'; `acmodels priors` lists all)"
    return f'{source}: priors."{pattern}" matches no parameter of the model{hint}'


def _one_prior_per_matrix(
    priors: Mapping[str, Prior], known: tuple[Parameter, ...], source: str
) -> None:
    shares: dict[str, Prior] = {}
    for p in (p for p in known if p.kind == "simo" and priors[p.name].held is None):
        first = shares.setdefault(p.name.rsplit("[", 1)[0], priors[p.name])
        if first.distribution != priors[p.name].distribution:
            raise ModelError(
                f"{source}: priors: {first.name} and {p.name} are shares that sum to 1 and have "
                "one Dirichlet prior; state it for all of them with a pattern"
            )
    seen: dict[tuple[int, bool, str], Prior] = {}
    for p in known:
        if p.kind not in ("cor", "cor1") or priors[p.name].held is not None:
            continue
        first = seen.setdefault((p.owner, p.residual, p.kind), priors[p.name])
        if first.distribution != priors[p.name].distribution:
            raise ModelError(
                f"{source}: priors: {first.name} and {p.name} belong to one correlation matrix, "
                "which has one LKJ prior; state it for both with a pattern"
            )

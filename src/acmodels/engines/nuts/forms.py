"""Prior distributions as PyMC has them, in standard form: scale families taken to scale one.

Priors of one form (distribution and shape parameters) are one vector, so that the graph grows
little with the number of parameters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from acmodels.spec.distribution import Distribution
from acmodels.system.arrays import Array

LOCATED: Mapping[str, Any] = {
    "Normal": lambda pm, _: pm.Normal.dist(0.0, 1.0),
    "StudentT": lambda pm, s: pm.StudentT.dist(nu=s["nu"], mu=0.0, sigma=1.0),
    "Cauchy": lambda pm, _: pm.Cauchy.dist(0.0, 1.0),
    "Laplace": lambda pm, _: pm.Laplace.dist(0.0, 1.0),
}
"""Standard forms on the whole line: PyMC, shape parameters -> distribution."""

POSITIVE: Mapping[str, Any] = {
    "HalfNormal": lambda pm, _: pm.HalfNormal.dist(1.0),
    "HalfStudentT": lambda pm, s: pm.HalfStudentT.dist(s["nu"], 1.0),
    "HalfCauchy": lambda pm, _: pm.HalfCauchy.dist(1.0),
    "Exponential": lambda pm, _: pm.Exponential.dist(1.0),
    "Gamma": lambda pm, s: pm.Gamma.dist(s["alpha"], 1.0),
    "LogNormal": lambda pm, s: pm.LogNormal.dist(0.0, s["sigma"]),
}
"""Standard forms above zero, likewise."""

BOUNDED: Mapping[str, Any] = {
    **POSITIVE,
    "Beta": lambda pm, s: pm.Beta.dist(s["alpha"], s["beta"]),
}
"""Standard forms of families' further parameters, likewise."""

_SCALED: Mapping[str, Any] = {
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


def by_form(priors: Sequence[Distribution]) -> list[tuple[Distribution, list[int]]]:
    """List positions by standard form, in order of first appearance."""
    found: dict[tuple[str, tuple[tuple[str, float], ...]], list[int]] = {}
    for k, d in enumerate(priors):
        found.setdefault((d.name, d.shape), []).append(k)
    return [(priors[places[0]], places) for places in found.values()]


def _form_name(name: str, n: int) -> str:
    """Name the nth vector of one form of prior."""
    return name if n == 0 else f"{name}_{n + 1}"


def scaled(pm: Any, name: str, priors: Sequence[Distribution], ratio: Any) -> Any:
    """Make a vector of scales in rough units, one for each prior, in their order, from 1 on.

    Args:
        pm: the PyMC module.
        name: of the variable (of several, where the priors have several forms).
        priors: in order; those of a held parameter are constants.
        ratio: scales of the priors in the same units.
    """
    forms = by_form(priors)
    pieces: list[Any] = []
    for n, (d, places) in enumerate(forms):
        here = ratio[np.array(places)]
        if d.name != "Constant":
            ones = np.ones(len(places))
            options = {"shape": len(places), "initval": ones}
            here = _SCALED[d.name](pm, _form_name(name, n), here, dict(d.shape), **options)
        pieces.append(here)
    if len(pieces) == 1:
        return pieces[0]
    order = np.argsort(np.concatenate([places for _, places in forms]))
    return pm.math.concatenate(pieces)[order]


def scaled_draws(
    draws: Mapping[str, Array], name: str, priors: Sequence[Distribution], ratio: Array
) -> Array:
    """Return draws of what `scaled` makes, (chain, draw, priors)."""
    forms = by_form(priors)
    shape = shape_of(draws)
    pieces = [
        np.broadcast_to(ratio[places], (*shape, len(places)))
        if d.name == "Constant"
        else draws[_form_name(name, n)]
        for n, (d, places) in enumerate(forms)
    ]
    order = np.argsort(np.concatenate([places for _, places in forms]))
    return np.concatenate(pieces, axis=-1)[..., order]


def add_priors(
    pm: Any, name: str, priors: Sequence[Distribution], standard: Any, forms: Any = LOCATED
) -> None:
    """Add the priors of a vector, given in units of their scales, to the target."""
    for n, (d, places) in enumerate(by_form(priors)):
        density = pm.logp(forms[d.name](pm, dict(d.shape)), standard[np.array(places)])
        pm.Potential(f"prior_{_form_name(name, n)}", density.sum())


def joined(pm: Any, pieces: Sequence[Any]) -> Any:
    """Concatenate vectors; one alone stays as it is."""
    return pieces[0] if len(pieces) == 1 else pm.math.concatenate(list(pieces))


def shape_of(draws: Mapping[str, Array]) -> tuple[int, int]:
    """Return the numbers of chains and of draws."""
    chains, kept = next(iter(draws.values())).shape[:2]
    return chains, kept

"""Truths of a design: stated, or assumed where it states none."""

import re
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.families import family, scalars
from acmodels.priors import Prior, markers, resolve_priors, unit_sds
from acmodels.spec.design import Design
from acmodels.spec.distribution import median
from acmodels.spec.model import Model
from acmodels.system import Layout, parameters
from acmodels.system.equations import SCALE
from acmodels.system.structural import with_steps

ASSUMED = {
    "coefficient": 0.0, "loading": 1.0, "cor": 0.0, "cor1": 0.0, "sigma": 1.0, "sigma1": 1.0,
    "sd": 0.5,
}  # fmt: skip
"""Truths that neither a design nor a stated prior says, by kind of parameter."""
BY_PRIOR = ("coefficient", "cor", "cor1", "threshold")
"""Kinds of parameters whose stated prior says what is assumed, beside what families own."""


def resolve_truth(design: Design, model: Model, layout: Layout) -> dict[str, float]:
    """Settle every structural parameter's true value.

    A stated truth; else for coefficients and correlations the median of a stated prior, or 0, and
    whatever the priors 1 for residual sds and 0.5 for group sds. What a family owns takes the
    median of a stated prior, or the family's `guess` without data (thresholds by which all
    categories are equally likely, a nu of 5). What the model holds at a Constant is that.
    `assumed` says which of them the design does not state.

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
        value = float(design.truth.get(name, _assumed(p.kind, owned.get(name), prior)))
        _check_settled(design, p.kind, prior, value)
        if p.kind in ("sd", "sigma", "sigma1") and value < 0:
            raise ModelError(f'{design.source}: truth."{name}": an sd cannot be {value:g}')
        if p.kind in ("cor", "cor1") and abs(value) > 1:
            raise ModelError(
                f'{design.source}: truth."{name}": {value:g} is not a correlation (-1 to 1)'
            )
        if p.kind in scalars() and not prior.allows(value):
            raise ModelError(
                f'{design.source}: truth."{name}": it must be {prior.range}, not {value:g}'
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


def _check_settled(design: Design, kind: str, prior: Prior, value: float) -> None:
    """Refuse a truth of what gives a construct its scale, and a loading of the wrong sign."""
    where = f'{design.source}: truth."{prior.name}"'
    if prior.stated is None and prior.held not in (None, value):
        raise ModelError(f"{where}: it is 1, which gives the construct its scale, not {value:g}")
    if kind == "loading" and prior.held is None and not prior.allows(value):
        raise ModelError(f"{where}: it must be {prior.range}, not {value:g}")


def _assumed(kind: str, owned: float | None, prior: Prior) -> float:
    """The truth of a parameter for which a design states none."""
    if prior.stated is None and prior.held is not None:
        return prior.held
    if kind == "loading" and prior.upper <= 0:
        return -ASSUMED[kind]
    if prior.stated is not None:
        if prior.distribution.name == "Constant":
            return prior.distribution.parameters["value"]
        if kind in BY_PRIOR or owned is not None:
            return median(prior.distribution, prior.lower)
    return ASSUMED[kind] if owned is None else owned


def assumed(design: Design, layout: Layout, known: Mapping[str, object] | None = None) -> list[str]:
    """Names of the parameters for which a design states no truth, in table order.

    Args:
        design: that states truths.
        layout: of its model.
        known: parameters that are drawn, from a design prior say, and not assumed.
    """
    said = {*design.truth, *(known or ()), *unit_sds(layout), *markers(layout)}
    return [p.name for p in parameters(layout) if p.kind != "step" and p.name not in said]


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
    """Return what families own where neither the design nor the model says."""
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
                    f'{design.source}: truth."{high}": thresholds must increase, but {high} = '
                    f"{truth[high]:g} is not above {low} = {truth[low]:g}; state all of them"
                )


def _check_correlations(design: Design, layout: Layout, truth: Mapping[str, float]) -> None:
    """Refuse correlations that no random variables can have together."""
    for correlations in layout.correlations:
        if np.linalg.eigvalsh(correlations.matrix(lambda n: truth[n]))[0] < -1e-8:
            said = listing([f"{name} = {truth[name]:g}" for _, _, name in correlations.entries])
            raise ModelError(
                f"{design.source}: truth: these correlations are impossible together, since "
                "their "
                f"matrix is not positive semi-definite: {said}"
            )

"""Covariances of group effects, and where the unexplained variance of an equation lies.

With random intercepts only, the shares of these variances are the intraclass correlations of a
multilevel model (Snijders & Bosker, 2012, section 4.3); with random slopes each effect counts with
the mean square of what it multiplies (Johnson, 2014).
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from acmodels.system.arrays import Array, Responses
from acmodels.system.equation import EquationLayout
from acmodels.system.layout import Layout
from acmodels.system.terms import Term, group_terms, terms

type Covariance = tuple[str, ...]
"""Parameters whose product a covariance is: two sds, and the correlation of different effects."""

type Parameter = Callable[[str], Array]
"""Draws of a structural parameter by name; all in one shape."""


def shared(layout: Layout, one: Term, other: Term) -> Covariance | None:
    """Return what makes up the covariance of two group effects; None where they are independent."""
    if one.effect is None or other.effect is None or one.effect[0] != other.effect[0]:
        return None
    if one.effect == other.effect:
        return one.parameter, one.parameter
    pair = {one.effect[1], other.effect[1]}
    block = layout.blocks[one.effect[0]]
    name = next(name for i, j, name in block.correlations() if {i, j} == pair)
    return one.parameter, other.parameter, name


def covariance(names: Covariance, parameter: Parameter) -> Array:
    """Compute a covariance of two group effects, in the shape of the draws."""
    first, second, *correlation = (parameter(name) for name in names)
    total = first * second
    return total * correlation[0] if correlation else total


def covariances(layout: Layout, effects: Sequence[Term], parameter: Parameter) -> Array:
    """Stack the covariances of K group effects of one block, (..., K, K).

    Args:
        layout: the model on its rows.
        effects: the group effects.
        parameter: draws, in the shape that comes before (K, K).
    """
    rows = [
        np.stack([covariance(names, parameter) for other in effects
                  if (names := shared(layout, one, other)) is not None], axis=-1)
        for one in effects
    ]  # fmt: skip
    return np.stack(rows, axis=-2)


def group_variance(
    layout: Layout, effects: Sequence[Term], responses: Responses, parameter: Parameter
) -> Array:
    """Compute the variance that some group effects give the predictor, its mean over rows.

    Args:
        layout: the model on its rows.
        effects: of one equation and one block.
        responses: of one data set, or of R data sets with draws of shape (R, draw).
        parameter: draws.
    """
    z = [t.values(layout, responses) for t in effects]
    total = np.zeros(())
    for (one, x), (other, y) in product(zip(effects, z, strict=True), repeat=2):
        if (names := shared(layout, one, other)) is not None:
            size = np.mean(x * y, axis=-1, keepdims=True)
            total = total + size * covariance(names, parameter)
    return total


def residual_variance(
    layout: Layout, e: EquationLayout, responses: Responses, parameter: Parameter
) -> Array:
    """Compute the residual variance on the scale of the linear predictor, in the draws' shape.

    The mean of known variances where these are known. Of a count or a proportion it rests on the
    mean response; see `Family.residual_variance`.
    """
    names = [*(t.parameter for t in reversed(terms(layout, e.response))), *e.thresholds]
    names += [e.sigma] if e.has_sigma else []
    shape = parameter(names[0]).shape
    if e.se is not None:
        return np.full(shape, np.mean(e.se**2))
    mean = np.mean(responses[e.response], axis=-1, keepdims=True)[..., None]
    level: Any = mean if e.trials is None else 1.0  # broadcasts as parameters do
    return np.broadcast_to(e.conditional(parameter).residual_variance(level)[..., 0], shape)


def unexplained(
    layout: Layout, response: str, responses: Responses, parameter: Parameter
) -> dict[str, Array]:
    """Compute the variances that an equation's predictors leave, by grouping, the residual last.

    Args:
        layout: the model on its rows.
        response: of the equation.
        responses: as for `group_variance`.
        parameter: draws.
    """
    out: dict[str, Array] = {}
    for block, effects in group_terms(layout, response):
        key = "residual (grouping)" if block.group == "residual" else block.group
        found = group_variance(layout, effects, responses, parameter)
        out[key] = out[key] + found if key in out else found
    e = layout.equation(response)
    out["residual"] = residual_variance(layout, e, responses, parameter)
    return out


def shares(variances: Mapping[str, Array]) -> dict[str, Array]:
    """Compute shares of a sum of variances, draw by draw.

    An infinite variance, as of a Student-t residual with at most two degrees of freedom, has the
    whole of it.
    """
    total = np.sum(list(variances.values()), axis=0)
    endless = np.isinf(total)
    whole = np.where(endless, 1.0, total)
    return {
        k: np.where(endless, np.isinf(v).astype(np.float64), np.where(endless, 0.0, v) / whole)
        for k, v in variances.items()
    }

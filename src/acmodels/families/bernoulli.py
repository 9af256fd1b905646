"""Binary responses, by logit or probit: binomial with one trial a row."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from acmodels.families import Array, _plain, binomial

links = ("logit", "probit")
has_sigma = False
needs_trials = False
residual_correlation = False
whole = True
ordered = False
scalars = ()

guess = _plain.guess
warnings = _plain.warnings
scale = binomial.scale
mean = binomial.mean
variance = binomial.variance
residual_variance = binomial.residual_variance
draw = binomial.draw
log_density = binomial.log_density


def problems(y: Array, trials: Array | None) -> list[str]:
    """A binary response is 0 or 1 (or true and false)."""
    del trials
    values = np.unique(y)
    if np.all((values == 0) | (values == 1)):
        return []
    shown = ", ".join(f"{v:g}" for v in values[:6])
    if len(values) == 2:
        advice = f"recode it, for example {values[0]:g} to 0 and {values[1]:g} to 1"
        return [f"holds {shown} where the family bernoulli wants 0 and 1; {advice}"]
    return [
        f"holds {len(values)} values ({shown}) where the family bernoulli wants 0 and 1; recode it"
    ]


def likelihood(
    pm: Any, name: str, eta: Any, sigma: Any, link: str, data: Any, own: Mapping[str, Any]
) -> Any:
    """Add binary observations."""
    del sigma, own
    if link == "logit":
        return pm.Bernoulli(name, logit_p=eta, observed=data.y)
    return pm.Potential(name, binomial.log_ndtr(pm, (2.0 * data.y - 1.0) * eta))

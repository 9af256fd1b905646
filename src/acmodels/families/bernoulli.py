"""Binary responses, by logit or probit: binomial with one trial a row."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.families import Array, Noise
from acmodels.families.binomial import Binomial, log_ndtr


@dataclass(frozen=True, kw_only=True)
class Bernoulli(Binomial):
    """One success or none."""

    label = "binary"
    needs_trials = False

    @classmethod
    def problems(cls, y: Array, trials: Array | None) -> list[str]:
        """A binary response is 0 or 1 (or true and false)."""
        values = np.unique(y)
        if np.all((values == 0) | (values == 1)):
            return []
        shown = ", ".join(f"{v:g}" for v in values[:6])
        if len(values) == 2:
            advice = f"recode it, for example {values[0]:g} to 0 and {values[1]:g} to 1"
            return [f"holds {shown} where the family bernoulli needs 0 and 1; {advice}"]
        many = f"{len(values)} values ({shown})"
        return [f"holds {many} where the family bernoulli needs 0 and 1; recode it"]

    def draw_alike(self, noise: Noise, eta: Array, first: Array) -> Array:
        """Compare the same uniform numbers with the probability of every world."""
        return (noise.uniform() < self.mean(eta)).astype(np.float64)

    def likelihood(self, pm: Any, name: str, y: Any, eta: Any) -> Any:
        """Add binary observations."""
        if self.link == "logit":
            return pm.Bernoulli(name, logit_p=eta, observed=y)
        return pm.Potential(name, log_ndtr(pm, (2.0 * y - 1.0) * eta))

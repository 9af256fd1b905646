"""Normal responses with an identity link."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.families import Array, Family, Noise


@dataclass(frozen=True, kw_only=True)
class Gaussian(Family):
    """Normal about the linear predictor; `sd` is the residual sd, or known by row."""

    label = "normal"
    links = ("identity",)
    has_sigma = True
    normal = True
    unbounded = True

    def variance(self, eta: Array) -> Array:
        """Square of the residual sd."""
        return np.broadcast_to(self.sd**2, np.broadcast_shapes(np.shape(self.sd), np.shape(eta)))

    def exceeds(self, eta: Array, above: float) -> Array:
        """Upper tail of a normal distribution; with an sd of 0, whether the mean is above."""
        from scipy.special import ndtr

        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(
                np.asarray(self.sd) > 0, ndtr((eta - above) / self.sd), np.asarray(eta) > above
            )

    def draw(self, rng: np.random.Generator, eta: Array) -> Array:
        """Draw normal responses."""
        return eta + self.sd * rng.standard_normal(eta.shape)

    def log_density(self, y: Array, eta: Array) -> Array:
        """Normal log density."""
        z = (y - eta) / self.sd
        return -0.5 * z * z - np.log(self.sd) - 0.5 * np.log(2 * np.pi)

    def draw_alike(self, noise: Noise, eta: Array, first: Array) -> Array:
        """Draw about the predictor, with the same residuals in every world."""
        return eta + self.sd * noise.normal()

    def likelihood(self, pm: Any, name: str, y: Any, eta: Any) -> Any:
        """Add normal observations."""
        return pm.Normal(name, mu=eta, sigma=self.sd, observed=y)

"""Student-t responses with an identity link: a normal response that forgives outliers.

`sigma(y)` is the scale, not the sd (which is sigma sqrt(nu / (nu - 2)) where nu > 2), and
`nu(y)` the degrees of freedom. nu lies above 1, so that the response has a mean. Its default
prior is brms's: Gamma(2, 0.1), on that side of 1 (Juárez & Steel, 2010; Bürkner, 2017).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.families import Array, Family, Scalar
from acmodels.spec.distribution import Distribution


@dataclass(frozen=True, kw_only=True)
class Student(Family):
    """Student-t about the linear predictor, with scale `sd` and `nu` degrees of freedom."""

    label = "Student-t"
    links = ("identity",)
    has_sigma = True
    unbounded = True
    scalars = (
        Scalar(
            "nu",
            lambda _: Distribution("Gamma", {"alpha": 2.0, "beta": 0.1}),
            lower=1.0,
            label="degrees of freedom",
        ),
    )

    nu: Any

    @classmethod
    def guess(cls, y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
        """Five degrees of freedom: outliers, but not wild ones."""
        return {"nu": 5.0}

    def variance(self, eta: Array) -> Array:
        """Sigma^2 nu / (nu - 2); infinite up to two degrees of freedom."""
        nu = np.asarray(self.nu, dtype=np.float64)
        left = np.where(nu > 2, nu - 2, 1.0)
        found = np.where(nu > 2, self.sd**2 * nu / left, np.inf)
        return np.broadcast_to(found, np.broadcast_shapes(found.shape, np.shape(eta)))

    def exceeds(self, eta: Array, above: float) -> Array:
        """Upper tail of a Student-t distribution."""
        from scipy.special import stdtr

        return np.asarray(stdtr(self.nu, (eta - above) / self.sd))

    def draw(self, rng: np.random.Generator, eta: Array) -> Array:
        """Draw Student-t responses, as a normal over the root of a chi-square."""
        nu = np.broadcast_to(self.nu, eta.shape)
        return eta + self.sd * rng.standard_normal(eta.shape) / np.sqrt(rng.chisquare(nu) / nu)

    def log_density(self, y: Array, eta: Array) -> Array:
        """Student-t log density."""
        from scipy.special import gammaln

        nu, sd = self.nu, self.sd
        z = (y - eta) / sd
        front = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(np.pi * nu) - np.log(sd)
        return np.asarray(front - 0.5 * (nu + 1) * np.log1p(z * z / nu))

    def likelihood(self, pm: Any, name: str, y: Any, eta: Any) -> Any:
        """Add Student-t observations."""
        return pm.StudentT(name, nu=self.nu, mu=eta, sigma=self.sd, observed=y)

"""Response distributions, one file each; the file's name is the family's key.

A family says how a linear predictor becomes data, twice: in NumPy (simulation,
log density, posterior predictive checks) and to PyMC, which it receives as an
argument so that no family imports it.
"""

import importlib
import pkgutil
from functools import lru_cache
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import ModelError, NotYetError, did_you_mean, listing

type Array = NDArray[np.float64]

LATER = ("student", "ordinal", "poisson", "negative_binomial", "beta")
"""Families of the contract that this version does not fit yet."""


class Family(Protocol):
    """What a family file provides.

    `links`: links by name, the default first. `has_sigma`: whether the response has a
    residual sd of its own. `needs_trials`: whether each row states a number of trials.
    `residual_correlation`: whether its residuals can correlate with another equation's.
    """

    links: tuple[str, ...]
    has_sigma: bool
    needs_trials: bool
    residual_correlation: bool

    def problems(self, y: Array, trials: Array | None) -> list[str]:
        """Say what is wrong with a response, in phrases that follow its name."""
        ...

    def scale(self, y: Array, trials: Array | None, link: str) -> tuple[float, float]:
        """Location and spread of the linear predictor that default priors rest on."""
        ...

    def mean(self, eta: Array, link: str) -> Array:
        """Expected response (per trial) at a linear predictor."""
        ...

    def residual_variance(self, sigma: Array, link: str) -> Array:
        """Variance of the response about its predictor on the linear scale."""
        ...

    def draw(
        self, rng: np.random.Generator, eta: Array, sigma: Array, trials: Array | None, link: str
    ) -> Array:
        """Draw responses."""
        ...

    def log_density(
        self, y: Array, eta: Array, sigma: Array, trials: Array | None, link: str
    ) -> Array:
        """Log density of each response."""
        ...

    def likelihood(self, pm: Any, name: str, eta: Any, sigma: Any, link: str, data: Any) -> Any:
        """Add the observed variable to the PyMC model that is being built.

        Args:
            pm: the PyMC module.
            name: the variable's name.
            eta: linear predictor.
            sigma: residual sds, row by row, where `has_sigma`.
            link: a name from `links`.
            data: has `y` and, where needed, `trials`.
        """
        ...


@lru_cache
def family_names() -> tuple[str, ...]:
    """Names of the families there are, found by listing this folder."""
    return tuple(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def family(name: str, where: str = "family") -> Family:
    """Load a family by name.

    Raises:
        NotYetError: the contract knows it, this version does not fit it.
        ModelError: nobody knows it.
    """
    if name in family_names():
        return cast("Family", importlib.import_module(f"{__name__}.{name}"))
    if name in LATER:
        raise NotYetError(
            f"{where}: the family '{name}' is not fitted yet by this version; "
            f"fitted now: {listing(family_names())}"
        )
    raise ModelError(
        f"{where}: unknown family '{name}'{did_you_mean(name, (*family_names(), *LATER))} "
        f"(families: {listing(family_names())})"
    )

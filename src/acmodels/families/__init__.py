"""Response distributions, one file each; the file's name is the family's key.

A family says how a linear predictor becomes data, twice: in NumPy (simulation,
log density, posterior predictive checks) and to PyMC, which it receives as an
argument so that no family imports it.

Beside a linear predictor and, where `has_sigma`, a residual sd, a family may own further
parameters of each response: positive numbers such as `nu(y)` (`scalars`), or the thresholds
of an ordered response. Functions get them as `own`, by kind.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.spec.distribution import Distribution

type Array = NDArray[np.float64]

type Own = Mapping[str, Any]
"""A family's own parameters by kind, as arrays that broadcast against the linear predictor.

For an ordered response `threshold` has one more axis, the thresholds, and `lowest` is the
response's lowest code.
"""


@dataclass(frozen=True)
class Scalar:
    """A positive number that a family owns for each response, such as `nu(y)`.

    Attributes:
        kind: the word before the bracket, by which patterns in `[priors]` match it.
        prior: the default prior, from a rough value (see `Family.guess`).
        lower: the parameter lies above this, and any prior is taken on that side only.
    """

    kind: str
    prior: Callable[[float], Distribution]
    lower: float = 0.0


class Family(Protocol):
    """What a family file provides.

    `links`: links by name, the default first. `has_sigma`: whether the response has a
    residual sd of its own. `needs_trials`: whether each row states a number of trials.
    `residual_correlation`: whether its residuals can correlate with another equation's.
    `whole`: whether responses are whole numbers. `ordered`: whether they are ordered codes,
    cut by thresholds that stand in for the intercept. `scalars`: further parameters.
    """

    links: tuple[str, ...]
    has_sigma: bool
    needs_trials: bool
    residual_correlation: bool
    whole: bool
    ordered: bool
    scalars: tuple[Scalar, ...]

    def problems(self, y: Array, trials: Array | None) -> list[str]:
        """Say what is wrong with a response, in phrases that follow its name."""
        ...

    def warnings(self, y: Array) -> list[str]:
        """Say what is odd about a response that can be fitted, in phrases that follow its name."""
        ...

    def scale(self, y: Array, trials: Array | None, link: str) -> tuple[float, float]:
        """Location and spread of the linear predictor that default priors rest on."""
        ...

    def guess(self, y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
        """Rough values of the family's own parameters, by kind; {} where there are none.

        Args:
            y: responses; without them, what is simulated where a design does not say.
            link: a name from `links`.
            codes: of an ordered response, from the lowest to the highest.
        """
        ...

    def mean(self, eta: Array, link: str, own: Own | None = None) -> Array:
        """Expected response (per trial) at a linear predictor."""
        ...

    def variance(
        self, eta: Array, sigma: Array, trials: Array | None, link: str, own: Own | None = None
    ) -> Array:
        """Variance of the response (per trial) at a linear predictor."""
        ...

    def residual_variance(
        self, sigma: Array, link: str, own: Own | None = None, level: float = 1.0
    ) -> Array:
        """Variance of the response about its predictor on the linear scale.

        Args:
            sigma: residual sds.
            link: a name from `links`.
            own: the family's own parameters, in the shape of `sigma`.
            level: the response's overall mean, on which it rests for some links.
        """
        ...

    def draw(
        self,
        rng: np.random.Generator,
        eta: Array,
        sigma: Array,
        trials: Array | None,
        link: str,
        own: Own | None = None,
    ) -> Array:
        """Draw responses."""
        ...

    def log_density(
        self,
        y: Array,
        eta: Array,
        sigma: Array,
        trials: Array | None,
        link: str,
        own: Own | None = None,
    ) -> Array:
        """Log density of each response."""
        ...

    def likelihood(
        self,
        pm: Any,
        name: str,
        eta: Any,
        sigma: Any,
        link: str,
        data: Any,
        own: Mapping[str, Any],
    ) -> Any:
        """Add the observed variable to the PyMC model that is being built.

        Args:
            pm: the PyMC module.
            name: the variable's name.
            eta: linear predictor.
            sigma: residual sds, row by row, where `has_sigma`.
            link: a name from `links`.
            data: has `y` and, where needed, `trials`; of an ordered response only `first` and
                `last`: 1 in rows of the lowest and of the highest category, else 0.
            own: the family's scalars by kind, row by row; of an ordered response, `above` and
                `below`: the thresholds about each row's category (the same one twice at the
                ends).
        """
        ...


@lru_cache
def family_names() -> tuple[str, ...]:
    """Names of the families there are, found by listing this folder."""
    return tuple(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def family(name: str, where: str = "family") -> Family:
    """Load a family by name.

    Raises:
        ModelError: there is no such family.
    """
    if name in family_names():
        return cast("Family", importlib.import_module(f"{__name__}.{name}"))
    raise ModelError(
        f"{where}: unknown family '{name}'{did_you_mean(name, family_names())} "
        f"(families: {listing(family_names(), 12)})"
    )


@lru_cache
def scalar_kinds() -> tuple[str, ...]:
    """Kinds of the numbers that some family owns, as in `nu(y)`."""
    found = (s.kind for name in family_names() for s in family(name).scalars)
    return tuple(dict.fromkeys(found))

"""Response distributions, one file each; the file's name is the family's key.

A family is a class. What the class says holds for every response of the family: its links, its
further parameters, what values it can have. An instance is the distribution of one equation's
responses given the linear predictor, with parameters filled in; `equation.conditional` makes it.
Distributions are written twice: in NumPy (simulation, densities, predictions) and for PyMC, which
`likelihood` receives as an argument so that no family imports it.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.spec.distribution import Distribution, Support

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scalar:
    """A number that a family has for each response beside the linear predictor, such as `nu(y)`.

    Attributes:
        kind: the word before the bracket, by which patterns in `[priors]` match it; the field of
            the family's class that holds its values.
        prior: the default prior, from a rough value (see `Family.guess`).
        lower, upper: the parameter lies strictly between these, and any prior is taken there only.
        label: what reports call several of them.
    """

    kind: str
    prior: Callable[[float], Distribution]
    lower: float = 0.0
    upper: float = float("inf")
    label: str = ""

    @property
    def support(self) -> Support:
        """Where priors of it have their mass, apart from its own bounds."""
        return "positive" if self.upper == float("inf") else "unit"


class Noise(Protocol):
    """Random numbers of one response that are the same in every world that is compared."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the responses."""
        ...

    def normal(self) -> Array:
        """Give the standard normal residual, with its correlations to others."""
        ...

    def uniform(self) -> Array:
        """Give numbers that are uniform on (0, 1)."""
        ...

    def generator(self, use: str) -> np.random.Generator:
        """Make a generator that starts alike in every world, one for each use."""
        ...


@dataclass(frozen=True, kw_only=True)
class Family:
    """The distribution of responses given their linear predictor `eta`.

    Parameters broadcast against `eta`, whose last axis is rows: (row,), (draw, row) or more.

    Attributes:
        label: what reports call such responses.
        links: links by name, the default first.
        has_sigma: whether the response has a residual sd, which may be known by row.
        needs_trials: whether each row states a number of trials.
        normal: whether it is normal given the linear predictor: coefficients then integrate out,
            and residuals can correlate with another equation's.
        unbounded: whether a response can be any real number.
        positive: whether a response that is not unbounded is strictly above 0.
        whole: whether responses are whole numbers.
        ordered: whether they are ordered codes, cut by thresholds that stand in for the intercept.
        successes: whether they count successes out of trials (of one, unless `needs_trials`).
        ends: the lowest and the highest value (infinite if there is none), where rows at one end
            alone leave coefficients without bound: separation. None where there is no such thing.
        scalars: further parameters; each has a field by its kind.
        link: the link in use.
        sd: residual sds or known standard errors, where `has_sigma`.
        trials: numbers of trials, where `needs_trials`.
        weights: of the rows' log likelihoods, or None.
    """

    label: ClassVar[str]
    links: ClassVar[tuple[str, ...]]
    has_sigma: ClassVar[bool] = False
    needs_trials: ClassVar[bool] = False
    normal: ClassVar[bool] = False
    unbounded: ClassVar[bool] = False
    positive: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    ordered: ClassVar[bool] = False
    successes: ClassVar[bool] = False
    ends: ClassVar[tuple[float, float] | None] = None
    scalars: ClassVar[tuple[Scalar, ...]] = ()

    link: str
    sd: Any = None
    trials: Any = None
    weights: Any = None

    # --- of data, before there are parameters -------------------------------------------

    @classmethod
    def problems(cls, y: Array, trials: Array | None) -> list[str]:
        """Say what is wrong with a response, in phrases that follow its name; default: nothing."""
        return []

    @classmethod
    def binary(cls) -> bool:
        """Say whether a response is 0 or 1."""
        return cls.successes and not cls.needs_trials

    @classmethod
    def warnings(cls, y: Array) -> list[str]:
        """Say what is odd about a response that can be fitted; default: nothing."""
        return []

    @classmethod
    def scale(cls, y: Array, trials: Array | None, link: str) -> tuple[float, float]:
        """Give the location and spread of the linear predictor that default priors rest on.

        By default those of the response (identity), or the link of its mean and a fixed spread.
        """
        if link == "identity":
            return float(np.mean(y)), float(np.std(y, ddof=1))
        return float(linked(link, np.mean(y))), SPREADS[link]

    @classmethod
    def guess(cls, y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
        """Give rough values of the family's further parameters, by kind; default: there are none.

        Args:
            y: responses; without them, what is simulated where a design does not say.
            link: a name from `links`.
            codes: of an ordered response, from the lowest to the highest.
        """
        return {}

    # --- the distribution ---------------------------------------------------------------

    def mean(self, eta: Array) -> Array:
        """Give the expected response (per trial); default: the inverse of the link."""
        return inverse(self.link, eta)

    def variance(self, eta: Array) -> Array:
        """Give the variance of the response (per trial)."""
        raise NotImplementedError

    def exceeds(self, eta: Array, above: float) -> Array:
        """Give the probability that a response is larger than a number."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator, eta: Array) -> Array:
        """Draw responses, in the shape of `eta`."""
        raise NotImplementedError

    def log_density(self, y: Array, eta: Array) -> Array:
        """Give the log density of each response, without its weight."""
        raise NotImplementedError

    def log_likelihood(self, y: Array, eta: Array) -> Array:
        """Give the log density of each response times its weight."""
        each = np.asarray(self.log_density(y, eta))
        return each if self.weights is None else each * self.weights

    def probabilities(self, eta: Array) -> Array:
        """Give probabilities of an ordered response's categories, (*eta.shape, categories)."""
        raise NotImplementedError

    def probability(self, eta: Array, place: int) -> Array:
        """Give the probability of one category of an ordered response, counted from 0."""
        return self.probabilities(eta)[..., place]

    def residual_variance(self, level: float = 1.0) -> Array:
        """Give the variance of the response about its predictor, on the linear scale.

        That of the response itself (identity) or of the latent response (logit, probit); for a
        log link the lognormal approximation at the response's mean, ln(1 + variance / mean^2)
        (Nakagawa, Johnson & Schielzeth, 2017, table 1).

        Args:
            level: the response's overall mean.
        """
        zero = np.zeros(1)
        if self.link == "identity":
            return self.variance(zero)
        if self.link == "log":
            eta = np.log(level) - np.log(self.mean(zero))
            return np.log1p(self.variance(eta) / self.mean(eta) ** 2)
        return np.full(1, LATENT[self.link])

    def draw_alike(self, noise: Noise, eta: Array, first: Array) -> Array:
        """Draw responses that move little from world to world.

        By default from a generator that starts alike in every world.

        Args:
            noise: the random numbers.
            eta: the linear predictor in this world.
            first: the same in the first world; `eta` itself in the first.
        """
        del first
        return self.draw(noise.generator("draw"), np.broadcast_to(eta, noise.shape))

    def likelihood(self, pm: Any, name: str, y: Any, eta: Any) -> Any:
        """Add the observed variable to the PyMC model that is being built.

        Parameters are expressions here, row by row or one for all rows.

        Args:
            pm: the PyMC module.
            name: the variable's name.
            y: responses; of an ordered response its rows' categories, a `Category`.
            eta: linear predictor.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Category:
    """Categories of an ordered response for PyMC, row by row.

    Attributes:
        first, last: 1 in rows of the lowest and of the highest category, else 0.
        above, below: the thresholds about each row's category, the same one twice at the ends.
    """

    first: Any
    last: Any
    above: Any
    below: Any


# --- links ---------------------------------------------------------------------------

SPREADS = {"logit": 1.8, "probit": 1.0, "log": 1.0}
"""Spread of the linear predictor that default priors rest on, by link."""

LATENT = {"logit": np.pi**2 / 3, "probit": 1.0}
"""Variance of the latent response by link."""


def inverse(link: str, eta: Array) -> Array:
    """Give the mean that has a linear predictor."""
    if link == "identity":
        return eta
    if link == "log":
        return np.exp(eta)
    from scipy.special import expit, ndtr

    return np.asarray(expit(eta) if link == "logit" else ndtr(eta))


def linked(link: str, mean: Any) -> Any:
    """Give the linear predictor of a mean."""
    if link == "log":
        return np.log(mean)
    if link == "logit":
        return np.log(mean / (1 - mean))
    from scipy.special import ndtri

    return ndtri(mean) if link == "probit" else mean


# --- which families there are ---------------------------------------------------------


@lru_cache
def family_names() -> tuple[str, ...]:
    """Names of the families there are, found by listing this folder."""
    return tuple(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def family(name: str, where: str = "family") -> type[Family]:
    """Load a family by name.

    Raises:
        ModelError: there is no such family.
    """
    if name in family_names():
        return load_class(name)
    raise ModelError(
        f"{where}: unknown family '{name}'{did_you_mean(name, family_names())} "
        f"(families: {listing(family_names(), 12)})"
    )


@lru_cache
def load_class(name: str) -> type[Family]:
    """Import a family's file: its class is the one that the file defines."""
    module = importlib.import_module(f"{__name__}.{name}")
    (found,) = (
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, Family) and c.__module__ == module.__name__
    )
    return found


@lru_cache
def scalars() -> dict[str, Scalar]:
    """List the further parameters that some family has, by kind, such as `nu`."""
    return {s.kind: s for name in family_names() for s in family(name).scalars}

"""Univariate distributions by name: priors, exogenous predictors, design priors.

Spelled and parametrized as in PyMC. Each is a location-scale family around a
standard form (LogNormal and Gamma with their shape kept), which is what lets an
engine sample on a unit scale whatever the units of the data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import InputError, ModelError, did_you_mean, listing
from acmodels.numbers import number

type Array = NDArray[np.float64]
type Support = Literal[
    "real", "positive", "unit", "correlation", "binary", "held", "simplex", "whole", "listed"
]


@dataclass(frozen=True)
class Kind:
    """What the package knows of a distribution.

    Attributes:
        support: where its mass lies.
        keys: the parameters it takes, all required unless in `defaults`.
        positive: which of them must be above zero.
        defaults: parameters that may be left out.
        location, scale: from the parameters to the standard form.
        shape: the parameters that the standard form keeps.
        scipy: name and arguments of the standard form in `scipy.stats`.
    """

    support: Support
    keys: tuple[str, ...]
    positive: tuple[str, ...]
    location: Callable[[Mapping[str, float]], float] = lambda _: 0.0
    scale: Callable[[Mapping[str, float]], float] = lambda p: p["sigma"]
    shape: tuple[str, ...] = ()
    scipy: tuple[str, tuple[str, ...]] = ("norm", ())
    defaults: Mapping[str, float] | None = None


def _mu(p: Mapping[str, float]) -> float:
    return p["mu"]


KINDS: dict[str, Kind] = {
    "Normal": Kind("real", ("mu", "sigma"), ("sigma",), _mu),
    "StudentT": Kind(
        "real", ("nu", "mu", "sigma"), ("nu", "sigma"), _mu, shape=("nu",), scipy=("t", ("nu",))
    ),
    "Cauchy": Kind(
        "real", ("alpha", "beta"), ("beta",), lambda p: p["alpha"], lambda p: p["beta"],
        scipy=("cauchy", ()),
    ),
    "Laplace": Kind(
        "real", ("mu", "b"), ("b",), _mu, lambda p: p["b"], scipy=("laplace", ())
    ),
    "HalfNormal": Kind("positive", ("sigma",), ("sigma",), scipy=("halfnorm", ())),
    "HalfStudentT": Kind(
        "positive", ("nu", "sigma"), ("nu", "sigma"), shape=("nu",), scipy=("halft", ("nu",))
    ),
    "HalfCauchy": Kind(
        "positive", ("beta",), ("beta",), scale=lambda p: p["beta"], scipy=("halfcauchy", ())
    ),
    "Exponential": Kind(
        "positive", ("lam",), ("lam",), scale=lambda p: 1 / p["lam"], scipy=("expon", ())
    ),
    "Gamma": Kind(
        "positive", ("alpha", "beta"), ("alpha", "beta"), scale=lambda p: 1 / p["beta"],
        shape=("alpha",), scipy=("gamma", ("alpha",)),
    ),
    "LogNormal": Kind(
        "positive", ("mu", "sigma"), ("sigma",), scale=lambda p: float(np.exp(p["mu"])),
        shape=("sigma",), scipy=("lognorm", ("sigma",)),
    ),
    "Beta": Kind(
        "unit", ("alpha", "beta"), ("alpha", "beta"), scale=lambda _: 1.0,
        shape=("alpha", "beta"), scipy=("beta", ("alpha", "beta")),
    ),
    "Uniform": Kind(
        "unit", ("lower", "upper"), (), lambda p: p["lower"], lambda p: p["upper"] - p["lower"],
        scipy=("uniform", ()),
    ),
    "LKJ": Kind("correlation", ("eta",), ("eta",), scale=lambda _: 1.0),
    "Bernoulli": Kind("binary", ("p",), ("p",), scale=lambda _: 1.0),
    "Dirichlet": Kind("simplex", ("alpha",), ("alpha",), scale=lambda _: 1.0),
    "DiscreteUniform": Kind("whole", ("lower", "upper"), (), scale=lambda _: 1.0),
    "Categorical": Kind("listed", (), (), scale=lambda _: 1.0),
    "Constant": Kind("held", ("value",), (), scale=lambda _: 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Distribution:
    """A distribution with its parameters, such as `Normal(mu=0, sigma=1)`.

    Parameters of `Categorical` are its values, as written, with their probabilities.
    """

    name: str
    parameters: Mapping[str, float]

    @property
    def kind(self) -> Kind:
        """What the package knows of it."""
        return KINDS[self.name]

    @property
    def location(self) -> float:
        """Shift from the standard form."""
        return self.kind.location(self.parameters)

    @property
    def scale(self) -> float:
        """Stretch from the standard form."""
        return self.kind.scale(self.parameters)

    @property
    def shape(self) -> tuple[tuple[str, float], ...]:
        """Name and shape parameters of the standard form: what an engine groups by."""
        return tuple((k, self.parameters[k]) for k in self.kind.shape)

    def __str__(self) -> str:
        """As in a file: `Normal(mu=0, sigma=1)`."""
        inside = ", ".join(f"{k}={number(v, 4)}" for k, v in self.parameters.items())
        return f"{self.name}({inside})"


def normal(mu: float, sigma: float) -> Distribution:
    """Build Normal(mu, sigma)."""
    return Distribution("Normal", {"mu": mu, "sigma": sigma})


def half_normal(sigma: float) -> Distribution:
    """Build HalfNormal(sigma)."""
    return Distribution("HalfNormal", {"sigma": sigma})


def dirichlet(alpha: float) -> Distribution:
    """Build a symmetric Dirichlet(alpha)."""
    return Distribution("Dirichlet", {"alpha": alpha})


def log_normal(mu: float, sigma: float) -> Distribution:
    """Build LogNormal(mu, sigma)."""
    return Distribution("LogNormal", {"mu": mu, "sigma": sigma})


def lkj(eta: float) -> Distribution:
    """Build LKJ(eta)."""
    return Distribution("LKJ", {"eta": eta})


def beta(a: float, b: float) -> Distribution:
    """Build Beta(a, b)."""
    return Distribution("Beta", {"alpha": a, "beta": b})


def constant(value: float) -> Distribution:
    """Build Constant(value), which holds a parameter at a value."""
    return Distribution("Constant", {"value": value})


def stretched(d: Distribution, factor: float) -> Distribution | None:
    """Return the same with so many times the scale; None where no parameter is its scale."""
    key = {"Cauchy": "beta", "HalfCauchy": "beta", "Laplace": "b"}.get(d.name, "sigma")
    if key not in d.parameters or d.name == "LogNormal":
        return None
    return Distribution(d.name, {**d.parameters, key: factor * d.parameters[key]})


def log_density(d: Distribution, x: Array) -> Array:
    """Log density of a real or positive distribution at x, elementwise; 0 of a constant."""
    if d.name == "Constant":
        return np.zeros(np.shape(x))
    z = (np.asarray(x, dtype=np.float64) - d.location) / d.scale
    if d.name == "Normal":
        return -0.5 * z * z - np.log(d.scale) - 0.5 * np.log(2 * np.pi)
    if d.name == "HalfNormal":
        inside = -0.5 * z * z - np.log(d.scale) + 0.5 * np.log(2 / np.pi)
        return np.where(z >= 0, inside, -np.inf)
    return np.asarray(_frozen(d).logpdf(z)) - np.log(d.scale)


def cdf(d: Distribution, x: Array) -> Array:
    """Probability of a real or positive distribution below x, elementwise."""
    z = (np.asarray(x, dtype=np.float64) - d.location) / d.scale
    if d.name in ("Normal", "HalfNormal"):
        from scipy.special import ndtr

        below = np.asarray(ndtr(z))
        return below if d.name == "Normal" else np.maximum(2 * below - 1, 0.0)
    return np.asarray(_frozen(d).cdf(z))


def median(d: Distribution, above: float = 0.0) -> float:
    """Median, of a positive distribution given that it is above a bound; 0 for a correlation."""
    if d.name == "Constant":
        return d.parameters["value"]
    if d.kind.support in ("correlation", "binary"):
        return 0.0
    if d.name == "Normal":
        return d.location
    if d.name == "HalfNormal":
        from scipy.special import ndtr, ndtri

        return d.scale * float(-ndtri(ndtr(-max(above, 0.0) / d.scale) / 2))
    standard = _frozen(d)
    if d.kind.support == "positive" and above > 0:
        left = float(standard.sf((above - d.location) / d.scale))
        return d.location + d.scale * float(standard.isf(left / 2))
    return d.location + d.scale * float(standard.median())


def bounds(d: Distribution) -> tuple[float, float]:
    """Bounds of a Uniform; of others, none."""
    if d.name != "Uniform":
        return -float("inf"), float("inf")
    return d.parameters["lower"], d.parameters["upper"]


def moments(d: Distribution) -> tuple[float, float]:
    """Mean and standard deviation; not finite where there is none."""
    if d.name == "Bernoulli":
        p = d.parameters["p"]
        return p, float(np.sqrt(p * (1 - p)))
    if d.name == "Categorical":
        values, p = listed(d)
        if values.dtype == object:
            return float("nan"), float("nan")
        mean = float(p @ values)
        return mean, float(np.sqrt(p @ (values - mean) ** 2))
    if d.name == "DiscreteUniform":
        low, high = d.parameters["lower"], d.parameters["upper"]
        return (low + high) / 2, float(np.sqrt(((high - low + 1) ** 2 - 1) / 12))
    if d.name == "Normal":
        return d.location, d.scale
    if d.name == "HalfNormal":
        return d.scale * float(np.sqrt(2 / np.pi)), d.scale * float(np.sqrt(1 - 2 / np.pi))
    standard = _frozen(d)
    return d.location + d.scale * float(standard.mean()), d.scale * float(standard.std())


def listed(d: Distribution) -> tuple[np.ndarray, Array]:
    """Values of a Categorical, in order, and their probabilities; numbers where all are numbers."""
    try:
        values = np.array([float(v) for v in d.parameters])
    except ValueError:
        values = np.array(list(d.parameters), dtype=object)
    shares = np.array(list(d.parameters.values()))
    order = np.argsort(values) if values.dtype != object else np.arange(len(values))
    return values[order], shares[order]


def quantiles(d: Distribution, u: Array) -> np.ndarray:
    """Quantiles of a distribution of values of a predictor at probabilities u, elementwise."""
    if d.name == "Bernoulli":
        return (u < d.parameters["p"]).astype(np.float64)
    if d.name == "Categorical":
        values, shares = listed(d)
        at = np.searchsorted(np.cumsum(shares), u, side="right")
        return values[np.minimum(at, len(values) - 1)]
    if d.name == "DiscreteUniform":
        low, high = d.parameters["lower"], d.parameters["upper"]
        return np.minimum(np.floor(low + u * (high - low + 1)), high)
    if d.name == "HalfStudentT":
        return d.scale * np.asarray(_frozen(d).isf(1 - u))
    return d.location + d.scale * np.asarray(_frozen(d).ppf(u))


def draw(d: Distribution, rng: np.random.Generator, size: int) -> Array:
    """Independent draws, shape (size,).

    Raises:
        InputError: for LKJ, which is a distribution of matrices.
    """
    if d.name == "Constant":
        return np.full(size, d.parameters["value"])
    if d.name == "Bernoulli":
        return (rng.random(size) < d.parameters["p"]).astype(np.float64)
    if d.name == "Categorical":
        return quantiles(d, rng.random(size))
    if d.name == "DiscreteUniform":
        low, high = int(d.parameters["lower"]), int(d.parameters["upper"])
        return rng.integers(low, high + 1, size).astype(np.float64)
    if d.name == "Normal":
        return d.location + d.scale * rng.standard_normal(size)
    if d.name == "HalfNormal":
        return d.scale * np.abs(rng.standard_normal(size))
    if d.kind.support == "correlation":
        raise InputError("LKJ is a distribution of correlation matrices")
    return d.location + d.scale * np.asarray(_frozen(d).rvs(size=size, random_state=rng))


def _frozen(d: Distribution) -> Any:
    # more than a second to import, so the two commonest distributions do without
    from scipy import stats

    name, keys = d.kind.scipy
    if name == "halft":
        return _HalfT(stats.t(d.parameters["nu"]))
    return getattr(stats, name)(*(d.parameters[k] for k in keys))


@dataclass(frozen=True)
class _HalfT:
    """The half of Student's t above zero, which `scipy.stats` lacks."""

    t: Any

    def logpdf(self, z: Array) -> Array:
        return np.where(z >= 0, self.t.logpdf(z) + np.log(2.0), -np.inf)

    def cdf(self, z: Array) -> Array:
        return np.maximum(2.0 * self.t.cdf(z) - 1.0, 0.0)

    def sf(self, z: float) -> float:
        return 2.0 * float(self.t.sf(z))

    def isf(self, q: Any) -> Any:
        return self.t.isf(q / 2)

    def median(self) -> float:
        return float(self.t.ppf(0.75))

    def rvs(self, size: int, random_state: np.random.Generator) -> Array:
        return np.abs(self.t.rvs(size=size, random_state=random_state))


def distribution(
    table: Mapping[str, Any],
    where: str,
    supports: tuple[Support, ...],
    error: type[InputError] = ModelError,
) -> Distribution:
    """Read `{ dist = "Normal", mu = 0, sigma = 1 }`.

    Args:
        table: the inline table.
        where: file and key, put before messages.
        supports: the supports allowed here.
        error: what to raise.

    Raises:
        InputError: unknown distribution or key, a missing or impossible parameter.
    """
    allowed = [k for k, v in KINDS.items() if v.support in supports]
    name = table.get("dist")
    if not isinstance(name, str):
        raise error(f'{where}: say which distribution, as dist = "{allowed[0]}"')
    if name not in allowed:
        known = f"{name} does not fit here" if name in KINDS else f"unknown distribution '{name}'"
        near = did_you_mean(name, allowed)
        if near != did_you_mean(name, KINDS):  # what was meant is for parameters of another kind
            near = f"; the usual choice is '{allowed[0]}'"
        raise error(f"{where}: {known}{near} (allowed: {listing(allowed, 12)})")
    if name == "Categorical":
        return Distribution(name, _shares(table, where, error))
    kind = KINDS[name]
    for key in table:
        if key != "dist" and key not in kind.keys:
            raise error(
                f"{where}: {name} has no '{key}'{did_you_mean(key, kind.keys)} "
                f"(it takes {listing(kind.keys)})"
            )
    return Distribution(name, {k: _parameter(table, k, kind, where, error) for k in kind.keys})


def _shares(table: Mapping[str, Any], where: str, error: type[InputError]) -> dict[str, float]:
    """Values of a Categorical with their probabilities, as `p = { low = 0.3, high = 0.7 }`."""
    p = table.get("p")
    example = "p = { Public = 0.7, Private = 0.3 }"
    extra = [k for k in table if k not in ("dist", "p")]
    if extra:
        raise error(f"{where}: Categorical has no '{extra[0]}' (it takes {example})")
    if not isinstance(p, Mapping) or len(p) < 2:
        raise error(f"{where}: Categorical needs the share of each of its values, as {example}")
    shares: dict[str, float] = {}
    for value, share in p.items():  # pyright: ignore[reportUnknownVariableType]
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise error(f"{where}: the share of '{value}' must lie between 0 and 1, not {share!r}")
        shares[str(value)] = float(share)  # pyright: ignore[reportUnknownArgumentType]
    total = sum(shares.values())
    if abs(total - 1) > 0.01:
        raise error(f"{where}: the shares of a Categorical must sum to 1, not {total:g}")
    return {k: v / total for k, v in shares.items()}


def _parameter(
    table: Mapping[str, Any], key: str, kind: Kind, where: str, error: type[InputError]
) -> float:
    if key not in table:
        raise error(f"{where}: {table['dist']} needs '{key}'")
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise error(f"{where}: {key} must be a finite number, not {value!r}")
    if key in kind.positive and value <= 0:
        raise error(f"{where}: {key} must be above 0, not {value!r}")
    if kind.support == "whole" and (
        value != int(value) or (key == "upper" and value <= float(table.get("lower", value)))
    ):
        raise error(f"{where}: {key} must be a whole number, lower below upper, not {value!r}")
    if kind.support == "unit" and key in ("lower", "upper"):
        if not 0 <= value <= 1:
            raise error(f"{where}: {key} must lie between 0 and 1, not {value!r}")
        if key == "upper" and value <= float(table.get("lower", value)):
            raise error(f"{where}: upper must be above lower, {table['lower']!r}, not {value!r}")
    if kind.support == "binary" and value >= 1:
        raise error(f"{where}: {key} must lie between 0 and 1, not {value!r}")
    return float(value)

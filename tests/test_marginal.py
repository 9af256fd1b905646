"""Marginal likelihoods by bridge sampling, held to quadrature and to the exact engine."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

import acmodels as ac
from acmodels.engines import bridging
from acmodels.engines.bridging import bridge
from acmodels.inference.fitting import Fit
from acmodels.spec.distribution import (
    Distribution,
    cdf,
    half_normal,
    log_density,
    log_normal,
    median,
)

N, GROUPS = 60, 6
FEW: Mapping[str, Any] = {"draws": 200, "tune": 400}


def frame(seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, N))
    g = np.arange(N) % GROUPS
    eta = 0.4 * x + 0.6 * rng.normal(size=GROUPS)[g]
    out = pd.DataFrame({"x": x, "z": z, "g": [f"g{i}" for i in g], "h": [f"h{i % 5}" for i in g]})
    out["h"] = [f"h{i}" for i in rng.integers(0, 5, N)]
    out["se"] = rng.uniform(0.5, 1.5, N)
    out["weight"] = rng.uniform(0.5, 1.5, N)
    out["trials"] = rng.integers(3, 8, N)
    out["gaussian"] = eta + rng.normal(size=N)
    out["other"] = 0.5 * (out["gaussian"] - eta) + rng.normal(size=N)
    out["student"] = eta + rng.standard_t(4, size=N)
    out["bernoulli"] = (rng.random(N) < expit(eta)).astype(int)
    out["binomial"] = rng.binomial(out["trials"], expit(eta))
    out["poisson"] = rng.poisson(np.exp(eta))
    out["negative_binomial"] = rng.poisson(np.exp(eta) * rng.gamma(2, 0.5, N))
    out["zero_inflated_poisson"] = out["poisson"] * (rng.random(N) > 0.3)
    out["zero_inflated_negative_binomial"] = out["negative_binomial"] * (rng.random(N) > 0.3)
    out["beta"] = np.clip(rng.beta(8 * expit(eta), 8 * expit(-eta)), 1e-3, 1 - 1e-3)
    out["ordinal"] = 1 + (eta + rng.normal(size=N) > -0.6) + (eta + rng.normal(size=N) * 0 > 0.8)
    out["level"] = rng.integers(1, 4, N)
    return out


def fitted(
    equations: Mapping[str, Any],
    priors: Mapping[str, Any] | None = None,
    data: pd.DataFrame | None = None,
    engine: str = "hmc",
    **more: Any,
) -> Fit:
    table = {"name": "m", "equations": equations, "priors": priors or {}, **more}
    model = ac.load_model(table)
    return ac.fit(model, frame() if data is None else data, engine=engine, **FEW)


def agrees(found: Fit, want: float, error: float = 0.0) -> None:
    total = sum(m.mcse**2 for m in found.draws.marginal_likelihoods)
    assert found.log_marginal_likelihood is not None
    assert 0 < total < 0.1**2
    assert abs(found.log_marginal_likelihood - want) < 4 * np.sqrt(total + error**2) + 1e-3


NORMAL = {"dist": "Normal", "mu": 0.2, "sigma": 0.8}


@pytest.mark.parametrize(
    ("equations", "priors"),
    [
        ({"gaussian": {"formula": "gaussian ~ x"}}, {}),
        (
            {"gaussian": {"formula": "gaussian ~ x + (1 | g) + (1 | h)", "weights": "weight"}},
            {"sd(*)": {"dist": "HalfStudentT", "nu": 3, "sigma": 1}},
        ),
        (
            {"gaussian": {"formula": "gaussian ~ x + (1 + x | g)"}},
            {"cor(*)": {"dist": "LKJ", "eta": 2}, "sd(*)": {"dist": "Exponential", "lam": 2}},
        ),
        ({"gaussian": {"formula": "gaussian ~ x + (1 | g)", "se": "se"}}, {}),
        (
            {"gaussian": {"formula": "gaussian ~ x"}, "other": {"formula": "other ~ z"}},
            {"sigma(*)": {"dist": "Gamma", "alpha": 2, "beta": 2}},
        ),
        (
            {"gaussian": {"formula": "gaussian ~ x + (1 | g)"}},
            {"sd(gaussian ~ 1 | g)": {"dist": "Constant", "value": 0.5},
             "gaussian ~ x": {"dist": "Constant", "value": 0.3}},
        ),
    ],
)  # fmt: skip
def test_it_is_the_exact_engine_s(equations: Mapping[str, Any], priors: Mapping[str, Any]) -> None:
    """Priors of every kind of parameter, correlations, held ones, standard errors and weights."""
    more = {"residual_correlation": [list(equations)]} if len(equations) > 1 else {}
    exact = fitted(equations, priors, engine="collapsed", **more)
    assert exact.log_marginal_likelihood is not None
    error = np.sqrt(sum(m.mcse**2 for m in exact.draws.marginal_likelihoods))
    agrees(fitted(equations, priors, **more), exact.log_marginal_likelihood, float(error))


OWN = {
    "gaussian": ("sigma", {"dist": "HalfNormal", "sigma": 1.5}),
    "student": ("nu", {"dist": "Gamma", "alpha": 2, "beta": 0.1}),
    "negative_binomial": ("phi", {"dist": "LogNormal", "mu": 0.5, "sigma": 1}),
    "beta": ("phi", {"dist": "HalfCauchy", "beta": 5}),
    "zero_inflated_poisson": ("zi", {"dist": "Beta", "alpha": 2, "beta": 3}),
    "bernoulli": None,
    "binomial": None,
    "poisson": None,
}


@pytest.mark.parametrize("family", OWN)
def test_quadrature_over_an_intercept_and_a_further_parameter(family: str) -> None:
    """Each family's rows and bounds: nothing of what a density leaves out is missing."""
    name = f"{family} ~ 1"
    own = OWN[family]
    equation = {"formula": f"{family} ~ 1", "family": family}
    equation |= {"trials": "trials"} if family == "binomial" else {}
    equation |= {"se": "se"} if family == "student" else {}
    priors = {name: NORMAL} | ({f"{own[0]}({family})": own[1]} if own else {})
    found = fitted({family: equation}, priors)
    e = found.system.layout.equations[0]
    y = found.system.responses[family]
    grid = {name: np.linspace(-4.8, 5.2, 401)}
    logs = [log_density(found.priors[name].distribution, grid[name])]
    if own:
        prior = found.priors[f"{own[0]}({family})"]
        low, high = prior.lower, min(prior.upper, 400.0)
        u = np.linspace(0, 1, 501)[1:-1]
        t = low + (high - low) * u**3
        grid[prior.name] = t
        inside = np.diff(cdf(prior.distribution, np.array([prior.lower, prior.upper])))[0]
        logs.append(log_density(prior.distribution, t) - np.log(inside))
    total = np.zeros(tuple(len(v) for v in grid.values()))
    for k, log in enumerate(logs):
        total = total + np.expand_dims(log, tuple(j for j in range(len(logs)) if j != k))
    for j in range(total.shape[-1] if own else 1):
        value = {n: v[j] for n, v in grid.items() if n != name}
        density = e.conditional(lambda n, value=value: np.array(value.get(n, np.nan)))
        eta = np.broadcast_to(grid[name][:, None], (len(grid[name]), e.n))
        rows = density.log_density(y, eta).sum(axis=-1)
        if own:
            total[:, j] += rows
        else:
            total += rows
    weights = np.exp(total - total.max())
    for t in reversed(list(grid.values())):
        weights = np.trapezoid(weights, t, axis=-1)
    agrees(found, float(np.log(weights) + total.max()))


def test_quadrature_over_thresholds_in_order() -> None:
    """Thresholds have priors of their own, taken where they are in order."""
    priors = {
        "ordinal | t1": {"dist": "Normal", "mu": 0.5, "sigma": 1},
        "ordinal | t2": {"dist": "StudentT", "nu": 4, "mu": 0, "sigma": 1.5},
    }
    found = fitted(
        {"ordinal": {"formula": "ordinal ~ 1", "family": "ordinal", "link": "probit"}}, priors
    )
    t = np.linspace(-6, 6, 1201)
    a, b = np.meshgrid(t, t, indexing="ij")
    log = sum(
        log_density(found.priors[n].distribution, at)
        for n, at in (("ordinal | t1", a), ("ordinal | t2", b))
    )
    u = np.linspace(-8, 9, 20_001)
    order = np.trapezoid(stats.norm.pdf(u, 0.5, 1) * stats.t.sf(u / 1.5, 4), u)
    counts = np.bincount(frame()["ordinal"].to_numpy(), minlength=4)[1:]
    shares = [stats.norm.cdf(a), stats.norm.cdf(b) - stats.norm.cdf(a), stats.norm.sf(b)]
    with np.errstate(all="ignore"):
        log = log + sum(n * np.log(p) for n, p in zip(counts, shares, strict=True))
    log = np.where(a < b, log, -np.inf)  # its mass on the diagonal is nothing
    want = logsumexp(log) + 2 * np.log(t[1] - t[0]) - np.log(order)
    agrees(found, float(want))


def test_quadrature_over_group_effects() -> None:
    """Thirty rows of ones and zeros in six groups, whose sd the data hardly tell from zero."""
    data = frame().iloc[:30]
    priors = {"bernoulli ~ 1": NORMAL, "sd(*)": {"dist": "HalfNormal", "sigma": 1}}
    equation = {"formula": "bernoulli ~ 1 + (1 | g)", "family": "bernoulli"}
    found = fitted({"bernoulli": equation}, priors, data)
    ones = data.groupby("g")["bernoulli"].sum().to_numpy()
    rows = data.groupby("g")["bernoulli"].size().to_numpy()
    b, tau = np.linspace(-4, 4.4, 241), np.linspace(0, 5, 401)
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    eta = b[:, None, None] + tau[:, None] * nodes
    log = np.zeros((len(b), len(tau)))
    for s, n in zip(ones, rows, strict=True):
        each = s * eta - n * np.logaddexp(0, eta)
        log += logsumexp(each, axis=-1, b=weights / np.sqrt(2 * np.pi))
    log += stats.norm.logpdf(b, 0.2, 0.8)[:, None] + stats.halfnorm.logpdf(tau)
    top = log.max()
    inner = np.trapezoid(np.exp(log - top), tau, axis=1)
    agrees(found, float(np.log(np.trapezoid(inner, b)) + top))


def weighed(
    found: Fit, names: list[str], log: Callable[[dict[str, Any]], Any]
) -> tuple[float, float]:
    """Weigh points of a t by a density that is written out by hand: its log integral, and error.

    Args:
        found: whose draws say where the mass lies.
        names: of all free parameters; those that never change their sign are taken by their logs.
        log: of prior and likelihood, whole, of arrays by name.
    """
    draws = np.stack([found.draws[n].ravel() for n in names], axis=1)
    sign = np.array([np.sign(found.draws[n].mean()) if "=~" in n or n[0] == "s" else 0
                     for n in names])  # fmt: skip
    signed = sign != 0
    draws[:, signed] = np.log(np.abs(draws[:, signed]))
    t = stats.multivariate_t(draws.mean(axis=0), 1.2 * np.cov(draws.T), df=7, seed=4)
    at = np.asarray(t.rvs(40_000)).reshape(-1, len(names))
    values = at.copy()
    values[:, signed] = sign[signed] * np.exp(at[:, signed])
    w = log({n: values[:, k] for k, n in enumerate(names)})
    w = w + at[:, signed].sum(axis=1) - t.logpdf(at)
    share = np.exp(w - logsumexp(w))
    return float(logsumexp(w) - np.log(len(w))), float(np.sqrt(np.sum(share**2)))


def test_shares_of_a_monotonic_effect() -> None:
    """With known errors all but the share is normal: quadrature over the share."""
    data = frame()
    priors = {
        "gaussian ~ *": NORMAL,
        "gaussian ~ 1": NORMAL,
        "simo(*)*": {"dist": "Dirichlet", "alpha": 1.5},
    }
    equation = {"formula": "gaussian ~ 1 + mo(level)", "se": "se"}
    found = fitted({"gaussian": equation}, priors, data)
    share = np.linspace(0, 1, 401)[1:-1]
    logs = []
    for s in share:
        step = 2 * np.array([0.0, s, 1.0])[data["level"] - 1]  # the mean step times both
        X = np.column_stack([np.ones(N), step])
        cov = np.diag(data["se"] ** 2) + 0.64 * X @ X.T
        logs.append(stats.multivariate_normal(X @ [0.2, 0.2], cov).logpdf(data["gaussian"]))
    log = np.array(logs) + stats.beta.logpdf(share, 1.5, 1.5)
    agrees(found, float(np.log(np.trapezoid(np.exp(log - log.max()), share)) + log.max()))


def test_a_predictor_with_missing_values() -> None:
    """Given the parameters a row without it is normal too."""
    data = frame()
    data.loc[:11, "x"] = np.nan
    names = ["gaussian ~ 1", "gaussian ~ x", "sigma(gaussian)", "x ~ 1", "sigma(x)"]
    equations = {"gaussian": {"formula": "gaussian ~ x"}, "x": {"formula": "x ~ 1"}}
    priors = {"* ~ 1": NORMAL, "* ~ *": NORMAL, "sigma(*)": {"dist": "HalfNormal", "sigma": 2}}
    found = fitted(equations, priors, data, missing="model")
    seen = data["x"].notna()
    x, y = data["x"][seen].to_numpy(), data["gaussian"][seen].to_numpy()
    rest = data["gaussian"][~seen].to_numpy()

    def log(v: dict[str, Any]) -> Any:
        out = sum(stats.norm.logpdf(v[n], 0.2, 0.8) for n in names if "sigma" not in n)
        out = out + sum(stats.halfnorm.logpdf(v[n], scale=2) for n in names if "sigma" in n)
        a, b, s, m, t = (v[n][:, None] for n in names)
        out = out + stats.norm.logpdf(x, m, t).sum(axis=1)
        out = out + stats.norm.logpdf(y, a + b * x, s).sum(axis=1)
        return out + stats.norm.logpdf(rest, a + b * m, np.hypot(s, b * t)).sum(axis=1)

    agrees(found, *weighed(found, names, log))


def test_a_predictor_of_ones_and_zeros_with_missing_values() -> None:
    """A row without it has a mixture of two normals, summed over what it can be."""
    data = frame()
    ones = (data["z"] > 0).astype(float)
    data["z"] = ones.where(np.arange(N) > 11)
    names = ["gaussian ~ 1", "gaussian ~ z", "sigma(gaussian)", "z ~ 1"]
    equations = {
        "gaussian": {"formula": "gaussian ~ z"},
        "z": {"formula": "z ~ 1", "family": "bernoulli"},
    }
    priors = {"* ~ 1": NORMAL, "* ~ *": NORMAL, "sigma(*)": {"dist": "HalfNormal", "sigma": 2}}
    found = fitted(equations, priors, data, missing="model")
    y, z = data["gaussian"].to_numpy(), data["z"].to_numpy()

    def log(v: dict[str, Any]) -> Any:
        out = sum(stats.norm.logpdf(v[n], 0.2, 0.8) for n in names if "sigma" not in n)
        out = out + stats.halfnorm.logpdf(v["sigma(gaussian)"], scale=2)
        a, b, s, c = (v[n][:, None] for n in names)
        each = [
            stats.norm.logpdf(y, a + b * k, s) - np.logaddexp(0, c * (1 - 2 * k)) for k in (0, 1)
        ]
        every = np.where(z == 1, each[1], np.where(z == 0, each[0], np.logaddexp(*each)))
        return out + every.sum(axis=1)

    agrees(found, *weighed(found, names, log))


def test_a_construct_with_a_reversed_item() -> None:
    """Of normal items given the parameters: one multivariate normal a row, loadings of one sign."""
    rng = np.random.default_rng(3)
    f = rng.normal(size=N)
    data = pd.DataFrame(
        {
            n: b * f + 0.6 * rng.normal(size=N)
            for n, b in (("y", 0.5), ("i", 1), ("j", 0.8), ("k", -0.7))
        }
    )
    measures = {"F": {"items": ["i", "j", "k"], "reverse": ["k"]}}
    found = fitted({"y": {"formula": "y ~ F"}}, data=data, measures=measures)
    names = [n for n in found.draws.names if n != "sigma(F)"]
    columns = ["y", "i", "j", "k"]
    values = data[columns].to_numpy()

    def log(v: dict[str, Any]) -> Any:
        out: Any = 0.0
        for n in names:
            prior = found.priors[n]
            inside = np.diff(cdf(prior.distribution, np.array([prior.lower, prior.upper])))[0]
            out = out + log_density(prior.distribution, v[n]) - np.log(inside if "=~" in n else 1)
        mean = np.stack([v[f"{c} ~ 1"] for c in columns], axis=1)
        sd = np.stack([v[f"sigma({c})"] for c in columns], axis=1)
        slope = np.stack([v["y ~ F"], *(v[f"F =~ {c}"] for c in "ijk")], axis=1)
        cov = slope[:, :, None] * slope[:, None, :] + sd[:, :, None] ** 2 * np.eye(4)
        L = np.linalg.cholesky(cov)
        e = np.linalg.solve(L, (values[:, :, None] - mean.T[None]).transpose(2, 1, 0))
        volume = np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1) + 2 * np.log(2 * np.pi)
        return out - 0.5 * np.sum(e**2, axis=(1, 2)) - N * volume

    agrees(found, *weighed(found, names, log))


def test_savage_and_dickey() -> None:
    """Against the prior's density at 0 over the posterior's (Dickey, 1971), for nested models."""
    equation = {"family": "bernoulli", "formula": "bernoulli ~ x + z + (1 | g)"}
    priors = {"bernoulli ~ *": {"dist": "Normal", "mu": 0, "sigma": 1}}
    full = fitted({"bernoulli": equation}, priors)
    less = fitted({"bernoulli": {**equation, "formula": "bernoulli ~ x + (1 | g)"}}, priors)
    found = ac.bayes_factor(less, full)
    model, data = full.spec, frame()
    draws = ac.fit(model, data, engine="hmc", draws=4000).draws["bernoulli ~ z"].ravel()
    at_zero = stats.gaussian_kde(draws)(0.0)[0]
    assert found.log == pytest.approx(np.log(at_zero) - stats.norm.logpdf(0), abs=0.15)
    assert found.differ == ("bernoulli ~ z",)
    assert found.log_half < found.log < found.log_double  # the wider, the more for the smaller


def test_it_is_the_same_however_many_cores_there_are() -> None:
    equation = {"formula": "poisson ~ x + (1 | g)", "family": "poisson"}
    model = ac.load_model({"name": "m", "equations": {"poisson": equation}})
    one, two = (ac.fit(model, frame(), engine="hmc", cores=c, **FEW) for c in (1, 2))
    assert one.log_marginal_likelihood == two.log_marginal_likelihood


def test_the_error_of_a_bridge_is_right() -> None:
    """Over 200 bridges to a distribution whose constant is known, skewed and dependent draws."""
    z: list[float] = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        draws = np.log(rng.gamma(5.0, size=(4, 200)))  # log gamma: constant Gamma(5)
        draws[:, 1::2] = draws[:, ::2]  # each twice
        center, sd = np.log(5.0) - 0.1, 0.47
        points = center + sd * rng.standard_normal(800)

        def ratio(x: Any, center: float = center, sd: float = sd) -> Any:
            return 5 * x - np.exp(x) - stats.norm.logpdf(x, center, sd)

        found = bridge(ratio(draws), ratio(points))
        assert found.log is not None
        z.append((found.log - np.log(24.0)) / found.mcse)
    assert np.mean(np.square(z)) == pytest.approx(1.0, abs=0.4)


def test_nothing_is_shown_where_the_gate_is_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far apart distributions meet in no draw; and the reason is passed on."""
    rng = np.random.default_rng(1)
    far = bridge(
        -0.5 * (rng.normal(size=(4, 100)) * 50) ** 2, -0.5 * (rng.normal(size=400) + 60) ** 2
    )
    assert (far.ess or 0.0) < bridging.LEAST
    equation = {"formula": "poisson ~ x", "family": "poisson"}
    priors = {"poisson ~ x": NORMAL}
    found = fitted({"poisson": equation}, priors)
    monkeypatch.setattr(bridging, "LEAST", 1e9)
    with pytest.raises(ac.InputError, match="has no marginal likelihood: the posterior is too"):
        ac.bayes_factor(found, found)
    again = fitted({"poisson": equation}, priors)
    monkeypatch.setattr(bridging, "LEAST", 1.0)
    monkeypatch.setattr(bridging, "WORST", 0.0)
    with pytest.raises(ac.InputError, match="Monte Carlo error is"):
        ac.bayes_factor(again, again)


def test_thresholds_with_priors_of_two_kinds_have_none() -> None:
    """What is certain of their order then rests on coefficients, and has no closed form."""
    priors = {"ordinal | t1": {"dist": "Normal", "mu": -1, "sigma": 1}}
    equation = {"formula": "ordinal ~ x", "family": "ordinal"}
    found = fitted({"ordinal": equation}, priors)
    assert found.log_marginal_likelihood is None
    (part,) = found.draws.marginal_likelihoods
    assert "state priors of all" in part.reason


def test_models_of_other_missing_values_are_not_compared() -> None:
    data = frame()
    data.loc[:5, "x"] = np.nan
    table = {"formula": "poisson ~ z", "family": "poisson"}
    one = fitted({"poisson": table}, data=data, missing="model")
    two = fitted({"poisson": {**table, "formula": "poisson ~ z + x"}}, data=data, missing="model")
    with pytest.raises(ac.InputError, match="missing values of x modeled"):
        ac.bayes_factor(one, two)


@pytest.mark.parametrize(
    "d",
    [
        Distribution("Normal", {"mu": 1.0, "sigma": 2.0}), half_normal(2.0),
        Distribution("HalfStudentT", {"nu": 3.0, "sigma": 2.0}), log_normal(0.5, 1.0),
        Distribution("Gamma", {"alpha": 2.0, "beta": 0.5}),
    ],
)  # fmt: skip
def test_cumulative_probabilities(d: Distribution) -> None:
    assert float(cdf(d, np.array(median(d)))) == pytest.approx(0.5)
    assert float(np.diff(cdf(d, np.array([-np.inf, np.inf])))[0]) == 1.0

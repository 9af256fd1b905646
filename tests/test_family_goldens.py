"""Posteriors of the generalized families beside the same density written out with SciPy.

All six equations are one model, since compiling is what costs: each is fitted to its own
response, and none predicts another. statsmodels says that the likelihoods are right, and draws
weighted by the written-out density say what posterior means and sds are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import acmodels as ac
from acmodels.inference.fitting import Fit
from acmodels.posterior import summarize
from by_hand import log_prior
from monte_carlo import allowed, sd_error

pytestmark = pytest.mark.slow

type LogLikelihood = Callable[[Mapping[str, Any]], Any]

N = 600
BETA = {"x": 0.6, "w": -0.4}
POINTS = 4_000


@cache
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(20251125)
    x, w = rng.normal(3.0, 2.0, N), rng.normal(size=N)
    eta = BETA["x"] * (x - 3.0) + BETA["w"] * w
    mu = np.exp(0.5 + 0.4 * eta)
    p = 1 / (1 + np.exp(-0.5 * eta))
    cuts = np.array([-1.5, -0.3, 0.5, 2.0])
    return pd.DataFrame(
        {
            "x": x,
            "w": w,
            "o": 1 + np.sum((eta + rng.logistic(size=N))[:, None] > cuts, axis=1),
            "op": np.sum((0.6 * eta + rng.normal(size=N))[:, None] > cuts[1:], axis=1),
            "c": rng.poisson(mu),
            "nb": rng.poisson(mu * rng.gamma(1.5, 1 / 1.5, N)),
            "p": rng.beta(p * 6.0, (1 - p) * 6.0),
            "t": 10.0 + eta + 1.5 * rng.standard_t(4, N),
        }
    )


EQUATIONS = {
    "o": {"formula": "o ~ x + w", "family": "ordinal"},
    "op": {"formula": "op ~ x + w", "family": "ordinal", "link": "probit"},
    "c": {"formula": "c ~ x + w", "family": "poisson"},
    "nb": {"formula": "nb ~ x + w", "family": "negative_binomial"},
    "p": {"formula": "p ~ x + w", "family": "beta"},
    "t": {"formula": "t ~ x + w", "family": "student"},
}


@pytest.fixture(scope="module", params=["hmc", "nuts"])
def fit(request: pytest.FixtureRequest) -> Fit:
    model = ac.load_model({"name": "families", "equations": EQUATIONS})
    return ac.fit(model, ac.study(frame()), seed=3, engine=request.param)


def test_the_fit_can_be_used(fit: Fit) -> None:
    assert fit.diagnostics.usable, fit.diagnostics.messages


def test_thresholds_are_in_order_on_every_draw(fit: Fit) -> None:
    cuts = np.stack([fit.draws[f"o | t{k}"] for k in range(1, 5)])
    assert np.all(np.diff(cuts, axis=0) > 0)


@dataclass(frozen=True)
class Exact:
    """Posterior means and sds of an equation, and how sure they are.

    Attributes:
        mean, sd: by parameter; of `phi`, `sigma` and `nu - 1`, of their logs.
        kurtosis: by parameter, which says how sure an sd is.
        size: effective draws behind them.
    """

    mean: Mapping[str, float]
    sd: Mapping[str, float]
    kurtosis: Mapping[str, float]
    size: float


def natural(name: str, x: Any) -> Any:
    """The parameter at a coordinate."""
    if name.startswith(("phi(", "sigma(")):
        return np.exp(x)
    return 1 + np.exp(x) if name.startswith("nu(") else x


def coordinate(name: str, x: Any) -> Any:
    if name.startswith(("phi(", "sigma(")):
        return np.log(x)
    return np.log(x - 1) if name.startswith("nu(") else x


def exact(fit: Fit, start: Mapping[str, float], log_likelihood: LogLikelihood) -> Exact:
    """Weigh draws of a Student t about the mode by the density written out by hand.

    Args:
        fit: has the layout and the priors.
        start: the equation's parameters, by maximum likelihood.
        log_likelihood: of parameters by name, each (S, 1), to (S,).
    """
    names = list(start)

    def log(q: Any) -> Any:
        """Log density of coordinates (S, K)."""
        value = {n: natural(n, q[:, k]) for k, n in enumerate(names)}
        total = log_prior(fit.system.layout, fit.priors, value, names)
        total = total + log_likelihood({n: v[:, None] for n, v in value.items()})
        logs = [k for k, n in enumerate(names) if n.startswith(("phi(", "sigma(", "nu("))]
        return total + q[:, logs].sum(axis=1)

    begin = np.array([coordinate(n, v) for n, v in start.items()])
    mode = optimize.minimize(lambda q: -float(log(q[None])[0]), begin, method="BFGS").x
    spread = np.linalg.inv(hessian(lambda q: -float(log(q[None])[0]), mode))
    proposal = stats.multivariate_t(mode, spread, df=8, seed=4)
    q = proposal.rvs(POINTS)
    logs = np.concatenate([log(part) for part in np.array_split(q, 8)]) - proposal.logpdf(q)
    w = np.exp(logs - logs.max())
    w /= w.sum()
    mean = w @ q
    sd = np.sqrt(w @ (q - mean) ** 2)
    fourth = w @ (q - mean) ** 4 / sd**4
    by_name = (dict(zip(names, v, strict=True)) for v in (mean, sd, fourth))
    return Exact(*by_name, size=float(1 / np.sum(w**2)))


def agrees(fit: Fit, start: Mapping[str, float], log_likelihood: LogLikelihood) -> None:
    """Posterior means and sds are those of the density written out by hand, but for MCSE."""
    found = exact(fit, start, log_likelihood)
    names = list(fit.draws.names)
    values = np.stack(
        [coordinate(n, fit.draws.values[..., names.index(n)]) for n in start], axis=-1
    )
    ours = summarize(values, drawn=fit.draws)
    for k, n in enumerate(start):
        near = allowed(ours["mcse_mean"][k], found.sd[n] / np.sqrt(found.size), comparisons=60)
        assert abs(ours["mean"][k] - found.mean[n]) < near, (n, ours["mean"][k], found.mean[n])
        size = min(ours["ess_bulk"][k], ours["ess_tail"][k])
        both = [sd_error(s, found.kurtosis[n]) for s in (size, found.size)]
        assert ours["sd"][k] == pytest.approx(found.sd[n], rel=allowed(*both, comparisons=60)), n


def is_theirs(log_likelihood: LogLikelihood, at: Mapping[str, float], llf: float) -> None:
    """The log-likelihood written out by hand is that of statsmodels at its estimates."""
    assert log_likelihood({n: np.full((1, 1), v) for n, v in at.items()})[0] == pytest.approx(llf)


def eta(response: str, v: Mapping[str, Any], *, intercept: bool = True) -> Any:
    """Linear predictors, (S, n)."""
    data = frame()
    slopes = sum(v[f"{response} ~ {c}"] * data[c].to_numpy() for c in ("x", "w"))
    return slopes + v[f"{response} ~ 1"] if intercept else slopes


CDF = {"logit": special.expit, "probit": special.ndtr}


def ordinal(response: str, cdf: Callable[[Any], Any]) -> LogLikelihood:
    """Log-likelihood of an ordinal response by a latent variable with this distribution."""
    code = frame()[response].rank(method="dense").astype(int).to_numpy() - 1

    def log_likelihood(v: Mapping[str, Any]) -> Any:
        middle = eta(response, v, intercept=False)
        edges = [v[f"{response} | t{k + 1}"] for k in range(code.max())]
        below = np.concatenate([np.full_like(edges[0], -np.inf), *edges], axis=1)[:, code]
        above = np.concatenate([*edges, np.full_like(edges[0], np.inf)], axis=1)[:, code]
        p = cdf(above - middle) - cdf(below - middle)
        return np.log(np.maximum(p, 1e-300)).sum(axis=1)

    return log_likelihood


@pytest.mark.parametrize(("response", "link"), [("o", "logit"), ("op", "probit")])
def test_ordinal(fit: Fit, response: str, link: str) -> None:
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    data = frame()
    m = OrderedModel(data[response], data[["x", "w"]], distr=link)
    r = m.fit(method="bfgs", disp=False, gtol=1e-8)
    cuts = m.transform_threshold_params(r.params)[1:-1]
    log_likelihood = ordinal(response, CDF[link])
    at = {f"{response} | t{k + 1}": cuts[k] for k in range(len(cuts))}
    at |= {f"{response} ~ {v}": r.params[v] for v in ("x", "w")}
    is_theirs(log_likelihood, at, r.llf)
    agrees(fit, at, log_likelihood)


def by_name(response: str, params: Any) -> dict[str, float]:
    return dict(zip([f"{response} ~ {v}" for v in ("1", "x", "w")], params[:3], strict=True))


def design() -> Any:
    data = frame()
    return np.column_stack([np.ones(N), data["x"], data["w"]])


def test_poisson(fit: Fit) -> None:
    import statsmodels.api as sm

    y = frame()["c"].to_numpy()
    r = sm.GLM(y, design(), family=sm.families.Poisson()).fit()

    def log_likelihood(v: Mapping[str, Any]) -> Any:
        return stats.poisson.logpmf(y, np.exp(eta("c", v))).sum(axis=1)

    is_theirs(log_likelihood, by_name("c", r.params), r.llf)
    agrees(fit, by_name("c", r.params), log_likelihood)


def test_negative_binomial(fit: Fit) -> None:
    """statsmodels' alpha is 1 / phi."""
    import statsmodels.api as sm

    y = frame()["nb"].to_numpy()
    r = sm.NegativeBinomial(y, design()).fit(disp=False, method="bfgs")

    def log_likelihood(v: Mapping[str, Any]) -> Any:
        phi, mu = v["phi(nb)"], np.exp(eta("nb", v))
        return stats.nbinom.logpmf(y, phi, phi / (phi + mu)).sum(axis=1)

    at = by_name("nb", r.params) | {"phi(nb)": 1 / r.params[3]}
    is_theirs(log_likelihood, at, r.llf)
    agrees(fit, at, log_likelihood)


def test_beta(fit: Fit) -> None:
    """statsmodels has the log of phi."""
    from statsmodels.othermod.betareg import BetaModel

    y = frame()["p"].to_numpy()
    r = BetaModel(y, design()).fit(disp=False)

    def log_likelihood(v: Mapping[str, Any]) -> Any:
        phi, mu = v["phi(p)"], special.expit(eta("p", v))
        return stats.beta.logpdf(y, mu * phi, (1 - mu) * phi).sum(axis=1)

    at = by_name("p", r.params) | {"phi(p)": float(np.exp(r.params[3]))}
    is_theirs(log_likelihood, at, r.llf)
    agrees(fit, at, log_likelihood)


def test_student(fit: Fit) -> None:
    y = frame()["t"].to_numpy()

    def log_likelihood(v: Mapping[str, Any]) -> Any:
        return stats.t.logpdf(y, v["nu(t)"], eta("t", v), v["sigma(t)"]).sum(axis=1)

    b = np.linalg.lstsq(design(), y, rcond=None)[0]
    agrees(fit, by_name("t", b) | {"sigma(t)": 2.0, "nu(t)": 5.0}, log_likelihood)


def hessian(f: Any, at: Any, h: float = 1e-3) -> Any:
    n = len(at)
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            a, b = h * np.eye(n)[i], h * np.eye(n)[j]
            out[i, j] = (f(at + a + b) - f(at + a - b) - f(at - a + b) + f(at - a - b)) / (
                4 * h * h
            )
    return out


def test_a_wrong_link_fails(fit: Fit) -> None:
    """The comparison can fail: by the other link, ordinal coefficients are not these."""
    at = {n: float(fit.draws[n].mean()) for n in fit.draws.names if n.startswith("o ")}
    with pytest.raises(AssertionError):
        agrees(fit, at, ordinal("o", CDF["probit"]))

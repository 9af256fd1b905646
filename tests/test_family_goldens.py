"""Posteriors of the generalized families beside maximum likelihood, on single-level data.

All six equations are one model, since compiling is what costs: each is fitted to its own
response, and none predicts another. statsmodels gives the references, and SciPy that of the
Student-t regression, where statsmodels minimises with fixed degrees of freedom only.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.inference.fitting import Fit

pytestmark = pytest.mark.slow

N = 600
BETA = {"x": 0.6, "w": -0.4}
K = 4.5
"""MCSEs allowed beside 0.25 standard errors; 30 comparisons at about 1e-5."""


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


@pytest.fixture(scope="module")
def fit() -> Fit:
    model = ac.load_model({"name": "families", "equations": EQUATIONS})
    return ac.fit(model, ac.study(frame()), seed=3, engine="nuts")


def test_the_fit_can_be_used(fit: Fit) -> None:
    assert fit.diagnostics.usable, fit.diagnostics.messages


def test_thresholds_are_in_order_on_every_draw(fit: Fit) -> None:
    cuts = np.stack([fit.draws[f"o | t{k}"] for k in range(1, 5)])
    assert np.all(np.diff(cuts, axis=0) > 0)


def agrees(fit: Fit, wanted: Mapping[str, tuple[float, float]]) -> None:
    """Posterior means are within a quarter of a standard error of the estimates, but for MCSE.

    Of numbers with a lower bound the logs are compared, on which their likelihood is close to
    normal. Standard errors agree within a tenth.
    """
    from acmodels.posterior import summarize

    names = list(fit.draws.names)
    values = fit.draws.values.copy()
    for name in wanted:
        if name.startswith(("phi(", "sigma(")):
            values[..., names.index(name)] = np.log(values[..., names.index(name)])
    found = summarize(values, drawn=fit.draws)
    for name, (estimate, se) in wanted.items():
        k = names.index(name)
        gap = abs(found["mean"][k] - estimate)
        assert gap < 0.25 * se + K * found["mcse_mean"][k], (name, found["mean"][k], estimate, se)
        assert 0.88 < found["sd"][k] / se < 1.14, (name, found["sd"][k], se)


@pytest.mark.parametrize(("response", "link"), [("o", "logit"), ("op", "probit")])
def test_ordinal(fit: Fit, response: str, link: str) -> None:
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    data = frame()
    m = OrderedModel(data[response], data[["x", "w"]], distr=link)
    r = m.fit(method="bfgs", disp=False, gtol=1e-8)
    cuts = m.transform_threshold_params(r.params)[1:-1]
    # thresholds are sums of the first and of exponentials: the delta method
    J = np.zeros((len(cuts), len(r.params)))
    J[:, 2] = 1.0
    for k in range(1, len(cuts)):
        J[k:, 2 + k] = np.exp(r.params.iloc[2 + k])
    se = np.sqrt(np.diag(J @ r.cov_params().to_numpy() @ J.T))
    wanted = {f"{response} | t{k + 1}": (cuts[k], se[k]) for k in range(len(cuts))}
    wanted |= {f"{response} ~ {v}": (r.params[v], r.bse[v]) for v in ("x", "w")}
    agrees(fit, wanted)


def by_name(response: str, params: Any, se: Any) -> dict[str, tuple[float, float]]:
    names = [f"{response} ~ {v}" for v in ("1", "x", "w")]
    return dict(zip(names, zip(params[:3], se[:3], strict=True), strict=True))


def design() -> Any:
    data = frame()
    return np.column_stack([np.ones(N), data["x"], data["w"]])


def test_poisson(fit: Fit) -> None:
    import statsmodels.api as sm

    r = sm.GLM(frame()["c"], design(), family=sm.families.Poisson()).fit()
    agrees(fit, by_name("c", r.params.to_numpy(), r.bse.to_numpy()))


def test_negative_binomial(fit: Fit) -> None:
    """statsmodels' alpha is 1 / phi, so that log phi has the standard error of log alpha."""
    import statsmodels.api as sm

    r = sm.NegativeBinomial(frame()["nb"].to_numpy(), design()).fit(disp=False, method="bfgs")
    alpha, se = r.params[3], r.bse[3]
    agrees(fit, by_name("nb", r.params, r.bse) | {"phi(nb)": (-np.log(alpha), se / alpha)})


def test_beta(fit: Fit) -> None:
    from statsmodels.othermod.betareg import BetaModel

    r = BetaModel(frame()["p"].to_numpy(), design()).fit(disp=False)
    agrees(fit, by_name("p", r.params, r.bse) | {"phi(p)": (r.params[3], r.bse[3])})


def test_student(fit: Fit) -> None:
    """The joint likelihood of coefficients, log scale and log degrees of freedom.

    Degrees of freedom lean on their prior more than the rest, so of them only that the
    estimate lies in the interval is asked.
    """
    from scipy import optimize, stats

    y, X = frame()["t"].to_numpy(), design()

    def loss(q: Any) -> float:
        return -float(np.sum(stats.t.logpdf(y, 1 + np.exp(q[4]), X @ q[:3], np.exp(q[3]))))

    begin = np.append(np.linalg.lstsq(X, y, rcond=None)[0], [np.log(2.0), np.log(4.0)])
    r = optimize.minimize(loss, begin, method="BFGS")
    se = np.sqrt(np.diag(r.hess_inv))
    H = hessian(loss, r.x)
    se = np.sqrt(np.diag(np.linalg.inv(H)))
    agrees(fit, by_name("t", r.x, se))
    low, high = np.quantile(fit.draws["nu(t)"], [0.025, 0.975])
    assert low < 1 + np.exp(r.x[4]) < high
    low, high = np.quantile(fit.draws["sigma(t)"], [0.025, 0.975])
    assert low < np.exp(r.x[3]) < high


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
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    data = frame()
    r = OrderedModel(data["o"], data[["x", "w"]], distr="probit").fit(method="bfgs", disp=False)
    with pytest.raises(AssertionError):
        agrees(fit, {"o ~ x": (r.params["x"], r.bse["x"])})

"""Standardized coefficients and R2 against closed forms."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import acmodels as ac
from fakes import fake_fit, fake_frame


def table(formula: str, **settings: str) -> dict[str, object]:
    return {
        "name": "t",
        "equations": {formula.partition("~")[0].strip(): {"formula": formula, **settings}},
    }


def test_linear_regression_has_the_r2_of_least_squares() -> None:
    """The mean of R2 over draws is that of least squares up to its own spread and O(p / n)."""
    rng = np.random.default_rng(2)
    n = 2000
    x, z = rng.normal(size=(2, n))
    y = 3 + 2 * x - z + 1.5 * rng.normal(size=n)
    fit = ac.fit(ac.load_model(table("y ~ x + z")), pd.DataFrame({"x": x, "z": z, "y": y}))
    found = ac.r2(fit)
    X = np.column_stack([np.ones(n), x, z])
    resid = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    want = 1 - resid.var() / y.var()
    assert list(found["kind"]) == ["bayesian"]
    mcse = found["sd"][0] / np.sqrt(4000)
    assert abs(found["mean"][0] - want) < 3.9 * mcse + 3 / n
    size = ac.standardized(fit).set_index("name")
    for name, v in (("y ~ x", x), ("y ~ z", z)):
        mean = fit.estimates.set_index("name").loc[name, "mean"]
        assert size.loc[name, "mean"] == pytest.approx(mean * v.std(ddof=1) / y.std(ddof=1))
    assert "y ~ 1" not in size.index


def test_shares_of_a_mixed_model_draw_by_draw() -> None:
    fit = fake_fit(table("y ~ x + (1 + x | district)"), fake_frame())
    x = fake_frame()["x"].to_numpy()
    b, a, s = (fit.draws[f"{n}"].reshape(-1) for n in ("y ~ x", "sd(y ~ 1 | district)", "sigma(y)"))
    c, r = (fit.draws[n].reshape(-1) for n in ("sd(y ~ x | district)",
            "cor(y ~ 1, y ~ x | district)"))  # fmt: skip
    fixed = b**2 * x.var(ddof=1)
    group = a**2 + 2 * r * a * c * x.mean() + c**2 * (x**2).mean()
    total = fixed + group + s**2
    found = ac.r2(fit).set_index("kind")
    want = {"marginal": fixed / total, "conditional": (fixed + group) / total,
            "share of district": group / total, "share of residual": s**2 / total}  # fmt: skip
    for kind, draws in want.items():
        assert found.loc[kind, "mean"] == pytest.approx(draws.mean())
        assert found.loc[kind, "upper"] == pytest.approx(np.quantile(draws, 0.975))
    assert found.loc[
        [k for k in found.index if k.startswith("share")], "mean"
    ].sum() == pytest.approx(1)


def test_a_link_is_on_the_latent_scale() -> None:
    fit = fake_fit(table("yes ~ x + (1 | district)", family="bernoulli"), fake_frame())
    x = fake_frame()["x"].to_numpy()
    b = fit.draws["yes ~ x"].reshape(-1)
    a = fit.draws["sd(yes ~ 1 | district)"].reshape(-1)
    total = b**2 * x.var(ddof=1) + a**2 + np.pi**2 / 3
    assert ac.r2(fit)["mean"][0] == pytest.approx((b**2 * x.var(ddof=1) / total).mean())
    size = ac.standardized(fit)["mean"][0]
    assert size == pytest.approx((b * x.std(ddof=1) / np.sqrt(total)).mean())


def test_bayesian_r2_of_a_binary_response() -> None:
    from scipy.special import expit

    fit = fake_fit(table("yes ~ x", family="bernoulli"), fake_frame())
    x = fake_frame()["x"].to_numpy()
    p = expit(fit.draws["yes ~ 1"].reshape(-1, 1) + np.outer(fit.draws["yes ~ x"].reshape(-1), x))
    v = p.var(axis=1, ddof=1)
    want = (v / (v + (p * (1 - p)).mean(axis=1))).mean()
    assert ac.r2(fit)["mean"][0] == pytest.approx(want)


def test_an_endless_residual_variance_has_the_whole_of_it() -> None:
    """A Student-t with at most two degrees of freedom has no variance; R2 is 0 in that draw."""
    fit = fake_fit(table("y ~ x + (1 | district)", family="student"), fake_frame())
    k = fit.draws.names.index("nu(y)")
    values = fit.draws.values.copy()
    values[:, ::2, k], values[:, 1::2, k] = 1.5, 8.0
    low = replace(fit, draws=replace(fit.draws, values=values))
    values = values.copy()
    values[..., k] = 8.0
    high = replace(fit, draws=replace(fit.draws, values=values))
    found = ac.r2(low).set_index("kind")
    assert np.isfinite(found[["mean", "sd", "median", "lower", "upper"]].to_numpy()).all()
    b, a, s = (high.draws[n].reshape(-1) for n in ("y ~ x", "sd(y ~ 1 | district)", "sigma(y)"))
    fixed = b**2 * fake_frame()["x"].var()
    share = fixed / (fixed + a**2 + s**2 * 8 / 6)
    finite = np.arange(share.size) % 2 == 1
    assert found.loc["marginal", "mean"] == pytest.approx(np.where(finite, share, 0.0).mean())
    shares = found.loc[[k for k in found.index if k.startswith("share")], "mean"]
    assert shares.sum() == pytest.approx(1)

"""A fit beside maximum likelihood: statsmodels called directly, and REML written out by hand."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))

from acmodels import fit as sample
from acmodels import load_model, report
from acmodels.effects.maximum_likelihood import COLUMNS, FAR, maximum_likelihood
from acmodels.effects.maximum_likelihood.alone import Alone, NoCounterpartError
from acmodels.effects.maximum_likelihood.counterparts import estimate
from acmodels.inference.fitting import Fit
from fakes import fake_fit, fake_frame
from monte_carlo import allowed


def model(*formulas: str, **settings: Any) -> dict[str, Any]:
    top = {
        k: settings.pop(k) for k in ("estimands", "priors", "residual_correlation") if k in settings
    }
    equations = {f.partition("~")[0].strip(): {"formula": f, **settings} for f in formulas}
    return {"name": "t", "equations": equations, **top}


def beside(table: dict[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    return maximum_likelihood(fake_fit(table, frame)).set_index("name")


def grouped(seed: int = 3, n: int = 144) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g, h = np.repeat(np.arange(24), n // 24), rng.integers(0, 10, n)
    u = rng.multivariate_normal([0, 0], [[1.0, 0.3], [0.3, 0.5]], size=24)
    x = rng.normal(size=n)
    y = 1 + 0.5 * x + u[g, 0] + u[g, 1] * x + 0.6 * rng.normal(size=10)[h] + rng.normal(size=n)
    return pd.DataFrame({"g": [f"g{k}" for k in g], "h": [f"h{k}" for k in h], "x": x, "y": 9 * y})


# --- goldens: statsmodels called directly ---------------------------------------------------


def test_least_squares_is_statsmodels_own() -> None:
    import statsmodels.api as sm

    frame = fake_frame()
    found = beside(model("y ~ x*z + sector"), frame)
    public = (frame["sector"] == "Public").to_numpy(float)
    x, z = frame["x"].to_numpy(), frame["z"].to_numpy()
    X = np.column_stack([np.ones(len(frame)), x, z, public, x * z])
    names = ["y ~ 1", "y ~ x", "y ~ z", "y ~ sector[Public]", "y ~ x:z"]
    direct = sm.OLS(frame["y"].to_numpy(), X).fit()
    np.testing.assert_allclose(found.loc[names, "ml_estimate"], direct.params, rtol=1e-9)
    np.testing.assert_allclose(found.loc[names, "ml_se"], direct.bse, rtol=1e-9)
    assert found.loc["sigma(y)", "ml_estimate"] == pytest.approx(np.sqrt(direct.scale))


def test_known_errors_have_weights_and_a_fixed_scale() -> None:
    frame = fake_frame().assign(s=np.linspace(0.5, 2, 72))
    found = beside(model("y ~ x", se="s"), frame)
    X = np.column_stack([np.ones(72), frame["x"]])
    W = np.diag(1 / frame["s"].to_numpy() ** 2)
    V = np.linalg.inv(X.T @ W @ X)
    np.testing.assert_allclose(found["ml_estimate"], V @ X.T @ W @ frame["y"], rtol=1e-9)
    np.testing.assert_allclose(found["ml_se"], np.sqrt(np.diag(V)), rtol=1e-9)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_star98(link: str) -> None:
    """The 303 Californian districts that come with statsmodels."""
    import statsmodels.api as sm

    data = sm.datasets.star98.load_pandas().data
    frame = data[["LOWINC", "PERASIAN", "PTRATIO"]].assign(
        passed=data["NABOVE"], n=data["NABOVE"] + data["NBELOW"], o=data["PERBLACK"] / 100
    )
    table = model(
        "passed ~ LOWINC + PERASIAN + PTRATIO + offset(o)", family="binomial", trials="n", link=link
    )
    found = beside(table, frame)
    made = {"logit": sm.families.links.Logit(), "probit": sm.families.links.Probit()}[link]
    direct = sm.GLM(
        data[["NABOVE", "NBELOW"]].to_numpy(),
        sm.add_constant(frame[["LOWINC", "PERASIAN", "PTRATIO"]]).to_numpy(),
        family=sm.families.Binomial(made), offset=frame["o"].to_numpy(),
    ).fit()  # fmt: skip
    np.testing.assert_allclose(found["ml_estimate"], direct.params, rtol=1e-8)
    np.testing.assert_allclose(found["ml_se"], direct.bse, rtol=1e-6)
    assert found["note"].str.startswith(f"binomial GLM, {link}").all()


# --- REML by hand ---------------------------------------------------------------------------


def by_hand(y: np.ndarray, X: np.ndarray, K: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Maximise the REML criterion over log sds (of each K, then residual) on dense matrices."""

    def pieces(logs: np.ndarray) -> tuple[Any, ...]:
        V = sum(np.exp(2 * s) * k for s, k in zip(logs, [*K, np.eye(len(y))], strict=True))
        Vi = np.linalg.inv(V)
        C = X.T @ Vi @ X
        b = np.linalg.solve(C, X.T @ Vi @ y)
        return V, Vi, C, b

    def minus(logs: np.ndarray) -> float:
        V, Vi, C, b = pieces(logs)
        r = y - X @ b
        return 0.5 * (np.linalg.slogdet(V)[1] + np.linalg.slogdet(C)[1] + r @ Vi @ r)

    options = {"xatol": 1e-5, "fatol": 1e-8, "maxiter": 4000, "maxfev": 4000}
    start = np.log(np.full(len(K) + 1, y.std() / 2))
    best = minimize(minus, start, method="Nelder-Mead", options=options).x
    k, h = len(best), 1e-3
    H = np.empty((k, k))
    E = np.eye(k) * h
    for i in range(k):
        for j in range(k):
            H[i, j] = (
                minus(best + E[i] + E[j]) - minus(best + E[i] - E[j])
                - minus(best - E[i] + E[j]) + minus(best - E[i] - E[j])
            ) / (4 * h * h)  # fmt: skip
    _, _, C, b = pieces(best)
    sds = np.exp(best)
    return b, np.sqrt(np.diag(np.linalg.inv(C))), sds, sds * np.sqrt(np.diag(np.linalg.inv(H)))


def same(codes: pd.Series) -> np.ndarray:
    return (codes.to_numpy()[:, None] == codes.to_numpy()).astype(float)


@pytest.mark.parametrize(
    ("formula", "sds"),
    [
        ("y ~ x + (1 | g)", ["sd(y ~ 1 | g)"]),
        ("y ~ x + (1 | g) + (1 | h)", ["sd(y ~ 1 | g)", "sd(y ~ 1 | h)"]),
        ("y ~ x + (1 + x || g)", ["sd(y ~ 1 | g)", "sd(y ~ x | g)"]),
        ("y ~ x + (1 | g/h)", ["sd(y ~ 1 | g)", "sd(y ~ 1 | g:h)"]),
    ],
)
def test_reml_and_its_standard_errors(formula: str, sds: list[str]) -> None:
    frame = grouped()
    g, x = same(frame["g"]), frame["x"].to_numpy()
    second = {
        "sd(y ~ 1 | h)": same(frame["h"]),
        "sd(y ~ x | g)": g * np.outer(x, x),
        "sd(y ~ 1 | g:h)": same(frame["g"] + frame["h"]),
    }
    X = np.column_stack([np.ones(len(x)), x])
    with threadpool_limits(1):
        b, b_se, sd, sd_se = by_hand(frame["y"].to_numpy(), X, [g, *(second[s] for s in sds[1:])])
    found = beside(model(formula), frame)
    names = ["y ~ 1", "y ~ x", *sds, "sigma(y)"]
    assert list(found.index) == names
    np.testing.assert_allclose(found["ml_estimate"], [*b, *sd], rtol=1e-3)
    np.testing.assert_allclose(found["ml_se"], [*b_se, *sd_se], rtol=1e-2)
    assert found["note"].str.startswith("REML (MixedLM)").all()


def test_correlated_slopes() -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    frame = grouped()
    X = np.column_stack([np.ones(len(frame)), frame["x"]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        direct: Any = MixedLM(frame["y"].to_numpy() / 9, X, frame["g"].to_numpy(), X).fit()
    found = beside(model("y ~ x + (1 + x | g)"), frame)
    S = direct.cov_re
    sd = np.sqrt(np.diag(S))
    want = [*(9 * direct.fe_params), *(9 * sd), S[0, 1] / sd[0] / sd[1], 9 * np.sqrt(direct.scale)]
    np.testing.assert_allclose(found["ml_estimate"], want, rtol=2e-3)
    assert found["ml_se"].gt(0).all()
    assert found.index[4] == "cor(y ~ 1, y ~ x | g)"


def test_correlated_slopes_with_a_grouping_inside() -> None:
    frame = grouped().assign(k=lambda f: f["g"] + np.where(np.arange(len(f)) % 2, "a", "b"))
    found = beside(model("y ~ x + (1 + x | g) + (1 | k)"), frame)
    assert np.isfinite(found["ml_estimate"]).all()


# --- what has no counterpart, or a poor one -------------------------------------------------


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (model("yes ~ x + (1 | district)", family="bernoulli"), "group effects in the family"),
        (model("y ~ x + (1 | district)", se="w"), "known standard errors"),
        (model("y ~ x + (1 + x | district) + (1 | other)"), "outermost grouping"),
        (model("y ~ x + (1 + x | district) + (1 + z | other)"), "slopes of one grouping"),
    ],
)
def test_no_counterpart_is_said(table: dict[str, Any], why: str) -> None:
    frame = fake_frame().assign(w=1.0, other=lambda f: [f"o{k % 7}" for k in range(len(f))])
    found = beside(table, frame)
    assert found["note"].str.startswith("no counterpart").all()
    assert found["note"].str.contains(why).all()
    assert found[["ml_estimate", "ml_se", "distance"]].isna().all(axis=None)


def test_a_family_that_nobody_knows_has_none() -> None:
    with pytest.raises(NoCounterpartError, match="the family wishful"):
        estimate(
            "wishful", Alone("y", "identity", np.ones(3), np.ones((3, 1)), np.zeros(3), ("a",))
        )


def test_boundary_is_said_and_has_no_distance() -> None:
    frame = fake_frame().assign(y=lambda f: np.tile([-1.0, 1.0, 0.5, -0.5, 0.1, -0.1], 12) + f["x"])
    row = beside(model("y ~ x + (1 | district)"), frame).loc["sd(y ~ 1 | district)"]
    assert row["ml_estimate"] == 0
    assert np.isnan(row["distance"])
    assert "boundary" in row["note"]


def test_separation_is_said_and_no_warning_escapes() -> None:
    frame = fake_frame().assign(yes=lambda f: (f["x"] > 0).astype(int))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = beside(model("yes ~ x", family="bernoulli"), frame)
    assert found["note"].str.contains("not finite|failed").all()


def test_residual_correlations_and_shared_effects_have_none() -> None:
    table = model(
        "m ~ x + (1 |i| district)", "y ~ x + (1 |i| district)", residual_correlation=[["m", "y"]]
    )
    found = beside(table, fake_frame())
    assert found.loc["cor(m, y)", "note"].startswith("no counterpart")
    assert found.loc["cor(m ~ 1, y ~ 1 | district)", "note"].startswith("no counterpart")
    far = found[found["distance"].abs() > FAR]
    assert far["note"].str.contains("jointly with the equations of").all()


# --- families that other files bring, on arrays alone ----------------------------------------


def alone(y: np.ndarray, x: np.ndarray, link: str, *, intercept: bool = True) -> Alone:
    X = np.column_stack([np.ones(len(x)), x]) if intercept else x[:, None]
    names = ("y ~ 1", "y ~ x") if intercept else ("y ~ x",)
    return Alone("y", link, y.astype(float), X, np.zeros(len(x)), names)


def test_counts_categories_and_shares() -> None:
    """True values lie within 4 standard errors: false alarms 6e-5 each."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=4000)
    mu = np.exp(0.5 + 0.3 * x)
    phi, shape = 2.0, 8.0
    p = 1 / (1 + np.exp(-0.2 - 0.4 * x))
    latent = 0.7 * x + rng.logistic(size=4000)
    cases = [
        ("poisson", alone(rng.poisson(mu), x, "log"), {"y ~ 1": 0.5, "y ~ x": 0.3}),
        ("negative_binomial", alone(rng.poisson(mu * rng.gamma(phi, 1 / phi, 4000)), x, "log"),
         {"y ~ 1": 0.5, "y ~ x": 0.3, "phi(y)": phi}),
        ("ordinal", alone(np.digitize(latent, [-1.0, 0.2, 1.5]), x, "logit", intercept=False),
         {"y ~ x": 0.7, "y | t1": -1.0, "y | t2": 0.2, "y | t3": 1.5}),
        ("beta", alone(rng.beta(p * shape, (1 - p) * shape), x, "logit"),
         {"y ~ 1": 0.2, "y ~ x": 0.4, "phi(y)": shape}),
    ]  # fmt: skip
    for family, equation, truth in cases:
        found = estimate(family, equation)
        assert set(found.values) == set(truth)
        for name, value in truth.items():
            got, se = found.values[name]
            assert abs(got - value) < 4 * se < 1, (family, name, got, se)
        assert not found.words


# --- a real posterior ------------------------------------------------------------------------


NARROW = {
    "y ~ *": {"dist": "Normal", "mu": 0, "sigma": 10},
    "y ~ m": {"dist": "Normal", "mu": 0, "sigma": 0.05},
}


def mediated() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    x = rng.normal(size=400)
    m = 0.5 * x + rng.normal(size=400)
    y = 0.4 * m + 0.2 * x + rng.normal(size=400)
    return pd.DataFrame({"x": x, "m": m, "y": y})


@pytest.fixture(scope="module")
def mediation() -> Fit:
    table = model(
        "m ~ x", "y ~ m + x",
        estimands={"ab": {"kind": "indirect", "from": "x", "via": ["m"], "to": "y"}},
        priors=NARROW,
    )  # fmt: skip
    return sample(load_model(table), mediated(), engine="collapsed")


def test_the_columns_and_the_distance(mediation: Fit) -> None:
    table = maximum_likelihood(mediation)
    assert tuple(table.columns) == COLUMNS
    assert list(table["name"]) == [*mediation.draws.names, "ab"]
    gap = (table["posterior_mean"] - table["ml_estimate"]) / table["ml_se"]
    np.testing.assert_allclose(table["distance"], gap)


def test_a_narrow_prior_is_found_out(mediation: Fit) -> None:
    """The normal product of prior and likelihood says how far the prior pulls."""
    table = maximum_likelihood(mediation).set_index("name")
    row = table.loc["y ~ m"]
    # given sigma, coefficients are normal with this mean (Lindley & Smith, 1972); its average over
    # draws of sigma is what the mean of the draws is, but for the error of either
    frame = mediated()
    X = np.column_stack([np.ones(len(frame)), frame["m"], frame["x"]])
    prior = np.diag([10.0**-2, 0.05**-2, 10.0**-2])
    of = [
        np.linalg.solve(X.T @ X / s**2 + prior, X.T @ frame["y"] / s**2)[1]
        for s in mediation.draws["sigma(y)"].ravel()
    ]
    found = mediation.estimates.set_index("name").loc["y ~ m"]
    near = allowed(found["mcse_mean"], np.std(of) / np.sqrt(found["ess_bulk"]))
    exact = (np.mean(of) - row["ml_estimate"]) / row["ml_se"]
    assert abs(row["distance"] - exact) < near / row["ml_se"]
    assert "the priors shift it" in row["note"]
    assert f"an sd of {0.05 / row['ml_se']:.2g} ML se" in row["note"]
    near = table.loc[["m ~ 1", "m ~ x"]]
    assert near["distance"].abs().lt(FAR).all()
    assert near["note"].eq("least squares").all()


def test_sobel(mediation: Fit) -> None:
    table = maximum_likelihood(mediation).set_index("name")
    a, b, ab = (table.loc[n] for n in ("m ~ x", "y ~ m", "ab"))
    assert ab["ml_estimate"] == pytest.approx(a["ml_estimate"] * b["ml_estimate"])
    variance = (a["ml_estimate"] * b["ml_se"]) ** 2 + (b["ml_estimate"] * a["ml_se"]) ** 2
    assert ab["ml_se"] == pytest.approx(np.sqrt(variance))
    assert "Sobel" in ab["note"]


def test_hostile_names_are_inert_in_the_report(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    frame = fake_frame().rename(columns={"x": name})
    fitted = fake_fit(model(f"y ~ `{name}` + (1 | district)"), frame)
    path = report(fitted, tmp_path / "r.html", ml=maximum_likelihood(fitted))
    page = path.read_text(encoding="utf-8")
    assert "<script" not in page
    assert "Comparison with maximum likelihood" in page
    assert "&lt;script&gt;" in page


def test_without_the_table_there_is_no_section(tmp_path: Path) -> None:
    page = report(fake_fit(model("y ~ x"), fake_frame()), tmp_path / "r.html").read_text()
    assert "Comparison with maximum likelihood" not in page

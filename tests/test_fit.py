"""Fits by NUTS: few, since each compiles, and each against something independent; both engines."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import acmodels as ac
from acmodels.engines import Sampling, engine
from acmodels.inference.diagnosis import most_r_hat
from acmodels.inference.fitting import Fit
from acmodels.inference.judging import judge
from acmodels.posterior import summarize
from acmodels.system import build_system
from acmodels.system.columns import design_matrix

MODEL = {
    "name": "path",
    "equations": {
        "m": {"formula": "m ~ x + kind + (1 | g)"},
        "y": {"formula": "y ~ x + m + kind + (1 | g)"},
    },
    "estimands": {
        "indirect": {"kind": "indirect", "from": "x", "via": ["m"], "to": "y"},
        "direct": {"kind": "direct", "from": "x", "to": "y"},
        "total": {"kind": "total", "from": "x", "to": "y"},
    },
    "propositions": {"P41": {"estimand": "indirect", "region": {"above": 0.0}}},
}
K = 4.5
"""Combined Monte Carlo errors allowed; about 7e-6 a comparison by chance."""


def table() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    groups, size = 40, 6
    g = np.repeat(np.arange(groups), size)
    n = groups * size
    x = rng.normal(size=n)
    kind = rng.integers(3, size=n)
    m = 0.4 * x + 0.3 * kind + rng.normal(0, 0.6, groups)[g] + rng.normal(size=n)
    y = 0.5 * m + 0.2 * x + rng.normal(0, 0.6, groups)[g] + rng.normal(size=n)
    names = np.array(["a", "b", "c"])[kind]
    return pd.DataFrame({"g": [f"{i:03d}" for i in g], "x": x, "kind": names, "m": m, "y": y})


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return ac.fit(ac.load_model(MODEL), table(), seed=3, engine="nuts")


def near(a: pd.DataFrame, b: pd.DataFrame, names: list[str]) -> None:
    """Means and sds agree within Monte Carlo error."""
    a, b = (t.set_index("name").loc[names] for t in (a, b))
    error = np.hypot(a["mcse_mean"], b["mcse_mean"])
    assert (abs(a["mean"] - b["mean"]) <= K * error).all()
    # an sd from S effective draws has relative error of about 1 / sqrt(2 S); tails are not
    # normal for sds of groups, so twice that
    spread = 2 * np.hypot(
        a["sd"] / np.sqrt(2 * a["ess_tail"]), b["sd"] / np.sqrt(2 * b["ess_tail"])
    )
    assert (abs(a["sd"] - b["sd"]) <= K * spread).all()


def test_it_is_usable_and_tidy(fitted: Fit) -> None:
    assert fitted.diagnostics.usable, fitted.diagnostics.messages
    assert list(fitted.estimates.columns) == [
        "name", "mean", "sd", "median", "lower", "upper",
        "r_hat", "ess_bulk", "ess_tail", "mcse_mean",
    ]  # fmt: skip
    assert fitted.pymc_model().free_RVs
    assert {"posterior", "sample_stats"} <= set(fitted.posterior.children)
    assert "y ~ m" in fitted.posterior["posterior"].data_vars
    assert judge(fitted.effects, fitted.spec.propositions)["status"].tolist() == ["supported"]


def test_the_exact_engine_agrees(fitted: Fit) -> None:
    exact = ac.fit(fitted.spec, table(), seed=5, engine="collapsed")
    assert exact.diagnostics.usable
    near(fitted.estimates, exact.estimates, fitted.estimates["name"].tolist())
    near(fitted.effects.table, exact.effects.table, ["indirect", "direct", "total"])


@pytest.mark.slow
@pytest.mark.parametrize("design", ["interaction_mediation", "capacity_conditions"])
def test_the_engines_agree_on_shipped_models(design: str) -> None:
    loaded = ac.load_design(design)
    made = ac.simulate(loaded, seed=1)
    long = ac.fit(loaded.model, made.study, seed=1, engine="nuts", draws=2000)
    exact = ac.fit(loaded.model, made.study, seed=1, engine="collapsed")
    assert long.diagnostics.usable, long.diagnostics.messages
    assert exact.diagnostics.usable, exact.diagnostics.messages
    near(long.estimates, exact.estimates, long.estimates["name"].tolist())


def test_total_is_direct_plus_indirect_on_every_draw(fitted: Fit) -> None:
    rows = {r.name: r.draws for r in fitted.effects.rows}
    np.testing.assert_allclose(rows["total"], rows["direct"] + rows["indirect"], rtol=1e-12)
    np.testing.assert_allclose(
        rows["indirect"], fitted.draws["m ~ x"] * fitted.draws["y ~ m"], rtol=1e-12
    )


def given_sds(fit: Fit, response: str, sd: float, sigma: float, *, flat: bool) -> np.ndarray:
    """Mean of an equation's coefficients given its two sds, by dense generalized least squares.

    Lindley & Smith (1972). With a flat prior it is what mixed models report at their sds.
    """
    layout, e = fit.system.layout, fit.system.layout.equation(response)
    X = design_matrix(layout, e, fit.system.responses)
    codes = layout.blocks[0].index(e)
    V = sigma**2 * np.eye(e.n) + sd**2 * (codes[:, None] == codes)
    names = [e.coefficient(c) for c in e.columns]
    on = np.eye(len(names))
    for k, name in enumerate(names):
        for other, weight in fit.priors[name].on:
            on[k, names.index(other)] = weight
    given = [fit.priors[n] for n in names]
    center = np.array([p.distribution.location - p.constant for p in given])
    scale = np.array([np.inf if flat else p.distribution.scale for p in given])
    half = np.linalg.solve(V, X)
    prior = on.T / scale**2
    y = fit.system.responses[response]
    return np.linalg.solve(half.T @ X + prior @ on, half.T @ y + prior @ center)


@pytest.mark.parametrize(("response", "right"), [("m", "x + kind"), ("y", "x + m + kind")])
def test_it_agrees_with_generalized_least_squares(fitted: Fit, response: str, right: str) -> None:
    """Coefficients average, over draws of the sds, what least squares gives at each of them."""
    reml = smf.mixedlm(f"{response} ~ {right}", table(), groups="g").fit(method="powell")
    assert reml.converged
    e = fitted.system.layout.equation(response)
    names = [e.coefficient(c) for c in e.columns]
    theirs = [f"{response} ~ {'1' if n == 'Intercept' else n.replace('[T.', '[')}"
              for n in reml.fe_params.index]  # fmt: skip
    at = given_sds(fitted, response, float(np.sqrt(reml.cov_re.iloc[0, 0])),
                   float(np.sqrt(reml.scale)), flat=True)  # fmt: skip
    order = [names.index(n) for n in theirs]
    np.testing.assert_allclose(at[order], reml.fe_params, rtol=1e-6)

    some = slice(None, None, 20)
    sds = fitted.draws[f"sd({response} ~ 1 | g)"].reshape(-1)[some]
    sigmas = fitted.draws[f"sigma({response})"].reshape(-1)[some]
    each = np.stack([given_sds(fitted, response, *v, flat=False)
                     for v in zip(sds, sigmas, strict=True)])  # fmt: skip
    ours = fitted.estimates.set_index("name").loc[names]
    # draws 20 steps apart are taken for independent
    error = np.hypot(ours["mcse_mean"], each.std(axis=0) / np.sqrt(len(each)))
    assert (abs(ours["mean"] - each.mean(axis=0)) <= K * error).all()


def test_cores_change_nothing_and_the_seed_everything() -> None:
    system = build_system(ac.load_model(MODEL), ac.study(table()))
    from acmodels.priors import resolve_priors

    priors = resolve_priors({}, system.layout, system.responses)
    prepared = engine("nuts").prepare(system.layout, priors, system.responses)
    short = Sampling(draws=60, tune=80, chains=3, cores=1)
    one = prepared.sample(system.responses, 5, short)
    two = prepared.sample(system.responses, 5, replace(short, cores=2))
    other = prepared.sample(system.responses, 6, short)
    np.testing.assert_array_equal(one.values, two.values)
    assert not np.array_equal(one.values, other.values)


@pytest.mark.slow  # compiles a model of its own
def test_row_order_ids_and_reference_level_change_nothing(fitted: Fit) -> None:
    data = table()
    moved = data.sample(frac=1.0, random_state=1).reset_index(drop=True)
    moved["g"] = "new_" + moved["g"].str[::-1]
    equations = {
        r: {"formula": e["formula"].replace("kind", 'factor(kind, ref="c")')}
        for r, e in MODEL["equations"].items()
    }
    again = ac.fit(ac.load_model({**MODEL, "equations": equations}), moved, seed=9, engine="nuts")
    names = [
        "m ~ x", "y ~ x", "y ~ m", "sd(m ~ 1 | g)", "sd(y ~ 1 | g)", "sigma(m)", "sigma(y)",
    ]  # fmt: skip
    near(fitted.estimates, again.estimates, names)
    # another reference level is another basis of the same predictions
    first, second = (_population_prediction(f, "y") for f in (fitted, again))
    place = data.reset_index().merge(moved.reset_index(), on=["x", "m", "y"], validate="one_to_one")
    gap = abs(first[0][place["index_x"]] - second[0][place["index_y"]])
    error = np.hypot(first[1][place["index_x"]], second[1][place["index_y"]])
    # six predictors of rows: so many numbers are told apart at most
    assert (gap <= K * error).all()


def _population_prediction(f: Fit, response: str) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means of the rows' predictors without group effects, and their MCSEs.

    What a basis changes in the default priors, which are 2.5 sds of the response wide, moves them
    by less than a hundredth of that.
    """
    layout = f.system.layout
    e = layout.equation(response)
    b = np.stack([f.draws[e.coefficient(c)] for c in e.columns], axis=-1)
    values = b @ design_matrix(layout, e, f.system.responses).T
    found = summarize(values, drawn=f.draws)
    return found["mean"], found["mcse_mean"]


@pytest.mark.slow  # compiles a model of its own
def test_known_errors_have_the_conjugate_posterior() -> None:
    """Normal responses with known errors and normal priors: the posterior in closed form."""
    rng = np.random.default_rng(4)
    n = 30
    x = rng.normal(size=n)
    se = rng.uniform(0.5, 2.0, size=n)
    y = 1.0 + 0.5 * x + se * rng.normal(size=n)
    model = ac.load_model(
        {
            "name": "meta",
            "equations": {"y": {"formula": "y ~ x + offset(o)", "se": "se"}},
            "priors": {
                "y ~ 1": {"dist": "Normal", "mu": 0.5, "sigma": 0.7},
                "y ~ x": {"dist": "Normal", "mu": -1.0, "sigma": 0.4},
            },
        }
    )
    o = rng.normal(3.0, 1.0, size=n)
    f = ac.fit(model, pd.DataFrame({"x": x, "y": y + o, "se": se, "o": o}), seed=2, engine="nuts")
    X = np.column_stack([np.ones(n), x])
    prior = np.diag([0.7**-2, 0.4**-2])
    precision = X.T @ (X / se[:, None] ** 2) + prior
    mean = np.linalg.solve(precision, X.T @ (y / se**2) + prior @ [0.5, -1.0])
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    assert f.estimates["name"].tolist() == ["y ~ 1", "y ~ x"]
    assert (abs(f.estimates["mean"] - mean) <= K * f.estimates["mcse_mean"]).all()
    relative = K / np.sqrt(2 * f.estimates["ess_bulk"])
    assert (abs(f.estimates["sd"] / sd - 1) <= relative).all()


def test_r_hat_goes_with_the_effective_draws_asked_for() -> None:
    """R-hat of chains that agree, at the ESS asked for, is about the most that is allowed."""
    rng = np.random.default_rng(4)
    assert most_r_hat(400, 4) == most_r_hat(400, 16) == 1.01
    assert most_r_hat(100, 2) < most_r_hat(100, 4)
    rho = (1000 - 25) / (1000 + 25)  # first-order autocorrelation of 25 effective draws in 1,000
    z = rng.normal(size=(200, 4, 1000)) * np.sqrt(1 - rho**2)
    z[..., 0] = rng.normal(size=(200, 4))
    for t in range(1, 1000):
        z[..., t] += rho * z[..., t - 1]
    halves = z.reshape(200, 8, 500)
    within = halves.var(axis=2, ddof=1).mean(axis=1)
    between = halves.mean(axis=2).var(axis=1, ddof=1)
    typical = np.median(np.sqrt(499 / 500 + between / within))
    assert (
        1.01
        < typical
        < most_r_hat(100, 4)
        < np.quantile(np.sqrt(499 / 500 + between / within), 0.95)
    )

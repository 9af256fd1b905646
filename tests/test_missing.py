"""Missing values: what leaves, what is modeled, at which level and by what; and the posterior."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

import acmodels as ac
from acmodels.cli import run
from acmodels.data import study
from acmodels.estimands import Context, evaluate
from acmodels.inference.fitting import Fit
from acmodels.inference.imputation import Imputations, completed, imputations, log_densities
from acmodels.load import load_model
from acmodels.posterior import Posterior
from acmodels.priors import resolve_priors
from acmodels.spec.distribution import distribution, log_density
from acmodels.system import System, build_system, parameters
from acmodels.system.missing import components, model_layout
from acmodels.system.rough import home

stats: Any = scipy_stats

N, J = 120, 20


def frame() -> pd.DataFrame:
    """Districts of six rows; `w` and `kind` belong to districts, the rest to rows."""
    rng = np.random.default_rng(3)
    code = np.repeat(np.arange(J), N // J)
    z = rng.normal(size=N)
    x = 0.5 * z + rng.normal(size=N)
    t = (rng.random(N) < 0.4).astype(float)
    w = rng.normal(size=J)[code]
    m = 0.4 * x + 0.3 * w + 0.5 * t + rng.normal(size=N)
    y = 0.5 * m + 0.2 * x + rng.normal(size=N)
    return pd.DataFrame(
        {
            "district": [f"d{k:02d}" for k in code],
            "z": z,
            "x": x,
            "t": t,
            "w": w,
            "kind": np.array(["city", "town", "rural"])[rng.integers(3, size=J)[code]],
            "m": m,
            "y": y,
        }
    )


def gone(**rows: Any) -> pd.DataFrame:
    data = frame()
    for column, places in rows.items():
        data.loc[places, column] = np.nan
    return data


PATH = {
    "m": {"formula": "m ~ x + w + t + (1 | district)"},
    "y": {"formula": "y ~ m + x + z + (1 | district)"},
}


def build(data: pd.DataFrame, equations: Any = None, **more: Any) -> System:
    model = load_model({"name": "t", "equations": equations or PATH, **more})
    return build_system(model, study(data))


def gap(system: System, variable: str) -> Any:
    return next(g for g in system.sampled.layout.missing if g.variable == variable)


# --- what leaves --------------------------------------------------------------------------


def test_a_missing_outcome_leaves_its_equation_and_nothing_is_modeled() -> None:
    s = build(gone(y=[0, 5, 119]))
    assert s.joint is None
    assert (s.rows_given, s.rows_used, s.layout.n_rows) == (N, N, N)
    assert [e.n for e in s.layout.equations] == [N, N - 3]
    kept = frame().drop(index=[0, 5, 119])
    np.testing.assert_array_equal(s.responses["y"], kept["y"])
    np.testing.assert_array_equal(s.responses["m"], frame()["m"])
    assert "3 rows are left out of its own equation" in s.treatments[0].how


def test_leaving_is_exact() -> None:
    """One equation on the rows with an outcome is the same as dropping the others beforehand."""
    lost = [0, 5, 33, 119]
    table = {"name": "t", "equations": {"y": {"formula": "y ~ x + z + (1 | district)"}}}
    whole = ac.fit(load_model(table), gone(y=lost), seed=4, engine="collapsed")
    dropped = ac.fit(
        load_model({**table, "missing": "drop"}), gone(y=lost), seed=4, engine="collapsed"
    )
    assert (whole.system.rows_used, dropped.system.rows_used) == (N, N - 4)
    pd.testing.assert_frame_equal(whole.estimates, dropped.estimates, rtol=1e-6)


def test_a_group_whose_outcomes_are_all_missing_keeps_its_place() -> None:
    lost = list(range(6))
    fit = ac.fit(
        load_model({"name": "t", "equations": {"y": {"formula": "y ~ x + (1 | district)"}}}),
        gone(y=lost),
        seed=4,
    )
    assert fit.draws.engine == "collapsed"
    (u,) = fit.draws.group_effects.values()
    assert u.shape[2] == J
    sd = fit.draws["sd(y ~ 1 | district)"]
    # nothing is known of it but its distribution: E u^2 = E sd^2
    square, prior = u[:, :, 0, 0] ** 2, sd**2
    assert abs(square.mean() - prior.mean()) < 4 * np.hypot(square.std(), prior.std()) / np.sqrt(
        400
    )


def test_a_mediator_leaves_where_the_outcome_is_missing_too() -> None:
    s = build(gone(y=[0, 5], m=[0, 7]))
    assert [e.n for e in s.layout.equations] == [N - 1, N - 2]
    assert list(s.layout.equation("m").rows[gap(s, "m").at]) == [7]


def test_a_predictor_is_not_modeled_where_nothing_reads_it() -> None:
    s = build(gone(y=[4], z=[4]))
    assert s.joint is None
    s = build(gone(y=[4], z=[4, 9]))
    assert list(s.sampled.layout.equation("z").rows[gap(s, "z").at]) == [9]
    assert s.sampled.layout.equation("z").n == N - 1


def test_an_incomplete_outcome_with_a_tied_residual_stays() -> None:
    equations = {"m": {"formula": "m ~ z"}, "y": {"formula": "y ~ x"}}
    s = build(gone(y=[4]), equations, residual_correlation=[["m", "y"]])
    assert s.layout.equation("y").n == N
    assert list(gap(s, "y").at) == [4]


# --- levels -----------------------------------------------------------------------------------


def test_a_value_of_a_unit_is_taken_from_its_other_rows() -> None:
    s = build(gone(w=[0, 1, 7]))
    assert s.joint is None
    np.testing.assert_array_equal(s.layout.variables["w"].values, frame()["w"])
    assert "3 of 3 taken from other rows of the same district" in s.treatments[0].how


def test_a_predictor_of_units_is_modeled_once_a_unit() -> None:
    s = build(gone(w=[*range(6, 12), 30], kind=range(6)), {
        "y": {"formula": "y ~ w + kind + x + (1 | district)"},
    })  # fmt: skip
    joint = s.sampled.layout
    for name in ("w", "kind"):
        e = joint.equation(name)
        assert (e.n, e.level) == (J, "district")
    w, kind = gap(s, "w"), gap(s, "kind")
    assert (list(w.at), list(kind.at)) == ([1], [0])
    assert list(np.flatnonzero(w.cell == 0)) == list(range(6, 12))
    assert kind.support == (0.0, 1.0, 2.0)
    # all rows of the district are summed over together
    found, summed = components(joint)
    assert len(found) == 1
    assert list(summed[0].rows) == list(range(6))


def test_agreement_by_accident_is_no_level() -> None:
    code = np.repeat(np.arange(3), 2).astype(np.int64)
    same = code % 2
    assert home(same, {"g": code}) is None  # likely enough by chance
    assert home(same, {"g": code}, frozenset({"g"})) == "g"  # the model says so
    many = np.repeat(np.arange(30), 4).astype(np.int64)
    assert home(many % 2, {"g": many}) == "g"
    assert home(np.where(np.arange(120) == 1, 1 - many % 2, many % 2), {"g": many}) is None


def test_the_coarsest_unit_is_the_level() -> None:
    fine = np.repeat(np.arange(40), 3).astype(np.int64)
    coarse = fine // 8
    assert home(coarse, {"fine": fine, "coarse": coarse}) == "coarse"
    assert home(fine, {"fine": fine, "coarse": coarse}) == "fine"


# --- the models of predictors --------------------------------------------------------------------


def test_incomplete_predictors_follow_each_other_in_a_chain() -> None:
    s = build(gone(x=[0, 9, 20], t=[1, 9], w=range(6)), {
        "y": {"formula": "y ~ x + t + w + z + kind + (1 | district)"},
    })  # fmt: skip
    model = {t.column: t.model for t in s.treatments}
    assert model["w"] == "w ~ 1 + kind"  # of the districts' own predictors only
    assert model["t"] == "t ~ 1 + z + kind + w + (1 | district)"
    assert model["x"] == "x ~ 1 + z + kind + w + t + (1 | district)"
    joint = s.sampled.layout
    families = {e.response: e.family for e in joint.equations}
    assert families == {"y": "gaussian", "w": "gaussian", "t": "bernoulli", "x": "gaussian"}
    assert joint.auxiliary == ("w", "t", "x")
    assert [joint.equations[i].response for i in joint.order] == ["w", "t", "x", "y"]


def test_the_models_own_layout_is_untouched() -> None:
    s = build(gone(x=[0, 9], t=[1]))
    plain = build(frame())
    names = [p.name for p in parameters(s.layout)]
    assert names == [p.name for p in parameters(plain.layout)]
    assert [p.name for p in parameters(model_layout(s.sampled.layout))] == names
    every = [p.name for p in parameters(s.sampled.layout)]
    assert every[: len(names)] == names  # the model file's come first
    more = every[len(names) :]
    assert {"x ~ 1", "x ~ z", "x ~ t", "t ~ 1", "sigma(x)", "sd(x ~ 1 | district)"} <= set(more)


def test_a_predictors_model_is_no_arrow() -> None:
    """`z` predicts `x` in the model of x; its effects are those of the model file all the same."""
    table = {
        "name": "t",
        "equations": {"y": {"formula": "y ~ x + z"}},
        "estimands": {"t": {"kind": "total", "from": "z", "to": "y"}},
    }
    model = load_model(table)
    s = build_system(model, study(gone(x=[0, 9])))
    assert "x ~ z" in [p.name for p in parameters(s.sampled.layout)]
    draws = {p.name: np.full((1, 1), float(k + 2)) for k, p in enumerate(parameters(s.layout))}
    context = Context(s.layout, s.responses, draws.__getitem__, model.estimands, "t")
    assert evaluate("t", context)[0].draws == draws["y ~ z"]


def test_patterns_leave_the_models_of_predictors_alone() -> None:
    s = build(gone(x=[0, 9], m=[3]))
    joint = s.sampled
    stated = {
        "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 0.5},
        "sigma(*)": {"dist": "Exponential", "lam": 3.0},
        "x ~ z": {"dist": "Normal", "mu": 0.1, "sigma": 0.2},
    }
    priors = resolve_priors(stated, joint.layout, joint.responses)
    assert priors["m ~ x"].stated == "* ~ *"
    assert priors["x ~ z"].stated == "x ~ z"
    assert priors["x ~ 1"].stated is None
    assert priors["sigma(x)"].stated is None
    assert priors["sigma(m)"].stated == "sigma(*)"


def test_default_priors_are_scaled_to_observed_values() -> None:
    lost = list(range(0, N, 3))
    s = build(gone(x=lost, m=lost[:20]))
    joint = s.sampled
    priors = resolve_priors({}, joint.layout, joint.responses)
    seen = gone(x=lost, m=lost[:20])
    sd_x, sd_m = seen["x"].std(), seen["m"].std()

    def scale(name: str) -> float:
        return priors[name].distribution.scale

    assert scale("sigma(x)") == pytest.approx(2.5 * sd_x)
    assert scale("sigma(m)") == pytest.approx(2.5 * sd_m)
    assert scale("m ~ x") == pytest.approx(2.5 * sd_m / sd_x)


# --- after a fit ---------------------------------------------------------------------


def made_up(system: System, draws: int = 3000) -> Posterior:
    """A posterior that is one point, with continuous values of normal noise."""
    rng = np.random.default_rng(8)
    joint = system.sampled.layout
    names = tuple(p.name for p in parameters(joint))
    values = np.full((2, draws // 2, len(names)), 0.4)
    effects = {
        b.key: np.full((2, draws // 2, len(b.levels), len(b.members)), 0.1) for b in joint.blocks
    }
    imputed = {
        g.variable: rng.normal(1.0, 0.5, (2, draws // 2, len(g.at)))
        for g in joint.missing
        if not g.discrete
    }
    return Posterior(names, values, effects, "fake", imputed=imputed)


def test_discrete_values_are_drawn_by_their_probability() -> None:
    """Bayes' rule by hand: P(t = 1 | rest) in proportion to p(t = 1) p(m | t = 1)."""
    s = build(gone(t=[2, 50]), {"m": {"formula": "m ~ t"}})
    counts = np.zeros(2)
    rounds = 15
    for seed in range(rounds):
        found = imputations(s.sampled, made_up(s), seed)
        counts += found.values["t"].sum(axis=0)
    shown = rounds * 200
    for k, row in enumerate([2, 50]):
        m = frame()["m"].iloc[row]
        like = [
            stats.norm(0.4 + 0.4 * t, 0.4).pdf(m)
            * (stats.logistic.cdf(0.4) if t else stats.logistic.sf(0.4))
            for t in (0, 1)
        ]
        p = like[1] / sum(like)
        assert abs(counts[k] / shown - p) < 4 * np.sqrt(p * (1 - p) / shown) + 1e-9


def test_the_density_of_completed_data_has_what_was_filled_in() -> None:
    s = build(gone(x=[3], m=[3]))
    full = completed(s, {"x": np.array([2.0]), "m": np.array([-1.0])})
    assert full.joint is not None
    truth = {p.name: 0.3 for p in parameters(full.joint.layout)}
    effects = {b.key: np.zeros((len(b.levels), 1)) for b in full.joint.layout.blocks}
    e = full.joint.layout.equation("y")
    found = log_densities(full.joint.layout, e, full.joint.responses, truth, effects)
    row = frame().iloc[3]
    mean = 0.3 + 0.3 * (-1.0) + 0.3 * 2.0 + 0.3 * row["z"]
    assert found[3] == pytest.approx(stats.norm(mean, 0.3).logpdf(row["y"]))
    assert full.layout.equation("y").fixed[3, 2] == 2.0
    assert np.isnan(full.layout.equation("y").fixed[3, 1])  # a mediator's column moves


def test_estimands_average_over_missing_values() -> None:
    """A slope that depends on an incomplete moderator takes the mean of its imputed values."""
    from acmodels.inference.imputation import over_worlds

    table = {
        "name": "t",
        "equations": {"y": {"formula": "y ~ z * x"}},
        "estimands": {"t": {"kind": "total", "from": "z", "to": "y"}},
    }
    model = load_model(table)
    lost = list(range(40))
    s = build_system(model, study(gone(x=lost)))
    posterior = made_up(s)
    found = imputations(s.sampled, posterior, 1)

    def one(world: System, look: Any) -> list[np.ndarray]:
        context = Context(world.layout, world.responses, look, model.estimands, "t")
        return [evaluate("t", context)[0].draws]

    (draws,) = over_worlds(s, found, posterior, one)
    picks = np.linspace(0, 199, 20).astype(int)
    known = frame()["x"].iloc[40:].sum()
    means = [(known + found.values["x"][b].sum()) / N for b in picks]
    assert draws.shape == (2, 1500)
    np.testing.assert_allclose(
        np.sort(np.unique(np.round(draws, 10))), np.sort(np.round(0.4 + 0.4 * np.array(means), 10))
    )


def test_typical_values_are_means_and_modes() -> None:
    s = build(gone(x=[0], t=[1]))
    found = Imputations(
        np.arange(3), {"x": np.array([[1.0], [2.0], [6.0]]), "t": np.array([[1.0], [0.0], [1.0]])}
    )
    assert found.typical(s.sampled) == {"x": np.array([3.0]), "t": np.array([1.0])}


# --- by NUTS, each compiled ---------------------------------------------------------


PRIORS: dict[str, dict[str, Any]] = {
    "y ~ 1": {"dist": "Normal", "mu": 0.0, "sigma": 2.0},
    "y ~ x": {"dist": "Normal", "mu": 0.0, "sigma": 1.0},
    "sigma(y)": {"dist": "HalfNormal", "sigma": 2.0},
    "x ~ 1": {"dist": "Normal", "mu": 0.0, "sigma": 2.0},
    "sigma(x)": {"dist": "HalfNormal", "sigma": 2.0},
}


def bivariate() -> pd.DataFrame:
    """x is missing where y is large, for 40 % of the rows: complete rows are biased."""
    rng = np.random.default_rng(17)
    x = rng.normal(0.5, 1.2, 150)
    y = 1.0 + 0.6 * x + rng.normal(size=150)
    x[y > np.quantile(y, 0.6)] = np.nan
    return pd.DataFrame({"x": x, "y": y})


def exact(data: pd.DataFrame, size: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of the posterior by the factored likelihood (Anderson, 1957).

    With y complete, the likelihood of a bivariate normal is that of y times that of x given y on
    the rows that have both, and each is that of a normal regression: both are drawn from
    their posteriors under p(mean, sd) = 1 / sd, and weighted with the priors of the parameters
    of y given x and of x, times the Jacobian.
    """
    rng = np.random.default_rng(23)
    y = data["y"].to_numpy()
    both = data.dropna()
    n, k = len(y), len(both)
    sy = np.sqrt(np.sum((y - y.mean()) ** 2) / rng.chisquare(n - 1, size))
    my = y.mean() + sy / np.sqrt(n) * rng.standard_normal(size)
    D = np.column_stack([np.ones(k), both["y"]])
    c, rest, *_ = np.linalg.lstsq(D, both["x"].to_numpy(), rcond=None)
    s = np.sqrt(rest[0] / rng.chisquare(k - 2, size))
    root = np.linalg.cholesky(np.linalg.inv(D.T @ D))
    c0, c1 = (c + s[:, None] * (rng.standard_normal((size, 2)) @ root.T)).T
    phi = np.stack([my, sy, c0, c1, s])

    def theta(p: np.ndarray) -> np.ndarray:
        my, sy, c0, c1, s = p
        tau2 = c1**2 * sy**2 + s**2
        mu, b = c0 + c1 * my, c1 * sy**2 / tau2
        return np.stack([my - b * mu, b, np.sqrt(sy**2 - b**2 * tau2), mu, np.sqrt(tau2)])

    J = np.empty((size, 5, 5))
    for j in range(5):
        step = np.zeros((5, 1))
        step[j] = 1e-5
        J[:, :, j] = ((theta(phi + step) - theta(phi - step)) / 2e-5).T
    log = np.linalg.slogdet(J)[1] + np.log(sy) + np.log(s)
    points = theta(phi)
    for value, (name, table) in zip(points, PRIORS.items(), strict=True):
        support = ("positive",) if name.startswith("sigma") else ("real",)
        log = log + log_density(distribution(table, name, support), value)
    weights = np.exp(log - log.max())
    return points, weights / weights.sum()


@pytest.fixture(scope="module")
def nuts() -> Fit:
    model = load_model({"name": "t", "equations": {"y": {"formula": "y ~ x"}}, "priors": PRIORS})
    return ac.fit(model, bivariate(), seed=2, draws=2000)


@pytest.mark.slow
@pytest.mark.statistical
def test_the_posterior_is_the_exact_one(nuts: Fit) -> None:
    """Means of five parameters and of their squares; 4.5 Monte Carlo errors, 7e-5 in all.

    The check has power: the estimate from complete rows is many of these errors away.
    """
    points, weights = exact(bivariate())
    ess = 1 / np.sum(weights**2)
    assert ess > 5000
    table = nuts.estimates.set_index("name")
    for value, name in zip(points, PRIORS, strict=True):
        mean = float(weights @ value)
        sd = float(np.sqrt(weights @ (value - mean) ** 2))
        error = np.hypot(table.loc[name, "mcse_mean"], sd / np.sqrt(ess))
        assert abs(table.loc[name, "mean"] - mean) < 4.5 * error, name
        relative = np.hypot(1 / np.sqrt(2 * table.loc[name, "ess_tail"]), 1 / np.sqrt(2 * ess))
        assert abs(table.loc[name, "sd"] / sd - 1) < 2 * 4.5 * relative, name
    both = bivariate().dropna()
    slope = np.polyfit(both["x"], both["y"], 1)[0]
    at = table.loc["y ~ x"]
    assert abs(slope - at["mean"]) > 20 * at["mcse_mean"]


@pytest.mark.slow
def test_a_fit_through_the_command_line(tmp_path: Path) -> None:
    """Continuous and binary, of rows and of districts, in predictors, mediator and outcome."""
    data = gone(x=[0, 9, 20], t=[1, 9], w=range(6), m=[9, 31], y=[40, 41])
    data.to_csv(tmp_path / "study.csv", index=False)
    (tmp_path / "model.toml").write_text(
        'name = "gaps"\n'
        '[equations.m]\nformula = "m ~ x + w + t + (1 | district)"\n'
        '[equations.y]\nformula = "y ~ m * x + t + (1 | district)"\n'
        '[estimands.linear]\nkind = "indirect"\nfrom = "x"\nto = "y"\n'
        '[estimands.response]\nkind = "total"\nfrom = "t"\nto = "y"\nscale = "response"\n'
        '[propositions.P1]\nestimand = "linear"\nregion = { above = 0.0 }\n'
    )
    out = tmp_path / "out"
    args = ["fit", str(tmp_path / "model.toml"), str(tmp_path / "study.csv"), "--out", str(out)]
    code: Any = 0
    try:
        run([*args, "--ml", "--quiet"])
    except SystemExit as end:
        code = end.code or 0
    assert code in (0, 3)
    said = json.loads((out / "run.json").read_text())
    assert said["rows_given"] == said["rows_used"] == N
    assert [t["column"] for t in said["missing"]] == ["m", "x", "w", "t", "y"]
    assert "missing values of" in said["engine_note"]
    names = pd.read_csv(out / "estimates.csv")["name"].tolist()
    assert {"y ~ m:x", "x ~ 1", "sigma(x)", "t ~ 1", "w ~ 1"} <= set(names)
    effects = pd.read_csv(out / "estimands.csv")
    assert np.isfinite(effects["mean"]).all()
    page = (out / "report.html").read_text()
    assert "How missing values were treated" in page
    assert "All 120 rows of the data were used" in page
    assert "on the 111 of 120 rows that lack nothing" in page  # beside maximum likelihood
    assert (out / "posterior.nc").exists()

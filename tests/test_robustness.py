"""Unmeasured confounding and units left out."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, chi2, norm

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.errors import InputError
from acmodels.robustness import leave_out
from acmodels.robustness.confounding import read_pair
from monte_carlo import FALSE_ALARM, allowed, sd_error

TABLE: dict[str, Any] = {
    "name": "pair",
    "equations": {
        "m": {"formula": "m ~ x + z + (1 | district)"},
        "y": {"formula": "y ~ m + x + z + (1 | district)"},
    },
    "estimands": {
        "indirect": {"kind": "indirect", "from": "x", "to": "y"},
        "total": {"kind": "total", "from": "x", "to": "y"},
    },
    "propositions": {"P41": {"estimand": "indirect", "region": {"above": 0.0}}},
}


def confounded(
    seed: int, districts: int = 40, n: int = 8, row: float = 0.0, district: float = 0.0
) -> pd.DataFrame:
    """Two responses that share an unmeasured cause; m has no effect on y."""
    rng = np.random.default_rng(seed)
    d = np.repeat(np.arange(districts), n)
    N = len(d)
    x, z = rng.normal(size=N), rng.normal(size=districts)[d]
    u, v = rng.normal(size=N), rng.normal(size=districts)[d]

    def rest() -> np.ndarray:
        return np.sqrt(1 - row**2) * rng.normal(size=N) + 0.3 * rng.normal(size=districts)[d]

    m = 0.5 * x + 0.3 * z + row * u + district * v + rest()
    y = 0.3 * x + 0.3 * z + row * u + district * v + rest()
    return pd.DataFrame({"district": [f"d{i:03d}" for i in d], "x": x, "z": z, "m": m, "y": y})


@pytest.fixture(scope="module")
def model() -> Any:
    return ac.load_model(TABLE)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return confounded(3, row=0.6)


@pytest.fixture(scope="module")
def fit(model: Any, data: pd.DataFrame) -> Any:
    return ac.fit(model, data)


def test_without_a_correlation_nothing_changes(fit: Any) -> None:
    found = ac.confounding(fit, "m", "y", rho=[0.0])
    for name in ("indirect", "total"):
        row = found.table.set_index("estimand").loc[name]
        full = fit.effects.table.set_index("name").loc[name]
        assert abs(row["mean"] - full["mean"]) < 5 * np.hypot(row["sd"] / 20, full["mcse_mean"])
        near = allowed(
            sd_error(200), sd_error(full["ess_tail"]), comparisons=4
        )  # ESS of 200 at least
        assert row["sd"] == pytest.approx(full["sd"], rel=near)


def wide(equations: dict[str, Any]) -> Any:
    """A model without groups and with flat priors, of which the slope of m is asked."""
    return ac.load_model(
        {
            **TABLE,
            "equations": equations,
            "priors": {
                "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 100},
                "sigma(*)": {"dist": "HalfNormal", "sigma": 100},
            },
            "estimands": {"b": {"kind": "coefficient", "parameter": "y ~ m"}},
            "propositions": {},
        }
    )


PLAIN = wide({"m": {"formula": "m ~ x + z"}, "y": {"formula": "y ~ m + x + z"}})


def test_the_average_over_a_prior_of_the_correlation() -> None:
    """Without groups the data say nothing of rho, and the average is over its prior.

    In terms of b(0) and s_y(0) the likelihood is free of rho; flat priors of b and s_y are a
    density of 1 / sqrt(1 - rho^2), which is the determinant of the map.
    """
    fit = ac.fit(PLAIN, confounded(5, row=0.5))
    rho = np.linspace(-0.999, 0.999, 4001)
    weight = norm.pdf(rho, 0, 0.3) / np.sqrt(1 - rho**2)
    b, s_y, s_m = (fit.draws[n].ravel() for n in ("y ~ m", "sigma(y)", "sigma(m)"))
    r = np.random.default_rng(1).choice(rho, size=b.size, p=weight / weight.sum())
    want = b - r * s_y / np.sqrt(1 - r**2) / s_m
    averaged = ac.confounding(fit, "m", "y", rho=[0.2], prior=0.3).averaged
    assert averaged is not None
    row, n = averaged.iloc[0], want.size
    assert row["mean"] == pytest.approx(want.mean(), abs=allowed(*[want.std() / np.sqrt(n)] * 2))
    kurtosis = float(np.mean((want - want.mean()) ** 4) / want.var() ** 2)
    near = allowed(*[sd_error(n, kurtosis)] * 2)
    assert row["sd"] == pytest.approx(want.std(), rel=near)


def test_the_least_squares_answer_at_a_correlation(model: Any) -> None:
    # without groups: b(rho) = b(0) - rho s_y(rho) / s_m, s_y(rho) = s_y(0) / sqrt(1 - rho^2), for
    # least squares with the same covariates in both equations (Imai, Keele & Yamamoto, 2010, th. 4)
    data = confounded(5, row=0.5)
    X = np.column_stack([np.ones(len(data)), data["x"], data["z"]])

    def ols(y: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, float]:
        b, left, *_ = np.linalg.lstsq(X, y, rcond=None)
        return b, float(np.sqrt(left[0] / (len(y) - X.shape[1])))

    _, s_m = ols(data["m"].to_numpy(), X)
    b, s_y = ols(data["y"].to_numpy(), np.column_stack([X, data["m"]]))
    found = ac.confounding(ac.fit(PLAIN, data), "m", "y", rho=[-0.4, 0.2, 0.5]).table
    for _, row in found.iterrows():
        r = row["rho"]
        exact = b[3] - r * s_y / np.sqrt(1 - r**2) / s_m
        assert abs(row["mean"] - exact) < 4 * row["sd"] / np.sqrt(200)


def test_a_simulated_confounder(model: Any, fit: Any) -> None:
    assert fit.effects.table.set_index("name").loc["indirect", "lower"] > 0  # the naive one: wrong
    found = ac.confounding(fit, "m", "y", rho=[0.36], prior=0.3)
    at = found.table[(found.table["rho"] == 0.36) & (found.table["estimand"] == "indirect")].iloc[0]
    assert at["lower"] < 0 < at["upper"]  # at its true strength: right
    averaged = found.averaged.set_index("estimand").loc["indirect"]
    naive = fit.effects.table.set_index("name").loc["indirect"]
    # what is not known makes an interval wider; by how much, the test of the average says
    assert averaged["upper"] - averaged["lower"] > naive["upper"] - naive["lower"]
    tip = found.tipping.set_index("estimand").loc["indirect"]
    assert 0 < tip["rho"] <= 0.36
    assert np.isnan(found.tipping.set_index("estimand").loc["total", "rho"])
    assert list(found.benchmarks["covariate"]) == ["x", "z"]


def test_a_confounder_of_districts(model: Any) -> None:
    fit = ac.fit(model, confounded(8, districts=80, n=4, district=0.7))
    found = ac.confounding(fit, "m", "y", unit="district", rho=[0.8]).table
    rows = found[found["estimand"] == "indirect"].set_index("rho")
    assert rows.loc[0.8, "mean"] < rows.loc[0.0, "mean"]
    assert rows.loc[0.8, "lower"] < 0 < rows.loc[0.8, "upper"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("m", "yy"), "no equation 'yy'"),
        (("y", "m"), "'y' does not predict 'm'"),
        (("m", "y", "distrct"), "did you mean 'district'"),
    ],
)
def test_pairs_that_have_no_confounder(fit: Any, args: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ac.confounding(fit, *args[:2], unit=args[2] if len(args) > 2 else None)


def test_how_a_pair_is_written() -> None:
    assert read_pair("m:y") == ("m", "y", None)
    assert read_pair("m:y@district") == ("m", "y", "district")
    for wrong in ("m", "m:y:z", "m:", "m:y@"):
        with pytest.raises(InputError, match="MEDIATOR:OUTCOME"):
            read_pair(wrong)


@pytest.mark.statistical
def test_coverage_with_a_confounder(model: Any) -> None:
    # m has no effect on y: the indirect effect is 0
    naive, held, widths = 0, 0, list[float]()
    for seed in range(100):
        fit = ac.fit(model, confounded(1000 + seed, districts=30, n=6, row=0.6), draws=500)
        table = fit.effects.table.set_index("name").loc["indirect"]
        naive += table["lower"] < 0 < table["upper"]
        widths.append(table["sd"])
        at = ac.confounding(fit, "m", "y", rho=[0.36]).table
        row = at[(at["rho"] == 0.36) & (at["estimand"] == "indirect")].iloc[0]
        held += row["lower"] < 0 < row["upper"]
    assert held >= binom.ppf(FALSE_ALARM, 100, 0.95)
    # what the confounder adds to the slope of m is its share of the residual variance of m (0.36
    # of 0.36 + 0.64, in rows of one district); times 0.5, the slope of x
    away = 0.5 * 0.36 / np.mean(widths)
    missed = norm.cdf(-1.96 + away) + norm.cdf(-1.96 - away)
    assert naive <= binom.isf(FALSE_ALARM, 100, 1 - missed)


def test_reweighting_agrees_with_refits(model: Any, data: pd.DataFrame, fit: Any) -> None:
    exact = ac.influence(fit, data, "district").table
    assert set(exact["how"]) == {"refit"}
    drawn = replace(fit, draws=replace(fit.draws, parts=()))  # as from a sampler

    weighted = leave_out._reweighted(drawn, "district")
    assert weighted is not None
    seen = 0
    for unit, rows in exact.groupby("unit"):
        found = weighted(str(unit))
        if found is None:
            continue
        seen += 1
        for k, (_, row) in enumerate(rows.iterrows()):
            mean = float(found.weights @ found.draws[k].values)
            # two estimates of one mean, with the effective sizes of the weights and of the refit
            error = row["sd"] * np.sqrt(np.sum(found.weights**2) + 1 / 200)
            assert abs(mean - row["mean"]) < 4.5 * error
    assert seen >= 30
    # the shifts themselves are seen, not only noise around all the data's mean
    moved = exact[exact["estimand"] == "indirect"].set_index("unit")["shift"]
    all_of_them = fit.effects.rows[0].draws
    again = {
        u: (f.weights @ f.draws[0].values - all_of_them.mean()) / all_of_them.std()
        for u in moved.index
        if (f := weighted(str(u))) is not None
    }  # fmt: skip
    first, second = moved[list(again)].to_numpy(), np.array(list(again.values()))
    # two estimates of one shift correlate by the roots of their reliabilities; errors in posterior
    # sds are those of the effective draws, as above
    noise = np.mean([np.sum(weighted(u).weights ** 2) for u in again])  # type: ignore[union-attr]
    share = [max(1 - e / v.var(), 0.0) for v, e in ((first, 1 / 200), (second, noise))]
    expected = np.arctanh(np.sqrt(share[0] * share[1])) - 4 / np.sqrt(len(first) - 3)
    assert expected > 0
    assert np.corrcoef(first, second)[0, 1] > np.tanh(expected)


def test_a_unit_that_carries_the_effect(model: Any) -> None:
    rng = np.random.default_rng(2)
    data = confounded(4, districts=12, n=10)
    data["m"] = rng.normal(size=len(data))
    data["y"] = rng.normal(size=len(data))
    far = data["district"] == "d004"
    data.loc[far, "x"] = np.linspace(-6, 6, far.sum())
    data.loc[far, "m"] = data.loc[far, "x"] + 0.1 * rng.normal(size=far.sum())
    data.loc[far, "y"] = data.loc[far, "m"]
    found = ac.influence(ac.fit(model, data), data, "district")
    first = found.most.iloc[0]
    assert first["unit"] == "d004"
    assert first["status"] == "supported"
    assert first["status_without"] == "undecided"
    assert first["changed_by"] >= 1


def test_a_unit_without_which_there_is_no_model(data: pd.DataFrame) -> None:
    table = data.assign(kind=np.where(data["district"] == "d001", "b", "a"))
    model = ac.load_model(
        {
            "name": "kinds",
            "equations": {"m": {"formula": "m ~ x + kind"}},
            "estimands": {"x": {"kind": "coefficient", "parameter": "m ~ x"}},
        }
    )
    found = ac.influence(ac.fit(model, table), table, "district").table.set_index("unit")
    assert found.loc["d001", "how"] == "not possible"
    assert (found.drop("d001")["how"] == "refit").all()
    with pytest.raises(InputError, match="at least three"):
        ac.influence(ac.fit(model, table), table, "kind")


def test_by_the_command_line(
    tmp_path: Path, data: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    data.to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "m.toml").write_text(
        'name = "pair"\n'
        '[equations.m]\nformula = "m ~ x + z + (1 | district)"\n'
        '[equations.y]\nformula = "y ~ m + x + z + (1 | district)"\n'
        '[estimands.indirect]\nkind = "indirect"\nfrom = "x"\nto = "y"\n'
        '[propositions.P41]\nestimand = "indirect"\nregion = { above = 0.0 }\n'
    )
    args = ["fit", str(tmp_path / "m.toml"), str(tmp_path / "d.csv"), "--out", str(tmp_path / "o")]
    cli([*args, "--confounding", "m:y", "--confounding-prior", "0.2", "--leave-out", "district",
         "--quiet"])  # fmt: skip
    table = pd.read_csv(tmp_path / "o" / "confounding.csv")
    assert list(table.columns)[:4] == ["estimand", "at", "rho", "mean"]
    assert table["rho"].isna().sum() == 1
    assert len(pd.read_csv(tmp_path / "o" / "influence.csv")) == 40
    page = (tmp_path / "o" / "report.html").read_text()
    assert "An unmeasured confounder" in page
    assert "Leaving out one district at a time" in page
    for more, message in (
        (["--confounding", "m:yy"], "no equation 'yy'"),
        (["--confounding-prior", "0.2"], "goes with --confounding"),
        (["--leave-out", "distrct"], "did you mean 'district'"),
    ):
        with pytest.raises(SystemExit) as stop:
            cli([*args, *more])
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("family", ["gaussian", "poisson", "bernoulli"])
def test_the_quadrature_against_a_fine_grid(family: str) -> None:
    from scipy import stats

    from acmodels.robustness.reweighting import log_integral

    rng = np.random.default_rng(1)
    eta, sd = rng.normal(size=12), 0.7
    draw = {
        "gaussian": stats.norm(eta, 1.3),
        "poisson": stats.poisson(np.exp(eta)),
        "bernoulli": stats.bernoulli(1 / (1 + np.exp(-eta))),
    }[family]
    y = draw.rvs(random_state=2)

    def joint(v: np.ndarray) -> np.ndarray:
        at = eta + sd * v
        each = {
            "gaussian": lambda: stats.norm.logpdf(y, at, 1.3),
            "poisson": lambda: stats.poisson.logpmf(y, np.exp(at)),
            "bernoulli": lambda: stats.bernoulli.logpmf(y, 1 / (1 + np.exp(-at))),
        }[family]()
        return np.asarray(each.sum(axis=-1) + stats.norm.logpdf(v[..., 0]))

    found = np.exp(log_integral(joint, (1, 1, 1)))[0, 0]
    grid = np.linspace(-12, 12, 40_001)
    assert found == pytest.approx(np.trapezoid(np.exp(joint(grid[:, None])), grid), rel=1e-5)


JOINED: dict[str, dict[str, str]] = {
    "between": {
        "m": "m ~ x + (1 | district)",
        "y": "y ~ between(m, district) + within(m, district) + (1 | district)",
    },
    "mean of the unit alone": {"m": "m ~ x + (1 | district)", "y": "y ~ between(m, district) + x"},
    "shared effects": {"m": "m ~ x + (1 |p| district)", "y": "y ~ m + x + (1 |p| district)"},
    "slope": {"m": "m ~ x + (1 + x | district)", "y": "y ~ m + (1 | district)"},
}


@pytest.mark.parametrize("kind", list(JOINED))
def test_a_units_likelihood_is_the_normal_one(kind: str) -> None:
    """Integrated by quadrature or by algebra: m and y of a unit are jointly normal."""
    from scipy import stats

    from acmodels.generate import linear_predictor
    from acmodels.robustness.reweighting import unit_likelihoods
    from acmodels.system import build_system, parameters

    equations = {k: {"formula": f} for k, f in JOINED[kind].items()}
    spec = ac.load_model({"name": "j", "equations": equations})
    system = build_system(spec, ac.study(confounded(3, districts=6, n=4)))
    layout = system.layout
    rng = np.random.default_rng(2)
    S = 3
    values = {}
    for p in parameters(layout):
        size = 0.4 if p.kind == "cor" else 0.7
        values[p.name] = rng.normal(size=S) if p.kind == "coefficient" else np.full(S, size)
    effects = {b.key: rng.normal(size=(S, len(b.levels), len(b.members))) for b in layout.blocks}
    found = unit_likelihoods(system, layout.blocks, values, effects)
    assert found is not None
    stack = {k: np.broadcast_to(v, (S, len(v))) for k, v in system.responses.items()}
    members = [(b, k) for b in layout.blocks for k in range(len(b.members))]

    def residuals(u: np.ndarray) -> np.ndarray:
        moved = {k: np.zeros_like(v) for k, v in effects.items()}
        for (b, k), v in zip(members, u, strict=True):
            moved[b.key][..., k] = v
        each = [
            system.responses[e.response] - linear_predictor(layout, e, stack, values, moved)
            for e in layout.equations
        ]
        return np.concatenate(each, axis=1)

    K = len(members)
    r0 = residuals(np.zeros(K))
    A = np.stack([r0 - residuals(one) for one in np.eye(K)], axis=-1)
    unit = np.concatenate([layout.blocks[0].code[e.rows] for e in layout.equations])
    for s in range(S):
        C = np.diag([values[b.sd(b.members[k])][s] ** 2 for b, k in members])
        for b in layout.blocks:
            for i, j, name in b.correlations():
                p, q = members.index((b, i)), members.index((b, j))
                C[p, q] = C[q, p] = np.sqrt(C[p, p] * C[q, q]) * values[name][s]
        for j in range(6):
            at = unit == j
            V = 0.7**2 * np.eye(at.sum()) + A[s][at] @ C @ A[s][at].T
            want = stats.multivariate_normal(np.zeros(at.sum()), V).logpdf(r0[s][at])
            assert found[s, j] == pytest.approx(want, abs=1e-5)


@pytest.mark.parametrize("kind", ["between", "shared effects"])
def test_reweighting_agrees_with_refits_where_effects_of_a_unit_hang_together(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights that keep a left-out unit's latent mean fitted are off by 0.22 sd here."""

    monkeypatch.setattr(leave_out, "DRAWS", 4000)
    monkeypatch.setattr(leave_out, "POINTS", 4096)
    rng = np.random.default_rng(2)
    J, n = 12, 3
    d = np.repeat(np.arange(J), n)
    x, u = rng.normal(size=J * n), rng.normal(size=J)
    m = 0.3 * x + u[d] + rng.normal(size=J * n)
    y = u[d] + 0.3 * rng.normal(size=J)[d] + 0.3 * rng.normal(size=J * n)
    table = pd.DataFrame({"district": [f"d{i:02d}" for i in d], "x": x, "m": m, "y": y})
    spec = ac.load_model(
        {
            "name": "j",
            "equations": {k: {"formula": f} for k, f in JOINED[kind].items()},
            "estimands": {"b": {"kind": "coefficient", "parameter": "sd(y ~ 1 | district)"}},
        }
    )
    fit = ac.fit(spec, table, draws=4000)
    exact = ac.influence(fit, table, "district").table.set_index("unit")
    assert set(exact["how"]) == {"refit"}
    drawn = replace(fit, draws=replace(fit.draws, parts=()))  # as from a sampler
    weighted = leave_out._reweighted(drawn, "district")
    assert weighted is not None
    gaps = [
        (float(found.weights @ found.draws[0].values) - row["mean"]) / row["sd"]
        for unit, row in exact.iterrows()
        if (found := weighted(str(unit))) is not None
    ]
    assert len(gaps) >= 8
    # two Monte Carlo means, of at least 400 effective draws each: 1 / 200 is the variance by chance
    worst = chi2.isf(FALSE_ALARM, len(gaps)) / len(gaps) / 200
    assert np.mean(np.square(gaps)) < worst


def test_a_proposition_on_a_turning_point_is_judged_once_for_each_unit() -> None:
    """By its place, as `judge` does, and not by the row that holds the probability too."""
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 3, 200)
    table = pd.DataFrame(
        {
            "x": x,
            "y": -((x - 1.0) ** 2) + 0.5 * rng.normal(size=200),
            "district": [f"d{i % 5}" for i in range(200)],
        }
    )
    spec = ac.load_model(
        {
            "name": "turn",
            "equations": {"y": {"formula": "y ~ x + square(x)"}},
            "estimands": {"top": {"kind": "turning_point", "from": "x", "to": "y"}},
            "propositions": {
                "P1": {"estimand": "top", "region": {"below": 0.9}},
                "P2": {"estimand": "top", "at": "inside", "region": {"above": 0.5}},
            },
        }
    )
    found = ac.influence(ac.fit(spec, table), table, "district")
    judged = found.table.loc[found.table["proposition"].notna()]
    count = dict(judged.groupby(["proposition", "at"]).size())
    assert count == {("P1", ""): 5, ("P2", "inside"): 5}
    assert list(found.most["units"]) == [5, 5]


def test_proportion_mediated_and_where_it_is_withheld(fit: Any, model: Any) -> None:
    from acmodels.reporting.sections import proportions

    said = proportions(fit)
    assert len(said) == 1
    rows = {r.name: r.draws for r in fit.effects.rows}
    assert f"{100 * np.median(rows['indirect'] / rows['total']):.0f}" in said[0]
    noise = np.random.default_rng(0).normal(size=(120, 4))
    flat = pd.DataFrame(noise, columns=["x", "z", "m", "y"]).assign(
        district=[f"d{i % 10}" for i in range(120)]
    )
    assert "not reported, since the interval of total" in proportions(ac.fit(model, flat))[0]


def test_the_estimand_is_the_ratio_and_is_withheld_where_the_total_may_be_zero(
    data: pd.DataFrame, tmp_path: Path
) -> None:
    share = {"kind": "proportion_mediated", "from": "x", "to": "y"}
    table = {
        **TABLE,
        "estimands": {**TABLE["estimands"], "share": share},
        "propositions": {"P41": {"estimand": "share", "region": {"above": 0.2}}},
    }
    spec = ac.load_model(table)
    found = ac.fit(spec, data)
    rows = {r.name: r for r in found.effects.rows}
    ratio = rows["indirect"].draws / rows["total"].draws
    np.testing.assert_allclose(rows["share"].draws, ratio)
    assert not rows["share"].withheld
    assert ac.judge(found.effects, spec.propositions)["p_region"][0] == np.mean(ratio > 0.2)

    noise = np.random.default_rng(0).normal(size=(120, 4))
    flat = pd.DataFrame(noise, columns=["x", "z", "m", "y"]).assign(
        district=[f"d{i % 10}" for i in range(120)]
    )
    none = ac.fit(spec, flat)
    assert none.diagnostics.usable
    last = none.effects.table.set_index("name").loc["share"]
    assert last[["mean", "lower", "upper", "p_positive"]].isna().all()
    assert none.effects.table.set_index("name").loc["total", "mean"] == pytest.approx(
        none.effects.rows[1].draws.mean()
    )
    verdict = ac.judge(none.effects, spec.propositions).iloc[0]
    assert verdict["status"] == "undecided"
    assert "is not reported, since the 95 % interval of the total effect" in verdict["reason"]
    assert any("is not reported" in f.message for f in none.findings)
    ac.report(none, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "withheld" in page
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)
    left = ac.influence(none, flat, "district").table
    assert set(left.loc[left["estimand"] == "share", "status"]) == {"undecided"}


def test_loadings_take_their_share() -> None:
    from acmodels.robustness.confounder import loadings

    found = loadings({"m": (2.0, False), "y": (np.pi / np.sqrt(3), True)}, -0.25)
    assert found["m"] ** 2 == pytest.approx(0.25 * 2.0**2)
    assert found["y"] ** 2 / (found["y"] ** 2 + np.pi**2 / 3) == pytest.approx(0.25)
    assert found["m"] > 0 > found["y"]


def test_a_sampled_confounder_refuses_what_it_cannot_do(
    model: Any, data: pd.DataFrame, fit: Any
) -> None:
    drawn = replace(fit, draws=replace(fit.draws, parts=()))  # as from a sampler
    with pytest.raises(InputError, match="only the exact engine gives"):
        ac.confounding(drawn, "m", "y", prior=0.2)
    scaled = ac.load_model(
        {
            **TABLE,
            "estimands": {
                "indirect": {"kind": "indirect", "from": "x", "to": "y", "scale": "response",
                             "values": [0, 1]},
            },
        }
    )  # fmt: skip
    other = ac.fit(scaled, data, draws=200)
    drawn = replace(other, draws=replace(other.draws, parts=()))
    with pytest.raises(InputError, match="response scale"):
        ac.confounding(drawn, "m", "y")


@pytest.mark.parametrize("engine", ["hmc", pytest.param("nuts", marks=pytest.mark.slow)])
def test_a_sampled_confounder_is_the_correlation_where_both_are_gaussian(engine: str) -> None:
    """Least squares with the confounder's covariance taken away, which the held loadings make.

    They are sqrt(rho) times the residual sds of the fit without it, so that the covariance of the
    residuals is rho s_m s_y(0), where a held correlation leaves rho s_m s_y(rho).
    """
    fit = ac.fit(PLAIN, confounded(5, row=0.5), engine=engine)
    row = ac.confounding(fit, "m", "y", rho=[0.3]).table.set_index("rho").loc[0.3]
    b, s_y, s_m = (fit.draws[n].ravel() for n in ("y ~ m", "sigma(y)", "sigma(m)"))
    want = b - 0.3 * s_y.mean() * s_m.mean() / s_m**2
    # both have an effective size of 400 at least, or the fits would not be usable
    assert row["mean"] == pytest.approx(want.mean(), abs=allowed(*[row["sd"] / 20] * 2))
    assert row["sd"] == pytest.approx(want.std(), rel=allowed(*[sd_error(400)] * 2))

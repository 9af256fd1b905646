"""Weights of the likelihood: against statsmodels, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import acmodels as ac
from acmodels.errors import InputError
from acmodels.system.build import build_system
from monte_carlo import allowed

WIDE = {
    "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 1000},
    "sigma(*)": {"dist": "HalfNormal", "sigma": 1000},
}


def data(seed: int = 1, n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = 0.5 * x + rng.normal(size=n)
    w = rng.integers(0, 5, n)
    y[w == 0] = 100.0  # rows of weight 0 say nothing
    return pd.DataFrame({"x": x, "y": y, "w": w, "g": [f"g{i % 20}" for i in range(n)]})


def model(formula: str = "y ~ x", **more: Any) -> Any:
    return ac.load_model(
        {
            "name": "weighted",
            "equations": {"y": {"formula": formula, "weights": "w", **more}},
            "priors": WIDE,
        }
    )


def test_weighted_least_squares() -> None:
    table = data()
    fit = ac.fit(model(), table)
    assert fit.draws.engine == "collapsed"
    exact = sm.WLS(table["y"], sm.add_constant(table["x"]), weights=table["w"]).fit()
    rows = fit.estimates.set_index("name")
    for name, key in (("y ~ 1", "const"), ("y ~ x", "x")):
        row = rows.loc[name]
        assert abs(row["mean"] - exact.params[key]) < 4.5 * row["mcse_mean"]
    # the power likelihood counts rows whose weight is not 0: sigma^2 is S / n, S their weighted sum
    w = table["w"] / table["w"][table["w"] > 0].mean()
    left = float(np.sqrt(np.sum(w * exact.resid**2) / (table["w"] > 0).sum()))
    # the mean of a right-skewed posterior lies about 3 / (4 n) above its mode
    row, n = rows.loc["sigma(y)"], len(table)
    assert row["mean"] == pytest.approx(left, abs=allowed(row["mcse_mean"]) + 2 * left / n)
    beside = ac.maximum_likelihood(fit).set_index("name")
    assert beside.loc["y ~ x", "ml_estimate"] == pytest.approx(exact.params["x"])


def test_only_ratios_of_weights_matter() -> None:
    one, other = data(), data()
    other["w"] = 7.5 * other["w"]
    first, second = ac.fit(model("y ~ x + (1 | g)"), one), ac.fit(model("y ~ x + (1 | g)"), other)
    np.testing.assert_allclose(first.draws.values, second.draws.values, rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w": -1.0}, "finite and 0 or more; rows 1 are not"),
        ({"w": np.inf}, "infinite"),
        ({"w": np.nan}, "'w', the weight of equations.y, is missing"),
    ],
)
def test_weights_that_are_refused(change: dict[str, float], message: str) -> None:
    table = data().assign(w=lambda t: t["w"].astype(float))
    table.loc[0, list(change)] = list(change.values())
    with pytest.raises(InputError, match=message):
        ac.fit(model(), table)
    with pytest.raises(InputError, match="are all 0"):
        ac.fit(model(), data().assign(w=0))
    with pytest.raises(InputError, match="no column 'w'"):
        ac.fit(model(), data().drop(columns="w"))


def test_weights_and_modeled_values_do_not_mix() -> None:
    table = data()
    table.loc[3, "x"] = np.nan
    with pytest.raises(InputError, match="equations.y has weights"):
        ac.fit(model(), table)


def test_a_design_draws_them(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        'name = "m"\n[equations.y]\nformula = "y ~ x"\nweights = "w"\n'
    )
    lines = ['model = "m.toml"', "[units]", "row = 50", "[exogenous]",
             'w = { dist = "Gamma", alpha = 4, beta = 4 }']  # fmt: skip
    (tmp_path / "d.toml").write_text("\n".join(lines))
    made = ac.simulate(ac.load_design(tmp_path / "d.toml"))
    assert set(made.study.names) >= {"w", "x", "y"}


def test_rows_of_weight_zero_are_said_to_count_for_nothing() -> None:
    table = data().assign(w=lambda t: np.where(t.index < 50, 0.0, 3.0))
    said = [f.message for f in build_system(model(), ac.study(table)).findings]
    found = [m for m in said if "weight 0" in m]
    assert len(found) == 1
    assert found[0].startswith("equations.y: 50 of 200 rows have weight 0")
    none = build_system(model(), ac.study(table.assign(w=2.0))).findings
    assert not [f for f in none if "weight 0" in f.message]


@pytest.mark.parametrize(
    ("formula", "family"), [("y ~ x", "gaussian"), ("y ~ x + (1 | g)", "gaussian"),
                            ("y ~ x + (1 | g)", "student")],
)  # fmt: skip
def test_rows_of_weight_zero_are_as_if_left_out(formula: str, family: str) -> None:
    """By every engine: means and sds as without these rows, within Monte Carlo errors."""
    table = data()
    table.loc[table["w"] == 0, "y"] = 1.0
    priors = {**WIDE, "sd(*)": {"dist": "HalfNormal", "sigma": 1}}
    spec = ac.load_model(
        {
            "name": "weighted",
            "equations": {"y": {"formula": formula, "weights": "w", "family": family}},
            "priors": priors if "|" in formula else WIDE,
        }
    )
    whole = ac.fit(spec, table).estimates.set_index("name")
    part = ac.fit(spec, table[table["w"] > 0]).estimates.set_index("name")
    error = np.hypot(whole["mcse_mean"], part["mcse_mean"])
    assert np.all(np.abs(whole["mean"] - part["mean"]) < 4.5 * error)
    assert np.all(np.abs(np.log(whole["sd"] / part["sd"])) < np.log(1.15))

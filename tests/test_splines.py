"""Splines, minima and maxima in formulas, and the estimands that are about curves and tails."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import patsy
import pytest
from scipy.interpolate import CubicSpline
from scipy.stats import norm

import acmodels as ac
from acmodels.errors import InputError
from acmodels.estimands import Context, evaluate
from acmodels.families import family_names
from acmodels.generate import generate
from acmodels.load import load_model
from acmodels.spec.parsing import parse_formula
from acmodels.system import build_system, parameters
from acmodels.system.columns import design_matrix
from acmodels.system.curves import spline
from acmodels.system.layout import curves_in

rng = np.random.default_rng(5)
N = 240
X, Z = rng.gamma(2.0, 1.0, N), rng.normal(size=N)
TABLE = pd.DataFrame(
    {
        "x": X,
        "z": Z,
        "w": 0.6 * Z + rng.normal(size=N),
        "g": [f"g{k}" for k in rng.integers(0, 12, N)],
        "m": np.sin(X) + 0.3 * rng.normal(size=N),
    }
).assign(y=lambda d: np.minimum(d.z, d.w) + d.m**2 + 0.5 * rng.normal(size=N))


def model(formulas: dict[str, str], **estimands: dict[str, Any]) -> Any:
    return load_model(
        {
            "name": "curves",
            "equations": {r: {"formula": f} for r, f in formulas.items()},
            "estimands": estimands,
        }
    )


def test_columns_span_natural_splines_with_knots_at_quantiles() -> None:
    """By patsy's `cr`, an independent natural cubic regression spline (Wood, 2017)."""
    for k in (2, 3, 4, 7):
        knots = np.quantile(X, np.linspace(0, 1, k + 1))[1:-1]
        B = np.asarray(patsy.dmatrix("cr(x, knots=k) - 1", {"x": X, "k": knots}))
        A = np.column_stack([np.ones(N), *(c(X) for c in spline(X, k, "s"))])
        assert A.shape[1] == B.shape[1] == k + 1
        np.testing.assert_allclose(A @ np.linalg.lstsq(A, B, rcond=None)[0], B, atol=1e-10)


def test_a_column_is_scipys_natural_spline_and_linear_beyond() -> None:
    far = np.linspace(X.min() - 5, X.max() + 5, 301)
    for c in spline(X, 4, "s"):
        natural = CubicSpline(c.knots, c.values, bc_type="natural")
        inside = (far >= X.min()) & (far <= X.max())
        np.testing.assert_allclose(c(far)[inside], natural(far[inside]), atol=1e-10)
        np.testing.assert_allclose(c.slope(far)[inside], natural(far[inside], 1), atol=1e-10)
        for side in (far < X.min(), far > X.max()):
            np.testing.assert_allclose(np.diff(c(far)[side], 2), 0, atol=1e-9)
        first, rise, cubes = c.cubes
        steps = np.maximum(X[:, None] - np.array(c.knots[:-1]), 0) ** 3 @ np.array(cubes)
        np.testing.assert_allclose(first + rise * (X - c.knots[0]) + steps, c(X), atol=1e-8)


def test_columns_are_standardized_uncorrelated_and_begin_with_x() -> None:
    A = np.column_stack([c(X) for c in spline(X, 5, "s")])
    np.testing.assert_allclose(A.T @ A / (N - 1), np.eye(5), atol=1e-9)
    np.testing.assert_allclose(A[:, 0], (X - X.mean()) / X.std(ddof=1), atol=1e-9)


def test_columns_follow_a_change_of_units() -> None:
    for a, b in zip(spline(X, 4, "s"), spline(1000 * X - 7, 4, "s"), strict=True):
        np.testing.assert_allclose(a(X), b(1000 * X - 7), atol=1e-8)
        np.testing.assert_allclose(a.slope(X), 1000 * b.slope(1000 * X - 7), atol=1e-7)


def test_too_few_distinct_values_say_how_many() -> None:
    table = TABLE.assign(x=np.arange(N) % 3)
    with pytest.raises(InputError, match=r"needs at least 5 distinct values.*only 3 distinct"):
        build_system(model({"y": "y ~ spline(x, 4)"}), ac.study(table))
    assert len(spline(np.r_[np.zeros(200), np.arange(1, 8)], 4, "s")) == 4  # ties at a knot


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("y ~ spline(x)", "degrees of freedom"),
        ("y ~ spline(x, 2.5)", "whole number"),
        ("y ~ spline(x, 0)", "whole number"),
        ("y ~ spline(x, -2)", "whole number"),
        ("y ~ square(spline(x, 3))", "cannot be applied"),
        ("y ~ spline(within(x, g), 3)", "cannot be applied"),
        ("y ~ min(a)", "two columns"),
        ("y ~ min(a, a)", "twice"),
        ("y ~ max(a, 3)", "columns"),
        ("y ~ min(a, max(b, c))", "cannot be applied"),
    ],
)
def test_what_cannot_be_written_says_why(formula: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_formula(formula)


def test_names_are_as_written_with_one_space() -> None:
    terms = parse_formula("y ~ spline( log(x),4 ) + max(a,standardize(`b c`))*z").terms
    assert [t.text for t in terms] == [
        "1", "spline(log(x), 4)", "max(a, standardize(`b c`))", "z",
        "max(a, standardize(`b c`)):z",
    ]  # fmt: skip
    for t in terms[1:]:
        assert parse_formula(f"y ~ {t.text}").terms[-1] == t


def test_a_spline_of_a_logarithm_names_the_rows_it_cannot_take() -> None:
    for formulas in ({"y": "y ~ spline(log(z), 3)"}, {"z": "z ~ x", "y": "y ~ spline(log(z), 3)"}):
        with pytest.raises(InputError, match=r"log\(z\) needs values above 0.*rows"):
            build_system(model(formulas), ac.study(TABLE))


def test_text_is_no_argument_of_a_minimum() -> None:
    with pytest.raises(InputError, match="'g'"):
        build_system(model({"y": "y ~ min(x, g)"}), ac.study(TABLE))


def test_columns_of_a_model_are_those_of_the_data() -> None:
    made = build_system(
        model({"m": "m ~ x", "y": "y ~ spline(m, 3) + min(z, w) + max(standardize(z), m, w)"}),
        ac.study(TABLE),
    )
    e = made.layout.equation("y")
    columns = dict(zip([c.name for c in e.columns], design_matrix(made.layout, e, made.responses).T,
                       strict=True))  # fmt: skip
    t = TABLE
    z = (t.z - t.z.mean()) / t.z.std()
    np.testing.assert_allclose(columns["min(z, w)"], np.minimum(t.z, t.w))
    np.testing.assert_allclose(
        columns["max(standardize(z), m, w)"], np.maximum(np.maximum(z, t.m), t.w)
    )
    for k, c in enumerate(spline(t.m.to_numpy(), 3, "s"), 1):
        np.testing.assert_allclose(columns[f"spline(m, 3)[{k}]"], c(t.m.to_numpy()))


def rows(m: Any, truth: dict[str, float], name: str, table: pd.DataFrame = TABLE) -> dict[str, Any]:
    """An estimand at a truth; what is not stated is 0, sds 1."""
    made = build_system(m, ac.study(table))
    whole = {p.name: truth.get(p.name, 1.0 if p.kind in ("sd", "sigma") else 0.0)
             for p in parameters(made.layout)}  # fmt: skip
    context = Context(made.layout, made.responses, lambda n: np.full((1, 1), whole[n]),
                      m.estimands, "m")  # fmt: skip
    return {r.at: float(r.draws[0, 0]) for r in evaluate(name, context)}


def test_curvature_is_the_derivative_at_both_percentiles() -> None:
    m = model(
        {"y": "y ~ x + square(x) + spline(z, 3) + z:w"},
        a={"kind": "curvature", "from": "x", "to": "y"},
        b={"kind": "curvature", "from": "z", "to": "y", "at": {"w": [2]}},
    )
    low, high = np.quantile(X, [0.1, 0.9])
    found = rows(m, {"y ~ x": 0.5, "y ~ square(x)": -0.2}, "a")
    assert found == pytest.approx({"low": 0.5 - 0.4 * low, "high": 0.5 - 0.4 * high})
    found = rows(m, {"y ~ spline(z, 3)[2]": 1.0, "y ~ z:w": 0.3}, "b")
    slope = spline(Z, 3, "s")[1].slope
    low, high = (float(slope(np.quantile(Z, q))) + 0.6 for q in (0.1, 0.9))
    assert found == pytest.approx({"w=2; low": low, "w=2; high": high})


def test_curvature_of_a_response_takes_its_percentiles_in_each_data_set() -> None:
    m = model({"m": "m ~ x", "y": "y ~ square(m)"}, a={"kind": "curvature", "from": "m", "to": "y"})
    made = build_system(m, ac.study(TABLE))
    stack = {k: np.stack([v, 3 * v]) for k, v in made.responses.items()}
    one = Context(made.layout, stack, lambda n: np.full((2, 1), float("square" in n)), m.estimands,
                  "m")  # fmt: skip
    low, high = (r.draws[:, 0] for r in evaluate("a", one))
    q = np.quantile(TABLE.m, [0.1, 0.9])
    np.testing.assert_allclose(
        [low, high], [2 * q[0] * np.array([1, 3]), 2 * q[1] * np.array([1, 3])]
    )


@pytest.mark.parametrize(
    ("formula", "table", "said"),
    [
        ("y ~ mo(c)", {"from": "c"}, "steps"),
        ("y ~ g", {"from": "g[g1]"}, "no slope"),
        ("y ~ spline(x, 3)", {"from": "spline(x, 3)"}, "name the variable"),
        ("y ~ square(x) + x", {"from": "square(x)"}, "name the variable itself"),
        ("y ~ x + square(x)", {"from": "x", "at": {"x": [1]}}, "slope_at"),
        ("y ~ x", {"from": "x", "scale": "response"}, "linear predictor"),
    ],
)
def test_curvature_refuses_what_has_no_slope(
    formula: str, table: dict[str, Any], said: str
) -> None:
    m = model({"y": formula}, a={"kind": "curvature", "to": "y", **table})
    with pytest.raises(InputError, match=said):
        rows(m, {}, "a", TABLE.assign(c=np.arange(N) % 4))


def test_a_turning_point_is_refused_through_a_spline() -> None:
    m = model({"y": "y ~ spline(x, 2)"}, a={"kind": "turning_point", "from": "x", "to": "y"})
    with pytest.raises(InputError, match="curvature"):
        rows(m, {"y ~ spline(x, 2)[2]": 1.0}, "a")


def test_a_slope_through_a_minimum_is_that_of_the_smaller() -> None:
    m = model(
        {"y": "y ~ min(z, w)"},
        a={"kind": "slope_at", "from": "z", "to": "y", "at": {"w": [-1, 1]}},
        b={"kind": "total", "from": "w", "to": "y"},
        c={"kind": "total", "from": "w", "to": "y", "scale": "response", "values": [-1, 1]},
    )
    truth = {"y ~ min(z, w)": 2.0}
    found = rows(m, truth, "a")
    assert found == pytest.approx({"w=-1": 2 * np.mean(Z < -1), "w=1": 2 * np.mean(Z < 1)})
    assert rows(m, truth, "b")[""] == pytest.approx(2 * np.mean(TABLE.w < Z))
    moved = np.minimum(Z, 1) - np.minimum(Z, -1)
    assert rows(m, truth, "c")[""] == pytest.approx(2 * moved.mean())


def test_standardized_effects_through_a_curve_and_of_a_minimum() -> None:
    m = model(
        {"y": "y ~ spline(x, 3) + min(z, w)"},
        a={"kind": "total", "from": "x", "to": "y", "scale": "standardized"},
        b={"kind": "total", "from": "min(z, w)", "to": "y", "scale": "standardized"},
    )
    bend = spline(X, 3, "s")[1]
    truth = {"y ~ spline(x, 3)[2]": 2.0, "sigma(y)": 1.0}
    sd = np.sqrt(4.0 + 1.0)  # columns have an sd of 1
    expected = 2.0 * bend.slope(X).mean() * X.std(ddof=1) / sd
    assert rows(m, truth, "a")[""] == pytest.approx(expected)
    with pytest.raises(InputError, match="several columns"):
        rows(m, {"y ~ min(z, w)": 1.0}, "b")


EXCEED = model(
    {"y": "y ~ spline(x, 3) + (1 + z | g)"},
    a={"kind": "exceedance", "from": "x", "to": "y", "above": 1.0, "values": [0.5, 2, 4]},
    q={"kind": "exceedance", "from": "x", "to": "y", "above": {"quantile": 0.9}, "values": [2]},
)
TRUTH = {"y ~ 1": 0.4, "y ~ spline(x, 3)[1]": 0.7, "y ~ spline(x, 3)[2]": -0.4,
         "sd(y ~ 1 | g)": 0.8, "sd(y ~ z | g)": 0.5, "cor(y ~ 1, y ~ z | g)": 0.3,
         "sigma(y)": 0.6}  # fmt: skip


def test_exceedance_is_a_normal_tail_with_the_total_variance() -> None:
    curves = spline(X, 3, "s")
    sd = np.sqrt(0.8**2 + 2 * 0.3 * 0.8 * 0.5 * Z + 0.5**2 * Z**2 + 0.6**2)
    found = rows(EXCEED, TRUTH, "a")
    for x in (0.5, 2.0, 4.0):
        at = 0.4 + 0.7 * curves[0](np.array(x)) - 0.4 * curves[1](np.array(x))
        assert found[f"x={x:g}"] == pytest.approx(np.mean(norm.sf((1.0 - at) / sd)), abs=1e-9)
    top = np.quantile(TABLE.y, 0.9)
    at = 0.4 + 0.7 * curves[0](np.array(2.0)) - 0.4 * curves[1](np.array(2.0))
    assert rows(EXCEED, TRUTH, "q")["x=2"] == pytest.approx(np.mean(norm.sf((top - at) / sd)))


@pytest.mark.statistical
def test_exceedance_is_the_share_of_simulated_units_above() -> None:
    """Each data set has 12 groups, so shares of data sets are what is averaged; k = 3.9."""
    moved = TABLE.assign(x=2.0, e=1.0)
    system = build_system(EXCEED, ac.study(TABLE))
    fixed = build_system(
        model({"y": "y ~ x2 + (1 + z | g)"}), ac.study(moved.assign(x2=np.arange(N)))
    )
    curves = curves_in(system.layout)["y"]
    (three,) = curves.values()
    at = 0.4 + 0.7 * three[0](np.array(2.0)) - 0.4 * three[1](np.array(2.0))
    truth = {**TRUTH, "y ~ 1": float(at), "y ~ x2": 0.0}
    stream = np.random.default_rng(8)
    shares = [np.mean(generate(fixed.layout, truth, stream).responses["y"] > 1.0)
              for _ in range(2000)]  # fmt: skip
    mcse = np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert abs(rows(EXCEED, TRUTH, "a")["x=2"] - np.mean(shares)) < 3.9 * mcse
    alone = {**TRUTH, "sd(y ~ 1 | g)": 0.0, "sd(y ~ z | g)": 0.0}  # a control: without groups
    assert abs(rows(EXCEED, alone, "a")["x=2"] - np.mean(shares)) > 3.9 * mcse


def test_exceedance_follows_what_the_variable_moves() -> None:
    m = model(
        {"m": "m ~ x", "y": "y ~ m"},
        a={"kind": "exceedance", "from": "x", "to": "y", "above": 0.0, "values": [1]},
    )
    truth = {"m ~ x": 0.5, "y ~ m": 2.0, "sigma(m)": 1.5, "sigma(y)": 0.5}
    exact = norm.sf(-1.0 / np.hypot(3.0, 0.5))
    assert rows(m, truth, "a")["x=1"] == pytest.approx(exact, abs=0.004)


FAMILIES = {
    "gaussian": {"sd": 0.7}, "student": {"sd": 0.7, "nu": 4.0}, "bernoulli": {},
    "binomial": {"trials": np.array([5.0])}, "poisson": {}, "negative_binomial": {"phi": 1.5},
    "beta": {"phi": 4.0}, "zero_inflated_poisson": {"zi": 0.3},
    "zero_inflated_negative_binomial": {"zi": 0.3, "phi": 1.5},
    "ordinal": {"threshold": np.array([-1.0, 0.2, 1.5]), "lowest": 1.0},
}  # fmt: skip


@pytest.mark.statistical
@pytest.mark.parametrize("name", family_names())
def test_every_family_knows_its_upper_tail(name: str) -> None:
    """The share of 40,000 draws above each number, within 4.5 standard errors of it."""
    from acmodels.families import family

    kind = family(name)
    one = kind(link=kind.links[0], **FAMILIES[name])
    draws = one.draw(np.random.default_rng(2), np.full(40_000, 0.4))
    for above in (-0.5, 0.0, 0.3, 0.5, 1.0, 1.7, 3.0, 5.0, 9.0):
        p = float(np.ravel(one.exceeds(np.array([0.4]), above))[0])
        se = np.sqrt(max(p * (1 - p), 1e-9) / len(draws))
        assert abs(np.mean(draws > above) - p) <= 4.5 * se, (above, p)


def test_a_fit_recovers_a_curve_and_predicts_beyond_it(tmp_path: Path) -> None:
    m = model({"m": "m ~ spline(x, 6)", "y": "y ~ z + w + min(z, w) + m + square(m)"})
    fit = ac.fit(m, ac.study(TABLE), seed=1)
    assert fit.diagnostics.engine == "collapsed"
    at = [0.5, 1.5, 3.0]
    seen = ac.predictions(fit, response="m", at={"x": at})
    np.testing.assert_allclose(seen["mean"], np.sin(at), atol=0.15)
    far = ac.predictions(fit, response="m", at={"x": [20.0, 21.0, 22.0]})["mean"]
    assert np.diff(far, 2) == pytest.approx([0.0], abs=1e-8)
    found = fit.estimates.set_index("name")["mean"]
    assert found["y ~ min(z, w)"] == pytest.approx(1.0, abs=0.35)
    ac.report(fit, tmp_path / "report.html")
    assert "spline(x, 6)[6]" in (tmp_path / "report.html").read_text()


def test_a_design_draws_a_response_before_the_columns_of_its_spline(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        'name = "m"\n[equations.m]\nformula = "m ~ x"\n'
        '[equations.y]\nformula = "y ~ spline(m, 3)"\n'
    )
    (tmp_path / "d.toml").write_text(
        'model = "m.toml"\n[units]\nrow = 90\n[truth]\n"m ~ 1" = 50.0\n"m ~ x" = 3.0\n'
    )
    made = ac.simulate(ac.load_design(tmp_path / "d.toml"), seed=4)
    fitted = build_system(load_model(tmp_path / "m.toml"), made.study).layout
    (three,) = curves_in(fitted)["y"].values()
    values = made.study.frame["m"].to_numpy()
    assert three[0].knots[0] == pytest.approx(values.min())
    assert values.min() > 30

"""Simulated data against closed forms. Monte Carlo bounds: `K` standard errors each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, ndtr

from acmodels.data import study
from acmodels.errors import InputError, ModelError
from acmodels.generate import Generated, generate
from acmodels.load import load_model
from acmodels.simulation import Simulation, simulate
from acmodels.spec.design import Design, design_from_table
from acmodels.spec.model import Model
from acmodels.system import Layout, build_layout

K = 4.9
"""Standard errors allowed: about 1e-6 a comparison, so below 1e-4 a test."""


def model(equations: Mapping[str, Any], **more: Any) -> Model:
    tables = {r: {"formula": e} if isinstance(e, str) else e for r, e in equations.items()}
    return load_model({"name": "t", "equations": tables, **more})


def layout(data: pd.DataFrame, equations: Mapping[str, Any], **more: Any) -> Layout:
    return build_layout(model(equations, **more), study(data))


def near_mean(x: np.ndarray, wanted: float) -> None:
    assert abs(x.mean() - wanted) < K * x.std() / np.sqrt(len(x))


def near_sd(x: np.ndarray, wanted: float) -> None:
    """For normal x: the sd of the sample sd is sd / sqrt(2 n)."""
    assert abs(x.std(ddof=1) - wanted) < K * wanted / np.sqrt(2 * len(x))


def near_cor(x: np.ndarray, y: np.ndarray, wanted: float) -> None:
    """For normal x, y: Fisher's z has an sd of 1 / sqrt(n - 3)."""
    z = np.arctanh(np.corrcoef(x, y)[0, 1]) - np.arctanh(wanted)
    assert abs(z) < K / np.sqrt(len(x) - 3)


# --- group effects ------------------------------------------------------------------


def groups(J: int, n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(J), n)
    return pd.DataFrame(
        {
            "g": [f"g{i}" for i in g],
            "h": [f"h{i % 50}" for i in range(J * n)],
            "x": rng.normal(size=J * n),
        }
    )


TRUTH = {
    "m ~ 1": 0.5, "m ~ x": 1.0, "y ~ 1": 0.0, "y ~ m": -0.5,
    "sd(m ~ 1 | g)": 0.8, "sd(m ~ x | g)": 0.4, "sd(y ~ m | g)": 0.6, "sd(y ~ 1 | h)": 0.3,
    "cor(m ~ 1, m ~ x | g)": 0.3, "cor(m ~ 1, y ~ m | g)": -0.2, "cor(m ~ x, y ~ m | g)": 0.7,
    "sigma(m)": 1.5, "sigma(y)": 0.7,
}  # fmt: skip


def test_group_effects_across_equations_have_the_stated_covariance() -> None:
    found = layout(
        groups(20_000, 2),
        {"m": "m ~ x + (1 + x |i| g)", "y": "y ~ m + (0 + m |i| g) + (1 | h)"},
    )
    made = generate(found, TRUTH, np.random.default_rng(1))
    block = found.blocks[0]
    u = made.group_effects[block.key]
    assert u.shape == (20_000, 3)
    for k, m in enumerate(block.members):
        near_mean(u[:, k], 0.0)
        near_sd(u[:, k], TRUTH[block.sd(m)])
    for i, j, name in block.correlations():
        near_cor(u[:, i], u[:, j], TRUTH[name])
    other = made.group_effects[found.blocks[1].key]
    assert other.shape == (50, 1)


def test_responses_are_predictor_plus_effects_plus_noise() -> None:
    data = groups(500, 40)
    found = layout(data, {"m": "m ~ x + (1 + x |i| g)", "y": "y ~ m + (0 + m |i| g) + (1 | h)"})
    made = generate(found, TRUTH, np.random.default_rng(2))
    g = pd.factorize(data["g"])[0]
    h = pd.factorize(data["h"])[0]
    u, v = made.group_effects[found.blocks[0].key], made.group_effects[found.blocks[1].key]
    m, y, x = made.responses["m"], made.responses["y"], data["x"].to_numpy()
    left = m - (0.5 + 1.0 * x + u[g, 0] + u[g, 1] * x)
    near_mean(left, 0.0)
    near_sd(left, 1.5)
    near_cor(left, x, 0.0)
    right = y - (-0.5 * m + u[g, 2] * m + v[h, 0])
    near_mean(right, 0.0)
    near_sd(right, 0.7)
    near_cor(right, left, 0.0)


def test_residual_correlations() -> None:
    data = groups(2, 15_000)
    found = layout(
        data,
        {"a": "a ~ x", "b": "b ~ a", "c": "c ~ 1"},
        residual_correlation=[["c", "a"], ["a", "b"], ["b", "c"]],
    )
    truth = {
        "a ~ 1": 1, "a ~ x": 2, "b ~ 1": 0, "b ~ a": 0.5, "c ~ 1": -1,
        "sigma(a)": 1.0, "sigma(b)": 2.0, "sigma(c)": 0.5,
        "cor(a, b)": 0.6, "cor(a, c)": -0.4, "cor(b, c)": 0.1,
    }  # fmt: skip
    r = generate(found, truth, np.random.default_rng(3)).responses
    e = {"a": r["a"] - 1 - 2 * data["x"], "b": r["b"] - 0.5 * r["a"], "c": r["c"] + 1}
    for name, values in e.items():
        near_mean(values, 0.0)
        near_sd(values, truth[f"sigma({name})"])
    for pair in ("ab", "ac", "bc"):
        near_cor(e[pair[0]], e[pair[1]], truth[f"cor({pair[0]}, {pair[1]})"])


def test_correlations_of_one_and_sds_of_zero_are_allowed() -> None:
    found = layout(groups(50, 4), {"m": "m ~ x + (1 + x | g)"})
    truth = {
        "m ~ 1": 0, "m ~ x": 1, "sd(m ~ 1 | g)": 2.0, "sd(m ~ x | g)": 0.5,
        "cor(m ~ 1, m ~ x | g)": 1.0, "sigma(m)": 0.0,
    }  # fmt: skip
    made = generate(found, truth, np.random.default_rng(4))
    u = made.group_effects[found.blocks[0].key]
    np.testing.assert_allclose(u[:, 0], 4 * u[:, 1], atol=1e-7)
    made = generate(found, {**truth, "sd(m ~ x | g)": 0.0}, np.random.default_rng(4))
    assert np.all(made.group_effects[found.blocks[0].key][:, 1] == 0)


# --- families ------------------------------------------------------------------------


@pytest.mark.parametrize(("link", "mean"), [("logit", expit), ("probit", ndtr)])
def test_binary_means(link: str, mean: Any) -> None:
    data = groups(4, 20_000).assign(x=lambda f: np.tile([-2.0, -0.5, 0.0, 1.5], len(f) // 4))
    equations = {"b": {"formula": "b ~ x", "family": "bernoulli", "link": link}}
    made = generate(layout(data, equations), {"b ~ 1": 0.3, "b ~ x": 0.9}, np.random.default_rng(5))
    b = made.responses["b"]
    assert set(np.unique(b)) == {0.0, 1.0}
    for x in np.unique(data["x"]):
        p = mean(0.3 + 0.9 * x)
        mine = b[data["x"].to_numpy() == x]
        assert abs(mine.mean() - p) < K * np.sqrt(p * (1 - p) / len(mine))


@pytest.mark.parametrize(("link", "mean"), [("logit", expit), ("probit", ndtr)])
def test_binomial_means_and_variances(link: str, mean: Any) -> None:
    data = groups(2, 20_000).assign(t=lambda f: np.tile([1, 7], len(f) // 2))
    equations = {"k": {"formula": "k ~ 1", "family": "binomial", "link": link, "trials": "t"}}
    k = generate(layout(data, equations), {"k ~ 1": -0.4}, np.random.default_rng(6)).responses["k"]
    p = mean(-0.4)
    for t in (1, 7):
        mine = k[data["t"].to_numpy() == t]
        assert mine.max() <= t
        variance = t * p * (1 - p)
        assert abs(mine.mean() - t * p) < K * np.sqrt(variance / len(mine))
        fourth = np.mean((mine - t * p) ** 4)
        assert abs(np.var(mine) - variance) < K * np.sqrt((fourth - variance**2) / len(mine))


def test_probit_with_group_effects_has_its_closed_form_mean() -> None:
    """E Phi(a + u) = Phi(a / sqrt(1 + sd^2)) for normal u."""
    equations = {"b": {"formula": "b ~ 1 + (1 | g)", "family": "bernoulli", "link": "probit"}}
    found = layout(groups(20_000, 1), equations)
    b = generate(found, {"b ~ 1": 0.7, "sd(b ~ 1 | g)": 1.2}, np.random.default_rng(7)).responses[
        "b"
    ]
    p = ndtr(0.7 / np.sqrt(1 + 1.44))
    assert abs(b.mean() - p) < K * np.sqrt(p * (1 - p) / len(b))


def test_known_standard_errors_are_the_spread() -> None:
    data = groups(2, 20_000).assign(se=lambda f: np.tile([0.1, 2.0], len(f) // 2))
    y = generate(
        layout(data, {"y": {"formula": "y ~ 1", "se": "se"}}),
        {"y ~ 1": 3.0},
        np.random.default_rng(8),
    ).responses["y"]
    for se in (0.1, 2.0):
        mine = y[data["se"].to_numpy() == se]
        near_mean(mine, 3.0)
        near_sd(mine, se)


def test_offsets_count_with_a_coefficient_of_one() -> None:
    data = groups(2, 5_000)
    found = layout(data, {"y": "y ~ 1 + offset(x)"})
    y = generate(found, {"y ~ 1": 1.0, "sigma(y)": 1e-9}, np.random.default_rng(9)).responses["y"]
    np.testing.assert_allclose(y, 1 + data["x"], atol=1e-7)


def test_the_same_stream_gives_the_same_data() -> None:
    found = layout(groups(6, 4), {"m": "m ~ x + (1 | g)"})
    truth = {"m ~ 1": 0.0, "m ~ x": 1.0, "sd(m ~ 1 | g)": 1.0, "sigma(m)": 1.0}

    def made() -> Generated:
        return generate(found, truth, np.random.default_rng(1))

    np.testing.assert_array_equal(made().responses["m"], made().responses["m"])


# --- a design to a study ------------------------------------------------------------------

UNITS: dict[str, Any] = {
    "district": 30,
    "partner": 12,
    "partnership": {"per": "district", "n": 4, "crossed_with": "partner"},
    "row": {"per": "partnership", "n": 3},
}
MODEL: dict[str, Any] = {
    "name": "t",
    "equations": {
        "climate": {"formula": "climate ~ support", "level": "district"},
        "routines": {
            "formula": "routines ~ climate*know + (1 | district) + (1 | partner)",
            "level": "partnership",
        },
        "learning": {
            "formula": "learning ~ routines + know + treated + (1 + routines |i| district)"
        },
    },
    "priors": {
        "learning ~ know": {"dist": "Normal", "mu": 0.7, "sigma": 0.1},
        "sigma(learning)": {"dist": "Exponential", "lam": 2.0},
        "sd(learning ~ 1 | *)": {"dist": "LogNormal", "mu": -1.0, "sigma": 0.3},
        "cor(* | district)": {"dist": "LKJ", "eta": 3.0},
    },
    "estimands": {
        "ie": {"kind": "indirect", "from": "climate", "to": "learning", "at": {"know": [0, 1]}},
        "index": {
            "kind": "index_of_moderated_mediation",
            "from": "climate",
            "to": "learning",
            "moderator": "know",
        },
        "share": {"kind": "variance_share", "parameter": "sd(routines ~ 1 | partner)"},
    },
}
DESIGN: dict[str, Any] = {
    "model": "t",
    "units": UNITS,
    "truth": {
        "routines ~ climate": 0.4,
        "routines ~ climate:know": 0.2,
        "learning ~ routines": 0.5,
    },
    "exogenous": {"treated": {"dist": "Bernoulli", "p": 0.5, "level": "district"}},
}


def drawn(seed: int = 1, replicate: int = 0, **changes: Any) -> Simulation:
    design, spec = setting(**changes)
    return _simulate(design, spec, seed, replicate)


def setting(**changes: Any) -> tuple[Design, Model]:
    spec = load_model({**MODEL, **changes.pop("model", {})})
    return design_from_table({**DESIGN, **changes}, "design.toml"), spec


def _simulate(design: Design, spec: Model, seed: int, replicate: int) -> Simulation:
    import dataclasses

    return simulate(dataclasses.replace(design, model=spec), seed, replicate)


def test_sizes_and_nesting() -> None:
    f: Any = drawn().study.frame
    assert len(f) == 30 * 4 * 3
    assert f["district"].nunique() == 30
    assert f["partnership"].nunique() == 120
    assert f["partner"].nunique() <= 12
    assert len(f[["partnership", "district", "partner"]].drop_duplicates()) == 120


def test_what_belongs_to_a_unit_is_constant_in_it() -> None:
    f: Any = drawn().study.frame
    for column, unit in (
        ("climate", "district"), ("support", "district"), ("treated", "district"),
        ("routines", "partnership"), ("know", "partnership"),
    ):  # fmt: skip
        assert len(f[[unit, column]].drop_duplicates()) == f[unit].nunique(), column
        assert np.ptp(f[column]) > 0
    assert f["learning"].nunique() == len(f)
    assert set(f["treated"]) == {0.0, 1.0}


def test_truths_not_given_are_by_the_contract() -> None:
    truth = drawn().truth
    assert truth["routines ~ climate"] == 0.4
    assert truth["learning ~ know"] == pytest.approx(0.7)
    assert truth["sigma(learning)"] == 1.0  # whatever its prior
    assert truth["sd(learning ~ 1 | district)"] == 0.5
    assert truth["cor(learning ~ 1, learning ~ routines | district)"] == 0.0
    assert truth["learning ~ treated"] == 0.0
    assert truth["sigma(routines)"] == 1.0
    assert truth["sd(routines ~ 1 | partner)"] == 0.5


def test_estimands_at_the_truth_by_hand() -> None:
    effects = drawn().effects
    assert effects["ie [know=0]"] == pytest.approx(0.4 * 0.5)
    assert effects["ie [know=1]"] == pytest.approx((0.4 + 0.2) * 0.5)
    assert effects["index"] == pytest.approx(0.2 * 0.5)
    assert effects["share"] == pytest.approx(0.25 / (0.25 + 0.25 + 1.0))


def test_replicates_are_their_own_streams() -> None:
    one, again, other = drawn(3, 5), drawn(3, 5), drawn(3, 6)
    pd.testing.assert_frame_equal(one.study.frame, again.study.frame)
    assert not np.allclose(one.study.frame["learning"], other.study.frame["learning"])
    assert not np.allclose(one.study.frame["learning"], drawn(4, 5).study.frame["learning"])


def test_varying_sizes_keep_their_minimum_and_mean() -> None:
    units = {**UNITS, "district": 3000, "row": 1} | {
        "partnership": {"per": "district", "n": {"mean": 6, "sd": 1.0, "min": 2}}
    }
    del units["row"], units["partner"]
    found = drawn(
        units=units,
        model={"equations": {"learning": {"formula": "learning ~ x + (1 | district)"}},
               "estimands": {}, "priors": {}},
        truth={}, exogenous={},
    ).study.frame.groupby("district").size().to_numpy()  # fmt: skip
    assert found.min() >= 2
    sd = np.sqrt(1.0 + 1 / 12)
    assert abs(found.mean() - 6) < K * sd / np.sqrt(len(found))


def test_icc_shares_the_variance() -> None:
    f = drawn(
        units={"district": 4000, "row": {"per": "district", "n": 2}},
        model={
            "equations": {"y": {"formula": "y ~ x + (1 | district)"}},
            "estimands": {},
            "priors": {},
        },
        truth={},
        exogenous={"x": {"mu": 2.0, "sigma": 3.0, "level": "row", "icc": {"district": 0.3}}},
    ).study.frame
    pairs = f["x"].to_numpy().reshape(-1, 2)
    near_cor(pairs[:, 0], pairs[:, 1], 0.3)
    near_mean(pairs[:, 0], 2.0)
    near_sd(pairs[:, 0], 3.0)


def test_the_frame_is_fresh_for_the_fit() -> None:
    """What is simulated meets the model again without a complaint."""
    from acmodels.system import build_system

    _, spec = setting()
    s = build_system(spec, drawn().study)
    assert s.layout.equation("climate").n == 30
    assert not [x for x in s.findings if x.severity == "warning"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"truth": {"routines ~ climat": 1}},
            ("no parameter", "did you mean 'routines ~ climate'?"),
        ),
        ({"truth": {"sigma(learning)": -1}}, ('truth."sigma(learning)"', "cannot be -1")),
        ({"truth": {"sd(routines ~ 1 | partner)": -0.1}}, ("cannot be -0.1",)),
        (
            {"truth": {"cor(learning ~ 1, learning ~ routines | district)": 1.1}},
            ("is not a correlation",),
        ),
        ({"exogenous": {"knows": {}}}, ("exogenous.knows", "did you mean 'know'?")),
        ({"units": {"district": 5, "row": {"per": "district", "n": 2}}}, ("not a unit", "partner")),
        ({"units": {**UNITS, "school": 3}}, ("not linked",)),
    ],
)
def test_designs_that_do_not_fit_the_model(changes: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(ModelError) as caught:
        drawn(**changes)
    for word in ("design.toml", *words):
        assert word in str(caught.value)


def test_correlations_that_no_matrix_has_are_refused() -> None:
    equations = {
        "y": {"formula": "y ~ a + b + (1 + a + b | district)"},
    }
    names = [
        "cor(y ~ 1, y ~ a | district)",
        "cor(y ~ 1, y ~ b | district)",
        "cor(y ~ a, y ~ b | district)",
    ]
    with pytest.raises(ModelError) as caught:
        drawn(
            units={"district": 8, "row": {"per": "district", "n": 4}},
            model={"equations": equations, "estimands": {}, "priors": {}},
            truth=dict(zip(names, (0.9, 0.9, -0.9), strict=True)),
            exogenous={},
        )
    assert "design.toml: truth" in str(caught.value)
    assert names[0] in str(caught.value)


@pytest.mark.parametrize("family", ["gaussian", "bernoulli"])
def test_a_predictor_that_is_not_finite_is_refused(family: str) -> None:
    found = layout(groups(5, 4), {"m": "m ~ x", "y": {"formula": "y ~ log(m)", "family": family}})
    truth = {"m ~ 1": 0, "m ~ x": 1, "sigma(m)": 1, "y ~ 1": 0, "y ~ log(m)": 1, "sigma(y)": 1}
    with pytest.raises(InputError, match=r"'y' is not finite in \d+ of 20 rows"):
        generate(found, truth, np.random.default_rng(1))


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, None, 2**63])
def test_impossible_seeds(seed: Any) -> None:
    with pytest.raises(InputError, match="seed"):
        drawn(seed)

"""Constructs measured by items: what files may say, what they become, what a fit says of them."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.data import study
from acmodels.effects.measurement import constructs, measurement
from acmodels.errors import InputError
from acmodels.generate import generate_stack
from acmodels.load import load_model
from acmodels.posterior import Posterior
from acmodels.priors import resolve_priors
from acmodels.system import build_system, parameters
from acmodels.system.layout import Layout
from fakes import fake_fit

UNITS, RATERS = 30, 4


def answers(raters: int = RATERS) -> pd.DataFrame:
    """Units with several raters each, ordinal items of two constructs, one gaussian item."""
    rng = np.random.default_rng(3)
    n = UNITS * raters
    unit = np.repeat(np.arange(UNITS), raters)
    f = rng.normal(size=UNITS)
    h = 0.5 * f + rng.normal(size=UNITS)
    made: dict[str, Any] = {"unit": [f"u{k:02d}" for k in unit], "who": [f"p{k}" for k in range(n)]}
    made["z"] = rng.normal(size=UNITS)[unit]
    made["role"] = np.where(np.arange(n) % 2 == 0, "teacher", "leader")
    for name, value in (("a", f), ("b", h)):
        for k in range(1, 4):
            latent = value[unit] + rng.normal(size=n)
            made[f"{name}{k}"] = np.digitize(latent, [-1.0, 0.0, 1.0]) + 1.0
    made["g"] = f[unit] + rng.normal(size=n)
    made["y"] = 0.5 * h[unit] + rng.normal(size=n)
    return pd.DataFrame(made)


F: dict[str, Any] = {"items": ["a1", "a2", "a3"], "level": "unit"}
H: dict[str, Any] = {"items": ["b1", "b2", "b3"], "level": "unit"}


def table(**measures: Any) -> dict[str, Any]:
    return {"name": "test", "measures": measures}


def layout_of(model: dict[str, Any], data: pd.DataFrame) -> Layout:
    return build_system(load_model(model), study(data)).sampled.layout


# --- files -------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "key": (table(F={**F, "revers": ["a1"]}), "unknown key 'revers'; did you mean 'reverse'?"),
    "family": (table(F={**F, "family": "probit"}), "'probit' is not one of"),
    "no items": (table(F={"level": "unit"}), "needs either items"),
    "both": (table(F={**F, "construct": "trust"}), "one of the two only"),
    "twice": (table(F={**F, "items": ["a1", "a1", "a2"]}), "a1 appears twice"),
    "reverse": (table(F={**F, "reverse": ["a4"]}), "'a4' is none of its items"),
    "marker": (table(F={**F, "marker": "b1"}), "measures.F.marker: 'b1' is none of its items"),
    "reversed marker": (table(F={**F, "marker": "a1", "reverse": ["a1"]}), "a marker's loading"),
    "two items": (table(F={**F, "items": ["a1", "a2"]}), "2 items cannot tell loadings apart"),
    "rater": (table(F={**F, "rater": "unit"}), "is its level too"),
    "response": (
        {**table(F=F), "equations": {"a1": {"formula": "a1 ~ z"}}},
        "'a1' has an equation of its own",
    ),
    "predictor": (
        {**table(F=F), "equations": {"y": {"formula": "y ~ a1"}}}, "'a1' is a predictor too"
    ),
    "a construct as item": (table(F={**F, "items": ["a1", "a2", "H"]}, H=H), "a construct itself"),
    "logarithm": (
        {**table(F=F), "equations": {"y": {"formula": "y ~ log(F)"}}}, "cannot enter by log()"
    ),
    "family of a construct": (
        {**table(F=F), "equations": {"F": {"formula": "F ~ z", "family": "student"}}},
        "equations.F.family",
    ),
    "level of a construct": (
        {**table(F=F), "equations": {"F": {"formula": "F ~ z", "level": "who"}}},
        "say the same in both",
    ),
    "two families of an item": (
        table(F={**F, "family": "ordinal"}, H={**H, "items": ["b1", "b2", "a1"],
              "family": {"a1": "gaussian"}}),
        "is an item of F too",
    ),
    "nothing": ({"name": "test"}, "neither equations nor measures"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(WRONG))
def test_what_is_wrong_in_a_file_is_said(case: str) -> None:
    model, said = WRONG[case]
    with pytest.raises(InputError) as error:
        load_model(model)
    assert said in str(error.value)
    assert "Traceback" not in str(error.value)


def test_what_is_wrong_with_the_data_is_said() -> None:
    data = answers()
    for model, frame, said in (
        (table(F={**F, "items": ["a1", "a2", "a9"]}), data, "no column 'a9', the item of measures"),
        (table(F={**F, "rater": "who"}), data.groupby("unit").head(1), "has one 'who' only"),
        (table(F={**F, "level": "department"}), data, "no column 'department'"),
        (table(F=F), data.assign(a2=3.0), "it carries no information about a construct"),
        (
            table(F={**F, "family": "ordinal"}),
            data.assign(a1=data["a1"] + 0.5),
            "'a1'",
        ),
    ):
        with pytest.raises(InputError) as error:
            build_system(load_model(model), study(frame))
        assert said in str(error.value)


# --- what measures become ------------------------------------------------------------------


def test_names_of_parameters() -> None:
    model = {
        **table(F={**F, "by": "role"}, H={"items": ["b1", "g", "b2"], "level": "unit",
                "family": {"g": "gaussian"}}),
        "equations": {"y": {"formula": "y ~ F*H"}},
    }  # fmt: skip
    names = {p.name for p in parameters(layout_of(model, answers()))}
    assert {"F =~ a1", "H =~ g", "g ~ 1", "sigma(g)", "a1 | t1", "sigma(F)", "cor(F, H)"} <= names
    assert {"sd(F ~ 1 | rater)", "sd(H ~ 1 | rater)", "cor(F ~ 1, H ~ 1 | rater)"} <= names
    assert {"sd(F =~ a1 | role)", "sd(a1 ~ 1 | role)", "y ~ F", "y ~ F:H"} <= names
    assert not any(n.startswith(("F ~", "sigma(a")) for n in names)


def test_the_rater_column_names_the_deviation() -> None:
    names = [p.name for p in parameters(layout_of(table(F={**F, "rater": "who"}), answers()))]
    assert "sd(F ~ 1 | who)" in names


def test_families_go_by_the_values() -> None:
    data = answers().assign(a2=np.arange(UNITS * RATERS, dtype=float), a3=lambda d: d["a3"] + 0.5)
    layout = layout_of(table(F=F), data)
    found = {e.response: (e.family, e.link) for e in layout.equations if e.measured}
    assert found == {
        "a1": ("ordinal", "probit"),
        "a2": ("gaussian", "identity"),
        "a3": ("gaussian", "identity"),
    }


def test_raters_deviate_only_where_a_unit_has_several() -> None:
    assert layout_of(table(F=F), answers()).measures[0].raters
    alone = layout_of(table(F=F), answers(1))
    assert not alone.measures[0].raters
    assert not alone.blocks
    rows = layout_of(table(F={"items": ["a1", "a2", "a3"]}), answers())
    assert rows.equation("F").n == UNITS * RATERS
    assert not rows.blocks


def test_a_unit_without_answers_keeps_its_row() -> None:
    data = answers()
    data.loc[data["unit"] == "u07", ["a1", "a2", "a3"]] = np.nan
    data.loc[0, "a1"] = np.nan
    layout = layout_of(table(F=F), data)
    assert layout.equation("F").n == UNITS
    assert "u07" in layout.measures[0].units
    assert layout.equation("a1").n == UNITS * RATERS - RATERS - 1
    assert len(layout.missing[0].at) == UNITS


def test_complete_rows_can_be_asked_for() -> None:
    data = answers()
    data.loc[0, "a1"] = np.nan
    system = build_system(load_model({**table(F=F), "missing": "drop"}), study(data))
    assert system.sampled.layout.n_rows == UNITS * RATERS - 1
    assert system.sampled.layout.equation("F").n == UNITS


def test_a_column_of_the_construct_s_name_is_not_read() -> None:
    system = build_system(load_model(table(F=F)), study(answers().assign(F=1.0)))
    assert any("the column 'F' is not read" in f.message for f in system.findings)


def test_rough_values_follow_the_items() -> None:
    data = answers()
    system = build_system(load_model(table(F=F)), study(data)).sampled
    average = data.groupby("unit")[["a1", "a2", "a3"]].mean().mean(axis=1).to_numpy()
    assert np.corrcoef(system.responses["F"], average)[0, 1] > 0.99
    turned = {"items": ["a1", "a2", "t"], "level": "unit", "reverse": ["t"]}
    other = build_system(load_model(table(F=turned)), study(data.assign(t=5 - data["a3"]))).sampled
    np.testing.assert_allclose(other.responses["F"], system.responses["F"], atol=1e-12)


def test_an_item_that_goes_against_the_others_is_named() -> None:
    data = answers().assign(a3=lambda d: 5 - d["a3"])
    found = [f.message for f in build_system(load_model(table(F=F)), study(data)).findings]
    assert any("'a3' goes against" in m and 'reverse = ["a3"]' in m for m in found)
    turned = build_system(load_model(table(F={**F, "reverse": ["a3"]})), study(data))
    assert not any("goes against" in f.message for f in turned.findings)


def test_an_exogenous_construct_that_goes_with_a_predictor_is_named() -> None:
    data = answers()
    data["x"] = data.groupby("unit")["a1"].transform("mean")
    made = {**table(F=F), "equations": {"y": {"formula": "y ~ F + x"}}}
    found = [f.message for f in build_system(load_model(made), study(data)).findings]
    assert any("'F' has no equation" in m and 'formula = "F ~ x"' in m for m in found)
    made["equations"]["F"] = {"formula": "F ~ x"}
    found = [f.message for f in build_system(load_model(made), study(data)).findings]
    assert not any("has no equation" in m for m in found)
    far = build_system(load_model(made), study(data.assign(x=2000 + data["x"]))).findings
    assert any("write center(x)" in f.message for f in far)


# --- priors --------------------------------------------------------------------------------


def priors_of(model: dict[str, Any], data: pd.DataFrame) -> dict[str, str]:
    loaded = load_model(model)
    joint = build_system(loaded, study(data)).sampled
    found = resolve_priors(loaded.priors, joint.layout, joint.responses)
    return {n: f"{p.distribution}{p.note}" for n, p in found.items()}


def test_default_priors() -> None:
    data = answers()
    model = {
        **table(F={**F, "reverse": ["a3"], "by": "role"},
                H={**H, "items": ["g", "b1", "b2"], "marker": "g", "family": {"g": "gaussian"}}),
        "equations": {"y": {"formula": "y ~ F + H"}},
    }  # fmt: skip
    found = priors_of(model, data)
    assert found["F =~ a1"] == "Normal(mu=1, sigma=1), above 0"
    assert found["F =~ a3"] == "Normal(mu=-1, sigma=1), below 0"
    assert found["sigma(F)"] == found["H =~ g"] == "Constant(value=1)"
    assert found["sd(F ~ 1 | rater)"] == "HalfNormal(sigma=1)"
    assert found["sd(F =~ a1 | role)"] == found["sd(a1 ~ 1 | role)"] == "HalfNormal(sigma=0.2)"
    sd = {c: float(data[c].std()) for c in ("g", "y")}
    assert found["sigma(H)"] == f"HalfNormal(sigma={2.5 * sd['g']:.4g})"
    assert found["y ~ F"] == f"Normal(mu=0, sigma={2.5 * sd['y']:.4g})"
    assert found["y ~ H"] == f"Normal(mu=0, sigma={2.5 * sd['y'] / sd['g']:.4g})"
    assert found["y ~ 1"] == f"Normal(mu={float(data['y'].mean()):.4g}, sigma={2.5 * sd['y']:.4g})"


def test_patterns_know_loadings_and_leave_the_scale_alone() -> None:
    stated = {
        "* =~ *": {"dist": "HalfNormal", "sigma": 2.0},
        "sigma(*)": {"dist": "Exponential", "lam": 1.0},
        "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 9.0},
    }
    model = {
        **table(F=F),
        "equations": {"y": {"formula": "y ~ F"}},
        "priors": stated,
    }
    found = priors_of(model, answers())
    assert found["F =~ a1"].startswith("HalfNormal(sigma=2)")
    assert found["sigma(F)"] == "Constant(value=1)"
    assert found["sigma(y)"].startswith("Exponential")
    assert found["y ~ F"].startswith("Normal(mu=0, sigma=9)")


@pytest.mark.parametrize(
    ("name", "prior", "said"),
    [
        ("sigma(F)", {"dist": "HalfNormal", "sigma": 1}, "gives the construct its scale"),
        ("F =~ a1", {"dist": "Constant", "value": -1}, "it is above 0"),
        ("F =~ a4", {"dist": "Normal", "mu": 1, "sigma": 1}, "matches no parameter"),
        ("F =~ a3", {"dist": "HalfNormal", "sigma": 1}, "has no mass below 0"),
    ],
)
def test_priors_that_cannot_be(name: str, prior: dict[str, Any], said: str) -> None:
    model = {**table(F={**F, "reverse": ["a3"]}), "priors": {name: prior}}
    with pytest.raises(InputError, match=said):
        priors_of(model, answers())


# --- the generator and what is said of a fit ------------------------------------------------

TRUTH = {"lam": (1.0, 0.8, -1.2), "tau": 0.6, "sigma": 0.7}


def gaussian(units: int, raters: int) -> tuple[dict[str, Any], pd.DataFrame]:
    n = units * raters
    frame = pd.DataFrame({"unit": [f"u{k // raters}" for k in range(n)]})
    rng = np.random.default_rng(1)
    for i in ("a", "b", "c"):
        frame[i] = rng.normal(size=n)
    return table(F={"items": ["a", "b", "c"], "reverse": ["c"], "level": "unit"}), frame


def test_generated_items_covary_as_the_model_says() -> None:
    """Covariances over raters of one unit and of one rater, 1,500 data sets; |z| below 4.5."""
    model, frame = gaussian(10, 3)
    layout = layout_of(model, frame)
    truth = {p.name: 0.0 for p in parameters(layout)}
    truth |= {f"F =~ {i}": v for i, v in zip("abc", TRUTH["lam"], strict=True)}
    truth |= {"sigma(F)": 1.0, "sd(F ~ 1 | rater)": 0.6} | {f"sigma({i})": 0.7 for i in "abc"}
    rngs = [np.random.default_rng(k) for k in range(1500)]
    made = generate_stack(layout, truth, rngs).responses
    lam = np.array(TRUTH["lam"])
    same = np.outer(lam, lam) * (1 + 0.36) + 0.49 * np.eye(3)
    other = np.outer(lam, lam)
    for j, x in enumerate("abc"):
        for k, y in enumerate("abc"):
            for shift, want in ((0, same[j, k]), (1, other[j, k])):
                product = made[x].reshape(1500, 10, 3) * np.roll(
                    made[y].reshape(1500, 10, 3), shift, axis=2
                )
                each = product.mean(axis=(1, 2))
                assert abs(each.mean() - want) < 4.5 * each.std() / np.sqrt(1500)


def at_truth(model: dict[str, Any], frame: pd.DataFrame, value: dict[str, float]) -> Any:
    """A fit all of whose draws are at some values, with scores that are right but for noise."""
    fit = fake_fit(model, frame)
    joint = fit.system.sampled
    rng = np.random.default_rng(2)
    shape = (2, 60)
    known = parameters(joint.layout)
    draws = np.stack([np.full(shape, value.get(p.name, 0.5)) for p in known], axis=2)
    scores = {g.variable: rng.normal(size=(*shape, len(g.at))) for g in joint.layout.missing}
    effects = {
        b.key: np.zeros((*shape, len(b.levels), len(b.members))) for b in joint.layout.blocks
    }
    names = tuple(p.name for p in known)
    stats = {"diverging": np.zeros(shape, dtype=bool)}
    posterior = Posterior(names, draws, effects, "fake", stats, {"sample": 1.0}, imputed=scores)
    return dataclasses.replace(fit, draws=posterior)


def test_measurement_by_hand() -> None:
    model, frame = gaussian(12, 3)
    value = {"F =~ a": 1.0, "F =~ b": 0.8, "F =~ c": -1.2, "sigma(F)": 1.0}
    value |= {"sd(F ~ 1 | rater)": 0.6, "sigma(a)": 0.7, "sigma(b)": 0.7, "sigma(c)": 0.7}
    fit = at_truth(model, frame, value)
    found = {(r["name"], r["quantity"]): r["mean"] for r in measurement(fit).to_dict("records")}
    seen = 1.0 + 0.36
    for item, lam in (("a", 1.0), ("b", 0.8), ("c", -1.2)):
        want = lam * np.sqrt(seen) / np.sqrt(lam**2 * seen + 0.49)
        assert found[f"F =~ {item}", "standardized"] == pytest.approx(want)
    total = 3.0**2  # 1 + .8 + 1.2, the last turned
    assert found["F", "omega"] == pytest.approx(total / (total + (total * 0.36 + 3 * 0.49) / 3))
    assert found["F", "icc1"] == pytest.approx(1 / seen)
    assert found["F", "icc2"] == pytest.approx(1 / (1 + 0.36 / 3))
    assert 0 <= found["F", "determinacy"] <= 1
    scores = constructs(fit)
    assert list(scores.columns) == ["construct", "unit", "wave", "mean", "sd"]
    assert list(scores["unit"]) == [f"u{k}" for k in range(12)]


def test_the_report_shows_constructs_and_no_equations_of_items(tmp_path: Path) -> None:
    data = answers()
    model = {**table(F={**F, "by": "role"}, H=H), "equations": {"H": {"formula": "H ~ F + z"}}}
    value = {f"F =~ a{k}": 1.0 for k in (1, 2, 3)} | {f"H =~ b{k}": 1.0 for k in (1, 2, 3)}
    value |= {f"{i}{k} | t{t}": t - 2.0 for i in "ab" for k in (1, 2, 3) for t in (1, 2, 3)}
    fit = at_truth(model, data, {**value, "sigma(F)": 1.0, "sigma(H)": 1.0})
    ac.report(fit, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert 'id="constructs"' in page
    assert "How well F is measured" in page
    assert "Agreement of raters (ICC1)" in page
    assert "How far items differ between groups of role" in page
    assert "Residual correlations of items" in page
    assert "u07" not in page  # no unit of the data


def test_a_model_of_measures_alone_is_written_and_reported(tmp_path: Path) -> None:
    from acmodels.reporting.results import write_fit

    model, frame = gaussian(12, 3)
    value = {"F =~ a": 1.0, "F =~ b": 0.8, "F =~ c": -1.2, "sigma(F)": 1.0}
    fit = at_truth(model, frame, value)
    write_fit(fit, tmp_path)
    found = pd.read_csv(tmp_path / "measurement.csv")
    assert list(found.columns) == ["name", "quantity", "mean", "sd", "lower", "upper"]
    assert len(pd.read_csv(tmp_path / "constructs.csv")) == 12
    assert not len(pd.read_csv(tmp_path / "r2.csv"))
    ac.report(fit, tmp_path / "report.html")
    assert "Loadings on F" in (tmp_path / "report.html").read_text()


# --- designs -------------------------------------------------------------------------------


def design(**more: Any) -> dict[str, Any]:
    model = {
        **table(F={**F, "reverse": ["a3"]}, H=H),
        "equations": {"H": {"formula": "H ~ F"}, "y": {"formula": "y ~ H + z"}},
        "estimands": {"effect": {"kind": "coefficient", "parameter": "H ~ F"}},
    }
    return {
        "model": model,
        "units": {"unit": 20, "row": {"per": "unit", "n": 3}},
        "truth": {"H ~ F": 0.5, "F =~ a1": 0.9},
        **more,
    }


def loaded(tmp_path: Path, made: dict[str, Any]) -> Any:
    from acmodels.load import load_design
    from acmodels.spec.design import with_model

    model = load_model(made["model"])
    (tmp_path / "m.toml").write_text('name = "m"\n[equations.y]\nformula = "y ~ 1"\n')
    bare = load_design({**made, "model": str(tmp_path / "m.toml")})
    return with_model(dataclasses.replace(bare, model=None), model)


def test_designs_simulate_items(tmp_path: Path) -> None:
    made = ac.simulate(loaded(tmp_path, design(loss={"items": 0.1})), seed=1)
    assert list(made.study.frame.columns) == ["unit", "z", "y", "a1", "a2", "a3", "b1", "b2", "b3"]
    assert made.study.frame["a1"].isna().sum() == 6
    assert set(made.study.frame["a1"].dropna()) <= {1, 2, 3, 4, 5}
    assert made.truth["F =~ a1"] == 0.9
    assert made.truth["F =~ a3"] == -1.0
    assert made.truth["sd(F ~ 1 | rater)"] == 0.5
    assert "sigma(F)" not in made.assumed
    build_system(loaded(tmp_path, design()).model, made.study)


def test_truths_drawn_from_priors_keep_signs_and_scales(tmp_path: Path) -> None:
    from acmodels.replication.truths import truths

    model = loaded(tmp_path, design()).model
    layout = build_system(model, study(answers())).sampled.layout
    priors = resolve_priors(model.priors, layout, None)
    drawn = truths(layout, priors, [np.random.default_rng(k) for k in range(50)])
    assert (drawn["F =~ a1"] > 0).all()
    assert (drawn["F =~ a3"] < 0).all()
    assert (drawn["sigma(F)"] == 1).all()
    middle = truths(layout, priors, [np.random.default_rng(1)], middle=True)
    assert middle["F =~ a1"] > 0 > middle["F =~ a3"]


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ({"sigma(F)": 2.0}, "it is 1, which gives the construct its scale"),
        ({"F =~ a3": 1.0}, "it must be below 0"),
        ({"F =~ a9": 1.0}, "no parameter 'F =~ a9'"),
    ],
)
def test_truths_that_cannot_be(tmp_path: Path, truth: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ac.simulate(loaded(tmp_path, design(truth=truth)), seed=1)


def test_numbers_of_items_and_raters_are_choices_of_a_grid(tmp_path: Path) -> None:
    from acmodels.spec.plan import plan_from_table, plan_with_model

    made = design(grid={"F.items": [2, 5], "row.n": [2, 4]}, criterion={"estimand": "effect"})
    model = load_model(made.pop("model"))
    plan = plan_with_model(plan_from_table({**made, "model": "m"}, "plan.toml"), model)
    assert plan.choices == ("F.items", "row.n")
    few, many = plan.cells[0].design, plan.cells[3].design
    assert few.model is not None
    assert many.model is not None
    assert few.model.measures["F"].items == ("a1", "a2")
    assert many.model.measures["F"].items == ("a1", "a2", "a3", "F_item4", "F_item5")
    assert ac.simulate(many, seed=1).study.n_rows == 80
    wrong = plan_from_table({**made, "model": "m", "grid": {"G.items": [2]}}, "plan.toml")
    with pytest.raises(InputError, match="no measure of that name"):
        plan_with_model(wrong, model)

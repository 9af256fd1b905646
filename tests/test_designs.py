"""Designs simulate what they say, and say what they assume."""

import collections
import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, t

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.errors import InputError
from acmodels.load import load_design, load_plan, models_folder
from acmodels.planner import controls, plan_of
from acmodels.planner.settings import plans
from acmodels.replication.job import Cell
from acmodels.replication.pilot import plan_and_words, to_toml
from acmodels.replication.ready import resolve_design
from acmodels.simulation import assumed, losable
from acmodels.spec.design import Design
from acmodels.spec.plan import is_choice
from acmodels.system import parameters
from monte_carlo import allowed, icc_error, sd_error

SHIPPED = sorted((models_folder() / "designs").glob("*.toml"))
START = models_folder() / "start" / "plan.toml"

MODEL: dict[str, Any] = {
    "name": "m",
    "equations": {
        "m": {"formula": "m ~ x + arm + (1 | g)"},
        "y": {"formula": "y ~ m + x + arm + (1 | g)"},
    },
    "estimands": {"ind": {"kind": "indirect", "from": "arm", "to": "y"}},
}
DESIGN: dict[str, Any] = {
    "model": "m",
    "units": {"g": 20, "row": {"per": "g", "n": 6}},
    "truth": {"m ~ arm": 0.5},
    "exogenous": {
        "x": {"dist": "Normal", "level": "row"},
        "arm": {"dist": "Bernoulli", "p": 0.5, "level": "g"},
    },
}


def design(model: Mapping[str, Any] = MODEL, **more: Any) -> Design:
    """The design above, with other tables."""
    made = load_design({**DESIGN, "model": "cluster_randomised", **more})
    return replace(made, model=ac.load_model(model))


# --- truths -------------------------------------------------------------------------------------


def unstated_sds(made: Design) -> list[str]:
    layout, _, _ = resolve_design(Cell(made), 1)
    kinds = {p.name: p.kind for p in parameters(layout)}
    return [n for n in assumed(made, layout) if kinds[n] in ("sd", "sigma")]


@pytest.mark.parametrize("path", [*SHIPPED, START], ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_shipped_design_states_its_sds(path: Path) -> None:
    made = load_design(path)
    assert unstated_sds(made) == []
    if "grid" in tomllib.loads(path.read_text(encoding="utf-8")):
        layout, _, _ = resolve_design(Cell(made), 1)
        left = assumed(made, layout)  # power depends on all but the intercepts of gaussian outcomes
        assert [n for n in left if not n.endswith(" ~ 1")] == []
        assert {*made.exogenous} == {
            v for e in made.model.equations.values() for v in e.formula.variables()
        } - set(made.model.equations)  # fmt: skip


@pytest.mark.parametrize("name", plans())
def test_every_plan_of_the_planner_states_its_sds(name: str) -> None:
    for moved in ({}, {c.key: c.high for c in controls(name) if c.key.startswith("icc ")}):
        assert unstated_sds(load_plan(plan_of(name, moved)).cells[0].design) == []


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.05, 20), mu=st.floats(-3, 3))
def test_what_no_design_states_is_by_the_contract_whatever_the_priors(
    scale: float, mu: float
) -> None:
    priors = {
        "* ~ x": {"dist": "Normal", "mu": mu, "sigma": 1},
        "sd(*)": {"dist": "HalfNormal", "sigma": scale},
        "sigma(m)": {"dist": "Gamma", "alpha": 2, "beta": scale},
    }
    made = ac.simulate(design({**MODEL, "priors": priors}))
    truth = made.truth
    assert truth["sigma(m)"] == truth["sigma(y)"] == 1.0
    assert truth["sd(m ~ 1 | g)"] == truth["sd(y ~ 1 | g)"] == 0.5
    assert truth["m ~ x"] == truth["y ~ x"] == mu  # the median of a stated prior
    assert truth["y ~ m"] == 0.0
    assert truth["m ~ arm"] == 0.5
    assert set(made.assumed) == set(truth) - {"m ~ arm"}


def test_every_command_that_simulates_lists_what_it_assumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.toml").write_text(
        'name = "m"\n[equations.y]\nformula = "y ~ x + z + (1 | g)"\n'
        '[estimands.b]\nkind = "coefficient"\nparameter = "y ~ x"\n'
    )
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'model = "m.toml"\nreplications = 20\n[units]\ng = 12\nrow = { per = "g", n = 3 }\n'
        '[truth]\n"y ~ x" = 0.3\n[exogenous]\nx = { dist = "Normal" }\n'
        '[grid]\n"sd(y ~ 1 | g)" = [0.2, 0.6]\n[criterion]\nestimand = "b"\n'
    )
    for command in ("simulate", "recover", "power"):
        out = tmp_path / command
        cli([command, str(plan), "--out", str(out)])
        said = capsys.readouterr().out
        assert "1 for sigma(y)" in said
        assert "0 for y ~ 1, y ~ z" in said
        assert "do not" not in said
        assert ("0.5 for sd(y ~ 1 | g)" in said) == (command != "power")  # the grid states it
        assert "Normal(mu=0, sigma=1), since the design does not describe them: z" in said
        if command != "simulate":
            page = (out / "report.html").read_text(encoding="utf-8")
            methods = page.split("For a methods section")[1]
            for part in (page, methods):
                assert "1 for sigma(y)" in part
                assert "y ~ x = 0.3" in part
                assert "standard normal was assumed" in part
    truth = json.loads((tmp_path / "simulate" / "truth.json").read_text())
    assert truth["assumed"] == ["y ~ 1", "y ~ z", "sd(y ~ 1 | g)", "sigma(y)"]
    assert truth["sigma(y)"] == 1.0
    cli(["simulate", str(plan), "--json", "--out", str(tmp_path / "j")])
    told = json.loads(capsys.readouterr().out)
    assert told["assumed"]["sd(y ~ 1 | g)"] == 0.5
    assert told["assumed_predictors"] == ["z"]


def test_an_icc_of_the_planner_is_what_is_simulated() -> None:
    for name in plans():
        for key in (c.key for c in controls(name) if c.key.startswith("icc ")):
            plan = load_plan(plan_of(name, {key: 0.3}))
            made = plan.cells[-1].design
            y = key.removeprefix("icc ")
            assert made.model is not None
            slopes = {n: 0.0 for n in made.truth if "~" in n and not n.startswith(("sd(", "cor("))}
            slopes |= {n: 0.0 for n in made.truth if n.startswith("sd(") and "~ 1 |" not in n}
            units = tuple(
                replace(u, size=replace(u.size, mean=400.0)) if u.name in ("district", "partner")
                else u for u in made.units
            )  # fmt: skip
            alone = replace(made, truth={**made.truth, **slopes}, units=units)
            frame = ac.simulate(alone, seed=5).study.frame
            level = made.model.equations[y].level
            rows = frame if level is None else frame.drop_duplicates(level)
            groups = rows["district"].nunique()
            near = allowed(icc_error(0.3, len(rows) / groups, groups), comparisons=10)
            assert icc(rows[y], rows["district"]) == pytest.approx(0.3, abs=near), (name, y)


def icc(values: pd.Series, groups: pd.Series) -> float:
    """ICC(1) by analysis of variance, of groups of equal size."""
    by = values.groupby(groups)
    n = len(values) / by.ngroups
    between = n * by.mean().var()
    within = by.var().mean()
    return (between - within) / (between + (n - 1) * within)


# --- losses -------------------------------------------------------------------------------------


def test_items_empty_their_share_of_cells_and_nothing_else() -> None:
    whole = ac.simulate(design(), seed=3).study.frame
    frame = ac.simulate(design(loss={"items": 0.1}), seed=3).study.frame
    gone = frame.isna().mean()
    assert {k: v for k, v in gone.items() if v} == {"x": 0.1, "m": 0.1, "y": 0.1}
    pd.testing.assert_frame_equal(frame.fillna(whole), whole)  # the same study, with holes
    other = ac.simulate(design(loss={"items": {"y": 0.25}}), seed=3).study.frame
    assert other.isna().mean().to_dict() == {"g": 0, "x": 0, "arm": 0, "m": 0, "y": 0.25}


def test_what_cannot_be_lost_is_not() -> None:
    model = {
        "name": "m",
        "equations": {
            "u": {"formula": "u ~ w", "level": "g"},
            "y": {
                "formula": "y ~ u + w + flag + z + offset(o) + (1 | g)", "family": "poisson",
            },
            "v": {"formula": "v ~ z + (1 | g)", "se": "error"},
        },
    }  # fmt: skip
    made = design(
        model,
        truth={"y ~ 1": 1.0, "y ~ u": 0.1},
        exogenous={
            "error": {"dist": "Gamma", "alpha": 9, "beta": 9},
            "flag": {"dist": "Bernoulli", "p": 0.4},
        },
        loss={"items": 0.2},
    )
    assert losable(made) == ("u", "y", "v", "z")
    frame = ac.simulate(made).study.frame
    assert frame[["w", "flag", "o", "error", "g"]].notna().all(axis=None)
    assert str(frame["y"].dtype) == "Int64"  # counts stay whole numbers
    lost = frame["u"].isna().groupby(frame["g"]).agg(["min", "max"])
    assert (lost["min"] == lost["max"]).all()  # one value of a unit, in all its rows
    assert lost["min"].sum() == 4
    with pytest.raises(InputError, match=r"loss.items.flag.*columns that can lack values"):
        ac.simulate(replace(made, loss=replace(made.loss, columns={"flag": 0.1})))
    with pytest.raises(InputError, match="can be fitted"):
        ac.simulate(design({**MODEL, "missing": "error"}, loss={"items": 0.1}))
    with pytest.raises(InputError, match=r"loss.items"):
        design(loss={"items": 1.5})


def test_attrition_drops_units_from_a_wave_on() -> None:
    made = design(
        units={"g": 400, "wave": 4, "row": {"per": "g", "n": 8, "crossed_with": "wave"}},
        loss={"attrition": 0.2},
    )
    frame = ac.simulate(made).study.frame
    everything = ac.simulate(replace(made, loss=replace(made.loss, attrition=0.0))).study.frame
    last = frame.groupby("g")["wave"].max()
    kept = everything[everything["wave"] <= everything["g"].map(last)]
    assert len(kept) == len(frame)  # whatever came before the last wave is there
    share = frame["wave"].value_counts() / everything["wave"].value_counts()
    for k, wave in enumerate(sorted(share.index)):  # 0.8 to the power of the waves gone
        p = 0.8**k
        assert share[wave] == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 400) + 1e-9)


def wider(kept: float) -> float:
    """How much wider the interval of a slope is where rows of 20 groups of 6 are lost at random.

    n rows of a group say n - 1 + 1 / (1 + n 0.5^2) of a slope in units of one row's (generalized
    least squares), and the interval is of a Student t.
    """
    n = np.arange(7)
    known = n - 1 + 1 / (1 + n * 0.25)
    left = binom.pmf(n, 6, kept) @ known
    of_t = t.ppf(0.975, kept * 120 - 21) / t.ppf(0.975, 120 - 21)
    return float(np.sqrt(known[6] / left) * of_t)


def test_losses_of_outcomes_leave_the_fit_exact_and_right() -> None:
    truth = {"y ~ x": 0.4, "sd(y ~ 1 | g)": 0.5, "sigma(y)": 1.0}
    alone = {"name": "y", "equations": {"y": {"formula": "y ~ x + (1 | g)"}}}
    # a width is as sure as the residual sd and the sd of x, each of 200 studies of 20 groups of 6
    # rows, or of 0.7 of them, less the groups and the slope
    near = allowed(*(sd_error(200 * df) for n in (120, 84) for df in (n, n - 21)))
    for missing in ("model", "drop"):
        made = design({**alone, "missing": missing}, truth=truth, exogenous={},
                      loss={"items": {"y": 0.3}})  # fmt: skip
        found = ac.recover(made, replications=200)
        assert found.result.ready[0].engine == "collapsed"
        row = found.table.set_index("name").loc["y ~ x"]
        assert abs(row["bias"]) < 4 * row["rmse"] / np.sqrt(200)
        assert abs(row["coverage"] - 0.95) < 4 * row["coverage_mcse"]
        full = ac.recover(replace(made, loss=replace(made.loss, columns={})), replications=200)
        wide = full.table.set_index("name").loc["y ~ x", "mean_width"]
        assert row["mean_width"] / wide == pytest.approx(wider(0.7), rel=near)
    dropped = ac.recover(design({**MODEL, "missing": "drop"}, loss={"items": 0.1}), replications=40)
    assert dropped.trusted
    rows = dropped.result.ready[0].typical[0].n_rows
    share = 0.9**3  # of rows of which none of three columns is lost
    near = allowed(np.sqrt(120 * share * (1 - share)))
    assert rows == pytest.approx(120 * share, abs=near)


def test_missing_mediators_are_modeled_in_a_loop() -> None:
    from acmodels.replication.job import Job
    from acmodels.replication.ready import get_ready
    from acmodels.replication.recovery import RecoveryMeasure
    from acmodels.rng import stream
    from acmodels.simulation import draw_losses

    made = design(loss={"items": 0.1})
    ready = get_ready(Job("recover", (Cell(made),), RecoveryMeasure("eti", 0.95), 1), 0)
    assert ready.engine == "hmc"
    assert "modeled in the fit" in ready.assumptions.losses[0]
    layout, _, _ = resolve_design(Cell(made), 1)
    seen = [
        draw_losses(made, layout, stream(1, k), stream(1, "pattern")) for k in range(3)
    ]  # the same cells together, in other rows: one compilation serves all
    together = [np.unique(np.stack(list(s.values())), axis=1, return_counts=True) for s in seen]
    for patterns, counts in together[1:]:
        assert np.array_equal(patterns, together[0][0])
        assert np.array_equal(counts, together[0][1])
    assert not np.array_equal(seen[0]["y"], seen[1]["y"])
    with pytest.raises(InputError, match=r"cannot be modeled.*missing = .drop."):
        get_ready(
            Job(
                "recover",
                (Cell(design(
                    {"name": "y", "equations": {"y": {"formula": "y ~ log(x)"}}}, truth={},
                    exogenous={"x": {"dist": "Gamma", "alpha": 4, "beta": 1}},
                    loss={"items": {"x": 0.1}},
                )),),
                RecoveryMeasure("eti", 0.95), 1,
            ), 0,
        )  # fmt: skip


def holed_job(**more: Any) -> Any:
    """A calibration whose studies lack cells of a mediator and of a predictor."""
    from acmodels.replication.calibration import RankMeasure
    from acmodels.replication.job import Job

    made = design(
        units={"g": 12, "row": {"per": "g", "n": {"mean": 6, "sd": 4, "min": 1}}},
        truth={}, loss={"items": 0.1},
        model={**MODEL, "priors": {"sd(*)": {"dist": "HalfNormal", "sigma": 0.5}}}, **more,
    )  # fmt: skip
    return Job("calibrate", (Cell(made, from_priors=True),), RankMeasure(log_lik=False), 1)


@pytest.mark.parametrize("attrition", [0.0, 0.3])
def test_studies_of_the_same_sizes_draw_their_own_predictors(attrition: float) -> None:
    from acmodels.rng import stream
    from acmodels.simulation import draw_frame

    made = design(
        units={"g": 12, "p": 3, "row": {"per": "g", "n": {"mean": 6, "sd": 4, "min": 1},
                                        "crossed_with": "p"}},
        loss={"attrition": attrition},
    )  # fmt: skip
    one, two = (draw_frame(made, stream(1, k), stream(1, "sizes")).frame for k in range(2))
    pd.testing.assert_frame_equal(one[["g", "p"]], two[["g", "p"]])
    assert not np.isclose(one["x"], two["x"]).any()
    other = draw_frame(made, stream(1, 0), stream(2, "sizes")).frame
    assert len(other) != len(one) or not other["g"].equals(one["g"])


def test_a_fit_that_did_not_converge_is_done_again_by_longer_chains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unless a person said how many; what comes out has the same number of draws."""
    from acmodels.engines import Sampling
    from acmodels.replication import block

    asked: list[tuple[int, int]] = []
    kind = collections.namedtuple("kind", "names values")
    found = collections.namedtuple("found", "usable min_ess_bulk messages")

    class Fake:
        def sample(self, data: Any, seed: int, sampling: Sampling) -> Any:
            asked.append((sampling.tune, sampling.draws))
            return kind(("a",), np.arange(4.0 * sampling.draws).reshape(4, -1, 1))

    monkeypatch.setattr(
        block, "diagnose", lambda p, *_: found(p.values.shape[1] > 600, 150.0, ("too few",))
    )

    def changed(p: Any, **more: Any) -> Any:
        return replace(p, **more) if isinstance(p, Sampling) else p._replace(**more)

    monkeypatch.setattr(block, "replace", changed)
    for again, runs, reason in (
        (True, [(500, 500), (2000, 2000)], ""),
        (False, [(500, 500)], "too few"),
    ):
        asked.clear()
        got = block._one_by_one(Sampling(500, 500), [Fake()], [{}], [1], again=again)  # pyright: ignore[reportPrivateUsage, reportArgumentType]
        assert asked == runs
        assert got.values.shape == (1, 4 * 500, 1)
        assert got.reasons == (reason,)
        # every draw, or every fourth: thinned, not cut off
        np.testing.assert_array_equal(got.values[0, :500, 0], np.arange(500) * runs[-1][1] / 500)


def test_too_few_ranks_are_not_called_not_uniform() -> None:
    from acmodels.replication.calibration import calibrate

    model = {"name": "y", "equations": {"y": {"formula": "y ~ x + (1 | g)"}}}
    few = calibrate(design(model, truth={}, exogenous={}), replications=4)
    assert "not tested: 4 fits" in few.verdict
    assert "at least 10" in few.verdict
    assert set(few.table["verdict"]) == {"unknown"}
    enough = calibrate(design(model, truth={}, exogenous={}), replications=20)
    assert "uniform: p of the model" in enough.verdict
    assert not np.isnan(enough.p_model)


# --- allocation ---------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(p=st.floats(0.05, 0.95), n=st.integers(3, 60), seed=st.integers(0, 100))
def test_balanced_gives_each_arm_exactly_its_share(p: float, n: int, seed: int) -> None:
    arm = {"dist": "Bernoulli", "p": p, "level": "g", "assign": "balanced"}
    made = design(units={"g": n, "row": {"per": "g", "n": 2}}, exogenous={"arm": arm})
    frame = ac.simulate(made, seed=seed).study.frame
    treated = frame.groupby("g")["arm"].first().sum()
    assert treated == min(max(np.floor(p * n + 0.5), 1), n - 1)
    assert frame.groupby("g")["arm"].nunique().max() == 1


def test_balanced_is_in_random_order_and_refused_where_it_means_nothing() -> None:
    arm = {"dist": "Bernoulli", "p": 0.5, "level": "g", "assign": "balanced"}
    made = design(exogenous={"arm": arm})
    first = [ac.simulate(made, seed=k).study.frame.groupby("g")["arm"].first() for k in range(40)]
    share = np.mean(first, axis=0)
    assert np.all(np.abs(share - 0.5) < 4 * np.sqrt(0.25 / 40))
    for wrong, said in (
        ({"dist": "Normal", "assign": "balanced"}, "can only be used with Bernoulli"),
        ({**arm, "assign": "blanced"}, "did you mean 'balanced'"),
        ({**arm, "level": "row", "icc": {"g": 0.2}}, "cannot have an icc"),
    ):
        with pytest.raises(InputError, match=said):
            design(exogenous={"arm": wrong})


def test_categorical_predictors() -> None:
    sector = {"dist": "Categorical", "p": {"Public": 0.5, "Private": 0.3, "Other": 0.2}}
    grade = {"dist": "Categorical", "p": {"1": 0.25, "2": 0.75}, "icc": {"g": 0.3}}
    model = {"name": "m", "equations": {"y": {"formula": "y ~ sector + grade + (1 | g)"}}}
    made = design(
        model, truth={"y ~ sector[Private]": 0.3},
        exogenous={"sector": {**sector, "level": "g", "assign": "balanced"}, "grade": grade},
    )  # fmt: skip
    frame = ac.simulate(made).study.frame
    assert frame.groupby("g")["sector"].first().value_counts().to_dict() == {
        "Public": 10, "Private": 6, "Other": 4,
    }  # fmt: skip
    assert set(frame["grade"]) == {1.0, 2.0}
    with pytest.raises(InputError, match="must sum to 1"):
        design(model, exogenous={"sector": {"dist": "Categorical", "p": {"a": 0.2, "b": 0.2}}})


# --- pilot --------------------------------------------------------------------------------------


def piloted(frame: pd.DataFrame, formula: str, plan: str, **model: Any) -> tuple[Any, list[str]]:
    made = ac.load_model(
        {
            "name": "m", **model, "equations": {"y": {"formula": formula}},
            "estimands": {"b": {"kind": "coefficient", "parameter": "y ~ x"}},
        }
    )  # fmt: skip
    loaded = load_plan({"model": "cluster_randomised", **tomllib.loads(plan)})
    cells = tuple(replace(c, design=replace(c.design, model=made)) for c in loaded.cells)
    fitted = ac.fit(made, frame, engine="collapsed" if not frame.isna().any(axis=None) else "auto")
    table, said = plan_and_words(replace(loaded, cells=cells), fitted)
    again = load_design({k: v for k, v in tomllib.loads(to_toml(table)).items() if k != "grid"})
    return replace(again, model=made), [*said]


PLAN = """
[units]
g = 30
row = { per = "g", n = 8 }
[criterion]
estimand = "b"
"""


def test_a_pilot_carries_over_its_predictors() -> None:
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(60), 8)
    x = 100 + 15 * (np.sqrt(0.4) * rng.standard_normal(60)[g]
                    + np.sqrt(0.6) * rng.standard_normal(480))  # fmt: skip
    frame = pd.DataFrame(
        {
            "g": [f"g{k}" for k in g],
            "x": x,
            "arm": (np.arange(60) % 4 == 0).astype(float)[g],
            "sector": np.array(["Public", "Private", "Other"])[(np.arange(60) % 6) // 2][g],
            "minutes": rng.gamma(1.0, 20.0, 480) + 0.1,
            "grade": rng.integers(1, 5, 480),
        }
    )
    frame["y"] = 0.03 * x + 0.4 * frame["arm"] + rng.standard_normal(480)
    formula = "y ~ x + arm + sector + minutes + grade + (1 | g)"
    made, said = piloted(frame, formula, PLAN)
    assert len(said) == 5
    found = made.exogenous
    assert found["x"].distribution.parameters["mu"] == pytest.approx(x.mean(), rel=1e-3)
    assert found["x"].distribution.parameters["sigma"] == pytest.approx(x.std(ddof=1), rel=1e-3)
    assert (found["x"].level, found["arm"].level, found["sector"].level) == ("row", "g", "g")
    assert found["x"].icc["g"] == pytest.approx(icc(frame["x"], frame["g"]), rel=1e-3)
    assert found["arm"].distribution.parameters == {"p": 0.25}
    assert found["sector"].balanced
    assert found["minutes"].distribution.name == "Gamma"
    assert found["grade"].distribution.name == "Categorical"
    made = replace(made, units=tuple(replace(u, size=replace(u.size, mean=300.0))
                                     if u.name == "g" else u for u in made.units))  # fmt: skip
    drawn = ac.simulate(made).study.frame
    for name in ("x", "minutes", "grade"):
        error = frame[name].std() / np.sqrt(300 if name == "x" else 2400)
        assert abs(drawn[name].mean() - frame[name].mean()) < 5 * error
        units = 300 if name == "x" else 2400  # at the least: rows of x in a unit are alike
        near = allowed(sd_error(units, drawn[name].kurt() + 3), comparisons=4)
        assert drawn[name].std() == pytest.approx(frame[name].std(), rel=near)
    want = icc(frame["x"], frame["g"])
    near = allowed(icc_error(want, 8, 300), comparisons=4)
    assert icc(drawn["x"], drawn["g"]) == pytest.approx(want, abs=near)
    assert set(drawn["sector"]) == {"Public", "Private", "Other"}


def test_a_pilot_says_what_it_does_not_carry_over() -> None:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(40), 6)
    x = rng.standard_normal(240)
    frame = pd.DataFrame(
        {"g": [f"g{k}" for k in g], "x": x, "z": x + 0.5 * rng.standard_normal(240)}
    )
    frame["y"] = 50 + 15 * rng.standard_normal(240)
    frame.loc[:23, "y"] = np.nan
    stated = PLAN + '[exogenous]\nz = { dist = "Normal", mu = 3, sigma = 2 }\n'
    made, said = piloted(frame, "y ~ x + z + (1 | g)", stated)
    assert made.loss.columns == {"y": 0.1}
    assert made.exogenous["z"].distribution.parameters == {"mu": 3.0, "sigma": 2.0}
    assert "z: as the plan states it" in said
    made, said = piloted(frame, "y ~ x + z + (1 | g)", PLAN, missing="drop")
    assert made.loss.attrition == pytest.approx(0.1)
    assert any("correlations of predictors, x and z (0.9" in s for s in said)


# --- power --------------------------------------------------------------------------------------

POWER = """
model = "m.toml"
replications = 40
[units]
g = 12
row = { per = "g", n = 4 }
[truth]
"y ~ x" = 0.5
"sigma(y)" = 1.0
[grid]
g = [8, 16, 24]
"row.n" = [4, 8]
"sd(y ~ 1 | g)" = [0.2, 0.8]
"loss.attrition" = [0.0, 0.5]
[criterion]
estimand = "b"
[cost]
g = 100
row = 10
"""
ONE = """
name = "one"
[equations.y]
formula = "y ~ x + (1 | g)"
[estimands.b]
kind = "coefficient"
parameter = "y ~ x"
"""


def test_the_cheapest_design_is_never_chosen_among_assumptions(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(ONE)
    path = tmp_path / "plan.toml"
    path.write_text(POWER)
    plan = load_plan(path)
    assert plan.choices == ("g", "row.n")
    assert plan.conditions == ("sd(y ~ 1 | g)", "loss.attrition")
    found = ac.power(plan)
    said = [a for a in found.answers if a.startswith("Assuming ")]
    for sd in ("0.2", "0.8"):
        for loss in ("0", "0.5"):
            where = f"Assuming sd(y ~ 1 | g) = {sd}, loss.attrition = {loss}, "
            (one,) = [a for a in said if a.startswith(where)]
            rows = found.table[
                (found.table["sd(y ~ 1 | g)"] == float(sd))
                & (found.table["loss.attrition"] == float(loss))
            ]
            enough = rows[rows["power"] >= 0.8]
            if len(enough):
                best = enough.loc[enough["cost"].idxmin()]
                assert f"costs {best['cost']:.0f} at g = {best['g']:g}, row.n = " in one
            else:
                assert "no design of the grid reaches a power of" in one
    assert len(said) == 4
    confirmed = ac.power(plan, confirm=True, out=tmp_path / "o").confirmed
    assert confirmed is not None
    reached = sum("costs" in a for a in said)
    assert len(confirmed) == reached
    assert len(confirmed.drop_duplicates(list(plan.conditions))) == reached


@pytest.mark.parametrize(
    ("key", "choice"),
    [
        ("g", True), ("row.n", True), ("units.row.n", True), ("units.g", True),
        ("row.n.mean", True), ("row.n.sd", False), ("trust.items", True), ("trust.raters", True),
        ("loss.items", False), ("loss.attrition", False), ("y ~ x", False), ("sigma(y)", False),
        ("sd(y ~ 1 | g)", False), ("x.sigma", False), ("exogenous.x.icc.g", False),
    ],
)  # fmt: skip
def test_choices_are_numbers_of_units_items_and_raters(key: str, choice: bool) -> None:
    table = {"units": {"g": 3, "row": {"per": "g", "n": 2}}, "exogenous": {"x": {}}}
    assert is_choice(key, table) is choice


def test_a_budget_leaves_out_what_costs_more(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(ONE)
    path = tmp_path / "plan.toml"
    path.write_text(POWER + "budget = 3000\n")
    plan = load_plan(path)
    assert {c.values["g"] for c in plan.left_out} == {24}
    assert all(c.cost is not None and c.cost <= 3000 for c in plan.cells)
    assert len(plan.cells) + len(plan.left_out) == 24
    cli(["power", str(path), "--out", str(tmp_path / "o"), "--quiet"])
    table = pd.read_csv(tmp_path / "o" / "power.csv")
    assert len(table) == len(plan.cells)
    assert table["cost"].max() <= 3000
    page = (tmp_path / "o" / "report.html").read_text(encoding="utf-8")
    assert "cost more than the budget of 3000 and were left out" in page
    assert "within the budget of 3000" in page
    drawing = ElementTree.parse(tmp_path / "o" / "power.svg").getroot()  # noqa: S314
    assert drawing.tag.endswith("svg")
    assert "var(--" not in (tmp_path / "o" / "power.svg").read_text(encoding="utf-8")
    for cost, said in (("budget = 10\n", "every design of the grid costs more"),):
        path.write_text(POWER + cost)
        with pytest.raises(InputError, match=said):
            load_plan(path)
    path.write_text(POWER.replace("g = 100\nrow = 10\n", "budget = 10\n"))
    with pytest.raises(InputError, match="a budget needs the cost of a unit"):
        load_plan(path)


def test_a_plan_without_a_grid_has_a_drawing_too(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(ONE)
    path = tmp_path / "plan.toml"
    before, rest = POWER.split("[grid]")
    path.write_text(before + "[criterion]" + rest.split("[criterion]")[1])
    cli(["power", str(path), "--out", str(tmp_path / "o"), "--quiet"])
    ElementTree.parse(tmp_path / "o" / "power.svg")  # noqa: S314

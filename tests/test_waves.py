"""Panels: where lagged values stand, waves that are not there, and what is refused in words."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from acmodels.data import study
from acmodels.errors import AcmodelsError
from acmodels.generate import generate
from acmodels.load import load_model
from acmodels.priors import resolve_priors
from acmodels.spec.parsing import parse_formula
from acmodels.system import System, build_layout, build_system, parameters
from acmodels.system.columns import design_matrix, variable_values

UNITS, WAVES = 8, 4
PANEL = {"unit": "person", "wave": "wave"}
CROSS = {
    n: f"{n} ~ factor(wave) + within(lag(x), person) + within(lag(y), person) + (1 |u| person)"
    for n in ("x", "y")
}


def frame(waves: int = WAVES) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(UNITS), waves)
    n = len(person)
    return pd.DataFrame(
        {
            "person": [f"p{k}" for k in person],
            "school": [f"s{k % 3}" for k in person],
            "wave": np.tile(np.arange(1, waves + 1), UNITS),
            "x": rng.normal(size=n),
            "y": rng.normal(size=n),
            "z": rng.normal(size=n),
            "sector": np.array(["A", "B", "C"])[rng.integers(3, size=n)],
        }
    )


def table(equations: dict[str, Any], panel: dict[str, str] | None = None, **more: Any) -> Any:
    written = {k: {"formula": f} if isinstance(f, str) else f for k, f in equations.items()}
    return load_model({"name": "test", "panel": panel or PANEL, "equations": written, **more})


def joined(equations: dict[str, Any], data: pd.DataFrame, **more: Any) -> System:
    return build_system(table(equations, **more), study(data))


def column(system: System, response: str, name: str) -> np.ndarray:
    layout = system.layout
    e = layout.equation(response)
    X = design_matrix(layout, e, system.responses)
    return X[:, [c.name for c in e.columns].index(name)]


# --- formulas ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("lead(x)", "lead(x)"),
        ("lag(x)", "lag(x)"),
        ("lag(x, 1)", "lag(x)"),
        ("lag( x , 2)", "lag(x, 2)"),
        ("within(lag(x), person)", "within(lag(x), person)"),
        ("within(lag(x,2), person)", "within(lag(x, 2), person)"),
        ("lag(x):z", "lag(x):z"),
    ],
)
def test_names_of_lags(written: str, name: str) -> None:
    f = parse_formula(f"y ~ {written}")
    assert f.terms[1].text == name
    assert "x" in f.variables()
    assert "x" not in f.present()


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("lag(x, 0)", "from 1 to"),
        ("lag(x, 1.5)", "whole number"),
        ("lag(x, z)", "lag(x, 2)"),
        ("lead(x, 2)", "lead(x)"),
        ("lead(log(x))", "takes a variable"),
        ("lag(log(x))", "takes a variable"),
        ("lag(within(x, g))", "write within(lag(x), g)"),
        ("between(lag(x), g)", "write between(x, g)"),
        ("square(lag(x))", "cannot be applied to lag(x)"),
        ("factor(lag(x))", "cannot be applied to lag(x)"),
    ],
)
def test_lags_that_mean_nothing(written: str, word: str) -> None:
    with pytest.raises(AcmodelsError) as said:
        parse_formula(f"y ~ {written}")
    assert word in str(said.value)


# --- where lagged values stand -------------------------------------------------------------


def test_a_lag_is_the_value_of_the_wave_before_whatever_the_order_of_rows() -> None:
    data = frame().sample(frac=1, random_state=1).reset_index(drop=True)
    system = joined({"y": "y ~ lag(z) + lag(z, 2) + lag(y) + lag(sector)"}, data)
    known = data.set_index(["person", "wave"])
    for steps, name in ((1, "lag(z)"), (2, "lag(z, 2)")):
        got = column(system, "y", name)
        for k, r in data.iterrows():
            before = (r["person"], r["wave"] - steps)
            assert got[int(str(k))] == (known.loc[before, "z"] if before in known.index else 0.0)
    B = column(system, "y", "lag(sector)[B]")
    late = data["wave"] > 1
    want = [known.loc[(p, w - 1), "sector"] == "B" for p, w in zip(
        data["person"][late], data["wave"][late], strict=True)]  # fmt: skip
    np.testing.assert_array_equal(B[late], want)
    assert not B[~late].any()


def test_a_lead_is_the_value_of_the_wave_after_and_no_first_wave() -> None:
    data = frame()
    found = joined({"y": "y ~ lead(x) + (1 | person)"}, data)
    want = data.groupby("person", sort=False)["x"].shift(-1).fillna(0.0)
    np.testing.assert_array_equal(column(found, "y", "lead(x)"), want)
    assert found.layout.equation("y").first is None
    both = joined({"y": "y ~ lead(x) + within(lag(y), person) + (1 | person)"}, data)
    first = both.layout.equation("y").first
    assert first is not None
    assert list(np.flatnonzero(first)) == list(range(0, UNITS * WAVES, WAVES))


def test_deviations_of_the_wave_before_are_zero_in_the_first() -> None:
    system = joined(CROSS, frame(), residual_correlation=[["x", "y"]])
    got = column(system, "y", "within(lag(x), person)")
    data = frame()
    gone = data["wave"].to_numpy() == 1
    dev = (data["x"] - data.groupby("person")["x"].transform("mean")).to_numpy()
    np.testing.assert_allclose(got[~gone], dev[data["wave"].to_numpy() < WAVES])
    assert not got[gone].any()
    e = system.layout.equation("y")
    assert e.first is not None
    np.testing.assert_array_equal(e.first, gone)


def test_parameters_of_a_panel_in_order_with_priors() -> None:
    system = joined(CROSS, frame(), residual_correlation=[["x", "y"]])
    names = [p.name for p in parameters(system.layout)]
    assert names[-6:] == [
        "sigma(x)",
        "sigma(y)",
        "sigma1(x)",
        "sigma1(y)",
        "cor(x, y)",
        "cor1(x, y)",
    ]
    stated = {
        "sigma1(*)": {"dist": "HalfNormal", "sigma": 3},
        "cor1(*)": {"dist": "LKJ", "eta": 2},
        "sigma(*)": {"dist": "HalfNormal", "sigma": 1},
    }
    priors = resolve_priors(stated, system.layout, system.responses)
    assert priors["sigma1(x)"].distribution.scale == 3
    assert priors["sigma(x)"].distribution.scale == 1
    assert priors["cor1(x, y)"].distribution.parameters["eta"] == 2
    assert priors["cor(x, y)"].distribution.parameters["eta"] == 1


def test_a_lagged_loop_is_no_cycle_and_one_in_a_wave_is() -> None:
    joined({"x": "x ~ lag(y)", "y": "y ~ x + lag(x)"}, frame())
    with pytest.raises(AcmodelsError, match="is a cycle"):
        joined({"x": "x ~ y + lag(x)", "y": "y ~ x"}, frame())


def test_a_first_observation_has_coefficients_of_its_own() -> None:
    with_waves = joined({"y": "y ~ factor(wave) + lag(y) + z + (1 | person)"}, frame())
    names = [c.name for c in with_waves.layout.equation("y").columns]
    assert names[-2:] == ["first(wave):z", "first(wave):between(y, person)"]
    assert "first(wave)" not in names  # waves have their own intercepts
    plain = joined({"y": "y ~ lag(y) + (1 | person)"}, frame())
    names = [c.name for c in plain.layout.equation("y").columns]
    assert names[-2:] == ["first(wave)", "first(wave):between(y, person)"]
    deviations = joined({"y": "y ~ within(lag(y), person) + (1 | person)"}, frame())
    assert len(deviations.layout.equation("y").columns) == 2


# --- waves that are not there --------------------------------------------------------------


def test_a_wave_that_is_not_there_is_a_row_without_values() -> None:
    whole = frame()
    gone = [1, 6, 12]  # in the middle, and a first wave
    holes = whole.copy()
    holes.loc[gone, ["x", "y", "z", "sector"]] = np.nan
    absent = whole.drop(index=gone).reset_index(drop=True)
    more = {"residual_correlation": [["x", "y"]]}
    one, other = joined(CROSS, holes, **more), joined(CROSS, absent, **more)
    assert other.rows_given == len(absent)
    assert [len(g.at) for g in other.sampled.layout.missing] == [3, 3]
    assert [len(g.at) for g in one.sampled.layout.missing] == [3, 3]
    for s in (one, other):
        assert {e.n for e in s.layout.equations} == {len(whole)}
    assert "3 waves of 3 units of 'person' are not there" in " ".join(
        f.message for f in other.findings
    )


def test_waves_after_the_last_need_no_row() -> None:
    data = frame()
    gone = data[~((data["person"] == "p0") & (data["wave"] > 2))].reset_index(drop=True)
    system = joined(CROSS, gone, residual_correlation=[["x", "y"]])
    assert system.layout.n_rows == len(gone)
    assert not system.sampled.layout.missing


def test_a_missing_outcome_that_nothing_reads_leaves() -> None:
    data = frame()
    last = (data["wave"] == WAVES) & (data["person"] == "p1")
    middle = (data["wave"] == 2) & (data["person"] == "p2")
    data.loc[last | middle, "y"] = np.nan
    system = joined({"y": "y ~ lag(y)"}, data)
    assert [len(g.at) for g in system.sampled.layout.missing] == [1]
    assert system.layout.equation("y").n == len(data) - 1


def test_where_rows_are_dropped_so_are_those_after_a_gap() -> None:
    data = frame().drop(index=[1]).reset_index(drop=True)  # wave 2 of p0
    system = joined(CROSS, data, residual_correlation=[["x", "y"]], missing="drop")
    assert system.layout.n_rows == len(data) - 2
    assert "come after a wave that is not there" in " ".join(f.message for f in system.findings)
    with pytest.raises(AcmodelsError, match="allows none"):
        joined(CROSS, data, residual_correlation=[["x", "y"]], missing="error")


def test_a_unit_in_each_wave_is_a_row_of_its_level() -> None:
    data = pd.concat([frame(), frame()]).reset_index(drop=True)
    data["z"] = np.random.default_rng(1).normal(size=len(data))
    equations = {
        "x": {"formula": "x ~ lag(x) + (1 | person)", "level": "person"},
        "z": "z ~ lag(x) + (1 | person)",
    }
    layout = joined(equations, data).layout
    assert layout.equation("x").n == UNITS * WAVES
    assert layout.equation("z").n == len(data)


# --- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d[d["wave"] == 1], ("one value only", "two waves or more")),
        (lambda d: d.assign(wave=d["wave"] + 0.5 * (d["wave"] == 2)), ("whole numbers", "2.5")),
        (lambda d: d.assign(wave=d["wave"].replace({4: 9})), ("unequal steps", "1, 2, 3, 9")),
        (lambda d: d.assign(wave="w" + d["wave"].astype(str)), ("whole numbers",)),
        (lambda d: pd.concat([d, d.head(1).assign(x=9.0)]), ("'x' is lagged", "several rows")),
        (lambda d: d.drop(columns="wave"), ("no column 'wave'", "panel wave")),
        (lambda d: d.assign(wave=d["wave"].where(d.index != 3)), ("1 rows have no 'wave'",)),
    ],
)
def test_waves_that_cannot_be(change: Any, words: tuple[str, ...]) -> None:
    with pytest.raises(AcmodelsError) as said:
        joined({"y": "y ~ lag(x) + (1 | person)"}, change(frame()).reset_index(drop=True))
    for w in words:
        assert w in str(said.value)


@pytest.mark.parametrize(
    ("formula", "panel", "words"),
    [
        ("y ~ lag(x)", None, ("equations.y.formula: lag(x) needs a [panel]",)),
        ("y ~ lag(wave)", PANEL, ("lag(wave)", "wave, which has no earlier value")),
        ("y ~ lag(x)", {"unit": "wave", "wave": "wave"}, ("the same column",)),
        ("y ~ lag(x)", {"unit": "y", "wave": "wave"}, ("panel.unit", "equation of its own")),
        ("y ~ lead(y)", PANEL, ("lead(y)", "what comes a wave later cannot act")),
        ("y ~ lag(x)", {**PANEL, "initial": "fixed"}, ("panel.initial", "stationary")),
        ("y ~ lag(x)", {**PANEL, "waves": "t"}, ("panel", "unknown key 'waves'")),
    ],
)
def test_panels_that_cannot_be(formula: str, panel: Any, words: tuple[str, ...]) -> None:
    written = {"name": "test", "equations": {"y": {"formula": formula}}}
    with pytest.raises(AcmodelsError) as said:
        load_model(written if panel is None else {**written, "panel": panel})
    for w in words:
        assert w in str(said.value)


def test_a_deviation_of_an_earlier_wave_needs_a_unit_that_stays() -> None:
    data = frame()
    data["team"] = [f"t{k % 3}" for k in range(len(data))]
    formula = "x ~ within(lag(x), team) + (1 | team)"
    with pytest.raises(AcmodelsError, match="lies in several units of 'team'"):
        joined({"x": formula}, data)
    joined({"x": "x ~ within(lag(x), school) + (1 | school) + (1 | person)"}, data)


# --- the generator runs forward ------------------------------------------------------------


def test_the_generator_runs_waves_forward() -> None:
    """Without noise after the first wave, deviations follow the powers of the matrix of lags."""
    model = table(CROSS, residual_correlation=[["x", "y"]])
    layout = build_layout(model, study(frame()[["person", "wave"]]))
    B = np.array([[0.5, 0.2], [-0.3, 0.4]])
    truth = {p.name: 0.0 for p in parameters(layout)}
    truth |= {f"sigma({n})": 0.0 for n in ("x", "y")} | {f"sigma1({n})": 1.0 for n in ("x", "y")}
    truth |= {f"sd({n} ~ 1 | person)": 2.0 for n in ("x", "y")}
    for i, n in enumerate(("x", "y")):
        for j, o in enumerate(("x", "y")):
            truth[f"{n} ~ within(lag({o}), person)"] = B[i, j]
    made = generate(layout, truth, np.random.default_rng(1))
    u = next(iter(made.group_effects.values()))  # (units, 2)
    w = np.stack([made.responses[n].reshape(UNITS, WAVES) for n in ("x", "y")], axis=2)
    w = w - u[:, None, :]
    for t in range(WAVES):
        np.testing.assert_allclose(w[:, t], w[:, 0] @ np.linalg.matrix_power(B, t).T, atol=1e-12)


def test_a_lagged_value_is_read_through_the_layout() -> None:
    system = joined({"y": "y ~ lag(x)", "x": "x ~ z"}, frame())
    layout = system.layout
    at = layout.at("lag(x)")
    assert at is not None
    x = variable_values(layout, "x", system.responses)
    got = variable_values(layout, "lag(x)", system.responses)
    np.testing.assert_array_equal(got, np.where(at >= 0, x[at], 0.0))


def test_stationary_first_waves_are_refused_by_name() -> None:
    with pytest.raises(AcmodelsError, match="not fitted yet"):
        table({"y": "y ~ lag(x)"}, {**PANEL, "initial": "stationary"})

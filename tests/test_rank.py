"""Columns that add up to others: empty cells are left out and named, the rest is explained."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmodels.data import study
from acmodels.errors import DataError
from acmodels.inference.fitting import fit
from acmodels.load import load_model
from acmodels.system import System, build_system, parameters
from acmodels.system.columns import design_matrix
from monte_carlo import allowed


def cells(empty: tuple[str, str] = ("hi", "m"), n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    data = pd.DataFrame(
        {
            "a": rng.choice(["lo", "mid", "hi"], n),
            "b": rng.choice(["f", "m"], n),
            "x": rng.normal(size=n),
            "t": rng.integers(0, 2, n),
            "u": rng.integers(1, 3, n),
            "y": rng.normal(size=n),
        }
    )
    return data[~((data.a == empty[0]) & (data.b == empty[1]))].reset_index(drop=True)


def build(data: pd.DataFrame, formula: str, **more: Any) -> System:
    table = {"name": "t", "equations": {"y": {"formula": formula}}, **more}
    return build_system(load_model(table), study(data))


def said(system: System) -> str:
    return "\n".join(f.message for f in system.findings)


@pytest.mark.parametrize("empty", [("hi", "m"), ("lo", "f"), ("mid", "m")])
@pytest.mark.parametrize(
    ("formula", "columns"),
    [
        ("y ~ a*b", 5),
        ("y ~ b*a", 5),
        ('y ~ factor(a, ref="lo")*b', 5),
        ('y ~ factor(a, ref="mid")*factor(b, ref="m") + x', 6),
        ("y ~ 0 + a:b", 5),
        ("y ~ 0 + a + a:b", 5),
        ("y ~ a*b*t", 10),
        ("y ~ a*b + a:b:x + x + a:x + b:x", 10),
    ],
)
def test_an_empty_cell_is_named_and_its_column_left_out(
    empty: tuple[str, str], formula: str, columns: int
) -> None:
    data = cells(empty)
    system = build(data, formula)
    (e,) = system.layout.equations
    X = design_matrix(system.layout, e, system.responses)
    assert X.shape[1] == columns == np.linalg.matrix_rank(X)
    for word in (f"a = {empty[0]}", f"b = {empty[1]}", "left out", "no row has"):
        assert word in said(system)
    # all that the observed cells can tell is kept: the fit is that of one mean a cell
    if formula in ("y ~ a*b", "y ~ 0 + a:b"):
        fitted = X @ np.linalg.lstsq(X, data.y, rcond=None)[0]
        means = data.groupby(["a", "b"])["y"].transform("mean")
        assert np.allclose(fitted, means)


def test_numbers_with_two_values_have_cells_too() -> None:
    data = cells()
    for first, second in (("t", "a"), ("u", "a"), ("t", "u")):
        level = data[second].iloc[0]
        gone = data[~((data[first] == data[first].max()) & (data[second] == level))]
        system = build(gone, f"y ~ {first}*{second}")
        assert f"{first} = {data[first].max()}" in said(system)
        assert f"{second} = {level}" in said(system)


def test_nothing_is_left_out_without_an_empty_cell() -> None:
    data = cells(("no", "no"))
    system = build(data, "y ~ a*b*t + x*a")
    assert "left out" not in said(system)
    assert len(system.layout.equations[0].columns) == 12 + 3


def test_the_fit_is_that_of_least_squares_without_the_column() -> None:
    data = cells()
    found = fit(
        load_model({"name": "t", "equations": {"y": {"formula": "y ~ a*b"}}}), data, draws=500
    )
    table = found.estimates.set_index("name")
    assert list(table.index) == [p.name for p in parameters(found.system.layout)]
    assert "y ~ a[mid]:b[m]" not in table.index
    X = design_matrix(found.system.layout, found.system.layout.equations[0], {"y": data.y})
    ols = np.linalg.lstsq(X, data.y, rcond=None)[0]
    k = allowed(1.0, comparisons=5)
    away = np.abs(table["mean"].to_numpy()[:5] - ols)
    assert np.all(away < k * table["mcse_mean"].to_numpy()[:5])
    assert any("no row has a = hi and b = m" in f.message for f in found.findings)


def test_a_cell_needs_a_row_whose_categories_are_known() -> None:
    data = cells()
    data.loc[[0, 5, 9], "a"] = None
    data.loc[[0, 5, 9], "b"] = "m"
    system = build(data, "y ~ a*b")
    assert "no row without missing values has a = hi and b = m" in said(system)
    assert len(system.layout.equations[0].columns) == 5
    system = build(data, "y ~ a*b", missing="drop")
    assert "no row has a = hi and b = m" in said(system)


@pytest.mark.parametrize(
    ("changes", "formula", "words"),
    [
        ({"z": lambda f: 3 + 2 * f.x - f.t}, "y ~ x + t + z", ("z = 3 + 2 × x - t", "x, t, z")),
        ({"z": lambda f: (f.a == "lo") * 2.0}, "y ~ a + z", ("'z' has one value", "of 'a'")),
        ({"z": lambda f: (f.a == "lo") * 2.0}, "y ~ z + a", ("'z' has one value", "of 'a'")),
        ({"z": lambda f: f.a.map(str.upper)}, "y ~ a + z", ("each category of", "one of a, z")),
        ({"z": lambda f: f.x}, "y ~ 0 + x + z", ("(z = x)",)),
        ({"z": lambda f: f.x + f.u}, "y ~ x*a + u + z", ("z = x + u",)),
        # a duplicate beside an empty cell is not blamed on the cell
        ({"z": lambda f: f.x}, "y ~ a*b + x + z", ("(z = x)",)),
    ],
)
def test_what_adds_up_is_explained_in_terms_of_the_formula(
    changes: dict[str, Any], formula: str, words: tuple[str, ...]
) -> None:
    data = cells()
    for name, change in changes.items():
        data[name] = change(data)
    with pytest.raises(DataError) as caught:
        build(data, formula)
    for word in (*words, "leave one of"):
        assert word in str(caught.value), caught.value


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_cells_are_empty_the_columns_kept_span_the_others(drawn: st.DataObject) -> None:
    rng = np.random.default_rng(drawn.draw(st.integers(0, 10_000)))
    n = drawn.draw(st.integers(30, 60))
    data = pd.DataFrame(
        {"a": rng.integers(0, 3, n), "b": rng.integers(0, 3, n), "c": rng.integers(0, 2, n)}
    )
    gone = drawn.draw(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=3))
    data = data[[(p, q) not in gone for p, q in zip(data.a, data.b, strict=True)]]
    data = data.reset_index(drop=True)
    data["y"] = rng.normal(size=len(data))
    if min(data[c].nunique() for c in "abc") < 2 or len(data) < 20:
        return
    formula = drawn.draw(
        st.sampled_from(["factor(a)*factor(b)", "factor(a)*factor(b)*c", "factor(a):factor(b)"])
    )
    try:
        system = build(data, f"y ~ {'0 + ' if formula == 'factor(a):factor(b)' else ''}{formula}")
    except DataError:
        return  # a main effect is redundant too, and that is explained
    (e,) = system.layout.equations
    X = e.fixed
    cell = data.groupby(["a", "b", "c"] if "*c" in formula else ["a", "b"]).ngroup()
    one = np.eye(cell.max() + 1)[cell]
    assert np.linalg.matrix_rank(X) == X.shape[1]
    assert np.linalg.matrix_rank(np.hstack([X, one])) == one.shape[1] >= X.shape[1]
    assert X.shape[1] == one.shape[1]

"""A model meets a study: rows, levels, groups, and what is refused or warned of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmodels.data import read_study, study
from acmodels.errors import DataError, InputError
from acmodels.load import load_model
from acmodels.spec.model import Model
from acmodels.system import System, build_layout, build_system, parameters
from acmodels.system.columns import design_matrix

N = 40


def frame(**more: Any) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    g = np.arange(N) % 8
    unit = rng.normal(size=(8, 3))[g]
    data = {c: rng.normal(size=N) for c in ("y", "m", "x", "w", "z")}
    data |= {
        "g": [f"g{i}" for i in g],
        "h": [f"h{i}" for i in (np.arange(N) // 2) % 5],
        "s": [("A", "B", "C")[i % 3] for i in range(N)],
        "b": np.arange(N) % 2,
        "t": np.full(N, 6),
        "k": np.arange(N) % 6,
        "ux": unit[:, 0],
        "um": unit[:, 1],
        "uy": unit[:, 2],
    }
    return pd.DataFrame({**data, **more})


def model(**equations: str | Mapping[str, Any]) -> Model:
    options = {k: equations.pop(k) for k in ("missing", "residual_correlation") if k in equations}
    tables = {r: {"formula": e} if isinstance(e, str) else e for r, e in equations.items()}
    return load_model({"name": "t", "equations": tables, **options})


def build(data: pd.DataFrame | None = None, /, **equations: Any) -> System:
    return build_system(model(**equations), study(frame() if data is None else data))


def refused(data: pd.DataFrame | None, /, *words: str, **equations: Any) -> str:
    with pytest.raises(InputError) as caught:
        build(data, **equations)
    said = str(caught.value)
    for word in words:
        assert word in said, said
    return said


def warned(system: System) -> list[str]:
    return [f.message for f in system.findings if f.severity == "warning"]


def quiet(data: pd.DataFrame | None = None, /, **equations: Any) -> bool:
    return not warned(build(data, **equations))


# --- rows and levels ---------------------------------------------------------------


def test_every_row_counts_without_a_level() -> None:
    s = build(y="y ~ x + (1 | g)")
    (e,) = s.layout.equations
    assert (e.n, s.layout.n_rows, s.rows_given, s.rows_used) == (N, N, N, N)
    np.testing.assert_array_equal(s.responses["y"], frame()["y"])
    assert warned(s) == []


def test_each_unit_of_a_level_counts_once() -> None:
    data = frame().sample(frac=1, random_state=1).reset_index(drop=True)
    s = build(data, um={"formula": "um ~ ux", "level": "g"}, y="y ~ um + x + (1 | g)")
    e = s.layout.equation("um")
    first = data.drop_duplicates("g")
    assert e.n == 8
    np.testing.assert_array_equal(s.responses["um"], first["um"])
    np.testing.assert_array_equal(design_matrix(s.layout, e, s.responses)[:, 1], first["ux"])
    # and is carried down to every row of the other equation
    X = design_matrix(s.layout, s.layout.equation("y"), s.responses)
    np.testing.assert_array_equal(X[:, 1], data["um"])
    np.testing.assert_array_equal(e.rows[e.carry], e.rows[pd.factorize(data["g"])[0]])


def test_transforms_at_a_level_weigh_each_unit_once() -> None:
    data = pd.concat([frame(), *[frame().iloc[[0]]] * 50], ignore_index=True)
    s = build(data, um={"formula": "um ~ standardize(ux)", "level": "g"})
    column = design_matrix(s.layout, s.layout.equations[0], s.responses)[:, 1]
    assert abs(column.mean()) < 1e-12
    assert abs(column.std(ddof=1) - 1) < 1e-12


def test_a_level_of_groups_within_groups() -> None:
    data = frame().assign(
        d=lambda f: f["g"].isin(["g0", "g1", "g2"]).map({True: "d1", False: "d2"})
    )
    s = build(data, um={"formula": "um ~ ux + (1 | d)", "level": "g"})
    (block,) = s.layout.blocks
    e = s.layout.equations[0]
    assert [block.levels[i] for i in block.index(e)] == list(data.drop_duplicates("g")["d"])


@pytest.mark.parametrize(
    ("changed", "equation"),
    [
        ("um", {"formula": "um ~ ux", "level": "g"}),
        ("ux", {"formula": "um ~ ux", "level": "g"}),
        ("ux", {"formula": "um ~ ux:w", "level": "g"}),
        ("ux", {"formula": "um ~ 1 + offset(ux)", "level": "g"}),
        ("ux", {"formula": "um ~ 1 + (0 + ux | h)", "level": "g"}),
        ("se", {"formula": "um ~ 1", "level": "g", "se": "se"}),
        ("uk", {"formula": "uk ~ 1", "level": "g", "family": "binomial", "trials": "ut"}),
        ("ut", {"formula": "uk ~ 1", "level": "g", "family": "binomial", "trials": "ut"}),
        ("sector", {"formula": "um ~ sector", "level": "g"}),
        ("d", {"formula": "um ~ ux + (1 | d)", "level": "g"}),
    ],
)
def test_what_varies_within_a_unit_is_refused(changed: str, equation: dict[str, Any]) -> None:
    code = np.arange(N) % 8
    data = frame(
        w=code * 0.5 + np.sin(code),
        h=[f"h{i % 5}" for i in code],
        se=0.2 + code * 0.1,
        uk=code % 4,
        ut=5 + code % 3,
        sector=[("A", "B", "C")[i % 3] for i in code],
        d=[f"d{i % 2}" for i in code],
    )
    response = equation["formula"].split(" ~ ")[0]
    build(data, **{response: equation})
    held = data[changed].tolist()
    held[10] = held[11]  # row 11, of the unit g2
    said = refused(
        data.assign(**{changed: held}),
        f"equations.{response}",
        f"'{changed}' varies within 1 of its 8 units",
        "rows 11",
        f"between({changed}, g)",
        **{response: equation},
    )
    assert 'level = "g"' in said


def test_an_outcome_of_the_rows_cannot_predict_one_of_the_units() -> None:
    m: dict[str, Any] = {"m": "m ~ x", "uy": {"formula": "uy ~ m", "level": "g"}}
    refused(None, "equations.uy", "'m' varies within 8 of its 8 units", "between(m, g)", **m)
    with pytest.raises(DataError, match=r"equations\.uy"):  # in a design there are no values yet
        build_layout(model(**m), study(frame().drop(columns=["m", "uy"])))
    constant = frame().assign(m=lambda f: f["um"])
    assert build(constant, **m).layout.equation("uy").n == 8


def test_an_outcome_of_higher_units_predicts_one_below() -> None:
    data = frame().assign(d=lambda f: f["g"].str[1].astype(int) % 3, top=lambda f: f["d"] * 1.5)
    m: dict[str, Any] = {
        "top": {"formula": "top ~ 1", "level": "d"},
        "um": {"formula": "um ~ top + ux", "level": "g"},
    }
    s = build(data, **m)
    assert (s.layout.equation("top").n, s.layout.equation("um").n) == (3, 8)
    layout = build_layout(model(**m), study(data.drop(columns=["top", "um"])))
    assert layout.equation("um").n == 8


# --- groups ------------------------------------------------------------------------


def test_ids_are_text_and_001_is_not_1(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = ["001", "1", "01", "1.0", "1e0", "a"]
    lines = [f"{i},{rng.normal():.3f},{rng.normal():.3f}" for i in ids * 3]
    path = tmp_path / "d.csv"
    path.write_text("g,x,y\n" + "\n".join(lines) + "\n")
    s = build_system(model(y="y ~ x + (1 | g)"), read_study(path))
    assert s.layout.blocks[0].levels == tuple(ids)


def test_codes_are_never_below_zero_and_name_their_rows() -> None:
    s = build(y="y ~ x + (1 | g) + (1 | h) + (1 | g:h)")
    data = frame()
    for block in s.layout.blocks:
        assert block.code.min() == 0
        assert block.code.max() == len(block.levels) - 1
        assert len(set(block.levels)) == len(block.levels)
        joined = data[list(block.columns)].agg(":".join, axis=1)
        assert [block.levels[i] for i in block.code] == list(joined)


def test_a_missing_id_is_refused_and_never_the_last_group() -> None:
    for gap in (None, "", "NA", float("nan")):
        data = frame()
        data.loc[[3, 7], "g"] = gap
        for missing in ("model", "error"):
            refused(data, "2 rows have no 'g'", "rows 4, 8", y="y ~ x + (1 | g)", missing=missing)


def test_rows_without_an_id_are_dropped_and_counted_where_that_is_asked_for() -> None:
    data = frame()
    data.loc[[3, 7], "g"] = None
    data.loc[[7, 9], "x"] = np.nan
    s = build(data, y="y ~ x + (1 | g)", missing="drop")
    assert (s.rows_given, s.rows_used) == (40, 37)
    assert any("3 of 40 rows lack a value: g (2), x (2)" in f.message for f in s.findings)
    assert "None" not in s.layout.blocks[0].levels
    refused(frame(g=None), "'g'", "no values at all", y="y ~ x + (1 | g)", missing="drop")


def test_as_many_group_effects_as_rows_earn_a_warning() -> None:
    pairs = [f"p{i // 2}" for i in range(N)]
    for term in ("(1 + x | p)", "(1 + x || p)"):
        said = [f.message for f in build(frame(p=pairs), y=f"y ~ x + {term}").findings]
        assert any(
            "40 effects of 'p' (2 for each of 20 groups) and only 40 rows" in m for m in said
        )
    calm = [
        build(frame(p=pairs), y="y ~ x + (1 | p)"),
        build(frame(p=[f"p{i // 3}" for i in range(N)]), y="y ~ x + (1 + x | p)"),
        build(frame(p=pairs), k={"formula": "k ~ x + (1 + x | p)", "family": "poisson"}),
    ]
    assert not any("only 40 rows" in f.message for s in calm for f in s.findings)


def test_nested_groups() -> None:
    data = frame(a=[f"a{i % 4}" for i in range(N)], b=[f"b{(i // 4) % 2}" for i in range(N)])
    s = build(data, y="y ~ x + (1 | a/b)")
    assert [(b.group, len(b.levels)) for b in s.layout.blocks] == [("a", 4), ("a:b", 8)]
    names = [p.name for p in parameters(s.layout)]
    assert names == ["y ~ 1", "y ~ x", "sd(y ~ 1 | a)", "sd(y ~ 1 | a:b)", "sigma(y)"]


def test_ids_that_hold_a_colon_stay_apart() -> None:
    data = frame(
        a=["p:q" if i % 2 else "p" for i in range(N)],
        b=["r" if i % 2 else "q:r" for i in range(N)],
    ).assign(c=[f"c{i % 5}" for i in range(N)])
    s = build(data, y="y ~ x + (1 | a:b:c)")
    (block,) = s.layout.blocks
    assert len(block.levels) == len(data[["a", "b", "c"]].drop_duplicates()) == 10
    assert len(set(block.levels)) == 10


def test_blocks_by_id_and_bars() -> None:
    s = build(
        m="m ~ x + (1 + x |i| g) + (1 || h)",
        y="y ~ m + x + (1 + m |i| g) + (0 + x | g) + (1 + x || h)",
    )
    found = [(b.group, [m.name for m in b.members]) for b in s.layout.blocks]
    assert found == [
        ("g", ["m ~ 1", "m ~ x", "y ~ 1", "y ~ m"]),
        ("h", ["m ~ 1"]),
        ("g", ["y ~ x"]),
        ("h", ["y ~ 1"]),
        ("h", ["y ~ x"]),
    ]
    assert len({b.key for b in s.layout.blocks}) == 5
    cors = [p.name for p in parameters(s.layout) if p.kind == "cor"]
    assert cors[:3] == [
        "cor(m ~ 1, m ~ x | g)", "cor(m ~ 1, y ~ 1 | g)", "cor(m ~ 1, y ~ m | g)",
    ]  # fmt: skip
    assert len(cors) == 6


def test_every_parameter_has_a_name_of_its_own() -> None:
    s = build(
        frame(t=np.arange(N) + 1),
        m="m ~ x*s + log(t) + (1 + x |i| g) + (1 | g:h)",
        y="y ~ m + square(x) + (1 + m |i| g) + (1 | h/s)",
        residual_correlation=[["m", "y"]],
    )
    names = [p.name for p in parameters(s.layout)]
    assert len(set(names)) == len(names)
    assert "cor(m, y)" in names
    assert "m ~ x:s[B]" in names


def test_residual_blocks() -> None:
    pairs = [["y", "m"], ["m", "z"], ["z", "y"]]
    s = build(y="y ~ x", m="m ~ x", z="z ~ w", residual_correlation=pairs)
    assert s.layout.residual == ((0, 1, 2),)
    assert [p.name for p in parameters(s.layout)][-3:] == ["cor(y, m)", "cor(y, z)", "cor(m, z)"]
    refused(
        None, "free every pair", y="y ~ x", m="m ~ x", z="z ~ w", residual_correlation=pairs[:2]
    )


# --- missing values ----------------------------------------------------------------


def gappy() -> pd.DataFrame:
    data = frame()
    data.loc[[1, 2], "x"] = np.nan
    data.loc[[2, 5], "y"] = np.nan
    data.loc[9, "s"] = None
    data.loc[20, "w"] = np.nan  # not in the model
    return data


def test_missing_values_are_modeled_by_default() -> None:
    s = build(gappy(), y="y ~ x + s")
    assert (s.rows_given, s.rows_used) == (40, 40)
    said = [f.message for f in s.findings if f.severity == "note"]
    assert "4 of 40 rows lack a value: y (2), x (2), s (1)" in said[0]
    assert [t.column for t in s.treatments] == ["y", "x", "s"]


def test_missing_values_are_dropped_and_counted() -> None:
    s = build(gappy(), y="y ~ x + s + (1 | g)", missing="drop")
    assert (s.rows_given, s.rows_used, s.layout.n_rows) == (40, 36, 36)
    said = [w for w in warned(s) if "rows lack a value" in w]
    assert len(said) == 1
    assert "4 of 40" in said[0]
    assert "left out" in said[0]
    kept = gappy().dropna(subset=["x", "y", "s"])
    np.testing.assert_array_equal(s.responses["y"], kept["y"])
    block = s.layout.blocks[0]
    assert [block.levels[i] for i in block.code] == list(kept["g"])


def test_missing_values_under_error_name_rows() -> None:
    refused(gappy(), 'missing = "error"', "rows 2, 3, 6, 10", y="y ~ x + s", missing="error")


def test_a_gap_in_any_equation_counts_for_all() -> None:
    s = build(gappy(), m="m ~ w", y="y ~ m", missing="drop")
    assert s.rows_used == 37


@pytest.mark.parametrize("missing", ["model", "drop", "error"])
def test_complete_data_are_kept_whole_under_every_rule(missing: str) -> None:
    s = build(y="y ~ x", missing=missing)
    assert s.rows_used == N
    assert s.findings == ()


def test_dropping_everything_is_refused() -> None:
    data = frame()
    data.loc[: N // 2, "x"] = np.nan
    data.loc[N // 2 :, "y"] = np.nan
    refused(data, "no complete row is left", y="y ~ x", missing="drop")


@pytest.mark.parametrize("column", ["x", "y", "s", "se", "o"])
def test_a_column_without_values_is_refused(column: str) -> None:
    data = frame(se=0.5, o=1.0).assign(**{column: None})
    refused(
        data,
        f"'{column}'",
        "no values at all",
        y={"formula": "y ~ x + s + offset(o)", "se": "se"},
        missing="drop",
    )


def test_a_category_that_only_dropped_rows_hold_is_gone() -> None:
    data = frame()
    data.loc[0, "s"] = "rare"
    data.loc[0, "x"] = np.nan
    s = build(data, y="y ~ x + s", missing="drop")
    assert s.layout.variables["s"].levels == ("A", "B", "C")


# --- refusals ----------------------------------------------------------------------


def test_a_missing_column_is_named_with_its_role() -> None:
    said = refused(
        None,
        "no column 'xx', the predictor of equations.y",
        "no column 'gg', the grouping of equations.y",
        "no column 'hh', the level of equations.m",
        "did you mean",
        y="y ~ xx + (1 | gg)",
        m={"formula": "m ~ ux", "level": "hh"},
    )
    assert said.count("\n") == 2


@pytest.mark.parametrize(
    ("changes", "equations", "words"),
    [
        ({"g": "one"}, {"y": "y ~ x + (1 | g)"}, ("'g'", "one group only", "'one'")),
        ({"x": 3.0}, {"y": "y ~ x"}, ("equations.y", "'x'", "same value (3)", "intercept")),
        ({"x": 0.0}, {"y": "y ~ 0 + x"}, ("'x'", "same value (0)")),
        ({"x": 3.0}, {"y": "y ~ standardize(x)"}, ("'standardize(x)'", "same value")),
        ({"x": 3.0}, {"y": "y ~ center(x)"}, ("'center(x)'", "same value (0)")),
        ({"s": "only"}, {"y": "y ~ x + s"}, ("'s'", "only")),
        ({"s": "only"}, {"y": "y ~ x*factor(s)"}, ("s", "only")),
        ({"y": 2.0}, {"y": "y ~ x"}, ("'y'", "value 2 in every row", "no variance")),
        ({"b": 1}, {"b": {"formula": "b ~ x", "family": "bernoulli"}}, ("'b'", "every row")),
        (
            {"w": lambda f: 2 * f["x"] - 1},
            {"y": "y ~ x + w"},
            ("'w'", "exact linear combination of x", "leave one"),
        ),
        (
            {"w": lambda f: f["x"] - f["z"]},
            {"y": "y ~ x + z + w"},
            ("'w'", "linear combination of x, z"),
        ),
        ({"w": lambda f: 2 * f["x"]}, {"y": "y ~ 0 + x + w"}, ("'w'", "combination of x")),
        ({}, {"y": "y ~ s + factor(s)"}, ("factor(s)", "linear combination")),
        ({"x": lambda f: f["m"]}, {"m": "m ~ w", "y": "y ~ m + x"}, ("linear combination",)),
        (
            {"b": lambda f: f["b"] + 1},
            {"b": {"formula": "b ~ x", "family": "bernoulli"}},
            ("'b'", "1, 2", "0 and 1", "recode", "1 to 0", "2 to 1"),
        ),
        (
            {"b": lambda f: np.arange(len(f)) % 3},
            {"b": {"formula": "b ~ x", "family": "bernoulli"}},
            ("'b'", "3 values", "0 and 1"),
        ),
        (
            {"k": 9},
            {"k": {"formula": "k ~ x", "family": "binomial", "trials": "t"}},
            ("'k'", "larger than its trials", "9 of 6"),
        ),
        (
            {"k": lambda f: f["k"] - 1},
            {"k": {"formula": "k ~ x", "family": "binomial", "trials": "t"}},
            ("'k'", "whole numbers", "0 or more"),
        ),
        (
            {"k": 0.5},
            {"k": {"formula": "k ~ x", "family": "binomial", "trials": "t"}},
            ("'k'", "whole numbers"),
        ),
        (
            {"t": 0, "k": 0},
            {"k": {"formula": "k ~ x", "family": "binomial", "trials": "t"}},
            ("trials", "at least 1"),
        ),
        ({"y": lambda f: f["s"]}, {"y": "y ~ x"}, ("'y'", "text")),
        ({"se": 0.0}, {"y": {"formula": "y ~ x", "se": "se"}}, ("'se'", "above 0")),
        ({}, {"y": "y ~ log(x)"}, ("log(x)", "above 0", "'x'", "rows")),
        ({}, {"y": "y ~ sqrt(x)"}, ("sqrt(x)", "0 or more")),
        ({}, {"y": "y ~ log(square(x) - 1)"}, ("cannot read",)),
        ({}, {"y": "y ~ (1 + log(x) | g)"}, ("log(x)", "above 0")),
        ({}, {"y": "y ~ w + offset(log(x))"}, ("log(x)", "above 0")),
        ({}, {"y": "y ~ log(m)", "m": "m ~ x"}, ("log(m)", "above 0", "'m'", "rows")),
        ({}, {"y": "y ~ (0 + sqrt(m) | g)", "m": "m ~ x"}, ("sqrt(m)", "0 or more")),
        ({}, {"y": "y ~ log(s)"}, ("'s'", "text")),
        ({}, {"y": "y ~ x + offset(s)"}, ("offset(s)",)),
        ({}, {"y": "y ~ x + offset(m)", "m": "m ~ x"}, ("offset(m)", "response")),
        ({}, {"y": 'y ~ factor(s, ref="D")'}, ("no such level", "A, B, C")),
        ({}, {"y": "y ~ factor(m)", "m": "m ~ x"}, ("'m'", "equation of its own")),
        ({}, {"y": "y ~ b + factor(b)"}, ("'b'", "both as a number and as factor(b)")),
        ({"s": lambda f: [f"p{i}" for i in range(N)]}, {"y": "y ~ s"}, ("40 different", "id")),
        ({"x": lambda f: f["x"].where(f["x"] < 1, np.inf)}, {"y": "y ~ x"}, ("'x'", "infinite")),
        ({"y": lambda f: f["y"].where(f["y"] < 1, np.inf)}, {"y": "y ~ x"}, ("'y'", "infinite")),
    ],
)  # fmt: skip
def test_refusals(
    changes: dict[str, Any], equations: dict[str, Any], words: tuple[str, ...]
) -> None:
    data = frame()
    for name, value in changes.items():
        data[name] = value(data) if callable(value) else value
    said = refused(data, *words, **equations)
    assert "nan" not in said
    assert "inf " not in said


def test_strays_among_numbers_are_named() -> None:
    data = frame().assign(x=lambda f: f["x"].round(3).astype(str))
    data.loc[4, "x"] = "n/a?"
    refused(data, "'x'", "n/a?", "5", y="y ~ x")


def test_a_constant_column_may_stand_for_the_intercept() -> None:
    assert build(frame(one=1.0), y="y ~ 0 + one + x").layout.equations[0].n == N


def test_every_problem_is_said_at_once() -> None:
    said = refused(frame(x=1.0, w=2.0, y=3.0), y="y ~ x + w", m="m ~ x")
    assert said.count("\n") >= 3


# --- warnings ------------------------------------------------------------------------


def test_ordinary_data_earn_no_warning() -> None:
    assert quiet(y="y ~ x + s + (1 + x | g) + (1 | h)", m="m ~ x + (1 | g)")


@pytest.mark.parametrize(
    ("changes", "equations", "word"),
    [
        ({"g": lambda f: np.arange(N) % 4}, {"y": "y ~ x + (1 | g)"}, "fewer than 5"),
        ({"g": lambda f: np.arange(N)}, {"y": "y ~ x + (1 | g)"}, "single row"),
        ({}, {"um": "um ~ x + (1 | g)"}, 'level = "g"'),
        ({}, {"y": "y ~ x + ux + (1 + ux | g)"}, "constant within every group"),
        ({"x": lambda f: f["x"].where(f.index != 3, -99)}, {"y": "y ~ x"}, "'x' holds -99 in 1"),
        ({"y": lambda f: f["y"].where(f.index > 2, 999)}, {"y": "y ~ x"}, "'y' holds 999 in 3"),
        (
            {"g": lambda f: f["g"].where(f.index > 7, f["g"].str.upper())},
            {"y": "y ~ x + (1 | g)"},
            "differ only by space, case or Unicode form",
        ),
        (
            {"x": lambda f: f["x"] * 1e9, "w": lambda f: f["w"] * 1e-9},
            {"y": "y ~ x + w"},
            "different scales",
        ),
        ({"s": lambda f: f["s"].where(f.index > 0, "rare")}, {"y": "y ~ x + s"}, "s[rare] has a"),
    ],
)  # fmt: skip
def test_warnings(changes: dict[str, Any], equations: dict[str, Any], word: str) -> None:
    data = frame()
    for name, value in changes.items():
        data[name] = value(data) if callable(value) else value
    said = warned(build(data, **equations))
    assert len([w for w in said if word in w]) == 1, said


def test_more_constants_within_groups_than_groups_earn_a_warning() -> None:
    code = np.arange(N) % 6
    rng = np.random.default_rng(3)
    more = {f"u{i}": rng.normal(size=6)[code] for i in range(3)}
    data = frame(g=[f"g{i}" for i in code], **more)
    right = "x + u0 + u1 + u2 + square(u0):x + (1 | g)"
    assert not any("groups" in w for w in warned(build(data, y=f"y ~ {right}")))
    data["g"] = ["a" if i < 3 else "b" if i < 5 else "c" for i in code]
    data[["u0", "u1", "u2"]] = pd.factorize(data["g"])[0][:, None] ** np.array([1.0, 2.0, 3.0])
    said = warned(build(data, y="y ~ x + u0 + x:u1 + w:u2 + (1 | g)"))
    assert any("3 predictors that are constant" in w and "only 3 groups" in w for w in said)


def test_ids_are_no_measures() -> None:
    data = frame(g=[("-99", "999", "1", "2", "3")[i % 5] for i in range(N)])
    assert quiet(data, y="y ~ x + (1 | g)")


def test_units_with_a_known_error_may_be_single() -> None:
    """In a meta-analysis every study is one row."""
    data = frame(g=[f"g{i}" for i in range(N)], se=0.3)
    assert quiet(data, y={"formula": "y ~ x + (1 | g)", "se": "se"})


# --- laws -------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(N)))
def test_row_order_changes_nothing_but_the_order(order: list[int]) -> None:
    equations: dict[str, Any] = {
        "um": {"formula": "um ~ center(ux) + s2", "level": "g"},
        "y": "y ~ um*x + s + standardize(w) + (1 + x | g) + (1 | g:h)",
    }
    data = frame(s2=[("A", "B", "C")[i % 8 % 3] for i in range(N)])
    a, b = build(data, **equations), build(data.iloc[order].reset_index(drop=True), **equations)
    assert parameters(a.layout) == parameters(b.layout)
    for response in ("um", "y"):
        ea, eb = a.layout.equation(response), b.layout.equation(response)
        Xa = design_matrix(a.layout, ea, a.responses)
        Xb = design_matrix(b.layout, eb, b.responses)
        if response == "y":
            np.testing.assert_allclose(Xa[order], Xb, atol=1e-12)
            continue
        np.testing.assert_allclose(
            Xa[np.argsort(a.responses["um"])], Xb[np.argsort(b.responses["um"])], atol=1e-12
        )
    for x, y in zip(a.layout.blocks, b.layout.blocks, strict=True):
        assert [x.levels[i] for i in x.code[order]] == [y.levels[i] for i in y.code]


@settings(max_examples=20, deadline=None)
@given(st.permutations([f"u{i}" for i in range(8)]))
def test_relabelling_groups_changes_nothing(names: list[str]) -> None:
    a = build(y="y ~ x + (1 + x | g)")
    b = build(frame(g=[names[i % 8] for i in range(N)]), y="y ~ x + (1 + x | g)")
    np.testing.assert_array_equal(a.layout.blocks[0].code, b.layout.blocks[0].code)
    np.testing.assert_array_equal(a.layout.equations[0].fixed, b.layout.equations[0].fixed)

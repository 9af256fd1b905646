"""Studies whose columns or ids mislead: a verdict that would be wrong is refused, with the cure."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from acmodels.theory.checking import check_framework
from acmodels.theory.compiling.steps import repeats
from test_claims import effect, judged
from traps import Rows, theory

LEVELS = {"x": "department", "y": "partnership"}


@pytest.fixture(scope="module")
def simple(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return theory(tmp_path_factory.mktemp("simple"), LEVELS, ["x > y"], effect())


def rows(seed: int = 1, slope: float = 0.0) -> pd.DataFrame:
    r = Rows(seed, districts=30)
    x = r.draw("department")
    y = slope * x + r.draw("department", 0.5) + r.draw()
    return r.table(x=x, y=y).drop(columns="partner")


def said(f: Any, table: pd.DataFrame) -> tuple[str, str]:
    row = judged(f, table).verdicts.iloc[0]
    return row["status"], row["reason"]


# --- text has no order ------------------------------------------------------------------


def test_a_cause_in_words_has_no_direction(simple: Any) -> None:
    """The first level in the alphabet would be the reference, and `high` comes before `low`."""
    table = rows(1, 1.0)
    table["x"] = np.where(table["x"] > 0, "high", "low")
    status, reason = said(simple, table)
    assert status == "not_testable"
    assert "'high' and 'low'" in reason or "'high', 'low'" in reason
    table["x"] = np.where(table["x"] == "high", "1", "0")
    assert said(simple, table)[0] in ("supported", "undecided")


def test_kinds_of_partners_may_be_words(tmp_path: Path) -> None:
    claim = {"kind": "order", "from": ["x"], "to": "y"}
    f = theory(tmp_path / "f", LEVELS, ["x > y"], claim)
    table = rows(1, 1.5)
    table["x"] = np.where(table["x"] > 0, "high", "low")
    assert said(f, table)[0] == "supported"


# --- rows that nobody can tell apart ----------------------------------------------------


def test_values_that_repeat_belong_to_units_without_ids(simple: Any) -> None:
    for gone in (["department", "partnership"], ["district", "department", "partnership"]):
        status, reason = said(simple, rows(1, 1.0).drop(columns=gone))
        assert status == "undecided"
        assert "no id column of departments" in reason


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.repeat(np.random.default_rng(1).normal(size=60), 2), True),
        (np.repeat(np.random.default_rng(1).normal(size=60).round(3), 3), True),
        (np.random.default_rng(2).normal(size=200), False),
        (np.random.default_rng(3).normal(size=200).round(1), False),
        (np.random.default_rng(4).normal(3, 1, size=400).round(2), False),
        (np.random.default_rng(5).integers(1, 6, size=(300, 4)).mean(axis=1), False),
        (np.random.default_rng(6).integers(0, 2, size=100).astype(float), False),
        (np.array([1.0, 1.0, np.nan]), False),
    ],
)
def test_repeats(values: np.ndarray, expected: bool) -> None:
    assert repeats(values) is expected


def test_waves_without_ids_are_no_independent_rows(simple: Any) -> None:
    rng = np.random.default_rng(1)
    x, u = rng.standard_normal((2, 60))
    columns = {"wave": np.repeat(np.arange(1, 5), 60)}
    columns |= {n: np.tile(v, 4) + 0.1 * rng.standard_normal(240) for n, v in (("x", x), ("y", u))}
    table = pd.DataFrame(columns)
    status, reason = said(simple, table)
    assert status == "not_testable"
    assert "several waves are not independent" in reason
    named = table.assign(department=np.tile([f"u{k}" for k in range(60)], 4))
    assert said(simple, named)[0] in ("supported", "undecided", "contradicted")


def test_ids_in_other_letter_case_are_ids(simple: Any) -> None:
    table = rows(2)
    lower = judged(simple, table).verdicts
    upper = judged(simple, table.rename(columns=str.upper)).verdicts
    assert lower["mean"].iloc[0] == pytest.approx(upper["mean"].iloc[0])


def test_ids_that_are_used_again_in_other_units_are_refused(simple: Any) -> None:
    table = rows(1)
    table["department"] = np.tile(np.repeat(["A", "B", "C"], 3), 30)
    status, reason = said(simple, table)
    assert status == "not_testable"
    assert "'A' stands in d0, d1, d2" in reason
    table["department"] = table["district"] + "-" + table["department"]
    assert said(simple, table)[0] != "not_testable"


def test_an_empty_id_column_is_said(simple: Any) -> None:
    found = judged(simple, rows(1).assign(district=None))
    notes = found.propositions["H"].compiled[0].notes
    assert any("'district' of districts is empty" in n for n in notes)


def test_two_kinds_with_the_same_units_are_one(tmp_path: Path) -> None:
    """A claim about partnerships is not judged on raters where a department has one each."""
    f = theory(tmp_path / "f", {"x": "partnership", "y": "partnership"}, ["x > y"], effect())
    r = Rows(3, districts=40, departments=2)
    x, y = r.draw(), r.draw()
    table = r.table(x=x, y=y).drop(columns="partner").assign(partnership=r.department)
    found = judged(f, table)
    level = found.propositions["H"].compiled[0]
    assert "between(x, department)" in level.models[0].equations[0].formula


def test_a_column_for_a_misspelled_construct_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from acmodels.cli import main

    rows(1).rename(columns={"x": "communication", "y": "policy"}).to_csv(tmp_path / "s.csv")
    (tmp_path / "c.toml").write_text('comunication = "communication"\nmine = "policy"\n')
    main.main(
        ["test", str(tmp_path / "s.csv"), "--propositions", "P33", "--out", str(tmp_path / "o"),
         "--columns", str(tmp_path / "c.toml")], standalone_mode=False,
    )  # fmt: skip
    error = capsys.readouterr().err
    assert "'comunication' is no construct" in error
    assert "did you mean 'communication'?" in error
    assert "mine" not in error


def test_a_moderator_of_units_without_ids_decides_nothing(tmp_path: Path) -> None:
    """Its values repeat, so that rows of one unit pass for independent ones."""
    levels = {"x": "partnership", "w": "department", "y": "partnership"}
    claim = {"kind": "moderation", "from": "x", "by": "w", "to": "y", "sign": "+"}
    f = theory(tmp_path / "f", levels, ["x > y by w"], claim)
    r = Rows(3, districts=30)
    x, w = r.draw(), r.draw("department")
    table = r.table(x=x, w=w, y=0.3 * x + r.draw() + r.draw("department"))
    status, reason = said(f, table.drop(columns=["partner", "department"]))
    assert status == "undecided"
    assert "values of 'w' repeat" in reason
    assert "repeat" not in said(f, table.drop(columns=["partner"]))[1]


def test_an_outcome_that_is_a_copy_of_its_cause_is_refused(simple: Any) -> None:
    """No variance is left, and samplers would search for minutes."""
    table = rows(1)
    for y in (table["x"], 3 - 2 * table["x"]):
        status, reason = said(simple, table.assign(y=y))
        assert status == "not_testable"
        assert "'y' follows exactly from" in reason
    noisy = table["x"] + 1e-3 * np.random.default_rng(1).standard_normal(len(table))
    assert said(simple, table.assign(y=noisy))[0] != "not_testable"


@pytest.mark.parametrize(
    ("claim", "said_"),
    [
        (effect("y", "y"), "'y' is a cause and the outcome"),
        ({"kind": "mediation", "from": "x", "via": ["y"], "to": "y", "sign": "+"},
         "'y' is a mediator and the outcome"),
        ({"kind": "moderation", "from": "x", "by": "x", "to": "y", "sign": "+"},
         "'x' is a cause and a moderator"),
        (effect("both", "y"), "'y' is a cause and the outcome"),
    ],
)  # fmt: skip
def test_a_construct_has_one_role_in_a_claim(tmp_path: Path, claim: Any, said_: str) -> None:
    levels = {"x": "partnership", "y": "partnership", "both": "partnership"}
    f = theory(tmp_path / "f", levels, ["x > y"], claim, parts={"both": ["x", "y"]})
    problems = check_framework(f).problems
    assert any(said_ in p for p in problems)


def test_the_reverse_of_what_is_measured_is_measured(tmp_path: Path) -> None:
    """Of two constructs that are each other's reverse one column is enough, in composites too."""
    levels = {"x": "partnership", "far": "partnership", "z": "partnership", "all": "partnership",
              "y": "partnership"}  # fmt: skip
    extra = {"far": {"opposite_of": "x"}}
    rng = np.random.default_rng(1)
    x, z, e = rng.standard_normal((3, 200))
    near = pd.DataFrame({"x": x, "z": z, "y": 0.6 * x + 0.6 * z + e})
    far = near.drop(columns="x").assign(far=-x)
    arrows = ["x > y", "z > y"]
    f = theory(tmp_path / "f", levels, arrows, effect("far", sign="-"), extra=extra,
               parts={"all": ["x", "z"]})  # fmt: skip
    assert said(f, near)[0] == said(f, far)[0] == "supported"
    g = theory(tmp_path / "g", levels, arrows, effect("all"), extra=extra,
               parts={"all": ["x", "z"]})  # fmt: skip
    means = [judged(g, t).verdicts["mean"].iloc[0] for t in (near, far)]
    assert means[0] == pytest.approx(means[1], abs=0.01)
    assert said(f, near.assign(x=1.0))[0] == "not_testable"

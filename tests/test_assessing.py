"""`acmodels test`: what a study says of the framework, and what it cannot say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.errors import InputError
from acmodels.framework import propositions

DATA = Path(__file__).parents[1] / "data" / "synthetic" / "partnerships" / "data.csv"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Twelve districts: what is shown does not depend on how many, and fits take seconds."""
    whole = pd.read_csv(DATA, dtype=dict.fromkeys(("district", "department", "partner"), str))
    few = whole["district"].isin(sorted(set(whole["district"]))[:12])
    return whole[few].reset_index(drop=True)


def small(table: pd.DataFrame, *ids: str, **more: Any) -> Any:
    return ac.assess(table, ids, models=["capacity_conditions"], draws=300, **more)


def test_verdicts_do_not_depend_on_order_or_further_columns(table: pd.DataFrame) -> None:
    one = small(table, "P01", "P10", "P65")
    shuffled = table.sample(frac=1, random_state=3)[list(reversed(table.columns))]
    other = small(shuffled.assign(noise=1.5).reset_index(drop=True), "P01", "P10", "P65")
    assert list(one.verdicts["status"]) == list(other.verdicts["status"])
    assert list(one.verdicts["proposition"]) == ["P01", "P10", "P65"]
    assert 0 < one.expected_false < 1


def test_what_the_data_lack_is_named(table: pd.DataFrame) -> None:
    found = small(table.drop(columns=["leadership"]), "P01", "P96")
    rows = found.verdicts.set_index("proposition")
    assert set(rows["status"]) == {"not_testable"}
    assert "'leadership' (predictor)" in rows.loc["P01", "reason"]
    assert rows.loc["P01", "model"] == "capacity_conditions"
    constant = small(table.assign(leadership=1.0), "P01").verdicts.iloc[0]
    assert constant["status"] == "not_testable"
    assert "leadership" in constant["reason"]


def test_all_propositions_have_a_row_on_data_that_fit_nothing() -> None:
    found = ac.assess(pd.DataFrame({"x": np.arange(5.0)}))
    assert list(found.verdicts["proposition"]) == list(propositions())
    assert set(found.verdicts["status"]) == {"not_testable"}
    assert found.usable


def test_unknown_propositions(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="no proposition 'P97'"):
        ac.assess(table, ["P97"])


def test_the_command(
    tmp_path: Path, table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    data = tmp_path / "data.csv"
    table.to_csv(data, index=False)
    cli(["test", str(data), "--propositions", "p65,P96", "--out", str(out), "--draws", "300",
         "--json", "--quiet"])  # fmt: skip
    said = json.loads(capsys.readouterr().out)
    assert [r["proposition"] for r in said["verdicts"]] == ["P65", "P96"]
    verdicts = pd.read_csv(out / "verdicts.csv")
    assert list(verdicts.columns)[:4] == ["proposition", "model", "estimand", "status"]
    assert (out / "capacity_conditions" / "posterior.nc").exists()
    page = (out / "report.html").read_text()
    assert "Map of the framework" in page
    assert page.count("<li class=") >= 96
    with pytest.raises(SystemExit) as stop:
        cli(["test", str(data), "--propositions", "P41,Q1", "--out", str(out)])
    assert stop.value.code == 2
    assert "no proposition 'Q1'" in capsys.readouterr().err


def test_family_wise_asks_more_the_more_are_tested(table: pd.DataFrame) -> None:
    ids = ("P01", "P05", "P10", "P13", "P65")
    plain, strict = small(table, *ids), small(table, *ids, family_wise=True)
    m = len(plain.verdicts)
    assert strict.expected_false == pytest.approx(plain.expected_false / m)
    before, after = plain.verdicts, strict.verdicts
    assert "supported" in set(before["status"])
    np.testing.assert_array_equal(before["p_region"], after["p_region"])
    for old, new, p in zip(before["status"], after["status"], after["p_region"], strict=True):
        if p < 1 - 0.025 / m and 1 - p < 1 - 0.025 / m:
            assert new in (old, "undecided")
            assert new != "supported"


def test_what_is_not_testable_says_how_large_a_study_it_needs(table: pd.DataFrame) -> None:
    found = small(table.drop(columns=["leadership"]), "P01")
    needed = found.needed["P01"]
    assert "leadership" in found.lacking["P01"]
    assert found.verdicts["reason"].iloc[0] == f"{found.lacking['P01']} {needed}"
    assert needed.effect > 0
    assert "districts with " in str(needed)


def test_verdicts_without_each_unit(tmp_path: Path, table: pd.DataFrame) -> None:
    few = table.loc[table["district"].isin(sorted(set(table["district"]))[:8])]
    few.to_csv(tmp_path / "few.csv", index=False)
    out = tmp_path / "t"
    cli(["test", str(tmp_path / "few.csv"), "--propositions", "P18", "--leave-out", "district",
         "--draws", "300", "--out", str(out), "--quiet"])  # fmt: skip
    found = list(out.glob("*/influence.csv"))
    assert found
    for one in found:
        assert pd.read_csv(one)["unit"].nunique() == 8
    assert "any one of 8 districts" in (out / "report.html").read_text()


def test_a_grouping_that_is_not_there_costs_no_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        cli(["test", str(DATA), "--leave-out", "distrct", "--out", str(tmp_path / "t")])
    assert done.value.code == 2
    assert "no column 'distrct'; did you mean 'district'" in capsys.readouterr().err

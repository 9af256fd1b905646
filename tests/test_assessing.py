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
    return pd.read_csv(DATA, dtype=dict.fromkeys(("district", "department", "partner"), str))


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


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    cli(["test", str(DATA), "--propositions", "p65,P96", "--out", str(out), "--draws", "300",
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
        cli(["test", str(DATA), "--propositions", "P41,Q1", "--out", str(out)])
    assert stop.value.code == 2
    assert "no proposition 'Q1'" in capsys.readouterr().err

"""SPSS, Stata and Excel files: codes, labels and what is declared missing."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

import acmodels as ac
from acmodels.data import labels, numeric
from acmodels.errors import DataError


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "district": ["007", "007", "012", "012"],
            "trust": [1.0, 2.0, 9.0, 3.0],
            "score": [0.5, np.nan, 1.25, -2.0],
        }
    )


def test_sav_codes_labels_and_user_missing(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "survey.sav"
    pyreadstat.write_sav(
        table, str(path), column_labels={"trust": "Trust in the partner"},
        variable_value_labels={"trust": {1: "low", 2: "some", 3: "high", 9: "no answer"}},
        missing_ranges={"trust": [{"lo": 9, "hi": 9}]},
    )  # fmt: skip
    study = ac.load_study(path)
    assert list(labels(study, "district")) == ["007", "007", "012", "012"]
    np.testing.assert_array_equal(numeric(study, "trust"), [1, 2, np.nan, 3])
    assert study.labels is not None
    assert study.labels.columns["trust"] == "Trust in the partner"
    assert study.labels.values["trust"][3.0] == "high"
    assert study.labels.missing["trust"] == ((9.0, 9.0),)
    said = [f.message for f in study.findings]
    assert any("declares missing" in m and "9 “no answer” (1)" in m for m in said)


def test_dta(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "survey.dta"
    pyreadstat.write_dta(table, str(path), column_labels={"score": "A score"})
    study = ac.load_study(path)
    assert list(labels(study, "district")) == ["007", "007", "012", "012"]
    np.testing.assert_array_equal(numeric(study, "score"), table["score"])


def test_xlsx(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "survey.xlsx"
    with pd.ExcelWriter(path) as book:
        table.to_excel(book, sheet_name="answers", index=False)
        table.to_excel(book, sheet_name="notes", index=False)
    study = ac.load_study(path)
    assert list(labels(study, "district")) == ["007", "007", "012", "012"]
    np.testing.assert_array_equal(numeric(study, "score"), table["score"])
    assert any("'answers', was read" in f.message for f in study.findings)


@pytest.mark.parametrize("suffix", [".sav", ".dta", ".xlsx", ".csv", ".parquet"])
def test_a_fit_is_the_same_from_every_format(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"g": [f"0{i % 8}" for i in range(80)], "x": rng.normal(size=80)})
    table["y"] = 0.5 * table["x"] + rng.normal(size=80)
    path = tmp_path / f"data{suffix}"
    write = {
        ".sav": lambda: pyreadstat.write_sav(table, str(path)),
        ".dta": lambda: pyreadstat.write_dta(table, str(path)),
        ".xlsx": lambda: table.to_excel(path, index=False),
        ".csv": lambda: table.to_csv(path, index=False),
        ".parquet": lambda: table.to_parquet(path),
    }
    write[suffix]()
    model = ac.load_model({"name": "m", "equations": {"y": {"formula": "y ~ x + (1 | g)"}}})
    one = ac.fit(model, ac.load_study(path), draws=200).estimates
    other = ac.fit(model, table, draws=200).estimates
    np.testing.assert_allclose(one["mean"], other["mean"], rtol=1e-9)


@pytest.mark.parametrize(
    ("suffix", "row"), [(".csv", 3), (".xlsx", 3), (".sav", 2), (".dta", 2), (".parquet", 2)]
)
def test_rows_are_numbered_as_the_program_of_the_file_shows_them(
    tmp_path: Path, suffix: str, row: int
) -> None:
    table = pd.DataFrame({"x": ["1.5", "n/a?", "2.5", "3.5"], "y": [1.0, 2.0, 3.0, 4.0]})
    path = tmp_path / f"t{suffix}"
    {
        ".csv": lambda: table.to_csv(path, index=False),
        ".xlsx": lambda: table.to_excel(path, index=False),
        ".sav": lambda: pyreadstat.write_sav(table, str(path)),
        ".dta": lambda: pyreadstat.write_dta(table, str(path)),
        ".parquet": lambda: table.to_parquet(path),
    }[suffix]()
    package = {"resources": [{"name": "t", "path": path.name}]}
    (tmp_path / "datapackage.json").write_text(json.dumps(package))
    for source in (path, tmp_path):
        with pytest.raises(DataError, match=rf"'n/a\?' \(row {row}\)"):
            numeric(ac.load_study(source), "x")

"""Writing and reading again: values, labels, missing codes and ids stay, in every format."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.data import Study, kind, labels, numeric
from acmodels.data.table import Labels
from acmodels.errors import DataError, InputError

FORMATS = ("csv", "parquet", "sav")


def equal(a: Study, b: Study, truths: bool = True) -> None:
    assert a.names == b.names
    for c in a.names:
        one, other = labels(a, c), labels(b, c)
        if kind(a, c) == "number":
            np.testing.assert_array_equal(numeric(a, c), numeric(b, c), err_msg=c)
        elif truths or kind(a, c) != "boolean":
            assert list(one) == list(other), c
    x, y = a.labels, b.labels
    if x is not None and x.columns:
        assert y is not None
        assert (x.columns, x.values, x.missing) == (y.columns, y.values, y.missing)
        assert {k: dict(v) for k, v in x.held.items()} == {k: dict(v) for k, v in y.held.items()}


def survey() -> Study:
    frame = pd.DataFrame(
        {
            "person_id": ["001", "002", "010", "1e5"],
            "mood": [1.0, np.nan, 3.0, np.nan],
            "weight": [0.1, 1 / 3, 2.5e-17, np.nan],
            "word": ["yes", "n°o", None, "Grüße, “so”"],
            "flag": [True, False, True, True],
        }
    )
    said = Labels(
        {"mood": "How are you?", "word": "A word"},
        {"mood": {1.0: "good", 2.0: "so-so", 3.0: "bad", -99.0: "refused"}},
        {"mood": ((-99.0, -99.0), (-8.0, -8.0))},
        {"mood": {1: -99.0, 3: -8.0}},
    )
    return Study("survey", frame, labels=said)


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_comes_back_with_labels_and_missing_codes(tmp_path: Path, form: str) -> None:
    study = survey()
    ac.export(study, tmp_path / "out", form)
    back = ac.load_study(tmp_path / "out")
    equal(study, back, truths=form != "sav")  # SPSS has no truth values: 1 and 0
    assert list(numeric(back, "flag")) == [1, 0, 1, 1]
    assert any("-99 (1), -8 (1)" in f.message or "declares missing" in f.message
               for f in back.findings)  # fmt: skip
    # and once more, from what was read
    ac.export(back, tmp_path / "again", "csv")
    equal(back, ac.load_study(tmp_path / "again"))


@pytest.mark.parametrize("form", FORMATS)
def test_a_study_of_many_tables_comes_back(tmp_path: Path, form: str) -> None:
    made = ac.world({"world": "baseline", "size": {"districts": 4, "waves": 2}}, seed=5).study
    ac.export(made, tmp_path / "out", form)
    back = ac.load_study(tmp_path / "out")
    assert set(back.tables) == set(made.tables)
    for name, table in made.tables.items():
        equal(table, back.tables[name], truths=form != "sav")
    assert back.names == made.names
    assert back.n_rows == made.n_rows
    depth = back.tables["routines"].labels
    assert depth is not None
    assert depth.values["depth"][4.0] == "co-design"
    package = json.loads((tmp_path / "out" / "datapackage.json").read_text())
    by = {r["name"]: r["schema"] for r in package["resources"]}
    assert by["districts"]["primaryKey"] == ["district_id"]
    link = {"fields": ["district_id"], "reference": {"resource": "districts",
                                                     "fields": ["district_id"]}}  # fmt: skip
    assert link in by["departments"]["foreignKeys"]


def test_a_range_of_missing_codes_stays(tmp_path: Path) -> None:
    import pyreadstat

    frame = pd.DataFrame({"q": [1.0, 97.0, 99.0, 2.0]})
    pyreadstat.write_sav(
        frame,
        str(tmp_path / "a.sav"),
        missing_ranges={"q": [{"lo": 95, "hi": 99}]},
    )
    study = ac.load_study(tmp_path / "a.sav")
    assert np.isnan(numeric(study, "q")).tolist() == [False, True, True, False]
    for form in FORMATS:
        ac.export(study, tmp_path / form, form)
        equal(study, ac.load_study(tmp_path / form))


def test_cells_that_a_spreadsheet_would_run_are_escaped(tmp_path: Path) -> None:
    words = ["=1+1", "+x", "-y", "@z", "-5", "'quoted", "plain", "\t=2"]
    study = ac.study(pd.DataFrame({"word": words, "x": range(len(words))}))
    ac.export(study, tmp_path / "out")
    raw = (tmp_path / "out" / "data.csv").read_text()
    assert not re.search(r"^\"?[=+@]|^\"?-[a-z]", raw, re.MULTILINE)
    assert "'=1+1" in raw
    assert list(labels(ac.load_study(tmp_path / "out"), "word")) == words


def test_what_spss_cannot_hold_and_unknown_formats_are_named(tmp_path: Path) -> None:
    study = ac.study(pd.DataFrame({"ok": [1.0, 2.0], "not a name": [1, 2]}))
    with pytest.raises(DataError, match="'not a name' is no name of a variable in SPSS"):
        ac.export(study, tmp_path / "out", "sav")
    with pytest.raises(InputError, match=r"no format 'parket'; did you mean 'parquet'\?"):
        ac.export(study, tmp_path / "out", "parket")
    assert not (tmp_path / "out").exists()


def test_the_command_exports_what_it_read(tmp_path: Path) -> None:
    ac.export(survey(), tmp_path / "in", "sav")
    args = ["export", str(tmp_path / "in" / "data.sav"), "--format", "csv", "--quiet"]
    try:
        cli([*args, "--out", str(tmp_path / "out")])
    except SystemExit as stop:
        assert not stop.code
    equal(ac.load_study(tmp_path / "in"), ac.load_study(tmp_path / "out"))
    book = (tmp_path / "out" / "codebook.md").read_text()
    assert "| mood | How are you? | number | -99 refused; -8" not in book
    assert "1 good; 2 so-so; 3 bad; -99 refused" in book
    assert "2 (codes -99, -8)" in book
    assert "Grüße" in book
    # no cell of an id
    assert "1e5" not in book

"""What people's files hold: header rows, sheets, dates, labels, decimal commas, `--columns`."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat
import pytest
from click.testing import CliRunner

import acmodels as ac
from acmodels.cli import main
from acmodels.data import kind, labels, numeric, row_names
from acmodels.data.coding import means_missing, nominal
from acmodels.data.table import Study
from acmodels.errors import DataError
from acmodels.system import build_system

N = 40
SCHOOLS = [f"s{i // 4:02d}" for i in range(N)]
RNG = np.random.default_rng(4)
X = RNG.normal(size=N).round(2)
Y = (0.5 * X + RNG.normal(size=N)).round(2)


def said(study: Any, severity: str | None = None) -> str:
    return "\n".join(f.message for f in study.findings if severity in {None, f.severity})


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        act()
    return "\n".join([*caught.value.problems, *(f.message for f in caught.value.findings)])


def model(formula: str = "y ~ x + (1 | school)") -> Any:
    response = formula.partition(" ~")[0]
    return ac.load_model({"name": "m", "equations": {response: {"formula": formula}}})


def book(path: Path, sheets: dict[str, list[list[Any]]], merge: tuple[str, ...] = ()) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for i, row in enumerate(rows):
            for k, cell in enumerate(row):
                if cell is not None:
                    sheet.cell(i + 1, k + 1, cell)
    for cells in merge:
        made.worksheets[-1].merge_cells(cells)
    made.save(path)
    return path


def rows() -> list[list[Any]]:
    return [list(r) for r in zip(SCHOOLS, X.tolist(), Y.tolist(), strict=True)]


def as_csv(path: Path, table: list[list[Any]]) -> Path:
    width = max(len(row) for row in table)
    full = [row + [None] * (width - len(row)) for row in table]
    pd.DataFrame(full).to_csv(path, index=False, header=False)
    return path


HEADER = ["school", "x", "y"]
IMPORT_ID = '{"ImportId":"QID1"}'
EXPORTS: dict[str, tuple[list[list[Any]], int]] = {
    "qualtrics": (
        [HEADER, ["School", "Hours, in all", "Trust - kind"], [IMPORT_ID] * 3],
        2,
    ),
    "qualtrics, numbers emptied": (
        [HEADER, ["School", None, None], ['{"ImportId":"a"}', None, None]],
        2,
    ),
    "units": ([HEADER, ["id", "hours", "points"]], 1),
    "surveymonkey": ([["id", "x", None], [None, "kind", "clear"]], 1),
}


@pytest.mark.parametrize("form", [".csv", ".xlsx"])
@pytest.mark.parametrize("name", list(EXPORTS))
def test_export_header_rows_are_refused_and_skipped_on_request(
    tmp_path: Path, name: str, form: str
) -> None:
    head, count = EXPORTS[name]
    path = tmp_path / f"d{form}"
    (as_csv if form == ".csv" else lambda p, t: book(p, {"s": t}))(path, head + rows())
    text = refusal(lambda: ac.load_study(path))
    assert f"skip = {count}" in text
    assert "empty" not in text  # emptying the cells would turn these rows into units
    study = ac.load_study(path, columns={"skip": count})
    assert study.n_rows == N
    assert row_names(study, [0]) == (count + 2,)
    np.testing.assert_array_equal(numeric(study, study.names[2]), Y)
    assert study.names[2] == ("x - clear" if name == "surveymonkey" else "y")


def test_wordings_of_questions_become_labels(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "d.csv", EXPORTS["qualtrics"][0] + rows())
    study = ac.load_study(path, columns={"skip": 2})
    assert study.labels is not None
    assert study.labels.columns["y"] == "Trust - kind"


@pytest.mark.parametrize(
    "first", [["s00", "n/a?", 1.0], ["s00", "refused", "refused"], ["s00", 1.0, "?"]]
)
def test_strays_in_the_first_row_are_no_header_row(tmp_path: Path, first: list[Any]) -> None:
    path = as_csv(tmp_path / "d.csv", [HEADER, first, *rows()])
    assert ac.load_study(path).n_rows == N + 1


def test_rows_of_a_sheet_are_numbered_as_the_spreadsheet_shows_them(tmp_path: Path) -> None:
    table = [["Survey, 2024"], HEADER, *rows()[:10], [], [], *rows()[10:]]
    table[20][1] = "n/a?"
    path = book(tmp_path / "b.xlsx", {"codebook": [["variable", "meaning"], ["x", "hours"]],
                                      "data": table}, merge=("A1:B1",))  # fmt: skip
    text = refusal(lambda: build_system(model(), ac.load_study(path)))
    assert "codebook" in text
    assert "b.xlsx#data" in text
    study = ac.load_study(f"{path}#data")
    assert "header was found in row 2" in said(study)
    assert "blank rows were left out (rows 13, 14)" in said(study)
    assert "'n/a?' (row 21)" in refusal(lambda: numeric(study, "x"))
    again = ac.load_study(path, columns={"sheet": "data"})
    assert again.frame.equals(study.frame)
    assert "did you mean 'data'" in refusal(lambda: ac.load_study(f"{path}#dat"))
    assert "not an .xlsx" in refusal(
        lambda: ac.load_study(as_csv(tmp_path / "a.csv", table[1:]), columns={"sheet": "x"})
    )


def test_merged_ids_are_named_with_their_rows(tmp_path: Path) -> None:
    table = [HEADER, *rows()]
    path = book(tmp_path / "b.xlsx", {"s": table}, merge=("A2:A5", "A6:A9"))
    text = refusal(lambda: build_system(model(), ac.load_study(path)))
    assert "6 rows have no 'school'" in text
    assert "rows 3, 4, 5, 7, 8, 9" in text
    assert "merged" in text


@pytest.mark.parametrize("form", [".csv", ".xlsx", ".parquet", "frame"])
@pytest.mark.parametrize("names", [("a", "a"), ("a", "a "), ("a  b", "a b")])
def test_headers_that_come_twice_are_refused_in_every_format(
    tmp_path: Path, form: str, names: tuple[str, str]
) -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=pd.Index(names))
    path = tmp_path / f"d{form}"
    if form == ".csv":
        frame.to_csv(path, index=False)
    elif form == ".xlsx":
        book(path, {"s": [list(names), [1, 2], [3, 4]]})
    elif form == ".parquet":
        if names[0] == names[1]:
            pytest.skip("pandas writes no such file")
        frame.to_parquet(path)
    act = (lambda: ac.study(frame)) if form == "frame" else (lambda: ac.load_study(path))
    assert "more than once" in refusal(act)


def test_cells_of_a_spreadsheet_mean_what_they_show(tmp_path: Path) -> None:
    head = ["id", "b", "score", "failed", "when", "formula", "none"]
    table = [[1, True, "1.5", 1.0, dt.datetime(2024, 1, 2), "=A2", None],
             ["1", False, 2.5, "#DIV/0!", dt.datetime(2024, 1, 3), "=A3", None],
             [2, None, 3, 2.0, None, "=A4", None]]  # fmt: skip
    study = ac.load_study(book(tmp_path / "b.xlsx", {"s": [head, *table]}))
    assert labels(study, "id").tolist() == ["1", "1", "2"]
    assert kind(study, "b") == "boolean"
    np.testing.assert_array_equal(numeric(study, "score"), [1.5, 2.5, 3])
    np.testing.assert_array_equal(numeric(study, "failed"), [1, np.nan, 2])
    assert "#DIV/0!" in said(study, "warning")
    assert "(row 3)" in said(study, "warning")
    assert "formulas whose values the file does not store (rows 2, 3, 4)" in said(study, "warning")
    assert kind(study, "when") == "date"
    assert "1 of its 3 numbers as text" in said(study, "note")


DATES = [dt.date(2024, 1, 1) + dt.timedelta(days=i // 2) for i in range(N)]
WRITTEN: dict[str, Callable[[dt.date], Any]] = {
    "iso": lambda d: d.isoformat(),
    "us": lambda d: f"{d.month:02d}/{d.day:02d}/{d.year}",
    "german": lambda d: f"{d.day}.{d.month}.{d.year}",
    "words": lambda d: d.strftime("%d %b %Y"),
    "time": lambda d: f"{d.isoformat()} 00:00:00",
    "date": lambda d: d,
}


@pytest.mark.parametrize("form", list(WRITTEN))
def test_dates_are_dates_and_numbers_on_request(form: str) -> None:
    frame = pd.DataFrame({"school": SCHOOLS, "y": Y, "visit": [WRITTEN[form](d) for d in DATES]})
    study = ac.study(frame)
    assert kind(study, "visit") == "date"
    for formula in ("y ~ visit + (1 | school)", "visit ~ 1 + (1 | school)"):
        text = refusal(lambda f=formula: build_system(model(f), ac.study(frame)))
        assert 'visit = { column = "visit", date = "years" }' in text
        assert "factor" not in text
    asked = ac.study(frame, columns={"t": {"column": "visit", "date": "days"}})
    np.testing.assert_allclose(numeric(asked, "t"), [i // 2 for i in range(N)])
    year = {"t": {"column": "visit", "date": "years", "since": "2023-01-01"}}
    first = numeric(ac.study(frame, columns=year), "t")[0]
    np.testing.assert_allclose(first, 365 / 365.25)


def test_the_order_of_day_and_month_is_never_guessed() -> None:
    frame = pd.DataFrame({"d": ["01/02/2024", "05/04/2024"], "x": [1, 2]})
    text = refusal(lambda: ac.study(frame, columns={"d": {"column": "d", "date": "days"}}))
    assert 'order = "mdy" or order = "dmy"' in text
    for order, apart in (("mdy", 123), ("dmy", 64)):
        made = ac.study(frame, columns={"d": {"column": "d", "date": "days", "order": order}})
        assert numeric(made, "d")[1] == apart


def test_a_grouping_by_date_is_said(tmp_path: Path) -> None:
    frame = pd.DataFrame({"visit": [str(d) for d in DATES], "x": X, "y": Y})
    found = build_system(model("y ~ x + (1 | visit)"), ac.study(frame)).findings
    assert any("holds dates" in f.message for f in found)


@pytest.mark.parametrize(
    ("label", "is_missing"),
    [
        ("Refused", True), ("-9. REFUSED", True), ("Don't know", True), ("DK/NA", True),
        ("no answer (vol.)", True), ("Missing; unknown", True), ("[Not applicable]", True),
        ("Prefer not to say", True), ("Strongly agree", False), ("None", False), ("No", False),
        ("Not at all", False), ("Refused treatment", False), ("Knows nothing", False),
    ],
)  # fmt: skip
def test_labels_that_mean_missing(label: str, is_missing: bool) -> None:
    assert means_missing(label) is is_missing


def labeled(path: Path) -> Path:
    """A file of value labels, in the format of its suffix."""
    frame = pd.DataFrame({"school": SCHOOLS, "x": X, "y": Y})
    frame["gender"] = [1.0 + i % 2 for i in range(N)]
    frame["sector"] = [float((1, 2, 3, 9)[(i // 2) % 4]) for i in range(N)]
    frame["agree"] = [1.0 + i % 3 for i in range(N)]
    words = {
        "gender": {1: "male", 2: "female"},
        "sector": {1: "Public", 2: "Catholic", 3: "Charter", 9: "No answer"},
        "agree": {1: "Disagree", 2: "Neither", 3: "Agree"},
    }
    if path.suffix == ".json":
        frame.to_csv(path.parent / "d.csv", index=False)
        fields = [
            {"name": c, "categories": [{"value": k, "label": w} for k, w in words[c].items()]}
            for c in words
        ]
        resource = {"path": "d.csv", "schema": {"fields": fields}}
        path.write_text(json.dumps({"resources": [resource]}))
        return path.parent
    if path.suffix == ".sav":
        pyreadstat.write_sav(frame, str(path), variable_value_labels=words)
    else:
        frame = frame.astype(dict.fromkeys(words, int))
        pyreadstat.write_dta(frame, str(path), variable_value_labels=words)
    return path


@pytest.mark.parametrize("name", ["d.sav", "d.dta", "datapackage.json"])
def test_value_labels_are_levels_and_warn_of_missing(tmp_path: Path, name: str) -> None:
    path = labeled(tmp_path / name)
    study = ac.load_study(path)
    line = 'sector = { column = "sector", missing = [9] }'
    assert line in said(study, "warning")
    assert "gender" not in said(study, "warning")
    formula = 'y ~ x + factor(gender, ref="male") + sector + agree + (1 | school)'
    system = build_system(model(formula), study)
    names = [c.name for c in system.layout.equations[0].columns]
    assert "factor(gender)[female]" in " ".join(names)
    notes = " ".join(f.message for f in system.findings if f.severity == "note")
    assert "'sector' enters as a number" in notes
    assert "'agree' enters" not in notes
    file = tmp_path / "columns.toml"
    file.write_text(line + "\n")
    fixed = ac.load_study(path, columns=file)
    assert said(fixed, "warning") == ""
    assert np.isnan(numeric(fixed, "sector")).sum() == sum((i // 2) % 4 == 3 for i in range(N))
    assert "columns.toml" in fixed.sha256


def test_only_what_a_model_reads_is_warned_of(tmp_path: Path) -> None:
    study = ac.load_study(labeled(tmp_path / "d.sav"))
    assert not any("sector" in f.message for f in build_system(model(), study).findings)


def test_codes_with_ordered_labels_are_not_nominal(tmp_path: Path) -> None:
    study = ac.load_study(labeled(tmp_path / "d.sav"))
    assert nominal(study, "agree") == ()
    assert nominal(study, "gender") == ()
    assert nominal(study, "sector")[:2] == ("Public", "Catholic")


def test_extended_missing_of_stata_is_missing(tmp_path: Path) -> None:
    frame = pd.DataFrame({"t": pd.Series([1, 2, "a", "b"], dtype=object)})
    path = tmp_path / "e.dta"
    pyreadstat.write_dta(frame, str(path), missing_user_values={"t": ["a", "b"]},
                         variable_value_labels={"t": {1: "low", "a": "refused"}})  # fmt: skip
    study = ac.load_study(path)
    np.testing.assert_array_equal(numeric(study, "t"), [1, 2, np.nan, np.nan])
    assert "refused" in said(study, "note")
    assert said(study, "warning") == ""


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["$1,000.50", "12"], [1000.5, 12]),
        (["1.234.567,5", "1,5"], [1234567.5, 1.5]),
        (["(1,200.00)", "3.5"], [-1200, 3.5]),
    ],
)
def test_numbers_that_can_be_read_in_one_way_only_are_read(
    cells: list[str], numbers: list[float]
) -> None:
    study = ac.study(pd.DataFrame({"x": cells}))
    np.testing.assert_array_equal(numeric(study, "x"), numbers)
    assert len(study.findings) == 1


@pytest.mark.parametrize(
    ("cells", "decimal", "numbers"),
    [
        (["78%", "9%"], ".", [78, 9]),
        (["$16,960", "$7,704"], ".", [16960, 7704]),
        (["16,960", "7,704"], ",", [16.96, 7.704]),
    ],
)
def test_what_can_be_read_in_two_ways_is_read_on_request(
    cells: list[str], decimal: str, numbers: list[float]
) -> None:
    frame = pd.DataFrame({"x": cells})
    text = refusal(lambda: numeric(ac.study(frame), "x"))
    assert "factor" not in text
    assert "decimal =" in text
    for given in ({"decimal": decimal}, {"x": {"column": "x", "decimal": decimal}}):
        study = ac.study(frame, columns=given)
        np.testing.assert_allclose(numeric(study, "x"), numbers)
        assert len(study.findings) == 1


def test_a_mapping_file_names_reverses_and_empties(tmp_path: Path) -> None:
    frame = pd.DataFrame({"PK_mean": [1, 5, -99, 2], "g": ["a", "b", "-99", "c"], "x": range(4)})
    study = ac.study(
        frame,
        columns={
            "missing": [-99],
            "randomized": ["x"],
            "knowledge": {"column": "PK_mean", "reverse": True, "missing": [2]},
        },
    )
    np.testing.assert_array_equal(numeric(study, "knowledge"), [5, 1, np.nan, np.nan])
    assert labels(study, "g").tolist() == ["a", "b", None, "c"]
    assert study.randomized == ("x",)
    assert "PK_mean" in study.names  # what is not in the file keeps its name


def test_names_may_be_exchanged() -> None:
    study = ac.study(pd.DataFrame({"a": [1, 2], "b": [3, 4]}), columns={"a": "b", "b": "a"})
    np.testing.assert_array_equal(numeric(study, "a"), [3, 4])
    np.testing.assert_array_equal(numeric(study, "b"), [1, 2])
    assert "is not used" in said(study)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"mising": [-9]}, "did you mean 'missing'"),
        ({"decimal": ";"}, "decimal"),
        ({"z": {"colum": "x"}}, "did you mean 'column'"),
        ({"z": "xx"}, "no column 'xx'"),
        ({"randomized": ["xs"]}, "randomized"),
        ({"z": {"column": "x", "order": "mdy"}}, "can only be used with date"),
        ({"z": {"column": "x", "date": "years", "since": "soon"}}, "since must be a date"),
        ({"skip": -1}, "skip"),
    ],
)
def test_a_mapping_file_that_is_wrong(columns: dict[str, Any], says: str) -> None:
    assert says in refusal(lambda: ac.study(pd.DataFrame({"x": [1, 2]}), columns=columns))


def test_tables_of_a_package_are_mapped_and_joined(tmp_path: Path) -> None:
    pd.DataFrame({"leaid": ["001", "002"], "locale": [1, 2]}).to_csv(
        tmp_path / "districts.csv", index=False
    )
    schools = pd.DataFrame({"school_id": list("abcd"), "leaid": ["001", "001", "002", "002"]})
    schools.assign(y=["1,5", "2,25", "0,5", "3"]).to_csv(tmp_path / "schools.csv", index=False)
    locale = {"name": "locale", "categories": [{"value": 1, "label": "city"}]}
    resources = [{"path": "districts.csv", "schema": {"fields": [locale]}}, {"path": "schools.csv"}]
    (tmp_path / "datapackage.json").write_text(json.dumps({"resources": resources}))
    study = ac.load_study(tmp_path, columns={"district_id": "leaid", "score": "y"})
    np.testing.assert_array_equal(numeric(study, "score"), [1.5, 2.25, 0.5, 3])
    assert labels(study, "district_id").tolist() == ["001", "001", "002", "002"]
    assert study.labels is not None
    assert study.labels.values["locale"] == {1.0: "city"}
    assert "no column 'nope'" in refusal(
        lambda: ac.load_study(tmp_path, columns={"district_id": "leaid", "z": "nope"})
    )


def test_an_id_that_lost_its_zeros_is_explained(tmp_path: Path) -> None:
    book(tmp_path / "districts.xlsx", {"s": [["district_id"], [1], [2]]})
    pd.DataFrame({"school_id": list("ab"), "district_id": ["001", "002"], "y": [1, 2]}).to_csv(
        tmp_path / "schools.csv", index=False
    )
    resources = [{"path": "districts.xlsx"}, {"path": "schools.csv"}]
    (tmp_path / "datapackage.json").write_text(json.dumps({"resources": resources}))
    text = refusal(lambda: ac.load_study(tmp_path))
    assert "'001' here is '1' there" in text


@pytest.mark.parametrize("command", ["check", "fit", "priors", "pilot", "test", "rivals",
                                     "export", "scales"])  # fmt: skip
def test_every_command_that_reads_data_takes_columns(command: str) -> None:
    assert "--columns" in {o for p in main.commands[command].params for o in p.opts}


def test_check_with_columns_from_the_shell(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "d.csv", EXPORTS["qualtrics"][0] + rows())
    (tmp_path / "c.toml").write_text('skip = 2\nlearning = "y"\n')
    (tmp_path / "m.toml").write_text(
        'name = "m"\n[equations.learning]\nformula = "learning ~ x + (1 | school)"\n'
    )
    args = ["check", str(path), str(tmp_path / "m.toml"), "--columns", str(tmp_path / "c.toml")]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0
    assert f"{N} of {N} rows used" in done.output


def test_a_plain_table_is_read_as_before() -> None:
    study = ac.study(pd.DataFrame({"x": X, "school": SCHOOLS}))
    assert isinstance(study, Study)
    assert study.findings == ()
    assert study.commas == frozenset()

"""Tables in: what is read, what is said, and what is refused."""

import csv
import datetime as dt
import gzip
import hashlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from acmodels.data import (
    Finding,
    Study,
    kind,
    labels,
    near_duplicate_labels,
    numeric,
    read_study,
    row_names,
    sentinels,
    study,
    truth_values,
)
from acmodels.data import delimited as delimited_room
from acmodels.errors import AcmodelsError, DataError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(content: str | bytes, name: str = "data.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return put


def refusal(call: Callable[[], object], error: type[AcmodelsError] = DataError) -> str:
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    text = str(caught.value)
    assert "Traceback" not in text
    assert text.isprintable() or "\n" in text
    return text


def messages(found: Study, severity: str | None = None) -> str:
    return "\n".join(f.message for f in found.findings if severity in {None, f.severity})


def same(values: np.ndarray, expected: list[float]) -> None:
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, np.array(expected))


# --- CSV: what is read ---------------------------------------------------------------------------


def test_a_csv_is_read_as_it_is_written(write: Write) -> None:
    path = write("id,x,sector,passed\n001,1.5,Public,TRUE\n002,NA,Catholic,false\n010,-2e1,,true\n")
    found = read_study(path)
    assert found.name == "data.csv"
    assert found.path == path
    assert found.n_rows == 3
    assert found.names == ("id", "x", "sector", "passed")
    assert found.findings == ()
    assert labels(found, "id").tolist() == ["001", "002", "010"]
    same(numeric(found, "id"), [1, 2, 10])
    same(numeric(found, "x"), [1.5, np.nan, -20])
    same(numeric(found, "passed"), [1, 0, 1])
    assert labels(found, "sector").tolist() == ["Public", "Catholic", None]
    assert [kind(found, c) for c in found.names] == ["number", "number", "text", "boolean"]
    assert found.frame["id"].tolist() == ["001", "002", "010"]


def test_the_digest_of_the_file_is_kept(write: Write) -> None:
    found = read_study(write("x\n1\n"))
    assert dict(found.sha256) == {"data.csv": hashlib.sha256(b"x\n1\n").hexdigest()}


def test_zero_and_one_written_as_text_are_numbers(write: Write) -> None:
    found = read_study(write('a,b\n"1",x\n"0",y\n'))
    assert kind(found, "a") == "number"
    same(numeric(found, "a"), [1, 0])


def test_every_missing_marker_is_missing_also_in_ids(write: Write) -> None:
    markers = ["", "  ", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", ".", "#N/A"]
    rows = "".join(f"{m},{m},k\n" for m in [*markers, " NA "])
    found = read_study(write(f"id,x,k\n{rows}A1,3,k\n"))
    assert labels(found, "id").tolist() == [None] * 13 + ["A1"]
    same(numeric(found, "x"), [np.nan] * 13 + [3])


def test_an_all_missing_column_is_empty(write: Write) -> None:
    found = read_study(write("x,y\nNA,1\n,2\n"))
    assert kind(found, "x") == "empty"
    same(numeric(found, "x"), [np.nan, np.nan])
    assert labels(found, "x").tolist() == [None, None]


def test_white_space_is_stripped_from_numbers_and_kept_in_labels(write: Write) -> None:
    found = read_study(write("id,x,t\n D1 , 1.5 , TRUE \nD2,\u00a02,FALSE\n"))
    same(numeric(found, "x"), [1.5, 2])
    same(numeric(found, "t"), [1, 0])
    assert labels(found, "id").tolist() == [" D1 ", "D2"]


@pytest.mark.parametrize("word", ["+1", "1.", ".5", "1e5", "1E-2", "-0", "007", "1e-400"])
def test_numbers_read_as_python_reads_them(write: Write, word: str) -> None:
    same(numeric(read_study(write(f"x,y\n{word},a\n2,b\n")), "x"), [float(word), 2])


@pytest.mark.parametrize("word", ["1_000", "0x10", "١٢", "1d5", "--1", "1e", "5 kg", "n/a?"])
def test_what_only_python_calls_a_number_is_a_stray(write: Write, word: str) -> None:
    found = read_study(write(f"x,y\n{word},a\n2,b\n3,c\n"))
    for ask in (kind, numeric):
        text = refusal(lambda ask=ask: ask(found, "x"))
        assert f"'{word}' (row 2)" in text
        assert text.startswith("data.csv: column 'x' is mostly numbers but holds")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(write: Write, delimiter: str) -> None:
    lines = ["id,x,note", '1,2.5,"a;b,c|d\te"', '2,3.5,"say ""hi"""']
    rows = list(csv.reader(lines))
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    found = read_study(write(out.getvalue()))
    assert found.names == ("id", "x", "note")
    same(numeric(found, "x"), [2.5, 3.5])
    assert labels(found, "note").tolist() == ["a;b,c|d\te", 'say "hi"']


def test_the_header_decides_between_delimiters(write: Write) -> None:
    assert read_study(write("id,note\n1,a;b;c\n2,d;e;f\n")).names == ("id", "note")
    assert read_study(write("x;y\n1,5;2,5\n")).names == ("x", "y")
    assert read_study(write("x, raw;y\n1,5;2\n")).names == ("x, raw", "y")
    assert read_study(write('"a;b",c\n1,2\n')).names == ("a;b", "c")


def test_the_separator_line_of_excel_is_understood(write: Write) -> None:
    found = read_study(write("sep=;\r\nx;y\r\n1;a\r\n2;zz\r\n3;b\r\n"))
    assert found.names == ("x", "y")
    assert row_names(found, [0]) == (3,)


def test_a_decimal_comma_is_read_and_said(write: Write) -> None:
    found = read_study(write("id;x;n;code\n01;1,5;3;2.5\n02;-0,25;4;3.25\n03;NA;;\n"))
    same(numeric(found, "x"), [1.5, -0.25, np.nan])
    same(numeric(found, "n"), [3, 4, np.nan])
    same(numeric(found, "code"), [2.5, 3.25, np.nan])
    assert labels(found, "x").tolist() == ["1,5", "-0,25", None]
    assert "decimal comma (in x)" in messages(found, "note")


def test_a_decimal_comma_beside_decimal_points_in_one_column_is_refused(write: Write) -> None:
    found = read_study(write("x;y\n1,5;1\n2,5;2\n3.5;3\n4,5;4\n"))
    text = refusal(lambda: numeric(found, "x"))
    assert "'3.5' (row 4)" in text
    assert "decimal comma" in text


def test_thousands_are_never_taken_for_decimals_or_labels(write: Write) -> None:
    tabs = read_study(write("income\ty\n45,000\t1.5\n52,500\t2.5\n"))
    assert "no thousands separator" in refusal(lambda: kind(tabs, "income"))
    points = read_study(write("income;y\n45.000;1,5\n52.500;2,5\n"))
    assert "no thousands separator" in refusal(lambda: numeric(points, "income"))
    quoted = read_study(write('income,y\n"45,000",1.5\n"52,500",2.5\n'))
    assert "no thousands separator" in refusal(lambda: kind(quoted, "income"))
    unsure = read_study(write("x;y\n1,234;1\n2,345;2\n"))
    same(numeric(unsure, "x"), [1.234, 2.345])
    assert "if the comma marks thousands" in messages(unsure, "warning")


def test_a_quoted_decimal_comma_that_can_be_nothing_else_is_read_and_said(write: Write) -> None:
    found = read_study(write('x,y\n"1,5",1\n"-2,25",2.5\n3,NA\n'))
    same(numeric(found, "x"), [1.5, -2.25, 3])
    same(numeric(found, "y"), [1, 2.5, np.nan])
    assert messages(found, "note").count("decimal comma") == 1


@pytest.mark.parametrize("cells", [("1,5", "1,500"), ("1,5", "2.5"), ("1,2", "1,2,3")])
def test_a_comma_that_can_be_something_else_is_not_read_as_decimal(
    write: Write, cells: tuple[str, str]
) -> None:
    found = read_study(write("x,y\n" + "".join(f'"{c}",1\n' for c in cells)))
    assert "decimal comma" not in messages(found, "note")
    assert found.commas == frozenset()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom", "utf-32"]
)
def test_unicode_encodings(write: Write, encoding: str) -> None:
    text = "név,x\nŁódź,1\nÅrhus,2\n"
    if encoding.endswith("-bom"):
        raw = ("\ufeff" + text).encode(encoding.removesuffix("-bom"))
    else:
        raw = text.encode(encoding)
    found = read_study(write(raw))
    assert found.names == ("név", "x")
    assert labels(found, "név").tolist() == ["Łódź", "Århus"]
    assert found.findings == ()


@pytest.mark.parametrize("raw", [b"\xe5,x\n\x93caf\xe9\x94,1\n", b"\xe5,x\ncaf\xe9\x81,1\n"])
def test_latin_1_is_read_and_said(write: Write, raw: bytes) -> None:
    found = read_study(write(raw))
    assert found.names == ("å", "x")
    assert "café" in str(labels(found, "å")[0])
    assert "Latin-1" in messages(found, "note")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends(write: Write, newline: str) -> None:
    found = read_study(write(newline.join(["id,x", "a,1", 'b,"2"', "c,3"])))
    same(numeric(found, "x"), [1, 2, 3])


def test_rs_row_names_become_a_column(write: Write) -> None:
    found = read_study(write('"","x"\n"1",2\n"2",3\n'))
    assert found.names == ("row", "x")
    assert labels(found, "row").tolist() == ["1", "2"]
    assert "named 'row'" in messages(found, "note")


def test_rs_row_names_are_dropped_where_row_exists(write: Write) -> None:
    found = read_study(write(",row,x\n1,a,2\n2,b,3\n"))
    assert found.names == ("row", "x")
    assert labels(found, "row").tolist() == ["a", "b"]
    assert "left out" in messages(found, "note")


def test_unused_columns_at_the_end_are_dropped(write: Write) -> None:
    found = read_study(write("a,b,,\n1,2,,\n3,4, ,\n"))
    assert found.names == ("a", "b")
    assert "left out" in messages(found, "note")


def test_header_white_space_is_stripped_and_said(write: Write) -> None:
    found = read_study(write(" x , y\n1,2\n"))
    assert found.names == ("x", "y")
    assert "white space" in messages(found, "note")


def test_blank_rows_are_left_out_and_rows_keep_their_numbers(write: Write) -> None:
    found = read_study(write("x,y\n1,a\n\n,\n4,b\nbad,c\n6,d\n7,e\n\n"))
    assert found.n_rows == 5
    assert row_names(found, [0, 1, 4]) == (2, 5, 8)
    assert row_names(found, np.array([False, True, False, False, True])) == (5, 8)
    note = next(f for f in found.findings if "blank" in f.message)
    assert note == Finding("note", note.message, None, (3, 4))
    assert "'bad' (row 6)" in refusal(lambda: numeric(found, "x"))


def test_rows_above_the_header_are_said(write: Write) -> None:
    found = read_study(write("\n\nx,y\n1,a\noops,b\n3,c\n4,d\n"))
    assert found.names == ("x", "y")
    assert "row 3" in messages(found, "note")
    assert "'oops' (row 5)" in refusal(lambda: numeric(found, "x"))


def test_a_blank_line_in_a_single_column_is_a_missing_value(write: Write) -> None:
    found = read_study(write("x\n1\n\n3\n\n\n"))
    same(numeric(found, "x"), [1, np.nan, 3])


def test_a_newline_inside_quotes_is_one_row(write: Write) -> None:
    found = read_study(write('note,x\n"two\nlines",1\nb,?\nc,3\nd,4\n'))
    assert labels(found, "note")[0] == "two\nlines"
    assert "'?' (row 3)" in refusal(lambda: numeric(found, "x"))


def test_rows_with_fewer_cells_are_warned_of(write: Write) -> None:
    found = read_study(write("a,b,c\n1,2,3\n4,5\n6,7,8\n"))
    same(numeric(found, "c"), [3, np.nan, 8])
    warning = next(f for f in found.findings if f.severity == "warning")
    assert warning.rows == (3,)
    assert "row 3 has fewer cells" in warning.message


@pytest.mark.parametrize("text", ["1,2\n3,4\n", "a b c\n1 2 3\n"])
def test_a_header_that_is_none_is_warned_of(write: Write, text: str) -> None:
    assert messages(read_study(write(text)), "warning")


def test_hostile_names_and_cells_stay_text(write: Write) -> None:
    name = "__import__('os').system('x')<script>" + "é" * 3000
    found = read_study(write(f'"{name}",lambda\n=cmd|x,1\n<b>,2\n'))
    assert found.names == (name, "lambda")
    assert labels(found, name).tolist() == ["=cmd|x", "<b>"]
    text = refusal(lambda: numeric(found, name))
    assert len(text) < 400
    assert text.isprintable()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.lists(st.text(" ab1,;.'\t\u00a0é", max_size=4), min_size=2, max_size=4),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_the_fast_and_the_careful_way_read_the_same(rows: list[list[str]], newline: str) -> None:
    text = newline.join("|".join(row) for row in [["p", "q", "r"], *rows]) + newline
    raw = text.encode()

    def outcome() -> object:
        try:
            frame, findings, decimal, _ = delimited_room.read_delimited(raw, "data.csv")
        except DataError as problem:
            return str(problem)
        return frame.to_dict(), list(frame.index), findings, decimal

    quick = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited_room, "_plain", lambda layout: None)
        careful = outcome()
    assert quick == careful


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1),
            st.floats(allow_infinity=False),
        ),
        min_size=1,
    ),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, float]],
    delimiter: str,
    encoding: str,
) -> None:
    path = tmp_path_factory.mktemp("law") / "data.csv"
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow(["key", "id", "x"])
        writer.writerows([("k", label, repr(x)) for label, x in rows])
    found = read_study(path)
    same(numeric(found, "x"), [x for _, x in rows])
    for read, (label, _) in zip(labels(found, "id"), rows, strict=True):
        assert read == label or read is None


# --- CSV: what is refused ------------------------------------------------------------------------


def test_duplicate_and_empty_names_are_refused_together(write: Write) -> None:
    text = refusal(lambda: read_study(write("a,b,a,,c\n1,2,3,4,5\n")))
    assert "'a' (2 times)" in text
    assert "column 4 of 5 has no name" in text
    assert "'a' (2 times)" in refusal(lambda: read_study(write("a, a\n1,2\n")))


def test_rows_with_more_cells_are_refused(write: Write) -> None:
    text = refusal(lambda: read_study(write("a,b\n1,2\n3,4,5\n6,7\n8,9,10,11\n")))
    assert "data.csv: rows 3, 5 have more cells than the header (2 cells)" in text
    every = refusal(lambda: read_study(write("a,b\nr1,1,2\nr2,3,4\n")))
    assert "header seems to lack a name" in every
    many = "a,b\n" + "1,2,3\n" * 30 + "1,2\n"
    assert "and 22 more" in refusal(lambda: read_study(write(many)))


@pytest.mark.parametrize("text", ["", " \n\n", "\ufeff", "\ufeff\n", ",,,\n,,\n"])
def test_an_empty_file_is_refused(write: Write, text: str) -> None:
    assert refusal(lambda: read_study(write(text))).startswith("data.csv: is empty")


@pytest.mark.parametrize("text", ["a,b", "a,b\n", "a,b\n\n,\n", "a\n\n"])
def test_a_header_alone_is_refused(write: Write, text: str) -> None:
    assert "header but no rows" in refusal(lambda: read_study(write(text)))


@pytest.mark.parametrize("row", ['"open,1', '"a"b,1', '"a" ,1'])
def test_a_quote_that_goes_wrong_is_refused(write: Write, row: str) -> None:
    text = refusal(lambda: read_study(write(f"a,b\nx,0\n{row}\ny,2\n")))
    assert "data.csv: row 3 has a quote" in text


def test_a_quote_that_swallows_the_file_is_refused(write: Write) -> None:
    text = refusal(lambda: read_study(write('a,b\n"x,1\n' + "y,2\n" * 50_000)))
    assert "row 2" in text
    assert "quote is not closed" in text


def zipped(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "x")
    return out.getvalue()


def parquet_bytes(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (pickle.dumps({"a": 1}), "pickle"),
        (pickle.dumps([1, 2], protocol=0), "pickle"),
        (b"cos\nsystem\n(S'echo'\ntR.", "pickle"),
        (zipped("a.txt"), "zip archive"),
        (zipped("xl/workbook.xml"), "Excel"),
        (parquet_bytes(pa.table({"x": [1]})), "Parquet"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "gzip"),
        (b"a,b\n1,\x002\n", "binary"),
        ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16"),
        (b"\x7fELF\x01\x02\xff\xfe\xe9 not text", "binary"),
        (b"\xff\xfea", "UTF-16"),
        (b"<!DOCTYPE html><html>login</html>", "web page"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".xls"),
        (b"$FL2@(#) SPSS", "SPSS"),
    ],
)
def test_what_is_no_text_is_refused_by_name(write: Write, raw: bytes, says: str) -> None:
    text = refusal(lambda: read_study(write(raw)))
    assert says in text
    assert text.startswith("data.csv: ")


# --- paths ---------------------------------------------------------------------------------------


def test_a_missing_file(write: Write, tmp_path: Path) -> None:
    write("x\n1\n", "study_data.csv")
    text = refusal(lambda: read_study(tmp_path / "study_dta.csv"))
    assert "no such file; did you mean 'study_data.csv'?" in text
    assert "study_data.csv" in refusal(lambda: read_study(tmp_path / "zzz.csv"))
    assert "no folder" in refusal(lambda: read_study(tmp_path / "nowhere" / "a.csv"))


def test_a_folder_without_a_data_package(write: Write, tmp_path: Path) -> None:
    write("x\n1\n", "a.csv")
    assert "name the file itself (a.csv)" in refusal(lambda: read_study(tmp_path))


@pytest.mark.parametrize("name", ["data.rds", "data", "data.csv.gz", "data.pkl", "data.tsv"])
def test_other_suffixes_are_refused(write: Write, name: str) -> None:
    assert ".csv or .parquet" in refusal(lambda: read_study(write("x\n1\n", name)))


def test_an_upper_case_suffix_is_read(write: Write) -> None:
    assert read_study(write("x\n1\n", "DATA.CSV")).name == "DATA.CSV"


def test_an_unreadable_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("x\n1\n")

    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert "data.csv: cannot be read (Permission denied)" in refusal(lambda: read_study(path))


@pytest.mark.parametrize("path", ["", "  ", "a\0b.csv", "x" * 5000 + ".csv", "~nobody-here/a.csv"])
def test_paths_that_are_none(path: str) -> None:
    refusal(lambda: read_study(path))


def test_what_is_no_path_or_no_ordinary_file(tmp_path: Path) -> None:
    assert "not int" in refusal(lambda: read_study(3))  # pyright: ignore[reportArgumentType]
    os.mkfifo(tmp_path / "pipe.csv")
    assert "ordinary file" in refusal(lambda: read_study(tmp_path / "pipe.csv"))


# --- folders -------------------------------------------------------------------------------------


def package(write: Write, content: object) -> None:
    write(content if isinstance(content, str) else json.dumps(content), "datapackage.json")


def test_a_folder_of_one_table(write: Write, tmp_path: Path) -> None:
    write("id,x\n01,1\n", "table.csv")
    package(write, {"resources": [{"name": "t", "path": "table.csv"}]})
    found = read_study(tmp_path)
    assert found.name == "table.csv"
    assert found.path == tmp_path
    assert set(found.sha256) == {"datapackage.json", "table.csv"}
    assert labels(found, "id").tolist() == ["01"]


def test_declared_missing_values_are_missing(write: Write, tmp_path: Path) -> None:
    write("id,x\n01,1\n02,-99\n", "table.csv")
    schema = {"missingValues": ["", "-99"]}
    package(write, {"resources": [{"path": "table.csv", "schema": schema}]})
    found = read_study(tmp_path)
    same(numeric(found, "x"), [1, np.nan])
    assert "-99" in messages(found, "note")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "\ufeff",
        "[" * 100_000,
        "{}",
        {"resources": []},
        {"resources": 3},
        {"resources": [3]},
        {"resources": [{}]},
        {"resources": [{"path": ["a.csv"]}]},
        {"resources": [{"path": "/etc/hosts.csv"}]},
        {"resources": [{"path": "../a.csv"}]},
        {"resources": [{"path": "https://example.org/a.csv"}]},
        {"resources": [{"path": "\ud800.csv"}]},
        {"resources": [{"path": "not_there.csv"}]},
        {"resources": [{"path": "x" * 5000}]},
    ],
)
def test_a_data_package_that_is_wrong(write: Write, tmp_path: Path, content: object) -> None:
    package(write, content)
    assert "datapackage.json" in refusal(lambda: read_study(tmp_path))


# --- Parquet -------------------------------------------------------------------------------------


def test_parquet_types(write: Write) -> None:
    table = pa.table(
        {
            "id": ["001", "NA", "1"],
            "n": pa.array([1, None, 9007199254740993], pa.int64()),
            "x": [0.1, float("nan"), 2.0],
            "f": pa.array([0.1, 2.0, None], pa.float32()),
            "b": [True, None, False],
            "c": pa.array(["p", "q", "p"]).dictionary_encode(),
            "d": pa.array([Decimal("1.50"), Decimal("2.00"), None]),
            "day": pa.array([dt.date(2024, 1, 31), None, dt.date(2024, 2, 1)]),
            "nothing": pa.array([None, None, None]),
            "nested": [[1], [2], [3]],
            "raw": [b"a", b"b", b"c"],
        }
    )
    found = read_study(write(parquet_bytes(table), "t.parquet"))
    assert found.n_rows == 3
    assert labels(found, "id").tolist() == ["001", None, "1"]
    assert labels(found, "n").tolist() == ["1", None, "9007199254740993"]
    assert labels(found, "x").tolist() == ["0.1", None, "2"]
    assert labels(found, "f").tolist() == ["0.1", "2", None]
    assert labels(found, "b").tolist() == ["True", None, "False"]
    assert labels(found, "c").tolist() == ["p", "q", "p"]
    assert labels(found, "day").tolist() == ["2024-01-31", None, "2024-02-01"]
    assert labels(found, "d").tolist() == ["1.50", "2", None]
    assert labels(found, "nothing").tolist() == [None] * 3
    same(numeric(found, "x"), [0.1, np.nan, 2])
    same(numeric(found, "b"), [1, np.nan, 0])
    same(numeric(found, "d"), [1.5, 2, np.nan])
    same(numeric(found, "nothing"), [np.nan] * 3)
    kinds = {name: kind(found, name) for name in found.names if name not in {"nested", "raw"}}
    assert kinds == {
        **dict.fromkeys(["id", "n", "x", "f", "d"], "number"),
        "c": "text",
        "day": "date",
        "b": "boolean",
        "nothing": "empty",
    }
    assert "dates" in refusal(lambda: numeric(found, "day"))
    for column in ("nested", "raw"):
        for ask in (kind, numeric, labels):
            text = refusal(lambda ask=ask, column=column: ask(found, column))
            assert f"t.parquet: column '{column}' holds values of type" in text


def test_a_pandas_index_in_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=pd.Index(["a", "b"]))
    frame.to_parquet(tmp_path / "unnamed.parquet")
    assert read_study(tmp_path / "unnamed.parquet").names == ("x",)
    frame.rename_axis("id").to_parquet(tmp_path / "named.parquet")
    found = read_study(tmp_path / "named.parquet")
    assert set(found.names) == {"x", "id"}
    assert found.frame.index.equals(pd.RangeIndex(2))
    assert row_names(found, [0]) == (1,)


@pytest.mark.parametrize("raw", [b"", b"PAR1", b"PAR1 and then nonsense PAR1", b"a,b\n1,2\n"])
def test_parquet_that_is_none(write: Write, raw: bytes) -> None:
    assert refusal(lambda: read_study(write(raw, "t.parquet"))).startswith("t.parquet: ")


def test_parquet_without_rows_or_with_names_twice(write: Write) -> None:
    empty = parquet_bytes(pa.table({"x": pa.array([], pa.float64())}))
    assert "no rows" in refusal(lambda: read_study(write(empty, "t.parquet")))
    twice = parquet_bytes(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]))
    assert "'x' (2 times)" in refusal(lambda: read_study(write(twice, "t.parquet")))


# --- DataFrames ----------------------------------------------------------------------------------


def test_a_dataframe_is_copied() -> None:
    frame = pd.DataFrame({"x": np.array([1.0, 2.0]), "id": ["a", "b"]})
    found = study(frame)
    frame.loc[0, "x"] = 99
    same(numeric(found, "x"), [1, 2])
    assert found.name == "data"
    assert found.path is None
    assert dict(found.sha256) == {}
    assert study(found) is found


def test_a_path_is_read(write: Write) -> None:
    path = write("x\n1\n")
    assert study(path).names == study(str(path)).names == ("x",)


def test_dtypes_of_a_dataframe() -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None, 3], dtype="Int64"),
            "b": pd.array([True, None, False], dtype="boolean"),
            "f": [1.0, np.nan, 2.5],
            "h": np.array([1, 2, 2.5], dtype="float16"),
            "u": np.array([1, 2, 3], dtype="uint8"),
            "s": ["x", None, "NA"],
            "c": pd.Categorical(["lo", None, "hi"], categories=["lo", "mid", "hi"]),
            "k": pd.Categorical([1, 2, 1]),
            "cut": pd.cut([1, 2, 3], 2),
            "t": pd.to_datetime(["2024-01-01", None, "2024-03-05"]),
            "tt": pd.to_datetime(["2024-01-01 10:00", None, "2024-03-05 00:00"]),
            "z": pd.to_datetime(["2024-01-01", None, "2024-03-05"], utc=True),
            "o": pd.Series([1, "a", True], dtype=object),
            "os": pd.Series(["1", None, "2"], dtype=object),
            "big": pd.Series([2**70, 1, None], dtype=object),
            "sp": pd.arrays.SparseArray([0, 0, 1]),
            "pa": pd.Series([1.5, None, 2], dtype=pd.ArrowDtype(pa.float64())),
            "e": pd.Categorical([None, None, "NA"]),
        }
    )
    found = study(frame)
    wanted = {
        "i": ["1", None, "3"],
        "b": ["True", None, "False"],
        "f": ["1", None, "2.5"],
        "h": ["1", "2", "2.5"],
        "u": ["1", "2", "3"],
        "s": ["x", None, None],
        "c": ["lo", None, "hi"],
        "k": ["1", "2", "1"],
        "t": ["2024-01-01", None, "2024-03-05"],
        "tt": ["2024-01-01T10:00:00", None, "2024-03-05T00:00:00"],
        "z": ["2024-01-01T00:00:00+00:00", None, "2024-03-05T00:00:00+00:00"],
        "o": ["1", "a", "True"],
        "os": ["1", None, "2"],
        "big": [str(2**70), "1", None],
        "sp": ["0", "0", "1"],
        "pa": ["1.5", None, "2"],
        "e": [None, None, None],
    }
    for column, expected in wanted.items():
        assert labels(found, column).tolist() == expected, column
    assert labels(found, "cut").tolist()[0] == "(0.998, 2.0]"
    kinds = {
        **dict.fromkeys(["i", "f", "h", "u", "os", "big", "sp", "pa"], "number"),
        **dict.fromkeys(["s", "c", "k", "cut", "o"], "text"),
        **dict.fromkeys(["t", "tt", "z"], "date"),
        "b": "boolean",
        "e": "empty",
    }
    assert {name: kind(found, name) for name in found.names} == kinds
    same(numeric(found, "i"), [1, np.nan, 3])
    same(numeric(found, "b"), [1, np.nan, 0])
    same(numeric(found, "h"), [1, 2, 2.5])
    same(numeric(found, "os"), [1, np.nan, 2])
    same(numeric(found, "big"), [2.0**70, 1, np.nan])
    assert "categories (1, 2)" in refusal(lambda: numeric(found, "k"))


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([[1], [2]]),
        pd.Series([{"a": 1}, {}]),
        pd.Series([1 + 2j, 2]),
        pd.Series([b"x", b"y"]),
        pd.Series([object(), 1], dtype=object),
        pd.Series(pd.period_range("2024", periods=2, freq="D")),
        pd.Series(pd.to_timedelta([1, 2], unit="s")),
        pd.Series(["\ud800", "b"], dtype=object),
        pd.Series(pd.Categorical([(1, 2), (3, 4)])),
    ],
    ids=[
        "lists",
        "dicts",
        "complex",
        "bytes",
        "object",
        "period",
        "timedelta",
        "surrogate",
        "tuples",
    ],
)
def test_values_no_model_can_use(values: pd.Series) -> None:
    found = study(pd.DataFrame({"x": [1, 2]}).assign(bad=values))
    same(numeric(found, "x"), [1, 2])
    for ask in (kind, numeric, labels):
        assert "column 'bad'" in refusal(lambda ask=ask: ask(found, "bad"))


def test_rows_of_a_dataframe_are_counted_from_one() -> None:
    found = study(pd.DataFrame({"x": ["1", "2", "oops", "3"]}, index=[5, 6, 7, 8]))
    assert row_names(found, [0, 2]) == (1, 3)
    assert "'oops' (row 3)" in refusal(lambda: numeric(found, "x"))


def test_a_subset_knows_its_rows(write: Write) -> None:
    found = read_study(write("x,y\n1,a\n2,b\noops,c\n4,d\n"))
    part = Study(found.name, found.frame.iloc[1:], path=found.path)
    assert "'oops' (row 4)" in refusal(lambda: numeric(part, "x"))


def test_the_index_of_a_dataframe() -> None:
    frame = pd.DataFrame({"x": [1, 2]}, index=pd.Index(["a", "b"], name="id"))
    assert study(frame).names == ("id", "x")
    assert labels(study(frame), "id").tolist() == ["a", "b"]
    assert "both an index and a column" in refusal(lambda: study(frame.assign(id=1)))
    unnamed = study(pd.DataFrame({"x": [1, 2]}, index=["a", "b"]))
    assert unnamed.names == ("x",)
    assert "reset_index" in messages(unnamed, "note")
    filtered = pd.DataFrame({"x": [1, 2, 3]}).query("x > 1")
    assert study(filtered).findings == ()
    both = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["g", None])
    assert study(pd.DataFrame({"x": [1, 2]}, index=both)).names == ("g", "x")


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame({"x": []}), "no rows"),
        (pd.DataFrame(index=[1, 2]), "no columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' (2 times)"),
        (pd.DataFrame([[1, 2]]), "must be text"),
        (pd.DataFrame([[1, 2]], columns=["a", ""]), "has no name"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels"),
        ([1, 2], "not list"),
        (None, "not NoneType"),
    ],
)
def test_frames_that_are_refused(frame: pd.DataFrame, says: str) -> None:
    assert says in refusal(lambda: study(frame))


# --- columns -------------------------------------------------------------------------------------


def test_an_unknown_column_is_refused_with_the_nearest(write: Write) -> None:
    names = ["prior_knowledge", *(f"c{i}" for i in range(20))]
    found = read_study(write(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n"))
    for ask in (kind, numeric, labels, truth_values):
        text = refusal(lambda ask=ask: ask(found, "prior_knowlege"))
        assert text.startswith(
            "data.csv: no column 'prior_knowlege'; did you mean 'prior_knowledge'? columns are: "
        )
        assert text.endswith("and 13 more")


def test_strays_are_named_with_their_rows(write: Write) -> None:
    cells = [str(i) for i in range(40)]
    for place in range(20, 32):
        cells[place] = f"bad{place % 10}"
    found = read_study(write("x\n" + "\n".join(cells)))
    text = refusal(lambda: numeric(found, "x"))
    assert "'bad0' (rows 22, 32), 'bad1' (rows 23, 33)" in text
    assert "and 2 more" in text
    assert "factor(x)" in text


def test_text_where_numbers_are_needed(write: Write) -> None:
    found = read_study(write("sector,y\nPublic,1\nCatholic,2\n"))
    text = refusal(lambda: numeric(found, "sector"))
    assert text.startswith("data.csv: column 'sector' holds text (Catholic, Public)")


def test_few_numbers_among_text_are_text(write: Write) -> None:
    found = read_study(write("x,y\nlow,1\nhigh,2\n3,3\nmiddle,4\n"))
    assert kind(found, "x") == "text"
    assert labels(found, "x").tolist() == ["low", "high", "3", "middle"]


def test_one_frequent_word_does_not_turn_numbers_into_a_factor(write: Write) -> None:
    found = read_study(write("x\n1.5\n2.5\n3.5\n" + "refused\n" * 10))
    assert "'refused' (rows 5, 6, 7, 8 and 6 more)" in refusal(lambda: kind(found, "x"))


@pytest.mark.parametrize("word", ["inf", "-Inf", "Infinity", "1e999"])
def test_infinite_values_are_refused_with_their_rows(write: Write, word: str) -> None:
    found = read_study(write(f"x,y\n1,a\n{word},b\n"))
    assert kind(found, "x") == "number"
    assert "infinite values (row 3)" in refusal(lambda: numeric(found, "x"))
    frame = study(pd.DataFrame({"x": [1, np.inf, -np.inf]}))
    assert "infinite values (rows 2, 3)" in refusal(lambda: numeric(frame, "x"))


def test_truth_values(write: Write) -> None:
    found = read_study(write("a,b,c,d\nTRUE,1,1,yes\nFALSE,0,2,no\n,.,1,yes\n"))
    same(truth_values(found, "a"), [1, 0, np.nan])
    same(truth_values(found, "b"), [1, 0, np.nan])
    text = refusal(lambda: truth_values(found, "c"))
    assert "recode 1 as 0 and 2 as 1" in text
    assert "(row 3)" in text
    assert "holds text" in refusal(lambda: truth_values(found, "d"))


def test_answers_can_be_changed_without_changing_the_study(write: Write) -> None:
    found = read_study(write("x,g\n1,a\n2,b\n"))
    numeric(found, "x")[:] = 0
    labels(found, "g")[:] = "z"
    same(numeric(found, "x"), [1, 2])
    assert labels(found, "g").tolist() == ["a", "b"]


def test_a_study_survives_a_process_boundary(write: Write) -> None:
    found = read_study(write("x,g\n1,a\n\n2,b\n"))
    numeric(found, "x")
    back: Study = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own bytes
    same(numeric(back, "x"), [1, 2])
    assert row_names(back, [1]) == (4,)


def test_the_same_table_means_the_same_in_every_container(write: Write, tmp_path: Path) -> None:
    text = "id,x,g,b\n01,1.5,lo,TRUE\n02,NA,hi,FALSE\n1,3,NA,TRUE\n"
    as_csv = read_study(write(text))
    frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    frame.to_parquet(tmp_path / "t.parquet")
    for other in (study(frame), read_study(tmp_path / "t.parquet")):
        for column in as_csv.names:
            assert kind(other, column) == kind(as_csv, column)
            assert labels(other, column).tolist() == labels(as_csv, column).tolist()
        same(numeric(other, "x"), numeric(as_csv, "x").tolist())


# --- screening -----------------------------------------------------------------------------------


def test_near_duplicate_labels() -> None:
    assert near_duplicate_labels(["D1", "D2", None, "D1"]) == []
    assert near_duplicate_labels(["01", "1"]) == []
    assert near_duplicate_labels(["d1", "D1 ", "D1", "x"]) == [("D1", "D1 "), ("D1", "d1")]
    composed, apart = "Åsa", "A\u030asa"
    assert near_duplicate_labels([composed, apart]) == [(apart, composed)]
    assert near_duplicate_labels(["New York", "NewYork", "New\u00a0York"]) != []
    assert near_duplicate_labels(["a\u200b", "a"]) == [("a", "a\u200b")]
    assert near_duplicate_labels(["Straße", "STRASSE"]) == [("STRASSE", "Straße")]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 4, 5, -99], (-99,)),
        ([1, 2, 3, 4, 5, -99, -98, 999], (-99, -98, 999)),
        ([0, 1, 1, 0, -9], (-9,)),
        ([1, 2, 3, 4, 5, -9, -8], (-9, -8)),
        ([0.1, 0.5, 99], (99,)),
        ([10, 50, 90, 99, 100], ()),
        ([80, 90, 88, 99, 99], ()),
        ([-20, -9, 0, 9], ()),
        ([200, 500, 900, 999], ()),
        ([1, 99], ()),
        ([-99, -99], ()),
        ([], ()),
        ([np.nan, 1, 2, 99, np.inf], (99,)),
    ],
)
def test_sentinels(values: list[float], expected: tuple[float, ...]) -> None:
    assert sentinels(np.array(values, dtype=np.float64)) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-6, 6), min_size=2, unique=True), st.permutations([99.0, -99.0, 999.0]))
def test_sentinels_do_not_depend_on_row_order(values: list[float], codes: list[float]) -> None:
    found = sentinels(np.array([*codes, *values]))
    assert found == (-99.0, 99.0, 999.0) == sentinels(np.array([*values, *codes])[::-1])


# --- nothing but our own errors ------------------------------------------------------------------

HEADERS = st.text('ab ,;"\t|\r\n\ufeffé=', max_size=12)
CELLS = st.text('0123456789.,;"-+eEinfNATRUE \t|\r\n\u00a0é−\x0b\x1a', max_size=40)


def ask_everything(path: Path) -> None:
    said = ""
    try:
        found = read_study(path)
    except AcmodelsError as refused:
        said = str(refused)
        found = None
    if found is None:
        assert said
        assert all(line.isprintable() for line in said.split("\n"))
        return
    assert found.n_rows > 0
    assert all(f.message.isprintable() for f in found.findings)
    for column in found.names:
        for ask in (kind, numeric, labels, truth_values):
            try:
                answer = ask(found, column)
            except AcmodelsError as refused:
                answer = str(refused)
            plain = isinstance(answer, str) and answer.isprintable()
            assert plain or np.shape(answer) == (found.n_rows,)


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(st.binary(max_size=200), st.builds(lambda h, c: f"{h}\n{c}".encode(), HEADERS, CELLS))
)
@example(b"\x80\x04.")
@example(b"\xff\xfe\x00\xd8")
@example(b'a\n"')
@example(b"a,b\r\r\n1,2\r\r\n")
@example(b"sep=,")
def test_no_bytes_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    for name in ("fuzz.csv", "fuzz.parquet"):
        (folder / name).write_bytes(raw)
        ask_everything(folder / name)


VALID_PARQUET = parquet_bytes(pa.table({"x": [1.5, 2.5], "g": ["a", "b"], "n": [[1], [2]]}))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(VALID_PARQUET) - 1), st.integers(1, 255))
def test_a_damaged_parquet_file_raises_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    raw = bytearray(VALID_PARQUET)
    raw[place] ^= change
    path = tmp_path_factory.getbasetemp() / "damaged.parquet"
    path.write_bytes(bytes(raw))
    ask_everything(path)

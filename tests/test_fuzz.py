"""Whatever stands in a table or a data package, the command line answers in plain words."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.data import Study, package_study

CELLS = st.one_of(
    st.sampled_from(
        ["", "NA", "1", "2", "-99", "1.5", "1,5", "a", "A ", "inf", "1e400", "=cmd", "<b>", "001",
         "TRUE", "2026-01-01", "\ufeff", "é", "\u202ex", "'", '"', ";", "\t", "n/a?", "1 000", "😀"]
    ),
    st.text(max_size=6),
    st.floats().map(str),
    st.integers(-(10**20), 10**20).map(str),
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(
        ["y", "x", "district", "district_id", "wave_id", "", " y", "Y", "class", "__init__", "=x",
         "<script>", "x" * 300, "sd(y)", "y ~ x", "1", "\ufeffy"]
    ),
    st.text(max_size=8),
)  # fmt: skip
TABLES = st.integers(1, 4).flatmap(
    lambda k: st.tuples(
        st.lists(NAMES, min_size=k, max_size=k),
        st.lists(st.lists(CELLS, min_size=k, max_size=k), max_size=8),
    )
)
FAST = settings(
    max_examples=150, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def answers(args: list[str]) -> tuple[int, str]:
    """Exit code and what was said on standard error; anything but an exit fails the test."""
    err, code = io.StringIO(), 0
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            cli(args)
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, err.getvalue()


def plain(args: list[str]) -> None:
    code, said = answers(args)
    assert code in (0, 2), said
    assert code == 0 or said.strip()
    assert "Traceback" not in said
    assert all(c.isprintable() or c == "\n" for c in said)


@FAST
@given(table=TABLES, delimiter=st.sampled_from([",", ";", "\t"]))
def test_any_table_of_text(tmp_path: Path, table: Any, delimiter: str) -> None:
    names, rows = table
    text = "\n".join(delimiter.join(r) for r in [names, *rows])
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    plain(["check", str(path)])


@FAST
@given(
    raw=st.binary(max_size=200), suffix=st.sampled_from(["csv", "parquet", "sav", "dta", "xlsx"])
)
def test_any_bytes(tmp_path: Path, raw: bytes, suffix: str) -> None:
    path = tmp_path / f"data.{suffix}"
    path.write_bytes(raw)
    plain(["check", str(path)])


MODEL = """
name = "m"
[equations.y]
formula = "y ~ x + (1 | district)"
"""


@FAST
@given(cells=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12))
def test_any_cells_under_a_model(tmp_path: Path, cells: list[tuple[str, str, str]]) -> None:
    (tmp_path / "m.toml").write_text(MODEL)
    path = tmp_path / "data.csv"
    text = "\n".join(",".join(r) for r in [("y", "x", "district"), *cells])
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    plain(["check", str(path), str(tmp_path / "m.toml")])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("study") / "one"
    size = {"districts": 2, "waves": 2, "staff": 2, "partner_staff": 1}
    made = ac.world({"world": "baseline", "size": size}, seed=1).study
    frames = {k: t.frame for k, t in made.tables.items() if k not in ("networks", "funders")}
    few = frames["items"]["construct_id"].isin(["trust", "prior_knowledge.amount"])
    frames["items"] = frames["items"][few]
    r, m = frames["responses"], frames["unit_measures"]
    frames["responses"] = r[r["item_id"].isin(frames["items"]["item_id"])]
    frames["unit_measures"] = m[m["variable"].isin(["urgency", "workload", "conflict"])]
    frames["partnerships"] = frames["partnerships"].drop(columns="funder_id")
    ac.export(package_study({k: Study(k, f) for k, f in frames.items()}, "one"), place)
    return place


FEW = settings(FAST, max_examples=20)
"""A check of a whole package takes 0.7 s."""
MANY = settings(FAST, max_examples=400, derandomize=False)

CHANGES = given(
    where=st.lists(st.integers(0, 10**6), min_size=1, max_size=4),
    what=st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just([]),
                   st.just({}), st.lists(st.integers(), max_size=2)),
)  # fmt: skip


def change(folder: Path, where: list[int], what: Any) -> None:
    package = folder / "datapackage.json"
    before = package.read_text()
    tree = json.loads(before)
    try:
        here: Any = tree
        for step in where[:-1]:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            inner = here[keys[step % len(keys)]] if keys else None
            if not isinstance(inner, dict | list) or not inner:
                break
            here = inner
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        here[keys[where[-1] % len(keys)]] = what
        package.write_text(json.dumps(tree))
        plain(["check", str(folder), "--quiet"])
    finally:
        package.write_text(before)


CELLS_OF_TABLES = given(
    name=st.sampled_from(["responses", "partnerships", "memberships", "items", "constructs",
                          "guidance", "routines", "events", "unit_measures", "waves", "ties"]),
    row=st.integers(0, 30), column=st.integers(0, 8), cell=CELLS, header=st.booleans(),
)  # fmt: skip


def change_cell(folder: Path, name: str, row: int, column: int, cell: str, header: bool) -> None:
    path = folder / f"{name}.csv"
    before = path.read_bytes()
    lines = before.decode().split("\n")
    at = 0 if header else 1 + row % max(1, len(lines) - 2)
    cells = lines[at].split(",")
    cells[column % len(cells)] = cell
    lines[at] = ",".join(cells)
    try:
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        plain(["check", str(folder), "--quiet"])
    finally:
        path.write_bytes(before)


@FEW
@CHANGES
def test_any_change_of_a_data_package(folder: Path, where: list[int], what: Any) -> None:
    change(folder, where, what)


@FEW
@CELLS_OF_TABLES
def test_any_cell_of_any_table(folder: Path, **drawn: Any) -> None:
    change_cell(folder, **drawn)


@pytest.mark.slow
@MANY
@CHANGES
def test_many_changes_of_a_data_package(folder: Path, where: list[int], what: Any) -> None:
    change(folder, where, what)


@pytest.mark.slow
@MANY
@CELLS_OF_TABLES
def test_many_cells_of_tables(folder: Path, **drawn: Any) -> None:
    change_cell(folder, **drawn)

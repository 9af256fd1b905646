"""Files and folders: what is there, may be read, and is read by this version."""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pandas as pd

from acmodels.data.applied import mapped, mapped_parts
from acmodels.data.coding import screened
from acmodels.data.commas import comma_columns, plain_decimals, said_commas, written_out
from acmodels.data.delimited import read_delimited
from acmodels.data.labelled import NO_LABELS, read_labelled
from acmodels.data.mapping import Mapped, Source, digest_of, missing_columns, read_mapping
from acmodels.data.package import package_study
from acmodels.data.package_rules import problems as between
from acmodels.data.parquet import read_parquet
from acmodels.data.schemas import ESCAPED, unescaped, with_schema
from acmodels.data.table import Finding, Labels, Study, shown
from acmodels.data.wide import from_wide
from acmodels.errors import DataError, did_you_mean, listing, printable

PACKAGE = "datapackage.json"

_LABELLED = (".sav", ".dta", ".xlsx")
_HEADED = (".csv", ".xlsx")
_SUFFIXES = (".csv", ".parquet", *_LABELLED)
_READ = "a .csv, .parquet, .sav, .dta or .xlsx file, or a folder with datapackage.json"


def read_study(path: str | os.PathLike[str], columns: Source | None = None) -> Study:
    """Read a file, or a folder with `datapackage.json`, several tables of which are joined.

    A CSV file is read as text, cell by cell: ids keep their leading zeros, and what is a number is
    decided column by column when it is asked for. Encoding (UTF-8, UTF-16, Latin-1), delimiter
    (comma, semicolon, tab, bar) and decimal comma are found, and what was done is in `findings`.
    `.parquet`, `.sav` (SPSS), `.dta` (Stata) and `.xlsx` files keep the types of their columns;
    codes that a `.sav` file declares missing are missing, and labels are in `labels`. Nothing in a
    file is ever run.

    Args:
        path: the file or folder; `book.xlsx#Sheet2` for one sheet of a workbook, the first if not
            said.
        columns: what the columns are called and how they are read: a TOML file, as for
            `--columns`, or its contents as a mapping.

    Returns:
        The study.

    Raises:
        DataError: missing, unreadable, empty, not what its name says, or no proper table.
    """
    if not isinstance(path, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        msg = f"a data path must be text or a Path, not {type(path).__name__}"
        raise DataError(msg)
    m = read_mapping(columns)
    written, sheet = _sheet_of(os.fspath(path), m)
    place, is_folder = _place(written)
    if is_folder:
        return _read_folder(place, m)
    if place.suffix.lower() == ".toml":
        return from_wide(place, read_study, m)
    if sheet is not None and place.suffix.lower() != ".xlsx":
        msg = f"{shown(place.name)}: is not an .xlsx file, so it has no sheet '{shown(sheet)}'"
        raise DataError(msg)
    t = _read_table(place, place.name, reading=_Reading(sheet, m.top.skip, m.top.decimal))
    sha256 = {printable(place.name): t.digest, **digest_of(m)}
    name = shown(place.name) if sheet is None else f"{shown(place.name)}#{shown(sheet)}"
    made = _study(name, t, place, sha256)
    wrong = missing_columns(m, [made], name)
    if wrong:
        raise DataError(wrong, made.findings)
    return screened(mapped(made, m))


def _sheet_of(written: str, m: Mapped) -> tuple[str, str | None]:
    """Take a path and the name of a sheet apart (`book.xlsx#Sheet2`)."""
    head, mark, sheet = written.partition("#") if "#" in written else (written, "", "")
    while mark and not _is_file(Path(head).expanduser()) and "#" in sheet:
        more, mark, sheet = sheet.partition("#")
        head = f"{head}#{more}"
    if not mark or _is_file(Path(written).expanduser()) or not head.lower().endswith(".xlsx"):
        return written, m.top.sheet
    if not sheet.strip():
        msg = f"{shown(head, 200)}#: the name of a sheet is missing after #"
        raise DataError(msg)
    if m.top.sheet is not None and m.top.sheet != sheet:
        msg = (
            f"{m.said}: sheet is '{shown(m.top.sheet)}', but '{shown(sheet)}' is given after "
            "#; keep only one of them"
        )
        raise DataError(msg)
    return head, sheet


def _study(name: str, t: "_Table", place: Path, sha256: Mapping[str, str]) -> Study:
    """Make a study of a table, numbers that can be read in one way only read so."""
    frame, said, commas = t.frame, list[Finding](), frozenset[str]()
    if not t.declared:
        frame, said = written_out(frame, name)
        commas = comma_columns(frame) if t.decimal == "." else commas
    findings = (*t.findings, *said, *said_commas(name, frame, commas))
    return Study(
        name, frame, findings, place, sha256, t.decimal, commas=commas, headed=t.headed,
        labels=t.labels,
    )  # fmt: skip


def _place(written: str) -> tuple[Path, bool]:
    """Return the path, and whether it is a folder."""
    said = shown(written, 200)
    if not written.strip():
        msg = f"the data path is empty; give {_READ}"
        raise DataError(msg)
    try:
        place = Path(written).expanduser()
        mode = place.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(Path(written), said) from None
    except (OSError, ValueError, RuntimeError) as problem:
        raise _unreadable(said, problem) from None
    if stat.S_ISDIR(mode):
        return place, True
    if not stat.S_ISREG(mode):
        msg = f"{said}: is not an ordinary file; give {_READ}"
        raise DataError(msg)
    return place, False


def _missing(place: Path, said: str) -> DataError:
    """Say that a file is not there, and what is."""
    folder = place.parent.expanduser()
    try:
        if not folder.is_dir():
            parent = shown(str(place.parent), 200)
            return DataError(f"{said}: no such file, and no folder '{parent}'; check the path")
    except OSError as problem:
        return _unreadable(said, problem)
    there = _held(folder)
    near = did_you_mean(place.name, [shown(name, 200) for name in there])
    tables = [shown(n) for n in there if Path(n).suffix.lower() in _SUFFIXES]
    held = f"; the folder holds: {listing(tables)}" if tables and not near else ""
    return DataError(f"{said}: no such file{near or held or '; check the path'}")


def _held(folder: Path) -> list[str]:
    """Return the names of what is in a folder, as far as it can be seen."""
    try:
        return sorted(child.name for child in folder.iterdir() if not child.name.startswith("."))
    except OSError:
        return []


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except OSError:
        return False


def _unreadable(said: str, problem: Exception) -> DataError:
    reason = getattr(problem, "strerror", None) or "the path is not valid"
    return DataError(f"{said}: cannot be read ({reason}); check the path and its permissions")


def _bytes(place: Path, said: str) -> tuple[bytes, str]:
    """Return a file and its digest."""
    try:
        raw = place.read_bytes()
    except (OSError, ValueError) as problem:
        raise _unreadable(said, problem) from None
    return raw, hashlib.sha256(raw).hexdigest()


@dataclass(frozen=True)
class _Table:
    """A file, read."""

    frame: pd.DataFrame
    findings: tuple[Finding, ...]
    digest: str
    decimal: Literal[".", ","] = "."
    labels: Labels = NO_LABELS
    declared: bool = False
    headed: bool = True


@dataclass(frozen=True)
class _Reading:
    """How a file is read, as a person said: the sheet, header rows to skip, the decimal mark."""

    sheet: str | None = None
    skip: int | None = None
    decimal: Literal[".", ","] | None = None


def _read_table(
    place: Path, name: str, missing: tuple[str, ...] = (), reading: _Reading = _Reading()
) -> _Table:
    """Read one file by its suffix."""
    where, suffix = shown(name), place.suffix.lower()
    if suffix not in _SUFFIXES:
        what = f"'{shown(suffix)}' files are not read" if suffix else "has no suffix"
        msg = f"{where}: {what}; export it as .csv or .parquet, with that suffix in its name"
        raise DataError(msg)
    raw, digest = _bytes(place, where)
    declared = reading.decimal is not None
    if suffix in _LABELLED:
        sheet = reading.sheet
        said = where if sheet is None or suffix != ".xlsx" else f"{where}#{shown(sheet)}"
        frame, findings, labels = read_labelled(place, said, sheet, reading.skip)
        headed = suffix in _HEADED
        return _Table(frame, findings, digest, labels=labels, declared=declared, headed=headed)
    if suffix == ".parquet":
        frame, findings = read_parquet(raw, where)
        return _Table(frame, findings, digest, declared=declared, headed=False)
    frame, findings, decimal, wordings = read_delimited(
        raw, where, missing, reading.skip, reading.decimal
    )
    labels = Labels(wordings, {}, {}) if wordings else NO_LABELS
    return _Table(frame, findings, digest, decimal, labels, declared=declared)


def _read_folder(folder: Path, m: Mapped) -> Study:
    """Read the tables that a folder's `datapackage.json` lists; several are joined."""
    said = shown(str(folder), 200)
    package = folder / PACKAGE
    if not _is_file(package):
        there = _held(folder)
        tables = [shown(n) for n in there if Path(n).suffix.lower() in _SUFFIXES]
        name = f"name the file itself ({listing(tables)})" if tables else f"give {_READ}"
        msg = f"{said}: a folder without {PACKAGE}; {name}"
        raise DataError(msg)
    raw, digest = _bytes(package, f"{said}/{PACKAGE}")
    resources = _resources(raw)
    problems: list[str] = []
    read: dict[str, tuple[str, _Table]] = {}
    for name, resource in resources.items():
        path = str(resource["path"])
        if not _is_file(folder / path):
            near = did_you_mean(path, _held(folder)) or "; correct the path"
            problems.append(f"{PACKAGE}: lists '{shown(path)}', which is not in the folder{near}")
            continue
        try:
            reading = _Reading(m.top.sheet, m.top.skip, m.top.decimal)
            read[name] = (path, _described(folder / path, path, resource, reading))
        except DataError as error:
            problems += error.problems
    if problems:
        if len(read) > 1:  # what can be read is checked too, so that all is said at once
            problems += between(_studies(read, folder))
        raise DataError(problems)
    sha256 = {PACKAGE: digest, **{path: t.digest for path, t in read.values()}, **digest_of(m)}
    if len(read) == 1:
        path, t = next(iter(read.values()))
        name = shown((folder / path).name)
        made = _study(name, t, folder, sha256)
        wrong = missing_columns(m, [made], name)
        if wrong:
            raise DataError(wrong, made.findings)
        return screened(mapped(made, m))

    tables = {n: plain_decimals(mapped(t, m)) for n, t in _studies(read, folder).items()}
    tables = {n: screened(t) for n, t in tables.items()}
    findings = [f for t in tables.values() for f in t.findings]
    made = package_study(tables, shown(folder.name), findings, path=folder, sha256=sha256)
    return mapped_parts(made, m)


def _studies(read: dict[str, tuple[str, _Table]], folder: Path) -> dict[str, Study]:
    return {n: _study(shown(path), t, folder, {path: t.digest}) for n, (path, t) in read.items()}


def _described(place: Path, path: str, resource: dict[str, Any], reading: _Reading) -> _Table:
    """Read a table of a package, with what its schema says of labels and missing codes."""
    t = _read_table(place, path, _declared(resource), reading)
    frame = t.frame
    if resource.get(ESCAPED) == "'":
        frame = unescaped(frame)
    frame, labels, noticed = with_schema(frame, t.labels, resource.get("schema"), shown(path))
    findings = (*t.findings, *noticed)
    return _Table(frame, findings, t.digest, t.decimal, labels, t.declared, t.headed)


def _resources(raw: bytes) -> dict[str, dict[str, Any]]:
    """Return the resources of a data package by name, their paths checked."""
    try:
        package = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as problem:
        msg = f"{PACKAGE}: is not valid JSON ({shown(str(problem), 120)}); correct it"
        raise DataError(msg) from None
    resources = package.get("resources") if isinstance(package, dict) else None
    if not isinstance(resources, list) or not resources:
        msg = f'{PACKAGE}: lists no tables; add "resources": [{{"path": "FILE.csv"}}]'
        raise DataError(msg)
    out: dict[str, dict[str, Any]] = {}
    for resource in resources:
        path = resource.get("path") if isinstance(resource, dict) else None
        if not isinstance(path, str) or not path.strip():
            what = "its table needs" if len(resources) == 1 else "each of its tables needs"
            msg = f'{PACKAGE}: {what} a "path", the name of one file in the folder'
            raise DataError(msg)
        pure = PurePosixPath(path)
        unsafe = pure.is_absolute() or ".." in pure.parts or ":" in path or "\\" in path
        if unsafe or not path.isprintable():
            msg = f"{PACKAGE}: '{shown(path)}' must be the name of a file inside the folder"
            raise DataError(msg)
        name = resource.get("name")
        key = name if isinstance(name, str) and name.strip() else pure.stem
        key = key.replace("-", "_")
        if key in out:
            msg = f"{PACKAGE}: two tables are named '{shown(key)}'; name them apart"
            raise DataError(msg)
        out[key] = resource
    return out


def _declared(resource: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells that a resource's schema declares missing."""
    schema = resource.get("schema")
    listed = schema.get("missingValues") if isinstance(schema, dict) else None
    if not isinstance(listed, list):
        return ()
    words = [word.get("value") if isinstance(word, dict) else word for word in listed]
    return tuple(word for word in words if isinstance(word, str) and word.strip())

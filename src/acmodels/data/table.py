"""A study: one table, where it came from, and what was found while reading it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from acmodels.display import facts
from acmodels.errors import DataError, did_you_mean, listing
from acmodels.spec.names import composed

CELL_LENGTH = 40
"""Characters of a cell or a name that a message shows."""


@dataclass(frozen=True)
class Finding:
    """A warning or a note about a table.

    Attributes:
        severity: `error` (it cannot be used so), `warning` (look at it), `note` (handled).
        message: one plain sentence, naming file, column and rows, and the fix.
        column: the column it is about, where there is one.
        rows: the rows it is about, numbered as in messages.
    """

    severity: Literal["error", "warning", "note"]
    message: str
    column: str | None = None
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Labels:
    """What a file says of its columns.

    Attributes:
        columns: label of each column that has one.
        values: by column, label of each code that has one.
        missing: by column, codes (or ranges of them, as low and high) that are declared missing.
        held: by column, the code that stood in each cell that is missing for it, by row counted
        from 0.
    """

    columns: Mapping[str, str]
    values: Mapping[str, Mapping[Any, str]]
    missing: Mapping[str, tuple[tuple[Any, Any], ...]]
    held: Mapping[str, Mapping[int, Any]] = field(default_factory=dict[str, Mapping[int, Any]])


@dataclass(frozen=True, eq=False)
class TablePart:
    """Columns with one row for each combination of keys.

    Attributes:
        keys: id columns.
        frame: keys and columns.
        table: the table it is from.
        fill: what a unit without a row has; None for nothing.
        rows: whether its rows can be those of an analysis.
    """

    keys: tuple[str, ...]
    frame: pd.DataFrame
    table: str
    fill: float | None = None
    rows: bool = True


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """One table and where it came from. Compared by identity; nothing in it may be changed.

    Attributes:
        name: what messages call it: the file's name, or `data`.
        frame: the table, shape (rows, columns). A CSV file's cells are text, exactly as written;
            ask `numeric`, `labels` and `kind` for values. Its index holds each row's place in
            the source, counted from 0, so that a subset still knows its rows (`row_names`).
        findings: what was noticed while reading.
        path: the file or folder that was read; None for a DataFrame.
        sha256: hex digest of each file read, by file name; empty for a DataFrame.
        decimal: the decimal mark of numbers written as text.
        commas: columns of text whose numbers have a decimal comma, whatever `decimal` is.
        randomized: columns that `--columns` says were assigned at random.
        headed: the file has a header row, so that its first row of data is row 2.
        labels: what a `.sav` or `.dta` file or a data package says of its columns, or None.
        tables: of a study of several tables, each by name; `frame` is them joined.
        parts: what of those tables belongs to which units.
    """

    name: str
    frame: pd.DataFrame
    findings: tuple[Finding, ...] = ()
    path: Path | None = None
    sha256: Mapping[str, str] = field(default_factory=dict[str, str])
    decimal: Literal[".", ","] = "."
    commas: frozenset[str] = frozenset()
    randomized: tuple[str, ...] = ()
    headed: bool = True
    labels: Labels | None = None
    tables: "Mapping[str, Study]" = field(default_factory=dict[str, "Study"])
    parts: tuple[TablePart, ...] = ()

    def __repr__(self) -> str:
        tables = f"; tables {', '.join(self.tables)}" if self.tables else ""
        return f"<Study {self.name}: {self.n_rows} rows, {len(self.names)} columns{tables}>"

    def _repr_html_(self) -> str:
        return facts(
            f"Study {self.name}",
            {
                "Rows": self.n_rows,
                "Columns": ", ".join(str(c) for c in self.frame.columns),
                "Tables": ", ".join(self.tables) or "one",
                "Findings": tuple(f"{f.severity}: {f.message}" for f in self.findings) or "none",
            },
        )

    @property
    def n_rows(self) -> int:
        """How many rows the table holds."""
        return len(self.frame)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.frame.columns)


def row_names(study: Study, positions: Iterable[int] | NDArray[np.bool_]) -> tuple[int, ...]:
    """Number rows as messages do.

    For a file with a header row this is the row that a spreadsheet shows: the header is row 1, the
    first data row is row 2. In a `.sav`, `.dta` or `.parquet` file and in a DataFrame the first row
    is row 1.

    Args:
        study: the study.
        positions: positions in `study.frame`, counted from 0, or a mask of shape (rows,).

    Returns:
        One number a position.

    >>> row_names(Study("data", pd.DataFrame({"x": [5, 6, 7]})), [0, 2])
    (1, 3)
    """
    wanted = np.asarray(positions if isinstance(positions, np.ndarray) else list(positions))
    if wanted.dtype == np.bool_:
        wanted = np.flatnonzero(wanted)
    first = 2 if study.path is not None and study.headed else 1
    places = study.frame.index.to_numpy()[wanted.astype(np.intp)]
    return tuple(int(place) + first for place in places)


def rows_phrase(rows: Sequence[int], most: int = 8) -> str:
    """Write rows for a sentence: `row 3`, or `rows 3, 4 and 5 more`."""
    return f"{'row' if len(rows) == 1 else 'rows'} {listing(rows, most)}"


def shown(text: str, most: int = CELL_LENGTH) -> str:
    r"""Make a cell or name safe for one line of a message: nothing unprintable, not too long.

    >>> shown("two\nlines")
    'two\\nlines'
    """
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def column_of(study: Study, column: str) -> pd.Series:
    """Return one column of the study's frame.

    Raises:
        DataError: no such column.
    """
    if column in study.frame.columns:
        return cast(pd.Series, study.frame[column])
    near = did_you_mean(column, study.names)
    columns = listing([shown(name) for name in study.names])
    msg = f"{study.name}: no column '{shown(column)}'{near or ';'} columns are: {columns}"
    raise DataError(msg)


def checked_names(
    names: Sequence[object], where: str
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Strip column names, give accents one spelling, and refuse names that cannot be used.

    Args:
        names: the names as written, in order.
        where: what messages call the table.

    Returns:
        The names, and a note where white space was stripped.

    Raises:
        DataError: a name is empty, not text, or used twice.
    """
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        msg = (
            f"{where}: column names must be text, but {listing([shown(repr(n)) for n in wrong])} "
            f"{'is' if len(wrong) == 1 else 'are'} not; rename them "
            "(for example frame.columns = frame.columns.astype(str))"
        )
        raise DataError(msg)
    written = [str(name) for name in names]
    clean = tuple(composed(name.strip().strip("\ufeff").strip()) for name in written)
    problems: list[str] = []
    empty = [place for place, name in enumerate(clean, start=1) if not name]
    if empty:
        places = f"column{'' if len(empty) == 1 else 's'} {listing(empty)}"
        problems.append(f"{where}: {places} of {len(clean)} has no name; name it or remove it")
    seen: dict[str, list[str]] = {}
    for name, before in zip(clean, written, strict=True):
        seen.setdefault(" ".join(name.split()), []).append(before)
    twice = [
        f"'{shown(name)}' ({len(names)} times){_apart(names)}"
        for name, names in seen.items()
        if len(names) > 1 and name
    ]
    if twice:
        problems.append(
            f"{where}: column names must differ, but these are used more than once: "
            f"{listing(twice)}; rename or remove the extra columns"
        )
    if problems:
        raise DataError(problems)
    stripped = [
        name
        for name, before in zip(clean, written, strict=True)
        if name != composed(before.strip("\ufeff"))
    ]
    if not stripped:
        return clean, ()
    message = (
        f"{where}: white space around column names was removed "
        f"({listing([shown(name) for name in stripped])}); use the names without it."
    )
    return clean, (Finding("note", message),)


def _apart(names: Sequence[str]) -> str:
    """Say what names that are taken for one differ in."""
    alike = {composed(name) for name in names}
    said = ["white space"] if len(alike) > 1 else []
    said += ["spelling of accents"] if len(alike) < len(set(names)) else []
    return f" with different {' and '.join(said)}" if said else ""

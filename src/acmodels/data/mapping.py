"""The file given by `--columns`: what the columns of a table are called, and how they are read.

```toml
missing    = [-99, "refused"]        # codes for missing, in every column
decimal    = ","                     # the decimal mark of numbers written as text
randomized = ["coached"]             # assigned at random
sheet      = "Answers"               # of a workbook
skip       = 2                       # rows below the header to leave out

learning  = "learn_mean"             # a name, and the data's column
knowledge = { column = "PK_mean", reverse = true, missing = [9], decimal = "," }
tenure    = { column = "hired", date = "years", since = 2020-09-01 }
```
"""

import datetime as dt
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from acmodels.data import dates
from acmodels.data.table import Study, shown
from acmodels.errors import DataError, ModelError, did_you_mean, listing, printable
from acmodels.spec.names import plain
from acmodels.spec.strict import Strict, check_table, read_toml

type Code = str | int | float
type Source = str | os.PathLike[str] | Mapping[str, Any]


class ColumnTable(Strict):
    """One column: where it is in the data and how it is read."""

    column: str
    reverse: bool = False
    missing: list[Code] = Field(default_factory=list)
    decimal: Literal[".", ","] | None = None
    date: Literal["days", "weeks", "months", "years"] | None = None
    since: dt.date | str | None = None
    order: Literal["ymd", "mdy", "dmy"] | None = None


class TopTable(Strict):
    """What holds for the whole table."""

    missing: list[Code] = Field(default_factory=list)
    decimal: Literal[".", ","] | None = None
    randomized: list[str] = Field(default_factory=list)
    sheet: str | None = None
    skip: int | None = Field(default=None, ge=0)


@dataclass(frozen=True)
class Mapped:
    """A mapping file, read.

    Attributes:
        said: what messages call it.
        top: what holds for the whole table.
        columns: by name, where the column is and how it is read.
        path, sha256: of the file, or None.
    """

    said: str = "columns"
    top: TopTable = field(default_factory=TopTable)
    columns: Mapping[str, ColumnTable] = field(default_factory=dict[str, ColumnTable])
    path: Path | None = None
    sha256: str | None = None


def read_mapping(source: Source | None) -> Mapped:
    """Read a mapping file, or its contents as a mapping.

    Raises:
        DataError: it is missing or wrong; every problem is named.
    """
    import hashlib

    if source is None:
        return Mapped()
    if isinstance(source, Mapping):
        return _checked(source, "columns", None, None)
    path = Path(source).expanduser()
    try:
        table = read_toml(path)
    except ModelError as error:
        raise DataError([p.replace("a model or design", "it") for p in error.problems]) from None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return _checked(table, printable(path.name), path, digest)


def _checked(table: Mapping[str, Any], said: str, path: Path | None, sha256: str | None) -> Mapped:
    keys = tuple(TopTable.model_fields)
    top = {k: v for k, v in table.items() if k in keys and not isinstance(v, Mapping)}
    problems: list[str] = []
    made, columns = TopTable(), {}
    try:
        made = check_table(TopTable, top, said, error=DataError)
    except DataError as error:
        problems += error.problems
    for name, value in table.items():
        if name in top:
            continue
        if isinstance(value, str):
            columns[name] = ColumnTable(column=value)
        elif isinstance(value, Mapping):
            try:
                columns[name] = check_table(ColumnTable, value, said, name, error=DataError)
            except DataError as error:
                problems += error.problems
        else:
            problems.append(
                f"{said}: {shown(name)}: must be the name of a column, or a table such as "
                f'{{ column = "NAME", reverse = true }}{did_you_mean(name, keys)}'
            )
    for name, c in columns.items():
        problems += [f"{said}: {shown(name)}: {p}" for p in _contrary(c)]
    if problems:
        raise DataError(problems)
    bare = {plain(k): c.model_copy(update={"column": plain(c.column)}) for k, c in columns.items()}
    made = made.model_copy(update={"randomized": [plain(c) for c in made.randomized]})
    return Mapped(said, made, bare, path, sha256)


def _contrary(c: ColumnTable) -> list[str]:
    """Settings that cannot be together."""
    out: list[str] = []
    if c.date is None and (c.since is not None or c.order is not None):
        out.append('since and order can only be used with date (such as date = "years")')
    if c.date is not None and c.decimal is not None:
        out.append("a column is a date or a number with a decimal mark, not both")
    if isinstance(c.since, str) and np.isnan(dates.days([c.since.strip()], "ymd")[0]):
        out.append(f"since must be a date such as 2024-09-01, not '{shown(c.since)}'")
    return out


def missing_columns(m: Mapped, studies: Sequence[Study], name: str) -> list[str]:
    """Say which columns of a mapping file no table has."""
    known = list(dict.fromkeys(c for s in studies for c in s.names))
    keys = tuple(TopTable.model_fields)
    out: list[str] = []
    for key, c in m.columns.items():
        if c.column not in known:
            near = did_you_mean(c.column, known) or did_you_mean(key, keys)
            out.append(
                f"{m.said}: {shown(key)}: {name} has no column '{shown(c.column)}'"
                f"{near} (columns: {listing([shown(k) for k in known], 15)})"
            )
    for c in m.top.randomized:
        if c not in known and c not in m.columns:
            near = did_you_mean(c, (*m.columns, *known))
            out.append(f"{m.said}: randomized: {name} has no column '{shown(c)}'{near}")
    return out


def toml_key(name: str) -> str:
    """Write a name as a key of TOML."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_text(name)


def toml_text(text: str) -> str:
    """Write text as a string of TOML."""
    return json.dumps(text, ensure_ascii=False)


def digest_of(m: Mapped) -> dict[str, str]:
    """Return the digest of a mapping file by its name; nothing where it is no file."""
    return {m.said: m.sha256} if m.sha256 is not None else {}

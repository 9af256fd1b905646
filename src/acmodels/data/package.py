"""A study of several tables: checked against each other, and carried down to one.

Tables are named by their resources: `districts`, `partners`, `partnerships` and so on, each with an
id of its own (`district_id`) and the ids of what it belongs to. The analysis table has the rows of
the finest of them that is one row a unit, or a unit and wave; whatever belongs to a unit above is
carried down to it by its id. What lies below enters by a stated rule only: answers to items as the
score of their construct, routines not at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from acmodels.data.columns import labels, numeric
from acmodels.data.package_rules import UNITS, problems, said_of
from acmodels.data.scores import construct_scores
from acmodels.data.table import Finding, Study
from acmodels.errors import DataError, listing

LOWER = frozenset(
    {
        "responses", "items", "constructs", "persons", "memberships", "participation", "networks",
        "rosters", "ties", "events", "unit_measures", "routines", "waves",
    }
)  # fmt: skip
"""Tables whose rows are no units of an analysis."""


@dataclass(frozen=True)
class Joined:
    """The analysis table of a package.

    Attributes:
        name: of the table whose rows these are.
        frame: its columns, then what was carried down to it.
        findings: what the package holds, and how it was joined.
    """

    name: str
    frame: pd.DataFrame
    findings: tuple[Finding, ...]


def join(tables: Mapping[str, Study], where: str) -> Joined:
    """Check the tables of a package and join them.

    Args:
        tables: by resource name; ids are read as text.
        where: what messages call the package.

    Raises:
        DataError: every violation of the rules between tables, the worst first.
    """
    wrong = problems(tables)
    if wrong:
        raise DataError(wrong)
    units = [n for n in tables if n not in LOWER and _ids(tables[n])]
    if not units:
        raise DataError(
            f"{where}: none of its tables ({listing(list(tables), 12)}) has rows that are units; "
            "an analysis needs one of districts, departments, partners, partnerships or another "
            "with an id column, such as district_id"
        )
    # the finest: most ids, then most rows
    base = max(units, key=lambda n: (len(_ids(tables[n])), tables[n].n_rows))
    frame = _text_ids(tables[base])
    carried: list[str] = []
    left_out: list[str] = []
    pending = [n for n in tables if n != base]
    moved = True
    while moved:
        moved = False
        for name in list(pending):
            for part in _parts(name, tables):
                keys = [k for k in part.keys if k in frame.columns]
                if keys != list(part.keys):
                    continue
                frame, new = _carry(frame, part, name)
                carried += new
                moved = True
                if name in pending:
                    pending.remove(name)
    left_out = [n for n in pending if n not in ("items", "constructs", "persons")]
    findings = list(said_of(tables))
    findings.append(
        Finding(
            "note",
            f"{where}: rows are those of '{base}' ({len(frame)}); carried down to them: "
            f"{listing(carried, 20) if carried else 'nothing'}",
        )
    )
    if left_out:
        findings.append(
            Finding(
                "note",
                f"{where}: of {listing([f"'{n}'" for n in left_out])} nothing is one value for a "
                f"row of '{base}', so nothing was carried over; bring what you need to its level "
                "first",
            )
        )
    return Joined(base, frame, tuple(findings))


@dataclass(frozen=True)
class _Part:
    """A table with one row for each combination of keys."""

    keys: tuple[str, ...]
    frame: pd.DataFrame


def _ids(table: Study) -> list[str]:
    return [c for c in table.names if c.endswith("_id")]


def _text_ids(table: Study) -> pd.DataFrame:
    """A table's columns, its ids as text."""
    frame = table.frame.copy()
    for c in _ids(table):
        frame[c] = labels(table, c)
    return frame


def _parts(name: str, tables: Mapping[str, Study]) -> Iterator[_Part]:
    """What of a table can be carried down, and by which ids."""
    table = tables[name]
    if name == "unit_measures":
        yield from _measures(table)
    elif name == "responses":
        yield from (_Part(k, f) for k, f in construct_scores(tables))
    elif name == "waves" or name not in LOWER:
        keys = _own_key(name, table)
        if keys:
            yield _Part(keys, _text_ids(table))


def _own_key(name: str, table: Study) -> tuple[str, ...]:
    """The ids that name a table's rows: its own, or all that it has."""
    own = UNITS.get(name)
    keys = (own,) if own in table.names else tuple(_ids(table))
    if not keys:
        return ()
    seen = pd.DataFrame({k: labels(table, k) for k in keys})
    return () if seen.duplicated().any() else tuple(str(k) for k in keys)


def _measures(table: Study) -> Iterator[_Part]:
    """Variables of units, one column each: by unit, and by wave where units have several."""
    long: Any = pd.DataFrame({c: labels(table, c) for c in ("unit_type", "unit_id", "variable")})
    long["value"] = numeric(table, "value")
    keys = ["unit_id"]
    if "wave_id" in table.names:
        long["wave_id"] = labels(table, "wave_id")
        if long.duplicated(["unit_type", "unit_id", "variable"]).any():
            keys.append("wave_id")
    for unit, rows in long.groupby("unit_type", sort=False):
        wide = rows.set_index([*keys, "variable"])["value"].unstack().reset_index()  # noqa: PD010
        wide.columns = pd.Index([str(c) for c in wide.columns])
        wide = wide.rename(columns={"unit_id": f"{unit}_id"})
        yield _Part(tuple(f"{unit}_id" if k == "unit_id" else k for k in keys), wide)


def _carry(frame: pd.DataFrame, part: _Part, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Bring the columns of a table to the rows that belong to its units."""
    singular = name.removesuffix("s")
    new = {
        c: c if c not in frame.columns else f"{singular}_{c}"
        for c in part.frame.columns
        if c not in part.keys and not (c.endswith("_id") and c in frame.columns)
    }
    taken = [c for c in new.values() if c in frame.columns]
    wanted = {c: n for c, n in new.items() if n not in taken}
    side = part.frame.loc[:, [*part.keys, *wanted]].rename(columns=wanted)
    out = frame.merge(side, how="left", on=list(part.keys), validate="many_to_one", sort=False)
    out.index = frame.index
    return out, list(wanted.values())

"""A study of several tables: what of them belongs to which units, joined as a model needs it.

Tables are named by their resources: `districts`, `partners`, `partnerships` and so on, each with an
id of its own (`district_id`) and the ids of what it belongs to. What belongs to a unit above is
carried down to those below by its id. What lies below enters by a stated rule only: answers as
scores of constructs (`scores`), routines as the deepest and whether one has a tool, events as their
number. An id column `district_id` can also be written `district`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from acmodels.data.columns import label_codes, labels, numeric
from acmodels.data.package_rules import UNITS, problems, quietly, said_of
from acmodels.data.scores import item_answers, scores
from acmodels.data.table import Finding, Labels, Study, TablePart
from acmodels.errors import DataError, listing

LOWER = frozenset(
    {
        "responses", "items", "constructs", "persons", "memberships", "participation", "networks",
        "rosters", "ties", "events", "unit_measures", "routines", "waves",
    }
)  # fmt: skip
"""Tables whose rows are no units of an analysis."""

WAVE = "wave_id"

_JOINED: WeakKeyDictionary[Study, dict[tuple[str, ...], Study]] = WeakKeyDictionary()
"""Studies joined before; several models often need the same rows."""


def package_study(
    tables: Mapping[str, Study], name: str, findings: Iterable[Finding] = (), **source: Any
) -> Study:
    """Check tables against each other and make a study of them.

    Args:
        tables: by resource name; ids are read as text.
        name: what messages call the study.
        findings: of reading the tables.
        source: further attributes of the study (`path`, `sha256`).

    Raises:
        DataError: every violation of the rules between tables, the worst first.
    """
    wrong = problems(tables)
    if wrong:
        raise DataError(wrong, (*findings, *quietly(tables)))
    units = [n for n in tables if n not in LOWER and _ids(tables[n])]
    if not units:
        raise DataError(
            f"{name}: none of its tables ({listing(list(tables), 12)}) has rows that are units; "
            "an analysis needs one of districts, departments, partners, partnerships or another "
            "with an id column, such as district_id"
        )
    parts = tuple(_parts(tables))
    keys = _finest(parts)
    frame, carried, left = _joined(keys, parts)
    said = [*findings, *said_of(tables)]
    said.append(
        Finding(
            "note",
            f"{name}: rows are those of '{_called(keys, parts)}' ({len(frame)}); carried down to "
            f"them: {listing(carried, 20) if carried else 'nothing'}; a model that needs rows of "
            "other units only gets those",
        )
    )
    if left:
        said.append(
            Finding(
                "note",
                f"{name}: of {listing([f"'{n}'" for n in left])} nothing is one value for such a "
                "row; a model can have it by rows of other units, or by between()",
            )
        )
    return Study(
        f"{name}/{_called(keys, parts)}",
        frame,
        tuple(said),
        labels=_labels(tables),
        tables=tables,
        parts=parts,
        **source,
    )


def _labels(tables: Mapping[str, Study]) -> Labels | None:
    """The labels of columns that one table has, or several with the same labels."""
    columns: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for name, table in tables.items():
        if table.labels is None or name in ("items", "responses", "constructs"):
            continue
        for known, mine in (
            (columns, table.labels.columns),
            (values, table.labels.values),
        ):
            for column, said in mine.items():
                others = [t for n, t in tables.items() if n != name and column in t.names]
                held = [_said(t, column, known is columns) for t in others]
                if all(h == said for h in held):
                    known[column] = said
                elif column not in UNITS.values():
                    known[f"{name.removesuffix('s')}_{column}"] = said
    return Labels(columns, values, {}) if columns or values else None


def _said(table: Study, column: str, of_columns: bool) -> Any:  # noqa: FBT001
    if table.labels is None:
        return None
    return (table.labels.columns if of_columns else table.labels.values).get(column)


def study_of(study: Study, columns: Iterable[str]) -> Study:
    """The study with the fewest rows that have all columns; one table is returned as it is.

    Args:
        study: one table, or several.
        columns: that a model reads.
    """
    if not study.parts:
        return study
    wanted = set(columns)
    parts = (*study.parts, *_items(study, wanted))
    best: tuple[int, int, tuple[str, ...]] | None = None
    for keys in _keys(parts):
        if wanted <= _reach(keys, parts):
            found = (len(_rows(keys, parts)), len(keys), keys)
            best = found if best is None else min(best, found)
    if best is None:
        return study
    made = _JOINED.setdefault(study, {})
    items = sorted({c for p in parts[len(study.parts) :] for c in p.frame.columns})
    at = (*best[2], "", *items)
    if at not in made:
        frame, _, _ = _joined(best[2], parts)
        frame = _answers_once(frame, parts[len(study.parts) :])
        head = study.name.rpartition("/")[0] or study.name
        name = f"{head}/{_called(best[2], parts)}"
        made[at] = replace(study, name=name, frame=frame, parts=(), tables={})
    return made[at]


def _items(study: Study, wanted: set[str]) -> list[TablePart]:
    """Return the answers to the items among some columns, which no part of the study has."""
    if not {"responses", "items"} <= set(study.tables):
        return []
    known = {str(c) for p in study.parts for c in p.frame.columns}
    items = study.tables["items"]
    asked = set(labels(items, "item_id")) if "item_id" in items.names else set[Any]()
    mine = sorted(c for c in wanted if c in asked and c not in known)
    if not mine:
        return []
    return [TablePart(k, f, "responses") for k, f in item_answers(study.tables, mine)]


def _answers_once(frame: pd.DataFrame, answers: Iterable[TablePart]) -> pd.DataFrame:
    """Leave answers about a unit in one row of the person and the unit, or they count again."""
    for part in answers:
        again = frame.duplicated(list(part.keys))
        if again.any():
            items = [c for c in part.frame.columns if c not in part.keys]
            frame = frame.assign(**{c: frame[c].mask(again) for c in items})
    return frame


def _ids(table: Study) -> list[str]:
    return [c for c in table.names if c.endswith("_id")]


def _parts(tables: Mapping[str, Study]) -> Iterator[TablePart]:
    """Return what of each table can be carried, those of more keys first."""
    found: list[TablePart] = []
    for name, table in tables.items():
        if name == "unit_measures":
            found += _measures(table)
        elif name == "events":
            found += _events(table, tables)
        elif name == "routines":
            found += _routines(table)
        elif name == "memberships":
            found += _memberships(table)
        elif name == "responses":
            found += [TablePart(k, f, name) for k, f in scores(tables)]
        elif name in ("waves", "persons") or name not in LOWER:
            keys = _own_key(name, table)
            if keys:
                found.append(TablePart(keys, _text_ids(table), name, rows=name != "waves"))
    yield from sorted(found, key=lambda p: -len(p.keys))


def _text_ids(table: Study) -> pd.DataFrame:
    """A table's columns, its ids as text."""
    frame = table.frame.copy()
    for c in _ids(table):
        frame[c] = labels(table, c)
    return frame.reset_index(drop=True)


def _own_key(name: str, table: Study) -> tuple[str, ...]:
    """The ids that name a table's rows: its own, or all that it has."""
    own = UNITS.get(name)
    keys = (own,) if own in table.names else tuple(_ids(table))
    if not keys:
        return ()
    seen = pd.DataFrame({k: label_codes(table, k)[0] for k in keys})
    if WAVE in keys and len(keys) > 1 and len(set(seen[WAVE])) == 1:
        # in one wave, units are not told apart by it
        keys, seen = tuple(k for k in keys if k != WAVE), seen.drop(columns=WAVE)
    return () if seen.duplicated().any() else tuple(str(k) for k in keys)


def _long(table: Study, columns: Iterable[str]) -> Any:
    """Columns of labels as categoricals, and the wave where there is one."""
    made: dict[str, Any] = {}
    for c in (*columns, WAVE):
        if c in table.names:
            codes, words = label_codes(table, c)
            made[c] = pd.Categorical.from_codes(codes, categories=pd.Index(words, dtype=object))
    return pd.DataFrame(made)


def _measures(table: Study) -> Iterator[TablePart]:
    """Variables of units, one column each: by unit, and by wave where units have several."""
    long = _long(table, ("unit_type", "unit_id", "variable"))
    long["value"] = numeric(table, "value")
    keys = ["unit_id"]
    if WAVE in long and long.duplicated(["unit_type", "unit_id", "variable"]).any():
        keys.append(WAVE)
    for unit, rows in long.groupby("unit_type", sort=False, observed=True):
        wide = rows.pivot(index=keys, columns="variable", values="value").reset_index()  # noqa: PD010
        wide.columns = pd.Index([str(c) for c in wide.columns])
        for c in keys:
            wide[c] = wide[c].astype(object)
        wide = wide.rename(columns={"unit_id": f"{unit}_id"})
        yield TablePart(
            tuple(f"{unit}_id" if k == "unit_id" else k for k in keys), wide, "unit_measures"
        )


def _events(table: Study, tables: Mapping[str, Study]) -> Iterator[TablePart]:
    """Return how many events of each kind a unit had, in each wave where the study has several."""
    if not {"unit_type", "unit_id", "kind"} <= set(table.names):
        return
    long = _long(table, ("unit_type", "unit_id", "kind"))
    waves = tables.get("waves")
    by_wave = WAVE in long and (waves is None or waves.n_rows > 1)
    keys = ["unit_id", WAVE] if by_wave else ["unit_id"]
    for unit, rows in long.groupby("unit_type", sort=False, observed=True):
        count = rows.astype(object).groupby([*keys, "kind"]).size().unstack(fill_value=0)  # noqa: PD010
        wide = count.astype(np.float64).reset_index()
        wide.columns = pd.Index([str(c) for c in wide.columns])
        wide = wide.rename(columns={"unit_id": f"{unit}_id"})
        names = tuple(f"{unit}_id" if k == "unit_id" else k for k in keys)
        yield TablePart(names, wide, "events", fill=0.0, rows=False)


def _routines(table: Study) -> Iterator[TablePart]:
    """The deepest routine of a partnership, whether one has a tool, and how many there are."""
    keys = [k for k in ("partnership_id", WAVE) if k in table.names]
    if "partnership_id" not in keys:
        return
    long: Any = _long(table, ("partnership_id",)).astype(object)
    made = {"routine_count": ("one", "sum")}
    long["one"] = 1.0
    for column, name in (("depth", "routine_depth"), ("tool", "tool")):
        if column in table.names:
            long[column] = numeric(table, column)
            made[name] = (column, "max")
    wide = long.groupby(keys, sort=False).agg(**made).reset_index()
    if WAVE in keys and len(set(wide[WAVE])) == 1:
        keys, wide = keys[:1], wide.drop(columns=WAVE)
    yield TablePart(tuple(keys), wide, "routines", rows=False)


def _memberships(table: Study) -> Iterator[TablePart]:
    """The department or partner that a person belongs to in a wave."""
    if not {"person_id", "unit_type", "unit_id"} <= set(table.names):
        return
    long = _long(table, ("person_id", "unit_type", "unit_id")).astype(object)
    keys = [k for k in ("person_id", WAVE) if k in long]
    for unit, rows in long.groupby("unit_type", sort=False):
        mine = rows.drop(columns="unit_type").rename(columns={"unit_id": f"{unit}_id"})
        if not mine.duplicated(keys).any():
            yield TablePart(tuple(keys), mine.reset_index(drop=True), "memberships", rows=False)


def _keys(parts: Iterable[TablePart]) -> tuple[tuple[str, ...], ...]:
    return tuple(dict.fromkeys(p.keys for p in parts if p.rows))


def _alias(column: str) -> str | None:
    return column.removesuffix("_id") if column.endswith("_id") else None


def _reach(keys: tuple[str, ...], parts: Iterable[TablePart]) -> set[str]:
    """The columns that rows with these keys come to have."""
    have = set(keys)
    moved = True
    while moved:
        moved = False
        for p in parts:
            if set(p.keys) <= have and not set(p.frame.columns) <= have:
                have |= {str(c) for c in p.frame.columns}
                moved = True
    return have | {a for c in have if (a := _alias(c))}


def _finest(parts: tuple[TablePart, ...]) -> tuple[str, ...]:
    """The rows with the most ids, then the most rows, of units; persons are none."""

    def order(keys: tuple[str, ...]) -> tuple[int, int]:
        ids = [c for c in _reach(keys, parts) if c.endswith("_id")]
        return len(ids), len(_rows(keys, parts))

    of_units = [k for k in _keys(parts) if "person_id" not in k]
    return max(of_units or _keys(parts), key=order)


def _rows(keys: tuple[str, ...], parts: Iterable[TablePart]) -> pd.DataFrame:
    """Every combination of keys that some table has, in the order of the tables."""
    frames = [p.frame.loc[:, list(keys)] for p in parts if p.rows and p.keys == keys]
    whole = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    if len(keys) > 1:
        whole = whole.dropna()
    return whole.drop_duplicates(ignore_index=True)


def _called(keys: tuple[str, ...], parts: Iterable[TablePart]) -> str:
    """A name for rows: of the table with these keys, or the units."""
    own = [p.table for p in parts if p.keys == keys and p.table not in LOWER]
    home = [t for t in own if UNITS.get(t) in keys]
    if home or (own and len(keys) == 1):
        return (home or own)[0]
    return "_by_".join(k.removesuffix("_id") for k in keys)


def _joined(
    keys: tuple[str, ...], parts: tuple[TablePart, ...]
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Rows with everything that can be carried to them.

    Returns:
        The table, the columns carried, and the tables of which nothing was.
    """
    frame = _rows(keys, parts)
    # what the rows' own tables say comes first and keeps its order
    pending = sorted(parts, key=lambda p: p.keys != keys)
    carried: list[str] = []
    left = {p.table for p in parts}
    moved = True
    while moved:
        moved = False
        for part in list(pending):
            if set(part.keys) <= set(frame.columns):
                frame, new = _carry(frame, part)
                own = part.keys == keys and part.table not in LOWER
                carried += [] if own else new
                pending.remove(part)
                left.discard(part.table)
                moved = True
    for column in list(frame.columns):
        alias = _alias(column)
        if alias and alias not in frame.columns:
            frame[alias] = frame[column]
    return frame, carried, [t for t in dict.fromkeys(p.table for p in parts) if t in left]


def _carry(frame: pd.DataFrame, part: TablePart) -> tuple[pd.DataFrame, list[str]]:
    """Bring the columns of a table to the rows that belong to its units."""
    singular = part.table.removesuffix("s")
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
    if part.fill is not None:
        for c in wanted.values():
            out[c] = out[c].fillna(part.fill)
    return out, list(wanted.values())

"""The rules between the tables of a study, and what the tables hold."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from acmodels.data.columns import label_codes, labels, numeric
from acmodels.data.table import Finding, Study, row_names, rows_phrase, shown
from acmodels.errors import DataError, listing
from acmodels.numbers import decimal

UNITS = {
    "waves": "wave_id", "districts": "district_id", "departments": "department_id",
    "partners": "partner_id", "funders": "funder_id", "partnerships": "partnership_id",
    "persons": "person_id", "constructs": "construct_id", "items": "item_id",
    "networks": "network_id", "events": "event_id",
}  # fmt: skip
"""Tables with an id of their own."""

AGGREGATE = ("mean", "max", "min", "sum", "coverage", "latent_mean")
"""How raters' scores may become a unit's."""

type Tables = Mapping[str, Study]


def problems(tables: Tables) -> list[str]:
    """Every violation of the rules between tables, keys first."""
    out: list[str] = []
    for rule in (
        _keys, _measured, _references, _departments, _constructs, _answers, _waves, _guidance,
        _ties,
    ):  # fmt: skip
        out += _said(rule, tables)
    return list(dict.fromkeys(out))


def _said(rule: Callable[[Tables], Iterator[str]], tables: Tables) -> list[str]:
    """Return what a rule finds; a column that cannot be read is found too."""
    out: list[str] = []
    found = rule(tables)
    try:
        out.extend(found)
    except DataError as error:
        out += error.problems
    return out


def quietly(tables: Tables) -> list[Finding]:
    """Say what can be said of tables that break rules; where one cannot be read, nothing more."""
    out: list[Finding] = []
    found = said_of(tables)
    try:
        out.extend(found)
    except DataError as error:
        out += [Finding("error", p) for p in error.problems]
    return out


def _rows(table: Study, mask: Any) -> str:
    return rows_phrase(row_names(table, np.asarray(mask, dtype=bool)))


def _keys(tables: Tables) -> Iterator[str]:
    for name, key in UNITS.items():
        if name not in tables:
            continue
        table = tables[name]
        if key not in table.names:
            yield f"{table.name}: has no column '{key}', which names its rows"
            continue
        ids = pd.Series(labels(table, key), dtype=object)
        if ids.isna().any():
            yield f"{table.name}: '{key}' is empty in {_rows(table, ids.isna())}"
        twice = ids.duplicated(keep=False) & ids.notna()
        if twice.any():
            said = listing([f"'{shown(str(v))}'" for v in dict.fromkeys(ids[twice])])
            yield f"{table.name}: '{key}' names more than one row: {said} ({_rows(table, twice)})"
    once = {
        "responses": ("person_id", "item_id", "wave_id", "target_id"),
        "guidance": ("partnership_id", "wave_id"),
        "unit_measures": ("unit_type", "unit_id", "wave_id", "variable"),
        "memberships": ("person_id", "wave_id", "unit_type", "unit_id"),
    }
    for name, keys in once.items():
        if name in tables:
            table = tables[name]
            mine = [k for k in keys if k in table.names]
            if len(mine) < 2:
                continue
            ids = pd.DataFrame({k: labels(table, k) for k in mine})
            twice = ids.duplicated(keep=False)
            if twice.any():
                yield (
                    f"{table.name}: more than one row for one combination of {listing(mine)} "
                    f"({_rows(table, twice)})"
                )


def _measured(tables: Tables) -> Iterator[str]:
    """Ask of a table of variables of units for the columns that say what was measured of which."""
    table = tables.get("unit_measures")
    if table is None:
        return
    needed = {
        "unit_type": "says of what kind a unit is",
        "unit_id": "names the unit",
        "variable": "names what was measured",
        "value": "holds the values",
    }
    for column, why in needed.items():
        if column not in table.names:
            yield f"{table.name}: has no column '{column}', which {why}"


def _references(tables: Tables) -> Iterator[str]:
    home = {key: name for name, key in UNITS.items() if name in tables}
    known = {
        key: {v for v in labels(tables[name], key) if v is not None}
        for key, name in home.items()
        if key in tables[name].names
    }
    for name, table in tables.items():
        for column in table.names:
            if column in known and home[column] != name:
                yield from _unknown(table, column, known[column], tables[home[column]].name)
        for kind, column in (("unit_type", "unit_id"), ("target_type", "target_id")):
            if {kind, column} <= set(table.names):
                what, ids = labels(table, kind), labels(table, column)
                for unit in dict.fromkeys(v for v in what if v is not None):
                    key = f"{unit}_id"
                    if unit != "self" and key in known:
                        bad = np.array(
                            [
                                w == unit and v not in known[key]
                                for w, v in zip(what, ids, strict=True)
                            ]
                        )
                        if bad.any():
                            yield (
                                f"{table.name}: '{column}' names no {unit} of "
                                f"{tables[home[key]].name}: {_some(ids[bad])} ({_rows(table, bad)})"
                            )


def _unknown(table: Study, column: str, known: set[Any], other: str) -> Iterator[str]:
    ids = labels(table, column)
    bad = np.array([v is not None and v not in known for v in ids])
    if bad.any():
        said = f"{_some(ids[bad])} ({_rows(table, bad)})"
        bare = {_bare_id(v): v for v in known}
        same = next((v for v in ids[bad] if _bare_id(v) in bare), None)
        hint = (
            f"; '{shown(str(same))}' here is '{shown(str(bare[_bare_id(same)]))}' there: an id "
            "must be written the same way in every table (spreadsheets drop leading zeros)"
            if same is not None
            else ""
        )
        yield f"{table.name}: '{column}' holds ids that are not in {other}: {said}{hint}"


def _bare_id(word: Any) -> str:
    """An id without what is lost where it is kept as a number: zeros, a point, white space."""
    text = str(word).strip().casefold()
    text = text.removesuffix(".0")
    return text.lstrip("0") or text


def _some(values: Any) -> str:
    return listing([f"'{shown(str(v))}'" for v in dict.fromkeys(values)], 5)


def _departments(tables: Tables) -> Iterator[str]:
    if not {"departments", "partnerships"} <= set(tables):
        return
    t, d = tables["partnerships"], tables["departments"]
    need = {"department_id", "district_id"}
    if need <= set(t.names) and need <= set(d.names):
        home = dict(zip(labels(d, "department_id"), labels(d, "district_id"), strict=True))
        mine = zip(labels(t, "department_id"), labels(t, "district_id"), strict=True)
        bad = np.array([k in home and k is not None and home[k] != v for k, v in mine])
        if bad.any():
            yield f"{t.name}: 'department_id' is a department of another district ({_rows(t, bad)})"
    if {"start_wave", "end_wave"} <= set(t.names):
        first, last = numeric(t, "start_wave"), numeric(t, "end_wave")
        bad = last < first
        if bad.any():
            yield f"{t.name}: 'end_wave' is before 'start_wave' ({_rows(t, bad)})"


def _constructs(tables: Tables) -> Iterator[str]:
    t = tables.get("constructs")
    if t is None or "aggregate" not in t.names:
        return
    said = labels(t, "aggregate")
    bad = np.array([v is not None and v not in AGGREGATE for v in said])
    if bad.any():
        yield (
            f"{t.name}: 'aggregate' must be one of {listing(AGGREGATE)}, not {_some(said[bad])} "
            f"({_rows(t, bad)})"
        )


def _answers(tables: Tables) -> Iterator[str]:
    if not {"responses", "items"} <= set(tables):
        return
    t, items = tables["responses"], tables["items"]
    if not {"item_id", "value"} <= set(t.names):
        missing = [c for c in ("item_id", "value") if c not in t.names]
        yield f"{t.name}: has no column {listing([f"'{c}'" for c in missing])}"
        return
    book: Any = pd.DataFrame({"item_id": labels(items, "item_id")})
    for c in ("min", "max"):
        book[c] = numeric(items, c) if c in items.names else np.nan
    for c in ("referent", "response"):
        book[c] = labels(items, c) if c in items.names else None
    long: Any = pd.DataFrame({"item_id": labels(t, "item_id"), "value": numeric(t, "value")})
    long = long.merge(book.drop_duplicates("item_id"), on="item_id", how="left")
    value = long["value"].to_numpy(float)
    outside = (value < long["min"].to_numpy(float)) | (value > long["max"].to_numpy(float))
    if outside.any():
        yield f"{t.name}: 'value' lies outside its item's min and max ({_rows(t, outside)})"
    ordinal = (long["response"] == "ordinal").to_numpy(bool)
    half = ordinal & np.isfinite(value) & (value != np.rint(value))
    if half.any():
        yield f"{t.name}: 'value' of an ordinal item is no whole number ({_rows(t, half)})"
    if "target_type" in t.names:
        said = pd.Series(labels(t, "target_type"), dtype=object)
        off = long["referent"].notna() & said.notna() & (long["referent"].to_numpy() != said)
        if off.any():
            yield f"{t.name}: 'target_type' is not the referent of the item ({_rows(t, off)})"


def _waves(tables: Tables) -> Iterator[str]:
    if "waves" in tables and {"wave_id", "t_years"} <= set(tables["waves"].names):
        t = tables["waves"]
        order, time = numeric(t, "wave_id"), numeric(t, "t_years")
        by = np.argsort(order)
        back = np.zeros(len(by), dtype=bool)
        back[by[1:]] = np.diff(time[by]) <= 0
        if back.any():
            yield f"{t.name}: 't_years' does not rise from wave to wave ({_rows(t, back)})"


def _guidance(tables: Tables) -> Iterator[str]:
    shares = ("share_explicit", "share_tacit", "share_embedded")
    if "guidance" in tables and set(shares) <= set(tables["guidance"].names):
        t = tables["guidance"]
        values = np.stack([numeric(t, c) for c in shares], axis=1)
        bad = (values < 0).any(axis=1) | (values > 1).any(axis=1)
        if bad.any():
            yield f"{t.name}: shares are outside 0 to 1 ({_rows(t, bad)})"
        off = ~bad & (np.abs(values.sum(axis=1) - 1) > 1e-6)
        if off.any():
            yield f"{t.name}: the three shares do not sum to 1 ({_rows(t, off)})"
    if "routines" in tables and "depth" in tables["routines"].names:
        t = tables["routines"]
        depth = numeric(t, "depth")
        bad = np.isfinite(depth) & ~np.isin(depth, (1, 2, 3, 4))
        if bad.any():
            yield f"{t.name}: 'depth' is none of 1, 2, 3, 4 ({_rows(t, bad)})"


def _ties(tables: Tables) -> Iterator[str]:
    if "ties" not in tables or not {"sender_id", "receiver_id"} <= set(tables["ties"].names):
        return
    t = tables["ties"]
    sender, receiver = labels(t, "sender_id"), labels(t, "receiver_id")
    own = np.array([a is not None and a == b for a, b in zip(sender, receiver, strict=True)])
    if own.any():
        yield f"{t.name}: a tie from a person to themselves ({_rows(t, own)})"
    roster = next((tables[n] for n in ("rosters", "persons") if n in tables), None)
    if roster is not None and "person_id" in roster.names:
        known = {v for v in labels(roster, "person_id") if v is not None}
        for column in ("sender_id", "receiver_id"):
            yield from _unknown(t, column, known, roster.name)


def said_of(tables: Tables) -> Iterator[Finding]:
    """Return what a package holds, and what it cannot identify."""
    counts = [f"{t.n_rows} {name.replace('_', ' ')}" for name, t in tables.items()]
    yield Finding("note", f"tables: {', '.join(counts)}")
    p = tables.get("partnerships")
    if p is not None and "district_id" in p.names:
        per = pd.Series(labels(p, "district_id"), dtype=object).value_counts()
        yield Finding(
            "note",
            (
                f"partnerships per district: {per.min()} to {per.max()}, {decimal(per.mean(), 1)} "
                "on average"
            ),
        )
        if len(per) < 10:
            yield Finding(
                "warning",
                f"{p.name}: {len(per)} districts have partnerships; with fewer than ten, "
                "differences between districts are estimated poorly",
            )
        if "partner_id" in p.names:
            yield from _crossing(p)
        if "department_id" in p.names:
            pairs = pd.DataFrame({k: labels(p, k) for k in ("district_id", "department_id")})
            many = pairs.dropna().drop_duplicates()["district_id"].value_counts()
            if not (many >= 2).any():
                yield Finding(
                    "warning",
                    f"{p.name}: no district has two departments with a partner, so departments of "
                    "one district cannot be compared (P24)",
                )
    w = tables.get("waves")
    if w is not None and w.n_rows < 3:
        yield Finding(
            "note",
            f"{w.name}: {w.n_rows} waves; a model that separates change within units from "
            "differences between them (RI-CLPM) needs three",
        )
    yield from _response_rates(tables)
    r = tables.get("responses")
    if r is not None and {"target_type", "target_id", "person_id"} <= set(r.names):
        who = pd.DataFrame({c: labels(r, c) for c in ("target_type", "target_id", "person_id")})
        raters: Any = who.groupby(["target_type", "target_id"])["person_id"].nunique()
        yield Finding(
            "note",
            f"raters per unit: {raters.min()} to {raters.max()}, median {raters.median():g}; "
            f"{int((raters < 2).sum())} of {len(raters)} units have one only (no agreement can be "
            f"stated), {int((raters < 3).sum())} fewer than three",
        )


def _response_rates(tables: Tables) -> Iterator[Finding]:
    """Return how many of those who were there in a wave answered."""
    m, r = tables.get("memberships"), tables.get("responses")
    if m is None or r is None or not {"person_id", "wave_id"} <= set(m.names):
        return
    if not {"person_id", "wave_id"} <= set(r.names):
        return
    there = pd.DataFrame({c: labels(m, c) for c in ("person_id", "wave_id")}).drop_duplicates()
    codes, people = label_codes(r, "person_id")
    wave, waves = label_codes(r, "wave_id")
    pairs = np.unique(np.stack([codes, wave]), axis=1)
    did = {(people[a], waves[b]) for a, b in pairs.T if a >= 0 and b >= 0}
    said: list[str] = []
    for w, rows in there.groupby("wave_id", sort=False):
        n = sum((p, w) in did for p in rows["person_id"])
        said.append(f"wave {w} {n} of {len(rows)} ({decimal(100 * n / len(rows), 0)} %)")
    yield Finding("note", f"answered: {listing(said, 12)}")
    members = set(zip(there["person_id"], there["wave_id"], strict=True))
    strangers = [p for p in did if p not in members]
    if strangers:
        some = listing([f"{p} in wave {w}" for p, w in sorted(strangers)], 4)
        yield Finding(
            "warning", f"{r.name}: {len(strangers)} persons answered in a wave in which {m.name} "
            "does "
            f"not have them: {some}"
        )  # fmt: skip


def _crossing(p: Study) -> Iterator[Finding]:
    pairs = pd.DataFrame({k: labels(p, k) for k in ("district_id", "partner_id")}).dropna()
    several = pairs.drop_duplicates()["district_id"].value_counts()
    if not (several >= 2).any():
        yield Finding(
            "warning",
            f"{p.name}: no district works with two partners, so effects of districts and of "
            "partners cannot be separated",
        )
    parts = _components(pairs["district_id"].tolist(), pairs["partner_id"].tolist())
    if parts > 1:
        yield Finding(
            "warning",
            f"{p.name}: districts and partners fall into {parts} sets with no unit in common; "
            "effects of districts and partners can be compared only within a set",
        )


def _components(left: list[Any], right: list[Any]) -> int:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    a, la = pd.factorize(pd.Series(left, dtype=object))
    b, lb = pd.factorize(pd.Series(right, dtype=object))
    size = len(la) + len(lb)
    graph = coo_matrix((np.ones(len(a)), (a, len(la) + b)), shape=(size, size))
    return int(connected_components(graph, directed=False)[0])

"""Wide survey exports: one row a person, one column an item, target and wave."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from acmodels.data.applied import mapped, mapped_parts
from acmodels.data.columns import label_codes, labels
from acmodels.data.headers import HeaderRowsError
from acmodels.data.mapping import Mapped, digest_of
from acmodels.data.package import package_study
from acmodels.data.package_rules import UNITS
from acmodels.data.table import Finding, Study, row_names, rows_phrase, shown
from acmodels.errors import DataError, did_you_mean, listing, printable
from acmodels.spec.strict import Strict, check_table, composed_table, read_toml

type Unit = Literal["self", "department", "district", "partner", "partnership"]


class TargetTable(Strict):
    """What a target in a column's name is: a unit by its id, or by the id in a column."""

    type: Unit
    column: str | None = None
    id: str | None = None


class ItemTable(Strict):
    """An item, as in the table `items`."""

    construct_: Annotated[str, Field(alias="construct")]
    min: float | int | None = None
    max: float | int | None = None
    reverse: bool = False
    label: str = ""
    response: Literal["ordinal", "continuous", "count", "binary"] = "ordinal"


class WideTable(Strict):
    """A mapping file."""

    table: str
    person: str
    pattern: str = "{item}__{target}__{wave}"
    skip: Annotated[int, Field(ge=0)] = 0
    wave: int | None = None
    wave_column: str | None = None
    keep: list[str] = Field(default_factory=list)
    missing: list[str | int | float] = Field(default_factory=list)
    answers: dict[str, float | int] = Field(default_factory=dict)
    targets: dict[str, TargetTable] = Field(default_factory=dict)
    items: dict[str, ItemTable]
    tables: dict[str, str] = Field(default_factory=dict)


def _export(read: Callable[..., Study], path: Path, skip: Any, said: str) -> Study:
    """Read the table of answers; where header rows are in the way, say what to write."""
    try:
        return read(path, {"skip": skip} if skip else None)
    except HeaderRowsError as error:
        fix = f"to leave them out, write skip = {error.count} in {said}"
        raise DataError(f"{p.partition('; ')[0]}; {fix}" for p in error.problems) from None


def _long(
    m: WideTable, wide: Study, columns: Mapping[str, re.Match[str]], people: Any, said: str
) -> Any:
    """Stack the columns of answers: a row for each person, target, wave and item answered."""
    parts: list[pd.DataFrame] = []
    problems: list[str] = []
    for column, found in columns.items():
        named = found.groupdict()
        if named["item"] in m.items:
            parts.append(_answers(m, wide, column, named, people, problems))
    if problems:
        raise DataError(problems)
    long: Any = pd.concat(parts, ignore_index=True)
    long = long[long["value"].notna() & long["target_id"].notna()].reset_index(drop=True)
    if long.empty:
        raise DataError(f"{said}: the columns of {wide.name} hold no answers")
    return long


def from_wide(path: str | Path, read: Callable[..., Study], mapping: Mapped | None = None) -> Study:
    """Read a wide survey export by its mapping file.

    The mapping (TOML) says which `table` the answers are in, which column has the `person`'s id,
    how columns with answers are named (`pattern`, from `{item}`, `{target}`, `{wave}`), what each
    target is, and what each item belongs to. `answers` turns words into numbers, `missing` lists
    codes for missing, `skip` leaves out rows below the header (wordings, in some exports), `keep`
    takes columns of persons along, and `tables` adds tables of units by file.

    Args:
        path: the mapping file; paths in it are relative to it.
        read: reads a table by its path and its `columns`, as `read_study` does.
        mapping: what columns of the tables are called and how they are read.

    Returns:
        A study of several tables, as from a folder.

    Raises:
        ModelError: the mapping is wrong.
        DataError: the export does not fit it; every problem is named.
    """
    place = Path(path)
    said = printable(place.name)
    m = check_table(WideTable, _composed(read_toml(place), said), said, error=DataError)
    form = _pattern(m.pattern, said)
    beside = {n: read(place.parent / p) for n, p in m.tables.items()}
    wide = _export(read, place.parent / m.table, m.skip, said)
    columns = {c: found for c in wide.names if (found := form.fullmatch(c))}
    problems = list(_wrong(m, wide, columns, said))
    if problems:
        raise DataError(problems)
    people = labels(wide, m.person)
    long = _long(m, wide, columns, people, said)
    made = _tables(m, wide, people, long)
    tables = {n: Study(f"{n} ({said})", frame) for n, frame in made.items()} | beside
    used = {m.person, m.wave_column, *m.keep, *(t.column for t in m.targets.values())}
    left = [c for c in wide.names if c not in columns and c not in used]
    findings = [*wide.findings]
    if left:
        findings.append(
            Finding(
                "note", f"{wide.name}: left out, as the mapping does not name them: {listing(left)}"
            )
        )
    sha256 = {**wide.sha256, **{k: v for b in beside.values() for k, v in b.sha256.items()}}
    asked = Mapped() if mapping is None else mapping
    tables = {n: mapped(t, asked) for n, t in tables.items()}
    sha256 |= digest_of(asked)
    return mapped_parts(
        package_study(tables, place.stem, findings, path=place, sha256=sha256), asked
    )


def _composed(table: dict[str, Any], said: str) -> dict[str, Any]:
    """Give names one spelling of accented letters; what stands in cells is left as it is."""
    cells = {k: table[k] for k in ("answers", "missing") if k in table}
    return {**composed_table({k: v for k, v in table.items() if k not in cells}, said), **cells}


def _pattern(text: str, said: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\})", text)
    names = [p[1:-1] for p in parts if p.startswith("{")]
    wrong = [n for n in names if n not in ("item", "target", "wave")]
    if wrong or names.count("item") != 1 or len(set(names)) != len(names):
        raise DataError(
            f"{said}: pattern: must hold {{item}} once, and may hold {{target}} and {{wave}} "
            f"once, not '{shown(text)}'"
        )
    made = [f"(?P<{p[1:-1]}>.+?)" if p.startswith("{") else re.escape(p) for p in parts]
    return re.compile("".join(made))


def _wrong(
    m: WideTable, wide: Study, columns: Mapping[str, re.Match[str]], said: str
) -> Iterator[str]:
    asked = {"person": m.person, "wave_column": m.wave_column}
    asked |= {f"keep[{k}]": c for k, c in enumerate(m.keep)}
    asked |= {f"targets.{k}.column": t.column for k, t in m.targets.items()}
    for key, column in asked.items():
        if column is not None and column not in wide.names:
            near = did_you_mean(column, wide.names)
            yield f"{said}: {key}: {wide.name} has no column '{shown(column)}'{near}"
    if m.person in wide.names:
        codes, _ = label_codes(wide, m.person)
        if (codes < 0).any():
            rows = rows_phrase(row_names(wide, codes < 0))
            yield f"{wide.name}: '{m.person}', the person's id, is empty in {rows}"
        elif m.wave_column is None and len(np.unique(codes)) < len(codes):
            twice = pd.Series(codes).duplicated(keep=False).to_numpy()
            rows = rows_phrase(row_names(wide, twice))
            yield f"{wide.name}: '{m.person}' names more than one row ({rows})"
    for key, t in m.targets.items():
        if t.type != "self" and (t.column is None) == (t.id is None):
            yield f"{said}: targets.{key}: give either column or id"
    items = {f["item"] for f in columns.values()}
    for item in m.items:
        if item not in items:
            near = did_you_mean(item, items)
            yield (
                f"{said}: items.{item}: no column of {wide.name} is named {m.pattern} with it{near}"
            )
    if "{target}" in m.pattern:
        for t in dict.fromkeys(f["target"] for f in columns.values() if f["item"] in m.items):
            if t not in m.targets:
                near = did_you_mean(t, m.targets)
                yield f"{said}: targets: '{shown(t)}' stands in columns and is not described{near}"
    elif len(m.targets) > 1:
        yield f"{said}: targets: the pattern has no {{target}}, so there can be only one"


def _answers(
    m: WideTable,
    wide: Study,
    column: str,
    named: Mapping[str, str],
    people: np.ndarray,
    problems: list[str],
) -> pd.DataFrame:
    """The answers of one column, long."""
    key = named.get("target") or next(iter(m.targets), "")
    target = m.targets.get(key, TargetTable(type="self"))
    ids: Any = people if target.type == "self" else target.id
    if target.column is not None:
        ids = labels(wide, target.column)
    codes, words = label_codes(wide, column)
    gone = {str(w) for w in m.missing}
    value = np.full(len(words) + 1, np.nan)
    strays: list[str] = []
    for k, word in enumerate(words):
        bare = word.strip()
        if bare in gone:
            continue
        if bare in m.answers:
            value[k] = float(m.answers[bare])
            continue
        try:
            value[k] = float(bare)
        except ValueError:
            strays.append(word)
    if strays:
        rows = np.isin(codes, [words.index(s) for s in strays])
        some = listing([f"'{shown(s)}'" for s in strays])
        problems.append(
            f"{wide.name}: column '{shown(column)}' holds {some} "
            f"({rows_phrase(row_names(wide, rows))}); say in [answers] what number each is, or "
            "list it in missing"
        )
    made: dict[str, Any] = {
        "person_id": people,
        "item_id": named["item"],
        "wave_id": named.get("wave") or (m.wave if m.wave is not None else 1),
        "target_type": target.type,
        "target_id": ids,
        "value": value[codes],
    }
    if m.wave_column is not None:
        made["wave_id"] = labels(wide, m.wave_column)
    return pd.DataFrame(made)


def _tables(
    m: WideTable, wide: Study, people: np.ndarray, long: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    kinds = long.groupby("item_id")["target_type"].first().to_dict()
    items = pd.DataFrame(
        [
            {
                "item_id": name,
                "construct_id": i.construct_,
                "referent": kinds.get(name),
                "response": i.response,
                "min": i.min,
                "max": i.max,
                "reverse": int(i.reverse),
                "label": i.label,
            }
            for name, i in m.items.items()
        ]
    )
    persons = pd.DataFrame({"person_id": people})
    for c in m.keep:
        persons[c] = wide.frame[c].to_numpy()
    out = {"persons": persons.drop_duplicates("person_id"), "items": items, "responses": long}
    homes = {key.removesuffix("_id"): name for name, key in UNITS.items()}
    for unit, rows in long.groupby("target_type", sort=False):
        name = homes.get(str(unit))
        if name is not None and name not in m.tables:
            ids = list(dict.fromkeys(rows["target_id"]))
            out[name] = pd.DataFrame({f"{unit}_id": ids})
    if not set(out) & {"districts", "departments", "partners", "partnerships"} and not m.tables:
        # answers on oneself only: persons are the units
        out["people"] = out["persons"].copy()
    return out

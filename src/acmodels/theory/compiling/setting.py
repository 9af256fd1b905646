"""What a study has of a framework: the columns of its constructs, and the units of its rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acmodels.data import Study, kind, label_codes, numeric, study_of
from acmodels.errors import AcmodelsError, listing
from acmodels.framework.graph import Framework
from acmodels.system.rows import composite
from acmodels.theory.compiling import NotTestable

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]

FEW = 5
"""Units in which a variable must be seen to vary before it is split into within and between."""


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of unit as a study has it.

    Attributes:
        name: as the framework has it.
        column: the id column.
        codes: unit of each row, -1 where none is given, shape (rows,).
        size: how many units there are.
    """

    name: str
    column: str
    codes: Index
    size: int

    @cached_property
    def counts(self) -> Index:
        """Rows of each unit, shape (size,)."""
        return np.bincount(self.codes[self.codes >= 0], minlength=self.size)

    @property
    def repeated(self) -> bool:
        """Whether some unit has several rows."""
        return bool((self.counts > 1).any())

    def inside(self, other: "Kind") -> bool:
        """Whether every unit lies in one unit of another kind."""
        both = (self.codes >= 0) & (other.codes >= 0)
        pairs = np.unique(np.stack([self.codes[both], other.codes[both]]), axis=1)
        return pairs.shape[1] == len(np.unique(pairs[0]))


@dataclass(frozen=True, eq=False)
class Setting:
    """A framework with the rows of a study on which a claim is tried.

    Attributes:
        framework: the theory.
        study: rows and columns.
        columns: by construct that the rows have, its column.
        kinds: kinds of unit with two members or more, the largest units first.
        alone: kinds of unit with one member, which were dropped.
        wave: the column of waves where there are several, or None.
        randomized: constructs that the study assigned at random.
        schematic: no data were given, so that columns stand for those of a full study.
        notes: what was done to the rows.
        same: kinds of unit whose units are those of another kind, by name, with that kind's name.
        composites: columns that models make of others, by name, registered as they are needed.
        source: the study of several tables that the rows are of, or None for one table.
    """

    framework: Framework
    study: Study
    columns: Mapping[str, str]
    kinds: tuple[Kind, ...]
    alone: tuple[str, ...] = ()
    wave: str | None = None
    randomized: frozenset[str] = frozenset()
    schematic: bool = False
    notes: tuple[str, ...] = ()
    same: Mapping[str, str] = field(default_factory=dict[str, str])
    composites: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    source: Study | None = field(default=None, repr=False)
    _values: dict[str, Array] = field(default_factory=dict[str, Array], repr=False)
    _homes: dict[str, "Kind | None"] = field(default_factory=dict[str, "Kind | None"], repr=False)

    @property
    def n(self) -> int:
        """How many rows there are."""
        return self.study.n_rows

    def values(self, column: str) -> Array:
        """Return a column as numbers, NaN where missing; codes of labels where it is text."""
        if column not in self._values:
            if column in self.composites:
                self._values[column] = composite(self.study, self.composites[column])
                return self._values[column]
            try:
                found = numeric(self.study, column)
            except AcmodelsError:
                codes, _ = label_codes(self.study, column)
                found = np.where(codes < 0, np.nan, codes.astype(float))
            self._values[column] = found
        return self._values[column]

    def levels(self, column: str) -> tuple[str, ...]:
        """Return the levels of a column of labels, the reference first, as formulas sort them."""
        found = [str(v) for v in label_codes(self.study, column)[1]]
        return tuple(sorted(found))

    def spread(self, x: Array) -> float:
        """Return the sd of the values that are there; 1 where they do not vary, or are no data."""
        x = x[np.isfinite(x)]
        sd = float(x.std(ddof=1)) if len(x) > 1 and not self.schematic else 0.0
        return sd if sd > 0 else 1.0

    def mean(self, x: Array) -> float:
        """Return the mean of the values that are there; 0 where they are no data."""
        return 0.0 if self.schematic else float(np.nanmean(x))

    def free_name(self, name: str) -> str:
        """Return a name for a composite that no column has."""
        return name if name not in self.study.names else f"{name}_mean"

    def unit(self, name: str) -> Kind | None:
        """Return a kind of unit, or None where the rows have one unit or none of it."""
        called = self.same.get(name, name)
        return next((k for k in self.kinds if k.name == called), None)

    def constant(self, column: str, unit: Kind) -> bool:
        """Whether a column has one value in every unit."""
        x = self.values(column)
        seen = (unit.codes >= 0) & np.isfinite(x)
        if not seen.any():
            return True
        low = np.full(unit.size, np.inf)
        high = np.full(unit.size, -np.inf)
        np.minimum.at(low, unit.codes[seen], x[seen])
        np.maximum.at(high, unit.codes[seen], x[seen])
        held = np.isfinite(low)
        return bool(np.all(high[held] - low[held] <= 1e-9 * max(1.0, float(np.abs(x[seen]).max()))))

    def varies(self, column: str, unit: Kind) -> bool:
        """Whether a column varies inside enough units to tell inside from between."""
        x = self.values(column)
        seen = (unit.codes >= 0) & np.isfinite(x)
        order = np.argsort(unit.codes[seen], kind="stable")
        groups = np.split(x[seen][order], np.flatnonzero(np.diff(unit.codes[seen][order])) + 1)
        return sum(len(g) > 1 and float(np.ptp(g)) > 1e-9 for g in groups) >= FEW

    def means(self, column: str, unit: Kind) -> Array:
        """Return the mean of a column in the unit of each row, shape (rows,)."""
        x = self.values(column)
        seen = (unit.codes >= 0) & np.isfinite(x)
        total = np.bincount(unit.codes[seen], x[seen], unit.size)
        count = np.bincount(unit.codes[seen], minlength=unit.size)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / count
        return np.where(unit.codes >= 0, mean[unit.codes], np.nan)

    def reliability(self, x: Array, unit: Kind) -> float:
        """Return the reliability of a variable's mean over the rows of a unit.

        The share of the variance of units' means that is no noise of their rows,
        tau2 / (tau2 + sigma2 / n) (Lüdtke et al., 2008, *Psychological Methods* 13, 203-229), with
        the variances of a one-way analysis and n the harmonic mean of the units' rows.
        """
        seen = (unit.codes >= 0) & np.isfinite(x)
        codes, x = unit.codes[seen], x[seen]
        count = np.bincount(codes, minlength=unit.size)
        there = count > 0
        mean = np.bincount(codes, x, unit.size) / np.maximum(count, 1)
        freedom = len(x) - int(there.sum())
        if freedom < 1 or there.sum() < 2:
            return 1.0
        sigma2 = float(((x - mean[codes]) ** 2).sum()) / freedom
        noise = sigma2 * float(np.mean(1 / count[there]))
        return float(np.clip(1 - noise / max(float(mean[there].var(ddof=1)), 1e-300), 0.0, 1.0))

    def home(self, column: str) -> Kind | None:
        """Return the kind of the largest units that have one value of a column; None for rows."""
        if column not in self._homes:
            inner = [k for k in self.kinds if k.repeated and self.constant(column, k)]
            self._homes[column] = min(inner, key=lambda k: k.size, default=None)
        return self._homes[column]

    def missing_share(self, column: str) -> float:
        """Return the share of a column's units that have no value."""
        gone = ~np.isfinite(self.values(column))
        where = self.home(column)
        if where is None:
            return float(gone.mean())
        empty = np.zeros(where.size, dtype=bool)
        inside = where.codes >= 0
        empty[where.codes[inside]] = gone[inside]
        return float(empty.mean())


def measured(framework: Framework, names: Sequence[str]) -> dict[str, str]:
    """Find the columns of constructs: by id, by alias, or by either in other letter case."""
    exact = set(names)
    folded: dict[str, str] = {}
    for n in names:
        folded.setdefault(n.casefold(), n)
    out: dict[str, str] = {}
    for c in framework.constructs.values():
        called = (c.id, *c.aliases)
        hit = next((n for n in called if n in exact), None)
        hit = hit or next((folded[n.casefold()] for n in called if n.casefold() in folded), None)
        if hit is not None:
            out[c.id] = hit
    return out


def id_column(framework: Framework, unit: str, names: Sequence[str]) -> str | None:
    """Find the id column of a kind of unit: as the framework says, or with `_id` after it."""
    given = framework.units[unit].id
    return _in_any_case((given, f"{given}_id", given.removesuffix("_id")), names)


def _varies(rows: Study, column: str) -> bool:
    if kind(rows, column) not in ("number", "boolean"):
        return False
    x = numeric(rows, column)
    x = x[np.isfinite(x)]
    return len(x) > 1 and float(np.ptp(x)) > 0


def opposites(framework: Framework, measured: Collection[str]) -> dict[str, str]:
    """Return constructs that are not measured, but whose reverse is, with that reverse."""
    pairs = [(c.id, c.opposite_of) for c in framework.constructs.values() if c.opposite_of]
    both = [(a, b) for a, b in pairs] + [(b, a) for a, b in pairs]
    return {a: b for a, b in both if a not in measured and b in measured}


def known_names(framework: Framework) -> tuple[str, ...]:
    """Return the names of columns that a framework can make something of."""
    constructs = [n for c in framework.constructs.values() for n in (c.id, *c.aliases)]
    ids = [framework.wave, *(u.id for u in framework.units.values())]
    return tuple(dict.fromkeys([*constructs, *ids, *(f"{n}_id" for n in ids)]))


def wave_column(framework: Framework, names: Sequence[str]) -> str | None:
    """Find the column of waves."""
    given = framework.wave
    return _in_any_case((given, f"{given}_id"), names)


def _in_any_case(called: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the first name that is there, as it is or in other letter case."""
    folded: dict[str, str] = {}
    for n in names:
        folded.setdefault(n.casefold(), n)
    exact = next((c for c in called if c in names), None)
    return exact or next((folded[c.casefold()] for c in called if c.casefold() in folded), None)


def setting(framework: Framework, study: Study, needed: Sequence[str] = ()) -> Setting:
    """Look a framework up in the rows of a study that have what a claim needs.

    Args:
        framework: the theory.
        study: one table, or several.
        needed: columns; of several tables, the fewest rows that have them all are taken.

    Returns:
        The setting.
    """
    rows = study_of(study, needed) if needed else study
    rows = with_aggregates(framework, study, rows)
    names = rows.names
    columns = measured(framework, names)
    wave = wave_column(framework, names)
    if wave is not None and len(label_codes(rows, wave)[1]) < 2:
        wave = None
    rows, said = _with_ids(framework, rows)
    _told_apart(framework, rows)
    found: list[Kind] = []
    alone: list[str] = []
    empty: list[str] = []
    same: dict[str, str] = {}
    for name in framework.units:
        column = id_column(framework, name, names)
        if column is None or column == wave:
            continue
        codes, levels = label_codes(rows, column)
        if len(levels) < 2:
            alone += [name] if len(levels) else []
            empty += [] if len(levels) else [f"the id column '{column}' of {name}s is empty"]
            continue
        twin = next((k for k in found if k.size == len(levels) and _same(k.codes, codes)), None)
        if twin is not None:
            same[name] = twin.name
            continue
        found.append(Kind(name, column, codes, len(levels)))
    found.sort(key=lambda k: k.size)
    usable = {c: col for c, col in columns.items() if kind(rows, col) not in ("date", "empty")}
    turned = {
        lost: (f"-{usable[have]}",) * 2  # a composite has two columns or more
        for lost, have in opposites(framework, usable).items()
        if lost not in names and _varies(rows, usable[have])
    }
    usable |= {c: c for c in turned}
    by_column = {col: c for c, col in columns.items()}
    randomized = frozenset(by_column.get(c, c) for c in study.randomized)
    return Setting(
        framework,
        rows,
        usable,
        tuple(found),
        tuple(alone),
        wave,
        randomized,
        notes=(*said, *empty),
        same=same,
        composites=turned,
        source=study if study.tables else None,
    )


def _told_apart(framework: Framework, rows: Study) -> None:
    """Refuse ids that are used again in other units of the kind above.

    Raises:
        NotTestable: most ids of a kind of unit stand in several units of the kind that it lies in.
    """
    for name, unit in framework.units.items():
        column = id_column(framework, name, rows.names)
        above = None if unit.within is None else id_column(framework, unit.within, rows.names)
        if column is None or above is None:
            continue
        (codes, levels), (outer, places) = label_codes(rows, column), label_codes(rows, above)
        seen = (codes >= 0) & (outer >= 0)
        pairs = np.unique(np.stack([codes[seen], outer[seen]]), axis=1)
        many = np.bincount(pairs[0], minlength=len(levels))
        if len(levels) and np.mean(many > 1) > 0.5:
            k = int(np.argmax(many > 1))
            where = [str(places[j]) for j in pairs[1][pairs[0] == k]]
            raise NotTestable(
                f"ids of {name}s are used again in other {unit.within}s ('{levels[k]}' stands in "
                f"{listing(where, 3)}), so that {name}s cannot be told apart; write them as "
                f"'{where[0]}-{levels[k]}', say"
            )


def _with_ids(framework: Framework, rows: Study) -> tuple[Study, tuple[str, ...]]:
    """Leave out rows that belong to no unit of a kind that other rows have units of."""
    keep = np.ones(rows.n_rows, dtype=bool)
    said: list[str] = []
    for name in framework.units:
        column = id_column(framework, name, rows.names)
        if column is None:
            continue
        codes, levels = label_codes(rows, column)
        lost = codes < 0
        if len(levels) > 1 and lost.any():
            keep &= ~lost
            said.append(f"{int(lost.sum())} rows without a {name} are left out")
    if not said or not keep.any():
        return rows, ()
    return replace(rows, frame=rows.frame.loc[keep], parts=(), tables={}), tuple(said)


def once_each(s: Setting, columns: Sequence[str]) -> Setting:
    """Take one row of each unit and wave, where a claim's columns have one value there.

    Rows of smaller units would count a unit's value in a wave several times over. Columns that
    differ among the rows of a unit and wave are left out.
    """
    if s.wave is None:
        return s
    waves, names = label_codes(s.study, s.wave)
    for k in s.kinds:
        both = Kind(k.name, k.column, k.codes * len(names) + waves, k.size * len(names))
        present, first = np.unique(both.codes, return_index=True)
        if len(present) == s.n or (k.codes < 0).any() or (waves < 0).any():
            continue
        if all(s.constant(c, both) for c in columns):
            rows = replace(s.study, frame=s.study.frame.iloc[np.sort(first)], parts=(), tables={})
            made = setting(s.framework, rows)
            kept = {c: col for c, col in made.columns.items() if s.constant(col, both)}
            return replace(made, columns=kept)
    return s


def with_aggregates(framework: Framework, study: Study, rows: Study) -> Study:
    """Add what persons have between them, where the tables have persons' scores.

    Constructs that are aggregates and have no column are made by their rule of the persons of each
    unit (and wave): the mean, the least, the most, or the mean over facets of the most.
    """
    new: dict[str, Array] = {}
    for c in framework.constructs.values():
        if c.aggregate_of is None or measured(framework, rows.names).get(c.id) is not None:
            continue
        column = id_column(framework, c.level, rows.names)
        if column is None:
            continue
        facets = [x.id for x in framework.constructs.values() if x.facet_of == c.aggregate_of]
        for part in study.parts:
            held = list(part.frame.columns)
            key = next((k for k in part.keys if k in (column, f"{column}_id")), None)
            if key is None or "person_id" not in part.keys or c.aggregate_of not in held:
                continue
            keys = [k for k in part.keys if k != "person_id"]
            if not set(keys) <= set(rows.names):
                continue
            of = [f for f in facets if f in held] or [c.aggregate_of]
            new[c.id] = _aggregated(part.frame, rows.frame, keys, of, c.rule or "mean")
            break
    return replace(rows, frame=rows.frame.assign(**new)) if new else rows


def _aggregated(
    persons: Any, rows: Any, keys: Sequence[str], of: Sequence[str], rule: str
) -> Array:
    """Put what persons have together, for the unit (and wave) of each row, (rows,)."""
    how = {"mean": "mean", "minimum": "min", "maximum": "max", "coverage": "max"}[rule]
    mine = persons.assign(whole=persons[list(of)].mean(axis=1))
    columns = list(of) if rule == "coverage" else ["whole"]
    made = mine.groupby(list(keys), sort=False)[columns].agg(how).mean(axis=1).rename("value")
    joined = rows[list(keys)].merge(made.reset_index(), how="left", on=list(keys))
    return joined["value"].to_numpy(dtype=float)


def _same(a: Index, b: Index) -> bool:
    pairs = np.unique(np.stack([a, b]), axis=1)
    return pairs.shape[1] == len(np.unique(a)) == len(np.unique(b))

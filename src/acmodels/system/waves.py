"""Waves of a panel: rows for waves that are not there, and where a lagged value stands.

A wave that is not there becomes a row whose values are missing, so that gaps are modeled and not
closed up. `lag(x)` is then x on another row of the same unit, so many waves earlier. In the first
waves there is none: terms with a lag are 0 there, and deviations have an sd of their own.
"""

from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from acmodels.data import Finding, Study, kind, labels, numeric, row_names
from acmodels.errors import DataError, listing
from acmodels.spec.model import Model, Panel
from acmodels.system.arrays import Array, Index
from acmodels.system.rows import Rows, codes_of, keys_of


@dataclass(frozen=True)
class Waves:
    """The waves of a panel on the data's rows.

    Attributes:
        unit: the unit of each row, (N,).
        levels: labels of the units.
        number: the wave of each row, counted from 0, (N,).
        count: how many waves there are.
    """

    unit: Index
    levels: tuple[str, ...]
    number: Index
    count: int

    def back(self, steps: int) -> Index:
        """Return for each row one of the same unit so many waves earlier, -1 for none, (N,).

        Where `steps` is below 0, it is one so many waves later.
        """
        first = np.full((int(self.unit.max()) + 1, self.count), -1, dtype=np.int64)
        rows = np.arange(len(self.unit), dtype=np.int64)[::-1]
        first[self.unit[rows], self.number[rows]] = rows
        earlier = self.number - steps
        there = (earlier >= 0) & (earlier < self.count)
        return np.where(there, first[self.unit, np.where(there, earlier, 0)], -1)


def reads_other_waves(model: Model) -> bool:
    """Return whether a formula of a model reads an earlier wave, or a later one."""
    return any(o.lag for e in model.equations.values() for o in e.formula.operands())


def numbered(panel: Panel, wave: Array, source: str) -> tuple[Index, int]:
    """Count the waves of some rows from 0, and say how many there are.

    Args:
        panel: names the column of waves.
        wave: the column, (N,).
        source: the data's name, for messages.

    Raises:
        DataError: waves that are not whole, one wave only, or unequal steps between waves.
    """
    where = f"{source}: '{panel.wave}', the wave of [panel],"
    known = np.unique(wave[np.isfinite(wave)])
    if np.any(known != np.rint(known)):
        odd = [f"{v:g}" for v in known if v != np.rint(v)]
        raise DataError(f"{where} must hold whole numbers that count waves, not {listing(odd, 5)}")
    if len(known) < 2:
        raise DataError(
            f"{where} has one value only ({known[0]:g}); a panel has two waves or more, and lag() "
            "needs an earlier one"
        )
    steps = np.diff(known)
    if np.any(steps != steps[0]):
        raise DataError(
            f"{where} has unequal steps between waves ({listing([f'{v:g}' for v in known], 12)}); "
            "a lag would not be the same length everywhere. Number equally spaced waves, leaving a "
            "number out where a wave was not held for some units only"
        )
    return np.rint((wave - known[0]) / steps[0]).astype(np.int64), len(known)


def waves_of(model: Model, rows: Rows) -> Waves | None:
    """Read the waves of a model's rows; None for a model without a panel.

    Raises:
        DataError: as `numbered`; or a lagged value differs between the rows of a unit in a wave.
    """
    if model.panel is None:
        return None
    unit, levels = codes_of([rows.labels(model.panel.unit)])
    wave = rows.numeric(model.panel.wave, factor=False)
    number, count = numbered(model.panel, wave, rows.study.name)
    return Waves(unit, levels, number, count)


def _inside(unit: Index, labels: np.ndarray) -> bool:
    """Whether each unit of a panel lies in one unit of another kind."""
    pairs = {(int(u), str(v)) for u, v in zip(unit, labels, strict=True)}
    return len(pairs) == len(np.unique(unit))


def lag_problems(model: Model, waves: Waves, rows: Rows) -> list[str]:
    """Say which lagged values are not one for each unit in each wave."""
    if model.panel is None:
        return []
    out = [
        f"{o.text}: a '{model.panel.unit}' lies in several units of '{o.unit}', so that the "
        "deviation of an earlier wave is from another mean; use the panel's unit, or one that "
        "it lies in"
        for o in dict.fromkeys(o for e in model.equations.values() for o in e.formula.operands())
        if o.lag and o.unit is not None and not _inside(waves.unit, rows.labels(o.unit))
    ]
    cell = waves.unit * waves.count + waves.number
    out += _construct_problems(model, cell, rows)
    order = np.argsort(cell, kind="stable")
    same = cell[order][1:] == cell[order][:-1]
    if not same.any():
        return out
    operands = [o for e in model.equations.values() for o in e.formula.operands() if o.lag]
    for name in dict.fromkeys(o.variable for o in operands):
        if name not in rows.study.names:
            continue
        values = rows.labels(name)[order]
        off = np.flatnonzero(same & (values[1:] != values[:-1]))
        if len(off):
            units = len({int(waves.unit[order[k]]) for k in off})
            out.append(
                f"'{name}' is lagged, and {units} of the {len(waves.levels)} units of "
                f"'{model.panel.unit}' have several rows in a wave with different values of it "
                f"(rows {listing(rows.names(np.sort(order[off + 1])))}); what is lagged is one "
                "value for each unit in each wave: average the rows first, or leave duplicates out"
            )
    return out


def _construct_problems(model: Model, cell: Index, rows: Rows) -> list[str]:
    """Say which lagged constructs have several values for a unit in a wave."""
    out: list[str] = []
    lagged = {o.variable for e in model.equations.values() for o in e.formula.operands() if o.lag}
    for m in (m for m in model.measures.values() if m.name in lagged and model.panel is not None):
        level = m.level
        of = np.arange(rows.n) if level is None else codes_of([rows.labels(level)])[0]
        pairs = np.unique(np.stack([cell, of]), axis=1)
        if pairs.shape[1] > len(np.unique(cell)):
            said = "each data row" if level is None else f"each '{level}'"
            unit = "" if model.panel is None else model.panel.unit
            out.append(
                f"'{m.name}' is lagged, and it is a construct of {said}, of which a '{unit}' has "
                "several in a wave; what is lagged is one value for each unit in each wave: write "
                f'level = "{unit}" in measures.{m.name}'
            )
    return out


# --- rows for waves that are not there -------------------------------------------------------


_MADE: WeakKeyDictionary[Study, dict[Any, Study]] = WeakKeyDictionary()
"""Studies with rows for missing waves, so that a study stays one and the same object."""
_ADDED = "rows for waves that are not there"
"""What a frame's attributes call how many rows were added."""


def added_rows(study: Study) -> int:
    """Return how many rows of a study stand for waves that are not there; they come last."""
    return int(study.frame.attrs.get(_ADDED, 0))


def study_of_waves(model: Model, study: Study) -> Study:
    """Add a row for each wave that a unit lacks before its last one, its values missing.

    Ids are those of the unit's other rows. Nothing is added where nothing is lagged, or where
    incomplete rows are left out (`missing = "drop"`).

    Raises:
        DataError: as `numbered`; a missing unit or wave.
    """
    panel = model.panel
    if panel is None or not {panel.unit, panel.wave} <= set(study.names):
        return study  # columns_present says what is missing
    keys = tuple(dict.fromkeys((panel.unit, *keys_of(model))))
    marks = (panel, reads_other_waves(model), model.missing, keys)
    made = _MADE.setdefault(study, {})
    if marks not in made:
        made[marks] = _with_rows(model, panel, study, keys)
    return made[marks]


def _with_rows(model: Model, panel: Panel, study: Study, keys: tuple[str, ...]) -> Study:
    if kind(study, panel.wave) != "number":
        raise DataError(
            f"{study.name}: '{panel.wave}', the wave of [panel], must hold whole numbers that "
            "count waves"
        )
    unit, wave = labels(study, panel.unit), numeric(study, panel.wave)
    known = np.array([u is not None for u in unit]) & np.isfinite(wave)
    lost = np.flatnonzero(~np.isfinite(wave))
    if len(lost) and model.missing != "drop":
        raise DataError(
            f"{study.name}: {len(lost)} rows have no '{panel.wave}', the wave of [panel] (rows "
            f"{listing(row_names(study, lost))}); a row must say which wave it is "
            '(missing = "drop" leaves such rows out)'
        )
    number, count = numbered(panel, wave, study.name)
    if not reads_other_waves(model) or model.missing != "model" or not known.all():
        return study
    names = np.unique(unit.astype(str))
    code = np.searchsorted(names, unit.astype(str))
    there = np.zeros((len(names), count), dtype=bool)
    there[code, number] = True
    last = count - 1 - np.argmax(there[:, ::-1], axis=1)
    gone = np.argwhere(~there & (np.arange(count) < last[:, None]))
    if not len(gone):
        return study
    return _extended(panel, study, keys, (code, number, gone))


def _extended(
    panel: Panel, study: Study, keys: tuple[str, ...], found: tuple[Index, Index, Index]
) -> Study:
    import pandas as pd

    code, number, gone = found
    frame = study.frame
    cells = {w: frame[panel.wave].iloc[np.flatnonzero(number == w)[0]] for w in np.unique(number)}
    # ids come from the unit's nearest earlier row, else its first later one
    near: list[int] = []
    for u, w in gone:
        mine = np.flatnonzero(code == u)
        before = mine[number[mine] < w]
        near.append(int(before[np.argmax(number[before])]) if len(before) else
                    int(mine[np.argmin(number[mine])]))  # fmt: skip
    new = frame.iloc[near].copy()
    for c in frame.columns:
        if c == panel.wave:
            new[c] = pd.Series([cells[w] for _, w in gone], index=new.index, dtype=frame[c].dtype)
        elif c not in keys:
            blank = pd.Series([None] * len(near), index=new.index, dtype=object)
            new[c] = blank.astype(frame[c].dtype) if _nullable(frame[c]) else blank
    places = frame.index.to_numpy()
    new.index = pd.Index(int(places.max()) + 1 + np.arange(len(near)))
    units = len(np.unique(gone[:, 0]))
    said = (
        f"{len(near)} waves of {units} units of '{panel.unit}' are not there; each counts as a row "
        "whose values are missing"
    )
    whole = pd.concat([frame, new])
    whole.attrs[_ADDED] = len(near)
    noted = (*study.findings, Finding("note", f"{study.name}: {said}"))
    return replace(study, frame=whole, findings=noted)


def _nullable(column: Any) -> bool:
    """Whether a column keeps its type with empty cells."""
    return column.dtype.kind in "fO" or not isinstance(column.dtype, np.dtype)


def complete_waves(
    model: Model, study: Study, keep: np.ndarray
) -> tuple[np.ndarray, list[Finding]]:
    """Leave out rows of a unit from its first gap on, where values are not modeled.

    Args:
        model: with a panel.
        study: one table.
        keep: rows that are complete, (rows,).

    Returns:
        Which rows are used, (rows,), and what is worth saying.

    Raises:
        DataError: there are gaps, and none may be; or no row is left.
    """
    panel = model.panel
    if panel is None or not reads_other_waves(model):
        return keep, []
    unit, wave = labels(study, panel.unit), numeric(study, panel.wave)
    usable = keep & np.isfinite(wave)
    names, code = np.unique(unit[usable].astype(str), return_inverse=True)
    known = np.unique(wave[usable])
    number = np.searchsorted(known, wave[usable])
    there = np.zeros((len(names), len(known)), dtype=bool)
    there[code.reshape(-1), number] = True
    whole = np.cumprod(there, axis=1).astype(bool)
    out = usable.copy()
    out[usable] = whole[code.reshape(-1), number]
    lost = np.flatnonzero(usable & ~out)
    if not len(lost):
        return out, []
    said = (
        f"{study.name}: {len(lost)} rows of '{panel.unit}' come after a wave that is not there, or "
        f"not complete, so that lags cannot be read (rows {listing(row_names(study, lost))})"
    )
    if model.missing == "error":
        raise DataError(f'{said}; missing = "error" allows none')
    if not out.any():
        raise DataError(f"{said}; no complete row is left")
    return out, [Finding("warning", f'{said}; they are left out (missing = "drop")')]

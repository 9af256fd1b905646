"""What is known of columns that lack values: their level, their kind, and rough values."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

import numpy as np

from acmodels.data import Study, kind, labels, numeric
from acmodels.families import family
from acmodels.spec.model import Model
from acmodels.system.arrays import Array, Index
from acmodels.system.measured import rough_scores
from acmodels.system.rough import Guess, donors, guesses, home
from acmodels.system.rows import Rows, codes_of, keys_of, uses


@dataclass(frozen=True)
class Known:
    """What is known of the columns that lack values, on the data's rows.

    Attributes:
        missing: by column, rows whose value no other row of the unit tells, (N,).
        given: by column, rows without a value in the data, (N,).
        level: by column, the id column in whose units it has one value each, or None.
        code: by column, the unit of each row, or None.
        support: by discrete column without an equation, its values: numbers, or codes of a factor.
        guessed: rough values of continuous columns.
    """

    missing: Mapping[str, np.ndarray]
    given: Mapping[str, np.ndarray]
    level: Mapping[str, str | None]
    code: Mapping[str, Index | None]
    support: Mapping[str, tuple[float, ...]]
    guessed: Mapping[str, Guess]


def read_known(model: Model, study: Study, missing: Mapping[str, np.ndarray]) -> tuple[Known, Rows]:
    """Find levels, take values from other rows of a unit, guess the rest."""
    everything = np.ones(study.n_rows, dtype=bool)
    plain = Rows(study, everything)
    units = {c: codes_of([plain.labels(c)])[0] for c in keys_of(model)}
    # what has an equation has a value of a unit in each wave
    waves = None if model.panel is None else plain.labels(model.panel.wave)
    level: dict[str, str | None] = {}
    code: dict[str, Index | None] = {}
    taken: dict[str, Index] = {}
    gone: dict[str, np.ndarray] = {}
    for column, gaps in missing.items():
        level[column] = _level(model, study, column, units)
        code[column] = units.get(level[column] or "")
        if waves is not None and code[column] is not None and column in model.equations:
            code[column] = codes_of([plain.labels(str(level[column])), waves])[0]
        taken[column] = donors(gaps, code[column])
        gone[column] = gaps & (taken[column] == np.arange(len(gaps)))
    support = {
        c: s
        for c in missing
        if c not in model.equations and (s := _support(model, study, c)) is not None
    }
    numbers = _numbers(model, study, taken)
    known = {e.se for e in model.equations.values()} | {e.trials for e in model.equations.values()}
    known |= {e.weights for e in model.equations.values()}
    constructs = [r for r, e in model.equations.items() if e.construct]
    scores = rough_scores(model, numbers, {c: code[c] for c in constructs})
    numbers = {c: v for c, v in numbers.items() if c not in scores}
    wanted = {c: code[c] for c in missing if c in numbers and c not in support and c not in known}
    guessed = guesses(numbers, wanted) | scores
    overrides = {
        c: g.values
        for c, g in guessed.items()
        if gone[c].any()
        and (c not in model.equations or family(model.equations[c].family).unbounded)
    }
    for column in missing:
        if column not in overrides and gone[column].any():
            taken[column] = _in_turn(taken[column], gone[column], code[column])
    found = Known(gone, missing, level, code, support, guessed)
    return found, Rows(study, everything, taken, overrides)


def _level(model: Model, study: Study, column: str, units: Mapping[str, Index]) -> str | None:
    if column in model.equations:
        return model.equations[column].level
    found = labels(study, column)
    known = np.array([v is not None for v in found])
    values = np.full(study.n_rows, -1, dtype=np.int64)
    _, numbered = np.unique(found[known].astype(str), return_inverse=True)
    values[known] = numbered.reshape(-1)
    required = frozenset(
        e.level
        for e in model.equations.values()
        if e.level is not None and column in [s for o in e.formula.operands() for s in o.sources]
    )
    return home(values, units, required)


def _support(model: Model, study: Study, column: str) -> tuple[float, ...] | None:
    """Values of a discrete predictor: codes of a factor, or two numbers; None for others."""
    operands = [o for e in model.equations.values() for o in e.formula.operands()]
    mine = [o for o in operands if column in o.variables]
    if not mine:  # a standard error or a number of trials
        return None
    present = {v for v in labels(study, column) if v is not None}
    if kind(study, column) != "number" or any("factor" in o.functions for o in mine):
        return tuple(float(k) for k in range(len(present)))
    values = np.unique(numeric(study, column))
    values = values[~np.isnan(values)]
    return tuple(float(v) for v in values) if len(values) == 2 else None


def _numbers(model: Model, study: Study, taken: Mapping[str, Index]) -> dict[str, Array]:
    """Columns of numbers that the model reads, values taken from other rows of a unit."""
    out: dict[str, Array] = {}
    for e in model.equations.values():
        for column, role in uses(e, with_responses=True):
            if role in ("grouping", "level", "unit of a mean") or column in out:
                continue
            if column not in model.equations and kind(study, column) != "number":
                continue
            values = numeric(study, column, factor=False)
            out[column] = values[taken[column]] if column in taken else values
    return out


def _in_turn(taken: Index, gone: np.ndarray, code: Index | None) -> Index:
    """Donors where a rough value must be one that was observed: the observed ones in turn.

    The commonest would do as well for one value, but a column of many must not become constant.
    """
    known = np.flatnonzero(~gone)
    lost = np.flatnonzero(gone)
    place = np.arange(len(lost)) if code is None else code[lost]
    _, turn = np.unique(place, return_inverse=True)
    # a step that shares no factor with the number of known rows passes through all of them
    step = next(
        s for s in range(max(len(known) // 3, 1), 2 * len(known) + 2) if gcd(s, len(known)) == 1
    )
    out = taken.copy()
    out[lost] = taken[known[(turn.reshape(-1) * step) % len(known)]]
    return out

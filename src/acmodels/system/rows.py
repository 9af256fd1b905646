"""The rows and columns of a study that a model reads, converted once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from acmodels.data import (
    Finding,
    Study,
    label_codes,
    labels,
    numeric,
    row_names,
    study_of,
    truth_values,
)
from acmodels.errors import DataError, did_you_mean, listing
from acmodels.spec.model import Equation, Model, NormalScores
from acmodels.system.arrays import Array, Index


class Rows:
    """A study's columns on the rows kept, converted once.

    Args:
        study: the table.
        keep: rows that are used, shape (rows,).
        donors: by column, for each row of the study the row whose value stands there.
        numbers: by column, numbers that stand for it, shape (rows,).
    """

    def __init__(
        self,
        study: Study,
        keep: np.ndarray,
        donors: Mapping[str, Index] | None = None,
        numbers: Mapping[str, Array] | None = None,
    ) -> None:
        self.study = study
        self.keep = keep
        self.n = int(keep.sum())
        self._positions = np.flatnonzero(keep)
        self._donors = donors or {}
        self._numbers = numbers or {}

    def numeric(self, column: str, *, factor: bool = True) -> Array:
        """A column as numbers, (rows,); `factor` as for `data.numeric`."""
        if column in self._numbers:
            return self._numbers[column][self.keep]
        return self._given(column, numeric(self.study, column, factor=factor))[self.keep]

    def labels(self, column: str) -> np.ndarray:
        """A column as labels, (rows,)."""
        return self._given(column, labels(self.study, column))[self.keep]

    def truths(self, column: str) -> Array:
        """A column of truth values as 1 and 0, (rows,)."""
        return self._given(column, truth_values(self.study, column))[self.keep]

    def known(self, column: str) -> np.ndarray:
        """Whether a column of numbers has a value of the data in each row, (rows,)."""
        found = numeric(self.study, column, factor=False)
        return np.isfinite(self._given(column, found))[self.keep]

    def names(self, positions: np.ndarray) -> tuple[int, ...]:
        """The row numbers that a person sees."""
        return row_names(self.study, self._positions[positions])

    def _given(self, column: str, values: np.ndarray) -> np.ndarray:
        return values[self._donors[column]] if column in self._donors else values


def uses(e: Equation, *, with_responses: bool) -> list[tuple[str, str]]:
    """Columns that an equation reads, with their roles; a column may come with several."""
    out = [(e.response, "response")] if with_responses else []
    out += [(v, "predictor") for v in e.formula.variables()]
    out += [(c, "grouping") for g in e.formula.groups for c in g.grouping]
    out += [(o.unit, "unit of a mean") for o in e.formula.operands() if o.unit is not None]
    extras = {
        "level": e.level,
        "standard error": e.se,
        "number of trials": e.trials,
        "weight": e.weights,
    }
    out += [(c, role) for role, c in extras.items() if c is not None]
    return [(c, "item" if e.measured and role == "response" else role) for c, role in out]


def columns_of(model: Model, *, with_responses: bool = True) -> list[tuple[str, str, str]]:
    """List the columns that a model reads: column, its role, and the response that reads it.

    A composite is given by the columns that it is made of.
    """
    out: list[tuple[str, str, str]] = []
    constructs = {r for r, e in model.equations.items() if e.construct}
    for m in model.measures.values():
        out += [(c, "level, rater or group", m.name) for c in m.columns]
    for e in model.equations.values():
        for column, role in uses(e, with_responses=with_responses):
            if column in constructs:
                continue
            parts = _made_of(model, column)
            simulated = not with_responses and column in model.equations
            if parts is None or simulated:
                out.append((column, role, e.response))
            else:
                name = f"{role} {column}, of which it is a part,"
                out += [(c.removeprefix("-"), name, e.response) for c in parts]
    if model.panel is not None:
        first = next(iter(model.equations))
        out += [(model.panel.unit, "panel unit", first), (model.panel.wave, "panel wave", first)]
    return out


def _made_of(model: Model, column: str) -> tuple[str, ...] | None:
    """Return the columns that a composite or normal scores are made of; None of a column."""
    if column in model.normal_scores:
        return model.normal_scores[column].columns
    return model.composites.get(column)


def study_for(model: Model, study: Study) -> Study:
    """The rows of a study of several tables that a model needs: the fewest with all its columns.

    Composites and normal scores are made of their columns, where the study has them.

    Raises:
        DataError: a composite has the name of a column that is there.
    """
    rows = study_of(study, [c for c, _, _ in columns_of(model)])
    every: dict[str, tuple[str, ...] | NormalScores] = {**model.composites, **model.normal_scores}
    wanted = {
        name: how
        for name, how in every.items()
        if all(c.removeprefix("-") in rows.names for c in _made_of(model, name) or ())
    }
    return _with_composites(rows, wanted, model.source) if wanted else rows


_MADE: WeakKeyDictionary[Study, dict[Any, Study]] = WeakKeyDictionary()
"""Studies with composites made before, so that a study stays one and the same object."""


def _with_composites(
    study: Study, wanted: Mapping[str, tuple[str, ...] | NormalScores], source: str
) -> Study:
    key = tuple(wanted.items())
    made = _MADE.setdefault(study, {})
    if key not in made:
        new: dict[str, Array] = {}
        for name, how in wanted.items():
            scores = isinstance(how, NormalScores)
            if name in study.names:
                table = "normal_scores" if scores else "composites"
                raise DataError(
                    f"{source}: {table}.{name}: {study.name} has a column of that name; call "
                    "the composite something else"
                )
            new[name] = normal_scores(study, how) if scores else composite(study, how)
        made[key] = replace(study, frame=study.frame.assign(**new))
    return made[key]


def composite(study: Study, parts: Sequence[str]) -> Array:
    """Return the mean of the z-scores of some columns, row by row, standardized again.

    A row has the mean of the parts that it has values of, and none where it has none.

    Args:
        study: the table.
        parts: columns, with a minus before one that is reversed.

    Returns:
        Shape (rows,), with mean 0 and sd 1.

    Raises:
        DataError: a column is not numeric, or has no variance.
    """
    scores: list[Array] = []
    for part in parts:
        column = part.removeprefix("-")
        z = _standardized(numeric(study, column))
        if z is None:
            raise DataError(f"{study.name}: '{column}' has one value only, so it has no z-scores")
        scores.append(-z if part.startswith("-") else z)
    z = np.stack(scores)
    seen = np.isfinite(z)
    count = seen.sum(axis=0)
    mean = np.where(seen, z, 0.0).sum(axis=0) / np.maximum(count, 1)
    out = _standardized(np.where(count > 0, mean, np.nan))
    if out is None:
        raise DataError(f"{study.name}: the mean of {listing(parts)} does not vary")
    return out


def normal_scores(study: Study, how: NormalScores) -> Array:
    """Return a variable by its order: in each place the mean of a normal variable's share there.

    Ties are one category; its score is the mean of a standard normal variable between the two
    quantiles that cut the category's share off.

    Args:
        study: the table.
        how: the columns, and the units whose means are ordered.

    Returns:
        Shape (rows,), NaN where there is no value.

    Raises:
        DataError: a column is not numeric.
    """
    first = how.of[0]
    sign = -1.0 if first.startswith("-") else 1.0
    many = len(how.of) > 1
    x = composite(study, how.of) if many else sign * numeric(study, first.removeprefix("-"))
    if how.unit is None:
        return scores_of(x)
    codes, levels = label_codes(study, how.unit)
    seen = (codes >= 0) & np.isfinite(x)
    count = np.bincount(codes[seen], minlength=len(levels))
    total = np.bincount(codes[seen], x[seen], len(levels))
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return np.where(codes >= 0, scores_of(mean)[codes], np.nan)


def scores_of(x: Array) -> Array:
    """Return the normal scores of values, NaN where there is none; see `normal_scores`."""
    from scipy.special import ndtri

    seen = np.isfinite(x)
    if not seen.any():
        return np.full(len(x), np.nan)
    values = np.round(x[seen] / max(float(np.abs(x[seen]).max()), 1e-300), 12)
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    share = count / count.sum()
    edges = ndtri(np.clip(np.r_[0.0, np.cumsum(share)], 0.0, 1.0))
    density = np.where(np.isfinite(edges), np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), 0.0)
    out = np.full(len(x), np.nan)
    out[seen] = ((density[:-1] - density[1:]) / share)[place]
    return out


def _standardized(x: Array) -> Array | None:
    seen = np.isfinite(x)
    sd = float(x[seen].std(ddof=1)) if seen.sum() > 1 else 0.0
    return (x - x[seen].mean()) / sd if sd > 0 else None


def keys_of(model: Model) -> tuple[str, ...]:
    """Columns used as ids or groupings."""
    out = [c for e in model.equations.values() for g in e.formula.groups for c in g.grouping]
    out += [e.level for e in model.equations.values() if e.level is not None]
    out += [c for m in model.measures.values() for c in m.columns]
    out += [o.unit for e in model.equations.values() for o in e.formula.operands() if o.unit]
    out += [model.panel.unit] if model.panel is not None else []
    return tuple(dict.fromkeys(out))


def relevant(model: Model, study: Study) -> tuple[Finding, ...]:
    """Return what was noticed while reading, without that about columns the model does not read."""
    read = {c for c, _, _ in columns_of(model)}
    return tuple(f for f in study.findings if f.column is None or f.column in read)


def columns_present(model: Model, study: Study, *, with_responses: bool) -> None:
    """Check that a study has the columns that a model reads.

    Raises:
        DataError: with every column that it lacks.
    """
    problems: list[str] = []
    for column, role, response in columns_of(model, with_responses=with_responses):
        if column in study.names or (not with_responses and column in model.equations):
            continue
        problems.append(
            f"{study.name}: no column '{column}', the {role} of {_table(model, response)}"
            f"{did_you_mean(column, study.names)} (columns: {listing(study.names, 15)})"
        )
    if problems:
        raise DataError(dict.fromkeys(problems))


def _table(model: Model, response: str) -> str:
    """Name the table of the model file that reads a column for a response."""
    of = model.equations[response].measured if response in model.equations else ()
    if of:
        return f"measures.{of[0]}"
    return f"measures.{response}" if response in model.measures else f"equations.{response}"


def codes_of(columns: Sequence[np.ndarray]) -> tuple[Index, tuple[str, ...]]:
    """Number the combinations of some label columns, in order of first appearance."""
    import pandas as pd

    joined = group_labels(columns)
    code, names = pd.factorize(pd.Series(joined, dtype=object), sort=False)
    return code.astype(np.int64), tuple(str(n) for n in names)


def group_labels(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Join the label columns of a grouping, row by row, as levels are named."""
    if len(columns) == 1:
        return columns[0].astype(str)
    # a label with a colon of its own is quoted, so that combinations stay apart
    parts = [[f"`{v}`" if ":" in str(v) else str(v) for v in c] for c in columns]
    return np.array([":".join(v) for v in zip(*parts, strict=True)], dtype=object)


def rows_of_level(level: str | None, rows: Rows, wave: Index | None = None) -> tuple[Index, Index]:
    """First data row of each unit, and the unit of each data row.

    Args:
        level: the id column, or None for data rows.
        rows: the study's.
        wave: of a panel, the wave of each data row: a unit in each wave then counts by itself.
    """
    if level is None:
        every = np.arange(rows.n, dtype=np.int64)
        return every, every
    also = [] if wave is None else [wave.astype(str)]
    code, _ = codes_of([rows.labels(level), *also])
    _, first = np.unique(code, return_index=True)
    return first.astype(np.int64), code

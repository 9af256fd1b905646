"""Rough values in the place of missing ones: where sampling starts, never what is believed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from acmodels.system.arrays import Array, Index

CHANCE = 1e-3
"""How likely it may be that values agree within every unit by accident."""
ROUNDS = 3
RIDGE = 0.01


def home(
    values: Index, units: Mapping[str, Index], required: frozenset[str] = frozenset()
) -> str | None:
    """The id column with the fewest units within each of which a variable has one value.

    That values agree within units counts only where it is not likely to be an accident: the
    chance that as many values drawn from the variable's own distribution would, or where the model
    says so.

    Args:
        values: numbered values on the data's rows, -1 where missing, (N,).
        units: by id column, the unit of each row, (N,).
        required: id columns whose units are the rows of an equation that reads the variable.

    Returns:
        The id column, or None where each data row has a value of its own.
    """
    known = values >= 0
    share = np.log(np.bincount(values[known]) / known.sum())
    for name in sorted(units, key=lambda n: int(units[n].max())):
        code = units[name][known]
        pairs, n = np.unique(np.stack([code, values[known]]), axis=1, return_counts=True)
        if len(np.unique(pairs[0])) < pairs.shape[1]:
            continue
        # log P(n draws agree) = log sum_v p_v^n, over units with more than one known value
        many, repeats = np.unique(n[n > 1], return_counts=True)
        chance = sum(
            float(r) * float(np.log(np.sum(np.exp(m * share))))
            for m, r in zip(many, repeats, strict=True)
        )
        if name in required or chance < np.log(CHANCE):
            return name
    return None


def donors(missing: np.ndarray, code: Index | None) -> Index:
    """For each row the row whose value it takes: itself, or a known one of its unit, (N,)."""
    own = np.arange(len(missing), dtype=np.int64)
    if code is None:
        return own
    first = np.full(int(code.max()) + 1, -1, dtype=np.int64)
    known = np.flatnonzero(~missing)
    first[code[known][::-1]] = known[::-1]
    found = first[code]
    return np.where(missing & (found >= 0), found, own)


@dataclass(frozen=True)
class Guess:
    """Rough values of a column.

    Attributes:
        values: with none missing, (N,).
        spread: sd of what the other columns leave open.
    """

    values: Array
    spread: float


def guesses(columns: Mapping[str, Array], units: Mapping[str, Index | None]) -> dict[str, Guess]:
    """Predict missing numbers from all other columns, by a few rounds of ridge regression.

    Args:
        columns: numbers on the data's rows, NaN where missing, (N,).
        units: by column that lacks some, the unit of each row in which it has one value.

    Returns:
        For the columns in `units`; values stay inside the range of those observed.
    """
    names = list(columns)
    raw = np.stack([columns[n] for n in names], axis=1)
    gone = np.isnan(raw)
    middle = np.nanmean(raw, axis=0)
    sd = np.nanstd(raw, axis=0)
    sd = np.where(sd > 0, sd, 1.0)
    Z = np.where(gone, 0.0, (raw - middle) / sd)
    left = np.ones(len(names))
    for _ in range(ROUNDS):
        for k in (k for k, n in enumerate(names) if n in units):
            known = ~gone[:, k]
            X = np.delete(Z, k, axis=1)
            G = X[known].T @ X[known] + RIDGE * known.sum() * np.eye(X.shape[1])
            b = np.linalg.solve(G, X[known].T @ Z[known, k]) if X.shape[1] else np.zeros(0)
            low, high = np.min(Z[known, k]), np.max(Z[known, k])
            fit = _by_unit(np.clip(X @ b, low, high), units[names[k]])
            Z[~known, k] = fit[~known]
            left[k] = np.sqrt(np.mean((Z[known, k] - (X @ b)[known]) ** 2))
    out: dict[str, Guess] = {}
    for k in (k for k, n in enumerate(names) if n in units):
        values = np.where(gone[:, k], middle[k] + sd[k] * Z[:, k], raw[:, k])
        out[names[k]] = Guess(values, float(sd[k] * max(left[k], 0.05)))
    return out


def _by_unit(values: Array, code: Index | None) -> Array:
    if code is None:
        return values
    return (np.bincount(code, values) / np.maximum(np.bincount(code), 1))[code]

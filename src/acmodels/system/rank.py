"""Columns of a design matrix that add up to others, in terms of the formula.

Columns are taken in turn, main effects before products, as R takes them: the first that the columns
before it span is the one that is redundant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np

from acmodels.errors import listing
from acmodels.numbers import number
from acmodels.system.arrays import Array
from acmodels.system.equation import Column, EquationLayout, Part
from acmodels.system.layout import Absent, Layout

TOLERANCE = 1e-7
"""Share of a column's length that the columns before it must leave, as in R."""

MOST_CELLS = 20_000
"""Cells of one product that are looked through, at most."""


@dataclass(frozen=True)
class Redundant:
    """A column that others span.

    Attributes:
        column: its position.
        of: positions of the columns that add up to it.
        weights: what each is multiplied by.
        constant: what is added.
    """

    column: int
    of: tuple[int, ...]
    weights: tuple[float, ...]
    constant: float


def redundant(X: Array, columns: Sequence[Column], *, constant: bool) -> list[Redundant]:
    """Find the columns that those before them span.

    Args:
        X: the design matrix, without missing values, (n, p).
        columns: what its columns are.
        constant: whether a constant is fitted beside the columns (an intercept or thresholds).
    """
    order = sorted(
        (k for k, c in enumerate(columns) if c.parts), key=lambda k: len(columns[k].parts)
    )
    if not order or not len(X):
        return []
    centered = X - X.mean(axis=0) if constant else X
    lengths = np.linalg.norm(X, axis=0)
    basis = np.empty((len(X), 0))
    kept: list[int] = []
    out: list[Redundant] = []
    for k in order:
        v = centered[:, k]
        left = v - basis @ (basis.T @ v)
        left = left - basis @ (basis.T @ left)  # twice is enough
        size = float(np.linalg.norm(left))
        if size > TOLERANCE * max(float(np.linalg.norm(v)), 1e-8 * lengths[k]) and size > 0:
            basis = np.column_stack([basis, left / size])
            kept.append(k)
            continue
        out.append(_sum(X, centered, k, kept))
    return out


def _sum(X: Array, centered: Array, k: int, kept: list[int]) -> Redundant:
    """The columns that add up to one, the same in units of the data."""
    if not kept:
        return Redundant(k, (), (), float(X[0, k]))
    scale = np.linalg.norm(centered[:, kept], axis=0)
    found, *_ = np.linalg.lstsq(centered[:, kept] / scale, centered[:, k], rcond=None)
    size = float(np.linalg.norm(centered[:, k]))
    mine = [j for j, c in enumerate(found) if abs(c) > 1e-6 * size and size > 0]
    weights = [float(found[j] / scale[j]) for j in mine]
    of = [kept[j] for j in mine]
    rest = X[:, k] - X[:, of] @ np.array(weights) if of else X[:, k]
    return Redundant(k, tuple(of), tuple(weights), float(rest.mean()))


def explained(layout: Layout, e: EquationLayout, found: Redundant) -> str:
    """Say in terms of the formula which columns add up to a redundant one."""
    name = e.columns[found.column].name
    of = [e.columns[j].name for j in found.of]
    shown = _equation_text(name, of, found)
    terms = list(dict.fromkeys(_term(e.columns[j]) for j in (*found.of, found.column)))
    which = "one of them" if len(terms) < 2 else f"one of {listing(terms)}"
    return (
        f"equations.{e.response}: the predictor '{name}' is an exact linear combination of "
        f"{listing(of, 8)}{shown}{_nested(layout, e, found)}; leave {which} out"
    )


def _equation_text(name: str, of: Sequence[str], found: Redundant) -> str:
    """The sum written out, where that is short."""
    if len(of) > 6:
        return ""
    parts = [f"{number(found.constant, 4)}"] if abs(found.constant) > 1e-7 else []
    for n, w in zip(of, found.weights, strict=True):
        sign = "- " if w < 0 else "+ " if parts else ""
        size = "" if abs(abs(w) - 1) < 1e-6 else f"{number(abs(w), 4)} × "
        parts.append(f"{sign}{size}{n}")
    return f" ({name} = {' '.join(parts)})"


def _term(column: Column) -> str:
    return ":".join(p.operand.text for p in column.parts)


def _nested(layout: Layout, e: EquationLayout, found: Redundant) -> str:
    """Say which variable is constant within the categories of which, where that is the reason."""
    mine = [e.columns[j] for j in (*found.of, found.column)]
    names = list(dict.fromkeys(v for c in mine for v in c.variables if v in layout.variables))
    for outer in names:
        if not layout.variables[outer].levels:
            continue
        code = layout.variables[outer].values[e.rows].astype(np.int64)
        for inner in names:
            if inner == outer:
                continue
            values = layout.variables[inner].values[e.rows]
            first = np.zeros(int(code.max()) + 1)
            first[code] = values
            if np.array_equal(first[code], values):
                return f", since '{inner}' has one value in each category of '{outer}'"
    return ""


# --- empty cells -----------------------------------------------------------------------


def without_empty_cells(
    layout: Layout, missing: Mapping[str, np.ndarray]
) -> tuple[Layout, list[str]]:
    """Leave out the columns of products of categories that an empty cell makes redundant.

    Args:
        layout: of the model on the data.
        missing: by column, data rows whose value is not known; a cell needs a row that is.

    Returns:
        The layout, and what is to be said.
    """
    said: list[str] = []
    equations: list[EquationLayout] = []
    absent: list[Absent] = []
    for e in layout.equations:
        dropped = _dropped(layout, e, missing, said, absent)
        kept = [k for k in range(len(e.columns)) if k not in dropped]
        place = {k: i for i, k in enumerate(kept)}
        equations.append(
            e
            if not dropped
            else replace(
                e,
                columns=tuple(e.columns[k] for k in kept),
                fixed=e.fixed[:, kept],
                endogenous=tuple(place[k] for k in e.endogenous),
            )
        )
    return replace(layout, equations=tuple(equations), absent=tuple(absent)), said


def _dropped(
    layout: Layout,
    e: EquationLayout,
    missing: Mapping[str, np.ndarray],
    said: list[str],
    absent: list[Absent],
) -> set[int]:
    products: dict[str, list[int]] = {}
    for k, c in enumerate(e.columns):
        if k not in e.endogenous and len(c.parts) > 1:
            products.setdefault(_term(c), []).append(k)
    out: set[int] = set()
    for term, mine in products.items():
        parts = e.columns[mine[0]].parts
        read = {v for p in parts for v in p.operand.variables}
        lost = [m[e.rows] for c, m in missing.items() if c in read]
        rows = ~np.any(lost, axis=0) if lost else np.ones(e.n, dtype=bool)
        empty = _empty(layout, e, parts, rows)
        if not empty:
            continue
        family = [
            k
            for k, c in enumerate(e.columns)
            if k not in e.endogenous and set(c.sources) <= set(e.columns[mine[0]].sources)
        ]
        found = redundant(
            e.fixed[np.ix_(rows, family)],
            [e.columns[k] for k in family],
            constant=e.located,
        )
        gone = [family[r.column] for r in found if family[r.column] in mine]
        if not gone:
            continue
        out |= set(gone)
        coefficients = tuple(e.coefficient(e.columns[k]) for k in gone)
        absent.append(
            Absent(e.response, coefficients, *_cells_of(layout, e, parts, empty), tuple(empty))
        )
        names = listing([f"'{e.columns[k].name}'" for k in gone], 8)
        column, are = ("column", "is") if len(gone) == 1 else ("columns", "are")
        said.append(
            f"equations.{e.response}: {_no_row(lost)} has {listing(empty, 5)}, so {term} has more "
            f"columns than the data can tell apart; the {column} {names} {are} left out, as lmer "
            "does, and "
            "predictions for a cell without rows rest on the other terms of the model"
        )
    return out


def _cells_of(
    layout: Layout, e: EquationLayout, parts: Sequence[Part], empty: Sequence[str]
) -> tuple[tuple[str, ...], tuple[tuple[float, ...], ...]]:
    """Variables of the cells of a product, and the codes or values of those named, in order."""
    found = [axis for p in parts if (axis := _axis(layout, e, p)) is not None]
    names = tuple(name for name, _, _ in found)
    every = zip(product(*(m for _, m, _ in found)), product(*(v for _, _, v in found)), strict=True)
    codes = {_cell(names, marks): values for marks, values in every}
    return names, tuple(codes[label] for label in empty)


def _cell(names: Sequence[str], marks: Sequence[str]) -> str:
    return " and ".join(f"{n} = {m}" for n, m in zip(names, marks, strict=True))


def _axis(
    layout: Layout, e: EquationLayout, p: Part
) -> tuple[str, tuple[str, ...], tuple[float, ...]] | None:
    """A variable that is a category, with its categories in words and as codes or values.

    A number with two values is a category too.
    """
    name = p.operand.variable
    variable = layout.variables.get(name)
    if variable is None or p.operand.source != name or p.above or p.operand.others or p.curve:
        return None
    if variable.levels:
        return name, variable.levels, tuple(float(k) for k in range(len(variable.levels)))
    here = np.unique(variable.values[e.rows])
    if len(here) != 2:
        return None
    return name, tuple(f"{v:g}" for v in here), tuple(float(v) for v in here)


def _no_row(lost: Sequence[np.ndarray]) -> str:
    return "no row without missing values" if lost and np.any(lost) else "no row"


def _empty(layout: Layout, e: EquationLayout, parts: Sequence[Part], rows: np.ndarray) -> list[str]:
    """The cells of a product's categories that none of the rows is in, in words."""
    labels, code = cells(layout, e, parts)
    if not labels:
        return []
    seen = np.bincount(code[rows], minlength=len(labels)) > 0
    return [label for label, s in zip(labels, seen, strict=True) if not s]


def cells(layout: Layout, e: EquationLayout, parts: Sequence[Part]) -> tuple[list[str], np.ndarray]:
    """Combinations of the categories in a product, in words, and that of each row.

    A number with two values is a category too. Without two of them, or with too many combinations,
    there are no cells.
    """
    found = [axis for p in parts if (axis := _axis(layout, e, p)) is not None]
    if len(found) < 2 or prod(len(m) for _, m, _ in found) > MOST_CELLS:
        return [], np.zeros(0, dtype=np.int64)
    code = np.zeros(e.n, dtype=np.int64)
    for name, marks, at in found:
        code = code * len(marks) + np.searchsorted(at, layout.variables[name].values[e.rows])
    names = [name for name, _, _ in found]
    return [_cell(names, marks) for marks in product(*(m for _, m, _ in found))], code

"""The same model with its numeric predictors centered, and the way back to the formula.

Default priors are set where the numeric predictors are at their means, so that they do not depend
on where a predictor has its zero. A product of centered predictors is a combination of the
formula's own columns whenever the lower-order terms are in the formula too (Aiken & West, 1991,
chapter 3). Then X = C B for the columns X as written and C centered, and the coefficients of the
centered model are B times those of the formula: another name for the same model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acmodels.sources import unit_function
from acmodels.spec.formula import PLAIN, Operand
from acmodels.system.arrays import Array, Responses
from acmodels.system.columns import apply, column_values, part_values, variable_values
from acmodels.system.equation import Column, EquationLayout
from acmodels.system.first_waves import first_wave
from acmodels.system.layout import Layout
from acmodels.system.missing import known_rows
from acmodels.system.terms import Term, group_terms

SPANNED = 1e-6
"""What may be left of a centered column, relative to its size, for it to count as spanned."""
NOISE = 1e-12
"""Entries of the basis, relative to the sizes of the columns, that are rounding error."""

type Lookup = Callable[[str], Array]
"""Values of a variable, a deviation or a unit mean on the data's rows, shape (N,)."""


@dataclass(frozen=True)
class Centered:
    """Columns of an equation, or of the effects of a group, with numeric predictors centered.

    Attributes:
        written: the columns as the formula has them, shape (n, p).
        columns: the same of centered predictors, shape (n, p). A column whose centered version the
            formula's columns do not span stays as written.
        basis: row j gives coefficient j of `columns` from the coefficients of `written`, (p, p).
        open: positions of columns that stay as written although they rest on numbers: their
            meaning depends on where those have their zero.
        constant: how the centered columns add up to 1, shape (p,); None where they do not.
        means: of the columns as written; 0 of those that rest on constructs, shape (p,).
    """

    written: Array
    columns: Array
    basis: Array
    open: tuple[int, ...]
    constant: Array | None
    means: Array

    @property
    def plain(self) -> bool:
        """Whether every coefficient is the same in both."""
        return bool(np.array_equal(self.basis, np.eye(len(self.basis))))


def lookup(
    layout: Layout, responses: Responses | None, scales: Mapping[str, tuple[float, float]]
) -> Lookup:
    """Look values up on the data's rows.

    Args:
        layout: of the model.
        responses: by name; None (a design) lets a variable stand in for each that rests on one.
        scales: by response, mean and sd of that variable; 0 and 1 where the response has a link.
    """
    if responses is not None:
        return lambda source: variable_values(layout, source, responses)
    found: dict[str, Array] = {}

    def one(source: str) -> Array:
        d = layout.derived.get(source)
        name = source if d is None else d.variable
        if name in layout.variables:
            return variable_values(layout, source, {})
        if source not in found:
            mean, sd = scales[name] if layout.equation(name).has_sigma else (0.0, 1.0)
            if d is not None and not d.constant:
                mean = 0.0
            found[source] = mean + sd * _stand_in(layout, source, len(found))
        return found[source]

    return one


def _stand_in(layout: Layout, source: str, stream: int) -> Array:
    """A variable of mean 0 and sd 1, one value for each unit that its source has values for."""
    d = layout.derived.get(source)
    of = layout.equation(source).carry if d is None else d.pattern
    z = np.random.default_rng(stream).standard_normal(int(of.max()) + 1)
    values = z[of] - z[of].mean()
    sd = float(values.std())
    return values / sd if sd > 0 else values


def centered_equation(layout: Layout, e: EquationLayout, values: Lookup) -> Centered:
    """Center the numeric predictors of an equation at their means over its rows."""
    return _centered(layout, e, e.columns, values, implied=bool(e.codes) or e.construct)


def centered_effects(
    layout: Layout, e: EquationLayout, effects: Sequence[Term], values: Lookup
) -> Centered:
    """Center what multiplies those effects of a block that are of one equation.

    Args:
        layout: of the model.
        e: the equation.
        effects: group effects of the equation that share one covariance.
        values: looks variables up.
    """
    columns = [t.column for t in effects]
    return _centered(layout, e, columns, values, implied=False)


def _centered(
    layout: Layout, e: EquationLayout, columns: Sequence[Column], values: Lookup, *, implied: bool
) -> Centered:
    p = len(columns)
    X = np.empty((e.n, p))
    C = np.empty((e.n, p))
    for k, c in enumerate(columns):
        X[:, k] = column_values(c, e.rows, values)
        C[:, k] = _centered_column(layout, e, c, values)
    ones = np.ones((e.n, 1))
    base = np.concatenate([ones, X], axis=1) if implied else X
    numeric = [k for k in range(p) if any(q.level is None for q in columns[k].parts)]
    left = np.linalg.norm(C - base @ _solve(base, C), axis=0) if p else np.zeros(0)
    kept = left > SPANNED * np.linalg.norm(C, axis=0)
    if e.n <= base.shape[1]:  # every column is spanned by accident
        kept = np.any(C != X, axis=0)
    C[:, kept] = X[:, kept]
    whole = np.concatenate([ones, C], axis=1) if implied else C
    B = _solve(whole, X)[int(implied) :]
    sizes = np.linalg.norm(C, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.abs(B) * sizes[:, None] / np.linalg.norm(X, axis=0)
    B = np.where(relative < NOISE, 0.0, B)
    B[np.diag_indices(p)] = np.where(np.abs(np.diag(B) - 1) < SPANNED, 1.0, np.diag(B))
    if not _usable(B):
        C, B = X.copy(), np.eye(p)
    latent = np.array([any(layout.measure(v) for v in c.variables) for c in columns], dtype=bool)
    means = np.where(latent, 0.0, X.mean(axis=0))
    at_end = _adds_up(C, implied=implied)
    return Centered(X, C, B, tuple(k for k in numeric if kept[k]), at_end, means)


def _usable(B: Array) -> bool:
    return bool(np.all(np.isfinite(B))) and (not B.size or np.linalg.matrix_rank(B) == len(B))


def _adds_up(C: Array, *, implied: bool) -> Array | None:
    """Weights by which columns add up to 1 on every row, or None."""
    p = C.shape[1]
    if implied or not p or len(C) <= p:
        return np.eye(p)[0] if p and np.all(C[:, 0] == 1) else None
    if np.all(C[:, 0] == 1):
        return np.eye(p)[0]
    ones = np.ones((len(C), 1))
    weights = _solve(C, ones)
    fits = np.linalg.norm(ones - C @ weights) <= SPANNED * np.sqrt(len(C))
    return weights[:, 0] if fits else None


def _solve(A: Array, b: Array) -> Array:
    """Least squares, the columns of A brought to one size first."""
    if not A.shape[1]:
        return np.zeros((0, b.shape[1]))
    sizes = np.linalg.norm(A, axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    return np.linalg.lstsq(A / sizes, b, rcond=None)[0] / sizes[:, None]


def _centered_column(layout: Layout, e: EquationLayout, column: Column, values: Lookup) -> Array:
    """A product of parts, each numeric one centered; indicators of levels stay."""
    out = np.ones(e.n)
    for part in column.parts:
        if part.level is not None:
            out = out * part_values(part, lambda source: values(source)[e.rows])
            continue
        if layout.measure(part.operand.variable) is not None:  # a construct's mean is 0
            out = out * part_values(part, lambda source: values(source)[e.rows])
            continue
        known = known_rows(layout, e, part.operand.variables)
        known = known if known.any() else ~known
        if part.curve is not None or part.operand.others:  # centered as a whole
            v = part_values(part, lambda source: values(source)[e.rows])
            out = out * (v - v[known].mean())
        else:
            v = values(part.operand.source)[e.rows]
            out = out * _centered_operand(part.operand, v, known)
    return out


def _centered_operand(operand: Operand, values: Array, known: np.ndarray) -> Array:
    """An operand of a centered variable; a logarithm or root is centered itself."""
    if operand.inner is None or operand.unit is not None or operand.function in PLAIN:
        return values - values[known].mean()
    if operand.function in ("log", "sqrt"):
        bent = apply(operand, values)
        return bent - bent[known].mean()
    inner = _centered_operand(operand.inner, values, known)
    if operand.function == "square":
        return inner**2
    if operand.function in ("center", "standardize"):
        inner = inner - inner[known].mean()
    if operand.function == "standardize":
        sd = float(inner[known].std(ddof=1)) if known.sum() > 1 else 0.0
        inner = inner / (sd or 1.0)
    return inner


def zero_notes(layout: Layout, responses: Responses) -> list[str]:
    """Say where a formula's answer depends on where a predictor has its zero, and why."""
    out: list[str] = []
    values = lookup(layout, responses, {})
    for e in layout.equations:
        found = centered_equation(layout, e, values)
        mine = [e.columns[k] for k in found.open if not first_wave(e.columns[k].name)]
        out += _notes(e, mine, values, _why(e, found))
        for block, mine in group_terms(layout, e.response):
            some = centered_effects(layout, e, mine, values)
            alone = (
                f"the slopes of '{block.group}' do not correlate with its intercepts; center the "
                "predictor, or write (x | g) instead of (x || g)"
            )
            out += _notes(e, [mine[k].column for k in some.open], values, alone)
        bent = [
            c for c in e.columns if any({"log", "sqrt"} & {*p.operand.functions} for p in c.parts)
        ]
        out += _notes(e, bent, values, "its logarithm or square root is taken")
    return list(dict.fromkeys(out))


def _why(e: EquationLayout, found: Centered) -> str:
    if not e.located and found.constant is None:
        return "the equation has no intercept; add one, or center the predictor"
    return (
        "the formula has a product or a power without its lower-order terms; add them, or center "
        "the predictor"
    )


def _notes(e: EquationLayout, columns: Sequence[Column], values: Lookup, why: str) -> list[str]:
    names = [
        o.source
        for c in columns
        for p in c.parts
        for o in p.operand.arguments
        if p.level is None and p.curve is None and _has_zero(o) and not _binary(values(o.source))
    ]
    if not names:
        return []
    shown = " and ".join(f"'{n}'" for n in dict.fromkeys(names))
    are = "is" if len(set(names)) == 1 else "are"
    return [f"equations.{e.response}: the answer depends on where {shown} {are} zero, since {why}"]


def _has_zero(operand: Operand) -> bool:
    """Return whether an operand changes when a constant is added to its variable."""
    if operand.unit is not None and operand.function is not None:
        return unit_function(operand.function).mean != -1.0  # a deviation does not change
    if operand.function in ("center", "standardize") and operand.inner is not None:
        return bool({"square", "log", "sqrt"} & {*operand.inner.functions})
    return operand.inner is None or _has_zero(operand.inner)


def _binary(values: Array) -> bool:
    return bool(np.all((values == 0) | (values == 1)))

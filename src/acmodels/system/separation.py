"""Coefficients that the data do not bound: separation.

Where some direction of the coefficients lowers the likelihood of no row, however far one goes, the
data leave whatever changes along it unbounded, and only the prior holds it (Albert & Anderson,
1984; Konis, 2007, for the linear programs; Correia, Guimarães & Zylkin, 2019, for counts). In a
model with group effects that is so whatever their values, so that the population-level part alone
is what is tested.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from acmodels.errors import listing
from acmodels.numbers import number
from acmodels.spec import parameters as named
from acmodels.system.arrays import Array, Responses
from acmodels.system.columns import design_matrix
from acmodels.system.equation import Column, EquationLayout
from acmodels.system.layout import Layout
from acmodels.system.rank import cells
from acmodels.system.terms import group_terms, is_latent, reads

START = 2_000
"""Conditions that a first look takes; others join where they matter."""

MOST = 20_000_000
"""Numbers in a design matrix that is looked at, at most."""

TINY = 1e-9
"""A condition that is broken by no more is not broken, columns having an sd of about 1."""

CLEAR = 1e-6
"""A condition that is met by more is met with room to spare."""


@dataclass(frozen=True)
class Unbounded:
    """Coefficients of one equation that its data do not bound.

    Attributes:
        response: of the equation.
        names: of the coefficients (and thresholds).
        message: what is to be said, as whole sentences.
    """

    response: str
    names: tuple[str, ...]
    message: str


def separation(
    layout: Layout, responses: Responses, missing: Mapping[str, np.ndarray] | None = None
) -> tuple[Unbounded, ...]:
    """Find the coefficients that the data do not bound, equation by equation.

    Unit means that the model estimates are taken as observed, and the message says so.

    Args:
        layout: of the model on the data, its design matrices of full rank.
        responses: by name.
        missing: by column, data rows whose value is not known; such rows are left out.
    """
    out: list[Unbounded] = []
    for e in layout.equations:
        if not _can_separate(e) or e.fixed.size > MOST:
            continue
        X = design_matrix(layout, e, responses)
        rows = _complete(layout, e, missing or {})
        if e.weights is not None:
            rows &= e.weights > 0
        found = _of_equation(layout, e, X, np.asarray(responses[e.response]), rows)
        if found is not None:
            out.append(found)
    return tuple(out)


def not_looked_at(layout: Layout) -> list[str]:
    """Say which equations are too large to be looked at."""
    return [
        f"equations.{e.response}: whether the data bound every coefficient (separation) was not "
        f"checked, since {e.n} rows of {len(e.columns)} columns are too many"
        for e in layout.equations
        if _can_separate(e) and e.fixed.size > MOST
    ]


def _can_separate(e: EquationLayout) -> bool:
    """Say whether a coefficient can be unbounded: responses can all lie at one end."""
    return e.distribution.ordered or e.distribution.ends is not None


def _endless(e: EquationLayout) -> bool:
    """Say whether responses have a lowest value and no highest one, as counts."""
    return e.distribution.ends is not None and e.distribution.ends[1] == np.inf


def _complete(layout: Layout, e: EquationLayout, missing: Mapping[str, np.ndarray]) -> np.ndarray:
    read = reads(layout, e.response) | {e.response}
    lost = [m[e.rows] for c, m in missing.items() if c in read]
    return ~np.any(lost, axis=0) if lost else np.ones(e.n, dtype=bool)


def _of_equation(
    layout: Layout, e: EquationLayout, X: Array, y: Array, rows: np.ndarray
) -> Unbounded | None:
    if not rows.any():
        return None
    move, scale = _standardization(e, X[rows])
    Z = (X[rows] - move) / scale
    trials = None if e.trials is None else e.trials[rows]
    A, equal = _conditions(e, Z, y[rows], _extreme(e, y[rows], trials))
    span = np.zeros((A.shape[1], 0))
    clear = False
    for signs in _signs(e, A.shape[1]):
        cone = _cone(np.vstack([A, signs]), equal)
        if cone is not None and cone[0].shape[1] > span.shape[1]:
            span, clear = cone[0], bool(np.all(A @ cone[1] > CLEAR)) and not len(equal)
    if not span.shape[1]:
        return None
    own = len(e.codes) - 1 if e.codes else 0
    V = span.copy()
    V[own:] /= scale[:, None]
    shift = move @ V[own:]  # what centering took from the intercept or the thresholds
    if own:
        V[:own] += shift
    elif e.intercept is not None:
        V[e.intercept] -= shift
    size = np.abs(V)
    size[own:] *= scale[:, None]
    loose = size.max(axis=1) > CLEAR * size.max()
    steps = {
        k: named.coefficient(e.response, x) for x, places in e.monotonic.items() for k in places
    }
    names = [n for n, free in zip(e.thresholds, loose[:own], strict=True) if free]
    free = [k for k in range(len(e.columns)) if loose[own + k]]
    names += [steps.get(k, e.coefficient(e.columns[k])) for k in free]
    said = _message(layout, e, X, y, rows, free, names, complete=clear)
    return Unbounded(e.response, tuple(dict.fromkeys(names)), said)


def _standardization(e: EquationLayout, X: Array) -> tuple[Array, Array]:
    """Return what is subtracted from columns (where a constant takes it up), and divisors."""
    move = X.mean(axis=0) if e.has_constant else np.zeros(X.shape[1])
    if e.intercept is not None:
        move[e.intercept] = 0.0
    scale = np.sqrt(((X - move) ** 2).mean(axis=0))
    return move, np.where(scale > 0, scale, 1.0)


def _conditions(e: EquationLayout, X: Array, y: Array, end: np.ndarray) -> tuple[Array, Array]:
    """Rows that a harmless direction has at 0 or above, and those that it has at 0."""
    if not e.codes:
        return end[end != 0, None] * X[end != 0], X[end == 0]
    cuts = len(e.codes) - 1
    place = (y - e.codes[0]).astype(np.int64)
    unit = np.eye(cuts)
    below, above = place < cuts, place > 0
    A = np.vstack(
        [
            np.hstack([unit[place[below]], -X[below]]),
            np.hstack([-unit[place[above] - 1], X[above]]),
            np.hstack([unit[1:] - unit[:-1], np.zeros((cuts - 1, X.shape[1]))]),
        ]
    )
    return A, np.zeros((0, A.shape[1]))


def _signs(e: EquationLayout, width: int) -> Iterator[Array]:
    """Conditions by which the steps of each monotonic effect have one sign."""
    first = width - len(e.columns)
    effects = list(e.monotonic.values())[:4]
    for chosen in product((1.0, -1.0), repeat=len(effects)):
        out = [np.zeros((0, width))]
        for sign, places in zip(chosen, effects, strict=True):
            out.append(sign * np.eye(width)[[first + k for k in places]])
        yield np.vstack(out)


# --- the cone of harmless directions ---------------------------------------------------


def _cone(A: Array, equal: Array) -> tuple[Array, Array] | None:
    """Span of {d: A d >= 0, equal d = 0} and a direction in its interior; None where it is 0.

    A few conditions are looked at first. Conditions that the direction found breaks or meets
    without room join them, until none is left, so that the answer is that of all conditions.
    """
    free = _null_space(equal) if len(equal) else np.eye(A.shape[1])
    if not free.shape[1]:
        return None
    B = A @ free
    B = B[np.abs(B).max(axis=1, initial=0.0) > TINY]
    mine = np.zeros(len(B), dtype=bool)
    mine[np.linspace(0, len(B) - 1, min(len(B), START)).astype(np.int64)] = True
    while True:
        found = _interior(B[mine])
        if found is None:
            return None
        span, inside = found
        met = B @ inside
        more = ~mine & (met <= CLEAR)
        if not more.any():
            return free @ span, free @ inside
        order = np.flatnonzero(more)
        mine[order[np.argsort(met[order])[:START]]] = True


def _interior(B: Array) -> tuple[Array, Array] | None:
    """Span of {d: B d >= 0} and a direction in its relative interior; None where it is 0."""
    if len(B) and _bounded(B):
        return None
    B = np.unique(B, axis=0)
    inside = np.zeros(B.shape[1])
    left = np.ones(len(B), dtype=bool)
    while left.any():
        d = _farthest(B, B[left].sum(axis=0))
        met = left & (B @ d > CLEAR)
        if not met.any():
            break
        inside += d
        left &= ~met
    span = _null_space(B[left]) if left.any() else np.eye(B.shape[1])
    if not span.shape[1]:
        return None
    if not left.all() and np.min(B @ inside) < -TINY * len(B):
        return None
    return span, inside


def _farthest(B: Array, toward: Array) -> Array:
    """The direction within the unit cube that goes farthest, no condition broken."""
    from scipy.optimize import linprog

    found = linprog(
        -toward / max(float(np.abs(toward).max()), 1e-300),
        A_ub=-B,
        b_ub=np.zeros(len(B)),
        bounds=(-1, 1),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.x is None or np.min(B @ found.x) < -TINY:
        return np.zeros(B.shape[1])
    return np.asarray(found.x)


def _bounded(B: Array) -> bool:
    """Return whether it is certain that no direction meets all conditions, by a few Newton steps.

    The sum of log(1 + exp(-b d)) over conditions has a minimum exactly where none does
    (Stiemke, 1915): at a minimum, positive weights of the conditions add up to nothing.
    """
    d = np.zeros(B.shape[1])
    for _ in range(25):
        eta = B @ d
        if np.abs(eta).max() > 15:
            return False
        p = 1.0 / (1.0 + np.exp(eta))
        slope = B.T @ p
        bend = (B * (p * (1 - p))[:, None]).T @ B
        try:
            step = np.linalg.solve(bend, slope)
        except np.linalg.LinAlgError:
            return False
        if float(slope @ step) < 1e-12:
            return bool(np.linalg.eigvalsh(bend)[0] > 1e-10 * np.trace(bend))
        d = d + step * min(1.0, 4.0 / max(float(np.abs(B @ step).max()), 1e-300))
    return False


def _null_space(M: Array) -> Array:
    """Orthonormal basis of {d: M d = 0}, shape (columns, dimension)."""
    _, s, Vt = np.linalg.svd(np.linalg.qr(M, mode="r") if len(M) > M.shape[1] else M)
    rank = int(np.sum(s > 1e-8 * max(float(s.max(initial=0.0)), 1e-300)))
    return Vt[rank:].T


# --- in words --------------------------------------------------------------------------


def _message(
    layout: Layout,
    e: EquationLayout,
    X: Array,
    y: Array,
    rows: np.ndarray,
    free: Sequence[int],
    names: Sequence[str],
    *,
    complete: bool,
) -> str:
    several = list(dict.fromkeys(names))
    terms = dict.fromkeys(
        ":".join(p.operand.text for p in e.columns[k].parts) for k in free if e.columns[k].parts
    )
    of = f" ({'terms' if len(terms) > 1 else 'term'} {listing(list(terms), 6)})" if terms else ""
    why = _reasons(layout, e, X, y, rows)
    kind = "complete separation" if complete else "quasi-complete separation"
    if _endless(e):
        kind = "separation"
    why = why or [_together(e, complete=complete)]
    data = "the data do" if rows.all() else f"the {int(rows.sum())} rows without missing values do"
    rest = "Its estimate and interval depend"
    if len(several) > 1:
        rest = "Their estimates and intervals depend"
    groups = (
        " Only the population-level terms were checked, without the group effects."
        if group_terms(layout, e.response)
        else ""
    )
    latent = dict.fromkeys(s for k in free for s in e.columns[k].sources if is_latent(layout, e, s))
    if latent:
        groups += (
            f" The check took {listing(list(latent), 4)} from observed unit means, whereas the "
            "model estimates them."
        )
    return (
        f"equations.{e.response}: {data} not bound {listing(several, 8)}{of}: "
        f"{'; '.join(why)} ({kind}). {rest} on the prior.{groups}"
    )


def _together(e: EquationLayout, *, complete: bool) -> str:
    if _endless(e):
        return f"some combination of these terms differs only among rows with {e.response} = 0"
    ties = "" if complete else ", apart from ties"
    return f"some combination of these terms separates the values of '{e.response}'{ties}"


def _reasons(layout: Layout, e: EquationLayout, X: Array, y: Array, rows: np.ndarray) -> list[str]:
    """Categories whose outcomes are all the same, and numbers that tell outcomes apart alone."""
    out: list[str] = []
    value = _extreme(e, y, e.trials)
    sources = [c.parts[0].operand for c in e.columns if len(c.parts) == 1 and not c.parts[0].above]
    for name in dict.fromkeys(v for o in sources for v in o.variables):
        variable = layout.variables.get(name)
        if variable is None:
            continue
        values = variable.values[e.rows]
        here = np.unique(values[rows])
        if not variable.levels and len(here) != 2:
            continue
        for v in here:
            label = variable.levels[int(v)] if variable.levels else f"{v:g}"
            out += _alike(e, f"{name} = {label}", value, rows & (values == v))
    for parts in {c.sources: c.parts for c in e.columns if len(c.parts) > 1}.values():
        labels, code = cells(layout, e, parts)
        for k in np.unique(code) if not out else ():
            out += _alike(e, labels[k], value, rows & (code == k))
    if not out and e.distribution.successes and e.trials is None:
        out += [s for c, x in zip(e.columns, X.T, strict=True) for s in _told(e, c, x, y, rows)]
    return out[:6]


def _ends(e: EquationLayout) -> tuple[float, float]:
    """The lowest and the highest value that a response can have, of one trial if there are any."""
    if e.codes:
        return e.codes[0], e.codes[-1]
    return e.distribution.ends or (-np.inf, np.inf)


def _extreme(e: EquationLayout, y: Array, trials: Array | None) -> np.ndarray:
    """1 where a response is as high as it can be, -1 as low, 0 between."""
    low, high = _ends(e)
    return np.where(y == (high if trials is None else trials), 1, np.where(y == low, -1, 0))


def _alike(e: EquationLayout, label: str, value: np.ndarray, mine: np.ndarray) -> list[str]:
    seen = set(value[mine].tolist())
    if len(seen) != 1 or seen == {0}:
        return []
    (end,) = seen
    low, high = _ends(e)
    what = f"{low if end < 0 else high:g}"
    if e.trials is not None and end > 0:
        what = "its number of trials"
    n = int(mine.sum())
    each = "the one row" if n == 1 else f"each of the {n} rows"
    return [f"{each} with {label} has {e.response} = {what}"]


def _told(e: EquationLayout, c: Column, x: Array, y: Array, rows: np.ndarray) -> list[str]:
    """Say that one column alone tells a binary response's values apart."""
    zero, one = x[rows & (y == 0)], x[rows & (y == 1)]
    if not c.parts or not len(zero) or not len(one):
        return []
    for first, second, low, high in ((zero, one, 0, 1), (one, zero, 1, 0)):
        if first.max() <= second.min() and first.min() < second.max():
            ends = f"{low} up to {number(first.max(), 4)}, {high} from {number(second.min(), 4)} on"
            return [f"{c.name} alone tells them apart: {e.response} = {ends}"]
    return []

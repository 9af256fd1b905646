"""Expected responses of an equation at rows, draw by draw."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from acmodels.effects.predictor import Predictor, Rows
from acmodels.effects.sizes import parameter, summary
from acmodels.errors import InputError, listing
from acmodels.system.columns import apply, part_values
from acmodels.system.variances import covariances

if TYPE_CHECKING:
    from acmodels.posterior import Array
    from acmodels.system import Column

CELLS = 2_000_000
"""Numbers held at once while expected responses are computed."""


def average(p: Predictor, rows: Rows, some: np.ndarray) -> "Array":
    """Compute the expected response averaged over some of the rows, shape (draw,)."""
    if p.flat and p.groups == "new":
        X = _matrix(p, p.e.columns, rows, some).mean(axis=0)
        return p.B @ X + float(_offset(p, rows, some).mean())
    total = np.zeros(len(p.B))
    for piece in _pieces(p, some):
        total += _expected(p, rows, piece).sum(axis=1)
    return total / len(some)


def one_by_one(p: Predictor, rows: Rows) -> "dict[str, Array]":
    """Summarize every row."""
    found = [summary(p.fit, _expected(p, rows, piece)) for piece in _pieces(p, np.arange(rows.n))]
    return {k: np.concatenate([f[k] for f in found]) for k in found[0]}


def _expected(p: Predictor, rows: Rows, some: np.ndarray) -> "Array":
    """Compute expected responses at some of the rows, shape (draw, rows)."""
    eta = p.B @ _matrix(p, p.e.columns, rows, some).T + _offset(p, rows, some)
    variance = np.zeros(())
    for block, mine in p.blocks:
        Z = _matrix(p, [t.column for t in mine], rows, some)
        if p.groups == "observed":
            if rows.codes is None:
                raise InputError('these rows belong to no group; use groups="new"')
            u = p.fit.draws.group_effects[block.key]
            u = u.reshape(-1, *u.shape[2:])[:, rows.codes[block.group]][:, some]
            places = [t.effect[1] for t in mine if t.effect is not None]
            eta = eta + np.einsum("snk,nk->sn", u[..., places], Z)
        elif not p.flat:
            S = covariances(p.layout, mine, partial(parameter, p.fit))
            variance = variance + np.einsum("sij,ni,nj->sn", S, Z, Z)
    return eta if p.scale == "linear" else _mean(p, eta, np.asarray(variance))


def _mean(p: Predictor, eta: "Array", variance: "Array") -> "Array":
    """Expected response, group effects of this variance integrated out (Gauss-Hermite)."""
    response = p.e.conditional(lambda name: p.fit.draws[name].reshape(-1))
    place = p.category
    mean: Callable[[Array], Array] = response.mean
    if place is not None:
        mean = lambda v: response.probability(v, place)  # noqa: E731
    if p.flat or not np.any(variance > 0):
        return mean(eta)
    sd = np.sqrt(variance)
    widest = float(sd.max())
    many = next((n for edge, n in ((0.7, 11), (1.5, 21), (3.0, 41)) if widest < edge), 81)
    nodes, weights = np.polynomial.hermite_e.hermegauss(many)
    weights = weights / weights.sum()
    total = np.zeros_like(eta)
    for t, weight in zip(nodes, weights, strict=True):
        if weight > 1e-12:
            total += weight * mean(eta + t * sd)
    return total


def _matrix(p: Predictor, columns: "Sequence[Column]", rows: Rows, some: np.ndarray) -> "Array":
    if columns is p.e.columns:
        _say_if_empty(p, rows, some)
    out = np.ones((len(some), len(columns)))
    with np.errstate(all="ignore"):
        for k, c in enumerate(columns):
            for q in c.parts:
                out[:, k] *= part_values(q, lambda s: rows.values(s)[some], p.reference)
            if not np.all(np.isfinite(out[:, k])):
                raise InputError(f"'{c.name}' is not a finite number at the values asked for")
    return out


def _say_if_empty(p: Predictor, rows: Rows, some: np.ndarray) -> None:
    """Warn of predictions for cells of a product that no row of the data is in."""
    import warnings

    for a in p.fit.system.layout.absent:
        if a.response != p.e.response:
            continue
        values = np.stack([rows.values(v)[some] for v in a.variables], axis=1)
        hit = [
            label
            for label, cell in zip(a.labels, a.cells, strict=True)
            if np.any(np.all(values == np.array(cell), axis=1))
        ]
        if hit:
            warnings.warn(
                f"{p.fit.spec.source}: no row of the data has {listing(hit, 5)}; predictions of "
                f"'{a.response}' there come from the other terms of the model",
                stacklevel=4,
            )


def _offset(p: Predictor, rows: Rows, some: np.ndarray) -> "Array":
    total = np.zeros(len(some))
    for o in p.offsets:
        source = o.source
        total = total + apply(o, rows.values(source)[some], p.reference(source))
    return total


def _pieces(p: Predictor, some: np.ndarray) -> Iterator[np.ndarray]:
    step = max(1, CELLS // len(p.B))
    for start in range(0, len(some), step):
        yield some[start : start + step]

"""Linear mixed models by REML, with statsmodels' MixedLM.

MixedLM knows one grouping with correlated effects and, nested in it, variance components.
Its groups are here the sets of rows that any grouping connects: the levels of a single grouping,
the outermost ones of nested groupings, one group of all rows where groupings cross.

Columns and response are scaled for the optimizer, and estimates scaled back. Standard errors of
sds and correlations are from the curvature of the REML criterion, with the residual variance
that it profiles out put back by the delta method (statsmodels gives none of an sd).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from acmodels.companion.counterparts import NOT_CONVERGED, Alone, Found, NoCounterpartError, Varying
from acmodels.posterior import Array

MOST_LEVELS, MOST_CELLS = 1_500, 20_000_000
"""Size of a set of connected rows up to which MixedLM, which is dense, takes seconds."""

BOUNDARY = 0.01
"""Group sd over residual sd below which an estimate counts as zero."""


def mixed(a: Alone) -> Found:
    """Fit a gaussian equation with group effects by REML.

    Args:
        a: the equation.

    Raises:
        NoCounterpartError: MixedLM cannot express it, or it is too large.
    """
    from statsmodels.regression.mixed_linear_model import MixedLM

    rows = _connected(a.varying)
    inner, free = _together(a.varying, rows)
    size = max(sum(len(np.unique(v.code[rows == g])) for v in free) for g in _largest(rows))
    if size > MOST_LEVELS or size * np.bincount(rows).max() > MOST_CELLS:
        raise NoCounterpartError(
            f"MixedLM of statsmodels would take minutes for {size} connected levels"
        )
    y = a.y - a.offset
    unit = float(y.std()) or 1.0
    across = _lengths(a.X)
    lengths = {id(v): _lengths(v.Z) for v in a.varying}
    scaled = [v.Z / lengths[id(v)] for v in free]
    model = MixedLM(
        y / unit,
        a.X / across,
        groups=rows,
        exog_re=None if inner is None else inner.Z / lengths[id(inner)],
        exog_vc=_components(free, scaled, rows) if free else None,
    )
    result = model.fit(reml=True)
    p = a.X.shape[1]
    scale = np.outer(unit / across, unit / across)
    covariance = np.asarray(result.cov_params())[:p, :p] * scale
    found = Found("REML (MixedLM)", {}, covariance)
    if not result.converged:
        found.words.append(NOT_CONVERGED)
    ses = np.sqrt(np.diag(covariance))
    for k, name in enumerate(a.names):
        found.values[name] = (float(result.fe_params[k] * unit / across[k]), float(ses[k]))
    _spread(a, model, result, inner, free, lengths, unit, found)
    return found


def _lengths(X: Array) -> Array:
    found = np.sqrt(np.mean(X**2, axis=0))
    return np.where(found > 0, found, 1.0)


def _largest(rows: NDArray[np.int64], most: int = 3) -> list[int]:
    """The sets of most rows."""
    return [int(g) for g in np.argsort(np.bincount(rows))[::-1][:most]]


def _connected(varying: tuple[Varying, ...]) -> NDArray[np.int64]:
    """Number the sets of rows that the groupings connect."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(varying[0].code)
    edges: list[NDArray[np.int64]] = []
    start = n
    for v in varying:
        edges.append(np.column_stack([np.arange(n), start + v.code]))
        start += int(v.code.max()) + 1
    both = np.concatenate(edges)
    graph = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(start, start))
    label = np.asarray(connected_components(graph, directed=False)[1])[:n]
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _together(
    varying: tuple[Varying, ...], rows: NDArray[np.int64]
) -> tuple[Varying | None, list[Varying]]:
    """Split effects into the correlated ones of MixedLM's groups and independent components."""
    correlated = [v for v in varying if v.Z.shape[1] > 1]
    if len(correlated) > 1:
        raise NoCounterpartError("MixedLM of statsmodels takes correlated slopes of one grouping")
    if correlated:
        inner = correlated[0]
        if len(np.unique(np.column_stack([rows, inner.code]), axis=0)) > rows.max() + 1:
            raise NoCounterpartError(
                "MixedLM of statsmodels takes correlated slopes only of the outermost grouping"
            )
        return inner, [v for v in varying if v is not inner]
    if len(varying) == 1:
        return varying[0], []
    return None, list(varying)


def _components(free: list[Varying], Z: list[Array], rows: NDArray[np.int64]) -> Any:
    from statsmodels.regression.mixed_linear_model import VCSpec

    order = np.argsort(rows, kind="stable")
    pieces = np.split(order, np.cumsum(np.bincount(rows))[:-1])
    names: list[str] = []
    columns: list[list[list[str]]] = []
    mats: list[list[Array]] = []
    for k, v in enumerate(free):
        names.append(f"v{k}")
        mine: list[Array] = []
        for piece in pieces:
            levels, place = np.unique(v.code[piece], return_inverse=True)
            made = np.zeros((len(piece), len(levels)))
            made[np.arange(len(piece)), place] = Z[k][piece, 0]
            mine.append(made)
        mats.append(mine)
        columns.append([[str(j) for j in range(m.shape[1])] for m in mine])
    return VCSpec(names, columns, mats)


def _spread(
    a: Alone, model: Any, result: Any, inner: Varying | None, free: list[Varying],
    lengths: dict[int, Array], unit: float, found: Found,
) -> None:  # fmt: skip
    """Sds, correlations and sigma with their standard errors."""
    from statsmodels.regression.mixed_linear_model import MixedLMParams
    from statsmodels.tools.numdiff import approx_fprime, approx_hess

    size = 0 if inner is None else inner.Z.shape[1]
    cov = np.asarray(result.cov_re_unscaled)[:size, :size] if size else np.zeros((0, 0))
    sds = np.sqrt(np.maximum(np.diag(cov), 0.0))
    parts = np.sqrt(np.maximum(np.asarray(result.vcomp) / result.scale, 0.0))
    relative = np.concatenate([sds, parts])
    pairs = () if inner is None else inner.cors
    safe = np.maximum(sds, 1e-8)
    r = np.array([cov[i, j] / (safe[i] * safe[j]) for i, j, _ in pairs])
    edge = (relative < BOUNDARY) | ~np.isfinite(relative)
    sharp = np.array([bool(edge[i] or edge[j]) for i, j, _ in pairs], dtype=bool)
    sharp |= np.abs(r) > 0.999
    moving = np.concatenate([~edge, ~sharp]).astype(bool)
    at = np.concatenate(
        [np.log(np.maximum(relative, 1e-4)), np.arctanh(np.clip(r, -0.9999, 0.9999))]
    )

    def params(free_values: Array) -> Any:
        full = at.copy()
        full[moving] = free_values
        sd = np.exp(full[: len(relative)])
        R = np.eye(size)
        for (i, j, _), z in zip(pairs, full[len(relative) :], strict=True):
            R[i, j] = R[j, i] = np.tanh(z)
        S = R * np.outer(sd[:size], sd[:size])
        return MixedLMParams.from_components(
            fe_params=np.zeros(model.k_fe), cov_re=S, vcomp=sd[size:] ** 2
        )

    def criterion(free_values: Array) -> float:
        return float(model.loglike(params(np.asarray(free_values))))

    def log_scale(free_values: Array) -> float:
        q = params(np.asarray(free_values))
        fixed, _ = model.get_fe_params(q.cov_re, q.vcomp)
        return float(np.log(model.get_scale(fixed, q.cov_re, q.vcomp)))

    left = len(a.y) - a.X.shape[1]
    variance_log_scale = 2.0 / left
    V = np.full((len(at), len(at)), np.nan)
    G = np.zeros(len(at))
    if moving.any():
        V[np.ix_(moving, moving)] = np.linalg.inv(-approx_hess(at[moving], criterion))
        G[moving] = approx_fprime(at[moving], log_scale, centered=True)
        inside = V[np.ix_(moving, moving)]
        variance_log_scale += float(G[moving] @ inside @ G[moving])
    sigma = float(np.sqrt(result.scale)) * unit
    found.values[f"sigma({a.response})"] = (sigma, sigma * float(np.sqrt(variance_log_scale)) / 2)
    whose = [] if inner is None else [(inner, k) for k in range(size)]
    whose += [(v, 0) for v in free]
    for k, (v, j) in enumerate(whose):
        covers = float(V[k, moving] @ G[moving]) if moving[k] else np.nan
        variance = V[k, k] + covers + variance_log_scale / 4
        value = float(relative[k]) * sigma / lengths[id(v)][j]
        if edge[k]:
            found.values[v.sds[j]] = (0.0 if np.isfinite(value) else np.nan, np.nan)
            found.said[v.sds[j]] = "the ML estimate lies on the boundary, at zero"
        else:
            found.values[v.sds[j]] = (value, value * float(np.sqrt(variance)))
            if variance > 1:
                found.said[v.sds[j]] = "near the boundary, where a standard error means little"
    for k, (_, _, name) in enumerate(pairs):
        z = len(relative) + k
        if sharp[k]:
            found.values[name] = (float(np.sign(r[k])) if abs(r[k]) > 0.999 else np.nan, np.nan)
            found.said[name] = "the ML estimate of the covariance is singular"
        else:
            found.values[name] = (float(r[k]), float((1 - r[k] ** 2) * np.sqrt(V[z, z])))

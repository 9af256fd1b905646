"""Linear mixed models by REML, with statsmodels' MixedLM.

MixedLM knows one grouping with correlated effects and, nested in it, variance components.
Its groups are here the sets of rows that any grouping connects: the levels of a single grouping,
the outermost ones of nested groupings, one group of all rows where groupings cross.

Columns and response are scaled for the optimizer, and estimates scaled back. Standard errors of
coefficients are those of generalized least squares at the estimated sds, as lme4 gives them;
statsmodels' own, from the curvature in coefficients and variances together, are a little larger.
Those of sds and correlations are from the curvature of the REML criterion, with the residual
variance that it profiles out put back by the delta method (statsmodels gives none of an sd).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from acmodels.effects.maximum_likelihood.alone import (
    NOT_CONVERGED,
    Alone,
    Found,
    NoCounterpartError,
    Varying,
)
from acmodels.posterior import Array
from acmodels.spec import parameters as named

MOST_LEVELS, MOST_CELLS = 700, 20_000_000
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
    curvature = np.asarray(model.hessian(result.params_object)[0])[:p, :p]
    covariance = np.linalg.inv(-curvature) * scale
    found = Found("REML (MixedLM)", {}, covariance)
    if not result.converged:
        found.words.append(NOT_CONVERGED)
    ses = np.sqrt(np.diag(covariance))
    for k, name in enumerate(a.names):
        found.values[name] = (float(result.fe_params[k] * unit / across[k]), float(ses[k]))
    whose = [] if inner is None else [(inner, k) for k in range(inner.Z.shape[1])]
    whose += [(v, 0) for v in free]
    scales = [(v, k, float(lengths[id(v)][k])) for v, k in whose]
    sigma = float(np.sqrt(result.scale)) * unit
    _spread(a, _Criterion(model, result, inner), sigma, scales, found)
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


class _Criterion:
    """The REML criterion in the logarithms of relative sds and in Fisher's z of correlations."""

    def __init__(self, model: Any, result: Any, inner: Varying | None) -> None:
        self.model = model
        self.size = 0 if inner is None else inner.Z.shape[1]
        self.pairs = () if inner is None else inner.cors
        cov = np.asarray(result.cov_re_unscaled)[: self.size, : self.size]
        sds = np.sqrt(np.maximum(np.diag(cov), 0.0)) if self.size else np.zeros(0)
        parts = np.sqrt(np.maximum(np.asarray(result.vcomp) / result.scale, 0.0))
        safe = np.maximum(sds, 1e-8)
        self.relative = np.concatenate([sds, parts])
        self.r = np.array([cov[i, j] / (safe[i] * safe[j]) for i, j, _ in self.pairs])
        self.edge = (self.relative < BOUNDARY) | ~np.isfinite(self.relative)
        sharp = [bool(self.edge[i] or self.edge[j]) for i, j, _ in self.pairs]
        self.sharp = np.array(sharp, dtype=bool) | (np.abs(self.r) > 0.999)
        self.moving = np.concatenate([~self.edge, ~self.sharp]).astype(bool)
        z = np.arctanh(np.clip(self.r, -0.9999, 0.9999))
        self.at = np.concatenate([np.log(np.maximum(self.relative, 1e-4)), z])

    def _params(self, free: Array) -> Any:
        from statsmodels.regression.mixed_linear_model import MixedLMParams

        full = self.at.copy()
        full[self.moving] = free
        sd = np.exp(full[: len(self.relative)])
        R = np.eye(self.size)
        for (i, j, _), z in zip(self.pairs, full[len(self.relative) :], strict=True):
            R[i, j] = R[j, i] = np.tanh(z)
        S = R * np.outer(sd[: self.size], sd[: self.size])
        made: Any = MixedLMParams.from_components
        return made(fe_params=np.zeros(self.model.k_fe), cov_re=S, vcomp=sd[self.size :] ** 2)

    def _value(self, free: Array) -> float:
        return float(self.model.loglike(self._params(free)))

    def _log_scale(self, free: Array) -> float:
        q = self._params(free)
        fixed, _ = self.model.get_fe_params(q.cov_re, q.vcomp)
        return float(np.log(self.model.get_scale(fixed, q.cov_re, q.vcomp)))

    def curvature(self, left: int) -> tuple[Array, Array, float]:
        """Covariance of the coordinates, their covariance with log scale, variance of log scale.

        Args:
            left: residual degrees of freedom.
        """
        from statsmodels.tools.numdiff import approx_fprime, approx_hess

        k = len(self.at)
        V, cross, variance = np.full((k, k), np.nan), np.full(k, np.nan), 2.0 / left
        if self.moving.any():
            free = self.at[self.moving]
            inside = np.linalg.inv(-approx_hess(free, self._value))
            gradient = np.reshape(approx_fprime(free, self._log_scale, centered=True), -1)
            V[np.ix_(self.moving, self.moving)] = inside
            cross[self.moving] = inside @ gradient
            variance += float(gradient @ inside @ gradient)
        return V, cross, variance


def _spread(
    a: Alone, c: _Criterion, sigma: float, whose: list[tuple[Varying, int, float]], found: Found
) -> None:
    """Sds, correlations and sigma with their standard errors.

    Args:
        a: the equation.
        c: its REML criterion at the maximum.
        sigma: estimated residual sd.
        whose: for each relative sd its effects, their place, and the length it was scaled by.
        found: what is filled in.
    """
    V, cross, variance = c.curvature(len(a.y) - a.X.shape[1])
    found.values[named.sigma(a.response)] = (sigma, sigma * float(np.sqrt(variance)) / 2)
    for k, (v, j, length) in enumerate(whose):
        name = v.sds[j]
        if c.edge[k]:
            found.values[name] = (0.0 if np.isfinite(c.relative[k]) else np.nan, np.nan)
            found.said[name] = "the ML estimate lies on the boundary, at zero"
            continue
        value = float(c.relative[k]) * sigma / length
        of_log = float(V[k, k] + cross[k] + variance / 4)
        found.values[name] = (value, value * float(np.sqrt(of_log)))
        if of_log > 1:
            found.said[name] = "near the boundary, where a standard error means little"
    for k, (_, _, name) in enumerate(c.pairs):
        r = float(c.r[k])
        if c.sharp[k]:
            found.values[name] = (float(np.sign(r)) if abs(r) > 0.999 else np.nan, np.nan)
            found.said[name] = "the ML estimate of the covariance is singular"
        else:
            z = len(c.relative) + k
            found.values[name] = (r, (1 - r**2) * float(np.sqrt(V[z, z])))

"""Find the posterior's mode by damped Newton steps."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from acmodels.engines.hmc.anchor import reanchored
from acmodels.engines.hmc.curvature import Order, hessian
from acmodels.engines.hmc.design import Design
from acmodels.engines.hmc.roots import root_of
from acmodels.engines.hmc.sampler import Metric, differences
from acmodels.errors import EngineError
from acmodels.system.arrays import Array, Index

ROUNDS, PASSES = 20, 8
LEAST_GAIN = 0.02
"""Log units; passes end after two smaller gains in a row."""
GUIDED = 2
"""Passes of a climb with the curvature of like data."""
NEAR = 0.02
"""Log units; steps end where the next is expected to gain half of it."""
JOINT_ROUNDS, FARTHEST = 40, 12.0
"""Steps of a search of joint coordinates, and how far one goes, in posterior sds."""
LEAST_CURVATURE, CLOSE_TO_MODE = 0.1, 0.03
LARGE = 100_000
"""Entries from which a matrix is looked at for zeros."""
FAR = 200.0
"""Rough units that a Newton step may move a coordinate."""


@dataclass(frozen=True)
class HessianRoot:
    """Root of a Hessian: by level, coupling with the border, and the border's inverse root."""

    D: Array
    F: Array
    G: Array


def order(design: Design, only: NDArray[np.bool_] | None = None) -> Order:
    """Take the block with most effects as primary.

    Args:
        design: the component.
        only: coordinates that are not held, (D,); all if None.
    """
    M = design.arrays
    if design.chart is not None and only is None:
        every = np.arange(int(M.sizes[0]))
        return Order(every, np.setdiff1d(_sampled(design, None), every), 1)
    if not len(M.J):
        return Order(np.zeros(0, np.int64), _sampled(design, only), 1)
    b = int(np.argmax(M.J * M.K * np.where(M.sd0 < 0, 1e-6, 1.0)))
    J, K = int(M.J[b]), int(M.K[b])
    primary = M.block0[b] + (np.arange(K)[None, :] * J + np.arange(J)[:, None]).ravel()
    rest = np.setdiff1d(_sampled(design, only), primary)
    return Order(primary.astype(np.int64), rest.astype(np.int64), K)


def _sampled(design: Design, only: NDArray[np.bool_] | None) -> Index:
    """Places of coordinates that are not held."""
    return np.flatnonzero(~design.frozen if only is None else only & ~design.frozen)


def slopes(design: Design, x: Array) -> tuple[float, Array, Array, Array, Array]:
    """Return log density, gradient, slopes in effects and products of these, V and innovations."""
    out = np.empty((1, len(x) + int(design.arrays.sizes[:2].sum())))
    none = np.zeros(0, np.int64)
    lp, V, _, e, _ = differences(
        design.arrays, x, none, np.zeros(1, np.int64), np.zeros(0), out, levels=False
    )
    return lp, out[0, : len(x)], out[0, len(x) :], V, e


def factor(H: tuple[Array, Array, Array], damp: float, unit: Array, o: Order) -> HessianRoot | None:
    """Factor a Hessian plus a ridge; None where it is not positive definite."""
    D, C, B = H
    J, K = D.shape[:2]
    try:
        ridge = damp / unit[o.primary].reshape(J, K) ** 2 if J else np.zeros((0, K))
        L = np.linalg.cholesky(D + ridge[:, :, None] * np.eye(K)) if J else D
        F = _divided(L, C)
        S = B - _square(F) + np.diag(damp / unit[o.border] ** 2)
        root = np.linalg.cholesky(S)
    except np.linalg.LinAlgError:
        return None
    return HessianRoot(L, F, np.linalg.inv(root).T)


def _divided(L: Array, C: Array) -> Array:
    """Solve with lower triangular matrices by level, (J, K, K), of rows (J * K, q)."""
    J, K = L.shape[:2]
    if K == 1 or not J:
        return C / L[:, 0] if J else C
    return np.linalg.solve(L, C.reshape(J, K, -1)).reshape(J * K, -1)


def _square(F: Array) -> Array:
    """Return F' F, where most of a large F may be zero: levels that never meet in a row."""
    if F.size < LARGE or np.count_nonzero(F) > 0.1 * F.size:
        return F.T @ F
    thin = sparse.csr_matrix(F)
    product: Any = thin.T @ thin
    return product.toarray()


def solve(f: HessianRoot, g: Array, o: Order) -> tuple[Array, float]:
    """Return the Newton step from a gradient, (D,), and its decrement."""
    J, K = f.D.shape[:2]
    out = np.zeros(len(g))
    gd = g[o.primary].reshape(J, K, 1)
    wd = np.linalg.solve(f.D, gd).reshape(-1) if J else np.zeros(0)
    wb = f.G.T @ (g[o.border] - f.F.T @ wd)
    xb = f.G @ wb
    out[o.border] = xb
    if J:
        back = (wd - f.F @ xb).reshape(J, K, 1)
        out[o.primary] = np.linalg.solve(f.D.transpose(0, 2, 1), back).reshape(-1)
    return out, float(wd @ wd + wb @ wb)


def newton(design: Design, x: Array, o: Order, rounds: int = ROUNDS) -> tuple[Array, float]:
    """Climb to a mode by damped Newton steps; returns it and its log density."""
    lp, g, *_ = slopes(design, x)
    damp = 0.0
    for _ in range(rounds):
        H = hessian(design, x, o)
        found = None
        for _ in range(30):
            f = factor(H, damp, design.unit, o)
            if f is not None:
                step, decrement = solve(f, g, o)
                if np.max(np.abs(step) / design.unit, initial=0.0) < FAR:
                    new = x + step
                    new[design.walls] = np.abs(new[design.walls])
                    value, slope, *_ = slopes(design, new)
                    if value > lp - 1e-9 * abs(lp):
                        found = new, value, slope, decrement
                        break
            damp = max(4 * damp, 1e-2)
        if found is None:
            break
        x, lp, g, decrement = found
        if decrement < 1e-3 and damp < 1e-6:
            break
        damp = 0.1 * damp if damp > 1e-4 else 0.0
    return x, lp


def anchored(design: Design, x: Array) -> tuple[Design, Array]:
    """Take information and score at a point, so that z = 0 there at a mode.

    Returns:
        The design with other coordinates, and the same effects, sds and correlations in these.
    """
    if design.chart is not None:
        return reanchored(design, x)
    M = design.arrays
    if not int(M.sizes[0]):
        return design, x
    _, _, g, V, e = slopes(design, x)
    D = len(x)
    sets: list[tuple[Index, Array]] = []
    for b in range(len(M.J)):
        sets += _moved(M, b, V)
    first = np.cumsum([0, *(len(at) for at, _ in sets)])
    out = np.empty((len(sets) + 1, D + int(M.sizes[:2].sum())))
    at, h = (np.concatenate([s[i] for s in sets]) for i in range(2))
    differences(M, x, at.astype(np.int64), first, h, out, levels=True)
    info, score, rho = M.info.copy(), M.score.copy(), M.rho.copy()
    new = x.copy()
    s = 1
    for b in range(len(M.J)):
        J, K, Q, m0 = int(M.J[b]), int(M.K[b]), int(M.Q[b]), int(M.member0[b])
        span = slice(int(M.block0[b]), int(M.block0[b]) + J * K)
        read = _read(M, b, V)
        S = np.empty((J, Q, Q))
        for q in range(Q):
            step = 1e-4 * M.rho[m0 + q] if q < K else _step(M, b, read[q - K])
            S[:, q, :] = -_partial(M, b, out[s + q, D:], read).T / step
        s += Q
        S = _positive((S + S.transpose(0, 2, 1)) / 2) if Q == K else _semidefinite(S)
        T, tau = root_of(design, x, b)
        E = e[span].reshape(K, J).T
        seen = np.vstack([np.eye(K), read]) @ T
        r = np.einsum("jkl,jl->jk", S, E @ seen.T) + _partial(M, b, g, read).T
        R = np.linalg.cholesky(np.eye(K) + seen.T @ S @ seen)
        z = np.einsum("jlk,jl->jk", R, E) - np.linalg.solve(R, (r @ seen)[:, :, None])[:, :, 0]
        new[span] = z.T.ravel()
        info[M.info0[b] : M.info0[b] + J * Q * Q] = S.ravel()
        score[M.score0[b] : M.score0[b] + J * Q] = r.T.ravel()
        if M.sd0[b] >= 0:
            own = np.einsum("jkk->k", S)[:K]
            rho[m0 : m0 + K] = 1 / np.sqrt(own / J)
            new[M.sd0[b] : M.sd0[b] + K] = np.arcsinh(tau / rho[m0 : m0 + K])
    return replace(design, arrays=M._replace(info=info, score=score).with_sds(rho)), new


def _read(M: Any, b: int, V: Array) -> Array:
    """Return what multiplies a block's effects in each product that is read, (Q - K, K)."""
    K, n = int(M.K[b]), int(M.Q[b] - M.K[b])
    w = M.virtual_weight[M.weight0[b] : M.weight0[b] + n * K].reshape(n, K)
    return V[M.virtual_at[M.virtual0[b] : M.virtual0[b] + n]][:, None] * w


def _seen(M: Any, b: int) -> Index:
    """Places of a block's effects and of their products that are read, (Q, J)."""
    J, K, n = int(M.J[b]), int(M.K[b]), int(M.Q[b] - M.K[b])
    own = M.eff0[M.member0[b] : M.member0[b] + K]
    products = int(M.sizes[0]) + M.product_at[M.virtual0[b] : M.virtual0[b] + n]
    return np.concatenate([own, products])[:, None] + np.arange(J)


def _step(M: Any, b: int, read: Array) -> float:
    """By how much a product of effects is moved."""
    K, m0 = int(M.K[b]), int(M.member0[b])
    return 1e-4 * max(float(np.abs(read) @ M.rho[m0 : m0 + K]), 1e-2 * float(M.rho[m0]))


def _moved(M: Any, b: int, V: Array) -> list[tuple[Index, Array]]:
    """Sets of places and steps that move each effect alone, its products held, and each product."""
    J, K, Q, m0 = int(M.J[b]), int(M.K[b]), int(M.Q[b]), int(M.member0[b])
    places, read = _seen(M, b), _read(M, b, V)
    out: list[tuple[Index, Array]] = []
    for k in range(K):
        h = 1e-4 * M.rho[m0 + k]
        back = [np.full(J, -h * read[q, k]) for q in range(Q - K)]
        out.append(
            (np.concatenate([places[k], *places[K:]]), np.concatenate([np.full(J, h), *back]))
        )
    return out + [(places[K + q], np.full(J, _step(M, b, read[q]))) for q in range(Q - K)]


def _partial(M: Any, b: int, g: Array, read: Array) -> Array:
    """Slopes in effects, their products held, and in products, from total ones, (Q, J)."""
    K = int(M.K[b])
    out = g[_seen(M, b)]
    out[:K] -= read.T @ out[K:]
    return out


def _semidefinite(S: Array) -> Array:
    """Raise eigenvalues of matrices to zero, in units of their diagonals, (J, Q, Q)."""
    S = (S + S.transpose(0, 2, 1)) / 2
    size = np.sqrt(np.maximum(np.einsum("jkk->jk", S), 1e-6))
    value, vector = np.linalg.eigh(S / (size[:, :, None] * size[:, None, :]))
    R = np.einsum("jab,jb,jcb->jac", vector, np.maximum(value, 1e-6), vector)
    return R * size[:, :, None] * size[:, None, :]


def _positive(S: Array) -> Array:
    """Keep information matrices positive definite: a floor on variances, correlations below .98."""
    diagonal = np.maximum(np.einsum("jkk->jk", S), 1e-6)
    limit = 0.98 * np.sqrt(diagonal[:, :, None] * diagonal[:, None, :])
    out = np.clip(S, -limit, limit)
    K = S.shape[1]
    out[:, range(K), range(K)] = diagonal
    return out if K < 3 else _shrunk(out)


def _shrunk(S: Array) -> Array:
    """Raise eigenvalues of correlation matrices of three and more effects above .02."""
    size = np.sqrt(np.einsum("jkk->jk", S))
    value, vector = np.linalg.eigh(S / (size[:, :, None] * size[:, None, :]))
    R = np.einsum("jab,jb,jcb->jac", vector, np.maximum(value, 0.02), vector)
    return R * size[:, :, None] * size[:, None, :]


def find_mode(design: Design, x: Array) -> tuple[Design, Array]:
    """Find the mode in coordinates that are anchored there.

    Raises:
        EngineError: there is none to be found.
    """
    if design.chart is not None:
        return find_joint_mode(design, x)
    o = order(design)
    small, before = 0, -np.inf
    for _ in range(PASSES):
        x, lp = newton(design, x, o)
        if not np.isfinite(lp):
            raise EngineError("hmc found no mode to start from")
        design, x = anchored(design, x)
        small = small + 1 if abs(lp - before) < LEAST_GAIN else 0
        before = lp
        if small >= 2 or not len(design.arrays.J):
            break
    return design, x


def find_joint_mode(design: Design, x: Array, rounds: int = JOINT_ROUNDS) -> tuple[Design, Array]:
    """Find the mode of all but the states, which take their mode given these after every step.

    Steps are Newton's, of what is left when the states are integrated out by Laplace's
    approximation, about an anchor that is taken anew.

    Raises:
        EngineError: there is none to be found.
    """
    design, x = reanchored(design, x)
    lp, g, *_ = slopes(design, x)
    if not np.isfinite(lp):
        raise EngineError("hmc found no point to start from")
    o = order(design)
    damp, small, refused = 0.0, 0, 0
    for _ in range(rounds):
        value, vector = np.linalg.eigh(hessian(design, x, o)[2])
        value = np.maximum(np.abs(value), LEAST_CURVATURE) + damp
        slope = vector.T @ g[o.border]
        step = vector @ (slope / value)
        size = float(np.sqrt(np.sum(slope**2 / value)))
        share, found = min(1.0, FARTHEST / max(size, 1e-300)), None
        for _ in range(8):
            new = x.copy()
            new[o.border] += share * step
            new[design.walls] = np.abs(new[design.walls])
            moved, new = reanchored(design, new)
            there, gradient, *_ = slopes(moved, new)
            if np.isfinite(there) and there > lp - 1e-3:
                found = moved, new, there, gradient
                break
            share *= 0.4
        if found is None:
            damp = max(10 * damp, 3.0)
            refused += 1
            if refused > 3:
                break
            continue
        gain = found[2] - lp
        design, x, lp, g = found
        small = small + 1 if gain < LEAST_GAIN and damp < 1 else 0
        damp = damp / 10 if damp > 0.3 else 0.0
        if small >= (1 if size < 1 else 2) or size < CLOSE_TO_MODE:
            break
    return design, x


@dataclass(frozen=True)
class Guide:
    """Hold what a fit of like data found: its design, mode and curvature."""

    design: Design
    x: Array
    factor: HessianRoot


def guided(design: Design, guide: Guide) -> tuple[Design, Array] | None:
    """Find the mode of data that are like others, by steps with the curvature of those.

    Returns:
        As `find_mode`; None where the data are arranged otherwise or steps lead nowhere.
    """
    M, N = design.arrays, guide.design.arrays
    if design.chart is not None:
        return _guided_jointly(design, guide)
    if len(design.start) != len(guide.x) or not np.array_equal(M.info0, N.info0):
        return None
    if len(M.info) != len(N.info) or np.any(design.frozen != guide.design.frozen):
        return None
    x = guide.x.copy()
    x[: int(M.sizes[0])] = 0.0
    x[design.frozen] = design.start[design.frozen]
    for new, old in zip(design.parts, guide.design.parts, strict=True):
        if new.turn.shape != old.turn.shape:
            return None
        span = slice(new.slope0, new.slope0 + len(new.turn))
        x[span] = np.linalg.solve(new.turn, old.turn @ guide.x[span])
    like = M._replace(info=N.info, score=np.zeros_like(N.score)).with_sds(N.rho)
    design, o = replace(design, arrays=like), order(design)
    for _ in range(GUIDED):
        found = _climb(design, x, guide.factor, o)
        if found is None:
            return None
        design, x = anchored(design, found)
    return design, x


def _guided_jointly(design: Design, guide: Guide) -> tuple[Design, Array] | None:
    if len(design.start) != len(guide.x) or np.any(design.frozen != guide.design.frozen):
        return None
    x = guide.x.copy()
    x[design.frozen] = design.start[design.frozen]
    for new, old in zip(design.parts, guide.design.parts, strict=True):
        if new.turn.shape != old.turn.shape:
            return None
        span = slice(new.slope0, new.slope0 + len(new.turn))
        x[span] = np.linalg.solve(new.turn, old.turn @ guide.x[span])
    return find_joint_mode(design, x, GUIDED)


def _climb(design: Design, x: Array, f: HessianRoot, o: Order) -> Array | None:
    """Climb by steps of a curvature that is taken from elsewhere; None where there is no way up."""
    lp, g, *_ = slopes(design, x)
    for _ in range(ROUNDS):
        step, decrement = solve(f, g, o)
        if decrement < NEAR:
            break
        for _ in range(5):
            new = x + step
            new[design.walls] = np.abs(new[design.walls])
            value, slope, *_ = slopes(design, new)
            if value > lp - 1e-9 * abs(lp):
                break
            step = 0.3 * step
        else:
            return None
        gain = value - lp
        x, lp, g = new, value, slope
        if gain < 0.1 * NEAR:
            break
    return x


def metric(design: Design, x: Array, damp: float = 0.0) -> tuple[Any, HessianRoot] | None:
    """Take the metric at a point; None where the Hessian is not positive definite there.

    Args:
        design: the component.
        x: the point.
        damp: ridge on the Hessian, as for `factor`.
    """
    o = order(design)
    f = factor(hessian(design, x, o), damp, design.unit, o)
    if f is None:
        return None
    rows, columns = np.nonzero(np.abs(f.F) > 1e-9 * max(float(np.abs(f.F).max(initial=0.0)), 1e-9))
    F0 = np.searchsorted(rows, np.arange(len(f.F) + 1)).astype(np.int64)
    walls = np.searchsorted(o.border, design.walls).astype(np.int64)  # all are sampled
    A = Metric(
        x.copy(), o.primary, o.border, o.K, np.ascontiguousarray(f.D), F0,
        columns.astype(np.int64), f.F[rows, columns], np.ascontiguousarray(f.G), walls,
    )  # fmt: skip
    return A, f


def to_w(f: HessianRoot, A: Any, x: Array) -> Array:
    """Take coordinates to the sampler's, the inverse of `sampler.to_x`."""
    away = x - A.x0
    J, K = f.D.shape[:2]
    wb = np.linalg.solve(f.G, away[A.border])
    if not J:
        return wb
    wd = np.einsum("jlk,jl->jk", f.D, away[A.primary].reshape(J, K)).ravel()
    return np.concatenate([wd + f.F @ away[A.border], wb])


def from_w(f: HessianRoot, A: Any, w: Array) -> Array:
    """Take places of the sampler, (n, D), to coordinates, as `sampler.to_x` does for one."""
    n = len(A.primary)
    x = np.repeat(A.x0[None], len(w), axis=0)
    b = w[:, n:] @ A.G.T
    x[:, A.border] += b
    if n:
        J, K = f.D.shape[:2]
        back = (w[:, :n] - b @ f.F.T).reshape(-1, J, K)
        x[:, A.primary] += np.einsum("jlk,njl->njk", np.linalg.inv(f.D), back).reshape(len(w), -1)
    return x


def settle(design: Design, x: Array) -> tuple[Design, Array]:
    """Move the effects to their mode given everything else, and with them a joint anchor."""
    if design.chart is not None:
        return reanchored(design, x)
    neff = int(design.arrays.sizes[0])
    if not neff:
        return design, x
    return design, newton(design, x, order(design, np.arange(len(x)) < neff), 5)[0]

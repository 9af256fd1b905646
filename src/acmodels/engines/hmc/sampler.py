"""Hamiltonian Monte Carlo about a Gaussian, and differences of the gradient: the two entry points.

Coordinates are x = x0 + B w, with w nearly standard normal: the effects of the primary block,
level by level, are taken out of the Hessian first, and what is left, the border, has a dense root
(an arrowhead matrix). A step is a kick by the slope of the log density over that of the standard
normal, an exact rotation in (w, p), and another kick (Shahbaba, Lan, Johnson & Neal, 2014). Sds
stay positive by reflection, which is exact within the rotation. The number of steps is drawn so
that their angle is near a quarter of a turn; the step size adapts by dual averaging (Hoffman &
Gelman, 2014).
"""

# what Numba compiles has no annotations
# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import math
from collections import namedtuple

import numpy as np

from acmodels.engines.compiling import entry
from acmodels.engines.hmc.density import log_density
from acmodels.engines.hmc.elementary import PLAIN, inlined, mix, normals, summed, uniform
from acmodels.engines.hmc.predictors import dot, room

Metric = namedtuple("Metric", "x0 primary border K D F0 Fi Fv G walls")
"""x0: center; places in x of `primary` effects, level by level, K a level, and of the `border`; D:
Cholesky factors by level, (J, K, K); F: coupling of primary rows with the border, sparse by rows
(F0, Fi, Fv); G: root of the border's covariance; `walls`: rows of the border that stay positive."""


@summed
def times(A, v, out):
    """Out = A v."""
    for i in range(A.shape[0]):
        s = 0.0
        for j in range(A.shape[1]):
            s += A[i, j] * v[j]
        out[i] = s


@summed
def transposed(A, v, out):
    """Out = A' v."""
    out[:] = 0.0
    for i in range(A.shape[0]):
        f = v[i]
        for j in range(A.shape[1]):
            out[j] += f * A[i, j]


@inlined
def to_x(A, w, x, b):
    """From w to x; b is room for the border."""
    J, K = A.D.shape[0], A.K
    n = J * K
    times(A.G, w[n:], b)
    for i in range(b.size):
        x[A.border[i]] = A.x0[A.border[i]] + b[i]
    for j in range(J):
        for k in range(K - 1, -1, -1):
            r = j * K + k
            v = w[r]
            for q in range(A.F0[r], A.F0[r + 1]):
                v -= A.Fv[q] * b[A.Fi[q]]
            for m in range(k + 1, K):
                o = A.primary[j * K + m]
                v -= A.D[j, m, k] * (x[o] - A.x0[o])
            x[A.primary[r]] = A.x0[A.primary[r]] + v / A.D[j, k, k]


@inlined
def to_slope(A, g, gw, b):
    """Gradient in w of minus the log density, from its gradient in x."""
    J, K = A.D.shape[0], A.K
    n = J * K
    for i in range(b.size):
        b[i] = -g[A.border[i]]
    for j in range(J):
        for k in range(K):
            r = j * K + k
            v = -g[A.primary[r]]
            for m in range(k):
                v -= A.D[j, k, m] * gw[j * K + m]
            v /= A.D[j, k, k]
            gw[r] = v
            for q in range(A.F0[r], A.F0[r + 1]):
                b[A.Fi[q]] -= A.Fv[q] * v
    transposed(A.G, b, gw[n:])


@inlined
def rotate(A, w, p, angle):
    """Turn (w, p), reflecting where an sd would become negative."""
    n = A.D.shape[0] * A.K
    left = angle
    for _ in range(50):
        t = left
        hit = -1
        for m in range(A.walls.size):
            i = A.walls[m]
            a = dot(A.G[i], w[n:])
            b = dot(A.G[i], p[n:])
            c = A.x0[A.border[i]]
            radius = math.sqrt(a * a + b * b)
            if radius > c:
                arc = math.acos(max(-1.0, -c / radius)) if c > -radius else math.pi
                at = (math.atan2(b, a) + arc) % (2.0 * math.pi)
                if 0.0 <= at < t:
                    t = at
                    hit = i
        cs, sn = math.cos(t), math.sin(t)
        for i in range(w.size):
            v = w[i]
            w[i] = cs * v + sn * p[i]
            p[i] = cs * p[i] - sn * v
        if hit < 0:
            return
        f = 2.0 * dot(A.G[hit], p[n:]) / dot(A.G[hit], A.G[hit])
        for i in range(A.G.shape[0]):
            p[n + i] -= f * A.G[hit, i]
        left -= t


@entry(**PLAIN)
def differences(M, x, at, first, h, out, levels):
    """Gradients, and how they change where sets of coordinates or of effects change.

    Args:
        M: the model.
        x: coordinates, (D,).
        at: places in x, or of effects, of all sets.
        first: set s is at[first[s] : first[s + 1]].
        h: by how much, for each of `at`.
        out: (sets + 1, D + effects and products of these): first the gradient with the slopes in
            effects, then changes where each coordinate of a set has moved up by h.
        levels: whether sets are of effects, not coordinates.

    Returns:
        The log density, V and its gradient, the effects' innovations (states where they have joint
        coordinates), and V at the anchor's states.
    """
    D = x.size
    neff = M.sizes[0]
    R = room(M)
    g = np.empty(D)
    lp = log_density(M, x, g, R)
    out[0, :D] = g
    out[0, D : D + neff] = R.G[1 : 1 + neff]
    for k in range(M.seen_at.size):
        out[0, D + neff + k] = R.G[M.seen_at[k]]
    V0, G0, e0, V1 = R.V.copy(), R.G.copy(), R.e.copy(), R.V1.copy()
    y = x.copy()
    for s in range(first.size - 1):
        for i in range(first[s], first[s + 1]):
            k = at[i]
            if levels:
                R.shift[k] = h[i]
            else:
                y[k] += h[i]
        log_density(M, y, g, R)
        out[s + 1, :D] = g - out[0, :D]
        for k in range(neff):
            out[s + 1, D + k] = R.G[1 + k] - out[0, D + k]
        for k in range(M.seen_at.size):
            out[s + 1, D + neff + k] = R.G[M.seen_at[k]] - out[0, D + neff + k]
        for i in range(first[s], first[s + 1]):
            k = at[i]
            if levels:
                R.shift[k] = 0.0
            else:
                y[k] = x[k]
    return lp, V0, G0, e0, V1


@entry(**PLAIN)
def chain(M, A, w, seed, warm, draws, step, target, angle, jitter, fixed, effects, stats, done):  # noqa: PLR0915
    """Run a chain; adapt the step size during warm-up.

    Args:
        M: the model.
        A: the metric.
        w: where to start, (D,); left where the chain ends.
        seed: of its random numbers.
        warm: steps that are not kept.
        draws: steps that are.
        step: to start with.
        target: mean acceptance.
        angle: of a trajectory, times 1 +- jitter.
        jitter: a share.
        fixed: (draws, coordinates that are not of effects), to be filled.
        effects: (draws, effects), to be filled; of no columns where none are kept.
        stats: (draws, 4): acceptance, gradients, energy, whether it diverged.
        done: counts draws, for a person to see; a number above 0 in done[1] stops the chain.

    Returns:
        The step size.
    """
    D = w.size
    neff = M.sizes[0]
    R = room(M)
    u = R.V[1 : 1 + neff]
    kept = np.empty(neff)
    x = A.x0.copy()
    g = np.empty(x.size)
    gw = np.empty(D)
    p = np.empty(D)
    wn = np.empty(D)
    gn = np.empty(D)
    b = np.empty(A.border.size)
    state = np.empty(2, np.int64)
    state[0] = mix(seed)
    state[1] = 0
    to_x(A, w, x, b)
    U = -log_density(M, x, g, R)
    to_slope(A, g, gw, b)
    kept[:] = u
    mu = math.log(2.0 * step)
    bar, log_bar, log_step = 0.0, math.log(step), math.log(step)
    for t in range(warm + draws):
        if done[1] > 0:
            break
        s = min(math.exp(log_step if t < warm else log_bar), 2.2)
        turn = angle * (1.0 + jitter * (2.0 * uniform(state) - 1.0))
        L = math.ceil(turn / s)
        s = turn / L
        normals(state, p)
        k0 = 0.0
        for i in range(D):
            wn[i] = w[i]
            gn[i] = gw[i]
            k0 += p[i] * p[i]
        new = U
        diverged = False
        for _ in range(L):
            for i in range(D):
                p[i] -= 0.5 * s * (gn[i] - wn[i])
            rotate(A, wn, p, s)
            to_x(A, wn, x, b)
            new = -log_density(M, x, g, R)
            to_slope(A, g, gn, b)
            for i in range(D):
                p[i] -= 0.5 * s * (gn[i] - wn[i])
            if not abs(new - U) < 1e4:
                diverged = True
                break
        k1 = 0.0
        for i in range(D):
            k1 += p[i] * p[i]
        change = U - new + 0.5 * (k0 - k1)
        if not change > -1000.0:
            diverged = True
        accept = 0.0 if diverged else min(1.0, math.exp(min(change, 0.0)))
        if uniform(state) < accept:
            for i in range(D):
                w[i] = wn[i]
                gw[i] = gn[i]
            U = new
            kept[:] = u
        if t < warm:
            k = t + 1.0
            bar = (1.0 - 1.0 / (k + 10.0)) * bar + (target - accept) / (k + 10.0)
            log_step = min(mu - math.sqrt(k) / 0.05 * bar, 1.0)
            share = k**-0.75
            log_bar = share * log_step + (1.0 - share) * log_bar
        else:
            r = t - warm
            to_x(A, w, x, b)
            for i in range(fixed.shape[1]):
                fixed[r, i] = x[neff + i]
            if effects.shape[1]:
                effects[r] = kept
            stats[r, 0] = accept
            stats[r, 1] = L
            stats[r, 2] = U + 0.5 * k0
            stats[r, 3] = 1.0 if diverged else 0.0
        done[0] += 1
    return math.exp(log_bar)

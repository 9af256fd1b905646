"""Group effects in coordinates in which they are nearly standard normal, and their priors.

Group effects are u = T e, with T T' their covariance and e standard normal. Let I be the
information of the data about the effects of a level (K x K), at an anchor, and r the working
score that belongs to it. With A = 1 + T' I T = R R', e = R^-T (z + R^-1 T' r): given everything
else, z is then nearly standard normal whatever T is, and the density stays smooth where a
standard deviation is zero. The density is exact for any I and r, which only move the coordinates.
For one effect a level this is the partly non-centered parametrization of Papaspiliopoulos,
Roberts and Skold (2007), with weights that follow the standard deviation.

Where other equations read an effect times a coefficient of theirs, as they do a latent mean, the
data inform about these products too: I and r are about S e, with the rows of T first and below
these coefficients times rows of T. The coordinates so follow the coefficients.

Sds are tau = rho sinh(x), x >= 0; correlation matrices are made of partial correlations, tanh(x)
(Lewandowski, Kurowicka & Joe, 2009). The adjoint of a Cholesky factor is Murray's (2016).
"""

# what Numba compiles has no annotations
# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import math

import numpy as np

from acmodels.engines.hmc import places
from acmodels.engines.hmc.elementary import inlined, log, summed
from acmodels.engines.hmc.places import MOST_EFFECTS, MOST_SEEN


@inlined
def prior(form, v, location, scale, shape):
    """Log density of a prior up to a constant, and its derivative; forms as in `arrays.FORMS`."""
    z = (v - location) / scale
    if form == 0:  # normal
        return -0.5 * z * z, -z / scale
    if form == 1:  # t
        return (
            -0.5 * (shape + 1.0) * math.log1p(z * z / shape),
            -(shape + 1.0) * z / (shape + z * z) / scale,
        )
    if form == 2:  # Laplace, exponential
        return -abs(z), -(1.0 if z > 0 else -1.0) / scale
    if form == 3:  # gamma
        v = max(v, 1e-300)
        return (shape - 1.0) * math.log(v) - z, (shape - 1.0) / v - 1.0 / scale
    if form == 4:  # lognormal: scale is e^mu, shape sigma
        v = max(v, 1e-300)
        t = math.log(v / scale) / shape
        return -0.5 * t * t - math.log(v), -(t / shape + 1.0) / v
    if form == 5:  # beta of shapes `shape` and `location`
        v = min(max(v, 1e-300), 1.0 - 1e-16)
        return (
            (shape - 1.0) * math.log(v) + (location - 1.0) * math.log1p(-v),
            (shape - 1.0) / v - (location - 1.0) / (1.0 - v),
        )
    return 0.0, 0.0  # uniform


@inlined
def root_of(M, x, b, tau, L, T):
    """Sds of a block, its correlations' Cholesky factor L, last member first, and T.

    T is upper triangular, T T' the covariance: with R lower triangular, T R^-T is then the one
    upper triangular root of the effects' covariance given the data, and turns little with T.
    """
    K = M.block[b, places.K]
    at = M.block[b, places.cor0]
    for k in range(K):
        left = 1.0
        for j in range(k):
            p = math.tanh(x[at])
            at += 1
            L[k, j] = p * left
            left *= math.sqrt(max(1.0 - p * p, 1e-300))
        L[k, k] = left
        tau[k] = M.sd[M.block[b, places.member0] + k, places.rho] * math.sinh(
            x[M.block[b, places.sd0] + k]
        )
    for k in range(K):
        for j in range(k + 1):
            T[K - 1 - k, K - 1 - j] = tau[K - 1 - k] * L[k, j]


@inlined
def single_forward(c, info, r, z, shift, u, e, root):
    """Effects of levels that have one each; returns their log density."""
    for j in range(z.size):
        s = math.sqrt(1.0 / (1.0 + c * c * info[j]))
        v = (z[j] + s * c * r[j]) * s
        root[j] = s
        e[j] = v
        u[j] = c * v + shift[j]
    return single_density(e, root)


@summed
def single_density(e, root):
    """Sum of log s - e^2 / 2."""
    a = 0.0
    for j in range(e.size):
        a += log(root[j]) - 0.5 * e[j] * e[j]
    return a


@summed
def single_back(c, info, r, gu, e, root, g):
    """Gradients in z; returns that in the sd."""
    a = 0.0
    for j in range(g.size):
        q = root[j] * root[j]
        back = c * gu[j] - e[j]
        g[j] = back * root[j]
        a += gu[j] * e[j] - c * info[j] * q
        a += back * (q * r[j] - c * info[j] * q * (e[j] + q * c * r[j]))
    return a


@inlined
def seen_by(M, b, V, T, S):
    """Fill in S, where S e is what the data inform about.

    It is the effects T e and, below, coefficients times these.
    """
    K, Q = M.block[b, places.K], M.block[b, places.Q]
    for a in range(K):
        for c in range(K):
            S[a, c] = T[a, c]
    for q in range(Q - K):
        v = M.block[b, places.virtual0] + q
        for c in range(K):
            s = 0.0
            for h in range(K):
                s += M.virtual_weight[M.block[b, places.weight0] + q * K + h] * T[h, c]
            S[K + q, c] = V[M.read[v, places.virtual_at]] * s


@inlined
def seen_back(M, b, V, G, T, gS, gT):
    """Slopes in T and in the coefficients from those in S, which are of rows below K here."""
    K, Q = M.block[b, places.K], M.block[b, places.Q]
    for a in range(K):
        for c in range(K):
            gT[a, c] += gS[a, c]
    for q in range(Q - K):
        at = M.read[M.block[b, places.virtual0] + q, places.virtual_at]
        for c in range(K):
            s = 0.0
            for h in range(K):
                w = M.virtual_weight[M.block[b, places.weight0] + q * K + h]
                s += w * T[h, c]
                gT[h, c] += V[at] * w * gS[K + q, c]
            G[at] += gS[K + q, c] * s


@inlined
def several_forward(M, b, x, T, S, shift, u, e, root):
    """Effects of levels that have K each; returns their log density."""
    J, K, Q = M.block[b, places.J], M.block[b, places.K], M.block[b, places.Q]
    f0, z0, i0, r0 = (
        M.member[M.block[b, places.member0], places.eff0],
        M.block[b, places.block0],
        M.block[b, places.info0],
        M.block[b, places.score0],
    )
    W = np.empty((MOST_SEEN, MOST_EFFECTS))
    t = np.empty(MOST_EFFECTS)
    lp = 0.0
    for j in range(J):
        o = i0 + j * Q * Q
        for a in range(Q):
            for c in range(K):
                v = 0.0
                for h in range(Q):
                    v += M.info[o + a * Q + h] * S[h, c]
                W[a, c] = v
        product = 1.0
        for a in range(K):
            for c in range(a + 1):
                v = 1.0 if a == c else 0.0
                for h in range(Q):
                    v += S[h, a] * W[h, c]
                for h in range(c):
                    v -= root[o + a * K + h] * root[o + c * K + h]
                if a == c:
                    v = math.sqrt(max(v, 1e-300))
                    root[o + a * K + a] = v
                    product *= v
                else:
                    root[o + a * K + c] = v / root[o + c * K + c]
        lp -= math.log(product)
        for a in range(K):
            v = 0.0
            for h in range(Q):
                v += S[h, a] * M.score[r0 + h * J + j]
            for h in range(a):
                v -= root[o + a * K + h] * t[h]
            t[a] = v / root[o + a * K + a]
        for a in range(K - 1, -1, -1):
            v = x[z0 + a * J + j] + t[a]
            for h in range(a + 1, K):
                v -= root[o + h * K + a] * e[f0 + h * J + j]
            v /= root[o + a * K + a]
            e[f0 + a * J + j] = v
            lp -= 0.5 * v * v
        for a in range(K):
            v = shift[f0 + a * J + j]
            for h in range(a, K):
                v += T[a, h] * e[f0 + h * J + j]
            u[f0 + a * J + j] = v
    return lp


@inlined
def several_back(M, b, g, T, S, gu, e, root, gT, gS):
    """Gradients in z, and in T and S, which are added to gT and gS."""
    J, K, Q = M.block[b, places.J], M.block[b, places.K], M.block[b, places.Q]
    f0, z0, i0, r0 = (
        M.member[M.block[b, places.member0], places.eff0],
        M.block[b, places.block0],
        M.block[b, places.info0],
        M.block[b, places.score0],
    )
    P = np.empty((MOST_EFFECTS, MOST_EFFECTS))
    t = np.empty(MOST_EFFECTS)
    q = np.empty(MOST_EFFECTS)
    y = np.empty(MOST_EFFECTS)
    w = np.empty(MOST_EFFECTS)
    for j in range(J):
        o = i0 + j * Q * Q
        for a in range(K):
            v = -e[f0 + a * J + j]
            s = 0.0
            for h in range(a + 1):
                v += T[h, a] * gu[f0 + h * J + j]
            for h in range(Q):
                s += S[h, a] * M.score[r0 + h * J + j]
            for h in range(a):
                v -= root[o + a * K + h] * y[h]
                s -= root[o + a * K + h] * t[h]
            y[a] = v / root[o + a * K + a]
            t[a] = s / root[o + a * K + a]
            g[z0 + a * J + j] = y[a]
        for a in range(K - 1, -1, -1):
            v = y[a]
            for h in range(a + 1, K):
                v -= root[o + h * K + a] * q[h]
            q[a] = v / root[o + a * K + a]
        for a in range(K):
            for c in range(a + 1):
                P[a, c] = -e[f0 + a * J + j] * y[c] - q[a] * t[c]
            for c in range(a, K):
                gT[a, c] += gu[f0 + a * J + j] * e[f0 + c * J + j]
            P[a, a] -= 1.0 / root[o + a * K + a]
        for c in range(K - 1, -1, -1):
            d = root[o + c * K + c]
            for a in range(c + 1, K):
                P[c, c] -= P[a, c] * root[o + a * K + c] / d
            for a in range(c, K):
                P[a, c] /= d
            for h in range(c):
                for a in range(c, K):
                    P[c, h] -= P[a, c] * root[o + a * K + h]
                for a in range(c + 1, K):
                    P[a, h] -= P[a, c] * root[o + c * K + h]
            P[c, c] *= 0.5
        for a in range(K):
            for c in range(a):
                P[c, a] = P[a, c]
            P[a, a] *= 2.0
        for a in range(Q):
            for c in range(K):
                v = 0.0
                for h in range(Q):
                    v += M.info[o + a * Q + h] * S[h, c]
                w[c] = v
            s = M.score[r0 + a * J + j]
            for c in range(K):
                v = s * q[c]
                for h in range(K):
                    v += w[h] * P[h, c]
                gS[a, c] += v


@inlined
def scales_back(M, b, x, g, tau, L, gT):
    """Gradients in sds and correlations from that in T; returns the log density of these."""
    K, m0, at = M.block[b, places.K], M.block[b, places.member0], M.block[b, places.cor0]
    lp = 0.0
    gL = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    for k in range(K):
        d = 0.0
        r = K - 1 - k  # the place of the member in L
        for j in range(r + 1):
            d += gT[k, K - 1 - j] * L[r, j]
            gL[r, j] = gT[k, K - 1 - j] * tau[k]
        m = m0 + k
        at_sd = M.block[b, places.sd0] + k
        v, dv = prior(
            M.member[m, places.sd_form],
            abs(tau[k]),
            M.sd[m, places.sd_location],
            M.sd[m, places.sd_scale],
            M.sd[m, places.sd_shape],
        )
        if tau[k] < 0.0:
            dv = -dv
        lp += v + math.log(math.cosh(x[at_sd]))
        g[at_sd] += (d + dv) * M.sd[m, places.rho] * math.cosh(x[at_sd]) + math.tanh(x[at_sd])
    for k in range(K):
        left = 1.0
        for j in range(k):
            p = math.tanh(x[at])
            o = max(1.0 - p * p, 1e-300)
            d = gL[k, j] * left
            for h in range(j + 1, k + 1):
                d -= gL[k, h] * L[k, h] * p / o
            shape = M.lkj[b] + 0.5 * (K - 2 - j)
            lp += shape * math.log(o)
            g[at] += d * o - 2.0 * shape * p
            left *= math.sqrt(o)
            at += 1
    return lp

"""The log density of any model of the class and its gradient, driven by arrays: compiled once.

Coordinates x are first those of the group effects, z, then those of everything else: for each
equation its slopes, its constant or middle threshold and the logs of gaps between thresholds, its
residual sd and its family's numbers; for each block of group effects its sds and correlations.

Group effects are u = T e, with T T' their covariance and e standard normal. Let I be the
information of the data about the effects of a level (K x K), at an anchor, and r the working
score that belongs to it. With A = 1 + T' I T = R R', e = R^-T (z + R^-1 T' r): given everything
else, z is then nearly standard normal whatever T is, and the density stays smooth where a
standard deviation is zero. The density is exact for any I and r, which only move the coordinates.
For one effect a level this is the partly non-centered parametrization of Papaspiliopoulos,
Roberts and Skold (2007), with weights that follow the standard deviation.

Sds are tau = rho sinh(x), x >= 0; correlation matrices are made of partial correlations, tanh(x)
(Lewandowski, Kurowicka & Joe, 2009). The adjoint of a Cholesky factor is Murray's (2016).
"""

# what Numba compiles has no annotations
# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import math
from collections import namedtuple

import numpy as np

from acmodels.engines.hmc.densities import CHUNK
from acmodels.engines.hmc.elementary import called, inlined, log, summed

MOST_EFFECTS = 8
"""Effects that may share a covariance."""

Arrays = namedtuple(
    "Arrays",
    """address row0 data data0 eta0 weight X X0 p slope0 constant cut0 cuts par0 pars
    lower upper term0 effect level Z Z0 zero_level
    J K member block0 info0 sd0 cor0 eff0 rho info score lkj
    a A prior0 lin0 form location scale shape par_prior0 par_form par_location par_scale par_shape
    sd_form sd_location sd_scale sd_shape sizes""",
)
"""Everything about a model and its data.

By equation e: `address` of the row density, first row `row0`, `data` from `data0` on, `eta0`
known part of the predictor, `weight`, columns `X` from `X0` on (p, n), place in x of the first
slope `slope0`, of the constant (-1 if there is none) and of the first threshold's coordinate
`cut0`, number of thresholds `cuts`, place of the first further parameter `par0`, how many `pars`,
with bounds `lower` and `upper`. Terms of group effects from `term0[e]` on: the member `effect`,
the `level` of each row and multipliers `Z` from `Z0` on (-1 for ones).

By block: levels `J`, effects `K`, first `member`, first coordinate of z `block0`, first information
`info0`, coordinates of sds and correlations `sd0`, `cor0`; by member `eff0`, the first effect, and
`rho`.

Priors of an equation's linear parameters (slopes, constant, thresholds) are on a + A linear, with
`form`, `location`, `scale` and `shape`. `sizes`: effects in all, most linear parameters.
"""


@summed
def dot(a, b):
    """Inner product."""
    s = 0.0
    for k in range(b.size):
        s += a[k] * b[k]
    return s


@inlined
def add(c, x, out):
    """Out += c x."""
    for k in range(x.size):
        out[k] += c * x[k]


@inlined
def gather(u, level, z, ones, out):
    """Add each row's group effect."""
    if ones:
        for i in range(level.size):
            out[i] += u[level[i]]
    else:
        for i in range(level.size):
            out[i] += z[i] * u[level[i]]


@inlined
def scatter(d, level, z, ones, out):
    """Add each row's slope to its group's."""
    if ones:
        for i in range(level.size):
            out[level[i]] += d[i]
    else:
        for i in range(level.size):
            out[level[i]] += z[i] * d[i]


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
    K = M.K[b]
    at = M.cor0[b]
    for k in range(K):
        left = 1.0
        for j in range(k):
            p = math.tanh(x[at])
            at += 1
            L[k, j] = p * left
            left *= math.sqrt(max(1.0 - p * p, 1e-300))
        L[k, k] = left
        tau[k] = M.rho[M.member[b] + k] * math.sinh(x[M.sd0[b] + k])
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
def several_forward(M, b, x, T, shift, u, e, root):
    """Effects of levels that have K each; returns their log density."""
    J, K = M.J[b], M.K[b]
    f0, z0, i0 = M.eff0[M.member[b]], M.block0[b], M.info0[b]
    W = np.empty((MOST_EFFECTS, MOST_EFFECTS))
    t = np.empty(MOST_EFFECTS)
    lp = 0.0
    for j in range(J):
        o = i0 + j * K * K
        for a in range(K):
            for c in range(K):
                v = 0.0
                for h in range(c + 1):
                    v += M.info[o + a * K + h] * T[h, c]
                W[a, c] = v
        product = 1.0
        for a in range(K):
            for c in range(a + 1):
                v = 1.0 if a == c else 0.0
                for h in range(a + 1):
                    v += T[h, a] * W[h, c]
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
            for h in range(a + 1):
                v += T[h, a] * M.score[f0 + h * J + j]
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
def several_back(M, b, g, T, gu, e, root, gT):
    """Gradients in z, and in T, which are added to gT."""
    J, K = M.J[b], M.K[b]
    f0, z0, i0 = M.eff0[M.member[b]], M.block0[b], M.info0[b]
    W = np.empty((MOST_EFFECTS, MOST_EFFECTS))
    P = np.empty((MOST_EFFECTS, MOST_EFFECTS))
    t = np.empty(MOST_EFFECTS)
    q = np.empty(MOST_EFFECTS)
    y = np.empty(MOST_EFFECTS)
    for j in range(J):
        o = i0 + j * K * K
        for a in range(K):
            v = -e[f0 + a * J + j]
            s = 0.0
            for h in range(a + 1):
                v += T[h, a] * gu[f0 + h * J + j]
                s += T[h, a] * M.score[f0 + h * J + j]
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
                gT[a, c] += gu[f0 + a * J + j] * e[f0 + c * J + j] + M.score[f0 + a * J + j] * q[c]
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
        for a in range(K):
            for c in range(K):
                v = 0.0
                for h in range(c + 1):
                    v += M.info[o + a * K + h] * T[h, c]
                W[a, c] = v
        for a in range(K):
            for c in range(a, K):
                v = 0.0
                for h in range(K):
                    v += W[a, h] * P[h, c]
                gT[a, c] += v


@inlined
def scales_back(M, b, x, g, tau, L, gT):
    """Gradients in sds and correlations from that in T; returns the log density of these."""
    K, m0, at = M.K[b], M.member[b], M.cor0[b]
    lp = 0.0
    gL = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    for k in range(K):
        d = 0.0
        r = K - 1 - k  # the place of the member in L
        for j in range(r + 1):
            d += gT[k, K - 1 - j] * L[r, j]
            gL[r, j] = gT[k, K - 1 - j] * tau[k]
        m = m0 + k
        at_sd = M.sd0[b] + k
        v, dv = prior(M.sd_form[m], abs(tau[k]), M.sd_location[m], M.sd_scale[m], M.sd_shape[m])
        if tau[k] < 0.0:
            dv = -dv
        lp += v + math.log(math.cosh(x[at_sd]))
        g[at_sd] += (d + dv) * M.rho[m] * math.cosh(x[at_sd]) + math.tanh(x[at_sd])
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


@inlined
def rows_density(M, e, x, g, W, par, u, gu, lin, g_lin, g_par):
    """One equation: fills g_lin and g_par; returns the log density of its rows."""
    r0 = M.row0[e]
    n = M.row0[e + 1] - r0
    p = M.p[e]
    has = 1 if M.constant[e] >= 0 else 0
    constant = lin[p] if has else 0.0
    lp = 0.0
    first = 0
    while first < n:
        m = min(CHUNK, n - first)
        a = r0 + first
        eta = W[0, :m]
        d = W[2, :m]
        for i in range(m):
            eta[i] = M.eta0[a + i] + constant
        for k in range(p):
            o = M.X0[e] + k * n + first
            add(x[M.slope0[e] + k], M.X[o : o + m], eta)
        for t in range(M.term0[e], M.term0[e + 1]):
            z0 = M.Z0[t] + first if M.Z0[t] >= 0 else 0
            l0 = M.zero_level[t] + first
            gather(
                u[M.eff0[M.effect[t]] :], M.level[l0 : l0 + m], M.Z[z0 : z0 + m], M.Z0[t] < 0, eta
            )
        lp += called(
            M.address[e],
            m,
            n,
            eta.ctypes.data,
            M.data[M.data0[e] + first :].ctypes.data,
            par.ctypes.data,
            M.weight[a:].ctypes.data,
            W[1].ctypes.data,
            d.ctypes.data,
            g_par.ctypes.data,
            W[3].ctypes.data,
        )
        for k in range(p):
            o = M.X0[e] + k * n + first
            g[M.slope0[e] + k] += dot(d, M.X[o : o + m])
        if has:
            s = 0.0
            for i in range(m):
                s += d[i]
            g_lin[p] += s
        for t in range(M.term0[e], M.term0[e + 1]):
            z0 = M.Z0[t] + first if M.Z0[t] >= 0 else 0
            l0 = M.zero_level[t] + first
            scatter(
                d, M.level[l0 : l0 + m], M.Z[z0 : z0 + m], M.Z0[t] < 0, gu[M.eff0[M.effect[t]] :]
            )
        first += m
    return lp


@inlined
def equation_density(M, e, x, g, W, u, gu):  # noqa: PLR0915
    """An equation's parameters, their priors and its rows."""
    p, K = M.p[e], M.cuts[e]
    has = 1 if M.constant[e] >= 0 else 0
    size = M.sizes[1]
    lin = np.empty(size)
    g_lin = np.zeros(size)
    par = np.empty(M.pars[e] + K + 1)
    g_par = np.zeros(M.pars[e] + K + 1)
    lp = 0.0
    par[M.pars[e] + K] = 1.0  # the residual sd where errors are known
    for k in range(p):
        lin[k] = x[M.slope0[e] + k]
    if has:
        lin[p] = x[M.constant[e]]
    for k in range(M.pars[e]):
        c = x[M.par0[e] + k]
        i = M.par_prior0[e] + k
        low, high = M.lower[i], M.upper[i]
        if high > 1e300:
            v = math.exp(c)
            par[k] = low + v
            lp += c
        else:
            s = 1.0 / (1.0 + math.exp(-c))
            par[k] = low + (high - low) * s
            lp += math.log(max(s * (1.0 - s), 1e-300))
        value, slope = prior(
            M.par_form[i], par[k], M.par_location[i], M.par_scale[i], M.par_shape[i]
        )
        lp += value
        g_par[k] = slope
    c0 = M.cut0[e]
    middle = (K - 1) // 2
    if K > 0:
        cut = par[M.pars[e] :]
        cut[middle] = x[c0]
        for k in range(middle + 1, K):
            cut[k] = cut[k - 1] + math.exp(x[c0 + k])
        for k in range(middle - 1, -1, -1):
            cut[k] = cut[k + 1] - math.exp(x[c0 + 1 + k])
        for k in range(1, K):
            lp += x[c0 + k]
        for k in range(K):
            lin[p + has + k] = cut[k]
    total = p + has + K
    for i in range(M.prior0[e], M.prior0[e + 1]):
        o = M.lin0[e] + (i - M.prior0[e]) * total
        v = M.a[i]
        for k in range(total):
            v += M.A[o + k] * lin[k]
        value, slope = prior(M.form[i], v, M.location[i], M.scale[i], M.shape[i])
        lp += value
        for k in range(total):
            g_lin[k] += slope * M.A[o + k]
    lp += rows_density(M, e, x, g, W, par, u, gu, lin, g_lin, g_par)
    for k in range(p):
        g[M.slope0[e] + k] += g_lin[k]
    if has:
        g[M.constant[e]] += g_lin[p]
    for k in range(M.pars[e]):
        c = x[M.par0[e] + k]
        i = M.par_prior0[e] + k
        low, high = M.lower[i], M.upper[i]
        if high > 1e300:
            g[M.par0[e] + k] += g_par[k] * (par[k] - low) + 1.0
        else:
            s = (par[k] - low) / (high - low)
            g[M.par0[e] + k] += g_par[k] * (high - low) * s * (1.0 - s) + 1.0 - 2.0 * s
    if K > 0:
        every = 0.0
        for k in range(K):
            g_lin[p + has + k] += g_par[M.pars[e] + k]
            every += g_lin[p + has + k]
        g[c0] += every
        run = 0.0
        for k in range(K - 1, middle, -1):
            run += g_lin[p + has + k]
            g[c0 + k] += run * math.exp(x[c0 + k]) + 1.0
        run = 0.0
        for k in range(middle):
            run += g_lin[p + has + k]
            g[c0 + 1 + k] += -run * math.exp(x[c0 + 1 + k]) + 1.0
    return lp


@inlined
def log_density(M, x, g, W, u, gu, e, root, shift):
    """Log density at x, up to a constant, and its gradient.

    Args:
        M: `Arrays`.
        x: coordinates, (D,).
        g: for the gradient, (D,).
        W: room, (8, CHUNK).
        u: for effects, (effects,).
        gu: for the slope of the rows' log density in them.
        e: for innovations.
        root: for roots by level, as large as `info`.
        shift: what is added to effects: zero, but for differences.
    """
    g[:] = 0.0
    lp = 0.0
    L = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    T = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    tau = np.empty(MOST_EFFECTS)
    for b in range(M.J.size):
        root_of(M, x, b, tau, L, T)
        if M.K[b] == 1:
            J, f0, z0, i0 = M.J[b], M.eff0[M.member[b]], M.block0[b], M.info0[b]
            lp += single_forward(
                tau[0], M.info[i0 : i0 + J], M.score[f0 : f0 + J], x[z0 : z0 + J],
                shift[f0 : f0 + J], u[f0 : f0 + J], e[f0 : f0 + J], root[i0 : i0 + J],
            )  # fmt: skip
        else:
            lp += several_forward(M, b, x, T, shift, u, e, root)
    gu[:] = 0.0
    for i in range(M.address.size):
        lp += equation_density(M, i, x, g, W, u, gu)
    for b in range(M.J.size):
        root_of(M, x, b, tau, L, T)
        gT = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
        if M.K[b] == 1:
            J, f0, z0, i0 = M.J[b], M.eff0[M.member[b]], M.block0[b], M.info0[b]
            gT[0, 0] = single_back(
                tau[0], M.info[i0 : i0 + J], M.score[f0 : f0 + J], gu[f0 : f0 + J],
                e[f0 : f0 + J], root[i0 : i0 + J], g[z0 : z0 + J],
            )  # fmt: skip
        else:
            several_back(M, b, g, T, gu, e, root, gT)
        lp += scales_back(M, b, x, g, tau, L, gT)
    return lp

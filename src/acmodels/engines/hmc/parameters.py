"""Parameters of equations from their coordinates, their priors, and slopes taken back."""

# what Numba compiles has no annotations
# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import math

from acmodels.engines.hmc import places
from acmodels.engines.hmc.effects import prior
from acmodels.engines.hmc.elementary import inlined, merged


@merged
def parameters_forward(M, e, x, V, G):
    """Fill in an equation's parameters; returns the log density of priors and of coordinates.

    Slopes of priors are added to G.
    """
    p, q, K = M.equation[e, places.p], M.equation[e, places.raw], M.equation[e, places.cuts]
    has = 1 if M.equation[e, places.constant] >= 0 else 0
    lin, par = M.equation[e, places.lin_at], M.equation[e, places.par_at]
    lp = 0.0
    for k in range(p):
        V[lin + k] = x[M.equation[e, places.slope0] + k]
    away = 0.0
    for i in range(M.equation[e, places.shear0], M.equation[e + 1, places.shear0]):
        away += M.shear_weight[i] * V[M.shear[i, places.shear_a]] * V[M.shear[i, places.shear_b]]
    if has:
        V[lin + p + q] = x[M.equation[e, places.constant]] - away
    for k in range(M.equation[e, places.pars]):
        c = x[M.equation[e, places.par0] + k]
        i = M.equation[e, places.par_prior0] + k
        low, high = M.number[i, places.lower], M.number[i, places.upper]
        rho = M.number[i, places.par_rho]
        if rho > 0.0:
            V[par + k] = rho * math.sinh(c)
            lp += math.log(math.cosh(c))
        elif high > 1e300:
            v = math.exp(c)
            V[par + k] = low + v
            lp += c
        else:
            s = 1.0 / (1.0 + math.exp(-c))
            V[par + k] = low + (high - low) * s
            lp += math.log(max(s * (1.0 - s), 1e-300))
        value, slope = prior(
            M.par_form[i],
            V[par + k],
            M.number[i, places.par_location],
            M.number[i, places.par_scale],
            M.number[i, places.par_shape],
        )
        lp += value
        G[par + k] += slope
    if K > 0:
        c0 = M.equation[e, places.cut0]
        cut = par + M.equation[e, places.pars]
        middle = (K - 1) // 2
        V[cut + middle] = x[c0] + away
        for k in range(middle + 1, K):
            V[cut + k] = V[cut + k - 1] + math.exp(x[c0 + k])
        for k in range(middle - 1, -1, -1):
            V[cut + k] = V[cut + k + 1] - math.exp(x[c0 + 1 + k])
        for k in range(1, K):
            lp += x[c0 + k]
        for k in range(K):
            V[lin + p + q + has + k] = V[cut + k]
    for m in range(M.equation[e, places.mo0], M.equation[e + 1, places.mo0]):
        lp += monotonic_forward(M, m, x, V, lin + p)
    size = p + q + has + K
    for i in range(M.equation[e, places.prior0], M.equation[e + 1, places.prior0]):
        o = M.equation[e, places.lin0] + (i - M.equation[e, places.prior0]) * size
        v = M.a[i]
        for k in range(size):
            v += M.A[o + k] * V[lin + k]
        value, slope = prior(
            M.form[i],
            v,
            M.prior[i, places.location],
            M.prior[i, places.scale],
            M.prior[i, places.shape],
        )
        lp += value
        for k in range(size):
            G[lin + k] += slope * M.A[o + k]
    return lp


@merged
def parameters_back(M, e, x, V, G, g):
    """Take slopes in an equation's parameters to those in its coordinates; the last goes first."""
    p, q, K = M.equation[e, places.p], M.equation[e, places.raw], M.equation[e, places.cuts]
    has = 1 if M.equation[e, places.constant] >= 0 else 0
    lin, par = M.equation[e, places.lin_at], M.equation[e, places.par_at]
    every = -G[lin + p + q] if has else 0.0
    if K > 0:
        c0 = M.equation[e, places.cut0]
        cut = par + M.equation[e, places.pars]
        middle = (K - 1) // 2
        for k in range(K):
            G[cut + k] += G[lin + p + q + has + k]
            every += G[cut + k]
        g[c0] = every
        run = 0.0
        for k in range(K - 1, middle, -1):
            run += G[cut + k]
            g[c0 + k] = run * math.exp(x[c0 + k]) + 1.0
        run = 0.0
        for k in range(middle):
            run += G[cut + k]
            g[c0 + 1 + k] = -run * math.exp(x[c0 + 1 + k]) + 1.0
    for i in range(M.equation[e, places.shear0], M.equation[e + 1, places.shear0]):
        a, b = M.shear[i, places.shear_a], M.shear[i, places.shear_b]
        G[a] += every * M.shear_weight[i] * V[b]
        G[b] += every * M.shear_weight[i] * V[a]
    for k in range(p):
        g[M.equation[e, places.slope0] + k] = G[lin + k]
    if has:
        g[M.equation[e, places.constant]] = G[lin + p + q]
    for m in range(M.equation[e, places.mo0], M.equation[e + 1, places.mo0]):
        monotonic_back(M, m, x, V, G, g, lin + p)
    for k in range(M.equation[e, places.pars]):
        i = M.equation[e, places.par_prior0] + k
        low, high = M.number[i, places.lower], M.number[i, places.upper]
        v = V[par + k]
        rho = M.number[i, places.par_rho]
        if rho > 0.0:
            c = x[M.equation[e, places.par0] + k]
            g[M.equation[e, places.par0] + k] = G[par + k] * rho * math.cosh(c) + math.tanh(c)
        elif high > 1e300:
            g[M.equation[e, places.par0] + k] = G[par + k] * (v - low) + 1.0
        else:
            s = (v - low) / (high - low)
            g[M.equation[e, places.par0] + k] = (
                G[par + k] * (high - low) * s * (1.0 - s) + 1.0 - 2.0 * s
            )


@inlined
def monotonic_forward(M, m, x, V, raw):
    """Steps of a monotonic effect: the mean step times their number times Dirichlet shares.

    The shares are broken off a stick; each is then a share of what is left (Connor & Mosimann,
    1969).
    """
    K = M.step[m, places.mo_steps]
    mean = x[M.step[m, places.mo_b]] * K
    left = 1.0
    lp = 0.0
    for k in range(K - 1):
        v = 1.0 / (1.0 + (K - 1 - k) * math.exp(-x[M.step[m, places.mo_x] + k]))
        lp += M.mo_alpha[m] * (math.log(v) + (K - 1 - k) * math.log1p(-v))
        V[raw + M.step[m, places.mo_raw] + k] = mean * left * v
        left *= 1.0 - v
    V[raw + M.step[m, places.mo_raw] + K - 1] = mean * left
    return lp


@inlined
def monotonic_back(M, m, x, V, G, g, raw):
    """The slopes of these."""
    K = M.step[m, places.mo_steps]
    o = raw + M.step[m, places.mo_raw]
    after = G[o + K - 1] * V[o + K - 1]
    left = 1.0
    slope = 0.0
    for k in range(K - 1):
        v = 1.0 / (1.0 + (K - 1 - k) * math.exp(-x[M.step[m, places.mo_x] + k]))
        slope += G[o + k] * left * v
        left *= 1.0 - v
    slope += G[o + K - 1] * left
    g[M.step[m, places.mo_b]] = slope * K
    for k in range(K - 2, -1, -1):
        v = 1.0 / (1.0 + (K - 1 - k) * math.exp(-x[M.step[m, places.mo_x] + k]))
        here = G[o + k] * V[o + k]
        g[M.step[m, places.mo_x] + k] = here * (1.0 - v) - after * v
        g[M.step[m, places.mo_x] + k] += M.mo_alpha[m] * ((1.0 - v) - (K - 1 - k) * v)
        after += here


@inlined
def residual_forward(M, r, x, V):
    """The root of a covariance of residuals; returns the log density of its correlations."""
    m0 = M.residual[r, places.residual_member0]
    K = M.residual[r + 1, places.residual_member0] - m0
    o = M.residual[r, places.residual_at]
    at = M.residual[r, places.residual_cor]
    lp = 0.0
    second = M.residual[r, places.residual_first]
    for k in range(K):
        sd = V[M.equation[M.residual_member[m0 + k], places.par_at] + second]
        left = 1.0
        for j in range(k):
            p = math.tanh(x[at])
            rest = max(1.0 - p * p, 1e-300)
            lp += (M.residual_lkj[r] + 0.5 * (K - 2 - j)) * math.log(rest)
            V[o + k * K + j] = sd * p * left
            left *= math.sqrt(rest)
            at += 1
        V[o + k * K + k] = sd * left
        V[o + K * K + k] = 1.0 / (sd * left)
    return lp


@inlined
def residual_back(M, r, x, V, G, g):
    """The slopes of this."""
    m0 = M.residual[r, places.residual_member0]
    K = M.residual[r + 1, places.residual_member0] - m0
    o = M.residual[r, places.residual_at]
    at = M.residual[r, places.residual_cor]
    for k in range(K):
        par = M.equation[M.residual_member[m0 + k], places.par_at]
        par += M.residual[r, places.residual_first]
        sd = V[par]
        inverse = V[o + K * K + k]
        G[o + k * K + k] -= G[o + K * K + k] * inverse * inverse
        s = 0.0
        for j in range(k + 1):
            s += G[o + k * K + j] * V[o + k * K + j]
        G[par] += s / sd
        for j in range(k):
            p = math.tanh(x[at])
            rest = max(1.0 - p * p, 1e-300)
            d = 0.0
            for h in range(j + 1, k + 1):
                d -= G[o + k * K + h] * V[o + k * K + h] * p / rest
            # the entry itself over p, which may be zero, from what is left before it
            left = sd
            for h in range(j):
                t = math.tanh(x[at - j + h])
                left *= math.sqrt(max(1.0 - t * t, 1e-300))
            d += G[o + k * K + j] * left
            shape = M.residual_lkj[r] + 0.5 * (K - 2 - j)
            g[at] = d * rest - 2.0 * shape * p
            at += 1

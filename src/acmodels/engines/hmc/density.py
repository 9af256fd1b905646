"""The log density of any model of the class and its gradient, driven by arrays: compiled once.

Coordinates x are first those of the group effects and missing values, z, then those of everything
else: for each equation its slopes, its constant or middle threshold and the logs of gaps between
thresholds, its residual sd and its family's numbers, its monotonic effects; correlations of
residuals; for each block of group effects its sds and correlations.

Everything that is computed lies in one vector V: a one, the effects, each equation's linear and
further parameters, the linear predictors, and whatever else an equation needs. Beside the rows of
known predictors, which are columns times coefficients and group effects, all else that enters a
predictor is a list of products, V[to] += c V[a] V[b]: a latent mean is one of parameters and group
effects, a missing predictor one of its coefficient and its value, a residual correlation one of a
root and a residual. The gradient G has the same places and is filled backwards.
"""

# what Numba compiles has no annotations
# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import math
from collections import namedtuple

import numpy as np

from acmodels.engines.hmc.densities import CHUNK
from acmodels.engines.hmc.effects import (
    MOST_EFFECTS,
    MOST_SEEN,
    prior,
    root_of,
    scales_back,
    seen_back,
    seen_by,
    several_back,
    several_forward,
    single_back,
    single_forward,
)
from acmodels.engines.hmc.elementary import called, inlined, summed

Arrays = namedtuple(
    "Arrays",
    """address row0 data data0 eta0 weight X X0 p raw slope0 constant cut0 cuts par0 pars
    lower upper term0 effect level Z Z0 zero_level
    J K member block0 info0 sd0 cor0 eff0 rho info score lkj
    a A prior0 lin0 form location scale shape par_prior0 par_form par_location par_scale par_shape
    sd_form sd_location sd_scale sd_shape
    V0 lin_at par_at row_par_at eta_at product0 to first second factor
    Q score0 virtual0 virtual_at product_at seen_at weight0 virtual_weight
    cells0 cells cell_equation cell_row0 cell_row cell_rough
    mo0 mo_b mo_x mo_steps mo_raw mo_alpha
    residual_member0 residual_member residual_cor residual_at residual_lkj sizes""",
)
"""Everything about a model and its data.

By equation e: `address` of the row density, first row `row0`, `data` from `data0` on, `eta0`
known part of the predictor, `weight`, columns `X` from `X0` on (p + raw, n), place in x of the
first slope `slope0`, of the constant (-1 if there is none) and of the first threshold's coordinate
`cut0`, number of thresholds `cuts`, place of the first further parameter `par0`, how many `pars`,
with bounds `lower` and `upper`. Terms of group effects from `term0[e]` on: the member `effect`,
the `level` of each row and multipliers `Z` from `Z0` on (-1 for ones). The last `raw` columns are
steps of monotonic effects: from `mo0[e]` on the coordinate of the mean step `mo_b`, of the first
stick `mo_x`, how many `mo_steps`, the first raw column `mo_raw` and the concentration `mo_alpha`.

By block: levels `J`, effects `K`, first `member`, first coordinate of z `block0`, first information
`info0`, coordinates of sds and correlations `sd0`, `cor0`; by member `eff0`, the first effect, and
`rho`. Blocks with sd0 = -1 are missing values of an equation, about its predictor with its
residual sd: `cells` lists those of e from `cells0[e]` on; by such a block, from `cell_row0` on, the
row `cell_row` of each and the number `cell_rough` that columns hold in its place.

Priors of an equation's linear parameters (slopes, raw slopes, constant, thresholds) are on
a + A linear, with `form`, `location`, `scale` and `shape`.

Places in V: of linear parameters `lin_at`, of further ones `par_at` (those that rows read:
`row_par_at`), of predictors `eta_at`; `V0` is what V starts as. Products of equation e are from
`product0[e + 1]` on; the first are of parameters alone.

By block: `Q`, the effects and, after these, products of effects with coefficients that other
equations read; from `virtual0` on, the places of these coefficients in V, `virtual_at`, where each
product begins among all, `product_at`, whose places in V are `seen_at`; from `weight0` on what
multiplies each effect, `virtual_weight` (Q - K, K).

Residual blocks: equations `residual_member`, coordinates `residual_cor`, place
in V `residual_at` of the root (K, K) and then of the inverse of its diagonal. `sizes`: effects in
all, products of these that are read, size of V.
"""

Room = namedtuple("Room", "W V G e root move shift")
"""Where a density works: `W` (4, CHUNK); `V` and `G`, see above; by effect `e`, `move` and `shift`,
which is added to effects and their products (zero, but for differences); `root`, as `info`."""


@inlined
def room(M):
    """Make room for a density."""
    neff = M.sizes[0]
    seen = neff + M.sizes[1]
    return Room(
        np.empty((4, CHUNK)), np.empty(M.V0.size), np.empty(M.V0.size), np.empty(neff),
        np.empty(M.info.size), np.empty(neff), np.zeros(seen),
    )  # fmt: skip


@summed
def dot(a, b):
    """Inner product."""
    s = 0.0
    for k in range(b.size):
        s += a[k] * b[k]
    return s


@summed
def total(a):
    """Sum."""
    s = 0.0
    for k in range(a.size):
        s += a[k]
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
def parameters_forward(M, e, x, V, G):
    """Fill in an equation's parameters; returns the log density of priors and of coordinates.

    Slopes of priors are added to G.
    """
    p, q, K = M.p[e], M.raw[e], M.cuts[e]
    has = 1 if M.constant[e] >= 0 else 0
    lin, par = M.lin_at[e], M.par_at[e]
    lp = 0.0
    for k in range(p):
        V[lin + k] = x[M.slope0[e] + k]
    if has:
        V[lin + p + q] = x[M.constant[e]]
    for k in range(M.pars[e]):
        c = x[M.par0[e] + k]
        i = M.par_prior0[e] + k
        low, high = M.lower[i], M.upper[i]
        if high > 1e300:
            v = math.exp(c)
            V[par + k] = low + v
            lp += c
        else:
            s = 1.0 / (1.0 + math.exp(-c))
            V[par + k] = low + (high - low) * s
            lp += math.log(max(s * (1.0 - s), 1e-300))
        value, slope = prior(
            M.par_form[i], V[par + k], M.par_location[i], M.par_scale[i], M.par_shape[i]
        )
        lp += value
        G[par + k] += slope
    if K > 0:
        c0 = M.cut0[e]
        cut = par + M.pars[e]
        middle = (K - 1) // 2
        V[cut + middle] = x[c0]
        for k in range(middle + 1, K):
            V[cut + k] = V[cut + k - 1] + math.exp(x[c0 + k])
        for k in range(middle - 1, -1, -1):
            V[cut + k] = V[cut + k + 1] - math.exp(x[c0 + 1 + k])
        for k in range(1, K):
            lp += x[c0 + k]
        for k in range(K):
            V[lin + p + q + has + k] = V[cut + k]
    for m in range(M.mo0[e], M.mo0[e + 1]):
        lp += monotonic_forward(M, m, x, V, lin + p)
    size = p + q + has + K
    for i in range(M.prior0[e], M.prior0[e + 1]):
        o = M.lin0[e] + (i - M.prior0[e]) * size
        v = M.a[i]
        for k in range(size):
            v += M.A[o + k] * V[lin + k]
        value, slope = prior(M.form[i], v, M.location[i], M.scale[i], M.shape[i])
        lp += value
        for k in range(size):
            G[lin + k] += slope * M.A[o + k]
    return lp


@inlined
def parameters_back(M, e, x, V, G, g):
    """Take slopes in an equation's parameters to those in its coordinates."""
    p, q, K = M.p[e], M.raw[e], M.cuts[e]
    has = 1 if M.constant[e] >= 0 else 0
    lin, par = M.lin_at[e], M.par_at[e]
    for k in range(p):
        g[M.slope0[e] + k] = G[lin + k]
    if has:
        g[M.constant[e]] = G[lin + p + q]
    for m in range(M.mo0[e], M.mo0[e + 1]):
        monotonic_back(M, m, x, V, G, g, lin + p)
    for k in range(M.pars[e]):
        i = M.par_prior0[e] + k
        low, high = M.lower[i], M.upper[i]
        v = V[par + k]
        if high > 1e300:
            g[M.par0[e] + k] = G[par + k] * (v - low) + 1.0
        else:
            s = (v - low) / (high - low)
            g[M.par0[e] + k] = G[par + k] * (high - low) * s * (1.0 - s) + 1.0 - 2.0 * s
    if K > 0:
        c0 = M.cut0[e]
        cut = par + M.pars[e]
        middle = (K - 1) // 2
        every = 0.0
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


@inlined
def monotonic_forward(M, m, x, V, raw):
    """Steps of a monotonic effect: the mean step times their number times Dirichlet shares.

    The shares are broken off a stick; each is then a share of what is left (Connor & Mosimann,
    1969).
    """
    K = M.mo_steps[m]
    mean = x[M.mo_b[m]] * K
    left = 1.0
    lp = 0.0
    for k in range(K - 1):
        v = 1.0 / (1.0 + (K - 1 - k) * math.exp(-x[M.mo_x[m] + k]))
        lp += M.mo_alpha[m] * (math.log(v) + (K - 1 - k) * math.log1p(-v))
        V[raw + M.mo_raw[m] + k] = mean * left * v
        left *= 1.0 - v
    V[raw + M.mo_raw[m] + K - 1] = mean * left
    return lp


@inlined
def monotonic_back(M, m, x, V, G, g, raw):
    """The slopes of these."""
    K = M.mo_steps[m]
    o = raw + M.mo_raw[m]
    after = G[o + K - 1] * V[o + K - 1]
    left = 1.0
    slope = 0.0
    for k in range(K - 1):
        v = 1.0 / (1.0 + (K - 1 - k) * math.exp(-x[M.mo_x[m] + k]))
        slope += G[o + k] * left * v
        left *= 1.0 - v
    slope += G[o + K - 1] * left
    g[M.mo_b[m]] = slope * K
    for k in range(K - 2, -1, -1):
        v = 1.0 / (1.0 + (K - 1 - k) * math.exp(-x[M.mo_x[m] + k]))
        here = G[o + k] * V[o + k]
        g[M.mo_x[m] + k] = here * (1.0 - v) - after * v
        g[M.mo_x[m] + k] += M.mo_alpha[m] * ((1.0 - v) - (K - 1 - k) * v)
        after += here


@inlined
def residual_forward(M, r, x, V):
    """The root of a covariance of residuals; returns the log density of its correlations."""
    m0 = M.residual_member0[r]
    K = M.residual_member0[r + 1] - m0
    o = M.residual_at[r]
    at = M.residual_cor[r]
    lp = 0.0
    for k in range(K):
        sd = V[M.par_at[M.residual_member[m0 + k]]]
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
    m0 = M.residual_member0[r]
    K = M.residual_member0[r + 1] - m0
    o = M.residual_at[r]
    at = M.residual_cor[r]
    for k in range(K):
        par = M.par_at[M.residual_member[m0 + k]]
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


@inlined
def products_forward(M, e, V):
    """Add a list of products."""
    for i in range(M.product0[e], M.product0[e + 1]):
        V[M.to[i]] += M.factor[i] * V[M.first[i]] * V[M.second[i]]


@inlined
def products_back(M, e, V, G):
    """Slopes in these, the last first."""
    for i in range(M.product0[e + 1] - 1, M.product0[e] - 1, -1):
        d = M.factor[i] * G[M.to[i]]
        a, b = M.first[i], M.second[i]
        va, vb = V[a], V[b]
        G[a] += d * vb
        G[b] += d * va


@inlined
def predictor_forward(M, e, V):
    """Add known columns times slopes, the constant and group effects to an equation's predictor."""
    r0 = M.row0[e]
    n = M.row0[e + 1] - r0
    p = M.p[e] + M.raw[e]
    lin = M.lin_at[e]
    constant = V[lin + p] if M.constant[e] >= 0 else 0.0
    u = V[1:]
    first = 0
    while first < n:
        m = min(CHUNK, n - first)
        eta = V[M.eta_at[e] + first : M.eta_at[e] + first + m]
        for i in range(m):
            eta[i] += M.eta0[r0 + first + i] + constant
        for k in range(p):
            o = M.X0[e] + k * n + first
            add(V[lin + k], M.X[o : o + m], eta)
        for t in range(M.term0[e], M.term0[e + 1]):
            z0 = M.Z0[t] + first if M.Z0[t] >= 0 else 0
            l0 = M.zero_level[t] + first
            gather(
                u[M.eff0[M.effect[t]] :], M.level[l0 : l0 + m], M.Z[z0 : z0 + m], M.Z0[t] < 0, eta
            )
        first += m


@inlined
def predictor_back(M, e, G):
    """Slopes in the slopes, the constant and group effects."""
    r0 = M.row0[e]
    n = M.row0[e + 1] - r0
    p = M.p[e] + M.raw[e]
    lin = M.lin_at[e]
    gu = G[1:]
    first = 0
    while first < n:
        m = min(CHUNK, n - first)
        d = G[M.eta_at[e] + first : M.eta_at[e] + first + m]
        for k in range(p):
            o = M.X0[e] + k * n + first
            G[lin + k] += dot(d, M.X[o : o + m])
        if M.constant[e] >= 0:
            G[lin + p] += total(d)
        for t in range(M.term0[e], M.term0[e + 1]):
            z0 = M.Z0[t] + first if M.Z0[t] >= 0 else 0
            l0 = M.zero_level[t] + first
            scatter(
                d, M.level[l0 : l0 + m], M.Z[z0 : z0 + m], M.Z0[t] < 0, gu[M.eff0[M.effect[t]] :]
            )
        first += m


@inlined
def rows_density(M, e, R):
    """Log density of an equation's rows; leaves slopes in its predictor and parameters in G."""
    r0 = M.row0[e]
    n = M.row0[e + 1] - r0
    par = M.row_par_at[e]
    lp = 0.0
    first = 0
    while first < n:
        m = min(CHUNK, n - first)
        at = M.eta_at[e] + first
        lp += called(
            M.address[e],
            m,
            n,
            R.V[at:].ctypes.data,
            M.data[M.data0[e] + first :].ctypes.data,
            R.V[par:].ctypes.data,
            M.weight[r0 + first :].ctypes.data,
            R.W[0].ctypes.data,
            R.G[at:].ctypes.data,
            R.G[par:].ctypes.data,
            R.W[1].ctypes.data,
        )
        first += m
    return lp


@inlined
def cells_forward(M, b, R):
    """Missing values of an equation: its predictor plus its residual sd times an innovation."""
    e = M.cell_equation[b]
    f0 = M.eff0[M.member[b]]
    for j in range(M.J[b]):
        k = M.cell_row0[b] + j
        R.move[f0 + j] = R.shift[f0 + j] + R.V[M.eta_at[e] + M.cell_row[k]] - M.cell_rough[k]
    return R.V[M.row_par_at[e]]


@inlined
def cells_back(M, b, R):
    """Slopes in the predictor."""
    e = M.cell_equation[b]
    f0 = M.eff0[M.member[b]]
    for j in range(M.J[b]):
        R.G[M.eta_at[e] + M.cell_row[M.cell_row0[b] + j]] += R.G[1 + f0 + j]


@inlined
def effects_forward(M, b, x, T, shift, R):
    """Fill in a block's effects; returns their log density."""
    J, f0, z0, i0 = M.J[b], M.eff0[M.member[b]], M.block0[b], M.info0[b]
    u = R.V[1:]
    if M.Q[b] == 1:
        r0 = M.score0[b]
        return single_forward(
            T[0, 0], M.info[i0 : i0 + J], M.score[r0 : r0 + J], x[z0 : z0 + J],
            shift[f0 : f0 + J], u[f0 : f0 + J], R.e[f0 : f0 + J], R.root[i0 : i0 + J],
        )  # fmt: skip
    S = np.empty((MOST_SEEN, MOST_EFFECTS))
    seen_by(M, b, R.V, T, S)
    return several_forward(M, b, x, T, S, shift, u, R.e, R.root)


@inlined
def effects_back(M, b, g, T, R):
    """Slopes in a block's coordinates; returns those in T."""
    J, f0, z0, i0 = M.J[b], M.eff0[M.member[b]], M.block0[b], M.info0[b]
    gu = R.G[1:]
    gT = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    if M.Q[b] == 1:
        r0 = M.score0[b]
        gT[0, 0] = single_back(
            T[0, 0], M.info[i0 : i0 + J], M.score[r0 : r0 + J], gu[f0 : f0 + J],
            R.e[f0 : f0 + J], R.root[i0 : i0 + J], g[z0 : z0 + J],
        )  # fmt: skip
        return gT
    S = np.empty((MOST_SEEN, MOST_EFFECTS))
    gS = np.zeros((MOST_SEEN, MOST_EFFECTS))
    seen_by(M, b, R.V, T, S)
    several_back(M, b, g, T, S, gu, R.e, R.root, gT, gS)
    seen_back(M, b, R.V, R.G, T, gS, gT)
    return gT


@inlined
def log_density(M, x, g, R):
    """Log density at x, up to a constant, and its gradient.

    Args:
        M: `Arrays`.
        x: coordinates, (D,).
        g: for the gradient, (D,).
        R: `Room`; V holds the effects from place 1 on, and G the slopes in them.
    """
    V, G = R.V, R.G
    V[:] = M.V0
    G[:] = 0.0
    g[:] = 0.0
    lp = 0.0
    neff = M.sizes[0]
    for k in range(M.seen_at.size):
        V[M.seen_at[k]] += R.shift[neff + k]
    T = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    L = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    tau = np.empty(MOST_EFFECTS)
    E = M.address.size
    for e in range(E):
        lp += parameters_forward(M, e, x, V, G)
    for r in range(M.residual_cor.size):
        lp += residual_forward(M, r, x, V)
    products_forward(M, 0, V)
    for b in range(M.J.size):
        if M.sd0[b] >= 0:
            root_of(M, x, b, tau, L, T)
            lp += effects_forward(M, b, x, T, R.shift, R)
    for e in range(E):
        products_forward(M, e + 1, V)
        predictor_forward(M, e, V)
        for k in range(M.cells0[e], M.cells0[e + 1]):
            T[0, 0] = cells_forward(M, M.cells[k], R)
            lp += effects_forward(M, M.cells[k], x, T, R.move, R)
        lp += rows_density(M, e, R)
    for e in range(E - 1, -1, -1):
        for k in range(M.cells0[e], M.cells0[e + 1]):
            cells_back(M, M.cells[k], R)
            T[0, 0] = V[M.row_par_at[e]]
            gT = effects_back(M, M.cells[k], g, T, R)
            G[M.row_par_at[e]] += gT[0, 0]
        predictor_back(M, e, G)
        products_back(M, e + 1, V, G)
    for b in range(M.J.size):
        if M.sd0[b] >= 0:
            root_of(M, x, b, tau, L, T)
            gT = effects_back(M, b, g, T, R)
            lp += scales_back(M, b, x, g, tau, L, gT)
    products_back(M, 0, V, G)
    for r in range(M.residual_cor.size):
        residual_back(M, r, x, V, G, g)
    for e in range(E):
        parameters_back(M, e, x, V, G, g)
    return lp

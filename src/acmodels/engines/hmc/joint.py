"""The log density of models whose states rest on each other, in coordinates that follow them all.

States are group effects, standardized, and values that are missing: of incomplete variables, of
constructs, of waves that were not seen. Given the parameters the working posterior of all states
together is normal: precision Q = A'WA + I, with A the slopes of predictors in states, which are
products of parameters, and W the information of rows at an anchor; mean m, by one Newton step from
the anchor's states. Rows of normal responses enter with their precision as it follows from the
parameters, so that for these nothing is approximate. The states are m + L^-T z with Q = LL', and
z is nearly standard normal whatever the parameters are. The density is exact for any anchor, which
only moves the coordinates. L is a sparse Cholesky root whose pattern is found once.

The adjoint of the root is Murray's (2016); the coordinates generalize those of `effects`.
"""

# what Numba compiles has no annotations
# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import math

import numpy as np

from acmodels.engines.hmc import places
from acmodels.engines.hmc.effects import root_of, scales_back
from acmodels.engines.hmc.elementary import inlined, merged
from acmodels.engines.hmc.parameters import (
    parameters_back,
    parameters_forward,
    residual_back,
    residual_forward,
)
from acmodels.engines.hmc.places import MOST_EFFECTS
from acmodels.engines.hmc.predictors import (
    add,
    dot,
    met,
    met_twice,
    predictor_back,
    predictor_forward,
    products_back,
    products_forward,
    ratings_back,
    ratings_forward,
    rows_density,
)

LEAST, MOST_RUN = 1e-200, 1e100
"""Of a squared diagonal entry; and of products of these, whose logs are taken together."""


@inlined
def roots_forward(M, x, V):
    """Put the roots of group effects' covariances in V."""
    T = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    L = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    tau = np.empty(MOST_EFFECTS)
    for b in range(M.block.shape[0]):
        if M.block[b, places.sd0] < 0:
            continue
        root_of(M, x, b, tau, L, T)
        K = M.block[b, places.K]
        for k in range(K):
            for c in range(k, K):
                V[M.block[b, places.root_at] + k * K + c] = T[k, c]


@inlined
def roots_back(M, x, G, g):
    """Take slopes in these to sds and correlations; returns the log density of these."""
    T = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    L = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    gT = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    tau = np.empty(MOST_EFFECTS)
    lp = 0.0
    for b in range(M.block.shape[0]):
        if M.block[b, places.sd0] < 0:
            continue
        root_of(M, x, b, tau, L, T)
        K = M.block[b, places.K]
        for k in range(K):
            for c in range(k, K):
                gT[k, c] = G[M.block[b, places.root_at] + k * K + c]
        lp += scales_back(M, b, x, g, tau, L, gT)
    return lp


@inlined
def states_forward(M, s, V):
    """Put group effects and missing values, less what columns hold in their place, in V."""
    for b in range(M.block.shape[0]):
        J, K, o = M.block[b, places.J], M.block[b, places.K], M.block[b, places.block0]
        if M.block[b, places.sd0] < 0:
            V[1 + o : 1 + o + J] = s[o : o + J]
            continue
        at = M.block[b, places.root_at]
        for k in range(K):
            for c in range(k, K):
                f = V[at + k * K + c]
                for j in range(J):
                    V[1 + o + k * J + j] += f * s[o + c * J + j]


@inlined
def states_back(M, s, V, G, out):
    """Add slopes in states to `out`, and those in the roots to G."""
    for b in range(M.block.shape[0]):
        J, K, o = M.block[b, places.J], M.block[b, places.K], M.block[b, places.block0]
        if M.block[b, places.sd0] < 0:
            for j in range(J):
                out[o + j] += G[1 + o + j]
            continue
        at = M.block[b, places.root_at]
        for k in range(K):
            for c in range(k, K):
                f = V[at + k * K + c]
                d = 0.0
                for j in range(J):
                    v = G[1 + o + k * J + j]
                    out[o + c * J + j] += f * v
                    d += v * s[o + c * J + j]
                G[at + k * K + c] += d


@inlined
def precisions(M, R):
    """Inverse roots of residual covariances, and precisions, of each set of normal equations."""
    for r in range(M.gauss.shape[0] - 1):
        m0 = M.gauss[r, places.gauss_member0]
        K = M.gauss[r + 1, places.gauss_member0] - m0
        root, at = M.gauss[r, places.gauss_root], M.gauss[r, places.gauss_at]
        for c in range(K):
            for k in range(K):
                v = 1.0 if k == c else 0.0
                for h in range(c, k):
                    v -= R.V[root + k * K + h] * R.inverse[at + h * K + c]
                R.inverse[at + k * K + c] = v / R.V[root + k * K + k] if k >= c else 0.0
        for i in range(K):
            for j in range(K):
                v = 0.0
                for k in range(max(i, j), K):
                    v += R.inverse[at + k * K + i] * R.inverse[at + k * K + j]
                R.precision[at + i * K + j] = v


@inlined
def precisions_back(M, R):
    """Take slopes in precisions and inverse roots to those in the roots."""
    for r in range(M.gauss.shape[0] - 1):
        m0 = M.gauss[r, places.gauss_member0]
        K = M.gauss[r + 1, places.gauss_member0] - m0
        root, at = M.gauss[r, places.gauss_root], M.gauss[r, places.gauss_at]
        for k in range(K):
            for i in range(k + 1):
                v = R.g_inverse[at + k * K + i]
                for j in range(k + 1):
                    v += R.inverse[at + k * K + j] * (
                        R.g_precision[at + i * K + j] + R.g_precision[at + j * K + i]
                    )
                R.g_root[k * K + i] = v
        for a in range(K):  # the inverse X of L: slope in L = -X' slope X'
            for c in range(a + 1):
                v = 0.0
                for k in range(a, K):
                    for i in range(c + 1):
                        v += (
                            R.inverse[at + k * K + a]
                            * R.g_root[k * K + i]
                            * R.inverse[at + c * K + i]
                        )
                R.G[root + a * K + c] -= v


@inlined
def scores(M, R):
    """Working scores of rows at the anchor's states, from predictors there."""
    E = M.equation.shape[0] - 2
    for e in range(E):
        r0 = M.equation[e, places.row0]
        n = M.equation[e + 1, places.row0] - r0
        eta = M.equation[e, places.eta_at]
        if M.equation[e, places.exact] >= 0:
            continue
        for i in range(n):
            R.t[r0 + i] = M.score_row[r0 + i] - M.info_row[r0 + i] * (
                R.V1[eta + i] - M.eta_row[r0 + i]
            )
        par = M.equation[e, places.row_par_at]
        for k in range(M.equation[e, places.tilts]):
            d = R.V[par + k] - M.par_anchor[M.equation[e, places.anchor0] + k]
            o = M.equation[e, places.tilt0] + k * n
            add(d, M.tilt[o : o + n], R.t[r0 : r0 + n])
    for r in range(M.gauss.shape[0] - 1):
        m0 = M.gauss[r, places.gauss_member0]
        K = M.gauss[r + 1, places.gauss_member0] - m0
        root, at = M.gauss[r, places.gauss_root], M.gauss[r, places.gauss_at]
        these = M.gauss[r, places.gauss_first]  # waves that the set is about
        for k in range(K):
            e = M.gauss_member[m0 + k]
            r0 = M.equation[e, places.row0]
            n = M.equation[e + 1, places.row0] - r0
            eta = M.equation[e, places.eta_at]
            f = 1.0 / R.V[root + k * K + k]
            for i in range(n):
                if these >= 0 and M.first_row[r0 + i] != these:
                    continue
                R.innovation[r0 + i] = f * (M.response_row[r0 + i] - R.V1[eta + i])
                R.t[r0 + i] = 0.0
            for h in range(k + 1):
                f = R.inverse[at + k * K + h]
                o = M.equation[M.gauss_member[m0 + h], places.row0]
                for i in range(n):
                    if these < 0 or M.first_row[r0 + i] == these:
                        R.t[o + i] += f * R.innovation[r0 + i]
        if K == 1:
            for i in range(n):
                if these < 0 or M.first_row[r0 + i] == these:
                    R.t[r0 + i] *= M.info_row[r0 + i]


@inlined
def scores_back(M, R):
    """Take slopes in these, `g_t`, to predictors at the anchor and to parameters."""
    E = M.equation.shape[0] - 2
    for e in range(E):
        if M.equation[e, places.exact] >= 0:
            continue
        r0 = M.equation[e, places.row0]
        n = M.equation[e + 1, places.row0] - r0
        eta = M.equation[e, places.eta_at]
        for i in range(n):
            R.G1[eta + i] -= M.info_row[r0 + i] * R.g_t[r0 + i]
        par = M.equation[e, places.row_par_at]
        for k in range(M.equation[e, places.tilts]):
            o = M.equation[e, places.tilt0] + k * n
            R.G[par + k] += dot(R.g_t[r0 : r0 + n], M.tilt[o : o + n])
    for r in range(M.gauss.shape[0] - 1):
        m0 = M.gauss[r, places.gauss_member0]
        K = M.gauss[r + 1, places.gauss_member0] - m0
        root, at = M.gauss[r, places.gauss_root], M.gauss[r, places.gauss_at]
        these = M.gauss[r, places.gauss_first]  # waves that the set is about
        for k in range(K):
            e = M.gauss_member[m0 + k]
            r0 = M.equation[e, places.row0]
            n = M.equation[e + 1, places.row0] - r0
            eta = M.equation[e, places.eta_at]
            s = 1.0 / R.V[root + k * K + k]
            total = 0.0
            for i in range(n):
                if these >= 0 and M.first_row[r0 + i] != these:
                    continue
                back = 0.0
                for h in range(k + 1):
                    o = M.equation[M.gauss_member[m0 + h], places.row0]
                    back += R.inverse[at + k * K + h] * R.g_t[o + i]
                if K == 1:
                    back *= M.info_row[r0 + i]
                R.G1[eta + i] -= s * back
                total += back * R.innovation[r0 + i]
            R.G[root + k * K + k] -= s * total
            for h in range(k + 1):
                o = M.equation[M.gauss_member[m0 + h], places.row0]
                d = 0.0
                for i in range(n):
                    if these >= 0 and M.first_row[r0 + i] != these:
                        continue
                    f = M.info_row[r0 + i] if K == 1 else 1.0
                    d += f * R.innovation[r0 + i] * R.g_t[o + i]
                R.g_inverse[at + k * K + h] += d


@inlined
def factorized(M, R):
    """Fill in Q and its Cholesky root; diagonal entries are held as inverses. Returns log|L|."""
    N = M.sizes[0]
    R.chol[:] = 0.0
    for a in range(N):
        R.chol[M.diagonal[a]] = M.own[a]
    for q in range(M.pair.shape[0] - 1):
        c = R.V[M.link[M.pair[q, places.pair_a], places.link_at]]
        c *= R.V[M.link[M.pair[q, places.pair_b], places.link_at]]
        if M.pair[q, places.pair_scale] >= 0:
            c *= R.precision[M.pair[q, places.pair_scale]]
        for i in range(M.pair[q, places.pair0], M.pair[q + 1, places.pair0]):
            R.chol[M.pair_entry[i]] += c * M.pair_k[i]
    R.rated[:] = 0.0
    for q in range(M.rate.shape[0] - 1):
        c = R.V[M.rate[q, places.rate_at]] ** 2
        if M.rate[q, places.rate_scale] >= 0:
            c *= R.precision[M.rate[q, places.rate_scale]]
        for i in range(M.rate[q, places.rate0], M.rate[q + 1, places.rate0]):
            R.rated[M.rate_node[i]] += c * M.rate_k[i]
    for q in range(M.meeting.shape[0] - 1):
        c = R.V[M.link[M.meeting[q, places.meet_a], places.link_at]]
        c *= R.V[M.link[M.meeting[q, places.meet_b], places.link_at]]
        for i in range(M.meeting[q, places.meet0], M.meeting[q + 1, places.meet0]):
            R.chol[M.meet_entry[i]] += c * M.meet_k[i] * R.rated[M.meet_node[i]]
    total, run = 0.0, 1.0
    for p in range(M.entry_row.size):
        v = R.chol[p]
        for q in range(M.triple0[p], M.triple0[p + 1]):
            v -= R.chol[M.triple_left[q]] * R.chol[M.triple_right[q]]
        b = M.entry_column[p]
        if M.entry_row[p] == b:
            v = max(v, LEAST)
            run *= v
            if run > MOST_RUN or run < 1.0 / MOST_RUN:
                total += math.log(run)
                run = 1.0
            R.chol[p] = 1.0 / math.sqrt(v)
        else:
            R.chol[p] = v * R.chol[M.diagonal[b]]
    return 0.5 * (total + math.log(run))


@inlined
def factorized_back(M, R):
    """Take slopes in the root, `g_chol`, to those in the entries of Q, and these to parameters."""
    for p in range(M.entry_row.size - 1, -1, -1):
        a, b = M.entry_row[p], M.entry_column[p]
        d = R.g_chol[p]
        if a == b:
            d = 0.5 * d * R.chol[p]
            for q in range(M.triple0[p], M.triple0[p + 1]):
                R.g_chol[M.triple_left[q]] -= 2.0 * d * R.chol[M.triple_left[q]]
        else:
            f = R.chol[M.diagonal[b]]
            d *= f
            R.g_chol[M.diagonal[b]] -= d * R.chol[p]
            for q in range(M.triple0[p], M.triple0[p + 1]):
                i, j = M.triple_left[q], M.triple_right[q]
                R.g_chol[i] -= d * R.chol[j]
                R.g_chol[j] -= d * R.chol[i]
        R.g_chol[p] = d
    for q in range(M.pair.shape[0] - 1):
        a = M.link[M.pair[q, places.pair_a], places.link_at]
        b = M.link[M.pair[q, places.pair_b], places.link_at]
        i0, i1 = M.pair[q, places.pair0], M.pair[q + 1, places.pair0]
        d = met(M.pair_k[i0:i1], R.g_chol, M.pair_entry[i0:i1])
        va, vb = R.V[a], R.V[b]
        scale = 1.0
        at = M.pair[q, places.pair_scale]
        if at >= 0:
            scale = R.precision[at]
            R.g_precision[at] += d * va * vb
        R.G[a] += d * scale * vb
        R.G[b] += d * scale * va
    R.g_rated[:] = 0.0
    for q in range(M.meeting.shape[0] - 1):
        a = M.link[M.meeting[q, places.meet_a], places.link_at]
        b = M.link[M.meeting[q, places.meet_b], places.link_at]
        va, vb = R.V[a], R.V[b]
        i0, i1 = M.meeting[q, places.meet0], M.meeting[q + 1, places.meet0]
        for i in range(i0, i1):
            R.g_rated[M.meet_node[i]] += va * vb * M.meet_k[i] * R.g_chol[M.meet_entry[i]]
        d = met_twice(M.meet_k[i0:i1], R.g_chol, M.meet_entry[i0:i1], R.rated, M.meet_node[i0:i1])
        R.G[a] += d * vb
        R.G[b] += d * va
    for q in range(M.rate.shape[0] - 1):
        at, scale = M.rate[q, places.rate_at], M.rate[q, places.rate_scale]
        i0, i1 = M.rate[q, places.rate0], M.rate[q + 1, places.rate0]
        d = met(M.rate_k[i0:i1], R.g_rated, M.rate_node[i0:i1])
        v = R.V[at]
        if scale >= 0:
            R.g_precision[scale] += d * v * v
            d *= R.precision[scale]
        R.G[at] += 2.0 * d * v


@inlined
def solved(M, z, R):
    """States from z: the anchor's, plus a Newton step, plus L^-T z."""
    N = M.sizes[0]
    h = R.h
    for k in range(N):
        h[k] = -M.standard[k] * M.anchor[k]
    rows = M.info_row.size
    R.t[rows:] = 0.0
    for q in range(M.rate.shape[0] - 1):
        c = R.V[M.rate[q, places.rate_at]]
        for i in range(M.rate[q, places.rate0], M.rate[q + 1, places.rate0]):
            R.t[rows + M.rate_node[i]] += c * M.rate_z[i] * R.t[M.rate_row[i]]
    for a in range(M.link.shape[0] - 1):
        c = R.V[M.link[a, places.link_at]]
        for i in range(M.link[a, places.link0], M.link[a + 1, places.link0]):
            h[M.link_state[i]] += c * M.link_z[i] * R.t[M.link_row[i]]
    for a in range(N):
        v = h[M.state_of[a]]
        p1 = M.entry0[a + 1] - 1
        for p in range(M.entry0[a], p1):
            v -= R.chol[p] * R.y[M.entry_column[p]]
        R.y[a] = v * R.chol[p1]
        R.v[a] = R.y[a] + z[M.state_of[a]]
    for a in range(N - 1, -1, -1):
        p1 = M.entry0[a + 1] - 1
        v = R.v[a] * R.chol[p1]
        R.v[a] = v
        for p in range(M.entry0[a], p1):
            R.v[M.entry_column[p]] -= R.chol[p] * v
        k = M.state_of[a]
        R.e[k] = M.anchor[k] + v


@inlined
def solved_back(M, g, R):
    """Take slopes in states, `g_state`, to z, to the root and to h."""
    N = M.sizes[0]
    for a in range(N):  # L r = slopes in v
        v = R.g_state[M.state_of[a]]
        p1 = M.entry0[a + 1] - 1
        for p in range(M.entry0[a], p1):
            v -= R.chol[p] * R.r[M.entry_column[p]]
        R.r[a] = v * R.chol[p1]
        R.q[a] = R.r[a]
        g[M.state_of[a]] = R.r[a]
    for a in range(N - 1, -1, -1):  # L'q = r: slopes in h
        p1 = M.entry0[a + 1] - 1
        v = R.q[a] * R.chol[p1]
        R.q[a] = v
        for p in range(M.entry0[a], p1):
            R.q[M.entry_column[p]] -= R.chol[p] * v
    for p in range(M.entry_row.size):
        a, b = M.entry_row[p], M.entry_column[p]
        R.g_chol[p] = -R.v[a] * R.r[b] - R.q[a] * R.y[b]
        if a == b:
            R.g_chol[p] -= R.chol[p]


@inlined
def links_back(M, R):
    """Take slopes in the gradient at the anchor, which h holds now, to scores and parameters."""
    R.g_t[:] = 0.0
    for a in range(M.link.shape[0] - 1):
        at = M.link[a, places.link_at]
        c = R.V[at]
        i0, i1 = M.link[a, places.link0], M.link[a + 1, places.link0]
        for i in range(i0, i1):
            R.g_t[M.link_row[i]] += c * M.link_z[i] * R.h[M.link_state[i]]
        R.G[at] += met_twice(M.link_z[i0:i1], R.h, M.link_state[i0:i1], R.t, M.link_row[i0:i1])
    rows = M.info_row.size
    for q in range(M.rate.shape[0] - 1):
        at = M.rate[q, places.rate_at]
        c = R.V[at]
        i0, i1 = M.rate[q, places.rate0], M.rate[q + 1, places.rate0]
        for i in range(i0, i1):
            R.g_t[M.rate_row[i]] += c * M.rate_z[i] * R.g_t[rows + M.rate_node[i]]
        R.G[at] += met_twice(
            M.rate_z[i0:i1], R.g_t[rows:], M.rate_node[i0:i1], R.t, M.rate_row[i0:i1]
        )


@merged
def cells_density(M, e, R):
    """Log density of an equation's missing values given its predictor; slopes go to G."""
    lp = 0.0
    r0 = M.equation[e, places.row0]
    par, first = M.equation[e, places.row_par_at], M.equation[e, places.first_par_at]
    for k in range(M.equation[e, places.cells0], M.equation[e + 1, places.cells0]):
        b = M.cells[k]
        o = M.block[b, places.block0]
        J = M.block[b, places.J]
        c0 = M.block[b, places.cell_row0]
        for j in range(J):
            at = first if first >= 0 and M.first_row[r0 + M.cell_row[c0 + j]] == 1 else par
            sd = R.V[at]
            eta = M.equation[e, places.eta_at] + M.cell_row[c0 + j]
            r = (M.cell_rough[c0 + j] + R.V[1 + o + j] - R.V[eta]) / sd
            lp -= 0.5 * r * r + math.log(sd)
            R.G[eta] += r / sd
            R.G[1 + o + j] -= r / sd
            R.G[at] += (r * r - 1.0) / sd
    return lp


@inlined
def joint_density(M, x, g, R):
    """Log density at x, up to a constant, and its gradient; see `density.log_density`."""
    V, V1, G, G1 = R.V, R.V1, R.G, R.G1
    N = M.sizes[0]
    V[:] = M.V0
    G[:] = 0.0
    G1[:] = 0.0
    g[:] = 0.0
    R.g_inverse[:] = 0.0
    R.g_precision[:] = 0.0
    lp = 0.0
    E = M.equation.shape[0] - 2
    for e in range(E):
        lp += parameters_forward(M, e, x, V, G)
    for r in range(M.residual.shape[0] - 1):
        lp += residual_forward(M, r, x, V)
    roots_forward(M, x, V)
    products_forward(M, 0, V)
    V1[:] = V
    states_forward(M, M.anchor, V1)
    ratings_forward(M, V1)
    for e in range(E):
        products_forward(M, e + 1, V1)
        predictor_forward(M, e, V1)
    precisions(M, R)
    scores(M, R)
    lp -= factorized(M, R)
    solved(M, x, R)
    states_forward(M, R.e, V)
    ratings_forward(M, V)
    for k in range(N):
        lp -= 0.5 * M.standard[k] * R.e[k] * R.e[k]
    for e in range(E):
        products_forward(M, e + 1, V)
        predictor_forward(M, e, V)
        lp += rows_density(M, e, R) + cells_density(M, e, R)
    for e in range(E - 1, -1, -1):
        predictor_back(M, e, V, G)
        products_back(M, e + 1, V, G)
    ratings_back(M, G)
    for k in range(N):
        R.g_state[k] = -M.standard[k] * R.e[k]
    states_back(M, R.e, V, G, R.g_state)
    solved_back(M, g, R)
    for k in range(N):  # h was done with; it now holds slopes in itself
        R.h[M.state_of[k]] = R.q[k]
    links_back(M, R)
    factorized_back(M, R)
    scores_back(M, R)
    precisions_back(M, R)
    for e in range(E - 1, -1, -1):
        predictor_back(M, e, V1, G1)
        products_back(M, e + 1, V1, G1)
    ratings_back(M, G1)
    states_back(M, M.anchor, V1, G1, R.r)
    for k in range(1 + N, G.size):
        G[k] += G1[k]
    products_back(M, 0, V, G)
    lp += roots_back(M, x, G, g)
    for r in range(M.residual.shape[0] - 1):
        residual_back(M, r, x, V, G, g)
    for e in range(E - 1, -1, -1):
        parameters_back(M, e, x, V, G, g)
    return lp

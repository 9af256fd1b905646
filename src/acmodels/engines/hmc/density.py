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

import numpy as np

from acmodels.engines.hmc import places
from acmodels.engines.hmc.effects import (
    root_of,
    scales_back,
    seen_back,
    seen_by,
    several_back,
    several_forward,
    single_back,
    single_forward,
)
from acmodels.engines.hmc.elementary import inlined
from acmodels.engines.hmc.joint import joint_density
from acmodels.engines.hmc.parameters import (
    parameters_back,
    parameters_forward,
    residual_back,
    residual_forward,
)
from acmodels.engines.hmc.places import MOST_EFFECTS, MOST_SEEN
from acmodels.engines.hmc.predictors import (
    predictor_back,
    predictor_forward,
    products_back,
    products_forward,
    row_density,
    rows_density,
)


@inlined
def summed_density(M, R):
    """Log density of rows that rest on discrete missing values, summed over what these can be.

    Rows of one configuration are multiplied; the slopes of each are weighted by its probability
    given the data, by Bayes' rule.
    """
    E = M.equation.shape[0] - 2
    none = np.zeros(R.V.size)
    R.alternative[:] = 0.0
    for e in range(E):
        r0 = M.equation[e, places.row0]
        for i in range(M.equation[e, places.plain], M.equation[e + 1, places.row0] - r0):
            k = M.bin[M.equation[e, places.bin0] + i - M.equation[e, places.plain]]
            R.alternative[k] += row_density(M, e, i, 1.0, none, R)
    lp = 0.0
    for c in range(M.alternative0.size - 1):
        a = R.alternative[M.alternative0[c] : M.alternative0[c + 1]]
        most = a[0]
        for k in range(a.size):
            most = max(most, a[k])
        s = 0.0
        for k in range(a.size):
            s += math.exp(a[k] - most)
        for k in range(a.size):
            a[k] = math.exp(a[k] - most) / s
        lp += most + math.log(s)
    for e in range(E):
        r0 = M.equation[e, places.row0]
        g_par = R.G[M.equation[e, places.row_par_at] :]
        for i in range(M.equation[e, places.plain], M.equation[e + 1, places.row0] - r0):
            k = M.bin[M.equation[e, places.bin0] + i - M.equation[e, places.plain]]
            row_density(M, e, i, R.alternative[k], g_par, R)
    return lp


@inlined
def cells_forward(M, b, R):
    """Missing values of an equation: its predictor plus its residual sd times an innovation."""
    e = M.block[b, places.cell_equation]
    f0 = M.member[M.block[b, places.member0], places.eff0]
    for j in range(M.block[b, places.J]):
        k = M.block[b, places.cell_row0] + j
        R.move[f0 + j] = (
            R.shift[f0 + j] + R.V[M.equation[e, places.eta_at] + M.cell_row[k]] - M.cell_rough[k]
        )
    return R.V[M.equation[e, places.row_par_at]]


@inlined
def cells_back(M, b, R):
    """Slopes in the predictor."""
    e = M.block[b, places.cell_equation]
    f0 = M.member[M.block[b, places.member0], places.eff0]
    for j in range(M.block[b, places.J]):
        R.G[M.equation[e, places.eta_at] + M.cell_row[M.block[b, places.cell_row0] + j]] += R.G[
            1 + f0 + j
        ]


@inlined
def effects_forward(M, b, x, T, shift, R):
    """Fill in a block's effects; returns their log density."""
    J, f0, z0, i0 = (
        M.block[b, places.J],
        M.member[M.block[b, places.member0], places.eff0],
        M.block[b, places.block0],
        M.block[b, places.info0],
    )
    u = R.V[1:]
    if M.block[b, places.Q] == 1:
        r0 = M.block[b, places.score0]
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
    J, f0, z0, i0 = (
        M.block[b, places.J],
        M.member[M.block[b, places.member0], places.eff0],
        M.block[b, places.block0],
        M.block[b, places.info0],
    )
    gu = R.G[1:]
    gT = np.zeros((MOST_EFFECTS, MOST_EFFECTS))
    if M.block[b, places.Q] == 1:
        r0 = M.block[b, places.score0]
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
        M: `places.Arrays`.
        x: coordinates, (D,).
        g: for the gradient, (D,).
        R: `Room`; V holds the effects from place 1 on, and G the slopes in them.
    """
    if M.sizes[3] == 1:
        return joint_density(M, x, g, R)
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
    E = M.equation.shape[0] - 2
    for e in range(E):
        lp += parameters_forward(M, e, x, V, G)
    for r in range(M.residual.shape[0] - 1):
        lp += residual_forward(M, r, x, V)
    products_forward(M, 0, V)
    for b in range(M.block.shape[0]):
        if M.block[b, places.sd0] >= 0:
            root_of(M, x, b, tau, L, T)
            lp += effects_forward(M, b, x, T, R.shift, R)
    for e in range(E):
        products_forward(M, e + 1, V)
        predictor_forward(M, e, V)
        for k in range(M.equation[e, places.cells0], M.equation[e + 1, places.cells0]):
            T[0, 0] = cells_forward(M, M.cells[k], R)
            lp += effects_forward(M, M.cells[k], x, T, R.move, R)
        lp += rows_density(M, e, R)
    if M.bin.size:
        lp += summed_density(M, R)
    for e in range(E - 1, -1, -1):
        for k in range(M.equation[e, places.cells0], M.equation[e + 1, places.cells0]):
            cells_back(M, M.cells[k], R)
            T[0, 0] = V[M.equation[e, places.row_par_at]]
            gT = effects_back(M, M.cells[k], g, T, R)
            G[M.equation[e, places.row_par_at]] += gT[0, 0]
        predictor_back(M, e, V, G)
        products_back(M, e + 1, V, G)
    for b in range(M.block.shape[0]):
        if M.block[b, places.sd0] >= 0:
            root_of(M, x, b, tau, L, T)
            gT = effects_back(M, b, g, T, R)
            lp += scales_back(M, b, x, g, tau, L, gT)
    products_back(M, 0, V, G)
    for r in range(M.residual.shape[0] - 1):
        residual_back(M, r, x, V, G, g)
    for e in range(E - 1, -1, -1):
        parameters_back(M, e, x, V, G, g)
    return lp

"""Where the joint coordinates of states are anchored: information and scores of rows there."""

import ctypes
from dataclasses import replace

import numpy as np

from acmodels.engines.hmc.densities import CHUNK, density
from acmodels.engines.hmc.design import Design
from acmodels.engines.hmc.sampler import differences
from acmodels.system.arrays import Array

STEP = 1e-5
LEAST = 1e-8
"""Information of a row, at the least; a density that is not concave there has none."""
FAR = 2.0
"""By how much a row's predictor may move between two anchors of one search."""
ROUNDS, STILL = 40, 1e-6
_ROW_DENSITY = ctypes.CFUNCTYPE(
    ctypes.c_double, ctypes.c_int64, ctypes.c_int64, *[ctypes.c_void_p] * 8
)


def values_at(design: Design, x: Array) -> tuple[float, Array, Array, Array]:
    """Return the log density, its gradient, V at the anchor's states, and the states at x."""
    D = len(x)
    out = np.empty((1, D + int(design.arrays.sizes[:2].sum())))
    none = np.zeros(0, np.int64)
    lp, _, _, states, V = differences(
        design.arrays, x, none, np.zeros(1, np.int64), np.zeros(0), out, levels=False
    )
    return lp, out[0, :D], V, states


def reanchored(design: Design, x: Array, rounds: int = ROUNDS) -> tuple[Design, Array]:
    """Move the anchor to the states that z = 0 has at x, until these stand still.

    Returns:
        The design, and x with z = 0.
    """
    x = x.copy()
    N = int(design.arrays.sizes[0])
    x[:N] = 0.0
    before: Array | None = None
    for turn in range(rounds):
        *_, states = values_at(design, x)
        if not np.all(np.isfinite(states)):
            states = np.zeros(N)
        if before is not None:
            away = states - before
            far = float(np.max(np.abs(away), initial=0.0))
            states = before + np.clip(away, -FAR, FAR) * (0.5 if turn > 8 else 1.0)
            if far < STILL:
                break
        elif turn == 0:
            states = np.clip(states, -8.0, 8.0)
        before = states
        design = anchored_at(design, x, states, tilted=False)
    return design if before is None else anchored_at(design, x, before), x


def anchored_at(design: Design, x: Array, states: Array, *, tilted: bool = True) -> Design:
    """Take information and scores of rows at states, given the parameters of x.

    Args:
        design: of a component with joint coordinates.
        x: coordinates; those of states do not matter.
        states: of the anchor.
        tilted: whether to take anew how scores move with parameters, which nothing at x depends on.
    """
    M, shape = design.arrays, design.chart
    if shape is None:
        return design
    M = M._replace(anchor=states)
    V = values_at(replace(design, arrays=M), x)[2]
    info, score = M.info_row.copy(), M.score_row.copy()
    eta, tilt, par = M.eta_row.copy(), M.tilt.copy(), M.par_anchor.copy()
    response = M.response_row.copy()
    for e, exact in enumerate(shape.exact):
        rows = slice(int(shape.row0[e]), int(shape.row0[e + 1]))
        n = rows.stop - rows.start
        if exact:
            for k in range(int(M.cells0[e]), int(M.cells0[e + 1])):
                b = int(M.cells[k])
                o, J, c0 = int(M.block0[b]), int(M.J[b]), int(M.cell_row0[b])
                at = rows.start + M.cell_row[c0 : c0 + J]
                response[at] = M.cell_rough[c0 : c0 + J] + states[o : o + J]
            continue
        K = int(shape.tilts[e])
        a0, t0, at = int(M.anchor0[e]), int(M.tilt0[e]), int(M.row_par_at[e])
        here = V[int(M.eta_at[e]) : int(M.eta_at[e]) + n].copy()
        now = V[at : at + max(K, 1)].copy()
        call = _Rows(design, e, n)
        eta[rows], par[a0 : a0 + K] = here, now[:K]
        score[rows] = call(here, now)
        info[rows] = np.maximum(
            (call(here - STEP, now) - call(here + STEP, now)) / (2 * STEP), LEAST
        )
        for k in range(K if tilted else 0):
            up, down = now.copy(), now.copy()
            h = STEP * max(1.0, abs(float(now[k])))
            up[k] += h
            down[k] -= h
            tilt[t0 + k * n : t0 + (k + 1) * n] = (call(here, up) - call(here, down)) / (2 * h)
    M = M._replace(
        info_row=info,
        score_row=score,
        eta_row=eta,
        tilt=tilt,
        par_anchor=par,
        response_row=response,
    )
    return replace(design, arrays=M._replace(**shape.weights(V, info)))


class _Rows:
    """Slopes of an equation's row densities in its predictor."""

    def __init__(self, design: Design, e: int, n: int) -> None:
        M = design.arrays
        layout = design.parts[e].equation
        self.function = _ROW_DENSITY(density(layout.family, layout.link).address)
        self.n = n
        d0, r0 = int(M.data0[e]), int(M.row0[e])
        self.data = M.data[d0:]
        self.weight = M.weight[r0 : r0 + n]
        self.room = np.empty((8, CHUNK))

    def __call__(self, eta: Array, par: Array) -> Array:
        out = np.empty(self.n)
        g = np.zeros(len(par) + 1)
        par = np.append(par, 1.0)
        for first in range(0, self.n, CHUNK):
            m = min(CHUNK, self.n - first)
            pieces = (eta[first:], self.data[first:], par, self.weight[first:], self.room[0],
                      self.room[1], g, self.room[2])  # fmt: skip
            self.function(m, self.n, *(p.ctypes.data for p in pieces))
            out[first : first + m] = self.room[1][:m]
        return out

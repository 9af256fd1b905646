"""The joint coordinates of a component's states: which entries there are, and the anchor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, product
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.engines.hmc.densities import CHUNK, density
from acmodels.engines.hmc.links import Link
from acmodels.engines.hmc.pattern import Pattern, pattern
from acmodels.engines.hmc.sampler import differences
from acmodels.system.arrays import Array, Index

if TYPE_CHECKING:
    from acmodels.engines.hmc.design import Design

STEP = 1e-5
LEAST = 1e-8
"""Information of a row, at the least; a density that is not concave there has none."""
FAR = 2.0
"""By how much a row's predictor may move between two anchors of one search."""
ROUNDS, STILL = 40, 1e-6


@dataclass(frozen=True)
class Pair:
    """Two links of rows, and where they meet.

    Attributes:
        a, b: positions of the links.
        scale: place of a precision, or -1.
        rows: of all equations, where both are.
        own: positions of these among the rows of each link.
        entries: of Q, each once.
        inverse: which of them each row adds to.
        twice: 2 where two links of a row are of one state.
    """

    a: int
    b: int
    scale: int
    rows: Index
    own: Index
    entries: Index
    inverse: Index
    twice: Array


@dataclass(frozen=True)
class Chart:
    """Hold what does not change when the anchor moves.

    Attributes:
        links: of all equations.
        homes: the equation of each.
        pairs: of links.
        pattern: of the root.
        row0: first row of each equation, and their number.
        exact: which equations are normal.
        tilts: how many parameters the scores of each equation move with.
    """

    links: tuple[Link, ...]
    homes: Index
    pairs: tuple[Pair, ...]
    pattern: Pattern
    row0: Index
    exact: tuple[bool, ...]
    tilts: Index

    def weights(self, V: Array, info: Array) -> dict[str, Array]:
        """Return what multiplies links and pairs, given values and the information of rows."""
        z = [x.at(V) for x in self.links]
        k = [
            np.bincount(
                p.inverse,
                p.twice * z[p.a][p.own] * z[p.b][p.own] * info[p.rows],
                len(p.entries),
            )
            for p in self.pairs
        ]
        kept = [x[link.state >= 0] for x, link in zip(z, self.links, strict=True)]
        single = np.float32
        return {"link_z": _joined(kept).astype(single), "pair_k": _joined(k).astype(single)}


def chart(
    links: Sequence[Sequence[Link]],
    rows: Sequence[int],
    sets: Sequence[tuple[Sequence[int], int, int]],
    states: int,
    tilts: Sequence[int],
    first_row: Index,
) -> tuple[Chart, dict[str, Any]]:
    """Lay out the links, pairs and root of a component.

    Args:
        links: of each equation.
        rows: number of rows of each.
        sets: of normal equations, those whose residuals correlate together, each with the place of
            the root of their covariance, and 1 where it is of first waves, 0 of others, -1 of both.
        states: how many there are.
        tilts: by equation, parameters that its rows read.
        first_row: 1 for rows of first waves, of all equations.

    Returns:
        The chart, and arrays for the density: those that stay.
    """
    row0 = np.cumsum([0, *rows])
    first = np.cumsum([0, *(len(x) for x in links)])
    homes = np.repeat(np.arange(len(links)), [len(x) for x in links])
    flat = [x for these in links for x in these]
    found: list[tuple[int, int, int, int]] = []
    exact = [False] * len(links)
    at, gauss0, member, gauss_at = 0, [0], [], [0]
    for members, _, waves in sets:
        K = len(members)
        for i, j in combinations_with_replacement(range(K), 2):
            ei, ej = members[i], members[j]
            mine = range(first[ei], first[ei + 1])
            both = (
                combinations_with_replacement(mine, 2)
                if i == j
                else product(mine, range(first[ej], first[ej + 1]))
            )
            found += [(a, b, at + i * K + j, waves) for a, b in both]
        for e in members:
            exact[e] = True
        at += K * K
        member += list(members)
        gauss0.append(len(member))
        gauss_at.append(at)
    for e in range(len(links)):
        if not exact[e]:
            mine = range(first[e], first[e + 1])
            found += [(a, b, -1, -1) for a, b in combinations_with_replacement(mine, 2)]
    meets: list[tuple[int, int, int, Index]] = []
    for a, b, scale, waves in found:
        both = (flat[a].state >= 0) & (flat[b].state >= 0)
        if waves >= 0:
            both &= first_row[row0[homes[a]] : row0[homes[a] + 1]] == waves
        own = np.flatnonzero(both)
        if len(own):
            meets.append((a, b, scale, own))
    none = np.zeros(0, np.int64)
    shape = pattern(
        states,
        np.concatenate([none, *(flat[a].state[own] for a, _, _, own in meets)]),
        np.concatenate([none, *(flat[b].state[own] for _, b, _, own in meets)]),
    )
    pairs: list[Pair] = []
    for a, b, scale, own in meets:
        sa, sb = flat[a].state[own], flat[b].state[own]
        entries, inverse = np.unique(shape.entries(sa, sb), return_inverse=True)
        twice = np.where((sa == sb) & (a != b), 2.0, 1.0)
        pairs.append(Pair(a, b, scale, row0[homes[a]] + own, own, entries, inverse, twice))
    made = Chart(
        tuple(flat), homes, tuple(pairs), shape, row0, tuple(exact),
        np.array([0 if x else n for x, n in zip(exact, tilts, strict=True)], np.int64),
    )  # fmt: skip
    here = [np.flatnonzero(x.state >= 0) for x in flat]
    sizes = np.cumsum([0, *(len(x) for x in here)])
    return made, {
        "link_at": [x.place for x in flat],
        "link0": sizes,
        "link_row": _joined([row0[h] + x for h, x in zip(homes, here, strict=True)]),
        "link_state": _joined([x.state[i] for x, i in zip(flat, here, strict=True)]),
        "pair_a": [p.a for p in pairs],
        "pair_b": [p.b for p in pairs],
        "pair_scale": [p.scale for p in pairs],
        "pair0": np.cumsum([0, *(len(p.entries) for p in pairs)]),
        "pair_entry": _joined([p.entries for p in pairs]),
        "gauss_member": member,
        "gauss_member0": gauss0,
        "gauss_root": [root for _, root, _ in sets],
        "gauss_first": [waves for _, _, waves in sets],
        "gauss_at": gauss_at,
        "state_of": shape.state_of,
        "entry_row": shape.row,
        "entry_column": shape.column,
        "entry0": shape.first,
        "diagonal": shape.diagonal,
        "triple0": shape.triple0,
        "triple_left": shape.left,
        "triple_right": shape.right,
    }


def values_at(design: "Design", x: Array) -> tuple[float, Array, Array, Array]:
    """Return the log density, its gradient, V at the anchor's states, and the states at x."""
    D = len(x)
    out = np.empty((1, D + int(design.arrays.sizes[:2].sum())))
    none = np.zeros(0, np.int64)
    lp, _, _, states, V = differences(
        design.arrays, x, none, np.zeros(1, np.int64), np.zeros(0), out, levels=False
    )
    return lp, out[0, :D], V, states


def reanchored(design: "Design", x: Array, rounds: int = ROUNDS) -> tuple["Design", Array]:
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
        design = anchored_at(design, x, states)
    return design, x


def anchored_at(design: "Design", x: Array, states: Array) -> "Design":
    """Take information and scores of rows at states, given the parameters of x.

    Args:
        design: of a component with joint coordinates.
        x: coordinates; those of states do not matter.
        states: of the anchor.
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
        for k in range(K):
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

    def __init__(self, design: "Design", e: int, n: int) -> None:
        M = design.arrays
        layout = design.parts[e].equation
        self.function = density(layout.family, layout.link).function.ctypes
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
            self.function(m, self.n, *(_pointer(p) for p in pieces))
            out[first : first + m] = self.room[1][:m]
        return out


def _pointer(values: Array) -> Any:
    import ctypes

    return values.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def _joined(pieces: Sequence[Any]) -> Any:
    return np.concatenate(pieces) if pieces else np.zeros(0)

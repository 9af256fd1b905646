"""The joint coordinates of a component's states: which entries there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np

from acmodels.engines.hmc.links import Link
from acmodels.engines.hmc.pattern import Pattern, pattern
from acmodels.system.arrays import Array, Index


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
class Rate:
    """What an equation gives a rating.

    Attributes:
        equation: which.
        place: in V, of the coefficient.
        node: which value each of its rows reads, of all ratings.
        z: known factor, by row.
    """

    equation: int
    place: int
    node: Index
    z: Array


@dataclass(frozen=True)
class Chart:
    """Hold what does not change when the anchor moves.

    Attributes:
        links: of all equations.
        homes: the equation of each.
        pairs: of links.
        rates: what equations give ratings.
        pattern: of the root.
        row0: first row of each equation, then of each rating, and their number.
        exact: which equations are normal.
        tilts: how many parameters the scores of each equation move with.
    """

    links: tuple[Link, ...]
    homes: Index
    pairs: tuple[Pair, ...]
    rates: tuple[Rate, ...]
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
        rows = [slice(self.row0[r.equation], self.row0[r.equation + 1]) for r in self.rates]
        rate = [r.z**2 * info[s] for r, s in zip(self.rates, rows, strict=True)]
        kept = [x[link.state >= 0] for x, link in zip(z, self.links, strict=True)]
        single = np.float32
        return {
            "link_z": _joined(kept).astype(single),
            "pair_k": _joined(k).astype(single),
            "rate_k": _joined(rate).astype(single),
        }


def chart(
    links: Sequence[Sequence[Link]],
    rows: Sequence[int],
    sets: Sequence[tuple[Sequence[int], int, int]],
    states: int,
    tilts: Sequence[int],
    first_row: Index,
    rated: Sequence[tuple[int, Sequence[Link]]],
    rates: Sequence[Rate],
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
        rated: of each rating, how many values it has and their links.
        rates: what equations give ratings.

    Returns:
        The chart, and arrays for the density: those that stay.
    """
    every = [*links, *(x for _, x in rated)]
    row0 = np.cumsum([0, *rows, *(n for n, _ in rated)])
    first = np.cumsum([0, *(len(x) for x in every)])
    homes = np.repeat(np.arange(len(every)), [len(x) for x in every])
    flat = [x for these in every for x in these]
    single: dict[int, int] = {}
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
            single[e] = at
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
    met = [
        pair
        for e in range(len(links), len(every))
        for pair in combinations_with_replacement(range(first[e], first[e + 1]), 2)
    ]
    none = np.zeros(0, np.int64)
    shape = pattern(
        states,
        np.concatenate(
            [none, *(flat[a].state[own] for a, *_, own in meets), *(flat[a].state for a, _ in met)]
        ),
        np.concatenate(
            [none, *(flat[b].state[i] for _, b, _, i in meets), *(flat[b].state for _, b in met)]
        ),
    )
    pairs: list[Pair] = []
    for a, b, scale, own in meets:
        sa, sb = flat[a].state[own], flat[b].state[own]
        entries, inverse = np.unique(shape.entries(sa, sb), return_inverse=True)
        twice = np.where((sa == sb) & (a != b), 2.0, 1.0)
        pairs.append(Pair(a, b, scale, row0[homes[a]] + own, own, entries, inverse, twice))
    made = Chart(
        tuple(flat), homes, tuple(pairs), tuple(rates), shape, row0, tuple(exact),
        np.array([0 if x else n for x, n in zip(exact, tilts, strict=True)], np.int64),
    )  # fmt: skip
    here = [np.flatnonzero(x.state >= 0) for x in flat]
    sizes = np.cumsum([0, *(len(x) for x in here)])
    total = row0[len(links)]
    sides = [(flat[a], flat[b], a != b) for a, b in met]
    return made, {
        "rated_row0": row0[len(links) :] - total,
        "rate_at": [r.place for r in rates],
        "rate_scale": [single.get(r.equation, -1) for r in rates],
        "rate0": np.cumsum([0, *(len(r.node) for r in rates)]),
        "rate_row": _joined([row0[r.equation] + np.arange(len(r.node)) for r in rates]),
        "rate_node": _joined([r.node for r in rates]),
        "rate_z": _joined([r.z for r in rates]),
        "meet_a": [a for a, _ in met],
        "meet_b": [b for _, b in met],
        "meet0": np.cumsum([0, *(len(a.state) for a, _, _ in sides)]),
        "meet_entry": _joined([shape.entries(a.state, b.state) for a, b, _ in sides]),
        "meet_node": _joined(
            [row0[homes[a]] - total + np.arange(len(flat[a].state)) for a, _ in met]
        ),
        "meet_k": _joined(
            [a.z * b.z * np.where((a.state == b.state) & other, 2.0, 1.0) for a, b, other in sides]
        ),
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


def _joined(pieces: Sequence[Any]) -> Any:
    return np.concatenate(pieces) if pieces else np.zeros(0)

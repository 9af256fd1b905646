"""Random numbers of the g-formula, each from its own fixed stream, and their correlations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from acmodels.estimands import Array
from acmodels.estimands._scenario import Scenario
from acmodels.rng import stream
from acmodels.system import Layout
from acmodels.system.layout import residual_pairs

type Key = tuple[Literal["effect", "residual", "uniform"], str, int]


@dataclass(frozen=True)
class Mixed:
    """A standard normal as a mix of independent ones, by a row of a root of their correlations.

    Attributes:
        root: lower roots, (S, K, K).
        keys: of the independent ones.
        place: its row.
    """

    root: Array
    keys: tuple[Key, ...]
    place: int


@dataclass(frozen=True)
class Noise:
    """Random numbers, each from its own fixed stream, and how they are mixed.

    Attributes:
        n: how many of each, for a stratum and a draw.
        streams: of the independent numbers, in order.
        effects: standardized group effects, by block and member.
        residuals: standardized residuals of equations whose residuals correlate.
    """

    n: int
    streams: Mapping[Key, np.random.Generator]
    effects: Mapping[tuple[int, int], Mixed]
    residuals: Mapping[str, Mixed]

    def uniforms(self, draws: int, strata: int) -> dict[Key, Array]:
        """Random numbers, (draws, strata, n): uniform ones and standard normal ones."""
        out: dict[Key, Array] = {}
        for key, g in self.streams.items():
            order = g.permuted(np.tile(np.arange(strata), (draws, 1)), axis=1)
            u = order[:, :, None] / strata + g.random((draws, 1, self.n))
            u = np.maximum(u - (u >= 1.0), 2.0**-54)
            if key[0] == "uniform":
                out[key] = u
            else:
                from scipy.special import ndtri

                out[key] = ndtri(u)
        return out


def noise(asked: Scenario, layout: Layout, draws: Mapping[str, Array]) -> Noise:
    """Set up the random numbers of a scenario.

    Args:
        asked: what is run anew.
        layout: the model on its rows.
        draws: every structural parameter, (S,).
    """
    again = asked.drawn - {asked.to}
    keys: list[Key] = []
    effects: dict[tuple[int, int], Mixed] = {}
    for b, mine in asked.effects.items():
        block = layout.blocks[b]
        places = [t.effect[1] for t in mine if t.effect is not None]
        theirs: list[Key] = [("effect", block.key, k) for k in places]
        root = _root(draws, block.correlations(), places)
        effects |= {(b, k): Mixed(root, tuple(theirs), i) for i, k in enumerate(places)}
        keys += theirs
    for e in (layout.equations[i] for i in layout.order):
        if e.response in again:
            keys.append(("residual" if e.distribution.normal else "uniform", e.response, 0))
    residuals: dict[str, Mixed] = {}
    for r, members in enumerate(layout.residual):
        names = {k: layout.equations[i].response for k, i in enumerate(members)}
        places = [k for k, name in names.items() if name in again]
        theirs = [("residual", names[k], 0) for k in places]
        root = _root(draws, residual_pairs(layout, r), places)
        residuals |= {names[k]: Mixed(root, tuple(theirs), i) for i, k in enumerate(places)}
    streams = {key: stream(0, "response scale", *key) for key in keys}
    return Noise(len(asked.rows), streams, effects, residuals)


def _root(
    draws: Mapping[str, Array], pairs: Sequence[tuple[int, int, str]], mine: Sequence[int]
) -> Array:
    place = {k: i for i, k in enumerate(mine)}
    R = np.tile(np.eye(len(mine)), (len(next(iter(draws.values()))), 1, 1))
    for i, j, name in pairs:
        if i in place and j in place:
            a, b = place[i], place[j]
            R[:, a, b] = R[:, b, a] = draws[name]
    return _cholesky(R)


def _cholesky(R: Array) -> Array:
    """Lower roots of correlation matrices, (S, K, K); correlations of 1 are allowed."""
    L = np.zeros_like(R)
    for j in range(R.shape[1]):
        left = R[:, j, j] - np.sum(L[:, j, :j] ** 2, axis=1)
        L[:, j, j] = np.sqrt(np.maximum(left, 0.0))
        usable = L[:, j, j] > 1e-8
        for i in range(j + 1, R.shape[1]):
            gap = R[:, i, j] - np.sum(L[:, i, :j] * L[:, j, :j], axis=1)
            L[:, i, j] = np.where(usable, gap / np.where(usable, L[:, j, j], 1.0), 0.0)
    return L

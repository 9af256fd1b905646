"""Metropolis steps on a density of many coordinates, by walkers that move together.

Random-walk steps with the covariance of the walkers, scaled as in Roberts, Gelman & Gilks (1997),
take turns with steps drawn from a proposal that does not depend on where a walker is. Each walker
is a Markov chain of its own; the covariance is settled in the warm-up and then stays.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from acmodels.system.arrays import Array

WARM_UP = 600
INDEPENDENT = 4
"""Every so many steps, one is independent of where the walker stands."""


@dataclass(frozen=True)
class Moves:
    """What the walkers need.

    Attributes:
        log: log density at points (W, d).
        canonical: the equivalent of each point (W, d) with positive sds.
        independent: draws n points, (n, d).
        log_independent: the log density they are drawn from, at points (W, d).
    """

    log: Callable[[Array], Array]
    canonical: Callable[[Array], Array]
    independent: Callable[[int], Array]
    log_independent: Callable[[Array], Array]


def metropolis(
    moves: Moves,
    start: Array,
    kept: int,
    thin: int,
    rng: np.random.Generator,
    tell: Callable[[int, int], None],
) -> Array:
    """Walk.

    Args:
        moves: see there.
        start: a point for each walker, near draws from the density, (W, d).
        kept: points to keep of each walker.
        thin: steps between them.
        rng: the stream to draw from.
        tell: called with steps done and in all.

    Returns:
        Shape (W, kept, d).
    """
    W, d = start.shape
    x, lp, lq = start, moves.log(start), moves.log_independent(start)
    total = WARM_UP + kept * thin
    out = np.empty((W, kept, d))
    past: list[Array] = [start]
    root = _root(np.cov(start.T).reshape(d, d))
    for step in range(total):
        alone = step % INDEPENDENT == 0
        if alone:
            new = moves.independent(W)
        else:
            new = moves.canonical(x + rng.standard_normal((W, d)) @ root.T)
        lp_new, lq_new = moves.log(new), moves.log_independent(new)
        ratio = lp_new - lp
        if alone:
            ratio += lq - lq_new
        yes = np.log(rng.random(W)) < ratio
        x = np.where(yes[:, None], new, x)
        lp, lq = np.where(yes, lp_new, lp), np.where(yes, lq_new, lq)
        if step < WARM_UP:
            past.append(x)
            if (step + 1) % 150 == 0:
                root = _root(np.cov(np.concatenate(past[len(past) // 2 :]).T).reshape(d, d))
        elif (step - WARM_UP + 1) % thin == 0:
            out[:, (step - WARM_UP) // thin] = x
        if step % 50 == 49:
            tell(step + 1, total)
    tell(total, total)
    return out


def _root(covariance: Array) -> Array:
    d = len(covariance)
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 1e-10)) * (2.38 / np.sqrt(d))

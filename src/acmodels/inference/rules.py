"""The rules by which posterior draws become a verdict.

They combine the posterior probability of a region with that of a region of practical equivalence
(Kruschke, 2018). Everything here holds for one posterior, whose draws have the shape (S,), and for
R of them at once, (R, S); draws may be weighted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acmodels.spec.proposition import Claim, inside

type Array = NDArray[np.float64]
type Bools = NDArray[np.bool_]
type Status = Literal["supported", "contradicted", "undecided", "unusable", "not_testable"]
type Steps = Sequence[Sequence[Array]]
"""Draws of the steps of an effect: by path, then by step, each (..., S)."""


@dataclass(frozen=True)
class Drawn:
    """Draws of one quantity.

    Attributes:
        values: (..., S).
        steps: of an indirect effect, the slopes of the steps of each path, each (..., S).
    """

    values: Array
    steps: Steps = ()


@dataclass(frozen=True)
class Chances:
    """Posterior probabilities of one claim, each (...).

    Attributes:
        region: of the region.
        rope: that the quantity is negligible, or None where nothing is called so.
        above, below: of what lies beyond the upper and the lower end of a region that is
            `outside`; None for other regions.
        held: which draws lie in the region; of a region that is `outside`, on the side that has
            more of them, (..., S).
        stepwise: whether the rope is about the steps of a path.
    """

    region: Array
    rope: Array | None
    above: Array | None
    below: Array | None
    held: Bools
    stepwise: bool = False


@dataclass(frozen=True)
class Decision:
    """What the rule says, each (...).

    Attributes:
        region: the joint probability of all regions.
        rope: the largest probability that a quantity is negligible, or None.
        supported, reversed, negligible: what is found; the last two contradict.
    """

    region: Array
    rope: Array | None
    supported: Bools
    reversed: Bools
    negligible: Bools

    @property
    def status(self) -> Status:
        """The verdict on one posterior."""
        if self.reversed or self.negligible:
            return "contradicted"
        return "supported" if self.supported else "undecided"

    @property
    def how(self) -> str:
        """How it is contradicted: `reversed` or `negligible`; nothing of other verdicts."""
        return "reversed" if self.reversed else "negligible" if self.negligible else ""


def share(holds: Bools, weights: Array | None = None) -> Array:
    """Return the share of draws, or of their weights, for which something holds, (...)."""
    if weights is None:
        return np.mean(holds, axis=-1)
    return np.minimum(holds @ weights, 1.0)


def chances(claim: Claim, drawn: Drawn, weights: Array | None = None) -> Chances:
    """Compute the posterior probabilities that the rule looks at.

    Where the quantity is an indirect effect, the region of practical equivalence is about the
    steps of its path: a path is negligible where some step is, and the effect where every path is.

    Args:
        claim: its region and rope.
        drawn: of the quantity.
        weights: of the draws, (S,), which add up to one; None for equal ones.
    """
    x = drawn.values
    held = inside(claim, x)
    region = share(held, weights)
    rope = None if claim.rope is None else _negligible(claim.rope, drawn, weights)
    stepwise = rope is not None and bool(drawn.steps)
    if not claim.outside:
        return Chances(region, rope, None, None, held, stepwise)
    above, below = share(x > claim.upper, weights), share(x < claim.lower, weights)
    side = np.where((above >= below)[..., None], x > claim.upper, x < claim.lower)
    return Chances(region, rope, above, below, side, stepwise)


def _negligible(rope: tuple[float, float], drawn: Drawn, weights: Array | None) -> Array:
    """Probability that a quantity lies in a rope; of an effect with steps, see `chances`."""
    low, high = rope

    def chance(x: Array) -> Array:
        return share((x >= low) & (x <= high), weights)

    if not drawn.steps:
        return chance(drawn.values)
    paths = [reduce(np.maximum, [chance(s) for s in path]) for path in drawn.steps]
    return reduce(np.minimum, paths)


def decide(found: Sequence[Chances], probability: float, weights: Array | None = None) -> Decision:
    """Apply the decision rule to one claim, or to several that must hold jointly.

    Supported: P(all regions) >= probability, and P(rope) < 1 - probability for each rope that is
    given. Contradicted: for some claim P(not region) >= probability or P(rope) >= probability.
    Undecided otherwise.

    A region outside of two ends must be reached on one side, with a probability of at least
    1 - (1 - probability) / 2, so that a posterior so wide that it has both sides never supports
    it; with k such regions, of 1 - (1 - probability) / 2^k (Bonferroni), since each of the 2^k
    combinations of sides would do.

    Args:
        found: of each claim.
        probability: that is asked for.
        weights: of the draws, as for `chances`.
    """
    held = reduce(np.logical_and, [c.held for c in found])
    return _apply(found, probability, np.asarray(share(held, weights)))


def _apply(found: Sequence[Chances], probability: float, joint: Array) -> Decision:
    """Apply the rule, given the probability that all draws lie where they are claimed to."""
    sides = sum(c.above is not None for c in found)
    if sides:  # a sum, since 1 - 0.975 is above 0.025 in floating point
        enough = joint + (1 - probability) / 2**sides >= 1 - 1e-12
        whole = joint if len(found) > 1 else found[0].region
    else:
        enough, whole = joint >= probability, joint
    none = np.zeros(joint.shape, dtype=bool)
    ropes = [c.rope for c in found if c.rope is not None]
    small, little, away = none, none, none
    for c in found:
        missed = c.region + probability <= 1
        tiny = none if c.rope is None else c.rope >= probability
        if c.above is not None:  # between the ends it differs by too little
            tiny, missed = tiny | missed, none
        if c.rope is not None:
            small = small | (c.rope + probability >= 1)
        little, away = little | tiny, away | (missed & ~tiny)
    return Decision(
        np.asarray(whole), reduce(np.maximum, ropes) if ropes else None,
        enough & ~small & ~away & ~little, away, little,
    )  # fmt: skip


def verdict(p_region: float, p_rope: float | None, probability: float) -> Status:
    """Apply the decision rule to the probabilities of one region that is not `outside`.

    Supported: P(region) >= probability, and P(rope) < 1 - probability where there is one.
    Contradicted: P(not region) >= probability, or P(rope) >= probability. Undecided otherwise.
    """
    region = np.asarray(p_region)
    rope = None if p_rope is None else np.asarray(p_rope)
    seen = Chances(region, rope, None, None, np.zeros(1, dtype=bool))
    return _apply([seen], probability, region).status

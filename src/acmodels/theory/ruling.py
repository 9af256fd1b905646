"""From posterior draws to what they say of a claim: holds, reversed or negligible.

*Supported*: P(holds) >= p and P(negligible) < 1 - p. *Contradicted*: P(reversed) >= p, or
P(negligible) >= p. Otherwise *undecided* (Kruschke, 2018, *Advances in Methods and Practices in
Psychological Science* 1, 270-280, with smallest effects of interest as regions of practical
equivalence).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Status = Literal["supported", "contradicted", "undecided", "unusable", "not_testable"]
type Answers = Mapping[str, Array]
"""Draws of each estimand, (S,); of one with several rows, `name[at]`."""

DIFFERS = "differs"


@dataclass(frozen=True)
class Part:
    """One quantity that a verdict rests on: a condition, an outcome, a step, a slope.

    Attributes:
        name: what it is, as `step 1`.
        from_, to: cause and outcome.
        scale: of its numbers.
        draws: shape (S,).
        region: `+`, `-`, `differs`, or nothing where no direction is claimed.
        smallest: effects up to it are negligible.
        need: the probability that is asked of it.
    """

    name: str
    from_: str
    to: str
    draws: Array
    region: str = ""
    smallest: float = 0.05
    need: float = 0.975
    scale: str = "standardized"

    @property
    def p_region(self) -> float | None:
        """Probability of the direction claimed."""
        if self.region == "":
            return None
        if self.region == DIFFERS:
            s = self.smallest
            return float(max(np.mean(self.draws > s), np.mean(self.draws < -s)))
        return float(np.mean(self.draws > 0 if self.region == "+" else self.draws < 0))

    @property
    def p_rope(self) -> float:
        """Probability of being negligible."""
        return float(np.mean(np.abs(self.draws) <= self.smallest))

    @property
    def status(self) -> str:
        """What the draws say of this part alone."""
        if self.region == "":
            return ""
        return decide(
            Ruling(
                holds=self.p_region or 0.0,
                reversed_=_reversed(self),
                negligible=self.p_rope,
                need=1 - (1 - self.need) / 2 if self.region == DIFFERS else self.need,
                probability=self.need,
            )
        )[0]


def _reversed(part: Part) -> float:
    if part.region == DIFFERS:
        return 0.0
    return float(np.mean(part.draws < 0 if part.region == "+" else part.draws > 0))


@dataclass(frozen=True)
class Ruling:
    """What draws say of a claim.

    Attributes:
        holds: probability that it holds.
        reversed_: probability that the contrary does.
        negligible: probability that there is nothing of note.
        need: of `holds` to be supported.
        probability: of the others to contradict.
        main: the quantity whose mean and interval the verdict shows.
        parts: every quantity that it rests on.
        barred: why it cannot be supported though it holds, or nothing.
        said: sentences for the card.
        each: of several claims, the probability of each; `holds` is then a lower bound.
        doubt: why the draws decide nothing, as where rows are not independent, or nothing.
    """

    holds: float
    reversed_: float = 0.0
    negligible: float = 0.0
    need: float = 0.975
    probability: float = 0.975
    main: Part | None = None
    parts: tuple[Part, ...] = ()
    barred: str = ""
    said: tuple[str, ...] = field(default=())
    each: tuple[float, ...] = ()
    doubt: str = ""


def decide(r: Ruling) -> tuple[Status, str]:
    """Apply the rule.

    Returns:
        The status, and how it is contradicted: `reversed`, `negligible` or nothing.
    """
    if r.doubt:
        return "undecided", ""
    # sums, since 1 - 0.975 is above 0.025 in floating point
    if r.reversed_ >= r.probability:
        return "contradicted", "reversed"
    if r.negligible >= r.probability:
        return "contradicted", "negligible"
    if r.holds >= r.need and r.negligible + r.probability < 1 and not r.barred:
        return "supported", ""
    return "undecided", ""


def of_effect(
    draws: Array, sign: str, smallest: float, p: float, main: Part, parts: Sequence[Part] = ()
) -> Ruling:
    """Rule on one effect with a direction, or that differs from zero in either.

    A part that is reversed keeps the claim from being supported.
    """
    negligible = float(np.mean(np.abs(draws) <= smallest))
    barred = barred_by(parts, p)
    if sign == DIFFERS:
        above, below = float(np.mean(draws > smallest)), float(np.mean(draws < -smallest))
        return Ruling(
            max(above, below), 0.0, negligible, 1 - (1 - p) / 2, p, main, tuple(parts), barred
        )
    toward = draws if sign == "+" else -draws
    return Ruling(
        float(np.mean(toward > 0)), float(np.mean(toward < 0)), negligible, p, p, main,
        tuple(parts), barred,
    )  # fmt: skip


@dataclass(frozen=True)
class Simultaneous:
    """What the draws of several quantities say when all are judged at once.

    Attributes:
        holds: the largest level at which one simultaneous interval lies beyond the smallest effect.
        negligible: the largest level at which all of them lie within it.
        largest: which quantity lies beyond it by most.
    """

    holds: float
    negligible: float
    largest: int


def simultaneously(draws: Array, smallest: float) -> Simultaneous:
    """Judge several quantities at once, so that none is singled out by chance.

    The simultaneous interval of a quantity d is mean(d) -+ q sd(d), q a quantile of
    max |d - mean(d)| / sd(d) over draws (Besag, Green, Higdon & Mengersen, 1995, *Statistical
    Science* 10, 3-66, in the form of the max statistic).

    Args:
        draws: shape (quantities, S).
        smallest: effects up to it are negligible.
    """
    mean, sd = draws.mean(axis=1), np.maximum(draws.std(axis=1, ddof=1), 1e-300)
    farthest = np.max(np.abs(draws - mean[:, None]) / sd[:, None], axis=0)
    beyond = (np.abs(mean) - smallest) / sd
    inside = (smallest - np.abs(mean)) / sd
    k = int(np.argmax(beyond))
    return Simultaneous(
        float(np.mean(farthest <= beyond[k])), float(np.mean(farthest <= inside.min())), k
    )


def asked(sign: str, what: str) -> str:
    """Say what the rule asks of a quantity with a direction, as `P(total effect > 0)`."""
    if sign == DIFFERS:
        return f"P({what} beyond the smallest effect, on one side)"
    return f"P({what} {'>' if sign == '+' else '<'} 0)"


def barred_by(parts: Sequence[Part], p: float) -> str:
    """Name the parts that are reversed, so that the claim is undecided at best."""
    found = [x for x in parts if x.region in ("+", "-") and _reversed(x) >= p]
    return ", ".join(f"{x.from_} on {x.to} is reversed" for x in found)


def jointly(rulings: Sequence[Ruling], p: float) -> Ruling:
    """Join the rulings on several claims, from models of their own.

    All hold with at least 1 - sum(1 - P) (Bonferroni); the whole is contradicted where one is.
    """
    if len(rulings) == 1:
        return rulings[0]
    holds = max(0.0, 1 - sum(1 - r.holds for r in rulings))
    if any(r.need > p for r in rulings):  # each must reach its own threshold too
        holds = holds if all(r.holds >= r.need for r in rulings) else min(holds, p - 1e-9)
    worst = max(rulings, key=lambda r: max(r.reversed_, r.negligible))
    return Ruling(
        holds,
        max(r.reversed_ for r in rulings),
        max(r.negligible for r in rulings),
        p,
        p,
        worst.main if decide(worst)[0] == "contradicted" else rulings[0].main,
        tuple(x for r in rulings for x in r.parts),
        "; ".join(r.barred for r in rulings if r.barred),
        tuple(s for r in rulings for s in r.said),
        tuple(r.holds for r in rulings),
        "; ".join(dict.fromkeys(r.doubt for r in rulings if r.doubt)),
    )


def renamed(r: Ruling, smaller: Callable[[Part], Part]) -> Ruling:
    """Return a ruling with every part changed."""
    return replace(r, parts=tuple(smaller(x) for x in r.parts))

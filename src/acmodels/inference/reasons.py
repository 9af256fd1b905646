"""Why a verdict is what it is, in words."""

from collections.abc import Sequence

import numpy as np

from acmodels.inference.rules import Array, Chances, Decision, Status, decide
from acmodels.numbers import decimal, stated
from acmodels.spec.proposition import Claim, Proposition, Region


def region_words(p: Region) -> str:
    """The region as a person says it: `above 0`."""
    if p.outside:
        return f"below {stated(p.lower)} or above {stated(p.upper)}"
    if np.isinf(p.upper):
        return f"above {stated(p.lower)}"
    if np.isinf(p.lower):
        return f"below {stated(p.upper)}"
    return f"between {stated(p.lower)} and {stated(p.upper)}"


def reason(
    p: Proposition, status: Status, seen: Sequence[Chances], said: Decision, why_not: str = ""
) -> str:
    """Say why a verdict is what it is, in a sentence.

    Args:
        p: what was judged.
        status: the verdict.
        seen: probabilities of each claim.
        said: what the rule made of them.
        why_not: the first message of the diagnostics, where they failed.
    """
    if status == "unusable":
        return f"No verdict: {why_not or 'a diagnostic failed'}"
    if p.all:
        return _joint_reason(p, status, seen, said)
    (c,), (x,), need, rest = p.claims, seen, stated(p.probability), stated(1 - p.probability)
    rope = _rope_words(c, x)
    if c.outside and status != "contradicted":
        return _side_reason(p, status, x, rope)
    lies = f"the probability that it lies {region_words(c)} is {_probability(x.region)}"
    if status == "supported":
        tail = f", and {rope} (must be below {rest})" if rope else ""
        return f"Supported, since {lies} (threshold {need}){tail}."
    if status == "contradicted":
        if x.rope is not None and x.rope >= p.probability:
            return f"Contradicted, since {rope} (threshold {need})."
        return f"Contradicted, since {_missed(c, x)} (threshold {need})."
    if x.region >= p.probability:
        return f"Undecided: {lies}, but {rope} (must be below {rest})."
    return f"Undecided: {lies}, and the threshold is {need} in either direction."


def _missed(c: Claim, x: Chances) -> str:
    if c.outside:
        return (
            f"the probability that it lies between {stated(c.lower)} and {stated(c.upper)} is "
            f"{_probability(1 - x.region)}"
        )
    return f"the probability that it does not lie {region_words(c)} is {_probability(1 - x.region)}"


def _rope_words(c: Claim, x: Chances) -> str:
    if c.rope is None or x.rope is None:
        return ""
    low, high = c.rope
    if x.stepwise:
        return (
            f"the probability that a step of its path is negligible ({stated(low)} to "
            f"{stated(high)}) is {_probability(x.rope)}"
        )
    return (
        f"the probability that it is negligible ({stated(low)} to {stated(high)}) is "
        f"{_probability(x.rope)}"
    )


def _side_reason(p: Proposition, status: Status, x: Chances, rope: str) -> str:
    """The reason where a region lies outside of two ends and one side must be reached."""
    above = f"above {stated(p.upper)} is {_probability(x.above)}"
    below = f"below {stated(p.lower)} is {_probability(x.below)}"
    need, rest = stated(1 - (1 - p.probability) / 2), stated(1 - p.probability)
    side = above if float(share_of(x.above)) >= float(share_of(x.below)) else below
    reached = max(share_of(x.above), share_of(x.below)) + (1 - p.probability) / 2 >= 1 - 1e-12
    lies = f"the probability that it lies {side}"
    if status == "supported":
        tail = f", and {rope} (must be below {rest})" if rope else ""
        return f"Supported, since {lies} (threshold for one side {need}){tail}."
    if reached:
        return f"Undecided: {lies}, but {rope} (must be below {rest})."
    return (
        f"Undecided: the probability that it lies {above}, and {below}. The threshold is {need} "
        f"on one side, or {stated(p.probability)} between them."
    )


def share_of(p: Array | None) -> float:
    """A probability as a number, 0 where there is none."""
    return 0.0 if p is None else float(p)


def _joint_reason(p: Proposition, status: Status, seen: Sequence[Chances], said: Decision) -> str:
    """The reason of several claims that must hold jointly."""
    need, rest = stated(p.probability), stated(1 - p.probability)
    pairs = list(zip(p.claims, seen, strict=True))
    if status == "contradicted":
        for c, x in pairs:
            part = decide([x], p.probability)
            if part.how != said.how:
                continue
            small = x.rope is not None and x.rope >= p.probability
            why = _rope_words(c, x) if small else _missed(c, x)
            return f"Contradicted, since of {_label(c)} {why} (threshold {need})."
    sides = sum(c.outside for c in p.claims)
    least = stated(1 - (1 - p.probability) / 2**sides)
    lies = f"the probability that all {len(pairs)} parts hold is {_probability(said.region)}"
    small = [(c, x) for c, x in pairs if x.rope is not None and x.rope + p.probability >= 1]
    if status == "supported":
        tail = f", and none is negligible with a probability of {rest}" if said.rope else ""
        return f"Supported, since {lies} (threshold {least}){tail}."
    if said.region + (1 - p.probability) / 2**sides >= 1 - 1e-12 and small:
        c, x = small[0]
        return f"Undecided: {lies}, but of {_label(c)} {_rope_words(c, x)} (must be below {rest})."
    return (
        f"Undecided: {lies}. The threshold to support it is {least}, and to contradict any one "
        f"part {need}."
    )


def _label(c: Claim) -> str:
    return f"'{c.estimand}'" + (f" ({c.at})" if c.at else "")


def _probability(p: Array | float | None) -> str:
    """A probability in words that never say 0 or 1 of a finite number of draws."""
    value = 0.0 if p is None else float(p)
    if value > 0.999:
        return "above 0.999"
    return "below 0.001" if value < 0.001 else decimal(value, 3)

"""One way of putting together what persons have moves an outcome, and more than another way.

That it does more than the other is not enough: where the other lowers the outcome, one that does
nothing would pass.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial as bound
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, Terms, contrast
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.ruling import DIFFERS, Answers, Ruling

averages = "it is about how the scores of persons are put together"


class Keys(Common):
    """The keys of an aggregate."""

    from_: Annotated[str, Field(alias="from")]
    rules: Annotated[
        list[Literal["mean", "minimum", "maximum", "coverage"]], Field(min_length=2, max_length=2)
    ]
    to: str
    sign: Literal["+", "-", "differs"] = "+"


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    return Roles((keys.from_,), (keys.to,), steps=((keys.from_, keys.to),))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    a, b = keys.rules
    does = {"+": "raises", "-": "lowers", "differs": "moves"}[keys.sign]
    return f"the {a} of persons' {name(keys.from_)} {does} {name(keys.to)} beyond its {b}"


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: both aggregates in one equation, and the difference of their effects.

    Raises:
        NotTestable: the data have no person rows and no columns of the aggregates.
    """
    found: list[str] = []
    for way in keys.rules:
        mine = [
            c.id for c in s.framework.constructs.values()
            if c.aggregate_of == keys.from_ and c.rule == way
        ]  # fmt: skip
        if not mine:
            raise NotTestable(
                f"constructs.toml has no construct with aggregate_of = '{keys.from_}' and rule = "
                f"'{way}'"
            )
        if mine[0] not in s.columns:
            raise NotTestable(
                f"the data have no answers of persons about '{keys.from_}' and no column "
                f"'{mine[0]}' for its {way}"
            )
        found.append(mine[0])
    other = contrast.Keys.model_validate(
        {
            "of": [{"from": c, "to": keys.to} for c in found],
            "sign": keys.sign,
            "level": keys.level,
        }
    )
    compiled = contrast.compile(other, s, name)
    said = words(keys, lambda c: s.framework.constructs[c].name)
    own = () if keys.sign == DIFFERS else (f"P(effect of the {keys.rules[0]} in that direction)",)
    return replace(
        compiled,
        rule=bound(rule, keys=keys, difference=compiled.rule),
        question=said,
        rule_words=(*compiled.rule_words, *own),
    )


def rule(
    answers: Answers, terms: Terms, *, keys: Keys, difference: Callable[[Answers, Terms], Ruling]
) -> Ruling:
    """Rule on the difference, and on the effect of the first by itself."""
    found = difference(answers, terms)
    if keys.sign == DIFFERS:
        return found
    first = next(x for k, x in answers.items() if k == "first" or k.startswith("first["))
    toward = float(np.mean(first > 0 if keys.sign == "+" else first < 0))
    return replace(found, holds=min(found.holds, toward))

"""One way of putting together what persons have explains an outcome better than another."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, contrast
from acmodels.theory.compiling.setting import Setting


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
    for rule in keys.rules:
        mine = [
            c.id for c in s.framework.constructs.values()
            if c.aggregate_of == keys.from_ and c.rule == rule
        ]  # fmt: skip
        if not mine:
            raise NotTestable(
                f"constructs.toml has no construct with aggregate_of = '{keys.from_}' and rule = "
                f"'{rule}'"
            )
        if mine[0] not in s.columns:
            raise NotTestable(
                f"the data have no answers of persons about '{keys.from_}' and no column "
                f"'{mine[0]}' for its {rule}"
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
    return Compiled(
        compiled.models, compiled.rule, said, compiled.level, compiled.adjusted,
        compiled.adjustment, compiled.notes, compiled.rule_words,
    )  # fmt: skip

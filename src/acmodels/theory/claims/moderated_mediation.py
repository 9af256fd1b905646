"""An indirect effect depends on a moderator, by way of one of its steps."""

from collections.abc import Callable
from functools import partial as bound
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from acmodels.framework.graph import Framework
from acmodels.theory.claims import Common, Compiled, Roles, Terms
from acmodels.theory.claims._products import moderated
from acmodels.theory.claims.mediation import sign_of
from acmodels.theory.claims.moderation import slopes
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.ruling import Answers, Array, Part, Ruling


class Keys(Common):
    """The keys of a moderated mediation."""

    from_: Annotated[str, Field(alias="from")]
    via: Annotated[list[str], Field(min_length=1, max_length=1)]
    to: str
    by: str
    leg: Literal["first", "second"]
    sign: Literal["+", "-"]


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    m = keys.via[0]
    pairs = ((keys.from_, m), (m, keys.to), (keys.by, m if keys.leg == "first" else keys.to))
    return Roles((keys.from_,), (keys.to,), (m,), (keys.by,), pairs)


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    does = "grows" if keys.sign == "+" else "shrinks"
    return (
        f"the effect of {name(keys.from_)} on {name(keys.to)} through {name(keys.via[0])} {does} "
        f"with {name(keys.by)}"
    )


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: the step that is moderated has the product, and so has the direct effect."""
    f = s.framework
    m = keys.via[0]
    y = steps.outcome(s, keys.to)
    steps.require(s, keys.from_, "cause")
    steps.require(s, m, "mediator")
    steps.require(s, keys.by, "moderator")
    level = steps.level_of(s, [keys.from_], [m, keys.to], keys.level)
    middle = eq.response(s, m)
    if keys.leg == "first":
        first = moderated(s, keys.from_, [keys.by], middle, level)
        second = moderated(s, keys.from_, [keys.by], y, level, mediators=[middle],
                           barred=[keys.from_])  # fmt: skip
        estimands = slopes(first.slope, middle.name, first.at)
        at = {c: [eq.rounded((low + high) / 2)] for c, low, high in first.at}
        estimands["path"] = steps.standard(
            "indirect", first.slope, y.name, via=[middle.name], at=at
        )
        steps_of = (first.step, second.step)
        drafted = (first.drafted, second.drafted)
    else:
        plain = steps.step(s, [keys.from_], middle, level, slope=False)
        second = moderated(s, m, [keys.by], y, level, mediators=[middle], barred=[keys.from_],
                           also=[keys.from_])  # fmt: skip
        estimands = slopes(second.slope, y.name, second.at)
        estimands |= steps.effect_estimands(
            "other", plain.causes[keys.from_], middle.name, "direct"
        )
        steps_of = (plain, second.step)
        drafted = (plain.drafted, second.drafted)
    said = words(keys, lambda c: f.constructs[c].name)
    nested = steps.of_one_nest(drafted, level)
    return Compiled(
        (ModelFile(name, said, nested, estimands),),
        bound(rule, keys=keys, other=_sign_of_other(f, keys)), said, level.name,
        tuple(dict.fromkeys(c for x in steps_of for c in x.adjusted)),
        tuple(x.adjustment for x in steps_of),
        (*level.notes, *steps.left_out(drafted, nested, level)),
        ("P(the index is in the direction, and the step that is not moderated in the theory's)",
         "neither is negligible"),
    )  # fmt: skip


def _sign_of_other(f: Framework, keys: Keys) -> str | None:
    """Return the direction that the theory gives the step that is not moderated."""
    m = keys.via[0]
    return sign_of(f, m, keys.to) if keys.leg == "first" else sign_of(f, keys.from_, m)


def rule(answers: Answers, terms: Terms, *, keys: Keys, other: str | None = None) -> Ruling:
    """Rule on the index: the change of the moderated step for 1 sd, times the other step.

    Where the theory gives the other step a direction, it must have it: two steps that are both
    contrary to the theory have a product in the direction claimed.

    Args:
        answers: draws.
        terms: on which it is judged.
        keys: of the claim.
        other: the direction of the other step, or None.
    """
    p, s = terms.probability, terms.smallest
    low, high = (_one(answers, f"slope_{side}") for side in ("low", "high"))
    change = (high - low) / 2
    rest_of = answers["path/2"] if keys.leg == "first" else _one(answers, "other")
    toward = 1.0 if keys.sign == "+" else -1.0
    index = toward * change * rest_of
    held = index > 0
    if other is not None:
        held &= rest_of > 0 if other == "+" else rest_of < 0
    m = keys.via[0]
    ends = (keys.from_, m) if keys.leg == "first" else (m, keys.to)
    rest = (m, keys.to) if keys.leg == "first" else (keys.from_, m)
    rows = (
        Part("change of step", f"{ends[0]} x {keys.by}", ends[1], change, "", s, p),
        Part("other step", *rest, rest_of, other or "", s, p),
        Part("step where low", *ends, low, "", s, p),
        Part("step where high", *ends, high, "", s, p),
    )
    main = Part(
        "index of moderated mediation", keys.from_, keys.to, toward * index, keys.sign, 0.0, p
    )
    small = max(float(np.mean(np.abs(x) <= s)) for x in (change, rest_of))
    return Ruling(
        float(np.mean(held)),
        float(np.mean(index < 0)),
        small,
        p,
        p,
        main,
        (main, *rows),
    )


def _one(answers: Answers, name: str) -> Array:
    return next(x for k, x in answers.items() if k == name or k.startswith(f"{name}["))

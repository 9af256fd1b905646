"""The slope of an outcome on a cause rises, falls or changes with a moderator."""

from collections.abc import Callable
from functools import partial as bound
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from acmodels.theory.claims import Common, Compiled, Roles, Terms, several
from acmodels.theory.claims._products import moderated
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.ruling import DIFFERS, Answers, Part, Ruling, of_effect


class Keys(Common):
    """The keys of a moderation."""

    from_: Annotated[str, Field(alias="from")]
    by: str | list[str]
    to: str
    sign: Literal["+", "-", "differs"]
    only_where: Literal["high"] | None = None


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    by = several(keys.by)
    pairs = ((keys.from_, keys.to), *((b, keys.to) for b in by))
    return Roles((keys.from_,), (keys.to,), (), by, pairs)


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    by = " and ".join(name(b) for b in several(keys.by))
    effect = f"the effect of {name(keys.from_)} on {name(keys.to)}"
    if keys.only_where == "high":
        side = {"+": "positive", "-": "negative", "differs": "there"}[keys.sign]
        return f"{effect} is {side} only at high levels of {by}"
    how = {"+": "rises", "-": "falls", "differs": "changes"}[keys.sign]
    return f"{effect} {how} with {by}"


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: one equation with the product, squares, and products with covariates."""
    r = steps.outcome(s, keys.to)
    by = several(keys.by)
    steps.require(s, keys.from_, "cause")
    for b in by:
        steps.require(s, b, "moderator")
    level = steps.level_of(s, [keys.from_], [keys.to], keys.level)
    made = moderated(s, keys.from_, by, r, level)
    estimands = slopes(made.slope, r.name, made.at)
    model = ModelFile(name, words(keys, lambda c: s.framework.constructs[c].name),
                      (made.drafted,), estimands)  # fmt: skip
    notes = [*level.notes]
    for c in (keys.from_, *by, keys.to):
        notes += steps.partial(s, c)
    asked = ["P(the slope rises with the moderator)" if keys.sign == "+" else
             "P(the slope falls with the moderator)" if keys.sign == "-" else
             "P(the slope changes by more than the smallest effect, on one side)"]  # fmt: skip
    if keys.only_where == "high":
        asked += ["P(the slope at +1 sd is beyond the smallest effect)",
                  "P(the slope at -1 sd is below half of that)",
                  "the slope at -1 sd is not shown to be beyond the smallest effect"]  # fmt: skip
    return Compiled(
        (model,),
        bound(rule, keys=keys, corners=tuple(_corners(len(by)))),
        words(keys, lambda c: s.framework.constructs[c].name),
        level.name,
        made.step.adjusted,
        (made.step.adjustment,),
        tuple(dict.fromkeys(notes)),
        tuple(asked),
    )


def _corners(many: int) -> list[tuple[str, ...]]:
    from itertools import product

    return [tuple(c) for c in product(("low", "high"), repeat=many)]


def slopes(
    slope: str, to: str, at: tuple[tuple[str, float, float], ...]
) -> dict[str, dict[str, object]]:
    """Write the slopes at low and high values of each moderator, every combination."""
    out: dict[str, dict[str, object]] = {}
    for corner in _corners(len(at)):
        place = {
            c: [low if side == "low" else high]
            for (c, low, high), side in zip(at, corner, strict=True)
        }
        out[f"slope_{'_'.join(corner)}"] = {
            "kind": "slope_at", "from": slope, "to": to, "at": place,
            "scale": steps.STANDARDIZED,
        }  # fmt: skip
    return out


def rule(
    answers: Answers, terms: Terms, *, keys: Keys, corners: tuple[tuple[str, ...], ...]
) -> Ruling:
    """Rule on the change of the slope for one sd of the moderator (of each, for several)."""
    p, s = terms.probability, terms.smallest
    by = several(keys.by)
    found = {c: _one(answers, f"slope_{'_'.join(c)}") for c in corners}
    # half the contrast over each moderator: the coefficient of the standardized product
    change = np.sum(
        [x * np.prod([1 if side == "high" else -1 for side in c]) for c, x in found.items()], axis=0
    ) / 2 ** len(by)
    label = " x ".join((keys.from_, *by))
    main = Part("change of slope", label, keys.to, change, keys.sign, s, p)
    rows = [main]
    for c, x in found.items():
        where = ", ".join(
            f"{b} {'+1' if side == 'high' else '-1'} sd" for b, side in zip(by, c, strict=True)
        )
        rows.append(Part(f"slope at {where}", keys.from_, keys.to, x, "", s, p))
    ruling = of_effect(change, keys.sign, s, p, main, rows)
    if keys.only_where != "high":
        return ruling
    low, high = found["low",], found["high",]
    toward = 1.0 if keys.sign != "-" else -1.0
    holds = min(
        ruling.holds,
        float(np.mean(toward * high > s)),
        float(np.mean(toward * low < 0.5 * toward * high)),
    )
    barred = ""
    if float(np.mean(toward * low > s)) >= p:
        barred = "the slope is beyond the smallest effect where the moderator is low, too"
    return Ruling(holds, ruling.reversed_, ruling.negligible, p, p, main, tuple(rows), barred)


def _one(answers: Answers, name: str):
    return next(x for k, x in answers.items() if k == name or k.startswith(f"{name}["))


__all__ = ["DIFFERS", "Keys", "compile", "roles", "rule", "slopes", "words"]

"""An outcome is highest where two constructs match (on one metric), or complement each other."""

from collections.abc import Callable
from functools import partial as bound
from typing import Annotated

import numpy as np
from pydantic import Field

from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.theory.claims import Common, Compiled, Roles, Terms, moderation
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.equations import Piece
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Array, Setting
from acmodels.theory.ruling import Answers, Part, Ruling


class Keys(Common):
    """The keys of a congruence."""

    from_: Annotated[list[str], Field(alias="from", min_length=2, max_length=2)]
    to: str
    one_metric: bool = False
    """Says whether both constructs are measured on one and the same scale."""


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    return Roles(tuple(keys.from_), (keys.to,), steps=tuple((c, keys.to) for c in keys.from_))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    a, b = keys.from_
    if keys.one_metric:
        return f"{name(keys.to)} is highest where {name(a)} and {name(b)} match"
    return f"the effect of {name(a)} on {name(keys.to)} rises with {name(b)}"


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: a response surface on one metric; without one, fit cannot be told from product."""
    a, b = keys.from_
    if not keys.one_metric:
        other = moderation.Keys.model_validate(
            {"from": a, "by": b, "to": keys.to, "sign": "+", "level": keys.level}
        )
        found = moderation.compile(other, s, name)
        note = "the two are not on one metric, so that the claim is judged as a moderation"
        return Compiled(found.models, found.rule, found.question, found.level, found.adjusted,
                        found.adjustment, (*found.notes, note), found.rule_words)  # fmt: skip
    r = steps.outcome(s, keys.to)
    for c in (a, b):
        steps.require(s, c, "cause")
    level = steps.level_of(s, [a], [b, keys.to], keys.level)
    x, y = eq.column(s, a), eq.column(s, b)
    # one metric: both are centered at one point, the mean of all their values
    vx, vy = s.values(x), s.values(y)
    center = eq.rounded(float(np.nanmean(np.concatenate([vx, vy]))))
    qx, qy = quoted(x), quoted(y)
    terms = {
        qx: vx, qy: vy, f"square({qx})": vx**2, f"{qx}:{qy}": vx * vy, f"square({qy})": vy**2,
    }  # fmt: skip
    pieces = [
        Piece((t,), {t: 0.5 if k < 2 else 1.0}, {t: s.spread(v)}, t,
              "the response surface of both", (), (v,))
        for k, (t, v) in enumerate(terms.items())
    ]  # fmt: skip
    one = steps.step(s, [], r, level, also=pieces, sources=[a, b])
    response = quoted(r.name)
    estimands = {
        f"b{k}": {"kind": "coefficient", "parameter": named.coefficient(response, t)}
        for k, t in enumerate(terms, 1)
    }
    said = words(keys, lambda c: s.framework.constructs[c].name)
    both = s.spread(np.concatenate([vx, vy]))
    return Compiled(
        (ModelFile(name, said, (one.drafted,), estimands),),
        bound(rule, keys=keys, center=center, unit=both, sd=r.sd),
        said, level.name, one.adjusted, (one.adjustment,), level.notes,
        (
            "P(curvature along the line of misfit < 0)",
            "the ridge is not shifted off the line of fit by more than half a sd",
            "P(for every value of either construct there is a best one of the other)",
        ),
    )  # fmt: skip


def rule(
    answers: Answers, terms: Terms, *, keys: Keys, center: float, unit: float, sd: float
) -> Ruling:
    """Rule on the surface (Edwards & Parry, 1993, *Academy of Management Journal* 36, 1577-1613).

    Along the line of misfit x = c + t, y = c - t the surface is a parabola in t, with the linear
    coefficient (b1 - b2) + 2 c (b3 - b5) and the quadratic one b3 - b4 + b5. A mere product bends
    down along that line too; but there no value of one construct is the best for one of the other,
    which takes squares that are negative.
    """
    p, s = terms.probability, terms.smallest
    b1, b2, b3, b4, b5 = (answers[f"b{k}"] for k in range(1, 6))
    bend = (b3 - b4 + b5) * unit**2 / sd
    tilt = ((b1 - b2) + 2 * center * (b3 - b5)) * unit / sd
    with np.errstate(divide="ignore", invalid="ignore"):
        shift: Array = np.where(bend < 0, -tilt / (2 * bend), np.inf)
    a, b = keys.from_
    main = Part("curvature along misfit", f"{a} less {b}", keys.to, bend, "-", s, p)
    rows = (
        main,
        Part("slope along misfit", f"{a} less {b}", keys.to, tilt, "", s, p),
    )
    peaked = (b3 < 0) & (b5 < 0)
    shifted = float(np.mean(np.abs(shift) > 0.5))
    barred = "the ridge is shifted off the line of fit" if shifted >= p else ""
    return Ruling(
        float(np.mean((bend < 0) & (np.abs(shift) <= 0.5) & peaked)),
        float(np.mean(bend > 0)), float(np.mean(np.abs(bend) <= s)), p, p, main, rows, barred,
    )  # fmt: skip

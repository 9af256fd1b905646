"""What `necessary` and `sufficient` share: an empty corner, beyond what a plain slope empties.

A condition is necessary where units that are low in it are hardly ever high in the outcome. Plain
correlation empties that corner too, so that the share of such units is held against what an
additive model with the same slope predicts for the same units: a normal variable behind the order
of the outcome, cut where the outcome is cut.
"""

from dataclasses import dataclass, replace
from functools import partial as bound
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from acmodels.estimands._ceiling import ceiling, permutation_p
from acmodels.numbers import decimal, number, percent
from acmodels.rng import stream
from acmodels.spec import parameters as named
from acmodels.spec.model import NormalScores
from acmodels.spec.names import quoted
from acmodels.system.rows import normal_scores
from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, Terms
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Array, Index, Setting
from acmodels.theory.ruling import Answers, Part, Ruling

type Flags = NDArray[np.bool_]

LIMIT = 0.10
"""The share of units in the corner below which it counts as empty."""

LEAST = 36
"""Units on the side of the corner below which not even an empty one would decide: of 36 with
none in the corner, the posterior puts 0.993 below the limit; of 20, 0.96."""

PERMUTATIONS = 10_000
ALIKE = 1.05
"""The design effect from which it is said."""


class Keys(Common):
    """The keys of both kinds."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    low: Annotated[float, Field(gt=0, le=0.5)] = 0.25
    """The quantile up to which a value is low."""
    high: Annotated[float, Field(ge=0.5, lt=1)] = 0.75
    """The quantile from which a value is high."""


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    return Roles((keys.from_,), (keys.to,), steps=((keys.from_, keys.to),))


@dataclass(frozen=True)
class Corner:
    """Units on the side of a corner, and those in it.

    Attributes:
        units: on the side.
        inside: of them, in the corner.
        design: by how much units of one larger unit being alike inflates the variance of the share.
        z: the cause of the units on the side, in sds from its mean.
        cut: the standard normal quantile at which the outcome is cut.
        spread: variance of the outcome's normal scores.
        scale: sd of the cause.
        empty: what a necessary condition analysis says of the same units.
    """

    units: int
    inside: int
    design: float
    z: Array
    cut: float
    spread: float
    scale: float
    empty: str

    def share(self, draws: int, *, data: bool = True) -> Array:
        """Draw the share of the corner from its posterior, or its prior Beta(1/2, 1/2).

        Counts are divided by the design effect (Rao & Scott, 1992, *Biometrics* 48, 577-585).
        """
        from scipy.stats import beta

        rng = stream(0, "corner")
        u = rng.permutation((np.arange(draws) + rng.random(draws)) / draws)
        k, n = (self.inside, self.units) if data else (0, 0)
        return beta.ppf(u, 0.5 + k / self.design, 0.5 + (n - k) / self.design)

    def additive(self, slope: Array) -> Array:
        """Return the share that an additive model predicts, of draws of the slope.

        The slope of normal scores is that of the variable behind them times their variance, which
        is below 1 where there are ties.
        """
        from scipy.special import ndtr

        r = np.clip(slope * self.scale / self.spread, -0.999, 0.999)
        left = np.sqrt(1 - r**2)
        return ndtr((r[:, None] * self.z[None, :] - self.cut) / left[:, None]).mean(axis=1)


def compiled(keys: Keys, s: Setting, name: str, *, sufficient: bool, said: str) -> Compiled:
    """Compile: the outcome's order on the cause, one row a unit.

    Args:
        keys: of the claim.
        s: the setting.
        name: of the model.
        sufficient: whether the corner is that of a low outcome at a high cause.
        said: the claim in words.

    Raises:
        NotTestable: too few units are on the side of the corner.
    """
    r = steps.outcome(s, keys.to)
    steps.require(s, keys.from_, "cause")
    level = steps.level_of(s, [keys.from_], [keys.to], keys.level)
    unit = level.unit
    cause = eq.column(s, keys.from_)
    scores = NormalScores(r.parts or (r.name,), None if unit is None else unit.column)
    order = s.free_name(f"{r.name}_order")
    response = replace(r, name=order, parts=(), sd=1.0, family="gaussian", link=None, home=unit)
    piece = eq.predictor(s, cause, unit, None, f"the cause ({_named(s, keys.from_)})")
    drafted = eq.drafted(s, response, [piece])
    if unit is not None:
        drafted = replace(drafted, groups=tuple(g for g in drafted.groups if unit.inside(g)))
    corner = _corner(
        keys, s, level, (cause, r.name), normal_scores(s.study, scores), sufficient=sufficient
    )
    side, place = ("high", "low") if sufficient else ("low", "high")
    if corner.units < LEAST and not s.schematic:
        raise NotTestable(
            f"{corner.units} {level.name}s are {side} in {_named(s, keys.from_)}; with fewer than "
            f"{LEAST} not even an empty corner decides, which takes about "
            f"{round(LEAST / (1 - keys.high if sufficient else keys.low))} {level.name}s"
        )
    parameter = named.coefficient(quoted(order), piece.claim)
    asked = (
        f"P(share of {place} {keys.to} among {level.name}s {side} in {keys.from_} < {LIMIT:g}) and "
        "P(share below what an additive model with the same slope predicts)"
    )
    scored: dict[str, object] = {"of": list(scores.of)}
    if scores.unit is not None:
        scored["unit"] = scores.unit
    return Compiled(
        (
            ModelFile(
                name,
                said,
                (drafted,),
                {"slope": {"kind": "coefficient", "parameter": parameter}},
                top={"missing": "drop", "normal_scores": {order: scored}},
            ),
        ),
        bound(rule, keys=keys, corner=corner, said=(side, place)),
        said,
        level.name,
        notes=(*level.notes, *steps.partial(s, keys.from_), *steps.partial(s, keys.to)),
        rule_words=(asked,),
        at_prior=bound(rule, keys=keys, corner=corner, said=(side, place), data=False),
    )


def _named(s: Setting, construct: str) -> str:
    return s.framework.constructs[construct].name


def _corner(
    keys: Keys, s: Setting, level: steps.Level, columns: tuple[str, str], order: Array, *,
    sufficient: bool,
) -> Corner:  # fmt: skip
    first = np.arange(s.n)
    x, y = (s.values(c) for c in columns)
    if level.unit is not None:
        first = np.unique(level.unit.codes[level.unit.codes >= 0], return_index=True)[1]
        first = np.flatnonzero(level.unit.codes >= 0)[first]
        x, y = (s.means(c, level.unit) for c in columns)
    seen = first[np.isfinite(x[first]) & np.isfinite(y[first])]
    x, y, scores = x[seen], y[seen], order[seen]
    low, high = (float(np.quantile(x, q)) for q in (keys.low, keys.high))
    bottom, top = (float(np.quantile(y, q)) for q in (keys.low, keys.high))
    near = 1e-9 * max(float(np.abs(y).max(initial=0.0)), 1e-300)
    side = x >= high if sufficient else x <= low
    place = y <= bottom + near if sufficient else y >= top - near
    turned = -1.0 if sufficient else 1.0
    scale = s.spread(x)
    return Corner(
        int(side.sum()),
        int((side & place).sum()),
        _design(s, level, seen, side, place),
        turned * (x[side] - x.mean()) / scale,
        _quantile(1 - float(place.mean())),
        max(float(np.var(scores)), 1e-6),
        scale,
        _empty(turned * x, turned * y),
    )


def _quantile(p: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(np.clip(p, 1e-6, 1 - 1e-6)))


def _design(s: Setting, level: steps.Level, seen: Index, side: Flags, place: Flags) -> float:
    """Return the design effect of the share: 1 + (units of one larger unit - 1) times their icc."""
    out = 1.0
    for k in s.kinds:
        inside = level.unit is None or (k is not level.unit and level.unit.inside(k))
        codes = k.codes[seen]
        if not inside or (codes < 0).any() or len(np.unique(codes)) == len(seen):
            continue
        mine = np.bincount(codes[side], minlength=k.size).astype(float)
        alike = _icc(place.astype(float), codes, k.size)
        if mine.sum():
            out = max(out, 1 + (float((mine**2).sum() / mine.sum()) - 1) * alike)
    return out


def _icc(v: Array, codes: Index, size: int) -> float:
    """Return the intraclass correlation of a one-way analysis of variance, at least 0."""
    n = np.bincount(codes, minlength=size).astype(float)
    there = n > 0
    groups = int(there.sum())
    if groups < 2 or len(v) <= groups:
        return 0.0
    mean = np.bincount(codes, v, size)[there] / n[there]
    within = float(((v - (np.bincount(codes, v, size) / np.maximum(n, 1))[codes]) ** 2).sum())
    within /= len(v) - groups
    between = float((n[there] * (mean - v.mean()) ** 2).sum()) / (groups - 1)
    each = (len(v) - float((n**2).sum()) / len(v)) / (groups - 1)
    total = between + (each - 1) * within
    return max(0.0, (between - within) / total) if total > 0 else 0.0


def _empty(x: Array, y: Array) -> str:
    c = ceiling(x, y)
    p = permutation_p(x, y, PERMUTATIONS, stream(0, "ceiling"))
    return (
        f"Necessary condition analysis, which plain correlation moves too: effect sizes "
        f"{decimal(c.ce_fdh, 2)} (CE-FDH) and {decimal(c.cr_fdh, 2)} (CR-FDH), permutation p "
        f"{number(p)}."
    )


def rule(
    answers: Answers,
    terms: Terms,
    *,
    keys: Keys,
    corner: Corner,
    said: tuple[str, str],
    data: bool = True,
) -> Ruling:
    """Rule on the share of the corner: small, and smaller than a plain slope makes it.

    Each of the two must be as probable as is asked of one.
    """
    p = terms.probability
    slope = answers["slope"]
    share = corner.share(len(slope), data=data)
    predicted = corner.additive(slope)
    side, place = said
    main = Part(f"share of {place} {keys.to} where {side}", keys.from_, keys.to, share, "",
                LIMIT, p, "share")  # fmt: skip
    less = Part("share less what an additive model predicts", keys.from_, keys.to,
                share - predicted, "-", 0.0, p, "share")  # fmt: skip
    small, beyond = float(np.mean(share < LIMIT)), float(np.mean(share < predicted))
    counted = (
        f"{corner.inside} of {corner.units} units that are {side} in {keys.from_} are {place} in "
        f"{keys.to}; an additive model with the same slope predicts "
        f"{percent(float(predicted.mean()))}. The share is below {LIMIT:g} with probability "
        f"{decimal(small, 3)}, and below that prediction with {decimal(beyond, 3)}."
    )
    sentences = [counted, corner.empty]
    if corner.design > ALIKE:
        effective = number(corner.units / corner.design)
        sentences.append(
            f"Units that lie in one larger unit are alike, so that the {corner.units} count as "
            f"{effective}."
        )
    return Ruling(
        min(small, beyond),
        float(np.mean(share >= LIMIT)),
        0.0, p, p, main, (main, less), said=tuple(sentences),
    )  # fmt: skip

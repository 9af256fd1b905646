"""Units that start higher change by more: early advantages grow, or shrink.

Units have an intercept and a slope of time, which correlate (Raudenbush & Bryk, 2002, *Hierarchical
Linear Models*, chapter 6). Levels at the first wave are those of the model and not the first
measures, whose errors would turn into regression to the mean.
"""

from collections.abc import Callable
from functools import partial as bound
from typing import Literal

import numpy as np

from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.theory.claims import Common, Compiled, Roles, Terms
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import panel as waves
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.ruling import Answers, Part, Ruling


class Keys(Common):
    """The keys of a growth."""

    of: str
    sign: Literal["+", "-"]


def roles(keys: Keys) -> Roles:
    """Return the construct."""
    return Roles(outcomes=(keys.of,))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    more = "more" if keys.sign == "+" else "less"
    return f"units that start higher in {name(keys.of)} grow {more} in it"


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: one equation, with intercepts and slopes of time that correlate over units."""
    p = waves.panel(s, [keys.of], [], keys.level)
    r = waves.variable(p, keys.of)
    time, unit = quoted(p.wave), quoted(p.unit.column)
    spread = p.setting.spread(p.setting.values(p.wave))
    piece = eq.Piece(
        (time,), {time: 0.5}, {time: spread}, time, "time: all units change alike, in a line"
    )
    groups = waves.lasting(p.setting.framework, p)
    drafted = eq.Drafted(r, (piece,), groups, None, (("u", p.unit),), time)
    y = quoted(r.name)
    one, slope = named.intercept(y), named.coefficient(y, time)
    names = {
        "initial": named.sd(one, unit), "change": named.sd(slope, unit),
        "together": named.cor(one, slope, unit),
    }  # fmt: skip
    estimands = {k: {"kind": "coefficient", "parameter": v} for k, v in names.items()}
    priors = {names["change"]: {"dist": "HalfNormal", "sigma": eq.rounded(0.5 * r.sd / spread)}}
    found = p.setting.values(p.wave)
    said = words(keys, lambda c: p.setting.framework.constructs[c].name)
    return Compiled(
        (ModelFile(name, said, (drafted,), estimands, priors),),
        bound(rule, keys=keys, waves=(float(found.min()), float(found.max())), sd=r.sd),
        said, p.level.name,
        notes=(*p.notes, "change is taken to be in a straight line over waves",
               *steps.partial(s, keys.of)),
        rule_words=(
            f"P(initial levels and changes correlate {'above' if keys.sign == '+' else 'below'} 0)",
            f"P(differences between units {'grow' if keys.sign == '+' else 'shrink'})",
        ),
        rows=p.setting,
    )  # fmt: skip


def rule(
    answers: Answers, terms: Terms, *, keys: Keys, waves: tuple[float, float], sd: float
) -> Ruling:
    """Rule on the correlation of levels at the first wave with changes, and on the variances."""
    p = terms.probability
    s0, s1, r = answers["initial"], answers["change"], answers["together"]
    first, last = (s0**2 + 2 * w * r * s0 * s1 + (w * s1) ** 2 for w in waves)
    cov = r * s0 * s1 + waves[0] * s1**2
    cor = cov / np.maximum(np.sqrt(np.maximum(first, 0)) * s1, 1e-300)
    ratio = np.sqrt(np.maximum(last, 0) / np.maximum(first, 1e-300))
    flip = 1.0 if keys.sign == "+" else -1.0
    apart = s1 * (waves[1] - waves[0]) / sd
    both = (flip * cor > 0) & (flip * (ratio - 1) > 0)
    main = Part("initial level and change", keys.of, keys.of, cor, keys.sign, terms.smallest, p,
                "correlation")  # fmt: skip
    parts = (
        main,
        Part("sd at the last wave over the first, less 1", keys.of, keys.of, ratio - 1, keys.sign,
             terms.smallest, p, "ratio"),
    )  # fmt: skip
    negligible = float(np.mean(apart <= terms.smallest))
    return Ruling(float(both.mean()), float(np.mean(flip * cor < 0)), negligible, p, p, main, parts)

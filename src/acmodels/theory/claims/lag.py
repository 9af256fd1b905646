"""A construct moves another one wave later, within units: a cross-lag, beyond stable differences.

The model is the random-intercept cross-lagged panel (Hamaker, Kuiper & Grasman, 2015,
*Psychological Methods* 20, 102-116): the deviation of each variable from its unit's own mean rests
on the deviations of all variables one wave earlier. Stable traits are in the unit means, which
correlate, trends that all units share in the waves, and the reversed lag has its own coefficient.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial as bound
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from acmodels.errors import ModelError
from acmodels.numbers import number
from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.spec.strict import Strict
from acmodels.theory.claims import Common, Compiled, Roles, Terms
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import panel as waves
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Array, Setting
from acmodels.theory.ruling import DIFFERS, Answers, Part, Ruling, asked, of_effect

EVIDENCE = 10.0
"""The odds of heterogeneity, over those of the prior, that are asked for."""

TRAITS = 1.0
"""Prior sd of unit means in sds of a variable: a narrower one pulls their correlation to 0, so that
what is left of it passes for a lag."""

VARYING = 0.25
"""Prior sd of how far a lag varies over units, in sds of deviations."""


class Other(Strict):
    """A lag that the claimed one must exceed."""

    from_: Annotated[str, Field(alias="from")]
    to: str


class Keys(Common):
    """The keys of a lag.

    With `waves = 0` it is what both change by in the same wave, given the wave before; with
    `where_waves` the claim is left out where a study has too few waves, and others decide.
    """

    from_: Annotated[str, Field(alias="from")]
    to: str
    sign: Literal["+", "-", "differs"]
    beyond: list[Other] = Field(default_factory=list[Other])
    waves: Literal[0, 1] = 1
    where_waves: bool = False


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    other = [c for o in keys.beyond for c in (o.from_, o.to)]
    return Roles((keys.from_,), (keys.to,), (), (), ((keys.from_, keys.to),), tuple(other))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    if keys.sign == DIFFERS:
        return (
            f"how far {name(keys.from_)} moves {name(keys.to)} one wave later differs between units"
        )
    does = "raises" if keys.sign == "+" else "lowers"
    when = "one wave later" if keys.waves else "within units over waves"
    said = f"{name(keys.from_)} {does} {name(keys.to)} {when}"
    more = [f"{name(o.from_)} moves {name(o.to)}" for o in keys.beyond]
    return said + (f", more than {' and '.join(more)}" if more else "")


@dataclass(frozen=True)
class _Model:
    """The equations of some variables that rest on each other one wave earlier."""

    panel: waves.Panel
    variables: dict[str, eq.Response]

    def term(self, construct: str) -> str:
        """The deviation of a variable one wave earlier, as formulas write it."""
        column = quoted(self.variables[construct].name)
        return f"within(lag({column}), {quoted(self.panel.unit.column)})"

    def drafted(self, construct: str, varying: str | None) -> eq.Drafted:
        """Write the equation of a variable."""
        p, r = self.panel, self.variables[construct]
        names = p.setting.framework.constructs
        pieces = [
            eq.Piece(
                (self.term(c),), {self.term(c): 0.5},
                {self.term(c): waves.inside(p, self.variables[c].name)}, self.term(c),
                f"{names[c].name} of the {p.unit.name} one wave earlier, as it deviates from its "
                "own mean",
            )
            for c in self.variables
        ]  # fmt: skip
        groups = waves.lasting(p.setting.framework, p)
        linked = (("u", p.unit),)
        made = eq.Drafted(r, tuple(pieces), groups, p.wave, linked)
        if varying is None:
            return made
        return _Varying(r, tuple(pieces), groups, p.wave, linked, varies=self.term(varying))


@dataclass(frozen=True)
class _Varying(eq.Drafted):
    """An equation in which one lag varies over units, independently of their means."""

    varies: str = ""

    @property
    def formula(self) -> str:
        """The formula."""
        ((_, unit),) = self.linked
        return f"{super().formula} + (0 + {self.varies} || {quoted(unit.column)})"


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: an equation for each variable, all lags in each."""
    others = [c for o in keys.beyond for c in (o.from_, o.to)]
    p = waves.panel(s, [keys.from_], [keys.to, *others], keys.level)
    constructs = tuple(dict.fromkeys([keys.from_, keys.to, *others]))
    if not keys.waves and (keys.beyond or keys.sign == DIFFERS):
        raise ModelError("lag: waves = 0 takes a sign + or - and nothing that it must exceed")
    m = _Model(p, {c: waves.variable(p, c) for c in constructs})
    differs = keys.sign == DIFFERS
    drafted = tuple(
        m.drafted(c, keys.from_ if differs and c == keys.to else None) for c in constructs
    )
    estimands = {"effect": _effect(m, keys.from_, keys.to)} if keys.waves else _together(m, keys)
    for k, o in enumerate(keys.beyond, 1):
        estimands[f"other_{k}"] = _effect(m, o.from_, o.to)
    scale = waves.inside(p, m.variables[keys.from_].name) / waves.inside(
        p, m.variables[keys.to].name
    )
    if differs:
        y = quoted(m.variables[keys.to].name)
        parameter = named.sd(named.coefficient(y, m.term(keys.from_)), quoted(p.unit.column))
        estimands["sd"] = {"kind": "coefficient", "parameter": parameter}
    read = p.setting.framework.constructs
    said = words(keys, lambda c: read[c].name)
    top = {
        "residual_correlation": [
            [m.variables[a].name, m.variables[b].name]
            for i, a in enumerate(constructs)
            for b in constructs[i + 1 :]
        ],
        "panel": {"unit": p.unit.column, "wave": p.wave},
    }
    file = ModelFile(name, said, drafted, estimands, _priors(m, keys, scale), top=top)
    rule_ = bound(heterogeneity, keys=keys, scale=scale) if differs else bound(rule, keys=keys)
    if not keys.waves:
        rule_ = bound(same_wave, keys=keys, scale=scale)
    return Compiled(
        (file,), rule_, said, p.level.name,
        notes=(*p.notes, *_notes(p, constructs), *steps.partial(s, keys.from_),
               *steps.partial(s, keys.to)),
        rule_words=_rule_words(keys),
        rows=p.setting,
    )  # fmt: skip


def _effect(m: _Model, source: str, to: str) -> dict[str, object]:
    return steps.standard("direct", m.term(source), m.variables[to].name)


def _together(m: _Model, keys: Keys) -> dict[str, dict[str, object]]:
    """Estimands of what two variables change by in the same wave."""
    x, y = (quoted(m.variables[c].name) for c in (keys.from_, keys.to))
    parameters = {
        "together": named.cor(x, y), "sigma_from": named.sigma(x), "sigma_to": named.sigma(y),
    }  # fmt: skip
    return {k: {"kind": "coefficient", "parameter": v} for k, v in parameters.items()}


def _priors(m: _Model, keys: Keys, scale: float) -> dict[str, Any]:
    """Priors of what panels have besides."""
    out: dict[str, Any] = {}
    unit = quoted(m.panel.unit.column)
    for r in m.variables.values():
        y = quoted(r.name)
        out[named.sigma1(y)] = {"dist": "HalfNormal", "sigma": eq.rounded(r.sd)}
        sd = named.sd(named.intercept(y), unit)
        out[sd] = {"dist": "HalfNormal", "sigma": eq.rounded(TRAITS * r.sd)}
    if keys.sign == DIFFERS:
        y = quoted(m.variables[keys.to].name)
        sd = named.sd(named.coefficient(y, m.term(keys.from_)), unit)
        out[sd] = {"dist": "HalfNormal", "sigma": eq.rounded(VARYING / scale)}
    return out


def _notes(p: waves.Panel, constructs: Sequence[str]) -> tuple[str, ...]:
    names = [p.setting.framework.constructs[c].name for c in constructs]
    one = (
        f"stable differences between {p.unit.name}s and changes that all share in a wave are "
        f"apart from the lags; what changes within {p.unit.name}s over time and moves both "
        f"{' and '.join(names[:2])} is not held fixed"
    )
    other = "variables are taken as measured without error; measurement error biases lags toward 0"
    return one, other


def _rule_words(keys: Keys) -> tuple[str, ...]:
    if keys.sign == DIFFERS:
        return (
            "P(sd of the lag over units > the smallest effect)",
            f"odds of that at least {EVIDENCE:g} times those of the prior",
        )
    if not keys.waves:
        return (asked(keys.sign, "effect in the same wave within units, given the wave before"),)
    out = [asked(keys.sign, "lagged effect within units")]
    return (*out, *("P(it exceeds the other lag)" for _ in keys.beyond))


def rule(answers: Answers, terms: Terms, *, keys: Keys) -> Ruling:
    """Rule on the lag, and on its excess over others."""
    p, s = terms.probability, terms.smallest
    own: dict[str, Any] = {"region": keys.sign, "smallest": s, "need": p}
    draws = _draws(answers, "effect")
    main = Part("lagged effect", keys.from_, keys.to, draws, **own)
    found = of_effect(draws, keys.sign, s, p, main, [main])
    if not keys.beyond:
        return found
    flip = 1.0 if keys.sign == "+" else -1.0
    holds = flip * draws > 0
    parts = [main]
    for k, o in enumerate(keys.beyond, 1):
        excess = flip * (draws - _draws(answers, f"other_{k}"))
        holds &= excess > 0
        parts.append(Part("excess over the lag", o.from_, o.to, excess, "+", s, p))
    against = max([found.reversed_, *(float(np.mean(x.draws < 0)) for x in parts[1:])])
    return replace(found, holds=float(holds.mean()), reversed_=against, parts=tuple(parts))


def same_wave(answers: Answers, terms: Terms, *, keys: Keys, scale: float) -> Ruling:
    """Rule on what the outcome changes by with the cause in the same wave, given the one before.

    The residuals of both have the covariance r s_x s_y, so that the slope is r s_y / s_x.
    """
    p, s = terms.probability, terms.smallest
    slope = _draws(answers, "together") * _draws(answers, "sigma_to")
    draws = scale * slope / _draws(answers, "sigma_from")
    main = Part("effect within units over waves", keys.from_, keys.to, draws, keys.sign, s, p)
    return of_effect(draws, keys.sign, s, p, main, [main])


def heterogeneity(answers: Answers, terms: Terms, *, keys: Keys, scale: float) -> Ruling:
    """Rule on how far the lag differs between units."""
    p, s = terms.probability, terms.smallest
    sd = scale * _draws(answers, "sd")
    main = Part("sd of the lag over units", keys.from_, keys.to, sd, "", s, p)
    above = float(np.mean(sd > s))
    rng = np.random.default_rng(0)
    before = float(np.mean(np.abs(VARYING * rng.standard_normal(200_000)) > s))
    odds = (above / max(1 - above, 1e-6)) / (before / max(1 - before, 1e-6))
    barred = "" if odds >= EVIDENCE else f"the odds rise {number(odds)}-fold, below {EVIDENCE:g}"
    return Ruling(above, 0.0, float(np.mean(sd <= s)), p, p, main, (main,), barred)


def _draws(answers: Answers, name: str) -> Array:
    return next(x for k, x in answers.items() if k == name or k.startswith(f"{name}["))

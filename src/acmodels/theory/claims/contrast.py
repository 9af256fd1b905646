"""One effect is larger than another, or differs from it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial as bound
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from acmodels.errors import ModelError
from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, Terms
from acmodels.theory.claims._products import moderated
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.equations import Piece
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.compiling.steps import Level
from acmodels.theory.ruling import (
    DIFFERS,
    Answers,
    Array,
    Part,
    Ruling,
    asked,
    of_effect,
    simultaneously,
)


class EffectKeys(Common):
    """The keys of one of the two effects."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    at: dict[str, float | int] = Field(default_factory=dict)
    values: list[str | int | float] = Field(default_factory=list)


class Keys(Common):
    """The keys of a contrast."""

    of: Annotated[list[EffectKeys], Field(min_length=2, max_length=2)]
    sign: Literal["+", "-", "differs"]
    one_metric: bool = False
    """Whether both causes are in one unit, as shares are, and are compared per unit."""


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    causes = tuple(dict.fromkeys(e.from_ for e in keys.of))
    outcomes = tuple(dict.fromkeys(e.to for e in keys.of))
    by = tuple(dict.fromkeys(c for e in keys.of for c in e.at))
    return Roles(causes, outcomes, (), by, tuple((e.from_, e.to) for e in keys.of))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    a, b = keys.of
    if (a.from_, a.to) == (b.from_, b.to) and not (a.values or b.values):
        how = {"+": "is larger", "-": "is smaller", "differs": "differs"}[keys.sign]
        return (
            f"the effect of {name(a.from_)} on {name(a.to)} {how} where {_place(a, name)}, "
            f"compared with where {_place(b, name)}"
        )
    how = {"+": "is larger than", "-": "is smaller than", "differs": "differs from"}[keys.sign]
    return f"the effect of {_said(a, name)} {how} that of {_said(b, name)}"


def _place(e: EffectKeys, name: Callable[[str], str]) -> str:
    return " and ".join(f"{name(c)} is at {v:+g} sd" for c, v in e.at.items())


def _said(e: EffectKeys, name: Callable[[str], str]) -> str:
    where = _place(e, name)
    levels = f" at {', '.join(map(str, e.values))}" if e.values else ""
    return f"{name(e.from_)}{levels} on {name(e.to)}{f' (where {where})' if where else ''}"


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: both effects from one model, so that their difference has one posterior.

    Two causes of one outcome stand in one equation. One cause of two outcomes is the effect on the
    difference of their z-scores. One effect at two values of a moderator is a moderation. Where a
    composite's effects differ, its parts stand beside each other, and the claim is that some part's
    effects do: or what one part does more and another less would pass for no difference.
    """
    a, b = keys.of
    for e in keys.of:
        steps.require(s, e.from_, "cause")
        steps.require(s, e.to, "outcome")
        for c in e.at:
            steps.require(s, c, "moderator")
    r = roles(keys)
    level = steps.level_of(s, [a.from_], [b.from_, *r.outcomes], keys.level)
    if a.values or b.values:
        return _levels(keys, s, name, level)
    if a.at or b.at:
        return _places(keys, s, name, level)
    if a.to == b.to:
        return _causes(keys, s, name, level)
    if a.from_ == b.from_:
        return _outcomes(keys, s, name, level)
    raise ModelError(
        "contrast: the two effects share neither cause nor outcome, so that no one model has both"
    )


def _made(
    keys: Keys, s: Setting, model: ModelFile, step: steps.Step, level: Level, label: tuple[str, str]
) -> Compiled:
    return Compiled(
        (model,), bound(rule, keys=keys, label=label),
        words(keys, lambda c: s.framework.constructs[c].name), level.name, step.adjusted,
        (step.adjustment,), level.notes,
        (asked(keys.sign, "difference"),),
    )  # fmt: skip


def _causes(keys: Keys, s: Setting, name: str, level: Level) -> Compiled:
    a, b = keys.of
    r = steps.outcome(s, a.to)
    one = steps.step(s, [a.from_, b.from_], r, level)
    first, second = one.causes[a.from_], one.causes[b.from_]
    if keys.one_metric:
        estimands = _per_unit(s, first, second, r)
    else:
        estimands = steps.effect_estimands("first", first, r.name)
        estimands |= steps.effect_estimands("second", second, r.name)
        estimands["difference"] = {"kind": "contrast", "of": ["first", "second"]}
    title = words(keys, lambda c: s.framework.constructs[c].name)
    model = ModelFile(name, title, (one.drafted,), estimands)
    return _made(keys, s, model, one, level, (f"{a.from_} less {b.from_}", a.to))


def _per_unit(
    s: Setting, first: steps.Cause, second: steps.Cause, r: eq.Response
) -> dict[str, dict[str, object]]:
    """Write both effects per sd that the causes have in common, the root of their mean variance.

    Raises:
        ModelError: a cause is a composite, whose parts have units of their own.
    """
    both = (first, second)
    if any(len(c.pieces) > 1 for c in both):
        raise ModelError("contrast: one_metric is for causes of one column each")
    sds = [s.spread(s.values(s.columns[c.parts[0]])) for c in both]
    weight = eq.rounded(float(np.sqrt(np.mean(np.square(sds)))) / r.sd)
    names = ("first", "second")
    out: dict[str, dict[str, object]] = {
        f"{n}_raw": {"kind": "total", "from": c.pieces[0].claim, "to": r.name}
        for n, c in zip(names, both, strict=True)
    }
    for n in names:
        out[n] = {"kind": "combine", "of": [f"{n}_raw"], "weights": [weight]}
    out["difference"] = {
        "kind": "combine", "of": [f"{n}_raw" for n in names], "weights": [weight, -weight],
    }  # fmt: skip
    return out


def _outcomes(keys: Keys, s: Setting, name: str, level: Level) -> Compiled:
    a, b = keys.of
    r = eq.difference(s, a.to, b.to)
    one = steps.step(s, [a.from_], r, level)
    cause = one.causes[a.from_]
    estimands = steps.effect_estimands("difference", cause, r.name)
    title = words(keys, lambda c: s.framework.constructs[c].name)
    model = ModelFile(name, title, (one.drafted,), estimands)
    label = (a.from_, f"{a.to} less {b.to}")
    if keys.sign == DIFFERS and len(cause.parts) > 1:
        parts = tuple(steps.part_names("difference", cause).items())
        return _any(keys, s, model, one, level, label[1], parts)
    return _made(keys, s, model, one, level, label)


def _any(
    keys: Keys,
    s: Setting,
    model: ModelFile,
    step: steps.Step,
    level: Level,
    to: str,
    parts: tuple[tuple[str, str], ...],
) -> Compiled:
    """Compile a contrast of a composite's parts, of which some must differ."""
    made = _made(keys, s, model, step, level, (keys.of[0].from_, to))
    return replace(
        made,
        rule=bound(any_differs, to=to, parts=parts),
        notes=(*made.notes, *steps.partial(s, keys.of[0].from_)),
        rule_words=(
            (
                "the difference is beyond the smallest effect for some part of "
                f"{keys.of[0].from_}, all parts judged at once"
            ),
        ),
    )


def _places(keys: Keys, s: Setting, name: str, level: Level) -> Compiled:
    a, b = keys.of
    if (a.from_, a.to) != (b.from_, b.to) or set(a.at) != set(b.at):
        raise ModelError("contrast: effects at other values are of one cause on one outcome")
    r = steps.outcome(s, a.to)
    by = tuple(a.at)
    parts = steps.require(s, a.from_, "cause")
    apart = keys.sign == DIFFERS and len(parts) > 1
    causes = list(parts) if apart else [a.from_]
    first, *others = causes
    made = moderated(s, first, by, r, level, also=others, curved=apart)
    slopes = dict(zip(causes if apart else [""], (made.slope, *made.beside), strict=True))
    estimands: dict[str, Mapping[str, object]] = {}
    for part, slope in slopes.items():
        end = f"_{part}".replace(".", "_") if part else ""
        for label, e in (("first", a), ("second", b)):
            place = {
                c: [eq.rounded((low + high) / 2 + e.at[k] * (high - low) / 2)]
                for k, (c, low, high) in zip(by, made.at, strict=True)
            }
            estimands[label + end] = steps.standard("slope_at", slope, r.name, at=place)
    title = words(keys, lambda c: s.framework.constructs[c].name)
    model = ModelFile(name, title, (made.drafted,), estimands)
    if apart:
        ends = tuple((part, f"_{part}".replace(".", "_")) for part in parts)
        return _any(keys, s, model, made.step, level, a.to, ends)
    return _made(keys, s, model, made.step, level, (a.from_, a.to))


def _levels(keys: Keys, s: Setting, name: str, level: Level) -> Compiled:
    """Compile the mean of some levels of a cause against that of others: the cause as a factor."""
    a, b = keys.of
    r = steps.outcome(s, a.to)
    column = s.columns[steps.require(s, a.from_, "cause")[0]]
    c = quoted(column)
    text = f"factor({c})"
    x = s.values(column)
    there = sorted(set(x[np.isfinite(x)].tolist()))
    wanted = [float(v) for v in (*a.values, *b.values)]  # codes
    lost = [f"{v:g}" for v in wanted if v not in there]
    if lost:
        raise NotTestable(f"'{column}' never has the value {', '.join(lost)}")
    piece = Piece((text,), {text: 1.0}, {text: 1.0}, text,
                  f"the cause ({s.framework.constructs[a.from_].name}), level by level", (),
                  (x,))  # fmt: skip
    one = steps.step(s, [], r, level, also=[piece], sources=[a.from_])
    estimands: dict[str, Mapping[str, object]] = {}
    names = {}
    for v in there[1:]:
        names[v] = f"level_{v:g}".replace(".", "_").replace("-", "minus_")
        estimands[names[v]] = {
            "kind": "coefficient",
            "parameter": named.coefficient(quoted(r.name), f"{text}[{v:g}]"),
        }
    weights = dict.fromkeys(there, 0.0)
    for e, sign in ((a, 1.0), (b, -1.0)):
        for v in e.values:
            weights[float(v)] += sign / len(e.values)
    used = {names[v]: w / r.sd for v, w in weights.items() if v in names and w}
    estimands["difference"] = {
        "kind": "combine", "of": list(used), "weights": [eq.rounded(w) for w in used.values()],
    }  # fmt: skip
    title = words(keys, lambda c: s.framework.constructs[c].name)
    model = ModelFile(name, title, (one.drafted,), estimands)
    return _made(keys, s, model, one, level, (a.from_, a.to))


def rule(answers: Answers, terms: Terms, *, keys: Keys, label: tuple[str, str]) -> Ruling:
    """Rule on the difference."""
    first, second = (_one(answers, n) for n in ("first", "second"))
    draws = _one(answers, "difference")
    if draws is None and first is not None and second is not None:
        draws = first - second
    if draws is None:
        raise KeyError("difference")
    p, s = terms.probability, terms.smallest
    main = Part("difference", *label, draws, keys.sign, s, p)
    parts = [main]
    for e, x, n in zip(keys.of, (first, second), ("first effect", "second effect"), strict=True):
        if x is not None:
            parts.append(Part(n, e.from_, e.to, x, "", s, p))
    return of_effect(draws, keys.sign, s, p, main, parts)


def any_differs(
    answers: Answers, terms: Terms, *, to: str, parts: tuple[tuple[str, str], ...]
) -> Ruling:
    """Rule on the differences of several parts at once: one is beyond the smallest effect.

    Args:
        answers: draws.
        terms: on which it is judged.
        to: the outcome.
        parts: each with the estimand of its difference, or with what its two effects end in.
    """
    p, s = terms.probability, terms.smallest
    rows: list[Part] = []
    for part, label in parts:
        draws = answers.get(label)
        if draws is None:
            first, second = (_one(answers, n + label) for n in ("first", "second"))
            if first is None or second is None:
                raise KeyError(label)
            draws = first - second
        rows.append(Part("difference", part, to, draws, DIFFERS, s, p))
    found = simultaneously(np.stack([x.draws for x in rows]), s)
    main = replace(rows[found.largest], name="largest difference")
    return Ruling(found.holds, 0.0, found.negligible, p, p, main, (main, *rows))


def _one(answers: Answers, name: str) -> Array | None:
    return next((x for k, x in answers.items() if k == name or k.startswith(f"{name}[")), None)

"""A construct moves another in a stated direction: the total effect at the claim's level."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial as bound
from typing import Annotated, Any, Literal

from pydantic import Field

from acmodels.theory.claims import Common, Compiled, Roles, Terms
from acmodels.theory.claims._products import moderated
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.ruling import Answers, Part, Ruling, asked, of_effect


class Keys(Common):
    """The keys of an effect."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    sign: Literal["+", "-", "differs"]
    at: dict[str, float | int] = Field(default_factory=dict)
    """Values of other constructs, in their sds from their means, at which the slope is meant."""


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    return Roles((keys.from_,), (keys.to,), (), tuple(keys.at), ((keys.from_, keys.to),))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    does = {"+": "raises", "-": "lowers", "differs": "moves"}[keys.sign]
    where = " and ".join(f"{name(c)} is {_at(v)}" for c, v in keys.at.items())
    return f"{name(keys.from_)} {does} {name(keys.to)}{f' where {where}' if where else ''}"


def _at(value: float) -> str:
    return (
        "at its mean"
        if value == 0
        else f"{abs(value):g} sd {'above' if value > 0 else 'below'} its mean"
    )


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: one equation, and one more for each part of a composite outcome."""
    r = steps.outcome(s, keys.to)
    steps.require(s, keys.from_, "cause")
    level = steps.level_of(s, [keys.from_], [keys.to], keys.level)
    if keys.at:
        return _somewhere(keys, s, name, r, level)
    one = _step(s, keys, r, level)
    cause = one.causes[keys.from_]
    title = f"{s.framework.constructs[keys.from_].name} and {s.framework.constructs[keys.to].name}"
    models = [_model(name, title, one, "effect", keys.from_, level)]
    parts: list[tuple[str, str, str]] = [
        (p, keys.to, e)
        for p, e in steps.part_names("effect", cause).items()
        if len(cause.parts) > 1
    ]
    if r.parts:
        for c in r.constructs:
            other = _step(s, keys, eq.response(s, c), level, latent=False)
            end = c.replace(".", "_")
            label = f"effect_on_{end}"
            models.append(_model(f"{name}_{end}", title, other, label, keys.from_, level))
            parts.append((keys.from_, c, label))
    return Compiled(
        tuple(models),
        bound(rule, keys=keys, parts=tuple(parts)),
        f"{words(keys, lambda c: s.framework.constructs[c].name)}",
        level.name,
        one.adjusted,
        (one.adjustment,),
        (
            *level.notes,
            *_sides(s, keys),
            *steps.left_out(one.equations, steps.of_one_nest(one.equations, level), level),
            *steps.partial(s, keys.from_),
            *steps.partial(s, keys.to),
        ),
        (asked(keys.sign, "total effect"),),
    )


def _beside(s: Setting, keys: Keys) -> list[str]:
    """List the other sides of the construct that the cause is one side of, where they are there."""
    of = s.framework.constructs[keys.from_].facet_of
    return [
        c.id
        for c in s.framework.constructs.values()
        if of is not None and c.facet_of == of and c.id != keys.from_ and c.id in s.columns
    ]


def _step(
    s: Setting, keys: Keys, r: eq.Response, level: steps.Level, *, latent: bool = True
) -> steps.Step:
    """Draft the equation; sides of one construct go together, so that each is beside the others."""
    also = [
        replace(p, why=f"another side of the same construct ({s.framework.constructs[c].name})")
        for c in _beside(s, keys)
        for p in steps.cause(s, c, r.home, level, slope=False).pieces
    ]
    return steps.step(s, [keys.from_], r, level, also=also, latent=latent)


def _sides(s: Setting, keys: Keys) -> list[str]:
    names = [s.framework.constructs[c].name for c in _beside(s, keys)]
    if not names:
        return []
    return [f"Held fixed as other sides of the same construct: {', '.join(names)}."]


def _model(
    name: str, title: str, one: steps.Step, label: str, cause: str, level: steps.Level
) -> ModelFile:
    """Write a model; what stands in the equation of a covariate is no path of the effect."""
    kind = "direct" if one.latent else "total"
    estimands = steps.effect_estimands(label, one.causes[cause], one.drafted.response.name, kind)
    return ModelFile(name, title, steps.of_one_nest(one.equations, level), estimands)


def _somewhere(keys: Keys, s: Setting, name: str, r: eq.Response, level: steps.Level) -> Compiled:
    """Compile the slope at given values of other constructs: a moderation, read at one place."""
    for c in keys.at:
        steps.require(s, c, "moderator")
    made = moderated(s, keys.from_, tuple(keys.at), r, level)
    place = {
        c: [eq.rounded((low + high) / 2 + v * (high - low) / 2)]
        for (c, low, high), v in zip(made.at, keys.at.values(), strict=True)
    }
    estimands = {"effect": steps.standard("slope_at", made.slope, r.name, at=place)}
    said = words(keys, lambda c: s.framework.constructs[c].name)
    return Compiled(
        (ModelFile(name, said, (made.drafted,), estimands),),
        bound(rule, keys=keys, parts=()),
        said,
        level.name,
        made.step.adjusted,
        (made.step.adjustment,),
        level.notes,
        (asked(keys.sign, "slope there"),),
    )


def rule(
    answers: Answers, terms: Terms, *, keys: Keys, parts: tuple[tuple[str, str, str], ...]
) -> Ruling:
    """Rule on the total effect."""
    draws = next(x for k, x in answers.items() if k == "effect" or k.startswith("effect["))
    own: dict[str, Any] = {
        "region": keys.sign, "smallest": terms.smallest, "need": terms.probability,
    }  # fmt: skip
    main = Part("effect", keys.from_, keys.to, draws, **own)
    every = [Part("effect", a, b, answers[e], **own) for a, b, e in parts]
    return of_effect(draws, keys.sign, terms.smallest, terms.probability, main, every or [main])

"""Events strike a condition, and through it an outcome: turnover, reorganization, budget cuts.

The model is the panel of a claim of kind `lag`, of the condition and the outcome, with events as
predictors: in their own wave (or one later, as the theory's arrow says), and in the wave before, in
which an event that is a cause cannot have acted yet (Angrist & Pischke, 2009, *Mostly Harmless
Econometrics*, section 5.2). Units that have more events for good are told apart by their mean,
events that follow a bad wave by the deviations of the wave before, trends that all share by the
waves; a difference that was there before the event is taken off what came after it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial as bound
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from acmodels.errors import listing
from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.spec.strict import Strict
from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, Terms
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import panel as waves
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.adjustment import leads
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Array, Setting
from acmodels.theory.ruling import Answers, Part, Ruling, jointly

LEAST_EVENTS = 8
"""Units in which an event must have struck in some waves and not in others."""

TINY = 1e-9
"""What a number of events may deviate from its mean by rounding."""


class Strike(Strict):
    """An event and the condition that it strikes."""

    event: str
    on: str
    sign: Literal["+", "-"]


class Keys(Common):
    """The keys of a shock."""

    effects: Annotated[list[Strike], Field(min_length=1)]
    to: str


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    events = tuple(dict.fromkeys(e.event for e in keys.effects))
    on = tuple(dict.fromkeys(e.on for e in keys.effects))
    pairs = ((e.event, e.on) for e in keys.effects)
    return Roles(events, (keys.to,), on, (), (*pairs, *((c, keys.to) for c in on)))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    said = [
        f"{name(e.event)} {'raises' if e.sign == '+' else 'lowers'} {name(e.on)}"
        for e in keys.effects
    ]
    return f"{listing(said, len(said))}, and {name(keys.to)} follows"


@dataclass(frozen=True)
class _Strike:
    """An effect in a panel.

    Attributes:
        keys: as claimed.
        number: by which its estimands are known.
        panel: its rows.
        condition, outcome: variables.
        after, before: the event's terms in the wave in which it acts and in the one before.
        later: waves from the condition to the outcome, 0 or 1.
    """

    keys: Strike
    number: int
    panel: waves.Panel
    condition: eq.Response
    outcome: eq.Response
    after: str
    before: str
    later: int

    def sd(self, r: eq.Response) -> float:
        """Sd of a variable's deviations from the means of units."""
        return waves.inside(self.panel, r.name)

    def term(self, r: eq.Response) -> str:
        """The deviation of a variable one wave earlier."""
        return f"within(lag({quoted(r.name)}), {quoted(self.panel.unit.column)})"


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: a panel of condition and outcome for each event, the other events beside it."""
    steps.require(s, keys.to, "outcome")
    there = [e for e in keys.effects if eq.available(s, e.event) and eq.available(s, e.on)]
    for e in keys.effects if not there else ():
        steps.require(s, e.event, "event")
        steps.require(s, e.on, "condition")
    events = list(dict.fromkeys(e.event for e in there))
    others = list(dict.fromkeys([*(e.on for e in there), keys.to]))
    p = waves.panel(s, events, others, keys.level)
    names = p.setting.framework.constructs
    found: list[_Strike] = []
    why: list[str] = []
    for k, e in enumerate(there, 1):
        problem = _too_few(p, e.event)
        if problem:
            why.append(problem)
        else:
            found.append(_strike(p, e, keys, k))
    if not found:
        raise NotTestable("; ".join(dict.fromkeys(why)))
    models = tuple(
        _model(one, [c for c in events if c != one.keys.event], keys,
               name if len(found) == 1 else f"{name}_{one.number}")
        for one in found
    )  # fmt: skip
    lost = [names[e.event].name for e in keys.effects if e not in [o.keys for o in found]]
    left = f"{len(found)} of {len(keys.effects)} effects: nothing is said of {listing(lost)}"
    return Compiled(
        models, bound(rule, found=tuple(found), keys=keys),
        words(keys, lambda c: names[c].name), p.level.name,
        notes=(*p.notes, *((left,) if lost else ()), *dict.fromkeys(why), *_notes(found[0])),
        rule_words=(
            "P(the event moves the condition in its direction)",
            "P(after minus before lies beyond the smallest effect in that direction)",
            "P(the condition moves the outcome in the same direction as itself)",
        ),
        rows=p.setting,
    )  # fmt: skip


def _too_few(p: waves.Panel, event: str) -> str:
    """Say why an event cannot be told from its unit, or nothing."""
    s = p.setting
    column, name = eq.column(s, event), s.framework.constructs[event].name
    if not eq.is_number(s, column):
        return (
            f"'{column}' holds text; an event is a number in each wave: 1 where it struck and 0 "
            "where not, or how many"
        )
    struck = np.abs(s.values(column) - s.means(column, p.unit)) > TINY
    units = len(np.unique(p.unit.codes[struck]))
    if units >= LEAST_EVENTS:
        return ""
    return (
        f"{name} differs between the waves of {units} {p.unit.name}s; it takes at least "
        f"{LEAST_EVENTS} that it struck in some waves and not in others"
    )


def _strike(p: waves.Panel, e: Strike, keys: Keys, k: int) -> _Strike:
    """Set one effect up: in which waves event, condition and outcome meet is the theory's."""
    f = p.setting.framework
    column = quoted(eq.column(p.setting, e.event))
    late = not leads(f, e.event, e.on) and leads(f, e.event, e.on, lags=True)
    after, before = (f"lag({column})", column) if late else (column, f"lead({column})")
    later = not leads(f, e.on, keys.to) and leads(f, e.on, keys.to, lags=True)
    variables = waves.variable(p, e.on), waves.variable(p, keys.to)
    return _Strike(e, k, p, *variables, after, before, int(later))


def _model(one: _Strike, others: Sequence[str], keys: Keys, name: str) -> ModelFile:
    """Write the equations of condition and outcome, with the same terms."""
    p, s = one.panel, one.panel.setting
    f = s.framework
    both = (one.condition, one.outcome)
    drafted = tuple(_drafted(one, r, others) for r in both)
    c, y = (quoted(r.name) for r in both)
    parameters = {
        "after": named.coefficient(c, one.after), "before": named.coefficient(c, one.before),
        "total": named.coefficient(y, one.after),
    }  # fmt: skip
    if one.later:
        parameters["next"] = named.coefficient(y, one.term(one.condition))
    else:
        parameters |= {
            "together": named.cor(c, y), "sigma_on": named.sigma(c), "sigma_to": named.sigma(y),
        }  # fmt: skip
    estimands = {
        f"{n}_{one.number}": {"kind": "coefficient", "parameter": v} for n, v in parameters.items()
    }
    priors: dict[str, Any] = {}
    unit = quoted(p.unit.column)
    for r in both:
        priors[named.sigma1(quoted(r.name))] = {"dist": "HalfNormal", "sigma": eq.rounded(r.sd)}
        sd = named.sd(named.intercept(quoted(r.name)), unit)
        priors[sd] = {"dist": "HalfNormal", "sigma": eq.rounded(r.sd)}
    title = words(Keys(effects=[one.keys], to=keys.to), lambda n: f.constructs[n].name)
    top = {
        "residual_correlation": [[r.name for r in both]],
        "panel": {"unit": p.unit.column, "wave": p.wave},
    }
    return ModelFile(name, title, drafted, estimands, priors, top=top)


def _drafted(one: _Strike, r: eq.Response, others: Sequence[str]) -> eq.Drafted:
    p, s = one.panel, one.panel.setting
    names = s.framework.constructs
    event = names[one.keys.event].name
    column = eq.column(s, one.keys.event)
    spread = s.spread(s.values(column))
    mean = f"between({quoted(column)}, {quoted(p.unit.column)})"
    over = s.spread(s.means(column, p.unit))
    pieces = [
        eq.Piece((one.after,), {one.after: 0.5}, {one.after: spread}, one.after, event),
        eq.Piece(
            (one.before,), {one.before: 0.5}, {one.before: spread}, one.before,
            f"{event}, one wave before it can act: a difference that was there already",
        ),
    ]  # fmt: skip
    if over > 0:
        pieces.append(
            eq.Piece(
                (mean,), {mean: 1.0}, {mean: over}, mean,
                f"{p.unit.name}s that have more of it for good",
            )
        )  # fmt: skip
    for o in others:
        c = eq.column(s, o)
        text = quoted(c)
        if eq.is_number(s, c) and s.spread(s.values(c)) > 0:
            sds = {text: s.spread(s.values(c))}
            pieces.append(eq.Piece((text,), {text: 0.5}, sds, text, f"{names[o].name} beside it"))
    for v in (one.condition, one.outcome):
        text = one.term(v)
        sds = {text: waves.inside(p, v.name)}
        why = f"{names[v.construct].name} of the {p.unit.name} one wave earlier, as it deviates"
        pieces.append(eq.Piece((text,), {text: 0.5}, sds, text, f"{why} from its own mean"))
    return eq.Drafted(r, tuple(pieces), waves.lasting(s.framework, p), p.wave, (("u", p.unit),))


def _notes(one: _Strike) -> tuple[str, ...]:
    names = one.panel.setting.framework.constructs
    unit = one.panel.unit.name
    apart = (
        f"{unit}s that have more events for good, events that follow a bad wave, and changes that "
        "all share in a wave are apart from the effect; what strikes in the same wave as an event "
        "and is not measured can be mistaken for it"
    )
    step = (
        f"that {names[one.condition.construct].name} moves {names[one.outcome.construct].name} "
        + (
            "one wave later rests on deviations within "
            if one.later
            else "in the same wave rests on what both change by within "
        )
        + f"{unit}s, given the wave before; what moves both in a wave is not held fixed"
    )
    return apart, step


def rule(answers: Answers, terms: Terms, *, found: Sequence[_Strike], keys: Keys) -> Ruling:
    """Rule on every effect, and on all jointly."""
    return jointly([_ruled(answers, terms, one, keys) for one in found], terms.probability)


def _ruled(answers: Answers, terms: Terms, one: _Strike, keys: Keys) -> Ruling:
    p, s = terms.probability, terms.smallest
    e, n = one.keys, one.number
    flip = 1.0 if e.sign == "+" else -1.0
    sd, to = one.sd(one.condition), one.sd(one.outcome)
    after = answers[f"after_{n}"] / sd
    excess = after - answers[f"before_{n}"] / sd
    step = _step(answers, one) * sd / to
    total = answers[f"total_{n}"] / to
    own: dict[str, Any] = {"smallest": s, "need": p}
    main = Part("effect on the condition", e.event, e.on, after, e.sign, **own)
    parts = (
        main,
        Part("after minus before", e.event, e.on, excess, e.sign, **own),
        Part("condition on outcome", e.on, keys.to, step, "+", **own),
        Part("all of the event on the outcome", e.event, keys.to, total, "", **own),
    )
    holds = (flip * after > 0) & (flip * excess > s) & (step > 0)
    against = max(float(np.mean(flip * after < 0)), float(np.mean(step < 0)))
    small = max(float(np.mean(np.abs(x) <= s)) for x in (after, step))
    return Ruling(float(holds.mean()), against, small, p, p, main, parts)


def _step(answers: Answers, one: _Strike) -> Array:
    """What the outcome changes by with the condition, in the same wave or one later."""
    n = one.number
    if one.later:
        return answers[f"next_{n}"]
    return answers[f"together_{n}"] * answers[f"sigma_to_{n}"] / answers[f"sigma_on_{n}"]

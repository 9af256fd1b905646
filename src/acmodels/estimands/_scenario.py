"""Which equations are run anew when a variable moves, resolved once; see `_response`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from acmodels.errors import EstimandError
from acmodels.estimands._names import At, Node
from acmodels.spec.formula import Operand
from acmodels.system import Layout, Responses
from acmodels.system.arrays import Array, Index
from acmodels.system.columns import apply, variable_values
from acmodels.system.terms import Factor, LatentMean, Source, Term, latent_means, terms

type World = tuple[int, int]
"""Which value of `from` is seen by the active equations, and by the others: 0 or 1."""

WORLDS: tuple[World, ...] = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True)
class Move:
    """What `from` does.

    Attributes:
        source: what it is looked up by: a variable, or `within(x, g)` or `between(x, g)`.
        values: from and to where it moves; codes of a factor.
        node: as arrows know it.
    """

    source: str
    values: tuple[float, float]
    node: Node


@dataclass(frozen=True)
class Scenario:
    """What is drawn for a question, and from what.

    Attributes:
        where: the estimand, for messages.
        move, to, held: as asked: what moves, the outcome, values at which variables are held.
        active: the equations that see the first index of a world.
        linked: whether what is averaged is not linear in group effects.
        rows: the data rows that are averaged over: those of the outcome's equation.
        terms: of the equations that are run.
        reach: which indices of a world each response depends on.
        drawn: responses that are drawn, and the outcome.
        means: latent unit means, as sources know them.
        above: what the outcome is to exceed, where its probability is asked for.
    """

    where: str
    move: Move
    to: str
    held: At
    active: frozenset[str]
    linked: bool
    rows: Index
    terms: Mapping[str, tuple[Term, ...]]
    reach: Mapping[str, frozenset[int]]
    drawn: frozenset[str]
    means: tuple[LatentMean, ...]
    above: float | None = None

    @property
    def worlds(self) -> tuple[World, ...]:
        """The worlds that are run: where a probability is asked for, those of a total effect."""
        return WORLDS if self.above is None else (WORLDS[0], WORLDS[-1])

    @property
    def key(self) -> tuple[object, ...]:
        """What another effect has in common that asks for the same worlds."""
        same = self.move.source, self.move.values, self.to, tuple(self.held.items()), self.active
        return (*same, self.above)

    @cached_property
    def effects(self) -> Mapping[int, tuple[Term, ...]]:
        """Group effects that are drawn, by block.

        The mean of effects that meet nothing else that is drawn is zero, so an outcome without
        a link does not need those that are its own.
        """
        found = ((t.effect, t) for r in self.drawn for t in self.terms[r] if t.effect is not None)
        out: dict[int, tuple[Term, ...]] = {}
        for (b, _), t in sorted(found, key=lambda p: p[0]):
            out[b] = (*out.get(b, ()), t)
        own = {b for b, mine in out.items() if {t.response for t in mine} == {self.to}}
        return {b: mine for b, mine in out.items() if b not in own or self.linked}

    def moving(self, term: Term) -> bool:
        """Return whether a term rests on something drawn."""
        return any(
            s.key != self.move.source and s.variable in self.drawn and s.variable not in self.held
            for s in term.sources
        )


def scenario(
    where: str, layout: Layout, move: Move, to: str, held: At, active: frozenset[str]
) -> Scenario:
    """Find what has to be drawn when a variable moves.

    Args:
        where: the estimand, for messages.
        layout: the model on its rows.
        move: what moves, and between which values.
        to: the outcome.
        held: values at which variables are held.
        active: the equations that see the first index of a world.

    Raises:
        EstimandError: what `at` holds has no bearing, or something cannot be computed.
    """
    e = layout.equation(to)
    reach = _reach(layout, move, held, active)
    drawn = _drawn(layout, move, to, held, reach)
    made = Scenario(
        where, move, to, held, active, e.link != "identity", e.rows,
        {r: terms(layout, r) for r in layout.responses if r in drawn}, reach, drawn,
        latent_means(layout),
    )  # fmt: skip
    _check(layout, made)
    return made


def _reach(
    layout: Layout, move: Move, held: At, active: frozenset[str]
) -> dict[str, frozenset[int]]:
    out: dict[str, frozenset[int]] = {}
    for r in (layout.equations[i].response for i in layout.order):
        found: set[int] = set()
        if r not in held and r != move.source:
            for s in _sources(layout, r):
                if s.key == move.source:
                    found.add(0 if r in active else 1)
                else:
                    found |= out.get(s.variable, frozenset())
        out[r] = frozenset(found)
    return out


def _sources(layout: Layout, response: str) -> list[Source]:
    """Return what an equation reads."""
    return [s for t in terms(layout, response) for s in t.sources]


def _drawn(
    layout: Layout, move: Move, to: str, held: At, reach: Mapping[str, frozenset[int]]
) -> frozenset[str]:
    """Responses that are drawn, and the outcome."""
    names = layout.responses
    blocks: dict[int, set[str]] = {}
    for r in names:
        for t in terms(layout, r):
            if t.effect is not None:
                blocks.setdefault(t.effect[0], set()).add(r)
    together = [*blocks.values(), *({names[i] for i in r} - {to} for r in layout.residual)]

    def wanted(s: Source, found: set[str]) -> bool:
        v = s.variable
        if s.equation is None or v in held or v in found or move.source in (s.key, v):
            return False
        if reach[v] or s.latent is not None:
            return True
        return any(v in some and some & found for some in together)

    found = {to}
    while more := {s.variable for r in found for s in _sources(layout, r) if wanted(s, found)}:
        found |= more
    return frozenset(found)


# --- what cannot be computed ------------------------------------------------------


def _check(layout: Layout, asked: Scenario) -> None:
    """Refuse what cannot be computed.

    Raises:
        EstimandError: what `at` holds has no bearing on the effect; a unit mean that would have
            to be moved with its variable; a logarithm of what is drawn.
    """
    where = asked.where
    read = {s.key: s for some in asked.terms.values() for t in some for s in t.sources}
    for name in asked.held:
        if name not in {s.variable for s in read.values()}:
            raise EstimandError(
                f"{where}.at: '{name}' has no bearing on this effect; no equation that it runs "
                "through holds it"
            )
    for key, s in sorted(read.items()):
        if s.derived is None:
            continue
        if s.variable in asked.held:
            raise EstimandError(
                f"{where}.at: '{s.variable}' enters as {key}, and a value of it does not say its "
                "unit's mean; it cannot be held on the response scale"
            )
        if s.variable == asked.move.source:
            raise EstimandError(
                f"{where}.from: '{s.variable}' also enters as {key}, and a value of it does not "
                f'say its unit\'s mean; write from = "{key}"'
            )
    for r in sorted(asked.drawn):
        for f in (f for t in asked.terms[r] for f in t.factors):
            for s, o in zip(f.sources, _by_source(f), strict=True):
                if s.variable in asked.drawn and not _given(asked, s):
                    _check_drawn(layout, where, r, s, o)


def _given(asked: Scenario, s: Source) -> tuple[float, ...]:
    """Values at which a source is set."""
    if s.variable in asked.held:
        return (asked.held[s.variable],)
    return asked.move.values if s.key == asked.move.source else ()


def _by_source(f: Factor) -> list[tuple[Operand, ...]]:
    """What is taken of each source of a factor."""
    every = f.part.operand.arguments
    return [tuple(o for o in every if o.source == s.key) for s in f.sources]


def _check_drawn(
    layout: Layout, where: str, response: str, s: Source, taken: Sequence[Operand]
) -> None:
    """Refuse what cannot be taken of a response that is drawn."""
    v = s.variable
    m = layout.equation(v)
    positive = {"log", "sqrt"} if m.distribution.positive else {"sqrt"}
    allowed = set[str]() if m.distribution.unbounded else positive
    for o in taken:
        if ({"log", "sqrt"} - allowed) & set(o.functions):
            raise EstimandError(
                f"{where}: {o.text} in equations.{response} takes a logarithm or root of "
                f"'{v}', which is drawn from the family {m.family} and may be 0 or less; on the "
                "response scale that has no expectation"
            )
    if s.derived is not None and s.latent is None:
        raise EstimandError(
            f"{where}: {s.key} in equations.{response} is an observed mean of '{v}', "
            "which is drawn; on the response scale only latent means can be, so leave "
            'centering = "observed" out'
        )


def check_values(asked: Scenario, layout: Layout, responses: Responses) -> None:
    """Refuse values that a transform cannot take.

    Raises:
        EstimandError: there is one.
    """
    for r in sorted(asked.drawn):
        for t in asked.terms[r]:
            for f in (f for f in t.factors if f.part.level is None):
                for s, taken in zip(f.sources, _by_source(f), strict=True):
                    for o in taken:
                        _check_given(asked, o, s, t, layout, responses)


def _check_given(
    asked: Scenario, o: Operand, s: Source, t: Term, layout: Layout, responses: Responses
) -> None:
    fixed = _given(asked, s)
    if not (fixed and o.functions) or s.derived:
        return
    with np.errstate(all="ignore"):
        given = apply(o, np.array(fixed), reference(layout, t, s, responses))
    if not np.isfinite(given).all():
        shown = ", ".join(f"{x:g}" for x in fixed)
        raise EstimandError(
            f"{asked.where}: {o.text} in equations.{t.response} cannot take "
            f"'{s.variable}' = {shown}"
        )


def reference(layout: Layout, term: Term, s: Source, responses: Responses) -> Array:
    """Return what `center` and `standardize` refer to: values as observed."""
    return variable_values(layout, s.key, responses)[term.rows]

"""Effects on the outcome's own scale, by g-computation (Robins, 1986).

For every posterior draw the system is run anew for `from` at both of its values, and the expected
outcome is averaged over the rows of the outcome's equation: Y(x, M(x')) is the outcome with
`from` at x and the mediators as they would be with `from` at x' (VanderWeele, 2015). What `from`
does not move is as observed, unless its residual, its group effects or its latent unit mean belong
with something that is drawn; then it is drawn too. `at` sets a variable in every row, a
mediator too, by which the direct effect becomes a controlled direct effect.

Group effects are drawn anew from their distribution, so that effects are those of a new group and
not of one whose effects are zero. An expectation over rows does not need rows of one group to
share an effect, so each row draws its own, which leaves less noise.

Monte Carlo: each draw and row has an even number of replicates, in pairs that mirror each other
(z and -z) and whose random numbers are equally spaced over pairs, from a start of the row's own
(Cranley & Patterson, 1976), in an order of each number's own. There are so many that a draw has
at least `ROWS` rows times replicates, and all draws together `REPLICATES` replicates and
`POINTS` rows times replicates, unless `MOST` cuts them; a truth is one draw. What noise is left
is a few hundredths of a posterior's sd. Worlds share their random numbers, so that differences
are smooth, total is direct plus indirect on every draw, and what is additive is exact. The
streams are fixed, so that results are too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np

from acmodels.errors import EstimandError, listing
from acmodels.estimands import Array, Context, Estimand, Row
from acmodels.estimands import _effects as fx
from acmodels.estimands._mediation import Steps, named_paths, sharing_warnings, steps
from acmodels.families import Family
from acmodels.numbers import number
from acmodels.rng import stream
from acmodels.spec.names import level_of, quoted
from acmodels.system import Block, Column, EquationLayout, Layout, parameters
from acmodels.system.columns import apply, part_values, variable_values
from acmodels.system.layout import residual_pairs
from acmodels.system.terms import LatentMean, is_latent, latent_means

ROWS = 1_000
"""Rows times replicates of each posterior draw, at least."""

REPLICATES = 2_000
"""Replicates over all draws, at least."""

POINTS = 1_000_000
"""Rows times replicates over all draws, at least."""

MOST = 20_000_000
"""Rows times replicates over all draws, beyond which two a draw must do (200 for a truth)."""

STRATA = 8
"""Pairs of replicates that are stratified together, at most."""

CHUNK = 1 << 17
"""Numbers in an array that is worked on at a time."""

type World = tuple[int, int]
"""Which value of `from` is seen by the active equations, and by the others: 0 or 1."""

type Worlds = Mapping[World, Array]
"""Expected outcome in each world, (chain, draw)."""

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
    node: fx.Node


# --- the three kinds -----------------------------------------------------------


def total(estimand: Estimand, context: Context) -> list[Row]:
    """Y(1, M(1)) - Y(0, M(0)).

    Raises:
        EstimandError: no path is open, or the estimand cannot be read; see `_ends`.
    """
    if estimand.settings.arm is not None:
        raise EstimandError(
            f"{estimand.where}.arm: a total effect moves both at once and has no arm; leave it out"
        )
    move, to = _ends(estimand, context)

    def one(held: fx.At) -> Array:
        if not fx.arrow(context, move.node, to) and not _open(context, move, to, held):
            raise EstimandError(
                f"{estimand.where}: no path leads from '{move.node.text}' to '{to}'" + _but(held)
            )
        y = _worlds(estimand, context, move, to, held, frozenset([to]))
        return y[1, 1] - y[0, 0]

    return _rows(estimand, context, move, to, one)


def direct(estimand: Estimand, context: Context) -> list[Row]:
    """Y(1, M(a)) - Y(0, M(a)), averaged over a = 0 and 1 unless `arm` says which.

    Raises:
        EstimandError: there is no arrow, or the estimand cannot be read; see `_ends`.
    """
    move, to = _ends(estimand, context)
    if not fx.arrow(context, move.node, to):
        raise EstimandError(
            f"{estimand.where}: there is no arrow from '{move.node.text}' to '{to}'; the formula "
            f"of equations.{to} does not hold '{move.node.text}'"
        )

    def one(held: fx.At) -> Array:
        y = _worlds(estimand, context, move, to, held, frozenset([to]))
        return _over_arms(estimand, lambda a: y[1, a] - y[0, a])

    return _rows(estimand, context, move, to, one)


def indirect(estimand: Estimand, context: Context) -> list[Row]:
    """Y(a, M(1)) - Y(a, M(0)), averaged over a = 0 and 1 unless `arm` says which.

    With `via`, the mediators that `from` reaches first on the paths named move, and the others
    are as in arm a.

    Raises:
        EstimandError: the paths named are not told apart from others by where they start, or
            the estimand cannot be read; see `_ends`.
    """
    move, to = _ends(estimand, context)

    def one(held: fx.At) -> Array:
        first, joint = _first_mediators(estimand, context, move, to, held)
        if joint:  # the same worlds as for the direct effect, with the roles exchanged
            y = _worlds(estimand, context, move, to, held, frozenset([to]))
            return _over_arms(estimand, lambda a: y[a, 1] - y[a, 0])
        y = _worlds(estimand, context, move, to, held, first)
        return _over_arms(estimand, lambda a: y[1, a] - y[0, a])

    return _rows(estimand, context, move, to, one)


def response_warnings(estimand: Estimand, context: Context) -> list[str]:
    """Return what a reader of an effect on the outcome's scale must know."""
    move, to = _ends(estimand, context)
    every = [steps(move.node, p, to) for p in fx.paths(context, move.node, to)]
    out = sharing_warnings(context, every) if estimand.kind != "direct" else []
    variable = context.layout.variables.get(move.source)
    if variable is not None and not variable.levels:
        low, high = float(np.min(variable.values)), float(np.max(variable.values))
        if min(move.values) < low or max(move.values) > high:
            out.append(
                f"'{move.node.text}' moves between {move.values[0]:g} and {move.values[1]:g}, but "
                f"in the data it lies between {low:g} and {high:g}; beyond them the effect rests "
                "on the formula alone"
            )
    if estimand.kind == "indirect" and estimand.settings.via is not None:
        out += _confounders(context, move, to, named_paths(estimand, context, move.node, to))
    return out


def _confounders(context: Context, move: Move, to: str, named: Sequence[Steps]) -> list[str]:
    """Say which variables that `from` moves bear on both a mediator named and the outcome."""
    via = {r for path in named for _, r in path[:-1]}
    out: list[str] = []
    for c in context.layout.responses:
        if c in via or c == to or not _leads(context, move.node, c, set()):
            continue
        node = fx.Node(c, c)
        on = [m for m in context.layout.responses if m in via and _leads(context, node, m, {to})]
        if on and _leads(context, node, to, via):
            out.append(
                f"'{c}' is moved by '{move.node.text}' and bears on both '{on[0]}' and '{to}', so "
                f"it confounds them; the effect through {listing([repr(m) for m in on])} alone is "
                f"taken for what does not pass through '{c}', with '{c}' as in its own arm, and "
                "without the model's equations no data could identify it"
            )
    return out


def _leads(context: Context, start: fx.Node, to: str, avoid: set[str]) -> bool:
    """Return whether an arrow or a path that avoids some responses leads to a response."""
    if any(fx.arrow(context, n, to) for n in _spellings(context, start, to)):
        return True
    return any(not avoid & {n.variable for n in p} for p in fx.paths(context, start, to))


def _spellings(context: Context, n: fx.Node, to: str) -> list[fx.Node]:
    if n.variable in context.layout.responses and n.operand is None:
        return fx.links(context, n.variable, to)
    return [n]


def _over_arms(estimand: Estimand, effect: Callable[[int], Array]) -> Array:
    arm = estimand.settings.arm
    return (effect(0) + effect(1)) / 2 if arm is None else effect(arm)


# --- what is asked -------------------------------------------------------------


def _ends(estimand: Estimand, context: Context) -> tuple[Move, str]:
    """Return what moves, and what it is to move.

    Raises:
        EstimandError: a name is not in the model, `from` is a transform, or `values` is missing
            or impossible.
    """
    s = estimand.settings
    to = fx.equation_name(s.to, context, f"{estimand.where}.to")
    move = _move(estimand, context, to)
    if move.node.variable == to:
        raise EstimandError(f"{estimand.where}: 'from' and 'to' are the same variable")
    return move, to


def _move(estimand: Estimand, context: Context, to: str) -> Move:
    s = estimand.settings
    where = f"{estimand.where}.from"
    text, level = level_of(s.from_)
    name = fx.node_variable(text)
    known = context.layout.variables.get(name)
    levels = known.levels if known is not None else ()
    if levels and s.values is not None:
        if level is not None:
            raise EstimandError(
                f"{where}: '{s.from_}' already means the change from the reference to that "
                "level; to give values, write "
                f'from = "{quoted(name)}"'
            )
        return Move(name, _between(estimand, context, name), fx.Node(s.from_, name))
    if len(levels) > 2 and level is None:
        raise EstimandError(
            f"{where}: '{s.from_}' has {len(levels)} levels; say between which two it moves, as "
            f'values = ["{levels[0]}", "{levels[-1]}"] (levels: {listing(levels, 12)})'
        )
    n = fx.node(s.from_, context, where, to if estimand.kind == "direct" else None)
    if n.level is not None:
        plain = fx.Node(s.from_, name)
        return Move(name, (float(n.reference or 0), float(n.level)), plain)
    if n.operand is not None and n.operand not in context.layout.derived:
        raise EstimandError(
            f"{where}: on the response scale a variable moves with all that is made of it; write "
            f'from = "{name}" and give values of it, not of {s.from_}'
        )
    source = n.operand or name
    return Move(source, _between(estimand, context, source), n)


def _between(estimand: Estimand, context: Context, source: str) -> tuple[float, float]:
    """The two values between which `from` moves."""
    layout = context.layout
    given = estimand.settings.values
    binary = source in layout.responses and layout.equation(source).distribution.binary()
    if given is None:
        if not binary and source in layout.variables:
            binary = set(np.unique(layout.variables[source].values)) == {0.0, 1.0}
        if binary:
            return 0.0, 1.0
        seen = variable_values(layout, source, context.responses)
        low, high = float(np.mean(seen)), float(np.mean(seen) + np.std(seen))
        raise EstimandError(
            f"{estimand.where}: say between which values '{source}' moves, as values = "
            f"[{number(low)}, {number(high)}] (here its mean and one sd more)"
        )
    where = f"{estimand.where}.values"
    if source in layout.derived:
        if any(isinstance(v, str) for v in given):
            raise EstimandError(f"{where}: '{source}' is a number")
        x0, x1 = float(given[0]), float(given[1])
    else:
        x0, x1 = (fx.held(quoted(source), v, context, where)[2] for v in given)
    if x0 == x1:
        raise EstimandError(f"{where}: the two values are the same, so that nothing moves")
    if binary and {x0, x1} != {0.0, 1.0}:
        raise EstimandError(f"{where}: '{source}' is 0 or 1, so values is [0, 1] or [1, 0]")
    return x0, x1


def _rows(
    estimand: Estimand, context: Context, move: Move, to: str, one: Callable[[fx.At], Array]
) -> list[Row]:
    out: list[Row] = []
    for label, held in fx.settings_rows(estimand.settings.at, context, estimand.where):
        for name in held:
            if name in (move.node.variable, to):
                raise EstimandError(
                    f"{estimand.where}.at: '{name}' is an end of the effect and cannot be held; "
                    "values says between which values 'from' moves"
                )
        out.append(Row(label, one(held)))
    return out


def _open(context: Context, move: Move, to: str, held: fx.At) -> list[tuple[fx.Node, ...]]:
    """Indirect paths that pass through nothing that `at` holds."""
    found = fx.paths(context, move.node, to)
    return [p for p in found if not {n.variable for n in p} & set(held)]


def _but(held: fx.At) -> str:
    return f" with {listing(list(held))} held by at" if held else " in this model"


def _first_mediators(
    estimand: Estimand, context: Context, move: Move, to: str, held: fx.At
) -> tuple[frozenset[str], bool]:
    """The mediators that `from` reaches first on the paths asked for, and whether that is all.

    Effects by some paths are identified where those share no first arrow with the others (Avin,
    Shpitser & Pearl, 2005).
    """
    available = _open(context, move, to, held)
    if not available:
        raise EstimandError(
            f"{estimand.where}: no path leads from '{move.node.text}' to '{to}' through a mediator"
            + _but(held)
        )
    every = frozenset(p[0].variable for p in available)
    if estimand.settings.via is None:
        return every, True
    named = {tuple(n for n, _ in s[1:]) for s in named_paths(estimand, context, move.node, to)}
    for path in named:
        stopped = [n.variable for n in path if n.variable in held]
        if stopped:
            raise EstimandError(
                f"{estimand.where}.at: '{stopped[0]}' is held, so no effect runs through it"
            )
    first = frozenset(p[0].variable for p in named)
    left = [p for p in available if p[0].variable in first and p not in named]
    if left:
        said = [" → ".join(n.text for n in p) for p in left]
        also = [[n.text for n in p] for p in [*named, *left]]
        raise EstimandError(
            f"{estimand.where}.via: on the response scale an effect by some of the paths that "
            f"begin with '{left[0][0].variable}' cannot be told from one by the others (not named: "
            f"{listing(said)}), whatever the data; name all of them, as via = {_toml(also)}, or "
            "leave via out for all indirect paths together"
        )
    return first, first == every


def _toml(paths: Sequence[Sequence[str]]) -> str:
    inner = ", ".join("[" + ", ".join(f'"{m}"' for m in p) + "]" for p in sorted(map(list, paths)))
    return f"[{inner}]"


# --- worlds ----------------------------------------------------------------------


def _worlds(
    estimand: Estimand,
    context: Context,
    move: Move,
    to: str,
    held: fx.At,
    active: frozenset[str],
) -> Worlds:
    """Expected outcome in each world, kept for the other effects of the same question."""
    key = ("response", move.source, move.values, to, tuple(held.items()), active)
    if key not in context.memory:
        stacked = [r for r, v in context.responses.items() if v.ndim > 1]
        if stacked:  # of R data sets, one a "chain"
            each = [
                _one(estimand, _alone(context, r), move, to, held, active)
                for r in range(len(context.responses[stacked[0]]))
            ]
            found = {w: np.concatenate([y[w] for y in each]) for w in WORLDS}
        else:
            found = _one(estimand, context, move, to, held, active)
        context.memory[key] = found
    return cast(Worlds, context.memory[key])


def _alone(context: Context, r: int) -> Context:
    return replace(
        context,
        responses={k: v[r] if v.ndim > 1 else v for k, v in context.responses.items()},
        parameter=lambda name: context.parameter(name)[r : r + 1],
        memory={},
    )


def _one(
    estimand: Estimand,
    context: Context,
    move: Move,
    to: str,
    held: fx.At,
    active: frozenset[str],
) -> Worlds:
    plan = _Plan(context, move, to, held, active)
    _check(estimand, plan)
    if plan.blank:
        return {w: np.zeros(plan.shape) for w in WORLDS}
    with np.errstate(all="ignore"):
        found = _simulate(plan)
    if not all(np.isfinite(y).all() for y in found.values()):
        raise EstimandError(
            f"{estimand.where}: the expected '{to}' is not finite at some draws; do effects "
            "explode beyond its link?"
        )
    return found


@dataclass(frozen=True)
class _Plan:
    """What is drawn for a question, and from what.

    Attributes:
        context, move, to, held: as asked.
        active: the equations that see the first index of a world.
    """

    context: Context
    move: Move
    to: str
    held: fx.At
    active: frozenset[str]

    @property
    def layout(self) -> Layout:
        return self.context.layout

    @cached_property
    def rows(self) -> np.ndarray:
        """Data rows that are averaged over: those of the outcome's equation."""
        return self.layout.equation(self.to).rows

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return self.context.parameter(parameters(self.layout)[0].name).shape

    @cached_property
    def draws(self) -> Mapping[str, Array]:
        """Every structural parameter, (S,)."""
        return {p.name: self.context.parameter(p.name).ravel() for p in parameters(self.layout)}

    @cached_property
    def blank(self) -> bool:
        """Whether this is the rehearsal on zeros, where nothing moves."""
        return not any(np.any(v) for v in self.draws.values())

    def sources(self, response: str) -> list[str]:
        """Return what an equation reads."""
        found = [s for c in self.columns(response) for s in c.sources]
        return list(dict.fromkeys(found))

    def columns(self, response: str) -> list[Column]:
        """Columns of an equation, those of group effects after the others."""
        blocks = self.layout.blocks_of(response)
        own = self.layout.equation(response).columns
        return [*own, *(b.members[k].column for b, mine in blocks for k in mine)]

    def variable(self, source: str) -> str:
        """The column that a source rests on."""
        d = self.layout.derived.get(source)
        return source if d is None else d.variable

    @cached_property
    def reach(self) -> Mapping[str, frozenset[int]]:
        """Which indices of a world each response depends on."""
        out: dict[str, frozenset[int]] = {}
        for i in self.layout.order:
            r = self.layout.equations[i].response
            found: set[int] = set()
            if r not in self.held and r != self.move.source:
                for s in self.sources(r):
                    if s == self.move.source:
                        found.add(0 if r in self.active else 1)
                    else:
                        found |= out.get(self.variable(s), frozenset())
            out[r] = frozenset(found)
        return out

    @cached_property
    def drawn(self) -> frozenset[str]:
        """Responses that are drawn, and the outcome."""
        found = {self.to}
        while True:
            more = {
                self.variable(s)
                for r in found
                for s in self.sources(r)
                if self._to_draw(self.layout.equation(r), s, found)
            }
            if more <= found:
                return frozenset(found)
            found |= more

    def _to_draw(self, e: EquationLayout, source: str, found: set[str]) -> bool:
        v = self.variable(source)
        if v not in self.layout.responses or v in self.held or v in found:
            return False
        if self.move.source in (source, v):
            return False
        if self.reach[v] or is_latent(self.layout, e, source):
            return True
        names = self.layout.responses
        sets = [{m.response for m in b.members} for b in self.layout.blocks]
        apart = [{names[i] for i in r} - {self.to} for r in self.layout.residual]
        return any(v in together and together & found for together in (*sets, *apart))

    def blocks(self) -> list[tuple[int, Block, list[int]]]:
        """Blocks that are drawn, with the members that are.

        The mean of effects that meet nothing else that is drawn is zero, so an outcome without
        a link does not need those that are its own.
        """
        out: list[tuple[int, Block, list[int]]] = []
        for b, block in enumerate(self.layout.blocks):
            mine = [k for k, m in enumerate(block.members) if m.response in self.drawn]
            whose = {block.members[k].response for k in mine}
            if whose and (whose != {self.to} or self.layout.equation(self.to).link != "identity"):
                out.append((b, block, mine))
        return out

    @cached_property
    def means(self) -> Mapping[tuple[str, str], LatentMean]:
        """Latent unit means, by variable and unit."""
        return {(m.variable, m.unit): m for m in latent_means(self.layout)}

    def moving(self, column: Column) -> bool:
        """Return whether a column rests on something drawn."""
        return any(
            s != self.move.source
            and self.variable(s) in self.drawn
            and self.variable(s) not in self.held
            for s in column.sources
        )


def _check(estimand: Estimand, plan: _Plan) -> None:
    """Refuse what cannot be computed.

    Raises:
        EstimandError: what `at` holds has no bearing; values that a transform cannot take;
            unit means that would have to be moved with their variable.
    """
    where = estimand.where
    read = {s for r in plan.drawn for s in plan.sources(r)}
    for name in plan.held:
        if name not in {plan.variable(s) for s in read}:
            raise EstimandError(
                f"{where}.at: '{name}' has no bearing on this effect; no equation that it runs "
                "through holds it"
            )
    for s in sorted(read & set(plan.layout.derived)):
        d = plan.layout.derived[s]
        if d.variable in plan.held:
            raise EstimandError(
                f"{where}.at: '{d.variable}' enters as {s}, and a value of it does not say its "
                "unit's mean; it cannot be held on the response scale"
            )
        if d.variable == plan.move.source:
            raise EstimandError(
                f"{where}.from: '{d.variable}' also enters as {s}, and a value of it does not say "
                f'its unit\'s mean; write from = "{s}"'
            )
    for r in sorted(plan.drawn):
        for column in plan.columns(r):
            _check_column(where, plan, plan.layout.equation(r), column)


def _check_column(where: str, plan: _Plan, e: EquationLayout, column: Column) -> None:
    for part in column.parts:
        o = part.operand
        v = plan.variable(o.source)
        fixed = plan.move.values if o.source == plan.move.source else ()
        fixed = (plan.held[v],) if v in plan.held else fixed
        functions = set(o.functions)
        if fixed and part.level is None and functions and o.source not in plan.layout.derived:
            with np.errstate(all="ignore"):
                given = apply(o, np.array(fixed), _reference(plan, e, o.source))
            if not np.isfinite(given).all():
                shown = ", ".join(f"{x:g}" for x in fixed)
                raise EstimandError(
                    f"{where}: {o.text} in equations.{e.response} cannot take '{v}' = {shown}"
                )
        if fixed or v not in plan.drawn:
            continue
        m = plan.layout.equation(v)
        positive = {"log", "sqrt"} if m.distribution.positive else {"sqrt"}
        allowed = set[str]() if m.distribution.unbounded else positive
        if ({"log", "sqrt"} - allowed) & functions:
            raise EstimandError(
                f"{where}: {o.text} in equations.{e.response} takes a logarithm or root of "
                f"'{v}', which is drawn from the family {m.family} and may be 0 or less; on the "
                "response scale that has no expectation"
            )
        if o.source in plan.layout.derived and not is_latent(plan.layout, e, o.source):
            raise EstimandError(
                f"{where}: {o.source} in equations.{e.response} is an observed mean of '{v}', "
                "which is drawn; on the response scale only latent means can be, so leave "
                'centering = "observed" out'
            )


def _reference(plan: _Plan, e: EquationLayout, source: str) -> Array:
    """Return what `center` and `standardize` refer to: values as observed."""
    return variable_values(plan.layout, source, plan.context.responses)[e.rows]


# --- simulation ------------------------------------------------------------------


def _replicates(draws: int, rows: int) -> tuple[int, int]:
    """Pairs in a stratified set, and such sets, for each draw."""
    wanted = max(ROWS / rows, REPLICATES / draws, POINTS / (draws * rows))
    least = 200 / draws if draws < 200 else 2
    most = max(MOST / (draws * rows), least, 2)
    pairs = int(np.ceil(min(wanted, most) / 2))
    strata = max(1, min(pairs, STRATA))
    return strata, int(np.ceil(pairs / strata))


def _simulate(plan: _Plan) -> Worlds:
    S, n = int(np.prod(plan.shape)), len(plan.rows)
    strata, sets = _replicates(S, n)
    noise = _Noise(plan)
    size = max(1, CHUNK // (strata * n))
    totals = {w: np.zeros(S) for w in WORLDS}
    for start in range(0, S * sets, size):
        which = np.arange(start, min(start + size, S * sets)) // sets
        u = noise.uniforms(len(which), strata)
        for mirrored in (False, True):
            points = _Points(plan, noise, which, u, (start, int(mirrored)))
            for w in WORLDS:
                np.add.at(totals[w], which, points.outcome(w))
    return {w: (y / (2 * sets)).reshape(plan.shape) for w, y in totals.items()}


type _Key = tuple[Literal["effect", "residual", "uniform"], str, int]


class _Noise:
    """Random numbers, each from its own fixed stream, and the roots of their correlations."""

    def __init__(self, plan: _Plan) -> None:
        self.plan = plan
        self.n = len(plan.rows)
        layout = plan.layout
        self.blocks = {b: (block, mine) for b, block, mine in plan.blocks()}
        self.roots: dict[int, Array] = {
            b: self._root(block.correlations(), mine) for b, (block, mine) in self.blocks.items()
        }
        keys: list[_Key] = [
            ("effect", block.key, k) for block, mine in self.blocks.values() for k in mine
        ]
        self.residual: dict[str, tuple[Array, list[str], int]] = {}
        for i in layout.order:
            e = layout.equations[i]
            if e.response not in plan.drawn - {plan.to}:
                continue
            keys.append(("residual" if e.distribution.normal else "uniform", e.response, 0))
        for r, members in enumerate(layout.residual):
            mine = [
                k
                for k, i in enumerate(members)
                if layout.equations[i].response in plan.drawn - {plan.to}
            ]
            names = [layout.equations[members[k]].response for k in mine]
            root = self._root(residual_pairs(layout, r), mine)
            self.residual |= {name: (root, names, k) for k, name in enumerate(names)}
        self.keys = keys
        self.streams = {key: stream(0, "response scale", *key) for key in keys}

    def _root(self, pairs: Sequence[tuple[int, int, str]], mine: Sequence[int]) -> Array:
        place = {k: i for i, k in enumerate(mine)}
        S = int(np.prod(self.plan.shape))
        R = np.tile(np.eye(len(mine)), (S, 1, 1))
        for i, j, name in pairs:
            if i in place and j in place:
                a, b = place[i], place[j]
                R[:, a, b] = R[:, b, a] = self.plan.draws[name]
        return _cholesky(R)

    def uniforms(self, draws: int, strata: int) -> dict[_Key, Array]:
        """Random numbers, (draws, strata, n): uniform ones and standard normal ones."""
        out: dict[_Key, Array] = {}
        for key in self.keys:
            g = self.streams[key]
            order = g.permuted(np.tile(np.arange(strata), (draws, 1)), axis=1)
            u = order[:, :, None] / strata + g.random((draws, 1, self.n))
            u = np.maximum(u - (u >= 1.0), 2.0**-54)
            if key[0] == "uniform":
                out[key] = u
            else:
                from scipy.special import ndtri

                out[key] = ndtri(u)
        return out


def _cholesky(R: Array) -> Array:
    """Lower roots of correlation matrices, (S, K, K); correlations of 1 are allowed."""
    L = np.zeros_like(R)
    for j in range(R.shape[1]):
        left = R[:, j, j] - np.sum(L[:, j, :j] ** 2, axis=1)
        L[:, j, j] = np.sqrt(np.maximum(left, 0.0))
        usable = L[:, j, j] > 1e-8
        for i in range(j + 1, R.shape[1]):
            gap = R[:, i, j] - np.sum(L[:, i, :j] * L[:, j, :j], axis=1)
            L[:, i, j] = np.where(usable, gap / np.where(usable, L[:, j, j], 1.0), 0.0)
    return L


class _Points:
    """Some draws with their random numbers; arrays are (draws, strata, n) or broadcast to it."""

    def __init__(
        self,
        plan: _Plan,
        noise: _Noise,
        which: np.ndarray,
        u: Mapping[_Key, Array],
        key: tuple[int, int],
    ) -> None:
        self.plan, self.noise, self.which, self.u, self.key = plan, noise, which, u, key
        self.sign = -1.0 if key[1] else 1.0
        self.memo: dict[Any, Array] = {}

    def kept(self, key: Any, make: Callable[[], Array]) -> Array:
        if key not in self.memo:
            self.memo[key] = make()
        return self.memo[key]

    def parameter(self, name: str) -> Array:
        return self.plan.draws[name][self.which][:, None, None]

    def outcome(self, world: World) -> Array:
        """Expected outcome of each draw, (draws,)."""
        reach = self.plan.reach[self.plan.to]
        seen = tuple(w if i in reach else None for i, w in enumerate(world))
        return self.kept(("outcome", *seen), lambda: self._outcome(world))

    def _outcome(self, world: World) -> Array:
        e = self.plan.layout.equation(self.plan.to)
        return self.conditional(e).mean(self.predictor(e, world)).mean(axis=(1, 2))

    def value(self, response: str, world: World) -> Array:
        """A response that is drawn."""
        reach = self.plan.reach[response]
        seen = tuple(w if i in reach else None for i, w in enumerate(world))
        e = self.plan.layout.equation(response)

        def make() -> Array:
            eta = self.predictor(e, world)
            base = set(seen) <= {0, None}
            first = eta if base else self.predictor(e, (0, 0))
            return self.conditional(e).draw_alike(_Shared(self, e), eta, first)

        return self.kept(("value", response, *seen), make)

    def predictor(self, e: EquationLayout, world: World, mean: LatentMean | None = None) -> Array:
        """Linear predictor, or what of it makes a latent mean."""
        plan = self.plan
        seen = world[0] if e.response in plan.active else world[1]
        columns = range(len(e.columns)) if mean is None else mean.columns
        if mean is None:
            constant = e.offset[e.carry[plan.rows]]
        else:
            constant = mean.offset[mean.code[plan.rows]]
        fixed = [k for k in columns if not plan.moving(e.columns[k])]
        total = np.broadcast_to(constant, (len(self.which), len(plan.rows)))
        if fixed:
            X = self.kept(
                ("X", e.response, seen, tuple(fixed)),
                lambda: np.stack([self.column(e, e.columns[k], world) for k in fixed]),
            )
            names = [e.coefficient(e.columns[k]) for k in fixed]
            total = total + np.stack([plan.draws[m][self.which] for m in names], axis=1) @ X
        eta = total[:, None, :]
        for k in columns:
            if k not in fixed:
                c = e.columns[k]
                eta = eta + self.parameter(e.coefficient(c)) * self.column(e, c, world)
        for b, (block, mine) in self.noise.blocks.items():
            for k in mine:
                m = block.members[k]
                if m.response == e.response and (mean is None or (b, k) in mean.effects):
                    u = self.effect(b, k)
                    eta = eta + (u * self.column(e, m.column, world) if m.column.parts else u)
        return eta

    def column(self, e: EquationLayout, column: Column, world: World) -> Array:
        """A column of a design, (n,), or of one that rests on what is drawn."""
        out = np.ones(len(self.plan.rows))
        for part in column.parts:
            source = part.operand.source
            here = self.look(e, source, world)
            needed = part.level is None and bool(part.operand.functions)
            reference = _reference(self.plan, e, source) if needed else None
            out = out * part_values(part, here, reference)
        return out

    def look(self, e: EquationLayout, source: str, world: World) -> Array:
        """Values of a source as an equation sees it."""
        plan = self.plan
        if source == plan.move.source:
            seen = world[0] if e.response in plan.active else world[1]
            return np.full(len(plan.rows), plan.move.values[seen])
        v = plan.variable(source)
        if v in plan.held:
            return np.full(len(plan.rows), plan.held[v])
        if v not in plan.drawn:
            return variable_values(plan.layout, source, plan.context.responses)[plan.rows]
        if source not in plan.layout.derived:
            return self.value(v, world)
        d = plan.layout.derived[source]
        own = plan.layout.equation(v)
        mean = self.predictor(own, world, plan.means[v, d.unit])
        return mean if d.constant else self.value(v, world) - mean

    def effect(self, b: int, k: int) -> Array:
        """A group effect, drawn anew."""
        block, mine = self.noise.blocks[b]
        sd = self.parameter(block.sd(block.members[k]))
        keys: list[_Key] = [("effect", block.key, j) for j in mine]
        return self.kept(
            ("effect", b, k),
            lambda: self.sign * sd * self.mixed(self.noise.roots[b], keys, mine.index(k)),
        )

    def mixed(self, root: Array, keys: Sequence[_Key], place: int) -> Array:
        """One of several correlated standard normals."""
        L = root[self.which]
        total = L[:, place, 0][:, None, None] * self.u[keys[0]]
        for j in range(1, place + 1):
            total = total + L[:, place, j][:, None, None] * self.u[keys[j]]
        return total

    def residual(self, response: str) -> Array:
        """A standard normal residual, with its correlations to others."""
        if response not in self.noise.residual:
            return self.sign * self.u["residual", response, 0]
        root, names, place = self.noise.residual[response]
        keys: list[_Key] = [("residual", name, 0) for name in names]
        return self.sign * self.mixed(root, keys, place)

    def uniform(self, response: str) -> Array:
        u = self.u["uniform", response, 0]
        return 1.0 - u if self.sign < 0 else u

    def generator(self, e: EquationLayout, use: str) -> np.random.Generator:
        """A generator that starts alike in every world."""
        return stream(0, "response scale", use, e.response, *self.key)

    def conditional(self, e: EquationLayout) -> Family:
        """The distribution of a response given its predictor, at these draws."""
        rows = e.carry[self.plan.rows]
        return e.conditional(lambda name: self.plan.draws[name][self.which][:, None], rows)


@dataclass(frozen=True)
class _Shared:
    """The random numbers of one response, the same in every world; see `families.Noise`."""

    points: _Points
    e: EquationLayout

    @property
    def shape(self) -> tuple[int, ...]:
        return self.points.u["uniform", self.e.response, 0].shape

    def normal(self) -> Array:
        return self.points.residual(self.e.response)

    def uniform(self) -> Array:
        return self.points.uniform(self.e.response)

    def generator(self, use: str) -> np.random.Generator:
        return self.points.generator(self.e, use)

"""Effects on the outcome's own scale: what moves, in which worlds, and which equations run anew.

Y(x, M(x')) is the outcome with `from` at x and the mediators as they would be with `from` at x'
(VanderWeele, 2015). What `from` does not move is as observed, unless its residual, its group
effects or its latent unit mean belong with something that is drawn; then it is drawn too. `at`
sets a variable in every row, a mediator too, by which the direct effect becomes a controlled
direct effect. `_gformula` computes the expected outcomes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from acmodels.errors import EstimandError, listing
from acmodels.estimands import Array, Draws, Estimand, Scope
from acmodels.estimands._effects import sharing_warnings
from acmodels.estimands._gformula import Worlds, worlds
from acmodels.estimands._names import (
    At,
    Node,
    equation_name,
    held_at,
    node,
    node_variable,
    settings_rows,
)
from acmodels.estimands._paths import Steps, arrow, links, named_paths, paths, steps
from acmodels.estimands._scenario import Move, Scenario, World, scenario
from acmodels.numbers import number
from acmodels.spec.names import level_of, quoted
from acmodels.system import Layout
from acmodels.system.columns import variable_values

type Pairs = tuple[tuple[World, World], ...]
"""Worlds whose expected outcomes are compared, the first less the second; averaged over pairs."""


@dataclass(frozen=True)
class Change:
    """The change of an expected outcome by that of a variable, row by row of `at`.

    Attributes:
        at: values at which variables are held.
        rows: what is run anew, and which worlds are compared.
        move: the variable.
        to: the outcome.
        paths: from one to the other through mediators, for warnings; none for a direct effect.
        named: those of them that `via` names.
    """

    at: tuple[str, ...]
    rows: tuple[tuple[Scenario, Pairs], ...]
    move: Move
    to: str
    paths: tuple[Steps, ...] = ()
    named: tuple[Steps, ...] = ()

    def evaluate(self, draws: Draws) -> list[Array]:
        """Compute it row by row, (chain, draw).

        Raises:
            EstimandError: an expected outcome is not finite.
        """
        return [_compare(worlds(s, draws), pairs) for s, pairs in self.rows]


def _compare(y: Worlds, pairs: Pairs) -> Array:
    found = [y[first] - y[second] for first, second in pairs]
    return found[0] if len(found) == 1 else (found[0] + found[1]) / 2


# --- the three kinds -----------------------------------------------------------


def total(estimand: Estimand, scope: Scope) -> Change:
    """Y(1, M(1)) - Y(0, M(0)).

    Raises:
        EstimandError: no path is open, or the estimand cannot be read; see `_ends`.
    """
    if estimand.settings.arm is not None:
        raise EstimandError(
            f"{estimand.where}.arm: a total effect moves both at once and has no arm; leave it out"
        )
    move, to = _ends(estimand, scope)
    layout = scope.layout

    def one(held: At) -> tuple[Scenario, Pairs]:
        if not arrow(layout, move.node, to) and not _open(layout, move, to, held):
            raise EstimandError(
                f"{estimand.where}: no path leads from '{move.node.text}' to '{to}'" + _but(held)
            )
        made = scenario(estimand.where, layout, move, to, held, frozenset([to]))
        return made, (((1, 1), (0, 0)),)

    return Change(*_rows(estimand, layout, move, to, one), move, to, _mediated(layout, move, to))


def direct(estimand: Estimand, scope: Scope) -> Change:
    """Y(1, M(a)) - Y(0, M(a)), averaged over a = 0 and 1 unless `arm` says which.

    Raises:
        EstimandError: there is no arrow, or the estimand cannot be read; see `_ends`.
    """
    move, to = _ends(estimand, scope, alone=True)
    layout = scope.layout
    if not arrow(layout, move.node, to):
        raise EstimandError(
            f"{estimand.where}: there is no arrow from '{move.node.text}' to '{to}'; the formula "
            f"of equations.{to} does not hold '{move.node.text}'"
        )

    def one(held: At) -> tuple[Scenario, Pairs]:
        made = scenario(estimand.where, layout, move, to, held, frozenset([to]))
        return made, _over_arms(estimand, lambda a: ((1, a), (0, a)))

    return Change(*_rows(estimand, layout, move, to, one), move, to)


def indirect(estimand: Estimand, scope: Scope) -> Change:
    """Y(a, M(1)) - Y(a, M(0)), averaged over a = 0 and 1 unless `arm` says which.

    With `via`, the mediators that `from` reaches first on the paths named move, and the others
    are as in arm a.

    Raises:
        EstimandError: the paths named are not told apart from others by where they start, or
            the estimand cannot be read; see `_ends`.
    """
    move, to = _ends(estimand, scope)
    layout = scope.layout

    def one(held: At) -> tuple[Scenario, Pairs]:
        first, joint = _first_mediators(estimand, layout, move, to, held)
        active = frozenset([to]) if joint else first
        made = scenario(estimand.where, layout, move, to, held, active)
        if joint:  # the same worlds as for the direct effect, with the roles exchanged
            return made, _over_arms(estimand, lambda a: ((a, 1), (a, 0)))
        return made, _over_arms(estimand, lambda a: ((1, a), (0, a)))

    rows = _rows(estimand, layout, move, to, one)
    via = estimand.settings.via
    named = () if via is None else named_paths(layout, move.node, to, via, estimand.where)
    return Change(*rows, move, to, _mediated(layout, move, to), tuple(named))


def _over_arms(estimand: Estimand, pair: Callable[[int], tuple[World, World]]) -> Pairs:
    arm = estimand.settings.arm
    return (pair(0), pair(1)) if arm is None else (pair(arm),)


def _mediated(layout: Layout, move: Move, to: str) -> tuple[Steps, ...]:
    return tuple(steps(move.node, p, to) for p in paths(layout, move.node, to))


def _rows(
    estimand: Estimand,
    layout: Layout,
    move: Move,
    to: str,
    one: Callable[[At], tuple[Scenario, Pairs]],
) -> tuple[tuple[str, ...], tuple[tuple[Scenario, Pairs], ...]]:
    rows = settings_rows(estimand.settings.at, layout, estimand.where)
    found: list[tuple[Scenario, Pairs]] = []
    for _, held in rows:
        for name in held:
            if name in (move.node.variable, to):
                raise EstimandError(
                    f"{estimand.where}.at: '{name}' is an end of the effect and cannot be held; "
                    "values says between which values 'from' moves"
                )
        found.append(one(held))
    return tuple(label for label, _ in rows), tuple(found)


# --- what is asked -------------------------------------------------------------


def _ends(estimand: Estimand, scope: Scope, *, alone: bool = False) -> tuple[Move, str]:
    """Return what moves, and what it is to move.

    Raises:
        EstimandError: a name is not in the model, `from` is a transform, or `values` is missing
            or impossible.
    """
    to = equation_name(estimand.settings.to, scope.layout, f"{estimand.where}.to")
    move = _move(estimand, scope, to if alone else None)
    if move.node.variable == to:
        raise EstimandError(f"{estimand.where}: 'from' and 'to' are the same variable")
    return move, to


def _move(estimand: Estimand, scope: Scope, to: str | None) -> Move:
    s = estimand.settings
    where = f"{estimand.where}.from"
    text, level = level_of(s.from_)
    name = node_variable(text)
    known = scope.layout.variables.get(name)
    levels = known.levels if known is not None else ()
    if levels and s.values is not None:
        if level is not None:
            raise EstimandError(
                f"{where}: '{s.from_}' already means the change from the reference to that "
                "level; to give values, write "
                f'from = "{quoted(name)}"'
            )
        return Move(name, _between(estimand, scope, name), Node(s.from_, name))
    if len(levels) > 2 and level is None:
        raise EstimandError(
            f"{where}: '{s.from_}' has {len(levels)} levels; say between which two it moves, as "
            f'values = ["{levels[0]}", "{levels[-1]}"] (levels: {listing(levels, 12)})'
        )
    n = node(s.from_, scope.layout, where, to)
    if n.level is not None:
        plain = Node(s.from_, name)
        return Move(name, (float(n.reference or 0), float(n.level)), plain)
    if n.operand is not None and n.operand not in scope.layout.derived:
        raise EstimandError(
            f"{where}: on the response scale a variable moves with all that is made of it; write "
            f'from = "{name}" and give values of it, not of {s.from_}'
        )
    source = n.operand or name
    return Move(source, _between(estimand, scope, source), n)


def _between(estimand: Estimand, scope: Scope, source: str) -> tuple[float, float]:
    """The two values between which `from` moves."""
    layout = scope.layout
    given = estimand.settings.values
    binary = source in layout.responses and layout.equation(source).distribution.binary()
    if given is None:
        if not binary and source in layout.variables:
            binary = set(np.unique(layout.variables[source].values)) == {0.0, 1.0}
        if binary:
            return 0.0, 1.0
        seen = variable_values(layout, source, scope.responses)
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
        x0, x1 = (held_at(quoted(source), v, layout, where)[2] for v in given)
    if x0 == x1:
        raise EstimandError(f"{where}: the two values are the same, so that nothing moves")
    if binary and {x0, x1} != {0.0, 1.0}:
        raise EstimandError(f"{where}: '{source}' is 0 or 1, so values is [0, 1] or [1, 0]")
    return x0, x1


def _open(layout: Layout, move: Move, to: str, held: At) -> list[tuple[Node, ...]]:
    """Indirect paths that pass through nothing that `at` holds."""
    found = paths(layout, move.node, to)
    return [p for p in found if not {n.variable for n in p} & set(held)]


def _but(held: At) -> str:
    return f" with {listing(list(held))} held by at" if held else " in this model"


def _first_mediators(
    estimand: Estimand, layout: Layout, move: Move, to: str, held: At
) -> tuple[frozenset[str], bool]:
    """The mediators that `from` reaches first on the paths asked for, and whether that is all.

    Effects by some paths are identified where those share no first arrow with the others (Avin,
    Shpitser & Pearl, 2005).
    """
    available = _open(layout, move, to, held)
    if not available:
        raise EstimandError(
            f"{estimand.where}: no path leads from '{move.node.text}' to '{to}' through a mediator"
            + _but(held)
        )
    every = frozenset(p[0].variable for p in available)
    via = estimand.settings.via
    if via is None:
        return every, True
    found = named_paths(layout, move.node, to, via, estimand.where)
    named = {tuple(n for n, _ in s[1:]) for s in found}
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


def _toml(chains: Sequence[Sequence[str]]) -> str:
    inner = ", ".join("[" + ", ".join(f'"{m}"' for m in p) + "]" for p in sorted(map(list, chains)))
    return f"[{inner}]"


# --- what a reader must know ---------------------------------------------------


def response_warnings(asked: Change, layout: Layout) -> list[str]:
    """Return what a reader of an effect on the outcome's scale must know."""
    out = sharing_warnings(layout, asked.paths) + said_beyond(asked.move, layout)
    return out + (_confounders(layout, asked) if asked.named else [])


def said_beyond(move: Move, layout: Layout) -> list[str]:
    """Say where a variable is set to values that lie beyond the data."""
    variable = layout.variables.get(move.source)
    if variable is None or variable.levels:
        return []
    low, high = float(np.min(variable.values)), float(np.max(variable.values))
    if min(move.values) >= low and max(move.values) <= high:
        return []
    said = (
        f"'{move.node.text}' moves between {move.values[0]:g} and {move.values[1]:g}, but "
        f"in the data it lies between {low:g} and {high:g}; beyond them the effect rests "
        "on the formula alone"
    )
    return [said]


def _confounders(layout: Layout, asked: Change) -> list[str]:
    """Say which variables that `from` moves bear on both a mediator named and the outcome."""
    via = {r for path in asked.named for _, r in path[:-1]}
    start, to = asked.move.node, asked.to
    out: list[str] = []
    for c in layout.responses:
        if c in via or c == to or not _leads(layout, start, c, set()):
            continue
        n = Node(c, c)
        on = [m for m in layout.responses if m in via and _leads(layout, n, m, {to})]
        if on and _leads(layout, n, to, via):
            out.append(
                f"'{c}' is moved by '{start.text}' and bears on both '{on[0]}' and '{to}', so "
                f"it confounds them; the effect through {listing([repr(m) for m in on])} alone is "
                f"taken for what does not pass through '{c}', with '{c}' as in its own arm, and "
                "without the model's equations no data could identify it"
            )
    return out


def _leads(layout: Layout, start: Node, to: str, avoid: set[str]) -> bool:
    """Return whether an arrow or a path that avoids some responses leads to a response."""
    spellings = [start]
    if start.variable in layout.responses and start.operand is None:
        spellings = links(layout, start.variable, to)
    if any(arrow(layout, n, to) for n in spellings):
        return True
    return any(not avoid & {n.variable for n in p} for p in paths(layout, start, to))

"""The arrows of a model: which a node has, and the paths that they make."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from acmodels.errors import EstimandError, did_you_mean, listing
from acmodels.estimands._names import Node, equation_name, spelled
from acmodels.numbers import joined
from acmodels.spec.names import quoted
from acmodels.system import Layout
from acmodels.system.equation import Part
from acmodels.system.terms import Term, constant_within, terms

type Steps = tuple[tuple[Node, str], ...]
"""The arrows of a path: from a node into a response."""

_BENT = {"square", "log", "sqrt", "spline", "min", "max"}


def is_node(part: Part, n: Node) -> bool:
    """Return whether a part of a column is a node.

    A bare variable is not what `within` and `between` take of it; those are nodes of their own.
    """
    o = part.operand
    if n.operand is None:
        return n.variable in o.sources
    return o.variable == n.variable and o.text == n.operand


def touches(term: Term, n: Node) -> bool:
    """Return whether a term changes with a node."""
    return any(is_node(p, n) for p in term.column.parts)


def arrow(layout: Layout, n: Node, response: str) -> bool:
    """Return whether a node has a direct arrow into a response's equation."""
    return any(touches(t, n) for t in terms(layout, response))


def links(layout: Layout, variable: str, response: str) -> list[Node]:
    """The nodes by which a response enters another's equation: itself, or what is taken of it."""
    out: dict[str, Node] = {}
    every = (s for t in terms(layout, response) for s in t.sources if not s.lag)
    for s in (s for s in every if s.variable == variable):
        text = s.key if s.derived is not None else quoted(variable)
        out[text] = Node(text, variable, None if s.derived is None else text)
    return list(out.values())


def paths(layout: Layout, start: Node, to: str) -> list[tuple[Node, ...]]:
    """Mediators of every path of two arrows or more from a node to a response."""
    found: list[tuple[Node, ...]] = []

    def walk(here: Node, response: str, via: tuple[Node, ...]) -> None:
        passed = {start.variable, response, *(v.variable for v in via)}
        for target in layout.responses:
            if target in passed:
                continue
            for step in links(layout, response, target):
                if not leg(layout, here, response, step):
                    continue
                if target == to:
                    found.append((*via, step))
                else:
                    walk(step, target, (*via, step))

    for r in layout.responses:
        if r not in (to, start.variable):
            walk(start, r, ())
    return found


def leg(layout: Layout, n: Node, response: str, onward: Node | None) -> bool:
    """Return whether a node has an arrow into that of a response which the next node takes on."""
    return any(touches(t, n) and carried(layout, t, onward) for t in terms(layout, response))


def carried(layout: Layout, term: Term, onward: Node | None) -> bool:
    """Return whether a term of a response's equation is part of what the next node takes of it.

    `between(m, g)` takes the columns and group effects that are constant within g, `within(m, g)`
    the others.

    Raises:
        EstimandError: the next node is taken of the response in a way that says nothing of this.
    """
    d = None if onward is None else layout.derived.get(onward.operand or "")
    if d is None:
        return True
    if d.mean is None:
        raise EstimandError(
            f"no effect can be followed through '{quoted(d.variable)}' into {d.function}(), which "
            "is not taken from a unit's mean; ask for the coefficient instead"
        )
    fixed = constant_within(layout, term.column, d.code)
    if term.effect is not None:
        block = layout.blocks[term.effect[0]]
        pairs = len(np.unique(d.code * len(block.levels) + block.code))
        fixed = fixed and pairs == len(d.levels)
    return fixed == d.constant


def steps(start: Node, via: Sequence[Node], to: str) -> Steps:
    """Arrows of the path from a node through mediators to a response."""
    targets = [*(n.variable for n in via), to]
    return tuple(zip([start, *via], targets, strict=True))


def moderates(layout: Layout, variable: str, path: Steps) -> list[int]:
    """Positions of the steps of a path whose slope depends on a variable."""
    out: list[int] = []
    for i, (n, response) in enumerate(path):
        for t in terms(layout, response):
            if not touches(t, n):
                continue
            others = [p for p in t.column.parts if variable in p.operand.variables]
            own = variable == n.variable
            bends = any(_BENT & set(p.operand.functions) for p in others)
            if others and (not own or bends or len(others) > 1):
                out.append(i)
                break
    return out


def curved(layout: Layout, variable: str, all_paths: Sequence[Steps]) -> bool:
    """Return whether a variable enters a step of some path through anything but a straight line."""
    return any(
        variable in p.operand.variables and bool(_BENT & set(p.operand.functions))
        for path in all_paths
        for n, response in path
        for t in terms(layout, response)
        if touches(t, n)
        for p in t.column.parts
    )


# --- paths that a file names ------------------------------------------------------


def named_paths(
    layout: Layout, start: Node, to: str, via: list[str] | list[list[str]] | None, where: str
) -> list[Steps]:
    """The paths that `via` names, or all of them.

    Raises:
        EstimandError: a step has no arrow, or there is no path at all.
    """
    if via is None:
        found = paths(layout, start, to)
        if not found:
            raise EstimandError(
                f"{where}: no path leads from '{start.text}' to '{to}' through a "
                "mediator in this model"
            )
        return [steps(start, p, to) for p in found]
    chains: list[list[str]] = [[v] if isinstance(v, str) else v for v in via]
    if all(isinstance(v, str) for v in via):
        chains = [[str(v) for v in via]]
    if not chains or not all(chains):
        raise EstimandError(f"{where}.via: name at least one mediator, or leave it out")
    out: list[Steps] = []
    for chain in chains:
        possible = [steps(start, nodes, to) for nodes in _chains(layout, chain, to, where)]
        broken = [_missing_arrow(layout, path) for path in possible]
        if all(broken):
            raise EstimandError(f"{where}: {broken[0]}")
        for path in (p for p, said in zip(possible, broken, strict=True) if not said):
            if path in out:
                raise EstimandError(
                    f"{where}.via: the path by {listing([n.text for n, _ in path[1:]])} "
                    "is named twice"
                )
            out.append(path)
    return out


def _missing_arrow(layout: Layout, path: Steps) -> str:
    """Say which arrow of a path is not there, or nothing."""
    for k, (n, response) in enumerate(path):
        onward = path[k + 1][0] if k + 1 < len(path) else None
        if not leg(layout, n, response, onward):
            part = onward.text if onward is not None and onward.operand is not None else ""
            return (
                f"there is no arrow from '{n.text}' to '{part or response}'; the formula of "
                f"equations.{response} does not hold '{n.text}'"
                + (f" in what {part} takes of it" if part else "")
            )
    return ""


def _chains(layout: Layout, chain: Sequence[str], to: str, where: str) -> list[tuple[Node, ...]]:
    """The nodes of a path by named mediators; a bare name stands for all that is taken of it."""
    names = [equation_name(m, layout, f"{where}.via") for m in chain]
    choices: list[list[Node]] = []
    for text, name, target in zip(chain, names, [*names[1:], to], strict=True):
        there = links(layout, name, target)
        said = [n for n in there if n.text == spelled(text)]
        if not there:
            said = [Node(quoted(name), name)]
        elif spelled(text) == quoted(name):
            said = there
        if not said:
            raise EstimandError(
                f"{where}.via: equations.{target} does not hold '{text}'"
                f"{did_you_mean(text, [n.text for n in there])} (it holds "
                f"{listing([n.text for n in there])})"
            )
        choices.append(said)
    return list(product(*choices))


def through(via: list[str] | list[list[str]] | None) -> str:
    """Say in words which mediators `via` names."""
    if not via:
        return " through all mediators"
    chains = [p if isinstance(p, list) else [p] for p in via]
    if not isinstance(via[0], list):
        chains = [[str(m) for m in via]]
    return " through " + joined([" and then ".join(p) for p in chains])

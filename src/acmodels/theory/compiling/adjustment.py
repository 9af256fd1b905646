"""Adjustment sets from the theory's graph: what must be held fixed to read an effect off.

The graph is unrolled over two waves. Every construct depends on its own past, and causes that
constructs share are nodes that nobody measures. Whether a set is valid is asked of networkx
(d-separation; Pearl, 2009, *Causality*; for sets of causes Perković et al., 2018, *JMLR* 18, 1-62).
A valid set is pruned to the causes of what carries the effect (Henckel, Perković & Maathuis, 2022,
*JRSS B* 84, 579-599), which holds only where nothing hidden
is needed. Where no set of measured constructs is valid, the nearest measured causes
of cause or outcome are taken (VanderWeele, 2019, *European Journal of Epidemiology* 34, 211-219),
and what the theory has and the data lack is named.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import networkx as nx

from acmodels.framework.graph import Framework

type Node = tuple[str, int]
"""A construct and a wave: 1 is now, 0 the wave before; shared causes have wave -1."""

NOW, BEFORE, HIDDEN = 1, 0, -1


@dataclass(frozen=True)
class Adjustment:
    """Says what is held fixed for one step, and what cannot be.

    Attributes:
        covariates: constructs, in the order of the framework.
        needed: those of them that stand on a path from a cause's side; the others explain the
            outcome alone, and block what comes by its past.
        identified: whether they block every path that is no effect.
        lacking: constructs of the theory that confound the step and have no column.
        shared: groups of constructs whose unmeasured common causes confound it.
        past: whether earlier values of the constructs confound it.
        weight: by covariate, on how much of what carries the effect the theory has it act.
        partly: constructs that are held fixed by the mean of a unit's rows, with the reliability
            of that mean; the rest of what they confound is left.
        dropped: needed covariates for which the equation has no room, or which follow from others.
    """

    covariates: tuple[str, ...]
    needed: tuple[str, ...]
    identified: bool
    lacking: tuple[str, ...] = ()
    shared: tuple[tuple[str, ...], ...] = ()
    past: bool = False
    weight: Mapping[str, int] = field(default_factory=dict[str, int])
    partly: tuple[tuple[str, float], ...] = ()
    dropped: tuple[str, ...] = ()


@lru_cache(maxsize=32)
def unrolled(framework: Framework) -> Any:
    """Return the theory's graph over two waves.

    Composites are replaced by their parts, and the reverse of a construct by the construct itself.
    A facet stands for the construct that it is a side of.

    Returns:
        A `networkx.DiGraph` of `Node`s.
    """
    graph = nx.DiGraph()
    nodes = [n for n in framework.constructs if not framework.constructs[n].parts]
    nodes = list(dict.fromkeys(framework.node(n) for n in nodes))
    for n in nodes:
        graph.add_edge((n, BEFORE), (n, NOW))
    for a in framework.arrows:
        causes = [a.from_, *([a.by] if a.by is not None else [])]
        for cause, effect in _pairs(framework, causes, a.to):
            if a.lag:
                graph.add_edge((cause, BEFORE), (effect, NOW))
            else:
                graph.add_edge((cause, BEFORE), (effect, BEFORE))
                graph.add_edge((cause, NOW), (effect, NOW))
    for c in framework.constructs.values():
        if c.baseline_of is not None:
            for leaf in framework.leaves(c.baseline_of):
                graph.add_edge((framework.node(leaf), BEFORE), (framework.node(c.id), NOW))
    for number, shared in enumerate(framework.common_causes):
        hidden = (str(number), HIDDEN)
        for name in shared.of:
            for leaf in framework.leaves(name):
                graph.add_edge(hidden, (framework.node(leaf), BEFORE))
                graph.add_edge(hidden, (framework.node(leaf), NOW))
    return nx.freeze(graph)


def _pairs(framework: Framework, causes: Iterable[str], effect: str) -> Iterable[tuple[str, str]]:
    for cause in causes:
        for x in framework.leaves(cause):
            for y in framework.leaves(effect):
                if framework.node(x) != framework.node(y):
                    yield framework.node(x), framework.node(y)


def cycle(framework: Framework) -> list[str]:
    """Return constructs that cause each other within one wave, or nothing."""
    graph = nx.DiGraph()
    for a in framework.arrows:
        if not a.lag:
            causes = [a.from_, *([a.by] if a.by is not None else [])]
            graph.add_edges_from(_pairs(framework, causes, a.to))
    try:
        return [u for u, _ in nx.find_cycle(graph)]
    except nx.NetworkXNoCycle:
        return []


def leads(framework: Framework, cause: str, effect: str, *, lags: bool = False) -> bool:
    """Whether arrows lead from a cause to an effect, within a wave or over one."""
    graph = unrolled(framework)
    goal = {(framework.node(y), NOW) for y in framework.leaves(effect)}
    for x in framework.leaves(cause):
        for start in ((framework.node(x), NOW), *([(framework.node(x), BEFORE)] if lags else [])):
            if start in graph and goal & nx.descendants(graph, start):
                return True
    return False


def effects_of(framework: Framework, names: Iterable[str]) -> set[str]:
    """Return the constructs that some constructs move within a wave."""
    graph = unrolled(framework)
    out: set[str] = set()
    for n in names:
        start = (framework.node(n), NOW)
        if start in graph:
            out |= {c for c, wave in nx.descendants(graph, start) if wave == NOW}
    return out


def confounders_moved(
    framework: Framework,
    causes: Collection[str],
    mediators: Collection[str],
    outcome: Collection[str],
    measured: Collection[str],
) -> tuple[str, ...]:
    """Return measured causes of mediators and outcome that the cause itself moves."""
    graph = unrolled(framework)
    among = _nodes(framework, mediators)
    ends = _nodes(framework, outcome)
    moved = effects_of(framework, causes) - effects_of(framework, mediators)
    out: list[str] = []
    for c in dict.fromkeys(framework.node(m) for m in _one_each(framework, measured)):
        node = (c, NOW)
        if c not in moved or node in among | ends or node in _nodes(framework, causes):
            continue
        alone = graph.subgraph(set(graph) - among)
        hits = any(
            m in graph.successors(node) or _reaches(graph, node, m, among - {m}) for m in among
        )
        if hits and any(_reaches(alone, node, y, set()) for y in ends):
            out.append(c)
    return tuple(out)


def _all(of: Callable[[Any, Node], set[Node]], graph: Any, nodes: Collection[Node]) -> set[Node]:
    """Bring together the ancestors, or the descendants, of several nodes."""
    return {found for v in nodes if v in graph for found in of(graph, v)}


def adjustment(
    framework: Framework,
    causes: Collection[str],
    outcome: Collection[str],
    measured: Collection[str],
    *,
    given: Collection[str] = (),
    randomized: Collection[str] = (),
) -> Adjustment:
    """Choose what is held fixed for the joint effect of some causes on an outcome.

    Args:
        framework: the theory.
        causes: whose effect is asked for; composites stand for their parts.
        outcome: likewise.
        measured: constructs that have a column.
        given: constructs that stand in the equation whatever is chosen, moved by a cause or not.
        randomized: causes that were assigned at random, and so have no causes of their own.

    Returns:
        The adjustment; of several outcomes, what any of them needs.
    """
    graph = unrolled(framework)
    treated = _nodes(framework, causes)
    ends = _nodes(framework, outcome)
    held = _nodes(framework, given)
    if randomized:
        chance = _nodes(framework, randomized)
        graph = graph.copy()
        graph.remove_edges_from([e for x in chance for e in list(graph.in_edges(x))])
    moved = _all(nx.descendants, graph, treated | ends)
    barred = moved | treated | ends
    ancestors = _all(nx.ancestors, graph, treated | ends)
    columns = {(c, NOW) for c in _measured_nodes(framework, measured)}
    candidates = ((columns & ancestors) - barred) | held
    backdoor = graph.copy()
    backdoor.remove_edges_from([e for x in treated for e in list(graph.out_edges(x))])
    valid = _blocks(backdoor, treated, ends, candidates)
    carried = (moved & ancestors) | ends | treated
    nearest = _nearest(graph, carried, barred, columns)
    if valid:
        best = {p for v in carried - treated for p in graph.predecessors(v)} - carried
        sets = [best, nearest] if best <= candidates else [nearest]
        enough = (s for s in sets if _blocks(backdoor, treated, ends, s | held))
        chosen = next(enough, candidates) | held
    else:
        chosen = (nearest | held) & candidates
    open_ = _open(graph, treated, ends, chosen, barred)
    order = list(framework.constructs)
    names = tuple(c for c in _one_each(framework, measured) if (framework.node(c), NOW) in chosen)
    both = _both_sides(graph, treated, ends) | held
    needed = tuple(c for c in names if (framework.node(c), NOW) in both)
    common = enumerate(framework.common_causes)
    return Adjustment(
        names,
        needed,
        valid,
        tuple(c for c in order if (c, NOW) in open_),
        tuple(shared.of for k, shared in common if (str(k), HIDDEN) in open_),
        any(wave == BEFORE for _, wave in open_),
        {c: len(set(graph.successors((framework.node(c), NOW))) & carried) for c in names},
    )


def _both_sides(graph: Any, treated: set[Node], ends: set[Node]) -> set[Node]:
    """What lies behind the causes, or shares a hidden cause with that, and leads to the outcome."""
    present = graph.subgraph([v for v in graph if v[1] != BEFORE])
    before = _all(nx.ancestors, present, treated)
    sharing = {w for u in before if u[1] == HIDDEN for w in graph.successors(u)}
    apart = present.subgraph(set(present) - treated)
    return (before | sharing) & _all(nx.ancestors, apart, ends)


def _nodes(framework: Framework, names: Collection[str]) -> set[Node]:
    return {(framework.node(leaf), NOW) for n in names for leaf in framework.leaves(n)}


def _one_each(framework: Framework, measured: Collection[str]) -> list[str]:
    """Measured constructs that can stand for their node: the construct itself, or its reverse."""
    out: dict[str, str] = {}
    for c in framework.constructs.values():
        if c.id in measured and not c.parts and c.facet_of is None:
            node = framework.node(c.id)
            if node not in out or c.id == node:
                out[node] = c.id
    order = list(framework.constructs)
    return sorted(out.values(), key=order.index)


def _measured_nodes(framework: Framework, measured: Collection[str]) -> set[str]:
    return {framework.node(c) for c in _one_each(framework, measured)}


def _blocks(graph: Any, causes: set[Node], ends: set[Node], held: set[Node]) -> bool:
    x = {v for v in causes if v in graph}
    y = {v for v in ends if v in graph} - x
    if not x or not y:
        return True
    return bool(nx.is_d_separator(graph, x, y, {v for v in held if v in graph} - x - y))


def _nearest(graph: Any, carried: set[Node], barred: set[Node], columns: set[Node]) -> set[Node]:
    """The causes of what carries an effect; of those without a column, the causes in turn."""
    out: set[Node] = set()
    seen: set[Node] = set()
    left = [p for v in carried if v in graph for p in graph.predecessors(v)]
    while left:
        node = left.pop()
        if node in seen or node in barred:
            continue
        seen.add(node)
        if node in columns:
            out.add(node)
        else:
            left += list(graph.predecessors(node))
    return out


def _open(
    graph: Any, treated: set[Node], ends: set[Node], held: set[Node], barred: set[Node]
) -> set[Node]:
    """Causes of both cause and outcome that nothing held fixed stands before."""
    free = graph.subgraph(set(graph) - held)
    above: set[Node] = set()
    for x in treated:
        above |= nx.ancestors(free, x) if x in free else set()
    apart = graph.subgraph(set(graph) - held - treated)
    beside: set[Node] = set()
    for y in ends:
        beside |= nx.ancestors(apart, y) if y in apart else set()
    return (above & beside) - barred


def _reaches(graph: Any, start: Node, end: Node, avoiding: set[Node]) -> bool:
    if start not in graph or end not in graph:
        return False
    inner = graph.subgraph(set(graph) - avoiding)
    return start in inner and end in inner and bool(nx.has_path(inner, start, end))

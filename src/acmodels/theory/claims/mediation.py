"""A construct works through others: every step of a path, and their product."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial as bound
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, pairwise, product
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from acmodels.framework.graph import Framework
from acmodels.theory.claims import Common, Compiled, Roles, Terms
from acmodels.theory.compiling import NotTestable, steps
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling.adjustment import confounders_moved
from acmodels.theory.compiling.equations import Response
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.compiling.steps import Step
from acmodels.theory.ruling import Answers, Array, Part, Ruling

type Path = tuple[str, ...]


class Keys(Common):
    """The keys of a mediation."""

    from_: Annotated[str, Field(alias="from")]
    via: list[str] | list[list[str]]
    to: str
    sign: Literal["+", "-"]


def stated(keys: Keys) -> list[Path]:
    """Return the paths as stated, each its mediators in order."""
    one = tuple(v for v in keys.via if isinstance(v, str))
    return [one] if one else [tuple(v) for v in keys.via]


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    paths = stated(keys)
    via = tuple(dict.fromkeys(m for p in paths for m in p))
    pairs = [pair for p in paths for pair in pairwise((keys.from_, *p, keys.to))]
    return Roles((keys.from_,), (keys.to,), via, steps=tuple(dict.fromkeys(pairs)))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    through = " or through ".join(" and then ".join(name(m) for m in p) for p in stated(keys))
    does = "raises" if keys.sign == "+" else "lowers"
    return f"{name(keys.from_)} {does} {name(keys.to)} through {through}"


@dataclass(frozen=True)
class Chain:
    """One path, with the estimands of the indirect effect of each part of its cause.

    Attributes:
        nodes: cause, mediators and outcome.
        parts: by part of the cause, the estimand of its effect along the path.
        weights: of the parts in a joint step of one sd of the cause.
        signs: the direction of each step, as the theory states it, or None.
    """

    nodes: Path
    parts: tuple[tuple[str, str], ...]
    weights: tuple[float, ...]
    signs: tuple[str | None, ...]

    def whole(self, answers: Answers) -> Array:
        """Return draws of the effect along the path."""
        pairs = zip(self.parts, self.weights, strict=True)
        return np.sum([w * answers[e] for (_, e), w in pairs], axis=0)

    def step(self, answers: Answers, k: int) -> Array:
        """Return draws of step k, counted from 1; the first is that of all parts together."""
        if k > 1:
            return answers[f"{self.parts[0][1]}/{k}"]
        pairs = zip(self.parts, self.weights, strict=True)
        return np.sum([w * answers[f"{e}/1"] for (_, e), w in pairs], axis=0)


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: one model of all paths, with an equation for each mediator and one for the outcome.

    What departments have in common moves the mediators of several paths together. Their means in
    units are latent in one model, in which their intercepts and residuals correlate, or the mean of
    one, which errs, leaves to another what is its own.
    """
    f = s.framework
    y = steps.outcome(s, keys.to)
    steps.require(s, keys.from_, "cause")
    for m in roles(keys).via:
        steps.require(s, m, "mediator")
    found = [p for line in stated(keys) for p in product(*(eq.available(s, m) for m in line))]
    paths = list(dict.fromkeys(found))
    level = steps.level_of(s, [keys.from_], [*roles(keys).via, keys.to], keys.level)
    made = _equations(keys, s, paths, level, y)
    whole = tuple(x.drafted for x in made)
    drafted = steps.of_one_nest(whole, level)
    drafted, correlated = steps.together(drafted, abreast(paths))
    responses = {d.response.construct: d.response for d in drafted}
    top = {"residual_correlation": correlated} if correlated else {}
    why = "residual_correlation: what moves rows of both mediators is no effect of either"
    chains: list[Chain] = []
    estimands: dict[str, dict[str, object]] = {}
    for p in paths:
        more, chain = _through(keys, f, p, made[-1], responses, y)
        estimands |= more
        chains.append(chain)
    cause = made[-1].causes[keys.from_]
    estimands |= steps.effect_estimands("direct", cause, y.name, "direct")
    estimands |= steps.effect_estimands("total", cause, y.name)
    said = words(keys, lambda c: f.constructs[c].name)
    notes = [*level.notes, *steps.left_out(whole, drafted, level)]
    for c in (keys.from_, *roles(keys).via, keys.to):
        notes += steps.partial(s, c)
    return Compiled(
        (ModelFile(name, said, drafted, estimands, comments=(why,) * bool(top), top=top),),
        bound(rule, keys=keys, chains=tuple(chains)),
        said,
        level.name,
        tuple(dict.fromkeys(c for x in made for c in x.adjusted)),
        tuple(x.adjustment for x in made),
        tuple(dict.fromkeys(notes)),
        _rule_words(len(paths)),
    )


def _rule_words(paths: int) -> tuple[str, ...]:
    if paths == 1:
        return (
            "P(every step in its direction), and no step negligible",
            "the path is not reversed",
        )
    return (
        (
            "for at least one path, P(every step in its direction), the threshold divided "
            "among paths, and no step negligible"
        ),
        "no path is reversed, and the sum over paths is rather in the direction than against it",
    )


def sequence(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return the mediators of all paths, each after those that lead to it.

    Raises:
        NotTestable: two paths have mediators in opposite orders, which no one model can have.
    """
    graph: dict[str, set[str]] = {}
    for p in paths:
        for m in p:
            graph.setdefault(m, set())
        for before, after in pairwise(p):
            graph[after].add(before)
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        around = " > ".join(error.args[1])
        raise NotTestable(f"its paths have mediators in opposite orders ({around})") from None


def abreast(paths: Sequence[Path]) -> list[list[str]]:
    """Return sets of mediators, none of which stands before another of its set on a path."""
    apart = {frozenset(two) for p in paths for two in combinations(p, 2)}
    sets: list[list[str]] = []
    for m in sequence(paths):
        open_ = (x for x in sets if all(frozenset((m, o)) not in apart for o in x))
        found = next(open_, None)
        if found is None:
            sets.append(found := [])
        found.append(m)
    return sets


def _equations(
    keys: Keys, s: Setting, paths: Sequence[Path], level: steps.Level, y: Response
) -> list[Step]:
    """The equations: of confounders that the cause moves, mediators, outcome."""
    f = s.framework
    via = sequence(paths)
    measured = list(s.columns)
    moved = {p: confounders_moved(f, [keys.from_], p, [keys.to], measured) for p in paths}
    confounders = dict.fromkeys(c for some in moved.values() for c in some if c not in via)
    responses = {m: eq.response(s, m) for m in (*confounders, *via)}
    chained = bool(confounders) or any(len(p) > 1 for p in paths)
    out = [
        steps.step(s, [keys.from_], responses[c], level, barred=via, slope=False)
        for c in confounders
    ]
    for m in via:
        mine = [p for p in paths if m in p]
        ahead = {c for p in mine for c in (*moved[p], *p[: p.index(m)])}
        before = [r for c, r in responses.items() if c in ahead]
        out.append(
            steps.step(
                s, [keys.from_], responses[m], level, mediators=before, barred=[keys.from_],
                slope=False, chained=chained,
            )
        )  # fmt: skip
    out.append(
        steps.step(
            s, [keys.from_], y, level, mediators=list(responses.values()), barred=[keys.from_],
            slope=False, chained=chained,
        )
    )  # fmt: skip
    return out


def _through(
    keys: Keys, f: Framework, path: Path, last: Step, responses: Mapping[str, Response], y: Response
) -> tuple[dict[str, dict[str, object]], Chain]:
    """The effect along a path, of each part of the cause."""
    out: dict[str, dict[str, object]] = {}
    cause = last.causes[keys.from_]
    label = f"through_{'_'.join(path)}"
    parts: list[tuple[str, str]] = []
    via = [responses[m].name for m in path]
    for part, piece in zip(cause.parts, cause.pieces, strict=True):
        name = label if len(cause.parts) == 1 else f"{label}_of_{part}"
        name = name.replace(".", "_")
        out[name] = steps.standard("indirect", piece.claim, y.name, via=via)
        parts.append((part, name))
    nodes = (keys.from_, *path, keys.to)
    signs = tuple(sign_of(f, a, b) for a, b in pairwise(nodes))
    return out, Chain(nodes, tuple(parts), cause.weights, completed(signs, keys.sign))


def sign_of(f: Framework, cause: str, effect: str) -> str | None:
    """Return the direction that the theory gives an arrow, turned round for reversed constructs."""
    found: set[str] = set()
    for a in f.arrows:
        if a.sign is None or a.by is not None or a.lag:
            continue
        for x in f.leaves(a.from_):
            for y in f.leaves(a.to):
                if f.node(x) in {f.node(c) for c in f.leaves(cause)} and f.node(y) in {
                    f.node(c) for c in f.leaves(effect)
                }:
                    turned = (_turned(f, cause) != _turned(f, x)) != (
                        _turned(f, effect) != _turned(f, y)
                    )
                    found.add(a.sign if not turned else ("-" if a.sign == "+" else "+"))
    return found.pop() if len(found) == 1 else None


def _turned(f: Framework, c: str) -> bool:
    return f.constructs[c].opposite_of is not None


def completed(signs: Sequence[str | None], whole: str) -> tuple[str | None, ...]:
    """Fill in the one direction that is not stated, or all where none is negative."""
    known = [s for s in signs if s is not None]
    negative = sum(s == "-" for s in known)
    unknown = len(signs) - len(known)
    if unknown == 0:
        return tuple(signs)
    if unknown == 1:
        last = "+" if (negative % 2 == 0) == (whole == "+") else "-"
        return tuple(last if s is None else s for s in signs)
    if whole == "+" and negative == 0:
        return tuple("+" for _ in signs)
    return tuple(signs)


@dataclass(frozen=True)
class _Found:
    """What draws say of one path."""

    whole: Array
    holds: float
    against: float
    negligible: float
    rows: tuple[Part, ...]


def _found(c: Chain, answers: Answers, toward: float, terms: Terms, need: float) -> _Found:
    p, s = terms.probability, terms.smallest
    whole = c.whole(answers)
    held = toward * whole > 0
    small: list[float] = []
    rows: list[Part] = []
    for k, (sign, (a, b)) in enumerate(zip(c.signs, pairwise(c.nodes), strict=True), 1):
        x = c.step(answers, k)
        small.append(float(np.mean(np.abs(x) <= s)))
        if sign is not None:
            held &= x > 0 if sign == "+" else x < 0
        rows.append(Part(f"step {a} > {b}", a, b, x, sign or "", s, need))
    if len(c.parts) > 1:
        rows += [
            Part(f"step {part} > {c.nodes[1]}", part, c.nodes[1], answers[f"{e}/1"], "", s, p)
            for part, e in c.parts
        ]
    against = float(np.mean(toward * whole < 0))
    return _Found(whole, float(np.mean(held)), against, max(small), tuple(rows))


def rule(answers: Answers, terms: Terms, *, keys: Keys, chains: Sequence[Chain]) -> Ruling:
    """Rule on the paths: one holds step by step, and no other nor their sum is against it."""
    p = terms.probability
    need = 1 - (1 - p) / len(chains)
    toward = 1.0 if keys.sign == "+" else -1.0
    found = [_found(c, answers, toward, terms, need) for c in chains]
    ends = (keys.from_, keys.to)
    through = [
        Part(f"through {', '.join(c.nodes[1:-1])}", *ends, x.whole, keys.sign, 0.0, need)
        for c, x in zip(chains, found, strict=True)
    ]
    summed = np.sum([x.whole for x in found], axis=0)
    whole = [Part("sum over paths", *ends, summed, keys.sign, 0.0, p)] if len(chains) > 1 else []
    beside = [
        Part(f"{kind} effect", *ends, answers[kind], "", terms.smallest, p)
        for kind in ("direct", "total")
    ]
    rows = [*(r for x in found for r in x.rows), *through, *whole, *beside]
    contrary = [c for c, x in zip(chains, found, strict=True) if x.against >= need]
    barred = f"the path {' > '.join(contrary[0].nodes)} is reversed" if contrary else ""
    if not barred and float(np.mean(toward * summed > 0)) < 0.5:
        barred = "the sum over paths is rather against it"
    best = max(range(len(chains)), key=lambda k: (found[k].negligible + p < 1, found[k].holds))
    return Ruling(
        found[best].holds,
        min(x.against for x in found),  # the claim is contrary where every path is
        min(x.negligible for x in found),
        need,
        p,
        replace(through[best], name="indirect effect"),
        tuple({(x.name, x.from_, x.to): x for x in rows}.values()),
        barred,
    )

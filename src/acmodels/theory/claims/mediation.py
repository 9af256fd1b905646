"""A construct works through others: every step of a path, and their product."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial as bound
from itertools import pairwise, product
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from acmodels.framework.graph import Framework
from acmodels.theory.claims import Common, Compiled, Roles, Terms
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
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
    one = all(isinstance(v, str) for v in keys.via)
    return [tuple(keys.via)] if one else [tuple(v) for v in keys.via]  # pyright: ignore[reportArgumentType]


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
    """Compile: an equation for each mediator and one for the outcome, in one model."""
    f = s.framework
    y = steps.outcome(s, keys.to)
    steps.require(s, keys.from_, "cause")
    for m in roles(keys).via:
        steps.require(s, m, "mediator")
    paths = [p for line in stated(keys) for p in product(*(eq.available(s, m) for m in line))]
    paths = list(dict.fromkeys(paths))
    order = list(dict.fromkeys(m for p in paths for m in p))
    level = steps.level_of(s, [keys.from_], [*roles(keys).via, keys.to], keys.level)
    moved = confounders_moved(f, [keys.from_], order, [keys.to], list(s.columns))
    moved = tuple(c for c in moved if c not in order)
    responses = {m: eq.response(s, m) for m in (*moved, *order)}
    made: dict[str, Step] = {}
    for c in moved:
        made[c] = steps.step(s, [keys.from_], responses[c], level, barred=order, slope=False)
    for m in order:
        before = [*moved, *dict.fromkeys(a for p in paths if m in p for a in p[: p.index(m)])]
        made[m] = steps.step(
            s, [keys.from_], responses[m], level, mediators=[responses[b] for b in before],
            barred=[keys.from_], slope=False,
        )  # fmt: skip
    last = steps.step(
        s, [keys.from_], y, level, mediators=[responses[m] for m in (*moved, *order)],
        barred=[keys.from_], slope=False,
    )  # fmt: skip
    drafted = tuple(x.drafted for x in (*made.values(), last))
    estimands, chains = _estimands(keys, f, paths, last, responses, y)
    model = ModelFile(name, words(keys, lambda c: f.constructs[c].name), drafted, estimands)
    every = (*made.values(), last)
    notes = [*level.notes]
    for c in (keys.from_, *roles(keys).via, keys.to):
        notes += steps.partial(s, c)
    return Compiled(
        (model,),
        bound(rule, keys=keys, chains=chains),
        words(keys, lambda c: f.constructs[c].name),
        level.name,
        tuple(dict.fromkeys(c for x in every for c in x.adjusted)),
        tuple(x.adjustment for x in every),
        tuple(dict.fromkeys(notes)),
        (
            "for at least one path, P(every step in its direction), the threshold divided among "
            "paths, and no step negligible",
            "the sum over paths in the direction",
        ),
    )


def _estimands(
    keys: Keys,
    f: Framework,
    paths: Sequence[Path],
    last: Step,
    responses: dict[str, Response],
    y: Response,
) -> tuple[dict[str, dict[str, object]], tuple[Chain, ...]]:
    out: dict[str, dict[str, object]] = {}
    chains: list[Chain] = []
    cause = last.causes[keys.from_]
    for p in paths:
        label = f"through_{'_'.join(p)}"
        parts: list[tuple[str, str]] = []
        for part, piece in zip(cause.parts, cause.pieces, strict=True):
            name = label if len(cause.parts) == 1 else f"{label}_of_{part}"
            name = name.replace(".", "_")
            via = [responses[m].name for m in p]
            out[name] = steps.standard("indirect", piece.claim, y.name, via=via)
            parts.append((part, name))
        nodes = (keys.from_, *p, keys.to)
        signs = tuple(sign_of(f, a, b) for a, b in pairwise(nodes))
        chains.append(Chain(nodes, tuple(parts), cause.weights, completed(signs, keys.sign)))
    direct = steps.effect_estimands("direct", cause, y.name, "direct")
    return out | direct, tuple(chains)


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
    """Fill in the one direction that is not stated, or all of a path that is positive throughout."""
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


def rule(answers: Answers, terms: Terms, *, keys: Keys, chains: Sequence[Chain]) -> Ruling:
    """Rule on the paths: at least one of them holds step by step, and none is reversed."""
    p, s = terms.probability, terms.smallest
    need = 1 - (1 - p) / len(chains)
    toward = 1.0 if keys.sign == "+" else -1.0
    products = [toward * c.whole(answers) for c in chains]
    total: Array = np.sum(products, axis=0)
    holds: list[float] = []
    negligible: list[float] = []
    against: list[str] = []
    rows: list[Part] = []
    for c, whole in zip(chains, products, strict=True):
        held = (whole > 0) & (total > 0)
        small: list[float] = []
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
        holds.append(float(np.mean(held)))
        negligible.append(max(small))
        if float(np.mean(whole < 0)) >= need:
            against.append(" > ".join(c.nodes))
        through = f"through {', '.join(c.nodes[1:-1])}"
        rows.append(Part(through, keys.from_, keys.to, toward * whole, keys.sign, 0.0, need))
    open_ = [h for h, small in zip(holds, negligible, strict=True) if small + p < 1]
    indirect, direct = toward * total, answers["direct"]
    main = Part("indirect effect", keys.from_, keys.to, indirect, keys.sign, 0.0, p)
    rows.append(Part("direct effect", keys.from_, keys.to, direct, "", s, p))
    rows.append(Part("total effect", keys.from_, keys.to, direct + indirect, "", s, p))
    unique = {(x.name, x.from_, x.to): x for x in rows}
    return Ruling(
        max(open_, default=max(holds)),
        float(np.mean(total < 0)),
        min(negligible),
        need,
        p,
        main,
        tuple(unique.values()),
        f"the path {against[0]} is reversed" if against else "",
    )

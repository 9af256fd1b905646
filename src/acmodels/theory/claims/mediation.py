"""A construct works through others: every step of a path, and their product."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    """Compile: for each path a model, with an equation for each mediator and one for the outcome.

    The mediators of other paths stand in the outcome's equation with their observed means. Each
    path's own are latent, and all paths in one model would take minutes instead of seconds.
    """
    f = s.framework
    y = steps.outcome(s, keys.to)
    steps.require(s, keys.from_, "cause")
    for m in roles(keys).via:
        steps.require(s, m, "mediator")
    found = [p for line in stated(keys) for p in product(*(eq.available(s, m) for m in line))]
    paths = list(dict.fromkeys(found))
    level = steps.level_of(s, [keys.from_], [*roles(keys).via, keys.to], keys.level)
    models: list[ModelFile] = []
    chains: list[Chain] = []
    every: list[Step] = []
    notes = [*level.notes]
    for p in paths:
        label = name if len(paths) == 1 else f"{name}_through_{'_'.join(p).replace('.', '_')}"
        others = [m for q in paths if q != p for m in q if m not in p]
        made = _equations(keys, s, p, tuple(dict.fromkeys(others)), level, y)
        estimands, chain = _estimands(keys, f, p, made[-1], {m: eq.response(s, m) for m in p}, y)
        whole = tuple(x.drafted for x in made)
        drafted = steps.of_one_nest(whole, level)
        notes += steps.left_out(whole, drafted, level)
        models.append(ModelFile(label, _said(keys, p, f), drafted, estimands))
        chains.append(chain)
        every += made
    for c in (keys.from_, *roles(keys).via, keys.to):
        notes += steps.partial(s, c)
    return Compiled(
        tuple(models),
        bound(rule, keys=keys, chains=tuple(chains)),
        words(keys, lambda c: f.constructs[c].name),
        level.name,
        tuple(dict.fromkeys(c for x in every for c in x.adjusted)),
        tuple(x.adjustment for x in every),
        tuple(dict.fromkeys(notes)),
        (
            (
                "for at least one path, P(every step in its direction), the threshold divided "
                "among paths, and no step negligible"
            ),
            "no path is reversed",
        ),
    )


def _said(keys: Keys, path: Path, f: Framework) -> str:
    return words(keys.model_copy(update={"via": list(path)}), lambda c: f.constructs[c].name)


def _equations(
    keys: Keys, s: Setting, path: Path, others: Path, level: steps.Level, y: Response
) -> list[Step]:
    """The equations of one path: of confounders that the cause moves, mediators, outcome."""
    f = s.framework
    moved = confounders_moved(f, [keys.from_], path, [keys.to], list(s.columns))
    moved = tuple(c for c in moved if c not in (*path, *others))
    responses = {m: eq.response(s, m) for m in (*moved, *path)}
    beside = [eq.response(s, m) for m in others]
    chained = len(path) + len(moved) > 1
    out = [
        steps.step(s, [keys.from_], responses[c], level, barred=path, slope=False) for c in moved
    ]
    for k, m in enumerate(path):
        before = [responses[b] for b in (*moved, *path[:k])]
        out.append(
            steps.step(
                s, [keys.from_], responses[m], level, mediators=before, barred=[keys.from_],
                slope=False, chained=chained,
            )
        )  # fmt: skip
    out.append(
        steps.step(
            s, [keys.from_], y, level, mediators=list(responses.values()), beside=beside,
            barred=[keys.from_], slope=False, chained=chained,
        )
    )  # fmt: skip
    return out


def _estimands(
    keys: Keys, f: Framework, path: Path, last: Step, responses: dict[str, Response], y: Response
) -> tuple[dict[str, dict[str, object]], Chain]:
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
    chain = Chain(nodes, tuple(parts), cause.weights, completed(signs, keys.sign))
    return out | steps.effect_estimands("direct", cause, y.name, "direct"), chain


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


def rule(answers: Answers, terms: Terms, *, keys: Keys, chains: Sequence[Chain]) -> Ruling:
    """Rule on the paths: at least one of them holds step by step, and none is reversed.

    Each path has a model of its own, so that no sum is formed of them.
    """
    p, s = terms.probability, terms.smallest
    need = 1 - (1 - p) / len(chains)
    toward = 1.0 if keys.sign == "+" else -1.0
    holds: list[float] = []
    reverse: list[float] = []
    negligible: list[float] = []
    rows: list[Part] = []
    through: list[Part] = []
    for c in chains:
        whole = toward * c.whole(answers)
        held = whole > 0
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
        reverse.append(float(np.mean(whole < 0)))
        negligible.append(max(small))
        name = f"through {', '.join(c.nodes[1:-1])}"
        through.append(Part(name, keys.from_, keys.to, toward * whole, keys.sign, 0.0, need))
    best = max(range(len(chains)), key=lambda k: (negligible[k] + p < 1, holds[k]))
    direct = answers["direct"]
    main = replace(through[best], name="indirect effect")
    rows += [*through, Part("direct effect", keys.from_, keys.to, direct, "", s, p)]
    if len(chains) == 1:
        rows.append(Part("total effect", keys.from_, keys.to, direct + main.draws, "", s, p))
    against = [c for c, r in zip(chains, reverse, strict=True) if r >= need]
    unique = {(x.name, x.from_, x.to): x for x in rows}
    return Ruling(
        holds[best],
        # the claim is contrary where every path is
        min(reverse),
        min(negligible),
        need,
        p,
        main,
        tuple(unique.values()),
        f"the path {' > '.join(against[0].nodes)} is reversed" if against else "",
    )

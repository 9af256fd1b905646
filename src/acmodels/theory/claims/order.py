"""The effects of several causes differ: simultaneous intervals of all their differences."""

from collections.abc import Callable
from functools import partial as bound
from itertools import combinations
from typing import Annotated

import numpy as np
from pydantic import Field

from acmodels.numbers import decimal
from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, Terms
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.equations import Piece
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.ruling import Answers, Part, Ruling, simultaneously


class Keys(Common):
    """The keys of an order."""

    from_: Annotated[list[str], Field(alias="from", min_length=1)]
    to: str


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    return Roles(tuple(keys.from_), (keys.to,), steps=tuple((c, keys.to) for c in keys.from_))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    if len(keys.from_) == 1:
        return f"{name(keys.to)} differs by {name(keys.from_[0])}"
    return f"{', '.join(name(c) for c in keys.from_)} differ in their effects on {name(keys.to)}"


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: one equation with all causes, or with one factor."""
    r = steps.outcome(s, keys.to)
    alone = len(keys.from_) == 1
    causes = [c for line in keys.from_ for c in steps.require(s, line, "cause", labels=alone)]
    level = steps.level_of(s, [keys.from_[0]], [*keys.from_[1:], keys.to], keys.level)
    title = words(keys, lambda c: s.framework.constructs[c].name)
    if len(causes) == 1:
        return _factor(keys, s, name, causes[0])
    one = steps.step(s, causes, r, level, slope=False)
    estimands: dict[str, dict[str, object]] = {}
    labels: list[tuple[str, str]] = []
    for c in causes:
        label = f"effect_of_{c}".replace(".", "_")
        estimands |= steps.effect_estimands(label, one.causes[c], r.name, "direct")
        labels.append((c, label))
    return Compiled(
        (ModelFile(name, title, (one.drafted,), estimands),),
        bound(rule, keys=keys, labels=tuple(labels)),
        title, level.name, one.adjusted, (one.adjustment,), level.notes,
        ("at least one difference is beyond the smallest effect, all differences judged at once",),
    )  # fmt: skip


def _factor(keys: Keys, s: Setting, name: str, cause: str) -> Compiled:
    r = steps.outcome(s, keys.to)
    level = steps.level_of(s, [cause], [keys.to], keys.level)
    column = s.columns[cause]
    if eq.is_number(s, column):
        raise NotTestable(f"'{column}' is a number; an order of one cause needs its levels")
    text = f"factor({quoted(column)})"
    piece = Piece((text,), {text: 1.0}, {text: 1.0}, text,
                  f"the cause ({s.framework.constructs[cause].name})", (),
                  (s.values(column),))  # fmt: skip
    one = steps.step(s, [], r, level, also=[piece], sources=[cause])
    levels = s.levels(column)
    estimands: dict[str, dict[str, object]] = {}
    labels: list[tuple[str, str]] = [(levels[0], "")]
    for k, v in enumerate(levels[1:], 1):
        parameter = named.coefficient(quoted(r.name), f"{text}[{v}]")
        estimands[f"raw_{k}"] = {"kind": "coefficient", "parameter": parameter}
        estimands[f"level_{k}"] = {
            "kind": "combine", "of": [f"raw_{k}"], "weights": [eq.rounded(1 / r.sd)],
        }  # fmt: skip
        labels.append((v, f"level_{k}"))
    title = words(keys, lambda c: s.framework.constructs[c].name)
    return Compiled(
        (ModelFile(name, title, (one.drafted,), estimands),),
        bound(rule, keys=keys, labels=tuple(labels)),
        title, level.name, one.adjusted, (one.adjustment,), level.notes,
        ("at least one difference is beyond the smallest effect, all differences judged at once",),
    )  # fmt: skip


def rule(
    answers: Answers, terms: Terms, *, keys: Keys, labels: tuple[tuple[str, str], ...]
) -> Ruling:
    """Rule on all pairwise differences at once, as `simultaneously` does."""
    p, s = terms.probability, terms.smallest
    size = len(next(iter(answers.values())))
    effects = [answers[e] if e else np.zeros(size) for _, e in labels]
    pairs = list(combinations(range(len(effects)), 2))
    d = np.stack([effects[a] - effects[b] for a, b in pairs])
    found = simultaneously(d, s)
    a, b = pairs[found.largest]
    main = Part(
        "largest difference", f"{labels[a][0]} less {labels[b][0]}", keys.to, d[found.largest], "",
        s, p,
    )  # fmt: skip
    first = np.argmax(np.stack(effects), axis=0)
    rows = [main]
    for k, ((c, _), x) in enumerate(zip(labels, effects, strict=True)):
        rows.append(
            Part(
                f"effect; largest with probability {decimal(float(np.mean(first == k)), 2)}",
                c,
                keys.to,
                x,
                "",
                s,
                p,
            )
        )
    return Ruling(found.holds, 0.0, found.negligible, p, p, main, tuple(rows))

"""Units of a kind differ: their share of an outcome's variance, or their differences."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial as bound
from itertools import combinations
from typing import Annotated

import numpy as np
from pydantic import Field

from acmodels.numbers import number
from acmodels.numbers import share as share_of
from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, Terms
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.equations import Piece
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Kind, Setting
from acmodels.theory.ruling import Answers, Array, Part, Ruling

answers = True
averages = "its shares of variance are taken of the scores of single raters"
"""Rows are single answers where there are such: raters' noise is no difference of units."""

FEW_UNITS = 5
"""Units below which a variance is not estimated, and differences are looked at."""

EVIDENCE = 10.0
"""The Bayes factor that is asked for against no variance at all."""

LEAST_ROWS = 3
"""Rows of each unit that a difference of units needs."""


class Keys(Common):
    """The keys of a variance."""

    unit: str
    of: str
    minimum: Annotated[float, Field(gt=0, lt=1)] = 0.05


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    return Roles((), (keys.of,))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    return (
        f"{keys.unit}s differ in {name(keys.of)}: at least {share_of(keys.minimum)} of its variance"
    )


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: an equation without predictors, and the same without the units in question."""
    unit = s.unit(keys.unit)
    if unit is None:
        have = "one" if keys.unit in s.alone else "no id column of a"
        raise NotTestable(
            f"the data have {have} {keys.unit}, and the claim is that {keys.unit}s differ"
        )
    r = steps.outcome(s, keys.of)
    if not unit.repeated:
        raise NotTestable(
            f"each {keys.unit} has one row, so that {keys.unit}s cannot be told from what else "
            "differs between rows; rows of raters, partnerships or waves would do"
        )
    if unit.size < FEW_UNITS:
        return _differences(keys, s, name, unit, r)
    r = replace(r, home=None) if r.home is unit else r
    whole = eq.drafted(s, r, [])
    parameter = named.sd(named.intercept(quoted(r.name)), quoted(unit.column))
    estimands = {
        "share": {"kind": "variance_share", "parameter": parameter},
        "sd": {"kind": "coefficient", "parameter": parameter},
    }
    said = words(keys, lambda c: s.framework.constructs[c].name)
    return Compiled(
        (ModelFile(name, said, (whole,), estimands),),
        bound(rule, keys=keys, prior=0.5 * r.sd), said, keys.unit,
        notes=tuple(f"one {k}: nothing is generalized to other {k}s" for k in s.alone),
        rule_words=(
            f"P(share of variance between {keys.unit}s > {keys.minimum:g})",
            f"a Bayes factor of at least {EVIDENCE:g} against no such variance",
        ),
    )  # fmt: skip


def rule(answers: Answers, terms: Terms, *, keys: Keys, prior: float) -> Ruling:
    """Rule on the share of variance, and the Bayes factor against none."""
    p = terms.probability
    share = answers["share"]
    main = Part("share of variance", keys.unit, keys.of, share, "", keys.minimum, p, "share")
    factor = evidence(answers["sd"], prior)
    barred = ""
    if factor < EVIDENCE:
        barred = f"the Bayes factor against no variance is {number(factor)}, below {EVIDENCE:g}"
    return Ruling(
        float(np.mean(share > keys.minimum)), 0.0, float(np.mean(share <= keys.minimum)), p, p,
        main, (main,), barred,
        (f"The Bayes factor for differences between {keys.unit}s is {number(factor)}.",),
    )  # fmt: skip


def evidence(sd: Array, prior: float) -> float:
    """Return the Bayes factor of a group sd against sd = 0, by the Savage-Dickey ratio.

    The prior's density at 0 over the posterior's (Dickey, 1971, *Annals of Mathematical Statistics*
    42, 204-223). The posterior's is a kernel estimate of the draws reflected at 0.

    Args:
        sd: draws, (S,).
        prior: sigma of the half-normal prior.
    """
    width = 1.06 * float(sd.std(ddof=1)) * len(sd) ** -0.2 or 1e-12
    kernel = np.exp(-0.5 * (sd / width) ** 2) / (np.sqrt(2 * np.pi) * width)
    at_zero = 2 * float(kernel.mean())
    return float(np.sqrt(2 / np.pi) / prior / max(at_zero, 1e-300))


def _differences(keys: Keys, s: Setting, name: str, unit: Kind, r: eq.Response) -> Compiled:
    if int(unit.counts.min()) < LEAST_ROWS:
        raise NotTestable(
            f"a {keys.unit} has {int(unit.counts.min())} rows; differences of fewer than "
            f"{FEW_UNITS} {keys.unit}s need at least {LEAST_ROWS} rows of each, as of raters"
        )
    text = f"factor({quoted(unit.column)})"
    piece = Piece((text,), {text: 1.0}, {text: 1.0}, text, f"which {keys.unit} it is", (),
                  (unit.codes.astype(float),))  # fmt: skip
    r = replace(r, home=None) if r.home is unit else r
    groups = eq.drafted(s, r, [piece])
    inside = tuple(
        g for g in groups.groups if g is not unit and not (unit.inside(g) or g.size <= unit.size)
    )
    drafted = replace(groups, groups=inside)
    levels = s.levels(unit.column)
    estimands: dict[str, dict[str, object]] = {}
    labels = [(levels[0], "")]
    for k, v in enumerate(levels[1:], 1):
        estimands[f"raw_{k}"] = {
            "kind": "coefficient", "parameter": named.coefficient(quoted(r.name), f"{text}[{v}]"),
        }  # fmt: skip
        estimands[f"unit_{k}"] = {
            "kind": "combine", "of": [f"raw_{k}"], "weights": [eq.rounded(1 / r.sd)],
        }  # fmt: skip
        labels.append((v, f"unit_{k}"))
    said = f"the {unit.size} {keys.unit}s differ in {s.framework.constructs[keys.of].name}"
    return Compiled(
        (ModelFile(name, said, (drafted,), estimands),),
        bound(pairs, keys=keys, labels=tuple(labels)),
        said, keys.unit,
        notes=(
            (
                f"with {unit.size} {keys.unit}s their differences are judged, and nothing is said "
                f"of other {keys.unit}s"
            ),
            *(f"one {k}: nothing is generalized to other {k}s" for k in s.alone),
        ),
        rule_words=("P(a difference is beyond the smallest effect, on one side), of any pair",),
    )  # fmt: skip


def pairs(
    answers: Answers, terms: Terms, *, keys: Keys, labels: tuple[tuple[str, str], ...]
) -> Ruling:
    """Rule on the pairwise differences: one of them is beyond the smallest effect on one side."""
    p, s = terms.probability, terms.smallest
    size = len(next(iter(answers.values())))
    found = [answers[e] if e else np.zeros(size) for _, e in labels]
    every = list(combinations(range(len(found)), 2))
    need = 1 - (1 - p) / (2 * len(every))
    rows: list[Part] = []
    chances: list[float] = []
    for a, b in every:
        d = found[b] - found[a]
        chances.append(float(max(np.mean(d > s), np.mean(d < -s))))
        rows.append(Part("difference", f"{labels[b][0]} less {labels[a][0]}", keys.of, d, "", s, p))
    k = int(np.argmax(chances))
    negligible = min(x.p_rope for x in rows)
    return Ruling(chances[k], 0.0, negligible, need, p, rows[k], tuple(rows))

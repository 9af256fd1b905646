"""Several conditions are needed together: the lowest of them decides, and no sum or product."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial as bound
from itertools import combinations
from math import lcm
from typing import Annotated

import numpy as np
from pydantic import Field

from acmodels.numbers import decimal, number, percent
from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, Terms
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.equations import Piece
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Array, Setting
from acmodels.theory.ruling import Answers, Part, Ruling

averages = "it is held against its rivals by exact marginal likelihoods"

EVIDENCE = 10.0
"""The Bayes factor that is asked for over each rival."""

SHARED, BESIDE, PRODUCT, SQUARE = 0.5, 0.2, 0.25, 0.15
"""Prior sds: of a slope, of a slope beside the minimum, of products, of squares without products.

A slope beside the minimum is shrunken, or it would take what the minimum explains."""

RIVALS: Mapping[str, str] = {
    "additive": "each condition adds its own",
    "squares": "each adds its own, in a curve",
    "products": "each adds its own, and so does the product of any two",
    "squares_and_products": "curves and products of each",
    "sum": "their sum, in a curve, whatever it is made of",
}
"""The accounts that the minimum is held against."""


class Keys(Common):
    """The keys of a conjunction."""

    from_: Annotated[list[str], Field(alias="from", min_length=2, max_length=6)]
    to: str


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    return Roles(tuple(keys.from_), (keys.to,), steps=tuple((c, keys.to) for c in keys.from_))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    *some, last = [name(c) for c in keys.from_]
    return f"{name(keys.to)} is as high as the lowest of {', '.join(some)} and {last} lets it be"


@dataclass(frozen=True)
class Conditions:
    """The conditions as columns of mean 0 and sd 1.

    Attributes:
        columns: their names.
        values: by column, (rows,).
        whole: the name of their standardized mean.
    """

    columns: tuple[str, ...]
    values: tuple[Array, ...]
    whole: str


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile six accounts of the same outcome, to be compared by their marginal likelihoods.

    Raises:
        NotTestable: the outcome is no number, or a condition differs inside its units.
    """
    r = steps.outcome(s, keys.to)
    for c in keys.from_:
        steps.require(s, c, "condition")
    level = steps.level_of(s, [keys.from_[0]], [*keys.from_[1:], keys.to], keys.level)
    if r.family != "gaussian":
        raise NotTestable(
            f"'{r.name}' has a few categories, and the accounts are compared by exact Bayes "
            "factors, which take a number"
        )
    made = _conditions(keys, s, r.name)
    for c in made.columns:
        if r.home is not None and not s.constant(c, r.home):
            raise NotTestable(
                f"'{s.composites[c][0]}' differs inside the {r.home.name}s that '{r.name}' is of; "
                "give its mean there as a column"
            )
    said = words(keys, lambda c: s.framework.constructs[c].name)
    models: list[ModelFile] = []
    for account, pieces in _accounts(made).items():
        drafted = eq.drafted(s, r, pieces)
        slope = named.coefficient(quoted(r.name), pieces[0].claim)
        models.append(
            ModelFile(
                name if account == "minimum" else f"{name}_{account}",
                said if account == "minimum" else f"a rival: {RIVALS[account]}",
                (drafted,),
                {account: {"kind": "coefficient", "parameter": slope}},
                top={"missing": "drop"},
            )
        )
    scale = float(np.std(_lowest(made), ddof=1)) / r.sd
    return Compiled(
        tuple(models),
        bound(rule, keys=keys, scale=scale, sets=_sets(keys, s, made, r.name)),
        said,
        level.name,
        notes=(
            *level.notes,
            "nothing is adjusted for: what is compared is how the conditions combine",
            *(x for c in (*keys.from_, keys.to) for x in steps.partial(s, c)),
        ),
        rule_words=(
            f"a Bayes factor of at least {EVIDENCE:g} over each of five rivals",
            "P(slope of the lowest condition > 0)",
        ),
        at_prior=lambda _answers, terms: Ruling(1 / 6, 5 / 6, probability=terms.probability),
    )


def _conditions(keys: Keys, s: Setting, outcome: str) -> Conditions:
    """Make each condition a column of mean 0 and sd 1, and their mean another."""
    columns: list[str] = []
    raw: list[tuple[str, ...]] = []
    for c in keys.from_:
        column = eq.column(s, c)
        own = s.composites.get(column)
        if own is None:
            own = (column, column)  # a composite has two columns or more
            column = s.free_name(f"{column}_z")
            s.composites[column] = own
        columns.append(column)
        raw.append(own)
    many = lcm(*(len(x) for x in raw))
    whole = s.free_name(f"{outcome}_conditions")
    s.composites[whole] = tuple(p for x in raw for p in x for _ in range(many // len(x)))
    return Conditions(tuple(columns), tuple(s.values(c) for c in columns), whole)


def _lowest(c: Conditions) -> Array:
    low = np.stack(c.values).min(axis=0)
    return low[np.isfinite(low)]


def _accounts(c: Conditions) -> dict[str, list[Piece]]:
    """Write the terms of each account; the first of each is the one that is shown."""
    names = [quoted(x) for x in c.columns]
    lowest = f"min({', '.join(names)})"

    def slopes(sd: float) -> list[Piece]:
        return [_term(n, sd, "a condition", v) for n, v in zip(names, c.values, strict=True)]

    def squares(sd: float) -> list[Piece]:
        return [
            _term(f"square({n})", sd, "its curve", v**2, standard=False)
            for n, v in zip(names, c.values, strict=True)
        ]

    products = [
        _term(f"{names[i]}:{names[j]}", PRODUCT, "a product", c.values[i] * c.values[j],
              standard=False)
        for i, j in combinations(range(len(names)), 2)
    ]  # fmt: skip
    whole = np.mean(np.stack(c.values), axis=0)
    return {
        "minimum": [
            _term(lowest, SHARED, "the lowest condition", np.stack(c.values).min(axis=0)),
            *slopes(BESIDE),
        ],
        "additive": slopes(SHARED),
        "squares": [*slopes(SHARED), *squares(SQUARE)],
        "products": [*slopes(SHARED), *products],
        "squares_and_products": [*slopes(SHARED), *products, *squares(PRODUCT)],
        "sum": [
            _term(quoted(c.whole), SHARED, "their sum", whole, standard=False),
            _term(f"square({quoted(c.whole)})", PRODUCT, "its curve", whole**2, standard=False),
        ],
    }


def _term(text: str, sd: float, why: str, values: Array, *, standard: bool = True) -> Piece:
    """Write a term whose prior is per sd of it, or per unit of what it is made of."""
    seen = values[np.isfinite(values)]
    spread = float(seen.std(ddof=1)) if standard and len(seen) > 1 else 1.0
    return Piece((text,), {text: sd}, {text: spread or 1.0}, text, why, (), (values,))


def _sets(keys: Keys, s: Setting, c: Conditions, outcome: str) -> str:
    """Say consistency and coverage of the crisp sets above the medians, as in a QCA."""
    from scipy.stats import beta

    y = s.values(outcome)
    seen = np.isfinite(y) & np.all(np.isfinite(np.stack(c.values)), axis=0)
    present = np.all([v > np.median(v[seen]) for v in c.values], axis=0)[seen]
    high = (y > np.median(y[seen]))[seen]

    def share(k: int, n: int) -> str:
        low, up = beta.ppf([0.025, 0.975], 0.5 + k, 0.5 + n - k)
        return f"{k} of {n}, {percent(k / max(n, 1))} [{percent(low)}, {percent(up)}]"

    both = int((present & high).sum())
    return (
        f"As sets, above the medians: of rows with {' and '.join(keys.from_)}, {keys.to} is high "
        f"in {share(both, int(present.sum()))} (consistency); of rows high in {keys.to}, all "
        f"conditions are there in {share(both, int(high.sum()))} (coverage). Rows count as "
        "independent here."
    )


def rule(answers: Answers, terms: Terms, *, keys: Keys, scale: float, sets: str) -> Ruling:
    """Rule on the Bayes factors of the minimum over its rivals."""
    p = terms.probability
    slope = answers["minimum"] * scale
    main = Part("slope of the lowest condition", " and ".join(keys.from_), keys.to, slope, "+",
                terms.smallest, p)  # fmt: skip
    own = _evidence(answers, "minimum")
    logs = {k: own - _evidence(answers, k) for k in RIVALS}
    if not all(np.isfinite(v) for v in logs.values()):
        return Ruling(
            0.0, 0.0, 0.0, 1.0, p, main, (main,),
            doubt="the marginal likelihood of an account is not known, so that no Bayes factor is",
        )  # fmt: skip
    worst = min(logs, key=lambda k: logs[k])
    chance = float(1 / (1 + np.exp(-np.clip(logs[worst], -700, 700))))
    positive = float(np.mean(slope > 0))
    barred = "" if positive >= p else (
        f"the slope of the lowest condition is above 0 with probability {decimal(positive, 3)} only"
    )  # fmt: skip
    compared = (
        f"Bayes factors of the lowest condition over its rivals: {_listed(logs)}. The best is "
        f"“{RIVALS[worst]}”; at least {EVIDENCE:g} over each is asked for, which makes the claim "
        f"{decimal(EVIDENCE / (1 + EVIDENCE), 3)} probable against it alone."
    )
    return Ruling(
        chance,
        1 - chance,
        0.0,
        EVIDENCE / (1 + EVIDENCE),
        p,
        main,
        (main,),
        barred,
        (compared, sets),
    )


def _evidence(answers: Answers, account: str) -> float:
    found = answers.get(f"{account}/evidence")
    return float("nan") if found is None else float(found[0])


def _listed(logs: Mapping[str, float]) -> str:
    def factor(log: float) -> str:
        return number(float(np.exp(log))) if abs(log) < LARGE else f"e^{decimal(log, 0)}"

    return ", ".join(f"{factor(v)} ({k.replace('_', ' ')})" for k, v in logs.items())


LARGE = 11.5
"""Logs of Bayes factors beyond which their power of e is shown: about 100,000."""

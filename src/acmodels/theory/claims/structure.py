"""Constructs are distinct: their factors correlate below 0.85 and fewer would predict units worse.

The limit is that of discriminant validity (Brown, 2015, *Confirmatory factor analysis*, p. 28).
Raters have deviations of their own, so that what one rater sees alike or apart is not taken for
units.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from functools import partial as bound
from itertools import combinations
from typing import Annotated

import numpy as np
from pydantic import Field

from acmodels.numbers import decimal
from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, Terms
from acmodels.theory.compiling import latent
from acmodels.theory.compiling.factors import gains
from acmodels.theory.compiling.latent import Items
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.compiling.steps import LEAST_UNITS
from acmodels.theory.ruling import Answers, Part, Ruling

ALIKE = 0.85
"""The correlation from which two factors are no longer told apart."""


class Keys(Common):
    """The keys of a structure."""

    constructs: Annotated[list[str], Field(min_length=2)]
    to: str | None = None
    """An outcome on which more is claimed; such a claim is not tested yet."""


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    return Roles(other=tuple(keys.constructs))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    names = [name(c) for c in keys.constructs]
    return f"{', '.join(names[:-1])} and {names[-1]} are distinct"


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: one model of the constructs' items, in which constructs correlate freely.

    Raises:
        NotTestable: a construct has too few items, or too few units are rated.
    """
    said = words(keys, lambda c: s.framework.constructs[c].name)
    if s.schematic:
        found = {c: _imagined(s, c) for c in keys.constructs}
    elif keys.to is not None:
        raise NotTestable(
            f"what it claims of {s.framework.constructs[keys.to].name} is not compiled yet"
        )
    else:
        found = {c: _items(s, c) for c in keys.constructs}
    pairs = [
        (a, b) for a, b in combinations(found, 2) if found[a].level.name == found[b].level.name
    ]
    if not pairs:
        raise NotTestable("no two of its constructs are of the same kind of unit")
    estimands = {
        _label(a, b): {"kind": "coefficient", "parameter": _correlation(found, a, b)}
        for a, b in pairs
    }
    measures = {i.column: i.table() for i in found.values()}
    study = None
    if not s.schematic and s.source is not None:
        study = latent.rows_of_answers(s, s.source, found.values())
    model = ModelFile(name, said, (), estimands, measures=measures, study=study)
    level = found[pairs[0][0]].level.name
    return Compiled(
        (model,),
        bound(rule, pairs=tuple(pairs), merged=cache(bound(_gains, s, found, tuple(pairs)))),
        said,
        level,
        notes=tuple(f"one {k}: nothing is generalized to other {k}s" for k in s.alone),
        rule_words=(
            f"P(every correlation below {ALIKE})",
            "units left out are predicted better than with any two of them as one factor",
        ),
        latent=tuple(measures),
        at_prior=bound(rule, pairs=tuple(pairs), merged=dict),
    )


def _label(a: str, b: str) -> str:
    return f"{a}_and_{b}".replace(".", "_")


def _correlation(found: Mapping[str, Items], a: str, b: str) -> str:
    return named.cor(quoted(found[a].column), quoted(found[b].column))


def _imagined(s: Setting, construct: str) -> Items:
    """Stand for the items that a full study has of a construct."""
    level = s.unit(s.framework.constructs[construct].level) or s.kinds[0]
    names = tuple(f"{construct}_item{k}" for k in range(1, latent.LEAST_ITEMS + 1))
    return Items(construct, names, level, rated=False)


def _items(s: Setting, construct: str) -> Items:
    """Find the items of a construct.

    Raises:
        NotTestable: there are none, or they cannot measure it.
    """
    c = s.framework.constructs[construct]
    column = s.columns.get(construct)
    if s.source is None or column is None:
        raise NotTestable(
            f"the data have no answers to items of '{construct}' ({c.name}), which tell constructs "
            "apart"
        )
    found = latent.items_for(s, s.source, column)
    if found is None:
        raise NotTestable(f"the data have scores of '{construct}' and no answers to its items")
    if isinstance(found, str):
        raise NotTestable(f"'{construct}' ({c.name}) cannot be measured by its items: {found}")
    if found.level.size < LEAST_UNITS:
        raise NotTestable(
            f"'{construct}' is of {found.level.size} {found.level.name}s, and it takes "
            f"{LEAST_UNITS}"
        )
    return found


def _gains(
    s: Setting, found: Mapping[str, Items], pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], float]:
    """Return what each pair gains in prediction by being two factors."""
    out: dict[tuple[str, str], float] = {}
    if s.source is None:
        return out
    for level in dict.fromkeys(found[a].level.name for a, _ in pairs):
        mine = [c for c, i in found.items() if i.level.name == level]
        x = latent.unit_means(s.source, [found[c] for c in mine])
        factor = [k for k, c in enumerate(mine) for _ in found[c].items]
        for (a, b), gain in gains(x, factor).items():
            out[mine[a], mine[b]] = gain
    return out


def rule(
    answers: Answers,
    terms: Terms,
    *,
    pairs: tuple[tuple[str, str], ...],
    merged: Callable[[], Mapping[tuple[str, str], float]],
) -> Ruling:
    """Rule on the correlations, and on what two factors predict beyond one."""
    p, gained = terms.probability, merged()
    draws = {pair: answers[_label(*pair)] for pair in pairs}
    apart = np.all([x < ALIKE for x in draws.values()], axis=0)
    closest = max(draws, key=lambda pair: float(draws[pair].mean()))
    rows = [
        Part("correlation", a, b, x, "", 0.0, p, scale="correlation")
        for (a, b), x in draws.items()
    ]  # fmt: skip
    lost = [pair for pair, gain in gained.items() if gain <= 0 and pair in draws]
    barred = ", ".join(
        f"units left out are predicted no better with {a} and {b} as two factors than as one"
        for a, b in lost
    )
    alike = float(max(np.mean(x >= ALIKE) for x in draws.values()))
    main = rows[list(draws).index(closest)]
    said = tuple(
        f"gain in log predictive density of units left out by telling {a} and {b} apart: "
        f"{decimal(g, 1)}"
        for (a, b), g in gained.items()
    )
    return Ruling(float(apart.mean()), alike, 0.0, p, p, main, tuple(rows), barred, said)


__all__ = ["ALIKE", "Keys", "compile", "roles", "rule", "words"]

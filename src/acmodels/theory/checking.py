"""Whether a framework's files fit together: claims and their kinds, paths of arrows, loops."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.framework.graph import Claim, Framework
from acmodels.theory import claims
from acmodels.theory.claims import LATER, Roles
from acmodels.theory.compiling.adjustment import cycle, leads


@dataclass(frozen=True)
class Checked:
    """What was found in a framework.

    Attributes:
        problems: what must be mended, one sentence each.
        warnings: what a careful colleague would ask about.
    """

    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def check_framework(f: Framework) -> Checked:
    """Check a framework that was read.

    Args:
        f: the framework.

    Returns:
        What is wrong with it, and what looks odd.
    """
    problems: list[str] = []
    warnings: list[str] = []
    loop = cycle(f)
    if loop:
        problems.append(
            f"arrows.toml: {' -> '.join([*loop, loop[0]])} is a loop within one wave; a construct "
            "that acts back does so one wave later (lag = 1)"
        )
    for p in f.propositions.values():
        for number, claim in enumerate(p.claims, 1):
            where = p.id if len(p.claims) == 1 else f"{p.id}: claim {number}"
            found = _claim(f, claim, where, warnings if not loop else [], loop=bool(loop))
            problems += found
    warnings += _lonely(f)
    return Checked(tuple(problems), tuple(warnings))


def checked(f: Framework) -> Framework:
    """Return a framework in which nothing must be mended.

    Raises:
        ModelError: with every problem.
    """
    problems = check_framework(f).problems
    if problems:
        raise ModelError(problems)
    return f


def roles_of(claim: Claim, where: str) -> Roles | None:
    """Return the constructs of a claim; None of a kind that is not compiled yet.

    Raises:
        ModelError: its keys do not fit its kind.
    """
    if claim.kind in LATER and claim.kind not in claims.kinds():
        return None
    return claims.kind(claim.kind).roles(claims.read(claim, where))


def _claim(f: Framework, claim: Claim, where: str, warnings: list[str], *, loop: bool) -> list[str]:
    try:
        roles = roles_of(claim, where)
    except ModelError as error:
        return [p if p.startswith("propositions.toml") else f"propositions.toml: {where}: {p}"
                for p in error.problems]  # fmt: skip
    if roles is None:
        named = _named(claim.keys)
        return _unknown(f, [n for n in named if n not in f.constructs], where)
    lost = _unknown(f, [c for c in roles.all if c not in f.constructs], where)
    if lost or loop:
        return lost
    level = claim.keys.get("level")
    if isinstance(level, str) and level not in f.units:
        near = did_you_mean(level, f.units)
        return [f"propositions.toml: {where}.level: no unit '{level}'{near}"]
    twice = [] if claim.kind in LATER else _twice(f, roles)
    if twice:
        return [f"propositions.toml: {where}: {t}" for t in twice]
    for cause, effect in roles.steps:
        if not leads(f, cause, effect, lags=True):
            warnings.append(
                f"{where}: no arrows lead from '{cause}' to '{effect}', so the theory does not "
                "say what to adjust for; add an arrow to arrows.toml"
            )
    return []


def _twice(f: Framework, roles: Roles) -> list[str]:
    """Name constructs that play two roles in one claim, by themselves or as a part of another."""
    places = {"a cause": roles.causes, "a mediator": roles.via, "the outcome": roles.outcomes}
    leaves = {role: {x for c in names for x in f.leaves(c)} for role, names in places.items()}
    out = [
        f"'{x}' is {a} and {b}; each has one role in a claim"
        for a, b in combinations(leaves, 2)
        for x in sorted(leaves[a] & leaves[b])
    ]
    for role, names in places.items():
        out += [f"'{x}' is {role} and a moderator; each has one role in a claim"
                for x in names if x in roles.by]  # fmt: skip
    return out


def _named(keys: object) -> Iterable[str]:
    """Constructs that a claim of a later kind names under the usual keys."""
    if not isinstance(keys, dict):
        return
    for key in ("from", "to", "constructs"):
        value = keys.get(key)
        yield from [value] if isinstance(value, str) else value or []


def _unknown(f: Framework, names: Iterable[str], where: str) -> list[str]:
    return [
        f"propositions.toml: {where}: no construct '{n}'{did_you_mean(n, f.constructs)} "
        "(constructs.toml has them)"
        for n in dict.fromkeys(names)
    ]


def _lonely(f: Framework) -> list[str]:
    touched: set[str] = set()
    for a in f.arrows:
        for end in (a.from_, a.to, *([a.by] if a.by else [])):
            touched |= {end, *f.leaves(end)}
    for shared in f.common_causes:
        touched |= {leaf for c in shared.of for leaf in f.leaves(c)}
    alone = [
        c.id for c in f.constructs.values()
        if not c.parts and c.facet_of is None and c.opposite_of is None and c.id not in touched
    ]  # fmt: skip
    return (
        [f"constructs.toml: no arrow begins or ends at {listing([f"'{c}'" for c in alone], 12)}"]
        if alone
        else []
    )

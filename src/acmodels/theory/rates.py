"""How often verdicts are wrong and right, by kind of claim, on simulated studies.

`framework/rates.csv` is written by `analyses/claim_rates`: a row for each class of claims (a kind
with a pattern of levels), each world in which it was tried and each number of districts.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from acmodels.framework.graph import Claim, Framework
from acmodels.numbers import share
from acmodels.theory import claims

TRUE, TRAP = "true", "trap"


@dataclass(frozen=True)
class World:
    """What was counted in one world of one class.

    Attributes:
        kind: of the claim.
        pattern: levels of its constructs, as `pattern` writes them.
        name: of the class.
        world: of the world.
        truth: `true`, `no effect`, `contrary` or `trap`.
        holds: whether the claim is true in it.
        limit: whether a rule on the data could tell.
        districts: of each study.
        studies: how many.
        supported, false: how many supported it, and had a false verdict.
    """

    kind: str
    pattern: str
    name: str
    world: str
    truth: str
    holds: bool
    limit: bool
    districts: int
    studies: int
    supported: int
    false: int


@cache
def worlds() -> tuple[World, ...]:
    """Return every row of the table."""
    text = (files("acmodels.framework") / "rates.csv").read_text(encoding="utf-8")
    return tuple(
        World(
            r["kind"], r["pattern"], r["class"], r["world"], r["truth"], r["holds"] == "True",
            r["limit"] == "True", int(r["districts"]), int(r["studies"]), int(r["supported"]),
            int(r["false"]),
        )
        for r in csv.DictReader(text.splitlines())
    )  # fmt: skip


def pattern(framework: Framework, claim: Claim) -> str:
    """Write the levels of a claim's constructs, as `department > partnership by district`."""
    keys = claims.read(claim, claim.kind)
    roles = claims.kind(claim.kind).roles(keys)

    def levels(names: Sequence[str]) -> str:
        return " x ".join(framework.constructs[c].level for c in names)

    chain = [levels(names) for names in (roles.causes, roles.via, roles.outcomes) if names]
    by = f" by {levels(roles.by)}" if roles.by else ""
    leg = getattr(keys, "leg", None)
    only = getattr(keys, "only_where", None)
    more = f", {leg} step" if leg else f", only where {only}" if only else ""
    return " > ".join(chain) + by + more


def of_claim(framework: Framework, claim: Claim) -> tuple[tuple[World, ...], bool]:
    """Return the worlds in which claims like one were tried, and whether their levels are its own.

    Those are the classes of its kind with the same levels; where there are none, all of its kind.
    """
    if claim.kind not in claims.kinds():
        return (), False
    mine = tuple(w for w in worlds() if w.kind == claim.kind)
    at = pattern(framework, claim)
    same = tuple(w for w in mine if w.pattern == at)
    return (same, True) if same else (mine, False)


def sentence(framework: Framework, claim: Claim) -> str:
    """Say how often a verdict on a claim of this kind is right and wrong, in one sentence."""
    found, same = of_claim(framework, claim)
    sizes = sorted({w.districts for w in found})
    if not sizes:
        return ""
    size = min(sizes, key=lambda d: abs(d - 60))
    found = tuple(w for w in found if w.districts == size)
    holds = [w for w in found if w.truth == TRUE]
    fails = [w for w in found if not w.holds and w.limit]
    worst = max(fails, key=lambda w: w.false / w.studies, default=None)
    at = pattern(framework, claim) if same else "other levels than these"
    out = (
        f"in simulated studies of {size} districts, claims of this kind ({claim.kind}, {at}) were "
        f"supported in {_rate([w.supported for w in holds], [w.studies for w in holds])} of those "
        "in which they are true, and in "
        f"{_rate([w.false for w in fails], [w.studies for w in fails])} of those in which they are "
        "not"
    )
    if worst is not None and worst.false:
        out += f", at worst {_rate([worst.false], [worst.studies])}: {worst.world} ({worst.name})"
    hidden = [w for w in found if not w.holds and not w.limit and w.false > w.studies / 2]
    if hidden:
        names = ", ".join(dict.fromkeys(w.world.removesuffix(" (not measured)") for w in hidden))
        out += f"; an unmeasured cause ({names}) leads to false support in most of these studies"
    return f"{out[:1].upper()}{out[1:]}."


def sentences(framework: Framework, of: Sequence[Claim]) -> tuple[str, ...]:
    """Say the rates of several claims, each class once."""
    said = (sentence(framework, c) for c in of)
    return tuple(dict.fromkeys(s for s in said if s))


def _rate(hits: Sequence[int], studies: Sequence[int]) -> str:
    """Write a share of studies with their number and the Monte Carlo standard error."""
    n = sum(studies)
    p = sum(hits) / n
    error = math.sqrt(max(p * (1 - p), 0.25 / n) / n)
    return f"{share(p)} (n = {n}, Monte Carlo error {share(error)})"

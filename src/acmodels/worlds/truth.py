"""What is true in a world: its coefficients, and the effects that follow from them."""

from collections.abc import Iterator

import numpy as np

from acmodels.spec import parameters as named
from acmodels.worlds.arrows import variables
from acmodels.worlds.scenario import Scenario
from acmodels.worlds.units import Array

CAUSES = (
    "prior_knowledge", "communication", "leadership", "resources", "guidance", "flexibility",
    "similar_norms",
)  # fmt: skip
MEDIATORS = ("routines", "informal_ties", "attention", "trust", "coordination")
OUTCOMES = ("collective_knowledge", "policy", "new_routines", "policy_and_routines")


def truth(scenario: Scenario) -> dict[str, float]:
    """Every coefficient, sd and effect by name.

    Effects are sums over paths of products of sizes: `total(a -> b)` over all paths in the first
    wave, `indirect(a -> m -> b)` over those through m, `total(a -> b, 1 wave later)` over those
    from the first wave to the second. A term that is a product or a square adds what its slope is
    where the other causes in it, or the variable itself, are 0.
    """
    out = {name: float(size) for name, size in scenario.arrows.items()}
    for v in variables().values():
        if v.kind in ("event", "count"):
            continue
        out[named.sigma(v.name)] = v.noise
        for group, sd in (
            (v.level, v.stable),
            ("district", v.district),
            ("department", v.department),
            ("partner", v.partner),
        ):
            if sd:
                out[named.sd(named.intercept(v.name), group)] = sd
    out |= dict(_effects(scenario))
    return out


def total_effects(scenario: Scenario) -> tuple[tuple[str, ...], Array, Array]:
    """Total effects between all variables.

    With B the matrix of sizes within a wave, F that of sizes of `first` terms and L that of `lag`
    terms, effects in the first wave are (I - B - F)^-1 and those of the first wave one wave later
    (I - B)^-1 (L + F) (I - B - F)^-1 (Bollen 1987, on total effects in linear systems).

    Returns:
        The names, the effects in the first wave, and those one wave later; rows are what is
        affected.
    """
    names = tuple(variables())
    place = {n: k for k, n in enumerate(names)}
    now, first, later = np.zeros((3, len(names), len(names)))
    for v in variables().values():
        for a in v.arrows:
            f = a.term.factors[0]
            if len(a.term.factors) > 1 or f.function == "square":
                continue
            if f.function == "lag":
                later[place[v.name], place[f.name]] += scenario.arrows[a.name]
            elif f.function == "first":
                first[place[v.name], place[f.name]] += scenario.arrows[a.name]
            else:
                now[place[v.name], place[f.name]] += scenario.arrows[a.name]
    one = np.eye(len(names))
    total = np.linalg.inv(one - now - first)
    return names, total, np.linalg.inv(one - now) @ (later + first) @ total


def _effects(scenario: Scenario) -> Iterator[tuple[str, float]]:
    names, total, later = total_effects(scenario)
    place = {n: k for k, n in enumerate(names)}
    for cause in CAUSES:
        for outcome in OUTCOMES:
            whole = total[place[outcome], place[cause]]
            yield f"total({cause} -> {outcome})", float(whole)
            for m in MEDIATORS:
                through = total[place[m], place[cause]] * total[place[outcome], place[m]]
                if through:
                    yield f"indirect({cause} -> {m} -> {outcome})", float(through)
            yield (
                f"total({cause} -> {outcome}, 1 wave later)",
                float(later[place[outcome], place[cause]]),
            )
    for outcome in OUTCOMES:
        for cause in CAUSES[:4]:
            back = float(later[place[cause], place[outcome]])
            yield f"total({outcome} -> {cause}, 1 wave later)", back

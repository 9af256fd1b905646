"""The variables of a world, wave by wave, and the causes of each as a regression has them."""

from collections.abc import Mapping

import numpy as np

from acmodels.rng import stream
from acmodels.worlds.arrows import CauseFactor, Variable, variables
from acmodels.worlds.scenario import Scenario
from acmodels.worlds.units import Array, Units

type Values = dict[str, Array]
"""By variable, an array of shape (waves, units of its level)."""

_GROUPS = ("district", "department", "partner")
_DEPTH = (-0.7, 0.3, 1.1)
"""Cuts of a standard normal that make the four depths of a routine."""


def flow(scenario: Scenario, units: Units, seed: int) -> tuple[Values, dict[str, Array]]:
    """Let every variable run through the waves.

    A variable is the sum of its arrows' sizes times their terms, of what is its own in each unit
    and stays (`stable`, and effects of districts, departments and partners), and of what is its
    own in each unit and wave (`noise`). In the first wave there is nothing earlier, so that `lag`
    terms are 0. Every draw has a stream of its own by variable and wave: more waves, or another
    arrow, change nothing else that is drawn.

    Returns:
        The variables, and by variable the sum of what stays, shape (units,).
    """
    values: Values = {
        name: np.zeros((units.waves, units.size[v.level])) for name, v in variables().items()
    }
    stays = {name: _stays(v, units, seed) for name, v in variables().items()}
    simplex = [v for v in variables().values() if v.kind == "simplex"]
    for wave in range(units.waves):
        for name, v in variables().items():
            values[name][wave] = _one(v, wave, values, stays[name], scenario, units, seed)
            if simplex and name == simplex[-1].name:
                _softmax([values[s.name] for s in simplex], wave)
    return values, stays


def causes(variable: Variable, wave: int, values: Mapping[str, Array], units: Units) -> Array:
    """The terms of a variable's arrows in a wave, shape (units, arrows)."""
    n = units.size[variable.level]
    out = np.ones((n, len(variable.arrows)))
    for k, arrow in enumerate(variable.arrows):
        for f in arrow.term.factors:
            out[:, k] *= _factor(f, variable.level, wave, values, units)
    return out


def _factor(
    f: CauseFactor, level: str, wave: int, values: Mapping[str, Array], units: Units
) -> Array:
    source = variables()[f.name].level
    if f.function == "lag":
        if wave == 0:
            return np.zeros(units.size[level])
        return units.bring(values[f.name][wave - 1], source, level, wave - 1)
    at = 0 if f.function == "first" else wave
    x = units.bring(values[f.name][at], source, level, at)
    return x * x if f.function == "square" else x


def _one(
    v: Variable,
    wave: int,
    values: Values,
    stays: Array,
    scenario: Scenario,
    units: Units,
    seed: int,
) -> Array:
    n = units.size[v.level]
    if v.name in scenario.fixed:
        return np.resize(np.asarray(scenario.fixed[v.name]), n)
    if v.kind == "count":
        return _partners(wave, units)
    rng = stream(seed, "world", v.name, "wave", wave)
    if v.kind == "event":
        return (rng.random(n) < scenario.events[v.name]).astype(np.float64)
    x = stays + v.noise * rng.standard_normal(n)
    if v.arrows:
        x = x + causes(v, wave, values, units) @ np.array(
            [scenario.arrows[a.name] for a in v.arrows]
        )
    if v.kind == "share":
        return 1 / (1 + np.exp(-x))
    if v.kind == "binary":
        return (x > 0).astype(np.float64)
    if v.kind == "ordinal":
        return 1.0 + np.searchsorted(np.array(_DEPTH), x).astype(np.float64)
    return x


def _stays(v: Variable, units: Units, seed: int) -> Array:
    n = units.size[v.level]
    out = np.zeros(n)
    if v.stable:
        out += v.stable * stream(seed, "world", v.name, "stable").standard_normal(n)
    for group in _GROUPS:
        sd = getattr(v, group)
        if sd:
            u = sd * stream(seed, "world", v.name, group).standard_normal(units.size[group])
            out += u[units.above[v.level][group]]
    return out


def _partners(wave: int, units: Units) -> Array:
    """How many partners are at work in each district."""
    at = units.active[wave]
    district = units.above["partnership"]["district"][at]
    partner = units.above["partnership"]["partner"][at]
    pairs = np.unique(district * units.size["partner"] + partner)
    count = np.bincount(pairs // units.size["partner"], minlength=units.size["district"])
    return count.astype(np.float64)


def _softmax(shares: list[Array], wave: int) -> None:
    raised = np.exp(np.stack([s[wave] for s in shares]))
    for s, share in zip(shares, raised / raised.sum(axis=0), strict=True):
        s[wave] = share

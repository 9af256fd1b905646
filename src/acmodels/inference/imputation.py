"""Missing values after a fit: draws of them, and what rests on them averaged over such draws.

Engines sum over discrete missing values; here they are drawn from their distribution given the
parameters and the continuous values of a posterior draw. Densities are those of the generator and
the families in NumPy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from acmodels.generate import linear_predictor
from acmodels.posterior import Array, Posterior
from acmodels.rng import stream
from acmodels.system import EquationLayout, Joint, Layout, Responses, System
from acmodels.system.missing import Component, Summed, complete, components

MOST = 200
"""Posterior draws whose missing values are kept."""
WORLDS = 20
"""Completed data sets over which estimands are averaged."""


@dataclass(frozen=True)
class Imputations:
    """Some posterior draws with their missing values.

    Attributes:
        picked: which of all draws, chain by chain, (B,).
        values: by variable, (B, M): numbers, or for a discrete one positions in its support.
    """

    picked: np.ndarray
    values: Mapping[str, Array]

    def at(self, b: int) -> dict[str, Array]:
        """The values of one."""
        return {k: v[b] for k, v in self.values.items()}

    def typical(self, joint: Joint) -> dict[str, Array]:
        """Means of continuous values, and the values that discrete ones have most often."""
        discrete = {g.variable: len(g.support) for g in joint.layout.missing if g.discrete}
        out: dict[str, Array] = {}
        for k, v in self.values.items():
            if k not in discrete:
                out[k] = v.mean(axis=0)
                continue
            often = np.stack([(v == s).sum(axis=0) for s in range(discrete[k])])
            out[k] = np.argmax(often, axis=0).astype(np.float64)
        return out


def imputations(joint: Joint, posterior: Posterior, seed: int) -> Imputations:
    """Draw missing values.

    Args:
        joint: the model as it was sampled, rough values in the place of missing ones.
        posterior: its draws.
        seed: of the discrete ones.
    """
    chains, draws, _ = posterior.values.shape
    picked = np.unique(np.linspace(0, chains * draws - 1, min(MOST, chains * draws)).astype(int))
    values = {k: v.reshape(chains * draws, -1)[picked] for k, v in posterior.imputed.items()}
    if not any(g.discrete for g in joint.layout.missing):
        return Imputations(picked, values)
    rng = stream(seed, "missing values")
    found, summed = components(joint.layout)
    gaps = joint.layout.missing
    chosen = {g.variable: np.zeros((len(picked), len(g.at))) for g in gaps if g.discrete}
    for b, p in enumerate(picked):
        given = {k: v[b] for k, v in values.items()}
        log = _log_weights(joint, (found, summed), given, _at(joint.layout, posterior, int(p)))
        u = rng.random(len(found))
        for k, c in enumerate(found):
            w = np.exp(log[k, : len(c.configurations)] - log[k].max())
            one = c.configurations[int(np.searchsorted(np.cumsum(w), u[k] * w.sum()))]
            for (g, cell), value in zip(c.cells, one, strict=True):
                chosen[gaps[g].variable][b, cell] = value
    return Imputations(picked, {**values, **chosen})


type _Draw = tuple[Mapping[str, float], Mapping[str, Array]]
"""Parameters and group effects."""


def _at(layout: Layout, posterior: Posterior, p: int) -> _Draw:
    """One posterior draw."""
    chain, draw = divmod(p, posterior.values.shape[1])
    truth = dict(zip(posterior.names, posterior.values[chain, draw].tolist(), strict=True))
    return truth, {b.key: posterior.group_effects[b.key][chain, draw] for b in layout.blocks}


def _log_weights(
    joint: Joint,
    what: tuple[Sequence[Component], Sequence[Summed]],
    given: Mapping[str, Array],
    draw: _Draw,
) -> Array:
    """Log density of all that rests on each component, by configuration; (components, width)."""
    found, summed = what
    gaps = joint.layout.missing
    sizes = np.array([len(c.configurations) for c in found])
    out = np.zeros((len(found), int(sizes.max())))
    for v in range(out.shape[1]):
        values = {g.variable: np.zeros(len(g.at)) for g in gaps if g.discrete}
        for c in found:
            if v < len(c.configurations):
                for (g, cell), value in zip(c.cells, c.configurations[v], strict=True):
                    values[gaps[g].variable][cell] = value
        layout, responses = complete(joint.layout, joint.responses, gaps, {**given, **values})
        for e, s in zip(layout.equations, summed, strict=True):
            if len(s.rows):
                log = log_densities(layout, e, responses, *draw)
                np.add.at(out[:, v], s.component, log[s.rows])
    out[np.arange(out.shape[1]) >= sizes[:, None]] = -np.inf
    return out


def log_densities(
    layout: Layout,
    e: EquationLayout,
    responses: Responses,
    truth: Mapping[str, float],
    effects: Mapping[str, Array],
) -> Array:
    """Log density of each row of an equation, its response given all else; (n,)."""
    eta = linear_predictor(layout, e, responses, truth, effects)
    return e.conditional(truth.__getitem__).log_density(responses[e.response], eta)


def completed(system: System, values: Mapping[str, Array]) -> System:
    """A system with missing values filled in."""
    if system.joint is None:
        return system
    gaps = system.joint.layout.missing
    layout, responses = complete(system.layout, system.responses, gaps, values)
    joint = Joint(*complete(system.joint.layout, system.joint.responses, gaps, values))
    return replace(system, layout=layout, responses=responses, joint=joint)


def over_worlds(
    system: System,
    found: Imputations,
    posterior: Posterior,
    one: "World",
    most: int = WORLDS,
) -> list[Array]:
    """Evaluate quantities on completed data sets, each for its share of the draws.

    Quantities that are averages over rows of data are thus averaged over the missing values too,
    each draw with one of `most` sets of them.

    Args:
        system: the model on its data.
        found: the missing values.
        posterior: all draws.
        one: from a completed system and a look-up of parameters to draws, each (1, draws).
        most: completed data sets.

    Returns:
        The quantities, each (chain, draw).
    """
    chains, draws, _ = posterior.values.shape
    flat = posterior.values.reshape(1, chains * draws, -1)
    picks = np.linspace(0, len(found.picked) - 1, min(most, len(found.picked))).astype(int)
    share = np.arange(chains * draws) % len(picks)
    out: list[Array] = []
    for world, b in enumerate(picks):
        mine = np.flatnonzero(share == world)
        here = flat[:, mine]

        def look(name: str, here: Array = here) -> Array:
            return here[:, :, posterior.names.index(name)]

        values = one(completed(system, found.at(int(b))), look)
        if not out:
            out = [np.empty(chains * draws) for _ in values]
        for whole, part in zip(out, values, strict=True):
            whole[mine] = part.reshape(-1)
    return [v.reshape(chains, draws) for v in out]


type World = Callable[[System, Callable[[str], Array]], list[Array]]
"""Quantities of a completed system, given draws of its parameters."""

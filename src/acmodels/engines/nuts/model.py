"""The model put together from its slices: what is sampled, arrays, graph, and draws.

A slice is a module: a dataclass that lays out what it samples, a dataclass of the arrays that it
reads, its part of the graph, and what its draws mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.engines import Unclear
from acmodels.engines.nuts import group_effects as groups
from acmodels.engines.nuts import latent, likelihood, missing, numbers, population, thresholds
from acmodels.engines.nuts import scales as sds
from acmodels.engines.nuts.arrays import as_data
from acmodels.engines.nuts.centering import centering
from acmodels.engines.nuts.correlations import residual_draws
from acmodels.engines.nuts.rows import Stack, make_stack
from acmodels.priors import Priors
from acmodels.system import Layout, Responses, parameters
from acmodels.system.arrays import Array, Index
from acmodels.system.versions import Unknown, Versions


@dataclass(frozen=True)
class GraphLayout:
    """List what is sampled of a model, slice by slice.

    Attributes:
        stack: the equations and their rows.
        population: coefficients and constants.
        thresholds, numbers: of families.
        scales: sds.
        effects: group effects.
    """

    stack: Stack
    population: population.Population
    thresholds: thresholds.Thresholds
    numbers: numbers.Numbers
    scales: sds.Scales
    effects: groups.GroupEffects

    @property
    def layout(self) -> Layout:
        """Give the layout of the model."""
        return self.stack.layout

    @property
    def unknown(self) -> Unknown:
        """Give the missing values that are sampled."""
        return self.stack.unknown

    @property
    def likelihood(self) -> likelihood.Likelihood:
        """What likelihoods are made of."""
        return likelihood.Likelihood(self.stack, self.scales, self.thresholds, self.numbers)


@dataclass(frozen=True)
class Confounder:
    """A cause that is not measured: the unit of each row and what it adds there."""

    index: Index
    loading: Array


@dataclass(frozen=True)
class Arrays:
    """Every `pm.Data` of the graph, slice by slice; None where a slice is not there."""

    population: population.PopulationArrays
    thresholds: thresholds.ThresholdArrays | None
    numbers: numbers.NumberArrays | None
    scales: sds.ScaleArrays | None
    effects: groups.GroupArrays | None
    latent: latent.LatentArrays | None
    missing: missing.MissingArrays | None
    confounder: Confounder | None
    likelihood: likelihood.LikelihoodArrays


def make_plan(
    layout: Layout,
    priors: Priors,
    responses: Responses,
    signed: Mapping[tuple[int, int], int] | None = None,
    unclear: Unclear = frozenset(),
) -> GraphLayout:
    """Lay out what is sampled.

    Args:
        layout: of the model.
        priors: in force.
        responses: the data, which decide what sds are sampled with a sign.
        signed: these, where that was decided before.
        unclear: group sds that are taken not to be well away from zero, whatever these data say.
    """
    stack = make_stack(layout, priors)
    part = population.make_population(stack)
    scales = sds.make_scales(stack, responses, signed, unclear)
    return GraphLayout(
        stack,
        part,
        thresholds.make_thresholds(part),
        numbers.make_numbers(stack),
        scales,
        groups.make_group_effects(stack, scales),
    )


def make_arrays(plan: GraphLayout, responses: Responses) -> Arrays:
    """Read what the graph needs of the data."""
    versions = Versions(plan.layout, plan.unknown, responses)
    bases = plan.effects.bases
    return Arrays(
        population.population_arrays(
            plan.population, plan.thresholds.free_constants, responses, versions
        ),
        thresholds.threshold_arrays(plan.thresholds, responses),
        numbers.number_arrays(plan.numbers, plan.stack, responses),
        sds.scale_arrays(plan.scales, centering(plan.layout, responses, bases=bases)),
        groups.group_arrays(
            plan.effects,
            plan.population,
            centering(plan.layout, responses, plan.scales.signed.keys(), bases),
            versions,
        ),
        latent.latent_arrays(plan.effects, responses, versions),
        missing.missing_arrays(plan.effects, plan.population, responses, versions),
        _confounder(plan.stack),
        likelihood.likelihood_arrays(plan.likelihood, versions),
    )


def _confounder(stack: Stack) -> Confounder | None:
    c = stack.layout.confounder
    if c is None:
        return None
    es = [stack.layout.equations[i] for i in stack.order]
    loading = [np.full(e.n, c.loadings.get(e.response, 0.0)) for e in es]
    return Confounder(np.concatenate([c.code[e.rows] for e in es]), np.concatenate(loading))


def build(pm: Any, plan: GraphLayout, arrays: Arrays) -> Any:
    """Build the PyMC model."""
    with pm.Model() as model:
        data = as_data(pm, arrays)
        scales = sds.scales(pm, plan.scales, data.scales)
        relative = thresholds.relative(pm, plan.thresholds, data.thresholds)
        slopes = population.coefficients(pm, plan.population, data.population)
        known = thresholds.held_constants(pm, plan.thresholds, data.thresholds, relative, slopes)
        free = plan.thresholds.free_constants
        constants = population.constants(pm, plan.population, data.population, slopes, free, known)
        eta = population.predictor(pm, plan.population, data.population, slopes, constants)
        thresholds.add_threshold_priors(
            pm, plan.thresholds, data.thresholds, relative, constants, slopes
        )
        own = numbers.numbers(pm, plan.numbers, data.numbers)
        shifts = missing.Shifts(pm, plan.stack, data.missing)
        u = None
        if data.effects is not None:
            u = groups.group_effects(pm, plan.effects, data.effects, scales, slopes, constants)
            eta = eta + groups.entering(data.effects, u)
        if data.latent is not None:
            found = (slopes, constants, u)
            eta = eta + latent.add_latent(
                pm, plan.effects, plan.population, data.latent, shifts, found
            )
        eta = eta + missing.shifted(pm, plan.effects, plan.population, shifts, slopes, u)
        if data.confounder is not None and plan.layout.confounder is not None:
            hidden = pm.Normal("confounder", 0.0, 1.0, shape=plan.layout.confounder.units)
            eta = eta + data.confounder.loading * hidden[data.confounder.index]
        vectors = likelihood.Parameters(scales, relative, own, shifts.deltas)
        likelihood.add_likelihoods(pm, plan.likelihood, data.likelihood, eta, vectors)
    return model


def structural(
    plan: GraphLayout,
    draws: Mapping[str, Array],
    responses: Responses,
    arrays: Arrays | None = None,
) -> tuple[Array, dict[str, Array]]:
    """Turn draws of what is sampled into draws of structural parameters and group effects.

    Args:
        plan: what is sampled.
        draws: of the graph's free variables, each (chain, draw, ...).
        responses: the data.
        arrays: read of them before, if they were.

    Returns:
        Structural parameters in their order, (chain, draw, parameters), and group effects by
        block, (chain, draw, J, K).
    """
    arrays = arrays or make_arrays(plan, responses)
    part, cuts = plan.population, plan.thresholds
    sampled = sds.scale_draws(plan.scales, arrays.scales, draws)
    slopes, out = population.coefficient_draws(part, arrays.population, draws)
    relative = thresholds.relative_draws(cuts, arrays.thresholds, draws)
    means, offsets = population.means(part, responses)
    shift = offsets + slopes @ means.T
    raw = {cuts.constant_of[k]: relative[..., k] - v for k, v in cuts.held.items()}
    constants = population.constant_draws(
        part, arrays.population, draws, cuts.free_constants, raw, shift
    )
    own = constants - shift
    for j in part.plain:
        e = plan.layout.equations[part.constants[j]]
        out[e.coefficient(e.columns[0])] = own[..., j]
    for k, (name, j) in enumerate(zip(cuts.names, cuts.constant_of, strict=True)):
        out[name] = relative[..., k] - own[..., j]
    out |= sampled | numbers.number_draws(plan.numbers, arrays.numbers, draws)
    effects, found = groups.group_draws(
        plan.effects, arrays.effects, draws, sampled, slopes, constants
    )
    out |= found | residual_draws(plan.stack, draws)
    return np.stack([out[p.name] for p in parameters(plan.layout)], axis=-1), effects

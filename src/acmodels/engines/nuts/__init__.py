"""No-U-turn sampling of any model, by PyMC and nutpie.

The equations are stacked into one tall linear predictor, so that the graph, and with
it the time to compile, grows little with the number of equations and groupings. Every
free quantity is sampled in units, and coefficients along directions, that a rough fit
gives (`start`); group effects are centered as far as the data speak (`centering`);
correlation matrices are built from partial correlations with independent Beta priors
(Lewandowski, Kurowicka & Joe, 2009). All of these and the data are `pm.Data`: one
compilation serves any further responses of the design.
"""

import importlib
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from acmodels.engines import Unclear
from acmodels.priors import Priors
from acmodels.system import Layout, Responses

if TYPE_CHECKING:
    from acmodels.engines.nuts.sampling import PreparedNuts

order = 100
title = "Hamiltonian Monte Carlo (NUTS)"
suits = "it takes every model"
exact = False
batches = False
marginal_likelihood = False
block_size = 1
loop_draws = 500
loop_tune = 500
compiles = True


def unfit(layout: Layout, priors: Priors) -> str | None:
    """NUTS takes every model."""
    del layout, priors


def slow(layout: Layout, priors: Priors) -> str | None:  # noqa: ARG001
    """Return None: no model is known for which another engine is quicker."""
    return None


def load() -> None:
    """Import the samplers."""
    for library in ("nutpie", "pymc"):
        importlib.import_module(library)


def prepare(
    layout: Layout, priors: Priors, responses: Responses, unclear: Unclear = frozenset()
) -> "PreparedNuts":
    """Build the PyMC model and compile it."""
    from acmodels.engines.nuts import sampling

    return sampling.prepare(layout, priors, responses, unclear)


def not_clear(layout: Layout, priors: Priors, responses: Responses) -> Unclear:
    """Return the group sds that the data do not put well away from zero."""
    from acmodels.engines.nuts import sampling

    return sampling.not_clear(layout, priors, responses)


def shape(
    layout: Layout, priors: Priors, responses: Responses, unclear: Unclear = frozenset()
) -> Hashable:
    """Return what data sets have in common that one compiled model serves."""
    from acmodels.engines.nuts import sampling

    return sampling.shape(layout, priors, responses, unclear)


def pymc_model(layout: Layout, priors: Priors, responses: Responses) -> Any:
    """Build the PyMC model without compiling it."""
    from acmodels.engines.nuts import sampling

    return sampling.pymc_model(layout, priors, responses)

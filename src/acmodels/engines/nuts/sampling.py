"""A compiled model and what is drawn from it."""

import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acmodels.engines import Sampling, Unclear
from acmodels.engines.nuts.arrays import named
from acmodels.engines.nuts.centering import uncertain
from acmodels.engines.nuts.missing import imputed_draws
from acmodels.engines.nuts.model import GraphLayout, build, make_arrays, make_plan, structural
from acmodels.engines.nuts.scales import group_bases
from acmodels.errors import EngineError
from acmodels.posterior import Posterior
from acmodels.priors import Priors
from acmodels.system import Layout, Responses, parameters
from acmodels.system.terms import constant_within

TARGET_ACCEPT = 0.85
LOW_RANK_UP_TO = 150
"""Free quantities up to which the mass matrix adapts to correlations as well as scales.

Beyond, estimating it costs more than it saves (measured: 500 quantities, ten times the time
for no more effective draws). Missing values are many quantities that hang together with others only
a little: with 138 quantities, 35 of them missing, 34 s and not 8 for the same trajectories.
"""


def pymc_model(layout: Layout, priors: Priors, responses: Responses) -> Any:
    """Build the PyMC model without compiling it."""
    import pymc as pm

    plan = make_plan(layout, priors, responses)
    return build(pm, plan, make_arrays(plan, responses))


def prepare(
    layout: Layout, priors: Priors, responses: Responses, unclear: Unclear = frozenset()
) -> "PreparedNuts":
    """Build the PyMC model and compile it; `unclear` as for `shape`."""
    started = time.perf_counter()
    import nutpie
    import pymc as pm

    imported = time.perf_counter()
    plan = make_plan(layout, priors, responses, unclear=unclear)
    model = build(pm, plan, make_arrays(plan, responses))
    names = [v.name for v in model.free_RVs]
    try:
        compiled = nutpie.compile_pymc_model(model, var_names=names)
    except RuntimeError as error:
        if "no compiled object" in str(error):  # what Ctrl-C becomes inside the compiler
            raise KeyboardInterrupt from None
        raise
    done = time.perf_counter()
    seconds = {"import": imported - started, "compile": done - imported}
    return PreparedNuts(plan, model, compiled, seconds)


@dataclass(frozen=True)
class PreparedNuts:
    """A compiled model, ready for any responses of its design."""

    plan: GraphLayout
    model: Any
    compiled: Any
    seconds: Mapping[str, float]

    def onto(self, layout: Layout) -> "PreparedNuts | None":
        """Keep the compiled model where every array has the shape it was compiled for."""
        if layout.missing or _shape(layout) != _shape(self.plan.layout):
            return None
        return replace(self.shaped(layout, self.plan.stack.priors), seconds={})

    def shaped(self, layout: Layout, priors: Priors) -> "PreparedNuts":
        """The compiled model for another layout of the same shape.

        Other predictors, or other rows with missing values, so long as there are as many.

        Args:
            layout: with as many rows, columns, groups and missing values, by equation.
            priors: of the same forms.
        """
        # what is sampled with a sign stays: nothing is read of the responses
        return replace(self, plan=make_plan(layout, priors, {}, self.plan.scales.signed))

    def _turns(self, quantities: int) -> bool:
        """Return whether the mass matrix adapts to correlations."""
        return quantities <= LOW_RANK_UP_TO and not self.plan.unknown.size

    def sample(self, responses: Responses, seed: int, sampling: Sampling) -> Posterior:
        """Draw with nutpie.

        The draws depend on the seed, the data and the number of chains, not on the cores.
        """
        import nutpie
        from threadpoolctl import threadpool_limits

        started = time.perf_counter()
        arrays = make_arrays(self.plan, responses)
        compiled = self.compiled.with_data(**named(arrays))
        try:
            with threadpool_limits(1):
                tree = nutpie.sample(
                    compiled,
                    draws=sampling.draws,
                    tune=sampling.tune,
                    chains=sampling.chains,
                    cores=min(sampling.cores, sampling.chains),
                    seed=seed,
                    target_accept=TARGET_ACCEPT,
                    adaptation="low_rank" if self._turns(compiled.n_dim) else "diag",
                    save_warmup=False,
                    progress_bar=False,
                    progress_callback=_callback(sampling),
                )
        except RuntimeError as error:
            raise EngineError(f"sampling failed: {error}") from None
        if tree["posterior"].sizes["draw"] < sampling.draws:
            raise KeyboardInterrupt  # nutpie returns what it has when interrupted
        draws = {str(k): v.to_numpy() for k, v in tree["posterior"].data_vars.items()}
        values, effects = structural(self.plan, draws, responses, arrays)
        stats = tree["sample_stats"]
        kept = {
            "diverging": stats["diverging"].to_numpy(),
            "energy": stats["energy"].to_numpy(),
            "tree_depth": stats["depth"].to_numpy().astype(np.int64),
            "n_steps": stats["n_steps"].to_numpy().astype(np.int64),
            "step_size": stats["step_size"].to_numpy(),
            "lp": stats["logp"].to_numpy(),
        }
        names = tuple(p.name for p in parameters(self.plan.layout))
        seconds = {**self.seconds, "sample": time.perf_counter() - started}
        what = self.plan.unknown
        imputed = imputed_draws(self.plan.layout, what, draws, responses)
        return Posterior(names, values, effects, "nuts", kept, seconds, self.model, imputed=imputed)


def not_clear(layout: Layout, priors: Priors, responses: Responses) -> Unclear:
    """Return the group sds that the data do not put well away from zero."""
    return uncertain(layout, responses, group_bases(layout, priors))


def shape(
    layout: Layout, priors: Priors, responses: Responses, unclear: Unclear = frozenset()
) -> Hashable:
    """Return what data sets have in common that one compiled model serves, by `shaped`.

    As many rows, columns, groups and missing values; the same discrete cells, since these are
    summed over in the rows where they meet; and the same group sds that the data put well away
    from zero, less those in `unclear`, since these are sampled otherwise than the rest.
    """
    discrete = any(g.discrete for g in layout.missing)
    return (
        tuple(p.name for p in parameters(layout)),
        tuple((g.variable, len(g.at), g.support) for g in layout.missing),
        tuple(e.n for e in layout.equations),
        tuple(len(b.levels) for b in layout.blocks),
        tuple(tuple(g.cell) for g in layout.missing) if discrete else (),
        tuple(sorted(not_clear(layout, priors, responses) | unclear)),
    )


def _shape(layout: Layout) -> tuple[object, ...]:
    """Return what of a layout is compiled in."""
    rows = tuple((e.n, e.codes, tuple(c.name for c in e.columns)) for e in layout.equations)
    means = tuple(len(d.levels) for d in layout.derived.values())
    firsts = tuple(e.first is None or tuple(np.flatnonzero(e.first)) for e in layout.equations)
    constant = tuple(
        tuple(constant_within(layout, c, d.code) for e in layout.equations for c in e.columns)
        for d in layout.derived.values()
    )
    return rows, firsts, tuple((b.key, len(b.levels)) for b in layout.blocks), means, constant


def _callback(sampling: Sampling) -> Any:
    tell = sampling.progress
    if tell is None:
        return None
    total = sampling.chains * (sampling.draws + sampling.tune)

    def report(chains: Any) -> None:
        tell("sampling", sum(c.finished_draws for c in chains), total)

    return report

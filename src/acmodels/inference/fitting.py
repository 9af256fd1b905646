"""System to Posterior: fit one model to one study, and say whether to believe it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from acmodels.data import Finding, Study, study
from acmodels.engines import Progress, Sampling, pymc_model
from acmodels.errors import InputError
from acmodels.estimands import warnings as estimand_warnings
from acmodels.inference.attempts import Attempt, Ready, by_engine
from acmodels.inference.boundary import rough_notes
from acmodels.inference.effect_rows import context_of, effects_table, try_estimands
from acmodels.inference.imputation import Imputations, completed
from acmodels.inference.judging import Effects
from acmodels.inference.saved import KeptFit, draws_frame, reestimate, safe
from acmodels.numbers import table_html
from acmodels.posterior import Diagnostics, Posterior, summarize
from acmodels.priors import Priors, resolve_priors
from acmodels.rng import check_seed, child_seed
from acmodels.spec.model import Model
from acmodels.system import System, build_system
from acmodels.system.measured import with_measures
from acmodels.system.rows import uses

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, repr=False)
class Fit:
    """A model fitted to a study.

    Attributes:
        spec: the model as checked.
        system: the model on the data, with what was found in them; typical values of the
            posterior stand in the place of missing ones.
        priors: in force, by parameter.
        draws: what the engine returned.
        effects: the estimands, as `estimate` gives them.
        diagnostics: whether the posterior can be used.
        engine_note: which engine, and why that one.
        seed, interval, prob: as asked.
        seconds: wall time by stage.
        data_sha256: of the files read.
        imputations: draws of missing values, where any are modeled.
        labels: what the data say of the columns that the model reads, where they say something.
    """

    spec: Model
    system: System
    priors: Priors = field(repr=False)
    draws: Posterior = field(repr=False)
    effects: Effects = field(repr=False)
    diagnostics: Diagnostics
    seed: int
    interval: str
    prob: float
    seconds: Mapping[str, float]
    data_sha256: Mapping[str, str] = field(default_factory=dict)
    engine_note: str = ""
    imputations: Imputations | None = field(default=None, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)

    def pymc_model(self) -> Any:
        """Build the same model for PyMC, to sample or extend, whichever engine fitted it.

        Returns:
            A `pm.Model` on the data of the fit, with the priors of the fit. Its variables are in
            the units and directions in which the sampler moves.
        """
        joint = self.system.sampled
        return pymc_model(joint.layout, self.priors, joint.responses)

    @property
    def log_marginal_likelihood(self) -> float | None:
        """Log density of all responses, priors normalized; None where the engine cannot tell.

        The exact engine knows it from the fit; the compiled sampler works it out when it is first
        asked for, by bridge sampling, which takes about as long as the fit.
        """
        values = [p.log for p in self.draws.marginal_likelihoods]
        known = [v for v in values if v is not None]
        return float(sum(known)) if values and len(known) == len(values) else None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in the data."""
        return self.system.findings

    @cached_property
    def estimates(self) -> "pd.DataFrame":
        """Structural parameters, columns as in `estimates.csv`."""
        import pandas as pd

        table = summarize(self.draws.values, self.interval, self.prob, self.draws)
        return pd.DataFrame({"name": self.draws.names, **table})

    @cached_property
    def posterior(self) -> "xr.DataTree":
        """Draws for ArviZ: groups `posterior` and, from a sampler, `sample_stats`.

        One variable a structural parameter, by its name; group effects as `u(...)` with the
        grouping's levels as coordinate. A `/` in a name is written `∕`, since a slash
        separates groups in a tree.
        """
        return _tree(self)

    def frame(self) -> "pd.DataFrame":
        """Give the draws as a table.

        Returns:
            One row a draw: the columns `chain`, `draw`, the structural parameters by name, and
            the estimands, as `name` or, where there are several values, `name [at]`.
        """
        draws = {n: self.draws[n] for n in self.draws.names}
        return draws_frame(draws, self.effects.rows)

    def __repr__(self) -> str:
        state = "usable" if self.diagnostics.usable else "NOT usable"
        return (
            f"<Fit of {self.spec.name} to {self.system.source}: "
            f"{self.draws.engine}, {state}; see .estimates, .effects, .diagnostics>"
        )

    def _repr_html_(self) -> str:
        return table_html(self.estimates)


def fit(
    model: Model,
    data: Any,
    *,
    seed: int = 1,
    engine: str = "auto",
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    interval: Literal["eti", "hdi"] = "eti",
    prob: float = 0.95,
    progress: Progress | None = None,
) -> Fit:
    """Sample the posterior of a model given a study.

    Args:
        model: from `load_model`.
        data: a study, or a DataFrame.
        seed: same seed, inputs and machine: same numbers, whatever `cores` is.
        engine: `auto` takes the first of `collapsed`, `hmc` and `nuts` that can fit the model and
            gives a usable result; an engine that is named is taken as asked.
        draws: steps of each chain that are kept.
        tune: warm-up steps of each chain.
        chains: number of chains.
        cores: chains run at once; None for all that the machine has.
        interval: equal-tailed (`eti`) or highest-density (`hdi`).
        prob: mass of the interval.
        progress: called at every step of long work.

    Raises:
        InputError: an impossible option, or a model and data that do not go together; every
            problem is named.
        EngineError: sampling failed.

    Examples:
        >>> import acmodels as ac
        >>> design = ac.load_design("interaction_conditions")
        >>> data = ac.simulate(design, seed=1).study
        >>> fit = ac.fit(design.model, data)
        >>> fit.diagnostics.usable
        True
        >>> fit.estimates[["name", "mean", "sd"]].round(1).head(2)
                                         name  mean   sd
        0            collective_knowledge ~ 1  -0.1  0.2
        1  collective_knowledge ~ flexibility   0.1  0.1
    """
    _check_options(model, draws, tune, chains, interval, prob)
    check_seed(seed)
    started = time.perf_counter()
    table = data if isinstance(data, Study) else study(data)
    model = with_measures(model, table)
    system = build_system(model, table)
    priors = _priors_and_estimands(model, system)
    read = time.perf_counter() - started
    sampling = Sampling(draws, tune, chains, cores or _cores(), progress)
    ready = Ready(model, system, priors, sampling, child_seed(seed, "fit"), prob)
    attempt, note = by_engine(ready, engine)
    return _fitted(ready, attempt, note, table, read, seed, interval)


def _fitted(
    ready: Ready, attempt: Attempt, note: str, table: Study, read: float, seed: int, interval: str
) -> Fit:
    """Put together what came of a fit; `read` is the seconds that reading took."""
    model, system, values = ready.model, ready.system, attempt.imputations
    posterior, diagnostics = attempt.posterior, attempt.diagnostics
    findings = (*system.findings, *(Finding("warning", w) for w in attempt.warnings))
    if values is not None:
        system = completed(system, values.typical(system.sampled))
    return Fit(
        spec=model,
        system=replace(system, findings=findings),
        priors=ready.priors,
        draws=posterior,
        effects=effects_table(model, attempt.rows, diagnostics, interval, ready.prob, posterior),
        diagnostics=diagnostics,
        seed=seed,
        interval=interval,
        prob=ready.prob,
        seconds={"read": read, **posterior.seconds, "summarize": attempt.seconds},
        data_sha256=table.sha256,
        engine_note=note,
        imputations=values,
        labels=_labels(model, table),
    )


def _labels(model: Model, table: Study) -> dict[str, str]:
    """Labels of the columns that a model reads."""
    known = {} if table.labels is None else table.labels.columns
    read = [c for e in model.equations.values() for c, _ in uses(e, with_responses=True)]
    return {c: known[c] for c in dict.fromkeys(read) if c in known}


def rehearse(model: Model, data: Any) -> System:
    """Do all of `fit` but the sampling, so that what is wrong costs no time.

    Args:
        model: from `load_model`.
        data: a study, or a DataFrame.

    Returns:
        The model on the data, with every finding that a fit would have, and a rough look at
        which group sds the data do not separate from 0, which a fit then tells from its draws.

    Raises:
        InputError: a model and data that do not go together; every problem is named.
    """
    table = data if isinstance(data, Study) else study(data)
    model = with_measures(model, table)
    system = build_system(model, table)
    _priors_and_estimands(model, system)
    warnings = estimand_warnings(context_of(model, system, lambda _: np.zeros((1, 1))))
    rough = rough_notes(system.layout, system.responses)
    findings = (
        *system.findings,
        *(Finding("warning", w) for w in warnings),
        *(Finding("note", n) for n in rough),
    )
    return replace(system, findings=findings)


def _priors_and_estimands(model: Model, system: System) -> Priors:
    joint = system.sampled
    priors = resolve_priors(model.priors, joint.layout, joint.responses, model.source)
    try_estimands(model, system)
    return priors


def estimate(
    fitted: Fit | KeptFit, *, interval: str | None = None, prob: float | None = None
) -> Effects:
    """Return the estimands of a fit, with another interval where asked.

    Args:
        fitted: from `fit` or `load_fit`.
        interval: `eti` or `hdi`; as fitted if None.
        prob: mass of the interval; as fitted if None.

    Raises:
        InputError: no such interval.

    Examples:
        >>> import acmodels as ac
        >>> design = ac.load_design("interaction_conditions")
        >>> data = ac.simulate(design, seed=1).study
        >>> fit = ac.fit(design.model, data)
        >>> found = ac.estimate(fit, interval="hdi", prob=0.9).table
        >>> found[["name", "mean", "lower", "upper"]].round(1)
                              name  mean  lower  upper
        0  flexibility_by_routines   0.1   -0.0    0.3
        1     routines_by_informal   0.2    0.0    0.3
    """
    if isinstance(fitted, KeptFit):
        _check_interval(interval or fitted.interval, prob or fitted.prob)
        return reestimate(fitted, interval, prob)
    if interval is None and prob is None:
        return fitted.effects
    interval, prob = interval or fitted.interval, prob or fitted.prob
    _check_interval(interval, prob)
    return effects_table(
        fitted.spec, fitted.effects.rows, fitted.diagnostics, interval, prob, fitted.draws
    )


def _check_options(
    model: object, draws: int, tune: int, chains: int, interval: str, prob: float
) -> None:
    if not isinstance(model, Model):
        raise InputError(
            f"fit needs a model from load_model, not {type(model).__name__}; for a file or a "
            'shipped name, write fit(load_model("name"), data)'
        )
    for name, value, least in (("draws", draws, 4), ("tune", tune, 1), ("chains", chains, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} must be a whole number of at least {least}, not {value!r}")
    _check_interval(interval, prob)


def _check_interval(interval: str, prob: float) -> None:
    if interval not in ("eti", "hdi"):
        raise InputError(f"interval must be eti or hdi, not {interval!r}")
    if not 0 < prob < 1:
        raise InputError(f"prob must lie between 0 and 1, not {prob!r}")


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tree(fitted: Fit) -> "xr.DataTree":
    import xarray as xr

    posterior = fitted.draws
    shape = posterior.values.shape
    coords: dict[str, Any] = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    both = ("chain", "draw")
    variables: dict[str, Any] = {
        safe(n): (both, posterior.values[:, :, k]) for k, n in enumerate(posterior.names)
    }
    for block in fitted.system.sampled.layout.blocks:
        dim = f"{block.group} (group)" if block.group in both else safe(block.group)
        coords[dim] = list(block.levels)
        effects = posterior.group_effects[block.key]
        for k, m in enumerate(block.members):
            name = safe(f"u({m.name} | {block.group})")
            variables[name] = ((*both, dim), effects[..., k])
    attributes = {
        "inference_library": "acmodels",
        "model": fitted.spec.name,
        "engine": posterior.engine,
        "seed": fitted.seed,
    }
    groups = {"posterior": xr.Dataset(variables, coords, attributes)}
    if posterior.stats:
        stats = {k: (both, v) for k, v in posterior.stats.items()}
        groups["sample_stats"] = xr.Dataset(stats, {k: coords[k] for k in both})
    return xr.DataTree.from_dict(groups)

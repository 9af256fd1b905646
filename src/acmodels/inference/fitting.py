"""System to Posterior: fit one model to one study, and say whether to believe it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from acmodels.data import Finding, Study, study
from acmodels.engines import Engine, Progress, Sampling, choose, pymc_model
from acmodels.errors import EngineError, InputError, did_you_mean
from acmodels.estimands import Context, denominators, evaluate, may_be_zero, steps
from acmodels.estimands import warnings as estimand_warnings
from acmodels.inference.boundary import boundary_notes, rough_notes
from acmodels.inference.diagnosis import diagnose
from acmodels.inference.imputation import Imputations, completed, imputations, over_worlds
from acmodels.inference.judging import Effect, Effects, meant
from acmodels.inference.prior_sensitivity import prior_sensitivity
from acmodels.inference.saved import KeptFit, draws_frame, reestimate, safe
from acmodels.numbers import number, stated, table_html
from acmodels.posterior import Array, Diagnostics, Posterior, summarize
from acmodels.priors import Priors, resolve_priors
from acmodels.rng import check_seed, child_seed
from acmodels.spec.model import Model
from acmodels.system import System, build_system
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
        """Log density of all responses, priors normalized; None where the engine cannot tell."""
        values = [p.log_marginal_likelihood for p in self.draws.parts]
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
    system = build_system(model, table)
    priors = _priors_and_estimands(model, system)
    read = time.perf_counter() - started
    sampling = Sampling(draws, tune, chains, cores or _cores(), progress)
    ready = _Ready(model, system, priors, sampling, child_seed(seed, "fit"), prob)
    attempt, note = _by_engine(ready, engine)
    posterior, rows, diagnostics = attempt.posterior, attempt.rows, attempt.diagnostics
    effects = _effects(model, rows, diagnostics, interval, prob, posterior)
    findings = (*system.findings, *(Finding("warning", w) for w in attempt.warnings))
    values = attempt.imputations
    if values is not None:
        system = completed(system, values.typical(system.sampled))
    return Fit(
        spec=model,
        system=replace(system, findings=findings),
        priors=priors,
        draws=posterior,
        effects=effects,
        diagnostics=diagnostics,
        seed=seed,
        interval=interval,
        prob=prob,
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


@dataclass(frozen=True)
class _Ready:
    """All that an engine is given."""

    model: Model
    system: System
    priors: Priors
    sampling: Sampling
    seed: int
    prob: float = 0.95


@dataclass(frozen=True)
class _Attempt:
    """What an engine returned, and what became of it."""

    posterior: Posterior
    rows: tuple[Effect, ...]
    diagnostics: Diagnostics
    warnings: list[str]
    seconds: float
    imputations: Imputations | None = None


def _by_engine(ready: _Ready, asked: str) -> tuple[_Attempt, str]:
    """Sample with the engine asked for, or with the first that does it right."""
    failed: dict[str, str] = {}
    layout, source = ready.system.sampled.layout, ready.model.source
    while True:
        choice = choose(layout, ready.priors, asked, source=source, failed=failed)
        try:
            found = _attempt(ready, choice.engine)
        except EngineError as error:
            if choice.last:
                raise
            failed[choice.name] = str(error)
            continue
        if found.diagnostics.usable or choice.last:
            return found, choice.why
        said = found.diagnostics.messages[0]
        failed[choice.name] = f"{choice.name} gave no usable result. {said}"


def _attempt(ready: _Ready, engine: Engine) -> _Attempt:
    system, sampling = ready.system, ready.sampling
    tell: Callable[[str, int, int], None] = sampling.progress or (lambda *_: None)
    stage = "compiling" if engine.compiles else "preparing"
    tell(stage, 0, 1)
    joint = system.sampled
    prepared = engine.prepare(joint.layout, ready.priors, joint.responses)
    tell(stage, 1, 1)
    posterior = prepared.sample(joint.responses, ready.seed, sampling)
    before = time.perf_counter()
    values = imputations(joint, posterior, ready.seed) if system.joint is not None else None
    rows, warnings = _evaluate(ready.model, system, posterior, values, ready.prob)
    if ready.model.propositions:
        sampled = replace(system, layout=joint.layout, responses=joint.responses)
        rows = prior_sensitivity(rows, sampled, ready.priors, posterior)
    notes = tuple(f"In {s.message}" for s in system.separated)
    notes += boundary_notes(system, ready.priors, posterior)
    diagnostics = diagnose(posterior, rows, notes=notes)
    seconds = time.perf_counter() - before
    return _Attempt(posterior, rows, diagnostics, warnings, seconds, values)


def rehearse(model: Model, data: Any) -> System:
    """Do all of `fit` but the sampling, so that what is wrong costs no time.

    Args:
        model: from `load_model`.
        data: a study, or a DataFrame.

    Returns:
        The model on the data, with every finding that a fit would have, and a rough look at
        which group sds the data do not put above zero, which a fit then tells from its draws.

    Raises:
        InputError: a model and data that do not go together; every problem is named.
    """
    system = build_system(model, data if isinstance(data, Study) else study(data))
    _priors_and_estimands(model, system)
    warnings = estimand_warnings(_context(model, system, lambda _: np.zeros((1, 1))))
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
    _try_estimands(model, system)
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
    return _effects(
        fitted.spec, fitted.effects.rows, fitted.diagnostics, interval, prob, fitted.draws
    )


def _context(model: Model, system: System, parameter: Callable[[str], Array]) -> Context:
    return Context(system.layout, system.responses, parameter, model.estimands, model.source)


def _try_estimands(model: Model, system: System) -> None:
    """Compute the estimands once on zeros, so that a wrong one costs no sampling."""
    context = _context(model, system, lambda _: np.zeros((1, 1)))
    problems: list[str] = []
    counts: dict[str, list[str]] = {}
    with np.errstate(all="ignore"):
        for name in model.estimands:
            try:
                counts[name] = [r.at for r in evaluate(name, context)]
            except InputError as error:
                problems += error.problems
    problems += _proposition_problems(model, counts)
    if problems:
        raise InputError(problems)


def _proposition_problems(model: Model, counts: Mapping[str, list[str]]) -> list[str]:
    out: list[str] = []
    claims = [(q, c) for q in model.propositions.values() for c in q.claims]
    for p, c in claims:
        rows = counts.get(c.estimand, [])
        if c.at is None:
            rows = meant(model.estimands[c.estimand].kind, rows, None)
        where = f"{model.source}: propositions.{p.id}"
        said = ", ".join(f'"{r}"' for r in rows)
        if c.at is None and len(rows) > 1:
            out.append(f"{where}: '{c.estimand}' has {len(rows)} rows; say which with at = {said}")
        if c.at is not None and rows and c.at not in rows:
            near = did_you_mean(c.at, rows)
            out.append(f"{where}.at: '{c.estimand}' has no row '{c.at}'{near} (rows: {said})")
    return out


def _evaluate(
    model: Model, system: System, posterior: Posterior, values: Imputations | None, prob: float
) -> tuple[tuple[Effect, ...], list[str]]:
    context = _context(model, system, posterior.__getitem__)
    if values is None:
        found = effect_rows(context)
    else:
        shown: list[EffectRows] = []

        def one(world: System, parameter: Callable[[str], Array]) -> list[Array]:
            shown[:] = [effect_rows(_context(model, world, parameter))]
            return shown[0].arrays

        draws = over_worlds(system, values, posterior, one)
        found = shown[0].of(draws)
    rows = found.withheld(prob)
    said = [f"{model.source}: estimands.{r.withheld}" for r in rows if r.withheld]
    return rows, [*estimand_warnings(context), *said]


@dataclass(frozen=True)
class EffectRows:
    """Rows of estimands before ratios are withheld, with what they divide by.

    Attributes:
        rows: one for each quantity.
        wholes: by position of the row, the draws of what must not be zero.
    """

    rows: tuple[Effect, ...]
    wholes: Mapping[int, tuple[Array, ...]]

    @property
    def arrays(self) -> list[Array]:
        """All draws: of the rows, of what they divide by, then of the steps of paths."""
        wholes = [w for some in self.wholes.values() for w in some]
        legs = [s.draws for r in self.rows for path in r.steps for s in path]
        return [r.draws for r in self.rows] + wholes + legs

    def of(self, arrays: list[Array]) -> "EffectRows":
        """Return the same with other draws, in the order of `arrays`."""
        rest = iter(arrays)
        rows = [replace(r, draws=next(rest)) for r in self.rows]
        wholes = {k: tuple(next(rest) for _ in w) for k, w in self.wholes.items()}
        rows = tuple(
            replace(r, steps=tuple(tuple(replace(s, draws=next(rest)) for s in p) for p in r.steps))
            for r in rows
        )
        return EffectRows(rows, wholes)

    def withheld(self, prob: float) -> tuple[Effect, ...]:
        """Return the rows; a ratio whose denominator may be zero has a reason and no numbers.

        Args:
            prob: mass of the interval that must not include zero.
        """
        out = list(self.rows)
        for k, wholes in self.wholes.items():
            bad = [w for w in wholes if may_be_zero(w, prob)]
            if not bad:
                continue
            low, high = np.quantile(bad[0], [(1 - prob) / 2, (1 + prob) / 2])
            at = f" ({out[k].at})" if out[k].at else ""
            why = (
                f"'{out[k].name}'{at} is not reported, since the {stated(100 * prob)} % interval "
                f"of the total effect, {number(low)} to {number(high)}, includes 0, and a "
                "proportion of an effect that may be 0 has no meaning."
            )
            out[k] = replace(out[k], draws=np.full_like(out[k].draws, np.nan), withheld=why)
        return tuple(out)


def effect_rows(context: Context) -> EffectRows:
    """Compute all estimands of a model, and what ratios among them divide by."""
    rows: list[Effect] = []
    wholes: dict[int, tuple[Array, ...]] = {}
    for name, e in context.estimands.items():
        first = len(rows)
        ends = _ends(e.settings)
        rows += [
            Effect(name, e.kind, r.at, r.draws, **ends, steps=found)
            for r, found in zip(evaluate(name, context), steps(name, context), strict=True)
        ]
        wholes |= {first + k: w for k, w in enumerate(denominators(name, context))}
    return EffectRows(tuple(rows), wholes)


def _ends(settings: Any) -> dict[str, Any]:
    """Where an effect starts and ends, and its scale; nothing of other estimands."""
    keys = {"source": "from_", "to": "to", "scale": "scale"}
    return {k: str(getattr(settings, key, "")) for k, key in keys.items()}


def _effects(
    model: Model,
    rows: tuple[Effect, ...],
    diagnostics: Diagnostics,
    interval: str,
    prob: float,
    posterior: Posterior,
) -> Effects:
    import pandas as pd

    if rows:
        known = [k for k, r in enumerate(rows) if not r.withheld]
        draws = np.stack([r.draws for r in rows], axis=2)
        table = {c: np.full(len(rows), np.nan) for c in summarize(np.zeros((2, 8, 1)))}
        positive = np.full(len(rows), np.nan)
        if known:
            for c, v in summarize(draws[:, :, known], interval, prob, posterior).items():
                table[c][known] = v
            positive[known] = (draws[:, :, known] > 0).mean(axis=(0, 1))
    else:
        table = {c: np.zeros(0) for c in summarize(np.zeros((2, 8, 1)))}
        positive = np.zeros(0)
    frame = pd.DataFrame(
        {
            "name": [r.name for r in rows],
            "kind": [r.kind for r in rows],
            "at": [r.at for r in rows],
            **{c: table[c] for c in ("mean", "sd", "median", "lower", "upper")},
            "p_positive": positive,
            **{c: table[c] for c in ("r_hat", "ess_bulk", "ess_tail", "mcse_mean")},
        }
    )
    why = diagnostics.messages[0] if diagnostics.messages and not diagnostics.usable else ""
    return Effects(model.name, rows, frame, diagnostics.usable, interval, prob, why)


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

"""Every proposition a study can speak to: fit shipped models, judge, name what is missing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from acmodels.data import Study, study
from acmodels.errors import AcmodelsError, InputError, did_you_mean, listing
from acmodels.framework import propositions
from acmodels.framework.operating import TARGET, rates, smallest
from acmodels.inference.fitting import Fit, fit
from acmodels.inference.judging import COLUMNS, judge
from acmodels.inference.speed import EACH, slow
from acmodels.load import load_design, load_model, shipped_models
from acmodels.numbers import number, share, table_html
from acmodels.priors import resolve_priors
from acmodels.spec.model import Model
from acmodels.system import build_system, study_for
from acmodels.system.rows import uses

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.engines import Progress

ERROR_RATE = 0.025
"""Chance that a claim of a true null is called supported, at the default probability of 0.975."""


@dataclass(frozen=True)
class Assessment:
    """What a study says of the framework.

    Attributes:
        verdicts: a row for each proposition and model that tests it, columns as in `verdicts.csv`,
            in the order of the registry; propositions that could not be tested are `not_testable`.
        fits: by model, those that were fitted.
        refused: by model, why it could not be fitted to these data.
        asked: the propositions asked for.
        lacking: why a proposition was not tested, without the study that it would need.
        needed: the smallest study that would do, by proposition that was not tested.
        expected_false: how many propositions would be called supported, on average, if all that
            were tested were null: the sum of one minus the probability that each asks for.
    """

    verdicts: "pd.DataFrame"
    fits: Mapping[str, Fit] = field(repr=False)
    refused: Mapping[str, tuple[str, ...]]
    asked: tuple[str, ...]
    lacking: Mapping[str, str]
    needed: Mapping[str, "Needed"]
    expected_false: float

    @property
    def usable(self) -> bool:
        """Whether every fit passed its diagnostics."""
        return all(f.diagnostics.usable for f in self.fits.values())

    def _repr_html_(self) -> str:
        return table_html(self.verdicts)


def assess(
    data: Any,
    only: Sequence[str] | None = None,
    *,
    models: Sequence[str | Model] | None = None,
    seed: int = 1,
    engine: str = "auto",
    draws: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    interval: Literal["eti", "hdi"] = "eti",
    prob: float = 0.95,
    progress: "Progress | None" = None,
    done: Callable[[str, Fit], None] | None = None,
    family_wise: bool = False,
    missing: Literal["model", "drop"] | None = None,
) -> Assessment:
    """Test the framework's propositions on a study.

    Each shipped model whose columns the study holds is fitted once and judges the propositions that
    it names. A model that cannot be fitted to the data is not an error: its propositions are
    `not_testable`, with the reason.

    Args:
        data: a study, a DataFrame or a path.
        only: ids of propositions, as P41; all of the registry if None.
        models: names, paths or models to use instead of the shipped ones.
        seed: as for `fit`.
        engine: as for `fit`.
        draws: as for `fit`.
        chains: as for `fit`.
        cores: as for `fit`.
        interval: as for `fit`.
        prob: as for `fit`.
        progress: called at every step.
        done: called with each model's name and fit as soon as it is fitted.
        family_wise: require a probability of 1 - (1 - probability) / m of each of m tested
            propositions (Bonferroni), so that under flat priors the chance of any false support
            is at most what one proposition has alone.
        missing: how to treat missing values, in place of what the models say: `drop` leaves out
            rows with missing values, so that the exact engine can fit most models.

    Raises:
        InputError: an unknown proposition, or data that cannot be read.
    """
    asked = _asked(only)
    table = data if isinstance(data, Study) else study(data)
    fits: dict[str, Fit] = {}
    refused: dict[str, tuple[str, ...]] = {}
    untested: dict[str, dict[str, Any]] = {}
    concerned = _concerned(models, asked, missing)
    number = sum(not missing_columns(m, table) for m in concerned)
    for model in concerned:
        mine = model.propositions
        place = f"{model.name} ({min(len(fits) + 1, number)} of {number})"
        found = _fitted(
            model, table, _telling(progress, place),
            seed=seed, engine=engine, draws=draws, chains=chains, cores=cores,
            interval=interval, prob=prob,
        )  # fmt: skip
        if isinstance(found, tuple):
            refused[model.name] = found
            for p in mine.values():
                untested.setdefault(p.id, _untested(p.id, model.name, p.estimand, found[0]))
            continue
        fits[model.name] = found
        if done is not None:
            done(model.name, found)
    if family_wise:
        fits = _stricter(fits)
    return _assessed(fits, refused, untested, asked)


def forecast(
    data: Any,
    only: Sequence[str] | None = None,
    *,
    models: Sequence[str | Model] | None = None,
    engine: str = "auto",
    missing: Literal["model", "drop"] | None = None,
) -> tuple[str, ...]:
    """Say which models `assess` will have to sample, why, and what would be faster.

    Args:
        data: as for `assess`.
        only: as for `assess`.
        models: as for `assess`.
        engine: as for `assess`.
        missing: as for `assess`.

    Returns:
        Sentences; none where every model is fitted exactly.
    """
    table = data if isinstance(data, Study) else study(data)
    sampled: dict[str, list[str]] = {}
    number, incomplete = 0, False
    for model in _concerned(models, _asked(only), missing):
        if missing_columns(model, table):
            continue
        try:
            joint = build_system(model, table).sampled
            priors = resolve_priors(model.priors, joint.layout, joint.responses, model.source)
        except AcmodelsError:
            continue  # `assess` says why
        number += 1
        found = slow(joint.layout, priors, engine)
        if found is not None:
            sampled.setdefault(found.reason, []).append(model.name)
            incomplete = incomplete or bool(joint.layout.missing)
    if not sampled:
        return ()
    many = sum(map(len, sampled.values()))
    out = [f"{many} of {number} models have to be sampled, {EACH} each:"]
    out += [f"  {listing(names, 12)}: {reason}" for reason, names in sampled.items()]
    if incomplete:
        out.append(
            "Faster: --missing drop leaves out rows with missing values, so that most models are "
            "fitted exactly, in seconds."
        )
    out.append("Faster: --propositions P01,P41 fits only the models that these need.")
    return tuple(out)


def _asked(only: Sequence[str] | None) -> tuple[str, ...]:
    """The propositions asked for.

    Raises:
        InputError: one is unknown.
    """
    registry = propositions()
    asked = tuple(dict.fromkeys(only)) if only is not None else tuple(registry)
    unknown = [p for p in asked if p not in registry]
    if unknown:
        raise InputError(
            [
                f"--propositions: no proposition '{p}'{did_you_mean(p, registry)} "
                "(`acmodels propositions` lists all)"
                for p in unknown
            ]
        )
    return asked


def _concerned(
    models: Sequence[str | Model] | None,
    asked: tuple[str, ...],
    missing: Literal["model", "drop"] | None,
) -> list[Model]:
    """The models that judge any of the propositions asked for, with those alone."""
    out: list[Model] = []
    for m in models or shipped_models():
        model = m if isinstance(m, Model) else load_model(m)
        mine = {k: p for k, p in model.propositions.items() if p.id in asked}
        if mine:
            out.append(replace(model, propositions=mine, missing=missing or model.missing))
    return out


def _telling(progress: "Progress | None", place: str) -> "Progress | None":
    """Progress that says which model it is of."""
    if progress is None:
        return None
    return lambda stage, done, total: progress(f"{place}: {stage}", done, total)


def _stricter(fits: Mapping[str, Fit]) -> dict[str, Fit]:
    """The same fits, each proposition asking for what m of them need (Bonferroni)."""
    m = len({p.id for f in fits.values() for p in f.spec.propositions.values()})
    out: dict[str, Fit] = {}
    for name, f in fits.items():
        strict = {
            k: replace(p, probability=1 - (1 - p.probability) / m)
            for k, p in f.spec.propositions.items()
        }
        out[name] = replace(f, spec=replace(f.spec, propositions=strict))
    return out


def _assessed(
    fits: Mapping[str, Fit],
    refused: Mapping[str, tuple[str, ...]],
    untested: Mapping[str, dict[str, Any]],
    asked: tuple[str, ...],
) -> Assessment:
    """Judge what was fitted, and say what the rest needs."""
    import pandas as pd

    rows: dict[str, list[dict[str, Any]]] = {p: [] for p in asked}
    thresholds: dict[str, float] = {}
    for f in fits.values():
        thresholds |= {p.id: p.probability for p in f.spec.propositions.values()}
        for row in judge(f.effects, f.spec.propositions).to_dict("records"):
            rows[str(row["proposition"])].append(row)
    lacking: dict[str, str] = {}
    needed: dict[str, Needed] = {}
    for p in (p for p in asked if not rows[p]):
        row = untested.get(p) or _untested(
            p, "", "", "Not tested: no shipped model covers this yet."
        )
        lacking[p] = str(row["reason"])
        words = smallest_study(p, str(row["model"]))
        if words is not None:
            needed[p] = words
        rows[p] = [row | {"reason": lacking[p] if words is None else f"{lacking[p]} {words}"}]
    table = pd.DataFrame([r for p in asked for r in rows[p]], columns=list(COLUMNS))
    false = float(sum(1 - m for m in thresholds.values()))
    return Assessment(table, fits, refused, asked, lacking, needed, false)


@dataclass(frozen=True)
class Needed:
    """The smallest study that would support a proposition with 80 % chance.

    Attributes:
        districts: how many, as `about 33`.
        others: the other units, as `2 departments in each district and 40 partners`.
        effect: the true value that this is for.
    """

    districts: str
    others: str
    effect: float

    def __str__(self) -> str:
        """As a sentence."""
        return (
            f"{self.districts[:1].upper()}{self.districts[1:]} districts with {self.others} would "
            f"support it in {share(TARGET)} of studies, if its effect is {number(self.effect, 2)}."
        )


def smallest_study(identifier: str, model: str) -> Needed | None:
    """The smallest study that would test a proposition with 80 % power.

    From the studies on which the shipped tests were tried; None where there were none.
    """
    r = rates().get((identifier, model))
    found = None if r is None else smallest(r)
    if r is None or found is None:
        return None
    kind, number = found
    rest = [
        f"{round(u.size.mean)} {u.name}s" + (f" in each {u.per}" if u.per is not None else "")
        for u in load_design(model).units
        if u.name != "district"
    ]
    start = {"at most": "no more than"}.get(kind, kind)
    return Needed(f"{start} {number}", " and ".join(rest), r.effect)


def _fitted(
    model: Model, table: Study, progress: "Progress | None", **options: Any
) -> Fit | tuple[str, ...]:
    """Fit a model, or say why these data do not fit it."""
    lost = missing_columns(model, table)
    if lost:
        what = "column" if len(lost) == 1 else "columns"
        said = listing([f"'{c}' ({role})" for c, role in lost.items()], 12)
        return (f"Not testable: the data lack the {what} {said} of the model {model.name}.",)
    try:
        return fit(model, table, progress=progress, **options)
    except InputError as error:
        return tuple(f"Not testable by the model {model.name}: {p}." for p in error.problems)
    except AcmodelsError as error:
        return (f"Not testable by the model {model.name}: {error}.",)


def missing_columns(model: Model, table: Study) -> dict[str, str]:
    """Columns that a model reads and a study lacks, with their roles."""
    table = study_for(model, table)
    out: dict[str, str] = {}
    for e in model.equations.values():
        for column, role in uses(e, with_responses=True):
            if column not in table.names:
                out.setdefault(column, role)
    return out


def _untested(proposition: str, model: str, estimand: str, why: str) -> dict[str, Any]:
    return {
        "proposition": proposition,
        "model": model,
        "estimand": estimand,
        "status": "not_testable",
        "reason": why,
    }

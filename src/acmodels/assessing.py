"""Every proposition a study can speak to: fit shipped models, judge, name what is missing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from acmodels.data import Study, study
from acmodels.errors import AcmodelsError, InputError, did_you_mean, listing
from acmodels.fitting import Fit, fit
from acmodels.framework import propositions
from acmodels.judging import COLUMNS, judge
from acmodels.load import load_model, shipped_models
from acmodels.spec.model import Model
from acmodels.system import study_for
from acmodels.system.build import uses

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.engines import Progress

ERROR_RATE = 0.025
"""Chance that a claim of a true null is called supported, at the default mass of 0.975."""


@dataclass(frozen=True)
class Assessment:
    """What a study says of the framework.

    Attributes:
        verdicts: a row for each proposition and model that tests it, columns as in `verdicts.csv`,
            in the order of the registry; propositions that could not be tested are `not_testable`.
        fits: by model, those that were fitted.
        refused: by model, why it could not be fitted to these data.
        asked: the propositions asked for.
        expected_false: how many propositions would be called supported, on average, if all that
            were tested were null: the sum of one minus the mass that each asks for.
    """

    verdicts: "pd.DataFrame"
    fits: Mapping[str, Fit] = field(repr=False)
    refused: Mapping[str, tuple[str, ...]]
    asked: tuple[str, ...]
    expected_false: float

    @property
    def usable(self) -> bool:
        """Whether every fit passed its diagnostics."""
        return all(f.diagnostics.usable for f in self.fits.values())

    def _repr_html_(self) -> str:
        return self.verdicts.to_html(index=False, float_format="{:.3g}".format)


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
) -> Assessment:
    """Test the framework's propositions on a study.

    Each shipped model whose columns the study holds is fitted once and judges the propositions that
    it names. A model that the data do not fit is no failure: its propositions are
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
        progress: told of every step.
        done: told of each model's name and fit as soon as it is there.

    Raises:
        InputError: an unknown proposition, or data that cannot be read.
    """
    import pandas as pd

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
    table = data if isinstance(data, Study) else study(data)
    loaded = [m if isinstance(m, Model) else load_model(m) for m in models or shipped_models()]
    fits: dict[str, Fit] = {}
    refused: dict[str, tuple[str, ...]] = {}
    rows: dict[str, list[dict[str, Any]]] = {p: [] for p in asked}
    lacking: dict[str, list[dict[str, Any]]] = {p: [] for p in asked}
    for model in loaded:
        mine = {k: p for k, p in model.propositions.items() if k in rows}
        if not mine:
            continue
        found = _fitted(
            replace(model, propositions=mine), table, progress,
            seed=seed, engine=engine, draws=draws, chains=chains, cores=cores,
            interval=interval, prob=prob,
        )  # fmt: skip
        if isinstance(found, tuple):
            refused[model.name] = found
            for p in mine.values():
                lacking[p.id].append(_untested(p.id, model.name, p.estimand, found[0]))
            continue
        fits[model.name] = found
        if done is not None:
            done(model.name, found)
        for row in judge(found.effects, mine).to_dict("records"):
            rows[str(row["proposition"])].append(row)
    out: list[dict[str, Any]] = []
    for p in asked:
        none = _untested(p, "", "", "Not tested: no shipped model tests it yet.")
        out += rows[p] or lacking[p][:1] or [none]
    tested = {str(r["proposition"]) for r in out if r["status"] != "not_testable"}
    masses = {
        p.id: p.mass for f in fits.values() for p in f.spec.propositions.values() if p.id in tested
    }
    return Assessment(
        pd.DataFrame(out, columns=list(COLUMNS)), fits, refused, asked,
        float(sum(1 - m for m in masses.values())),
    )  # fmt: skip


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

"""Hierarchical Bayesian models of how school districts learn from outside partners.

Verbs are free functions and values are frozen::

    import acmodels as ac

    model = ac.load_model("interaction_mediation")
    study = ac.load_study("data/synthetic/partnerships")
    fit = ac.fit(model, study, seed=1)
    verdicts = ac.judge(ac.estimate(fit), model.propositions)
    ac.report(fit, "out/report.html")

Nothing heavy is imported before it is needed.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acmodels.data import load_study as load_study
    from acmodels.data import study as study
    from acmodels.data.scales import scales as scales
    from acmodels.data.writing import export as export
    from acmodels.effects.bayes_factors import bayes_factor as bayes_factor
    from acmodels.effects.ceilings import bottlenecks as bottlenecks
    from acmodels.effects.maximum_likelihood import maximum_likelihood as maximum_likelihood
    from acmodels.effects.predictions import comparisons as comparisons
    from acmodels.effects.predictions import predictions as predictions
    from acmodels.effects.predictions import slopes as slopes
    from acmodels.effects.sizes import icc as icc
    from acmodels.effects.sizes import r2 as r2
    from acmodels.effects.sizes import standardized as standardized
    from acmodels.errors import AcmodelsError as AcmodelsError
    from acmodels.errors import InputError as InputError
    from acmodels.framework import proposition as proposition
    from acmodels.framework import propositions as propositions
    from acmodels.inference.fitting import estimate as estimate
    from acmodels.inference.fitting import fit as fit
    from acmodels.inference.judging import judge as judge
    from acmodels.inference.parts import parts as parts
    from acmodels.inference.saved import load_fit as load_fit
    from acmodels.load import load_design as load_design
    from acmodels.load import load_model as load_model
    from acmodels.load import load_plan as load_plan
    from acmodels.replication.calibration import calibrate as calibrate
    from acmodels.replication.power import power as power
    from acmodels.replication.recovery import recover as recover
    from acmodels.reporting import report as report
    from acmodels.reporting.plots import plot_predictions as plot_predictions
    from acmodels.robustness.confounding import confounding as confounding
    from acmodels.robustness.leave_out import influence as influence
    from acmodels.simulation import simulate as simulate
    from acmodels.theory.assessment import assess as assess
    from acmodels.worlds.making import world as world

_PUBLIC = {
    "acmodels.data": "load_study study",
    "acmodels.data.scales": "scales",
    "acmodels.data.writing": "export",
    "acmodels.effects.bayes_factors": "bayes_factor",
    "acmodels.effects.ceilings": "bottlenecks",
    "acmodels.effects.maximum_likelihood": "maximum_likelihood",
    "acmodels.effects.predictions": "comparisons predictions slopes",
    "acmodels.effects.sizes": "icc r2 standardized",
    "acmodels.errors": "AcmodelsError InputError",
    "acmodels.framework": "proposition propositions",
    "acmodels.inference.fitting": "estimate fit",
    "acmodels.inference.judging": "judge",
    "acmodels.inference.parts": "parts",
    "acmodels.inference.saved": "load_fit",
    "acmodels.load": "load_design load_model load_plan",
    "acmodels.replication.calibration": "calibrate",
    "acmodels.replication.power": "power",
    "acmodels.replication.recovery": "recover",
    "acmodels.reporting": "report",
    "acmodels.reporting.plots": "plot_predictions",
    "acmodels.robustness.confounding": "confounding",
    "acmodels.robustness.leave_out": "influence",
    "acmodels.simulation": "simulate",
    "acmodels.theory.assessment": "assess",
    "acmodels.worlds.making": "world",
}
"""The public names, by the module that has them."""

_HOMES = {name: module for module, names in _PUBLIC.items() for name in names.split()}
__all__ = sorted(_HOMES)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("acmodels")
    if name not in _HOMES:
        raise AttributeError(f"module 'acmodels' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

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
    from acmodels.data import read_study as load_study
    from acmodels.data import study
    from acmodels.data.scales import scales
    from acmodels.data.writing import export
    from acmodels.effects.bayes_factors import bayes_factor
    from acmodels.effects.maximum_likelihood import maximum_likelihood
    from acmodels.effects.predictions import comparisons, predictions, slopes
    from acmodels.effects.sizes import icc, r2, standardized
    from acmodels.errors import AcmodelsError, InputError
    from acmodels.framework import proposition, propositions
    from acmodels.inference.fitting import estimate, fit
    from acmodels.inference.judging import judge
    from acmodels.inference.saved import load_fit
    from acmodels.load import load_design, load_model, load_plan
    from acmodels.replication.calibration import calibrate
    from acmodels.replication.power import power
    from acmodels.replication.recovery import recover
    from acmodels.reporting import report
    from acmodels.reporting.plots import plot_predictions
    from acmodels.robustness.confounding import confounding
    from acmodels.robustness.leave_out import influence
    from acmodels.simulation import simulate
    from acmodels.theory.assessment import assess
    from acmodels.worlds.making import world

__all__ = [
    "AcmodelsError",
    "InputError",
    "assess",
    "bayes_factor",
    "calibrate",
    "comparisons",
    "confounding",
    "estimate",
    "export",
    "fit",
    "icc",
    "influence",
    "judge",
    "load_design",
    "load_fit",
    "load_model",
    "load_plan",
    "load_study",
    "maximum_likelihood",
    "plot_predictions",
    "power",
    "predictions",
    "proposition",
    "propositions",
    "r2",
    "recover",
    "report",
    "scales",
    "simulate",
    "slopes",
    "standardized",
    "study",
    "world",
]

_HOMES = {
    "AcmodelsError": ("acmodels.errors", "AcmodelsError"),
    "InputError": ("acmodels.errors", "InputError"),
    "assess": ("acmodels.theory.assessment", "assess"),
    "bayes_factor": ("acmodels.effects.bayes_factors", "bayes_factor"),
    "calibrate": ("acmodels.replication.calibration", "calibrate"),
    "comparisons": ("acmodels.effects.predictions", "comparisons"),
    "confounding": ("acmodels.robustness.confounding", "confounding"),
    "estimate": ("acmodels.inference.fitting", "estimate"),
    "export": ("acmodels.data.writing", "export"),
    "fit": ("acmodels.inference.fitting", "fit"),
    "icc": ("acmodels.effects.sizes", "icc"),
    "influence": ("acmodels.robustness.leave_out", "influence"),
    "judge": ("acmodels.inference.judging", "judge"),
    "load_design": ("acmodels.load", "load_design"),
    "load_fit": ("acmodels.inference.saved", "load_fit"),
    "load_model": ("acmodels.load", "load_model"),
    "load_plan": ("acmodels.load", "load_plan"),
    "load_study": ("acmodels.data", "read_study"),
    "maximum_likelihood": ("acmodels.effects.maximum_likelihood", "maximum_likelihood"),
    "plot_predictions": ("acmodels.reporting.plots", "plot_predictions"),
    "power": ("acmodels.replication.power", "power"),
    "predictions": ("acmodels.effects.predictions", "predictions"),
    "proposition": ("acmodels.framework", "proposition"),
    "propositions": ("acmodels.framework", "propositions"),
    "r2": ("acmodels.effects.sizes", "r2"),
    "recover": ("acmodels.replication.recovery", "recover"),
    "report": ("acmodels.reporting", "report"),
    "scales": ("acmodels.data.scales", "scales"),
    "simulate": ("acmodels.simulation", "simulate"),
    "slopes": ("acmodels.effects.predictions", "slopes"),
    "standardized": ("acmodels.effects.sizes", "standardized"),
    "study": ("acmodels.data", "study"),
    "world": ("acmodels.worlds.making", "world"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("acmodels")
    if name not in _HOMES:
        raise AttributeError(f"module 'acmodels' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""Simulation-based calibration of the collapsed engine (Talts et al., 2018).

Truths are drawn from the priors, data from the truths, and each truth is ranked among draws of the
posterior that its data give; if these are right, all ranks are uniform. The models, the ranks and
the number of draws are in `analyses/collapsed_calibration/models.py`. One verdict a model: it fails
where the smallest of the p values, times their number, is below 1e-3, which is the false-alarm rate
(an upper bound) of each test here; that ArviZ's p values are uniform so far down was checked on
60,000 sets of uniform numbers (1.0e-3 of them below 1e-3). Fits whose weights cannot be trusted are
ranked like the others.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PLACE = Path(__file__).parents[1] / "analyses" / "collapsed_calibration" / "models.py"
MOST_FAILED = 0.01
"""Share of fits whose k-hat may stay above its threshold after adaptation."""


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("collapsed_calibration_models", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


models = _load()


def calibrated(case: str, replications: int) -> None:
    found = models.calibrate(case, replications)
    p_values = dict(zip(found.names, found.p_values, strict=True))
    assert found.p_model >= models.LEVEL, p_values
    share = found.failed / replications
    assert share < MOST_FAILED


def test_crossed_intercepts_are_calibrated_in_short() -> None:
    calibrated("crossed", 200)
    for control in ("crossed, b dropped", "crossed, sigma 5 % off"):
        assert models.calibrate(control, 200).p_model < models.LEVEL, control


@pytest.mark.statistical
@pytest.mark.parametrize("case", models.CASES)
def test_calibrated(case: str) -> None:
    calibrated(case, 1000)


@pytest.mark.statistical
@pytest.mark.parametrize("control", models.CONTROLS)
def test_a_wrong_model_is_found_out(control: str) -> None:
    assert models.calibrate(control, 1000).p_model < models.LEVEL

"""A wrong link is found out by calibration; models and figures: analyses/family_calibration."""

import importlib.util
from pathlib import Path

import pytest

import acmodels as ac
from acmodels.replication.calibration import LEVEL
from acmodels.simulation import resolve_truth
from acmodels.spec.model import Model
from acmodels.system import build_layout

PLACE = Path(__file__).parents[1] / "analyses" / "family_calibration" / "run.py"
SPEC = importlib.util.spec_from_file_location("family_calibration", PLACE)
assert SPEC is not None
assert SPEC.loader is not None
MADE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(MADE)


def test_one_prior_for_all_thresholds_has_rising_truths() -> None:
    design = MADE.design(MADE.model("ordinal", more=MADE.THRESHOLDS))
    assert isinstance(design.model, Model)
    data = ac.simulate(design).study
    truth = resolve_truth(design, design.model, build_layout(design.model, data))
    cuts = [truth[f"y | t{k}"] for k in (1, 2, 3, 4)]
    assert cuts == sorted(set(cuts))


@pytest.mark.slow
def test_a_wrong_link_is_found_out() -> None:
    assert MADE.p_of(MADE.wrong_link(100)) < LEVEL

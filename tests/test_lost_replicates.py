"""Loops where some data sets cannot be fitted at all."""

from dataclasses import replace

import numpy as np

import acmodels as ac
from acmodels.spec.design import Design


def rare() -> Design:
    """A rare outcome of a predictor that is sometimes missing: in some studies it never happens."""
    normal = {"dist": "Normal", "mu": 0, "sigma": 0.5}
    model = ac.load_model(
        {
            "name": "rare",
            "equations": {
                "m": {"formula": "m ~ x"},
                "y": {"formula": "y ~ m", "family": "bernoulli"},
            },
            "priors": {
                "* ~ *": normal,
                "y ~ 1": {"dist": "Normal", "mu": -2.5, "sigma": 1.5},
                "sigma(m)": {"dist": "HalfNormal", "sigma": 1},
            },
        }
    )
    units = {"model": "knowledge_fit", "units": {"row": 40}, "loss": {"items": {"m": 0.1}}}
    return replace(ac.load_design(units), model=model)


def test_a_data_set_that_cannot_be_fitted_stops_no_other() -> None:
    found = ac.calibrate(rare(), replications=20, workers=1)
    (outcome,) = found.result.outcomes
    stopped = ["has the value 0 in every row" in why for why in outcome.reasons]
    without = ~np.isfinite(outcome.numbers).all(axis=(1, 2))
    assert list(without) == stopped
    assert 0 < sum(stopped) < 5
    assert len(found.ranks) == 20 - sum(stopped)

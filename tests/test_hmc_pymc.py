"""The engine hmc against PyMC; cases and figures: analyses/hmc_agreement."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import acmodels as ac
from acmodels.engines import engine
from acmodels.families import family_names
from acmodels.priors import resolve_priors
from acmodels.system import build_system

PLACE = Path(__file__).parents[1] / "analyses" / "hmc_agreement" / "run.py"
SPEC = importlib.util.spec_from_file_location("hmc_agreement", PLACE)
assert SPEC is not None
assert SPEC.loader is not None
MADE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(MADE)


@pytest.mark.parametrize("case", MADE.CASES)
def test_hmc_takes_every_case(case: str) -> None:
    model = MADE.model(case)
    joint = build_system(model, ac.study(MADE.data(case))).sampled
    priors = resolve_priors(model.priors, joint.layout, joint.responses, "case")
    assert engine("hmc").unfit(joint.layout, priors) is None


def test_every_family_that_hmc_takes_has_cases() -> None:
    from acmodels.engines.hmc.densities import known

    assert set(MADE.FAMILIES) == set(known()) & set(family_names())


def test_a_shift_of_one_group_effect_is_seen() -> None:
    """The comparison must not pass where a single group effect is another."""
    fit = ac.fit(MADE.model("poisson, crossed"), ac.study(MADE.data("poisson, crossed")))
    same = MADE.compare(fit.draws, fit.draws)
    assert np.allclose(same["z"], 0)
    key = next(iter(fit.draws.group_effects))
    moved = {k: v.copy() for k, v in fit.draws.group_effects.items()}
    moved[key][:, :, 3] += 0.5 * moved[key][:, :, 3].std()
    other = MADE.compare(fit.draws, replace(fit.draws, group_effects=moved))
    assert list(other["name"][other["z"].abs() > MADE.MOST_ERRORS]) == [f"{key} [3]"]


KNOWN = {
    "zero_inflated_negative_binomial, intercepts": "one mean of 3,156 is 4.5 errors off with these "
    "seeds, 1.3 with eight times as many draws",
    "zero_inflated_negative_binomial, crossed": "351 effective draws in the tails of zi(y)",
}
"""Cases that do not pass with the table's seeds, and why (`analyses/hmc_agreement`)."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(c, marks=pytest.mark.xfail(reason=KNOWN[c])) if c in KNOWN else c
        for c in MADE.CASES
    ],
)
def test_agrees_with_pymc(case: str) -> None:
    """Means within 4.5 combined Monte Carlo errors and sds within 15 %, of all that is sampled.

    Of the 3,000 or so quantities of all cases, one would fall out by chance once in 50 times.
    """
    found = MADE.agree(case)
    assert found["hmc_usable"]
    assert found["largest_z"] < MADE.MOST_ERRORS, found
    assert found["largest_sd_ratio"] < MADE.MOST_RATIO, found

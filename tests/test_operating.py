"""Error rates of the shipped tests, and the study sizes read off them."""

from dataclasses import replace

import pytest
from scipy.stats import norm

from acmodels.framework.operating import Rates, ranks, rates, smallest
from acmodels.load import load_model, shipped_models

ONE = Rates("P01", "m", 0.3, (30, 60, 120), 200, (0.3, 0.6, 0.9), 0.02, 0.0)


def test_every_proposition_of_every_model_was_tried() -> None:
    known = {
        (p.id, name) for name in shipped_models() for p in load_model(name).propositions.values()
    }
    assert set(rates()) == known
    assert set(ranks()) == set(shipped_models())


def test_false_verdicts_are_as_rare_as_promised() -> None:
    for r in rates().values():
        error = (0.05 * 0.95 / r.studies) ** 0.5
        assert r.false_support <= 0.05 + 2 * error, r
        assert r.false_contradiction <= 0.05 + 2 * error, r
    assert all(m.p >= 1e-3 for m in ranks().values())


@pytest.mark.parametrize("at_60", [0.35, 0.5, 0.65])
def test_the_size_of_an_estimate_with_a_known_error(at_60: float) -> None:
    """Power is Phi(d sqrt(n) - 1.96): the size for 80 % has a closed form."""
    d = (norm.ppf(at_60) + 1.96) / 60**0.5
    power = tuple(float(norm.cdf(d * n**0.5 - 1.96)) for n in (30, 60, 120))
    exact = ((norm.ppf(0.8) + 1.96) / d) ** 2
    found = smallest(replace(ONE, supported=power))
    if exact > 120:
        assert found == ("more than", 120)
    else:
        assert found is not None
        assert found[0] == "about"
        assert exact <= found[1] <= exact + 1


def test_sizes_at_the_ends() -> None:
    assert smallest(replace(ONE, supported=(0.9, 0.95, 1.0))) == ("at most", 30)
    assert smallest(replace(ONE, supported=(0.1, 0.2, 0.3))) == ("more than", 120)
    assert smallest(replace(ONE, supported=())) is None

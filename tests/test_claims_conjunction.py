"""Conjunctions: the lowest condition decides, and what is mistaken for it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from test_claims import judged
from traps import Rows, theory

LEVELS = dict.fromkeys("abc", "department") | {"y": "partnership"}
CLAIM = {"kind": "conjunction", "from": ["a", "b", "c"], "to": "y"}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return theory(tmp_path_factory.mktemp("c"), LEVELS, [f"{c} > y" for c in "abc"], CLAIM)


def drawn(seed: int, mean: Callable[..., np.ndarray]) -> pd.DataFrame:
    """Three conditions that correlate at 0.4, one in other units."""
    r = Rows(seed, 80, departments=3, partnerships=2)
    shared = r.draw("department", 0.63)
    a, b, c = (shared + r.draw("department", 0.77) for _ in range(3))
    y = mean(a, b, c) + r.draw("district", 0.3) + r.draw("department", 0.3) + r.draw(sd=0.7)
    return r.table(a=50 + 20 * a, b=b, c=c, y=y).drop(columns="partner")


def test_the_lowest_condition_is_found(three: Any) -> None:
    found = judged(three, drawn(1, lambda a, b, c: 0.8 * np.minimum(np.minimum(a, b), c)))
    row = found.verdicts.iloc[0]
    assert row["status"] == "supported"
    assert row["p_prior"] == pytest.approx(1 / 6)
    assert len(found.fits) == 6
    said = " ".join(found.rulings["H"].said)
    assert "(additive)" in said
    assert "(consistency)" in said


@pytest.mark.parametrize(
    "mean",
    [
        lambda a, b, c: 0.3 * (a + b + c),
        lambda a, _b, _c: 0.5 * a,
        lambda a, b, c: 0.3 * a * b + 0.2 * (a + b + c),
        lambda a, b, c: 0.3 * (a + b + c) - 0.1 * (a**2 + b**2 + c**2),
    ],
    ids=["additive", "one strong condition", "multiplicative", "diminishing returns of each"],
)
def test_what_is_no_conjunction(three: Any, mean: Callable[..., np.ndarray]) -> None:
    assert judged(three, drawn(2, mean)).verdicts.iloc[0]["status"] != "supported"


def test_evidence_under_other_priors_is_that_of_a_fit_with_them(three: Any) -> None:
    """The mean ratio of the priors moves the log marginal likelihood as a fit with them does."""
    import acmodels as ac
    from acmodels.theory.sensitivity import weights_at

    found = judged(three, drawn(3, lambda a, b, c: 0.3 * (a + b + c)), draws=1000)
    fit = found.fits["H_additive"]
    made = weights_at(fit, 0.5)
    assert made is not None
    table = found.files["H_additive"].table()
    table["priors"] = {
        p.name: dict(p.distribution.parameters, dist=p.distribution.name)
        for p in fit.priors.values()
    }
    for p in table["priors"].values():
        p["sigma"] = float(p["sigma"]) / 2
    other = ac.fit(ac.load_model(table), drawn(3, lambda a, b, c: 0.3 * (a + b + c)), draws=1000)
    before, after = fit.log_marginal_likelihood, other.log_marginal_likelihood
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(made[1], abs=0.1)


def test_an_outcome_in_categories_is_not_testable(three: Any) -> None:
    data = drawn(4, lambda a, b, c: a + b + c)
    data["y"] = (data["y"] > 0).astype(int)
    row = judged(three, data).verdicts.iloc[0]
    assert row["status"] == "not_testable"
    assert "exact Bayes factors" in row["reason"]

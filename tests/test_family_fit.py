"""One ordinal fit by the whole command: groups, a mediator, verdicts' estimands and the report."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.inference.fitting import Fit
from acmodels.reporting.checks import predictive_checks

N, J = 240, 12


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    g = np.arange(N) % J
    x = rng.normal(size=N)
    eta = 0.8 * x + 0.7 * rng.normal(size=J)[g] + rng.logistic(size=N)
    o = 1 + np.sum(eta[:, None] > np.array([-1.0, 0.5, 1.5]), axis=1)
    return pd.DataFrame({"x": x, "o": o, "g": [f"g{k}" for k in g]})


@pytest.fixture(scope="module")
def fit() -> Fit:
    model = ac.load_model(
        {
            "name": "likert",
            "equations": {"o": {"formula": "o ~ x + (1 | g)", "family": "ordinal"}},
            "estimands": {
                "slope": {"kind": "coefficient", "parameter": "o ~ x"},
                "share": {"kind": "variance_share", "parameter": "sd(o ~ 1 | g)"},
            },
        }
    )
    return ac.fit(model, ac.study(frame()), seed=2)


def test_an_ordinal_model_is_sampled(fit: Fit) -> None:
    """The posterior mean within 3 posterior sds of the truth, which is far beyond its MCSE."""
    assert fit.diagnostics.engine == "hmc"
    assert fit.diagnostics.usable, fit.diagnostics.messages
    assert list(fit.estimates["name"][:4]) == ["o | t1", "o | t2", "o | t3", "o ~ x"]
    for name, truth in (("o | t1", -1.0), ("o | t2", 0.5), ("o | t3", 1.5), ("o ~ x", 0.8)):
        draws = fit.draws[name]
        assert abs(draws.mean() - truth) < 3 * draws.std(), name
    share = ac.estimate(fit).table.set_index("name").loc["share"]
    sd = fit.draws["sd(o ~ 1 | g)"]
    assert share["mean"] == pytest.approx((sd**2 / (sd**2 + np.pi**2 / 3)).mean())


def test_its_predictive_check_is_of_categories(fit: Fit) -> None:
    (check,) = predictive_checks(fit)
    assert [b.label for b in check.bars] == ["1", "2", "3", "4"]
    observed = frame()["o"].value_counts(normalize=True).sort_index()
    np.testing.assert_allclose([b.observed for b in check.bars], observed)
    assert all(b.low <= b.observed <= b.high for b in check.bars)
    assert [s.name for s in check.statistics] == ["mean", "standard deviation"]


def test_its_report_is_written(fit: Fit, tmp_path: Path) -> None:
    text = ac.report(fit, tmp_path / "report.html").read_text(encoding="utf-8")
    for word in ("an ordinal response", "o | t1", "Shares of o, observed and replicated"):
        assert word in text

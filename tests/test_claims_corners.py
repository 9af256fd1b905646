"""Necessary and sufficient conditions: empty corners, and what empties a corner besides."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import acmodels as ac
from acmodels.data import Study
from acmodels.errors import DataError
from acmodels.spec.model import NormalScores
from acmodels.system.rows import normal_scores, scores_of
from test_claims import judged, status
from traps import Rows, theory

LEVELS = {"x": "department", "y": "department"}


def claim(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "from": "x", "to": "y", **more}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return {
        k: theory(tmp_path_factory.mktemp(k), LEVELS, ["x > y"], claim(k))
        for k in ("necessary", "sufficient")
    }


def rows(seed: int, districts: int = 120) -> Rows:
    return Rows(seed, districts, departments=4, partnerships=1)


def limited(r: Rows, x: np.ndarray) -> np.ndarray:
    """Something else makes y, up to a ceiling that x sets."""
    return np.minimum(0.8 * x + 0.6, r.draw()) + r.draw(sd=0.2)


def table(r: Rows, x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    return r.table(x=x, y=y).drop(columns=["partner", "partnership"])


@pytest.mark.parametrize("kind", ["necessary", "sufficient"])
def test_an_empty_corner_is_found_and_its_mirror_is_not(both: Any, kind: str) -> None:
    r = rows(1)
    x = r.draw()
    sign = 1 if kind == "necessary" else -1
    found = table(r, sign * x, sign * limited(r, x))
    assert status(both[kind], found) == "supported"
    other = "sufficient" if kind == "necessary" else "necessary"
    assert not status(both[other], found).startswith("supported")


@pytest.mark.parametrize("slope", [0.0, 0.3, 0.6, 0.9])
def test_correlation_empties_a_corner_and_is_no_necessity(both: Any, slope: float) -> None:
    """At 0.9 two in a thousand are in the corner: no more than such a slope makes of it."""
    r = rows(2)
    x = r.draw()
    y = slope * x + r.draw(sd=float(np.sqrt(1 - slope**2)))
    for kind in ("necessary", "sufficient"):
        assert not status(both[kind], table(r, x, y)).startswith("supported")
    if slope == 0:
        assert status(both["necessary"], table(r, x, y)) == "contradicted reversed"


@pytest.mark.parametrize("seed", range(3))
def test_the_end_of_a_scale_and_ties_are_no_necessity(both: Any, seed: int) -> None:
    r = rows(10 + seed)
    x = r.draw()
    y = 0.6 * x + r.draw(sd=0.8)
    for tied in (np.minimum(y, 0.43), np.searchsorted([-1.5, -0.5, 0.5, 1.5], y).astype(float)):
        assert not status(both["necessary"], table(r, x, tied)).startswith("supported")


def test_units_and_not_rows_are_in_the_corner(both: Any) -> None:
    """Rows of one department count as one, by their mean."""
    r = Rows(3, 120, departments=4, partnerships=3)
    x = r.draw("department")
    y = np.minimum(0.8 * x + 0.6, r.draw("department")) + r.draw("department", 0.2)
    found = judged(both["necessary"], r.table(x=x, y=y + r.draw(sd=0.3)).drop(columns="partner"))
    said = found.rulings["H"].said[0]
    assert " of 120 units that are low in x" in said
    assert found.verdicts.iloc[0]["status"] == "supported"
    assert 0.05 < found.verdicts.iloc[0]["p_prior"] < 0.35  # Beta(1/2, 1/2) below 0.1: 0.205


def test_too_few_units_are_not_testable(both: Any) -> None:
    r = rows(4, districts=30)
    x = r.draw()
    row = judged(both["necessary"], table(r, x, limited(r, x))).verdicts.iloc[0]
    assert row["status"] == "not_testable"
    assert "about 144 departments" in row["reason"]


def test_departments_of_one_district_count_for_less(both: Any) -> None:
    r = rows(5)
    x = r.draw("district")
    y = r.draw("district") + r.draw(sd=0.2)
    said = judged(both["necessary"], table(r, x, y)).rulings["H"].said
    assert any("count as" in x for x in said)


def test_normal_scores_by_hand() -> None:
    """Of untied values expected scores, mean 0; of a category the mean of its slice."""
    x = np.array([3.0, 1, 2, np.nan])
    third = stats.norm.ppf(1 / 3)
    edge = 3 * stats.norm.pdf(third)
    np.testing.assert_allclose(scores_of(x), [edge, -edge, 0, np.nan], atol=1e-12)
    ties = scores_of(np.array([0.0, 0, 0, 1]))
    cut = stats.norm.pdf(stats.norm.ppf(0.75))
    np.testing.assert_allclose(ties, [-cut / 0.75] * 3 + [cut / 0.25])


def test_normal_scores_of_a_model_file() -> None:
    """`[normal_scores]` orders the means of units, and its name must be free."""
    data = pd.DataFrame({"g": list("aabbcc"), "y": [1.0, 3, 0, 0, 9, 7], "x": range(6)})
    found = normal_scores(Study("d", data), NormalScores(("y",), "g"))
    assert found[0] == found[1]
    assert found[2] < found[0] < found[4]
    model = {
        "name": "m",
        "normal_scores": {"order": {"of": ["-y"]}},
        "equations": {"order": {"formula": "order ~ x"}},
    }
    fit = ac.fit(ac.load_model(model), ac.study(data), draws=250)
    assert fit.system.responses["order"][4] == pytest.approx(scores_of(-data["y"].to_numpy())[4])
    with pytest.raises(DataError, match="normal_scores.order"):
        ac.fit(ac.load_model(model), ac.study(data.assign(order=1.0)), draws=250)


def test_the_model_can_be_run_again(both: Any, tmp_path: Path) -> None:
    """What `test` writes is a model file that `fit` takes, on the same data."""
    r = rows(6, districts=50)
    x = r.draw()
    data = table(r, x, limited(r, x))
    found = judged(both["necessary"], data)
    (name, file), *_ = found.files.items()
    (tmp_path / "model.toml").write_text(file.text())
    again = ac.fit(ac.load_model(tmp_path / "model.toml"), ac.study(data), draws=250)
    np.testing.assert_allclose(again.draws.values, found.fits[name].draws.values)

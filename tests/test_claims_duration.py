"""Durations: spells with ends that are not there yet, hazards, and how long a spell lasts."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from statsmodels.duration.survfunc import SurvfuncRight

from acmodels.data import study
from acmodels.framework.files import load_framework
from acmodels.theory.claims import Terms
from acmodels.theory.claims.duration import Keys, rule, spells, survival
from acmodels.theory.compiler import CompiledProposition, compile_proposition, full_study
from acmodels.theory.ruling import decide
from traps import Rows, theory

LEVELS = {"x": "department", "y": "department"}
CLAIM = {"kind": "duration", "of": "y", "from": "x", "sign": "+"}


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return theory(tmp_path_factory.mktemp("d"), LEVELS, ["x > y"], CLAIM)


def drawn(seed: int, slope: float, last: int = 6) -> pd.DataFrame:
    r = Rows(seed, 30, departments=4, partnerships=1)
    x = r.draw()
    start = r.rng.integers(1, 4, r.n)
    end = start + r.rng.geometric(expit(-1.2 - slope * x))
    seen = np.where(end <= last, end.astype(float), np.nan)
    found = r.table(x=x, y_start=start, y_end=seen)
    return found.drop(columns=["partner", "partnership"])


def compiled(framework: Any, table: pd.DataFrame) -> CompiledProposition:
    return compile_proposition(framework, framework.propositions["H"], study(table))


def test_spells_count_the_waves_in_which_they_could_have_ended() -> None:
    nan = np.nan
    found = spells(np.array([1, 2, nan, 4, 3, 3.0]), np.array([3, nan, nan, nan, 3, 4.0]))
    row, period, ended = found.periods()
    assert list(row) == [0, 0, 1, 1, 5]  # the last wave is 4; the fourth and the fifth saw none
    assert list(period) == [1, 2, 1, 2, 1]
    assert list(ended) == [0, 1, 0, 0, 1]
    assert found.lost == 2


def test_shares_of_ends_are_those_of_kaplan_and_meier() -> None:
    """Ends over spells at risk, wave by wave, multiply to the Kaplan-Meier curve."""
    table = drawn(3, 0.5)
    found = spells(table["y_start"].to_numpy(float), table["y_end"].to_numpy(float))
    _, period, ended = found.periods()
    hazard = [ended[period == t].mean() for t in np.unique(period)]
    curve = SurvfuncRight(found.waves, found.ended)
    by_hand = dict(zip(np.unique(period), np.cumprod(1 - np.array(hazard)), strict=True))
    for t, s in zip(curve.surv_times, np.asarray(curve.surv_prob), strict=True):
        assert by_hand[t] == pytest.approx(s)


def test_the_model_is_of_spells_in_waves(lasting: Any) -> None:
    found = compiled(lasting, drawn(1, 0.8))
    (model,) = found.compiled[0].models
    assert model.table()["equations"]["y_ended"] == {
        "formula": "y_ended ~ 1 + x + factor(y_period) + (1 | district)",
        "family": "bernoulli",
    }
    rows = found.settings[0].study
    assert rows.n_rows > 120
    assert np.sum(rows.frame["y_ended"].to_numpy()) == drawn(1, 0.8)["y_end"].notna().sum()


def test_how_long_a_spell_lasts_by_hand() -> None:
    """With a hazard of 1/2 a spell lasts 1 + 1/2 + 1/4 of three waves."""
    zero = np.zeros(4)
    curve = survival(zero, zero, [zero, zero, zero], 1.0)
    np.testing.assert_allclose(curve[:, 0], [0.5, 0.25, 0.125])


@pytest.mark.parametrize(("slope", "expected"), [(-0.8, "supported"), (0.8, "contradicted")])
def test_a_lower_hazard_is_a_longer_spell(slope: float, expected: str) -> None:
    rng = np.random.default_rng(1)
    answers = {
        "slope": slope + 0.1 * rng.standard_normal(4000),
        "level": np.full(4000, logit(0.3)),
        "wave_2": np.zeros(4000),
    }
    keys = Keys.model_validate({"of": "y", "from": "x", "sign": "+"})
    found = rule(answers, Terms(0.975, 0.05), keys=keys, waves=(1, 2), at=(0.0, 1.0), ended=(9, 12))
    assert decide(found)[0] == expected
    low, high = expit(logit(0.3) - slope), expit(logit(0.3) + slope)  # hazards at -1 and +1
    assert found.parts[1].draws.mean() == pytest.approx(low - high, abs=0.02)
    assert "9 of 12 spells ended" in found.said[0]


def test_few_ends_are_not_testable(lasting: Any) -> None:
    table = drawn(1, 0.8)
    table.loc[table.index[5:], "y_end"] = np.nan
    assert "spells of 'y' ended" in compiled(lasting, table).lacking[0]


def test_without_spells_the_level_is_judged_and_that_is_said(lasting: Any) -> None:
    table = drawn(1, 0.8).drop(columns=["y_start", "y_end"])
    found = compiled(lasting, table.assign(y=table["x"] + 1.0))
    assert not found.lacking or "y" in found.lacking[0]
    r = np.random.default_rng(1)
    found = compiled(lasting, table.assign(y=table["x"] + r.standard_normal(len(table))))
    assert any("no spells of y" in n for n in found.compiled[0].notes)


@pytest.mark.parametrize("proposition", ["P15", "P26"])
def test_propositions_of_durations_compile(proposition: str) -> None:
    f = load_framework()
    made = compile_proposition(f, f.propositions[proposition], full_study(f), schematic=True)
    assert not made.lacking

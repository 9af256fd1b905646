"""Claims of kind shock: an event strikes a condition, and an outcome follows.

Studies are made with plain NumPy: such in which an event acts, and such that fool a comparison of
waves with and without it: events that follow a bad wave, units that have more of them for good, a
crisis of two waves in which an event falls, and a trend that all share.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from acmodels.data import study
from acmodels.load import load_model
from acmodels.system import build_system
from acmodels.theory.assessment import assess
from acmodels.theory.claims import Terms
from acmodels.theory.compiler import CompiledProposition, compile_proposition
from acmodels.theory.ruling import decide
from traps import theory

LEVELS = dict.fromkeys(("event", "other", "c", "y"), "district")
ARROWS = ["event > c -", "c > y +", "other > c"]
CLAIM = {"kind": "shock", "effects": [{"event": "event", "on": "c", "sign": "-"}], "to": "y"}
TERMS = Terms(0.975, 0.05)


def events(
    seed: int,
    size: float = 0.0,
    *,
    units: int = 100,
    count: int = 5,
    follows: float = 0.0,
    prone: float = 0.0,
    crisis: float = 0.0,
    trend: float = 0.0,
    later: bool = False,
) -> pd.DataFrame:
    """Districts in waves: events that lower c by `size`, and what else goes with them.

    Args:
        seed: of the random numbers.
        size: of the effect on c; y follows c by 0.5.
        units, count: districts and waves.
        follows: how much likelier an event is after a bad wave.
        prone: how much likelier where c is low for good.
        crisis: what lowers c in the wave before an event and in its own.
        trend: of c and y, while events get more frequent.
        later: whether the event acts one wave later.
    """
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((units, 2)) @ np.array([[0.7, 0.4], [0.0, 0.6]])
    w = rng.standard_normal((units, 2))
    struck = rng.random((units, count + 1)) < 0.2  # of a crisis, the wave of the event
    before = np.zeros(units, dtype=bool)
    rows: list[pd.DataFrame] = []
    for t in range(count):
        if crisis:
            happens = struck[:, t]
        else:
            push = -1.4 - follows * w[:, 0] - prone * u[:, 0] + 0.3 * trend * t
            happens = rng.random(units) < 1 / (1 + np.exp(-push))
        if t:
            w = w @ np.array([[0.4, 0.2], [0.1, 0.4]]) + rng.standard_normal((units, 2))
        acts = before if later else happens
        hit = -size * acts - crisis * (happens | struck[:, t + 1])
        w = w + hit[:, None] * np.array([1.0, 0.5])
        w[:, 1] += 0.4 * rng.standard_normal(units)
        before = happens
        both = u + w + trend * t
        rows.append(
            pd.DataFrame(
                {
                    "district": [f"d{k}" for k in range(units)],
                    "wave": t + 1,
                    "event": happens.astype(int),
                    "c": both[:, 0],
                    "y": both[:, 1] + 0.5 * both[:, 0],
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


@pytest.fixture
def shock(tmp_path: Path) -> Any:
    return theory(tmp_path / "f", LEVELS, ARROWS, CLAIM)


def compiled(f: Any, table: pd.DataFrame) -> CompiledProposition:
    return compile_proposition(f, f.propositions["H"], study(table))


def test_a_shock_compiles_to_a_panel_with_the_event_and_its_lead(shock: Any) -> None:
    table = events(1, 0.8)
    (one,) = compiled(shock, table).compiled
    (file,) = one.models
    model = load_model(file.table())
    assert model.panel is not None
    assert model.residual_correlation == (("c", "y"),)
    for e in model.equations.values():
        for part in (
            "event", "lead(event)", "between(event, district)", "within(lag(c), district)",
            "within(lag(y), district)", "factor(wave)", "(1 |u| district)",
        ):  # fmt: skip
            assert part in e.formula.text
    build_system(model, study(table))
    assert any("bad wave" in n for n in one.notes)


def test_an_event_that_acts_later_is_compared_with_its_own_wave(tmp_path: Path) -> None:
    f = theory(tmp_path / "f", LEVELS, ["event > c later -", "c > y later +"], CLAIM)
    (one,) = compiled(f, events(1)).compiled
    table = one.models[0].table()
    assert "lag(event)" in table["equations"]["c"]["formula"]
    assert "lead(" not in table["equations"]["c"]["formula"]
    assert table["estimands"]["next_1"]["parameter"] == "y ~ within(lag(c), district)"


def test_of_several_events_those_that_are_there_are_tested(tmp_path: Path) -> None:
    claim = {**CLAIM, "effects": [*CLAIM["effects"], {"event": "other", "on": "c", "sign": "+"}]}
    f = theory(tmp_path / "f", LEVELS, ARROWS, claim)
    (one,) = compiled(f, events(1)).compiled
    assert len(one.models) == 1
    assert any("1 of 2 effects: nothing is said of other" in n for n in one.notes)
    both = events(1).assign(other=(np.arange(500) // 3 % 4 == 0).astype(int))
    (one,) = compiled(f, both).compiled
    assert [m.name for m in one.models] == ["H_1", "H_2"]
    assert " + other + " in one.models[0].table()["equations"]["c"]["formula"]
    rare = both.assign(other=(np.arange(500) < 3).astype(int))
    (one,) = compiled(f, rare).compiled
    assert any("other differs between the waves of 3 districts" in n for n in one.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.drop(columns="event"), "lack the event 'event'"),
        (lambda d: d.drop(columns="y"), "lack the outcome 'y'"),
        (lambda d: d[d["wave"] < 3], "have 2 waves"),
        (
            lambda d: d.assign(event=(d["district"] == "d1") * d["wave"]),
            "the waves of 1 districts; it takes",
        ),
        (lambda d: d.assign(event=d["event"].map({0: "none", 1: "left"})), "holds text"),
    ],
)
def test_what_cannot_be_tested_says_what_it_takes(shock: Any, change: Any, words: str) -> None:
    found = compiled(shock, change(events(1)).reset_index(drop=True))
    assert not found.compiled
    assert words in " ".join(found.lacking)


def ruled(shock: Any, after: float, before: float, step: float, sd: float = 0.02) -> str:
    """The verdict on draws about some values, in sds of deviations."""
    table = events(1)
    (one,) = compiled(shock, table).compiled
    rng = np.random.default_rng(3)
    inside = {
        c: (table[c] - table.groupby("district")[c].transform("mean")).std(ddof=1) for c in "cy"
    }

    def about(x: float) -> np.ndarray:
        return x + sd * rng.standard_normal(4000)

    draws = {
        "after_1": about(after) * inside["c"], "before_1": about(before) * inside["c"],
        "total_1": about(after * step) * inside["y"],
        "together_1": about(step) * inside["y"] / inside["c"],
        "sigma_on_1": np.ones(4000), "sigma_to_1": np.ones(4000),
    }  # fmt: skip
    return " ".join(decide(one.rule(draws, TERMS))).strip()


def test_the_rule_on_a_shock(shock: Any) -> None:
    assert ruled(shock, -0.5, 0.0, 0.4) == "supported"
    assert ruled(shock, -0.5, -0.5, 0.4) == "undecided"  # the difference was there before
    assert ruled(shock, -0.5, 0.0, 0.05) == "undecided"
    assert ruled(shock, -0.5, 0.0, 0.0, 0.01) == "contradicted negligible"
    assert ruled(shock, 0.5, 0.0, 0.4) == "contradicted reversed"
    assert ruled(shock, -0.5, 0.0, -0.4) == "contradicted reversed"


SEEDS = (1, 2)


def statuses(f: Any, **more: Any) -> list[str]:
    tables = [events(seed, **more) for seed in SEEDS]
    return [str(assess(t, framework=f).verdicts.iloc[0]["status"]) for t in tables]


@pytest.mark.slow
def test_an_event_that_acts_is_supported(shock: Any) -> None:
    assert statuses(shock, size=0.8) == ["supported"] * len(SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "trap",
    [{"follows": 1.0}, {"prone": 1.0}, {"crisis": 0.6}, {"trend": 0.3}],
    ids=["follows", "prone", "crisis", "trend"],
)
def test_what_goes_with_an_event_does_not_pass_for_its_effect(shock: Any, trap: Any) -> None:
    assert "supported" not in statuses(shock, **trap)

"""Constructs measured by items in waves: what the model holds, and what is refused in words.

The density is held to one by hand in test_missing_density and test_hmc_density.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from acmodels.data import study
from acmodels.errors import AcmodelsError
from acmodels.generate import generate
from acmodels.load import load_model
from acmodels.priors import resolve_priors
from acmodels.system import System, build_layout, build_system, parameters

UNITS, WAVES, RATERS = 10, 3, 2
PANEL = {"unit": "team", "wave": "wave"}
ITEMS = {c: [f"{c.lower()}{k}" for k in (1, 2, 3)] for c in "FH"}
CROSS = {
    c: f"{c} ~ factor(wave) + within(lag(F), team) + within(lag(H), team) + (1 |u| team)"
    for c in "FH"
}


def frame(units: int = UNITS, waves: int = WAVES, raters: int = RATERS) -> pd.DataFrame:
    """Each rater of each unit in each wave."""
    rng = np.random.default_rng(5)
    n = units * waves * raters
    team = np.repeat(np.arange(units), waves * raters)
    rater = np.tile(np.arange(raters), units * waves)
    return pd.DataFrame(
        {
            "team": [f"t{k}" for k in team],
            "wave": np.tile(np.repeat(np.arange(1, waves + 1), raters), units),
            "person": [f"p{a}.{b}" for a, b in zip(team, rater, strict=True)],
            "z": rng.normal(size=n),
            **{i: rng.integers(1, 6, n) for items in ITEMS.values() for i in items},
        }
    )


def model(equations: dict[str, str] | None = None, *, measures: Any = None, **each: Any) -> Any:
    written = {k: {"formula": f} for k, f in (CROSS if equations is None else equations).items()}
    found = {c: {"items": ITEMS[c], "level": "team", **each} for c in "FH"}
    return load_model(
        {"name": "t", "panel": PANEL, "equations": written, "measures": measures or found}
    )


def names(m: Any, data: pd.DataFrame | None = None) -> list[str]:
    found = build_system(m, study(frame() if data is None else data))
    return [p.name for p in parameters(found.sampled.layout)]


def test_each_unit_in_each_wave_has_a_value_and_items_differ_for_good() -> None:
    one = frame(raters=1)
    found = build_system(model(), study(one)).sampled.layout
    for m in found.measures:
        assert (m.units, m.waves) == (tuple(one["team"]), tuple(map(str, one["wave"])))
        assert len(found.missing[found.measures.index(m)].at) == UNITS * WAVES
    known = {p.name for p in parameters(found)}
    for c, items in ITEMS.items():
        want = {f"sd({i} ~ 1 | team)" for i in items} | {f"{c} =~ {i}" for i in items}
        assert want | {f"sigma({c})", f"sigma1({c})", f"sd({c} ~ 1 | team)"} <= known
        assert f"{c} ~ factor(wave)[1]" not in known
        assert {f"{c} ~ factor(wave)[2]", f"{c} ~ factor(wave)[3]"} <= known
    priors = resolve_priors({}, found, build_system(model(), study(one)).sampled.responses)
    assert priors["sigma(F)"].held == 1.0
    assert priors["sigma1(F)"].held is None
    assert priors["sd(f1 ~ 1 | team)"].distribution.scale == pytest.approx(2.5)


def test_raters_have_a_lasting_part_and_one_by_wave() -> None:
    lasting, waves = "sd(F ~ 1 | person)", "sd(F ~ 1 | person:wave)"
    known = names(model(rater="person"))
    assert {lasting, waves, "cor(F ~ 1, H ~ 1 | person)", "cor(F ~ 1, H ~ 1 | person:wave)"} <= {
        *known
    }
    new = frame()
    new["person"] = new["person"] + new["wave"].astype(str)  # others in each wave
    assert waves not in names(model(rater="person"), new)
    assert lasting in names(model(rater="person"), new)
    turns = frame()[lambda d: d["person"].str[-1].astype(int) == d["wave"] % 2]  # one at a time
    assert waves not in names(model(rater="person"), turns)
    assert lasting in names(model(rater="person"), turns)
    unknown = names(model())  # rows are raters, who are not known again
    assert "sd(F ~ 1 | rater)" in unknown
    assert not any(":wave" in n for n in unknown)
    with pytest.raises(AcmodelsError, match="in each wave, and the same one in all waves"):
        names(model(rater="person"), frame(raters=1))


def test_constructs_without_an_equation_have_lasting_differences_that_correlate() -> None:
    m = load_model(
        {
            "name": "t", "panel": PANEL,
            "measures": {c: {"items": ITEMS[c], "level": "team"} for c in "FH"},
        }
    )  # fmt: skip
    known = names(m, frame(raters=1))
    want = {"F ~ factor(wave)[2]", "sd(H ~ 1 | team)", "cor(F ~ 1, H ~ 1 | team)", "cor(F, H)"}
    assert want <= {*known}
    assert "sigma1(F)" not in known


def test_what_is_lagged_is_one_value_of_a_unit_in_a_wave() -> None:
    for level in (None, "person"):
        found = {c: {"items": ITEMS[c], **({"level": level} if level else {})} for c in "FH"}
        with pytest.raises(AcmodelsError, match=r"'F' is lagged.*level = \"team\""):
            names(model(measures=found))
    alone = {c: {"items": ITEMS[c]} for c in "FH"}  # a row is a unit in a wave
    assert "sd(f1 ~ 1 | team)" in names(model(measures=alone), frame(raters=1))


def test_a_wave_that_is_not_there_has_a_value_of_the_construct() -> None:
    gone = frame(raters=1)[lambda d: ~((d["team"] == "t3") & (d["wave"] == 2))]
    found = build_system(model(), study(gone.reset_index(drop=True))).sampled.layout
    m = found.measures[0]
    assert ("t3", "2") in set(zip(m.units, m.waves, strict=True))
    assert len(m.units) == UNITS * WAVES
    e = found.equation("f1")
    assert e.n == UNITS * WAVES - 1


def test_rough_values_are_of_the_unit_in_the_wave() -> None:
    data = frame(raters=1)
    for c, items in ITEMS.items():
        for i in items:
            data[i] = data["wave"] + (c == "H")
    data.loc[::4, ITEMS["F"]] += 1
    data.loc[::7, ITEMS["H"]] += 1
    found = build_system(model(), study(data))
    scores = found.responses["F"]
    assert np.ptp([scores[data["wave"] == w].mean() for w in (1, 2, 3)]) > 1.5


def test_an_outcome_of_a_unit_in_a_wave_is_not_taken_from_another_wave() -> None:
    data = frame(raters=1)
    data["y"] = np.arange(len(data)) * 1.0
    data.loc[4, "y"] = np.nan
    formula = "y ~ z + within(lag(y), team) + (1 | team)"
    m = load_model(
        {"name": "t", "panel": PANEL, "equations": {"y": {"formula": formula, "level": "team"}}}
    )
    gaps = build_system(m, study(data)).sampled.layout.missing
    assert [(g.variable, list(g.at)) for g in gaps] == [("y", [4])]


def moments(system: System, truth: dict[str, float], seed: int = 1) -> np.ndarray:
    """The covariance of answers to the first items in two waves, over many units."""
    made = generate(system.layout, truth, np.random.default_rng(seed))
    e = system.layout.equation("f1")
    table = pd.DataFrame({"v": made.responses["f1"], "row": e.rows})
    table["team"] = table["row"] // (2 * RATERS)
    table["place"] = table["row"] % (2 * RATERS)
    return np.cov(table.pivot_table(index="team", columns="place", values="v").to_numpy().T)


def test_generated_answers_covary_by_construct_item_and_rater() -> None:
    data = frame(units=6000, waves=2)
    family = dict.fromkeys(ITEMS["F"], "gaussian")
    m = load_model(
        {
            "name": "t", "panel": PANEL,
            "measures": {
                "F": {"items": ITEMS["F"], "family": family, "level": "team", "rater": "person"}
            },
            "equations": {"F": {"formula": "F ~ within(lag(F), team) + (1 | team)"}},
        }
    )  # fmt: skip
    layout = build_layout(m, study(data.drop(columns=[*ITEMS["F"], *ITEMS["H"]])))
    truth = {
        p.name: {"threshold": 0.0, "coefficient": 0.0, "loading": 1.0}.get(p.kind, 1.0)
        for p in parameters(layout)
    }
    truth |= {
        "F =~ f1": 2.0, "F ~ within(lag(F), team)": 0.5, "sd(F ~ 1 | team)": 0.6,
        "sd(F ~ 1 | person)": 0.4, "sd(F ~ 1 | person:wave)": 0.3, "sd(f1 ~ 1 | team)": 0.7,
        "sigma1(F)": 1.5, "sigma(F)": 1.0, "sigma(f1)": 0.8,
    }  # fmt: skip
    system: Any = type("S", (), {"layout": layout})()
    V = moments(system, truth)
    first, later = 1.5**2, 0.25 * 1.5**2 + 1.0
    trait, item = 4 * 0.36, 0.49
    same_wave = [4 * first + trait + item, 4 * later + trait + item]
    across = 4 * 0.5 * first + trait + item
    own, wave, error = 4 * 0.16, 4 * 0.09, 0.64
    want = np.full((4, 4), across)
    want[:2, :2], want[2:, 2:] = same_wave
    for a, b in ((0, 2), (1, 3)):
        want[a, b] = want[b, a] = across + own
    want += np.eye(4) * (own + wave + error)
    np.testing.assert_allclose(V, want, rtol=0.06)

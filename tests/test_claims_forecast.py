"""Claims of kind forecast: what units have at the first wave predicts what they have later.

Studies are made with plain NumPy: such in which the first wave predicts, and such that fool a
naive analysis: capacity that goes with learning in the same wave only, one district that drives
the slope, many rows of each unit, and partners that choose whom they work with.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from acmodels.data import study
from acmodels.inference.fitting import fit
from acmodels.load import load_model
from acmodels.system import build_system
from acmodels.theory.assessment import Assessment, assess
from acmodels.theory.claims import Compiled, Terms, forecast
from acmodels.theory.compiler import CompiledProposition, compile_proposition
from acmodels.theory.left_out import left_out
from acmodels.theory.ruling import decide
from monte_carlo import FALSE_ALARM, allowed
from traps import theory

CLAIM = {"kind": "forecast", "from": "x", "to": "y", "sign": "+"}
LEVELS = {"x": "department", "y": "department"}
TERMS = Terms(0.975, 0.05)


def drawn(
    seed: int,
    slope: float = 0.0,
    *,
    districts: int = 24,
    departments: int = 2,
    count: int = 3,
    rows: int = 1,
    now: float = 0.0,
    extreme: float = 0.0,
    odd: int = 1,
    partners: int = 0,
    crossed: bool = False,
    chosen: float = 0.0,
) -> pd.DataFrame:
    """Departments in districts, in waves: x at the first wave moves y later by `slope`.

    x has sd 1; y has sds 0.4 between districts and departments and 0.7 between rows.

    Args:
        seed: of the random numbers.
        slope: of later y on x at the first wave.
        districts, departments, count: districts, departments in each, and waves.
        rows: of each department in a wave.
        now: of y on x of the same wave, which after the first wave is drawn anew.
        extreme: what `odd` districts have more of both, at the first wave and later.
        odd: how many.
        partners: how many there are, each with districts of its own or, if `crossed`, with rows.
        chosen: what goes with a partner, in x at the first wave and in y alike.
    """
    rng = np.random.default_rng(seed)
    district = np.repeat(np.arange(districts), departments)
    units = len(district)
    x = 0.6 * rng.standard_normal(districts)[district] + 0.8 * rng.standard_normal(units)
    of = rng.permutation(np.arange(max(districts, units * rows)) % max(partners, 1))
    good = chosen * rng.standard_normal(max(partners, 1))
    mine = of[: units * rows].reshape(units, rows) if crossed else of[district][:, None]
    x = x + good[mine].mean(axis=1)
    x[district < odd] += extreme
    u = 0.4 * rng.standard_normal(districts)[district] + 0.4 * rng.standard_normal(units)
    u[district < odd] += extreme
    tables: list[pd.DataFrame] = []
    for t in range(count):
        has = x if t == 0 else rng.standard_normal(units)
        for r in range(rows):
            partner = mine[:, r if crossed else 0]
            y = u + slope * x + now * has + good[partner] + 0.7 * rng.standard_normal(units)
            ids = {
                "district": [f"d{k}" for k in district],
                "department": [f"u{k}" for k in range(units)],
                "partner": [f"p{k}" for k in partner],
            }
            tables.append(pd.DataFrame({**ids, "wave": t + 1, "x": has, "y": y}))
    table = pd.concat(tables, ignore_index=True)
    return table if partners else table.drop(columns="partner")


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return theory(tmp_path_factory.mktemp("f"), LEVELS, [], CLAIM)


def compiled(f: Any, table: pd.DataFrame) -> CompiledProposition:
    return compile_proposition(f, f.propositions["H"], study(table))


def assessed(f: Any, table: pd.DataFrame) -> Assessment:
    return assess(table, framework=f, draws=500)


def test_a_forecast_compiles_to_two_models_of_the_waves_after_the_first(later: Any) -> None:
    table = drawn(1, 0.5, rows=2)
    table["x"] = 100 + 20 * table["x"]
    (one,) = compiled(later, table).compiled
    assert one.rows is not None
    rows = one.rows.study.frame
    assert len(rows) == 48 * 2  # departments in two later waves
    assert set(rows["wave"]) == {2, 3}
    at = table[table["wave"] == 1].groupby("department")["x"].mean()
    z = (at - at.mean()) / at.std()
    np.testing.assert_allclose(rows["x_first"], z[rows["department"]])
    texts = [load_model(m.table()).equations["y"].formula.text for m in one.models]
    groups = "factor(wave) + (1 | district) + (1 | department)"
    assert texts == [f"y ~ 1 + x_first + {groups}", f"y ~ 1 + {groups}"]
    for m in one.models:  # all priors are stated, so that they are those of rows left out too
        system = build_system(load_model(m.table()), one.rows.study)
        assert all(p.stated is not None for p in priors_of(m, system).values())
    assert any("prediction and no effect" in n for n in one.notes)


@pytest.mark.parametrize("crossed", [False, True])
def test_units_of_the_same_partner_are_compared(later: Any, crossed: bool) -> None:
    table = drawn(1, partners=8, chosen=0.8, rows=2, crossed=crossed)
    (one,) = compiled(later, table).compiled
    for m in one.models:
        text = load_model(m.table()).equations["y"].formula.text
        assert "x_first_of_partner" in text
        assert "(1 | partner)" in text
    assert any("departments with the same partner are compared" in n for n in one.notes)
    few = drawn(1, partners=40, rows=2, crossed=True)  # of hardly two departments each
    few["partner"] = few["department"] + few["partner"]
    (one,) = compiled(later, few).compiled
    assert "x_first_of_partner" not in one.models[0].table()["equations"]["y"]["formula"]


def priors_of(m: Any, system: Any) -> Any:
    from acmodels.priors import resolve_priors

    return resolve_priors(load_model(m.table()).priors, system.layout, system.responses, "m")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.drop(columns="wave"), ("one wave, or no column 'wave'", "2 waves or more")),
        (lambda d: d[d["wave"] == 1], ("what departments have at the first wave", "2 waves")),
        (lambda d: d.drop(columns="department"), ("no id column of departments",)),
        (lambda d: d.drop(columns="y"), ("lack the construct 'y'",)),
        (lambda d: d.assign(x=d["x"].where(d["wave"] > 1)), ("no department has a value of x",)),
        (lambda d: d.assign(x=d["x"].where(d["wave"] > 1, 1.0)), ("'x' has one value only",)),
        (lambda d: d[d["department"] < "u14"], ("needs at least 8",)),
        (lambda d: d.assign(y=(d["y"] > 0).astype(int)), ("a few categories", "take a number")),
        (lambda d: d.assign(wave=d["wave"] + 0.5), ("by whole numbers",)),
    ],
)
def test_what_cannot_be_tested_says_what_it_takes(
    later: Any, change: Callable[[pd.DataFrame], pd.DataFrame], words: tuple[str, ...]
) -> None:
    found = compiled(later, change(drawn(1)).reset_index(drop=True))
    said = " ".join(found.lacking)
    for w in words:
        assert w in said


def test_two_waves_are_enough_and_steps_may_differ(later: Any) -> None:
    table = drawn(1, 1.0)
    found = assessed(later, table[table["wave"] < 3]).verdicts.iloc[0]
    assert found["status"] == "supported"
    uneven = table.assign(wave=table["wave"].replace({3: 9}))
    assert not compiled(later, uneven).lacking


def test_what_predicts_is_supported_and_its_contrary_contradicted(later: Any) -> None:
    found = assessed(later, drawn(2, 0.8))
    row = found.verdicts.iloc[0]
    assert row["status"] == "supported"
    assert row["p_prior"] == pytest.approx(0.5, abs=0.1)  # 400 draws: 4 Monte Carlo errors
    (said,) = found.rulings["H"].said
    assert "24 districts have a log density" in said
    assert "higher with the first wave" in said
    assert assessed(later, drawn(2, -0.8)).verdicts.iloc[0]["how"] == "reversed"


def naive(table: pd.DataFrame, *, same: bool = False) -> float:
    """The t of a regression of later rows on the first wave (or the same), all rows alike."""
    first = table[table["wave"] == 1].groupby("department")["x"].mean()
    rows = table[table["wave"] > 1]
    x = (rows["x"] if same else first[rows["department"]]).to_numpy()
    y = rows["y"].to_numpy()
    r = np.corrcoef(x, y)[0, 1]
    return float(r * np.sqrt((len(x) - 2) / (1 - r**2)))


TRAPS: dict[str, dict[str, Any]] = {
    "none": {},
    "same wave": {"now": 0.7},
    "one district, 3 sd off": {"extreme": 3.0},
    "one district, 6 sd off": {"extreme": 6.0},
    "many rows": {"rows": 10},
    "partners with districts of their own": {"partners": 8, "chosen": 0.8},
    "partners across districts": {"partners": 8, "chosen": 0.8, "rows": 2, "crossed": True},
}
"""Worlds in which the first wave predicts nothing, or nothing but one district or the partner."""


def test_the_traps_fool_a_naive_analysis() -> None:
    for name, same in (("same wave", True), *((k, False) for k in list(TRAPS)[2:])):
        fooled = [naive(drawn(s, **TRAPS[name]), same=same) > 1.96 for s in range(40)]
        # 5 % would be fooled by chance; of 40 as many as this in 1 of 10,000
        assert sum(fooled) > binom.ppf(1 - FALSE_ALARM, 40, 0.05), name


def test_one_district_does_not_decide(later: Any) -> None:
    found = assessed(later, drawn(3, extreme=6.0))
    row = found.verdicts.iloc[0]
    assert row["p_region"] > 0.975
    assert row["status"] == "undecided"
    assert "without the district d0, so that one district decides" in row["reason"] or (
        "districts left out are not predicted better" in row["reason"]
    )
    reverse = drawn(3, extreme=6.0)
    reverse["y"] = -reverse["y"]
    assert assessed(later, reverse).verdicts.iloc[0]["status"] == "undecided"


def test_rows_of_a_unit_do_not_count_as_independent(later: Any) -> None:
    """The posterior sd of the slope is that of 48 departments in 24 districts, and not of rows."""
    few, many = (assessed(later, drawn(4, rows=r)).rulings["H"].main for r in (1, 20))
    assert few is not None
    assert many is not None
    # with the noise of rows gone, sds of districts and departments of 0.4 are left, of a total of
    # 0.9: 0.4 / 0.9 / sqrt(48) is what even known departments would err by
    assert many.draws.std() > 0.4 / 0.9 / np.sqrt(48)


def test_composites_are_those_of_all_rows_when_districts_are_left_out(tmp_path: Path) -> None:
    levels = {**LEVELS, "a": "department", "b": "department", "whole": "department"}
    f = theory(tmp_path / "c", levels, [], {**CLAIM, "to": "whole"}, parts={"whole": ["a", "b"]})
    table = drawn(5, 0.5)
    rng = np.random.default_rng(5)
    table["a"], table["b"] = 10 + 3 * table["y"], table["y"] + rng.normal(size=len(table))
    (one,) = compiled(f, table.drop(columns="y")).compiled
    assert one.rows is not None
    assert all("composites" not in m.table() for m in one.models)
    rows = table[table["wave"] > 1]
    z = sum((rows[c] - rows[c].mean()) / rows[c].std() for c in "ab")
    np.testing.assert_allclose(one.rows.study.frame["whole"], z / z.std(), atol=1e-9)


def test_what_is_left_out(later: Any) -> None:
    def left(table: pd.DataFrame) -> tuple[str, int]:
        (one,) = compiled(later, table).compiled
        assert one.left_out is not None
        return one.rule_words[1], int(one.left_out.folds.max()) + 1

    assert left(drawn(1)) == ("P(the same without any one district) reaches the threshold too", 24)
    few, count = left(drawn(1, districts=5, departments=6))  # too few districts
    assert "any one department" in few
    assert count == 30
    many = left(drawn(1, districts=70).drop(columns="district"))
    assert many[1] == forecast.FOLDS


def held(one: Compiled, probability: float, gained: np.ndarray, without: np.ndarray) -> str:
    """The verdict where the slope has its direction so often, and so often without each unit."""

    def draws(share: float) -> np.ndarray:
        return np.where(np.arange(1000) < round(1000 * share), 0.3, -0.3)

    answers = {
        "effect": draws(probability), "left_out": gained,
        "left_out/effect": np.stack([draws(w) for w in without]),
    }  # fmt: skip
    ruling = one.rule(answers, TERMS)
    return f"{' '.join(decide(ruling)).strip()}: {ruling.barred}"


def test_the_rule(later: Any) -> None:
    (one,) = compiled(later, drawn(1)).compiled
    good, sure = np.full(24, 0.5), np.full(24, 0.99)
    assert held(one, 0.99, good, sure) == "supported: "
    assert held(one, 0.9, good, sure) == "undecided: "
    # one district alone cannot lift the sum above its standard error
    alone = np.where(np.arange(24) == 3, 50.0, -0.01)
    assert "not predicted better" in held(one, 0.99, alone, sure)
    assert "not predicted better" in held(one, 0.99, -good, sure)
    weak = np.where(np.arange(24) == 3, 0.6, 0.99)
    assert "0.600 without the district" in held(one, 0.99, good, weak)
    assert held(one, 0.01, good, 1 - sure).startswith("contradicted reversed: ")
    assert held(one, 0.01, good, 1 - weak).startswith("undecided")
    unknown = np.where(np.arange(24) == 3, np.nan, 0.5)
    assert "is not known" in held(one, 0.99, unknown, sure)
    assert "is not known" in f"{one.rule({'effect': np.full(9, 0.3)}, TERMS).barred}"


# --- error and power, counted ---------------------------------------------------------------


def supported(f: Any, table: pd.DataFrame) -> str:
    """The verdict; nothing is left out where the slope alone leaves it undecided."""
    (one,) = compiled(f, table).compiled
    assert one.rows is not None
    assert one.left_out is not None
    rows = one.rows.study
    first, second = (load_model(m.table()) for m in one.models)
    slope = np.asarray(fit(first, rows, draws=500).effects.rows[0].draws).reshape(-1)
    if not max(np.mean(slope > 0), np.mean(slope < 0)) >= 0.975:
        return "undecided"
    found = left_out((first, second), rows, one.left_out.folds, 1)
    answers = {"effect": slope, "left_out": found.gains}
    answers["left_out/effect"] = found.draws["effect"]
    return decide(one.rule(answers, TERMS))[0]


@pytest.mark.statistical
@pytest.mark.parametrize("name", TRAPS)
def test_verdicts_are_rarely_wrong_where_nothing_is_predicted(later: Any, name: str) -> None:
    wrong = sum(supported(later, drawn(s, **TRAPS[name])) != "undecided" for s in range(40))
    # at most 5 % in each direction and, of 40, what chance adds to that once in 10,000
    assert wrong <= binom.ppf(1 - FALSE_ALARM, 40, 0.05)


@pytest.mark.statistical
def test_what_predicts_is_found_as_often_as_the_rule_says(later: Any) -> None:
    """By a slope of 0.4 the studies by which the rule was chosen supported 27 of 40."""
    found = sum(supported(later, drawn(s, 0.4)) == "supported" for s in range(40)) / 40
    p = 27 / 40
    assert found == pytest.approx(p, abs=allowed(*[np.sqrt(p * (1 - p) / 40)] * 2))

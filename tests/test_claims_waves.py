"""Claims about change over waves: lags within units, and growth.

As in test_claims, studies are made with plain NumPy: such in which the claim is so, is not, and
such that fool a naive analysis. What claims compile to, what they lack and how draws are ruled on
is tested without sampling.
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
from acmodels.theory.claims import lag as lags
from acmodels.theory.compiler import CompiledProposition, compile_proposition
from traps import theory

LEVELS = {"x": "department", "y": "department"}
LAG = {"kind": "lag", "from": "x", "to": "y", "sign": "+"}
TERMS = Terms(0.975, 0.05)
B = np.array([[0.4, 0.0], [0.4, 0.3]])
"""Of x and y one wave earlier, on x and y: only x moves the other."""


def waves(
    seed: int,
    lags: np.ndarray,
    *,
    units: int = 150,
    count: int = 5,
    traits: float = 0.7,
    together: float = 0.0,
    trend: float = 0.0,
) -> pd.DataFrame:
    """Units in waves: stable traits that correlate, lags of deviations, a trend that all share."""
    rng = np.random.default_rng(seed)
    T = traits * np.linalg.cholesky(np.array([[1.0, together], [together, 1.0]]))
    u = rng.standard_normal((units, 2)) @ T.T
    w = rng.standard_normal((units, 2))
    rows: list[pd.DataFrame] = []
    for t in range(count):
        if t:
            w = w @ lags.T + rng.standard_normal((units, 2))
        both = u + w + trend * t
        rows.append(
            pd.DataFrame(
                {
                    "department": [f"d{k}" for k in range(units)],
                    "district": [f"s{k // 5}" for k in range(units)],
                    "wave": t + 1, "x": both[:, 0], "y": both[:, 1],
                }
            )
        )  # fmt: skip
    return pd.concat(rows, ignore_index=True)


@pytest.fixture
def lagged(tmp_path: Path) -> Any:
    return theory(tmp_path / "f", LEVELS, ["x > y later", "y > x later"], LAG)


def compiled(f: Any, table: pd.DataFrame) -> CompiledProposition:
    return compile_proposition(f, f.propositions["H"], study(table))


def test_a_lag_compiles_to_a_random_intercept_cross_lagged_panel(lagged: Any) -> None:
    table = waves(1, B)
    (one,) = compiled(lagged, table).compiled
    (file,) = one.models
    model = load_model(file.table())
    assert model.panel is not None
    assert (model.panel.unit, model.panel.wave) == ("department", "wave")
    assert model.residual_correlation == (("x", "y"),)
    system = build_system(model, study(table))
    texts = {e.response: e.formula.text for e in model.equations.values()}
    for formula in texts.values():
        for part in ("factor(wave)", "within(lag(x), department)", "(1 |u| department)"):
            assert part in formula
    assert len(system.layout.blocks[0].members) == 2
    assert load_model_text(file.text()).equations.keys() == model.equations.keys()


def load_model_text(text: str) -> Any:
    import tomllib

    return load_model(tomllib.loads(text))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.drop(columns="wave"), ("one wave, or no column 'wave'", "3 waves or more")),
        (lambda d: d[d["wave"] == 1], ("one wave",)),
        (
            lambda d: d[d["wave"] < 3],
            (
                "have 2 waves",
                "fewer than 3",
                "1 more wave of the same",
                "150 rows",
                "acmodels power",
            ),
        ),
        (lambda d: d.drop(columns="department"), ("no id column of departments",)),
        (lambda d: d.assign(wave=d["wave"].replace({5: 9})), ("equal steps", "1, 2, 3, 4, 9")),
        (lambda d: d[d["department"].isin(["d1", "d2"])], ("departments", "needs at least 8")),
        (lambda d: d.drop(columns="y"), ("lack the construct 'y'",)),
    ],
)
@pytest.mark.parametrize("kind", ["lag", "growth"])
def test_what_cannot_be_tested_says_what_it_takes(
    tmp_path: Path, kind: str, change: Any, words: tuple[str, ...]
) -> None:
    claim = LAG if kind == "lag" else {"kind": "growth", "of": "y", "sign": "+"}
    f = theory(tmp_path / "f", LEVELS, ["x > y later", "y > x later"], claim)
    found = assess(change(waves(1, B)).reset_index(drop=True), framework=f).verdicts.iloc[0]
    assert found["status"] == "not_testable"
    said = " ".join(compiled(f, change(waves(1, B)).reset_index(drop=True)).lacking)
    for w in words:
        assert w in said


def test_rows_of_a_unit_in_a_wave_are_averaged(lagged: Any) -> None:
    one = waves(1, B)
    rng = np.random.default_rng(1)
    two = pd.concat([one, one], ignore_index=True)
    for c in ("x", "y"):
        two[c] += rng.normal(size=len(two))
    found = compiled(lagged, two)
    (s,) = found.settings
    assert s.n == len(one)
    want = two.groupby(["department", "wave"], sort=False)["x"].mean().to_numpy()
    np.testing.assert_allclose(s.values("x"), want)
    assert any("are averaged" in n for n in found.compiled[0].notes)


def keys(**more: Any) -> Any:
    return lags.Keys(**{k: v for k, v in LAG.items() if k != "kind"}, **more)


def test_the_rule_on_a_lag() -> None:
    rng = np.random.default_rng(1)

    def status(mean: float, sd: float = 0.03, **more: Any) -> str:
        from acmodels.theory.ruling import decide

        draws = mean + sd * rng.standard_normal(4000)
        other = {"other_1": 0.2 + sd * rng.standard_normal(4000)} if more else {}
        found = lags.rule({"effect": draws, **other}, TERMS, keys=keys(**more))
        return " ".join(decide(found)).strip()

    beyond = {"beyond": [{"from": "y", "to": "x"}]}
    assert status(0.3) == "supported"
    assert status(-0.3) == "contradicted reversed"
    assert status(0.0, 0.01) == "contradicted negligible"
    assert status(0.05) == "undecided"
    assert status(0.4, **beyond) == "supported"
    assert status(0.2, **beyond) == "undecided"  # no more than the other
    assert status(0.05, **beyond) == "contradicted reversed"


@pytest.mark.parametrize("count", [1, 5])
def test_a_claim_where_there_are_waves_is_left_out_where_there_are_not(
    tmp_path: Path, count: int
) -> None:
    also = {**LAG, "waves": 0, "where_waves": True}
    claim = {"all": [{"kind": "effect", "from": "x", "to": "y", "sign": "+"}, also]}
    f = theory(tmp_path / "w", LEVELS, ["x > y"], claim)
    found = compiled(f, waves(1, B, count=count))
    assert not found.lacking
    assert len(found.compiled) == (1 if count == 1 else 2)
    said = [n for n in found.compiled[0].notes if "over waves nothing is asked" in n]
    assert bool(said) == (count == 1)
    alone = theory(tmp_path / "a", LEVELS, ["x > y"], also)
    assert bool(compiled(alone, waves(1, B, count=count)).lacking) == (count == 1)


def test_the_rule_on_an_effect_in_the_same_wave() -> None:
    from acmodels.theory.ruling import decide

    rng = np.random.default_rng(1)
    for r, want in ((0.4, "supported"), (0.0, "contradicted"), (-0.4, "contradicted")):
        draws = {
            "together": r + 0.01 * rng.standard_normal(4000),
            "sigma_from": np.full(4000, 2.0), "sigma_to": np.full(4000, 1.0),
        }  # fmt: skip
        found = lags.same_wave(draws, TERMS, keys=keys(waves=0), scale=2.0)
        assert decide(found)[0] == want
        assert found.main is not None
        assert float(found.main.draws.mean()) == pytest.approx(r, abs=1e-3)


def test_heterogeneity_is_never_supported_by_ignorance() -> None:
    from acmodels.theory.ruling import decide

    rng = np.random.default_rng(2)
    vague = np.abs(lags.VARYING * rng.standard_normal(8000))
    far = 0.3 + 0.03 * rng.standard_normal(8000)
    for sd, want in ((vague, "undecided"), (far, "supported")):
        found = lags.heterogeneity({"sd": sd}, TERMS, keys=keys(), scale=1.0)
        assert decide(found)[0] == want


# --- growth, by the exact engine ------------------------------------------------------------


@pytest.fixture
def growth(tmp_path: Path) -> Any:
    return theory(
        tmp_path / "g", {"y": "department"}, [], {"kind": "growth", "of": "y", "sign": "+"}
    )


def lines(seed: int, slope: float, r: float, noise: float, units: int = 200) -> pd.DataFrame:
    """Units with levels and slopes of time that correlate, measured with error."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(np.array([[1.0, r], [r, 1.0]]))
    level, change = (rng.standard_normal((units, 2)) @ root.T).T
    t = np.arange(5)
    y = level[:, None] + slope * change[:, None] * t + noise * rng.standard_normal((units, 5))
    return pd.DataFrame(
        {
            "department": np.repeat([f"d{k}" for k in range(units)], 5),
            "wave": np.tile(t + 3, units),
            "y": y.ravel(),
        }
    )


def verdict(f: Any, table: pd.DataFrame, **more: Any) -> str:
    row = assess(table, framework=f, draws=250, **more).verdicts.iloc[0]
    return f"{row['status']} {row['how']}".strip()


def test_growth_is_found_and_its_contrary_is_reversed(growth: Any) -> None:
    assert verdict(growth, lines(1, 0.4, 0.6, 0.5)) == "supported"
    assert verdict(growth, lines(2, 0.3, -0.6, 0.5)) == "contradicted reversed"


def test_error_of_measurement_is_no_regression_to_the_mean(tmp_path: Path) -> None:
    """First measures correlate with changes, by their errors; levels do not."""
    table = lines(3, 0.35, 0.0, 0.9, units=300)
    wide = table.pivot_table(index="department", columns="wave", values="y").to_numpy()
    assert np.corrcoef(wide[:, 0], wide[:, -1] - wide[:, 0])[0, 1] < -0.2  # a naive analysis
    claim = {"kind": "growth", "of": "y", "sign": "-"}
    f = theory(tmp_path / "g", {"y": "department"}, [], claim)
    assert verdict(f, table, engine="collapsed") not in ("supported", "unusable")


# --- lags, by hmc ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lags_of", "more", "want"),
    [
        (B, {}, {"supported"}),
        (np.diag([0.3, 0.3]), {"together": 0.8, "traits": 1.0}, {"undecided", "contradicted"}),
        (np.diag([0.3, 0.3]), {"trend": 0.5}, {"undecided", "contradicted"}),
        (B.T, {}, {"undecided", "contradicted"}),
        (np.array([[0.4, 0.0], [-0.4, 0.3]]), {}, {"contradicted"}),
    ],
    ids=["so", "stable-traits", "common-trend", "reversed-lag", "contrary"],
)
def test_a_lag_is_told_from_what_fools_a_naive_analysis(
    lagged: Any, lags_of: np.ndarray, more: dict[str, float], want: set[str]
) -> None:
    table = waves(11, lags_of, **more).drop(columns="district")
    found = assess(table, framework=lagged).verdicts.iloc[0]
    assert found["status"] in want

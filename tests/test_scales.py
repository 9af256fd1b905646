"""Alpha, omega, ICCs and agreement, against formulas by hand, statsmodels, and brute force."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import acmodels as ac
from acmodels.cli import main
from acmodels.data import Study, package_study
from acmodels.data.scales import alpha, intraclass, omega, rwg
from acmodels.errors import DataError
from monte_carlo import allowed

# Shrout and Fleiss (1979), table 2: six targets rated by four judges
JUDGES = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)


def test_iccs_are_those_of_shrout_and_fleiss() -> None:
    score = JUDGES.astype(float).ravel()
    one, two, raters = intraclass(score, np.repeat(np.arange(6), 4))
    assert (round(one, 2), round(two, 2), raters) == (0.17, 0.44, 4)


def test_icc1_of_unequal_groups_is_that_of_analysis_of_variance() -> None:
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(20), rng.integers(1, 7, 20))
    score = rng.normal(size=20)[unit] + rng.normal(size=len(unit))
    fitted = smf.ols("y ~ C(g)", pd.DataFrame({"y": score, "g": unit})).fit()
    table = anova_lm(fitted)
    between, within = table["mean_sq"].iloc[:2]
    n = np.bincount(unit)
    k = (n.sum() - (n**2).sum() / n.sum()) / (len(n) - 1)
    one, two, _ = intraclass(score, unit)
    assert one == pytest.approx((between - within) / (between + (k - 1) * within))
    assert two == pytest.approx((between - within) / between)


def standing(covariance: np.ndarray) -> np.ndarray:
    """Draw answers of 60 people whose covariance matrix is exactly the one given."""
    x = np.random.default_rng(3).normal(size=(60, len(covariance)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x @ np.linalg.cholesky(covariance).T


def test_alpha_is_its_formula_and_omega_equals_it_for_equal_loadings() -> None:
    rng = np.random.default_rng(2)
    factor = rng.normal(size=4000)
    x = 0.7 * factor[:, None] + rng.normal(size=(4000, 5))
    s = np.cov(x, rowvar=False)
    by_hand = 5 / 4 * (1 - np.trace(s) / s.sum())
    assert alpha(x) == pytest.approx(by_hand)
    true = (5 * 0.7) ** 2 / ((5 * 0.7) ** 2 + 5)
    # Feldt (1965): 1 - alpha is an F ratio of 4,000 people; omega is as sure for equal loadings
    error = (1 - true) * np.sqrt(2 * 5 / (4 * 4000))
    assert omega(x) == pytest.approx(true, abs=allowed(error))
    same = standing(0.49 * np.ones((5, 5)) + np.eye(5))
    assert omega(same) == pytest.approx(true, abs=1e-5)
    assert alpha(same) == pytest.approx(true)


def test_omega_is_that_of_the_loadings_where_they_differ() -> None:
    load = np.array([0.9, 0.7, 0.5, 0.3])
    psi = np.array([0.4, 0.6, 0.8, 1.0])
    x = standing(np.outer(load, load) + np.diag(psi))
    assert omega(x) == pytest.approx(load.sum() ** 2 / (load.sum() ** 2 + psi.sum()), abs=1e-5)
    assert omega(x) > alpha(x)


def test_rwg_by_hand() -> None:
    # James, Demaree and Wolf: two items of five points, expected variance 2
    x = np.array([[4.0, 5.0], [4.0, 4.0], [5.0, 4.0]])
    v = x.var(axis=0, ddof=1).mean()
    assert rwg(x, 5) == pytest.approx(2 * (1 - v / 2) / (2 * (1 - v / 2) + v / 2))
    assert rwg(np.array([[1.0, 1.0], [5.0, 5.0]]), 5) == 0
    assert rwg(x[:1], 5) != rwg(x[:1], 5)


def answers() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(4)
    units, raters = 30, 3
    true = rng.normal(size=units)
    rows = []
    for u in range(units):
        for r in range(raters):
            own = rng.normal(0, 0.4)
            for i, sign in (("a1", 1), ("a2", 1), ("a3", -1), ("a4", 1)):
                value = int(np.clip(np.rint(3 + sign * (true[u] + own + rng.normal(0, 0.6))), 1, 5))
                rows.append((f"p{u}_{r}", i, "department", f"d{u}", value))
    keys = ["person_id", "item_id", "target_type", "target_id", "value"]
    return {
        "departments": pd.DataFrame({"department_id": [f"d{u}" for u in range(units)]}),
        "items": pd.DataFrame(
            {
                "item_id": ["a1", "a2", "a3", "a4"],
                "construct_id": "climate",
                "min": 1,
                "max": 5,
                "reverse": [0, 0, 1, 0],
            }
        ),
        "responses": pd.DataFrame(rows, columns=keys),
    }


def packed(made: dict[str, pd.DataFrame]) -> Study:
    return package_study({k: Study(k, v) for k, v in made.items()}, "study")


def test_scales_of_a_study_are_those_of_its_answers_by_hand() -> None:
    made = answers()
    found = ac.scales(packed(made))
    (row,) = found.table.to_dict("records")
    long = made["responses"].copy()
    long.loc[long["item_id"] == "a3", "value"] = 6 - long["value"]
    wide = long.pivot(index=["target_id", "person_id"], columns="item_id", values="value")  # noqa: PD010
    x = wide.to_numpy(float)
    assert row["alpha"] == pytest.approx(alpha(x))
    assert row["omega"] == pytest.approx(omega(x))
    unit = pd.factorize(wide.index.get_level_values(0))[0]
    one, two, _ = intraclass(x.mean(axis=1), unit)
    assert (row["icc1"], row["icc2"]) == (pytest.approx(one), pytest.approx(two))
    ratio = [x[unit == u].var(axis=0, ddof=1).mean() / 2 for u in range(30)]
    each = [0.0 if r >= 1 else 4 * (1 - r) / (4 * (1 - r) + r) for r in ratio]
    assert row["rwg"] == pytest.approx(np.median(each))
    assert row["agreed"] == pytest.approx(np.mean([e >= 0.7 for e in each]))
    rest = (wide.sum(axis=1) - wide["a1"]) / 3
    item = found.items.set_index("item").loc["a1"]
    assert item["item_rest"] == pytest.approx(np.corrcoef(wide["a1"], rest)[0, 1])
    assert not [f for f in found.findings if f.severity == "warning"]


def test_an_item_that_was_not_turned_is_named() -> None:
    made = answers()
    made["items"]["reverse"] = 0
    said = [f.message for f in ac.scales(packed(made)).findings]
    assert any("'a3' goes against the other items of 'climate'" in s for s in said)
    made["items"]["reverse"] = [0, 0, 1, 1]
    said = [f.message for f in ac.scales(packed(made)).findings]
    assert any("'a4' goes against" in s and "reversed by mistake" in s for s in said)


def test_a_short_scale_one_answer_and_no_agreement_are_warned_of() -> None:
    made = answers()
    made["items"] = made["items"].iloc[:2]
    long = made["responses"]
    long = long[long["item_id"].isin(["a1", "a2"])].copy()
    long.loc[long["item_id"] == "a2", "value"] = 3
    long["value"] = long["value"].sample(frac=1, random_state=1).to_numpy()
    made["responses"] = long
    said = " ".join(f.message for f in ac.scales(packed(made)).findings)
    assert "fewer than three" in said
    assert "ICC(1)" in said
    long.loc[long["item_id"] == "a2", "value"] = 3
    said = " ".join(f.message for f in ac.scales(packed(made)).findings)
    assert "'a2': everybody chose 3" in said


def test_a_construct_is_scored_on_the_items_of_its_facets() -> None:
    made = answers()
    made["items"]["construct_id"] = ["climate.x", "climate.x", "climate.y", "climate.y"]
    made["constructs"] = pd.DataFrame(
        {
            "construct_id": ["climate", "climate.x", "climate.y"],
            "parent_id": [None, "climate", "climate"],
        }
    )
    study = packed(made)
    table = ac.scales(study).table.set_index("construct")
    assert list(table.index) == ["climate.x", "climate.y", "climate"]
    assert table.loc["climate", "items"] == 4
    whole = ac.scales(packed(answers())).table["alpha"].iloc[0]
    assert table.loc["climate", "alpha"] == pytest.approx(whole)
    assert {"climate", "climate.x"} <= set(study.names)


def test_a_study_without_answers_says_so() -> None:
    with pytest.raises(DataError, match="no tables 'responses' and 'items'"):
        ac.scales(ac.study(pd.DataFrame({"x": [1.0, 2.0]})))


def test_the_command_writes_its_page_and_tables(tmp_path: Path) -> None:
    data = Path(__file__).parents[1] / "data" / "synthetic" / "two_departments"
    done = CliRunner().invoke(main, ["scales", str(data), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    written = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"scales.csv", "items.csv", "report.html"} <= written
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Constructs" in page
    assert "policy_and_routines" in page

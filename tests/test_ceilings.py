"""Ceilings: effect sizes, permutation test, bottlenecks; against published numbers and by hand."""

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import acmodels as ac
from acmodels.cli import run
from acmodels.errors import InputError
from acmodels.estimands._ceiling import ceiling, permutation_p
from test_measures import at_truth

# 28 countries: innovation performance over individualism and risk taking, as in Dul (2016,
# Organizational Research Methods 19, 10-52); `nca.example` of the R package NCA.
INDIVIDUALISM = [
    90, 55, 75, 80, 58, 74, 63, 71, 67, 35, 80, 70, 76, 46,
    30, 80, 79, 69, 60, 27, 52, 18, 51, 71, 68, 37, 89, 91,
]  # fmt: skip
RISK = [
    84, 65, 41, 87, 61, 112, 76, 49, 70, 23, 53, 100, 60, 43,
    53, 82, 86, 85, 42, 31, 84, 50, 49, 106, 77, 50, 100, 89,
]  # fmt: skip
INNOVATION = [
    50.9, 52.4, 75.1, 81.4, 14.5, 116.3, 173.1, 77.6, 109.5, 12.0, 5.4, 62.3, 19.7, 171.6,
    1.2, 68.7, 14.9, 75.1, 3.5, 11.1, 3.5, 42.3, 17.3, 184.9, 149.7, 1.4, 79.4, 214.4,
]  # fmt: skip


def countries() -> pd.DataFrame:
    return pd.DataFrame({"ind": INDIVIDUALISM, "risk": RISK, "innovation": INNOVATION})


def model(**more: Any) -> dict[str, Any]:
    return {
        "name": "countries",
        "equations": {"innovation": {"formula": "innovation ~ ind + risk"}},
        "estimands": {"need": {"kind": "ceiling", "from": "ind", "to": "innovation"}},
        **more,
    }


def test_published_effect_sizes() -> None:
    """Dul (2016): individualism has effect sizes 0.42 (CE-FDH) and 0.31 (CR-FDH)."""
    x, y = np.array(INDIVIDUALISM, float), np.array(INNOVATION)
    c = ceiling(x, y)
    assert (round(c.ce_fdh, 2), round(c.cr_fdh, 2)) == (0.42, 0.31)
    other = ceiling(np.array(RISK, float), y)
    assert (round(other.ce_fdh, 2), round(other.cr_fdh, 2)) == (0.31, 0.28)


def test_bottlenecks_are_in_percent_of_the_ranges() -> None:
    """The CR-FDH bottlenecks that the formula of the line gives; none is needed up to 30 %."""
    fit = ac.fit(ac.load_model(model()), ac.study(countries()), draws=250)
    table = ac.bottlenecks(fit)
    line = table[table["line"] == "cr_fdh"].set_index("outcome")
    assert list(line["not_needed"].loc[[0, 10, 20, 30]]) == [1, 1, 1, 1]
    rounded = line["required"].loc[[40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0]].round(1)
    assert list(rounded) == [11.0, 24.1, 37.2, 50.3, 63.4, 76.5, 89.6]
    steps = table[table["line"] == "ce_fdh"].set_index("outcome")["required"]
    assert steps.loc[90.0] == steps.loc[100.0] == 100
    assert round(steps.loc[50.0], 1) == round(100 * (46 - 18) / (91 - 18), 1)


points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=25)


@given(points)
def test_the_area_above_the_envelope_is_what_a_grid_counts(some: list[tuple[int, int]]) -> None:
    x, y = np.array(some, float).T
    c = ceiling(x, y)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert (c.ce_fdh, c.cr_fdh) == (0.0, 0.0)
        return
    at = np.arange(x.min(), x.max()) + 0.5  # x is whole, so steps lie between
    highest = np.array([y[x <= v].max() for v in at])
    assert c.ce_fdh == pytest.approx((y.max() - highest).mean() / np.ptp(y))
    assert all(y[x <= v].max() == top for v, top in zip(c.x, c.y, strict=True))
    grid = np.linspace(x.min(), x.max(), 20001)
    if np.isfinite(c.slope):
        room = np.clip(y.max() - c.intercept - c.slope * grid, 0, np.ptp(y))
        assert c.cr_fdh == pytest.approx(room.mean() / np.ptp(y), abs=2e-4)
    else:
        assert c.cr_fdh == 0
    same = ceiling(3 * x - 7, 0.1 * y + 2)
    assert (same.ce_fdh, same.cr_fdh) == pytest.approx((c.ce_fdh, c.cr_fdh))


def test_points_that_coincide_count_each_in_the_line() -> None:
    """As in a regression of the points on the envelope, duplicates among them."""
    x, y = np.array([0, 0, 1, 2, 2, 3.0]), np.array([0, 0, 2, 2, 2, 5.0])
    c = ceiling(x, y)
    slope, intercept = np.polyfit([0, 0, 1, 3], [0, 0, 2, 5], 1)
    assert (c.slope, c.intercept) == pytest.approx((slope, intercept))


def test_the_permutation_test_is_the_share_of_all_pairings() -> None:
    """All 720 pairings of six points, ties among them, against 20,000 random ones."""
    x, y = np.array([0, 1, 1, 2, 3, 4.0]), np.array([0, 1, 2, 1, 4, 3.0])
    data = ceiling(x, y).ce_fdh
    every = [ceiling(x, np.array(p)).ce_fdh for p in permutations(y)]
    share = float(np.mean(np.array(every) >= data - 1e-12))
    found = permutation_p(x, y, 20_000, np.random.default_rng(1))
    assert 0.02 < share < 0.9
    assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / 20_000)


def test_constructs_have_a_ceiling_on_every_draw() -> None:
    rng = np.random.default_rng(4)
    f = rng.normal(size=(2, 40))
    items = {f"{v}{k}": f[j] + rng.normal(size=40) for j, v in enumerate("ab") for k in range(3)}
    table = {
        "name": "constructs",
        "measures": {
            n: {"items": [f"{v}{k}" for k in range(3)], "family": "gaussian"}
            for n, v in (("F", "a"), ("G", "b"))
        },
        "estimands": {"need": {"kind": "ceiling", "from": "F", "to": "G"}},
    }
    fit = at_truth(table, pd.DataFrame(items), {})
    from dataclasses import replace

    from acmodels.inference.effect_rows import evaluate_draws
    from acmodels.inference.imputation import imputations

    values = imputations(fit.system.sampled, fit.draws, 1)
    rows, _ = evaluate_draws(fit.spec, fit.system, fit.draws, values, 0.95)
    drawn = fit.draws.imputed
    by_hand = {
        ceiling(x, y).ce_fdh
        for x, y in zip(drawn["F"].reshape(-1, 40), drawn["G"].reshape(-1, 40), strict=True)
    }
    assert {round(v, 9) for v in rows[0].draws.ravel()} == {round(v, 9) for v in by_hand}
    table_ = ac.bottlenecks(replace(fit, imputations=values))
    assert float(np.ptp(table_[["lower", "upper"]].to_numpy(), axis=1).max()) > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"from": "indd"}, "did you mean 'ind'?"),
        ({"to": "ind"}, "has no equation"),
        ({"from": "innovation"}, "the same variable"),
    ],
)
def test_what_is_not_there_is_named(change: dict[str, str], said: str) -> None:
    table = model()
    table["estimands"]["need"] |= change
    with pytest.raises(InputError, match=said):
        ac.fit(ac.load_model(table), ac.study(countries()), draws=250)


def test_a_condition_inside_the_outcomes_units_is_refused() -> None:
    data = pd.DataFrame(
        {"g": np.repeat(["a", "b", "c", "d"], 3), "x": range(12), "y": np.repeat([1.0, 3, 2, 4], 3)}
    )
    table = {
        "name": "levels",
        "equations": {
            "x": {"formula": "x ~ 1 + (1 | g)"},
            "y": {"formula": "y ~ 1", "level": "g"},
        },
        "estimands": {"need": {"kind": "ceiling", "from": "x", "to": "y"}},
    }
    with pytest.raises(InputError, match="varies inside the units of 'g'"):
        ac.fit(ac.load_model(table), ac.study(data), draws=250)


def test_the_command_line_writes_bottlenecks_and_draws_the_ceiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    countries().to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "m.toml").write_text(
        'name = "m"\n[equations.innovation]\nformula = "innovation ~ ind"\n'
        '[estimands.need]\nkind = "ceiling"\nfrom = "ind"\nto = "innovation"\n'
    )
    run(["fit", "m.toml", "d.csv", "--out", "o", "--draws", "250", "--quiet"])
    found = pd.read_csv(tmp_path / "o" / "estimands.csv").set_index("at")["mean"]
    assert list(found.index) == ["ce_fdh", "cr_fdh", "p"]
    assert float(found.iloc[2]) == pytest.approx(0.084, abs=0.01)
    assert len(pd.read_csv(tmp_path / "o" / "bottlenecks.csv")) == 22
    page = (tmp_path / "o" / "report.html").read_text()
    assert "Ceiling of innovation over ind" in page
    assert "none needed" in page

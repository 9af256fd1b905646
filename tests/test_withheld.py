"""A ratio whose denominator may be zero is withheld by one rule, wherever effects are computed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.estimands import may_be_zero
from acmodels.load import load_design, load_plan
from acmodels.spec.model import Model

SHARE = {"kind": "proportion_mediated", "from": "x", "to": "y"}
TABLE: dict[str, Any] = {
    "name": "share",
    "equations": {"m": {"formula": "m ~ x"}, "y": {"formula": "y ~ m + x"}},
    "estimands": {
        "total": {"kind": "total", "from": "x", "to": "y"},
        "share": SHARE,
        "twice": {"kind": "contrast", "of": ["share", "total"]},
    },
}


def model(**estimands: Any) -> Model:
    return ac.load_model({**TABLE, "estimands": {**TABLE["estimands"], **estimands}})


def data(b: float, n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x = rng.normal(size=n)
    m = 0.5 * x + rng.normal(size=n)
    return pd.DataFrame({"x": x, "m": m, "y": 0.3 * m + b * x + rng.normal(size=n)})


def plan(tmp_path: Any, rule: str = "") -> Any:
    (tmp_path / "m.toml").write_text(
        'name = "share"\n[equations.m]\nformula = "m ~ x"\n[equations.y]\n'
        'formula = "y ~ m + x"\n[estimands.total]\nkind = "total"\nfrom = "x"\nto = "y"\n'
        '[estimands.share]\nkind = "proportion_mediated"\nfrom = "x"\nto = "y"\n'
    )
    (tmp_path / "p.toml").write_text(
        'model = "m.toml"\nreplications = 60\n[units]\nrow = 40\n'
        '[truth]\n"m ~ x" = 0.5\n"y ~ m" = 0.3\n"y ~ x" = 0.1\n' + rule
    )
    return tmp_path / "p.toml"


def test_the_interval_has_the_mass_that_was_asked_for() -> None:
    frame = data(0.0)
    total = ac.fit(model(), frame).effects.rows[0].draws
    for prob in (0.5, 0.8, 0.95, 0.999):
        found = ac.fit(model(), frame, prob=prob)
        withheld = {r.name: bool(r.withheld) for r in found.effects.rows}
        assert withheld["share"] == bool(may_be_zero(total, prob))
        assert withheld["share"] == withheld["twice"]  # a contrast of it has no meaning either
        assert not withheld["total"]
    assert "99.9 % interval" in found.effects.rows[1].withheld


def test_recover_counts_what_fits_withhold(tmp_path: Any) -> None:
    design = load_design(plan(tmp_path))
    found = ac.recover(design, seed=3, workers=1)
    rows = found.table.set_index("name")
    kept = int(rows.loc["share", "n"])
    assert 0 < kept < 60
    assert rows.loc["total", "n"] == 60
    (said,) = found.notes
    assert f"withheld in {60 - kept} of 60 fits" in said
    narrow = ac.recover(design, seed=3, workers=1, prob=0.5)
    assert narrow.table.set_index("name").loc["share", "n"] > kept


@pytest.mark.parametrize("rule", ["eti", "p_region", "width"])
def test_a_study_in_which_it_is_withheld_is_no_success(tmp_path: Any, rule: str) -> None:
    more = {"eti": "", "p_region": "region = { below = 1e9 }\nprobability = 0.9\n",
            "width": "value = 1e9\n"}[rule]  # fmt: skip
    text = (
        '[grid]\nrow = [30, 200]\n[criterion]\nestimand = "share"\nrule = "' + rule + '"\n' + more
    )
    found = ac.power(load_plan(plan(tmp_path, text)), seed=3, workers=1)
    said = found.answers[-1]
    assert "share was withheld in" in said
    assert "row = 30" in said
    # of the same studies: a share is given where the interval of its total does not take in zero
    of = '[grid]\nrow = [30, 200]\n[criterion]\nestimand = "total"\nrule = "eti"\n'
    given = ac.power(load_plan(plan(tmp_path, of)), seed=3, workers=1).table["power"]
    assert 0 < given[0] < given[1]
    if rule == "eti":
        assert (found.table["power"] <= given).all()
    else:  # any number would do: only withheld ones fail
        assert list(found.table["power"]) == list(given)


def test_a_confounder_moves_the_total_over_zero_and_back() -> None:
    fitted = ac.fit(model(), data(0.5))
    assert not fitted.effects.rows[1].withheld
    found = ac.confounding(fitted, "m", "y", rho=[-0.5, 0.5], prior=0.3)
    table = found.table.set_index(["estimand", "rho"])
    for rho in (-0.5, 0.0, 0.5):
        row = table.loc[("total", rho)]
        straddles = row["lower"] <= 0 <= row["upper"]
        assert np.isnan(table.loc[("share", rho), "mean"]) == straddles
    flat = ac.confounding(ac.fit(model(), data(-0.15)), "m", "y", rho=[-0.5, 0.5])
    assert (
        flat.table.set_index("estimand")
        .loc["share", ["mean", "lower", "p_positive"]]
        .isna()
        .all(axis=None)
    )
    from acmodels.reporting.robustness import confounding_lines, confounding_section

    assert any("share is withheld at each of the 3 correlations" in n for n in flat.notes)
    assert any("share is withheld" in line for line in confounding_lines(flat))
    assert any("share is withheld" in line for line in confounding_section(flat).words)


def test_units_left_out_withhold_it_too() -> None:
    frame = data(0.6, 60).assign(g=[f"g{i % 6}" for i in range(60)])
    frame.loc[frame["g"] == "g0", "y"] += 3 * frame["x"]  # the effect is that of one unit
    frame.loc[frame["g"] != "g0", "y"] -= 0.85 * frame["x"]
    fitted = ac.fit(model(), frame)
    found = ac.influence(fitted, frame, "g").table.set_index(["estimand", "unit"])
    share, total = found.loc["share"], found.loc["total"]
    straddles = (total["lower"] <= 0) & (total["upper"] >= 0)
    if not fitted.effects.rows[1].withheld:
        assert list(share["mean"].isna()) == list(straddles)
    assert straddles["g0"]
    assert share.loc["g0", "status"] == "undecided"

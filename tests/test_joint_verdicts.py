"""Verdicts beyond one region of one estimand: outside of two ends, and several claims jointly."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

import acmodels as ac
from acmodels.errors import ModelError
from acmodels.inference.judging import EffectRow, Effects, judge
from acmodels.inference.parts import PARTS, parts
from acmodels.inference.rules import Drawn, chances, decide
from acmodels.spec.proposition import Claim, Proposition

INF = float("inf")
probabilities = st.floats(0.6, 0.99)
centers = st.floats(-3, 3)


def normal(mean: float, sd: float, n: int = 4000) -> np.ndarray:
    """Draws that lie at the quantiles of a normal distribution, in two chains."""
    q = norm.ppf((np.arange(n) + 0.5) / n) * sd + mean
    return q.reshape(2, -1)


def effects(*rows: EffectRow, usable: bool = True) -> Effects:
    flat = [r.draws.reshape(-1) for r in rows]
    table = pd.DataFrame(
        {
            "name": [r.name for r in rows],
            "mean": [x.mean() for x in flat],
            "lower": [np.quantile(x, 0.025) for x in flat],
            "upper": [np.quantile(x, 0.975) for x in flat],
        }
    )
    return Effects("model", rows, table, usable, why_not="R-hat is 1.2.")


def judged(p: Proposition, **draws: np.ndarray) -> dict[str, Any]:
    rows = [EffectRow(k, "coefficient", "", x) for k, x in draws.items()]
    return dict(judge(effects(*rows), {p.id: p}).iloc[0])


def outside(low: float, high: float, **more: Any) -> Proposition:
    return Proposition("P", "e", low, high, outside=True, **more)


# --- outside ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "sd", "status", "how"),
    [
        (0.0, 10.0, "undecided", ""),  # 99.6 % lies outside, half of it on each side
        (0.0, 0.02, "contradicted", "negligible"),
        (1.0, 0.2, "supported", ""),
        (-1.0, 0.2, "supported", ""),
        # beyond .05 with 0.9846: enough for "above", not for one of two sides (0.9875)
        (0.05 + 2.16, 1.0, "undecided", ""),
        (0.05 + 2.26, 1.0, "supported", ""),
    ],
)
def test_differs_takes_one_side(mean: float, sd: float, status: str, how: str) -> None:
    row = judged(outside(-0.05, 0.05), e=normal(mean, sd))
    assert (row["status"], row["how"]) == (status, how)
    inside = norm.cdf(0.05, mean, sd) - norm.cdf(-0.05, mean, sd)
    assert row["p_region"] == pytest.approx(1 - inside, abs=1e-3)


@given(centers, st.floats(0.01, 20), probabilities)
def test_outside_as_the_contract_says_it(mean: float, sd: float, p: float) -> None:
    x = normal(mean, sd)
    side = max((x > 0.5).mean(), (x < -0.3).mean())
    between = ((x >= -0.3) & (x <= 0.5)).mean()
    assume(abs(side - (1 - (1 - p) / 2)) > 1e-9 and abs(between - p) > 1e-9)
    wanted = "supported" if side >= 1 - (1 - p) / 2 else "undecided"
    row = judged(outside(-0.3, 0.5, probability=p), e=x)
    assert row["status"] == ("contradicted" if between >= p else wanted)


@given(centers, st.floats(0.05, 5), probabilities)
def test_outside_does_not_know_left_from_right(mean: float, sd: float, p: float) -> None:
    one = judged(outside(-0.3, 0.5, probability=p), e=normal(mean, sd))
    other = judged(outside(-0.5, 0.3, probability=p), e=-normal(mean, sd))
    assert (one["status"], one["how"]) == (other["status"], other["how"])


def test_reasons_of_a_difference_name_the_side() -> None:
    p = outside(-0.05, 0.05)
    assert (
        "below -0.05 is above 0.999 (threshold for one side 0.9875)"
        in judged(p, e=normal(-1, 0.1))["reason"]
    )
    assert "one side" in judged(p, e=normal(0, 1))["reason"]
    assert "lies between -0.05 and 0.05" in judged(p, e=normal(0, 0.01))["reason"]


# --- how ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "sd", "how"),
    [(-1.0, 0.1, "reversed"), (0.0, 0.01, "negligible"), (1.0, 0.1, ""), (0.1, 0.1, "")],
)
def test_how_it_is_contradicted(mean: float, sd: float, how: str) -> None:
    row = judged(Proposition("P", "e", 0.0, INF, rope=(-0.05, 0.05)), e=normal(mean, sd))
    assert row["how"] == how
    assert (row["status"] == "contradicted") == bool(how)


# --- several claims jointly -----------------------------------------------------------------


def both(*claims: Claim, p: float = 0.975) -> Proposition:
    return Proposition("P", "", -INF, INF, probability=p, all=claims)


@given(centers, st.floats(0.01, 5), probabilities, st.booleans(), st.booleans())
def test_one_claim_in_a_list_is_that_claim(
    mean: float, sd: float, p: float, rope: bool, away: bool
) -> None:
    x = normal(mean, sd)
    low, high = (-0.4, 0.6) if away else (0.0, INF)
    more: Any = {"rope": (-0.1, 0.2) if rope else None, "outside": away}
    one = judged(Proposition("P", "e", low, high, probability=p, **more), e=x)
    other = judged(both(Claim("e", low, high, **more), p=p), e=x)
    same = ["status", "how", "p_region", "p_rope"]
    if away:  # where both sides have draws, a list counts the side that has more
        same.remove("p_region")
    assert [one[k] for k in same] == pytest.approx([other[k] for k in same])


def test_the_joint_probability_counts_not_each_alone() -> None:
    """Each of two correlated effects is above 0 with 0.98; both are with less (mvn.cdf)."""
    rng = np.random.default_rng(1)
    cov = [[1, -0.5], [-0.5, 1]]
    z = rng.multivariate_normal([norm.ppf(0.98)] * 2, cov, size=200_000)
    a, b = (z[:, k].reshape(2, -1) for k in (0, 1))
    p = both(Claim("a", 0.0, INF), Claim("b", 0.0, INF))
    row = judged(p, a=a, b=b)
    exact = multivariate_normal([0, 0], cov).cdf([norm.ppf(0.98)] * 2)
    assert row["p_region"] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 2e5))
    assert row["status"] == "undecided"
    assert exact < 0.975
    for name, x in (("a", a), ("b", b)):
        assert judged(Proposition("P", name, 0.0, INF), **{name: x})["status"] == "supported"
    together = judged(p, a=a, b=a)  # the same draws: jointly as likely as alone
    assert together["status"] == "supported"


def test_any_part_contradicts_and_the_others_cannot_save_it() -> None:
    p = both(Claim("a", 0.0, INF), Claim("b", 0.0, INF, rope=(-0.1, 0.1)))
    sure = normal(3, 0.1)
    assert judged(p, a=sure, b=sure)["status"] == "supported"
    found = judged(p, a=-sure, b=sure)
    assert (found["status"], found["how"]) == ("contradicted", "reversed")
    found = judged(p, a=sure, b=normal(0.02, 0.01))
    assert (found["status"], found["how"]) == ("contradicted", "negligible")
    assert "'b'" in found["reason"]
    found = judged(p, a=sure, b=normal(0.12, 0.01))  # 2.3 % may be negligible
    assert found["status"] == "supported"
    found = judged(p, a=sure, b=normal(0.115, 0.01))  # 6.7 %
    assert found["status"] == "undecided"
    assert np.isnan(found["mean"])
    assert found["estimand"] == "a, b"


def test_two_differences_take_a_quarter_of_the_rest_each() -> None:
    p = both(Claim("a", -0.1, 0.1, outside=True), Claim("b", -0.1, 0.1, outside=True))
    wide = normal(0, 50)
    assert judged(p, a=wide, b=wide)["status"] == "undecided"
    edge = 0.1 + norm.ppf(1 - 0.025 / 4)
    for more, status in ((0.05, "supported"), (-0.05, "undecided")):
        x = normal(edge + more, 1)
        assert judged(p, a=x, b=-x)["status"] == status


def test_parts_have_a_row_each() -> None:
    rows = [
        EffectRow("a", "total", "", normal(3, 0.1), source="x", to="y", scale="linear"),
        EffectRow("b", "total", "w=1", normal(-3, 0.1), source="x", to="z", scale="linear"),
    ]
    p = both(Claim("a", 0.0, INF), Claim("b", 0.0, INF, at="w=1", rope=(-0.1, 0.1)))
    one = Proposition("Q", "a", 0.0, INF)
    table = parts(effects(*rows), {"P": p, "Q": one})
    assert list(table.columns) == list(PARTS)
    assert table["part"].tolist() == ["a", "b [w=1]"]
    assert table["to"].tolist() == ["y", "z"]
    assert table["status"].tolist() == ["supported", "contradicted"]
    assert table["p_region"].tolist() == [1.0, 0.0]
    assert np.isnan(table["p_rope"][0])
    assert table["p_rope"][1] == 0
    lost = parts(effects(*rows, usable=False), {"P": p})
    assert set(lost["status"]) == {"unusable"}


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=5), probabilities)
def test_one_posterior_or_many_or_weighted_are_one_rule(means: list[float], p: float) -> None:
    claim = Claim("e", -0.2, 0.3, rope=(-0.1, 0.2), outside=True)
    x = np.stack([normal(m, 0.7).reshape(-1) for m in means])
    many = decide([chances(claim, Drawn(x))], p)
    even = np.full(x.shape[1], 1 / x.shape[1])
    for k in range(len(means)):
        alone = decide([chances(claim, Drawn(x[k]))], p)
        weighted = decide([chances(claim, Drawn(x[k]), even)], p, even)
        assert bool(many.supported[k]) == (alone.status == "supported")
        assert bool(many.negligible[k]) == (alone.how == "negligible")
        assert weighted.region == pytest.approx(float(alone.region))


# --- files --------------------------------------------------------------------------------------

MODEL: dict[str, Any] = {
    "name": "two",
    "equations": {
        "y": {"formula": "y ~ x"},
        "z": {"formula": "z ~ x"},
    },
    "priors": {"* ~ *": {"dist": "Normal", "mu": 0, "sigma": 1}},
    "estimands": {
        "on_y": {"kind": "direct", "from": "x", "to": "y"},
        "on_z": {"kind": "direct", "from": "x", "to": "z"},
    },
}
ABOVE = {"above": 0.0}
ALL = [{"estimand": "on_y", "region": ABOVE}, {"estimand": "on_z", "region": ABOVE}]


def model(**proposition: Any) -> Any:
    return ac.load_model({**MODEL, "propositions": {"H": proposition}})


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ({"region": ABOVE}, "propositions.H: the key 'estimand' is missing, or all"),
        ({"estimand": "on_y", "all": ALL}, "propositions.H: give exactly one of estimand and all"),
        ({"all": ALL, "region": ABOVE}, "propositions.H.region: with all"),
        ({"all": []}, "propositions.H.all"),
        ({"estimand": "on_y"}, "propositions.H: the key 'region' is missing"),
        (
            {"all": [{"estimand": "on_u", "region": ABOVE}]},
            "propositions.H.all.0.estimand: no estimand 'on_u'; did you mean 'on_",
        ),
        (
            {"all": [{"estimand": "on_y", "region": ABOVE, "rop": [0, 1]}]},
            "propositions.H.all.0: unknown key 'rop'; did you mean 'rope'?",
        ),
        (
            {"estimand": "on_y", "region": {"outsid": [0, 1]}},
            "unknown key 'outsid'; did you mean 'outside'?",
        ),
        ({"estimand": "on_y", "region": {"outside": [1, 0]}}, "propositions.H.region: give"),
        (
            {"estimand": "on_y", "region": {"outside": [0, 1], "above": 1}},
            "propositions.H.region: give exactly one of",
        ),
    ],
)
def test_what_is_wrong_is_said(table: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ModelError) as error:
        model(**table)
    assert any(wanted in p for p in error.value.problems), error.value.problems


def test_a_fit_writes_its_parts_and_is_read_again(tmp_path: Any) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=300)
    frame = pd.DataFrame(
        {"x": x, "y": 0.8 * x + rng.normal(size=300), "z": -0.8 * x + rng.normal(size=300)}
    )
    spec = ac.load_model(
        {
            **MODEL,
            "propositions": {
                "H": {"all": ALL},
                "D": {"estimand": "on_z", "region": {"outside": [-0.1, 0.1]}},
            },
        }
    )
    fit = ac.fit(spec, frame)
    verdicts = ac.judge(fit.effects, spec.propositions).set_index("proposition")
    assert verdicts.loc["H", "status"] == "contradicted"
    assert verdicts.loc["H", "how"] == "reversed"
    assert verdicts.loc["D", "status"] == "supported"
    ac.report(fit, tmp_path / "out" / "report.html")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Parts of the verdict" in page
    assert "P(below −0.1 or above 0.1)" in page

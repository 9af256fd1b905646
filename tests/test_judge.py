"""The decision rule, exactly as the contract states it."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from acmodels.errors import EstimandError
from acmodels.inference.judging import COLUMNS, EffectRow, Effects, judge
from acmodels.inference.rules import verdict
from acmodels.spec.model import Proposition

INF = float("inf")


def effects(*rows: EffectRow, usable: bool = True, why: str = "") -> Effects:
    table = pd.DataFrame(
        {
            "name": [r.name for r in rows],
            "mean": [float(r.draws.mean()) for r in rows],
            "lower": [float(np.quantile(r.draws, 0.025)) for r in rows],
            "upper": [float(np.quantile(r.draws, 0.975)) for r in rows],
        }
    )
    return Effects("model", rows, table, usable, why_not=why)


def share(inside: int, total: int = 1000) -> np.ndarray:
    """Draws of which a stated number is above 0."""
    draws = np.full(total, -1.0)
    draws[:inside] = 1.0
    return draws.reshape(2, -1)


def judged(draws: np.ndarray, p: Proposition, sensitivity: float | None = None) -> dict[str, Any]:
    table = judge(effects(EffectRow("e", "indirect", "", draws, sensitivity)), {p.id: p})
    assert list(table.columns) == list(COLUMNS)
    return dict(table.iloc[0])


# --- the rule ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p_region", "p_rope", "probability", "wanted"),
    [
        (0.98, None, 0.975, "supported"),
        (0.975, None, 0.975, "supported"),
        (0.9749, None, 0.975, "undecided"),
        (0.5, None, 0.975, "undecided"),
        (0.0251, None, 0.975, "undecided"),
        (0.025, None, 0.975, "contradicted"),
        (0.0, None, 0.975, "contradicted"),
        (0.99, 0.02, 0.975, "supported"),
        (0.99, 0.025, 0.975, "undecided"),  # not below 1 - probability
        (0.99, 0.03, 0.975, "undecided"),
        (0.99, 0.98, 0.975, "contradicted"),
        (0.6, 0.975, 0.975, "contradicted"),
        (0.6, 0.97, 0.975, "undecided"),
        (0.01, 0.0, 0.975, "contradicted"),
        (0.95, 0.05, 0.95, "undecided"),
        (0.95, 0.0499, 0.95, "supported"),
        (0.9, 0.1, 0.9, "undecided"),
        (0.8, 0.2, 0.8, "undecided"),
        (0.2, None, 0.8, "contradicted"),
        (0.1, None, 0.9, "contradicted"),
        (0.99, 0.01, 0.99, "undecided"),
        (1.0, 0.0, 0.999, "supported"),
    ],
)
def test_table(p_region: float, p_rope: float | None, probability: float, wanted: str) -> None:
    assert verdict(p_region, p_rope, probability) == wanted


@pytest.mark.parametrize("total", [1000, 4000])
def test_at_the_boundary_the_rule_counts_draws(total: int) -> None:
    """Floating point does not decide: k of n draws is compared with the probability as written."""
    for per_mille in (525, 600, 750, 800, 900, 925, 950, 975, 990, 999):
        probability = per_mille / 1000
        above = per_mille * total // 1000
        below = total - above
        assert verdict(above / total, None, probability) == "supported"
        assert verdict((above - 1) / total, None, probability) == "undecided"
        assert verdict(below / total, None, probability) == "contradicted"
        assert verdict((below + 1) / total, None, probability) == "undecided"
        assert verdict(1.0, below / total, probability) == "undecided"
        assert verdict(1.0, (below - 1) / total, probability) == "supported"
        assert verdict(1.0, above / total, probability) == "contradicted"


shares = st.floats(0, 1)
thresholds = st.floats(0.5, 1, exclude_min=True, exclude_max=True)


@given(shares, st.none() | shares, thresholds)
def test_the_rule_as_the_contract_says_it(p: float, rope: float | None, probability: float) -> None:
    near = (
        p - probability,
        1 - p - probability,
        (rope or 0) - probability,
        (rope or 0) - 1 + probability,
    )
    assume(all(abs(v) > 1e-12 for v in near))
    supported = p >= probability and (rope is None or rope < 1 - probability)
    contradicted = 1 - p >= probability or (rope is not None and rope >= probability)
    assert not (supported and contradicted)
    wanted = "supported" if supported else "contradicted" if contradicted else "undecided"
    assert verdict(p, rope, probability) == wanted


@given(shares, st.none() | shares, thresholds, thresholds)
def test_asking_for_more_mass_never_decides(
    p: float, rope: float | None, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    strict = verdict(p, rope, high)
    assert strict in (verdict(p, rope, low), "undecided")


@given(shares, shares, thresholds)
def test_more_in_the_region_never_hurts(one: float, other: float, probability: float) -> None:
    order = ["contradicted", "undecided", "supported"]
    low, high = sorted((one, other))
    assert order.index(verdict(low, None, probability)) <= order.index(
        verdict(high, None, probability)
    )


@given(shares, thresholds)
def test_a_region_and_its_complement_mirror_each_other(p: float, probability: float) -> None:
    assume(abs(p - probability) > 1e-12 and abs(1 - p - probability) > 1e-12)
    mirror = {"supported": "contradicted", "contradicted": "supported", "undecided": "undecided"}
    assert verdict(1 - p, None, probability) == mirror[verdict(p, None, probability)]


# --- draws to a row ------------------------------------------------------------------


def test_regions_are_open_and_ropes_closed() -> None:
    draws = np.array([[-1.0, 0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0]])
    above = judged(draws, Proposition("P", "e", 0.0, INF, rope=(0.0, 1.0)))
    assert above["p_region"] == 5 / 8
    assert above["p_rope"] == 4 / 8
    assert judged(draws, Proposition("P", "e", -INF, 0.0))["p_region"] == 1 / 8
    assert judged(draws, Proposition("P", "e", 0.0, 2.0))["p_region"] == 2 / 8


def test_a_row_holds_the_estimands_numbers() -> None:
    rng = np.random.default_rng(0)
    row = judged(rng.normal(size=(2, 500)), Proposition("P7", "e", 0.0, INF), 0.1)
    assert (row["proposition"], row["model"], row["estimand"]) == ("P7", "model", "e")
    assert row["lower"] < row["mean"] < row["upper"]
    assert row["p_rope"] is None
    assert row["prior_sensitive"]


@pytest.mark.parametrize(("value", "wanted"), [(None, None), (0.0499, False), (0.05, True)])
def test_prior_sensitivity(value: float | None, wanted: bool | None) -> None:
    found = judged(share(500), Proposition("P", "e", 0.0, INF), value)["prior_sensitive"]
    assert found is wanted or found == wanted


@pytest.mark.parametrize(
    ("inside", "p", "status", "reason"),
    [
        (
            990,
            Proposition("P", "e", 0.0, INF),
            "supported",
            ("Supported, since the probability that it lies above 0 is 0.990 (threshold 0.975)."),
        ),
        (
            990,
            Proposition("P", "e", 0.0, INF, rope=(-0.1, 0.1)),
            "supported",
            (
                "Supported, since the probability that it lies above 0 is 0.990 (threshold "
                "0.975), and the probability that it is negligible (-0.1 to 0.1) is "
                "below 0.001 (must be below 0.025)."
            ),
        ),
        (
            10,
            Proposition("P", "e", 0.0, INF),
            "contradicted",
            (
                "Contradicted, since the probability that it does not lie above 0 is 0.990 "
                "(threshold 0.975)."
            ),
        ),
        (
            1000,
            Proposition("P", "e", 0.0, INF, rope=(0.0, 2.0)),
            "contradicted",
            (
                "Contradicted, since the probability that it is negligible (0 to 2) is above "
                "0.999 (threshold 0.975)."
            ),
        ),
        (
            500,
            Proposition("P", "e", -INF, 0.5, probability=0.9),
            "undecided",
            (
                "Undecided: the probability that it lies below 0.5 is 0.500, and the threshold is "
                "0.9 in either direction."
            ),
        ),
        (
            900,
            Proposition("P", "e", -2.0, 2.0, rope=(-2.0, -0.5)),
            "undecided",
            (
                "Undecided: the probability that it lies between -2 and 2 is above 0.999, but the "
                "probability that it is negligible (-2 to -0.5) is 0.100 (must be below 0.025)."
            ),
        ),
    ],
)
def test_reasons(inside: int, p: Proposition, status: str, reason: str) -> None:
    row = judged(share(inside), p)
    assert row["status"] == status
    assert row["reason"] == reason


def test_unusable_says_why_and_judges_nothing() -> None:
    e = effects(EffectRow("e", "indirect", "", share(1000)), usable=False, why="R-hat is 1.2.")
    row = dict(judge(e, {"P": Proposition("P", "e", 0.0, INF)}).iloc[0])
    assert row["status"] == "unusable"
    assert row["reason"] == "No verdict: R-hat is 1.2."
    assert row["p_region"] == 1.0


def test_an_estimand_of_several_rows_needs_at() -> None:
    rows = [EffectRow("e", "indirect", f"w={v}", share(n)) for v, n in ((0, 10), (1, 990))]
    e = effects(*rows, EffectRow("other", "direct", "", share(500)))
    for at, status in (("w=0", "contradicted"), ("w=1", "supported")):
        table = judge(e, {"P": Proposition("P", "e", 0.0, INF, at=at)})
        assert table["status"].tolist() == [status]
    with pytest.raises(EstimandError, match=r'propositions\.P: .*2 rows.*at = "w=0", at = "w=1"'):
        judge(e, {"P": Proposition("P", "e", 0.0, INF)})
    with pytest.raises(EstimandError, match="w=0"):
        judge(e, {"P": Proposition("P", "e", 0.0, INF, at="w=2")})
    with pytest.raises(EstimandError, match="no estimand 'othr'; did you mean 'other'"):
        judge(e, {"P": Proposition("P", "othr", 0.0, INF)})


def test_equal_rows_do_not_confuse() -> None:
    """Two quantities with the same draws keep their own numbers in the table."""
    rows = [EffectRow("e", "indirect", f"w={v}", share(700)) for v in (0, 1)]
    e = effects(*rows)
    e.table["mean"] = [1.0, 2.0]
    p = {k: Proposition(k, "e", 0.0, INF, at=f"w={k}") for k in ("0", "1")}
    assert judge(e, p)["mean"].tolist() == [1.0, 2.0]


def test_no_propositions_no_rows() -> None:
    table = judge(effects(EffectRow("e", "indirect", "", share(1))), {})
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 0


def test_every_status_is_reached() -> None:
    grid = product((0.0, 0.5, 1.0), (None, 0.0, 0.5, 1.0))
    assert {verdict(p, r, 0.975) for p, r in grid} == {"supported", "contradicted", "undecided"}

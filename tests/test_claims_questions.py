"""Verdicts answer what the statement says, where the answer to a nearby question is yes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from acmodels.framework.files import shipped
from acmodels.theory.compiling.adjustment import adjustment
from acmodels.theory.registry import entry, page
from test_claims import effect, judged, status
from traps import theory


def test_an_aggregate_that_does_nothing_is_not_supported_since_another_harms(
    tmp_path: Path,
) -> None:
    names = ["k", "most", "least", "y"]
    claim = {"kind": "aggregate", "from": "k", "rules": ["coverage", "minimum"], "to": "y",
             "sign": "+"}  # fmt: skip
    extra = {"most": {"aggregate_of": "k", "rule": "coverage"},
             "least": {"aggregate_of": "k", "rule": "minimum"}}  # fmt: skip
    arrows = ["k > y", "most > y", "least > y"]
    f = theory(tmp_path / "f", dict.fromkeys(names, "partnership"), arrows, claim, extra=extra)
    most, least, e = np.random.default_rng(1).standard_normal((3, 400))
    found = judged(f, pd.DataFrame({"most": most, "least": least, "y": -0.5 * least + e}))
    row = found.verdicts.iloc[0]
    assert row["lower"] > 0.05  # the difference alone would be supported
    assert row["status"] == "undecided"


def sides(folder: Path) -> Any:
    levels = dict.fromkeys(["ways", "formal", "informal", "y"], "partnership")
    extra = {n: {"facet_of": "ways"} for n in ("formal", "informal")}
    claim = {"all": [effect("formal"), effect("informal")]}
    return theory(folder / "f", levels, ["ways > y"], claim, extra=extra)


def test_each_side_of_a_construct_must_act_by_itself(tmp_path: Path) -> None:
    formal, u, e = np.random.default_rng(2).standard_normal((3, 400))
    informal = 0.6 * formal + 0.8 * u
    both = {"formal": formal, "informal": informal}
    f = sides(tmp_path)
    one = pd.DataFrame(both | {"y": 0.6 * informal + e})
    assert np.corrcoef(one["formal"], one["y"])[0, 1] > 0.2  # what one side alone would show
    assert status(f, one) != "supported"
    assert status(f, pd.DataFrame(both | {"y": 0.4 * formal + 0.4 * informal + e})) == "supported"


def shares(folder: Path, **more: Any) -> Any:
    levels = dict.fromkeys(["a", "b", "y"], "partnership")
    of = [{"from": c, "to": "y"} for c in "ab"]
    claim = {"kind": "contrast", "sign": "+", "of": of, **more}
    return theory(folder / str(len(more)), levels, ["a > y", "b > y"], claim)


def test_causes_on_one_metric_are_compared_per_unit(tmp_path: Path) -> None:
    """What varies more does more per sd, though less for each point."""
    a, b, e = np.random.default_rng(3).standard_normal((3, 600))
    a, b = 0.2 * a, 0.05 * b
    table = pd.DataFrame({"a": a, "b": b, "y": 2.5 * a + 5.0 * b + 0.4 * e})
    assert status(shares(tmp_path), table) == "supported"
    assert status(shares(tmp_path, one_metric=True), table) == "contradicted reversed"


def test_what_is_not_asked_is_said() -> None:
    assert "Not asked:   Monitoring is not asked." in page(entry("P69"))


def test_help_must_be_help_where_it_is_said_to_help(tmp_path: Path) -> None:
    """Ties that harm less where knowledge is tacit do not help more there."""
    levels = dict.fromkeys(["ties", "tacit", "y"], "partnership")
    rises = {"kind": "moderation", "from": "ties", "by": "tacit", "to": "y", "sign": "+"}
    helps = {"kind": "effect", "from": "ties", "to": "y", "sign": "+", "at": {"tacit": 1}}
    arrows = ["ties > y", "tacit > y"]
    alone = theory(tmp_path / "alone", levels, arrows, rises)
    both = theory(tmp_path / "both", levels, arrows, {"all": [rises, helps]})
    ties, tacit, e = np.random.default_rng(4).standard_normal((3, 600))

    def study(slope: float) -> pd.DataFrame:
        return pd.DataFrame({"ties": ties, "tacit": tacit, "y": (slope + 0.4 * tacit) * ties + e})

    assert status(alone, study(-0.6)) == "supported"
    assert status(both, study(-0.6)) != "supported"
    assert status(both, study(0.3)) == "supported"


@pytest.mark.parametrize(
    ("cause", "consequences"),
    [("previous_ties", {"cross_department_ties", "communication"}),
     ("partner_type", {"guidance", "flexibility", "similar_norms"})],
)  # fmt: skip
def test_what_a_cause_works_through_is_not_held_fixed(cause: str, consequences: set[str]) -> None:
    f = shipped()
    found = adjustment(f, [cause], ["learning"], set(f.constructs))
    assert not consequences & set(found.covariates)


def test_sides_of_routines_are_not_adjusted_for() -> None:
    f = shipped()
    found = adjustment(f, ["routines"], ["learning"], set(f.constructs))
    assert not {"routine_depth", "routine_frequency", "routine_origin"} & set(found.covariates)


def test_a_mediator_of_departments_has_no_intercepts_of_partners_that_cross_them(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(5)
    department = np.repeat(np.arange(60), 3)
    x, m = rng.standard_normal((2, 60))
    m = 0.7 * x + 0.5 * m
    y = 0.6 * m[department] + 0.5 * rng.standard_normal(180)
    table = pd.DataFrame(
        {
            "department": [f"d{k}" for k in department],
            "partner": [f"p{k}" for k in rng.integers(0, 20, 180)],
            "x": x[department], "m": m[department], "y": y,
        }
    )  # fmt: skip
    claim = {"kind": "mediation", "from": "x", "via": ["m"], "to": "y", "sign": "+"}
    levels = {"x": "department", "m": "department", "y": "partnership"}
    f = theory(tmp_path / "f", levels, ["x > m", "m > y"], claim)
    assert status(f, table) == "supported"

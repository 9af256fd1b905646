"""Turning points: where they are, and whether they are there and inside the data."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.errors import InputError
from acmodels.estimands import Context, evaluate
from acmodels.system import build_system
from monte_carlo import allowed


def data(n: int = 300, top: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    x, w = rng.uniform(-1, 3, n), rng.integers(0, 2, n).astype(float)
    return pd.DataFrame({"x": x, "w": w, "y": -((x - top) ** 2) + 0.5 * rng.normal(size=n)})


def model(formula: str = "y ~ x + square(x)", priors: Any = None, **more: Any) -> Any:
    return ac.load_model(
        {
            "name": "turn",
            "priors": priors or {},
            "equations": {"y": {"formula": formula}},
            "estimands": {"top": {"kind": "turning_point", "from": "x", "to": "y", **more}},
            "propositions": {
                "P61": {"estimand": "top", "at": "inside", "region": {"above": 0.5}},
                "PX": {"estimand": "top", "region": {"between": [0.5, 1.5]}},
            },
        }
    )


def test_a_parabola_turns_where_it_does() -> None:
    fit = ac.fit(model(shape="maximum"), data())
    rows = fit.effects.table.set_index("at")
    b, c = fit.draws["y ~ x"], fit.draws["y ~ square(x)"]
    assert rows.loc["", "mean"] == pytest.approx(float(np.mean(-b / (2 * c))))
    assert abs(rows.loc["", "mean"] - 1.0) < 4 * rows.loc["", "sd"]
    assert rows.loc["inside", "mean"] == 1.0
    assert list(ac.judge(fit.effects, fit.spec.propositions)["status"]) == ["supported"] * 2


def test_a_minimum_is_no_maximum_and_outside_is_not_inside() -> None:
    def inside(table: pd.DataFrame, **more: Any) -> float:
        effects = ac.fit(model(**more), table).effects.table.set_index("at")
        return float(effects.loc["inside", "mean"])

    assert inside(data(), shape="minimum") == 0.0
    # of a curvature of -1 +/- 0.03 and a slope of 18: inside only where the curvature is below -3
    assert inside(data(top=9.0)) == 0.0
    flat = data().assign(y=np.random.default_rng(1).normal(size=300))
    want = share_inside(flat)
    assert 0 < want < 1
    # the share of 4,000 draws of the engine and the one of as many here
    near = allowed(np.sqrt(2 * want * (1 - want) / 4000))
    assert abs(inside(flat, shape="maximum", priors=WIDE) - want) < near


WIDE = {"y ~ *": {"dist": "Normal", "mu": 0, "sigma": 100}}


def share_inside(table: pd.DataFrame) -> float:
    """Probability of a maximum inside the data, of draws of least squares' posterior.

    With flat priors coefficients are a Student t with n - 3 degrees of freedom about the estimate
    (Gelman et al., 2013, section 14.2).
    """
    rng = np.random.default_rng(2)
    x, n = table["x"].to_numpy(), len(table)
    X = np.column_stack([np.ones(n), x, x**2])
    at, left, *_ = np.linalg.lstsq(X, table["y"].to_numpy(), rcond=None)
    root = np.linalg.cholesky(np.linalg.inv(X.T @ X))
    sigma = np.sqrt(left[0] / rng.chisquare(n - 3, size=4000))
    _, b, c = (at + sigma[:, None] * (rng.normal(size=(4000, 3)) @ root.T)).T
    top = -b / (2 * c)
    return float(np.mean((c < 0) & (top >= x.min()) & (top <= x.max())))


def test_by_a_moderator() -> None:
    m = model("y ~ x*w + square(x)", at={"w": [0, 1]}).estimands
    spec = model("y ~ x*w + square(x)")
    system = build_system(spec, ac.study(data()))
    v = {"y ~ x": 2.0, "y ~ x:w": 1.0, "y ~ square(x)": -1.0}
    context = Context(
        system.layout, system.responses, lambda n: np.full((1, 1), v.get(n, 0.0)), m, "turn"
    )
    found = {r.at: r.draws.item() for r in evaluate("top", context)}
    assert found == pytest.approx({"w=0": 1.0, "w=0; inside": 1.0, "w=1": 1.5, "w=1; inside": 1.0})


@pytest.mark.parametrize(
    ("formula", "more", "message"),
    [
        ("y ~ x + w", {}, "'x'"),
        ("y ~ x + square(x)", {"from": "square(x)"}, "name the variable itself"),
        ("y ~ x + square(x)", {"at": {"x": [1]}}, "cannot be held"),
    ],
)
def test_what_is_refused(formula: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ac.fit(model(formula, **more), data())


def test_a_power_plan_counts_the_place_unless_told_otherwise() -> None:
    from acmodels.replication.criterion import PowerMeasure
    from acmodels.spec.proposition import Claim

    spec = model(at={"w": [0, 1]}, formula="y ~ x*w + square(x)")
    system = build_system(spec, ac.study(data()))
    context = Context(
        system.layout, system.responses, lambda _: np.ones((1, 1)), spec.estimands, "m"
    )
    claim = Claim("top", 0.5, 1.5)
    of = PowerMeasure("top", None, "eti", 0.95, claim, 0.975)
    assert of.quantities(spec, context) == ("top [w=0]", "top [w=1]")
    one = PowerMeasure("top", "w=1; inside", "eti", 0.95, claim, 0.975)
    assert one.quantities(spec, context) == ("top [w=1; inside]",)

"""Ropes on the steps of indirect effects, weighted sums, and slopes that add up."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.errors import EstimandError
from acmodels.estimands import Context, evaluate, steps
from acmodels.inference.judging import EffectRow
from acmodels.inference.parts import parts
from acmodels.system import build_system, parameters
from fakes import fake_effects

ROPE = [-0.05, 0.05]


def context(equations: dict[str, str], estimands: dict[str, Any], frame: Any, **truth: Any) -> Any:
    """A model's estimands at stated draws of parameters, (1, S); those not stated are 0.5."""
    spec = ac.load_model(
        {
            "name": "t",
            "equations": {k: {"formula": f} for k, f in equations.items()},
            "estimands": estimands,
        }
    )
    system = build_system(spec, ac.study(frame))
    known = {p.name for p in parameters(system.layout)}
    given = {k: np.atleast_2d(v) for k, v in truth.items()}
    assert set(given) <= known, (set(given), known)
    size = next((v.shape for v in given.values()), (1, 1))

    def look(name: str) -> Any:
        return given.get(name, np.full(size, 0.5))

    return Context(system.layout, system.responses, look, spec.estimands, spec.source)


def rows_of(found: Any, name: str) -> tuple[EffectRow, ...]:
    e = found.estimands[name]
    return tuple(
        EffectRow(name, e.kind, r.at, r.draws, steps=s)
        for r, s in zip(evaluate(name, found), steps(name, found), strict=True)
    )


CHAIN = {"m": "m ~ x", "y": "y ~ m + x"}
PATH = {"ab": {"kind": "indirect", "from": "x", "via": ["m"], "to": "y"}}


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 60
    unit = np.repeat(np.arange(12), 5)
    out = {k: rng.normal(size=n) for k in ("x", "m", "y", "m2", "z", "n1")}
    out["u"] = rng.normal(size=12)[unit]
    return pd.DataFrame({**out, "unit": unit, "district": unit // 3, "department": unit % 3})


def judged(frame: Any, a: float, b: float, sd: float = 0.01) -> tuple[dict[str, Any], pd.DataFrame]:
    rng = np.random.default_rng(2)
    draws = {
        "m ~ x": a + sd * rng.normal(size=2000),
        "y ~ m": b + sd * rng.normal(size=2000),
    }
    rows = rows_of(context(CHAIN, PATH, frame, **draws), "ab")
    spec = ac.load_model(
        {
            "name": "t",
            "equations": {k: {"formula": f} for k, f in CHAIN.items()},
            "estimands": PATH,
            "propositions": {"H": {"estimand": "ab", "region": {"above": 0}, "rope": ROPE}},
        }
    )
    found = fake_effects("t", rows, ())
    row = dict(ac.judge(found, spec.propositions).iloc[0])
    return row, parts(found, spec.propositions)


def test_a_small_product_of_two_steps_that_matter_is_not_negligible(frame: pd.DataFrame) -> None:
    row, table = judged(frame, 0.2, 0.2)
    assert row["status"] == "supported"
    assert row["p_rope"] == 0
    assert ROPE[0] < row["mean"] < ROPE[1]
    assert table["part"].tolist() == ["step 1", "step 2"]
    assert table[["from", "to"]].to_numpy().tolist() == [["x", "m"], ["m", "y"]]
    assert table["status"].tolist() == ["supported"] * 2
    assert table["mean"].tolist() == pytest.approx([0.2, 0.2], abs=0.002)


def test_one_step_that_is_nil_makes_the_effect_negligible(frame: pd.DataFrame) -> None:
    row, table = judged(frame, 0.0, 2.0)
    assert (row["status"], row["how"], row["p_rope"]) == ("contradicted", "negligible", 1.0)
    assert "a step of its path is negligible" in row["reason"]
    assert table["status"].tolist() == ["contradicted", "supported"]
    assert table["p_rope"].tolist() == [1.0, 0.0]


def test_a_product_in_the_rope_by_chance_of_a_wide_step_is_open(frame: pd.DataFrame) -> None:
    row, _ = judged(frame, 0.2, 0.2, sd=0.2)
    assert row["status"] == "undecided"
    assert 0.025 < row["p_rope"] < 0.975


def test_several_paths_are_negligible_only_together(frame: pd.DataFrame) -> None:
    equations = {"m": "m ~ x", "m2": "m2 ~ x", "y": "y ~ m + m2"}
    both = {"e": {"kind": "indirect", "from": "x", "via": [["m"], ["m2"]], "to": "y"}}
    spec = ac.load_model(
        {
            "name": "t",
            "equations": {k: {"formula": f} for k, f in equations.items()},
            "estimands": both,
            "propositions": {"H": {"estimand": "e", "region": {"above": 0}, "rope": ROPE}},
        }
    )
    for second, how in ((0.5, ""), (0.0, "negligible")):
        given = {"m ~ x": np.zeros(500), "m2 ~ x": np.full(500, second)}
        rows = rows_of(context(equations, both, frame, **given), "e")
        found = fake_effects("t", rows, ())
        assert ac.judge(found, spec.propositions).iloc[0]["how"] == how
        table = parts(found, spec.propositions)
        assert table["part"].tolist() == [f"path {i}, step {k}" for i in (1, 2) for k in (1, 2)]


def test_steps_multiply_to_the_effect(frame: pd.DataFrame) -> None:
    """A law where no group effects covary: the product of steps is the effect, along any chain."""
    equations = {"m": "m ~ x*z", "m2": "m2 ~ m + x", "y": "y ~ m2 + square(m2) + x"}
    e = {
        "e": {
            "kind": "indirect", "from": "x", "via": ["m", "m2"], "to": "y",
            "at": {"z": [-1, 2], "m2": [0.3]},
        }
    }  # fmt: skip
    rng = np.random.default_rng(4)
    names = ("m ~ x", "m ~ x:z", "m2 ~ m", "y ~ m2", "y ~ square(m2)")
    found = context(equations, e, frame, **{n: rng.normal(size=50) for n in names})
    for row in rows_of(found, "e"):
        (path,) = row.steps
        np.testing.assert_allclose(np.prod([s.draws for s in path], axis=0), row.draws)


def test_the_moderated_step_of_an_index_is_its_change(frame: pd.DataFrame) -> None:
    equations = {"m": "m ~ x*z", "y": "y ~ m + x"}
    e = {"i": {"kind": "index_of_moderated_mediation", "from": "x", "via": ["m"], "to": "y",
               "moderator": "z"}}  # fmt: skip
    given = {"m ~ x": [1.0], "m ~ x:z": [0.25], "y ~ m": [0.5]}
    (row,) = rows_of(context(equations, e, frame, **given), "i")
    ((first, second),) = row.steps
    assert (first.draws.item(), second.draws.item()) == (0.25, 0.5)


def test_an_effect_runs_through_every_term_that_carries_the_mediator(frame: pd.DataFrame) -> None:
    """A cause of units moves the mediator's mean: its own and the contextual slope add up."""
    equations = {
        "m": "m ~ u + x + (1 | unit)",
        "y": "y ~ m + between(m, unit) + u + x + (1 | unit)",
    }
    e = {
        "up": {"kind": "indirect", "from": "u", "via": ["m"], "to": "y"},
        "every": {"kind": "indirect", "from": "u", "to": "y"},
        "low": {"kind": "indirect", "from": "x", "via": ["m"], "to": "y"},
    }
    given = {"m ~ u": [0.4], "m ~ x": [0.3], "y ~ m": [0.5], "y ~ between(m, unit)": [0.25]}
    found = context(equations, e, frame, **given)
    (up,), (every,), (low,) = (rows_of(found, n) for n in e)
    assert up.draws.item() == every.draws.item() == pytest.approx(0.4 * 0.75)
    assert [s.draws.item() for s in up.steps[0]] == pytest.approx([0.4, 0.75])
    assert [(s.source, s.to) for s in up.steps[0]] == [("u", "m"), ("m", "y")]
    assert low.draws.item() == pytest.approx(0.3 * 0.5)  # within units nothing else moves
    assert [s.draws.item() for s in low.steps[0]] == pytest.approx([0.3, 0.5])


@pytest.mark.parametrize("labels", ["own", "shared"])
def test_a_mean_of_a_nested_unit(frame: pd.DataFrame, labels: str) -> None:
    """(1 | district/department) has departments of its own where their labels are."""
    department = "unit" if labels == "own" else "department"
    equations = {
        "m": f"m ~ x + (1 | district/{department})",
        "y": f"y ~ m + between(m, {department}) + (1 | {department})",
    }
    estimands = {"e": {"kind": "direct", "from": "m", "to": "y"}}
    if labels == "own":
        assert context(equations, estimands, frame).layout
        return
    with pytest.raises(ac.InputError, match=r"has no \(1 \| department\)"):
        context(equations, estimands, frame)


# --- combine, direct -------------------------------------------------------------------------


def combined(frame: Any, **table: Any) -> Any:
    estimands = {
        **PATH,
        "c": {"kind": "direct", "from": "x", "to": "y"},
        "t": {"kind": "total", "from": "x", "to": "y"},
        "s": {"kind": "slope_at", "from": "x", "to": "m", "at": {"z": [0, 1]}},
        "k": {"kind": "combine", **table},
    }
    equations = {"m": "m ~ x*z", "y": "y ~ m + x"}
    rng = np.random.default_rng(5)
    given = {n: rng.normal(size=20) for n in ("m ~ x", "y ~ m", "y ~ x")}
    return context(equations, estimands, frame, **given)


def test_a_sum_of_parts_is_the_whole_on_every_draw(frame: pd.DataFrame) -> None:
    found = combined(frame, of=["ab", "c"])
    np.testing.assert_allclose(evaluate("k", found)[0].draws, evaluate("t", found)[0].draws)


def test_weights_are_of_each(frame: pd.DataFrame) -> None:
    found = combined(frame, of=["ab", "c"], weights=[0.5, -2])
    ab, c = (evaluate(n, found)[0].draws for n in ("ab", "c"))
    np.testing.assert_allclose(evaluate("k", found)[0].draws, 0.5 * ab - 2 * c)


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ({"of": ["ab", "c"], "weights": [1]}, "k.weights: 1 weights for 2 estimands"),
        ({"of": ["ab", "cc"]}, "k.of: no estimand 'cc'; did you mean 'c'"),
        ({"of": ["ab", "k"]}, "k.of: refers to itself"),
        ({"of": ["ab", "s"]}, "k.of: 's' has 2 rows"),
        ({"of": ["c", "c"]}, "k.of: an estimand is named twice"),
        ({"of": []}, "k.of"),
        ({"of": ["c"], "weight": [1]}, "unknown key 'weight'; did you mean 'weights'?"),
    ],
)
def test_what_is_wrong_with_a_sum(frame: pd.DataFrame, table: Any, wanted: str) -> None:
    with pytest.raises(EstimandError) as error:
        evaluate("k", combined(frame, **table))
    assert any(wanted in p for p in error.value.problems), error.value.problems


@pytest.mark.parametrize("kind", ["direct", "total", "slope_at"])
def test_via_is_refused_where_nothing_is_passed(kind: str) -> None:
    with pytest.raises(EstimandError, match=r"estimands\.e\.via: .* runs .*kind = \"indirect\""):
        ac.load_model(
            {
                "name": "t",
                "equations": {k: {"formula": f} for k, f in CHAIN.items()},
                "estimands": {"e": {"kind": kind, "from": "x", "to": "y", "via": ["m"]}},
            }
        )

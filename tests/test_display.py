"""What a notebook shows: something for every public value, and nothing that runs."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

import acmodels as ac

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    design = ac.load_design("interaction_conditions")
    assert design.model is not None
    made = ac.simulate(design)
    fit = ac.fit(design.model, made.study, draws=200)
    few = replace(design, replications=20)
    plan = ac.load_plan("plan_cluster_randomised")
    world = ac.world({"world": "baseline", "size": {"districts": 4, "waves": 1}})
    return {
        "model": design.model, "design": design, "plan": plan, "study": made.study,
        "simulation": made, "fit": fit, "effects": ac.estimate(fit), "world": world,
        "scales": ac.scales(world.study), "proposition": ac.proposition("P41"),
        "recover": ac.recover(few), "power": ac.power(plan, replications=20),
        "calibrate": ac.calibrate(few), "bayes_factor": ac.bayes_factor(fit, fit),
        "influence": ac.influence(fit, made.study, "partner"),
        "assess": ac.assess(made.study, ["P24"], draws=200),
    }  # fmt: skip


def test_every_value_shows_something(values: dict[str, Any]) -> None:
    for name, value in values.items():
        shown = value._repr_html_()
        assert "<t" in shown, name
        assert len(shown) < 60_000, name


def test_no_cell_of_the_data_is_shown(values: dict[str, Any]) -> None:
    frame = values["study"].frame
    for name in ("study", "simulation"):
        shown = values[name]._repr_html_()
        assert str(frame["district"].iloc[0]) not in shown
        assert all(c in shown for c in frame.columns)


def test_names_stay_text() -> None:
    study = ac.study(pd.DataFrame({HOSTILE: [1.0, 2.0]}))
    assert "<script" not in study._repr_html_()
    model = ac.load_model({"name": HOSTILE, "equations": {"y": {"formula": "y ~ x"}}})
    assert "<script" not in model._repr_html_()

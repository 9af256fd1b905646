"""The models and designs that come with the package."""

import csv
from pathlib import Path

import pytest

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.framework import propositions
from acmodels.load import models_folder, shipped_models
from acmodels.reporting.preregistration import preregistration
from acmodels.theory.registry import entries

RANKS = Path(__file__).parents[1] / "analyses" / "calibration" / "ranks.csv"
RIVAL = {"P21"}
"""Propositions that a design has at zero, since it holds the rival."""


@pytest.mark.parametrize("name", shipped_models())
def test_every_model_has_a_design_in_which_its_claims_hold(name: str) -> None:
    model = ac.load_model(name)
    assert model.design == name
    assert model.description
    made = ac.simulate(ac.load_design(name), seed=2)
    for p in model.propositions.values():
        assert p.id in propositions()
        truth = made.effects[f"{p.estimand} [{p.at}]" if p.at else p.estimand]
        if p.id not in RIVAL:
            assert p.lower < truth < p.upper, (p.id, truth)


@pytest.mark.parametrize("name", [n for n in shipped_models() if n != "interaction_mediation"])
def test_every_model_is_one_of_the_exact_engine(name: str) -> None:
    made = ac.simulate(ac.load_design(name), seed=3)
    fit = ac.fit(ac.load_model(name), made.study, draws=200, engine="collapsed")
    assert fit.diagnostics.pareto_k is not None
    assert fit.diagnostics.pareto_k < 0.7
    inside = [
        low <= made.truth[n] <= high
        for n, low, high in zip(
            fit.estimates["name"], fit.estimates["lower"], fit.estimates["upper"], strict=True
        )
    ]
    # 95 % intervals of some tens of parameters: binomial, less four standard errors
    assert sum(inside) >= 0.95 * len(inside) - 4 * (len(inside) * 0.95 * 0.05) ** 0.5


def test_how_many_propositions_can_be_tested() -> None:
    can = [e for e in entries() if e["executable"]]
    assert len(can) >= 74
    assert sum(e["tier"] == 1 for e in can) >= 31


PLANS = ("cluster_randomised", "mediation_211", "mediation_221", "mediation_321",
         "crossed_partnerships", "panel")  # fmt: skip


@pytest.mark.parametrize("name", PLANS)
def test_plans_of_usual_designs_run(name: str) -> None:
    plan = ac.load_plan(f"plan_{name}")
    assert len(plan.cells) >= 4
    found = ac.power(plan, replications=8)
    assert found.trusted
    assert found.table["power"].between(0, 1).all()
    assert found.table["cost"].gt(0).all()


@pytest.mark.parametrize("name", shipped_models())
def test_every_model_can_be_preregistered(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli(["preregister", name])
    said = capsys.readouterr().out
    model = ac.load_model(name)
    for p in model.propositions.values():
        assert f"- **{p.id}** {propositions()[p.id].statement}" in said
        assert f"`{p.estimand}`" in said
    for e in model.equations.values():
        assert f"`{e.formula.text}`" in said
    assert "- `* ~ *`: Normal(mu = 0, sigma = 1)" in said
    assert "## Power\n\nNot stated: no power run was given" in said


def test_a_preregistration_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plan.md"
    cli(["preregister", "interaction_conditions", "--out", str(out)])
    before = out.read_text()
    out.write_text(before + "signed\n")
    with pytest.raises(SystemExit) as stopped:
        cli(["preregister", "interaction_conditions", "--out", str(out)])
    assert stopped.value.code == 2
    assert "is there already and was not touched" in capsys.readouterr().err
    assert out.read_text() == before + "signed\n"


def test_a_preregistration_says_every_setting_and_scale() -> None:
    effect = {"kind": "indirect", "from": "x", "to": "y"}
    model = ac.load_model(
        {
            "name": "p",
            "equations": {
                "m": {"formula": "m ~ x*w", "family": "bernoulli"},
                "y": {"formula": "y ~ m + x*w + square(x)"},
            },
            "estimands": {
                "i": {**effect, "at": {"w": [18, 30]}},
                "r": {**effect, "scale": "response", "values": [1234567, 1234568], "arm": 1},
                "t": {"kind": "turning_point", "from": "x", "to": "y", "shape": "maximum"},
            },
            "propositions": {
                "H1": {"estimand": "i", "at": "w=18", "region": {"above": 0.0}},
                "H2": {"estimand": "r", "region": {"above": 0.0}},
                "H3": {"estimand": "t", "region": {"above": 0.0}},
            },
        }
    )
    text = preregistration(model)
    for said in (
        "with w at 18 and 30", "that it (at w = 18) lies above 0",
        "x moves from 1234567 to 1234568",
        "at the second of the two values", "where it is a maximum",
        "by slopes of the linear predictor of m, which is not in units of y",
    ):  # fmt: skip
        assert said in text


def test_a_preregistration_has_the_power_that_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ac.power(ac.load_plan("plan_cluster_randomised"), replications=20).table.to_csv(
        tmp_path / "power.csv", index=False
    )
    plan = str(models_folder() / "usual" / "cluster_randomised.toml")
    args = ["preregister", plan, "plan_cluster_randomised", "--power", str(tmp_path)]
    cli([*args, "--out", str(tmp_path / "prereg.md")])
    text = (tmp_path / "prereg.md").read_text()
    assert "- district: 40" in text
    assert "| district | row.n | estimand | rule | power |" in text
    with pytest.raises(SystemExit) as stop:
        cli(["preregister", plan, "--power", str(tmp_path / "none")])
    assert stop.value.code == 2
    assert "no such file" in capsys.readouterr().err


def test_every_hand_written_model_is_calibrated() -> None:
    with RANKS.open(encoding="utf-8") as file:
        found = {r["model"]: r for r in csv.DictReader(file)}
    assert set(found) == set(shipped_models())
    assert all(float(r["p_model"]) >= 1e-3 and int(r["n"]) >= 1000 for r in found.values())

"""`acmodels test` and its neighbors: what a study says of a framework, and what it cannot say."""

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.errors import InputError
from acmodels.framework import load_framework, propositions
from acmodels.load import models_folder

DATA = Path(__file__).parents[1] / "data" / "synthetic" / "partnerships" / "data.csv"
PACKAGES = DATA.parents[1]
START = models_folder() / "start" / "framework"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Twenty districts: what is shown does not depend on how many, and fits take seconds."""
    whole = pd.read_csv(DATA, dtype=dict.fromkeys(("district", "department", "partner"), str))
    few = whole["district"].isin(sorted(set(whole["district"]))[:20])
    return whole[few].drop(columns="partner").reset_index(drop=True)


def small(table: pd.DataFrame, *ids: str, **more: Any) -> Any:
    return ac.assess(table, ids, draws=250, **more)


def test_verdicts_do_not_depend_on_order_or_further_columns(table: pd.DataFrame) -> None:
    one = small(table, "P10", "P65")
    shuffled = table.sample(frac=1, random_state=3)[list(reversed(table.columns))]
    other = small(shuffled.assign(noise=1.5).reset_index(drop=True), "P10", "P65")
    assert list(one.verdicts["status"]) == list(other.verdicts["status"])
    assert list(one.verdicts["proposition"]) == ["P10", "P65"]
    assert 0 < one.expected_false < 1
    a, b = one.verdicts["mean"], other.verdicts["mean"]
    assert np.abs(a).to_numpy() == pytest.approx(np.abs(b).to_numpy(), abs=0.05)


def test_a_claim_needs_its_own_columns_only(table: pd.DataFrame) -> None:
    found = small(table[["district", "department", "leadership", "routines"]], "P10", "P41", "P42")
    rows = found.verdicts.set_index("proposition")
    assert "the outcome 'learning'" in rows.loc["P10", "reason"]
    assert set(rows["status"]) == {"not_testable"}
    alone = small(table[["leadership", "collective_knowledge"]], "P10").verdicts.iloc[0]
    assert alone["status"] != "not_testable"


def test_what_the_data_lack_is_named(table: pd.DataFrame) -> None:
    found = small(table.drop(columns=["leadership"]), "P10", "P96")
    rows = found.verdicts.set_index("proposition")
    assert set(rows["status"]) == {"not_testable"}
    assert "'leadership' (strategic knowledge leadership)" in rows.loc["P10", "reason"]
    constant = small(table.assign(leadership=1.0), "P10").verdicts.iloc[0]
    assert constant["status"] == "not_testable"
    assert "one value only" in constant["reason"]


def test_all_propositions_have_a_row_on_data_that_fit_nothing() -> None:
    found = ac.assess(pd.DataFrame({"x": np.arange(5.0)}))
    assert list(found.verdicts["proposition"]) == list(propositions())
    assert set(found.verdicts["status"]) == {"not_testable"}
    assert found.usable


def test_unknown_propositions(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="no proposition 'P97'"):
        ac.assess(table, ["P97"])


def test_family_wise_asks_more_the_more_are_tested(table: pd.DataFrame) -> None:
    found = small(table, "P10", "P13", family_wise=True)
    assert {c.terms.probability for c in found.propositions.values()} == {1 - 0.025 / 2}
    assert found.expected_false == pytest.approx(0.025)


def test_what_a_verdict_hangs_on(table: pd.DataFrame) -> None:
    found = small(table, "P10")
    moved = found.sensitivity["P10"]
    # by symmetry of its prior an effect is positive with probability 1/2; 400 draws, 4.5 errors
    assert moved.p_prior == pytest.approx(0.5, abs=4.5 * 0.5 / 20)
    assert found.verdicts["p_prior"].iloc[0] == moved.p_prior
    assert None not in moved.priors


def test_parts_of_a_composite_outcome_are_rows(table: pd.DataFrame) -> None:
    parts = small(table, "P10").parts
    assert set(parts["to"]) == {"collective_knowledge", "policy_and_routines"}
    assert set(parts["status"]) <= {"supported", "contradicted", "undecided"}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    data = tmp_path / "data.csv"
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(30), 6)
    community = rng.standard_normal(180) + rng.standard_normal(30)[school]
    trust = 0.5 * community + rng.standard_normal(180)
    practice = 0.5 * trust + 0.3 * rng.standard_normal(30)[school] + rng.standard_normal(180)
    frame = pd.DataFrame(
        {
            "school": [f"s{k}" for k in school], "pro_community": community, "trust": trust,
            "practice": practice,
        }
    )  # fmt: skip
    frame.to_csv(data, index=False)
    cli(["test", str(data), "--framework", str(START), "--out", str(out), "--draws", "250"])
    said = capsys.readouterr().out
    verdicts = pd.read_csv(out / "verdicts.csv")
    assert list(verdicts.columns) == [
        "proposition", "model", "estimand", "status", "how", "p_region", "p_rope", "mean",
        "lower", "upper", "prior_sensitive", "reason", "p_prior", "not_adjusted_for",
    ]  # fmt: skip
    status = verdicts.set_index("proposition")["status"]
    assert status["H3"] == "supported"
    assert status["H2"] == "not_testable"
    assert "the moderator 'leadership'" in said
    parts = pd.read_csv(out / "parts.csv")
    assert list(parts.columns) == [
        "proposition", "part", "from", "to", "scale", "mean", "lower", "upper", "p_region",
        "p_rope", "status",
    ]  # fmt: skip
    for name in verdicts.loc[verdicts["status"] != "not_testable", "model"]:
        text = (out / name / "model.toml").read_text(encoding="utf-8")
        assert tomllib.loads(text)["name"] == name
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'id="claim-H1"' in page
    assert "Not adjusted for" in page
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert set(run["models"]) == {m for m in verdicts["model"].dropna() if m}


def test_a_printed_model_can_be_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli(["model", "P10", str(DATA)])
    text = capsys.readouterr().out
    assert text.startswith("# P10: ")
    for word in ("# Adjusted for: ", "# Not adjusted for", "# Rule: supported where P >= 0.975"):
        assert word in text
    file = tmp_path / "P10.toml"
    file.write_text(text, encoding="utf-8")
    fit = ac.fit(ac.load_model(file), ac.load_study(DATA), draws=250)
    assert [r.name for r in fit.effects.rows] == ["effect"]


def test_a_model_that_the_data_cannot_have(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        cli(["model", "P96", str(DATA)])
    assert done.value.code == 2
    assert "P96: not testable: the data lack the outcome" in capsys.readouterr().err


def test_the_framework_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    cli(["framework", str(START), "--out", str(out)])
    assert "5 constructs, 4 arrows, 4 propositions" in capsys.readouterr().out
    svg = (out / "map.svg").read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "instructional leadership" in svg
    text = (out / "propositions.md").read_text(encoding="utf-8")
    assert "### H2" in text
    assert "practice is positive only at high levels of instructional leadership" in text


def test_a_new_framework_is_one_that_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli(["new", str(tmp_path / "mine"), "--framework"])
    capsys.readouterr()
    assert load_framework(tmp_path / "mine").name == "professional_community"
    with pytest.raises(SystemExit):
        cli(["new", str(tmp_path / "mine"), "--framework"])
    assert "is there already and was not touched" in capsys.readouterr().err


def test_the_models_of_the_framework_are_what_its_claims_compile_to() -> None:
    """A few of them; `make check-models` compares all."""
    from acmodels.theory.compiler import compile_proposition, full_study
    from acmodels.theory.telling import told

    f = load_framework()
    for name in ("P01", "P41", "P53"):
        found = compile_proposition(f, f.propositions[name], full_study(f), schematic=True)
        file = models_folder() / "framework" / f"{name}.toml"
        assert file.read_text(encoding="utf-8") == f"{told(f, found)}\n"


def test_two_departments_get_a_verdict_on_whether_they_differ() -> None:
    """One district, two departments, one partner: the first study of the framework's authors."""
    study = ac.load_study(PACKAGES / "two_departments")
    found = ac.assess(study, ["P24", "P10"], draws=250)
    rows = found.verdicts.set_index("proposition")
    assert rows.loc["P24", "status"] in ("supported", "undecided", "contradicted")
    assert "one district" in rows.loc["P10", "reason"]
    (claim,) = found.propositions["P24"].compiled
    assert any("2 departments" in n for n in claim.notes)
    (file,) = found.files.values()
    assert "person" in {g.name for g in file.equations[0].groups}

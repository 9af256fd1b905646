"""Claims of constructs that a study measures by items: latent, on averages, and what is said."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.data import read_study, study_of
from acmodels.data.answers import with_answers
from acmodels.data.table import TablePart
from acmodels.errors import EngineError
from acmodels.framework.files import load_framework
from acmodels.load import load_model
from acmodels.theory import assessment
from acmodels.theory.claims import Terms, structure
from acmodels.theory.compiler import compile_proposition
from acmodels.theory.compiling.factors import fitted, gains
from acmodels.theory.ruling import decide

UNITS = 300
NAMES = ("skill", "trust", "climate", "effort", "growth", "calm")
ARROWS = (
    ("skill", "trust"), ("skill", "climate"), ("trust", "climate"),
    ("trust", "effort"), ("effort", "growth"), ("effort", "calm"),
)  # fmt: skip
CLAIMS = """
[H1]
statement = "Trust improves climate."
kind = "effect"
from = "trust"
to = "climate"
sign = "+"
[H2]
statement = "Trust improves growth through effort."
kind = "mediation"
from = "trust"
via = ["effort"]
to = "growth"
sign = "+"
[H3]
statement = "Trust improves calm through effort."
kind = "mediation"
from = "trust"
via = ["effort"]
to = "calm"
sign = "+"
[H4]
statement = "Trust improves climate more where skill is high."
kind = "moderation"
from = "trust"
by = "skill"
to = "climate"
sign = "+"
[H5]
statement = "The effect of trust on climate is curved."
kind = "curve"
from = "trust"
to = "climate"
shape = "inverted U"
[H6]
statement = "Skill, trust and calm are distinct."
kind = "structure"
constructs = ["skill", "trust", "calm"]
"""


def framework(folder: Path) -> Path:
    folder.mkdir()
    (folder / "framework.toml").write_text(
        'name = "f"\ntitle = "F"\n[units]\ndistrict = { id = "district" }\n', encoding="utf-8"
    )
    (folder / "constructs.toml").write_text(
        "\n".join(f'[{n}]\nname = "{n}"\nlevel = "district"' for n in NAMES), encoding="utf-8"
    )
    (folder / "arrows.toml").write_text(
        "\n".join(
            f'[[arrow]]\nfrom = "{a}"\nto = "{b}"\nsign = "+"\nassumed = "a test"'
            for a, b in ARROWS
        ),
        encoding="utf-8",
    )
    (folder / "propositions.toml").write_text(CLAIMS, encoding="utf-8")
    return folder


def study(folder: Path, *, raters: int = 1, items: int = 3, units: int = UNITS) -> Path:
    """Write a study in which trust has no effect on climate, and effort none on calm.

    Skill moves both trust and climate and is measured with much error, so that its average holds
    only a part of it fixed.
    """
    rng = np.random.default_rng(7)
    e = dict(zip(NAMES, rng.standard_normal((len(NAMES), units)), strict=True))
    f = {"skill": e["skill"]}
    f["trust"] = 0.8 * f["skill"] + 0.6 * e["trust"]
    f["climate"] = 0.8 * f["skill"] + 0.6 * e["climate"]
    f["effort"] = 0.7 * f["trust"] + 0.7 * e["effort"]
    f["growth"] = 0.7 * f["effort"] + 0.7 * e["growth"]
    f["calm"] = e["calm"]
    folder.mkdir()
    ids = [f"u{k:03d}" for k in range(units)]
    tables: dict[str, pd.DataFrame] = {"districts": pd.DataFrame({"district_id": ids})}
    people = [(f"p{k}_{r}", k) for k in range(units) for r in range(raters)]
    tables["persons"] = pd.DataFrame({"person_id": [p for p, _ in people]})
    tables["constructs"] = pd.DataFrame({"construct_id": NAMES, "level": "district"})
    book = [(f"{n}_{j}", n) for n in NAMES for j in range(items)]
    tables["items"] = pd.DataFrame(book, columns=["item_id", "construct_id"]).assign(min=1, max=5)
    where = np.array([k for _, k in people])
    answers: list[pd.DataFrame] = []
    for item, n in book:
        loading = 0.8 if n == "skill" else 1.5
        seen = loading * f[n][where] + rng.standard_normal(len(people))
        value = np.digitize(seen, np.array([-1.5, -0.5, 0.5, 1.5])) + 1
        one = {"person_id": [p for p, _ in people], "item_id": item, "target_type": "district"}
        about = {"target_id": [ids[k] for k in where], "value": value}
        answers.append(pd.DataFrame(one | about))
    tables["responses"] = pd.concat(answers, ignore_index=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    resources = [{"name": n, "path": f"{n}.csv"} for n in tables]
    (folder / "datapackage.json").write_text(
        json.dumps({"name": "s", "resources": resources}), encoding="utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    here = tmp_path_factory.mktemp("latent")
    return load_framework(framework(here / "framework")), read_study(study(here / "study"))


@pytest.fixture(scope="module")
def found(places: tuple[Any, Any]) -> Any:
    @cache
    def run(ids: tuple[str, ...], *, scores: bool) -> Any:
        f, data = places
        return ac.assess(data, ids, framework=f, scores=scores, draws=700)

    return run


# --- what is decided --------------------------------------------------------------------


def test_an_error_of_the_confounder_passes_for_an_effect_on_averages_alone(found: Any) -> None:
    averages = found(("H1",), scores=True).verdicts.iloc[0]
    latent = found(("H1", "H2", "H3"), scores=False).verdicts.set_index("proposition").loc["H1"]
    assert averages["status"] == "supported"  # wrong: trust does nothing to climate
    assert latent["status"] != "supported"
    assert latent["lower"] < 0 < latent["upper"]
    assert averages["mean"] > latent["mean"] + 0.1


def test_indirect_effects_of_latent_constructs(found: Any) -> None:
    rows = found(("H1", "H2", "H3"), scores=False).verdicts.set_index("proposition")
    assert rows.loc["H2", "status"] == "supported"
    truth = 0.7 / np.hypot(0.7, 0.7)
    truth *= 0.7 / np.hypot(0.7 * np.hypot(0.7, 0.7), 0.7) * np.hypot(0.7, 0.7)
    assert rows.loc["H2", "lower"] < truth < rows.loc["H2", "upper"]
    assert rows.loc["H3", "status"] != "supported"
    assert rows.loc["H3", "lower"] < 0.05


def test_what_was_measured_is_written_and_shown(found: Any, tmp_path: Path) -> None:
    from acmodels.reporting.theory_page import theory_report

    one = found(("H1", "H2", "H3"), scores=False)
    table = one.measurement
    assert list(table.columns[:3]) == ["model", "name", "quantity"]
    omega = table[(table["quantity"] == "omega") & (table["model"] == "H1")].set_index("name")
    assert set(omega.index) == {"skill", "trust", "climate"}
    assert omega.loc["skill", "mean"] < omega.loc["trust", "mean"]
    assert len(one.constructs.query("model == 'H1' and construct == 'skill'")) == UNITS
    page = theory_report(one, tmp_path / "report.html", "study").read_text(encoding="utf-8")
    assert 'id="constructs"' in page
    assert "trust is measured by 3 items" in page
    none = theory_report(found(("H1",), scores=True), tmp_path / "other.html", "study")
    assert 'id="constructs"' not in none.read_text(encoding="utf-8")


# --- what it compiles to ------------------------------------------------------------------


def test_models_have_the_claim_s_constructs_and_what_is_held_fixed(places: Any) -> None:
    f, data = places
    (claim,) = compile_proposition(f, f.propositions["H1"], data).compiled
    (model,) = claim.models
    assert set(model.measures) == {"skill", "trust", "climate"}
    assert model.measures["trust"] == {
        "items": ["trust_0", "trust_1", "trust_2"], "level": "district",
    }  # fmt: skip
    assert [e.response.name for e in model.equations] == ["skill", "trust", "climate"]
    assert not any(name.startswith("sigma(") for name in model.table()["priors"])
    load_model(model.table())
    (plain,) = compile_proposition(f, f.propositions["H1"], data, scores=True).compiled
    assert not plain.models[0].measures
    assert claim.averages is not None
    assert plain.models[0].key() == claim.averages.models[0].key()


def test_moderators_are_read_at_one_sd_of_the_construct(places: Any) -> None:
    f, data = places
    (claim,) = compile_proposition(f, f.propositions["H4"], data).compiled
    (model,) = claim.models
    formula = model.equations[-1].formula
    assert "trust:skill" in formula
    assert "square(trust)" in formula
    assert "standardize" not in formula
    ends = [e["at"]["skill"][0] for e in model.estimands.values()]
    assert sorted(np.sign(ends)) == [-1.0, 1.0]
    assert 1.0 <= max(ends) < 2.0


def test_what_cannot_be_latent_is_tested_on_averages_and_said(places: Any) -> None:
    f, data = places
    (claim,) = compile_proposition(f, f.propositions["H5"], data).compiled
    assert not claim.latent
    assert claim.fallen == "trust enters by spline()"


def test_few_items_stay_averages(tmp_path: Path, places: Any) -> None:
    data = read_study(study(tmp_path / "two", items=2, units=40))
    (claim,) = compile_proposition(places[0], places[0].propositions["H1"], data).compiled
    assert not claim.latent
    said = assessment.averages_said(
        compile_proposition(places[0], places[0].propositions["H1"], data)
    )
    assert "2 items" in " ".join(said)


def test_raters_are_there_where_units_have_several(tmp_path: Path, places: Any) -> None:
    data = read_study(study(tmp_path / "rated", raters=2, units=40))
    (claim,) = compile_proposition(places[0], places[0].propositions["H1"], data).compiled
    (model,) = claim.models
    assert {m["rater"] for m in model.measures.values()} == {"person_id"}
    assert model.study is not None
    assert model.study.n_rows == 80


def test_a_model_that_cannot_be_fitted_gives_way_to_averages(
    places: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = assessment.fit

    def refusing(model: Any, *args: Any, **options: Any) -> Any:
        if model.measures:
            raise EngineError("hmc: no mode was found")
        return real(model, *args, **options)

    monkeypatch.setattr(assessment, "fit", refusing)
    f, data = places
    one = assessment.assess(data, ["H1"], framework=f, draws=250)
    row = one.verdicts.iloc[0]
    assert row["model"] == "H1_averages"
    assert row["status"] == "supported"
    assert "Tested on averages of items and not on constructs, since " in row["reason"]
    assert "no mode was found" in row["reason"]
    assert set(one.fits) == {"H1_averages"}


# --- rows of answers ----------------------------------------------------------------------


def test_every_answer_counts_once() -> None:
    units = pd.DataFrame(
        {"partnership_id": ["a", "b", "c", "d"], "department_id": ["x", "x", "y", "z"]}
    )
    own = pd.DataFrame(
        {"person_id": ["1", "1", "2", "3"], "partnership_id": ["a", "b", "b", "c"],
         "i": [1.0, 2.0, 3.0, 4.0]}
    )  # fmt: skip
    above = pd.DataFrame(
        {"person_id": ["1", "2", "4"], "department_id": ["x", "x", "y"], "j": [5.0, 6.0, 7.0]}
    )
    parts = [
        TablePart(("person_id", "partnership_id"), own, "responses"),
        TablePart(("person_id", "department_id"), above, "responses"),
    ]
    rows = with_answers(units, parts)
    assert sorted(rows["i"].dropna()) == [1, 2, 3, 4]
    assert sorted(rows["j"].dropna()) == [5, 6, 7]
    assert set(rows["partnership_id"]) == {"a", "b", "c", "d"}  # d, which nobody answers about
    both = rows.set_index(["person_id", "partnership_id"])
    assert both.loc[("1", "a"), "j"] == 5.0
    assert np.isnan(both.loc[("1", "b"), "j"])
    assert both.loc[("4", "c"), "j"] == 7.0  # who answers about the department alone


def test_answers_about_larger_units_are_not_repeated_in_rows_of_smaller_ones() -> None:
    data = read_study(Path(__file__).parents[1] / "data" / "synthetic" / "rpp_effectiveness")
    columns = ["prior_knowledge_1", "person_id", "department_id"]
    alone = study_of(data, columns)
    beside = study_of(data, [*columns, "policy_1", "partnership_id"])
    assert beside.n_rows > alone.n_rows
    for rows in (alone, beside):
        seen = rows.frame.dropna(subset="prior_knowledge_1")
        assert len(seen) == 102  # answers in responses.csv
        assert not seen.duplicated(["person_id", "department_id"]).any()


# --- structure ----------------------------------------------------------------------------


@pytest.mark.parametrize(("correlation", "apart"), [(0.5, True), (1.0, False)])
def test_two_factors_predict_units_left_out_where_there_are_two(
    correlation: float, *, apart: bool
) -> None:
    rng = np.random.default_rng(3)
    f = rng.standard_normal((200, 2))
    f[:, 1] = correlation * f[:, 0] + np.sqrt(1 - correlation**2) * f[:, 1]
    x = 0.8 * np.repeat(f, 3, axis=1) + 0.6 * rng.standard_normal((200, 6))
    gain = gains(x, [0, 0, 0, 1, 1, 1])[0, 1]
    assert gain > 10 if apart else gain < 3


def test_the_factor_model_has_the_covariance_it_was_made_of() -> None:
    loadings = np.array([[0.8, 0], [0.7, 0], [0.6, 0], [0, 0.9], [0, 0.5], [0, 0.7]])
    S = loadings @ np.array([[1, 0.4], [0.4, 1]]) @ loadings.T
    np.fill_diagonal(S, 1.0)
    assert fitted(S, np.array([0, 0, 0, 1, 1, 1])) == pytest.approx(S, abs=1e-3)


def ruled(correlation: float, gain: float) -> Any:
    draws = np.random.default_rng(1).normal(correlation, 0.03, 2000)
    pairs = (("a", "b"),)
    return structure.rule(
        {"a_and_b": draws}, Terms(0.975, 0.05), pairs=pairs, merged=lambda: {("a", "b"): gain}
    )


def test_distinct_factors_need_both_a_low_correlation_and_prediction() -> None:
    assert decide(ruled(0.5, 20.0)) == ("supported", "")
    assert decide(ruled(0.5, -1.0)) == ("undecided", "")
    assert decide(ruled(0.84, 5.0)) == ("undecided", "")
    assert decide(ruled(0.97, 5.0)) == ("contradicted", "reversed")


def test_constructs_are_told_apart_by_items_only(places: tuple[Any, Any], tmp_path: Path) -> None:
    f, data = places
    (claim,) = compile_proposition(f, f.propositions["H6"], data).compiled
    (model,) = claim.models
    assert set(model.measures) == {"skill", "trust", "calm"}
    assert {e["parameter"] for e in model.estimands.values()} == {
        "cor(skill, trust)", "cor(skill, calm)", "cor(trust, calm)",
    }  # fmt: skip
    load_model(model.table())
    table = pd.DataFrame(np.random.default_rng(1).standard_normal((40, 3)), columns=["skill",
                         "trust", "calm"])  # fmt: skip
    lost = compile_proposition(f, f.propositions["H6"], ac.data.study(table))
    assert "answers to items" in lost.lacking[0]
    few = read_study(study(tmp_path / "few", items=1, units=40))
    assert "1 item" in compile_proposition(f, f.propositions["H6"], few).lacking[0]


@pytest.mark.slow
@pytest.mark.parametrize("trap", ["facet noise", "acquiescence"])
def test_what_raters_see_apart_are_no_two_factors(trap: str, tmp_path: Path) -> None:
    """One factor: raters err about each half of its items, or agree whatever is asked.

    With acquiescence the second half is worded the other way, so that turned answers lean to the
    other side. Averages correlate at 0.5 or less, which passes for two constructs.
    """
    rng = np.random.default_rng(5)
    units, raters = 150, 3
    f = rng.standard_normal(units)
    where = np.repeat(np.arange(units), raters)
    w = 1.6 * rng.standard_normal((units * raters, 2))
    if trap == "acquiescence":
        w[:, 1] = -w[:, 0]
    folder = study(tmp_path / "trap", raters=raters, units=units)
    answers = pd.read_csv(folder / "responses.csv", dtype={"target_id": str})
    for half, name in enumerate(("skill", "trust")):
        for j in range(3):
            seen = f[where] + w[:, half] + rng.standard_normal(len(where))
            mine = answers["item_id"] == f"{name}_{j}"
            answers.loc[mine, "value"] = np.digitize(seen, [-1.5, -0.5, 0.5, 1.5]) + 1
    answers.to_csv(folder / "responses.csv", index=False)
    theory = framework(tmp_path / "framework")
    claims = (theory / "propositions.toml").read_text(encoding="utf-8")
    claims = claims.replace('["skill", "trust", "calm"]', '["skill", "trust"]')
    (theory / "propositions.toml").write_text(claims, encoding="utf-8")
    data = read_study(folder)
    naive = float(np.corrcoef(data.frame["skill"].astype(float), data.frame["trust"])[0, 1])
    found = ac.assess(data, ["H6"], framework=load_framework(theory))
    assert naive < 0.6
    assert found.verdicts["status"].iloc[0] in ("undecided", "contradicted")
    assert found.verdicts["upper"].iloc[0] > structure.ALIKE

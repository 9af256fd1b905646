# ruff: noqa: E501
"""Studies of several tables: joined by ids, checked against each other, spoiled in many ways."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.data import Study, labels, numeric, package_study
from acmodels.errors import DataError
from acmodels.system import build_system, study_for

type Tables = dict[str, pd.DataFrame]


def tables() -> Tables:
    rng = np.random.default_rng(6)
    districts = pd.DataFrame(
        {"district_id": [f"{d:03d}" for d in range(12)], "enrollment": rng.integers(500, 9000, 12)}
    )
    departments = pd.DataFrame(
        {
            "department_id": [f"{d:03d}{k}" for d in range(12) for k in "ab"],
            "district_id": [f"{d:03d}" for d in range(12) for _ in "ab"],
        }
    )
    partners = pd.DataFrame({"partner_id": list("PQRST"), "improvement_expertise": rng.random(5)})
    n = 48
    place = rng.integers(0, 24, n)
    partnerships = pd.DataFrame(
        {
            "partnership_id": [f"p{k:02d}" for k in range(n)],
            "department_id": departments["department_id"].to_numpy()[place],
            "district_id": departments["district_id"].to_numpy()[place],
            "partner_id": partners["partner_id"].to_numpy()[rng.integers(0, 5, n)],
            "start_wave": 1,
            "end_wave": 2,
            "learning": rng.normal(size=n).round(3),
        }
    )
    waves = pd.DataFrame({"wave_id": [1, 2], "t_years": [0.0, 0.5]})
    items = pd.DataFrame(
        {
            "item_id": ["t1", "t2", "t3"],
            "construct_id": "trust",
            "referent": "partnership",
            "response": "ordinal",
            "min": 1,
            "max": 5,
            "reverse": [False, False, True],
        }
    )
    persons = pd.DataFrame({"person_id": [f"x{k}" for k in range(6)], "org": "district"})
    responses = pd.DataFrame(
        [
            {"person_id": p, "item_id": i, "wave_id": 1, "target_type": "partnership",
             "target_id": f"p{k:02d}", "value": int(rng.integers(1, 6))}
            for k in range(n) for p in ("x0", "x1") for i in ("t1", "t2", "t3")
        ]
    )  # fmt: skip
    shares = rng.dirichlet([2, 2, 2], n)
    guidance = pd.DataFrame(shares, columns=["share_explicit", "share_tacit", "share_embedded"])
    guidance.insert(0, "partnership_id", partnerships["partnership_id"])
    measures = pd.DataFrame(
        {
            "unit_type": "district",
            "unit_id": districts["district_id"],
            "variable": "budget",
            "value": rng.normal(size=12).round(2),
        }
    )
    return {
        "districts": districts, "departments": departments, "partners": partners,
        "partnerships": partnerships, "waves": waves, "items": items, "persons": persons,
        "responses": responses, "guidance": guidance, "unit_measures": measures,
    }  # fmt: skip


def write(folder: Path, made: Tables, suffix: str = ".csv") -> Path:
    folder.mkdir(exist_ok=True)
    for name, t in made.items():
        if suffix == ".csv":
            t.to_csv(folder / f"{name}.csv", index=False)
        else:
            t.to_parquet(folder / f"{name}.parquet")
    package = {"resources": [{"name": n, "path": f"{n}{suffix}"} for n in made]}
    (folder / "datapackage.json").write_text(json.dumps(package))
    return folder


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_higher_levels_are_carried_down(tmp_path: Path, suffix: str) -> None:
    made = tables()
    study = ac.load_study(write(tmp_path / "study", made, suffix))
    assert study.n_rows == 48
    assert list(labels(study, "district_id")) == list(made["partnerships"]["district_id"])
    p = made["partnerships"]
    size = made["districts"].set_index("district_id")["enrollment"]
    np.testing.assert_array_equal(numeric(study, "enrollment"), size[p["district_id"]])
    budget = made["unit_measures"].set_index("unit_id")["value"]
    np.testing.assert_allclose(numeric(study, "budget"), budget[p["district_id"]])
    np.testing.assert_allclose(numeric(study, "share_tacit"), made["guidance"]["share_tacit"])
    # a score: items turned, averaged by person, then over persons
    long = made["responses"].copy()
    long.loc[long["item_id"] == "t3", "value"] = 6 - long["value"]
    by = long.groupby(["target_id", "person_id"])["value"].mean().groupby("target_id").mean()
    np.testing.assert_allclose(numeric(study, "trust"), by[p["partnership_id"]])
    assert any("rows are those of 'partnerships' (48)" in f.message for f in study.findings)
    assert any("median 2" in f.message for f in study.findings)


def test_items_of_a_construct_are_answers_of_persons(tmp_path: Path) -> None:
    made = tables()
    study = ac.load_study(write(tmp_path / "study", made))
    model = ac.load_model(
        {
            "name": "m",
            "measures": {"T": {"construct": "trust", "level": "partnership_id"}},
            "equations": {
                "T": {"formula": "T ~ improvement_expertise"},
                "learning": {"formula": "learning ~ T + budget", "level": "partnership_id"},
            },
        }
    )
    system = build_system(model, study)
    assert system.layout.n_rows == 96
    assert system.layout.equation("T").n == system.layout.equation("learning").n == 48
    assert [e.response for e in system.layout.equations if e.measured] == ["t1", "t2", "t3"]
    assert system.layout.measures[0].raters is not None
    long = made["responses"]
    counts = long[long["item_id"] == "t3"]["value"].value_counts()
    turned = 6 - system.responses["t3"]  # worded the other way
    assert {v: int((turned == v).sum()) for v in counts.index} == counts.to_dict()
    wrong = ac.load_model({"name": "m", "measures": {"T": {"construct": "trusts"}}})
    with pytest.raises(DataError, match="did you mean 'trust'"):
        build_system(wrong, study)
    with pytest.raises(DataError, match="a study of several tables has them"):
        build_system(model, ac.study(made["partnerships"]))


def test_a_fit_runs_on_a_folder_as_on_a_table(tmp_path: Path) -> None:
    folder = write(tmp_path / "study", tables())
    study = ac.load_study(folder)
    model = ac.load_model(
        {
            "name": "m",
            "equations": {
                "trust": {"formula": "trust ~ improvement_expertise + (1 | partner_id)"},
                "learning": {"formula": "learning ~ trust + budget + (1 | district_id)"},
            },
        }
    )
    one = ac.fit(model, study, draws=200).estimates
    other = ac.fit(model, study.frame, draws=200).estimates
    np.testing.assert_allclose(one["mean"], other["mean"], rtol=1e-9)


SPOILS: dict[str, tuple[Callable[[Tables], object], str]] = {
    "district twice": (
        lambda t: t["districts"].__setitem__("district_id", ["000", "000", *t["districts"]["district_id"][2:]]),
        "districts.csv: 'district_id' names more than one row: '000'",
    ),
    "partner empty": (
        lambda t: t["partners"].loc.__setitem__((0, "partner_id"), None),
        "partners.csv: 'partner_id' is empty in row 2",
    ),
    "district unknown": (
        lambda t: t["partnerships"].loc.__setitem__((3, "district_id"), "999"),
        "partnerships.csv: 'district_id' holds ids that are not in districts.csv: '999' (row 5)",
    ),
    "partner unknown": (
        lambda t: t["partnerships"].loc.__setitem__((4, "partner_id"), "Z"),
        "'partner_id' holds ids that are not in partners.csv",
    ),
    "department unknown": (
        lambda t: t["partnerships"].loc.__setitem__((5, "department_id"), "zz"),
        "'department_id' holds ids that are not in departments.csv: 'zz' (row 7)",
    ),
    "department elsewhere": (
        lambda t: t["partnerships"].loc.__setitem__((6, "department_id"), "011b" if t["partnerships"].loc[6, "district_id"] != "011" else "010b"),
        "is a department of another district (",
    ),
    "ends before it starts": (
        lambda t: t["partnerships"].loc.__setitem__((7, "end_wave"), 0),
        "'end_wave' is before 'start_wave' (row 9)",
    ),
    "answer too large": (
        lambda t: t["responses"].loc.__setitem__((0, "value"), 9),
        "responses.csv: 'value' lies outside its item's min and max (row 2)",
    ),
    "half an answer": (
        lambda t: t.__setitem__("responses", t["responses"].assign(value=t["responses"]["value"].astype(float).where(t["responses"].index != 1, 2.5))),
        "is no whole number (row 3)",
    ),
    "wrong target": (
        lambda t: t["responses"].loc.__setitem__((2, "target_type"), "district"),
        "'target_type' is not the referent of the item (row 4)",
    ),
    "target unknown": (
        lambda t: t["responses"].loc.__setitem__((8, "target_id"), "p99"),
        "'target_id' names no partnership of partnerships.csv: 'p99' (row 10)",
    ),
    "answered twice": (
        lambda t: t.__setitem__("responses", pd.concat([t["responses"], t["responses"].iloc[[20]]])),
        "responses.csv: more than one row for one combination of person_id, item_id, wave_id",
    ),
    "item unknown": (
        lambda t: t["responses"].loc.__setitem__((12, "item_id"), "t9"),
        "'item_id' holds ids that are not in items.csv: 't9' (row 14)",
    ),
    "person unknown": (
        lambda t: t["responses"].loc.__setitem__((15, "person_id"), "x9"),
        "'person_id' holds ids that are not in persons.csv: 'x9' (row 17)",
    ),
    "wave unknown": (
        lambda t: t["responses"].loc.__setitem__((18, "wave_id"), 7),
        "'wave_id' holds ids that are not in waves.csv: '7' (row 20)",
    ),
    "time stands still": (
        lambda t: t["waves"].__setitem__("t_years", [1.0, 1.0]),
        "waves.csv: 't_years' does not rise from wave to wave (row 3)",
    ),
    "shares do not sum": (
        lambda t: t["guidance"].loc.__setitem__((1, "share_tacit"), 0.99),
        "guidance.csv: the three shares do not sum to 1 (row 3)",
    ),
    "a share below 0": (
        lambda t: t["guidance"].loc.__setitem__((2, "share_tacit"), -0.1),
        "guidance.csv: shares are outside 0 to 1 (row 4)",
    ),
    "unit unknown": (
        lambda t: t["unit_measures"].loc.__setitem__((0, "unit_id"), "777"),
        "unit_measures.csv: 'unit_id' names no district of districts.csv: '777' (row 2)",
    ),
    "measured twice": (
        lambda t: t["unit_measures"].loc.__setitem__((3, "unit_id"), "004"),
        "unit_measures.csv: more than one row for one combination of unit_type, unit_id",
    ),
}  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILS)
def test_each_violation_is_named(tmp_path: Path, spoil: str) -> None:
    made = tables()
    change, message = SPOILS[spoil]
    change(made)
    with pytest.raises(DataError) as caught:
        ac.load_study(write(tmp_path / "study", made))
    assert any(message in p for p in caught.value.problems), caught.value.problems


def test_all_twenty_are_named_in_one_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tables()
    for change, _ in SPOILS.values():
        change(made)
    with pytest.raises(SystemExit) as stop:
        cli(["check", str(write(tmp_path / "study", made))])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert len(SPOILS) == 20
    for _, message in SPOILS.values():
        # rows may be more than one where two spoils meet
        assert message.split(" (row")[0] in said, message
    assert "Traceback" not in said


def test_what_is_missing_or_misnamed(tmp_path: Path) -> None:
    folder = write(tmp_path / "study", tables())
    (folder / "partners.csv").unlink()
    with pytest.raises(DataError, match=r"lists 'partners.csv', which is not in the folder"):
        ac.load_study(folder)
    only = {k: v for k, v in tables().items() if k in ("items", "persons")}
    with pytest.raises(DataError, match="has rows that are units"):
        ac.load_study(write(tmp_path / "other", only))


def test_a_column_less_of_any_table_is_no_surprise() -> None:
    """The rest is read, or what is wrong is said; no measures without all their columns."""
    made = tables()
    for name, t in made.items():
        for column in t.columns:
            less = made | {name: t.drop(columns=column)}
            try:
                package_study({k: Study(k, f) for k, f in less.items()}, "study")
            except DataError as error:
                said = "\n".join(error.problems)
            else:
                said = ""
            if name == "unit_measures":
                assert f"has no column '{column}'" in said


# --- the rows that a model needs ----------------------------------------------------------


def frame_for(study: Study, formula: str, level: str | None = None) -> Study:
    response = formula.split(" ~ ", maxsplit=1)[0]
    equation = {"formula": formula} | ({"level": level} if level else {})
    model = ac.load_model({"name": "m", "equations": {response: equation}})
    return study_for(model, study)


def test_a_model_gets_the_fewest_rows_that_have_its_columns(tmp_path: Path) -> None:
    made = tables()
    study = ac.load_study(write(tmp_path / "study", made))
    # districts only: not one row for each of their partnerships
    assert frame_for(study, "budget ~ enrollment").n_rows == 12
    assert frame_for(study, "budget ~ enrollment + (1 | district)").n_rows == 12
    # a partner's column: partners
    assert frame_for(study, "improvement_expertise ~ 1").n_rows == 5
    # a department with its district's columns
    two = frame_for(study, "enrollment ~ budget + (1 | department)")
    assert two.n_rows == 24
    np.testing.assert_array_equal(
        numeric(two, "enrollment"),
        made["districts"].set_index("district_id")["enrollment"][list(labels(two, "district"))],
    )
    # a score of partnerships
    assert frame_for(study, "trust ~ budget + (1 | partner)").n_rows == 48
    # persons as raters: a row a person and partnership, with the person's own score
    rated = frame_for(study, "trust ~ learning + (1 | person) + (1 | partnership)")
    assert rated.n_rows == 96
    long = made["responses"].copy()
    long.loc[long["item_id"] == "t3", "value"] = 6 - long["value"]
    by = long.groupby(["person_id", "target_id"])["value"].mean()
    keys = list(zip(labels(rated, "person_id"), labels(rated, "partnership_id"), strict=True))
    np.testing.assert_allclose(numeric(rated, "trust"), by[keys])


def test_waves_make_rows_only_where_something_differs_between_them(tmp_path: Path) -> None:
    made = tables()
    more = made["unit_measures"].assign(wave_id=1)
    later = more.assign(wave_id=2, value=more["value"] + 1)
    made["unit_measures"] = pd.concat([more, later], ignore_index=True)
    study = ac.load_study(write(tmp_path / "study", made))
    both = frame_for(study, "budget ~ t_years + (1 | district)")
    assert both.n_rows == 24
    assert set(labels(both, "wave")) == {"1", "2"}
    assert frame_for(study, "enrollment ~ 1").n_rows == 12


def test_routines_and_events_come_by_stated_rules(tmp_path: Path) -> None:
    made = tables()
    made["routines"] = pd.DataFrame(
        {
            "partnership_id": ["p00", "p00", "p01"],
            "wave_id": 1,
            "routine_id": ["a", "b", "a"],
            "depth": [1, 3, 2],
            "tool": [1, 0, 0],
        }
    )
    made["events"] = pd.DataFrame(
        {
            "event_id": ["e1", "e2"],
            "unit_type": "district",
            "unit_id": ["000", "000"],
            "wave_id": 1,
            "kind": "budget_cut",
        }
    )
    study = ac.load_study(write(tmp_path / "study", made))
    at = {p: k for k, p in enumerate(labels(study, "partnership_id"))}
    assert numeric(study, "routine_depth")[[at["p00"], at["p01"]]].tolist() == [3, 2]
    assert numeric(study, "tool")[[at["p00"], at["p01"]]].tolist() == [1, 0]
    assert numeric(study, "routine_count")[at["p00"]] == 2
    assert np.isnan(numeric(study, "routine_count")[at["p02"]])


def test_what_is_wrong_is_said_as_json_with_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tables()
    made["waves"] = pd.DataFrame({"wave_id": [1, 2], "t_years": [1.0, 1.0]})
    with pytest.raises(SystemExit) as stop:
        cli(["check", str(write(tmp_path / "study", made)), "--json"])
    assert stop.value.code == 2
    said = capsys.readouterr()
    found = json.loads(said.out)["findings"]
    assert found[0]["severity"] == "error"
    assert "does not rise from wave to wave" in found[0]["message"]
    severities = [f["severity"] for f in found]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert any("partnerships per district" in f["message"] for f in found)
    assert "does not rise" in said.err


def test_check_says_what_a_table_is_made_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    n = 40
    frame = pd.DataFrame(
        {
            "district": np.repeat(["a", "b", "c", "d"], 10),
            "department": np.repeat([f"t{k}" for k in range(8)], 5),
            "partner": [f"p{k % 5}" for k in range(n)],
            "size": np.repeat([1.0, 2.0, 3.0, 4.0], 10),
            "y": rng.normal(size=n),
            "z": [*rng.normal(size=n - 1), -999.0],
        }
    )
    frame.to_csv(tmp_path / "one.csv", index=False)
    cli(["check", str(tmp_path / "one.csv")])
    said = capsys.readouterr().out
    assert "district: 4 groups of 10 rows" in said
    assert "department is within district" in said
    assert "district crosses partner (20 of 20 combinations)" in said
    assert "one value for each district" in said
    assert "'district' has 4 groups" in said
    assert "'z' holds -999 in 1 row, far from its other values" in said
    assert 'z = { column = "z", missing = [-999] }' in said
    split = frame.assign(partner=["p" + d if d in "ab" else "q" + d for d in frame["district"]])
    split["partner"] = np.where(split["district"].isin(["a", "b"]),
                                [f"p{k % 2}" for k in range(n)], [f"q{k % 2}" for k in range(n)])  # fmt: skip
    split.to_csv(tmp_path / "two.csv", index=False)
    cli(["check", str(tmp_path / "two.csv")])
    assert "'partner' fall into 2 sets" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["mean", "max", "min", "sum", "coverage", "latent_mean"])
def test_raters_are_put_together_as_is_stated(tmp_path: Path, how: str) -> None:
    made = tables()
    made["constructs"] = pd.DataFrame({"construct_id": ["trust"], "aggregate": [how]})
    study = ac.load_study(write(tmp_path / "study", made))
    long = made["responses"].copy()
    long.loc[long["item_id"] == "t3", "value"] = 6 - long["value"]
    if how == "coverage":
        by = long.groupby(["target_id", "item_id"])["value"].max().groupby("target_id").mean()
    else:
        person = long.groupby(["target_id", "person_id"])["value"].mean()
        by = person.groupby("target_id").agg("mean" if how == "latent_mean" else how)
    np.testing.assert_allclose(numeric(study, "trust"), by[made["partnerships"]["partnership_id"]])


def test_an_unknown_aggregate_is_named(tmp_path: Path) -> None:
    made = tables()
    made["constructs"] = pd.DataFrame({"construct_id": ["trust"], "aggregate": ["median"]})
    with pytest.raises(
        DataError, match=r"'aggregate' must be one of mean, .* not 'median' \(row 2"
    ):
        ac.load_study(write(tmp_path / "study", made))


def test_both_forms_of_check_give_the_line_that_makes_a_code_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"y": rng.normal(size=40), "my x": rng.normal(size=40)})
    frame.loc[[3, 8], "my x"] = -99.0
    frame.loc[5, "y"] = 999.0
    frame.to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "m.toml").write_text('name = "m"\n[equations.y]\nformula = "y ~ `my x`"\n')
    for given in ([], [str(tmp_path / "m.toml")]):
        cli(["check", str(tmp_path / "d.csv"), *given])
        said = capsys.readouterr().out
        lines = dict(re.findall(r"'([^']+)' holds .*? write the line  (.*?)  in a text file", said))
        assert lines.keys() == {"y", "my x"}
        (tmp_path / "columns.toml").write_text("\n".join(lines.values()))
        again = ["check", str(tmp_path / "d.csv"), *given]
        cli([*again, "--columns", str(tmp_path / "columns.toml")])
        assert "far from its other values" not in capsys.readouterr().out

"""Wide survey exports come in by a mapping file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.data import labels, numeric
from acmodels.errors import DataError

EXPORT = """\
ResponseId,dept,years,pk1__dept__1,pk2__dept__1,pk1__dept__2,tr1__p1__1,tr1__p2__1,Duration
how they are called,where,how long,wording,wording,wording,wording,wording,seconds
R1,d01,3,Agree,2,4,5,1,100
R2,d01,1,Strongly agree,1,,4,-99,200
R3,d02,0,3,Agree,2,,3,300
"""

MAPPING = """
table   = "export.csv"
person  = "ResponseId"
skip    = 1
keep    = ["years"]
missing = [-99]
answers = { "Agree" = 4, "Strongly agree" = 5 }
[targets]
dept = { type = "department", column = "dept" }
p1   = { type = "partnership", id = "partnership_1" }
p2   = { type = "partnership", id = "partnership_2" }
[items.pk1]
construct = "prior_knowledge"
min = 1
max = 5
[items.pk2]
construct = "prior_knowledge"
min = 1
max = 5
reverse = true
label = "I know little"
[items.tr1]
construct = "trust"
min = 1
max = 5
"""


def put(tmp_path: Path, mapping: str = MAPPING, export: str = EXPORT) -> Path:
    (tmp_path / "export.csv").write_text(export)
    (tmp_path / "survey.toml").write_text(mapping)
    return tmp_path / "survey.toml"


def test_answers_come_in_long_and_are_scored(tmp_path: Path) -> None:
    study = ac.load_study(put(tmp_path))
    r = study.tables["responses"]
    rows = set(
        zip(*(labels(r, c) for c in ("person_id", "item_id", "wave_id", "target_id")),
            numeric(r, "value"), strict=True)
    )  # fmt: skip
    assert rows == {
        ("R1", "pk1", "1", "d01", 4), ("R1", "pk2", "1", "d01", 2), ("R1", "pk1", "2", "d01", 4),
        ("R1", "tr1", "1", "partnership_1", 5), ("R1", "tr1", "1", "partnership_2", 1),
        ("R2", "pk1", "1", "d01", 5), ("R2", "pk2", "1", "d01", 1),
        ("R2", "tr1", "1", "partnership_1", 4),
        ("R3", "pk1", "1", "d02", 3), ("R3", "pk2", "1", "d02", 4), ("R3", "pk1", "2", "d02", 2),
        ("R3", "tr1", "1", "partnership_2", 3),
    }  # fmt: skip
    model = ac.load_model(
        {
            "name": "m",
            "equations": {"prior_knowledge": {"formula": "prior_knowledge ~ 1 + (1 | department)"}},
        }
    )
    from acmodels.system import study_for

    rows_of = study_for(model, study)
    at = {
        (d, w): v
        for d, w, v in zip(
            labels(rows_of, "department_id"),
            labels(rows_of, "wave_id"),
            numeric(rows_of, "prior_knowledge"),
            strict=True,
        )
    }
    # pk2 is turned; two persons of d01 in wave 1: (4 + 4) / 2 and (5 + 5) / 2
    assert at["d01", "1"] == 4.5
    assert at["d02", "1"] == 2.5
    assert any("Duration" in f.message for f in study.findings)
    assert set(labels(study.tables["persons"], "years")) == {"3", "1", "0"}


def test_a_mapping_can_go_on_to_a_folder(tmp_path: Path) -> None:
    study = ac.load_study(put(tmp_path))
    ac.export(study, tmp_path / "out")
    back = ac.load_study(tmp_path / "out")
    assert back.names == study.names
    for name, table in study.tables.items():
        for c in table.names:
            assert list(labels(table, c)) == list(labels(back.tables[name], c)), (name, c)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('person  = "ResponseId"', 'person = "ResponceId"', "did you mean 'ResponseId'?"),
        ("[items.pk1]", "[items.pk9]", "items.pk9: no column of export.csv is named"),
        ('p2   = {', 'p3   = {', "targets: 'p2' stands in columns and is not described"),
        ('"Agree" = 4, ', "", "column 'pk1__dept__1' holds 'Agree' (row 3)"),
        ('column = "dept"', 'column = "dpt"', "export.csv has no column 'dpt'"),
        ('column = "dept" }', 'column = "dept", id = "x" }', "give either column or id"),
        ("skip    = 1", 'skip = 1\npattern = "{itm}_{wave}"', "pattern: must hold {item} once"),
        ("construct = \"trust\"", "konstruct = \"trust\"", "did you mean 'construct'?"),
        ('table   = "export.csv"', 'table = "exprt.csv"', "did you mean 'export.csv'?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in MAPPING
    with pytest.raises(DataError) as caught:
        ac.load_study(put(tmp_path, MAPPING.replace(old, new, 1)))
    assert said in str(caught.value), caught.value


def test_people_without_or_with_the_same_id_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'ResponseId' names more than one row \(rows 3, 4\)"):
        ac.load_study(put(tmp_path, export=EXPORT.replace("R2,", "R1,")))
    with pytest.raises(DataError, match=r"'ResponseId', the person's id, is empty in row 4"):
        ac.load_study(put(tmp_path, export=EXPORT.replace("R2,", ",")))


def test_one_wave_and_answers_on_oneself(tmp_path: Path) -> None:
    mapping = """
table = "export.csv"
person = "id"
pattern = "{item}"
[items.a]
construct = "mood"
[items.b]
construct = "mood"
"""
    people = pd.DataFrame({"id": [f"{k:03d}" for k in range(6)], "a": range(6), "b": range(1, 7)})
    study = ac.load_study(put(tmp_path, mapping, people.to_csv(index=False)))
    assert study.n_rows == 6
    np.testing.assert_allclose(numeric(study, "mood"), np.arange(6) + 0.5)
    assert labels(study, "person_id")[0] == "000"

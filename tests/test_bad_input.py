"""Bad input, row by row of the list of hazards, through the command line.

R: refused with exit code 2, one plain message that names file, column or key, rows and the
fix, and nothing written. W: goes on and warns. H: read right. What belongs to later
versions is refused by name. Nothing here samples.
"""

import errno
import json
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from acmodels.cli import run
from fakes import FakeEngine, fake_frame

type Content = bytes | Mapping[str, Any] | Callable[[pd.DataFrame], pd.DataFrame]
"""A file's bytes, or columns to change in the good table, or what to do with it."""
type Equations = Mapping[str, str | Mapping[str, Any]]

GOOD: Equations = {"y": "y ~ 1 + x + (1 | district)"}
PATH: Equations = {"m": "m ~ x + (1 | district)", "y": "y ~ m + x + (1 | district)"}
INDIRECT = """
[estimands.ie]
kind = "indirect"
from = "x"
via  = ["m"]
to   = "y"
"""


@dataclass(frozen=True)
class Outcome:
    """What a command line gave back."""

    code: int
    out: str
    err: str


class Desk:
    """A folder with a table and a model, and the command line."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.data()
        self.model(GOOD)

    def data(self, content: Content | None = None, name: str = "study.csv") -> None:
        """Write the table."""
        if isinstance(content, bytes):
            (self.folder / name).write_bytes(content)
            return
        frame = fake_frame()
        if callable(content):
            frame = content(frame)
        elif content:
            frame = frame.assign(**content)
        frame.to_csv(self.folder / name, index=False)

    def model(self, equations: Equations, more: str = "", name: str = "model.toml") -> None:
        """Write the model: equations, then further tables; top-level keys come first in `more`."""
        top, bracket, tables = more.partition("[")
        text = f'name = "bad"\n{top}'
        for response, said in equations.items():
            keys = {"formula": said} if isinstance(said, str) else said
            text += f"\n[equations.{json.dumps(response)}]\n"
            text += "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items())
        (self.folder / name).write_text(text + "\n" + bracket + tables, encoding="utf-8")

    def run(self, *args: str) -> Outcome:
        """Run a command line; a traceback is a failure of the test."""
        self._capsys.readouterr()
        code: Any = 0
        try:
            run(args)
        except SystemExit as end:
            code = end.code
        said = self._capsys.readouterr()
        assert "Traceback" not in said.err
        return Outcome(int(code or 0), said.out, said.err)

    def files(self) -> dict[str, bytes | None]:
        """Everything that lies in the folder."""
        found = sorted(self.folder.rglob("*"))
        return {str(p): p.read_bytes() if p.is_file() else None for p in found}

    def refused(self, *args: str) -> str:
        """Run what must be refused; return the message."""
        before = self.files()
        got = self.run(*args)
        assert got.code == 2, got
        assert got.out == ""
        assert self.files() == before
        lines = got.err.strip().splitlines()
        assert lines
        assert len(set(lines)) == len(lines), "something is said twice"
        assert got.err.replace("\n", "").isprintable()
        return got.err

    def checked(self) -> dict[str, Any]:
        """`check` of the table and the model, as JSON."""
        got = self.run("check", "study.csv", "model.toml", "--json")
        assert got.code == 0, got.err
        return json.loads(got.out)

    def priors(self, data: str = "study.csv") -> dict[str, dict[str, Any]]:
        """Priors by name: they rest on every column's numbers."""
        got = self.run("priors", "model.toml", data, "--json")
        assert got.code == 0, got.err
        return {p["name"]: p for p in json.loads(got.out)}


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, capsys)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine that draws nothing real and counts how often it is asked."""
    fake = FakeEngine()
    monkeypatch.setattr("acmodels.engines.nuts.prepare", fake.prepare)
    monkeypatch.setattr("acmodels.engines.hmc.unfit", lambda *_: "a test wants the other")
    monkeypatch.setattr("acmodels.engines.collapsed.unfit", lambda *_: "a test wants the other")
    return fake


def says(text: str, *words: str) -> None:
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"


def put(column: str, rows: list[int], value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Change cells; rows as a spreadsheet numbers them."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        cells = frame[column].astype(object)
        cells.iloc[[r - 2 for r in rows]] = value
        return frame.assign(**{column: cells})

    return change


def family(name: str, formula: str = "yes ~ x", **keys: str) -> Equations:
    return {formula.split(" ~ ", maxsplit=1)[0]: {"formula": formula, "family": name, **keys}}


# --- R: a table that cannot be used ------------------------------------------------------

TABLES: dict[str, tuple[Content, Equations, tuple[str, ...]]] = {
    "empty file": (b"", GOOD, ("study.csv", "empty")),
    "blank file": (b" \n\n", GOOD, ("study.csv", "empty")),
    "header only": (b"district,x,y\n", GOOD, ("study.csv", "no rows", "add the rows")),
    "duplicate column names": (
        b"district,x,y,x\na,1,2,3\n", GOOD, ("study.csv", "'x' (2 times)", "rename or remove"),
    ),
    "missing column": (
        {}, {"y": "y ~ sectr + (1 | distrct)"},
        ("study.csv", "'sectr'", "predictor of equations.y", "did you mean 'sector'?",
         "'distrct'", "grouping of equations.y", "did you mean 'district'?"),
    ),
    "missing outcome": ({}, {"score": "score ~ x"}, ("'score'", "response of equations.score")),
    "all-missing predictor": ({"x": None}, GOOD, ("study.csv", "'x'", "no values at all")),
    "all-missing outcome": ({"y": "NA"}, GOOD, ("study.csv", "'y'", "no values at all")),
    "missing id": (
        put("district", [3, 5], None), GOOD, ("2 rows have no 'district'", "rows 3, 5", "must say"),
    ),
    "missing id of a level": (
        put("district", [4], "NA"), {"y": {"formula": "y ~ x", "level": "district"}},
        ("1 rows have no 'district'", "rows 4"),
    ),
    "infinity in a predictor": (
        put("x", [7], "inf"), GOOD, ("study.csv", "'x'", "infinite", "row 7", "correct"),
    ),
    "minus infinity in an outcome": (put("y", [2], "-Inf"), GOOD, ("'y'", "infinite", "row 2")),
    "strays in a predictor": (
        put("x", [5, 9], "n/a?"), GOOD,
        ("study.csv", "'x'", "mostly numbers", "'n/a?' (rows 5, 9)", "factor(x)"),
    ),
    "strays in an outcome": (
        put("y", [5], "12 points"), GOOD, ("'y'", "'12 points' (row 5)", "leave them empty"),
    ),
    "text outcome": (
        {"y": lambda f: f["sector"]}, GOOD,
        ("study.csv", "'y'", "Private, Public", "recode it", "Private to 0 and Public to 1"),
    ),
    "one group only": (
        {"district": "D1"}, GOOD, ("study.csv", "'district'", "one group only ('D1')", "leave"),
    ),
    "varies within its unit": (
        {"y": lambda f: f.groupby("district")["y"].transform("mean")},
        {"y": {"formula": "y ~ x", "level": "district"}},
        ("study.csv", "equations.y", "'x' varies within 12 of its 12 units", "rows 3, 4",
         "between(x, district)"),
    ),
    "outcome varies within its unit": (
        {"x": lambda f: f.groupby("district")["x"].transform("mean")},
        {"y": {"formula": "y ~ x", "level": "district"}},
        ("'y' varies within 12 of its 12 units", "rows 3, 4"),
    ),
    "constant predictor": (
        {"x": 3}, GOOD, ("study.csv", "equations.y", "'x'", "same value (3)", "leave it out"),
    ),
    "factor of one category": (
        {"sector": "Public"}, {"y": "y ~ sector"}, ("'sector'", "one category only ('Public')"),
    ),
    "collinear predictors": (
        {"z": lambda f: 3 * f["x"] - 1}, {"y": "y ~ x + z"},
        ("study.csv", "equations.y", "'z'", "exact linear combination of x", "leave one"),
    ),
    "outcome without variance": (
        {"y": 2.5}, GOOD, ("study.csv", "'y'", "2.5 in every row", "no variance", "leave"),
    ),
    "negative count": (
        {"k": lambda f: [-1, 3] + [2] * (len(f) - 2), "n": 5},
        family("binomial", "k ~ x", trials="n"),
        ("study.csv", "'k'", "whole numbers", "0 or more", "rows 2)"),
    ),
    "count that is not whole": (
        {"k": lambda f: [1, 2.5] + [2] * (len(f) - 2), "n": 5},
        family("binomial", "k ~ x", trials="n"), ("'k'", "whole numbers", "rows 3)"),
    ),
    "more successes than trials": (
        {"k": lambda f: [1, 2] + [9] * (len(f) - 2), "n": 5},
        family("binomial", "k ~ x", trials="n"),
        ("'k'", "larger than its trials in 70 rows", "9 of 5", "rows 4, 5"),
    ),
    "binary coded 1 and 2": (
        {"yes": lambda f: f["yes"] + 1}, family("bernoulli"),
        ("study.csv", "'yes'", "holds 1, 2", "needs 0 and 1", "1 to 0 and 2 to 1", "rows"),
    ),
    "binary of three values": (
        put("yes", [6, 8], 2), family("bernoulli"),
        ("'yes'", "3 values (0, 1, 2)", "needs 0 and 1", "rows 6, 8)"),
    ),
    "binary in words": (
        {"yes": lambda f: np.where(f["yes"] == 1, "Yes", "No")}, family("bernoulli"),
        ("'yes'", "(No, Yes)", "for example No to 0 and Yes to 1"),
    ),
    "a negative count": (
        {"k": lambda f: [-9] + [2, 3] * 35 + [4]}, family("poisson", "k ~ x"),
        ("study.csv", "'k'", "holds -9", "0 or more", "code for missing", "rows 2)"),
    ),
    "a rate for a count": (
        {"k": lambda f: [2.5] + [2, 3] * 35 + [4]}, family("negative_binomial", "k ~ x"),
        ("'k'", "holds 2.5", "whole number", "offset(log(exposure))", "rows 2)"),
    ),
    "half Likert codes": (
        {"k": lambda f: [2.5] + [2, 3] * 35 + [4]}, family("ordinal", "k ~ x"),
        ("'k'", "holds 2.5", "whole numbers", "recode", "times 2", "gaussian", "rows 2)"),
    ),
    "one category": (
        {"k": 3}, family("ordinal", "k ~ x"), ("'k'", "3 in every row", "no variance", "leave"),
    ),
    "a code for missing among categories": (
        put("yes", [4], -99), family("ordinal"),
        ("'yes'", "from -99 to 1", "101 categories", "code for missing"),
    ),
    "categories in words": (
        {"k": lambda f: ["low", "high", "middle"] * 24}, family("ordinal", "k ~ x"),
        ("'k'", "high, low, middle", "recode"),
    ),
    "a proportion of 0": (
        {"p": lambda f: [0.0, 1.0] + [0.3, 0.6] * 35}, family("beta", "p ~ x"),
        ("'p'", "exactly 0 or 1 in 2 rows", "binomial", "(y * (n - 1) + 0.5) / n", "rows 2, 3)"),
    ),
    "percentages": (
        {"p": lambda f: [30, 60] * 36}, family("beta", "p ~ x"),
        ("'p'", "from 30 to 60", "between 0 and 1", "divide by 100"),
    ),
    "standard errors not above 0": (
        {"se": lambda f: [0.0] + [1.0] * (len(f) - 1)}, {"y": {"formula": "y ~ x", "se": "se"}},
        ("study.csv", "'se'", "above 0", "rows 2"),
    ),
    "log of what is not positive": ({}, {"y": "y ~ log(x)"}, ("log(x)", "'x'", "above 0", "rows")),
    "an id as predictor": (
        {"who": lambda f: [f"p{i}" for i in range(len(f))]}, {"y": "y ~ who"},
        ("'who'", "72 different values in 72 rows", "id"),
    ),
    "a row that is too long": (b"district,x,y\na,1,2\nb,1,2,3\n", GOOD, ("row 3", "more cells")),
    "an open quote": (b'district,x,y\na,1,"2\nb,1,2\n', GOOD, ("study.csv", "quote")),
    "a pickle": (pickle.dumps({"x": [1]}), GOOD, ("study.csv", "pickle", "never opened", ".csv")),
    "a zip archive": (b"PK\x03\x04" + bytes(30), GOOD, ("study.csv", "zip", "export")),
    "bytes": (bytes(range(256)), GOOD, ("study.csv", "binary", "export")),
}  # fmt: skip


@pytest.mark.parametrize("row", TABLES)
def test_tables_refused(desk: Desk, row: str) -> None:
    content, equations, words = TABLES[row]
    desk.data(content)
    desk.model(equations)
    said = desk.refused("check", "study.csv", "model.toml")
    says(said, "study.csv", *words)
    assert "nan" not in said
    assert desk.refused("priors", "model.toml", "study.csv") == said
    assert desk.refused("fit", "model.toml", "study.csv") == said


def test_a_missing_file_is_refused(desk: Desk) -> None:
    says(desk.refused("check", "studi.csv"), "studi.csv", "no such file", "mean 'study.csv'?")
    says(desk.refused("check", "nowhere/study.csv"), "no folder 'nowhere'")
    says(desk.refused("fit", "modle.toml", "study.csv"), "modle.toml", "mean 'model.toml'?")
    said = desk.refused("fit", "interaction_mediatio", "study.csv")
    says(said, "no model", "did you mean 'interaction_mediation'?", "ends in .toml")


def test_every_problem_is_said_at_once(desk: Desk) -> None:
    desk.data({"x": 1.0, "z": 2.0, "m": 3.0})
    desk.model({"y": "y ~ x + z", "m": "m ~ sector"})
    assert len(desk.refused("check", "study.csv", "model.toml").splitlines()) >= 3


def test_a_pickle_runs_nothing(desk: Desk) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (Path("sprung"),))

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        desk.data(pickle.dumps(Trap(), protocol))
        said = desk.refused("check", "study.csv", "model.toml")
        says(said, "study.csv", "binary data" if protocol == 1 else "pickle", "export it as .csv")
    assert not (desk.folder / "sprung").exists()


# --- R: a model file that cannot be used -------------------------------------------------

MODELS: dict[str, tuple[Equations, str, tuple[str, ...]]] = {
    "cycle": (
        {"m": "m ~ y", "y": "y ~ m + x"}, "",
        ("equations", "is a cycle", "m -> y -> m", "recursive"),
    ),
    "mediator equal to outcome": (
        {"y": "y ~ x + y"}, "", ("equations.y.formula", "'y' is on both sides", "mediator"),
    ),
    "via is the outcome": (
        PATH, INDIRECT.replace('["m"]', '["y"]'), ("estimands.ie", "no arrow from 'y' to 'y'"),
    ),
    "from is the outcome": (
        PATH, INDIRECT.replace('to   = "y"', 'to   = "m"').replace('"x"', '"m"'),
        ("estimands.ie", "'from' and 'to' are the same"),
    ),
    "undefined mediator": (
        PATH, INDIRECT.replace('["m"]', '["n"]'), ("estimands.ie.via", "'n'"),
    ),
    "undefined outcome": (PATH, INDIRECT.replace('"y"', '"why"'), ("estimands.ie.to", "'why'")),
    "undefined predictor in an estimand": (
        PATH, INDIRECT.replace('"x"', '"xx"'), ("estimands.ie", "'xx'"),
    ),
    "undefined parameter": (
        GOOD, '[estimands.b]\nkind = "coefficient"\nparameter = "y ~ xx"\n',
        ("estimands.b", "no parameter 'y ~ xx'", "did you mean 'y ~ x'?"),
    ),
    "undefined estimand in a proposition": (
        PATH, INDIRECT + '[propositions.P41]\nestimand = "ei"\nregion = { above = 0 }\n',
        ("propositions.P41.estimand", "no estimand 'ei'", "(there: ie)"),
    ),
    "undefined estimand in a contrast": (
        PATH, INDIRECT + '[estimands.c]\nkind = "contrast"\nof = ["ie", "direkt"]\n',
        ("estimands.c.of", "no estimand 'direkt'"),
    ),
    "duplicate name": (PATH, INDIRECT + INDIRECT, ("not valid TOML", "line")),
    "response named twice": (
        GOOD, '[equations.y]\nformula = "y ~ m"\n', ("not valid TOML", "equations", "line"),
    ),
    "key and left side differ": (
        {"y": "m ~ x"}, "", ("equations.y.formula", "left side says 'm'", "must agree"),
    ),
    "two responses in one formula": (
        {"y": "y + m ~ x"}, "", ("equations.y.formula", "left side is one column name"),
    ),
    "code as a function": (
        {"y": "y ~ eval(x)"}, "", ("equations.y.formula", "unknown function 'eval'", "nothing")
    ),
    "code with dots": (
        {"y": "y ~ os.system(x)"}, "", ("unknown function 'os.system'", "nothing in a formula")
    ),
    "code as an import": (
        {"y": "y ~ __import__('os').system('touch sprung')"}, "",
        ("equations.y.formula", "cannot read the formula", "stopped at"),
    ),
    "code in I()": (
        {"y": "y ~ I(open('sprung', 'w'))"}, "", ("equations.y.formula", "stopped at"),
    ),
    "code in a template": ({"y": "y ~ {x} + x"}, "", ("stopped at '{x} + x'",)),
    "unknown function": (
        {"y": "y ~ standardise(x)"}, "",
        ("unknown function 'standardise'", "did you mean 'standardize'?"),
    ),
    "unfinished formula": ({"y": "y ~ x +"}, "", ("equations.y.formula", "ends too early")),
    "unknown key": (
        {"y": {"formula": "y ~ x", "famly": "gaussian"}}, "",
        ("equations.y: unknown key 'famly'; did you mean 'family'?",),
    ),
    "unknown key at the top": (GOOD, "mising = 1\n", ("'mising'", "did you mean 'missing'?")),
    "unknown table": (GOOD, "[prior]\n", ("unknown key 'prior'; did you mean 'priors'?",)),
    "missing key": ({"y": {"family": "gaussian"}}, "", ("equations.y", "'formula' is missing")),
    "wrong type": ({"y": {"formula": 3}}, "", ("equations.y.formula", "text in quotes", "3")),
    "unknown rule for missing values": (
        GOOD, 'missing = "dorp"\n', ("missing", "'dorp'", "'drop'"),
    ),
    "unknown family": (
        {"y": {"formula": "y ~ x", "family": "gausian"}}, "",
        ("equations.y.family", "unknown family 'gausian'", "did you mean 'gaussian'?"),
    ),
    "unknown link": (
        family("bernoulli", link="probbit"), "",
        ("equations.yes.link", "'probbit'", "did you mean 'probit'?"),
    ),
    "no trials": (family("binomial"), "", ("equations.yes", "needs trials")),
    "unknown kind": (
        PATH, INDIRECT.replace("indirect", "indirekt"),
        ("estimands.ie.kind", "unknown kind 'indirekt'", "did you mean 'indirect'?"),
    ),
    "negative prior sd": (
        GOOD, '[priors]\n"y ~ x" = { dist = "Normal", mu = 0, sigma = -1 }\n',
        ('priors."y ~ x"', "sigma must be above 0, not -1"),
    ),
    "prior sd of 0": (
        GOOD, '[priors]\n"sd(*)" = { dist = "HalfNormal", sigma = 0 }\n',
        ('priors."sd(*)"', "sigma must be above 0, not 0"),
    ),
    "infinite prior": (
        GOOD, '[priors]\n"y ~ x" = { dist = "Normal", mu = inf, sigma = 1 }\n',
        ('priors."y ~ x"', "mu must be a finite number"),
    ),
    "prior for nothing": (
        GOOD, '[priors]\n"y ~ xx" = { dist = "Normal", mu = 0, sigma = 1 }\n',
        ('priors."y ~ xx"', "matches no parameter", "did you mean 'y ~ x'?"),
    ),
    "pattern for nothing": (
        GOOD, '[priors]\n"cor(*)" = { dist = "LKJ", eta = 2 }\n',
        ('priors."cor(*)"', "matches no parameter", "acmodels priors"),
    ),
    "unknown distribution": (
        GOOD, '[priors]\n"y ~ x" = { dist = "Norml", mu = 0, sigma = 1 }\n',
        ("unknown distribution 'Norml'", "did you mean 'Normal'?"),
    ),
    "a distribution of another kind": (
        GOOD, '[priors]\n"sd(*)" = { dist = "Normal", mu = 0, sigma = 1 }\n',
        ('priors."sd(*)"', "Normal does not fit here", "HalfNormal"),
    ),
    "a claim that is always true": (
        GOOD,
        '[estimands.v]\nkind = "variance_share"\nparameter = "sd(y ~ 1 | district)"\n'
        '[propositions.P1]\nestimand = "v"\nregion = { above = 0 }\n',
        ("propositions.P1.region", "state the minimum"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", MODELS)
def test_models_refused(desk: Desk, row: str) -> None:
    equations, more, words = MODELS[row]
    desk.model(equations, more)
    said = desk.refused("check", "study.csv", "model.toml")
    says(said, "model.toml: ", *words)
    assert desk.refused("fit", "model.toml", "study.csv") == said


def test_what_is_no_model_file(desk: Desk) -> None:
    model = desk.folder / "model.toml"
    for content, word in (
        (b"name = ", "not valid TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "'name' is missing"),
        (b"x = " + b"[" * 20_000, "nested too deeply"),
        (pickle.dumps({"name": "x"}), "not UTF-8"),
    ):
        model.write_bytes(content)
        says(desk.refused("check", "study.csv", "model.toml"), "model.toml", word)
    (desk.folder / "folder.toml").mkdir()
    says(desk.refused("check", "study.csv", "folder.toml"), "is a folder")


# --- what later versions do is refused by name -------------------------------------------

LATER: dict[str, tuple[Equations, str, tuple[str, ...]]] = {
    "stationary": (
        GOOD, '[panel]\nunit = "district"\nwave = "t"\ninitial = "stationary"\n',
        ("panel.initial", 'initial = "free"'),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", LATER)
def test_what_comes_later_is_refused_by_name(desk: Desk, row: str) -> None:
    equations, more, words = LATER[row]
    desk.model(equations, more)
    said = desk.refused("check", "study.csv", "model.toml")
    says(said, "model.toml", "yet", *words)


@pytest.mark.parametrize("suffix", [".sav", ".dta", ".xlsx"])
def test_files_that_are_not_what_their_names_say(desk: Desk, suffix: str) -> None:
    (desk.folder / f"study{suffix}").write_bytes(b"$FL2@(#) and no more")
    said = desk.refused("check", f"study{suffix}")
    says(said, f"study{suffix}", "cannot be read as", "export")


def without_boundary(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Findings but the notes that a group sd may be 0, as those of these random groups are."""
    said = [f for f in findings if f["severity"] == "note" and f["message"].find("sd(") >= 0]
    return [f for f in findings if f not in said]


def test_gaps_by_every_rule(desk: Desk) -> None:
    """In outcome, mediator and predictor alike: modeled, refused with rows, or dropped."""
    desk.data(lambda f: put("x", [4], None)(put("m", [5], "NA")(put("y", [6], ".")(f))))
    desk.model(PATH)
    found = desk.checked()
    assert (found["rows_given"], found["rows_used"]) == (72, 72)
    whole, *each = [f["message"] for f in found["findings"]]
    says(whole, "study.csv", "3 of 72 rows", "m (1)", "x (1)", "y (1)", 'missing = "model"')
    says(each[0], "m: 1 row without a value", "1 value estimated", "m ~ x + (1 | district)")
    says(each[1], "x: 1 row without a value", "1 value estimated", "x ~ 1 + (1 | district)")
    says(each[2], "y: 1 row without", "1 row is left out of its own equation")
    assert [t["column"] for t in found["missing"]] == ["m", "x", "y"]
    desk.model(PATH, 'missing = "error"\n')
    says(desk.refused("check", "study.csv", "model.toml"), "allows none (rows 4, 5, 6)")
    desk.model(PATH, 'missing = "drop"\n')
    found = desk.checked()
    assert (found["rows_given"], found["rows_used"]) == (72, 69)
    finding, *rest = found["findings"]
    says(finding["message"], "3 of 72 rows", 'missing = "drop"')
    assert without_boundary(rest) == []


def test_priors_of_an_incomplete_predictor(desk: Desk) -> None:
    """They are listed, stated by full name, and left alone by patterns."""
    desk.data(put("x", [4], None))
    desk.model(PATH, '[priors]\n"* ~ *" = { dist = "Normal", mu = 0, sigma = 0.5 }\n')
    found = desk.priors()
    assert found["y ~ x"]["stated"] == "* ~ *"
    assert found["x ~ 1"]["stated"] is None
    assert "sigma(x)" in found
    desk.model(PATH, '[priors]\n"x ~ 1" = { dist = "Normal", mu = 5, sigma = 0.5 }\n')
    assert desk.priors()["x ~ 1"]["mu"] == 5
    desk.data()  # nothing is missing, so there is no such parameter
    says(desk.refused("priors", "model.toml", "study.csv"), '"x ~ 1" matches no parameter')


def test_the_exact_engine_does_not_take_gaps(desk: Desk) -> None:
    desk.data(put("x", [4], None))
    desk.model(PATH)
    got = desk.run("fit", "model.toml", "study.csv", "--engine", "collapsed", "--out", "out")
    assert got.code == 3
    says(got.err, "missing values of 'x' are modeled", "--engine nuts")


UNMODELLED: dict[str, tuple[Content, Equations, tuple[str, ...]]] = {
    "a count as mediator": (
        put("n", [3], None),
        {"n": {"formula": "n ~ x", "family": "poisson"}, "y": "y ~ n"},
        ("'n'", "a mediator of the family poisson"),
    ),
    "a logarithm of a number": (
        put("p", [3], None),
        {"y": "y ~ log(p)"},
        ("'p'", "equations.y takes log(p)", "make 'log(p)' a column"),
    ),
    "an offset": (put("p", [3], None), {"y": "y ~ x + offset(p)"}, ("'p'", "an offset()")),
    "a standard error": (
        put("p", [3], None),
        {"y": {"formula": "y ~ x", "se": "p"}},
        ("'p'", "the standard error of equations.y", "rows 3", "known without error"),
    ),
    "a number of trials": (
        put("t", [3], None),
        {"yes": {"formula": "yes ~ x", "family": "binomial", "trials": "t"}},
        ("'t'", "the number of trials of equations.yes", "rows 3"),
    ),
    "many categories": (
        put("many", [3], None),
        {"y": "y ~ many"},
        ("'many'", "12 categories", "at most 8"),
    ),
    "a mean of a binary predictor": (
        put("yes", [3], None),
        {"y": "y ~ between(yes, district) + (1 | district)"},
        ("'yes'", "it is discrete and enters equations.y as between(yes, district)"),
    ),
    "a binary predictor of correlated residuals": (
        put("yes", [3], None),
        {"m": "m ~ yes", "y": "y ~ x"},
        ("'yes'", "discrete", "residuals of equations.m", "correlate"),
    ),
    "a binary predictor of a latent mean": (
        put("yes", [3], None),
        {"m": "m ~ yes + (1 | district)", "y": "y ~ between(m, district) + (1 | district)"},
        ("'yes'", "between(m, district) is a latent mean that rests on it"),
    ),
    "too many that meet": (
        lambda f: f.assign(
            **{
                f"b{k}": np.where(np.arange(len(f)) == 1, np.nan, np.arange(len(f)) // 2**k % 2)
                for k in range(7)
            }
        ),
        {"y": "y ~ b0 + b1 + b2 + b3 + b4 + b5 + b6"},
        ("'b0', 'b1'", "meet, 7 of them at once", "too many to sum over"),
    ),
}


@pytest.mark.parametrize("case", list(UNMODELLED))
def test_what_cannot_be_modeled_is_refused_by_name(desk: Desk, case: str) -> None:
    content, equations, words = UNMODELLED[case]

    def more(frame: pd.DataFrame) -> pd.DataFrame:
        n = np.arange(len(frame))
        wide = frame.assign(
            n=n % 4, p=1.0 + n % 5 + n / 100, t=1 + n % 3,
            many=[f"c{i % 12}" for i in n],
        )  # fmt: skip
        assert callable(content)
        return content(wide)

    desk.data(more)
    desk.model(equations)
    if "correlated" in case:
        text = (desk.folder / "model.toml").read_text()
        (desk.folder / "model.toml").write_text('residual_correlation = [["m", "y"]]\n' + text)
    said = desk.refused("check", "study.csv", "model.toml")
    says(said, "study.csv", *words, 'put missing = "drop" at the top of model.toml')


# --- R: options ------------------------------------------------------------------------

OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "draws 0": (("--draws", "0"), ("draws", "whole number of at least", "not 0")),
    "negative draws": (("--draws", "-5"), ("draws", "not -5")),
    "draws that are not whole": (("--draws", "10.5"), ("--draws", "'10.5'")),
    "chains 0": (("--chains", "0"), ("chains", "at least 1, not 0")),
    "negative seed": (("--seed", "-1"), ("seed", "0 or more, not -1")),
    "huge seed": (("--seed", str(2**70)), ("seed", "whole number")),
    "text seed": (("--seed", "abc"), ("--seed", "'abc'", "integer")),
    "unknown engine": (("--engine", "nutz"), ("no engine 'nutz'", "did you mean 'nuts'?")),
    "unknown interval": (("--interval", "hpd"), ("interval", "eti or hdi", "'hpd'")),
    "prob of 95": (("--prob", "95"), ("prob", "between 0 and 1", "95")),
    "prob that is no number": (("--prob", "nan"), ("prob", "between 0 and 1", "nan")),
    "workers 0": (("--workers", "0"), ("--workers", "at least 1")),
    "unknown option": (("--drawz", "5"), ("--drawz", "--draws")),
    "out is a file": (("--out", "study.csv"), ("study.csv", "is a file", "names a folder")),
    "out is in a file": (("--out", "study.csv/out"), ("study.csv/out", "study.csv is a file")),
    "out is deep in a file": (("--out", "study.csv/a/b"), ("/a/b", "study.csv is a file")),
    "out holds other files": (("--out", "own"), ("own", "not a result", "another --out")),
    "out is the working directory": (("--out", "."), (".", "another --out")),
    "out has no name left": (("--out", "a" * 300), ("cannot be written", "name too long")),
}  # fmt: skip


@pytest.mark.parametrize("row", OPTIONS)
def test_options_refused_before_sampling(desk: Desk, engine: FakeEngine, row: str) -> None:
    options, words = OPTIONS[row]
    (desk.folder / "own").mkdir()
    (desk.folder / "own" / "notes.txt").write_text("mine")
    said = desk.refused("fit", "model.toml", "study.csv", *options)
    says(said.replace("File name", "name"), *words)
    assert engine.sampled == 0


@pytest.mark.parametrize(
    "command",
    [
        "simulate small.toml --out", "export study.csv --out", "test study.csv --out",
        "recover small.toml --out", "preregister model.toml --out", "new",
    ],
)  # fmt: skip
def test_a_file_where_a_folder_must_be(desk: Desk, engine: FakeEngine, command: str) -> None:
    desk.model({"y": "y ~ x"}, name="plain.toml")
    (desk.folder / "small.toml").write_text('model = "plain.toml"\nunits = { row = 20 }\n')
    said = desk.refused(*command.split(), "study.csv/out")
    says(said, "study.csv/out: cannot be written: study.csv is a file, not a folder")


def test_a_refusal_leaves_no_folders_on_the_way(desk: Desk) -> None:
    desk.refused("fit", "model.toml", "study.csv", "--draws", "0", "--out", "deep/er/out")


def test_what_is_read_is_not_replaced(desk: Desk, engine: FakeEngine) -> None:
    old = desk.folder / "old"
    old.mkdir()
    (old / "run.json").write_text("{}")
    for name in ("model.toml", "study.csv"):
        (old / name).write_bytes((desk.folder / name).read_bytes())
    for model, data in (("old/model.toml", "study.csv"), ("model.toml", "old/study.csv")):
        said = desk.refused("fit", model, data, "--out", "old")
        says(said, "old", "is read", "another --out")
    assert engine.sampled == 0


def test_the_working_directory_is_not_replaced(desk: Desk, monkeypatch: Any) -> None:
    old = desk.folder / "old"
    (old / "here").mkdir(parents=True)
    (old / "run.json").write_text("{}")
    monkeypatch.chdir(old / "here")
    said = desk.refused("fit", "../../model.toml", "../../study.csv", "--out", "..")
    says(said, "working directory", "--out")


@pytest.mark.parametrize("call", ["tempfile.mkdtemp", "pathlib.Path.mkdir"])
def test_a_read_only_folder(
    desk: Desk, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(call, refuse)
    said = desk.refused("fit", "model.toml", "study.csv", "--out", "there")
    says(said, "there: cannot be written: Permission denied")
    assert engine.sampled == 0


@pytest.mark.parametrize("command", ["fit", "simulate"])
def test_a_full_disk(
    desk: Desk, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The result that was there stays."""
    args = ["fit", "model.toml", "study.csv"] if command == "fit" else ["simulate", "small.toml"]
    desk.model({"y": "y ~ x"}, name="plain.toml")
    (desk.folder / "small.toml").write_text('model = "plain.toml"\nunits = { row = 20 }\n')
    old = desk.folder / "old"
    old.mkdir()
    (old / "run.json").write_text("{}")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("acmodels.reporting.results.write_table", full)
    before = desk.files()
    got = desk.run(*args, "--out", "old")
    assert got.code == 2
    says(got.err, "old: cannot be written: No space left on device")
    assert desk.files() == before


def test_a_result_that_cannot_take_its_place_loses_nothing(
    desk: Desk, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old result is put back where the move of the new one fails."""
    old = desk.folder / "old"
    old.mkdir()
    (old / "run.json").write_text("{}")
    before = desk.files()
    replace = Path.replace

    def once(self: Path, target: Path) -> Path:
        if target == Path("old") and (self / "estimates.csv").exists():
            raise OSError(errno.EIO, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", once)
    got = desk.run("fit", "model.toml", "study.csv", "--out", "old", "--quiet")
    assert got.code == 2
    says(got.err, "old: cannot be written: Input/output error")
    assert engine.sampled == 1
    assert desk.files() == before


# --- W: goes on, and says so -------------------------------------------------------------

CODES = [f"d{i}" for i in range(12)]
WARNINGS: dict[str, tuple[Content, Equations, tuple[str, ...]]] = {
    "fewer than 5 groups": (
        {"district": lambda f: np.arange(len(f)) % 4}, GOOD, ("'district' has 4 groups", "prior"),
    ),
    "all-singleton groups": (
        {"district": lambda f: np.arange(len(f))}, GOOD, ("'district' has a single row",),
    ),
    "outcome constant in every unit": (
        {"y": lambda f: f.groupby("district")["y"].transform("mean")}, GOOD,
        ("'y' has one value in every group of 'district'", 'level = "district"'),
    ),
    "slope constant in every unit": (
        {"x": lambda f: f.groupby("district")["x"].transform("mean")},
        {"y": "y ~ x + (1 + x | district)"}, ("'x' is constant within every group", "little"),
    ),
    "more predictors than groups": (
        lambda f: f.assign(
            g=np.arange(len(f)) % 3,
            **{f"u{i}": (np.arange(len(f)) % 3) ** float(i) for i in (1, 2)},
            u3=lambda f: np.array([5.0, 1.0, 2.0])[f["g"]],
        ),
        {"y": "y ~ x + u1 + x:u2 + z:u3 + (1 | g)"},
        ("3 predictors that are constant within 'g' and only 3 groups",),
    ),
    "unused category": (
        {"k": lambda f: [1, 2, 4, 5] * 18}, family("ordinal", "k ~ x"),
        ("'k' has no row in category 3", "prior", "recode"),
    ),
    "more coefficients than rows": (
        lambda f: f.iloc[:4], {"y": "y ~ x + z + m"}, ("4 coefficients and only 4 rows", "priors"),
    ),
    "-99 in a predictor": (put("x", [4, 7], -99), GOOD, ("'x' holds -99 in 2 rows", "empty")),
    "999 in an outcome": (put("y", [4], 999), GOOD, ("'y' holds 999 in 1 row,", "missing = [999]")),
    "ids that differ by case": (
        put("district", [2], "innsmouth-000"), GOOD,
        ("'district' differ only by space, case", "'Innsmouth-000' and 'innsmouth-000'"),
    ),
    "ids that differ by space": (
        put("district", [2, 3], "Innsmouth-000 "), GOOD, ("differ only by space",),
    ),
    "ids that differ by Unicode form": (
        {"district": lambda f: ["Nin\u0303o", "Ni\u00f1o", *(CODES * 6)[: len(f) - 2]]}, GOOD,
        ("differ only by space, case or Unicode form",),
    ),
    "single category": (
        put("sector", [2], "Charter"), {"y": "y ~ x + sector"},
        ("category sector[Charter]", "single row"),
    ),
    "scales far apart": (
        {"x": lambda f: f["x"] * 1e9, "z": lambda f: f["z"] * 1e-9}, {"y": "y ~ x + z"},
        ("'x' (sd", "'z' (sd", "rescale one"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", WARNINGS)
def test_warnings_are_printed(desk: Desk, row: str) -> None:
    content, equations, words = WARNINGS[row]
    desk.data(content)
    desk.model(equations)
    got = desk.run("check", "study.csv", "model.toml")
    assert got.code == 0, got.err
    assert got.err == ""
    hit = [
        line
        for line in got.out.splitlines()
        if line.startswith("warning: ") and all(w in line for w in words)
    ]
    assert len(hit) == 1, got.out
    assert any(all(w in f["message"] for w in words) for f in desk.checked()["findings"])


def test_warnings_come_before_sampling(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.data({"district": lambda f: np.arange(len(f)) % 4})

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("acmodels.engines.collapsed.prepare", stop)
    got = desk.run("fit", "model.toml", "study.csv")
    assert got.code == 130
    assert got.err.index("warning: the grouping 'district'") < got.err.index("interrupted")


def test_codes_in_ids_are_no_sentinels(desk: Desk) -> None:
    desk.data({"district": lambda f: [("-99", "999", "1", "2", "3")[i % 5] for i in range(len(f))]})
    assert without_boundary(desk.checked()["findings"]) == []


def test_one_chain_is_said(desk: Desk, engine: FakeEngine) -> None:
    got = desk.run("fit", "model.toml", "study.csv", "--chains", "1", "--draws", "4000")
    assert engine.sampled == 1
    says(got.out, "One chain only", "R-hat cannot be computed")


def test_a_million_rows_are_said_first(desk: Desk) -> None:
    rng = np.random.default_rng(1)
    n = 1_000_000
    frame = pd.DataFrame({"x": rng.normal(size=n), "y": rng.normal(size=n)})
    frame.to_parquet(desk.folder / "study.parquet")
    desk.model({"y": "y ~ x"})
    got = desk.run("check", "study.parquet", "model.toml", "--json")
    first = json.loads(got.out)["findings"][0]["message"]
    says(first, "1000000 rows", "hours", "GB")


def test_ordinary_data_earn_no_warning(desk: Desk) -> None:
    got = desk.run("check", "study.csv", "model.toml")
    says(got.out, "72 of 72 rows used", "Nothing wrong was found.")


# --- H: read right -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rewrite", "note"),
    [
        (lambda t: t.replace(",", ";").encode(), ""),
        (lambda t: t.replace(",", "\t").encode(), ""),
        (lambda t: t.replace(",", ";").replace(".", ",").encode(), "decimal comma"),
        (lambda t: t.encode("utf-8-sig"), ""),
        (lambda t: t.encode("utf-16"), ""),
        (lambda t: t.replace("\n", "\r\n").encode(), ""),
        (lambda t: t.replace("Private", "Privé").encode("latin-1"), "Latin-1"),
    ],
    ids=["semicolon", "tab", "decimal comma", "BOM", "UTF-16", "Windows", "Latin-1"],
)
def test_files_as_people_write_them(desk: Desk, rewrite: Callable[[str], bytes], note: str) -> None:
    """The priors in force rest on every column's numbers, so they show how a file was read."""
    desk.model({"y": "y ~ x + z + sector + (1 | district)"})
    desk.data(lambda f: f.replace("Private", "Privé") if note == "Latin-1" else f)
    plain, described = desk.priors(), desk.checked()
    desk.data(rewrite((desk.folder / "study.csv").read_text(encoding="utf-8")))
    assert desk.priors() == plain
    found = desk.checked()
    said = " ".join(f["message"] for f in found["findings"])
    assert bool(said) == bool(note)
    assert note in said
    assert found | {"findings": []} == described


def test_leading_zeros_of_ids_are_kept(desk: Desk) -> None:
    desk.data({"district": lambda f: [("001", "01", "1", "2", "3", "4")[i % 6] for i in range(72)]})
    (grouping,) = desk.checked()["groupings"]
    assert grouping == {"group": "district", "groups": 6, "smallest": 12, "largest": 12}


HOSTILE = {
    "Unicode": "学習 ő",
    "HTML": "<script>alert('1')</script>",
    "formula of a spreadsheet": "=HYPERLINK(1)",
    "template": "{{ 7*7 }} {x} %s",
    "terminal codes": "x\u202e\x1b[31m",
    "slashes": "../../etc/passwd",
    "brackets": "a[b]:c | d ~ e",
    "a dot": ".",
    "very long": "long_name_" * 400,
    "a number": "1",
}
CLASHING = (
    "lambda", "class", "None", "def", "sigma", "mu", "eta", "y", "obs", "data", "observed", "chain",
    "draw", "name", "index", "level", "self", "pm",
)  # fmt: skip
"""Names of Python, PyMC, pandas and this package."""


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("role", ["predictor", "factor", "outcome", "grouping"])
def test_names_are_only_names(desk: Desk, engine: FakeEngine, name: str, role: str) -> None:
    """Checked, fitted and written, whatever a column is called."""
    column = {"predictor": "x", "factor": "sector", "outcome": "y", "grouping": "district"}[role]
    others = {"x": "pred", "y": "out", "district": "unit", "sector": "kind"}
    desk.data(lambda f: pd.DataFrame(f[list(others)]).rename(columns={**others, column: name}))
    said = {k: f"`{name}`" if k == column else v for k, v in others.items()}
    key = name if role == "outcome" else "out"
    label = name.removeprefix("=")  # an estimand's key may not begin with it: see below
    desk.model(
        {key: f"{said['y']} ~ {said['x']} + {said['sector']} + (1 | {said['district']})"},
        f'[estimands.{json.dumps(label)}]\nkind = "coefficient"\n'
        f"parameter = {json.dumps(_parameter(said['y'], said['x']))}\n",
    )
    assert desk.run("check", "study.csv").code == 0
    assert desk.checked()["findings"] == []
    got = desk.run("priors", "model.toml", "study.csv")
    assert got.code == 0, got.err
    assert got.out.replace("\n", "").isprintable()
    got = desk.run("fit", "model.toml", "study.csv", "--out", "out")
    assert got.code == 0, got.err
    assert (got.out + got.err).replace("\n", "").isprintable()
    estimands = pd.read_csv(desk.folder / "out" / "estimands.csv", keep_default_na=False)
    assert estimands["name"].astype(str).tolist() == [label]
    assert "<script" not in (desk.folder / "out" / "report.html").read_text(encoding="utf-8")


def test_an_estimands_key_a_spreadsheet_would_run_is_refused(desk: Desk) -> None:
    desk.data()
    desk.model({"y": "y ~ x"}, '[estimands."=cmd"]\nkind = "coefficient"\nparameter = "y ~ x"\n')
    got = desk.run("check", "study.csv", "model.toml")
    assert got.code == 2
    assert "a spreadsheet runs it" in got.err


def _parameter(response: str, predictor: str) -> str:
    from acmodels.spec.parsing import parse_formula

    formula = parse_formula(f"{response} ~ {predictor}")
    return f"{formula.response} ~ {formula.terms[1].text}"


@pytest.mark.parametrize("role", ["predictors", "outcomes", "groupings"])
def test_names_that_clash_are_only_names(desk: Desk, engine: FakeEngine, role: str) -> None:
    rng = np.random.default_rng(7)
    n = 120
    data = {"out": rng.normal(size=n), "pred": rng.normal(size=n)}
    data |= {c: rng.integers(20, size=n) + (role != "groupings") * data["out"] for c in CLASHING}
    pd.DataFrame(data).to_csv(desk.folder / "study.csv", index=False)
    if role == "predictors":
        desk.model({"out": f"out ~ {' + '.join(CLASHING)}"})
        names = [f"out ~ {c}" for c in CLASHING]
    elif role == "outcomes":
        desk.model({c: f"{c} ~ pred" for c in CLASHING})
        names = [f"{c} ~ pred" for c in CLASHING] + [f"sigma({c})" for c in CLASHING]
    else:
        desk.model({"out": f"out ~ {' + '.join(f'(1 | {c})' for c in CLASHING)}"})
        names = [f"sd(out ~ 1 | {c})" for c in CLASHING]
    assert without_boundary(desk.checked()["findings"]) == []
    assert set(names) <= set(desk.priors())
    got = desk.run("fit", "model.toml", "study.csv")
    assert got.code == 0, got.err
    assert set(names) <= set(pd.read_csv(desk.folder / "fit" / "estimates.csv")["name"])


def test_posteriors_of_units_called_chain_and_draw(desk: Desk, engine: FakeEngine) -> None:
    import xarray as xr

    desk.data(lambda f: f.assign(chain=f["district"], draw=lambda f: np.arange(len(f)) % 6))
    desk.model({"y": "y ~ x + (1 | chain) + (1 | draw)"})
    assert desk.run("fit", "model.toml", "study.csv", "--chains", "3").code == 0
    with xr.open_dataset(desk.folder / "fit" / "posterior.nc", group="posterior") as written:
        assert dict(written.sizes) == {
            "chain": 3, "draw": 1000, "chain (group)": 12, "draw (group)": 6,
        }  # fmt: skip
        assert written["chain"].to_numpy().tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\u202eb", "two\nlines"])
def test_messages_never_steer_a_terminal(desk: Desk, name: str) -> None:
    desk.data({name: 1.0})
    desk.model({"y": "y ~ nothing_of_this_name"})
    desk.refused("check", "study.csv", "model.toml")
    desk.data({"district": [name, name.upper()] * 36})
    desk.model(GOOD)
    got = desk.run("check", "study.csv", "model.toml")
    assert (got.out + got.err).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "args",
    [
        ("check", "a" * 5000), ("check", "a" * 300 + ".csv"), ("check", "study.csv", "a" * 5000),
        ("check", "study.csv", "a" * 300 + ".toml"), ("simulate", "a" * 5000),
        ("propositions", "a" * 5000), ("check", "\udcff.csv"), ("check", "study.csv", "\udcff"),
        ("check", ""), ("check", "study.csv", ""), ("a" * 5000,), ("check", "study.csv", "\x1b"),
    ],
)  # fmt: skip
def test_arguments_of_any_kind(desk: Desk, args: tuple[str, ...]) -> None:
    desk.refused(*args)


def test_formulas_are_never_run(desk: Desk) -> None:
    for code in (
        "__import__('os').system('touch sprung')",
        "open('sprung', 'w')",
        "eval(`open('sprung', 'w')`)",
        "`open('sprung', 'w')`",
        "(lambda: open('sprung', 'w'))()",
        "{open('sprung', 'w')}",
        "Path.touch(sprung)",
        "log(`Path('sprung').touch()`)",
    ):
        desk.model({"y": f"y ~ x + {code}"})
        desk.refused("check", "study.csv", "model.toml")
    assert not (desk.folder / "sprung").exists()


def test_a_longest_formula_is_refused_at_once(desk: Desk) -> None:
    desk.model({"y": "y ~ " + "x + " * 10_000 + "x"})
    says(desk.refused("check", "study.csv", "model.toml"), "longer than")
    desk.model({"y": "y ~ " + "(" * 2000 + "x" + ")" * 2000})
    says(desk.refused("check", "study.csv", "model.toml"), "brackets")


def test_file_names_that_are_no_text(desk: Desk, engine: FakeEngine) -> None:
    desk.model(GOOD, name="m\udcff.toml")
    desk.data(name="d\udcff.csv")
    got = desk.run("fit", "m\udcff.toml", "d\udcff.csv", "--out", "o\udcff", "--json")
    assert got.code == 0, got.err
    assert json.loads(got.out)["out"] == "o\udcff"
    run_json = json.loads((desk.folder / "o\udcff" / "run.json").read_text(encoding="utf-8"))
    assert list(run_json["data"]) == ["d\\udcff.csv"]

"""The command line: what it prints, what it writes, and how it ends. Nothing here samples."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import acmodels
from acmodels.cli import run
from acmodels.inference.fitting import Fit
from acmodels.theory.registry import entry, page
from fakes import FakeEngine, fake_fit, fake_frame

type Call = Callable[..., tuple[int, str, str]]

COMMANDS = ("check", "demo", "fit", "priors", "propositions", "simulate")
SUMMARY = ["mean", "sd", "median", "lower", "upper"]
CONVERGENCE = ["r_hat", "ess_bulk", "ess_tail", "mcse_mean"]
MODEL = """
name  = "mediation"
title = "Routines carry capacity"

[equations.m]
formula = "m ~ 1 + x*z + (1 | district)"

[equations.y]
formula = "y ~ 1 + m + x + sector + (1 | district)"

[priors]
"m ~ *" = { dist = "Normal", mu = 0, sigma = 1 }

[estimands.via]
kind = "indirect"
from = "x"
via  = ["m"]
to   = "y"
at   = { z = [0, 1.5] }

[estimands.b]
kind      = "coefficient"
parameter = "y ~ m"

[propositions.P41]
estimand = "via"
at       = "z=1.5"
region   = { above = 0.0 }
rope     = [-0.05, 0.05]
"""
DESIGN = """
model = "model.toml"
[units]
district = 8
row      = { per = "district", n = { mean = 5, sd = 1, min = 2 } }
[truth]
"y ~ m" = 0.5
"""
SIMPLE = MODEL.replace(" + sector", "")


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Run a command line in a folder with a model, a design and a table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["acmodels"])
    (tmp_path / "model.toml").write_text(MODEL)
    (tmp_path / "simple.toml").write_text(SIMPLE)
    (tmp_path / "design.toml").write_text(DESIGN.replace("model.toml", "simple.toml"))
    fake_frame().to_csv(tmp_path / "study.csv", index=False)

    def calling(*args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code: Any = 0
        try:
            run(args)
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return int(code or 0), said.out, said.err

    return calling


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine that draws plain random numbers."""
    fake = FakeEngine()
    monkeypatch.setattr("acmodels.engines.nuts.prepare", fake.prepare)
    monkeypatch.setattr("acmodels.engines.hmc.unfit", lambda *_: "a test wants the other")
    monkeypatch.setattr("acmodels.engines.collapsed.unfit", lambda *_: "a test wants the other")
    return fake


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- help, version, commands -------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(call: Call, flag: str) -> None:
    code, out, err = call(flag)
    assert (code, err) == (0, "")
    for command in COMMANDS:
        assert f"\n  {command} " in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(call: Call, command: str) -> None:
    code, out, err = call(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: acmodels {command} ") or f" {command} " in out.splitlines()[0]
    assert "--json" in out


@pytest.mark.parametrize("command", ["fit", "demo"])
def test_options_of_fits(call: Call, command: str) -> None:
    out = call(command, "--help")[1]
    for option in (
        "--out", "--seed", "--engine", "--draws", "--chains", "--interval", "--prob", "--workers",
        "--quiet", "--json",
    ):  # fmt: skip
        assert option in out
    assert "1000" in out
    assert "0.95" in out


def test_version(call: Call) -> None:
    code, out, _ = call("--version")
    assert code == 0
    assert out == f"acmodels, version {acmodels.__version__}\n"


def test_no_arguments_give_help_once(call: Call) -> None:
    code, out, err = call()
    assert code == 2
    assert (out + err).count("Usage:") == 1
    assert "Start:" in err


@pytest.mark.parametrize(
    ("said", "meant"), [("chek", "check"), ("Fit", "fit"), ("simulat", "simulate")]
)
def test_an_unknown_command(call: Call, said: str, meant: str) -> None:
    code, out, err = call(said)
    assert (code, out) == (2, "")
    assert f"no command '{said}'; did you mean '{meant}'? (commands: " in err


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("check",), "DATA"), (("fit", "model.toml"), "DATA"), (("priors",), "MODEL"),
        (("simulate",), "DESIGN"), (("check", "study.csv", "model.toml", "more"), "more"),
        (("check", "study.csv", "--jsn"), "--json"),
    ],
)  # fmt: skip
def test_wrong_arguments_show_the_usage(call: Call, args: tuple[str, ...], word: str) -> None:
    code, out, err = call(*args)
    assert (code, out) == (2, "")
    assert word in err
    assert err.count("Usage:") == 1


def test_help_is_quick_to_import() -> None:
    """Neither help nor the import brings in what takes seconds."""
    slow = ("pandas", "scipy", "arviz", "pymc", "pydantic", "xarray", "numba", "matplotlib")
    program = (
        "import sys, acmodels, acmodels.cli\n"
        "try: acmodels.cli.run(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        f"print([m for m in {slow} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


# --- propositions ------------------------------------------------------------------------


def test_propositions_are_listed(call: Call) -> None:
    code, out, err = call("propositions")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 97
    assert lines[0].startswith("P01 ")
    assert any(line.startswith("P41 *") for line in lines)
    assert lines[-1].startswith("* can be tested")


def test_propositions_as_json(call: Call) -> None:
    found = json.loads(call("propositions", "--json")[1])
    assert [p["id"] for p in found] == [f"P{k:02d}" for k in range(1, 97)]
    for p in found:
        assert {"id", "statement", "source", "tier", "executable", "model", "estimand"} <= set(p)
        assert p["executable"] is (p["model"] is not None) is (p["estimand"] is not None)
        assert p["tier"] in (1, 2, 3)
        if p["executable"]:
            model = acmodels.load_model(p["model"])
            assert p["estimand"] in model.estimands
            assert p["claim"]


def test_one_proposition(call: Call) -> None:
    code, out, _ = call("propositions", "P41")
    assert code == 0
    assert out.startswith("P41 (tier 1)\n")
    for word in ("Source:", "Claim:", "Model:", "Estimand:", "Rule:", "a probability of 0.975"):
        assert word in out
    (one,) = json.loads(call("propositions", "P41", "--json")[1])
    assert one["id"] == "P41"
    assert one["statement"] in out


def test_a_proposition_without_a_model_says_so(call: Call) -> None:
    every = json.loads(call("propositions", "--json")[1])
    assert all(p["executable"] for p in every)
    later = entry("P01") | {"executable": False, "model": None, "kind": ["ties"]}
    assert "Cannot be tested yet" in page(later)


@pytest.mark.parametrize(
    ("name", "hint"), [("P97", ""), ("p41", "'P41'"), ("P1", "'P01'"), ("nonsense", "")]
)
def test_an_unknown_proposition(call: Call, name: str, hint: str) -> None:
    code, out, err = call("propositions", name)
    assert (code, out) == (2, "")
    assert f"no proposition '{name}': ids run from P01 to P96" in err
    assert hint in err


# --- check and priors --------------------------------------------------------------------


def test_check_describes_a_table(call: Call) -> None:
    code, out, err = call("check", "study.csv")
    assert (code, err) == (0, "")
    assert out.startswith("study.csv: 72 rows, 7 columns\n")
    table = json.loads(call("check", "study.csv", "--json")[1])
    assert (table["data"], table["rows"]) == ("study.csv", 72)
    columns = {c["name"]: c for c in table["columns"]}
    assert list(columns) == ["district", "x", "z", "sector", "m", "y", "yes"]
    assert columns["district"] | {"shown": ""} == {
        "name": "district", "kind": "text", "distinct": 12, "missing": 0, "shown": "",
        "level": None, "label": None,
    }  # fmt: skip
    assert all(name in out for name in columns)


def test_check_names_a_column_that_cannot_be_read(call: Call, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("x\n1\n2\n3\nfour\n")
    code, out, err = call("check", "odd.csv")
    assert code == 2
    assert "'four' (row 5)" in out
    assert "'four' (row 5)" in err


def test_check_describes_a_model_on_a_table(call: Call) -> None:
    code, out, err = call("check", "study.csv", "model.toml")
    assert (code, err) == (0, "")
    assert out.startswith("study.csv: 72 of 72 rows used\n")
    assert "district: 12 groups of 6 rows" in out
    table = json.loads(call("check", "study.csv", "model.toml", "--json")[1])
    assert table["rows_used"] == 72
    assert [e["response"] for e in table["equations"]] == ["m", "y"]
    (group,) = table["groupings"]
    assert group == {"group": "district", "groups": 12, "smallest": 6, "largest": 6}
    for finding in table["findings"]:
        assert f"{finding['severity']}: {finding['message']}" in out


def test_check_tries_priors_and_estimands(call: Call, tmp_path: Path) -> None:
    """What `fit` would refuse, `check` refuses."""
    for old, new, word in (
        ('"m ~ *"', '"n ~ *"', 'priors."n ~ *" matches no parameter'),
        ('via  = ["m"]', 'via  = ["n"]', "estimands.via.via"),
        ('"z=1.5"', '"z=2"', "propositions.P41.at: 'via' has no row 'z=2'"),
    ):
        (tmp_path / "wrong.toml").write_text(MODEL.replace(old, new))
        code, out, err = call("check", "study.csv", "wrong.toml")
        assert (code, out) == (2, "")
        assert word in err


def test_check_says_what_readers_of_estimands_must_know(call: Call) -> None:
    out = call("check", "study.csv", "model.toml")[1]
    assert "warning: " in out
    assert "within" in out
    assert "between" in out


def test_priors_are_printed_with_their_origin(call: Call) -> None:
    code, out, err = call("priors", "model.toml", "study.csv")
    assert (code, err) == (0, "")
    lines = {line.split("  ")[0]: line for line in out.splitlines()}
    assert "Normal(mu=0, sigma=1)" in lines["m ~ x"]
    assert 'stated by "m ~ *"' in lines["m ~ x:z"]
    assert "default, on the expected response" in lines["y ~ 1"]
    assert "HalfNormal(" in lines["sigma(y)"]


def test_priors_as_json(call: Call) -> None:
    found = json.loads(call("priors", "model.toml", "study.csv", "--json")[1])
    names = [p["name"] for p in found]
    assert names == [
        "m ~ 1", "m ~ x", "m ~ z", "m ~ x:z", "y ~ 1", "y ~ m", "y ~ x", "y ~ sector[Public]",
        "sd(m ~ 1 | district)", "sd(y ~ 1 | district)", "sigma(m)", "sigma(y)",
    ]  # fmt: skip
    by_name = {p["name"]: p for p in found}
    assert by_name["m ~ x"] == {
        "name": "m ~ x", "dist": "Normal", "mu": 0.0, "sigma": 1.0, "stated": "m ~ *",
        "at_means": False,
    }  # fmt: skip
    y = fake_frame()["y"]
    assert by_name["y ~ 1"]["at_means"] is True
    assert by_name["y ~ 1"]["mu"] == pytest.approx(y.mean())
    assert by_name["sigma(y)"]["sigma"] == pytest.approx(2.5 * y.std())


# --- simulate ----------------------------------------------------------------------------


def test_simulate_writes_a_study_with_its_truth(call: Call, tmp_path: Path) -> None:
    code, out, err = call("simulate", "design.toml", "--out", "sim")
    assert (code, err) == (0, "")
    assert out.startswith("Written: sim (1 study, ")
    folder = tmp_path / "sim"
    assert sorted(files(folder)) == ["data.csv", "datapackage.json", "run.json", "truth.json"]
    data = pd.read_csv(folder / "data.csv")
    assert set(data) == {"district", "x", "z", "m", "y"}
    truth = json.loads((folder / "truth.json").read_text())
    model = acmodels.load_model("simple.toml")
    priors = json.loads(call("priors", "simple.toml", "sim", "--json")[1])
    assert {p["name"] for p in priors} <= set(truth)
    assert truth["y ~ m"] == 0.5
    assert truth["sigma(y)"] == 1.0
    assert truth["sd(y ~ 1 | district)"] == 0.5
    assert truth["via [z=0]"] == 0.0
    assert set(model.estimands) <= {name.split(" [")[0] for name in truth}
    package = json.loads((folder / "datapackage.json").read_text())
    (resource,) = package["resources"]
    assert resource["path"] == "data.csv"
    assert [f["name"] for f in resource["schema"]["fields"]] == list(data)
    assert call("check", "sim", "simple.toml")[0] == 0


def test_simulate_by_default_writes_beside(call: Call, tmp_path: Path) -> None:
    assert call("simulate", "design.toml", "--quiet") == (0, "", "")
    assert (tmp_path / "simulate" / "data.csv").exists()


def test_simulate_many(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("simulate", "design.toml", "--n", "11", "--out", "sim")
    assert code == 0
    assert "11 studies, " in out
    found = files(tmp_path / "sim")
    studies = [f"{k:02d}" for k in range(1, 12)]
    assert {name.split("/")[0] for name in found} == {*studies, "run.json"}
    for study in studies:
        assert {f"{study}/data.csv", f"{study}/truth.json", f"{study}/datapackage.json"} <= set(
            found
        )
    assert len({found[f"{study}/data.csv"] for study in studies}) == 11
    call("simulate", "design.toml", "--out", "one")
    assert files(tmp_path / "one")["data.csv"] == found["01/data.csv"]


def test_same_seed_same_bytes(call: Call, tmp_path: Path) -> None:
    for out, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert call("simulate", "design.toml", "--seed", seed, "--out", out)[0] == 0
    first, again, other = (files(tmp_path / k) for k in "abc")
    assert first == again
    assert first["data.csv"] != other["data.csv"]
    assert first["truth.json"] == other["truth.json"]


def test_a_result_is_replaced_whole(call: Call, tmp_path: Path) -> None:
    call("simulate", "design.toml", "--n", "2", "--out", "sim")
    call("simulate", "design.toml", "--out", "sim")
    assert sorted(files(tmp_path / "sim")) == [
        "data.csv", "datapackage.json", "run.json", "truth.json",
    ]  # fmt: skip
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_simulate_as_json(call: Call) -> None:
    found = json.loads(call("simulate", "design.toml", "--n", "2", "--json", "--out", "s")[1])
    assert found["studies"] == 2
    assert found["out"] == "s"
    assert found["rows"] >= 32


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("design.toml", "--n", "0"), "--n must be a whole number of at least 1"),
        (("design.toml", "--seed", "-1"), "the seed must be a whole number"),
        (("desing.toml",), "did you mean 'design.toml'?"),
        (("model.toml",), "model.toml"),
        (("nothing",), "no design 'nothing' (shipped: "),
    ],
)
def test_simulate_refuses(call: Call, tmp_path: Path, args: tuple[str, ...], word: str) -> None:
    before = files(tmp_path)
    code, out, err = call("simulate", *args)
    assert (code, out) == (2, "")
    assert word in err
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["interaction_mediation", "capacity_conditions"])
def test_shipped_models_take_their_shipped_designs(call: Call, name: str) -> None:
    assert call("simulate", name, "--out", "sim")[0] == 0
    code, out, err = call("check", "sim", name)
    assert (code, err) == (0, "")
    assert "rows used" in out


# --- fit -----------------------------------------------------------------------------------


def test_fit_writes_what_the_contract_names(
    call: Call, tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["acmodels", "fit", "model.toml", "study.csv"])
    code, out, err = call("fit", "model.toml", "study.csv", "--seed", "7")
    assert code == 0, err
    assert "Intervals are 95 % equal-tailed." in out
    assert "\nP41    " in out
    assert "the posterior is usable" in out
    assert "Report: fit/report.html" in out
    assert err.count("report") <= 1
    folder = tmp_path / "fit"
    assert sorted(p.name for p in folder.iterdir()) == [
        "diagnostics.json", "estimands.csv", "estimates.csv", "parts.csv", "posterior.nc",
        "r2.csv", "report.html", "run.json", "verdicts.csv",
    ]  # fmt: skip
    estimates = pd.read_csv(folder / "estimates.csv")
    assert list(estimates) == ["name", *SUMMARY, *CONVERGENCE]
    priors = json.loads(call("priors", "model.toml", "study.csv", "--json")[1])
    assert estimates["name"].tolist() == [p["name"] for p in priors]
    estimands = pd.read_csv(folder / "estimands.csv", keep_default_na=False)
    assert list(estimands) == ["name", "kind", "at", *SUMMARY, "p_positive", *CONVERGENCE]
    assert estimands[["name", "kind", "at"]].to_numpy().tolist() == [
        ["via", "indirect", "z=0"], ["via", "indirect", "z=1.5"], ["b", "coefficient", ""],
    ]  # fmt: skip
    verdicts = pd.read_csv(folder / "verdicts.csv")
    assert list(verdicts) == [
        "proposition", "model", "estimand", "status", "how", "p_region", "p_rope", "mean", "lower",
        "upper", "prior_sensitive", "reason",
    ]  # fmt: skip
    assert verdicts[["proposition", "model", "estimand"]].to_numpy().tolist() == [
        ["P41", "mediation", "via"],
    ]  # fmt: skip
    assert verdicts.loc[0, "mean"] == estimands.loc[1, "mean"]
    diagnostics = json.loads((folder / "diagnostics.json").read_text())
    assert {
        "engine", "max_r_hat", "min_ess_bulk", "divergences", "pareto_k", "usable", "messages",
    } <= set(diagnostics)  # fmt: skip
    assert diagnostics["usable"] is True
    ran = json.loads((folder / "run.json").read_text())
    assert ran["seed"] == 7
    assert ran["engine"] == "fake"
    assert ran["command"] == ["acmodels", "fit", "model.toml", "study.csv"]
    assert {"acmodels", "pymc", "numpy", "python"} <= set(ran["versions"])
    assert {"read", "sample", "report"} <= set(ran["seconds"])
    assert len(ran["model"]["sha256"]) == len(ran["data"]["study.csv"]) == 64


@pytest.mark.parametrize("row", ["estimands", "estimates", "verdicts"])
def test_tables_are_written_without_estimands_too(
    call: Call, tmp_path: Path, engine: FakeEngine, row: str
) -> None:
    (tmp_path / "plain.toml").write_text('name = "plain"\n[equations.y]\nformula = "y ~ x"\n')
    code, out, _ = call("fit", "plain.toml", "study.csv", "--interval", "hdi", "--prob", "0.9")
    assert code == 0
    assert "Intervals are 90 % highest-density." in out
    assert "y ~ x" in out
    table = pd.read_csv(tmp_path / "fit" / f"{row}.csv")
    assert len(table) == (3 if row == "estimates" else 0)
    assert len(table.columns) == {"estimands": 13, "estimates": 10, "verdicts": 12}[row]


def test_fit_as_json(call: Call, engine: FakeEngine) -> None:
    code, out, _ = call("fit", "model.toml", "study.csv", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["out"] == "fit"
    assert found["diagnostics"]["usable"] is True
    assert [v["proposition"] for v in found["verdicts"]] == ["P41"]
    assert [e["name"] for e in found["estimands"]] == ["via", "via", "b"]


def test_same_seed_same_tables(call: Call, tmp_path: Path, engine: FakeEngine) -> None:
    for out, seed, workers in (("a", "3", "1"), ("b", "3", "2"), ("c", "4", "1")):
        options = ("--seed", seed, "--out", out, "--workers", workers, "--quiet")
        assert call("fit", "model.toml", "study.csv", *options) == (0, "", "")
    first, again, other = (files(tmp_path / k) for k in "abc")
    for name in ("estimates.csv", "estimands.csv", "verdicts.csv", "diagnostics.json"):
        assert first[name] == again[name]
    assert first["estimates.csv"] != other["estimates.csv"]


def test_an_unusable_result_is_written_and_ends_with_3(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "The chains disagree about y ~ m: R-hat is 1.200, above 1.01."

    def fit(*_: Any, **__: Any) -> Fit:
        return fake_fit(MODEL_TABLE, fake_frame(), messages=(why,))

    import tomllib

    MODEL_TABLE = tomllib.loads(MODEL)
    monkeypatch.setattr("acmodels.inference.fitting.fit", fit)
    code, out, _ = call("fit", "model.toml", "study.csv", "--out", "out")
    assert code == 3
    assert why in out
    assert "NOT usable" in out
    assert "P41    unusable" in out
    folder = tmp_path / "out"
    verdicts = pd.read_csv(folder / "verdicts.csv")
    assert verdicts["status"].tolist() == ["unusable"]
    assert why in verdicts.loc[0, "reason"]
    diagnostics = json.loads((folder / "diagnostics.json").read_text())
    assert diagnostics["usable"] is False
    assert diagnostics["messages"] == [why]
    assert "cannot be used" in (folder / "report.html").read_text()


def test_too_few_draws_end_with_3_even_when_quiet(
    call: Call, tmp_path: Path, engine: FakeEngine
) -> None:
    options = ("--draws", "30", "--chains", "2", "--quiet")
    assert call("fit", "model.toml", "study.csv", *options) == (3, "", "")
    diagnostics = json.loads((tmp_path / "fit" / "diagnostics.json").read_text())
    assert "Too few effective draws" in diagnostics["messages"][0] + diagnostics["messages"][-1]


def test_a_fit_replaces_a_fit_whole(call: Call, tmp_path: Path, engine: FakeEngine) -> None:
    call("fit", "model.toml", "study.csv", "--quiet")
    (tmp_path / "fit" / "old.txt").write_text("")
    (tmp_path / "plain.toml").write_text('name = "plain"\n[equations.y]\nformula = "y ~ x"\n')
    assert call("fit", "plain.toml", "study.csv", "--quiet") == (0, "", "")
    assert not (tmp_path / "fit" / "old.txt").exists()
    assert len(pd.read_csv(tmp_path / "fit" / "estimates.csv")) == 3
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_quiet_says_nothing_but_errors(call: Call, tmp_path: Path, engine: FakeEngine) -> None:
    assert call("fit", "model.toml", "study.csv", "--quiet") == (0, "", "")
    assert call("check", "study.csv", "model.toml", "--quiet") == (0, "", "")
    assert call("check", "study.csv", "--quiet") == (0, "", "")
    assert call("simulate", "design.toml", "--quiet") == (0, "", "")
    code, out, err = call("fit", "model.toml", "studi.csv", "--quiet")
    assert (code, out) == (2, "")
    assert "studi.csv" in err


@pytest.mark.parametrize("old", [False, True])
def test_an_interrupt_leaves_nothing_behind(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, old: bool
) -> None:
    def fit(*_: Any, **__: Any) -> Fit:
        raise KeyboardInterrupt

    if old:
        (tmp_path / "deep").mkdir()
        call("simulate", "design.toml", "--out", "deep/fit")
    monkeypatch.setattr("acmodels.inference.fitting.fit", fit)
    before = sorted(tmp_path.rglob("*")), files(tmp_path)
    code, out, err = call("fit", "model.toml", "study.csv", "--out", "deep/fit")
    assert (code, out) == (130, "")
    assert "interrupted" in err
    assert "Traceback" not in err
    assert (sorted(tmp_path.rglob("*")), files(tmp_path)) == before


def test_a_failed_engine_ends_with_3_and_writes_nothing(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from acmodels.errors import EngineError

    def fit(*_: Any, **__: Any) -> Fit:
        raise EngineError("no chain could start")

    monkeypatch.setattr("acmodels.inference.fitting.fit", fit)
    before = files(tmp_path)
    code, out, err = call("fit", "model.toml", "study.csv", "--quiet")
    assert (code, out, err) == (3, "", "no chain could start\n")
    assert files(tmp_path) == before


def test_out_of_memory_is_said(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*_: Any, **__: Any) -> Fit:
        raise MemoryError

    monkeypatch.setattr("acmodels.inference.fitting.fit", fit)
    code, _, err = call("fit", "model.toml", "study.csv", "--quiet")
    assert code == 2
    assert "out of memory" in err


def test_demo(call: Call, tmp_path: Path, engine: FakeEngine) -> None:
    code, out, err = call("demo", "--seed", "2")
    assert code == 0, err
    assert "P41" in out
    assert "true values lie in their 95 % intervals" in err
    found = files(tmp_path / "demo")
    assert {"report.html", "verdicts.csv", "posterior.nc", "study/data.csv"} <= set(found)
    assert "study/truth.json" in found


def test_the_module_runs_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "acmodels", "chek"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "did you mean 'check'?" in done.stderr
    assert done.stdout == ""


# --- beside maximum likelihood -----------------------------------------------------------


def test_ml_writes_a_table_and_a_section(call: Call, engine: FakeEngine, tmp_path: Path) -> None:
    code, _, err = call("fit", "model.toml", "study.csv", "--out", "o", "--ml", "--draws", "30")
    assert code in (0, 3), err
    assert "Warning" not in err
    table = pd.read_csv(tmp_path / "o" / "ml.csv")
    assert list(table.columns) == [
        "name", "posterior_mean", "posterior_sd", "ml_estimate", "ml_se", "distance", "note",
    ]  # fmt: skip
    assert {"m ~ x:z", "sd(y ~ 1 | district)", "sigma(m)"} <= set(table["name"])
    assert table["note"].notna().all()
    page = (tmp_path / "o" / "report.html").read_text(encoding="utf-8")
    assert "Comparison with maximum likelihood" in page
    assert page.count("REML (MixedLM)") >= 8
    assert "ml" in json.loads((tmp_path / "o" / "run.json").read_text())["seconds"]


def test_without_ml_there_is_neither(call: Call, engine: FakeEngine, tmp_path: Path) -> None:
    call("fit", "model.toml", "study.csv", "--out", "o", "--draws", "30")
    assert not (tmp_path / "o" / "ml.csv").exists()
    assert "Beside maximum" not in (tmp_path / "o" / "report.html").read_text(encoding="utf-8")

"""The first ten minutes: `acmodels new`, completion, help."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from acmodels.cli import SECTIONS, main
from acmodels.cli import run as cli
from acmodels.cli.common import program


def test_what_is_written_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a study"
    cli(["new", str(folder)])
    said = capsys.readouterr().out
    model, plan, data = (str(folder / f) for f in ("model.toml", "plan.toml", "data.csv"))
    assert all(p in said for p in (model, plan, data))
    cli(["check", data, model])
    cli(["fit", model, data, "--out", str(tmp_path / "fit"), "--quiet"])
    verdicts = pd.read_csv(tmp_path / "fit" / "verdicts.csv")
    assert list(verdicts["proposition"]) == ["P41"]
    cli(["power", plan, "--replications", "20", "--out", str(tmp_path / "power"), "--quiet"])
    assert len(pd.read_csv(tmp_path / "power" / "power.csv")) == 6


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(SystemExit) as done:
        cli(["new", str(tmp_path)])
    assert done.value.code == 2
    assert "plan.toml: is there already" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["plan.toml"]


def complete(words: str) -> list[str]:
    environment = {
        **os.environ, "_ACMODELS_COMPLETE": "bash_complete", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }  # fmt: skip
    command = [Path(sys.executable).parent / "acmodels"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_completion(capsys: pytest.CaptureFixture[str]) -> None:
    assert complete("acmodels pl") == ["plain,planner"]
    assert "plain,interaction_mediation" in complete("acmodels fit inter")
    assert "plain,plan_panel" in complete("acmodels power plan_p")
    assert "plain,baseline" in complete("acmodels simulate base")
    assert "plain,baseline" not in complete("acmodels power base")
    for shell in ("bash", "zsh", "fish"):
        cli(["completion", shell])
        assert "_ACMODELS_COMPLETE" in capsys.readouterr().out


def test_next_lines_call_this_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = tmp_path / "my programs" / "acmodels"
    here.parent.mkdir()
    here.touch()
    for called, said in (
        ("/gone/acmodels", "acmodels"),
        (str(here), f"'{here}'"),
        ("/x/acmodels/__main__.py", f"{sys.executable} -m acmodels"),
    ):
        monkeypatch.setattr("sys.argv", [called])
        assert program() == said


def test_help_lists_every_command_once_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(c for names in SECTIONS.values() for c in names) == sorted(main.commands)
    with pytest.raises(SystemExit):
        cli([])
    said = capsys.readouterr().err
    assert "..." not in said.split("Start:")[1]
    assert "acmodels new FOLDER" in " ".join(said.split())


def test_the_plan_is_json_safe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli(["new", str(tmp_path), "--quiet"])
    capsys.readouterr()
    cli(["power", str(tmp_path / "plan.toml"), "--replications", "20", "--json", "--quiet",
         "--out", str(tmp_path / "power")])  # fmt: skip
    assert json.loads(capsys.readouterr().out)

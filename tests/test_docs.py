"""The documentation builds without a warning, and every command in it works."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import click
import pytest

import acmodels as ac
from acmodels import estimands
from acmodels.cli import main
from acmodels.data.wide import ItemTable, TargetTable, WideTable
from acmodels.families import family_names
from acmodels.framework import files as framework_files
from acmodels.spec.design import LossTable, SizeTable, UnitTable
from acmodels.spec.distribution import KINDS
from acmodels.spec.formula import functions
from acmodels.spec.model import EquationTable, ModelTable, PanelTable
from acmodels.spec.plan import CriterionTable, PlanTable
from acmodels.spec.proposition import ClaimTable, PropositionTable, RegionTable
from acmodels.theory import claims

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
run_pages = import_module("run_pages")
SITE = ROOT / "docs" / "site"
PAGES = ("start.md", "how_to.md", "theory.md", "planning.md", "worlds.md")
"""Pages whose commands are run; `scripts/run_pages.py` runs those that show output."""


def commands(page: Path) -> list[list[str]]:
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for b in blocks for line in b.splitlines() if line.startswith("acmodels")]
    return [shlex.split(line, comments=True) for line in lines]


def scripts(page: Path) -> list[str]:
    """Blocks of Python that stand alone, as those that make data."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(import .*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(SITE), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {p.name for p in tmp_path.glob("*.html")}
    assert {"index.html", "framework.html", "models.html", "reference.html"} <= pages
    framework = (tmp_path / "framework.html").read_text(encoding="utf-8")
    assert all(f"P{k:02}" in framework for k in range(1, 97))
    assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css)"', framework)


def test_the_page_of_frameworks_shows_the_files_that_new_writes() -> None:
    """Tables of the files on the page are those of the folder, but for comments and aligning."""
    start = ROOT / "models" / "start" / "framework"
    written = [
        table
        for name in ("constructs.toml", "propositions.toml")
        for table in tomllib.loads((start / name).read_text(encoding="utf-8")).items()
    ] + tomllib.loads((start / "arrows.toml").read_text(encoding="utf-8"))["arrow"]
    text = (SITE / "theory.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for key, value in tomllib.loads(block).items():
            if key == "arrow":
                assert all(a in written for a in value)
            else:
                (full,) = (t for k, t in [w for w in written if isinstance(w, tuple)] if k == key)
                assert value.items() <= full.items()


def test_every_internal_link_leads_somewhere() -> None:
    for page in SITE.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_every_key_of_a_file_is_on_its_page() -> None:
    text = (SITE / "files.md").read_text(encoding="utf-8")
    tables = (
        ModelTable, EquationTable, PropositionTable, ClaimTable, RegionTable, PanelTable,
        PlanTable, CriterionTable, UnitTable, SizeTable, LossTable, WideTable, TargetTable,
        ItemTable, framework_files.UnitTable, framework_files.FrameworkTable,
        framework_files.ConstructTable, framework_files.ArrowTable,
        framework_files.PropositionTable,
    )  # fmt: skip
    keys = {f.alias or k for t in tables for k, f in t.model_fields.items()}
    kinds = set(estimands.kind_names())
    for kind in kinds:
        settings = import_module(f"acmodels.estimands.{kind}").Settings
        keys |= {f.alias or k for k, f in settings.model_fields.items()}
    names = keys | kinds | set(family_names()) | set(functions()) | set(KINDS)
    said = set(re.findall(r"[A-Za-z_]+", " ".join(re.findall(r"`[^`]*`|\[\w+[^]]*\]", text))))
    assert not names - said
    example = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0]
    assert ac.load_model(tomllib.loads(example)).propositions["H1"].rope == (-0.01, 0.01)


@pytest.mark.parametrize("kind", [*claims.kinds(), *claims.LATER])
def test_every_kind_of_claim_is_on_its_page(kind: str) -> None:
    text = (SITE / "theory.md").read_text(encoding="utf-8")
    assert f"`{kind}`" in text
    if kind in claims.kinds():
        (row,) = (line for line in text.splitlines() if line.startswith(f"| `{kind}` |"))
        own = {f.alias or k for k, f in claims.kind(kind).Keys.model_fields.items()}
        assert [k for k in own - {"level", "smallest"} if f"`{k}" not in row] == []


VERBS = (
    "calibrate", "comparisons", "estimate", "fit", "judge", "power", "predictions", "recover",
    "simulate", "slopes",
)  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_main_functions_have_an_example(verb: str) -> None:
    """That examples run is what `pytest src` shows."""
    assert ">>> " in (getattr(ac, verb).__doc__ or "")


def test_every_function_is_in_the_reference() -> None:
    text = (SITE / "reference.md").read_text(encoding="utf-8")
    verbs = [n for n in ac.__all__ if n[0].islower()]
    assert [n for n in verbs if f"autofunction:: acmodels.{n}\n" not in text] == []


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted(SITE.glob("*.md"))], ids=lambda p: p.stem
)
def test_every_command_has_its_options(page: Path) -> None:
    for _, name, *rest in commands(page):
        command = main.get_command(click.Context(main), name)
        assert command is not None, name
        command.make_context(name, list(rest))  # an unknown option or a lacking argument raises


def test_an_option_that_is_not_there_is_found() -> None:
    command = main.get_command(click.Context(main), "fit")
    assert command is not None
    with pytest.raises(click.UsageError):
        command.make_context("fit", ["m.toml", "d.csv", "--leave", "g"])


def test_links_of_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / "README.md").read_text("utf-8")):
        assert (ROOT / target).exists(), target


@pytest.mark.slow
@pytest.mark.parametrize("page", run_pages.PAGES)
def test_pages_show_what_their_blocks_print(page: str) -> None:
    assert run_pages.main(["--check", page]) == 0


def test_another_output_is_seen() -> None:
    """Numbers may differ a little between machines, words and the number of lines may not."""
    shown = "H1 supported 0.41\nTime: read 1 s.\n"
    assert run_pages.differs(shown, "H1 supported 0.42\nTime: read 9 s.\n") is None
    for other in (
        "H1 undecided 0.41\nTime: x\n",
        "H1 supported 0.61\nTime: x\n",
        "H1 supported 0.41\n",
    ):
        assert run_pages.differs(shown, other) is not None
    assert run_pages.cut("a\nb\nc\nd\n", "1\n...\n2\n") == "a\n...\nd\n"


@pytest.mark.slow
@pytest.mark.parametrize("page", ["../../README.md", *PAGES])
def test_every_command_works(page: str, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    found = commands(SITE / page)
    assert found
    for script in scripts(SITE / page):
        subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    for line in found:
        done = subprocess.run(
            line, cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stderr[-600:])

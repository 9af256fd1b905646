"""The documentation builds without a warning, and every command in it works."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs" / "site"
PAGES = ("start.md", "how_to.md")


def commands(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for b in blocks for line in b.splitlines() if line.startswith("acmodels")]


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(SITE), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {p.name for p in tmp_path.glob("*.html")}
    assert {"index.html", "framework.html", "models.html", "reference.html"} <= pages
    framework = (tmp_path / "framework.html").read_text(encoding="utf-8")
    assert all(f"P{k:02}" in framework for k in range(1, 97))
    assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css)"', framework)


def test_every_internal_link_leads_somewhere() -> None:
    for page in SITE.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_command_works(page: str, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    found = commands(SITE / page)
    assert found
    for line in found:
        done = subprocess.run(
            shlex.split(line), cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stderr[-600:])

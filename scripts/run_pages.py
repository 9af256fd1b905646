"""Run the blocks of a documentation page and put their real output below them.

    python scripts/run_pages.py [--check] [PAGE ...]

Blocks run in order, in a new folder that has `data`, the shipped synthetic studies. A `toml` block
whose first line is a comment with a file name is written to that file, `sh` blocks run in a shell,
and `python` blocks in one namespace. A `text` block that follows directly is replaced by the
output. Where it holds a line `...`, as many lines before and after are kept as there were. With
`--check` nothing is written, and a difference is an error: words must agree, and numbers nearly.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs" / "site"
PAGES = ("first_analysis.md", "testing.md", "likert.md", "python.md")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
VARIES = ("Time: ",)
"""Starts of lines that differ between runs."""
PROGRESS = re.compile(r"^.+ …$|^\w+: (collapsed|hmc|nuts), since|^\w+: \d+ of \d+ \(")
"""Lines that say how far a command is."""


@dataclass(frozen=True)
class Run:
    """A block that was run: where it begins, what the page shows below it, what came out."""

    at: int
    shown: str | None
    output: str


def run(page: Path, folder: Path) -> list[Run]:
    """Run the blocks of a page in a folder.

    Raises:
        RuntimeError: a command ended with an error.
    """
    names: dict[str, object] = {"__name__": "page"}
    found: list[Run] = []
    for block in FENCE.finditer(page.read_text(encoding="utf-8")):
        language, code, shown = block[1], block[2], block[3]
        if language == "toml":
            named = re.match(r"# ([\w/]+\.toml)\n", code)
            if named:
                (folder / named[1]).write_text(code, encoding="utf-8")
        elif language in ("sh", "python"):
            output = _shell(code, folder) if language == "sh" else _python(code, folder, names)
            found.append(Run(block.start(), shown, output))
    return found


def _shell(code: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603 - our own pages
        ["bash", "-e", "-c", code],  # noqa: S607
        cwd=folder, env={**os.environ, "PATH": path, "COLUMNS": "100"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{code}\n{done.stdout[-3000:]}")
    lines = done.stdout.replace(f"{folder}{os.sep}", "").splitlines()
    return "".join(f"{line}\n" for line in lines if not PROGRESS.match(line)).lstrip("\n")


def _python(code: str, folder: Path, names: dict[str, object]) -> str:
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        exec(compile(code, "page", "exec"), names)  # noqa: S102 - our own pages
    return said.getvalue()


def cut(output: str, shown: str) -> str:
    """Keep as many lines at both ends as a page shows around `...`."""
    lines, before = output.splitlines(), shown.splitlines()
    if "..." not in before:
        return output
    at = before.index("...")
    tail = len(before) - at - 1
    kept = [*lines[:at], "...", *(lines[-tail:] if tail else [])]
    return "".join(f"{line}\n" for line in kept)


def differs(shown: str, output: str) -> str | None:
    """Return the first line that is not as the page shows it; numbers may differ a little."""
    a, b = shown.splitlines(), output.splitlines()
    for one, other in zip(a, b, strict=False):
        if one.startswith(VARIES):
            continue
        words = [" ".join(NUMBER.sub("#", x).split()) for x in (one, other)]
        pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=False)
        if words[0] != words[1] or not all(_near(float(x), float(y)) for x, y in pairs):
            return f"the page shows {one!r}, the run gave {other!r}"
    return None if len(a) == len(b) else f"the page shows {len(a)} lines, the run gave {len(b)}"


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= 0.03 + 0.1 * max(abs(a), abs(b))


def main(arguments: list[str]) -> int:
    """Run pages; return how many differ."""
    check = "--check" in arguments
    wanted = [a for a in arguments if a != "--check"] or PAGES
    wrong = 0
    for name in wanted:
        page = SITE / name
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place).resolve()
            (folder / "data").symlink_to(ROOT / "data")
            done = run(page, folder)
        text = page.read_text(encoding="utf-8")
        shown = [r for r in done if r.shown is not None]
        for r in reversed(shown):
            new = cut(r.output, r.shown or "")
            said = differs(r.shown or "", new)
            if check and said:
                wrong += 1
                print(f"{name}: {said}")
            block = FENCE.match(text, r.at)
            if not check and block is not None:
                text = text[: block.start(3)] + new + text[block.end(3) :]
        if not check:
            page.write_text(text, encoding="utf-8")
        print(f"{name}: {len(done)} blocks run, {len(shown)} with output")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))

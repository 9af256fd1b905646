"""The house itself: what an import costs, what is public, what no file may hold.

Which room may import which is import-linter's to say (`make lint`).
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import acmodels

ROOT = Path(__file__).parents[1]

HEAVY = (
    "arviz",
    "arviz_base",
    "arviz_plots",
    "arviz_stats",
    "matplotlib",
    "numba",
    "nutpie",
    "pandas",
    "pydantic",
    "pymc",
    "pytensor",
    "scipy",
    "statsmodels",
    "xarray",
)

PUBLIC = [
    "AcmodelsError",
    "InputError",
    "assess",
    "bayes_factor",
    "bottlenecks",
    "calibrate",
    "comparisons",
    "confounding",
    "estimate",
    "export",
    "fit",
    "icc",
    "influence",
    "judge",
    "load_design",
    "load_fit",
    "load_model",
    "load_plan",
    "load_study",
    "maximum_likelihood",
    "parts",
    "plot_predictions",
    "power",
    "predictions",
    "proposition",
    "propositions",
    "r2",
    "recover",
    "report",
    "scales",
    "simulate",
    "slopes",
    "standardized",
    "study",
    "world",
]


# --- what an import costs ----------------------------------------------------


def heavy_after(code: str) -> list[str]:
    """Run `code` in a fresh interpreter and name the heavy packages it imported."""
    listing = f"import sys\n{code}\nprint(*(m for m in {HEAVY} if m in sys.modules), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line in HEAVY]


def test_the_probe_sees_a_heavy_import() -> None:
    assert "pydantic" in heavy_after("import pydantic")


def test_importing_acmodels_is_light() -> None:
    assert heavy_after("import acmodels") == []


def test_asking_for_help_is_light() -> None:
    ask = "import acmodels.cli as c\ntry:\n    c.run(['--help'])\nexcept SystemExit as e:\n"
    assert heavy_after(ask + "    assert not e.code, e.code") == []


def test_what_engines_say_of_themselves_is_light() -> None:
    ask = "from acmodels import engines\nfor n in engines.engine_names(): engines.engine(n).unfit"
    assert set(heavy_after(ask)).isdisjoint({"numba", "nutpie", "pymc", "pytensor"})


def test_nobody_asks_for_an_engine_by_its_name() -> None:
    from acmodels.engines import engine_names

    names = set(engine_names())
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "src/acmodels").rglob("*.py"))
        if "engines" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert not found, found


# --- what is public ----------------------------------------------------------


def test_public_names() -> None:
    assert sorted(acmodels.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(acmodels, name) is not None


# --- what no file may hold ---------------------------------------------------

# A folder of one machine, from the root down; the tail of a longer path or address is not one.
HOME = re.compile(r"(?<![\w.~*})\]-])/(?:" + "|".join(("home", "root", "Users", "work")) + r")/")


def texts() -> Iterator[tuple[Path, str]]:
    """Yield every text file a person would read."""
    folders = ("src", "tests", "models", "analyses", "scripts", "docs", "benchmarks", ".ci")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*"))]
    files += [*sorted(ROOT.glob("*.md")), ROOT / "pyproject.toml", ROOT / "uv.lock"]
    files += [ROOT / "Makefile", ROOT / "CITATION.cff"]
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_no_file_names_a_folder_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if HOME.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("home", ["home", "root", "Users", "work"])
def test_a_home_path_is_seen(home: str) -> None:
    assert HOME.search(f'path = "/{home}/someone"')
    assert not HOME.search(f"https://example.org/{home}/page")


UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml"}
UNSAFE_ATTRIBUTES = {"read_pickle", "to_pickle"}


def unsafe(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of whatever would run, or unpack, what a stranger wrote."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in UNSAFE_CALLS:
                yield node.lineno, name
            case ast.Call(func=ast.Attribute(value=ast.Name(id="builtins"), attr=name)):
                yield node.lineno, f"builtins.{name}"
            case ast.Attribute(attr=name) if name in UNSAFE_ATTRIBUTES:
                yield node.lineno, name
            case ast.Import(names=names):
                for alias in names:
                    if alias.name.partition(".")[0] in UNSAFE_MODULES:
                        yield node.lineno, alias.name
            case ast.ImportFrom(module=str(module), level=0):
                if module.partition(".")[0] in UNSAFE_MODULES:
                    yield node.lineno, module
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                yield node.lineno, "allow_pickle=True"
            case _:
                pass


def test_nothing_runs_or_unpacks_what_a_stranger_wrote() -> None:
    sources = sorted((ROOT / "src").rglob("*.py"))
    assert sources
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources
        for line, name in unsafe(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "eval('1')",
        "exec('x = 1')",
        "import pickle",
        "from pickle import loads",
        "import yaml; yaml.load(text)",
        "pd.read_pickle(path)",
        "np.load(path, allow_pickle=True)",
    ],
)
def test_unsafe_code_is_seen(code: str) -> None:
    assert list(unsafe(ast.parse(code)))


@pytest.mark.parametrize("code", ["re.compile('a')", "x.eval()", "np.load(path)", "import tomllib"])
def test_safe_code_is_not(code: str) -> None:
    assert not list(unsafe(ast.parse(code)))


SOURCE = ROOT / "src/acmodels"
STRAY = re.compile(
    r'f"(?:sigma|simo|nu|phi|zi)\(\{'
    r'|f"(?:sd|cor)\(\{[^}]*\}(?: ~|, |\)? \|)'
    r'|f"\{[^}]*\} ~ (?:1|\{)'
    r"|\} \| t\{"
)
"""Code that spells the name of a parameter."""
DISTRIBUTIONS = "simulation/assumptions.py"
"""Writes `x ~ Normal(0, 1)`, which is no parameter."""


def test_parameter_names_are_made_in_one_file() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{n}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.relative_to(SOURCE).as_posix() not in ("spec/parameters.py", DISTRIBUTIONS)
        for n, line in enumerate(path.read_text().splitlines(), 1)
        if STRAY.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        'x = f"sigma({e.response})"', 'x = f"sd({m} ~ 1 | {g})"', 'x = f"cor({a}, {b})"',
        'x = f"{e.response} ~ {c.name}"', 'x = f"{y} | t{k}"', 'x = f"{r} ~ 1"',
    ],
)  # fmt: skip
def test_a_name_spelled_elsewhere_is_seen(line: str) -> None:
    assert STRAY.search(line)

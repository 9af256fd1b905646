"""What commands share: options, and printing that is safe for a terminal."""

import shlex
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from acmodels.errors import InputError, did_you_mean, printable

type Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def options_of(*names: str) -> Decorator:
    """Add common options by name, in the order given."""
    made = {
        "out": click.option(
            "--out", type=click.Path(path_type=Path), help="Folder for the results."
        ),
        "seed": click.option("--seed", type=int, default=1, show_default=True),
        "engine": click.option(
            "--engine", default="auto", show_default=True, help="auto, collapsed, hmc or nuts."
        ),
        "draws": click.option("--draws", type=int, default=1000, show_default=True),
        "chains": click.option("--chains", type=int, default=4, show_default=True),
        "interval": click.option(
            "--interval", default="eti", show_default=True, help="eti (equal-tailed) or hdi."
        ),
        "prob": click.option("--prob", type=float, default=0.95, show_default=True),
        "workers": click.option(
            "--workers", type=int, help="Number of cores; results do not depend on it."
        ),
        "quiet": click.option("--quiet", is_flag=True, help="Print errors only."),
        "columns": click.option(
            "--columns",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A TOML file with names for the columns of DATA and how to read them.",
        ),
        "json": click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    }

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(names):
            command = made[name](command)
        return command

    return add


def shipped(_: click.Context, __: click.Parameter, incomplete: str) -> list[Any]:
    """Names of shipped models, and files, that begin as what was typed."""
    from click.shell_completion import CompletionItem

    from acmodels.load import shipped_models

    names = [CompletionItem(n) for n in shipped_models() if n.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


def plans(_: click.Context, __: click.Parameter, incomplete: str) -> list[Any]:
    """Names of shipped plans, and files, that begin as what was typed."""
    return _offered([n for n in _designs() if n.startswith("plan_")], incomplete)


def designs(_: click.Context, __: click.Parameter, incomplete: str) -> list[Any]:
    """Names of shipped designs, and files, that begin as what was typed."""
    return _offered(_designs(), incomplete)


def simulated(_: click.Context, __: click.Parameter, incomplete: str) -> list[Any]:
    """Names of shipped designs and scenarios, and files, that begin as what was typed."""
    from acmodels.worlds.scenario import scenarios

    return _offered(sorted({*_designs(), *scenarios()}), incomplete)


def _designs() -> list[str]:
    from acmodels.load import models_folder

    return sorted(p.stem for p in (models_folder() / "designs").glob("*.toml"))


def _offered(known: list[str], incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    names = [CompletionItem(n) for n in known if n.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


FITTING = (
    "out", "seed", "engine", "draws", "chains", "interval", "prob", "workers", "quiet", "json",
)  # fmt: skip


def check_grouping(study: Any, column: str) -> None:
    """Refuse a grouping that no table of a study has, before anything is fitted."""
    known = [c for t in (study, *study.tables.values()) for c in t.names]
    if column not in known:
        hint = did_you_mean(column, known)
        raise InputError(f"--leave-out: {study.name}: no column '{column}'{hint}")


def finish(fitted: Any) -> None:
    """End with exit code 3 where a posterior cannot be used."""
    if not fitted.diagnostics.usable:
        raise SystemExit(3)


def workers_of(workers: int | None) -> int | None:
    """The number of workers as given, checked."""
    if workers is not None and workers < 1:
        raise click.UsageError("--workers must be a whole number of at least 1")
    return workers


def sayer(options: dict[str, Any]) -> Callable[[str], None]:
    """A function that prints to standard error unless told to be quiet."""

    def say(text: str) -> None:
        if not options.get("quiet"):
            echo(text, err=True)

    return say


def echo(line: str = "", *, err: bool = False) -> None:
    """Print one line, names and labels in it made safe for a terminal."""
    click.echo(printable(line), err=err)


def program() -> str:
    """This program as a person here would call it."""
    called = Path(sys.argv[0])
    if called.stem == "__main__":
        return f"{shlex.quote(sys.executable)} -m acmodels"
    on_path = shutil.which("acmodels")
    same = on_path is not None and Path(on_path).resolve() == called.resolve()
    if called.stem != "acmodels" or same or not called.is_file():
        return "acmodels"
    return shlex.quote(str(called))


def command_line() -> list[str]:
    """The command line as it was given."""
    return ["acmodels", *sys.argv[1:]]


def records(table: Any) -> list[dict[str, Any]]:
    """Rows of a table for JSON, NaN as null."""
    return [
        {k: (None if isinstance(v, float) and v != v else v) for k, v in row.items()}  # noqa: PLR0124
        for row in table.to_dict("records")
    ]


def echo_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    click.echo(text.encode("utf-8", "backslashreplace"))  # half a surrogate pair, in a path


def fail(lines: Iterable[str], code: int = 2) -> None:
    """Print lines to standard error and end the process."""
    for line in lines:
        if line:
            echo(line, err=True)
    raise SystemExit(code)

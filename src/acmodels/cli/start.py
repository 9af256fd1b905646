"""Commands to start with."""

import os
from pathlib import Path
from typing import Any

import click

from acmodels.cli.common import echo, options_of, program, workers_of
from acmodels.cli.group import main


@main.command(name="compile")
@options_of("quiet")
def compile_(**options: Any) -> None:
    """Compile the samplers now, once for this machine; otherwise the first fit does."""
    from acmodels.inference.ahead import compile_ahead

    compile_ahead((lambda _: None) if options["quiet"] else echo)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--framework", "theory", is_flag=True, help="Write a commented framework instead.")
@options_of("seed", "quiet")
def new(folder: Path, *, theory: bool, **options: Any) -> None:
    """Write a commented model, a commented plan and synthetic data to FOLDER, to start from."""
    from acmodels.cli.framework_start import start_framework
    from acmodels.cli.starting import start

    if theory:
        files = start_framework(folder)
        if not options["quiet"]:
            for path in files:
                echo(f"Written: {path}")
            own = program()
            echo("Next:")
            echo(f"  {own} framework {folder}")
            echo(f"  {own} test DATA --framework {folder}")
        return
    written = start(folder, options["seed"])
    if options["quiet"]:
        return
    for path in written:
        echo(f"Written: {path}")
    model, plan, data = written
    own = program()
    echo("Next:")
    echo(f"  {own} check {data} {model}")
    echo(f"  {own} fit {model} {data}")
    echo(f"  {own} power {plan}")


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options and names of models.

    For bash, add to ~/.bashrc: eval "$(acmodels completion bash)"
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None  # noqa: S101
    click.echo(made(main, {}, "acmodels", "_ACMODELS_COMPLETE").source())


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 for any free port.")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@options_of("workers", "quiet")
def planner(port: int, *, no_browser: bool, **options: Any) -> None:
    """Plan a study in a browser, on this machine."""
    from acmodels.planner.app import serve

    def opened(address: str) -> None:
        echo(f"Planner: {address} (Ctrl-C ends it)")
        if not no_browser:
            click.launch(address)

    serve(port, workers_of(options["workers"]) or os.cpu_count() or 1, opened)

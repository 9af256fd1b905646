"""Commands that simulate and refit many times."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from acmodels.cli.common import (
    command_line,
    designs,
    echo,
    echo_json,
    options_of,
    plans,
    records,
    shipped,
    workers_of,
)
from acmodels.cli.group import main
from acmodels.numbers import decimal, table_text

_RUNNING = ("out", "seed", "engine")


def _run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the commands that refit many times."""
    for made in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--quiet", is_flag=True, help="Print errors only."),
        click.option("--workers", type=int, help="Number of cores; results do not depend on it."),
        click.option(
            "--chains", type=int, help="Chains of each fit. Default: 4 with hmc and nuts."
        ),
        click.option(
            "--draws",
            type=int,
            help="Draws of each chain. Default: 150 with hmc, 500 with nuts, and more where "
            "these are too few.",
        ),
        click.option(
            "--replications",
            "--n",
            type=int,
            help="Number of simulated studies. Default: the file's.",
        ),
        click.option("--slurm", type=int, metavar="JOBS", help="Run on so many SLURM jobs."),
        click.option("--scheduler", metavar="ADDRESS", help="Run on a Dask cluster."),
    ):
        command = made(command)
    return options_of(*_RUNNING)(command)


@main.command()
@click.argument("design", shell_complete=designs)
@_run_options
@options_of("interval", "prob")
def recover(design: str, **options: Any) -> None:
    """Simulate DESIGN and refit its model, many times: bias, coverage, interval width."""
    from acmodels.load import load_design
    from acmodels.replication.recovery import recover as go

    loaded = load_design(design)
    if options["interval"] not in ("eti", "hdi"):
        raise click.UsageError(f"--interval must be eti or hdi, not {options['interval']!r}")

    def run(out: Path, progress: Any, executor: Any) -> Any:
        return go(
            loaded, **_shared(options), interval=options["interval"], prob=options["prob"],
            out=out, progress=progress, executor=executor,
        )  # fmt: skip

    _warn_if_slow([loaded], loaded.replications, options)
    _run("recover", (loaded.path,), options, run, "recovery.csv", _slow(loaded))


@main.command()
@click.argument("model", shell_complete=shipped)
@click.argument("design", required=False, shell_complete=designs)
@_run_options
def calibrate(model: str, design: str | None, **options: Any) -> None:
    """Check MODEL by simulation-based calibration (SBC), on data of DESIGN."""
    from acmodels.load import design_of, load_design, load_model
    from acmodels.replication.calibration import calibrate as go
    from acmodels.spec.design import with_model

    loaded = load_model(model)
    plan = design_of(loaded) if design is None else with_model(load_design(design), loaded)

    def run(out: Path, progress: Any, executor: Any) -> Any:
        return go(plan, **_shared(options), out=out, progress=progress, executor=executor)

    _warn_if_slow([plan], plan.replications, options)
    _run("calibrate", (loaded.path, plan.path), options, run, "calibration.csv", _slow(plan))


@main.command()
@click.argument("plan", shell_complete=plans)
@_run_options
@click.option(
    "--mcse",
    type=float,
    help="Stop simulating a design once its Monte Carlo standard error is below this.",
)
@click.option("--confirm", is_flag=True, help="Simulate the design chosen again, with fresh seeds.")
def power(plan: str, **options: Any) -> None:
    """Estimate power over PLAN's grid, and find the cheapest design that reaches the target."""
    from acmodels.load import load_plan
    from acmodels.replication.power import power as go

    loaded = load_plan(plan)
    if options["mcse"] is not None and not options["mcse"] > 0:
        raise click.UsageError("--mcse must be above 0")

    def run(out: Path, progress: Any, executor: Any) -> Any:
        return go(
            loaded, **_shared(options), mcse=options["mcse"], confirm=options["confirm"], out=out,
            progress=progress, executor=executor,
        )  # fmt: skip

    _warn_if_slow([c.design for c in loaded.cells], loaded.replications, options)
    slow = next((s for c in loaded.cells if (s := _slow(c.design))), "")
    _run("power", (loaded.path,), options, run, "power.csv", slow)


def _slow(design: Any) -> str:
    """Return what makes a run slow that could be fast, and how it would be fast."""
    model = design.model
    read = {v for e in model.equations.values() for v in e.formula.variables()}
    from acmodels.simulation import losable

    lacking = [c for c in losable(design) if c in read and design.loss.share(c) > 0]
    if not lacking or model.missing != "model":
        return ""
    return (
        f"The simulated studies have missing values of {', '.join(lacking)}, which each fit models "
        "by NUTS: about a minute to compile, then seconds for each fit. Faster: missing = "
        f'"drop" at the top of {model.source} uses complete rows only. Missing outcomes alone do '
        "not slow a fit."
    )


def _warn_if_slow(designs: list[Any], replications: int, options: dict[str, Any]) -> None:
    """Say what will be slow, and what would be faster, before anything runs."""
    if options["quiet"]:
        return
    from acmodels.replication import Cell
    from acmodels.replication.slow import forecast

    number = options["replications"] or replications
    cells = [Cell(d) for d in designs]
    for line in forecast(cells, number, options["engine"], options["seed"]):
        echo(line, err=True)


def _shared(options: dict[str, Any]) -> dict[str, Any]:
    import os

    from acmodels.rng import check_seed

    workers = workers_of(options["workers"])
    every = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return {
        "seed": check_seed(options["seed"]),
        "engine": options["engine"],
        "draws": options["draws"],
        "chains": options["chains"],
        "replications": options["replications"],
        "workers": workers or every,
    }


def _run(
    command: str,
    inputs: Iterable[Path | None],
    options: dict[str, Any],
    run: Callable[[Path, Any, Any], Any],
    name: str,
    slow: str = "",
) -> None:
    """Run, write and print; an interrupted run says how to go on. `slow` is said at the start."""
    from acmodels.folder import run_folder
    from acmodels.progress import Reporter
    from acmodels.replication.cluster import cluster
    from acmodels.replication.store import FILE
    from acmodels.reporting.results import run_json, write_table
    from acmodels.reporting.run_page import power_figure, run_report

    out: Path = options["out"] or Path(command)
    shared = _shared(options)
    run_folder(out, FILE, inputs)
    progress = Reporter(quiet=options["quiet"])
    if slow and not options["quiet"]:
        echo(slow, err=True)
    try:
        with cluster(options["scheduler"], options["slurm"]) as executor:
            found = run(out, progress, executor)
    except KeyboardInterrupt:
        progress.close()
        if not options["quiet"]:
            echo(
                f"stopped; finished fits are kept in {out}: the same command continues the run",
                err=True,
            )
        raise
    progress.close()
    write_table(found.table, out / name)
    if command == "power":
        write_table(found.errors, out / "errors.csv")
        power_figure(found, out / "power.svg")
        if found.confirmed is not None:
            write_table(found.confirmed, out / "confirmed.csv")
    run_report(found, out / "report.html")
    run_json(found, out, command_line(), shared["seed"])
    _print_run(command, found, out, options)
    if not found.trusted or (command == "calibrate" and not found.uniform):
        raise SystemExit(3)


def _print_run(command: str, found: Any, out: Path, options: dict[str, Any]) -> None:
    total = sum(len(o.reasons) for o in found.result.outcomes)
    failed = sum(1 for o in found.result.outcomes for why in o.reasons if why)
    told = found.result.ready[0].assumptions
    if options["as_json"]:
        table: dict[str, Any] = {
            "out": str(out),
            "table": records(found.table),
            "fits": total,
            "failed": failed,
            "trusted": found.trusted,
            "assumed": dict(told.assumed),
            "assumed_predictors": list(told.unstated),
        }
        if command == "power":
            table |= {"answers": list(found.answers), "errors": records(found.errors)}
        if command == "recover":
            table |= {"notes": list(found.notes)}
        if command == "calibrate":
            table |= {"p_model": found.p_model, "uniform": found.uniform}
        echo_json(table)
        return
    if not options["quiet"]:
        for line in table_text(found.table).splitlines():
            echo(line)
        echo()
        more = (*getattr(found, "answers", ()), *getattr(found, "notes", ()))
        for line in (*told.lines, *more):
            echo(line)
        if command == "calibrate":
            echo(found.verdict)
        rate = found.result.fitted / found.result.seconds if found.result.seconds else 0.0
        echo(
            f"{total} fits, {failed} failed; {found.result.fitted} fitted now, "
            f"{decimal(rate, 0 if rate >= 10 else 2)} a second."
        )
        echo(f"Report: {out / 'report.html'}")
    if not found.trusted:
        echo(
            f"No power is reported: {failed} of {total} fits failed, more than 5 % for some "
            "design.",
            err=True,
        )

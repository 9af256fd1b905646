"""Commands about data."""

from pathlib import Path
from typing import Any

import click

from acmodels.cli.common import (
    command_line,
    echo,
    echo_json,
    fail,
    options_of,
    records,
    shipped,
    simulated,
)
from acmodels.cli.group import main
from acmodels.errors import DataError
from acmodels.numbers import table_text


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("model", required=False, shell_complete=shipped)
@options_of("columns", "quiet", "json")
def check(data: Path, model: str | None, **options: Any) -> None:
    """Describe DATA and check them, for MODEL if it is given."""
    from acmodels.data import read_study
    from acmodels.reporting.describe import describe_model, describe_study, refused

    try:
        study = read_study(data, options["columns"])
        if model is None:
            described = describe_study(study)
        else:
            from acmodels.inference.fitting import rehearse
            from acmodels.load import load_model

            described = describe_model(rehearse(load_model(model), study))
    except DataError as error:
        if options["as_json"]:
            echo_json(refused(str(data), error.problems, error.findings))
        raise
    _print_description(described, options)
    wrong = [f["message"] for f in described.table["findings"] if f["severity"] == "error"]
    if wrong:
        fail(wrong)


def _print_description(description: Any, options: dict[str, Any]) -> None:
    if options["as_json"]:
        echo_json(description.table)
        return
    if options["quiet"]:
        return
    for line in description.lines:
        echo(line)


@main.command()
@click.argument("design", shell_complete=simulated)
@click.option("--n", "number", type=int, default=1, show_default=True, help="Number of studies.")
@options_of("out", "seed", "quiet", "json")
def simulate(design: str, number: int, **options: Any) -> None:
    """Draw synthetic data with known truth from DESIGN, or a whole study from a scenario."""
    from acmodels.folder import result_folder
    from acmodels.worlds.scenario import is_scenario

    if is_scenario(design):
        _simulate_world(design, number, options)
        return
    from acmodels.load import load_design
    from acmodels.progress import Reporter
    from acmodels.reporting.results import mark, write_simulation
    from acmodels.simulation import simulate as draw

    if number < 1:
        raise click.UsageError("--n must be a whole number of at least 1")
    loaded = load_design(design)
    out = options["out"] or Path("simulate")
    progress = Reporter(quiet=options["quiet"] or number == 1)
    said = None
    with result_folder(out, (loaded.path,)) as folder:
        rows = 0
        for k in range(number):
            made = draw(loaded, options["seed"], k)
            said = made.assumptions
            rows += made.study.n_rows
            place = folder if number == 1 else folder / f"{k + 1:0{len(str(number))}d}"
            place.mkdir(exist_ok=True)
            write_simulation(made, loaded, place, seed=options["seed"], replicate=k)
            progress("simulating", k + 1, number)
        mark(
            folder,
            command_line(),
            seed=options["seed"],
            studies=number,
            design={"file": loaded.source, "sha256": loaded.sha256},
        )
    if options["as_json"]:
        told = {} if said is None else {
            "assumed": dict(said.assumed), "assumed_predictors": list(said.unstated)
        }  # fmt: skip
        echo_json({"out": str(out), "studies": number, "rows": rows, **told})
    elif not options["quiet"]:
        studies = "1 study" if number == 1 else f"{number} studies"
        echo(f"Written: {out} ({studies}, {rows} rows in all; the truth is in truth.json)")
        for line in () if said is None else said.lines:
            echo(line)


def _simulate_world(source: str, number: int, options: dict[str, Any]) -> None:
    from acmodels.folder import result_folder
    from acmodels.progress import Reporter
    from acmodels.reporting.results import mark, write_world
    from acmodels.worlds import scenario, world

    if number < 1:
        raise click.UsageError("--n must be a whole number of at least 1")
    loaded = scenario(source)
    out = options["out"] or Path("simulate")
    progress = Reporter(quiet=options["quiet"] or number == 1)
    answers = 0
    with result_folder(out, (loaded.path,)) as folder:
        for k in range(number):
            made = world(loaded, options["seed"] + k)
            answers += made.study.tables["responses"].n_rows
            place = folder if number == 1 else folder / f"{k + 1:0{len(str(number))}d}"
            write_world(made, place)
            progress("simulating", k + 1, number)
        mark(
            folder,
            command_line(),
            seed=options["seed"],
            studies=number,
            scenario=loaded.source,
        )
    if options["as_json"]:
        echo_json({"out": str(out), "studies": number, "answers": answers})
    elif not options["quiet"]:
        studies = "1 study" if number == 1 else f"{number} studies"
        title = loaded.title.lower() or loaded.name
        echo(
            f"Written: {out} ({studies} of {title}, {answers} answers in all; the truth is in "
            "truth.json)"
        )


@main.command()
@options_of("json")
def worlds(**options: Any) -> None:
    """List the scenarios that `simulate` can make a study of, and the arrows in them."""
    from acmodels.worlds import scenario, scenarios, variables

    arrows = [
        {"name": a.name, "size": a.size, "source": a.source}
        for v in variables().values()
        for a in v.arrows
    ]
    if options["as_json"]:
        echo_json({"scenarios": list(scenarios()), "arrows": arrows})
        return
    for name in scenarios():
        if not name.startswith("contrary_"):
            echo(f"{name:<20} {scenario(name).title}")
    contrary = [s.removeprefix("contrary_") for s in scenarios() if s.startswith("contrary_")]
    echo(f"{'contrary_ID':<20} The contrary of a proposition: {', '.join(contrary)}")
    echo()
    for a in arrows:
        echo(f"{a['name']:<58} {a['size']:>6g}  {a['source']}")


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--format", "form", default="csv", show_default=True, help="csv, parquet or sav.")
@options_of("columns", "out", "quiet", "json")
def export(data: Path, form: str, **options: Any) -> None:
    """Write DATA as a folder of tables with labels, missing codes and a codebook."""
    from acmodels.data import read_study
    from acmodels.data.writing import export as write
    from acmodels.folder import result_folder
    from acmodels.reporting.results import mark

    study = read_study(data, options["columns"])
    out: Path = options["out"] or Path("export")
    with result_folder(out, (study.path,)) as folder:
        write(study, folder, form)
        mark(
            folder,
            command_line(),
            data=dict(study.sha256),
        )
    if options["as_json"]:
        echo_json({"out": str(out), "tables": list(study.tables) or ["data"]})
    elif not options["quiet"]:
        echo(f"{len(study.tables) or 1} tables as {form}, and codebook.md: {out}")


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@options_of("columns", "out", "quiet", "json")
def scales(data: Path, **options: Any) -> None:
    """Describe the items of DATA: reliability, and agreement of raters."""
    from acmodels.data import read_study
    from acmodels.data.scales import scales as describe
    from acmodels.folder import result_folder
    from acmodels.reporting.results import mark, write_table
    from acmodels.reporting.scale_page import scale_report

    study = read_study(data, options["columns"])
    found = describe(study)
    out: Path = options["out"] or Path("scales")
    with result_folder(out, (study.path,)) as folder:
        write_table(found.table, folder / "scales.csv")
        write_table(found.items, folder / "items.csv")
        scale_report(found, folder / "report.html", study.name.partition("/")[0])
        mark(
            folder,
            command_line(),
            data=dict(study.sha256),
        )
    if options["as_json"]:
        echo_json({"out": str(out), "scales": records(found.table)})
    elif not options["quiet"]:
        for line in table_text(found.table).splitlines():
            echo(line)
        for finding in found.findings:
            echo(f"{finding.severity}: {finding.message}")
        echo(f"Report: {out / 'report.html'}")

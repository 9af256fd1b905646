"""Commands about the framework's propositions."""

from pathlib import Path
from typing import Any

import click

from acmodels.cli.common import (
    FITTING,
    check_grouping,
    command_line,
    designs,
    echo,
    echo_json,
    options_of,
    records,
    sayer,
    shipped,
    workers_of,
)
from acmodels.cli.group import main
from acmodels.cli.telling import interval_of


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--propositions", "only", help="Ids with commas between them, as P01,P41; all if left out."
)
@click.option(
    "--rivals", "with_rivals", is_flag=True, help="Compare accounts that cannot both hold too."
)
@click.option(
    "--family-wise",
    is_flag=True,
    help="Ask more of each proposition the more are tested, so that any false support is rare.",
)
@click.option(
    "--leave-out",
    metavar="G",
    help="Say whether verdicts hold without each unit of grouping G, as district.",
)
@click.option(
    "--missing",
    type=click.Choice(["model", "drop"]),
    help="Model missing values, or drop their rows (faster). Default: what each model says.",
)
@options_of("columns", *FITTING)
def test(
    data: Path,
    only: str | None,
    leave_out: str | None,
    *,
    with_rivals: bool,
    family_wise: bool,
    missing: Any,
    **options: Any,
) -> None:
    """Say of each proposition of the framework what DATA say."""
    from acmodels.data import read_study
    from acmodels.errors import InputError
    from acmodels.folder import result_folder
    from acmodels.progress import Reporter
    from acmodels.reporting import report
    from acmodels.reporting.assessment_page import assessment_report
    from acmodels.reporting.results import mark, write_fit, write_table
    from acmodels.robustness.leave_out import Influence, influence
    from acmodels.theory.assessment import assess, forecast

    study = read_study(data, options["columns"])
    out: Path = options["out"] or Path("test")
    wanted = None if only is None else [p.strip().upper() for p in only.split(",") if p.strip()]
    if wanted is not None and not wanted:
        raise click.UsageError("--propositions: name at least one, as P01,P41")
    if leave_out is not None:
        check_grouping(study, leave_out)
    say, command = sayer(options), command_line()
    how: Any = {"engine": options["engine"], "missing": missing}
    without: dict[str, Influence] = {}
    with result_folder(out, (study.path,)) as folder:
        progress = Reporter(quiet=options["quiet"])
        for line in () if options["quiet"] else forecast(study, wanted, **how):
            say(line)

        def done(name: str, fitted: Any) -> None:
            place = folder / name
            place.mkdir()
            report(fitted, place / "report.html")
            write_fit(fitted, place, command)
            if leave_out is not None:
                try:
                    without[name] = influence(fitted, study, leave_out, progress=progress)
                    write_table(without[name].table, place / "influence.csv")
                except InputError as error:  # rows of another kind; the verdicts stand
                    say(f"{name}: nothing was left out: {error}")
            say(f"{name}: {fitted.engine_note}")

        found = assess(
            study, wanted, **how, seed=options["seed"], draws=options["draws"],
            chains=options["chains"], cores=workers_of(options["workers"]),
            interval=options["interval"], prob=options["prob"], progress=progress, done=done,
            family_wise=family_wise,
        )  # fmt: skip
        pairs: Any = ()
        if with_rivals:
            from acmodels.theory.rivals import rivals as compare
            from acmodels.theory.rivals import rivals_table

            pairs = compare(study, seed=options["seed"], progress=progress)
            write_table(rivals_table(pairs), folder / "rivals.csv")
        progress.close()
        write_table(found.verdicts, folder / "verdicts.csv")
        name = (study.path or Path(study.name)).name
        assessment_report(found, folder / "report.html", name, pairs, without)
        mark(
            folder,
            command,
            seed=options["seed"],
            models={k: f.draws.engine for k, f in found.fits.items()},
            refused={k: list(v) for k, v in found.refused.items()},
            expected_false_supports=found.expected_false,
            data=dict(study.sha256),
        )
    _print_assessment(found, out, options)
    if not found.usable:
        raise SystemExit(3)


def _print_assessment(found: Any, out: Path, options: dict[str, Any]) -> None:
    if options["as_json"]:
        echo_json({"out": str(out), "verdicts": records(found.verdicts)})
        return
    if options["quiet"]:
        return
    rows = found.verdicts.to_dict("records")
    tested = [r for r in rows if r["status"] != "not_testable"]
    width = max([0, *(len(interval_of(r)) for r in tested)])
    for r in tested:
        echo(f"{r['proposition']:<6} {r['status']:<12} {interval_of(r):<{width}}  {r['model']}")
    lost: dict[str, list[str]] = {}
    for p, why in found.lacking.items():
        lost.setdefault(why, []).append(p)
    for why, ids in sorted(lost.items(), key=lambda found: len(found[1]) > 12):
        named = ", ".join(ids) if len(ids) <= 12 else f"{len(ids)} others"
        echo(f"{named}: {why}")
    if found.needed:
        echo("The report says how large a study each of these needs.")
    echo(f"Report: {out / 'report.html'}")


@main.command()
@click.argument("model", shell_complete=shipped)
@click.argument("design", required=False, shell_complete=designs)
@click.option(
    "--power", "power_run", type=click.Path(path_type=Path), help="Folder of a power run."
)
@click.option("--out", type=click.Path(path_type=Path), help="A Markdown file; else it is printed.")
def preregister(model: str, design: str | None, power_run: Path | None, out: Path | None) -> None:
    """Write down MODEL's hypotheses, rules and priors before data are seen."""
    from acmodels.errors import InputError
    from acmodels.folder import unwritable
    from acmodels.load import design_of, load_design, load_model
    from acmodels.reporting.preregistration import preregistration

    loaded = load_model(model)
    if design is not None:
        planned = load_design(design)
    else:
        planned = design_of(loaded) if loaded.design is not None else None
    table = None
    if power_run is not None:
        import pandas as pd

        file = power_run / "power.csv"
        if not file.is_file():
            raise InputError(f"{file}: no such file; --power names the folder of `acmodels power`")
        table = pd.read_csv(file)
    text = preregistration(loaded, planned, table)
    if out is None:
        click.echo(text)
        return
    if out.exists():  # what was registered before stays as it was
        raise InputError(f"{out}: is there already and was not touched; name another --out")
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(out, error) from None
    echo(f"Preregistration: {out}")


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--only", help="Names of pairs with commas between them; all if left out.")
@options_of("columns", "out", "seed", "quiet", "json")
def rivals(data: Path, only: str | None, **options: Any) -> None:
    """Compare accounts that cannot both hold: regions, Bayes factors, districts left out."""
    from acmodels.data import read_study
    from acmodels.folder import result_folder
    from acmodels.progress import Reporter
    from acmodels.reporting.results import mark, write_table
    from acmodels.theory.rivals import rivals as compare
    from acmodels.theory.rivals import rivals_table

    study = read_study(data, options["columns"])
    wanted = None if only is None else [n.strip() for n in only.split(",") if n.strip()]
    out: Path = options["out"] or Path("rivals")
    with result_folder(out, (study.path,)) as folder:
        progress = Reporter(quiet=options["quiet"])
        found = compare(study, wanted, seed=options["seed"], progress=progress)
        progress.close()
        write_table(rivals_table(found), folder / "rivals.csv")
        mark(
            folder,
            command_line(),
            seed=options["seed"],
            data=dict(study.sha256),
        )
    if options["as_json"]:
        echo_json({"out": str(out), "rivals": records(rivals_table(found))})
    elif not options["quiet"]:
        for c in found:
            echo(f"{c.title} ({', '.join(c.propositions)})")
            echo(f"  {c.reason}")
        echo(f"Table: {out / 'rivals.csv'}")


@main.command()
@click.argument("identifier", required=False, metavar="[ID]")
@options_of("json")
def propositions(identifier: str | None, **options: Any) -> None:
    """List the framework's propositions, or show the one with ID."""
    from acmodels.theory.registry import entries, entry, page

    if identifier is not None:
        one = entry(identifier)
        if options["as_json"]:
            echo_json([one])
        else:
            click.echo(page(one))
        return
    every = entries()
    if options["as_json"]:
        echo_json(every)
        return
    for e in every:
        mark = "*" if e["executable"] else " "
        click.echo(f"{e['id']} {mark} {e['statement']}")
    click.echo("* a shipped model can test it; `acmodels propositions ID` says how")

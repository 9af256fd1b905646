"""Commands about the framework's propositions."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acmodels.cli.common import (
    FITTING,
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
from acmodels.errors import InputError, ModelError

if TYPE_CHECKING:
    from acmodels.framework.graph import Framework


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--propositions", "only", help="Ids separated by commas, such as P01,P41. Default: all."
)
@click.option(
    "--framework",
    "theory",
    type=click.Path(path_type=Path),
    help="Folder with a framework of your own; see `acmodels new --framework`.",
)
@click.option(
    "--scores", is_flag=True, help="Use averages of items, not latent constructs (faster)."
)
@click.option("--rivals", "with_rivals", is_flag=True, help="Also compare rival accounts.")
@click.option(
    "--family-wise",
    is_flag=True,
    help="Raise the probability threshold with the number of propositions tested (Bonferroni).",
)
@click.option(
    "--missing",
    type=click.Choice(["model", "drop"]),
    help="Model missing values, or drop their rows (faster). Default: model.",
)
@options_of("columns", *FITTING)
def test(
    data: Path,
    only: str | None,
    theory: Path | None,
    *,
    scores: bool,
    with_rivals: bool,
    family_wise: bool,
    missing: Any,
    **options: Any,
) -> None:
    """Test the propositions of a framework on DATA."""
    from acmodels.data import read_study
    from acmodels.folder import result_folder
    from acmodels.framework.files import load_framework
    from acmodels.progress import Reporter
    from acmodels.reporting.results import write_table
    from acmodels.theory.assessment import assess
    from acmodels.theory.checking import checked

    if with_rivals and theory is not None:
        raise click.UsageError("--rivals compares accounts of the shipped framework only")
    framework = checked(load_framework(theory))
    study = read_study(data, options["columns"])
    _near_misses(framework, options["columns"])
    out: Path = options["out"] or Path("test")
    say = sayer(options)
    with result_folder(out, (study.path,)) as folder:
        progress = Reporter(quiet=options["quiet"])
        found = assess(
            study, _wanted(only), framework=framework, seed=options["seed"],
            engine=options["engine"], draws=options["draws"], chains=options["chains"],
            cores=workers_of(options["workers"]), interval=options["interval"],
            prob=options["prob"], progress=progress, family_wise=family_wise, missing=missing,
            scores=scores,
            done=lambda name, fitted: say(f"{name}: {fitted.engine_note}"),
        )  # fmt: skip
        pairs: Any = ()
        if with_rivals:
            from acmodels.theory.rivals import rivals as compare
            from acmodels.theory.rivals import rivals_table

            pairs = compare(study, seed=options["seed"], progress=progress)
            write_table(rivals_table(pairs), folder / "rivals.csv")
        progress.close()
        _write_tested(found, study, folder, pairs, options["seed"])
    _print_tested(found, out, options)
    if not found.usable:
        raise SystemExit(3)


def _write_tested(found: Any, study: Any, folder: Path, pairs: Any, seed: int) -> None:
    """Write verdicts, models with their estimates, and the report."""
    from acmodels.reporting.results import mark, write_table
    from acmodels.reporting.theory_page import theory_report

    write_table(found.verdicts, folder / "verdicts.csv")
    write_table(found.parts, folder / "parts.csv")
    for name, file in found.files.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "model.toml").write_text(file.text(), encoding="utf-8")
        if name in found.fits:
            write_table(found.fits[name].estimates, folder / name / "estimates.csv")
            write_table(found.fits[name].effects.table, folder / name / "estimands.csv")
    if any(f.system.layout.measures for f in found.fits.values()):
        write_table(found.measurement, folder / "measurement.csv")
        write_table(found.constructs, folder / "constructs.csv")
    name = (study.path or Path(study.name)).name
    theory_report(found, folder / "report.html", name, pairs)
    mark(
        folder,
        command_line(),
        seed=seed,
        models={k: f.draws.engine for k, f in found.fits.items()},
        refused={k: list(v) for k, v in found.refused.items()},
        expected_false_supports=found.expected_false,
        data=dict(study.sha256),
    )


def _near_misses(framework: "Framework", columns: Path | None) -> None:
    """Say which names in a mapping file are not the framework's, where one that is comes near."""
    from acmodels.data.mapping import read_mapping
    from acmodels.errors import did_you_mean
    from acmodels.theory.compiling.setting import known_names

    mapped = read_mapping(columns)
    known = known_names(framework)
    for name in mapped.columns:
        near = "" if name.casefold() in {k.casefold() for k in known} else did_you_mean(name, known)
        if near:
            echo(
                f"{mapped.said}: '{name}' is no construct or unit of the framework{near}", err=True
            )


def _wanted(only: str | None) -> list[str] | None:
    """The ids asked for, or None for all."""
    if only is None:
        return None
    wanted = [p.strip() for p in only.split(",") if p.strip()]
    if not wanted:
        raise click.UsageError("--propositions: name at least one, as P01,P41")
    return wanted


def _print_tested(found: Any, out: Path, options: dict[str, Any]) -> None:
    if options["as_json"]:
        echo_json({"out": str(out), "verdicts": records(found.verdicts)})
        return
    if options["quiet"]:
        return
    for line in found.top:
        echo(line)
    rows = found.verdicts.to_dict("records")
    tested = [r for r in rows if r["status"] != "not_testable"]
    width = max([0, *(len(interval_of(r)) for r in tested)])
    for r in tested:
        how = f"{r['status']} ({r['how']})" if r["how"] else r["status"]
        echo(f"{r['proposition']:<6} {how:<24} {interval_of(r):<{width}}  {r['reason']}")
    lost: dict[str, list[str]] = {}
    for r in rows:
        if r["status"] == "not_testable":
            lost.setdefault(r["reason"], []).append(r["proposition"])
    for why, ids in lost.items():
        echo(f"{', '.join(ids)}: {why}")
    echo(f"Report: {out / 'report.html'}")


@main.command()
@click.argument("identifier", metavar="ID")
@click.argument("data", required=False, type=click.Path(path_type=Path))
@click.option(
    "--framework", "theory", type=click.Path(path_type=Path), help="A folder with a framework."
)
@click.option("--scores", is_flag=True, help="Take averages of items for constructs.")
@options_of("columns")
def model(
    identifier: str, data: Path | None, theory: Path | None, *, scores: bool, **options: Any
) -> None:
    """Print the models that test proposition ID, on DATA or on a full study, with reasons."""
    from acmodels.data import read_study
    from acmodels.framework.files import load_framework
    from acmodels.theory.checking import checked
    from acmodels.theory.compiler import compile_proposition, full_study
    from acmodels.theory.telling import told

    framework = checked(load_framework(theory))
    p = framework.proposition(identifier)
    study = read_study(data, options["columns"]) if data is not None else full_study(framework)
    _near_misses(framework, options["columns"])
    found = compile_proposition(framework, p, study, schematic=data is None, scores=scores)
    if not found.compiled:
        raise InputError([f"{p.id}: not testable: {why}" for why in found.lacking])
    for line in told(framework, found).splitlines():
        echo(line)


@main.command()
@click.argument("folder", required=False, metavar="[DIR]", type=click.Path(path_type=Path))
@options_of("out", "quiet")
def framework(folder: Path | None, **options: Any) -> None:
    """Check a framework's files, say what it holds, and draw its map."""
    from acmodels.folder import result_folder
    from acmodels.framework.files import load_framework
    from acmodels.reporting.results import mark
    from acmodels.reporting.theory_map import propositions_text, theory_map
    from acmodels.theory.checking import check_framework

    found = load_framework(folder)
    said = check_framework(found)
    if said.problems:
        raise ModelError(said.problems)
    out: Path = options["out"] or Path("framework")
    with result_folder(out, (folder,) if folder is not None else ()) as place:
        (place / "map.svg").write_text(theory_map(found), encoding="utf-8")
        (place / "propositions.md").write_text(propositions_text(found), encoding="utf-8")
        mark(place, command_line())
    if options["quiet"]:
        return
    echo(f"{found.title}: {len(found.constructs)} constructs, {len(found.arrows)} arrows, "
         f"{len(found.propositions)} propositions")  # fmt: skip
    for line in said.warnings:
        echo(f"Look at: {line}")
    echo(f"Map: {out / 'map.svg'}")
    echo(f"Propositions with their claims: {out / 'propositions.md'}")


@main.command()
@click.argument("model", shell_complete=shipped)
@click.argument("design", required=False, shell_complete=designs)
@click.option(
    "--power", "power_run", type=click.Path(path_type=Path), help="Folder of a power run."
)
@click.option("--out", type=click.Path(path_type=Path), help="A Markdown file; else it is printed.")
def preregister(model: str, design: str | None, power_run: Path | None, out: Path | None) -> None:
    """Write a preregistration: MODEL's hypotheses, decision rules and priors."""
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
@click.option("--only", help="Names of pairs, separated by commas. Default: all.")
@options_of("columns", "out", "seed", "quiet", "json")
def rivals(data: Path, only: str | None, **options: Any) -> None:
    """Compare rival accounts: probabilities, Bayes factors, prediction of left-out districts."""
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
@click.option(
    "--framework", "theory", type=click.Path(path_type=Path), help="A folder with a framework."
)
@options_of("json")
def propositions(identifier: str | None, theory: Path | None, **options: Any) -> None:
    """List a framework's propositions, or show the one with ID."""
    from acmodels.framework.files import load_framework
    from acmodels.theory.checking import checked
    from acmodels.theory.registry import entries, entry, page

    framework = checked(load_framework(theory))
    if identifier is not None:
        one = entry(identifier, framework)
        if options["as_json"]:
            echo_json([one])
        else:
            click.echo(page(one))
        return
    every = entries(framework)
    if options["as_json"]:
        echo_json(every)
        return
    for e in every:
        mark = "*" if e["executable"] else " "
        click.echo(f"{e['id']} {mark} {e['statement']}")
    click.echo("* can be tested; `acmodels model ID DATA` prints its model")

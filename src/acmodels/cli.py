"""The command line: parse, call, print."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from acmodels.errors import AcmodelsError, did_you_mean, printable

EPILOG = """New here? `acmodels demo` shows everything on a synthetic study, `acmodels new FOLDER` \
writes files to start from, `acmodels COMMAND --help` explains one command."""
SECTIONS = {
    "Start": ("demo", "new", "planner", "completion"),
    "Data": ("check", "scales", "export", "simulate", "worlds"),
    "Models": ("fit", "priors", "tables", "recover", "calibrate"),
    "Framework": ("test", "propositions", "rivals", "preregister"),
    "Planning": ("power", "pilot"),
}
"""Commands as help lists them; a command in none of these is listed last."""


class Commands(click.Group):
    """A group that says what was meant when a command is unknown."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is named with its nearest neighbour."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            names = list(self.commands)
            raise click.UsageError(
                f"no command '{args[0]}'{did_you_mean(args[0], names)} "
                f"(commands: {', '.join(names)})"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List commands by what they are for, each with its whole first sentence."""
        placed = {c for names in SECTIONS.values() for c in names}
        rest = {"More": tuple(c for c in self.list_commands(ctx) if c not in placed)}
        for section, names in (SECTIONS | rest).items():
            rows = [
                (n, (self.commands[n].help or "").split("\n\n")[0].replace("\n", " "))
                for n in names
                if n in self.commands
            ]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="acmodels", prog_name="acmodels")
def main() -> None:
    """Hierarchical Bayesian models of how school districts learn from outside partners."""


type Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def _options(*names: str) -> Decorator:
    """Add common options by name, in the order given."""
    made = {
        "out": click.option(
            "--out", type=click.Path(path_type=Path), help="Folder for the results."
        ),
        "seed": click.option("--seed", type=int, default=1, show_default=True),
        "engine": click.option(
            "--engine", default="auto", show_default=True, help="auto, nuts or collapsed."
        ),
        "draws": click.option("--draws", type=int, default=1000, show_default=True),
        "chains": click.option("--chains", type=int, default=4, show_default=True),
        "interval": click.option(
            "--interval", default="eti", show_default=True, help="eti (equal-tailed) or hdi."
        ),
        "prob": click.option("--prob", type=float, default=0.95, show_default=True),
        "workers": click.option(
            "--workers", type=int, help="Cores to use; changes the time, never the numbers."
        ),
        "quiet": click.option("--quiet", is_flag=True, help="Say nothing but errors."),
        "json": click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    }

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(names):
            command = made[name](command)
        return command

    return add


def _shipped(_: click.Context, __: click.Parameter, incomplete: str) -> list[Any]:
    """Names of shipped models, and files, that begin as what was typed."""
    from click.shell_completion import CompletionItem

    from acmodels.load import shipped_models

    names = [CompletionItem(n) for n in shipped_models() if n.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


_FITTING = (
    "out", "seed", "engine", "draws", "chains", "interval", "prob", "workers", "quiet", "json",
)  # fmt: skip


@main.command()
@click.argument("model", shell_complete=_shipped)
@click.argument("data", type=click.Path(path_type=Path))
@_options(*_FITTING)
@click.option("--ml", is_flag=True, help="Fit by maximum likelihood too, and compare: ml.csv.")
@click.option(
    "--confounding",
    metavar="M:Y[@G]",
    help="Effects under an unmeasured confounder of mediator M and outcome Y, of rows or of the "
    "units of grouping G: confounding.csv.",
)
@click.option(
    "--confounding-prior",
    type=float,
    metavar="SD",
    help="Average over a Normal(0, SD) prior of the correlation that it leaves.",
)
@click.option(
    "--leave-out", metavar="G", help="Leave out each unit of grouping G in turn: influence.csv."
)
def fit(model: str, data: Path, **options: Any) -> None:
    """Fit MODEL (a .toml file or a shipped name) to DATA (a table)."""
    from acmodels.data import read_study
    from acmodels.load import load_model

    _fit(load_model(model), read_study(data), options, "fit")


@main.command()
@_options(*_FITTING)
def demo(**options: Any) -> None:
    """Simulate a study, fit it, judge the framework's claims, and report."""
    from acmodels.load import load_design
    from acmodels.simulation import simulate as draw

    design = load_design("interaction_mediation")
    made = draw(design, options["seed"])
    said = _say(options)
    said(f"simulated {made.study.n_rows} partnerships; the truth is in study/truth.json")

    def also(folder: Path, _: Any) -> None:
        from acmodels.results import write_simulation

        (folder / "study").mkdir()
        write_simulation(made, design, folder / "study", seed=options["seed"])

    fitted = _fit(design.model, made.study, options, "demo", also)
    table = fitted.estimates
    inside = [
        low <= made.truth[name] <= high
        for name, low, high in zip(table["name"], table["lower"], table["upper"], strict=True)
    ]
    said(
        f"{sum(inside)} of {len(inside)} true values lie in their {100 * fitted.prob:g} % intervals"
    )
    _finish(fitted)


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
@_options(*_FITTING)
def test(
    data: Path,
    only: str | None,
    leave_out: str | None,
    *,
    with_rivals: bool,
    family_wise: bool,
    **options: Any,
) -> None:
    """Say of each proposition of the framework what DATA say."""
    from acmodels.assessing import assess
    from acmodels.data import read_study
    from acmodels.errors import InputError
    from acmodels.folder import result_folder
    from acmodels.leaving import Influence, influence
    from acmodels.progress import Reporter
    from acmodels.reporting import report
    from acmodels.reporting.assessment_page import assessment_report
    from acmodels.results import mark, write_fit, write_table

    study = read_study(data)
    out: Path = options["out"] or Path("test")
    wanted = None if only is None else [p.strip().upper() for p in only.split(",") if p.strip()]
    if wanted is not None and not wanted:
        raise click.UsageError("--propositions: name at least one, as P01,P41")
    if leave_out is not None:
        _check_grouping(study, leave_out)
    say = _say(options)
    command = _command()
    without: dict[str, Influence] = {}
    with result_folder(out, (study.path,)) as folder:
        progress = Reporter(quiet=options["quiet"])

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
            study, wanted, seed=options["seed"], engine=options["engine"], draws=options["draws"],
            chains=options["chains"], cores=_workers(options["workers"]),
            interval=options["interval"], prob=options["prob"], progress=progress, done=done,
            family_wise=family_wise,
        )  # fmt: skip
        pairs: Any = ()
        if with_rivals:
            from acmodels.rivals import rivals as compare
            from acmodels.rivals import rivals_table

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


def _check_grouping(study: Any, column: str) -> None:
    """Refuse a grouping that no table of a study has, before anything is fitted."""
    from acmodels.errors import InputError

    known = [c for t in (study, *study.tables.values()) for c in t.names]
    if column not in known:
        hint = did_you_mean(column, known)
        raise InputError(f"--leave-out: {study.name}: no column '{column}'{hint}")


def _print_assessment(found: Any, out: Path, options: dict[str, Any]) -> None:
    if options["as_json"]:
        _echo_json({"out": str(out), "verdicts": _records(found.verdicts)})
        return
    if options["quiet"]:
        return
    rows = found.verdicts.to_dict("records")
    for row in rows:
        if row["status"] == "not_testable":
            continue
        _echo(
            f"{row['proposition']:<6} {row['status']:<12} {row['mean']:>8.3f} "
            f"[{row['lower']:.3f}, {row['upper']:.3f}]  {row['model']}"
        )
    lost: dict[str, list[str]] = {}
    for p, why in found.lacking.items():
        lost.setdefault(why, []).append(p)
    for why, ids in lost.items():
        named = ", ".join(ids) if len(ids) <= 12 else f"{len(ids)} others"
        _echo(f"{named}: {why}")
    if found.needed:
        _echo("The report says how large a study each of these needs.")
    _echo(f"Report: {out / 'report.html'}")


def _fit(
    model: Any,
    study: Any,
    options: dict[str, Any],
    command: str,
    also: Callable[[Path, Any], None] | None = None,
) -> Any:
    """Fit, write and print; for `fit`, also end the process with the right code."""
    import time
    from dataclasses import replace

    from acmodels.fitting import fit as sample
    from acmodels.fitting import rehearse
    from acmodels.folder import result_folder
    from acmodels.progress import Reporter
    from acmodels.reporting import report
    from acmodels.results import write_fit

    out = options["out"] or Path(command)
    say = _say(options)
    known = rehearse(model, study).findings
    _check_more(model, study, options)
    for finding in known:
        say(f"{finding.severity}: {finding.message}")
    with result_folder(out, (model.path, study.path)) as folder:
        progress = Reporter(quiet=options["quiet"])
        fitted = sample(
            model,
            study,
            seed=options["seed"],
            engine=options["engine"],
            draws=options["draws"],
            chains=options["chains"],
            cores=_workers(options["workers"]),
            interval=options["interval"],
            prob=options["prob"],
            progress=progress,
        )
        progress.close()
        for finding in fitted.findings:
            if finding not in known:
                say(f"{finding.severity}: {finding.message}")
        more: dict[str, Any] = {}
        for name, ask in (("ml", _beside_ml), ("confounding", _confounded), ("leave_out", _left)):
            if options.get(name):
                started = time.perf_counter()
                more |= ask(fitted, study, options, folder)
                seconds = {**fitted.seconds, name: time.perf_counter() - started}
                fitted = replace(fitted, seconds=seconds)
        started = time.perf_counter()
        report(fitted, folder / "report.html", **more, progress=progress)
        seconds = {**fitted.seconds, "report": time.perf_counter() - started}
        fitted = replace(fitted, seconds=seconds)
        write_fit(fitted, folder, _command())
        if also is not None:
            also(folder, fitted)
    _print_fit(fitted, out, options)
    if command == "fit":
        _finish(fitted)
    return fitted


def _beside_ml(fitted: Any, study: Any, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The table of `--ml`, written; statsmodels is imported only here."""
    del study, options
    from acmodels.companion import maximum_likelihood
    from acmodels.results import write_table

    table = maximum_likelihood(fitted)
    write_table(table, folder / "ml.csv")
    return {"ml": table}


def _confounded(fitted: Any, study: Any, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The tables of `--confounding`, written."""
    import pandas as pd

    from acmodels.confounders import confounding, read_pair
    from acmodels.progress import Reporter
    from acmodels.results import write_table

    del study
    progress = Reporter(quiet=options["quiet"])
    mediator, outcome, unit = read_pair(options["confounding"])
    found = confounding(
        fitted, mediator, outcome, unit=unit, prior=options["confounding_prior"], progress=progress
    )
    progress.close()
    parts = [found.table] if found.averaged is None else [found.table, found.averaged]
    write_table(pd.concat(parts, ignore_index=True), folder / "confounding.csv")
    return {"confounding": found}


def _left(fitted: Any, study: Any, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The table of `--leave-out`, written."""
    from acmodels.leaving import influence
    from acmodels.progress import Reporter
    from acmodels.results import write_table

    progress = Reporter(quiet=options["quiet"])
    found = influence(fitted, study, options["leave_out"], progress=progress)
    progress.close()
    write_table(found.table, folder / "influence.csv")
    return {"influence": found}


def _check_more(model: Any, study: Any, options: dict[str, Any]) -> None:
    """Refuse what `--confounding` and `--leave-out` cannot do before any time is spent."""
    if options.get("confounding_prior") is not None and not options.get("confounding"):
        raise click.UsageError("--confounding-prior goes with --confounding M:Y")
    if options.get("confounding"):
        from acmodels.confounders import read_pair

        for name in read_pair(options["confounding"])[:2]:
            if name not in model.equations:
                near = did_you_mean(str(name), model.equations)
                raise click.UsageError(
                    f"--confounding: {model.source} has no equation '{name}'{near}"
                )
    by = options.get("leave_out")
    if by and by not in study.names:
        raise click.UsageError(f"--leave-out: no column '{by}'{did_you_mean(by, study.names)}")
    if (by or options.get("confounding")) and not model.estimands:
        raise click.UsageError(f"{model.source}: has no [estimands] to look at")


def _finish(fitted: Any) -> None:
    if not fitted.diagnostics.usable:
        raise SystemExit(3)


def _workers(workers: int | None) -> int | None:
    if workers is not None and workers < 1:
        raise click.UsageError("--workers must be a whole number of at least 1")
    return workers


def _say(options: dict[str, Any]) -> Callable[[str], None]:
    """A function that prints to standard error unless told to be quiet."""

    def say(text: str) -> None:
        if not options.get("quiet"):
            _echo(text, err=True)

    return say


def _echo(line: str = "", *, err: bool = False) -> None:
    """Print one line, names and labels in it made safe for a terminal."""
    click.echo(printable(line), err=err)


def _print_fit(fitted: Any, out: Path, options: dict[str, Any]) -> None:
    from acmodels.judging import judge
    from acmodels.results import diagnostics_table, seconds_words

    verdicts = judge(fitted.effects, fitted.spec.propositions)
    if options["as_json"]:
        _echo_json(
            {
                "out": str(out),
                "diagnostics": diagnostics_table(fitted),
                "verdicts": _records(verdicts),
                "estimands": _records(fitted.effects.table),
            }
        )
        return
    if options["quiet"]:
        return
    kind = "equal-tailed" if fitted.interval == "eti" else "highest-density"
    _echo(f"Intervals are {100 * fitted.prob:g} % {kind}.")
    if len(verdicts):
        _echo()
        for row in verdicts.to_dict("records"):
            _echo(
                f"{row['proposition']:<6} {row['status']:<12} {row['mean']:>8.3f} "
                f"[{row['lower']:.3f}, {row['upper']:.3f}]  {row['reason']}"
            )
    elif len(fitted.effects.table):
        _echo()
        for row in fitted.effects.table.to_dict("records"):
            name = f"{row['name']} [{row['at']}]" if row["at"] else row["name"]
            _echo(f"{name:<32} {row['mean']:>9.4g} [{row['lower']:.4g}, {row['upper']:.4g}]")
    else:
        _echo()
        for row in fitted.estimates.to_dict("records"):
            _echo(f"{row['name']:<40} {row['mean']:>9.4g} [{row['lower']:.4g}, {row['upper']:.4g}]")
    _echo()
    for message in fitted.diagnostics.messages:
        _echo(message)
    state = "usable" if fitted.diagnostics.usable else "NOT usable"
    _echo(f"Engine {fitted.engine_note}; the posterior is {state}.")
    _echo(f"Time: {seconds_words(fitted.seconds)}.")
    _echo(f"Report: {out / 'report.html'}")


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("model", required=False, shell_complete=_shipped)
@_options("quiet", "json")
def check(data: Path, model: str | None, **options: Any) -> None:
    """Say what DATA hold, and what is wrong with them for MODEL."""
    from acmodels.data import read_study
    from acmodels.describe import describe_model, describe_study, refused
    from acmodels.errors import DataError

    try:
        study = read_study(data)
        if model is None:
            described = describe_study(study)
        else:
            from acmodels.fitting import rehearse
            from acmodels.load import load_model

            described = describe_model(rehearse(load_model(model), study))
    except DataError as error:
        if options["as_json"]:
            _echo_json(refused(str(data), error.problems, error.findings))
        raise
    _print_description(described, options)
    wrong = [f["message"] for f in described.table["findings"] if f["severity"] == "error"]
    if wrong:
        _fail(wrong)


def _print_description(description: Any, options: dict[str, Any]) -> None:
    if options["as_json"]:
        _echo_json(description.table)
        return
    if options["quiet"]:
        return
    for line in description.lines:
        _echo(line)


@main.command()
@click.argument("model", shell_complete=_shipped)
@click.argument("data", type=click.Path(path_type=Path))
@_options("json")
def priors(model: str, data: Path, **options: Any) -> None:
    """Show the priors in force for MODEL on DATA."""
    from acmodels.data import read_study
    from acmodels.load import load_model
    from acmodels.priors import resolve_priors
    from acmodels.system import build_system

    loaded = load_model(model)
    joint = build_system(loaded, read_study(data)).sampled
    found = resolve_priors(loaded.priors, joint.layout, joint.responses, loaded.source)
    if options["as_json"]:
        _echo_json(
            [
                {
                    "name": p.name,
                    "dist": p.distribution.name,
                    **p.distribution.parameters,
                    "stated": p.stated,
                    "at_means": p.centered,
                }
                for p in found.values()
            ]
        )
        return
    width = max(len(n) for n in found)
    for p in found.values():
        origin = "default" if p.stated is None else f'stated by "{p.stated}"'
        _echo(f"{p.name:<{width}}  {p.distribution!s:<34}  {origin}{p.note}")


@main.command()
@click.argument("design")
@click.option("--n", "number", type=int, default=1, show_default=True, help="Number of studies.")
@_options("out", "seed", "quiet", "json")
def simulate(design: str, number: int, **options: Any) -> None:
    """Draw synthetic data with known truth from DESIGN, or a whole study from a scenario."""
    from acmodels.folder import result_folder
    from acmodels.worlds.scenario import is_scenario

    if is_scenario(design):
        _simulate_world(design, number, options)
        return
    from acmodels.load import load_design
    from acmodels.progress import Reporter
    from acmodels.results import mark, write_simulation
    from acmodels.simulation import simulate as draw

    if number < 1:
        raise click.UsageError("--n must be a whole number of at least 1")
    loaded = load_design(design)
    out = options["out"] or Path("simulate")
    progress = Reporter(quiet=options["quiet"] or number == 1)
    with result_folder(out, (loaded.path,)) as folder:
        rows = 0
        for k in range(number):
            made = draw(loaded, options["seed"], k)
            rows += made.study.n_rows
            place = folder if number == 1 else folder / f"{k + 1:0{len(str(number))}d}"
            place.mkdir(exist_ok=True)
            write_simulation(made, loaded, place, seed=options["seed"], replicate=k)
            progress("simulating", k + 1, number)
        mark(
            folder,
            _command(),
            seed=options["seed"],
            studies=number,
            design={"file": loaded.source, "sha256": loaded.sha256},
        )
    if options["as_json"]:
        _echo_json({"out": str(out), "studies": number, "rows": rows})
    elif not options["quiet"]:
        studies = "1 study" if number == 1 else f"{number} studies"
        _echo(f"{studies}, {rows} rows in all: {out}")


def _simulate_world(source: str, number: int, options: dict[str, Any]) -> None:
    from acmodels.folder import result_folder
    from acmodels.progress import Reporter
    from acmodels.results import mark, write_world
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
            _command(),
            seed=options["seed"],
            studies=number,
            scenario=loaded.source,
        )
    if options["as_json"]:
        _echo_json({"out": str(out), "studies": number, "answers": answers})
    elif not options["quiet"]:
        studies = "1 study" if number == 1 else f"{number} studies"
        _echo(
            f"{studies} of {loaded.title.lower() or loaded.name}, {answers} answers in all: {out}"
        )


@main.command()
@_options("json")
def worlds(**options: Any) -> None:
    """List the scenarios that `simulate` can make a study of, and the arrows in them."""
    from acmodels.worlds import scenario, scenarios, variables

    arrows = [
        {"name": a.name, "size": a.size, "source": a.source}
        for v in variables().values()
        for a in v.arrows
    ]
    if options["as_json"]:
        _echo_json({"scenarios": list(scenarios()), "arrows": arrows})
        return
    for name in scenarios():
        if not name.startswith("contrary_"):
            _echo(f"{name:<20} {scenario(name).title}")
    contrary = [s.removeprefix("contrary_") for s in scenarios() if s.startswith("contrary_")]
    _echo(f"{'contrary_ID':<20} The contrary of a proposition: {', '.join(contrary)}")
    _echo()
    for a in arrows:
        _echo(f"{a['name']:<58} {a['size']:>6g}  {a['source']}")


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--format", "form", default="csv", show_default=True, help="csv, parquet or sav.")
@_options("out", "quiet", "json")
def export(data: Path, form: str, **options: Any) -> None:
    """Write DATA as a folder of tables with labels, missing codes and a codebook."""
    from acmodels.data import read_study
    from acmodels.data.writing import export as write
    from acmodels.folder import result_folder
    from acmodels.results import mark

    study = read_study(data)
    out: Path = options["out"] or Path("export")
    with result_folder(out, (study.path,)) as folder:
        write(study, folder, form)
        mark(
            folder,
            _command(),
            data=dict(study.sha256),
        )
    if options["as_json"]:
        _echo_json({"out": str(out), "tables": list(study.tables) or ["data"]})
    elif not options["quiet"]:
        _echo(f"{len(study.tables) or 1} tables as {form}, and codebook.md: {out}")


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@_options("out", "quiet", "json")
def scales(data: Path, **options: Any) -> None:
    """Say how well the items of DATA measure, and how far raters agree."""
    from acmodels.data import read_study
    from acmodels.data.scales import scales as describe
    from acmodels.folder import result_folder
    from acmodels.reporting.scale_page import scale_report
    from acmodels.results import mark, write_table

    study = read_study(data)
    found = describe(study)
    out: Path = options["out"] or Path("scales")
    with result_folder(out, (study.path,)) as folder:
        write_table(found.table, folder / "scales.csv")
        write_table(found.items, folder / "items.csv")
        scale_report(found, folder / "report.html", study.name.partition("/")[0])
        mark(
            folder,
            _command(),
            data=dict(study.sha256),
        )
    if options["as_json"]:
        _echo_json({"out": str(out), "scales": _records(found.table)})
    elif not options["quiet"]:
        for line in found.table.to_string(index=False, float_format="{:.2f}".format).splitlines():
            _echo(line)
        for finding in found.findings:
            _echo(f"{finding.severity}: {finding.message}")
        _echo(f"Report: {out / 'report.html'}")


_RUNNING = ("out", "seed", "engine")


def _run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the commands that refit many times."""
    for made in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--quiet", is_flag=True, help="Say nothing but errors."),
        click.option(
            "--workers", type=int, help="Cores to use; changes the time, never the numbers."
        ),
        click.option("--chains", type=int, help="Of each fit; 4 by NUTS."),
        click.option("--draws", type=int, help="Of each chain; 500 by NUTS, 1000 in all else."),
        click.option("--replications", "--n", type=int, help="Instead of the file's number."),
        click.option("--slurm", type=int, metavar="JOBS", help="Run on so many SLURM jobs."),
        click.option("--scheduler", metavar="ADDRESS", help="Run on a Dask cluster."),
    ):
        command = made(command)
    return _options(*_RUNNING)(command)


@main.command()
@click.argument("design")
@_run_options
@_options("interval", "prob")
def recover(design: str, **options: Any) -> None:
    """Simulate DESIGN and refit its model, many times: bias, coverage, width."""
    from acmodels.load import load_design
    from acmodels.recovery import recover as go

    loaded = load_design(design)
    if options["interval"] not in ("eti", "hdi"):
        raise click.UsageError(f"--interval must be eti or hdi, not {options['interval']!r}")

    def run(out: Path, progress: Any, executor: Any) -> Any:
        return go(
            loaded, **_shared(options), interval=options["interval"], prob=options["prob"],
            out=out, progress=progress, executor=executor,
        )  # fmt: skip

    _run("recover", (loaded.path,), options, run, "recovery.csv")


@main.command()
@click.argument("model", shell_complete=_shipped)
@click.argument("design", required=False)
@_run_options
def calibrate(model: str, design: str | None, **options: Any) -> None:
    """Rank truths from MODEL's priors among posterior draws (SBC), on data of DESIGN."""
    from dataclasses import replace

    from acmodels.calibration import calibrate as go
    from acmodels.load import design_of, load_design, load_model

    loaded = load_model(model)
    plan = design_of(loaded) if design is None else replace(load_design(design), model=loaded)

    def run(out: Path, progress: Any, executor: Any) -> Any:
        return go(plan, **_shared(options), out=out, progress=progress, executor=executor)

    _run("calibrate", (loaded.path, plan.path), options, run, "calibration.csv")


@main.command()
@click.argument("plan")
@_run_options
@click.option("--mcse", type=float, help="Stop at a design whose Monte Carlo error is below this.")
@click.option("--confirm", is_flag=True, help="Simulate the design chosen again, with fresh seeds.")
def power(plan: str, **options: Any) -> None:
    """Say how often a study succeeds over PLAN's grid, and which design is cheapest."""
    from acmodels.load import load_plan
    from acmodels.planning import power as go

    loaded = load_plan(plan)
    if options["mcse"] is not None and not options["mcse"] > 0:
        raise click.UsageError("--mcse must be above 0")

    def run(out: Path, progress: Any, executor: Any) -> Any:
        return go(
            loaded, **_shared(options), mcse=options["mcse"], confirm=options["confirm"], out=out,
            progress=progress, executor=executor,
        )  # fmt: skip

    _run("power", (loaded.path,), options, run, "power.csv")


@main.command()
@click.argument("model")
@click.argument("design", required=False)
@click.option(
    "--power", "power_run", type=click.Path(path_type=Path), help="Folder of a power run."
)
@click.option("--out", type=click.Path(path_type=Path), help="A Markdown file; else it is printed.")
def preregister(model: str, design: str | None, power_run: Path | None, out: Path | None) -> None:
    """Write down MODEL's hypotheses, rules and priors before data are seen."""
    from acmodels.errors import InputError
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
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}") from None
    _echo(f"Preregistration: {out}")


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--only", help="Names of pairs with commas between them; all if left out.")
@_options("out", "seed", "quiet", "json")
def rivals(data: Path, only: str | None, **options: Any) -> None:
    """Compare accounts that cannot both hold: regions, Bayes factors, districts left out."""
    from acmodels.data import read_study
    from acmodels.folder import result_folder
    from acmodels.progress import Reporter
    from acmodels.results import mark, write_table
    from acmodels.rivals import rivals as compare
    from acmodels.rivals import rivals_table

    study = read_study(data)
    wanted = None if only is None else [n.strip() for n in only.split(",") if n.strip()]
    out: Path = options["out"] or Path("rivals")
    with result_folder(out, (study.path,)) as folder:
        progress = Reporter(quiet=options["quiet"])
        found = compare(study, wanted, seed=options["seed"], progress=progress)
        progress.close()
        write_table(rivals_table(found), folder / "rivals.csv")
        mark(
            folder,
            _command(),
            seed=options["seed"],
            data=dict(study.sha256),
        )
    if options["as_json"]:
        _echo_json({"out": str(out), "rivals": _records(rivals_table(found))})
    elif not options["quiet"]:
        for c in found:
            _echo(f"{c.title} ({', '.join(c.propositions)})")
            _echo(f"  {c.reason}")
        _echo(f"Table: {out / 'rivals.csv'}")


@main.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.option("--style", type=click.Choice(["apa", "brms", "lavaan"]), default="apa")
@_options("out", "quiet")
def tables(result: Path, style: Any, **options: Any) -> None:
    """Write tables and a methods paragraph for a paper from RESULT, a folder of `fit`."""
    from acmodels.reporting.paper_files import write_papers

    written = write_papers(result, options["out"] or Path("tables"), style)
    if options["quiet"]:
        return
    for path in written:
        _echo(f"Written: {path}")
    if not any(p.suffix == ".docx" for p in written):
        _echo("For a Word document too: pip install 'acmodels[papers]'")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_options("seed", "quiet")
def new(folder: Path, **options: Any) -> None:
    """Write a commented model, a commented plan and synthetic data to FOLDER, to start from."""
    from acmodels.starting import start

    written = start(folder, options["seed"])
    if options["quiet"]:
        return
    for path in written:
        _echo(f"Written: {path}")
    model, plan, data = written
    _echo("Next:")
    _echo(f"  acmodels check {data} {model}")
    _echo(f"  acmodels fit {model} {data}")
    _echo(f"  acmodels power {plan}")


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
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@_options("workers", "quiet")
def planner(port: int, *, no_browser: bool, **options: Any) -> None:
    """Plan a study in a browser, on this machine."""
    from acmodels.planner.app import serve

    def opened(address: str) -> None:
        _echo(f"Planner: {address} (Ctrl-C ends it)")
        if not no_browser:
            click.launch(address)

    serve(port, _workers(options["workers"]) or os.cpu_count() or 1, opened)


@main.command()
@click.argument("plan")
@click.argument("data", type=click.Path(path_type=Path))
@_options(*_FITTING)
def pilot(plan: str, data: Path, **options: Any) -> None:
    """Fit PLAN's model to DATA, and write the plan with the pilot's posterior as truths."""
    from acmodels.data import read_study
    from acmodels.load import load_plan
    from acmodels.pilot import plan_from_pilot, to_toml

    loaded = load_plan(plan)
    model = loaded.cells[0].design.model
    study = read_study(data)

    def also(folder: Path, fitted: Any) -> None:
        table = plan_from_pilot(loaded, fitted)
        if model is not None and model.path is not None:
            table["model"] = str(model.path.resolve())
        said = (
            f"{loaded.source} with truths from {study.name}: acmodels power FILE gives assurance.\n"
            "Distributions of truths are the pilot's posterior, one parameter at a time."
        )
        (folder / "plan.toml").write_text(to_toml(table, said), encoding="utf-8")

    fitted = _fit(model, study, options, "pilot", also)
    out = options["out"] or Path("pilot")
    if not options["quiet"] and not options["as_json"]:
        _echo(f"Plan: {out / 'plan.toml'}")
    _finish(fitted)


def _shared(options: dict[str, Any]) -> dict[str, Any]:
    import os

    from acmodels.rng import check_seed

    workers = _workers(options["workers"])
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
) -> None:
    """Run, write and print; an interrupted run says how to go on."""
    from acmodels.folder import run_folder
    from acmodels.progress import Reporter
    from acmodels.reporting.run_page import run_report
    from acmodels.results import run_json, write_table
    from acmodels.runs.cluster import cluster
    from acmodels.runs.store import FILE

    out: Path = options["out"] or Path(command)
    shared = _shared(options)
    run_folder(out, FILE, inputs)
    progress = Reporter(quiet=options["quiet"])
    try:
        with cluster(options["scheduler"], options["slurm"]) as executor:
            found = run(out, progress, executor)
    except KeyboardInterrupt:
        progress.close()
        if not options["quiet"]:
            _echo(f"stopped; what was finished is in {out}: the same command goes on", err=True)
        raise
    progress.close()
    write_table(found.table, out / name)
    if command == "power":
        write_table(found.errors, out / "errors.csv")
        if found.confirmed is not None:
            write_table(found.confirmed, out / "confirmed.csv")
    run_report(found, out / "report.html")
    run_json(found, out, _command(), shared["seed"])
    _print_run(command, found, out, options)
    if not found.trusted or (command == "calibrate" and not found.uniform):
        raise SystemExit(3)


def _print_run(command: str, found: Any, out: Path, options: dict[str, Any]) -> None:
    total = sum(len(o.reasons) for o in found.result.outcomes)
    failed = sum(1 for o in found.result.outcomes for why in o.reasons if why)
    if options["as_json"]:
        table: dict[str, Any] = {
            "out": str(out),
            "table": _records(found.table),
            "fits": total,
            "failed": failed,
            "trusted": found.trusted,
        }
        if command == "power":
            table |= {"answers": list(found.answers), "errors": _records(found.errors)}
        if command == "calibrate":
            table |= {"p_model": found.p_model, "uniform": found.uniform}
        _echo_json(table)
        return
    if not options["quiet"]:
        for line in found.table.to_string(index=False, float_format="{:.3g}".format).splitlines():
            _echo(line)
        _echo()
        for line in getattr(found, "answers", ()):
            _echo(line)
        if command == "calibrate":
            said = "uniform" if found.uniform else "NOT uniform"
            _echo(f"Ranks are {said}: p of the model {found.p_model:.2g} (Bonferroni).")
        rate = found.result.fitted / found.result.seconds if found.result.seconds else 0.0
        _echo(
            f"{total} fits, {failed} failed; {found.result.fitted} fitted now, {rate:.0f} a second."
        )
        _echo(f"Report: {out / 'report.html'}")
    if not found.trusted:
        _echo(f"No answer: {failed} of {total} fits failed, more than 5 % somewhere.", err=True)


@main.command()
@click.argument("identifier", required=False, metavar="[ID]")
@_options("json")
def propositions(identifier: str | None, **options: Any) -> None:
    """List the framework's propositions, or show the one with ID."""
    from acmodels.registry import entries, entry, page

    if identifier is not None:
        one = entry(identifier)
        if options["as_json"]:
            _echo_json([one])
        else:
            click.echo(page(one))
        return
    every = entries()
    if options["as_json"]:
        _echo_json(every)
        return
    for e in every:
        mark = "*" if e["executable"] else " "
        click.echo(f"{e['id']} {mark} {e['statement']}")
    click.echo("* a shipped model can test it; `acmodels propositions ID` says how")


def _command() -> list[str]:
    """The command line as it was given."""
    return ["acmodels", *sys.argv[1:]]


def _records(table: Any) -> list[dict[str, Any]]:
    """Rows of a table for JSON, NaN as null."""
    return [
        {k: (None if isinstance(v, float) and v != v else v) for k, v in row.items()}  # noqa: PLR0124
        for row in table.to_dict("records")
    ]


def _echo_json(value: Any) -> None:
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    click.echo(text.encode("utf-8", "backslashreplace"))  # half a surrogate pair, in a path


def run(args: Sequence[str] | None = None) -> None:
    """Run the command line and end the process.

    Exit codes: 0 done; 2 bad input; 3 a diagnostic failed; 130 interrupted.
    """
    try:
        main.main(args=None if args is None else list(args), standalone_mode=False)
    except click.exceptions.Exit as error:
        raise SystemExit(error.exit_code) from None
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        raise SystemExit(2) from None
    except click.UsageError as error:
        _fail([error.format_message(), _usage(error)])
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; nothing unfinished was written", err=True)
        raise SystemExit(130) from None
    except click.ClickException as error:
        _fail([error.format_message()])
    except AcmodelsError as error:
        _fail(str(error).splitlines(), error.exit_code)
    except BrokenPipeError:
        raise SystemExit(0) from None
    except MemoryError:
        _fail(["out of memory; fit fewer rows, chains or draws"])


def _usage(error: click.UsageError) -> str:
    return error.ctx.get_usage() if error.ctx is not None else ""


def _fail(lines: Iterable[str], code: int = 2) -> None:
    for line in lines:
        if line:
            _echo(line, err=True)
    raise SystemExit(code)


if __name__ == "__main__":
    run()

"""Commands about one model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from acmodels.cli.common import (
    FITTING,
    command_line,
    echo,
    echo_json,
    finish,
    options_of,
    plans,
    sayer,
    shipped,
    workers_of,
)
from acmodels.cli.group import main
from acmodels.cli.telling import print_fit
from acmodels.errors import did_you_mean
from acmodels.numbers import stated
from acmodels.spec.names import plain


@main.command()
@click.argument("model", shell_complete=shipped)
@click.argument("data", type=click.Path(path_type=Path))
@options_of("columns", *FITTING)
@click.option("--ml", is_flag=True, help="Also fit by maximum likelihood, and compare: ml.csv.")
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

    fit_and_write(load_model(model), read_study(data, options["columns"]), options, "fit")


@main.command()
@options_of(*FITTING)
def demo(**options: Any) -> None:
    """Simulate a study, fit it, judge the framework's claims, and report."""
    from acmodels.load import load_design
    from acmodels.simulation import simulate as draw

    design = load_design("interaction_mediation")
    made = draw(design, options["seed"])
    said = sayer(options)
    said(f"simulated {made.study.n_rows} partnerships; the truth is in study/truth.json")

    def hit(fitted: Any) -> str:
        table = fitted.estimates
        inside = [
            low <= made.truth[name] <= high
            for name, low, high in zip(table["name"], table["lower"], table["upper"], strict=True)
        ]
        of = f"{stated(100 * fitted.prob)} % intervals"
        return f"{sum(inside)} of {len(inside)} true values lie in their {of}"

    def notice(fitted: Any) -> str:
        seed = options["seed"]
        return f"Simulated data (seed {seed}), not evidence about real districts: {hit(fitted)}."

    def also(folder: Path, _: Any) -> None:
        from acmodels.reporting.results import write_simulation

        (folder / "study").mkdir()
        write_simulation(made, design, folder / "study", seed=options["seed"])

    fitted = fit_and_write(design.model, made.study, options, "demo", also, notice)
    said(hit(fitted))
    finish(fitted)


def fit_and_write(
    model: Any,
    study: Any,
    options: dict[str, Any],
    command: str,
    also: Callable[[Path, Any], None] | None = None,
    notice: Callable[[Any], str] | None = None,
) -> Any:
    """Fit, write and print; for `fit`, also end the process with the right code."""
    import time
    from dataclasses import replace

    from acmodels.folder import result_folder
    from acmodels.inference.fitting import fit as sample
    from acmodels.inference.fitting import rehearse
    from acmodels.progress import Reporter
    from acmodels.reporting import report
    from acmodels.reporting.results import write_fit

    out = options["out"] or Path(command)
    say = sayer(options)
    rehearsed = rehearse(model, study)
    known = rehearsed.findings
    _check_more(model, study, options)
    for finding in known:
        say(f"{finding.severity}: {finding.message}")
    _say_if_slow(model, rehearsed, options["engine"], say)
    with result_folder(out, (model.path, study.path)) as folder:
        progress = Reporter(quiet=options["quiet"])
        fitted = sample(
            model,
            study,
            seed=options["seed"],
            engine=options["engine"],
            draws=options["draws"],
            chains=options["chains"],
            cores=workers_of(options["workers"]),
            interval=options["interval"],
            prob=options["prob"],
            progress=progress,
        )
        progress.close()
        for finding in fitted.findings:
            if finding not in known:
                say(f"{finding.severity}: {finding.message}")
        fitted, more = _asked_besides(fitted, study, options, folder)
        started = time.perf_counter()
        more |= {"notice": notice(fitted)} if notice is not None else {}
        report(fitted, folder / "report.html", **more, progress=progress)
        seconds = {**fitted.seconds, "report": time.perf_counter() - started}
        fitted = replace(fitted, seconds=seconds)
        write_fit(fitted, folder, command_line())
        if also is not None:
            also(folder, fitted)
    print_fit(fitted, out, options, more)
    if command == "fit":
        finish(fitted)
    return fitted


def _asked_besides(
    fitted: Any, study: Any, options: dict[str, Any], folder: Path
) -> tuple[Any, dict[str, Any]]:
    """Run what is asked for beside a fit; return the fit with its seconds, and what was found."""
    import time
    from dataclasses import replace

    more: dict[str, Any] = {}
    for name, ask in (("ml", _beside_ml), ("confounding", _confounded), ("leave_out", _left)):
        if options.get(name):
            started = time.perf_counter()
            more |= ask(fitted, study, options, folder)
            seconds = {**fitted.seconds, name: time.perf_counter() - started}
            fitted = replace(fitted, seconds=seconds)
    return fitted, more


def _say_if_slow(model: Any, system: Any, engine: str, say: Callable[[str], None]) -> None:
    """Say that a model has to be sampled, and what would be faster."""
    from acmodels.inference.speed import EACH, slow
    from acmodels.priors import resolve_priors

    joint = system.sampled
    priors = resolve_priors(model.priors, joint.layout, joint.responses, model.source)
    found = slow(joint.layout, priors, engine)
    if found is not None:
        say(f"This model has to be sampled, {EACH}, since {found.reason}.")
        for more in found.faster:
            say(f"Faster: {more}")


def _beside_ml(fitted: Any, study: Any, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The table of `--ml`, written; statsmodels is imported only here."""
    del study, options
    from acmodels.effects.maximum_likelihood import maximum_likelihood
    from acmodels.reporting.results import write_table

    table = maximum_likelihood(fitted)
    write_table(table, folder / "ml.csv")
    return {"ml": table}


def _confounded(fitted: Any, study: Any, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The tables of `--confounding`, written."""
    import pandas as pd

    from acmodels.progress import Reporter
    from acmodels.reporting.results import write_table
    from acmodels.robustness.confounding import confounding, read_pair
    from acmodels.spec.model import names_of

    del study
    progress = Reporter(quiet=options["quiet"])
    mediator, outcome, unit = read_pair(options["confounding"], names_of(fitted.spec.equations))
    found = confounding(
        fitted, mediator, outcome, unit=unit, prior=options["confounding_prior"], progress=progress
    )
    progress.close()
    parts = [found.table] if found.averaged is None else [found.table, found.averaged]
    write_table(pd.concat(parts, ignore_index=True), folder / "confounding.csv")
    return {"confounding": found}


def _left(fitted: Any, study: Any, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The table of `--leave-out`, written."""
    from acmodels.progress import Reporter
    from acmodels.reporting.results import write_table
    from acmodels.robustness.leave_out import influence

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
        from acmodels.robustness.confounding import read_pair
        from acmodels.spec.model import names_of

        for name in read_pair(options["confounding"], names_of(model.equations))[:2]:
            if name not in model.equations:
                near = did_you_mean(str(name), model.equations)
                raise click.UsageError(
                    f"--confounding: {model.source} has no equation '{name}'{near}"
                )
    by = options.get("leave_out")
    if by and plain(by) not in study.names:
        raise click.UsageError(f"--leave-out: no column '{by}'{did_you_mean(by, study.names)}")
    if (by or options.get("confounding")) and not model.estimands:
        raise click.UsageError(f"{model.source}: has no [estimands] to refit")


@main.command()
@click.argument("model", shell_complete=shipped)
@click.argument("data", type=click.Path(path_type=Path))
@options_of("columns", "json")
def priors(model: str, data: Path, **options: Any) -> None:
    """Show the priors in force for MODEL on DATA."""
    from acmodels.data import read_study
    from acmodels.load import load_model
    from acmodels.priors import resolve_priors
    from acmodels.system import build_system

    loaded = load_model(model)
    joint = build_system(loaded, read_study(data, options["columns"])).sampled
    found = resolve_priors(loaded.priors, joint.layout, joint.responses, loaded.source)
    if options["as_json"]:
        echo_json(
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
        echo(f"{p.name:<{width}}  {p.distribution!s:<34}  {origin}{p.note}")


@main.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.option("--style", type=click.Choice(["apa", "brms", "lavaan"]), default="apa")
@options_of("out", "quiet")
def tables(result: Path, style: Any, **options: Any) -> None:
    """Write tables and a methods paragraph for a paper from RESULT, a folder of `fit`."""
    from acmodels.reporting.paper_files import write_papers

    written = write_papers(result, options["out"] or Path("tables"), style)
    if options["quiet"]:
        return
    for path in written:
        echo(f"Written: {path}")
    if not any(p.suffix == ".docx" for p in written):
        echo("For a Word document too: pip install 'acmodels[papers]'")


@main.command()
@click.argument("plan", shell_complete=plans)
@click.argument("data", type=click.Path(path_type=Path))
@options_of("columns", *FITTING)
def pilot(plan: str, data: Path, **options: Any) -> None:
    """Fit PLAN's model to DATA, and write the plan with the pilot's posterior as truths."""
    from acmodels.data import read_study
    from acmodels.load import load_plan
    from acmodels.replication.pilot import plan_and_words, to_toml

    loaded = load_plan(plan)
    model = loaded.cells[0].design.model
    study = read_study(data, options["columns"])

    told: list[str] = []

    def also(folder: Path, fitted: Any) -> None:
        table, carried = plan_and_words(loaded, fitted)
        told.extend(carried)
        if model is not None and model.path is not None:
            table["model"] = str(model.path.resolve())
        said = (
            f"{loaded.source} with truths from {study.name}: acmodels power FILE gives assurance.\n"
            "The distributions of truths are the pilot's posterior, one parameter at a time.\n"
            "Predictors and losses:\n" + "\n".join(f"  {line}" for line in carried)
        )
        (folder / "plan.toml").write_text(to_toml(table, said), encoding="utf-8")

    fitted = fit_and_write(model, study, options, "pilot", also)
    out = options["out"] or Path("pilot")
    if not options["quiet"] and not options["as_json"]:
        for line in told:
            echo(line)
        echo(f"Plan: {out / 'plan.toml'}")
    finish(fitted)

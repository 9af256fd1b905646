"""What `fit` says on a terminal of a model that was fitted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acmodels.cli.common import echo, echo_json, records
from acmodels.numbers import decimal, estimate, stated


def print_fit(fitted: Any, out: Path, options: dict[str, Any], more: dict[str, Any]) -> None:
    """Print verdicts, or else effects, or else parameters; then sizes and what was asked for.

    Args:
        fitted: from `fit`.
        out: the folder of its results.
        options: of the command line.
        more: what `--ml`, `--confounding` and `--leave-out` found, by the report's name for it.
    """
    from acmodels.inference.judging import judge
    from acmodels.reporting.results import diagnostics_table, seconds_words

    verdicts = judge(fitted.effects, fitted.spec.propositions)
    if options["as_json"]:
        echo_json(
            {
                "out": str(out),
                "diagnostics": diagnostics_table(fitted),
                "verdicts": records(verdicts),
                "estimands": records(fitted.effects.table),
            }
        )
        return
    if options["quiet"]:
        return
    kind = "equal-tailed" if fitted.interval == "eti" else "highest-density"
    echo(f"Intervals are {stated(100 * fitted.prob)} % {kind}.")
    for block in (_main(fitted, verdicts), size_lines(fitted), _more(more)):
        lines = list(block)
        if lines:
            echo()
        for line in lines:
            echo(line)
    echo()
    for message in fitted.diagnostics.messages:
        echo(message)
    state = "usable" if fitted.diagnostics.usable else "NOT usable"
    echo(f"Engine {fitted.engine_note}; the posterior is {state}.")
    echo(f"Time: {seconds_words(fitted.seconds)}.")
    echo(f"Report: {out / 'report.html'}")


def _main(fitted: Any, verdicts: Any) -> Iterator[str]:
    """Verdicts, or effects, or parameters, each with its interval."""
    if len(verdicts):
        rows = verdicts.to_dict("records")
        width = max(len(interval_of(r)) for r in rows)  # nothing where it is withheld
        for r in rows:
            said = fitted.spec.propositions[r["proposition"]].statement
            yield (
                f"{r['proposition']:<6} {r['status']:<12} {interval_of(r):<{width}}  {r['reason']}"
            )
            if said:
                yield f"       {said}"
        return
    table = fitted.effects.table
    why = [r.withheld for r in fitted.effects.rows]
    if not len(table):
        table = fitted.estimates.assign(at="")
        why = [""] * len(table)
    named = [
        (f"{r['name']} [{r['at']}]" if r["at"] else r["name"], interval_of(r) or said)
        for r, said in zip(table.to_dict("records"), why, strict=True)
    ]
    width = max(len(name) for name, _ in named)
    yield from (f"{name:<{width}}  {said}" for name, said in named)


def interval_of(row: dict[str, Any]) -> str:
    """The mean and the interval of a row of a table; nothing where it has no number."""
    if row["mean"] != row["mean"]:
        return ""
    return estimate(row["mean"], row["lower"], row["upper"])


def size_lines(fitted: Any) -> Iterator[str]:
    """R2 and intraclass correlations of each equation."""
    from acmodels.effects.sizes import effect_sizes, kind_words

    found = effect_sizes(fitted)
    for response, rows in found.table.groupby("response", sort=False):
        said = [f"{kind_words(r['kind'])} {interval_of(r)}" for r in rows.to_dict("records")]
        yield f"{response}: {'; '.join(said)}"
    yield from (f"{y}: no R2, since {why}" for y, why in found.why_not.items())


def _more(more: dict[str, Any]) -> Iterator[str]:
    from acmodels.reporting.robustness import confounding_lines, influence_lines
    from acmodels.reporting.words import ml_words

    if "ml" in more:
        yield f"Maximum likelihood: {ml_words(more['ml'].to_dict('records'))} See ml.csv."
        far = more["ml"].loc[more["ml"]["distance"].abs() > 1]
        for r in far.to_dict("records"):
            yield f"  {r['name']}: {decimal(abs(r['distance']), 1)} standard errors; {r['note']}"
    if "confounding" in more:
        yield from confounding_lines(more["confounding"])
    if "influence" in more:
        yield from influence_lines(more["influence"])

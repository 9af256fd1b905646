"""Results to files: the tables, JSON and NetCDF that the contract names."""

import hashlib
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acmodels.effects.ceilings import bottlenecks
from acmodels.effects.measurement import constructs, measurement
from acmodels.effects.sizes import effect_sizes
from acmodels.errors import ModelError
from acmodels.folder import MARK, write_json
from acmodels.inference.fitting import Fit
from acmodels.inference.judging import judge
from acmodels.inference.parts import parts
from acmodels.inference.saved import GROUP, kept_effects, kept_propositions
from acmodels.numbers import decimal
from acmodels.reporting.words import group_sizes
from acmodels.simulation import Simulation
from acmodels.spec.design import Design
from acmodels.worlds import World, variables

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("acmodels", "pymc", "nutpie", "numba", "arviz", "numpy", "pandas", "scipy")


def versions() -> dict[str, str]:
    """Versions of this package, what it computes with, and Python."""
    out: dict[str, str] = {}
    for name in PACKAGES:
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "not installed"
    return {**out, "python": platform.python_version()}


def write_fit(fit: Fit, folder: Path, command: Sequence[str] = ()) -> None:
    """Write everything of a fit but the report.

    Args:
        fit: what was fitted.
        folder: an existing folder.
        command: the command line, for `run.json`.
    """
    import xarray as xr

    write_table(fit.estimates, folder / "estimates.csv")
    write_table(fit.effects.table, folder / "estimands.csv")
    write_table(judge(fit.effects, fit.spec.propositions), folder / "verdicts.csv")
    found = parts(fit.effects, fit.spec.propositions)
    if len(found):
        write_table(found, folder / "parts.csv")
    write_table(effect_sizes(fit).table, folder / "r2.csv")
    required = bottlenecks(fit)
    if len(required):
        write_table(required, folder / "bottlenecks.csv")
    if fit.system.layout.measures:
        write_table(measurement(fit), folder / "measurement.csv")
        write_table(constructs(fit), folder / "constructs.csv")
    write_json(folder / "diagnostics.json", diagnostics_table(fit))
    tree = fit.posterior.copy()
    if fit.effects.rows:
        tree[GROUP] = xr.DataTree(kept_effects(fit.effects.rows))
    tree.to_netcdf(folder / "posterior.nc", engine="h5netcdf")
    write_json(folder / MARK, provenance(fit, command))


def diagnostics_table(fit: Fit) -> dict[str, Any]:
    """The keys of `diagnostics.json`."""
    d = fit.diagnostics
    return {
        "engine": d.engine,
        "max_r_hat": d.max_r_hat,
        "min_ess_bulk": d.min_ess_bulk,
        "min_ess_tail": d.min_ess_tail,
        "divergences": d.divergences,
        "pareto_k": d.pareto_k,
        "usable": d.usable,
        "messages": list(d.messages),
    }


def provenance(fit: Fit, command: Sequence[str]) -> dict[str, Any]:
    """The keys of `run.json`."""
    return {
        "command": list(command),
        "versions": versions(),
        "seed": fit.seed,
        "engine": fit.draws.engine,
        "engine_note": fit.engine_note,
        "log_marginal_likelihood": fit.log_marginal_likelihood if fit.draws.parts else None,
        "chains": int(fit.draws.values.shape[0]),
        "draws": int(fit.draws.values.shape[1]),
        "interval": fit.interval,
        "prob": fit.prob,
        "rows_given": fit.system.rows_given,
        "rows_used": fit.system.rows_used,
        "rows_observed": fit.system.rows_observed,
        "equations": _equations(fit),
        "estimands": {k: _scale(e.settings) for k, e in fit.spec.estimands.items()},
        "propositions": kept_propositions(fit.spec.propositions),
        "groups": group_sizes(fit.system.layout),
        "priors": {k: dict(d) for k, d in fit.spec.priors.items()},
        "labels": dict(fit.labels),
        "missing": [asdict(t) for t in fit.system.treatments],
        "seconds": {k: round(v, 3) for k, v in fit.seconds.items()},
        "model": {"name": fit.spec.name, "file": fit.spec.source, "sha256": fit.spec.sha256},
        "data": dict(fit.data_sha256),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "warnings": [f.message for f in fit.findings],
    }


def _scale(settings: Any) -> dict[str, Any]:
    """The scale of an estimand, and the values between which `from` moves on the response scale."""
    scale = {"scale": getattr(settings, "scale", "linear")}
    values = getattr(settings, "values", None)
    return scale | ({"values": list(values)} if values else {})


def _equations(fit: Fit) -> dict[str, dict[str, Any]]:
    """Each equation with its family, link, level and rows with an observed response."""
    rows = fit.system.observed
    return {
        e.response: {
            "formula": fit.spec.equations[e.response].formula.text,
            "family": e.family,
            "link": e.link,
            "level": e.level,
            "rows": rows[e.response],
        }
        for e in fit.system.layout.equations
    }


def mark(folder: Path, command: Sequence[str], **said: Any) -> None:
    """Write the `run.json` of a command: the command line, versions, and what else is said."""
    write_json(folder / MARK, {"command": list(command), "versions": versions(), **said})


def run_json(found: Any, folder: Path, command: Sequence[str], seed: int) -> None:
    """Write the `run.json` of a run: recovery, calibration or power.

    Args:
        found: what the run returned.
        folder: of the run.
        command: the command line.
        seed: of the run.
    """
    result = found.result
    ready = result.ready[0]
    model, design = ready.model, ready.cell.design
    reasons = [why for o in result.outcomes for why in o.reasons]
    write_json(
        folder / MARK,
        {
            "command": list(command),
            "versions": versions(),
            "seed": seed,
            "engine": ready.engine,
            "fits": len(reasons),
            "failed": sum(1 for why in reasons if why),
            "trusted": found.trusted,
            "seconds": {"run": round(result.seconds, 3)},
            "fitted_now": result.fitted,
            "model": {"name": model.name, "file": model.source, "sha256": model.sha256},
            "design": {"file": design.source, "sha256": design.sha256},
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        },
    )


def write_simulation(
    made: Simulation,
    design: Design,
    folder: Path,
    *,
    seed: int,
    replicate: int = 0,
) -> None:
    """Write one simulated study: `data.csv`, `truth.json` and `datapackage.json`.

    `truth.json` has every parameter and every effect by name, and under `assumed` the names of the
    parameters for which the design states no truth.

    Numbers have six significant digits, so that machines whose last bits differ write the
    same bytes.
    """
    frame = made.study.frame
    name = design.model.name if design.model is not None else design.model_name
    write_table(frame, folder / "data.csv", digits=6)
    truth = {**made.truth, **made.effects}
    numbers = {k: float(f"{v:.10g}") for k, v in truth.items()}
    if "assumed" in numbers:
        raise ModelError(
            f"{design.source}: an estimand of the model is called 'assumed', which in truth.json "
            "lists the truths that the design does not state; give it another name"
        )
    write_json(folder / "truth.json", {**numbers, "assumed": list(made.assumed)})
    digest = hashlib.sha256((folder / "data.csv").read_bytes()).hexdigest()
    write_json(
        folder / "datapackage.json",
        {
            "name": name.replace("_", "-"),
            "title": f"Simulated study for the model {name}",
            "description": "Synthetic data; truth.json holds the true values by name.",
            "model": name,
            "design": design.source,
            "seed": seed,
            "replicate": replicate,
            "resources": [
                {
                    "name": "data",
                    "path": "data.csv",
                    "format": "csv",
                    "hash": f"sha256:{digest}",
                    "schema": {"fields": _fields(frame)},
                }
            ],
        },
    )


def write_world(made: World, folder: Path) -> None:
    """Write the study of a world: tables, `datapackage.json`, `truth.json` and `codebook.md`."""
    from acmodels.data.writing import export

    s = made.scenario
    about = {
        "title": s.title,
        "description": "Synthetic data; truth.json holds every coefficient and effect by name.",
        "scenario": s.source,
        "seed": made.seed,
    }
    export(made.study, folder, "csv", {"name": s.name.replace("_", "-").lower(), **about})
    write_json(folder / "truth.json", {k: float(f"{v:.10g}") for k, v in made.truth.items()})
    with (folder / "codebook.md").open("a", encoding="utf-8") as book:
        book.write("\n".join(_variables()) + "\n")


def _variables() -> list[str]:
    """The world's variables, for a codebook."""
    lines = ["## Variables", "", "| variable | label | unit | measured | from |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for v in variables().values():
        how = f"{v.items} items" if v.items else v.measured
        causes = ", ".join(str(a.term) for a in v.arrows)
        lines.append(f"| {v.name} | {v.label} | {v.level} | {how} | {causes} |")
    return lines


def _fields(frame: "pd.DataFrame") -> list[dict[str, str]]:
    kinds = {"f": "number", "i": "integer", "u": "integer", "b": "boolean"}
    return [
        {"name": str(c), "type": kinds.get(frame[c].dtype.kind, "string")} for c in frame.columns
    ]


def write_table(table: "pd.DataFrame", path: Path, digits: int | None = None) -> None:
    """Write a CSV table; missing cells are empty, numbers round-trip unless digits are given."""
    table.to_csv(
        path,
        index=False,
        float_format=None if digits is None else f"%.{digits}g",
        lineterminator="\n",
        encoding="utf-8",
    )


def seconds_words(seconds: Mapping[str, float]) -> str:
    """Times by stage in one line."""
    return ", ".join(f"{k} {decimal(v, 1)} s" for k, v in seconds.items())

"""What `fit` left in a folder, read for the tables of a paper."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acmodels.errors import InputError
from acmodels.numbers import count, stated
from acmodels.reporting.words import rows_words, several

NEEDED = {
    "chains", "draws", "engine", "interval", "model", "prob", "rows_given", "rows_used", "seed",
    "versions",
}  # fmt: skip
"""What a table or the methods paragraph says of a run."""


@dataclass(frozen=True)
class Written:
    """What `fit` left in a folder: rows of its tables, `run.json` and `diagnostics.json`.

    `sizes` is empty where an older version wrote the folder.
    """

    estimates: tuple[Mapping[str, str], ...]
    estimands: tuple[Mapping[str, str], ...]
    verdicts: tuple[Mapping[str, str], ...]
    sizes: tuple[Mapping[str, str], ...]
    run: Mapping[str, Any]
    diagnostics: Mapping[str, Any]


def read(folder: Path) -> Written:
    """Read a result folder.

    Raises:
        InputError: it is none of `acmodels fit`.
    """
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        found = json.loads((folder / "diagnostics.json").read_text(encoding="utf-8"))
        estimates, estimands, verdicts = (
            _rows(folder / f"{n}.csv") for n in ("estimates", "estimands", "verdicts")
        )
    except (OSError, ValueError, csv.Error) as error:
        said = (
            f"{Path(error.filename).name}: {error.strerror}"
            if isinstance(error, OSError)
            else error
        )
        raise InputError(
            f"{folder}: is not a result of `acmodels fit` (it needs run.json, diagnostics.json, "
            f"estimates.csv, estimands.csv and verdicts.csv): {said}"
        ) from None
    lost = sorted(NEEDED - set(run if isinstance(run, dict) else ()))
    if lost:
        raise InputError(
            f"{folder}: is not a result of `acmodels fit`: its run.json lacks {', '.join(lost)}"
        )
    _check_shape(folder, run)
    sizes = _rows(folder / "r2.csv") if (folder / "r2.csv").is_file() else ()
    return Written(estimates, estimands, verdicts, sizes, run, found)


def _check_shape(folder: Path, run: Mapping[str, Any]) -> None:
    """Refuse a `run.json` that somebody edited into another shape."""
    tables = ("equations", "groups", "priors", "estimands", "propositions")
    wrong = [k for k in tables if not isinstance(run.get(k, {}), dict)]
    needed = {"formula", "family", "link", "level", "rows"}
    for k, keys in (("equations", needed), *((k, set[str]()) for k in tables[2:])):
        entries = run.get(k, {}).values() if k not in wrong else ()
        if not all(isinstance(e, dict) and keys <= set(e) for e in entries):
            wrong.append(k)
    if run.get("equations") and not isinstance(run.get("rows_observed"), int):
        wrong.append("rows_observed")
    if wrong:
        raise InputError(
            f"{folder}: {', '.join(wrong)} of its run.json are not as `acmodels fit` writes them"
        )


def _rows(path: Path) -> tuple[Mapping[str, str], ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def interval_kind(found: Written) -> str:
    """Say what the intervals of a result are."""
    kind = {"eti": "equal-tailed", "hdi": "highest-density"}[found.run["interval"]]
    return f"{stated(100 * found.run['prob'])}% {kind} credible interval"


def rows_fitted(run: Mapping[str, Any]) -> str:
    """Return what was fitted, with the equations that had fewer rows."""
    equations = run.get("equations", {})
    left_out = run["rows_given"] - run["rows_used"]
    said = f", {count(left_out)} left out for missing values" if left_out else ""
    if not equations:
        return several(run["rows_used"], "row") + said
    each = {y: (e["level"], e["rows"]) for y, e in equations.items()}
    return rows_words(each, run["rows_observed"]) + said

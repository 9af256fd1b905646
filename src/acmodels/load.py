"""Files to checked values: models and designs, shipped or by path."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

from acmodels.errors import InputError, ModelError, NotYetError, did_you_mean, listing, printable
from acmodels.estimands import kind, read_estimands
from acmodels.families import family
from acmodels.spec.design import Design, design_from_table, with_model
from acmodels.spec.model import Model, model_from_table
from acmodels.spec.plan import (
    PLAN_ONLY,
    Plan,
    PlanTable,
    design_part,
    plan_from_table,
    plan_with_model,
)
from acmodels.spec.strict import check_table, read_toml


def models_folder() -> Path:
    """The folder of shipped models: in the package, or beside it in a checkout."""
    inside = Path(__file__).parent / "models"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "models"


def shipped_models() -> tuple[str, ...]:
    """Names of the models that come with the package."""
    return tuple(sorted(p.stem for p in models_folder().glob("*.toml")))


def load_model(source: str | Path | Mapping[str, Any], beside: Path | None = None) -> Model:
    """Load a model.

    Args:
        source: a path, the name of a shipped model, or the contents of a model file.
        beside: the folder that a relative path starts from; the working directory if None.

    Raises:
        ModelError: it is missing or wrong; every problem is named.
        NotYetError: it asks for something this version does not fit.
    """
    if isinstance(source, Mapping):
        return _checked(model_from_table(source, str(source.get("name", "model"))))
    path = _usual(source) or _find(source, beside, models_folder(), shipped_models(), "model")
    return _checked(model_from_table(read_toml(path), printable(path.name), path, _sha256(path)))


def load_design(source: str | Path | Mapping[str, Any]) -> Design:
    """Load a design, and the model it names.

    Args:
        source: a path, the name of a shipped design, or the contents of a design file.

    Raises:
        ModelError: it is missing or wrong; every problem is named.
    """
    if isinstance(source, Mapping):
        design = design_from_table(_design_part(source, "design"), "design")
    else:
        folder = models_folder() / "designs"
        shipped = tuple(sorted(p.stem for p in folder.glob("*.toml")))
        path = _find(source, None, folder, shipped, "design")
        design = design_from_table(
            _design_part(read_toml(path), printable(path.name)),
            printable(path.name),
            path,
            _sha256(path),
        )
    beside = design.path.parent if design.path else None
    return with_model(design, load_model(design.model_name, beside))


def design_of(model: Model) -> Design:
    """The design that a model file names, with the model.

    Raises:
        ModelError: it names none, or the design is not there or wrong.
    """
    if model.design is None:
        raise ModelError(
            f"{model.source}: names no design of its own; give one, or write design = "
            '"FILE.toml" at its top'
        )
    beside = None if model.path is None else model.path.parent / model.design
    source = beside if beside is not None and beside.is_file() else model.design
    return with_model(load_design(source), model)


def _design_part(table: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    """A design; of a plan, the design in it, once the whole plan is found to be right."""
    if any(k in table for k in PLAN_ONLY):
        check_table(PlanTable, table, source)
    return design_part(table)


def load_plan(source: str | Path | Mapping[str, Any]) -> Plan:
    """Load a plan, and the model that its design names.

    Args:
        source: a path, the name of a shipped plan, or the contents of a plan file.

    Raises:
        ModelError: it is missing or wrong; every problem is named.
    """
    if isinstance(source, Mapping):
        plan = plan_from_table(source, "plan")
    else:
        folder = models_folder() / "designs"
        shipped = tuple(sorted(p.stem for p in folder.glob("*.toml")))
        path = _find(source, None, folder, shipped, "plan")
        plan = plan_from_table(read_toml(path), printable(path.name), path, _sha256(path))
    beside = plan.path.parent if plan.path else None
    model = load_model(plan.cells[0].design.model_name, beside)
    return plan_with_model(plan, model)


def as_design(given: Any) -> Design:
    """A design as it was given, or loaded: a path, a shipped name, a table, or a plan's first.

    Raises:
        InputError: it is none of these, or wrong.
    """
    if isinstance(given, Design):
        return given
    if isinstance(given, Plan):
        return given.cells[0].design
    if isinstance(given, Model):
        return design_of(given)
    if isinstance(given, str | Path | Mapping):
        return load_design(given)  # pyright: ignore[reportUnknownArgumentType]
    raise InputError(
        f"a design is needed, from load_design, or the path or name of one, not "
        f"{type(given).__name__}"
    )


def as_plan(given: Any) -> Plan:
    """A plan as it was given, or loaded: a path, a shipped name or a table.

    Raises:
        InputError: it is none of these, or wrong.
    """
    if isinstance(given, Plan):
        return given
    if isinstance(given, str | Path | Mapping):
        return load_plan(given)  # pyright: ignore[reportUnknownArgumentType]
    hint = "; a design has no [grid] or [criterion]" if isinstance(given, Design) else ""
    raise InputError(
        f"a plan is needed, from load_plan, or the path or name of one, not "
        f"{type(given).__name__}{hint}"
    )


def _find(
    source: str | Path, beside: Path | None, folder: Path, shipped: tuple[str, ...], what: str
) -> Path:
    text = str(source)
    path = Path(text) if beside is None else beside / text
    try:
        if path.suffix == ".toml" or path.is_file():
            return path
    except OSError as error:
        raise ModelError(f"{text[:80]}…: cannot be read: {error.strerror}") from None
    if text in shipped:
        return folder / f"{text}.toml"
    if what == "model" and re.fullmatch(r"framework/\w+", text):
        compiled = (
            folder / f"{text}.toml"
        )  # what a proposition of the shipped framework compiles to
        if compiled.is_file():
            return compiled
    if what == "design" and (models_folder() / "worlds" / f"{text}.toml").is_file():
        raise ModelError(f"no {what} '{text}', but a world has that name: world(\"{text}\")")
    raise ModelError(
        f"no {what} '{text}'{did_you_mean(text, shipped)} "
        f"(shipped: {listing(shipped) or 'none'}; a file of your own ends in .toml)"
    )


def _usual(source: str | Path) -> Path | None:
    """The file of a model of a usual design, which plans name so that a copy runs anywhere."""
    known = {p.stem: p for p in (models_folder() / "usual").glob("*.toml")}
    path = known.get(str(source))
    return None if path is None or Path(source).is_file() else path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checked(model: Model) -> Model:
    """Check what other rooms own: families, links, estimands; refuse what is not built yet."""
    later = _not_yet(model)
    if later:
        raise NotYetError(f"{model.source}: {p}" for p in later)
    problems: list[str] = []
    for r, e in model.equations.items():
        where = f"{model.source}: equations.{r}"
        fam = family(e.family, f"{where}.family")
        if e.link is not None and e.link not in fam.links:
            problems.append(
                f"{where}.link: the family {e.family} has no link '{e.link}'"
                f"{did_you_mean(e.link, fam.links)} (links: {listing(fam.links)})"
            )
        if fam.needs_trials and e.trials is None:
            problems.append(f'{where}: the family {e.family} needs trials = "column"')
        if e.trials is not None and not fam.needs_trials:
            problems.append(f"{where}.trials: the family {e.family} takes no trials")
        if e.se is not None and not fam.has_sigma:
            problems.append(f"{where}.se: the family {e.family} has no residual sd to be known")
    if problems:
        raise ModelError(problems)
    checked = replace(model, estimands=read_estimands(model.estimands, model.source))
    problems = _certain(checked)
    if problems:
        raise ModelError(problems)
    return checked


def _certain(model: Model) -> list[str]:
    """Refuse claims that hold whatever the data: shares of variance and sds are above 0."""
    out: list[str] = []
    claims = [(q, c) for q in model.propositions.values() for c in q.claims]
    for p, c in claims:
        e = model.estimands[c.estimand]
        low, high = kind(e.kind).bounds(e.settings)
        if (low, high) == (-inf, inf):
            continue
        if c.upper <= low or c.lower >= high if c.outside else c.lower <= low and c.upper >= high:
            out.append(
                f"{model.source}: propositions.{p.id}.region: '{c.estimand}' is above 0 whatever "
                "the data say; state the minimum that counts, as region = { above = 0.05 }"
            )
    return out


def _not_yet(model: Model) -> list[str]:
    out: list[str] = []
    if model.panel is not None and model.panel.initial == "stationary":
        out.append(
            'panel.initial: first-wave deviations that the process implies ("stationary") are not '
            'fitted yet by this version; use initial = "free"'
        )
    return out

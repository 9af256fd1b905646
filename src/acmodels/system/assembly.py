"""A layout and its responses from rows of a study, and what a careful colleague says of them."""

from collections.abc import Mapping

from acmodels.data import Finding, Study
from acmodels.data.coding import nominal
from acmodels.data.columns import holds_dates
from acmodels.errors import DataError, listing
from acmodels.spec.formula import quoted
from acmodels.spec.model import Equation, Model
from acmodels.system import checks
from acmodels.system.arrays import Array, Responses
from acmodels.system.centered import zero_notes
from acmodels.system.equation import Curves
from acmodels.system.equations import codes_found, layout_of
from acmodels.system.item_checks import construct_warnings, item_warnings
from acmodels.system.latent import latent_notes
from acmodels.system.layout import Layout
from acmodels.system.rows import Rows
from acmodels.system.separation import not_looked_at


def assemble(
    model: Model,
    rows: "Rows",
    codes: Mapping[str, tuple[int, ...]] | None = None,
    curves: Mapping[str, Curves] | None = None,
) -> tuple[Layout, Responses]:
    """Build the layout and read the responses.

    Args:
        model: checked for itself.
        rows: the study's.
        codes: by ordered response, its categories; as the data have them where not given.
        curves: by equation, the columns of splines; made from the data where not given.

    Raises:
        DataError: what cannot be read, and what varies within a unit where it must not.
    """
    raw = {r: rows.numeric(r, factor=False) for r in model.equations}
    layout = layout_of(model, rows, {**codes_found(model, raw), **(codes or {})}, curves)
    responses = {e.response: raw[e.response][e.rows] for e in layout.equations}
    domains(model, raw, rows)
    also = {r: {r: raw[r], **further(e, rows, raw)} for r, e in model.equations.items()}
    problems = checks.constant_within_levels(layout, also, rows.names)
    if problems:
        raise DataError(f"{rows.study.name}: {p}" for p in problems)
    return layout, responses


def examined(layout: Layout, responses: Responses, rows: "Rows") -> list[Finding]:
    """Collect problems and warnings about the data.

    Raises:
        DataError: constant or collinear predictors, responses that their family refuses.
    """
    problems, warnings = checks.examine(layout, responses)
    problems += checks.response_problems(layout, responses, rows.names)
    if problems:
        raise DataError(f"{rows.study.name}: {p}" for p in problems)
    found = [Finding("warning", w) for w in warnings]
    found += [Finding("warning", w) for w in _near_duplicates(layout, rows)]
    found += [Finding("warning", w) for w in item_warnings(layout, responses)]
    found += [Finding("warning", w) for w in construct_warnings(layout, responses)]
    found += [Finding("note", n) for n in _without_weight(layout)]
    found += [Finding("note", n) for n in (*latent_notes(layout), *not_looked_at(layout))]
    found += [Finding("note", n) for n in _coded(layout, rows.study)]
    found += [Finding("note", n) for n in zero_notes(layout, responses)]
    return found


def _without_weight(layout: Layout) -> list[str]:
    """Say how many rows have weight 0."""
    return [
        f"equations.{e.response}: {e.n - e.counted} of {e.n} rows have weight 0 and carry no "
        f"information about '{e.response}', as if they were left out"
        for e in layout.equations
        if e.counted < e.n
    ]


def _coded(layout: Layout, study: Study) -> list[str]:
    """Notes on categories that enter as numbers, and on dates that name units or levels."""
    out: list[str] = []
    for name, v in layout.variables.items():
        words = () if v.levels else nominal(study, name)
        if words:
            said = listing([f"“{w}”" for w in words], 4)
            out.append(
                f"'{name}' enters as a number, though its value labels ({said}) look like "
                f"categories without order; write factor({quoted(name)}) if they are"
            )
        if v.levels and holds_dates(study, name):
            out.append(f"'{name}' holds dates, and each date is taken for a category")
    groupings = dict.fromkeys(c for b in layout.blocks for c in b.columns)
    out += [
        f"'{c}' holds dates, and each date is taken for a unit of the grouping"
        for c in groupings
        if holds_dates(study, c)
    ]
    return out


def further(e: Equation, rows: "Rows", responses: Mapping[str, Array]) -> dict[str, Array]:
    """Return what an equation reads beside exogenous columns of its design, on the data's rows."""
    read = dict.fromkeys(s for o in e.formula.operands() for s in o.sources)
    out = {s: responses[s] for s in read if s in responses}
    out |= {c: rows.numeric(c, factor=False) for c in (e.se, e.trials, e.weights) if c}
    return out | {o.variable: rows.numeric(o.variable) for o in e.formula.offsets}


def domains(model: Model, raw: Mapping[str, Array], rows: "Rows") -> None:
    """Refuse responses that a transform in another equation cannot take."""
    problems: list[str] = []
    for e in model.equations.values():
        for o in e.formula.operands():
            for v in (v for v in o.variables if v in raw):
                try:
                    checks.domain(v, o, raw[v], rows.names)
                except DataError as error:
                    problems += [f"{rows.study.name}: {p}" for p in error.problems]
    if problems:
        raise DataError(dict.fromkeys(problems))


def _near_duplicates(layout: Layout, rows: Rows) -> list[str]:
    from acmodels.data import near_duplicate_labels

    out: list[str] = []
    for column in dict.fromkeys(c for b in layout.blocks for c in b.columns):
        pairs = near_duplicate_labels(rows.labels(column))
        if pairs:
            shown = listing([f"'{a}' and '{b}'" for a, b in pairs], 4)
            out.append(
                f"ids in '{quoted(column)}' differ only by space, case or Unicode form and count "
                f"as different units: {shown}"
            )
    return out

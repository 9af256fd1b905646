"""Missing values that cannot be modeled, in sentences that name the column and the reason."""

from collections.abc import Mapping

import numpy as np

from acmodels.errors import listing
from acmodels.families import family
from acmodels.spec.model import Model
from acmodels.system.known import Known
from acmodels.system.layout import Layout
from acmodels.system.missing import components
from acmodels.system.rows import Rows
from acmodels.system.terms import reads, terms

CATEGORIES = 8
"""Values of a discrete variable that are summed over, at most."""


def unmodeled(
    model: Model,
    layout: Layout,
    known: Known,
    needed: Mapping[str, np.ndarray],
    rows: Rows,
) -> list[str]:
    """What cannot be modeled, in sentences."""
    out: list[str] = []
    for e in layout.equations:
        written = model.equations[e.response]
        extras = {
            "standard error": written.se,
            "number of trials": written.trials,
            "weight": written.weights,
        }
        if written.weights is not None and any(m.any() for m in needed.values()):
            out.append(
                f"equations.{e.response} has weights, and missing values of "
                f"{listing([f"'{c}'" for c, m in needed.items() if m.any()])} would have to be "
                "modeled; weighted likelihoods are not averaged over unknown values"
            )
        for role, column in extras.items():
            lost = None if column is None else known.missing.get(column)
            if lost is not None and lost[e.rows].any():
                bad = listing(rows.names(e.rows[lost[e.rows]]))
                out.append(
                    f"'{column}', the {role} of equations.{e.response}, is missing where "
                    f"'{e.response}' is needed (rows {bad}); it is known without error or not at "
                    "all, so it cannot be modeled"
                )
    for column, m in needed.items():
        if m.any():
            out += _column_problems(model, layout, known, column)
    return out


def _column_problems(model: Model, layout: Layout, known: Known, column: str) -> list[str]:
    said = f"the missing values of '{column}' cannot be modeled: "
    name = model.equations[column].family if column in model.equations else None
    mine = None if name is None else family(name)
    summed = mine is not None and (mine.binary() or mine.ordered)
    discrete = column in known.support or summed
    if mine is not None and not (mine.unbounded or summed):
        return [f"{said}it is a mediator of the family {name}"]
    if len(known.support.get(column, ())) > CATEGORIES:
        many = len(known.support[column])
        return [f"{said}it has {many} categories, and at most {CATEGORIES} are summed over"]
    out: list[str] = []
    for e in model.equations.values():
        if any(o.variable == column for o in e.formula.offsets):
            out.append(f"{said}it stands in an offset() of equations.{e.response}")
        for o in e.formula.operands():
            if column not in o.variables or o in e.formula.offsets:
                continue
            if o.others or "mo" in o.functions:
                out.append(f"{said}it enters equations.{e.response} as {o.text}")
                continue
            if not discrete and {"log", "sqrt"} & set(o.functions):
                out.append(
                    f"{said}equations.{e.response} takes {o.text}, which not all values that a "
                    f"normal model allows have; make '{o.text}' a column of the data and use that"
                )
            if discrete and o.source != column:
                out.append(f"{said}it is discrete and enters equations.{e.response} as {o.source}")
    tied = {layout.equations[i].response for block in layout.residual for i in block}
    if discrete:
        out += [
            f"{said}it is discrete, and the residuals of equations.{e.response}, which "
            "reads it, correlate with others"
            for e in layout.equations
            if e.response in tied and column in reads(layout, e.response)
        ]
        out += _latent_problems(layout, column, said)
    return out


def _latent_problems(layout: Layout, column: str, said: str) -> list[str]:
    """A latent unit mean of a variable whose equation reads a discrete missing one."""
    out: list[str] = []
    for e in layout.equations:
        for s in {s.key: s for t in terms(layout, e.response) for s in t.sources}.values():
            if s.latent is None:
                continue
            if column in reads(layout, s.variable):
                out.append(f"{said}it is discrete, and {s.key} is a latent mean that rests on it")
    return out


def too_many(layout: Layout) -> list[str]:
    """Discrete cells that meet and have too many values together to sum over."""
    found, _ = components(layout)
    out: list[str] = []
    for c in found:
        if not len(c.configurations):
            names = dict.fromkeys(layout.missing[g].variable for g, _ in c.cells)
            out.append(
                f"the missing values of {listing([repr(n) for n in names])} meet, {len(c.cells)} "
                "of them at once, which are too many to sum over together"
            )
    return out

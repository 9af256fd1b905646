"""A model on a study with missing values that are modelled.

What is missing is settled in this order. A value that is one for all rows of a unit is taken from
another row of the unit. An outcome that is missing and predicts nothing leaves its equation, which
changes no posterior. Whatever else an equation still reads becomes unknown: a mediator's by its own
equation, an exogenous predictor's by an equation that is made for it (`predictors`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from acmodels.data import Finding, Study, kind, labels, numeric
from acmodels.errors import DataError, listing
from acmodels.spec.model import Model
from acmodels.system import build
from acmodels.system.latent import is_latent
from acmodels.system.layout import Array, Gap, Index, Layout
from acmodels.system.missing import components, read_columns, subset
from acmodels.system.predictors import Incomplete, predictor_models
from acmodels.system.rough import Guess, donors, guesses, home

CONTINUOUS = ("gaussian", "student")
"""Families of mediators whose missing values are quantities of their own."""
DISCRETE = ("bernoulli", "ordinal")
"""Families of mediators whose missing values are summed over."""
CATEGORIES = 8
"""Values of a discrete variable that are summed over, at most."""


@dataclass(frozen=True)
class Known:
    """What is known of the columns that lack values, on the data's rows.

    Attributes:
        missing: by column, rows whose value no other row of the unit tells, (N,).
        given: by column, rows without a value in the data, (N,).
        level: by column, the id column in whose units it has one value each, or None.
        code: by column, the unit of each row, or None.
        support: by discrete column without an equation, its values: numbers, or codes of a factor.
        guessed: rough values of continuous columns.
    """

    missing: Mapping[str, np.ndarray]
    given: Mapping[str, np.ndarray]
    level: Mapping[str, str | None]
    code: Mapping[str, Index | None]
    support: Mapping[str, tuple[float, ...]]
    guessed: Mapping[str, Guess]


def modelled_system(model: Model, study: Study, missing: Mapping[str, np.ndarray]) -> build.System:
    """Join a model and a study whose missing values are modelled.

    Args:
        model: checked for itself.
        study: one table.
        missing: by column, the rows without a value, (N,).

    Raises:
        DataError: as `build_system`, and for what cannot be modelled, by name.
    """
    known, rows = _read(model, study, missing)
    layout, _ = build.assemble(model, rows)
    layout, needed = prune(layout, known.missing, model)
    responses = {e.response: rows.numeric(e.response)[e.rows] for e in layout.equations}
    _refuse(_problems(model, layout, known, needed, rows), model, study)
    found = build.examined(layout, responses, rows)
    wanted = [
        Incomplete(v, known.missing[v], m, known.level[v], known.code[v], known.support.get(v, ()))
        for v, m in needed.items()
        if v not in model.equations and m.any()
    ]
    lacking = frozenset(c for c, m in known.missing.items() if m.any())
    made = predictor_models(model, build.Joint(layout, responses), wanted, lacking, rows)
    gaps = _gaps(made.joint.layout, known, {**needed, **made.needed})
    joint = build.Joint(replace(made.joint.layout, gaps=gaps), made.joint.responses)
    if gaps:
        _refuse(_sum_problems(joint.layout), model, study)
    treatments = _treatments(model, known, gaps, made.formulas)
    said = f'{build.said_missing(study, missing)}; all rows are used (missing = "model")'
    notes = [Finding("note", said)]
    notes += [Finding("note", f"{t.column}: {t.how}") for t in treatments]
    return build.System(
        layout,
        responses,
        (*study.findings, *notes, *found),
        study.n_rows,
        study.n_rows,
        study.name,
        joint if gaps else None,
        treatments,
    )


def _refuse(problems: list[str], model: Model, study: Study) -> None:
    if problems:
        advice = f'; put missing = "drop" at the top of {model.source} to use complete rows only'
        raise DataError(f"{study.name}: {p}{advice}" for p in dict.fromkeys(problems))


# --- reading ---------------------------------------------------------------------


def _read(
    model: Model, study: Study, missing: Mapping[str, np.ndarray]
) -> tuple[Known, build.Rows]:
    """Find levels, take values from other rows of a unit, guess the rest."""
    everything = np.ones(study.n_rows, dtype=bool)
    plain = build.Rows(study, everything)
    units = {c: build.codes_of([plain.labels(c)])[0] for c in build.keys_of(model)}
    level: dict[str, str | None] = {}
    code: dict[str, Index | None] = {}
    taken: dict[str, Index] = {}
    gone: dict[str, np.ndarray] = {}
    for column, gaps in missing.items():
        level[column] = _level(model, study, column, units)
        code[column] = units.get(level[column] or "")
        taken[column] = donors(gaps, code[column])
        gone[column] = gaps & (taken[column] == np.arange(len(gaps)))
    support = {
        c: s
        for c in missing
        if c not in model.equations and (s := _support(model, study, c)) is not None
    }
    numbers = _numbers(model, study, taken)
    known = {e.se for e in model.equations.values()} | {e.trials for e in model.equations.values()}
    wanted = {c: code[c] for c in missing if c in numbers and c not in support and c not in known}
    guessed = guesses(numbers, wanted)
    overrides = {
        c: g.values
        for c, g in guessed.items()
        if gone[c].any() and (c not in model.equations or model.equations[c].family in CONTINUOUS)
    }
    for column in missing:
        if column not in overrides and gone[column].any():
            taken[column] = _in_turn(taken[column], gone[column], code[column])
    found = Known(gone, missing, level, code, support, guessed)
    return found, build.Rows(study, everything, taken, overrides)


def _level(model: Model, study: Study, column: str, units: Mapping[str, Index]) -> str | None:
    if column in model.equations:
        return model.equations[column].level
    found = labels(study, column)
    known = np.array([v is not None for v in found])
    values = np.full(study.n_rows, -1, dtype=np.int64)
    _, numbered = np.unique(found[known].astype(str), return_inverse=True)
    values[known] = numbered.reshape(-1)
    required = frozenset(
        e.level
        for e in model.equations.values()
        if e.level is not None and column in [o.source for o in e.formula.operands()]
    )
    return home(values, units, required)


def _support(model: Model, study: Study, column: str) -> tuple[float, ...] | None:
    """Values of a discrete predictor: codes of a factor, or two numbers; None for others."""
    operands = [o for e in model.equations.values() for o in e.formula.operands()]
    mine = [o for o in operands if o.variable == column]
    if not mine:  # a standard error or a number of trials
        return None
    present = {v for v in labels(study, column) if v is not None}
    if kind(study, column) != "number" or any("factor" in o.functions for o in mine):
        return tuple(float(k) for k in range(len(present)))
    values = np.unique(numeric(study, column))
    values = values[~np.isnan(values)]
    return tuple(float(v) for v in values) if len(values) == 2 else None


def _numbers(model: Model, study: Study, taken: Mapping[str, Index]) -> dict[str, Array]:
    """Columns of numbers that the model reads, values taken from other rows of a unit."""
    out: dict[str, Array] = {}
    for e in model.equations.values():
        for column, role in build.uses(e, with_responses=True):
            if role in ("grouping", "level", "unit of a mean") or column in out:
                continue
            if column not in model.equations and kind(study, column) != "number":
                continue
            values = numeric(study, column, factor=False)
            out[column] = values[taken[column]] if column in taken else values
    return out


def _in_turn(taken: Index, gone: np.ndarray, code: Index | None) -> Index:
    """Donors where a rough value must be one that was observed: the observed ones in turn.

    The commonest would do as well for one value, but a column of many must not become constant.
    """
    known = np.flatnonzero(~gone)
    lost = np.flatnonzero(gone)
    place = np.arange(len(lost)) if code is None else code[lost]
    _, turn = np.unique(place, return_inverse=True)
    # a step that shares no factor with the number of known rows passes through all of them
    step = next(
        s for s in range(max(len(known) // 3, 1), 2 * len(known) + 2) if gcd(s, len(known)) == 1
    )
    out = taken.copy()
    out[lost] = taken[known[(turn.reshape(-1) * step) % len(known)]]
    return out


# --- what is needed ----------------------------------------------------------------


def prune(
    layout: Layout, missing: Mapping[str, np.ndarray], model: Model
) -> tuple[Layout, dict[str, np.ndarray]]:
    """Let rows leave an equation whose response is missing and read nowhere.

    Args:
        layout: with all rows.
        missing: by column, rows whose value is unknown, (N,).
        model: the model.

    Returns:
        The layout, and by column the rows whose unknown value some equation still reads, (N,).
    """
    N = layout.n_rows
    read: dict[str, np.ndarray] = {}
    equations = list(layout.equations)
    tied = {i for block in layout.residual for i in block}
    means = {d.variable for d in layout.decomposed.values()}
    for i in reversed(layout.order):
        e = equations[i]
        lost = missing.get(e.response, np.zeros(N, dtype=bool))[e.rows]
        if i in tied or e.response in means:
            wanted = np.ones(e.n, dtype=bool)
        else:
            reading = read.get(e.response, np.zeros(N, dtype=bool))
            wanted = np.bincount(e.carry[reading], minlength=e.n) > 0
        e = equations[i] = subset(e, ~lost | wanted)
        if e.response in missing and (lost & wanted).any():
            mask = read.setdefault(e.response, np.zeros(N, dtype=bool))
            mask |= (lost & wanted)[layout.equations[i].carry]
        sources = [s for c in read_columns(layout, e) for s in c.sources]
        sources += [o.source for o in model.equations[e.response].formula.offsets]
        for s in dict.fromkeys(sources):
            d = layout.decomposed.get(s)
            mask = read.setdefault(s if d is None else d.variable, np.zeros(N, dtype=bool))
            mask[e.rows if d is None else slice(None)] = True
    needed = {c: m & read[c] for c, m in missing.items() if c in read}
    return replace(layout, equations=tuple(equations)), needed


def _problems(
    model: Model,
    layout: Layout,
    known: Known,
    needed: Mapping[str, np.ndarray],
    rows: build.Rows,
) -> list[str]:
    """What cannot be modelled, in sentences."""
    out: list[str] = []
    for e in layout.equations:
        written = model.equations[e.response]
        extras = {"standard error": written.se, "number of trials": written.trials}
        for role, column in extras.items():
            lost = None if column is None else known.missing.get(column)
            if lost is not None and lost[e.rows].any():
                bad = listing(rows.names(e.rows[lost[e.rows]]))
                out.append(
                    f"'{column}', the {role} of equations.{e.response}, is missing where "
                    f"'{e.response}' is needed (rows {bad}); it is known without error or not at "
                    "all, so it cannot be modelled"
                )
    for column, m in needed.items():
        if m.any():
            out += _column_problems(model, layout, known, column)
    return out


def _column_problems(model: Model, layout: Layout, known: Known, column: str) -> list[str]:
    said = f"the missing values of '{column}' cannot be modelled: "
    family = model.equations[column].family if column in model.equations else None
    discrete = column in known.support or family in DISCRETE
    if family is not None and family not in (*CONTINUOUS, *DISCRETE):
        return [f"{said}it is a mediator of the family {family}"]
    if len(known.support.get(column, ())) > CATEGORIES:
        many = len(known.support[column])
        return [f"{said}it has {many} categories, and at most {CATEGORIES} are summed over"]
    out: list[str] = []
    for e in model.equations.values():
        if any(o.variable == column for o in e.formula.offsets):
            out.append(f"{said}it stands in an offset() of equations.{e.response}")
        for o in e.formula.operands():
            if o.variable != column or o in e.formula.offsets:
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
            if e.response in tied
            and column in {v for c in read_columns(layout, e) for v in c.variables}
        ]
        out += _latent_problems(layout, column, said)
    return out


def _latent_problems(layout: Layout, column: str, said: str) -> list[str]:
    """A latent unit mean of a variable whose equation reads a discrete missing one."""
    out: list[str] = []
    for e in layout.equations:
        for s in {s for c in read_columns(layout, e) for s in c.sources}:
            if not is_latent(layout, e, s):
                continue
            variable = layout.decomposed[s].variable
            own = layout.equation(variable)
            if column in {v for c in read_columns(layout, own) for v in c.variables}:
                out.append(f"{said}it is discrete, and {s} is a latent mean that rests on it")
    return out


def _sum_problems(layout: Layout) -> list[str]:
    found, _ = components(layout)
    out: list[str] = []
    for c in found:
        if not len(c.configurations):
            names = dict.fromkeys(layout.gaps[g].variable for g, _ in c.cells)
            out.append(
                f"the missing values of {listing([repr(n) for n in names])} meet, {len(c.cells)} "
                "of them at once, which are too many to sum over together"
            )
    return out


# --- gaps and what is said of them ---------------------------------------------------


def _gaps(layout: Layout, known: Known, needed: Mapping[str, np.ndarray]) -> tuple[Gap, ...]:
    out: list[Gap] = []
    for i, e in enumerate(layout.equations):
        v = e.response
        wanted = needed.get(v)
        if wanted is None or not wanted.any():
            continue
        lost = known.missing[v] & _whole(wanted, known.code[v])
        at = np.flatnonzero(lost[e.rows])
        place = np.full(e.n, -1, dtype=np.int64)
        place[at] = np.arange(len(at))
        cell = np.where(lost, place[e.carry], -1)
        support = known.support.get(v, ())
        codes: tuple[float, ...] = ()
        if v in layout.auxiliary and support:
            codes = tuple(float(k) for k in range(len(support)))
        elif e.family == "bernoulli":
            support = codes = (0.0, 1.0)
        elif e.codes:
            support = codes = tuple(float(c) for c in e.codes)
        spread = known.guessed[v].spread if v in known.guessed and not support else 1.0
        out.append(Gap(v, i, at, cell.astype(np.int64), support, codes, spread))
    return tuple(out)


def _whole(mask: np.ndarray, code: Index | None) -> np.ndarray:
    """All rows of the units that have a row in a mask."""
    if code is None:
        return mask
    return (np.bincount(code[mask], minlength=int(code.max()) + 1) > 0)[code]


def _treatments(
    model: Model, known: Known, gaps: tuple[Gap, ...], formulas: Mapping[str, str]
) -> tuple[build.Treatment, ...]:
    by = {g.variable: g for g in gaps}
    read = {v for e in model.equations.values() for v in e.formula.variables()}
    out: list[build.Treatment] = []
    for column, given in known.given.items():
        role = "mediator" if column in read else "outcome"
        if column not in model.equations:
            role = "predictor"
        rows, told = int(given.sum()), int(given.sum() - known.missing[column].sum())
        level = known.level[column]
        parts: list[str] = []
        if told:
            parts.append(f"{told} of {rows} taken from other rows of the same {level}")
        units, formula = 0, ""
        if column in by:
            gap = by[column]
            units = len(gap.at)
            formula = formulas.get(column) or model.equations[column].formula.text
            where = f" of {level}" if level else ""
            what = "summed over" if gap.discrete else "estimated"
            parts.append(f"{_count(units, 'value')}{where} {what}, with the model {formula}")
        if rows > told and column in model.equations and (column not in by or role == "mediator"):
            left = _leaving(known.missing[column], by.get(column))
            if left:
                leave = "leaves" if left == 1 else "leave"
                said = f"{_count(left, 'row')} {leave} its own equation"
                parts.append(f"{said}, since nothing else reads the value")
        elif rows > told and column not in by:
            parts.append("the other rows are read by no equation")
        said = f"{_count(rows, 'row')} without a value: " + "; ".join(parts)
        out.append(build.Treatment(column, role, level, rows, units, said, formula))
    return tuple(out)


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _leaving(missing: np.ndarray, gap: Gap | None) -> int:
    return int(missing.sum() if gap is None else (missing & (gap.cell < 0)).sum())

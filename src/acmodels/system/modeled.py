"""A model on a study with missing values that are modeled.

What is missing is settled in this order. A value that is one for all rows of a unit is taken from
another row of the unit. An outcome that is missing and predicts nothing leaves its equation, which
changes no posterior. Whatever else an equation still reads becomes unknown: a mediator's by its own
equation, an exogenous predictor's by an equation that is made for it (`predictors`).
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from acmodels.data import Finding, Study
from acmodels.errors import DataError
from acmodels.spec.model import Model
from acmodels.system.arrays import Index
from acmodels.system.assembly import assemble, examined
from acmodels.system.equation import Curves, EquationLayout
from acmodels.system.known import Known, read_known
from acmodels.system.layout import Layout, MissingValues
from acmodels.system.missing import subset
from acmodels.system.missing_cells import said_missing
from acmodels.system.predictors import Incomplete, predictor_models
from acmodels.system.rank import without_empty_cells
from acmodels.system.separation import separation
from acmodels.system.system import Joint, System, Treatment
from acmodels.system.terms import terms
from acmodels.system.unmodeled import too_many, unmodeled
from acmodels.system.waves import added_rows


def modeled_system(
    model: Model,
    study: Study,
    missing: Mapping[str, np.ndarray],
    codes: Mapping[str, tuple[int, ...]] | None = None,
    curves: Mapping[str, Curves] | None = None,
) -> System:
    """Join a model and a study whose missing values are modeled.

    Args:
        model: checked for itself.
        study: one table.
        missing: by column, the rows without a value, (N,).
        codes: by ordered response, its categories; as the data have them where not given.
        curves: by equation, the columns of splines; made from the data where not given.

    Raises:
        DataError: as `build_system`, and for what cannot be modeled, by name.
    """
    constructs = [r for r, e in model.equations.items() if e.construct]
    said = missing
    missing = {**missing, **{c: np.ones(study.n_rows, dtype=bool) for c in constructs}}
    known, rows = read_known(model, study, missing)
    layout, _ = assemble(model, rows, codes, curves)
    layout, needed = prune(layout, known.missing, model)
    responses = {e.response: rows.numeric(e.response)[e.rows] for e in layout.equations}
    _refuse(unmodeled(model, layout, known, needed, rows), model, study)
    one = codes is None  # no study of a design, whose columns stay
    layout, cells = without_empty_cells(layout, known.missing) if one else (layout, [])
    found = [*(Finding("warning", c) for c in cells), *examined(layout, responses, rows)]
    apart = separation(layout, responses, known.missing) if one else ()
    found += [Finding("warning", s.message) for s in apart]
    wanted = [
        Incomplete(v, known.missing[v], m, known.level[v], known.code[v], known.support.get(v, ()))
        for v, m in needed.items()
        if v not in model.equations and m.any()
    ]
    lacking = frozenset(c for c, m in known.missing.items() if m.any())
    made = predictor_models(model, Joint(layout, responses), wanted, lacking, rows)
    gaps = _missing(made.joint.layout, known, {**needed, **made.needed})
    joint = Joint(replace(made.joint.layout, missing=gaps), made.joint.responses)
    if gaps:
        _refuse(too_many(joint.layout), model, study)
    treatments = _treatments(model, known, gaps, made.formulas)
    notes: list[Finding] = []
    if said:
        how = f'{said_missing(study, said)}; values are modeled (missing = "model")'
        notes.append(Finding("note", how))
    items = [c for c in said if c in model.equations and model.equations[c].measured]
    if items:
        lost = sum(int(said[c].sum()) for c in items)
        how = f"{_count(lost, 'answer')} to items missing: constructs rest on the others"
        notes.append(Finding("note", how))
    shown = [t for t in treatments if t.column not in items]
    notes += [Finding("note", f"{t.column}: {t.how}") for t in shown]
    return System(
        layout,
        responses,
        (*study.findings, *notes, *found),
        study.n_rows - added_rows(study),
        study.n_rows - added_rows(study),
        study.name,
        joint if gaps else None,
        treatments,
        apart,
    )


def _refuse(problems: list[str], model: Model, study: Study) -> None:
    if problems:
        advice = f'; put missing = "drop" at the top of {model.source} to use complete rows only'
        raise DataError(f"{study.name}: {p}{advice}" for p in dict.fromkeys(problems))


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
    read: dict[str, np.ndarray] = {}
    while True:  # once, but for lags, by which what comes later in the order is read too
        before = {v: int(m.sum()) for v, m in read.items()}
        equations = _pruned(layout, missing, model, read)
        if not layout.lags or before == {v: int(m.sum()) for v, m in read.items()}:
            break
    needed = {c: m & read[c] for c, m in missing.items() if c in read}
    return replace(layout, equations=tuple(equations)), needed


def _pruned(
    layout: Layout, missing: Mapping[str, np.ndarray], model: Model, read: dict[str, np.ndarray]
) -> list[EquationLayout]:
    """Prune every equation, and add to `read` the rows of each column that are read, (N,)."""
    N = layout.n_rows
    equations = list(layout.equations)
    tied = {i for block in layout.residual for i in block}
    means = {d.variable for d in layout.derived.values() if not d.plain}
    for i in reversed(layout.order):
        e = equations[i]
        lost = missing.get(e.response, np.zeros(N, dtype=bool))[e.rows]
        if i in tied or e.response in means or e.construct:
            wanted = np.ones(e.n, dtype=bool)
        else:
            reading = read.get(e.response, np.zeros(N, dtype=bool))
            wanted = np.bincount(e.carry[reading], minlength=e.n) > 0
        e = equations[i] = subset(e, ~lost | wanted)
        if e.response in missing and (lost & wanted).any():
            mask = read.setdefault(e.response, np.zeros(N, dtype=bool))
            mask |= (lost & wanted)[layout.equations[i].carry]
        sources = [s.key for t in terms(layout, e.response) for s in t.sources]
        sources += [o.source for o in model.equations[e.response].formula.offsets]
        for s in dict.fromkeys(sources):
            d, at = layout.derived.get(s), layout.at(s)
            mask = read.setdefault(s if d is None else d.variable, np.zeros(N, dtype=bool))
            if d is not None and not d.plain:
                mask[:] = True
            else:
                mask[e.rows if at is None else at[e.rows][at[e.rows] >= 0]] = True
    return equations


# --- gaps and what is said of them ---------------------------------------------------


def _missing(
    layout: Layout, known: Known, needed: Mapping[str, np.ndarray]
) -> tuple[MissingValues, ...]:
    out: list[MissingValues] = []
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
        elif e.distribution.binary():
            support = codes = (0.0, 1.0)
        elif e.codes:
            support = codes = tuple(float(c) for c in e.codes)
        spread = known.guessed[v].spread if v in known.guessed and not support else 1.0
        out.append(MissingValues(v, i, at, cell.astype(np.int64), support, codes, spread))
    return tuple(out)


def _whole(mask: np.ndarray, code: Index | None) -> np.ndarray:
    """All rows of the units that have a row in a mask."""
    if code is None:
        return mask
    return (np.bincount(code[mask], minlength=int(code.max()) + 1) > 0)[code]


def _treatments(
    model: Model, known: Known, gaps: tuple[MissingValues, ...], formulas: Mapping[str, str]
) -> tuple[Treatment, ...]:
    by = {g.variable: g for g in gaps}
    read = {v for e in model.equations.values() for v in e.formula.variables()}
    out: list[Treatment] = []
    for column, given in known.given.items():
        if column in model.equations and model.equations[column].construct:
            continue
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
                are = "is" if left == 1 else "are"
                said = f"{_count(left, 'row')} {are} left out of its own equation"
                parts.append(f"{said}, since the value is used nowhere else")
        elif rows > told and column not in by:
            parts.append("the other rows are used in no equation")
        said = f"{_count(rows, 'row')} without a value: " + "; ".join(parts)
        out.append(Treatment(column, role, level, rows, units, said, formula))
    return tuple(out)


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _leaving(missing: np.ndarray, gap: MissingValues | None) -> int:
    return int(missing.sum() if gap is None else (missing & (gap.cell < 0)).sum())

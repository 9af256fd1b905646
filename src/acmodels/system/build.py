"""Build a Layout and a System from a model and a study.

Rows are settled first (missing values, levels), then variables, columns and group
effects; each step collects every problem it can see, so that a person reads them
all at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from acmodels.data import Finding, Study, kind, labels, numeric, row_names, study_of, truth_values
from acmodels.data.coding import named_levels, nominal
from acmodels.data.columns import date_advice, holds_dates
from acmodels.errors import DataError, InputError, ModelError, did_you_mean, listing
from acmodels.families import family
from acmodels.spec.formula import INTERCEPT, GroupTerm, Operand, Term, quoted
from acmodels.spec.model import Equation, Model, recursive_order
from acmodels.system import checks
from acmodels.system.centered import zero_notes
from acmodels.system.columns import column_values, columns_of, ordered_levels, variable_values
from acmodels.system.latent import latent_notes, latent_problems
from acmodels.system.layout import (
    Array,
    Block,
    Column,
    Derived,
    EquationLayout,
    Index,
    Layout,
    Member,
    Responses,
    Variable,
)
from acmodels.system.missing import observed
from acmodels.system.rank import without_empty_cells
from acmodels.system.separation import Unbounded, not_looked_at, separation

SCALE = (1, 2, 3, 4, 5)
"""Categories of an ordered response of which nothing is known."""


@dataclass(frozen=True)
class System:
    """A model on a study: what stays, and the responses.

    Where missing values are modeled, rough ones stand in `layout` and `responses` (after a fit,
    those of the posterior), and `joint` has the models of incomplete predictors too.

    Attributes:
        layout: what stays when responses are redrawn.
        responses: by name, on the rows of their equations.
        findings: what a careful colleague would say about the data under this model.
        rows_given, rows_used: before and after rows with missing values were dropped.
        source: the data's name, for messages.
        joint: the same with the equations of incomplete predictors, or None.
        treatments: what became of each column's missing values.
        separated: coefficients that the data do not bound.
    """

    layout: Layout
    responses: Responses
    findings: tuple[Finding, ...]
    rows_given: int
    rows_used: int
    source: str
    joint: "Joint | None" = None
    treatments: tuple["Treatment", ...] = ()
    separated: tuple[Unbounded, ...] = ()

    @property
    def sampled(self) -> "Joint":
        """What an engine takes: with the models of incomplete predictors, where there are any."""
        return Joint(self.layout, self.responses) if self.joint is None else self.joint

    @property
    def observed(self) -> dict[str, int]:
        """Rows of each equation whose response was observed, by response."""
        layout = self.sampled.layout
        return {e.response: int(observed(layout, e).sum()) for e in self.layout.equations}

    @property
    def rows_observed(self) -> int:
        """Data rows in which the response of any equation of data rows was observed."""
        layout = self.sampled.layout
        own = [e for e in self.layout.equations if e.level is None]
        return len({int(r) for e in own for r in e.rows[observed(layout, e)]})


@dataclass(frozen=True)
class Joint:
    """A layout and its responses, models of incomplete predictors among them."""

    layout: Layout
    responses: Responses


@dataclass(frozen=True)
class Treatment:
    """What became of one column's missing values.

    Attributes:
        column: its name.
        role: `outcome`, `mediator` or `predictor`.
        level: the id column in whose units it has one value each, or None for data rows.
        rows: data rows without a value.
        units: values that were modeled, by unit of its level; 0 where none needed to be.
        how: in a sentence, without a full stop.
        model: the formula of its distribution, or nothing.
    """

    column: str
    role: str
    level: str | None
    rows: int
    units: int
    how: str
    model: str = ""


def build_system(
    model: Model, study: Study, codes: Mapping[str, tuple[int, ...]] | None = None
) -> System:
    """Join a model and a study.

    Args:
        model: checked for itself.
        study: one table, or several that are joined as the model needs them.
        codes: by ordered response, its categories; as the data have them where not given. Where
            they are, the study is one of many of a design, whose columns all stay and which are
            not searched for separation.

    Raises:
        DataError: with every problem found: missing columns, strays, constant or collinear
            predictors, a level that varies within its unit, and so on.
    """
    study = study_for(model, study)
    try:
        return _joined(model, replace(study, findings=relevant(model, study)), codes)
    except DataError as error:  # what was noticed while reading may be the reason
        said = (f for f in relevant(model, study) if f not in error.findings)
        raise DataError(error.problems, (*error.findings, *said)) from None


def relevant(model: Model, study: Study) -> tuple[Finding, ...]:
    """Return what was noticed while reading, without that about columns the model does not read."""
    read = {c for e in model.equations.values() for c, _ in uses(e, with_responses=True)}
    return tuple(f for f in study.findings if f.column is None or f.column in read)


def _joined(model: Model, study: Study, codes: Mapping[str, tuple[int, ...]] | None) -> System:
    """Join a model and the rows of a study that it needs."""
    _columns_present(model, study, with_responses=True)
    missing = _missing_cells(model, study)
    if model.missing == "model" and missing:
        from acmodels.system.modelled import modelled_system

        return modelled_system(model, study, missing, codes)
    keep, dropped = _apply_missing_rule(model, study, missing)
    rows = Rows(study, keep)
    layout, responses = assemble(model, rows, codes)
    layout, cells = without_empty_cells(layout, {}) if codes is None else (layout, [])
    found = [*(Finding("warning", c) for c in cells), *examined(layout, responses, rows)]
    apart = separation(layout, responses) if codes is None else ()
    found += [Finding("warning", s.message) for s in apart]
    return System(
        layout,
        responses,
        (*study.findings, *dropped, *found),
        study.n_rows,
        int(keep.sum()),
        study.name,
        separated=apart,
    )


def assemble(
    model: Model, rows: "Rows", codes: Mapping[str, tuple[int, ...]] | None = None
) -> tuple[Layout, Responses]:
    """Build the layout and read the responses.

    Args:
        model: checked for itself.
        rows: the study's.
        codes: by ordered response, its categories; as the data have them where not given.

    Raises:
        DataError: what cannot be read, and what varies within a unit where it must not.
    """
    raw = {r: rows.numeric(r, factor=False) for r in model.equations}
    layout = layout_of(model, rows, {**_codes_found(model, raw), **(codes or {})})
    responses = {e.response: raw[e.response][e.rows] for e in layout.equations}
    _domains(model, raw, rows)
    also = {r: {r: raw[r], **_further(e, rows, raw)} for r, e in model.equations.items()}
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
    found += [Finding("note", n) for n in (*latent_notes(layout), *not_looked_at(layout))]
    found += [Finding("note", n) for n in _coded(layout, rows.study)]
    found += [Finding("note", n) for n in zero_notes(layout, responses)]
    return found


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


def build_layout(
    model: Model, study: Study, codes: Mapping[str, tuple[int, ...]] | None = None
) -> Layout:
    """Build the layout alone, from a table that need not hold the responses.

    Args:
        model: checked for itself.
        study: one table.
        codes: by ordered response, its categories; 1 to 5 where not given.

    Raises:
        DataError: as for `build_system`, for predictors and groupings.
    """
    _columns_present(model, study, with_responses=False)
    rows = Rows(study, np.ones(study.n_rows, dtype=bool))
    layout = layout_of(model, rows, codes or {})
    # before a response is drawn, it is known to be constant within the units of its own level
    units = {e.response: e.carry.astype(np.float64) for e in layout.equations}
    also = {r: _further(e, rows, units) for r, e in model.equations.items()}
    problems = checks.constant_within_levels(layout, also, rows.names)
    if problems:
        raise DataError(f"{study.name}: {p}" for p in problems)
    return layout


def _further(e: Equation, rows: "Rows", responses: Mapping[str, Array]) -> dict[str, Array]:
    """Return what an equation reads beside exogenous columns of its design, on the data's rows."""
    out = {o.source: responses[o.source] for o in e.formula.operands() if o.source in responses}
    out |= {c: rows.numeric(c, factor=False) for c in (e.se, e.trials, e.weights) if c}
    return out | {o.variable: rows.numeric(o.variable) for o in e.formula.offsets}


def _domains(model: Model, raw: Mapping[str, Array], rows: "Rows") -> None:
    """Refuse responses that a transform in another equation cannot take."""
    problems: list[str] = []
    for e in model.equations.values():
        for o in e.formula.operands():
            if o.variable not in raw:
                continue
            try:
                checks.domain(o.variable, o, raw[o.variable], rows.names)
            except DataError as error:
                problems += [f"{rows.study.name}: {p}" for p in error.problems]
    if problems:
        raise DataError(dict.fromkeys(problems))


class Rows:
    """A study's columns on the rows kept, converted once.

    Args:
        study: the table.
        keep: rows that are used, shape (rows,).
        donors: by column, for each row of the study the row whose value stands there.
        numbers: by column, numbers that stand for it, shape (rows,).
    """

    def __init__(
        self,
        study: Study,
        keep: np.ndarray,
        donors: Mapping[str, Index] | None = None,
        numbers: Mapping[str, Array] | None = None,
    ) -> None:
        self.study = study
        self.keep = keep
        self.n = int(keep.sum())
        self._positions = np.flatnonzero(keep)
        self._donors = donors or {}
        self._numbers = numbers or {}

    def numeric(self, column: str, *, factor: bool = True) -> Array:
        """A column as numbers, (rows,); `factor` as for `data.numeric`."""
        if column in self._numbers:
            return self._numbers[column][self.keep]
        return self._given(column, numeric(self.study, column, factor=factor))[self.keep]

    def labels(self, column: str) -> np.ndarray:
        """A column as labels, (rows,)."""
        return self._given(column, labels(self.study, column))[self.keep]

    def truths(self, column: str) -> Array:
        """A column of truth values as 1 and 0, (rows,)."""
        return self._given(column, truth_values(self.study, column))[self.keep]

    def names(self, positions: np.ndarray) -> tuple[int, ...]:
        """The row numbers that a person sees."""
        return row_names(self.study, self._positions[positions])

    def _given(self, column: str, values: np.ndarray) -> np.ndarray:
        return values[self._donors[column]] if column in self._donors else values


def _columns_present(model: Model, study: Study, *, with_responses: bool) -> None:
    problems: list[str] = []
    for e in model.equations.values():
        for column, role in uses(e, with_responses=with_responses):
            if column in study.names or (not with_responses and column in model.equations):
                continue
            problems.append(
                f"{study.name}: no column '{column}', the {role} of equations.{e.response}"
                f"{did_you_mean(column, study.names)} (columns: {listing(study.names, 15)})"
            )
    if problems:
        raise DataError(dict.fromkeys(problems))


def uses(e: Equation, *, with_responses: bool) -> list[tuple[str, str]]:
    """Columns that an equation reads, with their roles; a column may come with several."""
    out = [(e.response, "response")] if with_responses else []
    out += [(v, "predictor") for v in e.formula.variables()]
    out += [(c, "grouping") for g in e.formula.groups for c in g.grouping]
    out += [(o.unit, "unit of a mean") for o in e.formula.operands() if o.unit is not None]
    extras = {
        "level": e.level,
        "standard error": e.se,
        "number of trials": e.trials,
        "weight": e.weights,
    }
    out += [(c, role) for role, c in extras.items() if c is not None]
    return out


def study_for(model: Model, study: Study) -> Study:
    """The rows of a study of several tables that a model needs: the fewest with all its columns."""
    columns = [c for e in model.equations.values() for c, _ in uses(e, with_responses=True)]
    return study_of(study, columns)


def keys_of(model: Model) -> tuple[str, ...]:
    """Columns used as ids or groupings."""
    out = [c for e in model.equations.values() for g in e.formula.groups for c in g.grouping]
    out += [e.level for e in model.equations.values() if e.level is not None]
    out += [o.unit for e in model.equations.values() for o in e.formula.operands() if o.unit]
    return tuple(dict.fromkeys(out))


def _missing_cells(model: Model, study: Study) -> dict[str, np.ndarray]:
    """Find, by column, the rows without a value; only columns that lack some.

    Raises:
        DataError: a missing id, or a column without values.
    """
    problems: list[str] = []
    missing: dict[str, np.ndarray] = {}
    for key in keys_of(model):
        gaps = np.array([v is None for v in labels(study, key)])
        lost = np.flatnonzero(gaps)
        if gaps.all():
            problems.append(
                f"{study.name}: the column '{key}', an id or grouping, has no values at all"
            )
        elif model.missing == "drop":
            missing[key] = gaps
        elif len(lost):
            problems.append(
                f"{study.name}: {len(lost)} rows have no '{key}', which is an id or grouping: "
                f"rows {listing(row_names(study, lost))}; a row must say which unit it belongs to "
                '(missing = "drop" leaves such rows out)'
                f"{_of_merged(study, key)}"
            )
    for e in model.equations.values():
        for column, role in uses(e, with_responses=True):
            if role in ("grouping", "level", "unit of a mean") or column in missing:
                continue
            is_number = role != "predictor" or column in model.equations
            gaps = _gaps(study, column, is_number=is_number)
            if gaps.all():
                problems.append(
                    f"{study.name}: the column '{column}', the {role} of "
                    f"equations.{e.response}, has no values at all"
                )
            missing[column] = gaps
    if problems:
        raise DataError(dict.fromkeys(problems))
    return {c: m for c, m in missing.items() if m.any()}


def _of_merged(study: Study, key: str) -> str:
    """Say that ids are lacking since cells of a spreadsheet are merged."""
    merged = any(f.column == key and "are merged" in f.message for f in study.findings)
    return " (its cells are merged: unmerge them and fill the value down)" if merged else ""


def _gaps(study: Study, column: str, *, is_number: bool) -> np.ndarray:
    if not is_number and kind(study, column) in ("text", "boolean", "date"):
        return np.array([v is None for v in labels(study, column)])
    return np.isnan(numeric(study, column, factor=not is_number))


def _apply_missing_rule(
    model: Model, study: Study, missing: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, list[Finding]]:
    lost = np.zeros(study.n_rows, dtype=bool)
    if not missing:
        return ~lost, []
    for m in missing.values():
        lost |= m
    where = said_missing(study, missing)
    if model.missing == "error":
        first = row_names(study, np.flatnonzero(lost))
        raise DataError(f'{where}; missing = "error" allows none (rows {listing(first)})')
    if lost.all():
        raise DataError(f"{where}; no complete row is left")
    return ~lost, [Finding("warning", f'{where}; these rows are left out (missing = "drop")')]


def said_missing(study: Study, missing: Mapping[str, np.ndarray]) -> str:
    """Say how many rows lack a value, and of which columns."""
    lost = np.any(list(missing.values()), axis=0)
    said = ", ".join(f"{c} ({int(m.sum())})" for c, m in missing.items())
    return f"{study.name}: {int(lost.sum())} of {study.n_rows} rows lack a value: {said}"


def _codes_found(model: Model, raw: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    """Categories of ordered responses: every whole number from the lowest to the highest.

    Of a response that will be refused, no more than shows why.
    """
    out: dict[str, tuple[int, ...]] = {}
    for r, e in model.equations.items():
        if family(e.family).ordered:
            low, high = int(np.floor(raw[r].min())), int(np.ceil(raw[r].max()))
            out[r] = tuple(range(low, min(max(high, low + 1), low + 100) + 1))
    return out


def layout_of(model: Model, rows: Rows, codes: Mapping[str, tuple[int, ...]]) -> Layout:
    """Build a layout.

    Args:
        model: checked for itself.
        rows: the study's.
        codes: by ordered response, its categories.

    Raises:
        DataError: what cannot be read; a grouping with one group.
        ModelError: latent means that cannot be.
    """
    problems: list[str] = []
    _refuse_monotonic(model)
    variables = _variables(model, rows, problems)
    problems += _monotonic_problems(model, variables)
    if problems:
        raise DataError(dict.fromkeys(f"{rows.study.name}: {p}" for p in problems))
    equations: list[EquationLayout] = []
    levels: dict[str, tuple[Index, Index]] = {}
    derived = _decomposed(model, rows)
    for e in model.equations.values():
        at = levels.setdefault(e.level or "", _rows_of_level(e.level, rows))
        found = _equation(model, e, at, (variables, derived, rows))
        if family(e.family).ordered:
            found = replace(found, codes=codes.get(e.response, SCALE))
        equations.append(found)
    names = list(model.equations)
    layout = Layout(
        equations=tuple(equations),
        order=tuple(names.index(r) for r in recursive_order(model.equations, model.source)),
        blocks=(),
        residual=_residual_blocks(model),
        variables=variables,
        n_rows=rows.n,
        derived=derived,
    )
    layout = replace(layout, blocks=_blocks(model, layout, rows))
    problems = checks.grouping_problems(layout)
    if problems:
        raise DataError(f"{rows.study.name}: {p}" for p in problems)
    problems = latent_problems(layout)
    if problems:
        raise ModelError(f"{model.source}: {p}" for p in problems)
    return layout


def _refuse_monotonic(model: Model) -> None:
    """Refuse monotonic effects of which the meaning is not settled here.

    Raises:
        ModelError: mo() in a product, in a group term, or of a response.
    """
    problems: list[str] = []
    for e in model.equations.values():
        where = f"{model.source}: equations.{e.response}.formula"
        for t in e.formula.terms:
            for o in (o for o in t.operands if "mo" in o.functions):
                if len(t.operands) > 1:
                    problems.append(
                        f"{where}: {o.text} stands in the product {t.text}; a monotonic effect "
                        f"enters alone in this version (factor({o.variable}) can be multiplied)"
                    )
                if o.variable in model.equations:
                    problems.append(
                        f"{where}: {o.text}: '{o.variable}' has an equation of its own, so its "
                        "categories are not given; it enters other equations as a number"
                    )
        for g in e.formula.groups:
            problems += [
                f"{where}: {o.text} varies by {g.group}; a monotonic effect is one for all groups "
                "in this version"
                for t in g.terms
                for o in t.operands
                if "mo" in o.functions
            ]
    if problems:
        raise ModelError(dict.fromkeys(problems))


MOST_STEPS = 30
"""Steps of a monotonic effect, at most."""


def _monotonic_problems(model: Model, variables: Mapping[str, Variable]) -> list[str]:
    """Refuse predictors of monotonic effects that are no ordered categories."""
    out: list[str] = []
    for e in model.equations.values():
        for o in e.formula.operands():
            if o.function != "mo" or o.variable not in variables:
                continue
            count = len(np.unique(variables[o.variable].values))
            if count < 2:
                out.append(f"'{o.variable}' has one category only, so {o.text} has no step")
            if count > MOST_STEPS + 1:
                out.append(
                    f"'{o.variable}' has {count} values; {o.text} takes ordered categories, at "
                    f"most {MOST_STEPS + 1}; enter it as a number, or cut it into categories first"
                )
    return out


def _decomposed(model: Model, rows: Rows) -> dict[str, Derived]:
    """Read the units of every `within` and `between`."""
    out: dict[str, Derived] = {}
    codes: dict[str, tuple[Index, tuple[str, ...]]] = {}
    for e in model.equations.values():
        for o in e.formula.operands():
            if o.unit is None:
                continue
            if o.unit not in codes:
                codes[o.unit] = codes_of([rows.labels(o.unit)])
            code, names = codes[o.unit]
            out[o.text] = Derived(o.variable, o.unit, o.function or "", code, names)
    return out


def _variables(model: Model, rows: Rows, problems: list[str]) -> dict[str, Variable]:
    """Read every predictor that has no equation, as numbers or as a factor."""
    uses: dict[str, list[Operand]] = {}
    for e in model.equations.values():
        for o in e.formula.operands():
            uses.setdefault(o.variable, []).append(o)
    out: dict[str, Variable] = {}
    for name, operands in uses.items():
        wanted_as_factor = [o for o in operands if o.function == "factor"]
        if name in model.equations:
            if wanted_as_factor:
                problems.append(
                    f"'{name}' has an equation of its own, so it cannot be a factor(); "
                    "it enters other equations as a number"
                )
            continue
        try:
            out[name] = _variable(name, operands, wanted_as_factor, rows)
        except InputError as error:
            problems += [p.removeprefix(f"{rows.study.name}: ") for p in error.problems]
    return out


def _variable(
    name: str, operands: Sequence[Operand], as_factor: Sequence[Operand], rows: Rows
) -> Variable:
    if not as_factor and kind(rows.study, name) == "number":
        values = rows.numeric(name)
        for o in operands:
            checks.domain(name, o, values, rows.names)
        return Variable(name, values)
    if not as_factor and kind(rows.study, name) == "date":
        raise DataError(f"'{name}' holds dates, not numbers; {date_advice(rows.study, name)}")
    bare = next((o for o in operands if o.functions and o.functions[0] != "factor"), None)
    if bare is not None:
        if as_factor:
            raise DataError(f"'{name}' is used as factor({name}) and as {bare.text}; choose one")
        return Variable(name, rows.numeric(name))  # raises, naming what the text column holds
    if as_factor and len(as_factor) < len(operands) and kind(rows.study, name) == "number":
        raise DataError(f"'{name}' is used both as a number and as factor({name}); choose one")
    found = rows.labels(name)
    if kind(rows.study, name) == "boolean":  # one spelling, whatever the file's
        true = rows.truths(name) == 1
        found = np.where(true, "True", "False").astype(object)
    levels = tuple(str(v) for v in dict.fromkeys(found))
    if kind(rows.study, name) == "number":
        levels = tuple(sorted(levels, key=float))
    else:
        levels = tuple(sorted(levels))
    named = named_levels(rows.study, name, levels)
    if named:
        found = np.array([named[str(v)] for v in found], dtype=object)
        levels = tuple(dict.fromkeys(named[v] for v in levels))
    if len(levels) < 2:
        raise DataError(
            f"the predictor '{name}' has one category only ('{''.join(levels)}'), so its effect "
            "cannot be told from the intercept"
        )
    if len(levels) > max(20, rows.n // 2):
        raise DataError(
            f"'{name}' has {len(levels)} different values in {rows.n} rows as a factor; "
            "that is an id, not a predictor"
            if as_factor
            else f"'{name}' is text with {len(levels)} different values in {rows.n} rows; "
            "that is an id, not a predictor"
        )
    code = {v: i for i, v in enumerate(levels)}
    return Variable(name, np.array([code[str(v)] for v in found], dtype=np.float64), levels)


def _rows_of_level(level: str | None, rows: Rows) -> tuple[Index, Index]:
    """First data row of each unit, and the unit of each data row."""
    if level is None:
        every = np.arange(rows.n, dtype=np.int64)
        return every, every
    code, _ = codes_of([rows.labels(level)])
    _, first = np.unique(code, return_index=True)
    return first.astype(np.int64), code


def codes_of(columns: Sequence[np.ndarray]) -> tuple[Index, tuple[str, ...]]:
    """Number the combinations of some label columns, in order of first appearance."""
    import pandas as pd

    joined = group_labels(columns)
    code, names = pd.factorize(pd.Series(joined, dtype=object), sort=False)
    return code.astype(np.int64), tuple(str(n) for n in names)


def group_labels(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Join the label columns of a grouping, row by row, as levels are named."""
    if len(columns) == 1:
        return columns[0].astype(str)
    # a label with a colon of its own is quoted, so that combinations stay apart
    parts = [[f"`{v}`" if ":" in str(v) else str(v) for v in c] for c in columns]
    return np.array([":".join(v) for v in zip(*parts, strict=True)], dtype=object)


def _equation(
    model: Model,
    e: Equation,
    at: tuple[Index, Index],
    known: tuple[Mapping[str, Variable], Mapping[str, Derived], Rows],
) -> EquationLayout:
    variables, derived, rows = known
    where = f"{model.source}: equations.{e.response}"
    fam = family(e.family, where)
    own, carry = at
    terms = e.formula.terms
    if fam.ordered:  # thresholds are the constant, whatever the formula says of an intercept
        terms = (INTERCEPT, *(t for t in terms if t != INTERCEPT))
    columns = columns_of(terms, _levels_of(terms, variables, model.source))[int(fam.ordered) :]
    moving = tuple(
        k for k, c in enumerate(columns) if any(v in model.equations for v in c.variables)
    )
    fixed = np.full((len(own), len(columns)), np.nan)
    still = Layout((), (), (), (), variables, rows.n, derived)
    for k, c in enumerate(columns):
        if k not in moving:
            fixed[:, k] = column_values(c, own, lambda name: variable_values(still, name, {}))
    return EquationLayout(
        response=e.response,
        family=e.family,
        link=e.link or fam.links[0],
        level=e.level,
        rows=own,
        carry=carry,
        columns=columns,
        fixed=fixed,
        moving=moving,
        offset=_offset(e, own, variables, where),
        se=_positive(e.se, rows, own),
        trials=rows.numeric(e.trials)[own] if e.trials else None,
        has_sigma=fam.has_sigma and e.se is None,
        observed=e.centering == "observed",
        scalars=tuple(s.kind for s in fam.scalars),
        weights=_weights(e.weights, rows, own),
    )


def _levels_of(
    terms: Sequence[Term], variables: Mapping[str, Variable], source: str
) -> dict[Operand, tuple[tuple[str, int], ...]]:
    return {
        o: ordered_levels(o, variables[o.variable], source)
        for t in terms
        for o in t.operands
        if o.variable in variables and variables[o.variable].levels
    } | {o: _steps(variables[o.variable]) for t in terms for o in t.operands if o.function == "mo"}


def _steps(variable: Variable) -> tuple[tuple[str, int], ...]:
    """Categories of an ordered predictor with their codes, from the lowest."""
    return tuple((f"{v:g}", int(v)) for v in np.unique(variable.values))


def _offset(e: Equation, own: Index, variables: Mapping[str, Variable], where: str) -> Array:
    from acmodels.system.columns import apply

    total = np.zeros(len(own))
    for o in e.formula.offsets:
        if o.variable not in variables:
            raise DataError(f"{where}: offset({o.text}) cannot rest on another response")
        if variables[o.variable].levels:
            raise DataError(f"{where}: offset({o.text}) needs a number, not text")
        total = total + apply(o, variables[o.variable].values[own])
    return total


def _positive(column: str | None, rows: Rows, own: Index) -> Array | None:
    if column is None:
        return None
    values = rows.numeric(column)
    bad = np.flatnonzero(~(values > 0))
    if len(bad):
        raise DataError(
            f"{rows.study.name}: the standard errors in '{column}' must be above 0; rows "
            f"{listing(rows.names(bad))} are not"
        )
    return values[own]


def _weights(column: str | None, rows: Rows, own: Index) -> Array | None:
    """Weights divided by their mean over the rows used."""
    if column is None:
        return None
    values = rows.numeric(column)
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(bad):
        raise DataError(
            f"{rows.study.name}: the weights in '{column}' must be finite and 0 or more; rows "
            f"{listing(rows.names(bad))} are not"
        )
    if not values[own].sum() > 0:
        raise DataError(f"{rows.study.name}: the weights in '{column}' are all 0")
    return values[own] / values[own].mean()


def _blocks(model: Model, layout: Layout, rows: Rows) -> tuple[Block, ...]:
    """Gather group effects into blocks: those of one term, or of one shared id, together."""
    found: dict[str, list[tuple[GroupTerm, str, tuple[Column, ...]]]] = {}
    for r, e in model.equations.items():
        for i, g in enumerate(e.formula.groups):
            columns = columns_of(g.terms, _levels_of(g.terms, layout.variables, model.source))
            if not g.correlated:  # each column of `||` varies on its own
                found.update({f"{r} {i} {c.name}": [(g, r, (c,))] for c in columns})
                continue
            key = f"|{g.id}|" if g.id is not None else f"{r} {i}"
            found.setdefault(key, []).append((g, r, columns))
    codes: dict[tuple[str, ...], tuple[Index, tuple[str, ...]]] = {}
    out: list[Block] = []
    for uses in found.values():
        g = uses[0][0]
        if g.grouping not in codes:
            codes[g.grouping] = codes_of([rows.labels(c) for c in g.grouping])
        code, names = codes[g.grouping]
        out.append(
            Block(
                group=g.group,
                columns=g.grouping,
                levels=names,
                members=tuple(Member(r, c) for _, r, columns in uses for c in columns),
                code=code,
            )
        )
    return tuple(out)


def _residual_blocks(model: Model) -> tuple[tuple[int, ...], ...]:
    """Sets of equations linked by freed residual correlations.

    Raises:
        InputError: a set has a pair that is not freed.
    """
    names = list(model.equations)
    sets: list[set[str]] = []
    for a, b in model.residual_correlation:
        touching = [s for s in sets if a in s or b in s]
        sets = [s for s in sets if s not in touching] + [{a, b}.union(*touching)]
    freed = {frozenset(p) for p in model.residual_correlation}
    for s in sets:
        held = [(a, b) for a in s for b in s if a < b and frozenset((a, b)) not in freed]
        if held:
            raise InputError(
                f"{model.source}: residual_correlation links {listing(sorted(s))} but does not "
                f"free {held[0][0]} with {held[0][1]}; free every pair of a linked set"
            )
    return tuple(tuple(sorted(names.index(n) for n in s)) for s in sets)


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

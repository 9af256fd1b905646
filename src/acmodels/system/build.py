"""Build a Layout and a System from a model and a study.

Rows are settled first (missing values, levels), then variables, columns and group
effects; each step collects every problem it can see, so that a person reads them
all at once.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from acmodels.data import Finding, Study
from acmodels.errors import DataError
from acmodels.spec.items import with_items
from acmodels.spec.model import Model
from acmodels.system import checks
from acmodels.system.assembly import assemble, examined, further
from acmodels.system.equation import Curves
from acmodels.system.equations import layout_of
from acmodels.system.layout import Layout
from acmodels.system.measured import with_construct_columns, with_measures
from acmodels.system.missing_cells import complete_rows, missing_cells
from acmodels.system.modeled import modeled_system
from acmodels.system.rank import without_empty_cells
from acmodels.system.rows import Rows, columns_present, relevant, study_for
from acmodels.system.separation import separation
from acmodels.system.system import System
from acmodels.system.waves import complete_waves, study_of_waves


def build_system(
    model: Model,
    study: Study,
    codes: Mapping[str, tuple[int, ...]] | None = None,
    curves: Mapping[str, Curves] | None = None,
) -> System:
    """Join a model and a study.

    Args:
        model: checked for itself.
        study: one table, or several that are joined as the model needs them.
        codes: by ordered response, its categories; as the data have them where not given. Where
            they are, the study is one of many of a design, whose columns all stay and which are
            not searched for separation.
        curves: by equation, the columns of splines; made from the data where not given.

    Raises:
        DataError: with every problem found: missing columns, strays, constant or collinear
            predictors, a level that varies within its unit, and so on.
    """
    model = with_measures(model, study)
    study = study_for(model, study)
    try:
        columns_present(model, study, with_responses=True)
        study = study_of_waves(model, study)
        return _joined(model, replace(study, findings=relevant(model, study)), codes, curves)
    except DataError as error:  # what was noticed while reading may be the reason
        said = (f for f in relevant(model, study) if f not in error.findings)
        raise DataError(error.problems, (*error.findings, *said)) from None


def _joined(
    model: Model,
    study: Study,
    codes: Mapping[str, tuple[int, ...]] | None,
    curves: Mapping[str, Curves] | None,
) -> System:
    """Join a model and the rows of a study that it needs."""
    study = with_construct_columns(model, study)
    missing = missing_cells(model, study)
    if model.missing == "model" and missing:
        return modeled_system(model, study, missing, codes, curves)
    keep, dropped = complete_rows(model, study, missing)
    if model.panel is not None:
        keep, gaps = complete_waves(model, study, keep)
        dropped = [*dropped, *gaps]
    if model.measures:
        return _with_constructs(model, study, keep, dropped, (codes, curves))
    rows = Rows(study, keep)
    layout, responses = assemble(model, rows, codes, curves)
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


def _with_constructs(
    model: Model,
    study: Study,
    keep: np.ndarray,
    dropped: list[Finding],
    settled: tuple[Mapping[str, tuple[int, ...]] | None, Mapping[str, Curves] | None],
) -> System:
    """Join a model and the rows of a study in which nothing but constructs has no value."""
    rows = replace(study, frame=study.frame[keep])
    system = modeled_system(model, rows, {}, *settled)
    return replace(system, findings=(*system.findings, *dropped), rows_given=study.n_rows)


def build_layout(
    model: Model,
    study: Study,
    codes: Mapping[str, tuple[int, ...]] | None = None,
    curves: Mapping[str, Curves] | None = None,
) -> Layout:
    """Build the layout alone, from a table that need not hold the responses.

    Args:
        model: checked for itself.
        study: one table.
        codes: by ordered response, its categories; 1 to 5 where not given.
        curves: by equation, the columns of splines; made from the table where not given.

    Raises:
        DataError: as for `build_system`, for predictors and groupings.
    """
    model = with_items(model, {})
    columns_present(model, study, with_responses=False)
    rows = Rows(study, np.ones(study.n_rows, dtype=bool))
    layout = layout_of(model, rows, codes or {}, curves)
    # before a response is drawn, it is known to be constant within the units of its own level
    units = {e.response: e.carry.astype(np.float64) for e in layout.equations}
    also = {r: further(e, rows, units) for r, e in model.equations.items()}
    problems = checks.constant_within_levels(layout, also, rows.names)
    if problems:
        raise DataError(f"{study.name}: {p}" for p in problems)
    return layout

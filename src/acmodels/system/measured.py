"""Constructs measured by items on the rows of a study: families, rough values, raters.

A construct is lowered to what is there already: an equation all of whose values are missing, items
as equations that read it, and group effects for the deviations of raters.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from acmodels.data import Finding, Study, items_of_construct, kind, labels, numeric
from acmodels.errors import DataError, ModelError, did_you_mean, listing
from acmodels.spec import measures as spec
from acmodels.spec.formula import INTERCEPT
from acmodels.spec.items import items_of, lowered, with_items
from acmodels.spec.model import Model
from acmodels.spec.names import quoted
from acmodels.system.arrays import Array, Index
from acmodels.system.equation import Column, EquationLayout
from acmodels.system.groups import Block, Member
from acmodels.system.layout import Layout, Measure
from acmodels.system.rough import Guess
from acmodels.system.rows import Rows, codes_of, rows_of_level, study_for

MOST_CODES = 11
"""Whole-number codes up to which an item is ordinal where nothing is said."""
UNKNOWN = 0.5
"""A rough sd of what an average of its items leaves open of a construct, in sds."""


def with_measures(model: Model, study: Study) -> Model:
    """Return the model with the equations of its items, by the families that the data suggest.

    Args:
        model: with or without them.
        study: the data.

    Raises:
        DataError: a column is missing or has no numbers.
    """
    if not model.measures or lowered(model):
        return model
    model = _with_items_of_constructs(model, study)
    found = with_items(model, {})
    table = study_for(found, study)
    families: dict[str, str] = {}
    for item in items_of(model.measures):
        if item in table.names and kind(table, item) == "number":
            families[item] = _family(numeric(table, item))
    return with_items(model, families)


def _with_items_of_constructs(model: Model, study: Study) -> Model:
    """Return the model with the items of a study where a measure means all of a construct's.

    Raises:
        DataError: the study has no such items.
        ModelError: the items cannot measure the construct.
    """
    measures = dict(model.measures)
    for m in model.measures.values():
        if m.construct is None or m.items:
            continue
        items = items_of_construct(study.tables, m.construct)
        if not items:
            known = _constructs(study)
            has = f"constructs with items: {listing(known)}" if known else "it has no items"
            raise DataError(
                f"{study.name}: measures.{m.name}.construct: no items of '{m.construct}'"
                f"{did_you_mean(m.construct, known)} ({has}); a study of several tables has them "
                'in items.csv, and in one table items = ["column", ...] names them'
            )
        measures[m.name] = replace(m, items=items)
    changed = [m for n, m in measures.items() if m is not model.measures[n]]
    found = [
        p for m in changed for p in spec.item_problems(m, measures, model.equations, model.source)
    ]
    if found:
        raise ModelError(found)
    return replace(model, measures=measures) if changed else model


def _constructs(study: Study) -> list[str]:
    items = study.tables.get("items")
    if items is None or "construct_id" not in items.names:
        return []
    return [str(c) for c in dict.fromkeys(labels(items, "construct_id")) if c is not None]


def _family(values: Array) -> str:
    """Return the family of an item that nothing is said of: ordinal for few whole numbers."""
    seen = np.unique(values[np.isfinite(values)])
    return "ordinal" if len(seen) <= MOST_CODES and np.all(seen == np.rint(seen)) else "gaussian"


def with_construct_columns(model: Model, study: Study) -> Study:
    """Return the study with a column without values for each construct."""
    names = [r for r, e in model.equations.items() if e.construct]
    if not names:
        return study
    found = [
        Finding(
            "note",
            f"{study.name}: the column '{n}' is not read, since measures.{n} makes it a construct "
            "that is measured by its items",
            n,
        )
        for n in names
        if n in study.names
    ]
    frame = study.frame.assign(**{n: np.full(study.n_rows, np.nan) for n in names})
    return replace(study, frame=frame, findings=(*study.findings, *found))


def rough_scores(
    model: Model, numbers: Mapping[str, Array], codes: Mapping[str, Index | None]
) -> dict[str, Guess]:
    """Average the items of each construct, standardized and over the rows of its units.

    Args:
        model: with the equations of items.
        numbers: items on the data's rows, NaN where missing, (N,).
        codes: by construct, the unit of each row, or None for data rows.
    """
    out: dict[str, Guess] = {}
    for m in model.measures.values():
        z = np.stack([standardized(numbers[i]) * (-1 if i in m.reverse else 1) for i in m.items])
        seen = np.isfinite(z)
        total, count = np.where(seen, z, 0.0).sum(axis=0), seen.sum(axis=0).astype(np.float64)
        code = codes[m.name]
        if code is not None:
            total, count = np.bincount(code, total)[code], np.bincount(code, count)[code]
        score = standardized(np.where(count > 0, total / np.maximum(count, 1), np.nan))
        scale = marker_scale(m, numbers)
        out[m.name] = Guess(np.where(np.isfinite(score), score, 0.0) * scale, UNKNOWN * scale)
    return out


def marker_scale(m: spec.Measure, numbers: Mapping[str, Array]) -> float:
    """Return a rough sd of a construct: that of its gaussian marker, else 1."""
    if m.marker is None or m.marker not in numbers:
        return 1.0
    sd = float(np.nanstd(numbers[m.marker], ddof=1))
    return sd if sd > 0 else 1.0


def standardized(x: Array) -> Array:
    """Return values with mean 0 and sd 1, NaN where missing; 0 where they do not vary."""
    seen = x[np.isfinite(x)]
    sd = float(seen.std()) if len(seen) else 0.0
    return (x - seen.mean()) / sd if sd > 0 else np.where(np.isfinite(x), 0.0, np.nan)


# --- the layout ----------------------------------------------------------------------


def measured(model: Model, layout: Layout, rows: Rows) -> Layout:
    """Add what belongs together to a layout, and the deviations of raters.

    Raises:
        DataError: raters are asked for and each unit has one.
    """
    if not model.measures:
        return layout
    blocks = list(layout.blocks)
    place: dict[str, tuple[tuple[int, int], ...]] = {}
    problems: list[str] = []
    for (level, rater), names in _rater_sets(model).items():
        if level is None:
            continue
        parts = _rater_parts(model, (level, rater), names, layout.waves, rows)
        if not parts and rater is not None:
            problems.append(
                f"{rows.study.name}: measures.{names[0]}: each '{level}' has one '{rater}' only"
                f"{_in_each_wave(model)}, so that raters cannot be told from what they rate; leave "
                "rater out"
            )
        members = tuple(Member(n, Column(INTERCEPT.text, ())) for n in names)
        for group, columns, raters, code in parts:
            for k, n in enumerate(names):
                place[n] = (*place.get(n, ()), (len(blocks), k))
            blocks.append(Block(group, columns, raters, members, code, raters=True))
    if problems:
        raise DataError(problems)
    names = layout.responses
    found = tuple(
        Measure(
            m.name,
            names.index(m.name),
            tuple(names.index(i) for i in m.items),
            place.get(m.name, ()),
            m.marker,
            m.reverse,
            m.by,
            marker_scale(m, _gaussian_numbers(model, m, rows)),
            _units(layout.equation(m.name), rows),
            _waves(model, layout.equation(m.name), rows),
        )
        for m in model.measures.values()
    )
    return replace(layout, blocks=tuple(blocks), measures=found)


def _units(e: EquationLayout, rows: Rows) -> tuple[str, ...]:
    if e.level is None:
        return tuple(str(n) for n in rows.names(e.rows))
    return tuple(str(v) for v in rows.labels(e.level)[e.rows])


def _waves(model: Model, e: EquationLayout, rows: Rows) -> tuple[str, ...]:
    if model.panel is None:
        return ()
    return tuple(f"{w:g}" for w in rows.numeric(model.panel.wave, factor=False)[e.rows])


def _in_each_wave(model: Model) -> str:
    return "" if model.panel is None else " in each wave, and the same one in all waves"


def _gaussian_numbers(model: Model, m: spec.Measure, rows: Rows) -> dict[str, Array]:
    """Return the values of a gaussian marker, where the data have them."""
    i = m.marker
    if i is None or i not in rows.study.names or model.equations[i].family != "gaussian":
        return {}
    return {i: numeric(rows.study, i)}


def _rater_sets(model: Model) -> dict[tuple[str | None, str | None], list[str]]:
    """List the constructs whose raters are the same."""
    out: dict[tuple[str | None, str | None], list[str]] = {}
    for m in model.measures.values():
        out.setdefault((m.level, m.rater), []).append(m.name)
    return out


type Part = tuple[str, tuple[str, ...], tuple[str, ...], Index]
"""Deviations of raters: the grouping's name, its columns, labels, and the level of each row."""


def _rater_parts(
    model: Model,
    of: tuple[str, str | None],
    names: list[str],
    wave: Index | None,
    rows: Rows,
) -> list[Part]:
    """List what raters of the same units differ by: in a panel for good, and in each wave.

    A part is left out where nothing tells it from what is rated: the lasting one where each unit
    has one rater, the one by wave where it has one in each wave. Raters who answer in one wave
    only, or who are not known again, have one part.
    """
    level, rater = of
    group = model.measures[names[0]].raters
    code, labels = _raters(level, rater, rows)
    cells = len(np.unique(rows_of_level(level, rows, wave)[1]))
    if wave is None or rater is None or model.panel is None:
        columns = (level, rater) if rater is not None else ()
        items = [i for n in names for i in model.measures[n].items]
        code, labels = _who_answered((code, labels), level, items, rows)
        return [(group, columns, labels, code)] if len(labels) > cells else []
    out: list[Part] = []
    in_waves, every = codes_of([rows.labels(level), rows.labels(rater), wave.astype(str)])
    if len(labels) > len(np.unique(rows_of_level(level, rows)[1])):
        out.append((group, (level, rater), labels, code))
    if len(every) > cells and len(every) > len(labels):
        columns = (level, rater, model.panel.wave)
        out.append((f"{group}:{quoted(model.panel.wave)}", columns, every, in_waves))
    return out


def _raters(level: str, rater: str | None, rows: Rows) -> tuple[Index, tuple[str, ...]]:
    """Number the raters of all units, and label them by unit and rater."""
    if rater is not None:
        return codes_of([rows.labels(level), rows.labels(rater)])
    each = np.arange(rows.n, dtype=np.int64)
    units = rows.labels(level)
    return each, tuple(f"{u}:{k}" for u, k in zip(units, rows.names(each), strict=True))


def _who_answered(
    found: tuple[Index, tuple[str, ...]], level: str, items: Collection[str], rows: Rows
) -> tuple[Index, tuple[str, ...]]:
    """Number those raters alone who answered some item.

    A row without answers to the items has the number of another row of its unit, so that who did
    not answer has no deviation.
    """
    code, names = found
    if not set(items) <= set(rows.study.names):  # they are yet to be simulated
        return found
    units, _ = codes_of([rows.labels(level)])
    answered = np.any([rows.known(i) for i in items], axis=0)
    stand_in = np.full(int(units.max(initial=-1)) + 1, -1)
    for some in (slice(None), answered):  # rows with answers come last, and stay
        stand_in[units[some][::-1]] = code[some][::-1]
    kept, code = np.unique(np.where(answered, code, stand_in[units]), return_inverse=True)
    return code.astype(np.int64), tuple(names[k] for k in kept)


def exogenous_sets(model: Model) -> list[list[str]]:
    """List the constructs without an equation in the file, those of one level together."""
    out: dict[str | None, list[str]] = {}
    for r, e in model.equations.items():
        if e.construct and e.exogenous:
            out.setdefault(e.level, []).append(r)
    return [names for names in out.values() if len(names) > 1]

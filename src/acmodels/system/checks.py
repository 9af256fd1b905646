"""What a careful colleague would say of these data under this model.

Problems refuse the fit; warnings go with it into the output and the report.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from acmodels.data.coding import sentinel_warning
from acmodels.errors import DataError, listing
from acmodels.families import family
from acmodels.numbers import decimal, number
from acmodels.spec.formula import Operand
from acmodels.system.arrays import Array, Responses
from acmodels.system.columns import design_matrix, variable_values
from acmodels.system.equation import EquationLayout
from acmodels.system.groups import Block
from acmodels.system.layout import Layout
from acmodels.system.rank import explained, redundant
from acmodels.system.terms import Term, group_terms, pattern, terms

type RowNames = Callable[[np.ndarray], tuple[int, ...]]


def domain(name: str, operand: Operand, values: Array, rows: RowNames) -> None:
    """Refuse values a transform cannot take.

    Raises:
        DataError: log of 0 or less, sqrt of less than 0; the message names the rows.
    """
    from acmodels.system.columns import apply

    if operand.others:
        for a in operand.arguments:
            if a.variable == name:
                domain(name, a, values, rows)
        return
    if operand.inner is None or not operand.functions:
        return
    domain(name, operand.inner, values, rows)
    inner = apply(operand.inner, values)
    if operand.function == "log" and np.any(inner <= 0):
        bad, rule = inner <= 0, "above 0"
    elif operand.function == "mo" and np.any(inner != np.rint(inner)):
        bad, rule = inner != np.rint(inner), "that are whole numbers, the codes of its categories"
    elif operand.function == "sqrt" and np.any(inner < 0):
        bad, rule = inner < 0, "0 or more"
    else:
        return
    raise DataError(
        f"{operand.text} needs values {rule}; '{name}' breaks that in rows "
        f"{listing(rows(np.flatnonzero(bad)))}"
    )


def constant_within_levels(
    layout: Layout, also: Mapping[str, Mapping[str, Array]], rows: RowNames
) -> list[str]:
    """Find variables of a higher-level equation that vary within its units.

    Args:
        layout: of the model on these data.
        also: by response, further columns of its equation on the data's rows.
        rows: turns positions into the row numbers a person sees.
    """
    problems: list[str] = []
    for e in layout.equations:
        if e.level is None:
            continue
        values = {n: _stand_in(n, layout) for n in _reads(e, layout)}
        values |= dict(also.get(e.response, {}))
        for block, _ in group_terms(layout, e.response):
            values[block.group] = block.code.astype(np.float64)
        for name, v in values.items():
            off = np.flatnonzero(v != v[e.rows][e.carry])
            if len(off):
                units = len(np.unique(e.carry[off]))
                problems.append(
                    f"equations.{e.response} has level = \"{e.level}\", but '{name}' varies "
                    f"within {units} of its {e.n} units (rows {listing(rows(off))}); it must be "
                    f"constant within '{e.level}', or enter as between({name}, {e.level})"
                )
    return problems


def _reads(e: EquationLayout, layout: Layout) -> list[str]:
    names = [s.key for t in terms(layout, e.response) for s in t.sources]
    return [n for n in dict.fromkeys(names) if n in layout.variables or n in layout.derived]


def _stand_in(source: str, layout: Layout) -> Array:
    """Values of a predictor; for a mean or a deviation something that varies as it can."""
    d = layout.derived.get(source)
    if d is None:
        return layout.variables[source].values
    return pattern(layout, source).astype(np.float64)


def grouping_problems(layout: Layout) -> list[str]:
    """Refuse groupings with a single level."""
    return [
        f"the grouping '{b.group}' has one group only ('{''.join(b.levels)}'); an effect cannot "
        "vary over one group, so leave its term out"
        for b in {b.group: b for b in layout.blocks}.values()
        if len(b.levels) < 2
    ]


def response_problems(layout: Layout, responses: Responses, rows: RowNames) -> list[str]:
    """Check each response against its family.

    Args:
        layout: of the model on these data.
        responses: by name, on the rows of their equations.
        rows: turns positions into the row numbers a person sees.
    """
    out: list[str] = []
    for e in layout.equations:
        y = responses[e.response]
        found = family(e.family).problems(y, e.trials)
        if found:
            bad = listing(rows(e.rows[_misfits(e, y)]))
            out += [f"'{e.response}' {p} (rows {bad})" for p in found]
        if np.ptp(y) == 0 and e.measured:
            out.append(
                f"'{e.response}', an item of {e.measured[0]}, has the value {y[0]:g} in every "
                "row; it carries no information about a construct, so leave it out of the items"
            )
        elif np.ptp(y) == 0 and e.trials is None:
            out.append(
                f"'{e.response}' has the value {y[0]:g} in every row; it has no variance to "
                "explain, so leave its equation out"
            )
    return out


def _misfits(e: EquationLayout, y: Array) -> np.ndarray:
    """Positions of the values that a family refuses even alone; all, where none is."""
    cells = np.column_stack([y] if e.trials is None else [y, e.trials])
    distinct, which = np.unique(cells, axis=0, return_inverse=True)
    alone = [
        bool(family(e.family).problems(c[:1], None if e.trials is None else c[1:]))
        for c in distinct
    ]
    return np.flatnonzero(np.array(alone)[which.ravel()] if any(alone) else np.ones(len(y)))


def examine(layout: Layout, responses: Responses) -> tuple[list[str], list[str]]:
    """Look at every design matrix and grouping; return problems and warnings."""
    problems: list[str] = []
    warnings: list[str] = []
    for e in layout.equations:
        X = design_matrix(layout, e, responses)
        problems += _design_problems(layout, e, X)
        warnings += _design_warnings(e, X)
        warnings += _category_warnings(layout, e)
        warnings += [
            f"'{e.response}' {w}" for w in family(e.family).warnings(responses[e.response])
        ]
        warnings += _group_warnings(layout, e, responses)
    warnings += _residual_warnings(layout)
    warnings += _measure_warnings(layout, responses)
    if layout.n_rows >= 1_000_000:
        width = sum(len(e.columns) + 6 for e in layout.equations)
        warnings.insert(
            0,
            f"{layout.n_rows} rows: expect MCMC to take hours and some "
            f"{decimal(8e-9 * layout.n_rows * width, 1)} GB",
        )
    return problems, list(dict.fromkeys(warnings))


def _design_problems(layout: Layout, e: EquationLayout, X: Array) -> list[str]:
    problems: list[str] = []
    spread = np.ptp(X, axis=0) if len(X) else np.zeros(X.shape[1])
    constant = [k for k in range(X.shape[1]) if k != e.intercept and spread[k] == 0]
    for k in constant:
        if not e.located and X[0, k] != 0 and len(constant) == 1:
            continue  # it serves as the intercept
        parts = e.columns[k].parts
        if X[0, k] == 0 and any(p.level is not None for p in parts):
            problems.append(
                f"equations.{e.response}: none of its rows has '{e.columns[k].name}', so this "
                "effect cannot be estimated; leave the rows that have it out of the data, or leave "
                "the term out"
            )
            continue
        problems.append(
            f"equations.{e.response}: the predictor '{e.columns[k].name}' has the same value "
            f"({X[0, k]:g}) in every row, so its effect cannot be distinguished from the "
            "intercept; leave "
            "it out"
        )
    if problems:
        return problems
    found = redundant(X, e.columns, constant=e.located)
    return [explained(layout, e, r) for r in found]


def _design_warnings(e: EquationLayout, X: Array) -> list[str]:
    out: list[str] = []
    slopes = [k for k in range(X.shape[1]) if k != e.intercept]
    if len(slopes) > 1:
        sds = X[:, slopes].std(axis=0)
        small, large = int(np.argmin(sds)), int(np.argmax(sds))
        if sds[large] > 1e8 * sds[small]:
            out.append(
                f"equations.{e.response}: '{e.columns[slopes[large]].name}' (sd "
                f"{number(sds[large], 2)}) "
                f"stands beside '{e.columns[slopes[small]].name}' (sd {number(sds[small], 2)}); "
                "coefficients on such different scales are hard to read, so rescale one"
            )
    many = X.shape[1] + len(e.thresholds)
    if len(X) <= many:
        out.append(
            f"equations.{e.response} has {many} coefficients and only {len(X)} rows; the result "
            "depends on the priors"
        )
    return out


def _category_warnings(layout: Layout, e: EquationLayout) -> list[str]:
    """Warn of factor levels that one row stands for, the reference among them."""
    parts = [p for c in e.columns for p in c.parts if p.level is not None]
    out: list[str] = []
    for operand in dict.fromkeys(p.operand for p in parts):
        variable = layout.variables[operand.variable]
        codes = variable.values[e.rows].astype(np.int64)
        out += [
            f"equations.{e.response}: the category {operand.text}[{variable.levels[k]}] has a "
            "single row"
            for k in np.flatnonzero(np.bincount(codes) == 1)
        ]
    return out


def _group_warnings(layout: Layout, e: EquationLayout, responses: Responses) -> list[str]:
    if e.measured:
        return _item_group_warnings(layout, e, responses)
    out: list[str] = []
    for block, mine in group_terms(layout, e.response):
        index = block.index(e)
        counts = np.bincount(index)
        counts = counts[counts > 0]
        if len(counts) < 5:
            out.append(
                f"the grouping '{block.group}' has {len(counts)} groups in "
                f"equations.{e.response}; with fewer than 5 its sd depends on the prior"
            )
        if counts.max() == 1 and e.has_sigma:
            out.append(
                f"every group of '{block.group}' has a single row in equations.{e.response}; "
                "its sd cannot be distinguished from the residual sd"
            )
        else:
            out += _many_effects(layout, e, block, len(counts))
        predictors = {v for c in e.columns for v in c.variables}
        constant = [
            v
            for v in predictors
            if _constant_in(index, variable_values(layout, v, responses)[e.rows])
        ]
        if counts.max() > 1 and len(constant) >= len(counts):
            out.append(
                f"equations.{e.response} has {len(constant)} predictors that are constant within "
                f"'{block.group}' and only {len(counts)} groups"
            )
        if counts.max() > 1 and _constant_in(index, responses[e.response]):
            left = f", and nothing is left for sigma({e.response})" if e.has_sigma else ""
            out.append(
                f"'{e.response}' has one value in every group of '{block.group}'{left}; say "
                f'level = "{block.group}" in equations.{e.response} so that each counts once'
            )
        out += _slope_warnings(layout, e, block, mine, responses)
    return out


def _item_group_warnings(layout: Layout, e: EquationLayout, responses: Responses) -> list[str]:
    """Warn of what tells nothing of how an item differs between groups, or of change."""
    out: list[str] = []
    of = layout.measure(e.measured[0])
    for block, _ in group_terms(layout, e.response):
        index = block.index(e)
        by = of is not None and block.columns == (of.by,)
        groups = len(np.unique(index))
        if by and groups < 5:
            out.append(
                f"the groups of '{block.group}' are {groups}; with fewer than 5 how far "
                f"'{e.response}' differs between them depends on the prior"
            )
        if not by and np.bincount(index).max() > 1 and _constant_in(index, responses[e.response]):
            out.append(
                f"'{e.response}', an item of {e.measured[0]}, has one value in each "
                f"'{block.group}' in all waves, so that it tells nothing of change"
            )
    return out


def _many_effects(layout: Layout, e: EquationLayout, block: Block, groups: int) -> list[str]:
    """Warn where a grouping has as many effects as an equation has rows, as lme4 does."""
    each = sum(
        len(mine) for b, mine in group_terms(layout, e.response) if b.columns == block.columns
    )
    if not e.has_sigma or each * groups < e.n:
        return []
    effects = f"{each * groups} effects of '{block.group}' ({each} for each of {groups} groups)"
    left = "their sds cannot be distinguished from the residual sd"
    return [f"equations.{e.response} has {effects} and only {e.n} rows; {left}"]


def _slope_warnings(
    layout: Layout, e: EquationLayout, block: Block, mine: Sequence[Term], responses: Responses
) -> list[str]:
    index = block.index(e)
    return [
        f"'{t.column.name}' is constant within every group of '{block.group}', so "
        f"how its slope in equations.{e.response} varies by group rests on little"
        for t in mine
        if not t.intercept
        and np.bincount(index).max() > 1
        and _constant_in(index, t.values(layout, responses))
    ]


def _constant_in(index: np.ndarray, values: Array) -> bool:
    first = np.full(int(index.max()) + 1, np.nan)
    first[index[::-1]] = values[::-1]
    return bool(np.all(values == first[index]))


def _residual_warnings(layout: Layout) -> list[str]:
    """Warn where residuals correlate along an arrow: the two are told apart by little."""
    out: list[str] = []
    for block in layout.residual:
        names = [layout.equations[i].response for i in block]
        for i in block:
            e = layout.equations[i]
            sources = {s.key for t in terms(layout, e.response) for s in t.sources if not s.lag}
            own = sources & set(names)
            out += [
                f"'{m}' predicts '{e.response}' and their residuals may correlate; unless some "
                f"predictor of '{m}' has no arrow to '{e.response}', the data cannot tell the two "
                "apart and the result depends on the priors"
                for m in sorted(own)
            ]
    return out


def _measure_warnings(layout: Layout, responses: Responses) -> list[str]:
    measures = {n: v.values for n, v in layout.variables.items() if not v.levels}
    measures |= dict(responses)
    out: list[str] = []
    for name, values in measures.items():
        said = sentinel_warning(name, values)
        out += [] if said is None else [said]
    return out

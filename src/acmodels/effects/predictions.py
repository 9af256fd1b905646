"""Predictions, comparisons and slopes of one equation, with the names of marginaleffects.

The expected response at rows as observed, at rows of another table or at held values; what a
change of a predictor does to it; its derivative. Averages are over rows, draw by draw.

A mediator is a predictor like any other here and is taken as observed, or held: what `x` does
through it is an estimand's business (`indirect`, `total`), not a comparison's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.effects.contrasts import a_few, along, contrasts, held_grid
from acmodels.effects.expected import average, one_by_one
from acmodels.effects.prediction_rows import changed, held, rows_at, shown, split
from acmodels.effects.predictor import Groups, Predictor, Rows, Scale, Value, predictor_of
from acmodels.effects.sizes import summary
from acmodels.errors import InputError
from acmodels.spec.names import plain, plain_keys

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.inference.fitting import Fit
    from acmodels.posterior import Array


def predictions(
    fit: "Fit",
    newdata: Any = None,
    *,
    by: str | Sequence[str] | bool | None = None,
    at: Mapping[str, Value | Sequence[Value]] | None = None,
    groups: Groups | None = None,
    response: str | None = None,
    scale: Scale = "response",
) -> "pd.DataFrame":
    """Compute expected responses of one equation.

    Without `by` and `at` there is a row for every row of the data. `by` averages over rows
    within its values; `at` sets predictors to the values given in every row and averages,
    once for each combination (the other predictors stay as observed; with `newdata="mean"` they
    are held at their mean, or commonest level). Mediators are taken as observed. A binomial
    response is a proportion. An ordinal response has a row for each category, whose code is in the
    column `category`, with the probability of that category.

    Args:
        fit: from `fit`.
        newdata: a table with the equation's predictors; `"mean"` for one row at means and
            commonest levels; None for the rows that were fitted.
        by: predictors or groupings; True averages over all rows.
        at: values by predictor.
        groups: `observed` takes the posterior of each row's own group effects, `new` averages
            over the distribution of effects of groups not seen. If None, `observed` for the
            rows fitted, one by one, and `new` for averages and other tables.
        response: which equation, where there are several.
        scale: `response`, or `linear` for the linear predictor.

    Returns:
        What identifies a row (`rowid`, counted from 0 over the rows of the equation, and its
        predictors; or the values of `at` and `by`), `category` for an ordinal response, then
        `mean, sd, median, lower, upper`.

    Raises:
        InputError: an unknown name or value, or groups that were not observed.

    Examples:
        >>> import acmodels as ac
        >>> design = ac.load_design("interaction_conditions")
        >>> data = ac.simulate(design, seed=1).study
        >>> fit = ac.fit(design.model, data)
        >>> found = ac.predictions(fit, at={"routines": [0, 1]})
        >>> found[["routines", "mean", "lower", "upper"]].round(1)
           routines  mean  lower  upper
        0       0.0  -0.0   -0.3    0.3
        1       1.0   0.2   -0.1    0.5
    """
    import pandas as pd

    p = predictor_of(fit, response, groups, scale, averages=bool(at or by), elsewhere=newdata)
    rows = rows_at(p, newdata)
    if not at and not by:
        labels = {"rowid": np.arange(rows.n), **{v: shown(p, v, rows) for v in p.variables}}
        return _by_category(p, lambda q: pd.DataFrame({**labels, **one_by_one(q, rows)}))
    sets = [(label, held(rows, c)) for label, c in held_grid(p, at or {})]
    return _by_category(p, lambda q: _averages(q, sets, by))


def comparisons(
    fit: "Fit",
    variables: Mapping[str, Any] | Sequence[str] | str,
    newdata: Any = None,
    *,
    by: str | Sequence[str] | bool | None = None,
    groups: Groups = "new",
    response: str | None = None,
    scale: Scale = "response",
) -> "pd.DataFrame":
    """Compare expected responses at two values of a predictor, averaged over rows.

    Args:
        fit: from `fit`.
        variables: predictors, with what is compared. For a number: a step (default 1, from where
            each row is; 0 to 1 where it has no other values), two values, or `"sd"`, `"2sd"`
            (about the mean), `"iqr"`, `"minmax"`. For a factor: `"reference"` (each level
            with the reference, the default), `"pairwise"`, or two levels.
        newdata: as for `predictions`.
        by: predictors or groupings within which to average; None averages over all rows.
        groups: `new`, the default, averages over the distribution of effects of groups not seen,
            `observed` takes the effects of each row's own groups.
        response: which equation, where there are several.
        scale: `response`, or `linear` for the linear predictor.

    Returns:
        The columns `term, contrast`, those of `by`, and `mean, sd, median, lower, upper`.
        `contrast` names the second value minus the first. An ordinal response has a row for each
        category, as in `predictions`: the difference of its probability.

    Raises:
        InputError: an unknown name or value.

    Examples:
        >>> import acmodels as ac
        >>> design = ac.load_design("interaction_conditions")
        >>> data = ac.simulate(design, seed=1).study
        >>> fit = ac.fit(design.model, data)
        >>> found = ac.comparisons(fit, {"routines": "sd"})
        >>> found[["term", "mean", "lower", "upper"]].round(1)
               term  mean  lower  upper
        0  routines   0.2    0.1    0.4
    """
    p = predictor_of(fit, response, groups, scale, averages=True, elsewhere=newdata)
    rows = rows_at(p, newdata)
    wanted: Mapping[str, Any]
    if isinstance(variables, Mapping):
        wanted = plain_keys(variables)
    else:
        wanted = plain_keys(dict.fromkeys([variables] if isinstance(variables, str) else variables))
    pairs = [
        ({"term": name, "contrast": label}, first, second)
        for name, how in wanted.items()
        for label, first, second in contrasts(p, name, how, rows)
    ]
    return _by_category(p, lambda q: _differences(q, pairs, by))


def slopes(
    fit: "Fit",
    variable: str | Sequence[str],
    newdata: Any = None,
    *,
    by: str | Sequence[str] | bool | None = None,
    groups: Groups = "new",
    response: str | None = None,
    scale: Scale = "response",
) -> "pd.DataFrame":
    """Derivatives of the expected response by a predictor, averaged over rows.

    Args:
        fit: from `fit`.
        variable: predictors that are numbers; for factors there is `comparisons`.
        newdata: as for `predictions`.
        by: as for `comparisons`.
        groups: as for `comparisons`.
        response: which equation, where there are several.
        scale: `response`, or `linear` for the linear predictor.

    Returns:
        As `comparisons`, with `dY/dX` as contrast.

    Raises:
        InputError: an unknown name, a factor, or steps.

    Examples:
        >>> import acmodels as ac
        >>> design = ac.load_design("interaction_conditions")
        >>> data = ac.simulate(design, seed=1).study
        >>> fit = ac.fit(design.model, data)
        >>> found = ac.slopes(fit, "routines")
        >>> found[["term", "contrast", "mean"]].round(1)
               term contrast  mean
        0  routines    dY/dX   0.2
    """
    if isinstance(variable, Mapping):
        raise InputError("slopes takes names of predictors; steps are for comparisons")
    p = predictor_of(fit, response, groups, scale, averages=True, elsewhere=newdata)
    rows = rows_at(p, newdata)
    pairs: list[tuple[dict[str, Any], Rows, Rows]] = []
    step: dict[int, float] = {}
    for name in map(plain, [variable] if isinstance(variable, str) else variable):
        p.known(name)
        if p.levels(name):
            raise InputError(
                f"'{name}' is a factor and has no slope; use comparisons(fit, '{name}')"
            )
        h = 1e-4 * (float(p.reference(name).std()) or 1.0)
        here = rows.values(name)
        step[len(pairs)] = 2 * h
        labels = {"term": name, "contrast": "dY/dX"}
        pairs.append((labels, changed(rows, name, here - h), changed(rows, name, here + h)))
    return _by_category(p, lambda q: _differences(q, pairs, by, step))


def curves(
    fit: "Fit",
    condition: Sequence[str],
    *,
    groups: Groups = "new",
    response: str | None = None,
    scale: Scale = "response",
    points: int = 60,
) -> "pd.DataFrame":
    """Compute expected responses over one predictor at values of a second, the others held.

    Args:
        fit: from `fit`.
        condition: one or two predictors: the first along the axis, the second at its levels,
            its values where there are at most five, or its mean and one sd about it. The others
            are held at their means, or commonest levels.
        groups: as for `predictions`.
        response: which equation, where there are several.
        scale: `response`, or `linear` for the linear predictor.
        points: along the axis.

    Returns:
        The columns of `condition`, `category` for an ordinal response, then `mean, sd, median,
        lower, upper`.

    Raises:
        InputError: an unknown name, or not one or two of them.
    """
    import pandas as pd

    if isinstance(condition, str) or not 1 <= len(set(condition)) <= 2:
        raise InputError('condition must name one or two predictors, as ["x"] or ["x", "w"]')
    condition = [plain(name) for name in condition]
    p = predictor_of(fit, response, groups, scale, averages=True, elsewhere="mean")
    if p.groups == "observed":
        raise InputError('held values belong to no group; use groups="new"')
    choices: list[list[Value]] = [along(p, condition[0], points)]
    choices += [a_few(p, name) for name in condition[1:]]
    grid = held_grid(p, dict(zip(condition, choices, strict=True)))
    base = rows_at(p, "mean")
    sets = [held(base, c) for _, c in grid]
    rows = Rows(
        len(grid), {v: np.concatenate([s.values(v) for s in sets]) for v in base.held}, None
    )
    shown = {name: [label[name] for label, _ in grid] for name in condition}
    return _by_category(p, lambda q: pd.DataFrame({**shown, **one_by_one(q, rows)}))


def _by_category(p: Predictor, table: "Callable[[Predictor], pd.DataFrame]") -> "pd.DataFrame":
    """A table; of an ordinal response on its own scale, its rows for each category in turn."""
    import pandas as pd

    if not p.e.codes or p.scale == "linear":
        return table(p)
    tables: list[pd.DataFrame] = []
    for place, code in enumerate(p.e.codes):
        one = table(p.of_category(place))
        one.insert(list(one.columns).index("mean"), "category", code)
        tables.append(one)
    return pd.concat(tables).sort_index(kind="stable").reset_index(drop=True)


def _averages(p: Predictor, sets: Sequence[tuple[dict[str, Any], Rows]], by: Any) -> "pd.DataFrame":
    import pandas as pd

    labels: list[dict[str, Any]] = []
    draws: list[Array] = []
    for label, rows in sets:
        for shared, some in split(p, rows, by):
            labels.append({**label, **shared})
            draws.append(average(p, rows, some))
    return pd.DataFrame({**_columns(labels), **summary(p.fit, np.column_stack(draws))})


def _differences(
    p: Predictor, pairs: Sequence[tuple[dict[str, Any], Rows, Rows]], by: Any,
    steps: Mapping[int, float] | None = None,
) -> "pd.DataFrame":  # fmt: skip
    import pandas as pd

    labels: list[dict[str, Any]] = []
    draws: list[Array] = []
    for k, (label, first, second) in enumerate(pairs):
        over = 1.0 if steps is None else steps[k]
        for shared, some in split(p, first, by):
            labels.append({**label, **shared})
            draws.append((average(p, second, some) - average(p, first, some)) / over)
    if not draws:
        raise InputError("say which predictors: none was named")
    return pd.DataFrame({**_columns(labels), **summary(p.fit, np.column_stack(draws))})


def _columns(labels: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in labels] for name in labels[0]}

"""Predictions, comparisons and slopes of one equation, with the names of marginaleffects.

The expected response at rows as observed, at rows of another table or at held values; what a
change of a predictor does to it; its derivative. Averages are over rows, draw by draw.

A mediator is a predictor like any other here and is taken as observed, or held: what `x` does
through it is an estimand's business (`indirect`, `total`), not a comparison's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from acmodels.effects.sizes import coefficients, parameter, summary
from acmodels.errors import DataError, InputError, did_you_mean, listing
from acmodels.numbers import number
from acmodels.spec.names import plain, plain_keys, same
from acmodels.system.columns import apply, part_values, variable_values
from acmodels.system.terms import group_terms, terms
from acmodels.system.variances import covariances

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.data import Study
    from acmodels.inference.fitting import Fit
    from acmodels.posterior import Array
    from acmodels.system import Column, EquationLayout

type Groups = Literal["new", "observed"]
type Scale = Literal["response", "linear"]
type Value = float | str | bool

CELLS = 2_000_000
"""Numbers held at once while expected responses are computed."""


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

    p = _predictor(fit, response, groups, scale, averages=bool(at or by), elsewhere=newdata)
    rows = p.rows(newdata)
    if not at and not by:
        labels = {"rowid": np.arange(rows.n), **{v: p.shown(v, rows) for v in p.variables}}
        return _by_category(p, lambda q: pd.DataFrame({**labels, **q.one_by_one(rows)}))
    sets = [(label, p.held(rows, c)) for label, c in p.grid(at or {})]
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
    p = _predictor(fit, response, groups, scale, averages=True, elsewhere=newdata)
    rows = p.rows(newdata)
    wanted: Mapping[str, Any]
    if isinstance(variables, Mapping):
        wanted = plain_keys(variables)
    else:
        wanted = plain_keys(dict.fromkeys([variables] if isinstance(variables, str) else variables))
    pairs = [
        ({"term": name, "contrast": label}, first, second)
        for name, how in wanted.items()
        for label, first, second in p.contrasts(name, how, rows)
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
    p = _predictor(fit, response, groups, scale, averages=True, elsewhere=newdata)
    rows = p.rows(newdata)
    pairs: list[tuple[dict[str, Any], _Rows, _Rows]] = []
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
        pairs.append((labels, p.changed(rows, name, here - h), p.changed(rows, name, here + h)))
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
    p = _predictor(fit, response, groups, scale, averages=True, elsewhere="mean")
    if p.groups == "observed":
        raise InputError('held values belong to no group; use groups="new"')
    choices: list[list[Value]] = [p.along(condition[0], points)]
    choices += [p.some(name) for name in condition[1:]]
    grid = p.grid(dict(zip(condition, choices, strict=True)))
    base = p.rows("mean")
    sets = [p.held(base, c) for _, c in grid]
    rows = _Rows(
        len(grid), {v: np.concatenate([s.values(v) for s in sets]) for v in base.held}, None
    )
    shown = {name: [label[name] for label, _ in grid] for name in condition}
    return _by_category(p, lambda q: pd.DataFrame({**shown, **q.one_by_one(rows)}))


@dataclass(frozen=True)
class _Rows:
    """Rows to predict at.

    Attributes:
        n: how many.
        held: values by name of what columns rest on, codes for a factor.
        codes: by grouping, the level of each row; None where rows belong to no group.
    """

    n: int
    held: "Mapping[str, Array]"
    codes: Mapping[str, np.ndarray] | None

    def values(self, name: str) -> "Array":
        return self.held[name]


def _predictor(
    fit: "Fit", response: str | None, groups: str | None, scale: str, *, averages: bool,
    elsewhere: Any,
) -> "_Predictor":  # fmt: skip
    names = fit.system.layout.responses
    if response is None and len(names) > 1:
        raise InputError(f"the model has {len(names)} equations; say response= ({listing(names)})")
    chosen = next(iter(names)) if response is None else plain(response)
    if chosen not in names:
        raise InputError(
            f"'{chosen}' has no equation{did_you_mean(chosen, names)} (equations: {listing(names)})"
        )
    if groups not in (None, "new", "observed"):
        raise InputError(f'groups must be "new" or "observed", not {groups!r}')
    if scale not in ("response", "linear"):
        raise InputError(f'scale must be "response" or "linear", not {scale!r}')
    if groups is None:
        groups = "new" if averages or elsewhere is not None else "observed"
    return _Predictor(fit, fit.system.layout.equation(chosen), groups, scale)


class _Predictor:
    """One equation of a fit, to be evaluated at any rows."""

    def __init__(self, fit: "Fit", e: "EquationLayout", groups: str, scale: str) -> None:
        self.fit, self.e, self.groups, self.scale = fit, e, groups, scale
        self.layout, self.responses = fit.system.layout, fit.system.responses
        self.blocks = group_terms(self.layout, e.response)
        self.offsets = fit.spec.equations[e.response].formula.offsets
        self.B = coefficients(fit, e)
        self.flat = scale == "linear" or e.link == "identity"
        every = terms(self.layout, e.response)
        operands = [q.operand for t in every for q in t.column.parts] + list(self.offsets)
        self.sources = tuple(dict.fromkeys(o.source for o in operands))
        self.variables = tuple(s for s in self.sources if s in {o.variable for o in operands})
        latent = list(dict.fromkeys(t.latent.key for t in every if t.latent is not None))
        if latent:
            raise InputError(
                f"the equation of {e.response} reads {listing(latent)} with a latent unit mean, "
                "for which predictions are not computed yet by this version"
            )
        self.derived = {o.variable: o.source for o in operands if o.source != o.variable}
        self.category: int | None = None

    def of_category(self, place: int) -> "_Predictor":
        """The same, of the probability of one category of an ordinal response."""
        out = copy(self)
        out.category = place
        return out

    def reference(self, source: str) -> "Array":
        """Values on the equation's own rows, which `center` and `standardize` rest on."""
        return variable_values(self.layout, source, self.responses)[..., self.e.rows]

    def levels(self, name: str) -> tuple[str, ...]:
        variable = self.layout.variables.get(name)
        return () if variable is None else variable.levels

    def known(self, name: str) -> None:
        """Refuse a name that the equation does not read, or reads through its unit's mean."""
        if name in self.derived:
            raise InputError(
                f"'{name}' enters the equation of {self.e.response} as {self.derived[name]}, which "
                "rests on the other rows of its unit, so it cannot be set by itself"
            )
        if name not in self.variables:
            raise InputError(
                f"'{name}' is no predictor in the equation of {self.e.response}"
                f"{did_you_mean(name, self.variables)} (predictors: {listing(self.variables, 15)})"
            )

    # --- rows ----------------------------------------------------------------------------

    def rows(self, newdata: Any) -> _Rows:
        if newdata is None:
            held = {s: self.reference(s) for s in self.sources}
            codes = {b.group: b.index(self.e) for b, _ in self.blocks}
            return _Rows(self.e.n, held, codes)
        if isinstance(newdata, str) and newdata == "mean":
            self._no_groups_observed()
            held = {s: np.array([self._middle(s)]) for s in self.sources}
            return _Rows(1, held, None)
        return self._from_table(newdata)

    def _no_groups_observed(self) -> None:
        if self.groups == "observed" and self.blocks:
            raise InputError('held values belong to no group; use groups="new"')

    def _middle(self, source: str) -> float:
        values = self.reference(source)
        if self.levels(source):
            return float(np.argmax(np.bincount(values.astype(np.int64))))
        return float(values.mean())

    def _from_table(self, newdata: Any) -> _Rows:
        from acmodels.data import study

        if self.derived:
            raise InputError(
                f"the equation of {self.e.response} reads {listing(list(self.derived.values()))}, "
                "which another table does not determine; predict at the rows fitted"
            )
        table = study(newdata, "newdata")
        groupings = {c for b, _ in self.blocks for c in b.columns}
        wanted = [*self.variables, *(sorted(groupings) if self.groups == "observed" else [])]
        lost = [v for v in wanted if v not in table.names]
        if lost:
            raise DataError(
                f"{table.name}: no column {listing([repr(v) for v in lost])}, which the equation "
                f"of {self.e.response} reads (columns: {listing(table.names, 15)})"
            )
        held = {v: self._column(v, table) for v in self.variables}
        codes: dict[str, np.ndarray] | None = None
        if all(g in table.names for g in groupings):
            codes = self._codes(table)
        return _Rows(table.n_rows, held, codes)

    def _column(self, name: str, table: "Study") -> "Array":
        from acmodels.data import kind, labels, numeric, row_names, truth_values
        from acmodels.data.coding import named_levels

        levels = self.levels(name)
        if not levels:
            values = numeric(table, name, factor=False)
        else:
            found = labels(table, name)
            if kind(table, name) == "boolean" and set(levels) <= {"True", "False"}:
                found = np.where(truth_values(table, name) == 1, "True", "False")
            named = named_levels(table, name, dict.fromkeys(v for v in found if v is not None))
            found = [named.get(v, v) for v in found]
            code = {v: k for k, v in enumerate(levels)}
            unknown = sorted({str(v) for v in found if v is not None} - set(code))
            if unknown:
                raise DataError(
                    f"{table.name}: '{name}' has levels that the fit does not know: "
                    f"{listing([repr(v) for v in unknown])} (levels: {listing(levels, 12)})"
                )
            values = np.array([np.nan if v is None else code[str(v)] for v in found], dtype=float)
        gaps = np.flatnonzero(~np.isfinite(values))
        if len(gaps):
            raise DataError(
                f"{table.name}: '{name}' has no value in rows {listing(row_names(table, gaps))}"
            )
        return values

    def _codes(self, table: "Study") -> dict[str, np.ndarray]:
        """Levels of groupings; -1 for one not seen, refused where its effect is asked for."""
        from acmodels.data import labels
        from acmodels.system import group_labels

        out: dict[str, np.ndarray] = {}
        for block, _ in self.blocks:
            found = group_labels([labels(table, c) for c in block.columns])
            place = {v: k for k, v in enumerate(block.levels)}
            code = np.array([place.get(v, -1) for v in found], dtype=np.int64)
            unseen = list(dict.fromkeys(str(v) for v in np.asarray(found)[code < 0]))
            if unseen and self.groups == "observed":
                raise DataError(
                    f"{table.name}: the fit has seen no {block.group} "
                    f"{listing([repr(v) for v in unseen])}, so there is no effect to predict with; "
                    'use groups="new" for groups not seen (levels fitted: '
                    f"{listing(block.levels, 12)})"
                )
            out[block.group] = code
        return out

    # --- held values ---------------------------------------------------------------------

    def grid(
        self, at: Mapping[str, Value | Sequence[Value]]
    ) -> list[tuple[dict[str, Any], dict[str, float]]]:
        """Spell `at` out: what is shown and what is held, for each combination."""
        choices: list[list[tuple[str, Any, float]]] = []
        for name, given in plain_keys(at).items():
            self.known(name)
            values = [given] if isinstance(given, str | bool) or np.ndim(given) == 0 else given
            found = [self._held(name, v) for v in cast("Sequence[Value]", values)]
            if not found:
                raise InputError(f"at: '{name}' has no values")
            choices.append([(name, shown, number) for shown, number in found])
        return [
            ({name: shown for name, shown, _ in c}, {name: number for name, _, number in c})
            for c in product(*choices)
        ]

    def _held(self, name: str, value: Any) -> tuple[Any, float]:
        levels = self.levels(name)
        if levels:
            numeric = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            text = number(float(value), 6) if numeric else str(value)
            if text not in levels:
                raise InputError(
                    f"'{name}' has no level '{text}'{did_you_mean(text, levels)} "
                    f"(levels: {listing(levels, 12)})"
                )
            return text, float(levels.index(text))
        if isinstance(value, str) or not np.isfinite(value):
            raise InputError(f"'{name}' is a number; {value!r} is not one that it can be held at")
        return float(value), float(value)

    def held(self, rows: _Rows, at: Mapping[str, float]) -> _Rows:
        """The same rows with some variables held."""
        return replace(rows, held={**rows.held, **{k: np.full(rows.n, v) for k, v in at.items()}})

    def changed(self, rows: _Rows, name: str, values: "Array") -> _Rows:
        """The same rows with other values of one variable."""
        return replace(rows, held={**rows.held, name: values})

    def along(self, name: str, points: int) -> list[Value]:
        """Values along an axis: a factor's levels, or the range."""
        self.known(name)
        if self.levels(name):
            return list(self.levels(name))
        values = self.reference(name)
        return [float(v) for v in np.linspace(values.min(), values.max(), points)]

    def some(self, name: str) -> list[Value]:
        """A few values: a factor's levels, all of a few numbers, or mean and mean ± sd."""
        self.known(name)
        if self.levels(name):
            return list(self.levels(name))
        values = self.reference(name)
        distinct = np.unique(values)
        if len(distinct) <= 5:
            return [float(v) for v in distinct]
        mean, sd = float(values.mean()), float(values.std(ddof=1))
        return [mean - sd, mean, mean + sd]

    def contrasts(self, name: str, how: Any, rows: _Rows) -> Iterator[tuple[str, _Rows, _Rows]]:
        """Return what is compared, each with its label."""
        self.known(name)
        levels = self.levels(name)
        pairs: list[Any]
        if levels:
            if how is None or how == "reference":
                reference = levels[self._base(name)]
                pairs = [(reference, v) for v in levels if v != reference]
            elif how == "pairwise":
                pairs = list(combinations(levels, 2))
            elif _is_pair(how):
                pairs = [tuple(how)]
            else:
                raise InputError(
                    f'variables: \'{name}\' is a factor: give "reference", "pairwise" or two of '
                    f"its levels ({listing(levels, 12)}), not {how!r}"
                )
        elif how is None and set(np.unique(self.reference(name))) <= {0.0, 1.0}:
            pairs = [(0.0, 1.0)]
        elif _is_pair(how):
            pairs = [tuple(cast("Any", how))]
        elif isinstance(how, str):
            pairs = [self._range(name, how)]
        elif how is None or (np.ndim(how) == 0 and np.isfinite(how) and how != 0):
            step = 1.0 if how is None else float(how)
            here = rows.values(name)
            yield f"{step:+g}", rows, self.changed(rows, name, here + step)
            return
        else:
            raise InputError(
                f'variables: \'{name}\' takes a step, two values, "sd", "2sd", "iqr" or '
                f'"minmax", not {how!r}'
            )
        for a, b in pairs:
            (low, x), (high, y) = self._held(name, a), self._held(name, b)
            label = f"{high} - {low}" if levels else f"{number(high, 6)} - {number(low, 6)}"
            yield label, self.held(rows, {name: x}), self.held(rows, {name: y})

    def _base(self, name: str) -> int:
        """Code of a factor's reference: the level without a column, or the stated one."""
        levels = self.levels(name)
        parts = [q for c in self.e.columns for q in c.parts if q.operand.variable == name]
        stated = [str(q.operand.ref) for q in parts if q.operand.ref is not None]
        return levels.index(stated[0]) if stated else 0

    def _range(self, name: str, how: str) -> tuple[float, float]:
        values = self.reference(name)
        mean, sd = float(values.mean()), float(values.std(ddof=1))
        ends = {
            "sd": (mean - sd / 2, mean + sd / 2),
            "2sd": (mean - sd, mean + sd),
            "iqr": tuple(float(q) for q in np.quantile(values, [0.25, 0.75])),
            "minmax": (float(values.min()), float(values.max())),
        }
        if how not in ends:
            raise InputError(
                f'variables: \'{name}\' takes a step, two values, "sd", "2sd", "iqr" or '
                f'"minmax", not {how!r}'
            )
        return cast("tuple[float, float]", ends[how])

    def shown(self, name: str, rows: _Rows) -> np.ndarray:
        """Values as a table shows them."""
        values = rows.values(name)
        levels = self.levels(name)
        return np.array(levels, dtype=object)[values.astype(np.int64)] if levels else values

    def split(self, rows: _Rows, by: Any) -> list[tuple[dict[str, Any], np.ndarray]]:
        """Sets of rows to average over, each with what they share."""
        given = [] if by is None or by is True else [by] if isinstance(by, str) else list(by)
        names = [plain(name) for name in given]
        if not names:
            return [({}, np.arange(rows.n))]
        columns: list[np.ndarray] = []
        for name in names:
            group = same(name, dict.fromkeys(b.group for b, _ in self.blocks))
            block = next((b for b, _ in self.blocks if b.group == group), None)
            codes = None if block is None or rows.codes is None else rows.codes[block.group]
            if name in self.variables:
                columns.append(self.shown(name, rows))
            elif block is not None and codes is not None and np.all(codes >= 0):
                columns.append(np.array(block.levels, dtype=object)[codes])
            else:
                known = [*self.variables, *(b.group for b, _ in self.blocks)]
                raise InputError(
                    f"by: '{name}' is neither a predictor nor a grouping of these rows"
                    f"{did_you_mean(name, known)} (there are: {listing(known, 15)})"
                )
        keys: dict[tuple[Any, ...], list[int]] = {}
        for k, key in enumerate(zip(*columns, strict=True)):
            keys.setdefault(key, []).append(k)
        return [
            (dict(zip(names, key, strict=True)), np.array(where))
            for key, where in sorted(keys.items(), key=lambda i: i[0])
        ]

    # --- numbers -------------------------------------------------------------------------

    def _matrix(self, columns: "Sequence[Column]", rows: _Rows, some: np.ndarray) -> "Array":
        if columns is self.e.columns:
            self._say_if_empty(rows, some)
        out = np.ones((len(some), len(columns)))
        with np.errstate(all="ignore"):
            for k, c in enumerate(columns):
                for q in c.parts:
                    source = q.operand.source
                    out[:, k] *= part_values(q, rows.values(source)[some], self.reference(source))
                if not np.all(np.isfinite(out[:, k])):
                    raise InputError(f"'{c.name}' is not a finite number at the values asked for")
        return out

    def _say_if_empty(self, rows: _Rows, some: np.ndarray) -> None:
        """Warn of predictions for cells of a product that no row of the data is in."""
        import warnings

        for a in self.fit.system.layout.absent:
            if a.response != self.e.response:
                continue
            values = np.stack([rows.values(v)[some] for v in a.variables], axis=1)
            hit = [
                label
                for label, cell in zip(a.labels, a.cells, strict=True)
                if np.any(np.all(values == np.array(cell), axis=1))
            ]
            if hit:
                warnings.warn(
                    f"{self.fit.spec.source}: no row of the data has {listing(hit, 5)}; "
                    f"predictions of '{a.response}' there rest on the other terms of the model",
                    stacklevel=4,
                )

    def _offset(self, rows: _Rows, some: np.ndarray) -> "Array":
        total = np.zeros(len(some))
        for o in self.offsets:
            source = o.source
            total = total + apply(o, rows.values(source)[some], self.reference(source))
        return total

    def expected(self, rows: _Rows, some: np.ndarray) -> "Array":
        """Expected responses at some of the rows, shape (draw, rows)."""
        eta = self.B @ self._matrix(self.e.columns, rows, some).T + self._offset(rows, some)
        variance = np.zeros(())
        for block, mine in self.blocks:
            Z = self._matrix([t.column for t in mine], rows, some)
            if self.groups == "observed":
                if rows.codes is None:
                    raise InputError('these rows belong to no group; use groups="new"')
                u = self.fit.draws.group_effects[block.key]
                u = u.reshape(-1, *u.shape[2:])[:, rows.codes[block.group]][:, some]
                places = [t.effect[1] for t in mine if t.effect is not None]
                eta = eta + np.einsum("snk,nk->sn", u[..., places], Z)
            elif not self.flat:
                S = covariances(self.layout, mine, partial(parameter, self.fit))
                variance = variance + np.einsum("sij,ni,nj->sn", S, Z, Z)
        return eta if self.scale == "linear" else self._mean(eta, np.asarray(variance))

    def _mean(self, eta: "Array", variance: "Array") -> "Array":
        """Expected response, group effects of this variance integrated out (Gauss-Hermite)."""
        response = self.e.conditional(lambda name: self.fit.draws[name].reshape(-1))
        place = self.category
        mean: Callable[[Array], Array] = response.mean
        if place is not None:
            mean = lambda v: response.probability(v, place)  # noqa: E731
        if self.flat or not np.any(variance > 0):
            return mean(eta)
        sd = np.sqrt(variance)
        widest = float(sd.max())
        many = next((n for edge, n in ((0.7, 11), (1.5, 21), (3.0, 41)) if widest < edge), 81)
        nodes, weights = np.polynomial.hermite_e.hermegauss(many)
        weights = weights / weights.sum()
        total = np.zeros_like(eta)
        for t, weight in zip(nodes, weights, strict=True):
            if weight > 1e-12:
                total += weight * mean(eta + t * sd)
        return total

    def average(self, rows: _Rows, some: np.ndarray) -> "Array":
        """Expected response averaged over some of the rows, shape (draw,)."""
        if self.flat and self.groups == "new":
            X = self._matrix(self.e.columns, rows, some).mean(axis=0)
            return self.B @ X + float(self._offset(rows, some).mean())
        total = np.zeros(len(self.B))
        for piece in self._pieces(some):
            total += self.expected(rows, piece).sum(axis=1)
        return total / len(some)

    def one_by_one(self, rows: _Rows) -> "dict[str, Array]":
        """Summaries of every row."""
        found = [
            summary(self.fit, self.expected(rows, piece))
            for piece in self._pieces(np.arange(rows.n))
        ]
        return {k: np.concatenate([f[k] for f in found]) for k in found[0]}

    def _pieces(self, some: np.ndarray) -> Iterator[np.ndarray]:
        step = max(1, CELLS // len(self.B))
        for start in range(0, len(some), step):
            yield some[start : start + step]


def _is_pair(how: Any) -> bool:
    return not isinstance(how, str) and np.ndim(how) == 1 and len(how) == 2


def _by_category(p: _Predictor, table: "Callable[[_Predictor], pd.DataFrame]") -> "pd.DataFrame":
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


def _averages(
    p: _Predictor, sets: Sequence[tuple[dict[str, Any], _Rows]], by: Any
) -> "pd.DataFrame":
    import pandas as pd

    labels: list[dict[str, Any]] = []
    draws: list[Array] = []
    for label, rows in sets:
        for shared, some in p.split(rows, by):
            labels.append({**label, **shared})
            draws.append(p.average(rows, some))
    return pd.DataFrame({**_columns(labels), **summary(p.fit, np.column_stack(draws))})


def _differences(
    p: _Predictor, pairs: Sequence[tuple[dict[str, Any], _Rows, _Rows]], by: Any,
    steps: Mapping[int, float] | None = None,
) -> "pd.DataFrame":  # fmt: skip
    import pandas as pd

    labels: list[dict[str, Any]] = []
    draws: list[Array] = []
    for k, (label, first, second) in enumerate(pairs):
        over = 1.0 if steps is None else steps[k]
        for shared, some in p.split(first, by):
            labels.append({**label, **shared})
            draws.append((p.average(second, some) - p.average(first, some)) / over)
    if not draws:
        raise InputError("say which predictors: none was named")
    return pd.DataFrame({**_columns(labels), **summary(p.fit, np.column_stack(draws))})


def _columns(labels: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in labels] for name in labels[0]}

"""Estimands, one file a kind; the file's name is the kind.

Each kind owns its settings and one definition, used alike for posterior draws and
for a truth (draws of shape (1, 1)).
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import EstimandError, did_you_mean, listing
from acmodels.spec.names import level_of, plain
from acmodels.spec.strict import Strict
from acmodels.system import Layout, Responses, parameters
from acmodels.system.layout import left_out

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Context:
    """What an estimand may read.

    Attributes:
        layout, responses: the model on its data.
        parameter: draws of a structural parameter by name, shape (chain, draw).
        estimands: all estimands of the model, for those made of others.
        source: the model's file, for messages.
        memory: what one estimand leaves for others that need the same.
    """

    layout: Layout
    responses: Responses
    parameter: Callable[[str], Array]
    estimands: Mapping[str, "Estimand"]
    source: str
    memory: dict[Any, Any] = field(default_factory=dict[Any, Any], compare=False, repr=False)


@dataclass(frozen=True)
class Row:
    """One quantity.

    Attributes:
        at: the moderators' values as tables show them, or nothing.
        draws: shape (chain, draw).
    """

    at: str
    draws: Array


@dataclass(frozen=True)
class Estimand:
    """One `[estimands.NAME]` table, checked.

    Attributes:
        name: the table's key.
        kind: the file that defines it.
        settings: what that file read.
        where: file and key, for messages.
    """

    name: str
    kind: str
    settings: Any
    where: str


class Kind(Protocol):
    """What an estimand file provides."""

    Settings: type[Strict]

    def evaluate(self, estimand: Estimand, context: Context) -> list[Row]:
        """Compute the rows.

        Raises:
            EstimandError: it asks for something the model does not hold.
        """
        ...

    def warnings(self, estimand: Estimand, context: Context) -> list[str]:
        """Say what a reader of the number must know, as whole sentences."""
        ...


@lru_cache
def kind_names() -> tuple[str, ...]:
    """Names of the kinds there are, found by listing this folder."""
    return tuple(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def kind(name: str, where: str) -> Kind:
    """Load a kind by name.

    Raises:
        EstimandError: nobody knows it.
    """
    if name in kind_names():
        return cast("Kind", importlib.import_module(f"{__name__}.{name}"))
    raise EstimandError(
        f"{where}.kind: unknown kind '{name}'{did_you_mean(name, kind_names())} "
        f"(kinds: {listing(kind_names(), 12)})"
    )


def read_estimands(tables: Mapping[str, Mapping[str, Any]], source: str) -> dict[str, Estimand]:
    """Check the `[estimands]` tables.

    Args:
        tables: as written.
        source: the model's file.

    Raises:
        EstimandError: unknown kinds or keys, missing keys, references to nothing or in a
            circle; every problem at once.
    """
    from acmodels.errors import InputError
    from acmodels.spec.strict import check_table

    out: dict[str, Estimand] = {}
    problems: list[str] = []
    for name, table in tables.items():
        where = f"{source}: estimands.{name}"
        if name[:1] in tuple("=+-@\t\r"):
            problems.append(f"{where}: a name cannot begin with {name[0]!r}; a spreadsheet runs it")
        try:
            if not isinstance(table.get("kind"), str):
                raise EstimandError(f'{where}: say which kind, as kind = "indirect"')
            module = kind(table["kind"], where)
            rest = {k: v for k, v in table.items() if k != "kind"}
            settings = check_table(
                module.Settings, rest, source, f"estimands.{name}", EstimandError
            )
            out[name] = Estimand(name, table["kind"], settings, where)
        except InputError as error:
            problems += error.problems
    if not problems:
        problems = _reference_problems(out)
    if problems:
        raise EstimandError(problems)
    return out


def _reference_problems(estimands: Mapping[str, Estimand]) -> list[str]:
    problems: list[str] = []
    parts = {n: tuple(getattr(e.settings, "of", ())) for n, e in estimands.items()}
    for name, of in parts.items():
        problems += [
            f"{estimands[name].where}.of: no estimand '{o}'{did_you_mean(o, estimands)}"
            for o in of
            if o not in estimands
        ]
    if problems:
        return problems

    def circular(name: str, above: tuple[str, ...]) -> bool:
        return name in above or any(circular(o, (*above, name)) for o in parts[name])

    return [f"{estimands[n].where}.of: refers to itself" for n in parts if circular(n, ())]


def evaluate(name: str, context: Context) -> list[Row]:
    """Compute one estimand's rows."""
    e = context.estimands[name]
    return kind(e.kind, e.where).evaluate(e, context)


def denominators(name: str, context: Context) -> list[tuple[Array, ...]]:
    """Compute what an estimand's rows divide by, or what the estimands that it is made of do.

    Args:
        name: of the estimand.
        context: as for `evaluate`.

    Returns:
        For each row the draws of what must not be zero; nothing where there is no such thing.
    """
    e = context.estimands[name]
    own = getattr(kind(e.kind, e.where), "denominator", None)
    if own is not None:
        return [(r.draws,) for r in own(e, context)]
    parts = getattr(e.settings, "of", ())
    every = tuple(d for p in parts for row in denominators(p, context) for d in row)
    return [every for _ in evaluate(name, context)] if every else []


def may_be_zero(draws: Array, prob: float, axis: int | None = None) -> NDArray[np.bool_]:
    """Return whether an equal-tailed interval includes zero: the rule by which ratios are withheld.

    Args:
        draws: of what a ratio divides by.
        prob: mass of the interval.
        axis: of the draws; all of them if None.
    """
    low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=axis)
    return np.asarray((low <= 0) & (high >= 0))


def warnings(context: Context) -> list[str]:
    """Collect what readers of the estimands must know, each sentence once."""
    out: list[str] = []
    for e in context.estimands.values():
        out += kind(e.kind, e.where).warnings(e, context)
        out += _cells_without_rows(e, context.layout)
    return list(dict.fromkeys(out))


def _cells_without_rows(e: Estimand, layout: Layout) -> list[str]:
    """Say which cells of a product an estimand sets predictors to, though no row is in them.

    A cell is reached where one of its variables is moved or held, and every one that is takes
    its value there; the others are as observed, and all their values occur.
    """
    if not layout.absent:
        return []
    reach = _reach(e, layout)
    out: list[str] = []
    for a in layout.absent:
        moved = {k: reach[v] for k, v in enumerate(a.variables) if v in reach}
        hit = [
            label
            for label, cell in zip(a.labels, a.cells, strict=True)
            if moved and all(some is None or cell[k] in some for k, some in moved.items())
        ]
        if hit:
            out.append(
                f"{e.where}: sets predictors of '{a.response}' to {listing(hit, 5)}, which no row "
                "is in; there it rests on the other terms of the model"
            )
    return out


def _reach(e: Estimand, layout: Layout) -> dict[str, set[float] | None]:
    """By predictor that is moved or held, the values it takes; None for values of any kind."""
    out: dict[str, set[float] | None] = {}
    for name, values in (getattr(e.settings, "at", None) or {}).items():
        variable = layout.variables.get(name)
        if variable is None:
            continue
        given = values if isinstance(values, list | tuple) else [values]
        levels = variable.levels
        codes = [float(levels.index(str(v))) for v in given if str(v) in levels]
        out[name] = set(codes if levels else [float(v) for v in given])
    source = getattr(e.settings, "from_", None)
    if isinstance(source, str):
        name, level = level_of(source)
        variable = layout.variables.get(plain(name))
        if variable is not None:
            levels = variable.levels
            one = level is not None and level in levels
            out[plain(name)] = {0.0, float(levels.index(level))} if one else None
    return out


def no_warnings(estimand: Estimand, context: Context) -> list[str]:
    """For kinds that need none."""
    del estimand, context
    return []


def known_parameter(name: str, context: Context, where: str) -> str:
    """Return the name of a structural parameter.

    Raises:
        EstimandError: the model has none such.
    """
    names = [p.name for p in parameters(context.layout)]
    gone = left_out(context.layout, name)
    if gone is not None:
        raise EstimandError(f"{where}: {gone}; it has no value")
    if name not in names:
        raise EstimandError(
            f"{where}: the model has no parameter '{name}'{did_you_mean(name, names)} "
            f"(parameters: {listing(names, 12)})"
        )
    return name

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
from acmodels.spec.strict import Strict
from acmodels.system import Layout, Responses, parameters

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


def warnings(context: Context) -> list[str]:
    """Collect what readers of the estimands must know, each sentence once."""
    out: list[str] = []
    for e in context.estimands.values():
        out += kind(e.kind, e.where).warnings(e, context)
    return list(dict.fromkeys(out))


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
    if name not in names:
        raise EstimandError(
            f"{where}: the model has no parameter '{name}'{did_you_mean(name, names)} "
            f"(parameters: {listing(names, 12)})"
        )
    return name

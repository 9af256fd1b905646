"""Estimands, one file a kind; the file's name is the kind.

A kind has its settings and one definition, used alike for posterior draws and for a truth (draws
of shape (1, 1)). `resolve` looks every name up in a model's equations, once; the question that it
returns is a pure function of responses and draws. What the rest of the package must know of a kind
is in its file too, or is the default in `Kind`.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import EstimandError, InputError, did_you_mean, listing
from acmodels.numbers import number, stated
from acmodels.spec.names import level_of, plain
from acmodels.spec.strict import Strict, check_table
from acmodels.system import Layout, Responses, parameters
from acmodels.system.layout import left_out

type Array = NDArray[np.float64]

NOT_MEDIATED = {
    "direct": "a direct effect runs through no mediator",
    "slope_at": "a slope runs through no mediator",
    "total": "a total effect runs by every path",
}
"""Why some kinds have no `via`."""


@dataclass(frozen=True)
class Step:
    """One step of a path, with its slope.

    Attributes:
        source: what it starts from, as formulas write it.
        to: the response that it leads to.
        draws: of the slope, (chain, draw).
    """

    source: str
    to: str
    draws: Array


type Paths = tuple[tuple[Step, ...], ...]
"""The steps of an indirect effect, path by path."""


@dataclass(frozen=True)
class Draws:
    """What a question is evaluated at.

    Attributes:
        layout, responses: the model on its data; responses of R data sets are (R, n) each.
        parameter: draws of a structural parameter by name, (chain, draw); one chain for each of
            R data sets.
        memory: what one estimand leaves for others that need the same.
    """

    layout: Layout
    responses: Responses
    parameter: Callable[[str], Array]
    memory: dict[Any, Any] = field(
        default_factory=dict[Any, Any], compare=False, repr=False, kw_only=True
    )


@dataclass(frozen=True)
class Context(Draws):
    """A model's estimands, with what they are evaluated at.

    Attributes:
        estimands: all of them, for those made of others.
        source: the model's file, for messages.
    """

    estimands: Mapping[str, "Estimand"]
    source: str


class Question(Protocol):
    """An estimand whose names have been looked up, on a layout; it holds for any responses."""

    @property
    def at(self) -> tuple[str, ...]:
        """The moderators' values of each row as tables show them, or nothing."""
        ...

    def evaluate(self, draws: Draws) -> Sequence[Array]:
        """Compute the rows, each (chain, draw).

        Raises:
            EstimandError: what is asked for cannot be computed of these draws.
        """
        ...


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


@dataclass(frozen=True)
class Scope:
    """Where the names in an estimand are looked up.

    Attributes:
        layout: the model on its rows.
        estimands: all of the model's.
        source: the model's file, for messages.
        responses: of the study in hand, for numbers in messages alone.
    """

    layout: Layout
    estimands: Mapping[str, Estimand]
    source: str
    responses: Responses = field(default_factory=dict[str, Array])

    def question(self, name: str) -> Question:
        """Resolve another estimand."""
        e = self.estimands[name]
        return kind(e.kind, e.where).resolve(e, self)


def may_be_zero(draws: Array, prob: float, axis: int | None = None) -> NDArray[np.bool_]:
    """Return whether an equal-tailed interval includes zero: the rule by which ratios are withheld.

    Args:
        draws: of what a ratio divides by.
        prob: mass of the interval.
        axis: of the draws; all of them if None.
    """
    low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=axis)
    return np.asarray((low <= 0) & (high >= 0))


def _zero(draws: Array, prob: float) -> str:
    """Say that the interval of a total effect includes zero."""
    low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])
    return (
        f"the {stated(100 * prob)} % interval of the total effect, {number(low)} to "
        f"{number(high)}, includes 0, and a proportion of an effect that may be 0 has no meaning"
    )


@dataclass(frozen=True)
class Kind:
    """What an estimand's file provides; what it does not say is as here.

    Attributes:
        name: of the file.
        Settings: the keys of the table.
        resolve: looks its names up; raises EstimandError where the model does not hold them.
        warnings: what a reader of the numbers must know, as whole sentences.
        words: what it is, as a phrase: of its settings, of what a scale other than that of a
            gaussian outcome is called, and of what is said where slopes of linked mediators are
            multiplied.
        outcome: the response whose scale it is on, or None.
        heading: the title of its own table in reports; none for effects.
        continuous: whether draws can be any number, so that chains can be compared and a
            density drawn.
        calibrated: whether the rank of a truth among draws can be uniform.
        each_value: whether it is of the values of constructs and of missing cells themselves, and
            no average over rows, so that it takes many completed data sets.
        bounds: between which numbers it lies whatever the data are.
        judged: which of its rows, by `at`, a proposition is about that does not say which.
        denominator: what it rests on, such as what it is divided by, so that it is not reported
            where that is doubtful.
        doubtful: of draws of that, and the mass of intervals, whether it is: by default, whether it
            may be 0. Along an axis of the draws, or of all of them.
        doubt: why it is, as a clause.
        part_of: the kind of the effect that it is a part of, so that reports give its share.
        product: the two coefficients whose product it is, where it is one.
        stepwise: whether it has steps, which a region of practical equivalence is about.
        path_steps: for each of its rows the steps of its paths; nothing of what has none.
    """

    name: str
    Settings: type[Strict]
    resolve: Callable[[Estimand, Scope], Question]
    warnings: Callable[[Any, Layout], list[str]] = lambda _question, _layout: []
    words: Callable[[Any, str, str], str] | None = None
    outcome: Callable[[Any], str | None] = lambda settings: getattr(settings, "to", None)
    heading: str = ""
    continuous: bool = True
    calibrated: bool = True
    each_value: bool = False
    bounds: Callable[[Any], tuple[float, float]] = lambda _settings: (-np.inf, np.inf)
    judged: Callable[[Sequence[str]], list[str]] = list
    denominator: Callable[[Any], Question | None] = lambda _question: None
    doubtful: Callable[[Array, float, int | None], NDArray[np.bool_]] = may_be_zero
    doubt: Callable[[Array, float], str] = _zero
    part_of: str = ""
    product: Callable[[Any], tuple[str, str] | None] = lambda _question: None
    stepwise: Callable[[Any], bool] = lambda _settings: False
    path_steps: Callable[[Any, Draws], Sequence[Paths]] = lambda _question, _draws: ()

    def said(self, settings: Any, scale: str, slopes: str) -> str:
        """Say what it is, in a phrase; see `words`."""
        if self.words is None:
            return self.name.replace("_", " ")
        return self.words(settings, scale, slopes)


@lru_cache
def kind_names() -> tuple[str, ...]:
    """Names of the kinds there are, found by listing this folder."""
    return tuple(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


@lru_cache
def kind(name: str, where: str = "estimand") -> Kind:
    """Load a kind by name.

    Raises:
        EstimandError: nobody knows it.
    """
    if name not in kind_names():
        raise EstimandError(
            f"{where}.kind: unknown kind '{name}'{did_you_mean(name, kind_names())} "
            f"(kinds: {listing(kind_names(), 12)})"
        )
    module = importlib.import_module(f"{__name__}.{name}")
    given = {f.name: getattr(module, f.name) for f in fields(Kind) if hasattr(module, f.name)}
    return Kind(name=name, **given)


def read_estimands(tables: Mapping[str, Mapping[str, Any]], source: str) -> dict[str, Estimand]:
    """Check the `[estimands]` tables.

    Args:
        tables: as written.
        source: the model's file.

    Raises:
        EstimandError: unknown kinds or keys, missing keys, references to nothing or in a
            circle; every problem at once.
    """
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
            if "via" in table and table["kind"] in NOT_MEDIATED:
                raise EstimandError(
                    f"{where}.via: {NOT_MEDIATED[table['kind']]}; leave via out, or for an effect "
                    'by named paths write kind = "indirect"'
                )
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


_asked: WeakKeyDictionary[Layout, tuple[Mapping[str, Estimand], dict[str, Question]]] = (
    WeakKeyDictionary()
)


def question(name: str, context: Context) -> Question:
    """Resolve one estimand, once for each layout.

    Raises:
        EstimandError: it asks for something the model does not hold.
    """
    of, known = _asked.get(context.layout, (None, dict[str, Question]()))
    if of is not context.estimands:
        known = dict[str, Question]()
        _asked[context.layout] = context.estimands, known
    if name not in known:
        scope = Scope(context.layout, context.estimands, context.source, context.responses)
        known[name] = scope.question(name)
    return known[name]


def evaluate(name: str, context: Context) -> list[Row]:
    """Compute one estimand's rows.

    Raises:
        EstimandError: it asks for something the model does not hold, or that cannot be computed.
    """
    asked = question(name, context)
    return [Row(at, d) for at, d in zip(asked.at, asked.evaluate(context), strict=True)]


def steps(name: str, context: Context) -> list[Paths]:
    """Compute the steps of an effect along paths, for each of its rows; see `Kind.path_steps`."""
    e = context.estimands[name]
    asked = question(name, context)
    found = list(kind(e.kind, e.where).path_steps(asked, context))
    return found or [() for _ in asked.at]


@dataclass(frozen=True)
class Ground:
    """What a row rests on, such as what it divides by.

    Attributes:
        kind: of the estimand that rests on it.
        draws: (chain, draw).
    """

    kind: str
    draws: Array

    def doubtful(self, prob: float, axis: int | None = None) -> NDArray[np.bool_]:
        """Return whether what rests on it is not to be reported; `axis` as of `may_be_zero`."""
        return kind(self.kind).doubtful(self.draws, prob, axis)

    def doubt(self, prob: float) -> str:
        """Say why, as a clause."""
        return kind(self.kind).doubt(self.draws, prob)


def denominators(name: str, context: Context) -> list[tuple[Ground, ...]]:
    """Compute what an estimand's rows rest on, or those of the estimands that it is made of.

    Args:
        name: of the estimand.
        context: as for `evaluate`.

    Returns:
        For each row the draws of what must not be doubtful; nothing where there is no such thing.
    """
    e = context.estimands[name]
    asked = question(name, context)
    whole = kind(e.kind, e.where).denominator(asked)
    if whole is not None:
        return [(Ground(e.kind, d),) for d in whole.evaluate(context)]
    parts = getattr(e.settings, "of", ())
    every = tuple(d for p in parts for row in denominators(p, context) for d in row)
    return [every for _ in asked.at] if every else []


def warnings(context: Context) -> list[str]:
    """Collect what readers of the estimands must know, each sentence once."""
    out: list[str] = []
    for name, e in context.estimands.items():
        out += kind(e.kind, e.where).warnings(question(name, context), context.layout)
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


def known_parameter(name: str, layout: Layout, where: str) -> str:
    """Return the name of a structural parameter.

    Raises:
        EstimandError: the model has none such.
    """
    names = [p.name for p in parameters(layout)]
    gone = left_out(layout, name)
    if gone is not None:
        raise EstimandError(f"{where}: {gone}; it has no value")
    if name not in names:
        raise EstimandError(
            f"{where}: the model has no parameter '{name}'{did_you_mean(name, names)} "
            f"(parameters: {listing(names, 12)})"
        )
    return name

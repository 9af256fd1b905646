"""The variables of the world: the constructs and arrows of the framework, with their sizes."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from acmodels.framework.files import shipped
from acmodels.framework.graph import Framework
from acmodels.spec import parameters as named

LEVELS = ("district", "department", "partner", "partnership")
KINDS = ("normal", "share", "simplex", "binary", "ordinal", "count", "event")
MEASURED = ("items", "coded", "guidance", "routines", "partners", "events", "hidden")

_FACTOR = re.compile(r"(?:(lag|first|square)\((\w+)\)|(\w+))\Z")


@dataclass(frozen=True, slots=True)
class CauseFactor:
    """A variable as a cause: as it is, or `lag`, `first` or `square` of it."""

    name: str
    function: str = ""

    def __str__(self) -> str:
        return f"{self.function}({self.name})" if self.function else self.name


@dataclass(frozen=True, slots=True)
class CauseTerm:
    """A product of factors."""

    factors: tuple[CauseFactor, ...]

    def __str__(self) -> str:
        return ":".join(str(f) for f in self.factors)

    @property
    def linear(self) -> str | None:
        """The variable, where the term is one of this wave as it is."""
        one = len(self.factors) == 1 and not self.factors[0].function
        return self.factors[0].name if one else None


@dataclass(frozen=True, slots=True)
class Arrow:
    """A cause of a variable.

    Attributes:
        to: the variable.
        term: its cause.
        size: coefficient, in units of the variable for one unit of the term.
        propositions: ids of the propositions it is from; empty where it is assumed.
        source: where it is from, in words.
    """

    to: str
    term: CauseTerm
    size: float
    propositions: tuple[str, ...]
    source: str

    @property
    def name(self) -> str:
        """As in formulas: `routines ~ prior_knowledge`."""
        return named.coefficient(self.to, str(self.term))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable of the world; `sizes.toml` says what each attribute means."""

    name: str
    level: str
    label: str
    measured: str
    kind: str = "normal"
    code: str | None = None
    parent: str | None = None
    items: int = 0
    facets: tuple[str, ...] = ()
    noise: float = 0.0
    stable: float = 0.0
    district: float = 0.0
    department: float = 0.0
    partner: float = 0.0
    rate: float = 0.0
    arrows: tuple[Arrow, ...] = ()


def term(text: str) -> CauseTerm:
    """Read a cause.

    >>> str(term("lag(trust):routines"))
    'lag(trust):routines'
    """
    out: list[CauseFactor] = []
    for part in text.split(":"):
        found = _FACTOR.match(part.strip())
        if found is None:
            msg = f"{text!r} is no product of variables"
            raise ValueError(msg)
        out.append(CauseFactor(found[2] or found[3], found[1] or ""))
    return CauseTerm(tuple(out))


@cache
def variables() -> Mapping[str, Variable]:
    """Every variable by name, causes before effects of one wave.

    What causes what is read from the shipped framework's graph; `sizes.toml` beside it says how
    much.

    Raises:
        ValueError: a size is of no arrow, or a cause does not come before its effect.
    """
    text = (files("acmodels.framework") / "sizes.toml").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = tomllib.loads(text)
    theory = shipped()
    out: dict[str, Variable] = {}
    for name, entry in table.items():
        causes = entry.pop("from", {})
        arrows = tuple(_arrow(theory, name, k, size) for k, size in causes.items())
        for a in arrows:
            late = [
                f.name
                for f in a.term.factors
                if (f.function != "lag" and f.name not in out)
                or f.name not in table
            ]  # fmt: skip
            if late:
                msg = f"sizes.toml: {a.name}: {late[0]} does not come before {name}"
                raise ValueError(msg)
        entry["facets"] = tuple(entry.get("facets", ()))
        level = theory.construct(name).level
        out[name] = Variable(name=name, level=level, arrows=arrows, **entry)
        v = out[name]
        if v.level not in LEVELS or v.kind not in KINDS or v.measured not in MEASURED:
            msg = f"sizes.toml: {name}: unknown level, kind or way of measuring"
            raise ValueError(msg)
    return MappingProxyType(out)


def _arrow(theory: Framework, to: str, cause: str, size: float) -> Arrow:
    said = _source(theory, to, term(cause))
    if said is None:
        msg = f"sizes.toml: {to} ~ {cause}: arrows.toml has no such arrow"
        raise ValueError(msg)
    ids = tuple(re.findall(r"P\d\d", said)) if re.fullmatch(r"(P\d\d(, )?)+", said) else ()
    source = f"proposition {' and '.join(ids)}" if ids else said
    return Arrow(to, term(cause), float(size), ids, source)


def _source(theory: Framework, to: str, t: CauseTerm) -> str | None:
    """Where the theory says that a term is a cause; None where it does not."""
    c = theory.construct(to)
    names = [f.name for f in t.factors]
    lag = int(any(f.function == "lag" for f in t.factors))
    if names == [to] and lag:
        return "assumed: every construct depends on its own past"
    if set(names) <= {*c.parts, c.opposite_of, c.baseline_of}:
        return "assumed: that is what it is made of"
    for a in theory.arrows:
        ends = [a.from_, *([a.by] if a.by is not None else [])]
        if a.to == to and a.lag == lag and sorted(ends) == sorted(names):
            return a.source or f"assumed: {a.assumed}"
    return None

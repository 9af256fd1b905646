"""What a formula holds once it is read: operands, terms and group effects.

A formula is parsed to plain frozen values and never evaluated, so a formula
from a stranger is safe. The notation follows Wilkinson & Rogers (1973) as lme4
(Bates et al., 2015) and brms (Bürkner, 2017) use it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pkgutil import iter_modules

from acmodels.spec.names import quoted

PLAIN = ("lag", "lead")
"""Functions that are the variable itself, in another wave."""
TRANSFORMS = ("square", "log", "sqrt", "standardize", "center")
"""Functions of one numeric variable."""
EXTREMES = ("min", "max")
"""Functions of several variables, row by row."""

OTHERS = ("factor", "spline", *EXTREMES, "offset", "mo", "lead", "lag")
"""Functions that are no transform and take no unit."""


def _folders(package: str) -> list[str]:
    """Return the folders of a package, without importing what it needs."""
    spec = find_spec(package)
    return list((spec and spec.submodule_search_locations) or ())


@lru_cache
def unit_functions() -> tuple[str, ...]:
    """Functions of a variable and a unit: the names of the files in `acmodels.sources`."""
    found = (m.name for m in iter_modules(_folders("acmodels.sources")))
    return tuple(sorted((n for n in found if not n.startswith("_")), reverse=True))


def functions() -> tuple[str, ...]:
    """Every function a formula may call."""
    return (*TRANSFORMS, *OTHERS[:-1], *unit_functions(), OTHERS[-1])


@dataclass(frozen=True)
class Operand:
    """A variable, or a function of one or more: `x`, `log(x)`, `factor(x, ref="a")`, `min(a, b)`.

    Attributes:
        function: one of `functions()`, or None for a bare variable.
        inner: what the function is applied to, the first of several; None for a bare variable.
        variable: the column this rests on, the first of several.
        unit: the second argument of a function of a unit, as `within`.
        ref: the reference level of `factor`.
        df: the degrees of freedom of `spline`.
        others: what `min` and `max` are applied to, after `inner`.
        waves: of `lag`, how many waves earlier the value is; -1 of `lead`, one wave later.
    """

    variable: str
    function: str | None = None
    inner: "Operand | None" = None
    unit: str | None = None
    ref: str | None = None
    df: int | None = None
    others: "tuple[Operand, ...]" = ()
    waves: int | None = None

    @property
    def lag(self) -> int:
        """How many waves earlier its value is; 0 for the wave of the row, -1 for the next one."""
        return self.waves or (0 if self.inner is None else self.inner.lag)

    @property
    def text(self) -> str:
        """The operand in canonical spelling, without options: the name used in parameters."""
        if self.function is None or self.inner is None:
            return quoted(self.variable)
        more = [o.text for o in self.others]
        more += [quoted(self.unit)] if self.unit is not None else []
        more += [str(self.df)] if self.df is not None else []
        more += [str(self.waves)] if self.waves is not None and self.waves > 1 else []
        return f"{self.function}({', '.join([self.inner.text, *more])})"

    @property
    def source(self) -> str:
        """What values are looked up by: the column, or `within(x, g)`, `lag(x)` and the like whole.

        Of `min` and `max` it is that of the first argument; see `sources`.
        """
        return self.variable if self.unit is None and self.waves is None else self.text

    @property
    def arguments(self) -> "tuple[Operand, ...]":
        """What `min` and `max` are applied to; otherwise the operand itself."""
        return (self.inner, *self.others) if self.others and self.inner is not None else (self,)

    @property
    def variables(self) -> tuple[str, ...]:
        """Every column this rests on, each once."""
        return tuple(dict.fromkeys(o.variable for o in self.arguments))

    @property
    def sources(self) -> tuple[str, ...]:
        """All that values are looked up by, each once."""
        return tuple(dict.fromkeys(o.source for o in self.arguments))

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions applied, from the outermost inwards."""
        if self.function is None or self.inner is None:
            return ()
        inner = [f for o in (self.inner, *self.others) for f in o.functions]
        return (self.function, *dict.fromkeys(inner))


@dataclass(frozen=True)
class FormulaTerm:
    """A product of operands; the empty product is the intercept."""

    operands: tuple[Operand, ...]

    @property
    def text(self) -> str:
        """The term as parameters name it: `1`, `x`, `a:b`."""
        return ":".join(o.text for o in self.operands) or "1"

    @property
    def key(self) -> frozenset[Operand]:
        """What makes two terms the same: `a:b` is `b:a`."""
        return frozenset(self.operands)


INTERCEPT = FormulaTerm(())


@dataclass(frozen=True)
class GroupTerm:
    """`(terms | grouping)`: effects that vary over the levels of a grouping.

    Attributes:
        terms: what varies, the intercept (an empty term) first where there is one.
        grouping: the columns whose combination names a group.
        correlated: False for `||`.
        id: the shared name in `|id|`, or None.
    """

    terms: tuple[FormulaTerm, ...]
    grouping: tuple[str, ...]
    correlated: bool = True
    id: str | None = None

    @property
    def group(self) -> str:
        """The grouping as parameters name it: `district`, `a:b`."""
        return ":".join(quoted(g) for g in self.grouping)


@dataclass(frozen=True)
class Formula:
    """A formula, read.

    Attributes:
        response: the column on the left.
        terms: population-level terms, the intercept (an empty term) first where there is one.
        groups: group-effect terms, `a/b` already spelled out.
        offsets: operands added with a coefficient of one.
        text: the formula as written.
    """

    response: str
    terms: tuple[FormulaTerm, ...]
    groups: tuple[GroupTerm, ...]
    offsets: tuple[Operand, ...]
    text: str

    @property
    def has_intercept(self) -> bool:
        """Whether the population-level part has an intercept."""
        return INTERCEPT in self.terms

    def operands(self) -> Iterator[Operand]:
        """Every operand on the right-hand side, offsets last."""
        for term in (*self.terms, *(t for g in self.groups for t in g.terms)):
            yield from term.operands
        yield from self.offsets

    def variables(self) -> tuple[str, ...]:
        """The columns the right-hand side reads, groupings left out, each once."""
        return tuple(dict.fromkeys(v for o in self.operands() for v in o.variables))

    def present(self) -> tuple[str, ...]:
        """The columns the right-hand side reads in the wave of the row, each once."""
        every = (v for o in self.operands() if not o.lag for v in o.variables)
        return tuple(dict.fromkeys(every))

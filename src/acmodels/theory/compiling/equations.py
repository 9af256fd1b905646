"""Equations of a compiled model: terms within and between units, groupings, families, priors.

Every term comes with the reason why it is there, as a person would say it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import lcm

import numpy as np

from acmodels.data import kind
from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.spec.parsing import parse_formula
from acmodels.theory.compiling.setting import Array, Kind, Setting

SLOPES = 10
"""Units in which a slope must vary to be estimated, with `ROWS` rows in each on average."""

ROWS = 5
MOST_CODES = 11
"""Whole-number codes that an ordinal outcome has at most (as for items)."""

type Prior = Mapping[str, str | float]


@dataclass(frozen=True)
class Response:
    """The left side of an equation.

    Attributes:
        construct: its id.
        name: the column, or the composite's name.
        parts: of a composite, columns; a minus before one that is reversed.
        sd: of its values; of the latent response where there is a link.
        family, link: of its distribution.
        home: the kind of unit whose rows it has, or None for rows of the data.
        constructs: what it is made of.
        latent: whether it is a construct measured by items, whose residual sd is 1.
    """

    construct: str
    name: str
    parts: tuple[str, ...]
    sd: float
    family: str
    link: str | None
    home: Kind | None
    constructs: tuple[str, ...]
    latent: bool = False


@dataclass(frozen=True)
class Piece:
    """Terms of one predictor in one equation.

    Attributes:
        texts: terms, as formulas write them.
        priors: by term, sd of the coefficient in sds of the response.
        sds: by term, sd of what it multiplies.
        claim: the term whose coefficient is the slope at the claim's level.
        why: why it is there.
        varying: kinds of unit in which the slope is let vary.
        values: what each term multiplies, (rows,); of a factor, its codes.
        latent: whether its unit means are those of another equation.
    """

    texts: tuple[str, ...]
    priors: Mapping[str, float]
    sds: Mapping[str, float]
    claim: str
    why: str
    varying: tuple[Kind, ...] = ()
    values: tuple[Array, ...] = field(default=(), repr=False, compare=False)
    latent: bool = False


@dataclass(frozen=True)
class Drafted:
    """One equation.

    Attributes:
        response: what is on the left.
        pieces: of the right side.
        groups: kinds of unit with an intercept.
        wave: the column of waves, or None.
        linked: of these, the kinds of unit whose intercepts correlate with those of other
            equations, each with the id that they share.
        time: the term of waves whose slope varies over the linked kinds with their intercepts, or
            nothing.
    """

    response: Response
    pieces: tuple[Piece, ...]
    groups: tuple[Kind, ...]
    wave: str | None = None
    linked: tuple[tuple[str, Kind], ...] = ()
    time: str = ""

    @property
    def formula(self) -> str:
        """The formula, in the notation of lme4."""
        terms = [t for p in self.pieces for t in p.texts]
        if self.wave is not None:
            terms.append(f"factor({quoted(self.wave)})")
        right = " + ".join(["1", *terms])
        for g in self.groups:
            slopes = [p.claim for p in self.pieces if g in p.varying]
            bar = "||" if slopes else "|"
            if label := next((i for i, k in self.linked if k is g), ""):
                bar = "|" if self.time else f"|{label}|"
                slopes = [self.time] if self.time else []
            inner = " + ".join(["1", *slopes])
            right += f" + ({inner} {bar} {quoted(g.column)})"
        return " ~ ".join((quoted(self.response.name), right))

    def priors(self) -> dict[str, Prior]:
        """Return priors of the standardized scale, in the units of the data."""
        y, sd = self.response.name, self.response.sd
        out: dict[str, Prior] = {}
        for p in self.pieces:
            for text in p.texts:
                spread = p.priors[text] * sd / p.sds[text]
                out[_coefficient(y, text)] = _normal(spread)
        for g in self.groups:
            group = quoted(g.column)
            out[named.sd(named.intercept(quoted(y)), group)] = _half(0.5 * sd)
            for p in self.pieces:
                if g in p.varying:
                    slope = named.sd(_coefficient(y, p.claim), group)
                    out[slope] = _half(0.5 * sd / p.sds[p.claim])
        if self.response.family == "gaussian" and not self.response.latent:
            out[named.sigma(quoted(y))] = _half(sd)
        return out


def _coefficient(response: str, text: str) -> str:
    """The name of a coefficient; of a factor or a spline, of every column's."""
    if text.startswith(("factor(", "spline(")):
        return named.coefficient(quoted(response), f"{text}[*]")
    return named.coefficient(quoted(response), text)


def rounded(x: float) -> float:
    """Four significant digits, as a person would write a prior."""
    return float(np.format_float_positional(x, precision=4, fractional=False))


def _normal(sd: float) -> Prior:
    return {"dist": "Normal", "mu": 0.0, "sigma": rounded(sd)}


def _half(sd: float) -> Prior:
    return {"dist": "HalfNormal", "sigma": rounded(sd)}


def is_number(s: Setting, column: str) -> bool:
    """Say whether a column enters as a number and not as a factor."""
    return column in s.composites or kind(s.study, column) in ("number", "boolean", "empty")


def family(s: Setting, column: str) -> tuple[str, str | None]:
    """Choose a response's family from its values: two, a few ordered codes, or a number."""
    x = s.values(column)
    found = np.unique(x[np.isfinite(x)])
    if len(found) == 2:
        return "bernoulli", None
    whole = len(found) and bool(np.all(found == np.round(found)))
    if whole and 3 <= len(found) <= MOST_CODES:
        return "ordinal", None
    return "gaussian", None


def available(s: Setting, construct: str) -> tuple[str, ...]:
    """Return the measured constructs that stand for one: its parts, or itself.

    A part that is itself a composite is taken by its own parts where any has a column, and else
    by its own column.
    """
    c = s.framework.constructs[construct]
    if not c.parts:
        return (construct,) if construct in s.columns else ()
    found = tuple(dict.fromkeys(x for p in c.parts for x in available(s, p)))
    if found or construct not in s.columns:
        return found
    return (construct,)


def response(s: Setting, construct: str) -> Response:
    """Make the left side of an equation for a construct that the data have.

    Raises:
        KeyError: the data have neither the construct nor any part of it.
    """
    parts = available(s, construct)
    if not parts:
        raise KeyError(construct)
    if len(parts) == 1:
        return _single(s, parts[0])
    return of_columns(s, construct, tuple(s.columns[p] for p in parts), parts)


def difference(s: Setting, first: str, second: str) -> Response:
    """Make a response of one construct's z-scores less another's.

    Of composites the z-scores of the parts are averaged first, so that a part of the smaller one
    is listed as often as makes both count the same.
    """
    a, b = available(s, first), available(s, second)
    both = lcm(len(a), len(b))
    columns = [s.columns[p] for p in a for _ in range(both // len(a))]
    columns += [f"-{s.columns[p]}" for p in b for _ in range(both // len(b))]
    return of_columns(s, f"{first}_less_{second}", tuple(columns), (*a, *b))


def of_columns(
    s: Setting, construct: str, columns: tuple[str, ...], parts: tuple[str, ...]
) -> Response:
    """Make a response of several columns, of which a minus marks one that is reversed."""
    columns = tuple(_as_measured(s, c) for c in columns)
    homes = [s.home(c.removeprefix("-")) for c in columns]
    home = None if None in homes else max((h for h in homes if h), key=lambda k: k.size)
    name = s.free_name(construct)
    s.composites[name] = columns
    return Response(construct, name, columns, 1.0, "gaussian", None, home, parts)


def _as_measured(s: Setting, column: str) -> str:
    """Return the column of the data that a reversed construct is made of, with its sign."""
    made = set(s.composites.get(column.removeprefix("-"), ()))
    if len(made) != 1:
        return column
    (of,) = made
    turned = column.startswith("-") != of.startswith("-")
    return f"-{of.removeprefix('-')}" if turned else of.removeprefix("-")


def column(s: Setting, construct: str) -> str:
    """Return the column of a construct; of a composite, the one that a model makes of its parts."""
    parts = available(s, construct)
    if len(parts) == 1:
        return s.columns[parts[0]]
    return of_columns(s, construct, tuple(s.columns[p] for p in parts), parts).name


def _single(s: Setting, construct: str) -> Response:
    column = s.columns[construct]
    fam, link = family(s, column)
    sd = s.spread(s.values(column)) if fam == "gaussian" else 1.8
    return Response(construct, column, (), sd, fam, link, s.home(column), (construct,))


def coarser(s: Setting, level: Kind | None, *, crossed: bool = True) -> tuple[Kind, ...]:
    """Return the kinds of unit that a claim's units lie in, the smallest units first.

    Of kinds that lie in each other the smallest is enough: what is within a department is within
    its district too.

    Args:
        s: the setting.
        level: the claim's kind of unit, or None for rows.
        crossed: whether kinds that cross the smallest one are returned too.
    """
    out = [k for k in s.kinds if k is not level and k.repeated]
    out = [k for k in out if level is None or level.inside(k)]
    out = [k for k in out if not any(o is not k and o.inside(k) for o in out)]
    out.sort(key=lambda k: -k.size)
    return tuple(out if crossed else out[:1])


def predictor(
    s: Setting,
    column: str,
    rows: Kind | None,
    level: Kind | None,
    why: str,
    *,
    split: Iterable[Kind] = (),
    sd: float = 0.5,
    slope: bool = False,
) -> Piece:
    """Write a predictor into an equation, within and between units where it varies in both.

    Args:
        s: the setting.
        column: of the predictor.
        rows: the kind of unit whose rows the equation has, or None for rows of the data.
        level: the claim's kind of unit, or None for rows.
        why: why it is there.
        split: kinds of larger units that it is split by.
        sd: prior sd of the coefficient on the standardized scale.
        slope: whether the slope may vary over units.
    """
    c = quoted(column)
    if not is_number(s, column):
        text = f"factor({c})"
        return Piece((text,), {text: 2 * sd}, {text: 1.0}, text, why, (), (s.values(column),))
    x = s.values(column)
    chain = [g for g in split if s.varies(column, g)]
    own = rows is not None and not s.constant(column, rows)
    if rows is not None and own:  # of smaller units: only its mean can stand in these rows
        means = s.means(column, rows)
        base = f"between({c}, {quoted(rows.column)})"
        texts = [base, *(f"between({c}, {quoted(g.column)})" for g in chain if g is not rows)]
        sds = {base: s.spread(means)} | {
            t: s.spread(s.means(column, g)) for t, g in zip(texts[1:], chain, strict=False)
        }
        held = (means, *(s.means(column, g) for g in chain if g is not rows))
        spreads = {t: (sd if t == base else 1.0) for t in texts}
        return Piece(tuple(texts), spreads, sds, base, why, (), held)
    varies_in_level = level is not None and s.varies(column, level)
    if level is not None and varies_in_level:
        chain = [level, *(g for g in chain if g is not level)]
    if not chain:
        text = c
        varying = _varying(s, column, rows) if slope else ()
        return Piece((text,), {text: sd}, {text: s.spread(x)}, text, why, varying, (x,))
    first = chain[0]
    inner = f"within({c}, {quoted(first.column)})"
    texts = [inner, *(f"between({c}, {quoted(g.column)})" for g in chain)]
    sds = {inner: s.spread(x - s.means(column, first))}
    sds |= {t: s.spread(s.means(column, g)) for t, g in zip(texts[1:], chain, strict=True)}
    claim = texts[1] if varies_in_level else inner
    priors = {t: (1.0 if t.startswith("between") and t != claim else sd) for t in texts}
    varying = _varying(s, column, rows) if slope and claim == inner else ()
    held = (x - s.means(column, first), *(s.means(column, g) for g in chain))
    return Piece(tuple(texts), priors, sds, claim, why, varying, held)


def _varying(s: Setting, column: str, rows: Kind | None) -> tuple[Kind, ...]:
    """Kinds of unit with enough of them, and enough rows in each, for a slope to vary."""
    out: list[Kind] = []
    for g in s.kinds:
        if g is rows or not g.repeated or not s.varies(column, g):
            continue
        if g.size >= SLOPES and s.n / g.size >= ROWS:
            out.append(g)
    return tuple(out)


def mediator(
    s: Setting,
    m: Response,
    rows: Kind | None,
    levels: Sequence[Kind],
    why: str,
    *,
    chained: bool = False,
) -> Piece:
    """Write a mediator into an equation: itself, and its mean where causes on its path live.

    The slope at the level of a cause is the sum of the two, so that the prior of the second is
    wide, or the slope would be pulled to the one within.

    Args:
        s: the setting.
        m: the mediator.
        rows: the kind of unit whose rows the equation has, or None for rows of the data.
        levels: kinds of unit at which causes live, the smallest first.
        why: why it is there.
        chained: whether another mediator's unit mean follows: then it is written as its deviation
            and its mean, since what is constant in a unit is all that such a mean takes on.
    """
    sd = 0.5
    c = quoted(m.name)
    x = values(s, m)
    texts = [c]
    sds = {c: s.spread(x)}
    held = [x]
    claim = c
    if rows is not None and m.home is not rows and not is_constant(x, rows):
        base = f"between({c}, {quoted(rows.column)})"
        texts, sds, claim = [base], {base: s.spread(_means(x, rows))}, base
        held = [_means(x, rows)]
    for g in levels:
        if g is rows or is_constant(x, g) or not g.repeated:
            continue
        text = f"between({c}, {quoted(g.column)})"
        texts.append(text)
        held.append(_means(x, g))
        sds[text] = s.spread(_means(x, g))
        if claim == c:
            claim = text
    priors = {t: (1.0 if len(texts) > 1 and t != texts[0] else sd) for t in texts}
    if chained and claim != c and texts[0] == c:
        first = next(g for g in levels if g is not rows and not is_constant(x, g) and g.repeated)
        inner = f"within({c}, {quoted(first.column)})"
        held[0] = x - _means(x, first)
        texts[0], sds[inner], priors[inner] = inner, s.spread(held[0]), sd
    return Piece(tuple(texts), priors, sds, claim, why, (), tuple(held), latent=True)


def values(s: Setting, r: Response) -> Array:
    """Return a response's values, shape (rows,)."""
    return s.values(r.name)


def _means(x: Array, unit: Kind) -> Array:
    seen = (unit.codes >= 0) & np.isfinite(x)
    total = np.bincount(unit.codes[seen], x[seen], unit.size)
    count = np.bincount(unit.codes[seen], minlength=unit.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
    return np.where(unit.codes >= 0, mean[unit.codes], np.nan)


def is_constant(x: Array, unit: Kind) -> bool:
    """Say whether values are the same in all rows of each unit."""
    off = np.abs(x - _means(x, unit))
    return bool(np.nanmax(off, initial=0.0) <= 1e-9 * max(1.0, float(np.nanmax(np.abs(x)))))


def drafted(s: Setting, r: Response, pieces: Sequence[Piece]) -> Drafted:
    """Put an equation together, with an intercept for every kind of unit that has several rows."""
    groups = [k for k in s.kinds if k.repeated and k is not r.home]
    if r.home is not None:
        # the equation has one row of each unit, in which a kind that crosses it has several
        groups = [k for k in groups if r.home.inside(k) and k.size < r.home.size]
    # a response of units is the same in all their waves, and each unit counts once
    wave = s.wave if r.home is None else None
    return Drafted(r, tuple(pieces), tuple(groups), wave)


def checked(d: Drafted) -> str:
    """Return the formula, read once by the package's own grammar.

    Raises:
        FormulaError: it is none.
    """
    return parse_formula(d.formula).text

"""What kinds of claims share: the level of a claim, its causes, and the equation of one step."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from acmodels.data import label_codes
from acmodels.errors import listing
from acmodels.theory.compiling import NotTestable
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling.adjustment import Adjustment, adjustment, effects_of
from acmodels.theory.compiling.equations import Drafted, Piece, Response
from acmodels.theory.compiling.setting import Array, Kind, Setting, id_column

LEAST_UNITS = 8
"""Units at the claim's level below which no rule can decide."""

RELIABLE = 0.95
"""The reliability of a unit's mean from which it is taken for the unit."""

ROWS_PER_TERM = 8
"""Rows of an equation for each term that only explains its outcome."""

MOST_LATENT = 1
"""Covariates with latent means in one equation: one takes 1 to 4 s, and two took 11."""

STANDARDIZED = "standardized"


@dataclass(frozen=True)
class Level:
    """Where a claim is judged.

    Attributes:
        name: the kind of unit, as the framework has it.
        unit: as the data have it, where some unit has several rows; None where rows are the units.
        size: how many units there are.
        notes: what a reader must know of it.
    """

    name: str
    unit: Kind | None
    size: int
    notes: tuple[str, ...] = ()


def level_of(
    s: Setting,
    causes: Sequence[str],
    others: Sequence[str],
    stated: str | None = None,
) -> Level:
    """Find the level at which a claim is judged.

    That is the highest among its cause, mediators and outcome; of kinds of unit that cross, the
    cause's.

    Raises:
        NotTestable: there are too few units of that level for any rule to decide.
    """
    f = s.framework
    name = stated or f.constructs[causes[0]].level
    if stated is None:
        for c in others:
            other = f.constructs[c].level
            if other in f.above.get(name, ()):
                name = other
    notes = [f"one {k}: nothing is generalized to other {k}s" for k in s.alone]
    if name in s.alone:
        raise NotTestable(
            f"the claim is about {name}s and the data have one {name}; it takes at least "
            f"{LEAST_UNITS}"
        )
    unit = s.unit(name)
    if unit is None and id_column(f, name, s.study.names) is None:
        _once_each(s, name)
        notes.append(
            f"the data have no id column of a {name} ('{f.units[name].id}'), so that each row "
            "counts as one"
        )
    size = unit.size if unit is not None else s.n
    if size < LEAST_UNITS:
        raise NotTestable(
            f"the claim is about {name}s and the data have {size}; a verdict needs at least "
            f"{LEAST_UNITS}"
        )
    return Level(name, unit if unit is not None and unit.repeated else None, size, tuple(notes))


def _once_each(s: Setting, name: str) -> None:
    """Refuse waves of units that have no ids.

    Raises:
        NotTestable: no ids and waves together tell the rows apart.
    """
    if s.wave is None or s.schematic:
        return
    waves, _ = label_codes(s.study, s.wave)
    pairs = (np.unique(np.stack([k.codes, waves]), axis=1).shape[1] for k in s.kinds)
    if s.n not in pairs:
        raise NotTestable(
            f"rows of one {name} in several waves are not independent, and the data have no id "
            f"column of {name}s; {_cure(s, name)}"
        )


def not_told_apart(s: Setting, constructs: Sequence[str]) -> str:
    """Say which variables are of units with several rows each, where no id says which rows.

    Rows of one unit would pass for independent ones.

    Returns:
        Why no verdict can rest on them, or nothing.
    """
    f = s.framework
    if s.schematic:
        return ""
    for c in dict.fromkeys(leaf for x in constructs for leaf in eq.available(s, x)):
        name, column = f.constructs[c].level, s.columns[c]
        if id_column(f, name, s.study.names) is not None:
            continue
        home = s.home(column)
        first = slice(None) if home is None else np.unique(home.codes, return_index=True)[1]
        if repeats(s.values(column)[first]):
            return (
                f"values of '{column}' repeat from row to row, as those of one {name} with several "
                f"rows do, and the data have no id column of {name}s, so that no verdict can rest "
                f"on them; {_cure(s, name)}"
            )
    return ""


def _cure(s: Setting, name: str) -> str:
    column = s.framework.units[name].id
    return f"name the column that tells them apart '{column}', or map it with --columns"


def repeats(x: Array) -> bool:
    """Say whether values repeat far more often than their precision has them repeat by chance.

    Of n values on a grid of G points n (n - 1) / 2 / G pairs are the same by chance, or about
    twice as many where they are normal; the grid is that of the smallest gap between two values.
    """
    x = x[np.isfinite(x)]
    values, counts = np.unique(x, return_counts=True)
    if len(values) < 2:
        return False
    pairs = float((counts * (counts - 1) / 2).sum())
    grid = float(np.ptp(values) / np.diff(values).min())
    return pairs >= len(x) / 4 and pairs > 10 * len(x) ** 2 / 2 / grid


def require(s: Setting, construct: str, role: str, *, labels: bool = False) -> tuple[str, ...]:
    """Return the constructs with a column that stand for one.

    Args:
        s: the setting.
        construct: its id.
        role: what it is in the claim.
        labels: whether a column of text will do.

    Raises:
        NotTestable: there is none, it does not vary, or it is text that nobody can order.
    """
    found = eq.available(s, construct)
    c = s.framework.constructs[construct]
    if not found:
        parts = s.framework.leaves(construct)
        which = f" or of its parts ({listing(parts, 6)})" if c.parts else ""
        raise NotTestable(
            f"the data lack the {role} '{construct}' ({c.name}): no column of it{which}"
        )
    flat = [p for p in found if _flat(s.values(s.columns[p]))]
    if len(flat) == len(found):
        raise NotTestable(f"the {role} '{s.columns[found[0]]}' has one value only")
    text = [s.columns[p] for p in found if p not in flat and not eq.is_number(s, s.columns[p])]
    if text and not labels:
        held = listing([f"'{v}'" for v in s.levels(text[0])], 4)
        raise NotTestable(
            f"the {role} '{text[0]}' holds text ({held}), which has no known order; recode it "
            "as numbers, such as 0 and 1"
        )
    return tuple(p for p in found if p not in flat)


def _flat(x: Array) -> bool:
    x = x[np.isfinite(x)]
    return len(x) < 2 or float(np.ptp(x)) == 0


def outcome(s: Setting, construct: str) -> Response:
    """Make the response of a construct.

    Raises:
        NotTestable: the data do not have it.
    """
    require(s, construct, "outcome")
    return eq.response(s, construct)


def partial(s: Setting, construct: str) -> tuple[str, ...]:
    """Say, of a composite, how many of its parts the data have, where they lack some."""
    every = s.framework.leaves(construct)
    found = eq.available(s, construct)
    covered = {leaf for p in found for leaf in s.framework.leaves(p)}
    if len(every) < 2 or covered >= set(every):
        return ()
    name = s.framework.constructs[construct].name
    there = listing([p for p in every if p in covered], 6)
    return (f"{name}: {len(covered)} of {len(every)} parts are measured ({there})",)


@dataclass(frozen=True)
class Cause:
    """A construct as a cause in one equation: its parts with the weights of a joint step.

    Attributes:
        construct: its id.
        parts: constructs with columns.
        pieces: their terms.
        weights: by which effects of one sd of each part add up to that of one sd of the whole.
    """

    construct: str
    parts: tuple[str, ...]
    pieces: tuple[Piece, ...]
    weights: tuple[float, ...]


def cause(
    s: Setting,
    construct: str,
    rows: Kind | None,
    level: Level,
    *,
    slope: bool = True,
) -> Cause:
    """Write a construct as a cause; of a composite, each of its parts.

    A step of one sd of a composite moves each part by what goes with it, cov(part, composite) /
    sd(composite).
    """
    parts = require(s, construct, "cause")
    slope = slope and len(parts) == 1
    split = eq.coarser(s, level.unit)
    name = s.framework.constructs[construct].name
    pieces = tuple(
        eq.predictor(
            s, s.columns[p], rows, level.unit, f"the cause ({name})" if len(parts) == 1
            else f"a part of the cause ({name})", split=split, slope=slope,
        )
        for p in parts
    )  # fmt: skip
    if len(parts) == 1:
        return Cause(construct, parts, pieces, (1.0,))
    whole = s.values(eq.column(s, construct))
    weights = []
    for p, piece in zip(parts, pieces, strict=True):
        x = s.values(s.columns[p])
        both = np.isfinite(x) & np.isfinite(whole)
        moved = float(np.cov(x[both], whole[both])[0, 1] / s.spread(whole[both]))
        weights.append(eq.rounded(moved / piece.sds[piece.claim]))
    return Cause(construct, parts, pieces, tuple(weights))


def covariates(
    s: Setting,
    found: Adjustment,
    rows: Kind | None,
    level: Level,
    taken: Collection[str],
    before: Sequence[Piece],
) -> tuple[tuple[Piece, ...], tuple[str, ...], tuple[str, ...]]:
    """Write what is adjusted for into an equation.

    Those that stand on a path from a cause's side come first; those that explain the outcome alone
    are taken while the rows allow it.

    Args:
        s: the setting.
        found: the adjustment.
        rows: the kind of unit whose rows the equation has.
        level: of the claim.
        taken: columns that the equation has already.
        before: the pieces that it has.

    Returns:
        The pieces, the constructs that are in, and those that were left out.
    """
    n = rows.size if rows is not None else s.n
    most = max(LEAST_UNITS, n // ROWS_PER_TERM)
    split = eq.coarser(s, level.unit, crossed=False)
    pieces: list[Piece] = []
    used: list[str] = []
    left: list[str] = []
    span = Span(s, rows)
    for piece in before:
        span.add(piece)
    homes: dict[str, int] = {}
    weight = found.weight
    order = sorted(found.covariates, key=lambda c: (c not in found.needed, -weight.get(c, 0)))
    for c in order:
        column = s.columns[c]
        if column in taken or _flat(s.values(column)):
            continue
        needed = c in found.needed
        why = f"adjusted for ({s.framework.constructs[c].name}): " + (
            "it lies on a path that confounds cause and outcome"
            if needed
            else "a cause of the outcome"
        )
        at, units = (level.unit, split) if needed else (None, ())
        home = s.home(column)
        if at is not None and home is not None and not home.inside(at):
            at = None  # of units that cross the claim's: their means there are no construct
        piece = eq.predictor(s, column, rows, at, why, split=units)
        where, many = ("", n) if home is None else (home.name, min(home.size, n))
        count = span.terms + len(piece.texts)
        room = count <= most and homes.get(where, 0) < max(1, many // ROWS_PER_TERM)
        fits = (needed or room) and count <= n // 2
        if not fits or not span.add(piece):  # or it adds up to what is there, as shares do
            left.append(c)
            continue
        homes[where] = homes.get(where, 0) + 1
        pieces.append(piece)
        used.append(c)
    return tuple(pieces), tuple(used), tuple(left)


class Span:
    """The columns that an equation has, so that none is added that follows from them."""

    def __init__(self, s: Setting, rows: Kind | None) -> None:
        self.s = s
        first = np.arange(s.n) if rows is None else np.unique(rows.codes, return_index=True)[1]
        self.first = first
        self.basis: list[Array] = [np.full(len(first), 1 / np.sqrt(len(first)))]
        self.terms = 0

    def add(self, piece: Piece) -> bool:
        """Add a predictor's columns; False, and nothing done, if they follow from the others."""
        new: list[Array] = []
        for values in piece.values:
            x = values[self.first]
            x = np.where(np.isfinite(x), x, np.nanmean(x)) if np.isfinite(x).any() else 0 * x
            size = float(np.linalg.norm(x - x.mean()))
            for b in (*self.basis, *new):
                x = x - b * float(b @ x)
            left = float(np.linalg.norm(x))
            if size == 0 or left < 1e-6 * size:
                return False
            new.append(x / left)
        self.basis += new
        self.terms += len(piece.texts)
        return True


@dataclass(frozen=True)
class Step:
    """One equation, with what is claimed in it.

    Attributes:
        drafted: the equation.
        causes: by construct.
        adjustment: what is held fixed, and what cannot be.
        adjusted: constructs that are in the equation for adjustment.
        latent: equations of covariates whose unit means are latent in the equation.
    """

    drafted: Drafted
    causes: Mapping[str, Cause]
    adjustment: Adjustment
    adjusted: tuple[str, ...]
    latent: tuple[Drafted, ...] = ()

    @property
    def equations(self) -> tuple[Drafted, ...]:
        """The equations, those of covariates first."""
        return (*self.latent, self.drafted)


def _apart_from(s: Setting, there: Collection[str], barred: Collection[str]) -> list[str]:
    """List the measured constructs that are not there yet, nor barred, nor moved by what is."""
    f = s.framework
    nodes = {f.node(x) for c in there for x in f.leaves(c)}
    nodes |= effects_of(f, barred) if barred else set()
    return [
        c for c in s.columns
        if f.node(c) not in nodes and c not in barred
        and f.constructs[c].facet_of is None and _usable(s, c)
    ]  # fmt: skip


def step(
    s: Setting,
    causes: Sequence[str],
    r: Response,
    level: Level,
    *,
    mediators: Sequence[Response] = (),
    also: Sequence[Piece] = (),
    barred: Collection[str] = (),
    given: Collection[str] = (),
    slope: bool = True,
    sources: Sequence[str] = (),
    chained: bool = False,
    latent: bool = False,
) -> Step:
    """Draft the equation of a step from causes (and mediators) to a response.

    Args:
        s: the setting.
        causes: constructs whose joint effect is asked for.
        r: the response.
        level: of the claim.
        mediators: responses of other equations that stand in this one.
        also: further terms.
        barred: constructs that are not adjusted for.
        given: constructs that are adjusted for whatever the graph says.
        slope: whether the causes' slopes may vary over units.
        sources: constructs whose joint effect it is, where `also` has their terms.
        chained: as for `equations.mediator`.
        latent: whether means of covariates that are taken of a few rows get equations.
    """
    written = {c: cause(s, c, r.home, level, slope=slope) for c in causes}
    own = {p for c in written.values() for p in c.parts}
    own |= {p for c in sources for p in eq.available(s, c)}
    through = {c for m in mediators for c in m.constructs}
    measured = _apart_from(s, {*own, *through, *r.constructs, *causes, *sources}, barred)
    asked = [*through] if mediators else [*causes, *sources]
    found = adjustment(
        s.framework, asked, list(r.constructs), [*measured, *own, *through], given=given,
        randomized=[c for c in asked if c in s.randomized],
    )  # fmt: skip
    if mediators:  # the cause stands beside the mediators, and is no covariate
        found = _without(found, {*own, *causes, *sources})
    levels = _levels(s, written, level)
    inner = [
        eq.mediator(
            s, m, r.home, levels, f"what the cause works through ({_name(s, m)})", chained=chained
        )
        for m in mediators
    ]
    pieces = [*inner, *(p for c in written.values() for p in c.pieces), *also]
    taken = {s.columns[c] for c in own} | {m.name for m in mediators}
    taken |= {s.columns[c] for c in through if c in s.columns}
    more, used, left = covariates(s, found, r.home, level, taken, pieces)
    _no_copy(s, r, [*pieces, *more])
    partly = _partly(s, found, used, level)
    drafted = eq.drafted(s, r, [*pieces, *more])
    modeled: dict[str, Drafted] = {}
    if latent and s.wave is None and r.home is None and r.family == "gaussian":
        few = [c for c, _ in partly if c in used and _modelable(s, c)][:MOST_LATENT]
        modeled, drafted = _with_latent_means(s, drafted, dict(zip(used, more, strict=True)), few)
    found = replace(
        found,
        partly=tuple(p for p in partly if p[0] not in modeled),
        dropped=tuple(c for c in left if c in found.needed),
    )
    return Step(drafted, written, found, used, tuple(modeled.values()))


def _no_copy(s: Setting, r: Response, pieces: Sequence[Piece]) -> None:
    """Refuse an outcome that is a sum of what stands in its equation: no variance would be left.

    Raises:
        NotTestable: it is.
    """
    span = Span(s, r.home)
    texts = [t for p in pieces if span.add(p) for t in p.texts]
    y = eq.values(s, r)[span.first]
    if s.schematic or not np.isfinite(y).all() or span.terms > len(y) // 2:
        return
    y = y - y.mean()
    left = y - sum(b * float(b @ y) for b in span.basis)
    if float(np.linalg.norm(left)) < 1e-6 * float(np.linalg.norm(y)):
        raise NotTestable(
            f"'{r.name}' follows exactly from {listing(texts, 4)}, as a copy or a sum would; "
            "check these columns"
        )


def _modelable(s: Setting, construct: str) -> bool:
    """Say whether the exact engine can have an equation of a covariate."""
    column = s.columns[construct]
    whole = bool(np.isfinite(s.values(column)).all())
    return whole and eq.is_number(s, column) and eq.family(s, column)[0] == "gaussian"


def _with_latent_means(
    s: Setting, drafted: Drafted, pieces: Mapping[str, Piece], few: Sequence[str]
) -> tuple[dict[str, Drafted], Drafted]:
    """Give covariates equations, so that their means in units are latent.

    A mean of a few rows errs, and what it leaves over passes for an effect of what it goes with.
    The covariate's equation has all that stands in the outcome's and is constant in its units, the
    cause too: it says what goes with what, and not what causes what. Slopes are held fixed, since
    latent means and slopes that vary cost minutes.

    Args:
        s: the setting.
        drafted: the equation of the outcome.
        pieces: by covariate, its terms in it.
        few: the covariates.

    Returns:
        The equations by covariate, and that of the outcome.
    """
    if not few:
        return {}, drafted
    own = [pieces[c] for c in few]
    others = [replace(p, varying=()) for p in drafted.pieces if all(p is not o for o in own)]
    out: dict[str, Drafted] = {}
    for c in few:
        r = eq.response(s, c)
        beside = [
            replace(p, why="it may correlate with this variable and helps to predict its unit mean")
            for p in others
            if r.home is None or all(eq.is_constant(v, r.home) for v in p.values)
        ]
        out[c] = eq.drafted(s, r, beside)
        others.append(replace(pieces[c], latent=True))
    return out, replace(drafted, pieces=tuple(others))


def _partly(
    s: Setting, found: Adjustment, used: Sequence[str], level: Level
) -> tuple[tuple[str, float], ...]:
    """Name what differs between the claim's units and is held fixed by the means of their rows."""
    unit = level.unit
    if unit is None or s.schematic:
        return ()
    homes = {c: s.home(s.columns[c]) for c in used if c in found.needed}
    means = {  # what crosses the claim's units stands in the rows as it is
        c: s.values(s.columns[c]) for c, h in homes.items() if h is None or h.inside(unit)
    }
    out: list[tuple[str, float]] = []
    for c, x in means.items():
        if not eq.is_constant(x, unit):
            reliability = s.reliability(x, unit)
            if reliability < RELIABLE:
                out.append((c, reliability))
    return tuple(out)


def left_out(before: Sequence[Drafted], after: Sequence[Drafted], level: Level) -> tuple[str, ...]:
    """Say which intercepts `of_one_nest` left out."""
    names = {g.name for d in before for g in d.groups} - {g.name for d in after for g in d.groups}
    return tuple(
        f"intercepts of each {n}, which cross {level.name}s, are left out of equations that share "
        "latent means; their variance becomes part of the residual variance"
        for n in sorted(names)
    )


def of_one_nest(drafted: tuple[Drafted, ...], level: Level) -> tuple[Drafted, ...]:
    """Leave out intercepts of units that cross the claim's, where equations share latent means.

    What such units add to the rows of a claim's unit goes to their residuals. Equations that share
    latent means are sampled together, and crossed intercepts in each of them would cost minutes.
    """
    unit = level.unit
    if unit is None or not _latent_means(drafted):
        return drafted
    return tuple(
        replace(d, groups=tuple(g for g in d.groups if unit.inside(g) or g.inside(unit)))
        for d in drafted
    )


def together(
    drafted: tuple[Drafted, ...], sets: Sequence[Collection[str]]
) -> tuple[tuple[Drafted, ...], list[list[str]]]:
    """Let intercepts and residuals of responses correlate, where unit means are latent.

    Args:
        drafted: the equations.
        sets: of constructs, none of which has an arrow into another of its set.

    Returns:
        The equations, and pairs of responses whose residuals correlate.
    """
    if not _latent_means(drafted):
        return drafted, []
    linked: dict[str, tuple[tuple[str, Kind], ...]] = {}
    pairs: list[list[str]] = []
    for mine in ([d for d in drafted if d.response.construct in names] for names in sets):
        if len(mine) < 2:
            continue
        shared = [g for g in mine[0].groups if all(g in d.groups for d in mine)]
        begun = len({label for some in linked.values() for label, _ in some})
        labels = [f"u{k}" if k else "u" for k in range(begun, begun + len(shared))]
        linked |= {d.response.name: tuple(zip(labels, shared, strict=True)) for d in mine}
        rows = [d.response for d in mine if d.response.family == "gaussian"]
        pairs += [[a.name, b.name] for a, b in combinations(rows, 2) if a.home is b.home]
    return tuple(replace(d, linked=linked.get(d.response.name, ())) for d in drafted), pairs


def _latent_means(drafted: Sequence[Drafted]) -> bool:
    return any(len(p.texts) > 1 and p.latent for d in drafted for p in d.pieces)


def _usable(s: Setting, construct: str) -> bool:
    if s.framework.constructs[construct].baseline_of is not None and s.wave is None:
        return False  # in one wave it cannot be told from the present value
    return s.missing_share(s.columns[construct]) <= 0.5


def _without(found: Adjustment, names: Collection[str]) -> Adjustment:
    return Adjustment(
        tuple(c for c in found.covariates if c not in names),
        tuple(c for c in found.needed if c not in names),
        found.identified, tuple(c for c in found.lacking if c not in names), found.shared,
        found.past, found.weight, found.partly, found.dropped,
    )  # fmt: skip


def _name(s: Setting, r: Response) -> str:
    c = s.framework.constructs.get(r.construct)
    return c.name if c is not None else r.construct


def _levels(s: Setting, causes: Mapping[str, Cause], level: Level) -> tuple[Kind, ...]:
    """Return the kinds of unit at which causes live, the smallest units first."""
    found = [level.unit] if level.unit is not None else []
    for c in causes.values():
        for p in c.parts:
            home = s.home(s.columns[p])
            if home is None or home in found or home not in s.kinds:
                continue
            if level.unit is None or level.unit.inside(home):
                found.append(home)
    return tuple(sorted(found, key=lambda k: -k.size))


def standard(kind: str, from_: str, to: str, **more: object) -> dict[str, object]:
    """Write an estimand on the standardized scale."""
    return {"kind": kind, "from": from_, "to": to, "scale": STANDARDIZED, **more}


def effect_estimands(
    prefix: str, c: Cause, to: str, kind: str = "total", **more: object
) -> dict[str, dict[str, object]]:
    """Write the effect of a cause: of one construct, or of each part and of all together."""
    if len(c.pieces) == 1:
        return {prefix: standard(kind, c.pieces[0].claim, to, **more)}
    out: dict[str, dict[str, object]] = {
        f"{prefix}_{_plain(p)}": standard(kind, piece.claim, to, **more)
        for p, piece in zip(c.parts, c.pieces, strict=True)
    }
    whole: dict[str, object] = {
        "kind": "combine", "of": list(out), "weights": list(c.weights),
    }  # fmt: skip
    return out | {prefix: whole}


def part_names(prefix: str, c: Cause) -> dict[str, str]:
    """Return, by part of a cause, the estimand of its own effect."""
    if len(c.pieces) == 1:
        return {c.parts[0]: prefix}
    return {p: f"{prefix}_{_plain(p)}" for p in c.parts}


def _plain(name: str) -> str:
    return name.replace(".", "_")

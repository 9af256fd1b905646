"""Constructs measured by items: what `[measures.NAME]` says, and the equations that it stands for.

A construct is a variable without values; each of its items has an equation on the data's rows in
which the construct is the predictor (Bollen, 1989, chapter 7). Its coefficient is the loading.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from acmodels.errors import did_you_mean, listing
from acmodels.spec.equation import Equation
from acmodels.spec.names import plain, quoted
from acmodels.spec.strict import Strict

ItemFamily = Literal["ordinal", "gaussian"]

REFUSED = ("factor", "mo", "log", "sqrt", "min", "max", "offset", "lead")
"""Functions that a construct, whose values are on the whole line, cannot enter by."""


class MeasureTable(Strict):
    """One `[measures.NAME]` table."""

    items: Annotated[list[str], Field(min_length=1)] | None = None
    all_of: str | None = Field(default=None, alias="construct")
    family: ItemFamily | dict[str, ItemFamily] | None = None
    level: str | None = None
    rater: str | None = None
    reverse: list[str] = Field(default_factory=list)
    marker: str | None = None
    by: str | None = None


@dataclass(frozen=True)
class Measure:
    """A construct and the items that measure it.

    Attributes:
        name: of the construct.
        items: columns; none where they are all items of `construct` in a study.
        construct: of a study, whose items are meant; None where `items` are given.
        families: by item, as stated; other items go by their values.
        level: the id column whose units have the construct, or None for data rows.
        rater: the column of who answers, or None for the data row.
        reverse: items that load negatively.
        marker: the item whose loading is 1, or None.
        by: the column of rater groups, or None.
    """

    name: str
    items: tuple[str, ...]
    construct: str | None = None
    families: Mapping[str, str] = field(default_factory=dict[str, str])
    level: str | None = None
    rater: str | None = None
    reverse: tuple[str, ...] = ()
    marker: str | None = None
    by: str | None = None

    @property
    def raters(self) -> str:
        """What the group of a rater's deviation is called in names of parameters."""
        return "rater" if self.rater is None else quoted(self.rater)

    @property
    def columns(self) -> tuple[str, ...]:
        """Its id columns."""
        return tuple(dict.fromkeys(c for c in (self.level, self.rater, self.by) if c is not None))


def read_measures(
    tables: Mapping[str, MeasureTable],
    equations: Mapping[str, Equation],
    source: str,
    problems: list[str],
) -> dict[str, Measure]:
    """Check the `[measures]` tables for themselves and against the equations.

    Args:
        tables: by construct.
        equations: of the model file, by response.
        source: the file's name.
        problems: to which sentences are added.
    """
    out: dict[str, Measure] = {}
    for key, t in tables.items():
        name = plain(key)
        if name in out:
            problems.append(f"{source}: measures: '{name}' appears twice")
        out[name] = _measure(name, t, source, problems)
    for m in out.values():
        problems += item_problems(m, out, equations, source)
    problems += _use_problems(out, equations, source)
    problems += _shared_problems(out, source)
    return out


def _measure(name: str, t: MeasureTable, source: str, problems: list[str]) -> Measure:
    where = f"{source}: measures.{name}"
    if (t.items is None) == (t.all_of is None):
        problems.append(
            f'{where}: needs either items = ["column", ...] or construct = "..." (all items of a '
            "construct of a study), and one of the two only"
        )
    items = tuple(plain(i) for i in t.items or ())
    twice = sorted({i for i in items if items.count(i) > 1})
    if twice:
        problems.append(f"{where}.items: {listing(twice)} appears twice")
    families: dict[str, str] = {}
    if isinstance(t.family, str):
        families = dict.fromkeys(items, t.family)
    elif t.family is not None:
        families = {plain(k): v for k, v in t.family.items()}
    reverse = tuple(plain(i) for i in t.reverse)
    if t.marker is not None and plain(t.marker) in reverse:
        problems.append(
            f"{where}.marker: '{plain(t.marker)}' is reversed, and a marker's loading is 1; take "
            "another item, or leave marker out"
        )
    ids = {k: plain(v) for k in ("level", "rater", "by") if (v := getattr(t, k)) is not None}
    if ids.get("rater") is not None and ids.get("rater") == ids.get("level"):
        problems.append(
            f"{where}.rater: '{ids['rater']}' is its level too; raters are several to a unit of "
            "the level, so name who answers, or leave rater out where each row is one rater"
        )
    return Measure(
        name,
        items,
        t.all_of,
        families,
        ids.get("level"),
        ids.get("rater"),
        reverse,
        None if t.marker is None else plain(t.marker),
        ids.get("by"),
    )


def item_problems(
    m: Measure,
    measures: Mapping[str, Measure],
    equations: Mapping[str, Equation],
    source: str,
) -> list[str]:
    """Refuse items that are something else too, and constructs that items do not identify."""
    where = f"{source}: measures.{m.name}"
    markers = () if m.marker is None else (m.marker,)
    out = [
        f"{where}.{key}: '{i}' is none of its items{did_you_mean(i, m.items)} "
        f"(items: {listing(m.items)})"
        for key, some in (("family", m.families), ("reverse", m.reverse), ("marker", markers))
        for i in some
        if m.items and i not in m.items
    ]
    for i in m.items:
        if i in equations:
            out.append(
                f"{where}.items: '{i}' has an equation of its own (equations.{i}); what an item "
                "rests on is its construct, so leave one of the two out"
            )
        if i in measures:
            out.append(f"{where}.items: '{i}' is a construct itself; items are columns of data")
    used = {c for e in equations.values() for c in e.formula.variables()}
    out += [
        f"{where}.items: '{i}' is a predictor too (in a formula); an item rests on its construct, "
        "so let the construct be the predictor"
        for i in m.items
        if i in used
    ]
    out += [
        f"{where}: '{c}' is an item, and cannot be a level, a rater or a group"
        for c in m.columns
        if any(c in other.items for other in measures.values())
    ]
    if m.items and len(m.items) < 3 and not _helped(m, equations, measures):
        out.append(
            f"{where}: {len(m.items)} item{'s' * (len(m.items) > 1)} cannot tell loadings apart; "
            "a construct needs three items, or two and an equation or another construct that it "
            "goes with"
        )
    return out


def _helped(m: Measure, equations: Mapping[str, Equation], measures: Mapping[str, Measure]) -> bool:
    """Return whether something beside its two items says what a construct is."""
    if len(m.items) < 2:
        return False
    linked = m.name in equations or any(m.name in e.formula.variables() for e in equations.values())
    return linked or any(o.level == m.level for o in measures.values() if o is not m)


def _use_problems(
    measures: Mapping[str, Measure], equations: Mapping[str, Equation], source: str
) -> list[str]:
    """Refuse what an equation cannot do with a construct."""
    out: list[str] = []
    for r, e in equations.items():
        where = f"{source}: equations.{r}"
        for o in e.formula.operands():
            for v in (v for v in o.variables if v in measures):
                bad = [f for f in o.functions if f in REFUSED]
                bad += ["offset"] if o in e.formula.offsets else []
                if bad:
                    out.append(
                        f"{where}.formula: '{v}' is a construct, whose values lie on the whole "
                        f"line and have no zero of their own; it cannot enter by {bad[0]}()"
                    )
        if e.weights is not None and any(v in measures for v in (r, *e.formula.variables())):
            out.append(
                f"{where}.weights: likelihoods with weights are not averaged over the values of a "
                "construct; leave the weights out"
            )
        if r not in measures:
            continue
        m = measures[r]
        if e.family != "gaussian" or e.link is not None:
            out.append(
                f"{where}.family: '{r}' is a construct, which is normal given its predictors; "
                "leave family and link out (families of items stand in measures)"
            )
        out += [
            f"{where}.{key}: '{r}' is a construct, and has none"
            for key in ("se", "trials", "weights")
            if getattr(e, key) is not None
        ]
        if e.level is not None and e.level != m.level:
            said = "the data row" if m.level is None else f"'{m.level}'"
            out.append(
                f"{where}.level: '{e.level}', but measures.{r} has {said} as the level of the "
                "construct; say the same in both, or leave it out here"
            )
    return out


def _shared_problems(measures: Mapping[str, Measure], source: str) -> list[str]:
    """Refuse items of two constructs that are said to be different things in each."""
    out: list[str] = []
    seen: dict[str, Measure] = {}
    for m in measures.values():
        for i in m.items:
            first = seen.setdefault(i, m)
            if first is m:
                continue
            for what, one, other in (
                ("family", first.families.get(i), m.families.get(i)),
                ("by", first.by, m.by),
            ):
                if one is not None and other is not None and one != other:
                    out.append(
                        f"{source}: measures.{m.name}.{what}: '{i}' is an item of {first.name} too,"
                        f" where its {what} is '{one}' and not '{other}'"
                    )
    return out

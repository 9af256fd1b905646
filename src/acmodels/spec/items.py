"""A model with constructs as equations alone: those of items and of constructs added."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from acmodels.spec import parameters as named
from acmodels.spec.equation import Equation
from acmodels.spec.formula import INTERCEPT
from acmodels.spec.measures import Measure
from acmodels.spec.model import Model, Panel
from acmodels.spec.names import quoted
from acmodels.spec.parsing import parse_formula

LINKS = {"ordinal": "probit"}
"""Links of items whose family has another one as its first."""


def lowered(model: Model) -> bool:
    """Return whether the equations of a model's items have been added."""
    return any(e.measured for e in model.equations.values())


def with_items(model: Model, families: Mapping[str, str]) -> Model:
    """Return the model with an equation for each item and for each construct that has none.

    Args:
        model: checked, the items of every measure known.
        families: by item, where the model does not say; ordinal where nothing does.
    """
    if not model.measures or lowered(model):
        return model
    families = {**families, **_stated(model.measures)}
    equations: dict[str, Equation] = {}
    for r, e in model.equations.items():
        equations[r] = _of_construct(e, model.measures[r]) if r in model.measures else e
    alone = [m for m in model.measures.values() if m.name not in equations]
    for m in alone:
        written = parse_formula(_formula(m.name, _exogenous(m, alone, model.panel)))
        equations[m.name] = _of_construct(Equation(m.name, written, exogenous=True), m)
    for item, of in items_of(model.measures).items():
        lasting = _lasting(of, model.panel)
        equations[item] = _of_item(item, of, families.get(item, "ordinal"), lasting)
    return replace(model, equations=equations)


def _stated(measures: Mapping[str, Measure]) -> dict[str, str]:
    return {i: f for m in measures.values() for i, f in m.families.items()}


def with_counts(model: Model, counts: Mapping[str, int]) -> tuple[Model, frozenset[str]]:
    """Return the model with as many items of its constructs as a design has.

    The first of those listed are kept; further ones are called `NAME_item4` and so on, and are of
    the family of the last one listed.

    Args:
        model: without the equations of items.
        counts: by construct.

    Returns:
        The model, without the priors of items that were left out, and these items.
    """
    measures = dict(model.measures)
    gone: set[str] = set()
    for name, count in counts.items():
        m = measures[name]
        more = [f"{name}_item{k}" for k in range(len(m.items) + 1, count + 1)]
        kept = (*m.items[:count], *more)
        families = {i: f for i, f in m.families.items() if i in kept}
        if m.items[-1] in m.families:
            families |= dict.fromkeys(more, m.families[m.items[-1]])
        gone |= set(m.items[count:])
        reverse = tuple(i for i in m.reverse if i in kept)
        measures[name] = replace(m, items=kept, families=families, reverse=reverse)
    gone -= {i for m in measures.values() for i in m.items}
    priors = {n: p for n, p in model.priors.items() if not any(named.of_item(n, i) for i in gone)}
    return replace(model, measures=measures, priors=priors), frozenset(gone)


def items_of(measures: Mapping[str, Measure]) -> dict[str, tuple[Measure, ...]]:
    """List the measures that each item belongs to, by item."""
    out: dict[str, tuple[Measure, ...]] = {}
    for m in measures.values():
        for i in m.items:
            out[i] = (*out.get(i, ()), m)
    return out


def _of_construct(e: Equation, m: Measure) -> Equation:
    """Return the equation of a construct: without an intercept, which its items' locations hold."""
    terms = tuple(t for t in e.formula.terms if t != INTERCEPT)
    formula = replace(e.formula, terms=terms)
    return replace(e, formula=formula, level=m.level, construct=True)


def _formula(response: str, terms: Sequence[str]) -> str:
    return quoted(response) + " ~ " + " + ".join(terms)


def _exogenous(m: Measure, alone: Sequence[Measure], panel: Panel | None) -> list[str]:
    """Write the terms of a construct without an equation of its own.

    In a panel it has its trend and its lasting differences, which correlate with those of the other
    such constructs of its level, as the rest does.
    """
    if panel is None:
        return ["1"]
    unit = m.level or panel.unit
    several = sum((o.level or panel.unit) == unit for o in alone) > 1
    bar = f"|exogenous_{_word(unit)}|" if several else "|"
    return [f"factor({quoted(panel.wave)})", f"(1 {bar} {quoted(unit)})"]


def _word(name: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in name)


def _lasting(of: tuple[Measure, ...], panel: Panel | None) -> tuple[str, ...]:
    """List the kinds of unit that an item differs between for good: those of its constructs."""
    if panel is None:
        return ()
    return tuple(dict.fromkeys(m.level or panel.unit for m in of))


def _of_item(
    item: str, of: tuple[Measure, ...], family: str, lasting: tuple[str, ...] = ()
) -> Equation:
    names = [m.name for m in of]
    terms = [quoted(n) for n in names]
    by = next((m.by for m in of if m.by is not None), None)
    if by is not None:
        terms.append(f"(1 + {' + '.join(terms)} || {quoted(by)})")
    # or stability of items would pass for that of constructs
    terms += [f"(1 | {quoted(unit)})" for unit in lasting if unit != by]
    return Equation(
        item,
        parse_formula(_formula(item, terms)),
        family=family,
        link=LINKS.get(family),
        measured=tuple(names),
    )

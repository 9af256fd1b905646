"""Latent unit means: what of a variable's own linear predictor is constant within a unit.

Where x has an equation, `between(x, g)` is its latent mean in g and `within(x, g)` is x minus that:
the intercept, the terms that are constant within g and the effects of g (and of groupings above).
An observed mean of few rows is that plus noise, which biases its effect toward the one within
(Lüdtke, Marsh, Robitzsch, Trautwein, Asparouhov & Muthén, 2008). Design matrices hold observed
means throughout; engines and the generator add what the latent ones differ by.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from acmodels.system.columns import column_values, variable_values
from acmodels.system.layout import Array, Column, EquationLayout, Index, Layout, Responses


@dataclass(frozen=True)
class LatentTerm:
    """A column, or a group effect's multiplier, that moves with a latent mean.

    Attributes:
        key: the text of the deviation or mean in it.
        mean: position of the latent mean among `latent_means`.
        sign: 1 for a mean, -1 for a deviation from it.
        rest: what else the column multiplies.
        column: position of the column, or None for a group effect.
        effect: block and member of the group effect.
    """

    key: str
    mean: int
    sign: float
    rest: Column
    column: int | None = None
    effect: tuple[int, int] | None = None


@dataclass(frozen=True)
class LatentMean:
    """The latent mean of a response in a unit.

    Attributes:
        variable, unit: x and g.
        key: a text by which its observed counterpart is looked up.
        equation: position of x's equation.
        code: the unit of each data row, (N,).
        at: for each unit a row of x's equation, (J,).
        columns: positions of the design columns that are constant within g.
        effects: (block, member) of the group effects that are.
        offset: the offset where it is constant within g, else 0, (J,).
    """

    variable: str
    unit: str
    key: str
    equation: int
    code: Index
    at: Index
    columns: tuple[int, ...]
    effects: tuple[tuple[int, int], ...]
    offset: Array


def is_latent(layout: Layout, e: EquationLayout, source: str) -> bool:
    """Whether what an equation reads is, or is taken from, a latent mean."""
    d = layout.decomposed.get(source)
    if d is None or d.variable in layout.variables:
        return False
    return d.variable in layout.responses and not e.observed


def latent_means(layout: Layout) -> tuple[LatentMean, ...]:
    """Every latent mean that an equation reads, those that others rest on first."""
    if not layout.decomposed:
        return ()
    wanted: dict[tuple[str, str], str] = {}
    for e in layout.equations:
        for source in _sources(layout, e):
            if is_latent(layout, e, source):
                d = layout.decomposed[source]
                wanted.setdefault((d.variable, d.unit), source)
    order = {layout.equations[i].response: n for n, i in enumerate(layout.order)}
    pairs = sorted(wanted, key=lambda p: (order[p[0]], p[1]))
    return tuple(_mean(layout, *p, wanted[p]) for p in pairs)


def latent_terms(layout: Layout, e: EquationLayout) -> tuple[LatentTerm, ...]:
    """What of an equation moves with latent means."""
    if not layout.decomposed:
        return ()
    means = {(m.variable, m.unit): n for n, m in enumerate(latent_means(layout))}
    out: list[LatentTerm] = []
    for column, place, effect in _columns(layout, e):
        for p in column.parts:
            source = p.operand.source
            if not is_latent(layout, e, source):
                continue
            d = layout.decomposed[source]
            rest = replace(column, parts=tuple(q for q in column.parts if q is not p))
            n = means[d.variable, d.unit]
            out.append(LatentTerm(source, n, d.sign, rest, place, effect))
    return tuple(out)


def constant_within(layout: Layout, column: Column, code: Index) -> bool:
    """Whether a column is constant within units, from what it is made of."""
    return all(_constant(_signature(layout, s), code) for s in column.sources)


def latent_problems(layout: Layout) -> list[str]:
    """Say what latent means cannot be: sentences that follow the model file's name."""
    out: list[str] = []
    for e in layout.equations:
        for column, _, _ in _columns(layout, e):
            sources = [s for s in column.sources if is_latent(layout, e, s)]
            if len(sources) > 1:
                out.append(
                    f"equations.{e.response}: '{column.name}' multiplies latent means with each "
                    'other, which is not fitted; take observed ones with centering = "observed"'
                )
            for s in sources:
                out += _mean_problems(layout, s)
    return list(dict.fromkeys(out))


def _mean_problems(layout: Layout, source: str) -> list[str]:
    d = layout.decomposed[source]
    e = layout.equation(d.variable)
    where = f"equations.{d.variable}"
    if e.level == d.unit:
        said = f"{where} has level = \"{d.unit}\", so '{d.variable}' is one value a unit and "
        return [said + f"'{source}' has nothing to take apart; write '{d.variable}'"]
    groups = [
        b
        for b, mine in layout.blocks_of(d.variable)
        if b.columns == (d.unit,) and any(not b.members[k].column.parts for k in mine)
    ]
    if not groups:
        said = f"'{source}' is a latent mean, and equations.{d.variable} has no (1 | {d.unit}); "
        return [said + 'add it, or take observed means with centering = "observed"']
    return []


def latent_notes(layout: Layout) -> list[str]:
    """Say where means are observed ones."""
    out: list[str] = []
    for e in layout.equations:
        for source in _sources(layout, e):
            d = layout.decomposed.get(source)
            if d is None or is_latent(layout, e, source):
                continue
            why = (
                'as centering = "observed" says'
                if d.variable in layout.responses
                else f"since '{d.variable}' has no equation"
            )
            out.append(f"equations.{e.response}: {source} takes observed means, {why}")
    return list(dict.fromkeys(out))


def _columns(
    layout: Layout, e: EquationLayout
) -> Iterator[tuple[Column, int | None, tuple[int, int] | None]]:
    for k, c in enumerate(e.columns):
        yield c, k, None
    for b, block in enumerate(layout.blocks):
        for k, m in enumerate(block.members):
            if m.response == e.response:
                yield m.column, None, (b, k)


def _sources(layout: Layout, e: EquationLayout) -> Iterator[str]:
    for column, _, _ in _columns(layout, e):
        yield from column.sources


def _mean(layout: Layout, variable: str, unit: str, source: str) -> LatentMean:
    d = layout.decomposed[source]
    i = layout.responses.index(variable)
    e = layout.equations[i]
    own = d.code[e.rows]
    at = np.zeros(len(d.levels), dtype=np.int64)
    at[own[::-1]] = np.arange(e.n, dtype=np.int64)[::-1]
    columns = tuple(k for k, c in enumerate(e.columns) if constant_within(layout, c, d.code))
    effects = tuple(
        (b, k)
        for b, block in enumerate(layout.blocks)
        for k, m in enumerate(block.members)
        if m.response == variable
        and _constant(block.code, d.code)
        and constant_within(layout, m.column, d.code)
    )
    offset = e.offset[at] if _constant(e.offset, own) else np.zeros(len(at))
    return LatentMean(variable, unit, source, i, d.code, at, columns, effects, offset)


def _signature(layout: Layout, source: str) -> Array | Index:
    """Something that varies over the data's rows as a source does."""
    if source in layout.decomposed:
        d = layout.decomposed[source]
        return d.code if d.kind == "between" else np.arange(layout.n_rows)
    if source in layout.variables:
        return layout.variables[source].values
    return layout.equation(source).carry


def _constant(values: Array | Index, code: Index) -> bool:
    first = np.zeros(int(code.max()) + 1, dtype=values.dtype)
    first[code[::-1]] = values[::-1]
    return bool(np.all(values == first[code]))


def rest_values(layout: Layout, e: EquationLayout, term: LatentTerm, responses: Responses) -> Array:
    """What multiplies a latent mean in a term, on the equation's rows, (..., n)."""
    return column_values(term.rest, e.rows, lambda name: variable_values(layout, name, responses))

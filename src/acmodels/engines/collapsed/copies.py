"""Latent unit means as linear mixed models: what of one equation stands in another again.

A latent mean of m is linear in the coefficients and group effects of m's equation. Where y's
equation multiplies it by a coefficient, that coefficient is *conditioned on*: it becomes one of the
coordinates, and given it the system is linear. The group effects of m enter y's rows too, as copies
of themselves times that coefficient, m's coefficients likewise, and what is known of the mean is a
piece that is taken off y. Means of means multiply conditioned coefficients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from acmodels.system import Layout
from acmodels.system.arrays import Array
from acmodels.system.columns import group_column, unit_means
from acmodels.system.latent import rest_values
from acmodels.system.terms import latent_means, latent_terms

type Monomial = tuple[int, ...]
"""Positions of conditioned coefficients that are multiplied with each other."""


@dataclass(frozen=True)
class Copies:
    """List what of one equation stands in another too, in the order of columns.

    Equations are numbered by their place in the component.

    Attributes:
        conditioned: (equation, column) of each conditioned coefficient.
        effects: (equation it enters, block, member, multiplier) of each copied group effect.
        coefficients: (equation it enters, (equation, column) it is, multiplier) of each copy.
        pieces: (equation, multiplier) of each piece that is taken off a response.
    """

    conditioned: tuple[tuple[int, int], ...] = ()
    effects: tuple[tuple[int, int, int, Monomial], ...] = ()
    coefficients: tuple[tuple[int, tuple[int, int], Monomial], ...] = ()
    pieces: tuple[tuple[int, Monomial], ...] = ()


@dataclass
class Gathered:
    """Columns of copies and pieces by what they are, each (n,) or (R, n)."""

    effects: dict[tuple[int, int, int, Monomial], Any] = field(default_factory=dict)
    coefficients: dict[tuple[int, tuple[int, int], Monomial], Any] = field(default_factory=dict)
    pieces: dict[tuple[int, Monomial], Any] = field(default_factory=dict)


def conditioned_columns(layout: Layout, members: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """(equation, column) of the coefficients of latent means, by place among the members."""
    return tuple(
        dict.fromkeys(
            (e, t.position)
            for e, i in enumerate(members)
            for t, _ in latent_terms(layout, layout.equations[i].response)
            if t.position is not None
        )
    )


def copies_move(layout: Layout, members: Sequence[int]) -> bool:
    """Say whether what multiplies a copied effect may rest on a response."""
    means = latent_means(layout)
    for i in members:
        for _, how in latent_terms(layout, layout.equations[i].response):
            effects = [layout.blocks[b].members[k].column for b, k in means[how.mean].effects]
            if any(v in layout.responses for c in (how.rest, *effects) for v in c.variables):
                return True
    return False


def gather(
    layout: Layout,
    members: Sequence[int],
    made: Sequence[Any],
    stack: Mapping[str, Array],
    bases: Mapping[int, Array],
) -> Gathered:
    """Work out every copy and piece.

    Args:
        layout: of the model.
        members: positions of the component's equations.
        made: the columns of each, as `mixed` makes them.
        stack: responses, each (R, n).
        bases: of blocks, as a component has them.
    """
    out = Gathered()
    means = latent_means(layout)
    position = {c: i for i, c in enumerate(conditioned_columns(layout, members))}
    place = {layout.equations[i].response: e for e, i in enumerate(members)}

    def add(where: dict[Any, Any], key: Any, value: Any) -> None:
        where[key] = where[key] + value if key in where else value

    def expand(e: int, multiplier: Any, n: int, of: Monomial) -> None:
        """Add a latent mean, less its observed counterpart, times a multiplier on e's rows."""
        m = means[n]
        q = layout.equations[m.equation]
        em, cm = place[m.variable], made[place[m.variable]]
        index = m.code[layout.equations[members[e]].rows]
        known: Any = cm.center[:, None]
        for k in range(len(q.columns)):
            fixed = k in m.columns
            if k in cm.held:
                known = known + (cm.held[k][..., m.at][..., index] if fixed else 0.0)
            elif (em, k) in position:
                value = (
                    cm.conditioned[k][..., m.at][..., index] if fixed else -cm.conditioned_mean[k]
                )
                add(out.pieces, (e, (*of, position[em, k])), multiplier * value)
            else:
                value = cm.part(m.columns, m.at, k)
                value = value[..., index] if value.shape[-1] > 1 else value
                add(out.coefficients, (e, (em, k), of), multiplier * value)
        for b, k in m.effects:
            z = group_column(layout, q, layout.blocks[b].members[k].column, stack)
            here = multiplier * z[..., m.at][..., index]
            row = bases[b][k] if b in bases else None
            if row is None:
                add(out.effects, (e, b, k, of), here)
            else:
                for j in row.nonzero()[0]:
                    add(out.effects, (e, b, int(j), of), here * row[j])
        observed = unit_means(layout, layout.derived[m.key], stack)
        known = known + (m.offset - observed)[..., index]
        add(out.pieces, (e, of), multiplier * known)
        for t, how in latent_terms(layout, q.response):
            if t.position is not None and t.position in m.columns:
                rest = how.sign * rest_values(layout, t, stack)
                more = multiplier * rest[..., m.at][..., index]
                expand(e, more, how.mean, (*of, position[em, t.position]))

    for e, i in enumerate(members):
        q = layout.equations[i]
        for t, how in latent_terms(layout, q.response):
            if t.position is None:
                continue
            of = (position[e, t.position],)
            expand(e, how.sign * rest_values(layout, t, stack), how.mean, of)
        for (eq, k), p in position.items():
            if eq == e:
                add(out.pieces, (e, (p,)), made[e].conditioned[k])
    return out


def copies(layout: Layout, members: Sequence[int], found: Gathered) -> Copies:
    """The keys of what was gathered."""
    return Copies(
        conditioned_columns(layout, members),
        tuple(found.effects),
        tuple(found.coefficients),
        tuple(found.pieces),
    )

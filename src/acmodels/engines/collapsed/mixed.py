"""A layout of Gaussian equations as linear mixed models: one for each set of linked equations.

Equations whose group effects or residuals correlate are linked and solved as one system; all
others are independent given the observed predictors, since the system is recursive and its
Jacobian is one. This module only arranges columns and priors; the arithmetic is in `kernels`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from acmodels.engines.collapsed.copies import (
    Copies,
    Gathered,
    conditioned_columns,
    copies,
    copies_move,
    gather,
)
from acmodels.engines.collapsed.kernels.arrays import Cross, Pools, Structure
from acmodels.engines.collapsed.kernels.products import cross_products, pool
from acmodels.engines.collapsed.pooling import NO_POOLS, find_pools
from acmodels.engines.collapsed.structure import (
    Grouping,
    SharedRows,
    arrange,
    groupings_of,
    structure_of,
)
from acmodels.priors import Prior, Priors, turned
from acmodels.system import EquationLayout, Layout, Responses
from acmodels.system.arrays import Array, Index
from acmodels.system.columns import design_matrix, group_column
from acmodels.system.terms import latent_means, latent_terms


@dataclass(frozen=True)
class Component:
    """Linked equations, as one linear mixed model.

    Attributes:
        equations: positions in the layout.
        blocks: positions in the layout of the group-effect blocks.
        chain: groupings that are eliminated level by level, each nested in the next.
        dense: the other groupings.
        coefficients: (place of the equation in the component, column) of each that is not
            conditioned on.
        copies: what of one equation stands in another again.
        rows: sets of rows with the equations that have them.
        structure: for the kernels.
        bases: by block, what its effects as written are in terms of those that are sampled (K, K);
            blocks where they are the same have none.
        pools: levels of the chain that are eliminated together; none if not pooled.
        fresh: for effects of the groupings and for coefficients, 1 where the column rests on a
            response.
        fixed: cross-products of the other columns, of one data set.
    """

    equations: tuple[int, ...]
    blocks: tuple[int, ...]
    chain: tuple[Grouping, ...]
    dense: tuple[Grouping, ...]
    coefficients: tuple[tuple[int, int], ...]
    copies: Copies
    rows: tuple[SharedRows, ...]
    structure: Structure
    bases: Mapping[int, Array] = field(default_factory=dict[int, Array])
    pools: Pools = NO_POOLS
    fresh: Index = field(default_factory=lambda: np.zeros(0, np.int64))
    fixed: Cross | None = None

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        """Chain and dense groupings, in the order of the factors of a point."""
        return (*self.chain, *self.dense)


@dataclass(frozen=True)
class Moments:
    """Cross-products of R data sets, and how coefficients come back to the data's scale.

    Attributes:
        cross: for the kernels.
        constant: what the log likelihood of each data set lacks at every point, shape (R,).
        scale: of each coefficient's column, (R, p): the raw coefficient is the internal one
            divided by it.
        means: of each column where its equation has an intercept, (R, p).
        shift: of each intercept, (R, p); zero elsewhere.
        sizes: root mean square of what multiplies each effect of each grouping, in order; not of
            copies.
        conditioned_means: of the column of each conditioned coefficient, where centered,
            (R, conditioned).
        turns: by place of the equation, what its coefficients as written are in terms of the
            internal ones (p, p), or None where they are the same but for scale and center.
    """

    cross: Cross
    constant: Array
    scale: Array
    means: Array
    shift: Array
    sizes: Array
    conditioned_means: Array
    turns: tuple[Array | None, ...]


def components(layout: Layout, priors: Priors) -> tuple[Component, ...]:
    """Split a layout, all of whose equations are gaussian, into independent linear mixed models."""
    found: list[Component] = []
    for members in _linked(layout):
        plain = _component(layout, priors, members)
        found.append(_pooled(_fixed(plain, layout, priors), layout, priors))
    return tuple(found)


def _linked(layout: Layout) -> list[tuple[int, ...]]:
    names = layout.responses
    links = [{names.index(m.response) for m in b.members} for b in layout.blocks]
    links += [set(s) for s in layout.residual]
    means = latent_means(layout)
    for i, e in enumerate(layout.equations):
        links += [{i, means[how.mean].equation} for _, how in latent_terms(layout, e.response)]
    sets: list[set[int]] = [{i} for i in range(len(names))]
    for link in links:
        touching = [s for s in sets if s & link]
        sets = [s for s in sets if not s & link] + [set[int]().union(*touching)]
    return sorted(tuple(sorted(s)) for s in sets)


def _component(layout: Layout, priors: Priors, members: tuple[int, ...]) -> Component:
    names = [layout.equations[i].response for i in members]
    blocks = tuple(b for b, block in enumerate(layout.blocks) if block.members[0].response in names)
    nothing = {e.response: np.zeros((1, e.n)) for e in layout.equations}
    conditioned = conditioned_columns(layout, members)
    made = _made(layout, priors, members, conditioned, nothing)
    bases = _bases(layout, priors, blocks)
    again = copies(layout, members, gather(layout, members, made, nothing, bases))
    chain, dense = arrange(groupings_of(layout, blocks, again))
    coefficients = tuple(
        (e, k)
        for e, i in enumerate(members)
        for k in range(len(layout.equations[i].columns))
        if (e, k) not in conditioned and k in made[e].place
    )
    of = {i: e for e, i in enumerate(members)}
    sets = [tuple(of[i] for i in s) for s in layout.residual if s[0] in of]
    alone = set(range(len(members))) - {e for s in sets for e in s}
    sets = sorted([*sets, *((e,) for e in alone)])
    structure, rows = structure_of(layout, members, (chain, dense), coefficients, again, sets)
    return Component(members, blocks, chain, dense, coefficients, again, rows, structure, bases)


def _bases(layout: Layout, priors: Priors, blocks: Sequence[int]) -> dict[int, Array]:
    found = {
        b: turned([layout.blocks[b].sd(m) for m in layout.blocks[b].members], priors)
        for b in blocks
    }
    return {b: basis for b, basis in found.items() if basis is not None}


def _made(
    layout: Layout,
    priors: Priors,
    members: Sequence[int],
    conditioned: Sequence[tuple[int, int]],
    stack: Mapping[str, Array],
) -> "list[_Columns]":
    """The columns of every equation of a component."""
    out: list[_Columns] = []
    for e, i in enumerate(members):
        q = layout.equations[i]
        out.append(_Columns(layout, q, stack, tuple(k for f, k in conditioned if f == e), priors))
    return out


def _pooled(component: Component, layout: Layout, priors: Priors) -> Component:
    """Find levels of one class, where summing their products beforehand saves work.

    Only where no multiplier of a chain's effect rests on a response.
    """
    effects = [x for g in component.chain for x in g.effects]
    if not effects or any(_moves(layout, component, b, k) for b, k in effects):
        return component
    if any(g.copies for g in component.chain) and copies_move(layout, component.equations):
        return component
    nothing = {e.response: np.zeros((1, e.n)) for e in layout.equations}
    made = _made(layout, priors, component.equations, component.copies.conditioned, nothing)
    found = gather(layout, component.equations, made, nothing, component.bases)
    f, cross = component.structure, _empty(replace(component, fixed=None), 1)
    groups = len(component.fresh) - len(f.copy) - len(component.coefficients)
    of_chain = np.zeros(len(component.fresh), np.int64)
    of_chain[: len(f.equation)] = 1
    columns: list[Array] = []
    for rows in component.rows:
        zc, zd, _ = _effect_columns(component, layout, nothing, rows, found)
        X = np.zeros((1, len(rows.level), len(component.fresh) - groups))
        Y = np.zeros((1, len(rows.level), len(f.piece)))
        cross_products(
            f, cross, rows.level, rows.dense_level, rows.slot, zc, zd, X, Y, of_chain,
            np.zeros(0, np.int64),
        )  # fmt: skip
        columns.append(zc[0])
    sets = [rows.equations for rows in component.rows]
    pools = find_pools(f, cross.chain[0], np.concatenate(columns), sets)
    return component if pools is None else replace(component, pools=pools)


def _moves(layout: Layout, component: Component, block: int, member: int) -> bool:
    """Return whether what multiplies a sampled effect rests on a response."""
    return any(
        v in layout.responses
        for k, _ in _written(component, block, member)
        for v in layout.blocks[block].members[k].column.variables
    )


def _written(component: Component, block: int, member: int) -> list[tuple[int, float]]:
    """The effects as written that a sampled effect is a part of, with its weight in each."""
    if block not in component.bases:
        return [(member, 1.0)]
    weights = component.bases[block][:, member]
    return [(k, float(w)) for k, w in enumerate(weights) if w != 0.0]


def _fixed(component: Component, layout: Layout, priors: Priors) -> Component:
    """Take the cross-products of columns that rest on no response, once."""
    es = [layout.equations[i] for i in component.equations]
    nothing = {e.response: np.zeros((1, e.n)) for e in layout.equations}
    fresh = [
        new
        for g in component.groupings
        for new in [
            *(_moves(layout, component, b, k) for b, k in g.effects),
            *(True for _ in g.copies),
        ]
    ]
    fresh += [True for _ in component.copies.coefficients]
    fresh += [k in es[e].endogenous for e, k in component.coefficients]
    cross = _empty(component, 1)
    made = _made(layout, priors, component.equations, component.copies.conditioned, nothing)
    found = gather(layout, component.equations, made, nothing, component.bases)
    every = np.ones(len(fresh), dtype=np.int64)
    still = ~np.array(fresh, dtype=bool)
    Kc = len(component.structure.equation)
    p = len(component.coefficients) + len(component.copies.coefficients)
    for rows in component.rows:
        zc, zd, _ = _effect_columns(component, layout, nothing, rows, found)
        X, Y = _fixed_columns(component, made, rows.equations, found, 1)
        zc, zd = zc * still[:Kc], zd * still[Kc : len(fresh) - p]
        X, Y = X * still[len(fresh) - p :], Y * 0.0
        cross_products(
            component.structure, cross, rows.level, rows.dense_level, rows.slot, zc, zd, X, Y,
            every, np.arange(p, dtype=np.int64),
        )  # fmt: skip
    return replace(component, fixed=cross, fresh=np.array(fresh, dtype=np.int64))


def _empty(component: Component, R: int) -> Cross:
    """Cross-products of R data sets: those of fixed columns, and zeros."""
    f = component.structure
    E, p, P = len(f.piece), len(component.coefficients), len(f.dense_equation)
    rows = int(f.row[-1])
    cells = int(np.sum(f.J * f.K * (f.effect[-1] - f.effect[:-1])))
    known = component.fixed

    def still(name: str, *shape: int) -> Array:
        if known is None:
            return np.zeros((R, *shape))
        return np.repeat(getattr(known, name), R, axis=0)

    return Cross(
        chain=still("chain", cells),
        chain_y=np.zeros((R, rows, E)),
        chain_sparse=still("chain_sparse", int(f.met[-1])),
        dense=still("dense", P, P),
        dense_y=np.zeros((R, P, E)),
        y=np.zeros((R, E, E)),
        pooled=np.zeros((R, int(component.pools.matrix[-1]), P + E, P + E)),
        pools=component.pools,
        prior=np.zeros((R, p, p)),
        prior_mean=np.zeros((R, p)),
        prior_square=np.zeros(R),
    )


def moments(
    component: Component, layout: Layout, priors: Priors, stack: Mapping[str, Array]
) -> Moments:
    """Take everything that is needed from R data sets.

    Args:
        component: whose.
        layout: of the model.
        priors: in force.
        stack: responses, each (R, n).
    """
    f = component.structure
    es = [layout.equations[i] for i in component.equations]
    R = next(iter(stack.values())).shape[0]
    made = _made(layout, priors, component.equations, component.copies.conditioned, stack)
    found = gather(layout, component.equations, made, stack, component.bases)
    scale = np.concatenate([np.broadcast_to(m.scale, (R, m.p)) for m in made], axis=1)
    means = np.concatenate([np.broadcast_to(m.means, (R, m.p)) for m in made], axis=1)
    shift = np.zeros(scale.shape)
    constant = np.zeros(R)
    first = 0
    for e, m in zip(es, made, strict=True):
        if e.intercept in m.place:
            shift[:, first] = m.center
        first += m.p
        constant -= 0.5 * e.counted * np.log(2 * np.pi)
        if e.se is not None:
            constant -= np.sum(np.log(e.se))
    prior = _prior(es, made, priors, R)
    if scale.shape[1]:
        constant += 0.5 * np.linalg.slogdet(prior[0])[1]
    cross = _empty(component, R)._replace(
        prior=prior[0], prior_mean=prior[1], prior_square=prior[2]
    )
    sizes = np.zeros((R, sum(len(g.effects) for g in component.groupings)))
    p = scale.shape[1] + len(component.copies.coefficients)
    groups = len(component.fresh) - p
    fresh = component.fresh
    visit = np.arange(p) if fresh[:groups].any() else np.flatnonzero(fresh[groups:])
    for rows in component.rows:
        zc, zd, here = _effect_columns(component, layout, stack, rows, found)
        sizes += here
        X, Y = _fixed_columns(component, made, rows.equations, found, R)
        cross_products(
            f, cross, rows.level, rows.dense_level, rows.slot, zc, zd, X, Y, fresh, visit
        )
        Xt = np.swapaxes(X, 1, 2)
        own = cross.dense.shape[1] - p
        cross.dense[:, own:, own:] += Xt @ X
        cross.dense_y[:, own:] += Xt @ Y
        cross.y[:] += np.swapaxes(Y, 1, 2) @ Y
    if cross.pooled.shape[1]:
        pool(f, cross)
    conditioned_means = [
        np.broadcast_to(made[e].conditioned_mean[k][:, 0], R)
        for e, k in component.copies.conditioned
    ]
    conditioned = np.stack(conditioned_means, 1) if conditioned_means else np.zeros((R, 0))
    turns = tuple(m.turn for m in made)
    return Moments(cross, constant, scale, means, shift, sizes, conditioned, turns)


def rough(component: Component, layout: Layout, responses: Responses) -> tuple[Array, Array]:
    """Least squares, equation by equation: residual sds (E,), conditioned coefficients (C, 2).

    Of a conditioned coefficient, the estimate and the residual sd over its column's spread.
    """
    sds: list[float] = []
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for e, i in enumerate(component.equations):
        q = layout.equations[i]
        X, y = design_matrix(layout, q, responses), responses[q.response] - q.offset
        beta = np.linalg.lstsq(X, y, rcond=None)[0] if X.shape[1] else np.zeros(0)
        left = float(np.sqrt(np.mean((y - X @ beta) ** 2)))
        total = float(np.std(y)) or float(np.sqrt(np.mean(y**2)))
        sds.append(max(left, 1e-3 * total) or 1.0)
        for k in range(X.shape[1]):
            spread = float(np.std(X[:, k])) or 1.0
            found[e, k] = float(beta[k]), sds[-1] / spread
    conditioned = np.array([found[c] for c in component.copies.conditioned]).reshape(-1, 2)
    return np.array(sds), conditioned


class _Columns:
    """Columns and response of one equation, centered, scaled, and weighted by known errors.

    Attributes:
        p, place: number of columns that are neither conditioned nor held, and where each stands.
        held: columns whose coefficient is held, times its value, each (R or 1, n).
        turn: what the coefficients as written are in terms of those of the columns here, but for
            scale and center, (p, p), or None where they are the same.
        X, y: weighted, (R or 1, n, p) and (R, n); `plain` is X unweighted.
        scale, means, ratio: of each column, (R or 1, p); `ratio` is their quotient.
        center: what was taken off y, (R,).
        conditioned, conditioned_mean: of each conditioned column, centered, (R or 1, n) and
            (R or 1, 1).
    """

    def __init__(
        self,
        layout: Layout,
        e: EquationLayout,
        stack: Mapping[str, Array],
        conditioned: tuple[int, ...],
        priors: Priors,
    ) -> None:
        X = design_matrix(layout, e, stack)
        y = stack[e.response] - e.offset
        X = X if X.ndim == 3 else X[None]
        values = [priors[n].held if n in priors else None for n in map(e.coefficient, e.columns)]
        self.held = {k: v * X[:, :, k] for k, v in enumerate(values) if v is not None}
        for known in self.held.values():
            y = y - known
        kept = [k for k in range(X.shape[2]) if k not in conditioned and k not in self.held]
        centered = e.intercept in kept
        self.place = {k: i for i, k in enumerate(kept)}
        self.conditioned_mean = _conditioned_means(e, conditioned, priors)
        self.conditioned = {k: X[:, :, k] - self.conditioned_mean[k] for k in conditioned}
        X = X[:, :, kept]
        self.turn = turned([e.coefficient(e.columns[k]) for k in kept], _slopes(e, priors))
        self._written = X
        if self.turn is not None:
            X = X @ self.turn
        self.p = len(kept)
        self.center = np.zeros(len(y))
        self.means = np.zeros((X.shape[0], self.p))
        if centered:
            self.center = y.mean(axis=1)
            y = y - self.center[:, None]
            self.means = X.mean(axis=1)
            self.means[:, 0] = 0.0
            X = X - self.means[:, None, :]
        self.scale = np.sqrt(np.mean(X**2, axis=1))
        self.scale = np.where(self.scale > 0, self.scale, 1.0)
        self.ratio = self.means / self.scale
        self.plain = self.X = X / self.scale[:, None, :]
        self.y = y
        self.se = e.row_sd
        if self.se is not None:
            self.X, self.y = self.X / self.se[:, None], y / self.se

    def part(self, columns: Sequence[int], at: Index, k: int) -> Array:
        """Say what an internal coefficient multiplies in the sum of some columns as written, alone.

        Args:
            columns: positions of those columns in the design; the intercept is always in.
            at: the rows, (m,).
            k: position in the design of the column that the coefficient belongs to.

        Returns:
            (R or 1, m), or (R or 1, 1) where it is the same on every row: the internal
            coefficient then enters through the intercept only.
        """
        c = self.place[k]
        if self.turn is None:
            return self.plain[..., at, c] if k in columns else -self.ratio[:, [c]]
        some = [self.place[j] for j in columns if j in self.place]
        here = self._written[:, at][..., some] @ self.turn[some, c]
        return here / self.scale[:, [c]] - self.ratio[:, [c]]


def _slopes(e: EquationLayout, priors: Priors) -> dict[str, Prior]:
    """Priors of an equation's coefficients but the intercept's."""
    return {
        name: priors[name]
        for k, c in enumerate(e.columns)
        for name in [e.coefficient(c)]
        if k != e.intercept and name in priors
    }


def _conditioned_means(
    e: EquationLayout, conditioned: Sequence[int], priors: Priors
) -> dict[int, Array]:
    """Say where the intercept's prior has the conditioned columns, so as not to hang on those."""
    on: dict[str, float] = {}
    if e.intercept is not None:
        on = dict(priors[e.coefficient(e.columns[0])].on)
    return {k: np.full((1, 1), on.get(e.coefficient(e.columns[k]), 0.0)) for k in conditioned}


def _prior(
    es: Sequence[EquationLayout], made: Sequence[_Columns], priors: Priors, R: int
) -> tuple[Array, Array, Array]:
    """Precision, precision times mean, and the mean's square, of the internal coefficients."""
    p = sum(m.p for m in made)
    precision, linear, square = np.zeros((R, p, p)), np.zeros((R, p)), np.zeros(R)
    first = 0
    for e, m in zip(es, made, strict=True):
        own = slice(first, first + m.p)
        first += m.p
        for k, c in enumerate(e.columns):
            if k not in m.place:
                continue
            prior = priors[e.coefficient(c)]
            v = np.zeros((R, m.p))
            mean = np.full(R, prior.distribution.location - prior.constant)
            if k == e.intercept:
                v += _at_means(e, m, prior)
                mean = mean - m.center
            else:
                v[:, m.place[k]] = 1.0 / m.scale[:, m.place[k]]
            weight = prior.distribution.scale**-2.0
            precision[:, own, own] += weight * v[:, :, None] * v[:, None, :]
            linear[:, own] += weight * v * mean[:, None]
            square += weight * mean**2
    return precision, linear, square


def _at_means(e: EquationLayout, made: "_Columns", prior: Prior) -> Array:
    """Return what the internal coefficients add to what an intercept's prior is on, (R or 1, p)."""
    on = dict(prior.on)
    weights = np.zeros(made.p)
    for k, place in made.place.items():
        weights[place] = on.get(e.coefficient(e.columns[k]), 0.0) if k != e.intercept else 0.0
    if made.turn is not None:
        weights = weights @ made.turn
    v = weights / made.scale - made.ratio
    v[:, 0] = 1.0 / made.scale[:, 0]
    return v


def _effect_columns(
    component: Component,
    layout: Layout,
    stack: Mapping[str, Array],
    rows: SharedRows,
    found: Gathered,
) -> tuple[Array, Array, Array]:
    """Find what multiplies effects of chain and dense groupings on a set of rows; their sizes."""
    n = len(rows.level)
    here = {layout.equations[component.equations[e]].response: e for e in rows.equations}
    again = list(found.effects.values())
    out: list[Array] = []
    sizes: list[Array] = []
    for groupings in (component.chain, component.dense):
        columns: list[Array] = []
        for g in groupings:
            for b, k in g.effects:
                m = layout.blocks[b].members[k]
                z = np.zeros((1, n))
                if m.response in here:
                    e = layout.equation(m.response)
                    z = np.atleast_2d(_multiplier(layout, component, e, (b, k), stack))
                    sizes.append(np.sqrt(np.mean(z**2, axis=1)))
                    if e.row_sd is not None:
                        z = z / e.row_sd
                else:
                    sizes.append(np.zeros(1))
                columns.append(z)
            for i in g.copies:
                e = component.copies.effects[i][0]
                q = layout.equations[component.equations[e]]
                none = np.zeros((1, n))
                columns.append(_wide(again[i], q.row_sd, n) if e in rows.equations else none)
        most = max([1, *(len(z) for z in columns)])
        wide = [np.broadcast_to(z, (most, n)) for z in columns]
        out.append(np.ascontiguousarray(np.stack(wide, axis=2)) if wide else np.zeros((1, n, 0)))
    R = next(iter(stack.values())).shape[0]
    size = np.stack([np.broadcast_to(s, R) for s in sizes], 1) if sizes else np.zeros((R, 0))
    return out[0], out[1], size


def _multiplier(
    layout: Layout,
    component: Component,
    e: EquationLayout,
    effect: tuple[int, int],
    stack: Mapping[str, Array],
) -> Array:
    """Return what multiplies a sampled effect on an equation's rows, (..., n)."""
    members = layout.blocks[effect[0]].members
    parts = [
        weight * group_column(layout, e, members[k].column, stack)
        for k, weight in _written(component, *effect)
    ]
    return sum(parts[1:], parts[0])


def _wide(values: Array, se: Array | None, n: int) -> Array:
    """Values on rows as (R or 1, n), weighted by known errors where there are any."""
    wide = np.atleast_2d(np.broadcast_to(values, (*np.shape(values)[:-1], n)))
    return wide if se is None else wide / se


def _fixed_columns(
    component: Component,
    made: Sequence[_Columns],
    equations: tuple[int, ...],
    found: Gathered,
    R: int,
) -> tuple[Array, Array]:
    """Copied and own coefficients' columns, and pieces of responses, of a set of rows.

    Zero for equations that are not in the set.
    """
    n = made[equations[0]].y.shape[1]
    again = [
        _wide(v, made[e].se, n) if e in equations else np.zeros((1, n))
        for (e, _, _), v in found.coefficients.items()
    ]
    most = max([*(made[e].X.shape[0] for e in equations), *(len(v) for v in again)])
    X = np.zeros((most, n, len(again) + sum(m.p for m in made)))
    Y = np.zeros((R, n, len(component.structure.piece)))
    for i, v in enumerate(again):
        X[:, :, i] = v
    first = len(again)
    for e, m in enumerate(made):
        if e in equations:
            X[:, :, first : first + m.p] = m.X
            Y[:, :, e] = m.y
        first += m.p
    for i, ((e, _), v) in enumerate(found.pieces.items()):
        if e in equations:
            Y[:, :, len(made) + i] = _wide(v, made[e].se, n)
    return X, Y


def raw_coefficients(
    made: Moments,
    component: Component,
    internal: Array,
    conditioned: Array,
    which: np.ndarray,
    columns: Sequence[int],
) -> Array:
    """Coefficients on the data's scale, (R, S, columns).

    Args:
        made: of all data sets.
        component: whose.
        internal: of the data sets listed, (R, S, p).
        conditioned: their conditioned coefficients, (R, S, conditioned).
        which: the data sets, (R,).
        columns: the coefficients to return.
    """
    scaled = internal / made.scale[which][:, None, :]
    equation = np.array([q for q, _ in component.coefficients], dtype=np.int64)
    out = scaled[:, :, columns]
    for i, k in enumerate(columns):
        q = int(equation[k])
        own = np.flatnonzero(equation == q)
        # an intercept stands first, with scale 1; equations without one have means of 0
        if k == own[0]:
            out[:, :, i] += made.shift[which, None, k]
            means = made.means[which][:, own[1:]]
            out[:, :, i] -= np.einsum("rsk,rk->rs", scaled[:, :, own[1:]], means)
            for j, (conditioned_in, _) in enumerate(component.copies.conditioned):
                if conditioned_in == q:
                    out[:, :, i] -= conditioned[:, :, j] * made.conditioned_means[which, None, j]
        turn = made.turns[q]
        if turn is not None:
            row = turn[k - own[0]]
            mixed = np.flatnonzero(row)
            if list(mixed) != [k - own[0]]:
                out[:, :, i] = scaled[:, :, own[mixed]] @ row[mixed]
    return out

"""A layout of Gaussian equations as linear mixed models: one for each set of linked equations.

Equations whose group effects or residuals correlate are linked and solved as one system; all
others are independent given the observed predictors, since the system is recursive and its
Jacobian is one. This module only arranges columns and priors; the arithmetic is in `_kernels`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from acmodels.engines._kernels import Cross, Structure, cross_products, pool
from acmodels.priors import Priors
from acmodels.system import EquationLayout, Layout, Responses
from acmodels.system.columns import design_matrix, group_column
from acmodels.system.layout import Array, Index


@dataclass(frozen=True)
class Grouping:
    """The effects of one grouping.

    Attributes:
        code: the level of each data row, shape (N,).
        levels: number of levels, J.
        effects: (block, member) of each of the K effects, block by block.
    """

    code: Index
    levels: int
    effects: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Rows:
    """Rows that some equations of a component share, by level and by place in the cross-products.

    Attributes:
        equations: which of the component's equations, by place in it.
        level, dense_level, slot: as `cross_products` takes them.
    """

    equations: tuple[int, ...]
    level: Index
    dense_level: Index
    slot: Index


@dataclass(frozen=True)
class Component:
    """Linked equations, as one linear mixed model.

    Attributes:
        equations: positions in the layout.
        blocks: positions in the layout of the group-effect blocks.
        chain: groupings that are eliminated level by level, each nested in the next.
        dense: the other groupings.
        coefficients: (place of the equation in the component, column) of each.
        rows: sets of rows with the equations that have them.
        structure: for the kernels.
        design: for each level of the first grouping, which design it has; empty if not pooled.
        fresh: for effects of the groupings and for coefficients, 1 where the column rests on a
            response.
        fixed: cross-products of the other columns, of one data set.
    """

    equations: tuple[int, ...]
    blocks: tuple[int, ...]
    chain: tuple[Grouping, ...]
    dense: tuple[Grouping, ...]
    coefficients: tuple[tuple[int, int], ...]
    rows: tuple[Rows, ...]
    structure: Structure
    design: Index = field(default_factory=lambda: np.zeros(0, np.int64))
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
        sizes: root mean square of what multiplies each effect of each grouping, in order.
    """

    cross: Cross
    constant: Array
    scale: Array
    means: Array
    shift: Array
    sizes: Array


def components(layout: Layout) -> tuple[Component, ...]:
    """Split a layout, all of whose equations are gaussian, into independent linear mixed models."""
    found: list[Component] = []
    for members in _linked(layout):
        plain = _component(layout, members)
        found.append(_pooled(_fixed(plain, layout), layout))
    return tuple(found)


def _linked(layout: Layout) -> list[tuple[int, ...]]:
    names = layout.responses
    links = [{names.index(m.response) for m in b.members} for b in layout.blocks]
    links += [set(s) for s in layout.residual]
    sets: list[set[int]] = [{i} for i in range(len(names))]
    for link in links:
        touching = [s for s in sets if s & link]
        sets = [s for s in sets if not s & link] + [set[int]().union(*touching)]
    return sorted(tuple(sorted(s)) for s in sets)


def _component(layout: Layout, members: tuple[int, ...]) -> Component:
    names = [layout.equations[i].response for i in members]
    blocks = tuple(b for b, block in enumerate(layout.blocks) if block.members[0].response in names)
    chain, dense = _arrange(_groupings(layout, blocks))
    coefficients = tuple(
        (e, k) for e, i in enumerate(members) for k in range(len(layout.equations[i].columns))
    )
    of = {i: e for e, i in enumerate(members)}
    sets = [tuple(of[i] for i in s) for s in layout.residual if s[0] in of]
    alone = set(range(len(members))) - {e for s in sets for e in s}
    sets = sorted([*sets, *((e,) for e in alone)])
    structure, rows = _structure(layout, members, chain, dense, coefficients, sets)
    return Component(members, blocks, chain, dense, coefficients, rows, structure)


def _groupings(layout: Layout, blocks: Sequence[int]) -> list[Grouping]:
    """Blocks of one grouping together, the grouping with most effects first."""
    found: dict[tuple[str, ...], list[int]] = {}
    for b in blocks:
        found.setdefault(layout.blocks[b].columns, []).append(b)
    out = [
        Grouping(
            layout.blocks[bs[0]].code,
            len(layout.blocks[bs[0]].levels),
            tuple((b, k) for b in bs for k in range(len(layout.blocks[b].members))),
        )
        for bs in found.values()
    ]
    return sorted(out, key=lambda g: -g.levels * len(g.effects))


def _arrange(groupings: list[Grouping]) -> tuple[tuple[Grouping, ...], tuple[Grouping, ...]]:
    """The longest chain of nested groupings from the largest up, and the rest."""
    if not groupings:
        return (), ()
    chain = [groupings[0]]
    dense: list[Grouping] = []
    for g in groupings[1:]:
        (chain if _nested(chain[-1], g) else dense).append(g)
    return tuple(chain), tuple(dense)


def _nested(inner: Grouping, outer: Grouping) -> bool:
    pairs = np.unique(inner.code * np.int64(outer.levels) + outer.code)
    return len(pairs) == inner.levels


def _structure(
    layout: Layout,
    members: tuple[int, ...],
    chain: tuple[Grouping, ...],
    dense: tuple[Grouping, ...],
    coefficients: tuple[tuple[int, int], ...],
    sets: Sequence[tuple[int, ...]],
) -> tuple[Structure, tuple[Rows, ...]]:
    of = {layout.equations[i].response: e for e, i in enumerate(members)}

    def equation(effect: tuple[int, int]) -> int:
        return of[layout.blocks[effect[0]].members[effect[1]].response]

    K = np.array([len(g.effects) for g in chain], dtype=np.int64)
    J = np.array([g.levels for g in chain], dtype=np.int64)
    effect, row = _starts(K), _starts(J * K)
    cell = _starts(J * K * (effect[-1] - effect[:-1]))[:-1]
    parent = np.zeros((len(chain), max([1, *J])), dtype=np.int64)
    for s in range(len(chain) - 1):
        parent[s, chain[s].code] = chain[s + 1].code
    dK = np.array([len(g.effects) for g in dense], dtype=np.int64)
    dJ = np.array([g.levels for g in dense], dtype=np.int64)
    first = _starts(dJ * dK)
    dense_equation = [equation(e) for g in dense for e in g.effects * g.levels]
    dense_equation += [e for e, _ in coefficients]
    start, column, rows = _sparse(layout, members, chain, dense, first, len(coefficients), sets)
    factor = _starts(np.concatenate([K, dK]) ** 2)
    chain_equation = [equation(e) for g in chain for e in g.effects]
    structure = Structure(
        K, J, row, effect, cell, np.array(chain_equation, np.int64), parent, start, column,
        np.array(dense_equation, np.int64), dK, dJ, first, factor,
    )  # fmt: skip
    return structure, rows


def _starts(sizes: Index) -> Index:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _sparse(
    layout: Layout,
    members: tuple[int, ...],
    chain: tuple[Grouping, ...],
    dense: tuple[Grouping, ...],
    first: Index,
    p: int,
    sets: Sequence[tuple[int, ...]],
) -> tuple[Index, Index, tuple[Rows, ...]]:
    """Which dense columns each level of the first grouping meets, and where rows fall in them."""
    P = int(first[-1]) + p
    at: list[tuple[Index, Index, Index]] = []
    for s in sets:
        rows = layout.equations[members[s[0]]].rows
        level = np.stack([g.code[rows] for g in chain], 1) if chain else np.zeros((len(rows), 0))
        where = np.stack([g.code[rows] for g in dense], 1) if dense else np.zeros((len(rows), 0))
        level, where = level.astype(np.int64), where.astype(np.int64)
        size = np.array([len(g.effects) for g in dense], dtype=np.int64)
        at.append((level, where, first[:-1] + where * size))
    if not chain:
        return (
            np.zeros(1, np.int64),
            np.zeros(0, np.int64),
            tuple(
                Rows(s, lv, w, np.zeros((len(lv), len(dense) + 1), np.int64))
                for s, (lv, w, _) in zip(sets, at, strict=True)
            ),
        )
    J = chain[0].levels
    keys: list[Index] = [np.arange(J, dtype=np.int64) * P + (P - p) + k for k in range(p)]
    for level, _, column in at:
        keys += [
            level[:, 0] * P + column[:, g] + k
            for g in range(len(dense))
            for k in range(len(dense[g].effects))
        ]
    known = np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.int64)
    start = np.searchsorted(known, np.arange(J + 1, dtype=np.int64) * P).astype(np.int64)
    rows_out: list[Rows] = []
    for s, (level, where, column) in zip(sets, at, strict=True):
        slot = np.searchsorted(known, level[:, :1] * P + column)
        last = np.searchsorted(known, level[:, :1] * P + P - p)
        slots = np.ascontiguousarray(np.concatenate([slot, last], axis=1), dtype=np.int64)
        rows_out.append(Rows(s, level, where, slots))
    return start, (known % P).astype(np.int64), tuple(rows_out)


def _pooled(component: Component, layout: Layout) -> Component:
    """Find levels of one design, where summing their products beforehand saves work.

    Only for one equation with one eliminated grouping whose design rests on no response.
    """
    f = component.structure
    if len(component.equations) != 1 or len(f.K) != 1:
        return component
    if any(_moves(layout, b, k) for b, k in component.chain[0].effects):
        return component
    own = component.fixed.chain[0].reshape(int(f.J[0]), -1)
    _, design = np.unique(own, axis=0, return_inverse=True)
    K, P = int(f.K[0]), len(f.dense_equation)
    met = np.diff(f.start) + 1
    if (design.max() + 1) * K**2 * (P + 1) ** 2 >= K * np.sum(met**2):
        return component
    return replace(component, design=design.reshape(-1).astype(np.int64))


def _moves(layout: Layout, block: int, member: int) -> bool:
    column = layout.blocks[block].members[member].column
    return any(v in layout.responses for v in column.variables)


def _fixed(component: Component, layout: Layout) -> Component:
    """Take the cross-products of columns that rest on no response, once."""
    es = [layout.equations[i] for i in component.equations]
    nothing = {e.response: np.zeros((1, e.n)) for e in layout.equations}
    effects = [x for g in component.groupings for x in g.effects]
    fresh = [_moves(layout, b, k) for b, k in effects]
    fresh += [k in es[e].moving for e, k in component.coefficients]
    cross = _empty(component, 1)
    made = [_Columns(layout, e, nothing) for e in es]
    every = np.ones(len(fresh), dtype=np.int64)
    all_of = np.arange(len(component.coefficients), dtype=np.int64)
    still = ~np.array(fresh, dtype=bool)
    Kc, p = len(component.structure.equation), len(component.coefficients)
    for rows in component.rows:
        zc, zd, _ = _effect_columns(component, layout, nothing, rows)
        X, Y = _fixed_columns(made, rows.equations, 1)
        zc, zd = zc * still[:Kc], zd * still[Kc : len(fresh) - p]
        X = X * still[len(fresh) - p :]
        cross_products(
            component.structure, cross, rows.level, rows.dense_level, rows.slot, zc, zd, X, Y,
            every, all_of,
        )  # fmt: skip
    return replace(component, fixed=cross, fresh=np.array(fresh, dtype=np.int64))


def _empty(component: Component, R: int) -> Cross:
    """Cross-products of R data sets: those of fixed columns, and zeros."""
    f = component.structure
    E, p, P = len(component.equations), len(component.coefficients), len(f.dense_equation)
    K0 = int(f.K[0]) if len(f.K) else 0
    rows = int(f.row[-1])
    later = rows - int(f.row[1]) if len(f.K) else 0
    cells = int(np.sum(f.J * f.K * (f.effect[-1] - f.effect[:-1])))
    design = component.design
    U = 0 if not len(design) else int(design.max()) + 1
    known = component.fixed

    def still(name: str, *shape: int) -> Array:
        if known is None:
            return np.zeros((R, *shape))
        return np.repeat(getattr(known, name), R, axis=0)

    return Cross(
        chain=still("chain", cells),
        chain_y=np.zeros((R, rows, E)),
        chain_sparse=still("chain_sparse", len(f.column), K0),
        chain_dense=still("chain_dense", later, P),
        dense=still("dense", P, P),
        dense_y=np.zeros((R, P, E)),
        y=np.zeros((R, E, E)),
        pooled=np.zeros((R, U * K0 * K0, P + 1, P + 1)),
        representative=np.array([np.argmax(design == u) for u in range(U)], np.int64),
        count=np.bincount(design, minlength=U).astype(np.float64)[:U],
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
    made = [_Columns(layout, e, stack) for e in es]
    scale = np.concatenate([np.broadcast_to(m.scale, (R, m.p)) for m in made], axis=1)
    means = np.concatenate([np.broadcast_to(m.means, (R, m.p)) for m in made], axis=1)
    shift = np.zeros(scale.shape)
    constant = np.zeros(R)
    first = 0
    for e, m in zip(es, made, strict=True):
        if e.intercept is not None:
            shift[:, first] = m.center
        first += m.p
        constant -= 0.5 * e.n * np.log(2 * np.pi)
        if e.se is not None:
            constant -= np.sum(np.log(e.se))
    prior = _prior(es, made, priors, R)
    if scale.shape[1]:
        constant += 0.5 * np.linalg.slogdet(prior[0])[1]
    cross = _empty(component, R)._replace(
        prior=prior[0], prior_mean=prior[1], prior_square=prior[2]
    )
    sizes = np.zeros((R, sum(len(g.effects) for g in component.groupings)))
    p = scale.shape[1]
    groups = len(component.fresh) - p
    fresh = component.fresh
    visit = np.arange(p) if fresh[:groups].any() else np.flatnonzero(fresh[groups:])
    for rows in component.rows:
        zc, zd, here = _effect_columns(component, layout, stack, rows)
        sizes += here
        X, Y = _fixed_columns(made, rows.equations, R)
        cross_products(
            f, cross, rows.level, rows.dense_level, rows.slot, zc, zd, X, Y, fresh, visit
        )
        Xt = np.swapaxes(X, 1, 2)
        own = cross.dense.shape[1] - p
        cross.dense[:, own:, own:] += Xt @ X
        cross.dense_y[:, own:] += Xt @ Y
        cross.y[:] += np.swapaxes(Y, 1, 2) @ Y
    if cross.pooled.shape[1]:
        pool(f, cross, component.design)
    return Moments(cross, constant, scale, means, shift, sizes)


def spreads(component: Component, layout: Layout, responses: Responses) -> Array:
    """Residual sd of each equation of a component on its own columns, (E,)."""
    stack = {k: v[None] for k, v in responses.items()}
    es = [layout.equations[i] for i in component.equations]
    return np.array([_residual_sd(_Columns(layout, e, stack)) for e in es])


class _Columns:
    """Columns and response of one equation, centred, scaled, and weighted by known errors."""

    def __init__(self, layout: Layout, e: EquationLayout, stack: Mapping[str, Array]) -> None:
        X = design_matrix(layout, e, stack)
        y = stack[e.response] - e.offset
        X = X if X.ndim == 3 else X[None]
        self.p = X.shape[2]
        self.center = np.zeros(len(y))
        self.means = np.zeros((X.shape[0], self.p))
        if e.intercept is not None:
            self.center = y.mean(axis=1)
            y = y - self.center[:, None]
            self.means = X.mean(axis=1)
            self.means[:, 0] = 0.0
            X = X - self.means[:, None, :]
        self.scale = np.sqrt(np.mean(X**2, axis=1))
        self.scale = np.where(self.scale > 0, self.scale, 1.0)
        X = X / self.scale[:, None, :]
        if e.se is not None:
            X, y = X / e.se[:, None], y / e.se
        self.X, self.y = X, y
        self.offset = float(e.offset.mean())


def _residual_sd(made: _Columns) -> float:
    """Root mean squared residual of least squares."""
    X, y = made.X[0], made.y[0]
    fit = X @ np.linalg.lstsq(X, y, rcond=None)[0] if made.p else 0.0
    total = np.sqrt(np.mean(y**2))
    return float(max(np.sqrt(np.mean((y - fit) ** 2)), 1e-3 * total)) or 1.0


def _prior(
    es: Sequence[EquationLayout], made: Sequence[_Columns], priors: Priors, R: int
) -> tuple[Array, Array, Array]:
    """Precision, precision times mean, and the mean's square, of the internal coefficients."""
    p = sum(len(e.columns) for e in es)
    precision, linear, square = np.zeros((R, p, p)), np.zeros((R, p)), np.zeros(R)
    first = 0
    for e, m in zip(es, made, strict=True):
        own = slice(first, first + len(e.columns))
        first += len(e.columns)
        for k, c in enumerate(e.columns):
            prior = priors[e.coefficient(c)]
            v = np.zeros((R, len(e.columns)))
            mean = np.full(R, prior.distribution.location)
            if k == e.intercept:
                v[:, 0] = 1.0 / m.scale[:, 0]
                mean = mean - m.center
                if prior.centered:
                    mean = mean - m.offset
                else:
                    v[:, 1:] = -m.means[:, 1:] / m.scale[:, 1:]
            else:
                v[:, k] = 1.0 / m.scale[:, k]
            weight = prior.distribution.scale**-2.0
            precision[:, own, own] += weight * v[:, :, None] * v[:, None, :]
            linear[:, own] += weight * v * mean[:, None]
            square += weight * mean**2
    return precision, linear, square


def _effect_columns(
    component: Component, layout: Layout, stack: Mapping[str, Array], rows: Rows
) -> tuple[Array, Array, Array]:
    """What multiplies the effects of chain and dense groupings on a set of rows; their sizes."""
    n = len(rows.level)
    here = {layout.equations[component.equations[e]].response: e for e in rows.equations}
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
                    z = np.atleast_2d(group_column(layout, e, m.column, stack))
                    sizes.append(np.sqrt(np.mean(z**2, axis=1)))
                    if e.se is not None:
                        z = z / e.se
                else:
                    sizes.append(np.zeros(1))
                columns.append(z)
        most = max([1, *(len(z) for z in columns)])
        wide = [np.broadcast_to(z, (most, n)) for z in columns]
        out.append(np.ascontiguousarray(np.stack(wide, axis=2)) if wide else np.zeros((1, n, 0)))
    R = next(iter(stack.values())).shape[0]
    size = np.stack([np.broadcast_to(s, R) for s in sizes], 1) if sizes else np.zeros((R, 0))
    return out[0], out[1], size


def _fixed_columns(
    made: Sequence[_Columns], equations: tuple[int, ...], R: int
) -> tuple[Array, Array]:
    """Coefficients' columns and responses of a set of rows, zero for equations not in it."""
    n = made[equations[0]].y.shape[1]
    most = max(made[e].X.shape[0] for e in equations)
    X = np.zeros((most, n, sum(m.p for m in made)))
    Y = np.zeros((R, n, len(made)))
    first = 0
    for e, m in enumerate(made):
        if e in equations:
            X[:, :, first : first + m.p] = m.X
            Y[:, :, e] = m.y
        first += m.p
    return X, Y


def raw_coefficients(
    made: Moments, component: Component, internal: Array, which: np.ndarray
) -> Array:
    """Coefficients on the data's scale.

    Args:
        made: of all data sets.
        component: whose.
        internal: of the data sets listed, (R, S, p).
        which: the data sets, (R,).
    """
    out = internal / made.scale[which, None, :]
    for e in range(len(component.equations)):
        own = [i for i, (q, _) in enumerate(component.coefficients) if q == e]
        if not own:
            continue
        # an intercept stands first, with scale 1; equations without one have means of 0
        out[:, :, own[0]] += made.shift[which, None, own[0]]
        out[:, :, own[0]] -= np.einsum(
            "rsk,rk->rs", out[:, :, own[1:]], made.means[which][:, own[1:]]
        )
    return out

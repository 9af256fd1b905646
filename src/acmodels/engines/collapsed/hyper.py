"""Coordinates of what is left when coefficients and group effects are integrated out.

Standard deviations are sampled as x with sd = |x|: the posterior, seen as a function of x on the
whole line, is smooth and even at zero, where the logarithm has a long tail. Correlations are
sampled as inverse hyperbolic tangents of partial correlations, which under an LKJ prior are
independent Beta variables (Lewandowski, Kurowicka & Joe, 2009). Turning the sign of x turns the
signs of that effect's partial correlations and changes nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from acmodels.engines.collapsed.matrices import Matrix, cholesky, signs_of
from acmodels.engines.collapsed.mixed import Component
from acmodels.engines.collapsed.ridges import Ridge, bent, ridges
from acmodels.engines.collapsed.structure import Grouping
from acmodels.priors import Priors, held_matrix
from acmodels.spec.distribution import Distribution, log_density
from acmodels.system import Layout
from acmodels.system.arrays import Array
from acmodels.system.layout import residual_pairs


@dataclass(frozen=True)
class Hyper:
    """Standard deviations and correlations of a component, as d real coordinates.

    Attributes:
        component: whose.
        units: what coordinates of standard deviations are multiples of, (d,); 1 for partials.
        priors: of each standard deviation, by coordinate.
        blocks: the matrix of each group-effect block, by position in the layout.
        sigmas: the coordinate of each equation's residual sd, by place in the component; equations
            with known standard errors have none.
        held: sds that are held at a value. They have no coordinate: -1 stands for the first of
            them, -2 for the second, and so on, wherever coordinates of sds are listed.
        sets: equations whose residuals correlate, with their matrix and number of rows.
        counts: rows of each equation that stands alone.
        conditioned: priors of coefficients that are coordinates too, by coordinate.
        names: of the structural parameters that `parameters` returns.
        ridges: coefficients of latent means that trade places with correlations.
    """

    component: Component
    units: Array
    priors: Mapping[int, Distribution]
    blocks: Mapping[int, Matrix]
    sigmas: Mapping[int, int]
    sets: tuple[tuple[tuple[int, ...], Matrix, int], ...]
    counts: Mapping[int, int]
    conditioned: Mapping[int, Distribution]
    names: tuple[str, ...]
    held: tuple[float, ...] = ()
    ridges: tuple[Ridge, ...] = ()

    @property
    def size(self) -> int:
        """Number of coordinates, d."""
        return len(self.units)

    def whole(self, x: Array) -> Array:
        """Coordinates in the units of the data, the sds that are held after them."""
        out = x * self.units
        if not self.held:
            return out
        held = np.broadcast_to(self.held[::-1], (*x.shape[:-1], len(self.held)))
        return np.concatenate([out, held], axis=-1)

    @cached_property
    def half_normal(self) -> tuple[list[int], Array, float]:
        """Coordinates of sds with half-normal priors, their widths, and minus the log constants."""
        some = {i: d for i, d in self.priors.items() if d.name == "HalfNormal"}
        width = np.array([d.scale / self.units[i] for i, d in some.items()])
        return list(some), width, len(some) * 0.5 * np.log(2 / np.pi) - float(np.sum(np.log(width)))

    @property
    def signed(self) -> tuple[int, ...]:
        """Coordinates of group sds, whose sign means nothing."""
        return tuple(i for m in self.blocks.values() for i in m.sds if i >= 0)


def hyper(
    component: Component, layout: Layout, priors: Priors, scale: Mapping[str, float]
) -> Hyper:
    """Lay out the coordinates of a component.

    Args:
        component: whose.
        layout: of the model.
        priors: in force.
        scale: a rough size of each sd, by parameter name.
    """
    units: list[float] = []
    found: dict[int, Distribution] = {}
    names: list[str] = []
    held: list[float] = []

    def sd(name: str) -> int:
        names.append(name)
        value = priors[name].held
        if value is not None:
            held.append(value)
            return -len(held)
        found[len(units)] = priors[name].distribution
        units.append(scale[name])
        return len(units) - 1

    def matrix(sds: tuple[int, ...], correlations: list[str]) -> Matrix:
        known = held_matrix(len(sds), priors, correlations)
        names.extend(correlations)
        if known is not None:
            return Matrix(sds, (), 1.0, known)
        first = len(units)
        units.extend([1.0] * len(correlations))
        eta = 1.0 if not correlations else priors[correlations[0]].distribution.parameters["eta"]
        return Matrix(sds, tuple(range(first, len(units))), eta)

    blocks: dict[int, Matrix] = {}
    for b in component.blocks:
        block = layout.blocks[b]
        sds = tuple(sd(block.sd(m)) for m in block.members)
        blocks[b] = matrix(sds, [n for _, _, n in block.correlations()])
    sigmas = {
        e: sd(layout.equations[i].sigma)
        for e, i in enumerate(component.equations)
        if layout.equations[i].has_sigma
    }
    sets: list[tuple[tuple[int, ...], Matrix, int]] = []
    for r, members in enumerate(layout.residual):
        if members[0] not in component.equations:
            continue
        here = tuple(component.equations.index(i) for i in members)
        own = tuple(sigmas[e] for e in here)
        made = matrix(own, [n for _, _, n in residual_pairs(layout, r)])
        sets.append((here, made, layout.equations[members[0]].n))
    linked = {e for s, _, _ in sets for e in s}
    counts = {
        e: layout.equations[i].counted
        for e, i in enumerate(component.equations)
        if e not in linked and e in sigmas
    }
    conditioned: dict[int, Distribution] = {}
    for e, k in component.copies.conditioned:
        q = layout.equations[component.equations[e]]
        name = q.coefficient(q.columns[k])
        names.append(name)
        conditioned[len(units)] = priors[name].distribution
        units.append(scale[name])
    return Hyper(
        component, np.array(units), found, blocks, sigmas, tuple(sets), counts, conditioned,
        tuple(names), tuple(held),
        ridges(component, layout, {b for b, m in blocks.items() if m.free}),
    )  # fmt: skip


@dataclass(frozen=True)
class Factors:
    """Hold what the kernels take at N points of R data sets.

    Attributes:
        groups: factors of the group covariances, row by row, (R, N, cells).
        residual: residual precisions, (R, N, E, E).
        pieces: multipliers of the pieces of the responses, (R, N, pieces).
        copies: multipliers of copied columns, (R, N, copies).
        log: half the log determinant of the precision of all residuals, (R, N).
    """

    groups: Array
    residual: Array
    pieces: Array
    copies: Array
    log: Array

    @property
    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """All but `log`, in the kernels' order."""
        return self.groups, self.residual, self.pieces, self.copies

    def __getitem__(self, rows: slice) -> "Factors":
        return Factors(*(v[rows] for v in (*self.arrays, self.log)))

    def at(self, points: np.ndarray) -> "Factors":
        """Some of the points."""
        return Factors(*(np.ascontiguousarray(v[:, points]) for v in (*self.arrays, self.log)))


def plain(h: Hyper, x: Array) -> tuple[Array, Array]:
    """Take coordinates (..., d) to those that `ridges.bent` returns, with the log of the volume."""
    return bent(x, h.ridges, h.blocks, list(h.conditioned), h.units)


def factors(h: Hyper, x: Array) -> Factors:
    """Return what the kernels take at coordinates (R, N, d)."""
    x, _ = plain(h, x)
    whole = h.whole(x)
    c = h.component.copies
    T = [_grouping(h, g, x, whole) for g in h.component.groupings]
    cells = np.concatenate(T, axis=-1) if T else np.zeros((*x.shape[:-1], 0))
    E = len(h.component.equations)
    precision = np.zeros((*x.shape[:-1], E, E))
    log = np.zeros(x.shape[:-1])
    for e in range(E):
        precision[..., e, e] = 1.0
    with np.errstate(all="ignore"):
        for e, n in h.counts.items():
            sigma = whole[..., h.sigmas[e]]
            precision[..., e, e] = sigma**-2.0
            log -= n * np.log(np.abs(sigma))
        for members, matrix, n in h.sets:
            sd = whole[..., list(matrix.sds)]
            L = cholesky(matrix, x)
            inverse = np.linalg.inv(L)
            root = inverse / sd[..., None, :]
            here = np.ix_(members, members)
            precision[(..., *here)] = np.swapaxes(root, -1, -2) @ root
            log -= n * np.sum(np.log(np.abs(sd)), axis=-1)
            log -= n * np.sum(np.log(np.diagonal(L, axis1=-2, axis2=-1)), axis=-1)
    ones = np.ones((*x.shape[:-1], E))
    pieces = [-monomial(h, whole, m) for _, m in c.pieces]
    copies = [monomial(h, whole, m) for _, _, m in c.coefficients]
    none = np.zeros((*x.shape[:-1], 0))
    return Factors(
        np.ascontiguousarray(cells),
        np.ascontiguousarray(precision),
        np.concatenate([ones, np.stack(pieces, -1) if pieces else none], axis=-1),
        np.ascontiguousarray(np.stack(copies, -1)) if copies else none,
        log,
    )


def monomial(h: Hyper, whole: Array, of: tuple[int, ...]) -> Array:
    """Product of conditioned coefficients, by position among them."""
    places = list(h.conditioned)
    return np.prod(whole[..., [places[i] for i in of]], axis=-1)


def _grouping(h: Hyper, g: Grouping, x: Array, whole: Array) -> Array:
    K = g.width
    if K == 1 and not g.copies:
        return whole[..., [h.blocks[g.effects[0][0]].sds[0]]]
    T = np.zeros((*x.shape[:-1], K, K))
    first = 0
    for b in dict.fromkeys(b for b, _ in g.effects):
        matrix = h.blocks[b]
        own = slice(first, first + matrix.size)
        T[..., own, own] = whole[..., list(matrix.sds), None] * cholesky(matrix, x)
        first += matrix.size
    for k, copy in enumerate(g.copies):
        _, b, member, of = h.component.copies.effects[copy]
        source = g.effects.index((b, member))
        T[..., first + k, :first] = monomial(h, whole, of)[..., None] * T[..., source, :first]
    return T.reshape(*x.shape[:-1], K * K)


def log_prior(h: Hyper, x: Array) -> Array:
    """Log density of the prior at coordinates (..., d), standard deviations taken as positive."""
    x, volume = plain(h, x)
    half, width, constant = h.half_normal
    z = x[..., half] / width
    total = volume + constant - 0.5 * np.einsum("...d,...d->...", z, z)
    for i, d in h.priors.items():
        if d.name == "HalfNormal":
            continue
        total = total + log_density(d, np.abs(x[..., i]) * h.units[i]) + np.log(h.units[i])
    for i, d in h.conditioned.items():
        total = total + log_density(d, x[..., i] * h.units[i]) + np.log(h.units[i])
    matrices = [*h.blocks.values(), *(m for _, m, _ in h.sets)]
    for m in matrices:
        if m.partials:
            z = np.abs(x[..., list(m.partials)])
            b = m.shapes
            log = 2 * (np.log(2.0) - z - np.log1p(np.exp(-2 * z)))  # of 1 - tanh(z)^2
            total = total + np.sum(b * log - (2 * b - 1) * np.log(2.0) - betaln(b, b), axis=-1)
    return total


def inside(h: Hyper, x: Array, folded: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return whether all sds are positive but those in `folded`, (...,)."""
    positive = [i for i in h.priors if i not in folded]
    return np.all(x[..., positive] > 0, axis=-1)


def folds(h: Hyper, folded: tuple[int, ...]) -> Array:
    """Every way of turning signs of some group sds that leaves the model as it is, (F, d)."""
    out: list[Array] = []
    for signs in product((1.0, -1.0), repeat=len(folded)):
        flip = np.ones(h.size)
        flip[list(folded)] = signs
        for m in (m for m in h.blocks.values() if m.partials):
            rows, columns = np.tril_indices(m.size, -1)
            own = signs_of(m, flip)
            flip[list(m.partials)] = own[rows] * own[columns]
        out.append(flip)
    return np.array(out)


def unfold(h: Hyper, x: Array) -> Array:
    """The same point with sds positive, (..., d)."""
    out = x.copy()
    sds = list(h.priors)
    out[..., sds] = np.abs(x[..., sds])
    for m in (m for m in (*h.blocks.values(), *(m for _, m, _ in h.sets)) if m.partials):
        signs = signs_of(m, x)
        rows, columns = np.tril_indices(m.size, -1)
        out[..., list(m.partials)] *= signs[..., rows] * signs[..., columns]
    return out


def parameters(h: Hyper, x: Array) -> Array:
    """Structural parameters at coordinates with group sds positive, (..., names)."""
    out: list[Array] = []
    x, _ = plain(h, x)
    whole = h.whole(x)
    for b, m in h.blocks.items():
        if b in h.component.bases:
            out += _as_written(h, m, h.component.bases[b], x)
            continue
        out += [whole[..., i] for i in m.sds]
        out += _correlations(m, x)
    out += [whole[..., i] for i in h.sigmas.values()]
    for _, m, _ in h.sets:
        out += _correlations(m, x)
    out += [whole[..., i] for i in h.conditioned]
    return np.stack(out, axis=-1) if out else np.zeros((*x.shape[:-1], 0))


def _as_written(h: Hyper, m: Matrix, basis: Array, x: Array) -> list[Array]:
    """Sds and correlations of a block's effects as written, which are `basis` times those here."""
    sd = h.whole(x)[..., list(m.sds)]
    root = basis @ (sd[..., :, None] * cholesky(m, x))
    written = np.sqrt(np.sum(root**2, axis=-1))
    out = [written[..., k] for k in range(m.size)]
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = root / written[..., None]
    R = unit @ np.swapaxes(unit, -1, -2)
    return out + [R[..., i, j] for i in range(m.size) for j in range(i + 1, m.size)]


def _correlations(m: Matrix, x: Array) -> list[Array]:
    if m.size < 2:
        return []
    L = cholesky(m, x)
    R = L @ np.swapaxes(L, -1, -2)
    return [R[..., i, j] for i in range(m.size) for j in range(i + 1, m.size)]

"""Responses drawn from a layout and a truth, with NumPy alone.

This is the model's second implementation: it shares the layout with the engines but
none of their code for group effects, residual correlations or likelihoods, so that a
recovery study tests the model and not a mistake made twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acmodels.errors import InputError
from acmodels.system.arrays import Array
from acmodels.system.columns import column_values, design_matrix, unit_means, variable_values
from acmodels.system.equation import EquationLayout
from acmodels.system.groups import Block
from acmodels.system.layout import Layout, first_pairs, residual_pairs
from acmodels.system.terms import LatentMean, Term, latent_means, slopes, terms

type Truth = Mapping[str, float]


@dataclass(frozen=True)
class Generated:
    """One data set, or R of them.

    Attributes:
        responses: by name, on the rows of their equations, (n,) or (R, n).
        group_effects: by block key, shape (J, K) or (R, J, K).
    """

    responses: Mapping[str, Array]
    group_effects: Mapping[str, Array]


def generate(layout: Layout, truth: Truth, rng: np.random.Generator) -> Generated:
    """Draw group effects and responses of one data set; see `generate_stack`."""
    many = generate_stack(layout, truth, [rng])
    return Generated(
        {k: v[0] for k, v in many.responses.items()},
        {k: v[0] for k, v in many.group_effects.items()},
    )


def generate_stack(
    layout: Layout,
    truth: Mapping[str, float] | Mapping[str, Array],
    rngs: Sequence[np.random.Generator],
) -> Generated:
    """Draw group effects and responses of R data sets.

    Args:
        layout: of the model on a frame of predictors and groupings.
        truth: every structural parameter by name: a number, or one for each data set, (R,).
        rngs: the stream of each data set; what it draws depends on nothing else.

    Returns:
        Responses (R, n) and group effects (R, J, K).

    Raises:
        InputError: a linear predictor is not finite.
    """
    R = len(rngs)
    known = {k: np.broadcast_to(np.asarray(v, dtype=np.float64), R) for k, v in truth.items()}
    effects = {b.key: _group_effects(b, known, rngs) for b in layout.blocks}
    noise = _residuals(layout, known, rngs)
    if not layout.lags or layout.waves is None:
        responses: dict[str, Array] = {}
        for i in layout.order:
            e = layout.equations[i]
            eta = _predictor(layout, e, responses, known, effects)
            responses[e.response] = _drawn(e, eta, known, rngs, noise.get(i))
        return Generated(responses, effects)
    responses = {e.response: np.zeros((R, e.n)) for e in layout.equations}
    for wave in range(int(layout.waves.max()) + 1):
        for i in layout.order:
            e = layout.equations[i]
            now = np.flatnonzero(layout.waves[e.rows] == wave)
            eta = _predictor(layout, e, responses, known, effects)[..., now]
            mine = noise[i][:, now] if i in noise else None
            responses[e.response][:, now] = _drawn(e, eta, known, rngs, mine, now)
    return Generated(responses, effects)


def _predictor(
    layout: Layout,
    e: EquationLayout,
    responses: Mapping[str, Array],
    truth: Mapping[str, Array],
    effects: Mapping[str, Array],
) -> Array:
    """The linear predictor of an equation, refused where it is not finite."""
    with np.errstate(all="ignore"):
        eta = linear_predictor(layout, e, responses, truth, effects)
    if np.isfinite(eta).all():
        return eta
    raise InputError(
        f"the linear predictor of '{e.response}' is not finite in "
        f"{int(np.sum(~np.isfinite(eta)))} of {eta.size} rows at this truth; does a log() "
        "or sqrt() in its formula meet negative values, or do effects explode?"
    )


def _drawn(
    e: EquationLayout,
    eta: Array,
    truth: Mapping[str, Array],
    rngs: Sequence[np.random.Generator],
    noise: Array | None,
    rows: np.ndarray | slice = slice(None),
) -> Array:
    """Draw responses of R data sets about their predictors, (R, rows)."""
    if noise is not None:
        return eta + noise
    each = [e.conditional(lambda name, r=r: truth[name][r], rows) for r in range(len(rngs))]
    return np.stack([d.draw(g, eta[r]) for r, (d, g) in enumerate(zip(each, rngs, strict=True))])


def linear_predictor(
    layout: Layout,
    e: EquationLayout,
    responses: Mapping[str, Array],
    truth: Mapping[str, Array | float],
    effects: Mapping[str, Array],
) -> Array:
    """Linear predictor of an equation at a truth and group effects.

    Shape (n,) for numbers and (J, K) effects; (R, n) where they are of R data sets.
    """
    at = _At(layout, responses, truth, effects)
    mine = slopes(layout, e.response)
    b = [np.asarray(truth[t.parameter]) for t in mine]
    beta = np.stack(b, axis=-1) if b else np.zeros((*_sets(truth), 0))
    eta = (at.design(e) @ beta[..., None])[..., 0] + e.offset
    for t in terms(layout, e.response):
        if t.effect is not None:
            eta = eta + at.group_effect(t)
    return eta


def latent_mean(
    layout: Layout,
    m: LatentMean,
    responses: Mapping[str, Array],
    truth: Mapping[str, Array | float],
    effects: Mapping[str, Array],
) -> Array:
    """Latent mean of a response in each unit: what of its own predictor is constant there.

    Shape (J,); (R, J) for R data sets.
    """
    return _At(layout, responses, truth, effects).latent_mean(m)


@dataclass(frozen=True)
class _At:
    """A layout at responses, a truth and group effects."""

    layout: Layout
    responses: Mapping[str, Array]
    truth: Mapping[str, Array | float]
    effects: Mapping[str, Array]

    def design(self, e: EquationLayout) -> Array:
        """The design with latent unit means in place of observed ones, and raters' deviations.

        Shape (n, p) or (R, n, p).
        """
        X = design_matrix(self.layout, e, self.responses)
        mine = slopes(self.layout, e.response)
        if all(t.latent is None and not t.rated for t in mine):
            return X
        moved = [self.shift(t) + self.raters(t) for t in mine]
        shape = np.broadcast_shapes(X.shape[:-1], *(np.shape(m) for m in moved))
        return np.broadcast_to(X, (*shape, X.shape[-1])) + np.stack(
            [np.broadcast_to(m, shape) for m in moved], axis=-1
        )

    def group_effect(self, t: Term) -> Array:
        """What a term adds by the effect of the group that each row lies in."""
        assert t.effect is not None  # noqa: S101
        block, k = self.layout.blocks[t.effect[0]], t.effect[1]
        z = t.values(self.layout, self.responses) + self.shift(t) + self.raters(t)
        return z * self.effects[block.key][..., block.code[t.rows], k]

    def raters(self, t: Term) -> Array | float:
        """What raters add to a construct as an item reads it, (n,) or (R, n)."""
        total: Array | float = 0.0
        for s in t.sources:
            for b, k in s.raters:
                block = self.layout.blocks[b]
                total = total + self.effects[block.key][..., block.code[t.rows], k]
        return total

    def shift(self, t: Term) -> Array | float:
        """What a term's values change by when a latent mean takes the place of the observed one."""
        if t.latent is None:
            return 0.0
        m = latent_means(self.layout)[t.latent.mean]
        seen = unit_means(self.layout, self.layout.derived[t.latent.key], self.responses)
        by_row = (self.latent_mean(m) - seen)[..., m.code[t.rows]]
        rest = column_values(
            t.latent.rest, t.rows, lambda name: variable_values(self.layout, name, self.responses)
        )
        moved = t.latent.sign * by_row * rest
        if t.latent.lag:  # where there is no earlier wave, there is no deviation
            moved = np.where(self.layout.lags[t.latent.lag][t.rows] >= 0, moved, 0.0)
        return moved

    def latent_mean(self, m: LatentMean) -> Array:
        """Latent mean of a response in each unit, (J,) or (R, J)."""
        e = self.layout.equations[m.equation]
        total: Array | float = 0.0
        for t in terms(self.layout, e.response):
            if t.position in m.columns:
                column = np.asarray(t.values(self.layout, self.responses) + self.shift(t))
                total = total + column[..., m.at] * np.asarray(self.truth[t.parameter])[..., None]
            elif t.effect in m.effects:
                total = total + self.group_effect(t)[..., m.at]
        return np.asarray(total + m.offset)


def _sets(truth: Mapping[str, Array | float]) -> tuple[int, ...]:
    return np.broadcast_shapes(*(np.shape(v) for v in truth.values()))


def _group_effects(
    block: Block, truth: Mapping[str, Array], rngs: Sequence[np.random.Generator]
) -> Array:
    sds = np.stack([truth[block.sd(m)] for m in block.members], axis=-1)
    root = _root(_matrix(block.correlations(), len(block.members), truth, len(rngs)))
    z = np.stack([g.standard_normal((len(block.levels), sds.shape[1])) for g in rngs])
    return z @ np.swapaxes(root, 1, 2) * sds[:, None, :]


def _residuals(
    layout: Layout, truth: Mapping[str, Array], rngs: Sequence[np.random.Generator]
) -> dict[int, Array]:
    out: dict[int, Array] = {}
    firsts = dict(first_pairs(layout))
    for r, members in enumerate(layout.residual):
        one = layout.equations[members[0]]
        raw = np.stack([g.standard_normal((one.n, len(members))) for g in rngs])
        root = _root(_matrix(residual_pairs(layout, r), len(members), truth, len(rngs)))
        z = raw @ np.swapaxes(root, 1, 2)
        if r in firsts and one.first is not None:
            root = _root(_matrix(firsts[r], len(members), truth, len(rngs)))
            z[:, one.first] = raw[:, one.first] @ np.swapaxes(root, 1, 2)
        for column, i in enumerate(members):
            e = layout.equations[i]
            sigma = np.repeat(truth[e.sigma][:, None], e.n, axis=1)
            if e.first is not None:
                sigma[:, e.first] = truth[e.sigma1][:, None]
            out[i] = z[:, :, column] * sigma
    return out


def _matrix(
    pairs: Sequence[tuple[int, int, str]], size: int, truth: Mapping[str, Array], R: int
) -> Array:
    correlation = np.tile(np.eye(size), (R, 1, 1))
    for i, j, name in pairs:
        correlation[:, i, j] = correlation[:, j, i] = truth[name]
    return correlation


def _root(correlation: Array) -> Array:
    """A square root by eigenvalues, so that correlations of 1 are allowed; (R, K, K)."""
    values, vectors = np.linalg.eigh(correlation)
    if np.min(values) < -1e-8:
        raise ValueError("not a correlation matrix")
    return vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]

"""From a model on its data to the arrays that the compiled density reads.

Predictors of an equation are centered where a constant or thresholds are fitted, and turned so that
their columns are uncorrelated, as in the QR parametrization of brms and rstanarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acmodels.engines.hmc.anchor import anchored_at
from acmodels.engines.hmc.chart import Chart, Rate, chart
from acmodels.engines.hmc.densities import density
from acmodels.engines.hmc.design import Design, Level, Monotonic, Parts, Residual
from acmodels.engines.hmc.forms import FLAT, form
from acmodels.engines.hmc.links import Link, Links
from acmodels.engines.hmc.places import COLUMNS, JOINT, REAL, TABLES, VECTORS, Arrays
from acmodels.engines.hmc.products import GroupEffect, Known, Products, Values
from acmodels.engines.hmc.ratings import Rating, multiplier, ratings, reader
from acmodels.priors import Prior, Priors, held_matrix, turned
from acmodels.spec.parameters import coefficient, cor, cor1
from acmodels.system import EquationLayout, Layout, Responses
from acmodels.system.arrays import Array, Index
from acmodels.system.columns import design_matrix
from acmodels.system.layout import first_pairs
from acmodels.system.terms import Term, group_terms, latent_means, slopes
from acmodels.system.versions import Versions, unknown
from acmodels.system.working import pooled, relative, rough, working_residuals

RATER_SD = 0.5
"""A rough sd of raters' deviations, in units of their construct's."""
SIGMA_SHARE = 0.3
"""Residual sds of items that are below this share of the item's sd are sampled as they are, larger
ones by their logs: an item may have next to no residual (a Heywood case)."""


def design(
    layout: Layout,
    priors: Priors,
    responses: Responses,
    of: tuple[list[int], list[int]],
    *,
    joint: bool | None = None,
) -> Design:
    """Arrange a component.

    Args:
        layout: of the model.
        priors: in force.
        responses: the data.
        of: positions of its equations and blocks.
        joint: whether states have joint coordinates; None to choose by what the model has.
    """
    made = _Build(layout, priors, responses, *of, joint=joint).design()
    return anchored_at(made, made.start, made.arrays.anchor) if made.chart else made


class _Build:
    """Collects arrays; `design` puts them together."""

    def __init__(
        self,
        layout: Layout,
        priors: Priors,
        responses: Responses,
        equations: list[int],
        blocks: list[int],
        *,
        joint: bool | None = None,
    ) -> None:
        self.layout, self.priors, self.responses = layout, priors, responses
        self.positions = equations
        self.equations = [layout.equations[i] for i in equations]
        self.what = unknown(layout)
        self.versions = Versions(layout, self.what, responses)
        self.blocks = blocks
        self.lists: dict[str, list[Any]] = {k: [] for k in (*COLUMNS, *VECTORS, *JOINT)}
        found = [layout.blocks[b] for b in blocks]
        self.levels = [
            Level(len(x.levels), len(x.members), block=b)
            for b, x in zip(blocks, found, strict=True)
        ]
        self.bases = [turned(list(x.sds), priors) for x in found]
        if layout.confounder is not None and self._confounded():
            self.levels.append(Level(layout.confounder.units, 1))
        self.gaps = [
            n for n, g in enumerate(layout.missing) if not g.discrete and g.equation in equations
        ]
        self.levels += [Level(len(layout.missing[n].at), 1, missing=n) for n in self.gaps]
        self.bases += [None] * (len(self.levels) - len(blocks))
        self.member0 = np.cumsum([0, *(x.K for x in self.levels)])
        self.block0 = np.cumsum([0, *(x.J * x.K for x in self.levels)])
        self.x: list[float] = [0.0] * int(self.block0[-1])
        self.unit: list[float] = [1.0] * int(self.block0[-1])
        self.frozen: list[int] = []
        self.walls: list[int] = []
        self.values = Values()
        self.values.add(int(self.block0[-1]))
        self.joint = self._together() if joint is None else joint
        self.links: list[list[Link]] = []
        self.rated: list[tuple[int, list[Link]]] = []
        self.rates: list[Rate] = []
        self.extra: dict[str, list[tuple[int, int, int, Index, Array]]] = {}
        self.parts: dict[str, Parts] = {}
        self.eta: dict[str, int] = {}

    def design(self) -> Design:
        for k in ("row0", "prior0", "term0", "mo0", "cells0", "residual_member0"):
            self.lists[k].append(0)
        parts = [self._equation(e) for e in self.equations]
        self.parts = {p.equation.response: p for p in parts}
        first = self.values.add(self.lists["row0"][-1])
        for e, n in zip(self.equations, self.lists["row0"], strict=False):
            self.eta[e.response] = first + n
            self._add(eta_at=first + n)
        self._blocks()
        self._cells()
        self._summed()
        residual = self._residual()
        self._products(residual)
        made = self._chart(residual)
        neff = int(self.block0[-1])
        seen = self._length("seen_at")
        self.lists["sizes"] = [neff, seen, self.values.size, int(self.joint)]
        self.lists["V0"] = [self.values.start()]
        arrays = {k: _table(k, self.lists) for k in TABLES}
        arrays |= {k: _array(k, self.lists[k]) for k in (*VECTORS, *JOINT)}
        frozen = np.zeros(len(self.x), dtype=np.bool_)
        frozen[self.frozen] = True
        rough = {
            g.variable: self.responses[g.variable][g.at]
            for g in (self.layout.missing[n] for n in self.gaps)
        }
        return Design(
            self.layout, self.priors, tuple(self.parts.values()), tuple(self.levels),
            tuple(self.bases), tuple(residual), rough, Arrays(**arrays), np.array(self.x),
            np.array(self.unit), np.array(self.walls, dtype=np.int64), frozen, made,
        )  # fmt: skip

    def _add(self, **values: Any) -> None:
        for k, v in values.items():
            self.lists[k].append(v)

    def _length(self, name: str) -> int:
        return int(sum(np.size(v) for v in self.lists[name]))

    def _coordinate(self, start: float, unit: float, *, held: bool = False) -> int:
        self.x.append(float(start))
        self.unit.append(float(unit))
        if held:
            self.frozen.append(len(self.x) - 1)
        return len(self.x) - 1

    def _held(self, name: str) -> float | None:
        return self.priors[name].held

    def _confounded(self) -> bool:
        c = self.layout.confounder
        return c is not None and any(e.response in c.loadings for e in self.equations)

    def _equation(self, e: EquationLayout) -> Parts:
        y = self.responses[e.response]
        position = self.layout.equations.index(e)
        rows = self.what.rows[position]
        X = self.versions.spread(
            position, lambda lay, r: design_matrix(lay, lay.equations[position], r)
        )
        n = len(X)
        names = [t.parameter for t in slopes(self.layout, e.response)]
        raw = [k for places in e.monotonic.values() for k in places]
        keep = [k for k in range(len(names)) if k != e.intercept and k not in raw]
        known = [(k, self._held(names[k])) for k in keep]
        held = [(k, v) for k, v in known if v is not None]
        offset = e.offset[rows.source] + sum((X[:, k] * v for k, v in held), np.zeros(n))
        free = [k for k, v in known if v is None]
        has = e.has_constant and not self._constant_held(e, names)
        Z = X[:, free + raw]
        centered = has and not e.measured
        means = Z.mean(axis=0) if centered else np.zeros(Z.shape[1])
        Z = Z - means
        mean_offset = float(offset.mean()) if has else 0.0
        turn = self._signs(names, free) if e.measured else _turn(Z[:, : len(free)])
        own = rough(e, y)
        eta = float(np.mean(pooled(e, y) - e.offset)) + (float(e.offset.mean()) if has else 0.0)
        given = density(e.family, e.link)
        data = self.versions.spread(
            position, lambda lay, r: given.data(lay.equations[position], r[e.response]).T
        ).T
        slope0 = len(self.x)
        self._start_slopes(e, [names[k] for k in free])
        constant, cut0 = -1, len(self.x)
        scale = float(np.std(y)) or 1.0 if e.has_sigma else 1.0
        if e.intercept is not None and not e.codes:
            at = float(y.mean()) if e.link == "identity" else eta
            value = self._held(names[e.intercept])
            constant = self._coordinate(
                at if value is None else value, scale / np.sqrt(e.n), held=value is not None
            )
        if e.codes:
            cut0 = self._thresholds(e, y, own)
        par0 = len(self.x)
        numbers, bounds, rhos = self._numbers(e, own, scale)
        p, q, K = len(free), len(raw), len(e.thresholds)
        lin_at = self.values.add(p + q + int(constant >= 0) + K)
        ones = int(e.distribution.has_sigma and not e.has_sigma)  # errors are known: an sd of one
        size = len(numbers) + K
        row_par_at = self.values.add(ones + size, [1.0] * ones + [0.0] * size)
        par_at = row_par_at + ones
        self._add(
            address=given.address, row0=self.lists["row0"][-1] + n,
            data0=self._length("data"), X0=self._length("X"), p=p, raw=q, slope0=slope0,
            constant=constant, cut0=cut0, cuts=K, par0=par0, pars=len(numbers), lin_at=lin_at,
            par_at=par_at, row_par_at=row_par_at, first_par_at=par_at + 1 if e.has_sigma1 else -1,
            first_row=(np.zeros(e.n) if e.first is None else e.first)[rows.source],
            plain=0 if e.construct else int(np.sum(rows.bin < 0)),
        )  # fmt: skip
        weight = self._weight(e)[rows.source]
        turned_columns = np.column_stack([Z[:, :p] @ turn, Z[:, p:]])
        self._add(
            data=data.ravel(), X=turned_columns.T.ravel(), eta0=offset - mean_offset, weight=weight
        )
        part = Parts(
            e, turn, tuple(free), tuple(raw), tuple((names[k], v) for k, v in held), means,
            mean_offset, slope0, constant, cut0, par0, lin_at, tuple(numbers), tuple(bounds),
            tuple(rhos), tuple(self._monotonic(e, raw)),
        )  # fmt: skip
        self.lists["mo0"].append(len(self.lists["mo_b"]))
        self._linear_priors(part, names)
        return part

    def _signs(self, names: Sequence[str], free: Sequence[int]) -> Array:
        """Turn loadings so that each is positive."""
        return np.diag([-1.0 if self.priors[names[k]].upper <= 0 else 1.0 for k in free])

    def _start_slopes(self, e: EquationLayout, free: Sequence[str]) -> None:
        """Add coordinates of slopes; loadings start from what their priors expect, above zero."""
        for name in free:
            size = abs(self.priors[name].distribution.location) or 1.0 if e.measured else 0.0
            place = self._coordinate(size, 1.0 / np.sqrt(e.n))
            if e.measured:
                self.walls.append(place)

    def _weight(self, e: EquationLayout) -> Array:
        """Weights of rows; missing values have a density of their own."""
        weight = np.ones(e.n) if e.weights is None else np.array(e.weights, dtype=np.float64)
        for gap in (self.layout.missing[n] for n in self.gaps):
            if self.layout.equations[gap.equation] is e:
                weight[gap.at] = 0.0
        return weight

    def _constant_held(self, e: EquationLayout, names: Sequence[str]) -> bool:
        if e.codes:
            return all(self._held(n) is not None for n in e.thresholds)
        return e.intercept is not None and self._held(names[e.intercept]) is not None

    def _monotonic(self, e: EquationLayout, raw: list[int]) -> list[Monotonic]:
        out: list[Monotonic] = []
        for effect, places in e.monotonic.items():
            name, shares = coefficient(e.response, effect), e.shares(effect)
            value, K = self._held(name), len(places)
            b = self._coordinate(value or 0.0, 1.0 / np.sqrt(e.n), held=value is not None)
            known = [self._held(s) for s in shares]
            left, sticks = 1.0, len(self.x)
            for k, v in enumerate(known[:-1]):
                start = 0.0
                if v is not None:
                    share = min(max(v / max(left, 1e-12), 1e-12), 1 - 1e-12)
                    start = np.log(share / (1 - share)) + np.log(K - 1 - k)
                    left -= v
                self._coordinate(start, 0.5, held=v is not None)
            prior = self.priors[shares[0]].distribution
            self._add(
                mo_b=b, mo_x=sticks, mo_steps=K, mo_raw=raw.index(places[0]),
                mo_alpha=prior.parameters["alpha"] if known[0] is None else 1.0,
            )  # fmt: skip
            out.append(Monotonic(name, shares, tuple(places), b, sticks))
        return out

    def _thresholds(self, e: EquationLayout, y: Array, own: dict[str, Any]) -> int:
        _, own = relative(own)
        known = [self._held(n) for n in e.thresholds]
        held = all(v is not None for v in known)
        cuts = np.asarray(known if held else rough(e, y)["threshold"], dtype=np.float64)
        cut0 = self._coordinate(cuts[(len(cuts) - 1) // 2], 1 / np.sqrt(e.n), held=held)
        counts = [np.sum(y == c) for c in e.codes[1:-1]]
        for gap, n in zip(np.diff(cuts), counts, strict=True):
            at = gap if held else max(gap, 0.05)
            self._coordinate(np.log(at), 1 / np.sqrt(n + 1.0), held=held)
        return cut0

    def _numbers(
        self, e: EquationLayout, own: dict[str, Any], scale: float
    ) -> tuple[list[str], list[tuple[float, float]], list[float]]:
        names, bounds, rhos = [], [], []
        self._add(par_prior0=self._length("par_form"))
        kinds = [("sigma", e.sigma, scale)] if e.has_sigma else []
        kinds += [("sigma1", e.sigma1, scale)] if e.has_sigma1 else []
        kinds += [(k, e.scalar(k), float(own.get(k, 1.0))) for k in e.scalars]
        for kind, name, at in kinds:
            prior = self.priors[name]
            low, high = (0.0, np.inf) if "sigma" in kind else (prior.lower, prior.upper)
            held = prior.held is not None
            value = at if prior.held is None else prior.held
            rho = SIGMA_SHARE * scale if e.measured and kind == "sigma" and not held else 0.0
            if rho:
                self.walls.append(self._coordinate(np.arcsinh(value / rho), 0.2))
            elif np.isfinite(high):
                share = (value - low) / (high - low)
                share = share if held else min(max(share, 0.02), 0.98)
                self._coordinate(np.log(share / (1 - share)), 0.2, held=held)
            else:
                self._coordinate(np.log(max(value - low, 1e-12 if held else 1e-3)), 0.2, held=held)
            known, location, size, shape = form(prior)
            self._add(
                par_form=known, par_location=location, par_scale=size, par_shape=shape,
                lower=low, upper=high, par_rho=rho,
            )  # fmt: skip
            names.append(name)
            bounds.append((low, high))
            rhos.append(rho)
        return names, bounds, rhos

    def _linear_priors(self, part: Parts, names: Sequence[str]) -> None:
        """Add the priors of slopes, constant and thresholds, each on a + A (coordinates)."""
        e, p, q = part.equation, len(part.free), len(part.raw)
        has = int(part.constant >= 0)
        size = p + q + has + len(e.thresholds)
        held = dict(part.held)
        at = {names[k]: i for i, k in enumerate((*part.free, *part.raw))}
        back = np.eye(p + q)  # coefficients as written from those that are sampled
        back[:p, :p] = part.turn
        self._add(lin0=self._length("A"))

        def weights(prior: Prior, otherwise: str | None) -> tuple[Array, float]:
            on = dict(prior.on) or ({otherwise: 1.0} if otherwise else {})
            fixed = sum(w * held[n] for n, w in on.items() if n in held)
            out = np.zeros(p + q)
            for n, w in on.items():
                if n in at:
                    out[at[n]] += w
            for m in part.monotonic:
                for k in m.steps if m.name in on else ():
                    out[at[names[k]]] += on[m.name] / len(m.steps)
            return out @ back, fixed

        for name in [*(names[k] for k in part.free), *(m.name for m in part.monotonic)]:
            prior = self.priors[name]
            if prior.held is None:
                w, fixed = weights(prior, name)
                self._prior(prior, fixed, np.concatenate([w, np.zeros(size - p - q)]))
        means = part.means @ back
        if has and self._held(names[int(e.intercept or 0)]) is None:
            prior = self.priors[names[int(e.intercept or 0)]]
            w, fixed = weights(prior, None)
            row = np.zeros(size)
            row[: p + q] = w - means
            row[p + q] = 1.0
            self._prior(prior, prior.constant - part.mean_offset + fixed, row)
        for k, name in enumerate(e.thresholds):
            prior = self.priors[name]
            if prior.held is not None:
                continue
            w, fixed = weights(prior, None)
            row = np.zeros(size)
            row[: p + q] = means - w
            row[p + q + has + k] = 1.0
            self._prior(prior, part.mean_offset - prior.constant - fixed, row)
        self.lists["prior0"].append(self._length("form"))

    def _prior(self, prior: Prior, a: float, row: Array) -> None:
        kind, location, scale, shape = form(prior)
        self._add(a=a, A=row, form=kind, location=location, scale=scale, shape=shape)

    def _terms(self, e: EquationLayout) -> None:
        """Add the sampled effects that enter an equation, with what multiplies them."""
        for block, mine in group_terms(self.layout, e.response):
            b = self.blocks.index(self.layout.blocks.index(block))
            i = self.layout.equations.index(e)
            source = self.what.rows[i].source
            z = self.versions.spread(
                i, lambda lay, r, b=b, mine=mine, e=e: self._multipliers(b, e, mine, lay, r).T
            ).T
            for k in np.flatnonzero(np.any(z != 0, axis=1)):
                self._term(b, int(k), block.index(e)[source], z[k])
        c = self.layout.confounder
        if c is not None and e.response in c.loadings:
            rows = e.rows[self.what.rows[self.layout.equations.index(e)].source]
            size = np.full(len(rows), c.loadings[e.response])
            self._term(len(self.blocks), 0, c.code[rows], size)
        for at, b, k, level, z in self.extra.get(e.response, []):
            self._term(b, k, level, z, at)
        self.lists["term0"].append(len(self.lists["effect"]))

    def _term(self, b: int, k: int, level: Index, z: Array, by: int = 0) -> None:
        ones = bool(np.all(z == 1.0))
        self._add(
            effect=int(self.member0[b] + k), zero_level=self._length("level"), by=by,
            Z0=-1 if ones else self._length("Z"), level=level,
        )  # fmt: skip
        if not ones:
            self.lists["Z"].append(z)

    def _multipliers(
        self, b: int, e: EquationLayout, mine: Sequence[Term], layout: Layout, data: Responses
    ) -> Array:
        """Return what multiplies the sampled effects of a block in an equation, (K, n)."""
        z = np.zeros((self.levels[b].K, e.n))
        for t in mine:
            if t.effect is not None:
                z[t.effect[1]] = t.values(layout, data)
        base = self.bases[b]
        return z if base is None else base.T @ z

    def _information(self, b: int, about: Mapping[str, tuple[Array, Array]]) -> Array:
        """A rough look at what each level's rows say of its effects, (J, K, K)."""
        J, K = self.levels[b].J, self.levels[b].K
        position = self.levels[b].block
        block = None if position is None else self.layout.blocks[position]
        c = self.layout.confounder
        info = np.zeros((J, K, K))
        for e in self.equations:
            if block is not None:
                mine = next(
                    (t for x, t in group_terms(self.layout, e.response) if x is block), None
                )
                if mine is None:
                    continue
                z = self._multipliers(b, e, mine, self.layout, self.responses)
                at = block.index(e)
            elif c is not None and e.response in c.loadings:
                z, at = np.full((1, e.n), c.loadings[e.response]), c.code[e.rows]
            else:
                continue
            residual, precision = about[e.response]
            if e.has_sigma:
                spread = np.average(residual**2, weights=precision + 1e-300)
                precision = precision / max(float(spread), 1e-12)
            for k in range(K):
                for j in range(K):
                    info[:, k, j] += np.bincount(at, precision * z[k] * z[j], J)
        return info + 1e-9 * np.eye(K) * max(float(info.max()), 1e-9)

    def _blocks(self) -> None:
        """Add the blocks."""
        about = {
            e.response: working_residuals(self.layout, e, self.responses) for e in self.equations
        }
        for b, level in enumerate(self.levels):
            J, K = level.J, level.K
            cells = level.missing is not None
            block = None if level.block is None else self.layout.blocks[level.block]
            info = np.zeros((J, 1, 1)) if cells else self._information(b, about)
            rho = 1 / np.sqrt(np.maximum(np.einsum("jkk->k", info) / J, 1e-300))
            if cells:
                rho = np.array([self.layout.missing[level.missing or 0].spread])
            elif block is not None and block.raters:
                scales = [self.layout.measure(m.response) for m in block.members]
                rho = np.array([RATER_SD * (m.scale if m else 1.0) for m in scales])
            self._add(
                J=J, K=K, member0=int(self.member0[b]), block0=int(self.block0[b]),
                root_at=self.values.add(K * K) if self.joint and not cells else -1,
                info0=self._length("info"), info=info.ravel(), sd0=-1 if cells else len(self.x),
            )  # fmt: skip
            for k in range(K):
                name = None if block is None else block.sds[k]
                prior = None if name is None else self.priors[name]
                held = 1.0 if prior is None else prior.held
                if not cells:
                    at = np.arcsinh(1.0 if held is None else held / rho[k])
                    place = self._coordinate(at, 0.2, held=held is not None)
                    if held is None:
                        self.walls.append(place)
                given = FLAT if prior is None else form(prior)
                self._add(
                    eff0=int(self.block0[b]) + k * J, rho=rho[k], sd_form=given[0],
                    sd_location=given[1], sd_scale=given[2], sd_shape=given[3],
                )  # fmt: skip
            self._add(cor0=len(self.x))
            pairs = [] if block is None else block.correlations()
            self._correlations(K, [n for _, _, n in pairs], backwards=True)
            self._add(lkj=self._lkj([n for _, _, n in pairs]))

    def _lkj(self, names: Sequence[str]) -> float:
        if not names or self._held(names[0]) is not None:
            return 1.0
        return self.priors[names[0]].distribution.parameters["eta"]

    def _correlations(self, K: int, names: Sequence[str], *, backwards: bool) -> None:
        """Add coordinates of a correlation matrix: partial ones, zero unless they are held."""
        known = held_matrix(K, self.priors, names)
        if known is None:
            for _ in names:
                self._coordinate(0.0, 0.2)
            return
        L = np.linalg.cholesky(known[::-1, ::-1] if backwards else known)
        for k in range(K):
            left = 1.0
            for j in range(k):
                p = L[k, j] / np.sqrt(left)
                self._coordinate(np.arctanh(p), 0.2, held=True)
                left -= L[k, j] ** 2

    def _cells(self) -> None:
        """Add the missing values of each equation."""
        every = {self.layout.missing[n].equation: [] for n in self.gaps}
        for b, level in enumerate(self.levels):
            self._add(cell_equation=-1, cell_row0=self._length("cell_row"))
            if level.missing is None:
                continue
            gap = self.layout.missing[level.missing]
            every[gap.equation].append(b)
            self.lists["cell_equation"][-1] = self.positions.index(gap.equation)
            self._add(cell_row=gap.at, cell_rough=self.responses[gap.variable][gap.at])
        for i in self.positions:
            self.lists["cells"] += every.get(i, [])
            self.lists["cells0"].append(len(self.lists["cells"]))

    def _summed(self) -> None:
        """Add which configuration of discrete missing values each of the last rows stands for."""
        rows = [self.what.rows[i] for i in self.positions]
        found = np.unique(np.concatenate([r.bin[r.bin >= 0] for r in rows]))
        for r in rows:
            self._add(bin0=self._length("bin"))
            self._add(bin=np.searchsorted(found, r.bin[r.bin >= 0]))
        component = found // max(self.what.width, 1)
        starts = np.flatnonzero(np.diff(component, prepend=-1))
        self._add(alternative0=np.append(starts, len(found)))

    def _residual(self) -> list[Residual]:
        """Add residual blocks; those of a panel have another one in first waves."""
        out: list[Residual] = []
        first = {n for n, _ in first_pairs(self.layout)}
        for r, members in enumerate(self.layout.residual):
            mine = tuple(i for i in self.positions if i in members)
            if not mine:
                continue
            K = len(mine)
            names = [self.layout.equations[i].response for i in mine]
            for waves in (0, 1) if r in first else (-1,):
                name = cor1 if waves == 1 else cor
                pairs = [
                    name(*sorted_pair(self.layout, r, names[i], names[j]))
                    for i in range(K)
                    for j in range(i + 1, K)
                ]
                at, root = len(self.x), self.values.add(K * K + K)
                self._correlations(K, pairs, backwards=False)
                self._add(
                    residual_cor=at, residual_at=root, residual_lkj=self._lkj(pairs),
                    residual_first=int(waves == 1),
                )  # fmt: skip
                for k, i in enumerate(mine):
                    e = self.positions.index(i)
                    self._add(residual_member=e)
                    of = "first_par_at" if waves == 1 else "row_par_at"
                    self.lists[of][e] = root + k * K + k
                self.lists["residual_member0"].append(len(self.lists["residual_member"]))
                out.append(Residual(mine, at, root, waves))
        return out

    def _products(self, residual: list[Residual]) -> None:
        known = Known(
            self.layout, self.responses, self.values, self._natural, self.eta.__getitem__,
            self._effect, self._level_of, self._place, self._keep if self.joint else None,
        )  # fmt: skip
        products = Products(known)
        links = Links(products, self._root, self._first) if self.joint else None
        rated = ratings(self.layout, products, self.equations) if self.joint else []
        readers = {r: n for n, x in enumerate(rated) for r in x.readers}
        for i, e in zip(self.positions, self.equations, strict=True):
            reads = readers.get(e.response)
            if reads is None:
                products.equation(e)
            else:
                self._reads(products, e, rated, reads)
            self._terms(e)
            if reads is not None:
                self.links.append([])
            elif links is not None:
                self.links.append(self._linked(links, i, e))
            for r in residual:
                if i in r.members and r.waves < 1:
                    before = r.members[: r.members.index(i) + 1]
                    these = [self.layout.equations[j] for j in before]
                    first = [x.root for x in residual if x.members == r.members and x.waves == 1]
                    products.residual(these, r.root, len(r.members), first[0] if first else None)
            products.done()
        self._rated(rated, links)
        self._shears(products)
        self.lists |= products.arrays()
        self.lists |= products.read([(x.J, x.K) for x in self.levels])
        self._seen()

    def _shears(self, products: Products) -> None:
        """Let constants be apart from what latent means add on average, which moves otherwise.

        A slope of a latent mean times a constant that is known badly would have to be made up for
        by the equation's own constant, in steps as small as that is known well.
        """
        self._add(shear0=0)
        for n, e in enumerate(self.equations):
            before = {x.response for x in self.equations[:n]}
            found: dict[tuple[int, int], float] = {}
            for s in products.shifts.get(e.response, []):
                if s.of not in before or e.measured:
                    continue
                start, parts = self._natural(e.response, s.position)
                level, others = s.constant, dict[int, float]()
                for k, weight in s.columns:
                    known, places = self._natural(s.of, k)
                    level += weight * known
                    for place, w in places:
                        others[place] = others.get(place, 0.0) + weight * w
                for a, w in ((0, start), *parts):
                    for b, v in ((0, level), *others.items()):
                        if w * v:
                            found[a, b] = found.get((a, b), 0.0) + w * v
            part = self.parts[e.response]
            place = part.cut0 if e.codes else part.constant
            if place < 0 or place in self.frozen:
                found = {}
            self._add(
                shear0=self.lists["shear0"][-1] + len(found),
                shear_a=[a for a, _ in found], shear_b=[b for _, b in found],
                shear_weight=list(found.values()),
            )  # fmt: skip
            self.parts[e.response] = replace(
                part, shear=tuple((a, b, w) for (a, b), w in found.items())
            )

    def _reads(
        self, products: Products, e: EquationLayout, rated: Sequence[Rating], n: int
    ) -> None:
        """Add a rating times a coefficient to an equation that reads nothing else that moves."""
        found = reader(self.layout, products, e)
        if found is None:
            raise AssertionError(e.response)
        at = products.coefficient(e.response, found.term.position or 0)
        z, level = multiplier(products, e, found), rated[n].readers[e.response]
        before = sum(x.size for x in rated[:n])
        self.rates.append(Rate(self.equations.index(e), at, before + level, z))
        self._keep(e.response, at, len(self.levels), n, level, z)

    def _rated(self, rated: Sequence[Rating], links: Links | None) -> None:
        """Add ratings: places like those of effects, and what each is the sum of."""
        for rating in rated:
            self._add(rated_at=rating.first, rated_term0=len(self.lists["effect"]))
            self._add(eff0=rating.first - 1)
            for of in rating.effects:
                for k, w in enumerate(of.weights):
                    if w:
                        self._term(of.block, k, of.level, np.full(rating.size, w))
            if links is not None:
                every = [x for of in rating.effects for x in links.effect(of, np.ones(rating.size))]
                self.rated.append((rating.size, every))
        self._add(rated_at=0, rated_term0=len(self.lists["effect"]))

    def _keep(self, response: str, at: int, b: int, k: int, level: Index, z: Array) -> None:
        """Keep an effect times a quantity, to be added to an equation's predictor."""
        self.extra.setdefault(response, []).append((at, b, k, level, z))

    def _together(self) -> bool:
        """Whether states rest on each other, so that they have joint coordinates."""
        if any(np.any(self.what.rows[i].bin >= 0) for i in self.positions):
            return False
        read = {m.equation for m in latent_means(self.layout)}
        if bool(self.gaps) or self._confounded() or any(i in read for i in self.positions):
            return True
        return self._nested()

    def _nested(self) -> bool:
        """Whether the groupings are one nest: then sds of two levels trade places.

        Where they cross, the root of the states' precision would fill up.
        """
        kinds = {x.group: x for x in (self.layout.blocks[b] for b in self.blocks)}
        if len(kinds) < 2:
            return False
        for e in self.equations:
            codes = [b.index(e) for b, _ in group_terms(self.layout, e.response)]
            codes.sort(key=lambda c: len(np.unique(c)))
            for larger, smaller in pairwise(codes):
                pairs = np.unique(np.stack([larger, smaller]), axis=1).shape[1]
                if pairs > len(np.unique(smaller)):
                    return False
        return True

    def _root(self, b: int) -> int | None:
        """Place in V of the root of a block's covariance."""
        at = self.lists["root_at"][b]
        return at if at >= 0 else None

    def _first(self, b: int) -> tuple[int, int, int]:
        """First state of a block, its levels and effects."""
        return int(self.block0[b]), self.levels[b].J, self.levels[b].K

    def _linked(self, links: Links, i: int, e: EquationLayout) -> list[Link]:
        """List the links of an equation with states."""
        out = links.equation(e)
        c = self.layout.confounder
        if c is not None and e.response in c.loadings:
            of = GroupEffect(len(self.blocks), c.code[e.rows], (1.0,))
            out += links.effect(of, np.full(e.n, c.loadings[e.response]))
        for n in self.gaps:
            if self.layout.missing[n].equation == i:
                out.append(links.cells(e, self.layout.missing[n].at, self._level_of(n)))
        return out

    def _chart(self, residual: list[Residual]) -> Chart | None:
        """Add what joint coordinates of states need."""
        E = len(self.equations)
        if not self.joint:
            self._add(link0=0, pair0=0, gauss_member0=0, gauss_at=0, rated_row0=0, rate0=0, meet0=0)
            self._add(exact=[-1] * E, tilts=[0] * E, tilt0=[0] * E, anchor0=[0] * E)
            return None
        sets = [([self.positions.index(i) for i in r.members], r.root, r.waves) for r in residual]
        joined = {e for members, *_ in sets for e in members}
        for k, e in enumerate(self.equations):
            if e.family == "gaussian" and k not in joined:
                later, first = self.lists["row_par_at"][k], self.lists["first_par_at"][k]
                sets += [([k], later, -1)] if first < 0 else [([k], later, 0), ([k], first, 1)]
        read = [self.lists["pars"][k] + self.lists["cuts"][k] for k in range(E)]
        rows = [e.n for e in self.equations]
        first_row = np.concatenate(self.lists["first_row"]).astype(np.int64)
        made, arrays = chart(
            self.links, rows, sets, int(self.block0[-1]), read, first_row, self.rated, self.rates
        )
        self.lists |= {k: [v] for k, v in arrays.items()}
        owner = {e: r for r, (members, *_) in enumerate(sets) for e in members}
        sizes = made.tilts * np.array(rows)
        total = int(sum(rows))
        info = [np.ones(n) for n in rows]
        for k, e in enumerate(self.equations):
            if e.family == "gaussian":
                info[k] = np.ones(e.n) if e.weights is None else np.asarray(e.weights, float)
                info[k] = info[k] / (1.0 if e.se is None else e.se**2)
        standard = np.ones(int(self.block0[-1]))
        for b, level in enumerate(self.levels):
            if level.missing is not None:
                standard[self.block0[b] : self.block0[b + 1]] = 0.0
        self._add(
            exact=[owner.get(k, -1) for k in range(E)], tilts=made.tilts,
            tilt0=np.cumsum([0, *sizes])[:-1], anchor0=np.cumsum([0, *made.tilts])[:-1],
            info_row=np.concatenate(info), score_row=np.zeros(total), eta_row=np.zeros(total),
            response_row=np.concatenate([self.responses[e.response] for e in self.equations]),
            tilt=np.zeros(int(sizes.sum())), par_anchor=np.zeros(int(made.tilts.sum())),
            anchor=np.zeros(len(standard)), standard=standard,
            own=standard[made.pattern.state_of],
            link_z=np.zeros(int(arrays["link0"][-1])), pair_k=np.zeros(int(arrays["pair0"][-1])),
            rate_k=np.zeros(len(arrays["rate_z"])),
        )  # fmt: skip
        return made

    def _level_of(self, missing: int) -> int:
        return next(b for b, x in enumerate(self.levels) if x.missing == missing)

    def _natural(self, response: str, k: int) -> tuple[float, list[tuple[int, float]]]:
        """A coefficient as written: a constant, and places in V with weights."""
        part = self.parts[response]
        e, p, q = part.equation, len(part.free), len(part.raw)
        if k == e.intercept:
            m = part.means.copy()
            m[:p] = part.means[:p] @ part.turn
            rest = [(part.lin_at + i, -float(v)) for i, v in enumerate(m) if v]
            return -part.mean_offset, [(part.lin_at + p + q, 1.0), *rest]
        if k in part.raw:
            return 0.0, [(part.lin_at + p + part.raw.index(k), 1.0)]
        if k in part.free:
            row = part.turn[part.free.index(k)]
            return 0.0, [(part.lin_at + i, float(v)) for i, v in enumerate(row) if v]
        return dict(part.held)[slopes(self.layout, response)[k].parameter], []

    def _effect(self, e: EquationLayout, of: tuple[int, int], rows: Index) -> GroupEffect:
        """A group effect as written on rows of an equation."""
        b, k = self.blocks.index(of[0]), of[1]
        base = self.bases[b]
        row = np.eye(self.levels[b].K)[k] if base is None else base[k]
        level = self.layout.blocks[of[0]].index(e)[rows]
        return GroupEffect(b, level, tuple(float(w) for w in row))

    def _place(self, b: int) -> tuple[int, int]:
        """Place in V of a block's first effect, and its levels."""
        return 1 + int(self.block0[b]), self.levels[b].J

    def _seen(self) -> None:
        """Make room for what the data inform about: effects, and products of these."""
        infos, at = self.lists["info"], 0
        self.lists["info"], self.lists["info0"] = [], []
        for b, level in enumerate(self.levels):
            J, K, Q = level.J, level.K, self.lists["Q"][b]
            info = np.zeros((J, Q, Q))
            info[:, :K, :K] = infos[b].reshape(J, K, K)
            self._add(info0=self._length("info"), score0=at, info=info.ravel())
            at += J * Q
        self.lists["score"] = [np.zeros(at)]


def sorted_pair(layout: Layout, r: int, a: str, b: str) -> tuple[str, str]:
    """Put two responses of a residual block in the order that names their correlation."""
    names = [layout.equations[i].response for i in layout.residual[r]]
    return (a, b) if names.index(a) < names.index(b) else (b, a)


def _turn(X: Array) -> Array:
    """Return T such that the columns of X T are uncorrelated with mean square one."""
    n, p = X.shape
    if not p:
        return np.zeros((0, 0))
    size = np.sqrt(np.mean(X**2, axis=0))
    size = np.where(size > 0, size, 1.0)
    R = np.linalg.qr(X / size, mode="r") / np.sqrt(n)
    if len(R) < p or np.linalg.cond(R) > 1e7:
        return np.diag(1 / size)
    return np.linalg.inv(R) / size[:, None]


_REAL = frozenset((*VECTORS, *JOINT)) - {
    "level", "form", "par_form", "seen_at", "cells", "cell_row", "residual_member", "sizes", "bin",
    "alternative0", "first_row", "link_row", "link_state", "pair_entry", "gauss_member",
    "state_of", "entry_row", "entry_column", "entry0", "diagonal", "triple0", "triple_left",
    "triple_right", "rate_row", "rate_node", "meet_entry", "meet_node",
}  # fmt: skip


_SINGLE = {"link_z", "pair_k", "tilt", "rate_z", "rate_k", "meet_k"}
"""Numbers that only move coordinates, and are many."""
_UNSIGNED = {
    "level", "link_row", "link_state", "pair_entry", "state_of", "entry_row", "entry_column",
    "diagonal", "triple_left", "triple_right", "rate_row", "rate_node", "meet_entry", "meet_node",
}  # fmt: skip
"""Read as places of arrays in inner loops, where no sign need be looked at."""


def _table(name: str, lists: Mapping[str, list[Any]]) -> NDArray[Any]:
    """Put columns side by side; those of sizes that are counted have one entry more than others."""
    columns = [_joined(lists[c], np.float64 if name in REAL else np.int64) for c in TABLES[name]]
    rows = max(len(c) for c in columns)
    return np.column_stack([np.pad(c, (0, rows - len(c))) for c in columns])


def _array(name: str, values: list[Any]) -> NDArray[Any]:
    if name in _SINGLE:
        return _joined(values, np.float32)
    dtype = np.uint32 if name in _UNSIGNED else np.float64 if name in _REAL else np.int64
    return _joined(values, dtype)


def _joined(values: list[Any], dtype: Any) -> NDArray[Any]:
    pieces = [np.atleast_1d(np.asarray(v)).astype(dtype) for v in values]
    return np.ascontiguousarray(np.concatenate(pieces)) if pieces else np.zeros(1, dtype)[:0]

"""From a model on its data to the arrays that the compiled density reads.

Predictors of an equation are centered where a constant or thresholds are fitted, and turned so that
their columns are uncorrelated, as in the QR parametrization of brms and rstanarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acmodels.engines.hmc.densities import density
from acmodels.engines.hmc.density import Arrays
from acmodels.priors import Prior, Priors, turned
from acmodels.spec.distribution import Distribution
from acmodels.system import EquationLayout, Layout, Responses
from acmodels.system.columns import design_matrix
from acmodels.system.layout import Array
from acmodels.system.terms import Term, group_terms, slopes
from acmodels.system.working import pooled, relative, rough, working_residuals

FORMS = {
    "Normal": 0, "HalfNormal": 0, "StudentT": 1, "HalfStudentT": 1, "Cauchy": 1, "HalfCauchy": 1,
    "Laplace": 2, "Exponential": 2, "Gamma": 3, "LogNormal": 4, "Beta": 5, "Uniform": 6,
}  # fmt: skip
"""Priors that the density knows, by the number it knows them by."""


@dataclass(frozen=True)
class Parts:
    """Where an equation's coordinates lie, and what they stand for.

    Attributes:
        equation: itself.
        turn: coefficients are `turn` times the coordinates, (p, p).
        free: positions of the columns whose coefficients are sampled.
        means, mean_offset: of predictors and the offset, taken out.
        slope0, constant, cut0, par0: places in x; -1 for no constant.
        numbers: names of the residual sd and the family's numbers.
        bounds: of these.
    """

    equation: EquationLayout
    turn: Array
    free: tuple[int, ...]
    held: tuple[tuple[str, float], ...]
    means: Array
    mean_offset: float
    slope0: int
    constant: int
    cut0: int
    par0: int
    numbers: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Design:
    """A component: equations that share group effects, with their arrays.

    Attributes:
        layout, priors: of the model.
        parts: by equation.
        blocks: positions of its blocks.
        bases: by block, effects as written in terms of those that are sampled, or None.
        arrays: what the density reads; info, score and rho are set when the mode is found.
        start: coordinates to start from.
        unit: rough size of each coordinate.
        walls: places of sds in x.
    """

    layout: Layout
    priors: Priors
    parts: tuple[Parts, ...]
    blocks: tuple[int, ...]
    bases: tuple[Array | None, ...]
    arrays: Any
    start: Array
    unit: Array
    walls: NDArray[np.int64]


def components(layout: Layout) -> list[tuple[list[int], list[int]]]:
    """Group equations that share a block of group effects.

    Returns:
        Positions of the equations and of the blocks of each component.
    """
    place = {r: i for i, r in enumerate(layout.responses)}
    home = list(range(len(layout.equations)))
    for block in layout.blocks:
        mine = sorted({home[place[m.response]] for m in block.members})
        home = [mine[0] if h in mine else h for h in home]
    out: list[tuple[list[int], list[int]]] = []
    for h in dict.fromkeys(home):
        blocks = [b for b, x in enumerate(layout.blocks) if home[place[x.members[0].response]] == h]
        out.append(([i for i, x in enumerate(home) if x == h], blocks))
    return out


def design(
    layout: Layout, priors: Priors, responses: Responses, of: tuple[list[int], list[int]]
) -> Design:
    """Arrange a component.

    Args:
        layout: of the model.
        priors: in force.
        responses: the data.
        of: positions of its equations and blocks.
    """
    build = _Build(layout, priors, responses, *of)
    return build.design()


class _Build:
    """Collects arrays; `design` puts them together."""

    def __init__(
        self,
        layout: Layout,
        priors: Priors,
        responses: Responses,
        equations: list[int],
        blocks: list[int],
    ) -> None:
        self.layout, self.priors, self.responses = layout, priors, responses
        self.equations = [layout.equations[i] for i in equations]
        self.blocks = blocks
        self.lists: dict[str, list[Any]] = {k: [] for k in Arrays._fields}
        self.bases = [turned(list(layout.blocks[b].sds), priors) for b in blocks]
        self.member0 = np.cumsum([0, *(len(layout.blocks[b].members) for b in blocks)])
        sizes = [len(layout.blocks[b].levels) * len(layout.blocks[b].members) for b in blocks]
        self.block0 = np.cumsum([0, *sizes])
        self.x: list[float] = [0.0] * int(self.block0[-1])
        self.unit: list[float] = [1.0] * int(self.block0[-1])

    def design(self) -> Design:
        parts = [self._equation(e) for e in self.equations]
        walls = self._blocks()
        neff = int(self.block0[-1])
        most = max(len(p.free) + len(p.equation.thresholds) + 1 for p in parts)
        self.lists["sizes"] = [neff, most]
        self.lists["row0"].insert(0, 0)
        self.lists["prior0"].insert(0, 0)
        self.lists["term0"].insert(0, 0)
        self.lists["score"] = [np.zeros(neff)]
        made = {k: _array(k, v) for k, v in self.lists.items()}
        return Design(
            self.layout, self.priors, tuple(parts), tuple(self.blocks), tuple(self.bases),
            Arrays(**made), np.array(self.x), np.array(self.unit), np.array(walls, dtype=np.int64),
        )  # fmt: skip

    def _add(self, **values: Any) -> None:
        for k, v in values.items():
            self.lists[k].append(v)

    def _length(self, name: str) -> int:
        return int(sum(np.size(v) for v in self.lists[name]))

    def _coordinate(self, start: float, unit: float) -> int:
        self.x.append(float(start))
        self.unit.append(float(unit))
        return len(self.x) - 1

    def _equation(self, e: EquationLayout) -> Parts:
        y = self.responses[e.response]
        X = design_matrix(self.layout, e, self.responses)
        names = [t.parameter for t in slopes(self.layout, e.response)]
        keep = [k for k in range(len(names)) if k != e.intercept]
        known = [(k, self.priors[names[k]].held) for k in keep]
        held = [(k, v) for k, v in known if v is not None]
        offset = e.offset + sum((X[:, k] * v for k, v in held), np.zeros(e.n))
        free = [k for k, v in known if v is None]
        Z = X[:, free]
        has = e.has_constant
        means = Z.mean(axis=0) if has else np.zeros(len(free))
        mean_offset = float(offset.mean()) if has else 0.0
        turn = _turn(Z - means)
        own = rough(e, y)
        eta = float(np.mean(pooled(e, y) - e.offset)) + (float(e.offset.mean()) if has else 0.0)
        given = density(e.family, e.link)
        data = given.data(e, y)
        slope0 = len(self.x)
        for _ in free:
            self._coordinate(0.0, 1.0 / np.sqrt(e.n))
        constant, cut0 = -1, len(self.x)
        scale = float(np.std(y)) or 1.0 if e.has_sigma else 1.0
        if e.intercept is not None and not e.codes:
            at = float(y.mean()) if e.link == "identity" else eta
            constant = self._coordinate(at, scale / np.sqrt(e.n))
        if e.codes:
            cut0 = self._thresholds(e, y, own)
        par0 = len(self.x)
        numbers, bounds = self._numbers(e, own, scale)
        self._add(
            address=given.address,
            row0=(self.lists["row0"][-1] if self.lists["row0"] else 0) + e.n,
            data0=self._length("data"), X0=self._length("X"), p=len(free), slope0=slope0,
            constant=constant, cut0=cut0, cuts=len(e.thresholds), par0=par0, pars=len(numbers),
        )  # fmt: skip
        self._add(
            data=data.ravel(), X=((Z - means) @ turn).T.ravel(), eta0=offset - mean_offset,
            weight=np.ones(e.n) if e.weights is None else e.weights,
        )  # fmt: skip
        part = Parts(
            e, turn, tuple(free), tuple((names[k], v) for k, v in held), means, mean_offset,
            slope0, constant, cut0, par0, tuple(numbers), tuple(bounds),
        )  # fmt: skip
        self._linear_priors(part, names)
        self._terms(e)
        return part

    def _thresholds(self, e: EquationLayout, y: Array, own: dict[str, Any]) -> int:
        _, own = relative(own)
        cuts = np.asarray(rough(e, y)["threshold"], dtype=np.float64)
        cut0 = self._coordinate(cuts[(len(cuts) - 1) // 2], 1 / np.sqrt(e.n))
        counts = [np.sum(y == c) for c in e.codes[1:-1]]
        for gap, n in zip(np.diff(cuts), counts, strict=True):
            self._coordinate(np.log(max(gap, 0.05)), 1 / np.sqrt(n + 1.0))
        return cut0

    def _numbers(
        self, e: EquationLayout, own: dict[str, Any], scale: float
    ) -> tuple[list[str], list[tuple[float, float]]]:
        names, bounds = [], []
        self._add(par_prior0=self._length("par_form"))
        kinds = [("sigma", e.sigma, scale)] if e.has_sigma else []
        kinds += [(k, e.scalar(k), float(own.get(k, 1.0))) for k in e.scalars]
        for kind, name, at in kinds:
            prior = self.priors[name]
            low, high = (0.0, np.inf) if kind == "sigma" else (prior.lower, prior.upper)
            if np.isfinite(high):
                share = min(max((at - low) / (high - low), 0.02), 0.98)
                self._coordinate(np.log(share / (1 - share)), 0.2)
            else:
                self._coordinate(np.log(max(at - low, 1e-3)), 0.2)
            form, location, size, shape = _form(prior.distribution)
            self._add(
                par_form=form, par_location=location, par_scale=size, par_shape=shape,
                lower=low, upper=high,
            )  # fmt: skip
            names.append(name)
            bounds.append((low, high))
        return names, bounds

    def _linear_priors(self, part: Parts, names: Sequence[str]) -> None:
        """Add the priors of slopes, constant and thresholds, each on a + A (coordinates)."""
        e, p = part.equation, len(part.free)
        has = int(part.constant >= 0)
        total = p + has + len(e.thresholds)
        held = dict(part.held)
        mine = [names[k] for k in part.free]
        self._add(lin0=self._length("A"))

        def weights(prior: Prior, otherwise: str | None) -> tuple[Array, float]:
            on = dict(prior.on) or ({otherwise: 1.0} if otherwise else {})
            fixed = sum(w * held[n] for n, w in on.items() if n in held)
            return np.array([on.get(n, 0.0) for n in mine]), fixed

        for name in mine:
            prior = self.priors[name]
            w, fixed = weights(prior, name)
            self._prior(prior, fixed, np.concatenate([w @ part.turn, np.zeros(total - p)]))
        if has:
            prior = self.priors[names[int(e.intercept or 0)]]
            w, fixed = weights(prior, None)
            row = np.zeros(total)
            row[:p] = (w - part.means) @ part.turn
            row[p] = 1.0
            self._prior(prior, prior.constant - part.mean_offset + fixed, row)
        for k, name in enumerate(e.thresholds):
            prior = self.priors[name]
            w, fixed = weights(prior, None)
            row = np.zeros(total)
            row[:p] = (part.means - w) @ part.turn
            row[p + has + k] = 1.0
            self._prior(prior, part.mean_offset - prior.constant - fixed, row)
        self.lists["prior0"].append(self._length("form"))

    def _prior(self, prior: Prior, a: float, row: Array) -> None:
        form, location, scale, shape = _form(prior.distribution)
        self._add(a=a, A=row, form=form, location=location, scale=scale, shape=shape)

    def _terms(self, e: EquationLayout) -> None:
        """Add the sampled effects that enter an equation, with what multiplies them."""
        for block, mine in group_terms(self.layout, e.response):
            b = self.blocks.index(self.layout.blocks.index(block))
            z = self._multipliers(b, e, mine)
            for k in np.flatnonzero(np.any(z != 0, axis=1)):
                ones = bool(np.all(z[k] == 1.0))
                self._add(
                    effect=int(self.member0[b] + k), zero_level=self._length("level"),
                    Z0=-1 if ones else self._length("Z"),
                )  # fmt: skip
                self.lists["level"].append(block.index(e))
                if not ones:
                    self.lists["Z"].append(z[k])
        self.lists["term0"].append(len(self.lists["effect"]))

    def _multipliers(self, b: int, e: EquationLayout, mine: Sequence[Term]) -> Array:
        """What multiplies the sampled effects of a block in an equation, (K, n)."""
        z = np.zeros((len(self.layout.blocks[self.blocks[b]].members), e.n))
        for t in mine:
            if t.effect is not None:
                z[t.effect[1]] = t.values(self.layout, self.responses)
        base = self.bases[b]
        return z if base is None else base.T @ z

    def _information(self, b: int, about: Mapping[str, tuple[Array, Array]]) -> Array:
        """A rough look at what each level's rows say of its effects, (J, K, K)."""
        block = self.layout.blocks[self.blocks[b]]
        J, K = len(block.levels), len(block.members)
        info = np.zeros((J, K, K))
        for e in self.equations:
            mine = next((t for x, t in group_terms(self.layout, e.response) if x is block), None)
            if mine is None:
                continue
            z = self._multipliers(b, e, mine)
            residual, precision = about[e.response]
            if e.has_sigma:
                spread = np.average(residual**2, weights=precision + 1e-300)
                precision = precision / max(float(spread), 1e-12)
            at = block.index(e)
            for k in range(K):
                for j in range(K):
                    info[:, k, j] += np.bincount(at, precision * z[k] * z[j], J)
        return info + 1e-9 * np.eye(K) * max(float(info.max()), 1e-9)

    def _blocks(self) -> list[int]:
        """Add the blocks; returns the places of their sds."""
        walls: list[int] = []
        about = {
            e.response: working_residuals(self.layout, e, self.responses) for e in self.equations
        }
        for b, position in enumerate(self.blocks):
            block = self.layout.blocks[position]
            J, K = len(block.levels), len(block.members)
            info = self._information(b, about)
            rho = 1 / np.sqrt(np.einsum("jkk->k", info) / J)
            self._add(
                J=J, K=K, member=int(self.member0[b]), block0=int(self.block0[b]),
                info0=self._length("info"), info=info.ravel(), sd0=len(self.x),
            )  # fmt: skip
            for k, name in enumerate(block.sds):
                walls.append(self._coordinate(np.arcsinh(1.0), 0.2))
                form, location, scale, shape = _form(self.priors[name].distribution)
                self._add(
                    eff0=int(self.block0[b]) + k * J, rho=rho[k], sd_form=form,
                    sd_location=location, sd_scale=scale, sd_shape=shape,
                )  # fmt: skip
            self._add(cor0=len(self.x))
            pairs = block.correlations()
            for _ in pairs:
                self._coordinate(0.0, 0.2)
            eta = self.priors[pairs[0][2]].distribution.parameters["eta"] if pairs else 1.0
            self._add(lkj=eta)
        return walls


def _form(d: Distribution) -> tuple[int, float, float, float]:
    """Return number, location, scale and shape of a prior as the density takes them."""
    if d.name == "Beta":
        return FORMS["Beta"], d.parameters["beta"], 1.0, d.parameters["alpha"]
    shape = {"Cauchy": 1.0, "HalfCauchy": 1.0}.get(d.name, d.shape[0][1] if d.shape else 0.0)
    return FORMS[d.name], d.location, d.scale, shape


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


_REAL = {
    "data", "eta0", "weight", "X", "lower", "upper", "Z", "rho", "info", "score", "lkj", "a", "A",
    "location", "scale", "shape", "par_location", "par_scale", "par_shape", "sd_location",
    "sd_scale", "sd_shape",
}  # fmt: skip


def _array(name: str, values: list[Any]) -> NDArray[Any]:
    dtype = np.uint32 if name == "level" else np.float64 if name in _REAL else np.int64
    pieces = [np.atleast_1d(np.asarray(v)).astype(dtype) for v in values]
    return np.ascontiguousarray(np.concatenate(pieces)) if pieces else np.zeros(1, dtype)[:0]

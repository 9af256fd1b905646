"""The g-formula (Robins, 1986): expected outcomes in worlds where a variable is moved.

For every posterior draw the equations that a scenario names are run anew, and the expected outcome
is averaged over the rows of its equation.

Group effects are drawn anew from their distribution, so that effects are those of a new group and
not of one whose effects are zero. An expectation over rows does not need rows of one group to
share an effect, so each row draws its own, which leaves less noise.

Monte Carlo: each draw and row has an even number of replicates, in pairs that mirror each other
(z and -z) and whose random numbers are equally spaced over pairs, from a start of the row's own
(Cranley & Patterson, 1976), in an order of each number's own. There are so many that a draw has
at least `ROWS` rows times replicates, and all draws together `REPLICATES` replicates and
`POINTS` rows times replicates, unless `MOST` cuts them; a truth is one draw. What noise is left
is a few hundredths of a posterior's sd. Worlds share their random numbers, so that differences
are smooth, total is direct plus indirect on every draw, and what is additive is exact. The
streams are fixed, so that results are too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws
from acmodels.estimands._noise import Key, Mixed, Noise, noise
from acmodels.estimands._scenario import Scenario, World, check_values, reference
from acmodels.families import Family
from acmodels.rng import stream
from acmodels.system import EquationLayout, Layout, parameters
from acmodels.system.columns import Look, part_values, variable_values
from acmodels.system.terms import Factor, LatentMean, Source, Term
from acmodels.system.variances import covariances

ROWS = 1_000
"""Rows times replicates of each posterior draw, at least."""

REPLICATES = 2_000
"""Replicates over all draws, at least."""

POINTS = 1_000_000
"""Rows times replicates over all draws, at least."""

MOST = 20_000_000
"""Rows times replicates over all draws, beyond which two a draw must do (200 for a truth)."""

STRATA = 8
"""Pairs of replicates that are stratified together, at most."""

CHUNK = 1 << 17
"""Numbers in an array that is worked on at a time."""

type Worlds = Mapping[World, Array]
"""Expected outcome in each world, (chain, draw)."""


def worlds(asked: Scenario, draws: Draws) -> Worlds:
    """Compute the expected outcome in each world, kept for the other effects of the same question.

    Where the scenario says `above`, it is the probability that the outcome is above that.

    Raises:
        EstimandError: a transform cannot take a value, or an expected outcome is not finite.
    """
    key = ("response", *asked.key)
    if key not in draws.memory:
        stacked = [len(v) for v in draws.responses.values() if v.ndim > 1]
        if stacked:  # of R data sets, one a "chain"
            each = [_expectations(asked, alone(draws, r)) for r in range(stacked[0])]
            found = {w: np.concatenate([y[w] for y in each]) for w in asked.worlds}
        else:
            found = _expectations(asked, draws)
        draws.memory[key] = found
    return cast(Worlds, draws.memory[key])


def alone(draws: Draws, r: int) -> Draws:
    """Take one of R data sets, with its draws as one chain."""
    return Draws(
        draws.layout,
        {k: v[r] if v.ndim > 1 else v for k, v in draws.responses.items()},
        lambda name: draws.parameter(name)[r : r + 1],
    )


def _expectations(asked: Scenario, draws: Draws) -> Worlds:
    check_values(asked, draws.layout, draws.responses)
    names = [p.name for p in parameters(draws.layout)]
    shape = draws.parameter(names[0]).shape
    flat = {name: draws.parameter(name).ravel() for name in names}
    if not any(np.any(v) for v in flat.values()):  # the rehearsal on zeros, where nothing moves
        return {w: np.zeros(shape) for w in asked.worlds}
    with np.errstate(all="ignore"):
        found = _simulate(_Run(asked, draws, flat))
    if not all(np.isfinite(y).all() for y in found.values()):
        raise EstimandError(
            f"{asked.where}: the expected '{asked.to}' is not finite at some draws; are effects "
            "very large on the scale of its link?"
        )
    return {w: y.reshape(shape) for w, y in found.items()}


@dataclass(frozen=True)
class _Run:
    """A scenario on data.

    Attributes:
        asked: what is run anew.
        data: the layout and the responses.
        draws: every structural parameter, (S,).
    """

    asked: Scenario
    data: Draws
    draws: Mapping[str, Array]

    @property
    def layout(self) -> Layout:
        return self.data.layout


def _replicates(draws: int, rows: int) -> tuple[int, int]:
    """Pairs in a stratified set, and such sets, for each draw."""
    wanted = max(ROWS / rows, REPLICATES / draws, POINTS / (draws * rows))
    least = 200 / draws if draws < 200 else 2
    most = max(MOST / (draws * rows), least, 2)
    pairs = int(np.ceil(min(wanted, most) / 2))
    strata = max(1, min(pairs, STRATA))
    return strata, int(np.ceil(pairs / strata))


def _simulate(run: _Run) -> dict[World, Array]:
    """Average the expected outcome over rows and replicates, (S,) in each world."""
    S, n = len(next(iter(run.draws.values()))), len(run.asked.rows)
    asked, random = run.asked, noise(run.asked, run.layout, run.draws)
    strata, sets = _replicates(S, n) if random.streams else (1, 1)
    size = max(1, CHUNK // (strata * n))
    totals = {w: np.zeros(S) for w in asked.worlds}
    for start in range(0, S * sets, size):
        which = np.arange(start, min(start + size, S * sets)) // sets
        u = random.uniforms(len(which), strata)
        for mirrored in (False, True):
            points = Points(run, random, which, u, (start, int(mirrored)))
            for w in asked.worlds:
                np.add.at(totals[w], which, points.outcome(w))
    return {w: y / (2 * sets) for w, y in totals.items()}


# --- some draws, run anew ----------------------------------------------------------


@dataclass(frozen=True)
class Points:
    """Some draws with their random numbers; arrays are (draws, strata, n) or broadcast to it.

    Attributes:
        run: the scenario on data.
        noise: how random numbers are mixed.
        which: the draw of each, (draws,).
        u: independent random numbers.
        key: where the numbers start, and whether they are mirrored.
        memo: what worlds share.
    """

    run: _Run
    noise: Noise
    which: np.ndarray
    u: Mapping[Key, Array]
    key: tuple[int, int]
    memo: dict[Any, Array] = field(default_factory=dict[Any, Array])

    @property
    def sign(self) -> float:
        return -1.0 if self.key[1] else 1.0

    def kept(self, key: Any, make: Callable[[], Array]) -> Array:
        if key not in self.memo:
            self.memo[key] = make()
        return self.memo[key]

    def parameter(self, name: str) -> Array:
        return self.run.draws[name][self.which][:, None, None]

    def seen(self, response: str, world: World) -> tuple[int | None, ...]:
        """Return what of a world a response depends on."""
        reach = self.run.asked.reach[response]
        return tuple(w if i in reach else None for i, w in enumerate(world))

    def outcome(self, world: World) -> Array:
        """Expected outcome of each draw, (draws,)."""
        e = self.run.layout.equation(self.run.asked.to)

        def make() -> Array:
            given, eta = self.conditional(e), self.predictor(e, world)
            above = self.run.asked.above
            if above is None:
                return given.mean(eta).mean(axis=(1, 2))
            spread = self.spread(e, world)
            if spread is not None:
                given = replace(given, sd=np.sqrt(given.sd**2 + spread))
            return given.exceeds(eta, above).mean(axis=(1, 2))

        return self.kept(("outcome", *self.seen(e.response, world)), make)

    def spread(self, e: EquationLayout, world: World) -> Array | None:
        """Variance of the group effects that are not drawn, or None: those of the outcome alone."""
        blocks: dict[int, list[Term]] = {}
        for t in self.run.asked.terms[e.response]:
            if t.effect is not None and t.effect not in self.noise.effects:
                blocks.setdefault(t.effect[0], []).append(t)
        total: Array | None = None
        for mine in blocks.values():
            S = covariances(self.run.layout, mine, lambda name: self.run.draws[name][self.which])
            z = [self.column(t, world) for t in mine]
            for i, j in np.ndindex(len(mine), len(mine)):
                found = S[:, i, j][:, None, None] * z[i] * z[j]
                total = found if total is None else total + found
        return total

    def value(self, response: str, world: World) -> Array:
        """A response that is drawn."""
        seen = self.seen(response, world)
        e = self.run.layout.equation(response)

        def make() -> Array:
            eta = self.predictor(e, world)
            base = set(seen) <= {0, None}
            first = eta if base else self.predictor(e, (0, 0))
            return self.conditional(e).draw_alike(_Shared(self, e), eta, first)

        return self.kept(("value", response, *seen), make)

    def predictor(self, e: EquationLayout, world: World, mean: LatentMean | None = None) -> Array:
        """Linear predictor, or what of it makes a latent mean."""
        asked = self.run.asked
        seen = world[0] if e.response in asked.active else world[1]
        every = asked.terms[e.response]
        if mean is None:
            constant = e.offset[e.carry[asked.rows]]
        else:
            constant = mean.offset[mean.code[asked.rows]]
            every = tuple(
                t for t in every if t.position in mean.columns or t.effect in mean.effects
            )
        slopes = [t for t in every if t.effect is None]
        fixed = [t for t in slopes if not asked.moving(t)]
        total = np.broadcast_to(constant, (len(self.which), len(asked.rows)))
        if fixed:
            X = self.kept(
                ("X", e.response, seen, tuple(t.position for t in fixed)),
                lambda: np.stack([self.column(t, world) for t in fixed]),
            )
            b = np.stack([self.run.draws[t.parameter][self.which] for t in fixed], axis=1)
            total = total + b @ X
        eta = total[:, None, :]
        for t in slopes:
            if asked.moving(t):
                eta = eta + self.parameter(t.parameter) * self.column(t, world)
        for t in every:
            if t.effect in self.noise.effects:
                u = self.effect(t)
                eta = eta + (u if t.intercept else u * self.column(t, world))
        return eta

    def column(self, t: Term, world: World) -> Array:
        """What a term multiplies, (n,), or of one that rests on what is drawn."""
        out = np.ones(len(self.run.asked.rows))
        for f in t.factors:
            of = {s.key: s for s in f.sources}
            here = {key: self.look(t.response, s, world) for key, s in of.items()}
            out = out * part_values(f.part, here.__getitem__, self._reference(t, f))
        return out

    def _reference(self, t: Term, f: Factor) -> Look | None:
        needed = f.part.level is None and bool(f.part.operand.functions)
        if not needed:
            return None
        responses = self.run.data.responses
        return {s.key: reference(self.run.layout, t, s, responses) for s in f.sources}.__getitem__

    def look(self, response: str, s: Source, world: World) -> Array:
        """Values of a source as an equation sees it."""
        asked, layout = self.run.asked, self.run.layout
        if s.key == asked.move.source:
            seen = world[0] if response in asked.active else world[1]
            return np.full(len(asked.rows), asked.move.values[seen])
        if s.variable in asked.held:
            return np.full(len(asked.rows), asked.held[s.variable])
        if s.variable not in asked.drawn:
            return variable_values(layout, s.key, self.run.data.responses)[asked.rows]
        if s.derived is None or s.latent is None:
            return self.value(s.variable, world)
        own = layout.equation(s.variable)
        mean = self.predictor(own, world, asked.means[s.latent])
        return mean if s.derived.constant else self.value(s.variable, world) - mean

    def effect(self, t: Term) -> Array:
        """A group effect, drawn anew."""
        sd = self.parameter(t.parameter)
        mixed = self.noise.effects[cast("tuple[int, int]", t.effect)]
        return self.kept(("effect", t.effect), lambda: self.sign * sd * self.mixed(mixed))

    def mixed(self, m: Mixed) -> Array:
        """One of several correlated standard normals."""
        L = m.root[self.which]
        total = L[:, m.place, 0][:, None, None] * self.u[m.keys[0]]
        for j in range(1, m.place + 1):
            total = total + L[:, m.place, j][:, None, None] * self.u[m.keys[j]]
        return total

    def residual(self, response: str) -> Array:
        """A standard normal residual, with its correlations to others."""
        if response not in self.noise.residuals:
            return self.sign * self.u["residual", response, 0]
        return self.sign * self.mixed(self.noise.residuals[response])

    def uniform(self, response: str) -> Array:
        u = self.u["uniform", response, 0]
        return 1.0 - u if self.sign < 0 else u

    def generator(self, e: EquationLayout, use: str) -> np.random.Generator:
        """A generator that starts alike in every world."""
        return stream(0, "response scale", use, e.response, *self.key)

    def conditional(self, e: EquationLayout) -> Family:
        """The distribution of a response given its predictor, at these draws."""
        rows = e.carry[self.run.asked.rows]
        return e.conditional(lambda name: self.run.draws[name][self.which][:, None], rows)


@dataclass(frozen=True)
class _Shared:
    """The random numbers of one response, the same in every world; see `families.Noise`."""

    points: Points
    e: EquationLayout

    @property
    def shape(self) -> tuple[int, ...]:
        return self.points.u["uniform", self.e.response, 0].shape

    def normal(self) -> Array:
        return self.points.residual(self.e.response)

    def uniform(self) -> Array:
        return self.points.uniform(self.e.response)

    def generator(self, use: str) -> np.random.Generator:
        return self.points.generator(self.e, use)

"""A panel's equations as a vector autoregression, for estimands that follow a change over waves.

The responses of a wave follow from each other, from those of earlier waves and from predictors:
y[t] = C y[t] + B1 y[t - 1] + B2 y[t - 2] + ... + D0 x[t] + D1 x[t - 1] + .... A unit that lies
one higher at t, its unit mean as before, has deviations one higher too, so that `lag(y)` and
`within(lag(y), g)` are read alike (Lütkepohl, 2005, sections 2.1 and 2.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acmodels.errors import EstimandError, did_you_mean, listing
from acmodels.estimands import Array, Draws, Estimand
from acmodels.estimands._names import equation_name, node_variable
from acmodels.spec.names import quoted
from acmodels.system import Layout
from acmodels.system.columns import column_values, variable_values
from acmodels.system.equation import Column
from acmodels.system.first_waves import first_wave
from acmodels.system.terms import Factor, Term, slopes


@dataclass(frozen=True)
class Link:
    """A term by which a variable, of this wave or an earlier one, enters an equation.

    Attributes:
        source: the variable.
        to: position of the equation.
        lag: how many waves earlier the variable is.
        term: whose coefficient it is.
        rest: what else the term multiplies; its mean over rows is taken.
    """

    source: str
    to: int
    lag: int
    term: Term
    rest: Column

    def slope(self, draws: Draws) -> Array:
        """Compute its slope, (chain, draw)."""
        b = draws.parameter(self.term.parameter)
        if not self.rest.parts:
            return b
        rows = self.term.rows
        e = draws.layout.equations[self.to]
        if e.first is not None:
            rows = rows[~e.first]
        values = column_values(
            self.rest, rows, lambda n: variable_values(draws.layout, n, draws.responses)
        )
        return b * values.mean(axis=-1)[..., None]


@dataclass(frozen=True)
class System:
    """The links of a model in waves.

    Attributes:
        responses: their names, in the order of the matrices.
        links: between responses, and from predictors.
        depth: how many waves back they go.
    """

    responses: tuple[str, ...]
    links: tuple[Link, ...]
    depth: int

    def matrix(self, draws: Draws, lag: int) -> Array:
        """Compute the coefficients of one lag, (chain, draw, K, K); row: into, column: from."""
        K = len(self.responses)
        shape = draws.parameter(self.links[0].term.parameter).shape
        out = np.zeros((*shape, K, K))
        for k in self.links:
            if k.lag == lag and k.source in self.responses:
                out[..., k.to, self.responses.index(k.source)] += k.slope(draws)
        return out

    def direct(self, draws: Draws, source: str, lag: int) -> Array:
        """Compute the coefficients of one predictor, (chain, draw, K)."""
        shape = draws.parameter(self.links[0].term.parameter).shape
        out = np.zeros((*shape, len(self.responses)))
        for k in self.links:
            if k.lag == lag and k.source == source:
                out[..., k.to] += k.slope(draws)
        return out

    def reduced(self, draws: Draws) -> tuple[Array, list[Array]]:
        """Compute what a wave makes of a change in it, and of changes in the waves before."""
        root = np.linalg.inv(np.eye(len(self.responses)) - self.matrix(draws, 0))
        return root, [root @ self.matrix(draws, k) for k in range(1, self.depth + 1)]

    def impulses(self, draws: Draws, source: str, most: int) -> list[Array]:
        """Compute what one unit of a variable at t changes, wave by wave, each (chain, draw, K)."""
        root, back = self.reduced(draws)
        out: list[Array] = []
        for h in range(most + 1):
            if source in self.responses:
                i = self.responses.index(source)
                total = root[..., :, i] if h == 0 else np.zeros(root.shape[:-1])
            else:
                total = (root @ self.direct(draws, source, h)[..., None])[..., 0]
            for k, A in enumerate(back, 1):
                if h >= k:
                    total = total + (A @ out[h - k][..., None])[..., 0]
            out.append(total)
        return out

    def long_run(self, draws: Draws, source: str) -> Array:
        """Compute the sum of all impulses, (chain, draw, K), where shocks fade."""
        root, back = self.reduced(draws)
        whole = np.linalg.pinv(np.eye(len(self.responses)) - sum(back, np.zeros(root.shape)))
        if source in self.responses:
            return (whole @ root)[..., :, self.responses.index(source)]
        lags = {k.lag for k in self.links if k.source == source}
        total = sum((self.direct(draws, source, k) for k in lags), np.zeros(root.shape[:-1]))
        return (whole @ root @ total[..., None])[..., 0]

    def radius(self, draws: Draws) -> Array:
        """Compute the largest modulus of the eigenvalues of the companion matrix, (chain, draw)."""
        _, back = self.reduced(draws)
        K, p = len(self.responses), max(self.depth, 1)
        shape = draws.parameter(self.links[0].term.parameter).shape
        companion = np.zeros((*shape, K * p, K * p))
        for k, A in enumerate(back):
            companion[..., :K, k * K : (k + 1) * K] = A
        companion[..., K:, :-K] += np.eye(K * (p - 1))
        return np.abs(np.linalg.eigvals(companion)).max(axis=-1)


def system(estimand: Estimand, layout: Layout) -> System:
    """Read the links of a model.

    Raises:
        EstimandError: the model has no lags, or a link has no one slope.
    """
    links: list[Link] = []
    for i, e in enumerate(layout.equations):
        for t in slopes(layout, e.response):
            if not first_wave(t.column.name):
                links += _links(estimand, i, t)
    depth = max((k.lag for k in links), default=0)
    if not depth:
        raise EstimandError(
            f"{estimand.where}: a {estimand.kind} is about effects over waves, and no formula of "
            "the model has a lag()"
        )
    _linear(estimand, layout, links)
    return System(layout.responses, tuple(links), depth)


def _links(estimand: Estimand, i: int, t: Term) -> list[Link]:
    """The links of a term: one for a variable that it rests on in a straight line."""
    out: list[Link] = []
    moving = [f for f in t.factors if _moves(f)]
    if len(moving) > 1:
        raise EstimandError(
            f"{estimand.where}: '{t.column.name}' in equations.{t.response} is a product of two "
            "variables that change over waves, so a change has no single effect"
        )
    for f in t.factors:
        given = f.source.equation is None
        if moving and f is not moving[0] and given:
            continue  # a moderator, at its mean
        if f.part.level is not None:
            continue
        d = f.source.derived
        if d is not None and d.constant:
            continue  # the mean of a unit is as before
        if not _straight(f):
            if moving and f is moving[0]:
                raise EstimandError(
                    f"{estimand.where}: '{t.column.name}' in equations.{t.response} is not "
                    f"linear in '{f.source.variable}', so a change has no single effect"
                )
            continue
        rest = Column("", tuple(p for p in t.column.parts if p is not f.part))
        out.append(Link(f.source.variable, i, f.source.lag, t, rest))
    return out


def _moves(f: Factor) -> bool:
    constant = f.source.derived is not None and f.source.derived.constant
    return f.source.endogenous and not constant


def _straight(f: Factor) -> bool:
    """Whether a factor moves one to one with its variable."""
    o = f.part.operand
    taken = f.source.derived is not None
    return not o.others and f.part.curve is None and (o.inner is None or taken)


def _linear(estimand: Estimand, layout: Layout, links: Sequence[Link]) -> None:
    """Refuse responses with a link that others read."""
    for k in links:
        if k.source not in layout.responses:
            continue
        e = layout.equation(k.source)
        if e.link != "identity":
            raise EstimandError(
                f"{estimand.where}: '{k.source}' has a {e.link} link and enters "
                f"equations.{layout.equations[k.to].response}, so a change of its linear "
                "predictor has no single effect over waves"
            )


def source_of(estimand: Estimand, layout: Layout, found: System, text: str) -> str:
    """Return the variable that a change starts from.

    Raises:
        EstimandError: no equation reads it.
    """
    name = node_variable(text)
    known = [k.source for k in found.links]
    if name not in known and name not in layout.responses:
        options = list(dict.fromkeys(known))
        raise EstimandError(
            f"{estimand.where}.from: no equation reads '{text}' as a number"
            f"{did_you_mean(name, options)} "
            f"(variables: {listing([quoted(o) for o in options], 12)})"
        )
    return name


def end_of(estimand: Estimand, layout: Layout, text: str) -> int:
    """Return the position of the response that an effect is on."""
    return layout.responses.index(equation_name(text, layout, f"{estimand.where}.to"))

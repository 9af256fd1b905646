"""What effects of one variable on another share: settings, ends, effects on the linear scale."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Paths, Step
from acmodels.estimands._names import At, Node, equation_name, node, node_variable, settings_rows
from acmodels.estimands._paths import Steps, moderates, touches
from acmodels.estimands._products import Summand, expected_product, expected_slope
from acmodels.estimands._standardized import Standard, standard
from acmodels.spec.names import quoted
from acmodels.spec.strict import Strict
from acmodels.system import Layout, parameters
from acmodels.system.terms import group_terms


class EffectSettings(Strict):
    """Keys that every effect of one variable on another takes."""

    from_: str = Field(alias="from")
    to: str
    at: dict[str, Annotated[list[float | str | bool], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    scale: Literal["linear", "response", "standardized"] = "linear"
    values: Annotated[list[float | str | bool], Field(min_length=2, max_length=2)] | None = None
    arm: Literal[0, 1] | None = None


class Mediated(EffectSettings):
    """Keys of effects through mediators."""

    via: list[str] | list[list[str]] | None = None


def ends(estimand: Estimand, layout: Layout, *, alone: bool = False) -> tuple[Node, str]:
    """Return where an effect on the linear scale starts and ends.

    Args:
        estimand: with the settings of an effect.
        layout: the model on its rows.
        alone: whether no equation but the outcome's matters.

    Raises:
        EstimandError: a name is not in the model, or keys of the response scale are set.
    """
    s = estimand.settings
    if s.scale == "response":
        raise EstimandError(
            f"{estimand.where}.scale: {estimand.kind} is about slopes of the linear predictor and "
            'has no response scale; kind = "total", "direct" and "indirect" have one'
        )
    to = equation_name(s.to, layout, f"{estimand.where}.to")
    if s.values is not None or s.arm is not None:
        one = "one sd more" if s.scale == "standardized" else "one unit more"
        raise EstimandError(
            f'{estimand.where}: values and arm go with scale = "response"; on the {s.scale} scale '
            f"an effect is for {one}"
        )
    start = node(s.from_, layout, f"{estimand.where}.from", to if alone else None)
    if start.variable == to:
        raise EstimandError(f"{estimand.where}: 'from' and 'to' are the same variable")
    return start, to


# --- on the linear scale ----------------------------------------------------------


@dataclass(frozen=True)
class PathSum:
    """The sum of the expected products of unit slopes along paths.

    Attributes:
        at: the moderators' values, row by row.
        paths: whose products are summed.
        rows: for each row and path, the summands of the expected product.
        chains: for each row and each chain of mediators, the slopes of its steps.
        standard: in which sds slopes are measured, or None for units.
    """

    at: tuple[str, ...]
    paths: tuple[Steps, ...]
    rows: tuple[tuple[tuple[Summand, ...], ...], ...]
    chains: tuple[tuple[tuple["Slope", ...], ...], ...] = ()
    standard: Standard | None = None

    @property
    def product(self) -> tuple[str, str] | None:
        """The two coefficients whose product it is, where it is one."""
        found = [s for products in self.rows for p in products for s in p]
        if (
            self.standard is None
            and len(found) == 1
            and found[0].plain
            and len(found[0].coefficients) == 2
        ):
            return found[0].coefficients[0], found[0].coefficients[1]
        return None

    def evaluate(self, draws: Draws) -> list[Array]:
        """Compute it row by row, (chain, draw)."""
        times = 1.0
        if self.standard is not None:
            times = self.standard.ratio("", self.paths[0][-1][1], draws)
        return [
            times * np.sum([_total(p, draws) for p in products], axis=0) for products in self.rows
        ]

    def steps(self, draws: Draws) -> list[Paths]:
        """Compute the slopes of the steps, row by row."""
        return [tuple(self._steps(chain, draws) for chain in chains) for chains in self.chains]

    def _steps(self, chain: Sequence["Slope"], draws: Draws) -> tuple[Step, ...]:
        out: list[Step] = []
        before = ""
        for s in chain:
            step = s.step(draws)
            if self.standard is not None:
                step = replace(step, draws=step.draws * self.standard.ratio(before, s.to, draws))
            out.append(step)
            before = s.to
        return tuple(out)


@dataclass(frozen=True)
class Slope:
    """The expected slope of one step of a path.

    Attributes:
        source, to: its ends.
        summands: of the slope.
    """

    source: str
    to: str
    summands: tuple[Summand, ...]

    def step(self, draws: Draws) -> Step:
        """Compute it."""
        return Step(self.source, self.to, _total(self.summands, draws))


def _total(summands: Sequence[Summand], draws: Draws) -> Array:
    """Sum the summands; zero where there are none."""
    if not summands:
        return np.zeros_like(draws.parameter(parameters(draws.layout)[0].name))
    return sum((s.value(draws) for s in summands[1:]), summands[0].value(draws))


def path_sum(
    layout: Layout,
    all_paths: Sequence[Steps],
    rows: Sequence[tuple[str, At]],
    standard: Standard | None = None,
) -> PathSum:
    """Resolve the sum over paths at stated values of moderators.

    Args:
        layout: the model on its rows.
        all_paths: to sum over.
        rows: a label and the values at which variables are held, for each row.
        standard: in which sds slopes are measured, or None for units.
    """
    found = tuple(tuple(expected_product(layout, p, held) for p in all_paths) for _, held in rows)
    slopes = tuple(
        tuple(_slopes(layout, c, held) for c in chains(all_paths) if len(c[0]) > 1)
        for _, held in rows
    )
    return PathSum(tuple(label for label, _ in rows), tuple(all_paths), found, slopes, standard)


def chains(all_paths: Sequence[Steps]) -> list[list[Steps]]:
    """Group paths that lead through the same mediators, whatever each takes of them."""
    out: dict[tuple[str, ...], list[Steps]] = {}
    for p in all_paths:
        out.setdefault(tuple(response for _, response in p), []).append(p)
    return list(out.values())


def _slopes(layout: Layout, chain: Sequence[Steps], held: At) -> tuple[Slope, ...]:
    """The slopes of the steps of a chain of mediators."""
    responses = [response for _, response in chain[0]]
    nodes = [list(dict.fromkeys(p[k][0] for p in chain)) for k in range(len(responses))]
    rows = layout.equation(responses[-1]).rows
    out: list[Slope] = []
    for k, response in enumerate(responses):
        onward: list[Node | None] = [*nodes[k + 1]] if k + 1 < len(nodes) else [None]
        one = nodes[k][0]
        source = one.text if len(nodes[k]) == 1 else quoted(one.variable)
        found = expected_slope(layout, (nodes[k], onward), response, rows, held)
        out.append(Slope(source, response, found))
    return tuple(out)


def resolve_paths(estimand: Estimand, layout: Layout, all_paths: Sequence[Steps]) -> PathSum:
    """Resolve the sum over paths at the values that `at` gives.

    Raises:
        EstimandError: a moderator has no say in any of the paths.
    """
    at = estimand.settings.at
    rows = settings_rows(at, layout, estimand.where)
    check_moderators(estimand, layout, all_paths, list(at))
    return path_sum(layout, all_paths, rows, measured(estimand, layout, all_paths))


def measured(estimand: Estimand, layout: Layout, all_paths: Sequence[Steps]) -> Standard | None:
    """Return in which sds an effect is measured, or None where it is in units."""
    if estimand.settings.scale != "standardized":
        return None
    return standard(layout, all_paths[0][0][0], all_paths[0][-1][1], estimand.where)


def check_moderators(
    estimand: Estimand, layout: Layout, all_paths: Sequence[Steps], names: Sequence[str]
) -> None:
    """Refuse moderators that have no say in any of the paths.

    Raises:
        EstimandError: there is one.
    """
    for name in names:
        variable = node_variable(name)
        if not any(moderates(layout, variable, p) for p in all_paths):
            raise EstimandError(
                f"{estimand.where}.at: '{name}' does not moderate any step of this effect; it "
                "needs an "
                "interaction or a curved term with a variable of the path"
            )


# --- what a reader must know ------------------------------------------------------


def path_warnings(layout: Layout, all_paths: Sequence[Steps]) -> list[str]:
    """Return what a reader of a product of slopes must know."""
    out: list[str] = []
    for path in all_paths:
        for (_, response), (_, target) in pairwise(path):
            e = layout.equation(response)
            if e.link != "identity":
                out.append(
                    f"'{response}' has a {e.link} link, so on the linear scale an effect through "
                    f"it multiplies a change in its {e.link} by the effect of '{response}' itself "
                    f"on '{target}'; it is not an effect in units of '{target}' (scale = "
                    '"response" gives one)'
                )
    return out + sharing_warnings(layout, all_paths)


def sharing_warnings(layout: Layout, all_paths: Sequence[Steps]) -> list[str]:
    """Return what groupings do to effects through mediators, on either scale."""
    out: list[str] = []
    for path in all_paths:
        for (n, response), (taken, target) in pairwise(path):
            out += _unshared(layout, n, taken, response, target)
            if taken.operand is None:
                out += _undecomposed(layout, response, target)
    return out


def _unshared(layout: Layout, n: Node, m: Node, response: str, target: str) -> list[str]:
    """Warn where both slopes vary by one grouping without a shared covariance."""

    def varying(node: Node, of: str) -> dict[int, str]:
        found = group_terms(layout, of)
        return {
            t.effect[0]: block.group
            for block, mine in found
            for t in mine
            if t.effect is not None and touches(t, node)
        }

    first = {group: b for b, group in varying(n, response).items()}
    return [
        f"the effects of '{n.text}' on '{response}' and of "
        f"'{response}' on '{target}' both vary by '{group}', but the model takes them as "
        f"independent; write |id| in both formulas so that their covariance enters the effect"
        for b, group in varying(m, target).items()
        if group in first and first[group] != b
    ]


def _undecomposed(layout: Layout, response: str, target: str) -> list[str]:
    """Warn of a 1-1-1 path on variables that mix differences within and between groups."""
    lower, upper = layout.equation(response), layout.equation(target)
    if lower.level != upper.level:
        return []
    of = {b.group for b, _ in group_terms(layout, response)}
    shared = sorted(
        b.group for b, _ in group_terms(layout, target) if b.group in of and len(b.levels) < lower.n
    )
    if not shared:
        return []
    groups = ", ".join(repr(g) for g in dict.fromkeys(shared))
    said = (
        f"'{response}' varies within and between {groups}, so effects through it mix the two; "
        f"separate them with within({response}, …) and between({response}, …), or read them as a "
        "weighted average of both"
    )
    return [said]

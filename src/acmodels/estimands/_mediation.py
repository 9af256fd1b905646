"""What direct, indirect and total effects share: settings, steps, rows and warnings."""

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from acmodels.errors import EstimandError, did_you_mean, listing
from acmodels.estimands import Array, Context, Estimand, Row
from acmodels.estimands import _effects as fx
from acmodels.spec.names import quoted
from acmodels.spec.strict import Strict

type Steps = tuple[tuple[fx.Node, str], ...]
"""The arrows of a path: from a node into a response."""


class Effect(Strict):
    """Keys that every effect of one variable on another takes."""

    from_: str = Field(alias="from")
    to: str
    at: dict[str, Annotated[list[float | str | bool], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    scale: Literal["linear", "response"] = "linear"
    values: Annotated[list[float | str | bool], Field(min_length=2, max_length=2)] | None = None
    arm: Literal[0, 1] | None = None


class Mediated(Effect):
    """Keys of effects through mediators."""

    via: list[str] | list[list[str]] | None = None


def ends(estimand: Estimand, context: Context) -> tuple[fx.Node, str]:
    """Return where an effect on the linear scale starts and ends.

    Raises:
        EstimandError: a name is not in the model, or keys of the response scale are set.
    """
    s = estimand.settings
    if s.scale == "response":
        raise EstimandError(
            f"{estimand.where}.scale: {estimand.kind} is about slopes of the linear predictor and "
            'has no response scale; kind = "total", "direct" and "indirect" have one'
        )
    to = fx.equation_name(s.to, context, f"{estimand.where}.to")
    if s.values is not None or s.arm is not None:
        raise EstimandError(
            f'{estimand.where}: values and arm go with scale = "response"; on the linear scale '
            "an effect is for one unit more"
        )
    alone = to if estimand.kind in ("direct", "slope_at") else None
    start = fx.node(s.from_, context, f"{estimand.where}.from", alone)
    if start.variable == to:
        raise EstimandError(f"{estimand.where}: 'from' and 'to' are the same variable")
    return start, to


def mediated_paths(estimand: Estimand, context: Context) -> list[Steps]:
    """The paths that `via` names, or all of them, on the linear scale."""
    return named_paths(estimand, context, *ends(estimand, context))


def named_paths(estimand: Estimand, context: Context, start: fx.Node, to: str) -> list[Steps]:
    """The paths that `via` names, or all of them.

    Raises:
        EstimandError: a step has no arrow, or there is no path at all.
    """
    via = getattr(estimand.settings, "via", None)
    if via is None:
        found = fx.paths(context, start, to)
        if not found:
            raise EstimandError(
                f"{estimand.where}: no path leads from '{start.text}' to '{to}' through a "
                "mediator in this model"
            )
        return [steps(start, p, to) for p in found]
    chains: list[list[str]] = [[v] if isinstance(v, str) else v for v in via]
    if all(isinstance(v, str) for v in via):
        chains = [[str(v) for v in via]]
    if not chains or not all(chains):
        raise EstimandError(f"{estimand.where}.via: name at least one mediator, or leave it out")
    out: list[Steps] = []
    for chain in chains:
        possible = [steps(start, nodes, to) for nodes in _chains(estimand, context, chain, to)]
        broken = [_gap(context, path) for path in possible]
        if all(broken):
            raise EstimandError(f"{estimand.where}: {broken[0]}")
        for path, gap in zip(possible, broken, strict=True):
            if gap:
                continue
            if path in out:
                raise EstimandError(
                    f"{estimand.where}.via: the path by {listing([n.text for n, _ in path[1:]])} "
                    "is named twice"
                )
            out.append(path)
    return out


def _gap(context: Context, path: Steps) -> str:
    """Say which arrow of a path is not there, or nothing."""
    for k, (n, response) in enumerate(path):
        onward = path[k + 1][0] if k + 1 < len(path) else None
        if not fx.leg(context, n, response, onward):
            part = onward.text if onward is not None and onward.operand is not None else ""
            return (
                f"there is no arrow from '{n.text}' to '{part or response}'; the formula of "
                f"equations.{response} does not hold '{n.text}'"
                + (f" in what {part} takes of it" if part else "")
            )
    return ""


def _chains(
    estimand: Estimand, context: Context, chain: Sequence[str], to: str
) -> list[tuple[fx.Node, ...]]:
    """The nodes of a path by named mediators; a bare name stands for all that is taken of it."""
    names = [fx.equation_name(m, context, f"{estimand.where}.via") for m in chain]
    choices: list[list[fx.Node]] = []
    for text, name, target in zip(chain, names, [*names[1:], to], strict=True):
        there = fx.links(context, name, target)
        said = [n for n in there if n.text == fx.spelled(text)]
        if not there:
            said = [fx.Node(quoted(name), name)]
        elif not said and fx.spelled(text) == quoted(name):
            said = there
        if not said:
            raise EstimandError(
                f"{estimand.where}.via: equations.{target} does not hold '{text}'"
                f"{did_you_mean(text, [n.text for n in there])} (it holds "
                f"{listing([n.text for n in there])})"
            )
        choices.append(said)
    return list(product(*choices))


def steps(start: fx.Node, via: Sequence[fx.Node], to: str) -> Steps:
    """Arrows of the path from a node through mediators to a response."""
    targets = [*(n.variable for n in via), to]
    return tuple(zip([start, *via], targets, strict=True))


def rows_of_effect(estimand: Estimand, context: Context, all_paths: Sequence[Steps]) -> list[Row]:
    """One row for each combination of moderator values.

    Raises:
        EstimandError: a moderator has no say in any of the paths.
    """
    at = estimand.settings.at
    rows = fx.settings_rows(at, context, estimand.where)
    for name in at:
        variable = fx.node_variable(name)
        if not any(fx.moderates(context, variable, p) for p in all_paths):
            raise EstimandError(
                f"{estimand.where}.at: '{name}' moderates no step of this effect; it needs an "
                "interaction or a curved term with a variable of the path"
            )
    return [Row(label, sum_of_paths(context, all_paths, held)) for label, held in rows]


def sum_of_paths(context: Context, all_paths: Sequence[Steps], held: fx.At) -> Array:
    """Sum of the expected products along paths; shape (chain, draw)."""
    values: list[Array] = []
    for path in all_paths:
        rows = context.layout.equation(path[-1][1]).rows
        onward = [*(n for n, _ in path[1:]), None]
        legs = [
            fx.slope_atoms(context, n, r, rows, held, o)
            for (n, r), o in zip(path, onward, strict=True)
        ]
        values.append(fx.expected_product(context, legs))
    return np.sum(values, axis=0)


def path_warnings(context: Context, all_paths: Sequence[Steps]) -> list[str]:
    """Return what a reader of a product of slopes must know."""
    out: list[str] = []
    for path in all_paths:
        for (_, response), (_, target) in pairwise(path):
            e = context.layout.equation(response)
            if e.link != "identity":
                out.append(
                    f"'{response}' has a {e.link} link, so on the linear scale an effect through "
                    f"it multiplies a change in its {e.link} by the effect of '{response}' itself "
                    f"on '{target}'; it is not an effect in units of '{target}' (scale = "
                    '"response" gives one)'
                )
    return out + sharing_warnings(context, all_paths)


def sharing_warnings(context: Context, all_paths: Sequence[Steps]) -> list[str]:
    """Return what groupings do to effects through mediators, on either scale."""
    out: list[str] = []
    for path in all_paths:
        for (n, response), (taken, target) in pairwise(path):
            out += _unshared(context, n, taken, response, target)
            if taken.operand is None:
                out += _undecomposed(context, response, target)
    return out


def _unshared(context: Context, n: fx.Node, m: fx.Node, response: str, target: str) -> list[str]:
    """Warn where both slopes vary by one grouping without a shared covariance."""
    first = {
        b.group: b
        for b in context.layout.blocks
        if any(k.response == response and fx.touches(k.column, n) for k in b.members)
    }
    return [
        f"the effects of '{n.text}' on '{response}' and of "
        f"'{response}' on '{target}' both vary by '{b.group}', but the model takes them as "
        f"independent; write |id| in both formulas so that their covariance enters the effect"
        for b in context.layout.blocks
        if any(k.response == target and fx.touches(k.column, m) for k in b.members)
        and b.group in first
        and first[b.group] is not b
    ]


def _undecomposed(context: Context, response: str, target: str) -> list[str]:
    """Warn of a 1-1-1 path on variables that mix differences within and between groups."""
    layout = context.layout
    lower, upper = layout.equation(response), layout.equation(target)
    if lower.level != upper.level:
        return []
    of = {b.group for b, _ in layout.blocks_of(response)}
    shared = sorted(
        b.group for b, _ in layout.blocks_of(target) if b.group in of and len(b.levels) < lower.n
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

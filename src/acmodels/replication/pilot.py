"""A plan from a pilot: truths and what is unknown of them taken from a fitted study."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from acmodels.errors import ModelError, listing
from acmodels.inference.fitting import Fit
from acmodels.replication.pilot_predictors import carried
from acmodels.spec import parameters as named
from acmodels.spec.plan import Plan
from acmodels.system import parameters


def plan_from_pilot(plan: Plan, pilot: Fit) -> dict[str, Any]:
    """The contents of a plan file whose truths and predictors are a pilot's.

    See `plan_and_words`, which also says what was carried over.
    """
    return plan_and_words(plan, pilot)[0]


def plan_and_words(plan: Plan, pilot: Fit) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The contents of a plan file whose truths and predictors are a pilot's, and what it took.

    Coefficients and positive parameters become truths (posterior medians) and distributions of
    truths: a coefficient's is normal with its posterior mean and sd, a positive one's log-normal
    with the mean and sd of its logarithm, so that power becomes assurance that carries what the
    pilot left open (Spiegelhalter, Abrams & Myles 2004, ch. 6). They are drawn one by one, without
    the posterior's correlations. Intercepts, correlations and thresholds are held at their medians,
    and what the plan's grid steps through stays the grid's.

    Predictors that the plan does not describe get the pilot's distribution, level and intraclass
    correlations, and cells are lost as in the pilot where the plan has no `[loss]`.

    Args:
        plan: from `load_plan`, of the same model.
        pilot: a fit of the plan's model.

    Raises:
        ModelError: the fit is of a model with other parameters, or cannot be used.

    Returns:
        The plan's table, and sentences about what was carried over and what was not.
    """
    if not pilot.diagnostics.usable:
        raise ModelError(
            f"{plan.source}: the pilot's posterior cannot be used: "
            f"{listing(list(pilot.diagnostics.messages), 3)}"
        )
    known = {p.name: p for p in parameters(pilot.system.layout)}
    stated = {*plan.cells[0].design.truth, *plan.design_prior}
    other = [n for n in stated if n not in known]
    if other:
        raise ModelError(
            f"{plan.source}: the pilot is of another model: it has no {listing(other)} "
            f"(parameters: {listing(list(known), 12)})"
        )
    table: dict[str, Any] = {k: v for k, v in plan.table.items() if k != "design_prior"}
    truth, prior = dict(table.get("truth", {})), dict[str, Any]()
    values = pilot.draws.values
    for k, name in enumerate(pilot.draws.names):
        if name not in known or name in plan.grid or known[name].kind == "step":
            continue
        x = values[..., k].ravel()
        truth[name] = _round(float(np.median(x)))
        if known[name].kind == "simo" or named.is_intercept(name):
            continue
        if known[name].kind == "coefficient":
            prior[name] = {"dist": "Normal", "mu": _round(x.mean()), "sigma": _round(x.std(ddof=1))}
        elif known[name].kind not in ("cor", "threshold"):
            log = np.log(np.maximum(x, 1e-12))
            spread = {"mu": _round(log.mean()), "sigma": _round(log.std(ddof=1))}
            prior[name] = {"dist": "LogNormal", **spread}
    found = carried(table, plan.cells[0].design, pilot)
    table |= {"exogenous": dict(found.exogenous), "loss": dict(found.loss)}
    table = {k: v for k, v in table.items() if v not in ({}, None)}
    return {**table, "truth": _whole_shares(truth), "design_prior": prior}, found.said


def _whole_shares(truth: dict[str, Any]) -> dict[str, Any]:
    """Shares of monotonic effects that sum to 1 after rounding."""
    sums: dict[str, float] = {}
    for name, value in truth.items():
        if name.startswith("simo("):
            key = name.rsplit("[", 1)[0]
            sums[key] = sums.get(key, 0.0) + value
    return {
        n: v / sums[n.rsplit("[", 1)[0]] if n.startswith("simo(") else v for n, v in truth.items()
    }


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def to_toml(table: Mapping[str, Any], comment: str = "") -> str:
    """A plan's contents as TOML.

    Args:
        table: plain values, then tables of values or of inline tables.
        comment: lines for its head.
    """
    out = [f"# {line}".rstrip() for line in comment.splitlines()]
    out += [f"{_key(k)} = {_value(v)}" for k, v in table.items() if not isinstance(v, Mapping)]
    for name, inner in table.items():
        if isinstance(inner, Mapping) and inner:
            out += ["", f"[{_key(name)}]"]
            out += [f"{_key(str(k))} = {_value(v)}" for k, v in inner.items()]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return "\n".join(out) + "\n"


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else _text(name)


def _text(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(str(k))} = {_value(v)}" for k, v in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(v) for v in value)}]"
    return repr(value)

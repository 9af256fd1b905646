"""The propositions together with the shipped models that can test them."""

from typing import Any

from acmodels.framework import Proposition, constructs, proposition, propositions
from acmodels.framework.operating import TARGET, ranks, rates, smallest
from acmodels.inference.reasons import region_words
from acmodels.load import load_model, shipped_models
from acmodels.numbers import decimal, number, share, stated
from acmodels.spec.model import Model
from acmodels.system.rows import uses


def entries() -> list[dict[str, Any]]:
    """Every proposition with the first shipped model and estimand that test it."""
    tested = _tested()
    return [_entry(p, tested.get(p.id, [])) for p in propositions().values()]


def entry(identifier: str) -> dict[str, Any]:
    """One proposition.

    Raises:
        InputError: there is none of that name.
    """
    p = proposition(identifier)
    return _entry(p, _tested().get(p.id, []))


def page(one: dict[str, Any]) -> str:
    """A proposition as a page of plain text."""
    lines = [
        f"{one['id']} (tier {one['tier']})",
        one["statement"],
        "",
        f"Source:      {one['source']}",
        f"Constructs:  {', '.join(one['constructs'])}",
        f"Level:       {', '.join(one['level'])}",
        f"Form:        {one['form']}",
    ]
    if one["rivals"]:
        lines.append(f"Rivals:      {', '.join(one['rivals'])}")
    for test in one["tests"]:
        rope = f", negligible within {test['rope']}" if test["rope"] else ""
        lines += [
            "",
            f"Model:       {test['model']}",
            f"Estimand:    {test['estimand']}",
            f"Rule:        {test['region']} with probability {stated(test['probability'])}{rope}",
            f"Data:        {test['data']}",
            f"Calibration: {test['calibration']}",
        ]
    if not one["tests"]:
        lines += ["", "Not yet executable: no shipped model tests it."]
    return "\n".join(lines)


def _entry(p: Proposition, tests: list[dict[str, Any]]) -> dict[str, Any]:
    names = {k: c.name for k, c in constructs().items()}
    return {
        "id": p.id,
        "statement": p.statement,
        "source": p.source,
        "tier": p.tier,
        "executable": bool(tests),
        "model": tests[0]["model"] if tests else None,
        "estimand": tests[0]["estimand"] if tests else None,
        "constructs": [names.get(c, c) for c in p.constructs],
        "level": list(p.level),
        "form": p.form,
        "rivals": list(p.rivals),
        "tests": tests,
    }


def _tested() -> dict[str, list[dict[str, Any]]]:
    out: dict[str, list[dict[str, Any]]] = {}
    for name in shipped_models():
        model = load_model(name)
        for p in model.propositions.values():
            out.setdefault(p.id, []).append(
                {
                    "model": name,
                    "estimand": p.estimands,
                    "region": "; ".join(region_words(c) for c in p.claims),
                    "rope": list(p.rope) if p.rope else None,
                    "probability": p.probability,
                    "data": needed_data(model),
                    "calibration": calibration_words(p.id, name),
                }
            )
    return out


def needed_data(model: Model) -> str:
    """The columns that a model reads."""
    columns = (c for e in model.equations.values() for c, _ in uses(e, with_responses=True))
    return ", ".join(dict.fromkeys(columns))


def calibration_words(identifier: str, model: str) -> str:
    """Return how a proposition's test behaves on simulated studies, in words."""
    out: list[str] = []
    r = rates().get((identifier, model))
    if r is not None:
        least = smallest(r)
        if least is not None:
            at = ", ".join(
                f"{decimal(100 * s, 0)} % with {d}"
                for s, d in zip(r.supported, r.districts, strict=True)
            )
            out.append(
                f"where the effect is {number(r.effect, 2)}, supported in {at} districts; "
                f"{share(TARGET)} from {least[0]} {least[1]} districts"
            )
        out.append(
            f"where it is not so, supported in at most {share(r.false_support, 1)} of "
            f"{r.studies} studies"
        )
    b = ranks().get(model)
    if b is not None:
        out.append(
            f"ranks of truths in {b.studies:,} posteriors of the model are "
            f"{'uniform' if b.p >= 1e-3 else 'not uniform'} (p = {number(b.p, 2)})"
        )
    return "; ".join(out) or "not measured"

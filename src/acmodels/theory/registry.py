"""The propositions of a framework, with what each compiles to and how its kind of test behaves."""

from typing import Any

from acmodels.framework import proposition, propositions
from acmodels.framework.files import shipped
from acmodels.framework.graph import Framework, Proposition
from acmodels.load import load_model
from acmodels.numbers import stated
from acmodels.theory import claims
from acmodels.theory.claims import LATER
from acmodels.theory.rates import sentences
from acmodels.theory.wording import claim_words, constructs_of

FOLDER = "framework"
"""Where the compiled models of the shipped framework lie among its models."""


def entries(f: Framework | None = None) -> list[dict[str, Any]]:
    """Return every proposition with what it compiles to."""
    f = f or shipped()
    return [entry(p, f) for p in f.propositions.values()]


def entry(p: Proposition | str, f: Framework | None = None) -> dict[str, Any]:
    """Return one proposition with what it compiles to.

    Raises:
        InputError: there is none of that name.
    """
    f = f or shipped()
    if isinstance(p, str):
        p = _named(p, f)
    executable = all(c.kind in claims.kinds() for c in p.claims)
    names = [f.constructs[c].name for claim in p.claims for c in constructs_of(claim)
             if c in f.constructs]  # fmt: skip
    levels = [f.constructs[c].level for claim in p.claims for c in constructs_of(claim)
              if c in f.constructs]  # fmt: skip
    kinds = list(dict.fromkeys(c.kind for c in p.claims))
    return {
        "id": p.id,
        "statement": p.statement,
        "source": p.source,
        "tier": p.tier,
        "executable": executable,
        "model": f"{FOLDER}/{p.id}" if executable and f is shipped() else None,
        "estimand": _estimand(p.id) if executable and f is shipped() else None,
        "kind": kinds,
        "claim": [claim_words(f, c) for c in p.claims],
        "constructs": list(dict.fromkeys(names)),
        "level": list(dict.fromkeys(levels)),
        "not_asked": list(p.not_asked),
        "rivals": list(p.rivals),
        "probability": p.probability or f.probability,
        "smallest": f.smallest if p.smallest is None else p.smallest,
        "rates": list(sentences(f, p.claims)),
    }


def _estimand(identifier: str) -> str | None:
    """The estimand of the compiled model that a verdict is about most directly."""
    names = list(load_model(f"{FOLDER}/{identifier}").estimands)
    whole = [n for n in names if n in ("effect", "difference", "share", "slopes", "slope_high")]
    return next(iter([*whole, *names]), None)


def _named(name: str, f: Framework) -> Proposition:
    if f is shipped():
        return proposition(name)
    return f.proposition(name)


def page(one: dict[str, Any]) -> str:
    """Return a proposition as a page of plain text."""
    lines = [
        f"{one['id']} (tier {one['tier']})",
        one["statement"],
        "",
        f"Source:      {one['source'] or 'none given'}",
        *(f"Claim:       {c} ({k})" for c, k in _claims(one)),
        *(f"Not asked:   {n}" for n in one["not_asked"]),
        f"Constructs:  {', '.join(one['constructs'])}",
        f"Level:       {', '.join(one['level'])}",
        (
            f"Rule:        a probability of {stated(one['probability'])}; effects within "
            f"{stated(one['smallest'])} sd are negligible"
        ),
    ]
    lines += [f"Error rates: {said}" for said in one["rates"]]
    if one["rivals"]:
        lines.append(f"Rivals:      {', '.join(one['rivals'])}")
    if one["model"] is not None:
        lines += [
            "",
            f"Model:       {one['model']}, on a full study",
            f"Estimand:    {one['estimand']}",
            f"`acmodels model {one['id']} DATA` prints what it compiles to on your data.",
        ]
    elif not one["executable"]:
        later = ", ".join(k for k in one["kind"] if k in LATER)
        lines += ["", f"Cannot be tested yet: claims of the kind {later} are not compiled yet."]
    return "\n".join(lines)


def _claims(one: dict[str, Any]) -> list[tuple[str, str]]:
    kinds = (
        one["kind"] if len(one["kind"]) == len(one["claim"]) else one["kind"] * len(one["claim"])
    )
    return list(zip(one["claim"], kinds, strict=False))


__all__ = ["entries", "entry", "page", "propositions"]

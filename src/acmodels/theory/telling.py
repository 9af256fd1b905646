"""What a proposition compiles to, in words: the question, the models with reasons, the rule."""

from acmodels.framework.graph import Framework
from acmodels.numbers import decimal, stated
from acmodels.theory.compiler import CompiledProposition


def told(f: Framework, found: CompiledProposition) -> str:
    """Write the models of a proposition with the rule that turns them into a verdict.

    The whole is TOML with comments; where there is one model, it can be fitted as it is.
    """
    p = found.proposition
    out = [f"{p.id}: {p.statement}", *([f"Source: {p.source}"] if p.source else [])]
    out += [f"Not asked: {n}" for n in p.not_asked]
    for claim in found.compiled:
        out += ["", f"Claim: {claim.question}."]
        if claim.level:
            out.append(f"Judged at the level of: {claim.level}")
        need = f"Rule: supported where P >= {stated(found.terms.probability)}"
        out += [f"{need}: {line}" for line in claim.rule_words[:1]]
        out += [f"      and: {line}" for line in claim.rule_words[1:]]
        out.append(f"      A negligible effect is within {stated(found.terms.smallest)} sd.")
        out += [f"Note: {n}" for n in claim.notes]
        out += confounding(f, found, claim.adjusted)
    out += past(found)
    out += [f"Not testable: {why}; the rest can contradict the whole." for why in found.lacking]
    lines = [f"# {line}".rstrip() for line in out]
    first, *others = [m for claim in found.compiled for m in claim.models]
    lines += ["", first.text().rstrip()]
    for m in others:  # one file is one model, so that the others are comments
        lines += ["", f"# ---- a further model of this proposition: {m.name}"]
        lines += [f"# {line}".rstrip() for line in m.text().splitlines()]
    return "\n".join(lines)


def confounding(f: Framework, found: CompiledProposition, adjusted: tuple[str, ...]) -> list[str]:
    """Say what is held fixed, in part, and not at all; of the past see `past`."""
    name = {c.id: c.name for c in f.constructs.values()}
    out = [f"Adjusted for: {', '.join(name[c] for c in adjusted) or 'nothing'}"]
    lacking = dict.fromkeys(
        c for claim in found.compiled for a in claim.adjustment for c in a.lacking
    )
    if lacking:
        out.append(
            "Not adjusted for, since the data lack it: " + ", ".join(name[c] for c in lacking)
        )
    out += [
        f"Adjusted for in part: {name.get(c, c)}, by the means of its rows (reliability "
        f"{decimal(r, 2)})"
        for c, r in _partly(found).items()
    ]
    dropped = dict.fromkeys(
        c for claim in found.compiled for a in claim.adjustment for c in a.dropped
    )
    if dropped:
        out.append(
            "Not adjusted for, since the equation has no room for it: "
            + ", ".join(name[c] for c in dropped)
        )
    shared = dict.fromkeys(
        s for claim in found.compiled for a in claim.adjustment for s in a.shared
    )
    out += [
        "Not adjusted for, since it is not measured: the common cause of "
        + ", ".join(name.get(c, c) for c in group)
        for group in shared
    ]
    return out


def _partly(found: CompiledProposition) -> dict[str, float]:
    """Constructs whose units' means are those of a few rows, with the least reliability of each."""
    out: dict[str, float] = {}
    for claim in found.compiled:
        for a in claim.adjustment:
            for c, r in a.partly:
                out[c] = min(r, out.get(c, 1.0))
    return out


def past(found: CompiledProposition) -> list[str]:
    """Say that the past is not held fixed, where the theory has it matter."""
    if not any(a.past for claim in found.compiled for a in claim.adjustment):
        return []
    return [
        (
            "Not adjusted for: earlier waves. The theory has feedback over time, so one wave of "
            "data does not identify this effect."
        )
    ]

"""Claims in words, with the field's names of their constructs."""

from acmodels.framework.graph import Claim, Framework
from acmodels.theory import claims
from acmodels.theory.claims import LATER


def constructs_of(claim: Claim) -> tuple[str, ...]:
    """Return the constructs of a claim, whether its kind is compiled or not."""
    if claim.kind in claims.kinds():
        return claims.kind(claim.kind).roles(claims.read(claim, claim.kind)).all
    out: dict[str, None] = {}
    for key in ("from", "of", "constructs", "to"):
        value = claim.keys.get(key)
        for one in [value] if isinstance(value, str) else value or ():
            if isinstance(one, str):
                out[one] = None
    return tuple(out)


def claim_words(f: Framework, claim: Claim) -> str:
    """Say a claim."""
    names = {c.id: c.name for c in f.constructs.values()}
    if claim.kind in claims.kinds():
        keys = claims.read(claim, claim.kind)
        return claims.kind(claim.kind).words(keys, lambda c: names.get(c, c))
    assert claim.kind in LATER  # noqa: S101
    found = [names.get(c, c) for c in constructs_of(claim)]
    return f"{claim.kind}: {', '.join(found)}"

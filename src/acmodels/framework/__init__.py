"""The theory as data: constructs, arrows, propositions and their claims, in four small files.

The framework that comes with the package lies beside this module; a framework of one's own is a
folder with the same files (`load_framework`). Code only reads them, and knows the name of no
construct. Statements are claims that data can bear out or contradict, in our own words; each names
the place in the literature it comes from.
"""

import re
from collections.abc import Mapping

from acmodels.errors import InputError, did_you_mean
from acmodels.framework.files import load_framework, shipped
from acmodels.framework.graph import Arrow, Claim, Construct, Framework, Proposition, Unit

__all__ = [
    "Arrow",
    "Claim",
    "Construct",
    "Framework",
    "Proposition",
    "Unit",
    "arrows",
    "constructs",
    "load_framework",
    "proposition",
    "propositions",
    "sources",
]


def propositions() -> Mapping[str, Proposition]:
    """Return the propositions of the shipped framework by id, in order.

    Returns:
        A read-only mapping from "P01" to "P96".
    """
    return shipped().propositions


def constructs() -> Mapping[str, Construct]:
    """Return the constructs of the shipped framework by id.

    Returns:
        A read-only mapping.
    """
    return shipped().constructs


def arrows() -> tuple[Arrow, ...]:
    """Return the arrows of the shipped framework.

    Returns:
        A tuple of arrows.
    """
    return shipped().arrows


def sources() -> Mapping[str, str]:
    """Return the references of the shipped framework, by the short form that cites them.

    Returns:
        A read-only mapping.
    """
    return shipped().sources


def proposition(name: str) -> Proposition:
    """Return one proposition of the shipped framework.

    Args:
        name: its id.

    Raises:
        InputError: no proposition has this id.

    Returns:
        The proposition.

    Examples:
        >>> proposition("P41").claims[0].kind
        'mediation'
        >>> proposition("P97")
        Traceback (most recent call last):
            ...
        acmodels.errors.InputError: no proposition 'P97': ids run from P01 to P96
    """
    known = propositions()
    if name in known:
        return known[name]
    # By spelling alone "P97" is near "P07" and "P1" near "P91"; the number says which is meant.
    guess = "P" + re.sub(r"[^0-9]", "", name).lstrip("0").zfill(2)
    hint = did_you_mean(guess, known) if guess in known else ""
    first, *_, last = known
    raise InputError(f"no proposition '{name}': ids run from {first} to {last}{hint}")

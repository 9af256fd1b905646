"""An outcome is hardly ever low where a condition is high."""

from collections.abc import Callable

from acmodels.theory.claims import Compiled, _corners
from acmodels.theory.compiling.setting import Setting

Keys = _corners.Keys
roles = _corners.roles
averages = "its corners are shares of units by their averages"


def words(keys: _corners.Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    return f"it takes no more than {name(keys.from_)} for {name(keys.to)}"


def compile(keys: _corners.Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile the corner of a low outcome at a high condition."""
    said = words(keys, lambda c: s.framework.constructs[c].name)
    return _corners.compiled(keys, s, name, sufficient=True, said=said)

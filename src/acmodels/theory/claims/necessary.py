"""An outcome is hardly ever high where a condition is low."""

from collections.abc import Callable

from acmodels.theory.claims import Compiled, _corners
from acmodels.theory.compiling.setting import Setting

Keys = _corners.Keys
roles = _corners.roles
averages = "its corners are shares of units by their averages"


def words(keys: _corners.Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    return f"{name(keys.to)} needs {name(keys.from_)}"


def compile(keys: _corners.Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile the corner of a high outcome at a low condition."""
    said = words(keys, lambda c: s.framework.constructs[c].name)
    return _corners.compiled(keys, s, name, sufficient=False, said=said)

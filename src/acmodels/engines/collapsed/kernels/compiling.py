"""How the kernels are compiled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from acmodels.engines.compiling import kept

_numba: Any = numba
_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": {"contract", "nsz", "arcp"},
}


def kernel(signature: Any, *, allocates: bool = False) -> Callable[[Any], Any]:
    """Compile for one signature with the superword pass on, and keep the code on disk.

    Args:
        signature: of the function.
        allocates: whether it makes arrays. Where it makes none, references to arrays are not
            counted; with the many arrays of a structure, counting took most of the time.
    """

    def compiled(function: Any) -> Any:
        before = _numba.config.SLP_VECTORIZE
        _numba.config.SLP_VECTORIZE = 1
        try:
            options = {"nogil": True, "_nrt": allocates, **_OPTIONS}
            file = Path(function.__code__.co_filename)
            made = kept(lambda *, cache: _numba.njit(cache=cache, **options)(function), file)
            made.compile(signature)
            made.disable_compile()
        finally:
            _numba.config.SLP_VECTORIZE = before
        return made

    return compiled


inlined: Any = _numba.njit(forceinline=True, _nrt=False, **_OPTIONS)

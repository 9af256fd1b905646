"""Row densities of families, one file each, by the family's name.

A file has a table `links` from a link to a function compiled for the machine, which the sampler
calls by its address: adding a family touches no other file of the engine. Where a family has no
file here, or its file has not the link, another engine fits it. The function is

    (n, stride, eta, data, par, weight, value, slope, g_par, work) -> float

    n: rows, at most `CHUNK`.
    stride: between the rows of `data`.
    eta: linear predictors, (n,).
    data: what `data` of the file makes of an equation, (its rows, n).
    par: the residual sd where the family has one, its further parameters, its thresholds.
    weight: of each row, (n,).
    value, slope: for work, (n,); slope is left holding weight times the derivative in eta.
    g_par: derivatives in `par` are added to it.
    work: room of 4 x `CHUNK`.

and returns the sum of weighted log densities, up to a constant.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from numba import types
from numba.core.ccallback import CFunc

from acmodels.engines.compiling import kept
from acmodels.engines.hmc.elementary import PLAIN
from acmodels.system import EquationLayout
from acmodels.system.arrays import Array

CHUNK = 512
_P: Any = types.CPointer(types.float64)
_SIGNATURE: Any = (types.int64, types.int64, *[_P] * 8), types.float64


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a row density, kept on disk for as long as no file that it is made of changes."""
    options = {k: v for k, v in PLAIN.items() if k != "nogil"}

    def make(*, cache: bool) -> Any:
        found = CFunc(function, _SIGNATURE, locals={}, options=options)
        if cache:
            found.enable_caching()
        return found

    found = kept(make, Path(function.__code__.co_filename))
    found.compile()
    return found


class Density(NamedTuple):
    """What a family's file gives.

    Attributes:
        function: compiled; kept, since its code goes with it.
        address: of its code.
        data: from an equation and its responses to what the function reads, (k, n).
    """

    function: Any
    address: int
    data: Callable[[EquationLayout, Array], Array]


@lru_cache
def known() -> Mapping[str, frozenset[str]]:
    """Links by family, without compiling anything."""
    names = [m.name for m in pkgutil.iter_modules(__path__)]
    return {n: frozenset(_file(n).links) for n in names}


@lru_cache
def density(family: str, link: str) -> Density:
    """Load the row density of a family."""
    found = _file(family)
    function = compiled(found.links[link])
    return Density(function, cast("int", function.address), found.data)


def _file(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")

"""Where compiled code is kept, and when it is still the code of these files.

Numba looks at one file to tell whether compiled code is stale: that of the function. An entry point
that calls functions of other files would then run their old code after a change, without a word.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba

_config: Any = numba.config  # pyright: ignore[reportPrivateImportUsage]


@lru_cache
def cache_folder(beside: Path) -> None:
    """Let compiled code be kept somewhere even where neither the package nor home is writable.

    Args:
        beside: the folder of the functions' files, where Numba would keep it.
    """
    home = Path.home() / ".cache"
    places = (beside / "__pycache__", beside, home, home.parent)
    if _config.CACHE_DIR or any(os.access(p, os.W_OK) for p in places if p.exists()):
        return
    folder = Path(tempfile.gettempdir()) / f"acmodels-numba-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid == os.getuid():
        _config.CACHE_DIR = str(folder)


@lru_cache
def digest(folder: Path) -> str:
    """Return a hash of the files of a folder."""
    found = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()


def stamped(function: Any, folder: Path) -> Any:
    """Let a cached function be stale when any file of a folder changes.

    Args:
        function: from `numba.njit(cache=True)`, not yet called, or a `CFunc` with caching enabled.
        folder: of the files that it is made of.
    """
    file = function._cache._cache_file  # noqa: SLF001  (Numba has no public way)
    file._source_stamp = (*file._source_stamp, digest(folder))  # noqa: SLF001
    load = file._load_index  # noqa: SLF001

    def load_index() -> dict[Any, Any]:
        try:
            return load()
        except (AttributeError, ImportError, EOFError, ValueError):
            return {}  # of another version, whose classes are no more: stale like any other

    file._load_index = load_index  # noqa: SLF001
    return function


def entry(folder: Path, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile an entry point, kept on disk for as long as no file of the folder changes.

    Args:
        folder: of the files that it is made of.
        options: of `numba.njit`.
    """
    cache_folder(folder)
    return lambda function: stamped(numba.njit(cache=True, **options)(function), folder)

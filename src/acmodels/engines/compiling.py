"""Where compiled code is kept, and when it is still the code of these files on this machine.

Numba looks at one file to tell whether compiled code is stale, that of the function: an entry point
that calls functions of other files would run their old code after a change, without a word. It
writes beside the package or in one folder of the user, and stops where a disk is full. Here code is
stale when any file that it is made of changes, lies in a folder for each kind of processor and
version of the compiler, and is made anew wherever it cannot be kept.
"""

import hashlib
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import caching
from numba.core.registry import cpu_target

_config: Any = numba.config  # pyright: ignore[reportPrivateImportUsage]
_files: Any = caching
_UNREADABLE = (
    AttributeError, ImportError, EOFError, ValueError, OSError, _files.pickle.UnpicklingError,
)  # fmt: skip
"""What reading a file raises that another version wrote, or that is damaged."""


_IMPORTS = re.compile(
    r"^\s*(?:from (acmodels[\w.]*) import (\([^)]*\)|.*)|import (acmodels[\w.]*))", re.MULTILINE
)
"""Parsing the files takes a hundred times as long, of every start of a command."""


@lru_cache
def machine() -> str:
    """Name what compiled code is good for: versions of the compiler, processor and its features."""
    context: Any = cpu_target.target_context
    said = (numba.__version__, llvmlite.__version__, sys.implementation.cache_tag)
    code = hashlib.sha256(repr((*said, *context.codegen().magic_tuple())).encode()).hexdigest()
    return f"numba-{code[:16]}"


def places(beside: Path) -> list[Path]:
    """List the folders where compiled code may lie, the best first.

    Args:
        beside: the folder of the functions' files.
    """
    chosen = [Path(_config.CACHE_DIR)] if _config.CACHE_DIR else []
    found = [*chosen, beside / "__pycache__", *(p / "acmodels" for p in _user_folders())]
    return [p / machine() for p in found]


def _user_folders() -> list[Path]:
    """Folders for a user's caches, and one of this user in the folder for temporary files."""
    own = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    home = [Path(own)] if own else []
    if not own and "~" not in str(Path("~").expanduser()):
        home = [Path("~/Library/Caches" if sys.platform == "darwin" else "~/.cache").expanduser()]
    who = os.getuid() if hasattr(os, "getuid") else "user"
    shared = Path(tempfile.gettempdir()) / f"acmodels-{who}"
    return [*home, *([shared] if _mine(shared) else [])]


def _mine(folder: Path) -> bool:
    """Make a folder that nobody else can write to; False where another user made it.

    Compiled code is run as it is read: a folder that others can write to is no place for it.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return not hasattr(os, "getuid") or (
        found.st_uid == os.getuid() and not found.st_mode & 0o022 and not folder.is_symlink()
    )


def writable(folder: Path) -> bool:
    """Make a folder, and say whether files can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@lru_cache
def folders(beside: Path) -> tuple[Path | None, tuple[Path, ...]]:
    """Return the folder to write compiled code to, and those before it, which are only read.

    A package that an administrator installed and compiled is read by all, and written by none.

    Args:
        beside: the folder of the functions' files.
    """
    read: list[Path] = []
    for place in places(beside):
        if writable(place):
            return place, tuple(read)
        read.append(place)
    return None, tuple(read)


@lru_cache
def digest(file: Path) -> str:
    """Hash a file and all that it imports of its engine's package.

    Args:
        file: of the function that is compiled.
    """
    found = hashlib.sha256()
    for path in sorted(made_of(file)):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def made_of(file: Path) -> set[Path]:
    """Return a file and the files of its engine's package that it imports, and these import.

    What is outside of the engine's package is not compiled into it.
    """
    root = Path(__file__).parent.parent  # of `acmodels`
    engine = next((p for p in file.parents if p.parent == Path(__file__).parent), file.parent)
    found, ahead = set[Path](), [file]
    while ahead:
        one = ahead.pop()
        if one in found:
            continue
        found.add(one)
        for module in _imported(one):
            at = root.joinpath(*module.split(".")[1:])
            ahead += [
                path
                for path in (at.with_suffix(".py"), at / "__init__.py")
                if engine in path.parents and path != engine / "__init__.py" and path.exists()
            ]
    return found


@lru_cache
def _imported(file: Path) -> tuple[str, ...]:
    """Names of modules of this package that a file imports, and of what may be some."""
    out: list[str] = []
    for module, names, plain in _IMPORTS.findall(file.read_text(encoding="utf-8")):
        out += [module, *(f"{module}.{n}" for n in re.findall(r"\w+", names)), plain]
    return tuple(n for n in out if n)


def kept(make: Callable[..., Any], file: Path) -> Any:
    """Make a compiled function whose code is kept on disk where that can be.

    Args:
        make: makes it, not yet called; `cache` says whether Numba keeps its code.
        file: of its source.
    """
    place, others = folders(file.parent)
    if place is None and not any(p.exists() for p in others):
        return make(cache=False)
    try:
        with _kept_in(place or Path(tempfile.gettempdir())):
            made = make(cache=True)
    except RuntimeError:  # no file can be written anywhere
        return make(cache=False)
    cache = made._cache  # noqa: SLF001  (Numba has no public way)
    cache._impl.locator.ensure_cache_path = lambda: None  # noqa: SLF001  (it was, just now)
    stamp = (digest(file), machine())
    base = cache._cache_file._index_name.removesuffix(".nbi")  # noqa: SLF001
    where = Path(cache.cache_path).name
    cache._cache_file = _Files(  # noqa: SLF001
        None if place is None else _files.IndexDataCacheFile(cache.cache_path, base, stamp),
        [_files.IndexDataCacheFile(str(p / where), base, stamp) for p in others],
    )
    return made


class _Files:
    """Files of compiled code, in the place of Numba's: one to write, and others to read."""

    def __init__(self, own: Any, others: list[Any]) -> None:
        self.own, self.others = own, others

    def load(self, key: Any) -> Any:
        """Read what was compiled for a signature; None where there is nothing that can be read."""
        for file in [self.own, *self.others]:
            try:
                found = None if file is None else file.load(key)
            except _UNREADABLE:
                continue  # as good as none: it is compiled again
            if found is not None:
                return found
        return None

    def save(self, key: Any, data: Any) -> None:
        """Keep what was compiled, where there is room for it."""
        if self.own is None:
            return
        try:
            try:
                self.own.save(key, data)
            except _UNREADABLE:  # an index that cannot be read; or no room, so that this fails too
                self.own.flush()
                self.own.save(key, data)
        except OSError as error:
            warnings.warn(
                f"compiled code could not be kept in {self.own._cache_path} "  # noqa: SLF001
                f"({error.strerror}); the next run compiles it again",
                RuntimeWarning,
                stacklevel=2,
            )


@contextmanager
def _kept_in(place: Path) -> Generator[None]:
    """Let Numba put what it compiles into a folder."""
    before = _config.CACHE_DIR
    _config.CACHE_DIR = str(place)
    try:
        yield
    finally:
        _config.CACHE_DIR = before


def entry(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile an entry point, kept on disk for as long as no file that it is made of changes.

    Args:
        options: of `numba.njit`.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        file = Path(function.__code__.co_filename)
        return kept(lambda *, cache: numba.njit(cache=cache, **options)(function), file)

    return compiled

"""Result folders: written aside and moved into place, so that a folder is whole or not there."""

import json
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from acmodels.errors import InputError

MARK = "run.json"
"""What tells a result folder from any other."""


@contextmanager
def result_folder(out: Path, inputs: Iterable[Path | None] = ()) -> Generator[Path]:
    """Give a new folder to write into; on success it takes the place of `out`.

    An existing result is replaced whole. Nothing is left behind when the block fails.

    Args:
        out: where the result goes.
        inputs: files that were read, which must not be replaced with the folder.

    Raises:
        InputError: `out` is a file, a folder that holds something else or what was read, or
            cannot be written to.
    """
    made: list[Path] = []
    try:
        _check_place(out, inputs)
        made = [p for p in out.parents if not p.exists()]
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{out.name[:50]}-", dir=out.parent))
    except OSError as error:
        _remove_empty(made)
        raise unwritable(out, error) from None
    try:
        fresh.chmod(0o777 & ~_umask())
        yield fresh
        _swap(fresh, out)
    except OSError as error:
        raise unwritable(out, error) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        _remove_empty(made)


def run_folder(out: Path, store: str, inputs: Iterable[Path | None] = ()) -> None:
    """Make ready a folder for a run that keeps what it finishes and can be continued.

    A folder that holds such a store is left as it is; another result is replaced.

    Args:
        out: where the run goes.
        store: name of the file that keeps replicates.
        inputs: files that are read, which must not be replaced with the folder.

    Raises:
        InputError: as for `result_folder`.
    """
    if out.is_dir() and any(p.name.startswith(store) for p in out.iterdir()):
        return  # a store, or what a kill left of one in the making
    try:
        _check_place(out, inputs)
        if (out / MARK).exists():
            shutil.rmtree(out)
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from None


def unwritable(path: Path, error: OSError) -> InputError:
    """Say why a file or folder cannot be written, naming a file that stands where a folder must.

    Args:
        path: what was to be written.
        error: what the system said.
    """
    for above in reversed(path.parents):
        if above.exists() and not above.is_dir():
            return InputError(f"{path}: cannot be written: {above} is a file, not a folder")
    return InputError(f"{path}: cannot be written: {error.strerror or error}")


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders that hold nothing, the innermost first."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _check_place(out: Path, inputs: Iterable[Path | None]) -> None:
    if not out.is_dir() and (out.exists() or out.is_symlink()):
        raise InputError(f"{out}: is a file; --out names a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).exists():
        raise InputError(
            f"{out}: holds files that are not a result of acmodels; choose another --out, so that "
            "nothing of yours is replaced"
        )
    place = out.resolve()
    if Path.cwd().is_relative_to(place):
        raise InputError(
            f"{out}: holds the working directory, which a result cannot replace; name a folder "
            "inside it as --out"
        )
    for path in inputs:
        if path is not None and path.resolve().is_relative_to(place):
            raise InputError(
                f"{out}: holds {path}, which is read, and would be replaced; choose another --out"
            )


def _swap(fresh: Path, out: Path) -> None:
    if out.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{out.name[:50]}-old-", dir=out.parent))
        out.replace(old / out.name)
        try:
            fresh.replace(out)
        except BaseException:
            (old / out.name).replace(out)
            old.rmdir()
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        fresh.replace(out)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON with sorted keys left as given, NaN refused, a newline at the end."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    # a path that is no Unicode text holds half a surrogate pair, which JSON writes as an escape
    path.write_bytes((text + "\n").encode("utf-8", "backslashreplace"))

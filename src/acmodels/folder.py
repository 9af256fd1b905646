"""Result folders: written aside and moved into place, so that a folder is whole or not there."""

import json
import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acmodels.errors import InputError

MARK = "run.json"
"""What tells a result folder from any other."""


@contextmanager
def result_folder(out: Path) -> Generator[Path]:
    """Give a new folder to write into; on success it takes the place of `out`.

    An existing result is replaced whole. Nothing is left behind when the block fails.

    Args:
        out: where the result goes.

    Raises:
        InputError: `out` is a file, a folder that holds something else, or cannot be
            written to.
    """
    _check_place(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}") from None
    try:
        fresh.chmod(0o777 & ~_umask())
        yield fresh
        _swap(fresh, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _check_place(out: Path) -> None:
    if out.is_file():
        raise InputError(f"{out}: is a file; --out names a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).exists():
        raise InputError(
            f"{out}: holds files that are not a result of acmodels; choose another --out, so that "
            "nothing of yours is replaced"
        )


def _swap(fresh: Path, out: Path) -> None:
    if out.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
        out.replace(old / out.name)
        fresh.replace(out)
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
    path.write_text(text + "\n", encoding="utf-8")

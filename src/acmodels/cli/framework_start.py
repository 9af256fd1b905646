"""A folder with a commented framework, to start from."""

import shutil
from pathlib import Path

from acmodels.errors import InputError
from acmodels.folder import unwritable
from acmodels.framework.files import FILES
from acmodels.load import models_folder


def start_framework(folder: Path) -> tuple[Path, ...]:
    """Write the four files of a small framework.

    Args:
        folder: made if it is not there.

    Returns:
        The files written.

    Raises:
        InputError: one of them is there already, or the folder cannot be written.
    """
    out = tuple(folder / f for f in FILES)
    there = [p for p in out if p.exists()]
    if there:
        raise InputError(f"{there[0]}: is there already and was not touched; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in out:
            shutil.copyfile(models_folder() / "start" / "framework" / path.name, path)
    except OSError as error:
        raise unwritable(folder, error) from None
    return out

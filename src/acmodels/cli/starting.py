"""A folder to start from: a commented model, a commented plan, and data of the right shape."""

import shutil
from pathlib import Path

from acmodels.errors import InputError
from acmodels.folder import unwritable
from acmodels.load import load_plan, models_folder
from acmodels.reporting.results import write_table
from acmodels.simulation import simulate

FILES = ("model.toml", "plan.toml")
DATA = "data.csv"


def start(folder: Path, seed: int = 1) -> tuple[Path, ...]:
    """Write the files.

    Args:
        folder: made if it is not there.
        seed: of the data, which are simulated from the plan.

    Returns:
        The files written.

    Raises:
        InputError: one of them is there already, or the folder cannot be written.
    """
    out = tuple(folder / f for f in (*FILES, DATA))
    there = [p for p in out if p.exists()]
    if there:
        raise InputError(f"{there[0]}: is there already and was not touched; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(models_folder() / "start" / name, folder / name)
        plan = load_plan(folder / "plan.toml")
        made = simulate(plan.cells[-1].design, seed=seed)
        write_table(made.study.frame, folder / DATA, digits=3)
    except OSError as error:
        raise unwritable(folder, error) from None
    return out

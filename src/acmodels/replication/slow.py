"""What makes many refits slow, said before they start."""

from collections.abc import Sequence

from acmodels.engines import choose
from acmodels.errors import AcmodelsError
from acmodels.inference.speed import slow
from acmodels.replication.job import Cell
from acmodels.replication.ready import resolve_design


def forecast(cells: Sequence[Cell], replications: int, asked: str, seed: int) -> tuple[str, ...]:
    """Say how many fits have to be sampled, why, and what would be faster.

    Args:
        cells: designs with their truths.
        replications: of each.
        asked: the engine, as a person named it.
        seed: of the run.

    Returns:
        Sentences; none where every fit is exact.
    """
    try:
        layout, priors, _ = resolve_design(cells[0], seed)
    except AcmodelsError:
        return ()  # the run says why
    found = slow(layout, priors, asked)
    if found is None:
        return ()
    default = choose(layout, priors, asked).engine.loop_draws
    many = len(cells) * replications
    designs = f"{len(cells)} designs with " if len(cells) > 1 else ""
    first = (
        f"Every fit has to be sampled, since {found.reason}: {designs}{replications} replications, "
        f"so {many} fits of seconds to minutes each. Each design is compiled first, which takes "
        "half a minute or more; no fit is counted until then."
    )
    last = (
        "Faster: begin with fewer replications, such as --replications 50, and with fewer draws a "
        f"chain than the default of {default}, such as --draws {default // 2}. Finished fits are "
        "kept; the same command with more replications continues from them."
    )
    return (first, *(f"Faster: {s}" for s in found.faster), last)

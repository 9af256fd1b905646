"""What makes many refits slow, said before they start."""

from collections.abc import Sequence

from acmodels.errors import AcmodelsError
from acmodels.runs.block import CHAIN_DRAWS, Cell, resolve_design
from acmodels.speed import slow


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
    many = len(cells) * replications
    designs = f"{len(cells)} designs with " if len(cells) > 1 else ""
    first = (
        f"Every fit has to be sampled, since {found.reason}: {designs}{replications} replications, "
        f"{many} fits of seconds to minutes each. Each design is compiled first, half a minute or "
        "more, so that nothing is counted until then."
    )
    last = (
        "Faster: fewer replications to begin with, as --replications 50, and fewer draws than "
        f"{CHAIN_DRAWS} a chain, as --draws 250. What is finished is kept, and the same command "
        "with more replications goes on."
    )
    return (first, *(f"Faster: {s}" for s in found.faster), last)

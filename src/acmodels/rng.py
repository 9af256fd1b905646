"""Seeds: one integer from a person, independent streams for every use of it."""

import zlib

import numpy as np

from acmodels.errors import InputError

LARGEST = 2**63 - 1


def check_seed(seed: object) -> int:
    """Return the seed.

    Raises:
        InputError: it is not a whole number from 0 to 2^63 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST:
        raise InputError(f"the seed must be a whole number of 0 or more, not {seed!r}")
    return seed


def stream(seed: int, *use: str | int) -> np.random.Generator:
    """A generator for one named use of a seed.

    Streams of different uses are independent and do not depend on how many others are
    drawn or in which order.

    Args:
        seed: the person's seed.
        use: names and counters, such as `"simulate", 3`.
    """
    return np.random.default_rng(_sequence(seed, use))


def child_seed(seed: int, *use: str | int) -> int:
    """A seed for a library that wants a single integer of 32 bits."""
    return int(_sequence(seed, use).generate_state(1)[0])


def _sequence(seed: int, use: tuple[str | int, ...]) -> np.random.SeedSequence:
    key = [zlib.crc32(u.encode()) if isinstance(u, str) else u for u in use]
    return np.random.SeedSequence(entropy=seed, spawn_key=key)

"""Sobol points (Sobol', 1967) with the direction numbers of Joe and Kuo (2008).

SciPy has them too, in a module whose import takes longer than a fit.
"""

from functools import lru_cache

import numpy as np

from acmodels.system.arrays import Array

_BITS = 32
_POLYNOMIALS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (1, 0, (1,)),
    (2, 1, (1, 3)),
    (3, 1, (1, 3, 1)),
    (3, 2, (1, 1, 1)),
    (4, 1, (1, 1, 3, 3)),
    (4, 4, (1, 3, 5, 13)),
    (5, 2, (1, 1, 5, 5, 17)),
    (5, 4, (1, 1, 5, 5, 5)),
    (5, 7, (1, 1, 7, 11, 19)),
    (5, 11, (1, 1, 5, 1, 1)),
    (5, 13, (1, 1, 1, 3, 11)),
    (5, 14, (1, 3, 5, 5, 31)),
    (6, 1, (1, 3, 3, 9, 7, 49)),
    (6, 13, (1, 1, 1, 15, 21, 21)),
    (6, 16, (1, 3, 1, 13, 27, 49)),
    (6, 19, (1, 1, 1, 15, 7, 5)),
    (6, 22, (1, 3, 1, 15, 13, 25)),
    (6, 25, (1, 1, 5, 5, 19, 61)),
    (7, 1, (1, 3, 7, 11, 23, 15, 103)),
    (7, 4, (1, 3, 7, 13, 13, 15, 69)),
)
"""Degree, coefficients and first direction numbers for dimensions 2 to 21."""

DIMENSIONS = len(_POLYNOMIALS) + 1


@lru_cache(maxsize=16)
def sobol(n: int, d: int) -> np.ndarray:
    """The first n points in d dimensions as 32-bit integers, shape (n, d).

    Raises:
        ValueError: more dimensions than there are direction numbers for.
    """
    if d > DIMENSIONS:
        raise ValueError(f"at most {DIMENSIONS} dimensions, not {d}")
    index = np.arange(n, dtype=np.uint64)
    gray = index ^ (index >> np.uint64(1))
    out = np.zeros((n, d), dtype=np.uint64)
    for j in range(d):
        for bit, v in enumerate(_directions(j)):
            if 2**bit < n:
                out[:, j] ^= np.where((gray >> np.uint64(bit)) & np.uint64(1), v, np.uint64(0))
    return out


def shifted(points: np.ndarray, rng: np.random.Generator) -> Array:
    """Uniform points from integers by a random digital shift, strictly inside (0, 1)."""
    shift = rng.integers(0, 2**_BITS, size=points.shape[1], dtype=np.uint64)
    return ((points ^ shift) + 0.5) / 2.0**_BITS


def _directions(j: int) -> list[np.uint64]:
    if j == 0:
        return [np.uint64(1 << (_BITS - 1 - i)) for i in range(_BITS)]
    s, a, first = _POLYNOMIALS[j - 1]
    m = list(first)
    for i in range(s, _BITS):
        new = m[i - s] ^ (m[i - s] << s)
        for k in range(1, s):
            new ^= ((a >> (s - 1 - k)) & 1) * (m[i - k] << k)
        m.append(new)
    return [np.uint64(m[i] << (_BITS - 1 - i)) for i in range(_BITS)]

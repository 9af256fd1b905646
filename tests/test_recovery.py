"""Intervals of replicates; the rest of recovery is in test_runs.py."""

import numpy as np
import pytest

from acmodels.replication.recovery import bounds


@pytest.mark.parametrize("size", [1, 2, 3, 40, 997, 1000])
def test_quantiles_are_numpys_to_the_last_bit(size: int) -> None:
    draws = np.random.default_rng(4).standard_normal((3, size, 5))
    draws[0, :, 1] = np.round(draws[0, :, 1])  # ties
    for prob in (0.001, 0.5, 0.8, 0.95, 0.999):
        lower, upper = bounds(draws, "eti", prob)
        expected = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=1)
        np.testing.assert_array_equal([lower, upper], expected)

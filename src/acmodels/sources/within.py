"""`within(x, g)`: how far a value lies from the mean of its unit."""

from acmodels.sources import Array, Grouped

constant = False
mean = -1.0


def values(x: Grouped) -> Array:
    """Deviations from the unit's mean."""
    return x.values - x.means[..., x.unit]

"""`between(x, g)`: the mean of a unit."""

from acmodels.sources import Array, Grouped

constant = True
mean = 1.0


def values(x: Grouped) -> Array:
    """The unit's mean."""
    return x.means[..., x.unit]

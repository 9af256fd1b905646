"""Ones and zeros: a binomial of one trial."""

from acmodels.engines.hmc.densities.binomial import data, links

__all__ = ["data", "links"]

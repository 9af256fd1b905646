"""Negative binomial counts with more zeros: a share `zi(y)` of rows is 0 whatever predictors say.

As brms has it (`zero_inflated_negbinomial`): y is 0 with probability zi, else a negative binomial
count with mean mu = exp(eta) and dispersion `phi(y)` (brms: shape). The mean is (1 - zi) mu.
"""

from dataclasses import dataclass

from acmodels.families.negative_binomial import NegativeBinomial
from acmodels.families.zero_inflated_poisson import ZI, ZeroInflatedPoisson


@dataclass(frozen=True, kw_only=True)
class ZeroInflatedNegativeBinomial(ZeroInflatedPoisson, NegativeBinomial):
    """Zero with probability `zi`, else a negative binomial count."""

    label = "zero-inflated negative binomial"
    scalars = (*NegativeBinomial.scalars, ZI)

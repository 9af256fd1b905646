"""Priors in the form that the density takes them."""

from acmodels.priors import Prior
from acmodels.spec.distribution import Distribution

FORMS = {
    "Normal": 0, "HalfNormal": 0, "StudentT": 1, "HalfStudentT": 1, "Cauchy": 1, "HalfCauchy": 1,
    "Laplace": 2, "Exponential": 2, "Gamma": 3, "LogNormal": 4, "Beta": 5, "Uniform": 6,
}  # fmt: skip
"""Priors that the density knows, by the number it knows them by."""
FLAT = (6, 0.0, 1.0, 0.0)
"""No prior, in the form that the density takes."""


def form(prior: Prior) -> tuple[int, float, float, float]:
    """Return number, location, scale and shape of a prior as the density takes them."""
    return FLAT if prior.held is not None else form_of(prior.distribution)


def form_of(d: Distribution) -> tuple[int, float, float, float]:
    """Return the same of a distribution."""
    if d.name == "Beta":
        return FORMS["Beta"], d.parameters["beta"], 1.0, d.parameters["alpha"]
    shape = {"Cauchy": 1.0, "HalfCauchy": 1.0}.get(d.name, d.shape[0][1] if d.shape else 0.0)
    return FORMS[d.name], d.location, d.scale, shape

"""Counts about e^eta, and zeros with probability zi."""

# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

from numba import carray

from acmodels.engines.hmc.elementary import exp, log


def data(e, y):
    """Counts."""
    return y[None]


def log_link(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Log of the mixture's probability."""
    eta = carray(eta, n)
    y = carray(data, n)
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    zi = carray(par, 1)[0]
    total = 0.0
    g = 0.0
    for i in range(n):
        mean = exp(eta[i])
        none = exp(-mean)
        zero = zi + (1.0 - zi) * none
        is_zero = y[i] == 0.0
        counted = log(1.0 - zi) + y[i] * eta[i] - mean
        value[i] = weight[i] * (log(zero) if is_zero else counted)
        slope[i] = weight[i] * (-(1.0 - zi) * none * mean / zero if is_zero else y[i] - mean)
        g += weight[i] * ((1.0 - none) / zero if is_zero else -1.0 / (1.0 - zi))
    for i in range(n):
        total += value[i]
    carray(g_par, 1)[0] += g
    return total


links = {"log": log_link}

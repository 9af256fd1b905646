"""Counts about e^eta."""

# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

from numba import carray

from acmodels.engines.hmc.elementary import exp


def data(e, y):
    """Counts."""
    return y[None]


def log_link(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Y eta - e^eta."""
    eta = carray(eta, n)
    y = carray(data, n)
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    for i in range(n):
        mean = exp(eta[i])
        value[i] = weight[i] * (y[i] * eta[i] - mean)
        slope[i] = weight[i] * (y[i] - mean)
    total = 0.0
    for i in range(n):
        total += value[i]
    return total


links = {"log": log_link}

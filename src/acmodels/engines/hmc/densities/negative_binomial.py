"""Counts of mean e^eta and variance mu + mu^2 / phi."""

# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

from numba import carray

from acmodels.engines.hmc.elementary import exp, log, log_gamma


def data(e, y):
    """Counts."""
    return y[None]


def log_link(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Log density, with log gamma(y + phi) / gamma(phi)."""
    eta = carray(eta, n)
    y = carray(data, n)
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    phi = carray(par, 1)[0]
    log_phi = log(phi)
    base, d_base = log_gamma(phi)
    g = 0.0
    total = 0.0
    for i in range(n):
        u = eta[i] - log_phi
        e = exp(-abs(u))
        q = 1.0 / (1.0 + e)
        p = q if u > 0.0 else e * q
        plus = max(u, 0.0) + log(1.0 + e)
        choose, d_choose = log_gamma(y[i] + phi)
        value[i] = weight[i] * (choose - base + y[i] * u - (y[i] + phi) * plus)
        slope[i] = weight[i] * (y[i] - (y[i] + phi) * p)
        g += weight[i] * (d_choose - d_base - plus) - slope[i] / phi
    for i in range(n):
        total += value[i]
    carray(g_par, 1)[0] += g
    return total


links = {"log": log_link}

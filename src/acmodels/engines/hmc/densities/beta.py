"""Shares between 0 and 1 of mean expit(eta) and precision phi."""

# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import numpy as np
from numba import carray

from acmodels.engines.hmc.elementary import exp, log_gamma


def data(e, y):
    """Logits of the shares, and logs of one less them."""
    return np.stack([np.log(y) - np.log1p(-y), np.log1p(-y)])


def logit(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Log density of a beta distribution by its mean and precision."""
    eta = carray(eta, n)
    odds = carray(data, 2 * stride)
    rest = odds[stride : stride + n]
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    phi = carray(par, 1)[0]
    whole, d_whole = log_gamma(phi)
    total = 0.0
    g = 0.0
    for i in range(n):
        x = eta[i]
        e = exp(-abs(x))
        q = 1.0 / (1.0 + e)
        mu = max(q if x > 0.0 else e * q, 1e-200)
        nu = max(e * q if x > 0.0 else q, 1e-200)
        a, d_a = log_gamma(mu * phi)
        b, d_b = log_gamma(nu * phi)
        inside = whole - a - b + mu * phi * odds[i] + phi * rest[i]
        value[i] = weight[i] * (inside - odds[i] - 2.0 * rest[i])
        slope[i] = weight[i] * phi * mu * nu * (odds[i] - d_a + d_b)
        g += weight[i] * (d_whole + mu * (odds[i] - d_a) - nu * d_b + rest[i])
    for i in range(n):
        total += value[i]
    carray(g_par, 1)[0] += g
    return total


links = {"logit": logit}

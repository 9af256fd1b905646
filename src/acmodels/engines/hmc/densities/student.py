"""Student's t about the predictor; parameters: residual sd (the scale), degrees of freedom."""

# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import numpy as np
from numba import carray

from acmodels.engines.hmc.elementary import log, log_gamma


def data(e, y):
    """Responses, and what the scale is multiplied by: known errors, or one."""
    return np.stack([y, np.ones(e.n) if e.se is None else e.se])


def identity(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Log density of a t."""
    eta = carray(eta, n)
    y = carray(data, 2 * stride)
    at = y[stride : stride + n]
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    par = carray(par, 2)
    g = carray(g_par, 2)
    sd, nu = par[0], par[1]
    logs = 0.0
    shares = 0.0
    total = 0.0
    for i in range(n):
        s = 1.0 / (sd * at[i])
        r = (y[i] - eta[i]) * s
        q = r * r / nu
        value[i] = weight[i] * log(1.0 + q)
        slope[i] = weight[i] * (nu + 1.0) / nu * r * s / (1.0 + q)
        shares += weight[i] * q / (1.0 + q)
        total += weight[i]
    for i in range(n):
        logs += value[i]
    upper, d_upper = log_gamma(0.5 * (nu + 1.0))
    lower, d_lower = log_gamma(0.5 * nu)
    g[0] += ((nu + 1.0) * shares - total) / sd
    g[1] += -0.5 * logs + 0.5 * (nu + 1.0) / nu * shares
    g[1] += 0.5 * total * (d_upper - d_lower - 1.0 / nu)
    return total * (upper - lower - 0.5 * log(nu) - log(sd)) - 0.5 * (nu + 1.0) * logs


links = {"identity": identity}

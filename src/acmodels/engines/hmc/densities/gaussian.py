"""Normal responses about the predictor; the residual sd is the first parameter."""

# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import numpy as np
from numba import carray

from acmodels.engines.hmc.elementary import log


def data(e, y):
    """Responses, and what the residual sd is multiplied by: known errors, or one."""
    return np.stack([y, np.ones(e.n) if e.se is None else e.se])


def identity(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Normal log density with known relative errors."""
    eta = carray(eta, n)
    y = carray(data, 2 * stride)
    at = y[stride : stride + n]
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    sd = carray(par, 1)[0]
    total = 0.0
    squares = 0.0
    for i in range(n):
        s = 1.0 / (sd * at[i])
        r = (y[i] - eta[i]) * s
        value[i] = weight[i] * r * r
        slope[i] = weight[i] * r * s
    for i in range(n):
        squares += value[i]
        total += weight[i]
    carray(g_par, 1)[0] += (squares - total) / sd
    return -0.5 * squares - total * log(sd)


links = {"identity": identity}

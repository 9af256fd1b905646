"""Successes out of trials. By probit each tail is taken from its own side, by Mills ratios."""

# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import numpy as np
from numba import carray

from acmodels.engines.hmc.elementary import HALF_LOG_2PI, ROOT_2PI, exp, log, mills


def data(e, y):
    """Successes and trials."""
    return np.stack([y, np.ones(e.n) if e.trials is None else e.trials])


def logit(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Y eta - m log(1 + e^eta)."""
    eta = carray(eta, n)
    y = carray(data, 2 * stride)
    trials = y[stride : stride + n]
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    for i in range(n):
        x = eta[i]
        e = exp(-abs(x))
        q = 1.0 / (1.0 + e)
        p = q if x > 0.0 else e * q
        value[i] = weight[i] * (y[i] * x - trials[i] * (max(x, 0.0) + log(1.0 + e)))
        slope[i] = weight[i] * (y[i] - trials[i] * p)
    total = 0.0
    for i in range(n):
        total += value[i]
    return total


def probit(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Log of a binomial's probability with p = Phi(eta)."""
    eta = carray(eta, n)
    y = carray(data, 2 * stride)
    trials = y[stride : stride + n]
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    for i in range(n):
        t = abs(eta[i])
        negative = eta[i] < 0.0
        ratio = mills(t)
        e = exp(-0.5 * t * t)
        body = ROOT_2PI - e * ratio
        far = log(ratio) - 0.5 * t * t - HALF_LOG_2PI
        near = log(body) - HALF_LOG_2PI
        tail = y[i] if negative else trials[i] - y[i]
        value[i] = weight[i] * (tail * far + (trials[i] - tail) * near)
        g = -tail / ratio + (trials[i] - tail) * e / body
        slope[i] = weight[i] * (-g if negative else g)
    total = 0.0
    for i in range(n):
        total += value[i]
    return total


links = {"logit": logit, "probit": probit}

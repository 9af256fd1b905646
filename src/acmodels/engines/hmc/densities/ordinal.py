"""Ordered categories between thresholds, which are the parameters.

By probit, log(Phi(b) - Phi(a)) is a difference taken in the nearer tail, scaled by Mills ratios; by
logit, -log(1 + e^-b) - log(1 + e^a) + log(1 - e^(a - b)).
"""

# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import numpy as np
from numba import carray

from acmodels.engines.hmc.elementary import HALF_LOG_2PI, ROOT_2PI, exp, log, mills

FAR = 1e3


def data(e, y):
    """Categories from 0 on, and the number of thresholds."""
    return np.stack([y - e.codes[0], np.full(e.n, len(e.codes) - 1.0)])


def probit(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Log probability of categories by probit."""
    eta = carray(eta, n)
    cat = carray(data, 2 * stride)
    many = int(cat[stride])
    cut = carray(par, many)
    g = carray(g_par, many)
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    low = carray(work, 1024)[:n]
    high = carray(work, 1024)[512 : 512 + n]
    for i in range(n):
        c = int(cat[i])
        low[i] = cut[c - 1] if c > 0 else -FAR
        high[i] = cut[c] if c < many else FAR
    for i in range(n):
        a0 = low[i] - eta[i]
        b0 = high[i] - eta[i]
        flip = a0 + b0 > 0.0
        a = -b0 if flip else a0
        b = -a0 if flip else b0
        ra = mills(-a)
        rb = mills(abs(b))
        m = min(b, 0.0)
        m = m * m
        ea = exp(0.5 * (m - a * a))
        eb = exp(0.5 * (m - b * b))
        s = (rb - ea * ra) if b < 0.0 else (ROOT_2PI - eb * rb - ea * ra)
        s = max(s, 1e-300)
        value[i] = weight[i] * (log(s) - HALF_LOG_2PI - 0.5 * m)
        s = weight[i] / s
        gb = eb * s
        ga = -ea * s
        high[i] = -ga if flip else gb
        low[i] = -gb if flip else ga
        slope[i] = -(high[i] + low[i])
    total = 0.0
    for i in range(n):
        total += value[i]
    for i in range(n):
        c = int(cat[i])
        if c > 0:
            g[c - 1] += low[i]
        if c < many:
            g[c] += high[i]
    return total


def logit(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Log probability of categories by logit."""
    eta = carray(eta, n)
    cat = carray(data, 2 * stride)
    many = int(cat[stride])
    cut = carray(par, many)
    g = carray(g_par, many)
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    low = carray(work, 1536)[:n]
    high = carray(work, 1536)[512 : 512 + n]
    gap = np.empty(64)  # log(1 - e^-gap) of the categories between two thresholds
    count = np.zeros(64)
    for k in range(1, many):
        gap[k] = cut[k] - cut[k - 1]
    for i in range(n):
        c = int(cat[i])
        low[i] = cut[c - 1] if c > 0 else -FAR
        high[i] = cut[c] if c < many else FAR
        count[c] += weight[i]
    for i in range(n):
        a = low[i] - eta[i]
        b = high[i] - eta[i]
        ea = exp(-abs(a))
        eb = exp(-abs(b))
        value[i] = weight[i] * (-log((1.0 + ea) * (1.0 + eb)) - max(a, 0.0) - max(-b, 0.0))
        sa = 1.0 / (1.0 + ea)
        sb = 1.0 / (1.0 + eb)
        high[i] = weight[i] * (eb * sb if b > 0.0 else sb)
        low[i] = -weight[i] * (sa if a > 0.0 else ea * sa)
        slope[i] = -(high[i] + low[i])
    total = 0.0
    for i in range(n):
        total += value[i]
    for i in range(n):
        c = int(cat[i])
        if c > 0:
            g[c - 1] += low[i]
        if c < many:
            g[c] += high[i]
    for k in range(1, many):
        less = max(-np.expm1(-gap[k]), 1e-300)
        total += count[k] * np.log(less)
        share = count[k] * np.exp(-gap[k]) / less
        g[k] += share
        g[k - 1] -= share
    return total


links = {"probit": probit, "logit": logit}

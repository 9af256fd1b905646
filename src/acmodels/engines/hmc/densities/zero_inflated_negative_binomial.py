"""Counts of mean e^eta and variance mu + mu^2 / phi, and zeros with probability zi."""

# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

from numba import carray

from acmodels.engines.hmc.elementary import exp, log, log_gamma


def data(e, y):
    """Counts."""
    return y[None]


def log_link(n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Log of the mixture's probability; parameters are phi and zi."""
    eta = carray(eta, n)
    y = carray(data, n)
    weight = carray(weight, n)
    value = carray(value, n)
    slope = carray(slope, n)
    phi = carray(par, 2)[0]
    zi = carray(par, 2)[1]
    log_phi = log(phi)
    base, d_base = log_gamma(phi)
    none = log(1.0 - zi)
    g = 0.0
    g_zi = 0.0
    total = 0.0
    for i in range(n):
        u = eta[i] - log_phi
        e = exp(-abs(u))
        q = 1.0 / (1.0 + e)
        p = q if u > 0.0 else e * q
        plus = max(u, 0.0) + log(1.0 + e)
        choose, d_choose = log_gamma(y[i] + phi)
        counted = choose - base + y[i] * u - (y[i] + phi) * plus
        d = y[i] - (y[i] + phi) * p
        d_phi = d_choose - d_base - plus - d / phi
        f = exp(min(counted, 0.0))
        zero = zi + (1.0 - zi) * f
        share = (1.0 - zi) * f / zero if y[i] == 0.0 else 1.0
        value[i] = weight[i] * (log(zero) if y[i] == 0.0 else none + counted)
        slope[i] = weight[i] * share * d
        g += weight[i] * share * d_phi
        g_zi += weight[i] * ((1.0 - f) / zero if y[i] == 0.0 else -1.0 / (1.0 - zi))
    for i in range(n):
        total += value[i]
    carray(g_par, 2)[0] += g
    carray(g_par, 2)[1] += g_zi
    return total


links = {"log": log_link}

"""Elementary functions that LLVM turns into vector instructions, and random numbers.

Each is branch-free: exp and log by argument reduction and a polynomial (Cody & Waite, 1980), the
Mills ratio by a polynomial in (t - 4) / (t + 4). Relative errors are below 1e-14 for exp and log
and below 1e-13 for the Mills ratio. Random numbers are splitmix64 of a counter (Steele, Lea &
Flood, 2014) and Box and Muller's normals, so that a chain's numbers depend on its seed alone.
"""

# what Numba compiles has no annotations
# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

PLAIN = {"error_model": "numpy", "fastmath": {"contract", "nsz"}, "nogil": True}
SUMS = {"error_model": "numpy", "fastmath": {"contract", "nsz", "reassoc"}, "nogil": True}
inlined = numba.njit(**PLAIN)
merged = numba.njit(forceinline=True, **PLAIN)
"""For what is called for every equation: what is passed holds a hundred arrays, by value."""
summed = numba.njit(**SUMS)

ROUND = 6755399441055744.0
LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
GOLDEN = -7046029254386353131
ROOT_2PI = 2.5066282746310002
HALF_LOG_2PI = 0.9189385332046727


@intrinsic
def bits(context, x):
    """Read a double as an integer."""
    return types.int64(types.float64), lambda c, b, s, a: b.bitcast(a[0], ir.IntType(64))


@intrinsic
def double(context, x):
    """Read an integer as a double."""
    return types.float64(types.int64), lambda c, b, s, a: b.bitcast(a[0], ir.DoubleType())


@intrinsic
def left(context, x):
    """Shift left by 52."""
    return types.int64(types.int64), lambda c, b, s, a: b.shl(a[0], ir.Constant(ir.IntType(64), 52))


@intrinsic
def right(context, x, by):
    """Shift right, filling with zeros."""
    return types.int64(types.int64, types.int64), lambda c, b, s, a: b.lshr(a[0], a[1])


@intrinsic
def called(context, address, n, stride, eta, data, par, weight, value, slope, g_par, work):
    """Call a row density by its address.

    Arguments are sizes and addresses of doubles; see `densities` for what they hold.
    """
    sig = types.float64(*([types.int64] * 11))

    def make(c, builder, s, args):
        f64, i64 = ir.DoubleType(), ir.IntType(64)
        pointer = f64.as_pointer()
        kind = ir.FunctionType(f64, [i64, i64, *[pointer] * 8])
        function = builder.inttoptr(args[0], kind.as_pointer())
        given = [args[1], args[2], *(builder.inttoptr(a, pointer) for a in args[3:])]
        return builder.call(function, given)

    return sig, make


@inlined
def exp(x):
    """e^x, between e^-700 and e^700."""
    x = min(max(x, -700.0), 700.0)
    t = x * LOG2_E + ROUND
    k = t - ROUND
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.388888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return double(bits(p) + left(bits(t)))


@inlined
def log(x):
    """Natural logarithm of a positive normal number."""
    b = bits(x) + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
    e = double(right(b, 52) | 0x4330000000000000) - (4503599627370496.0 + 1023.0)
    m = double((b & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = 1 / 21.0
    p = p * z + 1 / 19.0
    p = p * z + 1 / 17.0
    p = p * z + 1 / 15.0
    p = p * z + 1 / 13.0
    p = p * z + 1 / 11.0
    p = p * z + 1 / 9.0
    p = p * z + 1 / 7.0
    p = p * z + 1 / 5.0
    p = p * z + 1 / 3.0
    return e * LN2_HIGH + (2.0 * s + (2.0 * s * z * p + e * LN2_LOW))


@inlined
def mills(t):
    """(1 - Phi(t)) / phi(t) for t of 0 or more."""
    u = (t - 4.0) / (t + 4.0)
    p = 2.1514854018920894e-08
    p = p * u + 5.612166418208338e-09
    p = p * u - 2.1178867810714261e-07
    p = p * u - 1.3210786216839019e-07
    p = p * u + 1.1921656232357796e-06
    p = p * u + 1.3458121439441243e-06
    p = p * u - 5.659440649307501e-06
    p = p * u - 9.69321621547801e-06
    p = p * u + 2.8731233104357275e-05
    p = p * u + 5.909327481470632e-05
    p = p * u - 0.00018429876559958414
    p = p * u - 0.00029380256054294243
    p = p * u + 0.001507245666283032
    p = p * u + 8.468461637747337e-05
    p = p * u - 0.011902968597472556
    p = p * u + 0.03431586564782137
    p = p * u - 0.04202471436611238
    p = p * u - 0.01818142616043055
    p = p * u + 0.19097815934069257
    p = p * u - 0.4559615439049003
    p = p * u + 1.3015881060245817
    return p / (t + 1.5)


@inlined
def log_gamma(a):
    """Logs of gamma and digamma for a > 0: shifted by 7, then Stirling's series."""
    product = a
    s = 1.0 / a
    for k in range(1, 7):
        product *= a + k
        s += 1.0 / (a + k)
    x = a + 7.0
    r = 1.0 / x
    q = r * r
    lx = log(x)
    value = (
        (x - 0.5) * lx
        - x
        + HALF_LOG_2PI
        + r
        * (
            1 / 12.0
            + q
            * (
                -1 / 360.0
                + q * (1 / 1260.0 + q * (-1 / 1680.0 + q * (1 / 1188.0 - q * 691 / 360360.0)))
            )
        )
    )
    slope = (
        lx
        - 0.5 * r
        - q
        * (
            1 / 12.0
            + q
            * (
                -1 / 120.0
                + q * (1 / 252.0 + q * (-1 / 240.0 + q * (1 / 132.0 - q * 691 / 32760.0)))
            )
        )
    )
    return value - log(product), slope - s


@inlined
def mix(z):
    """Scramble 64 bits."""
    z = (z ^ right(z, 30)) * -4658895280553007687
    z = (z ^ right(z, 27)) * -7723592293110705685
    return z ^ right(z, 31)


@inlined
def unit(z):
    """A number in (0, 1) from 52 bits."""
    return double(right(mix(z), 12) | 0x3FF0000000000000) - 0.9999999999999999


@inlined
def uniform(state):
    """Draw a number in (0, 1); state holds a scrambled seed and a counter."""
    state[1] += 1
    return unit(state[0] + state[1] * GOLDEN)


@inlined
def normals(state, out):
    """Fill an array with standard normal numbers."""
    n = out.size
    base = state[0] + state[1] * GOLDEN
    for i in range(n // 2):
        r = np.sqrt(-2.0 * log(unit(base + (2 * i + 1) * GOLDEN)))
        t = 6.283185307179586 * unit(base + (2 * i + 2) * GOLDEN)
        out[2 * i] = r * np.cos(t)
        out[2 * i + 1] = r * np.sin(t)
    if n & 1:
        r = np.sqrt(-2.0 * log(unit(base + n * GOLDEN)))
        out[n - 1] = r * np.cos(6.283185307179586 * unit(base + (n + 1) * GOLDEN))
    state[1] += n + 2

"""Compiled kernels of the collapsed engine: cross-products, likelihoods, back-substitution.

A *point* is one set of standard deviations and correlations. Four points are worked at once, in
the last axis of every work array, so that each arithmetic step is one vector instruction whatever
the shape of the model; LLVM's superword pass, switched on while these functions compile, sees to
it. All kernels release the GIL, take no Python object, and are compiled for one signature, on
disk, so that a later process only loads them.

Group effects are u = T v with v standard normal and T T' their covariance (Bates, Maechler,
Bolker & Walker, 2015, section 2), which stays smooth where a standard deviation reaches zero. A
*chain* of groupings, each nested in the next, is eliminated level by level; what is left, the
*dense* part (crossed groupings, then coefficients), by one Cholesky factorization, to which the
response is the last row. The fields of the tuples in `arrays` are in these terms.
"""

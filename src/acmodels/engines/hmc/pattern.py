"""The pattern of a sparse Cholesky root, found once for a model on its rows."""

# what Numba compiles has no annotations
# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from acmodels.engines.compiling import entry
from acmodels.engines.hmc.elementary import PLAIN
from acmodels.system.arrays import Index


@dataclass(frozen=True)
class Pattern:
    """Where the entries of a root lie, row by row, the diagonal last.

    Attributes:
        state_of: the state at each position, (N,).
        position: of each state, (N,).
        row, column: of each entry, (entries,).
        first: the first entry of each row, (N + 1,).
        triple0, left, right: entry p is that of Q less the sum of products of entries `left` and
            `right` from triple0[p] on.
    """

    state_of: Index
    position: Index
    row: Index
    column: Index
    first: Index
    triple0: Index
    left: Index
    right: Index

    @property
    def diagonal(self) -> Index:
        """The last entry of each row, (N,)."""
        return self.first[1:] - 1

    def entries(self, a: Index, b: Index) -> Index:
        """Find the entries of pairs of states that meet."""
        i, j = self.position[a], self.position[b]
        key = np.maximum(i, j) * len(self.state_of) + np.minimum(i, j)
        return np.searchsorted(self.row * len(self.state_of) + self.column, key)


def pattern(n: int, a: Index, b: Index) -> Pattern:
    """Order states so that the root has few entries, and find these.

    Args:
        n: number of states.
        a: one state of each pair that meets in a row.
        b: the other.
    """
    every = np.arange(n)
    rows = np.concatenate([a, b, every])
    columns = np.concatenate([b, a, every])
    full: Any = sparse.csc_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    full.sum_duplicates()
    full.data[:] = -1.0
    full.setdiag(np.diff(full.indptr) + 1.0)
    order = splu(
        full, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    ).perm_c
    position = np.asarray(order, dtype=np.int64)
    state_of = np.argsort(position)
    turned = full[state_of][:, state_of].tocsr()
    turned.sort_indices()
    first, columns = rows_of(turned.indptr.astype(np.int64), turned.indices.astype(np.int64))
    row = np.repeat(every, np.diff(first))
    triple0, left, right = triples_of(first, columns)
    return Pattern(state_of, position, row, columns, first, triple0, left, right)


@entry(**PLAIN)
def rows_of(start, index):
    """Columns of the entries of each row of the root, in order (Liu, 1990: the elimination tree).

    Args:
        start: of each row of the matrix, (N + 1,).
        index: columns of its nonzeros.
    """
    n = start.size - 1
    parent = np.full(n, -1)
    mark = np.full(n, -1)
    first = np.zeros(n + 1, np.int64)
    room = np.empty(max(4 * index.size, 16), np.int64)
    size = 0
    for a in range(n):
        mark[a] = a
        begin = size
        for q in range(start[a], start[a + 1]):
            b = index[q]
            while b < a and mark[b] != a:
                mark[b] = a
                if size + 2 >= room.size:
                    more = np.empty(2 * room.size, np.int64)
                    more[:size] = room[:size]
                    room = more
                room[size] = b
                size += 1
                if parent[b] == -1:
                    parent[b] = a
                b = parent[b]
        room[begin:size] = np.sort(room[begin:size])
        if size + 2 >= room.size:
            more = np.empty(2 * room.size, np.int64)
            more[:size] = room[:size]
            room = more
        room[size] = a
        size += 1
        first[a + 1] = size
    return first, room[:size].copy()


@entry(**PLAIN)
def triples_of(first, column):
    """Pairs of entries whose products are taken from each entry."""
    n = first.size - 1
    size = column.size
    triple0 = np.zeros(size + 1, np.int64)
    left = np.empty(1, np.int64)
    right = np.empty(1, np.int64)
    for turn in range(2):
        many = 0
        for a in range(n):
            for p in range(first[a], first[a + 1]):
                b = column[p]
                i, j = first[a], first[b]
                while i < p and j < first[b + 1] - 1:
                    if column[i] == column[j]:
                        if turn == 1:
                            left[many] = i
                            right[many] = j
                        many += 1
                        i += 1
                        j += 1
                    elif column[i] < column[j]:
                        i += 1
                    else:
                        j += 1
                triple0[p + 1] = many
        if turn == 0:
            left = np.empty(many, np.int64)
            right = np.empty(many, np.int64)
    return triple0, left, right

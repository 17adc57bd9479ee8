"""Elements shared out among ranks: equal work, few common faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from wavetree.mesh.facets import facet_partners, sorted_facets
from wavetree.mesh.mesh import Mesh
from wavetree.mesh.side_sets import corner_indices, facet_nodes

__all__ = ["Partition", "partition"]


@dataclass(frozen=True)
class Partition:
    """Which rank has which element.

    Attributes
    ----------
    rank
        Of every element (nelem,).
    weights
        Work of every element (nelem,).
    neighbours
        Pairs of elements with a common face (n, 2).
    method
        ``"metis"`` or ``"bisection"``.
    """

    rank: np.ndarray
    weights: np.ndarray
    neighbours: np.ndarray
    method: str

    @property
    def n_ranks(self) -> int:
        """Number of ranks that have elements."""
        return int(self.rank.max()) + 1

    @property
    def imbalance(self) -> float:
        """Work of the busiest rank by the mean: 1 is perfect."""
        work = np.bincount(self.rank, self.weights)
        return float(work.max() / work.mean())

    @property
    def cut_faces(self) -> int:
        """Number of faces between elements of different ranks."""
        pairs = self.rank[self.neighbours]
        return int((pairs[:, 0] != pairs[:, 1]).sum())

    def __repr__(self) -> str:
        return (
            f"<partition of {len(self.rank)} elements among {self.n_ranks} ranks by {self.method}: imbalance "
            f"{self.imbalance:.3f}, {self.cut_faces} faces between ranks>"
        )


def partition(
    mesh: Mesh, n_ranks: int, weights: np.ndarray | None = None, kinds: np.ndarray | None = None
) -> Partition:
    """Share the elements of a mesh out among ranks.

    Parameters
    ----------
    mesh
        The mesh.
    n_ranks
        Number of ranks.
    weights
        Work of every element (nelem,), positive; the same for all when None.
    kinds
        Kind of every element (nelem,); elements of different kinds that have a common face stay together. No
        kinds when None.

    Returns
    -------
    Partition
        With METIS where pymetis is installed, else by bisection along coordinates.

    Raises
    ------
    ValueError
        If there are more ranks than parts that may be on ranks of their own.

    Notes
    -----
    METIS (Karypis & Kumar 1998, SIAM J. Sci. Comput. 20) cuts the graph of elements and their faces; without
    it parts are halved by work across their longest coordinate (Berger & Bokhari 1987).
    """
    weights = np.ones(mesh.nelem) if weights is None else np.asarray(weights, dtype=np.float64)
    neighbours = _neighbours(mesh)
    cluster = _clusters(mesh.nelem, neighbours, kinds)
    n_clusters = int(cluster.max()) + 1
    if n_clusters < n_ranks:
        raise ValueError(
            f"n_ranks is {n_ranks}, but the mesh has {n_clusters} parts that can be on ranks of their own "
            f"({mesh.nelem} elements); start fewer ranks."
        )
    work = np.bincount(cluster, weights)
    ends = cluster[neighbours]
    found = _by_metis(n_ranks, work, ends[ends[:, 0] != ends[:, 1]]) if n_ranks > 1 else None
    method = "bisection" if found is None else "metis"
    if found is None or len(np.unique(found)) < n_ranks:
        corners = mesh.connectivity[:, corner_indices(mesh.dim, mesh.shape_order)]
        centres = mesh.points[corners].mean(axis=1) * weights[:, None]
        places = np.stack([np.bincount(cluster, x) for x in centres.T], axis=1) / work[:, None]
        found, method = _by_bisection(n_ranks, work, places), "bisection"
    return Partition(found[cluster].astype(np.int32), weights, neighbours, method)


def _neighbours(mesh: Mesh) -> np.ndarray:
    """Pairs of elements (n, 2) with a common face."""
    corners = corner_indices(mesh.dim, mesh.shape_order)
    sides = facet_nodes(mesh.dim, 1)
    partners = facet_partners(sorted_facets(mesh.connectivity[:, corners], sides), len(sides))
    rows = np.flatnonzero(partners > np.arange(len(partners)))
    return np.stack([rows // len(sides), partners[rows] // len(sides)], axis=1)


def _clusters(nelem: int, neighbours: np.ndarray, kinds: np.ndarray | None) -> np.ndarray:
    """Number (nelem,) of the group of elements that stays together."""
    if kinds is None:
        return np.arange(nelem)
    ends = kinds[neighbours]
    joined = neighbours[ends[:, 0] != ends[:, 1]]
    graph = coo_array((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(nelem, nelem))
    return np.asarray(connected_components(graph, directed=False)[1])


def _by_metis(n_ranks: int, work: np.ndarray, edges: np.ndarray) -> np.ndarray | None:
    try:
        import pymetis
    except ImportError:
        return None
    n = len(work)
    both = np.concatenate([edges, edges[:, ::-1]])
    pairs, counts = np.unique(both, axis=0, return_counts=True)
    starts = np.searchsorted(pairs[:, 0], np.arange(n + 1))
    # METIS knows whole numbers only.
    whole = np.maximum(1, np.rint(work * (100.0 / work.mean()))).astype(np.int64)
    _, found = pymetis.part_graph(
        n_ranks,
        pymetis.CSRAdjacency(starts.tolist(), pairs[:, 1].tolist()),
        vweights=whole.tolist(),
        eweights=counts.tolist(),
        recursive=n_ranks <= 8,
    )
    return np.asarray(found)


def _by_bisection(n_ranks: int, work: np.ndarray, places: np.ndarray) -> np.ndarray:
    result = np.zeros(len(work), dtype=np.int64)

    def halve(members: np.ndarray, first: int, n: int) -> None:
        if n == 1:
            result[members] = first
            return
        low = n // 2
        axis = int(np.argmax(np.ptp(places[members], axis=0)))
        # Ties by the other coordinates: rounding of one must not interleave the halves.
        keys = [places[members, other] for other in range(places.shape[1]) if other != axis]
        ordered = members[np.lexsort((*keys, np.round(places[members, axis], 12)))]
        share = np.cumsum(work[ordered]) / work[ordered].sum()
        # Of the elements up to and without the one in which the share is reached, what comes nearer.
        cut = int(np.searchsorted(share, low / n))
        before = share[cut - 1] if cut else 0.0
        cut += bool(share[min(cut, len(share) - 1)] - low / n <= low / n - before)
        cut = int(np.clip(cut, low, len(ordered) - (n - low)))
        halve(ordered[:cut], first, low)
        halve(ordered[cut:], first + low, n - low)

    halve(np.arange(len(work)), 0, n_ranks)
    return result

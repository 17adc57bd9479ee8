"""The quads and hexes that mesh files know, and how their nodes become ours."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["CELL_TYPES", "FACET_CORNERS", "CellType"]

_Places = tuple[tuple[int, ...], ...]

_QUAD_CORNERS: _Places = ((0, 0), (2, 0), (2, 2), (0, 2))
_QUAD_EDGES: _Places = ((1, 0), (2, 1), (1, 2), (0, 1))
_QUAD_CENTRE: _Places = ((1, 1),)
_HEX_CORNERS: _Places = tuple((*place, z) for z in (0, 2) for place in _QUAD_CORNERS)
_BOTTOM, _UPRIGHT, _TOP = (
    tuple((*place, z) for place in places)
    for z, places in ((0, _QUAD_EDGES), (1, _QUAD_CORNERS), (2, _QUAD_EDGES))
)
_HEX_EDGES: _Places = (*_BOTTOM, *_TOP, *_UPRIGHT)
_EXODUS_EDGES: _Places = (*_BOTTOM, *_UPRIGHT, *_TOP)
_HEX_SIDES: _Places = ((0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 2))
_HEX_CENTRE: _Places = ((1, 1, 1),)
_EXODUS_INNER: _Places = (*_HEX_CENTRE, *_HEX_SIDES[4:], *_HEX_SIDES[:4])


@dataclass(frozen=True)
class CellType:
    """A quad or hex of order 1 or 2 as a file numbers its nodes.

    Parameters
    ----------
    order
        Geometric order, 1 or 2.
    places
        Lattice coordinates 0, 1, 2 per axis of every node, for reference coordinates -1, 0, 1.
    """

    order: int
    places: _Places

    @property
    def dim(self) -> int:
        """Number of dimensions of the element."""
        return len(self.places[0])

    @cached_property
    def corners(self) -> np.ndarray:
        """Nodes (2**dim,) that are the corners, x fastest."""
        lattice = itertools.product((0, 2), repeat=self.dim)
        return np.array([self.places.index(place[::-1]) for place in lattice])

    @cached_property
    def tensor_places(self) -> np.ndarray:
        """Lattice coordinates ((order + 1)**dim, dim) of our nodes, x fastest."""
        axis = (0, 2) if self.order == 1 else (0, 1, 2)
        return np.array([place[::-1] for place in itertools.product(axis, repeat=self.dim)])

    @cached_property
    def columns(self) -> np.ndarray:
        """Node of the file for each of ours ((order + 1)**dim,), -1 where the file has none."""
        known = {place: k for k, place in enumerate(self.places)}
        return np.array([known.get(tuple(place), -1) for place in self.tensor_places.tolist()])

    def missing(self) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Return our nodes that the file leaves out: column, nodes (k,) they follow from, weights (k,)."""
        found = []
        for column in np.flatnonzero(self.columns < 0):
            weights = serendipity_functions(np.array(self.places) - 1.0, self.tensor_places[column] - 1.0)
            sources = np.flatnonzero(weights)
            found.append((int(column), sources, weights[sources]))
        return found


def serendipity_functions(nodes: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Evaluate the shape functions of the quad of 8 or the hex of 20 nodes.

    Parameters
    ----------
    nodes
        Reference coordinates (8 or 20, dim) of the corners and the middles of the edges: -1, 0 or 1.
    position
        Reference coordinates (dim,).

    Returns
    -------
    numpy.ndarray
        Values (8 or 20,).

    Notes
    -----
    With t_k = ξ_k ξ_k(node): corners ∏(1 + t_k) (Σ t_k − dim + 1) / 2^dim; middles of edges along axis a
    (1 − ξ_a²) ∏_{k≠a}(1 + t_k) / 2^(dim − 1) (Zienkiewicz & Taylor, The Finite Element Method, vol. 1). They
    are polynomials of degree 2 per axis, so that nine or 27 nodes hold the same geometry exactly.
    """
    dim = len(position)
    t = nodes * position
    # The factor of the axis along which an edge runs is (1 - ξ²), of the others (1 + t).
    along = nodes == 0.0
    factors = np.where(along, 1.0 - position**2, 1.0 + t)
    corner = ~along.any(axis=1)
    scale = np.where(corner, (t.sum(axis=1) - dim + 1.0) / 2.0, 1.0) / 2.0 ** (dim - 1)
    return np.asarray(factors.prod(axis=1) * scale)


CELL_TYPES = {
    "quad": CellType(1, _QUAD_CORNERS),
    "quad8": CellType(2, (*_QUAD_CORNERS, *_QUAD_EDGES)),
    "quad9": CellType(2, (*_QUAD_CORNERS, *_QUAD_EDGES, *_QUAD_CENTRE)),
    "hexahedron": CellType(1, _HEX_CORNERS),
    "hexahedron20": CellType(2, (*_HEX_CORNERS, *_HEX_EDGES)),
    "hexahedron27": CellType(2, (*_HEX_CORNERS, *_HEX_EDGES, *_HEX_SIDES, *_HEX_CENTRE)),
    "exodus hex20": CellType(2, (*_HEX_CORNERS, *_EXODUS_EDGES)),
    "exodus hex27": CellType(2, (*_HEX_CORNERS, *_EXODUS_EDGES, *_EXODUS_INNER)),
}
"""Cell types by name: those of meshio, whose order is that of VTK, and the hexes of order 2 of Exodus."""

FACET_CORNERS = {"line": 2, "line3": 2, "quad": 4, "quad8": 4, "quad9": 4}
"""How many of the first nodes of a facet are its corners."""

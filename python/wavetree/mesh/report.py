"""What is to be known of a mesh before it is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from wavetree.mesh.facets import facet_partners, sorted_facets
from wavetree.mesh.hanging_nodes import hanging_nodes
from wavetree.mesh.side_sets import corner_indices, facet_nodes

if TYPE_CHECKING:
    from wavetree.mesh.mesh import Mesh

__all__ = ["MeshReport", "check_mesh"]

_NAMED = 5  # places that a line names


@dataclass(frozen=True, eq=False)
class MeshReport:
    """What was found in a mesh, and what was repaired when it was read; prints as one line each.

    Attributes
    ----------
    repairs
        What was changed, in words.
    notes
        What is worth knowing and does no harm, in words.
    hanging_nodes
        Points (n,) on the side of an element that are not among its nodes.
    hanging_places
        Where they are (n, dim) [m].
    open_sides
        [element, side] rows (n, 2) that share their corners with a neighbour but not their other nodes.
    open_places
        Middles of these sides (n, dim) [m].
    parts
        Part of the mesh every element belongs to (nelem,), the largest is 0; parts have no side in common.
    part_places
        Mean of the elements' centroids in each part (n_parts, dim) [m].
    """

    repairs: tuple[str, ...]
    notes: tuple[str, ...]
    hanging_nodes: np.ndarray
    hanging_places: np.ndarray
    open_sides: np.ndarray
    open_places: np.ndarray
    parts: np.ndarray
    part_places: np.ndarray

    @property
    def problems(self) -> tuple[str, ...]:
        """What makes results wrong, in words: waves do not cross where elements do not share nodes."""
        found = []
        if len(self.hanging_nodes):
            found.append(
                f"{len(self.hanging_nodes)} hanging nodes, points on the side of an element that are not its "
                f"own: {_named('point', self.hanging_nodes, self.hanging_places)}; no wave crosses these "
                "sides: make the mesh conforming there."
            )
        if len(self.open_sides):
            found.append(
                f"{len(self.open_sides)} sides share their corners with a neighbour but not their other "
                f"nodes: {_named('element', self.open_sides[:, 0], self.open_places)}; curve both alike."
            )
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def __str__(self) -> str:
        lines = [f"repaired: {text}" for text in self.repairs]
        lines += [f"note: {text}" for text in self.notes]
        if len(self.part_places) > 1:
            sizes = np.bincount(self.parts)
            lines.append(
                f"note: {len(sizes)} parts have no side in common: "
                f"{_named('elements around', sizes, self.part_places, first=True)}."
            )
        lines += [f"problem: {text}" for text in self.problems]
        return "\n".join(lines or ["no problems were found."])


def check_mesh(mesh: Mesh, repairs: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> MeshReport:
    """Look for hanging nodes, curved sides that do not match and parts that do not hang together.

    Parameters
    ----------
    mesh
        The mesh. That its elements are neither inverted nor degenerate was checked when it was made.
    repairs, notes
        What is known already, in words.
    """
    n_sides = 2 * mesh.dim
    own = facet_nodes(mesh.dim, mesh.shape_order)
    corners = corner_indices(mesh.dim, mesh.shape_order)[facet_nodes(mesh.dim, 1)]
    partners = facet_partners(sorted_facets(mesh.connectivity, corners), n_sides)
    inner = np.flatnonzero(partners > np.arange(len(partners)))
    # Of two sides with the same corners the other nodes are the same set, too.
    nodes = sorted_facets(mesh.connectivity, own)
    differ = inner[(nodes[inner] != nodes[partners[inner]]).any(axis=1)]
    parts = _parts(mesh.nelem, inner // n_sides, partners[inner] // n_sides)
    hanging = hanging_nodes(mesh)
    centroids = mesh.get_element_centroid()
    sizes = np.bincount(parts)
    return MeshReport(
        repairs=repairs,
        notes=notes,
        hanging_nodes=hanging,
        hanging_places=mesh.points[hanging],
        open_sides=np.stack(np.divmod(differ, n_sides), axis=1),
        open_places=mesh.points[nodes[differ]].mean(axis=1),
        parts=parts,
        part_places=np.stack([np.bincount(parts, x) / sizes for x in centroids.T], axis=1),
    )


def _parts(n_elements: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number the connected parts (n_elements,), the largest first."""
    links = scipy.sparse.coo_array(
        (np.ones(len(first), dtype=bool), (first, second)), shape=(n_elements,) * 2
    )
    _, part = scipy.sparse.csgraph.connected_components(links, directed=False)
    rank = np.argsort(np.argsort(-np.bincount(part), kind="stable"), kind="stable")
    return np.asarray(rank[part])


def _named(kind: str, numbers: np.ndarray, places: np.ndarray, first: bool = False) -> str:
    """Name some things with their places; the number stands before or after its kind."""
    texts = [
        f"{f'{number} {kind}' if first else f'{kind} {number} at'} ({', '.join(f'{x:.6g}' for x in place)})"
        for number, place in zip(numbers[:_NAMED].tolist(), places, strict=False)
    ]
    return ", ".join(texts) + (f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else "")

"""What one of several ranks has of a mesh and its media, and how results come together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavetree import _core
from wavetree.mesh import Mesh
from wavetree.mesh.partition import Partition, partition
from wavetree.mesh.side_sets import corner_indices
from wavetree.ranks import Ranks
from wavetree.simulation.medium import MediumPart

__all__ = ["Share", "SharedDofs", "share_elements", "share_out"]

# Work of an element node in a time step by dimension and physics, in units of one in a 2-D fluid: from the
# rates of `wavetree benchmark` on deformed elements (docs/performance.md).
_WORK = {
    (2, "acoustic"): 1.0,
    (2, "elastic"): 2.2,
    (2, "anisotropic"): 2.8,
    (3, "acoustic"): 1.6,
    (3, "elastic"): 5.3,
    (3, "anisotropic"): 8.0,
}


@dataclass(frozen=True)
class Share:
    """The elements of one rank.

    Attributes
    ----------
    ranks
        The ranks.
    partition
        Which rank has which element.
    own, ghosts
        Elements of this rank, and those of others that touch them, ascending.
    compiled
        The same for the core.
    """

    ranks: Ranks
    partition: Partition
    own: np.ndarray
    ghosts: np.ndarray
    compiled: _core.Share

    @property
    def elements(self) -> np.ndarray:
        """The elements that the core knows: this rank's own, and behind them the ghosts."""
        return np.concatenate([self.own, self.ghosts])

    @property
    def neighbours(self) -> list[int]:
        """Ranks with which this one exchanges messages."""
        return np.unique(self.partition.rank[self.ghosts]).tolist()

    def __repr__(self) -> str:
        return (
            f"<{self.ranks!r}: {len(self.own)} elements, {len(self.ghosts)} ghosts of ranks "
            f"{self.neighbours}; {self.partition!r}>"
        )

    def of_part(self, part: MediumPart) -> PartShare:
        """Return this rank's elements of a medium."""
        rank = self.partition.rank[part.elements]
        place = np.full(len(self.partition.rank), -1, dtype=np.int64)
        place[self.elements] = np.arange(len(self.own) + len(self.ghosts))
        own = np.flatnonzero(rank == self.ranks.rank)
        ghosts = place[part.elements[rank != self.ranks.rank]]
        return PartShare(own, place[part.elements[own]], ghosts[ghosts >= 0])


@dataclass(frozen=True)
class PartShare:
    """One rank's elements of a medium.

    Attributes
    ----------
    own
        Their numbers within the medium (n,), ascending.
    elements, ghosts
        Their numbers, and those of the elements of other ranks that touch them, among `Share.elements`.
    """

    own: np.ndarray
    elements: np.ndarray
    ghosts: np.ndarray

    def number(self, elements: np.ndarray) -> np.ndarray:
        """Return the numbers on this rank of elements (n,) of the medium, -1 for those of other ranks."""
        if not len(self.own):
            return np.full(len(elements), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.own, elements), len(self.own) - 1)
        return np.where(self.own[at] == elements, at, -1)

    def sides(self, sides: np.ndarray) -> np.ndarray:
        """Return the sides (n, 2) that this rank has, elements numbered on this rank."""
        numbered = np.stack([self.number(sides[:, 0]), sides[:, 1]], axis=1)
        return np.ascontiguousarray(numbered[numbered[:, 0] >= 0])


class SharedDofs:
    """The degrees of freedom of elements that ranks share.

    Parameters
    ----------
    ranks
        The ranks.
    element_dofs, n_dofs
        Numbers of the nodes of all elements (n_elements, n_nodes), and how many there are.
    rank
        Which rank has which of these elements (n_elements,).
    local_dofs
        How this rank numbers the nodes of its own (n_own, n_nodes).
    """

    def __init__(
        self, ranks: Ranks, element_dofs: np.ndarray, n_dofs: int, rank: np.ndarray, local_dofs: np.ndarray
    ) -> None:
        self.element_dofs = element_dofs
        self._ranks, self._n_dofs = ranks, n_dofs
        first = np.full(n_dofs, ranks.size, dtype=rank.dtype)
        np.minimum.at(first, element_dofs, rank[:, None])
        number = np.full(n_dofs, -1, dtype=np.int64)
        number[element_dofs[rank == ranks.rank]] = local_dofs
        self._here = np.flatnonzero(number >= 0)
        self._number = number[self._here]
        self._owned = np.flatnonzero((number >= 0) & (first == ranks.rank))
        self._local = number[self._owned]

    def scatter(self, values: np.ndarray) -> np.ndarray:
        """Return what this rank has of values (n_dofs, ...), as it numbers them."""
        result = np.empty((len(self._here), *values.shape[1:]), dtype=values.dtype)
        result[self._number] = values[self._here]
        return result

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Return the values (n_dofs, ...) of all ranks, from those of each as it numbers them."""
        result = np.zeros((self._n_dofs, *values.shape[1:]), dtype=values.dtype)
        result[self._owned] = values[self._local]
        return self._ranks.sum(result)


def share_out(mesh: Mesh, parts: Sequence[MediumPart], ranks: Ranks) -> Share:
    """Share the elements of a medium out among ranks.

    Parameters
    ----------
    mesh
        The mesh with its absorbing layers.
    parts
        Its media.
    ranks
        The ranks.

    Raises
    ------
    ValueError
        If there are more ranks than elements.
    """
    weights, kinds = np.ones(mesh.nelem), np.zeros(mesh.nelem, dtype=np.int64)
    for number, part in enumerate(parts):
        weights[part.elements], kinds[part.elements] = _WORK[mesh.dim, part.physics], number
    several = kinds if len(parts) > 1 else None
    return share_elements(mesh, ranks, weights, several)


def share_elements(
    mesh: Mesh, ranks: Ranks, weights: np.ndarray | None = None, kinds: np.ndarray | None = None
) -> Share:
    """Share the elements of a mesh out among ranks.

    Parameters
    ----------
    mesh
        The mesh.
    ranks
        The ranks.
    weights, kinds
        See `wavetree.mesh.partition.partition`.
    """
    with ranks.together():
        first = partition(mesh, ranks.size, weights, kinds) if ranks.rank == 0 else None
    found: Partition = ranks.share(first)
    own = np.flatnonzero(found.rank == ranks.rank)
    corners = mesh.connectivity[:, corner_indices(mesh.dim, mesh.shape_order)]
    touched = np.zeros(mesh.n_points, dtype=bool)
    touched[corners[own]] = True
    ghosts = np.flatnonzero(touched[corners].any(axis=1) & (found.rank != ranks.rank))
    numbers = np.concatenate([own, ghosts]).astype(np.int64)
    compiled = _core.Share(ranks, np.ascontiguousarray(found.rank[ghosts], dtype=np.int32), numbers)
    return Share(ranks, found, own, ghosts, compiled)

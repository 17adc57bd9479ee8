"""How well the elements of a mesh are shaped, and which of them limit the time step."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree import _core
from wavetree.errors import unknown_name
from wavetree.mesh.facets import facet_partners, sorted_facets
from wavetree.mesh.interpolation import MAX_ORDER
from wavetree.mesh.jacobian import jacobians
from wavetree.mesh.side_sets import corner_indices, facet_nodes

if TYPE_CHECKING:
    from wavetree.mesh.mesh import Mesh

__all__ = ["FIGURES", "MeshQuality", "mesh_quality", "singular_values"]

_FASTEST = ("VP", "VPV", "VPH")


@dataclass(frozen=True)
class _Figure:
    title: str
    unit: str
    best_is_high: bool


FIGURES = {
    "scaled_jacobian": _Figure("scaled Jacobian", "", True),
    "condition": _Figure("condition", "", False),
    "size_ratio": _Figure("size ratio", "", False),
    "shortest_edge": _Figure("shortest edge", "m", True),
    "longest_edge": _Figure("longest edge", "m", False),
    "crossing_time": _Figure("crossing time", "s", True),
}
"""What is measured: title, unit, and whether high values are the good ones."""


@dataclass(frozen=True, eq=False)
class MeshQuality:
    """Figures of every element of a mesh; prints as a table with the worst elements and their places.

    Attributes
    ----------
    mesh
        The mesh.
    scaled_jacobian
        Smallest det J over the product of the lengths of the columns of dx/dξ (nelem,): 1 for rectangles
        and bricks, the sine of the angle for parallelograms, 0 where an element collapses.
    condition
        Largest ratio of the singular values of dx/dξ (nelem,): 1 for squares and cubes, the ratio of the
        edges for rectangles and bricks.
    size_ratio
        Largest ratio of sizes between an element and a neighbour across a side (nelem,), at least 1; the
        size is the dim-th root of the volume.
    shortest_edge, longest_edge
        Lengths along curved edges (nelem,) [m].
    crossing_time
        Thinnest place of the element over the largest velocity in it (nelem,) [s], None without a velocity.
        The stable time step goes with the smallest one; an element far below the others makes all steps
        small.
    """

    mesh: Mesh
    scaled_jacobian: np.ndarray
    condition: np.ndarray
    size_ratio: np.ndarray
    shortest_edge: np.ndarray
    longest_edge: np.ndarray
    crossing_time: np.ndarray | None

    def figures(self) -> dict[str, np.ndarray]:
        """Return what was measured by name, values (nelem,)."""
        return {name: getattr(self, name) for name in FIGURES if getattr(self, name) is not None}

    def worst(self, figure: str, count: int = 5) -> np.ndarray:
        """Return the elements with the worst values of a figure, the worst first.

        Parameters
        ----------
        figure
            Name of the figure, such as "scaled_jacobian".
        count
            How many.

        Raises
        ------
        ValueError
            If there is no such figure.
        """
        known = self.figures()
        if figure not in known:
            raise unknown_name("figure of mesh quality", figure, known)
        sign = 1.0 if FIGURES[figure].best_is_high else -1.0
        return np.argsort(sign * known[figure], kind="stable")[:count]

    @property
    def time_step_spread(self) -> float | None:
        """Median over smallest crossing time: how much larger the step were without the worst elements."""
        if self.crossing_time is None:
            return None
        return float(np.median(self.crossing_time) / self.crossing_time.min())

    def plot(self) -> Any:
        """Draw histograms and maps with matplotlib and return the figure."""
        from wavetree.viz.mesh_quality import plot_quality

        return plot_quality(self)

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("", "worst", "median", "best", "worst elements")]
        for name, values in self.figures().items():
            figure = FIGURES[name]
            ends = sorted((float(values.min()), float(values.max())), reverse=not figure.best_is_high)
            title = f"{figure.title} [{figure.unit}]" if figure.unit else figure.title
            numbers = (f"{value:.3g}" for value in (ends[0], float(np.median(values)), ends[1]))
            rows.append((title, *numbers, self._places(name)))
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        lines = ["  ".join((*map(str.ljust, row, widths), row[4])).rstrip() for row in rows]
        spread = self.time_step_spread
        if spread is not None:
            lines.append(
                f"time-step spread: the median crossing time is {spread:.3g} times the smallest, which sets "
                "the time step."
            )
        return "\n".join(lines)

    def _places(self, name: str) -> str:
        values = self.figures()[name]
        if np.ptp(values) <= 1e-9 * np.abs(values).max():
            return "all alike"
        worst = self.worst(name, 3)
        places = self.mesh.points[self.mesh.connectivity[worst]].mean(axis=1)
        return ", ".join(
            f"{element} at ({', '.join(f'{x:.4g}' for x in place)})"
            for element, place in zip(worst.tolist(), places, strict=True)
        )


def mesh_quality(mesh: Mesh, velocity: Any = None) -> MeshQuality:
    """Measure the elements of a mesh.

    Parameters
    ----------
    mesh
        The mesh.
    velocity
        Largest wave velocity [m/s]: (nelem,) or (nelem, n), or a number. The fields VP, or VPV and VPH, when
        None.

    Raises
    ------
    ValueError
        If the velocity has another shape or is not positive.

    Notes
    -----
    Derivatives are taken at the GLL nodes of twice the geometric order, corners included; between them a
    strongly curved element can be a little worse.
    """
    fastest = _fastest(mesh, velocity)
    order = min(2 * mesh.shape_order, MAX_ORDER)
    measured: dict[str, list[np.ndarray]] = {}
    for _, dx_dxi in jacobians(mesh.points, mesh.connectivity, mesh.shape_order, order):
        for name, values in _measure(dx_dxi, order).items():
            measured.setdefault(name, []).append(values)
    joined = {name: np.concatenate(parts) for name, parts in measured.items()}
    thickness, volume = joined.pop("thickness"), joined.pop("volume")
    return MeshQuality(
        mesh=mesh,
        size_ratio=_size_ratio(mesh, volume ** (1.0 / mesh.dim)),
        crossing_time=None if fastest is None else thickness / fastest,
        **joined,
    )


def singular_values(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest singular value (...,) of matrices (..., 2, 2) or (..., 3, 3).

    Notes
    -----
    From the eigenvalues of AᵀA in closed form; in three dimensions by the cosine formula (Smith 1961,
    Comm. ACM 4, 168), with the smallest one from det A. Where two eigenvalues meet, half the digits remain.
    """
    gram = np.einsum("...ki,...kj->...ij", matrices, matrices)
    volume = np.abs(determinants(matrices))
    dim = matrices.shape[-1]
    trace = np.trace(gram, axis1=-2, axis2=-1)
    if dim == 2:
        root = np.hypot(gram[..., 0, 0] - gram[..., 1, 1], 2.0 * gram[..., 0, 1])
        largest = np.sqrt(0.5 * (trace + root))
        return volume / largest, largest
    mean = trace / 3.0
    deviator = gram - mean[..., None, None] * np.eye(3)
    size = np.sqrt((deviator**2).sum(axis=(-2, -1)) / 6.0)
    cosine = determinants(deviator) / np.where(size > 1e-12 * mean, 2.0 * size**3, np.inf)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0)) / 3.0
    first = mean + 2.0 * size * np.cos(angle)
    middle = mean + 2.0 * size * np.cos(angle - 2.0 * np.pi / 3.0)
    return volume / np.sqrt(first * middle), np.sqrt(first)


def determinants(matrices: np.ndarray) -> np.ndarray:
    """Return the determinants (...,) of matrices (..., 2, 2) or (..., 3, 3), signs exact as far as can be."""
    if matrices.shape[-1] == 2:
        return np.asarray(
            matrices[..., 0, 0] * matrices[..., 1, 1] - matrices[..., 0, 1] * matrices[..., 1, 0]
        )
    return np.asarray((matrices[..., 0] * np.cross(matrices[..., 1], matrices[..., 2])).sum(axis=-1))


def _measure(dx_dxi: np.ndarray, order: int) -> dict[str, np.ndarray]:
    """Figures of elements from their derivatives (n, nodes, dim, dim)."""
    dim = dx_dxi.shape[-1]
    determinant = determinants(dx_dxi)
    columns = np.sqrt((dx_dxi**2).sum(axis=2))
    smallest, largest = singular_values(dx_dxi)
    weights = np.array(_core.gll(order)[1])
    volume_weights = weights
    for _ in range(dim - 1):
        volume_weights = np.multiply.outer(volume_weights, weights)
    edges = np.stack([columns[:, nodes, axis] @ weights for axis, nodes in _edges(dim, order)], axis=1)
    return {
        "scaled_jacobian": (determinant / columns.prod(axis=2)).min(axis=1),
        "condition": (largest / smallest).max(axis=1),
        "shortest_edge": edges.min(axis=1),
        "longest_edge": edges.max(axis=1),
        "thickness": 2.0 * smallest.min(axis=1),
        "volume": determinant @ volume_weights.ravel(),
    }


def _edges(dim: int, order: int) -> Iterator[tuple[int, np.ndarray]]:
    """Axis and nodes of every edge of an element."""
    grid = np.arange((order + 1) ** dim).reshape((order + 1,) * dim)
    for axis in range(dim):
        lines = np.moveaxis(grid, dim - 1 - axis, -1)
        for ends in itertools.product((0, -1), repeat=dim - 1):
            yield axis, lines[ends]


def _size_ratio(mesh: Mesh, size: np.ndarray) -> np.ndarray:
    sides = 2 * mesh.dim
    local = corner_indices(mesh.dim, mesh.shape_order)[facet_nodes(mesh.dim, 1)]
    partners = facet_partners(sorted_facets(mesh.connectivity, local), sides)
    own = np.repeat(size, sides)
    other = np.where(partners >= 0, size[partners // sides], own)
    return np.asarray(np.maximum(own / other, other / own).reshape(-1, sides).max(axis=1))


def _fastest(mesh: Mesh, velocity: Any) -> np.ndarray | None:
    """Largest velocity in every element (nelem,), None if the mesh has none."""
    if velocity is None:
        found = [per_element for name in _FASTEST if (per_element := _field(mesh, name)) is not None]
        return np.max(found, axis=0) if found else None
    values = np.asarray(velocity, dtype=np.float64)
    if values.ndim > 2 or values.shape[:1] not in ((), (mesh.nelem,)) or not (values > 0.0).all():
        raise ValueError(
            f"velocity has shape {values.shape} and the smallest value {values.min(initial=np.inf):g}; "
            f"expected positive numbers [m/s], one or (nelem,) = ({mesh.nelem},) or (nelem, n)."
        )
    values = np.broadcast_to(values, (mesh.nelem,)) if values.ndim < 2 else values.max(axis=1)
    return np.asarray(values)


def _field(mesh: Mesh, name: str) -> np.ndarray | None:
    """Largest value of a field in every element (nelem,), None if the mesh does not have it."""
    if name in mesh.element_nodal_fields:
        return np.asarray(mesh.element_nodal_fields[name].max(axis=1))
    if name in mesh.nodal_fields:
        return np.asarray(mesh.nodal_fields[name][mesh.connectivity].max(axis=1))
    return mesh.elemental_fields.get(name)

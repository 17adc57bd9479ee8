"""Sponge layers: elements added outside the domain in which waves die out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from wavetree.mesh import Mesh
from wavetree.mesh.interpolation import gll_points
from wavetree.simulation.boundary import Absorbing, BoundaryCondition

__all__ = ["ExtendedMesh", "extend"]


@dataclass(frozen=True)
class _Layer:
    """One planar side with a sponge behind it."""

    axis: int
    outward: int  # +1 or -1
    plane: float  # coordinate of the inner edge [m]
    width: float  # [m]
    peak: float  # damping rate at the outer edge [1/s]


@dataclass
class ExtendedMesh:
    """A mesh with its sponge, and where the sponge's material comes from.

    Attributes
    ----------
    mesh
        The domain's elements first, then those of the sponge.
    order
        Order of the material's GLL nodes.
    source
        For every element and node of `mesh` the flat element-node of the domain whose material it has,
        (nelem, n_nodes): its own inside, the nearest edge node's in the sponge.
    """

    mesh: Mesh
    order: int
    source: np.ndarray
    layers: list[_Layer] = field(default_factory=list)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return the domain's values (nelem, n_nodes) on the extended mesh."""
        return np.ascontiguousarray(values.reshape(-1)[self.source])

    def collect(self, values: np.ndarray) -> np.ndarray:
        """Apply the transpose of `spread`: sponge values are added to the nodes they came from."""
        n_nodes = values.shape[1]
        total = np.bincount(self.source.ravel(), values.ravel(), minlength=self._n_domain * n_nodes)
        return total.reshape(-1, n_nodes)

    @property
    def _n_domain(self) -> int:
        return int(self.source.max()) // self.source.shape[1] + 1

    def rate(self) -> np.ndarray:
        """Return the damping rate γ at the nodes (nelem, n_nodes) [1/s]; empty without layers.

        Notes
        -----
        γ rises with the cube of the depth in the layer. The damping C = 2γM attenuates a wave of velocity
        c by exp(−∫γ/c), so a peak of 2 c ln(1/R) / width lets R of the amplitude come back.
        """
        n_nodes = (self.order + 1) ** self.mesh.dim
        if not self.layers:
            return np.zeros((0, n_nodes))
        coordinates = self.mesh.node_coordinates(self.order)
        rate = np.zeros(coordinates.shape[:2])
        for layer in self.layers:
            depth = layer.outward * (coordinates[..., layer.axis] - layer.plane) / layer.width
            rate += layer.peak * np.clip(depth, 0.0, 1.0) ** 3
        return rate


def extend(mesh: Mesh, conditions: Iterable[BoundaryCondition], order: int) -> ExtendedMesh:
    """Add the sponge layers that absorbing conditions ask for outside a 2-D mesh.

    Parameters
    ----------
    mesh
        The domain.
    conditions
        Conditions on its sides; those that are not absorbing, or have no width, add nothing.
    order
        Order of the material's GLL nodes.

    Raises
    ------
    ValueError
        If a side with a sponge is not a plane normal to a coordinate axis, or two of them share a plane and
        touch.

    Notes
    -----
    Side sets of other sides are continued along the layer's ends; the side itself moves to the outer edge.
    Layers on neighbouring sides meet in a corner, where their damping adds.
    """
    n_nodes = (order + 1) ** mesh.dim
    source = np.arange(mesh.nelem * n_nodes).reshape(mesh.nelem, n_nodes)
    extended = ExtendedMesh(mesh, order, source)
    layers: dict[str, _Layer] = {}
    for condition in conditions:
        if isinstance(condition, Absorbing) and condition.width_in_meters > 0.0:
            for name in condition.side_sets:
                layer = _layer(mesh, name, condition)
                _refuse_neighbours(mesh, name, layer, layers)
                layers[name] = layer
                extended = _add_layer(extended, name, layer)
    return extended


def _refuse_neighbours(mesh: Mesh, name: str, layer: _Layer, layers: dict[str, _Layer]) -> None:
    """Refuse two layers side by side: nothing would connect them, and waves would run along the crack."""
    for other, known in layers.items():
        ours, theirs = (_side_points(mesh, mesh.side_sets[key]) for key in (name, other))
        touching = np.intersect1d(ours, theirs)
        if known.axis == layer.axis and len(touching):
            raise ValueError(
                f"side sets {other!r} and {name!r} touch and lie in one plane; expected one side set where "
                "width_in_meters > 0: attach one with the rows of both."
            )


def _layer(mesh: Mesh, name: str, condition: Absorbing) -> _Layer:
    assert condition.reference_velocity is not None  # a sponge cannot be configured without
    coordinates = mesh.points[_side_points(mesh, mesh.side_sets[name])].reshape(-1, mesh.dim)
    spread = np.ptp(coordinates, axis=0)
    axis = int(np.argmin(spread))
    if spread[axis] > 1e-9 * np.ptp(mesh.points[:, axis]):
        raise ValueError(
            f"side set {name!r} is not a plane normal to an axis (it spans {spread.tolist()} m); expected a "
            "straight side where width_in_meters > 0: use width_in_meters=0 (impedance condition alone) "
            "there."
        )
    plane = float(coordinates[0, axis])
    low, high = float(mesh.points[:, axis].min()), float(mesh.points[:, axis].max())
    outward = 1 if plane > 0.5 * (low + high) else -1
    if abs(plane - (high if outward > 0 else low)) > 1e-9 * (high - low):
        raise ValueError(
            f"side set {name!r} lies at {plane:g} m, inside the mesh's extent from {low:g} to {high:g} m; "
            "expected an outer side where width_in_meters > 0, for there is no room for a layer elsewhere."
        )
    width = condition.width_in_meters
    peak = 2.0 * condition.reference_velocity * math.log(1.0 / condition.target_reflection) / width
    return _Layer(axis, outward, plane, width, peak)


def _side_nodes(order: int, side: int) -> np.ndarray:
    """Element-local nodes of a quad's side, in ascending reference coordinate."""
    grid = np.arange((order + 1) ** 2).reshape(order + 1, order + 1)  # [eta, xi]
    return np.asarray([grid[:, 0], grid[:, -1], grid[0], grid[-1]][side])


def _side_points(mesh: Mesh, sides: np.ndarray) -> np.ndarray:
    """Points of sides (n, shape_order + 1)."""
    nodes = np.stack([_side_nodes(mesh.shape_order, s) for s in range(4)])
    return np.asarray(mesh.connectivity[sides[:, :1], nodes[sides[:, 1]]])


def _add_layer(extended: ExtendedMesh, name: str, layer: _Layer) -> ExtendedMesh:
    mesh, order = extended.mesh, extended.order
    sides = mesh.side_sets[name]
    edge = _side_points(mesh, sides)
    tangent = 1 - layer.axis
    flipped = mesh.points[edge[:, -1], tangent] < mesh.points[edge[:, 0], tangent]
    edge = np.where(flipped[:, None], edge[:, ::-1], edge)

    extent = np.ptp(mesh.points[mesh.connectivity[sides[:, 0]], layer.axis], axis=1)
    n_layers = max(1, math.ceil(layer.width / float(extent.mean()) - 1e-9))
    points, levels = _extrude_points(mesh, edge, layer, n_layers)
    connectivity = _extrude_elements(levels, layer, mesh.shape_order, n_layers)

    # Material: constant along the outward axis, that of the edge node the new node was drawn from.
    nodes = np.stack([_side_nodes(order, s) for s in range(4)])[sides[:, 1]]
    nodes = np.where(flipped[:, None], nodes[:, ::-1], nodes)
    drawn = extended.source[sides[:, :1], nodes]  # (n_sides, order + 1)
    across = np.repeat(drawn[:, :, None] if layer.axis == 0 else drawn[:, None, :], order + 1, 2 - layer.axis)
    source = np.tile(across.reshape(len(sides), -1), (n_layers, 1))

    side_sets = _continue_side_sets(mesh, name, layer, n_layers, edge)
    grown = Mesh(points, np.concatenate([mesh.connectivity, connectivity]), mesh.shape_order, side_sets)
    return ExtendedMesh(grown, order, np.concatenate([extended.source, source]), [*extended.layers, layer])


def _extrude_points(
    mesh: Mesh, edge: np.ndarray, layer: _Layer, n_layers: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points with those of the layer, and the points of every level (n_layers g + 1, n_sides, g + 1)."""
    g = mesh.shape_order
    inner, position = np.unique(edge, return_inverse=True)
    position = position.reshape(edge.shape)
    reference = 0.5 * (gll_points(g) + 1.0)
    offsets = np.concatenate([k + reference[1:] for k in range(n_layers)]) * layer.width / n_layers
    new = np.repeat(mesh.points[inner][None], len(offsets), axis=0)
    new[:, :, layer.axis] += layer.outward * offsets[:, None]
    numbers = len(mesh.points) + np.arange(len(offsets) * len(inner)).reshape(len(offsets), len(inner))
    levels = np.concatenate([edge[None], numbers[:, position]])
    return np.concatenate([mesh.points, new.reshape(-1, mesh.dim)]), levels


def _extrude_elements(levels: np.ndarray, layer: _Layer, g: int, n_layers: int) -> np.ndarray:
    """Connectivity of the layer's elements, layer by layer outwards, reference axes along x and y."""
    elements = []
    for k in range(n_layers):
        block = levels[k * g : (k + 1) * g + 1].transpose(1, 0, 2)  # (side, outward, tangent)
        if layer.outward < 0:
            block = block[:, ::-1]
        if layer.axis == 0:
            block = block.transpose(0, 2, 1)  # rows along y, x fastest
        elements.append(block.reshape(len(block), -1))
    return np.concatenate(elements)


def _continue_side_sets(
    mesh: Mesh, name: str, layer: _Layer, n_layers: int, edge: np.ndarray
) -> dict[str, np.ndarray]:
    """Side sets with the layer's ends; edge holds the inner points (n_sides, g + 1) in ascending order."""
    n_sides, first, tangent = len(edge), mesh.nelem, 1 - layer.axis
    ends = edge[:, [0, -1]]
    points, counts = np.unique(ends, return_counts=True)
    last = np.isin(ends, points[counts == 1])  # ends of the side, not of its facets alone
    outermost = first + (n_layers - 1) * n_sides + np.arange(n_sides)
    result = {name: np.stack([outermost, np.full(n_sides, 2 * layer.axis + (layer.outward > 0))], axis=1)}
    for other, members in mesh.side_sets.items():
        if other == name:
            continue
        # By the points they have in common: at a corner the two sides may belong to different elements.
        corners = _side_points(mesh, members)[:, [0, -1]]
        heights = np.ptp(mesh.points[corners, layer.axis], axis=1)
        off_plane = heights > 1e-9 * np.ptp(mesh.points[:, layer.axis])
        added = [members]
        for i, end in np.argwhere(last & np.isin(ends, corners[off_plane])):
            new = first + i + n_sides * np.arange(n_layers)
            added.append(np.stack([new, np.full(n_layers, 2 * tangent + end)], axis=1))
        result[other] = np.concatenate(added)
    return result

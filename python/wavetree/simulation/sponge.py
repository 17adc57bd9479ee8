"""Sponge layers: elements added outside the domain in which waves die out."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from wavetree import _core
from wavetree.mesh import Mesh
from wavetree.mesh.interpolation import gll_points
from wavetree.mesh.side_sets import corner_indices, facet_nodes
from wavetree.simulation.boundary import Absorbing, BoundaryCondition

__all__ = ["ExtendedMesh", "extend"]

_POWER = 2
# All but this share of the elements at a side are at least as thick as those of its layer: where elements
# follow the wavelength, the layer has to resolve the shortest one. The thinnest of all may be a sliver.
_THIN = 0.05


@dataclass(frozen=True)
class _Layer:
    """One planar side with a sponge behind it."""

    axis: int
    outward: int  # +1 or -1
    plane: float  # coordinate of the inner edge [m]
    width: float  # [m]
    peak: float  # damping rate at the outer edge [1/s]


@dataclass(frozen=True)
class _Grown:
    """A mesh that is still to grow, and so is not yet checked."""

    points: np.ndarray
    connectivity: np.ndarray
    shape_order: int
    side_sets: Mapping[str, np.ndarray]
    source: np.ndarray  # as in `ExtendedMesh`

    @property
    def dim(self) -> int:
        return int(self.points.shape[1])

    @property
    def nelem(self) -> int:
        return len(self.connectivity)


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

    @property
    def origin(self) -> np.ndarray:
        """The element of the domain that every element continues (nelem,): itself inside."""
        return np.asarray(self.source[:, 0] // self.source.shape[1])

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
        γ rises with the square of the depth in the layer. The damping C = 2γM attenuates a wave of velocity
        c by exp(−∫γ/c), so with a peak of 3 c ln(1/R) / (2 width) the way there and back leaves R.
        `Absorbing` says what comes back in all.
        """
        n_nodes = (self.order + 1) ** self.mesh.dim
        if not self.layers:
            return np.zeros((0, n_nodes))
        mesh, rate = self.mesh, np.zeros((self.mesh.nelem, n_nodes))
        added = np.ascontiguousarray(mesh.connectivity[self._n_domain :])
        coordinates = np.asarray(_core.node_coordinates(mesh.points, added, mesh.shape_order, self.order))
        for layer in self.layers:
            depth = layer.outward * (coordinates[..., layer.axis] - layer.plane) / layer.width
            rate[self._n_domain :] += layer.peak * np.clip(depth, 0.0, 1.0) ** _POWER
        return rate


def extend(mesh: Mesh, conditions: Iterable[BoundaryCondition], order: int) -> ExtendedMesh:
    """Add the sponge layers that absorbing conditions ask for outside a mesh.

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
        If a side with a sponge is not a plane normal to a coordinate axis and an outer one, or two of them
        share a plane and touch.

    Notes
    -----
    The elements at a side are continued straight outwards, with the directions of their reference axes and
    the thickness of the thin ones among them. Side sets of other sides are continued along the layer's ends;
    the side itself moves to the outer edge. So the layer of the next side covers the end of the first one
    too: layers meet at edges and corners, where their damping adds.
    """
    n_nodes = (order + 1) ** mesh.dim
    source = np.arange(mesh.nelem * n_nodes).reshape(mesh.nelem, n_nodes)
    grown = _Grown(mesh.points, mesh.connectivity, mesh.shape_order, dict(mesh.side_sets), source)
    layers: dict[str, _Layer] = {}
    for condition in conditions:
        if isinstance(condition, Absorbing) and condition.width_in_meters > 0.0:
            for name in condition.side_sets:
                layer = _layer(mesh, name, condition)
                _refuse_neighbours(mesh, name, layer, layers)
                layers[name] = layer
                grown = _add_layer(grown, order, name, layer)
    if not layers:
        return ExtendedMesh(mesh, order, source)
    extended = Mesh(grown.points, grown.connectivity, grown.shape_order, grown.side_sets)
    return ExtendedMesh(extended, order, grown.source, list(layers.values()))


def _refuse_neighbours(mesh: Mesh, name: str, layer: _Layer, layers: dict[str, _Layer]) -> None:
    """Refuse two layers side by side: nothing would connect them, and waves would run along the crack."""
    for other, known in layers.items():
        if known.axis != layer.axis:
            continue
        ours, theirs = (_side_points(mesh, mesh.side_sets[key]) for key in (name, other))
        if len(np.intersect1d(ours, theirs)):
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
    integral = 0.5 * condition.reference_velocity * math.log(1.0 / condition.target_reflection)
    peak = (_POWER + 1) * integral / width
    return _Layer(axis, outward, plane, width, peak)


def _side_points(mesh: Mesh | _Grown, sides: np.ndarray) -> np.ndarray:
    """Points of sides (n, (shape_order + 1)**(dim - 1)), in the order of the element's nodes."""
    nodes = facet_nodes(mesh.dim, mesh.shape_order)
    return np.asarray(mesh.connectivity[sides[:, :1], nodes[sides[:, 1]]])


def _add_layer(mesh: _Grown, order: int, name: str, layer: _Layer) -> _Grown:
    sides = mesh.side_sets[name]
    extent = np.ptp(mesh.points[mesh.connectivity[sides[:, 0]], layer.axis], axis=1)
    thickness = float(np.quantile(extent, _THIN, method="lower"))
    n_layers = max(1, math.ceil(layer.width / thickness - 1e-9))
    points, levels = _extrude_points(mesh, _side_points(mesh, sides), layer, n_layers)
    g = mesh.shape_order
    elements = [_continued(levels[k * g : (k + 1) * g + 1], sides[:, 1], mesh.dim) for k in range(n_layers)]

    # Material: constant along the outward axis, that of the side's node behind.
    drawn = mesh.source[sides[:, :1], facet_nodes(mesh.dim, order)[sides[:, 1]]]
    source = _continued(np.repeat(drawn[None], order + 1, axis=0), sides[:, 1], mesh.dim)

    return _Grown(
        points,
        np.concatenate([mesh.connectivity, *elements]),
        g,
        _continue_side_sets(mesh, name, layer, n_layers),
        np.concatenate([mesh.source, np.tile(source, (n_layers, 1))]),
    )


def _extrude_points(
    mesh: _Grown, edge: np.ndarray, layer: _Layer, n_layers: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points with those of the layer, and the points of every level (n_layers g + 1, n_sides, n_side_nodes).

    Level 0 is the side itself, whose points are given (n_sides, n_side_nodes).
    """
    inner, position = np.unique(edge, return_inverse=True)
    position = position.reshape(edge.shape)
    reference = 0.5 * (gll_points(mesh.shape_order) + 1.0)
    offsets = np.concatenate([k + reference[1:] for k in range(n_layers)]) * layer.width / n_layers
    new = np.repeat(mesh.points[inner][None], len(offsets), axis=0)
    new[:, :, layer.axis] += layer.outward * offsets[:, None]
    numbers = len(mesh.points) + np.arange(len(offsets) * len(inner)).reshape(len(offsets), len(inner))
    levels = np.concatenate([edge[None], numbers[:, position]])
    return np.concatenate([mesh.points, new.reshape(-1, mesh.dim)]), levels


def _continued(levels: np.ndarray, side: np.ndarray, dim: int) -> np.ndarray:
    """Element nodes (n_sides, (k + 1)**dim) from the nodes of levels (k + 1, n_sides, n_side_nodes).

    A new element has the reference axes of the one that it continues beyond the local side (n_sides,), and
    so its orientation too.
    """
    n = len(levels)
    result = np.empty((levels.shape[1], n**dim), dtype=levels.dtype)
    for one in np.unique(side):
        axis, end = divmod(int(one), 2)
        members = side == one
        # The first level touches the element behind: at x = -1 of an element beyond a side x = +1.
        stack = levels[:, members] if end else levels[::-1, members]
        grid = stack.reshape((n, -1) + (n,) * (dim - 1))  # (level, element, ..., eta, xi)
        result[members] = np.moveaxis(grid, 0, dim - axis).reshape(-1, n**dim)
    return result


def _rims(mesh: _Grown, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges around sides (in 2-D their end points), by the corners that they have.

    Returns the points of the corners (n, 2 (dim - 1), 2**(dim - 2)) in increasing order, and the local side
    (n, 2 (dim - 1)) of the element that meets the given side there.
    """
    meeting, common = _meeting_sides(mesh.dim)
    columns = corner_indices(mesh.dim, mesh.shape_order)[common[sides[:, 1]]]
    points = mesh.connectivity[sides[:, 0, None, None], columns]
    return np.sort(points, axis=2), meeting[sides[:, 1]]


@functools.lru_cache
def _meeting_sides(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Local sides that meet every side (2 dim, 2 (dim - 1)), and the corners that both have."""
    corners, every = facet_nodes(dim, 1), range(2 * dim)
    meeting = np.array([[r for r in every if r // 2 != s // 2] for s in every])
    common = np.array([[np.intersect1d(corners[s], corners[r]) for r in meeting[s]] for s in every])
    return meeting, common


def _continue_side_sets(mesh: _Grown, name: str, layer: _Layer, n_layers: int) -> dict[str, np.ndarray]:
    """Side sets with the layer's ends, and the named one at the layer's outer edge."""
    sides = mesh.side_sets[name]
    n_sides, first = len(sides), mesh.nelem
    edges, meeting = _rims(mesh, sides)
    outermost = first + (n_layers - 1) * n_sides + np.arange(n_sides)
    result = {name: np.stack([outermost, sides[:, 1]], axis=1)}
    for other, members in mesh.side_sets.items():
        if other == name:
            continue
        # By the points they have in common: where two sides meet they may belong to different elements.
        heights = np.ptp(mesh.points[_side_points(mesh, members), layer.axis], axis=1)
        off_plane = heights > 1e-9 * np.ptp(mesh.points[:, layer.axis])
        i, r = np.nonzero(_shared_ends(edges, _rims(mesh, members[off_plane])[0]))
        new = first + i[:, None] + n_sides * np.arange(n_layers)
        added = np.stack([new, np.broadcast_to(meeting[i, r][:, None], new.shape)], axis=2)
        result[other] = np.concatenate([members, added.reshape(-1, 2)])
    return result


def _shared_ends(edges: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Say which edges (n, m, corners) are at the end of their side set and among others: bool (n, m)."""
    rows = np.concatenate([edges.reshape(-1, edges.shape[2]), others.reshape(-1, edges.shape[2])])
    # One whole number for the one or two corners of an edge: rows as such take ten times as long to sort.
    key = rows @ (int(rows.max()) + 1) ** np.arange(edges.shape[2])
    number = np.unique(key, return_inverse=True)[1]
    ours, theirs = np.split(number, [edges.shape[0] * edges.shape[1]])
    last = np.bincount(ours, minlength=len(rows))[ours] == 1  # not between two of the set's facets
    return np.asarray((last & np.isin(ours, theirs)).reshape(edges.shape[:2]))

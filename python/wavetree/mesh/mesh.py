"""Unstructured meshes of curved quads and hexes with fields."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree import _core
from wavetree.errors import unknown_name
from wavetree.mesh import io
from wavetree.mesh.block_names import checked_block_names, packed_names, unpacked_names
from wavetree.mesh.checks import (
    checked_connectivity,
    checked_element_nodal,
    checked_order,
    checked_points,
    checked_shape_order,
    checked_side_set,
    checked_values,
    element_nodal_shapes,
    order_of_columns,
    refuse_flat_elements,
)
from wavetree.mesh.dof_map import DofMap
from wavetree.mesh.fields import CheckedArrays, finite_array, read_only
from wavetree.mesh.interpolation import MAX_ORDER, change_order
from wavetree.mesh.projection import project_along
from wavetree.mesh.side_sets import AXES, facet_nodes, named_side_sets
from wavetree.mesh.summary import summary

if TYPE_CHECKING:
    from wavetree.mesh.quality import MeshQuality
    from wavetree.mesh.report import MeshReport

__all__ = ["Mesh"]

_KINDS = ("nodal_fields", "elemental_fields", "element_nodal_fields", "side_sets")


class Mesh:
    """Quads (2-D) or hexes (3-D) of geometric order 1 to 4, with fields and side sets.

    A mesh is a value: its geometry never changes and its arrays are read-only. To change a field,
    attach it anew; to keep the old mesh, `copy` first (copies share the arrays).

    Parameters
    ----------
    points
        Coordinates (n_points, dim) [m].
    connectivity
        Point of every element node (nelem, (shape_order + 1)**dim); the nodes lie on the GLL
        points of ``shape_order`` in tensor order, x fastest.
    shape_order
        Geometric order, 1 to 4.
    side_sets
        [element, side] rows (n, 2) by name; local sides are x=-1, x=+1, y=-1, y=+1 (z=-1, z=+1) in
        reference coordinates.

    Raises
    ------
    ValueError
        For wrong shapes, indices out of range, NaN and elements that are inverted or degenerate
        (the message names the element and its corners).
    """

    def __init__(
        self,
        points: Any,
        connectivity: Any,
        shape_order: int = 1,
        side_sets: Mapping[str, Any] | None = None,
    ) -> None:
        self._points = checked_points(points)
        self._shape_order = checked_shape_order(shape_order)
        self._connectivity = checked_connectivity(connectivity, self._points, self._shape_order)
        # Geometry by (kind, order); shared between copies, for they have the same geometry.
        self._geometry: dict[tuple[str, int], Any] = {}
        self._make_fields()
        # det J has degree 2 shape_order - 1, so the nodes of order 2 shape_order see its dips.
        order = min(2 * self._shape_order, MAX_ORDER)
        refuse_flat_elements(
            self._points, self._connectivity, self._shape_order, self._evaluate_weights(order)
        )
        for name, rows in (side_sets or {}).items():
            self.side_sets[name] = rows

    def _make_fields(self) -> None:
        self._digest: str | None = None
        self._block_names: dict[int, str] = {}
        self.nodal_fields = CheckedArrays("nodal field", self._check_nodal, self._forget_digest)
        self.elemental_fields = CheckedArrays("elemental field", self._check_elemental, self._forget_digest)
        self.element_nodal_fields = CheckedArrays(
            "element-nodal field", self._check_element_nodal, self._forget_digest
        )
        self.side_sets = CheckedArrays("side set", self._check_side_set, self._forget_digest)

    # -- sizes ---------------------------------------------------------------------------------

    @property
    def points(self) -> np.ndarray:
        """Coordinates (n_points, dim) [m], read-only."""
        return self._points

    @property
    def connectivity(self) -> np.ndarray:
        """Points of every element (nelem, (shape_order + 1)**dim) int64, x fastest, read-only."""
        return self._connectivity

    @property
    def shape_order(self) -> int:
        """Geometric order."""
        return self._shape_order

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return int(self._points.shape[1])

    @property
    def nelem(self) -> int:
        """Number of elements."""
        return len(self._connectivity)

    @property
    def n_points(self) -> int:
        """Number of points."""
        return len(self._points)

    @property
    def tensor_order(self) -> int:
        """Order of the element-nodal fields; the geometric order if there are none."""
        for field in self.element_nodal_fields.values():
            return order_of_columns(field.shape[1], self.dim)
        return self._shape_order

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """Smallest and largest coordinate of the elements' nodes per axis [m]."""
        nodes = self._points[self._connectivity]
        low, high = nodes.min(axis=(0, 1)), nodes.max(axis=(0, 1))
        return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))

    # -- fields --------------------------------------------------------------------------------

    def attach_field(self, name: str, data: Any) -> None:
        """Add or replace a field; its shape says whether it is nodal, elemental or element-nodal.

        Parameters
        ----------
        name
            Name of the field.
        data
            Values (n_points,), (nelem,) or (nelem, (k + 1)**dim) on the GLL nodes of order k.

        Raises
        ------
        ValueError
            If the shape fits none of them or the values are not finite numbers.
        """
        shape = np.shape(data)
        if shape == (self.n_points,):
            fields = self.nodal_fields
        elif shape == (self.nelem,):
            fields = self.elemental_fields
        elif len(shape) == 2 and shape[0] == self.nelem:
            fields = self.element_nodal_fields
        else:
            raise ValueError(
                f"field {name!r} has shape {shape}; expected (n_points,) = ({self.n_points},) for a nodal, "
                f"(nelem,) = ({self.nelem},) for an elemental or "
                f"{element_nodal_shapes(self.nelem, self.dim)} for an element-nodal field."
            )
        fields[name] = data
        for other in (self.nodal_fields, self.elemental_fields, self.element_nodal_fields):
            if other is not fields:
                other.pop(name, None)

    def with_tensor_order(self, order: int) -> Mesh:
        """Return a mesh whose element-nodal fields live on the GLL nodes of an order.

        Parameters
        ----------
        order
            The new order, 1 to 8; a higher one is exact, a lower one samples the polynomials.
        """
        mesh = self.copy()
        mesh.element_nodal_fields.clear()
        for name, values in self.element_nodal_fields.items():
            mesh.element_nodal_fields[name] = change_order(values, self.dim, self.tensor_order, order)
        return mesh

    def find_side_sets(self) -> None:
        """Find the boundary and name it: x0, x1, y0, y1 (z0, z1), and surface for the rest.

        A boundary facet belongs to x0 if all its nodes lie in the plane x = smallest x of the mesh,
        and so on. Sets of these names are replaced, other names stay.
        """
        found = named_side_sets(self._points, self._connectivity, self._shape_order)
        for name in [f"{axis}{end}" for axis in AXES[: self.dim] for end in (0, 1)] + ["surface"]:
            self.side_sets.pop(name, None)
        self.side_sets.update(found)

    @property
    def block_names(self) -> Mapping[int, str]:
        """Names of element blocks by their number in the elemental field ``block``; assigned as a whole."""
        return MappingProxyType(self._block_names)

    @block_names.setter
    def block_names(self, names: Mapping[int, str]) -> None:
        self._block_names = checked_block_names(names)
        self._forget_digest()

    # -- geometry ------------------------------------------------------------------------------

    def get_element_centroid(self) -> np.ndarray:
        """Return the mean of every element's geometry nodes (nelem, dim) [m]."""
        return np.asarray(self._points[self._connectivity].mean(axis=1))

    def get_element_nodes(self) -> np.ndarray:
        """Return where the element-nodal fields have their values (nelem, n_nodes, dim) [m].

        These are the GLL nodes of `tensor_order`: the mesh's own points if there is no such field.
        """
        return self.node_coordinates(self.tensor_order)

    def node_coordinates(self, order: int) -> np.ndarray:
        """Return the GLL nodes of an order (nelem, (order + 1)**dim, dim) [m], x fastest."""
        key = ("coordinates", checked_order(order))
        if key not in self._geometry:
            self._geometry[key] = read_only(
                _core.node_coordinates(self._points, self._connectivity, self._shape_order, order)
            )
        return np.asarray(self._geometry[key])

    def mass_weights(self, order: int) -> np.ndarray:
        """Return GLL quadrature weight times det J (nelem, (order + 1)**dim) [m^dim].

        Raises
        ------
        ValueError
            If the Jacobian determinant is not positive at a node of this order.
        """
        key = ("weights", checked_order(order))
        if key not in self._geometry:
            self._geometry[key] = read_only(self._evaluate_weights(order))
        return np.asarray(self._geometry[key])

    def dof_map(self, order: int) -> DofMap:
        """Return the continuous numbering of the GLL nodes of an order."""
        key = ("dofs", checked_order(order))
        if key not in self._geometry:
            dofs, n_dofs = _core.dof_map(self._connectivity, self.dim, self._shape_order, order)
            self._geometry[key] = DofMap(read_only(dofs), int(n_dofs))
        dof_map = self._geometry[key]
        assert isinstance(dof_map, DofMap)
        return dof_map

    def get_mass_matrix(self, order: int | None = None) -> np.ndarray:
        """Return the assembled lumped mass of the continuous nodes (n_dofs,) [m^dim].

        Parameters
        ----------
        order
            Order of the nodes; `tensor_order` when None.
        """
        order = self.tensor_order if order is None else order
        return self.dof_map(order).assemble(self.mass_weights(order))

    def locate(self, positions: Any) -> tuple[np.ndarray, np.ndarray]:
        """Find the elements that hold positions, and the reference coordinates there.

        Parameters
        ----------
        positions
            Coordinates (n, dim) [m].

        Returns
        -------
        element, reference
            Element index (n,) int64 and reference coordinates (n, dim) in [-1, 1].

        Raises
        ------
        ValueError
            If a position lies outside the mesh: it is named with the bounds and the nearest distance.
        """
        wanted = finite_array("positions", positions)
        if wanted.ndim != 2 or wanted.shape[1] != self.dim:
            raise ValueError(f"positions has shape {wanted.shape}; expected (n, {self.dim}).")
        kept = self._geometry.get(("locator", 0))
        if kept is None:
            kept = _core.Locator(self._points, self._connectivity, self._shape_order)
            self._geometry["locator", 0] = kept
        element, reference = kept.locate(wanted)
        return np.asarray(element), np.asarray(reference)

    def project_onto_side_set(self, point: Any, direction: Any, side_set_name: str) -> np.ndarray:
        """Return where a line meets a side set, nearest to the point that it goes through.

        Parameters
        ----------
        point
            A point of the line (dim,) [m].
        direction
            Direction of the line (dim,); it goes on to both sides.
        side_set_name
            Name of the side set.

        Returns
        -------
        numpy.ndarray
            Position (dim,) on the curved sides [m].

        Raises
        ------
        ValueError
            If the side set is unknown or the line misses it; the message names the nearest place.
        """
        if side_set_name not in self.side_sets:
            raise unknown_name("side set", side_set_name, self.side_sets)
        rows = self.side_sets[side_set_name]
        nodes = self._connectivity[rows[:, :1], facet_nodes(self.dim, self._shape_order)[rows[:, 1]]]
        try:
            return project_along(self._points[nodes], self._shape_order, point, direction)
        except ValueError as error:
            raise ValueError(
                f"point {tuple(point)} cannot be moved onto side set {side_set_name!r}: {error}"
            ) from error

    # -- values --------------------------------------------------------------------------------

    def copy(self) -> Mesh:
        """Return a mesh with the same content, whose fields may be changed independently."""
        mesh = object.__new__(type(self))
        mesh._points, mesh._connectivity = self._points, self._connectivity
        mesh._shape_order, mesh._geometry = self._shape_order, self._geometry
        mesh._make_fields()
        for kind in _KINDS:
            getattr(mesh, kind).share(getattr(self, kind))
        mesh._block_names, mesh._digest = self._block_names, self._digest
        return mesh

    def digest(self) -> str:
        """Return the SHA-256 hex digest of all arrays, their names and types, in order of name."""
        if self._digest is None:
            total = hashlib.sha256()
            for name, array in sorted(self.to_arrays().items()):
                total.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
                total.update(np.ascontiguousarray(array).data)
            self._digest = total.hexdigest()
        return self._digest

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything as named arrays, ``"element_nodal_fields/VP"`` and so on."""
        arrays = {
            "points": self._points,
            "connectivity": self._connectivity,
            "shape_order": np.array([self._shape_order], dtype=np.int64),
        }
        for kind in _KINDS:
            arrays.update({f"{kind}/{name}": array for name, array in getattr(self, kind).items()})
        if self._block_names:
            arrays["block_names"] = packed_names(self._block_names)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Mesh:
        """Rebuild the mesh that `to_arrays` wrote.

        Raises
        ------
        ValueError
            If arrays are missing or not those of a mesh.
        """
        for name in ("points", "connectivity", "shape_order"):
            if name not in arrays:
                raise ValueError(f"array {name!r} is missing; expected the arrays of a mesh.")
        mesh = cls(arrays["points"], arrays["connectivity"], int(arrays["shape_order"][0]))
        for key, array in arrays.items():
            kind, _, name = key.partition("/")
            if kind in _KINDS:
                getattr(mesh, kind)[name] = array
        if "block_names" in arrays:
            mesh.block_names = unpacked_names(arrays["block_names"])
        return mesh

    def write_h5(self, path: str | Path, *, xdmf: bool = True) -> None:
        """Write the mesh to an HDF5 file, with an XDMF file beside it for ParaView.

        Parameters
        ----------
        path
            File name, usually ``.h5``; written under a temporary name and renamed.
        xdmf
            Whether ParaView's description and its copy of the arrays are written.
        """
        io.write_mesh(self, path, xdmf=xdmf)

    @classmethod
    def from_h5(cls, path: str | Path) -> Mesh:
        """Read a mesh that `write_h5` wrote, exactly.

        Raises
        ------
        ValueError
            If the file is missing, truncated, damaged or holds no mesh.
        """
        return io.read_mesh(path, cls.from_arrays)

    @classmethod
    def from_file(cls, path: str | Path) -> Mesh:
        """Read quads or hexes of order 1 or 2 from a Gmsh, VTK, Abaqus, Exodus or wavetree file.

        Element blocks become the elemental field ``block`` and `block_names`, named sets of facets side sets.
        Repairs are logged, problems such as hanging nodes warned of; `wavetree.mesh.read_mesh_file` returns
        the report.

        Raises
        ------
        ValueError
            For unreadable files, other elements, and inverted or degenerate ones.
        """
        from wavetree.mesh.from_file import mesh_from_file

        return mesh_from_file(path)

    def check(self) -> MeshReport:
        """Look for hanging nodes, curved sides that do not match and separate parts."""
        from wavetree.mesh.report import check_mesh

        return check_mesh(self)

    def quality(self, velocity: Any = None) -> MeshQuality:
        """Measure the elements' shapes; see `wavetree.mesh.MeshQuality`.

        Parameters
        ----------
        velocity
            Largest wave velocity [m/s], a number, (nelem,) or (nelem, n); the fields VP, or VPV and VPH, when
            None.
        """
        from wavetree.mesh.quality import mesh_quality

        return mesh_quality(self, velocity)

    def plot(self, field: str, ax: Any = None, at: Any = None) -> Any:
        """Draw a field with matplotlib and return the figure.

        Parameters
        ----------
        field
            Name of any field.
        ax
            Axes to draw into; a new figure when None.
        at
            Where the slices through hexes meet (x, y, z) [m]; in the middle when None.
        """
        from wavetree.viz.mesh import plot_field

        return plot_field(self, field, ax=ax, at=at)

    def __repr__(self) -> str:
        return "\n    ".join(f"{key}: {text}" for key, text in summary(self))

    def _repr_html_(self) -> str:
        rows = (
            f"<tr><th style='text-align:left'>{html.escape(key)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for key, text in summary(self)
        )
        return f"<table>{''.join(rows)}</table>"

    # -- checks --------------------------------------------------------------------------------

    def _forget_digest(self) -> None:
        self._digest = None

    def _evaluate_weights(self, order: int) -> np.ndarray:
        return np.asarray(_core.mass_weights(self._points, self._connectivity, self._shape_order, order))

    def _check_nodal(self, name: str, data: Any) -> np.ndarray:
        return checked_values(f"nodal field {name!r}", data, "n_points", self.n_points)

    def _check_elemental(self, name: str, data: Any) -> np.ndarray:
        return checked_values(f"elemental field {name!r}", data, "nelem", self.nelem)

    def _check_element_nodal(self, name: str, data: Any) -> np.ndarray:
        return checked_element_nodal(name, data, self.nelem, self.dim, self.element_nodal_fields)

    def _check_side_set(self, name: str, data: Any) -> np.ndarray:
        return checked_side_set(name, data, self.nelem, self.dim)

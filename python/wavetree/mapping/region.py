"""The region of interest: where, and how much of it, an update reaches the material."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np
import xarray as xr
from pydantic import model_validator
from scipy.interpolate import RegularGridInterpolator

from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name
from wavetree.mapping.nodes import nodal_minimum, node_positions, place_text
from wavetree.mapping.packed_array import PackedArray
from wavetree.mesh import Mesh
from wavetree.mesh.interpolation import change_order
from wavetree.user_function import UserFunction

__all__ = ["GridRegion", "Region", "as_region", "region_weights"]

_AXES = ("x", "y", "z")
_EDGE = 1e-9  # of a grid's extent, within which a node counts as on it


@configuration
class GridRegion(Configuration):
    """Weights on a grid, linear between its nodes and 0 outside.

    Parameters
    ----------
    axes
        Coordinates (n,) [m] of x, y and in 3-D z, increasing.
    weights
        Weights in [0, 1] on (x, y) or (x, y, z).
    """

    axes: tuple[PackedArray, ...]
    _: KW_ONLY
    weights: PackedArray

    @classmethod
    def of(cls, data: xr.DataArray) -> GridRegion:
        """Return the region of a DataArray on the dimensions x, y and in 3-D z, in any sequence.

        Raises
        ------
        ValueError
            If it has other dimensions, or coordinates that do not increase.
        """
        axes = _AXES[: data.ndim]
        if data.ndim not in (2, 3) or set(data.dims) != set(axes):
            raise ValueError(
                f"the DataArray has the dimensions {data.dims}; expected x and y, and z in three dimensions."
            )
        missing = [axis for axis in axes if axis not in data.coords]
        if missing:
            raise ValueError(f"the DataArray has no coordinate {missing[0]!r}; give it one [m].")
        coordinates = [data[axis].values for axis in axes]
        values = data.transpose(*axes).values
        return cls(tuple(map(PackedArray.of, coordinates)), weights=PackedArray.of(_numbers(values)))

    @model_validator(mode="after")
    def _usable(self) -> GridRegion:
        for name, axis in zip(_AXES, self.axes, strict=False):
            x = axis.array
            if x.ndim != 1 or len(x) < 2 or not np.isfinite(x).all() or not (np.diff(x) > 0.0).all():
                raise ValueError(
                    f"the coordinate {name!r} has {x.size} values; expected at least 2, finite and strictly "
                    f"increasing: sort them with data.sortby({name!r})."
                )
        _check_weights(self.weights.array)
        return self

    def evaluate(self, positions: np.ndarray) -> np.ndarray:
        """Return the weights (n,) at positions (n, dim) [m].

        Raises
        ------
        ValueError
            If the grid has another number of dimensions.
        """
        axes = [axis.array for axis in self.axes]
        if positions.shape[1] != len(axes):
            raise ValueError(
                f"region_of_interest is a grid in {len(axes)} dimensions; expected {positions.shape[1]}, "
                "those of the mesh."
            )
        low, high = (np.array([axis[end] for axis in axes]) for end in (0, -1))
        slack = _EDGE * (high - low)
        inside = ((positions >= low - slack) & (positions <= high + slack)).all(axis=1)
        found = RegularGridInterpolator(axes, self.weights.array)(np.clip(positions, low, high))
        return np.where(inside, np.clip(found, 0.0, 1.0), 0.0)  # the sum of products may round above 1


Region = str | PackedArray | GridRegion | UserFunction
"""A region as a configuration keeps it."""


def as_region(given: Any) -> Any:
    """Return what users give as a region in the form in which a configuration keeps it.

    Raises
    ------
    ValueError
        If it is nothing that a region can be, or a weight is not in [0, 1].
    """
    if given is None or isinstance(given, Region):
        return given
    if isinstance(given, xr.DataArray):
        return GridRegion.of(given)
    if callable(given):
        return UserFunction.of(given)
    if isinstance(given, np.ndarray):
        _check_weights(_numbers(given))
        return PackedArray.of(given)
    raise ValueError(
        f"region_of_interest is a {type(given).__name__}; expected the name of a mesh field, an array of "
        "weights in the shape of one, a function of coordinates or an xarray.DataArray."
    )


def region_weights(region: Region, mesh: Mesh) -> np.ndarray:
    """Return the weights of a region at the continuous nodes of a mesh (n_dofs,), in [0, 1].

    Parameters
    ----------
    region
        The name of a field of the mesh; an array in the shape of one: (n_points,), (nelem,) or (nelem,
        n_nodes) of any order; a function of coordinates (n, dim) [m] that returns (n,); or a grid.
    mesh
        The mesh of the simulation.

    Raises
    ------
    ValueError
        If there is no such field, a shape does not fit, a weight is not in [0, 1], or all of them are 0.

    Notes
    -----
    Where elements at a node have different weights it is the smallest, so that nothing changes in an element
    of weight 0.
    """
    if isinstance(region, UserFunction | GridRegion):
        weights = _evaluated(region, node_positions(mesh))
    else:
        weights = nodal_minimum(mesh, _element_nodal(region, mesh))
    if not weights.any():
        raise ValueError(
            "region_of_interest has the weight 0 at every node of the mesh, so that nothing could change; "
            "expected a region that reaches into it."
        )
    return weights


def _evaluated(region: UserFunction | GridRegion, positions: np.ndarray) -> np.ndarray:
    if isinstance(region, GridRegion):
        return region.evaluate(positions)
    weights = _numbers(np.asarray(region(positions.copy())))
    if weights.shape != (len(positions),):
        raise ValueError(
            f"region_of_interest: the function {region.name!r} returned the shape {weights.shape} for "
            f"coordinates {positions.shape}; expected (n,) = ({len(positions)},)."
        )
    _check_weights(weights, positions)
    return weights


def _element_nodal(region: str | PackedArray, mesh: Mesh) -> np.ndarray:
    """Weights (nelem, n_nodes) of a field, or of an array in the shape of one."""
    probe = mesh
    name = region if isinstance(region, str) else "REGION_OF_INTEREST"
    if not isinstance(region, str):
        # A mesh takes fields of one order; without others it takes this one, and says what shapes fit.
        probe = mesh.copy()
        probe.element_nodal_fields.clear()
        probe.attach_field(name, region.array)
    kinds = (probe.nodal_fields, probe.elemental_fields, probe.element_nodal_fields)
    if not any(name in fields for fields in kinds):
        raise unknown_name("mesh field in region_of_interest", name, [k for fields in kinds for k in fields])
    order, n_nodes = mesh.tensor_order, (mesh.tensor_order + 1) ** mesh.dim
    values, own_order = next(fields[name] for fields in kinds if name in fields), probe.tensor_order
    _check_weights(values)
    if name in probe.elemental_fields:
        return np.repeat(values[:, None], n_nodes, axis=1)
    if name in probe.nodal_fields:
        values, own_order = values[mesh.connectivity], mesh.shape_order
    # Polynomials through weights in [0, 1] may leave it between their nodes.
    return np.clip(change_order(values, mesh.dim, own_order, order), 0.0, 1.0)


def _numbers(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "fiub":
        raise ValueError(
            f"region_of_interest has values of type {values.dtype}; expected weights in [0, 1] or truth "
            "values."
        )
    return np.asarray(values, dtype=np.float64)


def _check_weights(weights: np.ndarray, positions: np.ndarray | None = None) -> None:
    bad = ~((weights >= 0.0) & (weights <= 1.0))  # NaN too
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        place = f"index {index}" if positions is None else place_text(positions[index[0]])
        raise ValueError(
            f"region_of_interest has the weight {weights[index]:g} at {place} and {int(bad.sum())} of "
            f"{bad.size} weights outside [0, 1]; expected 0 where nothing changes to 1 where all may."
        )

"""Models on regular or irregular Cartesian grids, and from functions of Cartesian coordinates."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import xarray as xr

from wavetree.arrays import read_arrays, write_arrays
from wavetree.model.base import Bounds, Model
from wavetree.model.parameter_set import ParameterSet
from wavetree.model.parameters import UNITS, find_set, with_units
from wavetree.model.volume.function import FunctionModel
from wavetree.model.volume.netcdf import read_netcdf

__all__ = ["FunctionModel", "GenericModel"]

_AXES = ("x", "y", "z")
_FORMAT = "wavetree volume model"
_VERSION = 1
# Weight of nodes without a value that rounding of positions explains.
_UNSEEN = 1e-6


class GenericModel(Model):
    """A medium on a grid, its parameters linear between the grid's nodes.

    Parameters
    ----------
    name
        Name of the model.
    data
        The parameters of one set as variables of lower-case names (``vp`` [m/s] and ``rho`` [kg/m^3] of a
        fluid, ``vs`` [m/s] besides in solids, ...; ``orientation`` where the set has one) on the dimensions
        ``x``, ``y`` and in 3-D ``z`` [m] (in any sequence), or on one of them alone, all with increasing
        coordinates; or the path of a NetCDF file that holds such a dataset. A grid along one axis is constant
        along the others. Where a variable is NaN the model is not defined, nor in the cells around.

    Raises
    ------
    ValueError
        For missing or unknown variables, wrong dimensions, coordinates that do not increase and values
        that no medium has; for files that cannot be read.
    ImportError
        If the file needs a package that is not installed.

    Notes
    -----
    The interpolation errs by h²/8 of the second derivative along each axis. Shear is interpolated like
    everything else: where a grid holds fluid and solid, the cells between are soft solids. Give fluid and
    solid as models of their own, or on a mesh, to keep the interface sharp.
    """

    def __init__(self, name: str, data: xr.Dataset | str | Path) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.\- ]*", name):
            raise ValueError(
                f"name is {name!r}; expected letters, digits, '_', '.', '-' and spaces, for files are "
                "named after it."
            )
        self.name = name
        if isinstance(data, (str, Path)):
            data = read_netcdf(data)
        self._grid, self._values, self.dims = _checked(data)
        self._axes = tuple(self._grid.values())
        self._columns = ["xyz".index(axis) for axis in self._grid]
        missing = np.any([np.isnan(values) for values in self._values.values()], axis=0)
        self._missing = missing if missing.any() else None
        self._filled = {key: _filled(values, self._missing) for key, values in self._values.items()}

    @property
    def dim(self) -> int:
        """Number of the grid's axes."""
        return len(self._grid)

    @property
    def data(self) -> xr.Dataset:
        """A copy of the model as dataset: its parameters on (x, y), (x, y, z) or one axis."""
        return xr.Dataset(
            {key: (tuple(self._grid), values.copy()) for key, values in self._values.items()},
            coords={axis: positions.copy() for axis, positions in self._grid.items()},
        )

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """First and last coordinate per axis [m]."""
        return tuple((float(axis[0]), float(axis[-1])) for axis in self._axes)

    def contains(self, coordinates: np.ndarray) -> np.ndarray:
        """Say at which coordinates (..., dim) [m] the model is defined, to 1e-9 of its extent."""
        positions = self._along_axes(coordinates)
        low, high = np.array(self.bounds).T
        slack = 1e-9 * (high - low)
        inside = np.asarray(((positions >= low - slack) & (positions <= high + slack)).all(axis=-1))
        if self._missing is not None:
            # Nodes that carry no weight need no value.
            inside &= _multilinear(self._missing.astype(float), self._cells(positions)) <= _UNSEEN
        return inside

    def evaluate(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        """Interpolate linearly.

        Parameters
        ----------
        coordinates
            Positions (..., dim) [m].

        Returns
        -------
        dict
            Parameters by upper-case name, shape (...,).

        Raises
        ------
        ValueError
            If a position lies outside the grid by more than rounding.
        """
        coordinates = np.asarray(coordinates, dtype=np.float64)
        positions = self._along_axes(coordinates)
        outside = ~self.contains(coordinates)
        if outside.any():
            raise ValueError(
                f"position ({_numbers(coordinates[outside][0])}) m lies outside the volume model "
                f"{self.name!r}, which covers {self.covers()} m{self._gaps()}; expected "
                "positions inside: extend the model or shrink the domain."
            )
        cells = self._cells(positions)
        return {name.upper(): _multilinear(values, cells) for name, values in self._filled.items()}

    def knots(self, bounds: Bounds) -> list[np.ndarray]:
        """Return, per axis, the nodes of the grid inside a box, sorted (n,) [m]."""
        knots = [np.zeros(0) for _ in bounds]
        for column, axis in zip(self._columns, self._axes, strict=True):
            low, high = bounds[column]
            knots[column] = axis[(axis > low) & (axis < high)]
        return knots

    def spacing(self, dim: int) -> np.ndarray:
        """Return the smallest distance of nodes per axis (dim,) [m]; inf along axes without nodes."""
        spacing = np.full(dim, np.inf)
        spacing[self._columns] = [np.diff(axis).min() for axis in self._axes]
        return spacing

    def covers(self) -> str:
        """Return the extent as text, for example ``"x (0.0, 1.0) and y (0.0, 2.0)"``."""
        texts = [f"{axis} {extent}" for axis, extent in zip(self._grid, self.bounds, strict=True)]
        return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]

    def digest(self) -> str:
        """Return the SHA-256 hex digest of name, grid and values."""
        total = hashlib.sha256(self.name.encode())
        for key, array in self._arrays().items():
            total.update(f"|{key}|{array.shape}|".encode())
            total.update(array.tobytes())
        return total.hexdigest()

    def write_h5(self, path: str | Path) -> None:
        """Write the model to an HDF5 file, under a temporary name that is then renamed.

        Raises
        ------
        WavetreeError
            If the file cannot be written.
        """
        attributes = {"format": _FORMAT, "version": _VERSION, "name": self.name, "axes": list(self._grid)}
        write_arrays(path, self._arrays(), attributes)

    @classmethod
    def from_h5(cls, path: str | Path) -> GenericModel:
        """Read a model that `write_h5` wrote, exactly.

        Raises
        ------
        ValueError
            If the file is missing, truncated, damaged, holds no model or was written by a newer version.
        """
        arrays, attributes = read_arrays(path)
        if attributes.get("format") != _FORMAT or attributes.get("version") != _VERSION:
            raise ValueError(
                f"file {str(path)!r} holds {attributes.get('format', 'something else')!r}, version "
                f"{attributes.get('version')}; expected {_FORMAT!r}, version {_VERSION}."
            )
        axes = tuple(attributes.get("axes") or _AXES[: 3 if "z" in arrays else 2])
        missing = [axis for axis in axes if axis not in arrays]
        if missing:
            raise ValueError(f"file {str(path)!r} lacks the array {missing[0]!r} of a {_FORMAT}.")
        fields = {key: (axes, values) for key, values in arrays.items() if key not in axes}
        return cls(attributes["name"], xr.Dataset(fields, coords={axis: arrays[axis] for axis in axes}))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GenericModel) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        grid = " x ".join(str(len(axis)) for axis in self._axes)
        lines = [f"GenericModel {self.name!r}: grid of {grid} nodes"]
        extents = zip(self._grid, self.bounds, strict=True)
        lines += [f"{axis}: {lo:g} to {hi:g} m" for axis, (lo, hi) in extents]
        for key, values in self._filled.items():
            lines.append(f"{key}: {values.min():g} to {values.max():g} {UNITS[key.upper()]}".rstrip())
        if self._missing is not None:
            lines.append(f"not defined at {int(self._missing.sum())} of {self._missing.size} nodes")
        return "\n    ".join(lines)

    def _along_axes(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates (..., dim) along the axes of the grid, (..., n_axes) [m]."""
        if np.ndim(coordinates) == 0 or np.shape(coordinates)[-1] not in self.dims:
            expected = " or ".join(f"(..., {dim})" for dim in self.dims)
            raise ValueError(f"coordinates has shape {np.shape(coordinates)}; expected {expected}.")
        return np.asarray(coordinates, dtype=np.float64)[..., self._columns]

    def _cells(self, positions: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        return [_cells(axis, positions[..., k]) for k, axis in enumerate(self._axes)]

    def _gaps(self) -> str:
        return "" if self._missing is None else ", or beside a node where it is not defined (NaN)"

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**self._grid, **self._values}


def _numbers(position: np.ndarray) -> str:
    return ", ".join(f"{x:g}" for x in position)


def _filled(values: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    """Values with those that are missing replaced by the nearest ones, which gives them no say."""
    if missing is None:
        return values
    # Few models have gaps, and its import takes a while.
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])


def _checked(
    data: xr.Dataset,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], tuple[int, ...]]:
    """Coordinates by axis, values by parameter in the order of the set, numbers of space dimensions."""
    if not isinstance(data, xr.Dataset):
        raise ValueError(
            f"data is a {type(data).__name__}; expected an xarray.Dataset with vp and rho on (x, y)."
        )
    used = {str(dim) for key in data.data_vars for dim in data[key].dims}
    axes = tuple(used) if len(used) == 1 and used <= set(_AXES) else _AXES[: 3 if "z" in used else 2]
    # Swapped twice, names come out of messages as they were given; only lower-case ones are parameters.
    names = [str(key).swapcase() for key in data.data_vars]
    dims: tuple[int, ...] = (len(axes),) if len(axes) > 1 else ((3,) if axes == ("z",) else (2, 3))
    found, dims = _find_set(names, dims)
    keys = [name.lower() for name in (*found.names, *found.orientation) if name in names]
    unknown = sorted(set(map(str, data.data_vars)) - set(keys))
    if unknown:
        raise ValueError(
            f"data has the variable {unknown[0]!r}; expected only {with_units(found.names, str.lower)}: drop "
            "what is not to be used."
        )
    grid = {axis: _checked_axis(data, axis, axes) for axis in axes}
    values = {key: _checked_values(data, key, axes) for key in keys}
    _refuse_faults(found, grid, values)
    return grid, values, dims


def _find_set(names: list[str], dims: tuple[int, ...]) -> tuple[ParameterSet, tuple[int, ...]]:
    """The set of the names, and those numbers of dimensions in which there is one."""
    found, errors = [], []
    for dim in dims:
        try:
            found.append(find_set(names, dim, "data has no variable", str.swapcase))
        except ValueError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return found[0], tuple(parameters.dim for parameters in found)


def _refuse_faults(
    parameters: ParameterSet, grid: dict[str, np.ndarray], values: dict[str, np.ndarray]
) -> None:
    missing = np.any([np.isnan(value) for value in values.values()], axis=0)
    if missing.all():
        raise ValueError("data is NaN at all nodes; expected some where the model is defined.")
    filled = {key.upper(): _filled(value, missing) for key, value in values.items()}
    fault = parameters.first_fault(filled)
    if fault is None:
        return
    index = tuple(int(i) for i in np.argwhere(fault.bad & ~missing)[0])
    place = ", ".join(f"{axis} = {x[i]:g}" for (axis, x), i in zip(grid.items(), index, strict=True))
    keys = [name.lower() for name in fault.names]
    numbers = ", ".join(str(values[key][index]) for key in keys)
    raise ValueError(
        f"{'variable' if len(keys) == 1 else 'variables'} {', '.join(map(repr, keys))} of data "
        f"{'is' if len(keys) == 1 else 'are'} {numbers} at {place} m and {fault.problem} at "
        f"{int((fault.bad & ~missing).sum())} of {fault.bad.size} nodes; expected {fault.expected}."
    )


def _checked_axis(data: xr.Dataset, axis: str, axes: tuple[str, ...]) -> np.ndarray:
    if axis not in data.coords or data[axis].dims != (axis,):
        raise ValueError(
            f"data has no coordinate {axis!r} along a dimension of that name, only "
            f"{ {str(k): v.dims for k, v in data.coords.items()} }; expected {', '.join(axes)} [m]."
        )
    positions = np.array(data[axis].values, dtype=np.float64)
    if len(positions) < 2 or not np.isfinite(positions).all() or not (np.diff(positions) > 0).all():
        raise ValueError(
            f"coordinate {axis!r} of data has {len(positions)} values from {positions[:1]} to "
            f"{positions[-1:]}; expected at "
            f"least 2, finite and strictly increasing: sort them with data.sortby({axis!r})."
        )
    return positions


def _checked_values(data: xr.Dataset, key: str, axes: tuple[str, ...]) -> np.ndarray:
    variable = data[key]
    if set(variable.dims) != set(axes):
        raise ValueError(f"variable {key!r} of data has the dimensions {variable.dims}; expected {axes}.")
    if variable.dtype.kind not in "fiu":
        raise ValueError(
            f"variable {key!r} of data has values of type {variable.dtype}; expected real numbers."
        )
    return np.array(variable.transpose(*axes).values, dtype=np.float64, order="C")


def _cells(axis: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the grid cell of every position and the fraction of the way through it."""
    cell = np.clip(np.searchsorted(axis, positions, side="right") - 1, 0, len(axis) - 2)
    fraction = (positions - axis[cell]) / (axis[cell + 1] - axis[cell])
    return cell, np.clip(fraction, 0.0, 1.0)


def _multilinear(
    values: np.ndarray, cells: list[tuple[np.ndarray, np.ndarray]], nodes: tuple[np.ndarray, ...] = ()
) -> np.ndarray:
    """Interpolate along the axes of `cells`, the others fixed at nodes.

    Written with differences, so that constants are reproduced to the last bit.
    """
    if not cells:
        return values[nodes]
    *others, (cell, fraction) = cells
    lower = _multilinear(values, others, (cell, *nodes))
    upper = _multilinear(values, others, (cell + 1, *nodes))
    return np.asarray(lower + fraction * (upper - lower))

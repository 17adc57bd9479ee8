"""Models on regular or irregular Cartesian grids."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import xarray as xr

from wavetree.arrays import read_arrays, write_arrays
from wavetree.model.parameter_set import ParameterSet
from wavetree.model.parameters import UNITS, find_set, with_units

__all__ = ["GenericModel"]

_AXES = ("x", "y", "z")
_FORMAT = "wavetree volume model"
_VERSION = 1


class GenericModel:
    """A medium on a grid, its parameters linear between the grid's nodes.

    Parameters
    ----------
    name
        Name of the model.
    data
        The parameters of one set as variables of lower-case names (``vp`` [m/s] and ``rho`` [kg/m^3] of a
        fluid, ``vs`` [m/s] besides in solids, ...; ``orientation`` where the set has one) on the dimensions
        ``x``, ``y`` and in 3-D ``z`` [m] (in any sequence), all with increasing coordinates.

    Raises
    ------
    ValueError
        For missing or unknown variables, wrong dimensions, coordinates that do not increase and values
        that no medium has.

    Notes
    -----
    Shear is interpolated like everything else: where a grid holds fluid and solid, the cells between are soft
    solids. Give fluid and solid as models of their own, or on a mesh, to keep the interface sharp.
    """

    def __init__(self, name: str, data: xr.Dataset) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.\- ]*", name):
            raise ValueError(
                f"name is {name!r}; expected letters, digits, '_', '.', '-' and spaces, for files are "
                "named after it."
            )
        self.name = name
        self._grid, self._values = _checked(data)
        self._axes = tuple(self._grid.values())

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return len(self._grid)

    @property
    def data(self) -> xr.Dataset:
        """A copy of the model as dataset: its parameters on (x, y) or (x, y, z)."""
        return xr.Dataset(
            {key: (tuple(self._grid), values.copy()) for key, values in self._values.items()},
            coords={axis: positions.copy() for axis, positions in self._grid.items()},
        )

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """First and last coordinate per axis [m]."""
        return tuple((float(axis[0]), float(axis[-1])) for axis in self._axes)

    def contains(self, coordinates: np.ndarray) -> np.ndarray:
        """Say which coordinates (..., dim) [m] lie in the grid, to 1e-9 of its extent: bool (...,)."""
        low, high = np.array(self.bounds).T
        slack = 1e-9 * (high - low)
        return np.asarray(((coordinates >= low - slack) & (coordinates <= high + slack)).all(axis=-1))

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
        if coordinates.ndim == 0 or coordinates.shape[-1] != self.dim:
            raise ValueError(f"coordinates has shape {coordinates.shape}; expected (..., {self.dim}).")
        outside = ~self.contains(coordinates)
        if outside.any():
            raise ValueError(
                f"position ({_numbers(coordinates[outside][0])}) m lies outside the volume model "
                f"{self.name!r}, which covers {self.covers()} m; expected positions inside: extend the model "
                "or shrink the domain."
            )
        cells = [_cells(axis, coordinates[..., k]) for k, axis in enumerate(self._axes)]
        return {name.upper(): _multilinear(values, cells) for name, values in self._values.items()}

    def slowest_velocity(self, bounds: tuple[tuple[float, float], ...]) -> float:
        """Return the velocity of the slowest wave [m/s] inside a box: shear in solids, sound in fluids.

        Notes
        -----
        Taken at grid nodes and on the box's edges, where multilinear functions and their ratios have their
        extremes. Cells between fluid and solid nodes, where shear falls to nothing, do not count.
        """
        axes = []
        for (lo, hi), axis in zip(bounds, self._axes, strict=True):
            axes.append(np.concatenate([[lo], axis[(axis > lo) & (axis < hi)], [hi]]))
        positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        values = self.evaluate(positions)
        return float(find_set(values, self.dim).slowest_velocity(values).min())

    def covers(self) -> str:
        """Return the extent as text, for example ``"x (0.0, 1.0) and y (0.0, 2.0)"``."""
        texts = [f"{axis} {extent}" for axis, extent in zip(self._grid, self.bounds, strict=True)]
        return " and ".join([", ".join(texts[:-1]), texts[-1]])

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
        write_arrays(path, self._arrays(), {"format": _FORMAT, "version": _VERSION, "name": self.name})

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
        axes = _AXES[: 3 if "z" in arrays else 2]
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
        for key, values in self._values.items():
            lines.append(f"{key}: {values.min():g} to {values.max():g} {UNITS[key.upper()]}".rstrip())
        return "\n    ".join(lines)

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**self._grid, **self._values}


def _numbers(position: np.ndarray) -> str:
    return ", ".join(f"{x:g}" for x in position)


def _checked(data: xr.Dataset) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Coordinates by axis and values by parameter, in the order of the set."""
    if not isinstance(data, xr.Dataset):
        raise ValueError(
            f"data is a {type(data).__name__}; expected an xarray.Dataset with vp and rho on (x, y)."
        )
    axes = _AXES[: 3 if any("z" in data[key].dims for key in data.data_vars) else 2]
    # Swapped twice, names come out of messages as they were given; only lower-case ones are parameters.
    names = [str(key).swapcase() for key in data.data_vars]
    found = find_set(names, len(axes), "data has no variable", str.swapcase)
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
    return grid, values


def _refuse_faults(
    parameters: ParameterSet, grid: dict[str, np.ndarray], values: dict[str, np.ndarray]
) -> None:
    fault = parameters.first_fault({key.upper(): value for key, value in values.items()})
    if fault is None:
        return
    index = tuple(int(i) for i in np.argwhere(fault.bad)[0])
    place = ", ".join(f"{axis} = {x[i]:g}" for (axis, x), i in zip(grid.items(), index, strict=True))
    keys = [name.lower() for name in fault.names]
    numbers = ", ".join(str(values[key][index]) for key in keys)
    raise ValueError(
        f"{'variable' if len(keys) == 1 else 'variables'} {', '.join(map(repr, keys))} of data "
        f"{'is' if len(keys) == 1 else 'are'} {numbers} at {place} m and {fault.problem} at "
        f"{int(fault.bad.sum())} of {fault.bad.size} nodes; expected {fault.expected}."
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

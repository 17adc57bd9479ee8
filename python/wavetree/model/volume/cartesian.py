"""Models on regular or irregular Cartesian grids."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import xarray as xr

from wavetree.arrays import read_arrays, write_arrays

__all__ = ["GenericModel"]

_AXES = ("x", "y")
_PARAMETERS = ("vp", "rho")
_FORMAT = "wavetree volume model"
_VERSION = 1


class GenericModel:
    """A fluid on a grid: VP and RHO, linear between the grid's nodes.

    Parameters
    ----------
    name
        Name of the model.
    data
        Variables ``vp`` [m/s] and ``rho`` [kg/m^3] on the dimensions ``x`` and ``y`` [m] (in any
        sequence), both with increasing coordinates.

    Raises
    ------
    ValueError
        For missing or unknown variables, wrong dimensions, coordinates that do not increase and values
        that are not positive and finite.
    """

    def __init__(self, name: str, data: xr.Dataset) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.\- ]*", name):
            raise ValueError(
                f"name is {name!r}; expected letters, digits, '_', '.', '-' and spaces, for files are "
                "named after it."
            )
        self.name = name
        self._axes, self._values = _checked(data)

    @property
    def data(self) -> xr.Dataset:
        """A copy of the model as dataset: vp and rho on (x, y)."""
        return xr.Dataset(
            {key: (_AXES, values.copy()) for key, values in self._values.items()},
            coords={axis: positions.copy() for axis, positions in zip(_AXES, self._axes, strict=True)},
        )

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """First and last coordinate per axis [m]."""
        return tuple((float(axis[0]), float(axis[-1])) for axis in self._axes)

    def contains(self, coordinates: np.ndarray) -> np.ndarray:
        """Say which coordinates (..., 2) [m] lie in the grid, to 1e-9 of its extent: bool (...,)."""
        low, high = np.array(self.bounds).T
        slack = 1e-9 * (high - low)
        return np.asarray(((coordinates >= low - slack) & (coordinates <= high + slack)).all(axis=-1))

    def evaluate(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        """Interpolate linearly.

        Parameters
        ----------
        coordinates
            Positions (..., 2) [m].

        Returns
        -------
        dict
            VP [m/s] and RHO [kg/m^3], shape (...,).

        Raises
        ------
        ValueError
            If a position lies outside the grid by more than rounding.
        """
        coordinates = np.asarray(coordinates, dtype=np.float64)
        if coordinates.ndim == 0 or coordinates.shape[-1] != len(_AXES):
            raise ValueError(f"coordinates has shape {coordinates.shape}; expected (..., {len(_AXES)}).")
        outside = ~self.contains(coordinates)
        if outside.any():
            x, y = coordinates[outside][0]
            raise ValueError(
                f"position ({x:g}, {y:g}) m lies outside the volume model {self.name!r}, which covers x "
                f"{self.bounds[0]} "
                f"and y {self.bounds[1]} m; expected positions inside: extend the model or shrink the domain."
            )
        (i, a), (j, b) = (_cells(axis, coordinates[..., k]) for k, axis in enumerate(self._axes))
        return {name.upper(): _bilinear(values, i, j, a, b) for name, values in self._values.items()}

    def slowest_velocity(self, bounds: tuple[tuple[float, float], ...]) -> float:
        """Return the smallest VP [m/s] inside a box.

        Notes
        -----
        Bilinear functions have their extremes at grid nodes or on the box's edges.
        """
        axes = []
        for (lo, hi), axis in zip(bounds, self._axes, strict=True):
            axes.append(np.concatenate([[lo], axis[(axis > lo) & (axis < hi)], [hi]]))
        positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        return float(self.evaluate(positions)["VP"].min())

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
        missing = [key for key in (*_AXES, *_PARAMETERS) if key not in arrays]
        if missing:
            raise ValueError(f"file {str(path)!r} lacks the array {missing[0]!r} of a {_FORMAT}.")
        fields = {key: (_AXES, arrays[key]) for key in _PARAMETERS}
        return cls(attributes["name"], xr.Dataset(fields, coords={axis: arrays[axis] for axis in _AXES}))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GenericModel) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        grid = " x ".join(str(len(axis)) for axis in self._axes)
        lines = [f"GenericModel {self.name!r}: grid of {grid} nodes"]
        lines += [f"{axis}: {lo:g} to {hi:g} m" for axis, (lo, hi) in zip(_AXES, self.bounds, strict=True)]
        units = {"vp": "m/s", "rho": "kg/m^3"}
        lines += [f"{k}: {v.min():g} to {v.max():g} {units[k]}" for k, v in self._values.items()]
        return "\n    ".join(lines)

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**dict(zip(_AXES, self._axes, strict=True)), **self._values}


def _checked(data: xr.Dataset) -> tuple[tuple[np.ndarray, ...], dict[str, np.ndarray]]:
    if not isinstance(data, xr.Dataset):
        raise ValueError(
            f"data is a {type(data).__name__}; expected an xarray.Dataset with vp and rho on (x, y)."
        )
    for key in _PARAMETERS:
        if key not in data.data_vars:
            raise ValueError(
                f"data has no variable {key!r}, only {sorted(map(str, data.data_vars))}; expected 'vp' "
                "[m/s] and "
                "'rho' [kg/m^3]."
            )
    unknown = sorted(set(map(str, data.data_vars)) - set(_PARAMETERS))
    if unknown:
        raise ValueError(
            f"data has the variable {unknown[0]!r}; expected only 'vp' and 'rho' (a fluid): drop what is "
            "not to be used."
        )
    axes = tuple(_checked_axis(data, axis) for axis in _AXES)
    return axes, {key: _checked_values(data, key) for key in _PARAMETERS}


def _checked_axis(data: xr.Dataset, axis: str) -> np.ndarray:
    if axis not in data.coords or data[axis].dims != (axis,):
        raise ValueError(
            f"data has no coordinate {axis!r} along a dimension of that name, only "
            f"{ {str(k): v.dims for k, v in data.coords.items()} }; expected 'x' and 'y' [m]."
        )
    positions = np.array(data[axis].values, dtype=np.float64)
    if len(positions) < 2 or not np.isfinite(positions).all() or not (np.diff(positions) > 0).all():
        raise ValueError(
            f"coordinate {axis!r} of data has {len(positions)} values from {positions[:1]} to "
            f"{positions[-1:]}; expected at "
            f"least 2, finite and strictly increasing: sort them with data.sortby({axis!r})."
        )
    return positions


def _checked_values(data: xr.Dataset, key: str) -> np.ndarray:
    variable = data[key]
    if set(variable.dims) != set(_AXES):
        raise ValueError(f"variable {key!r} of data has the dimensions {variable.dims}; expected ('x', 'y').")
    if variable.dtype.kind not in "fiu":
        raise ValueError(
            f"variable {key!r} of data has values of type {variable.dtype}; expected real numbers."
        )
    values = np.array(variable.transpose(*_AXES).values, dtype=np.float64, order="C")
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        i, j = np.argwhere(bad)[0]
        x, y = float(data["x"][i]), float(data["y"][j])
        raise ValueError(
            f"variable {key!r} of data is {values[i, j]} at x = {x:g}, y = {y:g} m and not positive and "
            "finite at "
            f"{int(bad.sum())} of {bad.size} nodes; expected positive numbers."
        )
    return values


def _cells(axis: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the grid cell of every position and the fraction of the way through it."""
    cell = np.clip(np.searchsorted(axis, positions, side="right") - 1, 0, len(axis) - 2)
    fraction = (positions - axis[cell]) / (axis[cell + 1] - axis[cell])
    return cell, np.clip(fraction, 0.0, 1.0)


def _bilinear(values: np.ndarray, i: np.ndarray, j: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Written with differences, so that constants are reproduced to the last bit."""
    lower = values[i, j] + a * (values[i + 1, j] - values[i, j])
    upper = values[i, j + 1] + a * (values[i + 1, j + 1] - values[i, j + 1])
    return np.asarray(lower + b * (upper - lower))

"""Wavefields that a simulation wrote, read from the file when they are looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from wavetree.errors import unknown_name

__all__ = ["FORMAT", "read_wavefield_output"]

FORMAT = "wavetree wavefield 1"
"""What the files say that they are."""


def read_wavefield_output(path: Path | str, field: str) -> xr.DataArray:
    """Return a field of a wavefield output; its values are read when they are asked for.

    Parameters
    ----------
    path
        HDF5 file that a simulation wrote.
    field
        Name of the field.

    Returns
    -------
    xarray.DataArray
        Dimensions (time, element, node, component) of volumes and (time, facet, node, component) of surfaces,
        float32. Coordinates: ``time`` [s], ``component``, the positions ``x``, ``y``[, ``z``] of the nodes
        [m] and ``element``, the number of the mesh's element; of surfaces also ``side`` and ``side_set``.
        Nodes are the GLL nodes, x fastest. Elements are those of the medium that has the field.

    Raises
    ------
    ValueError
        If the file is missing, damaged or not one of ours, or has no such field.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"wavefield output {str(path)!r} is not there any more; run the simulation with it again."
        )
    return _reading(path, lambda file: _array(path, file, field))


def _reading(path: Path, read: Callable[[h5py.File], Any]) -> Any:
    """Read from a file; what is wrong with it is an error that names it."""
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise OSError("it was not written by wavetree")
            return read(file)
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"cannot use file {str(path)!r}: it is truncated, damaged or was not written by wavetree "
            f"({error}); restore it from a copy, or delete it and run the simulation again."
        ) from error


def _array(path: Path, file: h5py.File, field: str) -> xr.DataArray:
    grids = {name: grid for grid in file.values() if "fields" in grid for name in grid["fields"]}
    kind = str(file.attrs["output_type"])
    if field not in grids:
        raise unknown_name(f"field of the {kind} output of {file.attrs['event_name']}", field, grids)
    grid = grids[field]
    about, n_nodes = grid["fields"][field].attrs, int(grid.attrs["n_nodes"])
    components, each = json.loads(about["components"]), "element" if kind == "volume" else "facet"
    values = _Nodes(path, f"{grid.name}/fields/{field}", json.loads(about["parts"]), len(components))
    values.shape = (len(file["time"]), len(grid["element"]), n_nodes, len(components))
    points = _Nodes(path, grid.name, ["points"], grid["points"].shape[1])
    points.shape = (1, *values.shape[1:3], grid["points"].shape[1])
    positions = xr.Variable(("time", each, "node", "axis"), indexing.LazilyIndexedArray(points))
    coordinates: dict[str, Any] = {
        "time": ("time", file["time"][()], {"units": "s"}),
        "component": components,
        "element": (each, grid["element"][()]),
    }
    if kind == "surface":
        names = np.array(json.loads(grid.attrs["side_sets"]))
        coordinates |= {"side": (each, grid["side"][()]), "side_set": (each, names[grid["side_set"][()]])}
    for axis in range(points.shape[3]):
        coordinates["xyz"[axis]] = positions[0, :, :, axis]
        coordinates["xyz"[axis]].attrs["units"] = "m"
    variable = xr.Variable(
        ("time", each, "node", "component"),
        indexing.LazilyIndexedArray(values),
        {**{name: file.attrs[name] for name in ("event_name", "output_type", "dispersion")}},
    )
    variable.attrs["units"] = about["units"]
    return xr.Dataset({field: variable}, coordinates)[field]


class _Nodes(BackendArray):
    """Nodal values (n_times, n, n_nodes, n_components) in arrays of all nodes, one per time and part.

    An array has all components as columns, or there is one for each of them; coordinates are a single array.
    """

    shape: tuple[int, ...]

    def __init__(self, path: Path, group: str, parts: list[str], count: int) -> None:
        self._path, self._group, self._parts, self._count = path, group, parts, count
        self.dtype = np.dtype(np.float64 if parts == ["points"] else np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> np.ndarray:
        times, *others = key
        numbers = np.arange(self.shape[0])[times]

        def read(file: h5py.File) -> np.ndarray:
            found = [self._one(file, int(number), *others) for number in np.atleast_1d(numbers)]
            empty = (0, *np.empty(self.shape[1:])[tuple(others)].shape) if not found else ()
            return np.stack(found) if found else np.empty(empty)

        values = np.asarray(_reading(self._path, read), dtype=self.dtype)
        return values if np.ndim(numbers) else values[0]

    def _one(
        self, file: h5py.File, number: int, each: int | slice, node: int | slice, component: int | slice
    ) -> np.ndarray:
        """Values of one time; the rows from the first to the last element that is wanted are read."""
        wanted = np.atleast_1d(np.arange(self.shape[1])[each])
        low, high = (int(wanted.min()), int(wanted.max()) + 1) if wanted.size else (0, 0)
        rows = slice(low * self.shape[2], high * self.shape[2])
        group = file[self._group]
        if self._parts == ["points"]:
            values = group["points"][rows]
        else:
            arrays = [group[part][f"{number:06d}"][rows] for part in self._parts]
            values = arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=1)
        values = values.reshape(high - low, self.shape[2], -1)[..., : self._count]
        first = wanted - low if isinstance(each, slice) else int(each) - low
        return values[first][..., node, component]

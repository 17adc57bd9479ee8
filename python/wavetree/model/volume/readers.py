"""Volume models from arrays, raw binary files and SEG-Y sections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, NonNegativeInt, PositiveInt

from wavetree.config import Configuration, configuration
from wavetree.model.completion import Completion, complete
from wavetree.model.volume.cartesian import GenericModel
from wavetree.model.volume.grid import Grid
from wavetree.segy import read_segy_file

__all__ = ["BinaryLayout", "from_arrays", "from_binary", "from_segy", "read_binary", "read_segy"]


def _type_name(given: Any) -> str:
    try:
        return np.dtype(given).str
    except TypeError as error:
        raise ValueError(
            f"dtype is {given!r}; expected a NumPy type of numbers, for example '<f4'"
        ) from error


@configuration
class BinaryLayout(Configuration):
    """How an array lies in a raw file.

    Parameters
    ----------
    shape
        Lengths of the axes.
    dtype
        Type of the numbers, as NumPy calls it: ``"<f4"`` are little-endian 4-byte numbers.
    order
        ``"C"`` if the last axis is the fastest, ``"F"`` if the first is.
    offset_in_bytes
        Length of a header before the numbers.
    """

    shape: tuple[PositiveInt, ...]
    _: KW_ONLY
    dtype: Annotated[str, BeforeValidator(_type_name)] = "<f4"
    order: Literal["C", "F"] = "C"
    offset_in_bytes: NonNegativeInt = 0


def from_arrays(name: str, parameters: Mapping[str, np.ndarray | Completion], grid: Grid) -> GenericModel:
    """Make a volume model of arrays on a regular grid.

    Parameters
    ----------
    name
        Name of the model.
    parameters
        By lower-case name arrays in SI units, and after them numbers and relations that complete them; see
        `wavetree.model.completion.complete`.
    grid
        Where the nodes of the arrays are.

    Raises
    ------
    ValueError
        If the arrays do not fit to the grid or hold values of no medium.
    """
    arrays = {key: value for key, value in parameters.items() if isinstance(value, np.ndarray)}
    others = {key: value for key, value in parameters.items() if not isinstance(value, np.ndarray)}
    if not arrays:
        raise ValueError(f"parameters holds no array, only {list(parameters)}; expected at least one.")
    return GenericModel(name, complete(grid.dataset(arrays), **others))


def from_binary(
    name: str, parameters: Mapping[str, str | Path | Completion], grid: Grid, layout: BinaryLayout,
    scale: float = 1.0,
) -> GenericModel:  # fmt: skip
    """Make a volume model of raw binary files.

    Parameters
    ----------
    name
        Name of the model.
    parameters
        By lower-case name files, and after them numbers and relations that complete them.
    grid
        Where the nodes of the array are.
    layout
        How the arrays lie in the files.
    scale
        Factor from the files' unit to SI, for example 1000 for km/s.

    Raises
    ------
    ValueError
        If a file is missing, has another size, or holds values of no medium.
    """
    return from_arrays(name, _read(parameters, lambda path: scale * read_binary(path, layout)), grid)


def from_segy(
    name: str, parameters: Mapping[str, str | Path | Completion], grid: Grid, scale: float = 1.0
) -> GenericModel:
    """Make a volume model of sections in SEG-Y files.

    Parameters
    ----------
    name
        Name of the model.
    parameters
        By lower-case name files, and after them numbers and relations that complete them.
    grid
        Where traces and samples are, ``Grid(("x", "depth"), spacing=(dx, dz))``: the units of headers vary
        too much to be trusted.
    scale
        Factor from the files' unit to SI, for example 1000 for km/s.

    Raises
    ------
    ValueError
        If a file is missing or damaged, or holds values of no medium.
    """
    return from_arrays(name, _read(parameters, lambda path: scale * read_segy(path)), grid)


def read_binary(path: str | Path, layout: BinaryLayout) -> np.ndarray:
    """Return the array of a raw file, float64.

    Raises
    ------
    ValueError
        If the file is missing or has another size than the layout says.
    """
    path = _existing(path)
    kind = np.dtype(layout.dtype)
    count = int(np.prod(layout.shape))
    wanted, size = layout.offset_in_bytes + count * kind.itemsize, path.stat().st_size
    if size != wanted:
        shape = " x ".join(map(str, layout.shape))
        raise ValueError(
            f"file {str(path)!r} has {size} bytes; expected {wanted} for {shape} numbers of type "
            f"{layout.dtype!r} after {layout.offset_in_bytes} bytes: look at shape, dtype and "
            "offset_in_bytes."
        )
    numbers = np.fromfile(path, dtype=kind, offset=layout.offset_in_bytes)
    return numbers.reshape(layout.shape, order=layout.order).astype(np.float64)


def read_segy(path: str | Path) -> np.ndarray:
    """Return the traces of a SEG-Y file (n_traces, n_samples), float64.

    Raises
    ------
    ValueError
        If the file is missing, damaged, or its traces differ in length; see `wavetree.segy`.
    """
    return read_segy_file(path).samples


def _read(
    parameters: Mapping[str, str | Path | Completion], read: Callable[[str | Path], np.ndarray]
) -> dict[str, np.ndarray | Completion]:
    return {key: read(v) if isinstance(v, (str, Path)) else v for key, v in parameters.items()}


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"path {str(path)!r} is not a file; look for a typing error.")
    return path

"""Datasets in NetCDF files."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import xarray as xr

__all__ = ["read_netcdf"]

# First bytes of a file, the engines of xarray that read it and what the format is called.
_KINDS = {
    b"CDF": (("scipy", "netcdf4"), "NetCDF 3"),
    b"\x89HDF": (("netcdf4", "h5netcdf"), "NetCDF 4"),
}
_PACKAGES = {"scipy": "scipy", "netcdf4": "netCDF4", "h5netcdf": "h5netcdf"}


def read_netcdf(path: str | Path) -> xr.Dataset:
    """Read a NetCDF file into memory.

    Parameters
    ----------
    path
        The file, NetCDF 3 or 4.

    Returns
    -------
    xarray.Dataset
        Its variables and coordinates, as they are.

    Raises
    ------
    ValueError
        If it is missing, damaged or no NetCDF file.
    ImportError
        If it is NetCDF 4 and neither netCDF4 nor h5netcdf is installed.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"path {str(path)!r} is not a file; expected a NetCDF file.")
    with path.open("rb") as file:
        start = file.read(4)
    engines, kind = next((v for k, v in _KINDS.items() if start.startswith(k)), ((), ""))
    if not engines:
        raise ValueError(f"file {str(path)!r} begins with {start!r}; expected a NetCDF file.")
    usable = [engine for engine in engines if importlib.util.find_spec(_PACKAGES[engine])]
    if not usable:
        raise ImportError(
            f"file {str(path)!r} is {kind}, which needs netCDF4 or h5netcdf: install one with 'pip install "
            "netCDF4', or write the file with dataset.to_netcdf(path, engine='scipy')."
        )
    try:
        with xr.open_dataset(path, engine=usable[0]) as data:  # type: ignore[arg-type]
            return data.load()
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"cannot read {str(path)!r} as {kind}: {error}; it may be truncated.") from error

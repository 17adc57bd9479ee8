"""Wavefields at one time, drawn on the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.viz.mesh import draw_field
from wavetree.viz.slices import draw_slices
from wavetree.viz.style import add_colorbar, figure_of, prefixed, symmetric, with_powers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_snapshot"]

_ELSEWHERE = "0.9"


def plot_snapshot(
    wavefield: xr.DataArray,
    mesh: Mesh,
    time_in_seconds: float,
    component: str | None = None,
    ax: Axes | None = None,
    at: Sequence[float] | None = None,
) -> Figure:
    """Draw a wavefield at the written time that is nearest to a given one.

    Parameters
    ----------
    wavefield
        What `EventData.get_wavefield_output` returns of a volume.
    mesh
        The mesh of the simulation. Elements of another medium are left grey.
    time_in_seconds
        A time within those that were written [s].
    component
        Name of the component; the first when None.
    ax
        Axes to draw into; a new figure when None.
    at
        Where the slices through hexes meet (x, y, z) [m]; in the middle of the medium when None.

    Returns
    -------
    matplotlib.figure.Figure
        The figure. Colours cover 99.5 % of the values.

    Raises
    ------
    ValueError
        If the wavefield is none of a volume of this mesh, the time is outside the written ones, or the
        component is unknown.
    """
    _check(wavefield, mesh)
    elements = wavefield.coords["element"].values
    names = [str(name) for name in wavefield.coords["component"].values]
    component = component or names[0]
    if component not in names:
        raise unknown_name(f"component of {wavefield.name}", component, names)
    shown = wavefield[_nearest(wavefield.coords["time"].values, time_in_seconds)]
    values = np.asarray(shown.sel(component=component).values, dtype=np.float64)
    name = f"{wavefield.name}" if names == ["A"] else f"{wavefield.name} {component}"
    scale = symmetric(f"{name} [{with_powers(wavefield.attrs['units'])}]", values)
    time = float(shown.coords["time"])
    factor, unit = prefixed(np.abs(wavefield.coords["time"].values).max(), "s")
    title = f"{wavefield.attrs['event_name']}: {name} at {factor * time:.4g} {unit}"
    figure, axes = figure_of(ax)
    part = Mesh(mesh.points, mesh.connectivity[elements], mesh.shape_order)
    if mesh.dim == 2:
        draw_field(axes, part, values, scale, title)
        (x0, x1), (y0, y1) = mesh.bounds
        axes.set(xlim=(x0, x1), ylim=(y0, y1), facecolor=_ELSEWHERE)
        return figure
    everywhere = np.full((mesh.nelem, values.shape[1]), np.nan)
    everywhere[elements] = values
    nodes = mesh.points[mesh.connectivity[elements]]
    meet = 0.5 * (nodes.min(axis=(0, 1)) + nodes.max(axis=(0, 1))) if at is None else at
    image = draw_slices(axes, mesh, everywhere, scale, title, meet)
    for panel in axes.child_axes:
        panel.set_facecolor(_ELSEWHERE)
    add_colorbar(image, axes, scale)
    return figure


def _check(wavefield: xr.DataArray, mesh: Mesh) -> None:
    if wavefield.dims != ("time", "element", "node", "component"):
        raise ValueError(
            f"wavefield has dimensions {wavefield.dims}; expected (time, element, node, component), those of "
            'get_wavefield_output("volume", field).'
        )
    last = wavefield.coords["element"].values.max(initial=-1)
    if last >= mesh.nelem:
        raise ValueError(
            f"wavefield has values in element {last}, but the mesh has {mesh.nelem} elements; "
            "expected the mesh of the simulation."
        )


def _nearest(times: np.ndarray, wanted: float) -> int:
    step = times[1] - times[0] if len(times) > 1 else 0.0
    if not times[0] - 0.5 * step <= wanted <= times[-1] + 0.5 * step:
        raise ValueError(
            f"time_in_seconds is {wanted:g}; expected one of the written times, {times[0]:.6g} to "
            f"{times[-1]:.6g} s."
        )
    return int(np.abs(times - wanted).argmin())

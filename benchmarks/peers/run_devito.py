"""The event with Devito: finite differences of order 8 to 16 in space, 2 or 4 in time, a damping layer."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from devito import Eq, Function, Grid, Operator, SparseTimeFunction, TimeFunction, configuration, solve

from common import Event, Prepared, Settings, main, once

configuration["log-level"] = "ERROR"
configuration["language"] = "C"

# Damping rates are those of a layer that leaves such a share of waves on their way through it and back; 1 is
# a larger box, at whose end they are reflected.
WIDTHS = (3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0)
REFLECTIONS = (0.3, 0.1, 0.03, 0.01, 1e-3, 1.0)
SHORTEST = 0.2  # time step in units of the longest that order 2 in time bears in one dimension


def _damping(event: Event, shape: list[int], layer: int, spacing: float, reflection: float) -> np.ndarray:
    """Rate γ [1/s] at the grid points, rising with the square of the depth in the layer."""
    peak = 1.5 * event.velocity * math.log(1.0 / reflection) / (layer * spacing)
    rate = np.zeros(shape)
    for axis, n in enumerate(shape):
        place = np.arange(n)
        depth = np.maximum(0, np.maximum(layer - place, place - (n - 1 - layer))) / layer
        rate += (peak * depth**2).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return rate


@dataclass(frozen=True)
class _Built:
    """Functions on a grid and the compiled code."""

    u: TimeFunction
    rate: Function
    source: SparseTimeFunction
    receivers: SparseTimeFunction
    operator: Operator
    spacing: float
    layer: int


@functools.cache
def _build(event: Event, cells_per_wavelength: int, width: float, orders: tuple[int, int], r: int) -> _Built:
    """Compile for a grid; neither damping nor time step are known to the code."""
    spacing, dim = event.wavelength / cells_per_wavelength, len(event.bounds)
    layer = round(width * cells_per_wavelength)
    cells = [math.ceil((high - low) / spacing - 1e-9) + 2 * layer + 1 for low, high in event.bounds]
    # Coordinates count from the grid's corner: the weights of "sinc" do not know of an origin. No place is to
    # be a grid point, whose weights rounding may take for those of its neighbour.
    corner = np.array([low - (layer + 0.3) * spacing for low, _ in event.bounds])
    grid = Grid(shape=tuple(n + 1 for n in cells), extent=tuple(n * spacing for n in cells), dtype=np.float32)
    source, receivers = (
        SparseTimeFunction(
            name=name,
            grid=grid,
            npoint=len(places),
            nt=_steps(event, spacing, SHORTEST) + 2,
            coordinates=places - corner,
            interpolation="sinc",
            r=r,
        )
        for name, places in (("source", event.source[None]), ("receivers", event.receivers))
    )
    u = TimeFunction(name="u", grid=grid, time_order=2, space_order=orders[0])
    rate = Function(name="rate", grid=grid)
    c2, step = event.velocity**2, grid.stepping_dim.spacing
    laplace = u.laplace
    if orders[1] == 4:
        laplace = laplace + step**2 * c2 / 12.0 * u.biharmonic()
    equation = Eq(u.forward, solve(u.dt2 + 2.0 * rate * u.dtc - c2 * laplace, u.forward))
    injected = source.inject(field=u.forward, expr=source * step**2 * c2 / spacing**dim)
    operator = Operator([equation, injected, receivers.interpolate(expr=u)], subs=grid.spacing_map)
    return _Built(u, rate, source, receivers, operator, spacing, layer)


def _steps(event: Event, spacing: float, courant: float) -> int:
    longest = courant * spacing / (event.velocity * math.sqrt(len(event.bounds)))
    return math.ceil(event.duration / longest - 1e-9)


def prepare(event: Event, settings: Settings) -> Prepared:
    orders = settings["space_order"], settings["time_order"]
    made = _build(event, settings["cells_per_wavelength"], settings["width"], orders, settings["r"])
    shape = list(made.u.grid.shape)
    made.rate.data[:] = _damping(event, shape, made.layer, made.spacing, settings["reflection"])
    n_steps = _steps(event, made.spacing, settings["courant_number"])
    dt = event.duration / n_steps
    times = dt * np.arange(n_steps + 1)

    def run() -> np.ndarray:
        before, wavelet, after = (event.wavelet(times + shift) for shift in (-dt, 0.0, dt))
        if orders[1] == 4:
            # What the modified equation asks of a source, dt²/12 (s_tt + c² Δ s): on waves that leave it both
            # are equal.
            wavelet = wavelet + (after - 2.0 * wavelet + before) / 6.0
        made.u.data.fill(0.0)
        made.source.data[: n_steps + 1, 0] = wavelet
        made.operator.apply(time_m=0, time_M=n_steps, dt=dt)
        return np.array(made.receivers.data[: n_steps + 1]).T

    return Prepared(run, times, math.prod(shape), n_steps)


def schemes(event: Event, tolerance: float) -> Sequence[Settings]:
    """Return orders and time steps with the two narrowest layers that are good enough."""
    # Half-width of the windows of positions in cells: 6 errs by some tenths of a percent.
    r = 6 if tolerance > 5e-3 else 8
    fine = {"space_order": 12, "time_order": 4, "courant_number": 0.7, "r": r, "cells_per_wavelength": 14}
    layers: list[Settings] = []
    for width, reflection in itertools.product(WIDTHS, REFLECTIONS):
        layer = {"width": width, "reflection": reflection}
        known = {one["width"] for one in layers}
        if width not in known and once(prepare, event, {**fine, **layer})[0] <= 0.97 * tolerance:
            layers.append(layer)
        if len(layers) == 2:
            break
    orders = itertools.product(layers, ((12, 4, 0.7), (16, 4, 0.7), (8, 4, 0.7), (12, 2, SHORTEST)))
    return [
        {"space_order": space, "time_order": time, "courant_number": courant, "r": r, **layer}
        for layer, (space, time, courant) in orders
    ]


if __name__ == "__main__":
    main(prepare, schemes)

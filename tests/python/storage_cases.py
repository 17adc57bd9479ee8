"""Fluids, solids and both in two and three dimensions, whose forward fields tests keep in every way."""

from __future__ import annotations

import functools

import numpy as np

from simulations import RHO, VP, relative
from wavetree import _core
from wavetree.mesh import box_mesh
from wavetree.simulation.boundary import Absorbing
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.storage_plan import StoragePlan
from wavetree.simulation.time_axis import TimeAxis
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.source.cartesian import ScalarPoint2D, ScalarPoint3D, VectorPoint2D, VectorPoint3D
from wavetree.survey.stf import Ricker

FREQUENCY, VS = 5e4, 800.0


def make(medium: str, dim: int, anomaly: float = 0.0, axis: TimeAxis | None = None, **options) -> Simulation:
    """A few wavelengths of a medium between a source and four receivers, with waves that leave.

    Options: n (elements a side), field (recorded), stf, periods (simulated), precision, threads.
    """
    wavelength = (VP if medium == "fluid" else VS) / FREQUENCY
    side, n = (4 if dim == 2 else 2) * wavelength, options.get("n", 20 if dim == 2 else 7)
    mesh = box_mesh(((0.0, side),) * dim, (n,) * dim)
    x = mesh.node_coordinates(4)
    bump = anomaly * np.exp(-((np.linalg.norm(x - 0.5 * side, axis=-1) / wavelength) ** 2))
    mesh.attach_field("VP", VP * (1 + bump))
    mesh.attach_field("RHO", RHO * (1 - bump))
    if medium != "fluid":
        solid = np.ones(mesh.nelem) if medium == "solid" else x[..., -1].mean(axis=1) < 0.5 * side
        mesh.attach_field("VS", VS * solid[:, None] * (1 - 0.5 * bump))
    stf = options.get("stf", Ricker(FREQUENCY))
    place = _at(side, (0.2, 0.3, 0.25), dim)
    if medium == "fluid":
        source = (ScalarPoint2D if dim == 2 else ScalarPoint3D)(**place, f=1.0, source_time_function=stf)
    else:
        forces = {"fx": 1.0, "fy": 0.5} | ({"fz": 0.2} if dim == 3 else {})
        source = (VectorPoint2D if dim == 2 else VectorPoint3D)(**place, **forces, source_time_function=stf)
    fields = [options.get("field", "displacement" if medium == "solid" else "phi")]
    receivers = [
        (Point2D if dim == 2 else Point3D)(
            **_at(side, (0.85, y, 0.8), dim), station_code=f"A{k}", fields=fields
        )
        for k, y in enumerate((0.55, 0.7, 0.8, 0.9))
    ]
    span = WaveformSimulationConfiguration(
        end_time_in_seconds=options.get("periods", 6 if dim == 2 else 4) / FREQUENCY,
        precision=options.get("precision", "float64"),
    )
    width = wavelength if dim == 2 else 0.0
    around = Absorbing(["x0", "x1", "y0"], width_in_meters=width, reference_velocity=VP)
    return Simulation(
        mesh, [source], receivers, span, [around], time_axis=axis, threads=options.get("threads", 1)
    )


def _at(side: float, place: tuple[float, float, float], dim: int) -> dict[str, float]:
    return {name: side * x for name, x in list(zip("xyz", place, strict=True))[:dim]}


@functools.cache
def residual(medium: str, dim: int, **options) -> tuple[Simulation, dict, dict]:
    """A simulation, the L2 adjoint sources that an anomaly makes, and the gradient from every step."""
    simulation = make(medium, dim, **options)
    observed = make(medium, dim, 0.05, simulation.time_axis, **options).run().data
    adjoint = {name: u - observed[name] for name, u in simulation.run(1).data.items()}
    return simulation, adjoint, simulation.derivative(adjoint)


def error_found(simulation: Simulation, plan: StoragePlan, adjoint: dict, full: dict) -> float:
    """The largest relative error of a parameter's gradient."""
    simulation.run(plan)
    gradient = simulation.derivative(adjoint)
    return max(relative(gradient[name], full[name]) for name in full)


class CancelledAfter(_core.Control):
    """A control that is cancelled after some looks at it."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._left = looks

    @property
    def cancelled(self) -> bool:
        self._left -= 1
        return self._left < 0

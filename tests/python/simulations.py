"""Small set-ups for tests of simulations."""

from __future__ import annotations

import numpy as np

from wavetree import _core
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing, HomogeneousDirichlet
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import Core
from wavetree.simulation.simulation import Simulation
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.source.cartesian import ScalarPoint2D
from wavetree.survey.stf import Ricker

VP, RHO = 1500.0, 1000.0
UNIT = ((0.0, 1.0), (0.0, 1.0))

# Conditions on the unit square, by what the tests of gradients call them.
BOUNDARIES = {
    "interior": (),
    "dirichlet": (HomogeneousDirichlet(["y1"]),),
    "absorbing": (Absorbing(["x0", "x1", "y0"]), HomogeneousDirichlet(["y1"])),
    "sponge": (
        Absorbing(["x0", "x1", "y0"], width_in_meters=0.5, reference_velocity=VP),
        HomogeneousDirichlet(["y1"]),
    ),
}


def with_medium(mesh: Mesh, order: int, generator: np.random.Generator | None = None) -> Mesh:
    """Attach VP and RHO of an order: constant, or with 5 % of noise that jumps between elements."""
    shape = (mesh.nelem, (order + 1) ** 2)
    for name, value in (("VP", VP), ("RHO", RHO)):
        noise = 0.05 * generator.uniform(-1.0, 1.0, shape) if generator else np.zeros(shape)
        mesh.attach_field(name, value * (1.0 + noise))
    return mesh


def medium_box(order: int, counts: tuple[int, int] = (4, 3), shape_order: int = 2, **options: object) -> Mesh:
    """The unit square with a medium that changes everywhere."""
    mesh = box_mesh(UNIT, counts, shape_order=shape_order, **options)
    return with_medium(mesh, order, np.random.default_rng(order))


def source(x: float = 0.3, y: float = 0.4, frequency: float = 2000.0, f: float = 1e3) -> ScalarPoint2D:
    return ScalarPoint2D(x=x, y=y, f=f, source_time_function=Ricker(frequency))


def receivers(*places: tuple[float, float]) -> list[Point2D]:
    return [Point2D(x=x, y=y, station_code=f"A{k}", fields=["phi"]) for k, (x, y) in enumerate(places)]


def simulate(mesh: Mesh, boundary: str = "interior", end: float = 2e-3, **options: object) -> Simulation:
    """A simulation of one source and three receivers, in float64 unless said otherwise."""
    constructor = {
        name: options.pop(name)
        for name in ("threads", "instruction_set", "time_axis", "event_name")
        if name in options
    }
    span = WaveformSimulationConfiguration(end_time_in_seconds=end, **{"precision": "float64", **options})
    places = receivers((0.2, 0.7), (0.55, 0.7), (0.8, 0.65))
    return Simulation(mesh, [source()], places, span, BOUNDARIES[boundary], **constructor)


def evolve(
    core: Core, dt: float, n_steps: int, fields: list[np.ndarray], velocities: list[np.ndarray]
) -> list[np.ndarray]:
    """Fields (n_dofs, n_components) of every part after free motion, from those at step 0 and −1/2."""
    compiled, state = core.compiled, core.compiled.start(dt)
    for part, (field, velocity) in enumerate(zip(fields, velocities, strict=True)):
        compiled.set_field(state, part, np.ascontiguousarray(field, dtype=core.precision))
        compiled.set_field(state, part, np.ascontiguousarray(velocity, dtype=core.precision), True)
    compiled.forward(state, n_steps, [], [], n_steps, n_steps, [], None, _core.Control())
    return [compiled.field(state, part) for part in range(len(core.parts))]


def relative(result: np.ndarray, expected: np.ndarray) -> float:
    """Relative L2 difference."""
    return float(np.linalg.norm(result - expected) / np.linalg.norm(expected))

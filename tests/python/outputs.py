"""A small set-up for tests of wavefield output: fluid below a solid on curved elements."""

from __future__ import annotations

import numpy as np

from meshes import sinusoidal
from test_medium import BOXES, FLUID, mixed_mesh
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.receiver.fields import FIELDS
from wavetree.survey.source.cartesian import ScalarPoint2D, ScalarPoint3D, VectorPoint2D, VectorPoint3D
from wavetree.survey.stf import Ricker

ORDER = 3
IN_FLUID = [name for name, field in FIELDS.items() if field.medium == "fluid"]
IN_SOLID = [name for name, field in FIELDS.items() if field.medium == "solid"]
SETS = {"elastic": ("VP", "VS", "RHO"), "hexagonal": ("VPV", "VPH", "VSV", "VSH", "ETA", "RHO")}


def curved_mesh(dim: int, medium: str = "elastic") -> Mesh:
    """Curved elements whose medium changes everywhere, the first ones fluid, with named sides."""
    mesh = box_mesh(*BOXES[dim], shape_order=2, deformation=sinusoidal)
    for name, values in mixed_mesh(SETS[medium], dim, ORDER).element_nodal_fields.items():
        mesh.attach_field(name, values)
    mesh.find_side_sets()
    return mesh


def inner_nodes(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """A node inside every element, and its position: derivatives are single-valued there."""
    inside = [n for n in range((ORDER + 1) ** mesh.dim) if _is_inside(n, mesh.dim)]
    node = np.resize(inside, mesh.nelem)
    return node, mesh.node_coordinates(ORDER)[np.arange(mesh.nelem), node]


def _is_inside(node: int, dim: int) -> bool:
    return all(0 < node // (ORDER + 1) ** axis % (ORDER + 1) < ORDER for axis in range(dim))


def simulate(dim: int = 2, medium: str = "elastic", sponge: bool = False, **options: object) -> Simulation:
    """A source in each medium, and in every element a receiver of all fields at an inner node."""
    mesh = curved_mesh(dim, medium)
    stf, low, high = {"source_time_function": Ricker(2000.0)}, {"x": 0.4, "y": 0.15}, {"x": 0.6, "y": 0.7}
    if dim == 2:
        sources = [ScalarPoint2D(f=1e3, **low, **stf), VectorPoint2D(fx=1.0, fy=3.0, **high, **stf)]
    else:
        force = VectorPoint3D(fx=1.0, fy=3.0, fz=-2.0, z=1.3, **high, **stf)
        sources = [ScalarPoint3D(f=1e3, z=0.3, **low, **stf), force]
    receivers = []
    for element, place in enumerate(inner_nodes(mesh)[1]):
        fields = IN_FLUID if element in FLUID else IN_SOLID
        point = dict(zip("xyz", place, strict=False))
        made = Point2D if dim == 2 else Point3D
        receivers.append(made(**point, station_code=f"A{element}", fields=fields))
    values = {"precision": "float64", "temporal_dispersion_correction": False}
    span = WaveformSimulationConfiguration(6e-4, **(values | options))
    absorbing = Absorbing(["x0", "x1"], width_in_meters=0.3, reference_velocity=3000.0)
    return Simulation(mesh, sources, receivers, span, (absorbing,) if sponge else ())

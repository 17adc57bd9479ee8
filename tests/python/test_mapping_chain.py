"""The derivative through everything that a mapping can do at once, down to the simulated misfit."""

import numpy as np
import pytest

from mappings import dot_defect
from meshes import sinusoidal
from simulations import medium_box, simulate
from wavetree.data.event_data import EventData
from wavetree.mapping import BoundMapping, Mapping
from wavetree.mesh import box_mesh
from wavetree.simulation.simulation import Simulation
from wavetree.testing import SimulationMisfit, taylor_slopes

Fields = dict[str, np.ndarray]


def damped(update: Fields, coordinates: np.ndarray) -> Fields:
    return {name: (0.5 + coordinates[:, 1]) * values for name, values in update.items()}


def inner_part(coordinates: np.ndarray) -> np.ndarray:
    return np.clip(2.0 - 2.0 * np.hypot(*(coordinates - 0.5).T) / 0.5, 0.0, 1.0)


def everything(scaling: str, simulation: Simulation) -> BoundMapping:
    material = simulation.mesh.element_nodal_fields["VP"]
    configured = Mapping(
        scaling,
        inversion_parameters=["VP"],
        region_of_interest=inner_part,
        source_cutout_radius_in_meters=0.15,
        receiver_cutout_radius_in_meters=0.08,
        bounds={"VP": (material.min() - 15.0, material.max() + 15.0)},
        tied_parameters={"RHO": "gardner"},
        inversion_mesh=box_mesh(((-0.1, 1.1), (-0.1, 1.1)), (5, 5), shape_order=1),
        postprocess_model_update=(damped, damped),
    )
    sources = np.array([[0.3, 0.4]])
    receivers = np.array([[0.2, 0.7], [0.55, 0.7], [0.8, 0.65]])
    return configured.bind(simulation.mesh, sources, receivers)


@pytest.mark.parametrize("scaling", ["absolute", "relative_deviation_from_prior", "logarithmic"])
def test_taylor_through_everything_combined(scaling: str) -> None:
    generator = np.random.default_rng(7)
    simulation = simulate(medium_box(3, deformation=sinusoidal), "sponge")
    records = simulation.run()
    noise = 1.0 + 0.3 * generator.standard_normal(records.data["phi"].shape)
    axis = (records.start_time_in_seconds, records.sampling_rate_in_hertz)
    observed = EventData("noisy", records.receivers, {"phi": records.data["phi"] * noise}, *axis)
    misfit = SimulationMisfit(simulation, observed)
    mapping = everything(scaling, simulation)
    unit = mapping.prior.max() if scaling == "absolute" else 1.0
    here = mapping.prior + 0.05 * unit * generator.uniform(-1.0, 1.0, mapping.size)
    material, prior = mapping.forward(here), simulation.mesh.element_nodal_fields
    changed = {name: np.abs(material[name] / prior[name] - 1.0).max() for name in ("VP", "RHO")}
    assert changed["VP"] > 0.01 and changed["RHO"] > 0.001
    assert dot_defect(mapping, generator, here) < 1e-13

    def value(p: np.ndarray) -> float:
        return misfit.value(mapping.forward(p))

    gradient = mapping.adjoint(here, misfit.derivative(material))
    # Small against the margin on which bounds bend the material, 1.5 m/s and more.
    direction = 0.05 * unit * generator.standard_normal(mapping.size)
    steps = 10.0 ** -np.arange(3.0, 6.01, 0.5)
    np.testing.assert_allclose(taylor_slopes(value, gradient, here, direction, steps), 2.0, atol=0.02)

"""How long the parts of the tutorial take: ``pytest benchmarks``; nothing is asserted on seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wavetree as wt
from wavetree.demo import INITIAL, INVERSION, TRUE, add_entities, true_model


@pytest.fixture
def project(tmp_path: Path) -> Iterator[wt.Project]:
    """The tutorial's project with the observed data."""
    made = wt.Project.from_volume_model(tmp_path / "project", true_model())
    add_entities(made)
    made.simulations.launch(TRUE)
    assert made.simulations.query(block=True)
    yield made
    made.close()


@pytest.fixture
def simulation(project: wt.Project) -> wt.Simulation:
    """The first event in the initial model, on one thread."""
    setup = project.simulations.setup(INITIAL)
    event = project.events.get("event_0000")
    (wavelet,) = setup.event_configuration.wavelets
    sources = [
        wt.simple_config.source.cartesian.ScalarPoint2D(x=s.x, y=s.y, f=s.f, source_time_function=wavelet)
        for s in event.sources
    ]
    return wt.Simulation(
        project.meshes.get(setup.mesh_digest),
        sources,
        event.receivers,
        setup.event_configuration.waveform_simulation_configuration,
        time_axis=setup.time_axis,
    )


def test_forward(benchmark: Any, simulation: wt.Simulation) -> None:
    benchmark.extra_info["point updates"] = simulation.plan().point_updates
    data = benchmark(simulation.run)
    assert np.isfinite(data.data["phi"]).all()


def test_forward_and_gradient(benchmark: Any, simulation: wt.Simulation) -> None:
    def gradient() -> wt.Mesh:
        data = simulation.run(storage=10)
        return simulation.gradient(data.data)

    assert np.isfinite(benchmark(gradient).element_nodal_fields["VP"]).all()


def test_smoothing(benchmark: Any, project: wt.Project) -> None:
    mesh = project.simulations.get_mesh(INITIAL)
    smoothing = wt.ConstantSmoothing({"VP": 0.01, "RHO": 0.01}).build(mesh, mesh.tensor_order)
    noise = np.random.default_rng(0).standard_normal(mesh.dof_map(mesh.tensor_order).n_dofs)
    smooth = benchmark(smoothing.apply, {"VP": noise, "RHO": noise})
    assert np.abs(smooth["VP"]).max() < 0.1 * np.abs(noise).max()


def test_iteration(benchmark: Any, project: wt.Project) -> None:
    benchmark.pedantic(project.inversions.iterate, args=(INVERSION,), rounds=1)
    first, second = (project.inversions.get_iteration(INVERSION, k).misfit for k in (0, 1))
    assert second < 0.45 * first

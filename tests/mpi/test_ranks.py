"""Simulations and smoothing on ranks give what one rank gives."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import gradient_matrix as matrix
from meshes import make_mesh
from simulations import BOUNDARIES, medium_box, receivers, source
from wavetree import Simulation
from wavetree.ranks import ranks_of
from wavetree.simulation.configuration import WavefieldCompression, WaveformSimulationConfiguration
from wavetree.simulation.illumination import compute_illumination
from wavetree.simulation.storage_plan import StoragePlan
from wavetree.smoothing.constant import smoother
from wavetree.testing import exact_storage_plans

EXACT = 1e-12
ROWS = matrix.rows()
# Pieces of the gradient matrix, so that a failure is found without the rest.
PIECES = 3


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Relative L2 difference, absolute where nothing is expected."""
    return float(np.linalg.norm(found - expected) / (np.linalg.norm(expected) or 1.0))


def random_sources(records: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Adjoint sources of the size of the records, of which none cancels another."""
    rng = np.random.default_rng(5)
    return {name: rng.standard_normal(v.shape) * np.abs(v).max() for name, v in records.items()}


def differences(many: Any, one: Any, storage: Any) -> dict[str, float]:
    """Of records, gradients and derivatives by the sources; storage(simulation) is the plan."""
    kept, kept_one = many.run(storage(many)), one.run(storage(one))
    given = random_sources(kept_one.data)
    ours, theirs = many.adjoint(given), one.adjoint(given)
    found = {name: difference(kept.data[name], values) for name, values in kept_one.data.items()}
    found |= {name: difference(ours.derivative[name], values) for name, values in theirs.derivative.items()}
    for k, (a, b) in enumerate(zip(ours.sources, theirs.sources, strict=True)):
        found[f"function {k}"] = difference(a.by_source_time_function, b.by_source_time_function)
        found[f"place {k}"] = difference(a.by_location, b.by_location)
    return found


def exact_plan(row: dict[str, Any], simulation: Simulation) -> StoragePlan:
    return exact_storage_plans(simulation)[matrix.STORAGE[row["storage"]]]


# Each piece on another number of ranks; `--all-ranks` runs each on all.
@pytest.mark.parametrize("piece", [pytest.param(k, marks=pytest.mark.ranks(2 + k)) for k in range(PIECES)])
def test_the_gradient_matrix(comm: Any, piece: int) -> None:
    """Every physics, boundary, parameterisation, source, receiver and kind of mesh."""
    n_compared = 0
    for row in ROWS[piece::PIECES]:
        if row["medium"] == "coupled" and row["mesh"] == "disc":
            continue  # one element of fluid or solid touches all others
        many = matrix.make_simulation(row, comm=comm)
        one = matrix.make_simulation(row)
        assert many.time_axis == one.time_axis
        found = differences(many, one, functools.partial(exact_plan, row))
        assert max(found.values()) < EXACT, (matrix.label(row), found)
        n_compared += 1
    assert n_compared > len(ROWS) // PIECES // 2


def longer(comm: Any, boundary: str, precision: str = "float64") -> Simulation:
    """A thousand time steps in a box with waves that pass many ranks' borders."""
    span = WaveformSimulationConfiguration(end_time_in_seconds=4e-3)
    mesh = medium_box(4, (9, 8))
    there = receivers(*((0.1 + 0.05 * k, 0.9 - 0.05 * k) for k in range(17)))
    return Simulation(mesh, [source()], there, span, BOUNDARIES[boundary], precision, comm)


@pytest.mark.ranks(2, 4)
def test_a_thousand_steps(comm: Any) -> None:
    many, one = longer(comm, "sponge"), longer(None, "sponge")
    assert many.n_steps > 500
    assert max(differences(many, one, lambda _: 1).values()) < EXACT
    # The plan is that of the whole run, so ranks choose alike.
    assert many.storage_plan(WavefieldCompression()).scheme == one.storage_plan(WavefieldCompression()).scheme
    assert difference(many.energy(), one.energy()) < EXACT
    assert difference(compute_illumination(many), compute_illumination(one)) < EXACT
    single = longer(comm, "sponge", "float32").run().data["phi"]
    assert difference(single, one.run().data["phi"]) < 1e-4


@pytest.mark.ranks(2, 3)
def test_runs_do_not_depend_on_what_ran_before(comm: Any) -> None:
    first = longer(comm, "absorbing")
    records = first.run().data["phi"]
    longer(comm, "dirichlet").run()
    assert np.array_equal(first.run().data["phi"], records)
    everyone = comm.allgather(records)
    assert all(np.array_equal(one, records) for one in everyone)


@pytest.mark.ranks(2, 3, 4)
def test_smoothing(comm: Any) -> None:
    for kind, dim, order, length in (
        ("sinusoidal", 2, 4, 0.15),
        ("disc", 2, 3, 0.4),
        ("perturbed", 3, 2, 0.2),
    ):
        mesh = make_mesh(kind, dim, 2, 5 if dim == 2 else 3)
        values = np.random.default_rng(1).standard_normal(mesh.dof_map(order).n_dofs)
        many = smoother(mesh, order, length, ranks=ranks_of(comm)).apply(values)
        assert difference(many, smoother(mesh, order, length).apply(values)) < EXACT

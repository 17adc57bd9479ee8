"""The gradient matrix: dimension × medium × boundary × parameters × receivers × sources × storage.

All checks of the gradient on a covering array of small set-ups, see `gradient_matrix`.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import gradient_matrix as matrix
from covering import Row, covering_array, pairs
from gradient_matrix import FACTORS, STORAGE
from simulations import relative
from wavetree.model.parameters import SETS
from wavetree.simulation.receivers import Receivers
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.sources import Sources
from wavetree.simulation.storage_plan import StoragePlan
from wavetree.survey.receiver.fields import FIELDS
from wavetree.testing import SimulationMisfit, certify_gradient, dot_product_defect, exact_storage_plans

ROWS = matrix.rows()
CASES = pytest.mark.parametrize("number", range(len(ROWS)), ids=[matrix.label(row) for row in ROWS])


@functools.lru_cache(maxsize=1)
def simulation_of(number: int) -> Simulation:
    """The set-up of a row in float64; the tests of a row follow one another."""
    return matrix.make_simulation(ROWS[number])


def row_with(**levels: object) -> Row:
    return next(row for row in ROWS if all(row[name] == level for name, level in levels.items()))


def plan_of(row: Row, simulation: Simulation) -> StoragePlan:
    return exact_storage_plans(simulation)[STORAGE[row["storage"]]]


def misfit_of(row: Row, simulation: Simulation, rng: np.random.Generator) -> SimulationMisfit:
    observed = matrix.shaken(simulation.run(), rng)
    return SimulationMisfit(simulation, observed, matrix.relative_l2, plan_of(row, simulation))


@CASES
def test_gradient(number, record_property):
    rng = np.random.default_rng(number)
    misfit = misfit_of(ROWS[number], simulation_of(number), rng)
    found = certify_gradient([misfit], rng)
    record_property("certificate", str(found))
    assert found.dot_product_defect <= 1e-12
    for test in found.taylor:
        assert test.decades >= 3.0 - 1e-9, test.slopes
    assert set(found.entries) == set(SETS[ROWS[number]["dim"]][ROWS[number]["parameters"]].names)
    assert max(found.entries.values()) <= 1e-6, found.entries
    assert found.passed


@CASES
def test_the_adjoint_run_is_the_transpose_of_the_map_from_sources_to_records(number, record_property):
    rng = np.random.default_rng(number)
    exact = simulation_of(number)
    sizes = 1.0 / matrix.field_sizes(exact)
    x, y = rng.standard_normal((len(exact.sources), exact.n_steps)), rng.standard_normal(sizes.size)
    for precision, bound in (("float64", 1e-12), ("float32", 1e-5)):
        simulation = matrix.make_simulation(ROWS[number], precision, exact.time_axis)
        forward, adjoint, _ = matrix.source_maps(simulation)
        defect = dot_product_defect(
            lambda s, f=forward: sizes * f(s), lambda r, a=adjoint: a(sizes * r), x, y
        )
        record_property(precision, float(defect))
        assert defect <= bound, precision


@CASES
def test_float32_gradients_follow_float64(number, record_property):
    rng = np.random.default_rng(number)
    exact = simulation_of(number)
    misfit = misfit_of(ROWS[number], exact, rng)
    _, samples = misfit._compare(exact.run(plan_of(ROWS[number], exact)))
    single = matrix.make_simulation(ROWS[number], "float32", exact.time_axis)
    single.run(plan_of(ROWS[number], single))
    expected, found = (run.derivative(samples) for run in (exact, single))
    for name, values in expected.items():
        if np.any(values):
            record_property(name, float(relative(found[name], values)))
            assert relative(found[name], values) <= 1e-4, name
        else:
            assert not np.any(found[name]), name


# -- what the matrix holds ---------------------------------------------------------------------


CONSTRAINED = ("medium", "parameters", "source", "mesh", "boundary")


def test_every_combination_occurs():
    for names in matrix.GROUPS:
        there = {tuple(row[name] for name in names) for row in ROWS}
        free = [name for name in FACTORS if name not in names and name in CONSTRAINED]
        for levels in itertools.product(*(FACTORS[name] for name in names)):
            row = {**{name: FACTORS[name][0] for name in FACTORS}, **dict(zip(names, levels, strict=True))}
            possible = any(
                matrix.allowed({**row, **dict(zip(free, others, strict=True))})
                for others in itertools.product(*(FACTORS[name] for name in free))
            )
            assert possible == (levels in there), (names, levels)


def test_covering_arrays_are_small():
    # 9 rows hold all pairs of four factors of three levels; the greedy way needs a few more.
    factors = dict.fromkeys("abcd", (0, 1, 2))
    rows = covering_array(factors, pairs(factors), lambda row: True, np.random.default_rng(0))
    assert 9 <= len(rows) <= 14
    allowed = covering_array(
        factors, pairs(factors), lambda row: row["a"] != row["b"], np.random.default_rng(0)
    )
    assert all(row["a"] != row["b"] for row in allowed)
    assert {(row["a"], row["b"]) for row in allowed} == set(itertools.permutations((0, 1, 2), 2))


def test_every_field_and_every_parameter_set_is_checked():
    fields = {name for row in ROWS for name in matrix.make_simulation(row)._receivers.fields}
    assert fields == set(FIELDS)
    assert {row["parameters"] for row in ROWS} == set(range(len(SETS[2])))


def test_interfaces_meet_every_boundary():
    for boundary in ("dirichlet", "impedance", "sponge"):
        row = {**row_with(medium="coupled", boundary=boundary), "mesh": "perturbed"}
        core = matrix.make_simulation(row)._core
        for kind in {type(condition): condition for condition in matrix.conditions(row)}.values():
            media = [set(core.part_of_element[core.mesh.side_sets[s][:, 0]]) for s in kind.side_sets]
            assert {0, 1} in media or kind.side_sets in (("y1",), ("z1",)), (row, kind)


# -- that the checks see what they should ------------------------------------------------------


@pytest.mark.parametrize("part", ["stress receivers", "moment tensors in fluids"])
def test_the_medium_at_sources_and_receivers_counts(part, monkeypatch):
    """The medium enters stress records, and the force of a moment in a fluid, without any wave."""
    if part == "stress receivers":
        row = {**row_with(medium="solid", dim=2), "receivers": 4, "boundary": "natural"}
        what = (Receivers, "stress_derivative")
    else:
        row = {**row_with(medium="fluid", dim=3), "source": "fluid moment", "boundary": "natural"}
        what = (Sources, "medium_derivative")
    rng = np.random.default_rng(1)
    misfit = misfit_of(row, matrix.make_simulation(row), rng)
    right = certify_gradient([misfit], rng)
    assert right.passed, str(right)
    original = getattr(*what)
    monkeypatch.setattr(*what, lambda self, *arguments: _zero(original(self, *arguments)))
    wrong = certify_gradient([misfit], np.random.default_rng(1))
    assert not wrong.passed
    assert wrong.dot_product_defect > 1e-6
    assert max(test.decades for test in wrong.taylor) < 3.0


def _zero(values):
    return [np.zeros_like(v) for v in values] if isinstance(values, list) else np.zeros_like(values)


def test_directions_stay_in_the_medium():
    for row in ROWS:
        simulation = matrix.make_simulation(row)
        misfit = SimulationMisfit(simulation, simulation.run())
        fluid = matrix.fluid_elements(simulation.mesh)
        found = SETS[row["dim"]][row["parameters"]]
        for name, scale in misfit.scale.items():
            if name in found.solid_only:
                assert not np.any(scale[fluid]), name
            assert np.all(scale[~fluid] != 0.0), name

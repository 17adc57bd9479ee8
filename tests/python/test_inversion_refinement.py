"""Iterates are those of a continuous problem: a finer mesh leaves them to the error of discretisation."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from inversions import NAME, configuration, make_project
from wavetree.mesh.evaluation import evaluate

ITERATIONS = 3


def test_refining_the_mesh_leaves_the_iterates(tmp_path: Path, record_property: Callable[..., None]) -> None:
    p = make_project(tmp_path / "p", precision="float64")
    p += replace(
        p.entities.get("simulation_configuration", "initial"), name="fine", elements_per_wavelength=4.0
    )
    p += configuration("fine", prior_model="fine")
    x = np.linspace(-0.09, 0.09, 25)
    places = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
    found = {}
    for name in (NAME, "fine"):
        assert p.inversions.run(name, ITERATIONS) == ITERATIONS
        tree = p.inversions.tree(name).iterations
        trials = [trial for iteration in tree for trial in iteration.trials]
        steps = [(t.norm_update, t.radius, t.predicted_reduction, t.actual_reduction) for t in trials]
        model = p.inversions.get_model(name, ITERATIONS, absolute=False)
        change = evaluate(model, {k: model.element_nodal_fields[k] for k in ("VP", "RHO")}, places)
        found[name] = (model.nelem, np.array(steps), change)
    (coarse, steps, change), (fine, finer_steps, finer_change) = found[NAME], found["fine"]
    assert fine >= 3 * coarse
    np.testing.assert_allclose(steps, finer_steps, rtol=0.02)
    for key in ("VP", "RHO"):
        error = np.abs(change[key] - finer_change[key]).max() / np.abs(finer_change[key]).max()
        record_property(key, float(error))
        assert error < 0.03
    p.close()

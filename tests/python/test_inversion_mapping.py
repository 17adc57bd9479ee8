"""Inversions through regions, cut-outs, bounds, ties and a coarser mesh."""

from pathlib import Path

import numpy as np
import pytest

from inversions import NAME, configuration, make_project
from wavetree.mapping import Mapping
from wavetree.mesh import Mesh, box_mesh
from wavetree.project.project import Project
from wavetree.smoothing import ConstantSmoothing
from wavetree.survey.event import Event
from wavetree.survey.receiver.cartesian import SideSetPoint2D
from wavetree.survey.source.cartesian import ScalarPoint2D

LIMITS = (1440.0, 1510.0)


def mapping() -> Mapping:
    return Mapping(
        "absolute",
        inversion_parameters=["VP"],
        source_cutout_radius_in_meters=0.03,
        receiver_cutout_radius_in_meters=0.02,
        bounds={"VP": LIMITS},
        tied_parameters={"RHO": "gardner"},
        inversion_mesh=box_mesh(((-0.12, 0.12), (-0.12, 0.12)), (9, 9), shape_order=1),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after two iterations, closed."""
    path = tmp_path_factory.mktemp("mapping") / "project"
    p = make_project(path, mapping=mapping(), preconditioner=ConstantSmoothing({"VP": 0.02}))
    assert p.inversions.run(NAME, 2) == 2
    p.close()
    return path


def test_misfit_falls_and_the_model_is_what_the_mapping_says(folder: Path) -> None:
    p = Project(folder)
    first, last = (p.inversions.get_iteration(NAME, k) for k in (0, 2))
    assert last.misfit is not None and first.misfit is not None
    assert last.misfit < 0.7 * first.misfit
    model, prior = (p.inversions.get_model(NAME, k).element_nodal_fields for k in (2, 0))
    vp, rho = model["VP"], model["RHO"]
    assert np.abs(vp - prior["VP"]).max() > 5.0
    assert vp.min() > LIMITS[0] and vp.max() < LIMITS[1]
    assert np.abs(rho - (prior["RHO"] + 310.0 * (vp**0.25 - prior["VP"] ** 0.25))).max() < 1e-9
    gradient = p.inversions.get_gradient(NAME, 1, preconditioned=True)
    assert gradient.nelem == 81 and "VP" in gradient.element_nodal_fields
    p.close()


def test_the_inversion_goes_on_in_another_process_s_project(folder: Path) -> None:
    p = Project(folder)
    stored = p.entities.get("inverse_problem_configuration", NAME)
    assert stored.mapping == mapping() and isinstance(stored.mapping.inversion_mesh, Mesh)
    assert p.inversions.run(NAME, 1) == 1
    p.close()


def test_places_on_side_sets_are_cut_out_too(tmp_path: Path) -> None:
    configured = Mapping(
        "absolute", inversion_parameters=["VP", "RHO"],
        source_cutout_radius_in_meters=0.03, receiver_cutout_radius_in_meters=0.03,
    )  # fmt: skip
    p, name = make_project(tmp_path / "project"), "side"
    receiver = SideSetPoint2D((0.0, 0.0), direction="y", side_set_name="y1", station_code="A", fields=["phi"])
    p += Event([ScalarPoint2D(x=0.0, y=0.0, f=1.0)], receivers=[receiver], event_name=name)
    p += configuration(name, mapping=configured, events=[name])
    assert p.inversions.run(name, 1) == 1
    model = p.inversions.get_model(name, 1, absolute=False)
    nodes, change = model.get_element_nodes(), np.abs(model.element_nodal_fields["VP"])
    assert change.max() > 1.0
    for place in ((0.0, 0.0), (0.0, 0.1)):
        distance = np.linalg.norm(nodes - place, axis=2)
        assert distance.min() < 1e-12 and not change[distance < 1e-12].any()
        assert change[(distance > 0.03) & (distance < 0.05)].max() > 1.0
    p.close()

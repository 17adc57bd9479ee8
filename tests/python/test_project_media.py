"""Projects of fluid over solid, in two and three dimensions: checks, misfits, gradients, inversions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from media_projects import configuration, misfit, rock, seabed, station
from wavetree.inversion import InverseProblemConfiguration
from wavetree.mapping import Mapping
from wavetree.mesh import Mesh
from wavetree.model.background.homogeneous import IsotropicElastic
from wavetree.model.parameters import SETS
from wavetree.optimize import TrustRegion
from wavetree.project.project import Project
from wavetree.simulation.configuration import (
    EventConfiguration,
    ModelConfiguration,
    UnstructuredMeshSimulationConfiguration,
    WavefieldCompression,
    WaveformSimulationConfiguration,
)
from wavetree.smoothing import ConstantSmoothing, smooth_model
from wavetree.survey.event import Event
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.source.cartesian import MomentTensorPoint2D, ScalarPoint2D, ScalarPoint3D, VectorPoint2D
from wavetree.survey.stf import Ricker

IN_WATER, IN_ROCK = ScalarPoint2D(x=0.3, y=0.2, f=1.0), VectorPoint2D(x=0.3, y=-0.2, fx=0.0, fy=1.0)
SHEAR = MomentTensorPoint2D(x=0.3, y=0.2, mxx=0.0, myy=0.0, mxy=1.0)

BAD = {
    "scalar in rock": (ScalarPoint2D(x=0.3, y=-0.2, f=1.0), station(0.2, "phi"), "scalar source .* a solid"),
    "force in water": (
        VectorPoint2D(x=0.3, y=0.2, fx=0.0, fy=1.0), station(0.2, "phi"), "vector source .* in a fluid",
    ),
    "shear in water": (SHEAR, station(0.2, "phi"), "moment tensor .* in a fluid, which bears no shear"),
    "pressure in rock": (IN_WATER, station(-0.2, "pressure"), "'XX.A.' records 'pressure' .* in a solid"),
    "velocity in water": (IN_WATER, station(0.2, "phi", "velocity"), "records 'velocity' .* in a fluid"),
}  # fmt: skip


@pytest.fixture(params=BAD.values(), ids=BAD)
def bad(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Project, str]:
    """A project in which the second event is of no such medium, and what is said of it."""
    source, receiver, text = request.param
    p = seabed(tmp_path / "p")
    p += Event(sources=[IN_WATER], receivers=[station(0.2, "phi")], event_name="good")
    p += Event(sources=[source], receivers=[receiver], event_name="bad")
    p += configuration("true", 1550.0)
    p += misfit(receiver.fields[0])
    p += InverseProblemConfiguration(
        "i", prior_model="s", events=["bad"], misfit_configuration=f"L2 of {receiver.fields[0]}",
        mapping=Mapping("absolute", inversion_parameters=["VS"]),
    )  # fmt: skip
    return p, rf"event 'bad': .*{text}"


def test_what_a_medium_does_not_have_is_refused_before_anything_runs(bad):
    p, text = bad
    name = p.entities.list("misfit_configuration")[0]
    inversion = p.actions.inversion
    calls = {
        "launch": lambda: p.simulations.launch("s"),
        "misfits": lambda: inversion.compute_misfits("s", name, "bad"),
        "misfits, not waited for": lambda: inversion.compute_misfits("s", name, "bad", block=False),
        "gradients": lambda: inversion.compute_gradients("s", name, "bad"),
        "sum": lambda: inversion.sum_gradients("s", name, "bad"),
        "iteration": lambda: p.inversions.add_iteration("i"),
    }
    for call in calls.values():
        with pytest.raises(ValueError, match=text):
            call()
    assert not (p.path / "results").exists() or not any((p.path / "results").iterdir())
    assert p.store.list_launched_simulations() == [] and p.store.list_iterations("i") == []
    p.simulations.launch("s", "good")
    assert p.simulations.query(block=True)


def test_bad_observed_simulations_are_refused_before_anything_runs(tmp_path):
    """The simulation is of rock, where there is pressure neither in it nor in its observed data."""
    p = seabed(tmp_path / "p")
    p += Event(sources=[IN_WATER], receivers=[station(0.2, "pressure")], event_name="e")
    rock = ModelConfiguration(IsotropicElastic(vp=3000.0, vs=1700.0, rho=2200.0))
    p += configuration("true", model_configuration=rock)
    p += misfit("pressure")
    with pytest.raises(ValueError, match="event 'e': the scalar source .* lies in a solid"):
        p.actions.inversion.compute_misfits("s", "L2 of pressure")
    assert p.store.list_launched_simulations() == []


def test_a_misfit_of_a_field_that_nobody_records_is_refused_when_the_iteration_is_added(tmp_path):
    p = seabed(tmp_path / "p")
    p += Event(sources=[IN_WATER], receivers=[station(0.2, "phi")], event_name="e")
    p += misfit("pressure", "s")
    p += InverseProblemConfiguration(
        "i", prior_model="s", misfit_configuration="L2 of pressure",
        mapping=Mapping("absolute", inversion_parameters=["VP"]),
    )  # fmt: skip
    with pytest.raises(ValueError, match="unknown receiver_field of misfit 'L2 of pressure' in e 'pressure'"):
        p.inversions.add_iteration("i")


def test_on_the_interface_both_media_are_there(tmp_path):
    """Sources of both kinds and receivers of fields of both at a sea floor whose elements are found first."""
    p = seabed(tmp_path / "p")
    fields = ("pressure", "velocity", "stress")
    for name, source in {
        "scalar": ScalarPoint2D(x=0.3, y=0.0, f=1e6),
        "force": VectorPoint2D(x=0.3, y=0.0, fx=0.0, fy=1.0),
        "shear": replace(SHEAR, y=0.0),
    }.items():
        p += Event(sources=[source], receivers=[station(0.0, *fields)], event_name=name)
    p.simulations.launch("s")
    assert p.simulations.query(block=True)
    for data in p.waveforms.get("s"):
        assert [data.data[field].shape[1] for field in fields] == [1, 2, 3]
        assert all(np.abs(data.data[field]).max() > 0.0 for field in fields)


@pytest.mark.parametrize("dim", [2, 3])
def test_misfits_and_gradients_of_every_field(tmp_path, dim):
    """One project, all fields; gradients have the parameters of the model and sum over events."""
    p = seabed(tmp_path / "p", dim)
    middle = {"y": 0.5} if dim == 3 else {}
    vertical = "yz"[dim - 2]
    make, point = (ScalarPoint2D, Point2D) if dim == 2 else (ScalarPoint3D, Point3D)
    water, rock = ("phi", "phi_t", "pressure", "gradient-of-phi"), ("displacement", "velocity", "strain")
    rock += ("stress", "gradient-of-displacement", "acceleration")
    receivers = [
        point(**middle, x=0.7, **{vertical: height}, station_code=f"{height}"[-1] + fields[0], fields=fields)
        for height, fields in ((0.2, water), (-0.2, rock))
    ]
    for k, x in enumerate((0.3, 0.4)):
        source = make(**middle, x=x, **{vertical: 0.2}, f=1.0)
        p += Event(sources=[source], receivers=receivers, event_name=f"e{k}")
    p += configuration("true", 1600.0)
    inversion, every = p.actions.inversion, WavefieldCompression(1)
    for field in ("pressure", "velocity", "stress") if dim == 3 else water + rock:
        p += misfit(field)
        name = f"L2 of {field}"
        misfits = inversion.compute_misfits("s", name)
        assert set(misfits) == {"e0", "e1"} and all(value > 0.0 for value in misfits.values())
        gradients = inversion.compute_gradients("s", name, wavefield_compression=every)
        total = inversion.sum_gradients("s", name)
        for parameter in ("VP", "VS", "RHO"):
            parts = [gradient.element_nodal_fields[parameter] for gradient in gradients.values()]
            found = total.element_nodal_fields[parameter]
            assert np.abs(found).max() > 0.0, (field, parameter)
            np.testing.assert_allclose(found, parts[0] + parts[1], atol=1e-12 * np.abs(found).max())
        fluid = (p.simulations.get_mesh("s").element_nodal_fields["VS"] == 0.0).all(axis=1)
        inner = total.get_element_centroid()[:, -1] > 0.25  # of the fluid, without the sea floor
        assert fluid[inner].all() and not total.element_nodal_fields["VS"][inner].any()


def converted(mesh: Mesh, names: tuple[str, ...]) -> Mesh:
    """The same medium in the parameters of another set."""
    before, after = (next(s for s in SETS[2] if s.names == n) for n in (("VP", "VS", "RHO"), names))
    result = Mesh(mesh.points, mesh.connectivity, mesh.shape_order, dict(mesh.side_sets))
    for name, values in before.convert(dict(mesh.element_nodal_fields), after).items():
        result.attach_field(name, values)
    return result


@pytest.mark.parametrize(
    "names", [("VP", "VS", "RHO"), ("KAPPA", "MU", "RHO"), ("C11", "C12", "C13", "C22", "C23", "C33", "RHO")]
)
def test_gradients_are_derivatives_of_misfits(tmp_path, names):
    """(χ(m + h q) − χ(m − h q)) / 2h = Σ FemMassMatrix/Valence · g · q with q continuous, in the solid."""
    p = seabed(tmp_path / "p")
    receivers = [station(0.2, "phi"), station(-0.3, "velocity", code="B")]
    p += Event(sources=[IN_WATER], receivers=receivers, event_name="e")
    longer = EventConfiguration(
        Ricker(2000.0), waveform_simulation_configuration=WaveformSimulationConfiguration(5e-4)
    )
    p += configuration("true", 1600.0, event_configuration=longer)
    p += misfit("velocity")
    mesh = converted(p.simulations.get_mesh("s"), names)
    change = changes(mesh, names)
    step = 0.7 * p.simulations.setup("s").time_axis.dt
    span = WaveformSimulationConfiguration(4e-4, precision="float64", time_step_in_seconds=step)
    misfits = {}
    for h in (0.0, 1e-4, -1e-4):
        changed = mesh.copy()
        for name in names:
            changed.attach_field(name, mesh.element_nodal_fields[name] + h * change[name])
        p += UnstructuredMeshSimulationConfiguration(
            f"at {h}", unstructured_mesh=changed, tensor_order=3,
            event_configuration=EventConfiguration(Ricker(2000.0), waveform_simulation_configuration=span),
        )  # fmt: skip
        misfits[h] = p.actions.inversion.compute_misfits(f"at {h}", "L2 of velocity")["e"]
    gradient = p.actions.inversion.compute_gradients(
        "at 0.0", "L2 of velocity", wavefield_compression=WavefieldCompression(1)
    )["e"].element_nodal_fields
    weights = gradient["FemMassMatrix"] / gradient["Valence"]
    slope = sum(float(np.sum(weights * gradient[name] * change[name])) for name in names)
    assert abs(slope) > 1e-2 * misfits[0.0]
    assert (misfits[1e-4] - misfits[-1e-4]) / 2e-4 == pytest.approx(slope, rel=1e-6)


def changes(mesh: Mesh, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Continuous changes of the solid that vanish at the interface, so that the fluid stays one."""
    x, y = np.moveaxis(mesh.get_element_nodes(), -1, 0)
    wave = np.where(mesh.get_element_centroid()[:, 1:] < 0.0, np.sin(np.pi * y), 0.0)
    sizes = {name: float(mesh.element_nodal_fields[name].max()) for name in names}
    return {name: sizes[name] * np.cos(3.0 * x + k) * wave for k, name in enumerate(names)}


def test_an_elastic_inversion_for_both_velocities(tmp_path):
    """Two iterations bring the misfit below a half, and both velocities up where the lens is."""
    p = rock(tmp_path / "p")
    p += InverseProblemConfiguration(
        "i", prior_model="initial", misfit_configuration="L2 of velocity",
        mapping=Mapping("absolute", inversion_parameters=["VP", "VS"]),
        preconditioner=ConstantSmoothing({"VP": 0.1, "VS": 0.06}),
        method=TrustRegion(initial_trust_region_linf={"VP": 60.0, "VS": 40.0}),
    )  # fmt: skip
    for _ in range(2):
        assert p.inversions.iterate("i", timeout_in_seconds=120)
    misfits = [one.misfit for one in p.inversions.tree("i").iterations]
    assert misfits[0] > misfits[1] > misfits[2] and misfits[2] < 0.5 * misfits[0]
    model = p.inversions.get_model("i", 2)
    prior = p.simulations.get_mesh("initial")
    assert set(model.element_nodal_fields) == {"VP", "VS", "RHO"}
    np.testing.assert_array_equal(model.element_nodal_fields["RHO"], prior.element_nodal_fields["RHO"])
    x, y = np.moveaxis(model.get_element_nodes(), -1, 0)
    distance = np.hypot(x - 0.5, y)
    wanted = np.exp(-((distance / 0.15) ** 2))
    for name, correlation in (("VP", 0.4), ("VS", 0.7)):  # of half the wavelength, VS is seen better
        found = model.element_nodal_fields[name] - prior.element_nodal_fields[name]
        assert np.corrcoef(found[distance < 0.3], wanted[distance < 0.3])[0, 1] > correlation
    assert found[distance < 0.1].mean() > 20.0


def test_models_and_gradients_of_a_project_are_smoothed(tmp_path):
    """As `wavetree.smoothing.smooth_model` does it; its tests say what comes out."""
    p = seabed(tmp_path / "p")
    smoothing = ConstantSmoothing({"VP": 0.1, "VS": 0.1})
    found = p.actions.inversion.smooth_model("s", smoothing)
    assert found.digest() == smooth_model(p.simulations.get_mesh("s"), smoothing).digest()
    assert (
        p.actions.inversion.smooth_model(found, smoothing).digest() == smooth_model(found, smoothing).digest()
    )
    with pytest.raises(ValueError, match="unknown field in smoothing_lengths_in_meters 'ETA'"):
        p.actions.inversion.smooth_model("s", ConstantSmoothing({"ETA": 0.1}))

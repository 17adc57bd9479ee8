from typing import Any

import numpy as np
import pytest

from mappings import BOTH, prior, random_parameters
from wavetree.mapping import BoundMapping, Mapping
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.medium import medium, split
from wavetree.simulation.simulation import Simulation
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.source.cartesian import ScalarPoint2D
from wavetree.survey.stf import Ricker

SCALINGS = ["absolute", "relative_deviation_from_prior", "logarithmic"]


def bound(scaling: str, seed: int = 1, parameters: list[str] = BOTH) -> BoundMapping:
    return Mapping(scaling, inversion_parameters=parameters).bind(prior(np.random.default_rng(seed)))


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("parameters", [BOTH, ["RHO"], ["RHO", "VP"]])
def test_adjoint_is_the_transpose_of_the_tangent(scaling: str, parameters: list[str]) -> None:
    generator = np.random.default_rng(2)
    mapping = bound(scaling, parameters=parameters)
    p = random_parameters(mapping, generator)
    change = generator.standard_normal(mapping.size)
    raw = {name: generator.standard_normal((12, 25)) for name in BOTH}
    tangent = mapping.tangent(p, change)
    assert list(tangent) == parameters
    left = sum(float(np.sum(tangent[name] * raw[name])) for name in parameters)
    right = float(mapping.adjoint(p, raw) @ change)
    size = sum(float(np.linalg.norm(t)) for t in tangent.values()) * float(np.linalg.norm(list(raw.values())))
    assert abs(left - right) <= 1e-14 * size


@pytest.mark.parametrize("scaling", SCALINGS)
def test_tangent_is_the_derivative_of_forward(scaling: str) -> None:
    generator = np.random.default_rng(3)
    mapping = bound(scaling)
    p = random_parameters(mapping, generator)
    change = generator.standard_normal(mapping.size) * (1.0 if mapping.prior.any() else 1e-3)
    tangent = mapping.tangent(p, change)
    base = mapping.forward(p)
    remainders = []
    for step in (1e-1, 1e-2, 1e-3):
        moved = mapping.forward(p + step * change)
        remainders.append(max(np.abs(moved[k] - base[k] - step * tangent[k]).max() for k in BOTH))
    if scaling == "logarithmic":
        slopes = np.diff(np.log10(remainders)) / -1.0
        assert np.abs(slopes - 2.0).max() < 0.02
    else:
        assert max(remainders) < 1e-9, "the map is affine"


@pytest.mark.parametrize("scaling", SCALINGS)
def test_jumps_of_the_prior_survive(scaling: str) -> None:
    mapping = bound(scaling)
    mesh = prior(np.random.default_rng(1))
    dofs = mesh.dof_map(4)
    at_prior = mapping.forward(mapping.prior)
    for name in BOTH:
        assert np.array_equal(at_prior[name], mesh.element_nodal_fields[name])
    p = random_parameters(mapping, np.random.default_rng(4))
    for name, material in mapping.forward(p).items():
        before = mesh.element_nodal_fields[name]
        jump = np.abs(before - dofs.gather(dofs.assemble(before) / dofs.valence)).max()
        assert jump > 30.0
        update = {
            "absolute": material - before,
            "relative_deviation_from_prior": material / before - 1.0,
            "logarithmic": np.log(material / before),
        }[scaling]
        wanted = dofs.gather(mapping.unpack(p - mapping.prior)[name])
        assert np.abs(update - wanted).max() <= 1e-12 * max(1.0, np.abs(before).max())


def test_parameters_that_are_not_inverted_stay() -> None:
    mapping = bound("absolute", parameters=["VP"])
    p = random_parameters(mapping, np.random.default_rng(5))
    mesh = prior(np.random.default_rng(1))
    material = mapping.forward(p)
    assert np.array_equal(material["RHO"], mesh.element_nodal_fields["RHO"])
    assert not np.array_equal(material["VP"], mesh.element_nodal_fields["VP"])
    assert mapping.size == mesh.dof_map(4).n_dofs and mapping.blocks == {"VP": slice(0, mapping.size)}


def test_prior_is_the_mass_weighted_average() -> None:
    mapping, mesh = bound("absolute"), prior(np.random.default_rng(1))
    weights = mesh.mass_weights(4)
    for name, nodal in mapping.unpack(mapping.prior).items():
        integral = float(np.sum(weights * mesh.element_nodal_fields[name]))
        assert np.sum(mapping.mass * nodal) == pytest.approx(integral, rel=1e-13)
    changes = mapping.default_changes()
    assert changes["VP"] == pytest.approx(15.0, rel=0.05) and changes["RHO"] == pytest.approx(10.0, rel=0.05)
    assert bound("logarithmic").default_changes() == {"VP": 0.01, "RHO": 0.01}
    assert not bound("relative_deviation_from_prior").prior.any()


def test_pack_and_unpack_are_inverse() -> None:
    mapping = bound("absolute", parameters=["RHO", "VP"])
    flat = np.arange(float(mapping.size))
    assert np.array_equal(mapping.pack(mapping.unpack(flat)), flat)
    assert list(mapping.blocks) == ["RHO", "VP"] and mapping.unpack(flat)["RHO"][0] == 0.0
    with pytest.raises(ValueError, match=r"has shape \(3,\); expected \(\d+,\): the nodal values of RHO, VP"):
        mapping.unpack(np.zeros(3))


def test_models_that_cannot_be_simulated_are_refused_in_words() -> None:
    mapping = bound("absolute")
    assert mapping.refusal(mapping.forward(mapping.prior)) is None
    p = mapping.prior.copy()
    p[mapping.blocks["RHO"].start] = -5000.0
    reason = mapping.refusal(mapping.forward(p))
    assert reason is not None and reason.startswith("RHO would be -") and "kg/m^3 at (0, 0) m" in reason
    assert "not positive at 1 of 300 nodes" in reason
    p[0] = np.nan
    assert "VP would be nan" in str(mapping.refusal(mapping.forward(p)))
    logarithmic = bound("logarithmic")
    huge = logarithmic.forward(np.full(logarithmic.size, 800.0))
    assert "VP would be inf" in str(logarithmic.refusal(huge))


def seabed() -> Mesh:
    """Fluid elements above solid ones, both with jumps."""
    mesh = prior(np.random.default_rng(1))
    mesh.attach_field("VP", 2.0 * mesh.element_nodal_fields["VP"])
    shear = np.full((12, 25), 1400.0)
    shear[8:] = 0.0
    mesh.attach_field("VS", shear)
    return mesh


@pytest.mark.parametrize("scaling", SCALINGS)
def test_fluids_stay_fluid(scaling: str) -> None:
    """VS changes at the nodes that a fluid element shares with a solid one, but not in the fluid."""
    mapping = Mapping(scaling, inversion_parameters=["VS", "VP"]).bind(seabed())
    generator = np.random.default_rng(8)
    p = random_parameters(mapping, generator)
    material = mapping.forward(p)
    assert not material["VS"][8:].any() and (material["VS"][:8] != 1400.0).all()
    assert (material["VP"] != seabed().element_nodal_fields["VP"]).all()
    assert mapping.refusal(material) is None
    assert [part.physics for part in split(medium(mapping.mesh(material), 4))] == ["acoustic", "elastic"]
    change = generator.standard_normal(mapping.size)
    raw = {name: generator.standard_normal((12, 25)) for name in ("VP", "VS", "RHO")}
    tangent = mapping.tangent(p, change)
    assert not tangent["VS"][8:].any()
    left = sum(float(np.sum(tangent[name] * raw[name])) for name in ("VS", "VP"))
    right = float(mapping.adjoint(p, raw) @ change)
    size = sum(float(np.linalg.norm(t)) for t in tangent.values()) * float(np.linalg.norm(list(raw.values())))
    assert abs(left - right) <= 1e-14 * size


def test_what_is_of_solids_alone_is_measured_in_solids() -> None:
    """VS is 1400 m/s in 8 elements and 0 in 4: 1 % is 14 m/s, as if there were solids alone."""
    mapping = Mapping("absolute", inversion_parameters=["VS", "VP"]).bind(seabed())
    changes = mapping.default_changes()
    assert changes["VS"] == pytest.approx(14.0, rel=1e-12)
    weights = seabed().mass_weights(4)
    mean = np.sum(weights * seabed().element_nodal_fields["VP"]) / np.sum(weights)
    assert changes["VP"] == pytest.approx(0.01 * mean, rel=1e-12)


def test_parameters_that_enter_nowhere_are_refused() -> None:
    water = seabed()
    water.attach_field("VS", np.zeros((12, 25)))
    with pytest.raises(
        ValueError, match="inversion_parameters names 'VS', but the prior is fluid throughout"
    ):
        Mapping("absolute", inversion_parameters=["VP", "VS"]).bind(water)
    Mapping("absolute", inversion_parameters=["VP"]).bind(water)


def test_solids_that_are_none_are_refused_in_words() -> None:
    mapping = Mapping("absolute", inversion_parameters=["VS"]).bind(seabed())
    p = mapping.prior.copy()
    p[0] += 1500.0
    reason = str(mapping.refusal(mapping.forward(p)))
    assert (
        reason.startswith("VP, VS would be ")
        and "m/s, 2900 m/s at (0, 0) m and not VS^2 < 3/4 VP^2" in reason
    )
    p[0] -= 3000.0
    assert "VS would be -100 m/s at (0, 0) m and negative at 1 of 300 nodes" in str(
        mapping.refusal(mapping.forward(p))
    )


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="scaling='linear' is not valid: expected 'absolute'"):
        Mapping("linear", inversion_parameters=BOTH)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="inversion_parameters is empty; expected parameters of the prior"):
        Mapping("absolute", inversion_parameters=[])
    with pytest.raises(ValueError, match="unknown inversion parameter 'VX'; did you mean 'VS'"):
        Mapping("absolute", inversion_parameters=["VX"])
    with pytest.raises(ValueError, match="inversion_parameters names 'VP' more than once"):
        Mapping("absolute", inversion_parameters=["VP", "VP"])
    bare = box_mesh(((0.0, 1.0), (0.0, 1.0)), (2, 2), shape_order=1)
    with pytest.raises(ValueError, match="the prior has no element-nodal field 'VP', only"):
        Mapping("absolute", inversion_parameters=BOTH).bind(bare)
    with pytest.raises(
        ValueError, match=r"names 'MU', but the prior is given as VP \[m/s\] and RHO .*; expected"
    ):
        Mapping("absolute", inversion_parameters=["MU"]).bind(prior(np.random.default_rng(1)))


def test_mesh_carries_the_material_and_nothing_else_changes() -> None:
    mapping, mesh = bound("absolute"), prior(np.random.default_rng(1))
    p = random_parameters(mapping, np.random.default_rng(6))
    made = mapping.mesh(mapping.forward(p))
    assert np.array_equal(made.element_nodal_fields["VP"], mapping.forward(p)["VP"])
    assert list(made.side_sets) == list(mesh.side_sets) and np.array_equal(made.points, mesh.points)
    assert mapping.mesh(mapping.forward(mapping.prior)).digest() == mesh.digest()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_taylor_remainder_through_the_simulation(scaling: str) -> None:
    """χ(p + h q) − χ(p) − h χ'(p) q falls like h² along a random direction."""
    generator = np.random.default_rng(7)
    mapping = bound(scaling)
    receivers = [Point2D(x=0.8, y=0.1 * k, station_code=f"{k}", fields=["phi"]) for k in range(1, 5)]
    source = ScalarPoint2D(x=0.2, y=0.3, f=1.0, source_time_function=Ricker(3000.0))
    waveforms = WaveformSimulationConfiguration(8e-4, precision="float64")
    first = Simulation(mapping.mesh(mapping.forward(mapping.prior)), [source], receivers, waveforms)
    axis = type(first.time_axis)(first.time_axis.start, 0.8 * first.time_axis.dt, first.time_axis.n_steps)

    def simulation(p: np.ndarray) -> Simulation:
        mesh = mapping.mesh(mapping.forward(p))
        return Simulation(mesh, [source], receivers, waveforms, time_axis=axis)

    observed = simulation(mapping.prior).run().data["phi"]

    def misfit(u: Any) -> float:
        return float(0.5 * axis.dt * np.sum((u - observed) ** 2))

    p = random_parameters(mapping, generator)
    here = simulation(p)
    u = here.run(storage=1).data["phi"]
    derivative = mapping.adjoint(p, here.derivative({"phi": u - observed}))
    direction = generator.standard_normal(mapping.size) * (30.0 if mapping.prior.any() else 0.02)
    slope, steps = float(derivative @ direction), 10.0 ** -np.arange(1.5, 5.0)
    rest = [
        abs(misfit(simulation(p + h * direction).run().data["phi"]) - misfit(u) - h * slope) for h in steps
    ]
    slopes = -np.diff(np.log10(rest))
    assert np.abs(slopes - 2.0).max() < 0.02, slopes
    assert abs(slope) > 1e-3 * np.linalg.norm(derivative) * np.linalg.norm(direction) / np.sqrt(mapping.size)

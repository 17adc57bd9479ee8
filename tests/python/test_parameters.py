"""Parameter sets: the coefficients of the core, chain rule, conversions, what is no medium, look-up."""

from __future__ import annotations

import numpy as np
import pytest

from wavetree.model import voigt
from wavetree.model.parameter_set import ParameterSet
from wavetree.model.parameters import PARAMETERS, SETS, UNITS, find_set, with_units

SHAPE = (4, 3)
ALL = [found for dim in (2, 3) for found in SETS[dim]]
SOLIDS = [found for found in ALL if found.physics != "acoustic"]
ANISOTROPIC = [found for found in ALL if found.physics == "anisotropic"]


def by_name(dim: int, *names: str) -> ParameterSet:
    return next(found for found in SETS[dim] if set(names) <= set(found.names))


def label(found: ParameterSet) -> str:
    return f"{found.dim}D-{found.names[0]}"


def solid_velocities(generator: np.random.Generator, shape: tuple[int, ...] = SHAPE) -> dict[str, np.ndarray]:
    return {
        "VP": generator.uniform(2500.0, 4000.0, shape),
        "VS": generator.uniform(1200.0, 1800.0, shape),
        "RHO": generator.uniform(1500.0, 3000.0, shape),
    }


def values_of(found: ParameterSet, physics: str, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Random values that are a fluid ("acoustic"), an isotropic or an anisotropic and turned solid."""
    velocities = solid_velocities(generator)
    if physics == "acoustic":
        velocities["VS"][:] = 0.0
    values = by_name(found.dim, "VP", "VS").convert(velocities, found)
    if physics == "anisotropic":
        for name in found.names:
            size = 3e8 if name.startswith("C") else 0.02 * values[name]
            values[name] = values[name] + size * generator.uniform(-1.0, 1.0, SHAPE)
        for name in found.orientation:
            values[name] = generator.uniform(-2.0, 2.0, SHAPE)
    assert found.first_fault(values) is None
    return values


def cases() -> list:
    return [
        pytest.param(found, physics, id=f"{label(found)}-{physics}")
        for found in ALL
        for physics in dict.fromkeys(("acoustic", found.physics))
    ]


# -- coefficients --------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3])
def test_coefficients_of_isotropic_sets_by_hand(dim: int) -> None:
    vp, vs, rho = 3000.0, 1500.0, 2000.0
    mu, bulk = rho * vs**2, rho * vp**2
    lam = bulk - 2 * mu
    given = {
        "VP": vp,
        "VS": vs,
        "RHO": rho,
        "LAMBDA": lam,
        "MU": mu,
        "KAPPA": lam + 2 * mu / 3,
        "M0": 1 / bulk,
        "M1": 1 / rho,
    }
    values = {name: np.array([value]) for name, value in given.items()}
    for names in (("VP", "VS"), ("LAMBDA", "MU"), ("KAPPA", "MU")):
        found = by_name(dim, *names)
        assert found.physics == "elastic"
        np.testing.assert_allclose(found.to_core(values)[:, 0], [rho, lam, mu], rtol=1e-14)
    for names in (("VP", "RHO"), ("M0", "M1")):
        found = by_name(dim, *names)
        assert found.physics == "acoustic"
        np.testing.assert_allclose(found.to_core(values)[:, 0], [1 / (rho * vp**2), 1 / rho], rtol=1e-14)


def test_hexagonal_tensor_of_a_published_medium() -> None:
    """Axis up, c11 and c33 across and along it: rho 2500, c11 31.5, c33 22.5, c13 9, c55 6.25 GPa."""
    rho, c11, c33, c13, c55 = 2500.0, 31.5e9, 22.5e9, 9.0e9, 6.25e9
    names = ("VPV", "VPH", "VSV", "VSH", "ETA", "RHO")
    speeds = [np.sqrt(c / rho) for c in (c33, c11, c55, 1.2 * c55)]
    values = {k: np.array(v) for k, v in zip(names, [*speeds, c13 / (c11 - 2 * c55), rho], strict=True)}
    flat = by_name(2, "VPV").to_core(values)
    np.testing.assert_allclose(flat, [rho, c11, c13, 0, c33, 0, c55], rtol=1e-14)
    core = by_name(3, "VPV").to_core(values)
    expected = np.zeros((6, 6))
    expected[:3, :3] = [[c11, c11 - 2.4 * c55, c13], [c11 - 2.4 * c55, c11, c13], [c13, c13, c33]]
    expected[3:, 3:] = np.diag([c55, c55, 1.2 * c55])
    np.testing.assert_allclose(voigt.to_matrix(core[1:], 3), expected, rtol=1e-14)
    # A quarter turn exchanges the axes in 2-D; a turn about the axis itself changes nothing in 3-D.
    quarter = {**values, "ORIENTATION": np.array(np.pi / 2)}
    np.testing.assert_allclose(
        by_name(2, "VPV").to_core(quarter), [rho, c33, c13, 0, c11, 0, c55], rtol=1e-14, atol=1e-5
    )
    turned = {"ORIENTATION_X": 0.0, "ORIENTATION_Y": 0.0, "ORIENTATION_Z": 0.7}
    spun = values | {name: np.array(angle) for name, angle in turned.items()}
    np.testing.assert_allclose(by_name(3, "VPV").to_core(spun), core, rtol=1e-14, atol=1e-5)
    # About x by a quarter, the axis z goes to -y.
    laid = values | {k: np.array(np.pi / 2 if k == "ORIENTATION_X" else 0.0) for k in turned}
    matrix = voigt.to_matrix(by_name(3, "VPV").to_core(laid)[1:], 3)
    np.testing.assert_allclose(np.diag(matrix), [c11, c33, c11, c55, 1.2 * c55, c55], rtol=1e-14)


def test_isotropic_media_are_the_same_in_every_set() -> None:
    generator = np.random.default_rng(0)
    for dim in (2, 3):
        velocities = solid_velocities(generator)
        start = by_name(dim, "VP", "VS")
        rho, lam, mu = start.to_core(velocities)
        for found in SETS[dim]:
            if found.physics == "elastic":
                core = found.to_core(start.convert(velocities, found))
                np.testing.assert_allclose(core, [rho, lam, mu], rtol=1e-13)
            elif found.physics == "anisotropic":
                core = found.to_core(start.convert(velocities, found))
                np.testing.assert_allclose(core[0], rho, rtol=1e-14)
                expected = voigt.isotropic_entries(lam, mu, dim)
                np.testing.assert_allclose(core[1:], expected, rtol=1e-13, atol=1e-3)


# -- chain rule ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "physics"), cases())
def test_jacobians_by_complex_step(found: ParameterSet, physics: str) -> None:
    """Entry by entry: Im to_core(m + i h e)/h has no rounding of differences."""
    generator = np.random.default_rng(7)
    values = values_of(found, physics, generator)
    core = found.to_core(values, physics)
    by_core = generator.standard_normal(core.shape) / np.abs(core).max(axis=(1, 2), keepdims=True)
    derivative = found.chain(values, by_core, physics)
    assert list(derivative) == list(found.names)
    for name in found.names:
        size = np.abs(values[name]).max() or 1000.0
        moved = {**values, name: values[name] + 1e-30j * size}
        expected = np.sum(by_core * found.to_core(moved, physics).imag, axis=0) / (1e-30 * size)
        assert derivative[name].shape == SHAPE
        scale = np.abs(expected).max() + 1e-3 / size
        assert np.abs(derivative[name] - expected).max() <= 1e-13 * scale, name


@pytest.mark.parametrize(("found", "physics"), cases())
def test_parameters_that_do_not_enter_have_no_derivative(found: ParameterSet, physics: str) -> None:
    generator = np.random.default_rng(8)
    values = values_of(found, physics, generator)
    derivative = found.chain(values, generator.standard_normal(found.to_core(values, physics).shape), physics)
    absent = {name for name, d in derivative.items() if not d.any()}
    expected = set(found.solid_only) if physics == "acoustic" else set()
    if found.names[0] == "VPV" and found.dim == 2 and physics != "acoustic":
        expected = {"VSH"}  # plane strain
    assert absent == expected
    assert set(found.shear) <= set(found.solid_only)


# -- conversions ---------------------------------------------------------------------------------


def pairs(sets: list[ParameterSet]) -> list:
    return [pytest.param(a, b, id=f"{label(a)}-{label(b)}") for a in sets for b in sets if a.dim == b.dim]


@pytest.mark.parametrize(("found", "to"), pairs(ALL))
def test_fluids_there_and_back(found: ParameterSet, to: ParameterSet) -> None:
    values = values_of(found, "acoustic", np.random.default_rng(3))
    there = found.convert(values, to)
    assert to.first_fault(there) is None and set(there) == set(to.names)
    np.testing.assert_allclose(to.to_core(there, "acoustic"), found.to_core(values, "acoustic"), rtol=1e-14)
    for name, value in to.convert(there, found).items():
        np.testing.assert_allclose(value, values[name], rtol=1e-14, err_msg=name)


@pytest.mark.parametrize(("found", "to"), pairs([found for found in ALL if found.physics == "elastic"]))
def test_isotropic_solids_there_and_back(found: ParameterSet, to: ParameterSet) -> None:
    values = values_of(found, "elastic", np.random.default_rng(3))
    there = found.convert(values, to)
    assert to.first_fault(there) is None and set(there) == set(to.names)
    np.testing.assert_allclose(to.to_core(there), found.to_core(values), rtol=1e-13)
    for name, value in to.convert(there, found).items():
        np.testing.assert_allclose(value, values[name], rtol=1e-13, err_msg=name)


@pytest.mark.parametrize("dim", [2, 3])
def test_a_tensor_takes_up_the_orientation(dim: int) -> None:
    hexagonal, tensor = SETS[dim][-2], SETS[dim][-1]
    values = values_of(hexagonal, "anisotropic", np.random.default_rng(4))
    components = hexagonal.convert(values, tensor)
    assert set(components) == set(tensor.names)
    np.testing.assert_array_equal(tensor.to_core(components), hexagonal.to_core(values))
    # Turned back, it is the tensor in the medium's own axes.
    opposite = {name: -values[name] for name in hexagonal.orientation}
    own = hexagonal.to_core({name: values[name] for name in hexagonal.names})
    back = tensor.to_core({**components, **opposite})
    np.testing.assert_allclose(back, own, rtol=1e-12, atol=1e-13 * own.max())


@pytest.mark.parametrize("dim", [2, 3])
def test_fluid_and_solid_points_are_converted_side_by_side(dim: int) -> None:
    velocities = solid_velocities(np.random.default_rng(5))
    velocities["VS"][0] = 0.0
    start = by_name(dim, "VP", "VS")
    for found in SETS[dim][2:]:
        values = start.convert(velocities, found)
        expected = np.zeros(SHAPE, dtype=bool)
        expected[0] = True
        np.testing.assert_array_equal(found.is_fluid(values), expected)
        fluid = found.to_core({name: v[0] for name, v in values.items()}, "acoustic")
        np.testing.assert_allclose(fluid[0], 1 / (velocities["RHO"] * velocities["VP"] ** 2)[0], rtol=1e-13)


def test_what_cannot_be_converted() -> None:
    generator = np.random.default_rng(6)
    solid = solid_velocities(generator)
    with pytest.raises(ValueError, match="elastic media cannot be given as VP, RHO; expected a set that has"):
        by_name(2, "VP", "VS").convert(solid, by_name(2, "VP", "RHO"))
    hexagonal = SETS[3][-2]
    values = values_of(hexagonal, "anisotropic", generator)
    with pytest.raises(ValueError, match="anisotropic media cannot be given as KAPPA, MU, RHO"):
        hexagonal.convert(values, by_name(3, "KAPPA"))
    components = hexagonal.convert(values, SETS[3][-1])
    with pytest.raises(ValueError, match="anisotropic media cannot be given as VPV, VPH, VSV, VSH, ETA, RHO"):
        SETS[3][-1].convert(components, hexagonal)


# -- slowest wave --------------------------------------------------------------------------------


def slowest_by_christoffel(core: np.ndarray, dim: int, directions: np.ndarray) -> float:
    """Smallest phase velocity of one medium (n_coefficients,) over directions (n, dim)."""
    matrix = voigt.to_matrix(core[1:], dim)
    index = np.zeros((dim, dim), dtype=int)
    for k, (i, j) in enumerate(voigt.PAIRS[dim]):
        index[i, j] = index[j, i] = k
    tensor = matrix[index[:, :, None, None], index[None, None]]
    christoffel = np.einsum("ijkl,nj,nl->nik", tensor, directions, directions) / core[0]
    return float(np.sqrt(np.linalg.eigvalsh(christoffel).min()))


@pytest.mark.parametrize("found", ANISOTROPIC, ids=label)
def test_no_wave_is_slower_than_the_slowest(found: ParameterSet) -> None:
    generator = np.random.default_rng(9)
    directions = generator.standard_normal((2000, found.dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for physics in ("elastic", "anisotropic"):
        values = values_of(found, physics, generator)
        bound, core = found.slowest_velocity(values), found.to_core(values)
        for place in np.ndindex(*SHAPE):
            slowest = slowest_by_christoffel(core[(slice(None), *place)], found.dim, directions)
            assert bound[place] <= slowest * (1 + 1e-12)
            assert bound[place] >= (1 - 1e-12 if physics == "elastic" else 0.6) * slowest


def test_slowest_wave_of_isotropic_media_is_exact() -> None:
    velocities = solid_velocities(np.random.default_rng(10))
    velocities["VS"][1] = 0.0
    expected = np.where(velocities["VS"] > 0, velocities["VS"], velocities["VP"])
    start = by_name(3, "VP", "VS")
    np.testing.assert_array_equal(start.slowest_velocity(velocities), expected)
    for found in SETS[3][3:]:
        slowest = found.slowest_velocity(start.convert(velocities, found))
        np.testing.assert_allclose(slowest, expected, rtol=1e-12)
    fluid = by_name(2, "M0")
    values = {"M0": np.array([1 / (1000.0 * 1500.0**2)]), "M1": np.array([1e-3])}
    np.testing.assert_allclose(fluid.slowest_velocity(values), [1500.0], rtol=1e-14)


# -- what is no medium -----------------------------------------------------------------------------


def changed(found: ParameterSet, **changes: float) -> dict[str, np.ndarray]:
    """One isotropic solid, VP 3000 m/s, VS 1500 m/s, RHO 2000 kg/m^3, at 5 points; the third is changed."""
    solid = {k: np.full(5, v) for k, v in {"VP": 3000.0, "VS": 1500.0, "RHO": 2000.0}.items()}
    values = by_name(found.dim, "VP", "VS").convert(solid, found)
    for name, value in changes.items():
        values.setdefault(name, np.zeros(5))[2] = value
    return values


@pytest.mark.parametrize(
    ("names", "changes", "fault_names", "problem"),
    [
        (("VP", "VS"), {"VP": -1.0}, ("VP",), "not positive"),
        (("VP", "VS"), {"RHO": 0.0}, ("RHO",), "not positive"),
        (("VP", "VS"), {"VS": np.nan}, ("VS",), "not finite"),
        (("VP", "VS"), {"VS": -1.0}, ("VS",), "negative"),
        (("VP", "VS"), {"VS": 3000.0 * np.sqrt(0.75)}, ("VP", "VS"), "not VS^2 < 3/4 VP^2"),
        (("LAMBDA", "MU"), {"MU": -1.0}, ("MU",), "negative"),
        (("LAMBDA", "MU"), {"LAMBDA": -3.0001e9}, ("LAMBDA", "MU"), "not LAMBDA + 2/3 MU > 0"),
        (("KAPPA", "MU"), {"KAPPA": 0.0}, ("KAPPA",), "not positive"),
        (("VPV",), {"VSV": -1.0}, ("VSV",), "negative"),
        (("VPV",), {"VSV": 0.0, "VSH": 0.0, "VPH": 3300.0}, ("VPV", "VPH"), "different in a fluid"),
        (
            ("VPV",),
            {"ETA": 2.1},
            ("VPV", "VPH", "VSV", "VSH", "ETA", "RHO"),
            "without a positive definite stiffness tensor",
        ),
        (("C11",), {"C12": 1.9e10}, None, "without a positive definite tensor"),
        (("C11",), {"C12": np.inf}, ("C12",), "not finite"),
    ],
)
@pytest.mark.parametrize("dim", [2, 3])
def test_faults(
    dim: int, names: tuple[str, ...], changes: dict, fault_names: tuple[str, ...] | None, problem: str
) -> None:
    found = by_name(dim, *names)
    assert found.first_fault(changed(found)) is None
    fault = found.first_fault(changed(found, **changes))
    assert fault is not None
    assert fault.problem == problem
    assert fault.names == (fault_names or voigt.component_names(dim))
    assert fault.bad.tolist() == [False, False, True, False, False]


def test_moduli_at_the_limit() -> None:
    """LAMBDA just above −2/3 MU is a medium; a tensor is one up to its smallest eigenvalue."""
    lame = by_name(2, "LAMBDA")
    assert lame.first_fault(changed(lame, LAMBDA=-2.999e9, MU=4.5e9)) is None
    for dim, least in ((2, -4.5e9), (3, -3.0e9)):  # LAMBDA + MU > 0 and LAMBDA + 2/3 MU > 0
        tensor = SETS[dim][-1]
        for lam, works in ((least + 1e6, True), (least - 1e6, False)):
            entries = voigt.isotropic_entries(np.array([lam]), np.array([4.5e9]), dim)
            values = dict(zip(tensor.names, (*entries, np.array([2000.0])), strict=True))
            assert (tensor.first_fault(values) is None) == works


@pytest.mark.parametrize("dim", [2, 3])
def test_turning_does_not_change_what_is_a_medium(dim: int) -> None:
    tensor = SETS[dim][-1]
    for seed, shift in ((0, 0.0), (1, 2e10)):
        values = values_of(tensor, "anisotropic", np.random.default_rng(seed))
        values["C12"] = values["C12"] + shift
        turned = {name: -2.0 * values[name] for name in tensor.orientation}
        core = tensor.to_core({**values, **turned})
        again = {**dict(zip(tensor.components, core[1:], strict=True)), "RHO": core[0]}
        assert (tensor.first_fault(values) is None) == (tensor.first_fault(again) is None) == (shift == 0.0)


def test_fluids_of_general_sets() -> None:
    hexagonal, tensor = SETS[2][-2], SETS[2][-1]
    values = changed(hexagonal, VSV=0.0, VSH=0.0, ETA=3.0)
    assert hexagonal.first_fault(values) is None, "ETA does not enter in fluids"
    # Up to 1 % apart, the geometric mean counts.
    values = changed(hexagonal, VSV=0.0, VSH=0.0, VPV=3000.0, VPH=3020.0)
    assert hexagonal.first_fault(values) is None
    bulk = 1.0 / hexagonal.to_core(values, "acoustic")[0, 2]
    assert bulk == pytest.approx(2000.0 * 3000.0 * 3020.0, rel=1e-14)
    solid = {name: v[:1] for name, v in changed(tensor).items()}
    water = {**solid, **{name: np.zeros(1) for name in tensor.shear}}
    assert tensor.shear == ("C13", "C23", "C33")
    fault = tensor.first_fault(water)
    assert fault is not None and fault.problem == "not one positive number in a fluid"
    water |= {name: np.full(1, 2.25e9) for name in ("C11", "C12", "C22")}
    assert tensor.first_fault(water) is None and tensor.is_fluid(water).all()
    assert 1.0 / tensor.to_core(water, "acoustic")[0, 0] == pytest.approx(2.25e9, rel=1e-14)


# -- look-up ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", ALL, ids=label)
def test_every_set_is_found_by_its_names(found: ParameterSet) -> None:
    assert find_set(reversed(found.names), found.dim) == found
    assert find_set([*found.names, *found.orientation, "FemMassMatrix"], found.dim) == found
    assert set(found.names) <= set(PARAMETERS) <= set(UNITS)
    assert UNITS["VP"] == "m/s" and UNITS["C16"] == "Pa" and "ORIENTATION_X" not in PARAMETERS


@pytest.mark.parametrize(
    ("names", "dim", "message"),
    [
        ("", 2, r"the mesh has no field 'VP', only \[\]; expected VP \[m/s\] and RHO \[kg/m\^3\]"),
        ("VP", 2, r"no field 'RHO', only \['VP'\]; expected VP \[m/s\] and RHO .* nearest: add RHO\."),
        ("VP VS", 2, r"no field 'RHO', .*expected VP \[m/s\], VS \[m/s\] and RHO"),
        (
            "MU RHO KAPPAA",
            3,
            r"no field 'LAMBDA', only \['KAPPAA', 'MU', 'RHO'\]; expected LAMBDA \[Pa\], MU",
        ),
        ("VPV VPH VSV VSH RHO", 3, r"no field 'ETA', .*VSH \[m/s\], ETA and RHO .*add ETA\."),
        ("C11 C12 C22 RHO", 2, r"no field 'C13', .*: add C13, C23, C33\."),
        ("C11 C12 C13 C22 C23 C33 RHO", 3, r"no field 'C14', .*: add C14, C15"),
        ("VP RHO M0 M1", 2, r"'M0' stands beside VP .* and RHO .*could be VP .* or M0 .*: remove M0, M1\."),
        ("VP VS RHO LAMBDA MU", 2, r"'LAMBDA' stands beside VP .* remove LAMBDA, MU\."),
        ("VP RHO ETA", 3, r"'ETA' stands beside .*one 3-D parameter set; expected .*: remove ETA\."),
        ("C11 C12 C13 C22 C23 C33 C44 RHO", 2, r"'C44' stands beside C11 .*one 2-D parameter set"),
        ("VPV VPH VSV VSH ETA RHO ORIENTATION", 3, r"unknown orientation 'ORIENTATION'; did you mean"),
        ("VPV VPH VSV VSH ETA RHO ORIENTATION_X ORIENTATION_Z", 3, r"no field 'ORIENTATION_Y', only"),
    ],
)
def test_names_that_make_no_set(names: str, dim: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_set(names.split(), dim)


def test_names_with_units() -> None:
    assert with_units(["ETA"]) == "ETA"
    assert with_units(["VP", "RHO"], str.lower) == "vp [m/s] and rho [kg/m^3]"

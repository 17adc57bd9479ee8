"""The derivatives by the sources are those of the computed misfit, to rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest

from meshes import sinusoidal
from simulations import receivers, relative, source, with_medium
from wavetree.config import configuration
from wavetree.mesh import Mesh, box_mesh
from wavetree.mesh.interpolation import gll_points, lagrange_derivative_matrix
from wavetree.simulation.boundary import Absorbing, BoundaryCondition
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.dispersion import extended_length, filter_source, filter_source_transpose
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.source_derivative import SourceDerivative
from wavetree.simulation.wavefield import extra_steps, smooth_adjoint_sources
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.source import cartesian
from wavetree.survey.source.source import PointSource
from wavetree.survey.stf import Ricker, SourceTimeFunction
from wavetree.testing import central_difference_errors, dot_product_defect, taylor_slopes

ORDER, FREQUENCY = 4, 2000.0
STEPS = 10.0 ** -np.arange(2.0, 5.01, 0.5)  # three decades
MEDIA = ("fluid", "solid", "coupled")
AROUND = (Absorbing(["x0", "x1", "y0"]),)


@configuration
class Samples(SourceTimeFunction):
    """A source time function that is a vector of samples, whatever the times."""

    values: tuple[float, ...] = ()

    def evaluate(self, times: np.ndarray) -> np.ndarray:
        assert len(times) == len(self.values)
        return np.array(self.values)

    def default_start_time(self) -> float:
        return 0.0

    def maximum_frequency(self) -> None:
        return None

    def _plot_end(self) -> float:
        return 1.0


def mesh_of(medium: str, dim: int) -> Mesh:
    """Curved elements with a medium that changes everywhere and jumps between elements; solid on top."""
    counts = (3, 2) if dim == 2 else (2, 2, 2)
    mesh = box_mesh(((0.0, 1.0),) * dim, counts, shape_order=2, deformation=sinusoidal)
    rng = np.random.default_rng(dim)
    order = ORDER if dim == 2 else 3
    above = mesh.node_coordinates(order)[:, :, 1].mean(axis=1) > 0.5
    solid = {"fluid": above & False, "solid": above | True, "coupled": above}[medium]
    values = {"VP": 1500.0, "RHO": 1000.0} | ({} if medium == "fluid" else {"VS": 800.0 * solid[:, None]})
    for name, value in values.items():
        noise = 1.0 + 0.05 * rng.uniform(-1.0, 1.0, (mesh.nelem, (order + 1) ** dim))
        mesh.attach_field(name, value * noise)
    return mesh


def sources_of(medium: str, dim: int) -> list[PointSource]:
    """One source of every kind, each with its own wavelet, inside elements and not at a node."""
    fluid, solid = (0.21, 0.27, 0.31)[:dim], (0.77, 0.72, 0.68)[:dim]
    kinds = {
        "fluid": ["ScalarPoint", "ScalarGradientPoint", "MomentTensorPoint"],
        "solid": ["VectorPoint", "MomentTensorPoint"],
    }
    result = []
    for part, place in (("fluid", fluid), ("solid", solid)):
        for kind in kinds[part] if medium in (part, "coupled") else []:
            cls = getattr(cartesian, f"{kind}{dim}D")
            names = [name for name in cls.__dataclass_fields__ if name[0] in "fm"]
            weights = [1.0, -0.6, 0.4, 0.7, -0.3, 0.5][: len(names)]
            if part == "fluid" and kind == "MomentTensorPoint":
                weights = [1.0 if name[1] == name[2] else 0.0 for name in names]
            wavelet = Ricker(FREQUENCY * (1 + 0.1 * len(result)), time_shift_in_seconds=1e-5 * len(result))
            amplitudes = {n: AMPLITUDE[kind] * w for n, w in zip(names, weights, strict=True)}
            shifted = np.array(place) + 0.02 * len(result)
            axes = dict(zip("xyz", map(float, shifted), strict=False))
            result.append(cls(**axes, **amplitudes, source_time_function=wavelet))
    return result


# Of fields of about the same size.
AMPLITUDE = {
    "ScalarPoint": 1e-3,
    "ScalarGradientPoint": 3e-4,
    "MomentTensorPoint": 1e6,
    "VectorPoint": 1e6,
}


class SourceMisfit:
    """The misfit of a set-up as a function p of its sources.

    p holds per source the changes of its place in 0.1 m, of its amplitudes in shares of the largest, and of
    the time of its wavelet in tenths of a period.
    """

    def __init__(self, medium: str, dim: int, filtered: bool, **options: object) -> None:
        self.medium, self.dim = medium, dim
        self.mesh, self.sources = mesh_of(medium, dim), sources_of(medium, dim)
        self.options = {"precision": "float64", **options}
        self.conditions: Iterable[BoundaryCondition] = AROUND
        self.filtered = filtered

    @cached_property
    def simulation(self) -> Simulation:
        return self.with_sources(self.sources)

    def with_sources(self, sources: list[PointSource], axis: object = None) -> Simulation:
        span = WaveformSimulationConfiguration(
            end_time_in_seconds=1e-3, temporal_dispersion_correction=self.filtered, **self.options
        )
        return Simulation(self.mesh, sources, self.receivers(), span, self.conditions, time_axis=axis)

    def receivers(self) -> list:
        cls, result = {2: Point2D, 3: Point3D}[self.dim], []
        for place, medium, fields in (
            ((0.6, 0.2, 0.7), "fluid", ["phi", "phi_t"]),
            ((0.3, 0.8, 0.2), "solid", ["displacement", "velocity"]),
        ):
            if self.medium in (medium, "coupled"):
                axes = dict(zip("xyz", place[: self.dim], strict=False))
                result.append(cls(**axes, station_code=medium, fields=fields))
        return result

    @cached_property
    def observed(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(8)
        records = self.simulation.run().data
        return {k: u * (1.0 + 0.3 * rng.standard_normal(u.shape)) for k, u in records.items()}

    @property
    def unit(self) -> list[np.ndarray]:
        """What an entry of p stands for, by source."""
        units = []
        for s in self.sources:
            largest = np.abs(s.amplitudes).max()
            n = len(s.amplitude_names)
            units.append(np.concatenate([[0.1] * self.dim, [largest] * n, [0.1 / FREQUENCY]]))
        return units

    @property
    def size(self) -> int:
        return sum(map(len, self.unit))

    @cached_property
    def kinds(self) -> np.ndarray:
        """What the entries of p are; "tied": amplitudes of a moment tensor in a fluid, it stays isotropic."""
        kinds = []
        for s in self.sources:
            tied = s.spatial_type == "moment_tensor" and s.location[1] < 0.5 and self.medium != "solid"
            kinds += ["location"] * self.dim + ["tied" if tied else "amplitude"] * len(s.amplitude_names)
            kinds.append("time")
        return np.array(kinds)

    def direction(self, kind: str, rng: np.random.Generator) -> np.ndarray:
        direction = np.where(self.kinds == kind, rng.standard_normal(self.size), 0.0)
        if kind == "amplitude":
            tied = np.flatnonzero(self.kinds == "tied")
            direction[tied[: self.dim]] = 0.7
        return direction

    def changed(self, p: np.ndarray) -> list[PointSource]:
        result, begin = [], 0
        for s, unit in zip(self.sources, self.unit, strict=True):
            change, begin = unit * p[begin : begin + len(unit)], begin + len(unit)
            names = [*"xyz"[: self.dim], *s.amplitude_names]
            new = {name: getattr(s, name) + d for name, d in zip(names, change, strict=False)}
            stf = s.source_time_function
            shift = (stf.time_shift_in_seconds or 0.0) + change[-1]
            stf = Ricker(stf.center_frequency, time_shift_in_seconds=shift)
            result.append(replace(s, **new, source_time_function=stf))
        return result

    def residuals(self, records: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {k: (u - self.observed[k]) / np.abs(self.observed[k]).max() ** 2 for k, u in records.items()}

    def __call__(self, p: np.ndarray) -> float:
        axis = self.simulation.time_axis
        records = self.with_sources(self.changed(p), axis).run().data
        weighted = self.residuals(records)
        return 0.5 * axis.dt * sum(np.vdot(weighted[k], u - self.observed[k]) for k, u in records.items())

    def derivatives(self) -> list[SourceDerivative]:
        observed = self.observed  # its run comes first
        assert observed
        return self.simulation.adjoint(self.residuals(self.simulation.run(1).data)).sources

    def gradient(self) -> np.ndarray:
        result = []
        for s, unit, d in zip(self.sources, self.unit, self.derivatives(), strict=True):
            stf, step = s.source_time_function, 1e-3 / FREQUENCY / 100
            shift = stf.time_shift_in_seconds
            late, early = (
                Ricker(stf.center_frequency, time_shift_in_seconds=shift + h) for h in (step, -step)
            )
            slope = (late.evaluate(d.times) - early.evaluate(d.times)) / (2 * step)
            assert list(d.by_amplitude) == list(s.amplitude_names)
            by_time = d.by_source_time_function @ slope
            result.append(unit * np.array([*d.by_location, *d.by_amplitude.values(), by_time]))
        return np.concatenate(result)


CASES = [
    pytest.param(medium, dim, filtered, id=f"{medium}-{dim}D-{'filtered' if filtered else 'plain'}")
    for medium in MEDIA
    for dim in (2, 3)
    for filtered in (True, False)
]


@pytest.mark.parametrize(("medium", "dim", "filtered"), CASES)
def test_taylor(medium, dim, filtered):
    misfit = SourceMisfit(medium, dim, filtered)
    gradient, here = misfit.gradient(), np.zeros(misfit.size)
    rng = np.random.default_rng(4)
    for kind in ("location", "amplitude", "time"):
        direction = misfit.direction(kind, rng)
        at = [s.location for s in misfit.changed(STEPS[0] * direction)]
        elements = misfit.mesh.locate(np.array([[s.location for s in misfit.sources], at]).reshape(-1, dim))[
            0
        ]
        np.testing.assert_array_equal(*elements.reshape(2, -1))
        slopes = taylor_slopes(misfit, gradient, here, direction, STEPS)
        np.testing.assert_allclose(slopes, 2.0, atol=0.02, err_msg=kind)
    free = misfit.kinds != "tied"

    def function(p: np.ndarray) -> float:
        full = np.zeros(misfit.size)
        full[free] = p
        return misfit(full)

    errors = central_difference_errors(function, gradient[free], here[free], rng, count=100)
    assert errors.max() < 1e-6


# -- linear in the amplitudes and in the samples -----------------------------------------------


def flat(records: dict[str, np.ndarray], scales: dict[str, float]) -> np.ndarray:
    return np.concatenate([(records[name] / scale).ravel() for name, scale in scales.items()])


def by_field(values: np.ndarray, records: dict[str, np.ndarray], scales: dict[str, float]) -> dict:
    """The transpose of `flat`."""
    parts = np.split(values, np.cumsum([u.size for u in records.values()])[:-1])
    return {
        name: part.reshape(u.shape) / scales[name]
        for (name, u), part in zip(records.items(), parts, strict=True)
    }


def linear_maps(misfit: SourceMisfit, sources_with: Callable, flattened: Callable) -> tuple:
    """Records as a function of what they are linear in, its transpose, and the number of records."""
    axis = misfit.simulation.time_axis
    records = misfit.simulation.run(1).data
    scales = {name: float(np.abs(u).max()) for name, u in records.items()}

    def forward(x: np.ndarray) -> np.ndarray:
        return flat(misfit.with_sources(sources_with(x), axis).run().data, scales)

    def adjoint(y: np.ndarray) -> np.ndarray:
        result = misfit.simulation.adjoint(by_field(y / axis.dt, records, scales))
        return flattened(result.sources)

    return forward, adjoint, sum(u.size for u in records.values())


@pytest.mark.parametrize(("medium", "dim", "filtered"), CASES)
def test_records_are_linear_in_the_amplitudes(medium, dim, filtered):
    misfit, rng = SourceMisfit(medium, dim, filtered), np.random.default_rng(2)
    amplitude = np.isin(misfit.kinds, ("amplitude", "tied"))
    unit = np.concatenate(misfit.unit)[amplitude]
    base = np.concatenate([[getattr(s, name) for name in s.amplitude_names] for s in misfit.sources]) / unit

    def sources_with(x: np.ndarray) -> list[PointSource]:
        p = np.zeros(misfit.size)
        p[amplitude] = x - base
        return misfit.changed(p)

    def flattened(sources: list[SourceDerivative]) -> np.ndarray:
        return unit * np.concatenate([list(d.by_amplitude.values()) for d in sources])

    forward, adjoint, n = linear_maps(misfit, sources_with, flattened)
    x = misfit.direction("amplitude", rng)[amplitude]
    assert dot_product_defect(forward, adjoint, x, rng.standard_normal(n)) < 1e-12


@pytest.mark.parametrize(("medium", "dim", "filtered"), CASES)
def test_records_are_linear_in_the_samples_of_the_source_time_functions(medium, dim, filtered):
    misfit, rng = SourceMisfit(medium, dim, filtered), np.random.default_rng(3)
    misfit.simulation.run(1)
    (times, *_) = {len(d.times): d.times for d in misfit.derivatives()}.values()
    np.testing.assert_allclose(
        times[: misfit.simulation.time_axis.n_samples], misfit.simulation.time_axis.times
    )
    shape = (len(misfit.sources), len(times))

    def sources_with(x: np.ndarray) -> list[PointSource]:
        stfs = [Samples(values=tuple(row)) for row in x.reshape(shape)]
        return [replace(s, source_time_function=f) for s, f in zip(misfit.sources, stfs, strict=True)]

    def flattened(sources: list[SourceDerivative]) -> np.ndarray:
        return np.concatenate([d.by_source_time_function for d in sources])

    forward, adjoint, n = linear_maps(misfit, sources_with, flattened)
    x, y = rng.standard_normal(shape).ravel(), rng.standard_normal(n)
    assert dot_product_defect(forward, adjoint, x, y) < 1e-12
    beyond = adjoint(y).reshape(shape)[:, misfit.simulation.n_steps :]
    assert beyond.any() == filtered


@pytest.mark.parametrize(("n", "n_extended"), [(1, 1), (2, 9), (33, 33), (200, extended_length(200))])
def test_the_filter_of_sources_has_its_transpose(n, n_extended):
    rng = np.random.default_rng(5)
    defect = dot_product_defect(
        lambda x: filter_source(x, n),
        lambda y: filter_source_transpose(y, n_extended),
        rng.standard_normal(n_extended),
        rng.standard_normal(n),
    )
    assert defect < 1e-13


@pytest.mark.parametrize(
    ("samples", "n_extended"), [(np.zeros(4), 3), (np.zeros((2, 2)), 9), (np.zeros(0), 9)]
)
def test_the_transpose_of_the_filter_refuses_what_it_cannot_have_made(samples, n_extended):
    with pytest.raises(ValueError, match=f"n_extended={n_extended}; give a vector"):
        filter_source_transpose(samples, n_extended)


# -- places ------------------------------------------------------------------------------------


def box_simulation(sources: list, **options: object) -> Simulation:
    """Noisy fluid in 4 by 4 elements of the unit square."""
    mesh = with_medium(box_mesh(((0.0, 1.0),) * 2, (4, 4), shape_order=1), 4, np.random.default_rng(1))
    axis = options.pop("time_axis", None)
    span = WaveformSimulationConfiguration(
        end_time_in_seconds=1e-3,
        **{"precision": "float64", "temporal_dispersion_correction": False, **options},
    )
    return Simulation(mesh, sources, receivers((0.7, 0.6), (0.3, 0.8)), span, AROUND, time_axis=axis)


def test_a_source_on_a_side_set_has_the_derivatives_of_the_place_that_it_has():
    wavelet = Ricker(FREQUENCY)
    moved = cartesian.SideSetScalarPoint2D(
        point=(0.3, 0.5), direction="y", side_set_name="y1", offset=-0.1, f=1.0, source_time_function=wavelet
    )
    plain = cartesian.ScalarPoint2D(x=0.3, y=0.9, f=1.0, source_time_function=wavelet)
    found = []
    for one in (moved, plain):
        simulation = box_simulation([one])
        (derivative,) = simulation.adjoint(simulation.run(1).data).sources
        found.append(derivative)
    assert found[0].by_location.any() and found[0].by_location.shape == (2,)
    np.testing.assert_allclose(found[0].by_location, found[1].by_location, rtol=1e-9)
    assert found[0].by_amplitude["f"] == pytest.approx(found[1].by_amplitude["f"], rel=1e-9)


def test_on_a_face_the_derivative_by_the_place_is_that_of_one_side():
    h = 1e-6
    at_face = box_simulation([source(0.25, 0.4)])
    records = at_face.run(1).data
    axis, scale = at_face.time_axis, np.abs(records["phi"]).max()
    weights = {"phi": np.random.default_rng(6).standard_normal(records["phi"].shape) / scale}
    by_x = at_face.adjoint(weights).sources[0].by_location[0]

    def linear(x: float) -> float:
        values = box_simulation([source(x, 0.4)], time_axis=axis).run().data["phi"]
        return axis.dt * float(np.vdot(weights["phi"], values))

    left, right = (linear(0.25) - linear(0.25 - h)) / h, (linear(0.25 + h) - linear(0.25)) / h
    assert abs(left - right) > 1e-3 * abs(by_x)
    assert min(abs(left - by_x), abs(right - by_x)) < 1e-4 * abs(left - right)


# -- precision and storage ---------------------------------------------------------------------


def test_float32_follows_float64():
    found = []
    for precision in ("float32", "float64"):
        simulation = box_simulation([source()], precision=precision)
        found.append(simulation.adjoint(simulation.run(1).data).sources[0])
    for name in ("by_location", "by_source_time_function"):
        assert relative(getattr(found[0], name), getattr(found[1], name)) < 1e-4
    assert found[0].by_amplitude["f"] == pytest.approx(found[1].by_amplitude["f"], rel=1e-4)


def test_a_subsampled_wavefield_smooths_the_derivatives():
    """What the wavelet has above 0.38 of the stored rate is lost; 1e-3 is the smoothing's own error."""
    simulation = box_simulation([source()], time_step_in_seconds=5e-6)
    adjoint_sources = simulation.run(1).data
    full = simulation.adjoint(adjoint_sources).sources[0]
    frequencies = np.linspace(0.0, 6 * FREQUENCY, 20001)
    power = ((frequencies / FREQUENCY) ** 2 * np.exp(-((frequencies / FREQUENCY) ** 2))) ** 2
    errors = {}
    for interval in (2, 5, 10, 30):
        simulation.run(interval)
        found = simulation.adjoint(adjoint_sources).sources[0]
        smoothed = smooth_adjoint_sources(full.by_source_time_function[None], interval)[0]
        inside = slice(extra_steps(interval), simulation.n_steps)
        assert relative(found.by_source_time_function[inside], smoothed[inside]) < 1e-10
        errors[interval] = relative(found.by_location, full.by_location)
        lost = np.sqrt(power[frequencies > 0.38 / (interval * 5e-6)].sum() / power.sum())
        assert errors[interval] < 2e-3 + lost, errors
        amplitude = full.by_amplitude["f"]
        assert found.by_amplitude["f"] == pytest.approx(amplitude, rel=2e-3 + lost)
    assert errors[2] < 2e-3 < errors[30]


def test_one_adjoint_run_gives_both():
    simulation = box_simulation([source()])
    adjoint_sources = simulation.run(1).data
    result = simulation.adjoint(adjoint_sources)
    assert list(result.derivative) == ["VP", "RHO"] and len(result.sources) == 1
    for name, values in simulation.derivative(adjoint_sources).items():
        np.testing.assert_array_equal(values, result.derivative[name])


@pytest.mark.parametrize("order", range(1, 9))
def test_derivatives_of_lagrange_polynomials(order):
    positions = np.array([-1.0, -0.3, 0.2, 1.0])
    for power in range(order + 1):
        values = lagrange_derivative_matrix(order, positions) @ gll_points(order) ** power
        np.testing.assert_allclose(values, power * positions ** max(power - 1, 0), atol=1e-12)

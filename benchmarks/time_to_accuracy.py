"""How long an event takes that is as accurate as asked for: ``python benchmarks/time_to_accuracy.py``.

The 2-D event of `ultrasound` is run with orders, sizes of elements, widths of the absorbing layer and time
steps as a user would set them; of the settings whose records are accurate enough the fastest is timed on one
thread. ``--gradient`` times misfit and gradient of five events with the settings for 1 %.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline

import wavetree as wt
from ultrasound import Event, ring
from wavetree.data.resample import SampleAxis
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing
from wavetree.simulation.core import Core, default_instruction_set, make_core
from wavetree.simulation.medium import medium
from wavetree.simulation.storage import ForwardRun
from wavetree.simulation.time_axis import TimeAxis, resolve
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.source.cartesian import ScalarPoint2D, ScalarPoint3D
from wavetree.survey.stf import Ricker

DENSITY = 1000.0
# A user may go up to the largest stable step; the default keeps a tenth below it.
LONG_STEP = 0.999
# Without strong damping a layer is a larger box: within the records' time what comes back from the impedance
# condition at its end is less than what a sponge of the same width returns.
REFLECTIONS = (0.99, 0.05)
WIDTHS = np.arange(0.0, 7.1, 0.25)
# Elements of order 6 along the box, by dimensions: the error is that of the absorption.
FINE = {2: 24, 3: 8}


@dataclass(frozen=True)
class Settings:
    """What a user chooses for accuracy.

    Attributes
    ----------
    order
        Of the elements.
    count
        Elements along the first side of the box; the others have the same size.
    width
        Of the sponge on every side in wavelengths, rounded to whole elements; 0 is the impedance condition
        alone.
    reflection
        Target reflection of the sponge.
    long_step
        Whether the time step is the largest stable one in place of the default.
    """

    order: int
    count: int
    width: float
    reflection: float = 1e-2
    long_step: bool = False

    def elements_per_wavelength(self, event: Event) -> float:
        """Elements in a wavelength of the centre frequency."""
        low, high = event.bounds[0]
        return self.count * event.wavelength / (high - low)


@dataclass(frozen=True)
class Result:
    """What a run with some settings took.

    Attributes
    ----------
    settings, error
        The settings and ‖u − exact‖ / ‖exact‖.
    points, steps
        Element nodes with those of the sponge, and computed time steps.
    setup
        Mesh, medium, compiled simulation, time axis: once for all events of a model [s].
    loop, event
        The time loop, and everything that is done anew for an event [s].
    """

    settings: Settings
    error: float
    points: int
    steps: int
    setup: float = math.nan
    loop: float = math.nan
    event: float = math.nan


@dataclass(frozen=True)
class Model:
    """What the events of a model have in common."""

    event: Event
    mesh: Mesh
    core: Core
    time_axis: TimeAxis
    configuration: wt.WaveformSimulationConfiguration
    conditions: tuple[Absorbing, ...]

    def simulation(self, event: Event) -> wt.Simulation:
        """Return the simulation of an event."""
        sources, receivers = survey(event)
        return wt.Simulation(
            self.mesh,
            sources,
            receivers,
            self.configuration,
            self.conditions,
            time_axis=self.time_axis,
            core=self.core,
        )


@functools.cache
def survey(event: Event) -> tuple[list[ScalarPoint2D | ScalarPoint3D], list[Point2D | Point3D]]:
    """Return the source and the receivers, which users make once for all models."""
    source, receiver = {2: (ScalarPoint2D, Point2D), 3: (ScalarPoint3D, Point3D)}[len(event.bounds)]
    wavelet = Ricker(event.frequency, time_shift_in_seconds=event.delay)
    place, *places = (
        dict(zip("xyz", x, strict=False)) for x in np.vstack([event.source, event.receivers]).tolist()
    )
    receivers = [receiver(**at, station_code=f"{k:03}", fields=["phi"]) for k, at in enumerate(places)]
    return [source(**place, f=1.0, source_time_function=wavelet)], receivers


def make_model(event: Event, settings: Settings, inclusion: float = 0.0) -> Model:
    """Return the model of an event, homogeneous but for an inclusion that changes VP by this share."""
    sizes = [high - low for low, high in event.bounds]
    counts = [math.ceil(settings.count * size / sizes[0] - 1e-9) for size in sizes]
    mesh = box_mesh(event.bounds, counts)
    nodes = mesh.node_coordinates(settings.order)
    blob = np.exp(-np.sum((nodes / (0.25 * sizes[0])) ** 2, axis=-1))
    mesh.attach_field("VP", event.velocity * (1.0 + inclusion * blob))
    mesh.attach_field("RHO", np.full(nodes.shape[:2], DENSITY))
    conditions = tuple(
        Absorbing(
            [f"{axis}0", f"{axis}1"],
            # Whole elements: thinner ones would shorten the time step.
            width_in_meters=round(settings.width * event.wavelength * count / size) * size / count,
            reference_velocity=event.velocity,
            target_reflection=settings.reflection,
        )
        for axis, size, count in zip("xyz", sizes, counts, strict=False)
    )
    configuration = wt.WaveformSimulationConfiguration(
        start_time_in_seconds=0.0, end_time_in_seconds=event.duration
    )
    mesh = medium(mesh, settings.order)
    wavelet = Ricker(event.frequency, time_shift_in_seconds=event.delay)
    axis = resolve(mesh, [wavelet], configuration, conditions)
    if settings.long_step:
        n_steps = math.ceil(axis.n_steps * 0.9 / LONG_STEP)
        configuration = replace(configuration, time_step_in_seconds=event.duration / n_steps)
        axis = resolve(mesh, [wavelet], configuration, conditions)
    core = make_core(mesh, conditions, configuration.precision, threads=1)
    return Model(event, mesh, core, axis, configuration, conditions)


def run(event: Event, settings: Settings) -> Result:
    """Run an event once and return its error, without seconds."""
    model = make_model(event, settings)
    simulation = model.simulation(event)
    records = simulation.run().data["phi"][:, 0] / DENSITY
    exact = _exact(event)(model.time_axis.times)
    error = float(np.linalg.norm(records - exact) / np.linalg.norm(exact))
    points = model.core.medium_mesh.nelem * (settings.order + 1) ** len(event.bounds)
    return Result(settings, error, points, simulation.n_steps)


@functools.lru_cache(maxsize=8)
def _exact(event: Event) -> BSpline:
    """The exact records as functions of time, to 1e-8: one evaluation for all time axes of a search."""
    times = np.linspace(0.0, event.duration, 1 + round(40 * event.duration * event.frequency))
    return make_interp_spline(times, event.exact(times), k=7, axis=1)


def timed(event: Event, settings: Settings, repeats: int = 20) -> Result:
    """Run an event some times and return the least seconds; the first run, which warms up, does not count."""
    result, seconds = run(event, settings), []
    for _ in range(repeats):
        begin = time.process_time()
        model = make_model(event, settings)
        made = time.process_time()
        loops: list[float] = []
        with _timed_loops(loops):
            model.simulation(event).run()
        seconds.append((made - begin, sum(loops), time.process_time() - made))
    setup, loop, whole = np.min(seconds, axis=0)
    return replace(result, setup=setup, loop=loop, event=whole)


@contextlib.contextmanager
def _timed_loops(seconds: list[float]) -> Iterator[None]:
    advance = ForwardRun.advance

    def timed_advance(*args: Any, **kwargs: Any) -> None:
        begin = time.process_time()
        advance(*args, **kwargs)
        seconds.append(time.process_time() - begin)

    with mock.patch.object(ForwardRun, "advance", timed_advance):
        yield


def sponges(event: Event, tolerance: float) -> list[tuple[float, float]]:
    """Return width and target reflection of layers that are good enough, the narrowest ones."""
    found = []
    for reflection in REFLECTIONS:
        errors = (
            run(event, Settings(6, FINE[len(event.bounds)], width, reflection)).error for width in WIDTHS
        )
        good = (float(w) for w, error in zip(WIDTHS, errors, strict=True) if error <= 0.97 * tolerance)
        found += [(width, reflection) for width in itertools.islice(good, 3)]
    return found


def smallest_count(event: Event, start: Settings, tolerance: float) -> Result | None:
    """Return the run with the fewest elements that is accurate enough, None if even many are not."""
    low, high = event.bounds[0]
    wavelengths = (high - low) / event.wavelength
    few, many = (max(1, math.ceil(nodes * wavelengths / start.order)) for nodes in (2.0, 14.0))
    best = run(event, replace(start, count=many))
    if best.error > tolerance:
        return None
    while few < many:
        middle = (few + many) // 2
        found = run(event, replace(start, count=middle))
        if found.error <= tolerance:
            best, many = found, middle
        else:
            few = middle + 1
    return best


def fastest(
    event: Event, tolerance: float, orders: Iterable[int] = range(3, 9), repeats: int = 20
) -> list[Result]:
    """Return the runs of an event that are accurate enough, timed, the fastest first.

    Of every order and sponge the fewest elements are taken, then the four runs with the fewest updates of
    points, with the default time step and with the largest where that is accurate enough too.
    """
    starts = [Settings(order, 1, *sponge) for sponge in sponges(event, tolerance) for order in orders]
    found = [smallest_count(event, start, tolerance) for start in starts]
    cheap = sorted(filter(None, found), key=lambda result: result.points * result.steps)[:4]
    both = cheap + [run(event, replace(result.settings, long_step=True)) for result in cheap]
    results = [timed(event, result.settings, repeats) for result in both if result.error <= tolerance]
    return sorted(results, key=lambda result: result.event)


@dataclass(frozen=True)
class GradientSeconds:
    """Misfit and VP gradient of five events, and their forward runs alone, by how the field is stored."""

    storage: str
    whole: float
    forward: float


def gradient_seconds(settings: Settings, repeats: int = 5, interval: int | None = None) -> GradientSeconds:
    """Return the least seconds of misfit and VP gradient of five events, and of their forward runs alone.

    The observed records are those of a medium with a soft inclusion; the storage is what the planner chooses
    if no interval is given.
    """
    events = [ring(index) for index in range(5)]
    true, start = (make_model(events[0], settings, inclusion) for inclusion in (-0.03, 0.0))
    axis = SampleAxis(start.time_axis.start, 1.0 / start.time_axis.dt, start.time_axis.n_samples)
    observed = [true.simulation(event).run().interpolated("phi", axis) for event in events]
    compression = wt.WavefieldCompression(forward_wavefield_sampling_interval=interval)
    whole, forward = [], []
    for _ in range(repeats):
        begin = time.process_time()
        total, gradient = 0.0, np.zeros(start.mesh.element_nodal_fields["VP"].shape)
        for event, data in zip(events, observed, strict=True):
            simulation = start.simulation(event)
            plan = simulation.storage_plan(compression)
            difference = simulation.run(plan).data["phi"] - data
            total += 0.5 * start.time_axis.dt * float(np.sum(difference**2))
            gradient += simulation.derivative({"phi": difference})["VP"]
        whole.append(time.process_time() - begin)
        begin = time.process_time()
        for event in events:
            start.simulation(event).run()
        forward.append(time.process_time() - begin)
    assert total > 0.0 and np.isfinite(gradient).all() and gradient.any()
    return GradientSeconds(str(plan), min(whole), min(forward))


def table(event: Event, results: Iterable[Result]) -> str:
    """Return the results as lines of a Markdown table."""
    names = "error, order, elements per wavelength, sponge [wavelengths], its target reflection, dt/dt_max, "
    names += "points, steps, loop [s], event [s], set-up [s]"
    lines = ["| " + names.replace(", ", " | ") + " |", "|---" * 11 + "|"]
    for r in results:
        s = r.settings
        cells = f"{r.error:.2e}, {s.order}, {s.elements_per_wavelength(event):.2f}, {s.width:g}, "
        cells += f"{s.reflection:g}, {LONG_STEP if s.long_step else 0.9:g}, {r.points}, {r.steps}, "
        cells += f"{r.loop:.4f}, {r.event:.4f}, {r.setup:.4f}"
        lines.append("| " + cells.replace(", ", " | ") + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the fastest settings for every accuracy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tolerances", type=float, nargs="+", default=[1e-2, 1e-3])
    parser.add_argument("--orders", type=int, nargs="+", default=list(range(3, 9)))
    parser.add_argument("--gradient", action="store_true")
    options = parser.parse_args()
    event = ring()
    for tolerance in options.tolerances:
        results = fastest(event, tolerance, options.orders)
        print(f"\nerror at most {tolerance:g}, one thread, instruction set {default_instruction_set()}")
        print(table(event, results), flush=True)
        if options.gradient:
            for interval in (None, 4):
                found = gradient_seconds(results[0].settings, interval=interval)
                ratio = found.whole / found.forward
                print(f"\nmisfit and gradient of five events {found.whole:.3f} s, {ratio:.2f} x forward")
                print(found.storage, flush=True)


if __name__ == "__main__":
    main()

"""Ultrasound of an array in water that looks into a copper block with side-drilled holes.

``python examples/ultrasound_array.py [FOLDER] [--capture FILE]`` makes the project and figures in FOLDER, a
temporary one when it is not given. Two elements of the array send a tone burst; what all elements record is
compared with the arrival times of rays at the front wall, the holes and the back wall.

With a full-matrix capture the same is done with what was measured. FILE is ``ArrayCuBlockStationary.mat`` of
the Synaptus toolbox (M. H. Skjelvareid, github.com/mh-skjelvareid/synaptus, folder datasets): 32 elements of
0.85 mm every 1 mm, 3.5 MHz, in water above a copper block. Velocities and water path are those with which
the toolbox processes it. The delay of the electronics and where the holes are come from the capture, of what
every other element received; what the other elements received is the check. The radius of the holes is not
known and taken as 1 mm. The record ends before an echo of the back wall: that one is compared in the
simulation without a capture alone.
"""

import argparse
import os
import tempfile
import warnings
from dataclasses import dataclass, replace

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from scipy.io import loadmat
from scipy.io.matlab import MatReadWarning
from scipy.ndimage import uniform_filter
from scipy.optimize import least_squares
from scipy.signal import fftconvolve, hilbert

import wavetree as wt
from wavetree.data.transducer_records import TransducerRecords
from wavetree.survey.transducer import linear_array
from wavetree.viz.mesh import draw_field
from wavetree.viz.style import COLORS, new_figure, scale_of

source, receiver = wt.simple_config.source.cartesian, wt.simple_config.receiver.cartesian

# -- the set-up: the front wall is at y = 0, the array above it ----------------------------------------------

WATER = {"vp": 1480.0, "rho": 1000.0}
COPPER = {"vp": 4660.0, "vs": 2260.0, "rho": 8930.0}
# Holes are of a light fluid, whose waves are as long as the shortest in the copper: nearly as good as empty.
DRILLED = {"vp": 2260.0, "vs": 0.0, "rho": 100.0}
FREQUENCY, PERIODS = 3.5e6, 3
SEARCH = 2.0  # periods around the time of a ray in which its arrival is looked for
PERIOD = 1.0 / FREQUENCY
N_ELEMENTS, PITCH, WIDTH = 32, 1.0e-3, 0.85e-3
ARRAY = PITCH * (np.arange(N_ELEMENTS) - 0.5 * (N_ELEMENTS - 1))
SHOTS = (15, 25)
# Sine of the steepest ray that is looked at: where its width is a wavelength along it an element is blind.
STEEPEST = 0.8 * WATER["vp"] / (FREQUENCY * WIDTH)
SIDE, ABOVE = 18.0e-3, 1.5e-3
AVERAGED = (3, 3)  # neighbours whose records are averaged, sent and received; of simulated shots received
DELAY = 0.7e-6  # of the electronics, about; the capture says what it is


@dataclass(frozen=True)
class Setup:
    """Water path, thickness of the block [m] and whether its back wall is there, centres of holes [m]."""

    water: float
    thickness: float
    has_back_wall: bool
    holes: tuple[tuple[float, float], ...]
    radius: float = 1.0e-3


HOLES = ((-0.8e-3, -10.2e-3), (13.4e-3, -14.4e-3))
SHALLOW = Setup(12.0e-3, 22.0e-3, True, HOLES[:1])
MEASURED = Setup(23.5e-3, 18.0e-3, False, HOLES)  # without its back wall, of which no echo is in the record


def burst(times: np.ndarray) -> np.ndarray:
    """Periods of a sine under one arch of a squared cosine of twice their length, centred at time 0."""
    half = PERIODS * PERIOD
    return np.cos(2 * np.pi * FREQUENCY * times) * np.where(
        np.abs(times) < half, np.cos(0.5 * np.pi * times / half) ** 2, 0.0
    )


# -- arrival times of rays -----------------------------------------------------------------------------------


def times_to(points: np.ndarray, water: float, velocity: float) -> tuple[np.ndarray, np.ndarray]:
    """Times [s] from the elements to points (n, 2) in the copper, and the sines of the angles in the water.

    Both (n_elements, n). Fermat: where a ray crosses the front wall its time is least, found by bisection.
    """
    away = np.abs(points[:, 0] - ARRAY[:, None])
    depth = -points[:, 1] * np.ones_like(away)
    low, high = np.zeros_like(away), away.copy()
    for _ in range(50):
        middle = 0.5 * (low + high)
        above, below = np.hypot(water, middle), np.hypot(depth, away - middle)
        late = middle / above / WATER["vp"] > (away - middle) / below / velocity
        low, high = np.where(late, low, middle), np.where(late, middle, high)
    return above / WATER["vp"] + below / velocity, middle / above


def hole_times(setup: Setup, center: tuple[float, float], back: str = "vp") -> tuple[np.ndarray, np.ndarray]:
    """Times [s] of echoes of a hole, and the larger sine of both rays' angles in the water.

    Both (n_elements sent, n_elements received). Rays are reflected where the way over the hole's surface is
    shortest, as P waves or, with ``back="vs"``, as S waves.
    """
    angle = np.linspace(0.0, np.pi, 91)
    surface = np.array(center) + setup.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    (there, steep), (again, flat) = (times_to(surface, setup.water, COPPER[name]) for name in ("vp", back))
    best = (there[:, None] + again).argmin(axis=-1)
    rows = np.arange(N_ELEMENTS)
    sent, received = (rows[:, None], best), (rows, best)
    return there[sent] + again[received], np.maximum(steep[sent], flat[received])


def wall_times(setup: Setup, depth: float) -> tuple[np.ndarray, np.ndarray]:
    """Times [s] of echoes of a wall at a depth below the front wall, and sines as in `hole_times`.

    The ray is reflected half way between both elements.
    """
    offset = np.abs(ARRAY[:, None] - ARRAY)
    if depth == 0.0:
        way = np.hypot(2.0 * setup.water, offset)
        return way / WATER["vp"], offset / way
    halves, number = np.unique(np.round(offset / PITCH), return_inverse=True)
    points = np.stack([ARRAY[0] + 0.5 * PITCH * halves, np.full(len(halves), -depth)], axis=1)
    times, sines = times_to(points, setup.water, COPPER["vp"])
    return 2.0 * times[0][number].reshape(offset.shape), sines[0][number].reshape(offset.shape)


def echoes(setup: Setup) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Times [s] of all echoes by name, and where each stands alone, both (n_elements, n_elements).

    Alone is an echo that no other wave comes close to, of rays for which the elements are not blind.
    """
    found = {"front wall": wall_times(setup, 0.0)}
    for k, center in enumerate(setup.holes):
        found[f"hole {k + 1}"] = hole_times(setup, center)
    if setup.has_back_wall:
        found["back wall"] = wall_times(setup, setup.thickness)
    others = {name: times for name, (times, _) in found.items()}
    others["direct"] = np.abs(ARRAY[:, None] - ARRAY) / WATER["vp"]
    for k, center in enumerate(setup.holes):
        converted, _ = hole_times(setup, center, back="vs")
        others |= {f"hole {k + 1}, P to S": converted, f"hole {k + 1}, S to P": converted.T}
    alone = {}
    for name, (times, sines) in found.items():
        nearest = np.min([np.abs(other - times) for key, other in others.items() if key != name], axis=0)
        alone[name] = (nearest > (SEARCH + 0.5 * PERIODS) * PERIOD) & (sines < STEEPEST)
    return {name: (times, alone[name]) for name, (times, _) in found.items()}


def lateness(
    times: np.ndarray, records: np.ndarray, expected: np.ndarray, least: float, size: tuple[int, int] = (1, 1)
) -> np.ndarray:
    """Find how much later than expected the burst arrives, within some periods.

    Parameters
    ----------
    times
        (n_samples,) [s].
    records
        (n_sent, n_received, n_samples).
    expected
        (n_sent, n_received) [s].
    least
        Size of the envelope below which nothing has arrived.
    size
        Numbers of neighbouring elements, sent and received, whose records are averaged in step with the
        expected times.

    Returns
    -------
    numpy.ndarray
        (n_sent, n_received) [s], where the envelope is largest after a matched filter; NaN where it is too
        small or largest at an end of the span.
    """
    step = PERIOD / 16.0
    reach = int((SEARCH + 2.0 * PERIODS) * 16)
    around = step * np.arange(-reach, reach + 1)
    aligned = np.empty((*expected.shape, len(around)))
    for pair in np.ndindex(expected.shape):
        aligned[pair] = np.interp(expected[pair] + around, times, records[pair], left=0.0, right=0.0)
    aligned = uniform_filter(aligned, (*size, 1), mode="nearest")
    n = 16 * PERIODS
    matched = burst(step * np.arange(-n, n + 1))[None, None]
    found = fftconvolve(aligned, matched / np.abs(matched).sum(), mode="same", axes=-1)
    near = np.flatnonzero(np.abs(around) < SEARCH * PERIOD)
    envelope = np.abs(hilbert(found, axis=-1))[..., near]
    top = envelope.argmax(axis=-1)
    inside = (top > 0) & (top < len(near) - 1) & (envelope.max(axis=-1) > least)
    return np.where(inside, around[near][top], np.nan)


# -- simulation ----------------------------------------------------------------------------------------------


def block_mesh(setup: Setup, ab: wt.AbsorbingBoundaryParameters) -> wt.Mesh:
    """Mesh water and copper; elements of the copper with their middles in a hole are drilled out.

    Edges of holes are steps of elements, up to 0.3 mm from the circle.
    """
    layered = wt.layered_meshing
    model = layered.LayeredModel(
        [
            wt.material.from_params(**WATER),
            layered.interface.Hyperplane.at(0.0),
            wt.material.from_params(**COPPER),
        ]
    )
    domain = wt.domain.dim2.BoxDomain(x0=-SIDE, x1=SIDE, y0=-setup.thickness, y1=setup.water + ABOVE)
    resolution = wt.MeshResolution(1.85 * FREQUENCY, elements_per_wavelength=1.0, model_order=4)
    mesh = layered.mesh_from_domain(domain, layered.MeshingProtocol(model, ab=ab), resolution)
    x, y = mesh.get_element_centroid().T
    drilled = np.any([np.hypot(x - hole[0], y - hole[1]) < setup.radius for hole in setup.holes], axis=0)
    for name, value in DRILLED.items():
        values = mesh.element_nodal_fields[name.upper()]
        mesh.attach_field(name.upper(), np.where(drilled[:, None], value, values))
    return mesh


def simulate(p: wt.Project, setup: Setup, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Simulate the shots; return times (n_samples,) [s] and pressure (n_shots, n_elements, n_samples)."""
    array = linear_array(
        "E", ((ARRAY[0], setup.water), (ARRAY[-1], setup.water)), N_ELEMENTS, width=WIDTH, count=6
    )
    samples = np.arange(-PERIODS * PERIOD, PERIODS * PERIOD + 5e-9, 1e-8)
    wavelet = wt.simple_config.stf.Custom.from_array(burst(samples), 1e8, samples[0])
    line = [point for element in array for point in element.receivers(receiver.Point2D, ["pressure"])]
    p += wt.EventCollection(
        [
            wt.Event(
                array[k].sources(source.ScalarPoint2D, wavelet, f=1.0),
                receivers=line,
                event_name=f"shot_{k:02d}",
            )
            for k in SHOTS
        ]
    )
    ab = wt.AbsorbingBoundaryParameters(
        COPPER["vp"],
        number_of_wavelengths=1.0,
        reference_frequency=FREQUENCY,
        free_surface=["y0"] if setup.has_back_wall else False,
    )
    p += wt.UnstructuredMeshSimulationConfiguration(
        "array",
        unstructured_mesh=block_mesh(setup, ab),
        event_configuration=wt.EventConfiguration(
            wavelet,
            waveform_simulation_configuration=wt.WaveformSimulationConfiguration(
                end, receiver_sampling_interval_in_time_steps=2
            ),
        ),
        absorbing_boundaries=ab,
    )
    p.simulations.launch("array")
    p.simulations.query(block=True)
    records = []
    for data in p.waveforms.get("array", [f"shot_{k:02d}" for k in SHOTS]):
        times, _ = data.get_data_cube("pressure", "A")
        elements = TransducerRecords(array, data.sampling_rate_in_hertz, len(times))
        records.append(elements.event_data(data).data["pressure"][:, 0])
    return times, np.array(records)


# -- the capture ---------------------------------------------------------------------------------------------


def read_capture(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Return times (n_samples,) [s] from the trigger on and records (n_sent, n_received, n_samples)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MatReadWarning)  # the file holds an object of its authors' program
        content = loadmat(path, squeeze_me=True, variable_names=["data", "fs", "MWB"])
    records = np.stack([np.asarray(shot, dtype=np.float64).T for shot in content["data"]])
    return 1e-6 * (float(content["MWB"]) + np.arange(records.shape[-1]) / float(content["fs"])), records


def calibrate(times: np.ndarray, records: np.ndarray, least: float) -> tuple[float, Setup]:
    """Find the delay of the electronics [s] and the holes, from what elements 0, 2, 4 and so on received."""
    setup, half = MEASURED, (slice(None), slice(None, None, 2))
    expected, alone = (values[half] for values in echoes(setup)["front wall"])
    late = lateness(times, records[half], expected + DELAY, least, AVERAGED)
    delay = DELAY + float(np.nanmedian(late[alone]))
    for _ in range(2):  # the first fit is from picks around where the holes were thought to be
        holes = []
        for k, center in enumerate(setup.holes):
            expected, alone = (values[half] for values in echoes(setup)[f"hole {k + 1}"])
            found = expected + lateness(times, records[half], expected + delay, least, AVERAGED)
            known = alone & np.isfinite(found)

            def late_by(
                place: np.ndarray, known: np.ndarray = known, found: np.ndarray = found
            ) -> np.ndarray:
                """Lateness of the picks in periods, for a centre in millimetres."""
                expected, _ = hole_times(MEASURED, (1e-3 * place[0], 1e-3 * place[1]))
                return ((found - expected[half]) / PERIOD)[known]

            fit = least_squares(late_by, 1e3 * np.array(center), loss="soft_l1", f_scale=0.2)
            holes.append((1e-3 * float(fit.x[0]), 1e-3 * float(fit.x[1])))
        setup = replace(setup, holes=tuple(holes))
    return delay, setup


# -- comparison ----------------------------------------------------------------------------------------------


def compare(title: str, setup: Setup, late: dict[str, np.ndarray], rows: tuple[slice, ...]) -> None:
    """Print how late echoes are that stand alone, and refuse more than few that are off by a period."""
    print(f"{title}, where an echo stands alone:")
    for name, (_, alone) in echoes(setup).items():
        found = late[name][alone[rows] & np.isfinite(late[name])] / PERIOD
        within = np.mean(np.abs(found) < 1.0) if len(found) else 0.0
        print(
            f"  {name:10s} {len(found):3d} of {alone[rows].sum():3d} seen, median {np.median(found):+.2f} "
            f"periods, {100 * within:.0f} % within one"
        )
        assert within > 0.8, f"{name}: arrivals should be within one period"


def setup_figure(mesh: wt.Mesh, setup: Setup) -> plt.Figure:
    """Velocity of P waves, elements of the array and shots, and elements of the mesh around a hole."""
    figure = new_figure(11.0, 5.2)
    scale = scale_of("VP", mesh.element_nodal_fields["VP"])
    whole, close = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1.3, 1.0)})
    draw_field(whole, mesh, mesh.element_nodal_fields["VP"], scale, "array over a copper block")
    draw_field(close, mesh, mesh.element_nodal_fields["VP"], scale, "hole 1 on the mesh", colorbar=False)
    for axes in (whole, close):
        for x, y in setup.holes:
            axes.add_patch(plt.Circle((x, y), setup.radius, fill=False, color="white", linestyle="--"))
    height = setup.water
    whole.hlines([height] * N_ELEMENTS, ARRAY - 0.5 * WIDTH, ARRAY + 0.5 * WIDTH, color="white", linewidth=2)
    whole.plot(ARRAY[list(SHOTS)], [height] * len(SHOTS), "*", color=COLORS[1], markersize=11)
    corners = mesh.get_element_nodes()
    low, high = corners.min(axis=1), corners.max(axis=1)
    (x, y), reach = setup.holes[0], 2.0e-3
    near = (np.abs(0.5 * (low + high) - (x, y)) < reach).all(axis=1)
    for (x0, y0), (x1, y1) in zip(low[near], high[near], strict=True):
        close.add_patch(plt.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, linewidth=0.4, color="black"))
    close.set(xlim=(x - reach, x + reach), ylim=(y - reach, y + reach))
    return figure


def gathers(
    setup: Setup, panels: dict[str, tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]]
) -> plt.Figure:
    """Records of the first shot, arrival times of rays and what was picked.

    Panels by title: times (n_samples,), records (n_shots, n_elements, n_samples), lateness (n_shots,
    n_elements) by echo.
    """
    figure = new_figure(6.2 * len(panels) + 1.0, 6.0)
    grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    expected = {name: times[SHOTS[0]] for name, (times, _) in echoes(setup).items()}
    alone = {name: where[SHOTS[0]] for name, (_, where) in echoes(setup).items()}
    first, last = (f(list(map(f, expected.values()))) for f in (np.min, np.max))
    for axes, (title, (times, records, late)) in zip(grid, panels.items(), strict=True):
        # The front wall is a hundred times as loud as the rest.
        records = records[0]
        shown = np.sign(records) * np.abs(records / np.abs(records[:, times > first]).max()) ** 0.4
        look = {"cmap": "Greys", "vmin": -0.4, "vmax": 0.4, "shading": "nearest", "rasterized": True}
        axes.pcolormesh(1e3 * ARRAY, 1e6 * times, shown.T, **look)
        for (name, when), color in zip(expected.items(), COLORS, strict=False):
            axes.plot(1e3 * ARRAY, 1e6 * when, color=color, linewidth=1.0, label=f"{name}, ray")
            picked = np.where(alone[name], when + late[name][0], np.nan)
            axes.plot(1e3 * ARRAY, 1e6 * picked, "o", color=color, markersize=4, fillstyle="none")
        axes.set(xlabel="x [mm]", title=title, ylim=(1e6 * last + 1.5, 1e6 * first - 1.0))
    grid[0].set_ylabel("time [µs]")
    handles, _ = grid[0].get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), title="circles: picked")
    return figure


def late_of_all(
    setup: Setup, times: np.ndarray, records: np.ndarray, rows: object, least: float
) -> dict[str, np.ndarray]:
    """Lateness [s] of all echoes by name in the records of the pairs of elements that ``rows`` takes."""
    size = AVERAGED if len(records) > len(SHOTS) else (1, AVERAGED[1])
    return {
        name: lateness(times, records, expected[rows], least, size)
        for name, (expected, _) in echoes(setup).items()
    }


def look_at_capture(path: str) -> tuple[Setup, tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]]:
    """Calibrate and compare; return the set-up, and times, records and lateness of the shots."""
    times, records = read_capture(path)
    least = 2.0 * np.median(np.abs(records[..., -250:]))  # in the last microseconds only noise is left
    delay, setup = calibrate(times, records, least)
    places = ", ".join(f"({1e3 * x:.1f}, {1e3 * y:.1f}) mm" for x, y in setup.holes)
    print(f"delay of the electronics {1e6 * delay:.2f} µs; middles of holes at {places}")
    times, rest = times - delay, (slice(None), slice(1, None, 2))
    found = late_of_all(setup, times, records[rest], rest, least)
    compare("capture, elements that were not fitted", setup, found, rest)
    found = late_of_all(setup, times, records, slice(None), least)
    shots = list(SHOTS)
    return setup, (times, records[shots], {name: late[shots] for name, late in found.items()})


def main() -> None:
    """Read the capture if there is one, simulate, compare, draw."""
    parser = argparse.ArgumentParser(description="Ultrasound of an array over a copper block.")
    parser.add_argument("folder", nargs="?", help="where the project and figures go; a temporary one if none")
    parser.add_argument("--capture", help="ArrayCuBlockStationary.mat of the Synaptus toolbox")
    arguments = parser.parse_args()
    setup, end, panels, shots = SHALLOW, 28.5e-6, {}, list(SHOTS)
    if arguments.capture:
        setup, panels["measured"] = look_at_capture(arguments.capture)
        end = 42.8e-6
    folder = arguments.folder or tempfile.mkdtemp(prefix="wavetree_")
    os.makedirs(os.path.join(folder, "figures"), exist_ok=True)
    os.chdir(folder)
    box = wt.domain.dim2.BoxDomain(x0=-SIDE, x1=SIDE, y0=-setup.thickness, y1=setup.water + ABOVE)
    p = wt.Project.from_domain("project", box)
    times, records = simulate(p, setup, end)
    found = late_of_all(setup, times, records, shots, 1e-5 * np.abs(records).max())
    panels["simulated"] = (times, records, found)
    setup_figure(p.simulations.get_mesh("array"), setup).savefig("figures/setup.png", dpi=110)
    gathers(setup, panels).savefig("figures/gathers.png", dpi=110)
    plt.close("all")
    compare("simulation", setup, found, (shots,))
    if arguments.capture:
        apart = {name: late - found[name] for name, late in panels["measured"][2].items()}
        compare("capture less simulation", setup, apart, (shots,))
    print(f"The project and its figures are in {os.getcwd()}.")
    p.close()


if __name__ == "__main__":
    main()

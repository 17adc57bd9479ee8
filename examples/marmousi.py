"""Acoustic inversion of the Marmousi section for its velocity, over three frequency bands.

``python examples/marmousi.py TRUE.npy [--folder FOLDER]`` reads P velocities [m/s] (depth, distance)
with the water on top, and makes project and figures in FOLDER, a temporary one when it is not given. The
section is that of Versteeg (1994, The Leading Edge 13, 927–936) under 480 m of water; with cells of 20 m it
is ``true_vp.npy`` in the folder examples/models/marmousi_model of https://github.com/GeophyAI/seistorch. The
inversion starts from it smoothed by a Gaussian of a standard deviation of 300 m. Without a file a small
section of its own, bent layers and a fault, is inverted.

Shots near the sea surface are recorded by receivers along the whole section; all sides absorb, the upper one
too, as if ghosts and multiples of the surface had been removed. The mesh follows the sea floor, which is
known; VP changes below it and RHO follows by Gardner's relation. Each band has a mesh of its own, as fine as
it needs, and goes on from the model of the one before. The project warns of frequencies that these meshes do
not resolve: the band takes them out of the records. The pseudo-Hessian knows how waves get weaker on their
way from the shots, not on that to the receivers, so updates weigh more with depth, by its root.

What is found is judged by the root mean square of VP − G VP_true in the rock where the pseudo-Hessian of the
first band is above a tenth of its median. G smooths to half the shortest wavelength, that of the last corner
in the water: a Gaussian as wide as that at half its maximum, over the rock alone. This blames the found model
for what it has and G VP_true has not: the error of G VP is printed too. docs/marmousi.md has the numbers.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass

import matplotlib

matplotlib.use("Agg")
import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.collections import PolyCollection
from scipy.ndimage import gaussian_filter

import wavetree as wt
from wavetree.viz.style import COLORS, new_figure

WATER = {"vp": 1500.0, "rho": 1000.0}
INVERSION = "inversion"
TAPER = 0.35  # a band ends at 1 + TAPER times its corner


@dataclass(frozen=True)
class Survey:
    """What is recorded and how it is inverted: lengths in m, times in s, frequencies in Hz."""

    corners: tuple[float, ...] = (2.0, 4.0, 7.0)  # upper ones of the frequency bands
    iterations: tuple[int, ...] = (12, 22, 18)
    n_shots: int = 12
    receiver_spacing: float = 80.0
    depth: float = 40.0  # of shots and receivers
    nearest: float = 500.0  # offset
    seconds: float = 5.0
    centre: float = 5.0  # frequency of the shots' Ricker wavelet
    first_change: float = 0.05  # of ln VP, in the first step of each band
    vp: tuple[float, float] = (1450.0, 6000.0)  # bounds [m/s]


# -- the section ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Section:
    """A section under water: VP (x, y) [m/s] of the rock, continued above the sea floor, and that floor."""

    vp: xr.DataArray
    floor: xr.DataArray

    @classmethod
    def from_rows(cls, rows: np.ndarray, is_water: np.ndarray, spacing: float) -> Section:
        """The section of rows (depth, distance), given which of their cells are water."""
        first = is_water.argmin(axis=0)
        columns = np.arange(rows.shape[1])
        rock = rows[np.maximum(np.arange(len(rows))[:, None], first), columns]
        x, y = spacing * columns, -spacing * np.arange(len(rows))[::-1]
        vp = xr.DataArray(rock[::-1].T.astype(float), dims=("x", "y"), coords={"x": x, "y": y})
        # Half a cell up is where the values change; the stairs of the cells are evened out.
        height = gaussian_filter(-spacing * (first - 0.5), 10.0, mode="nearest")
        return cls(vp, xr.DataArray(height, dims="x", coords={"x": x}))

    @property
    def spacing(self) -> float:
        """Size of the cells [m]."""
        return float(self.vp.x[1] - self.vp.x[0])

    @property
    def domain(self) -> wt.domain.dim2.BoxDomain:
        """The box that the section fills."""
        x, y = self.vp.x.values, self.vp.y.values
        return wt.domain.dim2.BoxDomain(x0=x[0], x1=x[-1], y0=y[0], y1=y[-1])

    def smoothed(self, deviation: float) -> Section:
        """The section under the same sea floor, smoothed by a Gaussian of a standard deviation [m]."""
        vp = gaussian_filter(self.vp.values, deviation / self.spacing, mode="nearest")
        return Section(self.vp.copy(data=vp), self.floor)

    def mesh(self, frequency: float) -> wt.Mesh:
        """A mesh with an element a wavelength at a frequency [Hz] and the sea floor on faces."""
        rock = wt.material.from_params(vp=self.vp, rho=310.0 * self.vp**0.25)
        some = np.linspace(0, self.floor.size - 1, self.floor.size // 10 + 1).round().astype(int)
        floor = wt.layered_meshing.interface.Curve.from_points(self.floor.x[some], self.floor[some])
        layers = wt.layered_meshing.LayeredModel([wt.material.from_params(**WATER), floor, rock])
        resolution = wt.MeshResolution(frequency, elements_per_wavelength=1.0, model_order=4)
        mesh = wt.layered_meshing.mesh_from_domain(self.domain, layers, resolution)
        depth = np.clip(mesh.node_coordinates(4)[..., 1] / mesh.bounds[1][0], 0.0, 1.0)
        mesh.attach_field("weight", np.sqrt(depth) * (mesh.elemental_fields["layer"] == 1)[:, None])
        return mesh


def small_section() -> Section:
    """Bent layers and a fault, 2.5 km long and 1 km deep."""
    depth, x = np.meshgrid(25.0 * np.arange(41), 25.0 * np.arange(101), indexing="ij")
    floor = 200.0 + 40.0 * np.sin(x / 500.0)
    level = depth + np.where(x > 1100.0 + 0.5 * depth, 90.0, 0.0) + 120.0 * np.cos(x / 600.0)
    rock = np.maximum(1600.0 + 0.9 * (depth - floor) + 150.0 * np.sign(np.sin(level / 90.0)), 1550.0)
    return Section.from_rows(np.where(depth < floor, WATER["vp"], rock), depth < floor, 25.0)


SMALL = Survey(corners=(3.0, 4.5, 6.0), iterations=(4, 4, 4), n_shots=6, nearest=300.0, seconds=1.8)


# -- records and inversion -----------------------------------------------------------------------------------


def band(corner: float) -> wt.FrequencyBand:
    """What records are reduced to: everything up to a corner [Hz], and nothing above 1 + TAPER times that."""
    return wt.FrequencyBand(None, corner, taper=TAPER)


def wavelet(centre: float, frequency: float) -> wt.simple_config.stf.Custom:
    """A Ricker wavelet [Hz] as it is up to a frequency [Hz], and nothing above 1 + TAPER times that."""
    rate = 40.0 * centre
    times = np.arange(-300, 300) / rate
    a = (np.pi * centre * times) ** 2
    samples = band(frequency).apply((1.0 - 2.0 * a) * np.exp(-a), rate)
    return wt.simple_config.stf.Custom.from_array(samples, rate, times[0])


def simulated(name: str, mesh: wt.Mesh, frequency: float, survey: Survey):
    """The configuration of a simulation with a wavelet that is exact up to a frequency [Hz]."""
    return wt.UnstructuredMeshSimulationConfiguration(
        name,
        unstructured_mesh=mesh,
        event_configuration=wt.EventConfiguration(
            wavelet(survey.centre, frequency),
            waveform_simulation_configuration=wt.WaveformSimulationConfiguration(survey.seconds),
        ),
        absorbing_boundaries=wt.AbsorbingBoundaryParameters(
            reference_velocity=2000.0, number_of_wavelengths=0.5, reference_frequency=survey.corners[0]
        ),
    )


def prepare(folder: str, true: Section, start: Section, survey: Survey) -> wt.Project:
    """The project with its shots, the observed data and the starting model of each band."""
    source, receiver = wt.simple_config.source.cartesian, wt.simple_config.receiver.cartesian
    p = wt.Project.from_domain(folder, true.domain)
    (left, right), _ = true.domain.bounds
    spread = [
        receiver.Point2D(x=x, y=-survey.depth, station_code=f"R{k:03d}", fields=["phi"])
        for k, x in enumerate(np.arange(left + survey.depth, right, survey.receiver_spacing))
    ]
    places = left + (np.arange(survey.n_shots) + 0.5) / survey.n_shots * (right - left)
    shots = [source.ScalarPoint2D(x=x, y=-survey.depth, f=1.0) for x in places]
    for k, shot in enumerate(shots):
        # In the element of the source the field is not resolved, and elements differ from mesh to mesh.
        far = [one for one in spread if abs(one.location[0] - shot.location[0]) > survey.nearest]
        p += wt.EventCollection.from_sources([shot], far, event_name_starting_index=k)
    # Other meshes than those of the inversion: that of the data is finer than the finest of them.
    ends = [(1.0 + TAPER) * corner for corner in survey.corners]
    p += simulated("true", true.mesh(1.7 * ends[-1]), (1.0 + TAPER) * ends[-1], survey)
    for k, end in enumerate(ends, start=1):
        p += simulated(f"start_{k}", start.mesh(1.4 * end), end, survey)
    p += wt.MisfitConfiguration("L2", observed_data="true", receiver_field="phi")
    return p


def invert(p: wt.Project, survey: Survey) -> list[int]:
    """Go through the bands and return the iterations that they begin with, and the last one."""

    def of_band(k: int) -> dict:
        smoothing = wt.ModelDependentSmoothing(
            {"VP": 0.1},
            reference_frequency_in_hertz=survey.corners[k - 1],
            reference_model=f"start_{k}",
            reference_velocities={"VP": "VP"},
        )
        return {
            "prior_model": f"start_{k}",
            "frequency_band": band(survey.corners[k - 1]),
            "preconditioner": (smoothing, wt.PseudoHessian(0.01)),
        }

    p += wt.InverseProblemConfiguration(
        INVERSION,
        misfit_configuration="L2",
        mapping=wt.Mapping(
            "logarithmic",
            inversion_parameters=["VP"],
            region_of_interest="weight",
            bounds={"VP": survey.vp},
            tied_parameters={"RHO": "gardner"},
        ),
        method=wt.TrustRegion(initial_trust_region_linf=survey.first_change),
        wavefield_compression=wt.WavefieldCompression(forward_wavefield_sampling_interval=8),
        job_submission=wt.SiteConfig("local"),
        **of_band(1),
    )
    ends = [0]
    for k, n_iterations in enumerate(survey.iterations, start=1):
        if k > 1:
            p.inversions.add_iteration(INVERSION, **of_band(k))
        p.inversions.run(INVERSION, n_iterations)
        ends.append(len(p.inversions.tree(INVERSION)) - 1)
    return ends


# -- how good the model is -----------------------------------------------------------------------------------


def illumination(p: wt.Project, grid: dict[str, np.ndarray]) -> np.ndarray:
    """The pseudo-Hessian of the first band on a grid (x, y): the energy that passes, of all shots."""
    wanted = {"volume_data": {"sampling_interval_in_time_steps": 20, "fields": ["phi_tt"]}}
    p.simulations.launch("start_1", p.events.list(), extra_output_configuration=wanted)
    p.simulations.query(block=True)
    mesh = p.simulations.get_mesh("start_1")
    fields = mesh.element_nodal_fields
    energy = np.zeros_like(fields["VP"])
    for data in p.waveforms.get("start_1", p.events.list()):
        energy += (data.get_wavefield_output("volume", "phi_tt").values[..., 0] ** 2).sum(axis=0)
    mesh.attach_field("H", energy / (fields["RHO"] * fields["VP"] ** 2))
    return wt.mesh.extract_model_to_regular_grid(mesh, grid, ["H"]).H.values


@dataclass(frozen=True)
class Result:
    """VP (x, y) [m/s] at the start and after each band, and where it is compared with the true one."""

    true: Section
    models: dict[str, np.ndarray]
    rock: np.ndarray
    where: np.ndarray  # in the illuminated rock
    width: float  # half the shortest wavelength [m]

    @classmethod
    def of(cls, p: wt.Project, true: Section, survey: Survey, ends: list[int]) -> Result:
        """The result of a project, given what `invert` returned."""
        grid = {"x": true.vp.x.values, "y": true.vp.y.values}
        meshes = {"start": p.simulations.get_mesh("start_1")}
        for end, corner in zip(ends[1:], survey.corners, strict=True):
            meshes[f"after {corner:g} Hz"] = p.inversions.get_model(INVERSION, end)
        extract = wt.mesh.extract_model_to_regular_grid
        models = {name: extract(mesh, grid, ["VP"]).VP.values for name, mesh in meshes.items()}
        rock = grid["y"] < true.floor.values[:, None] - true.spacing
        energy = illumination(p, grid)
        where = rock & (energy > 0.1 * np.median(energy[rock]))
        return cls(true, models, rock, where, 0.5 * WATER["vp"] / survey.corners[-1])

    def smoothed(self, vp: np.ndarray) -> np.ndarray:
        """G of VP (x, y): in the rock an average over the rock alone."""
        cells = self.width / np.sqrt(8.0 * np.log(2.0)) / self.true.spacing
        sums = [gaussian_filter(a * self.rock, cells, mode="nearest") for a in (vp, np.ones_like(vp))]
        return np.divide(*sums, where=self.rock, out=vp.copy())

    def differences(self, smooth_both: bool = False) -> dict[str, np.ndarray]:
        """VP − G VP_true [m/s] of the models, or G VP − G VP_true."""
        target = self.smoothed(self.true.vp.values)
        return {name: (self.smoothed(vp) if smooth_both else vp) - target for name, vp in self.models.items()}

    def errors(self, smooth_both: bool = False) -> dict[str, float]:
        """Root mean square of the differences where they count [m/s]."""
        differences = self.differences(smooth_both).items()
        return {name: float(np.sqrt(np.mean(field[self.where] ** 2))) for name, field in differences}


# -- figures -------------------------------------------------------------------------------------------------


def draw_setup(p: wt.Project, true: Section) -> plt.Figure:
    """The elements of the first band, coloured by where it starts, with shots and receivers."""
    mesh, events = p.simulations.get_mesh("start_1"), p.events.get_all()
    outlines = mesh.node_coordinates(1)[:, [0, 1, 3, 2]] * [1e-3, -1e-3]  # four nodes, x fastest
    figure = new_figure(9.0, 3.1)
    axes = figure.subplots()
    look = {"edgecolors": "white", "linewidths": 0.2, "cmap": "viridis"}
    image = axes.add_collection(
        PolyCollection(outlines, array=mesh.element_nodal_fields["VP"].mean(axis=1), **look)
    )
    axes.plot(1e-3 * true.floor.x, -1e-3 * true.floor, color=COLORS[3], label="sea floor")
    places = {
        "receivers": ([one.location for event in events for one in event.receivers], ".", COLORS[4]),
        "shots": ([event.sources[0].location for event in events], "*", COLORS[1]),
    }
    for name, (locations, marker, color) in places.items():
        x, y = 1e-3 * np.unique(locations, axis=0).T
        axes.plot(x, -y, marker, color=color, label=name, clip_on=False)
    (x0, x1), (y0, y1) = mesh.bounds
    axes.set(xlim=(1e-3 * x0, 1e-3 * x1), ylim=(-1e-3 * y0, -1e-3 * y1), aspect="equal")
    axes.set(xlabel="distance [km]", ylabel="depth [km]")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.colorbar(image, ax=axes, label="VP at the start [m/s]", shrink=0.8)
    return figure


def draw_sections(true: Section, sections: dict[str, np.ndarray], label: str, **look) -> plt.Figure:
    """Sections (x, y) below each other in one scale."""
    figure = new_figure(9.0, 2.6 * len(sections))
    grid = figure.subplots(len(sections), 1, sharex=True, squeeze=False)[:, 0]
    x, y = 1e-3 * true.vp.x.values, 1e-3 * true.vp.y.values
    for axes, (name, values) in zip(grid, sections.items(), strict=True):
        image = axes.pcolormesh(x, -y, values.T, shading="nearest", rasterized=True, **look)
        axes.plot(x, -1e-3 * true.floor, color="black", linewidth=0.8)
        axes.set(title=name, ylabel="depth [km]", ylim=(-y.min(), 0.0), aspect="equal")
    grid[-1].set(xlabel="distance [km]")
    extend = "both" if look["vmin"] < 0.0 else "max"
    figure.colorbar(image, ax=list(grid), label=label, shrink=0.6, extend=extend)
    return figure


def draw_misfits(p: wt.Project, survey: Survey, ends: list[int]) -> plt.Figure:
    """The misfit, in each band over that of the band's first model."""
    misfits = np.array([one.misfit for one in p.inversions.tree(INVERSION).iterations])
    figure = new_figure(6.0, 3.6)
    axes = figure.subplots()
    for k, (first, corner) in enumerate(zip(ends, survey.corners, strict=False)):
        # The last model of a band is the first of the next, and its misfit is that of the next.
        own = np.arange(first, ends[k + 1] + (ends[k + 1] == ends[-1]))
        axes.semilogy(own, misfits[own] / misfits[first], "o-", color=COLORS[k], label=f"up to {corner:g} Hz")
    axes.set(xlabel="iteration", ylabel="misfit over that of the first in the band")
    axes.legend()
    return figure


def draw_gather(p: wt.Project, survey: Survey, last: int) -> plt.Figure:
    """Records of the shot in the middle in the last band: observed, of the first and of the last model."""
    n, corner, shot = len(survey.corners), survey.corners[-1], p.events.list()[survey.n_shots // 2]
    p += simulated("last", p.inversions.get_model(INVERSION, last), (1.0 + TAPER) * corner, survey)
    figure, gathers = new_figure(10.0, 4.0), {}
    for title, name in {"observed": "true", "start": f"start_{n}", "last model": "last"}.items():
        p.simulations.launch(name, shot)
        p.simulations.query(block=True)
        times, values = p.waveforms.get(name, shot)[0].get_data_cube("phi", "A")
        gathers[title] = band(corner).apply(values, 1.0 / (times[1] - times[0]))
    strong = np.quantile(np.abs(gathers["observed"]), 0.95)
    x = np.array([one.location[0] for one in p.events.get(shot).receivers])
    columns = np.rint((x - x[0]) / survey.receiver_spacing).astype(int)
    edges = 1e-3 * (x[[0, -1]] + np.array([-0.5, 0.5]) * survey.receiver_spacing)
    for axes, (title, values) in zip(figure.subplots(1, 3, sharey=True), gathers.items(), strict=True):
        image = np.full((values.shape[1], columns[-1] + 1), np.nan)
        image[:, columns] = values.T
        extent = (*edges, times[-1], times[0])
        axes.imshow(image, extent=extent, cmap="gray", vmin=-strong, vmax=strong, aspect="auto")
        axes.set(title=title, xlabel="distance [km]", ylim=(times[-1], -0.5))
    figure.axes[0].set(ylabel="time [s]")
    return figure


def draw(p: wt.Project, result: Result, survey: Survey, ends: list[int], folder: str) -> None:
    """All figures: set-up, models, errors where they count, misfits and records."""
    true = result.true
    target = {"true": np.where(result.rock, true.vp.values, WATER["vp"])}
    limits = {"vmin": 1500.0, "vmax": float(np.quantile(true.vp, 0.98)), "cmap": "viridis"}
    figures = {"setup": draw_setup(p, true)}
    figures["models"] = draw_sections(true, target | result.models, "VP [m/s]", **limits)
    errors = {
        f"{name}: {result.errors()[name]:.0f} m/s rms": np.where(result.where, field, np.nan)
        for name, field in result.differences().items()
    }
    strong = float(np.quantile(np.abs(result.differences()["start"][result.where]), 0.97))
    limits = {"vmin": -strong, "vmax": strong, "cmap": "RdBu_r"}
    label = f"VP − (true VP smoothed to {result.width:.0f} m) [m/s]"
    figures["errors"] = draw_sections(true, errors, label, **limits)
    figures["misfit"] = draw_misfits(p, survey, ends)
    figures["gather"] = draw_gather(p, survey, ends[-1])
    for name, figure in figures.items():
        figure.savefig(f"{folder}/{name}.png", dpi=110, bbox_inches="tight")
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("true", nargs="?", help="true P velocity [m/s], .npy, (depth, distance)")
    parser.add_argument("--folder", help="where project and figures go")
    parser.add_argument("--spacing", type=float, default=20.0, help="size of the cells [m]")
    parser.add_argument("--smoothing", type=float, default=300.0, help="to what it starts from [m]")
    given = parser.parse_args()
    begin, true, survey = time.perf_counter(), small_section(), SMALL
    if given.true is None:
        print(__doc__)
    else:
        rows, survey = np.load(given.true), Survey()
        is_water = rows <= WATER["vp"] * 1.0001
        if rows.ndim != 2 or not is_water[0].all() or is_water.all(axis=0).any():
            parser.error(f"{given.true} has no water of {WATER['vp']:g} m/s above rock in every column")
        true = Section.from_rows(rows, is_water, given.spacing)
    folder = given.folder or tempfile.mkdtemp(prefix="wavetree_")
    figures = os.path.join(folder, "figures")
    os.makedirs(figures, exist_ok=True)
    p = prepare(os.path.join(folder, "project"), true, true.smoothed(given.smoothing), survey)
    ends = invert(p, survey)
    result = Result.of(p, true, survey, ends)
    draw(p, result, survey, ends, figures)
    p.close()
    for smooth_both, what in ((False, "VP − G VP_true"), (True, "G VP − G VP_true")):
        errors = ", ".join(f"{name} {error:.0f} m/s" for name, error in result.errors(smooth_both).items())
        print(f"{what}: {errors}")
    print(f"{time.perf_counter() - begin:.0f} s; the project and its figures are in {folder}.")


if __name__ == "__main__":
    main()

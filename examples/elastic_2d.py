"""Waves in a layered ground, and inversion of their records for both velocities, in two dimensions.

``python examples/elastic_2d.py [FOLDER]`` makes the project and figures in FOLDER, a temporary one when it is
not given. First a hammer blow on the free surface and a slip at depth are simulated and looked at: P, S and
Rayleigh waves. Then records of shots and shakers in two wells and of blows are inverted for a soft zone, by
VP and VS at once.
"""

import os
import sys
import tempfile

import matplotlib

matplotlib.use("Agg")
import numpy as np
import xarray as xr
from matplotlib import pyplot as plt

import wavetree as wt
from wavetree.viz.mesh import draw_field
from wavetree.viz.style import add_colorbar, new_figure, symmetric

folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="wavetree_")
os.makedirs(os.path.join(folder, "figures"), exist_ok=True)
os.chdir(folder)
source, receiver = wt.simple_config.source.cartesian, wt.simple_config.receiver.cartesian
ITERATIONS = 7

# -- the ground: a layer of 40 m over a stiffer half-space, with and without a soft zone ---------------------

WIDTH, DEPTH, LAYER = 200.0, 80.0, 40.0
TOP = {"vp": 1000.0, "vs": 550.0, "rho": 1800.0}
BELOW = {"vp": 1300.0, "vs": 720.0, "rho": 2000.0}


def layer(name: str, soft: float) -> wt.model.volume.cartesian.GenericModel:
    """The layer with a soft zone in the middle, which takes a share of both velocities away."""
    x, y = np.linspace(0.0, WIDTH, 101), np.linspace(-LAYER, 0.0, 41)
    zone = 1.0 - soft * np.exp(-(((x[:, None] - 100.0) / 14.0) ** 2) - ((y + 20.0) / 8.0) ** 2)
    share = {"vp": zone, "vs": zone, "rho": np.ones_like(zone)}
    data = {key: (("x", "y"), TOP[key] * values) for key, values in share.items()}
    return wt.model.volume.cartesian.GenericModel(name, xr.Dataset(data, coords={"x": x, "y": y}))


p = wt.Project.from_domain("project", wt.domain.dim2.BoxDomain(x0=0.0, x1=WIDTH, y0=-DEPTH, y1=0.0))
p += layer("plain", 0.0)
p += layer("with_soft_zone", 0.2)


def configuration(name: str, model: str, frequency: float, end: float) -> wt.SimulationConfiguration:
    """Simulate a Ricker wavelet in a layer over the half-space, with a free surface on top."""
    return wt.SimulationConfiguration(
        name,
        max_frequency_in_hertz=2.5 * frequency,
        elements_per_wavelength=1.6,  # makes the bottom of the layer a face of elements
        tensor_order=4,
        model_configuration=wt.ModelConfiguration(wt.material.from_params(**BELOW), volume_models=model),
        event_configuration=wt.EventConfiguration(
            wt.simple_config.stf.Ricker(frequency),
            waveform_simulation_configuration=wt.WaveformSimulationConfiguration(end),
        ),
        absorbing_boundaries=wt.AbsorbingBoundaryParameters(
            reference_velocity=BELOW["vp"],
            number_of_wavelengths=1.0,
            reference_frequency=frequency,
            free_surface=["y1"],
        ),
    )


# -- what waves there are ------------------------------------------------------------------------------------

BLOW = source.VectorPoint2D(x=60.0, y=0.0, fx=0.0, fy=-1e4)
SLIP = source.MomentTensorPoint2D(x=60.0, y=-30.0, mxx=0.0, myy=0.0, mxy=1e5)
offsets = np.arange(0.0, WIDTH + 0.1, 1.0)
line = [
    receiver.Point2D(x=x, y=0.0, station_code=f"L{k:03d}", fields=["velocity"]) for k, x in enumerate(offsets)
]
p += wt.Event(BLOW, receivers=line, event_name="blow")
p += wt.Event(SLIP, receivers=line, event_name="slip")
p += configuration("waves", "plain", frequency=40.0, end=0.25)
gradient = {"sampling_interval_in_time_steps": 20, "fields": ["gradient-of-displacement"]}
p.simulations.launch("waves", ["blow", "slip"], extra_output_configuration={"volume_data": gradient})
p.simulations.query(block=True)


def rayleigh_velocity(vp: float, vs: float, rho: float) -> float:
    """The root of Rayleigh's equation that is slower than the shear wave; the density does not matter."""
    g = (vs / vp) ** 2
    squares = np.roots([1.0, -8.0, 24.0 - 16.0 * g, 16.0 * (g - 1.0)])
    return float(vs * np.sqrt(min(s.real for s in squares if abs(s.imag) < 1e-9 and 0.0 < s.real < 1.0)))


def gathers() -> plt.Figure:
    """Records at the surface, with the times at which direct waves arrive."""
    figure = new_figure(11.0, 8.0)
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    for row, name, place in ((grid[0], "blow", BLOW), (grid[1], "slip", SLIP)):
        (data,) = p.waveforms.get("waves", name)
        distance = np.hypot(offsets - place.x, place.y)
        speeds = {"P": TOP["vp"], "S": TOP["vs"]}
        if place.y == 0.0:
            speeds["Rayleigh"] = rayleigh_velocity(**TOP)
        for axes, component in zip(row, "XY", strict=True):
            times, values = data.get_data_cube("velocity", component)
            values = 1e3 * values * np.sqrt(np.maximum(distance, 5.0))[:, None]  # undo the spreading
            limit = np.quantile(np.abs(values), 0.99)
            look = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "shading": "gouraud"}
            image = axes.pcolormesh(offsets, 1e3 * times, values.T, rasterized=True, **look)
            figure.colorbar(image, ax=axes, label="velocity · √distance [mm/s √m]", extend="both")
            for (wave, speed), style in zip(speeds.items(), (":", "--", "-."), strict=False):
                axes.plot(offsets, 1e3 * distance / speed, style, color="black", linewidth=1.0, label=wave)
            axes.set(title=f"{name}, component {component}", xlim=(0.0, WIDTH), ylim=(250.0, -20.0))
            axes.label_outer()
        row[0].set(ylabel="time [ms]")
        row[1].legend(loc="upper right", title="direct waves", framealpha=1.0)
    for axes in grid[1]:
        axes.set(xlabel="x [m]")
    return figure


def snapshots(
    name: str, place: wt.survey.source.source.PointSource, moments: tuple[float, ...]
) -> plt.Figure:
    """Dilatation, which P waves have, and rotation, which S waves have."""
    (data,) = p.waveforms.get("waves", name)
    mesh = p.simulations.get_mesh("waves")
    found = data.get_wavefield_output("volume", "gradient-of-displacement")
    xx, xy, yx, yy = np.moveaxis(found.sel(time=list(moments), method="nearest").values, -1, 0)
    figure = new_figure(14.0, 4.4)
    grid = figure.subplots(2, len(moments), sharex=True, sharey=True)
    for row, label, values in ((grid[0], "dilatation", xx + yy), (grid[1], "rotation", yx - xy)):
        scale = symmetric(f"{label} [10⁻⁶]", 1e6 * values)
        for axes, moment, shown in zip(row, moments, values, strict=True):
            image = draw_field(axes, mesh, 1e6 * shown, scale, colorbar=False)
            axes.axhline(-LAYER, color="0.4", linewidth=0.8, linestyle="--")
            axes.plot(place.x, place.y, "*", color="black", markersize=9, clip_on=False)
            axes.set_title(f"{name}: {label} at {1e3 * moment:.0f} ms", pad=8)
            axes.label_outer()
        add_colorbar(image, row[-1], scale)
    return figure


gathers().savefig("figures/gathers.png", dpi=110)
for event, place in (("blow", BLOW), ("slip", SLIP)):
    snapshots(event, place, (0.05, 0.09, 0.13)).savefig(f"figures/snapshots_{event}.png", dpi=110)

# -- the inversion -------------------------------------------------------------------------------------------

spread = [
    receiver.Point2D(x=x, y=0.0, station_code=f"S{k:02d}", fields=["velocity"])
    for k, x in enumerate(np.arange(10.0, 191.0, 10.0))
]
wells = [
    receiver.Point2D(x=x, y=y, station_code=f"W{k:02d}", fields=["velocity"], location_code=well)
    for well, x in (("A", 50.0), ("B", 150.0))
    for k, y in enumerate(np.arange(-4.0, -61.0, -4.0))
]
sources = []
for y, shot, shaker in ((-8.0, 48.0, 152.0), (-20.0, 152.0, 48.0), (-32.0, 48.0, 152.0)):
    sources += [source.MomentTensorPoint2D(x=shot, y=y, mxx=1e5, myy=1e5, mxy=0.0)]
    sources += [source.VectorPoint2D(x=shaker, y=y, fx=0.0, fy=-5e3)]
sources += [source.VectorPoint2D(x=x, y=0.0, fx=0.0, fy=-5e3) for x in (85.0, 115.0)]
events = wt.EventCollection.from_sources(sources, [*spread, *wells])
p += events
p += configuration("true", "with_soft_zone", frequency=30.0, end=0.31)
p += configuration("initial", "plain", frequency=30.0, end=0.3)
names = [event.event_name for event in events]
p.viz.nb.simulation_setup("true", names).savefig("figures/setup.png", dpi=110)
p += wt.MisfitConfiguration("L2", observed_data="true", misfit_function="L2", receiver_field="velocity")
p += wt.InverseProblemConfiguration(
    "inversion",
    prior_model="initial",
    events=names,
    misfit_configuration="L2",
    mapping=wt.Mapping("relative_deviation_from_prior", inversion_parameters=["VP", "VS"]),
    preconditioner=wt.ConstantSmoothing({"VP": 6.0, "VS": 4.0}),
    method=wt.TrustRegion(initial_trust_region_linf=0.04),
    wavefield_compression=wt.WavefieldCompression(forward_wavefield_sampling_interval=10),
)
p.inversions.run("inversion", ITERATIONS)
p.viz.nb.inversion("inversion", models=False).savefig("figures/misfit.png", dpi=110)
inverted = p.inversions.get_model("inversion", ITERATIONS)
models = {"true": "true", "initial": "initial", f"after {ITERATIONS} iterations": inverted}
p.viz.nb.model(models, fields=["VP", "VS"]).savefig("figures/models.png", dpi=110)
plt.close("all")

misfits = [one.misfit for one in p.inversions.tree("inversion").iterations]
print("misfit: " + ", ".join(f"{100 * misfit / misfits[0]:.1f} %" for misfit in misfits))
x, y = np.moveaxis(inverted.get_element_nodes(), -1, 0)
core = np.hypot((x - 100.0) / 14.0, (y + 20.0) / 8.0) < 0.5
means = {
    title: [f"{name} {mesh.element_nodal_fields[name][core].mean():.0f} m/s" for name in ("VP", "VS")]
    for title, mesh in (("initial", p.simulations.get_mesh("initial")), ("inverted", inverted))
}
print("in the middle of the soft zone: " + "; ".join(f"{k} {', '.join(v)}" for k, v in means.items()))
print(f"The project and its figures are in {os.getcwd()}.")
assert misfits[-1] < 0.15 * misfits[0], "the inversion should take the misfit below 15 %"
p.close()

"""Waves in the sea and in the rock below it, and how records depend on the rock, in three dimensions.

``python examples/coupled_3d.py [FOLDER]`` makes the project and figures in FOLDER, a temporary one when it is
not given. Shots in the water are recorded as pressure by hydrophones and as velocity by seismometers on the
sea floor, over rock with and without a stiff body. The gradient of their misfit shows where the body is.
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
from wavetree.viz.slices import draw_slices, views
from wavetree.viz.style import Scale, add_colorbar, new_figure, symmetric

folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="wavetree_")
os.makedirs(os.path.join(folder, "figures"), exist_ok=True)
os.chdir(folder)
source, receiver = wt.simple_config.source.cartesian, wt.simple_config.receiver.cartesian

# -- the sea: 225 m of water over rock, which has a stiff body in it -----------------------------------------

SIDE, FLOOR, BOTTOM = 900.0, -225.0, -450.0
WATER = {"vp": 1500.0, "rho": 1000.0}
ROCK = {"vp": 2700.0, "vs": 1550.0, "rho": 2200.0}
BODY, RADIUS = (450.0, 450.0, -300.0), 70.0
FREQUENCY = 7.5


def rock(name: str, stiff: float) -> wt.model.volume.cartesian.GenericModel:
    """Rock with a body that is faster by a share."""
    x, z = np.linspace(0.0, SIDE, 61), np.linspace(BOTTOM, FLOOR, 16)
    away = (x[:, None, None] - BODY[0]) ** 2 + (x[:, None] - BODY[1]) ** 2 + (z - BODY[2]) ** 2
    faster = 1.0 + stiff * np.exp(-away / RADIUS**2)
    share = {"vp": faster, "vs": faster, "rho": np.ones_like(faster)}
    data = {key: (("x", "y", "z"), ROCK[key] * values) for key, values in share.items()}
    return wt.model.volume.cartesian.GenericModel(name, xr.Dataset(data, coords={"x": x, "y": x, "z": z}))


p = wt.Project.from_domain(
    "project", wt.domain.dim3.BoxDomain(x0=0.0, x1=SIDE, y0=0.0, y1=SIDE, z0=BOTTOM, z1=0.0)
)
for name, stiff in (("with_body", 0.25), ("plain", 0.0)):
    p += rock(f"rock_{name}", stiff)
    p += wt.SimulationConfiguration(
        name,
        max_frequency_in_hertz=20.0,
        elements_per_wavelength=1.3,  # makes the sea floor a face of elements
        tensor_order=4,
        model_configuration=wt.ModelConfiguration(
            wt.model.background.homogeneous.IsotropicAcoustic(**WATER), volume_models=f"rock_{name}"
        ),
        event_configuration=wt.EventConfiguration(
            wt.simple_config.stf.Ricker(FREQUENCY),
            waveform_simulation_configuration=wt.WaveformSimulationConfiguration(0.6),
        ),
        absorbing_boundaries=wt.AbsorbingBoundaryParameters(
            reference_velocity=ROCK["vp"],
            number_of_wavelengths=0.5,
            reference_frequency=FREQUENCY,
            free_surface=["z1"],
        ),
    )

# -- two shots in the water, hydrophones below the surface, seismometers on the sea floor --------------------

across = np.arange(50.0, SIDE - 49.0, 25.0)
line = [
    instrument
    for k, x in enumerate(across)
    for instrument in (
        receiver.Point3D(x=x, y=450.0, z=-20.0, station_code=f"H{k:02d}", fields=["pressure"]),
        receiver.Point3D(x=x, y=450.0, z=FLOOR, station_code=f"F{k:02d}", fields=["pressure", "velocity"]),
    )
]
net = [
    receiver.Point3D(x=x, y=y, z=FLOOR, station_code=f"N{k}X{j}", fields=["velocity"])
    for k, x in enumerate(np.arange(50.0, SIDE, 100.0))
    for j, y in enumerate(np.arange(50.0, SIDE, 100.0))
    if y != 450.0
]
shots = [source.ScalarPoint3D(x=x, y=450.0, z=-100.0, f=1.0) for x in (200.0, 700.0)]
p += wt.EventCollection.from_sources(shots, [*line, *net])
p.viz.nb.simulation_setup("with_body").savefig("figures/setup.png", dpi=110)

written = {"sampling_interval_in_time_steps": 40, "fields": ["pressure", "stress"]}
p.simulations.launch("plain", "event_0000", extra_output_configuration={"volume_data": written})
p.simulations.launch("with_body")
p.simulations.query(block=True)


def snapshots(moments: tuple[float, ...]) -> plt.Figure:
    """Pressure in the water and minus the mean stress in the rock, slices through the shot."""
    (data,) = p.waveforms.get("plain", "event_0000")
    mesh = p.simulations.get_mesh("plain")
    pressure, stress = (
        data.get_wavefield_output("volume", field).sel(time=list(moments), method="nearest")
        for field in ("pressure", "stress")
    )
    values = np.zeros((len(moments), mesh.nelem, pressure.sizes["node"]))
    values[:, pressure.coords["element"].values] = pressure.values[..., 0]
    values[:, stress.coords["element"].values] = -stress.values[..., :3].mean(axis=-1)
    figure = new_figure(5.0 * len(moments), 4.6)
    figure.suptitle("pressure in the water, minus the mean stress in the rock")
    for axes, moment, shown in zip(figure.subplots(1, len(moments)), moments, 1e-3 * values, strict=True):
        scale = symmetric("[kPa]", shown)
        at = (shots[0].x, shots[0].y, FLOOR)
        image = draw_slices(axes, mesh, shown, scale, f"{1e3 * moment:.0f} ms", at)
        add_colorbar(image, axes, scale)
    return figure


def arrivals(above_floor: float) -> dict[str, np.ndarray]:
    """Times [s] at which waves of the first shot reach the line, so high above the floor [m]."""
    away, height = np.abs(across - shots[0].x), shots[0].z - FLOOR
    slow, fast = WATER["vp"], ROCK["vp"]
    critical = np.arcsin(slow / fast)
    refracted = away / fast + (height + above_floor) * np.cos(critical) / slow
    beyond = away > (height + above_floor) * np.tan(critical)
    return {
        "direct": np.hypot(away, height - above_floor) / slow,
        "from the surface": np.hypot(away, shots[0].z + FLOOR + above_floor) / slow,
        "refracted": np.where(beyond, refracted, np.nan),
    }


def gathers() -> plt.Figure:
    """What hydrophones and seismometers record of the first shot."""
    (data,) = p.waveforms.get("plain", "event_0000")
    figure = new_figure(14.0, 5.6)
    panels = (("H", "pressure", "A"), ("F", "pressure", "A"), ("F", "velocity", "X"), ("F", "velocity", "Z"))
    for axes, (kind, field, component) in zip(figure.subplots(1, 4, sharey=True), panels, strict=True):
        names = data.get_receiver_names(field)
        chosen = [k for k, name in enumerate(names) if name.startswith(f"XX.{kind}")]
        times, values = data.get_data_cube(field, component)
        factor, unit = (1e-3, "kPa") if field == "pressure" else (1e3, "mm/s")
        values = factor * values[chosen]
        limit = np.quantile(np.abs(values), 0.98)
        look = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "shading": "gouraud"}
        image = axes.pcolormesh(across, 1e3 * times, values.T, rasterized=True, **look)
        bar = figure.colorbar(image, ax=axes, extend="both", location="bottom", label=f"{field} [{unit}]")
        bar.locator = plt.MaxNLocator(4)
        waves = arrivals(-20.0 - FLOOR if kind == "H" else 0.0)
        for (wave, found), style in zip(waves.items(), ("-", "--", ":"), strict=True):
            axes.plot(across, 1e3 * found, style, color="black", linewidth=1.0, label=wave)
        place = "20 m below the surface" if kind == "H" else "on the sea floor"
        axes.set(
            title=f"{field} {'' if component == 'A' else component}\n{place}",
            xlabel="x [m]",
            ylim=(600.0, 0.0),
        )
        axes.label_outer()
    axes.legend(loc="lower left", framealpha=1.0)
    figure.axes[0].set_ylabel("time [ms]")
    return figure


snapshots((0.15, 0.25, 0.35)).savefig("figures/snapshots.png", dpi=110)
gathers().savefig("figures/gathers.png", dpi=110)

# -- how the records on the sea floor depend on the rock -----------------------------------------------------

p += wt.MisfitConfiguration("L2", observed_data="with_body", misfit_function="L2", receiver_field="velocity")
p.actions.inversion.compute_gradients(
    "plain", "L2", wavefield_compression=wt.WavefieldCompression(forward_wavefield_sampling_interval=10)
)
misfits = p.actions.inversion.compute_misfits("plain", "L2")
gradient = p.actions.inversion.sum_gradients("plain", "L2")
solid = (p.simulations.get_mesh("plain").element_nodal_fields["VS"] > 0.0).all(axis=1, keepdims=True)
for name in ("VP", "VS"):  # the water is known
    gradient.attach_field(name, np.where(solid, gradient.element_nodal_fields[name], 0.0))
smooth = p.actions.inversion.smooth_model(gradient, wt.ConstantSmoothing({"VP": 40.0, "VS": 40.0}))
figure = new_figure(11.0, 4.8)
figure.suptitle("gradient by the velocities of the rock, which are too low inside the circle")
for axes, name in zip(figure.subplots(1, 2), ("VP", "VS"), strict=True):
    values = smooth.element_nodal_fields[name]
    limit = np.abs(values).max()
    scale = Scale(-limit, limit, "RdBu_r", f"∂χ/∂{name} [misfit / (m/s) / m³]")
    add_colorbar(draw_slices(axes, smooth, values, scale, name, BODY), axes, scale)
    for panel, (right, up) in views(axes):
        panel.add_patch(plt.Circle((BODY[right], BODY[up]), RADIUS, fill=False, linestyle="--"))
figure.savefig("figures/gradient.png", dpi=110)
plt.close("all")
print("misfits: " + ", ".join(f"{name} {misfit:.4g}" for name, misfit in misfits.items()))
print(f"The project and its figures are in {os.getcwd()}.")
p.close()

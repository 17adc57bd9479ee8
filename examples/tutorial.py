"""Ultrasound tomography in two dimensions: five sources and a hundred receivers around three discs.

``python examples/tutorial.py [FOLDER] [ITERATIONS]`` makes the project in FOLDER, a temporary one when it is
not given, and does ITERATIONS more than the first one, 4 when it is not given.
"""
# ruff: noqa: E401, E402, E501, E702, I001 (the script is shown as it is typed)

import os
import sys
import tempfile

folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="wavetree_")
more_iterations = int(sys.argv[2]) if len(sys.argv) > 2 else 4
os.makedirs(folder, exist_ok=True)
os.chdir(folder)

# What follows is the tutorial as it stands in the README.
# fmt: off
import numpy as np, xarray as xr
import wavetree.namespace as sn

x = np.linspace(-0.1, 0.1, 200); X, Y = np.meshgrid(x, x, indexing="ij")
vp, rho = np.full_like(X, 1500.0), np.full_like(X, 980.0)
for (cx, cy, r, v, d) in [(0, 0, 0.05, 1480.0, 1000.0), (0, 0.025, 0.015, 1555.0, 1040.0), (0, -0.025, 0.015, 1460.0, 1010.0)]:
    inside = np.hypot(X - cx, Y - cy) < r
    vp[inside], rho[inside] = v, d
true_model = xr.Dataset({"vp": (["x", "y"], vp), "rho": (["x", "y"], rho)}, coords={"x": x, "y": x})

vm = sn.model.volume.cartesian.GenericModel(name="true_model", data=true_model)
p = sn.Project.from_volume_model(path="project", volume_model=vm, load_if_exists=True)
sources = sn.simple_config.source.cartesian.collections.ScalarPoint2DRing(x=0, y=0, radius=0.09, count=5, f=1.0)
for i, s in enumerate(sources):
    ring = sn.simple_config.receiver.cartesian.collections.RingPoint2D(x=0, y=0, radius=0.09, count=100, fields=["phi"])
    receivers = [r for r in ring if np.hypot(*(np.array(s.location) - np.array(r.location))) > 0.03]
    p += sn.EventCollection.from_sources(sources=[s], receivers=receivers, event_name_starting_index=i)   # event_0000 ...
ec = sn.EventConfiguration(wavelet=sn.simple_config.stf.Ricker(center_frequency=50000.0),
                           waveform_simulation_configuration=sn.WaveformSimulationConfiguration(end_time_in_seconds=0.00015))
p += sn.SimulationConfiguration(name="true_model_100kHz", elements_per_wavelength=2, tensor_order=4, max_frequency_in_hertz=100000.0,
        model_configuration=sn.ModelConfiguration(background_model=None, volume_models="true_model"), event_configuration=ec)
p += sn.SimulationConfiguration(name="initial_model", elements_per_wavelength=2, tensor_order=4, max_frequency_in_hertz=100000.0,
        model_configuration=sn.ModelConfiguration(background_model=sn.model.background.homogeneous.IsotropicAcoustic(vp=1500.0, rho=980.0)), event_configuration=ec)
p.viz.nb.simulation_setup(simulation_configuration="true_model_100kHz", events=p.events.list())
for name in ["true_model_100kHz", "initial_model"]:
    p.simulations.launch(simulation_configuration=name, events=p.events.get_all(), site_name="local", ranks_per_job=1)
p.simulations.query(block=True)
p += sn.MisfitConfiguration(name="L2", observed_data="true_model_100kHz", misfit_function="L2", receiver_field="phi")
misfits = p.actions.inversion.compute_misfits(simulation_configuration="initial_model", misfit_configuration="L2", events=p.events.list(), site_name="local", ranks_per_job=1)
gradients = p.actions.inversion.compute_gradients(simulation_configuration="initial_model", misfit_configuration="L2",
        wavefield_compression=sn.WavefieldCompression(forward_wavefield_sampling_interval=10), events=p.events.list(), site_name="local", ranks_per_job=1)
g = p.actions.inversion.sum_gradients(simulation_configuration="initial_model", misfit_configuration="L2", events=p.events.list())
p += sn.InverseProblemConfiguration(name="my_inversion", prior_model="initial_model", events=[e.event_name for e in p.events.get_all()],
        mapping=sn.Mapping(scaling="absolute", inversion_parameters=["VP", "RHO"]),
        preconditioner=sn.ConstantSmoothing({"VP": 0.01, "RHO": 0.01}),
        method=sn.TrustRegion(initial_trust_region_linf=10.0), misfit_configuration="L2",
        job_submission=sn.SiteConfig(site_name="local", ranks_per_job=1))
p.inversions.add_iteration(inverse_problem_configuration="my_inversion")
p.inversions.resume(inverse_problem_configuration="my_inversion")       # one step at a time ...
p.inversions.iterate(inverse_problem_configuration="my_inversion", timeout_in_seconds=360, ping_interval_in_seconds=1)   # ... or a whole iteration
p.viz.nb.inversion(inverse_problem_configuration="my_inversion")
model = p.inversions.get_model(inverse_problem_configuration="my_inversion", iteration_id=1)   # a mesh with absolute VP, RHO
# fmt: on

for _ in range(more_iterations):
    p.inversions.iterate("my_inversion", timeout_in_seconds=360, ping_interval_in_seconds=1)

first = p.inversions.get_iteration("my_inversion", 0).misfit
misfits = [p.inversions.get_iteration("my_inversion", k).misfit for k in range(1, more_iterations + 2)]
print(f"misfit of the initial model: {first:.6g}")
for k, misfit in enumerate(misfits, start=1):
    print(f"after {k} iterations: {misfit:.6g}, {100 * misfit / first:.1f} %")
print(f"The project is in {os.getcwd()}.")
assert misfits[0] < 0.45 * first, "the first iteration should take the misfit below 45 %"

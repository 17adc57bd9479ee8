"""The tutorial's inversion in a folder: ultrasound tomography of three discs in a box of water."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib import pyplot

import wavetree as wt
from wavetree.errors import Cancelled
from wavetree.project.log import show_log

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wavetree.inversion.iteration import Iteration

__all__ = ["add_entities", "run_demo", "true_model"]

TRUE, INITIAL, MISFIT, INVERSION = "true_model_100kHz", "initial_model", "L2", "my_inversion"
_COMPRESSION = {"forward_wavefield_sampling_interval": 10}
_COLUMNS = (
    "iteration",
    "new chi",
    "of first",
    "||g||",
    "pred",
    "ared",
    "ratio",
    "radius",
    "improved",
    "seconds",
)
_WIDTHS = (9, 9, 8, 9, 10, 10, 6, 8, 8, 7)

_log = logging.getLogger("wavetree")


def run_demo(folder: Path, iterations: int, echo: Callable[[str], None]) -> None:
    """Invert simulated records of the tutorial's model, or go on with it, and draw figures.

    Parameters
    ----------
    folder
        Where the project, the figures and the log go; made if it is not there.
    iterations
        Iterations in all, those of earlier runs in the same folder included.
    echo
        Takes each line that the user is to read.

    Raises
    ------
    ValueError
        If the folder holds something else by the name of the project.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "project"
    with _logging_into(folder / "demo.log"):
        project = wt.Project.from_volume_model(path, true_model(), load_if_exists=True)
        with contextlib.closing(project):
            begun = bool(project.inversions.list())
            echo(f"{'Going on with the project' if begun else 'New project'} {path}")
            add_entities(project)
            demo = _Demo(project, folder / "figures", echo)
            demo.simulate()
            demo.invert(iterations)
    echo("\nFigures")
    for file in demo.files:
        echo(f"    {file}")
    echo(f"Log\n    {folder / 'demo.log'}")


def true_model() -> wt.model.volume.cartesian.GenericModel:
    """Return three discs in water: VP [m/s] and RHO [kg/m^3] in a box of 0.2 m."""
    x = np.linspace(-0.1, 0.1, 200)
    across, along = np.meshgrid(x, x, indexing="ij")
    vp, rho = np.full_like(across, 1500.0), np.full_like(across, 980.0)
    discs = [(0.0, 0.05, 1480.0, 1000.0), (0.025, 0.015, 1555.0, 1040.0), (-0.025, 0.015, 1460.0, 1010.0)]
    for y, radius, disc_vp, disc_rho in discs:
        inside = np.hypot(across, along - y) < radius
        vp[inside], rho[inside] = disc_vp, disc_rho
    data = xr.Dataset({"vp": (["x", "y"], vp), "rho": (["x", "y"], rho)}, coords={"x": x, "y": x})
    return wt.model.volume.cartesian.GenericModel(name="true_model", data=data)


def add_entities(project: wt.Project) -> None:
    """Add the tutorial's events and configurations; what is there already stays."""
    for event in _events():
        project += event
    water = wt.model.background.homogeneous.IsotropicAcoustic(vp=1500.0, rho=980.0)
    models = {
        TRUE: wt.ModelConfiguration(volume_models="true_model"),
        INITIAL: wt.ModelConfiguration(background_model=water),
    }
    for name, model in models.items():
        project += wt.SimulationConfiguration(
            name=name, elements_per_wavelength=2, tensor_order=4, max_frequency_in_hertz=100000.0,
            model_configuration=model, event_configuration=_event_configuration(),
        )  # fmt: skip
    project += wt.MisfitConfiguration(
        name=MISFIT, observed_data=TRUE, misfit_function="L2", receiver_field="phi"
    )
    project += wt.InverseProblemConfiguration(
        name=INVERSION,
        prior_model=INITIAL,
        events=tuple(project.events.list()),
        mapping=wt.Mapping(scaling="absolute", inversion_parameters=("VP", "RHO")),
        preconditioner=wt.ConstantSmoothing({"VP": 0.01, "RHO": 0.01}),
        method=wt.TrustRegion(initial_trust_region_linf=10.0),
        misfit_configuration=MISFIT,
        job_submission=wt.SiteConfig(site_name="local", ranks_per_job=1),
    )


def _events() -> Iterator[wt.EventCollection]:
    """Sources on a ring, each with the receivers of the ring that are not too near to it."""
    cartesian = wt.simple_config.source.cartesian
    sources = cartesian.collections.ScalarPoint2DRing(x=0, y=0, radius=0.09, count=5, f=1.0)
    ring = wt.simple_config.receiver.cartesian.collections.RingPoint2D(
        x=0, y=0, radius=0.09, count=100, fields=("phi",)
    )
    for k, source in enumerate(sources):
        far = [r for r in ring if np.hypot(*np.subtract(source.location, r.location)) > 0.03]
        yield wt.EventCollection.from_sources([source], far, event_name_starting_index=k)


def _event_configuration() -> wt.EventConfiguration:
    return wt.EventConfiguration(
        wavelet=wt.simple_config.stf.Ricker(center_frequency=50000.0),
        waveform_simulation_configuration=wt.WaveformSimulationConfiguration(end_time_in_seconds=0.00015),
    )


class _Demo:
    """The steps of the demo in a project, with their figures."""

    def __init__(self, project: wt.Project, figures: Path, echo: Callable[[str], None]) -> None:
        self._project = project
        self._figures = figures
        self._echo = echo
        self.files: list[Path] = []

    def simulate(self) -> None:
        """Simulate the records, and compute the gradient at the initial model."""
        project, draw = self._project, self._project.viz.nb
        self._save("setup", draw.simulation_setup(TRUE))
        for name in (TRUE, INITIAL):
            project.simulations.launch(name, verbosity=0)
        project.simulations.query(block=True)
        self._save("waveforms", draw.waveforms([TRUE, INITIAL], "phi", events=project.events.list()[0]))
        project.actions.inversion.compute_gradients(
            INITIAL, MISFIT, wavefield_compression=wt.WavefieldCompression(**_COMPRESSION)
        )
        self._save("gradient", draw.gradients(INITIAL, MISFIT))

    def invert(self, iterations: int) -> None:
        """Do the iterations that are missing."""
        inversions = self._project.inversions
        self._echo("\n" + _line(_COLUMNS))
        done = 0
        while done < iterations:
            tree = inversions.tree(INVERSION).iterations
            if len(tree) <= done or tree[done].accepted is None:
                if not inversions.iterate(INVERSION):
                    raise Cancelled("the simulations were cancelled; what is finished is kept.")
            elif tree[done].accepted:
                self._echo(_row(tree[done], tree[done + 1], tree[0]))
                done += 1
            else:
                self._echo(f"The inversion has ended: {tree[done].reason}.")
                break
        draw, reached = self._project.viz.nb, inversions.tree(INVERSION).iterations[done].id
        self._save("misfit", draw.inversion(INVERSION, models=False))
        after = f"after {done} iteration{'s'[: done != 1]}"
        models = {"true": TRUE, "initial": INITIAL, after: inversions.get_model(INVERSION, reached)}
        self._save("models", draw.model(models))

    def _save(self, name: str, figure: Figure) -> None:
        file = self._figures / f"{name}.png"
        file.parent.mkdir(exist_ok=True)
        figure.savefig(file, dpi=100)
        pyplot.close(figure)
        self.files.append(file)


def _row(iteration: Iteration, following: Iteration, first: Iteration) -> str:
    """The line of a finished iteration: the misfit that it reached, and its accepted step."""
    trial = iteration.trials[-1]
    before, after = iteration.misfits or {}, following.misfits or {}
    improved = sum(after[event] < before[event] for event in after)
    return _line(
        (
            str(iteration.id),
            f"{following.misfit:.4g}",
            f"{(following.misfit or 0.0) / (first.misfit or 1.0):.1%}",
            f"{iteration.gradient_norm:.4g}",
            f"{trial.predicted_reduction:.4g}",
            f"{trial.actual_reduction:.4g}",
            f"{trial.ratio:.3f}",
            f"{trial.radius:.4g}",
            f"{improved} of {len(after)}",
            f"{iteration.seconds:.1f}",
        )
    )


def _line(cells: tuple[str, ...]) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))


@contextlib.contextmanager
def _logging_into(file: Path) -> Iterator[None]:
    """Append the log to a file; of it the terminal shows warnings alone, beside what the demo prints."""
    show_log()
    terminal = {handler: handler.level for handler in _log.handlers}
    level = _log.level
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s: %(message)s"))
    for other in terminal:
        other.setLevel(logging.WARNING)
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    try:
        yield
    finally:
        _log.removeHandler(handler)
        handler.close()
        _log.setLevel(level)
        for other, before in terminal.items():
            other.setLevel(before)

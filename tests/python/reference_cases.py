"""The reference cases, solutions of other codes on disk, as simulations and with their errors."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from wavetree.data.event_data import EventData
from wavetree.data.resample import SampleAxis
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing, BoundaryCondition, FreeSurface
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.receiver.receiver import Receiver
from wavetree.survey.source.cartesian import MomentTensorPoint2D, MomentTensorPoint3D, VectorPoint2D
from wavetree.survey.source.source import Source
from wavetree.survey.stf import FilteredHeaviside, GaussianRate, Ricker

ORDER = 4
COARSENING = 1.25  # size of elements in units of the reference's
NAMES = (
    "a_acoustic_homogeneous_free_surface",
    "b_lamb_elastic_halfspace",
    "c_elastic_two_layer_moment_tensor",
    "d_fluid_solid_flat",
    "f_vti_elastic_homogeneous",
    "h_3d_elastic_two_layer_moment_tensor",
)


def reference_folder() -> Path | None:
    """The folder with the cases: ``reference`` in $WAVETREE_SHARED, or in ``shared`` beside the checkout."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("WAVETREE_SHARED", beside)) / "reference"
    return folder if folder.is_dir() else None


@dataclass(frozen=True)
class Result:
    """What a case's simulation has found.

    Attributes
    ----------
    simulation, data
        The simulation and its records.
    seconds
        Wall time of the run, set-up left out.
    errors
        By receiver, relative L2 error by quantity, "displacement" and in fluids "pressure".
    """

    simulation: Simulation
    data: EventData
    seconds: float
    errors: dict[str, dict[str, float]]

    @property
    def largest(self) -> float:
        """The largest error of all receivers and quantities."""
        return max(error for errors in self.errors.values() for error in errors.values())


class ReferenceCase:
    """One case, as the simulation that its case.json describes. The last axis of the mesh is the case's z."""

    def __init__(self, folder: Path) -> None:
        self.description: dict[str, Any] = json.loads((folder / "case.json").read_text())
        with np.load(folder / "seismograms.npz") as stored:
            self.records = {name: stored[name] for name in stored.files}
        self.name: str = self.description["name"]
        self.dim: int = self.description["dimension"]
        # The centre frequency stands in the words that describe the time function alone.
        self.frequency = float(re.findall(r"f0=([\d.]+) Hz", json.dumps(self.description["source"]))[0])

    # -- description ---------------------------------------------------------------------------

    @property
    def axis(self) -> SampleAxis:
        """The times of the records."""
        span = self.description["time"]
        return SampleAxis(span["t_first"], 1.0 / span["dt"], self.records["ux"].shape[1])

    @property
    def media(self) -> list[dict[str, Any]]:
        """The layers, from the lowest to the topmost."""
        return sorted(self.description["media"], key=lambda layer: layer["z"][0])

    @cached_property
    def free_top(self) -> bool:
        """Whether the top is a free surface and not absorbing."""
        return "free" in self.description["boundaries"]["top"]

    def rho_of(self, receiver: dict[str, Any]) -> float:
        """Density of the layer of a receiver [kg/m³]."""
        return next(m["rho"] for m in self.media if m["z"][0] <= receiver["z"] <= m["z"][1])

    # -- simulation ----------------------------------------------------------------------------

    def mesh(self, coarsening: float) -> Mesh:
        """Elements of at least so many times the reference's size, a whole number in every layer."""
        domain, size = self.description["domain"], self.description["mesh"]["reference"]["element_size_m"]

        def count(low: float, high: float) -> int:
            return max(1, int((high - low) / (coarsening * size) + 1e-9))

        layers = [np.linspace(*m["z"], count(*m["z"]) + 1) for m in self.media]
        levels = np.unique(np.concatenate(layers))
        sides = [tuple(map(float, domain[axis])) for axis in "xy"[: self.dim - 1]]

        def to_levels(points: np.ndarray) -> np.ndarray:
            height = np.interp(points[:, -1], np.arange(levels.size), levels)
            return np.column_stack([points[:, :-1], height])

        n_levels = levels.size - 1
        counts = [*(count(*side) for side in sides), n_levels]
        mesh = box_mesh([*sides, (0.0, float(n_levels))], counts, deformation=to_levels)
        for name, values in self._parameters(mesh.get_element_centroid()[:, -1]).items():
            mesh.attach_field(name, np.repeat(values[:, None], (ORDER + 1) ** self.dim, axis=1))
        return mesh

    def _parameters(self, height: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters by element, whose centres are given."""
        parameters: dict[str, np.ndarray] = {}
        for layer in self.media:
            inside = (height > layer["z"][0]) & (height < layer["z"][1])
            for name, value in _layer_parameters(layer).items():
                parameters.setdefault(name, np.zeros(height.size))[inside] = value
        return parameters

    def source(self) -> Source:
        """The source; of an explosion in a fluid the equivalent moment is taken."""
        about = self.description["source"]
        place = self._place(about["position"])
        decay = np.pi * self.frequency
        if "force" in about["type"]:
            return VectorPoint2D(**place, fx=0.0, fy=about["A"], source_time_function=Ricker(self.frequency))
        if self.dim == 3:
            moment = {name.lower(): value for name, value in about["M"].items()}
            step = FilteredHeaviside(self.frequency * np.sqrt(np.log(100.0)))  # (1 + erf(π f0 t))/2
            return MomentTensorPoint3D(**place, **moment, source_time_function=step)
        explosion = {"Mxx": -1.0, "Mzz": -1.0, "Mxz": 0.0}
        # A exp(−at²)/(2a), a = (π f0)², by the Gaussian of unit integral
        factor = about["A"] / (2 * decay**2) * np.sqrt(np.pi) / decay
        components = about.get("M", explosion).items()
        moment = {name.lower().replace("z", "y"): factor * value for name, value in components}
        return MomentTensorPoint2D(**place, **moment, source_time_function=GaussianRate(1.628 / decay))

    def receivers(self) -> list[Receiver]:
        """The receivers, under their names."""
        kind = Point2D if self.dim == 2 else Point3D
        fields = {"fluid": ["gradient-of-phi", "pressure"], "solid": ["displacement"]}
        return [
            kind(
                **self._place([r[axis] for axis in "xyz" if axis in r]),
                station_code=r["name"],
                fields=fields[r.get("medium", "solid")],
            )
            for r in self.description["receivers"]
        ]

    def _place(self, position: list[float]) -> dict[str, float]:
        return dict(zip("xyz", position, strict=False))

    def conditions(self) -> list[BoundaryCondition]:
        """First-order absorbing sides, as those of the references, and the free surface."""
        top = f"{'xyz'[self.dim - 1]}1"
        sides = [f"{axis}{end}" for axis in "xyz"[: self.dim] for end in "01"]
        if not self.free_top:
            return [Absorbing(sides)]
        return [Absorbing([side for side in sides if side != top]), FreeSurface([top])]

    def simulation(self, precision: str = "float32") -> Simulation:
        """The simulation with the default time step and filters, on the coarser mesh."""
        span = WaveformSimulationConfiguration(
            precision=precision,
            end_time_in_seconds=self.axis.end_time_in_seconds,
            start_time_in_seconds=self.axis.start_time_in_seconds,
        )
        return Simulation(self.mesh(COARSENING), [self.source()], self.receivers(), span, self.conditions())

    # -- errors --------------------------------------------------------------------------------

    def run(self, precision: str = "float32") -> Result:
        """Simulate and compare."""
        simulation = self.simulation(precision)
        before = time.perf_counter()
        data = simulation.run()
        seconds = time.perf_counter() - before
        errors: dict[str, dict[str, float]] = {}
        for receiver, quantity, found, expected in self.compared(data):
            error = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
            errors.setdefault(receiver, {})[quantity] = error
        return Result(simulation, data, seconds, errors)

    def compared(self, data: EventData) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
        """Yield receiver, quantity, and its records found and expected, (n_components, n_samples)."""
        records = {field: iter(data.interpolated(field, self.axis)) for field in data.receiver_fields}
        for index, receiver in enumerate(self.description["receivers"]):
            moved = [self.records[f"u{axis}"][index] for axis in "xyz" if f"u{axis}" in self.records]
            if receiver.get("medium", "solid") == "fluid":
                by_density = next(records["gradient-of-phi"]) / self.rho_of(receiver)
                yield receiver["name"], "displacement", by_density, np.array(moved)
                yield receiver["name"], "pressure", next(records["pressure"]), self.records["p"][[index]]
            else:
                yield receiver["name"], "displacement", next(records["displacement"]), np.array(moved)


def _layer_parameters(layer: dict[str, Any]) -> dict[str, float]:
    """Parameters of a layer; tensor components of a hexagonal one, in 2-D."""
    if "c11" in layer:
        components = {"C11": "c11", "C12": "c13", "C22": "c33", "C33": "c55"}
        tensor = {name: layer[key] for name, key in components.items()}
        return {**tensor, "C13": 0.0, "C23": 0.0, "RHO": layer["rho"]}
    return {"VP": layer["vp"], "VS": layer.get("vs", 0.0), "RHO": layer["rho"]}

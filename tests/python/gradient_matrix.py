"""The set-ups of the gradient matrix: small simulations of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from covering import Row, covering_array, pairs
from meshes import make_mesh, shuffled
from wavetree import _core
from wavetree.data.event_data import EventData
from wavetree.mesh import Mesh
from wavetree.model.parameter_set import ParameterSet
from wavetree.model.parameters import SETS, find_set
from wavetree.simulation.boundary import Absorbing, BoundaryCondition, HomogeneousDirichlet
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.medium import fluid_elements
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.time_axis import TimeAxis
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.receiver.fields import FIELDS
from wavetree.survey.receiver.receiver import PointReceiver
from wavetree.survey.source import cartesian
from wavetree.survey.source.source import PointSource
from wavetree.survey.stf import Ricker

FREQUENCY = 3000.0
# Schemes that store the wavefield without loss, as `Simulation.run` takes them.
STORAGE = {"every step": 0, "many states": 1, "few states": 3}  # of `exact_storage_plans`
FIELDS_OF = {m: [name for name, field in FIELDS.items() if field.medium == m] for m in ("fluid", "solid")}

FACTORS: dict[str, tuple] = {
    "dim": (2, 3),
    "medium": ("fluid", "solid", "coupled"),
    "boundary": ("natural", "dirichlet", "impedance", "sponge"),
    "parameters": tuple(range(len(SETS[2]))),
    "receivers": (*range(6), "all"),
    "source": ("scalar", "gradient", "fluid moment", "vector", "solid moment", "all"),
    "storage": tuple(STORAGE),
    "mesh": ("sinusoidal", "perturbed", "disc"),
    "order": ("low", "high"),
    "filtered": (False, True),
    "every": (1, 3),
}
# Of the levels of these factors every combination occurs.
GROUPS = [
    ("dim", "medium", "boundary"),
    ("dim", "medium", "parameters"),
    ("medium", "boundary", "parameters"),
    ("medium", "receivers", "filtered"),
    *pairs(FACTORS),
]
_SOURCE_MEDIUM = {
    **dict.fromkeys(("scalar", "gradient", "fluid moment"), "fluid"),
    **dict.fromkeys(("vector", "solid moment"), "solid"),
}


def allowed(row: Row) -> bool:
    """Say whether there is such a set-up."""
    medium = row["medium"]
    if not SETS[2][row["parameters"]].shear and medium != "fluid":
        return False
    if medium != "coupled" and _SOURCE_MEDIUM.get(row["source"], medium) != medium:
        return False
    return not (row["mesh"] == "disc" and row["boundary"] == "sponge")  # a sponge needs plane sides


def rows() -> list[Row]:
    """Return a covering array of `GROUPS`."""
    return covering_array(FACTORS, GROUPS, allowed, np.random.default_rng(0))


def label(row: Row) -> str:
    names = SETS[2][row["parameters"]].names
    shown = {**row, "dim": f"{row['dim']}D", "parameters": "C" if names[0] == "C11" else "".join(names[:2])}
    shown["filtered"] = "filtered" if row["filtered"] else "plain"
    shown["receivers"] = f"fields{row['receivers']}"
    return "-".join(str(value).replace(" ", "_") for value in shown.values())


# -- mesh and medium ---------------------------------------------------------------------------


def make_medium(row: Row) -> Mesh:
    """A curved mesh with random numbering and a medium that changes everywhere and jumps."""
    rng, dim = np.random.default_rng(11), row["dim"]
    disc = row["mesh"] == "disc"
    mesh = make_mesh(row["mesh"], dim, 2, 1 if disc else 5 - dim)
    fluid = np.full(mesh.nelem, row["medium"] == "fluid")
    if row["medium"] == "coupled":
        # Around the core of the disc, the last layers of boxes, which are numbered layer by layer.
        fluid[1 if disc else mesh.nelem // 2 // 3 * 3 :] = True
    mesh.attach_field("fluid", fluid.astype(float))
    mesh = shuffled(mesh, rng)
    fluid = mesh.elemental_fields.pop("fluid") > 0.5
    order = {"low": 2, "high": 4 if dim == 2 else 3}[row["order"]]
    shape = (mesh.nelem, (order + 1) ** dim)
    velocities = {}
    for name, solid, ratio in (("VP", 3000.0, 0.6), ("VS", 1700.0, 0.0), ("RHO", 2000.0, 0.5)):
        velocities[name] = solid * (1.0 + 0.05 * rng.uniform(-1.0, 1.0, shape))
        velocities[name][fluid] *= ratio
    found = SETS[dim][row["parameters"]]
    values = find_set(velocities, dim).convert(velocities, found)
    if found.orientation:
        _make_general(values, found, ~fluid, rng)
    for name, value in values.items():
        mesh.attach_field(name, value)
    return mesh


def _make_general(
    values: dict[str, np.ndarray], found: ParameterSet, solid: np.ndarray, rng: np.random.Generator
) -> None:
    """Give solids that came from isotropic velocities all the freedom of their set, and turn them."""
    stiffness = np.max(values["C11"]) if "C11" in values else 0.0
    for name in found.names:
        size = stiffness if name.startswith("C") else values[name][solid]
        values[name][solid] += 0.04 * size * rng.uniform(-1.0, 1.0, values[name][solid].shape)
    for name in found.orientation:
        values[name] = rng.uniform(-1.0, 1.0, values["RHO"].shape)


def conditions(row: Row) -> list[BoundaryCondition]:
    """Conditions on some sides; in mixed boxes the interface meets them."""
    top = "y1" if row["dim"] == 2 else "z1"
    sides = ["x0", "x1", "y0"] if row["dim"] == 2 else ["x0", "y1", "z0"]
    if row["mesh"] == "disc":
        top, sides = "boundary", ["boundary"]
    return {
        "natural": [],
        "dirichlet": [HomogeneousDirichlet(list(dict.fromkeys([top, sides[0]])))],
        "impedance": [Absorbing(sides)],
        "sponge": [
            Absorbing(sides[:2], width_in_meters=0.4, reference_velocity=3000.0),
            HomogeneousDirichlet([top]),
        ],
    }[row["boundary"]]


# -- sources and receivers ---------------------------------------------------------------------


def places(mesh: Mesh, rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Six points inside elements of fluid and solid, by medium."""
    fluid = fluid_elements(mesh)
    nodes = mesh.node_coordinates(2)
    result: dict[str, list[np.ndarray]] = {"fluid": [], "solid": []}
    for medium, elements in (("fluid", np.flatnonzero(fluid)), ("solid", np.flatnonzero(~fluid))):
        for element in rng.choice(elements, 6) if len(elements) else []:
            middle, corner = nodes[element, nodes.shape[1] // 2], nodes[element, 0]
            result[medium].append(middle + rng.uniform(0.1, 0.5) * (corner - middle))
    return result


def _axes(place: np.ndarray) -> dict[str, float]:
    return {axis: float(x) for axis, x in zip("xyz", place, strict=False)}


def make_sources(row: Row, at: dict[str, list[np.ndarray]]) -> list[PointSource]:
    """One source, or one of every kind that the media have."""
    dim = row["dim"]
    axes = "xyz"[:dim]
    force = {f"f{axis}": 1.0 - 0.7 * k for k, axis in enumerate(axes)}
    normal = {f"m{axis}{axis}": 1.0 for axis in axes}
    shear = ["mxy"] if dim == 2 else ["myz", "mxz", "mxy"]
    tilted = {name: 0.3 + 0.4 * k for k, name in enumerate([*normal, *shear])}
    # Amplitudes for which waves of all kinds are about as large.
    kinds: dict[str, tuple[str, int, float, dict[str, float]]] = {
        "scalar": ("ScalarPoint", 0, 3e-4, {"f": 1.0}),
        "gradient": ("ScalarGradientPoint", 1, 1e-4, force),
        "fluid moment": ("MomentTensorPoint", 2, 1e6, {**normal, **dict.fromkeys(shear, 0.0)}),
        "vector": ("VectorPoint", 0, 1e7, force),
        "solid moment": ("MomentTensorPoint", 1, 1e6, tilted),
    }
    sources = []
    for kind in kinds if row["source"] == "all" else [row["source"]]:
        name, number, size, amplitudes = kinds[kind]
        places = at[_SOURCE_MEDIUM[kind]]
        if places:
            scaled = {key: size * value for key, value in amplitudes.items()}
            cls = getattr(cartesian, f"{name}{dim}D")
            sources.append(cls(**_axes(places[number]), **scaled, source_time_function=Ricker(FREQUENCY)))
    return sources


def make_receivers(row: Row, at: dict[str, list[np.ndarray]]) -> list[PointReceiver]:
    """Three receivers in each medium, of one field or of all."""
    cls, result = {2: Point2D, 3: Point3D}[row["dim"]], []
    for medium, points in at.items():
        names = FIELDS_OF[medium]
        fields = names if row["receivers"] == "all" else [names[row["receivers"] % len(names)]]
        for place in points[3:]:
            result.append(cls(**_axes(place), station_code=f"A{len(result)}", fields=fields))
    return result


# -- simulations -------------------------------------------------------------------------------


def make_simulation(
    row: Row, precision: str = "float64", axis: TimeAxis | None = None, comm: Any = None
) -> Simulation:
    mesh = make_medium(row)
    at = places(mesh, np.random.default_rng(12))
    span = WaveformSimulationConfiguration(
        end_time_in_seconds=1e-3,
        temporal_dispersion_correction=row["filtered"],
        receiver_sampling_interval_in_time_steps=row["every"],
    )
    survey = make_sources(row, at), make_receivers(row, at)
    return Simulation(mesh, *survey, span, conditions(row), precision, comm, time_axis=axis)


def shaken(records: EventData, generator: np.random.Generator) -> EventData:
    """Observed records that differ from the synthetic ones in every component and have noise besides."""
    values = {}
    for name, u in records.data.items():
        factor = 1.0 + 0.5 * generator.uniform(-1.0, 1.0, (*u.shape[:2], 1))
        values[name] = u * (factor + 0.1 * generator.standard_normal(u.shape))
    axis = (records.start_time_in_seconds, records.sampling_rate_in_hertz)
    return EventData(records.event_name, records.receivers, values, *axis)


def relative_l2(u: np.ndarray, d: np.ndarray, rate: float) -> tuple[float, np.ndarray]:
    """L2 of every component relative to the observed one, so that fields of all units count alike."""
    weights = rate / np.sum(d**2, axis=1, keepdims=True)
    return 0.5 * float(np.sum(weights * (u - d) ** 2)) / rate, weights * (u - d)


def source_maps(simulation: Simulation) -> tuple[Callable, Callable, tuple[int, int]]:
    """The map from the samples of the sources (n_sources, n_steps) to the records, and its transpose.

    Records of all fields stand in one flat vector (n,).
    """
    core, n, dt = simulation._core, simulation.n_steps, simulation.time_axis.dt
    sources, receivers = simulation._sources, simulation._receivers
    shapes = receivers.shapes(n)
    ends = np.cumsum([np.prod(shape) for shape in shapes.values()])

    def forward(functions: np.ndarray) -> np.ndarray:
        samples = receivers.samples(n)
        given = zip(sources.operators, sources.samples(functions), strict=True)
        read = zip(receivers.operators, samples, strict=True)
        series = [rows.series(f) for rows, f in given], [rows.series(s) for rows, s in read]
        core.compiled.forward(core.compiled.start(dt), n, *series, n, n, [], None, _core.Control())
        records = receivers.records(samples, simulation._filtered)
        return np.concatenate([records[field].ravel() for field in shapes])

    def adjoint(records: np.ndarray) -> np.ndarray:
        fields = zip(shapes.items(), np.split(records, ends[:-1]), strict=True)
        by_field = {field: values.reshape(shape) for (field, shape), values in fields}
        by_sample = receivers.adjoint(by_field, n, simulation._filtered)
        found = [np.zeros((rows.points.n_rows, n + 1)) for rows in sources.operators]
        given = zip(receivers.operators, by_sample, strict=True)
        read = zip(sources.operators, found, strict=True)
        series = [rows.adjoint_series(dt, s) for rows, s in given], [rows.series(f) for rows, f in read]
        core.compiled.adjoint(core.compiled.start_adjoint(dt, n), 0, *series, n + 1, [], _core.Control())
        result = np.zeros((len(simulation.sources), n))
        for rows, numbers in zip(found, sources._row_source, strict=True):
            result[numbers] = rows[:, :n]
        return result / dt

    return forward, adjoint, (len(simulation.sources), n)


def field_sizes(simulation: Simulation) -> np.ndarray:
    """The size of the field that every entry of the flat records belongs to."""
    records = simulation.run().data
    shapes = simulation._receivers.shapes(simulation.n_steps)
    return np.concatenate([np.full(np.prod(s), np.std(records[field])) for field, s in shapes.items()])

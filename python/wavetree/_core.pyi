"""
Compiled core of wavetree.
"""

from __future__ import annotations
import collections.abc
import numpy
import numpy.typing
import typing
import wavetree.errors

__all__: list[str] = [
    "Cancelled",
    "Control",
    "DiffusionOperator",
    "Locator",
    "Medium",
    "PointOperator",
    "RankError",
    "Series",
    "Share",
    "SimulationFloat32",
    "SimulationFloat64",
    "StateFloat32",
    "StateFloat64",
    "Unstable",
    "WavefieldStoreFloat32",
    "WavefieldStoreFloat64",
    "adjoint_samples",
    "copy_rate",
    "dof_map",
    "gll",
    "instruction_sets",
    "mass_weights",
    "max_order",
    "multiply_add_rate",
    "node_coordinates",
    "triad_rate",
]

class Cancelled(wavetree.errors.Cancelled):
    pass

class Unstable(wavetree.errors.SimulationFailed):
    pass

class RankError(wavetree.errors.RankError):
    pass

class Control:
    """
    Progress of a run and the request to stop it; safe to use from any thread.
    """
    def __init__(self) -> None: ...
    def cancel(self) -> None:
        """
        Ask the run to stop at its next look, within some 20 ms.
        """
    @property
    def cancelled(self) -> bool: ...
    @property
    def progress(self) -> float:
        """
        Part of the run that is done, 0 to 1.
        """
    @progress.setter
    def progress(self, arg1: typing.SupportsFloat | typing.SupportsIndex) -> None: ...

class Locator:
    """
    Finds positions in a mesh.
    """
    def __init__(
        self,
        points: numpy.typing.NDArray[numpy.float64],
        connectivity: numpy.typing.NDArray[numpy.int64],
        shape_order: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def locate(self, positions: numpy.typing.NDArray[numpy.float64]) -> tuple:
        """
        Element (n,) and reference coordinates (n, dim) of positions (n, dim) [m].
        """

class Share:
    """
    What one of several ranks has of a mesh.
    """
    def __init__(
        self,
        ranks: typing.Any,
        ghost_rank: numpy.typing.NDArray[numpy.int32],
        number: numpy.typing.NDArray[numpy.int64],
    ) -> None:
        """
        ranks: `wavetree.ranks.Ranks`; ghost_rank (n_ghosts,): rank of the elements behind this rank's own; number (n_elements + n_ghosts,): of all of them in the whole mesh.
        """

class Medium:
    """
    The elements of one physics, with sides (n, 2) numbered within it.
    """
    def __init__(
        self,
        physics: str,
        elements: numpy.typing.NDArray[numpy.int64],
        coefficients: numpy.typing.NDArray[numpy.float64],
        sponge_rate: numpy.typing.NDArray[numpy.float64],
        absorbing: numpy.typing.NDArray[numpy.int64],
        dirichlet: numpy.typing.NDArray[numpy.int64],
        ghosts: numpy.typing.NDArray[numpy.int64] = ...,
    ) -> None: ...

class PointOperator:
    """
    Rows of sources or receivers in one medium.
    """
    @property
    def n_rows(self) -> int: ...

class Series:
    """
    Rows with their time derivatives (n_rows,) and samples (n_rows, n_samples).
    """
    def __init__(
        self,
        points: PointOperator,
        derivative: numpy.typing.NDArray[numpy.int32],
        samples: numpy.typing.NDArray[numpy.float64],
    ) -> None: ...

class WavefieldStoreFloat32:
    """
    Stored steps (n,), weights (n,) and snapshots (n, n_values).
    """
    def __init__(
        self,
        steps: numpy.typing.NDArray[numpy.int64],
        weights: numpy.typing.NDArray[numpy.float64],
        snapshots: numpy.typing.NDArray[numpy.float32],
    ) -> None: ...

class StateFloat32:
    """
    All that one time step hands to the next.
    """
    def copy(self) -> StateFloat32: ...
    @property
    def step(self) -> int: ...

class SimulationFloat32:
    """
    Waves in fluid, solid or both on one mesh.
    """
    def __init__(
        self,
        points: numpy.typing.NDArray[numpy.float64],
        connectivity: numpy.typing.NDArray[numpy.int64],
        shape_order: typing.SupportsInt | typing.SupportsIndex,
        order: typing.SupportsInt | typing.SupportsIndex,
        media: collections.abc.Sequence[Medium],
        instruction_set: str,
        threads: typing.SupportsInt | typing.SupportsIndex,
        events_in_lanes: bool = False,
        share: Share | None = None,
    ) -> None: ...
    def adjoint(
        self,
        state: StateFloat32,
        begin: typing.SupportsInt | typing.SupportsIndex,
        receivers: collections.abc.Sequence[Series],
        sources: collections.abc.Sequence[Series],
        n_samples: typing.SupportsInt | typing.SupportsIndex,
        stores: collections.abc.Sequence[WavefieldStoreFloat32],
        control: Control,
    ) -> None:
        """
        Take an adjoint state back to a step.
        """
    def element_dofs(
        self, medium: typing.SupportsInt | typing.SupportsIndex
    ) -> numpy.typing.NDArray[numpy.int64]:
        """
        Degrees of freedom (n_elements, n_nodes) of a medium.
        """
    def field(
        self,
        state: StateFloat32,
        medium: typing.SupportsInt | typing.SupportsIndex,
        velocity: bool = False,
        field: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> numpy.typing.NDArray[numpy.float32]:
        """
        Field, or velocity half a step before, of a medium (n_dofs, n_components).
        """
    def forward(
        self,
        state: StateFloat32,
        end: typing.SupportsInt | typing.SupportsIndex,
        sources: collections.abc.Sequence[Series],
        receivers: collections.abc.Sequence[Series],
        n_samples: typing.SupportsInt | typing.SupportsIndex,
        source_end: typing.SupportsInt | typing.SupportsIndex,
        stores: collections.abc.Sequence[WavefieldStoreFloat32],
        energy: numpy.typing.NDArray[numpy.float64] | None,
        control: Control,
    ) -> None:
        """
        Advance a state to a step; samples (n_rows, n_samples) of sources are read, of receivers written.
        """
    def gradient(
        self,
        state: StateFloat32,
        medium: typing.SupportsInt | typing.SupportsIndex,
        field: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Derivative by the coefficients of a medium, (n_coefficients, n_elements, n_nodes).
        """
    def load(
        self,
        state: StateFloat32,
        values: numpy.typing.NDArray[numpy.float32],
        field: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None: ...
    def n_components(self, medium: typing.SupportsInt | typing.SupportsIndex) -> int: ...
    def n_dofs(self, medium: typing.SupportsInt | typing.SupportsIndex) -> int: ...
    def rows(
        self,
        medium: typing.SupportsInt | typing.SupportsIndex,
        positions: numpy.typing.NDArray[numpy.float64],
        elements: numpy.typing.NDArray[numpy.int64],
        point: numpy.typing.NDArray[numpy.int64],
        coefficients: numpy.typing.NDArray[numpy.float64],
        field: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> PointOperator:
        """
        Rows at positions (n_points, dim) in elements (n_points,) of a medium, -1 for those on other ranks: point (n_rows,), coefficients (n_rows, n_components, 1 + dim or 6, 10).
        """
    def save(
        self,
        state: StateFloat32,
        out: numpy.typing.NDArray[numpy.float32],
        field: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None:
        """
        Write all that `load` needs to go on from a state, (2, n_values).
        """
    def set_field(
        self,
        state: StateFloat32,
        medium: typing.SupportsInt | typing.SupportsIndex,
        values: numpy.typing.NDArray[numpy.float32],
        velocity: bool = False,
    ) -> None: ...
    def start(
        self,
        dt: typing.SupportsFloat | typing.SupportsIndex,
        step: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> StateFloat32:
        """
        A field at rest, at a step.
        """
    def start_adjoint(
        self,
        dt: typing.SupportsFloat | typing.SupportsIndex,
        n_steps: typing.SupportsInt | typing.SupportsIndex,
    ) -> StateFloat32:
        """
        An adjoint field at rest after the last step.
        """
    def stored_values(
        self, medium: typing.SupportsInt | typing.SupportsIndex
    ) -> numpy.typing.NDArray[numpy.int64]:
        """
        Where the values (n_dofs, n_components) of a medium stand among the n_values of a stored field.
        """
    @property
    def instruction_set(self) -> str: ...
    @property
    def memory_in_bytes(self) -> int: ...
    @property
    def n_fields(self) -> int:
        """
        Events that run at a time.
        """
    @property
    def n_values(self) -> int: ...

class WavefieldStoreFloat64:
    """
    Stored steps (n,), weights (n,) and snapshots (n, n_values).
    """
    def __init__(
        self,
        steps: numpy.typing.NDArray[numpy.int64],
        weights: numpy.typing.NDArray[numpy.float64],
        snapshots: numpy.typing.NDArray[numpy.float64],
    ) -> None: ...

class StateFloat64:
    """
    All that one time step hands to the next.
    """
    def copy(self) -> StateFloat64: ...
    @property
    def step(self) -> int: ...

class SimulationFloat64:
    """
    Waves in fluid, solid or both on one mesh.
    """
    def __init__(
        self,
        points: numpy.typing.NDArray[numpy.float64],
        connectivity: numpy.typing.NDArray[numpy.int64],
        shape_order: typing.SupportsInt | typing.SupportsIndex,
        order: typing.SupportsInt | typing.SupportsIndex,
        media: collections.abc.Sequence[Medium],
        instruction_set: str,
        threads: typing.SupportsInt | typing.SupportsIndex,
        events_in_lanes: bool = False,
        share: Share | None = None,
    ) -> None: ...
    def adjoint(
        self,
        state: StateFloat64,
        begin: typing.SupportsInt | typing.SupportsIndex,
        receivers: collections.abc.Sequence[Series],
        sources: collections.abc.Sequence[Series],
        n_samples: typing.SupportsInt | typing.SupportsIndex,
        stores: collections.abc.Sequence[WavefieldStoreFloat64],
        control: Control,
    ) -> None:
        """
        Take an adjoint state back to a step.
        """
    def element_dofs(
        self, medium: typing.SupportsInt | typing.SupportsIndex
    ) -> numpy.typing.NDArray[numpy.int64]:
        """
        Degrees of freedom (n_elements, n_nodes) of a medium.
        """
    def field(
        self,
        state: StateFloat64,
        medium: typing.SupportsInt | typing.SupportsIndex,
        velocity: bool = False,
        field: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Field, or velocity half a step before, of a medium (n_dofs, n_components).
        """
    def forward(
        self,
        state: StateFloat64,
        end: typing.SupportsInt | typing.SupportsIndex,
        sources: collections.abc.Sequence[Series],
        receivers: collections.abc.Sequence[Series],
        n_samples: typing.SupportsInt | typing.SupportsIndex,
        source_end: typing.SupportsInt | typing.SupportsIndex,
        stores: collections.abc.Sequence[WavefieldStoreFloat64],
        energy: numpy.typing.NDArray[numpy.float64] | None,
        control: Control,
    ) -> None:
        """
        Advance a state to a step; samples (n_rows, n_samples) of sources are read, of receivers written.
        """
    def gradient(
        self,
        state: StateFloat64,
        medium: typing.SupportsInt | typing.SupportsIndex,
        field: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Derivative by the coefficients of a medium, (n_coefficients, n_elements, n_nodes).
        """
    def load(
        self,
        state: StateFloat64,
        values: numpy.typing.NDArray[numpy.float64],
        field: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None: ...
    def maximum_time_step(self) -> float: ...
    def n_components(self, medium: typing.SupportsInt | typing.SupportsIndex) -> int: ...
    def n_dofs(self, medium: typing.SupportsInt | typing.SupportsIndex) -> int: ...
    def rows(
        self,
        medium: typing.SupportsInt | typing.SupportsIndex,
        positions: numpy.typing.NDArray[numpy.float64],
        elements: numpy.typing.NDArray[numpy.int64],
        point: numpy.typing.NDArray[numpy.int64],
        coefficients: numpy.typing.NDArray[numpy.float64],
        field: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> PointOperator:
        """
        Rows at positions (n_points, dim) in elements (n_points,) of a medium, -1 for those on other ranks: point (n_rows,), coefficients (n_rows, n_components, 1 + dim or 6, 10).
        """
    def save(
        self,
        state: StateFloat64,
        out: numpy.typing.NDArray[numpy.float64],
        field: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None:
        """
        Write all that `load` needs to go on from a state, (2, n_values).
        """
    def set_field(
        self,
        state: StateFloat64,
        medium: typing.SupportsInt | typing.SupportsIndex,
        values: numpy.typing.NDArray[numpy.float64],
        velocity: bool = False,
    ) -> None: ...
    def start(
        self,
        dt: typing.SupportsFloat | typing.SupportsIndex,
        step: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> StateFloat64:
        """
        A field at rest, at a step.
        """
    def start_adjoint(
        self,
        dt: typing.SupportsFloat | typing.SupportsIndex,
        n_steps: typing.SupportsInt | typing.SupportsIndex,
    ) -> StateFloat64:
        """
        An adjoint field at rest after the last step.
        """
    def stored_values(
        self, medium: typing.SupportsInt | typing.SupportsIndex
    ) -> numpy.typing.NDArray[numpy.int64]:
        """
        Where the values (n_dofs, n_components) of a medium stand among the n_values of a stored field.
        """
    @property
    def instruction_set(self) -> str: ...
    @property
    def memory_in_bytes(self) -> int: ...
    @property
    def n_fields(self) -> int:
        """
        Events that run at a time.
        """
    @property
    def n_values(self) -> int: ...

class DiffusionOperator:
    """
    Smoothing by diffusion over unit pseudo-time.
    """
    def __init__(
        self,
        points: numpy.typing.NDArray[numpy.float64],
        connectivity: numpy.typing.NDArray[numpy.int64],
        shape_order: typing.SupportsInt | typing.SupportsIndex,
        order: typing.SupportsInt | typing.SupportsIndex,
        tensor: numpy.typing.NDArray[numpy.float64],
        instruction_set: str,
        threads: typing.SupportsInt | typing.SupportsIndex,
        share: Share | None = None,
    ) -> None: ...
    def apply(self, values: numpy.typing.NDArray[numpy.float64]) -> numpy.typing.NDArray[numpy.float64]:
        """
        Smoothed nodal field (n_dofs,).
        """
    @property
    def degree(self) -> int:
        """
        Polynomial degree of the square root.
        """
    @property
    def element_dofs(self) -> numpy.typing.NDArray[numpy.int64]:
        """
        Numbers (n_elements, n_nodes) of the nodes.
        """

def adjoint_samples(
    derivative: numpy.typing.NDArray[numpy.int32],
    dt: typing.SupportsFloat | typing.SupportsIndex,
    samples: numpy.typing.NDArray[numpy.float64],
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Adjoint sources by the field at steps 0 to n_steps, from those by samples (n_rows, n_steps).
    """

def copy_rate(
    instruction_set: str,
    n_bytes: typing.SupportsInt | typing.SupportsIndex,
    threads: typing.SupportsInt | typing.SupportsIndex,
    seconds: typing.SupportsFloat | typing.SupportsIndex,
) -> float:
    """
    Bytes read and written a second by a copy between arrays of n_bytes together, all threads together.
    """

def dof_map(
    connectivity: numpy.typing.NDArray[numpy.int64],
    dim: typing.SupportsInt | typing.SupportsIndex,
    shape_order: typing.SupportsInt | typing.SupportsIndex,
    order: typing.SupportsInt | typing.SupportsIndex,
) -> tuple:
    """
    Continuous GLL numbering: (element_dofs (n_elements, n_nodes), n_dofs).
    """

def gll(
    order: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
    """
    Gauss-Lobatto-Legendre points and weights of an order on [-1, 1].
    """

def instruction_sets() -> tuple:
    """
    Kernel sets that this build has and this processor runs, best first.
    """

def mass_weights(
    points: numpy.typing.NDArray[numpy.float64],
    connectivity: numpy.typing.NDArray[numpy.int64],
    shape_order: typing.SupportsInt | typing.SupportsIndex,
    order: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Quadrature weight times Jacobian determinant, (n_elements, n_nodes) [m^dim].
    """

def multiply_add_rate(
    instruction_set: str,
    single: bool,
    threads: typing.SupportsInt | typing.SupportsIndex,
    seconds: typing.SupportsFloat | typing.SupportsIndex,
) -> float:
    """
    Floating-point operations a second of multiply-adds in registers, all threads together.
    """

def node_coordinates(
    points: numpy.typing.NDArray[numpy.float64],
    connectivity: numpy.typing.NDArray[numpy.int64],
    shape_order: typing.SupportsInt | typing.SupportsIndex,
    order: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Coordinates of the element nodes, (n_elements, n_nodes, dim) [m].
    """

def triad_rate(
    instruction_set: str,
    n_bytes: typing.SupportsInt | typing.SupportsIndex,
    threads: typing.SupportsInt | typing.SupportsIndex,
    seconds: typing.SupportsFloat | typing.SupportsIndex,
) -> float:
    """
    Bytes read and written a second by a + s b into a third array, of n_bytes together, all threads together.
    """

max_order: int = 8

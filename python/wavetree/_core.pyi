"""
Compiled core of wavetree.
"""

from __future__ import annotations
import numpy
import numpy.typing
import typing
import wavetree.errors

__all__: list[str] = [
    "AcousticSimulation2DFloat32",
    "AcousticSimulation2DFloat64",
    "Cancelled",
    "Control",
    "DiffusionOperator2D",
    "Unstable",
    "WavefieldStoreFloat32",
    "WavefieldStoreFloat64",
    "acoustic_parameters",
    "acoustic_units",
    "dof_map",
    "gll",
    "instruction_sets",
    "locate",
    "mass_weights",
    "max_order",
    "node_coordinates",
]

class Cancelled(wavetree.errors.Cancelled):
    pass

class Unstable(wavetree.errors.SimulationFailed):
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

class WavefieldStoreFloat32:
    """
    Stored steps (n,), weights (n,) and snapshots (n, n_dofs).
    """
    def __init__(
        self,
        steps: numpy.typing.NDArray[numpy.int64],
        weights: numpy.typing.NDArray[numpy.float64],
        snapshots: numpy.typing.NDArray[numpy.float32],
    ) -> None: ...

class AcousticSimulation2DFloat32:
    """
    2-D acoustic simulation on one mesh.
    """
    def __init__(
        self,
        points: numpy.typing.NDArray[numpy.float64],
        connectivity: numpy.typing.NDArray[numpy.int64],
        shape_order: typing.SupportsInt | typing.SupportsIndex,
        order: typing.SupportsInt | typing.SupportsIndex,
        parameters: numpy.typing.NDArray[numpy.float64],
        sponge_rate: numpy.typing.NDArray[numpy.float64],
        absorbing: numpy.typing.NDArray[numpy.int64],
        dirichlet: numpy.typing.NDArray[numpy.int64],
        instruction_set: str,
        threads: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def adjoint(
        self,
        dt: typing.SupportsFloat | typing.SupportsIndex,
        n_steps: typing.SupportsInt | typing.SupportsIndex,
        receivers: numpy.typing.NDArray[numpy.float64],
        adjoint_sources: numpy.typing.NDArray[numpy.float64],
        store: WavefieldStoreFloat32,
        control: Control,
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Derivative of the misfit, (n_parameters, n_elements, n_nodes).
        """
    def evolve(
        self,
        dt: typing.SupportsFloat | typing.SupportsIndex,
        n_steps: typing.SupportsInt | typing.SupportsIndex,
        field: numpy.typing.NDArray[numpy.float64],
        velocity: numpy.typing.NDArray[numpy.float64],
        control: Control,
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Field (n_dofs,) after n_steps of free motion.
        """
    def forward(
        self,
        dt: typing.SupportsFloat | typing.SupportsIndex,
        n_steps: typing.SupportsInt | typing.SupportsIndex,
        sources: numpy.typing.NDArray[numpy.float64],
        source_time_functions: numpy.typing.NDArray[numpy.float64],
        receivers: numpy.typing.NDArray[numpy.float64],
        store: WavefieldStoreFloat32,
        control: Control,
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Records (n_receivers, n_steps + 1).
        """
    @property
    def instruction_set(self) -> str: ...
    @property
    def memory_in_bytes(self) -> int: ...
    @property
    def n_dofs(self) -> int: ...

class WavefieldStoreFloat64:
    """
    Stored steps (n,), weights (n,) and snapshots (n, n_dofs).
    """
    def __init__(
        self,
        steps: numpy.typing.NDArray[numpy.int64],
        weights: numpy.typing.NDArray[numpy.float64],
        snapshots: numpy.typing.NDArray[numpy.float64],
    ) -> None: ...

class AcousticSimulation2DFloat64:
    """
    2-D acoustic simulation on one mesh.
    """
    def __init__(
        self,
        points: numpy.typing.NDArray[numpy.float64],
        connectivity: numpy.typing.NDArray[numpy.int64],
        shape_order: typing.SupportsInt | typing.SupportsIndex,
        order: typing.SupportsInt | typing.SupportsIndex,
        parameters: numpy.typing.NDArray[numpy.float64],
        sponge_rate: numpy.typing.NDArray[numpy.float64],
        absorbing: numpy.typing.NDArray[numpy.int64],
        dirichlet: numpy.typing.NDArray[numpy.int64],
        instruction_set: str,
        threads: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def adjoint(
        self,
        dt: typing.SupportsFloat | typing.SupportsIndex,
        n_steps: typing.SupportsInt | typing.SupportsIndex,
        receivers: numpy.typing.NDArray[numpy.float64],
        adjoint_sources: numpy.typing.NDArray[numpy.float64],
        store: WavefieldStoreFloat64,
        control: Control,
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Derivative of the misfit, (n_parameters, n_elements, n_nodes).
        """
    def evolve(
        self,
        dt: typing.SupportsFloat | typing.SupportsIndex,
        n_steps: typing.SupportsInt | typing.SupportsIndex,
        field: numpy.typing.NDArray[numpy.float64],
        velocity: numpy.typing.NDArray[numpy.float64],
        control: Control,
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Field (n_dofs,) after n_steps of free motion.
        """
    def forward(
        self,
        dt: typing.SupportsFloat | typing.SupportsIndex,
        n_steps: typing.SupportsInt | typing.SupportsIndex,
        sources: numpy.typing.NDArray[numpy.float64],
        source_time_functions: numpy.typing.NDArray[numpy.float64],
        receivers: numpy.typing.NDArray[numpy.float64],
        store: WavefieldStoreFloat64,
        control: Control,
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Records (n_receivers, n_steps + 1).
        """
    def maximum_time_step(self) -> float: ...
    @property
    def instruction_set(self) -> str: ...
    @property
    def memory_in_bytes(self) -> int: ...
    @property
    def n_dofs(self) -> int: ...

class DiffusionOperator2D:
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

def locate(
    points: numpy.typing.NDArray[numpy.float64],
    connectivity: numpy.typing.NDArray[numpy.int64],
    shape_order: typing.SupportsInt | typing.SupportsIndex,
    positions: numpy.typing.NDArray[numpy.float64],
) -> tuple:
    """
    Element (n,) and reference coordinates (n, dim) of positions (n, dim) [m].
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

def node_coordinates(
    points: numpy.typing.NDArray[numpy.float64],
    connectivity: numpy.typing.NDArray[numpy.int64],
    shape_order: typing.SupportsInt | typing.SupportsIndex,
    order: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Coordinates of the element nodes, (n_elements, n_nodes, dim) [m].
    """

acoustic_parameters: tuple = ("VP", "RHO")
acoustic_units: tuple = ("m/s", "kg/m^3")
max_order: int = 8

"""Standing waves of analytic modes on meshes: free motion from the mode, and how far it is from the mode."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from analytic.modes import Mode
from wavetree import _core
from wavetree.mesh import Mesh
from wavetree.simulation.boundary import BoundaryCondition
from wavetree.simulation.core import make_core
from wavetree.simulation.medium import medium

QUARTERS = (9, 10, 11, 12)  # of a period; at a single one an error of phase or amplitude may be hidden


class StandingWave:
    """A mode on a mesh with its medium, in float64.

    Attributes
    ----------
    core
        The compiled simulation.
    fields, mass
        By part: the mode at the degrees of freedom (n_dofs, n_components), and their share of the volume
        (n_dofs,).
    limit
        Largest stable time step [s].
    """

    def __init__(self, mesh: Mesh, mode: Mode, conditions: Iterable[BoundaryCondition] = ()) -> None:
        order = mesh.tensor_order
        self.mode, self.core = mode, make_core(medium(mesh, order), conditions, "float64", threads=1)
        self.fields, self.mass = [], []
        for index, part in enumerate(self.core.parts):
            dofs = self.core.compiled.element_dofs(index)
            x = np.zeros((self.core.compiled.n_dofs(index), mesh.dim))
            x[dofs] = mesh.node_coordinates(order)[part.elements]
            self.fields.append(mode.phi(x)[:, None] if part.medium == "fluid" else mode.u(x))
            self.mass.append(np.bincount(dofs.ravel(), mesh.mass_weights(order)[part.elements].ravel()))
        self.limit = float(self.core.compiled.maximum_time_step())

    def steps_of_quarter(self, courant: float = 0.9) -> int:
        """Number of time steps in a quarter of a period."""
        return int(np.ceil(0.5 * np.pi / self.mode.omega / (courant * self.limit)))

    def start(self, dt: float):
        """The state of the mode at its largest: the field at step 0, and the velocity half a step before.

        Notes
        -----
        Central differences keep a mode a mode, one of fluid and solid together too, and change its
        frequency to sin(ω_d dt/2) = ω dt/2.
        """
        compiled, state = self.core.compiled, self.core.compiled.start(dt)
        factor = 0.5 * self.mode.omega**2 * dt  # (1 − cos ω_d dt)/dt
        for part, field in enumerate(self.fields):
            compiled.set_field(state, part, np.ascontiguousarray(field))
            compiled.set_field(state, part, np.ascontiguousarray(factor * field), True)
        return state

    def error(self) -> float:
        """L2 error relative to the mode, root mean square over some phases, the largest one of the media.

        Against the wave of the discrete frequency, so that only the error of the elements is left.
        """
        per_quarter = self.steps_of_quarter()
        dt = 0.5 * np.pi / self.mode.omega / per_quarter
        angle = 2 * np.arcsin(0.5 * self.mode.omega * dt)  # of a step
        state, squares = self.start(dt), []
        for quarters in QUARTERS:
            end = quarters * per_quarter
            self.core.compiled.forward(state, end, [], [], end, end, [], None, _core.Control())
            squares.append(
                [self._square(part, state, np.cos(angle * end)) for part in range(len(self.fields))]
            )
        return float(np.sqrt(np.mean(squares, axis=0).max()))

    def _square(self, part: int, state, factor: float) -> float:
        field, mass = self.fields[part], self.mass[part]
        difference = self.core.compiled.field(state, part) - factor * field
        return float(mass @ np.sum(difference**2, axis=1) / (mass @ np.sum(field**2, axis=1)))

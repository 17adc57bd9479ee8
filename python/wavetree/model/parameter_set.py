"""What every parameter set can do: become the core's coefficients, transpose that, say what is wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Fault", "ParameterSet", "Values"]

Values = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Fault:
    """Values that no medium has.

    Attributes
    ----------
    names
        The parameters that are wrong, or wrong together.
    bad
        Where, bool of the shape of the values.
    problem
        What they are, to be read after "and", for example ``"not positive"``.
    expected
        What they should be.
    """

    names: tuple[str, ...]
    bad: np.ndarray
    problem: str
    expected: str


class ParameterSet(ABC):
    """The parameters in which a medium is given.

    Values are dictionaries of arrays of one shape (...), for example (nelem, n_nodes), in SI units.

    Parameters
    ----------
    dim
        Number of space dimensions, 2 or 3.

    Attributes
    ----------
    names
        The parameters, in their order.
    physics
        What solid media become: ``"elastic"``, ``"anisotropic"``, or ``"acoustic"`` for sets of fluids alone.
    shear
        Parameters that are zero in fluids and only in fluids.
    solid_only
        Parameters that do not enter in fluids.
    positive
        Parameters that must be positive everywhere.
    orientation
        Names of optional fields that turn the medium [rad]; they are not inverted for.

    Notes
    -----
    Coefficients of the core, (n_coefficients, ...): "acoustic" M0 = 1/(ρ vp²) = 1/κ and M1 = 1/ρ; "elastic"
    ρ, λ, μ; "anisotropic" ρ and the upper triangle of the stiffness in Voigt form, row by row.
    """

    names: tuple[str, ...]
    physics: str
    shear: tuple[str, ...] = ()
    solid_only: tuple[str, ...] = ()
    positive: tuple[str, ...] = ("RHO",)
    orientation: tuple[str, ...] = ()

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.dim == other.dim  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.dim))

    def __repr__(self) -> str:
        return f"({', '.join(self.names)})"

    # -- to the core and back ------------------------------------------------------------------

    def to_core(self, values: Values, physics: str | None = None) -> np.ndarray:
        """Return the coefficients of the core (n_coefficients, ...).

        Parameters
        ----------
        values
            The parameters, and the orientation if there is one.
        physics
            ``"acoustic"`` for fluids, else that of the set, which None stands for.
        """
        if (physics or self.physics) == "acoustic":
            return np.stack([1.0 / self._bulk_modulus(values), 1.0 / values["RHO"]])
        return self._solid(values)

    def chain(self, values: Values, by_core: np.ndarray, physics: str | None = None) -> dict[str, np.ndarray]:
        """Return the derivative by the parameters, the transpose of the derivative of `to_core`.

        Parameters
        ----------
        values
            The parameters, and the orientation if there is one.
        by_core
            Derivative by the coefficients of the core (n_coefficients, ...).
        physics
            As in `to_core`.

        Returns
        -------
        dict
            (...) for every parameter of the set; zero for those that do not enter.
        """
        if (physics or self.physics) == "acoustic":
            by_bulk = -by_core[0] / self._bulk_modulus(values) ** 2
            found = self._bulk_modulus_chain(values, by_bulk)
            found["RHO"] = found.get("RHO", 0.0) - by_core[1] / values["RHO"] ** 2
        else:
            found = self._solid_chain(values, by_core)
        return {k: found[k] if k in found else np.zeros(np.shape(by_core)[1:]) for k in self.names}

    @abstractmethod
    def from_core(self, core: np.ndarray, physics: str) -> dict[str, np.ndarray]:
        """Return the parameters that have given coefficients of the core (n_coefficients, ...).

        Raises
        ------
        ValueError
            If not every medium of that physics has such parameters.
        """

    def convert(self, values: Values, to: ParameterSet) -> dict[str, np.ndarray]:
        """Return the same medium in the parameters of another set.

        Parameters
        ----------
        values
            The parameters, and the orientation if there is one.
        to
            The other set; a tensor takes up the orientation.

        Raises
        ------
        ValueError
            If the other set has no parameters for such media, for example for solids in a set of fluids.
        """
        if to == self:
            return dict(values)
        fluid = self.is_fluid(values)
        if fluid.all():
            return to.from_core(self.to_core(values, "acoustic"), "acoustic")
        found = to.from_core(self.to_core(values), self.physics)
        if fluid.any():
            part = {name: value[fluid] for name, value in values.items()}
            for name, value in to.from_core(self.to_core(part, "acoustic"), "acoustic").items():
                found[name][fluid] = value
        return found

    # -- what the medium is --------------------------------------------------------------------

    def is_fluid(self, values: Values) -> np.ndarray:
        """Say where the medium is fluid: bool (...), all shear parameters zero."""
        fluid = np.ones(np.shape(values[self.names[0]]), dtype=bool)
        for name in self.shear:
            fluid &= np.asarray(values[name]) == 0.0
        return fluid

    def slowest_velocity(self, values: Values) -> np.ndarray:
        """Return the velocity of the slowest wave (...) [m/s]: sound in fluids, shear in solids.

        Notes
        -----
        For anisotropic solids a bound that no wave in any direction falls below: sqrt(c/(2ρ)), c the smallest
        eigenvalue of the stiffness as map of strain to stress, for a plane wave along n with polarisation p
        has ρ v² = ε:C:ε with ε the symmetric part of n ⊗ p and |ε|² ≥ 1/2. In isotropic solids it is the
        shear velocity.
        """
        fluid = self.is_fluid(values)
        velocity = np.empty(fluid.shape)
        for part, found in ((fluid, self._sound_velocity), (~fluid, self._shear_velocity)):
            if part.any():
                velocity[part] = found({name: value[part] for name, value in values.items()})
        return velocity

    def faults(self, values: Values) -> Iterator[Fault]:
        """Yield what is wrong with values, point by point."""
        for name in self.orientation:
            if name in values:
                yield Fault((name,), ~np.isfinite(values[name]), "not finite", "finite values")
        for name in self.names:
            value = values[name]
            if name in self.positive:
                yield Fault((name,), ~(np.isfinite(value) & (value > 0.0)), "not positive", "positive values")
            else:
                yield Fault((name,), ~np.isfinite(value), "not finite", "finite values")
        yield from self._relations(values)

    def first_fault(self, values: Values) -> Fault | None:
        """Return the first thing that is wrong with values, None if nothing is."""
        return next((fault for fault in self.faults(values) if fault.bad.any()), None)

    # -- what a set has to say of itself -------------------------------------------------------

    @abstractmethod
    def _bulk_modulus(self, values: Values) -> np.ndarray:
        """Bulk modulus (...) [Pa] of fluids."""

    @abstractmethod
    def _bulk_modulus_chain(self, values: Values, by_bulk: np.ndarray) -> dict[str, np.ndarray]:
        """Transposed derivative of `_bulk_modulus`; parameters that do not enter may be left out."""

    @abstractmethod
    def _solid(self, values: Values) -> np.ndarray:
        """Coefficients of the core (n_coefficients, ...) of solids."""

    @abstractmethod
    def _solid_chain(self, values: Values, by_core: np.ndarray) -> dict[str, np.ndarray]:
        """Transposed derivative of `_solid`; parameters that do not enter may be left out."""

    def _sound_velocity(self, values: Values) -> np.ndarray:
        return np.asarray(np.sqrt(self._bulk_modulus(values) / values["RHO"]))

    @abstractmethod
    def _shear_velocity(self, values: Values) -> np.ndarray:
        """Velocity of the slowest wave in solids (...) [m/s]."""

    def _relations(self, values: Values) -> Iterator[Fault]:
        """Yield what is wrong with several parameters together."""
        yield from ()

    def _refuse(self, physics: str) -> ValueError:
        return ValueError(
            f"{physics} media cannot be given as {', '.join(self.names)}; expected a set that has more "
            "parameters: VP, VS, RHO for isotropic solids, C_ij, RHO for all."
        )

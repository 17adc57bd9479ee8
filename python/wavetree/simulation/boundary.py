"""Conditions on the sides of the domain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, field_validator, model_validator

from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name

__all__ = ["Absorbing", "AbsorbingBoundaryParameters", "BoundaryCondition", "HomogeneousDirichlet"]


def _different(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"side set {name!r} is named {names.count(name)} times; expected every name once."
            )
    return names


SideSets = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_different)]


@configuration
class HomogeneousDirichlet(Configuration):
    """phi = 0 on side sets: a pressure-free surface.

    Parameters
    ----------
    side_sets
        Names of side sets of the mesh, for example ``["y1"]``.
    """

    side_sets: SideSets


@configuration
class Absorbing(Configuration):
    """Outgoing waves leave through side sets.

    Parameters
    ----------
    side_sets
        Names of side sets of the mesh.
    width_in_meters
        Width of the sponge layer that is added outside the mesh [m]; 0 = impedance condition alone.
    reference_velocity
        Velocity [m/s] for which the sponge's strength is chosen, usually the largest; needed where there is a
        sponge. It is not taken from the medium, on which the misfit would then depend in a second way.
    target_reflection
        Amplitude that comes back from the sponge at normal incidence, relative to the incoming one.

    Notes
    -----
    First-order impedance condition (1/rho) dphi/dn = -phi_t / (rho vp) (Clayton & Engquist 1977,
    BSSA 67), outside a layer with damping 2 gamma M, gamma rising cubically from its inner edge.
    """

    side_sets: SideSets
    _: KW_ONLY
    width_in_meters: NonNegativeFloat = 0.0
    reference_velocity: PositiveFloat | None = None
    target_reflection: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-4

    @model_validator(mode="after")
    def _strength_is_known(self) -> Absorbing:
        if self.width_in_meters > 0.0 and self.reference_velocity is None:
            raise ValueError(
                f"width_in_meters is {self.width_in_meters:g} but there is no reference_velocity; give the "
                "largest velocity [m/s], for which the layer's strength is chosen."
            )
        return self


BoundaryCondition = HomogeneousDirichlet | Absorbing


@configuration
class AbsorbingBoundaryParameters(Configuration):
    """Absorbing boundaries with a width in wavelengths, on all sides but the free ones.

    Parameters
    ----------
    reference_velocity
        Velocity [m/s] of the wavelength, usually the largest in the medium.
    number_of_wavelengths
        Width of the sponge layer in wavelengths; 0 = impedance condition alone.
    reference_frequency
        Frequency [Hz] of the wavelength, usually the centre frequency of the source.
    free_surface
        Names of the sides that are free surfaces (phi = 0 in fluids), or False for none.
    """

    reference_velocity: PositiveFloat
    _: KW_ONLY
    number_of_wavelengths: NonNegativeFloat = 3.5
    reference_frequency: PositiveFloat
    free_surface: SideSets | Literal[False] = False

    @field_validator("free_surface", mode="before")
    @classmethod
    def _names_or_false(cls, value: Any) -> Any:
        if value is not False and (not isinstance(value, (list, tuple)) or not value):
            raise ValueError(
                f'free_surface is {value!r}; expected False or the names of sides, such as ["y1"].'
            )
        return value

    @property
    def width_in_meters(self) -> float:
        """Width of the sponge layer [m]: number_of_wavelengths reference_velocity / reference_frequency."""
        return self.number_of_wavelengths * self.reference_velocity / self.reference_frequency

    def resolve(self, side_sets: Iterable[str]) -> tuple[BoundaryCondition, ...]:
        """Return the boundary conditions for the sides of a mesh.

        Parameters
        ----------
        side_sets
            Names of the sides, usually ``mesh.side_sets``.

        Raises
        ------
        ValueError
            If there are no sides or a free side is not among them.
        """
        names = sorted(side_sets)
        if not names:
            raise ValueError(
                "side_sets is empty; expected the mesh's boundary: call mesh.find_side_sets() first."
            )
        free: tuple[str, ...] = self.free_surface or ()
        for name in free:
            if name not in names:
                raise unknown_name("side set in free_surface", name, names)
        others = tuple(name for name in names if name not in free)
        conditions: list[BoundaryCondition] = [HomogeneousDirichlet(free)] if free else []
        if others:
            conditions.append(
                Absorbing(
                    others, width_in_meters=self.width_in_meters, reference_velocity=self.reference_velocity
                )
            )
        return tuple(conditions)

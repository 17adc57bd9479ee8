"""Conditions on the sides of the domain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, field_validator, model_validator

from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name

__all__ = [
    "Absorbing",
    "AbsorbingBoundaryParameters",
    "BoundaryCondition",
    "FreeSurface",
    "HomogeneousDirichlet",
    "RigidWall",
]


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
    """The wavefield is zero on side sets: phi = 0 in fluids (free), u = 0 in solids (clamped).

    Parameters
    ----------
    side_sets
        Names of side sets of the mesh, for example ``["y1"]``.
    """

    side_sets: SideSets


@configuration
class FreeSurface(Configuration):
    """No traction on side sets: phi = 0, and so no pressure, in fluids; natural in solids.

    Parameters
    ----------
    side_sets
        Names of side sets of the mesh, for example ``["y1"]``.
    """

    side_sets: SideSets


@configuration
class RigidWall(Configuration):
    """No motion through side sets: u = 0 in solids; natural in fluids, which glide along.

    Parameters
    ----------
    side_sets
        Names of side sets of the mesh, for example ``["y0"]``.
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
        Share of the amplitude that the way through the sponge and back leaves at normal incidence. Of it the
        impedance condition behind the sponge takes most.

    Notes
    -----
    First-order impedance condition (1/rho) dphi/dn = -phi_t / (rho vp) (Clayton & Engquist 1977,
    BSSA 67), outside a layer with damping 2 gamma M, gamma rising with the square of the depth.

    What comes back is the sum of three: long waves, for which the layer is a step (the more, the stronger it
    is), waves that pass it twice, and at oblique incidence the wall. From the continuous equation, of a layer
    of 3.5 wavelengths at the centre frequency f_c and its own velocity, relative amplitudes:

    ========== ======= ======= ======= ======= ======= =========================
    incidence  0.3 f_c 0.5 f_c 1 f_c   1.5 f_c 2 f_c   energy of a Ricker wavelet
    ========== ======= ======= ======= ======= ======= =========================
    0°         1.4e-2  2.3e-3  1.8e-3  1.0e-3  8.2e-4  5e-6
    30°        3.5e-2  4.3e-3  1.2e-3  7.6e-4  5.9e-4  8e-6
    45°        9.4e-2  2.9e-3  1.1e-3  2.9e-4  4.0e-4  3e-5
    60°        2.4e-1  8.1e-2  2.6e-3  7.1e-4  2.9e-4  4e-4
    75°        5.2e-1  3.7e-1  1.3e-1  3.2e-2  2.4e-3  2e-2
    0°, c / 2  1.4e-3  3.5e-4  5.7e-5  2.3e-5  1.3e-5  2e-7
    ========== ======= ======= ======= ======= ======= =========================

    In a box every wave meets one of the sides at less than 45°. With a rigid wall 1.1e-2 would come back at
    f_c and 0°, 2.7e-3 at 45°, and the same beyond 60°. A stronger layer (1e-4) would return 4e-4 at f_c and
    0°, but 3.6 times as much of a wavelet's energy at 45°.
    """

    side_sets: SideSets
    _: KW_ONLY
    width_in_meters: NonNegativeFloat = 0.0
    reference_velocity: PositiveFloat | None = None
    target_reflection: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-2

    @model_validator(mode="after")
    def _strength_is_known(self) -> Absorbing:
        if self.width_in_meters > 0.0 and self.reference_velocity is None:
            raise ValueError(
                f"width_in_meters is {self.width_in_meters:g} but there is no reference_velocity; give the "
                "largest velocity [m/s], for which the layer's strength is chosen."
            )
        return self


BoundaryCondition = HomogeneousDirichlet | FreeSurface | RigidWall | Absorbing


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
        Names of the sides that are free surfaces (phi = 0 in fluids, traction-free in solids), or False for
        none.
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
        conditions: list[BoundaryCondition] = [FreeSurface(free)] if free else []
        if others:
            conditions.append(
                Absorbing(
                    others, width_in_meters=self.width_in_meters, reference_velocity=self.reference_velocity
                )
            )
        return tuple(conditions)

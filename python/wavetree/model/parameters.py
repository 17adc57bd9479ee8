"""Which parameter set a medium is given in, and the units of all parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wavetree.errors import unknown_name
from wavetree.model import voigt
from wavetree.model.anisotropic import HexagonalVelocities, TensorComponents
from wavetree.model.isotropic import (
    BulkModuli,
    FluidCoefficients,
    FluidVelocities,
    LameModuli,
    Velocities,
)
from wavetree.model.parameter_set import ParameterSet

__all__ = ["PARAMETERS", "SETS", "UNITS", "find_set", "with_units"]

_CLASSES = (
    FluidVelocities,
    FluidCoefficients,
    Velocities,
    LameModuli,
    BulkModuli,
    HexagonalVelocities,
    TensorComponents,
)

SETS: dict[int, tuple[ParameterSet, ...]] = {dim: tuple(cls(dim) for cls in _CLASSES) for dim in (2, 3)}
"""All parameter sets by number of space dimensions, from the special to the general."""

UNITS: dict[str, str] = {
    "VP": "m/s",
    "VS": "m/s",
    "RHO": "kg/m^3",
    "M0": "1/Pa",
    "M1": "m^3/kg",
    "LAMBDA": "Pa",
    "MU": "Pa",
    "KAPPA": "Pa",
    "VPV": "m/s",
    "VPH": "m/s",
    "VSV": "m/s",
    "VSH": "m/s",
    "ETA": "",
    **dict.fromkeys(voigt.component_names(3), "Pa"),
    "ORIENTATION": "rad",
    **dict.fromkeys(SETS[3][-1].orientation, "rad"),
}
"""Units of all parameters and orientations; empty for numbers."""

PARAMETERS: tuple[str, ...] = tuple(name for name in UNITS if not name.startswith("ORIENTATION"))
"""The names of all parameters."""


def find_set(
    names: Iterable[str],
    dim: int,
    owner: str = "the mesh has no field",
    case: Callable[[str], str] = str,
) -> ParameterSet:
    """Return the parameter set that names belong to.

    Parameters
    ----------
    names
        Names of fields, parameters among them.
    dim
        Number of space dimensions, 2 or 3.
    owner
        Beginning of messages, to be read before a name.
    case
        How names are written in messages.

    Raises
    ------
    ValueError
        If parameters are missing (those of the nearest set are named), stand beside those of another set,
        or an orientation is not complete.
    """
    present = list(names)
    complete = [found for found in SETS[dim] if set(found.names) <= set(present)]
    if not complete:
        raise _missing(present, dim, owner, case)
    chosen = max(complete, key=lambda found: len(found.names))
    spare = [case(name) for name in present if name in PARAMETERS and name not in chosen.names]
    if spare:
        whole = [found for found in complete if not set(found.names) <= set(chosen.names)]
        sets = [with_units(found.names, case) for found in (chosen, *whole)]
        between = f" (it could be {' or '.join(sets)})" if whole else ""
        raise ValueError(
            f"parameter {spare[0]!r} stands beside {sets[0]}, but a medium is given in one {dim}-D parameter "
            f"set{between}; expected the parameters of one set alone: remove {', '.join(spare)}."
        )
    if chosen.orientation:
        _check_orientation(present, chosen.orientation, owner, case)
    return chosen


def with_units(names: Iterable[str], case: Callable[[str], str] = str) -> str:
    """Return names with their units as text."""
    texts = [f"{case(name)} [{UNITS[name]}]" if UNITS[name] else case(name) for name in names]
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]


def _check_orientation(
    present: list[str], expected: tuple[str, ...], owner: str, case: Callable[[str], str]
) -> None:
    given = [name for name in present if name in UNITS and name not in PARAMETERS]
    for name in given:
        if name not in expected:
            raise unknown_name("orientation", case(name), map(case, expected))
    for name in expected:
        if given and name not in given:
            raise ValueError(
                f"{owner} {case(name)!r}, only {sorted(map(case, given))}; expected the whole orientation, "
                f"{with_units(expected, case)}, or none of it."
            )


def _missing(present: list[str], dim: int, owner: str, case: Callable[[str], str]) -> ValueError:
    """The error for names that make no set, about the set of which most is there."""

    def share(found: ParameterSet) -> tuple[float, int]:
        own = set(found.names) - {"RHO"}  # nearly all sets have it
        has = len(own & set(present))
        return has / len(own), has

    nearest = max(SETS[dim], key=share)
    missing = [name for name in nearest.names if name not in present]
    return ValueError(
        f"{owner} {case(missing[0])!r}, only {sorted(map(case, present))}; expected "
        f"{with_units(nearest.names, case)}, of all parameter sets the nearest: add "
        f"{', '.join(map(case, missing))}."
    )

"""Where sources and receivers stand: at a point, or at one that is moved onto a side set of the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from wavetree.errors import unknown_name

__all__ = [
    "MEDIA",
    "Direction2D",
    "Direction3D",
    "Position2D",
    "Position3D",
    "SideSetMesh",
    "SideSetName",
    "checked_medium",
    "coordinates",
    "listed",
    "move_onto_side_set",
]

MEDIA = ("fluid", "solid")
"""What a place may be filled with."""


class SideSetMesh(Protocol):
    """What a mesh has to know so that points can be moved onto its sides."""

    def project_onto_side_set(
        self, point: Sequence[float], direction: Sequence[float], side_set_name: str
    ) -> np.ndarray:
        """Return where the line through a point (dim,) along a direction (dim,) meets a side set [m]."""


def listed(given: Any) -> Any:
    """Turn an array into what pydantic takes for a tuple."""
    return given.tolist() if isinstance(given, np.ndarray) else given


def _not_zero(direction: Any) -> Any:
    if not isinstance(direction, str) and not any(direction):
        raise ValueError(f"direction {direction} has no length; give the axis ('x', 'y', ...) or a vector")
    return direction


Position2D = Annotated[tuple[float, float], BeforeValidator(listed)]
Position3D = Annotated[tuple[float, float, float], BeforeValidator(listed)]
Direction2D = Annotated[
    Literal["x", "y"] | tuple[float, float], BeforeValidator(listed), AfterValidator(_not_zero)
]
Direction3D = Annotated[
    Literal["x", "y", "z"] | tuple[float, float, float], BeforeValidator(listed), AfterValidator(_not_zero)
]
SideSetName = Annotated[str, Field(min_length=1)]


def checked_medium(medium: str) -> str:
    """Return "fluid" or "solid", or refuse another word with a ValueError."""
    if medium not in MEDIA:
        raise unknown_name("medium", medium, MEDIA)
    return medium


def coordinates(point: Any) -> dict[str, float]:
    """Return the coordinates of something with x, y (and z) by name [m]."""
    return {axis: getattr(point, axis) for axis in "xyz"[: point.dim]}


def move_onto_side_set(placed: Any, mesh: SideSetMesh) -> dict[str, float]:
    """Return the place that a source or receiver on a side set has on a mesh.

    Parameters
    ----------
    placed
        With `dim`, `point`, `direction`, `side_set_name` and `offset`.
    mesh
        The mesh with the side set.

    Returns
    -------
    dict
        Coordinates by name [m]: the point moved along the direction onto the side set, and then `offset`
        metres further, against the direction if that is negative.

    Raises
    ------
    ValueError
        If the line misses the side set.
    """
    direction = np.array(
        np.eye(placed.dim)["xyz".index(placed.direction)]
        if isinstance(placed.direction, str)
        else placed.direction
    )
    direction /= np.linalg.norm(direction)
    place = mesh.project_onto_side_set(placed.point, direction.tolist(), placed.side_set_name)
    return dict(zip("xyz", (place + placed.offset * direction).tolist(), strict=False))

"""Homogeneous media on the meshes of tests, and points that record in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from analytic.media import Fluid, Solid
from wavetree.mesh import Mesh
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.receiver.receiver import Receiver


@dataclass(frozen=True)
class Anisotropic:
    """Solid of a Voigt matrix [Pa], 3 × 3 in 2-D or 6 × 6 in 3-D, and density rho [kg/m³]."""

    stiffness: np.ndarray
    rho: float

    @property
    def components(self) -> dict[str, float]:
        n = len(self.stiffness)
        return {f"C{i + 1}{j + 1}": self.stiffness[i, j] for i in range(n) for j in range(i, n)}


Medium = Fluid | Solid | Anisotropic


def fill(mesh: Mesh, order: int, medium: Medium, other: Medium | None = None, where: object = False) -> Mesh:
    """Attach the parameters of a medium, and of another one where a mask of elements says so."""
    chosen = np.broadcast_to(where, mesh.nelem)
    first, second = parameters(medium), parameters(other or medium)
    if first.keys() != second.keys():  # a fluid and a solid
        first, second = ({"VS": 0.0, **values} for values in (first, second))
    for name, value in first.items():
        values = np.where(chosen, second[name], value)
        mesh.attach_field(name, np.repeat(values[:, None], (order + 1) ** mesh.dim, axis=1))
    return mesh


def parameters(medium: Medium) -> dict[str, float]:
    """Parameters of a medium by name."""
    if isinstance(medium, Anisotropic):
        return {**medium.components, "RHO": medium.rho}
    shear = {"VS": medium.vs} if isinstance(medium, Solid) else {}
    return {"VP": medium.vp, **shear, "RHO": medium.rho}


def recorders(places: Iterable[Sequence[float]], *fields: str, prefix: str = "A") -> list[Receiver]:
    """Receivers of some fields at places (n, dim)."""
    result: list[Receiver] = []
    for k, place in enumerate(places):
        kind = Point2D if len(place) == 2 else Point3D
        position = dict(zip("xyz", map(float, place), strict=False))
        result.append(kind(**position, station_code=f"{prefix}{k}", fields=list(fields)))
    return result

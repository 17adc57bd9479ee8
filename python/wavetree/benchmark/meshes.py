"""The meshes of the cases: a box with its sponge, deformed or not, numbered or not."""

from __future__ import annotations

import itertools

import numpy as np

from wavetree.benchmark.cases import ORDER
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing

__all__ = ["VP", "VS", "absorbing", "case_mesh", "inner_size"]

VP, VS, RHO = 1500.0, 800.0, 1000.0
# Elements of the sponge at each side. Thin ones, for they are no test of the deformation.
_SPONGE = {2: 4, 3: 2}
_AMPLITUDE = 0.02


def inner_size(dim: int, n: int) -> int:
    """Return the elements per axis inside the sponge of a box with n in all; an element is 1 m wide.

    Raises
    ------
    ValueError
        If nothing is left.
    """
    inner = n - 2 * _SPONGE[dim]
    if inner < 2:
        raise ValueError(f"n is {n}; expected at least {2 * _SPONGE[dim] + 2} elements, with the sponge's.")
    return inner


def absorbing(dim: int) -> Absorbing:
    """Return the condition on all sides, whose sponge makes the box as large as asked for."""
    sides = tuple(f"{axis}{end}" for axis in "xyz"[:dim] for end in (0, 1))
    # Half an element short, so that rounding up to whole ones cannot add one more.
    return Absorbing(sides, width_in_meters=_SPONGE[dim] - 0.5, reference_velocity=VP)


def case_mesh(dim: int, n: int, variant: str, solid: bool) -> Mesh:
    """Return the domain inside the sponge with a medium that changes from node to node.

    Parameters
    ----------
    dim, n
        Dimensions, and elements per axis with the sponge.
    variant
        ``"box"`` or ``"events"``; ``"deformed"``, with elements given by their corners, in the same order; or
        ``"unstructured"``, the same in any order with reference axes turned at random.
    solid
        Whether there is VS.
    """
    inner = inner_size(dim, n)
    deformation = None if variant in ("box", "events") else lambda points: _deformed(points, inner)
    mesh = box_mesh(((0.0, float(inner)),) * dim, (inner,) * dim, deformation=deformation)
    if variant == "unstructured":
        mesh = _shuffled(mesh, np.random.default_rng(0))
    # A mesh keeps its nodes' coordinates; one that comes from a file has none.
    x = mesh.node_coordinates(ORDER) / inner
    mesh = Mesh(mesh.points, mesh.connectivity, mesh.shape_order, mesh.side_sets)
    change = 1.0 + 0.1 * np.sin(2.0 * np.pi * x).prod(axis=2)
    fields = {"VP": VP, "VS": VS, "RHO": RHO} if solid else {"VP": VP, "RHO": RHO}
    for name, value in fields.items():
        mesh.attach_field(name, value * change)
    return mesh


def _deformed(points: np.ndarray, size: float) -> np.ndarray:
    """Move points (n, dim) smoothly, those of a side within its plane, those near it hardly away."""
    x = points / size
    along, across = np.sin(np.pi * x) ** 2, np.cos(2.0 * np.pi * x)
    shifts = [along[:, a] * np.delete(across, a, axis=1).prod(axis=1) for a in range(points.shape[1])]
    return points + _AMPLITUDE * size * np.stack(shifts, axis=1)


def _shuffled(mesh: Mesh, generator: np.random.Generator) -> Mesh:
    """Return a mesh of order 1 with its elements in any order and their reference axes turned."""
    turns = _turns(mesh.dim)
    rows = mesh.connectivity[generator.permutation(mesh.nelem)]
    chosen = turns[generator.integers(0, len(turns), mesh.nelem)]
    result = Mesh(mesh.points, np.take_along_axis(rows, chosen, axis=1))
    result.find_side_sets()
    return result


def _turns(dim: int) -> np.ndarray:
    """Old corner of every corner after each turn that keeps the orientation (4 or 24, 2**dim)."""
    corners = np.arange(2**dim).reshape((2,) * dim)
    return np.array(
        [
            np.flip(corners.transpose(axes), tuple(d for d in range(dim) if flips[d])).ravel()
            for axes in itertools.permutations(range(dim))
            for flips in itertools.product((False, True), repeat=dim)
            if np.linalg.det(np.eye(dim)[list(axes)]) * (-1.0) ** sum(flips) > 0
        ]
    )

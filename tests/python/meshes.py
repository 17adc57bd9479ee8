"""Meshes for tests, deformed and curved ones of two and three dimensions, with arbitrary numbering."""

from __future__ import annotations

import itertools

import numpy as np

from wavetree.mesh import Mesh, box_mesh

KINDS = ("box", "sheared", "sinusoidal", "perturbed", "disc")


def make_mesh(
    kind: str, dim: int, shape_order: int = 2, n: int = 3, generator: np.random.Generator | None = None
) -> Mesh:
    """Return a mesh of a kind with n elements along a side, shuffled if there is a generator.

    All but the disc fill the unit square or cube, or a parallelogram of the same size.
    """
    if kind == "disc":
        mesh = disc(dim, n, shape_order)
    else:
        options = {
            "box": {},
            "sheared": {"deformation": sheared},
            "sinusoidal": {"deformation": sinusoidal},
            "perturbed": {"perturbation": 0.2, "generator": np.random.default_rng(n)},
        }[kind]
        mesh = box_mesh(((0.0, 1.0),) * dim, range(n, n + dim), shape_order=shape_order, **options)
    return shuffled(mesh, generator) if generator is not None else mesh


def sheared(points: np.ndarray) -> np.ndarray:
    """Map the unit square or cube to a parallelogram of the same size."""
    x, *others = points.T
    y = others[0] + 0.2 * others[-1] if len(others) == 2 else others[0]
    return np.stack([x + 0.3 * others[0], y, *others[1:]], axis=1)


def sinusoidal(points: np.ndarray) -> np.ndarray:
    """Shift the inside of the unit square or cube by sines; the boundary stays where it is."""
    bump = 0.08 * np.sin(np.pi * points[:, 0]) * np.sin(2 * np.pi * points[:, 1])
    if points.shape[1] == 3:
        bump *= np.sin(np.pi * points[:, 2])
    return points + bump[:, None] * np.array([1.0, -0.5, 0.7])[: points.shape[1]]


def bent(points: np.ndarray) -> np.ndarray:
    """Map the unit square to a quarter ring with radii 1 and 2: area 3 pi / 4; z stays as it is."""
    radius, angle = 1.0 + points[:, 0], 0.5 * np.pi * points[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), *points.T[2:]], axis=1)


def disc(dim: int, n: int, shape_order: int, n_shell: int = 0) -> Mesh:
    """The unit disc or ball with the side set "boundary": a square of n elements a side among others.

    With n_shell there are so many more elements between the radii 1 and 2.
    """
    blocks = [box_mesh(((-1.0, 1.0),) * dim, (n,) * dim, shape_order=shape_order)]
    layers = [(1.0, 2.0, max(1, n // 2)), (2.0, 3.0, n_shell)][: 1 + bool(n_shell)]
    for axis, outward, (low, high, n_along) in itertools.product(range(dim), (-1, 1), layers):
        bounds, counts = [(-1.0, 1.0)] * dim, [n] * dim
        bounds[axis], counts[axis] = tuple(sorted((outward * low, outward * high))), n_along
        blocks.append(box_mesh(bounds, counts, shape_order=shape_order))
    points = np.concatenate([_rounded_off(block.points) for block in blocks])
    _, first, number = np.unique(np.round(points, 9), axis=0, return_index=True, return_inverse=True)
    offsets = np.cumsum([0, *(block.n_points for block in blocks[:-1])])
    rows = np.concatenate([o + block.connectivity for o, block in zip(offsets, blocks, strict=True)])
    mesh = Mesh(points[first], number.ravel()[rows], shape_order)
    mesh.find_side_sets()
    every = np.concatenate(list(mesh.side_sets.values()))
    mesh.side_sets.clear()
    mesh.side_sets["boundary"] = every
    return mesh


def _rounded_off(points: np.ndarray) -> np.ndarray:
    """Map the square (-1, 1)^dim to a small one, and what lies around it to the unit disc and beyond."""
    distance = np.abs(points).max(axis=1, keepdims=True)
    outside = np.maximum(distance - 1.0, 0.0)
    inside = 1.0 - np.minimum(outside, 1.0)
    # Around the square only one coordinate is beyond 1; the others are equal steps of an angle on the circle.
    on_square = np.clip(points, -1.0, 1.0)
    direction = np.tan(0.25 * np.pi * on_square)
    circle = direction / np.linalg.norm(direction, axis=1, keepdims=True).clip(1e-9)
    return inside * 0.45 * on_square + outside * circle


def shuffled(mesh: Mesh, generator: np.random.Generator) -> Mesh:
    """Return the same mesh with permuted points, permuted elements and turned reference squares or cubes.

    Fields and side sets are carried along.
    """
    new_point = generator.permutation(mesh.n_points)
    points = np.empty_like(mesh.points)
    points[new_point] = mesh.points
    old_element = generator.permutation(mesh.nelem)
    turns = generator.integers(0, len(turned_nodes(mesh.dim, 1)), mesh.nelem)
    connectivity = _turned(new_point[mesh.connectivity[old_element]], turns, mesh.dim)
    new_element = np.argsort(old_element)
    result = Mesh(points, connectivity, mesh.shape_order)
    sides = _turned_sides(mesh.dim)
    for name, rows in mesh.side_sets.items():
        elements = new_element[rows[:, 0]]
        result.side_sets[name] = np.stack([elements, sides[turns[elements], rows[:, 1]]], axis=1)
    for name, values in mesh.nodal_fields.items():
        result.nodal_fields[name] = values[np.argsort(new_point)]
    for name, values in mesh.elemental_fields.items():
        result.elemental_fields[name] = values[old_element]
    for name, values in mesh.element_nodal_fields.items():
        result.element_nodal_fields[name] = _turned(values[old_element], turns, mesh.dim)
    return result


def turned_nodes(dim: int, order: int) -> np.ndarray:
    """Old node of every node after each turn of an element: (4 or 24, (order + 1)**dim).

    Turns are the permutations of axes with reversals that keep the orientation; mirrors would not.
    """
    grid = np.arange((order + 1) ** dim).reshape((order + 1,) * dim)
    turns = []
    for axes in itertools.permutations(range(dim)):
        for signs in itertools.product((1, -1), repeat=dim):
            if np.linalg.det(np.eye(dim)[list(axes)] * signs) > 0:
                turns.append(grid.transpose(axes)[tuple(slice(None, None, s) for s in signs)].ravel())
    return np.array(turns)


def _turned(rows: np.ndarray, turns: np.ndarray, dim: int) -> np.ndarray:
    order = round(rows.shape[1] ** (1 / dim)) - 1
    return np.take_along_axis(rows, turned_nodes(dim, order)[turns], axis=1)


def _turned_sides(dim: int) -> np.ndarray:
    """New local side (turns, 2 dim) of every old side, found by the middles of the sides."""
    middle, strides = (3**dim - 1) // 2, 3 ** np.arange(dim)
    middles = np.stack([middle - strides, middle + strides], axis=1).ravel()
    new = turned_nodes(dim, 2)[:, middles]
    return np.argmax(new[:, None, :] == middles[None, :, None], axis=2)

"""A prior with jumps, and what tests ask of every mapping."""

from __future__ import annotations

import numpy as np

from wavetree.mapping import BoundMapping
from wavetree.mesh import Mesh, box_mesh
from wavetree.testing import taylor_slopes

BOTH = ["VP", "RHO"]
UNIT = {"VP": 1500.0, "RHO": 1000.0}


def prior(generator: np.random.Generator, counts: tuple[int, int] = (4, 3)) -> Mesh:
    """A box with a medium that jumps between elements and varies inside them."""
    mesh = box_mesh(((0.0, 1.0), (0.0, 0.6)), counts, shape_order=2)
    shape = (mesh.nelem, 25)
    jumps = generator.uniform(0.9, 1.1, (mesh.nelem, 1))
    mesh.attach_field("VP", 1500.0 * jumps + generator.uniform(-20.0, 20.0, shape))
    mesh.attach_field("RHO", 1000.0 / jumps + generator.uniform(-20.0, 20.0, shape))
    mesh.find_side_sets()
    return mesh


def random_parameters(
    mapping: BoundMapping, generator: np.random.Generator, size: float = 0.02
) -> np.ndarray:
    """Parameters around the prior; the size is relative to the medium."""
    if mapping.prior.any():
        size *= 1500.0
    return mapping.prior + size * generator.standard_normal(mapping.size)


def dot_defect(mapping: BoundMapping, generator: np.random.Generator, p: np.ndarray) -> float:
    """|⟨T'x, y⟩ − ⟨x, T'ᵀy⟩| relative to ‖T'x‖‖y‖."""
    x = generator.standard_normal(mapping.size)
    tangent = mapping.tangent(p, x)
    y = {name: generator.standard_normal(values.shape) for name, values in tangent.items()}
    left = sum(float(np.sum(tangent[name] * y[name])) for name in y)
    right = float(mapping.adjoint(p, y) @ x)
    norms = [np.sqrt(sum(float(np.sum(v**2)) for v in one.values())) for one in (tangent, y)]
    assert min(norms) > 0.0
    return abs(left - right) / float(np.prod(norms))


def slopes_of(mapping: BoundMapping, generator: np.random.Generator, p: np.ndarray) -> np.ndarray:
    """Taylor slopes over three decades of a curved function of the material."""
    material = mapping.forward(p)
    weights = {name: generator.standard_normal(material[name].shape) for name in mapping.changing}

    # About the material at p, where the derivative is the weights, so that little is lost to rounding.
    def value(q: np.ndarray) -> float:
        change = {name: (found - material[name]) / UNIT[name] for name, found in mapping.forward(q).items()}
        return sum(float(np.sum(weights[k] * change[k] + 0.5 * change[k] ** 2)) for k in weights)

    raw = {name: weights[name] / UNIT[name] for name in weights}
    direction = generator.standard_normal(mapping.size) * (300.0 if mapping.prior.any() else 0.2)
    steps = 10.0 ** -np.arange(3.0, 6.01, 0.5)
    return taylor_slopes(value, mapping.adjoint(p, raw), p, direction, steps)

"""Green's function of the Helmholtz equation and its derivatives."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
from scipy.special import hankel2


def radial_derivatives(k: np.ndarray, r: float, dim: int, order: int) -> list[np.ndarray]:
    """Return ((1/r) d/dr)ⁿ g for n = 0 … order, each of the shape of k.

    Notes
    -----
    g solves (∇² + k²) g = −δ and is outgoing in the convention exp(+iωt): −(i/4) H₀⁽²⁾(kr) in 2-D,
    exp(−ikr)/(4πr) = −(ik/4π) h₀⁽²⁾(kr) in 3-D (Morse & Feshbach 1953, §7.2). ((1/z) d/dz)ⁿ takes H₀ to
    (−1)ⁿ z⁻ⁿ Hₙ and h₀ to (−1)ⁿ z⁻ⁿ hₙ (Abramowitz & Stegun 1964, 9.1.30 and 10.1.24); recurrences 9.1.27
    and 10.1.19.
    """
    z = k * r
    if dim == 2:
        factor, waves, offset = -0.25j, [hankel2(0, z), hankel2(1, z)], 0
    else:
        factor, offset = -1j * k / (4 * np.pi), 1
        waves = [1j * np.exp(-1j * z) / z, (1j / z - 1) * np.exp(-1j * z) / z]
    for n in range(1, order):
        waves.append((2 * n + offset) / z * waves[n] - waves[n - 1])
    return [factor * (-k / r) ** n * waves[n] for n in range(order + 1)]


def derivatives(k: np.ndarray, x: np.ndarray, order: int) -> list[np.ndarray]:
    """Return g and its Cartesian derivatives up to an order of at most 4 at x, shape (dim,).

    Entry n has the shape (dim,) * n + k.shape.

    Notes
    -----
    With gₙ = ((1/r) d/dr)ⁿ g and ∂ᵢgₙ = xᵢ gₙ₊₁: ∂ᵢ∂ⱼg = δᵢⱼ g₁ + xᵢxⱼ g₂ and so on, summed over the
    distinct orders of indices.
    """
    g = radial_derivatives(k, float(np.linalg.norm(x)), x.size, order)
    one = np.eye(x.size)
    terms = {
        0: [(0, np.array(1.0), 1)],
        1: [(1, x, 1)],
        2: [(1, one, 1), (2, _outer(x, x), 1)],
        3: [(2, _outer(one, x), 3), (3, _outer(x, x, x), 1)],
        4: [(2, _outer(one, one), 3), (3, _outer(one, x, x), 6), (4, _outer(x, x, x, x), 1)],
    }
    return [
        sum(np.multiply.outer(_symmetric(tensor, count), g[n]) for n, tensor, count in terms[rank])
        for rank in range(order + 1)
    ]


def _outer(*factors: np.ndarray) -> np.ndarray:
    result = np.array(1.0)
    for factor in factors:
        result = np.multiply.outer(result, factor)
    return result


def _symmetric(tensor: np.ndarray, count: int) -> np.ndarray:
    """Sum a tensor over its ``count`` distinct orders of indices."""
    total = sum(tensor.transpose(order) for order in permutations(range(tensor.ndim)))
    return total * (count / math.factorial(tensor.ndim))

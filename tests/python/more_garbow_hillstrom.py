"""Test problems of Moré, Garbow & Hillstrom (1981), ACM Trans. Math. Softw. 7, as sums of squares.

Left out are those whose parameters differ in scale by 1e4 and more (3, 4, 10, 17), which the metric of an
inversion takes care of, those with absolute values in the residual (11) and near duplicates of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

BARD = np.array([14, 18, 22, 25, 29, 32, 35, 39, 37, 58, 73, 96, 134, 210, 439]) / 100.0
GAUSS = np.array([9, 44, 175, 540, 1295, 2420, 3521, 3989, 3521, 2420, 1295, 540, 175, 44, 9]) / 10000.0
KOWALIK_Y = np.array([1957, 1947, 1735, 1600, 844, 627, 456, 342, 323, 235, 246]) / 10000.0
KOWALIK_U = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])


class SumOfSquares(NamedTuple):
    """Residuals, start and the values of the minima that are known from there."""

    residuals: Callable[[np.ndarray], list[np.ndarray] | np.ndarray]
    start: np.ndarray
    minima: tuple[float, ...] = (0.0,)

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Σ r² and its derivative 2 Jᵀr, J by complex steps: exact to rounding."""
        r = np.asarray(self.residuals(x.astype(complex))).real
        steps = x + 1e-30j * np.eye(x.size)
        jacobian = np.array([np.asarray(self.residuals(step)).imag for step in steps]) / 1e-30
        return float(r @ r), 2.0 * (jacobian @ r)


def helical_valley(x: np.ndarray) -> list[np.ndarray]:
    theta = np.arctan(x[1] / x[0]) / (2.0 * np.pi) + (0.5 if x[0].real < 0.0 else 0.0)
    return [10.0 * (x[2] - 10.0 * theta), 10.0 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1.0), x[2]]


def bard(x: np.ndarray) -> np.ndarray:
    u = np.arange(1.0, 16.0)
    return BARD - (x[0] + u / ((16.0 - u) * x[1] + np.minimum(u, 16.0 - u) * x[2]))


def box(x: np.ndarray) -> np.ndarray:
    t = 0.1 * np.arange(1.0, 11.0)
    return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10.0 * t))


def wood(x: np.ndarray) -> list[np.ndarray]:
    a, b, c, d = x
    return [
        *(10.0 * (b - a**2), 1.0 - a, np.sqrt(90.0) * (d - c**2), 1.0 - c),
        *(np.sqrt(10.0) * (b + d - 2.0), (b - d) / np.sqrt(10.0)),
    ]


def kowalik_osborne(x: np.ndarray) -> np.ndarray:
    u = KOWALIK_U
    return KOWALIK_Y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def brown_dennis(x: np.ndarray) -> np.ndarray:
    t = np.arange(1.0, 21.0) / 5.0
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def biggs(x: np.ndarray) -> np.ndarray:
    t = 0.1 * np.arange(1.0, 14.0)
    y = np.exp(-t) - 5.0 * np.exp(-10.0 * t) + 3.0 * np.exp(-4.0 * t)
    return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y


def watson(x: np.ndarray) -> np.ndarray:
    t, j = np.arange(1.0, 30.0)[:, None] / 29.0, np.arange(x.size)
    slope = (j[1:] * t ** (j[1:] - 1.0)) @ x[1:]
    return np.concatenate([slope - (t**j @ x) ** 2 - 1.0, [x[0], x[1] - x[0] ** 2 - 1.0]])


def extended_rosenbrock(x: np.ndarray) -> np.ndarray:
    return np.concatenate([10.0 * (x[1::2] - x[::2] ** 2), 1.0 - x[::2]])


def extended_powell(x: np.ndarray) -> np.ndarray:
    a, b, c, d = (x[i::4] for i in range(4))
    return np.concatenate(
        [a + 10.0 * b, np.sqrt(5.0) * (c - d), (b - 2.0 * c) ** 2, np.sqrt(10.0) * (a - d) ** 2]
    )


def penalty_1(x: np.ndarray) -> np.ndarray:
    return np.append(np.sqrt(1e-5) * (x - 1.0), np.sum(x**2) - 0.25)


def penalty_2(x: np.ndarray) -> np.ndarray:
    n, i = x.size, np.arange(2.0, x.size + 1.0)
    e = np.exp(x / 10.0)
    pairs = e[1:] + e[:-1] - np.exp(i / 10.0) - np.exp((i - 1.0) / 10.0)
    small = np.sqrt(1e-5) * np.concatenate([pairs, e[1:] - np.exp(-0.1)])
    return np.concatenate([[x[0] - 0.2], small, [np.sum((n - np.arange(n)) * x**2) - 1.0]])


def variably_dimensioned(x: np.ndarray) -> np.ndarray:
    total = np.sum(np.arange(1.0, x.size + 1.0) * (x - 1.0))
    return np.concatenate([x - 1.0, [total, total**2]])


def trigonometric(x: np.ndarray) -> np.ndarray:
    i = np.arange(1.0, x.size + 1.0)
    return x.size - np.sum(np.cos(x)) + i * (1.0 - np.cos(x)) - np.sin(x)


def brown_almost_linear(x: np.ndarray) -> np.ndarray:
    return np.append((x + np.sum(x) - (x.size + 1.0))[:-1], np.prod(x) - 1.0)


def discrete_boundary_value(x: np.ndarray) -> np.ndarray:
    h = 1.0 / (x.size + 1.0)
    padded = np.concatenate([[0.0], x, [0.0]])
    t = h * np.arange(1.0, x.size + 1.0)
    return 2.0 * x - padded[:-2] - padded[2:] + 0.5 * h**2 * (x + t + 1.0) ** 3


def discrete_integral(x: np.ndarray) -> np.ndarray:
    h = 1.0 / (x.size + 1.0)
    t = h * np.arange(1.0, x.size + 1.0)
    kernel = np.where(t <= t[:, None], (1.0 - t[:, None]) * t, t[:, None] * (1.0 - t))
    return x + 0.5 * h * kernel @ (x + t + 1.0) ** 3


def broyden_tridiagonal(x: np.ndarray) -> np.ndarray:
    padded = np.concatenate([[0.0], x, [0.0]])
    return (3.0 - 2.0 * x) * x - padded[:-2] - 2.0 * padded[2:] + 1.0


def broyden_banded(x: np.ndarray) -> np.ndarray:
    i = np.arange(x.size)
    band = (i[:, None] - i <= 5) & (i - i[:, None] <= 1) & (i != i[:, None])
    return x * (2.0 + 5.0 * x**2) + 1.0 - band @ (x * (1.0 + x))


def linear_full_rank(x: np.ndarray) -> np.ndarray:
    mean = 0.1 * np.sum(x)  # 2/m with m = 20 residuals
    return np.concatenate([x - mean - 1.0, np.full(20 - x.size, -mean - 1.0)])


_T = np.arange(1.0, 11.0) / 11.0

PROBLEMS = {
    "rosenbrock": SumOfSquares(extended_rosenbrock, np.array([-1.2, 1.0])),
    "freudenstein_roth": SumOfSquares(
        lambda x: [
            -13.0 + x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1],
            -29.0 + x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1],
        ],
        np.array([0.5, -2.0]),
        (0.0, 48.9842),
    ),
    "beale": SumOfSquares(
        lambda x: np.array([1.5, 2.25, 2.625]) - x[0] * (1.0 - x[1] ** np.arange(1.0, 4.0)), np.ones(2)
    ),
    "jennrich_sampson": SumOfSquares(
        lambda x: 2.0 + 2.0 * np.arange(1.0, 11.0) - np.exp(np.outer(np.arange(1.0, 11.0), x)).sum(axis=1),
        np.array([0.3, 0.4]),
        (124.362,),
    ),
    "helical_valley": SumOfSquares(helical_valley, np.array([-1.0, 0.0, 0.0])),
    "bard": SumOfSquares(bard, np.ones(3), (8.21487e-3, 17.4286)),
    "gaussian": SumOfSquares(
        lambda x: x[0] * np.exp(-0.5 * x[1] * ((7.0 - np.arange(15.0)) / 2.0 - x[2]) ** 2) - GAUSS,
        np.array([0.4, 1.0, 0.0]),
        (1.12793e-8,),
    ),
    "box": SumOfSquares(box, np.array([0.0, 10.0, 20.0])),
    "powell_singular": SumOfSquares(extended_powell, np.array([3.0, -1.0, 0.0, 1.0])),
    "wood": SumOfSquares(wood, np.array([-3.0, -1.0, -3.0, -1.0])),
    "kowalik_osborne": SumOfSquares(
        kowalik_osborne, np.array([0.25, 0.39, 0.415, 0.39]), (3.07505e-4, 1.02734e-3)
    ),
    "brown_dennis": SumOfSquares(brown_dennis, np.array([25.0, 5.0, -5.0, -1.0]), (85822.2,)),
    "biggs": SumOfSquares(biggs, np.array([1.0, 2.0, 1.0, 1.0, 1.0, 1.0]), (0.0, 5.65565e-3)),
    "watson": SumOfSquares(watson, np.zeros(6), (2.28767e-3,)),
    "extended_rosenbrock": SumOfSquares(extended_rosenbrock, np.tile([-1.2, 1.0], 10)),
    "extended_powell": SumOfSquares(extended_powell, np.tile([3.0, -1.0, 0.0, 1.0], 5)),
    "penalty_1": SumOfSquares(penalty_1, np.arange(1.0, 5.0), (2.24997e-5,)),
    "penalty_2": SumOfSquares(penalty_2, np.full(4, 0.5), (9.37629e-6,)),
    "variably_dimensioned": SumOfSquares(variably_dimensioned, 1.0 - np.arange(1.0, 11.0) / 10.0),
    "trigonometric": SumOfSquares(trigonometric, np.full(10, 0.1), (0.0, 2.79506e-5)),
    "brown_almost_linear": SumOfSquares(brown_almost_linear, np.full(10, 0.5), (0.0, 1.0)),
    "discrete_boundary_value": SumOfSquares(discrete_boundary_value, _T * (_T - 1.0)),
    "discrete_integral": SumOfSquares(discrete_integral, _T * (_T - 1.0)),
    "broyden_tridiagonal": SumOfSquares(broyden_tridiagonal, np.full(10, -1.0)),
    "broyden_banded": SumOfSquares(broyden_banded, np.full(10, -1.0)),
    "linear_full_rank": SumOfSquares(linear_full_rank, np.ones(10), (10.0,)),
}

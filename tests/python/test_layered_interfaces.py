"""Interfaces between layers as functions of the horizontal coordinates."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from wavetree.config import load
from wavetree.layered_meshing import interface


def surface(n: int, function, interpolation: str = "cubic") -> interface.Surface:
    """A function of x and y on n nodes along either axis of the unit square, given as (y, x)."""
    x = np.linspace(0.0, 1.0, n)
    values = function(x, x[:, None])
    return interface.Surface(
        xr.DataArray(values, dims=("y", "x"), coords={"x": x, "y": x}), interpolation=interpolation
    )


def test_a_hyperplane_is_flat_in_two_and_three_dimensions():
    plane = interface.Hyperplane.at(-3.5)
    for dim in (2, 3):
        assert (plane.elevation(np.zeros((4, dim - 1))) == -3.5).all()


@pytest.mark.parametrize(("interpolation", "rate"), [("cubic", 4), ("linear", 2)])
def test_interpolation_converges(interpolation, rate):
    """Between points with order 4 and 2, at points exactly: along lines and on surfaces."""
    inside = np.random.default_rng(0).uniform(0.0, 1.0, (500, 2))

    def wave(x, y):
        return np.sin(3.0 * x + 0.2) * np.cos(2.0 * y)

    found = []
    for n in (17, 33):
        x = np.linspace(0.0, 1.0, n)
        curve = interface.Curve.from_points(x, np.sin(3.0 * x), interpolation=interpolation)
        np.testing.assert_allclose(curve.elevation(x[:, None]), np.sin(3.0 * x), rtol=1e-13, atol=1e-13)
        line = np.abs(curve.elevation(inside[:, :1]) - np.sin(3.0 * inside[:, 0])).max()
        grid = surface(n, wave, interpolation).elevation(inside)
        found.append([line, np.abs(grid - wave(*inside.T)).max()])
    rates = np.log2(np.divide(*found))
    assert (rates > rate - 0.3).all()


def test_short_tables_are_polynomials():
    """Two points give a line, three a parabola, on grids along every axis for itself."""
    line = interface.Curve.from_points([0.0, 2.0], [1.0, 2.0])
    np.testing.assert_allclose(line.elevation(np.array([[0.5], [2.0]])), [1.25, 2.0])
    parabola = interface.Curve.from_points([0, 1, 3], [0, 1, 9])
    np.testing.assert_allclose(parabola.elevation(np.array([[2.0]])), [4.0])
    data = xr.DataArray(
        [[0.0, 1.0], [1.0, 2.0], [4.0, 5.0]], dims=("x", "y"), coords={"x": [0, 1, 2], "y": [0, 1]}
    )
    np.testing.assert_allclose(interface.Surface(data).elevation(np.array([[1.5, 0.5]])), [2.75])


def test_a_surface_on_x_is_a_curve():
    x, y = [0.0, 0.4, 0.7, 1.5], [0.0, 1.0, 0.5, 0.8]
    line = interface.Surface(xr.DataArray(y, dims="x", coords={"x": x}))
    places = np.linspace(0.0, 1.5, 7)[:, None]
    np.testing.assert_array_equal(line.elevation(places), interface.Curve.from_points(x, y).elevation(places))


@pytest.mark.parametrize(
    "made",
    [
        interface.Hyperplane.at(2.0),
        interface.Curve.from_points([0.0, 1.0], [0.0, 0.5], interpolation="linear"),
        surface(4, lambda x, y: x + y, "linear"),
    ],
)
def test_interfaces_are_written_and_read(made):
    assert load(made.to_dict()) == made
    assert load(made.to_dict()).digest() == made.digest()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: interface.Curve.from_points([0, 1], [0]),
            r"x has 2 numbers and y 1; expected as many of both",
        ),
        (
            lambda: interface.Curve.from_points([0, 2, 1], [0, 1, 2]),
            r"x has the values .*strictly increasing",
        ),
        (lambda: interface.Surface(np.zeros((3, 3))), r"data has the dimensions ndarray; expected an xarray"),
        (
            lambda: interface.Surface(xr.DataArray(np.zeros(3), dims="z")),
            r"data has the dimensions \('z',\); expected an xarray.DataArray on x, or x and y",
        ),
        (
            lambda: interface.Surface(xr.DataArray(np.zeros(3), dims="x")),
            r"data has 3 positions along 'x'; expected coordinates",
        ),
        (
            lambda: interface.Surface(xr.DataArray([0.0, np.nan], dims="x", coords={"x": [0, 1]})),
            r"data has values that are not finite numbers; expected a height at every node",
        ),
    ],
)
def test_wrong_tables_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_places_are_refused():
    curve = interface.Curve.from_points([0.0, 1.0], [0.0, 1.0])
    with pytest.raises(
        ValueError, match=r"a Curve is a line and cannot be used in 3 dimensions; expected a Sur"
    ):
        curve.elevation(np.zeros((2, 2)))
    with pytest.raises(
        ValueError, match=r"the Surface has heights on x, y and cannot be used in 2 dimensions"
    ):
        surface(3, lambda x, y: x + y).elevation(np.zeros((2, 1)))
    with pytest.raises(
        ValueError,
        match=r"the curve has heights for x from 0 to 1 m, but the domain reaches from 0.5 to 1.1 m; expe",
    ):
        curve.elevation(np.array([[0.5], [1.1]]))
    assert curve.elevation(np.array([[1.0 + 1e-12]])) == 1.0

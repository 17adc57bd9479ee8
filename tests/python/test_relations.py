import numpy as np
import pytest

from wavetree.model.relations import RELATIONS, Relation, brocher_rho, brocher_vs, gardner


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=list(RELATIONS))
def test_derivative_is_that_of_the_value(relation: Relation) -> None:
    x = np.linspace(*relation.valid, 50)
    h = 1e-3
    # The formula of fourth order leaves rounding alone.
    f = [relation.value(x + k * h) for k in (-2, -1, 1, 2)]
    difference = (f[0] - 8.0 * f[1] + 8.0 * f[2] - f[3]) / (12.0 * h)
    assert np.abs(relation.derivative(x) - difference).max() < 1e-8
    assert relation.value(x).shape == x.shape == relation.derivative(x).shape


def test_gardner_is_the_published_law_in_feet() -> None:
    # 0.23 V^0.25 g/cm^3 with V in ft/s, printed with two digits.
    assert gardner.value(np.array(3000.0)) == pytest.approx(230.0 * (3000.0 / 0.3048) ** 0.25, rel=5e-3)


def test_brocher_vs_is_undone_by_the_paper_s_own_inverse() -> None:
    # Eq. 9 of the paper, VP from VS in km/s, a fit of its own.
    inverse = np.polynomial.Polynomial((0.9409, 2.0947, -0.8206, 0.2683, -0.0251))
    vp = np.linspace(1700.0, 7500.0, 100)
    assert np.abs(1e3 * inverse(brocher_vs.value(vp) / 1e3) / vp - 1.0).max() < 0.03


def test_the_two_densities_agree_about_sediments() -> None:
    vp = np.linspace(2000.0, 4500.0, 50)
    assert np.abs(brocher_rho.value(vp) / gardner.value(vp) - 1.0).max() < 0.1


def test_density_grows_with_velocity_and_poisson_solids_are_near() -> None:
    vp = np.linspace(1500.0, 8000.0, 200)
    for relation in (gardner, brocher_rho):
        assert (relation.derivative(vp) > 0.0).all()
    ratio = vp / brocher_vs.value(vp)
    assert (ratio**2 > 4.0 / 3.0).all() and np.abs(ratio[vp > 5000.0] - np.sqrt(3.0)).max() < 0.1


def test_the_range_of_validity_is_closed() -> None:
    assert gardner.covers(np.array([1499.0, 1500.0, 6100.0, 6101.0])).tolist() == [False, True, True, False]

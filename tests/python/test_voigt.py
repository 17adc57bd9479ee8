"""Stiffness tensors in Voigt form against fourth-order tensors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from wavetree.model import voigt


def random_entries(dim: int, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Packed positive definite tensors."""
    n = len(voigt.PAIRS[dim])
    root = generator.standard_normal((*shape, n, n))
    return voigt.to_entries(root @ np.swapaxes(root, -1, -2) + np.eye(n), dim)


def random_orientation(dim: int, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    return generator.uniform(-2.0, 2.0, (1 if dim == 2 else 3, *shape))


def fourth_order(entries: np.ndarray, dim: int) -> np.ndarray:
    """C_ijkl (dim, dim, dim, dim, ...) of packed entries, written out index by index."""
    matrix = voigt.to_matrix(entries, dim)
    tensor = np.zeros((dim,) * 4 + entries.shape[1:])
    for row, (i, j) in enumerate(voigt.PAIRS[dim]):
        for column, (k, m) in enumerate(voigt.PAIRS[dim]):
            for a, b in {(i, j), (j, i)}:
                for c, d in {(k, m), (m, k)}:
                    tensor[a, b, c, d] = matrix[..., row, column]
    return tensor


def test_names_and_packing() -> None:
    assert voigt.component_names(2) == ("C11", "C12", "C13", "C22", "C23", "C33")
    names = voigt.component_names(3)
    assert len(names) == 21 and names[:7] == ("C11", "C12", "C13", "C14", "C15", "C16", "C22")
    assert names[-1] == "C66"
    entries = np.arange(42.0).reshape(21, 2)
    matrix = voigt.to_matrix(entries, 3)
    assert matrix.shape == (2, 6, 6) and matrix[1, 0, 1] == matrix[1, 1, 0] == entries[1, 1]
    assert np.array_equal(voigt.to_entries(matrix, 3), entries)


@pytest.mark.parametrize("dim", [2, 3])
def test_rotation_is_that_of_the_fourth_order_tensor(dim: int) -> None:
    generator = np.random.default_rng(dim)
    entries = random_entries(dim, (4, 3), generator)
    rotation = voigt.rotation_matrix(random_orientation(dim, (4, 3), generator))
    tensor = fourth_order(entries, dim)
    expected = np.einsum(
        "abip,abjq,abkr,abls,pqrsab->ijklab", rotation, rotation, rotation, rotation, tensor, optimize=True
    )
    found = fourth_order(voigt.rotate(entries, rotation), dim)
    assert np.abs(found - expected).max() <= 1e-14 * np.abs(tensor).max() * 9


@pytest.mark.parametrize("dim", [2, 3])
def test_rotating_back_and_twice(dim: int) -> None:
    generator = np.random.default_rng(dim)
    entries = random_entries(dim, (5,), generator)
    orientation = random_orientation(dim, (5,), generator)
    there, back = voigt.rotation_matrix(orientation), voigt.rotation_matrix(-orientation)
    half = voigt.rotate(entries, voigt.rotation_matrix(0.5 * orientation))
    scale = 1e-14 * np.abs(entries).max() * 9
    assert np.abs(voigt.rotate(voigt.rotate(entries, there), back) - entries).max() <= scale
    twice = voigt.rotate(half, voigt.rotation_matrix(0.5 * orientation))
    assert np.abs(twice - voigt.rotate(entries, there)).max() <= scale
    assert np.abs(voigt.rotate(entries, there) - entries).max() > 1e-2 * np.abs(entries).max()


def test_orientation_is_counter_clockwise_and_right_handed() -> None:
    quarter = voigt.rotation_matrix(np.array([0.5 * np.pi]))
    np.testing.assert_allclose(quarter @ [1.0, 0.0], [0.0, 1.0], atol=1e-15)
    vectors = np.random.default_rng(0).uniform(-3, 3, (3, 2, 4))
    matrices = voigt.rotation_matrix(vectors)
    one = Rotation.from_rotvec(vectors[:, 1, 2]).as_matrix()
    np.testing.assert_allclose(matrices[1, 2], one, atol=1e-15)
    about_z = voigt.rotation_matrix(np.array([0.0, 0.0, 0.3]))
    np.testing.assert_allclose(about_z[:2, :2], voigt.rotation_matrix(np.array([0.3])), atol=1e-15)


@pytest.mark.parametrize("dim", [2, 3])
def test_isotropic_tensors_do_not_turn(dim: int) -> None:
    generator = np.random.default_rng(dim)
    lam, mu = generator.uniform(1.0, 2.0, (2, 6))
    entries = voigt.isotropic_entries(lam, mu, dim)
    turned = voigt.rotate(entries, voigt.rotation_matrix(random_orientation(dim, (6,), generator)))
    assert np.abs(turned - entries).max() <= 1e-14 * 6
    identity = np.eye(dim)
    expected = np.einsum("ij,kl->ijkl", identity, identity)[..., None] * lam
    shear = np.einsum("ik,jl->ijkl", identity, identity) + np.einsum("il,jk->ijkl", identity, identity)
    np.testing.assert_allclose(fourth_order(entries, dim), expected + shear[..., None] * mu, rtol=1e-15)


@pytest.mark.parametrize("dim", [2, 3])
def test_transpose_of_the_rotation(dim: int) -> None:
    generator = np.random.default_rng(dim)
    entries, by_entries = (generator.standard_normal((len(voigt.component_names(dim)), 7)) for _ in range(2))
    rotation = voigt.rotation_matrix(random_orientation(dim, (7,), generator))
    left = np.sum(voigt.rotate(entries, rotation) * by_entries)
    right = np.sum(entries * voigt.rotate_transpose(by_entries, rotation))
    assert abs(left - right) <= 1e-14 * np.linalg.norm(entries) * np.linalg.norm(by_entries) * 4


@pytest.mark.parametrize("dim", [2, 3])
def test_smallest_eigenvalue(dim: int) -> None:
    generator = np.random.default_rng(dim)
    lam, mu = np.array([1.0, 3.0, -0.2]), np.array([2.0, 0.1, 0.5])
    moduli = np.stack([2 * mu, 3 * lam + 2 * mu if dim == 3 else 2 * (lam + mu)])
    found = voigt.kelvin_minimum(voigt.isotropic_entries(lam, mu, dim), dim)
    np.testing.assert_allclose(found, moduli.min(axis=0), rtol=1e-13)
    entries = random_entries(dim, (8,), generator)
    turned = voigt.rotate(entries, voigt.rotation_matrix(random_orientation(dim, (8,), generator)))
    smallest = voigt.kelvin_minimum(entries, dim)
    np.testing.assert_allclose(voigt.kelvin_minimum(turned, dim), smallest, rtol=1e-11)
    # Every strain costs at least half that much a unit of its square, and some costs no more.
    strain = generator.standard_normal((8, 5000, dim, dim))
    strain = strain + np.swapaxes(strain, -1, -2)
    strain /= np.linalg.norm(strain, axis=(-2, -1), keepdims=True)
    energy = np.einsum("enij,ijkle,enkl->en", strain, fourth_order(entries, dim), strain, optimize=True)
    assert (energy >= smallest[:, None] * (1 - 1e-12)).all()
    assert (energy.min(axis=1) < 3.0 * smallest + 1.0).all()

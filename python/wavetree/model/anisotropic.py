"""Parameter sets of anisotropic solids: hexagonal symmetry and the full tensor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np

from wavetree.model import voigt
from wavetree.model.parameter_set import Fault, ParameterSet, Values

__all__ = ["FLUID_TOLERANCE", "HexagonalVelocities", "TensorComponents"]

FLUID_TOLERANCE = 1e-2
"""Relative difference up to which moduli that are equal in fluids count as equal.

Wide enough for what an inversion for all of them does to fluid elements beside a solid, with which they
share the update at their common nodes; the mean of the moduli is what counts.
"""
# A tensor counts as positive definite if its smallest eigenvalue exceeds this share of its largest entry.
_DEFINITE = 1e-12


class _AnisotropicSolids(ParameterSet):
    """Sets of a stiffness tensor in axes of its own, which an orientation turns."""

    physics = "anisotropic"

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.orientation = ("ORIENTATION",) if dim == 2 else tuple(f"ORIENTATION_{axis}" for axis in "XYZ")

    @abstractmethod
    def _tensor(self, values: Values) -> np.ndarray:
        """Stiffness (n_entries, ...) [Pa] in the medium's own axes."""

    @abstractmethod
    def _tensor_chain(self, values: Values, by_tensor: np.ndarray) -> dict[str, np.ndarray]:
        """Transposed derivative of `_tensor`."""

    @abstractmethod
    def _kelvin_minimum(self, values: Values) -> np.ndarray:
        """Smallest eigenvalue of the stiffness (...) [Pa]; see `voigt.kelvin_minimum`."""

    def _rotation(self, values: Values) -> np.ndarray | None:
        if self.orientation[0] not in values:
            return None
        return voigt.rotation_matrix(np.stack([values[name] for name in self.orientation]))

    def _solid(self, values: Values) -> np.ndarray:
        tensor, rotation = self._tensor(values), self._rotation(values)
        if rotation is not None:
            tensor = voigt.rotate(tensor, rotation)
        return np.concatenate([np.asarray(values["RHO"])[None], tensor])

    def _solid_chain(self, values: Values, by_core: np.ndarray) -> dict[str, np.ndarray]:
        by_tensor, rotation = by_core[1:], self._rotation(values)
        if rotation is not None:
            by_tensor = voigt.rotate_transpose(by_tensor, rotation)
        found = self._tensor_chain(values, by_tensor)
        found["RHO"] = found.get("RHO", 0.0) + by_core[0]
        return found

    def _shear_velocity(self, values: Values) -> np.ndarray:
        return np.asarray(np.sqrt(0.5 * self._kelvin_minimum(values) / values["RHO"]))

    def _indefinite(self, values: Values) -> np.ndarray:
        """Say which solids cost no energy to deform in some way: bool (...)."""
        solid = ~self.is_fluid(values)
        bad = np.zeros(solid.shape, dtype=bool)
        part = {name: value[solid] for name, value in values.items()}
        tensor = self._tensor(part)
        finite = np.isfinite(tensor).all(axis=0)
        part = {name: value[finite] for name, value in part.items()}
        indefinite = ~finite
        indefinite[finite] = self._kelvin_minimum(part) <= _DEFINITE * np.abs(tensor[:, finite]).max(axis=0)
        bad[solid] = indefinite
        return bad


class HexagonalVelocities(_AnisotropicSolids):
    """VPV, VPH, VSV, VSH [m/s], ETA and RHO [kg/m^3]: hexagonal symmetry.

    The symmetry axis is the last one (y in 2-D, z in 3-D), turned by the orientation. In 2-D, plane strain,
    VSH does not enter and its derivative is 0.

    Notes
    -----
    A = ρ VPH², C = ρ VPV², L = ρ VSV², N = ρ VSH², F = ETA (A − 2 L) (Love 1927; Dziewonski & Anderson
    1981, PEPI 25). Stiffness with axis z: C11 = C22 = A, C33 = C, C44 = C55 = L, C66 = N, C12 = A − 2 N,
    C13 = C23 = F; in 2-D with axis y: C11 = A, C22 = C, C33 = L, C12 = F. In fluids VPV = VPH, the bulk
    modulus is ρ VPV VPH and ETA does not enter.
    """

    names = ("VPV", "VPH", "VSV", "VSH", "ETA", "RHO")
    shear = ("VSV", "VSH")
    solid_only = ("VSV", "VSH", "ETA")
    positive = ("VPV", "VPH", "RHO")

    def from_core(self, core: np.ndarray, physics: str) -> dict[str, np.ndarray]:  # noqa: D102 (as the base)
        if physics == "acoustic":
            rho, lam, mu = 1.0 / core[1], 1.0 / core[0], np.zeros_like(core[0])
        elif physics == "elastic":
            rho, lam, mu = core
        else:
            raise self._refuse(physics)
        vp, vs = np.sqrt((lam + 2.0 * mu) / rho), np.sqrt(mu / rho)
        copies = {"VPV": vp, "VPH": vp.copy(), "VSV": vs, "VSH": vs.copy()}
        return {**copies, "ETA": np.ones_like(vp), "RHO": rho}

    def _love(self, values: Values) -> tuple[np.ndarray, ...]:
        """A, C, L, N, F [Pa]."""
        vpv, vph, vsv, vsh, eta, rho = (values[name] for name in self.names)
        stiff, soft = rho * vph**2, rho * vsv**2
        return stiff, rho * vpv**2, soft, rho * vsh**2, eta * (stiff - 2.0 * soft)

    def _tensor(self, values: Values) -> np.ndarray:
        A, C, L, N, F = self._love(values)
        O = np.zeros_like(F)  # noqa: E741 (a matrix is to be read)
        if self.dim == 2:
            return np.stack([A, F, O, C, O, L])
        rows = [[A, A - 2.0 * N, F, O, O, O], [A, F, O, O, O], [C, O, O, O], [L, O, O], [L, O], [N]]
        return np.stack([entry for row in rows for entry in row])

    def _tensor_chain(self, values: Values, by_tensor: np.ndarray) -> dict[str, np.ndarray]:
        vpv, vph, vsv, vsh, eta, rho = (values[name] for name in self.names)
        by = dict(zip(voigt.component_names(self.dim), by_tensor, strict=True))
        if self.dim == 2:
            by_A, by_C, by_F, by_L, by_N = by["C11"], by["C22"], by["C12"], by["C33"], 0.0 * rho
        else:
            by_A, by_C, by_F = by["C11"] + by["C22"] + by["C12"], by["C33"], by["C13"] + by["C23"]
            by_L, by_N = by["C44"] + by["C55"], by["C66"] - 2.0 * by["C12"]
        by_A, by_L = by_A + eta * by_F, by_L - 2.0 * eta * by_F
        return {
            "VPV": 2.0 * rho * vpv * by_C,
            "VPH": 2.0 * rho * vph * by_A,
            "VSV": 2.0 * rho * vsv * by_L,
            "VSH": 2.0 * rho * vsh * by_N,
            "ETA": rho * (vph**2 - 2.0 * vsv**2) * by_F,
            "RHO": vph**2 * by_A + vpv**2 * by_C + vsv**2 * by_L + vsh**2 * by_N,
        }

    def _kelvin_minimum(self, values: Values) -> np.ndarray:
        """Closed form: twice the shear moduli, and the block of strain along and across the axis."""
        A, C, L, N, F = self._love(values)
        across, mixed = (A, F) if self.dim == 2 else (2.0 * (A - N), np.sqrt(2.0) * F)
        block = 0.5 * (across + C) - np.hypot(0.5 * (across - C), mixed)
        return np.minimum(block, 2.0 * (L if self.dim == 2 else np.minimum(L, N)))

    def _bulk_modulus(self, values: Values) -> np.ndarray:
        return np.asarray(values["RHO"] * values["VPV"] * values["VPH"])

    def _bulk_modulus_chain(self, values: Values, by_bulk: np.ndarray) -> dict[str, np.ndarray]:
        vpv, vph, rho = values["VPV"], values["VPH"], values["RHO"]
        return {"VPV": rho * vph * by_bulk, "VPH": rho * vpv * by_bulk, "RHO": vpv * vph * by_bulk}

    def _relations(self, values: Values) -> Iterator[Fault]:
        for name in self.shear:
            bad = ~(values[name] >= 0.0)
            yield Fault((name,), bad, "negative", "positive values in solids and 0 in fluids")
        differ = np.abs(values["VPV"] - values["VPH"]) > FLUID_TOLERANCE * values["VPV"]
        yield Fault(
            ("VPV", "VPH"),
            differ & self.is_fluid(values),
            "different in a fluid",
            "one velocity of sound: make them equal, or give VSV and VSH",
        )
        yield Fault(
            self.names,
            self._indefinite(values),
            "without a positive definite stiffness tensor",
            "velocities and ETA of a medium that every strain costs energy",
        )


class TensorComponents(_AnisotropicSolids):
    """The stiffness C_ij [Pa], upper triangle of the Voigt form row by row, and RHO [kg/m^3].

    6 components C11 C12 C13 C22 C23 C33 (3 = xy) in 2-D, 21 in 3-D, turned by the orientation. In fluids the
    components of normal strain and stress are all the bulk modulus (their mean is taken) and all others 0.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.components = voigt.component_names(dim)
        self.names = (*self.components, "RHO")
        pairs = list(zip(*voigt.upper_triangle(dim), strict=True))
        # The normal ones with the number of times that they stand in the matrix.
        normal = {
            name: 1 if i == j else 2 for name, (i, j) in zip(self.components, pairs, strict=True) if j < dim
        }
        self._share = {name: times / dim**2 for name, times in normal.items()}
        self.shear = self.solid_only = tuple(name for name in self.components if name not in normal)

    def from_core(self, core: np.ndarray, physics: str) -> dict[str, np.ndarray]:  # noqa: D102 (as the base)
        if physics == "acoustic":
            rho, tensor = (
                1.0 / core[1],
                voigt.isotropic_entries(1.0 / core[0], np.zeros_like(core[0]), self.dim),
            )
        elif physics == "elastic":
            rho, tensor = core[0], voigt.isotropic_entries(core[1], core[2], self.dim)
        else:
            rho, tensor = core[0], core[1:]
        return dict(zip(self.names, (*tensor, rho), strict=True))

    def _tensor(self, values: Values) -> np.ndarray:
        return np.stack([values[name] for name in self.components])

    def _tensor_chain(self, values: Values, by_tensor: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.components, by_tensor, strict=True))

    def _kelvin_minimum(self, values: Values) -> np.ndarray:
        return voigt.kelvin_minimum(self._tensor(values), self.dim)

    def _bulk_modulus(self, values: Values) -> np.ndarray:
        return np.asarray(sum(share * values[name] for name, share in self._share.items()))

    def _bulk_modulus_chain(self, values: Values, by_bulk: np.ndarray) -> dict[str, np.ndarray]:
        return {name: share * by_bulk for name, share in self._share.items()}

    def _relations(self, values: Values) -> Iterator[Fault]:
        bulk, fluid = self._bulk_modulus(values), self.is_fluid(values)
        differ = ~(bulk > 0.0)
        for name in self._share:
            differ |= np.abs(values[name] - bulk) > FLUID_TOLERANCE * bulk
        yield Fault(
            tuple(self._share),
            differ & fluid,
            "not one positive number in a fluid",
            "C_ij of normal strain that all equal the bulk modulus, or shear stiffness",
        )
        yield Fault(
            self.components,
            self._indefinite(values),
            "without a positive definite tensor",
            "a stiffness that every strain costs energy: look at order and signs of the components",
        )

"""Parameter sets of fluids and isotropic solids."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wavetree.model.parameter_set import Fault, ParameterSet, Values

__all__ = ["BulkModuli", "FluidCoefficients", "FluidVelocities", "LameModuli", "Velocities"]


class _Fluids(ParameterSet):
    """Sets of fluids alone."""

    physics = "acoustic"

    def _solid(self, values: Values) -> np.ndarray:
        raise self._refuse("solid")

    def _solid_chain(self, values: Values, by_core: np.ndarray) -> dict[str, np.ndarray]:
        raise self._refuse("solid")

    def _shear_velocity(self, values: Values) -> np.ndarray:
        raise self._refuse("solid")


class FluidVelocities(_Fluids):
    """VP [m/s] and RHO [kg/m^3]."""

    names = ("VP", "RHO")
    positive = names

    def from_core(self, core: np.ndarray, physics: str) -> dict[str, np.ndarray]:  # noqa: D102 (as the base)
        if physics != "acoustic":
            raise self._refuse(physics)
        return {"VP": np.sqrt(core[1] / core[0]), "RHO": 1.0 / core[1]}

    def _bulk_modulus(self, values: Values) -> np.ndarray:
        return np.asarray(values["RHO"] * values["VP"] ** 2)

    def _bulk_modulus_chain(self, values: Values, by_bulk: np.ndarray) -> dict[str, np.ndarray]:
        vp, rho = values["VP"], values["RHO"]
        return {"VP": 2.0 * rho * vp * by_bulk, "RHO": vp**2 * by_bulk}

    def _sound_velocity(self, values: Values) -> np.ndarray:
        return values["VP"]


class FluidCoefficients(_Fluids):
    """M0 = 1/(ρ vp²) [1/Pa] and M1 = 1/ρ [m^3/kg]: the core's own, with no chain rule."""

    names = ("M0", "M1")
    positive = names

    def to_core(self, values: Values, physics: str | None = None) -> np.ndarray:  # noqa: D102 (as the base)
        return np.stack([values["M0"], values["M1"]])

    def chain(  # noqa: D102 (as the base)
        self, values: Values, by_core: np.ndarray, physics: str | None = None
    ) -> dict[str, np.ndarray]:
        return {"M0": by_core[0], "M1": by_core[1]}

    def from_core(self, core: np.ndarray, physics: str) -> dict[str, np.ndarray]:  # noqa: D102 (as the base)
        if physics != "acoustic":
            raise self._refuse(physics)
        return {"M0": core[0], "M1": core[1]}

    def _bulk_modulus(self, values: Values) -> np.ndarray:
        return 1.0 / values["M0"]

    def _bulk_modulus_chain(self, values: Values, by_bulk: np.ndarray) -> dict[str, np.ndarray]:
        return {"M0": -by_bulk / values["M0"] ** 2}

    def _sound_velocity(self, values: Values) -> np.ndarray:
        return np.asarray(np.sqrt(values["M1"] / values["M0"]))


class _IsotropicSolids(ParameterSet):
    """Sets whose solids have two moduli."""

    physics = "elastic"

    def from_core(self, core: np.ndarray, physics: str) -> dict[str, np.ndarray]:
        if physics == "acoustic":
            core = np.stack([1.0 / core[1], 1.0 / core[0], np.zeros_like(core[0])])
        elif physics != "elastic":
            raise self._refuse(physics)
        return self._from_lame(*core)

    def _from_lame(self, rho: np.ndarray, lam: np.ndarray, mu: np.ndarray) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def _shear_velocity(self, values: Values) -> np.ndarray:
        return np.asarray(np.sqrt(values["MU"] / values["RHO"]))


class Velocities(_IsotropicSolids):
    """VP, VS [m/s] and RHO [kg/m^3]."""

    names = ("VP", "VS", "RHO")
    shear = solid_only = ("VS",)
    positive = ("VP", "RHO")

    def _from_lame(self, rho: np.ndarray, lam: np.ndarray, mu: np.ndarray) -> dict[str, np.ndarray]:
        return {"VP": np.sqrt((lam + 2.0 * mu) / rho), "VS": np.sqrt(mu / rho), "RHO": rho}

    def _bulk_modulus(self, values: Values) -> np.ndarray:
        return np.asarray(values["RHO"] * values["VP"] ** 2)

    def _bulk_modulus_chain(self, values: Values, by_bulk: np.ndarray) -> dict[str, np.ndarray]:
        vp, rho = values["VP"], values["RHO"]
        return {"VP": 2.0 * rho * vp * by_bulk, "RHO": vp**2 * by_bulk}

    def _solid(self, values: Values) -> np.ndarray:
        vp, vs, rho = (values[name] for name in self.names)
        return np.stack([rho, rho * (vp**2 - 2.0 * vs**2), rho * vs**2])

    def _solid_chain(self, values: Values, by_core: np.ndarray) -> dict[str, np.ndarray]:
        vp, vs, rho = (values[name] for name in self.names)
        by_rho, by_lam, by_mu = by_core
        by_shear = by_mu - 2.0 * by_lam
        return {
            "VP": 2.0 * rho * vp * by_lam,
            "VS": 2.0 * rho * vs * by_shear,
            "RHO": by_rho + vp**2 * by_lam + vs**2 * by_shear,
        }

    def _sound_velocity(self, values: Values) -> np.ndarray:
        return values["VP"]

    def _shear_velocity(self, values: Values) -> np.ndarray:
        return values["VS"]

    def _relations(self, values: Values) -> Iterator[Fault]:
        vp, vs = values["VP"], values["VS"]
        yield Fault(("VS",), ~(vs >= 0.0), "negative", "positive values in solids and 0 in fluids")
        bad = ~(vs**2 < 0.75 * vp**2)
        yield Fault(("VP", "VS"), bad, "not VS^2 < 3/4 VP^2", "a positive bulk modulus: lower VS or raise VP")


class _Moduli(_IsotropicSolids):
    """Sets of a modulus, which in fluids is the bulk modulus λ = κ, and MU."""

    shear = solid_only = ("MU",)

    def _bulk_modulus(self, values: Values) -> np.ndarray:
        return values[self.names[0]]

    def _bulk_modulus_chain(self, values: Values, by_bulk: np.ndarray) -> dict[str, np.ndarray]:
        return {self.names[0]: by_bulk}

    def _relations(self, values: Values) -> Iterator[Fault]:
        bad = ~(values["MU"] >= 0.0)
        yield Fault(("MU",), bad, "negative", "positive values in solids and 0 in fluids")


class LameModuli(_Moduli):
    """LAMBDA, MU [Pa] and RHO [kg/m^3]."""

    names = ("LAMBDA", "MU", "RHO")

    def _from_lame(self, rho: np.ndarray, lam: np.ndarray, mu: np.ndarray) -> dict[str, np.ndarray]:
        return {"LAMBDA": lam, "MU": mu, "RHO": rho}

    def _solid(self, values: Values) -> np.ndarray:
        return np.stack([values["RHO"], values["LAMBDA"], values["MU"]])

    def _solid_chain(self, values: Values, by_core: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(("RHO", "LAMBDA", "MU"), by_core, strict=True))

    def _relations(self, values: Values) -> Iterator[Fault]:
        yield from super()._relations(values)
        bad = ~(values["LAMBDA"] + 2.0 / 3.0 * values["MU"] > 0.0)
        yield Fault(
            ("LAMBDA", "MU"), bad, "not LAMBDA + 2/3 MU > 0", "a positive bulk modulus: raise LAMBDA or MU"
        )


class BulkModuli(_Moduli):
    """KAPPA = λ + 2 μ/3 (in 2-D too), MU [Pa] and RHO [kg/m^3]."""

    names = ("KAPPA", "MU", "RHO")
    positive = ("KAPPA", "RHO")

    def _from_lame(self, rho: np.ndarray, lam: np.ndarray, mu: np.ndarray) -> dict[str, np.ndarray]:
        return {"KAPPA": lam + 2.0 / 3.0 * mu, "MU": mu, "RHO": rho}

    def _solid(self, values: Values) -> np.ndarray:
        return np.stack([values["RHO"], values["KAPPA"] - 2.0 / 3.0 * values["MU"], values["MU"]])

    def _solid_chain(self, values: Values, by_core: np.ndarray) -> dict[str, np.ndarray]:
        by_rho, by_lam, by_mu = by_core
        return {"KAPPA": by_lam, "MU": by_mu - 2.0 / 3.0 * by_lam, "RHO": by_rho}

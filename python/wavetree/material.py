"""Materials: the medium at a place, in the parameters that suit it, convertible into more general ones.

`from_params` picks the class by the names of the parameters; `acoustic.Velocity`, `elastic.Velocity`,
`elastic.hexagonal.Velocity` and `elastic.triclinic.TensorComponents` are the classes themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import KW_ONLY
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr
from pydantic import FiniteFloat, field_validator, model_validator
from typing_extensions import Self

from wavetree.config import configuration
from wavetree.model.background.homogeneous import Homogeneous
from wavetree.model.parameter_set import ParameterSet
from wavetree.model.parameters import SETS, find_set

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

__all__ = [
    "AcousticVelocity",
    "ElasticVelocity",
    "HexagonalVelocity",
    "Material",
    "TensorComponents",
    "acoustic",
    "elastic",
    "from_params",
]

Number = FiniteFloat | xr.DataArray
Orientation = FiniteFloat | tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None


class Material(Homogeneous):
    """Base of all materials; one whose parameters are numbers is a background model.

    Parameters are numbers or xarray.DataArrays (for example on x and y), in SI units.
    """

    orientation: Orientation = None
    _names: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_params(cls, **params: Any) -> Self:
        """Return the material of parameters by name, numbers or DataArrays.

        Raises
        ------
        ValueError
            If a parameter is missing, unknown or that of no medium.
        """
        return cls(**params)

    @classmethod
    def from_material(cls, other: Material) -> Self:
        """Return another material in the parameters of this class.

        Raises
        ------
        ValueError
            If it is too general, for example a solid for a fluid or an anisotropic one for an isotropic.
        """
        dim = other._dims()[-1]
        (target,) = (found for found in SETS[dim] if found.names == cls._names)
        turned = {"orientation": other.orientation} if "orientation" in _field_names(cls) else {}
        return cls(**_converted(other, dim, target), **turned)

    def with_orientation(self, angle: float | tuple[float, float, float] | Rotation) -> Self:
        """Return the material turned; isotropic ones stay as they are.

        Parameters
        ----------
        angle
            2-D: angle [rad], counter-clockwise. 3-D: a rotation vector [rad], or a
            `scipy.spatial.transform.Rotation`. It replaces an earlier orientation.
        """
        if "orientation" not in _field_names(type(self)):
            return self
        from scipy.spatial.transform import Rotation  # see `wavetree.model.voigt`

        if isinstance(angle, Rotation):
            angle = tuple(float(x) for x in angle.as_rotvec())
        return dataclasses.replace(self, orientation=angle)  # type: ignore[type-var]

    @property
    def parameters(self) -> dict[str, float | xr.DataArray]:
        """The parameters by lower-case name, without the orientation."""
        return {name.lower(): getattr(self, name.lower()) for name in self._names}

    @property
    def is_homogeneous(self) -> bool:
        """Whether all parameters are numbers."""
        return not any(isinstance(value, xr.DataArray) for value in self.parameters.values())

    @property
    def data(self) -> xr.Dataset:
        """The material as dataset, from which a `GenericModel` can be made."""
        values = {k: xr.DataArray(v) for k, v in (self.parameters | self._orientation()).items()}
        return xr.Dataset(dict(zip(values, xr.broadcast(*values.values()), strict=True)))

    def constants(self, dim: int) -> dict[str, float]:
        """Return the parameters of a homogeneous material, and its orientation if it has one.

        Raises
        ------
        ValueError
            If the material varies in space or is one of another number of dimensions.
        """
        if not self.is_homogeneous:
            raise ValueError(
                f"the {type(self).__name__} varies in space; expected numbers for a background model: make a "
                "volume model of it with GenericModel(name, material.data)."
            )
        if dim not in self._dims():
            raise ValueError(
                f"the {type(self).__name__} is {self._dims()[0]}-D by its components or orientation; "
                f"expected one for {dim} dimensions."
            )
        named = self.parameters | self._orientation()
        return {name.upper(): float(value) for name, value in named.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON-serialisable dictionary with the class under ``"type"``."""
        values = {name: getattr(self, name) for name in _field_names(type(self))}
        return {"type": self._type_name, **{name: _written(value) for name, value in values.items()}}

    def _dims(self) -> tuple[int, ...]:
        """Numbers of dimensions that the material can be used in."""
        if self.orientation is None:
            return (2, 3)
        return (3,) if isinstance(self.orientation, tuple) else (2,)

    def _orientation(self) -> dict[str, float]:
        if self.orientation is None:
            return {}
        if isinstance(self.orientation, tuple):
            return {f"orientation_{axis}": x for axis, x in zip("xyz", self.orientation, strict=True)}
        return {"orientation": self.orientation}

    def _set(self, dim: int) -> ParameterSet:
        return find_set(
            [name.upper() for name in self.parameters], dim, "the material has no parameter", str.lower
        )

    def _check(self) -> Self:
        """Raise ValueError if there is no such medium."""
        values = _arrays(self.parameters)
        fault = self._set(self._dims()[0]).first_fault(values)
        if fault is not None:
            names = ", ".join(name.lower() for name in fault.names)
            numbers = ", ".join(f"{values[name][fault.bad][0]:g}" for name in fault.names)
            raise ValueError(f"{names} = {numbers}: {fault.problem}; expected {fault.expected}.")
        return self


@configuration
class AcousticVelocity(Material):
    """A fluid.

    Parameters
    ----------
    vp
        Velocity of sound [m/s].
    rho
        Density [kg/m^3].
    """

    vp: Number
    _: KW_ONLY
    rho: Number

    _names: ClassVar[tuple[str, ...]] = ("VP", "RHO")
    _read = field_validator("*", mode="before")(lambda value: _read(value))
    _checked = model_validator(mode="after")(lambda self: self._check())


@configuration
class ElasticVelocity(Material):
    """An isotropic solid.

    Parameters
    ----------
    vp, vs
        Velocities of compressional and shear waves [m/s].
    rho
        Density [kg/m^3].
    """

    vp: Number
    _: KW_ONLY
    vs: Number
    rho: Number

    _names: ClassVar[tuple[str, ...]] = ("VP", "VS", "RHO")
    _read = field_validator("*", mode="before")(lambda value: _read(value))
    _checked = model_validator(mode="after")(lambda self: self._check())


@configuration
class HexagonalVelocity(Material):
    """A solid of hexagonal symmetry; the axis is the last one (y in 2-D, z in 3-D) unless turned.

    Parameters
    ----------
    vpv, vph
        Velocities of compressional waves along and across the axis [m/s].
    vsv, vsh
        Velocities of shear waves along the axis, and across it with polarisation across it [m/s]; in 2-D the
        latter does not enter.
    eta
        F/(A − 2 L), 1 in isotropic solids.
    rho
        Density [kg/m^3].
    orientation
        See `with_orientation`.
    """

    vpv: Number
    _: KW_ONLY
    vph: Number
    vsv: Number
    vsh: Number
    eta: Number
    rho: Number
    orientation: Orientation = None

    _names: ClassVar[tuple[str, ...]] = ("VPV", "VPH", "VSV", "VSH", "ETA", "RHO")
    _read = field_validator("*", mode="before")(lambda value: _read(value))
    _checked = model_validator(mode="after")(lambda self: self._check())


@configuration
class TensorComponents(Material):
    """A solid of any symmetry.

    Parameters
    ----------
    rho
        Density [kg/m^3].
    components
        Stiffness in Voigt form, upper triangle [Pa]: ``c11, c12, c13, c22, c23, c33`` with 3 = xy in 2-D,
        the 21 from ``c11`` to ``c66`` in 3-D.
    orientation
        See `with_orientation`.
    """

    rho: Number
    _: KW_ONLY
    components: dict[str, Number]
    orientation: Orientation = None

    _read = field_validator("*", mode="before")(lambda value: _read(value))
    _checked = model_validator(mode="after")(lambda self: self._check())

    @classmethod
    def from_params(cls, **params: Any) -> Self:
        """Return the material of ``rho`` and all components ``c11, c12, ...``."""
        rho = {"rho": params.pop("rho")} if "rho" in params else {}
        return cls(**rho, components=params)

    @classmethod
    def from_material(cls, other: Material, dim: int | None = None) -> Self:
        """Return any material as one with a tensor, in its own axes with its orientation.

        Parameters
        ----------
        other
            The material.
        dim
            Number of dimensions of the tensor; when None, that of the other's orientation or else 3.
        """
        dim = other._dims()[-1] if dim is None else dim
        if dim not in other._dims():
            raise ValueError(
                f"dim is {dim}, but the {type(other).__name__} is {other._dims()[0]}-D by its components or "
                "orientation; expected that number."
            )
        values = _converted(other, dim, SETS[dim][-1])
        return cls(values.pop("rho"), components=values, orientation=other.orientation)

    @property
    def parameters(self) -> dict[str, float | xr.DataArray]:
        """The components by lower-case name, and the density."""
        return {**self.components, "rho": self.rho}

    def _dims(self) -> tuple[int, ...]:
        dim = 2 if len(self.components) <= len(SETS[2][-1].names) - 1 else 3
        return tuple(d for d in super()._dims() if d == dim)

    def _check(self) -> Self:
        if not self._dims():
            raise ValueError(
                f"orientation is {self.orientation!r} and there are {len(self.components)} components; "
                "expected an angle with the 6 of 2-D, a rotation vector with the 21 of 3-D."
            )
        return super()._check()


def from_params(**params: Any) -> Material:
    """Return the material whose parameters have the given names.

    Parameters
    ----------
    **params
        Numbers or xarray.DataArrays in SI units: ``rho, vp`` for a fluid; ``rho, vp, vs`` for an isotropic
        solid; ``rho, vpv, vph, vsv, vsh, eta`` for hexagonal symmetry; ``rho, c11, c12, ...`` for any
        symmetry.

    Raises
    ------
    ValueError
        If no material has these parameters, or no medium these values.
    """
    for cls in (AcousticVelocity, ElasticVelocity, HexagonalVelocity):
        if {name.upper() for name in params} == set(cls._names):
            return cls.from_params(**params)
    if "c11" in params:
        return TensorComponents.from_params(**params)
    raise ValueError(
        f"the parameters are {', '.join(params) or 'none'}; expected rho, vp (fluid), rho, vp, vs "
        "(isotropic), rho, vpv, vph, vsv, vsh, eta (hexagonal) or rho, c11, c12, ... (any symmetry)."
    )


acoustic = SimpleNamespace(Velocity=AcousticVelocity)
elastic = SimpleNamespace(
    Velocity=ElasticVelocity,
    hexagonal=SimpleNamespace(Velocity=HexagonalVelocity),
    triclinic=SimpleNamespace(TensorComponents=TensorComponents),
)


def _field_names(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def _arrays(parameters: Mapping[str, float | xr.DataArray]) -> dict[str, np.ndarray]:
    """Parameters as arrays of one shape by upper-case name."""
    values = xr.broadcast(*(xr.DataArray(value) for value in parameters.values()))
    return {k.upper(): np.atleast_1d(v.values.astype(float)) for k, v in zip(parameters, values, strict=True)}


def _converted(other: Material, dim: int, target: ParameterSet) -> dict[str, float | xr.DataArray]:
    """Parameters of another set by lower-case name, of the shape of the given ones."""
    template, *_ = xr.broadcast(*(xr.DataArray(value) for value in other.parameters.values()))
    found = other._set(dim).convert(_arrays(other.parameters), target)
    if template.ndim == 0:
        return {name.lower(): float(value[0]) for name, value in found.items()}
    return {name.lower(): template.copy(data=value) for name, value in found.items()}


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _written(inner) for name, inner in value.items()}
    if isinstance(value, xr.DataArray):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else value


def _read(value: Any) -> Any:
    """Undo what `_written` does to arrays."""
    if isinstance(value, dict):
        if "dims" in value:
            return xr.DataArray.from_dict(value)
        return {name: _read(inner) for name, inner in value.items()}
    return value

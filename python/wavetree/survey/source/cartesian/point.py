"""Point sources."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar

from wavetree.config import configuration
from wavetree.survey.source.source import PointSource
from wavetree.survey.stf import SourceTimeFunction

__all__ = [
    "MomentTensorPoint2D",
    "MomentTensorPoint3D",
    "ScalarGradientPoint2D",
    "ScalarGradientPoint3D",
    "ScalarPoint2D",
    "ScalarPoint3D",
    "VectorPoint2D",
    "VectorPoint3D",
]


@configuration
class ScalarPoint2D(PointSource):
    """Scalar point source in a two-dimensional fluid.

    Parameters
    ----------
    x, y
        Position [m].
    f
        Amplitude, multiplies the source time function: the right-hand side of the potential's
        equation is f s(t) δ(x − x_s).
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    dim: ClassVar[int] = 2
    spatial_type: ClassVar[str] = "scalar"

    x: float
    _: KW_ONLY
    y: float
    f: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class ScalarPoint3D(PointSource):
    """Scalar point source in a three-dimensional fluid.

    Parameters
    ----------
    x, y, z
        Position [m].
    f
        Amplitude, multiplies the source time function: the right-hand side of the potential's
        equation is f s(t) δ(x − x_s).
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    dim: ClassVar[int] = 3
    spatial_type: ClassVar[str] = "scalar"

    x: float
    _: KW_ONLY
    y: float
    z: float
    f: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class ScalarGradientPoint2D(PointSource):
    """Gradient of a scalar point source in a two-dimensional fluid.

    Parameters
    ----------
    x, y
        Position [m].
    fx, fy
        Amplitudes f, multiply the source time function.
    source_time_function
        Overrides the wavelet of the event configuration for this source.

    Notes
    -----
    The right-hand side of the potential's equation is −f·∇δ(x − x_s) s(t): with test functions w,
    f·∇w(x_s) s(t).
    """

    dim: ClassVar[int] = 2
    spatial_type: ClassVar[str] = "scalar_gradient"

    x: float
    _: KW_ONLY
    y: float
    fx: float
    fy: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class ScalarGradientPoint3D(PointSource):
    """Gradient of a scalar point source in a three-dimensional fluid.

    Parameters
    ----------
    x, y, z
        Position [m].
    fx, fy, fz
        Amplitudes f, multiply the source time function.
    source_time_function
        Overrides the wavelet of the event configuration for this source.

    Notes
    -----
    The right-hand side of the potential's equation is −f·∇δ(x − x_s) s(t): with test functions w,
    f·∇w(x_s) s(t).
    """

    dim: ClassVar[int] = 3
    spatial_type: ClassVar[str] = "scalar_gradient"

    x: float
    _: KW_ONLY
    y: float
    z: float
    fx: float
    fy: float
    fz: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class VectorPoint2D(PointSource):
    """Point force in a two-dimensional solid.

    Parameters
    ----------
    x, y
        Position [m].
    fx, fy
        Components of the force, multiply the source time function [N/m].
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    dim: ClassVar[int] = 2
    spatial_type: ClassVar[str] = "vector"

    x: float
    _: KW_ONLY
    y: float
    fx: float
    fy: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class VectorPoint3D(PointSource):
    """Point force in a three-dimensional solid.

    Parameters
    ----------
    x, y, z
        Position [m].
    fx, fy, fz
        Components of the force, multiply the source time function [N].
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    dim: ClassVar[int] = 3
    spatial_type: ClassVar[str] = "vector"

    x: float
    _: KW_ONLY
    y: float
    z: float
    fx: float
    fy: float
    fz: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class MomentTensorPoint2D(PointSource):
    """Moment tensor at a point of a two-dimensional solid, or an isotropic one of a fluid.

    Parameters
    ----------
    x, y
        Position [m].
    mxx, myy, mxy
        Components of the moment tensor M, multiply the source time function [N].
    source_time_function
        Overrides the wavelet of the event configuration for this source.

    Notes
    -----
    The body force is −∇·(M s(t) δ(x − x_s)): with test functions w, M:∇w(x_s) s(t). So s(t) is the moment,
    not its rate. In a fluid of bulk modulus κ it is the scalar source f = −tr(M)/(dim κ).
    """

    dim: ClassVar[int] = 2
    spatial_type: ClassVar[str] = "moment_tensor"

    x: float
    _: KW_ONLY
    y: float
    mxx: float
    myy: float
    mxy: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class MomentTensorPoint3D(PointSource):
    """Moment tensor at a point of a three-dimensional solid, or an isotropic one of a fluid.

    Parameters
    ----------
    x, y, z
        Position [m].
    mxx, myy, mzz, myz, mxz, mxy
        Components of the moment tensor M, multiply the source time function [N m].
    source_time_function
        Overrides the wavelet of the event configuration for this source.

    Notes
    -----
    The body force is −∇·(M s(t) δ(x − x_s)): with test functions w, M:∇w(x_s) s(t). So s(t) is the moment,
    not its rate. In a fluid of bulk modulus κ it is the scalar source f = −tr(M)/(dim κ).
    """

    dim: ClassVar[int] = 3
    spatial_type: ClassVar[str] = "moment_tensor"

    x: float
    _: KW_ONLY
    y: float
    z: float
    mxx: float
    myy: float
    mzz: float
    myz: float
    mxz: float
    mxy: float
    source_time_function: SourceTimeFunction | None = None

"""Point sources that are moved onto a side set of the mesh."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar

from wavetree.config import configuration
from wavetree.survey.placement import Direction2D, Direction3D, Position2D, Position3D, SideSetName
from wavetree.survey.source.cartesian.point import (
    MomentTensorPoint2D,
    MomentTensorPoint3D,
    ScalarPoint2D,
    ScalarPoint3D,
    VectorPoint2D,
    VectorPoint3D,
)
from wavetree.survey.source.source import SideSetSource
from wavetree.survey.stf import SourceTimeFunction

__all__ = [
    "SideSetMomentTensorPoint2D",
    "SideSetMomentTensorPoint3D",
    "SideSetScalarPoint2D",
    "SideSetScalarPoint3D",
    "SideSetVectorPoint2D",
    "SideSetVectorPoint3D",
]


@configuration
class SideSetScalarPoint2D(SideSetSource):
    """Scalar point source at a point that is moved along a direction onto a side set; see `ScalarPoint2D`.

    Parameters
    ----------
    point
        Position (x, y) before it is moved [m].
    direction
        Axis ("x", "y") or vector along which it is moved, forth or back, whichever is shorter.
    side_set_name
        Name of the side set.
    offset
        How far it is moved on from there along the direction [m]; negative against it.
    f
        As of `ScalarPoint2D`.
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    dim: ClassVar[int] = 2
    spatial_type: ClassVar[str] = "scalar"
    plain: ClassVar[type[ScalarPoint2D]] = ScalarPoint2D

    point: Position2D
    _: KW_ONLY
    direction: Direction2D
    side_set_name: SideSetName
    offset: float = 0.0
    f: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class SideSetScalarPoint3D(SideSetSource):
    """Scalar point source at a point that is moved along a direction onto a side set; see `ScalarPoint3D`.

    Parameters
    ----------
    point
        Position (x, y, z) before it is moved [m].
    direction
        Axis ("x", "y", "z") or vector along which it is moved, forth or back, whichever is shorter.
    side_set_name
        Name of the side set.
    offset
        How far it is moved on from there along the direction [m]; negative against it.
    f
        As of `ScalarPoint3D`.
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    dim: ClassVar[int] = 3
    spatial_type: ClassVar[str] = "scalar"
    plain: ClassVar[type[ScalarPoint3D]] = ScalarPoint3D

    point: Position3D
    _: KW_ONLY
    direction: Direction3D
    side_set_name: SideSetName
    offset: float = 0.0
    f: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class SideSetVectorPoint2D(SideSetSource):
    """Point force at a point that is moved along a direction onto a side set; see `VectorPoint2D`.

    Parameters
    ----------
    point
        Position (x, y) before it is moved [m].
    direction
        Axis ("x", "y") or vector along which it is moved, forth or back, whichever is shorter.
    side_set_name
        Name of the side set.
    offset
        How far it is moved on from there along the direction [m]; negative against it.
    fx, fy
        As of `VectorPoint2D`.
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    dim: ClassVar[int] = 2
    spatial_type: ClassVar[str] = "vector"
    plain: ClassVar[type[VectorPoint2D]] = VectorPoint2D

    point: Position2D
    _: KW_ONLY
    direction: Direction2D
    side_set_name: SideSetName
    offset: float = 0.0
    fx: float
    fy: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class SideSetVectorPoint3D(SideSetSource):
    """Point force at a point that is moved along a direction onto a side set; see `VectorPoint3D`.

    Parameters
    ----------
    point
        Position (x, y, z) before it is moved [m].
    direction
        Axis ("x", "y", "z") or vector along which it is moved, forth or back, whichever is shorter.
    side_set_name
        Name of the side set.
    offset
        How far it is moved on from there along the direction [m]; negative against it.
    fx, fy, fz
        As of `VectorPoint3D`.
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    dim: ClassVar[int] = 3
    spatial_type: ClassVar[str] = "vector"
    plain: ClassVar[type[VectorPoint3D]] = VectorPoint3D

    point: Position3D
    _: KW_ONLY
    direction: Direction3D
    side_set_name: SideSetName
    offset: float = 0.0
    fx: float
    fy: float
    fz: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class SideSetMomentTensorPoint2D(SideSetSource):
    """Moment tensor at a point that is moved along a direction onto a side set; see `MomentTensorPoint2D`.

    Parameters
    ----------
    point
        Position (x, y) before it is moved [m].
    direction
        Axis ("x", "y") or vector along which it is moved, forth or back, whichever is shorter.
    side_set_name
        Name of the side set.
    offset
        How far it is moved on from there along the direction [m]; negative against it.
    mxx, myy, mxy
        As of `MomentTensorPoint2D`.
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    dim: ClassVar[int] = 2
    spatial_type: ClassVar[str] = "moment_tensor"
    plain: ClassVar[type[MomentTensorPoint2D]] = MomentTensorPoint2D

    point: Position2D
    _: KW_ONLY
    direction: Direction2D
    side_set_name: SideSetName
    offset: float = 0.0
    mxx: float
    myy: float
    mxy: float
    source_time_function: SourceTimeFunction | None = None


@configuration
class SideSetMomentTensorPoint3D(SideSetSource):
    """Moment tensor at a point that is moved along a direction onto a side set; see `MomentTensorPoint3D`.

    Parameters
    ----------
    point
        Position (x, y, z) before it is moved [m].
    direction
        Axis ("x", "y", "z") or vector along which it is moved, forth or back, whichever is shorter.
    side_set_name
        Name of the side set.
    offset
        How far it is moved on from there along the direction [m]; negative against it.
    mxx, myy, mzz, myz, mxz, mxy
        As of `MomentTensorPoint3D`.
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    dim: ClassVar[int] = 3
    spatial_type: ClassVar[str] = "moment_tensor"
    plain: ClassVar[type[MomentTensorPoint3D]] = MomentTensorPoint3D

    point: Position3D
    _: KW_ONLY
    direction: Direction3D
    side_set_name: SideSetName
    offset: float = 0.0
    mxx: float
    myy: float
    mzz: float
    myz: float
    mxz: float
    mxy: float
    source_time_function: SourceTimeFunction | None = None

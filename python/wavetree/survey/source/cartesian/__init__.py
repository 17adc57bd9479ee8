"""Sources in Cartesian coordinates."""

from wavetree.survey.source.cartesian import collections
from wavetree.survey.source.cartesian.point import (
    MomentTensorPoint2D,
    MomentTensorPoint3D,
    ScalarGradientPoint2D,
    ScalarGradientPoint3D,
    ScalarPoint2D,
    ScalarPoint3D,
    VectorPoint2D,
    VectorPoint3D,
)
from wavetree.survey.source.cartesian.side_set import (
    SideSetMomentTensorPoint2D,
    SideSetMomentTensorPoint3D,
    SideSetScalarPoint2D,
    SideSetScalarPoint3D,
    SideSetVectorPoint2D,
    SideSetVectorPoint3D,
)

__all__ = [
    "MomentTensorPoint2D",
    "MomentTensorPoint3D",
    "ScalarGradientPoint2D",
    "ScalarGradientPoint3D",
    "ScalarPoint2D",
    "ScalarPoint3D",
    "SideSetMomentTensorPoint2D",
    "SideSetMomentTensorPoint3D",
    "SideSetScalarPoint2D",
    "SideSetScalarPoint3D",
    "SideSetVectorPoint2D",
    "SideSetVectorPoint3D",
    "VectorPoint2D",
    "VectorPoint3D",
    "collections",
]

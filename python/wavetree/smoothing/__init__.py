"""Smoothing of nodal fields by diffusion, the preconditioner of inversions."""

from wavetree.smoothing.constant import ConstantSmoothing, smoother
from wavetree.smoothing.diffusion import Operator, diffusion_operator
from wavetree.smoothing.model_dependent import ModelDependentSmoothing
from wavetree.smoothing.smoothed_model import smooth_model
from wavetree.smoothing.smoothing import Length, Smoothing, SmoothingOperator

__all__ = [
    "ConstantSmoothing",
    "Length",
    "ModelDependentSmoothing",
    "Operator",
    "Smoothing",
    "SmoothingOperator",
    "diffusion_operator",
    "smooth_model",
    "smoother",
]

"""Whether a simulation is what one thinks it is: resolution, time step, memory, places."""

from wavetree.simulation.validation.geometry import GeometryReport, PlacedPoint, check_geometry
from wavetree.simulation.validation.memory import MemoryForecast, forecast_memory
from wavetree.simulation.validation.resolution import Resolution, check_resolution
from wavetree.simulation.validation.time_step import TimeStepLimits, check_time_step

__all__ = [
    "GeometryReport",
    "MemoryForecast",
    "PlacedPoint",
    "Resolution",
    "TimeStepLimits",
    "check_geometry",
    "check_resolution",
    "check_time_step",
    "forecast_memory",
]

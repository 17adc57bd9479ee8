"""Configuration and runs of simulations."""

from wavetree.simulation import boundary
from wavetree.simulation.boundary import AbsorbingBoundaryParameters
from wavetree.simulation.configuration import (
    EventConfiguration,
    MeshReference,
    ModelConfiguration,
    SimulationConfiguration,
    UnstructuredMeshSimulationConfiguration,
    WavefieldCompression,
    WaveformSimulationConfiguration,
    build_mesh,
    resolve_boundary_conditions,
)
from wavetree.simulation.output import OutputConfiguration, SurfaceData, VolumeData

__all__ = [
    "AbsorbingBoundaryParameters",
    "EventConfiguration",
    "MeshReference",
    "ModelConfiguration",
    "OutputConfiguration",
    "SimulationConfiguration",
    "SurfaceData",
    "UnstructuredMeshSimulationConfiguration",
    "VolumeData",
    "WaveformSimulationConfiguration",
    "WavefieldCompression",
    "boundary",
    "build_mesh",
    "resolve_boundary_conditions",
]

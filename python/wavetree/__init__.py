"""Full-waveform inversion: spectral elements, exact gradients, a tree of trust-region iterations.

Names are imported when they are first used, so that importing wavetree itself takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wavetree import domain, errors, mesh, misfit, model, optimize, simulation, survey
    from wavetree import survey as simple_config
    from wavetree.data.event_data import EventData
    from wavetree.inversion import InverseProblemConfiguration, SiteConfig
    from wavetree.mapping import Mapping
    from wavetree.mesh import Mesh, MeshResolution, box_mesh, mesh_from_domain
    from wavetree.misfit import MisfitConfiguration
    from wavetree.optimize import TrustRegion
    from wavetree.project.project import Project
    from wavetree.simulation import (
        AbsorbingBoundaryParameters,
        EventConfiguration,
        ModelConfiguration,
        SimulationConfiguration,
        UnstructuredMeshSimulationConfiguration,
        WaveformSimulationConfiguration,
        WavefieldCompression,
        boundary,
    )
    from wavetree.simulation.simulation import Simulation
    from wavetree.smoothing import ConstantSmoothing
    from wavetree.survey import Event, EventCollection

__version__ = "0.1.0"

# Where each name comes from; a path without ":" is a module.
_ORIGINS = {
    "AbsorbingBoundaryParameters": "wavetree.simulation:AbsorbingBoundaryParameters",
    "ConstantSmoothing": "wavetree.smoothing:ConstantSmoothing",
    "Event": "wavetree.survey:Event",
    "EventCollection": "wavetree.survey:EventCollection",
    "EventConfiguration": "wavetree.simulation:EventConfiguration",
    "EventData": "wavetree.data.event_data:EventData",
    "InverseProblemConfiguration": "wavetree.inversion:InverseProblemConfiguration",
    "Mapping": "wavetree.mapping:Mapping",
    "Mesh": "wavetree.mesh:Mesh",
    "MeshResolution": "wavetree.mesh:MeshResolution",
    "MisfitConfiguration": "wavetree.misfit:MisfitConfiguration",
    "ModelConfiguration": "wavetree.simulation:ModelConfiguration",
    "Project": "wavetree.project.project:Project",
    "Simulation": "wavetree.simulation.simulation:Simulation",
    "SimulationConfiguration": "wavetree.simulation:SimulationConfiguration",
    "SiteConfig": "wavetree.inversion:SiteConfig",
    "TrustRegion": "wavetree.optimize:TrustRegion",
    "UnstructuredMeshSimulationConfiguration": "wavetree.simulation:UnstructuredMeshSimulationConfiguration",
    "WaveformSimulationConfiguration": "wavetree.simulation:WaveformSimulationConfiguration",
    "WavefieldCompression": "wavetree.simulation:WavefieldCompression",
    "boundary": "wavetree.simulation.boundary",
    "box_mesh": "wavetree.mesh:box_mesh",
    "domain": "wavetree.domain",
    "errors": "wavetree.errors",
    "mesh": "wavetree.mesh",
    "mesh_from_domain": "wavetree.mesh:mesh_from_domain",
    "misfit": "wavetree.misfit",
    "model": "wavetree.model",
    "optimize": "wavetree.optimize",
    "simple_config": "wavetree.survey",
    "simulation": "wavetree.simulation",
    "survey": "wavetree.survey",
}

__all__ = [*_ORIGINS, "__version__"]  # noqa: PLE0604 (all are text)

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _ORIGINS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=None)
        module, _, attribute = _ORIGINS[name].partition(":")
        value = importlib.import_module(module)
        globals()[name] = value = getattr(value, attribute) if attribute else value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)

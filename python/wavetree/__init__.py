"""Full-waveform inversion: spectral elements, exact gradients, a tree of trust-region iterations.

Names are imported when they are first used, so that importing wavetree itself takes no time.
"""
# ruff: noqa: F401 (what is imported for type checkers is public)

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wavetree import (
        domain,
        errors,
        layered_meshing,
        material,
        mesh,
        misfit,
        model,
        optimize,
        simulation,
        survey,
        testing,
    )
    from wavetree import survey as simple_config
    from wavetree.data.event_data import EventData
    from wavetree.data.frequency_band import FrequencyBand
    from wavetree.data.resample import SampleAxis
    from wavetree.inversion import InverseProblemConfiguration, PseudoHessian, SiteConfig
    from wavetree.mapping import Mapping
    from wavetree.mesh import (
        Mesh,
        MeshResolution,
        box_mesh,
        extract_model_to_regular_grid,
        mesh_from_domain,
    )
    from wavetree.misfit import MisfitConfiguration
    from wavetree.optimize import LBFGS, Adam, BatchSelection, SteepestDescent, TrustRegion
    from wavetree.project.log import set_log_level
    from wavetree.project.project import Project
    from wavetree.simulation import (
        AbsorbingBoundaryParameters,
        EventConfiguration,
        ModelConfiguration,
        OutputConfiguration,
        SimulationConfiguration,
        UnstructuredMeshSimulationConfiguration,
        WavefieldCompression,
        WaveformSimulationConfiguration,
        boundary,
    )
    from wavetree.simulation.simulation import Simulation
    from wavetree.sites.settings import LocalSettings, SlurmSettings
    from wavetree.smoothing import ConstantSmoothing, ModelDependentSmoothing
    from wavetree.survey import Event, EventCollection

__version__ = "0.1.0"

# Module by module what of it is public here; a name with "=" is another one for the module itself.
_PUBLIC = {
    "wavetree.data.event_data": ("EventData",),
    "wavetree.data.frequency_band": ("FrequencyBand",),
    "wavetree.data.resample": ("SampleAxis",),
    "wavetree.domain": ("=domain",),
    "wavetree.errors": ("=errors",),
    "wavetree.inversion": ("InverseProblemConfiguration", "PseudoHessian", "SiteConfig"),
    "wavetree.layered_meshing": ("=layered_meshing",),
    "wavetree.mapping": ("Mapping",),
    "wavetree.material": ("=material",),
    "wavetree.mesh": (
        "=mesh",
        "Mesh",
        "MeshResolution",
        "box_mesh",
        "extract_model_to_regular_grid",
        "mesh_from_domain",
    ),
    "wavetree.misfit": ("=misfit", "MisfitConfiguration"),
    "wavetree.model": ("=model",),
    "wavetree.optimize": ("=optimize", "LBFGS", "Adam", "BatchSelection", "SteepestDescent", "TrustRegion"),
    "wavetree.project.log": ("set_log_level",),
    "wavetree.project.project": ("Project",),
    "wavetree.simulation": (
        "=simulation",
        "AbsorbingBoundaryParameters",
        "EventConfiguration",
        "ModelConfiguration",
        "OutputConfiguration",
        "SimulationConfiguration",
        "UnstructuredMeshSimulationConfiguration",
        "WaveformSimulationConfiguration",
        "WavefieldCompression",
    ),
    "wavetree.simulation.boundary": ("=boundary",),
    "wavetree.simulation.simulation": ("Simulation",),
    "wavetree.sites.settings": ("LocalSettings", "SlurmSettings"),
    "wavetree.smoothing": ("ConstantSmoothing", "ModelDependentSmoothing"),
    "wavetree.survey": ("=survey", "=simple_config", "Event", "EventCollection"),
    "wavetree.testing": ("=testing",),
}
_ORIGINS = {name.lstrip("="): (module, name) for module, names in _PUBLIC.items() for name in names}

__all__ = ["__version__", *_ORIGINS]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _ORIGINS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=None)
        module, attribute = _ORIGINS[name]
        value = importlib.import_module(module)
        globals()[name] = value = value if attribute.startswith("=") else getattr(value, attribute)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)

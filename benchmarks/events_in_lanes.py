"""Sixteen events of the tutorial's kind, in lanes and one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import wavetree as wt
from measurements import best_seconds
from wavetree import demo
from wavetree.simulation.core import Core, make_core
from wavetree.simulation.medium import medium
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.together import adjoint_together, run_together

__all__ = ["LaneCost", "TutorialEvents"]


@dataclass(frozen=True)
class LaneCost:
    """Processor time [s] of all events, the best of some rounds.

    Attributes
    ----------
    alone, lanes
        One by one, and in lanes.
    """

    alone: float
    lanes: float

    @property
    def ratio(self) -> float:
        """How many times faster lanes are."""
        return self.alone / self.lanes


class TutorialEvents:
    """The events on the tutorial's mesh, made ready to run.

    Parameters
    ----------
    folder
        Where a project can be made.
    n_events
        How many, on the tutorial's ring.
    """

    def __init__(self, folder: Path, n_events: int = 16) -> None:
        project = wt.Project.from_volume_model(folder, demo.true_model())
        demo.add_entities(project)
        setup = project.simulations.setup(demo.TRUE)
        mesh = project.meshes.get(setup.mesh_digest)
        project.close()
        own = medium(mesh, mesh.tensor_order)
        (wavelet,) = setup.event_configuration.wavelets
        sources = wt.simple_config.source.cartesian.collections.ScalarPoint2DRing(
            x=0, y=0, radius=0.09, count=n_events, f=1.0
        )
        ring = wt.simple_config.receiver.cartesian.collections.RingPoint2D(
            x=0, y=0, radius=0.09, count=100, fields=("phi",)
        )

        def simulation(source: Any, core: Core) -> Simulation:
            far = [r for r in ring if np.hypot(*np.subtract(source.location, r.location)) > 0.03]
            span = setup.event_configuration.waveform_simulation_configuration
            source = replace(source, source_time_function=wavelet)
            axis = setup.time_axis
            return Simulation(mesh, [source], far, span, setup.boundary_conditions, time_axis=axis, core=core)

        alone = make_core(own, setup.boundary_conditions, "float32", 1)
        lanes = make_core(own, setup.boundary_conditions, "float32", 1, events_in_lanes=True).lanes
        self.alone = [simulation(source, alone) for source in sources]
        self.lanes = [simulation(source, lanes[k % len(lanes)]) for k, source in enumerate(sources)]

    def forward(self, rounds: int = 5) -> LaneCost:
        """Return the cost of forward runs that store nothing."""
        works = (lambda: [one.run() for one in self.alone], lambda: run_together(self.lanes))
        return LaneCost(*best_seconds(rounds, *works))

    def gradient(self, interval: int, rounds: int = 5) -> LaneCost:
        """Return the cost of forward runs with every interval-th step stored, adjoint runs and sums."""
        adjoint_sources = [{"phi": one.run().data["phi"]} for one in self.alone]

        def alone() -> None:
            for one, sources in zip(self.alone, adjoint_sources, strict=True):
                one.run(interval)
                one.adjoint(sources)

        def lanes() -> None:
            run_together(self.lanes, interval)
            adjoint_together(self.lanes, adjoint_sources)

        return LaneCost(*best_seconds(rounds, alone, lanes))

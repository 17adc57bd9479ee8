"""Projects whose simulations take long enough to be disturbed, and what disturbs them, for tests of sites."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from projects import DOMAIN, event, simulation
from wavetree.config import Configuration
from wavetree.project import active_task
from wavetree.project.project import Project
from wavetree.simulation.configuration import EventConfiguration, WaveformSimulationConfiguration
from wavetree.simulation.cost import Cost
from wavetree.sites.settings import LocalSettings
from wavetree.survey.event import EventCollection
from wavetree.survey.stf import Ricker

NAME = "long"

_LAUNCH = """
import os, signal, sys
from wavetree.project.project import Project
p = Project(sys.argv[1])
p.simulations.launch("long", site_name=sys.argv[2])
os.kill(os.getpid(), signal.SIGKILL)
"""

_ITERATE = """
import sys
from wavetree.project.project import Project
Project(sys.argv[1]).inversions.iterate("inversion")
"""


def long_project(path: Path, site: Configuration | None, n_events: int = 2, end: float = 0.24) -> Project:
    """A project whose events take some seconds each: few elements, many steps."""
    p = Project.from_domain(path, DOMAIN)
    p += EventCollection([event(k) for k in range(n_events)])
    span = EventConfiguration(
        Ricker(center_frequency=8000.0),
        waveform_simulation_configuration=WaveformSimulationConfiguration(end),
    )
    p += simulation(NAME, event_configuration=span)
    if site is not None:
        p += site
    return p


def large_project(path: Path, site: Configuration | None) -> Project:
    """A project whose one event takes some seconds, nearly all of them in the time loop: many elements."""
    p = Project.from_domain(path, DOMAIN)
    p += EventCollection([event(0)])
    span = EventConfiguration(
        Ricker(center_frequency=3e5),
        waveform_simulation_configuration=WaveformSimulationConfiguration(1.5e-4),
    )
    p += simulation(NAME, event_configuration=span, max_frequency_in_hertz=1e6)
    if site is not None:
        p += site
    return p


def too_short_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[bytes], float]:
    """The records of `large_project`, and a part of the seconds [s] that they take here.

    Nothing is known of what a task takes from here on, so that no job is refused for it.
    """
    begun = time.perf_counter()
    found = undisturbed_records(path, large_project)
    monkeypatch.setattr(active_task, "cost_of", lambda task: Cost())
    return found, 0.4 * (time.perf_counter() - begun)


def undisturbed_records(path: Path, make: Callable[..., Project] = long_project) -> list[bytes]:
    """The records of a project as it runs in the program."""
    p = make(path, LocalSettings(processes="never"))
    p.simulations.launch(NAME)
    p.simulations.query(block=True)
    found = records(p)
    p.close()
    return found


def folders(p: Project) -> list[Path]:
    """Folders of the events' results."""
    return [p.runner.folder(task) for task in p.simulations.tasks(NAME).values()]


def records(p: Project) -> list[bytes]:
    """The bits of all records."""
    return [data.data["phi"].tobytes() for data in p.waveforms.get(NAME)]


def attempts(folder: Path) -> int:
    """How often a run was begun in a folder."""
    log = folder / "log.txt"
    return log.read_text().count(", process ") if log.exists() else 0


def begun_at(folder: Path) -> list[int]:
    """The time steps that later attempts at a run in a folder went on from."""
    return [
        int(step) for step in re.findall(r"goes on from time step (\d+) of", (folder / "log.txt").read_text())
    ]


def worker_of(folder: Path) -> int:
    """The process that runs the job of a folder, waiting until there is one."""
    said = eventually(lambda: attempts(folder) and read(folder / "progress.json"))
    return int(said["process"])


def read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def eventually(ask: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.02)
    return answer


def launch_and_die(path: Path, site_name: str) -> None:
    """Launch all events in a process that is killed right afterwards."""
    code = subprocess.run([sys.executable, "-c", _LAUNCH, str(path), site_name], capture_output=True)
    assert code.returncode == -9, code.stderr.decode()


def iterate_and_die(path: Path) -> None:
    """Begin an iteration in a process that is killed once its first jobs are submitted."""
    process = subprocess.Popen([sys.executable, "-c", _ITERATE, str(path)], stderr=subprocess.DEVNULL)
    eventually(lambda: len(list(path.glob("results/*/*/job.json"))) >= 2)
    process.kill()
    assert process.wait() == -9

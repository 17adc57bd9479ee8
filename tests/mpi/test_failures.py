"""What goes wrong on one rank ends all of them, soon and with its message."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from on_ranks import start

from simulations import medium_box, receivers, source
from wavetree import Simulation
from wavetree._core import Control
from wavetree.errors import Cancelled, RankError, SimulationFailed
from wavetree.ranks import Ranks, ranks_of
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.output import OutputConfiguration
from wavetree.simulation.time_axis import TimeAxis
from wavetree.sites.mpiexec import Mpiexec, find_mpiexec


def small(comm: Any, axis: TimeAxis | None = None) -> Simulation:
    span = WaveformSimulationConfiguration(end_time_in_seconds=2e-3)
    return Simulation(
        medium_box(4), [source()], receivers((0.5, 0.5)), span, (), "float64", comm, time_axis=axis
    )


def run_script(tmp_path: Path, text: str, n_ranks: int = 2) -> tuple[subprocess.CompletedProcess[str], float]:
    """What became of a script on ranks, and the seconds from when it called `last`."""
    file, when = tmp_path / "script.py", tmp_path / "last"
    file.write_text(
        f"import sys, time\nfrom pathlib import Path\nsys.path[:0] = {sys.path!r}\n"
        f"def last(): Path({os.fspath(when)!r}).write_text(str(time.time()))\n{text}"
    )
    done = start(n_ranks, [os.fspath(file)], seconds=120.0)
    assert when.exists(), done.stderr
    return done, time.time() - float(when.read_text())


FAILED = r"at time step (\d+), most of all at"
WORK = """
from mpi4py import MPI
from simulations import medium_box, receivers, source
from wavetree import Simulation
from wavetree.simulation.configuration import WaveformSimulationConfiguration

comm, span = MPI.COMM_WORLD, WaveformSimulationConfiguration(end_time_in_seconds=2e-3)
simulation = Simulation(medium_box(4), [source()], receivers((0.5, 0.5)), span, (), "float64", comm)
simulation.run()

def go_on():
    while True:
        simulation.run()
"""


def test_an_exception_on_one_rank_ends_all(tmp_path: Path) -> None:
    text = f"""{WORK}
if comm.rank == 1:
    last()
    raise OSError('no such luck')
go_on()
"""
    done, seconds = run_script(tmp_path, text)
    assert done.returncode != 0 and seconds < 10.0
    assert "rank 1 of 2 ends all ranks: OSError: no such luck" in done.stderr


def test_a_killed_rank_ends_all_and_a_repetition_succeeds(tmp_path: Path) -> None:
    text = f"""{WORK}
import os, signal, threading

def kill():
    last()
    os.kill(os.getpid(), signal.SIGKILL)

if comm.rank == 1:
    threading.Timer(0.3, kill).start()
go_on()
"""
    done, seconds = run_script(tmp_path, text)
    assert done.returncode != 0 and seconds < 10.0
    done, _ = run_script(tmp_path, f"{WORK}last()\n")
    assert done.returncode == 0, done.stderr


@pytest.mark.ranks(2, 3)
def test_an_unstable_run_fails_on_all_ranks_alike(comm: Any) -> None:
    good = small(comm)
    bad = TimeAxis(good.time_axis.start, 1.3 * good.maximum_time_step, 4000)
    with pytest.raises(SimulationFailed, match=FAILED) as here:
        small(comm, bad).run()
    with pytest.raises(SimulationFailed) as alone:
        small(None, bad).run()
    assert len(set(comm.allgather(str(here.value)))) == 1
    # Rounding decides where it grows first, but not when it is seen.
    steps = [re.search(FAILED, str(error.value)) for error in (here, alone)]
    assert steps[0] and steps[1] and steps[0][1] == steps[1][1]


@pytest.mark.ranks(2)
def test_all_ranks_stop_when_one_is_to(comm: Any) -> None:
    control = Control()
    if comm.rank == 1:
        control.cancel()
    with pytest.raises(Cancelled, match="was cancelled"):
        small(comm).run(control=control)
    small(comm).run()


@pytest.mark.ranks(2)
def test_wrong_input_is_refused_on_all_ranks(comm: Any) -> None:
    span = WaveformSimulationConfiguration(end_time_in_seconds=2e-3)
    with pytest.raises(ValueError, match="lies outside the mesh"):
        Simulation(medium_box(4), [source(x=3.0)], receivers((0.5, 0.5)), span, (), "float64", comm)


@pytest.mark.ranks(3)
def test_too_many_ranks_are_refused(comm: Any) -> None:
    mesh = medium_box(4, (2, 1))
    span = WaveformSimulationConfiguration(end_time_in_seconds=2e-3)
    with pytest.raises((ValueError, RankError), match="2 parts that can be on ranks of their own"):
        Simulation(mesh, [source()], receivers((0.5, 0.5)), span, (), "float64", comm)


@pytest.mark.ranks(3)
def test_a_failure_is_raised_on_all_ranks(comm: Any) -> None:
    ranks = ranks_of(comm)
    assert isinstance(ranks, Ranks)
    kind = OSError if comm.rank == 1 else RankError
    with pytest.raises(kind, match="full"), ranks.together():
        if comm.rank == 1:
            raise OSError("the disk is full")
    assert ranks.sum(np.array([1.0, comm.rank])).tolist() == [3.0, 3.0]
    assert ranks.max(np.array([comm.rank])).tolist() == [2]


@pytest.mark.ranks(2)
def test_one_rank_writes_the_output(comm: Any, tmp_path: Path) -> None:
    folder = Path(comm.bcast(os.fspath(tmp_path)))
    output = OutputConfiguration(
        volume_data={"sampling_interval_in_time_steps": 20, "fields": ["phi", "phi_t"]}
    )
    many = small(comm).run(output=output, output_folder=folder / "many")
    comm.Barrier()
    one = small(None).run(output=output, output_folder=tmp_path / "one")
    for field in ("phi", "phi_t"):
        ours, theirs = (records.get_wavefield_output("volume", field) for records in (many, one))
        assert np.abs(np.asarray(ours) - np.asarray(theirs)).max() <= 1e-6 * np.abs(np.asarray(theirs)).max()


def test_processes_that_do_not_see_each_other_are_refused() -> None:
    pytest.importorskip("mpi4py")
    text = (
        "from mpi4py import MPI\nfrom wavetree.ranks import ranks_of\n"
        "ranks_of(MPI.COMM_WORLD, {'PMI_SIZE': '4'})"
    )
    words = [sys.executable, "-c", text]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert "has started 4 processes (PMI_SIZE=4), but each is alone for the MPI" in done.stderr
    assert "own mpiexec" in done.stderr and done.returncode == 1


def test_the_launcher_says_what_it_is(tmp_path: Path) -> None:
    assert (
        find_mpiexec({"WAVETREE_MPIEXEC": os.fspath(fake(tmp_path, "HYDRA build details"))}).family == "mpich"
    )
    found = find_mpiexec({"WAVETREE_MPIEXEC": os.fspath(fake(tmp_path, "mpiexec (Open MPI) 5.0.5"))})
    assert isinstance(found, Mpiexec) and found.family == "openmpi"
    assert found.command(3, ["python", "x.py"])[1:] == [
        *("--oversubscribe", "--bind-to", "none", "-n", "3", "python", "x.py")
    ]
    assert "MPI4PY_LIBMPI" not in found.environment({})
    with pytest.raises(RankError, match="says of itself.*WAVETREE_MPIEXEC"):
        find_mpiexec({"WAVETREE_MPIEXEC": os.fspath(fake(tmp_path, "a bicycle"))})
    with pytest.raises(RankError, match="does not run"):
        find_mpiexec({"WAVETREE_MPIEXEC": os.fspath(tmp_path / "nothing")})


def fake(folder: Path, says: str) -> Path:
    file = folder / "mpiexec"
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)
    return file

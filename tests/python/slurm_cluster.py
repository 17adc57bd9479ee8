"""A Slurm cluster of this machine alone, started for the tests of the site "slurm"."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).resolve().parents[1] / "slurm" / "cluster"


class Cluster:
    """What can be done to the cluster."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "CPUS": "2", "FIRST_PORT": str(_free_ports())}

    def up(self) -> None:
        self._run("up")

    def down(self) -> None:
        self._run("down")

    def stop_controller(self) -> None:
        self._run("stop", "slurmctld")

    def start_controller(self) -> None:
        self._run("start", "slurmctld")

    def drain(self) -> None:
        self._node("DRAIN")

    def resume(self) -> None:
        self._node("RESUME")

    def cancel_all(self) -> None:
        subprocess.run(["scancel", "--me"], check=True)

    def _node(self, state: str) -> None:
        node = f"NodeName={socket.gethostname().partition('.')[0]}"
        subprocess.run(["scontrol", "update", node, f"State={state}", "Reason=test"], check=True)

    def _run(self, command: str, *arguments: str) -> None:
        words = [str(_SCRIPT), command, str(self._folder), *arguments]
        subprocess.run(words, check=True, env=self._environment, stdin=subprocess.DEVNULL)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster, or skip the test that asks for it where that cannot be."""
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        pytest.skip("Slurm cannot be started here: that takes root and the packages munge and slurm-wlm")
    cluster = Cluster(folder)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    try:
        cluster.up()
        yield cluster
    finally:
        del os.environ["SLURM_CONF"]
        cluster.down()


def _free_ports() -> int:
    """The first of two ports in a row that nobody uses."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("", 0))
            number = int(first.getsockname()[1])
            try:
                second.bind(("", number + 1))
            except OSError:
                continue
            return number

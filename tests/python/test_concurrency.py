"""Runs let other threads go on, and stop when they are asked to."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from simulations import medium_box, simulate
from wavetree import _core
from wavetree.errors import Cancelled, WavetreeError
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.time_axis import TimeAxis

ENDLESS = TimeAxis(-7e-4, 1e-6, 1_000_000)  # some twenty seconds


def endless(order: int = 4) -> Simulation:
    mesh = medium_box(order, (16, 16))
    return simulate(mesh, time_axis=ENDLESS, temporal_dispersion_correction=False)


def in_threads(*calls: Callable[[], object]) -> list[object]:
    results: list[object] = [None] * len(calls)

    def work(k: int) -> None:
        results[k] = calls[k]()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("threads", [1, 2])
def test_two_runs_at_once_do_not_disturb_each_other(threads):
    meshes = [medium_box(order, (12, 10)) for order in (3, 4)]

    def run(mesh) -> tuple[np.ndarray, np.ndarray]:
        simulation = simulate(mesh, "sponge", 2e-4, threads=threads)
        records = simulation.run(5).data["phi"]
        return records, simulation.derivative({"phi": records})["VP"]

    expected = [run(mesh) for mesh in meshes]
    results = in_threads(*(lambda m=mesh: run(m) for mesh in meshes))
    for result, right in zip(results, expected, strict=True):
        for values, wanted in zip(result, right, strict=True):
            np.testing.assert_array_equal(values, wanted)


def test_one_simulation_may_run_in_two_threads():
    simulation = simulate(medium_box(4, (10, 10)))
    expected = simulation.run().data["phi"]
    for records in in_threads(*[lambda: simulation.run().data["phi"]] * 2):
        np.testing.assert_array_equal(records, expected)


def test_other_threads_go_on_during_a_run():
    simulation, control, done = endless(), _core.Control(), threading.Event()

    def run() -> None:
        try:
            simulation.run(control=control)
        except Cancelled:
            done.set()

    thread = threading.Thread(target=run)
    thread.start()
    while control.progress == 0.0:
        assert thread.is_alive()
        time.sleep(1e-3)
    counted, longest, last, progress = 0, 0.0, time.perf_counter(), []
    while counted < 2000:
        time.sleep(1e-4)
        now = time.perf_counter()
        longest, last, counted = max(longest, now - last), now, counted + 1
        progress.append(control.progress)
    assert not done.is_set()
    control.cancel()
    thread.join()
    assert done.is_set()
    assert longest < 0.5  # without the interpreter's lock released it would be the whole run
    assert progress == sorted(progress)
    assert 0.0 < progress[-1] < 1.0


def latency_of_cancelling(work: Callable[[_core.Control], object]) -> float:
    """Seconds from the request to stop until the run has stopped."""
    control, stopped, failures = _core.Control(), [], []

    def run() -> None:
        try:
            work(control)
        except Cancelled as error:
            stopped.append(time.perf_counter())
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while control.progress == 0.0:
        assert thread.is_alive()
        time.sleep(1e-3)
    asked = time.perf_counter()
    control.cancel()
    thread.join()
    assert control.cancelled
    assert isinstance(failures[0], WavetreeError)
    assert str(failures[0]) == "the run was cancelled"
    return stopped[0] - asked


def test_cancelling_stops_a_forward_run(record_property):
    simulation = endless()
    seconds = latency_of_cancelling(lambda control: simulation.run(control=control))
    record_property("seconds", seconds)
    print(f"cancelled within {seconds:.3f} s")
    assert seconds < 0.5


def test_cancelling_stops_an_adjoint_run(record_property):
    axis = TimeAxis(-7e-4, 1e-6, 30_000)
    simulation = simulate(medium_box(4, (16, 16)), time_axis=axis, temporal_dispersion_correction=False)
    adjoint_sources = {"phi": simulation.run(1000).data["phi"]}
    seconds = latency_of_cancelling(lambda control: simulation.derivative(adjoint_sources, control))
    record_property("seconds", seconds)
    assert seconds < 0.5


def test_a_cancelled_simulation_can_run_again():
    simulation = simulate(medium_box(4))
    expected = simulation.run(1).data["phi"]
    gradient = simulation.derivative({"phi": expected})["VP"]
    control = _core.Control()
    control.cancel()
    slow = endless()
    with pytest.raises(Cancelled):
        slow.run(control=control)
    np.testing.assert_array_equal(simulation.run(1, _core.Control()).data["phi"], expected)
    np.testing.assert_array_equal(simulation.derivative({"phi": expected})["VP"], gradient)


INTERRUPTED = """
import os, signal, sys, threading, time
sys.path.insert(0, {here!r})
from test_concurrency import endless

simulation, asked = endless(), []

def interrupt():
    time.sleep(0.5)
    asked.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
    simulation.run()
except KeyboardInterrupt:
    print("interrupted after", time.perf_counter() - asked[0])
"""


def test_ctrl_c_stops_a_run(record_property):
    here = os.path.dirname(os.path.abspath(__file__))
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(here=here)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("interrupted after"), run.stdout + run.stderr
    seconds = float(run.stdout.split()[-1])
    record_property("seconds", seconds)
    assert seconds < 0.5

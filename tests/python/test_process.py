"""Processes are told apart, also when one has the number of another."""

from __future__ import annotations

import os
import subprocess

import pytest

from wavetree.process import host, is_alive, name_process


def test_this_process_lives() -> None:
    named = name_process()
    assert named["process"] == os.getpid() and named["host"] == host()[0] and is_alive(named)


@pytest.mark.parametrize("change", [{"boot": "another"}, {"started": "1"}, {"process": 2**22 + 1}])
def test_another_one_of_the_same_number_is_not_taken_for_it(change: dict[str, object]) -> None:
    assert is_alive({**name_process(), **change}) is False


def test_of_other_machines_nothing_is_known() -> None:
    assert is_alive({**name_process(), "host": "elsewhere"}) is None


def test_one_that_has_ended_is_dead_before_and_after_it_is_waited_for() -> None:
    process = subprocess.Popen(["sleep", "60"])
    named = name_process(process.pid)
    assert is_alive(named)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie from now on
    assert is_alive(named) is False and is_alive(name_process(process.pid)) is False
    process.wait()
    assert is_alive(named) is False

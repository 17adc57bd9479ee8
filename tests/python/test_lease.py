import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wavetree.inversion import lease as module
from wavetree.inversion.lease import Lease, lease_key
from wavetree.project.store import Store

HOLD = """
import sys, time
from wavetree.inversion.lease import Lease
from wavetree.project.store import Store
assert Lease(Store(sys.argv[1]), "problem", 0).acquire() is None
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store.sqlite")


def test_one_holds_at_a_time(store: Store) -> None:
    first, second = Lease(store, "problem", 0), Lease(store, "problem", 0)
    assert first.acquire() is None and first.acquire() is None
    holder = second.acquire()
    assert holder is not None and str(os.getpid()) in holder
    assert Lease(store, "problem", 1).acquire() is None, "other iterations are free"
    second.release()
    assert second.acquire() is not None, "who does not hold it cannot give it back"
    first.release()
    assert Lease(store, "problem", 0).acquire() is None
    assert store.list_notes("lease/").keys() == {lease_key("problem", 0), lease_key("problem", 1)}


def test_a_killed_process_loses_it_at_once(store: Store) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store.path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        mine = Lease(store, "problem", 0)
        said = mine.acquire()
        assert said is not None and f"process {process.pid} on " in said
        process.kill()
        # Killed but not yet waited for: a zombie has the number still.
        deadline = time.monotonic() + 5.0
        while mine.acquire() is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_those_of_dead_processes_are_deleted(store: Store) -> None:
    mine = Lease(store, "problem", 0)
    assert mine.acquire() is None
    note = store.get_note(lease_key("problem", 0))
    gone = {**note, "started": "0", "token": "another"}
    store.set_note(lease_key("a/problem of 2026", 17), gone)
    module.end_dead_leases(store)
    assert store.list_notes("lease/") == {lease_key("problem", 0): note}
    mine.release()
    assert store.list_notes("lease/") == {}


@pytest.mark.parametrize("change", ["boot", "started", "process"])
def test_another_process_of_the_same_number_is_not_taken_for_it(store: Store, change: str) -> None:
    Lease(store, "problem", 0).acquire()
    key = lease_key("problem", 0)
    other = {"boot": "another boot", "started": "1", "process": 2**22 + 1}[change]
    store.set_note(key, {**store.get_note(key), change: other})
    assert Lease(store, "problem", 0).acquire() is None


def test_on_another_host_the_sign_of_life_decides(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Lease(store, "problem", 0).acquire()
    key, now = lease_key("problem", 0), time.time()
    away = {**store.get_note(key), "host": "elsewhere"}
    store.set_note(key, away)
    said = Lease(store, "problem", 0).acquire()
    assert said is not None and said.endswith("on elsewhere")
    store.set_note(key, {**away, "beat": now - module._STALE_SECONDS - 1.0})
    assert Lease(store, "problem", 0).acquire() is None


def test_signs_of_life_go_on_until_it_is_released(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BEAT_SECONDS", 0.02)
    lease = Lease(store, "problem", 0)
    lease.acquire()
    first = store.get_note(lease_key("problem", 0))["beat"]
    deadline = time.monotonic() + 5.0
    while store.get_note(lease_key("problem", 0))["beat"] == first:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lease.release()
    assert store.get_note(lease_key("problem", 0)) is None
    time.sleep(0.1)
    assert store.get_note(lease_key("problem", 0)) is None


def test_who_lost_it_does_not_take_it_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BEAT_SECONDS", 0.02)
    lease, key = Lease(store, "problem", 0), lease_key("problem", 0)
    lease.acquire()
    taken = {**store.get_note(key), "token": "of another"}
    store.set_note(key, taken)
    time.sleep(0.1)
    assert store.get_note(key) == taken
    lease.release()
    assert store.get_note(key) == taken

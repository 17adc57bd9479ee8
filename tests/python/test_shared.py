"""What runs of a process share."""

import threading
from typing import Any

import pytest

from wavetree.simulation.shared import Shared


def test_a_value_is_made_once_and_only_the_last_ones_are_kept() -> None:
    shared: Shared[list[str]] = Shared(kept=2)
    made: list[str] = []

    def get(key: str) -> list[str]:
        return shared.get(key, lambda: made.append(key) or [key])

    assert get("a") is get("a") and get("b") is get("b")
    get("a"), get("c"), get("a")
    assert made == ["a", "b", "c"]
    assert get("b") == ["b"] and made == ["a", "b", "c", "b"]


def test_what_is_too_large_or_fails_is_not_kept() -> None:
    shared: Shared[int] = Shared(kept=2)
    assert shared.get("a", lambda: 1, keep=lambda value: False) == 1
    assert shared.get("a", lambda: 2) == 2 == shared.get("a", lambda: 3)
    with pytest.raises(ValueError, match="bad"):
        shared.get("b", lambda: (_ for _ in ()).throw(ValueError("bad")))
    assert shared.get("b", lambda: 4) == 4


def test_threads_wait_for_the_same_value_and_for_no_other() -> None:
    shared: Shared[int] = Shared(kept=2)
    begun, gate, made, found = threading.Event(), threading.Event(), [], []

    def slow() -> int:
        begun.set()
        assert gate.wait(10)
        made.append(1)
        return 5

    def ask(make: Any) -> None:
        found.append(shared.get("a", make))

    threads = [threading.Thread(target=ask, args=(slow,))]
    threads[0].start()
    assert begun.wait(10)
    threads.append(threading.Thread(target=ask, args=(lambda: made.append(2) or 6,)))
    threads[1].start()
    assert shared.get("b", lambda: 7) == 7 and not found
    gate.set()
    for thread in threads:
        thread.join(10)
    assert found == [5, 5] and made == [1]

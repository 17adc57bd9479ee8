"""Names processes so that they can be told apart, says whether they live and where they find modules."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["host", "is_alive", "module_places", "name_process"]


@lru_cache(maxsize=1)
def host() -> tuple[str, str]:
    """Return the name of this machine, and what tells its boots apart."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return socket.gethostname(), boot.read_text().strip() if boot.is_file() else ""


def name_process(process: int | None = None) -> dict[str, Any]:
    """Return host, boot of the host, number and start time of a process of this machine.

    Parameters
    ----------
    process
        Its number; this process when None.

    Notes
    -----
    A number alone names another process after a while, and after a restart of the machine.
    """
    name, boot = host()
    number = os.getpid() if process is None else process
    return {"host": name, "boot": boot, "process": number, "started": _start_time(number)}


def is_alive(named: dict[str, Any]) -> bool | None:
    """Return whether a process lives that `name_process` named; None where that cannot be found out."""
    name, boot = host()
    if named["host"] != name or not boot or not Path("/proc").is_dir():
        return None
    # One that had ended when it was named has no start time, as any that is not there.
    started = _start_time(named["process"])
    return bool(named["boot"] == boot and started is not None and started == named["started"])


def machine_bytes() -> int:
    """Return how much memory this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _start_time(process: int) -> str | None:
    """When a process of this machine was started, in clock ticks since the boot; None if it is not there."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return None
    # The name, in parentheses, may hold blanks; a zombie has ended.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def module_places() -> str | None:
    """Return PYTHONPATH as a process in another folder needs it; None where it is not set."""
    places = os.environ.get("PYTHONPATH")
    return os.pathsep.join(map(os.path.abspath, places.split(os.pathsep))) if places else None

"""The commands of Slurm that the site "slurm" uses, and what they answer."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wavetree.errors import WavetreeError

__all__ = ["Member", "cancel", "end_of", "queue", "submit"]

_TIMEOUT_SECONDS = 60.0
_TRIES, _PAUSE_SECONDS = 5, 5.0
_UNREACHABLE = re.compile(r"contact slurm controller|[Cc]onnection|[Tt]imed out|temporar", re.IGNORECASE)
_FORMAT = "%j|%F|%K|%T|%r"


@dataclass(frozen=True)
class Member:
    """A job of an array, as Slurm has it: number of the array, state in capitals, and the reason for it."""

    number: str
    state: str
    reason: str


def submit(script: Path, options: Sequence[str], name: str) -> str:
    """Submit a job array of a name and return its number.

    Raises
    ------
    ValueError
        If Slurm refuses it.
    WavetreeError
        If Slurm cannot be reached.
    """
    command = ["sbatch", "--parsable", f"--job-name={name}", *options, str(script)]
    for left in reversed(range(_TRIES)):
        done = _run(command)
        if done.returncode == 0:
            return done.stdout.strip().partition(";")[0]
        if not _UNREACHABLE.search(done.stderr):
            raise ValueError(f"Slurm refuses the jobs: {_one_line(done.stderr)}; change the site's settings.")
        if left:
            time.sleep(_PAUSE_SECONDS)
        # It may have come through all the same.
        known = queue([name]) or {}
        if known:
            return next(iter(known.values())).number
    raise WavetreeError(f"Slurm cannot be reached: {_one_line(done.stderr)}; go on later, nothing is lost.")


def queue(names: Iterable[str]) -> dict[tuple[str, int], Member] | None:
    """Return what Slurm knows of job arrays, by their name and the index in the array, in one call.

    None if Slurm does not answer. What ended a while ago it does not know any more.
    """
    done = _run(
        ["squeue", "--noheader", "--array", "--states=all", f"--name={','.join(names)}", "-o", _FORMAT]
    )
    if done.returncode != 0:
        return None
    found = {}
    for line in done.stdout.splitlines():
        name, number, index, state, reason = line.split("|", 4)
        if index.isdigit():
            found[name, int(index)] = Member(number, state, "" if reason == "None" else reason)
    return found


def end_of(number: str, index: int) -> Member | None:
    """Return how a job of an array ended, with its exit status; None if nobody knows any more."""
    job = f"{number}_{index}"
    done = _run(["scontrol", "--oneliner", "show", "job", job])
    if done.returncode == 0:
        said = dict(re.findall(r"(\w+)=(\S*)", done.stdout))
        return Member(
            number, said.get("JobState", ""), _reason(said.get("Reason", ""), said.get("ExitCode", ""))
        )
    # Fails where no accounting runs.
    done = _run(
        ["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job}", "--format=State,ExitCode"]
    )
    if done.returncode == 0 and done.stdout.strip():
        state, code = done.stdout.splitlines()[-1].split("|")
        return Member(number, state.split()[0], _reason("", code))
    return None


def cancel(jobs: Sequence[tuple[str, int]]) -> None:
    """Cancel jobs given by the number of the array and the index in it; those that have ended stay so."""
    if jobs:
        _run(["scancel", "--quiet", *(f"{number}_{index}" for number, index in jobs)])


def _reason(reason: str, exit_code: str) -> str:
    status, _, number = exit_code.partition(":")
    words = [] if reason in ("", "None") else [reason]
    if number not in ("", "0"):
        words.append(f"signal {number}")
    elif status not in ("", "0"):
        words.append(f"exit status {status}")
    return ", ".join(words)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise WavetreeError(
            f"{command[0]} is not on the path; start the program on a login node of the cluster."
        ) from None
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} timed out")


def _one_line(text: str) -> str:
    return " ".join(text.replace("sbatch: error: ", "").split())

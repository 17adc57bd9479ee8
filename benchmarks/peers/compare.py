"""Time to an accuracy beside other codes: ``python benchmarks/peers/compare.py [--peer NAME=PYTHON]``.

Every code that is installed runs the same event on one thread, tuned for the accuracy: grid, order, time step
and absorbing layer. Then the codes take turns, one process a run, whose first event does not count; a process
reports the least seconds of its events. Seconds are the processor's. Set-up (meshes, matrices of operators,
compilation) is reported apart.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
PEERS = ("wavetree", "deepwave", "devito")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Devito compiles for the machine it runs on only if it is told by which compiler.
ENVIRONMENT = {"DEVITO_ARCH": "gcc", **os.environ, **ONE_THREAD}

Outcome = dict[str, Any]


def process(python: str, peer: str, *arguments: str) -> Outcome | None:
    """Run an event in a process of its own; None where no settings are accurate enough."""
    command = [python, str(FOLDER / f"run_{peer}.py"), *arguments]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{peer}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    found: Outcome = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def installed(pythons: Mapping[str, str]) -> dict[str, str]:
    """Return the codes that can be imported, with their interpreters."""
    found = {}
    for peer, python in pythons.items():
        test = subprocess.run(
            [python, "-c", f"import {peer}"], env=ENVIRONMENT, capture_output=True, check=False
        )
        if test.returncode == 0:
            found[peer] = python
        else:
            print(f"{peer} is not installed: left out", file=sys.stderr)
    return found


def tuned(pythons: Mapping[str, str], case: str, tolerance: float, known: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of every code, those that are known already as they are."""
    settings = {}
    for peer, python in pythons.items():
        key = f"{peer} {case} {tolerance:g}"
        if key not in known:
            outcome = process(python, peer, "--case", case, "--tolerance", str(tolerance), "--repeats", "3")
            known[key] = outcome and outcome["settings"]
        if known[key] is not None:
            settings[peer] = known[key]
    return settings


def compare(
    pythons: Mapping[str, str], case: str, settings: Mapping[str, Any], rounds: int
) -> dict[str, list[Outcome]]:
    """Let the codes take turns and return what every process reported."""
    outcomes: dict[str, list[Outcome]] = {peer: [] for peer in settings}
    for _ in range(rounds):
        for peer in settings:
            found = process(pythons[peer], peer, "--case", case, "--settings", json.dumps(settings[peer]))
            if found is not None:
                outcomes[peer].append(found)
    return outcomes


def table(outcomes: Mapping[str, list[Outcome]]) -> str:
    """Return medians over the rounds, and ratios of each round to wavetree's, as a Markdown table."""
    lines = [
        "| code | error | points | steps | set-up [s] | event [s] | × wavetree | settings |",
        "|---" * 8 + "|",
    ]
    ours = outcomes.get("wavetree", [])
    for peer, runs in outcomes.items():
        if not runs:
            continue
        ratios = [theirs["event"] / one["event"] for theirs, one in zip(runs, ours, strict=False)]
        ratio = f"{statistics.median(ratios):.2f}" if ratios else "–"
        setup, event = (statistics.median(one[name] for one in runs) for name in ("setup", "event"))
        what = ", ".join(f"{name} {value}" for name, value in runs[0]["settings"].items())
        cells = [peer, f"{runs[0]['error']:.1e}", runs[0]["points"], runs[0]["steps"], f"{setup:.3f}"]
        lines.append("| " + " | ".join(map(str, [*cells, f"{event:.4f}", ratio, what])) + " |")
    return "\n".join(lines)


def main(arguments: Iterable[str] | None = None) -> None:
    """Print a table for every case and accuracy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", action="append", default=[], help="NAME=PYTHON, another interpreter")
    parser.add_argument("--cases", nargs="+", default=["ring 1e-2", "ring 1e-3", "cube 1e-2"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--settings", type=Path, help="file of settings, read and written: tuning takes minutes"
    )
    options = parser.parse_args(None if arguments is None else list(arguments))
    pythons = installed(
        dict.fromkeys(PEERS, sys.executable) | dict(one.split("=", 1) for one in options.peer)
    )
    stored = options.settings is not None and options.settings.is_file()
    known = json.loads(options.settings.read_text()) if stored else {}
    for case, tolerance in (one.split() for one in options.cases):
        settings = tuned(pythons, case, float(tolerance), known)
        if options.settings:
            options.settings.write_text(json.dumps(known, indent=1))
        print(f"\n{case}, error at most {tolerance}\n")
        print(table(compare(pythons, case, settings, options.rounds)), flush=True)


if __name__ == "__main__":
    main()

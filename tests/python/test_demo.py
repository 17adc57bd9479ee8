"""The demo: run, interrupted, gone on with."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib.image

from wavetree.project.project import Project

FIGURES = ["setup", "waveforms", "gradient", "misfit", "models"]


def start(folder: Path, iterations: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "wavetree.cli", "demo", "--folder", str(folder)]
    return subprocess.Popen(
        [*command, "--iterations", str(iterations)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )


def rows(output: str) -> list[list[str]]:
    """The lines of the table, cell by cell."""
    return [cells for line in output.splitlines() if (cells := line.split()) and cells[0].isdigit()]


def test_demo_is_stopped_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    first = start(folder, 50)
    assert first.stdout is not None
    printed = []
    for line in first.stdout:
        printed.append(line)
        if line.split()[:1] == ["0"]:  # the first iteration is done
            break
    first.send_signal(signal.SIGINT)
    rest, complaint = first.communicate(timeout=60)
    assert first.returncode == 130
    assert f"to go on: wavetree demo --folder {folder} --iterations 50" in complaint
    assert "Traceback" not in complaint
    before = rows("".join([*printed, rest]))

    second = start(folder, 1)
    output, complaint = second.communicate(timeout=300)
    assert second.returncode == 0, complaint
    assert complaint == ""
    assert output.startswith("Going on with the project")
    assert rows(output) == before[:1]
    check_table(output)
    for name in FIGURES:
        assert f"{folder / 'figures' / name}.png" in output
        assert min(matplotlib.image.imread(folder / "figures" / f"{name}.png").shape[:2]) > 300
    assert "Accepted" in (folder / "demo.log").read_text()
    check_project(folder / "project")


def test_the_readme_shows_the_figures_of_the_demo() -> None:
    root = Path(__file__).parents[2]
    shown = re.findall(r"\]\((docs/images/.*?)\)", (root / "README.md").read_text(encoding="utf-8"))
    assert shown[: len(FIGURES)] == [f"docs/images/{name}.png" for name in FIGURES]
    assert [file for file in shown if not (root / file).is_file()] == []


def check_table(output: str) -> None:
    (head,) = [line for line in output.splitlines() if line.split()[:1] == ["iteration"]]
    for name in ("new chi", "||g||", "pred", "ared", "ratio", "radius", "improved", "seconds"):
        assert name in head
    (row,) = rows(output)
    number, _, share, norm, predicted, actual, ratio = row[:7]
    assert number == "0" and float(share.rstrip("%")) < 45.0 and float(norm) > 0.0
    assert abs(float(actual) / float(predicted) - float(ratio)) < 2e-3
    assert row[8:11] == ["5", "of", "5"]


def check_project(path: Path) -> None:
    p = Project(path)
    tree = p.inversions.tree("my_inversion")
    # What was interrupted is there once, and open.
    assert [i.accepted for i in tree][-1] is None and [i.parent for i in tree][1:] == list(
        range(len(tree) - 1)
    )
    p.close()

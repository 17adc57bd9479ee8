"""A disk that is full or may not be written: a clear message, nothing lost, and on with it afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inversions import NAME, fingerprint, make_project
from wavetree.errors import ProjectError, SimulationFailed, WavetreeError
from wavetree.project.project import Project

ITERATIONS = 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, whose size can be changed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(mount, capture_output=True).returncode
    ):
        pytest.skip("a small file system cannot be mounted here: that takes root and mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(folder: Path, kilobytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(folder)], check=True)


def used(folder: Path) -> int:
    """Kilobytes in use."""
    return shutil.disk_usage(folder).used // 1024


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    p = make_project(tmp_path_factory.mktemp("undisturbed") / "project")
    p.inversions.run(NAME, ITERATIONS)
    found = fingerprint(p, range(ITERATIONS + 1))
    p.close()
    return found


@pytest.mark.parametrize("left", [40, 150, 600, 1400])
def test_on_a_full_disk_nothing_is_lost(small_disk: Path, expected: list[object], left: int) -> None:
    """Full at different places: the database, models, wavefields of the first and the second run."""
    p = make_project(small_disk / "project")
    p.inversions.add_iteration(NAME)
    resize(small_disk, used(small_disk) + left)
    with pytest.raises((WavetreeError, OSError), match=r"No space left|disk is full|full") as caught:
        p.inversions.run(NAME, ITERATIONS)
    if isinstance(caught.value, SimulationFailed):
        assert "event_000" in str(caught.value) and "log" in str(caught.value)
    p.close()
    resize(small_disk, 64 * 1024)
    p = Project(small_disk / "project")
    p.inversions.run(NAME, ITERATIONS - sum(i.accepted is not None for i in p.inversions.tree(NAME)))
    assert fingerprint(p, range(ITERATIONS + 1)) == expected
    p.close()


def test_a_project_that_may_not_be_written_can_be_read(small_disk: Path, expected: list[object]) -> None:
    p = make_project(small_disk / "project")
    p.inversions.run(NAME, ITERATIONS)
    p.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    code = f"""
from wavetree.errors import ProjectError
from wavetree.project.project import Project
try:
    p = Project({str(small_disk / "project")!r})
    print(p)
    print(p.inversions.tree({NAME!r}))
    p.inversions.iterate({NAME!r})
except ProjectError as error:
    print("ProjectError:", error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert "ProjectError: " in said.stdout and "may not be written" in said.stdout, said
    p = Project(small_disk / "project")
    assert fingerprint(p, range(ITERATIONS + 1)) == expected
    p.close()


def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the read-only file system is tested instead")
    tmp_path.chmod(0o500)
    with pytest.raises(ProjectError, match="cannot make the folder"):
        make_project(tmp_path / "project")

"""A project's folder is moved, copied or renamed, and goes on with the same bits."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inversions import EVENTS, NAME, fingerprint, make_project
from wavetree.errors import SimulationFailed
from wavetree.project.project import Project
from wavetree.simulation import core

# Another process, on a machine that knows other kernels or the same.
GO_ON = f"""
import sys
from wavetree.project.project import Project
p = Project(sys.argv[1])
p.inversions.run({NAME!r}, 2)
p.close()
"""
OUTPUT = {"volume_data": {"sampling_interval_in_time_steps": 50, "fields": ["phi"]}}


def half_finished(path: Path) -> Path:
    """One iteration is finished, of the next the gradients are being computed, one is there already."""
    p = make_project(path)
    p.simulations.launch("true", EVENTS[0], extra_output_configuration=OUTPUT)
    p.simulations.query(block=True)
    p.inversions.iterate(NAME)
    p.inversions.resume(NAME)
    p.runner.block(lambda: bool(list(path.glob("results/*/*/gradient.h5"))[2:]), lambda: 0.0, 1)
    p.runner.cancel()
    p.close()
    return path


def go_on(path: Path) -> None:
    subprocess.run([sys.executable, "-c", GO_ON, str(path)], check=True, stderr=subprocess.DEVNULL)


def everything(path: Path) -> list[Any]:
    p = Project(path)
    found = fingerprint(p, range(4))
    p.close()
    return found


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What an inversion gives that stays where it is."""
    p = make_project(tmp_path_factory.mktemp("expected") / "project")
    p.inversions.run(NAME, 3)
    found = fingerprint(p, range(4))
    p.close()
    return found


def test_a_moved_inversion_goes_on_with_the_same_bits(tmp_path: Path, expected: list[Any]) -> None:
    old = half_finished(tmp_path / "here" / "project")
    runs = {path.parent.name: path.stat().st_mtime_ns for path in old.glob("results/*/*/waveforms.h5")}
    new = tmp_path / "there" / "another name"
    new.parent.mkdir()
    old.rename(new)
    go_on(new)
    assert not old.exists(), "nobody writes where it was"
    again = {path.parent.name: path.stat().st_mtime_ns for path in new.glob("results/*/*/waveforms.h5")}
    assert runs == {digest: again[digest] for digest in runs}, "nothing is computed again"
    assert everything(new) == expected


def test_a_copy_and_its_original_go_on_on_their_own(tmp_path: Path, expected: list[Any]) -> None:
    original, copy = half_finished(tmp_path / "original"), tmp_path / "copy"
    shutil.copytree(original, copy)
    for path in (copy, original):
        go_on(path)
        assert everything(path) == expected


def test_nothing_that_is_read_again_holds_the_path(tmp_path: Path) -> None:
    path = half_finished(tmp_path / "SomewhereElse")
    database = sqlite3.connect(path / "wavetree.sqlite")
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type='table'")]
    rows = [repr(row) for table in tables for row in database.execute(f"SELECT * FROM {table}")]
    database.close()
    assert len(rows) > 20 and [row for row in rows if "SomewhereElse" in row] == []
    files = [file for file in path.rglob("*") if file.is_file() and file.suffix != ".txt"]
    assert {file.suffix for file in files} >= {".h5", ".json", ".xdmf"}
    assert [file for file in files if b"SomewhereElse" in file.read_bytes()] == []
    inputs = list(path.glob("results/*/*/input.json"))
    assert inputs
    for file in inputs:
        content = json.loads(file.read_text())
        assert (file.parent / content["mesh_file"]).resolve() == path / f"meshes/{content['mesh_digest']}.h5"
    for file in path.rglob("*.xdmf"):
        named = re.findall(r">\s*([^<>\s]+\.h5):", file.read_text())
        assert named and all((file.parent / name).is_file() for name in named)


def test_the_kernels_stay_those_that_the_project_was_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: list[Any]
) -> None:
    """Also where a processor has better ones; results would not be found by their names otherwise."""
    if len(core.instruction_sets()) < 2:
        pytest.skip("this processor has one instruction set only")
    monkeypatch.setenv("WAVETREE_ISA", "base")
    path = half_finished(tmp_path / "project")
    monkeypatch.delenv("WAVETREE_ISA")
    assert core.default_instruction_set() != "base"
    before = {file: file.stat().st_mtime_ns for file in path.glob("results/*/*/waveforms.h5")}
    p = Project(path)
    tasks = p.simulations.tasks("true").values()
    assert {one.instruction_set for one in tasks} == {"base"} and all(map(p.runner.is_done, tasks))
    assert p.inversions.run(NAME, 2) == 2
    assert before == {file: file.stat().st_mtime_ns for file in before}
    here, there = p.inversions.get_misfits(NAME)[3], expected[-4][0]
    assert here == pytest.approx(there, rel=1e-3)
    p.close()


def test_kernels_that_a_processor_lacks_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    p = make_project(tmp_path / "project")
    p.store.set_note("instruction_set", "v9")
    p.simulations.launch("true")
    with pytest.raises(SimulationFailed, match="instruction_set is 'v9', this processor has v.*WAVETREE_ISA"):
        p.simulations.query(block=True)
    assert p.simulations.get_mesh("true").nelem == 36, "looking is possible"
    monkeypatch.setenv("WAVETREE_ISA", core.default_instruction_set())
    p.simulations.launch("true", delete_conflicting_previous_results=True)
    assert p.simulations.query(block=True)
    p.close()

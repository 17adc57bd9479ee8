import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from wavetree.arrays import growing_file, read_arrays, write_arrays, write_text
from wavetree.errors import ProjectError

WRITER = """
import sys, numpy as np
from wavetree.arrays import write_arrays
print("ready", flush=True)
n = 0
while True:
    n += 1
    write_arrays(sys.argv[1], {"a": np.full(200_000, float(n))}, {"n": n})
"""

LIMITED = """
import resource, sys, numpy as np
from wavetree.errors import ProjectError
from wavetree.arrays import write_arrays
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for arrays in ({"a": np.zeros(50_000)}, {str(i): np.ones(200) for i in range(1000)}):
    try:
        write_arrays(sys.argv[1], arrays)
    except ProjectError as error:
        print(error)
"""


def test_round_trip(tmp_path: Path) -> None:
    arrays = {
        "any/name": np.arange(6.0).reshape(2, 3),
        "empty": np.zeros((0, 3), np.float32),
        "scalar": np.asarray(3),
        "yes": np.array([True, False]),
        "turned": np.arange(6).reshape(2, 3).T,
        "large": np.random.default_rng(0).random((3, 400_000), dtype=np.float32),
    }
    attributes = {"text": "ü" * 100_000, "list": [1, None, {"b": True}]}
    write_arrays(tmp_path / "new" / "a.h5", arrays, attributes)
    found, said = read_arrays(tmp_path / "new" / "a.h5")
    assert said == attributes and list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)
    assert list(read_arrays(tmp_path / "new" / "a.h5", ["scalar"])[0]) == ["scalar"]
    assert os.listdir(tmp_path / "new") == ["a.h5"]


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    chance = random.Random(1)
    last = 0
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            time.sleep(0.02 + 0.05 * chance.random())
            writer.send_signal(signal.SIGKILL)
        if path.exists():
            arrays, attributes = read_arrays(path)
            assert np.all(arrays["a"] == attributes["n"]) and len(arrays["a"]) == 200_000
            last = attributes["n"]
    assert last > 0, "no writer lived long enough for the test to mean anything"


def test_full_disk_is_a_clear_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_arrays(path, {"a": np.arange(3)})
    # A limit on file sizes makes writes fail as a full disk does, and in the same places.
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all(
        str(path) in line and "File too large" in line and "nothing was lost" in line for line in lines
    )
    assert np.array_equal(read_arrays(path)[0]["a"], [0, 1, 2])
    assert os.listdir(tmp_path) == ["a.h5"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (Path("/proc/wavetree.h5"), tmp_path / "file" / "a.h5"):
        with pytest.raises(ProjectError, match="cannot write") as caught:
            write_arrays(path, {})
        assert str(path) in str(caught.value)
        with pytest.raises(ProjectError, match="cannot write"):
            write_text(path, "a")


def test_growing_files_appear_at_the_end(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "folder" / "a.h5"
    with growing_file(path, "form 1", {"kind": "some"}) as file:
        file.describe("group", {"units": "m"})
        for k in range(3):
            file.write(f"group/{k}", np.full(4, k), {"number": k})
            assert not path.exists()
    with h5py.File(path) as file:
        assert dict(file.attrs) == {"format": "form 1", "kind": "some"}
        assert file["group"].attrs["units"] == "m" and file["group/2"].attrs["number"] == 2
        assert np.array_equal(file["group/2"][()], [2, 2, 2, 2])
    with pytest.raises(ValueError, match="given up"), growing_file(path, "form 1", {}) as file:
        file.write("a", np.zeros(3))
        raise ValueError("given up")
    with h5py.File(path) as file:
        assert "group" in file
    assert os.listdir(path.parent) == ["a.h5"]


@pytest.mark.parametrize("size", [10, 300_000])
def test_only_what_must_last_waits_for_the_disk(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(stat.S_ISDIR(os.fstat(file).st_mode)))
    path = tmp_path / "a.h5"
    expected = {"lasting": [False, True], "whole": [False], "checked": []}
    for durability, files in expected.items():
        synced.clear()
        write_arrays(path, {"a": np.arange(size)}, durability=durability)
        assert synced == files and np.array_equal(read_arrays(path)[0]["a"], np.arange(size))
    synced.clear()
    write_arrays(path, {"a": np.zeros(1)})
    assert synced == expected["lasting"]


@pytest.mark.parametrize("size", [20_000, 300_000])
def test_blocks_that_never_reached_the_disk_are_noticed(tmp_path: Path, size: int) -> None:
    """After a loss of power they may read as zeros; the rest of the file is in order."""
    import h5py

    write_arrays(tmp_path / "a.h5", {"a": np.arange(1, size + 1)}, {"n": 1})
    content = bytearray((tmp_path / "a.h5").read_bytes())
    place = content.index(np.arange(1, size + 1).tobytes())
    content[place + 4096 : place + 8192] = bytes(4096)
    (tmp_path / "b.h5").write_bytes(content)
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["arrays/a"][()].shape == (size,)
    with pytest.raises(ValueError, match="not what was written"):
        read_arrays(tmp_path / "b.h5")
    assert read_arrays(tmp_path / "b.h5", [])[1] == {"n": 1}


def test_files_without_checksums_are_read(tmp_path: Path) -> None:
    import h5py

    write_arrays(tmp_path / "a.h5", {"a": np.arange(3)}, {"n": 1})
    os.rename(tmp_path / "a.h5", tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5", "r+") as file:
        del file.attrs["checksums"]
    arrays, attributes = read_arrays(tmp_path / "b.h5")
    assert arrays["a"].tolist() == [0, 1, 2] and attributes == {"n": 1}


def test_text_replaces_the_old_one(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old and long")
    write_text(tmp_path / "a.txt", "ü")
    assert (tmp_path / "a.txt").read_text() == "ü" and os.listdir(tmp_path) == ["a.txt"]


def test_damaged_foreign_and_missing_files_are_named(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "a.h5"
    write_arrays(path, {"a": np.random.default_rng(0).random(100_000)})
    content = path.read_bytes()
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["a"] = 1
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    cases = {
        "short.h5": content[: len(content) // 2],
        "text.h5": b"hello",
        "empty.h5": b"",
        "flip.h5": flipped,
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
    for name in [*cases, "foreign.h5"]:
        with pytest.raises(ValueError, match="truncated, damaged or was not written") as caught:
            read_arrays(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(ValueError, match="has no array 'b'"):
        read_arrays(path, ["b"])
    with pytest.raises(ValueError, match=r"none\.h5' is not a file"):
        read_arrays(tmp_path / "none.h5")

"""Arrays that are kept in memory: found again as they are, never those of another file."""

import os
from pathlib import Path

import numpy as np
import pytest

from wavetree import arrays
from wavetree.array_cache import ArrayCache, identity_of
from wavetree.arrays import read_arrays, write_arrays


def file_of(folder: Path, name: str, content: bytes = b"content") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def keep(cache: ArrayCache, path: Path, value: float, size: int = 10) -> None:
    cache.put(path, identity_of(path), {"a": np.full(size, value)}, "{}")


def test_what_was_kept_is_found(tmp_path: Path) -> None:
    cache, path = ArrayCache(1000, 1000), file_of(tmp_path, "a")
    assert cache.get(path) is None
    given = np.arange(3.0)
    cache.put(path, identity_of(path), {"a": given}, "text")
    given[:] = 7.0
    found = cache.get(path)
    assert found is not None and found[1] == "text"
    np.testing.assert_array_equal(found[0]["a"], [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        found[0]["a"][:] = 1.0


def test_another_file_of_that_name_is_not_taken_for_it(tmp_path: Path) -> None:
    cache, path = ArrayCache(1000, 1000), file_of(tmp_path, "a")
    changes = {
        "replaced": lambda: os.replace(file_of(tmp_path, "b"), path),
        "longer": lambda: path.write_bytes(b"content+"),
        "changed in place": lambda: os.utime(path, ns=(0, 1)),
        "deleted": path.unlink,
    }
    for how, change in changes.items():
        keep(cache, path, 1.0)
        assert cache.get(path) is not None
        change()
        assert cache.get(path) is None, how
        file_of(tmp_path, "a")
    cache.put(path, None, {"a": np.zeros(1)}, "{}")
    assert cache.get(path) is None


def test_its_size_is_bounded(tmp_path: Path) -> None:
    # 82 bytes each, room for 12.
    cache, paths = ArrayCache(1000, 100), [file_of(tmp_path, str(k)) for k in range(20)]
    for k, path in enumerate(paths):
        keep(cache, path, float(k))
        assert cache.get(paths[0]) is not None, "what is used is not forgotten"
    kept = [k for k, path in enumerate(paths) if cache.get(path) is not None]
    assert kept == [0, *range(9, 20)]
    keep(cache, paths[0], 0.0, size=13)
    assert cache.get(paths[0]) is None, "106 bytes are too many"
    for _ in range(30):
        keep(cache, paths[5], 5.0)
    assert [k for k, path in enumerate(paths) if cache.get(path) is not None] == [5, *range(9, 20)]


def test_files_are_read_once_and_read_anew_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "_CACHE", ArrayCache(10**6, 10**5))
    reads, read = [], arrays._read
    monkeypatch.setattr(arrays, "_read", lambda path, names: reads.append(path) or read(path, names))
    path, other = tmp_path / "a.h5", tmp_path / "b.h5"
    write_arrays(path, {"a": np.arange(5), "b": np.zeros(2)}, {"n": [1]})
    found, said = read_arrays(path)
    found["a"][:] = -1
    said["n"].append(2)
    assert list(read_arrays(path, ["b"])[0]) == ["b"]
    found, said = read_arrays(path)
    assert said == {"n": [1]} and found["a"].tolist() == [0, 1, 2, 3, 4] and not reads
    with pytest.raises(ValueError, match="has no array 'c'"):
        read_arrays(path, ["c"])
    write_arrays(other, {"a": np.arange(5) + 1})
    os.replace(other, path)
    for _ in range(3):
        assert read_arrays(path)[0]["a"].tolist() == [1, 2, 3, 4, 5]
    assert reads == [path], "once, for it was written under another name"
    # As large a file as before with a bit flipped.
    content = bytearray(path.read_bytes())
    content[content.index(np.arange(1, 6).tobytes())] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(0, 1))
    with pytest.raises(ValueError, match=r"damaged.*not what was written"):
        read_arrays(path)
    path.unlink()
    with pytest.raises(ValueError, match="not a file"):
        read_arrays(path)

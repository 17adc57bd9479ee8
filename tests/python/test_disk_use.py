"""What a project's files take."""

from pathlib import Path

import pytest

from inversions import NAME, make_project
from wavetree.project import orphans
from wavetree.project.disk_use import DiskUse, FileCount, disk_use, readable_size, size_of

FILES = {
    "meshes/a.h5": ("meshes", 10),
    "meshes/a.xdmf": ("meshes", 1),
    "meshes/.a.h5.7.b.part": ("temporary", 5),
    "results/aa/aab/waveforms.h5": ("simulations", 20),
    "results/aa/aab/output_0/volume.h5": ("simulations", 30),
    "results/aa/aab/.lock": ("simulations", 0),
    "results/aa/aab/wavefield_10.h5": ("wavefields", 300),
    "results/aa/aab/wavefield_1_int8.h5": ("wavefields", 30),
    "results/aa/aab/wavefield_1_states4x8.h5": ("checkpoints", 40),
    "results/aa/aac/gradient.h5": ("gradients", 50),
    "adjoint_sources/aa/aad.h5": ("misfits", 60),
    "inversions/x/0000/model.h5": ("inversions", 70),
    "jobs/slurm/wavetree-a/script": ("jobs", 7),
    "wavetree.sqlite": ("database", 80),
    "wavetree.sqlite-wal": ("database", 8),
    "volume_models/b.h5": ("other", 90),
    "letter.txt": ("other", 9),
}


def test_files_are_counted_by_kind(tmp_path: Path) -> None:
    expected: dict[str, FileCount] = {}
    for name, (kind, size) in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
        expected[kind] = expected.get(kind, FileCount()) + FileCount(1, size)
    found = disk_use(tmp_path, [tmp_path / "results/aa/aac", tmp_path / "letter.txt", tmp_path / "gone"])
    assert found.kinds == expected and found.disposable == FileCount(2, 59)
    assert found.total == FileCount(len(FILES), sum(size for _, size in FILES.values()))


def test_it_prints_as_a_table() -> None:
    found = DiskUse({"meshes": FileCount(2, 1500), "other": FileCount(11, 12)}, FileCount(1, 12))
    assert repr(found).splitlines() == [
        "kind              files     size",
        "meshes                2   1.5 kB",
        "other                11     12 B",
        "total                13  1.51 kB",
        "of it disposable      1     12 B",
    ]
    assert "<td style='text-align:left'>meshes</td><td>2</td><td>1.5 kB</td>" in found._repr_html_()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12345, "12.3 kB"), (999_600, "1 MB"),
        (1234567890, "1.23 GB"), (5 * 10**15, "5e+03 TB"),
    ],
)  # fmt: skip
def test_sizes_have_units(size: int, text: str) -> None:
    assert readable_size(size) == text


def test_what_is_disposable_is_what_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "_GRACE_SECONDS", 0.0)
    p = make_project(tmp_path / "project")
    assert p.disk_use().disposable == FileCount() and p.disk_use().kinds["simulations"] == FileCount()
    p.inversions.run(NAME, 2)
    before = p.disk_use()
    assert before.total == size_of([p.path]) and before.kinds["wavefields"].n_files == 2
    assert p.inversions.delete_disposable_files(NAME) == before.disposable.n_bytes > 0
    after = p.disk_use()
    assert after.disposable == FileCount()
    assert after.kinds["inversions"] == before.kinds["inversions"]
    assert before.total.n_files - after.total.n_files == before.disposable.n_files
    p.close()

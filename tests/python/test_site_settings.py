"""What users say of sites, in a project or in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

import wavetree as wt
from projects import small_project
from wavetree.config import load
from wavetree.sites.settings import LocalSettings, SlurmSettings, read_sites, sites_file

FILE = """
[local]
cores = 3

[cluster]
partition = "main"
modules = ["gcc/13", "python"]
extra_arguments = ["--mem=8G"]
poll_interval_in_seconds = 30

[workstation]
type = "local"
processes = "always"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAVETREE_SITES", str(tmp_path / "sites.toml"))
    return tmp_path / "sites.toml"


def test_a_file_describes_sites_for_all_projects(file: Path) -> None:
    assert read_sites() == {}
    file.write_text(FILE)
    assert read_sites() == {
        "local": LocalSettings(cores=3),
        "cluster": SlurmSettings(
            "cluster", partition="main", modules=["gcc/13", "python"], extra_arguments=["--mem=8G"],
            poll_interval_in_seconds=30,
        ),
        "workstation": LocalSettings("workstation", processes="always"),
    }  # fmt: skip


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAVETREE_SITES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/config")
    assert sites_file() == Path("/config/wavetree/sites.toml")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert sites_file() == Path.home() / ".config/wavetree/sites.toml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a", "cannot be read: "),
        ("a = 3", "a = 3 in .*; expected tables, one a site: \\[a\\]"),
        ("[a]\ntype = 'lsf'", "type = 'lsf' of site 'a' in .*; expected 'local' or 'slurm'"),
        ("[a]\npartitions = 'x'", "site 'a' in .*unknown argument 'partitions'; did you mean 'partition'"),
        ("[a]\nextra_arguments = ['--time=3']", "use wall_time_in_seconds_per_job for it"),
        ("[a]\nextra_arguments = ['--array=0-3']", "'--array=0-3' is set by the site; leave it out"),
        ("[local]\ncores = 0", "cores=0 is not valid"),
    ],
)
def test_a_bad_file_is_refused(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_sites()


def test_a_project_describes_sites_of_its_own(file: Path, tmp_path: Path) -> None:
    file.write_text(FILE)
    p = small_project(tmp_path / "project")
    p += wt.SlurmSettings("cluster", partition="long")
    assert p.entities.list("site") == ["cluster"]
    assert p.sites.check("cluster").partition == "long" and p.sites.check("local").cores == 3
    with pytest.raises(ValueError, match="unknown site 'clusters'; did you mean 'cluster'"):
        p.simulations.launch("initial", site_name="clusters")
    p.close()
    p = wt.Project(p.path)
    assert p.sites.check("cluster") == SlurmSettings("cluster", partition="long")
    p.close()


def test_settings_are_stored_and_read_back() -> None:
    for made in (LocalSettings("a", cores=2), SlurmSettings("b", launcher=["srun"], qos="x")):
        assert load(made.to_dict()) == made and made.name in str(made)
    assert SlurmSettings(partition="main", qos="x").summary == "Slurm, partition main, qos x"
    assert LocalSettings(cores=4).summary == "4 cores of this machine"

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wavetree.errors import ConflictError, ProjectError
from wavetree.project.store import (
    SCHEMA_VERSION,
    EntityRecord,
    GradientRecord,
    IterationRecord,
    Store,
    TaskRecord,
)

WRITER = """
import sys
from wavetree.project.store import Store
store = Store(sys.argv[1])
nodes = store.list_iterations("p")
node = nodes[-1] if nodes else store.add_iteration("p", None, {"n": 0})
print("ready", flush=True)
while True:
    node = store.save_iteration(node, {"n": node.document["n"] + 1, "padding": "x" * 20_000})
    store.set_simulation_events("s", {"a": str(node.revision), "b": str(node.revision)})
    print(node.revision, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "wavetree.sqlite")


def entity(name: str = "a", digest: str = "1") -> EntityRecord:
    return EntityRecord("event", name, {"name": name, "digest": digest}, digest)


def test_entities_keep_their_order(store: Store) -> None:
    for name in ("b", "a", "c"):
        store.add_entity(entity(name))
    store.add_entity(entity("b", "2"), replace=True)
    assert store.list_entities("event") == ["b", "a", "c"] and store.list_entities("domain") == []
    assert store.get_entity("event", "b") == entity("b", "2")
    assert [e.name for e in store.all_entities()] == ["b", "a", "c"]
    with pytest.raises(ConflictError, match="event 'a' exists"):
        store.add_entity(entity("a", "3"))
    assert store.get_entity("event", "a").digest == "1"
    store.delete_entity("event", "b")
    assert store.list_entities("event") == ["a", "c"] and store.find_entity("event", "b") is None


def test_digests_of_entities(store: Store) -> None:
    for name in "ab":
        store.add_entity(EntityRecord("event", name, {}, f"digest of {name}"))
    assert store.find_digest("event", "b") == "digest of b" and store.find_digest("domain", "b") is None
    assert store.entity_digests() == {("event", "a"): "digest of a", ("event", "b"): "digest of b"}


def test_states_of_tasks_do_not_wait_for_the_disk(store: Store) -> None:
    def mode() -> int:
        return store._query("PRAGMA synchronous")[0][0]

    normal, full = 1, 2
    assert mode() == full
    store.set_tasks([TaskRecord("d", "forward", "l", "issued")])
    assert mode() == normal
    store.set_note("key", 1)
    assert mode() == full
    # The other journal needs it, or a loss of power could leave a damaged file.
    store._logs_ahead = False
    store.set_tasks([TaskRecord("d", "forward", "l", "done")])
    assert mode() == full


def test_unknown_names_suggest_the_nearest(store: Store) -> None:
    store.add_entity(entity("event_0000"))
    with pytest.raises(ValueError, match="unknown event 'event_000'; did you mean 'event_0000'"):
        store.get_entity("event", "event_000")
    with pytest.raises(ValueError, match="none yet"):
        store.delete_entity("simulation_configuration", "x")


def test_content_outlives_the_process_object(store: Store) -> None:
    store.add_entity(entity())
    store.set_tasks([TaskRecord("d", "forward", "l", "issued", 1), TaskRecord("e", "forward", "m", "done")])
    store.set_tasks([TaskRecord("d", "forward", "l", "failed", 4, "why")])
    store.set_simulation_events("s", {"b": "1", "a": "2"})
    store.set_simulation_events("s", {"b": "3"})
    store.add_gradients([GradientRecord("f", "q", 1e-3, "late"), GradientRecord("f", "q", 0.0, "exact")])
    store.set_note("axis/1", {"n": 3})
    store.close()
    again = Store(store.path)
    assert again.list_entities("event") == ["a"]
    task = again.find_task("d")
    assert task and (task.status, task.attempts, task.message) == ("failed", 4, "why")
    assert 0 < task.created <= task.updated and again.find_task("x") is None
    assert list(again.get_simulation_events("s").items()) == [("b", "3"), ("a", "2")]
    assert again.list_launched_simulations() == ["s"]
    assert [g.task for g in again.list_gradients("f", "q")] == ["exact", "late"]
    assert again.get_note("axis/1") == {"n": 3} and again.get_note("axis/2") is None
    assert again.list_notes("axis/") == {"axis/1": {"n": 3}}
    again.delete_note("axis/1")
    again.delete_simulation_events("s", ["b"])
    assert again.list_notes("") == {} and list(again.get_simulation_events("s")) == ["a"]


def test_digests_that_are_mentioned_anywhere_are_found(store: Store) -> None:
    a, b, c, d, e, f = (letter * 64 for letter in "abcdef")
    store.add_entity(EntityRecord("event", "x", {"mesh_digest": a, "other": f"{'0' * 63}"}, "1"))
    store.set_note("mesh/key", {"mesh": b})
    store.add_iteration("p", None, {"trials": [{"mesh": c}], "file": f"meshes/{d}.h5"})
    store.set_simulation_events("s", {"event": e})
    store.add_gradients([GradientRecord(f, "q", 0.0, "task")])
    store.set_tasks([TaskRecord("1" * 64, "forward", "l", "done")])
    assert store.mentioned_digests() == {a, b, c, d, e}
    assert store.gradient_tasks() == [(f, "task")] and store.iteration_ids() == [("p", 0, None)]


def test_iterations_form_a_tree_with_revisions(store: Store) -> None:
    root = store.add_iteration("p", None, {"stage": "initialize"})
    child = store.add_iteration("p", root.id, {"stage": "initialize"})
    branch = store.add_iteration("p", root.id, {})
    assert [i.id for i in (root, child, branch)] == [0, 1, 2]
    assert store.add_iteration("q", None, {}).id == 0
    saved = store.save_iteration(child, {"stage": "misfit"})
    assert saved == IterationRecord("p", 1, 0, 2, {"stage": "misfit"}) == store.load_iteration("p", 1)
    with pytest.raises(ProjectError, match="iteration 1 of 'p' was changed by another process"):
        store.save_iteration(child, {"stage": "late"})
    assert store.load_iteration("p", 1).document == {"stage": "misfit"}
    with pytest.raises(ValueError, match="unknown iteration of 'p' 7"):
        store.load_iteration("p", 7)
    with pytest.raises(ValueError, match="unknown iteration of 'p' 9"):
        store.add_iteration("p", 9, {})
    with pytest.raises(ProjectError, match=r"has the children \[1, 2\]"):
        store.delete_iteration(root)
    store.delete_iteration(branch)
    assert [i.id for i in store.list_iterations("p")] == [0, 1]


def test_finishing_an_iteration_and_its_child_are_one_change(store: Store) -> None:
    root = store.add_iteration("p", None, {"stage": "propose"})
    saved, child = store.finish_iteration(root, {"stage": "done"}, {"stage": "initialize"})
    assert [saved, child] == store.list_iterations("p") and child.parent == 0 and saved.revision == 2
    with pytest.raises(ProjectError, match="changed by another process"):
        store.finish_iteration(root, {"stage": "again"}, {})
    assert [saved, child] == store.list_iterations("p")


def test_notes_are_swapped_only_if_they_are_as_expected(store: Store) -> None:
    assert store.swap_note("lease", None, {"holder": "a"})
    assert not store.swap_note("lease", None, {"holder": "b"})
    assert not store.swap_note("lease", {"holder": "b"}, {"holder": "c"})
    assert store.swap_note("lease", {"holder": "a"}, {"holder": "b"})
    assert store.get_note("lease") == {"holder": "b"}


def test_only_one_of_two_writers_advances(store: Store) -> None:
    store.add_iteration("p", None, {"n": 0})
    won = []

    def advance() -> None:
        other = Store(store.path)
        for _ in range(20):
            node = other.load_iteration("p", 0)
            try:
                other.save_iteration(node, {"n": node.document["n"] + 1})
                won.append(1)
            except ProjectError:
                continue
        other.close()

    threads = [threading.Thread(target=advance) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.load_iteration("p", 0).document["n"] == len(won) > 0


def test_killed_at_any_instant_it_stays_consistent(tmp_path: Path) -> None:
    path = tmp_path / "wavetree.sqlite"
    said = 0
    for k in range(8):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            time.sleep(0.013 * k)
            writer.send_signal(signal.SIGKILL)
            lines = writer.stdout.read().decode().splitlines()
        said = int(lines[-1]) if lines else said
        store = Store(path)
        assert store._query("PRAGMA integrity_check") == [("ok",)]
        node = store.load_iteration("p", 0)
        assert node.document["n"] == node.revision - 1 and node.revision >= said
        events = store.get_simulation_events("s")
        assert not events or events["a"] == events["b"]
        store.close()
    assert said > 1, "no writer lived long enough for the test to mean anything"


def test_killed_while_it_is_made_it_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "wavetree.sqlite"
    path.write_bytes(b"")
    assert Store(path).list_entities("event") == []


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (
            SCHEMA_VERSION + 1,
            rf"newer version of wavetree \(its format is {SCHEMA_VERSION + 1}.*update wavet",
        ),
        (
            SCHEMA_VERSION - 1,
            rf"older version of wavetree \(its format is {SCHEMA_VERSION - 1}.*take that one",
        ),
        (-1, r"older version of wavetree \(its format is -1, this version reads"),
    ],
)
def test_other_versions_are_refused(store: Store, version: int, message: str) -> None:
    store.add_entity(entity())
    store.close()
    raw = sqlite3.connect(store.path)
    raw.execute(f"PRAGMA user_version={version}")
    raw.close()
    before = store.path.read_bytes()
    with pytest.raises(ProjectError, match=message):
        Store(store.path)
    assert store.path.read_bytes() == before


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    foreign = sqlite3.connect(tmp_path / "foreign.sqlite")
    foreign.execute("CREATE TABLE t (a)")
    foreign.close()
    with pytest.raises(ProjectError, match="database of another program"):
        Store(tmp_path / "foreign.sqlite")
    (tmp_path / "text").write_text("this is not a database " * 100)
    with pytest.raises(ProjectError, match=r"cannot use the project database .*text"):
        Store(tmp_path / "text")
    with pytest.raises(ProjectError, match="unable to open"):
        Store(tmp_path / "missing" / "wavetree.sqlite")


def test_rollback_journal_where_the_log_is_not_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Store(tmp_path / "a.sqlite").journal_mode == "wal"

    class NoSharedMemory(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
            if sql == "PRAGMA journal_mode=WAL":
                raise sqlite3.OperationalError("locking protocol")
            return super().execute(sql, *values)  # type: ignore[arg-type]

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=NoSharedMemory, **k))
    store = Store(tmp_path / "b.sqlite")
    store.add_entity(entity())
    assert store.journal_mode == "delete" and store.list_entities("event") == ["a"]


def test_a_failed_change_is_undone_and_named(store: Store) -> None:
    store.add_entity(entity())
    store._connection.execute("PRAGMA max_page_count=1")
    with pytest.raises(ProjectError, match=r"cannot write the project database .*nothing was lost"):
        store.set_note("k", "x" * 1_000_000)
    store._connection.execute("PRAGMA max_page_count=1000000")
    store.set_note("k", "y")
    assert store.get_note("k") == "y" and store.list_entities("event") == ["a"]

"""The project's database: entities, tasks, launched events and iterations, no numbers.

One SQLite file. Every change is one transaction, so a process killed at any instant leaves the
state before it or after it. Only the user's processes open it, workers never do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavetree.errors import ConflictError, ProjectError, unknown_name

__all__ = ["SCHEMA_VERSION", "EntityRecord", "GradientRecord", "IterationRecord", "Store", "TaskRecord"]

# Raised by hand when what a project stores, or how configurations are hashed, changes: results of an older
# version would not be found again under their names.
SCHEMA_VERSION = 3
_APPLICATION_ID = 0x57415645  # "WAVE"
_BUSY_SECONDS = 30.0
_SELECT_ITERATIONS = "SELECT problem, id, parent, revision, document FROM iterations WHERE problem=?"
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")

_SCHEMA = """
CREATE TABLE entities (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
    document TEXT NOT NULL, digest TEXT NOT NULL, UNIQUE (kind, name));
CREATE TABLE tasks (digest TEXT PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, status TEXT NOT NULL,
    attempts INTEGER NOT NULL, message TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL);
CREATE TABLE simulation_events (id INTEGER PRIMARY KEY, simulation TEXT NOT NULL, event TEXT NOT NULL,
    task TEXT NOT NULL, UNIQUE (simulation, event));
CREATE TABLE gradients (forward TEXT NOT NULL, adjoint_source TEXT NOT NULL,
    expected_error REAL NOT NULL, task TEXT NOT NULL, PRIMARY KEY (forward, adjoint_source, task));
CREATE TABLE iterations (problem TEXT NOT NULL, id INTEGER NOT NULL, parent INTEGER,
    revision INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY (problem, id));
CREATE TABLE notes (key TEXT PRIMARY KEY, document TEXT NOT NULL);
"""
_ENTITIES = "SELECT kind, name, document, digest FROM entities"


@dataclass(frozen=True)
class EntityRecord:
    """One stored entity: its kind, name, JSON document and the digest of its content."""

    kind: str
    name: str
    document: dict[str, Any]
    digest: str


@dataclass(frozen=True)
class TaskRecord:
    """What is known of a task: status is "issued", "done", "failed" or "cancelled"."""

    digest: str
    kind: str
    label: str
    status: str
    attempts: int = 0
    message: str = ""
    created: float = 0.0
    updated: float = 0.0


@dataclass(frozen=True)
class GradientRecord:
    """A gradient: of which forward task and adjoint source, its expected error, the task that makes it."""

    forward: str
    adjoint_source: str
    expected_error: float
    task: str


@dataclass(frozen=True)
class IterationRecord:
    """One node of an iteration tree; `revision` grows by one with every change."""

    problem: str
    id: int
    parent: int | None
    revision: int
    document: dict[str, Any]


class Store:
    """The database of a project.

    Parameters
    ----------
    path
        The SQLite file; made when it does not exist.

    Raises
    ------
    ProjectError
        If the file is not a wavetree project, was written by another version, or cannot be used.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        # One connection under a lock: notebook widgets may ask from other threads of the user.
        self._lock = threading.RLock()
        try:
            self._connection = self._open()
        except sqlite3.Error as error:
            raise ProjectError(
                f"cannot use the project database {str(self.path)!r}: {error}; "
                "it is damaged, not a wavetree project, or may not be written."
            ) from error

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._check_owner(connection)
            self._logs_ahead = self._choose_journal(connection)
            # FULL, not NORMAL: an accepted iteration must outlive a loss of power.
            connection.execute("PRAGMA synchronous=FULL")
            self._create(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_owner(self, connection: sqlite3.Connection) -> None:
        """Refuse other programs' databases and other versions before anything is changed."""
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and owner != _APPLICATION_ID:
            raise ProjectError(f"{str(self.path)!r} is a database of another program, not a project.")
        if tables and version != SCHEMA_VERSION:
            newer = version > SCHEMA_VERSION
            age, hint = ("newer", "update wavetree") if newer else ("older", "take that one")
            raise ProjectError(
                f"project {str(self.path.parent)!r} was written by a {age} version of wavetree (its format "
                f"is {version}, this version reads {SCHEMA_VERSION}); {hint} to use it."
            )

    @staticmethod
    def _choose_journal(connection: sqlite3.Connection) -> bool:
        """Use the write-ahead log where the file system has the shared memory that it needs; say whether."""
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            mode = ""
        if mode != "wal":
            connection.execute("PRAGMA journal_mode=DELETE")
        return bool(mode == "wal")

    @staticmethod
    def _create(connection: sqlite3.Connection) -> None:
        """Make the tables in one transaction, so that a kill leaves an empty file or a whole one."""
        if connection.execute("PRAGMA user_version").fetchone()[0]:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not connection.execute("PRAGMA user_version").fetchone()[0]:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file; the object is of no use afterwards."""
        with self._lock:
            self._connection.close()

    @property
    def journal_mode(self) -> str:
        """The journal in use, "wal" or "delete"."""
        return str(self._query("PRAGMA journal_mode")[0][0])

    @contextlib.contextmanager
    def _transaction(self, lasting: bool = True) -> Iterator[sqlite3.Connection]:
        """Change the file at once or not at all; a change that need not last may be lost with the power."""
        with self._lock:
            try:
                # Without the write-ahead log, less than FULL may corrupt the file.
                mode = "FULL" if lasting or not self._logs_ahead else "NORMAL"
                self._connection.execute(f"PRAGMA synchronous={mode}")
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise ProjectError(
                    f"cannot write the project database {str(self.path)!r}: {error}; "
                    "nothing was lost, the last change is undone."
                ) from error

    def _query(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise ProjectError(f"cannot read the project database {str(self.path)!r}: {error}") from error

    # Entities

    def add_entity(self, entity: EntityRecord, replace: bool = False) -> None:
        """Store an entity; with `replace` an older one of that name keeps its place in the order.

        Raises
        ------
        ConflictError
            If one of that name exists and `replace` is False.
        """
        with self._transaction() as db:
            found = self.find_digest(entity.kind, entity.name) is not None
            if found and not replace:
                raise ConflictError(f"{_words(entity.kind)} {entity.name!r} exists already.")
            if found:
                sql = "UPDATE entities SET document=?, digest=? WHERE kind=? AND name=?"
            else:
                sql = "INSERT INTO entities (document, digest, kind, name) VALUES (?, ?, ?, ?)"
            db.execute(sql, (json.dumps(entity.document), entity.digest, entity.kind, entity.name))

    def find_entity(self, kind: str, name: str) -> EntityRecord | None:
        """Return the entity of that kind and name, None when there is none."""
        rows = self._query(f"{_ENTITIES} WHERE kind=? AND name=?", (kind, name))
        return _entity(rows[0]) if rows else None

    def get_entity(self, kind: str, name: str) -> EntityRecord:
        """Return the entity of that kind and name.

        Raises
        ------
        ValueError
            If there is none, with the nearest name that exists.
        """
        found = self.find_entity(kind, name)
        if found is None:
            raise unknown_name(_words(kind), name, self.list_entities(kind))
        return found

    def find_digest(self, kind: str, name: str) -> str | None:
        """Return the digest of the entity of that kind and name, None when there is none."""
        rows = self._query("SELECT digest FROM entities WHERE kind=? AND name=?", (kind, name))
        return rows[0][0] if rows else None

    def list_entities(self, kind: str) -> list[str]:
        """Return the names of all entities of a kind in the order in which they were added."""
        return [row[0] for row in self._query("SELECT name FROM entities WHERE kind=? ORDER BY id", (kind,))]

    def all_entities(self) -> list[EntityRecord]:
        """Return all entities in the order in which they were added."""
        return [_entity(row) for row in self._query(f"{_ENTITIES} ORDER BY id")]

    def entity_digests(self) -> dict[tuple[str, str], str]:
        """Return the digests of all entities by kind and name."""
        rows = self._query("SELECT kind, name, digest FROM entities")
        return {(kind, name): digest for kind, name, digest in rows}

    def delete_entity(self, kind: str, name: str) -> None:
        """Delete an entity; unknown names raise ValueError."""
        self.get_entity(kind, name)
        with self._transaction() as db:
            db.execute("DELETE FROM entities WHERE kind=? AND name=?", (kind, name))

    # Tasks

    def set_tasks(self, tasks: list[TaskRecord]) -> None:
        """Record the state of tasks in one transaction; the times are set here."""
        now = time.time()
        # After a loss of power a task may seem interrupted; its files say whether it is done.
        with self._transaction(lasting=False) as db:
            db.executemany(
                "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET "
                "label=excluded.label, status=excluded.status, attempts=excluded.attempts, "
                "message=excluded.message, updated=excluded.updated",
                [(t.digest, t.kind, t.label, t.status, t.attempts, t.message, now, now) for t in tasks],
            )

    def find_task(self, digest: str) -> TaskRecord | None:
        """Return what is known of a task, None when it was never issued."""
        rows = self._query("SELECT * FROM tasks WHERE digest=?", (digest,))
        return TaskRecord(*rows[0]) if rows else None

    # Events of simulations

    def set_simulation_events(self, simulation: str, tasks: dict[str, str]) -> None:
        """Record which task (digest) holds each event of a simulation."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO simulation_events (simulation, event, task) VALUES (?, ?, ?) "
                "ON CONFLICT (simulation, event) DO UPDATE SET task=excluded.task",
                [(simulation, event, task) for event, task in tasks.items()],
            )

    def get_simulation_events(self, simulation: str) -> dict[str, str]:
        """Return {event: task digest} of what was launched of a simulation."""
        sql = "SELECT event, task FROM simulation_events WHERE simulation=? ORDER BY id"
        return dict(self._query(sql, (simulation,)))  # type: ignore[arg-type]

    def list_launched_simulations(self) -> list[str]:
        """Return the names of the simulations of which events were launched."""
        sql = "SELECT simulation FROM simulation_events GROUP BY simulation ORDER BY min(id)"
        return [row[0] for row in self._query(sql)]

    def delete_simulation_events(self, simulation: str, events: list[str]) -> None:
        """Forget that these events were launched."""
        with self._transaction() as db:
            sql = "DELETE FROM simulation_events WHERE simulation=? AND event=?"
            db.executemany(sql, [(simulation, event) for event in events])

    # Gradients

    def add_gradients(self, gradients: list[GradientRecord]) -> None:
        """Record which tasks make gradients, in one transaction."""
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO gradients VALUES (?, ?, ?, ?)",
                [(one.forward, one.adjoint_source, one.expected_error, one.task) for one in gradients],
            )

    def list_gradients(self, forward: str, adjoint_source: str) -> list[GradientRecord]:
        """Return the gradients recorded for that pair, the most exact first."""
        columns = "forward, adjoint_source, expected_error, task"
        sql = f"SELECT {columns} FROM gradients WHERE forward=? AND adjoint_source=? ORDER BY expected_error"
        return [GradientRecord(*row) for row in self._query(sql, (forward, adjoint_source))]

    def gradient_tasks(self) -> list[tuple[str, str]]:
        """Return forward task and adjoint task of all gradients that were ever asked for."""
        return [(row[0], row[1]) for row in self._query("SELECT forward, task FROM gradients")]

    # Iterations

    def add_iteration(self, problem: str, parent: int | None, document: dict[str, Any]) -> IterationRecord:
        """Add a node to the tree of an inverse problem; ids count from 0 and revisions from 1.

        Raises
        ------
        ValueError
            If `parent` is given and does not exist; as ConflictError, if it is None and there is a node.
        """
        with self._transaction() as db:
            return _insert_iteration(db, problem, parent, document)

    def save_iteration(self, iteration: IterationRecord, document: dict[str, Any]) -> IterationRecord:
        """Replace the document of a node if nobody else has changed it since it was loaded.

        Parameters
        ----------
        iteration
            The node as it was loaded.
        document
            Its new content.

        Returns
        -------
        IterationRecord
            The node as it is stored now.

        Raises
        ------
        ProjectError
            If the node was changed or deleted by another process meanwhile.
        """
        with self._transaction() as db:
            return _update_iteration(db, iteration, document)

    def finish_iteration(
        self, iteration: IterationRecord, document: dict[str, Any], child: dict[str, Any]
    ) -> tuple[IterationRecord, IterationRecord]:
        """Replace the document of a node and add a child to it, both or neither.

        Raises
        ------
        ProjectError
            If the node was changed or deleted by another process meanwhile.
        """
        with self._transaction() as db:
            saved = _update_iteration(db, iteration, document)
            return saved, _insert_iteration(db, iteration.problem, iteration.id, child)

    def load_iteration(self, problem: str, iteration_id: int) -> IterationRecord:
        """Return a node of the tree; ValueError if it does not exist."""
        rows = self._query(f"{_SELECT_ITERATIONS} AND id=?", (problem, iteration_id))
        if not rows:
            known = [str(i.id) for i in self.list_iterations(problem)]
            raise unknown_name(f"iteration of {problem!r}", iteration_id, known)
        return _iteration(rows[0])

    def list_iterations(self, problem: str) -> list[IterationRecord]:
        """Return all nodes of an inverse problem by id."""
        return [_iteration(row) for row in self._query(f"{_SELECT_ITERATIONS} ORDER BY id", (problem,))]

    def iteration_ids(self) -> list[tuple[str, int, int | None]]:
        """Return inverse problem, id and parent of all nodes."""
        return [(*row,) for row in self._query("SELECT problem, id, parent FROM iterations ORDER BY id")]

    def delete_iteration(self, iteration: IterationRecord) -> None:
        """Delete a node; ProjectError while it has children."""
        with self._transaction() as db:
            sql = "SELECT id FROM iterations WHERE problem=? AND parent=?"
            children = [r[0] for r in db.execute(sql, (iteration.problem, iteration.id))]
            if children:
                raise ProjectError(
                    f"iteration {iteration.id} of {iteration.problem!r} has the children {children}; "
                    "delete these first."
                )
            db.execute("DELETE FROM iterations WHERE problem=? AND id=?", (iteration.problem, iteration.id))

    # Notes: what is dear to find out and cheap to keep

    def set_note(self, key: str, document: Any) -> None:
        """Keep a JSON value under a key, replacing an older one."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, json.dumps(document)))

    def get_note(self, key: str) -> Any:
        """Return the value kept under a key, None when there is none."""
        rows = self._query("SELECT document FROM notes WHERE key=?", (key,))
        return json.loads(rows[0][0]) if rows else None

    def swap_note(self, key: str, expected: Any, document: Any) -> bool:
        """Keep a value only if the one kept now is `expected` (None: there is none); say whether it was."""
        with self._transaction() as db:
            row = db.execute("SELECT document FROM notes WHERE key=?", (key,)).fetchone()
            if (json.loads(row[0]) if row else None) != expected:
                return False
            db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, json.dumps(document)))
            return True

    def list_notes(self, prefix: str) -> dict[str, Any]:
        """Return all values whose keys begin with `prefix`, in the order of the keys."""
        sql = "SELECT key, document FROM notes WHERE substr(key, 1, ?)=? ORDER BY key"
        return {key: json.loads(text) for key, text in self._query(sql, (len(prefix), prefix))}

    def delete_note(self, key: str) -> None:
        """Forget what is kept under a key."""
        with self._transaction() as db:
            db.execute("DELETE FROM notes WHERE key=?", (key,))

    def mentioned_digests(self) -> set[str]:
        """Return all digests in entities, iterations, notes and launched events: what may not be deleted."""
        tables = ("document FROM entities", "document FROM iterations", "document FROM notes")
        sql = " UNION ALL ".join(f"SELECT {t}" for t in (*tables, "task FROM simulation_events"))
        return {digest for (text,) in self._query(sql) for digest in _DIGEST.findall(text)}


def _entity(row: tuple[Any, ...]) -> EntityRecord:
    return EntityRecord(row[0], row[1], json.loads(row[2]), row[3])


def _iteration(row: tuple[Any, ...]) -> IterationRecord:
    problem, number, parent, revision, document = row
    return IterationRecord(problem, number, parent, revision, json.loads(document))


def _insert_iteration(
    db: sqlite3.Connection, problem: str, parent: int | None, document: dict[str, Any]
) -> IterationRecord:
    ids = [row[0] for row in db.execute("SELECT id FROM iterations WHERE problem=?", (problem,))]
    if parent is not None and parent not in ids:
        raise unknown_name(f"iteration of {problem!r}", parent, map(str, ids))
    if parent is None and ids:
        raise ConflictError(f"{problem!r} was begun by another process; look at p.inversions.tree first.")
    new = max(ids, default=-1) + 1
    db.execute("INSERT INTO iterations VALUES (?, ?, ?, 1, ?)", (problem, new, parent, json.dumps(document)))
    return IterationRecord(problem, new, parent, 1, document)


def _update_iteration(
    db: sqlite3.Connection, iteration: IterationRecord, document: dict[str, Any]
) -> IterationRecord:
    changed = db.execute(
        "UPDATE iterations SET document=?, revision=revision+1 WHERE problem=? AND id=? AND revision=?",
        (json.dumps(document), iteration.problem, iteration.id, iteration.revision),
    ).rowcount
    if changed != 1:
        raise ProjectError(
            f"iteration {iteration.id} of {iteration.problem!r} was changed by another process; "
            "only one process may advance it at a time."
        )
    return dataclasses.replace(iteration, revision=iteration.revision + 1, document=document)


def _words(kind: str) -> str:
    return kind.replace("_", " ")

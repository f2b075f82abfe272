"""The table that is written to, who writes, and the servers as each measurement wants them."""

import os
import re
import subprocess
import sys
import tempfile
import time

import psycopg
import redis

from contestants import LIMIT, PEERS, launch
from servers import BIN

RULES = """
version: 1
rules:
  - name: user
    table: users
    columns: [name]
    delete:
      keys: ["user:{id}"]
"""
PATIENCE = 120


class Bench:
    def __init__(self, servers, builds, report, arguments):
        self.servers, self.builds, self.report = servers, builds, report
        self.is_quick, self.minutes = arguments.quick, arguments.minutes
        self.rounds = 1 if self.is_quick else arguments.rounds
        self.seconds = 0.5 if self.is_quick else arguments.seconds
        self.rows = self.scale(100_000, 1_000)
        self.rules = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.environment = {
            **os.environ,
            "UNSTALE_DATABASE_URL": servers.database_url,
            "UNSTALE_REDIS_URL": servers.redis_url,
            "UNSTALE_RULES": self.rules.name,
        }
        self.cache = redis.from_url(servers.redis_url)

    def scale(self, usual, quick):
        """How much of something: a quick run only wants to see that it works."""
        return quick if self.is_quick else usual

    def field(self, *others, peers=PEERS, limit=(LIMIT,)):
        """Who takes part; two builds are compared with each other and with those in `others` alone."""
        return (*others, *self.builds) if len(self.builds) > 1 else (*others, *self.builds, *limit, *peers)

    # What is there

    def use(self, rules):
        """Has `install` and the worker go by these rules from now on."""
        self.rules.seek(0)
        self.rules.truncate()
        self.rules.write(rules)
        self.rules.flush()

    def connect(self):
        return psycopg.connect(self.servers.database_url, autocommit=True)

    def sql(self, *statements):
        with self.connect() as connection:
            return [connection.execute(statement) for statement in statements][-1]

    def value(self, statement):
        return self.sql(statement).fetchone()[0]

    def fresh(self, rows=None):
        """The table as new, nothing captured, nothing cached."""
        self.use(RULES)
        self.uninstall()
        self.sql(
            "DROP TABLE IF EXISTS users",
            "DROP FUNCTION IF EXISTS notify_change",
            "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, seen int NOT NULL DEFAULT 0) WITH (fillfactor = 80)",
            f"INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, {rows or self.rows}) AS i",
            "VACUUM ANALYZE users",
            "CHECKPOINT",
        )
        self.cache.flushall()

    def uninstall(self):
        """Not by a build's own command: the next may be another's, with a schema of another version."""
        self.sql("SET client_min_messages = error", "DROP SCHEMA IF EXISTS unstale CASCADE")
        self.wait_until(
            None, lambda: not self.value("SELECT count(*) FROM pg_replication_slots WHERE active"), "a slot is still in use")
        self.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")

    def install(self, build="unstale", *arguments):
        subprocess.run(
            [self.builds[build], "install", *arguments], env=self.environment, stdout=subprocess.DEVNULL, check=True)

    def fill(self, rows=None):
        """An entry for every row."""
        rows = rows or self.rows
        for start in range(1, rows + 1, 5000):
            self.cache.mset({f"user:{number}": "x" for number in range(start, min(rows, start + 4999) + 1)})

    # Who does it

    def start(self, contestant, *arguments, install=()):
        """A running contestant, when it is ready; `install` is for those that need Unstale's capture."""
        if contestant in self.builds:
            self.install(contestant, *install)
        elif contestant == LIMIT:
            self.install(next(iter(self.builds)), *install)
        worker = launch(contestant, self, *arguments).wait()
        if contestant in self.builds or contestant == LIMIT:
            self.wait_until(worker, self.is_armed, "is not asleep")
        return worker

    def is_armed(self):
        """Whether somebody sleeps until a writer rings, and so holds the doorbell's lock: `unst` and 1."""
        return self.value(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1970172788 AND objid = 1 AND granted") == 1

    def update_each(self, rows=None, clients=8, durable=True):
        """Changes every row in a commit of its own, in no order; returns the seconds that took."""
        rows = rows or self.rows
        # Variables last as long as pgbench's client. 61,813 shares no factor with the number of rows.
        script = (
            "\\set n :n + 1\n"
            f"\\set id 1 + (:client_id * {rows // clients} + :n) * 61813 % {rows}\n"
            "UPDATE users SET name = 'changed ' || :n WHERE id = :id;\n")
        options = ["-t", str(rows // clients), "-D", "n=-1"]
        return rows / self.pgbench(script, clients, *options, durable=durable)

    def pgbench(self, script, clients, *options, durable=True, mode="prepared"):
        """Transactions per second; `mode` is how pgbench sends statements, by default as drivers do."""
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            output = subprocess.run(
                [f"{BIN}/pgbench", "-n", "-M", mode, "-c", str(clients), "-j", str(min(clients, 2)), *options,
                 "-f", file.name, self.servers.database_url],
                env={**os.environ, "PGOPTIONS": f"-c synchronous_commit={'on' if durable else 'off'}"},
                capture_output=True, text=True, check=True).stdout
        return float(re.search(r"tps = ([0-9.]+)", output)[1])

    def wait_until_empty(self, worker):
        """Until the last key is gone. Asks for their number, which costs Redis next to nothing."""
        self.wait_until(worker, lambda: self.cache.dbsize() == 0, "there are still keys")

    def wait_until_gone(self, key, worker):
        self.wait_until(worker, lambda: not self.cache.exists(key), f"{key} is still there")

    def wait_until(self, worker, is_done, complaint):
        """Until something is so, for which the worker has to live, if there is one."""
        end = time.monotonic() + PATIENCE
        while not is_done():
            if worker and worker.process.poll() is not None:
                sys.exit(f"{' '.join(worker.command)} has ended, and {complaint}")
            if time.monotonic() > end:
                sys.exit(f"{complaint} after {PATIENCE} s")
            time.sleep(0.0005)  # until it asks again; PATIENCE is the deadline

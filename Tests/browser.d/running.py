"""A worker with its admin port, between a database of its own and the tests' Redis."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from waiting import wait_until

TOKEN = "a-token-of-the-tests"
HOSTILE = "<img src=x onerror=alert(1)>"
SCHEMA = f"""
    create table users (id text primary key, name text not null default '');
    create table orders (id text primary key, number text not null);
    create table lines (id text primary key, order_id text not null, quantity int not null default 1);
    create table "{HOSTILE}" (id text primary key, name text not null default '');
    insert into users select generate_series(1, 50);
    insert into orders values ('1', '1'), ('13', 'thirteen'), ('{HOSTILE}', 'none');
    insert into lines values ('1', '1'), ('13', '13'), ('evil', '{HOSTILE}');
    insert into "{HOSTILE}" values ('{HOSTILE}');
"""
# A line of an order whose number is none is an action that fails, until the number is mended.
RULES = f"""
version: 1
rules:
  - name: user
    table: users
    delete: {{keys: ["user:{{id}}"]}}
  - name: line
    table: lines
    lookup: select o.number::int as number from orders o where o.id = :order_id
    delete: {{keys: ["order:{{number}}"]}}
  - name: hostile
    table: "{HOSTILE}"
    delete: {{keys: ["hostile:{{id}}"]}}
"""


class Site:
    """Lends it in a `with` block, with the worker running."""

    def __init__(self, folder: Path, schema: str = SCHEMA, rules: str = RULES):
        self.folder = folder
        self.schema = schema
        self.log = folder / "worker.log"
        self.server = os.environ["UNSTALE_TEST_DATABASE_URL"]
        self.name = f"browser_{secrets.token_hex(6)}"
        self.database = urlsplit(self.server)._replace(path=f"/{self.name}").geturl()
        self.redis_url = os.environ["UNSTALE_TEST_REDIS_URL"]
        self.rules = folder / "rules.yaml"
        self.rules.write_text(rules)
        self.environment = {
            **os.environ, "UNSTALE_DATABASE_URL": self.database, "UNSTALE_REDIS_URL": self.redis_url,
            "UNSTALE_RULES": str(self.rules), "UNSTALE_ADMIN_TOKEN": TOKEN, "UNSTALE_CHECK_INTERVAL": "1s",
        }
        self.port = 0
        self.worker = None

    def __enter__(self) -> "Site":
        self.psql(f"create database {self.name}", self.server)
        try:
            self.sql(self.schema)
            self.unstale("install")
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, *_) -> None:
        if self.worker and self.worker.poll() is None:
            self.worker.terminate()
            self.worker.wait(20)
        self.psql(f"drop database {self.name} with (force)", self.server)
        if kind is not None and self.log.exists():
            print(f"--- {self.log.name}\n{self.log.read_text()[-5000:]}")

    def start(self) -> None:
        """Starts the worker, at the same port as the last one."""
        self.worker, self.port = self.run(self.log, f"127.0.0.1:{self.port}", "Serving")

    def run(self, log: Path, address: str, line: str) -> tuple[subprocess.Popen, int]:
        """Starts a worker, and gives its port as soon as it has logged that line."""
        begun = log.stat().st_size if log.exists() else 0
        command = [os.environ["UNSTALE"], "run", "--admin", address, "--attempts", "2"]
        with open(log, "ab") as output:
            worker = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

        def port() -> re.Match | None:
            text = log.read_text()[begun:]
            assert worker.poll() is None, text
            return re.search(r"address=[\d.]+:(\d+)", text) if line in text else None

        return worker, int(wait_until(port, f"a worker logs: {line}")[1])

    def kill(self) -> None:
        self.worker.kill()
        self.worker.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def status(self) -> dict:
        with urlopen(f"{self.url}api/status") as response:
            return json.load(response)

    @property
    def target(self) -> dict:
        return self.status()["targets"][0]

    def unstale(self, *arguments: str) -> str:
        return self._run([os.environ["UNSTALE"], *arguments])

    def psql(self, statements: str, url: str) -> str:
        return self._run(["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statements, url])

    def sql(self, statements: str) -> str:
        return self.psql(statements, self.database)

    def redis(self, *words: str) -> str:
        return self._run(["redis-cli", "-u", self.redis_url, *words])

    def has(self, key: str) -> bool:
        return self.redis("exists", key) == "1"

    def change(self, user: int) -> None:
        """Caches a user's entry, and changes the user."""
        self.redis("set", f"user:{user}", "cached")
        self.sql(f"update users set name = name || 'x' where id = '{user}'")

    def settle(self) -> None:
        """Waits until nothing is to be done, with nothing cached and no dead letter."""
        self.sql("truncate unstale.dead_letters")
        def is_settled() -> bool:
            target = self.target
            return not target["backlog"] and not target["retrying"] and not target["deadLetters"]

        wait_until(is_settled, "nothing is to be done")
        self.redis("flushdb")

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

"""The shop as processes: uvicorn and the worker, with a database of their own and a Redis that nobody else uses."""

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import redis

EXAMPLE = Path(__file__).resolve().parent.parent
ROOT = EXAMPLE.parents[2]
SECRET = "a secret of the tests"


@cache
def unstale() -> str:
    if program := os.environ.get("UNSTALE"):
        return program
    command = ["swift", "build", "--package-path", ROOT, "--show-bin-path"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() + "/unstale"


def sql(url: str, *statements: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(execute())


def wait_until(condition, what: str, seconds: float = 20):
    """The first true value of the condition."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)
    return value


class Process:
    """A process whose output goes to a file."""

    def __init__(self, command: list, log: Path, environment: dict[str, str], folder: Path = EXAMPLE):
        self.log = log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL)

    def wait_for_line(self, pattern: str) -> re.Match:
        def find() -> re.Match | None:
            text = self.log.read_text()
            assert self.process.poll() is None, text
            return re.search(pattern, text)

        return wait_until(find, f"{pattern} in {self.log}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Shop:
    """Lends the running shop in a `with` block."""

    def __init__(self, folder: Path, *, worker: bool, redis_url: str | None = None):
        self.folder = folder
        self.has_worker = worker
        self.server = os.environ["UNSTALE_TEST_DATABASE_URL"]
        self.name = f"fastapi_{secrets.token_hex(6)}"
        self.database_url = urlsplit(self.server)._replace(path=f"/{self.name}").geturl()
        # Of the server that all tests use, a database that no other does.
        self.uses_server = redis_url is None
        self.redis_url = redis_url or f"{os.environ['UNSTALE_TEST_REDIS_URL'].rstrip('/')}/11"
        self.redis = redis.Redis.from_url(self.redis_url)
        self.processes: list[Process] = []

    def __enter__(self) -> "Shop":
        sql(self.server, f"create database {self.name}")
        try:
            self._start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def _start(self) -> None:
        tables = [ROOT / "deploy/shop/tables.sql", EXAMPLE / "tables.sql"]
        sql(self.database_url, *[file.read_text() for file in tables])
        self.environment = {
            "DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url, "SHOP_SECRET": SECRET,
            "UNSTALE_DATABASE_URL": self.database_url, "UNSTALE_REDIS_URL": self.redis_url,
            "UNSTALE_RULES": str(self.folder / "rules.yaml"),
        }
        app = self.run("app", [sys.executable, "-m", "uvicorn", "app:app", "--port", "0", "--no-access-log"])
        self.url = app.wait_for_line(r"running on (http://\S+)")[1]
        self.http = httpx.Client(base_url=self.url, timeout=30)
        if self.uses_server:
            self.redis.flushdb()
        if self.has_worker:
            rules = (EXAMPLE / "rules.yaml").read_text()
            assert "http://127.0.0.1:8000/" in rules
            (self.folder / "rules.yaml").write_text(rules.replace("http://127.0.0.1:8000", self.url))
            self.unstale("install")
            self.run("worker", [unstale(), "run"]).wait_for_line("Serving")

    def run(self, name: str, command: list) -> Process:
        process = Process(command, self.folder / f"{name}.log", self.environment)
        self.processes.append(process)
        return process

    def __exit__(self, kind, *_) -> None:
        codes = [process.stop() for process in reversed(self.processes)]
        if hasattr(self, "http"):
            self.http.close()
        sql(self.server, f"drop database {self.name} with (force)")
        if kind is None:
            # uvicorn ends by the signal that it was sent.
            assert set(codes) <= {0, -signal.SIGTERM}, codes
            if self.uses_server:
                self.redis.flushdb()
        else:
            for process in self.processes:
                print(f"--- {process.log.name}\n{process.log.read_text()[-5000:]}")

    def unstale(self, *arguments: str) -> str:
        command = [unstale(), *arguments]
        done = subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def settle(self) -> None:
        """Waits until the worker has done all that is committed."""
        def is_served() -> bool:
            status = json.loads(self.unstale("status", "--json"))
            assert all(target["deadLetters"] == 0 for target in status["targets"]), status
            return all(target["backlog"] == 0 and target["retrying"] == 0 for target in status["targets"])

        if self.has_worker:
            wait_until(is_served, "all changes served", 60)

    def entries(self) -> dict[str, bytes]:
        """The cached responses by their keys."""
        keys = list(self.redis.scan_iter("resp:*", count=1000))
        values = self.redis.mget(keys) if keys else []
        return {key.decode(): value for key, value in zip(keys, values) if value is not None}

    def sql(self, *statements: str) -> None:
        sql(self.database_url, *statements)

    def get(self, path: str, user: int | None = None, **arguments) -> httpx.Response:
        return self.http.get(path, headers=bearer(user), **arguments)

    def stale_entries(self) -> dict[str, tuple[bytes, str]]:
        """The cached responses that aren't what the application says without its cache."""
        stale = {}
        for key, cached in self.entries().items():
            # resp:/path?query, or resp:user:42:/path?query
            _, *user, path = key.split(":", 3) if key.startswith("resp:user:") else key.split(":", 1)
            headers = bearer(int(user[1]) if user else None) | {"X-Cache-Bypass": "1"}
            fresh = self.http.get(path.removesuffix("?"), headers=headers)
            assert fresh.status_code == 404 or fresh.headers["X-Cache"] == "bypass", fresh.text
            if fresh.status_code == 404 or fresh.content != cached:
                stale[key] = (cached, f"{fresh.status_code} {fresh.text}")
        return stale


def bearer(user: int | None) -> dict[str, str]:
    return {} if user is None else {"Authorization": f"Bearer {token(user)}"}


def token(user: int) -> str:
    os.environ["SHOP_SECRET"] = SECRET
    from tokens import token

    return token(user)


def describe(stale: dict) -> str:
    some = list(stale.items())[:5]
    return "\n".join(f"{key}\n    cached {cached!r}\n    now    {now}" for key, (cached, now) in some)

"""A throwaway Postgres (durable, as in production) and Redis for one benchmark run."""

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "max_connections": "100",
    "wal_level": "logical",
}
PATIENCE = 10


def as_postgres(command):
    """Postgres refuses to run as root."""
    if os.geteuid() == 0:
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", *command]
    return command


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Servers:
    """Lends the servers in a `with` block and takes them away afterwards."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="unstale-bench.")
        os.chmod(self.folder, 0o755)
        data = f"{self.folder}/postgres"
        os.mkdir(data, 0o700)
        if os.geteuid() == 0:
            shutil.chown(data, "postgres")
        subprocess.run(
            as_postgres([f"{BIN}/initdb", "-D", data, "-A", "trust", "-U", "postgres"]), stdout=subprocess.DEVNULL, check=True)
        self.postgres_port, self.redis_port = free_port(), free_port()
        with open(f"{data}/postgresql.conf", "a") as conf:
            conf.write("".join(f"{name} = {value}\n" for name, value in SETTINGS.items()))
            conf.write(f"port = {self.postgres_port}\nunix_socket_directories = '{data}'\n")
        self.data = data
        self.control("start", "-l", f"{data}/log")
        self.redis = subprocess.Popen(
            ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", ""],
            cwd=self.folder, stdout=subprocess.DEVNULL)
        self.database_url = f"postgres://postgres@127.0.0.1:{self.postgres_port}/postgres"
        self.redis_url = f"redis://127.0.0.1:{self.redis_port}"
        end = time.monotonic() + PATIENCE
        while not self.answers():
            if time.monotonic() > end or self.redis.poll() is not None:
                self.__exit__()
                raise RuntimeError("Redis does not answer")
            time.sleep(0.01)  # until it is tried again; PATIENCE is the deadline
        return self

    def control(self, *command, check=True):
        subprocess.run(
            as_postgres([f"{BIN}/pg_ctl", "-D", self.data, "-w", *command]), stdout=subprocess.DEVNULL, check=check)

    @contextlib.contextmanager
    def without_postgres(self):
        """Lends the folder of its data, at rest."""
        self.control("stop", "-m", "fast")
        try:
            yield self.data
        finally:
            self.control("start", "-l", f"{self.data}/log")

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.redis_port), timeout=1):
                return True
        except OSError:
            return False

    def __exit__(self, *_):
        self.redis.send_signal(signal.SIGTERM)
        self.redis.wait()
        self.control("stop", "-m", "immediate", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

"""Who takes part, and how each is started. All are told the same: `user:{id}` is stale when a user's name changes."""

import atexit
import os
import signal
import subprocess
import sys
import threading

import measuring
from servers import BIN

HERE = os.path.dirname(os.path.abspath(__file__))
# Those beside Unstale that delete keys in Redis; pgcachewatch doesn't.
PEERS = ("naive", "careful", "decoding")
LIMIT = "limit"
PATIENCE = 30


class Worker:
    """A contestant that runs: ready as soon as a line of its output has the sign in it."""

    def __init__(self, command, stream, sign, environment=None):
        self.command = command
        self.lines = []
        self.is_ready = threading.Event()
        self.process = subprocess.Popen(command, env=environment, text=True, **{stream: subprocess.PIPE})
        # Where a measurement fails, nobody is left behind.
        atexit.register(self.kill)
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self.read, args=(getattr(self.process, stream), sign), daemon=True)
        self.reader.start()

    def read(self, stream, sign):
        for line in stream:
            self.lines.append(line)
            if sign in line:
                self.is_ready.set()

    def wait(self):
        """Until it is ready."""
        if not self.is_ready.wait(PATIENCE):
            sys.exit(f"{' '.join(self.command)} was not ready after {PATIENCE} s: {''.join(self.lines)}")
        return self

    def cpu(self):
        return measuring.cpu_seconds(self.pid)

    def signal(self, number):
        for pid in measuring.family(self.pid):
            os.kill(pid, number)

    def kill(self):
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            sys.exit(f"{' '.join(self.command)} did not end within {PATIENCE} s")
        atexit.unregister(self.kill)
        self.reader.join(PATIENCE)


def launch(name, bench, *arguments):
    """Starts a contestant and returns at once."""
    servers = bench.servers
    if name in bench.builds:
        environment = dict(bench.environment)
        # Settings with targets have their own URLs.
        if "--config" in arguments:
            environment.pop("UNSTALE_REDIS_URL", None)
        return Worker([bench.builds[name], "run", *arguments], "stderr", "Serving", environment)
    if name == LIMIT:
        command = [f"{HERE}/limit/limit", servers.database_url, str(servers.redis_port), *arguments]
    else:
        command = [sys.executable, f"{HERE}/peers/{name}.py", servers.database_url, servers.redis_url]
        if name == "decoding":
            command.append(BIN)
    return Worker(command, "stdout", "ready")

"""Redis servers that a test may stop, starve or kill."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class Server:
    def __init__(self, *arguments, directory=None, ready=True):
        """Starts a server. One that is not to be waited for until it is ready may still be loading its data."""
        root = Path(os.environ["UNSTALE_TEST_DIR"])
        self.directory = Path(tempfile.mkdtemp(dir=root))
        if directory:
            shutil.copytree(directory, self.directory, dirs_exist_ok=True)
        for _ in range(20):
            # Below the kernel's range for clients' own ends of connections.
            self.port = random.randrange(10000, 32000)
            self.process = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", *arguments],
                cwd=self.directory,
                stdout=open(self.directory / "log", "wb"),
            )
            # Whoever started the test's own servers ends this one, should the test be killed.
            self.pid_file = root / "pids" / f"redis-{self.process.pid}"
            self.pid_file.write_text(f"{self.process.pid}\n")
            self.client = redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0))
            if self._answers(ready):
                return
            self.kill()
        raise RuntimeError((self.directory / "log").read_text())

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def _answers(self, ready):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                info = self.client.info()
                # The port may be another server's.
                if info["process_id"] == self.process.pid and not (ready and info["loading"]):
                    return True
            except redis.ConnectionError:
                pass
            time.sleep(0.01)
        return False

    def stop(self):
        """Leaves the server's connections open and unanswered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.client.close()
        self.pid_file.unlink(missing_ok=True)

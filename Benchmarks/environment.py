"""Where and of what a run was made."""

import datetime
import os
import platform
import re
import socket
import subprocess
from importlib.metadata import version

from servers import BIN

HERE = os.path.dirname(os.path.abspath(__file__))


def results_file():
    folder = f"{HERE}/results"
    os.makedirs(folder, exist_ok=True)
    return f"{folder}/{datetime.datetime.now():%Y-%m-%d-%H%M}-{socket.gethostname()}.md"


def environment(builds, command):
    """Rows of a table: the machine, the versions, the command."""
    return [
        ["command", f"`{command}`"],
        ["revision", output("git", "-C", HERE, "describe", "--always", "--dirty")],
        ["builds", ", ".join(f"{name}: {output(path, '--version')}" for name, path in builds.items())],
        ["cores", f"{os.cpu_count()} of {field('/proc/cpuinfo', 'model name')}"],
        ["memory", f"{int(field('/proc/meminfo', 'MemTotal').split()[0]) / 1024 ** 2:.1f} GiB"],
        ["kernel", f"{platform.system()} {platform.release()}"],
        ["load at the end", " ".join(f"{load:.2f}" for load in os.getloadavg())],
        ["Postgres", output(f"{BIN}/postgres", "--version")],
        ["Redis", output("redis-server", "--version")],
        ["Swift", output("swift", "--version").partition("\n")[0]],
        ["Python", ", ".join([platform.python_version(), *(
            f"{name} {version(name)}" for name in ("asyncpg", "psycopg", "redis", "hiredis", "pgcachewatch"))])],
    ]


def field(path, name):
    with open(path) as file:
        return re.search(rf"^{name}\s*:\s*(.*)$", file.read(), re.MULTILINE)[1]


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

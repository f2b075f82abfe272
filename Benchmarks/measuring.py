"""What processes use: one with its children, measured from outside."""

import glob
import multiprocessing
import re
import subprocess
import sys
import time

PATIENCE = 30
CALLGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")


def percentile(values, quantile):
    return sorted(values)[min(len(values) - 1, int(len(values) * quantile))]


def executed(command, **options):
    """How many instructions: of a command whose program is run by CALLGRIND, without the kernel's."""
    errors = subprocess.run(command, capture_output=True, text=True, check=True, **options).stderr
    return int(re.search(r"Collected : (\d+)", errors)[1])


def family(pid):
    """A process and its children."""
    pids = [pid]
    for parent in pids:
        for path in glob.glob(f"/proc/{parent}/task/*/children"):
            pids += map(int, read(path).split())
    return pids


def read(path):
    """Of /proc; nothing where the process has ended meanwhile."""
    try:
        with open(path) as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def cpu_seconds(pid):
    """Of the process and its children."""
    return sum(cpu_clock(member) for member in family(pid))


def cpu_clock(pid):
    try:
        # Another process' CPU clock, as clock_getcpuclockid(3) makes its number: in nanoseconds, not in ticks.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0  # it has ended


def field(path, name):
    """A number in a status file of /proc."""
    found = re.search(rf"^{name}:\s*(\d+)", read(path), re.MULTILINE)
    return int(found[1]) if found else 0


def status(pid, name):
    """Of /proc/PID/status, of the process and its children, in KiB or whatever it counts in."""
    return sum(field(f"/proc/{member}/status", name) for member in family(pid))


def context_switches(pid):
    """How often its threads, and its children's, have gone to sleep of their own accord."""
    return sum(
        field(path, "voluntary_ctxt_switches") for member in family(pid) for path in glob.glob(f"/proc/{member}/task/*/status"))


class Aside:
    """Measures in a process of its own, for a thread would share Python's lock with whoever measures here: `measure`
    gives what it has measured, as soon as `is_over` is set."""

    def __init__(self, port):
        self.port = port
        self.is_over = multiprocessing.Event()
        self.results, self.answer = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(target=self.run, daemon=True)
        self.process.start()

    def run(self):
        self.answer.send(self.measure())

    def stop(self):
        """What it has measured."""
        self.is_over.set()
        if not self.results.poll(PATIENCE):
            sys.exit(f"{type(self).__name__} has measured nothing")
        results = self.results.recv()
        self.process.join()
        return results


class Peak(Aside):
    """The most anonymous memory that a process and its children had, in MiB, looked at every few milliseconds."""

    def __init__(self, pid):
        self.pid = pid
        super().__init__(port=None)

    def measure(self):
        peak = 0
        while not self.is_over.wait(0.005):
            peak = max(peak, status(self.pid, "RssAnon"))
        return max(peak, status(self.pid, "RssAnon")) / 1024

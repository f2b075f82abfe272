"""What processes use: one with its children, measured from outside."""

import glob
import multiprocessing
import time


def percentile(values, quantile):
    return sorted(values)[min(len(values) - 1, int(len(values) * quantile))]


def family(pid):
    """A process and its children, as far as they live."""
    pids = [pid]
    for parent in pids:
        for path in glob.glob(f"/proc/{parent}/task/*/children"):
            with open(path) as file:
                pids += map(int, file.read().split())
    return pids


def cpu_seconds(pid):
    """Of the process and its children."""
    # Another process' CPU clock, as clock_getcpuclockid(3) makes its number: in nanoseconds, not in ticks.
    return sum(time.clock_gettime((~member << 3) | 2) for member in family(pid))


def status(pid, field):
    """Of /proc/PID/status, of the process and its children, in KiB or whatever it counts in."""
    total = 0
    for member in family(pid):
        with open(f"/proc/{member}/status") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith(f"{field}:"))
    return total


def context_switches(pid):
    """How often its threads, and its children's, have gone to sleep of their own accord."""
    total = 0
    for member in family(pid):
        for path in glob.glob(f"/proc/{member}/task/*/status"):
            with open(path) as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches:"))
    return total


class Aside:
    """Measures in a process of its own, for a thread would share Python's lock with whoever measures here: `measure`
    gives what it has measured, as soon as `is_over` is set."""

    def __init__(self, port):
        self.port = port
        self.is_over = multiprocessing.Event()
        self.results = multiprocessing.SimpleQueue()
        self.process = multiprocessing.Process(target=self.run, daemon=True)
        self.process.start()

    def run(self):
        self.results.put(self.measure())

    def stop(self):
        """What it has measured."""
        self.is_over.set()
        results = self.results.get()
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
